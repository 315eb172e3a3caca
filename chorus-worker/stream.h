/*
 * The bytes of an object on their way from main to a follower: a ring of a
 * fixed size between two curl transfers in one thread.
 *
 * The last byte is held back until all bytes came from main, have the right
 * MD5 and the lease still holds: a PUT that ends short of its length changes
 * nothing on the follower.
 */

#ifndef STREAM_H
#define STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chorus_crypto.h"
#include "layout.h"
#include "task.h"

#define STREAM_SIZE  (1024 * 1024)


typedef struct {
    char            *ring;              /* STREAM_SIZE */
    size_t           head;              /* of the first byte not sent */
    size_t           len;
    uint64_t         expected;          /* bytes main announced */
    uint64_t         received;
    uint64_t         sent;
    bool             is_whole;          /* received, and found good */
    bool             is_held;           /* takes nothing for the moment */
    bool             is_source_paused;
    bool             is_sink_paused;
    bool             has_failed;        /* OpenSSL did */
    chorus_digest_t  *running;
    unsigned char    md5[CHORUS_MD5_LEN];   /* once all is received */
    layout_probe_t  *probe;             /* fed as well, or NULL */
    uint64_t         probe_offset;      /* of our first byte in the object */
    const task_t    *task;
} stream_t;


bool stream_open(stream_t *stream);     /* once, by the slot */
void stream_close(stream_t *stream);

/* For the next body. */
bool stream_begin(stream_t *stream, const task_t *task);

/* Callbacks of s3_client: `data` is the stream. */
size_t stream_write(void *data, const char *bytes, size_t len);
size_t stream_read(void *data, char *out, size_t size);
bool stream_rewind(void *data);

/* Computes md5; false when bytes are missing. */
bool stream_end_source(stream_t *stream);

/* Whether a paused end has enough to do to be worth waking. */
bool stream_wants_source(const stream_t *stream);
bool stream_wants_sink(const stream_t *stream);


#endif
