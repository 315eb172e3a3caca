/*
 * The dynamic policy in this process, between its files:
 *
 *     policy.c           the snapshots, and what a request makes of them
 *     policy_follow.c    asks Redis each second, and tells what is run
 *     policy_file.c      a copy on disk, for a start without Redis
 *     api_policy.c       the API's part
 */

#ifndef _NGX_HTTP_CHORUS_POLICY_H_INCLUDED_
#define _NGX_HTTP_CHORUS_POLICY_H_INCLUDED_


#include "ngx_http_chorus_module.h"
#include "chorus_live.h"


#define NGX_HTTP_CHORUS_POLICY_NONE  \
    "{\"version\":0,\"origin\":0,\"rules\":[]}"


/* One version of the policy, as long as a request needs it. */
struct ngx_http_chorus_policy_s {
    ngx_queue_t                   queue;
    chorus_arena_t               *arena;        /* of all below */
    chorus_mem_t                  mem;
    chorus_live_t                 live;
    chorus_str_t                  text;         /* as it came */
    ngx_uint_t                    refs;         /* writes on their way */
};


struct ngx_http_chorus_policies_s {
    ngx_http_chorus_main_conf_t  *cmcf;
    ngx_log_t                    *log;
    ngx_http_chorus_policy_t     *current;      /* never NULL */
    ngx_queue_t                   all;

    ngx_event_t                   tick;
    int64_t                       written;      /* the oldest version under
                                                 * which a write ended since
                                                 * Redis was told; or -1 */
    int64_t                       told;         /* the same, on its way */
    chorus_error_t                trouble;      /* with what Redis has */
    u_char                        reader[96];
    size_t                        reader_len;
    unsigned                      asking:1;
    unsigned                      met:1;        /* Redis, at least once */
    unsigned                      left:1;
    unsigned                      saved:1;      /* there is a file */
    unsigned                      complained:1; /* of it */
    ngx_uint_t                    ticks;        /* until Redis was met */
};


/* policy.c */
/* NULL: `error` says why, or without memory nothing. */
ngx_http_chorus_policy_t *ngx_http_chorus_policy_read(
    ngx_http_chorus_policies_t *policies, chorus_str_t text,
    chorus_error_t *error);
void ngx_http_chorus_policy_free(ngx_http_chorus_policy_t *policy);
/* From now on that one; requests on their way keep theirs. */
void ngx_http_chorus_policy_use(ngx_http_chorus_policies_t *policies,
    ngx_http_chorus_policy_t *policy);
/* Of those that writes are under. */
uint64_t ngx_http_chorus_policy_oldest(ngx_http_chorus_policies_t *policies);

/* policy_follow.c */
void ngx_http_chorus_policy_tick(ngx_event_t *ev);
/* The process has just started, and may still be told by Redis what its rules
 * are. */
ngx_uint_t ngx_http_chorus_policy_waits(ngx_http_chorus_policies_t *policies);

/* policy_file.c: both do nothing without a journal */
void ngx_http_chorus_policy_load(ngx_http_chorus_policies_t *policies);
void ngx_http_chorus_policy_save(ngx_http_chorus_policies_t *policies);
/* Whether the copy on disk, when it can be read, goes with this configuration;
 * else NGX_ERROR after having logged why. */
ngx_int_t ngx_http_chorus_policy_check(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf);


#endif /* _NGX_HTTP_CHORUS_POLICY_H_INCLUDED_ */
