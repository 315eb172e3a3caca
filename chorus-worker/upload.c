#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "chorus_s3_xml.h"
#include "clock.h"
#include "content.h"
#include "headers.h"
#include "queue_ledger.h"
#include "upload.h"

#define UPLOAD_QUERY_SIZE   2048
#define UPLOAD_ABORT_MS     3000
#define UPLOAD_COMPLETE_S   300         /* S3 assembles large objects slowly */
#define UPLOAD_FORMAT       "1"         /* of the record */


/* "1 <s or -> <fingerprint> <id>" */

static bool
upload_read_record(chorus_str_t record, chorus_str_t *fingerprint,
    upload_t *upload)
{
    chorus_str_t  rest, format, flag;

    rest = record;
    format = chorus_str_cut(&rest, ' ');
    flag = chorus_str_cut(&rest, ' ');
    *fingerprint = chorus_str_cut(&rest, ' ');

    upload->record = record;
    upload->id = rest;
    upload->is_sealed = chorus_str_eq(flag, chorus_str("s"));

    return chorus_str_eq(format, chorus_str(UPLOAD_FORMAT))
           && rest.len != 0 && rest.len <= UPLOAD_QUERY_SIZE / 2;
}


static bool
upload_write_record(work_t *work, chorus_str_t fingerprint, upload_t *upload)
{
    chorus_buf_t  buf;

    buf = chorus_buf(work->mem, upload->id.len + fingerprint.len + 8);
    chorus_buf_text(&buf, UPLOAD_FORMAT " ");
    chorus_buf_text(&buf, upload->is_sealed ? "s " : "- ");
    chorus_buf_add(&buf, fingerprint);
    chorus_buf_char(&buf, ' ');
    chorus_buf_add(&buf, upload->id);

    upload->record = chorus_buf_str(&buf);

    return upload->record.data != NULL;
}


static bool
upload_digest_text(chorus_digest_t *digest, chorus_str_t text)
{
    char  len[32];
    int   n;

    n = snprintf(len, sizeof(len), "%zu:", text.len);

    return chorus_digest_update(digest, (chorus_str_t) { len, (size_t) n })
           && (text.len == 0 || chorus_digest_update(digest, text));
}


/* Of all that an upload depends on: main's object, its layout, and what the
 * upload was begun with.  Null string: OpenSSL failed, or no memory. */

static chorus_str_t
upload_fingerprint(work_t *work, const object_t *object, const char *layout,
    const headers_t *headers)
{
    bool              is_good;
    size_t            i;
    char              size[32];
    chorus_buf_t      hex;
    unsigned char     sha256[CHORUS_SHA256_LEN];
    chorus_digest_t  *digest;

    digest = chorus_digest_create(CHORUS_DIGEST_SHA256);
    if (digest == NULL) {
        return chorus_null_str;
    }

    (void) snprintf(size, sizeof(size), "%" PRIu64, object->size);

    is_good = chorus_digest_begin(digest)
              && upload_digest_text(digest, object->etag)
              && upload_digest_text(digest, chorus_str_from(size))
              && upload_digest_text(digest, chorus_str_from(layout));

    for (i = 0; is_good && i < headers->n; i++) {
        is_good = upload_digest_text(digest, headers->list[i].name)
                  && upload_digest_text(digest, headers->list[i].value);
    }

    is_good = is_good && chorus_digest_end(digest, sha256);
    chorus_digest_destroy(digest);

    if (!is_good) {
        return chorus_null_str;
    }

    hex = chorus_buf(work->mem, 2 * sizeof(sha256));
    chorus_buf_hex(&hex, sha256, sizeof(sha256));

    return chorus_buf_str(&hex);
}


static work_rc_t
upload_initiate(work_t *work, const headers_t *headers, upload_t *upload)
{
    chorus_buf_t          buf;
    chorus_str_t          id;
    s3_request_t          post;
    const s3_response_t  *answer;

    post = work_request(work, FAILURE_SIDE_FOLLOWER, "POST", "uploads");
    post.headers = headers->list;
    post.nheaders = headers->n;

    answer = s3_client_call(work->client, S3_LANE_SIDE, &post);

    if (!s3_response_is_success(answer)) {
        (void) work_fail(work, FAILURE_SIDE_FOLLOWER, "CreateMultipartUpload",
                         answer);
        return content_refused(work, answer);
    }

    upload->is_sealed = object_is_sealed(answer);
    id = chorus_xml_text(work->mem, chorus_buf_str(&answer->body),
                         "UploadId");

    buf = chorus_buf(work->mem, 3 * id.len + 1);
    chorus_uri_encode(&buf, id, false);
    upload->id = chorus_buf_str(&buf);

    if (id.len == 0 || upload->id.len > UPLOAD_QUERY_SIZE / 2) {
        return work_fail(work, FAILURE_SIDE_FOLLOWER,
                         "CreateMultipartUpload", answer);
    }

    return WORK_DONE;
}


