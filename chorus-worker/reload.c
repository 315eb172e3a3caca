#include "live_config.h"
#include "live_policy.h"
#include "log.h"
#include "reload.h"


/* nginx refuses a chorus.json that a rule of the dynamic policy does not go
 * with; who ran it without the policy would sync what is paused. */

static bool
reload_all(const char *config_path)
{
    live_config_t   *before;
    chorus_error_t   error;

    before = live_config_get();

    if (!live_config_load(config_path, &error)) {
        live_config_put(before);
        log_write(LOG_ERROR, "%s; going on with what there was",
                  error.text);
        return false;
    }

    if (!live_policy_reload(&error)) {
        live_config_restore(before);
        log_write(LOG_ERROR, "%s: the dynamic policy does not go with it: "
                  "%s; going on with what there was", config_path,
                  error.text);
        return false;
    }

    live_config_put(before);

    log_write(LOG_INFO, "read %s again (a change of redis or "
              "worker.concurrency takes a restart)", config_path);

    return true;
}


/* The policy that Redis tells meanwhile is read against one file or the
 * other. */

bool
reload(const char *config_path)
{
    bool  is_good;

    live_policy_lock();
    is_good = reload_all(config_path);
    live_policy_unlock();

    return is_good;
}
