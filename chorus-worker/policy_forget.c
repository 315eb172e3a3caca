#include "log.h"
#include "policy_forget.h"


static bool
forget_has_rule(const chorus_config_t *config,
    const chorus_replication_t *parts)
{
    size_t  i;

    for (i = 0; i < config->nreplications; i++) {
        if (chorus_policy_rule_is_for(&config->replications[i], parts)) {
            return true;
        }
    }

    return false;
}


/* Also a rule of chorus.json that the policy stands above: it may be next. */

static bool
forget_is_led_to(chorus_mem_t *mem, const live_policy_t *policy,
    chorus_str_t name)
{
    chorus_error_t        error;
    chorus_replication_t  parts;

    if (chorus_replication_parse(mem, name, &parts, &error) != CHORUS_OK) {
        return true;
    }

    return forget_has_rule(live_policy_file(policy), &parts)
           || forget_has_rule(&live_policy(policy)->config, &parts);
}


void
policy_forget(queue_t *queue, chorus_mem_t *mem, const live_policy_t *policy,
    const queue_news_t *news)
{
    bool     leads;
    size_t   i;
    int64_t  word;

    for (i = 0; i < news->n; i++) {
        leads = forget_is_led_to(mem, policy, news->forget[i]);

        if (!queue_policy_forget(queue, news->forget[i], leads,
                                 live_policy(policy)->version, &word))
        {
            return;
        }

        if (word == 1) {
            log_write(LOG_WARN, "R=%.*s is forgotten, as somebody has asked: "
                      "no rule leads there", chorus_fmt(news->forget[i]));

        } else if (leads) {
            log_write(LOG_WARN, "R=%.*s is not forgotten: a rule leads there",
                      chorus_fmt(news->forget[i]));
        }
    }
}
