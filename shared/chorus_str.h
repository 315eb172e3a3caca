/*
 * Strings are views (pointer and length, not terminated), passed by value;
 * buffers grow on an allocator handle and remember that they ran out.
 */

#ifndef CHORUS_STR_H
#define CHORUS_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chorus_mem.h"


typedef struct {
    const char  *data;
    size_t       len;
} chorus_str_t;

#define chorus_str(literal)  ((chorus_str_t) { (literal), sizeof(literal) - 1 })
#define chorus_null_str      ((chorus_str_t) { NULL, 0 })

/* for "%.*s" */
#define chorus_fmt(s)        (int) (s).len, (s).data


chorus_str_t chorus_str_from(const char *text);      /* NULL: the null string */
bool chorus_str_eq(chorus_str_t a, chorus_str_t b);
bool chorus_str_caseeq(chorus_str_t a, chorus_str_t b);   /* ASCII only */
int chorus_str_cmp(chorus_str_t a, chorus_str_t b);       /* by bytes */
bool chorus_str_starts(chorus_str_t s, chorus_str_t prefix);
bool chorus_str_casestarts(chorus_str_t s, chorus_str_t prefix);
chorus_str_t chorus_str_trim(chorus_str_t s);             /* spaces, tabs */
chorus_str_t chorus_str_sub(chorus_str_t s, size_t from); /* from..end */

/* Cuts *rest at the first `c`: returns what stands before it and moves *rest
 * behind it; without a `c` returns all and leaves *rest the null string. */
chorus_str_t chorus_str_cut(chorus_str_t *rest, char c);

/* A copy with a terminating NUL (not counted); null string when out of
 * memory. */
chorus_str_t chorus_str_dup(chorus_mem_t *mem, chorus_str_t s);

/* Whether it is UTF-8 without a NUL; the empty string is. */
bool chorus_str_is_text(chorus_str_t s);

/* Decimal digits only, no sign, no space; false on anything else or on
 * overflow. */
bool chorus_str_to_u64(chorus_str_t s, uint64_t *value);


typedef struct {
    char          *data;
    size_t         len;
    size_t         size;
    bool           failed;      /* out of memory: appends are ignored */
    chorus_mem_t  *mem;
} chorus_buf_t;

chorus_buf_t chorus_buf(chorus_mem_t *mem, size_t size_hint);
void chorus_buf_char(chorus_buf_t *buf, char c);
void chorus_buf_add(chorus_buf_t *buf, chorus_str_t s);
void chorus_buf_text(chorus_buf_t *buf, const char *text);
void chorus_buf_u64(chorus_buf_t *buf, uint64_t value);
void chorus_buf_hex(chorus_buf_t *buf, const void *bytes, size_t len);
chorus_str_t chorus_buf_str(const chorus_buf_t *buf);  /* null if failed */


/* Lower-case hex of `len` bytes into `out` (2 * len chars, no NUL). */
void chorus_hex(char *out, const void *bytes, size_t len);
/* ASCII letters and digits */
bool chorus_is_alnum(char c);
/* -1 when c is no hex digit. */
int chorus_hex_digit(char c);
/* Nothing but 0-9 and a-f; true for the empty string. */
bool chorus_is_lower_hex(chorus_str_t s);


#endif
