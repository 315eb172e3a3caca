/* chorusctl failed, chorusctl retry */

#ifndef CTL_FAILED_H
#define CTL_FAILED_H

#include "api.h"


/* args: the words behind the command, up to a NULL. */
int failed_run(const ctl_options_t *options, char **args);
int failed_drop_run(const ctl_options_t *options, char **args);
int retry_run(const ctl_options_t *options, char **args);


#endif
