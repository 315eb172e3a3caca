/*
 * The decoder of aws-chunked inside: what its three files share.  Reading
 * (chorus_aws_chunked.c) cuts a body into lines and data, parsing (_parse.c)
 * takes the lines, verifying (_verify.c) has the signatures and checksums.
 */

#ifndef CHORUS_AWS_CHUNKED_STATE_H
#define CHORUS_AWS_CHUNKED_STATE_H

#include "chorus_aws_chunked.h"
#include "chorus_sigv4.h"


typedef enum {
    CHORUS_CHUNK_HEADER = 0,
    CHORUS_CHUNK_DATA,
    CHORUS_CHUNK_DATA_CR,
    CHORUS_CHUNK_DATA_LF,
    CHORUS_CHUNK_TRAILERS,
    CHORUS_CHUNK_DONE,
    CHORUS_CHUNK_FAILED
} chorus_chunk_state_t;

struct chorus_aws_chunked_s {
    chorus_crypto_t              *crypto;
    chorus_aws_chunked_form_t     form;
    chorus_chunk_state_t          state;
    chorus_s3_refusal_t           refusal;      /* when failed */

    uint64_t                      left;         /* of the chunk's data */
    uint64_t                      missing;      /* in no chunk so far */
    bool                          is_small;     /* the chunk before was */

    bool                          has_last;
    char                          last;         /* byte of the content */

    chorus_checksum_algorithm_t   algorithm;    /* that is announced */
    chorus_checksum_t            *checksum;
    chorus_digest_t              *digest;       /* of the chunk, if signed */

    bool                          has_trailer;
    bool                          has_signature;    /* of the trailer */
    char                          value[CHORUS_CHECKSUM_TEXT_MAX_LEN];

    unsigned char                 key[CHORUS_SHA256_LEN];
    char                          signature[CHORUS_SIGNATURE_LEN];  /* read */
    char                          previous[CHORUS_SIGNATURE_LEN];

    size_t                        line_len;
    char                          line[CHORUS_AWS_CHUNKED_LINE_MAX_LEN];

    size_t                        head_len;     /* up to the scope's LF */
    char                          string_to_sign[];    /* room for it */
};


/* ---- refusals: all return CHORUS_ERROR, and it is the end ---- */

/* `message` is a constant; the null string: that of the code. */
chorus_rc_t chorus_aws_chunked_fail(chorus_aws_chunked_t *chunked,
    chorus_s3_code_t code, chorus_str_t message);

chorus_rc_t chorus_aws_chunked_malformed(chorus_aws_chunked_t *chunked);
chorus_rc_t chorus_aws_chunked_bad_trailer(chorus_aws_chunked_t *chunked);
chorus_rc_t chorus_aws_chunked_bad_checksum(chorus_aws_chunked_t *chunked);
chorus_rc_t chorus_aws_chunked_broken(chorus_aws_chunked_t *chunked);


/* ---- lines, without their end ---- */

chorus_rc_t chorus_aws_chunked_header(chorus_aws_chunked_t *chunked,
    chorus_str_t line);
chorus_rc_t chorus_aws_chunked_trailer(chorus_aws_chunked_t *chunked,
    chorus_str_t line);


/* ---- verification ---- */

bool chorus_aws_chunked_is_signed(const chorus_aws_chunked_t *chunked);
bool chorus_aws_chunked_is_signature(chorus_str_t s);

/* How much a string to sign takes, and what each of them begins with. */
size_t chorus_aws_chunked_string_to_sign_len(
    const chorus_aws_chunked_options_t *options);
void chorus_aws_chunked_sign_as(chorus_aws_chunked_t *chunked,
    const chorus_aws_chunked_options_t *options);

/* All data of a chunk is there: its signature, in the signed forms. */
chorus_rc_t chorus_aws_chunked_verify_data(chorus_aws_chunked_t *chunked);

/* The signature of the trailers, and the checksum in them. */
chorus_rc_t chorus_aws_chunked_verify_trailer(chorus_aws_chunked_t *chunked);
chorus_rc_t chorus_aws_chunked_verify_checksum(chorus_aws_chunked_t *chunked);


#endif
