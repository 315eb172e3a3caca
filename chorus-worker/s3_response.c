#include <string.h>

#include "chorus_s3_xml.h"
#include "s3_response.h"


void
s3_response_init(s3_response_t *response, chorus_mem_t *mem)
{
    memset(response, 0, sizeof(s3_response_t));
    response->mem = mem;
    response->body = chorus_buf(mem, 256);
}


/* "HTTP/1.1 200 OK": also begins a new head after a 100 (Continue) */

static bool
s3_response_status_line(s3_response_t *response, chorus_str_t line)
{
    uint64_t      status;
    chorus_str_t  rest;

    rest = line;
    (void) chorus_str_cut(&rest, ' ');

    if (!chorus_str_to_u64(chorus_str_cut(&rest, ' '), &status)
        || status < 100 || status > 999)
    {
        return false;
    }

    response->status = (unsigned) status;
    response->nheaders = 0;
    response->has_headers = false;

    return true;
}


static bool
s3_response_add_header(s3_response_t *response, chorus_str_t line)
{
    chorus_str_t      copy;
    chorus_header_t  *h;

    if (response->headers == NULL) {
        response->headers = chorus_alloc(response->mem, S3_HEADERS_MAX
                                         * sizeof(chorus_header_t));
    }

    response->header_bytes += line.len;

    if (response->headers == NULL || response->nheaders == S3_HEADERS_MAX
        || response->header_bytes > S3_HEADER_BYTES_MAX)
    {
        return false;
    }

    copy = chorus_str_dup(response->mem, line);
    if (copy.data == NULL) {
        return false;
    }

    h = &response->headers[response->nheaders++];
    h->name = chorus_str_cut(&copy, ':');
    h->value = chorus_str_trim(copy);

    return true;
}


bool
s3_response_line(s3_response_t *response, chorus_str_t line)
{
    if (chorus_str_starts(line, chorus_str("HTTP/"))) {
        return s3_response_status_line(response, line);
    }

    if (line.len == 0) {
        response->has_headers = response->status >= 200;
        return true;
    }

    /* trailers of a chunked body come after the head */
    if (response->has_headers) {
        return true;
    }

    if (!s3_response_add_header(response, line)) {
        response->is_overlong = true;
        return false;
    }

    return true;
}


void
s3_response_body(s3_response_t *response, chorus_str_t bytes)
{
    if (response->body.len + bytes.len > S3_BODY_MAX) {
        response->is_overlong = true;
        return;
    }

    chorus_buf_add(&response->body, bytes);
}


/* Most bodies are no errors, and need no parser to say so.  In UTF-16 the word
 * does not stand in a row, but each ASCII character has a zero. */

static bool
s3_response_may_be_error(chorus_str_t body)
{
    return body.len != 0
           && (memmem(body.data, body.len, "Error", strlen("Error")) != NULL
               || memchr(body.data, '\0', body.len) != NULL);
}


void
s3_response_end(s3_response_t *response)
{
    chorus_str_t  body;

    response->is_done = true;

    if (response->is_overlong || response->body.failed) {
        return;
    }

    body = chorus_buf_str(&response->body);

    if (s3_response_may_be_error(body)
        && chorus_str_eq(chorus_xml_root(response->mem, body),
                         chorus_str("Error")))
    {
        response->code = chorus_xml_text(response->mem, body, "Code");
    }
}


chorus_str_t
s3_response_header(const s3_response_t *response, const char *name)
{
    const chorus_header_t  *h;

    h = chorus_header(response->headers, response->nheaders,
                      chorus_str_from(name));

    return h == NULL ? chorus_null_str : chorus_str_trim(h->value);
}


static bool
s3_response_is_whole(const s3_response_t *response)
{
    return response->is_done && !response->is_stopped
           && !response->is_overlong && !response->body.failed
           && response->result == CURLE_OK;
}


bool
s3_response_is(const s3_response_t *response, unsigned status)
{
    return s3_response_is_whole(response) && response->status == status;
}


bool
s3_response_is_success(const s3_response_t *response)
{
    return s3_response_is_whole(response) && response->status / 100 == 2
           && response->code.data == NULL;
}


bool
s3_response_has_code(const s3_response_t *response, const char *code)
{
    return s3_response_is_whole(response)
           && response->code.data != NULL
           && chorus_str_eq(response->code, chorus_str_from(code));
}


bool
s3_response_is_gone(const s3_response_t *response)
{
    return s3_response_is(response, 404)
           && (s3_response_has_code(response, "NoSuchKey")
               || s3_response_has_code(response, "NoSuchBucket"));
}


chorus_str_t
s3_response_etag(const s3_response_t *response)
{
    chorus_str_t  etag;

    etag = s3_response_header(response, "ETag");

    if (chorus_str_starts(etag, chorus_str("W/"))) {
        etag = chorus_str_sub(etag, 2);
    }

    if (etag.len >= 2 && etag.data[0] == '"'
        && etag.data[etag.len - 1] == '"')
    {
        etag.data++;
        etag.len -= 2;
    }

    return etag.len == 0 ? chorus_null_str : etag;
}


bool
s3_response_length(const s3_response_t *response, uint64_t *length)
{
    return chorus_str_to_u64(s3_response_header(response, "Content-Length"),
                             length);
}
