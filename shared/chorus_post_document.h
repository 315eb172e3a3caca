/*
 * The document of a policy as it is written, before anything is compared with
 * it.  Private to the files chorus_post_*.c.
 */

#ifndef CHORUS_POST_DOCUMENT_H
#define CHORUS_POST_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "chorus_post_policy.h"


typedef enum {
    CHORUS_POST_EQ = 0,
    CHORUS_POST_STARTS_WITH,
    CHORUS_POST_RANGE,              /* of the size of the file */
    CHORUS_POST_NEVER               /* well formed, but never met */
} chorus_post_op_t;

/* Views into the document. */
typedef struct {
    chorus_post_op_t   op;
    chorus_str_t       name;        /* without the '$' */
    chorus_str_t       value;
    bool               is_simple;   /* {"name": "value"} */
    uint64_t           min_bytes;
    uint64_t           max_bytes;
    json_t            *json;        /* borrowed */
} chorus_post_condition_t;

typedef struct {
    chorus_mem_t         *mem;
    chorus_s3_refusal_t  *refusal;
    json_t               *root;
    json_t               *conditions;   /* borrowed from the root */
    int64_t               expiration;   /* seconds since the epoch */
} chorus_post_document_t;


/* Decodes and reads all of it; what is malformed is refused with
 * INVALID_POLICY_DOCUMENT.  To be closed when it is CHORUS_OK; its views are
 * gone then. */
chorus_rc_t chorus_post_document_open(chorus_post_document_t *doc,
    chorus_mem_t *mem, chorus_str_t base64, chorus_s3_refusal_t *refusal);
void chorus_post_document_close(chorus_post_document_t *doc);

/* The i-th condition, of json_array_size(doc->conditions). */
chorus_rc_t chorus_post_document_condition(const chorus_post_document_t *doc,
    size_t i, chorus_post_condition_t *condition);


#endif
