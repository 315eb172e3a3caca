/*
 * Replications, scans and workers as metrics.  There may be very many
 * replications: those that lag most have rows of their own, the others are one
 * row, "other".  Only what may go up and down is told of "other": a counter
 * would jump each time when a replication comes or goes.
 */

#include "ngx_http_chorus_module.h"

#include <jansson.h>


#define NGX_HTTP_CHORUS_ROWS_NAME     512
#define NGX_HTTP_CHORUS_ROWS_WORKERS  100


typedef enum {
    NGX_HTTP_CHORUS_ROW_LAG = 0,
    NGX_HTTP_CHORUS_ROW_DIRTY,
    NGX_HTTP_CHORUS_ROW_BULK,
    NGX_HTTP_CHORUS_ROW_BUSY,
    NGX_HTTP_CHORUS_ROW_RETRY,
    NGX_HTTP_CHORUS_ROW_FAILED,
    NGX_HTTP_CHORUS_ROW_BLOCKED,
    NGX_HTTP_CHORUS_ROW_ACTIVE,
    NGX_HTTP_CHORUS_ROW_GUARDED,
    NGX_HTTP_CHORUS_ROW_OWED,
    NGX_HTTP_CHORUS_ROW_SYNCED,
    NGX_HTTP_CHORUS_ROW_DELETED,
    NGX_HTTP_CHORUS_ROW_EQUAL,
    NGX_HTTP_CHORUS_ROW_BYTES,
    NGX_HTTP_CHORUS_ROW_ATTEMPTS,
    NGX_HTTP_CHORUS_ROW_SCANS,
    NGX_HTTP_CHORUS_ROW_SHARDS,
    NGX_HTTP_CHORUS_ROW_SHARDS_DONE,
    NGX_HTTP_CHORUS_ROW_COMPARED,
    NGX_HTTP_CHORUS_ROW_DIFFERENT,
    NGX_HTTP_CHORUS_ROW_VALUES
} ngx_http_chorus_row_e;

typedef struct {
    u_char                        name[NGX_HTTP_CHORUS_ROWS_NAME + 1];
    int64_t                       rank;
    int64_t                       values[NGX_HTTP_CHORUS_ROW_VALUES];
} ngx_http_chorus_row_t;

typedef struct {
    const char                   *name;
    const char                   *type;
    const char                   *help;
    const char                   *label;        /* besides, or "" */
    ngx_http_chorus_row_e         value;
    ngx_uint_t                    divisor;      /* 1000: of ms */
    unsigned                      scans:1;      /* while there is one */
} ngx_http_chorus_row_family_t;

struct ngx_http_chorus_rows_s {
    ngx_http_chorus_row_t         rows[NGX_HTTP_CHORUS_METRICS_ROWS];
    ngx_uint_t                    n;
    ngx_http_chorus_row_t         other;
    int64_t                       nothers;
    int64_t                       sums[NGX_HTTP_CHORUS_ROW_VALUES];
    int64_t                       total;
    ngx_uint_t                    owes_all;
    json_t                       *workers;      /* or NULL */
    json_t                       *seen;         /* names: SSCAN may repeat */
    json_t                       *seen_scans;
};


static void ngx_http_chorus_rows_cleanup(void *data);
static json_t *ngx_http_chorus_rows_parse(ngx_str_t *page, char *cursor);
static void ngx_http_chorus_rows_read(json_t *json, const char *name,
    ngx_http_chorus_row_t *row);
static void ngx_http_chorus_rows_add(ngx_http_chorus_rows_t *rows,
    ngx_http_chorus_row_t *row);
static void ngx_http_chorus_rows_sum(ngx_http_chorus_row_t *sum,
    const ngx_http_chorus_row_t *row);
static void ngx_http_chorus_rows_family(ngx_http_chorus_rows_t *rows,
    ngx_http_chorus_text_t *text, const ngx_http_chorus_row_family_t *family);
static void ngx_http_chorus_rows_line(ngx_http_chorus_text_t *text,
    const ngx_http_chorus_row_family_t *family,
    const ngx_http_chorus_row_t *row);
static void ngx_http_chorus_rows_totals(ngx_http_chorus_rows_t *rows,
    ngx_http_chorus_text_t *text);
