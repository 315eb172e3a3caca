/* What an answer says of its storage beside what it was asked for. */

#ifndef S3_LEARN_H
#define S3_LEARN_H

#include "s3_client.h"


/* The bucket is in another region: the same request, signed for that one, is
 * for the next attempt. */
void s3_learn_region(const s3_request_t *request,
    const chorus_storage_t *storage, s3_response_t *response);

/* The storage says our clock is wrong: date requests by its own.  A HEAD has
 * no body to say why it is refused, but the two dates tell.  `skew`: with
 * which the request was dated. */
void s3_learn_clock(const s3_request_t *request, s3_response_t *response,
    int64_t skew);

/* How busy the storage is: whether it answered, and how soon. */
void s3_learn_load(const s3_request_t *request, const s3_response_t *response,
    CURL *easy);


#endif
