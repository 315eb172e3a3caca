/*
 * Part after part: a ranged GET from main (If-Match its ETag, so that all
 * parts are of one object) into an UploadPart.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checksum.h"
#include "headers.h"
#include "part.h"
#include "transfer.h"

#define PART_TRIES       3
#define PART_QUERY_SIZE  2048


/* One attempt at a part. */
typedef struct {
    const parts_t      *parts;
    work_t             *work;
    part_t             *part;
    unsigned            number;
    object_checksum_t   checksum;
    bool                has_gaps;
} sending_t;


/* "\"etag\"" */

static chorus_str_t
part_if_match(const sending_t *s)
{
    chorus_buf_t  buf;

    buf = chorus_buf(s->work->mem, s->parts->object->etag.len + 2);
    chorus_buf_char(&buf, '"');
    chorus_buf_add(&buf, s->parts->object->etag);
    chorus_buf_char(&buf, '"');

    return chorus_buf_str(&buf);
}


/* Begins to read the part; NULL when main does not give it. */

static const s3_response_t *
part_open(sending_t *s)
{
    char                  query[64], range[64];
    bool                  is_by_number, is_range;
    work_t               *work;
    s3_request_t          get;
    chorus_header_t       headers[2];
    const s3_response_t  *source;

    work = s->work;
    is_by_number = s->parts->plan->sizes == NULL;
    is_range = !is_by_number && s->parts->plan->nparts > 1;

    (void) snprintf(query, sizeof(query), "partNumber=%u", s->number);
    (void) snprintf(range, sizeof(range), "bytes=%" PRIu64 "-%" PRIu64,
                    s->part->offset, s->part->offset + s->part->size - 1);

    headers[0] = (chorus_header_t) { chorus_str("If-Match"),
                                     part_if_match(s) };
    headers[1] = is_range ? (chorus_header_t) { chorus_str("Range"),
                                                chorus_str_from(range) }
                          : checksum_ask;

    get = work_request(work, FAILURE_SIDE_MAIN, "GET",
                       is_by_number ? query : NULL);
    get.headers = headers;
    get.nheaders = is_range || parts_have_checksums(s->parts) ? 2 : 1;

    source = transfer_open(work, &get);

    if (!source->has_headers
        || (source->status != 206 && (is_range || source->status != 200)))
    {
        (void) work_fail(work, FAILURE_SIDE_MAIN, "GET part", source);
        s->has_gaps = is_by_number && source->status == 416;
        if (s->has_gaps || s3_response_is_gone(source)) {
            work->failure.kind = FAILURE_AGAIN;
        }
        return NULL;
    }

    if (!is_by_number && work->stream->expected != s->part->size) {
        failure_set(&work->failure, FAILURE_SOON, FAILURE_SIDE_MAIN,
                    "BadRange", "GET part on main: %" PRIu64 " bytes instead "
                    "of %" PRIu64, work->stream->expected, s->part->size);
        return NULL;
    }

    if (!checksum_read(&s->checksum, work->mem, source)) {
        (void) work_fail_here(work, "out of memory");
        return NULL;
    }

    return source;
}


static bool
part_keep_text(char *out, size_t size, chorus_str_t text)
{
    if (text.len >= size) {
        return false;
    }

    if (text.len != 0) {
        memcpy(out, text.data, text.len);
    }

    out[text.len] = '\0';

    return true;
}


/* The follower's ETag of a part is the MD5 of what it stored. */

static work_rc_t
part_note(sending_t *s, const s3_response_t *answer)
{
    work_t         *work;
    chorus_str_t    etag;
    unsigned char   md5[CHORUS_MD5_LEN];

    work = s->work;
    etag = s3_response_etag(answer);

    if (!s->parts->is_sealed && !object_is_sealed(answer)
        && (!object_etag_is_md5(etag, md5)
            || memcmp(md5, work->stream->md5, CHORUS_MD5_LEN) != 0))
    {
        failure_set(&work->failure, FAILURE_SOON, FAILURE_SIDE_FOLLOWER,
                    "EtagMismatch", "UploadPart on follower: its ETag is "
                    "\"%.*s\"", chorus_fmt(etag));
        return WORK_FAILED;
    }

    if (!part_keep_text(s->part->etag, sizeof(s->part->etag), etag)
        || !part_keep_text(s->part->checksum, sizeof(s->part->checksum),
                           s->checksum.value))
    {
        failure_set(&work->failure, FAILURE_SLOW, FAILURE_SIDE_FOLLOWER,
                    "BadAnswer", "UploadPart: an ETag or a checksum that is "
                    "too long");
        return WORK_FAILED;
    }

    s->part->checksum_row = s->checksum.row;
    s->part->size = work->stream->received;
    memcpy(s->part->md5, work->stream->md5, CHORUS_MD5_LEN);

    return WORK_DONE;
}


static work_rc_t
part_try(sending_t *s)
{
    char                  query[PART_QUERY_SIZE];
    work_t               *work;
    headers_t             headers = { .n = 0 };
    s3_request_t          put;
    transfer_md5_t        any = { .is_known = false };
    const s3_response_t  *source, *answer;

    work = s->work;

    if (!stream_begin(work->stream, work->task)) {
        return work_fail_here(work, "MD5 failed");
    }

    work->stream->probe = s->parts->is_in_order ? work->probe : NULL;
    work->stream->probe_offset = s->part->offset;

    source = part_open(s);
    if (source == NULL) {
        transfer_close(work);
        return WORK_FAILED;
    }

    (void) snprintf(query, sizeof(query), "partNumber=%u&uploadId=%.*s",
                    s->number, chorus_fmt(s->parts->upload_id));

    put = work_request(work, FAILURE_SIDE_FOLLOWER, "PUT", query);

    if (parts_have_checksums(s->parts)) {
        checksum_add(work, &headers, &s->checksum);
        put.headers = headers.list;
        put.nheaders = headers.n;
    }

    if (transfer_send(work, source, &any, &put, "UploadPart", &answer)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    return part_note(s, answer);
}


/* A part may fail without all of a large object being sent again. */

work_rc_t
part_send(const parts_t *parts, work_t *work, part_t *part, unsigned number,
    bool *has_gaps)
{
    unsigned   tries;
    sending_t  sending = { .parts = parts, .work = work, .part = part,
                           .number = number };

    *has_gaps = false;

    for (tries = 1; part_try(&sending) != WORK_DONE; tries++) {

        if (tries == PART_TRIES || work->failure.kind != FAILURE_SOON
            || strcmp(work->failure.code, "NoSuchUpload") == 0)
        {
            *has_gaps = sending.has_gaps;
            return WORK_FAILED;
        }

        work_log(work, LOG_INFO, "part=%u sent again: %s", number,
                 work->failure.reason);
    }

    return WORK_DONE;
}
