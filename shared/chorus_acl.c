#include <stdlib.h>
#include <string.h>

#include "chorus_acl.h"
#include "chorus_s3_xml.h"
#include "chorus_xml.h"

#define ACL_GRANTS_FIRST  8             /* room, to begin with */
#define ACL_XSI           "http://www.w3.org/2001/XMLSchema-instance"


typedef struct {
    const char  *name;
    unsigned     bit;
} acl_permission_t;

/* how a kind of grantee is written, in the order of chorus_acl_kind_t */
typedef struct {
    const char  *type;
    const char  *element;
} acl_kind_t;

typedef struct {
    const char  *name;
    const char  *group;
    unsigned     permissions;
} acl_canned_t;


static const acl_permission_t  acl_permissions[] = {
    { "READ",         CHORUS_ACL_READ },
    { "WRITE",        CHORUS_ACL_WRITE },
    { "READ_ACP",     CHORUS_ACL_READ_ACP },
    { "WRITE_ACP",    CHORUS_ACL_WRITE_ACP },
    { "FULL_CONTROL", CHORUS_ACL_FULL_CONTROL },
};

static const acl_kind_t  acl_kinds[] = {
    { "CanonicalUser",         "ID" },
    { "Group",                 "URI" },
    { "AmazonCustomerByEmail", "EmailAddress" },
};

/* beside FULL_CONTROL for the owner */
static const acl_canned_t  acl_canned[] = {
    { "public-read",        CHORUS_ACL_ALL_USERS, CHORUS_ACL_READ },
    { "public-read-write",  CHORUS_ACL_ALL_USERS,
      CHORUS_ACL_READ | CHORUS_ACL_WRITE },
    { "authenticated-read", CHORUS_ACL_AUTHENTICATED, CHORUS_ACL_READ },
};

#define ACL_ROWS(table)  (sizeof(table) / sizeof((table)[0]))


/* ---- reading ---- */


typedef struct {
    chorus_acl_t        *acl;
    size_t               size;          /* room in acl->grants */
    size_t               nread;         /* grants, before they are summed up */
    chorus_acl_grant_t   grant;         /* the one that is open */
    bool                 has_owner;
    bool                 has_id;        /* in this Grantee */
    chorus_str_t         text;          /* of the element that has ended */
} xml_acl_t;


static chorus_rc_t
acl_start_grant(chorus_xml_reader_t *reader, xml_acl_t *state)
{
    if (state->nread == CHORUS_ACL_MAX_GRANTS) {
        return chorus_error_set(reader->error, "more than %d grants",
                                CHORUS_ACL_MAX_GRANTS);
    }

    memset(&state->grant, 0, sizeof(chorus_acl_grant_t));
    state->grant.kind = CHORUS_ACL_NOBODY;
    state->grant.id = chorus_str("");
    state->has_id = false;
    state->nread++;

    return CHORUS_OK;
}


static bool
acl_is_in_grant(const chorus_xml_reader_t *reader)
{
    return reader->depth > 3
           && chorus_str_eq(reader->path[1], chorus_str("AccessControlList"))
           && chorus_str_eq(reader->path[2], chorus_str("Grant"));
}


static bool
acl_is_in_grantee(const chorus_xml_reader_t *reader)
{
    return reader->depth == 5 && acl_is_in_grant(reader)
           && chorus_str_eq(reader->path[3], chorus_str("Grantee"));
}


/* The kind that an element of a Grantee tells; NOBODY: none. */

static chorus_acl_kind_t
acl_kind_of(chorus_str_t element)
{
    size_t  i;

    for (i = 0; i < ACL_ROWS(acl_kinds); i++) {
        if (chorus_str_eq(element, chorus_str_from(acl_kinds[i].element))) {
            return (chorus_acl_kind_t) i;
        }
    }

    return CHORUS_ACL_NOBODY;
}


