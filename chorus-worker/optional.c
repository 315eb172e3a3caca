#include <string.h>

#include "optional.h"


typedef struct {
    unsigned     which;
    const char  *code;
    const char  *text;
} optional_row_t;


/* In this order: a code may have several causes. */

static const optional_row_t  optional_rows[] = {
    { OPTIONAL_CLASS, "InvalidStorageClass",
      "the follower does not have the storage class, leaving it out; see "
      "storage_classes in chorus.json" },

    /* Ceph */
    { OPTIONAL_CLASS, "InvalidArgument",
      "the follower may not have the storage class, leaving it out; see "
      "storage_classes in chorus.json" },

    { OPTIONAL_LOCK, "InvalidRequest",
      "the follower's bucket has no object lock, leaving it out" },
    { OPTIONAL_LOCK, "NotImplemented",
      "the follower has no object lock, leaving it out" },

    { OPTIONAL_CHECKSUM, "InvalidRequest",
      "the follower may not know the checksum, leaving it out" },
    { OPTIONAL_CHECKSUM, "InvalidArgument",
      "the follower may not know the checksum, leaving it out" },
    { OPTIONAL_CHECKSUM, "NotImplemented",
      "the follower may not know the checksum, leaving it out" },
};


bool
optional_send(work_t *work, unsigned which)
{
    if (work->left_out & which) {
        return false;
    }

    work->sent_along |= which;

    return true;
}


bool
optional_is_left_out(const work_t *work, unsigned which)
{
    return (work->left_out & which) != 0;
}


bool
optional_is_to_blame(work_t *work)
{
    size_t                 i;
    const optional_row_t  *row;

    for (i = 0; i < sizeof(optional_rows) / sizeof(optional_rows[0]); i++) {
        row = &optional_rows[i];

        if ((work->sent_along & row->which)
            && !(work->left_out & row->which)
            && strcmp(work->failure.code, row->code) == 0)
        {
            work_log(work, LOG_WARN, "%s", row->text);
            work->left_out |= row->which;
            return true;
        }
    }

    return false;
}
