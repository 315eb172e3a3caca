/*
 * Things that need doing once although many slots find out at the same time:
 * one does it, the others wait for that.
 */

#ifndef FLIGHT_H
#define FLIGHT_H

#include <stdbool.h>

#include "task.h"


/* true: do it, then call flight_end().  false: another slot did it in the
 * meantime, or the task ended while waiting. */
bool flight_begin(chorus_str_t what, const task_t *task);
void flight_end(chorus_str_t what);


#endif
