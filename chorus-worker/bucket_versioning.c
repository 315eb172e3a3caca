#include <pthread.h>
#include <string.h>

#include "bucket_versioning.h"
#include "chorus_s3_xml.h"
#include "clock.h"
#include "flight.h"
#include "reconcile.h"

/* A bucket that was never versioned may be by now.  A worker that takes over
 * from a dead one looks again: this is less than any lease. */
#define VERSIONING_WHILE_MS   1000
#define VERSIONING_BUCKETS    128
#define VERSIONING_NAME_SIZE  192


typedef struct {
    char          name[VERSIONING_NAME_SIZE];   /* "storage/bucket" */
    size_t        len;                          /* 0: free */
    versioning_t  state;
    int64_t       asked_ms;                     /* 0: not known */
    unsigned      holders;
} versioning_entry_t;

static versioning_entry_t  versioning_entries[VERSIONING_BUCKETS];
static pthread_mutex_t     versioning_mutex = PTHREAD_MUTEX_INITIALIZER;


static chorus_str_t
versioning_name(const work_t *work, failure_side_t side)
{
    bool          on_main;
    chorus_buf_t  buf;

    on_main = side == FAILURE_SIDE_MAIN;

    buf = chorus_buf(work->mem, VERSIONING_NAME_SIZE);
    chorus_buf_add(&buf, on_main ? work->main->name : work->follower->name);
    chorus_buf_char(&buf, '/');
    chorus_buf_add(&buf, on_main ? work->bucket : work->target);

    return chorus_buf_str(&buf);
}


/* Under the mutex.  NULL: no room, or a name that is too long. */

static versioning_entry_t *
versioning_find(chorus_str_t name)
{
    size_t               i;
    versioning_entry_t  *entry, *oldest;

    if (name.len == 0 || name.len > VERSIONING_NAME_SIZE) {
        return NULL;
    }

    oldest = NULL;

    for (i = 0; i < VERSIONING_BUCKETS; i++) {
        entry = &versioning_entries[i];

        if (entry->len == name.len
            && memcmp(entry->name, name.data, name.len) == 0)
        {
            return entry;
        }

        if (entry->holders == 0
            && (oldest == NULL || entry->asked_ms < oldest->asked_ms))
        {
            oldest = entry;
        }
    }

    if (oldest != NULL) {
        memset(oldest, 0, sizeof(versioning_entry_t));
        memcpy(oldest->name, name.data, name.len);
        oldest->len = name.len;
    }

    return oldest;
}


static void
versioning_note(const work_t *work, failure_side_t side, versioning_t state,
    int64_t asked_ms)
{
    chorus_str_t         name;
    versioning_entry_t  *entry;

    name = versioning_name(work, side);

    (void) pthread_mutex_lock(&versioning_mutex);

    entry = versioning_find(name);

    /* an answer to an older question says nothing */
    if (entry != NULL && (asked_ms == 0 || asked_ms >= entry->asked_ms)) {
        entry->state = state;
        entry->asked_ms = asked_ms;
    }

    (void) pthread_mutex_unlock(&versioning_mutex);
}


void
versioning_forget(const work_t *work, failure_side_t side)
{
    versioning_note(work, side, VERSIONING_OFF, 0);
}


/* Whether it is known; *holders is how many slots need it enabled. */

static bool
versioning_recall(const work_t *work, failure_side_t side, int64_t since_ms,
    versioning_t *state, unsigned *holders)
{
    bool                 is_known;
    int64_t              oldest;
    chorus_str_t         name;
    versioning_entry_t  *entry;

    oldest = clock_ms() - VERSIONING_WHILE_MS;
    oldest = since_ms > oldest ? since_ms : oldest;
    name = versioning_name(work, side);

    (void) pthread_mutex_lock(&versioning_mutex);

    entry = versioning_find(name);
    is_known = entry != NULL && entry->asked_ms != 0
               && entry->asked_ms >= oldest;
    *holders = entry != NULL ? entry->holders : 0;

    if (is_known) {
        *state = entry->state;
    }

    (void) pthread_mutex_unlock(&versioning_mutex);

    return is_known;
}


