/*
 * What the endpoints of the control API have in common: a small body that is
 * read first, a call to Redis that is waited for, JSON that is sent.
 */

#include "ngx_http_chorus_api.h"
#include "chorus_library.h"


#define NGX_HTTP_CHORUS_API_ID  1024        /* that the audit log keeps */


/* Outlives the request when that goes before the reply comes. */
struct ngx_http_chorus_api_wait_s {
    ngx_http_chorus_api_t         *api;         /* NULL: gone */
    ngx_http_chorus_api_reply_pt   reply;
};


static void ngx_http_chorus_api_gone(void *data);
static void ngx_http_chorus_api_body_handler(ngx_http_request_t *r);
static ngx_http_chorus_api_t *ngx_http_chorus_api_find(ngx_http_request_t *r);
static ngx_int_t ngx_http_chorus_api_collect(ngx_http_chorus_api_t *api);
static ngx_int_t ngx_http_chorus_api_call(ngx_http_chorus_api_wait_t *wait,
    const char *fcall, const char *name, ngx_uint_t nkeys,
    const ngx_str_t *args, ngx_uint_t nargs);
static void ngx_http_chorus_api_replied(void *data,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);


ngx_http_chorus_api_t *
ngx_http_chorus_api_create(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_chorus_api_t  *api;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_chorus_api_t));
    if (cln == NULL) {
        return NULL;
    }

    api = cln->data;
    ngx_memzero(api, sizeof(ngx_http_chorus_api_t));

    api->request = r;
    api->cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    cln->handler = ngx_http_chorus_api_gone;

    return api;
}


/* A reply that still comes finds nobody. */

static void
ngx_http_chorus_api_gone(void *data)
{
    ngx_http_chorus_api_t *api = data;

    if (api->wait) {
        api->wait->api = NULL;
    }
}


/* A body comes with its length, so that what is refused is never stored. */

