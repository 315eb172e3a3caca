/*
 * The shapes that the files of the module share: configuration, the state of
 * one request, and what each file offers to the others.
 *
 *     module.c     directives, configuration, start and end of a process
 *     resolve.c    what names in directives mean
 *     domain.c     chorus_domain: the bucket in the name of the host
 *     location.c   "/bucket" belongs to "location /bucket/"
 *     access.c     access phase: parse, decide, prepare
 *     headers.c    the headers of the client
 *     auth.c       who sent it
 *     anonymous.c  requests without credentials
 *     body.c       bodies that are read first (DeleteObjects)
 *     form.c       browser uploads: POST with a form
 *     upload.c     what is done with a body: aws-chunked, checksums
 *     upload_filter.c   and the body as it streams
 *     wide.c       large bodies in large pieces
 *     sign.c       the request signed again for the storage
 *     variables.c  $chorus_*
 *     refuse.c     a refusal as S3 XML
 *     error.c      nginx's own error pages as S3 XML
 *     turn.c       requests that are ready go to their storages together
 *     peer.c       a change goes to a storage once
 *     settle.c     log phase: did it happen?  then mark
 *     mark.c       marks waiting for Redis
 *     parts.c      the parts of multipart uploads, for the worker
 *     repeat.c     marks made again, when main did not say how it ended
 *     journal*.c   what is not in Redis yet, in files (see journal.h)
 *     redis*.c     the connection to Redis (see redis.h)
 *     recent.c     what a Redis that restarts may forget
 *     replicated.c whether followers have what is read
 *     counters.c   what this proxy did
 *     metrics*.c   the same for Prometheus (see metrics.h), with health.c
 *     policy*.c    what people set at run time (see policy.h)
 *     api*.c       the control API (see api.h), with status.c
 */

#ifndef _NGX_HTTP_CHORUS_MODULE_H_INCLUDED_
#define _NGX_HTTP_CHORUS_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "chorus_auth.h"
#include "chorus_checksum.h"
#include "chorus_complete.h"
#include "chorus_config.h"
#include "chorus_crypto.h"
#include "chorus_live.h"
#include "chorus_policy.h"
#include "chorus_redis.h"
#include "chorus_replication.h"
#include "chorus_s3_error.h"
#include "chorus_s3_request.h"
#include "chorus_uri.h"

#include "ngx_http_chorus_metrics.h"


#define NGX_HTTP_CHORUS_MAX_FOLLOWERS  16
#define NGX_HTTP_CHORUS_MAX_HEADERS    512
#define NGX_HTTP_CHORUS_REPEATS        8
#define NGX_HTTP_CHORUS_PROCESSES      256


/* what one process has to say now; only that process writes it */
typedef struct {
    ngx_atomic_t                pid;            /* 0: none */
    ngx_atomic_t                waiting;        /* marks Redis has not */
    ngx_atomic_t                oldest;         /* of them: ngx_current_msec */
    ngx_atomic_t                debts;          /* scans Redis is to know of */
    ngx_atomic_t                unsettled;      /* the oldest segment that is
                                                 * held, likewise; 0: none */
} ngx_http_chorus_process_t;


/* in shared memory, one for all worker processes; it survives a reload */
typedef struct {
    ngx_atomic_t                requests;
    ngx_atomic_t                refused;
    ngx_atomic_t                marked;         /* keys handed to mark.c */
    ngx_atomic_t                acknowledged;   /* keys Redis has */
    ngx_atomic_t                lost;           /* dropped: the queue was full */
    ngx_atomic_t                reconnects;
    ngx_atomic_t                intents;        /* written to the journal */
    ngx_atomic_t                aborted;        /* of them: did not happen */
    ngx_atomic_t                settled;        /* of them: are over */
    ngx_atomic_t                adopted;        /* taken from other processes */
    ngx_atomic_t                resent;         /* Redis may have lost them */

    ngx_http_chorus_metrics_t   metrics;

    /* by ngx_process_slot */
    ngx_http_chorus_process_t   processes[NGX_HTTP_CHORUS_PROCESSES];
} ngx_http_chorus_counters_t;


