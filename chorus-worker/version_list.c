/*
 * Ceph 16 lists nothing more, and says that this is all, when the version at
 * which a page is to begin has been deleted.  So pages overlap by one version:
 * where it is missing the list is not complete, and is read again.
 */

#include <inttypes.h>
#include <string.h>

#include "chorus_uri.h"
#include "flight.h"
#include "version_list.h"

/* other keys that begin like ours are listed, too: a short page first */
#define VERSION_LIST_FIRST       20
#define VERSION_LIST_PAGE        500
#define VERSION_LIST_PAGE_BYTES  (4 * 1024 * 1024)

static const char  version_list_long[] = "a long history";


typedef struct {
    work_t          *work;
    failure_side_t   side;
    version_list_t  *list;
    chorus_arena_t  *arena;         /* of one page */
    chorus_mem_t     mem;
    chorus_buf_t     body;
    bool             is_done;
} version_reader_t;


const char *
version_query(work_t *work, const char *before, chorus_str_t id)
{
    chorus_buf_t  buf;

    buf = chorus_buf(work->mem, 3 * id.len + 64);
    chorus_buf_text(&buf, before);
    chorus_buf_text(&buf, "versionId=");
    chorus_uri_encode(&buf, id, false);
    chorus_buf_char(&buf, '\0');

    return buf.failed ? NULL : buf.data;
}


static size_t
version_list_write(void *data, const char *bytes, size_t len)
{
    version_reader_t  *reader = data;

    if (reader->body.len + len > VERSION_LIST_PAGE_BYTES) {
        return S3_ABORT;
    }

    chorus_buf_add(&reader->body, (chorus_str_t) { bytes, len });

    return reader->body.failed ? S3_ABORT : len;
}


/* Behind the last version but one. */

static const char *
version_list_query(version_reader_t *reader)
{
    size_t                   n;
    chorus_buf_t             buf;
    const chorus_version_t  *marker;

    n = reader->list->history.nversions;

    buf = chorus_buf(&reader->mem, 3 * reader->work->task->key.len + 256);
    chorus_buf_text(&buf, "versions&encoding-type=url&max-keys=");
    chorus_buf_u64(&buf, n < 2 ? VERSION_LIST_FIRST : VERSION_LIST_PAGE);
    chorus_buf_text(&buf, "&prefix=");
    chorus_uri_encode(&buf, reader->work->task->key, false);

    if (n != 0) {
        marker = &reader->list->history.versions[n - 2];
        chorus_buf_text(&buf, "&key-marker=");
        chorus_uri_encode(&buf, reader->work->task->key, false);
        chorus_buf_text(&buf, "&version-id-marker=");
        chorus_uri_encode(&buf, marker->id, false);
    }

    chorus_buf_char(&buf, '\0');

    return buf.failed ? NULL : buf.data;
}


static work_rc_t
version_list_bad(version_reader_t *reader, failure_kind_t kind,
    const char *text)
{
    failure_set(&reader->work->failure, kind, reader->side, "BadListing",
                "GET versions: %s", text);

    return WORK_FAILED;
}


static work_rc_t
version_list_get(version_reader_t *reader, chorus_version_page_t *page)
{
    s3_request_t          request;
    chorus_rc_t           rc;
    chorus_error_t        error;
    const s3_response_t  *response;

    reader->body = chorus_buf(&reader->mem, 16 * 1024);

    request = work_bucket_request(reader->work, reader->side, "GET",
                                  version_list_query(reader));
    request.write = version_list_write;
    request.data = reader;

    if (request.query == NULL) {
        return work_fail_here(reader->work, "out of memory");
    }

    response = s3_client_call(reader->work->client, S3_LANE_SIDE, &request);

    if (s3_response_is(response, 404)
        && s3_response_has_code(response, "NoSuchBucket"))
    {
        page->history.nversions = 0;
        page->is_truncated = false;
        return WORK_DONE;
    }

    if (!s3_response_is(response, 200)) {
        return work_fail(reader->work, reader->side, "GET versions",
                         response);
    }

    rc = chorus_version_page_parse(&reader->mem,
                                   chorus_buf_str(&reader->body),
                                   VERSION_LIST_PAGE, page, &error);

    if (rc == CHORUS_NOMEM) {
        return work_fail_here(reader->work, "out of memory");
    }

    return rc == CHORUS_OK ? WORK_DONE
                           : version_list_bad(reader, FAILURE_SOON,
                                              error.text);
}