static versioning_t
versioning_of_body(work_t *work, const s3_response_t *response)
{
    chorus_str_t  status;

    status = chorus_xml_text(work->mem, chorus_buf_str(&response->body),
                             "Status");

    return chorus_str_eq(status, chorus_str("Enabled")) ? VERSIONING_ENABLED
           : chorus_str_eq(status, chorus_str("Suspended"))
           ? VERSIONING_SUSPENDED : VERSIONING_OFF;
}


static bool
versioning_is_missing(const s3_response_t *response)
{
    return s3_response_is(response, 501) || s3_response_is(response, 405)
           || s3_response_has_code(response, "NotImplemented")
           || s3_response_has_code(response, "MethodNotAllowed");
}


/* A storage that does not know the question has no versions.  One that does
 * not let us ask is taken for one: what it says of objects will tell. */

static work_rc_t
versioning_read(work_t *work, failure_side_t side,
    const s3_response_t *response, versioning_t *state)
{
    *state = VERSIONING_OFF;

    if (s3_response_is(response, 200) && response->code.data == NULL) {
        *state = versioning_of_body(work, response);
        return WORK_DONE;
    }

    if (s3_response_is(response, 404)
        && s3_response_has_code(response, "NoSuchBucket"))
    {
        *state = VERSIONING_NO_BUCKET;
        return WORK_DONE;
    }

    if (versioning_is_missing(response)) {
        return WORK_DONE;
    }

    if (s3_response_is(response, 403)
        && s3_response_has_code(response, "AccessDenied"))
    {
        if (log_once_a_minute(work->task->replication)) {
            work_log(work, LOG_WARN, "GET ?versioning is denied: taken for a "
                     "bucket without versions");
        }
        return WORK_DONE;
    }

    return work_fail(work, side, "GET versioning", response);
}


work_rc_t
versioning_get(work_t *work, failure_side_t side, int64_t since_ms,
    versioning_t *state)
{
    int64_t               now;
    unsigned              holders;
    s3_request_t          request;
    const s3_response_t  *response;

    if (versioning_recall(work, side, since_ms, state, &holders)) {
        return WORK_DONE;
    }

    now = clock_ms();
    request = work_bucket_request(work, side, "GET", "versioning");
    response = s3_client_call(work->client, S3_LANE_SIDE, &request);

    if (versioning_read(work, side, response, state) != WORK_DONE) {
        return WORK_FAILED;
    }

    versioning_note(work, side, *state, now);

    return WORK_DONE;
}


static work_rc_t
versioning_put(work_t *work, versioning_t state, bool *is_kept)
{
    s3_request_t          put;
    const s3_response_t  *answer;

    versioning_forget(work, FAILURE_SIDE_FOLLOWER);

    put = work_bucket_request(work, FAILURE_SIDE_FOLLOWER, "PUT",
                              "versioning");
    put.body = state == VERSIONING_ENABLED
               ? chorus_str("<VersioningConfiguration xmlns=\""
                            CHORUS_S3_NAMESPACE "\"><Status>Enabled</Status>"
                            "</VersioningConfiguration>")
               : chorus_str("<VersioningConfiguration xmlns=\""
                            CHORUS_S3_NAMESPACE "\"><Status>Suspended</Status>"
                            "</VersioningConfiguration>");

    answer = s3_client_call(work->client, S3_LANE_SIDE, &put);
    *is_kept = !versioning_is_missing(answer);

    if (s3_response_is_success(answer) || !*is_kept) {
        if (*is_kept) {
            work_log(work, LOG_INFO, "versioning of the follower's bucket is "
                     "%s", state == VERSIONING_ENABLED ? "enabled"
                                                       : "suspended");
        }
        return WORK_DONE;
    }

    return work_fail(work, FAILURE_SIDE_FOLLOWER, "PUT versioning", answer);
}


static bool
versioning_begin(work_t *work, chorus_str_t *what)
{
    chorus_buf_t  buf;

    buf = chorus_buf(work->mem, 160);
    chorus_buf_text(&buf, "versioning ");
    chorus_buf_add(&buf, versioning_name(work, FAILURE_SIDE_FOLLOWER));
    *what = chorus_buf_str(&buf);

    while (!flight_begin(*what, work->task)) {
        if (!task_is_alive(work->task)) {
            failure_set(&work->failure, FAILURE_STOPPED, FAILURE_SIDE_WORKER,
                        "Stopped", "stopped");
            return false;
        }
    }

    return true;
}


