/* chorus.json and its secret files on disk: the one file here with I/O. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chorus_config.h"
#include "chorus_crypto.h"

#define MAX_CONFIG_BYTES  (4 * 1024 * 1024)
#define MAX_SECRET_BYTES  4096


typedef struct {
    chorus_str_t  folder;           /* of chorus.json, with the '/' */
} file_host_t;


static chorus_rc_t
file_check(int fd, const char *path, off_t max, struct stat *info,
    chorus_error_t *error)
{
    if (fstat(fd, info) == -1) {
        return chorus_error_set(error, "%.250s: %s", path, strerror(errno));
    }

    if (!S_ISREG(info->st_mode)) {
        return chorus_error_set(error, "%.250s: not a regular file", path);
    }

    if (info->st_size > max) {
        return chorus_error_set(error, "%.250s: longer than %ld bytes", path,
                                (long) max);
    }

    return CHORUS_OK;
}


/* The file may shrink meanwhile, what it grows by is left out. */
static chorus_rc_t
file_read_all(int fd, const char *path, char *data, size_t size, size_t *len,
    chorus_error_t *error)
{
    ssize_t  n;

    for (*len = 0; *len < size; *len += (size_t) n) {

        n = read(fd, data + *len, size - *len);

        if (n == -1 && errno == EINTR) {
            n = 0;
            continue;
        }

        if (n == -1) {
            return chorus_error_set(error, "%.250s: %s", path,
                                    strerror(errno));
        }

        if (n == 0) {
            break;
        }
    }

    return CHORUS_OK;
}


static chorus_rc_t
file_read_open(chorus_mem_t *mem, int fd, const char *path, off_t max,
    chorus_str_t *content, mode_t *mode, chorus_error_t *error)
{
    char         *data;
    size_t        size;
    chorus_rc_t   rc;
    struct stat   info;

    rc = file_check(fd, path, max, &info, error);
    if (rc != CHORUS_OK) {
        return rc;
    }

    size = (size_t) info.st_size;

    data = chorus_alloc(mem, size + 1);
    if (data == NULL) {
        return CHORUS_NOMEM;
    }

    *mode = info.st_mode;
    content->data = data;

    return file_read_all(fd, path, data, size, &content->len, error);
}


static chorus_rc_t
file_read(chorus_mem_t *mem, const char *path, off_t max,
    chorus_str_t *content, mode_t *mode, chorus_error_t *error)
{
    int          fd;
    chorus_rc_t  rc;

    /* O_NONBLOCK: a pipe is refused, not waited for */

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd == -1) {
        return chorus_error_set(error, "%.250s: %s", path, strerror(errno));
    }

    rc = file_read_open(mem, fd, path, max, content, mode, error);

    (void) close(fd);

    return rc;
}


/* Relative to the folder of chorus.json; null string when out of memory. */
static chorus_str_t
file_path(chorus_mem_t *mem, const file_host_t *host, chorus_str_t path)
{
    chorus_buf_t  buf;

    buf = chorus_buf(mem, host->folder.len + path.len + 1);

    if (!chorus_str_starts(path, chorus_str("/"))) {
        chorus_buf_add(&buf, host->folder);
    }

    chorus_buf_add(&buf, path);
    chorus_buf_char(&buf, '\0');

    if (buf.failed) {
        return chorus_null_str;
    }

    return (chorus_str_t) { buf.data, buf.len - 1 };
}


static chorus_rc_t
file_read_secret(void *data, chorus_mem_t *mem, chorus_str_t path,
    chorus_str_t *secret, chorus_error_t *error)
{
    mode_t        mode = 0;
    chorus_rc_t   rc;
    chorus_str_t  full;

    full = file_path(mem, data, path);
    if (full.data == NULL) {
        return CHORUS_NOMEM;
    }

    rc = file_read(mem, full.data, MAX_SECRET_BYTES, secret, &mode, error);
    if (rc != CHORUS_OK) {
        return rc;
    }

    if (mode & (S_IROTH | S_IWOTH)) {
        chorus_secret_wipe((void *) secret->data, secret->len);
        return chorus_error_set(error, "everyone may read or write this file; "
                                "run: chmod o-rwx %.250s", full.data);
    }

    if (secret->len != 0 && secret->data[secret->len - 1] == '\n') {
        secret->len--;
    }

    if (secret->len != 0 && secret->data[secret->len - 1] == '\r') {
        secret->len--;
    }

    return CHORUS_OK;
}


static const char *
file_get_env(void *data, const char *name)
{
    (void) data;

    return getenv(name);
}


