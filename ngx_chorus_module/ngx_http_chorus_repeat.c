/*
 * Marks that are made again.  When main has not said how a write ended (a
 * time-out, a 500, a lost connection), it may still be at work: the mark that
 * is made at once can be served before main applies the write, and then the
 * follower would keep the old object.  So such a key is marked again some
 * time later, as often as chorus_repeat says.
 *
 * A process that is told to quit stays for them, as its timer is not
 * cancelable, unless they are in the journal: then the next one does it.
 *
 * All waits of one round are of the same length, so each round is a queue in
 * the order of time.
 */

#include "ngx_http_chorus_module.h"


#define NGX_HTTP_CHORUS_REPEAT_BYTES  (16 * 1024 * 1024)


static ngx_msec_t  ngx_http_chorus_repeat_default[] = {
    10 * 1000, 60 * 1000, 600 * 1000
};


typedef struct {
    ngx_queue_t               queue;
    ngx_msec_t                due;
    unsigned                  facets;
    chorus_str_t              replication;
    chorus_str_t              key;
    ngx_http_chorus_intent_t *intent;       /* held; or NULL */
} ngx_http_chorus_repeat_t;


struct ngx_http_chorus_repeats_s {
    ngx_http_chorus_main_conf_t  *cmcf;
    ngx_log_t                    *log;
    ngx_queue_t                   rounds[NGX_HTTP_CHORUS_REPEATS];
    ngx_msec_t                   *delays;
    ngx_uint_t                    nrounds;
    ngx_event_t                   timer;
    size_t                        bytes;
    ngx_uint_t                    nbare;        /* without an intent */
    unsigned                      full:1;
};


static void ngx_http_chorus_repeat_handler(ngx_event_t *ev);
static void ngx_http_chorus_repeat_schedule(
    ngx_http_chorus_repeats_t *repeats);
static void ngx_http_chorus_repeat_put(ngx_http_chorus_repeats_t *repeats,
    ngx_http_chorus_repeat_t *repeat, ngx_uint_t round);
static void ngx_http_chorus_repeat_free(ngx_http_chorus_repeats_t *repeats,
    ngx_http_chorus_repeat_t *repeat);


char *
ngx_http_chorus_repeat_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_chorus_main_conf_t *cmcf = conf;

    ngx_str_t   *value;
    ngx_msec_t   delay;
    ngx_uint_t   i;

    if (cmcf->repeat_is_set) {
        return "is duplicate";
    }

    cmcf->repeat_is_set = 1;
    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    if (cf->args->nelts - 1 > NGX_HTTP_CHORUS_REPEATS) {
        return "has too many times";
    }

    for (i = 1; i < cf->args->nelts; i++) {
        delay = ngx_parse_time(&value[i], 0);

        if (delay == (ngx_msec_t) NGX_ERROR || delay == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is not a time above 0", &value[i]);
            return NGX_CONF_ERROR;
        }

        cmcf->repeat_delays[cmcf->nrepeats++] = delay;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_chorus_repeats_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle)
{
    ngx_uint_t                  round;
    ngx_http_chorus_repeats_t  *repeats;

    repeats = ngx_pcalloc(cycle->pool, sizeof(ngx_http_chorus_repeats_t));
    if (repeats == NULL) {
        return NGX_ERROR;
    }

    repeats->cmcf = cmcf;
    repeats->log = cycle->log;

    repeats->delays = ngx_http_chorus_repeat_default;
    repeats->nrounds = sizeof(ngx_http_chorus_repeat_default)
                       / sizeof(ngx_msec_t);

    if (cmcf->repeat_is_set) {
        repeats->delays = cmcf->repeat_delays;
        repeats->nrounds = cmcf->nrepeats;
    }

    for (round = 0; round < repeats->nrounds; round++) {
        ngx_queue_init(&repeats->rounds[round]);
    }

    repeats->timer.handler = ngx_http_chorus_repeat_handler;
    repeats->timer.data = repeats;
    repeats->timer.log = cycle->log;

    cmcf->repeats = repeats;

    return NGX_OK;
}


