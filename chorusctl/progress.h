/*
 * A scan that somebody waits for.
 */

#ifndef PROGRESS_H
#define PROGRESS_H

#include <jansson.h>

#include "api.h"


/* Begins the scan and waits until what it has found is copied: a bar on a
 * terminal, else one line at the end.  Fails when the scan does, or a key of
 * it, or a check finds anything.  Takes `body`, which begins it.  Interrupted,
 * the scan goes on. */
int progress_run(const ctl_options_t *options, const char *replication,
    json_t *body);

/* Of a scan: how fast it is, what is left, and whether all was equal. */
void progress_print(const json_t *scan);


#endif
