/* Signature Version 2: the published requests, the refusals, and what it does
 * not protect. */

#include "auth_host.h"
#include "chorus_sigv2.h"

#define AKID      "AKIAIOSFODNN7EXAMPLE"
#define MAR_27    INT64_C(1174953600)       /* 2007-03-27T00:00:00Z */
#define LATER     "1369353660"              /* EXAMPLE_NOW + 60 */
#define MISMATCH  CHORUS_S3_SIGNATURE_DOES_NOT_MATCH
#define DENIED    CHORUS_S3_ACCESS_DENIED


/* [AWS, "Signing and Authenticating REST Requests", "Authentication
 * examples"] */
static void
verify_published_requests(void **state)
{
    size_t                  i, n;
    char                    authorization[128];
    chorus_rc_t             rc;
    chorus_auth_t           auth;
    chorus_header_t         headers[MAX_HEADERS];
    chorus_s3_refusal_t     refusal;
    chorus_auth_verifier_t  verifier;

    static const struct {
        const char       *name;
        const char       *method;
        const char       *target;
        const char       *bucket;           /* of the Host */
        chorus_header_t   headers[MAX_HEADERS];
        int64_t           now;
        const char       *signature;
    } rows[] = {
        { "Object GET", "GET", "/photos/puppy.jpg", "johnsmith",
          { HEADER("Date", "Tue, 27 Mar 2007 19:36:42 +0000") },
          MAR_27 + 70602, "bWq2s1WEIj+Ydj0vQ697zp+IXMU=" },
        { "Object PUT", "PUT", "/photos/puppy.jpg", "johnsmith",
          { HEADER("Content-Type", "image/jpeg"),
            HEADER("Content-Length", "94328"),
            HEADER("Date", "Tue, 27 Mar 2007 21:15:45 +0000") },
          MAR_27 + 76545, "MyyxeRY7whkBe+bq8fHCL/2kKUg=" },
        { "List", "GET", "/?prefix=photos&max-keys=50&marker=puppy",
          "johnsmith", { HEADER("Date", "Tue, 27 Mar 2007 19:42:41 +0000") },
          MAR_27 + 70961, "htDYFYduRNen8P9ZfE/s9SuKy0U=" },
        { "Fetch", "GET", "/?acl", "johnsmith",
          { HEADER("Date", "Tue, 27 Mar 2007 19:44:46 +0000") },
          MAR_27 + 71086, "c2WLPFtWHVgbEmeEG93a4cG37dM=" },
        { "DELETE, path style", "DELETE", "/johnsmith/photos/puppy.jpg", NULL,
          { HEADER("Date", "Tue, 27 Mar 2007 21:20:26 +0000") },
          MAR_27 + 76826, "lx3byBScXR6KzyMaifNkardMwNk=" },
        { "List all my buckets", "GET", "/", NULL,
          { HEADER("Date", "Wed, 28 Mar 2007 01:29:59 +0000") },
          MAR_27 + 91799, "qGdzdERIC03wnaRNKh6OqZehG9s=" },
        { "Unicode keys", "GET",
          "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re", NULL,
          { HEADER("Date", "Wed, 28 Mar 2007 01:49:49 +0000") },
          MAR_27 + 92989, "DNEZGsoieTZ92F3bUfSPQcbGmlM=" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        memcpy(headers, rows[i].headers, sizeof(headers));

        for (n = 0; headers[n].name.data != NULL; n++) {
            /* void */
        }

        (void) snprintf(authorization, sizeof(authorization), "AWS %s:%s",
                        AKID, rows[i].signature);
        headers[n].name = chorus_str("Authorization");
        headers[n].value = chorus_str_from(authorization);

        verifier = verifier_at(rows[i].now);
        verifier.v2_bucket = chorus_str_from(rows[i].bucket);

        rc = verify(&verifier, rows[i].method, rows[i].target, headers, &auth,
                    &refusal);
        check_refusal(rows[i].name, rc, &refusal, CHORUS_S3_OK, NULL);
        check_int(rows[i].name, auth.kind, CHORUS_AUTH_V2_HEADER);
        check_str(rows[i].name, auth.access_key, AKID);
        check_str(rows[i].name, auth.payload, CHORUS_UNSIGNED_PAYLOAD);

        (void) verify(&verifier, "POKE", rows[i].target, headers, &auth,
                      &refusal);
        check_int(rows[i].name, refusal.code, MISMATCH);
    }
}


static void
write_string_to_sign(void **state)
{
    chorus_uri_t            uri;
    chorus_str_t            to_sign;
    chorus_sigv4_request_t  request;

    static const chorus_header_t  headers[] = {
        HEADER("Host", "static.johnsmith.net:8080"),
        HEADER("Date", "Tue, 27 Mar 2007 21:06:08 +0000"),
        HEADER("x-amz-acl", "public-read"),
        HEADER("content-type", "application/x-download"),
        HEADER("Content-MD5", "4gJE4saaMU4BqNR0kLY+lw=="),
        HEADER("X-Amz-Meta-ReviewedBy", "joe@johnsmith.net"),
        HEADER("X-Amz-Meta-ReviewedBy", " jane@johnsmith.net "),
        HEADER("X-Amz-Meta-FileChecksum", "0x02661779"),
        HEADER("X-Amz-Meta-ChecksumAlgorithm", "crc32"),
        HEADER("Content-Disposition", "attachment; filename=database.dat"),
    };

    (void) state;

    make_request(&request, &uri, "PUT", "/db-backup.dat.gz", headers);
    request.nheaders = NROWS(headers);

    to_sign = chorus_sigv2_string_to_sign(&mem, &request,
                  chorus_str("static.johnsmith.net"),
                  chorus_str("Tue, 27 Mar 2007 21:06:08 +0000"), false);

    check_str("upload", to_sign,
              "PUT\n4gJE4saaMU4BqNR0kLY+lw==\napplication/x-download\n"
              "Tue, 27 Mar 2007 21:06:08 +0000\nx-amz-acl:public-read\n"
              "x-amz-meta-checksumalgorithm:crc32\n"
              "x-amz-meta-filechecksum:0x02661779\n"
              "x-amz-meta-reviewedby:joe@johnsmith.net,jane@johnsmith.net\n"
              "/static.johnsmith.net/db-backup.dat.gz");
    check_str("upload",
              chorus_sigv2_signature(&mem, crypto, chorus_str(EXAMPLE_SECRET),
                                     to_sign),
              "ilyl83RwaSoYIEdixDQcA4OnAnc=");

    make_request(&request, &uri, "GET",
                 "/b/k?versionId=v%2B1&prefix=x&response-content-type="
                 "image/svg%2Bxml&acl&uploads=", headers);
    request.nheaders = 0;

    check_str("resource",
              chorus_sigv2_string_to_sign(&mem, &request, chorus_null_str,
                                          chorus_str("1"), false),
              "GET\n\n\n1\n/b/k?acl&response-content-type=image/svg+xml&"
              "uploads&versionId=v+1");
}


static void
verify_published_url(void **state)
{
    size_t                  i;
    chorus_rc_t             rc;
    chorus_uri_t            uri;
    chorus_auth_t           auth;
    chorus_s3_refusal_t     refusal;
    chorus_sigv4_request_t  request;
    chorus_auth_verifier_t  verifier;

    static const chorus_header_t  headers[MAX_HEADERS] = { HOST };

    static const struct {
        int64_t            now;
        chorus_s3_code_t   code;
    } rows[] = {
        { 1175139619, CHORUS_S3_OK },
        { 0, CHORUS_S3_OK },                    /* no skew in a URL */
        { 1175139620, CHORUS_S3_REQUEST_EXPIRED },
        { 1175139621, CHORUS_S3_REQUEST_EXPIRED },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        verifier = verifier_at(rows[i].now);
        verifier.v2_bucket = chorus_str("johnsmith");

        make_request(&request, &uri, "GET",
                     "/photos/puppy.jpg?AWSAccessKeyId=" AKID
                     "&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D"
                     "&Expires=1175139620", headers);
        rc = chorus_auth_verify(&verifier, &request, &auth, &refusal);
        check_refusal("published", rc, &refusal, rows[i].code, NULL);

        if (rc == CHORUS_OK) {
            check_int("kind", auth.kind, CHORUS_AUTH_V2_QUERY);
            check_str("forwarded", chorus_auth_target(&mem, &uri, &auth),
                      "/photos/puppy.jpg");

        } else {
            check_str("Expires", refusal.expires, "2007-03-29T03:40:20Z");
            check_str("X-Amz-Expires", refusal.amz_expires, NULL);
        }
    }
}


/* The target with a good signature behind it, escaped. */
static char *
presign(const char *target, const chorus_header_t *headers, const char *date)
{
    chorus_uri_t            uri;
    chorus_buf_t            buf;
    chorus_str_t            signature;
    chorus_sigv4_request_t  request;

    make_request(&request, &uri, "GET", target, headers);
    signature = chorus_sigv2_signature(&mem, crypto,
        chorus_str(EXAMPLE_SECRET),
        chorus_sigv2_string_to_sign(&mem, &request, chorus_null_str,
                                    chorus_str_from(date), true));

    buf = chorus_buf(&mem, 256);
    chorus_buf_text(&buf, target);
    chorus_buf_text(&buf, "&Signature=");
    chorus_uri_encode(&buf, signature, false);
    chorus_buf_char(&buf, '\0');

    return buf.data;
}


#define URL  "AWSAccessKeyId=" AKID "&Expires=" LATER

static void
verify_urls(void **state)
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
        { "plain", "/b/k?" URL, { HOST }, CHORUS_S3_OK, NULL },
        { "a sub-resource", "/b/k?tagging&" URL, { HOST }, CHORUS_S3_OK,
          NULL },
        { "a token", "/b/k?" URL "&x-amz-security-token=t%2F", { HOST },
          CHORUS_S3_OK, NULL },
        { "a header in the query, as botocore has it",
          "/b/k?" URL "&x-amz-acl=private&content-type=text/plain",
          { HOST, HEADER("Content-Type", "text/plain") }, CHORUS_S3_OK,
          NULL },
        { "a listing", "/b?list-type=2&prefix=a%2Fb&max-keys=2&" URL,
          { HOST }, CHORUS_S3_OK, NULL },
        { "a raw '+' in a signed value",
          "/b/k?response-content-disposition=a+b&" URL, { HOST },
          CHORUS_S3_OK, NULL },
        { "chunks", "/b/k?" URL,
          { HOST, HEADER("x-amz-content-sha256",
                         "STREAMING-UNSIGNED-PAYLOAD-TRAILER") },
          CHORUS_S3_OK, NULL },

        { "no expiry", "/b/k?AWSAccessKeyId=" AKID, { HOST }, DENIED,
          "requires the Signature, Expires and AWSAccessKeyId" },
        { "no access key", "/b/k?Expires=" LATER, { HOST }, DENIED,
          "requires the Signature, Expires and AWSAccessKeyId" },
        { "an empty access key", "/b/k?AWSAccessKeyId=&Expires=" LATER,
          { HOST }, DENIED, "requires the Signature" },
        { "an expiry in words", "/b/k?AWSAccessKeyId=" AKID "&Expires=soon",
          { HOST }, DENIED, "seconds since epoch" },
        { "a negative expiry", "/b/k?AWSAccessKeyId=" AKID "&Expires=-1",
          { HOST }, DENIED, "seconds since epoch" },
        { "an expiry behind the year 9999",
          "/b/k?AWSAccessKeyId=" AKID "&Expires=18446744073709551615",
          { HOST }, DENIED, "seconds since epoch" },
        { "an expiry that overflows",
          "/b/k?AWSAccessKeyId=" AKID "&Expires=99999999999999999999",
          { HOST }, DENIED, "seconds since epoch" },
        { "two expiries", "/b/k?" URL "&Expires=9999999999", { HOST },
          CHORUS_S3_INVALID_REQUEST, "repeated" },
        { "two access keys", "/b/k?" URL "&AWSAccessKeyId=x", { HOST },
          CHORUS_S3_INVALID_REQUEST, "repeated" },
        { "an unknown access key", "/b/k?AWSAccessKeyId=x&Expires=" LATER,
          { HOST }, CHORUS_S3_INVALID_ACCESS_KEY_ID, NULL },

        { "an argument that V2 does not sign", "/b/k?attributes&" URL,
          { HOST }, DENIED, "does not protect" },
        { "an argument that nobody knows", "/b/k?frobnicate&" URL, { HOST },
          DENIED, "does not protect" },
        { "a name with an escape", "/b/k?%61cl&" URL, { HOST },
          CHORUS_S3_INVALID_REQUEST, "characters" },
        { "a second '?'", "/b/k??acl&" URL, { HOST },
          CHORUS_S3_INVALID_REQUEST, "characters" },
        { "an argument without a name", "/b/k?=1&" URL, { HOST },
          CHORUS_S3_INVALID_REQUEST, "characters" },
        { "a sub-resource twice", "/b/k?versionId=1&versionId=2&" URL,
          { HOST }, CHORUS_S3_INVALID_REQUEST, "repeated" },
        { "a header in the query, in another case",
          "/b/k?X-Amz-Acl=private&" URL, { HOST }, DENIED,
          "does not protect" },
        { "a header in both", "/b/k?x-amz-acl=private&" URL,
          { HOST, HEADER("X-Amz-Acl", "public-read") },
          CHORUS_S3_INVALID_REQUEST, "repeated" },
        { "a line break in a value", "/b/k?x-amz-meta-a=1%0Ax-amz-b:2&" URL,
          { HOST }, CHORUS_S3_INVALID_REQUEST, "does not protect" },
        { "a sub-resource in a value",
          "/b/k?response-content-type=a%26torrent&" URL, { HOST },
          CHORUS_S3_INVALID_REQUEST, "does not protect" },
        { "an '&' in a value",
          "/b/k?response-content-disposition=a%26b&" URL, { HOST },
          CHORUS_S3_OK, NULL },

        { "a header in disguise", "/b/k?" URL,
          { HOST, HEADER("x_amz_acl", "public-read") },
          CHORUS_S3_HEADERS_NOT_SIGNED, NULL },
        { "metadata for Ceph under another name", "/b/k?" URL,
          { HOST, HEADER("X-Container-Meta-A", "1") },
          CHORUS_S3_HEADERS_NOT_SIGNED, NULL },
        { "two types", "/b/k?" URL,
          { HOST, HEADER("Content-Type", "a"), HEADER("Content-Type", "b") },
          CHORUS_S3_INVALID_REQUEST, "repeated" },
        { "signed chunks", "/b/k?" URL,
          { HOST, HEADER("x-amz-content-sha256", STREAMING_SIGNED) },
          CHORUS_S3_INVALID_REQUEST, "AWS4-HMAC-SHA256" },
    };

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW);

    for (i = 0; i < NROWS(rows); i++) {
        rc = verify(&verifier, "GET",
                    presign(rows[i].target, rows[i].headers, LATER),
                    rows[i].headers, &auth, &refusal);
        check_refusal(rows[i].name, rc, &refusal, rows[i].code,
                      rows[i].message);
    }
}


