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


typedef struct {
    const char      *code;
    failure_kind_t   on_main;
    failure_kind_t   on_follower;
    bool             is_transport;
} failure_row_t;

typedef struct {
    CURLcode         result;
    const char      *code;
    failure_kind_t   kind;
} failure_curl_row_t;


/*
 * S3 error codes.  Parked is only what the follower will refuse for ever
 * because of the key itself; whatever an operator may mend (credentials,
 * quotas, policies) is retried slowly and never dropped.
 */

static const failure_row_t  failure_rows[] = {

    /* the storage is in trouble */
    { "SlowDown",                       FAILURE_SOON, FAILURE_SOON, true },
    { "ServiceUnavailable",             FAILURE_SOON, FAILURE_SOON, true },
    { "InternalError",                  FAILURE_SOON, FAILURE_SOON, true },
    { "RequestTimeout",                 FAILURE_SOON, FAILURE_SOON, true },
    { "Busy",                           FAILURE_SOON, FAILURE_SOON, true },

    /* the clock has been corrected */
    { "RequestTimeTooSkewed",           FAILURE_AGAIN, FAILURE_AGAIN, false },

    /* ours: the region of the bucket has been learned */
    { "OtherRegion",                    FAILURE_AGAIN, FAILURE_AGAIN, false },

    /* something moved under our feet */
    { "PreconditionFailed",             FAILURE_AGAIN, FAILURE_SOON, false },
    { "OperationAborted",               FAILURE_SOON, FAILURE_SOON, false },
    { "ConditionalRequestConflict",     FAILURE_SOON, FAILURE_SOON, false },
    { "BadDigest",                      FAILURE_SOON, FAILURE_SOON, false },
    { "IncompleteBody",                 FAILURE_SOON, FAILURE_SOON, false },
    { "BucketNotEmpty",                 FAILURE_SOON, FAILURE_SOON, false },
    { "NoSuchUpload",                   FAILURE_SOON, FAILURE_SOON, false },
    { "InvalidPart",                    FAILURE_SOON, FAILURE_SOON, false },
    { "InvalidPartOrder",               FAILURE_SOON, FAILURE_SOON, false },

    /* an operator can mend it */
    { "AccessDenied",                   FAILURE_SLOW, FAILURE_SLOW, false },
    { "AllAccessDisabled",              FAILURE_SLOW, FAILURE_SLOW, false },
    { "AccountProblem",                 FAILURE_SLOW, FAILURE_SLOW, false },
    { "InvalidAccessKeyId",             FAILURE_SLOW, FAILURE_SLOW, false },
    { "SignatureDoesNotMatch",          FAILURE_SLOW, FAILURE_SLOW, false },
    { "AuthorizationHeaderMalformed",   FAILURE_SLOW, FAILURE_SLOW, false },
    { "InvalidToken",                   FAILURE_SLOW, FAILURE_SLOW, false },
    { "ExpiredToken",                   FAILURE_SLOW, FAILURE_SLOW, false },
    { "QuotaExceeded",                  FAILURE_SLOW, FAILURE_SLOW, false },
    { "XMinioStorageFull",              FAILURE_SLOW, FAILURE_SLOW, false },
    { "TooManyBuckets",                 FAILURE_SLOW, FAILURE_SLOW, false },
    { "BucketAlreadyExists",            FAILURE_SLOW, FAILURE_SLOW, false },
    { "PermanentRedirect",              FAILURE_SLOW, FAILURE_SLOW, false },
    { "TemporaryRedirect",              FAILURE_SLOW, FAILURE_SLOW, false },
    { "InvalidObjectState",             FAILURE_SLOW, FAILURE_SLOW, false },
    { "MethodNotAllowed",               FAILURE_SLOW, FAILURE_SLOW, false },
    { "NotImplemented",                 FAILURE_SLOW, FAILURE_SLOW, false },

    /* the follower cannot hold such a key */
    { "KeyTooLong",                     FAILURE_SLOW, FAILURE_PARK, false },
    { "KeyTooLongError",                FAILURE_SLOW, FAILURE_PARK, false },
    { "InvalidArgument",                FAILURE_SLOW, FAILURE_PARK, false },
    { "InvalidURI",                     FAILURE_SLOW, FAILURE_PARK, false },
    { "InvalidObjectName",              FAILURE_SLOW, FAILURE_PARK, false },
    { "XMinioInvalidObjectName",        FAILURE_SLOW, FAILURE_PARK, false },
    { "XMinioInvalidResourceName",      FAILURE_SLOW, FAILURE_PARK, false },
    { "InvalidBucketName",              FAILURE_SLOW, FAILURE_PARK, false },
    { "EntityTooLarge",                 FAILURE_SLOW, FAILURE_PARK, false },
    { "MetadataTooLarge",               FAILURE_SLOW, FAILURE_PARK, false },
    { "InvalidTag",                     FAILURE_SLOW, FAILURE_PARK, false },
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
    { CURLE_PEER_FAILED_VERIFICATION, "TlsNotTrusted",   FAILURE_SLOW },
    { CURLE_SSL_CACERT_BADFILE,       "TlsNotTrusted",   FAILURE_SLOW },
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

    for (i = 0; i < sizeof(failure_curl_rows) / sizeof(failure_curl_row_t);
         i++)
    {
        if (failure_curl_rows[i].result == response->result) {
            failure->kind = failure_curl_rows[i].kind;
            (void) snprintf(failure->code, sizeof(failure->code), "%s",
                            failure_curl_rows[i].code);
        }
    }
}


/* an answer without an S3 error code, or with one we do not know */

static void
failure_from_status(failure_t *failure, unsigned status)
{
    if (status >= 500 || status == 429 || status == 408) {
        failure->kind = FAILURE_SOON;
        failure->is_transport = status != 501;

    } else if (status == 412 && failure->side == FAILURE_SIDE_MAIN) {
        failure->kind = FAILURE_AGAIN;

    } else if (status / 100 == 3 || status == 401 || status == 403
               || status == 405)
    {
        failure->kind = FAILURE_SLOW;
    }
}


static void
failure_from_code(failure_t *failure, chorus_str_t code)
{
    size_t                i;
    const failure_row_t  *row;

    for (i = 0; i < sizeof(failure_rows) / sizeof(failure_row_t); i++) {
        row = &failure_rows[i];

        if (chorus_str_eq(code, chorus_str_from(row->code))) {
            failure->kind = failure->side == FAILURE_SIDE_MAIN
                            ? row->on_main : row->on_follower;
            failure->is_transport = row->is_transport;
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
