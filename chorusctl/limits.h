/* chorusctl limits */

#ifndef CTL_LIMITS_H
#define CTL_LIMITS_H

#include "api.h"


int limits_show(const ctl_options_t *options, char **args);
int limits_set(const ctl_options_t *options, char **args);
int limits_unset(const ctl_options_t *options, char **args);


#endif
