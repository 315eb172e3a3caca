#include <string.h>

#include "chorus_config.h"
#include "fuzz.h"


static chorus_rc_t
config_no_secret(void *data, chorus_mem_t *mem, chorus_str_t path,
    chorus_str_t *secret, chorus_error_t *error)
{
    (void) data;
    (void) path;
    (void) error;

    /* a copy: the loader wipes it */
    *secret = chorus_str_dup(mem, chorus_str("secret-of-a-file"));

    return secret->data == NULL ? CHORUS_NOMEM : CHORUS_OK;
}


static const char *
config_no_env(void *data, const char *name)
{
    (void) data;

    return name[0] == 'A' ? "secret-of-the-environment" : NULL;
}


static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    chorus_error_t        error;
    chorus_config_t       config;
    chorus_config_host_t  host;

    memset(&host, 0, sizeof(host));
    host.read_secret = config_no_secret;
    host.get_env = config_no_env;
    host.is_private = true;

    error.text[0] = '\0';

    if (chorus_config_parse(mem, input, &host, &config, &error) == CHORUS_OK)
    {
        FUZZ_HOLDS(config.main != NULL && config.main->is_main);
        chorus_config_close(&config);

    } else {
        FUZZ_HOLDS(error.text[0] != '\0');
    }
}
