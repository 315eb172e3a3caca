/* What the replication rules of chorus.json say of one bucket. */

#include <string.h>

#include "chorus_destination.h"
#include "chorus_policy.h"


static bool
policy_user_matches(chorus_str_t rule, chorus_str_t user)
{
    return chorus_str_eq(rule, chorus_str("*")) || chorus_str_eq(rule, user);
}


static bool
policy_rule_matches(const chorus_replication_rule_t *rule, chorus_str_t user,
    chorus_str_t bucket)
{
    return policy_user_matches(rule->user, user)
           && chorus_pattern_match(rule->bucket, bucket, true);
}


/* ---- followers ---- */


typedef struct {
    chorus_mem_t        *mem;
    chorus_str_t         bucket;
    chorus_follower_t   *followers;
    size_t               max;
    size_t               n;
} policy_search_t;


static chorus_rc_t
policy_add(policy_search_t *search, const chorus_replication_rule_t *rule,
    const chorus_destination_t *to)
{
    size_t              i;
    chorus_rc_t         rc;
    chorus_follower_t  *follower;

    for (i = 0; i < search->n && i < search->max; i++) {

        follower = &search->followers[i];

        if (follower->storage == to->storage
            && chorus_destination_is(to, search->bucket, follower->target))
        {
            follower->is_partial &= rule->filter.prefix.len != 0;
            return CHORUS_OK;
        }
    }

    if (search->n++ >= search->max) {
        return CHORUS_OK;
    }

    follower = &search->followers[search->n - 1];

    follower->storage = to->storage;
    follower->is_partial = rule->filter.prefix.len != 0;

    rc = chorus_destination_target(search->mem, to, search->bucket,
                                   &follower->target);

    return rc;
}


