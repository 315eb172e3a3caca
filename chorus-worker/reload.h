/*
 * SIGHUP: chorus.json again, and the dynamic policy against what it says now.
 */

#ifndef RELOAD_H
#define RELOAD_H

#include <stdbool.h>


/* False when the file is refused: all goes on with what there was. */
bool reload(const char *config_path);


#endif
