/*
 * Marks on their way to Redis, between the files that know how they wait:
 *
 *     mark.c        waiting, in batches to Redis
 *     mark_leave.c  a process that ends
 */

#ifndef _NGX_HTTP_CHORUS_MARK_H_INCLUDED_
#define _NGX_HTTP_CHORUS_MARK_H_INCLUDED_


#include "ngx_http_chorus_module.h"


#define NGX_HTTP_CHORUS_HOLD_MS  100


typedef struct {
    ngx_str_node_t            node;     /* str: "chorus:{R}" and the key */
    ngx_queue_t               queue;
    size_t                    name_len; /* of "chorus:{R}" */
    ngx_msec_t                since;
    unsigned                  facets;
    ngx_http_chorus_segment_t  *segment;    /* held; NULL: in memory only */
} ngx_http_chorus_mark_t;


struct ngx_http_chorus_marks_s {
    ngx_http_chorus_main_conf_t  *cmcf;
    ngx_log_t                    *log;

    ngx_queue_t                   waiting;      /* oldest first */
    ngx_rbtree_t                  tree;         /* the waiting, by name */
    ngx_rbtree_node_t             sentinel;
    ngx_uint_t                    nwaiting;
    ngx_queue_t                   batches;      /* in flight */
    ngx_uint_t                    nbatches;
    ngx_uint_t                    nsent;        /* marks of these */
    size_t                        bytes;        /* waiting and in flight */

    ngx_event_t                   send;         /* posted */
    ngx_event_t                   retry;
    ngx_event_t                   hold;         /* keeps the process alive */
    ngx_msec_t                    reminded;
    ngx_msec_t                    quitting;     /* since when, or 0 */
    ngx_uint_t                    nbare;        /* without a segment */

    unsigned                      full:1;
};


/* mark.c */
void ngx_http_chorus_mark_free(ngx_http_chorus_marks_t *marks,
    ngx_http_chorus_mark_t *mark);
/* As many batches as may be on their way. */
void ngx_http_chorus_marks_send_handler(ngx_event_t *ev);

/* mark_leave.c */
void ngx_http_chorus_marks_hold_handler(ngx_event_t *ev);


#endif /* _NGX_HTTP_CHORUS_MARK_H_INCLUDED_ */
