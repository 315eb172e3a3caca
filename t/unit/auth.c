/* Which credentials count, which mixes are refused, who may be nobody. */

#include <jansson.h>

#include "auth_host.h"

#define CRED   "Credential=AKIAIOSFODNN7EXAMPLE/" EXAMPLE_SCOPE
#define NAMES  "host;x-amz-content-sha256;x-amz-date"
#define SHA(value)  HEADER("x-amz-content-sha256", value)
#define AUTH(value) HEADER("Authorization", value)
#define V4_HEADER                                                             \
    AUTH("AWS4-HMAC-SHA256 " CRED ", SignedHeaders=host, Signature="          \
         "0000000000000000000000000000000000000000000000000000000000000000")
#define V2_HEADER  AUTH("AWS AKIAIOSFODNN7EXAMPLE:AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
#define V4_QUERY   "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0"
#define V2_QUERY   "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=x&Expires=9"
#define ONE_ONLY   "Only one auth mechanism allowed"


static void
find_credentials(void **state)
{
    size_t                  i;
    chorus_rc_t             rc;
    chorus_auth_t           auth;
    chorus_s3_refusal_t     refusal;
    chorus_auth_verifier_t  verifier;

    static const struct {
        const char        *name;
        const char        *target;
        chorus_header_t    headers[MAX_HEADERS];
        chorus_s3_code_t   code;
        const char        *message;
    } rows[] = {
        { "none", "/b/k", { HOST }, CHORUS_S3_ACCESS_DENIED,
          "Access Denied" },
        { "two headers", "/b/k", { HOST, V4_HEADER, V4_HEADER },
          CHORUS_S3_INVALID_REQUEST, "repeated" },
        { "two headers, the second empty", "/b/k",
          { HOST, V4_HEADER, AUTH("") }, CHORUS_S3_INVALID_REQUEST,
          "repeated" },
        { "Basic", "/b/k", { HOST, AUTH("Basic dTpw") },
          CHORUS_S3_INVALID_ARGUMENT, "Unsupported Authorization Type" },
        { "Bearer", "/b/k", { HOST, AUTH("Bearer x") },
          CHORUS_S3_INVALID_ARGUMENT, "Unsupported Authorization Type" },
        { "empty", "/b/k", { HOST, AUTH("") }, CHORUS_S3_INVALID_ARGUMENT,
          "Unsupported Authorization Type" },
        { "SigV4A", "/b/k", { HOST, AUTH("AWS4-ECDSA-P256-SHA256 x") },
          CHORUS_S3_NOT_IMPLEMENTED, "Version 4A" },

        { "V4 in both", "/b/k?" V4_QUERY, { HOST, V4_HEADER },
          CHORUS_S3_INVALID_ARGUMENT, ONE_ONLY },
        { "V4 header, V2 query", "/b/k?" V2_QUERY, { HOST, V4_HEADER },
          CHORUS_S3_INVALID_ARGUMENT, ONE_ONLY },
        { "V2 header, V4 query", "/b/k?" V4_QUERY, { HOST, V2_HEADER },
          CHORUS_S3_INVALID_ARGUMENT, ONE_ONLY },
        { "V2 in both", "/b/k?" V2_QUERY, { HOST, V2_HEADER },
          CHORUS_S3_INVALID_ARGUMENT, ONE_ONLY },
        { "both in the query", "/b/k?" V2_QUERY "&" V4_QUERY, { HOST },
          CHORUS_S3_INVALID_ARGUMENT, ONE_ONLY },
        { "all three", "/b/k?" V2_QUERY "&" V4_QUERY, { HOST, V2_HEADER },
          CHORUS_S3_INVALID_ARGUMENT, ONE_ONLY },
        { "an unknown scheme and a query", "/b/k?" V4_QUERY,
          { HOST, AUTH("Basic dTpw") }, CHORUS_S3_INVALID_ARGUMENT,
          ONE_ONLY },
        { "an empty header and a query", "/b/k?" V4_QUERY,
          { HOST, AUTH("") }, CHORUS_S3_INVALID_ARGUMENT, ONE_ONLY },
        { "a header and X-Amz-Date", "/b/k?X-Amz-Date=x", { HOST, V4_HEADER },
          CHORUS_S3_INVALID_ARGUMENT, ONE_ONLY },
        { "a header and an escaped Signature", "/b/k?%53ignature=x",
          { HOST, V4_HEADER }, CHORUS_S3_INVALID_ARGUMENT, ONE_ONLY },

        { "a header and a name in lower case", "/b/k?x-amz-signature=x",
          { HOST, V4_HEADER }, CHORUS_S3_AUTHORIZATION_QUERY_PARAMETERS,
          "exact case" },
        { "a V2 key in lower case", "/b/k?awsaccesskeyid=x",
          { HOST, V4_HEADER }, CHORUS_S3_AUTHORIZATION_QUERY_PARAMETERS,
          "exact case" },
        { "words in lower case are words", "/b/k?signature=x&expires=x",
          { HOST, V4_HEADER }, CHORUS_S3_ACCESS_DENIED, "valid Date" },

        { "one parameter of V4 alone", "/b/k?X-Amz-Expires=9", { HOST },
          CHORUS_S3_AUTHORIZATION_QUERY_PARAMETERS, "requires" },
        { "one parameter of V2 alone", "/b/k?Signature=9", { HOST },
          CHORUS_S3_ACCESS_DENIED, "requires the Signature, Expires" },
        { "an expiry alone is no credential", "/b/k?Expires=9", { HOST },
          CHORUS_S3_ACCESS_DENIED, "Access Denied" },
    };

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW);

    for (i = 0; i < NROWS(rows); i++) {
        rc = verify(&verifier, "GET", rows[i].target, rows[i].headers, &auth,
                    &refusal);
        check_refusal(rows[i].name, rc, &refusal, rows[i].code,
                      rows[i].message);
    }
}


