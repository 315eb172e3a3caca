#include "chorus_crypto.h"
#include "chorus_rfc2047.h"


typedef struct {
    chorus_str_t  charset;
    chorus_str_t  encoding;
    chorus_str_t  text;
    size_t        len;          /* of all of it */
} rfc2047_word_t;


/* "=?charset?encoding?text?=" at the beginning of `s` */

static bool
rfc2047_word(chorus_str_t s, rfc2047_word_t *word)
{
    chorus_str_t  rest;

    if (!chorus_str_starts(s, chorus_str("=?"))) {
        return false;
    }

    rest = chorus_str_sub(s, 2);
    word->charset = chorus_str_cut(&rest, '?');
    word->encoding = chorus_str_cut(&rest, '?');
    word->text = chorus_str_cut(&rest, '?');

    if (rest.len == 0 || rest.data[0] != '=') {
        return false;
    }

    word->len = (size_t) (rest.data - s.data) + 1;

    return chorus_str_caseeq(word->charset, chorus_str("UTF-8"));
}


static bool
rfc2047_quoted(chorus_buf_t *out, chorus_str_t text)
{
    int     high, low;
    size_t  i;

    for (i = 0; i < text.len; i++) {

        if (text.data[i] == '_') {
            chorus_buf_char(out, ' ');
            continue;
        }

        if (text.data[i] != '=') {
            chorus_buf_char(out, text.data[i]);
            continue;
        }

        if (text.len - i < 3) {
            return false;
        }

        high = chorus_hex_digit(text.data[i + 1]);
        low = chorus_hex_digit(text.data[i + 2]);
        if (high < 0 || low < 0) {
            return false;
        }

        chorus_buf_char(out, (char) (high << 4 | low));
        i += 2;
    }

    return true;
}


static bool
rfc2047_decode_word(chorus_mem_t *mem, chorus_buf_t *out,
    const rfc2047_word_t *word)
{
    chorus_str_t  bytes;

    if (chorus_str_caseeq(word->encoding, chorus_str("Q"))) {
        return rfc2047_quoted(out, word->text);
    }

    if (!chorus_str_caseeq(word->encoding, chorus_str("B"))
        || chorus_base64_decode(mem, word->text, &bytes) != CHORUS_OK)
    {
        return false;
    }

    chorus_buf_add(out, bytes);

    return true;
}


/* The number of blanks; those between two encoded words mean nothing. */

static size_t
rfc2047_blanks(chorus_str_t s)
{
    size_t  n;

    for (n = 0; n < s.len && (s.data[n] == ' ' || s.data[n] == '\t'); n++) {
        /* void */
    }

    return n;
}


chorus_str_t
chorus_rfc2047_decode(chorus_mem_t *mem, chorus_str_t value)
{
    size_t          skipped;
    bool            is_after_word;
    chorus_buf_t    out;
    chorus_str_t    rest, decoded;
    rfc2047_word_t  word;

    out = chorus_buf(mem, value.len + 1);
    is_after_word = false;

    for (rest = value; rest.len != 0; /* void */) {

        skipped = is_after_word ? rfc2047_blanks(rest) : 0;

        if (rfc2047_word(chorus_str_sub(rest, skipped), &word)) {
            if (!rfc2047_decode_word(mem, &out, &word)) {
                return value;
            }
            rest = chorus_str_sub(rest, skipped + word.len);
            is_after_word = true;
            continue;
        }

        chorus_buf_char(&out, rest.data[0]);
        rest = chorus_str_sub(rest, 1);
        is_after_word = false;
    }

    decoded = chorus_buf_str(&out);

    return decoded.data == NULL ? value : decoded;
}


static bool
rfc2047_is_ascii(chorus_str_t value)
{
    size_t  i;

    for (i = 0; i < value.len; i++) {
        if ((unsigned char) value.data[i] >= 0x80) {
            return false;
        }
    }

    return true;
}


chorus_str_t
chorus_rfc2047_encode(chorus_mem_t *mem, chorus_str_t value)
{
    chorus_buf_t  buf;

    if (rfc2047_is_ascii(value) || !chorus_str_is_text(value)) {
        return value;
    }

    buf = chorus_buf(mem, 2 * value.len + 16);
    chorus_buf_text(&buf, "=?UTF-8?B?");
    chorus_buf_add(&buf, chorus_base64(mem, value.data, value.len));
    chorus_buf_text(&buf, "?=");

    return chorus_buf_str(&buf);
}
