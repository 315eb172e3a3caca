/*
 * What is done with the body of an upload, by its headers: an aws-chunked body
 * is decoded, since the signatures of its chunks cannot be used again, and a
 * checksum is verified when main would not do it.
 *
 * A storage that keeps checksums gets the content in aws-chunked form again,
 * not signed, with the client's checksum behind it; all others get the plain
 * content.
 */

#include "ngx_http_chorus_upload.h"


static ngx_int_t ngx_http_chorus_upload_decodes(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_upload_t *upload,
    chorus_aws_chunked_form_t form);
static ngx_int_t ngx_http_chorus_upload_lengths(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, uint64_t *decoded_len);
static ngx_int_t ngx_http_chorus_upload_decoder(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_upload_t *upload,
    chorus_aws_chunked_options_t *options);
static ngx_int_t ngx_http_chorus_upload_forward(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_upload_t *upload);
static ngx_int_t ngx_http_chorus_upload_strip_encoding(ngx_http_request_t *r,
    ngx_str_t *encoding);
static ngx_int_t ngx_http_chorus_upload_plain(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_upload_t *upload);
static ngx_int_t ngx_http_chorus_upload_verifies(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_upload_t *upload);
static ngx_int_t ngx_http_chorus_upload_find_checksum(
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_upload_t *upload);
static void ngx_http_chorus_upload_cleanup(void *data);


ngx_int_t
ngx_http_chorus_upload_begin(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_chorus_upload_t   *upload;
    chorus_aws_chunked_form_t   form;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_chorus_upload_t));
    if (cln == NULL) {
        return ngx_http_chorus_upload_refuse(ctx, CHORUS_S3_INTERNAL_ERROR,
                                             NULL);
    }

    upload = cln->data;
    ngx_memzero(upload, sizeof(ngx_http_chorus_upload_t));
    cln->handler = ngx_http_chorus_upload_cleanup;

    form = chorus_aws_chunked_form(ctx->auth.payload);

    /* an error_page has sent the request here, and its body is gone */

    if (form != CHORUS_AWS_CHUNKED_NONE && r->request_body) {
        return ngx_http_chorus_upload_refuse(ctx,
                                      CHORUS_S3_SERVICE_UNAVAILABLE, NULL);
    }

    if (form != CHORUS_AWS_CHUNKED_NONE) {
        return ngx_http_chorus_upload_decodes(r, ctx, upload, form);
    }

    /* nginx would find the length of a small one, and let main refuse a
     * larger one */

    if (r->headers_in.chunked && r->method == NGX_HTTP_PUT) {
        return ngx_http_chorus_upload_refuse(ctx,
                                      CHORUS_S3_MISSING_CONTENT_LENGTH, NULL);
    }

    return ngx_http_chorus_upload_plain(r, ctx, upload);
}


static void
ngx_http_chorus_upload_cleanup(void *data)
{
    ngx_http_chorus_upload_t  *upload = data;

    chorus_aws_chunked_destroy(upload->decoder);
    chorus_checksum_destroy(upload->checksum);
}


ngx_int_t
ngx_http_chorus_upload_refuse(ngx_http_chorus_ctx_t *ctx,
    chorus_s3_code_t code, const char *message)
{
    ctx->refusal.code = code;
    ctx->refusal.message = chorus_str_from(message);

    return chorus_s3_error_row(code)->status;
}


/* ---- aws-chunked ---- */

