/*
 * An object's content, with all that travels on the same request.
 */

#ifndef CONTENT_H
#define CONTENT_H

#include "chorus_s3_xml.h"
#include "headers.h"
#include "work.h"

/* Below it a GET and a PUT cost less than looking first. */
#define CONTENT_LARGE  (8 * 1024 * 1024)


/* GET main; 200: follower gets it, 404: follower loses it, else: doubt. */
work_rc_t content_sync(work_t *work, task_outcome_t *outcome);

/* Appends that version of main's key to the follower's history, whatever that
 * has; work->made_version is its id there.  `source`: a version there that has
 * its content already, or the null string.  work->is_acl_left: all but the ACL,
 * whose refusal is in work->failure. */
work_rc_t content_copy_version(work_t *work, chorus_str_t id,
    chorus_str_t source);

/* What the follower's refusal of a write asks for: its bucket is made, or what
 * it does not have, or the ACL, is left out next time.  Changes work->failure
 * accordingly; returns WORK_FAILED. */
work_rc_t content_refused(work_t *work, const s3_response_t *answer);

/* The tags that were too long for a header. */
work_rc_t content_put_tags_left(work_t *work, const headers_t *headers,
    const chorus_tagging_t *tags);


#endif
