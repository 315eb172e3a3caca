/* Scans: begin one, see how it goes, what it found. */

#ifndef CTL_SCANS_H
#define CTL_SCANS_H

#include "api.h"


/* Begins one, and takes `body`: the answer, to be freed, or NULL after having
 * said why not. */
json_t *scans_begin(const ctl_options_t *options, const char *replication,
    json_t *body);

int scans_show(const ctl_options_t *options, char **args);
int scans_stop(const ctl_options_t *options, char **args);
int scans_differences(const ctl_options_t *options, char **args);

int scans_migrate(const ctl_options_t *options, char **args);
int scans_check(const ctl_options_t *options, char **args);
int scans_repair(const ctl_options_t *options, char **args);

/* "/api/v1/scans/R" and what follows; false after having said that the name
 * is too long. */
bool scans_path(char *out, size_t size, const char *replication,
    const char *more);


#endif
