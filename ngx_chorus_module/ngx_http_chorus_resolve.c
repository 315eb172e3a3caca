/*
 * What names in directives mean: storages of chorus.json with credentials for
 * everybody and an upstream of their name.
 * Directives are read before chorus.json may be known, so this comes later.
 */

#include "ngx_http_chorus_module.h"
#include "chorus_destination.h"


static chorus_storage_t *ngx_http_chorus_resolve_storage(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf, const char *directive,
    ngx_http_chorus_names_t *names, ngx_str_t *name);
static ngx_int_t ngx_http_chorus_resolve_follower(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf, ngx_http_chorus_loc_conf_t *conf,
    ngx_str_t *word);
static ngx_int_t ngx_http_chorus_check_upstream(ngx_conf_t *cf,
    chorus_storage_t *storage);


char *
ngx_http_chorus_names(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_chorus_names_t **field =
                   (ngx_http_chorus_names_t **) ((char *) conf + cmd->offset);

    ngx_str_t                *value;
    ngx_http_chorus_names_t  *names;

    if (*field != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    names = ngx_palloc(cf->pool, sizeof(ngx_http_chorus_names_t));
    if (names == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    names->nnames = cf->args->nelts - 1;
    names->file = cf->conf_file->file.name;
    names->line = cf->conf_file->line;

    /* args are used again for the next directive, their elements too */
    names->names = ngx_palloc(cf->pool, names->nnames * sizeof(ngx_str_t));
    if (names->names == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(names->names, value + 1, names->nnames * sizeof(ngx_str_t));

    *field = names;

    return NGX_CONF_OK;
}


char *
ngx_http_chorus_resolve_route(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf, ngx_http_chorus_loc_conf_t *conf)
{
    if (conf->route_name == NULL) {
        return NGX_CONF_OK;
    }

    conf->route = ngx_http_chorus_resolve_storage(cf, cmcf, "chorus_route",
                                                  conf->route_name,
                                                  &conf->route_name->names[0]);

    if (conf->route == NULL
        || ngx_http_chorus_check_upstream(cf, conf->route) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_chorus_resolve_replicate(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf, ngx_http_chorus_loc_conf_t *conf)
{
    ngx_str_t                *name;
    ngx_uint_t                i;
    ngx_http_chorus_names_t  *names;

    names = conf->replicate_names;

    if (names == NULL) {
        return NGX_CONF_OK;
    }

    name = names->names;

    if (names->nnames == 1
        && ngx_strcmp(name[0].data, "off") == 0)
    {
        return NGX_CONF_OK;
    }

    if (names->nnames > NGX_HTTP_CHORUS_MAX_FOLLOWERS) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "chorus_replicate: more than %d followers in %V:%ui",
                      NGX_HTTP_CHORUS_MAX_FOLLOWERS, &names->file,
                      names->line);
        return NGX_CONF_ERROR;
    }

    if (conf->route && !conf->route->is_main) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "chorus_replicate \"%V\": replication is from main, but "
                      "chorus_route sends this location to \"%*s\" in %V:%ui",
                      &name[0], conf->route->name.len, conf->route->name.data,
                      &names->file, names->line);
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < names->nnames; i++) {
        if (ngx_http_chorus_resolve_follower(cf, cmcf, conf, &name[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* "follower[:bucket]" */

static ngx_int_t
ngx_http_chorus_resolve_follower(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf, ngx_http_chorus_loc_conf_t *conf,
    ngx_str_t *word)
{
    ngx_str_t                 name;
    ngx_uint_t                i;
    chorus_str_t              rest;
    chorus_error_t            error;
    chorus_destination_t      to;
    ngx_http_chorus_names_t  *names;

    names = conf->replicate_names;

    rest = ngx_http_chorus_view(word);
    name = ngx_http_chorus_ngx_str(chorus_str_cut(&rest, ':'));
    to.bucket = rest;

    to.storage = ngx_http_chorus_resolve_storage(cf, cmcf, "chorus_replicate",
                                                 names, &name);
    if (to.storage == NULL) {
        return NGX_ERROR;
    }

    if (to.storage->is_main) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "chorus_replicate \"%V\": this is main itself; "
                      "name a follower in %V:%ui", word, &names->file,
                      names->line);
        return NGX_ERROR;
    }

    if (to.bucket.data
        && chorus_destination_check(to.bucket,
                                    ngx_http_chorus_location_is_bucket(cf),
                                    &error)
           != CHORUS_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "chorus_replicate \"%V\": %s in %V:%ui", word,
                      error.text, &names->file, names->line);
        return NGX_ERROR;
    }

    for (i = 0; i < conf->nfollowers; i++) {
        if (conf->followers[i].storage == to.storage
            && chorus_str_eq(conf->followers[i].bucket, to.bucket))
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "chorus_replicate \"%V\": named twice in %V:%ui",
                          word, &names->file, names->line);
            return NGX_ERROR;
        }
    }

    conf->followers[conf->nfollowers++] = to;

    return NGX_OK;
}


static chorus_storage_t *
ngx_http_chorus_resolve_storage(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf, const char *directive,
    ngx_http_chorus_names_t *names, ngx_str_t *name)
{
    size_t             i;
    chorus_user_t     *user;
    chorus_storage_t  *storage;

    storage = chorus_config_storage(cmcf->config, ngx_http_chorus_view(name));

    if (storage == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "%s \"%V\": no such storage in \"%V\" in %V:%ui",
                      directive, name, &cmcf->path, &names->file,
                      names->line);
        return NULL;
    }

    for (i = 0; i < cmcf->config->nusers; i++) {
        user = &cmcf->config->users[i];

        if (chorus_storage_credential(storage, user->name) == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "%s \"%V\": \"%V\" has no credentials for "
                          "\"%*s\": storages.%V.users: no \"%*s\" in %V:%ui",
                          directive, name, &cmcf->path,
                          user->name.len, user->name.data, name,
                          user->name.len, user->name.data,
                          &names->file, names->line);
            return NULL;
        }
    }

    return storage;
}


