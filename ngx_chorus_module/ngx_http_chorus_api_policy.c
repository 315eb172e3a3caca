/*
 * The API's part of the dynamic policy: rules are looked at here, against
 * chorus.json, and kept by one function in Redis.
 */

#include "ngx_http_chorus_api.h"
#include "ngx_http_chorus_policy.h"
#include "chorus_library.h"

#include <ngx_md5.h>
#include <jansson.h>


#define NGX_HTTP_CHORUS_API_DIGEST  6       /* bytes of an id that is made */
#define NGX_HTTP_CHORUS_API_NO_VERSION  "1" /* versions are microseconds */


static const char  *ngx_http_chorus_api_kinds[] = {
    "/api/v1/replications", "/api/v1/routes", "/api/v1/blocks",
    "/api/v1/pauses"
};


static chorus_rule_kind_t ngx_http_chorus_api_kind(
    ngx_http_chorus_api_t *api);
static ngx_str_t ngx_http_chorus_api_str(const char *text);
static ngx_int_t ngx_http_chorus_api_change(ngx_http_chorus_api_t *api,
    const char *function, ngx_str_t *id, ngx_str_t *match,
    const char *last, ngx_str_t *text);
static ngx_int_t ngx_http_chorus_api_read_rule(ngx_http_chorus_api_t *api,
    chorus_rule_t *rule, chorus_error_t *error);
static ngx_int_t ngx_http_chorus_api_check_storage(
    ngx_http_chorus_api_t *api, chorus_rule_t *rule, chorus_error_t *error);
static ngx_int_t ngx_http_chorus_api_name(ngx_http_chorus_api_t *api,
    chorus_rule_t *rule, ngx_str_t *id);
static ngx_int_t ngx_http_chorus_api_match(ngx_http_chorus_api_t *api,
    ngx_str_t *match);
static ngx_int_t ngx_http_chorus_api_changed(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);
static ngx_int_t ngx_http_chorus_api_shown(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);
static void ngx_http_chorus_api_etag(ngx_http_chorus_api_t *api,
    const json_t *rule);
static ngx_str_t ngx_http_chorus_api_number(ngx_http_chorus_api_t *api,
    const char *name, const char *otherwise);


/* ---- rules ---- */


ngx_int_t
ngx_http_chorus_api_rules(ngx_http_chorus_api_t *api)
{
    ngx_uint_t    i;
    chorus_str_t  said[4];

    static const char  *names[] = { "user", "bucket", "follower", "state" };

    for (i = 0; i < 4; i++) {
        if (ngx_http_chorus_api_arg_or(api, names[i], "", &said[i]) != NGX_OK)
        {
            return ngx_http_chorus_api_bad_arg(api,
                       chorus_str_from(names[i]), ": is no text");
        }
    }

    ngx_str_t  args[] = {
        ngx_string(CHORUS_REDIS_POLICY),
        ngx_http_chorus_api_str(chorus_rule_kind_name(
                                    ngx_http_chorus_api_kind(api))),
        ngx_http_chorus_api_number(api, "offset", "0"),
        ngx_http_chorus_api_number(api, "count", "200"),
        ngx_http_chorus_ngx_str(said[0]),
        ngx_http_chorus_ngx_str(said[1]),
        ngx_http_chorus_ngx_str(said[2]),
        ngx_http_chorus_ngx_str(said[3])
    };

    return ngx_http_chorus_api_ask(api, "FCALL_RO", "chorus_policy_list", 1,
                                   args, 8, ngx_http_chorus_api_relay);
}


ngx_int_t
ngx_http_chorus_api_rule(ngx_http_chorus_api_t *api)
{
    ngx_str_t  args[] = {
        ngx_string(CHORUS_REDIS_POLICY),
        ngx_http_chorus_api_str(chorus_rule_kind_name(
                                    ngx_http_chorus_api_kind(api))),
        api->parts[0]
    };

    return ngx_http_chorus_api_ask(api, "FCALL_RO", "chorus_policy_show", 1,
                                   args, 3, ngx_http_chorus_api_shown);
}


/* POST: creates, and may be repeated; PUT: with or without a condition. */