static void
accept_v2_on_request_only(void **state)
{
    size_t                  i;
    chorus_rc_t             rc;
    chorus_auth_t           auth;
    chorus_s3_refusal_t     refusal;
    chorus_auth_verifier_t  verifier;

    static const struct {
        const char       *name;
        const char       *target;
        chorus_header_t   headers[MAX_HEADERS];
    } rows[] = {
        { "header", "/b/k", { HOST, V2_HEADER } },
        { "query", "/b/k?" V2_QUERY, { HOST } },
        { "header without a key", "/b/k", { HOST, AUTH("AWS") } },
    };

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW);
    verifier.accepts_v2 = false;

    for (i = 0; i < NROWS(rows); i++) {
        rc = verify(&verifier, "GET", rows[i].target, rows[i].headers, &auth,
                    &refusal);
        check_refusal(rows[i].name, rc, &refusal, CHORUS_S3_INVALID_REQUEST,
                      "The authorization mechanism you have provided is not "
                      "supported. Please use AWS4-HMAC-SHA256.");
    }
}


static void
let_nobody_in(void **state)
{
    size_t                  i;
    chorus_rc_t             rc;
    chorus_auth_t           auth;
    chorus_s3_refusal_t     refusal;
    chorus_auth_verifier_t  verifier;

    static const struct {
        const char        *name;
        const char        *target;
        chorus_header_t    headers[MAX_HEADERS];
        chorus_s3_code_t   code;
        const char        *payload;
    } rows[] = {
        { "plain", "/b/k", { HOST }, CHORUS_S3_OK, CHORUS_UNSIGNED_PAYLOAD },
        { "with a digest", "/b/k", { HOST, SHA(CHORUS_EMPTY_SHA256) },
          CHORUS_S3_OK, CHORUS_EMPTY_SHA256 },
        { "in chunks", "/b/k",
          { HOST, SHA("STREAMING-UNSIGNED-PAYLOAD-TRAILER") },
          CHORUS_S3_OK, "STREAMING-UNSIGNED-PAYLOAD-TRAILER" },
        { "in signed chunks", "/b/k", { HOST, SHA(STREAMING_SIGNED) },
          CHORUS_S3_INVALID_REQUEST, NULL },
        { "in signed chunks with a trailer", "/b/k",
          { HOST, SHA(STREAMING_TRAILER) }, CHORUS_S3_INVALID_REQUEST, NULL },
        { "in chunks of SigV4A", "/b/k",
          { HOST, SHA("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER") },
          CHORUS_S3_NOT_IMPLEMENTED, NULL },
        { "with no payload line that S3 knows", "/b/k", { HOST, SHA("x") },
          CHORUS_S3_INVALID_ARGUMENT, NULL },
        { "with a header in disguise", "/b/k",
          { HOST, HEADER("x_amz_acl", "public-read") },
          CHORUS_S3_HEADERS_NOT_SIGNED, NULL },
        { "with metadata for Ceph under another name", "/b/k",
          { HOST, HEADER("X-Dho-Meta-A", "1") },
          CHORUS_S3_HEADERS_NOT_SIGNED, NULL },
        { "credentials still count", "/b/k?" V4_QUERY, { HOST },
          CHORUS_S3_AUTHORIZATION_QUERY_PARAMETERS, NULL },
        { "so does a bad scheme", "/b/k", { HOST, AUTH("Basic dTpw") },
          CHORUS_S3_INVALID_ARGUMENT, NULL },
        { "and a bad signature", "/b/k",
          { HOST, V4_HEADER, EXAMPLE_DATE, SHA(CHORUS_EMPTY_SHA256) },
          CHORUS_S3_HEADERS_NOT_SIGNED, NULL },
    };

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW);
    verifier.accepts_anonymous = true;

    for (i = 0; i < NROWS(rows); i++) {
        rc = verify(&verifier, "PUT", rows[i].target, rows[i].headers, &auth,
                    &refusal);
        check_refusal(rows[i].name, rc, &refusal, rows[i].code, NULL);

        if (rc == CHORUS_OK) {
            check_int(rows[i].name, auth.kind, CHORUS_AUTH_ANONYMOUS);
            check_str(rows[i].name, auth.access_key, NULL);
            check_str(rows[i].name, auth.payload, rows[i].payload);
        }
    }
}


