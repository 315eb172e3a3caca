/*
 * Between the dispatcher and the slots: tasks to do, tasks that are done.
 */

#ifndef CHANNEL_H
#define CHANNEL_H

#include <pthread.h>
#include <stdbool.h>

#include "task.h"


typedef struct {
    task_t  *first;
    task_t **last;
} task_list_t;

typedef struct {
    pthread_mutex_t  mutex;
    pthread_cond_t   changed;
    task_list_t      todo;
    task_list_t      done;
    bool             is_closed;
    int              eventfd;       /* readable: something is done */
} channel_t;


bool channel_open(channel_t *channel);
void channel_free(channel_t *channel);

/* The dispatcher's end. */
void channel_put(channel_t *channel, task_t *task);
task_t *channel_collect(channel_t *channel);    /* list of done tasks */
task_t *channel_withdraw(channel_t *channel);   /* list of tasks not begun */
void channel_close(channel_t *channel);

/* The slot's end: waits; NULL when the channel was closed. */
task_t *channel_take(channel_t *channel);
void channel_finish(channel_t *channel, task_t *task);


#endif
