/*
 * The body of an upload as it streams through: aws-chunked bodies are decoded
 * and every chunk verified, checksums are verified, in constant memory.
 *
 * nginx hands the body to a chain of filters, buffer by buffer, before it
 * sends any of it on.  Buffers are decoded in place.  The last byte of the
 * content is held back until all has been verified, so a body that turns out
 * bad is cut short of the length that main has been promised, and main commits
 * nothing.
 *
 * A storage that keeps checksums gets the content in aws-chunked form again,
 * not signed, with the client's checksum behind it; all others get the plain
 * content.
 */

#include "ngx_http_chorus_module.h"
#include "chorus_aws_chunked.h"
#include "chorus_checksum.h"


struct ngx_http_chorus_upload_s {
    chorus_aws_chunked_t          *decoder;     /* NULL: the body is plain */
    chorus_aws_chunked_encoder_t   encoder;
    off_t                          length;      /* to main; -1: not known */

    chorus_checksum_t             *checksum;    /* of a header, or NULL */
    chorus_checksum_algorithm_t    algorithm;   /* of a header or trailer */
    chorus_str_t                   expected;    /* of a header */

    off_t                          left;        /* content yet to come */
    char                           held;        /* the last byte */
    unsigned                       is_held:1;
    unsigned                       encodes:1;

    ngx_int_t                    (*create_request)(ngx_http_request_t *r);

    ngx_chain_t                   *free;        /* buffers of our own */
    ngx_chain_t                   *busy;
};


static ngx_int_t ngx_http_chorus_upload_decodes(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_upload_t *upload,
    chorus_aws_chunked_form_t form);
static ngx_int_t ngx_http_chorus_upload_decoder(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_upload_t *upload,
    chorus_aws_chunked_options_t *options);
static ngx_int_t ngx_http_chorus_upload_forward(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_str_t trailer);
static ngx_int_t ngx_http_chorus_upload_strip_encoding(ngx_http_request_t *r,
    ngx_str_t *encoding);
static ngx_int_t ngx_http_chorus_upload_verifies(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_upload_t *upload);
static ngx_int_t ngx_http_chorus_upload_find_checksum(
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_upload_t *upload);
static void ngx_http_chorus_upload_cleanup(void *data);
static ngx_int_t ngx_http_chorus_upload_refuse(ngx_http_chorus_ctx_t *ctx,
    chorus_s3_code_t code, const char *message);
static ngx_int_t ngx_http_chorus_upload_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_chorus_upload_create_request(ngx_http_request_t *r);
static ngx_int_t ngx_http_chorus_upload_take(ngx_http_chorus_ctx_t *ctx,
    ngx_buf_t *b);
static ngx_int_t ngx_http_chorus_upload_finish(ngx_http_chorus_ctx_t *ctx);
static ngx_int_t ngx_http_chorus_upload_compare(ngx_http_chorus_ctx_t *ctx,
    ngx_http_chorus_upload_t *upload);
static ngx_int_t ngx_http_chorus_upload_pass(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_buf_t *b, ngx_chain_t ***last);
static ngx_int_t ngx_http_chorus_upload_emit(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload, ngx_chain_t *cl, ngx_chain_t ***last);
static ngx_int_t ngx_http_chorus_upload_emit_text(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload, const char *text, size_t len,
    ngx_chain_t ***last);
static ngx_int_t ngx_http_chorus_upload_emit_end(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload, ngx_chain_t ***last);
static ngx_chain_t *ngx_http_chorus_upload_buf(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload);


static ngx_http_request_body_filter_pt  ngx_http_next_request_body_filter;


void
ngx_http_chorus_upload_init(void)
{
    ngx_http_next_request_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_chorus_upload_filter;
}


/* ---- before the body: what will be done with it ---- */

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

    if (form != CHORUS_AWS_CHUNKED_NONE) {
        return ngx_http_chorus_upload_decodes(r, ctx, upload, form);
    }

    if (r->headers_in.chunked && r->method == NGX_HTTP_PUT) {
        /* nginx would find the length of a small one, and let main refuse a
         * larger one */
        return ngx_http_chorus_upload_refuse(ctx,
                                      CHORUS_S3_MISSING_CONTENT_LENGTH, NULL);
    }

    return ngx_http_chorus_upload_verifies(r, ctx, upload);
}


