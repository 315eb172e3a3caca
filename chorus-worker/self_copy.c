/*
 * Ceph keeps the ETag of a multipart object that is copied onto itself, MinIO
 * does so now and then, and both copy any size.  AWS copies up to 5 GiB, and
 * the copy of a multipart object has another ETag: its content is sent again.
 */

#include "checksum.h"
#include "content.h"
#include "headers.h"
#include "self_copy.h"

#define SELF_COPY_MAX      (5ull * 1024 * 1024 * 1024)
/* while the storage copies it says nothing */
#define SELF_COPY_STALL_S  300


static bool
self_copy_is_possible(const work_t *work, const object_t *object)
{
    chorus_provider_t  provider;

    provider = work->follower->provider;

    if (provider == CHORUS_PROVIDER_CEPH || provider == CHORUS_PROVIDER_MINIO)
    {
        return true;
    }

    return object->size <= SELF_COPY_MAX
           && (object->nparts == 0 || provider != CHORUS_PROVIDER_AWS);
}


static chorus_str_t
self_copy_source(work_t *work)
{
    chorus_buf_t  buf;

    buf = chorus_buf(work->mem, work->task->key.len + 128);
    chorus_buf_char(&buf, '/');
    chorus_uri_encode(&buf, work->target, false);
    chorus_buf_char(&buf, '/');
    chorus_uri_encode(&buf, work->task->key, true);

    if (work->copy_source.len != 0) {
        chorus_buf_text(&buf, "?versionId=");
        chorus_uri_encode(&buf, work->copy_source, false);
    }

    return chorus_buf_str(&buf);
}


static work_rc_t
self_copy_send(work_t *work, const object_t *object,
    const chorus_tagging_t *tags, headers_t *headers,
    const s3_response_t **answer)
{
    s3_request_t  copy;

    if (headers_of_object(work, headers, object, tags) != WORK_DONE) {
        return WORK_FAILED;
    }

    headers_add(headers, "x-amz-copy-source", self_copy_source(work));
    headers_add(headers, "x-amz-copy-source-if-match", object->etag);
    headers_add(headers, "x-amz-metadata-directive", chorus_str("REPLACE"));
    headers_add(headers, "x-amz-tagging-directive", chorus_str("REPLACE"));

    if (checksum_is_kept(work) && object->nparts == 0) {
        checksum_add_algorithm(work, headers, &object->checksum);
    }

    copy = work_request(work, FAILURE_SIDE_FOLLOWER, "PUT", NULL);
    copy.headers = headers->list;
    copy.nheaders = headers->n;
    copy.stall_seconds = SELF_COPY_STALL_S;

    *answer = s3_client_call(work->client, S3_LANE_SIDE, &copy);

    return WORK_DONE;
}


/* Trouble is no reason to send the content: it would meet the same. */

static work_rc_t
self_copy_refused(work_t *work, const s3_response_t *answer)
{
    bool  is_trouble;

    is_trouble = answer->status / 100 != 4 || answer->status == 429;

    (void) work_fail(work, FAILURE_SIDE_FOLLOWER, "copy onto itself", answer);
    (void) content_refused(work, answer);

    return !is_trouble && work->failure.kind != FAILURE_AGAIN
           && work->failure.kind != FAILURE_STOPPED ? WORK_DONE : WORK_FAILED;
}


work_rc_t
self_copy(work_t *work, const object_t *object, const chorus_tagging_t *tags,
    bool *is_copied)
{
    headers_t             headers;
    chorus_str_t          etag;
    const s3_response_t  *answer;

    *is_copied = false;
    work->made_version = chorus_null_str;

    if (!self_copy_is_possible(work, object)) {
        return WORK_DONE;
    }

    if (self_copy_send(work, object, tags, &headers, &answer) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (!s3_response_is_success(answer)) {
        return self_copy_refused(work, answer);
    }

    etag = chorus_xml_text(work->mem, chorus_buf_str(&answer->body), "ETag");
    if (etag.len > 2 && etag.data[0] == '"') {
        etag = (chorus_str_t) { etag.data + 1, etag.len - 2 };
    }

    *is_copied = chorus_str_eq(etag, object->etag);
    work_note_version(work, answer);

    return *is_copied ? content_put_tags_left(work, &headers, tags)
                      : WORK_DONE;
}
