#include <stdio.h>
#include <string.h>

#include "queue_internal.h"
#include "queue_policy.h"

#define QUEUE_POLICY_PAGE    500
#define QUEUE_POLICY_REASON  64         /* of a debt of a replication */


static bool
queue_policy_send(queue_t *queue, queue_command_t *command, const char *name)
{
    redisReply  *reply;

    reply = queue_call(queue, command, name);
    freeReplyObject(reply);

    return reply != NULL;
}


static void
queue_policy_change(queue_t *queue, queue_command_t *command,
    const char *name, size_t nargs)
{
    chorus_arena_reset(queue->arena);

    queue_fcall(queue, command, name, 3, nargs);
    queue_command_text(command, CHORUS_REDIS_POLICY);
    queue_command_text(command, CHORUS_REDIS_AUDIT);
    queue_command_text(command, CHORUS_REDIS_POLICY_OWED);
}


static void
queue_policy_reader(queue_t *queue, queue_command_t *command,
    const queue_reader_t *reader, bool is_leaving)
{
    chorus_arena_reset(queue->arena);

    queue_fcall(queue, command, "chorus_policy_poll", 4, 8);
    queue_command_text(command, CHORUS_REDIS_POLICY);
    queue_command_text(command, CHORUS_REDIS_POLICY_READERS);
    queue_command_text(command, CHORUS_REDIS_POLICY_ALIVE);
    queue_command_text(command, CHORUS_REDIS_POLICY_OWED);
    queue_command_text(command, queue->worker_id);
    queue_command_text(command, "worker");
    queue_command_i64(command, (int64_t) reader->version);
    queue_command_i64(command, (int64_t) reader->version);
    queue_command_i64(command, -1);
    queue_command_i64(command, is_leaving ? 1 : 0);
    queue_command_text(command, reader->rules);
    queue_command_add(command, (chorus_str_t) {
        reader->trouble, strnlen(reader->trouble, 255)
    });
}


bool
queue_policy_poll(queue_t *queue, chorus_mem_t *mem,
    const queue_reader_t *reader, chorus_str_t *document)
{
    redisReply       *reply;
    queue_command_t   command;

    queue_policy_reader(queue, &command, reader, false);
    reply = queue_call(queue, &command, "chorus_policy_poll");
    *document = chorus_null_str;

    if (reply != NULL && reply->type == REDIS_REPLY_STRING) {
        *document = queue_reply_str(mem, reply);
    }

    freeReplyObject(reply);

    return reply != NULL;
}


/* { version, rules } */

bool
queue_policy_now(queue_t *queue, queue_policy_now_t *now)
{
    bool              is_good;
    redisReply       *reply;
    chorus_str_t      rules;
    queue_command_t   command;

    memset(now, 0, sizeof(queue_policy_now_t));

    queue_fcall(queue, &command, "chorus_policy_now", 4, 0);
    queue_command_text(&command, CHORUS_REDIS_POLICY);
    queue_command_text(&command, CHORUS_REDIS_POLICY_READERS);
    queue_command_text(&command, CHORUS_REDIS_POLICY_ALIVE);
    queue_command_text(&command, CHORUS_REDIS_POLICY_OWED);

    reply = queue_call(queue, &command, "chorus_policy_now");
    is_good = reply != NULL && reply->type == REDIS_REPLY_ARRAY
              && reply->elements == 2
              && chorus_str_to_u64(queue_reply_str(&queue->mem,
                                                   reply->element[0]),
                                   &now->version);

    if (is_good) {
        rules = queue_reply_str(&queue->mem, reply->element[1]);
        (void) snprintf(now->rules, sizeof(now->rules), "%.*s",
                        chorus_fmt(rules));
    }

    freeReplyObject(reply);

    return is_good;
}


bool
queue_policy_leave(queue_t *queue)
{
    queue_command_t  command;
    queue_reader_t   nobody = { 0, "0", "" };

    queue_policy_reader(queue, &command, &nobody, true);

    return queue_policy_send(queue, &command, "chorus_policy_poll");
}


bool
queue_policy_restore(queue_t *queue, chorus_str_t document)
{
    queue_command_t  command;

    queue_policy_change(queue, &command, "chorus_policy_restore", 1);
    queue_command_add(&command, document);

    return queue_policy_send(queue, &command, "chorus_policy_restore");
}


/* { rule, debt, age_ms, reason } or nil */

bool
queue_policy_take(queue_t *queue, chorus_mem_t *mem, int64_t lease_ms,
    queue_rule_debt_t *debt)
{
    redisReply       *reply;
    queue_command_t   command;

    memset(debt, 0, sizeof(queue_rule_debt_t));
    chorus_arena_reset(queue->arena);

    queue_fcall(queue, &command, "chorus_policy_take", 1, 1);
    queue_command_text(&command, CHORUS_REDIS_POLICY_OWED);
    queue_command_i64(&command, lease_ms);

    reply = queue_call(queue, &command, "chorus_policy_take");

    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY
        && reply->elements == 4)
    {
        debt->rule = queue_reply_str(mem, reply->element[0]);
        debt->id = queue_reply_str(mem, reply->element[1]);
        debt->reason = queue_reply_str(mem, reply->element[3]);
        (void) chorus_str_to_u64(queue_reply_str(mem, reply->element[2]),
                                 &debt->age_ms);
    }

    freeReplyObject(reply);

    return reply != NULL;
}


