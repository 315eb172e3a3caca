/*
 * A table of a fixed size, found by hash.  When it is full, further users
 * count as unknown: nothing is asked again for each key.
 */

#include <pthread.h>
#include <string.h>

#include "chorus_s3_xml.h"
#include "clock.h"
#include "flight.h"
#include "identity.h"

#define IDENTITY_MAX         8192       /* a power of two */
#define IDENTITY_FULL        (IDENTITY_MAX / 4 * 3)
#define IDENTITY_NAME_SIZE   208        /* "storage/access key" */
#define IDENTITY_ID_SIZE     208        /* AWS: 64; Ceph: tenant$user */
#define IDENTITY_REFUSED_MS  60000

/* The owner stands in front of the buckets, of which there may be many. */
#define IDENTITY_HEAD        4096


typedef struct {
    char      name[IDENTITY_NAME_SIZE];
    size_t    name_len;                 /* 0: free */
    char      id[IDENTITY_ID_SIZE];
    size_t    id_len;                   /* 0: refused */
    int64_t   until_ms;                 /* of a refusal */
} identity_t;

/* The first bytes of an answer. */
typedef struct {
    char    bytes[IDENTITY_HEAD];
    size_t  len;
} identity_head_t;


static identity_t       identities[IDENTITY_MAX];
static size_t           identities_n;
static pthread_mutex_t  identity_mutex = PTHREAD_MUTEX_INITIALIZER;


/* FNV-1a */

static size_t
identity_hash(chorus_str_t name)
{
    size_t    i;
    uint32_t  hash;

    hash = 2166136261u;

    for (i = 0; i < name.len; i++) {
        hash = (hash ^ (unsigned char) name.data[i]) * 16777619u;
    }

    return hash & (IDENTITY_MAX - 1);
}


/* Its place, or the free one where it would be; there always is one. */

static identity_t *
identity_slot(chorus_str_t name)
{
    size_t       i;
    identity_t  *identity;

    for (i = identity_hash(name); /* void */ ; i = (i + 1) % IDENTITY_MAX) {

        identity = &identities[i];

        if (identity->name_len == 0
            || (identity->name_len == name.len
                && memcmp(identity->name, name.data, name.len) == 0))
        {
            return identity;
        }
    }
}


/* Whether it is known; a refusal is for its time. */

static bool
identity_get(chorus_mem_t *mem, chorus_str_t name, chorus_str_t *id)
{
    bool         is_known;
    identity_t  *identity;

    *id = chorus_null_str;

    (void) pthread_mutex_lock(&identity_mutex);

    identity = identity_slot(name);

    if (identity->name_len == 0) {
        is_known = identities_n == IDENTITY_FULL;

    } else if (identity->id_len == 0) {
        is_known = clock_ms() < identity->until_ms;

    } else {
        is_known = true;
        *id = chorus_str_dup(mem, (chorus_str_t) { identity->id,
                                                   identity->id_len });
    }

    (void) pthread_mutex_unlock(&identity_mutex);

    return is_known;
}


/* An empty id is a refusal; so is one that is too long to be true. */

static void
identity_set(chorus_str_t name, chorus_str_t id)
{
    identity_t  *identity;

    (void) pthread_mutex_lock(&identity_mutex);

    identity = identity_slot(name);

    if (identity->name_len == 0 && identities_n < IDENTITY_FULL) {
        memcpy(identity->name, name.data, name.len);
        identity->name_len = name.len;
        identities_n++;
    }

    if (identity->name_len != 0) {
        identity->id_len = id.len > IDENTITY_ID_SIZE ? 0 : id.len;
        identity->until_ms = clock_ms() + IDENTITY_REFUSED_MS;

        if (identity->id_len != 0) {
            memcpy(identity->id, id.data, id.len);
        }
    }

    (void) pthread_mutex_unlock(&identity_mutex);
}


static size_t
identity_write(void *data, const char *bytes, size_t len)
{
    size_t            n;
    identity_head_t  *head = data;

    n = IDENTITY_HEAD - head->len;
    n = n < len ? n : len;
    memcpy(head->bytes + head->len, bytes, n);
    head->len += n;

    return len;
}


