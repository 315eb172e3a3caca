/* A document of the policy, and the same bytes as a rule of the API. */

#include <string.h>

#include "chorus_live.h"
#include "fuzz.h"


static const char  live_file[] =
    "{\"storages\":{\"main\":{\"endpoint\":\"http://m\",\"main\":true,"
    "\"users\":{\"u\":{\"access_key\":\"a\",\"secret_key\":\"s\"}}},"
    "\"f\":{\"endpoint\":\"http://f\","
    "\"users\":{\"u\":{\"access_key\":\"b\",\"secret_key\":\"s\"}}}}}";


static void
live_look(const chorus_live_t *live, const chorus_config_t *file)
{
    chorus_str_t          user, bucket;
    chorus_storage_t     *storage;
    chorus_replication_t  replication;

    user = chorus_str("u");
    bucket = chorus_str("b-1");
    replication = (chorus_replication_t) { user, bucket, chorus_str("f"),
                                           chorus_str("") };

    (void) chorus_live_config(live, file, user, bucket);
    (void) chorus_live_replication(live, &replication);
    (void) chorus_live_route(live, user, bucket, &storage);
    (void) chorus_live_block(live, user, bucket);
    (void) chorus_live_is_paused(live, &replication);
}


static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    int                   kind;
    chorus_rule_t         rule, again;
    chorus_live_t         live;
    chorus_error_t        error;
    chorus_config_t       file;
    chorus_config_host_t  host;

    memset(&host, 0, sizeof(host));
    host.is_private = true;

    if (chorus_config_parse(mem, chorus_str(live_file), &host, &file, &error)
        != CHORUS_OK)
    {
        return;
    }

    if (chorus_live_parse(mem, input, &file, &live, &error) == CHORUS_OK) {
        live_look(&live, &file);
        chorus_live_close(&live);
    }

    for (kind = 0; kind < CHORUS_RULE_NKINDS; kind++) {

        if (chorus_rule_read(mem, (chorus_rule_kind_t) kind, input, &file,
                             &rule, &error) != CHORUS_OK)
        {
            continue;
        }

        /* what is kept can be read, and stays as it is */
        FUZZ_HOLDS(chorus_rule_read(mem, (chorus_rule_kind_t) kind, rule.text,
                                    &file, &again, &error) == CHORUS_OK);
        FUZZ_HOLDS(chorus_str_eq(rule.text, again.text));
    }

    chorus_config_close(&file);
}
