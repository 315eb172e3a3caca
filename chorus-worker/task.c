#include <stdlib.h>

#include "clock.h"
#include "task.h"


task_t *
task_create(void)
{
    task_t  *task;

    task = calloc(1, sizeof(task_t));
    if (task == NULL) {
        return NULL;
    }

    task->arena = chorus_arena_create();
    if (task->arena == NULL) {
        free(task);
        return NULL;
    }

    task->mem = chorus_arena_mem(task->arena);
    atomic_init(&task->stop, TASK_GO);
    atomic_init(&task->deadline_ms, 0);

    return task;
}


void
task_free(task_t *task)
{
    chorus_arena_destroy(task->arena);
    free(task);
}


bool
task_is_alive(const task_t *task)
{
    return atomic_load(&task->stop) <= TASK_PAUSE
           && clock_ms() < atomic_load(&task->deadline_ms);
}


bool
task_may_begin(const task_t *task)
{
    return atomic_load(&task->stop) == TASK_GO && task_is_alive(task);
}
