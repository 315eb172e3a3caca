#include <string.h>

#include <jansson.h>

#include "ask_answer.h"
#include "ask_jobs.h"
#include "chorus_listing.h"
#include "chorus_uri.h"
#include "clock.h"

#define ASK_METADATA_MAX  (16 * 1024)       /* bytes of one side */


/* A question at work. */
typedef struct {
    const chorus_config_t  *config;
    const json_t           *question;
    chorus_arena_t         *arena;
    chorus_mem_t            mem;
    ask_jobs_t              jobs;
    json_t                 *answer;     /* NULL: out of memory */
    chorus_buf_t            body;       /* of a list of buckets */
} ask_t;


/* ---- words ---- */


/* What came from a storage may be no text: then it is percent-encoded. */

static json_t *
ask_text(ask_t *ask, chorus_str_t text)
{
    chorus_buf_t  buf;

    if (chorus_str_is_text(text)) {
        return json_stringn(text.len == 0 ? "" : text.data, text.len);
    }

    buf = chorus_buf(&ask->mem, 3 * text.len);
    chorus_uri_encode(&buf, text, true);
    text = chorus_buf_str(&buf);

    return json_stringn(text.data == NULL ? "" : text.data, text.len);
}


static void
ask_set_text(ask_t *ask, json_t *row, const char *name, chorus_str_t text)
{
    (void) json_object_set_new(row, name, text.data == NULL ? json_null()
                                          : ask_text(ask, text));
}


static chorus_str_t
ask_asked(const ask_t *ask, const char *name)
{
    return chorus_str_from(json_string_value(json_object_get(ask->question,
                                                             name)));
}


/* Instead of an answer; what would have become one is gone, and so are the
 * jobs that were to fill it in. */

static void
ask_refuse(ask_t *ask, const char *code, const char *message)
{
    ask->jobs.n = ask->jobs.next;
    json_decref(ask->answer);
    ask->answer = json_pack("{s:{s:s, s:s}}", "error", "code", code,
                            "message", message);
}


/* The storage and the user's credential there; false after having said what
 * is missing. */

static bool
ask_storage(ask_t *ask, chorus_str_t name, s3_request_t *request)
{
    memset(request, 0, sizeof(s3_request_t));
    request->storage = chorus_config_storage(ask->config, name);

    if (request->storage == NULL) {
        ask_refuse(ask, "unknown_storage", "the worker's chorus.json has no "
                   "such storage");
        return false;
    }

    request->credential = chorus_storage_credential(request->storage,
                                                    ask_asked(ask, "user"));
    if (request->credential == NULL) {
        ask_refuse(ask, "unknown_user", "the storage has no such user");
        return false;
    }

    return true;
}


/* Status, and in words what is wrong with an answer: an empty text when it is
 * a good one. */

static void
ask_set_status(ask_t *ask, json_t *row, const s3_response_t *response)
{
    chorus_buf_t  reason;

    reason = chorus_buf(&ask->mem, 64);

    (void) json_object_set_new(row, "status",
                               response->status == 0 ? json_null()
                               : json_integer((json_int_t) response->status));

    if (response->is_stopped) {
        chorus_buf_text(&reason, "no answer in time");

    } else if (response->result != CURLE_OK) {
        chorus_buf_text(&reason, response->curl_error[0] != '\0'
                                 ? response->curl_error
                                 : curl_easy_strerror(response->result));

    } else if (!s3_response_is_success(response)) {
        chorus_buf_text(&reason, "HTTP ");
        chorus_buf_u64(&reason, response->status);

        if (response->code.len != 0) {
            chorus_buf_char(&reason, ' ');
            chorus_buf_add(&reason, response->code);
        }
    }

    ask_set_text(ask, row, "reason", reason.len == 0 ? chorus_str("")
                                     : chorus_buf_str(&reason));
}


/* ---- storages ---- */


static size_t
ask_drop_body(void *data, const char *bytes, size_t len)
{
    (void) data;
    (void) bytes;

    return len;
}


