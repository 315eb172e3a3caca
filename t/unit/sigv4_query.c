/* Presigned URLs of Signature Version 4: the published one, the parameters,
 * the clock, what must be signed. */

#include "auth_host.h"

#define ALGORITHM   "X-Amz-Algorithm=AWS4-HMAC-SHA256"
#define CREDENTIAL                                                            \
    "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F"   \
    "aws4_request"
#define EXPIRES     "&X-Amz-Expires=86400"
#define DATED       "&X-Amz-Date=" DATE
#define NAMED       "&X-Amz-SignedHeaders=host"
#define PARAMETERS  ALGORITHM CREDENTIAL DATED EXPIRES NAMED
#define SIG         "&X-Amz-Signature="
#define ZEROS                                                                 \
    "0000000000000000000000000000000000000000000000000000000000000000"

#define MANDATORY   "requires the X-Amz-Algorithm, X-Amz-Credential"
#define QUERY_ERROR CHORUS_S3_AUTHORIZATION_QUERY_PARAMETERS
#define MISMATCH    CHORUS_S3_SIGNATURE_DOES_NOT_MATCH
#define NOT_SIGNED  CHORUS_S3_HEADERS_NOT_SIGNED


/* `target` with its signature at the end */
static char *
presign(const char *target, const chorus_header_t *headers, const char *date,
    const char *names, const char *payload)
{
    char          hex[CHORUS_SIGNATURE_LEN + 1];
    chorus_buf_t  buf;

    sign_v4("GET", target, headers, date, names, payload, hex);

    buf = chorus_buf(&mem, 512);
    chorus_buf_text(&buf, target);
    chorus_buf_text(&buf, SIG);
    chorus_buf_text(&buf, hex);
    chorus_buf_char(&buf, '\0');

    return buf.data;
}


static void
verify_published_url(void **state)
{
    chorus_rc_t             rc;
    chorus_uri_t            uri;
    chorus_auth_t           auth;
    chorus_s3_refusal_t     refusal;
    chorus_sigv4_request_t  request;
    chorus_auth_verifier_t  verifier;

    static const chorus_header_t  headers[MAX_HEADERS] = { EXAMPLE_HOST };

    static const char  target[] = "/test.txt?" PARAMETERS SIG
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW + 3600);
    make_request(&request, &uri, "GET", target, headers);

    rc = chorus_auth_verify(&verifier, &request, &auth, &refusal);
    check_refusal(target, rc, &refusal, CHORUS_S3_OK, NULL);

    check_int("kind", auth.kind, CHORUS_AUTH_V4_QUERY);
    check_str("access key", auth.access_key, EXAMPLE_ACCESS_KEY);
    check_str("payload", auth.payload, CHORUS_UNSIGNED_PAYLOAD);
    check_str("payload line", request.payload, CHORUS_UNSIGNED_PAYLOAD);
    check_str("scope", auth.v4.scope, EXAMPLE_SCOPE);
    check_str("date", chorus_str_from(auth.date), DATE);
    check_str("forwarded", chorus_auth_target(&mem, &uri, &auth),
              "/test.txt");
}


