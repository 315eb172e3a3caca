/* What the dynamic policy says of one bucket. */

#include "chorus_live.h"


static bool
live_user_matches(chorus_str_t rule, chorus_str_t user)
{
    return chorus_str_eq(rule, chorus_str("*")) || chorus_str_eq(rule, user);
}


const chorus_config_t *
chorus_live_config(const chorus_live_t *live, const chorus_config_t *file,
    chorus_str_t user, chorus_str_t bucket)
{
    size_t                            i;
    const chorus_replication_rule_t  *rule;

    for (i = 0; i < live->config.nreplications; i++) {

        rule = &live->config.replications[i];

        if (live_user_matches(rule->user, user)
            && chorus_pattern_match(rule->bucket, bucket, true))
        {
            return &live->config;
        }
    }

    return file;
}


const chorus_live_name_t *
chorus_live_replication(const chorus_live_t *live,
    const chorus_replication_t *replication)
{
    size_t  i;

    for (i = 0; i < live->config.nreplications; i++) {
        if (chorus_policy_rule_is_for(&live->config.replications[i],
                                      replication))
        {
            return &live->names[CHORUS_RULE_REPLICATION][i];
        }
    }

    return NULL;
}


const chorus_live_name_t *
chorus_live_route(const chorus_live_t *live, chorus_str_t user,
    chorus_str_t bucket, chorus_storage_t **storage)
{
    size_t                      i;
    const chorus_route_rule_t  *rule;

    for (i = 0; i < live->config.nroutes; i++) {

        rule = &live->config.routes[i];

        if (live_user_matches(rule->user, user)
            && chorus_pattern_match(rule->bucket, bucket, false))
        {
            *storage = rule->storage;
            return &live->names[CHORUS_RULE_ROUTE][i];
        }
    }

    return NULL;
}


const chorus_live_rule_t *
chorus_live_block(const chorus_live_t *live, chorus_str_t user,
    chorus_str_t bucket)
{
    size_t                     i;
    const chorus_live_rule_t  *rule;

    for (i = 0; i < live->nnames[CHORUS_RULE_BLOCK]; i++) {

        rule = &live->blocks[i];

        if (bucket.len != 0 && live_user_matches(rule->user, user)
            && chorus_pattern_match(rule->bucket, bucket, true))
        {
            return rule;
        }
    }

    return NULL;
}


static bool
live_pause_is_for(const chorus_live_rule_t *rule,
    const chorus_replication_t *replication)
{
    return (rule->follower.len == 0
            || chorus_str_eq(rule->follower, replication->follower))
           && live_user_matches(rule->user, replication->user)
           && chorus_pattern_match(rule->bucket, replication->bucket, true);
}


bool
chorus_live_pauses(const chorus_live_t *live)
{
    size_t  i;

    for (i = 0; i < live->nnames[CHORUS_RULE_REPLICATION]; i++) {
        if (live->names[CHORUS_RULE_REPLICATION][i].paused) {
            return true;
        }
    }

    return live->nnames[CHORUS_RULE_PAUSE] != 0;
}


bool
chorus_live_is_paused(const chorus_live_t *live,
    const chorus_replication_t *replication)
{
    bool    is_paused;
    size_t  i;

    for (i = 0; i < live->nnames[CHORUS_RULE_PAUSE]; i++) {
        if (live_pause_is_for(&live->pauses[i], replication)) {
            return true;
        }
    }

    is_paused = false;

    for (i = 0; i < live->config.nreplications; i++) {

        if (!chorus_policy_rule_is_for(&live->config.replications[i],
                                       replication))
        {
            continue;
        }

        if (!live->names[CHORUS_RULE_REPLICATION][i].paused) {
            return false;
        }

        is_paused = true;
    }

    return is_paused;
}
