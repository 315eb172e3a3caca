/*
 * One request kept to the limits of its storage: it waits before it starts,
 * and its bytes wait, those of an answer to GET and those of a body to send.
 *
 * An answer comes before anybody can hold it up.  So what an answer has,
 * about, is taken ahead of the request, and of a long one always as much as
 * sockets and buffers hold.
 */

#ifndef S3_PACE_H
#define S3_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "rate.h"


typedef struct {
    rate_wait_t    wait;
    chorus_str_t   storage;
    bool           has_answer;      /* whose bytes count */
    bool           is_waiting;
    bool           is_for_request;  /* what it waits for, if not for bytes */
    bool           has_told;        /* how long the answer is */
    uint64_t       ahead;           /* bytes paid before they are seen */
    uint64_t       paid;
    uint64_t       taken;
    int64_t        credit;          /* bytes that may be sent */
    int64_t        credit_until_us;
} s3_pace_t;


void s3_pace_begin(s3_pace_t *pace, CURLM *multi, chorus_str_t storage,
    bool has_answer);
void s3_pace_end(s3_pace_t *pace);

/* Each: false, or 0, sets is_waiting, to be asked again at s3_pace_next_us().
 */
bool s3_pace_may_start(s3_pace_t *pace);
/* `len` more bytes of an answer of `total`, UINT64_MAX when unknown. */
bool s3_pace_may_take(s3_pace_t *pace, size_t len, uint64_t total);
/* They were taken. */
void s3_pace_took(s3_pace_t *pace, size_t len);
/* How many bytes may be sent. */
size_t s3_pace_may_send(s3_pace_t *pace, size_t size);
void s3_pace_sent(s3_pace_t *pace, size_t len);

/* RATE_NEVER when it does not wait. */
int64_t s3_pace_next_us(const s3_pace_t *pace);


#endif
