/* Histories, one entry a key. */

#include <string.h>

#include "chorus_fold.h"

#define FOLD_RECORD  (CHORUS_SHA256_LEN + 2 * CHORUS_FOLD_ID_MAX + 32)


/* ---- one history ---- */


void
chorus_folded_begin(chorus_folded_t *folded)
{
    memset(folded, 0, sizeof(chorus_folded_t));
}


/* sum = SHA-256(sum, size, a, '\0', b); a marker has the size of none. */
static bool
folded_chain(chorus_crypto_t *crypto, unsigned char *sum, uint64_t size,
    chorus_str_t a, chorus_str_t b)
{
    char    record[FOLD_RECORD];
    size_t  len;

    memcpy(record, sum, CHORUS_SHA256_LEN);
    len = CHORUS_SHA256_LEN;

    memcpy(record + len, &size, sizeof(uint64_t));
    len += sizeof(uint64_t);

    if (a.len != 0) {
        memcpy(record + len, a.data, a.len);
        len += a.len;
    }

    record[len++] = '\0';

    if (b.len != 0) {
        memcpy(record + len, b.data, b.len);
        len += b.len;
    }

    return chorus_sha256(crypto, (chorus_str_t) { record, len }, sum);
}


static bool
folded_is_null(const chorus_version_t *version)
{
    return chorus_str_eq(version->id, chorus_str(CHORUS_NULL_VERSION));
}


static void
folded_note(chorus_folded_t *folded, const chorus_version_t *version)
{
    if (folded->nversions++ == 0) {
        folded->etag_len = version->etag.len < CHORUS_FOLD_ETAG
                           ? version->etag.len : CHORUS_FOLD_ETAG;
        if (folded->etag_len != 0) {
            memcpy(folded->etag, version->etag.data, folded->etag_len);
        }
    }

    folded->bytes += version->is_marker ? 0 : version->size;
    folded->nmarkers += version->is_marker;
    folded->has_unknown |= !version->is_marker && version->etag.len == 0;
}


bool
chorus_folded_add(chorus_crypto_t *crypto, chorus_folded_t *folded,
    const chorus_version_t *version)
{
    bool          is_repeated;
    uint64_t      size;
    chorus_str_t  etag;

    if (version->id.len > CHORUS_FOLD_ID_MAX
        || version->etag.len > CHORUS_FOLD_ID_MAX)
    {
        return false;
    }

    is_repeated = folded->is_marker && version->is_marker;
    size = version->is_marker ? UINT64_MAX : version->size;
    etag = version->is_marker ? chorus_null_str : version->etag;

    folded_note(folded, version);
    folded->is_marker = version->is_marker;
    folded->nplaces += !is_repeated;

    if (folded_is_null(version)) {
        folded->null_at = folded->nplaces;
    }

    /* only the null version may be another by now under the same id */
    return folded_chain(crypto, folded->content, size, etag, chorus_null_str)
           && folded_chain(crypto, folded->ids, size, version->id,
                           folded_is_null(version) ? etag : chorus_null_str)
           && (is_repeated
               || (folded_chain(crypto, folded->run, size, etag,
                                chorus_null_str)
                   && folded_chain(crypto, folded->sizes, size,
                                   chorus_null_str, chorus_null_str)));
}


static bool
folded_same(const unsigned char *a, const unsigned char *b)
{
    return memcmp(a, b, CHORUS_SHA256_LEN) == 0;
}


chorus_folded_rc_t
chorus_folded_compare(const chorus_folded_t *ours,
    const chorus_folded_t *theirs)
{
    bool  is_same;

    if (folded_same(ours->ids, theirs->ids)
        && (theirs->null_at == 0 || !theirs->has_unknown))
    {
        return CHORUS_FOLDED_EQUAL;
    }

    /* the next null version would replace it */
    if (theirs->null_at != 0 && theirs->null_at != ours->null_at) {
        return CHORUS_FOLDED_DIFFERENT;
    }

    if (ours->has_unknown || theirs->has_unknown) {
        return folded_same(ours->sizes, theirs->sizes)
               && theirs->nmarkers <= ours->nmarkers
               ? CHORUS_FOLDED_UNSURE : CHORUS_FOLDED_DIFFERENT;
    }

    is_same = folded_same(ours->content, theirs->content)
              || (theirs->nmarkers < ours->nmarkers
                  && folded_same(ours->run, theirs->run));

    return is_same ? CHORUS_FOLDED_EQUAL : CHORUS_FOLDED_DIFFERENT;
}


/* ---- pages ---- */


typedef struct {
    chorus_mem_t      *mem;
    chorus_fold_t     *fold;
    chorus_listing_t  *listing;
    chorus_folded_t   *folded;      /* of chorus_folded_t, as the entries */
    chorus_str_t       after;
    chorus_error_t    *error;
} fold_page_t;


static bool
fold_keep(char *to, size_t *to_len, size_t size, chorus_str_t s)
{
    if (s.len > size) {
        return false;
    }

    if (s.len != 0) {
        memcpy(to, s.data, s.len);
    }

    *to_len = s.len;

    return true;
}


static chorus_str_t
fold_key(const chorus_fold_t *fold)
{
    return (chorus_str_t) { fold->key, fold->key_len };
}


