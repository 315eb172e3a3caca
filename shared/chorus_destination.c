/* Names of buckets on followers. */

#include <string.h>

#include "chorus_destination.h"

#define DESTINATION_BUCKET      "{bucket}"
#define DESTINATION_BUCKET_LEN  (sizeof(DESTINATION_BUCKET) - 1)

/* [Amazon S3 User Guide, "Bucket naming rules"] */
#define DESTINATION_MIN_LEN  3
#define DESTINATION_MAX_LEN  63


/* What stands before and behind "{bucket}"; false without one. */
static bool
destination_split(chorus_str_t text, chorus_str_t *before,
    chorus_str_t *behind)
{
    const char  *place;

    *before = text;
    *behind = chorus_null_str;

    place = text.len == 0 ? NULL
            : memmem(text.data, text.len, DESTINATION_BUCKET,
                     DESTINATION_BUCKET_LEN);

    if (place == NULL) {
        return false;
    }

    before->len = (size_t) (place - text.data);
    *behind = chorus_str_sub(text, before->len + DESTINATION_BUCKET_LEN);

    return true;
}


static bool
destination_is_plain(chorus_str_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        if (!chorus_is_alnum(text.data[i])
            && (text.data[i] == '\0'
                || strchr("-._", text.data[i]) == NULL))
        {
            return false;
        }
    }

    return true;
}


chorus_rc_t
chorus_destination_check(chorus_str_t bucket, bool is_one_bucket,
    chorus_error_t *error)
{
    bool          has_bucket;
    chorus_str_t  before, behind;

    has_bucket = destination_split(bucket, &before, &behind);

    if (!has_bucket && !is_one_bucket) {
        return chorus_error_set(error, "many buckets would become \"%.*s\": "
                                "it must have \"" DESTINATION_BUCKET "\" in "
                                "it, such as \"" DESTINATION_BUCKET "-copy\"",
                                (int) (bucket.len < 64 ? bucket.len : 64),
                                bucket.data);
    }

    if (!destination_is_plain(before) || !destination_is_plain(behind)
        || bucket.len > DESTINATION_MAX_LEN
        || (!has_bucket && bucket.len < DESTINATION_MIN_LEN))
    {
        return chorus_error_set(error, "the name of a bucket has %d to %d of "
                                "A-Z a-z 0-9 . - _, and perhaps one \""
                                DESTINATION_BUCKET "\"", DESTINATION_MIN_LEN,
                                DESTINATION_MAX_LEN);
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_destination_target(chorus_mem_t *mem,
    const chorus_destination_t *destination, chorus_str_t bucket,
    chorus_str_t *target)
{
    chorus_buf_t  buf;
    chorus_str_t  before, behind;

    *target = chorus_str("");

    if (chorus_destination_is(destination, bucket, *target)) {
        return CHORUS_OK;
    }

    if (!destination_split(destination->bucket, &before, &behind)) {
        *target = destination->bucket;
        return CHORUS_OK;
    }

    buf = chorus_buf(mem, destination->bucket.len + bucket.len);
    chorus_buf_add(&buf, before);
    chorus_buf_add(&buf, bucket);
    chorus_buf_add(&buf, behind);
    *target = chorus_buf_str(&buf);

    return buf.failed ? CHORUS_NOMEM : CHORUS_OK;
}


bool
chorus_destination_is(const chorus_destination_t *destination,
    chorus_str_t bucket, chorus_str_t target)
{
    chorus_str_t  before, behind, middle;

    if (target.len == 0) {
        target = bucket;
    }

    if (destination->bucket.len == 0) {
        return chorus_str_eq(bucket, target);
    }

    if (!destination_split(destination->bucket, &before, &behind)) {
        return chorus_str_eq(destination->bucket, target);
    }

    if (target.len != before.len + bucket.len + behind.len
        || !chorus_str_starts(target, before)
        || !chorus_str_eq(chorus_str_sub(target, before.len + bucket.len),
                          behind))
    {
        return false;
    }

    middle = (chorus_str_t) { target.data + before.len, bucket.len };

    return chorus_str_eq(middle, bucket);
}
