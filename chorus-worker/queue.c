#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chorus_crypto.h"
#include "chorus_library.h"
#include "clock.h"
#include "log.h"
#include "queue_internal.h"
#include "queue_policy.h"
#include "queue_tls.h"

#define QUEUE_CLAIM_FIELDS  7
#define QUEUE_RENEW_ARGS    3           /* of one key */
#define QUEUE_PROBE_MS      5000        /* until what is blocked is tried */


static chorus_redis_host_t *
queue_copy_sentinels(chorus_mem_t *mem, const chorus_redis_url_t *url)
{
    size_t                i;
    chorus_redis_host_t  *copy;

    copy = chorus_alloc(mem, url->nsentinels * sizeof(chorus_redis_host_t));

    for (i = 0; copy != NULL && i < url->nsentinels; i++) {
        copy[i].port = url->sentinels[i].port;
        copy[i].name = chorus_str_dup(mem, url->sentinels[i].name);
    }

    return copy;
}


static chorus_redis_url_t
queue_copy_url(chorus_mem_t *mem, const chorus_redis_url_t *url)
{
    chorus_redis_url_t  copy;

    copy = *url;

    if (url->nsentinels != 0) {
        copy.sentinels = queue_copy_sentinels(mem, url);
        copy.nsentinels = copy.sentinels == NULL ? 0 : url->nsentinels;
    }

    copy.service = chorus_str_dup(mem, url->service);
    copy.sentinel_user = chorus_str_dup(mem, url->sentinel_user);
    copy.sentinel_password = chorus_str_dup(mem, url->sentinel_password);
    copy.host = chorus_str_dup(mem, url->host);
    copy.unix_path = chorus_str_dup(mem, url->unix_path);
    copy.user = chorus_str_dup(mem, url->user);
    copy.password = chorus_str_dup(mem, url->password);
    copy.tls_name = chorus_str_dup(mem, url->tls_name);

    return copy;
}


queue_t *
queue_create(const chorus_redis_url_t *url, const char *worker_id,
    chorus_error_t *error)
{
    queue_t  *queue;

    (void) chorus_error_set(error, "out of memory");

    queue = calloc(1, sizeof(queue_t));
    if (queue == NULL) {
        return NULL;
    }

    queue->forever = chorus_arena_create();
    queue->arena = chorus_arena_create();

    if (queue->forever == NULL || queue->arena == NULL) {
        queue_destroy(queue);
        return NULL;
    }

    queue->forever_mem = chorus_arena_mem(queue->forever);
    queue->mem = chorus_arena_mem(queue->arena);
    queue->connection.mem = &queue->mem;
    queue->connection.url = queue_copy_url(&queue->forever_mem, url);
    queue->worker_id = worker_id;

    if (url->tls) {
        queue->connection.tls = chorus_redis_tls_create(url, error);

        if (queue->connection.tls == NULL) {
            queue_destroy(queue);
            return NULL;
        }
    }

    return queue;
}


static void
queue_wipe(chorus_str_t password)
{
    if (password.len != 0) {
        chorus_secret_wipe((void *) (uintptr_t) password.data, password.len);
    }
}


void
queue_destroy(queue_t *queue)
{
    queue_connection_close(&queue->connection);

    queue_repair_clear(&queue->repair);
    queue_wipe(queue->connection.url.password);
    queue_wipe(queue->connection.url.sentinel_password);
    chorus_redis_tls_destroy(queue->connection.tls);

    chorus_arena_destroy(queue->arena);
    chorus_arena_destroy(queue->forever);
    free(queue);
}


bool
queue_ready(queue_t *queue)
{
    bool  is_ready;

    is_ready = queue_connection_ready(&queue->connection);
    chorus_arena_reset(queue->arena);

    return is_ready;
}


int64_t
queue_retry_ms(const queue_t *queue)
{
    return queue->connection.retry_ms;
}


int
queue_wake_fd(const queue_t *queue)
{
    return queue->connection.wake == NULL ? -1 : queue->connection.wake->fd;
}


/* { "message", channel, text } */

static bool
queue_wake_says(const redisReply *reply, const char *text)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 3
           && reply->element[2]->type == REDIS_REPLY_STRING
           && strcmp(reply->element[2]->str, text) == 0;
}


