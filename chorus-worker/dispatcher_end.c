/*
 * Signals, and how the dispatcher ends: slots finish what they have, then they
 * give it back.
 */

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"
#include "dispatcher_internal.h"
#include "log.h"
#include "notify.h"
#include "reload.h"
#include "scan.h"

#define DISPATCHER_ABORT_MS  5000       /* for slots to notice */
#define DISPATCHER_ONCE_MS   30000      /* is_once: for Redis to answer */


static void
dispatcher_abort_tasks(dispatcher_t *d)
{
    size_t  i;

    dispatcher_withdraw(d);

    for (i = 0; i < d->nheld; i++) {
        atomic_store(&d->held[i]->stop, TASK_RELEASE);
    }

    d->state = DISPATCHER_ABORTS;
    d->state_until_ms = clock_ms() + DISPATCHER_ABORT_MS;
}


static void
dispatcher_stop(dispatcher_t *d)
{
    notify_stopping();
    scanners_stop();

    if (d->state == DISPATCHER_RUNS) {
        log_write(LOG_INFO, "ending: %zu keys in work, %lld s for them",
                  d->nheld, (long long) d->grace_ms / 1000);
        dispatcher_withdraw(d);
        d->state = DISPATCHER_DRAINS;
        d->state_until_ms = clock_ms() + d->grace_ms;
        return;
    }

    if (d->state == DISPATCHER_DRAINS) {
        log_write(LOG_INFO, "ending at once: %zu keys are given back",
                  d->nheld);
        dispatcher_abort_tasks(d);
    }
}


static void
dispatcher_reload(dispatcher_t *d)
{
    notify_reloading();

    if (reload(d->options->config_path)) {
        (void) dispatcher_configure(d);
        d->is_backlogged = true;
    }

    notify_ready();
}


void
dispatcher_signals(dispatcher_t *d)
{
    struct signalfd_siginfo  info;

    while (read(d->options->signal_fd, &info, sizeof(info))
           == (ssize_t) sizeof(info))
    {
        if (info.ssi_signo == SIGHUP) {
            dispatcher_reload(d);
        } else {
            dispatcher_stop(d);
        }
    }
}


void
dispatcher_advance(dispatcher_t *d)
{
    if (d->state == DISPATCHER_RUNS) {
        return;
    }

    if (d->nheld == 0 && d->nfinished == 0) {
        d->state = DISPATCHER_ENDED;
        return;
    }

    if (clock_ms() < d->state_until_ms) {
        return;
    }

    if (d->state == DISPATCHER_DRAINS) {
        log_write(LOG_WARN, "%zu keys did not end in time and are given "
                  "back", d->nheld);
        dispatcher_abort_tasks(d);

    } else {
        /* without Redis the leases run out by themselves, and with that
         * all of them are doubted */
        log_write(LOG_WARN, "%zu keys could not be given back",
                  d->nheld + d->nfinished);
        d->state = DISPATCHER_ENDED;
    }
}


void
dispatcher_once_waits(dispatcher_t *d, bool is_ready)
{
    if (!d->options->is_once || d->state != DISPATCHER_RUNS) {
        return;
    }

    if (is_ready) {
        d->redis_at_ms = clock_ms();

    } else if (clock_ms() > d->redis_at_ms + DISPATCHER_ONCE_MS) {
        log_write(LOG_ERROR, "Redis has not answered for %d s",
                  DISPATCHER_ONCE_MS / 1000);
        d->is_left = true;
        dispatcher_stop(d);
    }
}
