/*
 * Tells whoever started the process how it is: systemd (Type=notify, see
 * sd_notify(3)), by datagrams to $NOTIFY_SOCKET, and the health check of a
 * container, by the time of the file $CHORUS_ALIVE_FILE.  Without these two
 * nothing happens.  One thread only.
 */

#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>


void notify_ready(void);
/* The configuration is being read again; notify_ready() follows. */
void notify_reloading(void);
void notify_stopping(void);

/* For each turn of the main loop, which comes every second at least: feeds
 * systemd's watchdog, if it is set ($WATCHDOG_USEC), in time.
 * is_at_work: there is a connection to Redis; only then the file is touched,
 * at most once a second. */
void notify_beat(bool is_at_work);


#endif