bool
queue_drain_wake(queue_t *queue)
{
    bool           is_policy;
    void          *reply;
    redisContext  *wake;

    wake = queue->connection.wake;
    is_policy = false;

    /* Readable TLS is a record of messages: what else Redis sends, session
     * tickets, came before its first reply.  A record fits into one read, so
     * that none stays behind where poll() does not see it. */

    if (redisBufferRead(wake) != REDIS_OK) {
        queue_connection_lost(&queue->connection, queue_tls_why(wake));
        return false;
    }

    /* which replication a message names does not matter: claim looks at all */
    while (redisGetReplyFromReader(wake, &reply) == REDIS_OK
           && reply != NULL)
    {
        is_policy = is_policy || queue_wake_says(reply, "policy");

        if (queue_wake_says(reply, "paused")) {
            queue->pauses_ms = 0;
        }

        freeReplyObject(reply);
    }

    return is_policy;
}


int64_t
queue_deadline_ms(int64_t asked_ms, int64_t lease_ms)
{
    int64_t  margin;

    margin = lease_ms / 10;

    return asked_ms + lease_ms - (margin < 2000 ? margin : 2000);
}


void
queue_configure(queue_t *queue, const chorus_worker_config_t *worker)
{
    int     n;
    size_t  i, used;

    used = 0;
    queue->rechecks[0] = '\0';

    for (i = 0; i < worker->nrechecks; i++) {
        n = snprintf(queue->rechecks + used, sizeof(queue->rechecks) - used,
                     "%s%u000", i == 0 ? "" : ",",
                     worker->recheck_seconds[i]);
        used += (size_t) n;
    }

    queue->probe_max_ms = (int64_t) worker->retry_max_seconds * 1000;
    queue->probe_ms = queue->probe_max_ms < QUEUE_PROBE_MS
                      ? queue->probe_max_ms : QUEUE_PROBE_MS;
}


void
queue_fcall(queue_t *queue, queue_command_t *command, const char *name,
    unsigned nkeys, size_t nargs)
{
    queue_command_begin(command, &queue->mem, 3 + nkeys + nargs);
    queue_command_text(command, "FCALL");
    queue_command_text(command, name);
    queue_command_i64(command, nkeys);
}


redisReply *
queue_call(queue_t *queue, queue_command_t *command, const char *name)
{
    redisReply  *reply;

    reply = queue_command_call(command, queue->connection.redis);

    if (reply != NULL && reply->type != REDIS_REPLY_ERROR) {
        return reply;
    }

    queue_connection_error(&queue->connection, reply, name);
    freeReplyObject(reply);

    return NULL;
}


void
queue_fcall_replication(queue_t *queue, queue_command_t *command,
    const char *name, chorus_str_t replication, size_t nargs)
{
    chorus_buf_t  buf;

    buf = chorus_buf(&queue->mem, replication.len + 16);
    chorus_buf_text(&buf, "chorus:{");
    chorus_buf_add(&buf, replication);
    chorus_buf_char(&buf, '}');

    queue_fcall(queue, command, name, 3, nargs);
    queue_command_add(command, chorus_buf_str(&buf));
    queue_command_text(command, CHORUS_REDIS_SCHEDULE);
    queue_command_text(command, CHORUS_REDIS_REPLICATIONS);
}


/* [R, key, token, facets, attempts, since_age_ms, source], and an upload if
 * there is one */

static bool
queue_task_read(task_t *task, const redisReply *item)
{
    int64_t          facets, attempts, age;
    chorus_str_t     source;
    chorus_error_t   error;

    if (item->type != REDIS_REPLY_ARRAY
        || item->elements < QUEUE_CLAIM_FIELDS
        || !queue_reply_i64(item->element[3], &facets)
        || !queue_reply_i64(item->element[4], &attempts)
        || !queue_reply_i64(item->element[5], &age))
    {
        return false;
    }

    task->replication = queue_reply_str(&task->mem, item->element[0]);
    task->key = queue_reply_str(&task->mem, item->element[1]);
    task->token = queue_reply_str(&task->mem, item->element[2]);
    source = queue_reply_str(&task->mem, item->element[6]);

    if (task->replication.data == NULL || task->key.data == NULL
        || task->token.data == NULL)
    {
        return false;
    }

    if (item->elements > QUEUE_CLAIM_FIELDS) {
        task->upload = queue_reply_str(&task->mem,
                                       item->element[QUEUE_CLAIM_FIELDS]);
    }

    task->facets = (unsigned) facets;
    task->attempts = (uint64_t) attempts;
    task->is_scan = chorus_str_eq(source, chorus_str("scan"));
    task->since_ms = task->claimed_ms - age;

    if (chorus_replication_parse(&task->mem, task->replication, &task->parts,
                                 &error) != CHORUS_OK)
    {
        memset(&task->parts, 0, sizeof(task->parts));
    }

    return true;
}