static work_rc_t
version_list_grow(version_reader_t *reader)
{
    version_list_t    *list;
    chorus_version_t  *more;

    list = reader->list;

    if (list->history.nversions < list->size) {
        return WORK_DONE;
    }

    if (list->size >= VERSION_LIST_MAX) {
        failure_set(&reader->work->failure, FAILURE_PARK, reader->side,
                    "TooManyVersions", "the key has more than %d versions, "
                    "which are not compared", VERSION_LIST_MAX);
        return WORK_FAILED;
    }

    list->size = list->size == 0 ? 32 : 2 * list->size;
    list->size = list->size > VERSION_LIST_MAX ? VERSION_LIST_MAX
                                               : list->size;

    more = chorus_alloc(reader->work->mem,
                        list->size * sizeof(chorus_version_t));
    if (more == NULL) {
        return work_fail_here(reader->work, "out of memory");
    }

    if (list->history.nversions != 0) {
        memcpy(more, list->history.versions,
               list->history.nversions * sizeof(chorus_version_t));
    }

    list->history.versions = more;

    return WORK_DONE;
}


static work_rc_t
version_list_add(version_reader_t *reader, const chorus_version_t *version)
{
    chorus_version_t  *copy;

    if (version_list_grow(reader) != WORK_DONE) {
        return WORK_FAILED;
    }

    copy = &reader->list->history.versions[reader->list->history.nversions];

    *copy = *version;
    copy->key = chorus_null_str;
    copy->id = chorus_str_dup(reader->work->mem, version->id);
    copy->etag = chorus_str_dup(reader->work->mem, version->etag);

    if (copy->id.data == NULL || copy->etag.data == NULL) {
        return work_fail_here(reader->work, "out of memory");
    }

    reader->list->history.nversions++;

    return WORK_DONE;
}


/* The first entry of a later page is the one we have last. */

static bool
version_list_overlaps(const version_reader_t *reader,
    const chorus_version_page_t *page)
{
    const chorus_history_t  *have;

    have = &reader->list->history;

    return page->history.nversions != 0
           && chorus_str_eq(page->history.versions[0].key,
                            reader->work->task->key)
           && chorus_str_eq(page->history.versions[0].id,
                            have->versions[have->nversions - 1].id);
}


/* Keys are sorted, and ours is the shortest with this prefix: behind it are
 * longer ones only.  A storage that lists otherwise, or writes keys in another
 * way than it says, may have more versions of ours than we have found. */

static work_rc_t
version_list_ends(version_reader_t *reader, const chorus_version_page_t *page,
    size_t i)
{
    chorus_str_t  key, other;

    key = reader->work->task->key;

    for ( /* void */ ; i < page->history.nversions; i++) {
        other = page->history.versions[i].key;

        if (other.len <= key.len || !chorus_str_starts(other, key)) {
            return version_list_bad(reader, FAILURE_SOON,
                                    "not sorted, or not what was asked for");
        }
    }

    return WORK_DONE;
}


