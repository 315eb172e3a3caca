/*
 * What the follower says of uploads: the parts of ours, and which others there
 * are of the key.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                     /* memmem() */
#endif

#include <stdio.h>
#include <string.h>

#include "checksum.h"
#include "chorus_s3_xml.h"
#include "upload.h"

#define UPLOAD_QUERY_SIZE    2048
/* pages that stay below the bound of an answer */
#define UPLOAD_PARTS_PAGE    "100"
#define UPLOAD_OTHERS_PAGE   "20"


/* The next <name>...</name>; *rest moves behind it. */

static bool
upload_next_element(chorus_str_t *rest, const char *open, const char *close,
    chorus_str_t *element)
{
    const char  *begin, *end, *limit;

    if (rest->len == 0) {
        return false;
    }

    limit = rest->data + rest->len;
    begin = memmem(rest->data, rest->len, open, strlen(open));
    end = begin == NULL ? NULL
          : memmem(begin, (size_t) (limit - begin), close, strlen(close));

    if (end == NULL) {
        return false;
    }

    end += strlen(close);
    *element = (chorus_str_t) { begin, (size_t) (end - begin) };
    *rest = (chorus_str_t) { end, (size_t) (limit - end) };

    return true;
}


static chorus_str_t
upload_unquoted(chorus_str_t etag)
{
    if (etag.len > 2 && etag.data[0] == '"') {
        return (chorus_str_t) { etag.data + 1, etag.len - 2 };
    }

    return etag;
}


static void
upload_take_checksum(chorus_mem_t *mem, chorus_str_t element, part_t *part)
{
    object_checksum_t  checksum;

    if (checksum_of_xml(mem, element, &checksum)
        && checksum.value.len < sizeof(part->checksum))
    {
        part->checksum_row = checksum.row;
        memcpy(part->checksum, checksum.value.data, checksum.value.len);
        part->checksum[checksum.value.len] = '\0';
    }
}


/* One <Part>: done when it is what we would send.  Its number, or 0. */

static uint64_t
upload_take_part(work_t *work, const upload_t *upload, parts_t *parts,
    chorus_str_t element)
{
    part_t         *part;
    uint64_t        number, size;
    chorus_str_t    etag;
    unsigned char   md5[CHORUS_MD5_LEN];

    etag = upload_unquoted(chorus_xml_text(work->mem, element, "ETag"));

    if (!chorus_str_to_u64(chorus_xml_text(work->mem, element, "PartNumber"),
                           &number)
        || number == 0 || number > parts->plan->nparts)
    {
        return 0;
    }

    part = &parts->parts[number - 1];

    if (upload->is_sealed || !object_etag_is_md5(etag, md5)
        || !chorus_str_to_u64(chorus_xml_text(work->mem, element, "Size"),
                              &size)
        || (parts->plan->sizes != NULL && size != part->size))
    {
        return number;
    }

    memset(part->checksum, 0, sizeof(part->checksum));

    if (parts_have_checksums(parts)) {
        upload_take_checksum(work->mem, element, part);
        if (part->checksum[0] == '\0') {
            return number;
        }
    }

    part->size = size;
    part->is_done = true;
    memcpy(part->md5, md5, CHORUS_MD5_LEN);
    memcpy(part->etag, etag.data, etag.len);
    part->etag[etag.len] = '\0';

    return number;
}


/* One page; *marker is the number that the next one begins behind, 0 at the
 * end. */

static work_rc_t
upload_list_page(work_t *work, const upload_t *upload, parts_t *parts,
    uint64_t *marker)
{
    char                  query[UPLOAD_QUERY_SIZE];
    uint64_t              number, last;
    s3_request_t          get;
    chorus_str_t          rest, element, truncated;
    const s3_response_t  *answer;

    (void) snprintf(query, sizeof(query), "uploadId=%.*s&max-parts="
                    UPLOAD_PARTS_PAGE "&part-number-marker=%llu",
                    chorus_fmt(upload->id), (unsigned long long) *marker);

    get = work_request(work, FAILURE_SIDE_FOLLOWER, "GET", query);
    answer = s3_client_call(work->client, S3_LANE_SIDE, &get);

    if (!s3_response_is(answer, 200)) {
        (void) work_fail(work, FAILURE_SIDE_FOLLOWER, "ListParts", answer);
        if (s3_response_is(answer, 404)) {
            work->failure.kind = FAILURE_AGAIN;
        }
        return WORK_FAILED;
    }

    rest = chorus_buf_str(&answer->body);
    truncated = chorus_xml_text(work->mem, rest, "IsTruncated");
    last = 0;

    while (upload_next_element(&rest, "<Part>", "</Part>", &element)) {
        number = upload_take_part(work, upload, parts, element);
        last = number > last ? number : last;
    }

    *marker = chorus_str_eq(truncated, chorus_str("true")) && last > *marker
              ? last : 0;

    return WORK_DONE;
}


work_rc_t
upload_list(work_t *work, const upload_t *upload, parts_t *parts)
{
    unsigned  i, n;
    uint64_t  marker;

    marker = 0;

    do {
        if (upload_list_page(work, upload, parts, &marker) != WORK_DONE) {
            return WORK_FAILED;
        }
    } while (marker != 0);

    for (n = 0, i = 0; i < parts->plan->nparts; i++) {
        n += parts->parts[i].is_done;
    }

    work_log(work, LOG_INFO, "going on with an upload: %u of %u parts are "
             "there", n, parts->plan->nparts);

    return WORK_DONE;
}


static unsigned
upload_count_others(work_t *work, chorus_str_t rest)
{
    unsigned      n;
    chorus_str_t  element, key;

    n = 0;

    while (upload_next_element(&rest, "<Upload>", "</Upload>", &element)) {
        key = chorus_xml_text(work->mem, element, "Key");

        if (chorus_uri_decode(work->mem, key, &key)
            && chorus_str_eq(key, work->task->key))
        {
            n++;
        }
    }

    return n;
}


void
upload_look_around(work_t *work)
{
    unsigned              n;
    chorus_buf_t          query;
    s3_request_t          list;
    const s3_response_t  *answer;

    query = chorus_buf(work->mem, 3 * work->task->key.len + 64);
    chorus_buf_text(&query, "uploads&encoding-type=url&max-uploads="
                            UPLOAD_OTHERS_PAGE "&prefix=");
    chorus_uri_encode(&query, work->task->key, false);
    chorus_buf_char(&query, '\0');

    if (query.failed) {
        return;
    }

    list = work_bucket_request(work, FAILURE_SIDE_FOLLOWER, "GET",
                               query.data);
    answer = s3_client_call(work->client, S3_LANE_SIDE, &list);

    /* a follower that cannot list them is none the worse for it */
    n = s3_response_is(answer, 200)
        ? upload_count_others(work, chorus_buf_str(&answer->body)) : 0;

    if (n != 0) {
        work_log(work, LOG_WARN, "the follower has %u multipart uploads of "
                 "this key that are not known: they are left alone", n);
    }
}
