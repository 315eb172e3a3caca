/*
 * The form of a browser upload (POST on a bucket, multipart/form-data): what
 * stands in front of the content of its file, read piece by piece.
 * [Amazon S3 API Reference, "POST Object"; RFC 7578; RFC 2046, 5.1]
 *
 * Main gets a form of our own with the same fields (chorus_post_sign.c), never
 * the client's text, so what is read here is what main reads.
 */

#ifndef CHORUS_POST_FORM_H
#define CHORUS_POST_FORM_H

#include <stdbool.h>

#include "chorus_error.h"
#include "chorus_mem.h"
#include "chorus_s3_error.h"
#include "chorus_str.h"

#define CHORUS_POST_MAX_HEAD_BYTES    (64 * 1024)   /* all before the file */
#define CHORUS_POST_MAX_FIELDS_BYTES  (20 * 1024)   /* names and values */
#define CHORUS_POST_MAX_PART_BYTES    (8 * 1024)    /* headers of one part */
#define CHORUS_POST_MAX_FIELDS        100
#define CHORUS_POST_MAX_BOUNDARY      70
#define CHORUS_POST_MAX_KEY_BYTES     1024


typedef struct {
    chorus_str_t  name;             /* as sent; compared without case */
    chorus_str_t  value;            /* ${filename} is replaced */
} chorus_post_field_t;

typedef struct {                    /* a field, as offsets in the body */
    size_t  name_at;
    size_t  name_len;
    size_t  value_at;
    size_t  value_len;
} chorus_post_span_t;

typedef struct {
    /* the answer, when is_complete */
    chorus_post_field_t  *fields;           /* in the order of the form */
    size_t                nfields;
    chorus_str_t          key;              /* 1..1024 bytes of UTF-8 */
    chorus_str_t          filename;         /* without folders; may be null */
    chorus_str_t          file_type;        /* Content-Type of the part */
    size_t                file_start;       /* offset of the content */
    bool                  is_complete;

    chorus_str_t          boundary;

    /* the parser's own */
    chorus_mem_t         *mem;
    chorus_s3_refusal_t  *refusal;
    chorus_str_t          delimiter;        /* CRLF "--" boundary */
    chorus_post_span_t   *spans;
    size_t                nspans;
    size_t                nbytes;           /* of names and values */
    size_t                at;               /* where the current part begins */
    size_t                scanned;          /* searched in vain up to here */
    int                   state;
} chorus_post_form_t;


/*
 * `content_type` is the header of the request (the null string: none); what
 * is taken from it is copied.  On CHORUS_ERROR `refusal` is what the client
 * gets; it must stay for chorus_post_form_read(), as must `mem`.
 */
chorus_rc_t chorus_post_form_begin(chorus_post_form_t *form,
    chorus_mem_t *mem, chorus_str_t content_type,
    chorus_s3_refusal_t *refusal);

/*
 * `body` is all of the request's body that has come so far, from its first
 * byte; the bytes may lie elsewhere each time.  Sets is_complete when the
 * content of the file begins: then the answers are views into this `body` or
 * into `mem`.  Until then CHORUS_OK asks for more.  `is_all` says that there
 * is no more; a form that is not complete then is refused.
 *
 * Refused: what is no multipart/form-data in CRLF lines, the boundary within
 * a name or value, a name that is empty, odd or repeated, text that is not
 * UTF-8 or has a NUL, control characters but in a key, policy, tagging or
 * x-ignore-*, more bytes or fields than the limits above, no file, no key or a
 * key that is too long.
 */
chorus_rc_t chorus_post_form_read(chorus_post_form_t *form,
    chorus_str_t body, bool is_all);

/* The field of that name, in any case, or NULL. */
const chorus_post_field_t *chorus_post_field(const chorus_post_form_t *form,
    chorus_str_t name);


/* ---- one part ---- */

/* The header lines of a part, between the line of the boundary and the empty
 * line; views into them. */
typedef struct {
    chorus_str_t  name;
    chorus_str_t  filename;         /* as sent; the null string: none */
    chorus_str_t  type;             /* Content-Type; the null string: none */
} chorus_post_part_t;

/* false: the part is malformed. */
bool chorus_post_part_parse(chorus_str_t lines, chorus_post_part_t *part);

/* The parameter `boundary` of a Content-Type multipart/form-data; the null
 * string when it is none or malformed, *is_form tells which. */
chorus_str_t chorus_post_boundary(chorus_str_t content_type, bool *is_form);


/* ---- private to chorus_post_form.c and chorus_post_fields.c ---- */

/* Makes the answers of what was read; `body` is that of the last read. */
chorus_rc_t chorus_post_form_finish(chorus_post_form_t *form,
    chorus_str_t body);

/* Whether the text holds the boundary, at any place: Ceph takes it for the
 * end of a part even in the middle of a line. */
bool chorus_post_has_boundary(const chorus_post_form_t *form,
    chorus_str_t text);

/* Returns CHORUS_ERROR; `argument` and `message` may be NULL. */
chorus_rc_t chorus_post_refuse(chorus_post_form_t *form,
    chorus_s3_code_t code, const char *argument, const char *message);


#endif
