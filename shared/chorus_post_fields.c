/*
 * The fields of a form that has been read up to its file: offsets become
 * views, and the variable ${filename} what it stands for.
 */

#include <string.h>

#include "chorus_post_form.h"

#define FILENAME  "${filename}"


/* false: there is no variable in it. */
static bool
fields_find_variable(chorus_str_t value, size_t *at)
{
    const char    *p;
    chorus_str_t   what = chorus_str(FILENAME);

    if (value.len < what.len) {
        return false;
    }

    p = memmem(value.data, value.len, what.data, what.len);
    if (p == NULL) {
        return false;
    }

    *at = (size_t) (p - value.data);

    return true;
}


/* The value with each ${filename} replaced; stops when it gets too long. */
static void
fields_expand(chorus_buf_t *buf, chorus_str_t value, chorus_str_t filename)
{
    size_t  at;

    while (buf->len <= CHORUS_POST_MAX_FIELDS_BYTES
           && fields_find_variable(value, &at))
    {
        chorus_buf_add(buf, (chorus_str_t) { value.data, at });
        chorus_buf_add(buf, filename);

        value = chorus_str_sub(value, at + sizeof(FILENAME) - 1);
    }

    chorus_buf_add(buf, value);
}


/* S3 replaces the variable in every field; without a name it is empty.  What
 * comes out must not hold it again, or main would go on. */
static chorus_rc_t
fields_replace(chorus_post_form_t *form, chorus_post_field_t *field)
{
    size_t        at;
    chorus_buf_t  buf;

    buf = chorus_buf(form->mem, field->value.len + form->filename.len);
    fields_expand(&buf, field->value, form->filename);

    if (buf.failed) {
        return CHORUS_NOMEM;
    }

    form->nbytes += buf.len;
    form->nbytes -= field->value.len;
    field->value = chorus_buf_str(&buf);

    if (form->nbytes > CHORUS_POST_MAX_FIELDS_BYTES) {
        return chorus_post_refuse(form, CHORUS_S3_POST_PREAMBLE_TOO_LONG,
                                  NULL, NULL);
    }

    if (fields_find_variable(field->value, &at)) {
        return chorus_post_refuse(form, CHORUS_S3_INVALID_ARGUMENT, "file",
                                  "The name of the file holds a variable.");
    }

    return CHORUS_OK;
}


/* A line, as far as its value may become a header of the object or of an
 * answer: Ceph would write another line of it out as another header. */
static bool
fields_is_line(const chorus_post_field_t *field)
{
    size_t         i;
    unsigned char  c;

    if (chorus_str_caseeq(field->name, chorus_str("key"))
        || chorus_str_caseeq(field->name, chorus_str("policy"))
        || chorus_str_caseeq(field->name, chorus_str("tagging"))
        || chorus_str_casestarts(field->name, chorus_str("x-ignore-")))
    {
        return true;
    }

    for (i = 0; i < field->value.len; i++) {
        c = (unsigned char) field->value.data[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }

    return true;
}


static chorus_rc_t
fields_finish_value(chorus_post_form_t *form, chorus_post_field_t *field)
{
    size_t       at;
    chorus_rc_t  rc;

    rc = fields_find_variable(field->value, &at) ? fields_replace(form, field)
                                                 : CHORUS_OK;

    if (rc == CHORUS_OK && chorus_post_has_boundary(form, field->value)) {
        return chorus_post_refuse(form, CHORUS_S3_MALFORMED_POST_REQUEST,
                                  NULL, NULL);
    }

    if (rc == CHORUS_OK && !chorus_str_is_text(field->value)) {
        form->refusal->argument_value = field->name;

        return chorus_post_refuse(form, CHORUS_S3_INVALID_ARGUMENT, "field",
                                  "A field of the form is not UTF-8.");
    }

    if (rc == CHORUS_OK && !fields_is_line(field)) {
        form->refusal->argument_value = field->name;

        return chorus_post_refuse(form, CHORUS_S3_INVALID_ARGUMENT, "field",
                                  "A field of the form has a control "
                                  "character.");
    }

    return rc;
}


static chorus_rc_t
fields_check_key(chorus_post_form_t *form)
{
    const chorus_post_field_t  *field;

    field = chorus_post_field(form, chorus_str("key"));

    if (field == NULL) {
        return chorus_post_refuse(form, CHORUS_S3_INVALID_ARGUMENT, "key",
                   "Bucket POST must contain a field named 'key'.  If it is "
                   "specified, please check the order of the fields.");
    }

    if (field->value.len == 0) {
        return chorus_post_refuse(form, CHORUS_S3_INVALID_ARGUMENT, "key",
                   "User key must have a length greater than 0.");
    }

    if (field->value.len > CHORUS_POST_MAX_KEY_BYTES) {
        return chorus_post_refuse(form, CHORUS_S3_KEY_TOO_LONG, NULL, NULL);
    }

    form->key = field->value;

    return CHORUS_OK;
}


chorus_rc_t
chorus_post_form_finish(chorus_post_form_t *form, chorus_str_t body)
{
    size_t                     i;
    chorus_rc_t                rc;
    chorus_post_field_t       *field;
    const chorus_post_span_t  *span;

    form->fields = chorus_calloc(form->mem, (form->nspans + 1)
                                            * sizeof(chorus_post_field_t));
    if (form->fields == NULL) {
        return CHORUS_NOMEM;
    }

    for (i = 0; i < form->nspans; i++) {
        span = &form->spans[i];
        field = &form->fields[i];

        field->name = (chorus_str_t) { body.data + span->name_at,
                                       span->name_len };
        field->value = (chorus_str_t) { body.data + span->value_at,
                                        span->value_len };

        rc = fields_finish_value(form, field);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    form->nfields = form->nspans;

    rc = fields_check_key(form);

    form->is_complete = (rc == CHORUS_OK);

    return rc;
}


const chorus_post_field_t *
chorus_post_field(const chorus_post_form_t *form, chorus_str_t name)
{
    size_t  i;

    for (i = 0; i < form->nfields; i++) {
        if (chorus_str_caseeq(form->fields[i].name, name)) {
            return &form->fields[i];
        }
    }

    return NULL;
}
