/*
 * chorus_metrics: what this proxy counts, and what Redis knows, in the text
 * format of Prometheus.
 */

#include "ngx_http_chorus_module.h"


#define NGX_HTTP_CHORUS_METRICS_CACHE_MS  5000

#define NGX_HTTP_CHORUS_TEXT_LINE   2048
#define NGX_HTTP_CHORUS_TEXT_LABEL  512


static ngx_int_t ngx_http_chorus_metrics_handler(ngx_http_request_t *r);
static void ngx_http_chorus_metrics_told(ngx_http_request_t *r,
    ngx_str_t *told);
static ngx_int_t ngx_http_chorus_metrics_send(ngx_http_request_t *r,
    ngx_str_t *told);
static void ngx_http_chorus_metrics_requests(ngx_http_chorus_text_t *text,
    ngx_http_chorus_metrics_t *metrics);
static void ngx_http_chorus_metrics_bytes(ngx_http_chorus_text_t *text,
    ngx_http_chorus_metrics_t *metrics);
static void ngx_http_chorus_metrics_histogram(ngx_http_chorus_text_t *text,
    const char *name, const char *class,
    ngx_http_chorus_histogram_t *histogram, const uint64_t *steps);
static void ngx_http_chorus_metrics_times(ngx_http_chorus_text_t *text,
    ngx_http_chorus_metrics_t *metrics);
static void ngx_http_chorus_metrics_refusals(ngx_http_chorus_text_t *text,
    ngx_http_chorus_metrics_t *metrics);
static void ngx_http_chorus_metrics_marks(ngx_http_chorus_text_t *text,
    ngx_http_chorus_main_conf_t *cmcf);
static void ngx_http_chorus_metrics_journal(ngx_http_chorus_text_t *text,
    ngx_http_chorus_main_conf_t *cmcf, ngx_http_chorus_process_t *sum);


char *
ngx_http_chorus_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_chorus_loc_conf_t *lcf = conf;

    ngx_str_t                    *value, time;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_chorus_module);

    if (cmcf->config == NULL) {
        return "needs \"chorus_config\" before it";
    }

    value = cf->args->elts;
    lcf->metrics_cache = NGX_HTTP_CHORUS_METRICS_CACHE_MS;

    if (cf->args->nelts == 2) {

        if (ngx_strncmp(value[1].data, "cache=", 6) != 0) {
            return "takes \"cache=time\" only";
        }

        time.data = value[1].data + 6;
        time.len = value[1].len - 6;
        lcf->metrics_cache = ngx_parse_time(&time, 0);

        if (lcf->metrics_cache == (ngx_msec_t) NGX_ERROR) {
            return "has no time behind \"cache=\"";
        }
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_chorus_metrics_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_chorus_metrics_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_str_t                     told;
    ngx_http_chorus_loc_conf_t   *lcf;
    ngx_http_chorus_main_conf_t  *cmcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_chorus_module);

    rc = ngx_http_chorus_gauges_ask(cmcf, r, lcf->metrics_cache, &told,
                                    ngx_http_chorus_metrics_told);

    if (rc == NGX_AGAIN) {
        r->main->count++;
        return NGX_DONE;
    }

    return rc == NGX_OK ? ngx_http_chorus_metrics_send(r, &told)
                        : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static void
ngx_http_chorus_metrics_told(ngx_http_request_t *r, ngx_str_t *told)
{
    ngx_http_finalize_request(r, ngx_http_chorus_metrics_send(r, told));
}


