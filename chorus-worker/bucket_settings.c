#include <string.h>

#include "bucket_settings.h"
#include "chorus_bucket_setting.h"
#include "chorus_policy.h"
#include "reformat.h"

/* of what was put and is not seen: a bucket's settings may come late */
#define BUCKET_SETTING_LOOKS  4


typedef enum {
    BUCKET_SETTING_NONE = 0,    /* the storage says that it is not set */
    BUCKET_SETTING_SET,
    BUCKET_SETTING_UNKNOWN      /* the storage does not have such a thing */
} bucket_setting_state_t;

typedef struct {
    bucket_setting_state_t  state;
    chorus_str_t            body;       /* as it would be on the follower */
    chorus_str_t            canonical;
} bucket_setting_value_t;


static work_rc_t
bucket_setting_fail(work_t *work, failure_side_t side, const char *name,
    const chorus_error_t *error)
{
    failure_set(&work->failure, FAILURE_SLOW, side, "BadBucketSetting",
                "GET %s: %.300s", name, error->text);

    return WORK_FAILED;
}


static work_rc_t
bucket_setting_read(work_t *work, failure_side_t side,
    chorus_setting_t setting, bucket_setting_value_t *value)
{
    chorus_rc_t     rc;
    chorus_error_t  error;

    error.text[0] = '\0';
    rc = CHORUS_OK;

    if (side == FAILURE_SIDE_MAIN) {
        rc = chorus_bucket_setting_rename(work->mem, setting, value->body,
                                          work->bucket, work->target,
                                          &value->body, &error);
    }

    if (rc == CHORUS_OK) {
        rc = chorus_bucket_setting_canonical(work->mem, setting, value->body,
                                             &value->canonical, &error);
    }

    if (rc == CHORUS_NOMEM) {
        return work_fail_here(work, "out of memory");
    }

    return rc == CHORUS_OK ? WORK_DONE
           : bucket_setting_fail(work, side,
                                 chorus_bucket_settings[setting].name, &error);
}


/* RGW 16 takes "?encryption" for the bucket itself, and lists it: then the
 * answer is of another kind. */

static bool
bucket_setting_is_kind(work_t *work, const chorus_bucket_setting_t *row,
    chorus_str_t body)
{
    if (row->root == NULL) {
        return body.len != 0 && body.data[0] != '<';
    }

    return chorus_str_eq(chorus_xml_root(work->mem, body),
                         chorus_str_from(row->root));
}


static bool
bucket_setting_is_refused(const s3_response_t *response)
{
    return s3_response_has_code(response, "NotImplemented")
           || s3_response_has_code(response, "MethodNotAllowed");
}


static work_rc_t
bucket_setting_get(work_t *work, failure_side_t side,
    chorus_setting_t setting, bucket_setting_value_t *value)
{
    s3_request_t                    request;
    const s3_response_t            *response;
    const chorus_bucket_setting_t  *row;

    row = &chorus_bucket_settings[setting];
    memset(value, 0, sizeof(bucket_setting_value_t));

    request = work_bucket_request(work, side, "GET", row->sub_resource);
    response = s3_client_call(work->client, S3_LANE_SIDE, &request);

    if (s3_response_is(response, 404)
        && s3_response_has_code(response, row->none))
    {
        value->state = BUCKET_SETTING_NONE;
        return WORK_DONE;
    }

    value->state = BUCKET_SETTING_UNKNOWN;

    if (bucket_setting_is_refused(response)) {
        return WORK_DONE;
    }

    if (!s3_response_is(response, 200) || response->code.data != NULL) {
        return work_fail(work, side, row->name, response);
    }

    value->body = chorus_str_dup(work->mem, chorus_buf_str(&response->body));

    if (!bucket_setting_is_kind(work, row, value->body)) {
        return WORK_DONE;
    }

    value->state = BUCKET_SETTING_SET;

    return bucket_setting_read(work, side, setting, value);
}


static void
bucket_setting_unknown(work_t *work, const char *name, const char *side)
{
    char          text[128];
    chorus_buf_t  what;

    what = chorus_buf(work->mem, 128);
    chorus_buf_add(&what, work->task->replication);
    chorus_buf_text(&what, name);

    (void) snprintf(text, sizeof(text), "%s does not have the setting \"%s\" "
                    "of buckets: it is not replicated", side, name);

    work_log(work, log_once_a_minute(chorus_buf_str(&what))
                   ? LOG_WARN : LOG_DEBUG, "%s", text);
}


/*
 * PUT, or DELETE of what main does not have.  To a storage without such a
 * setting these might mean the bucket itself: only one that has answered the
 * GET in the right way is asked.
 */

static work_rc_t
bucket_setting_send(work_t *work, chorus_setting_t setting,
    const bucket_setting_value_t *ours, bool *is_kept)
{
    s3_request_t                    request;
    const s3_response_t            *answer;
    const chorus_bucket_setting_t  *row;

    row = &chorus_bucket_settings[setting];

    request = work_bucket_request(work, FAILURE_SIDE_FOLLOWER,
                                  ours->state == BUCKET_SETTING_SET
                                  ? "PUT" : "DELETE", row->sub_resource);
    request.body = ours->body;

    answer = s3_client_call(work->client, S3_LANE_SIDE, &request);
    *is_kept = ours->state == BUCKET_SETTING_SET;

    if (s3_response_is_success(answer)) {
        work_log(work, LOG_INFO, "%s the bucket's %s on the follower",
                 ours->state == BUCKET_SETTING_SET ? "set" : "removed",
                 row->name);
        return WORK_DONE;
    }

    if (bucket_setting_is_refused(answer)) {
        bucket_setting_unknown(work, row->name, "the follower");
        *is_kept = false;
        return WORK_DONE;
    }

    (void) work_fail(work, FAILURE_SIDE_FOLLOWER, row->name, answer);

    /* a document that the follower refuses needs a person, who may change it
     * on main or take the setting out of chorus.json */
    if (answer->status / 100 == 4 && work->failure.retry_after == 0
        && work->failure.kind != FAILURE_BLOCKED
        && (work->failure.kind == FAILURE_PARK
            || answer->status == 400 || answer->status == 409)
        && !s3_response_has_code(answer, "OperationAborted")
        && !s3_response_has_code(answer, "RequestTimeout"))
    {
        work->failure.kind = FAILURE_SLOW;
    }

    return WORK_FAILED;
}


