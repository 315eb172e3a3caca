/* The refusals of Chorus, one row each, and their XML. */

#include "chorus_s3_error.h"
#include "chorus_s3_xml.h"


static const chorus_s3_error_row_t  s3_errors[CHORUS_S3_NERRORS] = {

    { CHORUS_S3_OK, 200, "OK", "" },

    { CHORUS_S3_ACCESS_DENIED, 403, "AccessDenied", "Access Denied" },

    { CHORUS_S3_HEADERS_NOT_SIGNED, 403, "AccessDenied",
      "There were headers present in the request which were not signed" },

    { CHORUS_S3_REQUEST_EXPIRED, 403, "AccessDenied",
      "Request has expired" },

    { CHORUS_S3_INVALID_ACCESS_KEY_ID, 403, "InvalidAccessKeyId",
      "The AWS Access Key Id you provided does not exist in our records." },

    { CHORUS_S3_SIGNATURE_DOES_NOT_MATCH, 403, "SignatureDoesNotMatch",
      "The request signature we calculated does not match the signature you "
      "provided. Check your key and signing method." },

    { CHORUS_S3_REQUEST_TIME_TOO_SKEWED, 403, "RequestTimeTooSkewed",
      "The difference between the request time and the current time is too "
      "large." },

    { CHORUS_S3_AUTHORIZATION_HEADER_MALFORMED, 400,
      "AuthorizationHeaderMalformed",
      "The authorization header is malformed." },

    { CHORUS_S3_WRONG_REGION, 400, "AuthorizationHeaderMalformed",
      "The authorization header is malformed; the region is wrong." },

    { CHORUS_S3_AUTHORIZATION_QUERY_PARAMETERS, 400,
      "AuthorizationQueryParametersError",
      "Query-string authentication version 4 requires the X-Amz-Algorithm, "
      "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, "
      "and X-Amz-Expires parameters." },

    { CHORUS_S3_MISSING_SECURITY_HEADER, 400, "MissingSecurityHeader",
      "Your request is missing a required header." },

    { CHORUS_S3_INVALID_ARGUMENT, 400, "InvalidArgument",
      "Invalid Argument" },

    { CHORUS_S3_INVALID_REQUEST, 400, "InvalidRequest",
      "Invalid Request" },

    { CHORUS_S3_INVALID_URI, 400, "InvalidURI",
      "Couldn't parse the specified URI." },

    { CHORUS_S3_BAD_REQUEST, 400, "BadRequest",
      "An error occurred when parsing the HTTP request." },

    { CHORUS_S3_HEADERS_TOO_LARGE, 400, "RequestHeaderSectionTooLarge",
      "Your request header section exceeds the maximum allowed size." },

    { CHORUS_S3_REQUEST_TIMEOUT, 400, "RequestTimeout",
      "Your socket connection to the server was not read from or written to "
      "within the timeout period." },

    { CHORUS_S3_INVALID_BUCKET_NAME, 400, "InvalidBucketName",
      "The specified bucket is not valid." },

    { CHORUS_S3_MALFORMED_XML, 400, "MalformedXML",
      "The XML you provided was not well-formed or did not validate against "
      "our published schema." },

    { CHORUS_S3_INCOMPLETE_BODY, 400, "IncompleteBody",
      "You did not provide the number of bytes specified by the "
      "Content-Length HTTP header." },

    { CHORUS_S3_INVALID_CHUNK_SIZE, 403, "InvalidChunkSizeError",
      "Only the last chunk is allowed to have a size less than 8192 bytes" },

    { CHORUS_S3_BAD_DIGEST, 400, "BadDigest",
      "The Content-MD5 or checksum value you specified did not match what "
      "we received." },

    { CHORUS_S3_ENTITY_TOO_LARGE, 400, "EntityTooLarge",
      "Your proposed upload exceeds the maximum allowed object size." },

    { CHORUS_S3_ENTITY_TOO_SMALL, 400, "EntityTooSmall",
      "Your proposed upload is smaller than the minimum allowed size" },

    { CHORUS_S3_KEY_TOO_LONG, 400, "KeyTooLongError",
      "Your key is too long" },

    { CHORUS_S3_INVALID_POLICY_DOCUMENT, 400, "InvalidPolicyDocument",
      "The content of the form does not meet the conditions specified in the "
      "policy document." },

    { CHORUS_S3_MALFORMED_POST_REQUEST, 400, "MalformedPOSTRequest",
      "The body of your POST request is not well-formed "
      "multipart/form-data." },

    { CHORUS_S3_POST_PREAMBLE_TOO_LONG, 400,
      "MaxPostPreDataLengthExceededError",
      "Your POST request fields preceding the upload file were too large." },

    { CHORUS_S3_METHOD_NOT_ALLOWED, 405, "MethodNotAllowed",
      "The specified method is not allowed against this resource." },

    { CHORUS_S3_MISSING_CONTENT_LENGTH, 411, "MissingContentLength",
      "You must provide the Content-Length HTTP header." },

    { CHORUS_S3_NOT_MULTIPART, 412, "PreconditionFailed",
      "Bucket POST must be of the enclosure-type multipart/form-data" },

    { CHORUS_S3_INTERNAL_ERROR, 500, "InternalError",
      "We encountered an internal error. Please try again." },

    { CHORUS_S3_NOT_IMPLEMENTED, 501, "NotImplemented",
      "A header you provided implies functionality that is not "
      "implemented." },

    { CHORUS_S3_BAD_GATEWAY, 502, "InternalError",
      "The storage gave no valid answer. Please try again." },

    { CHORUS_S3_SERVICE_UNAVAILABLE, 503, "ServiceUnavailable",
      "Service is unable to handle request." },

    { CHORUS_S3_SLOW_DOWN, 503, "SlowDown",
      "Please reduce your request rate." },

    { CHORUS_S3_GATEWAY_TIMEOUT, 504, "InternalError",
      "The storage did not answer in time. Please try again." }
};