ngx_int_t
ngx_http_chorus_api_set_rule(ngx_http_chorus_api_t *api)
{
    ngx_str_t       id, match, text;
    chorus_rule_t   rule;
    chorus_error_t  error;

    if (ngx_http_chorus_api_read_rule(api, &rule, &error) != NGX_OK) {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_BAD_REQUEST,
                                          "bad_rule", error.text);
    }

    if (ngx_http_chorus_api_name(api, &rule, &id) != NGX_OK) {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_BAD_REQUEST,
                   "bad_rule", "id: is another one than that of the path");
    }

    ngx_str_set(&match, "0");

    if (api->request->method == NGX_HTTP_PUT
        && ngx_http_chorus_api_match(api, &match) != NGX_OK)
    {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_BAD_REQUEST,
                   "bad_request", "If-Match must be the ETag of a rule or *");
    }

    text = ngx_http_chorus_ngx_str(rule.text);

    return ngx_http_chorus_api_change(api, "chorus_policy_set", &id, &match,
                                      rule.migrate ? "1" : "0", &text);
}


ngx_int_t
ngx_http_chorus_api_delete_rule(ngx_http_chorus_api_t *api)
{
    ngx_str_t  match;

    if (ngx_http_chorus_api_match(api, &match) != NGX_OK) {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_BAD_REQUEST,
                   "bad_request", "If-Match must be the ETag of a rule or *");
    }

    return ngx_http_chorus_api_change(api, "chorus_policy_delete",
                                      &api->parts[0], &match, NULL, NULL);
}


/* ".../pause" or ".../resume" */

ngx_int_t
ngx_http_chorus_api_pause_rule(ngx_http_chorus_api_t *api)
{
    ngx_str_t   match;
    ngx_str_t  *uri;

    if (ngx_http_chorus_api_match(api, &match) != NGX_OK) {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_BAD_REQUEST,
                   "bad_request", "If-Match must be the ETag of a rule or *");
    }

    uri = &api->request->uri;

    return ngx_http_chorus_api_change(api, "chorus_policy_pause",
                   &api->parts[0], &match,
                   chorus_str_eq(chorus_str_sub(ngx_http_chorus_view(uri),
                                        uri->len - (sizeof("/pause") - 1)),
                                 chorus_str("/pause")) ? "1" : "0", NULL);
}


static ngx_int_t
ngx_http_chorus_api_change(ngx_http_chorus_api_t *api, const char *function,
    ngx_str_t *id, ngx_str_t *match, const char *last, ngx_str_t *text)
{
    ngx_uint_t  n;
    ngx_str_t   args[9] = {
        ngx_string(CHORUS_REDIS_POLICY), ngx_string(CHORUS_REDIS_AUDIT),
        ngx_string(CHORUS_REDIS_POLICY_OWED),
        ngx_http_chorus_api_str(chorus_rule_kind_name(
                                    ngx_http_chorus_api_kind(api))),
        *id, *match, api->who->name
    };

    n = 7;

    if (last) {
        args[n++] = ngx_http_chorus_api_str(last);
    }

    if (text) {
        args[n++] = *text;
    }

    return ngx_http_chorus_api_ask(api, "FCALL", function, 3, args, n,
                                   ngx_http_chorus_api_changed);
}


/* ---- what a request says ---- */


static chorus_rule_kind_t
ngx_http_chorus_api_kind(ngx_http_chorus_api_t *api)
{
    ngx_uint_t    i;
    chorus_str_t  uri;

    uri = ngx_http_chorus_view(&api->request->uri);

    for (i = 0; i + 1 < CHORUS_RULE_NKINDS; i++) {
        if (chorus_str_starts(uri,
                         chorus_str_from(ngx_http_chorus_api_kinds[i])))
        {
            break;
        }
    }

    return (chorus_rule_kind_t) i;
}


static ngx_str_t
ngx_http_chorus_api_str(const char *text)
{
    return ngx_http_chorus_ngx_str(chorus_str_from(text));
}


