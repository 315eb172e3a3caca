/*
 * What Redis has acknowledged and may forget.  A Redis that restarts without
 * its last second, or fails over to a replica that is behind, has lost the
 * newest marks: those of the last seconds are kept here and marked again.
 * What memory does not hold, and everything when Redis was emptied, is owed
 * as a scan.
 */

#include "ngx_http_chorus_journal.h"
#include "chorus_redis.h"


#define NGX_HTTP_CHORUS_RECENT_BYTES  (8 * 1024 * 1024)
#define NGX_HTTP_CHORUS_RECENT_NAMES  4096


typedef struct {
    ngx_str_node_t              node;       /* str: "chorus:{R}" */
    ngx_msec_t                  dropped;    /* the newest not kept here */
    unsigned                    drops:1;    /* there is one */
} ngx_http_chorus_recent_name_t;


typedef struct {
    ngx_queue_t                     queue;
    ngx_http_chorus_recent_name_t  *name;
    ngx_msec_t                      acked;
    ngx_msec_t                      since;      /* it differs */
    size_t                          len;
    unsigned                        facets;
    u_char                          key[1];
} ngx_http_chorus_recent_mark_t;


struct ngx_http_chorus_recent_s {
    ngx_http_chorus_main_conf_t    *cmcf;
    ngx_log_t                      *log;

    ngx_queue_t                     marks;      /* oldest first */
    size_t                          bytes;

    ngx_rbtree_t                    tree;       /* of names, for good */
    ngx_rbtree_node_t               sentinel;
    ngx_uint_t                      nnames;
    ngx_http_chorus_recent_name_t  *last;       /* asked for */

    ngx_msec_t                      nameless;   /* the newest without name */
    unsigned                        has_nameless:1;
};


static ngx_http_chorus_recent_name_t *ngx_http_chorus_recent_name(
    ngx_http_chorus_recent_t *recent, ngx_str_t *name);
static void ngx_http_chorus_recent_trim(ngx_http_chorus_recent_t *recent);
static void ngx_http_chorus_recent_drop(ngx_http_chorus_recent_t *recent,
    ngx_http_chorus_recent_mark_t *mark);
static ngx_uint_t ngx_http_chorus_recent_resend(
    ngx_http_chorus_recent_t *recent, ngx_msec_t since, ngx_uint_t all);
static void ngx_http_chorus_recent_owe(ngx_http_chorus_recent_t *recent,
    ngx_msec_t since, ngx_uint_t all);
static chorus_str_t ngx_http_chorus_recent_replication(
    ngx_http_chorus_recent_name_t *name);


ngx_int_t
ngx_http_chorus_recent_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle)
{
    ngx_http_chorus_recent_t  *recent;

    recent = ngx_pcalloc(cycle->pool, sizeof(ngx_http_chorus_recent_t));
    if (recent == NULL) {
        return NGX_ERROR;
    }

    recent->cmcf = cmcf;
    recent->log = cycle->log;

    ngx_queue_init(&recent->marks);
    ngx_rbtree_init(&recent->tree, &recent->sentinel,
                    ngx_str_rbtree_insert_value);

    cmcf->recent = recent;

    return NGX_OK;
}


void
ngx_http_chorus_recent_exit(ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_queue_t                    *q;
    ngx_rbtree_node_t              *node;
    ngx_http_chorus_recent_t       *recent;
    ngx_http_chorus_recent_mark_t  *mark;

    recent = cmcf->recent;

    while (!ngx_queue_empty(&recent->marks)) {
        q = ngx_queue_head(&recent->marks);
        mark = ngx_queue_data(q, ngx_http_chorus_recent_mark_t, queue);
        ngx_http_chorus_recent_drop(recent, mark);
    }

    recent->last = NULL;

    while (recent->tree.root != &recent->sentinel) {
        node = recent->tree.root;
        ngx_rbtree_delete(&recent->tree, node);
        ngx_free(node);
    }
}


