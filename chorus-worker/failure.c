#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "chorus_s3_xml.h"
#include "chorus_time.h"
#include "clock.h"
#include "failure.h"
#include "log.h"

#define FAILURE_BASE_MS           500
#define FAILURE_SLOW_BASE_MS      5000
#define FAILURE_TRANSPORT_CAP_MS  30000
/* seconds; a storage may ask for more than the cap of our own pauses */
#define FAILURE_RETRY_AFTER_MAX   3600


/* of a row */
#define FAILURE_TROUBLE  1      /* the storage as a whole is in trouble */
#define FAILURE_WIDE     2      /* it is not this key alone */


typedef struct {
    const char      *code;
    failure_kind_t   on_main;
    failure_kind_t   on_follower;
    unsigned         flags;
} failure_row_t;

typedef struct {
    unsigned         status;
    failure_kind_t   on_main;
    failure_kind_t   on_follower;
    unsigned         flags;
} failure_status_row_t;

typedef struct {
    CURLcode         result;
    const char      *code;
    failure_kind_t   kind;
} failure_curl_row_t;


/*
 * S3 error codes; docs/reliability.md has the same table for people.  PARK is
 * only what the follower will refuse for ever because of the key itself.  What
 * may be about one key (a policy, a path that is signed in another way) is not
 * WIDE: many in a row are taken for that by the queue.
 */