typedef struct ngx_http_chorus_redis_s  ngx_http_chorus_redis_t;
typedef struct ngx_http_chorus_marks_s  ngx_http_chorus_marks_t;
typedef struct ngx_http_chorus_parts_s  ngx_http_chorus_parts_t;
typedef struct ngx_http_chorus_recent_s  ngx_http_chorus_recent_t;
typedef struct ngx_http_chorus_replicated_s  ngx_http_chorus_replicated_t;
typedef struct ngx_http_chorus_repeats_s  ngx_http_chorus_repeats_t;
typedef struct ngx_http_chorus_turn_s  ngx_http_chorus_turn_t;
typedef struct ngx_http_chorus_debts_s  ngx_http_chorus_debts_t;
typedef struct ngx_http_chorus_gauges_s  ngx_http_chorus_gauges_t;
typedef struct ngx_http_chorus_policy_s  ngx_http_chorus_policy_t;
typedef struct ngx_http_chorus_policies_s  ngx_http_chorus_policies_t;
typedef struct ngx_http_chorus_journal_s  ngx_http_chorus_journal_t;
typedef struct ngx_http_chorus_journal_conf_s  ngx_http_chorus_journal_conf_t;
typedef struct ngx_http_chorus_segment_s  ngx_http_chorus_segment_t;
typedef struct ngx_http_chorus_intent_s  ngx_http_chorus_intent_t;
typedef struct ngx_http_chorus_upload_s  ngx_http_chorus_upload_t;
typedef struct ngx_http_chorus_form_s  ngx_http_chorus_form_t;
typedef struct ngx_http_chorus_ctx_s  ngx_http_chorus_ctx_t;

/* More of a body has come into ctx->body, the last of it when r->reading_body
 * is off.  NGX_AGAIN: go on reading; NGX_OK: the request is ready; NGX_DONE:
 * it has been answered; or a status. */
typedef ngx_int_t (*ngx_http_chorus_body_pt)(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);

typedef struct {
    ngx_str_t                   path;           /* chorus_config */
    chorus_config_t            *config;         /* NULL: not configured */
    ngx_addr_t                 *redis_addrs;    /* or of its sentinels, with
                                                 * their host for a name */
    ngx_uint_t                  nredis_addrs;
    struct ssl_ctx_st          *redis_tls;      /* NULL: no rediss:// */

    u_char                     *routable;       /* by storage: it has an
                                                 * upstream; NULL: unknown */

    ngx_shm_zone_t             *zone;           /* chorus_zone, or NULL */
    ngx_array_t                *api_tokens;     /* of .._api_token_t */
    ngx_shm_zone_t             *api_zone;       /* who sends wrong ones */
    ngx_msec_t                  repeat_delays[NGX_HTTP_CHORUS_REPEATS];
    ngx_uint_t                  nrepeats;
    ngx_http_chorus_journal_conf_t  *journal_conf;  /* NULL: without */
    ngx_msec_t                  journal_sync;   /* 0: off */
    unsigned                    journal_sync_is_set:1;
    unsigned                    repeat_is_set:1;
    unsigned                    enabled:1;      /* "chorus on" somewhere */

    /* of this worker process */
    chorus_crypto_t            *crypto;
    chorus_key_cache_t         *keys;
    ngx_http_chorus_redis_t    *redis;
    ngx_http_chorus_marks_t    *marks;
    ngx_http_chorus_parts_t    *parts;
    ngx_http_chorus_recent_t   *recent;
    ngx_http_chorus_repeats_t  *repeats;
    ngx_http_chorus_turn_t     *turn;
    ngx_http_chorus_journal_t  *journal;        /* NULL: without */
    ngx_http_chorus_debts_t    *debts;
    ngx_http_chorus_policies_t *policies;
    ngx_uint_t                  nwide;          /* wide.c: bodies now */
    ngx_uint_t                  replicated_asked;   /* replicated.c: on their
                                                     * way to Redis, ... */
    ngx_uint_t                  replicated_late;    /* ... for too long */
    ngx_http_chorus_gauges_t   *gauges;
    unsigned                    redis_was_well:1;   /* when we left it */
    ngx_http_chorus_counters_t *counters;       /* never NULL once started */
    ngx_http_chorus_process_t  *process;        /* neither */
} ngx_http_chorus_main_conf_t;


/* the words of a directive, and where it stands */
typedef struct {
    ngx_str_t                  *names;
    ngx_uint_t                  nnames;
    ngx_str_t                   file;
    ngx_uint_t                  line;
} ngx_http_chorus_names_t;


