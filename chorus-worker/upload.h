/*
 * A multipart upload of ours on the follower: begun, written down in Redis so
 * that the next worker can go on with it or end it, completed or aborted.
 *
 * Only what is written down is ours.  What else a follower has of uploads may
 * be a client's and is left alone.
 */

#ifndef UPLOAD_H
#define UPLOAD_H

#include "parts.h"
#include "work.h"


typedef struct {
    chorus_str_t  id;           /* encoded for a query */
    bool          is_sealed;    /* the follower's ETags are no MD5 */
    bool          is_resumed;   /* it may have parts already */
    chorus_str_t  record;       /* as Redis has it */
} upload_t;


/*
 * Goes on with the upload that the task came with, when it is of the same
 * object, the same headers and the same layout, or else aborts that one and
 * begins another.  `layout` is what tells one way to cut the object from
 * another; NULL: never to be gone on with.
 */
work_rc_t upload_begin(work_t *work, const object_t *object,
    bool is_by_number, const char *layout, upload_t *upload);

/* What the follower has of a resumed upload, as done parts.  WORK_FAILED with
 * kind FAILURE_AGAIN: it has forgotten it. */
work_rc_t upload_list(work_t *work, const upload_t *upload, parts_t *parts);

/* The follower's answer; never NULL. */
const s3_response_t *upload_complete(work_t *work, const upload_t *upload,
    chorus_str_t xml);

/* It is completed, or the follower does not know it: forgets it. */
void upload_over(work_t *work, const upload_t *upload);
/* Ends it, as well as it can be done in a few seconds; also when the task was
 * stopped. */
void upload_abort(work_t *work, const upload_t *upload);

/* Whether a failed task had better go on with it the next time. */
bool upload_is_kept(const work_t *work);

/* Aborts the upload that the task came with, if it still has one: for whoever
 * makes the key equal in another way. */
void upload_abandon(work_t *work);

/* Says in the log what uploads of the key are not ours. */
void upload_look_around(work_t *work);


#endif