static const failure_row_t  failure_rows[] = {

    /* the storage is in trouble */
    { "SlowDown",             FAILURE_SOON, FAILURE_SOON, FAILURE_TROUBLE },
    { "SlowDownRead",         FAILURE_SOON, FAILURE_SOON, FAILURE_TROUBLE },
    { "SlowDownWrite",        FAILURE_SOON, FAILURE_SOON, FAILURE_TROUBLE },
    { "TooManyRequests",      FAILURE_SOON, FAILURE_SOON, FAILURE_TROUBLE },
    { "ServiceUnavailable",   FAILURE_SOON, FAILURE_SOON, FAILURE_TROUBLE },
    { "InternalError",        FAILURE_SOON, FAILURE_SOON, FAILURE_TROUBLE },
    { "RequestTimeout",       FAILURE_SOON, FAILURE_SOON, FAILURE_TROUBLE },
    { "Busy",                 FAILURE_SOON, FAILURE_SOON, FAILURE_TROUBLE },

    /* the clock has been corrected */
    { "RequestTimeTooSkewed",           FAILURE_AGAIN, FAILURE_AGAIN, 0 },

    /* ours: the region of the bucket has been learned */
    { "OtherRegion",                    FAILURE_AGAIN, FAILURE_AGAIN, 0 },

    /* something moved under our feet */
    { "PreconditionFailed",             FAILURE_AGAIN, FAILURE_SOON, 0 },
    { "OperationAborted",               FAILURE_SOON, FAILURE_SOON, 0 },
    { "ConditionalRequestConflict",     FAILURE_SOON, FAILURE_SOON, 0 },
    { "BadDigest",                      FAILURE_SOON, FAILURE_SOON, 0 },
    { "XAmzContentSHA256Mismatch",      FAILURE_SOON, FAILURE_SOON, 0 },
    { "IncompleteBody",                 FAILURE_SOON, FAILURE_SOON, 0 },
    { "BucketNotEmpty",                 FAILURE_SOON, FAILURE_SOON, 0 },
    { "NoSuchUpload",                   FAILURE_SOON, FAILURE_SOON, 0 },
    { "InvalidPart",                    FAILURE_SOON, FAILURE_SOON, 0 },
    { "InvalidPartOrder",               FAILURE_SOON, FAILURE_SOON, 0 },

    /* takes hours, or another release of the storage */
    { "InvalidObjectState",             FAILURE_SLOW, FAILURE_SLOW, 0 },
    { "MethodNotAllowed",               FAILURE_SLOW, FAILURE_SLOW, 0 },
    { "NotImplemented",                 FAILURE_SLOW, FAILURE_SLOW, 0 },

    /* a person can mend it, for this key and perhaps for many */
    { "AccessDenied",                   FAILURE_BLOCKED, FAILURE_BLOCKED, 0 },
    { "SignatureDoesNotMatch",          FAILURE_BLOCKED, FAILURE_BLOCKED, 0 },
    { "QuotaExceeded",                  FAILURE_BLOCKED, FAILURE_BLOCKED, 0 },
    { "XMinioAdminBucketQuotaExceeded", FAILURE_BLOCKED, FAILURE_BLOCKED, 0 },
    { "XMinioStorageFull",              FAILURE_BLOCKED, FAILURE_BLOCKED, 0 },
    { "KMS.DisabledException",          FAILURE_BLOCKED, FAILURE_BLOCKED, 0 },
    { "KMS.NotFoundException",          FAILURE_BLOCKED, FAILURE_BLOCKED, 0 },

    /* for the bucket, the user or the storage */
    { "InvalidAccessKeyId",
      FAILURE_BLOCKED, FAILURE_BLOCKED, FAILURE_WIDE },
    { "InvalidToken",
      FAILURE_BLOCKED, FAILURE_BLOCKED, FAILURE_WIDE },
    { "ExpiredToken",
      FAILURE_BLOCKED, FAILURE_BLOCKED, FAILURE_WIDE },
    { "AuthorizationHeaderMalformed",
      FAILURE_BLOCKED, FAILURE_BLOCKED, FAILURE_WIDE },
    { "InvalidSecurity",
      FAILURE_BLOCKED, FAILURE_BLOCKED, FAILURE_WIDE },
    { "AllAccessDisabled",
      FAILURE_BLOCKED, FAILURE_BLOCKED, FAILURE_WIDE },
    { "AccountProblem",
      FAILURE_BLOCKED, FAILURE_BLOCKED, FAILURE_WIDE },
    { "NotSignedUp",
      FAILURE_BLOCKED, FAILURE_BLOCKED, FAILURE_WIDE },
    { "UserSuspended",
      FAILURE_BLOCKED, FAILURE_BLOCKED, FAILURE_WIDE },
    { "TooManyBuckets",
      FAILURE_BLOCKED, FAILURE_BLOCKED, FAILURE_WIDE },
    { "BucketAlreadyExists",
      FAILURE_BLOCKED, FAILURE_BLOCKED, FAILURE_WIDE },
    { "InvalidBucketName",
      FAILURE_BLOCKED, FAILURE_BLOCKED, FAILURE_WIDE },
    { "InvalidLocationConstraint",
      FAILURE_BLOCKED, FAILURE_BLOCKED, FAILURE_WIDE },
    { "IllegalLocationConstraintException",
      FAILURE_BLOCKED, FAILURE_BLOCKED, FAILURE_WIDE },
    { "PermanentRedirect",
      FAILURE_BLOCKED, FAILURE_BLOCKED, FAILURE_WIDE },
    { "TemporaryRedirect",
      FAILURE_BLOCKED, FAILURE_BLOCKED, FAILURE_WIDE },

    /* the follower cannot hold such a key */
    { "KeyTooLong",                     FAILURE_SLOW, FAILURE_PARK, 0 },
    { "KeyTooLongError",                FAILURE_SLOW, FAILURE_PARK, 0 },
    { "InvalidArgument",                FAILURE_SLOW, FAILURE_PARK, 0 },
    { "InvalidURI",                     FAILURE_SLOW, FAILURE_PARK, 0 },
    { "InvalidObjectName",              FAILURE_SLOW, FAILURE_PARK, 0 },
    { "XMinioInvalidObjectName",        FAILURE_SLOW, FAILURE_PARK, 0 },
    { "XMinioInvalidResourceName",      FAILURE_SLOW, FAILURE_PARK, 0 },
    { "EntityTooLarge",                 FAILURE_SLOW, FAILURE_PARK, 0 },
    { "EntityTooSmall",                 FAILURE_SLOW, FAILURE_PARK, 0 },
    { "MetadataTooLarge",               FAILURE_SLOW, FAILURE_PARK, 0 },
    { "RequestHeaderSectionTooLarge",   FAILURE_SLOW, FAILURE_PARK, 0 },
    { "InvalidTag",                     FAILURE_SLOW, FAILURE_PARK, 0 },
};


/* Answers without a code of S3's, or with one that is not above; others are
 * retried soon, and those of 5xx are trouble. */

