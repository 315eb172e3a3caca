/* Endpoints of storages, and the address of Redis. */

#include <string.h>

#include "chorus_config_value.h"
#include "chorus_uri.h"

#define DEFAULT_REDIS_PORT  6379
#define MAX_REDIS_DATABASE  65535
#define MAX_HOST_LEN        253


typedef struct {
    chorus_str_t  host;         /* "[::1]" keeps its brackets */
    bool          has_port;
    uint16_t      port;
} url_host_t;


static const char  *const redis_keys[] = { "url", NULL };


static bool
url_is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}


static bool
url_host_is_valid(chorus_str_t host)
{
    bool    is_v6;
    size_t  i;

    is_v6 = (host.len > 2 && host.data[0] == '['
             && host.data[host.len - 1] == ']');

    if (is_v6) {
        host = chorus_str_sub(host, 1);
        host.len--;
    }

    for (i = 0; i < host.len; i++) {
        if (is_v6 ? host.data[i] != ':' && chorus_hex_digit(host.data[i]) < 0
                    && host.data[i] != '.'
                  : !url_is_host_char(host.data[i]))
        {
            return false;
        }
    }

    return host.len != 0 && host.len <= MAX_HOST_LEN;
}


/* host[:port], the host may be an address in brackets */
static bool
url_parse_host(chorus_str_t text, url_host_t *host)
{
    uint64_t      port;
    chorus_str_t  rest;

    memset(host, 0, sizeof(url_host_t));

    rest = text;

    if (chorus_str_starts(text, chorus_str("["))) {
        (void) chorus_str_cut(&rest, ']');

        if (rest.data == NULL) {
            return false;
        }

        host->host = (chorus_str_t) { text.data, text.len - rest.len };

        if (rest.len == 0) {
            return url_host_is_valid(host->host);
        }

        if (rest.data[0] != ':') {
            return false;
        }

        rest = chorus_str_sub(rest, 1);

    } else {
        host->host = chorus_str_cut(&rest, ':');

        if (rest.data == NULL) {
            return url_host_is_valid(host->host);
        }
    }

    if (!chorus_str_to_u64(rest, &port) || port == 0 || port > 65535) {
        return false;
    }

    host->has_port = true;
    host->port = (uint16_t) port;

    return url_host_is_valid(host->host);
}


/* Moves *rest behind "scheme://" when it begins with that. */
static bool
url_take_scheme(chorus_str_t *rest, chorus_str_t scheme)
{
    if (!chorus_str_casestarts(*rest, scheme)) {
        return false;
    }

    *rest = chorus_str_sub(*rest, scheme.len);

    return true;
}


chorus_rc_t
chorus_config_endpoint(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_storage_t *storage)
{
    url_host_t    host;
    chorus_rc_t   rc;
    chorus_buf_t  buf;
    chorus_str_t  text;

    rc = chorus_config_text(reader, node, &text);
    if (rc != CHORUS_OK) {
        return rc;
    }

    storage->tls = url_take_scheme(&text, chorus_str("https://"));

    if ((!storage->tls && !url_take_scheme(&text, chorus_str("http://")))
        || !url_parse_host(text, &host))
    {
        return chorus_config_fail(reader, node, "must be http://host[:port] "
                                  "or https://host[:port], without a path");
    }

    buf = chorus_buf(reader->mem, text.len + 16);
    chorus_buf_text(&buf, storage->tls ? "https://" : "http://");
    chorus_buf_add(&buf, host.host);

    if (host.has_port && host.port != (storage->tls ? 443 : 80)) {
        chorus_buf_char(&buf, ':');
        chorus_buf_u64(&buf, host.port);
    }

    storage->endpoint = chorus_buf_str(&buf);
    storage->host = chorus_str_sub(storage->endpoint, storage->tls ? 8 : 7);

    return buf.failed ? CHORUS_NOMEM : CHORUS_OK;
}


/* ---- Redis ---- */


static bool
redis_parse_database(chorus_str_t text, chorus_redis_url_t *redis)
{
    uint64_t  n;

    if (text.len == 0) {
        return true;
    }

    if (!chorus_str_to_u64(text, &n) || n > MAX_REDIS_DATABASE) {
        return false;
    }

    redis->database = (unsigned) n;

    return true;
}


static chorus_rc_t
redis_take_part(const chorus_config_reader_t *reader, chorus_str_t encoded,
    chorus_str_t *part)
{
    chorus_str_t  decoded;

    if (!chorus_uri_is_valid(encoded)) {
        return CHORUS_ERROR;
    }

    if (!chorus_uri_decode(reader->mem, encoded, &decoded)) {
        return CHORUS_NOMEM;
    }

    *part = chorus_str_dup(reader->mem, decoded);

    if (decoded.data != encoded.data) {
        chorus_config_wipe(decoded);
    }

    if (part->data == NULL) {
        return CHORUS_NOMEM;
    }

    return strlen(part->data) == part->len ? CHORUS_OK : CHORUS_ERROR;
}


/* "user:password" or ":password"; a name alone is more likely a password at
 * the wrong place than a user who has none. */
