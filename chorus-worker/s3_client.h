/*
 * An S3 client for one slot: signs, sends, reads.  Requests run on lanes, one
 * at a time on each, all on one curl multi handle, so that a GET from main
 * and a PUT to a follower go on together in one thread, and connections are
 * kept for the next request.
 */

#ifndef S3_CLIENT_H
#define S3_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chorus_config.h"
#include "s3_response.h"

#define S3_PAUSE  ((size_t) -1)
#define S3_ABORT  ((size_t) -2)


typedef enum {
    S3_LANE_SOURCE = 0,     /* an object being read */
    S3_LANE_SINK,           /* an object being written */
    S3_LANE_SIDE,           /* small requests beside them */
    S3_LANE_LIST_OURS,      /* listings, which are read ahead */
    S3_LANE_LIST_THEIRS,
    S3_NLANES
} s3_lane_t;

typedef struct s3_client_s  s3_client_t;

/* Body of the answer: returns len, or S3_PAUSE to get the same bytes again
 * after s3_client_resume(), or S3_ABORT. */
typedef size_t (*s3_write_pt)(void *data, const char *bytes, size_t len);
/* Body of the request: bytes put into out, or S3_PAUSE, or S3_ABORT. */
typedef size_t (*s3_read_pt)(void *data, char *out, size_t size);
/* Back to the first byte; false when those bytes are gone. */
typedef bool (*s3_rewind_pt)(void *data);

typedef struct {
    const char                 *method;
    const chorus_storage_t     *storage;
    const chorus_credential_t  *credential;
    chorus_str_t                bucket;
    chorus_str_t                key;            /* empty: the bucket */
    const char                 *query;          /* encoded, or NULL */
    const chorus_header_t      *headers;        /* beside the usual ones */
    size_t                      nheaders;
    chorus_str_t                body;           /* small and in memory ... */
    s3_read_pt                  read;           /* ... or from here */
    s3_rewind_pt                rewind;
    uint64_t                    body_len;       /* what read() will give */
    s3_write_pt                 write;          /* 2xx only; NULL: kept */
    void                       *data;           /* of the three above */
    unsigned                    stall_seconds;  /* 0: the usual 30 */
} s3_request_t;

/* false: drop what you do. */
typedef bool (*s3_alive_pt)(void *data);


/* NULL when out of memory. */
s3_client_t *s3_client_create(void);
void s3_client_destroy(s3_client_t *client);

/* Whose word ends all requests, and whose keeps one from being sent (NULL:
 * nobody's), also one that waits for a limit. */
void s3_client_watch(s3_client_t *client, s3_alive_pt alive,
    s3_alive_pt may_begin, void *data);

/* Begins a request on the lane, which ends the one before on that lane.  The
 * response lives until the next request on the lane and is never NULL. */
const s3_response_t *s3_client_start(s3_client_t *client, s3_lane_t lane,
    const s3_request_t *request);

/* Waits for the network and does what can be done on all lanes. */
void s3_client_step(s3_client_t *client);

/* After S3_PAUSE. */
void s3_client_resume(s3_client_t *client, s3_lane_t lane);

/* Drops the request on the lane, and its connection when it was not done. */
void s3_client_end(s3_client_t *client, s3_lane_t lane);

/* What the requests since the last call may still do to a follower: DOUBT_*
 * of doubt.h. */
unsigned s3_client_take_doubts(s3_client_t *client);

/* Start, and steps until it is done. */
const s3_response_t *s3_client_call(s3_client_t *client, s3_lane_t lane,
    const s3_request_t *request);


#endif
