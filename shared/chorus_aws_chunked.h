/*
 * aws-chunked: the encoding of uploads whose length or checksum is only known
 * at their end.  A decoder that verifies chunk signatures, the trailer and
 * its checksum as the bytes pass, in constant memory; and an encoder for
 * storages that keep the checksum.
 * [AWS, "Signature Calculations for the Authorization Header: Transferring
 * Payload in Multiple Chunks", and "... Including Trailing Headers"]
 */

#ifndef CHORUS_AWS_CHUNKED_H
#define CHORUS_AWS_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chorus_checksum.h"
#include "chorus_crypto.h"
#include "chorus_error.h"
#include "chorus_s3_error.h"
#include "chorus_str.h"

/* The header of a chunk or a trailer, with its CRLF.  There are at most two
 * trailers: one checksum, and their signature. */
#define CHORUS_AWS_CHUNKED_LINE_MAX_LEN  1024

/* of the signed forms, but for the last */
#define CHORUS_AWS_CHUNKED_MIN_CHUNK     8192


typedef enum {
    CHORUS_AWS_CHUNKED_NONE = 0,
    CHORUS_AWS_CHUNKED_SIGNED,
    CHORUS_AWS_CHUNKED_SIGNED_TRAILER,
    CHORUS_AWS_CHUNKED_UNSIGNED_TRAILER
} chorus_aws_chunked_form_t;


/* Of the value of x-amz-content-sha256; NONE for all else, also for the ECDSA
 * forms. */
chorus_aws_chunked_form_t chorus_aws_chunked_form(chorus_str_t payload);


/* ---- decoder ---- */

typedef struct chorus_aws_chunked_s  chorus_aws_chunked_t;

typedef struct {
    chorus_aws_chunked_form_t  form;
    uint64_t                   decoded_len; /* x-amz-decoded-content-length */
    chorus_str_t               trailer;     /* x-amz-trailer; null: none */

    /* of the request's signature; only the signed forms look at them */
    chorus_str_t               date;        /* 20130524T000000Z */
    chorus_str_t               scope;       /* day/region/s3/aws4_request */
    chorus_str_t               signature;   /* the seed, 64 hex */
    const unsigned char       *key;         /* signing key, 32 bytes */
} chorus_aws_chunked_options_t;


/*
 * A decoder of one body.  All of `options` is copied; `crypto` must outlive
 * the decoder and is of the same thread.  NULL: `refusal` says why:
 * INVALID_REQUEST for an x-amz-trailer other than one checksum that is known,
 * or one with the form that has no trailers; SIGNATURE_DOES_NOT_MATCH for a
 * seed that is no signature; INTERNAL_ERROR when out of memory, when OpenSSL
 * fails, and for the form NONE.
 */
chorus_aws_chunked_t *chorus_aws_chunked_create(chorus_crypto_t *crypto,
    const chorus_aws_chunked_options_t *options,
    chorus_s3_refusal_t *refusal);

/*
 * Takes the next `len` bytes of the body and decodes them in place: content
 * is moved to data[0..*decoded), *decoded <= len.  Where a body is split does
 * not matter.
 *
 * The last byte of the content is held back until all else of the body has
 * been verified, and is given out then: who forwards the content with its
 * length cannot complete an upload whose end is bad.  (Content of length 0
 * is complete before it begins: wait for is_done().)
 *
 * CHORUS_ERROR: `refusal` (its texts are constants), *decoded is 0, and every
 * later call fails likewise:
 *   INCOMPLETE_BODY           more or less content than decoded_len; a header
 *                             of a chunk that is malformed or too long, no
 *                             CRLF behind data (so says AWS)
 *   INVALID_CHUNK_SIZE        signed: a small chunk that is not the last
 *   INVALID_REQUEST           a trailer that is missing, malformed, too long,
 *                             repeated, or was not announced; bytes behind
 *                             the end
 *   SIGNATURE_DOES_NOT_MATCH  of a chunk or the trailer
 *   BAD_DIGEST                the content is not what the checksum says
 *   INTERNAL_ERROR            OpenSSL failed
 */
chorus_rc_t chorus_aws_chunked_decode(chorus_aws_chunked_t *chunked,
    char *data, size_t len, size_t *decoded, chorus_s3_refusal_t *refusal);

/* The body is over: INCOMPLETE_BODY unless everything was there. */
chorus_rc_t chorus_aws_chunked_end(const chorus_aws_chunked_t *chunked,
    chorus_s3_refusal_t *refusal);

/* The end has been read and verified. */
bool chorus_aws_chunked_is_done(const chorus_aws_chunked_t *chunked);

/* When done: the checksum of the trailer, which is that of the content, and
 * its algorithm; the null string and NONE without one.  A view into the
 * decoder. */
chorus_str_t chorus_aws_chunked_checksum(const chorus_aws_chunked_t *chunked,
    chorus_checksum_algorithm_t *algorithm);

/* NULL is fine; wipes the key. */
void chorus_aws_chunked_destroy(chorus_aws_chunked_t *chunked);


/* ---- encoder ---- */

/*
 * The form STREAMING-UNSIGNED-PAYLOAD-TRAILER, in chunks of one length but
 * for the last.  The encoder says what text goes between the content; the
 * content itself it never sees, so that nothing is copied.
 */

#define CHORUS_AWS_CHUNKED_UNSIGNED  "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
#define CHORUS_AWS_CHUNKED_FRAME         65536
#define CHORUS_AWS_CHUNKED_TEXT_MAX_LEN  32
#define CHORUS_AWS_CHUNKED_END_MAX_LEN   128


typedef struct {
    uint64_t  left;             /* content not passed on yet */
    uint64_t  frame_left;       /* of the chunk that has begun */
    bool      is_begun;         /* a chunk has been written */
} chorus_aws_chunked_encoder_t;


/* The length of the whole body; decoded_len must be below 2^63. */
uint64_t chorus_aws_chunked_encoded_len(uint64_t decoded_len,
    chorus_checksum_algorithm_t trailer);

void chorus_aws_chunked_encoder_begin(chorus_aws_chunked_encoder_t *encoder,
    uint64_t decoded_len);

/*
 * The next step, for `available` bytes of content at hand: send the returned
 * number of bytes of `text` (often 0), then *take bytes of the content; ask
 * again with the rest.  *take is 0 only when `available` is, or when there is
 * more content than decoded_len.
 */
size_t chorus_aws_chunked_encoder_step(chorus_aws_chunked_encoder_t *encoder,
    size_t available, char text[CHORUS_AWS_CHUNKED_TEXT_MAX_LEN],
    size_t *take);

/*
 * The end of the body behind all content: returns the length of `text`, 0
 * when content is missing or `checksum` has not the length that its algorithm
 * wants.  Algorithm NONE: no trailer.
 */
size_t chorus_aws_chunked_encoder_end(
    const chorus_aws_chunked_encoder_t *encoder,
    chorus_checksum_algorithm_t algorithm, chorus_str_t checksum,
    char text[CHORUS_AWS_CHUNKED_END_MAX_LEN]);


#endif
