/*
 * What a report says of a key that differs: "differs", and what both sides
 * have of that, as members of a JSON object.
 */

#include <string.h>
#include <strings.h>

#include "chorus_json.h"
#include "scan_deep.h"
#include "scan_work.h"

#define SCAN_EVIDENCE_VALUE_MAX   256
#define SCAN_EVIDENCE_HEADERS_MAX 8     /* that are given with their values */


typedef struct {
    unsigned     which;
    const char  *name;
} scan_evidence_row_t;

static const scan_evidence_row_t  scan_evidence_rows[] = {
    { SCAN_DEEP_EXISTENCE, "existence" },
    { SCAN_DEEP_CONTENT, "content" },
    { SCAN_DEEP_CLASS, "storage-class" },
    { SCAN_DEEP_CHECKSUM, "checksum" },
    { SCAN_DEEP_TAGS, "tags" },
    { SCAN_DEEP_ACL, "acl" },
    { SCAN_DEEP_LOCK, "lock" },
};

#define SCAN_EVIDENCE_ROWS                                                    \
    (sizeof(scan_evidence_rows) / sizeof(scan_evidence_rows[0]))


static void
scan_evidence_text(chorus_buf_t *buf, chorus_str_t value)
{
    chorus_json_string(buf, value, SCAN_EVIDENCE_VALUE_MAX);
}


static void
scan_evidence_member(chorus_buf_t *buf, const char *name, chorus_str_t value)
{
    chorus_json_name(buf, name);
    scan_evidence_text(buf, value);
}


/* ---- headers ---- */


static const chorus_header_t *
scan_evidence_find(const object_t *object, chorus_str_t name)
{
    size_t  i;

    for (i = 0; i < object->nkept; i++) {
        if (chorus_str_caseeq(object->kept[i].name, name)) {
            return &object->kept[i];
        }
    }

    return NULL;
}


/* Whether the other side has that header, with that value. */

static bool
scan_evidence_is_same(const object_t *other, const chorus_header_t *h)
{
    const chorus_header_t  *found;

    found = scan_evidence_find(other, h->name);

    return found != NULL && chorus_str_eq(found->value, h->value);
}


static void
scan_evidence_names(chorus_buf_t *buf, const object_t *object,
    const object_t *other, bool is_second, bool *is_first)
{
    size_t                  i;
    const chorus_header_t  *h;

    for (i = 0; i < object->nkept; i++) {
        h = &object->kept[i];

        if (scan_evidence_is_same(other, h)
            || (is_second && scan_evidence_find(other, h->name) != NULL))
        {
            continue;
        }

        if (!*is_first) {
            chorus_buf_char(buf, ',');
        }

        *is_first = false;
        scan_evidence_text(buf, h->name);
    }
}


static void
scan_evidence_headers(chorus_buf_t *buf, const object_t *object,
    const object_t *other)
{
    size_t                  i, n;
    const chorus_header_t  *h;

    chorus_json_name(buf, "headers");
    chorus_buf_char(buf, '{');

    for (i = 0, n = 0; i < object->nkept
                       && n < SCAN_EVIDENCE_HEADERS_MAX; i++)
    {
        h = &object->kept[i];

        if (!scan_evidence_is_same(other, h)) {
            if (n++ != 0) {
                chorus_buf_char(buf, ',');
            }
            scan_evidence_text(buf, h->name);
            chorus_buf_char(buf, ':');
            scan_evidence_text(buf, h->value);
        }
    }

    chorus_buf_char(buf, '}');
}


/* ---- the rest ---- */


static void
scan_evidence_tags(chorus_buf_t *buf, const chorus_tagging_t *tags)
{
    size_t  i;

    chorus_json_name(buf, "tags");
    chorus_buf_char(buf, '{');

    for (i = 0; i < tags->ntags; i++) {
        if (i != 0) {
            chorus_buf_char(buf, ',');
        }
        scan_evidence_text(buf, tags->tags[i].key);
        chorus_buf_char(buf, ':');
        scan_evidence_text(buf, tags->tags[i].value);
    }

    chorus_buf_char(buf, '}');
}