static void ngx_http_chorus_rows_slots(ngx_http_chorus_rows_t *rows,
    ngx_http_chorus_text_t *text);
static void ngx_http_chorus_rows_storages(ngx_http_chorus_rows_t *rows,
    ngx_http_chorus_text_t *text, const char *field, const char *help);


/* Rows of one family stand together. */

static const ngx_http_chorus_row_family_t  ngx_http_chorus_row_families[] = {

    { "chorus_replication_lag_seconds", "gauge",
      "How long the oldest change has waited that is not synced; of other the "
      "longest.", "", NGX_HTTP_CHORUS_ROW_LAG, 1000, 0 },

    { "chorus_replication_keys", "gauge",
      "Keys by where they are: dirty and bulk wait, busy is being synced, "
      "retry failed and will be tried again, failed is parked.",
      ",queue=\"dirty\"", NGX_HTTP_CHORUS_ROW_DIRTY, 1, 0 },
    { "chorus_replication_keys", "gauge", NULL, ",queue=\"bulk\"",
      NGX_HTTP_CHORUS_ROW_BULK, 1, 0 },
    { "chorus_replication_keys", "gauge", NULL, ",queue=\"busy\"",
      NGX_HTTP_CHORUS_ROW_BUSY, 1, 0 },
    { "chorus_replication_keys", "gauge", NULL, ",queue=\"retry\"",
      NGX_HTTP_CHORUS_ROW_RETRY, 1, 0 },
    { "chorus_replication_keys", "gauge", NULL, ",queue=\"failed\"",
      NGX_HTTP_CHORUS_ROW_FAILED, 1, 0 },

    { "chorus_replication_blocked_keys", "gauge",
      "Parked keys that need a person.", "", NGX_HTTP_CHORUS_ROW_BLOCKED, 1,
      0 },

    { "chorus_replication_active", "gauge",
      "1, or 0 while it is paused; of other how many are active.", "",
      NGX_HTTP_CHORUS_ROW_ACTIVE, 1, 0 },

    { "chorus_replication_guarded", "gauge",
      "Whether the delete guard has paused it; of other how many.", "",
      NGX_HTTP_CHORUS_ROW_GUARDED, 1, 0 },

    { "chorus_replication_owes_scan", "gauge",
      "Whether it is to be compared as a whole; of other how many.", "",
      NGX_HTTP_CHORUS_ROW_OWED, 1, 0 },

    { "chorus_replication_synced_objects_total", "counter",
      "Keys that were copied.", "", NGX_HTTP_CHORUS_ROW_SYNCED, 1, 0 },
    { "chorus_replication_synced_bytes_total", "counter",
      "Bytes that were written to the follower.", "",
      NGX_HTTP_CHORUS_ROW_BYTES, 1, 0 },
    { "chorus_replication_deleted_objects_total", "counter",
      "Keys that were deleted on the follower.", "",
      NGX_HTTP_CHORUS_ROW_DELETED, 1, 0 },
    { "chorus_replication_equal_objects_total", "counter",
      "Keys that were found equal.", "", NGX_HTTP_CHORUS_ROW_EQUAL, 1, 0 },
    { "chorus_replication_failed_attempts_total", "counter",
      "Attempts that failed.", "", NGX_HTTP_CHORUS_ROW_ATTEMPTS, 1, 0 },

    { "chorus_scan_running", "gauge",
      "Whether a scan of it runs; of other how many.", "",
      NGX_HTTP_CHORUS_ROW_SCANS, 1, 0 },
    { "chorus_scan_shards", "gauge", "Parts of the scan that runs.",
      ",state=\"all\"", NGX_HTTP_CHORUS_ROW_SHARDS, 1, 1 },
    { "chorus_scan_shards", "gauge", NULL, ",state=\"done\"",
      NGX_HTTP_CHORUS_ROW_SHARDS_DONE, 1, 1 },
    { "chorus_scan_compared_keys", "gauge",
      "Keys of main that the scan that runs has compared.", "",
      NGX_HTTP_CHORUS_ROW_COMPARED, 1, 1 },
    { "chorus_scan_different_keys", "gauge",
      "Keys it found different, missing or surplus on the follower.", "",
      NGX_HTTP_CHORUS_ROW_DIFFERENT, 1, 1 },

    { NULL, NULL, NULL, NULL, 0, 0, 0 }
};


