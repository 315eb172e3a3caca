/* What a Redis says of itself. */

#include <string.h>

#include "chorus_redis.h"


chorus_str_t
chorus_redis_info(chorus_str_t info, chorus_str_t name)
{
    chorus_str_t  line, value;

    while (info.data != NULL) {

        line = chorus_str_cut(&info, '\n');

        if (line.len != 0 && line.data[line.len - 1] == '\r') {
            line.len--;
        }

        value = line;

        if (chorus_str_eq(chorus_str_cut(&value, ':'), name)
            && value.data != NULL)
        {
            return value;
        }
    }

    return chorus_null_str;
}


/* A process that restarts has another run id.  One that was a replica for a
 * while and came back has another history: master_replid. */
bool
chorus_redis_take_info(chorus_redis_identity_t *identity, chorus_str_t info)
{
    chorus_str_t  run, history;

    run = chorus_redis_info(info, chorus_str("run_id"));
    history = chorus_redis_info(info, chorus_str("master_replid"));

    if (!chorus_str_eq(chorus_redis_info(info, chorus_str("role")),
                       chorus_str("master"))
        || run.len == 0
        || run.len + history.len >= CHORUS_REDIS_RUN_SIZE)
    {
        return false;
    }

    memcpy(identity->run, run.data, run.len);

    if (history.len != 0) {
        memcpy(identity->run + run.len, history.data, history.len);
    }

    identity->run[run.len + history.len] = '\0';

    return true;
}


bool
chorus_redis_take_generation(chorus_redis_identity_t *identity,
    chorus_str_t generation, int64_t alive_ms, int64_t known_ms)
{
    if (generation.len == 0 || generation.len >= CHORUS_REDIS_GENERATION_SIZE)
    {
        return false;
    }

    memcpy(identity->generation, generation.data, generation.len);
    identity->generation[generation.len] = '\0';
    identity->alive_ms = alive_ms;
    identity->known_ms = known_ms;

    return true;
}


chorus_redis_memory_t
chorus_redis_compare(const chorus_redis_identity_t *known,
    const chorus_redis_identity_t *now)
{
    if (known->generation[0] != '\0'
        && strcmp(known->generation, now->generation) != 0)
    {
        return CHORUS_REDIS_LOST_ALL;
    }

    if (known->run[0] == '\0' || strcmp(known->run, now->run) == 0) {
        return CHORUS_REDIS_SAME;
    }

    /* signs of life are marks like any other: the last one that we saw is
     * there if what we told before it is there */
    if (now->known_ms < known->alive_ms - CHORUS_REDIS_ALIVE_MS) {
        return CHORUS_REDIS_LOST_MORE;
    }

    return CHORUS_REDIS_LOST_TAIL;
}


void
chorus_redis_generation(const unsigned char *bytes,
    char text[CHORUS_REDIS_GENERATION_LEN + 1])
{
    size_t  i;

    static const char  hex[] = "0123456789abcdef";

    for (i = 0; i < CHORUS_REDIS_GENERATION_LEN / 2; i++) {
        text[2 * i] = hex[bytes[i] >> 4];
        text[2 * i + 1] = hex[bytes[i] & 15];
    }

    text[CHORUS_REDIS_GENERATION_LEN] = '\0';
}


bool
chorus_redis_needs_greeting(chorus_str_t error)
{
    size_t  i;

    static const char  *const words[] = {
        "READONLY ", "MASTERDOWN ", "CLUSTERDOWN ", "LOADING ", "NOAUTH ",
        "ERR Function not found",
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (chorus_str_starts(error, chorus_str_from(words[i]))) {
            return true;
        }
    }

    return false;
}


const char *
chorus_redis_hint(const char *error)
{
    size_t  i;

    static const struct {
        const char  *error;
        const char  *hint;
    } hints[] = {
        { "Connection refused",
          "does it run, and is redis.url of chorus.json right?" },
        { "ERR unknown command",
          "Chorus needs Redis 7 or later, and its functions" },
        { "NOAUTH ", "chorus.json has no password for it: redis.url or "
          "redis.password_file" },
        { "WRONGPASS ", "it has another password than redis.url or "
          "redis.password_file of chorus.json" },
        { "READONLY", "redis.url of chorus.json leads to a replica, or a "
          "failover is under way" },
    };

    for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        if (strstr(error, hints[i].error) != NULL) {
            return hints[i].hint;
        }
    }

    return NULL;
}
