#include <stdio.h>
#include <string.h>

#include "chorus_library.h"
#include "clock.h"
#include "log.h"
#include "queue_internal.h"
#include "queue_scan.h"

#define QUEUE_SCAN_FIELDS  12
#define QUEUE_SCAN_NAMES   "100"        /* a page */


/* NULL when Redis did not take it, which the connection knows by now; else to
 * be freed. */

static redisReply *
queue_scan_call(queue_t *queue, queue_command_t *command, int type,
    const char *name)
{
    redisReply  *reply;

    reply = queue_command_call(command, queue->connection.redis);

    if (reply != NULL && reply->type == type) {
        return reply;
    }

    queue_connection_error(&queue->connection, reply, name);
    freeReplyObject(reply);

    return NULL;
}


static bool
queue_scan_number(queue_t *queue, queue_command_t *command, const char *name,
    int64_t *number)
{
    redisReply  *reply;

    reply = queue_scan_call(queue, command, REDIS_REPLY_INTEGER, name);

    if (reply == NULL) {
        return false;
    }

    *number = reply->integer;
    freeReplyObject(reply);

    return true;
}


/* The three that say which lease it is about. */

static void
queue_scan_held(queue_t *queue, queue_command_t *command, const char *name,
    const queue_scan_t *scan, size_t nargs)
{
    chorus_arena_reset(queue->arena);
    queue_fcall_replication(queue, command, name, scan->task->replication,
                            3 + nargs);
    queue_command_i64(command, scan->id);
    queue_command_i64(command, scan->shard);
    queue_command_add(command, scan->token);
}


/* ---- claims ---- */


static queue_scan_level_t
queue_scan_level(chorus_str_t name)
{
    return chorus_str_eq(name, chorus_str("content")) ? QUEUE_SCAN_CONTENT
           : chorus_str_eq(name, chorus_str("full")) ? QUEUE_SCAN_FULL
                                                     : QUEUE_SCAN_QUICK;
}


/* [R, what, id, shard, token, kind, depth, surplus, to, is_cut, cursor,
 * failures] */

static bool
queue_scan_read(queue_scan_t *scan, const redisReply *reply)
{
    int64_t             surplus, is_cut, failures;
    task_t             *task;
    redisReply * const *e;

    task = scan->task;
    e = reply->element;

    if (reply->elements < QUEUE_SCAN_FIELDS
        || !queue_reply_i64(e[2], &scan->id)
        || !queue_reply_i64(e[3], &scan->shard)
        || !queue_reply_i64(e[7], &surplus)
        || !queue_reply_i64(e[9], &is_cut)
        || !queue_reply_i64(e[11], &failures))
    {
        return false;
    }

    scan->token = queue_reply_str(&task->mem, e[4]);
    scan->is_check = chorus_str_eq(queue_reply_str(&task->mem, e[5]),
                                   chorus_str("check"));
    scan->level = queue_scan_level(queue_reply_str(&task->mem, e[6]));
    scan->deletes_surplus = surplus != 0;
    scan->to = queue_reply_str(&task->mem, e[8]);
    scan->is_bounded = is_cut != 0;
    scan->cursor = queue_reply_str(&task->mem, e[10]);
    scan->failures = (uint64_t) failures;

    return scan->token.data != NULL && scan->to.data != NULL
           && scan->cursor.data != NULL;
}


static bool
queue_scan_read_claim(queue_scan_t *scan, const redisReply *reply)
{
    task_t          *task;
    chorus_str_t     what;
    chorus_error_t   error;

    task = scan->task;
    task->key = chorus_str("");
    task->replication = queue_reply_str(&task->mem, reply->element[0]);
    what = queue_reply_str(&task->mem, reply->element[1]);

    if (task->replication.data == NULL
        || chorus_replication_parse(&task->mem, task->replication,
                                    &task->parts, &error) != CHORUS_OK)
    {
        return false;
    }

    if (chorus_str_eq(what, chorus_str("new"))) {
        scan->what = QUEUE_SCAN_NEW;
        return true;
    }

    scan->what = chorus_str_eq(what, chorus_str("shard")) ? QUEUE_SCAN_SHARD
                                                          : QUEUE_SCAN_SPLIT;

    return queue_scan_read(scan, reply);
}


