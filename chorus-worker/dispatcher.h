/*
 * The one thread that talks to Redis: claims keys for free slots, renews
 * their leases, tells the results; and listens to signals.
 */

#ifndef DISPATCHER_H
#define DISPATCHER_H

#include <stdbool.h>
#include <stddef.h>

#include "channel.h"
#include "queue.h"


typedef struct {
    queue_t     *queue;
    channel_t   *channel;
    const char  *config_path;       /* read again at SIGHUP */
    int          signal_fd;         /* TERM, INT, HUP */
    unsigned     concurrency;       /* slots that take from the channel */
    bool         is_once;           /* end when nothing is due any more */
} dispatcher_options_t;

typedef enum {
    DISPATCHER_DONE = 0,
    DISPATCHER_LEFT,                /* is_once: keys wait for another try, or
                                     * Redis or a storage does not answer */
    DISPATCHER_STUCK                /* a slot did not come back in time, or
                                     * out of memory: the process must end
                                     * without waiting for it */
} dispatcher_end_t;


/* Returns when the worker is to end; but for DISPATCHER_STUCK every slot is
 * idle and the channel empty. */
dispatcher_end_t dispatcher_run(const dispatcher_options_t *options);


#endif
