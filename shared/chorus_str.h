/*
 * Strings are views (pointer and length, not terminated), passed by value;
 * buffers grow on an allocator handle and remember that they ran out.
 */

#ifndef CHORUS_STR_H
#define CHORUS_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "chorus_mem.h"


typedef struct {
    const char  *data;
    size_t       len;
} chorus_str_t;

#define chorus_str(literal)  ((chorus_str_t) { (literal), sizeof(literal) - 1 })
#define chorus_null_str      ((chorus_str_t) { NULL, 0 })

/* for "%.*s" */
#define chorus_fmt(s)        (int) (s).len, (s).data


/* What is inline here is called so often for so little that a call would cost
 * more than it does; beside a literal most of it is computed beforehand. */

static inline chorus_str_t
chorus_str_from(const char *text)           /* NULL: the null string */
{
    return (chorus_str_t) { text, text == NULL ? 0 : strlen(text) };
}


static inline bool
chorus_str_eq(chorus_str_t a, chorus_str_t b)
{
    return a.len == b.len
           && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


static inline bool
chorus_str_starts(chorus_str_t s, chorus_str_t prefix)
{
    return s.len >= prefix.len
           && (prefix.len == 0 || memcmp(s.data, prefix.data, prefix.len) == 0);
}


static inline chorus_str_t
chorus_str_sub(chorus_str_t s, size_t from)     /* from..end */
{
    if (from >= s.len) {
        from = s.len;
    }

    return from == 0 ? s : (chorus_str_t) { s.data + from, s.len - from };
}


/* ASCII only; so many bytes, equal but for the case of letters */
bool chorus_bytes_caseeq(const char *a, const char *b, size_t len);


static inline bool
chorus_str_caseeq(chorus_str_t a, chorus_str_t b)
{
    return a.len == b.len && chorus_bytes_caseeq(a.data, b.data, a.len);
}


static inline bool
chorus_str_casestarts(chorus_str_t s, chorus_str_t prefix)
{
    return s.len >= prefix.len
           && chorus_bytes_caseeq(s.data, prefix.data, prefix.len);
}


int chorus_str_cmp(chorus_str_t a, chorus_str_t b);       /* by bytes */
chorus_str_t chorus_str_trim(chorus_str_t s);             /* spaces, tabs */

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

/* One that begins in `space` and takes memory only when that is full: for what
 * ends with the function that it is in. */
chorus_buf_t chorus_buf_in(chorus_mem_t *mem, char *space, size_t size);

/* Makes room for so many more bytes; false when out of memory, now or before
 * (then there is no room at all). */
bool chorus_buf_grow(chorus_buf_t *buf, size_t more);


static inline bool
chorus_buf_reserve(chorus_buf_t *buf, size_t more)
{
    return more <= buf->size - buf->len || chorus_buf_grow(buf, more);
}


static inline void
chorus_buf_char(chorus_buf_t *buf, char c)
{
    if (chorus_buf_reserve(buf, 1)) {
        buf->data[buf->len++] = c;
    }
}


static inline void
chorus_buf_add(chorus_buf_t *buf, chorus_str_t s)
{
    if (s.len != 0 && chorus_buf_reserve(buf, s.len)) {
        memcpy(buf->data + buf->len, s.data, s.len);
        buf->len += s.len;
    }
}


static inline void
chorus_buf_text(chorus_buf_t *buf, const char *text)
{
    chorus_buf_add(buf, chorus_str_from(text));
}


static inline chorus_str_t
chorus_buf_str(const chorus_buf_t *buf)     /* the null string if failed */
{
    return buf->failed ? chorus_null_str
                       : (chorus_str_t) { buf->data, buf->len };
}


void chorus_buf_u64(chorus_buf_t *buf, uint64_t value);
void chorus_buf_hex(chorus_buf_t *buf, const void *bytes, size_t len);


/* What an ASCII character may stand for, bits of chorus_char_kinds. */
#define CHORUS_CHAR_ALNUM       1u      /* a letter or digit */
#define CHORUS_CHAR_LOWER_HEX   2u      /* 0-9, a-f */
#define CHORUS_CHAR_UNRESERVED  4u      /* itself in a URI: RFC 3986, 2.3 */
#define CHORUS_CHAR_TOKEN       8u      /* a header's name in lower case:
                                         * RFC 9110, 5.6.2 */

/* A table: where hexadecimal digits and letters come at random, a processor
 * guesses wrong at every other comparison. */
extern const unsigned char  chorus_char_kinds[256];


static inline bool
chorus_char_is(char c, unsigned kind)
{
    return (chorus_char_kinds[(unsigned char) c] & kind) != 0;
}


static inline bool
chorus_is_alnum(char c)
{
    return chorus_char_is(c, CHORUS_CHAR_ALNUM);
}


/* Whether all characters are of that kind; true for the empty string. */
bool chorus_str_is_of(chorus_str_t s, unsigned kind);

/* Lower-case hex of `len` bytes into `out` (2 * len chars, no NUL). */
void chorus_hex(char *out, const void *bytes, size_t len);
/* -1 when c is no hex digit. */
int chorus_hex_digit(char c);


#endif
