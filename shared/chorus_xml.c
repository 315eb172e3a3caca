/*
 * XML on expat: it feeds the reader, which keeps the path of open elements
 * and the text that a handler asked for.
 */

#include <string.h>

#include <expat.h>

#include "chorus_s3_xml.h"
#include "chorus_xml.h"


static void
xml_stop(chorus_xml_reader_t *reader, chorus_rc_t rc)
{
    if (rc != CHORUS_OK && reader->rc == CHORUS_OK) {
        reader->rc = rc;
    }

    (void) XML_StopParser((XML_Parser) reader->parser, XML_FALSE);
}


/* expat may still report an end after it was stopped. */
static bool
xml_is_stopped(const chorus_xml_reader_t *reader)
{
    return reader->is_done || reader->rc != CHORUS_OK;
}


/* "ns:Key" is Key. */
static chorus_str_t
xml_local_name(const XML_Char *name)
{
    const char  *colon;

    colon = strrchr(name, ':');

    return chorus_str_from(colon == NULL ? name : colon + 1);
}


void
chorus_xml_keep_text(chorus_xml_reader_t *reader)
{
    reader->text = chorus_buf(reader->mem, 128);
    reader->keeps_text = true;
}


/* Copies the name into the path as far as that goes. */
static chorus_rc_t
xml_enter(chorus_xml_reader_t *reader, chorus_str_t name)
{
    if (++reader->depth > CHORUS_XML_MAX_DEPTH) {
        return chorus_error_set(reader->error, "the XML is nested too deeply");
    }

    if (reader->depth == 1 && reader->root != NULL
        && !chorus_str_eq(name, chorus_str_from(reader->root)))
    {
        return chorus_error_set(reader->error,
                                "the document element is not %s",
                                reader->root);
    }

    if (reader->depth > CHORUS_XML_PATH_DEPTH) {
        return CHORUS_OK;
    }

    reader->path[reader->depth - 1] = chorus_str_dup(reader->mem, name);

    return reader->path[reader->depth - 1].data == NULL ? CHORUS_NOMEM
                                                        : CHORUS_OK;
}


static void XMLCALL
xml_on_start(void *data, const XML_Char *name, const XML_Char **attributes)
{
    chorus_rc_t           rc;
    chorus_str_t          local;
    chorus_xml_reader_t  *reader = data;

    (void) attributes;

    if (xml_is_stopped(reader)) {
        return;
    }

    local = xml_local_name(name);

    rc = xml_enter(reader, local);

    if (rc == CHORUS_OK) {
        rc = reader->start(reader, local);
    }

    if (rc != CHORUS_OK || reader->is_done) {
        xml_stop(reader, rc);
    }
}


static void XMLCALL
xml_on_end(void *data, const XML_Char *name)
{
    chorus_rc_t           rc;
    chorus_xml_reader_t  *reader = data;

    if (xml_is_stopped(reader)) {
        return;
    }

    if (reader->keeps_text && reader->text.failed) {
        xml_stop(reader, CHORUS_NOMEM);
        return;
    }

    rc = reader->end(reader, xml_local_name(name));

    reader->depth--;

    if (rc != CHORUS_OK || reader->is_done) {
        xml_stop(reader, rc);
    }
}


static void XMLCALL
xml_on_text(void *data, const XML_Char *text, int len)
{
    chorus_xml_reader_t  *reader = data;

    if (reader->keeps_text) {
        chorus_buf_add(&reader->text, (chorus_str_t) { text, (size_t) len });
    }
}


/* A document type could define entities; no S3 body has one. */
static void XMLCALL
xml_on_doctype(void *data, const XML_Char *name, const XML_Char *system_id,
    const XML_Char *public_id, int has_internal_subset)
{
    chorus_xml_reader_t  *reader = data;

    (void) name;
    (void) system_id;
    (void) public_id;
    (void) has_internal_subset;

    xml_stop(reader, chorus_error_set(reader->error,
                                      "the XML has a document type"));
}


/* Expat 2.9 deprecates the one that those before it have. */
static uint64_t
xml_line(XML_Parser parser)
{
#if XML_MAJOR_VERSION * 1000 + XML_MINOR_VERSION >= 2009
    return XML_GetCurrentLineNumber64(parser);
#else
    return XML_GetCurrentLineNumber(parser);
#endif
}


static chorus_rc_t
xml_result(const chorus_xml_reader_t *reader, XML_Parser parser,
    enum XML_Status status)
{
    enum XML_Error  code;

    if (reader->rc != CHORUS_OK) {
        return reader->rc;
    }

    if (status == XML_STATUS_OK || reader->is_done) {
        return CHORUS_OK;
    }

    code = XML_GetErrorCode(parser);

    if (code == XML_ERROR_NO_MEMORY) {
        return CHORUS_NOMEM;
    }

    return chorus_error_set(reader->error, "line %lu: %s",
                            (unsigned long) xml_line(parser),
                            XML_ErrorString(code));
}


