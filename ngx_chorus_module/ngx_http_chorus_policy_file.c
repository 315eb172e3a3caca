/*
 * A copy of the policy in the folder of the journal: with it nginx starts as
 * it ended, whether Redis is there or not.
 */

#include "ngx_http_chorus_journal.h"
#include "ngx_http_chorus_policy.h"

#include <jansson.h>


#define NGX_HTTP_CHORUS_POLICY_FILE  "policy"


static u_char *ngx_http_chorus_policy_name(
    ngx_http_chorus_policies_t *policies, u_char *name, size_t size,
    ngx_uint_t is_new);
static ngx_int_t ngx_http_chorus_policy_slurp(
    ngx_http_chorus_policies_t *policies, u_char *name, ngx_str_t *text);
static ngx_int_t ngx_http_chorus_policy_write(chorus_str_t text,
    u_char *name);
static void ngx_http_chorus_policy_complain(
    ngx_http_chorus_policies_t *policies, u_char *name);


void
ngx_http_chorus_policy_load(ngx_http_chorus_policies_t *policies)
{
    u_char                     name[NGX_MAX_PATH];
    ngx_int_t                  rc;
    ngx_str_t                  text;
    chorus_error_t             error;
    ngx_http_chorus_policy_t  *policy;

    if (ngx_http_chorus_policy_name(policies, name, sizeof(name), 0) == NULL) {
        return;
    }

    rc = ngx_http_chorus_policy_slurp(policies, name, &text);

    if (rc == NGX_DECLINED) {
        return;
    }

    if (rc == NGX_ERROR) {
        ngx_http_chorus_policy_complain(policies, name);
        policies->written = 0;
        return;
    }

    policy = ngx_http_chorus_policy_read(policies,
                                         ngx_http_chorus_view(&text), &error);
    ngx_free(text.data);

    if (policy == NULL) {
        ngx_log_error(NGX_LOG_ERR, policies->log, 0,
                      "chorus: \"%s\" cannot be used: %s; without a dynamic "
                      "policy until Redis tells it", name, error.text);
        policies->written = 0;
        return;
    }

    /* by a process before, perhaps, that Redis has not heard of since */
    policies->written = policy->live.version;
    policies->saved = 1;

    ngx_http_chorus_policy_use(policies, policy);
}


/* A reload with a chorus.json that has no more what a rule names would drop all
 * rules: blocks would open, and what is routed would be written to main.  What
 * is no JSON is none of that; processes say so. */

ngx_int_t
ngx_http_chorus_policy_check(ngx_conf_t *cf, ngx_http_chorus_main_conf_t *cmcf)
{
    u_char                      name[NGX_MAX_PATH];
    json_t                     *json;
    ngx_str_t                   text;
    chorus_error_t              error;
    ngx_http_chorus_policy_t   *policy;
    ngx_http_chorus_policies_t  policies;

    ngx_memzero(&policies, sizeof(ngx_http_chorus_policies_t));
    policies.cmcf = cmcf;
    policies.log = cf->log;

    if (ngx_http_chorus_policy_name(&policies, name, sizeof(name), 0) == NULL
        || ngx_http_chorus_policy_slurp(&policies, name, &text) != NGX_OK)
    {
        return NGX_OK;
    }

    policy = ngx_http_chorus_policy_read(&policies,
                                         ngx_http_chorus_view(&text), &error);
    json = policy ? NULL : json_loadb((char *) text.data, text.len, 0, NULL);
    ngx_free(text.data);

    if (policy) {
        ngx_http_chorus_policy_free(policy);
        return NGX_OK;
    }

    if (json == NULL) {
        return NGX_OK;
    }

    json_decref(json);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "chorus: the dynamic policy does not go with this "
                       "configuration: %s; delete that rule with chorusctl "
                       "first, or keep what it names (\"%s\" is the copy of "
                       "the policy)", error.text, name);

    return NGX_ERROR;
}


/* NULL: there is no folder, or its name is too long. */

static u_char *
ngx_http_chorus_policy_name(ngx_http_chorus_policies_t *policies,
    u_char *name, size_t size, ngx_uint_t is_new)
{
    ngx_str_t  *dir;

    if (policies->cmcf->journal_conf == NULL) {
        return NULL;
    }

    dir = &policies->cmcf->journal_conf->path->name;

    if (dir->len + 64 > size) {
        return NULL;
    }

    if (is_new) {
        (void) ngx_snprintf(name, size, "%V/" NGX_HTTP_CHORUS_POLICY_FILE
                            ".%P.new%Z", dir, ngx_pid);
    } else {
        (void) ngx_snprintf(name, size, "%V/" NGX_HTTP_CHORUS_POLICY_FILE
                            "%Z", dir);
    }

    return name;
}


/* NGX_DECLINED: there is no such file. */

static ngx_int_t
ngx_http_chorus_policy_slurp(ngx_http_chorus_policies_t *policies,
    u_char *name, ngx_str_t *text)
{
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_file_info_t  info;

    fd = ngx_open_file(name, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return ngx_errno == NGX_ENOENT ? NGX_DECLINED : NGX_ERROR;
    }

    text->data = NULL;

    if (ngx_fd_info(fd, &info) != NGX_FILE_ERROR
        && ngx_is_file(&info)
        && ngx_file_size(&info) <= CHORUS_LIVE_MAX)
    {
        text->len = ngx_file_size(&info);
        text->data = ngx_alloc(text->len + 1, policies->log);
    }

    if (text->data == NULL) {
        ngx_close_file(fd);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, text->data, text->len);
    ngx_close_file(fd);

    if (n != (ssize_t) text->len) {
        ngx_free(text->data);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Each process does; they are of one mind. */

void
ngx_http_chorus_policy_save(ngx_http_chorus_policies_t *policies)
{
    u_char  name[NGX_MAX_PATH], temp[NGX_MAX_PATH];

    if (ngx_http_chorus_policy_name(policies, name, sizeof(name), 0) == NULL
        || ngx_http_chorus_policy_name(policies, temp, sizeof(temp), 1)
           == NULL)
    {
        return;
    }

    if (ngx_http_chorus_policy_write(policies->current->text, temp) == NGX_OK
        && ngx_rename_file(temp, name) != NGX_FILE_ERROR)
    {
        policies->complained = 0;
        policies->saved = 1;
        return;
    }

    ngx_http_chorus_policy_complain(policies, temp);
    (void) ngx_delete_file(temp);
}


static ngx_int_t
ngx_http_chorus_policy_write(chorus_str_t text, u_char *name)
{
    ssize_t   n;
    ngx_fd_t  fd;

    fd = ngx_open_file(name, NGX_FILE_WRONLY, NGX_FILE_TRUNCATE, 0600);

    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    n = ngx_write_fd(fd, (void *) text.data, text.len);

    if (n != (ssize_t) text.len || fsync(fd) == -1) {
        ngx_close_file(fd);
        return NGX_ERROR;
    }

    return ngx_close_file(fd) == NGX_FILE_ERROR ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_chorus_policy_complain(ngx_http_chorus_policies_t *policies,
    u_char *name)
{
    ngx_err_t  err;

    err = ngx_errno;

    if (!policies->complained) {
        policies->complained = 1;
        ngx_log_error(NGX_LOG_ERR, policies->log, err,
                      "chorus: \"%s\": the policy has no copy on disk, so "
                      "nginx cannot start with it while Redis is away", name);
    }
}
