/*
 * The control API, between its files:
 *
 *     api.c          the directive, the table of what there is
 *     api_token.c    who may use it
 *     api_guard.c    who is slowed down
 *     api_call.c     bodies in, calls to Redis, JSON out
 *     api_query.c    arguments of the query
 *     api_policy.c   rules of the dynamic policy
 *     api_resolve.c  what is done with a bucket, and who says so
 *     api_ask.c      questions that a worker answers
 *     api_look.c     storages, users, buckets
 *     api_explain.c  why a key is or is not on a follower
 *     status.c       GET /api/v1/status, GET /api/v1/workers
 *     limits.c       /api/v1/limits
 *     failed.c       /api/v1/failed, POST /api/v1/retry
 *     guard.c        POST /api/v1/guards/R, DELETE /api/v1/queues/R
 *     scans.c        /api/v1/scans
 *
 * To add an endpoint: write a handler, declare it here, add a row to the table
 * in api.c.  By then the token is checked, the path is taken apart and the
 * body is read.
 */

#ifndef _NGX_HTTP_CHORUS_API_H_INCLUDED_
#define _NGX_HTTP_CHORUS_API_H_INCLUDED_


#include "ngx_http_chorus_module.h"

#include <jansson.h>


#define NGX_HTTP_CHORUS_API_PARTS  2
#define NGX_HTTP_CHORUS_API_BODY   (64 * 1024)  /* bytes, at most */


typedef struct ngx_http_chorus_api_s       ngx_http_chorus_api_t;
typedef struct ngx_http_chorus_api_wait_s  ngx_http_chorus_api_wait_t;
typedef struct ngx_http_chorus_api_question_s  ngx_http_chorus_api_question_t;

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
    ngx_http_chorus_api_question_t  *question;  /* to a worker, or NULL */
    void                         *data;         /* of the handler */
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
/* The same of a value, which is given away; NULL: out of memory. */
ngx_int_t ngx_http_chorus_api_send_json(ngx_http_chorus_api_t *api,
    ngx_uint_t status, json_t *value);
/* The value is not copied.  NGX_ERROR: out of memory. */
ngx_int_t ngx_http_chorus_api_header(ngx_http_chorus_api_t *api,
    const char *name, ngx_str_t *value);
/* {"error":{"code":...,"message":...,"field":...}}; the message is escaped
 * here.  Where it begins with a name and ": " that is the field; else null. */
ngx_int_t ngx_http_chorus_api_refuse(ngx_http_chorus_api_t *api,
    ngx_uint_t status, const char *code, const char *message);
/* 401; the body may have been read or not. */
ngx_int_t ngx_http_chorus_api_unauthorized(ngx_http_chorus_api_t *api);
/* 400 because of an argument of the query; `why` begins with ": ". */
ngx_int_t ngx_http_chorus_api_bad_arg(ngx_http_chorus_api_t *api,
    chorus_str_t name, const char *why);
/* The same for a request whose body has not been read. */
ngx_int_t ngx_http_chorus_api_reject(ngx_http_chorus_api_t *api,
    ngx_uint_t status, const char *code, const char *message);
/* Calls a function of the library: `fcall` is "FCALL" or "FCALL_RO", then come
 * its name, `nkeys` keys and other arguments, `nargs` of both. */
ngx_int_t ngx_http_chorus_api_ask(ngx_http_chorus_api_t *api,
    const char *fcall, const char *name, ngx_uint_t nkeys,
    const ngx_str_t *args, ngx_uint_t nargs,
    ngx_http_chorus_api_reply_pt reply);
/* The same of a function that changes something, with an entry in the audit
 * log: `name` as chorus_audited knows it, `id` what it is about. */
