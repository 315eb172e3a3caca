/*
 * Documents that a storage gives back in other words than it was told: pairs
 * of what was put and what came back, remembered by the process, so that the
 * same is not put again with each look at the bucket.
 */

#ifndef REFORMAT_H
#define REFORMAT_H

#include <stdbool.h>

#include "chorus_str.h"


/* Safe from all threads.  `setting` tells the kind of document. */
bool reformat_is_known(chorus_str_t replication, unsigned setting,
    chorus_str_t put, chorus_str_t got);

/* true when it was not known before. */
bool reformat_learn(chorus_str_t replication, unsigned setting,
    chorus_str_t put, chorus_str_t got);


#endif
