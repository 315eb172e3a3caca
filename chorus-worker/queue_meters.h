/* What a worker says about itself, see meters.h. */

#ifndef QUEUE_METERS_H
#define QUEUE_METERS_H

#include <stdbool.h>

#include "queue.h"


/* Once a second; is_leaving: it ends, and is to be forgotten.  False when Redis
 * did not take it, which nobody needs to mend. */
bool queue_meters(queue_t *queue, bool is_leaving);


#endif
