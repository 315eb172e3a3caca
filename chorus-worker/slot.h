/*
 * A slot: a thread that takes one task after the other.
 */

#ifndef SLOT_H
#define SLOT_H

#include <pthread.h>
#include <stdbool.h>

#include "channel.h"


typedef struct {
    pthread_t   thread;
    channel_t  *channel;
} slot_t;


/* Starts the thread; it ends when the channel is closed. */
bool slot_start(slot_t *slot, channel_t *channel);
void slot_join(slot_t *slot);


#endif
