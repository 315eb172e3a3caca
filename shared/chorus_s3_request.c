/*
 * The table of S3 operations.  [Amazon S3 API Reference, "Actions"]
 *
 * A row that touches nothing, or only a facet of a key, is chosen only when
 * no storage could read the request in another way: when storages differ in
 * what they make of odd arguments, too much is touched, never too little.
 */

#include <string.h>

#include "chorus_s3_request.h"

#define COPY      "x-amz-copy-source"
#define NOTHING   CHORUS_TOUCH_NOTHING, 0
#define OBJECT    CHORUS_TOUCH_OBJECT, CHORUS_FACET_ALL
#define TAGS      CHORUS_TOUCH_OBJECT, CHORUS_FACET_TAGS
#define ACL       CHORUS_TOUCH_OBJECT, CHORUS_FACET_ACL
#define KEYS      CHORUS_TOUCH_KEYS_IN_BODY, CHORUS_FACET_ALL
#define BUCKET    CHORUS_TOUCH_BUCKET, 0
#define FORM      CHORUS_TOUCH_UNKNOWABLE, 0

/* the settings of a bucket, each read, written and deleted */
#define SETTING(arg, noun)                                                    \
    { "GET",    arg, NULL, NULL, false, "GetBucket" noun,    NOTHING },       \
    { "PUT",    arg, NULL, NULL, false, "PutBucket" noun,    BUCKET },        \
    { "DELETE", arg, NULL, NULL, false, "DeleteBucket" noun, BUCKET }


typedef struct {
    const chorus_s3_operation_t  *rows;
    size_t                        nrows;
    chorus_str_t                  method;
    bool                          on_key;
    const chorus_uri_t           *uri;
    const chorus_header_t        *headers;
    size_t                        nheaders;
    const char                   *sub_resource;     /* of its row */
} s3_question_t;


/* Rows of one sub-resource stand in the order in which they are tried; the
 * rows without a sub-resource are the last resort of their method. */
static const chorus_s3_operation_t  s3_key_rows[] = {

    { "GET",    "acl", NULL, NULL, true, "GetObjectAcl", NOTHING },
    { "PUT",    "acl", NULL, NULL, true, "PutObjectAcl", ACL },
    { "GET",    "tagging", NULL, NULL, true, "GetObjectTagging", NOTHING },
    { "PUT",    "tagging", NULL, NULL, true, "PutObjectTagging", TAGS },
    { "DELETE", "tagging", NULL, NULL, true, "DeleteObjectTagging", TAGS },

    { "GET",    "retention", NULL, NULL, true, "GetObjectRetention", NOTHING },
    { "PUT",    "retention", NULL, NULL, true, "PutObjectRetention", OBJECT },
    { "GET",    "legal-hold", NULL, NULL, true, "GetObjectLegalHold",
      NOTHING },
    { "PUT",    "legal-hold", NULL, NULL, true, "PutObjectLegalHold", OBJECT },
    { "PUT",    "encryption", NULL, NULL, true, "UpdateObjectEncryption",
      OBJECT },

    { "PUT",    "uploadId=", "partNumber=", COPY, true, "UploadPartCopy",
      NOTHING },
    { "PUT",    "uploadId=", "partNumber=", NULL, true, "UploadPart",
      NOTHING },
    { "GET",    "uploadId=", NULL, NULL, true, "ListParts", NOTHING },
    { "DELETE", "uploadId=", NULL, NULL, true, "AbortMultipartUpload",
      NOTHING },
    { "POST",   "uploadId", NULL, NULL, true, "CompleteMultipartUpload",
      OBJECT },
    { "POST",   "uploads", NULL, NULL, true, "CreateMultipartUpload",
      NOTHING },

    { "POST",   "restore", NULL, NULL, true, "RestoreObject", OBJECT },
    { "POST",   "select", "select-type=", NULL, true, "SelectObjectContent",
      NOTHING },
    { "GET",    "torrent", NULL, NULL, true, "GetObjectTorrent", NOTHING },
    { "GET",    "attributes", NULL, NULL, true, "GetObjectAttributes",
      NOTHING },

    { "GET",    NULL, NULL, NULL, true, "GetObject", NOTHING },
    { "HEAD",   NULL, NULL, NULL, true, "HeadObject", NOTHING },
    { "OPTIONS", NULL, NULL, NULL, true, "OptionsObject", NOTHING },
    { "PUT",    NULL, NULL, COPY, true, "CopyObject", OBJECT },
    { "PUT",    NULL, NULL, NULL, true, "PutObject", OBJECT },
    { "DELETE", NULL, NULL, NULL, true, "DeleteObject", OBJECT },
    { "POST",   NULL, NULL, "content-type", true, "PostObject", FORM }
};