static const char *
ask_storage_state(const s3_response_t *response)
{
    if (response->is_stopped || response->result != CURLE_OK
        || response->status == 0)
    {
        return "silent";
    }

    if (response->status >= 500) {
        return "failing";
    }

    return response->status == 401 || response->status == 403 ? "refusing"
                                                              : "good";
}


/* Behind the reason: whose credentials these were. */

static void
ask_add_place(ask_t *ask, json_t *row, const chorus_storage_t *storage)
{
    chorus_buf_t  reason;

    reason = chorus_buf(&ask->mem, 128);

    chorus_buf_text(&reason, json_string_value(json_object_get(row,
                                                               "reason")));
    chorus_buf_text(&reason, " (storages.");
    chorus_buf_add(&reason, storage->name);
    chorus_buf_text(&reason, ".users.");
    chorus_buf_add(&reason, storage->users[0].name);
    chorus_buf_text(&reason, " of chorus.json)");

    if (!reason.failed) {
        ask_set_text(ask, row, "reason", chorus_buf_str(&reason));
    }
}


static void
ask_storage_done(void *data, ask_job_t *job, const s3_response_t *response)
{
    ask_t  *ask = data;

    (void) json_object_set_new(job->row, "state",
                           json_string(ask_storage_state(response)));
    (void) json_object_set_new(job->row, "latency_ms",
                           json_integer(clock_ms() - job->began_ms));
    ask_set_status(ask, job->row, response);

    if (strcmp(ask_storage_state(response), "refusing") == 0) {
        ask_add_place(ask, job->row, job->request.storage);
    }
}


/* Any user's list of buckets: a request that is signed, and changes nothing. */

static void
ask_storages(ask_t *ask)
{
    size_t                   i;
    json_t                  *rows, *row;
    s3_request_t             request;
    const chorus_storage_t  *storage;

    rows = json_array();
    ask->answer = json_pack("{s:o}", "storages", rows);

    for (i = 0; i < ask->config->nstorages; i++) {

        storage = &ask->config->storages[i];

        if (storage->nusers == 0) {
            continue;
        }

        row = json_object();
        ask_set_text(ask, row, "name", storage->name);

        memset(&request, 0, sizeof(s3_request_t));
        request.method = "GET";
        request.storage = storage;
        request.credential = &storage->users[0].credentials[0];
        request.write = ask_drop_body;

        (void) json_array_append_new(rows, row);
        ask_jobs_add(&ask->jobs, &request, row, ask_storage_done);
    }
}


/* ---- buckets ---- */


static size_t
ask_keep_body(void *data, const char *bytes, size_t len)
{
    ask_t  *ask = data;

    if (ask->body.len + len > CHORUS_XML_MAX_BYTES) {
        return S3_ABORT;
    }

    chorus_buf_add(&ask->body, (chorus_str_t) { bytes, len });

    return ask->body.failed ? S3_ABORT : len;
}


static void
ask_buckets_done(void *data, ask_job_t *job, const s3_response_t *response)
{
    size_t             i;
    ask_t             *ask = data;
    json_t            *said;
    const char        *reason;
    chorus_error_t     error;
    chorus_buckets_t   buckets;

    if (!s3_response_is(response, 200)) {
        said = json_object();
        ask_set_status(ask, said, response);
        reason = json_string_value(json_object_get(said, "reason"));
        ask_refuse(ask, "storage_failed", reason != NULL ? reason : "");
        json_decref(said);
        return;
    }

    if (ask->body.failed
        || chorus_buckets_parse(&ask->mem, chorus_buf_str(&ask->body),
                                &buckets, &error) != CHORUS_OK)
    {
        ask_refuse(ask, "storage_failed", "the list of buckets could not be "
                   "read");
        return;
    }

    for (i = 0; i < buckets.n; i++) {
        (void) json_array_append_new(job->row,
                                     ask_text(ask, buckets.names[i]));
    }

    (void) json_object_set_new(ask->answer, "is_whole",
                               json_boolean(buckets.token.data == NULL));
}


