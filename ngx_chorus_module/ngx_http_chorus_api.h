/*
 * The control API, between its files:
 *
 *     api.c          the directive, the table of what there is
 *     api_token.c    who may use it
 *     api_call.c     bodies in, calls to Redis, JSON out
 *     api_policy.c   rules of the dynamic policy
 *     api_resolve.c  what is done with a bucket, and who says so
 *     status.c       GET /api/v1/status, GET /api/v1/workers
 *     limits.c       /api/v1/limits
 *     failed.c       GET /api/v1/failed, POST /api/v1/retry
 *
 * To add an endpoint: write a handler, declare it here, add a row to the table
 * in api.c.  By then the token is checked, the path is taken apart and the
 * body is read.
 */

#ifndef _NGX_HTTP_CHORUS_API_H_INCLUDED_
#define _NGX_HTTP_CHORUS_API_H_INCLUDED_


#include "ngx_http_chorus_module.h"


#define NGX_HTTP_CHORUS_API_PARTS  2
#define NGX_HTTP_CHORUS_API_BODY   (64 * 1024)  /* bytes, at most */


typedef struct ngx_http_chorus_api_s       ngx_http_chorus_api_t;
typedef struct ngx_http_chorus_api_wait_s  ngx_http_chorus_api_wait_t;

/* who sends a token */
typedef struct {
    ngx_str_t                     text;
    ngx_str_t                     name;         /* for the audit log */
    unsigned                      reads_only:1;
} ngx_http_chorus_api_token_t;

/* Answers with ngx_http_chorus_api_send(), _refuse() or _ask() and returns what
 * that returns. */
typedef ngx_int_t (*ngx_http_chorus_api_pt)(ngx_http_chorus_api_t *api);

/* A request to the API; lives as long as that. */
struct ngx_http_chorus_api_s {
    ngx_http_request_t           *request;
    ngx_http_chorus_main_conf_t  *cmcf;
    const ngx_http_chorus_api_token_t  *who;    /* never NULL in handlers */
    /* what stood where the row's path has "*", decoded, never empty, without
     * a "/" */
    ngx_str_t                     parts[NGX_HTTP_CHORUS_API_PARTS];
    ngx_str_t                     body;         /* of rows that take one */

    ngx_http_chorus_api_pt        run;
    ngx_http_chorus_api_wait_t   *wait;         /* for Redis, or NULL */
};

/* Answers once Redis has.  `text`: the value of the function, integers in
 * decimal, or the error; empty for nil, and when Redis is GONE or was never
 * there.  Returns as above. */
typedef ngx_int_t (*ngx_http_chorus_api_reply_pt)(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);


/* api_call.c */
/* NULL when out of memory. */
ngx_http_chorus_api_t *ngx_http_chorus_api_create(ngx_http_request_t *r);
/* Reads the body into api->body, then runs; NGX_DONE or a status. */
ngx_int_t ngx_http_chorus_api_read(ngx_http_chorus_api_t *api,
    ngx_http_chorus_api_pt run);
/* The body, which is JSON already, is not copied: of the request's pool. */
ngx_int_t ngx_http_chorus_api_send(ngx_http_chorus_api_t *api,
    ngx_uint_t status, u_char *body, size_t len);
/* {"error":{"code":...,"message":...}}; the message is escaped here. */
ngx_int_t ngx_http_chorus_api_refuse(ngx_http_chorus_api_t *api,
    ngx_uint_t status, const char *code, const char *message);
/* The same for a request whose body has not been read. */
ngx_int_t ngx_http_chorus_api_reject(ngx_http_chorus_api_t *api,
    ngx_uint_t status, const char *code, const char *message);
/* Calls a function of the library: `fcall` is "FCALL" or "FCALL_RO", then come
 * its name, `nkeys` keys and other arguments, `nargs` of both. */
ngx_int_t ngx_http_chorus_api_ask(ngx_http_chorus_api_t *api,
    const char *fcall, const char *name, ngx_uint_t nkeys,
    const ngx_str_t *args, ngx_uint_t nargs,
    ngx_http_chorus_api_reply_pt reply);
/* The usual reply: the function's JSON as it is, 404 for nil, 400 for what the
 * function says of its arguments, 503 without Redis. */
ngx_int_t ngx_http_chorus_api_relay(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);

/* api_token.c */
char *ngx_http_chorus_api_tokens(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf);
/* NULL: nobody we know. */
const ngx_http_chorus_api_token_t *ngx_http_chorus_api_who(
    ngx_http_request_t *r, ngx_http_chorus_main_conf_t *cmcf);

/* api_policy.c */
ngx_int_t ngx_http_chorus_api_rules(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_api_rule(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_api_set_rule(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_api_delete_rule(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_api_pause_rule(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_api_readers(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_api_audit(ngx_http_chorus_api_t *api);

/* api_resolve.c */
/* An argument of the query, decoded; NGX_ERROR when it is not there, empty or
 * no text. */
ngx_int_t ngx_http_chorus_api_arg(ngx_http_chorus_api_t *api,
    const char *name, chorus_str_t *value);
ngx_int_t ngx_http_chorus_api_resolve(ngx_http_chorus_api_t *api);

/* status.c */
ngx_int_t ngx_http_chorus_status(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_workers(ngx_http_chorus_api_t *api);

/* limits.c */
ngx_int_t ngx_http_chorus_limits(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_limits_change(ngx_http_chorus_api_t *api);

/* failed.c */
ngx_int_t ngx_http_chorus_failed(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_retry(ngx_http_chorus_api_t *api);

/* scans.c */
ngx_int_t ngx_http_chorus_scans(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_scans_look(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_scans_start(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_scans_stop(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_scans_differences(ngx_http_chorus_api_t *api);


#endif /* _NGX_HTTP_CHORUS_API_H_INCLUDED_ */
