#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "chorus_policy.h"
#include "chorus_uri.h"
#include "work.h"


static work_rc_t
work_misconfigured(work_t *work, const char *code, const char *what,
    chorus_str_t name)
{
    failure_set(&work->failure, FAILURE_BLOCKED, FAILURE_SIDE_WORKER, code,
                "%s \"%.*s\"", what, (int) (name.len < 128 ? name.len : 128),
                name.data);
    work->failure.is_wide = true;

    return WORK_FAILED;
}


/* Two buckets would write into one: the rule that names its bucket does. */

static work_rc_t
work_check_target(work_t *work)
{
    chorus_str_t  rival;

    rival = chorus_policy_rival(work->config, &work->task->parts);

    return rival.data == NULL ? WORK_DONE
           : work_misconfigured(work, "TargetTaken", "the bucket on the "
                                "follower is that of another bucket", rival);
}


static work_rc_t
work_resolve_credentials(work_t *work)
{
    chorus_str_t  user;

    user = work->task->parts.user;
    work->main_credential = chorus_storage_credential(work->main, user);
    work->follower_credential = chorus_storage_credential(work->follower,
                                                          user);

    if (work->main_credential == NULL) {
        return work_misconfigured(work, "UnknownUser",
                                  "main has no user", user);
    }

    if (work->follower_credential == NULL) {
        return work_misconfigured(work, "UnknownUser",
                                  "the follower has no user", user);
    }

    return work_check_target(work);
}


work_rc_t
work_resolve(work_t *work)
{
    const chorus_replication_t  *parts;

    parts = &work->task->parts;

    if (parts->follower.len == 0) {
        return work_misconfigured(work, "BadReplication",
                                  "malformed name of a replication",
                                  work->task->replication);
    }

    /* only what main serves is replicated; a bucket that is routed elsewhere
     * by now may still have marks from before, and another storage's 404 must
     * never delete what main wrote */
    work->main = work->config->main;
    work->follower = chorus_config_storage(work->config, parts->follower);
    work->bucket = parts->bucket;
    work->target = parts->target.len != 0 ? parts->target : parts->bucket;

    if (work->follower == NULL) {
        return work_misconfigured(work, "UnknownFollower",
                                  "the configuration has no storage",
                                  parts->follower);
    }

    if (work->follower == work->main) {
        return work_misconfigured(work, "FollowerIsMain",
                                  "the bucket is served by its follower",
                                  parts->follower);
    }

    return work_resolve_credentials(work);
}


static bool
work_is_alive(void *data)
{
    return task_is_alive(data);
}


static bool
work_may_begin(void *data)
{
    return task_may_begin(data);
}


void
work_watch(work_t *work)
{
    s3_client_watch(work->client, work_is_alive, work_may_begin, work->task);
}


void
work_watch_undo(work_t *work)
{
    s3_client_watch(work->client, work_is_alive, NULL, work->task);
}


/*
 * "versionId" for reads from main.  For writes to Ceph the argument with which
 * its own zones sync: it keeps the id where the user is a "system" user, and
 * does nothing for others.  It makes no "null" version.
 */

static const char *
work_version_arg(const work_t *work, failure_side_t side, const char *method,
    const char *query)
{
    if (work->version.len == 0) {
        return NULL;
    }

    if (side == FAILURE_SIDE_MAIN) {
        return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0
               ? "versionId=" : NULL;
    }

    /* MinIO has another way for it */
    if (work->follower->provider != CHORUS_PROVIDER_CEPH
        || !work->follower->keeps_version_ids
        || chorus_str_eq(work->version, chorus_str("null")))
    {
        return NULL;
    }

    if (query == NULL) {
        return strcmp(method, "PUT") == 0 || strcmp(method, "DELETE") == 0
               ? "rgwx-version-id=" : NULL;
    }

    return strcmp(method, "POST") == 0
           && strncmp(query, "uploadId=", sizeof("uploadId=") - 1) == 0
           ? "rgwx-version-id=" : NULL;
}


