#include <string.h>

#include "health.h"
#include "transfer.h"

/* bytes a follower took: it is alive */
#define TRANSFER_SIGN_OF_LIFE  (256 * 1024)


const s3_response_t *
transfer_open(work_t *work, const s3_request_t *get)
{
    s3_request_t          request;
    const s3_response_t  *source;

    request = *get;
    request.write = stream_write;
    request.data = work->stream;

    source = s3_client_start(work->client, S3_LANE_SOURCE, &request);

    while (!source->is_done
           && !(source->has_headers && source->status / 100 == 2))
    {
        s3_client_step(work->client);
    }

    /* left unknown, the end of the body can not be recognized: an error */
    (void) s3_response_length(source, &work->stream->expected);

    return source;
}


void
transfer_fill(work_t *work, const s3_response_t *source)
{
    while (!source->is_done && !work->stream->is_source_paused) {
        s3_client_step(work->client);
    }
}


void
transfer_close(work_t *work)
{
    s3_client_end(work->client, S3_LANE_SOURCE);
}


static void
transfer_remember_md5(work_t *work, const s3_response_t *source)
{
    work->has_seen_md5 = true;
    work->seen_etag = chorus_str_dup(work->mem, s3_response_etag(source));
    memcpy(work->seen_md5, work->stream->md5, CHORUS_MD5_LEN);
}


/* The GET has ended: was it good? */

static work_rc_t
transfer_check_source(work_t *work, const s3_response_t *source,
    const transfer_md5_t *md5)
{
    stream_t  *stream;

    stream = work->stream;

    if (stream->has_failed) {
        return work_fail_here(work, "MD5 failed");
    }

    if (!s3_response_is_success(source)) {
        return work_fail(work, FAILURE_SIDE_MAIN, "GET object", source);
    }

    if (!stream_end_source(stream)) {
        failure_set(&work->failure, FAILURE_SOON, FAILURE_SIDE_MAIN,
                    "TruncatedBody", "GET object on main: %llu bytes came "
                    "of %llu", (unsigned long long) stream->received,
                    (unsigned long long) stream->expected);
        return WORK_FAILED;
    }

    if (md5->is_known
        && memcmp(stream->md5, md5->md5, CHORUS_MD5_LEN) != 0)
    {
        /* damaged on the way, or an ETag that is no MD5 of the content: a
         * second reading tells */
        transfer_remember_md5(work, source);
        failure_set(&work->failure, FAILURE_AGAIN, FAILURE_SIDE_MAIN,
                    "EtagMismatch", "GET object on main: the MD5 of the "
                    "bytes is not the ETag");
        return WORK_FAILED;
    }

    stream->is_whole = true;

    return WORK_DONE;
}


/* Between two steps: what has one end got for the other? */

static work_rc_t
transfer_pump(work_t *work, const s3_response_t *source,
    const transfer_md5_t *md5)
{
    stream_t  *stream;

    stream = work->stream;

    if (source->is_done && !stream->is_whole
        && transfer_check_source(work, source, md5) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (stream_wants_source(stream)) {
        stream->is_source_paused = false;
        s3_client_resume(work->client, S3_LANE_SOURCE);
    }

    if (stream_wants_sink(stream)) {
        stream->is_sink_paused = false;
        s3_client_resume(work->client, S3_LANE_SINK);
    }

    return WORK_DONE;
}


static work_rc_t
transfer_run(work_t *work, const s3_response_t *source,
    const transfer_md5_t *md5, const s3_response_t *sink)
{
    uint64_t  sent;

    sent = 0;

    while (!sink->is_done) {
        if (transfer_pump(work, source, md5) != WORK_DONE) {
            return WORK_FAILED;
        }

        s3_client_step(work->client);

        if (work->stream->sent - sent >= TRANSFER_SIGN_OF_LIFE) {
            sent = work->stream->sent;
            health_progress(work->follower->name);
        }
    }

    return WORK_DONE;
}


work_rc_t
transfer_send(work_t *work, const s3_response_t *source,
    const transfer_md5_t *md5, s3_request_t *put, const char *what,
    const s3_response_t **answer)
{
    const s3_response_t  *sink;

    *answer = NULL;

    if (work->stream->expected == UINT64_MAX) {
        failure_set(&work->failure, FAILURE_SLOW, FAILURE_SIDE_MAIN,
                    "NoLength", "GET object on main: no Content-Length");
        transfer_close(work);
        return WORK_FAILED;
    }

    put->read = stream_read;
    put->rewind = stream_rewind;
    put->body_len = work->stream->expected;
    put->data = work->stream;

    sink = s3_client_start(work->client, S3_LANE_SINK, put);

    if (transfer_run(work, source, md5, sink) != WORK_DONE) {
        /* ends short of its length: the follower changes nothing */
        s3_client_end(work->client, S3_LANE_SINK);
        transfer_close(work);
        return WORK_FAILED;
    }

    transfer_close(work);

    if (!s3_response_is_success(sink)) {
        *answer = sink;
        return work_fail(work, FAILURE_SIDE_FOLLOWER, what, sink);
    }

    if (!work->stream->is_whole) {
        /* success without having got everything: not an S3 storage */
        failure_set(&work->failure, FAILURE_SOON, FAILURE_SIDE_FOLLOWER,
                    "EarlyAnswer", "%s on follower: HTTP %u before the end "
                    "of the body", what, sink->status);
        return WORK_FAILED;
    }

    *answer = sink;

    return WORK_DONE;
}
