/*
 * One task in the hands of one slot: all that reconciling a key needs.
 */

#ifndef WORK_H
#define WORK_H

#include <stdbool.h>

#include "chorus_acl.h"
#include "chorus_config.h"
#include "failure.h"
#include "log.h"
#include "object.h"
#include "s3_client.h"
#include "stream.h"
#include "task.h"


/* Main's ACL of the key or bucket, see acl.h. */
typedef struct {
    bool          is_known;     /* it is to be made equal on the follower */
    chorus_acl_t  ours;         /* in main's ids */
    chorus_str_t  canned;       /* its name for x-amz-acl, or null */
    failure_t     refused;      /* why main did not tell it, or NONE */
} work_acl_t;

typedef struct {
    s3_client_t                *client;
    stream_t                   *stream;
    layout_probe_t             *probe;
    chorus_mem_t               *mem;        /* until the task is done */
    task_t                     *task;
    const chorus_config_t      *config;
    uint64_t                    policy;     /* version that `config` is of */
    const char                 *rules;      /* digest of those in chorus.json */

    const chorus_storage_t     *main;       /* where the truth is */
    const chorus_credential_t  *main_credential;
    chorus_str_t                bucket;     /* there */
    const chorus_storage_t     *follower;
    const chorus_credential_t  *follower_credential;
    chorus_str_t                target;     /* the bucket there */

    failure_t                   failure;
    uint64_t                    bytes;      /* written to the follower */
    work_acl_t                  acl;

    /* learned in one attempt for the next on the same task */
    unsigned                    sent_along; /* OPTIONAL_* */
    unsigned                    left_out;   /* OPTIONAL_* */
    bool                        without_versions;   /* the follower */
    bool                        is_acl_apart;   /* not on a PUT of content */
    bool                        has_seen_md5;
    unsigned char               seen_md5[CHORUS_MD5_LEN];
    chorus_str_t                seen_etag;
    bool                        is_afresh;      /* see twin_is_rotten() */

    /* while one version of the key is copied: its id on main; null: what is
     * current.  The follower's version that has its content, or null.  What the
     * follower called the copy, and whether that is to get its ACL yet. */
    chorus_str_t                version;
    chorus_str_t                copy_source;
    chorus_str_t                made_version;
    bool                        is_acl_left;
    bool                        is_filtered;    /* a filter has left out
                                                 * something of it */
    bool                        has_long_history;

    bool                        is_granted; /* by the delete guard */
} work_t;

typedef enum {
    WORK_DONE = 0,
    WORK_FAILED         /* work->failure says why */
} work_rc_t;


/* Looks up storages and credentials of the task's replication; WORK_FAILED
 * when the configuration does not have them (any more). */
work_rc_t work_resolve(work_t *work);

/* All requests end when the task is no longer ours, and none begins when its
 * replication is paused. */
void work_watch(work_t *work);
/* They may begin all the same: to take back what was begun. */
void work_watch_undo(work_t *work);

/* The request for the task's key (or bucket) on one side.  While a version is
 * copied, reads from main are of that version, and writes to a follower that
 * can keep ids name it. */
s3_request_t work_request(const work_t *work, failure_side_t side,
    const char *method, const char *query);
/* The same for the bucket, whatever the key is. */
s3_request_t work_bucket_request(const work_t *work, failure_side_t side,
    const char *method, const char *query);

/* "acl&versionId=..." for the subject's "versionId=...". */
const char *work_sub_resource(const work_t *work, const char *name,
    const s3_request_t *subject);

/* Notes in made_version how the follower calls what it has written; Ceph 16
 * does not name the null version. */
void work_note_version(work_t *work, const s3_response_t *answer);

/* Notes what the response means; returns WORK_FAILED. */
work_rc_t work_fail(work_t *work, failure_side_t side, const char *what,
    const s3_response_t *response);
/* Out of memory, or OpenSSL failed; returns WORK_FAILED. */
work_rc_t work_fail_here(work_t *work, const char *what);

/* Where one that is refused keeps the others from nothing: `first`, zeroed by
 * the caller, keeps the first failure; work_fail_first() fails with it, or is
 * done when there was none. */
void work_keep_first(const work_t *work, work_rc_t rc, failure_t *first);
work_rc_t work_fail_first(work_t *work, const failure_t *first);

/* A log line about the task, with its replication, bucket and key. */
void work_log(const work_t *work, log_level_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void work_log_task(const task_t *task, log_level_t level, const char *text);


#endif
