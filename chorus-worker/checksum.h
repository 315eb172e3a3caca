/*
 * The checksum that main keeps of an object, for followers that keep one, too.
 */

#ifndef CHECKSUM_H
#define CHECKSUM_H

#include "headers.h"
#include "work.h"


/* Whether main and the follower keep checksums. */
bool checksum_is_kept(const work_t *work);

/* The header of a GET or HEAD that asks for it. */
extern const chorus_header_t  checksum_ask;

/* From the headers of an answer; false: out of memory. */
bool checksum_read(object_checksum_t *checksum, chorus_mem_t *mem,
    const s3_response_t *response);

/* On a PUT of all bytes, or of a part, which has the follower verify it. */
void checksum_add(work_t *work, headers_t *headers,
    const object_checksum_t *checksum);
/* On the beginning of a multipart upload. */
void checksum_add_algorithm(work_t *work, headers_t *headers,
    const object_checksum_t *checksum);
/* <ChecksumCRC32C>...</ChecksumCRC32C> of a part */
void checksum_xml(chorus_buf_t *buf, const object_checksum_t *checksum);

/* The other way: of a <Part>; false without one. */
bool checksum_of_xml(chorus_mem_t *mem, chorus_str_t element,
    object_checksum_t *checksum);

/* Whether the follower has what main has. */
bool checksum_same(const work_t *work, const object_checksum_t *ours,
    const object_checksum_t *theirs);


#endif
