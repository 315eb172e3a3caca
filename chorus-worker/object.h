/*
 * What S3 keeps of an object beside its bytes, read from the headers of a GET
 * or HEAD.
 */

#ifndef OBJECT_H
#define OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "chorus_crypto.h"
#include "s3_response.h"


/* Null strings where the storage names none. */
typedef struct {
    chorus_str_t      mode;             /* GOVERNANCE, COMPLIANCE */
    chorus_str_t      until;            /* ISO 8601 */
    chorus_str_t      hold;             /* ON, OFF */
} object_lock_t;

typedef struct {
    size_t            row;              /* the algorithm, in checksum.c */
    chorus_str_t      value;            /* null: there is none, or not asked */
    chorus_str_t      type;             /* FULL_OBJECT, COMPOSITE, null */
} object_checksum_t;

typedef struct {
    uint64_t          size;
    chorus_str_t      etag;             /* without quotes */
    unsigned          nparts;           /* of an ETag "...-N", else 0 */
    bool              is_md5;           /* the ETag is the MD5 below */
    bool              is_sealed;        /* see object_is_sealed() */
    unsigned char     md5[CHORUS_MD5_LEN];
    chorus_str_t      storage_class;    /* null: the storage named none */
    uint64_t          ntags;
    object_lock_t     lock;
    object_checksum_t checksum;
    chorus_header_t  *kept;             /* sorted */
    size_t            nkept;
} object_t;


/* Copies what it keeps to `mem`.  false: an answer without length or ETag,
 * which is not how an S3 storage answers, or out of memory. */
bool object_read(object_t *object, chorus_mem_t *mem,
    const s3_response_t *response);

/* Same bytes by all that can be seen: size and ETag. */
bool object_same_content(const object_t *a, const object_t *b);
/* By meaning: whether metadata beyond ASCII is answered as it is or as encoded
 * words makes no difference. */
bool object_same_headers(chorus_mem_t *mem, const object_t *a,
    const object_t *b, bool is_by_meaning);

/* An entity tag that is the MD5 of the content. */
bool object_etag_is_md5(chorus_str_t etag, unsigned char md5[CHORUS_MD5_LEN]);

/* The storage encrypts with keys of its own, so its ETag is no MD5. */
bool object_is_sealed(const s3_response_t *response);


#endif