/* One at a time: the follower is asked for what it has. */

static work_rc_t
versioning_set(work_t *work, versioning_t state, bool *is_kept)
{
    unsigned      holders;
    versioning_t  has;

    *is_kept = true;

    if (versioning_get(work, FAILURE_SIDE_FOLLOWER, 0, &has) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (has == VERSIONING_NO_BUCKET) {
        if (reconcile_bucket_create(work) != WORK_DONE) {
            return WORK_FAILED;
        }
        has = VERSIONING_OFF;
    }

    /* is it needed otherwise for now? */
    (void) versioning_recall(work, FAILURE_SIDE_FOLLOWER, 0, &has, &holders);

    if (has == state || (state == VERSIONING_SUSPENDED && holders != 0)) {
        return WORK_DONE;
    }

    return versioning_put(work, state, is_kept);
}


work_rc_t
versioning_follow(work_t *work, versioning_t state, bool *is_kept)
{
    work_rc_t     rc;
    unsigned      holders;
    chorus_str_t  what;
    versioning_t  has;

    *is_kept = true;

    if (versioning_recall(work, FAILURE_SIDE_FOLLOWER, 0, &has, &holders)
        && has == state)
    {
        return WORK_DONE;
    }

    if (!versioning_begin(work, &what)) {
        return WORK_FAILED;
    }

    rc = versioning_set(work, state, is_kept);
    flight_end(what);

    return rc;
}


work_rc_t
versioning_reconcile(work_t *work)
{
    bool          is_kept;
    int64_t       now;
    versioning_t  state, has;

    now = clock_ms();
    versioning_forget(work, FAILURE_SIDE_MAIN);
    versioning_forget(work, FAILURE_SIDE_FOLLOWER);

    if (versioning_get(work, FAILURE_SIDE_MAIN, now, &state) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (state == VERSIONING_OFF || state == VERSIONING_NO_BUCKET) {
        return WORK_DONE;
    }

    if (versioning_get(work, FAILURE_SIDE_FOLLOWER, now, &has) != WORK_DONE
        || versioning_follow(work, state, &is_kept) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (!is_kept) {
        work_log(work, LOG_WARN, "the follower has no versions: it gets what "
                 "is current");
    }

    return WORK_DONE;
}


static unsigned
versioning_count(const work_t *work, int by)
{
    unsigned             holders;
    chorus_str_t         name;
    versioning_entry_t  *entry;

    name = versioning_name(work, FAILURE_SIDE_FOLLOWER);
    holders = 0;

    (void) pthread_mutex_lock(&versioning_mutex);

    entry = versioning_find(name);
    if (entry != NULL) {
        if (by > 0 || entry->holders != 0) {
            entry->holders = (unsigned) ((int) entry->holders + by);
        }
        holders = entry->holders;
    }

    (void) pthread_mutex_unlock(&versioning_mutex);

    return holders;
}


work_rc_t
versioning_hold(work_t *work)
{
    bool          is_kept;
    work_rc_t     rc;
    chorus_str_t  what;

    if (!versioning_begin(work, &what)) {
        return WORK_FAILED;
    }

    (void) versioning_count(work, 1);
    rc = versioning_set(work, VERSIONING_ENABLED, &is_kept);
    flight_end(what);

    if (rc != WORK_DONE) {
        (void) versioning_count(work, -1);
    }

    return rc;
}


/* Main may have enabled it again in the meantime. */

static work_rc_t
versioning_suspend(work_t *work)
{
    bool          is_kept;
    versioning_t  state;

    if (versioning_get(work, FAILURE_SIDE_MAIN, clock_ms(), &state)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    return state == VERSIONING_SUSPENDED
           ? versioning_put(work, state, &is_kept) : WORK_DONE;
}


work_rc_t
versioning_release(work_t *work)
{
    bool          is_begun;
    work_rc_t     rc;
    chorus_str_t  what;

    is_begun = versioning_begin(work, &what);
    rc = is_begun ? WORK_DONE : WORK_FAILED;

    if (versioning_count(work, -1) == 0 && is_begun) {
        rc = versioning_suspend(work);
    }

    if (is_begun) {
        flight_end(what);
    }

    return rc;
}