static void
verify_parameters(void **state)
{
    size_t                  i;
    chorus_rc_t             rc;
    chorus_auth_t           auth;
    chorus_s3_refusal_t     refusal;
    chorus_auth_verifier_t  verifier;

    static const chorus_header_t  headers[MAX_HEADERS] = { HOST };

    static const struct {
        const char        *name;
        const char        *target;      /* a good signature comes behind it */
        chorus_s3_code_t   code;
        const char        *message;
    } rows[] = {
        { "all of them", "/b/k?" PARAMETERS, CHORUS_S3_OK, NULL },
        { "in another order",
          "/b/k?" NAMED EXPIRES DATED CREDENTIAL "&" ALGORITHM,
          CHORUS_S3_OK, NULL },
        { "between others", "/b/k?acl&" PARAMETERS "&z=1&z=0", CHORUS_S3_OK,
          NULL },
        { "with a token", "/b/k?" PARAMETERS "&X-Amz-Security-Token=t%2B%2F",
          CHORUS_S3_OK, NULL },
        { "a slash that is not escaped",
          "/b/k?" ALGORITHM "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE/20130524/"
          "us-east-1/s3/aws4_request" DATED EXPIRES NAMED, CHORUS_S3_OK,
          NULL },

        { "no algorithm", "/b/k?a" CREDENTIAL DATED EXPIRES NAMED,
          QUERY_ERROR, MANDATORY },
        { "no credential", "/b/k?" ALGORITHM DATED EXPIRES NAMED,
          QUERY_ERROR, MANDATORY },
        { "no date", "/b/k?" ALGORITHM CREDENTIAL EXPIRES NAMED,
          QUERY_ERROR, MANDATORY },
        { "no expiry", "/b/k?" ALGORITHM CREDENTIAL DATED NAMED,
          QUERY_ERROR, MANDATORY },
        { "no signed headers", "/b/k?" ALGORITHM CREDENTIAL DATED EXPIRES,
          QUERY_ERROR, MANDATORY },
        { "an empty date",
          "/b/k?" ALGORITHM CREDENTIAL "&X-Amz-Date=" EXPIRES NAMED,
          QUERY_ERROR, MANDATORY },
        { "an expiry without '='",
          "/b/k?" ALGORITHM CREDENTIAL DATED "&X-Amz-Expires" NAMED,
          QUERY_ERROR, MANDATORY },

        { "the algorithm twice", "/b/k?" PARAMETERS "&" ALGORITHM,
          QUERY_ERROR, "only once" },
        { "the credential twice", "/b/k?" PARAMETERS CREDENTIAL,
          QUERY_ERROR, "only once" },
        { "the expiry twice", "/b/k?" PARAMETERS EXPIRES,
          QUERY_ERROR, "only once" },
        { "the signature twice", "/b/k?" PARAMETERS SIG ZEROS,
          QUERY_ERROR, "only once" },
        { "the payload twice", "/b/k?" PARAMETERS
          "&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"
          "&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD",
          QUERY_ERROR, "only once" },

        { "a name in lower case", "/b/k?" PARAMETERS "&x-amz-expires=9",
          QUERY_ERROR, "exact case" },
        { "a name with an escape", "/b/k?" PARAMETERS "&X-Amz-%45xpires=9",
          QUERY_ERROR, "exact case" },
        { "an escaped '='", "/b/k?" PARAMETERS "&X-Amz-Expires%3D9",
          QUERY_ERROR, "exact case" },
        { "a second '?'", "/b/k??X-Amz-Expires=9&" PARAMETERS,
          QUERY_ERROR, "exact case" },
        { "a name of V2 with an escape", "/b/k?" PARAMETERS "&%45xpires=9",
          QUERY_ERROR, "exact case" },
        { "a token in lower case", "/b/k?" PARAMETERS
          "&x-amz-security-token=t", QUERY_ERROR, "exact case" },

        { "SigV4A", "/b/k?X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256" CREDENTIAL
          DATED EXPIRES NAMED, CHORUS_S3_NOT_IMPLEMENTED, "Version 4A" },
        { "another algorithm", "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA512"
          CREDENTIAL DATED EXPIRES NAMED, QUERY_ERROR,
          "X-Amz-Algorithm only supports" },

        { "a short credential", "/b/k?" ALGORITHM
          "&X-Amz-Credential=AK%2F20130524%2Fs3%2Faws4_request" DATED EXPIRES
          NAMED, QUERY_ERROR, "the Credential is mal-formed" },
        { "a credential with another end", "/b/k?" ALGORITHM
          "&X-Amz-Credential=AK/20130524/us-east-1/s3/aws5_request" DATED
          EXPIRES NAMED, QUERY_ERROR, "terminal" },
        { "a credential of a day in letters", "/b/k?" ALGORITHM
          "&X-Amz-Credential=AK/2013052x/us-east-1/s3/aws4_request" DATED
          EXPIRES NAMED, QUERY_ERROR, "date format" },
        { "another day", "/b/k?" ALGORITHM
          "&X-Amz-Credential=AK/20130523/us-east-1/s3/aws4_request" DATED
          EXPIRES NAMED, QUERY_ERROR, "not the same as X-Amz-Date" },
        { "another service", "/b/k?" ALGORITHM
          "&X-Amz-Credential=AK/20130524/us-east-1/ec2/aws4_request" DATED
          EXPIRES NAMED, QUERY_ERROR, "incorrect service" },
        { "another region", "/b/k?" ALGORITHM
          "&X-Amz-Credential=AK/20130524/eu/s3/aws4_request" DATED EXPIRES
          NAMED, QUERY_ERROR, "the region 'eu' is wrong; expecting "
          "'us-east-1'" },
        { "an unknown access key", "/b/k?" ALGORITHM
          "&X-Amz-Credential=AK/20130524/us-east-1/s3/aws4_request" DATED
          EXPIRES NAMED, CHORUS_S3_INVALID_ACCESS_KEY_ID, NULL },

        { "a date of HTTP", "/b/k?" ALGORITHM CREDENTIAL
          "&X-Amz-Date=Fri,%2024%20May%202013%2000:00:00%20GMT" EXPIRES NAMED,
          QUERY_ERROR, "ISO8601 Long Format" },
        { "an impossible date", "/b/k?" ALGORITHM CREDENTIAL
          "&X-Amz-Date=20130532T000000Z" EXPIRES NAMED,
          QUERY_ERROR, "ISO8601 Long Format" },

        { "signed headers in upper case", "/b/k?" ALGORITHM CREDENTIAL DATED
          EXPIRES "&X-Amz-SignedHeaders=Host", QUERY_ERROR, "lower case" },
        { "a signed header twice", "/b/k?" ALGORITHM CREDENTIAL DATED
          EXPIRES "&X-Amz-SignedHeaders=host%3Bhost", QUERY_ERROR,
          "each once" },
        { "host is not signed", "/b/k?" ALGORITHM CREDENTIAL DATED EXPIRES
          "&X-Amz-SignedHeaders=range", NOT_SIGNED, NULL },

        { "an unknown payload", "/b/k?" PARAMETERS
          "&X-Amz-Content-Sha256=abc", CHORUS_S3_INVALID_ARGUMENT, NULL },
    };

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW);

    for (i = 0; i < NROWS(rows); i++) {
        rc = verify(&verifier, "GET",
                    presign(rows[i].target, headers, DATE, "host",
                            CHORUS_UNSIGNED_PAYLOAD),
                    headers, &auth, &refusal);
        check_refusal(rows[i].name, rc, &refusal, rows[i].code,
                      rows[i].message);
    }
}


