/* Policies of browser uploads: signatures, documents, conditions, and the
 * form that main gets. */

#include <jansson.h>

#include "post_form.h"

#define V4                                                                    \
    "{'x-amz-algorithm': 'AWS4-HMAC-SHA256'}, "                               \
    "{'x-amz-credential': '" EXAMPLE_ACCESS_KEY "/" POST_SCOPE "'}, "         \
    "{'x-amz-date': '20151229T000000Z'}"
#define EXPIRATION  "'expiration': '2015-12-30T12:00:00.000Z'"
#define POLICY(conditions)                                                    \
    "{" EXPIRATION ", 'conditions': [{'bucket': '" POST_BUCKET "'}, "         \
    V4 conditions "]}"


static chorus_post_form_t       form;
static chorus_post_grant_t      grant;
static chorus_s3_refusal_t      refusal;
static chorus_auth_verifier_t  verifier;
static chorus_post_check_t      check;


static void
reset_check(void)
{
    verifier.mem = &mem;
    verifier.crypto = crypto;
    verifier.keys = keys;
    verifier.now = POST_NOW;
    verifier.region = chorus_str("us-east-1");
    verifier.secret_of = post_secret_of;
    verifier.data = NULL;

    check.verifier = &verifier;
    check.bucket = chorus_str(POST_BUCKET);
    check.content_length = 0;
    check.accepts_v2 = false;
    check.accepts_anonymous = false;
}


static chorus_rc_t
verify_body(chorus_str_t body)
{
    assert_int_equal(chorus_post_form_begin(&form, &mem,
                                            chorus_str(POST_TYPE), &refusal),
                     CHORUS_OK);
    assert_int_equal(chorus_post_form_read(&form, body, true), CHORUS_OK);
    assert_true(form.is_complete);

    if (check.content_length == 0) {
        check.content_length = body.len;
    }

    return chorus_post_verify(&check, &form, &grant, &refusal);
}


/* "message" is the beginning of what is said, NULL what the row says */
static void
check_answer(const char *name, chorus_rc_t rc, chorus_s3_code_t code,
    const char *message)
{
    check_int(name, refusal.code, code);
    check_int(name, rc, code == CHORUS_S3_OK ? CHORUS_OK : CHORUS_ERROR);

    if (message != NULL
        && !chorus_str_starts(refusal.message, chorus_str_from(message)))
    {
        fail_msg("%s: got \"%.*s\", expected \"%s\"", name,
                 chorus_fmt(refusal.message), message);
    }
}


/* ' for ", which C has no good way to write; base64 of it */
static chorus_str_t
policy_of(const char *text)
{
    char          *p;
    chorus_str_t   copy;

    copy = chorus_str_dup(&mem, chorus_str_from(text));

    for (p = (char *) copy.data; *p != '\0'; p++) {
        if (*p == '\'') {
            *p = '"';
        }
    }

    return chorus_base64(&mem, copy.data, copy.len);
}


static chorus_str_t
sign_policy(chorus_str_t base64)
{
    char          *hex;
    unsigned char  key[CHORUS_SHA256_LEN];

    hex = chorus_alloc(&mem, CHORUS_SIGNATURE_LEN);

    assert_true(chorus_sigv4_signing_key(crypto, chorus_str(EXAMPLE_SECRET),
                                         chorus_str("20151229"),
                                         chorus_str("us-east-1"),
                                         chorus_str("s3"), key));
    assert_true(chorus_sigv4_signature(crypto, key, base64, hex));

    return (chorus_str_t) { hex, CHORUS_SIGNATURE_LEN };
}


/* The key "k", `fields` and a policy that is signed well. */
static chorus_str_t
signed_body(const char *const *fields, const char *policy)
{
    chorus_buf_t  body;
    chorus_str_t  base64;

    base64 = policy_of(policy);
    body = chorus_buf(&mem, 4096);

    for ( /* void */ ; *fields != NULL; fields += 2) {
        post_add_field(&body, fields[0], chorus_str_from(fields[1]));
    }

    post_add_field(&body, "x-amz-algorithm", chorus_str("AWS4-HMAC-SHA256"));
    post_add_field(&body, "x-amz-credential",
                   chorus_str(EXAMPLE_ACCESS_KEY "/" POST_SCOPE));
    post_add_field(&body, "x-amz-date", chorus_str("20151229T000000Z"));
    post_add_field(&body, "policy", base64);
    post_add_field(&body, "x-amz-signature", sign_policy(base64));
    post_add_file(&body);

    return chorus_buf_str(&body);
}


