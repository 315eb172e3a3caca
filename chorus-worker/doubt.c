#include <string.h>

#include "doubt.h"


static bool
doubt_begins(const char *text, const char *prefix)
{
    return text != NULL && strncmp(text, prefix, strlen(prefix)) == 0;
}


/* Until it is completed an upload is not to be seen, and it gets the parts of
 * one object only.  Late ones find it gone. */

static bool
doubt_is_of_upload(const s3_request_t *request)
{
    return doubt_begins(request->query, "partNumber=")
           || (strcmp(request->method, "DELETE") == 0
               && doubt_begins(request->query, "uploadId="))
           || (request->query != NULL
               && strcmp(request->query, "uploads") == 0);
}


void
doubt_begin(doubt_t *doubt, const s3_request_t *request)
{
    memset(doubt, 0, sizeof(doubt_t));

    if (request->storage->is_main || strcmp(request->method, "GET") == 0
        || strcmp(request->method, "HEAD") == 0
        || doubt_is_of_upload(request))
    {
        return;
    }

    doubt->what = request->key.len == 0 ? DOUBT_BUCKET : DOUBT_KEY;
}


void
doubt_attempt(doubt_t *doubt)
{
    doubt->was_sent = doubt->was_sent || doubt->is_sent;
    doubt->is_sent = false;
}


void
doubt_sent(doubt_t *doubt)
{
    doubt->is_sent = true;
}


/* A gateway that answers 5xx speaks for itself: what is behind it goes on. */

static bool
doubt_is_answered(const s3_response_t *response)
{
    return s3_response_is_success(response)
           || (response->result == CURLE_OK
               && (response->status / 100 == 3
                   || response->status / 100 == 4));
}


unsigned
doubt_left(const doubt_t *doubt, const s3_response_t *response)
{
    if (doubt->was_sent
        || (doubt->is_sent && !doubt_is_answered(response)))
    {
        return doubt->what;
    }

    return 0;
}
