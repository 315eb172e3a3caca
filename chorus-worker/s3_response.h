/*
 * The answer to one S3 request, as far as it is kept in memory: status,
 * headers, and the body when it is small (errors, results, tag sets).
 */

#ifndef S3_RESPONSE_H
#define S3_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "chorus_mem.h"
#include "chorus_s3_request.h"
#include "chorus_str.h"

#define S3_BODY_MAX          (64 * 1024)
#define S3_HEADERS_MAX       256
#define S3_HEADER_BYTES_MAX  (64 * 1024)


typedef struct {
    chorus_mem_t     *mem;
    unsigned          status;           /* 0: no answer */
    chorus_header_t  *headers;          /* of chorus_header_t */
    size_t            nheaders;
    size_t            header_bytes;
    bool              has_headers;      /* all of them are here */
    bool              is_done;
    bool              is_stopped;       /* by us, in between */
    bool              is_overlong;      /* more than the bounds above */
    chorus_buf_t      body;
    chorus_str_t      code;             /* <Code> of an <Error>, or null */
    CURLcode          result;
    char              curl_error[CURL_ERROR_SIZE];
} s3_response_t;


void s3_response_init(s3_response_t *response, chorus_mem_t *mem);

/* One line of the head, without CRLF; false when a bound was passed. */
bool s3_response_line(s3_response_t *response, chorus_str_t line);
/* A piece of a body that is kept. */
void s3_response_body(s3_response_t *response, chorus_str_t bytes);
/* Everything is here: reads the error, if it is one. */
void s3_response_end(s3_response_t *response);

/* The trimmed value; null string without. */
chorus_str_t s3_response_header(const s3_response_t *response,
    const char *name);

/* A whole answer with that status. */
bool s3_response_is(const s3_response_t *response, unsigned status);
/* A whole answer 2xx that is no <Error>. */
bool s3_response_is_success(const s3_response_t *response);
/* A whole 404 that says in S3's own words that there is no such key or
 * bucket: the only thing that may delete on a follower (a HEAD, a proxy's 404
 * page or a redirect cannot say so). */
bool s3_response_is_gone(const s3_response_t *response);
bool s3_response_has_code(const s3_response_t *response, const char *code);

/* The entity tag without quotes; null string without. */
chorus_str_t s3_response_etag(const s3_response_t *response);
/* false when there is none, or no number. */
bool s3_response_length(const s3_response_t *response, uint64_t *length);


#endif