static void
scan_evidence_acl(chorus_buf_t *buf, chorus_mem_t *mem,
    const chorus_acl_t *acl)
{
    chorus_str_t  text;

    text = chorus_acl_canned(acl);

    chorus_json_name(buf, "acl");
    chorus_json_string(buf, text.data != NULL ? text
                                              : chorus_acl_xml(mem, acl),
                       4 * SCAN_EVIDENCE_VALUE_MAX);
}


static void
scan_evidence_lock(chorus_buf_t *buf, const object_lock_t *lock)
{
    chorus_json_name(buf, "lock");
    chorus_buf_char(buf, '{');
    scan_evidence_member(buf, "mode", lock->mode);
    scan_evidence_member(buf, "until", lock->until);
    scan_evidence_member(buf, "hold", lock->hold);
    chorus_buf_char(buf, '}');
}


static void
scan_evidence_object(chorus_buf_t *buf, const scan_deep_side_t *side)
{
    char  hex[2 * CHORUS_SHA256_LEN];

    chorus_json_name(buf, "size");
    chorus_buf_u64(buf, side->object.size);
    scan_evidence_member(buf, "etag", side->object.etag);

    if (side->is_hashed) {
        chorus_hex(hex, side->sha256, CHORUS_SHA256_LEN);
        scan_evidence_member(buf, "sha256",
                             (chorus_str_t) { hex, sizeof(hex) });
    }

    if (side->version.len != 0) {
        scan_evidence_member(buf, "version", side->version);
    }
}


static void
scan_evidence_side(chorus_buf_t *buf, chorus_mem_t *mem, const char *name,
    const scan_deep_t *deep, const scan_deep_side_t *side, bool is_brief)
{
    const scan_deep_side_t  *other;

    chorus_json_name(buf, name);

    if (!side->is_there) {
        chorus_buf_text(buf, "null");
        return;
    }

    other = side == &deep->ours ? &deep->theirs : &deep->ours;

    chorus_buf_char(buf, '{');
    scan_evidence_object(buf, side);

    if (!is_brief && (deep->differs & SCAN_DEEP_METADATA)) {
        scan_evidence_headers(buf, &side->object, &other->object);
    }

    if (deep->differs & SCAN_DEEP_CLASS) {
        scan_evidence_member(buf, "storage_class",
                             side->object.storage_class);
    }

    if (deep->differs & SCAN_DEEP_CHECKSUM) {
        scan_evidence_member(buf, "checksum", side->object.checksum.value);
    }

    if (!is_brief && (deep->differs & SCAN_DEEP_TAGS)) {
        scan_evidence_tags(buf, &side->tags);
    }

    if (!is_brief && (deep->differs & SCAN_DEEP_ACL)) {
        scan_evidence_acl(buf, mem, side == &deep->ours ? &deep->acl.wanted
                                                        : &deep->acl.theirs);
    }

    if (deep->differs & SCAN_DEEP_LOCK) {
        scan_evidence_lock(buf, &side->object.lock);
    }

    chorus_buf_char(buf, '}');
}


/* Headers by their names. */

static void
scan_evidence_differs(chorus_buf_t *buf, const scan_deep_t *deep,
    bool is_brief)
{
    bool    is_first;
    size_t  i;

    is_first = true;
    chorus_json_name(buf, "differs");
    chorus_buf_char(buf, '[');

    for (i = 0; i < SCAN_EVIDENCE_ROWS; i++) {
        if (deep->differs & scan_evidence_rows[i].which) {
            if (!is_first) {
                chorus_buf_char(buf, ',');
            }
            is_first = false;
            scan_evidence_text(buf,
                               chorus_str_from(scan_evidence_rows[i].name));
        }
    }

    if ((deep->differs & SCAN_DEEP_METADATA) && is_brief) {
        chorus_buf_text(buf, is_first ? "\"metadata\"" : ",\"metadata\"");

    } else if (deep->differs & SCAN_DEEP_METADATA) {
        scan_evidence_names(buf, &deep->ours.object, &deep->theirs.object,
                            false, &is_first);
        scan_evidence_names(buf, &deep->theirs.object, &deep->ours.object,
                            true, &is_first);
    }

    chorus_buf_char(buf, ']');
}


