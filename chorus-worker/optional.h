/*
 * What is sent along with an object although not every storage takes it: a
 * follower that refuses it gets the object without.
 */

#ifndef OPTIONAL_H
#define OPTIONAL_H

#include "work.h"

#define OPTIONAL_CLASS     1u       /* of storage */
#define OPTIONAL_LOCK      2u
#define OPTIONAL_CHECKSUM  4u


/* Whether to send it; if so it is noted as sent. */
bool optional_send(work_t *work, unsigned which);
bool optional_is_left_out(const work_t *work, unsigned which);

/* Whether something of it may be why the follower refused the write, as
 * work->failure has it: it is left out next time. */
bool optional_is_to_blame(work_t *work);


#endif
