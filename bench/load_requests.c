#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chorus_crypto.h"
#include "chorus_mem.h"
#include "chorus_sigv4.h"
#include "load_requests.h"

#define LOAD_HEAD_MAX  8192
#define LOAD_CHUNK     65536
#define LOAD_REGION    "us-east-1"
#define LOAD_CHUNKED   "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"


static struct {
    load_requests_t     *r;
    chorus_mem_t         mem;
    chorus_crypto_t     *crypto;
    chorus_key_cache_t  *signing;
    char                 seed[CHORUS_SIGNATURE_LEN];
} load;


void
load_die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(2);
}


static void
load_date(char date[17])
{
    time_t     now;
    struct tm  tm;

    now = time(NULL);
    (void) strftime(date, 17, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
}


static chorus_str_t
load_payload(chorus_str_t body)
{
    char           hex[2 * CHORUS_SHA256_LEN];
    unsigned char  sha256[CHORUS_SHA256_LEN];

    if (load.r->is_chunked) {
        return chorus_str(LOAD_CHUNKED);
    }

    if (body.len == 0) {
        return chorus_str(CHORUS_EMPTY_SHA256);
    }

    if (!chorus_sha256(load.crypto, body, sha256)) {
        load_die("SHA-256");
    }

    chorus_hex(hex, sha256, sizeof(sha256));

    return chorus_str_dup(&load.mem, (chorus_str_t) { hex, sizeof(hex) });
}


static chorus_str_t
load_sign(const char *path, const chorus_header_t *headers, size_t n,
    chorus_str_t date, chorus_str_t payload)
{
    chorus_uri_t            uri;
    chorus_error_t          error;
    chorus_sigv4_signer_t   signer = {
        .mem = &load.mem, .crypto = load.crypto, .keys = load.signing,
        .access_key = load.r->access_key, .secret_key = load.r->secret_key,
        .region = chorus_str(LOAD_REGION),
    };
    chorus_sigv4_request_t  request = {
        .method = chorus_str_from(load.r->method), .uri = &uri,
        .headers = headers, .nheaders = n, .payload = payload,
    };

    if (chorus_uri_parse(&load.mem, chorus_str_from(path), &uri, &error)
        != CHORUS_OK)
    {
        load_die(error.text);
    }

    return chorus_sigv4_sign(&signer, &request, date);
}


static uint64_t
load_encoded_len(void)
{
    char      size[32];
    size_t    left, n;
    uint64_t  len;

    for (len = 0, left = load.r->body_len;; left -= n) {
        n = left < LOAD_CHUNK ? left : LOAD_CHUNK;
        len += (uint64_t) snprintf(size, sizeof(size), "%zx", n)
               + strlen(";chunk-signature=") + CHORUS_SIGNATURE_LEN + n + 4;
        if (n == 0) {
            return len;
        }
    }
}


static void
load_request(size_t i, chorus_str_t date, chorus_str_t payload)
{
    int              len;
    char             path[256], head[LOAD_HEAD_MAX], decoded[32];
    size_t           n;
    chorus_str_t     authorization;
    chorus_header_t  headers[4];

    if (load.r->ndeletes != 0) {
        (void) snprintf(path, sizeof(path), "/%s?delete", load.r->bucket);

    } else {
        (void) snprintf(path, sizeof(path), "/%s/load/%zu%s%s", load.r->bucket,
                        i, load.r->query != NULL ? "?" : "",
                        load.r->query != NULL ? load.r->query : "");
    }

    (void) snprintf(decoded, sizeof(decoded), "%zu", load.r->body_len);

    n = 0;
    headers[n++] = (chorus_header_t) { chorus_str("host"),
                                       chorus_str_from(load.r->host) };
    headers[n++] = (chorus_header_t) { chorus_str("x-amz-content-sha256"),
                                       payload };
    headers[n++] = (chorus_header_t) { chorus_str("x-amz-date"), date };

    if (load.r->is_chunked) {
        headers[n++] = (chorus_header_t) {
            chorus_str("x-amz-decoded-content-length"),
            chorus_str_from(decoded)
        };
    }

    authorization = load_sign(path, headers, n, date, payload);
    if (authorization.data == NULL) {
        load_die("signing");
    }

    memcpy(load.seed,
           authorization.data + authorization.len - CHORUS_SIGNATURE_LEN,
           CHORUS_SIGNATURE_LEN);

    len = snprintf(head, sizeof(head),
                   "%s %s HTTP/1.1\r\nHost: %s\r\n"
                   "x-amz-content-sha256: %.*s\r\nx-amz-date: %.*s\r\n"
                   "Authorization: %.*s\r\n%s%s%s",
                   load.r->method, path, load.r->host, chorus_fmt(payload),
                   chorus_fmt(date), chorus_fmt(authorization),
                   load.r->is_chunked ? "Content-Encoding: aws-chunked\r\n"
                                     "x-amz-decoded-content-length: " : "",
                   load.r->is_chunked ? decoded : "",
                   load.r->is_chunked ? "\r\n" : "");

    if (load.r->method[0] == 'P') {
        len += snprintf(head + len, sizeof(head) - len,
                        "Content-Length: %llu\r\n", (unsigned long long)
                        (load.r->is_chunked ? load_encoded_len()
                                            : load.r->bodies[i].len));
    }

    len += snprintf(head + len, sizeof(head) - len, "\r\n");
    load.r->heads[i] = chorus_str_dup(&load.mem,
                                   (chorus_str_t) { head, (size_t) len });
}


/* What the others name, this one does not. */

static chorus_str_t
load_delete(size_t i)
{
    int     n;
    char   *body;
    size_t  k, len, size;

    size = 64 + load.r->ndeletes * 128;
    body = calloc(1, size);
    if (body == NULL) {
        load_die("memory");
    }

    len = (size_t) snprintf(body, size, "<Delete><Quiet>true</Quiet>");

    for (k = 0; k < load.r->ndeletes; k++) {
        n = snprintf(body + len, size - len, "<Object><Key>photos/2024-01-01/"
                     "%022zu</Key></Object>", i * load.r->ndeletes + k);
        len += (size_t) n;
    }

    len += (size_t) snprintf(body + len, size - len, "</Delete>");

    return (chorus_str_t) { body, len };
}


static chorus_str_t
load_body(void)
{
    char    *body;
    size_t   i;

    body = malloc(load.r->body_len + 1);
    if (body == NULL) {
        load_die("memory");
    }

    for (i = 0; i < load.r->body_len; i++) {
        body[i] = (char) (i * 31 + i / 251);
    }

    return (chorus_str_t) { body, load.r->body_len };
}


/* size;chunk-signature=...CRLF data CRLF, each signature over the one before */

static void
load_encode(chorus_str_t date, chorus_str_t *body)
{
    int            n;
    char           text[512], before[CHORUS_SIGNATURE_LEN], *out, *p;
    char           hash[2 * CHORUS_SHA256_LEN];
    size_t         offset, len, size;
    unsigned char  key[CHORUS_SHA256_LEN], sha256[CHORUS_SHA256_LEN];
    chorus_str_t   data;

    size = load_encoded_len();
    out = p = calloc(1, size);

    if (out == NULL
        || !chorus_sigv4_signing_key(load.crypto, load.r->secret_key,
                                     (chorus_str_t) { date.data, 8 },
                                     chorus_str(LOAD_REGION),
                                     chorus_str("s3"), key))
    {
        load_die("aws-chunked");
    }

    memcpy(before, load.seed, sizeof(before));

    for (offset = 0, len = 1; len != 0; offset += len) {
        len = body->len - offset < LOAD_CHUNK ? body->len - offset
                                              : LOAD_CHUNK;
        data = (chorus_str_t) { body->data + offset, len };
        (void) chorus_sha256(load.crypto, data, sha256);
        chorus_hex(hash, sha256, sizeof(sha256));

        n = snprintf(text, sizeof(text),
                     "AWS4-HMAC-SHA256-PAYLOAD\n%.*s\n%.8s/" LOAD_REGION
                     "/s3/aws4_request\n%.*s\n" CHORUS_EMPTY_SHA256 "\n%.*s",
                     chorus_fmt(date), date.data, (int) sizeof(before),
                     before, (int) sizeof(hash), hash);
        (void) chorus_sigv4_signature(load.crypto, key,
                                      (chorus_str_t) { text, (size_t) n },
                                      before);

        p += snprintf(p, size - (size_t) (p - out),
                      "%zx;chunk-signature=%.*s\r\n", len,
                      (int) sizeof(before), before);
        memcpy(p, data.data, len);
        p += len;
        memcpy(p, "\r\n", 2);
        p += 2;
    }

    *body = (chorus_str_t) { out, (size_t) (p - out) };
}


void
load_requests_sign(load_requests_t *requests)
{
    char             date[17];
    size_t           i;
    chorus_str_t     when, body, payload;
    chorus_arena_t  *arena;

    arena = chorus_arena_create();
    load.r = requests;
    load.crypto = chorus_crypto_create();
    load.signing = chorus_key_cache_create();

    requests->nkeys = requests->is_chunked ? 1 : requests->nkeys;
    requests->heads = calloc(requests->nkeys, sizeof(chorus_str_t));
    requests->bodies = calloc(requests->nkeys, sizeof(chorus_str_t));

    if (arena == NULL || load.crypto == NULL || load.signing == NULL
        || requests->heads == NULL || requests->bodies == NULL)
    {
        load_die("memory");
    }

    load.mem = chorus_arena_mem(arena);
    load_date(date);
    when = (chorus_str_t) { date, 16 };
    body = load_body();
    payload = load_payload(body);

    for (i = 0; i < requests->nkeys; i++) {
        requests->bodies[i] = body;

        if (requests->ndeletes != 0) {
            requests->bodies[i] = load_delete(i);
            payload = load_payload(requests->bodies[i]);
        }

        load_request(i, when, payload);
    }

    if (requests->is_chunked) {
        load_encode(when, &requests->bodies[0]);
    }

    chorus_key_cache_destroy(load.signing);
    chorus_crypto_destroy(load.crypto);
}
