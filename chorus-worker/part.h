/*
 * One part: read from main, written to the follower.
 */

#ifndef PART_H
#define PART_H

#include "parts.h"


/* `work` is the caller's own, with its client and stream; the part's number
 * counts from 1.  Tries again what may pass.  *has_gaps: main does not have
 * that number. */
work_rc_t part_send(const parts_t *parts, work_t *work, part_t *part,
    unsigned number, bool *has_gaps);


#endif