static void
sign_header(const char *target, chorus_header_t *headers, char *value,
    size_t size)
{
    char  hex[CHORUS_SIGNATURE_LEN + 1];

    sign_v4("PUT", target, headers, DATE, NAMES, CHORUS_UNSIGNED_PAYLOAD,
            hex);
    (void) snprintf(value, size, "AWS4-HMAC-SHA256 %s, SignedHeaders=%s, "
                    "Signature=%s", CRED, NAMES, hex);

    headers[3].name = chorus_str("authorization");
    headers[3].value = chorus_str_from(value);
}


/* The golden key of AWS for this day; and none for a request that has none. */
static void
give_signing_key(void **state)
{
    size_t                  pass;
    char                    value[512];
    chorus_auth_t           auth;
    unsigned char           key[CHORUS_SHA256_LEN];
    unsigned char           expected[CHORUS_SHA256_LEN];
    chorus_s3_refusal_t     refusal;
    chorus_auth_verifier_t  verifier;
    chorus_header_t         headers[MAX_HEADERS] = {
        HOST, EXAMPLE_DATE, SHA(CHORUS_UNSIGNED_PAYLOAD)
    };

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW);
    sign_header("/b/k", headers, value, sizeof(value));

    assert_true(chorus_sigv4_signing_key(crypto, chorus_str(EXAMPLE_SECRET),
        chorus_str("20130524"), chorus_str("us-east-1"), chorus_str("s3"),
        expected));

    for (pass = 0; pass < 2; pass++) {
        check_int("verified", verify(&verifier, "PUT", "/b/k", headers, &auth,
                                     &refusal), CHORUS_OK);
        memset(key, 0, sizeof(key));
        assert_true(chorus_auth_signing_key(&verifier, &auth, key));
        assert_memory_equal(key, expected, sizeof(key));
        verifier.keys = NULL;                   /* derived, then */
    }

    auth.access_key = chorus_str("AKNOBODY");
    assert_false(chorus_auth_signing_key(&verifier, &auth, key));

    memset(&auth, 0, sizeof(auth));
    assert_false(chorus_auth_signing_key(&verifier, &auth, key));
}


static const char  *current_secret;


static chorus_str_t
rotating_secret_of(void *data, chorus_str_t access_key)
{
    (void) data;
    (void) access_key;

    return chorus_str_from(current_secret);
}


