/*
 * The path is encoded once and never normalised: "//", "." and ".." are parts
 * of a key.  Bodies that are streamed are sent as UNSIGNED-PAYLOAD and carry
 * Content-MD5 where it is known; bodies in memory are hashed.
 */

#include <string.h>

#include "s3_sign.h"

#define S3_SIGN_HEADERS_MAX  (S3_HEADERS_MAX + 8)
#define S3_SIGN_SHORT        (64 * 1024)    /* a body: some packets */


typedef struct {
    chorus_header_t  list[S3_SIGN_HEADERS_MAX];
    size_t           n;
} s3_sign_headers_t;


bool
s3_signer_open(s3_signer_t *signer)
{
    signer->crypto = chorus_crypto_create();
    signer->keys = chorus_key_cache_create();
    signer->md5 = chorus_digest_create(CHORUS_DIGEST_MD5);

    return signer->crypto != NULL && signer->keys != NULL
           && signer->md5 != NULL;
}


void
s3_signer_close(s3_signer_t *signer)
{
    if (signer->md5 != NULL) {
        chorus_digest_destroy(signer->md5);
    }

    if (signer->keys != NULL) {
        chorus_key_cache_destroy(signer->keys);
    }

    if (signer->crypto != NULL) {
        chorus_crypto_destroy(signer->crypto);
    }
}


/* endpoint, path and query in one piece; the target is its tail */

static chorus_str_t
s3_sign_url(chorus_mem_t *mem, const s3_request_t *request,
    chorus_str_t *target)
{
    chorus_buf_t  buf;
    chorus_str_t  url;

    buf = chorus_buf(mem, request->storage->endpoint.len
                          + request->key.len + 256);

    chorus_buf_add(&buf, request->storage->endpoint);
    chorus_buf_char(&buf, '/');
    chorus_uri_encode(&buf, request->bucket, false);

    if (request->key.len != 0) {
        chorus_buf_char(&buf, '/');
        chorus_uri_encode(&buf, request->key, true);
    }

    if (request->query != NULL) {
        chorus_buf_char(&buf, '?');
        chorus_buf_text(&buf, request->query);
    }

    chorus_buf_char(&buf, '\0');

    url = chorus_buf_str(&buf);
    if (url.data == NULL) {
        return chorus_null_str;
    }

    url.len--;
    *target = chorus_str_sub(url, request->storage->endpoint.len);

    return url;
}


static bool
s3_sign_add(s3_sign_headers_t *headers, const char *name, chorus_str_t value)
{
    if (headers->n == S3_SIGN_HEADERS_MAX || value.data == NULL) {
        return false;
    }

    headers->list[headers->n++] =
        (chorus_header_t) { chorus_str_from(name), value };

    return true;
}


/* the payload line of the signature */

static chorus_str_t
s3_sign_payload(s3_signer_t *signer, chorus_mem_t *mem,
    const s3_request_t *request)
{
    char           hex[2 * CHORUS_SHA256_LEN];
    unsigned char  sha256[CHORUS_SHA256_LEN];

    if (request->read != NULL && request->body_len != 0) {
        return chorus_str(CHORUS_UNSIGNED_PAYLOAD);
    }

    if (request->body.len == 0) {
        return chorus_str(CHORUS_EMPTY_SHA256);
    }

    if (!chorus_sha256(signer->crypto, request->body, sha256)) {
        return chorus_null_str;
    }

    chorus_hex(hex, sha256, sizeof(sha256));

    return chorus_str_dup(mem, (chorus_str_t) { hex, sizeof(hex) });
}


static bool
s3_sign_body_md5(s3_signer_t *signer, chorus_mem_t *mem, chorus_str_t body,
    s3_sign_headers_t *headers)
{
    unsigned char  md5[CHORUS_MD5_LEN];

    if (!chorus_digest_begin(signer->md5)
        || !chorus_digest_update(signer->md5, body)
        || !chorus_digest_end(signer->md5, md5))
    {
        return false;
    }

    return s3_sign_add(headers, "Content-MD5",
                       chorus_base64(mem, md5, sizeof(md5)));
}


