#include "chorus_json.h"


/* How many bytes the character has at the begin of `s`: 0 when these are no
 * UTF-8 [RFC 3629, 4]. */

static size_t
json_character(chorus_str_t s)
{
    size_t         i, n;
    unsigned char  c, second;

    c = (unsigned char) s.data[0];

    if (c < 0x80) {
        return 1;
    }

    n = c >= 0xc2 && c <= 0xdf ? 2 : c >= 0xe0 && c <= 0xef ? 3
        : c >= 0xf0 && c <= 0xf4 ? 4 : 0;

    if (n == 0 || n > s.len) {
        return 0;
    }

    for (i = 1; i < n; i++) {
        if (((unsigned char) s.data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    second = (unsigned char) s.data[1];

    /* longer than needed, a surrogate, beyond the last one */
    return (c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f)
           || (c == 0xf0 && second < 0x90) || (c == 0xf4 && second > 0x8f)
           ? 0 : n;
}


static void
json_ascii(chorus_buf_t *buf, char c)
{
    unsigned char  byte;

    byte = (unsigned char) c;

    if (c == '"' || c == '\\') {
        chorus_buf_char(buf, '\\');
        chorus_buf_char(buf, c);

    } else if (byte < 0x20 || byte == 0x7f) {
        chorus_buf_text(buf, "\\u00");
        chorus_buf_hex(buf, &byte, 1);

    } else {
        chorus_buf_char(buf, c);
    }
}


void
chorus_json_string(chorus_buf_t *buf, chorus_str_t s, size_t max)
{
    size_t  n, taken;

    chorus_buf_char(buf, '"');

    for (taken = 0; s.len != 0; taken += n) {

        n = json_character(s);

        if (taken + (n == 0 ? 1 : n) > max) {
            chorus_buf_text(buf, "...");
            break;
        }

        if (n == 0) {
            chorus_buf_text(buf, "\xef\xbf\xbd");
            n = 1;

        } else if (n == 1) {
            json_ascii(buf, s.data[0]);

        } else {
            chorus_buf_add(buf, (chorus_str_t) { s.data, n });
        }

        s = chorus_str_sub(s, n);
    }

    chorus_buf_char(buf, '"');
}


void
chorus_json_name(chorus_buf_t *buf, const char *name)
{
    if (buf->len != 0 && buf->data[buf->len - 1] != '{') {
        chorus_buf_char(buf, ',');
    }

    chorus_buf_char(buf, '"');
    chorus_buf_text(buf, name);
    chorus_buf_text(buf, "\":");
}
