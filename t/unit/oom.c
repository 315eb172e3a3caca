/*
 * The n-th allocation fails, for every n: each entry point says so, leaks
 * nothing, and works when it is asked again.
 */

#include <jansson.h>
#include <openssl/crypto.h>

#include "chorus_acl.h"
#include "chorus_checksum.h"
#include "chorus_complete.h"
#include "chorus_bucket_setting.h"
#include "chorus_policy.h"
#include "chorus_replication.h"
#include "chorus_s3_xml.h"
#include "chorus_versions.h"
#include "chorus_auth.h"
#include "config_host.h"
#include "post_form.h"
#include "sigv4_examples.h"
#include "test.h"


typedef struct {
    chorus_mem_t  *from;
    size_t         left;            /* allocations until one fails */
    bool           has_failed;
} scarce_t;

typedef chorus_rc_t (*scarce_test_pt)(chorus_mem_t *pool);


static scarce_t             scarce;
static bool                 is_openssl_scarce;


static void *
scarce_alloc(void *pool, size_t size)
{
    (void) pool;

    if (scarce.left == 0) {
        scarce.has_failed = true;
        return NULL;
    }

    scarce.left--;

    return chorus_alloc(&mem, size);
}


static void *
scarce_malloc(size_t size)
{
    if (scarce.left == 0) {
        scarce.has_failed = true;
        return NULL;
    }

    scarce.left--;

    return malloc(size);
}


static void *
openssl_malloc(size_t size, const char *file, int line)
{
    (void) file;
    (void) line;

    return is_openssl_scarce ? scarce_malloc(size) : malloc(size);
}


static void *
openssl_realloc(void *block, size_t size, const char *file, int line)
{
    (void) file;
    (void) line;

    return realloc(block, size);
}


static void
openssl_free(void *block, const char *file, int line)
{
    (void) file;
    (void) line;

    free(block);
}


/* Runs `test` with one allocation more each time until none fails. */
static void
run_scarce(const char *name, scarce_test_pt test, bool may_blame_input)
{
    size_t        n;
    chorus_rc_t   rc;
    chorus_mem_t  pool;

    pool.alloc = scarce_alloc;
    pool.pool = NULL;

    for (n = 0; n < 10000; n++) {

        scarce.left = n;
        scarce.has_failed = false;

        rc = test(&pool);

        if (!scarce.has_failed) {
            check_int(name, rc, CHORUS_OK);
            assert_true(n > 0);
            return;
        }

        if (rc != CHORUS_NOMEM
            && !(rc == CHORUS_ERROR && may_blame_input))
        {
            fail_msg("%s: allocation %zu failed, got %d", name, n, rc);
        }

        chorus_arena_reset(arena);
    }

    fail_msg("%s: never enough", name);
}


static chorus_rc_t
nomem_if_null(chorus_str_t s)
{
    return s.data == NULL ? CHORUS_NOMEM : CHORUS_OK;
}


/* ---- the entry points ---- */


static chorus_rc_t
scarce_uri(chorus_mem_t *pool)
{
    chorus_uri_t    uri;
    chorus_error_t  error;

    return chorus_uri_parse(pool, chorus_str("/b%20/k%20?a&b=1"), &uri,
                            &error);
}


static chorus_rc_t
scarce_buffer(chorus_mem_t *pool)
{
    size_t        i;
    chorus_buf_t  buf;

    buf = chorus_buf(pool, 0);

    for (i = 0; i < 1000; i++) {
        chorus_buf_text(&buf, "text");
        chorus_buf_char(&buf, 'c');
        chorus_buf_u64(&buf, 7);
        chorus_buf_hex(&buf, "x", 1);
    }

    return nomem_if_null(chorus_buf_str(&buf));
}


static const char  target[] = "/b/k%20+?b=%20&a=1&list-type=2";

static const chorus_header_t  headers[] = {
    HEADER("Host", "h"),
    EXAMPLE_DATE,
    HEADER("X-Amz-Meta-A", "  a  b "),
    HEADER("x-amz-content-sha256", CHORUS_UNSIGNED_PAYLOAD),
};