/* Forms of the signature itself, over a request that is right. */
static void
verify_signatures(void **state)
{
    size_t                  i;
    char                    target[512];
    chorus_rc_t             rc;
    chorus_auth_t           auth;
    chorus_s3_refusal_t     refusal;
    chorus_auth_verifier_t  verifier;

    static const chorus_header_t  headers[MAX_HEADERS] = { HOST };

    static const struct {
        const char        *signature;
        chorus_s3_code_t   code;
    } rows[] = {
        { ZEROS, MISMATCH },
        { ZEROS "0", QUERY_ERROR },
        { "0", QUERY_ERROR },
        { "", QUERY_ERROR },
        { "000000000000000000000000000000000000000000000000000000000000000F",
          QUERY_ERROR },
        { "000000000000000000000000000000000000000000000000000000000000000g",
          QUERY_ERROR },
    };

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW);

    for (i = 0; i < NROWS(rows); i++) {
        (void) snprintf(target, sizeof(target), "/b/k?%s%s%s", PARAMETERS, SIG,
                        rows[i].signature);
        rc = verify(&verifier, "GET", target, headers, &auth, &refusal);
        check_refusal(rows[i].signature, rc, &refusal, rows[i].code, NULL);
    }
}


static void
keep_the_time(void **state)
{
    size_t                  i;
    char                    target[512];
    chorus_rc_t             rc;
    chorus_auth_t           auth;
    chorus_s3_refusal_t     refusal;
    chorus_auth_verifier_t  verifier;

    static const chorus_header_t  headers[MAX_HEADERS] = { HOST };

    static const struct {
        const char        *expires;
        int64_t            now;         /* seconds after X-Amz-Date */
        chorus_s3_code_t   code;
        const char        *message;
    } rows[] = {
        { "60", 0, CHORUS_S3_OK, NULL },
        { "60", 59, CHORUS_S3_OK, NULL },
        { "60", 60, CHORUS_S3_REQUEST_EXPIRED, "Request has expired" },
        { "60", 61, CHORUS_S3_REQUEST_EXPIRED, "Request has expired" },
        { "1", 0, CHORUS_S3_OK, NULL },
        { "1", 1, CHORUS_S3_REQUEST_EXPIRED, NULL },
        { "60", -900, CHORUS_S3_OK, NULL },
        { "60", -901, CHORUS_S3_ACCESS_DENIED, "Request is not valid yet" },
        { "3600", 901, CHORUS_S3_OK, NULL },
        { "604800", 604799, CHORUS_S3_OK, NULL },
        { "604800", 604800, CHORUS_S3_REQUEST_EXPIRED, NULL },
        { "604801", 0, QUERY_ERROR, "less than 604800 seconds" },
        { "18446744073709551615", 0, QUERY_ERROR, "less than 604800 seconds" },
        { "9223372036854775807", 0, QUERY_ERROR, "less than 604800 seconds" },
        { "18446744073709551616", 0, QUERY_ERROR, "should be a number" },
        { "0", 0, QUERY_ERROR, "at least 1" },
        { "-1", 0, QUERY_ERROR, "non-negative" },
        { "-x", 0, QUERY_ERROR, "should be a number" },
        { "foo", 0, QUERY_ERROR, "should be a number" },
        { "60s", 0, QUERY_ERROR, "should be a number" },
        { "+60", 0, QUERY_ERROR, "should be a number" },
        { "6e1", 0, QUERY_ERROR, "should be a number" },
        { "%2060", 0, QUERY_ERROR, "should be a number" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        (void) snprintf(target, sizeof(target), "/b/k?%s%s%s%s&X-Amz-Expires="
                        "%s", ALGORITHM, CREDENTIAL, DATED, NAMED,
                        rows[i].expires);

        verifier = verifier_at(EXAMPLE_NOW + rows[i].now);
        rc = verify(&verifier, "GET",
                    presign(target, headers, DATE, "host",
                            CHORUS_UNSIGNED_PAYLOAD),
                    headers, &auth, &refusal);
        check_refusal(rows[i].expires, rc, &refusal, rows[i].code,
                      rows[i].message);

        if (rows[i].code != CHORUS_S3_REQUEST_EXPIRED) {
            check_str(rows[i].expires, refusal.expires, NULL);
            check_str(rows[i].expires, refusal.amz_expires, NULL);
        }
    }
}


static void
name_the_times(void **state)
{
    chorus_auth_t           auth;
    chorus_s3_refusal_t     refusal;
    chorus_auth_verifier_t  verifier;

    static const chorus_header_t  headers[MAX_HEADERS] = { HOST };

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW + 86400);
    (void) verify(&verifier, "GET", "/b/k?" PARAMETERS SIG ZEROS, headers,
                  &auth, &refusal);

    check_int("code", refusal.code, CHORUS_S3_REQUEST_EXPIRED);
    check_str("X-Amz-Expires", refusal.amz_expires, "86400");
    check_str("Expires", refusal.expires, "2013-05-25T00:00:00Z");
    check_str("ServerTime", refusal.server_time, "2013-05-25T00:00:00Z");
}


