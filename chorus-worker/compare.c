#include <string.h>

#include "checksum.h"
#include "compare.h"
#include "lock.h"
#include "optional.h"
#include "self_copy.h"
#include "tags.h"


/* A HEAD has no body, so its 404 only says "not equal", never "deleted". */

static work_rc_t
compare_head(work_t *work, failure_side_t side, object_t *object,
    bool *is_there)
{
    s3_request_t          head;
    const s3_response_t  *response;

    head = work_request(work, side, "HEAD", NULL);
    head.headers = &checksum_ask;
    head.nheaders = checksum_is_kept(work) ? 1 : 0;
    response = s3_client_call(work->client, S3_LANE_SIDE, &head);

    *is_there = false;

    if (s3_response_is(response, 404)) {
        return WORK_DONE;
    }

    if (!s3_response_is(response, 200)) {
        return work_fail(work, side, "HEAD object", response);
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


/* What only a new write of the object can change. */

static bool
compare_same_headers(const work_t *work, const object_t *ours,
    const object_t *theirs)
{
    bool  is_by_meaning;

    is_by_meaning = compare_encodes(work->main)
                    || compare_encodes(work->follower);

    return object_same_headers(work->mem, ours, theirs, is_by_meaning)
           && compare_same_class(work, ours, theirs)
           && checksum_same(work, &ours->checksum, &theirs->checksum);
}


work_rc_t
compare_heads(work_t *work, bool *is_equal)
{
    bool      is_there;
    object_t  ours, theirs;

    *is_equal = false;

    if (compare_head(work, FAILURE_SIDE_MAIN, &ours, &is_there)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (!is_there) {
        return WORK_DONE;
    }

    if (compare_head(work, FAILURE_SIDE_FOLLOWER, &theirs, &is_there)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    *is_equal = is_there && object_same_content(&ours, &theirs)
                && compare_same_headers(work, &ours, &theirs)
                && lock_same(&ours.lock, &theirs.lock);

    return WORK_DONE;
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


/* The content is equal, and so are the headers by now. */

static work_rc_t
compare_fix_rest(work_t *work, const object_t *object, const object_t *theirs,
    const chorus_tagging_t *tags, task_outcome_t *outcome)
{
    if ((tags->ntags != 0 || theirs->ntags != 0)
        && compare_fix_tags(work, tags, outcome) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (lock_same(&object->lock, &theirs->lock)) {
        return WORK_DONE;
    }

    *outcome = TASK_SYNCED;

    return lock_put(work, &object->lock, &theirs->lock);
}


work_rc_t
compare_large(work_t *work, const object_t *object,
    const chorus_tagging_t *tags, task_outcome_t *outcome, bool *is_equal)
{
    bool      is_there;
    object_t  theirs;

    *is_equal = false;

    if (compare_head(work, FAILURE_SIDE_FOLLOWER, &theirs, &is_there)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (!is_there || !object_same_content(object, &theirs)) {
        return WORK_DONE;
    }

    *outcome = TASK_EQUAL;
    *is_equal = compare_same_headers(work, object, &theirs);

    if (!*is_equal) {
        *outcome = TASK_SYNCED;
        memset(&theirs.lock, 0, sizeof(object_lock_t));
        if (self_copy(work, object, tags, is_equal) != WORK_DONE) {
            return WORK_FAILED;
        }
    }

    return *is_equal ? compare_fix_rest(work, object, &theirs, tags, outcome)
                     : WORK_DONE;
}