static const failure_status_row_t  failure_status_rows[] = {
    { 301, FAILURE_BLOCKED, FAILURE_BLOCKED, 0 },
    { 302, FAILURE_BLOCKED, FAILURE_BLOCKED, 0 },
    { 303, FAILURE_BLOCKED, FAILURE_BLOCKED, 0 },
    { 307, FAILURE_BLOCKED, FAILURE_BLOCKED, 0 },
    { 308, FAILURE_BLOCKED, FAILURE_BLOCKED, 0 },
    { 401, FAILURE_BLOCKED, FAILURE_BLOCKED, 0 },
    { 403, FAILURE_BLOCKED, FAILURE_BLOCKED, 0 },
    { 405, FAILURE_SLOW, FAILURE_SLOW, 0 },
    { 408, FAILURE_SOON, FAILURE_SOON, FAILURE_TROUBLE },
    { 412, FAILURE_AGAIN, FAILURE_SOON, 0 },
    { 413, FAILURE_SLOW, FAILURE_PARK, 0 },
    { 414, FAILURE_SLOW, FAILURE_PARK, 0 },
    { 429, FAILURE_SOON, FAILURE_SOON, FAILURE_TROUBLE },
    { 431, FAILURE_SLOW, FAILURE_PARK, 0 },
    { 501, FAILURE_SLOW, FAILURE_SLOW, 0 },
    { 507, FAILURE_BLOCKED, FAILURE_BLOCKED, 0 },
};


static const failure_curl_row_t  failure_curl_rows[] = {
    { CURLE_COULDNT_RESOLVE_HOST,     "ResolveFailed",   FAILURE_SOON },
    { CURLE_COULDNT_CONNECT,          "ConnectFailed",   FAILURE_SOON },
    { CURLE_OPERATION_TIMEDOUT,       "Timeout",         FAILURE_SOON },
    { CURLE_PARTIAL_FILE,             "TruncatedBody",   FAILURE_SOON },
    { CURLE_GOT_NOTHING,              "NoAnswer",        FAILURE_SOON },
    { CURLE_SEND_ERROR,               "ConnectionLost",  FAILURE_SOON },
    { CURLE_RECV_ERROR,               "ConnectionLost",  FAILURE_SOON },
    { CURLE_SEND_FAIL_REWIND,         "ConnectionLost",  FAILURE_SOON },
    { CURLE_SSL_CONNECT_ERROR,        "TlsFailed",       FAILURE_SOON },
    { CURLE_PEER_FAILED_VERIFICATION, "TlsNotTrusted",   FAILURE_BLOCKED },
    { CURLE_SSL_CACERT_BADFILE,       "TlsNotTrusted",   FAILURE_BLOCKED },
};


void
failure_set(failure_t *failure, failure_kind_t kind, failure_side_t side,
    const char *code, const char *format, ...)
{
    va_list  args;

    memset(failure, 0, sizeof(failure_t));

    failure->kind = kind;
    failure->side = side;
    (void) snprintf(failure->code, sizeof(failure->code), "%s", code);

    va_start(args, format);
    (void) vsnprintf(failure->reason, sizeof(failure->reason), format, args);
    va_end(args);
}


static const char *
failure_side_name(failure_side_t side)
{
    return side == FAILURE_SIDE_MAIN ? "main"
           : side == FAILURE_SIDE_FOLLOWER ? "follower" : "worker";
}


static void
failure_from_curl(failure_t *failure, failure_side_t side, const char *what,
    const s3_response_t *response)
{
    size_t       i;
    const char  *text;

    text = response->curl_error[0] != '\0'
           ? response->curl_error : curl_easy_strerror(response->result);

    failure_set(failure, FAILURE_SOON, side, "TransferFailed",
                "%s on %s: %s", what, failure_side_name(side), text);
    failure->is_transport = true;

    for (i = 0; i < sizeof(failure_curl_rows) / sizeof(failure_curl_rows[0]);
         i++)
    {
        if (failure_curl_rows[i].result == response->result) {
            failure->kind = failure_curl_rows[i].kind;
            failure->is_wide = failure->kind == FAILURE_BLOCKED;
            (void) snprintf(failure->code, sizeof(failure->code), "%s",
                            failure_curl_rows[i].code);
        }
    }
}


static void
failure_classify(failure_t *failure, failure_kind_t on_main,
    failure_kind_t on_follower, unsigned flags)
{
    failure->kind = failure->side == FAILURE_SIDE_MAIN ? on_main
                                                       : on_follower;
    failure->is_transport = (flags & FAILURE_TROUBLE) != 0;
    failure->is_wide = (flags & FAILURE_WIDE) != 0;
}


static void
failure_from_status(failure_t *failure, unsigned status)
{
    size_t                       i;
    const failure_status_row_t  *row;

    failure->is_transport = status >= 500;

    for (i = 0; i < sizeof(failure_status_rows)
                    / sizeof(failure_status_rows[0]); i++)
    {
        row = &failure_status_rows[i];

        if (row->status == status) {
            failure_classify(failure, row->on_main, row->on_follower,
                             row->flags);
        }
    }
}


