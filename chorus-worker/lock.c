/*
 * Ceph takes the lock with a PUT, and not with a copy or the beginning of a
 * multipart upload: after these it is set by requests of its own.
 */

#include "chorus_s3_xml.h"
#include "chorus_time.h"
#include "clock.h"
#include "lock.h"
#include "optional.h"
#include "version_list.h"

#define LOCK_MODE   "x-amz-object-lock-mode"
#define LOCK_UNTIL  "x-amz-object-lock-retain-until-date"
#define LOCK_HOLD   "x-amz-object-lock-legal-hold"


static bool
lock_read_one(chorus_str_t *value, chorus_mem_t *mem,
    const s3_response_t *response, const char *name)
{
    chorus_str_t  text;

    *value = chorus_null_str;

    text = s3_response_header(response, name);
    if (text.len != 0) {
        *value = chorus_str_dup(mem, text);
    }

    return text.len == 0 || value->data != NULL;
}


bool
lock_read(object_lock_t *lock, chorus_mem_t *mem,
    const s3_response_t *response)
{
    return lock_read_one(&lock->mode, mem, response, LOCK_MODE)
           && lock_read_one(&lock->until, mem, response, LOCK_UNTIL)
           && lock_read_one(&lock->hold, mem, response, LOCK_HOLD);
}


bool
lock_is_set(const object_lock_t *lock)
{
    return lock->mode.len != 0 || lock->hold.len != 0;
}


static bool
lock_is_held(const object_lock_t *lock)
{
    return chorus_str_eq(lock->hold, chorus_str("ON"));
}


/* -1 for none, and for what is no date */

static int64_t
lock_seconds(const object_lock_t *lock)
{
    int64_t  seconds;

    return lock->mode.len != 0
           && chorus_time_parse_iso(lock->until, &seconds) ? seconds : -1;
}


static bool
lock_same_retention(const object_lock_t *a, const object_lock_t *b)
{
    return chorus_str_eq(a->mode, b->mode)
           && lock_seconds(a) == lock_seconds(b);
}


bool
lock_same(const object_lock_t *a, const object_lock_t *b)
{
    return lock_same_retention(a, b) && lock_is_held(a) == lock_is_held(b);
}


static bool
lock_is_retained(const object_lock_t *lock)
{
    int64_t  seconds;

    seconds = lock_seconds(lock);

    return lock->mode.len != 0 && (seconds < 0 || seconds >= clock_wall());
}


bool
lock_is_in_force(const object_lock_t *lock)
{
    return lock_is_held(lock) || lock_is_retained(lock);
}


bool
lock_is_final(const object_lock_t *lock)
{
    return lock_is_retained(lock)
           && !chorus_str_eq(lock->mode, chorus_str("GOVERNANCE"));
}


chorus_header_t
lock_bypass(void)
{
    return (chorus_header_t) {
        chorus_str("x-amz-bypass-governance-retention"), chorus_str("true")
    };
}


void
lock_add_headers(work_t *work, headers_t *headers,
    const object_lock_t *lock)
{
    if (!lock_is_set(lock) || !work->follower->has_object_lock
        || !optional_send(work, OPTIONAL_LOCK))
    {
        return;
    }

    if (lock->mode.len != 0) {
        headers_add(headers, LOCK_MODE, lock->mode);
        headers_add(headers, LOCK_UNTIL, lock->until);
    }

    if (lock->hold.len != 0) {
        headers_add(headers, LOCK_HOLD, lock->hold);
    }
}


/* Whether objects of the follower's bucket may be locked; false in doubt. */

static bool
lock_is_on_bucket(work_t *work, bool *is_missing)
{
    chorus_str_t          enabled;
    s3_request_t          get;
    const s3_response_t  *answer;

    get = work_bucket_request(work, FAILURE_SIDE_FOLLOWER, "GET",
                              "object-lock");
    answer = s3_client_call(work->client, S3_LANE_SIDE, &get);

    *is_missing = s3_response_has_code(answer, "NoSuchBucket");

    if (!s3_response_is_success(answer)) {
        return false;
    }

    enabled = chorus_xml_text(work->mem, chorus_buf_str(&answer->body),
                              "ObjectLockEnabled");

    return chorus_str_eq(enabled, chorus_str("Enabled"));
}