chorus_str_t
scan_deep_evidence(work_t *work, const scan_deep_t *deep)
{
    int           is_brief;
    chorus_buf_t  buf;

    for (is_brief = 0; is_brief < 2; is_brief++) {
        buf = chorus_buf(work->mem, 512);
        scan_evidence_differs(&buf, deep, is_brief);
        scan_evidence_side(&buf, work->mem, "main", deep, &deep->ours,
                           is_brief);
        scan_evidence_side(&buf, work->mem, "follower", deep, &deep->theirs,
                           is_brief);

        if (buf.len <= SCAN_DEEP_EVIDENCE_MAX) {
            break;
        }
    }

    return chorus_buf_str(&buf);
}


/* ---- listings ---- */


static void
scan_evidence_listed_side(chorus_buf_t *buf, const char *name,
    const chorus_listed_t *entry)
{
    chorus_json_name(buf, name);

    if (entry == NULL) {
        chorus_buf_text(buf, "null");
        return;
    }

    chorus_buf_char(buf, '{');
    chorus_json_name(buf, "size");
    chorus_buf_u64(buf, entry->size);
    scan_evidence_member(buf, "etag", entry->etag);

    if (entry->history != NULL) {
        chorus_json_name(buf, "versions");
        chorus_buf_u64(buf, entry->history->nversions);
        chorus_json_name(buf, "delete_markers");
        chorus_buf_u64(buf, entry->history->nmarkers);
    }

    chorus_buf_char(buf, '}');
}


chorus_str_t
scan_evidence_listed(chorus_mem_t *mem, const chorus_listed_t *ours,
    const chorus_listed_t *theirs)
{
    chorus_buf_t  buf;

    buf = chorus_buf(mem, 256);
    chorus_json_name(&buf, "differs");
    chorus_buf_text(&buf, ours == NULL || theirs == NULL ? "[\"existence\"]"
                          : ours->history != NULL ? "[\"versions\"]"
                          : ours->size != theirs->size ? "[\"size\"]"
                                                       : "[\"etag\"]");
    scan_evidence_listed_side(&buf, "main", ours);
    scan_evidence_listed_side(&buf, "follower", theirs);

    return chorus_buf_str(&buf);
}


chorus_str_t
scan_evidence_failure(chorus_mem_t *mem, const failure_t *failure)
{
    chorus_buf_t  buf;

    buf = chorus_buf(mem, 256);
    chorus_json_name(&buf, "differs");
    chorus_buf_text(&buf, "[]");
    scan_evidence_member(&buf, "side",
                         failure->side == FAILURE_SIDE_MAIN
                         ? chorus_str("main")
                         : failure->side == FAILURE_SIDE_FOLLOWER
                         ? chorus_str("follower") : chorus_str("worker"));
    scan_evidence_member(&buf, "code", chorus_str_from(failure->code));
    chorus_json_name(&buf, "reason");
    chorus_json_string(&buf, chorus_str_from(failure->reason),
                       TASK_REASON_SIZE);

    return chorus_buf_str(&buf);
}


chorus_str_t
scan_evidence_bucket(bool on_main)
{
    return on_main ? chorus_str("\"differs\":[\"existence\"],"
                                "\"main\":{\"bucket\":true},"
                                "\"follower\":null")
                   : chorus_str("\"differs\":[\"existence\"],"
                                "\"main\":null,"
                                "\"follower\":{\"bucket\":true}");
}


bool
scan_evidence_same(chorus_str_t a, chorus_str_t b)
{
    size_t        i;
    chorus_str_t  name;

    name = chorus_str("\"sha256\":\"");

    if (a.len != b.len) {
        return false;
    }

    for (i = 0; i < a.len; i++) {
        if (chorus_str_starts(chorus_str_sub(a, i), name)
            && chorus_str_starts(chorus_str_sub(b, i), name))
        {
            i += name.len + 2 * CHORUS_SHA256_LEN - 1;

        } else if (a.data[i] != b.data[i]) {
            return false;
        }
    }

    return true;
}
