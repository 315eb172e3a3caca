/*
 * What each kind of storage can do: one table, whose values are the defaults
 * of a storage in chorus.json.
 */

#ifndef CHORUS_PROVIDER_H
#define CHORUS_PROVIDER_H

#include <stdbool.h>

#include "chorus_str.h"


typedef enum {
    CHORUS_PROVIDER_GENERIC = 0,
    CHORUS_PROVIDER_AWS,
    CHORUS_PROVIDER_CEPH,
    CHORUS_PROVIDER_MINIO
} chorus_provider_t;

#define CHORUS_NPROVIDERS  4

/* Members that chorus.json can set are named there as here, without "has_"
 * and "keeps_". */
typedef struct {
    const char  *name;                  /* "ceph" */
    bool         has_checksums;         /* verifies, keeps x-amz-checksum-* */
    bool         has_acl;               /* keeps them */
    bool         has_part_numbers;      /* may answer ?partNumber: is asked */
    bool         has_conditional_put;   /* If-Match, If-None-Match on PUT */
    bool         keeps_version_ids;     /* a privileged writer may name them */
    bool         has_object_lock;
    bool         has_location;          /* a new bucket names its region */
    const char  *reserved[4];           /* no buckets; a NULL ends them */
} chorus_provider_table_t;


/* Never NULL. */
const chorus_provider_table_t *chorus_provider(chorus_provider_t provider);

/* False when there is none of that name. */
bool chorus_provider_find(chorus_str_t name, chorus_provider_t *provider);

/* Whether "/bucket" is something else than a bucket there.  A generic
 * provider may be any of them. */
bool chorus_provider_reserves(chorus_provider_t provider,
    chorus_str_t bucket);


#endif
