/* The rows of the refusals, and their XML. */

#include "chorus_s3_error.h"
#include "chorus_s3_xml.h"
#include "test.h"

#define HEAD  CHORUS_XML_DECLARATION "<Error>"


static void
each_code_has_its_row(void **state)
{
    int                           code;
    const chorus_s3_error_row_t  *row;

    static const unsigned  statuses[CHORUS_S3_NERRORS] = {
        200, 403, 403, 403, 403, 403, 403, 400, 400, 400, 400, 400, 400, 400,
        400, 400, 400, 400, 400, 400, 403, 400, 400, 400, 400, 400, 400, 400,
        405, 411, 412, 500, 501, 502, 503, 503, 504
    };

    (void) state;

    for (code = 0; code < CHORUS_S3_NERRORS; code++) {
        row = chorus_s3_error_row((chorus_s3_code_t) code);
        assert_int_equal(row->code, code);
        assert_int_equal(row->status, statuses[code]);
        assert_true(row->name[0] != '\0');
        assert_true(code == 0 || row->message[0] != '\0');
    }

    row = chorus_s3_error_row((chorus_s3_code_t) 999);
    assert_int_equal(row->code, CHORUS_S3_INTERNAL_ERROR);
}


static void
write_documents(void **state)
{
    size_t  i;

    static const struct {
        const char           *name;
        chorus_s3_refusal_t   refusal;
        const char           *resource;
        const char           *expected;
    } rows[] = {

        { "default message", { .code = CHORUS_S3_ACCESS_DENIED }, "/b/k",
          HEAD "<Code>AccessDenied</Code><Message>Access Denied</Message>"
          "<Resource>/b/k</Resource><RequestId>id</RequestId></Error>" },

        { "own message",
          { .code = CHORUS_S3_NOT_IMPLEMENTED, .message = { "no", 2 } }, "/",
          HEAD "<Code>NotImplemented</Code><Message>no</Message>"
          "<Resource>/</Resource><RequestId>id</RequestId></Error>" },

        { "region",
          { .code = CHORUS_S3_WRONG_REGION, .message = { "m", 1 },
            .region = { "eu-1", 4 } }, "/",
          HEAD "<Code>AuthorizationHeaderMalformed</Code><Message>m</Message>"
          "<Region>eu-1</Region><Resource>/</Resource>"
          "<RequestId>id</RequestId></Error>" },

        { "headers",
          { .code = CHORUS_S3_HEADERS_NOT_SIGNED,
            .headers = { "host, x-amz-acl", 15 } }, "/",
          HEAD "<Code>AccessDenied</Code><Message>There were headers present "
          "in the request which were not signed</Message><HeadersNotSigned>"
          "host, x-amz-acl</HeadersNotSigned><Resource>/</Resource>"
          "<RequestId>id</RequestId></Error>" },

        { "argument",
          { .code = CHORUS_S3_INVALID_ARGUMENT, .argument_name = { "n", 1 },
            .argument_value = { "<v&", 3 } }, "/",
          HEAD "<Code>InvalidArgument</Code><Message>Invalid Argument"
          "</Message><ArgumentName>n</ArgumentName><ArgumentValue>&lt;v&amp;"
          "</ArgumentValue><Resource>/</Resource><RequestId>id</RequestId>"
          "</Error>" },

        { "access key",
          { .code = CHORUS_S3_INVALID_REQUEST, .message = { "m", 1 },
            .access_key = { "AK", 2 } }, "/",
          HEAD "<Code>InvalidRequest</Code><Message>m</Message>"
          "<AWSAccessKeyId>AK</AWSAccessKeyId><Resource>/</Resource>"
          "<RequestId>id</RequestId></Error>" },

        { "times",
          { .code = CHORUS_S3_REQUEST_EXPIRED, .amz_expires = { "60", 2 },
            .expires = { "e", 1 }, .server_time = { "s", 1 } }, "/",
          HEAD "<Code>AccessDenied</Code><Message>Request has expired"
          "</Message><X-Amz-Expires>60</X-Amz-Expires><Expires>e</Expires>"
          "<ServerTime>s</ServerTime><Resource>/</Resource>"
          "<RequestId>id</RequestId></Error>" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_str(rows[i].name,
                  chorus_s3_error_xml(&mem, &rows[i].refusal,
                                      chorus_str_from(rows[i].resource),
                                      chorus_str("id")),
                  rows[i].expected);
    }
}


static void
escape_text(void **state)
{
    size_t        i;
    chorus_buf_t  buf;

    static const struct {
        const char  *input;
        const char  *expected;
    } rows[] = {
        { "plain", "plain" },
        { "<a href=\"x\">&'", "&lt;a href=&quot;x&quot;&gt;&amp;'" },
        { "a\tb\nc\rd", "a\tb\nc&#13;d" },
        { "\x01\x1f", "\xEF\xBF\xBD\xEF\xBF\xBD" },
        { "\xc3\xa9\xe2\x98\x83\xf0\x9f\x98\x80",
          "\xc3\xa9\xe2\x98\x83\xf0\x9f\x98\x80" },
        { "\xff", "\xEF\xBF\xBD" },
        { "\xc3", "\xEF\xBF\xBD" },                     /* cut short */
        { "\xc3(", "\xEF\xBF\xBD(" },
        { "\xc0\xaf", "\xEF\xBF\xBD\xEF\xBF\xBD" },     /* overlong */
        { "\xe0\x80\xaf", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
        { "\xed\xa0\x80",                               /* surrogate */
          "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
        { "\xef\xbf\xbf",                               /* U+FFFF */
          "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
        { "\xf4\x90\x80\x80",                           /* over U+10FFFF */
          "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
        { "", "" }
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        buf = chorus_buf(&mem, 0);
        chorus_xml_add(&buf, chorus_str_from(rows[i].input));
        check_str(rows[i].expected, chorus_buf_str(&buf), rows[i].expected);
    }
}


/* Any bytes in a key give a document that a parser takes. */
static void
any_resource_is_well_formed(void **state)
{
    int                  c;
    char                 resource[4];
    chorus_s3_refusal_t  refusal;

    (void) state;

    memset(&refusal, 0, sizeof(refusal));
    refusal.code = CHORUS_S3_ACCESS_DENIED;

    for (c = 0; c < 256; c++) {
        resource[0] = '/';
        resource[1] = (char) c;
        resource[2] = (char) (c * 7);
        resource[3] = (char) 0xe2;

        check_str("code",
                  chorus_xml_text(&mem,
                      chorus_s3_error_xml(&mem, &refusal,
                          (chorus_str_t) { resource, 4 }, chorus_str("id")),
                      "RequestId"),
                  "id");
    }
}


test_main(NULL, NULL,
    test_row(each_code_has_its_row),
    test_row(write_documents),
    test_row(escape_text),
    test_row(any_resource_is_well_formed)
)