/*
 * A storage may write a document in another way than all that
 * chorus_bucket_setting_canonical() knows of: then it is equal by what was
 * put.  But what was there before may only be what is still seen.
 */

static work_rc_t
bucket_setting_verify(work_t *work, chorus_setting_t setting,
    const bucket_setting_value_t *ours, const bucket_setting_value_t *before)
{
    const char              *name;
    bucket_setting_value_t   after;

    name = chorus_bucket_settings[setting].name;

    if (bucket_setting_get(work, FAILURE_SIDE_FOLLOWER, setting, &after)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (chorus_str_eq(ours->canonical, after.canonical)) {
        return WORK_DONE;
    }

    if (after.state != BUCKET_SETTING_SET
        || (chorus_str_eq(before->canonical, after.canonical)
            && work->task->attempts < BUCKET_SETTING_LOOKS))
    {
        failure_set(&work->failure, FAILURE_SOON, FAILURE_SIDE_FOLLOWER,
                    "BucketSettingNotKept", "PUT %s on follower: it is not "
                    "what the follower says now", name);
        return WORK_FAILED;
    }

    if (reformat_learn(work->task->replication, setting, ours->canonical,
                       after.canonical))
    {
        work_log(work, LOG_WARN, "the follower gives the bucket's %s back "
                 "in other words than it was told; it is taken for equal",
                 name);
    }

    return WORK_DONE;
}


static work_rc_t
bucket_setting_change(work_t *work, chorus_setting_t setting,
    const bucket_setting_value_t *ours, const bucket_setting_value_t *before)
{
    bool                            is_kept;
    const chorus_bucket_setting_t  *row;

    row = &chorus_bucket_settings[setting];

    if (ours->state == BUCKET_SETTING_NONE && !row->is_removable) {
        work_log(work, LOG_WARN, "main's bucket has no %s, and the "
                 "follower's cannot lose it", row->name);
        return WORK_DONE;
    }

    if (bucket_setting_send(work, setting, ours, &is_kept) != WORK_DONE) {
        return WORK_FAILED;
    }

    return is_kept ? bucket_setting_verify(work, setting, ours, before)
                   : WORK_DONE;
}


static work_rc_t
bucket_setting(work_t *work, chorus_setting_t setting)
{
    const char              *name;
    bucket_setting_value_t   ours, theirs;

    name = chorus_bucket_settings[setting].name;

    if (bucket_setting_get(work, FAILURE_SIDE_MAIN, setting, &ours)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (ours.state == BUCKET_SETTING_UNKNOWN) {
        bucket_setting_unknown(work, name, "main");
        return WORK_DONE;
    }

    if (bucket_setting_get(work, FAILURE_SIDE_FOLLOWER, setting, &theirs)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (theirs.state == BUCKET_SETTING_UNKNOWN) {

        if (ours.state == BUCKET_SETTING_SET) {
            bucket_setting_unknown(work, name, "the follower");
        }

        return WORK_DONE;
    }

    if (chorus_str_eq(ours.canonical, theirs.canonical)
        || reformat_is_known(work->task->replication, setting,
                             ours.canonical, theirs.canonical))
    {
        return WORK_DONE;
    }

    return bucket_setting_change(work, setting, &ours, &theirs);
}


work_rc_t
bucket_settings(work_t *work)
{
    bool       has_failed;
    unsigned   i, settings;
    failure_t  first;

    settings = chorus_policy_settings(work->config, &work->task->parts);
    has_failed = false;

    for (i = 0; i < CHORUS_NSETTINGS; i++) {

        if (!(settings & 1u << i)
            || bucket_setting(work, (chorus_setting_t) i) == WORK_DONE)
        {
            continue;
        }

        if (!has_failed) {
            first = work->failure;
            has_failed = true;
        }

        if (!failure_is_lasting(&work->failure)) {
            break;
        }
    }

    if (has_failed) {
        work->failure = first;
        return WORK_FAILED;
    }

    return WORK_DONE;
}


work_rc_t
bucket_settings_lock(work_t *work, bool *is_locked)
{
    chorus_str_t            enabled;
    bucket_setting_value_t  lock;

    *is_locked = false;

    if (bucket_setting_get(work, FAILURE_SIDE_MAIN,
                           CHORUS_SETTING_OBJECT_LOCK, &lock) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    if (lock.state == BUCKET_SETTING_SET) {
        enabled = chorus_xml_text(work->mem, lock.body, "ObjectLockEnabled");
        *is_locked = chorus_str_eq(enabled, chorus_str("Enabled"));
    }

    if (*is_locked && !work->follower->has_object_lock) {
        work_log(work, LOG_WARN, "main's bucket has object lock, which the "
                 "follower cannot have");
        *is_locked = false;
    }

    return WORK_DONE;
}
