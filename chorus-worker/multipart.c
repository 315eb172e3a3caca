/*
 * Which parts make main's ETag?  Storages that know ?partNumber tell them; of
 * others the proxies have seen them, or else sizes are guessed.  Whatever it
 * is, the parts that are sent make an ETag as they go, and that tells.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "layout.h"
#include "lock.h"
#include "multipart.h"
#include "queue_ledger.h"
#include "tags.h"
#include "twin.h"
#include "upload.h"

#define MULTIPART_MIB          (1024 * 1024ull)
#define MULTIPART_PART_MIN     (5 * MULTIPART_MIB)  /* but for the last */
#define MULTIPART_LAYOUT_SIZE  64
#define MULTIPART_GUESSES      (LAYOUT_CANDIDATES + 1)


typedef struct {
    work_t                  *work;
    const object_t          *object;
    const chorus_tagging_t  *tags;
    chorus_digest_t         *digest;        /* over the MD5 of each part */
    char                     etag[LAYOUT_ETAG_SIZE];
    bool                     is_lost;       /* the answer to a completion */
} multipart_t;

/* One way to do it. */
typedef struct {
    chorus_layout_t   plan;
    const char       *layout;       /* see upload_begin() */
    bool              is_in_order;  /* the probe follows other layouts */
    bool              is_last;      /* another ETag is better than nothing */

    /* what came of it, where it failed */
    bool              is_other;     /* it makes another ETag */
    bool              has_gaps;     /* in the numbers of main's parts */
} multipart_way_t;


/* HEAD ?partNumber=1: a storage that does not know it (RGW 16) answers as for
 * the whole object, without x-amz-mp-parts-count. */

static bool
multipart_main_knows_parts(multipart_t *mp)
{
    uint64_t              nparts;
    chorus_buf_t          buf;
    s3_request_t          head;
    chorus_header_t       match;
    const s3_response_t  *response;

    if (!mp->work->main->has_part_numbers) {
        return false;
    }

    buf = chorus_buf(mp->work->mem, mp->object->etag.len + 2);
    chorus_buf_char(&buf, '"');
    chorus_buf_add(&buf, mp->object->etag);
    chorus_buf_char(&buf, '"');

    match = (chorus_header_t) { chorus_str("If-Match"),
                                chorus_buf_str(&buf) };

    head = work_request(mp->work, FAILURE_SIDE_MAIN, "HEAD", "partNumber=1");
    head.headers = &match;
    head.nheaders = 1;

    response = s3_client_call(mp->work->client, S3_LANE_SIDE, &head);

    return s3_response_is_success(response)
           && chorus_str_to_u64(s3_response_header(response,
                                    "x-amz-mp-parts-count"), &nparts)
           && nparts == mp->object->nparts;
}


/* ---- one way ---- */

/* The ETag of what was sent, all of which must be the object. */

static work_rc_t
multipart_etag(multipart_t *mp, const parts_t *parts)
{
    unsigned      i;
    uint64_t      size;
    chorus_str_t  md5;

    if (!chorus_digest_begin(mp->digest)) {
        return work_fail_here(mp->work, "MD5 failed");
    }

    size = 0;

    for (i = 0; i < parts->plan->nparts; i++) {
        md5 = (chorus_str_t) { (const char *) parts->parts[i].md5,
                               CHORUS_MD5_LEN };
        size += parts->parts[i].size;

        if (!chorus_digest_update(mp->digest, md5)) {
            return work_fail_here(mp->work, "MD5 failed");
        }
    }

    if (size != mp->object->size) {
        failure_set(&mp->work->failure, FAILURE_SOON, FAILURE_SIDE_MAIN,
                    "BadParts", "the parts make %" PRIu64 " bytes of %"
                    PRIu64, size, mp->object->size);
        return WORK_FAILED;
    }

    return layout_etag(mp->digest, parts->plan->nparts, mp->etag)
           ? WORK_DONE : work_fail_here(mp->work, "MD5 failed");
}


/* RGW 16 completes without saying the ETag: ask for it. */

