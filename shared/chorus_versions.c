/* A page of ListObjectVersions.  [Amazon S3 API Reference] */

#include <string.h>

#include "chorus_time.h"
#include "chorus_uri.h"
#include "chorus_versions.h"
#include "chorus_xml.h"

/* "<Version><Key>k</Key>...</Version>": no entry takes fewer bytes */
#define MIN_VERSION_BYTES  60


typedef struct {
    chorus_version_page_t  *page;
    size_t                  size;           /* room for versions */
    chorus_version_t        open;           /* the entry being read */
    chorus_str_t            etag;
    chorus_str_t            modified;
    chorus_str_t            number;
    chorus_str_t            truncated;
    chorus_str_t            encoding;
    chorus_str_t           *field;          /* that the text is for */
    bool                    is_in_entry;
} versions_state_t;


/* Milliseconds of "2026-11-22T20:23:14.915Z". */
static bool
versions_time(chorus_str_t text, int64_t *ms)
{
    size_t   i;
    int64_t  seconds, unit;

    if (!chorus_time_parse_iso(text, &seconds)) {
        return false;
    }

    *ms = seconds * 1000;
    unit = 100;

    for (i = CHORUS_ISO_DATE_LEN; i < text.len && unit != 0; i++) {

        if (text.data[i] < '0' || text.data[i] > '9') {
            break;
        }

        *ms += (text.data[i] - '0') * unit;
        unit /= 10;
    }

    return true;
}


static chorus_str_t *
versions_entry_field(versions_state_t *state, chorus_str_t name)
{
    size_t  i;

    const struct {
        const char    *name;
        chorus_str_t  *field;
    } fields[] = {
        { "Key",          &state->open.key },
        { "VersionId",    &state->open.id },
        { "ETag",         &state->etag },
        { "Size",         &state->number },
        { "LastModified", &state->modified },
    };

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (chorus_str_eq(name, chorus_str_from(fields[i].name))) {
            return fields[i].field;
        }
    }

    return NULL;
}


static chorus_rc_t
versions_start_entry(chorus_xml_reader_t *reader, versions_state_t *state,
    bool is_marker)
{
    if (state->page->history.nversions == state->size) {
        return chorus_error_set(reader->error, "more versions than asked for");
    }

    memset(&state->open, 0, sizeof(chorus_version_t));
    state->open.is_marker = is_marker;
    state->etag = chorus_null_str;
    state->modified = chorus_null_str;
    state->number = chorus_null_str;
    state->is_in_entry = true;

    return CHORUS_OK;
}


static chorus_rc_t
versions_start(chorus_xml_reader_t *reader, chorus_str_t name)
{
    versions_state_t  *state = reader->data;

    if (reader->keeps_text) {
        return chorus_error_set(reader->error, "an element inside a text");
    }

    state->field = NULL;

    if (reader->depth == 3 && state->is_in_entry) {
        state->field = versions_entry_field(state, name);

    } else if (reader->depth == 2) {

        if (chorus_str_eq(name, chorus_str("Version"))) {
            return versions_start_entry(reader, state, false);
        }

        if (chorus_str_eq(name, chorus_str("DeleteMarker"))) {
            return versions_start_entry(reader, state, true);
        }

        if (chorus_str_eq(name, chorus_str("IsTruncated"))) {
            state->field = &state->truncated;

        } else if (chorus_str_eq(name, chorus_str("EncodingType"))) {
            state->field = &state->encoding;
        }
    }

    if (state->field == NULL) {
        return CHORUS_OK;
    }

    if (state->field->data != NULL) {
        return chorus_error_set(reader->error, "a second %.*s",
                                chorus_fmt(name));
    }

    chorus_xml_keep_text(reader);

    return CHORUS_OK;
}


