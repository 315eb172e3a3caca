/*
 * The form as main gets it.  Each field it holds is a condition of its policy
 * with just that value: however a storage takes the text apart, it either
 * reads the same fields or refuses.
 */

#include <jansson.h>

#include "chorus_post_policy.h"


typedef struct {
    const chorus_sigv4_signer_t  *signer;
    const chorus_post_form_t     *form;
    const chorus_post_grant_t    *grant;
    chorus_str_t                  bucket;
    int64_t                       now;
    char                          date[CHORUS_AMZ_DATE_LEN + 1];
    chorus_str_t                  credential;
    json_t                       *conditions;
    chorus_buf_t                  out;
} post_signing_t;


static chorus_str_t
post_amz_date(const post_signing_t *s)
{
    return (chorus_str_t) { s->date, CHORUS_AMZ_DATE_LEN };
}


/* ---- the text of the form ---- */


static void
post_add_boundary(chorus_buf_t *out, const chorus_post_form_t *form)
{
    if (out->len != 0) {
        chorus_buf_text(out, "\r\n");
    }

    chorus_buf_text(out, "--");
    chorus_buf_add(out, form->boundary);
    chorus_buf_text(out, "\r\nContent-Disposition: form-data; name=\"");
}


static void
post_add_field(post_signing_t *s, chorus_str_t name, chorus_str_t value)
{
    post_add_boundary(&s->out, s->form);
    chorus_buf_add(&s->out, name);
    chorus_buf_text(&s->out, "\"\r\n\r\n");
    chorus_buf_add(&s->out, value);
}


/* The name of the file has done its work in the fields; it is sent in a form
 * in which no parser finds a parameter of its own. */
static void
post_add_file(post_signing_t *s)
{
    const chorus_post_form_t  *form = s->form;

    post_add_boundary(&s->out, form);
    chorus_buf_text(&s->out, "file\"");

    if (form->filename.data != NULL) {
        chorus_buf_text(&s->out, "; filename=\"");
        chorus_uri_encode(&s->out, form->filename, false);
        chorus_buf_char(&s->out, '"');
    }

    if (form->file_type.data != NULL) {
        chorus_buf_text(&s->out, "\r\nContent-Type: ");
        chorus_buf_add(&s->out, form->file_type);
    }

    chorus_buf_text(&s->out, "\r\n\r\n");
}


/* ---- the policy ---- */


static bool
post_append(json_t *list, json_t *value)
{
    return json_array_append_new(list, value) == 0;
}


static bool
post_add_condition(post_signing_t *s, chorus_str_t name, chorus_str_t value)
{
    json_t        *condition;
    chorus_str_t   terminated;

    /* not ["eq", ...]: there Ceph takes a value that begins with '$' for the
     * name of a field */

    condition = json_object();
    terminated = chorus_str_dup(s->signer->mem, name);

    if (condition == NULL || terminated.data == NULL
        || json_object_set_new(condition, terminated.data,
                               json_stringn(value.data, value.len)) != 0)
    {
        json_decref(condition);
        return false;
    }

    return post_append(s->conditions, condition);
}


static bool
post_add_range(post_signing_t *s)
{
    json_t                     *range;
    const chorus_post_grant_t  *grant = s->grant;

    if (!grant->has_range) {
        return true;
    }

    range = json_array();

    if (range == NULL
        || !post_append(range, json_string("content-length-range"))
        || !post_append(range, json_integer((json_int_t)
               (grant->min_bytes < INT64_MAX ? grant->min_bytes : INT64_MAX)))
        || !post_append(range, json_integer((json_int_t)
               (grant->max_bytes < INT64_MAX ? grant->max_bytes : INT64_MAX))))
    {
        json_decref(range);
        return false;
    }

    return post_append(s->conditions, range);
}


/* A field and its condition. */
static bool
post_add(post_signing_t *s, chorus_str_t name, chorus_str_t value)
{
    post_add_field(s, name, value);

    return post_add_condition(s, name, value);
}


/* Those that say something to main.  Ceph drops blanks around the type before
 * it compares it. */
static bool
post_add_fields(post_signing_t *s)
{
    size_t                      i;
    chorus_str_t                value;
    const chorus_post_field_t  *field;

    for (i = 0; i < s->form->nfields; i++) {

        field = &s->form->fields[i];
        value = field->value;

        if (chorus_post_is_signature_field(field->name)
            || chorus_str_caseeq(field->name, chorus_str("bucket"))
            || chorus_str_casestarts(field->name, chorus_str("x-ignore-")))
        {
            continue;
        }

        if (chorus_str_caseeq(field->name, chorus_str("content-type"))) {
            value = chorus_str_trim(value);
        }

        if (!post_add(s, field->name, value)) {
            return false;
        }
    }

    return post_add(s, chorus_str("x-amz-algorithm"),
                    chorus_str(CHORUS_SIGV4_ALGORITHM))
           && post_add(s, chorus_str("x-amz-credential"), s->credential)
           && post_add(s, chorus_str("x-amz-date"), post_amz_date(s))
           && post_add_condition(s, chorus_str("bucket"), s->bucket)
           && post_add_range(s);
}


