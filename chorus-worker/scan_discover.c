/*
 * Which replications there are: a rule names users and patterns of buckets,
 * and main knows which buckets these are today.
 */

#include <stdlib.h>
#include <string.h>

#include "bucket_list.h"
#include "chorus_policy.h"
#include "queue_policy.h"
#include "scan_work.h"

#define SCAN_FOLLOWERS_MAX  64
#define SCAN_CURSOR_SIZE    32


/* ---- one replication ---- */


static bool
scan_is_on_main(scan_t *scan, chorus_str_t user, chorus_str_t bucket)
{
    chorus_storage_t       *storage;
    const chorus_config_t  *file;

    file = live_policy_file(scan->policy);

    if (chorus_live_route(live_policy(scan->policy), user, bucket, &storage)
        == NULL)
    {
        storage = chorus_policy_route(file, user, bucket);
    }

    return storage == file->main;
}


/* The configuration still has all that it takes. */

static bool
scan_is_configured(scan_t *scan, const chorus_replication_t *parts)
{
    const chorus_config_t   *file;
    const chorus_storage_t  *follower;

    file = live_policy_file(scan->policy);
    follower = chorus_config_storage(file, parts->follower);

    return follower != NULL && follower != file->main
           && chorus_storage_credential(file->main, parts->user) != NULL
           && chorus_storage_credential(follower, parts->user) != NULL
           && scan_is_on_main(scan, parts->user, parts->bucket);
}


void
scan_decide(scan_t *scan, chorus_str_t replication,
    const chorus_replication_t *parts, bool *is_covered)
{
    bool  migrates;

    *is_covered = false;

    /* perhaps our chorus.json is older than that of others: what is left
     * unmigrated now would stay so */
    if (!scan_is_configured(scan, parts)) {
        return;
    }

    migrates = chorus_policy_migrates(live_policy_config(scan->policy, parts),
                                      parts);

    if (!queue_scan_ensure(scan->queue, replication, migrates,
                           live_policy(scan->policy)->version, is_covered))
    {
        *is_covered = false;
    }
}


/* ---- buckets ---- */


/* What a bucket of main is replicated to; false when something of it could
 * not be told. */

static bool
scan_bucket_found(scan_t *scan, chorus_str_t user, chorus_str_t bucket)
{
    bool                    is_covered;
    size_t                  i, n;
    chorus_str_t            name;
    chorus_follower_t       followers[SCAN_FOLLOWERS_MAX];
    chorus_replication_t    parts;
    const chorus_config_t  *config;

    config = chorus_live_config(live_policy(scan->policy),
                                live_policy_file(scan->policy), user, bucket);

    if (!scan_is_on_main(scan, user, bucket)
        || chorus_policy_followers(config, &scan->mem, user, bucket,
                                   followers, SCAN_FOLLOWERS_MAX, &n)
           != CHORUS_OK)
    {
        return true;
    }

    for (i = 0; i < n && i < SCAN_FOLLOWERS_MAX; i++) {
        parts.user = user;
        parts.bucket = bucket;
        parts.follower = followers[i].storage->name;
        parts.target = followers[i].target;

        name = chorus_replication_name(&scan->mem, &parts);
        if (name.data == NULL) {
            return false;
        }

        scan_decide(scan, name, &parts, &is_covered);
    }

    return true;
}


static bool
scan_user_is_ruled(const chorus_config_t *config, chorus_str_t user)
{
    size_t        i;
    chorus_str_t  rule;

    for (i = 0; i < config->nreplications; i++) {
        rule = config->replications[i].user;

        if (chorus_str_eq(rule, chorus_str("*")) || chorus_str_eq(rule, user))
        {
            return true;
        }
    }

    return false;
}


/* All of one user, a page at a time in the memory of again_ours. */

