/* chorusctl storage list, user list, bucket list, audit. */

#ifndef CTL_LOOK_H
#define CTL_LOOK_H

#include "api.h"


int look_storages(const ctl_options_t *options, char **args);
int look_users(const ctl_options_t *options, char **args);
int look_buckets(const ctl_options_t *options, char **args);
int look_audit(const ctl_options_t *options, char **args);


#endif