static bool
s3_sign_headers(s3_signer_t *signer, chorus_mem_t *mem,
    const s3_request_t *request, chorus_str_t amz_date, chorus_str_t payload,
    s3_sign_headers_t *headers)
{
    if (request->nheaders > S3_HEADERS_MAX) {
        return false;
    }

    if (request->nheaders != 0) {
        memcpy(headers->list, request->headers,
               request->nheaders * sizeof(chorus_header_t));
    }

    headers->n = request->nheaders;

    if (request->body.len != 0
        && !s3_sign_body_md5(signer, mem, request->body, headers))
    {
        return false;
    }

    return s3_sign_add(headers, "Host", request->storage->host)
           && s3_sign_add(headers, "x-amz-date", amz_date)
           && s3_sign_add(headers, "x-amz-content-sha256", payload);
}


static bool
s3_sign_authorize(s3_signer_t *signer, chorus_mem_t *mem,
    const s3_request_t *request, chorus_str_t target, chorus_str_t amz_date,
    chorus_str_t payload, s3_sign_headers_t *headers)
{
    chorus_uri_t            uri;
    chorus_error_t          error;
    chorus_sigv4_signer_t   sigv4 = {
        .mem = mem,
        .crypto = signer->crypto,
        .keys = signer->keys,
        .access_key = request->credential->access_key,
        .secret_key = request->credential->secret_key,
        .region = request->storage->region,
    };
    chorus_sigv4_request_t  canonical = {
        .method = chorus_str_from(request->method),
        .uri = &uri,
        .headers = headers->list,
        .nheaders = headers->n,
        .payload = payload,
    };

    if (chorus_uri_parse(mem, target, &uri, &error) != CHORUS_OK) {
        return false;
    }

    return s3_sign_add(headers, "Authorization",
                       chorus_sigv4_sign(&sigv4, &canonical, amz_date));
}


/* curl's syntax: "name: value", and "name;" for an empty value */

static bool
s3_sign_list_add(chorus_mem_t *mem, const chorus_header_t *header,
    struct curl_slist **list)
{
    chorus_buf_t        buf;
    chorus_str_t        line;
    struct curl_slist  *longer;

    buf = chorus_buf(mem, header->name.len + header->value.len + 3);
    chorus_buf_add(&buf, header->name);

    if (header->value.len == 0) {
        chorus_buf_char(&buf, ';');

    } else {
        chorus_buf_text(&buf, ": ");
        chorus_buf_add(&buf, header->value);
    }

    chorus_buf_char(&buf, '\0');

    line = chorus_buf_str(&buf);
    if (line.data == NULL) {
        return false;
    }

    longer = curl_slist_append(*list, line.data);
    if (longer == NULL) {
        return false;
    }

    *list = longer;

    return true;
}


static struct curl_slist *
s3_sign_list(chorus_mem_t *mem, const s3_sign_headers_t *headers)
{
    size_t              i;
    struct curl_slist  *list;

    list = NULL;

    for (i = 0; i < headers->n; i++) {
        if (!s3_sign_list_add(mem, &headers->list[i], &list)) {
            curl_slist_free_all(list);
            return NULL;
        }
    }

    return list;
}


/* curl would ask before each body whether to send it, and wait for a second
 * where a storage does not answer that (RGW 16: PUT ?retention).  Of a short
 * one to ask costs more than to send it. */

static bool
s3_sign_expect_nothing(s3_signed_t *out)
{
    struct curl_slist  *longer;

    longer = curl_slist_append(out->headers, "Expect:");

    if (longer == NULL) {
        curl_slist_free_all(out->headers);
        return false;
    }

    out->headers = longer;

    return true;
}


bool
s3_sign(s3_signer_t *signer, chorus_mem_t *mem, const s3_request_t *request,
    int64_t now, s3_signed_t *out)
{
    char                date[CHORUS_AMZ_DATE_LEN + 1];
    chorus_str_t        target, payload, amz_date;
    s3_sign_headers_t  *headers;

    headers = chorus_alloc(mem, sizeof(s3_sign_headers_t));
    out->url = s3_sign_url(mem, request, &target);
    payload = s3_sign_payload(signer, mem, request);

    if (headers == NULL || out->url.data == NULL || payload.data == NULL) {
        return false;
    }

    chorus_time_amz(now, date);
    amz_date = (chorus_str_t) { date, CHORUS_AMZ_DATE_LEN };

    if (!s3_sign_headers(signer, mem, request, amz_date, payload, headers)
        || !s3_sign_authorize(signer, mem, request, target, amz_date,
                              payload, headers))
    {
        return false;
    }

    out->headers = s3_sign_list(mem, headers);

    return out->headers != NULL
           && ((request->read != NULL && request->body_len > S3_SIGN_SHORT)
               || s3_sign_expect_nothing(out));
}
