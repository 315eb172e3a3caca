#include <string.h>

#include "checksum.h"
#include "compare.h"
#include "lock.h"
#include "scan_deep.h"
#include "tags.h"
#include "twin.h"


/* ---- both heads, and bodies ---- */


static const s3_response_t *
scan_deep_begin(work_t *work, failure_side_t side, scan_hash_t *hash)
{
    s3_request_t  request;

    request = work_request(work, side, hash == NULL ? "HEAD" : "GET", NULL);
    request.headers = &checksum_ask;
    request.nheaders = checksum_is_kept(work) ? 1 : 0;

    if (hash != NULL) {
        request.write = scan_hash_write;
        request.data = hash;
    }

    return s3_client_start(work->client,
                           side == FAILURE_SIDE_MAIN ? S3_LANE_SOURCE
                                                     : S3_LANE_SINK,
                           &request);
}


static void
scan_deep_wait(work_t *work, scan_hash_t *hashes, const s3_response_t *ours,
    const s3_response_t *theirs)
{
    while (!ours->is_done || !theirs->is_done) {

        if (hashes != NULL && scan_hash_wakes(&hashes[0])) {
            s3_client_resume(work->client, S3_LANE_SOURCE);
        }

        if (hashes != NULL && scan_hash_wakes(&hashes[1])) {
            s3_client_resume(work->client, S3_LANE_SINK);
        }

        s3_client_step(work->client);
    }
}


static work_rc_t
scan_deep_end(work_t *work, failure_side_t side, scan_hash_t *hash,
    const s3_response_t *response, scan_deep_side_t *found)
{
    const char  *what;

    what = hash == NULL ? "HEAD object" : "GET object";

    if (s3_response_is(response, 404)) {
        return WORK_DONE;
    }

    if (!s3_response_is(response, 200)) {
        return work_fail(work, side, what, response);
    }

    if (!object_read(&found->object, work->mem, response)) {
        failure_set(&work->failure, FAILURE_SLOW, side, "BadAnswer",
                    "%s: no ETag or length", what);
        return WORK_FAILED;
    }

    found->is_there = true;
    found->version = chorus_str_dup(work->mem,
                         s3_response_header(response, "x-amz-version-id"));

    if (hash == NULL) {
        return WORK_DONE;
    }

    if (hash->received != found->object.size) {
        failure_set(&work->failure, FAILURE_SOON, side, "TruncatedBody",
                    "%s: %llu bytes came of %llu", what,
                    (unsigned long long) hash->received,
                    (unsigned long long) found->object.size);
        return WORK_FAILED;
    }

    if (!scan_hash_end(hash)) {
        return work_fail_here(work, "SHA-256 failed");
    }

    memcpy(found->sha256, hash->sha256, CHORUS_SHA256_LEN);
    found->is_hashed = true;

    return WORK_DONE;
}


static work_rc_t
scan_deep_objects(work_t *work, scan_hash_t *hashes, scan_deep_t *deep)
{
    unsigned              mib;
    const s3_response_t  *ours, *theirs;

    mib = work->config->worker.check_mib_per_second;

    if (hashes != NULL && (!scan_hash_begin(&hashes[0], mib)
                           || !scan_hash_begin(&hashes[1], mib)))
    {
        return work_fail_here(work, "SHA-256 failed");
    }

    ours = scan_deep_begin(work, FAILURE_SIDE_MAIN, hashes);
    theirs = scan_deep_begin(work, FAILURE_SIDE_FOLLOWER,
                             hashes == NULL ? NULL : &hashes[1]);
    scan_deep_wait(work, hashes, ours, theirs);

    return scan_deep_end(work, FAILURE_SIDE_MAIN, hashes, ours, &deep->ours)
           == WORK_DONE
           ? scan_deep_end(work, FAILURE_SIDE_FOLLOWER,
                           hashes == NULL ? NULL : &hashes[1], theirs,
                           &deep->theirs)
           : WORK_FAILED;
}