static void
the_example_of_aws_is_accepted(void **state)
{
    (void) state;

    reset_check();

    check_answer("example", verify_body(post_body(&mem, post_example_fields)),
                 CHORUS_S3_OK, NULL);
    check_str("access key", grant.access_key, EXAMPLE_ACCESS_KEY);
    check_str("key", form.key, "user/user1/MyFile.jpg");
    assert_true(grant.has_expiration);
    check_int("expiration", grant.expiration, 1451476800);
    assert_false(grant.has_range);
}


/* One field of the example is another, or not there. */
static void
signatures_are_refused(void **state)
{
    size_t        i, n;
    const char   *fields[NROWS(post_example_fields)];

    static const struct {
        const char        *name;
        const char        *field;
        const char        *value;       /* NULL: left out */
        chorus_s3_code_t   code;
        const char        *message;
        const char        *region;
    } rows[] = {
        { "one digit of the signature", "X-Amz-Signature",
          "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699f",
          CHORUS_S3_SIGNATURE_DOES_NOT_MATCH, NULL, NULL },
        { "the signature in capitals", "X-Amz-Signature",
          "8AFDBF4008C03F22C2CD3CDB72E4AFBB1F6A588F3255AC628749A66D7F09699E",
          CHORUS_S3_SIGNATURE_DOES_NOT_MATCH, NULL, NULL },
        { "an empty signature", "X-Amz-Signature", "",
          CHORUS_S3_SIGNATURE_DOES_NOT_MATCH, NULL, NULL },
        { "another policy", "Policy", "e30=",
          CHORUS_S3_SIGNATURE_DOES_NOT_MATCH, NULL, NULL },
        { "a policy with a line end", "Policy", POST_EXAMPLE_POLICY "\n",
          CHORUS_S3_SIGNATURE_DOES_NOT_MATCH, NULL, NULL },
        { "an unknown key", "X-Amz-Credential", "AK/" POST_SCOPE,
          CHORUS_S3_INVALID_ACCESS_KEY_ID, NULL, NULL },
        { "another region", "X-Amz-Credential",
          EXAMPLE_ACCESS_KEY "/20151229/eu-1/s3/aws4_request",
          CHORUS_S3_INVALID_ARGUMENT,
          "the region 'eu-1' is wrong; expecting 'us-east-1'", "us-east-1" },
        { "another service", "X-Amz-Credential",
          EXAMPLE_ACCESS_KEY "/20151229/us-east-1/ec2/aws4_request",
          CHORUS_S3_INVALID_ARGUMENT, "the Credential is mal-formed", NULL },
        { "another terminator", "X-Amz-Credential",
          EXAMPLE_ACCESS_KEY "/20151229/us-east-1/s3/aws3_request",
          CHORUS_S3_INVALID_ARGUMENT, "the Credential is mal-formed", NULL },
        { "no access key", "X-Amz-Credential", "/" POST_SCOPE,
          CHORUS_S3_INVALID_ARGUMENT, "the Credential is mal-formed", NULL },
        { "a short credential", "X-Amz-Credential",
          "us-east-1/s3/aws4_request",
          CHORUS_S3_INVALID_ARGUMENT, "the Credential is mal-formed", NULL },
        { "another day", "X-Amz-Date", "20151228T000000Z",
          CHORUS_S3_INVALID_ARGUMENT, "Invalid credential date", NULL },
        { "no date", "X-Amz-Date", "20151229",
          CHORUS_S3_INVALID_ARGUMENT, "X-Amz-Date must be", NULL },
        { "another algorithm", "X-Amz-Algorithm", "AWS4-HMAC-SHA1",
          CHORUS_S3_INVALID_ARGUMENT, "X-Amz-Algorithm only", NULL },
        { "version 4A", "X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256",
          CHORUS_S3_NOT_IMPLEMENTED, NULL, NULL },
        { "no algorithm", "X-Amz-Algorithm", NULL,
          CHORUS_S3_INVALID_ARGUMENT, "Bucket POST must contain a field named "
          "'X-Amz-Algorithm'.  If it is specified, please check the order of "
          "the fields.", NULL },
        { "no credential", "X-Amz-Credential", NULL,
          CHORUS_S3_INVALID_ARGUMENT, "Bucket POST must contain a field named "
          "'X-Amz-Credential'.", NULL },
        { "no signature", "X-Amz-Signature", NULL,
          CHORUS_S3_INVALID_ARGUMENT, "Bucket POST must contain a field named "
          "'X-Amz-Signature'.", NULL },
        { "no date at all", "X-Amz-Date", NULL,
          CHORUS_S3_INVALID_ARGUMENT, "Bucket POST must contain a field named "
          "'X-Amz-Date'.", NULL },
        { "no policy", "Policy", NULL,
          CHORUS_S3_INVALID_ARGUMENT, "Bucket POST must contain a field named "
          "'Policy'.", NULL },
        { "credentials of both versions", "x-amz-meta-tag", "AWSAccessKeyId",
          CHORUS_S3_INVALID_ARGUMENT, "Only one auth mechanism", NULL },
        { "another value of a field", "acl", "public-read-write",
          CHORUS_S3_ACCESS_DENIED, "Invalid according to Policy: Policy "
          "Condition failed: [\"eq\", \"$acl\", \"public-read\"]", NULL },
        { "another key", "key", "user/user2/${filename}",
          CHORUS_S3_ACCESS_DENIED, "Invalid according to Policy: Policy "
          "Condition failed: [\"starts-with\", \"$key\", \"user/user1/\"]",
          NULL },
        { "a field less", "x-amz-meta-uuid", NULL,
          CHORUS_S3_ACCESS_DENIED, "Invalid according to Policy: Policy "
          "Condition failed: [\"eq\", \"$x-amz-meta-uuid\", "
          "\"14365123651274\"]", NULL },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        const char  **to = fields;

        for (n = 0; post_example_fields[n] != NULL; n += 2) {

            to[0] = post_example_fields[n];
            to[1] = post_example_fields[n + 1];

            if (strcmp(to[0], rows[i].field) == 0) {

                if (rows[i].value == NULL) {
                    continue;
                }

                if (strcmp(rows[i].value, "AWSAccessKeyId") == 0) {
                    to[0] = rows[i].value;
                }

                to[1] = rows[i].value;
            }

            to += 2;
        }

        *to = NULL;

        reset_check();
        check_answer(rows[i].name, verify_body(post_body(&mem, fields)),
                     rows[i].code, rows[i].message);
        check_str(rows[i].name, refusal.region, rows[i].region);
    }
}


