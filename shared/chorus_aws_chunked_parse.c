/* The lines of aws-chunked: headers of chunks, and trailers. */

#include <string.h>

#include "chorus_aws_chunked_state.h"

#define CHUNK_SIGNATURE  ";chunk-signature="


/* ---- chunk headers ---- */


/* Cuts the hex digits off `line`; leading zeros are as in HTTP. */
static bool
chunk_parse_size(chorus_str_t *line, uint64_t *size)
{
    int     digit;
    size_t  i;

    *size = 0;

    for (i = 0; i < line->len; i++) {

        digit = chorus_hex_digit(line->data[i]);
        if (digit < 0) {
            break;
        }

        if (*size >= UINT64_C(1) << 59) {       /* 2^63 and above */
            return false;
        }

        *size = *size << 4 | (uint64_t) digit;
    }

    *line = chorus_str_sub(*line, i);

    return i != 0;
}


/* What stands behind the size. */
static bool
chunk_parse_extension(chorus_aws_chunked_t *chunked, chorus_str_t extension)
{
    if (!chorus_aws_chunked_is_signed(chunked)) {
        return extension.len == 0;
    }

    if (!chorus_str_starts(extension, chorus_str(CHUNK_SIGNATURE))) {
        return false;
    }

    extension = chorus_str_sub(extension, strlen(CHUNK_SIGNATURE));

    if (!chorus_aws_chunked_is_signature(extension)) {
        return false;
    }

    memcpy(chunked->signature, extension.data, CHORUS_SIGNATURE_LEN);

    return true;
}


/* The chunk of size 0: the content is over. */
static chorus_rc_t
chunk_last(chorus_aws_chunked_t *chunked)
{
    if (chorus_aws_chunked_verify_data(chunked) != CHORUS_OK) {
        return CHORUS_ERROR;
    }

    if (chunked->missing != 0) {
        return chorus_aws_chunked_fail(chunked, CHORUS_S3_INCOMPLETE_BODY,
                                       chorus_null_str);
    }

    chunked->state = CHORUS_CHUNK_TRAILERS;

    return CHORUS_OK;
}


chorus_rc_t
chorus_aws_chunked_header(chorus_aws_chunked_t *chunked, chorus_str_t line)
{
    uint64_t  size;

    if (!chunk_parse_size(&line, &size)
        || !chunk_parse_extension(chunked, line))
    {
        return chorus_aws_chunked_malformed(chunked);
    }

    if (chorus_aws_chunked_is_signed(chunked)
        && !chorus_digest_begin(chunked->digest))
    {
        return chorus_aws_chunked_broken(chunked);
    }

    if (size == 0) {
        return chunk_last(chunked);
    }

    if (chunked->is_small && chorus_aws_chunked_is_signed(chunked)) {
        return chorus_aws_chunked_fail(chunked, CHORUS_S3_INVALID_CHUNK_SIZE,
                                       chorus_null_str);
    }

    if (size > chunked->missing) {
        return chorus_aws_chunked_fail(chunked, CHORUS_S3_INCOMPLETE_BODY,
                                       chorus_null_str);
    }

    chunked->is_small = size < CHORUS_AWS_CHUNKED_MIN_CHUNK;
    chunked->missing -= size;
    chunked->left = size;
    chunked->state = CHORUS_CHUNK_DATA;

    return CHORUS_OK;
}


/* ---- trailers ---- */


/* The empty line: all is there, or it is missing. */
static chorus_rc_t
chunk_finish(chorus_aws_chunked_t *chunked)
{
    bool  has_any;

    has_any = chunked->has_trailer || chunked->has_signature;

    if (chunked->has_trailer != (chunked->algorithm != CHORUS_CHECKSUM_NONE)) {
        return chorus_aws_chunked_bad_trailer(chunked);
    }

    if (has_any && chorus_aws_chunked_is_signed(chunked)) {

        if (!chunked->has_signature) {
            return chorus_aws_chunked_bad_trailer(chunked);
        }

        if (chorus_aws_chunked_verify_trailer(chunked) != CHORUS_OK) {
            return CHORUS_ERROR;
        }
    }

    if (chunked->has_trailer
        && chorus_aws_chunked_verify_checksum(chunked) != CHORUS_OK)
    {
        return CHORUS_ERROR;
    }

    chunked->state = CHORUS_CHUNK_DONE;

    return CHORUS_OK;
}


/* Views into the line are gone with it: what counts is copied. */
chorus_rc_t
chorus_aws_chunked_trailer(chorus_aws_chunked_t *chunked, chorus_str_t line)
{
    chorus_str_t  name;

    if (line.len == 0) {
        return chunk_finish(chunked);
    }

    /* nothing is behind the signature of the trailers */

    if (chunked->has_signature) {
        return chorus_aws_chunked_bad_trailer(chunked);
    }

    name = chorus_str_trim(chorus_str_cut(&line, ':'));
    line = chorus_str_trim(line);

    if (chunked->form == CHORUS_AWS_CHUNKED_SIGNED_TRAILER
        && chorus_str_caseeq(name, chorus_str("x-amz-trailer-signature"))
        && chorus_aws_chunked_is_signature(line))
    {
        memcpy(chunked->signature, line.data, line.len);
        chunked->has_signature = true;

        return CHORUS_OK;
    }

    if (chunked->algorithm == CHORUS_CHECKSUM_NONE || chunked->has_trailer
        || chorus_checksum_of_header(name) != chunked->algorithm)
    {
        return chorus_aws_chunked_bad_trailer(chunked);
    }

    if (line.len != chorus_checksum_text_len(chunked->algorithm)) {
        return chorus_aws_chunked_bad_checksum(chunked);
    }

    memcpy(chunked->value, line.data, line.len);
    chunked->has_trailer = true;

    return CHORUS_OK;
}
