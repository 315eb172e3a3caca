/*
 * The refusals of Chorus in the words of S3: one row an error, rendered as
 * S3's XML.  [Amazon S3 API Reference, "Error responses"]
 */

#ifndef CHORUS_S3_ERROR_H
#define CHORUS_S3_ERROR_H

#include "chorus_mem.h"
#include "chorus_str.h"


typedef enum {
    CHORUS_S3_OK = 0,
    CHORUS_S3_ACCESS_DENIED,                    /* 403 */
    CHORUS_S3_HEADERS_NOT_SIGNED,               /* 403 AccessDenied */
    CHORUS_S3_REQUEST_EXPIRED,                  /* 403 AccessDenied */
    CHORUS_S3_INVALID_ACCESS_KEY_ID,            /* 403 */
    CHORUS_S3_SIGNATURE_DOES_NOT_MATCH,         /* 403 */
    CHORUS_S3_REQUEST_TIME_TOO_SKEWED,          /* 403 */
    CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED,   /* 400 */
    CHORUS_S3_WRONG_REGION,     /* 400 AuthorizationHeaderMalformed, <Region> */
    CHORUS_S3_AUTHORIZATION_QUERY_PARAMETERS,   /* 400 */
    CHORUS_S3_MISSING_SECURITY_HEADER,          /* 400 */
    CHORUS_S3_INVALID_ARGUMENT,                 /* 400 */
    CHORUS_S3_INVALID_REQUEST,                  /* 400 */
    CHORUS_S3_INVALID_URI,                      /* 400 */
    CHORUS_S3_BAD_REQUEST,                      /* 400, not even HTTP */
    CHORUS_S3_HEADERS_TOO_LARGE,    /* 400 RequestHeaderSectionTooLarge */
    CHORUS_S3_REQUEST_TIMEOUT,                  /* 400 */
    CHORUS_S3_INVALID_BUCKET_NAME,              /* 400 */
    CHORUS_S3_MALFORMED_XML,                    /* 400 */
    CHORUS_S3_INCOMPLETE_BODY,                  /* 400 */
    CHORUS_S3_INVALID_CHUNK_SIZE,               /* 403 */
    CHORUS_S3_BAD_DIGEST,                       /* 400 */
    CHORUS_S3_ENTITY_TOO_LARGE,                 /* 400 */
    CHORUS_S3_ENTITY_TOO_SMALL,                 /* 400 */
    CHORUS_S3_KEY_TOO_LONG,                     /* 400 KeyTooLongError */
    CHORUS_S3_INVALID_POLICY_DOCUMENT,          /* 400 */
    CHORUS_S3_MALFORMED_POST_REQUEST,           /* 400 */
    CHORUS_S3_POST_PREAMBLE_TOO_LONG,   /* 400 MaxPostPreDataLength... */
    CHORUS_S3_METHOD_NOT_ALLOWED,               /* 405 */
    CHORUS_S3_MISSING_CONTENT_LENGTH,           /* 411 */
    CHORUS_S3_NOT_MULTIPART,                    /* 412 PreconditionFailed */
    CHORUS_S3_INTERNAL_ERROR,                   /* 500 */
    CHORUS_S3_NOT_IMPLEMENTED,                  /* 501 */
    CHORUS_S3_BAD_GATEWAY,                      /* 502 InternalError */
    CHORUS_S3_SERVICE_UNAVAILABLE,              /* 503 */
    CHORUS_S3_SLOW_DOWN,                        /* 503 */
    CHORUS_S3_GATEWAY_TIMEOUT,                  /* 504 InternalError */
    CHORUS_S3_NERRORS
} chorus_s3_code_t;

typedef struct {
    chorus_s3_code_t  code;
    unsigned          status;           /* HTTP */
    const char       *name;             /* <Code> */
    const char       *message;          /* default <Message> */
} chorus_s3_error_row_t;

/* What one refusal says; all but code may be left zero. */
typedef struct {
    chorus_s3_code_t  code;
    chorus_str_t      message;          /* instead of the row's */
    chorus_str_t      region;           /* <Region>, for WRONG_REGION */
    chorus_str_t      headers;          /* <HeadersNotSigned>, "a, b" */
    chorus_str_t      access_key;       /* <AWSAccessKeyId> */
    chorus_str_t      amz_expires;      /* <X-Amz-Expires>, of a V4 URL */
    chorus_str_t      expires;          /* <Expires>, when it has expired */
    chorus_str_t      server_time;      /* <ServerTime>, likewise */
    chorus_str_t      argument_name;    /* <ArgumentName>, <ArgumentValue> */
    chorus_str_t      argument_value;
} chorus_s3_refusal_t;


const chorus_s3_error_row_t *chorus_s3_error_row(chorus_s3_code_t code);

/* The XML document; what XML 1.0 cannot carry is replaced by U+FFFD.  Null
 * string when out of memory. */
chorus_str_t chorus_s3_error_xml(chorus_mem_t *mem,
    const chorus_s3_refusal_t *refusal, chorus_str_t resource,
    chorus_str_t request_id);


#endif