/* Out of memory the key would be another one's: a request that fails. */

static const char *
work_query(const work_t *work, failure_side_t side, const char *method,
    const char *query)
{
    const char    *arg;
    chorus_buf_t   buf;

    arg = work_version_arg(work, side, method, query);

    if (arg == NULL) {
        return query;
    }

    buf = chorus_buf(work->mem, 128);

    if (query != NULL) {
        chorus_buf_text(&buf, query);
        chorus_buf_char(&buf, '&');
    }

    chorus_buf_text(&buf, arg);
    chorus_uri_encode(&buf, work->version, false);
    chorus_buf_char(&buf, '\0');

    return buf.failed ? "versionId=out-of-memory" : buf.data;
}


s3_request_t
work_request(const work_t *work, failure_side_t side, const char *method,
    const char *query)
{
    s3_request_t  request;

    request = work_bucket_request(work, side, method,
                                  work_query(work, side, method, query));
    request.key = work->task->key;

    return request;
}


const char *
work_sub_resource(const work_t *work, const char *name,
    const s3_request_t *subject)
{
    chorus_buf_t  buf;

    if (subject->query == NULL) {
        return name;
    }

    buf = chorus_buf(work->mem, 128);
    chorus_buf_text(&buf, name);
    chorus_buf_char(&buf, '&');
    chorus_buf_text(&buf, subject->query);
    chorus_buf_char(&buf, '\0');

    return buf.failed ? "versionId=out-of-memory" : buf.data;
}


void
work_note_version(work_t *work, const s3_response_t *answer)
{
    work->made_version =
        chorus_str_dup(work->mem,
                       s3_response_header(answer, "x-amz-version-id"));
}


s3_request_t
work_bucket_request(const work_t *work, failure_side_t side,
    const char *method, const char *query)
{
    bool          on_main;
    s3_request_t  request;

    on_main = side == FAILURE_SIDE_MAIN;

    memset(&request, 0, sizeof(s3_request_t));

    request.method = method;
    request.query = query;
    request.storage = on_main ? work->main : work->follower;
    request.credential = on_main ? work->main_credential
                                 : work->follower_credential;
    request.bucket = on_main ? work->bucket : work->target;

    return request;
}


work_rc_t
work_fail(work_t *work, failure_side_t side, const char *what,
    const s3_response_t *response)
{
    failure_from_response(&work->failure, side, what, response);

    /* whatever curl made of it: we ended it */
    if (!task_is_alive(work->task)) {
        work->failure.kind = FAILURE_STOPPED;
    }

    return WORK_FAILED;
}


work_rc_t
work_fail_here(work_t *work, const char *what)
{
    failure_set(&work->failure, FAILURE_SOON, FAILURE_SIDE_WORKER,
                "WorkerError", "%s", what);

    return WORK_FAILED;
}


void
work_keep_first(const work_t *work, work_rc_t rc, failure_t *first)
{
    if (rc != WORK_DONE && first->kind == FAILURE_NONE) {
        *first = work->failure;
    }
}


work_rc_t
work_fail_first(work_t *work, const failure_t *first)
{
    if (first->kind == FAILURE_NONE) {
        return WORK_DONE;
    }

    work->failure = *first;

    return WORK_FAILED;
}


void
work_log_task(const task_t *task, log_level_t level, const char *text)
{
    char  key[LOG_KEY_SIZE];

    if (level > log_level()) {
        return;
    }

    (void) log_escape(key, sizeof(key), task->key);

    log_write(level, "R=%.*s bucket=%.*s key=\"%s\" attempt=%llu %s",
              chorus_fmt(task->replication), chorus_fmt(task->parts.bucket),
              key, (unsigned long long) task->attempts + 1, text);
}


void
work_log(const work_t *work, log_level_t level, const char *format, ...)
{
    char     text[1024];
    va_list  args;

    va_start(args, format);
    (void) vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    work_log_task(work->task, level, text);
}
