#include <string.h>

#include "chorus_destination.h"
#include "chorus_listing.h"
#include "chorus_s3_xml.h"
#include "log.h"
#include "policy_debt.h"
#include "s3_client.h"

#define DEBT_LIST_MAX  CHORUS_XML_MAX_BYTES


/* One rule and one user on the way to its buckets. */
typedef struct {
    queue_t                          *queue;
    chorus_mem_t                     *mem;
    const chorus_config_t            *file;
    const queue_rule_debt_t          *debt;
    const chorus_replication_rule_t  *rule;
    chorus_str_t                      user;
    chorus_buf_t                      body;     /* the list of buckets */
} debt_walk_t;


static bool
debt_owe(debt_walk_t *walk, chorus_str_t bucket)
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
            || !queue_policy_owe(walk->queue, name, walk->debt))
        {
            return false;
        }
    }

    return true;
}


/* ---- the list of buckets ---- */


static size_t
debt_write(void *data, const char *bytes, size_t len)
{
    debt_walk_t *walk = data;

    if (walk->body.len + len > DEBT_LIST_MAX) {
        return S3_ABORT;
    }

    chorus_buf_add(&walk->body, (chorus_str_t) { bytes, len });

    return walk->body.failed ? S3_ABORT : len;
}


static bool
debt_read_list(debt_walk_t *walk)
{
    bool              is_good;
    size_t            i;
    chorus_error_t    error;
    chorus_buckets_t  buckets;

    if (chorus_buckets_parse(walk->mem, chorus_buf_str(&walk->body),
                             &buckets, &error) != CHORUS_OK)
    {
        log_write(LOG_WARN, "the list of buckets of \"%.*s\" on main cannot "
                  "be read: %s", chorus_fmt(walk->user), error.text);
        return false;
    }

    is_good = buckets.token.data == NULL;

    if (!is_good) {
        log_write(LOG_WARN, "main lists its buckets in pages: rule \"%.*s\" "
                  "owes a scan of those that are not of the first",
                  chorus_fmt(walk->debt->rule));
    }

    for (i = 0; i < buckets.n; i++) {
        if (chorus_pattern_match(walk->rule->bucket, buckets.names[i], true)
            && !debt_owe(walk, buckets.names[i]))
        {
            is_good = false;
        }
    }

    return is_good;
}


static bool
debt_list(debt_walk_t *walk)
{
    bool                        is_good;
    s3_client_t                *client;
    s3_request_t                request;
    const s3_response_t        *response;
    const chorus_credential_t  *credential;

    credential = chorus_storage_credential(walk->file->main, walk->user);
    client = s3_client_create();

    if (credential == NULL || client == NULL) {
        if (client != NULL) {
            s3_client_destroy(client);
        }
        return credential == NULL;
    }

    memset(&request, 0, sizeof(s3_request_t));

    request.method = "GET";
    request.storage = walk->file->main;
    request.credential = credential;
    request.write = debt_write;
    request.data = walk;

    walk->body = chorus_buf(walk->mem, 4096);
    response = s3_client_call(client, S3_LANE_SIDE, &request);
    is_good = s3_response_is(response, 200);

    if (!is_good) {
        log_write(LOG_WARN, "the buckets of \"%.*s\" on main cannot be "
                  "listed: status %u; rule \"%.*s\" owes a scan until then",
                  chorus_fmt(walk->user), response->status,
                  chorus_fmt(walk->debt->rule));
    }

    s3_client_destroy(client);

    return is_good && debt_read_list(walk);
}


/* ---- */


static bool
debt_user(debt_walk_t *walk)
{
    return chorus_pattern_is_name(walk->rule->bucket)
           ? debt_owe(walk, chorus_pattern_text(walk->rule->bucket))
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
