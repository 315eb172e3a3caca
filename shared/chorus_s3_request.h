/*
 * What an S3 request is (its operation) and what it touches when it succeeds.
 * The table in chorus_s3_request.c is the whole truth: a new operation is a
 * new row; an operation without a row passes through and touches nothing.
 */

#ifndef CHORUS_S3_REQUEST_H
#define CHORUS_S3_REQUEST_H

#include <stdbool.h>

#include "chorus_str.h"
#include "chorus_uri.h"


/* Facets of a key; they only narrow the work of the worker. */
#define CHORUS_FACET_CONTENT  1u
#define CHORUS_FACET_TAGS     2u
#define CHORUS_FACET_ACL      4u
#define CHORUS_FACET_ALL      7u


typedef enum {
    CHORUS_TOUCH_NOTHING = 0,
    CHORUS_TOUCH_OBJECT,        /* the key of the URI */
    CHORUS_TOUCH_KEYS_IN_BODY,  /* DeleteObjects: the keys of the body */
    CHORUS_TOUCH_BUCKET,        /* the bucket itself: existence, settings */
    CHORUS_TOUCH_UNKNOWABLE     /* a POST whose keys only the storage knows */
} chorus_touch_t;

typedef struct {
    const char      *method;
    /* query name that selects it, or NULL; with '=' at its end the argument
     * must have a value */
    const char      *sub_resource;
    const char      *with;          /* a second argument it needs, or NULL */
    const char      *header;        /* request header that must be there */
    bool             on_key;        /* on an object, else on a bucket */
    const char      *name;          /* "PutObject": for logs and metrics */
    chorus_touch_t   touch;
    unsigned         facets;        /* CHORUS_FACET_*, for TOUCH_OBJECT */
} chorus_s3_operation_t;

typedef struct {
    chorus_str_t  name;
    chorus_str_t  value;
} chorus_header_t;


/*
 * Never NULL: an unknown request gets the row "Unknown".  It touches nothing
 * when it is a GET, HEAD or OPTIONS; a PUT, DELETE or any other method that
 * has no row touches the key or bucket of its URI, on suspicion.  A POST that
 * has no row may be a browser upload, whose key is a field of its form: what
 * it touches cannot be known.
 *
 * Storages differ in how they read odd arguments ("?%61cl", "??delete"), so a
 * write with an argument whose name is not plain is always unknown.
 */
const chorus_s3_operation_t *chorus_s3_operation(chorus_str_t method,
    const chorus_uri_t *uri, const chorus_header_t *headers, size_t nheaders);

/* First header of that name (ASCII case-insensitive), its value as it was
 * sent (not trimmed); NULL without. */
const chorus_header_t *chorus_header(const chorus_header_t *headers,
    size_t nheaders, chorus_str_t name);


#endif