ngx_http_chorus_rows_t *
ngx_http_chorus_rows_create(ngx_pool_t *pool)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_chorus_rows_t  *rows;

    cln = ngx_pool_cleanup_add(pool, 0);
    rows = ngx_pcalloc(pool, sizeof(ngx_http_chorus_rows_t));

    if (cln == NULL || rows == NULL) {
        return NULL;
    }

    rows->seen = json_object();
    rows->seen_scans = json_object();

    (void) ngx_cpystrn(rows->other.name, (u_char *) "other",
                       NGX_HTTP_CHORUS_ROWS_NAME);

    cln->handler = ngx_http_chorus_rows_cleanup;
    cln->data = rows;

    return rows;
}


static void
ngx_http_chorus_rows_cleanup(void *data)
{
    ngx_http_chorus_rows_t *rows = data;

    json_decref(rows->workers);
    json_decref(rows->seen);
    json_decref(rows->seen_scans);
}


/* The cursor comes as text or as a number. */

static json_t *
ngx_http_chorus_rows_parse(ngx_str_t *page, char *cursor)
{
    json_t  *root, *next;

    root = json_loadb((char *) page->data, page->len, 0, NULL);
    next = json_object_get(root, "cursor");

    if (json_is_string(next)) {
        (void) ngx_cpystrn((u_char *) cursor,
                           (u_char *) json_string_value(next),
                           NGX_HTTP_CHORUS_ROWS_CURSOR);

    } else {
        *ngx_snprintf((u_char *) cursor, NGX_HTTP_CHORUS_ROWS_CURSOR - 1,
                      "%L", (int64_t) json_integer_value(next)) = '\0';
    }

    return root;
}


static int64_t
ngx_http_chorus_rows_number(json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}


ngx_int_t
ngx_http_chorus_rows_status(ngx_http_chorus_rows_t *rows, ngx_str_t *page,
    char *cursor)
{
    size_t                  i;
    json_t                 *root, *list, *json;
    const char             *name;
    ngx_http_chorus_row_t   row;

    root = ngx_http_chorus_rows_parse(page, cursor);
    list = json_object_get(root, "replications");

    if (!json_is_array(list)) {
        json_decref(root);
        return NGX_ERROR;
    }

    rows->total = ngx_http_chorus_rows_number(root, "replications_total");
    rows->owes_all = json_is_object(json_object_get(root, "debt"));

    json_array_foreach(list, i, json) {
        name = json_string_value(json_object_get(json, "replication"));

        if (name && json_object_get(rows->seen, name) == NULL) {
            (void) json_object_set_new(rows->seen, name, json_true());
            ngx_http_chorus_rows_read(json, name, &row);
            ngx_http_chorus_rows_add(rows, &row);
        }
    }

    json_decref(root);

    return NGX_OK;
}


