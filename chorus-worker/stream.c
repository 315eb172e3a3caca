#include <stdlib.h>
#include <string.h>

#include "s3_client.h"
#include "stream.h"

/* bytes that make it worth waking a paused transfer; few for the sink, so
 * that a slow main does not leave the follower waiting for long */
#define STREAM_WAKE_SOURCE  (STREAM_SIZE / 4)
#define STREAM_WAKE_SINK    (16 * 1024)


bool
stream_open(stream_t *stream)
{
    memset(stream, 0, sizeof(stream_t));

    /* pages are touched as objects need them */
    stream->ring = malloc(STREAM_SIZE);
    stream->running = chorus_digest_create(CHORUS_DIGEST_MD5);

    return stream->ring != NULL && stream->running != NULL;
}


void
stream_close(stream_t *stream)
{
    if (stream->running != NULL) {
        chorus_digest_destroy(stream->running);
    }

    free(stream->ring);
}


bool
stream_begin(stream_t *stream, const task_t *task)
{
    stream->head = 0;
    stream->len = 0;
    stream->expected = UINT64_MAX;
    stream->received = 0;
    stream->sent = 0;
    stream->is_whole = false;
    stream->is_held = false;
    stream->is_source_paused = false;
    stream->is_sink_paused = false;
    stream->has_failed = false;
    stream->probe = NULL;
    stream->probe_offset = 0;
    stream->task = task;

    return chorus_digest_begin(stream->running);
}


static void
stream_copy_in(stream_t *stream, const char *bytes, size_t len)
{
    size_t  tail, first;

    tail = (stream->head + stream->len) % STREAM_SIZE;
    first = STREAM_SIZE - tail;
    if (first > len) {
        first = len;
    }

    memcpy(stream->ring + tail, bytes, first);
    memcpy(stream->ring, bytes + first, len - first);
    stream->len += len;
}


size_t
stream_write(void *data, const char *bytes, size_t len)
{
    stream_t      *stream = data;
    chorus_str_t   piece;

    if (stream->is_held || len > STREAM_SIZE - stream->len) {
        stream->is_source_paused = true;
        return S3_PAUSE;
    }

    piece = (chorus_str_t) { bytes, len };

    if (!chorus_digest_update(stream->running, piece)
        || (stream->probe != NULL
            && !layout_probe_feed(stream->probe, stream->probe_offset
                                  + stream->received, piece)))
    {
        stream->has_failed = true;
        return S3_ABORT;
    }

    stream_copy_in(stream, bytes, len);
    stream->received += len;

    return len;
}


/* how many bytes the sink may have now */

static size_t
stream_available(const stream_t *stream)
{
    uint64_t  left;

    left = stream->expected - stream->sent;
    if (!stream->is_whole) {
        left--;
    }

    return stream->len < left ? stream->len : (size_t) left;
}


size_t
stream_read(void *data, char *out, size_t size)
{
    size_t     n, first;
    stream_t  *stream = data;

    if (stream->sent == stream->expected) {
        return 0;
    }

    if (!task_is_alive(stream->task)) {
        return S3_ABORT;
    }

    n = stream_available(stream);
    if (n == 0) {
        stream->is_sink_paused = true;
        return S3_PAUSE;
    }

    n = n < size ? n : size;
    first = STREAM_SIZE - stream->head;
    first = first < n ? first : n;

    memcpy(out, stream->ring + stream->head, first);
    memcpy(out + first, stream->ring, n - first);

    stream->head = (stream->head + n) % STREAM_SIZE;
    stream->len -= n;
    stream->sent += n;

    return n;
}


/* nothing was overwritten as long as all that came fits into the ring */

bool
stream_rewind(void *data)
{
    stream_t  *stream = data;

    if (stream->received > STREAM_SIZE) {
        return stream->sent == 0;
    }

    stream->head = 0;
    stream->len = (size_t) stream->received;
    stream->sent = 0;
    stream->is_sink_paused = false;

    return true;
}


bool
stream_end_source(stream_t *stream)
{
    if (stream->received != stream->expected
        || !chorus_digest_end(stream->running, stream->md5))
    {
        return false;
    }

    return true;
}


bool
stream_wants_source(const stream_t *stream)
{
    return stream->is_source_paused
           && STREAM_SIZE - stream->len >= STREAM_WAKE_SOURCE;
}


bool
stream_wants_sink(const stream_t *stream)
{
    return stream->is_sink_paused
           && (stream->is_whole
               || stream_available(stream) >= STREAM_WAKE_SINK);
}
