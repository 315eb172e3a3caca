#include <stdlib.h>
#include <string.h>

#include "live_policy.h"
#include "log.h"
#include "meters.h"
#include "reconcile.h"
#include "slot.h"

#define SLOT_STACK_SIZE  (1024 * 1024)


/* What a slot keeps between tasks. */
typedef struct {
    s3_client_t     *client;
    stream_t         stream;
    layout_probe_t   probe;
    chorus_arena_t  *arena;
    chorus_mem_t     mem;
} slot_tools_t;


static bool
slot_tools_open(slot_tools_t *tools)
{
    memset(tools, 0, sizeof(slot_tools_t));

    tools->client = s3_client_create();
    tools->arena = chorus_arena_create();

    if (tools->client == NULL || tools->arena == NULL
        || !stream_open(&tools->stream) || !layout_probe_open(&tools->probe))
    {
        return false;
    }

    tools->mem = chorus_arena_mem(tools->arena);

    return true;
}


static void
slot_tools_close(slot_tools_t *tools)
{
    layout_probe_close(&tools->probe);
    stream_close(&tools->stream);
    chorus_arena_destroy(tools->arena);

    if (tools->client != NULL) {
        s3_client_destroy(tools->client);
    }
}


static void
slot_work(slot_tools_t *tools, task_t *task)
{
    work_t          work;
    live_policy_t  *live;

    if (!task_may_begin(task)) {
        task->result.outcome = TASK_RELEASED;
        return;
    }

    live = live_policy_get();
    memset(&work, 0, sizeof(work_t));

    work.client = tools->client;
    work.stream = &tools->stream;
    work.probe = &tools->probe;
    work.mem = &tools->mem;
    work.task = task;
    work.config = live_policy_config(live, &task->parts);
    work.policy = live_policy(live)->version;
    work.rules = live_policy_file(live)->digest;

    reconcile(&work);
    task->result.doubts = s3_client_take_doubts(tools->client);

    if (task->result.doubts != 0) {
        work_log_task(task, LOG_INFO, "the follower may still do what it was "
                      "asked: the key is to be looked at again");
    }

    chorus_arena_reset(tools->arena);
    live_policy_put(live);
}


static void *
slot_run(void *data)
{
    slot_t        *slot = data;
    task_t        *task;
    slot_tools_t   tools;

    if (!slot_tools_open(&tools)) {
        log_write(LOG_ERROR, "a slot cannot start: out of memory");
        abort();
    }

    for ( ;; ) {
        task = channel_take(slot->channel);
        if (task == NULL) {
            break;
        }

        meters_slot(1);
        slot_work(&tools, task);
        meters_slot(-1);
        channel_finish(slot->channel, task);
    }

    slot_tools_close(&tools);

    return NULL;
}


bool
slot_start(slot_t *slot, channel_t *channel)
{
    bool             is_started;
    pthread_attr_t   attr;

    slot->channel = channel;

    if (pthread_attr_init(&attr) != 0) {
        return false;
    }

    (void) pthread_attr_setstacksize(&attr, SLOT_STACK_SIZE);
    is_started = pthread_create(&slot->thread, &attr, slot_run, slot) == 0;
    (void) pthread_attr_destroy(&attr);

    return is_started;
}


void
slot_join(slot_t *slot)
{
    (void) pthread_join(slot->thread, NULL);
}
