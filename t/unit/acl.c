/* Access control lists: reading, comparing, names for them, writing. */

#include "chorus_acl.h"
#include "chorus_s3_xml.h"
#include "test.h"

#define NS   " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""
#define XSI  " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""

#define ACL(grants)  "<AccessControlPolicy" NS "><Owner><ID>me</ID>"          \
    "<DisplayName>x</DisplayName></Owner><AccessControlList>" grants          \
    "</AccessControlList></AccessControlPolicy>"
#define GRANT(who, what)  "<Grant><Grantee" XSI " xsi:type=\"T\">" who        \
    "</Grantee><Permission>" what "</Permission></Grant>"
#define USER(id)    "<ID>" id "</ID><DisplayName>n</DisplayName>"
#define GROUP(uri)  "<URI>" uri "</URI>"
#define MINE        GRANT(USER("me"), "FULL_CONTROL")
#define ALL         GROUP(CHORUS_ACL_ALL_USERS)
#define KNOWN       GROUP(CHORUS_ACL_AUTHENTICATED)


/* "owner: user me 10, group http://... 01" */

static const char *
described(const chorus_acl_t *acl)
{
    size_t        i;
    chorus_buf_t  buf;

    static const char *const  kinds[] = { "user", "group", "email", "nobody" };

    buf = chorus_buf(&mem, 256);
    chorus_buf_add(&buf, acl->owner);
    chorus_buf_char(&buf, ':');

    for (i = 0; i < acl->ngrants; i++) {
        chorus_buf_text(&buf, i == 0 ? " " : ", ");
        chorus_buf_text(&buf, kinds[acl->grants[i].kind]);
        chorus_buf_char(&buf, ' ');
        chorus_buf_add(&buf, acl->grants[i].id);
        chorus_buf_char(&buf, ' ');
        chorus_buf_u64(&buf, acl->grants[i].permissions);
    }

    chorus_buf_char(&buf, '\0');

    return buf.data;
}


