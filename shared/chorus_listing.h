/*
 * One page of a listing of objects (ListObjects, both versions of it), and
 * the list of buckets.
 */

#ifndef CHORUS_LISTING_H
#define CHORUS_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chorus_error.h"
#include "chorus_mem.h"
#include "chorus_str.h"

/* A storage may give fewer than it is asked for, and never more. */
#define CHORUS_LISTING_MAX  1000
#define CHORUS_BUCKETS_MAX  10000


typedef struct {
    chorus_str_t  key;
    uint64_t      size;             /* bytes */
    chorus_str_t  etag;             /* without quotes; may be empty (Ceph) */
    chorus_str_t  modified;         /* "2024-01-31T12:00:00.000Z"; may be "" */
} chorus_listed_t;

typedef struct {
    chorus_listed_t  *entries;      /* of chorus_listed_t */
    size_t            n;
    bool              is_truncated; /* there are more behind the last one */
} chorus_listing_t;


/*
 * <ListBucketResult>.  Keys are decoded when the storage says that it has
 * encoded them (EncodingType); '+' is a space then.  Views live in `mem`.
 * Refuses, CHORUS_ERROR with `error`: another document, a size that is none,
 * an entry without a key or size, more entries than the limit, a page that
 * does not say whether it is the last one, or that is truncated and empty,
 * which would never end.
 */
chorus_rc_t chorus_listing_parse(chorus_mem_t *mem, chorus_str_t body,
    chorus_listing_t *listing, chorus_error_t *error);

/* Whether all keys ascend by bytes and stand behind `after`: else they cannot
 * be compared page by page. */
bool chorus_listing_is_sorted(const chorus_listing_t *listing,
    chorus_str_t after);


typedef struct {
    chorus_str_t  *names;
    size_t         n;
    chorus_str_t   token;           /* of the next page; null: the last one */
} chorus_buckets_t;

/* <ListAllMyBucketsResult> */
chorus_rc_t chorus_buckets_parse(chorus_mem_t *mem, chorus_str_t body,
    chorus_buckets_t *buckets, chorus_error_t *error);


#endif