/* The key that the cache holds for an access key is of no use to its next
 * secret, nor the other way round. */
static void
rotate_secret(void **state)
{
    char                    value[512];
    chorus_auth_t           auth;
    chorus_s3_refusal_t     refusal;
    chorus_auth_verifier_t  verifier;
    chorus_header_t         headers[MAX_HEADERS] = {
        HOST, EXAMPLE_DATE, SHA(CHORUS_UNSIGNED_PAYLOAD)
    };

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW);
    verifier.secret_of = rotating_secret_of;
    sign_header("/b/k", headers, value, sizeof(value));

    current_secret = EXAMPLE_SECRET;
    check_int("before", verify(&verifier, "PUT", "/b/k", headers, &auth,
                               &refusal), CHORUS_OK);

    current_secret = "another";
    (void) verify(&verifier, "PUT", "/b/k", headers, &auth, &refusal);
    check_int("behind", refusal.code, CHORUS_S3_SIGNATURE_DOES_NOT_MATCH);

    current_secret = NULL;
    (void) verify(&verifier, "PUT", "/b/k", headers, &auth, &refusal);
    check_int("gone", refusal.code, CHORUS_S3_INVALID_ACCESS_KEY_ID);
}


static void
forward_target(void **state)
{
    size_t          i;
    chorus_uri_t    uri;
    chorus_auth_t   auth;

#define V4_ALL                                                                \
    "X-Amz-Algorithm=a&X-Amz-Credential=b&X-Amz-Date=c&X-Amz-Expires=d&"      \
    "X-Amz-SignedHeaders=e&X-Amz-Security-Token=f&X-Amz-Content-Sha256=g&"    \
    "X-Amz-Signature=h"

    static const struct {
        chorus_auth_kind_t   kind;
        const char          *target;
        const char          *expected;
    } rows[] = {
        { CHORUS_AUTH_V4_QUERY, "/b/k?" V4_ALL, "/b/k" },
        { CHORUS_AUTH_V4_QUERY, "/b/k?x=1&x&" V4_ALL, "/b/k?x=1&x" },
        { CHORUS_AUTH_V4_QUERY, "/b/k?" V4_ALL "&x=%2f&a=", "/b/k?x=%2f&a=" },
        { CHORUS_AUTH_V4_QUERY, "/b//k%2f?z&X-Amz-Date=1&a&X-Amz-Expires=9&z",
          "/b//k%2f?z&a&z" },
        { CHORUS_AUTH_V4_QUERY, "/b/k?Signature=1&Expires=2&" V4_ALL,
          "/b/k?Signature=1&Expires=2" },
        { CHORUS_AUTH_V4_QUERY, "/b/a+b?p=a+b&" V4_ALL, "/b/a+b?p=a%20b" },
        { CHORUS_AUTH_V2_QUERY,
          "/b/k?AWSAccessKeyId=a&Expires=1&acl&Signature=x%3D&"
          "x-amz-security-token=t", "/b/k?acl" },
        { CHORUS_AUTH_V2_QUERY, "/b/k?AWSAccessKeyId=a&Expires=1&Signature=x",
          "/b/k" },
        { CHORUS_AUTH_V4_HEADER, "/b/k?Expires=1&a&&b=&",
          "/b/k?Expires=1&a&&b=&" },
        { CHORUS_AUTH_V4_HEADER, "/b/k?", "/b/k?" },
        { CHORUS_AUTH_V4_HEADER, "/b/k", "/b/k" },
        { CHORUS_AUTH_ANONYMOUS, "/b?p=+", "/b?p=%20" },
    };

    (void) state;

    memset(&auth, 0, sizeof(auth));
    auth.plus_is_space = true;

    for (i = 0; i < NROWS(rows); i++) {
        auth.kind = rows[i].kind;
        check_int(rows[i].target,
                  chorus_uri_parse(&mem, chorus_str_from(rows[i].target),
                                   &uri, NULL),
                  CHORUS_OK);
        check_str(rows[i].target, chorus_auth_target(&mem, &uri, &auth),
                  rows[i].expected);
    }
}


