/*
 * Credentials: inline, from the environment, or from a file of their own.
 * No secret gets into an error text.
 */

#include "chorus_config_value.h"
#include "chorus_crypto.h"
#include "chorus_sigv4.h"

#define MAX_ENV_NAME_LEN   128
#define MAX_ACCESS_KEY_LEN 128


static const char  *const credential_keys[] = {
    "access_key", "secret_key", "secret_key_file", NULL
};


void
chorus_config_wipe(chorus_str_t secret)
{
    chorus_secret_wipe((void *) secret.data, secret.len);
}


chorus_rc_t
chorus_config_inline(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node)
{
    const char  *file;

    if (reader->host->is_private) {
        return CHORUS_OK;
    }

    file = reader->host->file;

    return chorus_config_fail(reader, node, "a secret in a file that everyone "
                              "may read; run: chmod o-rwx %.250s",
                              file == NULL ? "chorus.json" : file);
}


static bool
secret_is_env_name(chorus_str_t name)
{
    char    c;
    size_t  i;

    if (name.len == 0 || name.len > MAX_ENV_NAME_LEN) {
        return false;
    }

    for (i = 0; i < name.len; i++) {

        c = name.data[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'
              || (c >= '0' && c <= '9' && i != 0)))
        {
            return false;
        }
    }

    return true;
}


/* `text` is "${env:NAME}" and becomes the value of NAME. */
static chorus_rc_t
secret_from_env(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_str_t *text)
{
    const char    *value;
    chorus_str_t   name;

    name = chorus_str_sub(*text, sizeof("${env:") - 1);

    if (name.len != 0 && name.data[name.len - 1] == '}') {
        name.len--;

    } else {
        name.len = 0;
    }

    if (!secret_is_env_name(name)) {
        return chorus_config_fail(reader, node, "\"${env:NAME}\" must be the "
                                  "whole value, NAME of A-Z a-z 0-9 _");
    }

    name = chorus_str_dup(reader->mem, name);
    if (name.data == NULL) {
        return CHORUS_NOMEM;
    }

    value = reader->host->get_env(reader->host->data, name.data);

    if (value == NULL) {
        return chorus_config_fail(reader, node, "the environment has no %s",
                                  name.data);
    }

    if (value[0] == '\0') {
        return chorus_config_fail(reader, node,
                                  "%s is empty in the environment", name.data);
    }

    *text = chorus_str_dup(reader->mem, chorus_str_from(value));

    return text->data == NULL ? CHORUS_NOMEM : CHORUS_OK;
}


static bool
secret_mentions_env(chorus_str_t s)
{
    for ( /* void */ ; s.len != 0; s = chorus_str_sub(s, 1)) {
        if (chorus_str_starts(s, chorus_str("${env:"))) {
            return true;
        }
    }

    return false;
}


chorus_rc_t
chorus_config_expand(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_str_t *text, bool *is_inline)
{
    chorus_rc_t  rc;

    *is_inline = false;

    rc = chorus_config_text(reader, node, text);
    if (rc != CHORUS_OK) {
        return rc;
    }

    if (chorus_str_starts(*text, chorus_str("${env:"))) {
        return secret_from_env(reader, node, text);
    }

    *is_inline = true;

    if (secret_mentions_env(*text)) {
        chorus_config_wipe(*text);
        return chorus_config_fail(reader, node, "\"${env:NAME}\" must be the "
                                  "whole value, NAME of A-Z a-z 0-9 _");
    }

    return CHORUS_OK;
}


static chorus_rc_t
secret_read_file(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_str_t *secret)
{
    chorus_rc_t      rc;
    chorus_str_t     path;
    chorus_error_t   error;

    rc = chorus_config_text(reader, node, &path);
    if (rc != CHORUS_OK) {
        return rc;
    }

    error.text[0] = '\0';

    rc = reader->host->read_secret(reader->host->data, reader->mem, path,
                                   secret, &error);

    if (rc == CHORUS_ERROR) {
        return chorus_config_fail(reader, node, "%s", error.text);
    }

    if (rc == CHORUS_OK && secret->len == 0) {
        return chorus_config_fail(reader, node, "the file is empty");
    }

    return rc;
}


chorus_rc_t
chorus_config_secret(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const char *name, const char *name_file,
    chorus_str_t *secret)
{
    bool                  is_inline;
    chorus_rc_t           rc;
    chorus_config_node_t  inlined, file;

    inlined = chorus_config_member(node, name);
    file = chorus_config_member(node, name_file);

    if (inlined.json != NULL && file.json != NULL) {
        return chorus_config_fail(reader, node, "both \"%s\" and \"%s\"",
                                  name, name_file);
    }

    if (inlined.json == NULL && file.json == NULL) {
        *secret = chorus_null_str;
        return CHORUS_OK;
    }

    if (file.json != NULL) {
        return secret_read_file(reader, &file, secret);
    }

    rc = chorus_config_expand(reader, &inlined, secret, &is_inline);

    if (rc == CHORUS_OK && is_inline) {
        rc = chorus_config_inline(reader, &inlined);
    }

    return rc;
}


/* Printable ASCII without blanks; more cannot stand in an HTTP header. */
static bool
secret_is_printable(chorus_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] <= ' ' || s.data[i] > '~') {
            return false;
        }
    }

    return true;
}


static bool
secret_is_access_key(chorus_str_t key)
{
    chorus_str_t  rest;

    rest = key;
    (void) chorus_str_cut(&rest, ',');      /* parts the Authorization */

    return key.len <= MAX_ACCESS_KEY_LEN && rest.data == NULL
           && secret_is_printable(key);
}


chorus_rc_t
chorus_config_credential(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_credential_t *credential)
{
    bool                  is_inline;
    chorus_rc_t           rc;
    chorus_config_node_t  key;

    rc = chorus_config_object(reader, node, credential_keys);
    if (rc != CHORUS_OK) {
        return rc;
    }

    key = chorus_config_member(node, "access_key");

    rc = chorus_config_expand(reader, &key, &credential->access_key,
                              &is_inline);
    if (rc != CHORUS_OK) {
        return rc;
    }

    if (!secret_is_access_key(credential->access_key)) {
        return chorus_config_fail(reader, &key, "must be 1 to %d printable "
                                  "characters without blank and comma",
                                  MAX_ACCESS_KEY_LEN);
    }

    rc = chorus_config_secret(reader, node, "secret_key", "secret_key_file",
                              &credential->secret_key);
    if (rc != CHORUS_OK) {
        return rc;
    }

    if (credential->secret_key.data == NULL) {
        return chorus_config_fail(reader, node, "no \"secret_key\" and no "
                                  "\"secret_key_file\"");
    }

    if (credential->secret_key.len > CHORUS_SECRET_MAX_LEN
        || !secret_is_printable(credential->secret_key))
    {
        return chorus_config_fail(reader, node, "the secret must be 1 to %d "
                                  "printable characters without blanks",
                                  CHORUS_SECRET_MAX_LEN);
    }

    return CHORUS_OK;
}