ngx_int_t
ngx_http_chorus_api_read(ngx_http_chorus_api_t *api,
    ngx_http_chorus_api_pt run)
{
    off_t      len;
    ngx_int_t  rc;

    len = api->request->headers_in.content_length_n;

    if (len < 0) {
        return ngx_http_chorus_api_reject(api, NGX_HTTP_LENGTH_REQUIRED,
                   "length_required", "send a body with Content-Length");
    }

    if (len > NGX_HTTP_CHORUS_API_BODY) {
        return ngx_http_chorus_api_reject(api,
                   NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "too_large",
                   "a body has at most 64 KiB");
    }

    api->run = run;

    rc = ngx_http_read_client_request_body(api->request,
                                           ngx_http_chorus_api_body_handler);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


static void
ngx_http_chorus_api_body_handler(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_http_chorus_api_t  *api;

    api = ngx_http_chorus_api_find(r);
    rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    if (api != NULL && ngx_http_chorus_api_collect(api) == NGX_OK) {
        rc = api->run(api);
    }

    ngx_http_finalize_request(r, rc);
}


/* The module's context of a request is that of an S3 request, so the pool
 * remembers this one. */

static ngx_http_chorus_api_t *
ngx_http_chorus_api_find(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_chorus_api_gone) {
            return cln->data;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_chorus_api_collect(ngx_http_chorus_api_t *api)
{
    off_t         size;
    u_char       *p;
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *in;

    p = ngx_pnalloc(api->request->pool,
                    api->request->headers_in.content_length_n + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    api->body.data = p;
    in = api->request->request_body ? api->request->request_body->bufs : NULL;

    for ( /* void */ ; in; in = in->next) {

        b = in->buf;
        size = ngx_buf_size(b);

        if (size == 0) {
            /* only says that it was the last */
            continue;
        }

        if (size > api->request->headers_in.content_length_n
                   - (p - api->body.data))
        {
            return NGX_ERROR;
        }

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, size);
            continue;
        }

        /* what was too large for client_body_buffer_size */
        n = ngx_read_file(b->file, p, size, b->file_pos);

        if (n != size) {
            return NGX_ERROR;
        }

        p += n;
    }

    api->body.len = p - api->body.data;

    return NGX_OK;
}


ngx_int_t
ngx_http_chorus_api_send(ngx_http_chorus_api_t *api, ngx_uint_t status,
    u_char *body, size_t len)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = api->request;

    /* conditions are about what was asked for, not about this answer */
    r->disable_not_modified = 1;

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body;
    b->last = body + len;
    b->memory = 1;
    b->last_buf = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_http_chorus_api_send_json(ngx_http_chorus_api_t *api, ngx_uint_t status,
    json_t *value)
{
    char    *text;
    size_t   len;
    u_char  *body;

    text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    json_decref(value);

    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    len = ngx_strlen(text);
    body = ngx_pnalloc(api->request->pool, len + 1);

    if (body) {
        *ngx_cpymem(body, text, len) = '\n';
    }

    free(text);

    return body ? ngx_http_chorus_api_send(api, status, body, len + 1)
                : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


ngx_int_t
ngx_http_chorus_api_header(ngx_http_chorus_api_t *api, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&api->request->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

    return NGX_OK;
}


/* "ERR chorus_parked: ARGV[1] cursor: must be ..." begins with a name, too:
 * where it comes from is nothing to those who call the API. */

static chorus_str_t
ngx_http_chorus_api_words(ngx_str_t *message)
{
    chorus_str_t  text, rest;

    text = ngx_http_chorus_view(message);

    if (chorus_str_starts(text, chorus_str("ERR chorus_"))) {
        rest = text;
        (void) chorus_str_cut(&rest, ':');
        text = rest.data ? chorus_str_trim(rest) : text;
    }

    if (chorus_str_starts(text, chorus_str("ARGV["))) {
        rest = text;
        (void) chorus_str_cut(&rest, ' ');
        text = rest.data ? rest : text;
    }

    if (chorus_str_starts(text, chorus_str("KEYS[1] must be chorus:{"))) {
        text = chorus_str("replication: must be user:bucket:follower"
                          "[:target-bucket] with percent-encoded parts");
    }

    return text;
}


/* The name that the message begins with; the null string without one. */

static chorus_str_t
ngx_http_chorus_api_field(chorus_str_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {

        if (text.data[i] == ':' && i != 0 && i + 1 < text.len
            && text.data[i + 1] == ' ')
        {
            return (chorus_str_t) { text.data, i };
        }

        if (!chorus_is_alnum(text.data[i]) && text.data[i] != '_'
            && text.data[i] != '.' && text.data[i] != '['
            && text.data[i] != ']' && text.data[i] != '-')
        {
            break;
        }
    }

    return chorus_null_str;
}


static ngx_int_t
ngx_http_chorus_api_error(ngx_http_chorus_api_t *api, ngx_uint_t status,
    const char *code, ngx_str_t *message)
{
    json_t        *field, *words;
    chorus_str_t   text, name;

    text = ngx_http_chorus_api_words(message);
    name = ngx_http_chorus_api_field(text);

    field = name.data ? json_stringn(name.data, name.len) : json_null();
    words = json_stringn(text.data, text.len);

    if (words == NULL) {
        words = json_string("the message is no text");
    }

    return ngx_http_chorus_api_send_json(api, status,
               json_pack("{s:{s:s, s:o, s:o}}", "error", "code", code,
                         "message", words, "field", field));
}


ngx_int_t
ngx_http_chorus_api_unauthorized(ngx_http_chorus_api_t *api)
{
    ngx_str_t  scheme = ngx_string("Bearer");

    if (ngx_http_chorus_api_header(api, "WWW-Authenticate", &scheme)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_chorus_api_reject(api, NGX_HTTP_UNAUTHORIZED,
               "unauthorized", "send the token of api.token_file as "
               "'Authorization: Bearer ...'");
}


ngx_int_t
ngx_http_chorus_api_bad_arg(ngx_http_chorus_api_t *api, chorus_str_t name,
    const char *why)
{
    ngx_int_t      rc;
    ngx_str_t      text;
    chorus_buf_t   buf;
    chorus_mem_t   mem;

    rc = ngx_http_discard_request_body(api->request);
    if (rc != NGX_OK) {
        return rc;
    }

    mem = ngx_http_chorus_mem(api->request->pool);
    buf = chorus_buf(&mem, 64);

    name.len = name.len < 64 ? name.len : 64;
    chorus_buf_add(&buf, name);
    chorus_buf_text(&buf, why);

    text = ngx_http_chorus_ngx_str(chorus_buf_str(&buf));

    return buf.failed ? NGX_HTTP_INTERNAL_SERVER_ERROR
           : ngx_http_chorus_api_error(api, NGX_HTTP_BAD_REQUEST,
                                       "bad_request", &text);
}


ngx_int_t
ngx_http_chorus_api_refuse(ngx_http_chorus_api_t *api, ngx_uint_t status,
    const char *code, const char *message)
{
    ngx_str_t  text;

    text.data = (u_char *) message;
    text.len = ngx_strlen(message);

    return ngx_http_chorus_api_error(api, status, code, &text);
}


ngx_int_t
ngx_http_chorus_api_reject(ngx_http_chorus_api_t *api, ngx_uint_t status,
    const char *code, const char *message)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(api->request);

    return rc == NGX_OK ? ngx_http_chorus_api_refuse(api, status, code,
                                                     message)
                        : rc;
}


ngx_int_t
ngx_http_chorus_api_ask(ngx_http_chorus_api_t *api, const char *fcall,
    const char *name, ngx_uint_t nkeys, const ngx_str_t *args,
    ngx_uint_t nargs, ngx_http_chorus_api_reply_pt reply)
{
    ngx_str_t                    none;
    ngx_http_chorus_api_wait_t  *wait;

    wait = ngx_calloc(sizeof(ngx_http_chorus_api_wait_t),
                      api->request->connection->log);
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    wait->api = api;
    wait->reply = reply;

    if (ngx_http_chorus_api_call(wait, fcall, name, nkeys, args, nargs)
        != NGX_OK)
    {
        ngx_free(wait);
        ngx_str_null(&none);
        return reply(api, NGX_HTTP_CHORUS_REDIS_GONE, &none);
    }

    api->wait = wait;
    api->request->main->count++;

    return NGX_DONE;
}


/* The log comes first of the keys; who, about what, and which function come
 * first of the arguments. */

ngx_int_t
ngx_http_chorus_api_ask_audited(ngx_http_chorus_api_t *api,
    const ngx_str_t *id, const char *name, ngx_uint_t nkeys,
    const ngx_str_t *args, ngx_uint_t nargs,
    ngx_http_chorus_api_reply_pt reply)
{
    ngx_str_t   *all;
    ngx_uint_t   n;

    all = ngx_palloc(api->request->pool, (nargs + 4) * sizeof(ngx_str_t));
    if (all == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&all[0], CHORUS_REDIS_AUDIT);
    ngx_memcpy(&all[1], args, nkeys * sizeof(ngx_str_t));
    n = 1 + nkeys;

    all[n++] = api->who->name;
    all[n] = *id;
    all[n].len = ngx_min(id->len, NGX_HTTP_CHORUS_API_ID);
    n++;
    all[n++] = ngx_http_chorus_ngx_str(chorus_str_from(name));
    ngx_memcpy(&all[n], args + nkeys, (nargs - nkeys) * sizeof(ngx_str_t));

    return ngx_http_chorus_api_ask(api, "FCALL", "chorus_audited", nkeys + 1,
                                   all, nargs + 4, reply);
}


static ngx_int_t
ngx_http_chorus_api_call(ngx_http_chorus_api_wait_t *wait, const char *fcall,
    const char *name, ngx_uint_t nkeys, const ngx_str_t *args,
    ngx_uint_t nargs)
{
    u_char        digits[NGX_INT_T_LEN + 1];
    size_t       *lens;
    ngx_uint_t    i;
    ngx_pool_t   *pool;
    const char  **argv;

    pool = wait->api->request->pool;
    argv = ngx_palloc(pool, (3 + nargs) * sizeof(char *));
    lens = ngx_palloc(pool, (3 + nargs) * sizeof(size_t));

    if (argv == NULL || lens == NULL) {
        return NGX_DECLINED;
    }

    argv[0] = fcall;
    lens[0] = ngx_strlen(fcall);
    argv[1] = name;
    lens[1] = ngx_strlen(name);
    argv[2] = (const char *) digits;
    lens[2] = ngx_snprintf(digits, sizeof(digits), "%ui", nkeys) - digits;

    for (i = 0; i < nargs; i++) {
        argv[3 + i] = (const char *) args[i].data;
        lens[3 + i] = args[i].len;
    }

    return ngx_http_chorus_redis_call(wait->api->cmcf->redis, 3 + (int) nargs,
                                      argv, lens, ngx_http_chorus_api_replied,
                                      wait);
}


static void
ngx_http_chorus_api_replied(void *data, ngx_http_chorus_redis_result_t result,
    ngx_str_t *text)
{
    ngx_http_chorus_api_wait_t *wait = data;

    ngx_int_t                      rc;
    ngx_connection_t              *c;
    ngx_http_chorus_api_t         *api;
    ngx_http_chorus_api_reply_pt   reply;

    api = wait->api;
    reply = wait->reply;
    ngx_free(wait);

    if (api == NULL) {
        return;
    }

    api->wait = NULL;
    c = api->request->connection;

    rc = reply(api, result, text);

    ngx_http_finalize_request(api->request, rc);
    ngx_http_run_posted_requests(c);
}


/* The text is Redis' and goes when this returns: it is copied. */

ngx_int_t
ngx_http_chorus_api_relay(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    u_char  *p;

    if (result == NGX_HTTP_CHORUS_REDIS_REFUSED
        && text->len > sizeof("ERR chorus_") - 1
        && ngx_strncmp(text->data, "ERR chorus_",
                       sizeof("ERR chorus_") - 1) == 0)
    {
        return ngx_http_chorus_api_error(api, NGX_HTTP_BAD_REQUEST,
                                         "bad_request", text);
    }

    if (result != NGX_HTTP_CHORUS_REDIS_REPLY) {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_SERVICE_UNAVAILABLE,
                   "redis_unavailable", "Redis cannot be reached, or does "
                   "not take the call; try again later");
    }

    if (text->len == 0) {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_NOT_FOUND,
                   "not_found", "there is nothing of that name");
    }

    p = ngx_pnalloc(api->request->pool, text->len + 1);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(p, text->data, text->len);
    p[text->len] = '\n';

    return ngx_http_chorus_api_send(api, NGX_HTTP_OK, p, text->len + 1);
}
