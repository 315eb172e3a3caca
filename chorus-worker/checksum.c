/*
 * Storages tell checksums only when asked.  Of a multipart object they tell,
 * by ?partNumber, that of each part; an upload in the same parts then ends in
 * the same checksum, whether it is one of the bytes or one of checksums.
 */

#include "checksum.h"
#include "optional.h"


typedef struct {
    const char  *header;
    const char  *algorithm;
    const char  *element;
} checksum_row_t;


static const checksum_row_t  checksum_rows[] = {
    { "x-amz-checksum-crc32",     "CRC32",     "ChecksumCRC32" },
    { "x-amz-checksum-crc32c",    "CRC32C",    "ChecksumCRC32C" },
    { "x-amz-checksum-crc64nvme", "CRC64NVME", "ChecksumCRC64NVME" },
    { "x-amz-checksum-sha1",      "SHA1",      "ChecksumSHA1" },
    { "x-amz-checksum-sha256",    "SHA256",    "ChecksumSHA256" },
};

#define CHECKSUM_ROWS  (sizeof(checksum_rows) / sizeof(checksum_rows[0]))

const chorus_header_t  checksum_ask = {
    { "x-amz-checksum-mode", sizeof("x-amz-checksum-mode") - 1 },
    { "ENABLED", sizeof("ENABLED") - 1 }
};


bool
checksum_is_kept(const work_t *work)
{
    return work->main->has_checksums && work->follower->has_checksums;
}


bool
checksum_read(object_checksum_t *checksum, chorus_mem_t *mem,
    const s3_response_t *response)
{
    size_t        i;
    chorus_str_t  value, type;

    checksum->row = 0;
    checksum->value = chorus_null_str;
    checksum->type = chorus_null_str;

    for (i = 0; i < CHECKSUM_ROWS; i++) {
        value = s3_response_header(response, checksum_rows[i].header);
        if (value.len == 0) {
            continue;
        }

        type = s3_response_header(response, "x-amz-checksum-type");
        checksum->row = i;
        checksum->value = chorus_str_dup(mem, value);
        checksum->type = chorus_str_dup(mem, type);

        return checksum->value.data != NULL
               && (type.len == 0 || checksum->type.data != NULL);
    }

    return true;
}


void
checksum_add(work_t *work, headers_t *headers,
    const object_checksum_t *checksum)
{
    if (checksum->value.len != 0 && optional_send(work, OPTIONAL_CHECKSUM)) {
        headers_add(headers, checksum_rows[checksum->row].header,
                    checksum->value);
    }
}


void
checksum_add_algorithm(work_t *work, headers_t *headers,
    const object_checksum_t *checksum)
{
    if (checksum->value.len == 0 || !optional_send(work, OPTIONAL_CHECKSUM)) {
        return;
    }

    headers_add(headers, "x-amz-checksum-algorithm",
                chorus_str_from(checksum_rows[checksum->row].algorithm));

    if (checksum->type.len != 0) {
        headers_add(headers, "x-amz-checksum-type", checksum->type);
    }
}


void
checksum_xml(chorus_buf_t *buf, const object_checksum_t *checksum)
{
    if (checksum->value.len != 0) {
        chorus_xml_element(buf, checksum_rows[checksum->row].element,
                           checksum->value);
    }
}


bool
checksum_of_xml(chorus_mem_t *mem, chorus_str_t element,
    object_checksum_t *checksum)
{
    size_t  i;

    for (i = 0; i < CHECKSUM_ROWS; i++) {
        checksum->row = i;
        checksum->type = chorus_null_str;
        checksum->value = chorus_xml_text(mem, element,
                                          checksum_rows[i].element);
        if (checksum->value.len != 0) {
            return true;
        }
    }

    return false;
}


bool
checksum_same(const work_t *work, const object_checksum_t *ours,
    const object_checksum_t *theirs)
{
    return ours->value.len == 0 || !checksum_is_kept(work)
           || optional_is_left_out(work, OPTIONAL_CHECKSUM)
           || (ours->row == theirs->row
               && chorus_str_eq(ours->value, theirs->value));
}