bool
queue_scan_claim(queue_t *queue, int64_t lease_ms, uint64_t policy,
    const chorus_str_t *excluded, size_t nexcluded, queue_scan_t *scan)
{
    size_t            i;
    int64_t           asked_ms;
    redisReply       *reply;
    queue_command_t   command;

    memset(scan, 0, sizeof(queue_scan_t));
    chorus_arena_reset(queue->arena);

    queue_fcall(queue, &command, "chorus_scan_claim", 1, 3 + nexcluded);
    queue_command_text(&command, CHORUS_REDIS_SCANS);
    queue_command_text(&command, queue->worker_id);
    queue_command_i64(&command, lease_ms);
    queue_command_i64(&command, (int64_t) policy);

    for (i = 0; i < nexcluded; i++) {
        queue_command_add(&command, excluded[i]);
    }

    asked_ms = clock_ms();
    reply = queue_scan_call(queue, &command, REDIS_REPLY_ARRAY,
                            "chorus_scan_claim");

    if (reply == NULL || reply->elements < 2) {
        freeReplyObject(reply);
        return reply != NULL;
    }

    scan->task = task_create();

    if (scan->task != NULL) {
        scan->task->claimed_ms = asked_ms;
        atomic_store(&scan->task->deadline_ms,
                     queue_deadline_ms(asked_ms, lease_ms));

        if (!queue_scan_read_claim(scan, reply)) {
            log_write(LOG_ERROR, "redis: chorus_scan_claim: malformed");
            scan->what = QUEUE_SCAN_NOTHING;
        }
    }

    freeReplyObject(reply);

    return true;
}


/* ---- what becomes of a lease ---- */


static void
queue_scan_add_told(queue_command_t *command, const queue_scan_told_t *told)
{
    size_t                      i;
    const queue_scan_counts_t  *c;

    c = &told->counts;

    const uint64_t  counts[] = {
        c->ours, c->theirs, c->equal, c->different, c->missing, c->surplus,
        c->moving, c->undecided, c->unchecked, c->bytes
    };

    queue_command_add(command, told->from);
    queue_command_add(command, told->cursor);
    queue_command_i64(command, told->is_last ? 1 : 0);

    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        queue_command_i64(command, (int64_t) counts[i]);
    }

    queue_command_i64(command, (int64_t) told->nmarks);

    for (i = 0; i < told->nmarks; i++) {
        queue_command_i64(command, told->marks[i].facets);
        queue_command_add(command, told->marks[i].key);
    }

    for (i = 0; i < told->ndifferences; i++) {
        queue_command_i64(command, told->differences[i].what);
        queue_command_add(command, told->differences[i].key);
        queue_command_add(command, told->differences[i].evidence);
    }
}


/* [what became of it, to, is_cut] */

static bool
queue_scan_read_page(queue_t *queue, queue_scan_t *scan,
    const redisReply *reply, queue_scan_page_t *result)
{
    size_t        i;
    chorus_str_t  word;

    static const char *const  words[] = { "taken", "wait", "cut", "paused",
                                          "lost" };

    if (reply->elements < 3) {
        return false;
    }

    word = queue_reply_str(&queue->mem, reply->element[0]);

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (chorus_str_eq(word, chorus_str_from(words[i]))) {
            *result = (queue_scan_page_t) i;
            break;
        }
    }

    if (i == sizeof(words) / sizeof(words[0])) {
        return false;
    }

    if (*result != QUEUE_SCAN_LOST && reply->element[2]->integer != 0
        && (!scan->is_bounded
            || !chorus_str_eq(scan->to, (chorus_str_t) {
                                  reply->element[1]->str,
                                  reply->element[1]->len })))
    {
        scan->to = queue_reply_str(&scan->task->mem, reply->element[1]);
        scan->is_bounded = true;
    }

    return !scan->is_bounded || scan->to.data != NULL;
}


