/*
 * The few S3 XML bodies that Chorus reads, on expat: entities are not
 * expanded, depth and sizes are bounded.
 */

#ifndef CHORUS_S3_XML_H
#define CHORUS_S3_XML_H

#include "chorus_error.h"
#include "chorus_mem.h"
#include "chorus_str.h"

#define CHORUS_XML_DECLARATION \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

#define CHORUS_S3_NAMESPACE  "http://s3.amazonaws.com/doc/2006-03-01/"

#define CHORUS_XML_MAX_BYTES    (8 * 1024 * 1024)
#define CHORUS_XML_MAX_DEPTH    32
#define CHORUS_DELETE_MAX_KEYS  1000
#define CHORUS_MAX_TAGS         50      /* buckets; objects have 10 */


typedef struct {
    chorus_str_t  *keys;        /* in the order of the body */
    size_t         nkeys;
} chorus_delete_objects_t;

/* <Delete><Object><Key/>[<VersionId/>]...</Object>...</Delete>: 1 to 1000
 * keys.  The namespace is not checked. */
chorus_rc_t chorus_delete_objects_parse(chorus_mem_t *mem, chorus_str_t body,
    chorus_delete_objects_t *request, chorus_error_t *error);


typedef struct {
    chorus_str_t  key;
    chorus_str_t  value;
} chorus_tag_t;

typedef struct {
    chorus_tag_t  *tags;
    size_t         ntags;
} chorus_tagging_t;

/* <Tagging><TagSet><Tag><Key/><Value/></Tag>...</TagSet></Tagging> */
chorus_rc_t chorus_tagging_parse(chorus_mem_t *mem, chorus_str_t body,
    chorus_tagging_t *tagging, chorus_error_t *error);
/* The same document; null string when out of memory. */
chorus_str_t chorus_tagging_xml(chorus_mem_t *mem,
    const chorus_tagging_t *tagging);
/* "k1=v1&k2=v2" percent-encoded, the value of the header x-amz-tagging. */
chorus_str_t chorus_tagging_header(chorus_mem_t *mem,
    const chorus_tagging_t *tagging);


/* Appends text with & < > " and CR as references; what XML 1.0 cannot carry
 * (control characters, broken UTF-8) becomes U+FFFD. */
void chorus_xml_add(chorus_buf_t *buf, chorus_str_t text);
/* Appends <name>text</name>. */
void chorus_xml_element(chorus_buf_t *buf, const char *name,
    chorus_str_t text);


/* The text of the first element of that local name anywhere in the document
 * ("Code" of an <Error>, "UploadId", "ETag"), null string when it is not
 * there or the document is broken before it. */
chorus_str_t chorus_xml_text(chorus_mem_t *mem, chorus_str_t body,
    const char *element);
/* The local name of the document element ("Error"), null string if broken. */
chorus_str_t chorus_xml_root(chorus_mem_t *mem, chorus_str_t body);


#endif
