#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "chorus_complete.h"
#include "chorus_crypto.h"
#include "chorus_xml.h"

#define COMPLETE_NUMBER  1u
#define COMPLETE_ETAG    2u


typedef struct {
    chorus_complete_t  *complete;
    chorus_digest_t    *parts;          /* over the MD5 of each part */
    chorus_buf_t        numbers;
    unsigned            first;          /* of the run that is open; 0: none */
    unsigned            last;
    unsigned            field;          /* that the text is for, COMPLETE_* */
    unsigned            seen;           /* of this Part, COMPLETE_* */
    unsigned            number;         /* of this Part */
    unsigned char       md5[CHORUS_MD5_LEN];
} complete_t;


static void
complete_write_run(complete_t *state)
{
    if (state->first == 0) {
        return;
    }

    if (state->numbers.len != 0) {
        chorus_buf_char(&state->numbers, ',');
    }

    chorus_buf_u64(&state->numbers, state->first);

    if (state->last != state->first) {
        chorus_buf_char(&state->numbers, '-');
        chorus_buf_u64(&state->numbers, state->last);
    }
}


static bool
complete_md5(chorus_str_t text, unsigned char md5[CHORUS_MD5_LEN])
{
    int     high, low;
    size_t  i;

    text = chorus_str_trim(text);

    if (text.len == 2 * CHORUS_MD5_LEN + 2 && text.data[0] == '"'
        && text.data[text.len - 1] == '"')
    {
        text = (chorus_str_t) { text.data + 1, text.len - 2 };
    }

    if (text.len != 2 * CHORUS_MD5_LEN) {
        return false;
    }

    for (i = 0; i < CHORUS_MD5_LEN; i++) {
        high = chorus_hex_digit(text.data[2 * i]);
        low = chorus_hex_digit(text.data[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }

        md5[i] = (unsigned char) (high << 4 | low);
    }

    return true;
}


static chorus_rc_t
complete_start(chorus_xml_reader_t *reader, chorus_str_t name)
{
    unsigned     field;
    complete_t  *state = reader->data;

    (void) name;

    if (reader->keeps_text) {
        return chorus_error_set(reader->error, "an element in a text");
    }

    if (chorus_xml_is_at(reader, 2, "CompleteMultipartUpload", "Part")) {
        state->seen = 0;
        return CHORUS_OK;
    }

    field = chorus_xml_is_at(reader, 3, "Part", "PartNumber")
            ? COMPLETE_NUMBER
            : chorus_xml_is_at(reader, 3, "Part", "ETag") ? COMPLETE_ETAG : 0;

    if (field & state->seen) {
        return chorus_error_set(reader->error, "the same twice in a Part");
    }

    if (field == 0) {
        return CHORUS_OK;
    }

    state->field = field;

    if (reader->text.data == NULL) {
        chorus_xml_keep_text(reader);

    } else {
        /* one buffer for 20,000 texts, none of which is looked at later */
        reader->text.len = 0;
        reader->keeps_text = true;
    }

    return CHORUS_OK;
}


static chorus_rc_t
complete_take_field(complete_t *state, chorus_str_t text,
    chorus_error_t *error)
{
    uint64_t  number;

    state->seen |= state->field;

    if (state->field == COMPLETE_ETAG) {
        return complete_md5(text, state->md5)
               ? CHORUS_OK : chorus_error_set(error, "an ETag that is no MD5");
    }

    if (!chorus_str_to_u64(chorus_str_trim(text), &number)
        || number <= state->last || number > CHORUS_COMPLETE_PARTS_MAX)
    {
        return chorus_error_set(error, "a PartNumber that cannot be");
    }

    state->number = (unsigned) number;

    return CHORUS_OK;
}


static chorus_rc_t
complete_take_part(complete_t *state, chorus_error_t *error)
{
    chorus_str_t  digest;

    if (state->seen != (COMPLETE_NUMBER | COMPLETE_ETAG)) {
        return chorus_error_set(error, "a Part without a number or an ETag");
    }

    if (state->number != state->last + 1 || state->first == 0) {
        complete_write_run(state);
        state->first = state->number;
    }

    state->last = state->number;
    state->complete->nparts++;

    digest = (chorus_str_t) { (const char *) state->md5, CHORUS_MD5_LEN };

    return chorus_digest_update(state->parts, digest)
           ? CHORUS_OK : chorus_error_set(error, "MD5 failed");
}


static chorus_rc_t
complete_end(chorus_xml_reader_t *reader, chorus_str_t name)
{
    complete_t  *state = reader->data;

    (void) name;

    if (reader->keeps_text) {
        reader->keeps_text = false;
        return complete_take_field(state, chorus_buf_str(&reader->text),
                                   reader->error);
    }

    return chorus_xml_is_at(reader, 2, "CompleteMultipartUpload", "Part")
           ? complete_take_part(state, reader->error) : CHORUS_OK;
}


static chorus_rc_t
complete_finish(complete_t *state, chorus_error_t *error)
{
    size_t              size;
    unsigned char       md5[CHORUS_MD5_LEN];
    chorus_complete_t  *complete;

    complete = state->complete;

    if (complete->nparts == 0) {
        return chorus_error_set(error, "no Part");
    }

    if (!chorus_digest_end(state->parts, md5)) {
        return chorus_error_set(error, "MD5 failed");
    }

    size = sizeof(complete->etag) - 2 * CHORUS_MD5_LEN;
    chorus_hex(complete->etag, md5, sizeof(md5));
    (void) snprintf(complete->etag + 2 * CHORUS_MD5_LEN, size, "-%u",
                    complete->nparts);

    complete_write_run(state);
    complete->numbers = chorus_buf_str(&state->numbers);

    return complete->numbers.data == NULL ? CHORUS_NOMEM : CHORUS_OK;
}


chorus_rc_t
chorus_complete_parse(chorus_mem_t *mem, chorus_str_t body,
    chorus_complete_t *complete, chorus_error_t *error)
{
    chorus_rc_t          rc;
    complete_t           state;
    chorus_xml_reader_t  reader;

    memset(complete, 0, sizeof(chorus_complete_t));
    memset(&reader, 0, sizeof(chorus_xml_reader_t));
    memset(&state, 0, sizeof(complete_t));

    state.complete = complete;
    state.numbers = chorus_buf(mem, 16);
    state.parts = chorus_digest_create(CHORUS_DIGEST_MD5);

    if (state.parts == NULL) {
        return CHORUS_NOMEM;
    }

    reader.mem = mem;
    reader.error = error;
    reader.root = "CompleteMultipartUpload";
    reader.start = complete_start;
    reader.end = complete_end;
    reader.data = &state;

    rc = chorus_digest_begin(state.parts)
         ? chorus_xml_read(&reader, body)
         : chorus_error_set(error, "MD5 failed");

    if (rc == CHORUS_OK) {
        rc = complete_finish(&state, error);
    }

    chorus_digest_destroy(state.parts);

    return rc;
}
