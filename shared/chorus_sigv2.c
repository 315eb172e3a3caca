/*
 * Signature Version 2: string to sign and signature.
 * [AWS, "Signing and Authenticating REST Requests"]
 */

#include <stdlib.h>
#include <string.h>

#include "chorus_sigv2.h"


/* What the documentation lists, and what the SDKs of AWS and Ceph added to it;
 * sorted by bytes. */
static const char  *const sigv2_signed_args[] = {
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "encryption",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
    NULL
};


static const char  *const sigv2_spared_args[] = {
    "content-md5",              /* of botocore, which signs the header */
    "content-type",             /* likewise */
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "key-marker",
    "list-type",
    "marker",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "prefix",
    "start-after",
    "upload-id-marker",
    "version-id-marker",
    "x-id",                     /* "x-id=GetObject": what an SDK calls it */
    NULL
};


/* one x-amz-* header, or argument of the query in its place */
typedef struct {
    chorus_str_t  name;         /* lower case */
    chorus_str_t  value;
    size_t        at;           /* its place in the request */
} sigv2_header_t;


static bool
sigv2_is_in(const char *const *names, chorus_str_t name)
{
    for ( /* void */ ; *names != NULL; names++) {
        if (chorus_str_eq(name, chorus_str_from(*names))) {
            return true;
        }
    }

    return false;
}


bool
chorus_sigv2_signs(chorus_str_t name)
{
    return sigv2_is_in(sigv2_signed_args, name);
}


bool
chorus_sigv2_spares(chorus_str_t name)
{
    return sigv2_is_in(sigv2_spared_args, name);
}


/* ---- headers ---- */


static chorus_str_t
sigv2_header(const chorus_sigv4_request_t *request, const char *name)
{
    const chorus_header_t  *header;

    header = chorus_header(request->headers, request->nheaders,
                           chorus_str_from(name));

    return header == NULL ? chorus_null_str : chorus_str_trim(header->value);
}


static int
sigv2_header_cmp(const void *one, const void *two)
{
    int                    rc;
    const sigv2_header_t  *a = one;
    const sigv2_header_t  *b = two;

    rc = chorus_str_cmp(a->name, b->name);

    return rc != 0 ? rc : (a->at > b->at) - (a->at < b->at);
}


/* Appends x-amz-* alone; *n is how many there are so far. */
static bool
sigv2_collect(chorus_mem_t *mem, sigv2_header_t *all, size_t *n,
    chorus_str_t name, chorus_str_t value)
{
    char    *data;
    size_t   i;

    if (!chorus_str_casestarts(name, chorus_str("x-amz-"))) {
        return true;
    }

    data = chorus_alloc(mem, name.len);
    if (data == NULL) {
        return false;
    }

    for (i = 0; i < name.len; i++) {
        data[i] = (name.data[i] >= 'A' && name.data[i] <= 'Z')
                  ? (char) (name.data[i] | 0x20) : name.data[i];
    }

    all[*n].name = (chorus_str_t) { data, name.len };
    all[*n].value = chorus_str_trim(value);
    all[*n].at = *n;
    (*n)++;

    return true;
}


static bool
sigv2_collect_all(chorus_mem_t *mem, const chorus_sigv4_request_t *request,
    bool from_query, sigv2_header_t *all, size_t *n)
{
    size_t               i;
    chorus_str_t         value;
    const chorus_uri_t  *uri = request->uri;

    for (i = 0; i < request->nheaders; i++) {
        if (!sigv2_collect(mem, all, n, request->headers[i].name,
                           request->headers[i].value))
        {
            return false;
        }
    }

    for (i = 0; from_query && i < uri->nargs; i++) {
        if (!chorus_uri_decode(mem, uri->args[i].value, &value)
            || !sigv2_collect(mem, all, n, uri->args[i].name, value))
        {
            return false;
        }
    }

    return true;
}