/* The open key is complete. */
static chorus_rc_t
fold_close(fold_page_t *p)
{
    chorus_listed_t  *entry;
    chorus_folded_t  *folded;
    chorus_fold_t    *fold = p->fold;

    if (!fold->is_open) {
        return CHORUS_OK;
    }

    fold->is_open = false;

    if (p->after.len != 0 && chorus_str_eq(fold_key(fold), p->after)) {
        return CHORUS_OK;
    }

    entry = &p->listing->entries[p->listing->n];
    folded = &p->folded[p->listing->n];
    *folded = fold->open;

    memset(entry, 0, sizeof(chorus_listed_t));
    entry->key = chorus_str_dup(p->mem, fold_key(fold));
    entry->size = folded->bytes;
    entry->etag = (chorus_str_t) { folded->etag, folded->etag_len };
    entry->history = folded;

    if (entry->key.data == NULL) {
        return CHORUS_NOMEM;
    }

    p->listing->n++;

    return CHORUS_OK;
}


static chorus_rc_t
fold_open(fold_page_t *p, chorus_str_t key)
{
    chorus_fold_t  *fold = p->fold;

    if (chorus_str_cmp(key, p->after) < 0
        || (fold->key_len != 0 && chorus_str_cmp(key, fold_key(fold)) <= 0))
    {
        return chorus_error_set(p->error, "its keys are not in the order of "
                                "their bytes");
    }

    if (!fold_keep(fold->key, &fold->key_len, sizeof(fold->key), key)) {
        return chorus_error_set(p->error, "a key of more than %d bytes",
                                CHORUS_FOLD_KEY_MAX);
    }

    fold->is_open = true;
    chorus_folded_begin(&fold->open);

    return CHORUS_OK;
}


static chorus_rc_t
fold_version(fold_page_t *p, const chorus_version_t *version)
{
    chorus_rc_t     rc;
    chorus_fold_t  *fold = p->fold;

    if (!fold->is_open || !chorus_str_eq(version->key, fold_key(fold))) {

        rc = fold_close(p);
        if (rc == CHORUS_OK) {
            rc = fold_open(p, version->key);
        }
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    if (!chorus_folded_add(fold->crypto, &fold->open, version)) {
        return chorus_error_set(p->error, "a version with an id or ETag of "
                                "more than %d bytes", CHORUS_FOLD_ID_MAX);
    }

    return fold->open.nversions <= CHORUS_FOLD_MAX ? CHORUS_OK
           : chorus_error_set(p->error, "a key of more than %d versions",
                              CHORUS_FOLD_MAX);
}


/* Where the next page is to begin, and with what. */
static chorus_rc_t
fold_mark(fold_page_t *p, const chorus_history_t *history)
{
    bool                     is_kept;
    chorus_fold_t           *fold = p->fold;
    const chorus_version_t  *last, *before;

    if (history->nversions < 2) {
        return chorus_error_set(p->error, "a page of less than two versions "
                                "that is not the last");
    }

    last = &history->versions[history->nversions - 1];
    before = last - 1;

    is_kept = fold_keep(fold->id, &fold->id_len, sizeof(fold->id), last->id)
              && fold_keep(fold->marker_id, &fold->marker_id_len,
                           sizeof(fold->marker_id), before->id)
              && fold_keep(fold->marker_key, &fold->marker_key_len,
                           sizeof(fold->marker_key), before->key);
    fold->is_paged = true;

    return is_kept ? CHORUS_OK
                   : chorus_error_set(p->error, "a key or id that is too "
                                      "long");
}


static bool
fold_overlaps(const chorus_fold_t *fold, const chorus_history_t *history)
{
    return history->nversions != 0
           && chorus_str_eq(history->versions[0].key, fold_key(fold))
           && chorus_str_eq(history->versions[0].id,
                            (chorus_str_t) { fold->id, fold->id_len });
}


static chorus_rc_t
fold_begin(fold_page_t *p, size_t nversions)
{
    memset(p->listing, 0, sizeof(chorus_listing_t));

    p->listing->entries = chorus_alloc(p->mem, (nversions + 1)
                                               * sizeof(chorus_listed_t));
    p->folded = chorus_alloc(p->mem, (nversions + 1)
                                     * sizeof(chorus_folded_t));

    return p->listing->entries != NULL && p->folded != NULL ? CHORUS_OK
                                                            : CHORUS_NOMEM;
}


chorus_rc_t
chorus_fold_page(chorus_mem_t *mem, chorus_fold_t *fold,
    const chorus_version_page_t *page, chorus_str_t after,
    chorus_listing_t *listing, bool *is_gone, chorus_error_t *error)
{
    size_t                   i;
    chorus_rc_t              rc;
    fold_page_t              p = { mem, fold, listing, NULL, after, error };
    const chorus_history_t  *history = &page->history;

    *is_gone = fold->is_paged && !fold_overlaps(fold, history);

    if (*is_gone) {
        return chorus_error_set(error, "a version went while they were "
                                "listed");
    }

    rc = fold_begin(&p, history->nversions);

    for (i = fold->is_paged ? 1 : 0; rc == CHORUS_OK && i < history->nversions;
         i++)
    {
        rc = fold_version(&p, &history->versions[i]);
    }

    if (rc != CHORUS_OK) {
        return rc;
    }

    listing->is_truncated = page->is_truncated;

    return page->is_truncated ? fold_mark(&p, history) : fold_close(&p);
}
