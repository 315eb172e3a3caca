#include <stdio.h>
#include <string.h>

#include "bucket_list.h"
#include "chorus_s3_xml.h"
#include "chorus_uri.h"
#include "failure.h"


static size_t
bucket_list_write(void *data, const char *bytes, size_t len)
{
    bucket_list_t  *list = data;

    if (list->body.len + len > CHORUS_XML_MAX_BYTES) {
        return S3_ABORT;
    }

    chorus_buf_add(&list->body, (chorus_str_t) { bytes, len });

    return list->body.failed ? S3_ABORT : len;
}


static bool
bucket_list_fail(bucket_list_t *list, const char *why)
{
    (void) snprintf(list->error.text, sizeof(list->error.text), "%s", why);

    return false;
}


static bool
bucket_list_ask(bucket_list_t *list)
{
    chorus_buf_t          query;
    failure_t             failure;
    s3_request_t          request;
    const s3_response_t  *response;

    query = chorus_buf(list->mem, 3 * list->token_len + 32);
    list->body = chorus_buf(list->mem, 4096);

    memset(&request, 0, sizeof(s3_request_t));
    request.method = "GET";
    request.storage = list->storage;
    request.credential = list->credential;
    request.write = bucket_list_write;
    request.data = list;

    if (list->token_len != 0) {
        chorus_buf_text(&query, "continuation-token=");
        chorus_uri_encode(&query, (chorus_str_t) { list->token,
                                                   list->token_len }, false);
        chorus_buf_char(&query, '\0');
        request.query = query.data;
    }

    if (query.failed || list->body.failed) {
        return bucket_list_fail(list, "out of memory");
    }

    response = s3_client_call(list->client, list->lane, &request);

    if (!s3_response_is(response, 200)) {
        failure_from_response(&failure, FAILURE_SIDE_MAIN, "GET buckets",
                              response);
        return bucket_list_fail(list, failure.reason);
    }

    return list->body.failed ? bucket_list_fail(list, "out of memory") : true;
}


/* A token that comes twice in a row would come for ever. */

static bool
bucket_list_go_on(bucket_list_t *list, chorus_str_t token)
{
    list->is_over = token.len == 0;

    if (list->is_over) {
        return true;
    }

    if (token.len > sizeof(list->token)) {
        return bucket_list_fail(list, "a token that is too long");
    }

    if (++list->npages == BUCKET_LIST_PAGES_MAX
        || chorus_str_eq(token, (chorus_str_t) { list->token,
                                                 list->token_len }))
    {
        return bucket_list_fail(list, "its pages do not come to an end");
    }

    memcpy(list->token, token.data, token.len);
    list->token_len = token.len;

    return true;
}


bool
bucket_list_next(bucket_list_t *list, chorus_buckets_t *buckets)
{
    chorus_rc_t     rc;
    chorus_error_t  error;

    if (!bucket_list_ask(list)) {
        return false;
    }

    rc = chorus_buckets_parse(list->mem, chorus_buf_str(&list->body), buckets,
                              &error);

    if (rc != CHORUS_OK) {
        return bucket_list_fail(list, rc == CHORUS_NOMEM ? "out of memory"
                                                         : error.text);
    }

    return bucket_list_go_on(list, buckets->token);
}
