/*
 * The part sizes behind a multipart ETag, "md5(md5(part 1) ...)-N".  S3 does
 * not tell them, but an upload almost always has parts of one common size,
 * and the right size is the one that gives the ETag.
 */

#ifndef LAYOUT_H
#define LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chorus_crypto.h"
#include "chorus_str.h"

/* Sizes that are tried in one pass over the object. */
#define LAYOUT_CANDIDATES  5

/* md5 in hex, '-', up to 10000 */
#define LAYOUT_ETAG_SIZE   40


/* A running multipart ETag. */
typedef struct {
    uint64_t          part_size;
    uint64_t          in_part;         /* bytes of the part that is open */
    unsigned          nparts;          /* that are closed */
    chorus_digest_t  *part;
    chorus_digest_t  *parts;
} layout_etag_t;

/* Several of them over one pass. */
typedef struct {
    layout_etag_t  etags[LAYOUT_CANDIDATES];
    size_t         n;
    uint64_t       offset;          /* bytes of the object seen so far */
} layout_probe_t;


/* The sizes of which `nparts` parts can make an object of that size, likely
 * ones first; at most `max`, and 0 when parts of equal size cannot. */
size_t layout_candidates(uint64_t size, unsigned nparts, uint64_t *sizes,
    size_t max);

/* "…-N" over the MD5 of each part. */
bool layout_etag(chorus_digest_t *parts, unsigned nparts,
    char etag[LAYOUT_ETAG_SIZE]);

bool layout_probe_open(layout_probe_t *probe);      /* once */
void layout_probe_close(layout_probe_t *probe);

bool layout_probe_begin(layout_probe_t *probe, const uint64_t *sizes,
    size_t n);
/* Bytes of the object from `offset` on; what was seen already (a part is read
 * again after a failure) is skipped. */
bool layout_probe_feed(layout_probe_t *probe, uint64_t offset,
    chorus_str_t bytes);
/* At the end: the part size that gives the ETag; 0: none of them. */
uint64_t layout_probe_match(layout_probe_t *probe, chorus_str_t etag);


#endif
