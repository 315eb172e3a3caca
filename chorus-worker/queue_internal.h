/*
 * What the parts of the queue share; for queue*.c only.
 */

#ifndef QUEUE_INTERNAL_H
#define QUEUE_INTERNAL_H

#include "chorus_library.h"
#include "queue.h"
#include "queue_connection.h"
#include "queue_repair.h"

/* numbers of up to 8 digits, commas, NUL */
#define QUEUE_RECHECKS_SIZE  (CHORUS_CONFIG_RECHECKS_MAX * 9 + 1)


struct queue_s {
    queue_connection_t   connection;
    queue_repair_t       repair;
    chorus_arena_t      *forever;       /* strings of the URL */
    chorus_mem_t         forever_mem;
    chorus_arena_t      *arena;         /* of one call */
    chorus_mem_t         mem;
    const char          *worker_id;
    char                 rechecks[QUEUE_RECHECKS_SIZE]; /* ms, commas */
    int64_t              probe_ms;      /* of what is blocked: the first */
    int64_t              probe_max_ms;
    int64_t              pauses_ms;     /* when to ask what is paused */
};


/* "FCALL name nkeys": keys and arguments are to follow. */
void queue_fcall(queue_t *queue, queue_command_t *command, const char *name,
    unsigned nkeys, size_t nargs);
/* NULL: it was not taken, and that is said. */
redisReply *queue_call(queue_t *queue, queue_command_t *command,
    const char *name);
/* With the three keys of a replication: the arguments are to follow. */
void queue_fcall_replication(queue_t *queue, queue_command_t *command,
    const char *name, chorus_str_t replication, size_t nargs);


#endif