/* proxy_pass with a variable finds an upstream{} by its name at run time; a
 * missing one would only be noticed by the first request. */

ngx_http_upstream_srv_conf_t *
ngx_http_chorus_upstream(ngx_http_upstream_main_conf_t *umcf,
    chorus_str_t storage)
{
    ngx_str_t                        name;
    ngx_uint_t                       i;
    ngx_http_upstream_srv_conf_t   **uscfp;

    uscfp = umcf->upstreams.elts;
    name = ngx_http_chorus_ngx_str(storage);

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        if ((uscfp[i]->flags & NGX_HTTP_UPSTREAM_CREATE)
            && uscfp[i]->host.len == name.len
            && ngx_strncasecmp(uscfp[i]->host.data, name.data, name.len) == 0)
        {
            return uscfp[i];
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_chorus_has_upstream(ngx_conf_t *cf, chorus_storage_t *storage)
{
    ngx_http_upstream_main_conf_t  *umcf;

    umcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);

    return ngx_http_chorus_upstream(umcf, storage->name) != NULL;
}


static ngx_int_t
ngx_http_chorus_check_upstream(ngx_conf_t *cf, chorus_storage_t *storage)
{
    ngx_str_t  name;

    if (ngx_http_chorus_has_upstream(cf, storage)) {
        return NGX_OK;
    }

    name = ngx_http_chorus_ngx_str(storage->name);

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "storage \"%V\" has no upstream of its name: add "
                  "\"upstream %V { server %*s; keepalive 64; }\" "
                  "to the http block",
                  &name, &name, storage->host.len, storage->host.data);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_chorus_check_upstreams(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf)
{
    size_t  i;

    if (ngx_http_chorus_check_upstream(cf, cmcf->config->main) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < cmcf->config->nroutes; i++) {

        if (ngx_http_chorus_check_upstream(cf,
                                           cmcf->config->routes[i].storage)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_chorus_find_upstreams(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf)
{
    size_t  i;

    cmcf->routable = ngx_pcalloc(cf->pool, cmcf->config->nstorages);
    if (cmcf->routable == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < cmcf->config->nstorages; i++) {
        cmcf->routable[i] = ngx_http_chorus_has_upstream(cf,
                                             &cmcf->config->storages[i]);
    }

    return NGX_OK;
}
