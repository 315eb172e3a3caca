/*
 * A storage that refuses what Chorus has signed.  The client gets that answer
 * as it is, and takes it for one about his own key; only the log can say that
 * chorus.json is to be mended.
 */

#include "ngx_http_chorus_module.h"


#define NGX_HTTP_CHORUS_DENIED_QUIET  60        /* seconds, of a process */
#define NGX_HTTP_CHORUS_DENIED_SLOTS  16        /* storages share them */


static const char *ngx_http_chorus_denied_code(ngx_chain_t *in);


/* Codes that are about who signed and when, not about what he may do. */

static char  *ngx_http_chorus_denied_codes[] = {
    "InvalidAccessKeyId",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    NULL
};


/* Looks at the body of a 403; one that comes in pieces may not be known, and
 * that of a HEAD has none. */

void
ngx_http_chorus_denied(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    ngx_chain_t *in)
{
    time_t        *said;
    ngx_uint_t     level;
    const char    *code;
    chorus_str_t   name;

    static time_t  times[NGX_HTTP_CHORUS_DENIED_SLOTS];

    if (ctx->storage == NULL || ctx->user.len == 0) {
        return;
    }

    code = ngx_http_chorus_denied_code(in);
    if (code == NULL) {
        return;
    }

    name = ctx->storage->name;
    said = &times[ngx_crc32_short((u_char *) name.data, name.len)
                  % NGX_HTTP_CHORUS_DENIED_SLOTS];
    level = NGX_LOG_INFO;

    if (*said == 0 || ngx_time() - *said >= NGX_HTTP_CHORUS_DENIED_QUIET) {
        *said = ngx_time();
        level = NGX_LOG_ERR;
    }

    ngx_log_error(level, r->connection->log, 0,
                  "chorus: storage \"%*s\" refuses what is signed for it, with "
                  "%s: look at storages.%*s.users.%*s in chorus.json, and at "
                  "the clock",
                  name.len, name.data, code, name.len, name.data,
                  ctx->user.len, ctx->user.data);
}


static const char *
ngx_http_chorus_denied_code(ngx_chain_t *in)
{
    u_char       *code;
    size_t        len;
    ngx_uint_t    i;
    chorus_str_t  name, text;

    for ( /* void */ ; in; in = in->next) {

        if (!ngx_buf_in_memory(in->buf)) {
            continue;
        }

        len = in->buf->last - in->buf->pos;
        code = len ? ngx_strnstr(in->buf->pos, "<Code>", len) : NULL;

        if (code == NULL) {
            continue;
        }

        text = (chorus_str_t) { (char *) code + sizeof("<Code>") - 1,
                                in->buf->last - code
                                - (sizeof("<Code>") - 1) };
        name = chorus_str_cut(&text, '<');

        for (i = 0; ngx_http_chorus_denied_codes[i]; i++) {
            if (chorus_str_eq(name, chorus_str_from(
                                        ngx_http_chorus_denied_codes[i])))
            {
                return ngx_http_chorus_denied_codes[i];
            }
        }
    }

    return NULL;
}
