/* Listings: of a bucket's objects, of a user's buckets. */

#include <string.h>

#include "chorus_listing.h"
#include "chorus_uri.h"
#include "chorus_xml.h"

/* "<Contents><Key>k</Key><Size>0</Size></Contents>": none takes less */
#define MIN_ENTRY_BYTES   47
#define MIN_BUCKET_BYTES  30


/* What is at hand while a page is read. */
typedef struct {
    chorus_listing_t  *listing;
    size_t             size;            /* room in listing->entries */
    chorus_str_t      *field;           /* that the text is for */
    chorus_str_t       number;          /* the text of Size */
    chorus_str_t       truncated;
    chorus_str_t       encoding;
    bool               is_in_entry;
    bool               is_full;         /* the rest is for the next page */
    bool               is_cleaned;      /* of control characters */
} listing_state_t;


static chorus_rc_t
listing_begin_entry(listing_state_t *state)
{
    chorus_listing_t  *listing = state->listing;

    if (listing->n == state->size) {
        state->is_full = true;
        return CHORUS_OK;
    }

    memset(&listing->entries[listing->n], 0, sizeof(chorus_listed_t));
    state->number = chorus_null_str;
    state->is_in_entry = true;

    return CHORUS_OK;
}


/* Where the text of this element goes; NULL: nowhere. */
static chorus_str_t *
listing_field(const chorus_xml_reader_t *reader, listing_state_t *state)
{
    chorus_listed_t  *entry = &state->listing->entries[state->listing->n];

    if (!state->is_in_entry) {
        return chorus_xml_is_at(reader, 2, "ListBucketResult", "IsTruncated")
               ? &state->truncated
               : chorus_xml_is_at(reader, 2, "ListBucketResult",
                                  "EncodingType")
               ? &state->encoding
               : chorus_xml_is_at(reader, 2, "ListBucketResult",
                                  "NextMarker")
               ? &state->listing->next : NULL;
    }

    return chorus_xml_is_at(reader, 3, "Contents", "Key") ? &entry->key
           : chorus_xml_is_at(reader, 3, "Contents", "Size") ? &state->number
           : chorus_xml_is_at(reader, 3, "Contents", "ETag") ? &entry->etag
           : chorus_xml_is_at(reader, 3, "Contents", "LastModified")
           ? &entry->modified : NULL;
}


static chorus_rc_t
listing_start(chorus_xml_reader_t *reader, chorus_str_t name)
{
    listing_state_t  *state = reader->data;

    (void) name;

    if (reader->keeps_text) {
        return chorus_error_set(reader->error, "an element inside a text");
    }

    if (chorus_xml_is_at(reader, 2, "ListBucketResult", "Contents")) {
        return listing_begin_entry(state);
    }

    state->field = listing_field(reader, state);

    if (state->field != NULL) {
        if (state->field->data != NULL) {
            return chorus_error_set(reader->error, "an element twice");
        }
        chorus_xml_keep_text(reader);
    }

    return CHORUS_OK;
}


/* AWS quotes entity tags, others do not. */
static chorus_str_t
listing_unquote(chorus_str_t etag)
{
    if (etag.len >= 2 && etag.data[0] == '"'
        && etag.data[etag.len - 1] == '"')
    {
        etag.data++;
        etag.len -= 2;
    }

    return etag;
}


static chorus_rc_t
listing_end_entry(chorus_xml_reader_t *reader, listing_state_t *state)
{
    chorus_listed_t  *entry = &state->listing->entries[state->listing->n];

    state->is_in_entry = false;

    if (entry->key.len == 0) {
        return chorus_error_set(reader->error, "an object without a Key");
    }

    if (!chorus_str_to_u64(state->number, &entry->size)) {
        return chorus_error_set(reader->error, "an object without a Size");
    }

    entry->etag = listing_unquote(entry->etag);
    state->listing->n++;

    return CHORUS_OK;
}


static chorus_rc_t
listing_end(chorus_xml_reader_t *reader, chorus_str_t name)
{
    listing_state_t  *state = reader->data;

    (void) name;

    if (reader->keeps_text) {
        reader->keeps_text = false;
        *state->field = chorus_buf_str(&reader->text);

        /* an empty text is there all the same */
        if (state->field->data == NULL) {
            *state->field = chorus_str("");
        }

        return CHORUS_OK;
    }

    return state->is_in_entry && reader->depth == 2
           ? listing_end_entry(reader, state) : CHORUS_OK;
}


