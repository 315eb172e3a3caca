#include <string.h>

#include "chorus_s3_xml.h"
#include "chorus_uri.h"
#include "scan_list.h"


bool
scan_list_open(scan_list_t *list, failure_side_t side)
{
    memset(list, 0, sizeof(scan_list_t));

    list->side = side;
    list->lane = side == FAILURE_SIDE_MAIN ? S3_LANE_SOURCE : S3_LANE_SINK;
    list->arena = chorus_arena_create();

    if (list->arena == NULL) {
        return false;
    }

    list->mem = chorus_arena_mem(list->arena);

    return true;
}


void
scan_list_close(scan_list_t *list)
{
    chorus_arena_destroy(list->arena);
}


bool
scan_list_seek(scan_list_t *list, chorus_str_t key)
{
    if (key.len > sizeof(list->marker)) {
        return false;
    }

    memmove(list->marker, key.data, key.len);
    list->marker_len = key.len;
    list->is_absent = false;
    memset(&list->listing, 0, sizeof(chorus_listing_t));

    return true;
}


static size_t
scan_list_write(void *data, const char *bytes, size_t len)
{
    scan_list_t  *list = data;

    if (list->body.len + len > CHORUS_XML_MAX_BYTES) {
        return S3_ABORT;
    }

    chorus_buf_add(&list->body, (chorus_str_t) { bytes, len });

    return list->body.failed ? S3_ABORT : len;
}


static chorus_str_t
scan_list_marker(const scan_list_t *list)
{
    return (chorus_str_t) { list->marker, list->marker_len };
}


void
scan_list_begin(scan_list_t *list, work_t *work, unsigned max)
{
    chorus_buf_t  query;
    s3_request_t  request;

    chorus_arena_reset(list->arena);
    memset(&list->listing, 0, sizeof(chorus_listing_t));
    list->body = chorus_buf(&list->mem, 4096);

    query = chorus_buf(&list->mem, 3 * list->marker_len + 64);
    chorus_buf_text(&query, "encoding-type=url&max-keys=");
    chorus_buf_u64(&query, max);

    if (list->marker_len != 0) {
        chorus_buf_text(&query, "&marker=");
        chorus_uri_encode(&query, scan_list_marker(list), false);
    }

    chorus_buf_char(&query, '\0');

    /* one that ran out of memory fails as it ends */
    list->body.failed |= query.failed;

    request = work_bucket_request(work, list->side, "GET",
                                  query.failed ? "max-keys=0" : query.data);
    request.write = scan_list_write;
    request.data = list;

    list->response = s3_client_start(work->client, list->lane, &request);
}


void
scan_list_wait(work_t *work, scan_list_t *a, scan_list_t *b)
{
    while ((a != NULL && a->response != NULL && !a->response->is_done)
           || (b != NULL && b->response != NULL && !b->response->is_done))
    {
        s3_client_step(work->client);
    }
}


static work_rc_t
scan_list_refuse(scan_list_t *list, work_t *work, failure_kind_t kind,
    const char *code, const char *why)
{
    failure_set(&work->failure, kind, list->side, code,
                "the listing of %s: %s",
                list->side == FAILURE_SIDE_MAIN ? "main" : "the follower",
                why);

    return WORK_FAILED;
}


static work_rc_t
scan_list_parse(scan_list_t *list, work_t *work)
{
    chorus_rc_t             rc;
    chorus_error_t          error;
    const chorus_listed_t  *last;

    rc = list->body.failed ? CHORUS_NOMEM
         : chorus_listing_parse(&list->mem, chorus_buf_str(&list->body),
                                &list->listing, &error);

    if (rc != CHORUS_OK) {
        memset(&list->listing, 0, sizeof(chorus_listing_t));
        return scan_list_refuse(list, work, FAILURE_SOON, "BadListing",
                                rc == CHORUS_NOMEM ? "out of memory"
                                                   : error.text);
    }

    if (!chorus_listing_is_sorted(&list->listing, scan_list_marker(list))) {
        return scan_list_refuse(list, work, FAILURE_PARK, "UnsortedListing",
                                "its keys are not in the order of their "
                                "bytes, so it cannot be compared");
    }

    if (list->listing.n == 0) {
        return WORK_DONE;
    }

    last = &list->listing.entries[list->listing.n - 1];

    if (last->key.len > sizeof(list->marker)) {
        return scan_list_refuse(list, work, FAILURE_PARK, "KeyTooLong",
                                "a key of more than 2048 bytes");
    }

    memcpy(list->marker, last->key.data, last->key.len);
    list->marker_len = last->key.len;

    return WORK_DONE;
}


work_rc_t
scan_list_end(scan_list_t *list, work_t *work)
{
    const s3_response_t  *response;

    response = list->response;
    list->response = NULL;

    if (response == NULL) {
        return WORK_DONE;
    }

    if (s3_response_is(response, 404)
        && s3_response_has_code(response, "NoSuchBucket"))
    {
        list->is_absent = true;
        return WORK_DONE;
    }

    if (!s3_response_is(response, 200)) {
        return work_fail(work, list->side, "GET bucket", response);
    }

    return scan_list_parse(list, work);
}
