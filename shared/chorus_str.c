/* String views and growing buffers. */

#include <string.h>

#include "chorus_str.h"

#define BUF_MIN_BYTES  64

#define ALNUM   CHORUS_CHAR_ALNUM
#define HEX     CHORUS_CHAR_LOWER_HEX
#define URI     CHORUS_CHAR_UNRESERVED
#define TOKEN   CHORUS_CHAR_TOKEN

/* "00" to "0f", and so on */
#define HEX_16(high)                                                          \
    high "0" high "1" high "2" high "3" high "4" high "5" high "6" high "7"   \
    high "8" high "9" high "a" high "b" high "c" high "d" high "e" high "f"


const unsigned char  chorus_char_kinds[256] = {
    ['0' ... '9'] = ALNUM | HEX | URI | TOKEN,
    ['a' ... 'f'] = ALNUM | HEX | URI | TOKEN,
    ['g' ... 'z'] = ALNUM | URI | TOKEN,
    ['A' ... 'Z'] = ALNUM | URI,
    ['-'] = URI | TOKEN,
    ['.'] = URI | TOKEN,
    ['_'] = URI | TOKEN,
    ['~'] = URI | TOKEN,
    ['!'] = TOKEN, ['#'] = TOKEN, ['$'] = TOKEN, ['%'] = TOKEN,
    ['&'] = TOKEN, ['\''] = TOKEN, ['*'] = TOKEN, ['+'] = TOKEN,
    ['^'] = TOKEN, ['`'] = TOKEN, ['|'] = TOKEN
};

static const char  hex_pairs[] =
    HEX_16("0") HEX_16("1") HEX_16("2") HEX_16("3")
    HEX_16("4") HEX_16("5") HEX_16("6") HEX_16("7")
    HEX_16("8") HEX_16("9") HEX_16("a") HEX_16("b")
    HEX_16("c") HEX_16("d") HEX_16("e") HEX_16("f");


static unsigned char
str_lower(char c)
{
    return (unsigned char) ((c >= 'A' && c <= 'Z') ? (c | 0x20) : c);
}


bool
chorus_bytes_caseeq(const char *a, const char *b, size_t len)
{
    size_t  i;

    /* most are written alike: eight bytes are one comparison */

    for ( /* void */ ; len >= 8 && memcmp(a, b, 8) == 0; len -= 8) {
        a += 8;
        b += 8;
    }

    for (i = 0; i < len; i++) {
        if (a[i] != b[i] && str_lower(a[i]) != str_lower(b[i])) {
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

    if (buf.failed) {
        buf.size = 0;
    }

    return buf;
}


chorus_buf_t
chorus_buf_in(chorus_mem_t *mem, char *space, size_t size)
{
    return (chorus_buf_t) { .data = space, .size = size, .mem = mem };
}


/* What has failed has no room from then on, so that every append asks here. */
static bool
buf_fail(chorus_buf_t *buf)
{
    buf->failed = true;
    buf->size = buf->len;

    return false;
}


bool
chorus_buf_grow(chorus_buf_t *buf, size_t more)
{
    char    *data;
    size_t   size;

    if (buf->failed) {
        return false;
    }

    for (size = buf->size; size - buf->len < more; size *= 2) {
        if (size > SIZE_MAX / 2) {
            return buf_fail(buf);
        }
    }

    data = chorus_alloc(buf->mem, size);

    if (data == NULL) {
        return buf_fail(buf);
    }

    memcpy(data, buf->data, buf->len);

    buf->data = data;
    buf->size = size;

    return true;
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
    if (len <= SIZE_MAX / 2 && chorus_buf_reserve(buf, len * 2)) {
        chorus_hex(buf->data + buf->len, bytes, len);
        buf->len += len * 2;
    }
}


void
chorus_hex(char *out, const void *bytes, size_t len)
{
    const unsigned char  *p = bytes;
    const unsigned char  *end = p + len;

    for ( /* void */ ; p != end; p++, out += 2) {
        memcpy(out, hex_pairs + 2 * (size_t) *p, 2);
    }
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
chorus_str_is_of(chorus_str_t s, unsigned kind)
{
    size_t    i;
    unsigned  common;

    common = kind;

    for (i = 0; i < s.len; i++) {
        common &= chorus_char_kinds[(unsigned char) s.data[i]];
    }

    return common != 0;
}