static const chorus_s3_operation_t  s3_bucket_rows[] = {

    SETTING("accelerate", "AccelerateConfiguration"),
    SETTING("acl", "Acl"),
    SETTING("analytics", "AnalyticsConfiguration"),
    SETTING("cors", "Cors"),
    SETTING("encryption", "Encryption"),
    SETTING("intelligent-tiering", "IntelligentTieringConfiguration"),
    SETTING("inventory", "InventoryConfiguration"),
    SETTING("lifecycle", "Lifecycle"),
    SETTING("logging", "Logging"),
    SETTING("metadataConfiguration", "MetadataConfiguration"),
    SETTING("metadataTable", "MetadataTableConfiguration"),
    SETTING("metrics", "MetricsConfiguration"),
    SETTING("notification", "Notification"),
    SETTING("object-lock", "ObjectLockConfiguration"),
    SETTING("ownershipControls", "OwnershipControls"),
    SETTING("policy", "Policy"),
    SETTING("publicAccessBlock", "PublicAccessBlock"),
    SETTING("replication", "Replication"),
    SETTING("requestPayment", "RequestPayment"),
    SETTING("tagging", "Tagging"),
    SETTING("versioning", "Versioning"),
    SETTING("website", "Website"),

    { "POST",   "delete", NULL, NULL, false, "DeleteObjects", KEYS },
    { "GET",    "location", NULL, NULL, false, "GetBucketLocation", NOTHING },
    { "GET",    "policyStatus", NULL, NULL, false, "GetBucketPolicyStatus",
      NOTHING },
    { "GET",    "uploads", NULL, NULL, false, "ListMultipartUploads",
      NOTHING },
    { "GET",    "versions", NULL, NULL, false, "ListObjectVersions", NOTHING },
    { "GET",    "list-type=", NULL, NULL, false, "ListObjectsV2", NOTHING },

    { "GET",    NULL, NULL, NULL, false, "ListObjects", NOTHING },
    { "HEAD",   NULL, NULL, NULL, false, "HeadBucket", NOTHING },
    { "OPTIONS", NULL, NULL, NULL, false, "OptionsBucket", NOTHING },
    { "PUT",    NULL, NULL, NULL, false, "CreateBucket", BUCKET },
    { "DELETE", NULL, NULL, NULL, false, "DeleteBucket", BUCKET },

    /* a browser upload: the key is a field of the form */
    { "POST",   NULL, NULL, "content-type", false, "PostObject", FORM }
};


static const chorus_s3_operation_t  s3_list_buckets = {
    "GET", NULL, NULL, NULL, false, "ListBuckets", NOTHING
};

static const chorus_s3_operation_t  s3_unknown = {
    "", NULL, NULL, NULL, false, "Unknown", NOTHING
};

static const chorus_s3_operation_t  s3_unknown_key_write = {
    "", NULL, NULL, NULL, true, "Unknown", OBJECT
};

static const chorus_s3_operation_t  s3_unknown_bucket_write = {
    "", NULL, NULL, NULL, false, "Unknown", BUCKET
};

static const chorus_s3_operation_t  s3_unknown_post = {
    "POST", NULL, NULL, NULL, false, "Unknown", FORM
};