/* Headers and payload lines: what must be signed, and what is then the
 * payload line. */
static void
cover_headers(void **state)
{
    size_t                  i;
    char                    target[512];
    chorus_rc_t             rc;
    chorus_auth_t           auth;
    chorus_s3_refusal_t     refusal;
    chorus_auth_verifier_t  verifier;

#define SHA(value)  HEADER("x-amz-content-sha256", value)
#define CHUNKS      "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
#define WITH_SHA    "host;x-amz-content-sha256"

    static const struct {
        const char        *name;
        chorus_header_t    headers[MAX_HEADERS];
        const char        *names;
        const char        *query;
        const char        *payload;     /* the signed line */
        chorus_s3_code_t   code;
    } rows[] = {
        { "no payload line", { HOST }, "host", "", CHORUS_UNSIGNED_PAYLOAD,
          CHORUS_S3_OK },
        { "an unsigned digest is not looked at",
          { HOST, SHA(CHORUS_EMPTY_SHA256) }, "host", "",
          CHORUS_UNSIGNED_PAYLOAD, CHORUS_S3_OK },
        { "UNSIGNED-PAYLOAD, unsigned",
          { HOST, SHA(CHORUS_UNSIGNED_PAYLOAD) }, "host", "",
          CHORUS_UNSIGNED_PAYLOAD, CHORUS_S3_OK },
        { "unsigned, it says what was not signed",
          { HOST, SHA(CHORUS_EMPTY_SHA256) }, "host", "",
          CHORUS_EMPTY_SHA256, MISMATCH },
        { "a signed digest", { HOST, SHA(CHORUS_EMPTY_SHA256) }, WITH_SHA, "",
          CHORUS_EMPTY_SHA256, CHORUS_S3_OK },
        { "chunks, unsigned", { HOST, SHA(CHUNKS) }, "host", "",
          CHORUS_UNSIGNED_PAYLOAD, NOT_SIGNED },
        { "signed chunks, unsigned", { HOST, SHA(STREAMING_SIGNED) }, "host",
          "", CHORUS_UNSIGNED_PAYLOAD, NOT_SIGNED },
        { "chunks", { HOST, SHA(CHUNKS) }, WITH_SHA, "", CHUNKS,
          CHORUS_S3_OK },
        { "chunks under a bad signature", { HOST, SHA(CHUNKS) }, WITH_SHA, "",
          CHORUS_UNSIGNED_PAYLOAD, MISMATCH },
        { "signed chunks", { HOST, SHA(STREAMING_SIGNED) }, WITH_SHA, "",
          STREAMING_SIGNED, CHORUS_S3_OK },
        { "signed chunks with a trailer", { HOST, SHA(STREAMING_TRAILER) },
          WITH_SHA, "", STREAMING_TRAILER, CHORUS_S3_OK },
        { "chunks of SigV4A",
          { HOST, SHA("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD") }, WITH_SHA,
          "", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
          CHORUS_S3_NOT_IMPLEMENTED },
        { "in the query", { HOST }, "host",
          "&X-Amz-Content-Sha256=" CHORUS_EMPTY_SHA256, CHORUS_EMPTY_SHA256,
          CHORUS_S3_OK },
        { "in the query and signed, alike",
          { HOST, SHA(CHORUS_EMPTY_SHA256) }, WITH_SHA,
          "&X-Amz-Content-Sha256=" CHORUS_EMPTY_SHA256, CHORUS_EMPTY_SHA256,
          CHORUS_S3_OK },
        { "in the query and signed, another",
          { HOST, SHA(CHORUS_EMPTY_SHA256) }, WITH_SHA,
          "&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD", CHORUS_EMPTY_SHA256,
          QUERY_ERROR },
        { "two payload lines", { HOST, SHA(CHORUS_EMPTY_SHA256),
          SHA(CHORUS_UNSIGNED_PAYLOAD) }, "host", "", CHORUS_UNSIGNED_PAYLOAD,
          CHORUS_S3_INVALID_REQUEST },
        { "no payload line that S3 knows", { HOST, SHA("x") }, "host", "",
          CHORUS_UNSIGNED_PAYLOAD, NOT_SIGNED },

        { "a header injected", { HOST, HEADER("X-Amz-Acl", "public-read") },
          "host", "", CHORUS_UNSIGNED_PAYLOAD, NOT_SIGNED },
        { "a header in disguise",
          { HOST, HEADER("x_amz_copy-source", "/b/secret") },
          "host;x_amz_copy-source", "", CHORUS_UNSIGNED_PAYLOAD, NOT_SIGNED },
        { "metadata for Ceph under another name",
          { HOST, HEADER("x_object-meta-a", "1") },
          "host", "", CHORUS_UNSIGNED_PAYLOAD, NOT_SIGNED },
        { "a signed header",
          { HOST, HEADER("X-Amz-Acl", "public-read") }, "host;x-amz-acl", "",
          CHORUS_UNSIGNED_PAYLOAD, CHORUS_S3_OK },
        { "an x-amz-date is a header like others",
          { HOST, HEADER("x-amz-date", DATE) }, "host", "",
          CHORUS_UNSIGNED_PAYLOAD, NOT_SIGNED },
        { "other headers", { HOST, HEADER("Range", "bytes=0-") }, "host", "",
          CHORUS_UNSIGNED_PAYLOAD, CHORUS_S3_OK },
    };

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW);

    for (i = 0; i < NROWS(rows); i++) {
        (void) snprintf(target, sizeof(target), "/b/k?%s%s%s%s"
                        "&X-Amz-SignedHeaders=%s%s", ALGORITHM, CREDENTIAL,
                        DATED, EXPIRES, rows[i].names, rows[i].query);

        rc = verify(&verifier, "GET",
                    presign(target, rows[i].headers, DATE, rows[i].names,
                            rows[i].payload),
                    rows[i].headers, &auth, &refusal);
        check_refusal(rows[i].name, rc, &refusal, rows[i].code, NULL);

        if (rc == CHORUS_OK) {
            check_str(rows[i].name, auth.payload, rows[i].payload);
            check_int(rows[i].name, auth.payload_kind,
                      chorus_payload_kind(auth.payload));
        }
    }
}


