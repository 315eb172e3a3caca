/* What a worker says about itself, see meters.h. */

#ifndef QUEUE_METERS_H
#define QUEUE_METERS_H

#include <stdbool.h>

#include "queue.h"


/* Once a second; is_leaving: it ends, and is to be forgotten.  False when Redis
 * did not take it, which nobody needs to mend. */
bool queue_meters(queue_t *queue, bool is_leaving);

/* Once a second: a step of the round that adds to the history of the last
 * hour, whichever worker takes it.  As above. */
bool queue_history(queue_t *queue);


#endif