static bool
scan_user(scan_t *scan, chorus_str_t user,
    const chorus_credential_t *credential)
{
    bool              is_whole;
    size_t            i;
    bucket_list_t     list;
    chorus_buckets_t  buckets;

    memset(&list, 0, sizeof(bucket_list_t));
    list.client = scan->client;
    list.lane = S3_LANE_SOURCE;
    list.storage = live_policy_file(scan->policy)->main;
    list.credential = credential;
    list.mem = &scan->again_ours.mems[0];
    is_whole = true;

    while (!list.is_over && !scan_is_over()) {

        chorus_arena_reset(scan->again_ours.arenas[0]);

        if (!bucket_list_next(&list, &buckets)) {
            log_write(!scan_is_over()
                      && log_once_a_minute(user)
                      ? LOG_WARN : LOG_DEBUG, "storage=%.*s user=%.*s its "
                      "buckets could not be listed, so that new ones are not "
                      "seen: %s", chorus_fmt(list.storage->name),
                      chorus_fmt(user), list.error.text);
            return false;
        }

        for (i = 0; i < buckets.n && !scan_is_over(); i++) {
            chorus_arena_reset(scan->arena);
            is_whole &= scan_bucket_found(scan, user, buckets.names[i]);
        }
    }

    return is_whole;
}


/* false when the buckets of one could not be listed. */

static bool
scan_users(scan_t *scan)
{
    bool                        is_whole;
    size_t                      i;
    chorus_str_t                user;
    const chorus_live_t        *live;
    const chorus_config_t      *config;
    const chorus_credential_t  *credential;

    live = live_policy(scan->policy);
    config = live_policy_file(scan->policy);
    is_whole = true;

    for (i = 0; i < config->nusers && !scan_is_over(); i++) {

        user = config->users[i].name;
        credential = chorus_storage_credential(config->main, user);

        if (credential == NULL
            || (!scan_user_is_ruled(config, user)
                && !scan_user_is_ruled(&live->config, user)))
        {
            continue;
        }

        is_whole &= scan_user(scan, user, credential);
    }

    return is_whole && !scan_is_over();
}


/* ---- what all replications owe ---- */


/* All that live have the rules that we have. */

static bool
scan_is_agreed(scan_t *scan)
{
    queue_policy_now_t  now;

    return queue_policy_now(scan->queue, &now)
           && strcmp(now.rules, live_policy_file(scan->policy)->digest) == 0;
}


/* One that the configuration has no more owes nothing; who has not got it yet
 * does not pay for it. */

static bool
scan_is_covered(scan_t *scan, chorus_str_t name, bool is_agreed)
{
    bool                   is_covered;
    chorus_error_t         error;
    chorus_replication_t   parts;

    if (chorus_replication_parse(&scan->mem, name, &parts, &error)
        != CHORUS_OK)
    {
        return true;
    }

    if (!scan_is_configured(scan, &parts)) {
        return is_agreed;
    }

    scan_decide(scan, name, &parts, &is_covered);

    return is_covered;
}


static void
scan_pay_all(scan_t *scan, const char *owed)
{
    char           cursor[SCAN_CURSOR_SIZE] = "0";
    bool           is_covered, is_agreed;
    size_t         i, n;
    chorus_str_t  *names;

    is_covered = true;
    is_agreed = scan_is_agreed(scan);

    do {
        chorus_arena_reset(scan->arena);

        if (!queue_scan_names(scan->queue, &scan->mem, cursor,
                              sizeof(cursor), &names, &n))
        {
            return;
        }

        for (i = 0; i < n; i++) {
            is_covered &= scan_is_covered(scan, names[i], is_agreed);
        }

    } while (strcmp(cursor, "0") != 0 && !scan_is_over());

    if (is_covered && !scan_is_over()
        && queue_scan_paid_all(scan->queue, owed))
    {
        log_write(LOG_INFO, "what all replications owed has been scanned");
    }
}


bool
scan_discover(scan_t *scan, const char *owed)
{
    if (!scan_users(scan)) {
        return false;
    }

    if (owed[0] != '\0') {
        scan_pay_all(scan, owed);
    }

    return true;
}
