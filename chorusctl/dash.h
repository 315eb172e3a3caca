/* chorusctl dash: a screen that follows what goes on. */

#ifndef DASH_H
#define DASH_H

#include "api.h"


/* -n SECONDS; returns an exit code. */
int dash_run(const ctl_options_t *options, char **args);


#endif