static bool
sigv2_add_headers(chorus_mem_t *mem, chorus_buf_t *buf,
    const chorus_sigv4_request_t *request, bool from_query)
{
    size_t           i, n;
    sigv2_header_t  *all;

    n = request->nheaders + request->uri->nargs + 1;

    all = chorus_alloc(mem, n * sizeof(sigv2_header_t));
    n = 0;

    if (all == NULL || !sigv2_collect_all(mem, request, from_query, all, &n)) {
        return false;
    }

    qsort(all, n, sizeof(sigv2_header_t), sigv2_header_cmp);

    for (i = 0; i < n; i++) {

        if (i != 0 && chorus_str_eq(all[i].name, all[i - 1].name)) {
            chorus_buf_char(buf, ',');

        } else {
            chorus_buf_text(buf, i == 0 ? "" : "\n");
            chorus_buf_add(buf, all[i].name);
            chorus_buf_char(buf, ':');
        }

        chorus_buf_add(buf, all[i].value);
    }

    chorus_buf_text(buf, n == 0 ? "" : "\n");

    return true;
}


/* ---- the resource ---- */


static int
sigv2_arg_cmp(const void *one, const void *two)
{
    const chorus_query_arg_t  *a = one;
    const chorus_query_arg_t  *b = two;

    return chorus_str_cmp(a->name, b->name);
}


static bool
sigv2_add_args(chorus_mem_t *mem, chorus_buf_t *buf, const chorus_uri_t *uri)
{
    size_t               i, n;
    chorus_query_arg_t  *args;

    args = chorus_alloc(mem, (uri->nargs + 1) * sizeof(chorus_query_arg_t));
    if (args == NULL) {
        return false;
    }

    for (i = 0, n = 0; i < uri->nargs; i++) {

        if (!chorus_sigv2_signs(uri->args[i].name)) {
            continue;
        }

        args[n].name = uri->args[i].name;

        if (!chorus_uri_decode(mem, uri->args[i].value, &args[n++].value)) {
            return false;
        }
    }

    qsort(args, n, sizeof(chorus_query_arg_t), sigv2_arg_cmp);

    for (i = 0; i < n; i++) {
        chorus_buf_char(buf, i == 0 ? '?' : '&');
        chorus_buf_add(buf, args[i].name);

        if (args[i].value.len != 0) {
            chorus_buf_char(buf, '=');
            chorus_buf_add(buf, args[i].value);
        }
    }

    return true;
}


chorus_str_t
chorus_sigv2_string_to_sign(chorus_mem_t *mem,
    const chorus_sigv4_request_t *request, chorus_str_t bucket,
    chorus_str_t date, bool from_query)
{
    chorus_buf_t  buf;

    buf = chorus_buf(mem, 512);

    chorus_buf_add(&buf, request->method);
    chorus_buf_char(&buf, '\n');
    chorus_buf_add(&buf, sigv2_header(request, "content-md5"));
    chorus_buf_char(&buf, '\n');
    chorus_buf_add(&buf, sigv2_header(request, "content-type"));
    chorus_buf_char(&buf, '\n');
    chorus_buf_add(&buf, date);
    chorus_buf_char(&buf, '\n');

    if (!sigv2_add_headers(mem, &buf, request, from_query)) {
        return chorus_null_str;
    }

    if (bucket.data != NULL) {
        chorus_buf_char(&buf, '/');
        chorus_buf_add(&buf, bucket);
    }

    chorus_buf_add(&buf, request->uri->path);

    if (!sigv2_add_args(mem, &buf, request->uri)) {
        return chorus_null_str;
    }

    return chorus_buf_str(&buf);
}


chorus_str_t
chorus_sigv2_signature(chorus_mem_t *mem, chorus_crypto_t *crypto,
    chorus_str_t secret, chorus_str_t string_to_sign)
{
    chorus_str_t   signature;
    unsigned char  mac[CHORUS_SHA1_LEN];

    if (!chorus_hmac_sha1(crypto, secret, string_to_sign, mac)) {
        return chorus_null_str;
    }

    signature = chorus_base64(mem, mac, sizeof(mac));
    chorus_secret_wipe(mac, sizeof(mac));

    return signature;
}