const chorus_s3_error_row_t *
chorus_s3_error_row(chorus_s3_code_t code)
{
    if ((unsigned) code >= CHORUS_S3_NERRORS) {
        code = CHORUS_S3_INTERNAL_ERROR;
    }

    return &s3_errors[code];
}


/* Leaves the element out when the value is the null string. */
static void
s3_error_element(chorus_buf_t *buf, const char *name, chorus_str_t value)
{
    if (value.data != NULL) {
        chorus_xml_element(buf, name, value);
    }
}


chorus_str_t
chorus_s3_error_xml(chorus_mem_t *mem, const chorus_s3_refusal_t *refusal,
    chorus_str_t resource, chorus_str_t request_id)
{
    chorus_buf_t                  buf;
    chorus_str_t                  message;
    const chorus_s3_error_row_t  *row;

    row = chorus_s3_error_row(refusal->code);

    message = refusal->message;
    if (message.data == NULL) {
        message = chorus_str_from(row->message);
    }

    buf = chorus_buf(mem, 1024);

    chorus_buf_text(&buf, CHORUS_XML_DECLARATION "<Error>");
    s3_error_element(&buf, "Code", chorus_str_from(row->name));
    s3_error_element(&buf, "Message", message);
    s3_error_element(&buf, "Region", refusal->region);
    s3_error_element(&buf, "HeadersNotSigned", refusal->headers);
    s3_error_element(&buf, "AWSAccessKeyId", refusal->access_key);
    s3_error_element(&buf, "X-Amz-Expires", refusal->amz_expires);
    s3_error_element(&buf, "Expires", refusal->expires);
    s3_error_element(&buf, "ServerTime", refusal->server_time);
    s3_error_element(&buf, "ArgumentName", refusal->argument_name);
    s3_error_element(&buf, "ArgumentValue", refusal->argument_value);
    s3_error_element(&buf, "Resource", resource);
    s3_error_element(&buf, "RequestId", request_id);
    chorus_buf_text(&buf, "</Error>");

    return chorus_buf_str(&buf);
}
