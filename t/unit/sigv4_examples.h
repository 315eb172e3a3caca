/*
 * The requests whose signatures AWS published for 2013-05-24 in us-east-1.
 * [Amazon S3 API Reference, "Signature Calculations for the Authorization
 * Header", and "... in Multiple Chunks" for the last two]
 */

#ifndef SIGV4_EXAMPLES_H
#define SIGV4_EXAMPLES_H

#include <stdio.h>

#include "chorus_sigv4.h"
#include "test.h"

#define EXAMPLE_ACCESS_KEY  "AKIAIOSFODNN7EXAMPLE"
#define EXAMPLE_SECRET      "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define EXAMPLE_NOW         1369353600      /* 20130524T000000Z */
#define EXAMPLE_SCOPE       "20130524/us-east-1/s3/aws4_request"

#define HEADER(name, value)                                                   \
    { { (name), sizeof(name) - 1 }, { (value), sizeof(value) - 1 } }

#define EXAMPLE_HOST  HEADER("Host", "examplebucket.s3.amazonaws.com")
#define EXAMPLE_DATE  HEADER("x-amz-date", "20130524T000000Z")

#define STREAMING_SIGNED   "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
#define STREAMING_TRAILER  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"


typedef struct {
    const char       *name;
    const char       *method;
    const char       *target;
    chorus_header_t   headers[8];
    const char       *payload;
    const char       *signed_headers;
    const char       *signature;
    bool              only_amz_headers;     /* and host */
    bool              is_streaming;
} sigv4_example_t;


static const sigv4_example_t  sigv4_examples[] = {

    { "GET Object", "GET", "/test.txt",
      { EXAMPLE_HOST, HEADER("Range", "bytes=0-9"),
        HEADER("x-amz-content-sha256", CHORUS_EMPTY_SHA256), EXAMPLE_DATE },
      CHORUS_EMPTY_SHA256,
      "host;range;x-amz-content-sha256;x-amz-date",
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
      false, false },

    { "PUT Object", "PUT", "/test$file.text",
      { EXAMPLE_HOST, HEADER("Date", "Fri, 24 May 2013 00:00:00 GMT"),
        EXAMPLE_DATE, HEADER("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        HEADER("x-amz-content-sha256",
               "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b"
               "072") },
      "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
      "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
      false, false },

    { "GET Bucket Lifecycle", "GET", "/?lifecycle",
      { EXAMPLE_HOST, EXAMPLE_DATE,
        HEADER("x-amz-content-sha256", CHORUS_EMPTY_SHA256) },
      CHORUS_EMPTY_SHA256,
      "host;x-amz-content-sha256;x-amz-date",
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
      true, false },

    { "List Objects", "GET", "/?max-keys=2&prefix=J",
      { EXAMPLE_HOST, EXAMPLE_DATE,
        HEADER("x-amz-content-sha256", CHORUS_EMPTY_SHA256) },
      CHORUS_EMPTY_SHA256,
      "host;x-amz-content-sha256;x-amz-date",
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
      true, false },

    { "PUT Object in signed chunks", "PUT", "/examplebucket/chunkObject.txt",
      { HEADER("Host", "s3.amazonaws.com"), EXAMPLE_DATE,
        HEADER("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        HEADER("x-amz-content-sha256", STREAMING_SIGNED),
        HEADER("Content-Encoding", "aws-chunked"),
        HEADER("x-amz-decoded-content-length", "66560"),
        HEADER("Content-Length", "66824") },
      STREAMING_SIGNED,
      "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
      "x-amz-decoded-content-length;x-amz-storage-class",
      "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
      false, true },

    { "PUT Object with a signed trailer", "PUT",
      "/examplebucket/chunkObject.txt",
      { HEADER("Host", "s3.amazonaws.com"), EXAMPLE_DATE,
        HEADER("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        HEADER("x-amz-content-sha256", STREAMING_TRAILER),
        HEADER("Content-Encoding", "aws-chunked"),
        HEADER("x-amz-decoded-content-length", "66560"),
        HEADER("x-amz-trailer", "x-amz-checksum-crc32c") },
      STREAMING_TRAILER,
      "content-encoding;host;x-amz-content-sha256;x-amz-date;"
      "x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
      "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
      false, true },
};


static inline void
example_request(const sigv4_example_t *example, chorus_uri_t *uri,
    chorus_sigv4_request_t *request, chorus_mem_t *pool)
{
    size_t  n;

    for (n = 0; n < NROWS(example->headers); n++) {
        if (example->headers[n].name.data == NULL) {
            break;
        }
    }

    assert_int_equal(chorus_uri_parse(pool, chorus_str_from(example->target),
                                      uri, NULL),
                     CHORUS_OK);

    request->method = chorus_str_from(example->method);
    request->uri = uri;
    request->headers = example->headers;
    request->nheaders = n;
    request->payload = chorus_str_from(example->payload);
}


#endif