static work_rc_t
version_list_take(version_reader_t *reader, const chorus_version_page_t *page)
{
    size_t                   i;
    const chorus_version_t  *version;

    i = 0;

    if (reader->list->history.nversions != 0) {
        reader->list->is_paged = true;

        if (!version_list_overlaps(reader, page)) {
            return version_list_bad(reader, FAILURE_AGAIN,
                                    "a version went while they were listed");
        }

        i = 1;
    }

    /* truncated without anything new: it would never end */
    reader->is_done = !page->is_truncated;

    if (page->is_truncated && i == page->history.nversions) {
        return version_list_bad(reader, FAILURE_SOON,
                                "truncated, and nothing in it");
    }

    for ( /* void */ ; i < page->history.nversions; i++) {
        version = &page->history.versions[i];

        if (!chorus_str_eq(version->key, reader->work->task->key)) {
            reader->is_done = true;
            return version_list_ends(reader, page, i);
        }

        if (version_list_add(reader, version) != WORK_DONE) {
            return WORK_FAILED;
        }
    }

    if (!reader->is_done && reader->list->history.nversions < 2) {
        return version_list_bad(reader, FAILURE_SOON, "a page of one");
    }

    return WORK_DONE;
}


/* Ceph 16 lists an object without its ETag once its tags were deleted. */

static work_rc_t
version_list_find_etag(version_reader_t *reader, chorus_version_t *version)
{
    work_t               *work;
    s3_request_t          head;
    const s3_response_t  *response;

    work = reader->work;

    head = work_request(work, reader->side, "HEAD",
                        version_query(work, "", version->id));

    if (head.query == NULL) {
        return work_fail_here(work, "out of memory");
    }

    response = s3_client_call(work->client, S3_LANE_SIDE, &head);

    if (s3_response_is(response, 404)) {
        return version_list_bad(reader, FAILURE_AGAIN,
                                "a version went after they were listed");
    }

    if (!s3_response_is(response, 200)) {
        return work_fail(work, reader->side, "HEAD object", response);
    }

    version->etag = chorus_str_dup(work->mem, s3_response_etag(response));

    return WORK_DONE;
}


static work_rc_t
version_list_find_etags(version_reader_t *reader)
{
    size_t             i;
    chorus_version_t  *version;

    for (i = 0; i < reader->list->history.nversions; i++) {
        version = &reader->list->history.versions[i];

        if (!version->is_marker && version->etag.len == 0
            && version_list_find_etag(reader, version) != WORK_DONE)
        {
            return WORK_FAILED;
        }
    }

    return WORK_DONE;
}


/* Memory stays bounded: only one slot goes on beyond a short list. */

static work_rc_t
version_list_wait(version_reader_t *reader)
{
    work_t  *work;

    work = reader->work;

    if (work->has_long_history
        || reader->list->history.nversions < VERSION_LIST_SHORT)
    {
        return WORK_DONE;
    }

    while (!flight_begin(chorus_str_from(version_list_long), work->task)) {
        if (!task_is_alive(work->task)) {
            failure_set(&work->failure, FAILURE_STOPPED, FAILURE_SIDE_WORKER,
                        "Stopped", "stopped");
            return WORK_FAILED;
        }
    }

    work->has_long_history = true;

    return WORK_DONE;
}


void
version_list_done(work_t *work)
{
    if (work->has_long_history) {
        work->has_long_history = false;
        flight_end(chorus_str_from(version_list_long));
    }
}


static work_rc_t
version_list_pages(version_reader_t *reader)
{
    chorus_version_page_t  page;

    memset(&page, 0, sizeof(chorus_version_page_t));

    while (!reader->is_done) {
        chorus_arena_reset(reader->arena);

        if (version_list_wait(reader) != WORK_DONE
            || version_list_get(reader, &page) != WORK_DONE
            || version_list_take(reader, &page) != WORK_DONE)
        {
            return WORK_FAILED;
        }
    }

    return version_list_find_etags(reader);
}


work_rc_t
version_list_read(work_t *work, failure_side_t side, version_list_t *list)
{
    work_rc_t         rc;
    version_reader_t  reader;

    memset(list, 0, sizeof(version_list_t));
    memset(&reader, 0, sizeof(version_reader_t));

    reader.work = work;
    reader.side = side;
    reader.list = list;
    reader.arena = chorus_arena_create();

    if (reader.arena == NULL) {
        return work_fail_here(work, "out of memory");
    }

    reader.mem = chorus_arena_mem(reader.arena);
    rc = version_list_pages(&reader);
    chorus_arena_destroy(reader.arena);

    return rc;
}