static chorus_str_t
sign_with(chorus_mem_t *pool, const chorus_uri_t *uri)
{
    chorus_sigv4_signer_t   signer;
    chorus_sigv4_request_t  request;

    signer.mem = pool;
    signer.crypto = crypto;
    signer.keys = keys;
    signer.access_key = chorus_str(EXAMPLE_ACCESS_KEY);
    signer.secret_key = chorus_str(EXAMPLE_SECRET);
    signer.region = chorus_str("us-east-1");

    request.method = chorus_str("PUT");
    request.uri = uri;
    request.headers = headers;
    request.nheaders = NROWS(headers);
    request.payload = chorus_str(CHORUS_UNSIGNED_PAYLOAD);

    return chorus_sigv4_sign(&signer, &request,
                             chorus_str("20130524T000000Z"));
}


static chorus_rc_t
scarce_sign(chorus_mem_t *pool)
{
    chorus_uri_t  uri;

    assert_int_equal(chorus_uri_parse(&mem, chorus_str(target), &uri, NULL),
                     CHORUS_OK);

    return nomem_if_null(sign_with(pool, &uri));
}


static chorus_str_t
secret_of(void *data, chorus_str_t access_key)
{
    (void) data;
    (void) access_key;

    return chorus_str(EXAMPLE_SECRET);
}


static chorus_rc_t
verify_with(chorus_mem_t *pool, const char *region, const char *extra)
{
    chorus_uri_t              uri;
    chorus_header_t           all[NROWS(headers) + 2];
    chorus_auth_t             auth;
    chorus_s3_refusal_t       refusal;
    chorus_sigv4_request_t    request;
    chorus_auth_verifier_t    verifier = {
        pool, crypto, keys, EXAMPLE_NOW, chorus_str_from(region), secret_of,
        NULL, false, false, chorus_null_str
    };

    assert_int_equal(chorus_uri_parse(&mem, chorus_str(target), &uri, NULL),
                     CHORUS_OK);

    memcpy(all, headers, sizeof(headers));
    all[NROWS(headers)].name = chorus_str("authorization");
    all[NROWS(headers)].value = sign_with(&mem, &uri);
    all[NROWS(headers) + 1].name = chorus_str_from(extra);
    all[NROWS(headers) + 1].value = chorus_str("x");

    request.method = chorus_str("PUT");
    request.uri = &uri;
    request.headers = all;
    request.nheaders = NROWS(headers) + (extra == NULL ? 1 : 2);

    return chorus_auth_verify(&verifier, &request, &auth, &refusal);
}


static chorus_rc_t
scarce_verify(chorus_mem_t *pool)
{
    return verify_with(pool, "us-east-1", NULL);
}


static chorus_rc_t
scarce_wrong_region(chorus_mem_t *pool)
{
    chorus_rc_t  rc;

    rc = verify_with(pool, "a-region", NULL);

    return rc == CHORUS_ERROR ? CHORUS_OK : rc;
}


static chorus_rc_t
scarce_unsigned_header(chorus_mem_t *pool)
{
    chorus_rc_t  rc;

    rc = verify_with(pool, "us-east-1", "x-amz-acl");

    return rc == CHORUS_ERROR ? CHORUS_OK : rc;
}


/* V4 with a '+' that is signed as a plus, V2, and a URL that has expired:
 * signatures that match need no memory of their own. */
