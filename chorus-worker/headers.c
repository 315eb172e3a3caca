#include <string.h>

#include "acl.h"
#include "headers.h"


void
headers_add(headers_t *headers, const char *name, chorus_str_t value)
{
    if (headers->n == S3_HEADERS_MAX) {
        return;
    }

    headers->list[headers->n++] =
        (chorus_header_t) { chorus_str_from(name), value };
}


static work_rc_t
headers_add_tags(work_t *work, headers_t *headers,
    const chorus_tagging_t *tags)
{
    chorus_str_t  value;

    if (tags->ntags == 0) {
        return WORK_DONE;
    }

    value = chorus_tagging_header(work->mem, tags);
    if (value.data == NULL) {
        return work_fail_here(work, "out of memory");
    }

    if (value.len > HEADERS_TAGGING_MAX) {
        headers->are_tags_left = true;
        return WORK_DONE;
    }

    headers_add(headers, "x-amz-tagging", value);

    return WORK_DONE;
}


work_rc_t
headers_of_object(work_t *work, headers_t *headers, const object_t *object,
    const chorus_tagging_t *tags)
{
    headers->n = 0;
    headers->are_tags_left = false;

    if (object->nkept > HEADERS_MAX) {
        failure_set(&work->failure, FAILURE_PARK, FAILURE_SIDE_MAIN,
                    "TooManyHeaders", "the object has %zu headers",
                    object->nkept);
        return WORK_FAILED;
    }

    if (object->nkept != 0) {
        memcpy(headers->list, object->kept,
               object->nkept * sizeof(chorus_header_t));
        headers->n = object->nkept;
    }

    if (object->storage_class.len != 0 && !work->without_storage_class) {
        headers_add(headers, "x-amz-storage-class", object->storage_class);
    }

    acl_add_header(work, headers);

    return headers_add_tags(work, headers, tags);
}