static void
ask_buckets(ask_t *ask)
{
    json_t        *rows;
    s3_request_t   request;

    if (!ask_storage(ask, ask_asked(ask, "storage"), &request)) {
        return;
    }

    rows = json_array();
    ask->answer = json_pack("{s:o}", "buckets", rows);
    ask->body = chorus_buf(&ask->mem, 4096);

    request.method = "GET";
    request.write = ask_keep_body;
    request.data = ask;

    ask_jobs_add(&ask->jobs, &request, rows, ask_buckets_done);
}


/* ---- one object ---- */


static bool
ask_is_metadata(chorus_str_t name)
{
    size_t                     i;
    static const chorus_str_t  names[] = {
        { "content-type", 12 }, { "content-encoding", 16 },
        { "content-disposition", 19 }, { "content-language", 16 },
        { "cache-control", 13 }, { "expires", 7 },
        { "x-amz-storage-class", 19 }, { "x-amz-tagging-count", 19 },
        { "x-amz-website-redirect-location", 31 },
    };

    if (chorus_str_casestarts(name, chorus_str("x-amz-meta-"))) {
        return true;
    }

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (chorus_str_caseeq(name, names[i])) {
            return true;
        }
    }

    return false;
}


static void
ask_set_metadata(ask_t *ask, json_t *row, const s3_response_t *response)
{
    size_t                  i, size;
    json_t                 *all;
    chorus_buf_t            name;
    const chorus_header_t  *header;

    size = 0;
    all = json_object();

    for (i = 0; i < response->nheaders; i++) {
        header = &response->headers[i];

        if (!ask_is_metadata(header->name)) {
            continue;
        }

        size += header->name.len + header->value.len;

        if (size > ASK_METADATA_MAX) {
            break;
        }

        name = chorus_buf(&ask->mem, header->name.len + 1);
        chorus_uri_encode(&name, header->name, false);
        chorus_buf_char(&name, '\0');

        if (!name.failed) {
            ask_set_text(ask, all, name.data, header->value);
        }
    }

    (void) json_object_set_new(row, "metadata", all);
    (void) json_object_set_new(row, "metadata_is_whole",
                               json_boolean(size <= ASK_METADATA_MAX));
}


static void
ask_set_state(json_t *row, const char *state)
{
    (void) json_object_set_new(row, "state", json_string(state));
}


/* Asked for when the key is not there, since a HEAD has no body to say which of
 * the two is not; or because the bucket is what the question is about. */

static void
ask_bucket_done(void *data, ask_job_t *job, const s3_response_t *response)
{
    bool         is_asked_for_key;
    ask_t       *ask = data;
    const char  *state;

    state = json_string_value(json_object_get(job->row, "state"));
    is_asked_for_key = state != NULL && strcmp(state, "no_key") == 0;

    if (response->status == 404) {
        ask_set_state(job->row, "no_bucket");

    } else if (!s3_response_is_success(response)) {
        ask_set_state(job->row, "failed");
        ask_set_status(ask, job->row, response);

    } else if (!is_asked_for_key) {
        ask_set_state(job->row, "there");
    }
}


static void
ask_look_at_bucket(ask_t *ask, const ask_job_t *job)
{
    s3_request_t  request;

    request = job->request;
    request.key = chorus_null_str;

    ask_jobs_add(&ask->jobs, &request, job->row, ask_bucket_done);
}