/* Before its first part: an upload that nobody knows of has no bytes. */

static work_rc_t
upload_write_down(work_t *work, chorus_str_t fingerprint, upload_t *upload)
{
    bool  is_ours;

    if (upload_write_record(work, fingerprint, upload)
        && queue_ledger_begin(work->task, upload->record, &is_ours))
    {
        if (is_ours) {
            return WORK_DONE;
        }

        failure_set(&work->failure, FAILURE_STOPPED, FAILURE_SIDE_WORKER,
                    "LeaseLost", "the key is somebody else's");

    } else {
        failure_set(&work->failure, FAILURE_SOON, FAILURE_SIDE_WORKER,
                    "NoRedis", "an upload could not be written down");
    }

    upload_abort(work, upload);

    return WORK_FAILED;
}


work_rc_t
upload_begin(work_t *work, const object_t *object, bool is_by_number,
    const char *layout, upload_t *upload)
{
    headers_t         headers;
    chorus_str_t      fingerprint, theirs;
    chorus_tagging_t  later = { NULL, 0 };

    memset(upload, 0, sizeof(upload_t));

    /* RGW 16 loses tags that come with the beginning of an upload */
    if (headers_of_object(work, &headers, object, &later) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (is_by_number) {
        checksum_add_algorithm(work, &headers, &object->checksum);
    }

    fingerprint = upload_fingerprint(work, object,
                                     layout == NULL ? "-" : layout, &headers);

    if (fingerprint.data == NULL) {
        return work_fail_here(work, "SHA256 failed");
    }

    if (layout != NULL && work->task->upload.len != 0
        && upload_read_record(work->task->upload, &theirs, upload)
        && chorus_str_eq(fingerprint, theirs))
    {
        upload->is_resumed = true;
        work->task->upload = chorus_null_str;
        return WORK_DONE;
    }

    upload_abandon(work);
    upload_look_around(work);

    if (upload_initiate(work, &headers, upload) != WORK_DONE) {
        return WORK_FAILED;
    }

    return upload_write_down(work, fingerprint, upload);
}


const s3_response_t *
upload_complete(work_t *work, const upload_t *upload, chorus_str_t xml)
{
    char          query[UPLOAD_QUERY_SIZE];
    s3_request_t  post;

    (void) snprintf(query, sizeof(query), "uploadId=%.*s",
                    chorus_fmt(upload->id));

    post = work_request(work, FAILURE_SIDE_FOLLOWER, "POST", query);
    post.body = xml;
    post.stall_seconds = UPLOAD_COMPLETE_S;

    return s3_client_call(work->client, S3_LANE_SIDE, &post);
}


void
upload_over(work_t *work, const upload_t *upload)
{
    if (upload->record.len != 0
        && !queue_ledger_over(work->task, upload->record))
    {
        work_log(work, LOG_INFO, "Redis did not hear of the end of an "
                 "upload: it will be looked for once more");
    }
}


static bool
upload_in_time(void *data)
{
    int64_t  *until_ms = data;

    return clock_ms() < *until_ms;
}


void
upload_abort(work_t *work, const upload_t *upload)
{
    char                  query[UPLOAD_QUERY_SIZE];
    int64_t               until_ms;
    s3_request_t          request;
    const s3_response_t  *answer;

    (void) snprintf(query, sizeof(query), "uploadId=%.*s",
                    chorus_fmt(upload->id));

    request = work_request(work, FAILURE_SIDE_FOLLOWER, "DELETE", query);

    until_ms = clock_ms() + UPLOAD_ABORT_MS;
    s3_client_watch(work->client, upload_in_time, NULL, &until_ms);
    answer = s3_client_call(work->client, S3_LANE_SIDE, &request);
    work_watch(work);

    if (s3_response_is_success(answer) || s3_response_is(answer, 404)) {
        upload_over(work, upload);
        return;
    }

    /* the next who claims the key is told of it */
    work_log(work, LOG_INFO, "a multipart upload could not be aborted");
}


bool
upload_is_kept(const work_t *work)
{
    unsigned          max;
    const failure_t  *failure;

    failure = &work->failure;
    max = work->config->worker.max_attempts;

    return (failure->kind == FAILURE_SOON || failure_is_lasting(failure)
            || failure->kind == FAILURE_STOPPED)
           && (max == 0 || work->task->attempts + 1 < max);
}


void
upload_abandon(work_t *work)
{
    upload_t      upload;
    chorus_str_t  fingerprint;

    if (work->task->upload.len == 0) {
        return;
    }

    memset(&upload, 0, sizeof(upload_t));

    if (upload_read_record(work->task->upload, &fingerprint, &upload)) {
        work_log(work, LOG_INFO, "aborting a left-over multipart upload");
        upload_abort(work, &upload);

    } else {
        upload_over(work, &upload);
    }

    work->task->upload = chorus_null_str;
}
