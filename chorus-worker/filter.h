/*
 * Which objects of the bucket the replication is about.  What its filters do
 * not take is left on the follower as it is, whatever it is.
 */

#ifndef FILTER_H
#define FILTER_H

#include "chorus_s3_xml.h"
#include "work.h"


/* The task's key, as far as its name tells. */
bool filter_takes_key(work_t *work);

/* Whether the tags of the task's key have a say. */
bool filter_asks_tags(const work_t *work);

/* Main's object with these tags. */
bool filter_takes_tags(work_t *work, const chorus_tagging_t *tags);


#endif
