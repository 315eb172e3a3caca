#ifndef _GNU_SOURCE
#define _GNU_SOURCE                     /* memmem() */
#endif

#include <stdio.h>
#include <string.h>

#include "chorus_s3_xml.h"
#include "clock.h"
#include "leftovers.h"

#define LEFTOVERS_ABORT_MS    3000
#define LEFTOVERS_QUERY_SIZE  2048
/* pages of 20 uploads stay below the bound of an answer, whatever the key */
#define LEFTOVERS_PAGE        "20"


static bool
leftovers_in_time(void *data)
{
    int64_t  *until_ms = data;

    return clock_ms() < *until_ms;
}


static const s3_response_t *
leftovers_delete(work_t *work, chorus_str_t upload_id)
{
    char          query[LEFTOVERS_QUERY_SIZE];
    s3_request_t  request;

    (void) snprintf(query, sizeof(query), "uploadId=%.*s",
                    chorus_fmt(upload_id));

    request = work_request(work, FAILURE_SIDE_FOLLOWER, "DELETE", query);

    return s3_client_call(work->client, S3_LANE_SIDE, &request);
}


void
leftovers_abort(work_t *work, chorus_str_t upload_id)
{
    int64_t  until_ms;

    until_ms = clock_ms() + LEFTOVERS_ABORT_MS;

    s3_client_watch(work->client, leftovers_in_time, &until_ms);

    if (!s3_response_is_success(leftovers_delete(work, upload_id))) {
        work_log(work, LOG_INFO, "a multipart upload could not be aborted");
    }

    work_watch(work);
}


/* One <Upload>: is it of our key? */

static void
leftovers_consider(work_t *work, chorus_str_t upload)
{
    chorus_buf_t  buf;
    chorus_str_t  raw, key, id;

    raw = chorus_xml_text(work->mem, upload, "Key");
    id = chorus_xml_text(work->mem, upload, "UploadId");

    if (id.len == 0 || !chorus_uri_decode(work->mem, raw, &key)
        || !chorus_str_eq(key, work->task->key))
    {
        return;
    }

    buf = chorus_buf(work->mem, 3 * id.len + 1);
    chorus_uri_encode(&buf, id, false);

    if (buf.failed || buf.len > LEFTOVERS_QUERY_SIZE / 2) {
        return;
    }

    work_log(work, LOG_INFO, "aborting a left-over multipart upload");
    (void) leftovers_delete(work, chorus_buf_str(&buf));
}


static void
leftovers_consider_all(work_t *work, chorus_str_t body)
{
    const char    *begin, *end, *limit;
    chorus_str_t   upload;

    if (body.data == NULL) {
        return;
    }

    begin = body.data;
    limit = body.data + body.len;

    for ( ;; ) {
        begin = memmem(begin, (size_t) (limit - begin), "<Upload>", 8);
        if (begin == NULL) {
            return;
        }

        end = memmem(begin, (size_t) (limit - begin), "</Upload>", 9);
        if (end == NULL) {
            return;
        }

        end += 9;
        upload = (chorus_str_t) { begin, (size_t) (end - begin) };
        leftovers_consider(work, upload);
        begin = end;
    }
}


void
leftovers_abort_all(work_t *work)
{
    chorus_buf_t          query;
    chorus_str_t          body;
    s3_request_t          list;
    const s3_response_t  *response;

    query = chorus_buf(work->mem, 3 * work->task->key.len + 64);
    chorus_buf_text(&query, "uploads&encoding-type=url&max-uploads="
                            LEFTOVERS_PAGE "&prefix=");
    chorus_uri_encode(&query, work->task->key, false);
    chorus_buf_char(&query, '\0');

    if (query.failed) {
        return;
    }

    list = work_bucket_request(work, FAILURE_SIDE_FOLLOWER, "GET",
                               query.data);
    response = s3_client_call(work->client, S3_LANE_SIDE, &list);

    /* a follower that cannot list them is none the worse for it */
    if (s3_response_is(response, 200)) {
        body = chorus_str_dup(work->mem, chorus_buf_str(&response->body));
        leftovers_consider_all(work, body);
    }
}
