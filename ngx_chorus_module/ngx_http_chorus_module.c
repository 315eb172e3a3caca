/*
 * Directives, configuration, and the start and end of a worker process.
 */

#include "ngx_http_chorus_policy.h"


static void *ngx_http_chorus_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_chorus_create_srv_conf(ngx_conf_t *cf);
static char *ngx_http_chorus_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void *ngx_http_chorus_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_chorus_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_chorus_config(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void ngx_http_chorus_config_cleanup(void *data);
static ngx_int_t ngx_http_chorus_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_chorus_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_chorus_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_chorus_init_process(ngx_cycle_t *cycle);
static void ngx_http_chorus_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_chorus_commands[] = {

    { ngx_string("chorus_config"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_chorus_config,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chorus_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_chorus_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chorus_replication_status"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_chorus_loc_conf_t, replication_status),
      NULL },

    { ngx_string("chorus_repeat"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_chorus_repeat_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chorus_journal"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_chorus_journal_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chorus_journal_sync"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_chorus_journal_sync_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chorus"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_chorus_loc_conf_t, enable),
      NULL },

    { ngx_string("chorus_auth_v2"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_chorus_loc_conf_t, auth_v2),
      NULL },

    { ngx_string("chorus_anonymous"),
      NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_chorus_names,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_chorus_loc_conf_t, anonymous_words),
      NULL },

    { ngx_string("chorus_domain"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_http_chorus_domain,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chorus_route"),
      NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_chorus_names,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_chorus_loc_conf_t, route_name),
      NULL },

    { ngx_string("chorus_replicate"),
      NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_chorus_names,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_chorus_loc_conf_t, replicate_names),
      NULL },

    { ngx_string("chorus_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_chorus_api,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chorus_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_chorus_metrics,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chorus_health"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_chorus_health,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_chorus_module_ctx = {
    ngx_http_chorus_preconfiguration,      /* preconfiguration */
    ngx_http_chorus_postconfiguration,     /* postconfiguration */

    ngx_http_chorus_create_main_conf,      /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_http_chorus_create_srv_conf,       /* create server configuration */
    ngx_http_chorus_merge_srv_conf,        /* merge server configuration */

    ngx_http_chorus_create_loc_conf,       /* create location configuration */
    ngx_http_chorus_merge_loc_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_chorus_module = {
    NGX_MODULE_V1,
    &ngx_http_chorus_module_ctx,           /* module context */
    ngx_http_chorus_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_chorus_init_module,           /* init module */
    ngx_http_chorus_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_chorus_exit_process,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_chorus_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_chorus_main_conf_t));
}


static void *
ngx_http_chorus_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_chorus_srv_conf_t));
}


static char *
ngx_http_chorus_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_chorus_srv_conf_t  *prev = parent;
    ngx_http_chorus_srv_conf_t  *conf = child;

    if (conf->domains == NULL) {
        conf->domains = prev->domains;
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_chorus_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_chorus_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_chorus_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->enable = NGX_CONF_UNSET;
    conf->auth_v2 = NGX_CONF_UNSET;
    conf->replication_status = NGX_CONF_UNSET;
    conf->anonymous_words = NGX_CONF_UNSET_PTR;
    conf->route_name = NGX_CONF_UNSET_PTR;
    conf->replicate_names = NGX_CONF_UNSET_PTR;

    return conf;
}


/*
 * chorus.json is known by now wherever chorus_config stands in http{},
 * because levels are merged after the whole block has been read.
 */