void
ngx_http_chorus_repeat(ngx_http_chorus_repeats_t *repeats,
    chorus_str_t replication, chorus_str_t key, unsigned facets,
    ngx_http_chorus_intent_t *intent)
{
    u_char                    *p;
    size_t                     size;
    ngx_http_chorus_repeat_t  *repeat;

    if (repeats->nrounds == 0) {
        return;
    }

    size = sizeof(ngx_http_chorus_repeat_t) + replication.len + key.len;
    repeat = NULL;

    if (repeats->bytes + size <= NGX_HTTP_CHORUS_REPEAT_BYTES) {
        repeat = ngx_alloc(size, repeats->log);
    }

    if (repeat == NULL) {

        if (!repeats->full) {
            repeats->full = 1;
            ngx_log_error(NGX_LOG_ALERT, repeats->log, 0,
                          "chorus: too many writes ended without an answer; "
                          "their keys are marked once only");
        }

        (void) ngx_http_chorus_owe(repeats->cmcf->debts, replication,
                                   "too many writes without an answer");
        return;
    }

    p = (u_char *) (repeat + 1);

    repeat->facets = facets;
    repeat->intent = intent;

    if (intent) {
        ngx_http_chorus_intent_hold(intent);

    } else {
        repeats->nbare++;
    }

    repeat->replication = (chorus_str_t) { (char *) p, replication.len };
    p = ngx_cpymem(p, replication.data, replication.len);
    repeat->key = (chorus_str_t) { (char *) p, key.len };
    ngx_memcpy(p, key.data, key.len);

    repeats->bytes += size;

    ngx_http_chorus_repeat_put(repeats, repeat, 0);
    ngx_http_chorus_repeat_schedule(repeats);
}


void
ngx_http_chorus_repeats_exit(ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_uint_t                  round;
    ngx_queue_t                *q;
    ngx_http_chorus_repeats_t  *repeats;

    repeats = cmcf->repeats;

    for (round = 0; round < repeats->nrounds; round++) {

        while (!ngx_queue_empty(&repeats->rounds[round])) {
            q = ngx_queue_head(&repeats->rounds[round]);
            ngx_queue_remove(q);
            ngx_http_chorus_repeat_free(repeats,
                          ngx_queue_data(q, ngx_http_chorus_repeat_t, queue));
        }
    }
}


static void
ngx_http_chorus_repeat_handler(ngx_event_t *ev)
{
    ngx_http_chorus_repeats_t *repeats = ev->data;

    ngx_uint_t                 round;
    ngx_queue_t               *q;
    ngx_http_chorus_repeat_t  *repeat;

    for (round = 0; round < repeats->nrounds; round++) {

        while (!ngx_queue_empty(&repeats->rounds[round])) {
            q = ngx_queue_head(&repeats->rounds[round]);
            repeat = ngx_queue_data(q, ngx_http_chorus_repeat_t, queue);

            if ((ngx_msec_int_t) (repeat->due - ngx_current_msec) > 0) {
                break;
            }

            ngx_queue_remove(q);

            ngx_http_chorus_mark(repeats->cmcf->marks, repeat->replication,
                                 repeat->key, repeat->facets,
                                 ngx_current_msec,
                                 ngx_http_chorus_intent_segment(
                                                         repeat->intent));

            if (round + 1 < repeats->nrounds) {
                ngx_http_chorus_repeat_put(repeats, repeat, round + 1);

            } else {
                ngx_http_chorus_repeat_free(repeats, repeat);
            }
        }
    }

    ngx_http_chorus_repeat_schedule(repeats);
}


static void
ngx_http_chorus_repeat_schedule(ngx_http_chorus_repeats_t *repeats)
{
    ngx_uint_t                 round;
    ngx_queue_t               *q;
    ngx_msec_int_t             left, first;
    ngx_http_chorus_repeat_t  *repeat;

    if (repeats->timer.timer_set) {
        return;
    }

    first = -1;

    for (round = 0; round < repeats->nrounds; round++) {

        if (ngx_queue_empty(&repeats->rounds[round])) {
            continue;
        }

        q = ngx_queue_head(&repeats->rounds[round]);
        repeat = ngx_queue_data(q, ngx_http_chorus_repeat_t, queue);

        left = (ngx_msec_int_t) (repeat->due - ngx_current_msec);
        left = ngx_max(left, 1);

        if (first == -1 || left < first) {
            first = left;
        }
    }

    /* looked at in short steps: a later mark of an earlier round may come */

    repeats->timer.cancelable = (repeats->nbare == 0);

    if (first != -1) {
        ngx_add_timer(&repeats->timer,
                      (ngx_msec_t) ngx_min(first,
                                       (ngx_msec_int_t) repeats->delays[0]));
    }
}


static void
ngx_http_chorus_repeat_put(ngx_http_chorus_repeats_t *repeats,
    ngx_http_chorus_repeat_t *repeat, ngx_uint_t round)
{
    repeat->due = ngx_current_msec + repeats->delays[round];

    ngx_queue_insert_tail(&repeats->rounds[round], &repeat->queue);
}


static void
ngx_http_chorus_repeat_free(ngx_http_chorus_repeats_t *repeats,
    ngx_http_chorus_repeat_t *repeat)
{
    repeats->bytes -= sizeof(ngx_http_chorus_repeat_t)
                      + repeat->replication.len + repeat->key.len;
    repeats->full = 0;

    if (repeat->intent == NULL) {
        repeats->nbare--;

    } else if (repeats->cmcf->journal) {
        ngx_http_chorus_intent_release(repeat->intent);
    }

    ngx_free(repeat);
}
