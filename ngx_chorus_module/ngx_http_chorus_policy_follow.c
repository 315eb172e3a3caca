/*
 * Each second: tells Redis which policy this process runs, and under which one
 * writes ended since then; the answer is the policy, when it is another one.
 */

#include "ngx_http_chorus_policy.h"
#include "chorus_library.h"


#define NGX_HTTP_CHORUS_POLICY_MS        1000
#define NGX_HTTP_CHORUS_POLICY_FIRST_MS  50     /* until Redis was met */
#define NGX_HTTP_CHORUS_POLICY_TICKS     20     /* of these */
#define NGX_HTTP_CHORUS_POLICY_ARGS      16

#define NGX_HTTP_CHORUS_POLICY_TROUBLE   255    /* bytes of it, to Redis */


static void ngx_http_chorus_policy_ask(ngx_http_chorus_policies_t *policies);
static void ngx_http_chorus_policy_answer(void *data,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);
static void ngx_http_chorus_policy_take(ngx_http_chorus_policies_t *policies,
    ngx_str_t *text);
static void ngx_http_chorus_policy_restore(
    ngx_http_chorus_policies_t *policies);
static void ngx_http_chorus_policy_restored(void *data,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);


void
ngx_http_chorus_policy_tick(ngx_event_t *ev)
{
    ngx_http_chorus_policies_t *policies = ev->data;

    if (!policies->asking
        && ngx_http_chorus_redis_is_ready(policies->cmcf->redis))
    {
        ngx_http_chorus_policy_ask(policies);
    }

    /* what is run is run under some version, be it none */

    if (!policies->saved && !ngx_exiting
        && (policies->met
            || policies->ticks++ == NGX_HTTP_CHORUS_POLICY_TICKS))
    {
        ngx_http_chorus_policy_save(policies);
    }

    ngx_add_timer(ev, policies->met ? NGX_HTTP_CHORUS_POLICY_MS
                                    : NGX_HTTP_CHORUS_POLICY_FIRST_MS);
}


ngx_uint_t
ngx_http_chorus_policy_waits(ngx_http_chorus_policies_t *policies)
{
    return !policies->met && !policies->saved
           && policies->ticks <= NGX_HTTP_CHORUS_POLICY_TICKS;
}


/* Before any mark: what is made under our rules is not taken for what others
 * have. */

void
ngx_http_chorus_policy_resume(ngx_http_chorus_policies_t *policies)
{
    if (!policies->asking) {
        ngx_http_chorus_policy_ask(policies);
    }
}


static void
ngx_http_chorus_policy_ask(ngx_http_chorus_policies_t *policies)
{
    int          argc;
    u_char       version[NGX_INT64_LEN], oldest[NGX_INT64_LEN];
    u_char       written[NGX_INT64_LEN];
    size_t       lens[NGX_HTTP_CHORUS_POLICY_ARGS];
    uint64_t     under;
    ngx_uint_t   leaves;
    const char  *argv[NGX_HTTP_CHORUS_POLICY_ARGS];

    under = ngx_http_chorus_policy_oldest(policies);

    /* nothing is on its way any more, and nothing is untold */
    leaves = ngx_exiting && policies->written < 0
             && under == policies->current->live.version
             && policies->current->refs == 0;

    if (leaves && policies->left) {
        return;
    }

    argc = 0;

#define ngx_http_chorus_policy_word(p, n)                                     \
    argv[argc] = (const char *) (p); lens[argc++] = (n)
#define ngx_http_chorus_policy_text(s)                                        \
    ngx_http_chorus_policy_word(s, ngx_strlen(s))

    ngx_http_chorus_policy_text("FCALL");
    ngx_http_chorus_policy_text("chorus_policy_poll");
    ngx_http_chorus_policy_text("4");
    ngx_http_chorus_policy_text(CHORUS_REDIS_POLICY);
    ngx_http_chorus_policy_text(CHORUS_REDIS_POLICY_READERS);
    ngx_http_chorus_policy_text(CHORUS_REDIS_POLICY_ALIVE);
    ngx_http_chorus_policy_text(CHORUS_REDIS_POLICY_OWED);
    ngx_http_chorus_policy_word(policies->reader, policies->reader_len);
    ngx_http_chorus_policy_text("proxy");
    ngx_http_chorus_policy_word(version, ngx_sprintf(version, "%uL",
                                policies->current->live.version) - version);
    ngx_http_chorus_policy_word(oldest, ngx_sprintf(oldest, "%uL", under)
                                        - oldest);
    ngx_http_chorus_policy_word(written, ngx_sprintf(written, "%L",
                                         policies->written) - written);
    ngx_http_chorus_policy_text(leaves ? "1" : "0");
    ngx_http_chorus_policy_text(policies->cmcf->config->digest);
    ngx_http_chorus_policy_word(policies->trouble.text,
                                ngx_min(ngx_strlen(policies->trouble.text),
                                        NGX_HTTP_CHORUS_POLICY_TROUBLE));

    if (ngx_http_chorus_redis_call(policies->cmcf->redis, argc, argv, lens,
                                   ngx_http_chorus_policy_answer, policies)
        != NGX_OK)
    {
        return;
    }

    policies->asking = 1;
    policies->left = leaves;
    policies->told = policies->written;
    policies->written = -1;
}


