#include "live_config.h"
#include "live_policy.h"
#include "log.h"
#include "reload.h"


bool
reload(const char *config_path)
{
    chorus_error_t  error;

    if (!live_config_load(config_path, &error)) {
        log_write(LOG_ERROR, "%s; going on with what there was",
                  error.text);
        return false;
    }

    if (!live_policy_reload(&error)) {
        log_write(LOG_ERROR, "the policy does not go with it: %s",
                  error.text);
    }

    log_write(LOG_INFO, "read %s again (a change of redis or "
              "worker.concurrency takes a restart)", config_path);

    return true;
}
