/*
 * The histories of a bucket, page by page as ListObjectVersions gives them,
 * folded into one entry a key: two storages are compared key by key like two
 * listings of objects (chorus_join.h), in the memory of one page however long
 * a history is.
 */

#ifndef CHORUS_FOLD_H
#define CHORUS_FOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "chorus_crypto.h"
#include "chorus_error.h"
#include "chorus_listing.h"
#include "chorus_mem.h"
#include "chorus_str.h"
#include "chorus_versions.h"

#define CHORUS_FOLD_KEY_MAX  2048
#define CHORUS_FOLD_ID_MAX   512
/* of one key: a storage that goes in circles ends somewhere */
#define CHORUS_FOLD_MAX      10000000
#define CHORUS_FOLD_ETAG     48


/* What is known of a history, newest first. */
struct chorus_folded_s {
    unsigned char  content[CHORUS_SHA256_LEN];  /* sizes, ETags, markers */
    unsigned char  run[CHORUS_SHA256_LEN];      /* the same; markers in a row
                                                 * are one */
    unsigned char  ids[CHORUS_SHA256_LEN];      /* ids, sizes, markers */
    unsigned char  sizes[CHORUS_SHA256_LEN];    /* sizes, markers in a row */
    uint64_t       nversions;                   /* markers included */
    uint64_t       nmarkers;
    uint64_t       null_at;     /* place of the null version, as `run` has it;
                                 * 0: there is none */
    uint64_t       nplaces;
    uint64_t       bytes;       /* of all versions */
    bool           is_marker;   /* the last one that was added */
    bool           has_unknown; /* an ETag is not listed */
    char           etag[CHORUS_FOLD_ETAG];      /* of the newest, cut */
    size_t         etag_len;
};

void chorus_folded_begin(chorus_folded_t *folded);
/* The next older version.  false: OpenSSL failed, or an id or ETag is longer
 * than any is. */
bool chorus_folded_add(chorus_crypto_t *crypto, chorus_folded_t *folded,
    const chorus_version_t *version);

typedef enum {
    CHORUS_FOLDED_EQUAL = 0,
    CHORUS_FOLDED_DIFFERENT,
    CHORUS_FOLDED_UNSURE        /* but for ETags that are not listed */
} chorus_folded_rc_t;

/*
 * As chorus_history_compare() would find nothing to do, from listings alone:
 * by ids, where the follower keeps main's; else contents in the same order.
 * Of several markers in a row the follower may have fewer, and its null
 * version only stands for main's.
 */
chorus_folded_rc_t chorus_folded_compare(const chorus_folded_t *ours,
    const chorus_folded_t *theirs);


/* A listing on its way.  Zero, but for `crypto`, at its begin. */
typedef struct {
    chorus_crypto_t  *crypto;
    /* the key whose versions may not all be read */
    chorus_folded_t   open;
    bool              is_open;
    char              key[CHORUS_FOLD_KEY_MAX];
    size_t            key_len;
    /* with which the next page begins; none before the first page */
    bool              is_paged;
    char              id[CHORUS_FOLD_ID_MAX];
    size_t            id_len;
    /* behind which it is to be asked for: the last version but one */
    char              marker_key[CHORUS_FOLD_KEY_MAX];
    size_t            marker_key_len;
    char              marker_id[CHORUS_FOLD_ID_MAX];
    size_t            marker_id_len;
} chorus_fold_t;

/*
 * Takes a page and gives the keys that are complete, size: of all versions,
 * etag: of the newest.  `after` is where the listing began; its own versions
 * are left out.  Pages overlap by one version: where that is missing, one went
 * meanwhile, and the listing has to begin anew (Ceph 16 says nothing of that).
 * CHORUS_ERROR: that, `*is_gone`; or keys that do not ascend, a page that would
 * never end, keys or ids that are too long.
 */
chorus_rc_t chorus_fold_page(chorus_mem_t *mem, chorus_fold_t *fold,
    const chorus_version_page_t *page, chorus_str_t after,
    chorus_listing_t *listing, bool *is_gone, chorus_error_t *error);


#endif
