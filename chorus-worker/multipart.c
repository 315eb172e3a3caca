/*
 * Part after part: a ranged GET from main (If-Match its ETag, so that all
 * parts are of one object) into an UploadPart.  Storages that know
 * ?partNumber tell the parts; for others the size is a guess that is proven
 * by the ETag, while other guesses are computed along.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checksum.h"
#include "content.h"
#include "headers.h"
#include "layout.h"
#include "leftovers.h"
#include "lock.h"
#include "multipart.h"
#include "optional.h"
#include "tags.h"
#include "transfer.h"

#define MULTIPART_PART_TRIES      3
#define MULTIPART_COMPLETE_S      300   /* S3 assembles large objects slowly */
#define MULTIPART_MIB             (1024 * 1024ull)
#define MULTIPART_QUERY_SIZE      2048


typedef struct {
    work_t                  *work;
    const object_t          *object;
    const chorus_tagging_t  *tags;
    chorus_str_t             upload_id;     /* encoded for a query */
    bool                     is_by_number;  /* main knows ?partNumber */
    bool                     has_gaps;      /* in the numbers of main's parts */
    uint64_t                 part_size;     /* unless is_by_number */
    unsigned                 nparts;
    unsigned                 number;        /* of the current part, from 1 */
    uint64_t                 offset;        /* of the current part */
    object_checksum_t        checksum;      /* of the current part */
    bool                     is_sealed;     /* follower's ETags are no MD5 */
    chorus_digest_t         *parts;         /* over the MD5 of each part */
    chorus_buf_t             xml;
    char                     etag[LAYOUT_ETAG_SIZE];
} multipart_t;


/* "\"etag\"" */

static chorus_str_t
multipart_if_match(multipart_t *mp)
{
    chorus_buf_t  buf;

    buf = chorus_buf(mp->work->mem, mp->object->etag.len + 2);
    chorus_buf_char(&buf, '"');
    chorus_buf_add(&buf, mp->object->etag);
    chorus_buf_char(&buf, '"');

    return chorus_buf_str(&buf);
}


/* HEAD ?partNumber=1: a storage that does not know it (RGW 16) answers as for
 * the whole object, without x-amz-mp-parts-count. */

static bool
multipart_main_knows_parts(multipart_t *mp)
{
    uint64_t              nparts;
    s3_request_t          head;
    chorus_header_t       match;
    const s3_response_t  *response;

    if (!mp->work->main->has_part_numbers) {
        return false;
    }

    match = (chorus_header_t) { chorus_str("If-Match"),
                                multipart_if_match(mp) };

    head = work_request(mp->work, FAILURE_SIDE_MAIN, "HEAD", "partNumber=1");
    head.headers = &match;
    head.nheaders = 1;

    response = s3_client_call(mp->work->client, S3_LANE_SIDE, &head);

    return s3_response_is_success(response)
           && chorus_str_to_u64(s3_response_header(response,
                                    "x-amz-mp-parts-count"), &nparts)
           && nparts == mp->object->nparts;
}


