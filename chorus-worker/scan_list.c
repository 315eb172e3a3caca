#include <string.h>

#include "chorus_s3_xml.h"
#include "chorus_uri.h"
#include "scan_list.h"


bool
scan_list_open(scan_list_t *list, failure_side_t side, s3_lane_t lane)
{
    size_t  i;

    memset(list, 0, sizeof(scan_list_t));

    list->side = side;
    list->lane = lane;
    list->crypto = chorus_crypto_create();

    for (i = 0; i < 2; i++) {
        list->arenas[i] = chorus_arena_create();
        if (list->arenas[i] == NULL) {
            return false;
        }
        list->mems[i] = chorus_arena_mem(list->arenas[i]);
    }

    return list->crypto != NULL;
}


void
scan_list_close(scan_list_t *list)
{
    chorus_arena_destroy(list->arenas[0]);
    chorus_arena_destroy(list->arenas[1]);
    chorus_crypto_destroy(list->crypto);
}


void
scan_list_mode(scan_list_t *list, bool is_versions)
{
    list->is_versions = is_versions;
    list->is_plain = false;
    list->is_second = false;
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
    list->response = NULL;
    list->is_ahead = false;
    memset(&list->listing, 0, sizeof(chorus_listing_t));

    memset(&list->fold, 0, sizeof(chorus_fold_t));
    list->fold.crypto = list->crypto;

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


/* ---- asking ---- */


static void
scan_list_add(chorus_buf_t *query, const char *name, const char *data,
    size_t len)
{
    chorus_buf_char(query, '&');
    chorus_buf_text(query, name);
    chorus_buf_char(query, '=');
    chorus_uri_encode(query, (chorus_str_t) { data, len }, false);
}


static chorus_buf_t
scan_list_query(scan_list_t *list, chorus_mem_t *mem)
{
    chorus_buf_t          query;
    const chorus_fold_t  *fold = &list->fold;

    query = chorus_buf(mem, 3 * (list->marker_len
                                        + fold->marker_key_len
                                        + fold->marker_id_len) + 128);

    chorus_buf_text(&query, list->is_versions ? "versions&max-keys="
                            : list->is_second ? "list-type=2&max-keys="
                                              : "max-keys=");
    chorus_buf_u64(&query, list->max);

    if (!list->is_plain) {
        chorus_buf_text(&query, "&encoding-type=url");
    }

    if (list->is_versions && fold->is_paged) {
        scan_list_add(&query, "key-marker", fold->marker_key,
                      fold->marker_key_len);
        scan_list_add(&query, "version-id-marker", fold->marker_id,
                      fold->marker_id_len);

    } else if (list->marker_len != 0) {
        scan_list_add(&query, list->is_versions ? "key-marker"
                              : list->is_second ? "start-after" : "marker",
                      list->marker, list->marker_len);
    }

    chorus_buf_char(&query, '\0');

    return query;
}


static void
scan_list_ask(scan_list_t *list, work_t *work)
{
    unsigned      next;
    chorus_buf_t  query;
    s3_request_t  request;

    next = list->is_ahead ? !list->at : list->at;
    list->asked = next;

    if (!list->is_ahead) {
        /* it takes the place of the page */
        memset(&list->listing, 0, sizeof(chorus_listing_t));
    }

    chorus_arena_reset(list->arenas[next]);
    list->body = chorus_buf(&list->mems[next], 4096);

    query = scan_list_query(list, &list->mems[next]);

    /* one that ran out of memory fails as it ends */
    list->body.failed |= query.failed;

    request = work_bucket_request(work, list->side, "GET",
                                  query.failed ? "max-keys=0" : query.data);
    request.write = scan_list_write;
    request.data = list;

    list->response = s3_client_start(work->client, list->lane, &request);
}


void
scan_list_begin(scan_list_t *list, work_t *work, unsigned max)
{
    list->max = max;

    if (list->response == NULL) {
        scan_list_ask(list, work);
    }
}


void
scan_list_ahead(scan_list_t *list, work_t *work)
{
    list->is_ahead = true;
    scan_list_ask(list, work);
    s3_client_step(work->client);
}


void
scan_list_drop(scan_list_t *list, s3_client_t *client)
{
    s3_client_end(client, list->lane);
    list->response = NULL;
    list->is_ahead = false;
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
    memset(&list->listing, 0, sizeof(chorus_listing_t));
    failure_set(&work->failure, kind, list->side, code,
                "the listing of %s: %s",
                list->side == FAILURE_SIDE_MAIN ? "main" : "the follower",
                why);

    return WORK_FAILED;
}


/* ---- objects ---- */


/* Where the next page begins. */

static work_rc_t
scan_list_go_on(scan_list_t *list, work_t *work)
{
    chorus_str_t             next;
    const chorus_listing_t  *listing = &list->listing;

    if (listing->n != 0) {
        next = listing->entries[listing->n - 1].key;

    } else if (!listing->is_truncated) {
        return WORK_DONE;

    } else if (chorus_str_cmp(listing->next, scan_list_marker(list)) > 0) {
        next = listing->next;

    } else {
        return scan_list_refuse(list, work, FAILURE_SOON, "BadListing",
                                "a page that is not the last, and has "
                                "nothing behind the one before");
    }

    if (next.len > sizeof(list->marker)) {
        return scan_list_refuse(list, work, FAILURE_PARK, "KeyTooLong",
                                "a key of more than 2048 bytes");
    }

    memmove(list->marker, next.data, next.len);
    list->marker_len = next.len;

    return WORK_DONE;
}


/* A storage that lists in another order cannot be compared page by page: what
 * is not in a page may be anywhere.  One that does not know where a page is to
 * begin may know it in the other version of ListObjects. */

static work_rc_t
scan_list_sort(scan_list_t *list, work_t *work, bool *again)
{
    chorus_str_t       marker;
    chorus_order_t     order;
    chorus_listing_t  *listing = &list->listing;

    marker = scan_list_marker(list);
    chorus_listing_tidy(listing, marker);
    order = chorus_listing_order(listing, marker);

    if (order == CHORUS_ORDER_BYTES) {
        return scan_list_go_on(list, work);
    }

    if (order == CHORUS_ORDER_UTF16) {
        return scan_list_refuse(list, work, FAILURE_PARK, "UnsortedListing",
                                "its keys are in the order of UTF-16 and not "
                                "of their bytes, so it cannot be compared");
    }

    if (chorus_str_cmp(listing->entries[0].key, marker) > 0) {
        return scan_list_refuse(list, work, FAILURE_PARK, "UnsortedListing",
                                "its keys are not in the order of their "
                                "bytes, so it cannot be compared");
    }

    *again = !list->is_second;
    list->is_second = !list->is_second;

    return *again ? WORK_DONE
                  : scan_list_refuse(list, work, FAILURE_PARK,
                                     "ListingInCircles",
                                     "a page does not begin behind the one "
                                     "before, so it would never end");
}


/* ---- versions ---- */


static work_rc_t
scan_list_fold(scan_list_t *list, work_t *work,
    const chorus_version_page_t *page)
{
    bool            is_gone;
    chorus_rc_t     rc;
    chorus_error_t  error = { "" };

    rc = chorus_fold_page(&list->mems[list->at], &list->fold, page,
                          scan_list_marker(list), &list->listing, &is_gone,
                          &error);

    if (rc == CHORUS_OK) {
        return WORK_DONE;
    }

    return rc == CHORUS_NOMEM
           ? scan_list_refuse(list, work, FAILURE_SOON, "BadListing",
                              "out of memory")
           : scan_list_refuse(list, work, is_gone ? FAILURE_SOON
                                                  : FAILURE_PARK,
                              is_gone ? "Gone" : "BadListing", error.text);
}


/* ---- a page ---- */


/* Keys that are not encoded as the storage says they are: it is asked for them
 * as they are. */

static work_rc_t
scan_list_parse(scan_list_t *list, work_t *work, bool *again)
{
    chorus_rc_t            rc;
    chorus_str_t           body;
    chorus_mem_t          *mem;
    chorus_error_t         error;
    chorus_version_page_t  page;

    mem = &list->mems[list->at];
    body = chorus_buf_str(&list->body);

    rc = list->body.failed ? CHORUS_NOMEM
         : list->is_versions
         ? chorus_version_page_parse(mem, body, CHORUS_LISTING_MAX, &page,
                                     &error)
         : chorus_listing_parse(mem, body, &list->listing, &error);

    if (rc == CHORUS_OK) {
        return list->is_versions ? scan_list_fold(list, work, &page)
                                 : scan_list_sort(list, work, again);
    }

    if (rc == CHORUS_ERROR) {
        *again = !list->is_plain;
        list->is_plain = !list->is_plain;
    }

    return *again ? WORK_DONE
                  : scan_list_refuse(list, work, FAILURE_SOON, "BadListing",
                                     rc == CHORUS_NOMEM ? "out of memory"
                                                        : error.text);
}


/* *again: it is to be asked in another way. */

static work_rc_t
scan_list_take(scan_list_t *list, work_t *work, bool *again)
{
    bool                  was_ahead;
    const s3_response_t  *response;

    response = list->response;
    was_ahead = list->is_ahead;

    list->response = NULL;
    list->is_ahead = false;
    list->at = list->asked;
    memset(&list->listing, 0, sizeof(chorus_listing_t));

    *again = was_ahead && !s3_response_is(response, 200);

    if (*again) {
        return WORK_DONE;
    }

    if (s3_response_is(response, 404)
        && s3_response_has_code(response, "NoSuchBucket"))
    {
        list->is_absent = true;
        return WORK_DONE;
    }

    if (s3_response_is(response, 501) && !list->is_versions
        && !list->is_second)
    {
        list->is_second = true;
        *again = true;
        return WORK_DONE;
    }

    if (!s3_response_is(response, 200)) {
        return work_fail(work, list->side, "GET bucket", response);
    }

    return scan_list_parse(list, work, again);
}


work_rc_t
scan_list_end(scan_list_t *list, work_t *work)
{
    bool       again;
    work_rc_t  rc;

    rc = WORK_DONE;
    again = list->response != NULL;

    while (again) {
        rc = scan_list_take(list, work, &again);

        if (again) {
            scan_list_ask(list, work);
            scan_list_wait(work, list, NULL);
        }
    }

    return rc;
}
