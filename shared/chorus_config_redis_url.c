/* redis.url: the address of Redis, or of those who know it. */

#include <string.h>

#include "chorus_config_value.h"
#include "chorus_uri.h"

#define DEFAULT_REDIS_PORT     6379
#define DEFAULT_SENTINEL_PORT  26379
#define MAX_REDIS_DATABASE     65535
#define MAX_SENTINELS          16
#define MAX_SERVICE_LEN        128

#ifndef CHORUS_REDIS_TLS
#define CHORUS_REDIS_TLS       0
#endif

#ifdef CHORUS_HIREDIS               /* 1.2.0 without quotes: tools/hiredis */
#define REDIS_TEXT_OF(version) #version
#define REDIS_TEXT(version)    REDIS_TEXT_OF(version)
#define REDIS_HIREDIS          "hiredis " REDIS_TEXT(CHORUS_HIREDIS)
#else
#define REDIS_HIREDIS          "hiredis"
#endif


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


static chorus_rc_t
redis_copy_host(const chorus_config_reader_t *reader, chorus_str_t text,
    uint16_t default_port, chorus_redis_host_t *copy)
{
    chorus_config_host_port_t  host;

    if (!chorus_config_host_port(text, &host)) {
        return CHORUS_ERROR;
    }

    if (host.host.data[0] == '[') {
        host.host = chorus_str_sub(host.host, 1);
        host.host.len--;
    }

    copy->port = host.has_port ? host.port : default_port;
    copy->name = chorus_str_dup(reader->mem, host.host);

    return copy->name.data == NULL ? CHORUS_NOMEM : CHORUS_OK;
}


/* behind "redis://": [[user]:password@]host[:port][/database] */
static chorus_rc_t
redis_parse_tcp(const chorus_config_reader_t *reader, chorus_str_t rest,
    chorus_redis_url_t *redis)
{
    chorus_rc_t          rc;
    chorus_str_t         authority, user;
    chorus_redis_host_t  host;

    authority = chorus_str_cut(&rest, '/');
    user = redis_cut_user(&authority);

    if (!redis_parse_database(rest, redis)) {
        return CHORUS_ERROR;
    }

    rc = redis_copy_host(reader, authority, DEFAULT_REDIS_PORT, &host);
    if (rc != CHORUS_OK) {
        return rc;
    }

    redis->host = host.name;
    redis->port = host.port;

    return redis_parse_user(reader, user, redis);
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


/* what sentinel.conf accepts as the name of a master */
static bool
redis_is_service(chorus_str_t name)
{
    char    c;
    size_t  i;

    for (i = 0; i < name.len; i++) {
        c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'))
        {
            return false;
        }
    }

    return name.len != 0 && name.len <= MAX_SERVICE_LEN;
}


static chorus_rc_t
redis_parse_sentinels(const chorus_config_reader_t *reader, chorus_str_t list,
    chorus_redis_url_t *redis)
{
    chorus_rc_t   rc;
    chorus_str_t  one;

    redis->sentinels = chorus_alloc(reader->mem, MAX_SENTINELS
                                    * sizeof(chorus_redis_host_t));
    if (redis->sentinels == NULL) {
        return CHORUS_NOMEM;
    }

    while (list.data != NULL) {

        one = chorus_str_cut(&list, ',');

        if (redis->nsentinels == MAX_SENTINELS) {
            return CHORUS_ERROR;
        }

        rc = redis_copy_host(reader, one, DEFAULT_SENTINEL_PORT,
                             &redis->sentinels[redis->nsentinels]);
        if (rc != CHORUS_OK) {
            return rc;
        }

        redis->nsentinels++;
    }

    return CHORUS_OK;
}


/* behind "redis+sentinel://":
 * [[user]:password@]host[:port][,host[:port]...]/service[/database] */
static chorus_rc_t
redis_parse_sentinel(const chorus_config_reader_t *reader, chorus_str_t rest,
    chorus_redis_url_t *redis)
{
    chorus_rc_t   rc;
    chorus_str_t  authority, service, user;

    authority = chorus_str_cut(&rest, '/');
    user = redis_cut_user(&authority);
    service = chorus_str_cut(&rest, '/');

    if (!redis_is_service(service) || !redis_parse_database(rest, redis)) {
        return CHORUS_ERROR;
    }

    rc = redis_parse_sentinels(reader, authority, redis);
    if (rc != CHORUS_OK) {
        return rc;
    }

    redis->service = chorus_str_dup(reader->mem, service);
    if (redis->service.data == NULL) {
        return CHORUS_NOMEM;
    }

    return redis_parse_user(reader, user, redis);
}


typedef chorus_rc_t (*redis_parse_pt)(const chorus_config_reader_t *reader,
    chorus_str_t rest, chorus_redis_url_t *redis);

static const struct {
    const char      *scheme;
    redis_parse_pt   parse;
    bool             tls;
    const char      *form;
} redis_forms[] = {
    { "redis://", redis_parse_tcp, false,
      "must be redis://[[user]:password@]host[:port][/database]" },

    { "unix://", redis_parse_unix, false,
      "must be unix://[[user]:password@]/path[?db=N]" },

    { "redis+sentinel://", redis_parse_sentinel, false,
      "must be redis+sentinel://[[user]:password@]host[:port],"
      "host[:port].../service[/database]" },

    { "rediss://", redis_parse_tcp, true,
      "must be rediss://[[user]:password@]host[:port][/database]" },

    { "rediss+sentinel://", redis_parse_sentinel, true,
      "must be rediss+sentinel://[[user]:password@]host[:port],"
      "host[:port].../service[/database]" },
};

#define REDIS_FORMS  (sizeof(redis_forms) / sizeof(redis_forms[0]))


static chorus_rc_t
redis_parse_url(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_str_t url,
    chorus_redis_url_t *redis)
{
    size_t        i;
    chorus_rc_t   rc;
    chorus_str_t  rest;

    rest = url;

    for (i = 0; i < REDIS_FORMS; i++) {
        if (chorus_config_scheme(&rest,
                                 chorus_str_from(redis_forms[i].scheme)))
        {
            break;
        }
    }

    if (i == REDIS_FORMS) {
        return chorus_config_fail(reader, node, "must begin with redis://, "
                                  "rediss://, redis+sentinel://, "
                                  "rediss+sentinel:// or unix://");
    }

    redis->tls = redis_forms[i].tls;

    if (redis->tls && !CHORUS_REDIS_TLS) {
        return chorus_config_fail(reader, node, "this build cannot speak TLS "
                                  "to Redis, its " REDIS_HIREDIS " has no "
                                  "SSL; build with hiredis 1.0 or later and "
                                  "its hiredis_ssl, or let stunnel do it and "
                                  "use redis:// or unix://");
    }

    rc = redis_forms[i].parse(reader, rest, redis);

    return rc == CHORUS_ERROR
           ? chorus_config_fail(reader, node, "%s", redis_forms[i].form) : rc;
}


chorus_rc_t
chorus_config_redis_url(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_redis_url_t *redis)
{
    bool          is_inline;
    chorus_rc_t   rc;
    chorus_str_t  text;

    rc = chorus_config_expand(reader, node, &text, &is_inline);
    if (rc != CHORUS_OK) {
        return rc;
    }

    redis->host = chorus_null_str;
    redis->port = 0;

    rc = redis_parse_url(reader, node, text, redis);

    if (rc == CHORUS_OK && is_inline && redis->password.len != 0) {
        rc = chorus_config_inline(reader, node);
    }

    chorus_config_wipe(text);

    return rc;
}