ngx_int_t ngx_http_chorus_api_ask_audited(ngx_http_chorus_api_t *api,
    const ngx_str_t *id, const char *name, ngx_uint_t nkeys,
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

/* api_guard.c */
ngx_int_t ngx_http_chorus_api_guard_add(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf);
/* NGX_DECLINED: who it is may go on.  Else it has been, or will be, answered:
 * returns as a handler does. */
ngx_int_t ngx_http_chorus_api_guard(ngx_http_chorus_api_t *api);

/* api_policy.c */
ngx_int_t ngx_http_chorus_api_rules(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_api_rule(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_api_set_rule(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_api_delete_rule(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_api_pause_rule(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_api_readers(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_api_audit(ngx_http_chorus_api_t *api);

/* api_query.c */
/* Of `names`, with spaces in between, each once, with a value, percent-encoded;
 * those that are numbers are whole ones.  NGX_ERROR: `name` is wrong, and why,
 * for _bad_arg(). */
ngx_int_t ngx_http_chorus_api_query(ngx_http_chorus_api_t *api,
    const char *names, chorus_str_t *name, const char **why);
/* An argument of the query, decoded; NGX_ERROR when it is not there, empty or
 * no text. */
ngx_int_t ngx_http_chorus_api_arg(ngx_http_chorus_api_t *api,
    const char *name, chorus_str_t *value);
/* The same; one that is not there is `otherwise`. */
ngx_int_t ngx_http_chorus_api_arg_or(ngx_http_chorus_api_t *api,
    const char *name, const char *otherwise, chorus_str_t *value);
/* An integer of the query; `otherwise` when it is not there.  NGX_ERROR: it is
 * none, or not in these bounds. */
ngx_int_t ngx_http_chorus_api_integer(ngx_http_chorus_api_t *api,
    const char *name, uint64_t min, uint64_t max, uint64_t otherwise,
    uint64_t *value);

/* api_resolve.c */
ngx_int_t ngx_http_chorus_api_resolve(ngx_http_chorus_api_t *api);
/* Whether this nginx replicates there, whoever says so; also in doubt. */
ngx_uint_t ngx_http_chorus_api_replicates(ngx_http_chorus_api_t *api,
    const chorus_replication_t *replication);
/* Text that is JSON's; the null string is the empty one. */
json_t *ngx_http_chorus_api_text(chorus_str_t text);
/* Of a user's bucket, both of which are set in ctx (the rest is zero): which
 * location is for it, to be called first; where it is, which sets ctx->storage;
 * where it is replicated to, which sets ctx->followers; what blocks it. */
void ngx_http_chorus_api_locate(ngx_http_chorus_api_t *api,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_loc_conf_t *nothing);
json_t *ngx_http_chorus_api_route_of(ngx_http_chorus_api_t *api,
    ngx_http_chorus_ctx_t *ctx);
json_t *ngx_http_chorus_api_followers_of(ngx_http_chorus_api_t *api,
    ngx_http_chorus_ctx_t *ctx);
json_t *ngx_http_chorus_api_block_of(ngx_http_chorus_api_t *api,
    ngx_http_chorus_ctx_t *ctx);

/* api_ask.c */
/* The answer: an object, borrowed; NULL when no worker has given one, and then
 * `why` says in words what to do about it. */
typedef ngx_int_t (*ngx_http_chorus_api_answer_pt)(
    ngx_http_chorus_api_t *api, json_t *answer, const char *why);
/* Asks workers for up to as long as ?timeout= says; gives `question` away.
 * Returns as a handler does; one question of a request at a time. */
ngx_int_t ngx_http_chorus_api_question(ngx_http_chorus_api_t *api,
    json_t *question, ngx_http_chorus_api_answer_pt answer);
/* The error of an answer as one of the API. */
ngx_int_t ngx_http_chorus_api_answer_error(ngx_http_chorus_api_t *api,
    const json_t *error);

/* api_look.c */
ngx_int_t ngx_http_chorus_api_storages(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_api_users(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_api_buckets(ngx_http_chorus_api_t *api);

/* api_explain.c */
ngx_int_t ngx_http_chorus_api_explain(ngx_http_chorus_api_t *api);

/* status.c */
ngx_int_t ngx_http_chorus_status(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_workers(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_history(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_history_of(ngx_http_chorus_api_t *api);

/* limits.c */
ngx_int_t ngx_http_chorus_limits(ngx_http_chorus_api_t *api);
/* Asks for those of all storages. */
ngx_int_t ngx_http_chorus_limits_ask(ngx_http_chorus_api_t *api,
    ngx_http_chorus_api_reply_pt reply);
ngx_int_t ngx_http_chorus_limits_change(ngx_http_chorus_api_t *api);

/* failed.c */
ngx_int_t ngx_http_chorus_failed(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_failed_drop(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_retry(ngx_http_chorus_api_t *api);

/* guard.c */
ngx_int_t ngx_http_chorus_guard_resume(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_guard_forget(ngx_http_chorus_api_t *api);

/* scans.c */
ngx_int_t ngx_http_chorus_scans(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_scans_look(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_scans_start(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_scans_stop(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_scans_differences(ngx_http_chorus_api_t *api);
ngx_int_t ngx_http_chorus_scans_forget(ngx_http_chorus_api_t *api);


#endif /* _NGX_HTTP_CHORUS_API_H_INCLUDED_ */