static chorus_rc_t
acl_start(chorus_xml_reader_t *reader, chorus_str_t name)
{
    xml_acl_t  *state = reader->data;

    if (reader->keeps_text) {
        return chorus_error_set(reader->error, "an element inside a text");
    }

    if (chorus_xml_is_at(reader, 3, "AccessControlList", "Grant")) {
        return acl_start_grant(reader, state);
    }

    if (chorus_xml_is_at(reader, 3, "Owner", "ID")) {
        if (state->has_owner) {
            return chorus_error_set(reader->error, "two owners");
        }
        state->has_owner = true;
        chorus_xml_keep_text(reader);

    } else if (acl_is_in_grantee(reader)
               && acl_kind_of(name) != CHORUS_ACL_NOBODY)
    {
        if (state->has_id) {
            return chorus_error_set(reader->error, "two grantees in a Grant");
        }
        state->has_id = true;
        chorus_xml_keep_text(reader);

    } else if (acl_is_in_grant(reader)
               && chorus_xml_is_at(reader, 4, "Grant", "Permission"))
    {
        chorus_xml_keep_text(reader);
    }

    return CHORUS_OK;
}


static chorus_rc_t
acl_end_permission(chorus_xml_reader_t *reader, xml_acl_t *state)
{
    size_t  i;

    for (i = 0; i < ACL_ROWS(acl_permissions); i++) {
        if (chorus_str_eq(state->text,
                          chorus_str_from(acl_permissions[i].name)))
        {
            state->grant.permissions |= acl_permissions[i].bit;
            return CHORUS_OK;
        }
    }

    return chorus_error_set(reader->error, "an unknown permission");
}


/* Room is taken for what has come, not for what may. */

static chorus_rc_t
acl_add_grant(chorus_mem_t *mem, xml_acl_t *state)
{
    size_t               size;
    chorus_acl_t        *acl;
    chorus_acl_grant_t  *grants;

    acl = state->acl;

    if (acl->ngrants == state->size) {
        size = state->size == 0 ? ACL_GRANTS_FIRST : 2 * state->size;

        grants = chorus_alloc(mem, size * sizeof(chorus_acl_grant_t));
        if (grants == NULL) {
            return CHORUS_NOMEM;
        }

        if (acl->ngrants != 0) {
            memcpy(grants, acl->grants,
                   acl->ngrants * sizeof(chorus_acl_grant_t));
        }

        acl->grants = grants;
        state->size = size;
    }

    acl->grants[acl->ngrants++] = state->grant;

    return CHORUS_OK;
}


static chorus_rc_t
acl_end_text(chorus_xml_reader_t *reader, xml_acl_t *state,
    chorus_str_t name)
{
    reader->keeps_text = false;

    state->text = reader->text.len == 0 ? chorus_str("")
                                        : chorus_buf_str(&reader->text);

    if (reader->depth == 3) {
        state->acl->owner = state->text;
        return CHORUS_OK;
    }

    if (reader->depth == 4) {
        return acl_end_permission(reader, state);
    }

    state->grant.kind = acl_kind_of(name);
    state->grant.id = state->text;

    return CHORUS_OK;
}


static chorus_rc_t
acl_end(chorus_xml_reader_t *reader, chorus_str_t name)
{
    xml_acl_t  *state = reader->data;

    if (reader->keeps_text) {
        return acl_end_text(reader, state, name);
    }

    if (!chorus_xml_is_at(reader, 3, "AccessControlList", "Grant")) {
        return CHORUS_OK;
    }

    if (state->grant.permissions == 0) {
        return chorus_error_set(reader->error, "a Grant without a "
                                "Permission");
    }

    return acl_add_grant(reader->mem, state);
}


chorus_rc_t
chorus_acl_parse(chorus_mem_t *mem, chorus_str_t body, chorus_acl_t *acl,
    chorus_error_t *error)
{
    chorus_rc_t          rc;
    xml_acl_t            state;
    chorus_xml_reader_t  reader;

    memset(acl, 0, sizeof(chorus_acl_t));
    memset(&reader, 0, sizeof(chorus_xml_reader_t));
    memset(&state, 0, sizeof(xml_acl_t));

    acl->owner = chorus_str("");
    state.acl = acl;

    reader.mem = mem;
    reader.error = error;
    reader.root = "AccessControlPolicy";
    reader.start = acl_start;
    reader.end = acl_end;
    reader.data = &state;

    rc = chorus_xml_read(&reader, body);

    if (rc == CHORUS_OK) {
        chorus_acl_sort(acl);
    }

    return rc;
}


/* ---- comparing ---- */


static int
acl_compare_grantees(const void *one, const void *two)
{
    const chorus_acl_grant_t  *a = one, *b = two;

    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }

    return chorus_str_cmp(a->id, b->id);
}


