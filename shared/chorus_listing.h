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


typedef struct chorus_folded_s  chorus_folded_t;    /* chorus_fold.h */

typedef struct {
    chorus_str_t            key;
    uint64_t                size;       /* bytes */
    chorus_str_t            etag;       /* without quotes; may be empty
                                         * (Ceph) */
    chorus_str_t            modified;   /* "2024-01-31T12:00:00.000Z"; may be
                                         * "" */
    const chorus_folded_t  *history;    /* all versions; NULL: only what is
                                         * current was listed */
} chorus_listed_t;

typedef struct {
    chorus_listed_t  *entries;      /* of chorus_listed_t */
    size_t            n;
    bool              is_truncated; /* there may be more behind the last one */
    chorus_str_t      next;         /* NextMarker; null: only the last key says
                                     * where the next page begins */
} chorus_listing_t;


/*
 * <ListBucketResult>.  Keys are decoded when the storage says that it has
 * encoded them (EncodingType); '+' is a space then.  Views live in `mem`.
 * Of more entries than the limit the first ones are taken, and the rest is
 * left to the next page; so is all behind one that does not say whether it is
 * truncated.  A page may be empty and truncated.
 * Refuses, CHORUS_ERROR with `error`: another document, a size that is none,
 * an entry without a key or size, a key that is not encoded though the storage
 * says so.
 */
chorus_rc_t chorus_listing_parse(chorus_mem_t *mem, chorus_str_t body,
    chorus_listing_t *listing, chorus_error_t *error);

/* The marker itself, which some storages list once more, and all but the last
 * of entries with one key are left out. */
void chorus_listing_tidy(chorus_listing_t *listing, chorus_str_t after);

typedef enum {
    CHORUS_ORDER_BYTES = 0,
    CHORUS_ORDER_UTF16,         /* not by bytes, but by units of UTF-16 */
    CHORUS_ORDER_NONE
} chorus_order_t;

/* By what the keys of a page, behind `after`, ascend. */
chorus_order_t chorus_listing_order(const chorus_listing_t *listing,
    chorus_str_t after);

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