/* "dir/" of "dir/chorus.json"; empty when there is no '/' */
static chorus_str_t
file_folder(const char *path)
{
    const char  *slash;

    slash = strrchr(path, '/');

    return (chorus_str_t) {
        path, slash == NULL ? 0 : (size_t) (slash - path) + 1
    };
}


/* An empty path stays empty. */
static chorus_rc_t
file_resolve(chorus_mem_t *mem, const file_host_t *host, chorus_str_t *path)
{
    if (path->len == 0) {
        return CHORUS_OK;
    }

    *path = file_path(mem, host, *path);

    return path->data == NULL ? CHORUS_NOMEM : CHORUS_OK;
}


/* One that others open, and that must be readable for us, too. */
static chorus_rc_t
file_resolve_readable(chorus_mem_t *mem, const file_host_t *host,
    chorus_str_t *path, const char *place, chorus_error_t *error)
{
    chorus_rc_t  rc;

    rc = file_resolve(mem, host, path);

    if (rc == CHORUS_OK && path->len != 0
        && access(path->data, R_OK) == -1)
    {
        return chorus_error_set(error, "%.100s: %.250s: %s", place,
                                path->data, strerror(errno));
    }

    return rc;
}


static chorus_rc_t
file_resolve_ca(chorus_mem_t *mem, const file_host_t *host,
    chorus_storage_t *storage, chorus_error_t *error)
{
    chorus_error_t  place;

    (void) chorus_error_set(&place, "storages.%.*s.ca_file",
                            chorus_fmt(storage->name));

    return file_resolve_readable(mem, host, &storage->ca_file, place.text,
                                 error);
}


static chorus_rc_t
file_resolve_redis(chorus_mem_t *mem, const file_host_t *host,
    chorus_redis_url_t *redis, chorus_error_t *error)
{
    chorus_rc_t  rc;
    struct stat  info;

    rc = file_resolve_readable(mem, host, &redis->ca_file, "redis.ca_file",
                               error);

    if (rc == CHORUS_OK) {
        rc = file_resolve_readable(mem, host, &redis->cert_file,
                                   "redis.cert_file", error);
    }

    if (rc == CHORUS_OK) {
        rc = file_resolve_readable(mem, host, &redis->key_file,
                                   "redis.key_file", error);
    }

    if (rc == CHORUS_OK && redis->key_file.len != 0
        && stat(redis->key_file.data, &info) == 0
        && (info.st_mode & (S_IROTH | S_IWOTH)))
    {
        return chorus_error_set(error, "redis.key_file: everyone may read or "
                                "write this file; run: chmod o-rwx %.250s",
                                redis->key_file.data);
    }

    return rc;
}


static chorus_rc_t
file_resolve_all(chorus_mem_t *mem, const file_host_t *host,
    chorus_config_t *config, chorus_error_t *error)
{
    size_t       i;
    chorus_rc_t  rc;

    rc = file_resolve(mem, host, &config->api_token_file);

    if (rc == CHORUS_OK) {
        rc = file_resolve_redis(mem, host, &config->redis, error);
    }

    for (i = 0; rc == CHORUS_OK && i < config->nstorages; i++) {
        rc = file_resolve_ca(mem, host, &config->storages[i], error);
    }

    if (rc != CHORUS_OK) {
        chorus_config_close(config);
    }

    return rc;
}


chorus_rc_t
chorus_config_load(chorus_mem_t *mem, const char *path,
    chorus_config_t *config, chorus_error_t *error)
{
    mode_t                mode = 0;
    chorus_rc_t           rc;
    chorus_str_t          text = chorus_null_str;
    file_host_t           file;
    chorus_error_t        inner;
    chorus_config_host_t  host;

    memset(config, 0, sizeof(chorus_config_t));

    rc = file_read(mem, path, MAX_CONFIG_BYTES, &text, &mode, error);
    if (rc != CHORUS_OK) {
        return rc;
    }

    file.folder = file_folder(path);

    host.read_secret = file_read_secret;
    host.get_env = file_get_env;
    host.data = &file;
    host.is_private = (mode & (S_IROTH | S_IWOTH)) == 0;
    host.file = path;

    rc = chorus_config_parse(mem, text, &host, config, &inner);

    chorus_secret_wipe((void *) text.data, text.len);

    if (rc == CHORUS_OK) {
        rc = file_resolve_all(mem, &file, config, &inner);
    }

    if (rc == CHORUS_ERROR) {
        return chorus_error_set(error, "%.200s: %.300s", path, inner.text);
    }

    return rc;
}
