/* Typed reads from JSON, and the places of refusals. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "chorus_config_value.h"


chorus_config_node_t
chorus_config_member(const chorus_config_node_t *parent, const char *name)
{
    return (chorus_config_node_t) {
        json_object_get(parent->json, name), parent, name, 0
    };
}


chorus_config_node_t
chorus_config_element(const chorus_config_node_t *parent, size_t index)
{
    return (chorus_config_node_t) {
        json_array_get(parent->json, index), parent, NULL, index
    };
}


/* Appends to a text that is cut when it is full. */
static void
config_append(chorus_error_t *error, const char *format, va_list args)
{
    size_t  len;

    len = strlen(error->text);

    (void) vsnprintf(error->text + len, sizeof(error->text) - len, format,
                     args);
}


__attribute__((format(printf, 2, 3)))
static void
config_add(chorus_error_t *error, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    config_append(error, format, args);
    va_end(args);
}


/* "replications[0].to" */
static void
config_add_place(chorus_error_t *error, const chorus_config_node_t *node)
{
    if (node->parent == NULL) {
        return;
    }

    config_add_place(error, node->parent);

    if (node->name == NULL) {
        config_add(error, "[%zu]", node->index);
        return;
    }

    config_add(error, "%s%.100s", node->parent->parent == NULL ? "" : ".",
               node->name);
}


chorus_rc_t
chorus_config_fail(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const char *format, ...)
{
    va_list  args;

    if (reader->error == NULL) {
        return CHORUS_ERROR;
    }

    reader->error->text[0] = '\0';

    if (node->parent != NULL) {
        config_add_place(reader->error, node);
        config_add(reader->error, ": ");
    }

    va_start(args, format);
    config_append(reader->error, format, args);
    va_end(args);

    return CHORUS_ERROR;
}


chorus_rc_t
chorus_config_map(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node)
{
    if (node->json == NULL) {
        return chorus_config_fail(reader, node, "missing");
    }

    if (!json_is_object(node->json)) {
        return chorus_config_fail(reader, node, "must be an object");
    }

    return CHORUS_OK;
}


static bool
config_is_known(const char *name, const char *const *known)
{
    for ( /* void */ ; *known != NULL; known++) {
        if (strcmp(name, *known) == 0) {
            return true;
        }
    }

    return false;
}


chorus_rc_t
chorus_config_object(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const char *const *known)
{
    json_t       *value;
    const char   *name;
    chorus_rc_t   rc;

    rc = chorus_config_map(reader, node);
    if (rc != CHORUS_OK) {
        return rc;
    }

    json_object_foreach(node->json, name, value) {
        if (!config_is_known(name, known)) {
            return chorus_config_fail(reader, node, "unknown key \"%.100s\"",
                                      name);
        }
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_config_list(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node)
{
    if (!json_is_array(node->json)) {
        return chorus_config_fail(reader, node, "must be a list");
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_config_text(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_str_t *text)
{
    chorus_str_t  value;

    if (node->json == NULL) {
        return chorus_config_fail(reader, node, "missing");
    }

    if (!json_is_string(node->json)) {
        return chorus_config_fail(reader, node, "must be a string");
    }

    value.data = json_string_value(node->json);
    value.len = json_string_length(node->json);

    if (value.len == 0) {
        return chorus_config_fail(reader, node, "is empty");
    }

    *text = chorus_str_dup(reader->mem, value);

    return text->data == NULL ? CHORUS_NOMEM : CHORUS_OK;
}


static bool
config_is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}


static bool
config_is_name(chorus_str_t name)
{
    size_t  i;

    if (name.len == 0 || name.len > CHORUS_CONFIG_NAME_MAX_LEN) {
        return false;
    }

    for (i = 0; i < name.len; i++) {
        if (!config_is_name_char(name.data[i])) {
            return false;
        }
    }

    return true;
}


chorus_rc_t
chorus_config_name(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const char *name, chorus_str_t *copy)
{
    if (!config_is_name(chorus_str_from(name))) {
        return chorus_config_fail(reader, node,
                                  "a name must be 1 to %d of A-Z a-z 0-9 "
                                  "_ . -", CHORUS_CONFIG_NAME_MAX_LEN);
    }

    *copy = chorus_str_dup(reader->mem, chorus_str_from(name));

    return copy->data == NULL ? CHORUS_NOMEM : CHORUS_OK;
}


chorus_rc_t
chorus_config_region(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_str_t *region)
{
    chorus_rc_t  rc;

    rc = chorus_config_text(reader, node, region);

    if (rc == CHORUS_OK && !config_is_name(*region)) {
        return chorus_config_fail(reader, node, "not a region");
    }

    return rc;
}


chorus_rc_t
chorus_config_bool(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, bool *value)
{
    if (node->json == NULL) {
        return CHORUS_OK;
    }

    if (!json_is_boolean(node->json)) {
        return chorus_config_fail(reader, node, "must be true or false");
    }

    *value = json_is_true(node->json);

    return CHORUS_OK;
}


chorus_rc_t
chorus_config_number(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, unsigned min, unsigned max,
    unsigned *value)
{
    json_int_t  n;

    if (node->json == NULL) {
        return CHORUS_OK;
    }

    n = json_integer_value(node->json);

    if (!json_is_integer(node->json) || n < (json_int_t) min
        || n > (json_int_t) max)
    {
        return chorus_config_fail(reader, node,
                                  "must be a whole number from %u to %u",
                                  min, max);
    }

    *value = (unsigned) n;

    return CHORUS_OK;
}