static void
refuse_changed_urls(void **state)
{
    char                    *target, *changed;
    size_t                   i, at;
    chorus_auth_t            auth;
    chorus_s3_refusal_t      refusal;
    chorus_auth_verifier_t   verifier;

    static const chorus_header_t  headers[MAX_HEADERS] = { HOST };
    static const chorus_header_t  more[MAX_HEADERS] = {
        HOST, HEADER("x-amz-acl", "public-read")
    };
    static const chorus_header_t  typed[MAX_HEADERS] = {
        HOST, HEADER("Content-Type", "text/html")
    };

    static const struct {
        const char        *from;
        const char        *to;
        chorus_s3_code_t   code;
    } rows[] = {
        { "/b/k", "/b/K", MISMATCH },
        { "/b/k", "/b//k", MISMATCH },
        { "tagging", "acl", MISMATCH },
        { "tagging&", "", MISMATCH },
        { "tagging", "tagging&acl", MISMATCH },
        { "tagging", "tagging=1", MISMATCH },
        { "Expires=1", "Expires=2", MISMATCH },
        { "tagging", "tagging&uploadId=1", MISMATCH },
        { "tagging", "tagging&attributes", DENIED },
        { "tagging", "tagging&x-amz-acl=public-read", MISMATCH },
    };

    (void) state;

    verifier = verifier_at(EXAMPLE_NOW);
    target = presign("/b/k?tagging&" URL, headers, LATER);

    check_int("as it was", verify(&verifier, "GET", target, headers, &auth,
                                  &refusal), CHORUS_OK);

    for (i = 0; i < NROWS(rows); i++) {
        changed = chorus_alloc(&mem, strlen(target) + 64);
        at = (size_t) (strstr(target, rows[i].from) - target);
        (void) snprintf(changed, strlen(target) + 64, "%.*s%s%s", (int) at,
                        target, rows[i].to, target + at
                        + strlen(rows[i].from));
        (void) verify(&verifier, "GET", changed, headers, &auth, &refusal);
        check_int(changed, refusal.code, rows[i].code);
    }

    (void) verify(&verifier, "PUT", target, headers, &auth, &refusal);
    check_int("method", refusal.code, MISMATCH);
    (void) verify(&verifier, "GET", target, more, &auth, &refusal);
    check_int("x-amz-acl", refusal.code, MISMATCH);
    (void) verify(&verifier, "GET", target, typed, &auth, &refusal);
    check_int("type", refusal.code, MISMATCH);
}


