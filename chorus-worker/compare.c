#include <string.h>

#include "acl.h"
#include "checksum.h"
#include "compare.h"
#include "lock.h"
#include "optional.h"
#include "self_copy.h"
#include "tags.h"
#include "twin.h"


/* A HEAD has no body, so its 404 only says "not equal", never "deleted"; so
 * does the 403 of a follower that may be written but not read. */

static work_rc_t
compare_head(work_t *work, object_t *object, bool *is_there)
{
    s3_request_t          head;
    const s3_response_t  *response;

    head = work_request(work, FAILURE_SIDE_FOLLOWER, "HEAD", NULL);
    head.headers = &checksum_ask;
    head.nheaders = checksum_is_kept(work) ? 1 : 0;
    response = s3_client_call(work->client, S3_LANE_SIDE, &head);

    *is_there = false;

    if (s3_response_is(response, 404) || s3_response_is(response, 403)) {
        return WORK_DONE;
    }

    if (!s3_response_is(response, 200)) {
        return work_fail(work, FAILURE_SIDE_FOLLOWER, "HEAD object",
                         response);
    }

    *is_there = object_read(object, work->mem, response);

    return WORK_DONE;
}


/* An answer that names no class is of STANDARD; storages of one kind also name
 * it in the same cases. */

static bool
compare_same_class(const work_t *work, const object_t *ours,
    const object_t *theirs)
{
    chorus_str_t  wanted, has;

    wanted = chorus_storage_class(work->follower, ours->storage_class);
    has = theirs->storage_class;

    if (work->main->provider != work->follower->provider
        || work->follower->nclasses != 0)
    {
        wanted = wanted.len != 0 ? wanted : chorus_str("STANDARD");
        has = has.len != 0 ? has : chorus_str("STANDARD");
    }

    return optional_is_left_out(work, OPTIONAL_CLASS)
           || chorus_str_eq(wanted, has);
}


/* Answers metadata beyond ASCII as encoded words, whatever it got. */

static bool
compare_encodes(const chorus_storage_t *storage)
{
    return storage->provider == CHORUS_PROVIDER_AWS
           || storage->provider == CHORUS_PROVIDER_MINIO;
}


bool
compare_same_metadata(const work_t *work, const object_t *ours,
    const object_t *theirs)
{
    bool  is_by_meaning;

    is_by_meaning = compare_encodes(work->main)
                    || compare_encodes(work->follower);

    return object_same_headers(work->mem, ours, theirs, is_by_meaning);
}


unsigned
compare_headers(const work_t *work, const object_t *ours,
    const object_t *theirs)
{
    unsigned  differ;

    differ = 0;

    if (!compare_same_metadata(work, ours, theirs)) {
        differ |= COMPARE_METADATA;
    }

    if (!compare_same_class(work, ours, theirs)) {
        differ |= COMPARE_CLASS;
    }

    if (!checksum_same(work, &ours->checksum, &theirs->checksum)) {
        differ |= COMPARE_CHECKSUM;
    }

    return differ;
}


/* Asked only of what seems equal: a scan has read both, and they are not. */

static bool
compare_same_content(work_t *work, const object_t *ours,
    const object_t *theirs)
{
    if (!object_same_content(ours, theirs)) {
        return twin_is_known(work, ours, theirs);
    }

    work->is_afresh = twin_is_rotten(work, ours);

    return !work->is_afresh;
}


static work_rc_t
compare_fix_tags(work_t *work, const chorus_tagging_t *tags,
    task_outcome_t *outcome)
{
    s3_request_t      subject;
    chorus_tagging_t  theirs;

    subject = work_request(work, FAILURE_SIDE_FOLLOWER, "GET", NULL);

    if (tags_get(work, FAILURE_SIDE_FOLLOWER, &subject, &theirs)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (tags_same(tags, &theirs)) {
        return WORK_DONE;
    }

    *outcome = TASK_SYNCED;

    return tags_put(work, &subject, tags);
}


static work_rc_t
compare_fix_lock(work_t *work, const object_lock_t *ours,
    const object_lock_t *theirs, task_outcome_t *outcome)
{
    if (!work->follower->has_object_lock || lock_same(ours, theirs)) {
        return WORK_DONE;
    }

    *outcome = TASK_SYNCED;

    return lock_put(work, ours, theirs);
}


static work_rc_t
compare_fix_acl(work_t *work, task_outcome_t *outcome)
{
    bool          is_changed;
    s3_request_t  subject;

    subject = work_request(work, FAILURE_SIDE_FOLLOWER, "GET", NULL);

    if (acl_make_equal(work, &subject, &is_changed) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (is_changed) {
        *outcome = TASK_SYNCED;
    }

    return WORK_DONE;
}


/* The content is equal, and so are the headers by now.  One that is refused
 * keeps the others from nothing: an ACL that was narrowed on main must not wait
 * for a tag. */

static work_rc_t
compare_fix_rest(work_t *work, const object_t *object, const object_t *theirs,
    const chorus_tagging_t *tags, bool is_copied, task_outcome_t *outcome)
{
    failure_t  first;

    memset(&first, 0, sizeof(failure_t));

    work_keep_first(work, is_copied ? acl_finish(work)
                                    : compare_fix_acl(work, outcome),
                    &first);

    if (tags->ntags != 0 || theirs->ntags != 0) {
        work_keep_first(work, compare_fix_tags(work, tags, outcome), &first);
    }

    work_keep_first(work, compare_fix_lock(work, &object->lock, &theirs->lock,
                                           outcome),
                    &first);

    return work_fail_first(work, &first);
}


work_rc_t
compare_large(work_t *work, const object_t *object,
    const chorus_tagging_t *tags, task_outcome_t *outcome, bool *is_equal)
{
    bool      is_there, is_copied;
    object_t  theirs;

    *is_equal = false;

    if (compare_head(work, &theirs, &is_there) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (!is_there || !compare_same_content(work, object, &theirs)) {
        return WORK_DONE;
    }

    *outcome = TASK_EQUAL;
    *is_equal = compare_headers(work, object, &theirs) == 0;
    is_copied = !*is_equal;

    if (is_copied) {
        *outcome = TASK_SYNCED;
        memset(&theirs.lock, 0, sizeof(object_lock_t));
        if (self_copy(work, object, tags, is_equal) != WORK_DONE) {
            return WORK_FAILED;
        }
    }

    return !*is_equal ? WORK_DONE
                      : compare_fix_rest(work, object, &theirs, tags,
                                         is_copied, outcome);
}
