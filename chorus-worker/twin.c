#include "queue_ledger.h"
#include "twin.h"


/* "<main's ETag> <size> <follower's ETag>"; no ETag has a blank in it, or it
 * does no harm. */

static chorus_str_t
twin_record(chorus_mem_t *mem, const object_t *object, chorus_str_t etag)
{
    chorus_buf_t  buf;

    buf = chorus_buf(mem, object->etag.len + etag.len + 24);
    chorus_buf_add(&buf, object->etag);
    chorus_buf_char(&buf, ' ');
    chorus_buf_u64(&buf, object->size);
    chorus_buf_char(&buf, ' ');
    chorus_buf_add(&buf, etag);

    return chorus_buf_str(&buf);
}


void
twin_keep(work_t *work, const object_t *object, chorus_str_t etag)
{
    chorus_str_t  record;

    record = twin_record(work->mem, object, etag);

    if (record.data != NULL && !queue_ledger_twin_keep(work->task, record)) {
        work_log(work, LOG_INFO, "that the follower's copy has another ETag "
                 "could not be written down: it will be made again");
    }
}


bool
twin_is_known(work_t *work, const object_t *ours, const object_t *theirs)
{
    chorus_str_t  known;

    return ours->size == theirs->size
           && queue_ledger_twin(work->task, work->mem, &known)
           && known.len != 0
           && chorus_str_eq(known, twin_record(work->mem, ours,
                                               theirs->etag));
}


/* No ETag is such a word. */

static chorus_str_t
twin_rotten(work_t *work, const object_t *object)
{
    return twin_record(work->mem, object, chorus_str("rotten"));
}


void
twin_mark_rotten(work_t *work, const object_t *object)
{
    chorus_str_t  record;

    record = twin_rotten(work, object);

    if (record.data != NULL) {
        (void) queue_ledger_twin_keep(work->task, record);
    }
}


bool
twin_is_rotten(work_t *work, const object_t *object)
{
    chorus_str_t  known;

    return queue_ledger_twin(work->task, work->mem, &known)
           && known.len != 0
           && chorus_str_eq(known, twin_rotten(work, object));
}


void
twin_forget(work_t *work)
{
    (void) queue_ledger_twin_keep(work->task, chorus_str(""));
}
