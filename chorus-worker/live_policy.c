#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "live_config.h"
#include "live_policy.h"

#define LIVE_POLICY_NONE  "{\"version\":0,\"origin\":0,\"rules\":[]}"


struct live_policy_s {
    chorus_arena_t   *arena;
    chorus_mem_t      mem;
    live_config_t    *config;       /* held */
    chorus_live_t     live;
    chorus_str_t      document;
    unsigned          references;
};

static live_policy_t    *live_policy_current;
static pthread_mutex_t   live_policy_mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool       live_policy_known;

static pthread_mutex_t   live_policy_change = PTHREAD_MUTEX_INITIALIZER;
static char             *live_policy_refused;   /* a document, or NULL */
static atomic_bool       live_policy_is_old;    /* it is not NULL */


static void
live_policy_free(live_policy_t *policy)
{
    chorus_live_close(&policy->live);
    live_config_put(policy->config);
    chorus_arena_destroy(policy->arena);
    free(policy);
}


static live_policy_t *
live_policy_create(void)
{
    live_policy_t  *policy;

    policy = calloc(1, sizeof(live_policy_t));
    if (policy == NULL) {
        return NULL;
    }

    policy->arena = chorus_arena_create();
    if (policy->arena == NULL) {
        free(policy);
        return NULL;
    }

    policy->mem = chorus_arena_mem(policy->arena);
    policy->config = live_config_get();
    policy->references = 1;

    return policy;
}


static live_policy_t *
live_policy_read(chorus_str_t document, chorus_error_t *error)
{
    live_policy_t  *policy;

    (void) chorus_error_set(error, "out of memory");

    policy = live_policy_create();
    if (policy == NULL) {
        return NULL;
    }

    policy->document = chorus_str_dup(&policy->mem, document);

    if (policy->document.data == NULL
        || chorus_live_parse(&policy->mem, policy->document,
                             live_config(policy->config), &policy->live,
                             error) != CHORUS_OK)
    {
        live_policy_free(policy);
        return NULL;
    }

    return policy;
}


static void
live_policy_replace(live_policy_t *policy)
{
    live_policy_t  *old;

    (void) pthread_mutex_lock(&live_policy_mutex);
    old = live_policy_current;
    live_policy_current = policy;
    (void) pthread_mutex_unlock(&live_policy_mutex);

    if (old != NULL) {
        live_policy_put(old);
    }
}


void
live_policy_lock(void)
{
    (void) pthread_mutex_lock(&live_policy_change);
}


void
live_policy_unlock(void)
{
    (void) pthread_mutex_unlock(&live_policy_change);
}


bool
live_policy_take(chorus_str_t document, bool *is_older, chorus_error_t *error)
{
    live_policy_t        *policy, *old;
    const chorus_live_t  *have, *got;

    policy = live_policy_read(document, error);

    free(live_policy_refused);
    live_policy_refused = policy != NULL ? NULL
                          : strndup(document.data, document.len);
    atomic_store(&live_policy_is_old, policy == NULL);

    if (policy == NULL) {
        return false;
    }

    old = live_policy_get();
    have = &old->live;
    got = &policy->live;

    *is_older = have->version != 0
                && (got->version == 0
                    || (got->origin == have->origin
                        && got->version < have->version));
    live_policy_put(old);

    if (*is_older) {
        live_policy_put(policy);

    } else {
        live_policy_replace(policy);
    }

    return true;
}


bool
live_policy_reload(chorus_error_t *error)
{
    live_policy_t  *old, *policy;

    (void) pthread_mutex_lock(&live_policy_mutex);
    old = live_policy_current;
    if (old != NULL) {
        old->references++;
    }
    (void) pthread_mutex_unlock(&live_policy_mutex);

    policy = live_policy_read(old == NULL ? chorus_str(LIVE_POLICY_NONE)
                                          : old->document, error);

    if (policy == NULL && live_policy_refused != NULL) {
        policy = live_policy_read(chorus_str_from(live_policy_refused),
                                  error);
    }

    if (old != NULL) {
        live_policy_put(old);
    }

    if (policy != NULL) {
        live_policy_replace(policy);
    }

    return policy != NULL;
}


void
live_policy_accepted(void)
{
    if (!live_policy_is_refused()) {
        return;
    }

    live_policy_lock();
    free(live_policy_refused);
    live_policy_refused = NULL;
    atomic_store(&live_policy_is_old, false);
    live_policy_unlock();
}


bool
live_policy_is_refused(void)
{
    return atomic_load(&live_policy_is_old);
}


bool
live_policy_is_known(void)
{
    return atomic_load(&live_policy_known);
}


void
live_policy_set_known(void)
{
    atomic_store(&live_policy_known, true);
}


live_policy_t *
live_policy_get(void)
{
    live_policy_t  *policy;

    (void) pthread_mutex_lock(&live_policy_mutex);
    policy = live_policy_current;
    policy->references++;
    (void) pthread_mutex_unlock(&live_policy_mutex);

    return policy;
}


void
live_policy_put(live_policy_t *policy)
{
    bool  last;

    (void) pthread_mutex_lock(&live_policy_mutex);
    last = --policy->references == 0;
    (void) pthread_mutex_unlock(&live_policy_mutex);

    if (last) {
        live_policy_free(policy);
    }
}


const chorus_live_t *
live_policy(const live_policy_t *policy)
{
    return &policy->live;
}


chorus_str_t
live_policy_document(const live_policy_t *policy)
{
    return policy->document;
}


const chorus_config_t *
live_policy_file(const live_policy_t *policy)
{
    return live_config(policy->config);
}


const chorus_config_t *
live_policy_config(const live_policy_t *policy,
    const chorus_replication_t *replication)
{
    return chorus_live_config(&policy->live, live_config(policy->config),
                              replication->user, replication->bucket);
}


void
live_policy_clear(void)
{
    free(live_policy_refused);
    live_policy_refused = NULL;
    live_policy_replace(NULL);
}
