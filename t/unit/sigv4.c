/* Canonical form and signing, stage by stage, against the values that AWS
 * published for examplebucket. */

#include "chorus_sigv4.h"
#include "sigv4_examples.h"
#include "test.h"


static void
canonical_paths(void **state)
{
    size_t        i;
    chorus_buf_t  buf;

    static const struct {
        const char  *input;
        const char  *expected;
    } rows[] = {
        { "", "/" },
        { "/", "/" },
        { "/b/a//b/./../c", "/b/a//b/./../c" },
        { "/b/a+b c", "/b/a%2Bb%20c" },
        { "/b/a%2bb%20c", "/b/a%2Bb%20c" },
        { "/b/a%2Fb%2f%252F", "/b/a/b/%252F" },
        { "/test$file.text", "/test%24file.text" },
        { "/b/%7Etilde~", "/b/~tilde~" },
        { "/b/trailing%20/", "/b/trailing%20/" },
        { "/b/\xe2\x98\x83", "/b/%E2%98%83" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        buf = chorus_buf(&mem, 0);
        chorus_sigv4_canonical_path(&buf, chorus_str_from(rows[i].input));
        check_str(rows[i].input, chorus_buf_str(&buf), rows[i].expected);
    }
}


static void
canonical_queries(void **state)
{
    size_t        i;
    chorus_buf_t  buf;
    chorus_uri_t  uri;

    static const struct {
        const char  *input;
        const char  *expected;
    } rows[] = {
        { "/b", "" },
        { "/b?", "" },
        { "/b?lifecycle", "lifecycle=" },
        { "/b?lifecycle=", "lifecycle=" },
        { "/b?prefix=J&max-keys=2", "max-keys=2&prefix=J" },
        { "/b?b=2&a=2&a=1&B=0", "B=0&a=1&a=2&b=2" },
        { "/b?a=10&a=9&a=1", "a=1&a=10&a=9" },
        { "/b?a-b=1&a=2", "a=2&a-b=1" },
        { "/b?a=b=c", "a=b%3Dc" },
        { "/b?a=1+2&b=%2B%20", "a=1%2B2&b=%2B%20" },
        { "/b?prefix=a/b&delimiter=%2f", "delimiter=%2F&prefix=a%2Fb" },
        { "/b?%61=%7e&c=(x)", "a=~&c=%28x%29" },
        { "/b?a&&b&", "a=&b=" },
        { "/b?=v", "=v" },
        { "/b?%C3%A9=1&z=2", "%C3%A9=1&z=2" },      /* encoded order */
        { "/b?~=1&%7B=2", "%7B=2&~=1" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        check_int(rows[i].input,
                  chorus_uri_parse(&mem, chorus_str_from(rows[i].input), &uri,
                                   NULL),
                  CHORUS_OK);

        buf = chorus_buf(&mem, 0);
        check_int(rows[i].input,
                  chorus_sigv4_canonical_query(&mem, &buf, &uri), CHORUS_OK);
        check_str(rows[i].input, chorus_buf_str(&buf), rows[i].expected);
    }
}


static void
canonical_headers(void **state)
{
    size_t        i;
    chorus_buf_t  buf;

    static const chorus_header_t  headers[] = {
        HEADER("Host", "h:8080"),
        HEADER("X-Amz-Meta-A", "  a   b \t c  "),
        HEADER("x-amz-meta-b", "1"),
        HEADER("X-AMZ-META-B", "  2  "),
        HEADER("x-amz-meta-b", ""),
        HEADER("x-amz-meta-c", ""),
        HEADER("x-amz-meta-d", "\"a   b\""),
    };

    static const struct {
        const char  *input;
        const char  *expected;
    } rows[] = {
        { "host", "host:h:8080\n" },
        { "x-amz-meta-a", "x-amz-meta-a:a b \t c\n" },
        { "x-amz-meta-b", "x-amz-meta-b:1,2,\n" },
        { "x-amz-meta-c;host", "x-amz-meta-c:\nhost:h:8080\n" },
        { "x-amz-meta-d", "x-amz-meta-d:\"a b\"\n" },
        { "not-there", "not-there:\n" },
        { "", "" }
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        buf = chorus_buf(&mem, 0);
        chorus_sigv4_canonical_headers(&buf, headers, NROWS(headers),
                                       chorus_str_from(rows[i].input));
        check_str(rows[i].input, chorus_buf_str(&buf), rows[i].expected);
    }
}


static void
published_stages(void **state)
{
    chorus_str_t            canonical;
    chorus_uri_t            uri;
    chorus_sigv4_request_t  request;

    (void) state;

    example_request(&sigv4_examples[0], &uri, &request, &mem);

    canonical = chorus_sigv4_canonical_request(&mem, &request,
        chorus_str("host;range;x-amz-content-sha256;x-amz-date"));

    check_str("canonical request", canonical,
              "GET\n"
              "/test.txt\n"
              "\n"
              "host:examplebucket.s3.amazonaws.com\n"
              "range:bytes=0-9\n"
              "x-amz-content-sha256:" CHORUS_EMPTY_SHA256 "\n"
              "x-amz-date:20130524T000000Z\n"
              "\n"
              "host;range;x-amz-content-sha256;x-amz-date\n"
              CHORUS_EMPTY_SHA256);

    check_str("string to sign",
              chorus_sigv4_string_to_sign(&mem, crypto,
                  chorus_str("20130524T000000Z"),
                  chorus_str("20130524/us-east-1/s3/aws4_request"),
                  canonical),
              "AWS4-HMAC-SHA256\n"
              "20130524T000000Z\n"
              "20130524/us-east-1/s3/aws4_request\n"
              "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc439649469"
              "72");
}


/* all signatures that AWS published, by the stages of the verification */
static void
published_signatures(void **state)
{
    char                     hex[CHORUS_SIGNATURE_LEN];
    size_t                   i;
    chorus_str_t             canonical, to_sign;
    chorus_uri_t             uri;
    unsigned char            key[CHORUS_SHA256_LEN];
    const sigv4_example_t   *example;
    chorus_sigv4_request_t   request;

    (void) state;

    assert_true(chorus_sigv4_signing_key(crypto,
        chorus_str(EXAMPLE_SECRET), chorus_str("20130524"),
        chorus_str("us-east-1"), chorus_str("s3"), key));

    for (i = 0; i < NROWS(sigv4_examples); i++) {

        example = &sigv4_examples[i];
        example_request(example, &uri, &request, &mem);

        canonical = chorus_sigv4_canonical_request(&mem, &request,
            chorus_str_from(example->signed_headers));
        to_sign = chorus_sigv4_string_to_sign(&mem, crypto,
            chorus_str("20130524T000000Z"),
            chorus_str("20130524/us-east-1/s3/aws4_request"), canonical);

        assert_true(chorus_sigv4_signature(crypto, key, to_sign, hex));
        check_str(example->name, (chorus_str_t) { hex, sizeof(hex) },
                  example->signature);
    }
}


/* the same by the signer, where only host and x-amz-* are signed */
static void
sign_published_requests(void **state)
{
    char                     expected[512];
    size_t                   i, n, pass;
    chorus_uri_t             uri;
    const sigv4_example_t   *example;
    chorus_sigv4_signer_t    signer;
    chorus_sigv4_request_t   request;

    (void) state;

    signer.mem = &mem;
    signer.crypto = crypto;
    signer.access_key = chorus_str(EXAMPLE_ACCESS_KEY);
    signer.secret_key = chorus_str(EXAMPLE_SECRET);
    signer.region = chorus_str("us-east-1");

    for (i = 0, n = 0; i < NROWS(sigv4_examples); i++) {

        example = &sigv4_examples[i];

        if (!example->only_amz_headers) {
            continue;
        }

        n++;
        example_request(example, &uri, &request, &mem);

        (void) snprintf(expected, sizeof(expected),
            "AWS4-HMAC-SHA256 Credential=" EXAMPLE_ACCESS_KEY
            "/20130524/us-east-1/s3/aws4_request, SignedHeaders=%s, "
            "Signature=%s", example->signed_headers, example->signature);

        signer.keys = NULL;
        check_str(example->name,
                  chorus_sigv4_sign(&signer, &request,
                                    chorus_str("20130524T000000Z")),
                  expected);

        signer.keys = chorus_key_cache_create();

        for (pass = 0; pass < 2; pass++) {
            check_str(example->name,
                      chorus_sigv4_sign(&signer, &request,
                                        chorus_str("20130524T000000Z")),
                      expected);
        }

        chorus_key_cache_destroy(signer.keys);
    }

    assert_int_equal(n, 2);
}


static void
signed_headers_are_sorted_and_single(void **state)
{
    chorus_str_t            authorization;
    chorus_uri_t            uri;
    chorus_sigv4_auth_t     auth;
    chorus_s3_refusal_t     refusal;
    chorus_sigv4_signer_t   signer;
    chorus_sigv4_request_t  request;

    static const chorus_header_t  headers[] = {
        HEADER("X-Amz-Meta-Z", "z"),
        HEADER("x-amz-date", "20130524T000000Z"),
        HEADER("content-type", "text/plain"),
        HEADER("X-Amz-Meta-A", "1"),
        HEADER("Host", "h"),
        HEADER("x-amz-meta-a", "2"),
        HEADER("X-Amz-Content-Sha256", CHORUS_UNSIGNED_PAYLOAD),
        HEADER("x-amzn-trace-id", "t"),
    };

    (void) state;

    assert_int_equal(chorus_uri_parse(&mem, chorus_str("/b/k"), &uri, NULL),
                     CHORUS_OK);

    memset(&signer, 0, sizeof(signer));
    signer.mem = &mem;
    signer.crypto = crypto;
    signer.access_key = chorus_str("a/b");
    signer.secret_key = chorus_str("s");
    signer.region = chorus_str("eu-1");

    request.method = chorus_str("PUT");
    request.uri = &uri;
    request.headers = headers;
    request.nheaders = NROWS(headers);
    request.payload = chorus_str(CHORUS_UNSIGNED_PAYLOAD);

    authorization = chorus_sigv4_sign(&signer, &request,
                                      chorus_str("20130524T000000Z"));

    assert_int_equal(chorus_sigv4_parse(authorization, &auth, &refusal),
                     CHORUS_OK);
    check_str("names", auth.signed_headers,
              "host;x-amz-content-sha256;x-amz-date;x-amz-meta-a;"
              "x-amz-meta-z");
    check_str("access key", auth.access_key, "a/b");
    check_str("scope", auth.scope, "20130524/eu-1/s3/aws4_request");

    check_str("no date",
              chorus_sigv4_sign(&signer, &request, chorus_str("2013")), NULL);
}


test_main(crypto_setup, crypto_teardown,
    test_row(canonical_paths),
    test_row(canonical_queries),
    test_row(canonical_headers),
    test_row(published_stages),
    test_row(published_signatures),
    test_row(sign_published_requests),
    test_row(signed_headers_are_sorted_and_single)
)
