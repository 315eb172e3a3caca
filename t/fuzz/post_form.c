#include <string.h>

#include "chorus_post_policy.h"
#include "fuzz.h"

#define NOW     1451347200
#define BUCKET  "bucket"
#define KEY     "key"
#define SECRET  "secret"


static chorus_crypto_t  *crypto;


static chorus_str_t
secret_of(void *data, chorus_str_t access_key)
{
    (void) data;

    return chorus_str_eq(access_key, chorus_str(KEY)) ? chorus_str(SECRET)
                                                      : chorus_null_str;
}


static chorus_rc_t
read_form(chorus_post_form_t *form, chorus_mem_t *mem, chorus_str_t type,
    chorus_str_t body, size_t piece, chorus_s3_refusal_t *refusal)
{
    size_t       len;
    chorus_rc_t  rc;

    rc = chorus_post_form_begin(form, mem, type, refusal);

    for (len = 0; rc == CHORUS_OK && !form->is_complete; len += piece) {

        if (len > body.len) {
            len = body.len;
        }

        rc = chorus_post_form_read(form, (chorus_str_t) { body.data, len },
                                   len == body.len);
    }

    FUZZ_HOLDS(rc != CHORUS_NOMEM);
    FUZZ_HOLDS((rc == CHORUS_OK) == (refusal->code == CHORUS_S3_OK));
    FUZZ_HOLDS((rc == CHORUS_OK) == form->is_complete);

    return rc;
}


static void
must_be_alike(const chorus_post_form_t *a, const chorus_post_form_t *b)
{
    size_t  i;

    FUZZ_HOLDS(a->nfields == b->nfields);
    FUZZ_HOLDS(a->file_start == b->file_start);
    FUZZ_HOLDS(chorus_str_eq(a->key, b->key));
    FUZZ_HOLDS(chorus_str_eq(a->filename, b->filename));

    for (i = 0; i < a->nfields; i++) {
        FUZZ_HOLDS(chorus_str_eq(a->fields[i].name, b->fields[i].name));
        FUZZ_HOLDS(chorus_str_eq(a->fields[i].value, b->fields[i].value));
    }
}


/* However loosely it is searched, the boundary stands before each part only. */
static void
must_have_plain_parts(const chorus_post_form_t *form, chorus_str_t body)
{
    size_t        n;
    const char   *p;
    chorus_str_t  what;

    what = chorus_str_sub(form->delimiter, 2);
    body.len = form->file_start;

    for (n = 0; body.len != 0; n++) {

        p = memmem(body.data, body.len, what.data, what.len);
        if (p == NULL) {
            break;
        }

        body = chorus_str_sub(body, (size_t) (p - body.data) + what.len);
    }

    FUZZ_HOLDS(n == form->nfields + 1);
}


/* All that says something is in the form for main, and nothing else but its
 * signature. */
static void
must_carry_over(const chorus_post_form_t *from, const chorus_post_form_t *to)
{
    size_t                      i, n;
    chorus_str_t                value;
    const chorus_post_field_t  *field;

    n = 5;

    for (i = 0; i < from->nfields; i++) {

        if (chorus_post_is_signature_field(from->fields[i].name)
            || chorus_str_caseeq(from->fields[i].name, chorus_str("bucket"))
            || chorus_str_casestarts(from->fields[i].name,
                                     chorus_str("x-ignore-")))
        {
            continue;
        }

        n++;
        value = from->fields[i].value;
        field = chorus_post_field(to, from->fields[i].name);

        FUZZ_HOLDS(field != NULL);
        FUZZ_HOLDS(chorus_str_eq(field->name, from->fields[i].name));
        FUZZ_HOLDS(chorus_str_eq(chorus_str_trim(field->value),
                                 chorus_str_trim(value)));
        FUZZ_HOLDS(chorus_str_eq(field->value, value)
                   || chorus_str_caseeq(field->name,
                                        chorus_str("content-type")));
    }

    FUZZ_HOLDS(to->nfields == n);
    FUZZ_HOLDS(chorus_str_eq(from->key, to->key));
    FUZZ_HOLDS(chorus_str_eq(from->file_type, to->file_type));
}


/*
 * "Content-Type LF body": however it comes, it is read alike; the field
 * "policy" (here not in base64) is checked; and what Chorus signs for main is
 * a form with the same fields that its own verification lets pass.
 */
static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    chorus_buf_t                body;
    chorus_str_t                type;
    chorus_post_form_t          form, again;
    chorus_post_grant_t         grant;
    chorus_post_check_t         check = { 0 };
    chorus_s3_refusal_t         refusal, other;
    chorus_sigv4_signer_t       signer = { 0 };
    chorus_auth_verifier_t      verifier = { 0 };
    const chorus_post_field_t  *policy;

    if (crypto == NULL) {
        crypto = chorus_crypto_create();
    }

    type = chorus_str_cut(&input, '\n');

    if (read_form(&form, mem, type, input, input.len + 1, &refusal)
        != CHORUS_OK)
    {
        FUZZ_HOLDS(read_form(&again, mem, type, input, 1, &other)
                   == CHORUS_ERROR);
        FUZZ_HOLDS(other.code == refusal.code);
        return;
    }

    FUZZ_HOLDS(read_form(&again, mem, type, input, 3, &other) == CHORUS_OK);
    must_be_alike(&form, &again);

    verifier.mem = mem;
    verifier.crypto = crypto;
    verifier.now = NOW;
    verifier.region = chorus_str("r");
    verifier.secret_of = secret_of;

    check.verifier = &verifier;
    check.bucket = chorus_str(BUCKET);
    check.content_length = input.len;

    memset(&grant, 0, sizeof(grant));
    policy = chorus_post_field(&form, chorus_str("policy"));

    if (policy != NULL
        && chorus_post_policy_check(&check, &form,
                                    chorus_base64(mem, policy->value.data,
                                                  policy->value.len),
                                    &grant, &refusal) != CHORUS_OK)
    {
        FUZZ_HOLDS(refusal.code != CHORUS_S3_OK);
        return;
    }

    signer.mem = mem;
    signer.crypto = crypto;
    signer.access_key = chorus_str(KEY);
    signer.secret_key = chorus_str(SECRET);
    signer.region = chorus_str("r");

    body = chorus_buf(mem, 0);
    chorus_buf_add(&body, chorus_post_sign(&signer, &form, &grant,
                                           check.bucket, NOW));
    FUZZ_HOLDS(body.len != 0);

    chorus_buf_add(&body, chorus_str_sub(input, form.file_start));
    type = chorus_post_content_type(mem, &form);

    if (read_form(&again, mem, type, chorus_buf_str(&body), body.len,
                  &refusal) != CHORUS_OK)
    {
        FUZZ_HOLDS(refusal.code == CHORUS_S3_POST_PREAMBLE_TOO_LONG);
        return;
    }

    must_carry_over(&form, &again);
    must_have_plain_parts(&again, chorus_buf_str(&body));

    check.content_length = body.len;
    FUZZ_HOLDS(chorus_post_verify(&check, &again, &grant, &refusal)
               == CHORUS_OK);
    FUZZ_HOLDS(chorus_str_eq(grant.access_key, chorus_str(KEY)));
}