static char *
ngx_http_chorus_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_chorus_loc_conf_t  *prev = parent;
    ngx_http_chorus_loc_conf_t  *conf = child;

    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_chorus_srv_conf_t   *cscf;
    ngx_http_chorus_main_conf_t  *cmcf;

    ngx_conf_merge_value(conf->enable, prev->enable, 0);
    ngx_conf_merge_value(conf->auth_v2, prev->auth_v2, 0);
    ngx_conf_merge_value(conf->replication_status, prev->replication_status,
                         0);
    ngx_conf_merge_ptr_value(conf->anonymous_words, prev->anonymous_words,
                             NULL);
    ngx_conf_merge_ptr_value(conf->route_name, prev->route_name, NULL);
    ngx_conf_merge_ptr_value(conf->replicate_names, prev->replicate_names,
                             NULL);

    /* only the configuration of a server itself, and of an "if" in it, has
     * no name */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    conf->outside = (clcf->name.len == 0);

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_chorus_module);

    if (conf->enable) {
        cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_chorus_module);
        cscf->serves = 1;
        cmcf->enabled = 1;

        if (ngx_http_chorus_location_add(cf, conf) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (cmcf->config == NULL) {

        if (conf->enable || conf->route_name || conf->replicate_names
            || conf->anonymous_words)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "chorus is used but \"chorus_config\" is missing: "
                          "add \"chorus_config /etc/chorus/chorus.json;\" "
                          "to the http block");
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (ngx_http_chorus_anonymous_resolve(cf, cmcf, conf) != NGX_CONF_OK
        || ngx_http_chorus_resolve_route(cf, cmcf, conf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_chorus_resolve_replicate(cf, cmcf, conf);
}


static char *
ngx_http_chorus_config(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_chorus_main_conf_t *cmcf = conf;

    ngx_str_t           *value;
    chorus_mem_t         mem;
    chorus_error_t       error;
    chorus_config_t     *config;
    ngx_pool_cleanup_t  *cln;

    if (cmcf->config) {
        return "is duplicate";
    }

    value = cf->args->elts;
    cmcf->path = value[1];

    if (ngx_conf_full_name(cf->cycle, &cmcf->path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    config = ngx_pcalloc(cf->pool, sizeof(chorus_config_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (config == NULL || cln == NULL) {
        return NGX_CONF_ERROR;
    }

    mem = ngx_http_chorus_mem(cf->pool);

    if (chorus_config_load(&mem, (char *) cmcf->path.data, config, &error)
        != CHORUS_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", error.text);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_chorus_config_cleanup;
    cln->data = config;
    cmcf->config = config;

    return NGX_CONF_OK;
}


static void
ngx_http_chorus_config_cleanup(void *data)
{
    chorus_config_close(data);
}


static ngx_int_t
ngx_http_chorus_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_chorus_add_variables(cf);
}


static ngx_int_t
ngx_http_chorus_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_handler_pt          *h;
    ngx_http_core_main_conf_t    *mcf;
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_chorus_module);

    if (cmcf->config == NULL) {
        return NGX_OK;
    }

    ngx_http_chorus_api_guard_check(cf);

    if (ngx_http_chorus_redis_resolve(cf, cmcf) != NGX_OK
        || ngx_http_chorus_redis_tls_init(cf, cmcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_chorus_journal_check(cf, cmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!cmcf->enabled) {
        return NGX_OK;
    }

    if (ngx_http_chorus_find_upstreams(cf, cmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_chorus_check_upstreams(cf, cmcf) != NGX_OK
        || ngx_http_chorus_policy_check(cf, cmcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&mcf->phases[NGX_HTTP_SERVER_REWRITE_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_chorus_location_handler;

    /* before limit_req and limit_conn, which log: who comes last is first */
    h = ngx_array_push(&mcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_chorus_log_without_query;

    h = ngx_array_push(&mcf->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_chorus_access_handler;

    h = ngx_array_push(&mcf->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_chorus_log_handler;

    ngx_http_chorus_peers_init(cf);
    ngx_http_chorus_settle_init();
    ngx_http_chorus_upload_init();
    ngx_http_chorus_error_init();
    ngx_http_chorus_replicated_init();

    return NGX_OK;
}


static ngx_int_t
ngx_http_chorus_init_module(ngx_cycle_t *cycle)
{
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_chorus_module);

    if (cmcf == NULL || cmcf->config == NULL) {
        return NGX_OK;
    }

    return ngx_http_chorus_journal_reach(cycle, cmcf);
}


static ngx_int_t
ngx_http_chorus_init_process(ngx_cycle_t *cycle)
{
    ngx_http_chorus_main_conf_t  *cmcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_chorus_module);

    if (cmcf == NULL || cmcf->config == NULL) {
        return NGX_OK;
    }

    cmcf->crypto = chorus_crypto_create();
    cmcf->keys = chorus_key_cache_create();

    if (cmcf->crypto == NULL || cmcf->keys == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "chorus: OpenSSL has no HMAC-SHA256");
        return NGX_ERROR;
    }

    if (ngx_http_chorus_counters_init(cmcf, cycle) != NGX_OK
        || ngx_http_chorus_recent_init(cmcf, cycle) != NGX_OK
        || ngx_http_chorus_parts_init(cmcf, cycle) != NGX_OK
        || ngx_http_chorus_marks_init(cmcf, cycle) != NGX_OK
        || ngx_http_chorus_turn_init(cmcf, cycle) != NGX_OK
        || ngx_http_chorus_repeats_init(cmcf, cycle) != NGX_OK
        || ngx_http_chorus_journal_init(cmcf, cycle) != NGX_OK
        || ngx_http_chorus_debts_init(cmcf, cycle) != NGX_OK
        || ngx_http_chorus_policy_init(cmcf, cycle) != NGX_OK
        || ngx_http_chorus_gauges_init(cmcf, cycle) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_chorus_redis_init(cmcf, cycle);
}


static void
ngx_http_chorus_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_chorus_main_conf_t  *cmcf;

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_chorus_module);

    if (cmcf == NULL || cmcf->config == NULL || cmcf->crypto == NULL) {
        return;
    }

    ngx_http_chorus_marks_flush(cmcf);
    ngx_http_chorus_redis_exit(cmcf);
    ngx_http_chorus_debts_exit(cmcf);
    ngx_http_chorus_journal_exit(cmcf);
    ngx_http_chorus_marks_exit(cmcf);
    ngx_http_chorus_repeats_exit(cmcf);
    ngx_http_chorus_parts_exit(cmcf);
    ngx_http_chorus_recent_exit(cmcf);
    ngx_http_chorus_policy_exit(cmcf);
    ngx_http_chorus_gauges_exit(cmcf);
    ngx_http_chorus_counters_exit(cmcf);

    chorus_key_cache_destroy(cmcf->keys);
    chorus_crypto_destroy(cmcf->crypto);
}
