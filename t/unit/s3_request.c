/* What a request is, and that no odd request touches less than it does. */

#include "chorus_s3_request.h"
#include "test.h"

#define ALL  CHORUS_FACET_ALL


typedef struct {
    const char      *request;       /* "METHOD target" */
    const char      *header;        /* "Name: value", or NULL */
    const char      *name;
    chorus_touch_t   touch;
    unsigned         facets;
} request_row_t;


static const chorus_s3_operation_t *
operation_of(const request_row_t *row)
{
    chorus_uri_t     uri;
    chorus_str_t     rest, method;
    chorus_header_t  headers[2];

    rest = chorus_str_from(row->request);
    method = chorus_str_cut(&rest, ' ');

    if (chorus_uri_parse(&mem, rest, &uri, NULL) != CHORUS_OK) {
        fail_msg("%s: not a URI", row->request);
    }

    headers[0].name = chorus_str("Host");
    headers[0].value = chorus_str("h");

    if (row->header == NULL) {
        return chorus_s3_operation(method, &uri, headers, 1);
    }

    rest = chorus_str_from(row->header);
    headers[1].name = chorus_str_cut(&rest, ':');
    headers[1].value = rest;

    return chorus_s3_operation(method, &uri, headers, 2);
}


static void
check_rows(const request_row_t *rows, size_t nrows)
{
    size_t                        i;
    const chorus_s3_operation_t  *op;

    for (i = 0; i < nrows; i++) {
        op = operation_of(&rows[i]);

        if (strcmp(op->name, rows[i].name) != 0) {
            fail_msg("%s: got %s, expected %s", rows[i].request, op->name,
                     rows[i].name);
        }

        check_int(rows[i].request, op->touch, rows[i].touch);

        if (rows[i].touch == CHORUS_TOUCH_OBJECT) {
            check_int(rows[i].request, op->facets, rows[i].facets);
        }
    }
}


static void
reads_touch_nothing(void **state)
{
    size_t         i, n;
    request_row_t  row;

    static const char  *const methods[] = { "GET", "HEAD", "OPTIONS" };
    static const char  *const targets[] = {
        "/", "/?x", "/b", "/b?acl", "/b?delete", "/b?x", "/b/k", "/b/k?acl",
        "/b/k?acl&tagging", "/b/k?uploadId=1&partNumber=1", "/b/k?x",
        "/b?list-type=2&prefix=x", "/b/k?versionId=1", "/b?acl&policy"
    };

    (void) state;

    for (i = 0; i < NROWS(methods); i++) {
        for (n = 0; n < NROWS(targets); n++) {
            char  request[128];

            (void) snprintf(request, sizeof(request), "%s %s", methods[i],
                            targets[n]);
            memset(&row, 0, sizeof(row));
            row.request = request;

            check_int(request, operation_of(&row)->touch,
                      CHORUS_TOUCH_NOTHING);
        }
    }
}


