/* The bodies of DeleteObjects and of tags. */

#include <string.h>

#include "chorus_s3_xml.h"
#include "chorus_uri.h"
#include "chorus_xml.h"

/* "<Object><Key>k</Key></Object>": no object takes fewer bytes */
#define MIN_OBJECT_BYTES  29


/* ---- DeleteObjects ---- */


typedef struct {
    chorus_delete_objects_t  *request;
    size_t                    size;         /* room in request->keys */
    bool                      has_key;      /* in this Object */
} xml_delete_t;


static chorus_rc_t
delete_start(chorus_xml_reader_t *reader, chorus_str_t name)
{
    xml_delete_t  *deletion = reader->data;

    (void) name;

    if (chorus_xml_is_at(reader, 3, "Object", "Key")) {

        if (deletion->has_key) {
            return chorus_error_set(reader->error,
                                    "an Object with two Keys");
        }

        chorus_xml_keep_text(reader);

    } else if (reader->keeps_text) {
        return chorus_error_set(reader->error, "a Key with an element in it");

    } else if (chorus_xml_is_at(reader, 2, "Delete", "Object")) {

        if (deletion->request->nkeys == deletion->size) {
            return chorus_error_set(reader->error, "more than %d objects",
                                    CHORUS_DELETE_MAX_KEYS);
        }

        deletion->has_key = false;
    }

    return CHORUS_OK;
}