const chorus_header_t *
chorus_header(const chorus_header_t *headers, size_t nheaders,
    chorus_str_t name)
{
    size_t  i;

    for (i = 0; i < nheaders; i++) {
        if (chorus_str_caseeq(headers[i].name, name)) {
            return &headers[i];
        }
    }

    return NULL;
}


/* The name in a row's column: "uploadId=" selects "uploadId". */
static chorus_str_t
s3_column_name(const char *column)
{
    chorus_str_t  name;

    name = chorus_str_from(column);

    if (name.len != 0 && name.data[name.len - 1] == '=') {
        name.len--;
    }

    return name;
}


/*
 * Whether the argument of a column is there in a way that every storage reads
 * alike: once, and with a value if and only if the column ends in '='.
 */
static bool
s3_arg_is_plain(const chorus_uri_t *uri, const char *column)
{
    bool          is_valued;
    size_t        i, n;
    chorus_str_t  name;

    name = s3_column_name(column);
    is_valued = (column[name.len] == '=');

    for (i = 0, n = 0; i < uri->nargs; i++) {

        if (!chorus_uri_eq(uri->args[i].name, name)) {
            continue;
        }

        if (++n > 1 || (uri->args[i].value.len != 0) != is_valued) {
            return false;
        }
    }

    return n == 1;
}


static const char *
s3_sub_resource_of(const s3_question_t *q, const chorus_query_arg_t *arg)
{
    size_t       i;
    const char  *column, *last;

    last = NULL;

    for (i = 0; i < q->nrows; i++) {

        column = q->rows[i].sub_resource;

        if (column == NULL || (last != NULL && strcmp(column, last) == 0)) {
            continue;
        }

        if (chorus_uri_eq(arg->name, s3_column_name(column))) {
            return column;
        }

        last = column;
    }

    return NULL;
}


/* How many different sub-resources the query names; the first is kept. */
static unsigned
s3_find_sub_resource(s3_question_t *q)
{
    size_t       i;
    unsigned     n;
    const char  *column;

    n = 0;

    for (i = 0; i < q->uri->nargs; i++) {

        column = s3_sub_resource_of(q, &q->uri->args[i]);

        if (column == NULL) {
            continue;
        }

        if (n == 0) {
            q->sub_resource = column;
            n = 1;

        } else if (!chorus_str_eq(s3_column_name(column),
                                  s3_column_name(q->sub_resource)))
        {
            return 2;
        }
    }

    return n;
}


static bool
s3_has_form(const s3_question_t *q)
{
    const chorus_header_t  *type;

    type = chorus_header(q->headers, q->nheaders, chorus_str("content-type"));

    return type != NULL
           && chorus_str_casestarts(chorus_str_trim(type->value),
                                    chorus_str("multipart/form-data"));
}


/* A copy with the row of a PUT without one, or the other way round, is not
 * what the row says. */
static bool
s3_row_has_its_header(const chorus_s3_operation_t *row, const s3_question_t *q)
{
    bool  is_copy;

    if (strcmp(row->method, "POST") == 0) {
        return row->header == NULL || s3_has_form(q);
    }

    if (!q->on_key || strcmp(row->method, "PUT") != 0) {
        return true;
    }

    is_copy = chorus_header(q->headers, q->nheaders, chorus_str(COPY)) != NULL;

    return (row->header != NULL) == is_copy;
}


static bool
s3_row_is_narrow(const chorus_s3_operation_t *row)
{
    return row->touch == CHORUS_TOUCH_NOTHING
           || (row->touch == CHORUS_TOUCH_OBJECT
               && row->facets != CHORUS_FACET_ALL);
}


static bool
s3_row_matches(const chorus_s3_operation_t *row, const s3_question_t *q,
    bool is_read)
{
    if (!chorus_str_eq(q->method, chorus_str_from(row->method))) {
        return false;
    }

    if (is_read) {
        return true;                            /* nothing depends on it */
    }

    if (row->sub_resource != NULL && s3_row_is_narrow(row)
        && !s3_arg_is_plain(q->uri, row->sub_resource))
    {
        return false;
    }

    if (row->with != NULL && !s3_arg_is_plain(q->uri, row->with)) {
        return false;
    }

    return s3_row_has_its_header(row, q);
}