static void
names_of_reads(void **state)
{
    static const request_row_t  rows[] = {
        { "GET /", NULL, "ListBuckets", CHORUS_TOUCH_NOTHING, 0 },
        { "HEAD /", NULL, "Unknown", CHORUS_TOUCH_NOTHING, 0 },
        { "GET /b", NULL, "ListObjects", CHORUS_TOUCH_NOTHING, 0 },
        { "GET /b/", NULL, "ListObjects", CHORUS_TOUCH_NOTHING, 0 },
        { "GET /b?list-type=2", NULL, "ListObjectsV2", CHORUS_TOUCH_NOTHING,
          0 },
        { "GET /b?versions&prefix=a", NULL, "ListObjectVersions",
          CHORUS_TOUCH_NOTHING, 0 },
        { "GET /b?uploads", NULL, "ListMultipartUploads",
          CHORUS_TOUCH_NOTHING, 0 },
        { "GET /b?location", NULL, "GetBucketLocation", CHORUS_TOUCH_NOTHING,
          0 },
        { "GET /b?policyStatus", NULL, "GetBucketPolicyStatus",
          CHORUS_TOUCH_NOTHING, 0 },
        { "GET /b?lifecycle", NULL, "GetBucketLifecycle",
          CHORUS_TOUCH_NOTHING, 0 },
        { "HEAD /b", NULL, "HeadBucket", CHORUS_TOUCH_NOTHING, 0 },
        { "GET /b/k", NULL, "GetObject", CHORUS_TOUCH_NOTHING, 0 },
        { "GET /b/k?x-id=GetObject", NULL, "GetObject", CHORUS_TOUCH_NOTHING,
          0 },
        { "HEAD /b/k", NULL, "HeadObject", CHORUS_TOUCH_NOTHING, 0 },
        { "GET /b/k?acl", NULL, "GetObjectAcl", CHORUS_TOUCH_NOTHING, 0 },
        { "GET /b/k?tagging&versionId=1", NULL, "GetObjectTagging",
          CHORUS_TOUCH_NOTHING, 0 },
        { "GET /b/k?uploadId=1", NULL, "ListParts", CHORUS_TOUCH_NOTHING, 0 },
        { "GET /b/k?attributes", NULL, "GetObjectAttributes",
          CHORUS_TOUCH_NOTHING, 0 },
        { "GET /b/k?torrent", NULL, "GetObjectTorrent", CHORUS_TOUCH_NOTHING,
          0 },
        { "GET /b/k?retention", NULL, "GetObjectRetention",
          CHORUS_TOUCH_NOTHING, 0 },
        { "OPTIONS /b/k", NULL, "OptionsObject", CHORUS_TOUCH_NOTHING, 0 },
        { "POST /", NULL, "Unknown", CHORUS_TOUCH_NOTHING, 0 },
        { "POST /?Action=X", NULL, "Unknown", CHORUS_TOUCH_NOTHING, 0 },
    };

    (void) state;

    check_rows(rows, NROWS(rows));
}


static void
writes_of_objects(void **state)
{
    static const request_row_t  rows[] = {
        { "PUT /b/k", NULL, "PutObject", CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?x-id=PutObject", NULL, "PutObject", CHORUS_TOUCH_OBJECT,
          ALL },
        { "PUT /b/k", "x-amz-copy-source: /b/o", "CopyObject",
          CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k", "X-Amz-Copy-Source: /b/o", "CopyObject",
          CHORUS_TOUCH_OBJECT, ALL },
        { "DELETE /b/k", NULL, "DeleteObject", CHORUS_TOUCH_OBJECT, ALL },
        { "DELETE /b/k?versionId=1", NULL, "DeleteObject",
          CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?tagging", NULL, "PutObjectTagging", CHORUS_TOUCH_OBJECT,
          CHORUS_FACET_TAGS },
        { "PUT /b/k?tagging=", NULL, "PutObjectTagging", CHORUS_TOUCH_OBJECT,
          CHORUS_FACET_TAGS },
        { "PUT /b/k?tagging&versionId=1", NULL, "PutObjectTagging",
          CHORUS_TOUCH_OBJECT, CHORUS_FACET_TAGS },
        { "DELETE /b/k?tagging", NULL, "DeleteObjectTagging",
          CHORUS_TOUCH_OBJECT, CHORUS_FACET_TAGS },
        { "PUT /b/k?acl", NULL, "PutObjectAcl", CHORUS_TOUCH_OBJECT,
          CHORUS_FACET_ACL },
        { "PUT /b/k?retention", NULL, "PutObjectRetention",
          CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?legal-hold", NULL, "PutObjectLegalHold",
          CHORUS_TOUCH_OBJECT, ALL },
        { "POST /b/k?restore", NULL, "RestoreObject", CHORUS_TOUCH_OBJECT,
          ALL },
        { "POST /b/k?uploads", NULL, "CreateMultipartUpload",
          CHORUS_TOUCH_NOTHING, 0 },
        { "PUT /b/k?partNumber=1&uploadId=x", NULL, "UploadPart",
          CHORUS_TOUCH_NOTHING, 0 },
        { "PUT /b/k?uploadId=x&partNumber=1", "x-amz-copy-source: b/o",
          "UploadPartCopy", CHORUS_TOUCH_NOTHING, 0 },
        { "DELETE /b/k?uploadId=x", NULL, "AbortMultipartUpload",
          CHORUS_TOUCH_NOTHING, 0 },
        { "POST /b/k?uploadId=x", NULL, "CompleteMultipartUpload",
          CHORUS_TOUCH_OBJECT, ALL },
        { "POST /b/k?select&select-type=2", NULL, "SelectObjectContent",
          CHORUS_TOUCH_NOTHING, 0 },
    };

    (void) state;

    check_rows(rows, NROWS(rows));
}


