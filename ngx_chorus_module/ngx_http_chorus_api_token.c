/*
 * Who may use the control API: the tokens of api.token_file, one a line,
 *
 *     [read|admin] [name] token
 *
 * An admin may change things; names stand in the audit log.  Lines that begin
 * with '#' are comments.
 */

#include "ngx_http_chorus_api.h"


#define NGX_HTTP_CHORUS_API_TOKENS      64
#define NGX_HTTP_CHORUS_API_TOKEN_FILE  (64 * 1024)
#define NGX_HTTP_CHORUS_API_TOKEN_MIN   16
#define NGX_HTTP_CHORUS_API_TOKEN_MAX   512
#define NGX_HTTP_CHORUS_API_WHO_MAX     64


static ngx_int_t ngx_http_chorus_api_token_file(ngx_conf_t *cf,
    ngx_str_t *path, u_char *buf, size_t size, chorus_str_t *text);
static char *ngx_http_chorus_api_token_lines(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf, ngx_str_t *path, chorus_str_t text);
static chorus_rc_t ngx_http_chorus_api_token_line(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf, chorus_str_t line,
    chorus_error_t *error);
static ngx_int_t ngx_http_chorus_api_token_copy(ngx_conf_t *cf,
    ngx_str_t *copy, chorus_str_t text);


char *
ngx_http_chorus_api_tokens(ngx_conf_t *cf, ngx_http_chorus_main_conf_t *cmcf)
{
    char          *rc;
    u_char        *buf;
    ngx_str_t      path;
    chorus_str_t   text;

    if (cmcf->api_tokens) {
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

    buf = ngx_pnalloc(cf->temp_pool, NGX_HTTP_CHORUS_API_TOKEN_FILE);
    cmcf->api_tokens = ngx_array_create(cf->pool, 1,
                                        sizeof(ngx_http_chorus_api_token_t));

    if (buf == NULL || cmcf->api_tokens == NULL
        || ngx_http_chorus_api_token_file(cf, &path, buf,
                           NGX_HTTP_CHORUS_API_TOKEN_FILE, &text) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rc = ngx_http_chorus_api_token_lines(cf, cmcf, &path, text);

    ngx_explicit_memzero(buf, text.len);

    return rc;
}


static ngx_int_t
ngx_http_chorus_api_token_file(ngx_conf_t *cf, ngx_str_t *path, u_char *buf,
    size_t size, chorus_str_t *text)
{
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_file_info_t  info;

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "api.token_file: " ngx_open_file_n " \"%V\" failed",
                           path);
        return NGX_ERROR;
    }

    if (ngx_fd_info(fd, &info) == NGX_FILE_ERROR
        || (info.st_mode & (S_IROTH|S_IWOTH)))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "api.token_file \"%V\": everyone may read or "
                           "write this file; run: chmod o-rwx %V",
                           path, path);
        ngx_close_file(fd);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, buf, size);
    ngx_close_file(fd);

    *text = (chorus_str_t) { (char *) buf, n > 0 ? (size_t) n : 0 };

    if (text->len == size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "api.token_file \"%V\" is too large", path);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static char *
ngx_http_chorus_api_token_lines(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf, ngx_str_t *path, chorus_str_t text)
{
    ngx_uint_t      n;
    chorus_str_t    line;
    chorus_error_t  error;

    for (n = 1; text.data; n++) {
        line = chorus_str_cut(&text, '\n');

        while (line.len && line.data[line.len - 1] == '\r') {
            line.len--;
        }

        line = chorus_str_trim(line);

        if (line.len == 0 || line.data[0] == '#') {
            continue;
        }

        if (ngx_http_chorus_api_token_line(cf, cmcf, line, &error)
            != CHORUS_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "api.token_file \"%V\", line %ui: %s", path, n,
                               error.text);
            return NGX_CONF_ERROR;
        }
    }

    if (cmcf->api_tokens->nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "api.token_file \"%V\": a token has 16 to 512 "
                           "characters, this one has 0", path);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static chorus_rc_t
ngx_http_chorus_api_token_line(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf, chorus_str_t line,
    chorus_error_t *error)
{
    size_t                        n;
    chorus_str_t                  words[3];
    ngx_http_chorus_api_token_t  *token;

    for (n = 0; line.data && n < 3; n++) {
        words[n] = chorus_str_cut(&line, ' ');
        line = chorus_str_trim(line);
    }

    if (line.data) {
        return chorus_error_set(error, "must be [read|admin] [name] token");
    }

    token = ngx_array_push(cmcf->api_tokens);

    if (token == NULL
        || cmcf->api_tokens->nelts > NGX_HTTP_CHORUS_API_TOKENS)
    {
        return chorus_error_set(error, "there are too many tokens");
    }

    token->reads_only = n > 1 && chorus_str_eq(words[0], chorus_str("read"));

    if (n > 1 && !token->reads_only
        && !chorus_str_eq(words[0], chorus_str("admin")))
    {
        return chorus_error_set(error, "the role of a token is \"read\" or "
                                "\"admin\"");
    }

    if (words[n - 1].len < NGX_HTTP_CHORUS_API_TOKEN_MIN
        || words[n - 1].len > NGX_HTTP_CHORUS_API_TOKEN_MAX)
    {
        return chorus_error_set(error, "a token has %d to %d characters, "
                                "this one has %zu",
                                NGX_HTTP_CHORUS_API_TOKEN_MIN,
                                NGX_HTTP_CHORUS_API_TOKEN_MAX,
                                words[n - 1].len);
    }

    if (n == 3 && words[1].len > NGX_HTTP_CHORUS_API_WHO_MAX) {
        return chorus_error_set(error, "the name of a token has at most "
                                "64 characters");
    }

    if (ngx_http_chorus_api_token_copy(cf, &token->text, words[n - 1])
        != NGX_OK
        || ngx_http_chorus_api_token_copy(cf, &token->name,
                                          n == 3 ? words[1]
                                          : token->reads_only
                                          ? chorus_str("read")
                                          : chorus_str("admin")) != NGX_OK)
    {
        return chorus_error_set(error, "out of memory");
    }

    return CHORUS_OK;
}


static ngx_int_t
ngx_http_chorus_api_token_copy(ngx_conf_t *cf, ngx_str_t *copy,
    chorus_str_t text)
{
    copy->data = ngx_pnalloc(cf->pool, text.len);
    if (copy->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(copy->data, text.data, text.len);
    copy->len = text.len;

    return NGX_OK;
}


/* All are compared, so that the time tells nothing of which. */

const ngx_http_chorus_api_token_t *
ngx_http_chorus_api_who(ngx_http_request_t *r,
    ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_uint_t                          i;
    chorus_str_t                        value;
    ngx_http_chorus_api_token_t        *tokens;
    const ngx_http_chorus_api_token_t  *who;

    if (r->headers_in.authorization == NULL) {
        return NULL;
    }

    value = ngx_http_chorus_view(&r->headers_in.authorization->value);

    if (!chorus_str_casestarts(value, chorus_str("Bearer "))) {
        return NULL;
    }

    value = chorus_str_trim(chorus_str_sub(value, sizeof("Bearer ") - 1));
    tokens = cmcf->api_tokens->elts;
    who = NULL;

    for (i = 0; i < cmcf->api_tokens->nelts; i++) {
        if (chorus_secret_eq(value, ngx_http_chorus_view(&tokens[i].text))) {
            who = &tokens[i];
        }
    }

    return who;
}
