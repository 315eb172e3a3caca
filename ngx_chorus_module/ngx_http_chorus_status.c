/*
 * GET /api/v1/status: the counters of this proxy and the state of every
 * replication as the function library in Redis tells it.  The answer needs the
 * bearer token of api.token_file.
 */

#include "ngx_http_chorus_module.h"
#include "chorus_library.h"


#define NGX_HTTP_CHORUS_STATUS_COUNT   "200"    /* replications a page */
#define NGX_HTTP_CHORUS_STATUS_DIGITS  20

#define NGX_HTTP_CHORUS_STATUS_AWAY                                           \
    "\"error\":{\"code\":\"redis_unavailable\",\"message\":"                    \
    "\"Redis cannot be reached; writes are accepted and changed keys wait "    \
    "in the proxy\"}"


/* A request that waits for Redis; it may be gone when the reply comes. */
typedef struct {
    ngx_http_request_t           *request;      /* NULL: gone */
    unsigned                      replied:1;
} ngx_http_chorus_status_wait_t;


static char *ngx_http_chorus_api_token(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf);
static ngx_int_t ngx_http_chorus_api_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_http_chorus_api_allowed(ngx_http_request_t *r,
    ngx_http_chorus_main_conf_t *cmcf);
static ngx_int_t ngx_http_chorus_api_error(ngx_http_request_t *r,
    ngx_uint_t status, const char *code, const char *message);
static ngx_int_t ngx_http_chorus_api_send(ngx_http_request_t *r,
    ngx_uint_t status, u_char *body, size_t len);
static ngx_int_t ngx_http_chorus_status_ask(ngx_http_request_t *r,
    ngx_http_chorus_main_conf_t *cmcf);
static ngx_str_t ngx_http_chorus_status_cursor(ngx_http_request_t *r);
static void ngx_http_chorus_status_gone(void *data);
static void ngx_http_chorus_status_done(void *data,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);
static ngx_int_t ngx_http_chorus_status_answer(ngx_http_request_t *r,
    ngx_str_t *queue);


char *
ngx_http_chorus_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_chorus_module);

    if (cmcf->config == NULL) {
        return "needs \"chorus_config\" before it";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_chorus_api_handler;

    return ngx_http_chorus_api_token(cf, cmcf);
}


static char *
ngx_http_chorus_api_token(ngx_conf_t *cf, ngx_http_chorus_main_conf_t *cmcf)
{
    ssize_t          n;
    u_char           buf[513];
    ngx_fd_t         fd;
    ngx_str_t        path;
    chorus_str_t     token;
    ngx_file_info_t  info;

    if (cmcf->api_token.len) {
        return NGX_CONF_OK;
    }

    if (cmcf->config->api_token_file.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"chorus_api\" needs a token: add "
                           "\"api\": {\"token_file\": \"...\"} to \"%V\"",
                           &cmcf->path);
        return NGX_CONF_ERROR;
    }

    /* configuration strings of ours end with a NUL that is not counted */
    path = ngx_http_chorus_ngx_str(cmcf->config->api_token_file);

    fd = ngx_open_file(path.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "api.token_file: " ngx_open_file_n " \"%V\" failed",
                           &path);
        return NGX_CONF_ERROR;
    }

    if (ngx_fd_info(fd, &info) == NGX_FILE_ERROR
        || (info.st_mode & (S_IROTH|S_IWOTH)))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "api.token_file \"%V\": everyone may read or "
                           "write this file; run: chmod o-rwx %V",
                           &path, &path);
        ngx_close_file(fd);
        return NGX_CONF_ERROR;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));
    ngx_close_file(fd);

    token = (chorus_str_t) { (char *) buf, n > 0 ? (size_t) n : 0 };

    while (token.len && (token.data[token.len - 1] == '\n'
                         || token.data[token.len - 1] == '\r'))
    {
        token.len--;
    }

    if (token.len < 16 || token.len > 512) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "api.token_file \"%V\": a token has 16 to 512 "
                           "characters, this one has %uz", &path, token.len);
        return NGX_CONF_ERROR;
    }

    cmcf->api_token.data = ngx_pnalloc(cf->pool, token.len);
    if (cmcf->api_token.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(cmcf->api_token.data, token.data, token.len);
    cmcf->api_token.len = token.len;

    ngx_explicit_memzero(buf, sizeof(buf));

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_chorus_api_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!ngx_http_chorus_api_allowed(r, cmcf)) {
        return ngx_http_chorus_api_error(r, NGX_HTTP_UNAUTHORIZED,
                      "unauthorized",
                      "send the token of api.token_file as "
                      "'Authorization: Bearer ...'");
    }

    if (r->uri.len != sizeof("/api/v1/status") - 1
        || ngx_strncmp(r->uri.data, "/api/v1/status", r->uri.len) != 0)
    {
        return ngx_http_chorus_api_error(r, NGX_HTTP_NOT_FOUND, "not_found",
                                         "there is /api/v1/status");
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_chorus_api_error(r, NGX_HTTP_NOT_ALLOWED,
                                         "method_not_allowed", "use GET");
    }

    return ngx_http_chorus_status_ask(r, cmcf);
}


