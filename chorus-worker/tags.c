#include "tags.h"


work_rc_t
tags_get(work_t *work, failure_side_t side, const s3_request_t *subject,
    chorus_tagging_t *tags)
{
    chorus_str_t          body;
    s3_request_t          request;
    chorus_error_t        error;
    const s3_response_t  *response;

    tags->tags = NULL;
    tags->ntags = 0;

    request = *subject;
    request.method = "GET";
    request.query = work_sub_resource(work, "tagging", subject);

    response = s3_client_call(work->client, S3_LANE_SIDE, &request);

    if (s3_response_is(response, 404)
        && s3_response_has_code(response, "NoSuchTagSet"))
    {
        return WORK_DONE;
    }

    if (!s3_response_is(response, 200)) {
        return work_fail(work, side, "GET tagging", response);
    }

    /* RGW 16 says so of a multipart upload that was begun with tags: it has
     * lost them */
    if (response->body.len == 0) {
        return WORK_DONE;
    }

    body = chorus_str_dup(work->mem, chorus_buf_str(&response->body));

    if (chorus_tagging_parse(work->mem, body, tags, &error) != CHORUS_OK) {
        failure_set(&work->failure, FAILURE_SOON, side, "BadTagging",
                    "GET tagging: %.300s", error.text);
        return WORK_FAILED;
    }

    return WORK_DONE;
}


work_rc_t
tags_put(work_t *work, const s3_request_t *subject,
    const chorus_tagging_t *tags)
{
    s3_request_t          request;
    const s3_response_t  *response;

    request = *subject;
    request.method = tags->ntags == 0 ? "DELETE" : "PUT";
    request.query = work_sub_resource(work, "tagging", subject);

    if (tags->ntags != 0) {
        request.body = chorus_tagging_xml(work->mem, tags);
        if (request.body.data == NULL) {
            return work_fail_here(work, "out of memory");
        }
    }

    response = s3_client_call(work->client, S3_LANE_SIDE, &request);

    if (s3_response_is_success(response)) {
        return WORK_DONE;
    }

    return work_fail(work, FAILURE_SIDE_FOLLOWER,
                     tags->ntags == 0 ? "DELETE tagging" : "PUT tagging",
                     response);
}


static bool
tags_contain(const chorus_tagging_t *tags, const chorus_tag_t *tag)
{
    size_t  i;

    for (i = 0; i < tags->ntags; i++) {
        if (chorus_str_eq(tags->tags[i].key, tag->key)) {
            return chorus_str_eq(tags->tags[i].value, tag->value);
        }
    }

    return false;
}


bool
tags_same(const chorus_tagging_t *a, const chorus_tagging_t *b)
{
    size_t  i;

    if (a->ntags != b->ntags) {
        return false;
    }

    /* keys are unique within a set */
    for (i = 0; i < a->ntags; i++) {
        if (!tags_contain(b, &a->tags[i])) {
            return false;
        }
    }

    return true;
}