static void
ngx_http_chorus_policy_answer(void *data,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    ngx_http_chorus_policies_t *policies = data;

    policies->asking = 0;

    if (result != NGX_HTTP_CHORUS_REDIS_REPLY) {

        /* perhaps it was not heard */

        if (policies->told >= 0
            && (policies->written < 0 || policies->told < policies->written))
        {
            policies->written = policies->told;
        }

        return;
    }

    policies->met = 1;

    if (text->len) {
        ngx_http_chorus_policy_take(policies, text);

    } else {
        policies->trouble.text[0] = '\0';
    }
}


static void
ngx_http_chorus_policy_take(ngx_http_chorus_policies_t *policies,
    ngx_str_t *text)
{
    chorus_error_t             error;
    chorus_live_t             *have, *got;
    ngx_http_chorus_policy_t  *policy;

    policy = ngx_http_chorus_policy_read(policies, ngx_http_chorus_view(text),
                                         &error);

    if (policy == NULL) {

        if (ngx_strcmp(error.text, policies->trouble.text) != 0) {
            ngx_log_error(NGX_LOG_ERR, policies->log, 0,
                          "chorus: the policy in Redis cannot be used: %s; "
                          "going on with version %uL", error.text,
                          policies->current->live.version);
            policies->trouble = error;
        }

        return;
    }

    policies->trouble.text[0] = '\0';

    have = &policies->current->live;
    got = &policy->live;

    /* Redis has forgotten what we know */

    if (have->version != 0
        && (got->version == 0
            || (got->origin == have->origin
                && got->version < have->version)))
    {
        ngx_http_chorus_policy_free(policy);
        ngx_http_chorus_policy_restore(policies);
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, policies->log, 0,
                  "chorus: policy version %uL instead of %uL",
                  got->version, have->version);

    ngx_http_chorus_policy_use(policies, policy);
    ngx_http_chorus_policy_save(policies);

    /* somebody may wait for us */
    ngx_add_timer(&policies->tick, 1);
}


static void
ngx_http_chorus_policy_restore(ngx_http_chorus_policies_t *policies)
{
    const char  *argv[] = {
        "FCALL", "chorus_policy_restore", "3", CHORUS_REDIS_POLICY,
        CHORUS_REDIS_AUDIT, CHORUS_REDIS_POLICY_OWED,
        policies->current->text.data
    };

    size_t  lens[] = {
        5, sizeof("chorus_policy_restore") - 1, 1,
        sizeof(CHORUS_REDIS_POLICY) - 1, sizeof(CHORUS_REDIS_AUDIT) - 1,
        sizeof(CHORUS_REDIS_POLICY_OWED) - 1, policies->current->text.len
    };

    if (ngx_http_chorus_redis_call(policies->cmcf->redis, 7, argv, lens,
                                   ngx_http_chorus_policy_restored, policies)
        == NGX_OK)
    {
        ngx_log_error(NGX_LOG_WARN, policies->log, 0,
                      "chorus: Redis has lost policy version %uL and gets it "
                      "back", policies->current->live.version);
    }
}


static void
ngx_http_chorus_policy_restored(void *data,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    /* the next question tells */
}