/* [Amazon S3 API Reference, "ListBuckets"] */

static work_rc_t
identity_ask(work_t *work, failure_side_t side,
    const chorus_credential_t *credential, chorus_str_t *id)
{
    s3_request_t          get;
    identity_head_t       head;
    const s3_response_t  *response;

    *id = chorus_null_str;
    head.len = 0;

    get = work_bucket_request(work, side, "GET", NULL);
    get.bucket = chorus_str("");
    get.credential = credential;
    get.write = identity_write;
    get.data = &head;

    response = s3_client_call(work->client, S3_LANE_SIDE, &get);

    if (s3_response_is(response, 200)) {
        *id = chorus_xml_text(work->mem, (chorus_str_t) { head.bytes,
                                                          head.len }, "ID");
        return WORK_DONE;
    }

    (void) work_fail(work, side, "GET service", response);

    /* a user who may not ask is one thing, a storage in trouble another */
    return work->failure.is_transport || work->failure.kind == FAILURE_AGAIN
           || work->failure.kind == FAILURE_STOPPED ? WORK_FAILED : WORK_DONE;
}


static work_rc_t
identity_learn(work_t *work, failure_side_t side, chorus_str_t user,
    const chorus_credential_t *credential, chorus_str_t name,
    chorus_str_t *id)
{
    if (identity_ask(work, side, credential, id) != WORK_DONE) {
        return WORK_FAILED;
    }

    if (id->len == 0) {
        *id = chorus_null_str;
        work_log(work, LOG_WARN, "storage=%.*s does not tell the canonical "
                 "id of user \"%.*s\": grants to them are not replicated",
                 chorus_fmt(side == FAILURE_SIDE_MAIN ? work->main->name
                                                      : work->follower->name),
                 chorus_fmt(user));
    }

    identity_set(name, *id);

    return WORK_DONE;
}


work_rc_t
identity_of(work_t *work, failure_side_t side, chorus_str_t user,
    chorus_str_t *id)
{
    work_rc_t                   rc;
    chorus_str_t                name;
    chorus_buf_t                buf;
    const chorus_storage_t     *storage;
    const chorus_credential_t  *credential;

    *id = chorus_null_str;

    storage = side == FAILURE_SIDE_MAIN ? work->main : work->follower;
    credential = chorus_storage_credential(storage, user);

    if (credential == NULL) {
        return WORK_DONE;
    }

    buf = chorus_buf(work->mem, IDENTITY_NAME_SIZE);
    chorus_buf_add(&buf, storage->name);
    chorus_buf_char(&buf, '/');
    chorus_buf_add(&buf, credential->access_key);
    name = chorus_buf_str(&buf);

    if (name.data == NULL || name.len > IDENTITY_NAME_SIZE) {
        return name.data == NULL ? work_fail_here(work, "out of memory")
                                 : WORK_DONE;
    }

    while (!identity_get(work->mem, name, id)) {

        if (!task_is_alive(work->task)) {
            failure_set(&work->failure, FAILURE_STOPPED, side, "Stopped",
                        "stopped");
            return WORK_FAILED;
        }

        if (flight_begin(name, work->task)) {
            rc = identity_learn(work, side, user, credential, name, id);
            flight_end(name);
            return rc;
        }
    }

    return WORK_DONE;
}


work_rc_t
identity_find(work_t *work, chorus_str_t id, chorus_str_t *user)
{
    size_t                  i;
    chorus_str_t            other;
    const chorus_config_t  *config;

    *user = chorus_null_str;
    config = work->config;

    for (i = 0; i < config->nusers; i++) {

        if (identity_of(work, FAILURE_SIDE_MAIN, config->users[i].name,
                        &other) != WORK_DONE)
        {
            return WORK_FAILED;
        }

        if (other.len != 0 && chorus_str_eq(other, id)) {
            *user = config->users[i].name;
            break;
        }
    }

    return WORK_DONE;
}
