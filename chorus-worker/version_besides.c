#include <string.h>

#include "acl.h"
#include "filter.h"
#include "tags.h"
#include "version_besides.h"
#include "version_list.h"


/* A version that went in the meantime. */

static work_rc_t
version_failed(work_t *work)
{
    if (strcmp(work->failure.code, "NoSuchKey") == 0
        || strcmp(work->failure.code, "NoSuchVersion") == 0)
    {
        work->failure.kind = FAILURE_AGAIN;
    }

    return WORK_FAILED;
}


static s3_request_t
version_subject(work_t *work, failure_side_t side, chorus_str_t id)
{
    const char  *query;

    query = NULL;

    if (id.len != 0) {
        query = version_query(work, "", id);
        /* never what is current instead */
        query = query == NULL ? "versionId=out-of-memory" : query;
    }

    return work_request(work, side, "GET", query);
}


work_rc_t
version_make_tags_equal(work_t *work, chorus_str_t ours, chorus_str_t theirs,
    bool *is_changed)
{
    s3_request_t      here, there;
    chorus_tagging_t  tags, old;

    here = version_subject(work, FAILURE_SIDE_MAIN, ours);
    there = version_subject(work, FAILURE_SIDE_FOLLOWER, theirs);

    if (tags_get(work, FAILURE_SIDE_MAIN, &here, &tags) != WORK_DONE
        || tags_get(work, FAILURE_SIDE_FOLLOWER, &there, &old) != WORK_DONE)
    {
        return version_failed(work);
    }

    if (tags_same(&tags, &old)) {
        return WORK_DONE;
    }

    *is_changed = true;

    return tags_put(work, &there, &tags);
}


work_rc_t
version_make_acl_equal(work_t *work, chorus_str_t ours, chorus_str_t theirs,
    bool *is_changed)
{
    bool          is_put;
    s3_request_t  here, there;

    here = version_subject(work, FAILURE_SIDE_MAIN, ours);
    there = version_subject(work, FAILURE_SIDE_FOLLOWER, theirs);

    if (acl_read(work, &here) != WORK_DONE
        || acl_make_equal(work, &there, &is_put) != WORK_DONE)
    {
        return version_failed(work);
    }

    *is_changed = *is_changed || is_put;

    return WORK_DONE;
}


work_rc_t
version_is_taken(work_t *work, const chorus_history_t *ours, bool *is_taken)
{
    size_t            i;
    s3_request_t      subject;
    chorus_tagging_t  tags;

    *is_taken = true;

    if (!filter_asks_tags(work)) {
        return WORK_DONE;
    }

    for (i = 0; i < ours->nversions && ours->versions[i].is_marker; i++) {
        /* void */
    }

    if (i == ours->nversions) {
        return WORK_DONE;
    }

    subject = version_subject(work, FAILURE_SIDE_MAIN, ours->versions[i].id);

    if (tags_get(work, FAILURE_SIDE_MAIN, &subject, &tags) != WORK_DONE) {
        return version_failed(work);
    }

    *is_taken = filter_takes_tags(work, &tags);

    return WORK_DONE;
}
