/*
 * The headers of a part of a form, and the Content-Type of the whole: names
 * with parameters.  [RFC 7578, 4.2; RFC 2046, 5.1.1; RFC 9110, 5.6.6]
 */

#include <string.h>

#include "chorus_post_form.h"


/* The text of a quoted string behind its opening quote; moves *rest behind
 * the closing one.  Only \" is an escape: in a file name of Windows the
 * backslashes are plain.  The null string when it does not end. */
static chorus_str_t
part_cut_quoted(chorus_str_t *rest)
{
    size_t        i;
    chorus_str_t  text;

    for (i = 0; i < rest->len; i++) {

        if (rest->data[i] == '"' && (i == 0 || rest->data[i - 1] != '\\')) {
            text = (chorus_str_t) { rest->data, i };
            *rest = chorus_str_sub(*rest, i + 1);

            return text;
        }
    }

    return chorus_null_str;
}


/* Takes `; name=value` from the front of *rest, which is not empty.  false:
 * malformed. */
static bool
part_cut_parameter(chorus_str_t *rest, chorus_str_t *name,
    chorus_str_t *value)
{
    size_t  i;

    if (rest->data[0] != ';') {
        return false;
    }

    *rest = chorus_str_trim(chorus_str_sub(*rest, 1));
    *name = *rest;

    for (i = 0; i < rest->len && rest->data[i] != '='; i++) {
        if (strchr("; \t\"", rest->data[i]) != NULL) {
            return false;
        }
    }

    if (i == 0 || i == rest->len) {
        return false;
    }

    name->len = i;
    *rest = chorus_str_sub(*rest, i + 1);

    if (rest->len != 0 && rest->data[0] == '"') {
        *rest = chorus_str_sub(*rest, 1);
        *value = part_cut_quoted(rest);
        *rest = chorus_str_trim(*rest);

        return value->data != NULL;
    }

    *value = *rest;

    for (i = 0; i < rest->len && rest->data[i] != ';'; i++) {
        /* void */
    }

    *rest = chorus_str_sub(*rest, i);
    value->len = i;
    *value = chorus_str_trim(*value);

    return value->len != 0 && memchr(value->data, '"', value->len) == NULL;
}


/* `value` up to the first ';', trimmed; *rest is what comes from there on. */
static chorus_str_t
part_first_token(chorus_str_t value, chorus_str_t *rest)
{
    chorus_str_t  token;

    value = chorus_str_trim(value);
    *rest = value;
    token = chorus_str_cut(rest, ';');
    *rest = chorus_str_sub(value, token.len);

    return chorus_str_trim(token);
}


static bool
part_set_once(chorus_str_t *to, chorus_str_t value)
{
    if (to->data != NULL) {
        return false;
    }

    *to = value;

    return true;
}


static bool
part_parse_disposition(chorus_str_t value, chorus_post_part_t *part)
{
    bool          ok;
    chorus_str_t  rest, name;

    if (part->name.data != NULL
        || !chorus_str_caseeq(part_first_token(value, &rest),
                              chorus_str("form-data")))
    {
        return false;
    }

    while (rest.len != 0) {

        if (!part_cut_parameter(&rest, &name, &value)) {
            return false;
        }

        ok = true;

        if (chorus_str_caseeq(name, chorus_str("name"))) {
            ok = part_set_once(&part->name, value);

        } else if (chorus_str_caseeq(name, chorus_str("filename"))) {
            ok = part_set_once(&part->filename, value);
        }

        if (!ok) {
            return false;
        }
    }

    return part->name.data != NULL;
}


/* Other headers mean nothing in a form.  [RFC 7578, 4.8] */
static bool
part_parse_line(chorus_str_t line, chorus_post_part_t *part)
{
    size_t         i;
    chorus_str_t   name, value;
    unsigned char  c;

    for (i = 0; i < line.len; i++) {
        c = (unsigned char) line.data[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }

    value = line;
    name = chorus_str_cut(&value, ':');

    if (name.len == 0 || value.data == NULL
        || name.data[0] == ' ' || name.data[0] == '\t')
    {
        return false;                   /* no header, or a folded one */
    }

    if (chorus_str_caseeq(name, chorus_str("content-disposition"))) {
        return part_parse_disposition(value, part);
    }

    if (chorus_str_caseeq(name, chorus_str("content-type"))) {
        return part_set_once(&part->type, chorus_str_trim(value));
    }

    return true;
}


bool
chorus_post_part_parse(chorus_str_t lines, chorus_post_part_t *part)
{
    chorus_str_t  line;

    memset(part, 0, sizeof(chorus_post_part_t));

    do {
        line = chorus_str_cut(&lines, '\n');

        if (lines.data != NULL) {

            if (line.len == 0 || line.data[line.len - 1] != '\r') {
                return false;
            }

            line.len--;
        }

        if (!part_parse_line(line, part)) {
            return false;
        }

    } while (lines.data != NULL);

    return part->name.data != NULL;
}


/* bchars without the blank, which no client uses [RFC 2046, 5.1.1]; and those
 * that browsers take besides would do no harm but are not needed. */
static bool
part_boundary_is_valid(chorus_str_t boundary)
{
    size_t  i;

    if (boundary.len == 0 || boundary.len > CHORUS_POST_MAX_BOUNDARY) {
        return false;
    }

    for (i = 0; i < boundary.len; i++) {
        if (!chorus_is_alnum(boundary.data[i])
            && (boundary.data[i] == '\0'
                || strchr("'()+_,-./:=?", boundary.data[i]) == NULL))
        {
            return false;
        }
    }

    return true;
}


chorus_str_t
chorus_post_boundary(chorus_str_t content_type, bool *is_form)
{
    chorus_str_t  rest, name, value, boundary;

    *is_form = chorus_str_caseeq(part_first_token(content_type, &rest),
                                 chorus_str("multipart/form-data"));

    boundary = chorus_null_str;

    while (*is_form && rest.len != 0) {

        if (!part_cut_parameter(&rest, &name, &value)
            || (chorus_str_caseeq(name, chorus_str("boundary"))
                && !part_set_once(&boundary, value)))
        {
            return chorus_null_str;
        }
    }

    return part_boundary_is_valid(boundary) ? boundary : chorus_null_str;
}
