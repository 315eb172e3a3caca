#include "dash_data.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DASH_PAGES   100        /* of 200 replications */
#define DASH_LAG_MS  300000     /* longer is an alert */


static int64_t
dash_now_ms(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);

    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}


static int64_t
dash_number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}


/* Names come from requests: nothing but plain ASCII reaches the terminal. */

static void
dash_text(const json_t *object, const char *name, char *out, size_t size)
{
    size_t       i;
    const char  *s;

    s = json_string_value(json_object_get(object, name));

    for (i = 0; s != NULL && s[i] != '\0' && i < size - 1; i++) {
        out[i] = s[i] < ' ' || s[i] > '~' ? '?' : s[i];
    }

    out[i] = '\0';
}


static void dash_alert(dash_data_t *data, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
dash_alert(dash_data_t *data, const char *format, ...)
{
    va_list  args;

    if (data->nalerts == DASH_ALERTS) {
        return;
    }

    va_start(args, format);
    (void) vsnprintf(data->alerts[data->nalerts++], DASH_ALERT, format, args);
    va_end(args);
}


static double
dash_rate(const dash_data_t *before, const dash_data_t *data, int64_t old,
    int64_t now)
{
    int64_t  ms = data->looked_ms - before->looked_ms;

    /* without Redis there were no counts */
    if (before->looked_ms == 0 || !before->has_redis || ms <= 0 || now < old)
    {
        return -1;
    }

    return (double) (now - old) * 1000 / (double) ms;
}


/* ---- replications ---- */


static void
dash_take_row(const json_t *json, dash_row_t *row)
{
    const json_t  *counters = json_object_get(json, "counters");

    memset(row, 0, sizeof(dash_row_t));
    dash_text(json, "replication", row->name, sizeof(row->name));
    dash_text(json, "state", row->state, sizeof(row->state));

    row->lag_ms = dash_number(json, "lag_ms");
    row->waiting = dash_number(json, "dirty") + dash_number(json, "bulk");
    row->busy = dash_number(json, "busy");
    row->retry = dash_number(json, "retry");
    row->parked = dash_number(json, "failed");
    row->done = dash_number(counters, "synced")
                + dash_number(counters, "deleted")
                + dash_number(counters, "equal");
}


/* Before: what lags longest, then what waits, then what is parked. */

static int
dash_compare(const void *left, const void *right)
{
    const dash_row_t  *a = left, *b = right;

    if (a->lag_ms / 1000 != b->lag_ms / 1000) {
        return a->lag_ms < b->lag_ms ? 1 : -1;
    }

    if (a->waiting != b->waiting) {
        return a->waiting < b->waiting ? 1 : -1;
    }

    if (a->parked != b->parked) {
        return a->parked < b->parked ? 1 : -1;
    }

    return strcmp(a->name, b->name);
}


static void
dash_add_row(dash_data_t *data, const dash_row_t *row)
{
    size_t       i;
    dash_row_t  *sum = &data->sum, *last;

    sum->lag_ms = row->lag_ms > sum->lag_ms ? row->lag_ms : sum->lag_ms;
    sum->waiting += row->waiting;
    sum->busy += row->busy;
    sum->retry += row->retry;
    sum->parked += row->parked;
    sum->done += row->done;

    if (data->nrows < DASH_ROWS) {
        data->rows[data->nrows++] = *row;
        return;
    }

    for (last = data->rows, i = 1; i < data->nrows; i++) {
        last = dash_compare(last, &data->rows[i]) < 0 ? &data->rows[i] : last;
    }

    if (dash_compare(row, last) < 0) {
        *last = *row;
    }
}


static void
dash_take_proxy(const json_t *proxy, dash_data_t *data)
{
    const json_t  *journal = json_object_get(proxy, "journal");

    data->requests = dash_number(proxy, "requests");
    data->unsent = dash_number(proxy, "waiting");
    dash_text(journal, "state", data->journal, sizeof(data->journal));
    data->journal_bytes = dash_number(journal, "bytes");
}


/* "0": it was the last page. */

static void
dash_cursor(const json_t *json, char *cursor, size_t size)
{
    const json_t  *next = json_object_get(json, "cursor");

    if (json_is_string(next)) {
        (void) snprintf(cursor, size, "%s", json_string_value(next));

    } else {
        (void) snprintf(cursor, size, "%lld",
                        (long long) json_integer_value(next));
    }
}


static bool
dash_look_status(const ctl_options_t *options, dash_data_t *data,
    char *cursor, size_t size)
{
    char           path[128];
    size_t         i;
    json_t        *root, *queue, *json;
    dash_row_t     row;

    (void) snprintf(path, sizeof(path), "/api/v1/status?cursor=%s", cursor);

    root = api_get(options, path);
    if (root == NULL) {
        data->has_redis = false;
        return false;
    }

    data->has_api = true;
    dash_take_proxy(json_object_get(root, "proxy"), data);

    queue = json_object_get(root, "queue");
    data->has_redis = queue != NULL;
    data->total = (size_t) dash_number(queue, "replications_total");
    dash_cursor(queue, cursor, size);

    json_array_foreach(json_object_get(queue, "replications"), i, json) {
        dash_take_row(json, &row);
        dash_add_row(data, &row);
        data->bytes += dash_number(json_object_get(json, "counters"),
                                   "bytes");
        data->owed += json_is_object(json_object_get(json, "debt"));
        data->held += json_is_object(json_object_get(json, "held"));
        data->guarded += json_is_object(json_object_get(json, "guard"));
    }

    json_decref(root);

    return data->has_redis;
}


/* ---- scans, workers, proxies ---- */


static void
dash_take_scan(const json_t *json, bool is_listed, dash_scan_t *scan)
{
    dash_text(json, "replication", scan->name, sizeof(scan->name));
    dash_text(json, "kind", scan->kind, sizeof(scan->kind));

    if (is_listed) {
        scan->steps_done = dash_number(json, "copied")
                           + dash_number(json, "deleted")
                           + dash_number(json, "unchanged")
                           + dash_number(json, "failed");
        scan->steps = scan->steps_done + dash_number(json, "waiting");

    } else {
        scan->steps = dash_number(json, "shards");
        scan->steps_done = dash_number(json, "shards_done");
    }

    scan->compared = dash_number(json, "main");
    scan->speed = is_listed ? dash_number(json, "objects_per_second")
                            : dash_number(json, "keys_per_second");
    scan->different = dash_number(json, "different")
                      + dash_number(json, "missing")
                      + dash_number(json, "surplus");
}


static bool
dash_look_scans(const ctl_options_t *options, dash_data_t *data,
    char *cursor, size_t size)
{
    bool     is_listed;
    char     path[128], phase[16];
    size_t   i;
    json_t  *root, *json;

    (void) snprintf(path, sizeof(path), "/api/v1/scans?cursor=%s", cursor);

    root = api_get(options, path);
    if (root == NULL) {
        return false;
    }

    json_array_foreach(json_object_get(root, "scans"), i, json) {
        dash_text(json, "phase", phase, sizeof(phase));
        is_listed = strcmp(phase, "copying") == 0;

        if ((is_listed || strcmp(phase, "listing") == 0)
            && data->nscans < DASH_SCANS)
        {
            dash_take_scan(json, is_listed, &data->scans[data->nscans++]);
        }
    }

    dash_cursor(root, cursor, size);
    json_decref(root);

    return true;
}


static void
dash_look_workers(const ctl_options_t *options, dash_data_t *data)
{
    size_t          i, j;
    json_t         *root, *json, *storage;
    dash_worker_t  *worker;

    root = api_get(options, "/api/v1/workers");

    json_array_foreach(json_object_get(root, "workers"), i, json) {

        if (data->nworkers == DASH_WORKERS) {
            break;
        }

        worker = &data->workers[data->nworkers++];
        dash_text(json, "worker", worker->name, sizeof(worker->name));
        worker->slots = dash_number(json, "slots");
        worker->busy = dash_number(json, "busy");

        json_array_foreach(json_object_get(json, "storages"), j, storage) {
            worker->requests += dash_number(storage, "requests");
            worker->errors += dash_number(storage, "errors");
            worker->throttles += dash_number(storage, "throttles");
        }
    }

    json_decref(root);
}


static void
dash_look_readers(const ctl_options_t *options, dash_data_t *data)
{
    char     kind[16];
    size_t   i;
    json_t  *root, *json;

    root = api_get(options, "/api/v1/readers");
    data->version = dash_number(root, "version");
    data->behind = (size_t) dash_number(root, "behind");

    json_array_foreach(json_object_get(root, "readers"), i, json) {
        dash_text(json, "kind", kind, sizeof(kind));
        data->nproxies += strcmp(kind, "proxy") == 0;
    }

    json_decref(root);
}


/* ---- what is made of it ---- */


static void
dash_find_rates(const dash_data_t *before, dash_data_t *data)
{
    size_t       i, j;
    dash_row_t  *row;

    for (i = 0; i < data->nrows; i++) {
        row = &data->rows[i];
        row->rate = -1;

        for (j = 0; j < before->nrows; j++) {
            if (strcmp(before->rows[j].name, row->name) == 0) {
                row->rate = dash_rate(before, data, before->rows[j].done,
                                      row->done);
                break;
            }
        }
    }

    data->sum.rate = dash_rate(before, data, before->sum.done,
                               data->sum.done);
    data->bytes_rate = dash_rate(before, data, before->bytes, data->bytes);
    data->requests_rate = dash_rate(before, data, before->requests,
                                    data->requests);
}


static void
dash_find_alerts(const ctl_options_t *options, dash_data_t *data)
{
    if (!data->has_api) {
        dash_alert(data, "the API does not answer, or not to this token: %s",
                   options->url);
        return;
    }

    if (!data->has_redis) {
        dash_alert(data, "Redis is away: writes go on, %lld keys wait for it",
                   (long long) data->unsent);
    }

    if (data->journal[0] != '\0' && strcmp(data->journal, "good") != 0) {
        dash_alert(data, "the journal takes nothing: it is %s",
                   data->journal);
    }

    if (data->has_redis && data->nworkers == 0) {
        dash_alert(data, "there is no worker: nothing is replicated");

    } else if (data->has_redis && data->nworkers < data->most_workers) {
        dash_alert(data, "%zu workers, there were %zu", data->nworkers,
                   data->most_workers);
    }

    if (data->sum.lag_ms > DASH_LAG_MS) {
        dash_alert(data, "the oldest change has waited for %lld minutes",
                   (long long) (data->sum.lag_ms / 60000));
    }

    if (data->held != 0) {
        dash_alert(data, "%zu replications are held (chorusctl status)",
                   data->held);
    }

    if (data->guarded != 0) {
        dash_alert(data, "%zu replications are paused by the delete guard "
                   "(chorusctl status)", data->guarded);
    }

    if (data->sum.parked != 0) {
        dash_alert(data, "%lld keys are parked (chorusctl failed)",
                   (long long) data->sum.parked);
    }

    if (data->owed != 0) {
        dash_alert(data, "%zu replications owe a scan", data->owed);
    }
}


static void
dash_remember(const dash_data_t *before, dash_data_t *data)
{
    memcpy(data->history, before->history, sizeof(data->history));
    data->nhistory = before->nhistory;

    if (data->sum.rate < 0) {
        return;
    }

    if (data->nhistory == DASH_HISTORY) {
        data->nhistory--;
        memmove(data->history, data->history + 1,
                data->nhistory * sizeof(double));
    }

    data->history[data->nhistory++] = data->sum.rate;
}


void
dash_data_look(const ctl_options_t *options, const dash_data_t *before,
    dash_data_t *data)
{
    int   pages = 0;
    char  cursor[32] = "0";

    memset(data, 0, sizeof(dash_data_t));
    data->looked_ms = dash_now_ms();

    while (dash_look_status(options, data, cursor, sizeof(cursor))
           && strcmp(cursor, "0") != 0 && ++pages < DASH_PAGES)
    {
        /* void */
    }

    qsort(data->rows, data->nrows, sizeof(dash_row_t), dash_compare);

    if (data->has_redis) {
        (void) snprintf(cursor, sizeof(cursor), "0");
        pages = 0;

        while (dash_look_scans(options, data, cursor, sizeof(cursor))
               && strcmp(cursor, "0") != 0 && ++pages < DASH_PAGES)
        {
            /* void */
        }

        dash_look_workers(options, data);
        dash_look_readers(options, data);
    }

    data->most_workers = data->nworkers > before->most_workers
                         ? data->nworkers : before->most_workers;

    if (data->has_redis) {
        dash_find_rates(before, data);

    } else {
        data->sum.rate = data->bytes_rate = data->requests_rate = -1;
    }

    dash_remember(before, data);
    dash_find_alerts(options, data);
}
