/* chorusctl explain s3://BUCKET/KEY */

#ifndef CTL_EXPLAIN_H
#define CTL_EXPLAIN_H

#include "api.h"


int explain_run(const ctl_options_t *options, char **args);


#endif