typedef struct {
    ngx_flag_t                  enable;         /* chorus */
    ngx_flag_t                  auth_v2;        /* chorus_auth_v2 */
    ngx_flag_t                  replication_status;

    /* chorus_anonymous: user [write]; or "off" */
    ngx_http_chorus_names_t    *anonymous_words;
    chorus_user_t              *anonymous;      /* NULL: refused */
    unsigned                    anonymous_writes:1;

    /* chorus_route and chorus_replicate as written; NULL without */
    ngx_http_chorus_names_t    *route_name;         /* one */
    ngx_http_chorus_names_t    *replicate_names;

    /* what they mean, resolved when chorus.json is known */
    chorus_storage_t           *route;              /* or NULL */
    ngx_uint_t                  nfollowers;
    chorus_destination_t        followers[NGX_HTTP_CHORUS_MAX_FOLLOWERS];

    unsigned                    outside:1;  /* of a server, in no location */
    unsigned                    tests_ready:1;  /* chorus_health ready */
    ngx_msec_t                  metrics_cache;
    void                      **wide;           /* wide.c: this location with
                                                 * larger pieces, or NULL */
} ngx_http_chorus_loc_conf_t;


typedef struct {
    ngx_str_t                   name;           /* "/photos/" */
    ngx_http_chorus_loc_conf_t *conf;
} ngx_http_chorus_bucket_t;


typedef struct {
    /* the locations of buckets in this server, and "/" */
    ngx_array_t                 buckets;    /* of ngx_http_chorus_bucket_t */
    ngx_http_chorus_loc_conf_t *root;       /* NULL without */
    ngx_array_t                *domains;    /* of ngx_str_t, longest first */
    ngx_http_upstream_init_peer_pt  peer_init;  /* of an upstream: peer.c */
    unsigned                    serves:1;   /* "chorus on" somewhere in it */
    unsigned                    api:1;      /* "chorus_api" somewhere */
} ngx_http_chorus_srv_conf_t;


/* the state of one request; dies with the request's pool */
struct ngx_http_chorus_ctx_s {
    ngx_http_request_t          *request;
    ngx_str_t                    target;        /* path style: for storages */
    chorus_uri_t                 uri;           /* of target */
    chorus_str_t                 wire_path;     /* as the client signed it */
    const chorus_s3_operation_t *operation;
    chorus_header_t             *headers;       /* of chorus_header_t */
    size_t                       nheaders;

    chorus_auth_t                auth;
    chorus_str_t                 user;          /* empty: not signed */
    ngx_http_chorus_loc_conf_t  *location;
    ngx_http_chorus_policy_t    *policy;        /* of a write to main */
    const chorus_config_t       *rules;         /* of the followers */
    chorus_storage_t            *storage;       /* routed to */
    size_t                       nfollowers;
    chorus_follower_t            followers[NGX_HTTP_CHORUS_MAX_FOLLOWERS];

    chorus_str_t                *keys;          /* touched, DeleteObjects */
    size_t                       nkeys;

    chorus_complete_t           *complete;      /* of an upload; or NULL */

    ngx_http_chorus_intent_t    *intent;        /* NULL: none is open */
    ngx_queue_t                  turn;          /* while it waits (turn.c) */

    /* the request as the storage gets it */
    ngx_str_t                    pass;
    ngx_str_t                    host;          /* with its port */
    ngx_str_t                    tls_name;      /* without */
    ngx_str_t                    authorization;
    ngx_str_t                    date;
    ngx_str_t                    content_sha256;

    off_t                        content_length;    /* of a form, or 0 */

    /* the client's own, unless the body was changed */
    ngx_str_t                    content_type;
    ngx_str_t                    content_encoding;
    ngx_str_t                    decoded_content_length;
    ngx_str_t                    trailer;
    ngx_str_t                    sdk_checksum_algorithm;

    ngx_http_chorus_upload_t    *upload;        /* NULL: as it comes */
    chorus_s3_refusal_t          refusal;       /* of a body; or no code */

    ngx_http_chorus_form_t      *form;          /* NULL: no form */

    /* a body being read into memory */
    ngx_buf_t                   *body;
    ngx_http_chorus_body_pt      take_body;

