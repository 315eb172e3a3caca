/*
 * Counters in shared memory, and what each process has to say about itself
 * now: that is not added up over the life of the zone, because a process that
 * is killed takes back nothing.
 */

#include "ngx_http_chorus_module.h"


static ngx_int_t ngx_http_chorus_zone_init(ngx_shm_zone_t *zone, void *data);
static u_char *ngx_http_chorus_counters_journal(u_char *p, u_char *end,
    ngx_http_chorus_main_conf_t *cmcf, ngx_atomic_uint_t debts);


char *
ngx_http_chorus_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_chorus_main_conf_t *cmcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (cmcf->zone) {
        return "is duplicate";
    }

    value = cf->args->elts;
    size = ngx_parse_size(&value[2]);

    if (size == NGX_ERROR || size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\": \"%V\" is not a size of at least "
                           "%uz bytes", &value[1], &value[2],
                           8 * ngx_pagesize);
        return NGX_CONF_ERROR;
    }

    cmcf->zone = ngx_shared_memory_add(cf, &value[1], size,
                                       &ngx_http_chorus_module);
    if (cmcf->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cmcf->zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is already in use", &value[1]);
        return NGX_CONF_ERROR;
    }

    cmcf->zone->init = ngx_http_chorus_zone_init;
    cmcf->zone->data = cmcf;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_chorus_zone_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (shpool->data) {
        /* a reload: the counters go on */
        return NGX_OK;
    }

    shpool->data = ngx_slab_calloc(shpool, sizeof(ngx_http_chorus_counters_t));

    return shpool->data ? NGX_OK : NGX_ERROR;
}


/* Without chorus_zone each process counts for itself. */

ngx_int_t
ngx_http_chorus_counters_init(ngx_http_chorus_main_conf_t *cmcf,
    ngx_cycle_t *cycle)
{
    ngx_slab_pool_t            *shpool;
    ngx_http_chorus_process_t  *process;

    if (cmcf->zone) {
        shpool = (ngx_slab_pool_t *) cmcf->zone->shm.addr;
        cmcf->counters = shpool->data;

    } else {
        cmcf->counters = ngx_pcalloc(cycle->pool,
                                     sizeof(ngx_http_chorus_counters_t));
    }

    /* more than anybody starts: these are not in the sums */
    process = ngx_pcalloc(cycle->pool, sizeof(ngx_http_chorus_process_t));

    if (cmcf->counters == NULL || process == NULL) {
        return NGX_ERROR;
    }

    if (ngx_process_slot < NGX_HTTP_CHORUS_PROCESSES) {
        process = &cmcf->counters->processes[ngx_process_slot];
    }

    /* of the one before, which may have been killed */
    ngx_memzero(process, sizeof(ngx_http_chorus_process_t));
    process->pid = ngx_pid;

    cmcf->process = process;

    return NGX_OK;
}


void
ngx_http_chorus_counters_exit(ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_memzero(cmcf->process, sizeof(ngx_http_chorus_process_t));
}


u_char *
ngx_http_chorus_counters_write(u_char *p, u_char *end,
    ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_http_chorus_process_t    sum;
    ngx_http_chorus_counters_t  *n;

    n = cmcf->counters;
    sum = ngx_http_chorus_processes_sum(n);

    p = ngx_slprintf(p, end,
                     "{\"requests\":%uA,\"refused\":%uA,\"marked\":%uA,"
                     "\"acknowledged\":%uA,\"lost\":%uA,\"resent\":%uA,"
                     "\"redis_connects\":%uA,\"waiting\":%uA,"
                     "\"waiting_ms\":%uA,\"journal\":",
                     n->requests, n->refused, n->marked, n->acknowledged,
                     n->lost, n->resent, n->reconnects, sum.waiting,
                     sum.oldest);

    p = ngx_http_chorus_counters_journal(p, end, cmcf, sum.debts);

    return ngx_slprintf(p, end, "}");
}


static ngx_atomic_uint_t
ngx_http_chorus_age(ngx_atomic_uint_t since)
{
    ngx_msec_int_t  age;

    age = (ngx_msec_int_t) (ngx_current_msec - since);

    return (ngx_atomic_uint_t) ngx_max(age, 0);
}


ngx_http_chorus_process_t
ngx_http_chorus_processes_sum(ngx_http_chorus_counters_t *counters)
{
    ngx_uint_t                  i;
    ngx_atomic_uint_t           age;
    ngx_http_chorus_process_t  *process, sum;

    ngx_memzero(&sum, sizeof(ngx_http_chorus_process_t));

    for (i = 0; i < NGX_HTTP_CHORUS_PROCESSES; i++) {
        process = &counters->processes[i];

        /* killed, and not replaced: a process of an older configuration */

        if (process->pid == 0
            || (kill((ngx_pid_t) process->pid, 0) == -1
                && ngx_errno == ESRCH))
        {
            continue;
        }

        sum.debts += process->debts;

        if (process->waiting) {
            age = ngx_http_chorus_age(process->oldest);

            sum.waiting += process->waiting;
            sum.oldest = ngx_max(sum.oldest, age);
        }

        if (process->unsettled) {
            age = ngx_http_chorus_age(process->unsettled);
            sum.unsettled = ngx_max(sum.unsettled, age);
        }
    }

    return sum;
}


static u_char *
ngx_http_chorus_counters_journal(u_char *p, u_char *end,
    ngx_http_chorus_main_conf_t *cmcf, ngx_atomic_uint_t debts)
{
    off_t                        bytes;
    ngx_uint_t                   segments;
    ngx_atomic_int_t             open;
    ngx_http_chorus_counters_t  *n;

    if (cmcf->journal == NULL) {
        return ngx_slprintf(p, end, "null");
    }

    n = cmcf->counters;
    ngx_http_chorus_journal_sum(cmcf->journal, &bytes, &segments);

    /* those of a process that was killed may have been counted twice */
    open = (ngx_atomic_int_t) (n->intents - n->aborted - n->settled);
    open = ngx_max(open, 0);

    return ngx_slprintf(p, end,
                        "{\"state\":\"%s\",\"bytes\":%O,\"segments\":%ui,"
                        "\"intents\":%uA,\"open\":%A,\"aborted\":%uA,"
                        "\"adopted\":%uA,\"debts\":%uA,\"debts_kept\":%s}",
                        ngx_http_chorus_journal_state(cmcf->journal),
                        bytes, segments, n->intents, open, n->aborted,
                        n->adopted, debts,
                        ngx_http_chorus_debts_are_kept(cmcf->debts)
                        ? "true" : "false");
}