static void
ngx_http_chorus_upload_cleanup(void *data)
{
    ngx_http_chorus_upload_t  *upload = data;

    chorus_aws_chunked_destroy(upload->decoder);
    chorus_checksum_destroy(upload->checksum);
}


static ngx_int_t
ngx_http_chorus_upload_refuse(ngx_http_chorus_ctx_t *ctx,
    chorus_s3_code_t code, const char *message)
{
    ctx->refusal.code = code;
    ctx->refusal.message = chorus_str_from(message);

    return chorus_s3_error_row(code)->status;
}


static ngx_int_t
ngx_http_chorus_upload_decodes(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_upload_t *upload,
    chorus_aws_chunked_form_t form)
{
    ngx_int_t                      rc;
    chorus_str_t                   value;
    chorus_aws_chunked_options_t   options;

    ngx_memzero(&options, sizeof(chorus_aws_chunked_options_t));

    value = ngx_http_chorus_header(r, ctx, "x-amz-decoded-content-length");

    if (value.data == NULL) {
        return ngx_http_chorus_upload_refuse(ctx,
                     CHORUS_S3_MISSING_CONTENT_LENGTH,
                     "An upload in aws-chunked encoding needs the header "
                     "x-amz-decoded-content-length.");
    }

    if (!chorus_str_to_u64(value, &options.decoded_len)
        || options.decoded_len > NGX_MAX_OFF_T_VALUE / 2)
    {
        return ngx_http_chorus_upload_refuse(ctx, CHORUS_S3_INVALID_ARGUMENT,
                     "x-amz-decoded-content-length must be a number of "
                     "bytes.");
    }

    if (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked) {
        return ngx_http_chorus_upload_refuse(ctx, CHORUS_S3_INCOMPLETE_BODY,
                                             NULL);
    }

    options.form = form;
    options.trailer = ngx_http_chorus_header(r, ctx, "x-amz-trailer");

    rc = ngx_http_chorus_upload_decoder(r, ctx, upload, &options);
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

    return ngx_http_chorus_upload_forward(r, ctx, options.trailer);
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
    ngx_http_chorus_ctx_t *ctx, chorus_str_t trailer)
{
    ngx_http_chorus_upload_t  *upload;

    upload = ctx->upload;
    upload->algorithm = chorus_checksum_of_header(trailer);

    if (ctx->storage->has_checksums && !ctx->reads_body
        && upload->algorithm != CHORUS_CHECKSUM_NONE)
    {
        upload->encodes = 1;
        upload->length = chorus_aws_chunked_encoded_len(upload->length,
                                                        upload->algorithm);
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

    /* there it is the checksum of the object, not of the body */
    if (ngx_strcmp(ctx->operation->name, "CompleteMultipartUpload") == 0) {
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

        if (upload->algorithm != CHORUS_CHECKSUM_NONE) {
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


chorus_str_t
ngx_http_chorus_upload_checksum(ngx_http_chorus_upload_t *upload,
    chorus_checksum_algorithm_t *algorithm)
{
    if (upload == NULL || upload->decoder == NULL) {
        return chorus_null_str;
    }

    return chorus_aws_chunked_checksum(upload->decoder, algorithm);
}


/* ---- the body ---- */

static ngx_int_t
ngx_http_chorus_upload_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t                  rc;
    ngx_chain_t               *out, **last;
    ngx_http_chorus_ctx_t     *ctx;
    ngx_http_chorus_upload_t  *upload;

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);

    if (ctx == NULL || ctx->upload == NULL) {
        return ngx_http_next_request_body_filter(r, in);
    }

    upload = ctx->upload;

    if (upload->decoder && upload->create_request == NULL && r->upstream
        && r->upstream->create_request)
    {
        upload->create_request = r->upstream->create_request;
        r->upstream->create_request = ngx_http_chorus_upload_create_request;
    }

    out = NULL;
    last = &out;

    for ( /* void */ ; in; in = in->next) {

        rc = ngx_http_chorus_upload_pass(r, ctx, in->buf, &last);

        if (rc != NGX_OK) {
            /* what follows of the body must not be read as a request */
            r->keepalive = 0;
            r->lingering_close = 1;

            return rc;
        }
    }

    rc = ngx_http_next_request_body_filter(r, out);

    ngx_chain_update_chains(r->pool, &upload->free, &upload->busy, &out,
                         (ngx_buf_tag_t) &ngx_http_chorus_upload_init);

    return rc;
}


/*
 * The proxy module asks the request how long its body is and how it is
 * framed; nginx itself reads the body by the same fields.  So they tell of
 * the decoded body just while the head for the storage is being made.  (The
 * first call of a body filter comes before that, with the upstream in place.)
 */

static ngx_int_t
ngx_http_chorus_upload_create_request(ngx_http_request_t *r)
{
    off_t                      length;
    ngx_int_t                  rc;
    ngx_uint_t                 is_chunked;
    ngx_http_chorus_ctx_t     *ctx;
    ngx_http_chorus_upload_t  *upload;

    ctx = ngx_http_get_module_ctx(r, ngx_http_chorus_module);
    upload = ctx->upload;

    length = r->headers_in.content_length_n;
    is_chunked = r->headers_in.chunked;

    r->headers_in.content_length_n = upload->length;
    r->headers_in.chunked = 0;

    rc = upload->create_request(r);

    r->headers_in.content_length_n = length;
    r->headers_in.chunked = is_chunked;

    return rc;
}


static ngx_int_t
ngx_http_chorus_upload_pass(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    ngx_buf_t *b, ngx_chain_t ***last)
{
    ngx_int_t     rc;
    ngx_uint_t    is_last;
    ngx_chain_t  *cl;

    is_last = b->last_buf;

    rc = ngx_http_chorus_upload_take(ctx, b);

    if (rc == NGX_OK && is_last) {
        rc = ngx_http_chorus_upload_finish(ctx);
    }

    if (rc == NGX_OK && b->pos != b->last) {

        cl = ngx_alloc_chain_link(r->pool);
        if (cl == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        b->last_buf = 0;
        cl->buf = b;
        cl->next = NULL;

        rc = ngx_http_chorus_upload_emit(r, ctx->upload, cl, last);
    }

    if (rc == NGX_OK && is_last) {
        rc = ngx_http_chorus_upload_emit_end(r, ctx->upload, last);
    }

    return rc;
}


/* Leaves in b what may be passed on. */

static ngx_int_t
ngx_http_chorus_upload_take(ngx_http_chorus_ctx_t *ctx, ngx_buf_t *b)
{
    size_t                     size;
    ngx_http_chorus_upload_t  *upload;

    upload = ctx->upload;
    size = b->last - b->pos;

    if (upload->decoder) {

        if (chorus_aws_chunked_decode(upload->decoder, (char *) b->pos, size,
                                      &size, &ctx->refusal)
            != CHORUS_OK)
        {
            return chorus_s3_error_row(ctx->refusal.code)->status;
        }

        b->last = b->pos + size;

    } else if (!chorus_checksum_update(upload->checksum,
                              (chorus_str_t) { (char *) b->pos, size }))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (size == 0 || upload->left < 0) {
        return NGX_OK;
    }

    upload->left -= size;

    if (upload->left == 0) {
        upload->held = *--b->last;
        upload->is_held = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_chorus_upload_finish(ngx_http_chorus_ctx_t *ctx)
{
    ngx_http_chorus_upload_t  *upload;

    upload = ctx->upload;

    if (upload->decoder == NULL) {
        return ngx_http_chorus_upload_compare(ctx, upload);
    }

    if (chorus_aws_chunked_end(upload->decoder, &ctx->refusal) != CHORUS_OK) {
        return chorus_s3_error_row(ctx->refusal.code)->status;
    }

    return NGX_OK;
}


static ngx_int_t
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


/*
 * Puts the content of cl->buf at the end of the chain, with the text of the
 * frames in it when the content is framed again.  A part that stands before
 * such a text gets a buffer of our own: the buffer of nginx is always the last
 * one, because its memory is taken back as soon as it has been sent.
 */

static ngx_int_t
ngx_http_chorus_upload_emit(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload, ngx_chain_t *cl, ngx_chain_t ***last)
{
    char           text[CHORUS_AWS_CHUNKED_TEXT_MAX_LEN];
    size_t         n, size, text_len;
    ngx_buf_t     *b;
    ngx_chain_t   *part;

    b = cl->buf;

    while (upload->encodes) {

        size = b->last - b->pos;
        text_len = chorus_aws_chunked_encoder_step(&upload->encoder, size,
                                                   text, &n);
        if (text_len
            && ngx_http_chorus_upload_emit_text(r, upload, text, text_len,
                                                last)
               != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (n == size) {
            break;
        }

        part = ngx_http_chorus_upload_buf(r, upload);
        if (part == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        part->buf->pos = b->pos;
        part->buf->last = b->pos + n;
        b->pos = part->buf->last;

        **last = part;
        *last = &part->next;
    }

    **last = cl;
    *last = &cl->next;

    return NGX_OK;
}


static ngx_int_t
ngx_http_chorus_upload_emit_text(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload, const char *text, size_t len,
    ngx_chain_t ***last)
{
    ngx_chain_t  *cl;

    cl = ngx_http_chorus_upload_buf(r, upload);
    if (cl == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cl->buf->last = ngx_cpymem(cl->buf->last, text, len);

    **last = cl;
    *last = &cl->next;

    return NGX_OK;
}


static ngx_int_t
ngx_http_chorus_upload_emit_end(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload, ngx_chain_t ***last)
{
    char                          text[CHORUS_AWS_CHUNKED_END_MAX_LEN];
    size_t                        len;
    ngx_chain_t                  *cl;
    chorus_str_t                  checksum;
    chorus_checksum_algorithm_t   algorithm;

    if (upload->is_held) {

        cl = ngx_http_chorus_upload_buf(r, upload);
        if (cl == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        *cl->buf->last++ = upload->held;

        if (ngx_http_chorus_upload_emit(r, upload, cl, last) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (upload->encodes) {
        checksum = chorus_aws_chunked_checksum(upload->decoder, &algorithm);
        len = chorus_aws_chunked_encoder_end(&upload->encoder, algorithm,
                                             checksum, text);

        if (len == 0
            || ngx_http_chorus_upload_emit_text(r, upload, text, len, last)
               != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    cl = ngx_alloc_chain_link(r->pool);
    if (cl == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cl->next = NULL;
    cl->buf = ngx_calloc_buf(r->pool);
    if (cl->buf == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cl->buf->last_buf = 1;

    **last = cl;
    *last = &cl->next;

    return NGX_OK;
}


/* A buffer of our own with memory for a text; its start stays with it, even
 * when it stands for a part of another buffer. */

static ngx_chain_t *
ngx_http_chorus_upload_buf(ngx_http_request_t *r,
    ngx_http_chorus_upload_t *upload)
{
    u_char       *start;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_chain_get_free_buf(r->pool, &upload->free);
    if (cl == NULL) {
        return NULL;
    }

    b = cl->buf;
    start = b->start;

    if (start == NULL) {
        start = ngx_pnalloc(r->pool, CHORUS_AWS_CHUNKED_END_MAX_LEN);
        if (start == NULL) {
            return NULL;
        }
    }

    ngx_memzero(b, sizeof(ngx_buf_t));

    b->start = start;
    b->end = start + CHORUS_AWS_CHUNKED_END_MAX_LEN;
    b->pos = start;
    b->last = start;
    b->temporary = 1;
    b->flush = r->request_body_no_buffering;
    b->tag = (ngx_buf_tag_t) &ngx_http_chorus_upload_init;

    return cl;
}