/* In the header, too, '+' is read as it was signed. */
static void
read_plus_in_header(void **state)
{
    size_t                  i;
    char                    value[512];
    chorus_rc_t             rc;
    chorus_auth_t           auth;
    chorus_s3_refusal_t     refusal;
    chorus_auth_verifier_t  verifier;
    chorus_header_t         headers[MAX_HEADERS] = {
        HOST, EXAMPLE_DATE, SHA(CHORUS_UNSIGNED_PAYLOAD)
    };

    static const struct {
        const char        *signed_as;
        chorus_s3_code_t   code;
        bool               is_space;
    } rows[] = {
        { "/b?prefix=a%20b", CHORUS_S3_OK, true },
        { "/b?prefix=a%2Bb", CHORUS_S3_OK, false },
        { "/b?prefix=a%2Cb", CHORUS_S3_SIGNATURE_DOES_NOT_MATCH, false },
    };

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW);

    for (i = 0; i < NROWS(rows); i++) {
        memset(&headers[3], 0, sizeof(headers[3]));
        sign_header(rows[i].signed_as, headers, value, sizeof(value));
        rc = verify(&verifier, "PUT", "/b?prefix=a+b", headers, &auth,
                    &refusal);
        check_refusal(rows[i].signed_as, rc, &refusal, rows[i].code, NULL);
        check_int(rows[i].signed_as, auth.plus_is_space, rows[i].is_space);
    }
}


/* ---- against botocore ---- */


static chorus_str_t
json_text(const json_t *json)
{
    return (chorus_str_t) {
        json_string_value(json), json_string_length(json)
    };
}


static chorus_auth_kind_t
kind_of(const json_t *vector)
{
    const char  *kind;

    kind = json_string_value(json_object_get(vector, "kind"));

    return strcmp(kind, "v4-query") == 0 ? CHORUS_AUTH_V4_QUERY
           : strcmp(kind, "v2-query") == 0 ? CHORUS_AUTH_V2_QUERY
           : CHORUS_AUTH_V2_HEADER;
}


static void
verify_botocore(void **state)
{
    size_t                   i, n;
    json_t                  *vectors, *vector, *pair;
    chorus_rc_t              rc;
    const char              *name;
    chorus_uri_t             uri;
    json_error_t             json_error;
    chorus_auth_t            auth;
    chorus_header_t          headers[32];
    chorus_s3_refusal_t      refusal;
    chorus_sigv4_request_t   request;
    chorus_auth_verifier_t   verifier;

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW);
    vectors = json_load_file("t/unit/vectors/botocore_urls.json", 0,
                             &json_error);
    assert_non_null(vectors);
    assert_true(json_array_size(vectors) > 300);

    json_array_foreach(vectors, i, vector) {

        name = json_string_value(json_object_get(vector, "name"));
        check_int(name,
                  chorus_uri_parse(&mem,
                      json_text(json_object_get(vector, "target")), &uri,
                      NULL),
                  CHORUS_OK);

        request.method = json_text(json_object_get(vector, "method"));
        request.uri = &uri;
        request.headers = headers;
        request.nheaders = 0;

        json_array_foreach(json_object_get(vector, "headers"), n, pair) {
            assert_true(n < NROWS(headers));
            headers[n].name = json_text(json_array_get(pair, 0));
            headers[n].value = json_text(json_array_get(pair, 1));
            request.nheaders++;
        }

        rc = chorus_auth_verify(&verifier, &request, &auth, &refusal);
        check_refusal(name, rc, &refusal, CHORUS_S3_OK, NULL);
        check_int(name, auth.kind, kind_of(vector));

        request.method = chorus_str("POKE");
        (void) chorus_auth_verify(&verifier, &request, &auth, &refusal);
        check_int(name, refusal.code, CHORUS_S3_SIGNATURE_DOES_NOT_MATCH);
    }

    json_decref(vectors);
}


test_main(crypto_setup, crypto_teardown,
    test_row(find_credentials),
    test_row(accept_v2_on_request_only),
    test_row(let_nobody_in),
    test_row(give_signing_key),
    test_row(rotate_secret),
    test_row(forward_target),
    test_row(read_plus_in_header),
    test_row(verify_botocore)
)
