/* resume: what the delete guard has paused goes on.  forget: a queue is
 * dropped, after a moment in which workers may say no. */

#ifndef CTL_GUARD_H
#define CTL_GUARD_H

#include "api.h"


/* Returns an exit code; `args` ends with NULL. */
int guard_resume(const ctl_options_t *options, char **args);
int guard_forget(const ctl_options_t *options, char **args);

/* "10%", "1000", "10%/3600", "1000/60", "off": what "guard" of a rule says;
 * NULL when it is none of these.  Owned by the caller. */
json_t *guard_read(const char *text);


#endif