static ngx_int_t
ngx_http_chorus_upload_decodes(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_upload_t *upload,
    chorus_aws_chunked_form_t form)
{
    ngx_int_t                      rc;
    chorus_aws_chunked_options_t   options;

    ngx_memzero(&options, sizeof(chorus_aws_chunked_options_t));

    options.form = form;
    options.trailer = ngx_http_chorus_header(r, ctx, "x-amz-trailer");

    rc = ngx_http_chorus_upload_lengths(r, ctx, &options.decoded_len);

    if (rc == NGX_OK) {
        rc = ngx_http_chorus_upload_decoder(r, ctx, upload, &options);
    }

    if (rc == NGX_OK) {
        upload->trailer = chorus_checksum_of_header(options.trailer);
        rc = ngx_http_chorus_upload_verifies(r, ctx, upload);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    upload->left = options.decoded_len;
    upload->length = options.decoded_len;

    /* a request without content is complete with its head: it is not sent
     * before the end of its body has been seen */
    if (options.decoded_len == 0) {
        ctx->reads_body = 1;
    }

    ctx->upload = upload;

    return ngx_http_chorus_upload_forward(r, ctx, upload);
}


static ngx_int_t
ngx_http_chorus_upload_lengths(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, uint64_t *decoded_len)
{
    chorus_str_t  value;

    value = ngx_http_chorus_header(r, ctx, "x-amz-decoded-content-length");

    if (value.data == NULL) {
        return ngx_http_chorus_upload_refuse(ctx,
                     CHORUS_S3_MISSING_CONTENT_LENGTH,
                     "An upload in aws-chunked encoding needs the header "
                     "x-amz-decoded-content-length.");
    }

    if (!chorus_str_to_u64(value, decoded_len)
        || *decoded_len > NGX_MAX_OFF_T_VALUE / 2)
    {
        return ngx_http_chorus_upload_refuse(ctx, CHORUS_S3_INVALID_ARGUMENT,
                     "x-amz-decoded-content-length must be a number of "
                     "bytes.");
    }

    /* chunks are longer than what is in them */

    if (!r->headers_in.chunked
        && r->headers_in.content_length_n <= (off_t) *decoded_len)
    {
        return ngx_http_chorus_upload_refuse(ctx, CHORUS_S3_INCOMPLETE_BODY,
                                             NULL);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_chorus_upload_decoder(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_upload_t *upload,
    chorus_aws_chunked_options_t *options)
{
    unsigned char                 key[CHORUS_SHA256_LEN];
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    if (options->form != CHORUS_AWS_CHUNKED_UNSIGNED_TRAILER) {

        if (ngx_http_chorus_signing_key(r, ctx, key) != NGX_OK) {
            return ngx_http_chorus_upload_refuse(ctx,
                                              CHORUS_S3_INTERNAL_ERROR, NULL);
        }

        options->key = key;
        options->date = (chorus_str_t) { ctx->auth.date, CHORUS_AMZ_DATE_LEN };
        options->scope = ctx->auth.v4.scope;
        options->signature = ctx->auth.v4.signature;
    }

    upload->decoder = chorus_aws_chunked_create(cmcf->crypto, options,
                                                &ctx->refusal);
    chorus_secret_wipe(key, sizeof(key));

    if (upload->decoder == NULL) {
        return chorus_s3_error_row(ctx->refusal.code)->status;
    }

    return NGX_OK;
}


/* The headers that go to the storage with the content. */

static ngx_int_t
ngx_http_chorus_upload_forward(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_upload_t *upload)
{
    if (ctx->storage->has_checksums && !ctx->reads_body
        && upload->trailer != CHORUS_CHECKSUM_NONE)
    {
        upload->encodes = 1;
        upload->length = chorus_aws_chunked_encoded_len(upload->length,
                                                        upload->trailer);
        chorus_aws_chunked_encoder_begin(&upload->encoder, upload->left);

        ngx_str_set(&ctx->content_sha256, CHORUS_AWS_CHUNKED_UNSIGNED);

        return NGX_OK;
    }

    ngx_str_set(&ctx->content_sha256, CHORUS_UNSIGNED_PAYLOAD);

    ngx_str_null(&ctx->decoded_content_length);
    ngx_str_null(&ctx->trailer);

    if (!ctx->storage->has_checksums) {
        ngx_str_null(&ctx->sdk_checksum_algorithm);
    }

    if (ngx_http_chorus_upload_strip_encoding(r, &ctx->content_encoding)
        != NGX_OK)
    {
        return ngx_http_chorus_upload_refuse(ctx, CHORUS_S3_INTERNAL_ERROR,
                                             NULL);
    }

    return NGX_OK;
}


/* Takes the token "aws-chunked" out of a list; what the object itself is
 * encoded in stays. */

static ngx_int_t
ngx_http_chorus_upload_strip_encoding(ngx_http_request_t *r,
    ngx_str_t *encoding)
{
    u_char        *p, *start;
    chorus_str_t   rest, token;

    start = ngx_pnalloc(r->pool, encoding->len + 1);
    if (start == NULL) {
        return NGX_ERROR;
    }

    p = start;

    for (rest = ngx_http_chorus_view(encoding); rest.len; /* void */ ) {

        token = chorus_str_trim(chorus_str_cut(&rest, ','));

        if (token.len == 0
            || chorus_str_caseeq(token, chorus_str("aws-chunked")))
        {
            continue;
        }

        if (p != start) {
            *p++ = ',';
        }

        p = ngx_cpymem(p, token.data, token.len);
    }

    encoding->data = start;
    encoding->len = p - start;

    return NGX_OK;
}


/* ---- checksums in headers ---- */

static ngx_int_t
ngx_http_chorus_upload_plain(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    ngx_http_chorus_upload_t *upload)
{
    ngx_int_t  rc;

    rc = ngx_http_chorus_upload_verifies(r, ctx, upload);

    if (rc != NGX_OK || upload->checksum == NULL) {
        return rc;
    }

    upload->length = r->headers_in.chunked ? -1
                                           : r->headers_in.content_length_n;

    if (upload->length <= 0 && !r->headers_in.chunked) {
        /* no body will come */
        return ngx_http_chorus_upload_compare(ctx, upload);
    }

    upload->left = upload->length;
    ctx->upload = upload;

    return NGX_OK;
}


/* A checksum in a header is for main, if main looks at it. */

static ngx_int_t
ngx_http_chorus_upload_verifies(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_upload_t *upload)
{
    ngx_int_t  rc;

    if (ctx->storage->has_checksums
        || !(r->method & (NGX_HTTP_PUT|NGX_HTTP_POST)))
    {
        return NGX_OK;
    }

    /* of these it is the checksum of the object, not of the body */

    if (ngx_strcmp(ctx->operation->name, "CompleteMultipartUpload") == 0
        || chorus_header(ctx->headers, ctx->nheaders,
                         chorus_str("x-amz-copy-source")))
    {
        return NGX_OK;
    }

    rc = ngx_http_chorus_upload_find_checksum(ctx, upload);

    if (rc != NGX_OK || upload->algorithm == CHORUS_CHECKSUM_NONE) {
        return rc;
    }

    upload->checksum = chorus_checksum_create(upload->algorithm);
    if (upload->checksum == NULL) {
        return ngx_http_chorus_upload_refuse(ctx, CHORUS_S3_INTERNAL_ERROR,
                                             NULL);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_chorus_upload_find_checksum(ngx_http_chorus_ctx_t *ctx,
    ngx_http_chorus_upload_t *upload)
{
    size_t                        i;
    chorus_checksum_algorithm_t   algorithm;

    for (i = 0; i < ctx->nheaders; i++) {

        algorithm = chorus_checksum_of_header(ctx->headers[i].name);

        if (algorithm == CHORUS_CHECKSUM_NONE) {
            continue;
        }

        if (upload->algorithm != CHORUS_CHECKSUM_NONE
            || upload->trailer != CHORUS_CHECKSUM_NONE)
        {
            return ngx_http_chorus_upload_refuse(ctx,
                         CHORUS_S3_INVALID_REQUEST,
                         "Expecting a single x-amz-checksum- header. "
                         "Multiple checksum types are not allowed.");
        }

        upload->algorithm = algorithm;
        upload->expected = chorus_str_trim(ctx->headers[i].value);

        if (upload->expected.len != chorus_checksum_text_len(algorithm)) {
            return ngx_http_chorus_upload_refuse(ctx,
                         CHORUS_S3_INVALID_REQUEST,
                         "The value of the x-amz-checksum- header is not a "
                         "checksum in base64.");
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_chorus_upload_compare(ngx_http_chorus_ctx_t *ctx,
    ngx_http_chorus_upload_t *upload)
{
    char          text[CHORUS_CHECKSUM_TEXT_MAX_LEN];
    chorus_str_t  value;

    if (!chorus_checksum_end(upload->checksum, text)) {
        return ngx_http_chorus_upload_refuse(ctx, CHORUS_S3_INTERNAL_ERROR,
                                             NULL);
    }

    value.data = text;
    value.len = chorus_checksum_text_len(upload->algorithm);

    if (!chorus_str_eq(value, upload->expected)) {
        return ngx_http_chorus_upload_refuse(ctx, CHORUS_S3_BAD_DIGEST, NULL);
    }

    return NGX_OK;
}


chorus_str_t
ngx_http_chorus_upload_checksum(ngx_http_chorus_upload_t *upload,
    chorus_checksum_algorithm_t *algorithm)
{
    if (upload == NULL || upload->decoder == NULL) {
        return chorus_null_str;
    }

    return chorus_aws_chunked_checksum(upload->decoder, algorithm);
}
