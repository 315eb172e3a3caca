/*
 * The configuration as it is now.  SIGHUP puts a new one in its place while
 * slots go on with the one they hold.
 */

#ifndef LIVE_CONFIG_H
#define LIVE_CONFIG_H

#include <stdbool.h>

#include "chorus_config.h"


typedef struct live_config_s  live_config_t;

/* Reads the file and makes it the current configuration; on failure the one
 * there was stays and `error` says why. */
bool live_config_load(const char *path, chorus_error_t *error);

/* Makes one that was current so again; takes over the caller's reference. */
void live_config_restore(live_config_t *live);

/* The current configuration; given back by live_config_put(). */
live_config_t *live_config_get(void);
void live_config_put(live_config_t *live);
const chorus_config_t *live_config(const live_config_t *live);

/* Drops the current one, at exit. */
void live_config_clear(void);


#endif
