#include <string.h>

#include "bucket_list.h"
#include "chorus_destination.h"
#include "log.h"
#include "policy_debt.h"
#include "s3_client.h"

/* One rule and one user on the way to its buckets. */
typedef struct {
    queue_t                          *queue;
    chorus_mem_t                     *mem;
    const chorus_config_t            *file;
    const queue_rule_debt_t          *debt;
    const chorus_replication_rule_t  *rule;
    chorus_str_t                      user;
} debt_walk_t;


static bool
debt_owe(debt_walk_t *walk, chorus_str_t bucket, bool is_on_main)
{
    size_t                i;
    chorus_str_t          name;
    chorus_replication_t  replication;

    replication.user = walk->user;
    replication.bucket = bucket;

    for (i = 0; i < walk->rule->nto; i++) {
        replication.follower = walk->rule->to[i].storage->name;

        if (chorus_destination_target(walk->mem, &walk->rule->to[i], bucket,
                                      &replication.target) != CHORUS_OK)
        {
            return false;
        }

        name = chorus_replication_name(walk->mem, &replication);

        if (name.data == NULL
            || !queue_policy_owe(walk->queue, name, walk->debt, is_on_main))
        {
            return false;
        }
    }

    return true;
}


/* ---- the list of buckets ---- */


static bool
debt_page(debt_walk_t *walk, const chorus_buckets_t *buckets)
{
    bool    is_good;
    size_t  i;

    is_good = true;

    for (i = 0; i < buckets->n; i++) {
        if (chorus_pattern_match(walk->rule->bucket, buckets->names[i], true)
            && !debt_owe(walk, buckets->names[i], true))
        {
            is_good = false;
        }
    }

    return is_good;
}


static bool
debt_pages(debt_walk_t *walk, bucket_list_t *list)
{
    bool              is_good;
    chorus_buckets_t  buckets;

    is_good = true;

    while (!list->is_over) {

        if (!bucket_list_next(list, &buckets)) {
            log_write(LOG_WARN, "the buckets of \"%.*s\" on main cannot be "
                      "listed: %s; rule \"%.*s\" owes a scan until then",
                      chorus_fmt(walk->user), list->error.text,
                      chorus_fmt(walk->debt->rule));
            return false;
        }

        is_good = debt_page(walk, &buckets) && is_good;
    }

    return is_good;
}


static bool
debt_list(debt_walk_t *walk)
{
    bool                        is_good;
    bucket_list_t               list;
    const chorus_credential_t  *credential;

    credential = chorus_storage_credential(walk->file->main, walk->user);

    if (credential == NULL) {
        return true;
    }

    memset(&list, 0, sizeof(bucket_list_t));
    list.client = s3_client_create();
    list.lane = S3_LANE_SIDE;
    list.storage = walk->file->main;
    list.credential = credential;
    list.mem = walk->mem;

    if (list.client == NULL) {
        return false;
    }

    is_good = debt_pages(walk, &list);
    s3_client_destroy(list.client);

    return is_good;
}


/* ---- */


/* A name is owed a scan also when main has no such bucket yet: then nothing is
 * asked of what somebody has made on the follower for it. */

static bool
debt_user(debt_walk_t *walk)
{
    return chorus_pattern_is_name(walk->rule->bucket)
           ? debt_owe(walk, chorus_pattern_text(walk->rule->bucket), false)
           : debt_list(walk);
}


static bool
debt_users(debt_walk_t *walk)
{
    bool    is_good;
    size_t  i;

    walk->user = walk->rule->user;

    if (!chorus_str_eq(walk->user, chorus_str("*"))) {
        return debt_user(walk);
    }

    is_good = true;

    for (i = 0; i < walk->file->nusers; i++) {
        walk->user = walk->file->users[i].name;
        is_good = debt_user(walk) && is_good;
    }

    return is_good;
}


bool
policy_debt_pay(queue_t *queue, chorus_mem_t *mem,
    const live_policy_t *policy, const queue_rule_debt_t *debt)
{
    size_t                i;
    debt_walk_t           walk;
    const chorus_live_t  *live;

    live = live_policy(policy);

    for (i = 0; i < live->nnames[CHORUS_RULE_REPLICATION]; i++) {

        if (!chorus_str_eq(live->names[CHORUS_RULE_REPLICATION][i].id,
                           debt->rule))
        {
            continue;
        }

        memset(&walk, 0, sizeof(debt_walk_t));
        walk.queue = queue;
        walk.mem = mem;
        walk.file = live_policy_file(policy);
        walk.debt = debt;
        walk.rule = &live->config.replications[i];

        return debt_users(&walk);
    }

    /* gone since, with what it owed; or this worker cannot use the policy */
    return false;
}
