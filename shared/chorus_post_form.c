/*
 * The parts of a form in front of its file.  The parser remembers offsets,
 * because the buffer moves while it grows, and how far it has searched, so
 * that no byte is looked at twice however small the pieces are.
 */

#include <string.h>

#include "chorus_post_form.h"


typedef enum {
    FORM_FIRST_LINE = 0,                /* the boundary that begins the body */
    FORM_PART_LINES,                    /* headers, up to the empty line */
    FORM_VALUE,                         /* up to the next boundary */
    FORM_BOUNDARY_END                   /* the rest of the boundary's line */
} form_state_t;

/* what a step of the parser says */
typedef enum {
    FORM_GO_ON = 0,
    FORM_WAIT,                          /* for more of the body */
    FORM_FILE,                          /* its content begins */
    FORM_REFUSED
} form_step_t;


chorus_rc_t
chorus_post_refuse(chorus_post_form_t *form, chorus_s3_code_t code,
    const char *argument, const char *message)
{
    form->refusal->code = code;
    form->refusal->message = chorus_str_from(message);
    form->refusal->argument_name = chorus_str_from(argument);

    return CHORUS_ERROR;
}


static form_step_t
form_stop(chorus_post_form_t *form, chorus_s3_code_t code,
    const char *argument, const char *message)
{
    (void) chorus_post_refuse(form, code, argument, message);

    return FORM_REFUSED;
}


static form_step_t
form_malformed(chorus_post_form_t *form)
{
    return form_stop(form, CHORUS_S3_MALFORMED_POST_REQUEST, NULL, NULL);
}


chorus_rc_t
chorus_post_form_begin(chorus_post_form_t *form, chorus_mem_t *mem,
    chorus_str_t content_type, chorus_s3_refusal_t *refusal)
{
    bool          is_form;
    chorus_buf_t  buf;
    chorus_str_t  boundary;

    memset(form, 0, sizeof(chorus_post_form_t));
    memset(refusal, 0, sizeof(chorus_s3_refusal_t));

    form->mem = mem;
    form->refusal = refusal;

    boundary = chorus_post_boundary(content_type, &is_form);

    if (!is_form) {
        return chorus_post_refuse(form, CHORUS_S3_NOT_MULTIPART, NULL, NULL);
    }

    if (boundary.data == NULL) {
        return chorus_post_refuse(form, CHORUS_S3_MALFORMED_POST_REQUEST,
                                  NULL, NULL);
    }

    buf = chorus_buf(mem, 4 + CHORUS_POST_MAX_BOUNDARY);
    chorus_buf_text(&buf, "\r\n--");
    chorus_buf_add(&buf, boundary);

    form->spans = chorus_alloc(mem, CHORUS_POST_MAX_FIELDS
                                    * sizeof(chorus_post_span_t));

    if (form->spans == NULL || buf.failed) {
        return CHORUS_NOMEM;
    }

    form->delimiter = chorus_buf_str(&buf);
    form->boundary = chorus_str_sub(form->delimiter, 4);

    return CHORUS_OK;
}


/* Looks for `what` from form->at on; false: not in there so far. */
static bool
form_find(chorus_post_form_t *form, chorus_str_t body, chorus_str_t what,
    size_t *found)
{
    size_t       from;
    const char  *p;

    /* all but the last bytes have been searched, which may be its beginning */

    from = form->at;

    if (form->scanned >= what.len && form->scanned - what.len + 1 > from) {
        from = form->scanned - what.len + 1;
    }

    form->scanned = body.len;

    p = from >= body.len ? NULL
                         : memmem(body.data + from, body.len - from,
                                  what.data, what.len);
    if (p == NULL) {
        return false;
    }

    *found = (size_t) (p - body.data);

    return true;
}


static void
form_enter(chorus_post_form_t *form, form_state_t state, size_t at)
{
    form->state = state;
    form->at = at;
    form->scanned = at;
}


/* The body begins with the boundary; nothing may stand in front of it. */
static form_step_t
form_first_line(chorus_post_form_t *form, chorus_str_t body)
{
    size_t        n;
    chorus_str_t  expected;

    expected = chorus_str_sub(form->delimiter, 2);
    n = body.len < expected.len ? body.len : expected.len;

    if (n != 0 && memcmp(body.data, expected.data, n) != 0) {
        return form_malformed(form);
    }

    if (n < expected.len) {
        return FORM_WAIT;
    }

    form_enter(form, FORM_BOUNDARY_END, n);

    return FORM_GO_ON;
}


/* CRLF goes on, "--" ends the form; blanks may stand in front of CRLF. */
static form_step_t
form_boundary_end(chorus_post_form_t *form, chorus_str_t body)
{
    size_t  i;

    if (body.len - form->at < 2) {
        return FORM_WAIT;
    }

    if (memcmp(body.data + form->at, "--", 2) == 0) {
        form->refusal->argument_value = chorus_str("0");

        return form_stop(form, CHORUS_S3_INVALID_ARGUMENT, "file",
                         "POST requires exactly one file upload per "
                         "request.");
    }

    for (i = form->scanned; i < body.len; i++) {
        if (body.data[i] != ' ' && body.data[i] != '\t') {
            break;
        }
    }

    form->scanned = i;

    if (body.len - i < 2) {
        return FORM_WAIT;
    }

    if (memcmp(body.data + i, "\r\n", 2) != 0) {
        return form_malformed(form);
    }

    form_enter(form, FORM_PART_LINES, i + 2);

    return FORM_GO_ON;
}


