/* The name of one replication in Redis. */

#include <stdbool.h>
#include <string.h>

#include "chorus_replication.h"
#include "chorus_uri.h"


static bool
replication_is_plain(char c)
{
    return chorus_is_alnum(c) || c == '-' || c == '.' || c == '_';
}


static void
replication_encode(chorus_buf_t *buf, chorus_str_t part)
{
    size_t             i;
    unsigned char      c;
    static const char  hex[] = "0123456789ABCDEF";

    for (i = 0; i < part.len; i++) {

        c = (unsigned char) part.data[i];

        if (replication_is_plain(part.data[i])) {
            chorus_buf_char(buf, part.data[i]);
            continue;
        }

        chorus_buf_char(buf, '%');
        chorus_buf_char(buf, hex[c >> 4]);
        chorus_buf_char(buf, hex[c & 0x0f]);
    }
}


chorus_str_t
chorus_replication_name(chorus_mem_t *mem,
    const chorus_replication_t *replication)
{
    chorus_buf_t  buf;

    buf = chorus_buf(mem, 128);

    replication_encode(&buf, replication->user);
    chorus_buf_char(&buf, ':');
    replication_encode(&buf, replication->bucket);
    chorus_buf_char(&buf, ':');
    replication_encode(&buf, replication->follower);

    if (replication->target.len != 0) {
        chorus_buf_char(&buf, ':');
        replication_encode(&buf, replication->target);
    }

    return chorus_buf_str(&buf);
}


/* One spelling for each part: what is plain stands for itself, all else is
 * %XX with upper-case digits. */
static chorus_rc_t
replication_decode(chorus_mem_t *mem, chorus_str_t part, chorus_str_t *out,
    chorus_error_t *error)
{
    chorus_buf_t  buf;

    if (part.len == 0) {
        return chorus_error_set(error, "replication name: an empty part");
    }

    if (!chorus_uri_is_valid(part)) {
        return chorus_error_set(error, "replication name: a broken escape");
    }

    if (!chorus_uri_decode(mem, part, out)) {
        return CHORUS_NOMEM;
    }

    buf = chorus_buf(mem, part.len);
    replication_encode(&buf, *out);

    if (buf.failed) {
        return CHORUS_NOMEM;
    }

    if (!chorus_str_eq(chorus_buf_str(&buf), part)) {
        return chorus_error_set(error,
                                "replication name: not in its one spelling");
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_replication_parse(chorus_mem_t *mem, chorus_str_t name,
    chorus_replication_t *replication, chorus_error_t *error)
{
    size_t         i;
    chorus_rc_t    rc;
    chorus_str_t   rest, *parts[4];

    memset(replication, 0, sizeof(chorus_replication_t));

    parts[0] = &replication->user;
    parts[1] = &replication->bucket;
    parts[2] = &replication->follower;
    parts[3] = &replication->target;

    rest = name;

    for (i = 0; i < 4; i++) {

        rc = replication_decode(mem, chorus_str_cut(&rest, ':'), parts[i],
                                error);
        if (rc != CHORUS_OK) {
            return rc;
        }

        if (rest.data == NULL && i >= 2) {
            return CHORUS_OK;
        }
    }

    return chorus_error_set(error, "replication name: too many parts");
}
