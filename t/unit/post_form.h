/* Forms of browser uploads for the tests: signed with AWS's example key, or
 * with another. */

#ifndef POST_FORM_H
#define POST_FORM_H

#include <stdio.h>

#include "chorus_post_policy.h"
#include "sigv4_examples.h"
#include "test.h"

#define POST_NOW     1451347200             /* 20151229T000000Z */
#define POST_BUCKET  "sigv4examplebucket"
#define POST_SCOPE   "20151229/us-east-1/s3/aws4_request"
#define POST_TYPE    "multipart/form-data; boundary=9431149156168"
#define POST_FILE    "content\r\n--9431149156168--\r\n"


/* Of [Amazon S3 API Reference, "Example: Browser-Based Upload using HTTP POST
 * (Using AWS Signature Version 4)"]: 648 bytes with CRLF, base64. */
#define POST_EXAMPLE_POLICY                                                   \
    "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl" \
    "0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgIC" \
    "BbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6I" \
    "CJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0" \
    "cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXB" \
    "sb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW" \
    "1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNC" \
    "iAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAg" \
    "WyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW1" \
    "6LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC" \
    "0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtS" \
    "E1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIg" \
    "fQ0KICBdDQp9"
#define POST_EXAMPLE_SIGNATURE                                                \
    "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"

/* the form of that page, in its spelling; its key is user/user1/MyFile.jpg */
static const char  *const post_example_fields[] = {
    "key", "user/user1/${filename}",
    "acl", "public-read",
    "success_action_redirect",
    "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html",
    "Content-Type", "image/jpeg",
    "x-amz-meta-uuid", "14365123651274",
    "x-amz-server-side-encryption", "AES256",
    "X-Amz-Credential", EXAMPLE_ACCESS_KEY "/" POST_SCOPE,
    "X-Amz-Algorithm", "AWS4-HMAC-SHA256",
    "X-Amz-Date", "20151229T000000Z",
    "x-amz-meta-tag", "",
    "Policy", POST_EXAMPLE_POLICY,
    "X-Amz-Signature", POST_EXAMPLE_SIGNATURE,
    NULL
};


TEST_HELPER void
post_add_field(chorus_buf_t *body, const char *name, chorus_str_t value)
{
    chorus_buf_text(body, "--9431149156168\r\n"
                    "Content-Disposition: form-data; name=\"");
    chorus_buf_text(body, name);
    chorus_buf_text(body, "\"\r\n\r\n");
    chorus_buf_add(body, value);
    chorus_buf_text(body, "\r\n");
}


TEST_HELPER void
post_add_file(chorus_buf_t *body)
{
    chorus_buf_text(body, "--9431149156168\r\n"
                    "Content-Disposition: form-data; name=\"file\"; "
                    "filename=\"MyFile.jpg\"\r\n"
                    "Content-Type: image/jpeg\r\n\r\n" POST_FILE);
}


/* "name", "value", ..., NULL */
TEST_HELPER chorus_str_t
post_body(chorus_mem_t *pool, const char *const *fields)
{
    chorus_buf_t  body;

    body = chorus_buf(pool, 4096);

    for ( /* void */ ; *fields != NULL; fields += 2) {
        post_add_field(&body, fields[0], chorus_str_from(fields[1]));
    }

    post_add_file(&body);

    return chorus_buf_str(&body);
}


TEST_HELPER chorus_str_t
post_secret_of(void *data, chorus_str_t access_key)
{
    (void) data;

    return chorus_str_eq(access_key, chorus_str(EXAMPLE_ACCESS_KEY))
           ? chorus_str(EXAMPLE_SECRET) : chorus_null_str;
}


#endif
