/* Text into XML 1.0.  [XML 1.0, 2.2 "Characters"; RFC 3629] */

#include "chorus_s3_xml.h"

#define REPLACEMENT  "\xEF\xBF\xBD"        /* U+FFFD */


/* Bytes of the UTF-8 sequence that a byte begins; 0 when it begins none. */
static size_t
xml_sequence_len(unsigned char c)
{
    if (c < 0x80) {
        return 1;
    }

    if (c >= 0xc2 && c < 0xe0) {
        return 2;
    }

    if (c >= 0xe0 && c < 0xf0) {
        return 3;
    }

    return c >= 0xf0 && c < 0xf5 ? 4 : 0;
}


/* Not overlong, no surrogate, no control character but tab, CR, LF. */
static bool
xml_is_char(uint32_t code, size_t len)
{
    static const uint32_t  first[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if (code < 0x20) {
        return code == '\t' || code == '\n' || code == '\r';
    }

    return code >= first[len] && code <= 0x10ffff
           && (code < 0xd800 || code > 0xdfff)
           && code != 0xfffe && code != 0xffff;
}


/* The bytes of the character at the front, 0 when XML cannot carry it. */
static size_t
xml_char_len(chorus_str_t s)
{
    size_t         i, len;
    uint32_t       code;
    unsigned char  c;

    c = (unsigned char) s.data[0];
    len = xml_sequence_len(c);

    if (len == 0 || len > s.len) {
        return 0;
    }

    code = len == 1 ? c : c & (0x7fu >> len);

    for (i = 1; i < len; i++) {

        c = (unsigned char) s.data[i];

        if ((c & 0xc0) != 0x80) {
            return 0;
        }

        code = code << 6 | (c & 0x3f);
    }

    return xml_is_char(code, len) ? len : 0;
}


static const char *
xml_reference(char c)
{
    switch (c) {

    case '&':
        return "&amp;";

    case '<':
        return "&lt;";

    case '>':
        return "&gt;";

    case '"':
        return "&quot;";

    case '\r':
        return "&#13;";

    default:
        return NULL;
    }
}


void
chorus_xml_add(chorus_buf_t *buf, chorus_str_t text)
{
    size_t       len;
    const char  *reference;

    for ( /* void */ ; text.len != 0; text = chorus_str_sub(text, len)) {

        len = xml_char_len(text);
        reference = xml_reference(text.data[0]);

        if (len == 0) {
            chorus_buf_text(buf, REPLACEMENT);
            len = 1;

        } else if (reference != NULL) {
            chorus_buf_text(buf, reference);

        } else {
            chorus_buf_add(buf, (chorus_str_t) { text.data, len });
        }
    }
}


void
chorus_xml_element(chorus_buf_t *buf, const char *name, chorus_str_t text)
{
    chorus_buf_char(buf, '<');
    chorus_buf_text(buf, name);
    chorus_buf_char(buf, '>');
    chorus_xml_add(buf, text);
    chorus_buf_text(buf, "</");
    chorus_buf_text(buf, name);
    chorus_buf_char(buf, '>');
}