/* A raw '+' is accepted as whichever of the two was signed, and forwarded as
 * that. */
static void
read_plus(void **state)
{
    size_t                  i;
    char                    hex[CHORUS_SIGNATURE_LEN + 1];
    char                    signed_as[512], sent[600];
    chorus_rc_t             rc;
    chorus_uri_t            uri;
    chorus_auth_t           auth;
    chorus_s3_refusal_t     refusal;
    chorus_sigv4_request_t  request;
    chorus_auth_verifier_t  verifier;

    static const chorus_header_t  headers[MAX_HEADERS] = { HOST };

    static const struct {
        const char        *sent;
        const char        *signed_as;
        chorus_s3_code_t   code;
        const char        *forwarded;
    } rows[] = {
        { "prefix=a+b", "prefix=a%20b", CHORUS_S3_OK, "/b?prefix=a%20b" },
        { "prefix=a+b", "prefix=a%2Bb", CHORUS_S3_OK, "/b?prefix=a%2Bb" },
        { "prefix=a+b+", "prefix=a%20b%2B", MISMATCH, NULL },
        { "a+b&c=+%2B%20", "a%20b&c=%20%2B%20", CHORUS_S3_OK,
          "/b?a%20b&c=%20%2B%20" },
        { "prefix=a%2Bb", "prefix=a%20b", MISMATCH, NULL },
        { "prefix=a%20b", "prefix=a%2Bb", MISMATCH, NULL },
        { "prefix=a%2bb", "prefix=a%2Bb", CHORUS_S3_OK, "/b?prefix=a%2bb" },
    };

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW);

    for (i = 0; i < NROWS(rows); i++) {
        (void) snprintf(signed_as, sizeof(signed_as), "/b?%s&%s",
                        rows[i].signed_as, PARAMETERS);
        sign_v4("GET", signed_as, headers, DATE, "host",
                CHORUS_UNSIGNED_PAYLOAD, hex);
        (void) snprintf(sent, sizeof(sent), "/b?%s&%s%s%s", rows[i].sent,
                        PARAMETERS, SIG, hex);

        make_request(&request, &uri, "GET", sent, headers);
        rc = chorus_auth_verify(&verifier, &request, &auth, &refusal);
        check_refusal(rows[i].sent, rc, &refusal, rows[i].code, NULL);

        if (rc == CHORUS_OK) {
            check_str(rows[i].sent, chorus_auth_target(&mem, &uri, &auth),
                      rows[i].forwarded);
        }
    }
}