/* What no encoder leaves as it is: the storage only says that it encodes. */
static bool
listing_is_bare(chorus_str_t key)
{
    size_t  i;

    for (i = 0; i < key.len; i++) {
        if ((unsigned char) key.data[i] <= ' '
            || (unsigned char) key.data[i] >= 0x7f)
        {
            return true;
        }
    }

    return false;
}


/* "a+b%2Bc" is "a b+c"; all storages that encode write a space as '+' or
 * %20. */
static bool
listing_decode(chorus_mem_t *mem, chorus_str_t *key)
{
    char    *copy;
    size_t   i;

    if (listing_is_bare(*key)) {
        return false;
    }

    if (memchr(key->data, '+', key->len) != NULL) {

        copy = chorus_alloc(mem, key->len);
        if (copy == NULL) {
            return false;
        }

        for (i = 0; i < key->len; i++) {
            copy[i] = key->data[i];
            if (copy[i] == '+') {
                copy[i] = ' ';
            }
        }

        key->data = copy;
    }

    return chorus_uri_decode(mem, *key, key);
}


/* One that does not say whether there is more is asked again behind the last
 * key, until nothing comes. */
static chorus_rc_t
listing_truncated(const listing_state_t *state, chorus_error_t *error)
{
    chorus_listing_t  *listing = state->listing;

    if (state->truncated.data == NULL) {
        listing->is_truncated = listing->n != 0;

    } else if (chorus_str_eq(state->truncated, chorus_str("true"))) {
        listing->is_truncated = true;

    } else if (!chorus_str_eq(state->truncated, chorus_str("false"))) {
        return chorus_error_set(error, "IsTruncated is neither true nor "
                                "false");
    }

    if (state->is_full) {
        listing->is_truncated = true;
        listing->next = chorus_null_str;
    }

    return CHORUS_OK;
}