static void
verify_headers(void **state)
{
    size_t                  i;
    chorus_rc_t             rc;
    chorus_auth_t           auth;
    chorus_s3_refusal_t     refusal;
    chorus_auth_verifier_t  verifier;

#define GET_DATE   HEADER("Date", "Fri, 24 May 2013 00:00:00 GMT")
#define AUTH(value)  HEADER("Authorization", value)
#define SOME_SIG   "AAAAAAAAAAAAAAAAAAAAAAAAAAA="

    static const struct {
        const char        *name;
        chorus_header_t    headers[MAX_HEADERS];
        const char        *target;
        int64_t            skew;
        chorus_s3_code_t   code;
        const char        *message;
    } rows[] = {
        { "a wrong signature", { HOST, GET_DATE, AUTH("AWS " AKID ":"
          SOME_SIG) }, "/b/k", 0, MISMATCH, NULL },
        { "a colon in the key", { HOST, GET_DATE, AUTH("AWS user:sub:"
          SOME_SIG) }, "/b/k", 0, MISMATCH, NULL },
        { "no signature", { HOST, GET_DATE, AUTH("AWS " AKID) }, "/b/k", 0,
          CHORUS_S3_INVALID_ARGUMENT, "Expected AwsAccessKeyId:signature" },
        { "an empty signature", { HOST, GET_DATE, AUTH("AWS " AKID ":") },
          "/b/k", 0, CHORUS_S3_INVALID_ARGUMENT, "Expected" },
        { "an empty key", { HOST, GET_DATE, AUTH("AWS :" SOME_SIG) }, "/b/k",
          0, CHORUS_S3_INVALID_ARGUMENT, "Expected" },
        { "an unknown key", { HOST, GET_DATE, AUTH("AWS x:" SOME_SIG) },
          "/b/k", 0, CHORUS_S3_INVALID_ACCESS_KEY_ID, NULL },
        { "no date", { HOST, AUTH("AWS " AKID ":" SOME_SIG) }, "/b/k", 0,
          DENIED, "valid Date or x-amz-date" },
        { "15 minutes", { HOST, GET_DATE, AUTH("AWS " AKID ":" SOME_SIG) },
          "/b/k", 900, MISMATCH, NULL },
        { "more", { HOST, GET_DATE, AUTH("AWS " AKID ":" SOME_SIG) }, "/b/k",
          901, CHORUS_S3_REQUEST_TIME_TOO_SKEWED, NULL },
        { "less", { HOST, GET_DATE, AUTH("AWS " AKID ":" SOME_SIG) }, "/b/k",
          -901, CHORUS_S3_REQUEST_TIME_TOO_SKEWED, NULL },
        { "an x-amz-* argument is no header",
          { HOST, GET_DATE, AUTH("AWS " AKID ":" SOME_SIG) },
          "/b/k?x-amz-acl=private", 0, DENIED, "does not protect" },
        { "nor is a token",
          { HOST, GET_DATE, AUTH("AWS " AKID ":" SOME_SIG) },
          "/b/k?X-Amz-Security-Token=t", 0, DENIED, "does not protect" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        verifier = verifier_at(EXAMPLE_NOW + rows[i].skew);
        rc = verify(&verifier, "GET", rows[i].target, rows[i].headers, &auth,
                    &refusal);
        check_refusal(rows[i].name, rc, &refusal, rows[i].code,
                      rows[i].message);
    }
}


/* x-amz-date is an x-amz-* line, and leaves the date line empty. */
static void
prefer_amz_date(void **state)
{
    char                    authorization[128];
    chorus_rc_t             rc;
    chorus_uri_t            uri;
    chorus_auth_t           auth;
    chorus_s3_refusal_t     refusal;
    chorus_sigv4_request_t  request;
    chorus_auth_verifier_t  verifier;
    chorus_header_t         headers[MAX_HEADERS] = {
        HOST, HEADER("x-amz-date", "Fri, 24 May 2013 00:00:00 GMT"),
        HEADER("Date", "Sat, 25 May 2013 00:00:00 GMT")
    };

    (void) state;

    make_request(&request, &uri, "GET", "/b/k", headers);
    (void) snprintf(authorization, sizeof(authorization), "AWS %s:%.*s", AKID,
        chorus_fmt(chorus_sigv2_signature(&mem, crypto,
            chorus_str(EXAMPLE_SECRET),
            chorus_str("GET\n\n\n\nx-amz-date:Fri, 24 May 2013 00:00:00 GMT\n"
                       "/b/k"))));

    headers[3].name = chorus_str("authorization");
    headers[3].value = chorus_str_from(authorization);

    verifier = verifier_at(EXAMPLE_NOW);
    rc = verify(&verifier, "GET", "/b/k", headers, &auth, &refusal);
    check_refusal("x-amz-date", rc, &refusal, CHORUS_S3_OK, NULL);
}


test_main(crypto_setup, crypto_teardown,
    test_row(verify_published_requests),
    test_row(write_string_to_sign),
    test_row(verify_published_url),
    test_row(verify_urls),
    test_row(refuse_changed_urls),
    test_row(verify_headers),
    test_row(prefer_amz_date)
)