/* Whatever is changed after signing, the signature no longer matches. */
static void
refuse_changed_urls(void **state)
{
    char                    *target, *changed;
    size_t                   i, at;
    chorus_auth_t            auth;
    chorus_s3_refusal_t      refusal;
    chorus_auth_verifier_t   verifier;

    static const chorus_header_t  headers[MAX_HEADERS] = { HOST };

    static const struct {
        const char  *from;
        const char  *to;
    } rows[] = {
        { "/b/k", "/b/K" }, { "/b/k", "/c/k" }, { "acl", "acm" },
        { "v=1", "v=2" }, { "acl&", "acl=1&" }, { "v=1&", "v=1&w&" },
        { "acl&", "" }, { "Expires=86400", "Expires=86401" },
        { "Date=20130524T000000Z", "Date=20130524T000001Z" },
        { "=host", "=host;range" }, { "/b/k", "/b/./k" }, { "/b/k", "/b//k" },
    };

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW);
    target = presign("/b/k?acl&v=1&" PARAMETERS, headers, DATE, "host",
                     CHORUS_UNSIGNED_PAYLOAD);

    check_int("as it was", verify(&verifier, "GET", target, headers, &auth,
                                  &refusal), CHORUS_OK);

    for (i = 0; i < NROWS(rows); i++) {
        changed = chorus_alloc(&mem, strlen(target) + 32);
        at = (size_t) (strstr(target, rows[i].from) - target);
        (void) snprintf(changed, strlen(target) + 32, "%.*s%s%s", (int) at,
                        target, rows[i].to, target + at
                        + strlen(rows[i].from));
        (void) verify(&verifier, "GET", changed, headers, &auth, &refusal);
        check_int(changed, refusal.code, MISMATCH);
        check_str(changed, refusal.access_key, EXAMPLE_ACCESS_KEY);
    }

    (void) verify(&verifier, "PUT", target, headers, &auth, &refusal);
    check_int("method", refusal.code, MISMATCH);
}


test_main(crypto_setup, crypto_teardown,
    test_row(verify_published_url),
    test_row(verify_parameters),
    test_row(verify_signatures),
    test_row(keep_the_time),
    test_row(name_the_times),
    test_row(cover_headers),
    test_row(read_plus),
    test_row(refuse_changed_urls)
)
