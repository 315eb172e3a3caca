#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "channel.h"


static void
channel_list_init(task_list_t *list)
{
    list->first = NULL;
    list->last = &list->first;
}


static void
channel_list_push(task_list_t *list, task_t *task)
{
    task->next = NULL;
    *list->last = task;
    list->last = &task->next;
}


static task_t *
channel_list_take(task_list_t *list)
{
    task_t  *first;

    first = list->first;
    channel_list_init(list);

    return first;
}


bool
channel_open(channel_t *channel)
{
    channel_list_init(&channel->todo);
    channel_list_init(&channel->done);
    channel->is_closed = false;

    channel->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (channel->eventfd == -1) {
        return false;
    }

    return pthread_mutex_init(&channel->mutex, NULL) == 0
           && pthread_cond_init(&channel->changed, NULL) == 0;
}


void
channel_free(channel_t *channel)
{
    (void) pthread_cond_destroy(&channel->changed);
    (void) pthread_mutex_destroy(&channel->mutex);
    (void) close(channel->eventfd);
}


void
channel_put(channel_t *channel, task_t *task)
{
    (void) pthread_mutex_lock(&channel->mutex);
    channel_list_push(&channel->todo, task);
    (void) pthread_cond_signal(&channel->changed);
    (void) pthread_mutex_unlock(&channel->mutex);
}


task_t *
channel_take(channel_t *channel)
{
    task_t  *task;

    (void) pthread_mutex_lock(&channel->mutex);

    while (channel->todo.first == NULL && !channel->is_closed) {
        (void) pthread_cond_wait(&channel->changed, &channel->mutex);
    }

    task = channel->todo.first;
    if (task != NULL) {
        channel->todo.first = task->next;
        if (task->next == NULL) {
            channel_list_init(&channel->todo);
        }
        task->is_started = true;
    }

    (void) pthread_mutex_unlock(&channel->mutex);

    return task;
}


void
channel_finish(channel_t *channel, task_t *task)
{
    ssize_t   n;
    uint64_t  one = 1;

    (void) pthread_mutex_lock(&channel->mutex);
    channel_list_push(&channel->done, task);
    (void) pthread_mutex_unlock(&channel->mutex);

    /* fails only when the counter is full, and then it is readable */
    n = write(channel->eventfd, &one, sizeof(one));
    (void) n;
}


task_t *
channel_collect(channel_t *channel)
{
    task_t    *list;
    ssize_t    n;
    uint64_t   count;

    n = read(channel->eventfd, &count, sizeof(count));
    (void) n;

    (void) pthread_mutex_lock(&channel->mutex);
    list = channel_list_take(&channel->done);
    (void) pthread_mutex_unlock(&channel->mutex);

    return list;
}


task_t *
channel_withdraw(channel_t *channel)
{
    task_t  *list;

    (void) pthread_mutex_lock(&channel->mutex);
    list = channel_list_take(&channel->todo);
    (void) pthread_mutex_unlock(&channel->mutex);

    return list;
}


void
channel_close(channel_t *channel)
{
    (void) pthread_mutex_lock(&channel->mutex);
    channel->is_closed = true;
    (void) pthread_cond_broadcast(&channel->changed);
    (void) pthread_mutex_unlock(&channel->mutex);
}
