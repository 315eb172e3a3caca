/*
 * One key beyond what listings say of it: by HEAD, tags and ACL, or by reading
 * both.  Compares as a sync does (compare.h, tags.h, acl.h, lock.h).
 */

#ifndef SCAN_DEEP_H
#define SCAN_DEEP_H

#include "acl.h"
#include "chorus_s3_xml.h"
#include "scan_hash.h"
#include "queue_scan.h"
#include "work.h"

#define SCAN_DEEP_EXISTENCE  1u     /* there is none on one side by now */
#define SCAN_DEEP_CONTENT    2u
#define SCAN_DEEP_METADATA   4u
#define SCAN_DEEP_CLASS      8u     /* of storage */
#define SCAN_DEEP_CHECKSUM   16u
#define SCAN_DEEP_TAGS       32u
#define SCAN_DEEP_ACL        64u
#define SCAN_DEEP_LOCK       128u


typedef struct {
    bool               is_there;
    object_t           object;
    chorus_str_t       version;     /* its id, or null */
    chorus_tagging_t   tags;
    bool               is_hashed;
    unsigned char      sha256[CHORUS_SHA256_LEN];
} scan_deep_side_t;

typedef struct {
    unsigned           differs;     /* SCAN_DEEP_* */
    scan_deep_side_t   ours;
    scan_deep_side_t   theirs;
    acl_pair_t         acl;
} scan_deep_t;


/* Compares work->task->key; QUICK: content alone, by size and ETag.  What is
 * found lives in work->mem.  `hashes`: of two, for CONTENT.  WORK_FAILED:
 * work->failure says why it could not be told. */
work_rc_t scan_deep(work_t *work, queue_scan_level_t level,
    scan_hash_t *hashes, scan_deep_t *deep);

/* Members of a JSON object: "differs", "main", "follower"; null when out of
 * memory.  No longer than SCAN_DEEP_EVIDENCE_MAX. */
#define SCAN_DEEP_EVIDENCE_MAX  12288
chorus_str_t scan_deep_evidence(work_t *work, const scan_deep_t *deep);


#endif
