/*
 * An upload between its head (upload.c, which decides what is done with the
 * body) and its body (upload_filter.c, which does it).
 */

#ifndef _NGX_HTTP_CHORUS_UPLOAD_H_INCLUDED_
#define _NGX_HTTP_CHORUS_UPLOAD_H_INCLUDED_


#include "ngx_http_chorus_module.h"
#include "chorus_aws_chunked.h"
#include "chorus_checksum.h"


struct ngx_http_chorus_upload_s {
    chorus_aws_chunked_t          *decoder;     /* NULL: the body is plain */

    /* content goes to main in frames again, with a checksum behind it */
    chorus_aws_chunked_encoder_t   encoder;
    chorus_checksum_algorithm_t    trailer;

    /* of a header, over the content; NULL without */
    chorus_checksum_t             *checksum;
    chorus_checksum_algorithm_t    algorithm;
    chorus_str_t                   expected;    /* in base64 */

    off_t                          length;      /* to main; -1: not known */
    off_t                          left;        /* content yet to come; -1 */

    ngx_int_t                    (*create_request)(ngx_http_request_t *r);

    ngx_chain_t                   *free;        /* buffers of our own */
    ngx_chain_t                   *busy;

    char                           held;        /* the last byte */
    unsigned                       is_held:1;
    unsigned                       encodes:1;
};


/* Sets ctx->refusal and returns its status. */
ngx_int_t ngx_http_chorus_upload_refuse(ngx_http_chorus_ctx_t *ctx,
    chorus_s3_code_t code, const char *message);

/* The content is complete: is it what the header said? */
ngx_int_t ngx_http_chorus_upload_compare(ngx_http_chorus_ctx_t *ctx,
    ngx_http_chorus_upload_t *upload);


#endif /* _NGX_HTTP_CHORUS_UPLOAD_H_INCLUDED_ */