bool
queue_scan_page(queue_t *queue, queue_scan_t *scan, int64_t lease_ms,
    unsigned bulk_max, const queue_scan_told_t *told,
    queue_scan_page_t *result)
{
    bool              is_good;
    int64_t           asked_ms;
    redisReply       *reply;
    queue_command_t   command;

    queue_scan_held(queue, &command, "chorus_scan_page", scan,
                    18 + told->nmarks * 2 + told->ndifferences * 3);
    queue_command_i64(&command, lease_ms);
    queue_command_i64(&command, bulk_max);
    queue_scan_add_told(&command, told);

    asked_ms = clock_ms();
    reply = queue_scan_call(queue, &command, REDIS_REPLY_ARRAY,
                            "chorus_scan_page");

    if (reply == NULL) {
        return false;
    }

    is_good = queue_scan_read_page(queue, scan, reply, result);
    freeReplyObject(reply);

    if (is_good && (*result == QUEUE_SCAN_TAKEN || *result == QUEUE_SCAN_WAIT))
    {
        atomic_store(&scan->task->deadline_ms,
                     queue_deadline_ms(asked_ms, lease_ms));
    }

    return is_good;
}


bool
queue_scan_renew(queue_t *queue, queue_scan_t *scan, int64_t lease_ms)
{
    int64_t          asked_ms, is_held;
    queue_command_t  command;

    queue_scan_held(queue, &command, "chorus_scan_renew", scan, 1);
    queue_command_i64(&command, lease_ms);

    asked_ms = clock_ms();

    if (!queue_scan_number(queue, &command, "chorus_scan_renew", &is_held)) {
        return false;
    }

    if (is_held) {
        atomic_store(&scan->task->deadline_ms,
                     queue_deadline_ms(asked_ms, lease_ms));
    } else {
        atomic_store(&scan->task->stop, TASK_LOST);
    }

    return true;
}


bool
queue_scan_release(queue_t *queue, const queue_scan_t *scan,
    int64_t delay_ms, bool is_failure, const char *reason)
{
    int64_t          ignored;
    queue_command_t  command;

    queue_scan_held(queue, &command, "chorus_scan_release", scan, 3);
    queue_command_i64(&command, delay_ms);
    queue_command_i64(&command, is_failure ? 1 : 0);
    queue_command_text(&command, reason);

    return queue_scan_number(queue, &command, "chorus_scan_release",
                             &ignored);
}


bool
queue_scan_fail(queue_t *queue, const queue_scan_t *scan, const char *reason)
{
    int64_t          ignored;
    queue_command_t  command;

    queue_scan_held(queue, &command, "chorus_scan_fail", scan, 1);
    queue_command_text(&command, reason);

    return queue_scan_number(queue, &command, "chorus_scan_fail", &ignored);
}


bool
queue_scan_split(queue_t *queue, const queue_scan_t *scan, chorus_str_t at,
    bool *is_done)
{
    int64_t          done;
    queue_command_t  command;

    chorus_arena_reset(queue->arena);
    queue_fcall_replication(queue, &command, "chorus_scan_split",
                            scan->task->replication, 3);
    queue_command_i64(&command, scan->id);
    queue_command_i64(&command, scan->shard);
    queue_command_add(&command, at);

    if (!queue_scan_number(queue, &command, "chorus_scan_split", &done)) {
        return false;
    }

    *is_done = done != 0;

    return true;
}


bool
queue_scan_moving(queue_t *queue, const queue_scan_t *scan,
    const chorus_str_t *keys, size_t n, queue_scan_motion_t *motion)
{
    size_t            i;
    chorus_buf_t      hash;
    redisReply       *reply;
    queue_command_t   command;

    chorus_arena_reset(queue->arena);
    hash = chorus_buf(&queue->mem, scan->task->replication.len + 16);
    chorus_buf_text(&hash, "chorus:{");
    chorus_buf_add(&hash, scan->task->replication);
    chorus_buf_char(&hash, '}');

    queue_fcall(queue, &command, "chorus_scan_moving", 1, n);
    queue_command_add(&command, chorus_buf_str(&hash));

    for (i = 0; i < n; i++) {
        queue_command_add(&command, keys[i]);
    }

    reply = queue_scan_call(queue, &command, REDIS_REPLY_ARRAY,
                            "chorus_scan_moving");

    if (reply == NULL || reply->elements != n) {
        freeReplyObject(reply);
        return false;
    }

    for (i = 0; i < n; i++) {
        motion[i] = reply->element[i]->integer == 0 ? QUEUE_SCAN_STILL
                    : reply->element[i]->integer == 1 ? QUEUE_SCAN_MOVING
                                                      : QUEUE_SCAN_OWED;
    }

    freeReplyObject(reply);

    return true;
}


/* ---- which there are ---- */


