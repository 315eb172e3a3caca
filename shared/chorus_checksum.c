/* The checksums of S3 uploads: a row for each algorithm. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "chorus_checksum.h"
#include "chorus_crc.h"
#include "chorus_crypto.h"


typedef struct {
    chorus_str_t               header;
    size_t                     len;     /* of the value, in bytes */
    bool                       is_crc;
    chorus_crc_t               crc;
    chorus_digest_algorithm_t  digest;
} checksum_row_t;

struct chorus_checksum_s {
    const checksum_row_t  *row;
    uint64_t               crc;
    chorus_digest_t       *digest;      /* NULL when it is a CRC */
};


static const checksum_row_t  checksum_rows[] = {
    [CHORUS_CHECKSUM_CRC32] = {
        chorus_str("x-amz-checksum-crc32"), 4, true,
        .crc = CHORUS_CRC32 },
    [CHORUS_CHECKSUM_CRC32C] = {
        chorus_str("x-amz-checksum-crc32c"), 4, true,
        .crc = CHORUS_CRC32C },
    [CHORUS_CHECKSUM_CRC64NVME] = {
        chorus_str("x-amz-checksum-crc64nvme"), 8, true,
        .crc = CHORUS_CRC64NVME },
    [CHORUS_CHECKSUM_MD5] = {
        chorus_str("x-amz-checksum-md5"), CHORUS_MD5_LEN, false,
        .digest = CHORUS_DIGEST_MD5 },
    [CHORUS_CHECKSUM_SHA1] = {
        chorus_str("x-amz-checksum-sha1"), CHORUS_SHA1_LEN, false,
        .digest = CHORUS_DIGEST_SHA1 },
    [CHORUS_CHECKSUM_SHA256] = {
        chorus_str("x-amz-checksum-sha256"), CHORUS_SHA256_LEN, false,
        .digest = CHORUS_DIGEST_SHA256 },
    [CHORUS_CHECKSUM_SHA512] = {
        chorus_str("x-amz-checksum-sha512"), CHORUS_SHA512_LEN, false,
        .digest = CHORUS_DIGEST_SHA512 },
};

#define CHECKSUM_ROWS  (sizeof(checksum_rows) / sizeof(checksum_rows[0]))


chorus_checksum_algorithm_t
chorus_checksum_of_header(chorus_str_t name)
{
    size_t  i;

    for (i = CHORUS_CHECKSUM_NONE + 1; i < CHECKSUM_ROWS; i++) {
        if (chorus_str_caseeq(name, checksum_rows[i].header)) {
            return (chorus_checksum_algorithm_t) i;
        }
    }

    return CHORUS_CHECKSUM_NONE;
}


chorus_str_t
chorus_checksum_header(chorus_checksum_algorithm_t algorithm)
{
    return checksum_rows[algorithm].header;
}


size_t
chorus_checksum_text_len(chorus_checksum_algorithm_t algorithm)
{
    return (checksum_rows[algorithm].len + 2) / 3 * 4;
}


chorus_checksum_t *
chorus_checksum_create(chorus_checksum_algorithm_t algorithm)
{
    chorus_checksum_t  *checksum;

    if (algorithm == CHORUS_CHECKSUM_NONE) {
        return NULL;
    }

    checksum = calloc(1, sizeof(chorus_checksum_t));
    if (checksum == NULL) {
        return NULL;
    }

    checksum->row = &checksum_rows[algorithm];

    if (checksum->row->is_crc) {
        return checksum;
    }

    checksum->digest = chorus_digest_create(checksum->row->digest);

    if (checksum->digest == NULL || !chorus_digest_begin(checksum->digest)) {
        chorus_checksum_destroy(checksum);
        return NULL;
    }

    return checksum;
}


bool
chorus_checksum_update(chorus_checksum_t *checksum, chorus_str_t data)
{
    if (checksum->digest != NULL) {
        return chorus_digest_update(checksum->digest, data);
    }

    checksum->crc = chorus_crc(checksum->row->crc, checksum->crc, data.data,
                               data.len);
    return true;
}


bool
chorus_checksum_end(chorus_checksum_t *checksum,
    char text[CHORUS_CHECKSUM_TEXT_MAX_LEN])
{
    size_t         i, len;
    unsigned char  value[CHORUS_SHA512_LEN];
    unsigned char  base64[CHORUS_CHECKSUM_TEXT_MAX_LEN + 1];

    len = checksum->row->len;

    if (checksum->digest != NULL) {
        if (!chorus_digest_end(checksum->digest, value)) {
            return false;
        }

    } else {
        for (i = 0; i < len; i++) {
            value[i] = (unsigned char) (checksum->crc >> 8 * (len - 1 - i));
        }
    }

    /* it ends with a NUL, for which the caller has no room */

    (void) EVP_EncodeBlock(base64, value, (int) len);
    memcpy(text, base64, (len + 2) / 3 * 4);

    return true;
}


void
chorus_checksum_destroy(chorus_checksum_t *checksum)
{
    if (checksum == NULL) {
        return;
    }

    chorus_digest_destroy(checksum->digest);
    free(checksum);
}
