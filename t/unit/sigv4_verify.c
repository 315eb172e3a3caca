/* The Authorization header: parsing, and each refusal of the verification. */

#include <jansson.h>

#include "chorus_auth.h"
#include "sigv4_examples.h"
#include "test.h"

#define SIG \
    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
#define CRED   "Credential=AK/20130524/us-east-1/s3/aws4_request"
#define NAMES  "SignedHeaders=host;x-amz-date"
#define ALGO   "AWS4-HMAC-SHA256 "

#define PLAIN_NAMES  "host;x-amz-content-sha256;x-amz-date"
#define PLAIN_HEADERS                                                         \
    HEADER("Host", "h"), EXAMPLE_DATE,                                        \
    HEADER("x-amz-content-sha256", CHORUS_UNSIGNED_PAYLOAD)


static void
parse_authorizations(void **state)
{
    size_t               i;
    chorus_rc_t          rc;
    chorus_sigv4_auth_t  auth;
    chorus_s3_refusal_t  refusal;

    static const struct {
        const char        *name;
        const char        *input;
        chorus_s3_code_t   code;
        const char        *access_key;
        const char        *message;
    } rows[] = {

        { "as SDKs write it",
          ALGO CRED ", " NAMES ", Signature=" SIG,
          CHORUS_S3_OK, "AK", NULL },
        { "no blanks",
          ALGO CRED "," NAMES ",Signature=" SIG,
          CHORUS_S3_OK, "AK", NULL },
        { "blanks everywhere they may be",
          "  AWS4-HMAC-SHA256   " CRED "  ,\t" NAMES " ,  Signature=" SIG "  ",
          CHORUS_S3_OK, "AK", NULL },
        { "another order",
          ALGO "Signature=" SIG "," NAMES ", " CRED,
          CHORUS_S3_OK, "AK", NULL },
        { "slashes in the access key",
          ALGO "Credential=a/b//20130524/r/s3/aws4_request, " NAMES
          ", Signature=" SIG, CHORUS_S3_OK, "a/b/", NULL },

        { "SigV4A", "AWS4-ECDSA-P256-SHA256 " CRED ", " NAMES,
          CHORUS_S3_NOT_IMPLEMENTED, NULL, "AWS4-ECDSA-P256-SHA256" },
        { "SigV2", "AWS AK:c2lnbmF0dXJl",
          CHORUS_S3_INVALID_REQUEST, NULL,
          "The authorization mechanism you have provided is not supported. "
          "Please use AWS4-HMAC-SHA256." },
        { "Basic", "Basic dXNlcjpwYXNz",
          CHORUS_S3_INVALID_ARGUMENT, NULL, "Unsupported Authorization Type" },
        { "another AWS4 algorithm", "AWS4-HMAC-SHA512 " CRED,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "algorithm" },
        { "empty", "",
          CHORUS_S3_INVALID_ARGUMENT, NULL, "Unsupported" },
        { "algorithm alone", "AWS4-HMAC-SHA256",
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "component" },
        { "lower case algorithm", "aws4-hmac-sha256 " CRED,
          CHORUS_S3_INVALID_ARGUMENT, NULL, "Unsupported" },

        { "no Credential", ALGO NAMES ", Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "missing" },
        { "no SignedHeaders", ALGO CRED ", Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "missing" },
        { "no Signature", ALGO CRED ", " NAMES,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "missing" },
        { "two Credentials",
          ALGO CRED ", " CRED ", " NAMES ", Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "twice" },
        { "two Signatures",
          ALGO CRED ", " NAMES ", Signature=" SIG ", Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "twice" },
        { "unknown component",
          ALGO CRED ", " NAMES ", Signature=" SIG ", X=1",
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "component" },
        { "comma at the end",
          ALGO CRED ", " NAMES ", Signature=" SIG ",",
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "component" },
        { "blank around =",
          ALGO "Credential =AK/20130524/r/s3/aws4_request, " NAMES
          ", Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "component" },
        { "other case of a component",
          ALGO "credential=AK/20130524/r/s3/aws4_request, " NAMES
          ", Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "component" },
        { "empty Signature", ALGO CRED ", " NAMES ", Signature=",
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "empty" },

        { "scope of four parts",
          ALGO "Credential=20130524/r/s3/aws4_request, " NAMES
          ", Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "Credential" },
        { "empty access key",
          ALGO "Credential=/20130524/r/s3/aws4_request, " NAMES
          ", Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "Credential" },
        { "empty region",
          ALGO "Credential=AK/20130524//s3/aws4_request, " NAMES
          ", Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "Credential" },
        { "empty service",
          ALGO "Credential=AK/20130524/r//aws4_request, " NAMES
          ", Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "Credential" },
        { "short day",
          ALGO "Credential=AK/2013052/r/s3/aws4_request, " NAMES
          ", Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "date" },
        { "day of letters",
          ALGO "Credential=AK/2013052x/r/s3/aws4_request, " NAMES
          ", Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "date" },
        { "other terminator",
          ALGO "Credential=AK/20130524/r/s3/aws3_request, " NAMES
          ", Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "terminal" },

        { "upper-case signed header",
          ALGO CRED ", SignedHeaders=Host;x-amz-date, Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "lower case" },
        { "empty signed header",
          ALGO CRED ", SignedHeaders=host;;x-amz-date, Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "SignedHeaders" },
        { "semicolon at the end",
          ALGO CRED ", SignedHeaders=host;, Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "SignedHeaders" },
        { "blank in signed headers",
          ALGO CRED ", SignedHeaders=host; x-amz-date, Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "SignedHeaders" },
        { "colon in signed headers",
          ALGO CRED ", SignedHeaders=host:h, Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "SignedHeaders" },
        { "line break in signed headers",
          ALGO CRED ", SignedHeaders=host\nx, Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "SignedHeaders" },

        { "a signed header twice",
          ALGO CRED ", SignedHeaders=host;x-a;host, Signature=" SIG,
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "each once" },

        { "short signature", ALGO CRED ", " NAMES ", Signature=f0e8",
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "64" },
        { "long signature", ALGO CRED ", " NAMES ", Signature=" SIG "0",
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "64" },
        { "upper-case signature", ALGO CRED ", " NAMES ", Signature="
          "F0E8BDB87C964420E857BD35B5D6ED310BD44F0170ABA48DD91039C6036BDB41",
          CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL, "64" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        rc = chorus_sigv4_parse(chorus_str_from(rows[i].input), &auth,
                                &refusal);

        check_int(rows[i].name, refusal.code, rows[i].code);
        check_int(rows[i].name, rc,
                  rows[i].code == CHORUS_S3_OK ? CHORUS_OK : CHORUS_ERROR);

        if (rows[i].access_key != NULL) {
            check_str(rows[i].name, auth.access_key, rows[i].access_key);
            check_str(rows[i].name, auth.signature, SIG);
            check_str(rows[i].name, auth.signed_headers, "host;x-amz-date");
            check_str(rows[i].name, auth.day, "20130524");
            check_str(rows[i].name, auth.service, "s3");

        } else {
            check_has(rows[i].name, refusal.message.data, rows[i].message);
        }
    }
}


/* A long header, many names: bounded, and never read beyond. */
static void
parse_bounds(void **state)
{
    size_t               i;
    chorus_buf_t         buf;
    chorus_sigv4_auth_t  auth;
    chorus_s3_refusal_t  refusal;

    static const struct {
        const char  *name;
        size_t       nnames;
        size_t       key_len;
        bool         ok;
    } rows[] = {
        { "most names", 128, 2, true },
        { "too many names", 129, 2, false },
        { "longest key", 1, 128, true },
        { "key too long", 1, 129, false },
        { "header too long", 1, 9000, false }
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        size_t  n;

        buf = chorus_buf(&mem, 0);
        chorus_buf_text(&buf, ALGO "Credential=");

        for (n = 0; n < rows[i].key_len; n++) {
            chorus_buf_char(&buf, 'A');
        }

        chorus_buf_text(&buf, "/20130524/r/s3/aws4_request,SignedHeaders=h");

        for (n = 1; n < rows[i].nnames; n++) {
            chorus_buf_text(&buf, ";h");
            chorus_buf_u64(&buf, n);
        }

        chorus_buf_text(&buf, ",Signature=" SIG);

        check_int(rows[i].name,
                  chorus_sigv4_parse(chorus_buf_str(&buf), &auth, &refusal),
                  rows[i].ok ? CHORUS_OK : CHORUS_ERROR);
    }
}


/* No prefix of a good header is good, and none is read beyond its end. */
static void
parse_prefixes(void **state)
{
    char                 *copy;
    size_t                n;
    chorus_sigv4_auth_t   auth;
    chorus_s3_refusal_t   refusal;

    static const char  whole[] = ALGO CRED ", " NAMES ", Signature=" SIG;

    (void) state;

    for (n = 0; n < sizeof(whole) - 1; n++) {
        copy = malloc(n + 1);
        memcpy(copy, whole, n);
        assert_int_equal(chorus_sigv4_parse((chorus_str_t) { copy, n }, &auth,
                                            &refusal), CHORUS_ERROR);
        free(copy);
    }
}


/* ---- verification ---- */


static chorus_str_t
secret_of(void *data, chorus_str_t access_key)
{
    (void) data;

    if (chorus_str_eq(access_key, chorus_str(EXAMPLE_ACCESS_KEY))) {
        return chorus_str(EXAMPLE_SECRET);
    }

    return chorus_null_str;
}


static chorus_auth_verifier_t
verifier_at(int64_t now, const char *region)
{
    return (chorus_auth_verifier_t) {
        &mem, crypto, keys, now, chorus_str_from(region), secret_of, NULL,
        false, false, chorus_null_str
    };
}


/* `headers` has room for one more; the signature is made by the stages. */
static void
authorize(chorus_sigv4_request_t *request, chorus_header_t *headers,
    const char *access_key, const char *scope, const char *date,
    const char *signed_headers)
{
    char            hex[CHORUS_SIGNATURE_LEN];
    chorus_buf_t    buf;
    chorus_str_t    canonical, to_sign, rest, day, region, service;
    unsigned char   key[CHORUS_SHA256_LEN];

    rest = chorus_str_from(scope);
    day = chorus_str_cut(&rest, '/');
    region = chorus_str_cut(&rest, '/');
    service = chorus_str_cut(&rest, '/');

    canonical = chorus_sigv4_canonical_request(&mem, request,
        chorus_str_from(signed_headers));
    to_sign = chorus_sigv4_string_to_sign(&mem, crypto,
        chorus_str_from(date), chorus_str_from(scope), canonical);

    assert_true(chorus_sigv4_signing_key(crypto, chorus_str(EXAMPLE_SECRET),
                                         day, region, service, key));
    assert_true(chorus_sigv4_signature(crypto, key, to_sign, hex));

    buf = chorus_buf(&mem, 0);
    chorus_buf_text(&buf, ALGO "Credential=");
    chorus_buf_text(&buf, access_key);
    chorus_buf_char(&buf, '/');
    chorus_buf_text(&buf, scope);
    chorus_buf_text(&buf, ", SignedHeaders=");
    chorus_buf_text(&buf, signed_headers);
    chorus_buf_text(&buf, ", Signature=");
    chorus_buf_add(&buf, (chorus_str_t) { hex, sizeof(hex) });

    headers[request->nheaders].name = chorus_str("authorization");
    headers[request->nheaders].value = chorus_buf_str(&buf);
    request->nheaders++;
}


static void
verify_published_requests(void **state)
{
    size_t                    i, n, pass;
    chorus_rc_t               rc;
    chorus_uri_t              uri;
    chorus_header_t           headers[9];
    chorus_auth_t             auth;
    chorus_s3_refusal_t       refusal;
    const sigv4_example_t    *example;
    chorus_sigv4_request_t    request;
    chorus_auth_verifier_t    verifier;

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW, "us-east-1");

    for (i = 0; i < NROWS(sigv4_examples); i++) {

        example = &sigv4_examples[i];
        example_request(example, &uri, &request, &mem);

        memcpy(headers, request.headers,
               request.nheaders * sizeof(chorus_header_t));

        for (n = 0; n < request.nheaders; n++) {
            if (strcmp(headers[n].name.data, "x-amz-content-sha256") == 0) {
                headers[n].value = chorus_str_from(example->payload);
            }
        }

        authorize(&request, headers, EXAMPLE_ACCESS_KEY, EXAMPLE_SCOPE,
                  "20130524T000000Z", example->signed_headers);
        request.headers = headers;
        request.payload = chorus_null_str;

        for (pass = 0; pass < 2; pass++) {      /* with and from the cache */
            rc = chorus_auth_verify(&verifier, &request, &auth, &refusal);

            check_int(example->name, refusal.code, CHORUS_S3_OK);
            check_int(example->name, rc, CHORUS_OK);
            check_int(example->name, auth.kind, CHORUS_AUTH_V4_HEADER);
            check_int(example->name,
                      auth.payload_kind >= CHORUS_PAYLOAD_SIGNED_CHUNKS,
                      example->is_streaming);
            check_str(example->name, auth.v4.scope, EXAMPLE_SCOPE);
            check_str(example->name, chorus_str_from(auth.date),
                      "20130524T000000Z");
            check_str(example->name, auth.access_key, EXAMPLE_ACCESS_KEY);
            check_str(example->name, auth.v4.signature, example->signature);
            check_str(example->name, request.payload, example->payload);
        }
    }
}


typedef struct {
    const char        *name;
    const char        *target;
    chorus_header_t    headers[8];
    const char        *signed_headers;      /* NULL: not signed at all */
    chorus_s3_code_t   code;
    const char        *message;             /* part of it, may be NULL */

    const char        *access_key;          /* NULL: the example's */
    const char        *scope;               /* likewise */
    const char        *date;                /* likewise */
    int64_t            skew;                /* of our clock, seconds */
    const char        *region;              /* ours; NULL: us-east-1 */
} verify_row_t;


static const verify_row_t  verify_rows[] = {

    { "good", "/b/k", { PLAIN_HEADERS }, PLAIN_NAMES, CHORUS_S3_OK, NULL,
      NULL, NULL, NULL, 0, NULL },
    { "more signed than needed", "/b/k",
      { PLAIN_HEADERS, HEADER("Range", "bytes=0-") },
      "range;" PLAIN_NAMES, CHORUS_S3_OK, NULL,
      NULL, NULL, NULL, 0, NULL },
    { "order of signed headers is the client's", "/b/k", { PLAIN_HEADERS },
      "x-amz-date;host;x-amz-content-sha256", CHORUS_S3_OK, NULL,
      NULL, NULL, NULL, 0, NULL },
    { "other case of names", "/b/k",
      { HEADER("HOST", "h"), HEADER("X-AMZ-DATE", "20130524T000000Z"),
        HEADER("X-Amz-Content-SHA256", CHORUS_EMPTY_SHA256) },
      PLAIN_NAMES, CHORUS_S3_OK, NULL, NULL, NULL, NULL, 0, NULL },
    { "unescaped path", "/b/a b(c)+d", { PLAIN_HEADERS }, PLAIN_NAMES,
      CHORUS_S3_OK, NULL, NULL, NULL, NULL, 0, NULL },
    { "query", "/b?z&y=1+2&x=%2f", { PLAIN_HEADERS }, PLAIN_NAMES,
      CHORUS_S3_OK, NULL, NULL, NULL, NULL, 0, NULL },

    { "no Authorization", "/b/k", { PLAIN_HEADERS }, NULL,
      CHORUS_S3_ACCESS_DENIED, NULL, NULL, NULL, NULL, 0, NULL },
    { "two Authorizations", "/b/k",
      { PLAIN_HEADERS, HEADER("Authorization", "x") }, PLAIN_NAMES,
      CHORUS_S3_INVALID_REQUEST, "repeated", NULL, NULL, NULL, 0, NULL },
    { "a broken Authorization", "/b/k",
      { PLAIN_HEADERS, HEADER("Authorization", ALGO "x") }, NULL,
      CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, NULL,
      NULL, NULL, NULL, 0, NULL },

    { "header and query credentials", "/b/k?X-Amz-Signature=0",
      { PLAIN_HEADERS }, PLAIN_NAMES, CHORUS_S3_INVALID_ARGUMENT,
      "Only one auth mechanism allowed", NULL, NULL, NULL, 0, NULL },
    { "header and V2 query credentials", "/b/k?AWSAccessKeyId=A&Signature=0",
      { PLAIN_HEADERS }, PLAIN_NAMES, CHORUS_S3_INVALID_ARGUMENT,
      "Only one auth mechanism allowed", NULL, NULL, NULL, 0, NULL },

    { "no date", "/b/k",
      { HEADER("Host", "h"),
        HEADER("x-amz-content-sha256", CHORUS_UNSIGNED_PAYLOAD) },
      "host;x-amz-content-sha256", CHORUS_S3_ACCESS_DENIED,
      "AWS authentication requires a valid Date or x-amz-date header",
      NULL, NULL, NULL, 0, NULL },
    { "a broken date", "/b/k",
      { HEADER("Host", "h"), HEADER("x-amz-date", "yesterday"),
        HEADER("x-amz-content-sha256", CHORUS_UNSIGNED_PAYLOAD) },
      PLAIN_NAMES, CHORUS_S3_ACCESS_DENIED, "valid Date",
      NULL, NULL, NULL, 0, NULL },
    { "Date alone", "/b/k",
      { HEADER("Host", "h"), HEADER("Date", "Fri, 24 May 2013 00:00:00 GMT"),
        HEADER("x-amz-content-sha256", CHORUS_UNSIGNED_PAYLOAD) },
      "date;host;x-amz-content-sha256", CHORUS_S3_OK, NULL,
      NULL, NULL, NULL, 0, NULL },
    { "x-amz-date goes before Date", "/b/k",
      { PLAIN_HEADERS, HEADER("Date", "Sat, 25 May 2013 09:00:00 GMT") },
      PLAIN_NAMES, CHORUS_S3_OK, NULL, NULL, NULL, NULL, 0, NULL },
    { "two x-amz-date", "/b/k", { PLAIN_HEADERS, EXAMPLE_DATE }, PLAIN_NAMES,
      CHORUS_S3_INVALID_REQUEST, "repeated", NULL, NULL, NULL, 0, NULL },

    { "early by 15 minutes", "/b/k", { PLAIN_HEADERS }, PLAIN_NAMES,
      CHORUS_S3_OK, NULL, NULL, NULL, NULL, -900, NULL },
    { "late by 15 minutes", "/b/k", { PLAIN_HEADERS }, PLAIN_NAMES,
      CHORUS_S3_OK, NULL, NULL, NULL, NULL, 900, NULL },
    { "too early", "/b/k", { PLAIN_HEADERS }, PLAIN_NAMES,
      CHORUS_S3_REQUEST_TIME_TOO_SKEWED, NULL, NULL, NULL, NULL, -901, NULL },
    { "too late", "/b/k", { PLAIN_HEADERS }, PLAIN_NAMES,
      CHORUS_S3_REQUEST_TIME_TOO_SKEWED, NULL, NULL, NULL, NULL, 901, NULL },

    { "another day in the scope", "/b/k", { PLAIN_HEADERS }, PLAIN_NAMES,
      CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, "date",
      NULL, "20130523/us-east-1/s3/aws4_request", NULL, 0, NULL },
    { "another service", "/b/k", { PLAIN_HEADERS }, PLAIN_NAMES,
      CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, "service",
      NULL, "20130524/us-east-1/ec2/aws4_request", NULL, 0, NULL },
    { "another region", "/b/k", { PLAIN_HEADERS }, PLAIN_NAMES,
      CHORUS_S3_WRONG_REGION,
      "the region 'us-west-2' is wrong; expecting 'us-east-1'",
      NULL, "20130524/us-west-2/s3/aws4_request", NULL, 0, NULL },
    { "any region", "/b/k", { PLAIN_HEADERS }, PLAIN_NAMES,
      CHORUS_S3_OK, NULL,
      NULL, "20130524/us-west-2/s3/aws4_request", NULL, 0, "*" },

    { "host not signed", "/b/k", { PLAIN_HEADERS },
      "x-amz-content-sha256;x-amz-date", CHORUS_S3_HEADERS_NOT_SIGNED,
      NULL, NULL, NULL, NULL, 0, NULL },
    { "an x-amz-* header not signed", "/b/k",
      { PLAIN_HEADERS, HEADER("X-Amz-Acl", "public-read"),
        HEADER("x-amz-meta-a", "1") },
      PLAIN_NAMES, CHORUS_S3_HEADERS_NOT_SIGNED, NULL,
      NULL, NULL, NULL, 0, NULL },
    { "an x-amz-* header called as two that are signed", "/b/k",
      { PLAIN_HEADERS, HEADER("x-amz-content-sha256;x-amz-date", "v") },
      PLAIN_NAMES, CHORUS_S3_HEADERS_NOT_SIGNED, NULL,
      NULL, NULL, NULL, 0, NULL },
    { "an x-amz-* header in disguise, not signed", "/b/k",
      { PLAIN_HEADERS, HEADER("X_Amz_Acl", "public-read") },
      PLAIN_NAMES, CHORUS_S3_HEADERS_NOT_SIGNED, NULL,
      NULL, NULL, NULL, 0, NULL },
    { "an x-amz-* header in disguise, signed", "/b/k",
      { PLAIN_HEADERS, HEADER("x-amz_acl", "public-read") },
      PLAIN_NAMES ";x-amz_acl", CHORUS_S3_HEADERS_NOT_SIGNED, NULL,
      NULL, NULL, NULL, 0, NULL },
    { "a header that Ceph keeps as x-amz-meta-*, not signed", "/b/k",
      { PLAIN_HEADERS, HEADER("X-Rgw-Meta-A", "1") },
      PLAIN_NAMES, CHORUS_S3_HEADERS_NOT_SIGNED, NULL,
      NULL, NULL, NULL, 0, NULL },
    { "a header that Ceph keeps as x-amz-meta-*, signed", "/b/k",
      { PLAIN_HEADERS, HEADER("X-Goog-Meta-A", "1") },
      PLAIN_NAMES ";x-goog-meta-a", CHORUS_S3_OK, NULL,
      NULL, NULL, NULL, 0, NULL },
    { "other headers may be unsigned", "/b/k",
      { PLAIN_HEADERS, HEADER("Content-Type", "text/plain"),
        HEADER("x-amzn-trace-id", "1") },
      PLAIN_NAMES, CHORUS_S3_OK, NULL, NULL, NULL, NULL, 0, NULL },
    { "a signed header that is not there", "/b/k", { PLAIN_HEADERS },
      PLAIN_NAMES ";x-amz-security-token", CHORUS_S3_OK, NULL,
      NULL, NULL, NULL, 0, NULL },

    { "no payload line", "/b/k", { HEADER("Host", "h"), EXAMPLE_DATE },
      "host;x-amz-date", CHORUS_S3_INVALID_REQUEST,
      "Missing required header for this request: x-amz-content-sha256",
      NULL, NULL, NULL, 0, NULL },
    { "two payload lines", "/b/k",
      { PLAIN_HEADERS, HEADER("x-amz-content-sha256", CHORUS_EMPTY_SHA256) },
      PLAIN_NAMES, CHORUS_S3_INVALID_REQUEST, "repeated",
      NULL, NULL, NULL, 0, NULL },
    { "a payload line that is no digest", "/b/k",
      { HEADER("Host", "h"), EXAMPLE_DATE,
        HEADER("x-amz-content-sha256", "e3b0c44298fc") },
      PLAIN_NAMES, CHORUS_S3_INVALID_ARGUMENT, "x-amz-content-sha256 must be",
      NULL, NULL, NULL, 0, NULL },
    { "a digest in upper case", "/b/k",
      { HEADER("Host", "h"), EXAMPLE_DATE,
        HEADER("x-amz-content-sha256",
               "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B8"
               "55") },
      PLAIN_NAMES, CHORUS_S3_INVALID_ARGUMENT, NULL,
      NULL, NULL, NULL, 0, NULL },
    { "an unknown streaming literal", "/b/k",
      { HEADER("Host", "h"), EXAMPLE_DATE,
        HEADER("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA512-PAYLOAD")
      },
      PLAIN_NAMES, CHORUS_S3_INVALID_ARGUMENT, NULL,
      NULL, NULL, NULL, 0, NULL },

    { "an unknown access key", "/b/k", { PLAIN_HEADERS }, PLAIN_NAMES,
      CHORUS_S3_INVALID_ACCESS_KEY_ID, NULL, "AKNOBODY", NULL, NULL, 0,
      NULL },
    { "signed for another second", "/b/k", { PLAIN_HEADERS }, PLAIN_NAMES,
      CHORUS_S3_SIGNATURE_DOES_NOT_MATCH, NULL, NULL, NULL,
      "20130524T000001Z", 0, NULL },

    { "unsigned chunks", "/b/k",
      { HEADER("Host", "h"), EXAMPLE_DATE,
        HEADER("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
      },
      PLAIN_NAMES, CHORUS_S3_OK, NULL,
      NULL, NULL, NULL, 0, NULL },
    { "chunks signed with SigV4A", "/b/k",
      { HEADER("Host", "h"), EXAMPLE_DATE,
        HEADER("x-amz-content-sha256",
               "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD") },
      PLAIN_NAMES, CHORUS_S3_NOT_IMPLEMENTED, "Version 4A",
      NULL, NULL, NULL, 0, NULL },
    { "chunks signed with SigV4A under a bad signature", "/b/k",
      { HEADER("Host", "h"), EXAMPLE_DATE,
        HEADER("x-amz-content-sha256",
               "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD") },
      PLAIN_NAMES, CHORUS_S3_SIGNATURE_DOES_NOT_MATCH, NULL,
      NULL, NULL, "20130524T000001Z", 0, NULL },
    { "unsigned chunks under a bad signature", "/b/k",
      { HEADER("Host", "h"), EXAMPLE_DATE,
        HEADER("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
      },
      PLAIN_NAMES, CHORUS_S3_SIGNATURE_DOES_NOT_MATCH, NULL,
      NULL, NULL, "20130524T000001Z", 0, NULL },
};


static void
make_row(const verify_row_t *row, chorus_uri_t *uri,
    chorus_sigv4_request_t *request, chorus_header_t *headers)
{
    const chorus_header_t  *payload;

    assert_int_equal(chorus_uri_parse(&mem, chorus_str_from(row->target), uri,
                                      NULL),
                     CHORUS_OK);

    request->method = chorus_str("PUT");
    request->uri = uri;
    request->headers = headers;
    request->nheaders = 0;

    while (request->nheaders < NROWS(row->headers)
           && row->headers[request->nheaders].name.data != NULL)
    {
        headers[request->nheaders] = row->headers[request->nheaders];
        request->nheaders++;
    }

    payload = chorus_header(headers, request->nheaders,
                            chorus_str("x-amz-content-sha256"));
    request->payload = payload == NULL ? chorus_str("") : payload->value;

    if (row->signed_headers != NULL) {
        authorize(request, headers,
                  row->access_key == NULL ? EXAMPLE_ACCESS_KEY
                                          : row->access_key,
                  row->scope == NULL ? EXAMPLE_SCOPE : row->scope,
                  row->date == NULL ? "20130524T000000Z" : row->date,
                  row->signed_headers);
    }
}


static void
verify_refusals(void **state)
{
    size_t                    i;
    chorus_rc_t               rc;
    chorus_uri_t              uri;
    chorus_header_t           headers[9];
    const verify_row_t       *row;
    chorus_auth_t             auth;
    chorus_s3_refusal_t       refusal;
    chorus_sigv4_request_t    request;
    chorus_auth_verifier_t    verifier;

    (void) state;

    for (i = 0; i < NROWS(verify_rows); i++) {

        row = &verify_rows[i];
        make_row(row, &uri, &request, headers);

        verifier = verifier_at(EXAMPLE_NOW + row->skew,
                               row->region == NULL ? "us-east-1"
                                                   : row->region);

        rc = chorus_auth_verify(&verifier, &request, &auth, &refusal);

        check_int(row->name, refusal.code, row->code);
        check_int(row->name, rc,
                  row->code == CHORUS_S3_OK ? CHORUS_OK : CHORUS_ERROR);

        if (row->message != NULL) {
            check_has(row->name,
                      chorus_str_dup(&mem, refusal.message).data,
                      row->message);
        }
    }
}


static void
refusals_name_what_is_wrong(void **state)
{
    size_t                    i;
    chorus_uri_t              uri;
    chorus_header_t           headers[9];
    chorus_auth_t             auth;
    chorus_s3_refusal_t       refusal;
    chorus_sigv4_request_t    request;
    chorus_auth_verifier_t    verifier;

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW, "us-east-1");

    for (i = 0; i < NROWS(verify_rows); i++) {

        const char  *name = verify_rows[i].name;

        make_row(&verify_rows[i], &uri, &request, headers);
        (void) chorus_auth_verify(&verifier, &request, &auth, &refusal);

        if (strcmp(name, "host not signed") == 0) {
            check_str(name, refusal.headers, "host");

        } else if (strcmp(name, "an x-amz-* header not signed") == 0) {
            check_str(name, refusal.headers, "X-Amz-Acl, x-amz-meta-a");

        } else if (strcmp(name, "another region") == 0) {
            check_str(name, refusal.region, "us-east-1");

        } else if (strcmp(name, "an unknown access key") == 0) {
            check_str(name, refusal.access_key, "AKNOBODY");

        } else if (strcmp(name, "a payload line that is no digest") == 0) {
            check_str(name, refusal.argument_name, "x-amz-content-sha256");
            check_str(name, refusal.argument_value, "e3b0c44298fc");
        }
    }
}


/* Whatever is changed after signing, the signature no longer matches. */
static void
verify_changed_requests(void **state)
{
    size_t                    i;
    chorus_uri_t              uri, other;
    chorus_header_t           headers[9];
    chorus_auth_t             auth;
    chorus_s3_refusal_t       refusal;
    chorus_sigv4_request_t    request;
    chorus_auth_verifier_t    verifier;

    static const verify_row_t  row = {
        "changed", "/b/k?a=1",
        { PLAIN_HEADERS, HEADER("x-amz-meta-a", "1") },
        PLAIN_NAMES ";x-amz-meta-a", CHORUS_S3_OK, NULL, NULL, NULL, NULL, 0,
        NULL
    };

    static const char  *const targets[] = {
        "/b/K?a=1", "/b/k/?a=1", "/b//k?a=1", "/c/k?a=1", "/b/k?a=2",
        "/b/k", "/b/k?a=1&a=1", "/b/k?a=1&acl", "/b/./k?a=1", "/b/k%20?a=1"
    };

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW, "us-east-1");

    for (i = 0; i < NROWS(targets); i++) {
        make_row(&row, &uri, &request, headers);
        assert_int_equal(chorus_uri_parse(&mem, chorus_str_from(targets[i]),
                                          &other, NULL), CHORUS_OK);
        request.uri = &other;
        (void) chorus_auth_verify(&verifier, &request, &auth, &refusal);
        check_int(targets[i], refusal.code,
                  CHORUS_S3_SIGNATURE_DOES_NOT_MATCH);
        check_str(targets[i], refusal.access_key, EXAMPLE_ACCESS_KEY);
    }

    make_row(&row, &uri, &request, headers);
    request.method = chorus_str("DELETE");
    (void) chorus_auth_verify(&verifier, &request, &auth, &refusal);
    check_int("method", refusal.code, CHORUS_S3_SIGNATURE_DOES_NOT_MATCH);

    make_row(&row, &uri, &request, headers);
    headers[0].value = chorus_str("other");
    (void) chorus_auth_verify(&verifier, &request, &auth, &refusal);
    check_int("host", refusal.code, CHORUS_S3_SIGNATURE_DOES_NOT_MATCH);

    make_row(&row, &uri, &request, headers);
    headers[2].value = chorus_str(CHORUS_EMPTY_SHA256);
    (void) chorus_auth_verify(&verifier, &request, &auth, &refusal);
    check_int("payload", refusal.code, CHORUS_S3_SIGNATURE_DOES_NOT_MATCH);

    make_row(&row, &uri, &request, headers);
    headers[3].value = chorus_str("2");
    (void) chorus_auth_verify(&verifier, &request, &auth, &refusal);
    check_int("header", refusal.code, CHORUS_S3_SIGNATURE_DOES_NOT_MATCH);
}


/* ---- against botocore ---- */


static chorus_str_t
json_text(json_t *json)
{
    return (chorus_str_t) {
        json_string_value(json), json_string_length(json)
    };
}


/* The request signed anew gives the same header, where our signer signs the
 * same headers. */
static bool
sign_again(const chorus_sigv4_request_t *request,
    const chorus_sigv4_auth_t *auth, chorus_str_t authorization,
    const char *name)
{
    char                   expected[8192];
    chorus_str_t           date, again;
    chorus_sigv4_auth_t    mine;
    chorus_s3_refusal_t    refusal;
    chorus_sigv4_signer_t  signer;

    signer.mem = &mem;
    signer.crypto = crypto;
    signer.keys = NULL;
    signer.access_key = auth->access_key;
    signer.secret_key = chorus_str(EXAMPLE_SECRET);
    signer.region = auth->region;

    date = chorus_str("20130524T000000Z");
    again = chorus_sigv4_sign(&signer, request, date);

    assert_int_equal(chorus_sigv4_parse(again, &mine, &refusal), CHORUS_OK);

    if (!chorus_str_eq(mine.signed_headers, auth->signed_headers)) {
        return false;
    }

    (void) snprintf(expected, sizeof(expected), "%.*s",
                    chorus_fmt(authorization));
    check_str(name, again, expected);

    return true;
}


static void
verify_botocore(void **state)
{
    size_t                    i, n, signed_again;
    json_t                   *vectors, *vector, *pair;
    json_error_t              json_error;
    const char               *name;
    chorus_uri_t              uri;
    chorus_header_t           headers[100];
    chorus_auth_t             auth;
    chorus_s3_refusal_t       refusal;
    const chorus_header_t    *authorization;
    chorus_sigv4_request_t    request;
    chorus_auth_verifier_t    verifier;

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW, "us-east-1");
    vectors = json_load_file("t/unit/vectors/botocore.json", 0, &json_error);
    assert_non_null(vectors);
    signed_again = 0;

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

        (void) chorus_auth_verify(&verifier, &request, &auth, &refusal);
        check_int(name, refusal.code, CHORUS_S3_OK);

        authorization = chorus_header(headers, request.nheaders,
                                      chorus_str("authorization"));
        signed_again += sign_again(&request, &auth.v4, authorization->value,
                                   name);

        request.method = chorus_str("POKE");
        (void) chorus_auth_verify(&verifier, &request, &auth, &refusal);
        check_int(name, refusal.code, CHORUS_S3_SIGNATURE_DOES_NOT_MATCH);
    }

    assert_true(json_array_size(vectors) > 100);
    assert_true(signed_again > 50);

    json_decref(vectors);
}


test_main(crypto_setup, crypto_teardown,
    test_row(parse_authorizations),
    test_row(parse_bounds),
    test_row(parse_prefixes),
    test_row(verify_published_requests),
    test_row(verify_refusals),
    test_row(refusals_name_what_is_wrong),
    test_row(verify_changed_requests),
    test_row(verify_botocore)
)
