/*
 * Requests without credentials: refused, or served as a configured user
 * (chorus_anonymous), in whose name the world then acts.  So what is allowed
 * is listed: operations, arguments and headers.
 */

#include "ngx_http_chorus_module.h"


static ngx_uint_t ngx_http_chorus_anonymous_listed(const char **list,
    chorus_str_t name);


/* objects and their listings; not settings, ACLs or names of buckets, nor
 * versions, among which is what has been deleted */

static const char  *ngx_http_chorus_anonymous_reads[] = {
    "GetObject",
    "HeadObject",
    "GetObjectAttributes",
    "GetObjectTagging",
    "HeadBucket",
    "GetBucketLocation",
    "ListObjects",
    "ListObjectsV2",
    NULL
};


/* with "write": what changes objects; never a bucket or an ACL, and no copy,
 * whose source need not be open to the world */

static const char  *ngx_http_chorus_anonymous_writes[] = {
    "PutObject",
    "PostObject",
    "DeleteObject",
    "DeleteObjects",
    "PutObjectTagging",
    "DeleteObjectTagging",
    "CreateMultipartUpload",
    "UploadPart",
    "ListParts",
    "ListMultipartUploads",
    "CompleteMultipartUpload",
    "AbortMultipartUpload",
    NULL
};


/* A storage that reads another argument first than Chorus does would do
 * something else than what was allowed. */

static const char  *ngx_http_chorus_anonymous_args[] = {
    "attributes",
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "list-type",
    "location",
    "marker",
    "max-keys",
    "partNumber",
    "prefix",
    "start-after",
    "tagging",
    "x-id",
    NULL
};


/* and with an operation of those that need "write": "?versions&uploads" is a
 * list of uploads to Ceph */

static const char  *ngx_http_chorus_anonymous_write_args[] = {
    "delete",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "upload-id-marker",
    "uploadId",
    "uploads",
    NULL
};


/* of those that begin with "x-amz-"; '*' at the end stands for anything */

static const char  *ngx_http_chorus_anonymous_headers[] = {
    "x-amz-checksum-*",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-expected-bucket-owner",
    "x-amz-max-parts",
    "x-amz-meta-*",
    "x-amz-metadata-directive",
    "x-amz-object-attributes",
    "x-amz-part-number-marker",
    "x-amz-request-payer",
    "x-amz-sdk-*",
    "x-amz-security-token",
    "x-amz-server-side-encryption-customer-*",
    "x-amz-storage-class",
    "x-amz-tagging*",
    "x-amz-te",
    "x-amz-trailer",
    "x-amz-user-agent",
    NULL
};


/*
 * The directive "chorus_anonymous off | user [write]": the user must exist.
 */

char *
ngx_http_chorus_anonymous_resolve(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf, ngx_http_chorus_loc_conf_t *conf)
{
    size_t                    i;
    ngx_str_t                *word;
    ngx_http_chorus_names_t  *words;

    words = conf->anonymous_words;

    if (words == NULL) {
        return NGX_CONF_OK;
    }

    word = words->names;

    if (words->nnames == 1 && ngx_strcmp(word[0].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    if (words->nnames == 2) {

        if (ngx_strcmp(word[1].data, "write") != 0) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "chorus_anonymous: \"%V\" is neither \"write\" nor "
                          "left out in %V:%ui", &word[1], &words->file,
                          words->line);
            return NGX_CONF_ERROR;
        }

        conf->anonymous_writes = 1;
    }

    for (i = 0; i < cmcf->config->nusers; i++) {

        if (chorus_str_eq(cmcf->config->users[i].name,
                          ngx_http_chorus_view(&word[0])))
        {
            conf->anonymous = &cmcf->config->users[i];
            return NGX_CONF_OK;
        }
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "chorus_anonymous \"%V\": no such user in \"%V\" in %V:%ui",
                  &word[0], &cmcf->path, &words->file, words->line);

    return NGX_CONF_ERROR;
}


ngx_uint_t
ngx_http_chorus_anonymous_may(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx)
{
    size_t                       i;
    ngx_uint_t                   is_read;
    chorus_str_t                 name;
    ngx_http_chorus_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_chorus_module);
    name = chorus_str_from(ctx->operation->name);

    if (ctx->uri.bucket.len == 0) {
        return 0;
    }

    /* what a body would do is known of a form alone */

    if (ctx->operation->touch == CHORUS_TOUCH_UNKNOWABLE
        && ctx->form == NULL)
    {
        return 0;
    }

    is_read = ngx_http_chorus_anonymous_listed(ngx_http_chorus_anonymous_reads,
                                               name);

    if (!is_read
        && !(clcf->anonymous_writes
             && ngx_http_chorus_anonymous_listed(
                                    ngx_http_chorus_anonymous_writes, name)))
    {
        return 0;
    }

    for (i = 0; i < ctx->uri.nargs; i++) {

        name = ctx->uri.args[i].name;

        if (!ngx_http_chorus_anonymous_listed(ngx_http_chorus_anonymous_args,
                                              name)
            && (is_read
                || !ngx_http_chorus_anonymous_listed(
                                ngx_http_chorus_anonymous_write_args, name)))
        {
            return 0;
        }
    }

    for (i = 0; i < ctx->nheaders; i++) {
        if (!ngx_http_chorus_amz_listed(r, ngx_http_chorus_anonymous_headers,
                                        ctx->headers[i].name))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_chorus_anonymous_listed(const char **list, chorus_str_t name)
{
    chorus_str_t  row;

    for ( /* void */ ; *list; list++) {

        row = chorus_str_from(*list);

        if (row.data[row.len - 1] == '*') {
            row.len--;

            if (chorus_str_casestarts(name, row)) {
                return 1;
            }

        } else if (chorus_str_eq(name, row)) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_chorus_is_amz(chorus_str_t name)
{
    /* "x_amz_acl" is read as x-amz-acl by some */

    return chorus_auth_is_alias(name)
           || (name.len >= 5
               && (name.data[0] | 0x20) == 'x'
               && ngx_strncasecmp((u_char *) name.data + 2, (u_char *) "amz",
                                  3)
                  == 0);
}


ngx_uint_t
ngx_http_chorus_amz_listed(ngx_http_request_t *r, const char **list,
    chorus_str_t name)
{
    u_char  *low;

    if (!ngx_http_chorus_is_amz(name)) {
        return 1;
    }

    low = ngx_pnalloc(r->pool, name.len);
    if (low == NULL) {
        return 0;
    }

    ngx_strlow(low, (u_char *) name.data, name.len);
    name.data = (char *) low;

    return ngx_http_chorus_anonymous_listed(list, name);
}
