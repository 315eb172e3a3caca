/* "guard": how many deletes a follower gets before somebody is asked. */

#include "chorus_config_value.h"

#define GUARD_DELETES_MAX  1000000000
#define GUARD_SECONDS_MAX  (30 * 86400)


static const char  *const guard_keys[] = {
    "deletes_percent", "deletes", "min_deletes", "per_seconds", NULL
};


chorus_rc_t
chorus_config_guard(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_guard_t *guard)
{
    size_t                i;
    chorus_rc_t           rc;
    chorus_config_node_t  member;

    const struct {
        unsigned   min;
        unsigned   max;
        unsigned   default_value;
        unsigned  *value;
    } settings[] = {
        { 1, 100, 0, &guard->deletes_percent },
        { 1, GUARD_DELETES_MAX, 0, &guard->deletes },
        { 0, GUARD_DELETES_MAX, 100, &guard->min_deletes },
        { 1, GUARD_SECONDS_MAX, 3600, &guard->per_seconds }
    };

    *guard = (chorus_guard_t) { 0, 0, 0, 0 };

    if (node->json == NULL || json_is_false(node->json)) {
        return CHORUS_OK;
    }

    rc = chorus_config_object(reader, node, guard_keys);

    for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {

        if (rc != CHORUS_OK) {
            return rc;
        }

        *settings[i].value = settings[i].default_value;
        member = chorus_config_member(node, guard_keys[i]);

        rc = chorus_config_number(reader, &member, settings[i].min,
                                  settings[i].max, settings[i].value);
    }

    if (rc == CHORUS_OK && guard->deletes_percent == 0 && guard->deletes == 0)
    {
        return chorus_config_fail(reader, node, "needs \"deletes_percent\" or "
                                  "\"deletes\"; false: no guard");
    }

    return rc;
}
