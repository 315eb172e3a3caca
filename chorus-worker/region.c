/*
 * A small table; when it is full its rows are used again in turn, and what is
 * forgotten is told again by the storage.
 *
 * A storage names the region and never the host: a host that it could name
 * would get content signed with our key.  The endpoint of another region is
 * the configured one with its region replaced ("s3.eu-1.example.net"); one
 * that has no region in its name serves all of them.
 */

#include <pthread.h>
#include <string.h>

#include "chorus_s3_xml.h"
#include "log.h"
#include "region.h"

#define REGION_ROWS      64
#define REGION_NAME_MAX  64
#define REGION_KEY_MAX   136        /* storage, bucket */


typedef struct {
    char    storage[REGION_KEY_MAX];
    size_t  storage_len;
    char    bucket[REGION_KEY_MAX];
    size_t  bucket_len;
    char    name[REGION_NAME_MAX];
    size_t  name_len;
} region_row_t;

static region_row_t     region_rows[REGION_ROWS];
static size_t           region_next;
static pthread_mutex_t  region_mutex = PTHREAD_MUTEX_INITIALIZER;


/* It becomes a part of a host's name. */

static bool
region_is_valid(chorus_str_t name)
{
    size_t  i;

    for (i = 0; i < name.len; i++) {
        if (!chorus_is_alnum(name.data[i]) && name.data[i] != '-') {
            return false;
        }
    }

    return name.len != 0 && name.len <= REGION_NAME_MAX;
}


chorus_str_t
region_of_answer(const s3_response_t *response)
{
    chorus_str_t  region;

    if (!s3_response_is(response, 301) && !s3_response_is(response, 307)
        && !s3_response_is(response, 400))
    {
        return chorus_null_str;
    }

    region = s3_response_header(response, "x-amz-bucket-region");

    if (region.len == 0
        && s3_response_has_code(response, "AuthorizationHeaderMalformed"))
    {
        region = chorus_xml_text(response->mem,
                                 chorus_buf_str(&response->body), "Region");
    }

    return region_is_valid(region) ? region : chorus_null_str;
}


static region_row_t *
region_find(chorus_str_t storage, chorus_str_t bucket)
{
    size_t         i;
    region_row_t  *row;

    for (i = 0; i < REGION_ROWS; i++) {
        row = &region_rows[i];

        if (row->name_len != 0
            && chorus_str_eq(storage, (chorus_str_t) { row->storage,
                                                       row->storage_len })
            && chorus_str_eq(bucket, (chorus_str_t) { row->bucket,
                                                      row->bucket_len }))
        {
            return row;
        }
    }

    return NULL;
}


/* "s3.eu-1.example.net" for "s3.us-east-1.example.net": a label, or the part
 * of one that follows "s3-" */

static chorus_str_t
region_replaced(chorus_mem_t *mem, chorus_str_t text, chorus_str_t from,
    chorus_str_t to)
{
    size_t        i, end;
    chorus_buf_t  buf;

    for (i = 1; i + from.len < text.len; i++) {
        end = i + from.len;

        if ((text.data[i - 1] != '.' && text.data[i - 1] != '-')
            || memcmp(text.data + i, from.data, from.len) != 0
            || text.data[end] != '.')
        {
            continue;
        }

        buf = chorus_buf(mem, text.len + to.len + 1);
        chorus_buf_add(&buf, (chorus_str_t) { text.data, i });
        chorus_buf_add(&buf, to);
        chorus_buf_add(&buf, chorus_str_sub(text, end));

        return chorus_buf_str(&buf);
    }

    return text;
}


chorus_storage_t
region_storage(chorus_mem_t *mem, const s3_request_t *request)
{
    char               name[REGION_NAME_MAX];
    size_t             len;
    chorus_str_t       region;
    region_row_t      *row;
    chorus_storage_t   storage;

    storage = *request->storage;

    (void) pthread_mutex_lock(&region_mutex);
    row = region_find(storage.name, request->bucket);
    len = row == NULL ? 0 : row->name_len;
    if (len != 0) {
        memcpy(name, row->name, len);
    }
    (void) pthread_mutex_unlock(&region_mutex);

    if (len == 0) {
        return storage;
    }

    region = chorus_str_dup(mem, (chorus_str_t) { name, len });
    if (region.data == NULL) {
        return storage;
    }

    storage.endpoint = region_replaced(mem, storage.endpoint, storage.region,
                                       region);
    storage.host = region_replaced(mem, storage.host, storage.region, region);
    storage.region = region;

    return storage;
}


bool
region_learn(const s3_request_t *request, const chorus_storage_t *asked,
    chorus_str_t region)
{
    chorus_str_t   storage, bucket;
    region_row_t  *row;

    storage = asked->name;
    bucket = request->bucket;

    if (chorus_str_eq(asked->region, region) || !region_is_valid(region)
        || storage.len > REGION_KEY_MAX || bucket.len > REGION_KEY_MAX)
    {
        return false;
    }

    (void) pthread_mutex_lock(&region_mutex);

    row = region_find(storage, bucket);
    if (row == NULL) {
        row = &region_rows[region_next++ % REGION_ROWS];
        memcpy(row->storage, storage.data, storage.len);
        row->storage_len = storage.len;
        memcpy(row->bucket, bucket.data, bucket.len);
        row->bucket_len = bucket.len;
    }

    memcpy(row->name, region.data, region.len);
    row->name_len = region.len;

    (void) pthread_mutex_unlock(&region_mutex);

    log_write(LOG_INFO, "storage=%.*s bucket=%.*s is in the region %.*s",
              chorus_fmt(storage), chorus_fmt(bucket), chorus_fmt(region));

    return true;
}
