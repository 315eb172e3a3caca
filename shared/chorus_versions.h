/*
 * The history of a key: what ListObjectVersions says of it, and by which edit
 * a follower's history becomes main's.
 */

#ifndef CHORUS_VERSIONS_H
#define CHORUS_VERSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "chorus_error.h"
#include "chorus_mem.h"
#include "chorus_str.h"

#define CHORUS_NULL_VERSION  "null"


typedef struct {
    chorus_str_t  key;          /* decoded; only on a page */
    chorus_str_t  id;           /* CHORUS_NULL_VERSION without versioning */
    chorus_str_t  etag;         /* without quotes; a marker has none, and
                                 * Ceph 16 may forget one */
    uint64_t      size;
    int64_t       modified_ms;  /* since the epoch */
    bool          is_marker;    /* a delete marker */
} chorus_version_t;

typedef struct {
    chorus_version_t  *versions;        /* newest first, as S3 lists them */
    size_t             nversions;
} chorus_history_t;


/* ---- a page of a listing ---- */

typedef struct {
    chorus_history_t  history;      /* of all keys on the page, with keys */
    bool              is_truncated;
} chorus_version_page_t;

/*
 * <ListVersionsResult>: <Version> and <DeleteMarker> in their order, at most
 * `max` of them.  Keys are decoded when the answer says <EncodingType>url.
 * Ceph writes the control characters of a prefix as references that XML does
 * not have: they are read as blanks.  An entry without key, id or time, and an
 * answer that does not say whether it is truncated, are errors.
 * [Amazon S3 API Reference, "ListObjectVersions"]
 */
chorus_rc_t chorus_version_page_parse(chorus_mem_t *mem, chorus_str_t body,
    size_t max, chorus_version_page_t *page, chorus_error_t *error);


/* ---- the edit ---- */

typedef enum {
    CHORUS_VERSION_OTHER = 0,
    CHORUS_VERSION_SAME,
    CHORUS_VERSION_FAILED       /* not known; ends the comparison */
} chorus_version_verdict_t;

/* Asked only where listings leave a doubt. */
typedef chorus_version_verdict_t (*chorus_version_look_pt)(void *data,
    const chorus_version_t *ours, const chorus_version_t *theirs);

typedef struct {
    /* so many of main's oldest versions the follower has already ... */
    size_t   nkept;
    /* ... of the i-th oldest of them, the place in the follower's history; the
     * size of that history where one marker stands for several of main's */
    size_t  *places;
    /* what main's history does not have: places in the follower's, oldest
     * first */
    size_t  *surplus;
    size_t   nsurplus;
} chorus_history_edit_t;

/*
 * S3 appends at the end of a history and deletes anywhere.  So the follower
 * keeps as many of main's oldest versions as it has in their order, main's
 * others are appended behind them, oldest first, and then the surplus is
 * deleted.
 *
 * Versions are the same by id where a storage keeps ids, else by size, ETag
 * and being a delete marker or not; but the follower's null version only stands
 * for main's.  That leaves doubts, for which `look` is
 * asked: a copy that is older than its original; equal content among which one
 * has to go; other ETags for the same size (of multipart uploads, encryption).
 *
 * CHORUS_ERROR: look failed.
 */
chorus_rc_t chorus_history_compare(chorus_mem_t *mem,
    const chorus_history_t *ours, const chorus_history_t *theirs,
    chorus_version_look_pt look, void *data, chorus_history_edit_t *edit);


#endif
