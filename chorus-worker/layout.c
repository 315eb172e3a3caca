#include <stdio.h>
#include <string.h>

#include "layout.h"

#define LAYOUT_MIB  (1024 * 1024ull)
#define LAYOUT_MB   (1000 * 1000ull)


/* Defaults of clients and SDKs, the most common first. */

static const uint64_t  layout_common[] = {
    8 * LAYOUT_MIB,     /* awscli, boto3, s5cmd of old */
    5 * LAYOUT_MIB,     /* the least S3 allows: rclone, SDKs */
    16 * LAYOUT_MIB,    /* minio clients */
    15 * LAYOUT_MIB,    /* s3cmd */
    10 * LAYOUT_MIB,
    20 * LAYOUT_MIB,
    25 * LAYOUT_MIB,
    32 * LAYOUT_MIB,
    50 * LAYOUT_MIB,    /* s5cmd */
    64 * LAYOUT_MIB,    /* hadoop */
    100 * LAYOUT_MIB,
    128 * LAYOUT_MIB,
    256 * LAYOUT_MIB,
    512 * LAYOUT_MIB,
    1024 * LAYOUT_MIB,
    5 * LAYOUT_MB, 10 * LAYOUT_MB, 50 * LAYOUT_MB, 100 * LAYOUT_MB,
};


typedef struct {
    uint64_t  least;
    uint64_t  most;
    uint64_t *sizes;
    size_t    max;
    size_t    n;
} layout_search_t;


static void
layout_consider(layout_search_t *search, uint64_t size)
{
    size_t  i;

    if (size < search->least || size > search->most
        || search->n == search->max)
    {
        return;
    }

    for (i = 0; i < search->n; i++) {
        if (search->sizes[i] == size) {
            return;
        }
    }

    search->sizes[search->n++] = size;
}


static uint64_t
layout_ceil(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}


size_t
layout_candidates(uint64_t size, unsigned nparts, uint64_t *sizes, size_t max)
{
    size_t           i;
    uint64_t         mib, mb;
    layout_search_t  search;

    if (nparts == 1) {
        sizes[0] = size;
        return 1;
    }

    if (nparts == 0 || size < nparts) {
        return 0;
    }

    /* ceil(size / p) == nparts */
    search.least = layout_ceil(size, nparts);
    search.most = layout_ceil(size, nparts - 1) - 1;
    search.sizes = sizes;
    search.max = max;
    search.n = 0;

    for (i = 0; i < sizeof(layout_common) / sizeof(layout_common[0]); i++) {
        layout_consider(&search, layout_common[i]);
    }

    mib = layout_ceil(search.least, LAYOUT_MIB);
    layout_consider(&search, mib * LAYOUT_MIB);
    layout_consider(&search, search.least);

    mb = layout_ceil(search.least, LAYOUT_MB);

    for (i = 0; i < max; i++) {
        layout_consider(&search, (mib + i + 1) * LAYOUT_MIB);
        layout_consider(&search, (mb + i) * LAYOUT_MB);
    }

    return search.n;
}


bool
layout_etag(chorus_digest_t *parts, unsigned nparts,
    char etag[LAYOUT_ETAG_SIZE])
{
    int            n;
    unsigned char  md5[CHORUS_MD5_LEN];

    if (!chorus_digest_end(parts, md5)) {
        return false;
    }

    chorus_hex(etag, md5, sizeof(md5));
    n = snprintf(etag + 2 * CHORUS_MD5_LEN,
                 LAYOUT_ETAG_SIZE - 2 * CHORUS_MD5_LEN, "-%u", nparts);

    return n > 0 && n < LAYOUT_ETAG_SIZE - 2 * CHORUS_MD5_LEN;
}


bool
layout_probe_open(layout_probe_t *probe)
{
    size_t  i;

    memset(probe, 0, sizeof(layout_probe_t));

    for (i = 0; i < LAYOUT_CANDIDATES; i++) {
        probe->etags[i].part = chorus_digest_create(CHORUS_DIGEST_MD5);
        probe->etags[i].parts = chorus_digest_create(CHORUS_DIGEST_MD5);

        if (probe->etags[i].part == NULL || probe->etags[i].parts == NULL) {
            return false;
        }
    }

    return true;
}


void
layout_probe_close(layout_probe_t *probe)
{
    size_t  i;

    for (i = 0; i < LAYOUT_CANDIDATES; i++) {
        if (probe->etags[i].part != NULL) {
            chorus_digest_destroy(probe->etags[i].part);
        }
        if (probe->etags[i].parts != NULL) {
            chorus_digest_destroy(probe->etags[i].parts);
        }
    }
}


bool
layout_probe_begin(layout_probe_t *probe, const uint64_t *sizes, size_t n)
{
    size_t  i;

    probe->n = n < LAYOUT_CANDIDATES ? n : LAYOUT_CANDIDATES;
    probe->offset = 0;

    for (i = 0; i < probe->n; i++) {
        probe->etags[i].part_size = sizes[i];
        probe->etags[i].in_part = 0;
        probe->etags[i].nparts = 0;

        if (!chorus_digest_begin(probe->etags[i].part)
            || !chorus_digest_begin(probe->etags[i].parts))
        {
            return false;
        }
    }

    return true;
}


static bool
layout_etag_close_part(layout_etag_t *etag)
{
    chorus_str_t   digest;
    unsigned char  md5[CHORUS_MD5_LEN];

    if (!chorus_digest_end(etag->part, md5)) {
        return false;
    }

    digest = (chorus_str_t) { (const char *) md5, sizeof(md5) };
    etag->nparts++;
    etag->in_part = 0;

    return chorus_digest_update(etag->parts, digest)
           && chorus_digest_begin(etag->part);
}


static bool
layout_etag_feed(layout_etag_t *etag, chorus_str_t bytes)
{
    size_t    n;
    uint64_t  room;

    while (bytes.len != 0) {
        room = etag->part_size - etag->in_part;
        n = bytes.len < room ? bytes.len : (size_t) room;

        if (!chorus_digest_update(etag->part, (chorus_str_t) { bytes.data, n }))
        {
            return false;
        }

        etag->in_part += n;
        bytes = chorus_str_sub(bytes, n);

        if (etag->in_part == etag->part_size
            && !layout_etag_close_part(etag))
        {
            return false;
        }
    }

    return true;
}


bool
layout_probe_feed(layout_probe_t *probe, uint64_t offset, chorus_str_t bytes)
{
    size_t    i;
    uint64_t  seen;

    seen = probe->offset - offset;
    if (seen >= bytes.len) {
        return true;
    }

    bytes = chorus_str_sub(bytes, (size_t) seen);
    probe->offset += bytes.len;

    for (i = 0; i < probe->n; i++) {
        if (!layout_etag_feed(&probe->etags[i], bytes)) {
            return false;
        }
    }

    return true;
}


uint64_t
layout_probe_match(layout_probe_t *probe, chorus_str_t etag)
{
    char            text[LAYOUT_ETAG_SIZE];
    size_t          i;
    layout_etag_t  *candidate;

    for (i = 0; i < probe->n; i++) {
        candidate = &probe->etags[i];

        if (candidate->in_part != 0 && !layout_etag_close_part(candidate)) {
            return 0;
        }

        if (layout_etag(candidate->parts, candidate->nparts, text)
            && chorus_str_eq(chorus_str_from(text), etag))
        {
            return candidate->part_size;
        }
    }

    return 0;
}