bool
queue_scan_discover(queue_t *queue, unsigned interval_seconds,
    uint64_t policy, bool *is_due, char *owed, size_t size)
{
    redisReply       *reply;
    queue_command_t   command;

    chorus_arena_reset(queue->arena);
    queue_fcall(queue, &command, "chorus_scan_discover", 1, 2);
    queue_command_text(&command, CHORUS_REDIS_DISCOVER);
    queue_command_i64(&command, (int64_t) interval_seconds * 1000);
    queue_command_i64(&command, (int64_t) policy);

    reply = queue_scan_call(queue, &command, REDIS_REPLY_ARRAY,
                            "chorus_scan_discover");

    if (reply == NULL || reply->elements < 2
        || reply->element[1]->type != REDIS_REPLY_STRING)
    {
        freeReplyObject(reply);
        return false;
    }

    *is_due = reply->element[0]->integer != 0;
    (void) snprintf(owed, size, "%.*s", (int) reply->element[1]->len,
                    reply->element[1]->str);
    freeReplyObject(reply);

    return true;
}


bool
queue_scan_looked(queue_t *queue, uint64_t policy, bool is_whole)
{
    int64_t          ignored;
    queue_command_t  command;

    chorus_arena_reset(queue->arena);
    queue_fcall(queue, &command, "chorus_scan_looked", 1, 2);
    queue_command_text(&command, CHORUS_REDIS_DISCOVER);
    queue_command_i64(&command, (int64_t) policy);
    queue_command_i64(&command, is_whole ? 1 : 0);

    return queue_scan_number(queue, &command, "chorus_scan_looked", &ignored);
}


bool
queue_scan_ensure(queue_t *queue, chorus_str_t replication, bool migrates,
    uint64_t policy, bool *is_covered)
{
    int64_t          covered;
    queue_command_t  command;

    chorus_arena_reset(queue->arena);
    queue_fcall_replication(queue, &command, "chorus_scan_ensure",
                            replication, 2);
    queue_command_i64(&command, migrates ? 1 : 0);
    queue_command_i64(&command, (int64_t) policy);

    if (!queue_scan_number(queue, &command, "chorus_scan_ensure", &covered)) {
        return false;
    }

    *is_covered = covered != 0;

    return true;
}


/* [cursor, [R...]] */

static bool
queue_scan_read_names(chorus_mem_t *mem, const redisReply *reply,
    char *cursor, size_t size, chorus_str_t **names, size_t *n)
{
    size_t             i;
    const redisReply  *list;

    if (reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[1]->type != REDIS_REPLY_ARRAY)
    {
        return false;
    }

    (void) snprintf(cursor, size, "%.*s", (int) reply->element[0]->len,
                    reply->element[0]->str);

    list = reply->element[1];
    *n = list->elements;
    *names = chorus_alloc(mem, (*n + 1) * sizeof(chorus_str_t));

    for (i = 0; *names != NULL && i < *n; i++) {
        (*names)[i] = queue_reply_str(mem, list->element[i]);
        if ((*names)[i].data == NULL) {
            return false;
        }
    }

    return *names != NULL;
}


bool
queue_scan_names(queue_t *queue, chorus_mem_t *mem, char *cursor, size_t size,
    chorus_str_t **names, size_t *n)
{
    bool              is_good;
    redisReply       *reply;
    queue_command_t   command;

    chorus_arena_reset(queue->arena);
    queue_command_begin(&command, &queue->mem, 5);
    queue_command_text(&command, "SSCAN");
    queue_command_text(&command, CHORUS_REDIS_REPLICATIONS);
    queue_command_text(&command, cursor);
    queue_command_text(&command, "COUNT");
    queue_command_text(&command, QUEUE_SCAN_NAMES);

    reply = queue_scan_call(queue, &command, REDIS_REPLY_ARRAY, "SSCAN");

    if (reply == NULL) {
        return false;
    }

    is_good = queue_scan_read_names(mem, reply, cursor, size, names, n);
    freeReplyObject(reply);

    return is_good;
}


bool
queue_scan_paid_all(queue_t *queue, const char *owed)
{
    int64_t          ignored;
    queue_command_t  command;

    chorus_arena_reset(queue->arena);
    queue_fcall(queue, &command, "chorus_paid_all", 1, 1);
    queue_command_text(&command, CHORUS_REDIS_OWED);
    queue_command_text(&command, owed);

    return queue_scan_number(queue, &command, "chorus_paid_all", &ignored);
}
