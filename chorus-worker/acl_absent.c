/* A table of a fixed size; the entry that expires first makes room. */

#include <pthread.h>
#include <string.h>

#include "acl_absent.h"
#include "clock.h"
#include "log.h"

#define ACL_ABSENT_MAX        256
#define ACL_ABSENT_NAME_SIZE  128       /* names of both have up to 64 */
#define ACL_ABSENT_MS         600000    /* somebody may switch them on */


typedef struct {
    char     storage[ACL_ABSENT_NAME_SIZE];
    size_t   storage_len;
    char     bucket[ACL_ABSENT_NAME_SIZE];
    size_t   bucket_len;
    int64_t  until_ms;
} acl_absent_t;


static acl_absent_t     acl_absents[ACL_ABSENT_MAX];
static pthread_mutex_t  acl_absent_mutex = PTHREAD_MUTEX_INITIALIZER;


static acl_absent_t *
acl_absent_find(chorus_str_t storage, chorus_str_t bucket)
{
    size_t         i;
    acl_absent_t  *a;

    for (i = 0; i < ACL_ABSENT_MAX; i++) {

        a = &acl_absents[i];

        if (a->storage_len == storage.len && a->bucket_len == bucket.len
            && memcmp(a->storage, storage.data, storage.len) == 0
            && memcmp(a->bucket, bucket.data, bucket.len) == 0)
        {
            return a;
        }
    }

    return NULL;
}


static acl_absent_t *
acl_absent_add(chorus_str_t storage, chorus_str_t bucket)
{
    size_t         i;
    acl_absent_t  *a;

    a = &acl_absents[0];

    for (i = 1; i < ACL_ABSENT_MAX; i++) {
        if (acl_absents[i].until_ms < a->until_ms) {
            a = &acl_absents[i];
        }
    }

    memcpy(a->storage, storage.data, storage.len);
    a->storage_len = storage.len;
    memcpy(a->bucket, bucket.data, bucket.len);
    a->bucket_len = bucket.len;

    log_write(LOG_WARN, "storage=%.*s bucket=%.*s has no ACLs: they are not "
              "replicated", chorus_fmt(storage), chorus_fmt(bucket));

    return a;
}


bool
acl_absent(chorus_str_t storage, chorus_str_t bucket)
{
    bool           is_absent;
    acl_absent_t  *a;

    (void) pthread_mutex_lock(&acl_absent_mutex);
    a = acl_absent_find(storage, bucket);
    is_absent = a != NULL && clock_ms() < a->until_ms;
    (void) pthread_mutex_unlock(&acl_absent_mutex);

    return is_absent;
}


void
acl_absent_note(chorus_str_t storage, chorus_str_t bucket)
{
    acl_absent_t  *a;

    if (storage.len > ACL_ABSENT_NAME_SIZE
        || bucket.len > ACL_ABSENT_NAME_SIZE)
    {
        return;
    }

    (void) pthread_mutex_lock(&acl_absent_mutex);

    a = acl_absent_find(storage, bucket);
    if (a == NULL) {
        a = acl_absent_add(storage, bucket);
    }
    a->until_ms = clock_ms() + ACL_ABSENT_MS;

    (void) pthread_mutex_unlock(&acl_absent_mutex);
}