static ngx_int_t
ngx_http_chorus_metrics_send(ngx_http_request_t *r, ngx_str_t *told)
{
    ngx_int_t                     rc;
    ngx_buf_t                    *b;
    ngx_chain_t                   out;
    ngx_http_chorus_text_t        text;
    ngx_http_chorus_process_t     sum;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_chorus_module);
    sum = ngx_http_chorus_processes_sum(cmcf->counters);

    ngx_memzero(&text, sizeof(ngx_http_chorus_text_t));
    text.pool = r->pool;

    ngx_http_chorus_metrics_requests(&text, &cmcf->counters->metrics);
    ngx_http_chorus_metrics_refusals(&text, &cmcf->counters->metrics);
    ngx_http_chorus_metrics_bytes(&text, &cmcf->counters->metrics);
    ngx_http_chorus_metrics_times(&text, &cmcf->counters->metrics);
    ngx_http_chorus_metrics_marks(&text, cmcf);
    ngx_http_chorus_metrics_journal(&text, cmcf, &sum);

    /* what was told is the cache's, which changes while this is sent */

    b = ngx_create_temp_buf(r->pool, text.last - text.start + told->len + 1);

    if (text.failed || b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_cpymem(b->last, text.start, text.last - text.start);
    b->last = ngx_cpymem(b->last, told->data, told->len);
    b->last_buf = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;
    ngx_str_set(&r->headers_out.content_type,
                "text/plain; version=0.0.4; charset=utf-8");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static void
ngx_http_chorus_metrics_requests(ngx_http_chorus_text_t *text,
    ngx_http_chorus_metrics_t *metrics)
{
    ngx_uint_t  c, s;

    ngx_http_chorus_text_family(text, "chorus_requests_total", "counter",
        "Requests of clients that are over, by class of operation and of "
        "status; none: there was no answer.");

    for (c = 0; c < NGX_HTTP_CHORUS_CLASSES; c++) {
        for (s = 0; s < NGX_HTTP_CHORUS_STATUSES; s++) {

            if (metrics->classes[c].requests[s] == 0 && s != 2) {
                /* most of them never happen; 2xx is there from the start */
                continue;
            }

            ngx_http_chorus_text_add(text,
                "chorus_requests_total{class=\"%s\",status=\"%s\"} %uA\n",
                ngx_http_chorus_classes[c],
                s == 0 ? "none" : s == 1 ? "1xx" : s == 2 ? "2xx"
                : s == 3 ? "3xx" : s == 4 ? "4xx" : "5xx",
                metrics->classes[c].requests[s]);
        }
    }
}


/* Several codes of ours have one name of S3. */

static void
ngx_http_chorus_metrics_refusals(ngx_http_chorus_text_t *text,
    ngx_http_chorus_metrics_t *metrics)
{
    ngx_uint_t  i;

    ngx_http_chorus_text_family(text, "chorus_refusals_total", "counter",
        "Requests that Chorus or nginx refused, by the code of the error.");

    for (i = 1; i < CHORUS_S3_NERRORS; i++) {
        if (metrics->refusals[i]) {
            ngx_http_chorus_text_add(text,
                "chorus_refusals_total{reason=\"%s\"} %uA\n",
                chorus_s3_error_row(i)->name, metrics->refusals[i]);
        }
    }
}


static void
ngx_http_chorus_metrics_bytes(ngx_http_chorus_text_t *text,
    ngx_http_chorus_metrics_t *metrics)
{
    ngx_uint_t  c;

    ngx_http_chorus_text_family(text, "chorus_received_bytes_total",
        "counter", "Bytes from clients, with headers.");

    for (c = 0; c < NGX_HTTP_CHORUS_CLASSES; c++) {
        ngx_http_chorus_text_add(text,
            "chorus_received_bytes_total{class=\"%s\"} %uA\n",
            ngx_http_chorus_classes[c], metrics->classes[c].received);
    }

    ngx_http_chorus_text_family(text, "chorus_sent_bytes_total", "counter",
        "Bytes to clients, with headers.");

    for (c = 0; c < NGX_HTTP_CHORUS_CLASSES; c++) {
        ngx_http_chorus_text_add(text,
            "chorus_sent_bytes_total{class=\"%s\"} %uA\n",
            ngx_http_chorus_classes[c], metrics->classes[c].sent);
    }
}


static void
ngx_http_chorus_metrics_times(ngx_http_chorus_text_t *text,
    ngx_http_chorus_metrics_t *metrics)
{
    ngx_uint_t                c;
    ngx_http_chorus_class_t  *class;

    ngx_http_chorus_text_family(text, "chorus_request_duration_seconds",
        "histogram", "From the first byte of a request to its end.");

    for (c = 0; c < NGX_HTTP_CHORUS_CLASSES; c++) {
        class = &metrics->classes[c];
        ngx_http_chorus_metrics_histogram(text,
            "chorus_request_duration_seconds", ngx_http_chorus_classes[c],
            &class->total, ngx_http_chorus_total_steps);
    }

    ngx_http_chorus_text_family(text, "chorus_request_overhead_seconds",
        "histogram", "Of that, what Chorus itself worked: signatures, rules, "
        "journal, marks.");

    for (c = 0; c < NGX_HTTP_CHORUS_CLASSES; c++) {
        class = &metrics->classes[c];
        ngx_http_chorus_metrics_histogram(text,
            "chorus_request_overhead_seconds", ngx_http_chorus_classes[c],
            &class->own, ngx_http_chorus_own_steps);
    }
}


/* Classes that nobody has used yet are left out: 18 lines each. */

static void
ngx_http_chorus_metrics_histogram(ngx_http_chorus_text_t *text,
    const char *name, const char *class,
    ngx_http_chorus_histogram_t *histogram, const uint64_t *steps)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  n, sum_us;

    sum_us = histogram->sum_us;
    n = 0;

    for (i = 0; i < NGX_HTTP_CHORUS_STEPS; i++) {
        n += histogram->counts[i];
    }

    if (n == 0) {
        return;
    }

    n = 0;

    for (i = 0; i < NGX_HTTP_CHORUS_STEPS - 1; i++) {
        n += histogram->counts[i];
        ngx_http_chorus_text_add(text,
            "%s_bucket{class=\"%s\",le=\"%uL.%06uL\"} %uA\n", name, class,
            steps[i] / 1000000, steps[i] % 1000000, n);
    }

    n += histogram->counts[i];

    ngx_http_chorus_text_add(text,
        "%s_bucket{class=\"%s\",le=\"+Inf\"} %uA\n"
        "%s_sum{class=\"%s\"} %uA.%06uA\n%s_count{class=\"%s\"} %uA\n",
        name, class, n, name, class, sum_us / 1000000, sum_us % 1000000,
        name, class, n);
}


