/* A host for the loader without a disk, and JSON in single quotes.  Every
 * secret holds the word S3CR3T, so that a leak is found. */

#ifndef CONFIG_HOST_H
#define CONFIG_HOST_H

#include "chorus_config.h"
#include "test.h"

#define ALICE(key)  "'alice': {'access_key': '" key "', "                     \
                    "'secret_key': 'S3CR3T/" key "'}"
#define BOB(key)    "'bob': {'access_key': '" key "', "                       \
                    "'secret_key': 'S3CR3T/" key "'}"
#define MAIN        "'main': {'endpoint': 'http://10.0.0.1:8080', "           \
                    "'main': true, 'users': {" ALICE("MA") "}}"
#define FOLLOWER    "'follower': {'endpoint': 'https://s3.example.net', "     \
                    "'region': 'eu-1', 'provider': 'aws', "                   \
                    "'users': {" ALICE("FA") "}}"
#define STORAGES    "'storages': {" MAIN ", " FOLLOWER "}"


TEST_HELPER chorus_rc_t
host_read_secret(void *data, chorus_mem_t *pool, chorus_str_t path,
    chorus_str_t *secret, chorus_error_t *error)
{
    (void) data;

    if (chorus_str_eq(path, chorus_str("missing"))) {
        return chorus_error_set(error, "missing: No such file or directory");
    }

    if (chorus_str_eq(path, chorus_str("empty"))) {
        *secret = chorus_str("");
        return CHORUS_OK;
    }

    *secret = chorus_str_dup(pool, chorus_str("S3CR3T/file"));

    return secret->data == NULL ? CHORUS_NOMEM : CHORUS_OK;
}


TEST_HELPER const char *
host_get_env(void *data, const char *name)
{
    (void) data;

    if (strcmp(name, "EMPTY") == 0) {
        return "";
    }

    if (strcmp(name, "REDIS_URL") == 0) {
        return "redis://:S3CR3T@r.example.net/1";
    }

    return strcmp(name, "ALICE_SECRET") == 0 ? "S3CR3T/env" : NULL;
}


TEST_HELPER chorus_config_host_t
test_host(bool is_private)
{
    chorus_config_host_t  host;

    host.read_secret = host_read_secret;
    host.get_env = host_get_env;
    host.data = NULL;
    host.is_private = is_private;
    host.file = "/etc/chorus/chorus.json";

    return host;
}


/* ' becomes " */
TEST_HELPER chorus_str_t
json_of(chorus_mem_t *pool, const char *text)
{
    char          *p;
    chorus_str_t   copy;

    copy = chorus_str_dup(pool, chorus_str_from(text));
    assert_non_null(copy.data);

    for (p = (char *) copy.data; *p != '\0'; p++) {
        if (*p == '\'') {
            *p = '"';
        }
    }

    return copy;
}


#endif