static void
parse_acls(void **state)
{
    size_t          i;
    chorus_rc_t     rc;
    chorus_acl_t    acl;
    chorus_error_t  error;

    static const struct {
        const char  *name;
        const char  *body;
        const char  *acl;           /* NULL: refused */
        const char  *error;
    } rows[] = {

        { "private", ACL(MINE), "me: user me 16", NULL },
        { "nothing granted", ACL(""), "me:", NULL },
        { "an empty document", "<AccessControlPolicy/>", ":", NULL },
        { "blanks between elements",
          ACL("\n <Grant>\n <Grantee> <ID>a</ID> </Grantee>\n"
              " <Permission>READ</Permission> </Grant>\n"),
          "me: user a 1", NULL },
        { "another prefix", "<s:AccessControlPolicy xmlns:s=\"x\"><s:Owner>"
          "<s:ID>o</s:ID></s:Owner></s:AccessControlPolicy>", "o:", NULL },
        { "a group", ACL(GRANT(ALL, "READ")),
          "me: group " CHORUS_ACL_ALL_USERS " 1", NULL },
        { "an address", ACL(GRANT("<EmailAddress>a@b</EmailAddress>",
          "WRITE_ACP")), "me: email a@b 8", NULL },
        { "a kind that is unknown", ACL(GRANT("<URL>x</URL>", "READ")),
          "me: nobody  1", NULL },
        { "no grantee at all",
          ACL("<Grant><Permission>READ</Permission></Grant>"),
          "me: nobody  1", NULL },
        { "all permissions", ACL(GRANT(USER("a"), "READ")
          GRANT(USER("b"), "WRITE") GRANT(USER("c"), "READ_ACP")
          GRANT(USER("d"), "WRITE_ACP") MINE), "me: user a 1, user b 2, "
          "user c 4, user d 8, user me 16", NULL },
        { "in any order, and twice", ACL(GRANT(USER("z"), "READ") MINE
          GRANT(ALL, "READ") GRANT(USER("z"), "WRITE") MINE), "me: user me "
          "16, user z 3, group " CHORUS_ACL_ALL_USERS " 1", NULL },
        { "several permissions in a grant, as Ceph may write them",
          ACL("<Grant><Grantee><ID>a</ID></Grantee><Permission>READ"
              "</Permission><Permission>WRITE</Permission></Grant>"),
          "me: user a 3", NULL },
        { "an id of any text", ACL(GRANT(USER("&lt;a&amp;b&gt;"), "READ")),
          "me: user <a&b> 1", NULL },
        { "an empty id is one", ACL(GRANT("<ID/>", "READ")),
          "me: user  1", NULL },
        { "elements elsewhere are not meant",
          "<AccessControlPolicy><X><Grant><Grantee><ID>x</ID></Grantee>"
          "<Permission>READ</Permission></Grant></X><ID>y</ID><Grant/>"
          "<Owner><X><ID>z</ID></X></Owner></AccessControlPolicy>", ":",
          NULL },

        { "empty", "", NULL, "line 1" },
        { "cut short", "<AccessControlPolicy><Owner>", NULL, "line 1" },
        { "another root", "<Error><Code>x</Code></Error>", NULL,
          "not AccessControlPolicy" },
        { "an unknown permission", ACL(GRANT(USER("a"), "EXECUTE")), NULL,
          "unknown permission" },
        { "permissions have no blanks", ACL(GRANT(USER("a"), " READ")), NULL,
          "unknown permission" },
        { "no permission", ACL("<Grant><Grantee><ID>a</ID></Grantee>"
          "</Grant>"), NULL, "without a Permission" },
        { "two grantees in one", ACL(GRANT(USER("a") ALL, "READ")), NULL,
          "two grantees" },
        { "two owners", "<AccessControlPolicy><Owner><ID>a</ID><ID>b</ID>"
          "</Owner></AccessControlPolicy>", NULL, "two owners" },
        { "an element in an id", ACL(GRANT("<ID>a<b/></ID>", "READ")), NULL,
          "element" },
        { "a document type", "<!DOCTYPE A [<!ENTITY e \"x\">]>" ACL(MINE),
          NULL, "document type" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        error.text[0] = '\0';
        rc = chorus_acl_parse(&mem, chorus_str_from(rows[i].body), &acl,
                              &error);

        if (rows[i].acl == NULL) {
            check_int(rows[i].name, rc, CHORUS_ERROR);
            check_has(rows[i].name, error.text, rows[i].error);
            continue;
        }

        if (rc != CHORUS_OK) {
            fail_msg("%s: %s", rows[i].name, error.text);
        }

        check_str(rows[i].name, chorus_str_from(described(&acl)),
                  rows[i].acl);
    }
}


static chorus_rc_t
parse_many(unsigned ngrants, chorus_acl_t *acl, chorus_error_t *error)
{
    unsigned      i;
    chorus_buf_t  buf;

    buf = chorus_buf(&mem, 0);
    chorus_buf_text(&buf, "<AccessControlPolicy><AccessControlList>");

    for (i = 0; i < ngrants; i++) {
        chorus_buf_text(&buf, "<Grant><Grantee><ID>");
        chorus_buf_u64(&buf, i / 2);
        chorus_buf_text(&buf, i % 2 ? "</ID></Grantee><Permission>READ"
                        : "</ID></Grantee><Permission>WRITE");
        chorus_buf_text(&buf, "</Permission></Grant>");
    }

    chorus_buf_text(&buf, "</AccessControlList></AccessControlPolicy>");

    return chorus_acl_parse(&mem, chorus_buf_str(&buf), acl, error);
}


static void
acls_are_bounded(void **state)
{
    chorus_acl_t    acl;
    chorus_error_t  error;

    (void) state;

    assert_int_equal(parse_many(CHORUS_ACL_MAX_GRANTS, &acl, &error),
                     CHORUS_OK);
    assert_int_equal(acl.ngrants, CHORUS_ACL_MAX_GRANTS / 2);
    assert_int_equal(acl.grants[499].permissions,
                     CHORUS_ACL_READ | CHORUS_ACL_WRITE);

    assert_int_equal(parse_many(CHORUS_ACL_MAX_GRANTS + 1, &acl, &error),
                     CHORUS_ERROR);
    check_has("1001", error.text, "more than 1000 grants");
}


static chorus_acl_t
parsed(const char *body)
{
    chorus_acl_t    acl;
    chorus_error_t  error;

    assert_int_equal(chorus_acl_parse(&mem, chorus_str_from(body), &acl,
                                      &error), CHORUS_OK);

    return acl;
}


static void
compare_acls(void **state)
{
    size_t        i;
    chorus_acl_t  a, b;

    static const struct {
        const char  *name;
        const char  *a;
        const char  *b;
        bool         is_same;
    } rows[] = {
        { "itself", ACL(MINE), ACL(MINE), true },
        { "another order", ACL(MINE GRANT(ALL, "READ")),
          ACL(GRANT(ALL, "READ") MINE), true },
        { "said twice", ACL(MINE), ACL(MINE MINE), true },
        { "nothing", ACL(""), ACL(""), true },
        { "one more", ACL(MINE), ACL(MINE GRANT(ALL, "READ")), false },
        { "another permission", ACL(GRANT(ALL, "READ")),
          ACL(GRANT(ALL, "WRITE")), false },
        { "another user", ACL(GRANT(USER("a"), "READ")),
          ACL(GRANT(USER("b"), "READ")), false },
        { "a user and a group of one name", ACL(GRANT(USER("a"), "READ")),
          ACL(GRANT(GROUP("a"), "READ")), false },
        { "full control and its parts", ACL(GRANT(USER("a"), "FULL_CONTROL")),
          ACL(GRANT(USER("a"), "READ") GRANT(USER("a"), "WRITE")
              GRANT(USER("a"), "READ_ACP") GRANT(USER("a"), "WRITE_ACP")),
          false },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        a = parsed(rows[i].a);
        b = parsed(rows[i].b);
        check_int(rows[i].name, chorus_acl_same(&a, &b), rows[i].is_same);
        check_int(rows[i].name, chorus_acl_same(&b, &a), rows[i].is_same);
    }
}


static void
name_acls(void **state)
{
    size_t        i;
    chorus_acl_t  acl;

    static const struct {
        const char  *name;
        const char  *body;
        const char  *canned;        /* NULL: none */
    } rows[] = {
        { "private", ACL(MINE), "private" },
        { "public", ACL(MINE GRANT(ALL, "READ")), "public-read" },
        { "for all to write", ACL(GRANT(ALL, "WRITE") GRANT(ALL, "READ")
          MINE), "public-read-write" },
        { "for all who sign", ACL(MINE GRANT(KNOWN, "READ")),
          "authenticated-read" },

        { "nobody", ACL(""), NULL },
        { "the owner has less", ACL(GRANT(USER("me"), "READ")), NULL },
        { "the owner has nothing", ACL(GRANT(ALL, "READ")), NULL },
        { "somebody else has it", ACL(GRANT(USER("a"), "FULL_CONTROL")),
          NULL },
        { "somebody else as well", ACL(MINE GRANT(USER("a"), "READ")), NULL },
        { "all may only write", ACL(MINE GRANT(ALL, "WRITE")), NULL },
        { "who signs may write", ACL(MINE GRANT(KNOWN, "READ")
          GRANT(KNOWN, "WRITE")), NULL },
        { "two groups", ACL(MINE GRANT(ALL, "READ") GRANT(KNOWN, "READ")),
          NULL },
        { "another group", ACL(MINE GRANT(GROUP("x"), "READ")), NULL },
        { "no owner", "<AccessControlPolicy><AccessControlList>"
          GRANT("<ID/>", "FULL_CONTROL") "</AccessControlList>"
          "</AccessControlPolicy>", NULL },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        acl = parsed(rows[i].body);
        check_str(rows[i].name, chorus_acl_canned(&acl), rows[i].canned);
    }
}


static void
write_acls(void **state)
{
    chorus_acl_t  acl, back;

    (void) state;

    acl = parsed(ACL(GRANT(ALL, "READ") GRANT("<X/>", "READ")
                     GRANT("<EmailAddress>a@b</EmailAddress>", "WRITE")
                     GRANT(USER("a&amp;b"), "READ")
                     GRANT(USER("a&amp;b"), "READ_ACP")));

    check_str("document", chorus_acl_xml(&mem, &acl),
              CHORUS_XML_DECLARATION "<AccessControlPolicy" NS "><Owner><ID>me"
              "</ID></Owner><AccessControlList>"
              "<Grant><Grantee" XSI " xsi:type=\"CanonicalUser\"><ID>a&amp;b"
              "</ID></Grantee><Permission>READ</Permission></Grant>"
              "<Grant><Grantee" XSI " xsi:type=\"CanonicalUser\"><ID>a&amp;b"
              "</ID></Grantee><Permission>READ_ACP</Permission></Grant>"
              "<Grant><Grantee" XSI " xsi:type=\"Group\"><URI>"
              CHORUS_ACL_ALL_USERS "</URI></Grantee><Permission>READ"
              "</Permission></Grant>"
              "<Grant><Grantee" XSI " xsi:type=\"AmazonCustomerByEmail\">"
              "<EmailAddress>a@b</EmailAddress></Grantee><Permission>WRITE"
              "</Permission></Grant>"
              "</AccessControlList></AccessControlPolicy>");

    back = parsed(chorus_str_dup(&mem, chorus_acl_xml(&mem, &acl)).data);
    acl.ngrants--;                      /* the one to nobody, at the end */
    assert_true(chorus_acl_same(&acl, &back));
    check_str("there and back", back.owner, "me");
}


test_main(NULL, NULL,
    test_row(parse_acls),
    test_row(acls_are_bounded),
    test_row(compare_acls),
    test_row(name_acls),
    test_row(write_acls)
)
