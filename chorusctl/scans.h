/* Scans: begin one, see how it goes, what it found. */

#ifndef CTL_SCANS_H
#define CTL_SCANS_H

#include "api.h"


/* "/api/v1/scans/R" and `more`; false after having said that it does not
 * fit. */
bool scans_path(char *out, size_t size, const char *replication,
    const char *more);

/* Begins one at that path: its id, or 0 after having said why not. */
long long scans_begin(const ctl_options_t *options, const char *path,
    const char *kind, const char *depth, bool is_surplus);

int scans_show(const ctl_options_t *options, char **args);
int scans_stop(const ctl_options_t *options, char **args);
int scans_differences(const ctl_options_t *options, char **args);

int scans_migrate(const ctl_options_t *options, char **args);
int scans_check(const ctl_options_t *options, char **args);
int scans_repair(const ctl_options_t *options, char **args);
int scans_repair_full(const ctl_options_t *options, char **args);
int scans_repair_surplus(const ctl_options_t *options, char **args);


#endif
