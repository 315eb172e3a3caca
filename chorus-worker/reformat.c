#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "chorus_crypto.h"
#include "reformat.h"

/* the oldest is forgotten: it is put once more */
#define REFORMAT_MAX  1024


typedef struct {
    unsigned char  digest[CHORUS_SHA256_LEN];
} reformat_pair_t;


static pthread_mutex_t   reformat_lock = PTHREAD_MUTEX_INITIALIZER;
static reformat_pair_t   reformat_pairs[REFORMAT_MAX];
static size_t            reformat_n;        /* of all that were learned */


static bool
reformat_update(chorus_digest_t *digest, chorus_str_t text)
{
    unsigned char  len[8];
    size_t         i;

    for (i = 0; i < sizeof(len); i++) {
        len[i] = (unsigned char) ((uint64_t) text.len >> (8 * i));
    }

    return chorus_digest_update(digest, (chorus_str_t) { (const char *) len,
                                                         sizeof(len) })
           && chorus_digest_update(digest, text);
}


static bool
reformat_digest(chorus_str_t replication, unsigned setting, chorus_str_t put,
    chorus_str_t got, reformat_pair_t *pair)
{
    bool              is_done;
    unsigned char     kind;
    chorus_digest_t  *digest;

    digest = chorus_digest_create(CHORUS_DIGEST_SHA256);
    if (digest == NULL) {
        return false;
    }

    kind = (unsigned char) setting;

    is_done = chorus_digest_begin(digest)
              && reformat_update(digest, (chorus_str_t) {
                                     (const char *) &kind, 1 })
              && reformat_update(digest, replication)
              && reformat_update(digest, put)
              && reformat_update(digest, got)
              && chorus_digest_end(digest, pair->digest);

    chorus_digest_destroy(digest);

    return is_done;
}


static bool
reformat_find(const reformat_pair_t *pair)
{
    size_t  i;

    for (i = 0; i < reformat_n && i < REFORMAT_MAX; i++) {
        if (memcmp(&reformat_pairs[i], pair, sizeof(reformat_pair_t)) == 0) {
            return true;
        }
    }

    return false;
}


bool
reformat_is_known(chorus_str_t replication, unsigned setting,
    chorus_str_t put, chorus_str_t got)
{
    bool             is_known;
    reformat_pair_t  pair;

    if (!reformat_digest(replication, setting, put, got, &pair)) {
        return false;
    }

    (void) pthread_mutex_lock(&reformat_lock);
    is_known = reformat_find(&pair);
    (void) pthread_mutex_unlock(&reformat_lock);

    return is_known;
}


bool
reformat_learn(chorus_str_t replication, unsigned setting, chorus_str_t put,
    chorus_str_t got)
{
    bool             is_new;
    reformat_pair_t  pair;

    if (!reformat_digest(replication, setting, put, got, &pair)) {
        return false;
    }

    (void) pthread_mutex_lock(&reformat_lock);

    is_new = !reformat_find(&pair);

    if (is_new) {
        reformat_pairs[reformat_n++ % REFORMAT_MAX] = pair;
    }

    (void) pthread_mutex_unlock(&reformat_lock);

    return is_new;
}