static void
failure_from_code(failure_t *failure, chorus_str_t code)
{
    size_t                i;
    const failure_row_t  *row;

    for (i = 0; i < sizeof(failure_rows) / sizeof(failure_rows[0]); i++) {
        row = &failure_rows[i];

        if (chorus_str_eq(code, chorus_str_from(row->code))) {
            failure_classify(failure, row->on_main, row->on_follower,
                             row->flags);
            return;
        }
    }
}


/* Seconds or a date, which is one by the storage's own clock. */

static unsigned
failure_retry_after(const s3_response_t *response)
{
    int64_t       then, now;
    uint64_t      seconds;
    chorus_str_t  value;

    value = s3_response_header(response, "Retry-After");

    if (!chorus_str_to_u64(value, &seconds)) {

        if (!chorus_time_parse_http(value, &then)) {
            return 0;
        }

        if (!chorus_time_parse_http(s3_response_header(response, "Date"),
                                    &now))
        {
            now = clock_wall();
        }

        seconds = then > now ? (uint64_t) (then - now) : 0;
    }

    return seconds > FAILURE_RETRY_AFTER_MAX ? FAILURE_RETRY_AFTER_MAX
                                             : (unsigned) seconds;
}


static void
failure_from_answer(failure_t *failure, failure_side_t side,
    const char *what, const s3_response_t *response)
{
    char          code[TASK_CODE_SIZE], text[160];
    chorus_str_t  message;

    if (response->code.data != NULL) {
        message = chorus_xml_text(response->mem,
                                  chorus_buf_str(&response->body), "Message");
        (void) log_escape(code, sizeof(code), response->code);
        (void) log_escape(text, sizeof(text), message);

    } else {
        (void) snprintf(code, sizeof(code), "HTTP%u", response->status);
        text[0] = '\0';
    }

    failure_set(failure, FAILURE_SOON, side, code, "%s on %s: HTTP %u %s%s%s",
                what, failure_side_name(side), response->status, code,
                text[0] != '\0' ? ": " : "", text);

    failure->retry_after = failure_retry_after(response);
    failure_from_status(failure, response->status);
    failure_from_code(failure, response->code);
}


void
failure_from_response(failure_t *failure, failure_side_t side,
    const char *what, const s3_response_t *response)
{
    if (response->is_stopped) {
        failure_set(failure, FAILURE_STOPPED, side, "Stopped",
                    "%s on %s: stopped", what, failure_side_name(side));

    } else if (response->is_overlong) {
        failure_set(failure, FAILURE_SLOW, side, "OverlongAnswer",
                    "%s on %s: HTTP %u with more headers or a longer body "
                    "than an S3 storage sends", what,
                    failure_side_name(side), response->status);

    } else if (response->result != CURLE_OK) {
        failure_from_curl(failure, side, what, response);

    } else {
        failure_from_answer(failure, side, what, response);
    }
}


bool
failure_is_lasting(const failure_t *failure)
{
    return failure->kind == FAILURE_SLOW || failure->kind == FAILURE_BLOCKED;
}


int64_t
failure_delay_ms(const failure_t *failure, uint64_t attempts,
    unsigned cap_seconds)
{
    int64_t   cap, bound, delay, asked;
    unsigned  doublings;

    cap = (int64_t) cap_seconds * 1000;

    doublings = attempts > 20 ? 20 : (unsigned) attempts;

    if (failure->kind == FAILURE_SLOW) {
        /* soon at first, so that a mended credential is noticed */
        bound = (int64_t) FAILURE_SLOW_BASE_MS << doublings;
        bound = bound < cap ? bound : cap;

        return bound / 2 + (int64_t) clock_dice((uint64_t) bound / 2 + 1);
    }

    /* it is not the key's fault: be there soon when the storage is back */
    bound = failure->is_transport && cap > FAILURE_TRANSPORT_CAP_MS
            ? FAILURE_TRANSPORT_CAP_MS : cap;

    if (((int64_t) FAILURE_BASE_MS << doublings) < bound) {
        bound = (int64_t) FAILURE_BASE_MS << doublings;
    }

    delay = (int64_t) clock_dice((uint64_t) bound) + 1;
    delay = delay < cap ? delay : cap;
    asked = (int64_t) failure->retry_after * 1000;

    return asked > delay ? asked + (int64_t) clock_dice(1000) : delay;
}