static chorus_rc_t
verify_url(chorus_mem_t *pool, const char *url, chorus_s3_code_t code)
{
    chorus_rc_t              rc;
    chorus_uri_t             uri;
    chorus_auth_t            auth;
    chorus_s3_refusal_t      refusal;
    chorus_sigv4_request_t   request;
    chorus_auth_verifier_t   verifier = {
        pool, crypto, keys, EXAMPLE_NOW, chorus_str("us-east-1"), secret_of,
        NULL, true, false, chorus_null_str
    };

    static const chorus_header_t  host = HEADER("Host", "h");

    assert_int_equal(chorus_uri_parse(&mem, chorus_str_from(url), &uri, NULL),
                     CHORUS_OK);

    request.method = chorus_str("GET");
    request.uri = &uri;
    request.headers = &host;
    request.nheaders = 1;

    rc = chorus_auth_verify(&verifier, &request, &auth, &refusal);

    if (rc != CHORUS_ERROR) {
        return rc;
    }

    assert_int_equal(refusal.code, code);

    return nomem_if_null(chorus_auth_target(pool, &uri, &auth));
}


#define URL_V4                                                                \
    "/b/k?prefix=a+b&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK"    \
    "%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z" \
    "&X-Amz-SignedHeaders=host&X-Amz-Signature=00000000000000000000000000000" \
    "00000000000000000000000000000000000&X-Amz-Expires="


static chorus_rc_t
scarce_presigned(chorus_mem_t *pool)
{
    return verify_url(pool, URL_V4 "60", CHORUS_S3_SIGNATURE_DOES_NOT_MATCH);
}


static chorus_rc_t
scarce_v2(chorus_mem_t *pool)
{
    return verify_url(pool, "/b/k?acl&AWSAccessKeyId=AK&Signature=%78"
                      "&x-amz-security-token=a+b&Expires=9999999999",
                      CHORUS_S3_SIGNATURE_DOES_NOT_MATCH);
}


static chorus_rc_t
scarce_expired(chorus_mem_t *pool)
{
    return verify_url(pool, "/b/k?AWSAccessKeyId=AK&Signature=x&Expires=1",
                      CHORUS_S3_REQUEST_EXPIRED);
}


static chorus_rc_t
scarce_error_xml(chorus_mem_t *pool)
{
    chorus_s3_refusal_t  refusal;

    memset(&refusal, 0, sizeof(refusal));
    refusal.code = CHORUS_S3_ACCESS_DENIED;

    return nomem_if_null(chorus_s3_error_xml(pool, &refusal, chorus_str("/b"),
                                             chorus_str("id")));
}


static chorus_rc_t
scarce_complete(chorus_mem_t *pool)
{
    chorus_error_t     error;
    chorus_complete_t  complete;

    return chorus_complete_parse(pool, chorus_str("<CompleteMultipartUpload>"
        "<Part><PartNumber>1</PartNumber><ETag>"
        "0cc175b9c0f1b6a831c399e269772661</ETag></Part>"
        "</CompleteMultipartUpload>"), &complete, &error);
}


static chorus_rc_t
scarce_delete(chorus_mem_t *pool)
{
    chorus_error_t           error;
    chorus_delete_objects_t  request;

    return chorus_delete_objects_parse(pool,
        chorus_str("<Delete><Object><Key>a long key a long key a long key a "
                   "long key a long key a long key a long key a long key a "
                   "long key a long key</Key></Object><Object><Key>b</Key>"
                   "</Object></Delete>"), &request, &error);
}


static chorus_version_verdict_t
scarce_look(void *data, const chorus_version_t *ours,
    const chorus_version_t *theirs)
{
    (void) data;
    (void) ours;
    (void) theirs;

    return CHORUS_VERSION_SAME;
}


static chorus_rc_t
scarce_versions(chorus_mem_t *pool)
{
    chorus_rc_t            rc;
    chorus_error_t         error;
    chorus_history_edit_t  edit;
    chorus_version_page_t  page;

    rc = chorus_version_page_parse(pool,
             chorus_str("<ListVersionsResult><EncodingType>url</EncodingType>"
                        "<Prefix>&#x01;</Prefix>"
                        "<IsTruncated>false</IsTruncated><Version><Key>%20k"
                        "</Key><VersionId>v</VersionId><LastModified>"
                        "2026-11-22T20:23:14.915Z</LastModified><Size>1"
                        "</Size><ETag>e</ETag></Version>"
                        "</ListVersionsResult>"), 10, &page, &error);

    return rc != CHORUS_OK ? rc
           : chorus_history_compare(pool, &page.history, &page.history,
                                    scarce_look, NULL, &edit);
}


