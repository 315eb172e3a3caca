/* chorusctl status */

#ifndef CTL_STATUS_H
#define CTL_STATUS_H

#include "api.h"


int status_run(const ctl_options_t *options, char **args);


#endif
