/* XML and JSON, sorted. */

#include <stdlib.h>
#include <string.h>

#include "chorus_canonical.h"
#include "chorus_s3_xml.h"
#include "chorus_xml.h"

#define CANONICAL_JSON_DEPTH  32


typedef struct {
    chorus_str_t  *texts;
    size_t         n;
    size_t         room;
} canonical_list_t;

/* an open element */
typedef struct {
    chorus_str_t      name;
    canonical_list_t  children;
} canonical_element_t;

typedef struct {
    chorus_mem_t         *mem;
    canonical_element_t   open[CHORUS_XML_MAX_DEPTH];
    chorus_str_t          result;
} canonical_xml_t;


static bool
canonical_list_add(chorus_mem_t *mem, canonical_list_t *list,
    chorus_str_t text)
{
    size_t         room;
    chorus_str_t  *texts;

    if (list->n == list->room) {

        room = list->room == 0 ? 8 : 2 * list->room;

        texts = chorus_alloc(mem, room * sizeof(chorus_str_t));
        if (texts == NULL) {
            return false;
        }

        if (list->n != 0) {
            memcpy(texts, list->texts, list->n * sizeof(chorus_str_t));
        }

        list->texts = texts;
        list->room = room;
    }

    list->texts[list->n++] = text;

    return true;
}


static int
canonical_order(const void *one, const void *two)
{
    return chorus_str_cmp(*(const chorus_str_t *) one,
                          *(const chorus_str_t *) two);
}


static void
canonical_list_sort(canonical_list_t *list)
{
    if (list->n > 1) {
        qsort(list->texts, list->n, sizeof(chorus_str_t), canonical_order);
    }
}


/* Its length goes first, so that no text can look like two. */
static void
canonical_text(chorus_buf_t *buf, chorus_str_t text)
{
    chorus_buf_u64(buf, text.len);
    chorus_buf_char(buf, ':');
    chorus_buf_add(buf, text);
}


/* ---- XML ---- */


/* the first rule that matches counts: their order is a part of them */
static bool
canonical_has_order(chorus_str_t name)
{
    return chorus_str_eq(name, chorus_str("CORSConfiguration"))
           || chorus_str_eq(name, chorus_str("RoutingRules"));
}


static chorus_rc_t
canonical_start(chorus_xml_reader_t *reader, chorus_str_t name)
{
    canonical_xml_t      *xml = reader->data;
    canonical_element_t  *element;

    element = &xml->open[reader->depth - 1];
    memset(element, 0, sizeof(canonical_element_t));

    element->name = chorus_str_dup(xml->mem, name);
    chorus_xml_keep_text(reader);

    return element->name.data == NULL ? CHORUS_NOMEM : CHORUS_OK;
}


static chorus_str_t
canonical_trim(chorus_str_t text)
{
    while (text.len != 0 && strchr(" \t\r\n", text.data[0]) != NULL) {
        text = chorus_str_sub(text, 1);
    }

    while (text.len != 0
           && strchr(" \t\r\n", text.data[text.len - 1]) != NULL)
    {
        text.len--;
    }

    return text;
}


/* "name=4:text", or "name{...}" around its children */
static chorus_str_t
canonical_element(canonical_xml_t *xml, canonical_element_t *element,
    chorus_str_t text)
{
    size_t         i;
    chorus_buf_t   buf;

    buf = chorus_buf(xml->mem, 64);
    chorus_buf_add(&buf, element->name);

    if (element->children.n == 0) {
        chorus_buf_char(&buf, '=');
        canonical_text(&buf, text);
        return chorus_buf_str(&buf);
    }

    if (!canonical_has_order(element->name)) {
        canonical_list_sort(&element->children);
    }

    chorus_buf_char(&buf, '{');

    for (i = 0; i < element->children.n; i++) {
        chorus_buf_add(&buf, element->children.texts[i]);
        chorus_buf_char(&buf, ';');
    }

    chorus_buf_char(&buf, '}');

    return chorus_buf_str(&buf);
}


static chorus_rc_t
canonical_end(chorus_xml_reader_t *reader, chorus_str_t name)
{
    chorus_str_t          text, result;
    canonical_xml_t      *xml = reader->data;
    canonical_element_t  *element;

    (void) name;

    element = &xml->open[reader->depth - 1];
    text = canonical_trim(chorus_buf_str(&reader->text));

    if (element->children.n == 0 && text.len == 0 && reader->depth > 1) {
        return CHORUS_OK;
    }

    result = canonical_element(xml, element, text);

    if (result.data == NULL) {
        return CHORUS_NOMEM;
    }

    /* the text behind a child is none */
    chorus_xml_keep_text(reader);

    if (reader->depth == 1) {
        xml->result = result;
        return CHORUS_OK;
    }

    return canonical_list_add(xml->mem, &xml->open[reader->depth - 2].children,
                              result) ? CHORUS_OK : CHORUS_NOMEM;
}


chorus_rc_t
chorus_canonical_xml(chorus_mem_t *mem, chorus_str_t body, const char *root,
    chorus_str_t *canonical, chorus_error_t *error)
{
    chorus_rc_t           rc;
    canonical_xml_t       xml;
    chorus_xml_reader_t   reader;

    memset(&xml, 0, sizeof(canonical_xml_t));
    memset(&reader, 0, sizeof(chorus_xml_reader_t));

    xml.mem = mem;

    reader.mem = mem;
    reader.error = error;
    reader.root = root;
    reader.start = canonical_start;
    reader.end = canonical_end;
    reader.data = &xml;

    rc = chorus_xml_read(&reader, body);
    *canonical = xml.result;

    return rc;
}