static chorus_rc_t
redis_parse_user(const chorus_config_reader_t *reader, chorus_str_t userinfo,
    chorus_redis_url_t *redis)
{
    chorus_rc_t   rc;
    chorus_str_t  user, password;

    if (userinfo.data == NULL) {
        return CHORUS_OK;
    }

    password = userinfo;
    user = chorus_str_cut(&password, ':');

    if (password.len == 0) {
        return CHORUS_ERROR;
    }

    rc = redis_take_part(reader, user, &redis->user);

    return rc != CHORUS_OK ? rc
                           : redis_take_part(reader, password,
                                             &redis->password);
}


/* Cuts "userinfo@" off; the last '@' ends it. */
static chorus_str_t
redis_cut_user(chorus_str_t *authority)
{
    size_t        at;
    chorus_str_t  user;

    for (at = authority->len; at != 0; at--) {

        if (authority->data[at - 1] == '@') {
            user = (chorus_str_t) { authority->data, at - 1 };
            *authority = chorus_str_sub(*authority, at);
            return user;
        }
    }

    return chorus_null_str;
}


/* behind "redis://": [[user]:password@]host[:port][/database] */
static chorus_rc_t
redis_parse_tcp(const chorus_config_reader_t *reader, chorus_str_t rest,
    chorus_redis_url_t *redis)
{
    url_host_t    host;
    chorus_rc_t   rc;
    chorus_str_t  authority, user;

    authority = chorus_str_cut(&rest, '/');
    user = redis_cut_user(&authority);

    if (!url_parse_host(authority, &host)
        || !redis_parse_database(rest, redis))
    {
        return CHORUS_ERROR;
    }

    rc = redis_parse_user(reader, user, redis);
    if (rc != CHORUS_OK) {
        return rc;
    }

    redis->port = host.has_port ? host.port : DEFAULT_REDIS_PORT;

    if (host.host.data[0] == '[') {
        host.host = chorus_str_sub(host.host, 1);
        host.host.len--;
    }

    redis->host = chorus_str_dup(reader->mem, host.host);

    return redis->host.data == NULL ? CHORUS_NOMEM : CHORUS_OK;
}


/* behind "unix://": [[user]:password@]/path[?db=N] */
static chorus_rc_t
redis_parse_unix(const chorus_config_reader_t *reader, chorus_str_t rest,
    chorus_redis_url_t *redis)
{
    chorus_rc_t   rc;
    chorus_str_t  path, user;

    path = chorus_str_cut(&rest, '?');
    user = redis_cut_user(&path);

    if (path.len < 2 || path.data[0] != '/') {
        return CHORUS_ERROR;
    }

    if (rest.data != NULL
        && (!chorus_str_starts(rest, chorus_str("db="))
            || !redis_parse_database(chorus_str_sub(rest, 3), redis)))
    {
        return CHORUS_ERROR;
    }

    rc = redis_parse_user(reader, user, redis);
    if (rc != CHORUS_OK) {
        return rc;
    }

    redis->unix_path = chorus_str_dup(reader->mem, path);

    return redis->unix_path.data == NULL ? CHORUS_NOMEM : CHORUS_OK;
}


static chorus_rc_t
redis_parse_url(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_str_t url,
    chorus_redis_url_t *redis)
{
    chorus_rc_t   rc;
    chorus_str_t  rest;

    rest = url;

    if (url_take_scheme(&rest, chorus_str("rediss://"))) {
        return chorus_config_fail(reader, node, "rediss:// (TLS) is not "
                                  "supported by this version");
    }

    if (url_take_scheme(&rest, chorus_str("redis+sentinel://"))
        || url_take_scheme(&rest, chorus_str("rediss+sentinel://")))
    {
        return chorus_config_fail(reader, node, "redis+sentinel:// is not "
                                  "supported by this version");
    }

    if (url_take_scheme(&rest, chorus_str("redis://"))) {
        rc = redis_parse_tcp(reader, rest, redis);

    } else if (url_take_scheme(&rest, chorus_str("unix://"))) {
        rc = redis_parse_unix(reader, rest, redis);

    } else {
        rc = CHORUS_ERROR;
    }

    if (rc == CHORUS_ERROR) {
        return chorus_config_fail(reader, node, "must be redis://[[user]:"
                   "password@]host[:port][/database] or unix:///path[?db=N]");
    }

    return rc;
}


chorus_rc_t
chorus_config_redis(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config)
{
    bool                  is_inline;
    chorus_rc_t           rc;
    chorus_str_t          text;
    chorus_redis_url_t   *redis = &config->redis;
    chorus_config_node_t  url;

    redis->host = chorus_str("127.0.0.1");
    redis->port = DEFAULT_REDIS_PORT;

    if (node->json == NULL) {
        return CHORUS_OK;
    }

    rc = chorus_config_object(reader, node, redis_keys);
    if (rc != CHORUS_OK) {
        return rc;
    }

    url = chorus_config_member(node, "url");

    rc = chorus_config_expand(reader, &url, &text, &is_inline);
    if (rc != CHORUS_OK) {
        return rc;
    }

    redis->host = chorus_null_str;
    redis->port = 0;

    rc = redis_parse_url(reader, &url, text, redis);

    if (rc == CHORUS_OK && is_inline && redis->password.len != 0) {
        rc = chorus_config_inline(reader, &url);
    }

    chorus_config_wipe(text);

    return rc;
}