static void
writes_of_buckets(void **state)
{
    size_t         i, n;
    request_row_t  row;

    static const char  *const settings[] = {
        "accelerate", "acl", "analytics", "cors", "encryption",
        "intelligent-tiering", "inventory", "lifecycle", "logging",
        "metrics", "notification", "object-lock", "ownershipControls",
        "policy", "publicAccessBlock", "replication", "requestPayment",
        "tagging", "versioning", "website"
    };

    static const request_row_t  rows[] = {
        { "PUT /b", NULL, "CreateBucket", CHORUS_TOUCH_BUCKET, 0 },
        { "PUT /b/", NULL, "CreateBucket", CHORUS_TOUCH_BUCKET, 0 },
        { "DELETE /b", NULL, "DeleteBucket", CHORUS_TOUCH_BUCKET, 0 },
        { "PUT /b?acl", NULL, "PutBucketAcl", CHORUS_TOUCH_BUCKET, 0 },
        { "PUT /b?tagging=", NULL, "PutBucketTagging", CHORUS_TOUCH_BUCKET,
          0 },
        { "DELETE /b?lifecycle", NULL, "DeleteBucketLifecycle",
          CHORUS_TOUCH_BUCKET, 0 },
        { "POST /b?delete", NULL, "DeleteObjects", CHORUS_TOUCH_KEYS_IN_BODY,
          0 },
        { "POST /b/?delete=&x-id=DeleteObjects", NULL, "DeleteObjects",
          CHORUS_TOUCH_KEYS_IN_BODY, 0 },
        { "POST /b", "Content-Type: multipart/form-data; boundary=x",
          "PostObject", CHORUS_TOUCH_UNKNOWABLE, 0 },
        { "POST /b/", "content-type:Multipart/Form-Data;boundary=x",
          "PostObject", CHORUS_TOUCH_UNKNOWABLE, 0 },
        { "POST /b", "Content-Type: text/xml", "Unknown",
          CHORUS_TOUCH_UNKNOWABLE, 0 },
        { "POST /b", NULL, "Unknown", CHORUS_TOUCH_UNKNOWABLE, 0 },
    };

    (void) state;

    check_rows(rows, NROWS(rows));

    for (i = 0; i < NROWS(settings); i++) {
        for (n = 0; n < 2; n++) {
            char  request[128];

            (void) snprintf(request, sizeof(request), "%s /b?%s",
                            n == 0 ? "PUT" : "DELETE", settings[i]);
            memset(&row, 0, sizeof(row));
            row.request = request;
            check_int(request, operation_of(&row)->touch,
                      CHORUS_TOUCH_BUCKET);
            assert_null(strstr(operation_of(&row)->name, "Unknown"));
        }
    }
}


