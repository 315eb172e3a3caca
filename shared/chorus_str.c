/* String views and growing buffers. */

#include <string.h>

#include "chorus_str.h"

#define BUF_MIN_BYTES  64


static const char  hex_digits[] = "0123456789abcdef";


static unsigned char
str_lower(char c)
{
    return (unsigned char) ((c >= 'A' && c <= 'Z') ? (c | 0x20) : c);
}


chorus_str_t
chorus_str_from(const char *text)
{
    if (text == NULL) {
        return chorus_null_str;
    }

    return (chorus_str_t) { text, strlen(text) };
}


bool
chorus_str_eq(chorus_str_t a, chorus_str_t b)
{
    return a.len == b.len
           && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


bool
chorus_str_caseeq(chorus_str_t a, chorus_str_t b)
{
    size_t  i;

    if (a.len != b.len) {
        return false;
    }

    for (i = 0; i < a.len; i++) {
        if (a.data[i] != b.data[i]
            && str_lower(a.data[i]) != str_lower(b.data[i]))
        {
            return false;
        }
    }

    return true;
}


int
chorus_str_cmp(chorus_str_t a, chorus_str_t b)
{
    int     rc;
    size_t  n;

    n = a.len < b.len ? a.len : b.len;
    rc = n == 0 ? 0 : memcmp(a.data, b.data, n);

    if (rc != 0) {
        return rc;
    }

    return (a.len > b.len) - (a.len < b.len);
}


bool
chorus_str_starts(chorus_str_t s, chorus_str_t prefix)
{
    if (s.len < prefix.len) {
        return false;
    }

    s.len = prefix.len;

    return chorus_str_eq(s, prefix);
}


bool
chorus_str_casestarts(chorus_str_t s, chorus_str_t prefix)
{
    if (s.len < prefix.len) {
        return false;
    }

    s.len = prefix.len;

    return chorus_str_caseeq(s, prefix);
}


chorus_str_t
chorus_str_trim(chorus_str_t s)
{
    while (s.len != 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.len--;
    }

    while (s.len != 0
           && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
    {
        s.len--;
    }

    return s;
}


chorus_str_t
chorus_str_sub(chorus_str_t s, size_t from)
{
    if (from >= s.len) {
        from = s.len;
    }

    if (from == 0) {
        return s;
    }

    return (chorus_str_t) { s.data + from, s.len - from };
}


chorus_str_t
chorus_str_cut(chorus_str_t *rest, char c)
{
    const char    *p;
    chorus_str_t   head;

    head = *rest;
    p = head.len == 0 ? NULL : memchr(head.data, c, head.len);

    if (p == NULL) {
        *rest = chorus_null_str;
        return head;
    }

    head.len = (size_t) (p - head.data);
    *rest = (chorus_str_t) { p + 1, rest->len - head.len - 1 };

    return head;
}


chorus_str_t
chorus_str_dup(chorus_mem_t *mem, chorus_str_t s)
{
    char  *data;

    if (s.len == SIZE_MAX) {
        return chorus_null_str;
    }

    data = chorus_alloc(mem, s.len + 1);
    if (data == NULL) {
        return chorus_null_str;
    }

    if (s.len != 0) {
        memcpy(data, s.data, s.len);
    }

    data[s.len] = '\0';

    return (chorus_str_t) { data, s.len };
}


/* [RFC 3629] */
bool
chorus_str_is_text(chorus_str_t s)
{
    size_t                i, n, len;
    uint32_t              code;
    const unsigned char  *p = (const unsigned char *) s.data;

    static const uint32_t  first[] = { 0x1, 0x80, 0x800, 0x10000 };

    for (i = 0; i < s.len; i += len) {

        len = p[i] < 0x80 ? 1 : p[i] < 0xc0 ? 0 : p[i] < 0xe0 ? 2
            : p[i] < 0xf0 ? 3 : p[i] < 0xf8 ? 4 : 0;

        if (len == 0 || len > s.len - i) {
            return false;
        }

        code = len == 1 ? p[i] : p[i] & (0x7fu >> len);

        for (n = 1; n < len; n++) {
            if ((p[i + n] & 0xc0) != 0x80) {
                return false;
            }

            code = code << 6 | (p[i + n] & 0x3f);
        }

        if (code < first[len - 1] || code > 0x10ffff
            || (code >= 0xd800 && code <= 0xdfff))
        {
            return false;
        }
    }

    return true;
}


bool
chorus_str_to_u64(chorus_str_t s, uint64_t *value)
{
    size_t    i;
    uint64_t  n, digit;

    if (s.len == 0) {
        return false;
    }

    n = 0;

    for (i = 0; i < s.len; i++) {

        if (s.data[i] < '0' || s.data[i] > '9') {
            return false;
        }

        digit = (uint64_t) (s.data[i] - '0');

        if (n > (UINT64_MAX - digit) / 10) {
            return false;
        }

        n = n * 10 + digit;
    }

    *value = n;

    return true;
}


chorus_buf_t
chorus_buf(chorus_mem_t *mem, size_t size_hint)
{
    chorus_buf_t  buf;

    buf.len = 0;
    buf.size = size_hint < BUF_MIN_BYTES ? BUF_MIN_BYTES : size_hint;
    buf.mem = mem;
    buf.data = chorus_alloc(mem, buf.size);
    buf.failed = (buf.data == NULL);

    return buf;
}


static bool
buf_grow(chorus_buf_t *buf, size_t more)
{
    char    *data;
    size_t   size;

    for (size = buf->size; size - buf->len < more; size *= 2) {
        if (size > SIZE_MAX / 2) {
            buf->failed = true;
            return false;
        }
    }

    data = chorus_alloc(buf->mem, size);

    if (data == NULL) {
        buf->failed = true;
        return false;
    }

    memcpy(data, buf->data, buf->len);

    buf->data = data;
    buf->size = size;

    return true;
}


static bool
buf_reserve(chorus_buf_t *buf, size_t more)
{
    if (buf->failed) {
        return false;
    }

    return more <= buf->size - buf->len || buf_grow(buf, more);
}


void
chorus_buf_char(chorus_buf_t *buf, char c)
{
    if (buf_reserve(buf, 1)) {
        buf->data[buf->len++] = c;
    }
}


void
chorus_buf_add(chorus_buf_t *buf, chorus_str_t s)
{
    if (s.len != 0 && buf_reserve(buf, s.len)) {
        memcpy(buf->data + buf->len, s.data, s.len);
        buf->len += s.len;
    }
}


void
chorus_buf_text(chorus_buf_t *buf, const char *text)
{
    chorus_buf_add(buf, chorus_str_from(text));
}


void
chorus_buf_u64(chorus_buf_t *buf, uint64_t value)
{
    char    digits[20];         /* of UINT64_MAX */
    size_t  at;

    at = sizeof(digits);

    do {
        digits[--at] = (char) ('0' + value % 10);
        value /= 10;
    } while (value != 0);

    chorus_buf_add(buf, (chorus_str_t) { digits + at, sizeof(digits) - at });
}


void
chorus_buf_hex(chorus_buf_t *buf, const void *bytes, size_t len)
{
    if (len <= SIZE_MAX / 2 && buf_reserve(buf, len * 2)) {
        chorus_hex(buf->data + buf->len, bytes, len);
        buf->len += len * 2;
    }
}


chorus_str_t
chorus_buf_str(const chorus_buf_t *buf)
{
    if (buf->failed) {
        return chorus_null_str;
    }

    return (chorus_str_t) { buf->data, buf->len };
}


void
chorus_hex(char *out, const void *bytes, size_t len)
{
    size_t                i;
    const unsigned char  *p = bytes;

    for (i = 0; i < len; i++) {
        *out++ = hex_digits[p[i] >> 4];
        *out++ = hex_digits[p[i] & 0x0f];
    }
}


bool
chorus_is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9');
}


int
chorus_hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }

    return -1;
}


bool
chorus_is_lower_hex(chorus_str_t s)
{
    char    c;
    size_t  i;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) {
            return false;
        }
    }

    return true;
}
