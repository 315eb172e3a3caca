/*
 * The parts of one upload, several at a time: the slot that has the key sends
 * them one after the other, and threads that have nothing else to do help it.
 */

#ifndef PARTS_H
#define PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "chorus_layout.h"
#include "work.h"

#define PARTS_ETAG_SIZE      72
#define PARTS_CHECKSUM_SIZE  96


typedef struct {
    uint64_t       size;            /* what was sent, once it is done */
    uint64_t       offset;          /* unless main tells parts by number */
    bool           is_taken;
    bool           is_done;
    unsigned char  md5[CHORUS_MD5_LEN];
    char           etag[PARTS_ETAG_SIZE];           /* the follower's */
    size_t         checksum_row;                    /* see checksum.h */
    char           checksum[PARTS_CHECKSUM_SIZE];   /* empty: none */
} part_t;

typedef struct parts_s  parts_t;

struct parts_s {
    work_t          *work;
    const object_t  *object;
    const chorus_layout_t *plan;    /* no sizes: by ?partNumber */
    chorus_str_t     upload_id;     /* encoded for a query */
    bool             is_sealed;     /* the follower's ETags are no MD5 */
    bool             is_in_order;   /* one at a time, the probe looks on */
    part_t          *parts;         /* plan->nparts */

    work_t           pattern;       /* for helpers; set by parts_send() */

    /* under the mutex of parts.c */
    unsigned         next;          /* part that is looked at next */
    unsigned         nhelpers;
    unsigned         max_helpers;
    bool             has_failed;
    bool             has_gaps;      /* in the numbers of main's parts */
    failure_t        failure;       /* the first one */
    parts_t         *later;         /* in the list of those that want help */
};


/* The threads, before the first parts_send() and after the last.  Each costs
 * what a slot costs while it helps: a ring of STREAM_SIZE, two connections. */
bool parts_start(unsigned nhelpers);
void parts_stop(void);

/* parts->parts, all of them to be sent. */
bool parts_create(parts_t *parts, chorus_mem_t *mem);

/* Sends those that are not done.  When it fails (work->failure) others may be
 * done. */
work_rc_t parts_send(parts_t *parts);

/* Whether parts have checksums of their own. */
bool parts_have_checksums(const parts_t *parts);

/* The body of CompleteMultipartUpload; the null string without memory. */
chorus_str_t parts_xml(const parts_t *parts, chorus_mem_t *mem);


#endif