static ngx_uint_t
ngx_http_chorus_api_allowed(ngx_http_request_t *r,
    ngx_http_chorus_main_conf_t *cmcf)
{
    chorus_str_t  value;

    if (r->headers_in.authorization == NULL) {
        return 0;
    }

    value = ngx_http_chorus_view(&r->headers_in.authorization->value);

    if (!chorus_str_casestarts(value, chorus_str("Bearer "))) {
        return 0;
    }

    value = chorus_str_trim(chorus_str_sub(value, sizeof("Bearer ") - 1));

    return chorus_secret_eq(value, ngx_http_chorus_view(&cmcf->api_token));
}


static ngx_int_t
ngx_http_chorus_api_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *code, const char *message)
{
    u_char  *p, *last;
    size_t   size;

    size = sizeof("{\"error\":{\"code\":\"\",\"message\":\"\"}}\n")
           + ngx_strlen(code) + ngx_strlen(message);

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    last = ngx_snprintf(p, size,
                        "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n",
                        code, message);

    return ngx_http_chorus_api_send(r, status, p, last - p);
}


static ngx_int_t
ngx_http_chorus_api_send(ngx_http_request_t *r, ngx_uint_t status,
    u_char *body, size_t len)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

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


static ngx_int_t
ngx_http_chorus_status_ask(ngx_http_request_t *r,
    ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_int_t                       rc;
    ngx_str_t                       cursor;
    ngx_pool_cleanup_t             *cln;
    ngx_http_chorus_status_wait_t  *wait;

    cursor = ngx_http_chorus_status_cursor(r);

    const char    *argv[] = { "FCALL_RO", "chorus_status", "1",
                              CHORUS_REDIS_REPLICATIONS,
                              (const char *) cursor.data,
                              NGX_HTTP_CHORUS_STATUS_COUNT };
    const size_t   lens[] = { 8, 13, 1,
                              sizeof(CHORUS_REDIS_REPLICATIONS) - 1,
                              cursor.len,
                              sizeof(NGX_HTTP_CHORUS_STATUS_COUNT) - 1 };

    cln = ngx_pool_cleanup_add(r->pool, 0);
    wait = ngx_calloc(sizeof(ngx_http_chorus_status_wait_t),
                      r->connection->log);

    if (cln == NULL || wait == NULL) {
        ngx_free(wait);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_chorus_redis_call(cmcf->redis, 6, argv, lens,
                                    ngx_http_chorus_status_done, wait);
    if (rc != NGX_OK) {
        ngx_free(wait);
        return ngx_http_chorus_status_answer(r, NULL);
    }

    wait->request = r;
    cln->handler = ngx_http_chorus_status_gone;
    cln->data = wait;

    r->main->count++;

    return NGX_DONE;
}


static ngx_str_t
ngx_http_chorus_status_cursor(ngx_http_request_t *r)
{
    uint64_t   n;
    ngx_str_t  cursor;

    if (ngx_http_arg(r, (u_char *) "cursor", 6, &cursor) != NGX_OK
        || cursor.len > NGX_HTTP_CHORUS_STATUS_DIGITS
        || !chorus_str_to_u64(ngx_http_chorus_view(&cursor), &n))
    {
        ngx_str_set(&cursor, "0");
    }

    return cursor;
}


/* Whichever comes last, the end of the request or the reply, frees. */

static void
ngx_http_chorus_status_gone(void *data)
{
    ngx_http_chorus_status_wait_t  *wait = data;

    wait->request = NULL;

    if (wait->replied) {
        ngx_free(wait);
    }
}


static void
ngx_http_chorus_status_done(void *data, ngx_http_chorus_redis_result_t result,
    ngx_str_t *text)
{
    ngx_http_chorus_status_wait_t *wait = data;

    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = wait->request;
    wait->replied = 1;

    if (r == NULL) {
        ngx_free(wait);
        return;
    }

    c = r->connection;

    rc = ngx_http_chorus_status_answer(r,
               result == NGX_HTTP_CHORUS_REDIS_REPLY && text->len ? text
                                                                 : NULL);

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


/* What Redis knows is missing when it is away (`queue` is NULL); what this
 * proxy knows is wanted then most. */

static ngx_int_t
ngx_http_chorus_status_answer(ngx_http_request_t *r, ngx_str_t *queue)
{
    u_char                       *p, *last, *end;
    size_t                        size;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    size = sizeof(NGX_HTTP_CHORUS_STATUS_AWAY) + NGX_HTTP_CHORUS_COUNTERS_LEN
           + sizeof("{\"proxy\":,\"queue\":}\n") + (queue ? queue->len : 0);

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    end = p + size;

    last = ngx_slprintf(p, end, queue ? "{\"proxy\":"
                        : "{" NGX_HTTP_CHORUS_STATUS_AWAY ",\"proxy\":");
    last = ngx_http_chorus_counters_write(last, end, cmcf);

    if (queue) {
        last = ngx_slprintf(last, end, ",\"queue\":%V", queue);
    }

    last = ngx_slprintf(last, end, "}\n");

    return ngx_http_chorus_api_send(r, queue ? NGX_HTTP_OK
                                    : NGX_HTTP_SERVICE_UNAVAILABLE,
                                    p, last - p);
}