static work_rc_t
multipart_initiate(multipart_t *mp)
{
    headers_t             headers;
    s3_request_t          post;
    chorus_buf_t          buf;
    chorus_str_t          id;
    chorus_tagging_t      later = { NULL, 0 };
    const s3_response_t  *answer;

    /* RGW 16 loses tags that come with the beginning of an upload */
    if (headers_of_object(mp->work, &headers, mp->object, &later)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (mp->is_by_number) {
        checksum_add_algorithm(mp->work, &headers, &mp->object->checksum);
    }

    post = work_request(mp->work, FAILURE_SIDE_FOLLOWER, "POST", "uploads");
    post.headers = headers.list;
    post.nheaders = headers.n;

    answer = s3_client_call(mp->work->client, S3_LANE_SIDE, &post);

    if (!s3_response_is_success(answer)) {
        (void) work_fail(mp->work, FAILURE_SIDE_FOLLOWER,
                         "CreateMultipartUpload", answer);
        return content_refused(mp->work, answer);
    }

    mp->is_sealed = object_is_sealed(answer);
    id = chorus_xml_text(mp->work->mem, chorus_buf_str(&answer->body),
                         "UploadId");

    buf = chorus_buf(mp->work->mem, 3 * id.len + 1);
    chorus_uri_encode(&buf, id, false);
    mp->upload_id = chorus_buf_str(&buf);

    if (id.len == 0 || mp->upload_id.len > MULTIPART_QUERY_SIZE / 2) {
        return work_fail(mp->work, FAILURE_SIDE_FOLLOWER,
                         "CreateMultipartUpload", answer);
    }

    return WORK_DONE;
}


static uint64_t
multipart_part_len(const multipart_t *mp)
{
    uint64_t  left;

    left = mp->object->size - mp->offset;

    return left < mp->part_size ? left : mp->part_size;
}


/* Parts have checksums of their own, where their numbers are known. */

static bool
multipart_has_checksums(const multipart_t *mp)
{
    return mp->is_by_number && mp->object->checksum.value.len != 0
           && !optional_is_left_out(mp->work, OPTIONAL_CHECKSUM);
}


/* Begins to read the current part; NULL when main does not give it. */

static const s3_response_t *
multipart_open_part(multipart_t *mp)
{
    char                  query[64], range[64];
    bool                  is_range;
    work_t               *work;
    uint64_t              len;
    s3_request_t          get;
    chorus_header_t       headers[2];
    const s3_response_t  *source;

    work = mp->work;
    len = multipart_part_len(mp);
    is_range = !mp->is_by_number && mp->nparts > 1;

    (void) snprintf(query, sizeof(query), "partNumber=%u", mp->number);
    (void) snprintf(range, sizeof(range), "bytes=%" PRIu64 "-%" PRIu64,
                    mp->offset, mp->offset + len - 1);

    headers[0] = (chorus_header_t) { chorus_str("If-Match"),
                                     multipart_if_match(mp) };
    headers[1] = is_range ? (chorus_header_t) { chorus_str("Range"),
                                                chorus_str_from(range) }
                          : checksum_ask;

    get = work_request(work, FAILURE_SIDE_MAIN, "GET",
                       mp->is_by_number ? query : NULL);
    get.headers = headers;
    get.nheaders = is_range || multipart_has_checksums(mp) ? 2 : 1;

    source = transfer_open(work, &get);

    if (!source->has_headers
        || (source->status != 206 && (is_range || source->status != 200)))
    {
        (void) work_fail(work, FAILURE_SIDE_MAIN, "GET part", source);
        mp->has_gaps = mp->is_by_number && source->status == 416;
        if (mp->has_gaps || s3_response_is_gone(source)) {
            work->failure.kind = FAILURE_AGAIN;
        }
        return NULL;
    }

    if (!mp->is_by_number && work->stream->expected != len) {
        failure_set(&work->failure, FAILURE_SOON, FAILURE_SIDE_MAIN,
                    "BadRange", "GET part on main: %" PRIu64 " bytes instead "
                    "of %" PRIu64, work->stream->expected, len);
        return NULL;
    }

    if (!checksum_read(&mp->checksum, work->mem, source)) {
        (void) work_fail_here(work, "out of memory");
        return NULL;
    }

    return source;
}


/* The follower's ETag of a part is the MD5 of what it stored. */

static work_rc_t
multipart_note_part(multipart_t *mp, const s3_response_t *answer)
{
    chorus_str_t   etag, digest;
    unsigned char  md5[CHORUS_MD5_LEN];

    etag = s3_response_etag(answer);

    if (!mp->is_sealed && !object_is_sealed(answer)
        && (!object_etag_is_md5(etag, md5)
            || memcmp(md5, mp->work->stream->md5, CHORUS_MD5_LEN) != 0))
    {
        failure_set(&mp->work->failure, FAILURE_SOON, FAILURE_SIDE_FOLLOWER,
                    "EtagMismatch", "UploadPart on follower: its ETag is "
                    "\"%.*s\"", chorus_fmt(etag));
        return WORK_FAILED;
    }

    digest = (chorus_str_t) { (const char *) mp->work->stream->md5,
                              CHORUS_MD5_LEN };

    if (!chorus_digest_update(mp->parts, digest)) {
        return work_fail_here(mp->work, "MD5 failed");
    }

    chorus_buf_text(&mp->xml, "<Part><PartNumber>");
    chorus_buf_u64(&mp->xml, mp->number);
    chorus_buf_text(&mp->xml, "</PartNumber><ETag>&quot;");
    chorus_buf_add(&mp->xml, etag);
    chorus_buf_text(&mp->xml, "&quot;</ETag>");

    if (multipart_has_checksums(mp)) {
        checksum_xml(&mp->xml, &mp->checksum);
    }

    chorus_buf_text(&mp->xml, "</Part>");

    return WORK_DONE;
}


static work_rc_t
multipart_send_part(multipart_t *mp)
{
    char                  query[MULTIPART_QUERY_SIZE];
    work_t               *work;
    headers_t             headers = { .n = 0 };
    s3_request_t          put;
    transfer_md5_t        any = { .is_known = false };
    const s3_response_t  *source, *answer;

    work = mp->work;

    if (!stream_begin(work->stream, work->task)) {
        return work_fail_here(work, "MD5 failed");
    }

    work->stream->probe = work->probe;
    work->stream->probe_offset = mp->offset;

    source = multipart_open_part(mp);
    if (source == NULL) {
        transfer_close(work);
        return WORK_FAILED;
    }

    (void) snprintf(query, sizeof(query), "partNumber=%u&uploadId=%.*s",
                    mp->number, chorus_fmt(mp->upload_id));

    put = work_request(work, FAILURE_SIDE_FOLLOWER, "PUT", query);

    if (multipart_has_checksums(mp)) {
        checksum_add(work, &headers, &mp->checksum);
        put.headers = headers.list;
        put.nheaders = headers.n;
    }

    if (transfer_send(work, source, &any, &put, "UploadPart", &answer)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    return multipart_note_part(mp, answer);
}


/* A part may fail without all of a large object being sent again. */

static work_rc_t
multipart_send_part_tries(multipart_t *mp)
{
    unsigned  tries;

    for (tries = 1; multipart_send_part(mp) != WORK_DONE; tries++) {

        if (tries == MULTIPART_PART_TRIES
            || mp->work->failure.kind != FAILURE_SOON)
        {
            return WORK_FAILED;
        }

        work_log(mp->work, LOG_INFO, "part=%u sent again: %s", mp->number,
                 mp->work->failure.reason);
    }

    mp->offset += mp->work->stream->received;

    return WORK_DONE;
}


static work_rc_t
multipart_send_parts(multipart_t *mp)
{
    mp->offset = 0;
    mp->xml = chorus_buf(mp->work->mem, 128 + mp->nparts * 160ul);
    chorus_buf_text(&mp->xml, "<CompleteMultipartUpload>");

    if (!chorus_digest_begin(mp->parts)) {
        return work_fail_here(mp->work, "MD5 failed");
    }

    for (mp->number = 1; mp->number <= mp->nparts; mp->number++) {
        if (multipart_send_part_tries(mp) != WORK_DONE) {
            return WORK_FAILED;
        }
    }

    chorus_buf_text(&mp->xml, "</CompleteMultipartUpload>");

    if (mp->offset != mp->object->size) {
        failure_set(&mp->work->failure, FAILURE_SOON, FAILURE_SIDE_MAIN,
                    "BadParts", "the parts make %" PRIu64 " bytes of %"
                    PRIu64, mp->offset, mp->object->size);
        return WORK_FAILED;
    }

    if (!layout_etag(mp->parts, mp->nparts, mp->etag)) {
        return work_fail_here(mp->work, "MD5 failed");
    }

    return WORK_DONE;
}


/* RGW 16 completes without saying the ETag: ask for it. */

static work_rc_t
multipart_ask_etag(multipart_t *mp, chorus_str_t *etag)
{
    s3_request_t          head;
    const s3_response_t  *answer;

    head = work_request(mp->work, FAILURE_SIDE_FOLLOWER, "HEAD", NULL);
    answer = s3_client_call(mp->work->client, S3_LANE_SIDE, &head);

    if (!s3_response_is(answer, 200)) {
        return work_fail(mp->work, FAILURE_SIDE_FOLLOWER, "HEAD object",
                         answer);
    }

    *etag = s3_response_etag(answer);

    return WORK_DONE;
}


/* Is what was put together what was sent? */

static work_rc_t
multipart_verify(multipart_t *mp, const s3_response_t *answer)
{
    chorus_str_t  etag;

    etag = chorus_xml_text(mp->work->mem, chorus_buf_str(&answer->body),
                           "ETag");
    if (etag.len > 2 && etag.data[0] == '"') {
        etag = (chorus_str_t) { etag.data + 1, etag.len - 2 };
    }

    if (etag.len == 0 && multipart_ask_etag(mp, &etag) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (mp->is_sealed || chorus_str_eq(etag, chorus_str_from(mp->etag))) {
        return WORK_DONE;
    }

    failure_set(&mp->work->failure, FAILURE_SOON, FAILURE_SIDE_FOLLOWER,
                "EtagMismatch", "CompleteMultipartUpload on follower: its "
                "ETag is \"%.*s\" instead of \"%s\"", chorus_fmt(etag),
                mp->etag);

    return WORK_FAILED;
}


static work_rc_t
multipart_complete(multipart_t *mp)
{
    char                  query[MULTIPART_QUERY_SIZE];
    s3_request_t          post, subject;
    const s3_response_t  *answer;

    (void) snprintf(query, sizeof(query), "uploadId=%.*s",
                    chorus_fmt(mp->upload_id));

    post = work_request(mp->work, FAILURE_SIDE_FOLLOWER, "POST", query);
    post.body = chorus_buf_str(&mp->xml);
    post.stall_seconds = MULTIPART_COMPLETE_S;

    if (post.body.data == NULL) {
        return work_fail_here(mp->work, "out of memory");
    }

    answer = s3_client_call(mp->work->client, S3_LANE_SIDE, &post);

    /* may answer 200 and still hold an <Error> */
    if (!s3_response_is_success(answer)) {
        return work_fail(mp->work, FAILURE_SIDE_FOLLOWER,
                         "CompleteMultipartUpload", answer);
    }

    mp->work->bytes = mp->object->size;
    work_note_version(mp->work, answer);

    if (multipart_verify(mp, answer) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (mp->tags->ntags == 0) {
        return WORK_DONE;
    }

    subject = work_request(mp->work, FAILURE_SIDE_FOLLOWER, "PUT", NULL);

    return tags_put(mp->work, &subject, mp->tags);
}


/* What an upload cannot be begun with on every storage. */

static work_rc_t
multipart_finish(multipart_t *mp)
{
    object_lock_t  none = { chorus_null_str, chorus_null_str,
                            chorus_null_str };

    if (multipart_complete(mp) != WORK_DONE) {
        return WORK_FAILED;
    }

    return lock_put(mp->work, &mp->object->lock, &none);
}


/* One upload in the layout of `mp`.  *better: a part size that is proven to be
 * the right one, the upload was given up for it; else 0. */

static work_rc_t
multipart_upload(multipart_t *mp, uint64_t *better)
{
    *better = 0;

    if (multipart_send_parts(mp) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (chorus_str_eq(chorus_str_from(mp->etag), mp->object->etag)) {
        return multipart_finish(mp);
    }

    *better = layout_probe_match(mp->work->probe, mp->object->etag);
    if (*better != 0) {
        failure_set(&mp->work->failure, FAILURE_AGAIN, FAILURE_SIDE_WORKER,
                    "OtherLayout", "the parts are of another size");
        return WORK_FAILED;
    }

    work_log(mp->work, LOG_WARN, "the sizes of the parts behind main's ETag "
             "\"%.*s\" are not known: the follower's copy has the same "
             "content and the ETag \"%s\"", chorus_fmt(mp->object->etag),
             mp->etag);

    return multipart_finish(mp);
}


/* Begins, uploads, and leaves nothing behind when it fails. */

static work_rc_t
multipart_try(multipart_t *mp, uint64_t *better)
{
    work_rc_t  rc;

    *better = 0;

    if (multipart_initiate(mp) != WORK_DONE) {
        return WORK_FAILED;
    }

    rc = multipart_upload(mp, better);

    if (rc != WORK_DONE) {
        leftovers_abort(mp->work, mp->upload_id);
    }

    return rc;
}


/* Sets the layout to the likeliest one and lets the probe follow the others. */

static bool
multipart_guess(multipart_t *mp)
{
    size_t     n;
    uint64_t   size, sizes[LAYOUT_CANDIDATES];

    mp->nparts = mp->object->nparts;
    size = mp->object->size;
    n = layout_candidates(size, mp->nparts, sizes, LAYOUT_CANDIDATES);

    if (n == 0) {
        /* parts of unequal sizes, for sure */
        mp->part_size = size / mp->nparts / MULTIPART_MIB * MULTIPART_MIB
                        + 5 * MULTIPART_MIB;
        mp->nparts = (unsigned) (size / mp->part_size
                                 + (size % mp->part_size != 0));
        mp->nparts = mp->nparts == 0 ? 1 : mp->nparts;
        return layout_probe_begin(mp->work->probe, sizes, 0);
    }

    mp->part_size = sizes[0];

    return layout_probe_begin(mp->work->probe, sizes + 1, n - 1);
}


static work_rc_t
multipart_copy_guessed(multipart_t *mp)
{
    work_rc_t  rc;
    uint64_t   better;

    if (!multipart_guess(mp)) {
        return work_fail_here(mp->work, "MD5 failed");
    }

    rc = multipart_try(mp, &better);

    if (better != 0) {
        work_log(mp->work, LOG_INFO, "part_size=%" PRIu64 " by the ETag, "
                 "not %" PRIu64, better, mp->part_size);

        mp->part_size = better;
        (void) layout_probe_begin(mp->work->probe, NULL, 0);
        rc = multipart_try(mp, &better);
    }

    return rc;
}


/* Clients may leave out numbers (1, 3, 7), and what a storage then calls the
 * second part differs: such parts are found by their sizes. */

static work_rc_t
multipart_copy_parts(multipart_t *mp)
{
    uint64_t   none;
    work_rc_t  rc;

    if (mp->object->nparts > 1 && multipart_main_knows_parts(mp)) {
        mp->is_by_number = true;
        mp->nparts = mp->object->nparts;
        (void) layout_probe_begin(mp->work->probe, NULL, 0);

        rc = multipart_try(mp, &none);
        if (rc == WORK_DONE || !mp->has_gaps) {
            return rc;
        }

        mp->is_by_number = false;
    }

    return multipart_copy_guessed(mp);
}


work_rc_t
multipart_copy(work_t *work, const object_t *object,
    const chorus_tagging_t *tags)
{
    work_rc_t    rc;
    multipart_t  mp;

    memset(&mp, 0, sizeof(multipart_t));
    mp.work = work;
    mp.object = object;
    mp.tags = tags;
    mp.parts = chorus_digest_create(CHORUS_DIGEST_MD5);

    if (mp.parts == NULL) {
        return work_fail_here(work, "out of memory");
    }

    leftovers_abort_all(work);
    rc = multipart_copy_parts(&mp);
    chorus_digest_destroy(mp.parts);

    return rc;
}