void
ngx_http_chorus_recent_add(ngx_http_chorus_recent_t *recent, ngx_str_t *mark,
    size_t name_len, unsigned facets, ngx_msec_t since)
{
    ngx_str_t                       text;
    ngx_http_chorus_recent_name_t  *name;
    ngx_http_chorus_recent_mark_t  *copy;

    text.data = mark->data;
    text.len = name_len;

    name = ngx_http_chorus_recent_name(recent, &text);

    if (name == NULL) {
        recent->nameless = ngx_current_msec;
        recent->has_nameless = 1;
        return;
    }

    copy = ngx_alloc(sizeof(ngx_http_chorus_recent_mark_t)
                     + mark->len - name_len, recent->log);
    if (copy == NULL) {
        name->dropped = ngx_current_msec;
        name->drops = 1;
        return;
    }

    copy->name = name;
    copy->acked = ngx_current_msec;
    copy->since = since;
    copy->facets = facets;
    copy->len = mark->len - name_len;
    ngx_memcpy(copy->key, mark->data + name_len, copy->len);

    ngx_queue_insert_tail(&recent->marks, &copy->queue);
    recent->bytes += sizeof(ngx_http_chorus_recent_mark_t) + copy->len;

    ngx_http_chorus_recent_trim(recent);
}


/* NULL when there are too many, or no memory. */

static ngx_http_chorus_recent_name_t *
ngx_http_chorus_recent_name(ngx_http_chorus_recent_t *recent, ngx_str_t *text)
{
    uint32_t                        hash;
    ngx_str_node_t                 *node;
    ngx_http_chorus_recent_name_t  *name;

    name = recent->last;

    if (name && name->node.str.len == text->len
        && ngx_memcmp(name->node.str.data, text->data, text->len) == 0)
    {
        return name;
    }

    hash = ngx_crc32_short(text->data, text->len);
    node = ngx_str_rbtree_lookup(&recent->tree, text, hash);

    if (node || recent->nnames == NGX_HTTP_CHORUS_RECENT_NAMES) {
        recent->last = (ngx_http_chorus_recent_name_t *) node;
        return recent->last;
    }

    name = ngx_calloc(sizeof(ngx_http_chorus_recent_name_t) + text->len,
                      recent->log);
    if (name == NULL) {
        return NULL;
    }

    name->node.str.data = (u_char *) (name + 1);
    name->node.str.len = text->len;
    name->node.node.key = hash;
    ngx_memcpy(name->node.str.data, text->data, text->len);

    ngx_rbtree_insert(&recent->tree, &name->node.node);
    recent->nnames++;

    return name;
}


/* What a Redis may forget of what it had acknowledged.  A journal that keeps
 * its segments for less does not make it less. */

ngx_msec_t
ngx_http_chorus_recent_window(ngx_http_chorus_main_conf_t *cmcf)
{
    if (cmcf->journal_conf == NULL) {
        return CHORUS_REDIS_WINDOW_MS;
    }

    return ngx_max(cmcf->journal_conf->window, CHORUS_REDIS_WINDOW_MS);
}


/* What is too old is safe; what is too much is remembered by its name. */

static void
ngx_http_chorus_recent_trim(ngx_http_chorus_recent_t *recent)
{
    ngx_uint_t                      is_old;
    ngx_queue_t                    *q;
    ngx_http_chorus_recent_mark_t  *mark;

    while (!ngx_queue_empty(&recent->marks)) {

        q = ngx_queue_head(&recent->marks);
        mark = ngx_queue_data(q, ngx_http_chorus_recent_mark_t, queue);

        is_old = (ngx_current_msec - mark->acked
                  > ngx_http_chorus_recent_window(recent->cmcf));

        if (!is_old && recent->bytes <= NGX_HTTP_CHORUS_RECENT_BYTES) {
            break;
        }

        if (!is_old) {
            mark->name->dropped = mark->acked;
            mark->name->drops = 1;
        }

        ngx_http_chorus_recent_drop(recent, mark);
    }
}


static void
ngx_http_chorus_recent_drop(ngx_http_chorus_recent_t *recent,
    ngx_http_chorus_recent_mark_t *mark)
{
    ngx_queue_remove(&mark->queue);
    recent->bytes -= sizeof(ngx_http_chorus_recent_mark_t) + mark->len;
    ngx_free(mark);
}


