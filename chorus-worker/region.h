/*
 * Buckets that are in another region than their storage is configured for, as
 * the storage has told: for them requests are signed for that region, and go
 * to its endpoint.
 */

#ifndef REGION_H
#define REGION_H

#include "s3_client.h"


/* The region that an answer sends us to; null string when it does not. */
chorus_str_t region_of_answer(const s3_response_t *response);

/* The storage of a request with region, endpoint and host as they are for its
 * bucket.  New strings are in `mem`. */
chorus_storage_t region_storage(chorus_mem_t *mem,
    const s3_request_t *request);

/* The request went to `asked` and is to go to `region`; false when that is
 * where it went, or no region. */
bool region_learn(const s3_request_t *request, const chorus_storage_t *asked,
    chorus_str_t region);


#endif