static void
policies_are_refused(void **state)
{
    size_t  i;

    static const char  *const key[] = { "key", "k", NULL };

    static const struct {
        const char        *name;
        const char        *policy;
        chorus_s3_code_t   code;
        const char        *message;
    } rows[] = {
        { "fits", POLICY(", {'key': 'k'}"), CHORUS_S3_OK, NULL },
        { "no fraction",
          "{'expiration': '2015-12-29T00:00:01Z', 'conditions': "
          "[{'bucket': '" POST_BUCKET "'}, " V4 ", {'key': 'k'}]}",
          CHORUS_S3_OK, NULL },

        { "empty", "", CHORUS_S3_INVALID_POLICY_DOCUMENT,
          "Invalid Policy: Invalid JSON." },
        { "no JSON", "{'expiration'", CHORUS_S3_INVALID_POLICY_DOCUMENT,
          "Invalid Policy: Invalid JSON." },
        { "a list", "[]", CHORUS_S3_INVALID_POLICY_DOCUMENT,
          "Invalid Policy: Invalid JSON." },
        { "more behind it", "{} {}", CHORUS_S3_INVALID_POLICY_DOCUMENT,
          "Invalid Policy: Invalid JSON." },
        { "a NUL", "{'expiration': '\\u0000'}",
          CHORUS_S3_INVALID_POLICY_DOCUMENT,
          "Invalid Policy: Invalid JSON." },
        { "conditions twice",
          "{" EXPIRATION ", 'conditions': [], 'conditions': []}",
          CHORUS_S3_INVALID_POLICY_DOCUMENT,
          "Invalid Policy: Invalid JSON." },
        { "another member", "{" EXPIRATION ", 'conditions': [], "
          "'Statement': []}", CHORUS_S3_INVALID_POLICY_DOCUMENT,
          "Invalid Policy: Unexpected: 'Statement'" },
        { "no expiration", "{'conditions': []}",
          CHORUS_S3_INVALID_POLICY_DOCUMENT,
          "Invalid Policy: Policy missing expiration." },
        { "no conditions", "{" EXPIRATION "}",
          CHORUS_S3_INVALID_POLICY_DOCUMENT,
          "Invalid Policy: Policy missing conditions." },
        { "conditions in an object", "{" EXPIRATION ", 'conditions': {}}",
          CHORUS_S3_INVALID_POLICY_DOCUMENT,
          "Invalid Policy: Invalid 'conditions' value" },
        { "members in capitals",
          "{'EXPIRATION': '2015-12-30T12:00:00.000Z', 'conditions': []}",
          CHORUS_S3_INVALID_POLICY_DOCUMENT,
          "Invalid Policy: Unexpected: 'EXPIRATION'" },
        { "an expiration with a zone",
          "{'expiration': '2015-12-30T12:00:00+02:00', 'conditions': []}",
          CHORUS_S3_INVALID_POLICY_DOCUMENT, "Invalid Policy: Invalid "
          "'expiration' value: '2015-12-30T12:00:00+02:00'" },
        { "an expiration that is a number",
          "{'expiration': 1451347200, 'conditions': []}",
          CHORUS_S3_INVALID_POLICY_DOCUMENT, "Invalid Policy: Invalid "
          "'expiration' value" },
        { "expired just now",
          "{'expiration': '2015-12-29T00:00:00.999Z', 'conditions': []}",
          CHORUS_S3_ACCESS_DENIED,
          "Invalid according to Policy: Policy expired." },

        { "a condition that is a text", POLICY(", 'x'"),
          CHORUS_S3_INVALID_POLICY_DOCUMENT,
          "Invalid Policy: Invalid Condition: must be a List or Object." },
        { "an empty condition", POLICY(", {}"),
          CHORUS_S3_INVALID_POLICY_DOCUMENT, "Invalid Policy: Invalid "
          "Simple-Condition: Simple-Conditions must have exactly one property "
          "specified." },
        { "two in one condition", POLICY(", {'key': 'k', 'acl': 'x'}"),
          CHORUS_S3_INVALID_POLICY_DOCUMENT, "Invalid Policy: Invalid "
          "Simple-Condition: Simple-Conditions must have exactly one" },
        { "a number as value", POLICY(", {'key': 1}"),
          CHORUS_S3_INVALID_POLICY_DOCUMENT, "Invalid Policy: Invalid "
          "Simple-Condition: value must be a string." },
        { "an empty list", POLICY(", []"),
          CHORUS_S3_INVALID_POLICY_DOCUMENT, "Invalid Policy: Invalid "
          "Condition: missing operation identifier." },
        { "a list of two", POLICY(", ['eq', '$key']"),
          CHORUS_S3_INVALID_POLICY_DOCUMENT, "Invalid Policy: Invalid "
          "Condition: wrong number of arguments." },
        { "a list of four", POLICY(", ['eq', '$key', 'k', 'k']"),
          CHORUS_S3_INVALID_POLICY_DOCUMENT, "Invalid Policy: Invalid "
          "Condition: wrong number of arguments." },
        { "an unknown operation", POLICY(", ['in', '$key', 'k']"),
          CHORUS_S3_INVALID_POLICY_DOCUMENT, "Invalid Policy: Invalid "
          "Condition: unknown operation 'in'" },
        { "a list as value", POLICY(", ['eq', '$key', ['k']]"),
          CHORUS_S3_INVALID_POLICY_DOCUMENT,
          "Invalid Policy: Invalid JSON." },
        { "half a range", POLICY(", ['content-length-range', 0]"),
          CHORUS_S3_INVALID_POLICY_DOCUMENT, "Invalid Policy: Invalid "
          "Condition: wrong number of arguments." },
        { "a negative range", POLICY(", ['content-length-range', -1, 0]"),
          CHORUS_S3_INVALID_POLICY_DOCUMENT,
          "Invalid Policy: Invalid content-length-range" },
        { "a range with a fraction",
          POLICY(", ['content-length-range', 0, 5.0]"),
          CHORUS_S3_INVALID_POLICY_DOCUMENT,
          "Invalid Policy: Invalid JSON." },
        { "a range of 2^64",
          POLICY(", ['content-length-range', 0, 18446744073709551616]"),
          CHORUS_S3_INVALID_POLICY_DOCUMENT,
          "Invalid Policy: Invalid JSON." },
        { "a range of words", POLICY(", ['content-length-range', 'a', '9']"),
          CHORUS_S3_ACCESS_DENIED, "Invalid according to Policy: Policy "
          "Condition failed: [\"content-length-range\", \"a\", \"9\"]" },

        { "the key", POLICY(", ['eq', '$key', 'K']"),
          CHORUS_S3_ACCESS_DENIED, "Invalid according to Policy: Policy "
          "Condition failed: [\"eq\", \"$key\", \"K\"]" },
        { "no dollar", POLICY(", ['eq', 'key', 'k']"),
          CHORUS_S3_ACCESS_DENIED, "Invalid according to Policy: Policy "
          "Condition failed: [\"eq\", \"key\", \"k\"]" },
        { "an empty name", POLICY(", ['eq', '', 'k']"),
          CHORUS_S3_ACCESS_DENIED, "Invalid according to Policy: Policy "
          "Condition failed" },
        { "one of two conditions",
          POLICY(", {'key': 'k'}, ['starts-with', '$key', 'j']"),
          CHORUS_S3_ACCESS_DENIED, "Invalid according to Policy: Policy "
          "Condition failed: [\"starts-with\", \"$key\", \"j\"]" },
        { "a field that is not there", POLICY(", {'acl': ''}"),
          CHORUS_S3_ACCESS_DENIED, "Invalid according to Policy: Policy "
          "Condition failed: [\"eq\", \"$acl\", \"\"]" },
        { "no condition for the key", POLICY(""),
          CHORUS_S3_ACCESS_DENIED,
          "Invalid according to Policy: Extra input fields: key" },
        { "another bucket", "{" EXPIRATION ", 'conditions': "
          "[{'bucket': 'b'}, " V4 ", {'key': 'k'}]}",
          CHORUS_S3_ACCESS_DENIED, "Invalid according to Policy: Policy "
          "Condition failed: [\"eq\", \"$bucket\", \"b\"]" },
        { "no condition for the bucket",
          "{" EXPIRATION ", 'conditions': [" V4 ", {'key': 'k'}]}",
          CHORUS_S3_ACCESS_DENIED,
          "Invalid according to Policy: Extra input fields: bucket" },
        { "no condition for the date", "{" EXPIRATION ", 'conditions': "
          "[['starts-with', '$bucket', ''], ['starts-with', '$key', ''], "
          "['starts-with', '$x-amz-algorithm', ''], "
          "['starts-with', '$x-amz-credential', '']]}",
          CHORUS_S3_ACCESS_DENIED,
          "Invalid according to Policy: Extra input fields: x-amz-date" },
        { "a file too small for its range",
          POLICY(", {'key': 'k'}, ['content-length-range', 100, 200]"),
          CHORUS_S3_ENTITY_TOO_SMALL, NULL },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        reset_check();
        check_answer(rows[i].name,
                     verify_body(signed_body(key, rows[i].policy)),
                     rows[i].code, rows[i].message);
    }
}