static chorus_rc_t
scarce_acl(chorus_mem_t *pool)
{
    chorus_rc_t     rc;
    chorus_acl_t    acl;
    chorus_error_t  error;

    rc = chorus_acl_parse(pool,
             chorus_str("<AccessControlPolicy><Owner><ID>o</ID></Owner>"
                        "<AccessControlList><Grant><Grantee><ID>g</ID>"
                        "</Grantee><Permission>READ</Permission></Grant>"
                        "</AccessControlList></AccessControlPolicy>"),
             &acl, &error);

    return rc != CHORUS_OK ? rc : nomem_if_null(chorus_acl_xml(pool, &acl));
}


static chorus_rc_t
scarce_tagging(chorus_mem_t *pool)
{
    chorus_rc_t       rc;
    chorus_error_t    error;
    chorus_tagging_t  tagging;

    rc = chorus_tagging_parse(pool,
             chorus_str("<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value>"
                        "</Tag></TagSet></Tagging>"), &tagging, &error);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = nomem_if_null(chorus_tagging_xml(pool, &tagging));

    return rc != CHORUS_OK ? rc
                           : nomem_if_null(chorus_tagging_header(pool,
                                                                 &tagging));
}


static chorus_rc_t
scarce_xml(chorus_mem_t *pool)
{
    chorus_str_t  body;

    body = chorus_str("<Error><Code>NoSuchKey</Code></Error>");

    if (chorus_xml_root(pool, body).data == NULL) {
        return CHORUS_NOMEM;
    }

    return nomem_if_null(chorus_xml_text(pool, body, "Code"));
}


static chorus_rc_t
scarce_replication(chorus_mem_t *pool)
{
    chorus_str_t          name;
    chorus_error_t        error;
    chorus_replication_t  replication, back;

    replication.user = chorus_str("u:1");
    replication.bucket = chorus_str("b%");
    replication.follower = chorus_str("f");
    replication.target = chorus_str("t{}");

    name = chorus_replication_name(pool, &replication);

    if (name.data == NULL) {
        return CHORUS_NOMEM;
    }

    return chorus_replication_parse(pool, name, &back, &error);
}


static chorus_rc_t
scarce_pattern(chorus_mem_t *pool)
{
    chorus_rc_t        rc;
    chorus_error_t     error;
    chorus_pattern_t  *pattern;

    rc = chorus_pattern_compile(pool, chorus_str("~^a"), &pattern, &error);

    if (rc == CHORUS_OK) {
        chorus_pattern_free(pattern);
    }

    return rc;
}


static chorus_rc_t
scarce_base64(chorus_mem_t *pool)
{
    return nomem_if_null(chorus_base64(pool, "x", 1));
}


static chorus_rc_t
scarce_checksum(chorus_mem_t *pool)
{
    bool                is_done;
    char                text[CHORUS_CHECKSUM_TEXT_MAX_LEN];
    chorus_checksum_t  *checksum;

    (void) pool;

    checksum = chorus_checksum_create(CHORUS_CHECKSUM_SHA512);
    is_done = checksum != NULL
              && chorus_checksum_update(checksum, chorus_str("abc"))
              && chorus_checksum_end(checksum, text);
    chorus_checksum_destroy(checksum);

    return is_done ? CHORUS_OK : CHORUS_NOMEM;
}


static chorus_rc_t
scarce_unbase64(chorus_mem_t *pool)
{
    chorus_str_t  bytes;

    return chorus_base64_decode(pool, chorus_str("eA=="), &bytes);
}


static chorus_s3_code_t  post_code;             /* of the last refusal */