void
chorus_acl_sort(chorus_acl_t *acl)
{
    size_t               i, n;
    chorus_acl_grant_t  *grants;

    if (acl->ngrants == 0) {
        return;
    }

    grants = acl->grants;
    qsort(grants, acl->ngrants, sizeof(chorus_acl_grant_t),
          acl_compare_grantees);

    n = 0;

    for (i = 1; i < acl->ngrants; i++) {

        if (acl_compare_grantees(&grants[n], &grants[i]) == 0) {
            grants[n].permissions |= grants[i].permissions;

        } else {
            grants[++n] = grants[i];
        }
    }

    acl->ngrants = n + 1;
}


bool
chorus_acl_same(const chorus_acl_t *a, const chorus_acl_t *b)
{
    size_t  i;

    if (a->ngrants != b->ngrants) {
        return false;
    }

    for (i = 0; i < a->ngrants; i++) {
        if (acl_compare_grantees(&a->grants[i], &b->grants[i]) != 0
            || a->grants[i].permissions != b->grants[i].permissions)
        {
            return false;
        }
    }

    return true;
}


chorus_str_t
chorus_acl_canned(const chorus_acl_t *acl)
{
    size_t                     i;
    const chorus_acl_grant_t  *grant;

    /* users come first */
    if (acl->ngrants == 0 || acl->ngrants > 2 || acl->owner.len == 0
        || acl->grants[0].kind != CHORUS_ACL_USER
        || acl->grants[0].permissions != CHORUS_ACL_FULL_CONTROL
        || !chorus_str_eq(acl->grants[0].id, acl->owner))
    {
        return chorus_null_str;
    }

    if (acl->ngrants == 1) {
        return chorus_str("private");
    }

    grant = &acl->grants[1];

    for (i = 0; i < ACL_ROWS(acl_canned); i++) {
        if (grant->kind == CHORUS_ACL_GROUP
            && grant->permissions == acl_canned[i].permissions
            && chorus_str_eq(grant->id, chorus_str_from(acl_canned[i].group)))
        {
            return chorus_str_from(acl_canned[i].name);
        }
    }

    return chorus_null_str;
}


/* ---- writing ---- */


/* Ceph looks for "xsi:type" by that very name. */

static void
acl_xml_grant(chorus_buf_t *buf, const chorus_acl_grant_t *grant,
    const char *permission)
{
    const acl_kind_t  *kind;

    kind = &acl_kinds[grant->kind];

    chorus_buf_text(buf, "<Grant><Grantee xmlns:xsi=\"" ACL_XSI
                    "\" xsi:type=\"");
    chorus_buf_text(buf, kind->type);
    chorus_buf_text(buf, "\">");
    chorus_xml_element(buf, kind->element, grant->id);
    chorus_buf_text(buf, "</Grantee><Permission>");
    chorus_buf_text(buf, permission);
    chorus_buf_text(buf, "</Permission></Grant>");
}


static void
acl_xml_grants(chorus_buf_t *buf, const chorus_acl_grant_t *grant)
{
    size_t  i;

    if (grant->kind == CHORUS_ACL_NOBODY) {
        return;
    }

    for (i = 0; i < ACL_ROWS(acl_permissions); i++) {
        if (grant->permissions & acl_permissions[i].bit) {
            acl_xml_grant(buf, grant, acl_permissions[i].name);
        }
    }
}


chorus_str_t
chorus_acl_xml(chorus_mem_t *mem, const chorus_acl_t *acl)
{
    size_t        i;
    chorus_buf_t  buf;

    buf = chorus_buf(mem, 1024);

    chorus_buf_text(&buf, CHORUS_XML_DECLARATION
                    "<AccessControlPolicy xmlns=\"" CHORUS_S3_NAMESPACE
                    "\"><Owner>");
    chorus_xml_element(&buf, "ID", acl->owner);
    chorus_buf_text(&buf, "</Owner><AccessControlList>");

    for (i = 0; i < acl->ngrants; i++) {
        acl_xml_grants(&buf, &acl->grants[i]);
    }

    chorus_buf_text(&buf, "</AccessControlList></AccessControlPolicy>");

    return chorus_buf_str(&buf);
}
