#include <string.h>

#include "acl.h"
#include "chorus_rfc2047.h"
#include "headers.h"
#include "optional.h"


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


/* AWS takes bytes beyond ASCII for Latin-1 and answers something else. */

static bool
headers_encode(work_t *work, headers_t *headers)
{
    size_t            i;
    chorus_header_t  *h;

    if (work->follower->provider != CHORUS_PROVIDER_AWS) {
        return true;
    }

    for (i = 0; i < headers->n; i++) {
        h = &headers->list[i];

        if (chorus_str_casestarts(h->name, chorus_str("x-amz-meta-"))) {
            h->value = chorus_rfc2047_encode(work->mem, h->value);
            if (h->value.data == NULL) {
                return false;
            }
        }
    }

    return true;
}


work_rc_t
headers_of_object(work_t *work, headers_t *headers, const object_t *object,
    const chorus_tagging_t *tags)
{
    chorus_str_t  class;

    headers->n = 0;
    headers->are_tags_left = false;
    work->sent_along = 0;

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

    if (!headers_encode(work, headers)) {
        return work_fail_here(work, "out of memory");
    }

    class = chorus_storage_class(work->follower, object->storage_class);

    if (class.len != 0 && optional_send(work, OPTIONAL_CLASS)) {
        headers_add(headers, "x-amz-storage-class", class);
    }

    acl_add_header(work, headers);

    return headers_add_tags(work, headers, tags);
}
