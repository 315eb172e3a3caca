/*
 * What is counted and told: the calls of counters.c, metrics*.c and health.c.
 * A part of ngx_http_chorus_module.h, at its end.
 */

#ifndef _NGX_HTTP_CHORUS_COUNTERS_H_INCLUDED_
#define _NGX_HTTP_CHORUS_COUNTERS_H_INCLUDED_


/* metrics.c */
char *ngx_http_chorus_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* metrics_count.c */
/* Between these is our own work for a request, as opposed to that of main,
 * the client and the network; either may be called twice. */
void ngx_http_chorus_own_begin(ngx_http_chorus_ctx_t *ctx);
void ngx_http_chorus_own_end(ngx_http_chorus_ctx_t *ctx);
/* In the log phase, once. */
void ngx_http_chorus_count_request(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);

/* metrics_queue.c */
ngx_int_t ngx_http_chorus_gauges_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle);
void ngx_http_chorus_gauges_exit(ngx_http_chorus_main_conf_t *cmcf);
/* What Redis knows as text of metrics, told in the last `cache` ms.  NGX_OK:
 * `text` is to be used at once; NGX_AGAIN: `done` will be called, within two
 * seconds, unless the request is gone by then; NGX_ERROR without memory. */
typedef void (*ngx_http_chorus_gauges_pt)(ngx_http_request_t *r,
    ngx_str_t *text);
ngx_int_t ngx_http_chorus_gauges_ask(ngx_http_chorus_main_conf_t *cmcf,
    ngx_http_request_t *r, ngx_msec_t cache, ngx_str_t *text,
    ngx_http_chorus_gauges_pt done);

/* journal.c */
/* Its max_size; and whether writes are refused while it is not good. */
off_t ngx_http_chorus_journal_max(ngx_http_chorus_journal_t *journal);
ngx_uint_t ngx_http_chorus_journal_rejects(
    ngx_http_chorus_journal_t *journal);

/* health.c */
char *ngx_http_chorus_health(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* counters.c */
/* Of all processes that live; `oldest` and `unsettled` are ages in ms. */
ngx_http_chorus_process_t ngx_http_chorus_processes_sum(
    ngx_http_chorus_counters_t *counters);
char *ngx_http_chorus_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_chorus_counters_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle);
void ngx_http_chorus_counters_exit(ngx_http_chorus_main_conf_t *cmcf);
/* Writes a JSON object of up to NGX_HTTP_CHORUS_COUNTERS_LEN bytes; returns
 * its end. */
u_char *ngx_http_chorus_counters_write(u_char *p, u_char *end,
    ngx_http_chorus_main_conf_t *cmcf);
#define NGX_HTTP_CHORUS_COUNTERS_LEN  1024
#define ngx_http_chorus_count(cmcf, name)                                    \
    (void) ngx_atomic_fetch_add(&(cmcf)->counters->name, 1)


#endif /* _NGX_HTTP_CHORUS_COUNTERS_H_INCLUDED_ */
