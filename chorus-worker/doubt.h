/*
 * Whether a request may still change a follower although we are done with it:
 * it was sent in full, and nobody has said what became of it.  A storage may
 * carry it out later than requests that were sent later.
 */

#ifndef DOUBT_H
#define DOUBT_H

#include <stdbool.h>

#include "s3_client.h"

/* What may change, as chorus_done, chorus_fail and chorus_release take it. */
#define DOUBT_KEY     1
#define DOUBT_BUCKET  2


typedef struct {
    unsigned  what;             /* DOUBT_*; 0: the request changes nothing */
    bool      is_sent;          /* in full, this time */
    bool      was_sent;         /* in full, an earlier time */
} doubt_t;


void doubt_begin(doubt_t *doubt, const s3_request_t *request);

/* It goes out, perhaps for the second time: curl does so by itself when a
 * kept connection ends under it. */
void doubt_attempt(doubt_t *doubt);

/* The last byte was given away. */
void doubt_sent(doubt_t *doubt);

/* DOUBT_* after the end of the request. */
unsigned doubt_left(const doubt_t *doubt, const s3_response_t *response);


#endif
