/*
 * Metrics, between their files:
 *
 *     metrics.c         chorus_metrics, and what this proxy counts, as text
 *     metrics_count.c   counts a request when it is over
 *     metrics_queue.c   what Redis knows, asked for now and then
 *     metrics_rows.c    of that, the text
 *     health.c          chorus_health
 *
 * What is counted lies in shared memory, one for all worker processes.
 */

#ifndef _NGX_HTTP_CHORUS_METRICS_H_INCLUDED_
#define _NGX_HTTP_CHORUS_METRICS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "chorus_s3_error.h"


#define NGX_HTTP_CHORUS_CLASSES       13
#define NGX_HTTP_CHORUS_STATUSES      6         /* by its first digit */
#define NGX_HTTP_CHORUS_STEPS         16        /* of a histogram */
#define NGX_HTTP_CHORUS_METRICS_ROWS  100       /* replications by name */


typedef struct {
    ngx_atomic_t                  sum_us;
    ngx_atomic_t                  counts[NGX_HTTP_CHORUS_STEPS];
} ngx_http_chorus_histogram_t;

typedef struct {
    ngx_atomic_t                  requests[NGX_HTTP_CHORUS_STATUSES];
    ngx_atomic_t                  received;     /* bytes */
    ngx_atomic_t                  sent;
    ngx_http_chorus_histogram_t   total;
    ngx_http_chorus_histogram_t   own;
} ngx_http_chorus_class_t;

typedef struct {
    ngx_http_chorus_class_t       classes[NGX_HTTP_CHORUS_CLASSES];
    ngx_atomic_t                  refusals[CHORUS_S3_NERRORS];

    /* main: of ngx_current_msec, 0 is never; failures since it was good */
    ngx_atomic_t                  main_good;
    ngx_atomic_t                  main_bad;
    ngx_atomic_t                  main_failures;
} ngx_http_chorus_metrics_t;


/* Text that grows, in a pool. */
typedef struct {
    ngx_pool_t                   *pool;
    u_char                       *start;
    u_char                       *last;
    u_char                       *end;
    unsigned                      failed:1;     /* out of memory */
} ngx_http_chorus_text_t;


/* metrics.c */
/* Lines of up to 2 KiB each. */
void ngx_http_chorus_text_add(ngx_http_chorus_text_t *text, const char *format,
    ...);
/* "# HELP ...", "# TYPE ..." */
void ngx_http_chorus_text_family(ngx_http_chorus_text_t *text,
    const char *name, const char *type, const char *help);
/* A value of a label, escaped, and cut at 512 bytes. */
void ngx_http_chorus_text_label(ngx_http_chorus_text_t *text,
    const char *value);

/* metrics_rows.c: what Redis has told, taken up page by page */
typedef struct ngx_http_chorus_rows_s  ngx_http_chorus_rows_t;

ngx_http_chorus_rows_t *ngx_http_chorus_rows_create(ngx_pool_t *pool);
/* A page of chorus_status, chorus_scan_list and the answer of chorus_workers.
 * `cursor` of NGX_HTTP_CHORUS_ROWS_CURSOR bytes gets that of the next page,
 * "0" behind the last.  NGX_ERROR: that is none. */
#define NGX_HTTP_CHORUS_ROWS_CURSOR  24
ngx_int_t ngx_http_chorus_rows_status(ngx_http_chorus_rows_t *rows,
    ngx_str_t *page, char *cursor);
ngx_int_t ngx_http_chorus_rows_scans(ngx_http_chorus_rows_t *rows,
    ngx_str_t *page, char *cursor);
ngx_int_t ngx_http_chorus_rows_workers(ngx_http_chorus_rows_t *rows,
    ngx_str_t *page, char *cursor);
void ngx_http_chorus_rows_write(ngx_http_chorus_rows_t *rows,
    ngx_http_chorus_text_t *text);

/* metrics_count.c: names of classes, and the upper ends of the steps of both
 * histograms in microseconds; the last step has none */
extern const char *const  ngx_http_chorus_classes[NGX_HTTP_CHORUS_CLASSES];
extern const uint64_t
    ngx_http_chorus_total_steps[NGX_HTTP_CHORUS_STEPS - 1];
extern const uint64_t
    ngx_http_chorus_own_steps[NGX_HTTP_CHORUS_STEPS - 1];


#endif /* _NGX_HTTP_CHORUS_METRICS_H_INCLUDED_ */