static int
post_dump(const char *bytes, size_t len, void *data)
{
    chorus_buf_t  *buf = data;

    chorus_buf_add(buf, (chorus_str_t) { bytes, len });

    return buf->failed ? -1 : 0;
}


/* The document in base64; null string when out of memory.  Bytes above ASCII
 * stay as they are, which not every reader of \u escapes gets right. */
static chorus_str_t
post_policy(post_signing_t *s)
{
    bool           ok;
    char           date[CHORUS_ISO_DATE_LEN + 1];
    int64_t        expiration;
    json_t        *root;
    chorus_buf_t   text;

    expiration = s->now + CHORUS_POST_SIGN_SECONDS;

    if (s->grant->has_expiration && s->grant->expiration < expiration) {
        expiration = s->grant->expiration;
    }

    chorus_time_iso(expiration, date);

    text = chorus_buf(s->signer->mem, 1024);
    root = json_object();

    ok = root != NULL
         && json_object_set_new(root, "expiration", json_string(date)) == 0
         && json_object_set(root, "conditions", s->conditions) == 0
         && json_dump_callback(root, post_dump, &text, JSON_COMPACT) == 0
         && !text.failed;

    json_decref(root);

    return ok ? chorus_base64(s->signer->mem, text.data, text.len)
              : chorus_null_str;
}


/* ---- the signature ---- */


static bool
post_add_signature(post_signing_t *s)
{
    bool           ok;
    char           hex[CHORUS_SIGNATURE_LEN];
    chorus_str_t   policy;
    unsigned char  key[CHORUS_SHA256_LEN];

    policy = post_policy(s);
    if (policy.data == NULL) {
        return false;
    }

    ok = chorus_sigv4_signer_key(s->signer,
             (chorus_str_t) { s->date, CHORUS_DAY_LEN }, key)
         && chorus_sigv4_signature(s->signer->crypto, key, policy, hex);

    chorus_secret_wipe(key, sizeof(key));

    if (!ok) {
        return false;
    }

    post_add_field(s, chorus_str("policy"), policy);
    post_add_field(s, chorus_str("x-amz-signature"),
                   (chorus_str_t) { hex, sizeof(hex) });

    return true;
}


static chorus_str_t
post_credential(const post_signing_t *s)
{
    chorus_buf_t  buf;

    buf = chorus_buf(s->signer->mem, 128);

    chorus_buf_add(&buf, s->signer->access_key);
    chorus_buf_char(&buf, '/');
    chorus_buf_add(&buf, (chorus_str_t) { s->date, CHORUS_DAY_LEN });
    chorus_buf_char(&buf, '/');
    chorus_buf_add(&buf, s->signer->region);
    chorus_buf_text(&buf, "/s3/aws4_request");

    return chorus_buf_str(&buf);
}


chorus_str_t
chorus_post_sign(const chorus_sigv4_signer_t *signer,
    const chorus_post_form_t *form, const chorus_post_grant_t *grant,
    chorus_str_t bucket, int64_t now)
{
    bool            ok;
    post_signing_t  s;

    s.signer = signer;
    s.form = form;
    s.grant = grant;
    s.bucket = bucket;
    s.now = now;

    chorus_time_amz(now, s.date);

    s.credential = post_credential(&s);
    s.out = chorus_buf(signer->mem, 4096);
    s.conditions = json_array();

    ok = s.credential.data != NULL && s.conditions != NULL
         && post_add_fields(&s)
         && post_add_signature(&s);

    json_decref(s.conditions);

    if (!ok) {
        return chorus_null_str;
    }

    post_add_file(&s);

    return chorus_buf_str(&s.out);
}


chorus_str_t
chorus_post_content_type(chorus_mem_t *mem, const chorus_post_form_t *form)
{
    bool          is_token;
    size_t        i;
    chorus_buf_t  buf;

    is_token = true;

    for (i = 0; i < form->boundary.len; i++) {
        if (!chorus_is_alnum(form->boundary.data[i])
            && form->boundary.data[i] != '-' && form->boundary.data[i] != '_')
        {
            is_token = false;
        }
    }

    buf = chorus_buf(mem, 128);

    chorus_buf_text(&buf, "multipart/form-data; boundary=");
    chorus_buf_text(&buf, is_token ? "" : "\"");
    chorus_buf_add(&buf, form->boundary);
    chorus_buf_text(&buf, is_token ? "" : "\"");

    return chorus_buf_str(&buf);
}
