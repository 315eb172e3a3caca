/*
 * One page after the other of a bucket's keys.  Of its objects, as ListObjects
 * gives them: the first version of it, which nearly all storages know, goes on
 * behind any key; the second one is for the others.  Or of its histories, as
 * ListObjectVersions does.
 */

#ifndef SCAN_LIST_H
#define SCAN_LIST_H

#include "chorus_crypto.h"
#include "chorus_fold.h"
#include "chorus_listing.h"
#include "queue_scan.h"
#include "work.h"


typedef struct {
    failure_side_t         side;
    s3_lane_t              lane;
    chorus_arena_t        *arenas[2];   /* of the page, and of the next */
    chorus_mem_t           mems[2];
    unsigned               at;          /* which of them is the page's ... */
    unsigned               asked;       /* ... and that of what is asked for */
    chorus_buf_t           body;
    char                   marker[QUEUE_SCAN_KEY_MAX];
    size_t                 marker_len;
    const s3_response_t   *response;    /* NULL: nothing was asked */
    bool                   is_ahead;    /* nobody has waited for it yet */
    unsigned               max;         /* keys that are asked for */
    chorus_listing_t       listing;
    bool                   is_absent;   /* there is no such bucket */

    bool                   is_versions; /* entries are histories */
    chorus_crypto_t       *crypto;
    chorus_fold_t          fold;

    /* what the storage has shown not to know */
    bool                   is_plain;    /* encoding-type */
    bool                   is_second;   /* ListObjects in its first version */
} scan_list_t;


/* On a lane that nothing else uses where pages are asked for ahead. */
bool scan_list_open(scan_list_t *list, failure_side_t side, s3_lane_t lane);
void scan_list_close(scan_list_t *list);

/* What is listed from here on. */
void scan_list_mode(scan_list_t *list, bool is_versions);

/* From behind the key on; the last page is gone with that. */
bool scan_list_seek(scan_list_t *list, chorus_str_t key);

/* Asks for the next page unless that was done ahead; scan_list_wait() for all
 * that were begun. */
void scan_list_begin(scan_list_t *list, work_t *work, unsigned max);

/* Asks for the page behind the one at hand, which stays, while that is looked
 * at.  What comes of it is used if it is good, else the page is asked for again
 * when its time has come. */
void scan_list_ahead(scan_list_t *list, work_t *work);
/* Drops what was asked for ahead. */
void scan_list_drop(scan_list_t *list, s3_client_t *client);
void scan_list_wait(work_t *work, scan_list_t *a, scan_list_t *b);

/* list->listing is the page, and stays until the next one is begun; it may be
 * empty and not the last.  A bucket that is not there is an empty one.
 * WORK_FAILED: work->failure says why;
 * FAILURE_PARK when it is no use to try again. */
work_rc_t scan_list_end(scan_list_t *list, work_t *work);


#endif