static chorus_rc_t
versions_end_entry(chorus_xml_reader_t *reader, versions_state_t *state)
{
    chorus_version_t  *open = &state->open;

    state->is_in_entry = false;

    if (open->key.len == 0 || open->id.len == 0
        || !versions_time(state->modified, &open->modified_ms)
        || (!open->is_marker
            && !chorus_str_to_u64(state->number, &open->size)))
    {
        return chorus_error_set(reader->error, "a version without key, id, "
                                "size or time");
    }

    if (state->etag.len >= 2 && state->etag.data[0] == '"') {
        open->etag = chorus_str_sub(state->etag, 1);
        open->etag.len--;

    } else {
        open->etag = state->etag;
    }

    state->page->history.versions[state->page->history.nversions++] = *open;

    return CHORUS_OK;
}


static chorus_rc_t
versions_end(chorus_xml_reader_t *reader, chorus_str_t name)
{
    versions_state_t  *state = reader->data;

    (void) name;

    if (reader->keeps_text) {
        reader->keeps_text = false;
        *state->field = chorus_buf_str(&reader->text);

        if (state->field->data == NULL) {
            *state->field = chorus_str("");
        }

    } else if (reader->depth == 2 && state->is_in_entry) {
        return versions_end_entry(reader, state);
    }

    return CHORUS_OK;
}


/* '+' for a blank is what AWS writes; every storage escapes a plus. */
static chorus_rc_t
versions_decode_key(chorus_mem_t *mem, chorus_str_t *key,
    chorus_error_t *error)
{
    char    *plain;
    size_t   i;

    plain = chorus_alloc(mem, key->len);
    if (plain == NULL) {
        return CHORUS_NOMEM;
    }

    for (i = 0; i < key->len; i++) {
        plain[i] = key->data[i] == '+' ? ' ' : key->data[i];
    }

    if (!chorus_uri_is_valid(*key)) {
        return chorus_error_set(error, "a key that is badly encoded");
    }

    return chorus_uri_decode(mem, (chorus_str_t) { plain, key->len }, key)
           ? CHORUS_OK : CHORUS_NOMEM;
}


static chorus_rc_t
versions_finish(chorus_mem_t *mem, versions_state_t *state,
    chorus_error_t *error)
{
    size_t             i;
    chorus_rc_t        rc;
    chorus_history_t  *history = &state->page->history;

    if (chorus_str_eq(state->truncated, chorus_str("true"))) {
        state->page->is_truncated = true;

    } else if (!chorus_str_eq(state->truncated, chorus_str("false"))) {
        return chorus_error_set(error, "a listing without IsTruncated");
    }

    if (!chorus_str_eq(state->encoding, chorus_str("url"))) {
        return CHORUS_OK;
    }

    for (i = 0; i < history->nversions; i++) {
        rc = versions_decode_key(mem, &history->versions[i].key, error);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_version_page_parse(chorus_mem_t *mem, chorus_str_t body, size_t max,
    chorus_version_page_t *page, chorus_error_t *error)
{
    chorus_rc_t          rc;
    versions_state_t     state;
    chorus_xml_reader_t  reader;

    memset(page, 0, sizeof(chorus_version_page_t));
    memset(&state, 0, sizeof(versions_state_t));
    memset(&reader, 0, sizeof(chorus_xml_reader_t));

    state.page = page;
    state.size = body.len / MIN_VERSION_BYTES + 1;
    state.size = state.size < max ? state.size : max;

    page->history.versions = chorus_alloc(mem, (state.size + 1)
                                               * sizeof(chorus_version_t));
    body = chorus_xml_clean(mem, body);

    if (page->history.versions == NULL || body.data == NULL) {
        return CHORUS_NOMEM;
    }

    reader.mem = mem;
    reader.error = error;
    reader.root = "ListVersionsResult";
    reader.start = versions_start;
    reader.end = versions_end;
    reader.data = &state;

    rc = chorus_xml_read(&reader, body);

    return rc == CHORUS_OK ? versions_finish(mem, &state, error) : rc;
}
