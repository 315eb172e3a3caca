/* The report of a check, taken away line by line into a file. */

#ifndef CTL_REPORT_H
#define CTL_REPORT_H

#include "api.h"


/* Makes the file; false after having said why it cannot. */
bool report_create(const char *path);

/*
 * Until the check has ended: its lines are written to the file at `path` ("-":
 * stdout) and then forgotten by Redis, a page at a time; nothing is held.
 * With `id` that check, into an empty file; 0: the last one, behind what the file
 * has already.  Returns an exit code.
 */
int report_read(const ctl_options_t *options, const char *replication,
    const char *path, long long id);


#endif