static void
ngx_http_chorus_metrics_marks(ngx_http_chorus_text_t *text,
    ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_http_chorus_counters_t  *n;

    n = cmcf->counters;

    ngx_http_chorus_text_family(text, "chorus_marks_total", "counter",
        "Keys that may have changed.");
    ngx_http_chorus_text_add(text, "chorus_marks_total %uA\n", n->marked);

    ngx_http_chorus_text_family(text, "chorus_marks_acknowledged_total",
        "counter", "Of these, taken by Redis.");
    ngx_http_chorus_text_add(text, "chorus_marks_acknowledged_total %uA\n",
                             n->acknowledged);

    ngx_http_chorus_text_family(text, "chorus_redis_connects_total",
        "counter", "Connections to Redis that were made.");
    ngx_http_chorus_text_add(text, "chorus_redis_connects_total %uA\n",
                             n->reconnects);

    ngx_http_chorus_text_family(text, "chorus_redis_up", "gauge",
        "Whether the process that answers has its connection to Redis.");
    ngx_http_chorus_text_add(text, "chorus_redis_up %d\n",
                             ngx_http_chorus_redis_is_ready(cmcf->redis)
                             ? 1 : 0);

    ngx_http_chorus_text_family(text, "chorus_policy_version", "gauge",
        "The dynamic policy that the process that answers runs.");
    ngx_http_chorus_text_add(text, "chorus_policy_version %uL\n",
                             ngx_http_chorus_policy(cmcf)->version);
}