    /* of the proxy module; ours stands before it (settle.c) */
    void                       (*finalize)(ngx_http_request_t *r,
                                           ngx_int_t rc);

    /* the same, held by error.c */
    void                       (*timeout)(ngx_http_request_t *r,
                                          ngx_int_t rc);

    ngx_http_chorus_replicated_t  *replicated;  /* NULL: nobody asked */
    const char                  *error;         /* code of our refusal */
    uint64_t                     own_since;     /* us; 0: it is not our turn */
    uint64_t                     own_us;        /* spent by us */
    chorus_str_t                 request_id;    /* and its id */
    unsigned                     reads_body:1;  /* before it is forwarded */
    ngx_chain_t                 *page;          /* error.c: what is sent */
    unsigned                     paged:1;
    unsigned                     waits:1;       /* for the end of a turn */
    unsigned                     unsafe:1;      /* its intent is needed, and
                                                 * cannot be written */
    unsigned                     ready:1;       /* may be proxied */
    unsigned                     settled:1;
    unsigned                     noted:1;       /* by the policy */
    unsigned                     blocked:1;     /* by it, on purpose */
    unsigned                     cut:1;         /* main's answer was */
};


extern ngx_module_t  ngx_http_chorus_module;


/* domain.c */
char *ngx_http_chorus_domain(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
/* The bucket that the host names, in lower case, unchecked; empty when the
 * bucket is in the path. */
ngx_str_t ngx_http_chorus_domain_bucket(ngx_http_request_t *r);
/* Whether the Host header, which is the one that is signed, names the server
 * that nginx took; a URI with a host in it may name another. */
ngx_uint_t ngx_http_chorus_domain_is_signed(ngx_http_request_t *r);
/* "/bucket" and uri; the null string without memory. */
ngx_str_t ngx_http_chorus_domain_uri(ngx_http_request_t *r, ngx_str_t *bucket,
    ngx_str_t *uri);

/* resolve.c: the words of a directive, kept until chorus.json is known; */
char *ngx_http_chorus_names(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
/* and what they mean then.  Errors are logged. */
char *ngx_http_chorus_resolve_route(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf, ngx_http_chorus_loc_conf_t *conf);
char *ngx_http_chorus_resolve_replicate(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf, ngx_http_chorus_loc_conf_t *conf);
ngx_int_t ngx_http_chorus_check_upstreams(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf);
/* The upstream{} of a storage; NULL without. */
ngx_http_upstream_srv_conf_t *ngx_http_chorus_upstream(
    ngx_http_upstream_main_conf_t *umcf, chorus_str_t storage);
/* Notes where a dynamic route may lead. */
ngx_int_t ngx_http_chorus_find_upstreams(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf);

/* location.c: notes the location that is being merged; the handler of the
 * server rewrite phase */
ngx_int_t ngx_http_chorus_location_add(ngx_conf_t *cf,
    ngx_http_chorus_loc_conf_t *conf);
ngx_int_t ngx_http_chorus_location_handler(ngx_http_request_t *r);
/* Whether the location that is being merged is of one bucket. */
ngx_uint_t ngx_http_chorus_location_is_bucket(ngx_conf_t *cf);
/* The location that requests about that bucket go to, as far as prefix
 * locations tell; NULL when they do not. */
ngx_http_chorus_loc_conf_t *ngx_http_chorus_location_of(
    ngx_http_request_t *r, chorus_str_t bucket);
/* The same in the first server that serves at all. */
ngx_http_chorus_loc_conf_t *ngx_http_chorus_location_any(
    ngx_http_request_t *r, chorus_str_t bucket);

/* access.c */
ngx_int_t ngx_http_chorus_access_handler(ngx_http_request_t *r);
/* The second part of the access phase, once the user is known: routes, looks
 * at the body, and goes on to the third: */
ngx_int_t ngx_http_chorus_access_go(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
/* signs, and lets the request pass. */
ngx_int_t ngx_http_chorus_access_ready(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);

/* auth.c: verifies the credentials of the request, whatever they are.
 * NGX_ERROR: `refusal` is what the client gets. */
ngx_int_t ngx_http_chorus_authenticate(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_s3_refusal_t *refusal);
/* Takes what authenticated the request out of its target. */
ngx_int_t ngx_http_chorus_target(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
/* Fills in `mem`, and `verifier` as this location wants it. */
void ngx_http_chorus_verifier(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_mem_t *mem,
    chorus_auth_verifier_t *verifier);
/* Finds the user of ctx->auth.access_key; the null string is anonymous. */
ngx_int_t ngx_http_chorus_identify(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_s3_refusal_t *refusal);
/* For the signatures of chunks; the caller wipes the key. */
ngx_int_t ngx_http_chorus_signing_key(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, u_char key[CHORUS_SHA256_LEN]);

/* anonymous.c */
char *ngx_http_chorus_anonymous_resolve(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf, ngx_http_chorus_loc_conf_t *conf);
/* Whether a request without credentials may do that. */
ngx_uint_t ngx_http_chorus_anonymous_may(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);

/* Whether the name of a header or field is x-amz-* to some storage; and, if
 * so, whether a list of lower-case names has it ('*' ends a prefix). */
ngx_uint_t ngx_http_chorus_is_amz(chorus_str_t name);
ngx_uint_t ngx_http_chorus_amz_listed(ngx_http_request_t *r,
    const char **list, chorus_str_t name);

/* upload_filter.c */
void ngx_http_chorus_upload_init(void);

/* upload.c */
/* Looks at the headers of an upload: what has to be done with its body, and
 * which headers the storage gets.  Sets ctx->reads_body when the body must be
 * read before the request is forwarded.  NGX_OK, or a status and
 * ctx->refusal; the body filter ends in the same way. */
ngx_int_t ngx_http_chorus_upload_begin(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
/* The verified checksum in a trailer of a body that has been read; the null
 * string without. */
chorus_str_t ngx_http_chorus_upload_checksum(ngx_http_chorus_upload_t *upload,
    chorus_checksum_algorithm_t *algorithm);

/* body.c: reads into ctx->body as long as `take` wants more.  NGX_DONE: the
 * request goes on by itself later, or has been answered; or a status. */
ngx_int_t ngx_http_chorus_body_read(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_http_chorus_body_pt take);
/* Takes the whole body: learns its keys, and gives it back to the request. */
ngx_int_t ngx_http_chorus_body_whole(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);

/* form.c: whether it is a browser upload that its form authenticates */
ngx_uint_t ngx_http_chorus_form_is(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
/* Reads and verifies the form, and goes on as that user; as body_read(). */
ngx_int_t ngx_http_chorus_form_read(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
/* Puts the form for the storage in its place. */
ngx_int_t ngx_http_chorus_form_sign(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);

/* sign.c: fills host, tls_name and pass; */
ngx_int_t ngx_http_chorus_address(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
/* The user's credential on the storage; `mem` is filled in, too. */
void ngx_http_chorus_signer(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    chorus_mem_t *mem, chorus_sigv4_signer_t *signer);
/* and date and authorization. */
ngx_int_t ngx_http_chorus_sign(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);

/* variables.c */
ngx_int_t ngx_http_chorus_add_variables(ngx_conf_t *cf);

/* refuse.c: sends the answer and finalizes; always returns NGX_DONE, after
 * which r must not be touched. */
ngx_int_t ngx_http_chorus_refuse(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, const chorus_s3_refusal_t *refusal);
ngx_int_t ngx_http_chorus_refuse_code(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, chorus_s3_code_t code, const char *message);

/* The same, but the caller finalizes: returns what its body filters did. */
ngx_int_t ngx_http_chorus_refuse_send(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, const chorus_s3_refusal_t *refusal);
chorus_str_t ngx_http_chorus_request_id(ngx_http_request_t *r);
/* For an answer that does not wait for the body: before the headers. */
void ngx_http_chorus_leave_body(ngx_http_request_t *r);
/* Adds what each answer of Chorus itself has: the length and type of its body,
 * the request id, the name of the server. */
ngx_int_t ngx_http_chorus_refuse_headers(ngx_http_request_t *r,
    ngx_uint_t status, size_t len, chorus_str_t request_id);

/* error.c */
void ngx_http_chorus_error_init(void);

/* log.c */
/* Of the phase before access: from here on lines of the error log have no
 * query of the request.  That of a presigned URL is a credential for as long
 * as it is valid.  Always NGX_DECLINED: others go on. */
ngx_int_t ngx_http_chorus_log_without_query(ngx_http_request_t *r);

/* denied.c */
/* Bytes of the body of a 403 of a storage: the log says when it is about the
 * credentials of chorus.json; as an error once a minute. */
void ngx_http_chorus_denied(ngx_http_request_t *r, ngx_http_chorus_ctx_t *ctx,
    ngx_chain_t *in);

/* replicated.c */
void ngx_http_chorus_replicated_init(void);
/* NGX_AGAIN: Redis has been asked whether followers have the object; the
 * access phase goes on in 50 ms at the latest, with ctx->ready. */
ngx_int_t ngx_http_chorus_replicated_ask(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);

/* peer.c */
void ngx_http_chorus_peers_init(ngx_conf_t *cf);

/* settle.c */
void ngx_http_chorus_settle_init(void);
ngx_int_t ngx_http_chorus_log_handler(ngx_http_request_t *r);
/* Follower i of the request as a replication. */
chorus_replication_t ngx_http_chorus_replication(ngx_http_chorus_ctx_t *ctx,
    ngx_uint_t i);
/* Ties ctx to the request so that the log phase finds it even after an
 * internal redirect has cleared the module contexts. */
ngx_int_t ngx_http_chorus_watch(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);

/* mark.c */
ngx_int_t ngx_http_chorus_marks_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle);
void ngx_http_chorus_marks_exit(ngx_http_chorus_main_conf_t *cmcf);
/* Remembers that `key` of the replication may differ since then, and sends it
 * to Redis soon.  Never blocks, never fails the request.  `segment` has the
 * intent of it, and is held until Redis has the mark; NULL without. */
void ngx_http_chorus_mark(ngx_http_chorus_marks_t *marks,
    chorus_str_t replication, chorus_str_t key, unsigned facets,
    ngx_msec_t since, ngx_http_chorus_segment_t *segment);
/* So many wait that what can wait elsewhere should. */
ngx_uint_t ngx_http_chorus_marks_is_busy(ngx_http_chorus_marks_t *marks);
/* From redis.c: the connection is ready, or is gone. */
void ngx_http_chorus_marks_resume(ngx_http_chorus_marks_t *marks);
ngx_uint_t ngx_http_chorus_marks_waiting(ngx_http_chorus_marks_t *marks);
/* Marks or debts: Redis is to hear of something before the process ends. */
ngx_uint_t ngx_http_chorus_marks_are_going(ngx_http_chorus_marks_t *marks);
/* Of a process that ends now; stays for half a second at most. */
void ngx_http_chorus_marks_flush(ngx_http_chorus_main_conf_t *cmcf);

/* parts.c */
ngx_int_t ngx_http_chorus_parts_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle);
void ngx_http_chorus_parts_exit(ngx_http_chorus_main_conf_t *cmcf);
/* Whether the body says which parts make an object that is replicated; and
 * learns it from ctx->body, for the end of the request. */
ngx_uint_t ngx_http_chorus_parts_is_complete(ngx_http_chorus_ctx_t *ctx);
void ngx_http_chorus_parts_read(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
/* Main has begun to answer. */
void ngx_http_chorus_parts_answered(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
/* Before the key is marked. */
void ngx_http_chorus_parts_completed(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx, ngx_uint_t is_over);
/* From redis.c: the connection is ready. */
void ngx_http_chorus_parts_resume(ngx_http_chorus_parts_t *parts);

/* policy.c */
ngx_int_t ngx_http_chorus_policy_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle);
void ngx_http_chorus_policy_exit(ngx_http_chorus_main_conf_t *cmcf);
/* From redis.c: the connection is ready. */
void ngx_http_chorus_policy_resume(ngx_http_chorus_policies_t *policies);
/* What is in force in this process, until the next turn of the loop. */
const chorus_live_t *ngx_http_chorus_policy(
    ngx_http_chorus_main_conf_t *cmcf);
/* A write keeps what is in force now as ctx->policy. */
void ngx_http_chorus_policy_hold(ngx_http_chorus_main_conf_t *cmcf,
    ngx_http_chorus_ctx_t *ctx);
void ngx_http_chorus_policy_release(ngx_http_chorus_main_conf_t *cmcf,
    ngx_http_chorus_ctx_t *ctx);
/* Where the bucket of the request is replicated to, and the rules that say so;
 * `followers` has room for NGX_HTTP_CHORUS_MAX_FOLLOWERS. */
ngx_int_t ngx_http_chorus_followers(ngx_http_chorus_main_conf_t *cmcf,
    ngx_http_chorus_ctx_t *ctx, chorus_mem_t *mem,
    chorus_follower_t *followers, size_t *n, const chorus_config_t **rules);
/* A write to main may have happened: adds the followers it has by now. */
void ngx_http_chorus_policy_settle(ngx_http_request_t *r,
    ngx_http_chorus_ctx_t *ctx);
/* NGX_ERROR: `error` says why nothing can be routed there. */
ngx_int_t ngx_http_chorus_policy_check_route(
    ngx_http_chorus_main_conf_t *cmcf, chorus_storage_t *storage,
    chorus_error_t *error);

/* recent.c */
ngx_int_t ngx_http_chorus_recent_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle);
void ngx_http_chorus_recent_exit(ngx_http_chorus_main_conf_t *cmcf);
/* Redis has acknowledged a mark: "chorus:{R}", `name_len` of it, and key. */
void ngx_http_chorus_recent_add(ngx_http_chorus_recent_t *recent,
    ngx_str_t *mark, size_t name_len, unsigned facets, ngx_msec_t since);
/* How long before its last reply a Redis may have forgotten, in ms. */
ngx_msec_t ngx_http_chorus_recent_window(ngx_http_chorus_main_conf_t *cmcf);
/* From redis.c, before ngx_http_chorus_marks_resume(): what Redis has
 * acknowledged since then (of ngx_current_msec) may be gone; unless only the
 * tail is lost, everything may be. */
void ngx_http_chorus_recent_forgotten(ngx_http_chorus_recent_t *recent,
    ngx_msec_t since, chorus_redis_memory_t memory);

/* repeat.c */
char *ngx_http_chorus_repeat_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_chorus_repeats_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle);
/* Will mark again, later; the caller has marked already.  Holds the intent,
 * which may be NULL, until then. */
void ngx_http_chorus_repeat(ngx_http_chorus_repeats_t *repeats,
    chorus_str_t replication, chorus_str_t key, unsigned facets,
    ngx_http_chorus_intent_t *intent);
void ngx_http_chorus_repeats_exit(ngx_http_chorus_main_conf_t *cmcf);

/* journal_conf.c */
char *ngx_http_chorus_journal_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_chorus_journal_sync_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_chorus_journal_check(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf);
/* Once nginx has made the folder: whether its processes can use it. */
ngx_int_t ngx_http_chorus_journal_reach(ngx_cycle_t *cycle,
    ngx_http_chorus_main_conf_t *cmcf);

/* journal.c */
ngx_int_t ngx_http_chorus_journal_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle);
void ngx_http_chorus_journal_exit(ngx_http_chorus_main_conf_t *cmcf);
/* Bytes and segments in the folder; 0 without a journal. */
void ngx_http_chorus_journal_sum(ngx_http_chorus_journal_t *journal,
    off_t *bytes, ngx_uint_t *segments);
/* "good", "full", or "failing": no write to it succeeds. */
const char *ngx_http_chorus_journal_state(ngx_http_chorus_journal_t *journal);
/* Whether there is room, and it is time to try. */
ngx_uint_t ngx_http_chorus_journal_may_write(
    ngx_http_chorus_journal_t *journal);

/* journal_replay.c: marks again what other processes have said to Redis in
 * their last moments; NULL is fine */
void ngx_http_chorus_journal_again(ngx_http_chorus_journal_t *journal);

/* journal_segment.c */
void ngx_http_chorus_segment_hold(ngx_http_chorus_segment_t *segment);
void ngx_http_chorus_segment_release(ngx_http_chorus_segment_t *segment);
/* NULL without a journal, or when it is empty. */
ngx_http_chorus_segment_t *ngx_http_chorus_journal_oldest(
    ngx_http_chorus_journal_t *journal);
/* Of two, either of which may be NULL. */
ngx_http_chorus_segment_t *ngx_http_chorus_segment_older(
    ngx_http_chorus_segment_t *a, ngx_http_chorus_segment_t *b);

/* journal_debt.c */
ngx_int_t ngx_http_chorus_debts_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle);
void ngx_http_chorus_debts_exit(ngx_http_chorus_main_conf_t *cmcf);
/* The replication ("*": each that Redis knows) has to be compared as a whole;
 * `reason` is a literal.  NGX_ERROR only without memory. */
ngx_int_t ngx_http_chorus_owe(ngx_http_chorus_debts_t *debts,
    chorus_str_t replication, const char *reason);
/* The same; it is owed since then, of ngx_current_msec. */
ngx_int_t ngx_http_chorus_owe_since(ngx_http_chorus_debts_t *debts,
    chorus_str_t replication, const char *reason, ngx_msec_t since);
/* Redis may have forgotten what it was told last. */
void ngx_http_chorus_debts_again(ngx_http_chorus_debts_t *debts);
/* Whether some that this process alone knows are being told to Redis. */
ngx_uint_t ngx_http_chorus_debts_are_going(ngx_http_chorus_debts_t *debts);
/* Nothing more is added to what is owed. */
void ngx_http_chorus_debts_settle(ngx_http_chorus_debts_t *debts);
/* Now and then: tells what has not been told. */
void ngx_http_chorus_debts_tick(ngx_http_chorus_debts_t *debts);
/* Whether a debt outlives this process. */
ngx_uint_t ngx_http_chorus_debts_are_kept(ngx_http_chorus_debts_t *debts);

/* For tests (make CRASH_POINTS=1): kills this process. */
#if (CHORUS_CRASH_POINTS)
void ngx_http_chorus_crash(ngx_http_chorus_main_conf_t *cmcf,
    const char *name);
#else
#define ngx_http_chorus_crash(cmcf, name)  (void) (cmcf)
#endif

/* redis.c, redis_call.c */
typedef enum {
    NGX_HTTP_CHORUS_REDIS_REPLY = 0,    /* the value of the function */
    NGX_HTTP_CHORUS_REDIS_REFUSED,      /* an error reply: try again later */
    NGX_HTTP_CHORUS_REDIS_GONE          /* no reply: it may have happened */
} ngx_http_chorus_redis_result_t;

/* `text` is the reply when it is a string or an error, or a decimal when it is
 * an integer, else the null string; valid during the call.  Called exactly once
 * for each call that was taken, never from inside
 * ngx_http_chorus_redis_call(). */
typedef void (*ngx_http_chorus_redis_pt)(void *data,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);

/* Addresses of redis.url, resolved where blocking is allowed. */
ngx_int_t ngx_http_chorus_redis_resolve(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf);
/* Reads the files of its TLS. */
ngx_int_t ngx_http_chorus_redis_tls_init(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf);
ngx_int_t ngx_http_chorus_redis_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle);
void ngx_http_chorus_redis_exit(ngx_http_chorus_main_conf_t *cmcf);
/* Without an event loop: handles what came within so many milliseconds.
 * NGX_ERROR: nothing did, or the connection is gone. */
ngx_int_t ngx_http_chorus_redis_wait(ngx_http_chorus_redis_t *redis,
    ngx_msec_t ms);
/* NGX_DECLINED when the connection is not ready: the caller keeps its data
 * and is told by ngx_http_chorus_marks_resume(). */
ngx_int_t ngx_http_chorus_redis_call(ngx_http_chorus_redis_t *redis,
    int argc, const char **argv, const size_t *lens,
    ngx_http_chorus_redis_pt done, void *data);
ngx_uint_t ngx_http_chorus_redis_is_ready(ngx_http_chorus_redis_t *redis);
/* Who took our marks, as in chorus_redis_identity_t; empty: nobody yet. */
void ngx_http_chorus_redis_known(ngx_http_chorus_redis_t *redis,
    chorus_str_t *run, chorus_str_t *generation);
/* When it last said anything; of ngx_current_msec. */
ngx_msec_t ngx_http_chorus_redis_last(ngx_http_chorus_redis_t *redis);

/* api.c */
char *ngx_http_chorus_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
/* Warns of an API that listens where its tokens can be read. */
void ngx_http_chorus_api_guard_check(ngx_conf_t *cf);

#include "ngx_http_chorus_counters.h"
#include "ngx_http_chorus_turn.h"
#include "ngx_http_chorus_view.h"


#endif /* _NGX_HTTP_CHORUS_MODULE_H_INCLUDED_ */