static void
fields_meet_conditions(void **state)
{
    size_t  i;

    static const struct {
        const char        *name;
        const char        *fields[7];
        const char        *policy;
        chorus_s3_code_t   code;
        const char        *message;
    } rows[] = {
        { "names and operations in any case",
          { "kEy", "foo.txt", "aCl", "private" },
          POLICY(", ['StArTs-WiTh', '$KeY', 'foo'], {'AcL': 'private'}"),
          CHORUS_S3_OK, NULL },
        { "ignored fields", { "key", "k", "X-Ignore-it", "x" },
          POLICY(", {'key': 'k'}"), CHORUS_S3_OK, NULL },
        { "the bucket as a field", { "key", "k", "bucket", POST_BUCKET },
          POLICY(", {'key': 'k'}"), CHORUS_S3_OK, NULL },
        { "another bucket as a field", { "key", "k", "Bucket", "other" },
          POLICY(", {'key': 'k'}"), CHORUS_S3_ACCESS_DENIED,
          "The form names another bucket" },
        { "a token", { "key", "k", "x-amz-security-token", "t" },
          POLICY(", {'key': 'k'}, {'x-amz-security-token': 't'}"),
          CHORUS_S3_OK, NULL },
        { "a token without a condition",
          { "key", "k", "x-amz-security-token", "t" },
          POLICY(", {'key': 'k'}"), CHORUS_S3_ACCESS_DENIED,
          "Invalid according to Policy: Extra input fields: "
          "x-amz-security-token" },
        { "a field without a condition", { "key", "k", "StorageClass", "x" },
          POLICY(", {'key': 'k'}"), CHORUS_S3_ACCESS_DENIED,
          "Invalid according to Policy: Extra input fields: StorageClass" },
        { "anything", { "key", "k", "tagging", "<x/>" },
          POLICY(", ['starts-with', '$key', ''], "
                 "['starts-with', '$tagging', '']"), CHORUS_S3_OK, NULL },
        { "anything or nothing", { "key", "k" },
          POLICY(", {'key': 'k'}, ['starts-with', '$Content-Type', '']"),
          CHORUS_S3_OK, NULL },
        { "something that is not there", { "key", "k" },
          POLICY(", {'key': 'k'}, ['starts-with', '$tagging', 'x']"),
          CHORUS_S3_ACCESS_DENIED, "Invalid according to Policy: Policy "
          "Condition failed: [\"starts-with\", \"$tagging\", \"x\"]" },
        { "a list of types", { "key", "k", "content-type",
          "image/a, image/b" },
          POLICY(", {'key': 'k'}, ['starts-with', '$Content-Type', "
                 "'image/']"), CHORUS_S3_OK, NULL },
        { "a list of types, one of another kind",
          { "key", "k", "Content-Type", "image/a,text/b" },
          POLICY(", {'key': 'k'}, ['starts-with', '$Content-Type', "
                 "'image/']"), CHORUS_S3_ACCESS_DENIED,
          "Invalid according to Policy: Policy Condition failed" },
        { "commas in another field", { "key", "k", "x-amz-meta-a", "a,b" },
          POLICY(", {'key': 'k'}, ['starts-with', '$x-amz-meta-a', 'a']"),
          CHORUS_S3_OK, NULL },
        { "values with case", { "key", "k", "acl", "Private" },
          POLICY(", {'key': 'k'}, ['eq', '$acl', 'private']"),
          CHORUS_S3_ACCESS_DENIED,
          "Invalid according to Policy: Policy Condition failed" },
        { "escapes", { "key", "a\xe2\x98\x83\\" },
          POLICY(", {'key': 'a\\u2603\\\\'}"), CHORUS_S3_OK, NULL },
        { "the variable replaced", { "key", "d/${filename}" },
          POLICY(", {'key': 'd/MyFile.jpg'}"), CHORUS_S3_OK, NULL },
        { "the variable as it was", { "key", "d/${filename}" },
          POLICY(", {'key': 'd/${filename}'}"), CHORUS_S3_ACCESS_DENIED,
          "Invalid according to Policy: Policy Condition failed" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        reset_check();
        check_answer(rows[i].name,
                     verify_body(signed_body(rows[i].fields, rows[i].policy)),
                     rows[i].code, rows[i].message);
    }
}


static void
ranges_narrow(void **state)
{
    static const char  *const key[] = { "key", "k", NULL };

    (void) state;

    reset_check();
    check_answer("range",
        verify_body(signed_body(key, POLICY(", {'key': 'k'}, "
            "['content-length-range', 1, 30], "
            "['content-length-range', '0', '20'], "
            "['content-length-range', 7, 9000000000000000000]"))),
        CHORUS_S3_OK, NULL);

    assert_true(grant.has_range);
    check_int("least", (int64_t) grant.min_bytes, 7);
    check_int("most", (int64_t) grant.max_bytes, 20);
}


static void
too_many_conditions_are_refused(void **state)
{
    size_t        i, n;
    chorus_buf_t  policy;

    static const char  *const key[] = { "key", "k", NULL };

    (void) state;

    for (n = 251; n <= 252; n++) {

        policy = chorus_buf(&mem, 0);
        chorus_buf_text(&policy, "{" EXPIRATION ", 'conditions': [{'bucket': "
                        "'" POST_BUCKET "'}, " V4 ", {'key': 'k'}");

        for (i = 0; i < n; i++) {
            chorus_buf_text(&policy, ",['eq','$key','k']");
        }

        chorus_buf_text(&policy, "]}");
        chorus_buf_char(&policy, '\0');

        reset_check();
        check_answer("many", verify_body(signed_body(key, policy.data)),
                     n == 251 ? CHORUS_S3_OK
                              : CHORUS_S3_INVALID_POLICY_DOCUMENT,
                     n == 251 ? NULL : "Invalid Policy: too many");
    }
}


static void
deep_nesting_is_refused(void **state)
{
    size_t        i;
    chorus_buf_t  policy;

    static const char  *const key[] = { "key", "k", NULL };

    (void) state;

    policy = chorus_buf(&mem, 0);

    for (i = 0; i < 12000; i++) {
        chorus_buf_char(&policy, '[');
    }

    chorus_buf_char(&policy, '\0');

    reset_check();
    check_answer("deep", verify_body(signed_body(key, policy.data)),
                 CHORUS_S3_INVALID_POLICY_DOCUMENT,
                 "Invalid Policy: Invalid JSON.");
}


/* ---- version 2, and no one ---- */


static chorus_str_t
v2_signature(const char *base64)
{
    unsigned char  mac[CHORUS_SHA1_LEN];

    assert_true(chorus_hmac_sha1(crypto, chorus_str(EXAMPLE_SECRET),
                                 chorus_str_from(base64), mac));

    return chorus_base64(&mem, mac, sizeof(mac));
}


static void
version_2_is_a_choice(void **state)
{
    size_t        i;
    chorus_str_t  base64, signature;

    static const struct {
        const char        *name;
        bool               accepts_v2;
        const char        *access_key;      /* NULL: left out */
        const char        *signature;       /* NULL: left out; "": right */
        chorus_s3_code_t   code;
        const char        *message;
    } rows[] = {
        { "right", true, EXAMPLE_ACCESS_KEY, "", CHORUS_S3_OK, NULL },
        { "not wanted", false, EXAMPLE_ACCESS_KEY, "",
          CHORUS_S3_INVALID_REQUEST, "The authorization mechanism" },
        { "wrong", true, EXAMPLE_ACCESS_KEY, "0RavWzkygo6QX9caELEqKi9kDbU=",
          CHORUS_S3_SIGNATURE_DOES_NOT_MATCH, NULL },
        { "unknown", true, "AK", "", CHORUS_S3_INVALID_ACCESS_KEY_ID, NULL },
        { "no signature", true, EXAMPLE_ACCESS_KEY, NULL,
          CHORUS_S3_INVALID_ARGUMENT,
          "Bucket POST must contain a field named 'Signature'." },
        { "no access key", true, NULL, "", CHORUS_S3_INVALID_ARGUMENT,
          "Bucket POST must contain a field named 'AWSAccessKeyId'." },
    };

    (void) state;

    base64 = policy_of("{" EXPIRATION ", 'conditions': [{'bucket': '"
                       POST_BUCKET "'}, {'key': 'k'}]}");
    base64 = chorus_str_dup(&mem, base64);
    signature = chorus_str_dup(&mem, v2_signature(base64.data));

    for (i = 0; i < NROWS(rows); i++) {

        const char  *fields[10] = { "key", "k", "policy", base64.data };
        size_t       n = 4;

        if (rows[i].access_key != NULL) {
            fields[n++] = "awsaccesskeyid";
            fields[n++] = rows[i].access_key;
        }

        if (rows[i].signature != NULL) {
            fields[n++] = "Signature";
            fields[n++] = rows[i].signature[0] == '\0' ? signature.data
                                                       : rows[i].signature;
        }

        reset_check();
        check.accepts_v2 = rows[i].accepts_v2;
        check_answer(rows[i].name, verify_body(post_body(&mem, fields)),
                     rows[i].code, rows[i].message);
    }
}


static void
no_one_is_let_in_by_choice_only(void **state)
{
    size_t  i;

    static const struct {
        const char        *name;
        bool               accepts_anonymous;
        const char        *fields[5];
        chorus_s3_code_t   code;
    } rows[] = {
        { "no one", true, { "key", "k", "acl", "x" }, CHORUS_S3_OK },
        { "not wanted", false, { "key", "k" }, CHORUS_S3_ACCESS_DENIED },
        { "a policy alone", true, { "key", "k", "policy", "e30=" },
          CHORUS_S3_ACCESS_DENIED },
        { "a date alone", true, { "key", "k", "x-amz-date", "" },
          CHORUS_S3_ACCESS_DENIED },
        { "a token alone", true, { "key", "k", "x-amz-security-token", "t" },
          CHORUS_S3_ACCESS_DENIED },
        { "another bucket", true, { "key", "k", "bucket", "other" },
          CHORUS_S3_ACCESS_DENIED },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        reset_check();
        check.accepts_anonymous = rows[i].accepts_anonymous;
        check_answer(rows[i].name, verify_body(post_body(&mem,
                                                         rows[i].fields)),
                     rows[i].code, NULL);
        check_str(rows[i].name, grant.access_key, NULL);
        check_int(rows[i].name, grant.has_expiration, false);
    }
}


/* ---- the form for main ---- */


static chorus_str_t
sign_for_main(void)
{
    chorus_sigv4_signer_t  signer;

    signer.mem = &mem;
    signer.crypto = crypto;
    signer.keys = keys;
    signer.access_key = chorus_str(EXAMPLE_ACCESS_KEY);
    signer.secret_key = chorus_str(EXAMPLE_SECRET);
    signer.region = chorus_str("us-east-1");

    return chorus_post_sign(&signer, &form, &grant, chorus_str(POST_BUCKET),
                            POST_NOW);
}


/* The whole body that main gets for `body`. */
static chorus_str_t
body_for_main(chorus_str_t body)
{
    chorus_buf_t  out;

    check_answer("client", verify_body(body), CHORUS_S3_OK, NULL);

    out = chorus_buf(&mem, 0);
    chorus_buf_add(&out, sign_for_main());
    chorus_buf_add(&out, chorus_str_sub(body, form.file_start));

    return chorus_buf_str(&out);
}


static void
main_gets_a_form_of_its_own(void **state)
{
    size_t                      i;
    const chorus_post_field_t  *field;

    static const char  *const kept[] = {
        "acl", "public-read",
        "success_action_redirect",
        "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html",
        "Content-Type", "image/jpeg",
        "x-amz-meta-uuid", "14365123651274",
        "x-amz-server-side-encryption", "AES256",
        "x-amz-meta-tag", "",
        "key", "user/user1/MyFile.jpg"
    };

    (void) state;

    reset_check();
    check_answer("main", verify_body(body_for_main(post_body(&mem,
                                                   post_example_fields))),
                 CHORUS_S3_OK, NULL);

    /* the client's fields, and five of the new signature */
    check_int("fields", (int64_t) form.nfields, NROWS(kept) / 2 + 5);

    for (i = 0; i < NROWS(kept); i += 2) {
        field = chorus_post_field(&form, chorus_str_from(kept[i]));
        assert_non_null(field);
        check_str(kept[i], field->value, kept[i + 1]);
    }

    check_str("file name", form.filename, "MyFile.jpg");
    check_str("file type", form.file_type, "image/jpeg");
    check_int("an hour", grant.expiration, POST_NOW + 3600);
    check_str("type", chorus_post_content_type(&mem, &form), POST_TYPE);
}


/* Main's policy is no longer and no wider than the client's. */
static void
main_keeps_to_the_policy(void **state)
{
    static const char  *const fields[] = { "key", "k", "x-ignore-a", "b",
                                           "bucket", POST_BUCKET,
                                           "Content-Type", "\t a/b ", NULL };

    (void) state;

    reset_check();
    check_answer("main",
        verify_body(body_for_main(signed_body(fields,
            "{'expiration': '2015-12-29T00:10:00Z', 'conditions': [{'bucket':"
            " '" POST_BUCKET "'}, " V4 ", {'key': 'k'}, ['starts-with', "
            "'$Content-Type', ''], ['content-length-range', 3, 7]]}"))),
        CHORUS_S3_OK, NULL);

    check_int("ten minutes", grant.expiration, POST_NOW + 600);
    assert_true(grant.has_range);
    check_int("least", (int64_t) grant.min_bytes, 3);
    check_int("most", (int64_t) grant.max_bytes, 7);
    assert_null(chorus_post_field(&form, chorus_str("x-ignore-a")));
    assert_null(chorus_post_field(&form, chorus_str("bucket")));
    check_str("type", chorus_post_field(&form,
                                        chorus_str("content-type"))->value,
              "a/b");
}


/* What is sent for an anonymous client is signed as well. */
static void
main_gets_any_text(void **state)
{
    chorus_str_t  body;

    static const char  *const fields[] = {
        "key", "\"\\/\x01\x7f\t\r\n $x \xf0\x9f\x98\x80 %22",
        "a;b='c", "$key", "x-amz-meta-\xe2\x98\x83", "", NULL
    };

    (void) state;

    reset_check();
    check.accepts_anonymous = true;

    body = body_for_main(post_body(&mem, fields));

    check.accepts_anonymous = false;
    check_answer("main", verify_body(body), CHORUS_S3_OK, NULL);
    check_str("key", form.key, fields[1]);
    check_str("odd name", chorus_post_field(&form, chorus_str("a;b='c"))
                              ->value, "$key");
}


/* A file name that another parser could take for more parameters. */
static void
main_gets_a_plain_file_name(void **state)
{
    chorus_str_t  preamble, expected;

    (void) state;

    reset_check();
    check.accepts_anonymous = true;

    check_answer("client", verify_body(chorus_str(
        "--9431149156168\r\nContent-Disposition: form-data; name=\"key\"\r\n"
        "\r\nk\r\n"
        "--9431149156168\r\nContent-Disposition: form-data; name=\"file\"; "
        "filename=\"dir/a; name=key; \xff\"\r\nContent-Type: a/b\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n" POST_FILE)),
        CHORUS_S3_OK, NULL);

    preamble = sign_for_main();
    expected = chorus_str("\r\n--9431149156168\r\nContent-Disposition: "
                          "form-data; name=\"file\"; "
                          "filename=\"a%3B%20name%3Dkey%3B%20%FF\"\r\n"
                          "Content-Type: a/b\r\n\r\n");

    check_str("file part",
              chorus_str_sub(preamble, preamble.len - expected.len),
              expected.data);
}


test_main(crypto_setup, crypto_teardown,
    test_row(the_example_of_aws_is_accepted),
    test_row(signatures_are_refused),
    test_row(policies_are_refused),
    test_row(fields_meet_conditions),
    test_row(ranges_narrow),
    test_row(too_many_conditions_are_refused),
    test_row(deep_nesting_is_refused),
    test_row(version_2_is_a_choice),
    test_row(no_one_is_let_in_by_choice_only),
    test_row(main_gets_a_form_of_its_own),
    test_row(main_keeps_to_the_policy),
    test_row(main_gets_any_text),
    test_row(main_gets_a_plain_file_name)
)