static ngx_int_t
ngx_http_chorus_api_read_rule(ngx_http_chorus_api_t *api, chorus_rule_t *rule,
    chorus_error_t *error)
{
    chorus_mem_t  mem;

    mem = ngx_http_chorus_mem(api->request->pool);
    (void) chorus_error_set(error, "out of memory");

    if (chorus_rule_read(&mem, ngx_http_chorus_api_kind(api),
                         ngx_http_chorus_view(&api->body), api->cmcf->config,
                         rule, error) != CHORUS_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_chorus_api_check_storage(api, rule, error);
}


/* A route leads to where this nginx can send requests. */

static ngx_int_t
ngx_http_chorus_api_check_storage(ngx_http_chorus_api_t *api,
    chorus_rule_t *rule, chorus_error_t *error)
{
    json_t            *json;
    ngx_int_t          rc;
    chorus_storage_t  *storage;

    if (ngx_http_chorus_api_kind(api) != CHORUS_RULE_ROUTE) {
        return NGX_OK;
    }

    json = json_loadb(rule->text.data, rule->text.len, 0, NULL);

    storage = chorus_config_storage(api->cmcf->config,
                  chorus_str_from(json_string_value(
                                      json_object_get(json, "storage"))));

    rc = storage ? ngx_http_chorus_policy_check_route(api->cmcf, storage,
                                                      error) : NGX_ERROR;
    json_decref(json);

    return rc;
}


/* That of the path, else of the body, else one that is made of the rule, so
 * that the same rule is created once. */

static ngx_int_t
ngx_http_chorus_api_name(ngx_http_chorus_api_t *api, chorus_rule_t *rule,
    ngx_str_t *id)
{
    u_char        *p;
    ngx_md5_t      md5;
    unsigned char  digest[16];

    if (api->parts[0].len) {
        *id = api->parts[0];

        return rule->id.len == 0
               || chorus_str_eq(rule->id, ngx_http_chorus_view(id))
               ? NGX_OK : NGX_ERROR;
    }

    if (rule->id.len) {
        *id = ngx_http_chorus_ngx_str(rule->id);
        return NGX_OK;
    }

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, rule->text.data, rule->text.len);
    ngx_md5_final(digest, &md5);

    p = ngx_pnalloc(api->request->pool, 2 * NGX_HTTP_CHORUS_API_DIGEST);
    if (p == NULL) {
        return NGX_ERROR;
    }

    id->data = p;
    id->len = ngx_hex_dump(p, digest, NGX_HTTP_CHORUS_API_DIGEST) - p;

    return NGX_OK;
}


/* If-Match: "version" or *; If-None-Match: *.  An ETag that is none of ours is
 * that of no rule, which is for the function to refuse. */

static ngx_int_t
ngx_http_chorus_api_match(ngx_http_chorus_api_t *api, ngx_str_t *match)
{
    uint64_t             version;
    ngx_uint_t           is_weak;
    chorus_str_t         value;
    ngx_http_request_t  *r;

    r = api->request;
    ngx_str_set(match, "");

    if (r->headers_in.if_none_match) {
        ngx_str_set(match, "0");
        value = ngx_http_chorus_view(&r->headers_in.if_none_match->value);

        return chorus_str_eq(value, chorus_str("*")) ? NGX_OK : NGX_ERROR;
    }

    if (r->headers_in.if_match == NULL) {
        return NGX_OK;
    }

    value = ngx_http_chorus_view(&r->headers_in.if_match->value);
    *match = ngx_http_chorus_ngx_str(value);

    if (chorus_str_eq(value, chorus_str("*"))) {
        return NGX_OK;
    }

    is_weak = chorus_str_starts(value, chorus_str("W/"));
    value = is_weak ? chorus_str_sub(value, 2) : value;

    if (value.len >= 2 && value.data[0] == '"'
        && value.data[value.len - 1] == '"'
        && memchr(value.data + 1, '"', value.len - 2) == NULL)
    {
        value = (chorus_str_t) { value.data + 1, value.len - 2 };

        if (is_weak || value.len >= 20 || !chorus_str_to_u64(value, &version)
            || version == 0)
        {
            ngx_str_set(match, NGX_HTTP_CHORUS_API_NO_VERSION);
            return NGX_OK;
        }
    }

    *match = ngx_http_chorus_ngx_str(value);

    return value.len < 20 && chorus_str_to_u64(value, &version)
           && version != 0 ? NGX_OK : NGX_ERROR;
}


static ngx_str_t
ngx_http_chorus_api_number(ngx_http_chorus_api_t *api, const char *name,
    const char *otherwise)
{
    ngx_str_t  value;

    /* a number, and the function knows its bounds */
    return ngx_http_arg(api->request, (u_char *) name, ngx_strlen(name),
                        &value) == NGX_OK
           ? value : ngx_http_chorus_api_str(otherwise);
}


/* ---- answers ---- */


