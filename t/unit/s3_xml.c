/* The bodies of DeleteObjects and of tags, and single elements. */

#include "chorus_s3_xml.h"
#include "test.h"

#define NS  " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""


static void
parse_delete_objects(void **state)
{
    size_t                   i, n;
    chorus_rc_t              rc;
    chorus_error_t           error;
    chorus_delete_objects_t  request;

    static const struct {
        const char  *name;
        const char  *body;
        const char  *keys[3];       /* none: refused */
        const char  *error;
    } rows[] = {

        { "one", "<Delete><Object><Key>k</Key></Object></Delete>",
          { "k" }, NULL },
        { "as SDKs send it",
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Delete" NS ">\n"
          "  <Object><Key>a b</Key><VersionId>v</VersionId></Object>\n"
          "  <Object><VersionId>w</VersionId><Key>c</Key></Object>\n"
          "  <Quiet>true</Quiet>\n</Delete>",
          { "a b", "c" }, NULL },
        { "a prefix", "<s:Delete xmlns:s=\"x\"><s:Object><s:Key>k</s:Key>"
          "</s:Object></s:Delete>", { "k" }, NULL },
        { "references", "<Delete><Object><Key>&lt;a&amp;b&#13;&#x263A;</Key>"
          "</Object></Delete>", { "<a&b\r\xe2\x98\xba" }, NULL },
        { "CDATA", "<Delete><Object><Key><![CDATA[<k>]]>x</Key></Object>"
          "</Delete>", { "<k>x" }, NULL },
        { "blanks are part of a key",
          "<Delete><Object><Key> k\n</Key></Object></Delete>",
          { " k\n" }, NULL },
        { "a comment in a key",
          "<Delete><Object><Key>a<!-- x -->b</Key></Object></Delete>",
          { "ab" }, NULL },
        { "the same key twice", "<Delete><Object><Key>k</Key></Object>"
          "<Object><Key>k</Key></Object></Delete>", { "k", "k" }, NULL },
        { "keys elsewhere are not meant",
          "<Delete><Key>x</Key><X><Object><Key>y</Key></Object></X>"
          "<Object><X><Key>z</Key></X><Key>k</Key></Object></Delete>",
          { "k" }, NULL },

        { "empty", "", { NULL }, "line 1" },
        { "no XML", "key", { NULL }, "line 1" },
        { "cut short", "<Delete><Object><Key>k</Key></Object>", { NULL },
          "line 1" },
        { "no object", "<Delete></Delete>", { NULL }, "no Object" },
        { "another root", "<Deleted><Object><Key>k</Key></Object></Deleted>",
          { NULL }, "not Delete" },
        { "no key", "<Delete><Object></Object></Delete>", { NULL },
          "without a Key" },
        { "no key in the second", "<Delete><Object><Key>k</Key></Object>"
          "<Object/></Delete>", { NULL }, "without a Key" },
        { "an empty key", "<Delete><Object><Key/></Object></Delete>",
          { NULL }, "empty Key" },
        { "two keys", "<Delete><Object><Key>a</Key><Key>b</Key></Object>"
          "</Delete>", { NULL }, "two Keys" },
        { "an element in a key",
          "<Delete><Object><Key>a<b/></Key></Object></Delete>", { NULL },
          "element" },
        { "a document type", "<!DOCTYPE Delete [<!ENTITY e \"x\">]>"
          "<Delete><Object><Key>&e;</Key></Object></Delete>", { NULL },
          "document type" },
        { "an unknown entity",
          "<Delete><Object><Key>&e;</Key></Object></Delete>", { NULL },
          "entity" },
        { "bad UTF-8", "<Delete><Object><Key>\xff</Key></Object></Delete>",
          { NULL }, "line 1" },
        { "something behind", "<Delete><Object><Key>k</Key></Object></Delete>"
          "<x/>", { NULL }, "line 1" },
        { "a control character",
          "<Delete><Object><Key>&#1;</Key></Object></Delete>", { NULL },
          "line 1" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        error.text[0] = '\0';
        rc = chorus_delete_objects_parse(&mem, chorus_str_from(rows[i].body),
                                         &request, &error);

        if (rows[i].error != NULL) {
            check_int(rows[i].name, rc, CHORUS_ERROR);
            check_has(rows[i].name, error.text, rows[i].error);
            continue;
        }

        if (rc != CHORUS_OK) {
            fail_msg("%s: %s", rows[i].name, error.text);
        }

        for (n = 0; n < 3 && rows[i].keys[n] != NULL; n++) {
            assert_true(n < request.nkeys);
            check_str(rows[i].name, request.keys[n], rows[i].keys[n]);
        }

        check_int(rows[i].name, (int64_t) request.nkeys, (int64_t) n);
    }
}


static chorus_str_t
delete_body(size_t nkeys)
{
    size_t        i;
    chorus_buf_t  buf;

    buf = chorus_buf(&mem, 0);
    chorus_buf_text(&buf, "<Delete>");

    for (i = 0; i < nkeys; i++) {
        chorus_buf_text(&buf, "<Object><Key>");
        chorus_buf_u64(&buf, i % 10);
        chorus_buf_text(&buf, "</Key></Object>");
    }

    chorus_buf_text(&buf, "</Delete>");

    return chorus_buf_str(&buf);
}


static void
delete_objects_are_bounded(void **state)
{
    chorus_error_t           error;
    chorus_delete_objects_t  request;

    (void) state;

    assert_int_equal(chorus_delete_objects_parse(&mem, delete_body(1000),
                                                 &request, &error),
                     CHORUS_OK);
    assert_int_equal(request.nkeys, 1000);
    check_str("last", request.keys[999], "9");

    assert_int_equal(chorus_delete_objects_parse(&mem, delete_body(1001),
                                                 &request, &error),
                     CHORUS_ERROR);
    check_has("1001", error.text, "more than 1000");
}


static void
documents_are_bounded(void **state)
{
    size_t          i;
    chorus_buf_t    buf;
    chorus_error_t  error;
    chorus_tagging_t tagging;

    (void) state;

    buf = chorus_buf(&mem, 0);
    chorus_buf_text(&buf, "<Tagging>");

    for (i = 0; i < 100000; i++) {
        chorus_buf_text(&buf, "<a>");
    }

    assert_int_equal(chorus_tagging_parse(&mem, chorus_buf_str(&buf),
                                          &tagging, &error), CHORUS_ERROR);
    check_has("depth", error.text, "nested too deeply");

    buf = chorus_buf(&mem, 0);
    chorus_buf_text(&buf, "<Tagging>");

    for (i = 0; i < CHORUS_XML_MAX_BYTES; i++) {
        chorus_buf_char(&buf, ' ');
    }

    assert_int_equal(chorus_tagging_parse(&mem, chorus_buf_str(&buf),
                                          &tagging, &error), CHORUS_ERROR);
    check_has("length", error.text, "too long");
}


static void
parse_tags(void **state)
{
    size_t            i;
    chorus_rc_t       rc;
    chorus_error_t    error;
    chorus_tagging_t  tagging;

    static const struct {
        const char  *name;
        const char  *body;
        const char  *header;        /* NULL: refused */
        const char  *error;
    } rows[] = {
        { "none", "<Tagging><TagSet/></Tagging>", "", NULL },
        { "no set", "<Tagging/>", "", NULL },
        { "two", "<?xml version=\"1.0\"?><Tagging" NS "><TagSet>\n<Tag><Key>a"
          "</Key><Value>b c</Value></Tag><Tag><Value>+/=</Value><Key>&amp;"
          "</Key></Tag></TagSet></Tagging>", "a=b%20c&%26=%2B%2F%3D", NULL },
        { "empty value", "<Tagging><TagSet><Tag><Key>a</Key><Value/></Tag>"
          "</TagSet></Tagging>", "a=", NULL },
        { "no value", "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet>"
          "</Tagging>", "a=", NULL },
        { "keys elsewhere", "<Tagging><X><Tag><Key>x</Key></Tag></X><Key>y"
          "</Key><TagSet><Key>z</Key></TagSet></Tagging>", "", NULL },

        { "no key", "<Tagging><TagSet><Tag><Value>a</Value></Tag></TagSet>"
          "</Tagging>", NULL, "without a Key" },
        { "empty key", "<Tagging><TagSet><Tag><Key/><Value>a</Value></Tag>"
          "</TagSet></Tagging>", NULL, "without a Key" },
        { "two keys", "<Tagging><TagSet><Tag><Key>a</Key><Key>b</Key></Tag>"
          "</TagSet></Tagging>", NULL, "two Keys" },
        { "an element in a value", "<Tagging><TagSet><Tag><Key>a<b/></Key>"
          "</Tag></TagSet></Tagging>", NULL, "element" },
        { "another root", "<Error><Code>x</Code></Error>", NULL,
          "not Tagging" },
        { "broken", "<Tagging><TagSet>", NULL, "line 1" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        rc = chorus_tagging_parse(&mem, chorus_str_from(rows[i].body),
                                  &tagging, &error);

        if (rows[i].header == NULL) {
            check_int(rows[i].name, rc, CHORUS_ERROR);
            check_has(rows[i].name, error.text, rows[i].error);
            continue;
        }

        check_int(rows[i].name, rc, CHORUS_OK);
        check_str(rows[i].name, chorus_tagging_header(&mem, &tagging),
                  rows[i].header);
    }
}


static void
write_tags(void **state)
{
    size_t            i;
    chorus_buf_t      buf;
    chorus_error_t    error;
    chorus_tagging_t  tagging, back;
    chorus_tag_t      tags[] = {
        { chorus_str("a<b"), chorus_str("\xe2\x98\x83 \r&") },
        { chorus_str("empty"), chorus_str("") },
    };

    (void) state;

    tagging.tags = tags;
    tagging.ntags = 2;

    check_str("document", chorus_tagging_xml(&mem, &tagging),
              CHORUS_XML_DECLARATION "<Tagging" NS "><TagSet><Tag><Key>a&lt;b"
              "</Key><Value>\xe2\x98\x83 &#13;&amp;</Value></Tag><Tag><Key>"
              "empty</Key><Value></Value></Tag></TagSet></Tagging>");

    assert_int_equal(chorus_tagging_parse(&mem,
                         chorus_tagging_xml(&mem, &tagging), &back, &error),
                     CHORUS_OK);
    assert_int_equal(back.ntags, 2);
    check_str("there and back", back.tags[0].value, "\xe2\x98\x83 \r&");

    buf = chorus_buf(&mem, 0);
    chorus_buf_text(&buf, "<Tagging><TagSet>");

    for (i = 0; i < CHORUS_MAX_TAGS + 1; i++) {
        chorus_buf_text(&buf, "<Tag><Key>k</Key><Value>v</Value></Tag>");
    }

    chorus_buf_text(&buf, "</TagSet></Tagging>");
    assert_int_equal(chorus_tagging_parse(&mem, chorus_buf_str(&buf), &back,
                                          &error), CHORUS_ERROR);
    check_has("51", error.text, "more than 50");
}


static void
find_elements(void **state)
{
    size_t  i;

    static const struct {
        const char  *body;
        const char  *element;
        const char  *expected;
        const char  *root;
    } rows[] = {
        { "<Error><Code>NoSuchKey</Code><Code>x</Code></Error>", "Code",
          "NoSuchKey", "Error" },
        { "<R" NS "><a><UploadId>u&amp;</UploadId></a></R>", "UploadId", "u&",
          "R" },
        { "<r:R xmlns:r='x'><r:ETag>\"e\"</r:ETag></r:R>", "ETag", "\"e\"",
          "R" },
        { "<R><Code/></R>", "Code", "", "R" },
        { "<R><a>1<b>2</b>3</a></R>", "a", "123", "R" },
        { "<R>x</R>", "R", "x", "R" },
        { "<R><Code>x</Code>", "Code", "x", "R" },      /* broken later */
        { "<R><Code>x", "Code", NULL, "R" },
        { "<R><Cod>x</Cod></R>", "Code", NULL, "R" },
        { "<!DOCTYPE R><R><Code>x</Code></R>", "Code", NULL, NULL },
        { "", "Code", NULL, NULL },
        { "{\"Code\": 1}", "Code", NULL, NULL },
        { "\n\n<?xml version='1.0'?><R/>", "R", NULL, NULL },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        chorus_str_t  body = chorus_str_from(rows[i].body);

        check_str(rows[i].body, chorus_xml_text(&mem, body, rows[i].element),
                  rows[i].expected);
        check_str(rows[i].body, chorus_xml_root(&mem, body), rows[i].root);
    }
}


test_main(NULL, NULL,
    test_row(parse_delete_objects),
    test_row(delete_objects_are_bounded),
    test_row(documents_are_bounded),
    test_row(parse_tags),
    test_row(write_tags),
    test_row(find_elements)
)
