#include "chorus_config_value.h"
#include "chorus_limit.h"


static chorus_rc_t
config_limits_of(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_limits_t *limits)
{
    unsigned              i;
    const char           *wrong;
    chorus_rc_t           rc;
    chorus_config_node_t  member;

    rc = chorus_config_object(reader, node, chorus_limit_names);
    if (rc != CHORUS_OK) {
        return rc;
    }

    for (i = 0; i < CHORUS_NLIMITS; i++) {
        member = chorus_config_member(node, chorus_limit_names[i]);

        if (member.json == NULL) {
            continue;
        }

        wrong = chorus_limit_read(member.json, (chorus_limit_t) i,
                                  &limits->of[i]);
        if (wrong != NULL) {
            return chorus_config_fail(reader, &member, "%s", wrong);
        }
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_config_limits(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const chorus_config_t *config)
{
    json_t                *value;
    const char            *name;
    chorus_rc_t            rc;
    chorus_storage_t      *storage;
    chorus_config_node_t   member;

    if (node->json == NULL) {
        return CHORUS_OK;
    }

    rc = chorus_config_map(reader, node);
    if (rc != CHORUS_OK) {
        return rc;
    }

    json_object_foreach(node->json, name, value) {
        member = chorus_config_member(node, name);

        rc = chorus_config_storage_named(reader, &member, config,
                                         chorus_str_from(name), &storage);
        if (rc == CHORUS_OK) {
            rc = config_limits_of(reader, &member, &storage->limits);
        }

        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    return CHORUS_OK;
}
