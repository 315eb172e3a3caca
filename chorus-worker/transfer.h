/*
 * GET from main into PUT to the follower, through the stream.
 */

#ifndef TRANSFER_H
#define TRANSFER_H

#include "work.h"


/* Begins a GET of which 2xx bodies go into the stream.  Returns when the head
 * is here (2xx) or all of the answer (anything else). */
const s3_response_t *transfer_open(work_t *work, const s3_request_t *get);

/* Reads on until everything is in the ring or the ring is full. */
void transfer_fill(work_t *work, const s3_response_t *source);

/* What the body's MD5 must be, or NULL; only then it counts as whole. */
typedef struct {
    bool           is_known;
    unsigned char  md5[CHORUS_MD5_LEN];
} transfer_md5_t;

/* Sends what transfer_open() began.  WORK_DONE: *answer is the follower's 2xx
 * answer, and stream->md5 the MD5 of what it got.  WORK_FAILED: the cause is
 * in work->failure, *answer is the follower's refusal if it was one, else
 * NULL. */
work_rc_t transfer_send(work_t *work, const s3_response_t *source,
    const transfer_md5_t *md5, s3_request_t *put, const char *what,
    const s3_response_t **answer);

/* Drops the GET if it still runs. */
void transfer_close(work_t *work);


#endif
