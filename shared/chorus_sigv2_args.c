/*
 * The query of a request that is signed with Version 2.  Its string to sign
 * leaves out most of the query and escapes nothing, so a request that could be
 * read as another one with the same string is refused before it is looked at.
 */

#include <string.h>

#include "chorus_auth_check.h"
#include "chorus_sigv2.h"


static bool
sigv2_name_is_plain(chorus_str_t name)
{
    size_t  i;

    for (i = 0; i < name.len; i++) {
        if (!chorus_is_alnum(name.data[i])
            && strchr("-_.", name.data[i]) == NULL)
        {
            return false;
        }
    }

    return name.len != 0;
}


static bool
sigv2_is_credential(const chorus_auth_check_t *check, chorus_str_t name)
{
    return check->auth->kind == CHORUS_AUTH_V2_QUERY
           && (chorus_str_eq(name, chorus_str("AWSAccessKeyId"))
               || chorus_str_eq(name, chorus_str("Signature"))
               || chorus_str_eq(name, chorus_str("Expires")));
}


/* In lower case alone: that is how it is signed, but an argument in another
 * case is another argument. */
static bool
sigv2_is_like_header(const chorus_auth_check_t *check, chorus_str_t name)
{
    size_t  i;

    if (check->auth->kind != CHORUS_AUTH_V2_QUERY
        || !chorus_str_starts(name, chorus_str("x-amz-")))
    {
        return false;
    }

    for (i = 0; i < name.len; i++) {
        if (name.data[i] >= 'A' && name.data[i] <= 'Z') {
            return false;
        }
    }

    return true;
}


static bool
sigv2_is_repeated(const chorus_auth_check_t *check, size_t at)
{
    size_t               i;
    chorus_str_t         name;
    const chorus_uri_t  *uri = check->request->uri;

    name = uri->args[at].name;

    for (i = 0; i < at; i++) {
        if (chorus_str_caseeq(uri->args[i].name, name)) {
            return true;
        }
    }

    return sigv2_is_like_header(check, name)
           && chorus_header(check->request->headers, check->request->nheaders,
                            name) != NULL;
}


/* A value with a line break, or with "&acl" in it, would make the same string
 * to sign as another request. */
static bool
sigv2_value_is_ambiguous(chorus_str_t value)
{
    size_t        i;
    chorus_str_t  rest, name;

    for (i = 0; i < value.len; i++) {
        if ((unsigned char) value.data[i] < 0x20 || value.data[i] == 0x7f) {
            return true;
        }
    }

    rest = value;
    (void) chorus_str_cut(&rest, '&');

    while (rest.data != NULL) {
        name = chorus_str_cut(&rest, '&');
        name = chorus_str_cut(&name, '=');

        if (chorus_sigv2_signs(name)) {
            return true;
        }
    }

    return false;
}


static chorus_rc_t
sigv2_check_arg(chorus_auth_check_t *check, size_t at)
{
    chorus_str_t               value;
    const chorus_query_arg_t  *arg;

    arg = &check->request->uri->args[at];

    if (!sigv2_name_is_plain(arg->name)) {
        return chorus_auth_refuse(check, CHORUS_S3_INVALID_REQUEST,
                   "The name of a query parameter has characters that "
                   "Signature Version 2 does not protect.");
    }

    if (chorus_sigv2_spares(arg->name)) {
        return CHORUS_OK;
    }

    check->refusal->argument_name = arg->name;

    if (!chorus_sigv2_signs(arg->name)
        && !sigv2_is_credential(check, arg->name)
        && !sigv2_is_like_header(check, arg->name))
    {
        return chorus_auth_refuse(check, CHORUS_S3_ACCESS_DENIED,
                   "Signature Version 2 does not protect this query "
                   "parameter. Please use AWS4-HMAC-SHA256.");
    }

    if (!chorus_uri_decode(check->verifier->mem, arg->value, &value)) {
        return CHORUS_NOMEM;
    }

    if (sigv2_is_repeated(check, at) || sigv2_value_is_ambiguous(value)) {
        return chorus_auth_refuse(check, CHORUS_S3_INVALID_REQUEST,
                   "A query parameter is repeated, or its value is one that "
                   "Signature Version 2 does not protect.");
    }

    check->refusal->argument_name = chorus_null_str;

    return CHORUS_OK;
}


chorus_rc_t
chorus_sigv2_check_args(chorus_auth_check_t *check)
{
    size_t       i;
    chorus_rc_t  rc;

    for (i = 0; i < check->request->uri->nargs; i++) {

        rc = sigv2_check_arg(check, i);

        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    return CHORUS_OK;
}