void
lock_ask_follower(work_t *work, bool *is_missing)
{
    if (lock_is_on_bucket(work, is_missing)
        || work->task->attempts == 0)
    {
        /* not to blame, or not yet */
        work->sent_along &= ~OPTIONAL_LOCK;
    }
}


/* A bucket without lock, and a lock that cannot be taken off: no attempt will
 * change that, and the rest of the object is in sync. */

static work_rc_t
lock_refused(work_t *work, const char *what, const s3_response_t *answer)
{
    (void) work_fail(work, FAILURE_SIDE_FOLLOWER, what, answer);

    if (!s3_response_is(answer, 400) && !s3_response_is(answer, 501)) {
        return WORK_FAILED;
    }

    work_log(work, LOG_WARN, "the object lock differs on the follower: %s",
             work->failure.reason);

    return WORK_DONE;
}


static work_rc_t
lock_send(work_t *work, chorus_str_t id, const char *name, const char *what,
    const chorus_buf_t *body, bool is_bypass)
{
    const char           *query;
    s3_request_t          put;
    chorus_buf_t          before;
    chorus_header_t       bypass;
    const s3_response_t  *answer;

    bypass = lock_bypass();
    query = name;

    if (id.len != 0) {
        before = chorus_buf(work->mem, 32);
        chorus_buf_text(&before, name);
        chorus_buf_text(&before, "&");
        chorus_buf_char(&before, '\0');
        query = before.failed ? NULL
                              : version_query(work, before.data, id);
    }

    put = work_request(work, FAILURE_SIDE_FOLLOWER, "PUT", query);
    put.headers = &bypass;
    put.nheaders = is_bypass ? 1 : 0;
    put.body = chorus_buf_str(body);

    if (put.body.data == NULL || query == NULL) {
        return work_fail_here(work, "out of memory");
    }

    answer = s3_client_call(work->client, S3_LANE_SIDE, &put);

    return s3_response_is_success(answer) ? WORK_DONE
                                          : lock_refused(work, what, answer);
}


static work_rc_t
lock_put_retention(work_t *work, chorus_str_t id, const object_lock_t *lock,
    const object_lock_t *theirs)
{
    chorus_buf_t  body;

    body = chorus_buf(work->mem, 256);
    chorus_buf_text(&body, "<Retention xmlns=\"" CHORUS_S3_NAMESPACE "\">");

    if (lock->mode.len != 0) {
        chorus_xml_element(&body, "Mode", lock->mode);
        chorus_xml_element(&body, "RetainUntilDate", lock->until);
    }

    chorus_buf_text(&body, "</Retention>");

    return lock_send(work, id, "retention", "PUT retention", &body,
                     theirs->mode.len != 0
                     && (!chorus_str_eq(lock->mode, theirs->mode)
                         || lock_seconds(lock) < lock_seconds(theirs)));
}


static work_rc_t
lock_put_hold(work_t *work, chorus_str_t id, const object_lock_t *lock)
{
    chorus_buf_t  body;

    body = chorus_buf(work->mem, 128);
    chorus_buf_text(&body, "<LegalHold xmlns=\"" CHORUS_S3_NAMESPACE "\">");
    chorus_xml_element(&body, "Status", lock_is_held(lock)
                                        ? chorus_str("ON")
                                        : chorus_str("OFF"));
    chorus_buf_text(&body, "</LegalHold>");

    return lock_send(work, id, "legal-hold", "PUT legal-hold", &body, false);
}


work_rc_t
lock_put_version(work_t *work, chorus_str_t id, const object_lock_t *lock,
    const object_lock_t *theirs)
{
    if (!work->follower->has_object_lock
        || optional_is_left_out(work, OPTIONAL_LOCK))
    {
        return WORK_DONE;
    }

    if (!lock_same_retention(lock, theirs)
        && lock_put_retention(work, id, lock, theirs) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    return lock_is_held(lock) == lock_is_held(theirs)
           ? WORK_DONE : lock_put_hold(work, id, lock);
}


work_rc_t
lock_put(work_t *work, const object_lock_t *lock,
    const object_lock_t *theirs)
{
    return lock_put_version(work, chorus_null_str, lock, theirs);
}
