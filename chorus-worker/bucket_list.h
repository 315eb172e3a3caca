/*
 * The buckets of a user on a storage, page by page: AWS gives at most 10,000
 * at a time and says where to go on.
 */

#ifndef BUCKET_LIST_H
#define BUCKET_LIST_H

#include "chorus_listing.h"
#include "s3_client.h"

/* AWS: 1 to 1024 bytes */
#define BUCKET_LIST_TOKEN_MAX  2048
/* of one user; what is beyond is taken for a list in circles */
#define BUCKET_LIST_PAGES_MAX  1000


typedef struct {
    s3_client_t                *client;
    s3_lane_t                   lane;
    const chorus_storage_t     *storage;
    const chorus_credential_t  *credential;
    chorus_mem_t               *mem;        /* of the pages */
    /* the rest is zero at the begin */
    chorus_buf_t                body;
    char                        token[BUCKET_LIST_TOKEN_MAX];
    size_t                      token_len;
    unsigned                    npages;
    bool                        is_over;    /* the last page was given */
    chorus_error_t              error;
} bucket_list_t;


/* The next page, in list->mem; false: list->error says why there is none, and
 * the buckets that are missing are not known.  Not to be called when it is
 * over. */
bool bucket_list_next(bucket_list_t *list, chorus_buckets_t *buckets);


#endif
