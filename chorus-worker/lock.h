/*
 * Object lock: retention and legal hold of one object.
 */

#ifndef LOCK_H
#define LOCK_H

#include "headers.h"
#include "work.h"


/* From the headers of a GET or HEAD; false: out of memory. */
bool lock_read(object_lock_t *lock, chorus_mem_t *mem,
    const s3_response_t *response);

/* Whether anything was ever set. */
bool lock_is_set(const object_lock_t *lock);
/* To the second; no legal hold is one that is OFF. */
bool lock_same(const object_lock_t *a, const object_lock_t *b);

/* Nobody may delete it now, at least not without lock_bypass(); and nobody at
 * all (COMPLIANCE).  A date that cannot be read is one to come. */
bool lock_is_in_force(const object_lock_t *lock);
bool lock_is_final(const object_lock_t *lock);

/* Goes round a GOVERNANCE retention, where the user may. */
chorus_header_t lock_bypass(void);

/* For a PUT of the content, which storages want to be with Content-MD5. */
void lock_add_headers(work_t *work, headers_t *headers,
    const object_lock_t *lock);

/* A write with a lock was an InvalidRequest: the bucket may have no lock, or
 * (MinIO) not be there, or be just in the making, which a second attempt
 * tells. */
void lock_ask_follower(work_t *work, bool *is_missing);

/* Makes the lock of the follower's object, which is `theirs`, that one.  What
 * a bucket without lock refuses, or is a lock that nobody can take off, gets a
 * line in the log. */
work_rc_t lock_put(work_t *work, const object_lock_t *lock,
    const object_lock_t *theirs);
/* The same for a version there; the null string: for what is current. */
work_rc_t lock_put_version(work_t *work, chorus_str_t id,
    const object_lock_t *lock, const object_lock_t *theirs);


#endif