/* Whether "&#x01;" stands at the front: *len is its length. */
static bool
xml_is_control(chorus_str_t s, size_t *len)
{
    int       digit;
    size_t    i;
    bool      is_hex;
    unsigned  code;

    is_hex = s.len > 2 && s.data[2] == 'x';
    code = 0;

    for (i = is_hex ? 3 : 2; i < s.len && s.data[i] != ';'; i++) {

        digit = chorus_hex_digit(s.data[i]);

        if (digit < 0 || (!is_hex && digit > 9) || code > 0xffff) {
            return false;
        }

        code = code * (is_hex ? 16 : 10) + (unsigned) digit;
    }

    *len = i + 1;

    return i < s.len && code < 0x20 && code != '\t' && code != '\n'
           && code != '\r';
}


chorus_str_t
chorus_xml_clean(chorus_mem_t *mem, chorus_str_t body)
{
    char          *copy;
    size_t         i, len;
    chorus_str_t   rest;

    copy = NULL;

    for (i = 0; i + 1 < body.len; i++) {

        if (body.data[i] != '&' || body.data[i + 1] != '#') {
            continue;
        }

        rest = chorus_str_sub(body, i);

        if (!xml_is_control(rest, &len)) {
            continue;
        }

        if (copy == NULL) {
            copy = chorus_alloc(mem, body.len);
            if (copy == NULL) {
                return chorus_null_str;
            }
            memcpy(copy, body.data, body.len);
            body.data = copy;
        }

        memset(copy + i, ' ', len);
    }

    return body;
}


chorus_rc_t
chorus_xml_read(chorus_xml_reader_t *reader, chorus_str_t body)
{
    XML_Parser       parser;
    chorus_rc_t      rc;
    enum XML_Status  status;

    if (body.len > CHORUS_XML_MAX_BYTES) {
        return chorus_error_set(reader->error, "the XML is too long");
    }

    parser = XML_ParserCreate(NULL);
    if (parser == NULL) {
        return CHORUS_NOMEM;
    }

    reader->parser = parser;

    XML_SetUserData(parser, reader);
    XML_SetElementHandler(parser, xml_on_start, xml_on_end);
    XML_SetCharacterDataHandler(parser, xml_on_text);
    XML_SetStartDoctypeDeclHandler(parser, xml_on_doctype);

    status = XML_Parse(parser, body.data, (int) body.len, XML_TRUE);

    rc = xml_result(reader, parser, status);

    XML_ParserFree(parser);
    reader->parser = NULL;

    return rc;
}


bool
chorus_xml_is_at(const chorus_xml_reader_t *reader, unsigned depth,
    const char *outer, const char *inner)
{
    return reader->depth == depth
           && chorus_str_eq(reader->path[depth - 2], chorus_str_from(outer))
           && chorus_str_eq(reader->path[depth - 1], chorus_str_from(inner));
}


/* ---- single elements ---- */


typedef struct {
    chorus_str_t  element;
    unsigned      depth;            /* of the element, 0: not yet found */
    chorus_str_t  found;
} xml_search_t;


static chorus_rc_t
search_start(chorus_xml_reader_t *reader, chorus_str_t name)
{
    xml_search_t  *search = reader->data;

    if (search->depth == 0 && chorus_str_eq(name, search->element)) {
        search->depth = reader->depth;
        chorus_xml_keep_text(reader);
    }

    return CHORUS_OK;
}


static chorus_rc_t
search_end(chorus_xml_reader_t *reader, chorus_str_t name)
{
    xml_search_t  *search = reader->data;

    (void) name;

    if (search->depth == reader->depth) {
        search->found = chorus_buf_str(&reader->text);
        reader->is_done = true;
    }

    return CHORUS_OK;
}


chorus_str_t
chorus_xml_text(chorus_mem_t *mem, chorus_str_t body, const char *element)
{
    xml_search_t         search;
    chorus_xml_reader_t  reader;

    memset(&search, 0, sizeof(xml_search_t));
    memset(&reader, 0, sizeof(chorus_xml_reader_t));

    search.element = chorus_str_from(element);

    reader.mem = mem;
    reader.start = search_start;
    reader.end = search_end;
    reader.data = &search;

    if (chorus_xml_read(&reader, body) != CHORUS_OK) {
        return chorus_null_str;
    }

    return search.found;
}


static chorus_rc_t
root_start(chorus_xml_reader_t *reader, chorus_str_t name)
{
    (void) name;

    reader->is_done = true;

    return CHORUS_OK;
}


chorus_str_t
chorus_xml_root(chorus_mem_t *mem, chorus_str_t body)
{
    chorus_xml_reader_t  reader;

    memset(&reader, 0, sizeof(chorus_xml_reader_t));

    reader.mem = mem;
    reader.start = root_start;
    reader.end = root_start;

    if (chorus_xml_read(&reader, body) != CHORUS_OK) {
        return chorus_null_str;
    }

    return reader.path[0];
}