/* A name that every parser of main reads as this one does. */
static bool
form_name_is_plain(chorus_str_t name)
{
    return name.len != 0
           && chorus_str_trim(name).len == name.len
           && memchr(name.data, '\\', name.len) == NULL
           && memchr(name.data, '"', name.len) == NULL
           && chorus_str_is_text(name);
}


static bool
form_has_name(const chorus_post_form_t *form, chorus_str_t body,
    chorus_str_t name)
{
    size_t                     i;
    const chorus_post_span_t  *span;

    for (i = 0; i < form->nspans; i++) {
        span = &form->spans[i];

        if (chorus_str_caseeq(name, (chorus_str_t) {
                              body.data + span->name_at, span->name_len }))
        {
            return true;
        }
    }

    return false;
}


/* "C:\folder\name" and "folder/name" are "name" */
static chorus_str_t
form_base_name(chorus_str_t name)
{
    size_t  i;

    for (i = name.len; i != 0; i--) {
        if (name.data[i - 1] == '/' || name.data[i - 1] == '\\') {
            break;
        }
    }

    return chorus_str_sub(name, i);
}


bool
chorus_post_has_boundary(const chorus_post_form_t *form, chorus_str_t text)
{
    chorus_str_t  what = chorus_str_sub(form->delimiter, 2);

    return text.len >= what.len
           && memmem(text.data, text.len, what.data, what.len) != NULL;
}


static form_step_t
form_too_long(chorus_post_form_t *form)
{
    return form_stop(form, CHORUS_S3_POST_PREAMBLE_TOO_LONG, NULL, NULL);
}


static form_step_t
form_part_lines(chorus_post_form_t *form, chorus_str_t body)
{
    size_t               end;
    chorus_str_t         lines;
    chorus_post_part_t   part;
    chorus_post_span_t  *span;

    if (!form_find(form, body, chorus_str("\r\n\r\n"), &end)) {
        return body.len - form->at > CHORUS_POST_MAX_PART_BYTES + 3
               ? form_too_long(form) : FORM_WAIT;
    }

    lines = (chorus_str_t) { body.data + form->at, end - form->at };

    if (lines.len > CHORUS_POST_MAX_PART_BYTES) {
        return form_too_long(form);
    }

    if (!chorus_post_part_parse(lines, &part)
        || chorus_post_has_boundary(form, lines))
    {
        return form_malformed(form);
    }

    if (chorus_str_caseeq(part.name, chorus_str("file"))) {
        form->filename = part.filename.data == NULL
                         ? chorus_null_str : form_base_name(part.filename);
        form->file_type = part.type;
        form->file_start = end + 4;

        return FORM_FILE;
    }

    if (form->nspans == CHORUS_POST_MAX_FIELDS) {
        return form_too_long(form);
    }

    if (!form_name_is_plain(part.name) || form_has_name(form, body, part.name))
    {
        return form_stop(form, CHORUS_S3_INVALID_ARGUMENT, NULL,
                         "The form has a field without a plain name, or two "
                         "of the same name.");
    }

    span = &form->spans[form->nspans];
    span->name_at = (size_t) (part.name.data - body.data);
    span->name_len = part.name.len;
    span->value_at = end + 4;

    /* from the empty line on, so that a boundary right behind it is seen */

    form_enter(form, FORM_VALUE, end + 2);

    return FORM_GO_ON;
}


static form_step_t
form_value(chorus_post_form_t *form, chorus_str_t body)
{
    size_t               end;
    chorus_post_span_t  *span;

    if (!form_find(form, body, form->delimiter, &end)) {
        return FORM_WAIT;
    }

    span = &form->spans[form->nspans];

    if (end < span->value_at) {
        return form_malformed(form);    /* the boundary has no CRLF */
    }

    span->value_len = end - span->value_at;

    form->nspans++;
    form->nbytes += span->name_len + span->value_len;

    if (form->nbytes > CHORUS_POST_MAX_FIELDS_BYTES) {
        return form_too_long(form);
    }

    form_enter(form, FORM_BOUNDARY_END, end + form->delimiter.len);

    return FORM_GO_ON;
}


static form_step_t
form_step(chorus_post_form_t *form, chorus_str_t body)
{
    switch (form->state) {

    case FORM_FIRST_LINE:
        return form_first_line(form, body);

    case FORM_BOUNDARY_END:
        return form_boundary_end(form, body);

    case FORM_PART_LINES:
        return form_part_lines(form, body);

    default:
        return form_value(form, body);
    }
}


chorus_rc_t
chorus_post_form_read(chorus_post_form_t *form, chorus_str_t body,
    bool is_all)
{
    bool         is_long;
    form_step_t  step;

    if (form->is_complete) {
        return CHORUS_OK;
    }

    /* what lies behind the limit is not looked at, so that the answer does
     * not depend on how much came at once */

    is_long = body.len > CHORUS_POST_MAX_HEAD_BYTES;

    if (is_long) {
        body.len = CHORUS_POST_MAX_HEAD_BYTES;
    }

    do {
        step = form_step(form, body);
    } while (step == FORM_GO_ON);

    if (step == FORM_REFUSED) {
        return CHORUS_ERROR;
    }

    if (step == FORM_FILE) {
        return chorus_post_form_finish(form, body);
    }

    if (is_long) {
        (void) form_too_long(form);
        return CHORUS_ERROR;
    }

    if (is_all) {
        (void) form_malformed(form);
        return CHORUS_ERROR;
    }

    return CHORUS_OK;
}