/* ---- what they say ---- */


static bool
scan_deep_same_content(work_t *work, const scan_deep_t *deep)
{
    const object_t  *ours, *theirs;

    ours = &deep->ours.object;
    theirs = &deep->theirs.object;

    if (deep->ours.is_hashed) {
        return ours->size == theirs->size
               && memcmp(deep->ours.sha256, deep->theirs.sha256,
                         CHORUS_SHA256_LEN) == 0;
    }

    return object_same_content(ours, theirs)
           || twin_is_known(work, ours, theirs);
}


static work_rc_t
scan_deep_tags(work_t *work, scan_deep_t *deep)
{
    s3_request_t  subject;

    if (deep->ours.object.ntags != 0) {
        subject = work_request(work, FAILURE_SIDE_MAIN, "GET", NULL);
        if (tags_get(work, FAILURE_SIDE_MAIN, &subject, &deep->ours.tags)
            != WORK_DONE)
        {
            return WORK_FAILED;
        }
    }

    if (deep->theirs.object.ntags != 0) {
        subject = work_request(work, FAILURE_SIDE_FOLLOWER, "GET", NULL);
        if (tags_get(work, FAILURE_SIDE_FOLLOWER, &subject,
                     &deep->theirs.tags) != WORK_DONE)
        {
            return WORK_FAILED;
        }
    }

    if (!tags_same(&deep->ours.tags, &deep->theirs.tags)) {
        deep->differs |= SCAN_DEEP_TAGS;
    }

    return WORK_DONE;
}


static work_rc_t
scan_deep_acl(work_t *work, scan_deep_t *deep)
{
    s3_request_t  subject;

    subject = work_request(work, FAILURE_SIDE_MAIN, "GET", NULL);

    if (acl_read(work, &subject) != WORK_DONE) {
        return WORK_FAILED;
    }

    subject = work_request(work, FAILURE_SIDE_FOLLOWER, "GET", NULL);

    if (acl_compare(work, &subject, &deep->acl) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (deep->acl.is_known && !deep->acl.is_same) {
        deep->differs |= SCAN_DEEP_ACL;
    }

    return WORK_DONE;
}


static void
scan_deep_headers(work_t *work, scan_deep_t *deep)
{
    unsigned  headers;

    headers = compare_headers(work, &deep->ours.object,
                              &deep->theirs.object);

    if (headers & COMPARE_METADATA) {
        deep->differs |= SCAN_DEEP_METADATA;
    }

    if (headers & COMPARE_CLASS) {
        deep->differs |= SCAN_DEEP_CLASS;
    }

    if (headers & COMPARE_CHECKSUM) {
        deep->differs |= SCAN_DEEP_CHECKSUM;
    }

    if (work->main->has_object_lock && work->follower->has_object_lock
        && !lock_same(&deep->ours.object.lock, &deep->theirs.object.lock))
    {
        deep->differs |= SCAN_DEEP_LOCK;
    }
}


work_rc_t
scan_deep(work_t *work, queue_scan_level_t level, scan_hash_t *hashes,
    scan_deep_t *deep)
{
    memset(deep, 0, sizeof(scan_deep_t));

    if (scan_deep_objects(work, level == QUEUE_SCAN_CONTENT ? hashes : NULL,
                          deep) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (!deep->ours.is_there || !deep->theirs.is_there) {
        deep->differs = SCAN_DEEP_EXISTENCE;
        return WORK_DONE;
    }

    if (!scan_deep_same_content(work, deep)) {
        deep->differs = SCAN_DEEP_CONTENT;
    }

    if (level == QUEUE_SCAN_QUICK) {
        return WORK_DONE;
    }

    scan_deep_headers(work, deep);

    return scan_deep_tags(work, deep) == WORK_DONE
           ? scan_deep_acl(work, deep) : WORK_FAILED;
}