/* Where storages may read a request in two ways, more is touched. */
static void
odd_requests_touch_more(void **state)
{
    static const request_row_t  rows[] = {
        { "PUT /b/k?acl&tagging", NULL, "Unknown", CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?tagging&uploadId=x&partNumber=1", NULL, "Unknown",
          CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?uploadId=x", NULL, "PutObject", CHORUS_TOUCH_OBJECT,
          ALL },
        { "PUT /b/k?partNumber=1", NULL, "PutObject", CHORUS_TOUCH_OBJECT,
          ALL },
        { "PUT /b/k?uploadId=&partNumber=1", NULL, "PutObject",
          CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?uploadId=x&partNumber=", NULL, "PutObject",
          CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?uploadId=x&uploadId=&partNumber=1", NULL, "PutObject",
          CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?uploadId=x&partNumber=1&partNumber=2", NULL, "PutObject",
          CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?uploadId=x", "x-amz-copy-source: b/o", "CopyObject",
          CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?UploadId=x&PartNumber=1", NULL, "PutObject",
          CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?ACL", NULL, "PutObject", CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?tagging=x", NULL, "PutObject", CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?acl=1", NULL, "PutObject", CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?acl", "x-amz-copy-source: b/o", "CopyObject",
          CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?uploads", NULL, "PutObject", CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?append&position=0", NULL, "PutObject",
          CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?unheard-of", NULL, "PutObject", CHORUS_TOUCH_OBJECT,
          ALL },
        { "PUT /b/k?x=&acl=&y", NULL, "PutObjectAcl", CHORUS_TOUCH_OBJECT,
          CHORUS_FACET_ACL },
        { "PUT /b/k?acl&acl", NULL, "PutObject", CHORUS_TOUCH_OBJECT, ALL },
        { "DELETE /b/k?uploadId=", NULL, "DeleteObject", CHORUS_TOUCH_OBJECT,
          ALL },
        { "DELETE /b/k?uploadId=x&tagging", NULL, "Unknown",
          CHORUS_TOUCH_OBJECT, ALL },
        { "DELETE /b/k?acl", NULL, "DeleteObject", CHORUS_TOUCH_OBJECT, ALL },
        { "POST /b/k?uploads&uploadId=x", NULL, "Unknown",
          CHORUS_TOUCH_UNKNOWABLE, 0 },
        { "POST /b/k?uploads=x", NULL, "Unknown", CHORUS_TOUCH_UNKNOWABLE,
          0 },
        { "POST /b/k?uploadId=", NULL, "CompleteMultipartUpload",
          CHORUS_TOUCH_OBJECT, ALL },
        { "POST /b/k?select", NULL, "Unknown", CHORUS_TOUCH_UNKNOWABLE, 0 },
        { "POST /b/k", "content-type: multipart/form-data", "PostObject",
          CHORUS_TOUCH_UNKNOWABLE, 0 },
        { "POST /b/k?delete", NULL, "Unknown", CHORUS_TOUCH_UNKNOWABLE, 0 },
        { "POST /b?delete&acl", NULL, "DeleteObjects",
          CHORUS_TOUCH_KEYS_IN_BODY, 0 },
        { "POST /b?acl&delete=x", NULL, "DeleteObjects",
          CHORUS_TOUCH_KEYS_IN_BODY, 0 },
        { "POST /b?%64elete", "content-type: multipart/form-data",
          "Unknown", CHORUS_TOUCH_UNKNOWABLE, 0 },
        { "POST /b??delete", NULL, "Unknown", CHORUS_TOUCH_UNKNOWABLE, 0 },
        { "POST /b?delete%3D", NULL, "Unknown", CHORUS_TOUCH_UNKNOWABLE, 0 },
        { "POST /b/k??uploads", NULL, "Unknown", CHORUS_TOUCH_UNKNOWABLE, 0 },
        { "PUT /b/k?tagging&acl%3D", NULL, "Unknown", CHORUS_TOUCH_OBJECT,
          ALL },
        { "PUT /b/k?%74agging", NULL, "Unknown", CHORUS_TOUCH_OBJECT, ALL },
        { "PUT /b/k?tagging&x-id=PutObjectTagging", NULL, "PutObjectTagging",
          CHORUS_TOUCH_OBJECT, CHORUS_FACET_TAGS },
        { "PUT /b?acl&policy", NULL, "Unknown", CHORUS_TOUCH_BUCKET, 0 },
        { "PUT /b?unheard-of", NULL, "CreateBucket", CHORUS_TOUCH_BUCKET, 0 },
        { "DELETE /b?delete", NULL, "DeleteBucket", CHORUS_TOUCH_BUCKET, 0 },
        { "PATCH /b/k", NULL, "Unknown", CHORUS_TOUCH_OBJECT, ALL },
        { "PATCH /b", NULL, "Unknown", CHORUS_TOUCH_BUCKET, 0 },
        { "get /b/k", NULL, "Unknown", CHORUS_TOUCH_OBJECT, ALL },
        { "MOVE /b/k?acl", NULL, "Unknown", CHORUS_TOUCH_OBJECT, ALL },
    };

    (void) state;

    check_rows(rows, NROWS(rows));
}


static void
find_headers(void **state)
{
    const chorus_header_t  *header;

    static const chorus_header_t  headers[] = {
        { { "Host", 4 }, { "a", 1 } },
        { { "X-A", 3 }, { " 1 ", 3 } },
        { { "x-a", 3 }, { "2", 1 } },
    };

    (void) state;

    header = chorus_header(headers, 3, chorus_str("X-a"));
    assert_ptr_equal(header, &headers[1]);
    assert_null(chorus_header(headers, 3, chorus_str("x-")));
    assert_null(chorus_header(headers, 0, chorus_str("host")));
}


test_main(NULL, NULL,
    test_row(reads_touch_nothing),
    test_row(names_of_reads),
    test_row(writes_of_objects),
    test_row(writes_of_buckets),
    test_row(odd_requests_touch_more),
    test_row(find_headers)
)