/* ---- JSON ---- */


static bool canonical_json(chorus_buf_t *buf, json_t *json);


static chorus_str_t
canonical_json_text(chorus_mem_t *mem, const char *name, json_t *json)
{
    chorus_buf_t  buf;

    buf = chorus_buf(mem, 64);

    if (name != NULL) {
        canonical_text(&buf, chorus_str_from(name));
        chorus_buf_char(&buf, '=');
    }

    return canonical_json(&buf, json) ? chorus_buf_str(&buf)
                                      : chorus_null_str;
}


static void
canonical_json_list(chorus_buf_t *buf, char open, canonical_list_t *list,
    char close)
{
    size_t  i;

    canonical_list_sort(list);
    chorus_buf_char(buf, open);

    for (i = 0; i < list->n; i++) {
        chorus_buf_add(buf, list->texts[i]);
        chorus_buf_char(buf, ';');
    }

    chorus_buf_char(buf, close);
}


static bool
canonical_json_object(chorus_buf_t *buf, json_t *json)
{
    json_t            *value;
    const char        *name;
    chorus_str_t       text;
    canonical_list_t   members = { NULL, 0, 0 };

    json_object_foreach(json, name, value) {

        text = canonical_json_text(buf->mem, name, value);

        if (text.data == NULL || !canonical_list_add(buf->mem, &members,
                                                     text))
        {
            return false;
        }
    }

    canonical_json_list(buf, '{', &members, '}');

    return true;
}


static bool
canonical_json_array(chorus_buf_t *buf, json_t *json)
{
    size_t             i;
    json_t            *value;
    chorus_str_t       text;
    canonical_list_t   elements = { NULL, 0, 0 };

    json_array_foreach(json, i, value) {

        text = canonical_json_text(buf->mem, NULL, value);

        if (text.data == NULL || !canonical_list_add(buf->mem, &elements,
                                                     text))
        {
            return false;
        }
    }

    if (elements.n == 1) {
        chorus_buf_add(buf, elements.texts[0]);

    } else {
        canonical_json_list(buf, '[', &elements, ']');
    }

    return true;
}


/* Calls itself no deeper than canonical_json_load() lets a document be. */
static bool
canonical_json(chorus_buf_t *buf, json_t *json)
{
    char  number[64];

    switch (json_typeof(json)) {

    case JSON_OBJECT:
        return canonical_json_object(buf, json);

    case JSON_ARRAY:
        return canonical_json_array(buf, json);

    case JSON_STRING:
        canonical_text(buf, (chorus_str_t) { json_string_value(json),
                                             json_string_length(json) });
        return true;

    case JSON_INTEGER:
        (void) snprintf(number, sizeof(number), "%lld",
                        (long long) json_integer_value(json));
        canonical_text(buf, chorus_str_from(number));
        return true;

    case JSON_REAL:
        (void) snprintf(number, sizeof(number), "%.17g",
                        json_real_value(json));
        canonical_text(buf, chorus_str_from(number));
        return true;

    default:
        canonical_text(buf, chorus_str_from(json_is_true(json) ? "true"
                                            : json_is_false(json) ? "false"
                                            : "null"));
        return true;
    }
}


/* Brackets outside of strings; what is no JSON does not matter yet. */
static bool
canonical_json_is_flat(chorus_str_t body)
{
    bool      in_string;
    size_t    i;
    unsigned  depth;

    in_string = false;
    depth = 0;

    for (i = 0; i < body.len; i++) {

        switch (body.data[i]) {

        case '"':
            in_string = !in_string;
            break;

        case '\\':
            i += in_string ? 1 : 0;
            break;

        case '{':
        case '[':
            if (!in_string && ++depth > CANONICAL_JSON_DEPTH) {
                return false;
            }
            break;

        case '}':
        case ']':
            depth -= !in_string && depth != 0 ? 1 : 0;
            break;
        }
    }

    return true;
}


chorus_rc_t
chorus_canonical_json_load(chorus_str_t body, json_t **json,
    chorus_error_t *error)
{
    json_error_t  json_error;

    *json = NULL;

    if (!canonical_json_is_flat(body)) {
        return chorus_error_set(error, "the JSON is nested too deeply");
    }

    *json = json_loadb(body.data == NULL ? "" : body.data, body.len, 0,
                       &json_error);

    if (*json == NULL) {
        return json_error_code(&json_error) == json_error_out_of_memory
               ? CHORUS_NOMEM
               : chorus_error_set(error, "line %d: %s", json_error.line,
                                  json_error.text);
    }

    if (!json_is_object(*json)) {
        json_decref(*json);
        *json = NULL;
        return chorus_error_set(error, "the JSON is no object");
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_canonical_json(chorus_mem_t *mem, chorus_str_t body,
    chorus_str_t *canonical, chorus_error_t *error)
{
    json_t       *json;
    chorus_rc_t   rc;
    chorus_buf_t  buf;

    rc = chorus_canonical_json_load(body, &json, error);
    if (rc != CHORUS_OK) {
        return rc;
    }

    buf = chorus_buf(mem, body.len);
    *canonical = canonical_json(&buf, json) ? chorus_buf_str(&buf)
                                            : chorus_null_str;
    json_decref(json);

    return canonical->data == NULL ? CHORUS_NOMEM : CHORUS_OK;
}