static const chorus_s3_operation_t *
s3_find_row(const s3_question_t *q, const char *sub_resource, bool is_read)
{
    size_t                        i;
    const chorus_s3_operation_t  *row;

    for (i = 0; i < q->nrows; i++) {

        row = &q->rows[i];

        if ((row->sub_resource == NULL) != (sub_resource == NULL)) {
            continue;
        }

        if (sub_resource != NULL
            && !chorus_str_eq(s3_column_name(row->sub_resource),
                              s3_column_name(sub_resource)))
        {
            continue;
        }

        if (s3_row_matches(row, q, is_read)) {
            return row;
        }
    }

    return NULL;
}


static bool
s3_method_is_read(chorus_str_t method)
{
    return chorus_str_eq(method, chorus_str("GET"))
           || chorus_str_eq(method, chorus_str("HEAD"))
           || chorus_str_eq(method, chorus_str("OPTIONS"));
}


/* Ceph, for one, decodes an argument before it looks for '=', and drops a
 * second '?': "?%64elete", "?delete%3D" and "??delete" are "?delete" to it. */
static bool
s3_has_odd_arg(const s3_question_t *q)
{
    size_t        i, k;
    chorus_str_t  name;

    for (i = 0; i < q->uri->nargs; i++) {

        name = q->uri->args[i].name;

        for (k = 0; k < name.len; k++) {
            if (!chorus_is_alnum(name.data[k])
                && strchr("-_.", name.data[k]) == NULL)
            {
                return true;
            }
        }
    }

    return false;
}


static const chorus_s3_operation_t *
s3_unknown_write(const s3_question_t *q)
{
    if (chorus_str_eq(q->method, chorus_str("POST"))) {
        return &s3_unknown_post;
    }

    return q->on_key ? &s3_unknown_key_write : &s3_unknown_bucket_write;
}


/* DeleteObjects goes before everything else that a POST on a bucket names. */
static bool
s3_is_delete_objects(const s3_question_t *q)
{
    return !q->on_key && chorus_str_eq(q->method, chorus_str("POST"))
           && chorus_uri_arg(q->uri, chorus_str("delete")) != NULL;
}


static const chorus_s3_operation_t *
s3_find_operation(s3_question_t *q)
{
    bool                          is_read;
    unsigned                      n;
    const chorus_s3_operation_t  *row;

    is_read = s3_method_is_read(q->method);

    if (!is_read && s3_has_odd_arg(q)) {
        return s3_unknown_write(q);
    }

    if (s3_is_delete_objects(q)) {
        return s3_find_row(q, "delete", false);
    }

    row = NULL;
    n = s3_find_sub_resource(q);

    if (n == 1 || (n > 1 && is_read)) {
        row = s3_find_row(q, q->sub_resource, is_read);
    }

    if (row == NULL && (n <= 1 || is_read)) {
        row = s3_find_row(q, NULL, is_read);
    }

    if (row != NULL) {
        return row;
    }

    return is_read ? &s3_unknown : s3_unknown_write(q);
}


const chorus_s3_operation_t *
chorus_s3_operation(chorus_str_t method, const chorus_uri_t *uri,
    const chorus_header_t *headers, size_t nheaders)
{
    s3_question_t  q;

    if (uri->bucket.len == 0) {
        return chorus_str_eq(method, chorus_str("GET")) ? &s3_list_buckets
                                                        : &s3_unknown;
    }

    q.on_key = (uri->key.len != 0);

    if (q.on_key) {
        q.rows = s3_key_rows;
        q.nrows = sizeof(s3_key_rows) / sizeof(s3_key_rows[0]);

    } else {
        q.rows = s3_bucket_rows;
        q.nrows = sizeof(s3_bucket_rows) / sizeof(s3_bucket_rows[0]);
    }

    q.method = method;
    q.uri = uri;
    q.headers = headers;
    q.nheaders = nheaders;
    q.sub_resource = NULL;

    return s3_find_operation(&q);
}