bool
queue_policy_settled(queue_t *queue, const queue_rule_debt_t *debt)
{
    queue_command_t  command;

    chorus_arena_reset(queue->arena);

    queue_fcall(queue, &command, "chorus_policy_settled", 1, 2);
    queue_command_text(&command, CHORUS_REDIS_POLICY_OWED);
    queue_command_add(&command, debt->rule);
    queue_command_add(&command, debt->id);

    return queue_policy_send(queue, &command, "chorus_policy_settled");
}


bool
queue_policy_owe(queue_t *queue, chorus_str_t replication,
    const queue_rule_debt_t *debt, bool has_bucket)
{
    chorus_str_t     reason;
    queue_command_t  command;

    reason = debt->reason;
    reason.len = reason.len < QUEUE_POLICY_REASON ? reason.len
                                                  : QUEUE_POLICY_REASON;
    chorus_arena_reset(queue->arena);

    queue_fcall_replication(queue, &command, "chorus_owe", replication, 2);
    queue_command_add(&command, reason);
    queue_command_i64(&command, (int64_t) debt->age_ms);

    if (!queue_policy_send(queue, &command, "chorus_owe")) {
        return false;
    }

    if (!has_bucket) {
        return true;
    }

    chorus_arena_reset(queue->arena);

    queue_fcall_replication(queue, &command, "chorus_mark", replication, 4);
    queue_command_text(&command, "scan");
    queue_command_i64(&command, 0);
    queue_command_i64(&command, 0);
    queue_command_text(&command, "");

    return queue_policy_send(queue, &command, "chorus_mark");
}


/* { cursor, R, "0" or "1", R, ... } */

static bool
queue_policy_read_suspended(chorus_mem_t *mem, const redisReply *reply,
    queue_suspensions_t *page)
{
    size_t  i;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 1
        || !chorus_str_to_u64(queue_reply_str(mem, reply->element[0]),
                              &page->cursor))
    {
        return false;
    }

    page->rows = chorus_calloc(mem, reply->elements
                                    * sizeof(queue_suspension_t));
    if (page->rows == NULL) {
        return false;
    }

    for (i = 1; i < reply->elements; i += 2) {
        page->rows[page->n].replication = queue_reply_str(mem,
                                                        reply->element[i]);
        page->rows[page->n++].is_suspended =
            chorus_str_eq(queue_reply_str(mem, reply->element[i + 1]),
                          chorus_str("1"));
    }

    return true;
}


bool
queue_policy_suspended(queue_t *queue, chorus_mem_t *mem, uint64_t cursor,
    queue_suspensions_t *page)
{
    bool              is_good;
    redisReply       *reply;
    queue_command_t   command;

    memset(page, 0, sizeof(queue_suspensions_t));
    chorus_arena_reset(queue->arena);

    queue_fcall(queue, &command, "chorus_suspended", 1, 2);
    queue_command_text(&command, CHORUS_REDIS_REPLICATIONS);
    queue_command_i64(&command, (int64_t) cursor);
    queue_command_i64(&command, QUEUE_POLICY_PAGE);

    reply = queue_call(queue, &command, "chorus_suspended");
    is_good = reply != NULL && queue_policy_read_suspended(mem, reply, page);
    freeReplyObject(reply);

    return is_good;
}


bool
queue_policy_suspend(queue_t *queue, chorus_str_t replication,
    bool is_suspended)
{
    queue_command_t  command;

    chorus_arena_reset(queue->arena);

    queue_fcall_replication(queue, &command, "chorus_suspend", replication, 1);
    queue_command_i64(&command, is_suspended ? 1 : 0);

    return queue_policy_send(queue, &command, "chorus_suspend");
}


static bool
queue_policy_read_news(chorus_mem_t *mem, const redisReply *reply,
    queue_news_t *news)
{
    size_t  i;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0
        || !queue_reply_i64(reply->element[0], &news->made))
    {
        return false;
    }

    news->forget = chorus_calloc(mem, reply->elements * sizeof(chorus_str_t));

    for (i = 1; news->forget != NULL && i < reply->elements; i++) {
        news->forget[news->n] = queue_reply_str(mem, reply->element[i]);
        news->n += news->forget[news->n].data != NULL;
    }

    return news->forget != NULL;
}


/* { made, R, ... } */

bool
queue_policy_news(queue_t *queue, chorus_mem_t *mem, queue_news_t *news)
{
    bool              is_good;
    redisReply       *reply;
    queue_command_t   command;

    memset(news, 0, sizeof(queue_news_t));
    chorus_arena_reset(queue->arena);

    queue_fcall(queue, &command, "chorus_news", 2, 0);
    queue_command_text(&command, CHORUS_REDIS_DISCOVER);
    queue_command_text(&command, CHORUS_REDIS_FORGET);

    reply = queue_call(queue, &command, "chorus_news");
    is_good = reply != NULL && queue_policy_read_news(mem, reply, news);
    freeReplyObject(reply);

    return is_good;
}


bool
queue_policy_forget(queue_t *queue, chorus_str_t replication, bool leads,
    uint64_t version, int64_t *word)
{
    bool              is_good;
    redisReply       *reply;
    queue_command_t   command;

    chorus_arena_reset(queue->arena);

    queue_fcall_replication(queue, &command, "chorus_forget_word",
                            replication, 3);
    queue_command_text(&command, queue->worker_id);
    queue_command_i64(&command, leads ? 1 : 0);
    queue_command_i64(&command, (int64_t) version);

    reply = queue_call(queue, &command, "chorus_forget_word");
    is_good = reply != NULL && queue_reply_i64(reply, word);
    freeReplyObject(reply);

    return is_good;
}