static void
ask_object_done(void *data, ask_job_t *job, const s3_response_t *response)
{
    ask_t     *ask = data;
    uint64_t   size;

    if (s3_response_is(response, 404)) {
        ask_set_state(job->row, "no_key");
        (void) json_object_set_new(job->row, "status", json_integer(404));
        ask_look_at_bucket(ask, job);
        return;
    }

    ask_set_status(ask, job->row, response);

    if (!s3_response_is_success(response)) {
        ask_set_state(job->row, "failed");
        return;
    }

    ask_set_state(job->row, "there");

    if (s3_response_length(response, &size)) {
        (void) json_object_set_new(job->row, "size",
                                   json_integer((json_int_t) size));
    }

    ask_set_text(ask, job->row, "etag", s3_response_etag(response));
    ask_set_text(ask, job->row, "last_modified",
                 s3_response_header(response, "Last-Modified"));
    ask_set_text(ask, job->row, "version_id",
                 s3_response_header(response, "x-amz-version-id"));
    ask_set_metadata(ask, job->row, response);
}


static bool
ask_side(ask_t *ask, const json_t *side, chorus_str_t key)
{
    json_t        *row;
    s3_request_t   request;
    chorus_str_t   storage;

    storage = chorus_str_from(json_string_value(json_object_get(side,
                                                                "storage")));
    if (!ask_storage(ask, storage, &request)) {
        return false;
    }

    row = json_pack("{s:s, s:n, s:s, s:n, s:n, s:n, s:n, s:{}, s:b}",
                    "state", "failed", "status", "reason", "", "size", "etag",
                    "last_modified", "version_id", "metadata",
                    "metadata_is_whole", 1);
    request.method = "HEAD";
    request.bucket = chorus_str_from(json_string_value(
                                         json_object_get(side, "bucket")));
    request.key = key;

    (void) json_array_append_new(json_object_get(ask->answer, "sides"), row);
    ask_jobs_add(&ask->jobs, &request, row,
                 key.len == 0 ? ask_bucket_done : ask_object_done);

    return true;
}


static void
ask_object(ask_t *ask)
{
    size_t         i;
    json_t        *sides;
    chorus_str_t   key;

    sides = json_object_get(ask->question, "sides");

    if (!chorus_uri_decode(&ask->mem, ask_asked(ask, "key"), &key)
        || json_array_size(sides) > ASK_SIDES_MAX)
    {
        ask_refuse(ask, "bad_question", "the question has no key, or too "
                   "many sides");
        return;
    }

    if (key.len == 0) {
        key = chorus_null_str;
    }

    ask->answer = json_pack("{s:[]}", "sides");

    for (i = 0; i < json_array_size(sides); i++) {
        if (!ask_side(ask, json_array_get(sides, i), key)) {
            return;
        }
    }
}


/* ---- any question ---- */


static const struct {
    const char  *what;
    void       (*begin)(ask_t *ask);
} ask_kinds[] = {
    { "storages", ask_storages },
    { "buckets", ask_buckets },
    { "object", ask_object },
};


static void
ask_begin(ask_t *ask)
{
    size_t        i;
    chorus_str_t  what;

    what = ask_asked(ask, "what");

    for (i = 0; i < sizeof(ask_kinds) / sizeof(ask_kinds[0]); i++) {
        if (chorus_str_eq(what, chorus_str_from(ask_kinds[i].what))) {
            ask_kinds[i].begin(ask);
            return;
        }
    }

    ask_refuse(ask, "unknown_question", "the worker is older than this nginx "
               "and does not know the question");
}


char *
ask_answer(s3_client_t *client, const chorus_config_t *config,
    chorus_str_t question)
{
    char    *text;
    ask_t    ask;
    json_t  *parsed;

    memset(&ask, 0, sizeof(ask_t));

    ask.arena = chorus_arena_create();
    if (ask.arena == NULL) {
        return NULL;
    }

    parsed = json_loadb(question.data, question.len, 0, NULL);
    ask.mem = chorus_arena_mem(ask.arena);
    ask.config = config;
    ask.question = parsed;

    ask_begin(&ask);
    ask_jobs_run(&ask.jobs, client, &ask);

    text = ask.answer == NULL ? NULL : json_dumps(ask.answer, JSON_COMPACT);

    json_decref(ask.answer);
    json_decref(parsed);
    chorus_arena_destroy(ask.arena);

    return text;
}