static chorus_rc_t
listing_finish(chorus_mem_t *mem, const listing_state_t *state,
    chorus_error_t *error)
{
    size_t             i;
    chorus_listing_t  *listing = state->listing;

    if (listing_truncated(state, error) != CHORUS_OK) {
        return CHORUS_ERROR;
    }

    /* Ceph does not encode it; behind entries nobody needs it */
    if (listing->n != 0 || state->is_cleaned) {
        listing->next = chorus_null_str;
    }

    if (!chorus_str_eq(state->encoding, chorus_str("url"))) {
        return state->is_cleaned
               ? chorus_error_set(error, "control characters, and keys that "
                                  "are not encoded")
               : CHORUS_OK;
    }

    if (listing->next.len != 0 && !listing_decode(mem, &listing->next)) {
        return chorus_error_set(error, "a NextMarker that is not encoded "
                                "right");
    }

    for (i = 0; i < listing->n; i++) {
        if (!listing_decode(mem, &listing->entries[i].key)) {
            return chorus_error_set(error, "a Key that is not encoded right");
        }
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_listing_parse(chorus_mem_t *mem, chorus_str_t body,
    chorus_listing_t *listing, chorus_error_t *error)
{
    chorus_rc_t          rc;
    chorus_str_t         clean;
    listing_state_t      state;
    chorus_xml_reader_t  reader;

    memset(listing, 0, sizeof(chorus_listing_t));
    memset(&reader, 0, sizeof(chorus_xml_reader_t));
    memset(&state, 0, sizeof(listing_state_t));

    state.listing = listing;
    state.size = body.len / MIN_ENTRY_BYTES + 1;

    if (state.size > CHORUS_LISTING_MAX) {
        state.size = CHORUS_LISTING_MAX;
    }

    /* one more: what is behind the last is looked at, too */
    listing->entries = chorus_calloc(mem, (state.size + 1)
                                          * sizeof(chorus_listed_t));
    if (listing->entries == NULL) {
        return CHORUS_NOMEM;
    }

    reader.mem = mem;
    reader.error = error;
    reader.root = "ListBucketResult";
    reader.start = listing_start;
    reader.end = listing_end;
    reader.data = &state;

    clean = chorus_xml_clean(mem, body);
    if (clean.data == NULL && body.data != NULL) {
        return CHORUS_NOMEM;
    }

    state.is_cleaned = clean.data != body.data;
    rc = chorus_xml_read(&reader, clean);

    return rc == CHORUS_OK ? listing_finish(mem, &state, error) : rc;
}


void
chorus_listing_tidy(chorus_listing_t *listing, chorus_str_t after)
{
    size_t  i, n;

    n = 0;

    for (i = 0; i < listing->n; i++) {

        if (n == 0 && after.len != 0
            && chorus_str_eq(listing->entries[i].key, after))
        {
            continue;
        }

        if (n != 0 && chorus_str_eq(listing->entries[n - 1].key,
                                    listing->entries[i].key))
        {
            n--;
        }

        listing->entries[n++] = listing->entries[i];
    }

    listing->n = n;
}


/* In the order of UTF-16 those above U+FFFF, whose lead byte in UTF-8 is 0xf0
 * and up, come before U+E000 to U+FFFF, which begin with 0xee and 0xef. */
static unsigned
listing_utf16_rank(unsigned char c)
{
    return c >= 0xf0 ? c - 2u : c >= 0xee ? c + 0x20u : c;
}


static int
listing_utf16_cmp(chorus_str_t a, chorus_str_t b)
{
    size_t         i;
    unsigned char  x, y;

    for (i = 0; i < a.len && i < b.len; i++) {
        x = (unsigned char) a.data[i];
        y = (unsigned char) b.data[i];

        if (x != y) {
            return listing_utf16_rank(x) < listing_utf16_rank(y) ? -1 : 1;
        }
    }

    return a.len < b.len ? -1 : a.len > b.len;
}


chorus_order_t
chorus_listing_order(const chorus_listing_t *listing, chorus_str_t after)
{
    bool    is_utf16;
    size_t  i;

    if (chorus_listing_is_sorted(listing, after)) {
        return CHORUS_ORDER_BYTES;
    }

    is_utf16 = true;

    for (i = 0; i < listing->n; i++) {

        if (listing_utf16_cmp(listing->entries[i].key, after) <= 0) {
            is_utf16 = false;
        }

        after = listing->entries[i].key;
    }

    return is_utf16 ? CHORUS_ORDER_UTF16 : CHORUS_ORDER_NONE;
}


bool
chorus_listing_is_sorted(const chorus_listing_t *listing, chorus_str_t after)
{
    size_t  i;

    for (i = 0; i < listing->n; i++) {

        if (chorus_str_cmp(listing->entries[i].key, after) <= 0) {
            return false;
        }

        after = listing->entries[i].key;
    }

    return true;
}


/* ---- buckets ---- */


typedef struct {
    chorus_buckets_t  *buckets;
    size_t             size;            /* room in buckets->names */
    bool               is_token;
} buckets_state_t;


static chorus_rc_t
buckets_start(chorus_xml_reader_t *reader, chorus_str_t name)
{
    buckets_state_t  *state = reader->data;

    (void) name;

    if (reader->keeps_text) {
        return chorus_error_set(reader->error, "an element inside a text");
    }

    if (chorus_xml_is_at(reader, 4, "Bucket", "Name")) {

        if (state->buckets->n == state->size) {
            return chorus_error_set(reader->error, "more than %d buckets",
                                    CHORUS_BUCKETS_MAX);
        }

        state->is_token = false;
        chorus_xml_keep_text(reader);

    } else if (chorus_xml_is_at(reader, 2, "ListAllMyBucketsResult",
                                "ContinuationToken"))
    {
        state->is_token = true;
        chorus_xml_keep_text(reader);
    }

    return CHORUS_OK;
}


static chorus_rc_t
buckets_end(chorus_xml_reader_t *reader, chorus_str_t name)
{
    chorus_str_t       text;
    buckets_state_t   *state = reader->data;

    (void) name;

    if (!reader->keeps_text) {
        return CHORUS_OK;
    }

    reader->keeps_text = false;
    text = chorus_buf_str(&reader->text);

    if (state->is_token) {
        state->buckets->token = text.len == 0 ? chorus_null_str : text;

    } else if (text.len == 0) {
        return chorus_error_set(reader->error, "a Bucket without a Name");

    } else {
        state->buckets->names[state->buckets->n++] = text;
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_buckets_parse(chorus_mem_t *mem, chorus_str_t body,
    chorus_buckets_t *buckets, chorus_error_t *error)
{
    buckets_state_t      state;
    chorus_xml_reader_t  reader;

    memset(buckets, 0, sizeof(chorus_buckets_t));
    memset(&reader, 0, sizeof(chorus_xml_reader_t));
    memset(&state, 0, sizeof(buckets_state_t));

    state.buckets = buckets;
    state.size = body.len / MIN_BUCKET_BYTES + 1;

    if (state.size > CHORUS_BUCKETS_MAX) {
        state.size = CHORUS_BUCKETS_MAX;
    }

    buckets->names = chorus_alloc(mem, state.size * sizeof(chorus_str_t));
    if (buckets->names == NULL) {
        return CHORUS_NOMEM;
    }

    reader.mem = mem;
    reader.error = error;
    reader.root = "ListAllMyBucketsResult";
    reader.start = buckets_start;
    reader.end = buckets_end;
    reader.data = &state;

    return chorus_xml_read(&reader, body);
}