/* With one field more than AWS's example, when there is an `extra`. */
static chorus_rc_t
post_with(chorus_mem_t *pool, const char *extra, const char *bucket)
{
    chorus_rc_t              rc;
    chorus_buf_t             body;
    chorus_post_form_t       form;
    chorus_post_check_t      check = { 0 };
    chorus_post_grant_t      grant;
    chorus_s3_refusal_t      refusal;
    chorus_sigv4_signer_t    signer = {
        pool, crypto, keys, chorus_str(EXAMPLE_ACCESS_KEY),
        chorus_str(EXAMPLE_SECRET), chorus_str("us-east-1")
    };
    chorus_auth_verifier_t   verifier = {
        .mem = pool, .crypto = crypto, .keys = keys, .now = POST_NOW,
        .region = chorus_str("us-east-1"), .secret_of = post_secret_of
    };

    body = chorus_buf(&mem, 0);

    if (extra != NULL) {
        post_add_field(&body, extra, chorus_str("x"));
    }

    chorus_buf_add(&body, post_body(&mem, post_example_fields));

    check.verifier = &verifier;
    check.bucket = chorus_str_from(bucket);

    rc = chorus_post_form_begin(&form, pool, chorus_str(POST_TYPE), &refusal);

    if (rc == CHORUS_OK) {
        rc = chorus_post_form_read(&form, chorus_buf_str(&body), true);
    }

    if (rc == CHORUS_OK) {
        rc = chorus_post_verify(&check, &form, &grant, &refusal);
        post_code = refusal.code;
    }

    if (rc == CHORUS_OK) {
        rc = nomem_if_null(chorus_post_sign(&signer, &form, &grant,
                                            check.bucket, POST_NOW));
    }

    return rc != CHORUS_OK
           ? rc : nomem_if_null(chorus_post_content_type(pool, &form));
}


static chorus_rc_t
scarce_post(chorus_mem_t *pool)
{
    return post_with(pool, NULL, POST_BUCKET);
}


static chorus_rc_t
scarce_post_refusal(chorus_mem_t *pool)
{
    chorus_rc_t  rc;

    rc = post_with(pool, "x-amz-meta-extra", POST_BUCKET);

    return rc == CHORUS_ERROR ? CHORUS_OK : rc;
}


static chorus_rc_t
scarce_post_condition(chorus_mem_t *pool)
{
    chorus_rc_t  rc;

    rc = post_with(pool, NULL, "another");

    return rc == CHORUS_ERROR && post_code == CHORUS_S3_ACCESS_DENIED
           ? CHORUS_OK : rc;
}


static chorus_rc_t
scarce_settings(chorus_mem_t *pool)
{
    chorus_rc_t     rc;
    chorus_str_t    text;
    chorus_error_t  error;

    rc = chorus_bucket_setting_canonical(pool, CHORUS_SETTING_CORS,
             chorus_str("<CORSConfiguration><CORSRule><AllowedMethod>GET"
                        "</AllowedMethod></CORSRule></CORSConfiguration>"),
             &text, &error);

    if (rc == CHORUS_OK) {
        rc = chorus_bucket_setting_rename(pool, CHORUS_SETTING_POLICY,
                 chorus_str("{\"Statement\": [{\"Resource\": "
                            "[\"arn:aws:s3:::b/*\"]}]}"),
                 chorus_str("b"), chorus_str("c"), &text, &error);
    }

    return rc != CHORUS_OK ? rc
           : chorus_bucket_setting_canonical(pool, CHORUS_SETTING_POLICY,
                                             text, &text, &error);
}


