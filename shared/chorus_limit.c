#include "chorus_limit.h"

#include <string.h>


const char *const  chorus_limit_names[] = {
    "requests_per_second", "bytes_per_second", NULL
};

const char *const  chorus_limit_kinds[] = { "requests", "bytes", NULL };

static const struct {
    int64_t      min;
    int64_t      max;
    const char  *must;
} limit_bounds[] = {
    { 1, CHORUS_LIMIT_REQUESTS_MAX,
      "must be a whole number from 1 to 1000000" },
    { CHORUS_LIMIT_BYTES_MIN, CHORUS_LIMIT_BYTES_MAX,
      "must be a number of bytes from 16384 to 2^40, or a string such as "
      "\"200MiB\" (KiB, MiB, GiB, TiB)" }
};


/* -1: it is no such string */

static int64_t
limit_bytes(chorus_str_t text)
{
    size_t        i;
    uint64_t      n;
    unsigned      shift;
    chorus_str_t  unit;

    static const char  *const units[] = { "KiB", "MiB", "GiB", "TiB" };

    shift = 0;

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        unit = chorus_str_from(units[i]);

        if (text.len > unit.len
            && chorus_str_eq(chorus_str_sub(text, text.len - unit.len), unit))
        {
            text.len -= unit.len;
            shift = 10 * ((unsigned) i + 1);
            break;
        }
    }

    if (!chorus_str_to_u64(text, &n)
        || n > (uint64_t) CHORUS_LIMIT_BYTES_MAX >> shift)
    {
        return -1;
    }

    return (int64_t) (n << shift);
}


const char *
chorus_limit_read(const json_t *value, chorus_limit_t kind, int64_t *limit)
{
    if (json_is_integer(value)) {
        *limit = json_integer_value(value);

    } else if (json_is_string(value) && kind == CHORUS_LIMIT_BYTES) {
        *limit = limit_bytes((chorus_str_t) { json_string_value(value),
                                              json_string_length(value) });
    } else {
        return limit_bounds[kind].must;
    }

    return *limit >= limit_bounds[kind].min && *limit <= limit_bounds[kind].max
           ? NULL : limit_bounds[kind].must;
}


static chorus_rc_t
limits_change_one(const json_t *value, chorus_limit_t kind, int64_t *limit,
    chorus_error_t *error)
{
    const char  *wrong;

    *limit = CHORUS_LIMIT_KEEP;

    if (value == NULL) {
        return CHORUS_OK;
    }

    if (json_is_null(value)) {
        *limit = CHORUS_LIMIT_UNSET;
        return CHORUS_OK;
    }

    if (json_is_integer(value) && json_integer_value(value) == 0) {
        *limit = CHORUS_LIMIT_NONE;
        return CHORUS_OK;
    }

    wrong = chorus_limit_read(value, kind, limit);

    return wrong == NULL ? CHORUS_OK
           : chorus_error_set(error, "%s: %s, or 0 for no limit, or null for "
                              "that of chorus.json", chorus_limit_names[kind],
                              wrong);
}


static chorus_rc_t
limits_change_all(const json_t *root, chorus_limits_t *change,
    chorus_error_t *error)
{
    size_t       known;
    unsigned     i;
    chorus_rc_t  rc;
    json_t      *value;

    rc = CHORUS_OK;
    known = 0;

    for (i = 0; i < CHORUS_NLIMITS && rc == CHORUS_OK; i++) {
        value = json_object_get(root, chorus_limit_names[i]);
        known += value != NULL;
        rc = limits_change_one(value, (chorus_limit_t) i, &change->of[i],
                               error);
    }

    if (rc == CHORUS_OK && (known == 0 || known != json_object_size(root))) {
        return chorus_error_set(error, "the body has "
                                "\"requests_per_second\", "
                                "\"bytes_per_second\" or both, and nothing "
                                "else");
    }

    return rc;
}


chorus_rc_t
chorus_limits_change(chorus_str_t text, chorus_limits_t *change,
    chorus_error_t *error)
{
    json_t        *root;
    chorus_rc_t    rc;
    json_error_t   json_error;

    root = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES,
                      &json_error);

    rc = json_is_object(root) ? limits_change_all(root, change, error)
         : chorus_error_set(error, "the body is no JSON object");

    json_decref(root);

    return rc;
}
