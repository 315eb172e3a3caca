#include <stdlib.h>
#include <string.h>

#include "chorus_sigv4.h"
#include "clock.h"
#include "health.h"
#include "meters.h"
#include "region.h"
#include "s3_learn.h"

/* a second or two of network and rounding do not matter */
#define S3_SKEW_SLACK_S  60

/* of a longer body it is the sending that takes time */
#define S3_LATENCY_BODY_MAX  (64 * 1024)


void
s3_learn_region(const s3_request_t *request, const chorus_storage_t *storage,
    s3_response_t *response)
{
    chorus_str_t  region;

    region = region_of_answer(response);

    if (region.len != 0 && region_learn(request, storage, region)) {
        response->code = chorus_str("OtherRegion");
    }
}


void
s3_learn_clock(const s3_request_t *request, s3_response_t *response,
    int64_t skew)
{
    bool     is_head, is_skewed;
    int64_t  theirs, seen;

    is_skewed = s3_response_has_code(response, "RequestTimeTooSkewed");
    is_head = s3_response_is(response, 403)
              && strcmp(request->method, "HEAD") == 0;

    if ((!is_skewed && !is_head)
        || !chorus_time_parse_http(s3_response_header(response, "Date"),
                                   &theirs))
    {
        return;
    }

    seen = theirs - clock_wall();

    if (llabs(seen - skew) < CHORUS_SKEW_SECONDS - S3_SKEW_SLACK_S) {
        return;
    }

    if (is_head) {
        response->code = chorus_str("RequestTimeTooSkewed");
    }

    health_skew_set(request->storage->name,
                    llabs(seen) < S3_SKEW_SLACK_S ? 0 : seen);
}


static bool
s3_learn_is_overload(const s3_response_t *response)
{
    switch (response->status) {

    case 0:
        /* what ended by itself: a transfer that we gave up says nothing */
        return response->result != CURLE_ABORTED_BY_CALLBACK
               && response->result != CURLE_WRITE_ERROR;

    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        return true;

    default:
        return false;
    }
}


void
s3_learn_load(const s3_request_t *request, const s3_response_t *response,
    CURL *easy)
{
    curl_off_t  sent_us = 0, answered_us = 0, upload = 0;

    if (response->status == 0 && !s3_learn_is_overload(response)) {
        return;
    }

    meters_request(request->storage->name, meters_outcome(response->status));

    /* a listing takes longer than an object */
    if (request->key.len == 0
        || curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &sent_us)
           != CURLE_OK
        || curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T,
                             &answered_us) != CURLE_OK
        || curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &upload)
           != CURLE_OK
        || answered_us < sent_us || upload > S3_LATENCY_BODY_MAX)
    {
        answered_us = sent_us - 1;
    }

    health_sample(request->storage->name, s3_learn_is_overload(response),
                  answered_us - sent_us);
}