static ngx_int_t
ngx_http_chorus_api_changed(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    u_char      *body;
    json_t      *reply;
    ngx_uint_t   status;
    const char  *refused;

    if (result != NGX_HTTP_CHORUS_REDIS_REPLY || text->len == 0) {
        return ngx_http_chorus_api_relay(api, result, text);
    }

    reply = json_loadb((char *) text->data, text->len, 0, NULL);
    refused = json_string_value(json_object_get(reply, "refused"));

    if (refused && ngx_strcmp(refused, "precondition") == 0) {
        json_decref(reply);
        return ngx_http_chorus_api_refuse(api,
                   NGX_HTTP_PRECONDITION_FAILED, "precondition_failed",
                   "it is there and says something else, or has been changed "
                   "since; look at it again");
    }

    if (refused && ngx_strcmp(refused, "missing") == 0) {
        json_decref(reply);
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_NOT_FOUND,
                   "not_found", "there is nothing of that name");
    }

    if (refused) {
        json_decref(reply);
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_CONFLICT, "full",
                   "the policy has as many rules as it may have");
    }

    status = json_is_true(json_object_get(reply, "created"))
             ? NGX_HTTP_CREATED : NGX_HTTP_OK;
    ngx_http_chorus_api_etag(api, json_object_get(reply, "rule"));
    json_decref(reply);

    body = ngx_pnalloc(api->request->pool, text->len + 1);
    if (body == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    *ngx_cpymem(body, text->data, text->len) = '\n';

    return ngx_http_chorus_api_send(api, status, body, text->len + 1);
}


static ngx_int_t
ngx_http_chorus_api_shown(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    json_t  *rule;

    if (result == NGX_HTTP_CHORUS_REDIS_REPLY && text->len) {
        rule = json_loadb((char *) text->data, text->len, 0, NULL);
        ngx_http_chorus_api_etag(api, rule);
        json_decref(rule);
    }

    return ngx_http_chorus_api_relay(api, result, text);
}


/* Without it the answer is still good. */

static void
ngx_http_chorus_api_etag(ngx_http_chorus_api_t *api, const json_t *rule)
{
    ngx_str_t   etag;
    json_int_t  version;

    version = json_integer_value(json_object_get(rule, "version"));

    if (version == 0) {
        return;
    }

    etag.data = ngx_pnalloc(api->request->pool, NGX_INT64_LEN + 2);
    if (etag.data == NULL) {
        return;
    }

    etag.len = ngx_sprintf(etag.data, "\"%L\"", (int64_t) version)
               - etag.data;

    (void) ngx_http_chorus_api_header(api, "ETag", &etag);
}


/* ---- who runs it, and who changed it ---- */


ngx_int_t
ngx_http_chorus_api_readers(ngx_http_chorus_api_t *api)
{
    ngx_str_t  args[] = {
        ngx_string(CHORUS_REDIS_POLICY),
        ngx_string(CHORUS_REDIS_POLICY_READERS),
        ngx_string(CHORUS_REDIS_POLICY_ALIVE),
        ngx_string(CHORUS_REDIS_POLICY_OWED)
    };

    return ngx_http_chorus_api_ask(api, "FCALL_RO", "chorus_policy_readers",
                                   4, args, 4, ngx_http_chorus_api_relay);
}


ngx_int_t
ngx_http_chorus_api_audit(ngx_http_chorus_api_t *api)
{
    chorus_str_t  kind, who;

    if (ngx_http_chorus_api_arg_or(api, "kind", "", &kind) != NGX_OK) {
        return ngx_http_chorus_api_bad_arg(api, chorus_str("kind"),
                                           ": is no text");
    }

    if (ngx_http_chorus_api_arg_or(api, "who", "", &who) != NGX_OK) {
        return ngx_http_chorus_api_bad_arg(api, chorus_str("who"),
                                           ": is no text");
    }

    ngx_str_t  args[] = {
        ngx_string(CHORUS_REDIS_AUDIT),
        ngx_http_chorus_api_number(api, "offset", "0"),
        ngx_http_chorus_api_number(api, "count", "100"),
        ngx_http_chorus_ngx_str(kind),
        ngx_http_chorus_ngx_str(who)
    };

    return ngx_http_chorus_api_ask(api, "FCALL_RO", "chorus_audit", 1, args,
                                   5, ngx_http_chorus_api_relay);
}