static chorus_rc_t
delete_end(chorus_xml_reader_t *reader, chorus_str_t name)
{
    xml_delete_t             *deletion = reader->data;
    chorus_delete_objects_t  *request = deletion->request;

    (void) name;

    if (reader->keeps_text) {
        reader->keeps_text = false;

        if (reader->text.len == 0) {
            return chorus_error_set(reader->error, "an empty Key");
        }

        request->keys[request->nkeys++] = chorus_buf_str(&reader->text);
        deletion->has_key = true;

    } else if (chorus_xml_is_at(reader, 2, "Delete", "Object")
               && !deletion->has_key)
    {
        return chorus_error_set(reader->error, "an Object without a Key");
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_delete_objects_parse(chorus_mem_t *mem, chorus_str_t body,
    chorus_delete_objects_t *request, chorus_error_t *error)
{
    chorus_rc_t          rc;
    xml_delete_t         deletion;
    chorus_xml_reader_t  reader;

    memset(request, 0, sizeof(chorus_delete_objects_t));
    memset(&reader, 0, sizeof(chorus_xml_reader_t));
    memset(&deletion, 0, sizeof(xml_delete_t));

    deletion.request = request;
    deletion.size = body.len / MIN_OBJECT_BYTES + 1;

    if (deletion.size > CHORUS_DELETE_MAX_KEYS) {
        deletion.size = CHORUS_DELETE_MAX_KEYS;
    }

    request->keys = chorus_alloc(mem, deletion.size * sizeof(chorus_str_t));
    if (request->keys == NULL) {
        return CHORUS_NOMEM;
    }

    reader.mem = mem;
    reader.error = error;
    reader.root = "Delete";
    reader.start = delete_start;
    reader.end = delete_end;
    reader.data = &deletion;

    rc = chorus_xml_read(&reader, body);

    if (rc == CHORUS_OK && request->nkeys == 0) {
        rc = chorus_error_set(error, "no Object in Delete");
    }

    return rc;
}


/* ---- tags ---- */


typedef struct {
    chorus_tagging_t  *tagging;
    chorus_str_t      *field;           /* that the text is for */
    bool               is_in_tag;
} xml_tagging_t;


static chorus_rc_t
tagging_start_tag(chorus_xml_reader_t *reader, xml_tagging_t *state)
{
    chorus_tagging_t  *tagging = state->tagging;

    if (tagging->ntags == CHORUS_MAX_TAGS) {
        return chorus_error_set(reader->error, "more than %d tags",
                                CHORUS_MAX_TAGS);
    }

    memset(&tagging->tags[tagging->ntags], 0, sizeof(chorus_tag_t));
    state->is_in_tag = true;

    return CHORUS_OK;
}


static chorus_rc_t
tagging_start(chorus_xml_reader_t *reader, chorus_str_t name)
{
    chorus_tag_t   *tag;
    xml_tagging_t  *state = reader->data;

    (void) name;

    if (chorus_xml_is_at(reader, 3, "TagSet", "Tag")) {
        return tagging_start_tag(reader, state);
    }

    if (reader->keeps_text) {
        return chorus_error_set(reader->error, "an element inside a text");
    }

    if (!state->is_in_tag) {
        return CHORUS_OK;
    }

    tag = &state->tagging->tags[state->tagging->ntags];

    if (chorus_xml_is_at(reader, 4, "Tag", "Key")) {
        state->field = &tag->key;

    } else if (chorus_xml_is_at(reader, 4, "Tag", "Value")) {
        state->field = &tag->value;

    } else {
        return CHORUS_OK;
    }

    if (state->field->data != NULL) {
        return chorus_error_set(reader->error, "a Tag with two Keys or "
                                "Values");
    }

    chorus_xml_keep_text(reader);

    return CHORUS_OK;
}


static chorus_rc_t
tagging_end(chorus_xml_reader_t *reader, chorus_str_t name)
{
    chorus_tag_t   *tag;
    xml_tagging_t  *state = reader->data;

    (void) name;

    if (reader->keeps_text) {
        reader->keeps_text = false;
        *state->field = chorus_buf_str(&reader->text);
        return CHORUS_OK;
    }

    if (!state->is_in_tag || reader->depth != 3) {
        return CHORUS_OK;
    }

    state->is_in_tag = false;
    tag = &state->tagging->tags[state->tagging->ntags++];

    if (tag->key.len == 0) {
        return chorus_error_set(reader->error, "a Tag without a Key");
    }

    if (tag->value.data == NULL) {
        tag->value = chorus_str("");
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_tagging_parse(chorus_mem_t *mem, chorus_str_t body,
    chorus_tagging_t *tagging, chorus_error_t *error)
{
    xml_tagging_t        state;
    chorus_xml_reader_t  reader;

    memset(tagging, 0, sizeof(chorus_tagging_t));
    memset(&reader, 0, sizeof(chorus_xml_reader_t));
    memset(&state, 0, sizeof(xml_tagging_t));

    tagging->tags = chorus_alloc(mem, CHORUS_MAX_TAGS * sizeof(chorus_tag_t));
    if (tagging->tags == NULL) {
        return CHORUS_NOMEM;
    }

    state.tagging = tagging;

    reader.mem = mem;
    reader.error = error;
    reader.root = "Tagging";
    reader.start = tagging_start;
    reader.end = tagging_end;
    reader.data = &state;

    return chorus_xml_read(&reader, body);
}


chorus_str_t
chorus_tagging_xml(chorus_mem_t *mem, const chorus_tagging_t *tagging)
{
    size_t        i;
    chorus_buf_t  buf;

    buf = chorus_buf(mem, 1024);

    chorus_buf_text(&buf, CHORUS_XML_DECLARATION
                    "<Tagging xmlns=\"" CHORUS_S3_NAMESPACE "\"><TagSet>");

    for (i = 0; i < tagging->ntags; i++) {
        chorus_buf_text(&buf, "<Tag>");
        chorus_xml_element(&buf, "Key", tagging->tags[i].key);
        chorus_xml_element(&buf, "Value", tagging->tags[i].value);
        chorus_buf_text(&buf, "</Tag>");
    }

    chorus_buf_text(&buf, "</TagSet></Tagging>");

    return chorus_buf_str(&buf);
}


chorus_str_t
chorus_tagging_header(chorus_mem_t *mem, const chorus_tagging_t *tagging)
{
    size_t        i;
    chorus_buf_t  buf;

    buf = chorus_buf(mem, 256);

    for (i = 0; i < tagging->ntags; i++) {

        if (i != 0) {
            chorus_buf_char(&buf, '&');
        }

        chorus_uri_encode(&buf, tagging->tags[i].key, false);
        chorus_buf_char(&buf, '=');
        chorus_uri_encode(&buf, tagging->tags[i].value, false);
    }

    return chorus_buf_str(&buf);
}