static void
ngx_http_chorus_rows_read(json_t *json, const char *name,
    ngx_http_chorus_row_t *row)
{
    json_t      *counters;
    int64_t     *v;
    const char  *state;

    state = json_string_value(json_object_get(json, "state"));
    counters = json_object_get(json, "counters");

    ngx_memzero(row, sizeof(ngx_http_chorus_row_t));
    v = row->values;

    /* a name that would be cut might be that of another row: it has none */

    if (ngx_strlen(name) <= NGX_HTTP_CHORUS_ROWS_NAME) {
        (void) ngx_cpystrn(row->name, (u_char *) name,
                           NGX_HTTP_CHORUS_ROWS_NAME + 1);
    }

    v[NGX_HTTP_CHORUS_ROW_LAG] = ngx_http_chorus_rows_number(json, "lag_ms");
    v[NGX_HTTP_CHORUS_ROW_DIRTY] = ngx_http_chorus_rows_number(json, "dirty");
    v[NGX_HTTP_CHORUS_ROW_BULK] = ngx_http_chorus_rows_number(json, "bulk");
    v[NGX_HTTP_CHORUS_ROW_BUSY] = ngx_http_chorus_rows_number(json, "busy");
    v[NGX_HTTP_CHORUS_ROW_RETRY] = ngx_http_chorus_rows_number(json, "retry");
    v[NGX_HTTP_CHORUS_ROW_FAILED] =
                                ngx_http_chorus_rows_number(json, "failed");
    v[NGX_HTTP_CHORUS_ROW_BLOCKED] =
                                ngx_http_chorus_rows_number(json, "blocked");
    v[NGX_HTTP_CHORUS_ROW_OWED] = ngx_http_chorus_rows_number(json, "owed");
    v[NGX_HTTP_CHORUS_ROW_ACTIVE] =
                                state && ngx_strcmp(state, "active") == 0;
    v[NGX_HTTP_CHORUS_ROW_GUARDED] =
                            json_is_object(json_object_get(json, "guard"));

    row->rank = v[NGX_HTTP_CHORUS_ROW_LAG] + v[NGX_HTTP_CHORUS_ROW_DIRTY]
                + v[NGX_HTTP_CHORUS_ROW_BULK] + v[NGX_HTTP_CHORUS_ROW_BUSY]
                + v[NGX_HTTP_CHORUS_ROW_RETRY]
                + v[NGX_HTTP_CHORUS_ROW_FAILED];

    v[NGX_HTTP_CHORUS_ROW_SYNCED] =
                            ngx_http_chorus_rows_number(counters, "synced");
    v[NGX_HTTP_CHORUS_ROW_DELETED] =
                            ngx_http_chorus_rows_number(counters, "deleted");
    v[NGX_HTTP_CHORUS_ROW_EQUAL] =
                            ngx_http_chorus_rows_number(counters, "equal");
    v[NGX_HTTP_CHORUS_ROW_BYTES] =
                            ngx_http_chorus_rows_number(counters, "bytes");
    v[NGX_HTTP_CHORUS_ROW_ATTEMPTS] =
                    ngx_http_chorus_rows_number(counters, "failed_attempts");
}


/* Of those that lag alike the first by name, so that they stay the same. */

static ngx_uint_t
ngx_http_chorus_rows_is_less(const ngx_http_chorus_row_t *a,
    const ngx_http_chorus_row_t *b)
{
    return a->rank != b->rank ? a->rank < b->rank
                              : ngx_strcmp(a->name, b->name) > 0;
}


static void
ngx_http_chorus_rows_add(ngx_http_chorus_rows_t *rows,
    ngx_http_chorus_row_t *row)
{
    ngx_uint_t              i;
    ngx_http_chorus_row_t  *least, other;

    for (i = 0; i < NGX_HTTP_CHORUS_ROW_VALUES; i++) {
        rows->sums[i] += row->values[i];
    }

    if (row->name[0] != '\0' && rows->n < NGX_HTTP_CHORUS_METRICS_ROWS) {
        rows->rows[rows->n++] = *row;
        return;
    }

    for (least = rows->rows, i = 1; i < rows->n; i++) {
        if (ngx_http_chorus_rows_is_less(&rows->rows[i], least)) {
            least = &rows->rows[i];
        }
    }

    other = *row;

    if (row->name[0] != '\0' && ngx_http_chorus_rows_is_less(least, row)) {
        other = *least;
        *least = *row;
    }

    ngx_http_chorus_rows_sum(&rows->other, &other);
    rows->nothers++;
}


static void
ngx_http_chorus_rows_sum(ngx_http_chorus_row_t *sum,
    const ngx_http_chorus_row_t *row)
{
    int64_t     lag;
    ngx_uint_t  i;

    lag = ngx_max(sum->values[NGX_HTTP_CHORUS_ROW_LAG],
                  row->values[NGX_HTTP_CHORUS_ROW_LAG]);

    for (i = 0; i < NGX_HTTP_CHORUS_ROW_VALUES; i++) {
        sum->values[i] += row->values[i];
    }

    sum->values[NGX_HTTP_CHORUS_ROW_LAG] = lag;
}


/* Those that run; what is over is in the report of the scan. */