static chorus_rc_t
scarce_config(chorus_mem_t *pool)
{
    chorus_rc_t           rc;
    chorus_str_t          text;
    chorus_error_t        error;
    chorus_config_t       config;
    chorus_config_host_t  host;

    text = json_of(&mem,
        "{'redis': {'url': 'redis+sentinel://u%20:S3CR3T%20@h,i/s/1',"
        "   'sentinel_user': 'u', 'sentinel_password_file': 'f'},"
        " 'region': 'r',"
        " 'storages': {"
        "   'main': {'endpoint': 'http://h', 'region': 'r', 'provider':"
        "            'aws', 'main': true, 'users': {'alice':"
        "     {'access_key': 'A', 'secret_key': '${env:ALICE_SECRET}'}}},"
        "   'f': {'endpoint': 'https://f', 'ca_file': 'c', 'users': {'alice':"
        "     {'access_key': 'B', 'secret_key_file': 'x'}}}},"
        " 'users': {'alice': [{'access_key': 'C', 'secret_key': 'S3CR3T'}]},"
        " 'replications': [{'user': '*', 'bucket': '~^a', 'to': ['f']},"
        "   {'user': '*', 'bucket': 'abc', 'to': 'f:{bucket}-copy', 'filter':"
        "    {'prefix': 'p', 'tags': {'a': 'b'}}, 'bucket_settings': ['cors']},"
        "   {'user': '*', 'bucket': 'def', 'to': 'f:def-copy'}],"
        " 'routes': [{'user': 'alice', 'bucket': 'x', 'storage': 'f'}],"
        " 'worker': {'concurrency': 1}, 'api': {'token_file': 't'}}");

    host = test_host(true);

    rc = chorus_config_parse(pool, text, &host, &config, &error);

    if (rc == CHORUS_OK) {
        chorus_config_close(&config);
    }

    return rc;
}


static void
each_allocation_fails_once(void **state)
{
    size_t  i;

    static const struct {
        const char      *name;
        scarce_test_pt   test;
    } rows[] = {
        { "buffer", scarce_buffer },
        { "uri", scarce_uri },
        { "sign", scarce_sign },
        { "verify", scarce_verify },
        { "wrong region", scarce_wrong_region },
        { "unsigned header", scarce_unsigned_header },
        { "presigned", scarce_presigned },
        { "version 2", scarce_v2 },
        { "expired", scarce_expired },
        { "error document", scarce_error_xml },
        { "delete objects", scarce_delete },
        { "complete", scarce_complete },
        { "acl", scarce_acl },
        { "tagging", scarce_tagging },
        { "versions", scarce_versions },
        { "elements", scarce_xml },
        { "replication", scarce_replication },
        { "pattern", scarce_pattern },
        { "base64", scarce_base64 },
        { "base64 backwards", scarce_unbase64 },
        { "browser upload", scarce_post },
        { "browser upload refused", scarce_post_refusal },
        { "browser upload against its policy", scarce_post_condition },
        { "config", scarce_config },
        { "bucket settings", scarce_settings },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        run_scarce(rows[i].name, rows[i].test, false);
    }
}


/* The same, with the allocations of jansson in the count; its scanner takes
 * some that fail for a syntax error. */
static void
each_allocation_of_json_fails_once(void **state)
{
    (void) state;

    json_set_alloc_funcs(scarce_malloc, free);
    run_scarce("config", scarce_config, true);
    run_scarce("bucket settings", scarce_settings, true);
    run_scarce("browser upload", scarce_post, true);
    run_scarce("browser upload against its policy", scarce_post_condition,
               true);
    json_set_alloc_funcs(malloc, free);
}


/* OpenSSL's first fetch, which fills its own tables, is not our subject. */
static void
each_allocation_of_openssl_fails_once(void **state)
{
    (void) state;

    scarce.left = SIZE_MAX;
    assert_int_equal(scarce_checksum(&mem), CHORUS_OK);

    is_openssl_scarce = true;
    run_scarce("checksum", scarce_checksum, false);
    is_openssl_scarce = false;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test_row(each_allocation_fails_once),
        test_row(each_allocation_of_json_fails_once),
        test_row(each_allocation_of_openssl_fails_once)
    };

    /* refused once OpenSSL has allocated anything */

    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc,
                                 openssl_free) != 1)
    {
        fprintf(stderr, "oom: OpenSSL keeps its own allocator\n");
        return 1;
    }

    return cmocka_run_group_tests(tests, crypto_setup, crypto_teardown);
}
