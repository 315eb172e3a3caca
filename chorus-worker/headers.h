/*
 * The headers of a request that writes an object to the follower.
 */

#ifndef HEADERS_H
#define HEADERS_H

#include "chorus_s3_xml.h"
#include "work.h"

#define HEADERS_MAX  (S3_HEADERS_MAX - 16)

/* Tags in a header must leave room for 2 KiB of metadata in 8 KiB. */
#define HEADERS_TAGGING_MAX  4096


typedef struct {
    chorus_header_t  list[S3_HEADERS_MAX];
    size_t           n;
    bool             are_tags_left;     /* too long: to be put afterwards */
} headers_t;


/* Everything that main keeps of the object beside its bytes, as far as a
 * header can say it: acl_finish() has the rest. */
work_rc_t headers_of_object(work_t *work, headers_t *headers,
    const object_t *object, const chorus_tagging_t *tags);

/* There is always room for a few more. */
void headers_add(headers_t *headers, const char *name, chorus_str_t value);


#endif