ngx_int_t
ngx_http_chorus_rows_scans(ngx_http_chorus_rows_t *rows, ngx_str_t *page,
    char *cursor)
{
    size_t                  i;
    json_t                 *root, *list, *json;
    int64_t                *v;
    ngx_uint_t              n;
    const char             *name, *state;

    root = ngx_http_chorus_rows_parse(page, cursor);
    list = json_object_get(root, "scans");

    if (!json_is_array(list)) {
        json_decref(root);
        return NGX_ERROR;
    }

    json_array_foreach(list, i, json) {
        name = json_string_value(json_object_get(json, "replication"));
        state = json_string_value(json_object_get(json, "state"));

        if (name == NULL || state == NULL
            || ngx_strcmp(state, "running") != 0
            || json_object_get(rows->seen_scans, name) != NULL)
        {
            continue;
        }

        (void) json_object_set_new(rows->seen_scans, name, json_true());

        for (n = 0; n < rows->n; n++) {
            if (ngx_strcmp(rows->rows[n].name, name) == 0) {
                break;
            }
        }

        v = n < rows->n ? rows->rows[n].values : rows->other.values;

        v[NGX_HTTP_CHORUS_ROW_SCANS]++;
        v[NGX_HTTP_CHORUS_ROW_SHARDS] +=
                            ngx_http_chorus_rows_number(json, "shards");
        v[NGX_HTTP_CHORUS_ROW_SHARDS_DONE] +=
                            ngx_http_chorus_rows_number(json, "shards_done");
        v[NGX_HTTP_CHORUS_ROW_COMPARED] +=
                            ngx_http_chorus_rows_number(json, "main");
        v[NGX_HTTP_CHORUS_ROW_DIFFERENT] +=
                            ngx_http_chorus_rows_number(json, "different")
                            + ngx_http_chorus_rows_number(json, "missing")
                            + ngx_http_chorus_rows_number(json, "surplus");
    }

    json_decref(root);

    return NGX_OK;
}


ngx_int_t
ngx_http_chorus_rows_workers(ngx_http_chorus_rows_t *rows, ngx_str_t *page,
    char *cursor)
{
    json_t  *root;

    root = ngx_http_chorus_rows_parse(page, cursor);

    rows->workers = json_incref(json_object_get(root, "workers"));
    json_decref(root);

    return json_is_array(rows->workers) ? NGX_OK : NGX_ERROR;
}


/* ---- as text ---- */


void
ngx_http_chorus_rows_write(ngx_http_chorus_rows_t *rows,
    ngx_http_chorus_text_t *text)
{
    const ngx_http_chorus_row_family_t  *family;

    ngx_http_chorus_rows_totals(rows, text);

    for (family = ngx_http_chorus_row_families; family->name; family++) {
        ngx_http_chorus_rows_family(rows, text, family);
    }

    ngx_http_chorus_rows_slots(rows, text);
    ngx_http_chorus_rows_storages(rows, text, "requests",
        "Requests to storages that had an answer, or should have had one.");
    ngx_http_chorus_rows_storages(rows, text, "errors",
        "Of these, without an answer or with 5xx but 503.");
    ngx_http_chorus_rows_storages(rows, text, "throttles",
        "Of these, answered with 429 or 503: asked too much.");
}


static void
ngx_http_chorus_rows_family(ngx_http_chorus_rows_t *rows,
    ngx_http_chorus_text_t *text, const ngx_http_chorus_row_family_t *family)
{
    ngx_uint_t  i;

    if (family->help) {
        ngx_http_chorus_text_family(text, family->name, family->type,
                                    family->help);
    }

    for (i = 0; i < rows->n; i++) {
        if (!family->scans
            || rows->rows[i].values[NGX_HTTP_CHORUS_ROW_SCANS])
        {
            ngx_http_chorus_rows_line(text, family, &rows->rows[i]);
        }
    }

    if (rows->nothers && family->type[0] == 'g') {
        ngx_http_chorus_rows_line(text, family, &rows->other);
    }
}


static void
ngx_http_chorus_rows_line(ngx_http_chorus_text_t *text,
    const ngx_http_chorus_row_family_t *family,
    const ngx_http_chorus_row_t *row)
{
    int64_t  value;

    value = row->values[family->value];

    ngx_http_chorus_text_add(text, "%s{replication=\"", family->name);
    ngx_http_chorus_text_label(text, (const char *) row->name);

    if (family->divisor == 1) {
        ngx_http_chorus_text_add(text, "\"%s} %L\n", family->label, value);

    } else {
        ngx_http_chorus_text_add(text, "\"%s} %L.%03L\n", family->label,
                                 value / 1000, value % 1000);
    }
}