static void
ngx_http_chorus_metrics_journal(ngx_http_chorus_text_t *text,
    ngx_http_chorus_main_conf_t *cmcf, ngx_http_chorus_process_t *sum)
{
    off_t        bytes;
    ngx_uint_t   segments;

    ngx_http_chorus_text_family(text, "chorus_marks_waiting", "gauge",
        "Keys that Redis has not taken yet.");
    ngx_http_chorus_text_add(text, "chorus_marks_waiting %uA\n",
                             sum->waiting);

    ngx_http_chorus_text_family(text, "chorus_marks_waiting_seconds",
        "gauge", "How long the oldest of these has waited.");
    ngx_http_chorus_text_add(text, "chorus_marks_waiting_seconds %uA.%03uA\n",
                             sum->oldest / 1000, sum->oldest % 1000);

    if (cmcf->journal == NULL) {
        return;
    }

    ngx_http_chorus_journal_sum(cmcf->journal, &bytes, &segments);

    ngx_http_chorus_text_family(text, "chorus_journal_bytes", "gauge",
        "Size of the folder of the journal.");
    ngx_http_chorus_text_add(text, "chorus_journal_bytes %O\n", bytes);

    ngx_http_chorus_text_family(text, "chorus_journal_max_bytes", "gauge",
        "Its max_size.");
    ngx_http_chorus_text_add(text, "chorus_journal_max_bytes %O\n",
                             ngx_http_chorus_journal_max(cmcf->journal));

    ngx_http_chorus_text_family(text, "chorus_journal_segments", "gauge",
        "Files in it.");
    ngx_http_chorus_text_add(text, "chorus_journal_segments %ui\n", segments);

    ngx_http_chorus_text_family(text, "chorus_journal_oldest_seconds",
        "gauge", "How old the oldest file is that holds an open write or a "
        "mark that Redis has not taken.");
    ngx_http_chorus_text_add(text,
                             "chorus_journal_oldest_seconds %uA.%03uA\n",
                             sum->unsettled / 1000, sum->unsettled % 1000);

    ngx_http_chorus_text_family(text, "chorus_journal_good", "gauge",
        "Whether writes to it succeed and there is room.");
    ngx_http_chorus_text_add(text, "chorus_journal_good %d\n",
        ngx_strcmp(ngx_http_chorus_journal_state(cmcf->journal), "good") == 0
        ? 1 : 0);

    ngx_http_chorus_text_family(text, "chorus_journal_debts", "gauge",
        "Scans that are owed, and that Redis has not heard of.");
    ngx_http_chorus_text_add(text, "chorus_journal_debts %uA\n", sum->debts);
}


/* ---- text ---- */


static ngx_uint_t
ngx_http_chorus_text_reserve(ngx_http_chorus_text_t *text, size_t len)
{
    u_char  *p;
    size_t   used, size;

    if (text->failed || (size_t) (text->end - text->last) >= len) {
        return !text->failed;
    }

    used = text->last - text->start;
    size = 2 * (text->end - text->start);
    size = ngx_max(size, used + len);

    p = ngx_palloc(text->pool, size);

    if (p == NULL) {
        text->failed = 1;
        return 0;
    }

    if (used) {
        ngx_memcpy(p, text->start, used);
        ngx_pfree(text->pool, text->start);
    }

    text->start = p;
    text->last = p + used;
    text->end = p + size;

    return 1;
}


void
ngx_http_chorus_text_add(ngx_http_chorus_text_t *text, const char *format,
    ...)
{
    va_list  args;

    if (!ngx_http_chorus_text_reserve(text, NGX_HTTP_CHORUS_TEXT_LINE)) {
        return;
    }

    va_start(args, format);
    text->last = ngx_vslprintf(text->last,
                               text->last + NGX_HTTP_CHORUS_TEXT_LINE,
                               format, args);
    va_end(args);
}


void
ngx_http_chorus_text_family(ngx_http_chorus_text_t *text, const char *name,
    const char *type, const char *help)
{
    ngx_http_chorus_text_add(text, "# HELP %s %s\n# TYPE %s %s\n", name, help,
                             name, type);
}


void
ngx_http_chorus_text_label(ngx_http_chorus_text_t *text, const char *value)
{
    ngx_uint_t  i;

    if (!ngx_http_chorus_text_reserve(text, 2 * NGX_HTTP_CHORUS_TEXT_LABEL)) {
        return;
    }

    for (i = 0; value && value[i] && i < NGX_HTTP_CHORUS_TEXT_LABEL; i++) {

        if (value[i] == '"' || value[i] == '\\') {
            *text->last++ = '\\';
            *text->last++ = value[i];

        } else if (value[i] == '\n') {
            *text->last++ = '\\';
            *text->last++ = 'n';

        } else {
            *text->last++ = value[i];
        }
    }
}
