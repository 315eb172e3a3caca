/* Who may use the control API: the tokens of api.token_file. */

#include "ngx_http_chorus_api.h"

#include "chorus_token.h"


#define NGX_HTTP_CHORUS_API_TOKENS  64


static ngx_int_t ngx_http_chorus_api_token_file(ngx_conf_t *cf,
    ngx_str_t *path, u_char *buf, size_t size, chorus_str_t *text);
static char *ngx_http_chorus_api_token_lines(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf, ngx_str_t *path, chorus_str_t text);
static chorus_rc_t ngx_http_chorus_api_token_add(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf, const chorus_token_t *token,
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

    buf = ngx_pnalloc(cf->temp_pool, CHORUS_TOKEN_FILE_MAX);
    cmcf->api_tokens = ngx_array_create(cf->pool, 1,
                                        sizeof(ngx_http_chorus_api_token_t));

    if (buf == NULL || cmcf->api_tokens == NULL
        || ngx_http_chorus_api_token_file(cf, &path, buf,
                           CHORUS_TOKEN_FILE_MAX, &text) != NGX_OK)
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
    size_t          n;
    chorus_error_t  error;
    chorus_token_t  token;

    for (n = 0; /* void */ ; /* void */ ) {

        if (chorus_token_next(&text, &n, &token, &error) != CHORUS_OK
            || (token.text.data
                && ngx_http_chorus_api_token_add(cf, cmcf, &token, &error)
                   != CHORUS_OK))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "api.token_file \"%V\", line %uz: %s", path, n,
                               error.text);
            return NGX_CONF_ERROR;
        }

        if (token.text.data == NULL) {
            break;
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
ngx_http_chorus_api_token_add(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf, const chorus_token_t *token,
    chorus_error_t *error)
{
    ngx_http_chorus_api_token_t  *added;

    added = ngx_array_push(cmcf->api_tokens);

    if (added == NULL
        || cmcf->api_tokens->nelts > NGX_HTTP_CHORUS_API_TOKENS)
    {
        return chorus_error_set(error, "there are too many tokens");
    }

    added->reads_only = token->reads_only;

    if (ngx_http_chorus_api_token_copy(cf, &added->text, token->text)
        != NGX_OK
        || ngx_http_chorus_api_token_copy(cf, &added->name, token->name)
           != NGX_OK)
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