/* One rule's destinations on one storage. */
static chorus_rc_t
policy_add_rule(policy_search_t *search,
    const chorus_replication_rule_t *rule, const chorus_storage_t *storage)
{
    size_t       i;
    chorus_rc_t  rc;

    for (i = 0; i < rule->nto; i++) {

        if (rule->to[i].storage != storage) {
            continue;
        }

        rc = policy_add(search, rule, &rule->to[i]);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    return CHORUS_OK;
}


static bool
policy_rule_leads_to(const chorus_replication_rule_t *rule,
    const chorus_storage_t *storage)
{
    size_t  i;

    for (i = 0; i < rule->nto; i++) {
        if (rule->to[i].storage == storage) {
            return true;
        }
    }

    return false;
}


chorus_rc_t
chorus_policy_followers(const chorus_config_t *config, chorus_mem_t *mem,
    chorus_str_t user, chorus_str_t bucket, chorus_follower_t *followers,
    size_t max, size_t *n)
{
    size_t                            i, k;
    chorus_rc_t                       rc;
    policy_search_t                   search;
    const chorus_replication_rule_t  *rule;

    search = (policy_search_t) { mem, bucket, followers, max, 0 };
    *n = 0;

    for (i = 0; i < config->nstorages && bucket.len != 0; i++) {

        for (k = 0; k < config->nreplications; k++) {

            rule = &config->replications[k];

            if (!policy_rule_leads_to(rule, &config->storages[i])
                || !policy_rule_matches(rule, user, bucket))
            {
                continue;
            }

            rc = policy_add_rule(&search, rule, &config->storages[i]);
            if (rc != CHORUS_OK) {
                return rc;
            }
        }
    }

    *n = search.n;

    return CHORUS_OK;
}


/* ---- one replication ---- */


bool
chorus_policy_rule_is_for(const chorus_replication_rule_t *rule,
    const chorus_replication_t *replication)
{
    size_t                       i;
    const chorus_destination_t  *to;

    for (i = 0; i < rule->nto; i++) {

        to = &rule->to[i];

        if (chorus_str_eq(to->storage->name, replication->follower)
            && chorus_destination_is(to, replication->bucket,
                                     replication->target))
        {
            return policy_rule_matches(rule, replication->user,
                                       replication->bucket);
        }
    }

    return false;
}


/* The next rule for it from *i on; NULL when there is none. */
static const chorus_replication_rule_t *
policy_next(const chorus_config_t *config,
    const chorus_replication_t *replication, size_t *i)
{
    while (*i < config->nreplications) {
        if (chorus_policy_rule_is_for(&config->replications[*i],
                                      replication))
        {
            return &config->replications[(*i)++];
        }

        (*i)++;
    }

    return NULL;
}


bool
chorus_policy_takes_key(const chorus_config_t *config,
    const chorus_replication_t *replication, chorus_str_t key)
{
    bool                              is_ruled;
    size_t                            i;
    const chorus_replication_rule_t  *rule;

    i = 0;
    is_ruled = false;

    if (key.len == 0) {
        return true;
    }

    while ((rule = policy_next(config, replication, &i)) != NULL) {

        if (chorus_str_starts(key, rule->filter.prefix)) {
            return true;
        }

        is_ruled = true;
    }

    return !is_ruled;
}


bool
chorus_policy_asks_tags(const chorus_config_t *config,
    const chorus_replication_t *replication, chorus_str_t key)
{
    bool                              is_asked;
    size_t                            i;
    const chorus_replication_rule_t  *rule;

    i = 0;
    is_asked = false;

    while ((rule = policy_next(config, replication, &i)) != NULL) {

        if (!chorus_str_starts(key, rule->filter.prefix)) {
            continue;
        }

        if (rule->filter.ntags == 0) {
            return false;
        }

        is_asked = true;
    }

    return is_asked;
}


static bool
policy_has_tag(const chorus_tagging_t *tagging, const chorus_tag_t *tag)
{
    size_t  i;

    for (i = 0; i < tagging->ntags; i++) {
        if (chorus_str_eq(tagging->tags[i].key, tag->key)
            && chorus_str_eq(tagging->tags[i].value, tag->value))
        {
            return true;
        }
    }

    return false;
}


static bool
policy_filter_takes(const chorus_filter_t *filter, chorus_str_t key,
    const chorus_tagging_t *tagging)
{
    size_t  i;

    if (!chorus_str_starts(key, filter->prefix)) {
        return false;
    }

    for (i = 0; i < filter->ntags; i++) {
        if (!policy_has_tag(tagging, &filter->tags[i])) {
            return false;
        }
    }

    return true;
}


bool
chorus_policy_takes_tags(const chorus_config_t *config,
    const chorus_replication_t *replication, chorus_str_t key,
    const chorus_tagging_t *tagging)
{
    bool                              is_ruled;
    size_t                            i;
    const chorus_replication_rule_t  *rule;

    i = 0;
    is_ruled = false;

    while ((rule = policy_next(config, replication, &i)) != NULL) {

        if (policy_filter_takes(&rule->filter, key, tagging)) {
            return true;
        }

        is_ruled = true;
    }

    return !is_ruled;
}


unsigned
chorus_policy_settings(const chorus_config_t *config,
    const chorus_replication_t *replication)
{
    size_t                            i;
    const chorus_storage_t           *follower;
    const chorus_replication_rule_t  *rule;

    i = 0;

    while ((rule = policy_next(config, replication, &i)) != NULL) {
        if (rule->has_settings) {
            return rule->settings;
        }
    }

    follower = chorus_config_storage(config, replication->follower);

    return follower == NULL ? 0 : follower->settings;
}


const chorus_guard_t *
chorus_policy_guard(const chorus_config_t *config,
    const chorus_replication_t *replication)
{
    size_t                            i;
    const chorus_guard_t             *guard;
    const chorus_replication_rule_t  *rule;

    i = 0;
    guard = &config->worker.guard;

    while ((rule = policy_next(config, replication, &i)) != NULL) {
        if (rule->has_guard) {
            guard = &rule->guard;
            break;
        }
    }

    return guard->deletes_percent == 0 && guard->deletes == 0 ? NULL : guard;
}


bool
chorus_policy_migrates(const chorus_config_t *config,
    const chorus_replication_t *replication)
{
    bool                              is_ruled;
    size_t                            i;
    const chorus_replication_rule_t  *rule;

    i = 0;
    is_ruled = false;

    while ((rule = policy_next(config, replication, &i)) != NULL) {

        if (rule->migrates) {
            return true;
        }

        is_ruled = true;
    }

    return !is_ruled;
}


/* A rule that names its bucket goes before one that matches many. */
chorus_str_t
chorus_policy_rival(const chorus_config_t *config,
    const chorus_replication_t *replication)
{
    size_t                            i;
    chorus_replication_t              rival;
    const chorus_replication_rule_t  *rule;

    rival = *replication;
    rival.target = replication->target.len != 0 ? replication->target
                                                : replication->bucket;

    for (i = 0; i < config->nreplications; i++) {

        rule = &config->replications[i];
        rival.bucket = chorus_pattern_text(rule->bucket);

        if (chorus_pattern_is_name(rule->bucket)
            && !chorus_str_eq(rival.bucket, replication->bucket)
            && chorus_policy_rule_is_for(rule, &rival))
        {
            return rival.bucket;
        }
    }

    return chorus_null_str;
}
