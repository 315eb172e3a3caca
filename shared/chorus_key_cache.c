/*
 * Derived signing keys.  A key is worth four HMACs and good for a day.  Only
 * keys that proved right are stored, so a stranger cannot push them out.
 */

#include <stdlib.h>
#include <string.h>

#include "chorus_sigv4.h"

#define CACHE_SET_BITS     6
#define CACHE_SETS         (1 << CACHE_SET_BITS)
#define CACHE_WAYS         4
#define CACHE_NAME_BYTES   128          /* longer ones are not cached */


typedef struct {
    uint64_t       hash;                /* 0: empty */
    uint16_t       access_key_len;
    uint16_t       secret_len;
    uint16_t       region_len;
    char           access_key[CACHE_NAME_BYTES];
    char           secret[CACHE_NAME_BYTES];
    char           region[CACHE_NAME_BYTES];
    char           day[CHORUS_DAY_LEN];
    unsigned char  key[CHORUS_SHA256_LEN];
} cache_entry_t;

struct chorus_key_cache_s {
    cache_entry_t  sets[CACHE_SETS][CACHE_WAYS];    /* newest first */
};


chorus_key_cache_t *
chorus_key_cache_create(void)
{
    return calloc(1, sizeof(chorus_key_cache_t));
}


void
chorus_key_cache_destroy(chorus_key_cache_t *cache)
{
    if (cache != NULL) {
        chorus_secret_wipe(cache, sizeof(chorus_key_cache_t));
        free(cache);
    }
}


/* Eight bytes at a time; the upper bits are the good ones.  [Knuth, The Art of
 * Computer Programming, 6.4: Fibonacci hashing] */
static uint64_t
cache_hash_add(uint64_t hash, chorus_str_t s)
{
    uint64_t  word;

    for ( /* void */ ; s.len >= sizeof(word); s = chorus_str_sub(s, 8)) {
        memcpy(&word, s.data, sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    }

    for ( /* void */ ; s.len != 0; s = chorus_str_sub(s, 1)) {
        hash = (hash ^ (unsigned char) s.data[0])
               * UINT64_C(0x9e3779b97f4a7c15);
    }

    return hash;
}


/* Of what tells most keys apart; all is compared in the end. */
static uint64_t
cache_hash(const chorus_signing_scope_t *scope)
{
    uint64_t  hash;

    hash = cache_hash_add(scope->access_key.len, scope->access_key);
    hash = cache_hash_add(hash, scope->day);

    return hash == 0 ? 1 : hash;
}


static size_t
cache_set(uint64_t hash)
{
    return hash >> (64 - CACHE_SET_BITS);
}


static bool
cache_is_storable(const chorus_signing_scope_t *scope)
{
    return scope->access_key.len <= CACHE_NAME_BYTES
           && scope->secret.len <= CACHE_NAME_BYTES
           && scope->region.len <= CACHE_NAME_BYTES
           && scope->day.len == CHORUS_DAY_LEN;
}


static bool
cache_entry_is(const cache_entry_t *entry, const chorus_signing_scope_t *scope)
{
    return chorus_str_eq(scope->access_key,
               (chorus_str_t) { entry->access_key, entry->access_key_len })
           && chorus_str_eq(scope->region,
               (chorus_str_t) { entry->region, entry->region_len })
           && chorus_str_eq(scope->day,
               (chorus_str_t) { entry->day, CHORUS_DAY_LEN })
           && chorus_secret_eq(scope->secret,
               (chorus_str_t) { entry->secret, entry->secret_len });
}


bool
chorus_key_cache_find(const chorus_key_cache_t *cache,
    const chorus_signing_scope_t *scope, unsigned char key[CHORUS_SHA256_LEN])
{
    size_t                i;
    uint64_t              hash;
    const cache_entry_t  *entry;

    hash = cache_hash(scope);
    entry = cache->sets[cache_set(hash)];

    for (i = 0; i < CACHE_WAYS; i++, entry++) {

        if (entry->hash == hash && cache_entry_is(entry, scope)) {
            memcpy(key, entry->key, CHORUS_SHA256_LEN);
            return true;
        }
    }

    return false;
}


static uint16_t
cache_copy(char *to, chorus_str_t from)
{
    if (from.len != 0) {
        memcpy(to, from.data, from.len);
    }

    return (uint16_t) from.len;
}


void
chorus_key_cache_store(chorus_key_cache_t *cache,
    const chorus_signing_scope_t *scope,
    const unsigned char key[CHORUS_SHA256_LEN])
{
    uint64_t        hash;
    cache_entry_t  *set;

    if (!cache_is_storable(scope)) {
        return;
    }

    hash = cache_hash(scope);
    set = cache->sets[cache_set(hash)];

    memmove(set + 1, set, (CACHE_WAYS - 1) * sizeof(cache_entry_t));
    chorus_secret_wipe(set, sizeof(cache_entry_t));

    set->hash = hash;
    set->access_key_len = cache_copy(set->access_key, scope->access_key);
    set->secret_len = cache_copy(set->secret, scope->secret);
    set->region_len = cache_copy(set->region, scope->region);
    (void) cache_copy(set->day, scope->day);
    memcpy(set->key, key, CHORUS_SHA256_LEN);
}
