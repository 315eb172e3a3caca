/*
 * What the tests of the verification share: a verifier with one user, and a
 * request made of a target and a few headers.
 */

#ifndef AUTH_HOST_H
#define AUTH_HOST_H

#include "chorus_auth.h"
#include "sigv4_examples.h"
#include "test.h"

#define HOST       HEADER("Host", "h")
#define DATE       "20130524T000000Z"
#define MAX_HEADERS  8


TEST_HELPER chorus_str_t
secret_of(void *data, chorus_str_t access_key)
{
    (void) data;

    if (chorus_str_eq(access_key, chorus_str(EXAMPLE_ACCESS_KEY))
        || chorus_str_eq(access_key, chorus_str("user:sub")))
    {
        return chorus_str(EXAMPLE_SECRET);
    }

    return chorus_null_str;
}


TEST_HELPER chorus_auth_verifier_t
verifier_at(int64_t now)
{
    return (chorus_auth_verifier_t) {
        &mem, crypto, keys, now, chorus_str("us-east-1"), secret_of, NULL,
        true, false, chorus_null_str
    };
}


TEST_HELPER void
make_request(chorus_sigv4_request_t *request, chorus_uri_t *uri,
    const char *method, const char *target, const chorus_header_t *headers)
{
    check_int(target,
              chorus_uri_parse(&mem,
                               chorus_str_dup(&mem, chorus_str_from(target)),
                               uri, NULL),
              CHORUS_OK);

    request->method = chorus_str_from(method);
    request->uri = uri;
    request->headers = headers;
    request->payload = chorus_null_str;

    for (request->nheaders = 0; request->nheaders < MAX_HEADERS;
         request->nheaders++)
    {
        if (headers[request->nheaders].name.data == NULL) {
            break;
        }
    }
}


/* The hexadecimal signature over `target` as it stands; the scope is
 * EXAMPLE_SCOPE. */
TEST_HELPER void
sign_v4(const char *method, const char *target,
    const chorus_header_t *headers, const char *date, const char *names,
    const char *payload, char hex[CHORUS_SIGNATURE_LEN + 1])
{
    chorus_uri_t            uri;
    chorus_str_t            to_sign;
    unsigned char           key[CHORUS_SHA256_LEN];
    chorus_sigv4_request_t  request;

    make_request(&request, &uri, method, target, headers);
    request.payload = chorus_str_from(payload);

    to_sign = chorus_sigv4_string_to_sign(&mem, crypto, chorus_str_from(date),
        chorus_str(EXAMPLE_SCOPE),
        chorus_sigv4_canonical_request(&mem, &request,
                                       chorus_str_from(names)));

    assert_true(chorus_sigv4_signing_key(crypto, chorus_str(EXAMPLE_SECRET),
        chorus_str("20130524"), chorus_str("us-east-1"), chorus_str("s3"),
        key));
    assert_true(chorus_sigv4_signature(crypto, key, to_sign, hex));

    hex[CHORUS_SIGNATURE_LEN] = '\0';
}


TEST_HELPER chorus_rc_t
verify(const chorus_auth_verifier_t *verifier, const char *method,
    const char *target, const chorus_header_t *headers, chorus_auth_t *auth,
    chorus_s3_refusal_t *refusal)
{
    chorus_uri_t            uri;
    chorus_sigv4_request_t  request;

    make_request(&request, &uri, method, target, headers);

    return chorus_auth_verify(verifier, &request, auth, refusal);
}


/* CHORUS_S3_OK and nothing else goes with CHORUS_OK; `message` is a part. */
TEST_HELPER void
check_refusal(const char *name, chorus_rc_t rc,
    const chorus_s3_refusal_t *refusal, chorus_s3_code_t code,
    const char *message)
{
    check_int(name, refusal->code, code);
    check_int(name, rc, code == CHORUS_S3_OK ? CHORUS_OK : CHORUS_ERROR);

    if (message != NULL) {
        check_has(name,
                  refusal->message.data == NULL
                      ? chorus_s3_error_row(code)->message
                      : chorus_str_dup(&mem, refusal->message).data,
                  message);
    }
}


#endif