void
ngx_http_chorus_recent_forgotten(ngx_http_chorus_recent_t *recent,
    ngx_msec_t since, chorus_redis_memory_t memory)
{
    ngx_uint_t  n, all;

    all = (memory != CHORUS_REDIS_LOST_TAIL);

    n = ngx_http_chorus_recent_resend(recent, since, all);
    ngx_http_chorus_journal_again(recent->cmcf->journal);
    ngx_http_chorus_recent_owe(recent, since, all);

    (void) ngx_atomic_fetch_add(&recent->cmcf->counters->resent, n);

    if (all) {
        ngx_log_error(NGX_LOG_ERR, recent->log, 0,
                      "chorus: Redis %s: %ui changed keys are marked again, "
                      "and the buckets owe a scan",
                      memory == CHORUS_REDIS_LOST_ALL
                      ? "was emptied" : "came back with an older state", n);
        return;
    }

    ngx_log_error(NGX_LOG_WARN, recent->log, 0,
                  "chorus: Redis was restarted or failed over, its last "
                  "seconds may be lost: %ui changed keys are marked again", n);
}


/* Newest first, so that the older ones can stay as they are. */

static ngx_uint_t
ngx_http_chorus_recent_resend(ngx_http_chorus_recent_t *recent,
    ngx_msec_t since, ngx_uint_t all)
{
    ngx_uint_t                      n;
    ngx_queue_t                    *q;
    chorus_str_t                    replication, key;
    ngx_http_chorus_segment_t      *segment;
    ngx_http_chorus_recent_mark_t  *mark;

    /* that of its intent is there still, and not before this one */
    segment = ngx_http_chorus_journal_oldest(recent->cmcf->journal);

    for (n = 0; !ngx_queue_empty(&recent->marks); n++) {

        q = ngx_queue_last(&recent->marks);
        mark = ngx_queue_data(q, ngx_http_chorus_recent_mark_t, queue);

        if (!all && (ngx_msec_int_t) (mark->acked - since) < 0) {
            break;
        }

        replication = ngx_http_chorus_recent_replication(mark->name);
        key.data = (const char *) mark->key;
        key.len = mark->len;

        ngx_http_chorus_mark(recent->cmcf->marks, replication, key,
                             mark->facets, mark->since, segment);

        ngx_http_chorus_recent_drop(recent, mark);
    }

    return n;
}


static chorus_str_t
ngx_http_chorus_recent_replication(ngx_http_chorus_recent_name_t *name)
{
    chorus_str_t  s;

    s.data = (const char *) name->node.str.data + sizeof("chorus:{") - 1;
    s.len = name->node.str.len - (sizeof("chorus:{}") - 1);

    return s;
}


/* By their names first, so that they are seen again in a Redis that is
 * empty. */

static void
ngx_http_chorus_recent_owe(ngx_http_chorus_recent_t *recent, ngx_msec_t since,
    ngx_uint_t all)
{
    ngx_rbtree_node_t              *node;
    ngx_http_chorus_debts_t        *debts;
    ngx_http_chorus_recent_name_t  *name;

    debts = recent->cmcf->debts;
    node = NULL;

    if (recent->tree.root != &recent->sentinel) {
        node = ngx_rbtree_min(recent->tree.root, &recent->sentinel);
    }

    for ( /* void */ ; node; node = ngx_rbtree_next(&recent->tree, node)) {

        name = (ngx_http_chorus_recent_name_t *) node;

        if (all || (name->drops
                    && (ngx_msec_int_t) (name->dropped - since) >= 0))
        {
            (void) ngx_http_chorus_owe_since(debts,
                                 ngx_http_chorus_recent_replication(name),
                                 "forgotten", since);
        }
    }

    if (all || (recent->has_nameless
                && (ngx_msec_int_t) (recent->nameless - since) >= 0))
    {
        (void) ngx_http_chorus_owe_since(debts, chorus_str("*"), "forgotten",
                                         since);
    }
}
