/*
 * The directives of the journal, and whether its folder can be used.
 */

#include "ngx_http_chorus_journal.h"

#include <grp.h>
#include <sys/wait.h>


#define NGX_HTTP_CHORUS_JOURNAL_MAX      (64 * 1024 * 1024)
#define NGX_HTTP_CHORUS_JOURNAL_SEGMENT  (1024 * 1024)
#define NGX_HTTP_CHORUS_JOURNAL_LARGEST  (16 * 1024 * 1024)
#define NGX_HTTP_CHORUS_JOURNAL_WINDOW   10000


static char *ngx_http_chorus_journal_argument(ngx_conf_t *cf,
    ngx_http_chorus_journal_conf_t *conf, ngx_str_t *argument);
static char *ngx_http_chorus_journal_sizes(ngx_conf_t *cf,
    ngx_http_chorus_journal_conf_t *conf);
static int ngx_http_chorus_journal_try(ngx_core_conf_t *ccf, u_char *name);


char *
ngx_http_chorus_journal_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_chorus_main_conf_t *cmcf = conf;

    ngx_str_t                       *value;
    ngx_uint_t                       i;
    ngx_http_chorus_journal_conf_t  *journal;

    if (cmcf->journal_conf) {
        return "is duplicate";
    }

    journal = ngx_pcalloc(cf->pool, sizeof(ngx_http_chorus_journal_conf_t));
    if (journal == NULL) {
        return NGX_CONF_ERROR;
    }

    cmcf->journal_conf = journal;

    journal->max_size = NGX_HTTP_CHORUS_JOURNAL_MAX;
    journal->segment_size = NGX_HTTP_CHORUS_JOURNAL_SEGMENT;
    journal->window = NGX_HTTP_CHORUS_JOURNAL_WINDOW;

    journal->path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    if (journal->path == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;
    journal->path->name = value[1];

    if (ngx_conf_full_name(cf->cycle, &journal->path->name, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    while (journal->path->name.len > 1
           && journal->path->name.data[journal->path->name.len - 1] == '/')
    {
        journal->path->name.data[--journal->path->name.len] = '\0';
    }

    journal->path->conf_file = cf->conf_file->file.name.data;
    journal->path->line = cf->conf_file->line;
    journal->path->data = journal;

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_http_chorus_journal_argument(cf, journal, &value[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_chorus_journal_sizes(cf, journal);
}


static char *
ngx_http_chorus_journal_argument(ngx_conf_t *cf,
    ngx_http_chorus_journal_conf_t *conf, ngx_str_t *argument)
{
    chorus_str_t  name, rest;
    ngx_str_t     value;

    rest = ngx_http_chorus_view(argument);
    name = chorus_str_cut(&rest, '=');
    value = ngx_http_chorus_ngx_str(rest);

    if (value.len == 0) {
        goto invalid;
    }

    if (chorus_str_eq(name, chorus_str("max_size"))) {
        conf->max_size = ngx_parse_offset(&value);

        if (conf->max_size == (off_t) NGX_ERROR) {
            goto invalid;
        }

    } else if (chorus_str_eq(name, chorus_str("segment_size"))) {
        conf->segment_size = ngx_parse_offset(&value);

        if (conf->segment_size == (off_t) NGX_ERROR) {
            goto invalid;
        }

    } else if (chorus_str_eq(name, chorus_str("window"))) {
        conf->window = ngx_parse_time(&value, 0);

        if (conf->window == (ngx_msec_t) NGX_ERROR) {
            goto invalid;
        }

    } else if (chorus_str_eq(name, chorus_str("on_full"))) {

        if (chorus_str_eq(rest, chorus_str("reject"))) {
            conf->rejects = 1;

        } else if (!chorus_str_eq(rest, chorus_str("scan"))) {
            goto invalid;
        }

    } else {
        goto invalid;
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       argument);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_chorus_journal_sizes(ngx_conf_t *cf,
    ngx_http_chorus_journal_conf_t *conf)
{
    if (conf->segment_size < (off_t) ngx_pagesize
        || conf->segment_size > NGX_HTTP_CHORUS_JOURNAL_LARGEST)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "segment_size must be from %uz bytes to 16m",
                           ngx_pagesize);
        return NGX_CONF_ERROR;
    }

    if (conf->max_size < 2 * conf->segment_size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "max_size must be at least twice segment_size, "
                           "%O bytes", 2 * conf->segment_size);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* nginx makes the folder and gives it to the user of its processes, as it
 * does with those for temporary files, but does not say when it cannot be
 * used. */

ngx_int_t
ngx_http_chorus_journal_check(ngx_conf_t *cf,
    ngx_http_chorus_main_conf_t *cmcf)
{
    ngx_str_t        *name;
    ngx_path_t       *path;
    ngx_file_info_t   info;

    if (cmcf->journal_conf == NULL) {

        if (cmcf->journal_sync) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"chorus_journal_sync\" needs \"chorus_journal\"");
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    path = cmcf->journal_conf->path;
    name = &path->name;

    if (ngx_file_info(name->data, &info) == NGX_FILE_ERROR) {

        if (ngx_errno != NGX_ENOENT) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                          "chorus_journal: " ngx_file_info_n " \"%V\" failed",
                          name);
            return NGX_ERROR;
        }

    } else if (!ngx_is_dir(&info)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "chorus_journal: \"%V\" is not a folder", name);
        return NGX_ERROR;

    } else if (access((char *) name->data, R_OK|W_OK|X_OK) == -1) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "chorus_journal: the folder \"%V\" cannot be written",
                      name);
        return NGX_ERROR;
    }

    return ngx_add_path(cf, &cmcf->journal_conf->path);
}


