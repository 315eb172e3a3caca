/*
 * ACLs of objects and buckets.
 *
 * A new object has the default ACL, and main's is nearly always the default
 * as well, or one that has a name (public-read), which can travel on the
 * request that writes the content.  So a copy costs one more request, the
 * GET ?acl on main; only grants to single users cost a GET and a PUT on the
 * follower besides.
 *
 * Main's ACL is read after its content was begun to be read: content never
 * gets an ACL from before that content.
 */

#ifndef ACL_H
#define ACL_H

#include "headers.h"
#include "work.h"


/*
 * GET ?acl of `subject` on main, into work->acl.  A storage without ACLs, on
 * either side, leaves it unknown, which is no failure; neither is a refusal,
 * which the functions below report when the content is safe.  A 404 fails
 * with AGAIN.
 */
work_rc_t acl_read(work_t *work, const s3_request_t *subject);

/* For a request that writes an object: x-amz-acl, where that says it all. */
void acl_add_header(work_t *work, headers_t *headers);

/* The follower refused a request with that header.  true: without it, the
 * same request is worth another try. */
bool acl_is_to_blame(work_t *work, const s3_response_t *answer);

/* After a write with those headers: what they could not say. */
work_rc_t acl_finish(work_t *work);

/* acl_compare(), and PUT where it differs, which sets *is_changed. */
work_rc_t acl_make_equal(work_t *work, const s3_request_t *subject,
    bool *is_changed);

/* Of what was there before: main's as the follower is to have it, and what it
 * has, in its own ids.  Without is_known there is nothing to compare. */
typedef struct {
    bool          is_known;
    bool          is_same;
    chorus_acl_t  wanted;
    chorus_acl_t  theirs;
} acl_pair_t;

/* After acl_read(): GET ?acl of `subject` on the follower. */
work_rc_t acl_compare(work_t *work, const s3_request_t *subject,
    acl_pair_t *pair);

/* Whether the follower has the bucket and it is the user's own; false as well
 * when that cannot be told. */
bool acl_owns_bucket(work_t *work);


#endif
