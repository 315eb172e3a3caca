/*
 * Access control lists as S3 has them: who may do what with an object or a
 * bucket, in the XML of GET ?acl and PUT ?acl, and as one of the names that
 * x-amz-acl knows.
 */

#ifndef CHORUS_ACL_H
#define CHORUS_ACL_H

#include <stdbool.h>

#include "chorus_error.h"
#include "chorus_mem.h"
#include "chorus_str.h"

/* AWS and Ceph allow 100 */
#define CHORUS_ACL_MAX_GRANTS  1000

#define CHORUS_ACL_GROUPS         "http://acs.amazonaws.com/groups/"
#define CHORUS_ACL_ALL_USERS      CHORUS_ACL_GROUPS "global/AllUsers"
#define CHORUS_ACL_AUTHENTICATED  CHORUS_ACL_GROUPS "global/AuthenticatedUsers"
#define CHORUS_ACL_LOG_DELIVERY   CHORUS_ACL_GROUPS "s3/LogDelivery"


typedef enum {
    CHORUS_ACL_USER = 0,        /* by canonical id */
    CHORUS_ACL_GROUP,           /* by URI */
    CHORUS_ACL_EMAIL,           /* storages give the id instead */
    CHORUS_ACL_NOBODY           /* a grantee of a kind that S3 does not have */
} chorus_acl_kind_t;

/* FULL_CONTROL is not the other four: S3 lists what was granted. */
#define CHORUS_ACL_READ          0x01u
#define CHORUS_ACL_WRITE         0x02u
#define CHORUS_ACL_READ_ACP      0x04u
#define CHORUS_ACL_WRITE_ACP     0x08u
#define CHORUS_ACL_FULL_CONTROL  0x10u

/* What one grantee may do; of several grants to one the sum. */
typedef struct {
    chorus_acl_kind_t  kind;
    chorus_str_t       id;          /* or URI, or address */
    unsigned           permissions;
} chorus_acl_grant_t;

typedef struct {
    chorus_str_t         owner;     /* its canonical id, may be empty */
    chorus_acl_grant_t  *grants;    /* sorted, one for each grantee */
    size_t               ngrants;
} chorus_acl_t;


/*
 * <AccessControlPolicy><Owner><ID/></Owner><AccessControlList><Grant>
 * <Grantee><ID/> | <URI/> | <EmailAddress/></Grantee><Permission/></Grant>...
 * CHORUS_ERROR: not that document, more than CHORUS_ACL_MAX_GRANTS, or a
 * permission that S3 does not have.  Strings live in `mem`.
 * [Amazon S3 API Reference, "GetObjectAcl"]
 */
chorus_rc_t chorus_acl_parse(chorus_mem_t *mem, chorus_str_t body,
    chorus_acl_t *acl, chorus_error_t *error);

/* After grants were changed: in order, and one for each grantee again. */
void chorus_acl_sort(chorus_acl_t *acl);

/* Whether the grants are the same; owners are not compared. */
bool chorus_acl_same(const chorus_acl_t *a, const chorus_acl_t *b);

/* The value of x-amz-acl that gives these grants to what the owner writes:
 * "private" is what an object has that was written without; the null string:
 * there is none.  [Amazon S3 User Guide, "Canned ACL"] */
chorus_str_t chorus_acl_canned(const chorus_acl_t *acl);

/* The document for PUT ?acl; null string when out of memory.  Grants to
 * CHORUS_ACL_NOBODY are left out. */
chorus_str_t chorus_acl_xml(chorus_mem_t *mem, const chorus_acl_t *acl);


#endif