static void
queue_read_claims(const redisReply *reply, int64_t asked_ms,
    int64_t lease_ms, task_t **list)
{
    size_t    i;
    task_t   *task, **last;

    last = list;

    for (i = 0; i < reply->elements; i++) {
        task = task_create();
        if (task == NULL) {
            /* its lease runs out and somebody else gets it */
            continue;
        }

        task->claimed_ms = asked_ms;
        atomic_store(&task->deadline_ms,
                     queue_deadline_ms(asked_ms, lease_ms));

        if (!queue_task_read(task, reply->element[i])) {
            log_write(LOG_ERROR, "redis: chorus_claim: malformed item");
            task_free(task);
            continue;
        }

        *last = task;
        last = &task->next;
    }
}


/* After a claim: the policy under which its keys were marked, or a later one.
 * Where it is not known, the largest. */

static void
queue_note_policy(queue_t *queue, task_t *list)
{
    task_t              *task;
    queue_policy_now_t   now;

    if (list == NULL) {
        return;
    }

    if (!queue_policy_now(queue, &now)) {
        now.version = UINT64_MAX;
    }

    for (task = list; task != NULL; task = task->next) {
        task->policy = now.version;
        memcpy(task->rules, now.rules, sizeof(task->rules));
    }
}


/* "follower=3"; a name has no "=". */

static void
queue_add_room(queue_t *queue, queue_command_t *command,
    const health_room_t *room)
{
    chorus_buf_t  buf;

    buf = chorus_buf(&queue->mem, room->storage.len + 16);
    chorus_buf_add(&buf, room->storage);
    chorus_buf_char(&buf, '=');
    chorus_buf_u64(&buf, room->room);
    queue_command_add(command, chorus_buf_str(&buf));
}


bool
queue_claim(queue_t *queue, int64_t lease_ms, size_t max,
    const health_room_t *rooms, size_t nrooms, task_t **list)
{
    bool              is_taken;
    size_t            i;
    int64_t           asked_ms;
    redisReply       *reply;
    queue_command_t   command;

    *list = NULL;
    chorus_arena_reset(queue->arena);

    queue_fcall(queue, &command, "chorus_claim", 1, 4 + nrooms);
    queue_command_text(&command, CHORUS_REDIS_SCHEDULE);
    queue_command_text(&command, queue->worker_id);
    queue_command_i64(&command, lease_ms);
    queue_command_i64(&command, max < QUEUE_CLAIM_MAX
                                ? (int64_t) max : QUEUE_CLAIM_MAX);
    queue_command_text(&command, queue->rechecks);

    for (i = 0; i < nrooms; i++) {
        queue_add_room(queue, &command, &rooms[i]);
    }

    asked_ms = clock_ms();
    reply = queue_command_call(&command, queue->connection.redis);
    is_taken = reply != NULL && reply->type == REDIS_REPLY_ARRAY;

    if (is_taken) {
        queue_read_claims(reply, asked_ms, lease_ms, list);

    } else {
        queue_connection_error(&queue->connection, reply, "chorus_claim");
    }

    freeReplyObject(reply);
    queue_note_policy(queue, *list);

    return is_taken;
}


static void
queue_read_renewals(const redisReply *reply, int64_t deadline_ms,
    task_t **tasks, size_t ntasks)
{
    size_t   i;
    int64_t  is_held;

    for (i = 0; i < ntasks && i < reply->elements; i++) {

        if (!queue_reply_i64(reply->element[i], &is_held)) {
            continue;
        }

        if (is_held) {
            atomic_store(&tasks[i]->deadline_ms, deadline_ms);

        } else {
            atomic_store(&tasks[i]->stop, TASK_LOST);
        }
    }
}


bool
queue_renew(queue_t *queue, int64_t lease_ms, task_t **tasks, size_t ntasks)
{
    bool              is_taken;
    size_t            i;
    int64_t           asked_ms;
    redisReply       *reply;
    queue_command_t   command;

    chorus_arena_reset(queue->arena);

    queue_fcall(queue, &command, "chorus_renew", 1,
                1 + ntasks * QUEUE_RENEW_ARGS);
    queue_command_text(&command, CHORUS_REDIS_SCHEDULE);
    queue_command_i64(&command, lease_ms);

    for (i = 0; i < ntasks; i++) {
        queue_command_add(&command, tasks[i]->replication);
        queue_command_add(&command, tasks[i]->key);
        queue_command_add(&command, tasks[i]->token);
    }

    asked_ms = clock_ms();
    reply = queue_command_call(&command, queue->connection.redis);
    is_taken = reply != NULL && reply->type == REDIS_REPLY_ARRAY;

    if (is_taken) {
        queue_read_renewals(reply, queue_deadline_ms(asked_ms, lease_ms),
                            tasks, ntasks);

    } else {
        queue_connection_error(&queue->connection, reply, "chorus_renew");
    }

    freeReplyObject(reply);

    return is_taken;
}
