#include <stdlib.h>
#include <string.h>

#include "chorus_sigv4.h"
#include "clock.h"
#include "health.h"
#include "region.h"
#include "s3_learn.h"

/* a second or two of network and rounding do not matter */
#define S3_SKEW_SLACK_S  60


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
