#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "checksum.h"
#include "chorus_rfc2047.h"
#include "lock.h"
#include "object.h"

/* S3: at most 10,000 parts */
#define OBJECT_PARTS_MAX  10000


/* Kept as they are; x-amz-meta-* besides.  Storage class, lock and checksum
 * are kept apart, since a follower may not have them. */

static const char *const  object_headers[] = {
    "Content-Type",
    "Content-Encoding",
    "Content-Disposition",
    "Content-Language",
    "Cache-Control",
    "Expires",
    "x-amz-website-redirect-location",
};


static bool
object_keeps(chorus_str_t name)
{
    size_t  i;

    if (chorus_str_casestarts(name, chorus_str("x-amz-meta-"))) {
        return true;
    }

    for (i = 0; i < sizeof(object_headers) / sizeof(object_headers[0]); i++) {
        if (chorus_str_caseeq(name, chorus_str_from(object_headers[i]))) {
            return true;
        }
    }

    return false;
}


static int
object_compare_names(chorus_str_t a, chorus_str_t b)
{
    int     order;
    size_t  n;

    n = a.len < b.len ? a.len : b.len;

    order = strncasecmp(a.data, b.data, n);
    if (order != 0) {
        return order;
    }

    return a.len < b.len ? -1 : a.len > b.len;
}


static int
object_compare_headers(const void *one, const void *two)
{
    int                     order;
    const chorus_header_t  *a = one, *b = two;

    order = object_compare_names(a->name, b->name);

    return order != 0 ? order : chorus_str_cmp(a->value, b->value);
}


static bool
object_keep_headers(object_t *object, chorus_mem_t *mem,
    const s3_response_t *response)
{
    size_t                  i;
    chorus_header_t        *kept;
    const chorus_header_t  *h;

    object->kept = chorus_calloc(mem, (response->nheaders + 1)
                                      * sizeof(chorus_header_t));
    if (object->kept == NULL) {
        return false;
    }

    for (i = 0; i < response->nheaders; i++) {
        h = &response->headers[i];

        if (!object_keeps(h->name)) {
            continue;
        }

        kept = &object->kept[object->nkept++];
        kept->name = chorus_str_dup(mem, h->name);
        kept->value = chorus_str_dup(mem, h->value);

        if (kept->name.data == NULL || kept->value.data == NULL) {
            return false;
        }
    }

    qsort(object->kept, object->nkept, sizeof(chorus_header_t),
          object_compare_headers);

    return true;
}


bool
object_etag_is_md5(chorus_str_t etag, unsigned char md5[CHORUS_MD5_LEN])
{
    int     high, low;
    size_t  i;

    if (etag.len != 2 * CHORUS_MD5_LEN) {
        return false;
    }

    for (i = 0; i < CHORUS_MD5_LEN; i++) {
        high = chorus_hex_digit(etag.data[2 * i]);
        low = chorus_hex_digit(etag.data[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        md5[i] = (unsigned char) (high << 4 | low);
    }

    return true;
}


/* "9b2cf535f27731c974343645a3985328-3": 3 */

static unsigned
object_etag_parts(chorus_str_t etag)
{
    uint64_t       n;
    chorus_str_t   rest, digest;
    unsigned char  md5[CHORUS_MD5_LEN];

    rest = etag;
    digest = chorus_str_cut(&rest, '-');

    if (!object_etag_is_md5(digest, md5) || !chorus_str_to_u64(rest, &n)
        || n == 0 || n > OBJECT_PARTS_MAX)
    {
        return 0;
    }

    return (unsigned) n;
}


bool
object_is_sealed(const s3_response_t *response)
{
    chorus_str_t  sse;

    sse = s3_response_header(response, "x-amz-server-side-encryption");

    return chorus_str_starts(sse, chorus_str("aws:kms"))
           || s3_response_header(response,
                  "x-amz-server-side-encryption-customer-algorithm").len != 0;
}


bool
object_read(object_t *object, chorus_mem_t *mem,
    const s3_response_t *response)
{
    chorus_str_t  value;

    memset(object, 0, sizeof(object_t));

    object->etag = chorus_str_dup(mem, s3_response_etag(response));

    if (object->etag.len == 0
        || !s3_response_length(response, &object->size)
        || !object_keep_headers(object, mem, response)
        || !lock_read(&object->lock, mem, response)
        || !checksum_read(&object->checksum, mem, response))
    {
        return false;
    }

    object->nparts = object_etag_parts(object->etag);
    object->is_sealed = object_is_sealed(response);
    object->is_md5 = object_etag_is_md5(object->etag, object->md5)
                     && !object->is_sealed;

    value = s3_response_header(response, "x-amz-storage-class");
    if (value.len != 0) {
        object->storage_class = chorus_str_dup(mem, value);
    }

    value = s3_response_header(response, "x-amz-tagging-count");
    (void) chorus_str_to_u64(value, &object->ntags);

    return true;
}


bool
object_same_content(const object_t *a, const object_t *b)
{
    return a->size == b->size && chorus_str_eq(a->etag, b->etag);
}


static bool
object_same_header(chorus_mem_t *mem, const chorus_header_t *a,
    const chorus_header_t *b, bool is_by_meaning)
{
    return object_compare_headers(a, b) == 0
           || (is_by_meaning && object_compare_names(a->name, b->name) == 0
               && chorus_str_eq(chorus_rfc2047_decode(mem, a->value),
                                chorus_rfc2047_decode(mem, b->value)));
}


bool
object_same_headers(chorus_mem_t *mem, const object_t *a, const object_t *b,
    bool is_by_meaning)
{
    size_t  i;

    if (a->nkept != b->nkept) {
        return false;
    }

    for (i = 0; i < a->nkept; i++) {
        if (!object_same_header(mem, &a->kept[i], &b->kept[i],
                                is_by_meaning))
        {
            return false;
        }
    }

    return true;
}
