/* "redis": where it is, who we are, and whom we trust. */

#include "chorus_config_value.h"

#define DEFAULT_REDIS_PORT  6379


static const char  *const redis_keys[] = {
    "url", "user", "password_file", "sentinel_user", "sentinel_password",
    "sentinel_password_file", "ca_file", "cert_file", "key_file", "tls_name",
    NULL
};


/* A user, and a password that may have a file of its own. */
static chorus_rc_t
redis_read_login(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const char *const *names,
    chorus_str_t *user, chorus_str_t *password)
{
    chorus_rc_t           rc;
    chorus_config_node_t  name;

    rc = chorus_config_secret(reader, node, names[1], names[2], password);
    if (rc != CHORUS_OK) {
        return rc;
    }

    name = chorus_config_member(node, names[0]);

    if (name.json == NULL) {
        return CHORUS_OK;
    }

    if (password->len == 0) {
        return chorus_config_fail(reader, &name, "no \"%s\" to it",
                                  names[2]);
    }

    return chorus_config_text(reader, &name, user);
}


static chorus_rc_t
redis_read_logins(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_redis_url_t *redis)
{
    chorus_rc_t   rc;
    chorus_str_t  user, password;

    static const char  *const login[] = { "user", "password",
                                          "password_file" };
    static const char  *const sentinel[] = { "sentinel_user",
                                             "sentinel_password",
                                             "sentinel_password_file" };

    user = chorus_null_str;

    rc = redis_read_login(reader, node, login, &user, &password);
    if (rc != CHORUS_OK) {
        return rc;
    }

    if (password.len != 0 && redis->password.len != 0) {
        chorus_config_wipe(password);
        return chorus_config_fail(reader, node, "a password in \"url\" and "
                                  "a \"password_file\"");
    }

    if (password.len != 0) {
        redis->user = user;
        redis->password = password;
    }

    rc = redis_read_login(reader, node, sentinel, &redis->sentinel_user,
                          &redis->sentinel_password);

    if (rc == CHORUS_OK && redis->sentinel_password.len != 0
        && redis->nsentinels == 0)
    {
        return chorus_config_fail(reader, node, "a sentinel_password, but "
                                  "\"url\" is not redis+sentinel://");
    }

    return rc;
}


/* Beside redis:// they would promise what nobody does. */
static chorus_rc_t
redis_read_tls(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_redis_url_t *redis)
{
    size_t                i;
    chorus_rc_t           rc;
    chorus_config_node_t  member;

    const struct {
        const char    *name;
        chorus_str_t  *value;
    } members[] = {
        { "ca_file", &redis->ca_file },
        { "cert_file", &redis->cert_file },
        { "key_file", &redis->key_file },
        { "tls_name", &redis->tls_name },
    };

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {

        member = chorus_config_member(node, members[i].name);

        if (member.json == NULL) {
            continue;
        }

        if (!redis->tls) {
            return chorus_config_fail(reader, &member, "needs a rediss:// or "
                                      "rediss+sentinel:// url");
        }

        rc = chorus_config_text(reader, &member, members[i].value);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    if ((redis->cert_file.len == 0) != (redis->key_file.len == 0)) {
        return chorus_config_fail(reader, node, "\"cert_file\" and "
                                  "\"key_file\" need each other");
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_config_redis(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_config_t *config)
{
    chorus_rc_t           rc;
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
    rc = chorus_config_redis_url(reader, &url, redis);

    if (rc == CHORUS_OK) {
        rc = redis_read_tls(reader, node, redis);
    }

    return rc != CHORUS_OK ? rc : redis_read_logins(reader, node, redis);
}