static work_rc_t
multipart_ask_etag(multipart_t *mp, chorus_str_t *etag)
{
    s3_request_t          head;
    const s3_response_t  *answer;

    head = work_request(mp->work, FAILURE_SIDE_FOLLOWER, "HEAD", NULL);
    answer = s3_client_call(mp->work->client, S3_LANE_SIDE, &head);

    if (!s3_response_is(answer, 200)) {
        return work_fail(mp->work, FAILURE_SIDE_FOLLOWER, "HEAD object",
                         answer);
    }

    *etag = s3_response_etag(answer);

    return WORK_DONE;
}


/* Is what was put together what was sent? */

static work_rc_t
multipart_verify(multipart_t *mp, bool is_sealed,
    const s3_response_t *answer)
{
    chorus_str_t  etag;

    etag = chorus_xml_text(mp->work->mem, chorus_buf_str(&answer->body),
                           "ETag");
    if (etag.len > 2 && etag.data[0] == '"') {
        etag = (chorus_str_t) { etag.data + 1, etag.len - 2 };
    }

    if (etag.len == 0 && multipart_ask_etag(mp, &etag) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (is_sealed || chorus_str_eq(etag, chorus_str_from(mp->etag))) {
        if (!chorus_str_eq(etag, mp->object->etag)) {
            twin_keep(mp->work, mp->object, etag);
        }
        return WORK_DONE;
    }

    failure_set(&mp->work->failure, FAILURE_SOON, FAILURE_SIDE_FOLLOWER,
                "EtagMismatch", "CompleteMultipartUpload on follower: its "
                "ETag is \"%.*s\" instead of \"%s\"", chorus_fmt(etag),
                mp->etag);

    return WORK_FAILED;
}


static work_rc_t
multipart_complete(multipart_t *mp, const upload_t *upload,
    const parts_t *parts)
{
    chorus_str_t          xml;
    const s3_response_t  *answer;

    xml = parts_xml(parts, mp->work->mem);
    if (xml.data == NULL) {
        return work_fail_here(mp->work, "out of memory");
    }

    answer = upload_complete(mp->work, upload, xml);

    /* may answer 200 and still hold an <Error> */
    if (!s3_response_is_success(answer)) {
        (void) work_fail(mp->work, FAILURE_SIDE_FOLLOWER,
                         "CompleteMultipartUpload", answer);

        /* it may have been done: the next look at the follower tells */
        if (answer->status == 0 && mp->work->failure.kind == FAILURE_SOON) {
            mp->work->failure.kind = FAILURE_AGAIN;
            mp->is_lost = true;
        }

        return WORK_FAILED;
    }

    mp->work->bytes = mp->object->size;
    work_note_version(mp->work, answer);

    return multipart_verify(mp, parts->is_sealed, answer);
}


/* What an upload cannot be begun with on every storage. */

static work_rc_t
multipart_finish(multipart_t *mp)
{
    s3_request_t   subject;
    object_lock_t  none = { chorus_null_str, chorus_null_str,
                            chorus_null_str };

    if (mp->tags->ntags != 0) {
        subject = work_request(mp->work, FAILURE_SIDE_FOLLOWER, "PUT", NULL);

        if (tags_put(mp->work, &subject, mp->tags) != WORK_DONE) {
            return WORK_FAILED;
        }
    }

    return lock_put(mp->work, &mp->object->lock, &none);
}


/* Sends what is not there, and looks at what that makes. */

static work_rc_t
multipart_fill(multipart_t *mp, multipart_way_t *way, const upload_t *upload,
    parts_t *parts)
{
    work_rc_t  rc;

    if (upload->is_resumed
        && upload_list(mp->work, upload, parts) != WORK_DONE)
    {
        return WORK_FAILED;
    }

    rc = parts_send(parts);
    way->has_gaps = parts->has_gaps;

    if (rc != WORK_DONE || multipart_etag(mp, parts) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (chorus_str_eq(chorus_str_from(mp->etag), mp->object->etag)) {
        return WORK_DONE;
    }

    if (!way->is_last || (way->is_in_order
            && layout_probe_match(mp->work->probe, mp->object->etag) != 0))
    {
        way->is_other = true;
        failure_set(&mp->work->failure, FAILURE_AGAIN, FAILURE_SIDE_WORKER,
                    "OtherLayout", "the parts are of other sizes");
        return WORK_FAILED;
    }

    work_log(mp->work, LOG_WARN, "the sizes of the parts behind main's ETag "
             "\"%.*s\" are not known: the follower's copy has the same "
             "content and the ETag \"%s\"", chorus_fmt(mp->object->etag),
             mp->etag);

    return WORK_DONE;
}


/* What becomes of an upload that failed. */

static void
multipart_leave(multipart_t *mp, const upload_t *upload)
{
    failure_t  *failure;

    failure = &mp->work->failure;

    if (strcmp(failure->code, "NoSuchUpload") == 0) {
        upload_over(mp->work, upload);
        failure->kind = FAILURE_AGAIN;
        return;
    }

    if ((!upload_is_kept(mp->work) && !mp->is_lost)
        || strcmp(failure->code, "EtagMismatch") == 0
        || strcmp(failure->code, "BadParts") == 0
        || strncmp(failure->code, "InvalidPart", 11) == 0)
    {
        upload_abort(mp->work, upload);
        return;
    }

    mp->work->task->upload = upload->record;
}


/* Begins or goes on, sends, completes. */

static work_rc_t
multipart_go(multipart_t *mp, multipart_way_t *way)
{
    parts_t   parts;
    upload_t  upload;

    memset(&parts, 0, sizeof(parts_t));

    parts.work = mp->work;
    parts.object = mp->object;
    parts.plan = &way->plan;
    parts.is_in_order = way->is_in_order;

    if (!parts_create(&parts, mp->work->mem)) {
        return work_fail_here(mp->work, "out of memory");
    }

    if (upload_begin(mp->work, mp->object, way->plan.sizes == NULL,
                     way->layout, &upload)
        != WORK_DONE)
    {
        return WORK_FAILED;
    }

    parts.upload_id = upload.id;
    parts.is_sealed = upload.is_sealed;

    if (multipart_fill(mp, way, &upload, &parts) != WORK_DONE
        || multipart_complete(mp, &upload, &parts) != WORK_DONE)
    {
        multipart_leave(mp, &upload);
        return WORK_FAILED;
    }

    upload_over(mp->work, &upload);

    return multipart_finish(mp);
}


/* ---- the ways, the best one first ---- */

/* Clients may leave out numbers (1, 3, 7), and what a storage then calls the
 * second part differs: such parts are found by their sizes. */

static work_rc_t
multipart_by_number(multipart_t *mp, bool *is_over)
{
    work_rc_t         rc;
    multipart_way_t   way = { .layout = "by number", .is_last = true };

    way.plan.nparts = mp->object->nparts;

    rc = multipart_go(mp, &way);
    *is_over = rc == WORK_DONE || !way.has_gaps;

    return rc;
}


static work_rc_t
multipart_by_plan(multipart_t *mp, const chorus_layout_t *plan,
    const char *layout, bool is_last, bool *is_over)
{
    work_rc_t         rc;
    multipart_way_t   way = { .plan = *plan, .layout = layout };

    /* an ETag that is no MD5 tells nothing about parts */
    way.is_last = is_last || mp->object->is_sealed;

    rc = multipart_go(mp, &way);
    *is_over = rc == WORK_DONE || !way.is_other;

    return rc;
}


static work_rc_t
multipart_by_size(multipart_t *mp, uint64_t part_size, bool is_last,
    bool *is_over)
{
    char             layout[MULTIPART_LAYOUT_SIZE];
    chorus_layout_t  plan;

    *is_over = true;

    if (!chorus_layout_even(&plan, mp->work->mem, mp->object->size,
                            part_size))
    {
        return work_fail_here(mp->work, "out of memory");
    }

    (void) snprintf(layout, sizeof(layout), "by size %" PRIu64, part_size);

    return multipart_by_plan(mp, &plan, layout, is_last, is_over);
}


/* As the proxies saw them. */

static work_rc_t
multipart_as_seen(multipart_t *mp, bool *is_over)
{
    work_rc_t        rc;
    chorus_buf_t     layout;
    chorus_str_t     sizes;
    chorus_layout_t  plan;

    *is_over = false;

    if (!queue_ledger_layout(mp->work->mem, mp->object->etag, &sizes)
        || sizes.len == 0
        || !chorus_layout_read(&plan, mp->work->mem, sizes, mp->object->size,
                               mp->object->nparts))
    {
        return WORK_FAILED;
    }

    layout = chorus_buf(mp->work->mem, sizes.len + 16);
    chorus_buf_text(&layout, "as seen ");
    chorus_buf_add(&layout, sizes);
    chorus_buf_char(&layout, '\0');

    if (layout.failed) {
        *is_over = true;
        return work_fail_here(mp->work, "out of memory");
    }

    rc = multipart_by_plan(mp, &plan, layout.data, false, is_over);

    if (!*is_over) {
        work_log(mp->work, LOG_INFO, "what was seen of the parts is not what "
                 "main has");
    }

    return rc;
}


/* One part after the other, of a size that any storage takes, while the probe
 * looks whether one of these is right. */

static work_rc_t
multipart_in_order(multipart_t *mp, const uint64_t *sizes, size_t n)
{
    bool             is_over;
    uint64_t         part_size, better;
    work_rc_t        rc;
    multipart_way_t  way = { .is_in_order = true, .is_last = true };

    part_size = mp->object->size / mp->object->nparts / MULTIPART_MIB
                * MULTIPART_MIB + MULTIPART_PART_MIN;

    if (!chorus_layout_even(&way.plan, mp->work->mem, mp->object->size,
                            part_size)
        || !layout_probe_begin(mp->work->probe, sizes, n))
    {
        return work_fail_here(mp->work, "out of memory");
    }

    rc = multipart_go(mp, &way);

    if (!way.is_other) {
        return rc;
    }

    better = layout_probe_match(mp->work->probe, mp->object->etag);
    work_log(mp->work, LOG_INFO, "part_size=%" PRIu64 " by the ETag", better);

    return multipart_by_size(mp, better, true, &is_over);
}


/* Parts of one size: the likeliest one at once, several parts at a time. */

static work_rc_t
multipart_guessed(multipart_t *mp)
{
    bool       is_over;
    size_t     n;
    uint64_t   sizes[MULTIPART_GUESSES];
    work_rc_t  rc;

    n = layout_candidates(mp->object->size, mp->object->nparts, sizes,
                          MULTIPART_GUESSES);

    if (n == 0 || sizes[0] < MULTIPART_PART_MIN) {
        return multipart_in_order(mp, sizes, n);
    }

    rc = multipart_by_size(mp, sizes[0], false, &is_over);

    return is_over ? rc : multipart_in_order(mp, sizes + 1, n - 1);
}


static work_rc_t
multipart_copy_parts(multipart_t *mp)
{
    bool       is_over;
    work_rc_t  rc;

    if (mp->object->nparts == 1) {
        return multipart_by_size(mp, mp->object->size, true, &is_over);
    }

    if (multipart_main_knows_parts(mp)) {
        rc = multipart_by_number(mp, &is_over);
        if (is_over) {
            return rc;
        }
    }

    rc = multipart_as_seen(mp, &is_over);

    return is_over ? rc : multipart_guessed(mp);
}


work_rc_t
multipart_copy(work_t *work, const object_t *object,
    const chorus_tagging_t *tags)
{
    work_rc_t    rc;
    multipart_t  mp;

    memset(&mp, 0, sizeof(multipart_t));
    mp.work = work;
    mp.object = object;
    mp.tags = tags;
    mp.digest = chorus_digest_create(CHORUS_DIGEST_MD5);

    if (mp.digest == NULL) {
        return work_fail_here(work, "out of memory");
    }

    rc = multipart_copy_parts(&mp);
    chorus_digest_destroy(mp.digest);

    return rc;
}