static void
ngx_http_chorus_rows_totals(ngx_http_chorus_rows_t *rows,
    ngx_http_chorus_text_t *text)
{
    ngx_http_chorus_text_family(text, "chorus_replications", "gauge",
        "Replications that Redis knows.");
    ngx_http_chorus_text_add(text, "chorus_replications %L\n", rows->total);

    ngx_http_chorus_text_family(text, "chorus_all_owe_scan", "gauge",
        "Whether all replications are to be compared as a whole.");
    ngx_http_chorus_text_add(text, "chorus_all_owe_scan %ui\n",
                             rows->owes_all);

    ngx_http_chorus_text_family(text, "chorus_synced_objects_total",
        "counter", "Keys that were copied, of all replications.");
    ngx_http_chorus_text_add(text, "chorus_synced_objects_total %L\n",
                             rows->sums[NGX_HTTP_CHORUS_ROW_SYNCED]);

    ngx_http_chorus_text_family(text, "chorus_synced_bytes_total", "counter",
        "Bytes that were written to followers, of all replications.");
    ngx_http_chorus_text_add(text, "chorus_synced_bytes_total %L\n",
                             rows->sums[NGX_HTTP_CHORUS_ROW_BYTES]);

    ngx_http_chorus_text_family(text, "chorus_workers", "gauge",
        "Workers that live.");
    ngx_http_chorus_text_add(text, "chorus_workers %uz\n",
                             json_array_size(rows->workers));
}


static void
ngx_http_chorus_rows_slots(ngx_http_chorus_rows_t *rows,
    ngx_http_chorus_text_t *text)
{
    size_t      i, n;
    json_t     *worker;
    ngx_uint_t  busy;

    n = ngx_min(json_array_size(rows->workers), NGX_HTTP_CHORUS_ROWS_WORKERS);

    for (busy = 0; busy < 2; busy++) {

        ngx_http_chorus_text_family(text,
            busy ? "chorus_worker_busy_slots" : "chorus_worker_slots",
            "gauge", busy ? "Slots that sync a key now."
                          : "Keys that the worker can sync at once.");

        for (i = 0; i < n; i++) {
            worker = json_array_get(rows->workers, i);

            ngx_http_chorus_text_add(text, "chorus_worker_%sslots{worker=\"",
                                     busy ? "busy_" : "");
            ngx_http_chorus_text_label(text, json_string_value(
                                       json_object_get(worker, "worker")));
            ngx_http_chorus_text_add(text, "\"} %L\n",
                ngx_http_chorus_rows_number(worker, busy ? "busy" : "slots"));
        }
    }
}


static void
ngx_http_chorus_rows_storages(ngx_http_chorus_rows_t *rows,
    ngx_http_chorus_text_t *text, const char *field, const char *help)
{
    char     name[64];
    size_t   i, j, n;
    json_t  *worker, *list, *storage;

    *ngx_snprintf((u_char *) name, sizeof(name) - 1,
                  "chorus_worker_storage_%s_total", field) = '\0';
    ngx_http_chorus_text_family(text, name, "counter", help);

    n = ngx_min(json_array_size(rows->workers), NGX_HTTP_CHORUS_ROWS_WORKERS);

    for (i = 0; i < n; i++) {
        worker = json_array_get(rows->workers, i);
        list = json_object_get(worker, "storages");

        json_array_foreach(list, j, storage) {
            ngx_http_chorus_text_add(text, "%s{worker=\"", name);
            ngx_http_chorus_text_label(text, json_string_value(
                                       json_object_get(worker, "worker")));
            ngx_http_chorus_text_add(text, "\",storage=\"");
            ngx_http_chorus_text_label(text, json_string_value(
                                       json_object_get(storage, "storage")));
            ngx_http_chorus_text_add(text, "\"} %L\n",
                ngx_http_chorus_rows_number(storage, field));
        }
    }
}