char *
ngx_http_chorus_journal_sync_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_chorus_main_conf_t *cmcf = conf;

    ngx_str_t   *value;
    ngx_msec_t   interval;

    if (cmcf->journal_sync_is_set) {
        return "is duplicate";
    }

    cmcf->journal_sync_is_set = 1;
    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    interval = ngx_parse_time(&value[1], 0);

    if (interval == (ngx_msec_t) NGX_ERROR || interval == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is neither \"off\" nor a time above 0",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    cmcf->journal_sync = interval;

    return NGX_CONF_OK;
}


/* nginx has made the folder by now and has given it to that user, who may not
 * get to it: the processes would find out one by one, and too late.  Looked at
 * by `nginx -t` and at the start; the end of a master process that reloads
 * would be worse than what its log says of its processes. */

ngx_int_t
ngx_http_chorus_journal_reach(ngx_cycle_t *cycle,
    ngx_http_chorus_main_conf_t *cmcf)
{
    int               err;
    ngx_str_t        *name;
    ngx_core_conf_t  *ccf;

    if (cmcf->journal_conf == NULL || geteuid() != 0
        || !ngx_is_init_cycle(cycle->old_cycle))
    {
        return NGX_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);
    name = &cmcf->journal_conf->path->name;

    err = ngx_http_chorus_journal_try(ccf, name->data);

    if (err) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, err,
                      "chorus_journal: the user \"%s\" of the processes "
                      "cannot use the folder \"%V\"", ccf->username, name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* As that user, in a process of its own.  0, or an errno. */

static int
ngx_http_chorus_journal_try(ngx_core_conf_t *ccf, u_char *name)
{
    int    status;
    pid_t  pid;

    if (ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT || ccf->user == 0) {
        return 0;
    }

    pid = fork();

    if (pid == -1) {
        return ngx_errno;
    }

    if (pid == 0) {
        if (initgroups(ccf->username, ccf->group) == -1
            || setgid(ccf->group) == -1
            || setuid(ccf->user) == -1
            || access((char *) name, R_OK|W_OK|X_OK) == -1)
        {
            _exit(ngx_errno);
        }

        _exit(0);
    }

    while (waitpid(pid, &status, 0) == -1) {
        if (ngx_errno != NGX_EINTR) {
            return 0;
        }
    }

    return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}
