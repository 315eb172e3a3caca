/*
 * The raw request target of an S3 request, taken apart without being
 * normalised: "//", "." and ".." are parts of a key.
 */

#ifndef CHORUS_URI_H
#define CHORUS_URI_H

#include <stdbool.h>

#include "chorus_error.h"
#include "chorus_mem.h"
#include "chorus_str.h"


#define CHORUS_URI_MAX_ARGS  1000


typedef struct {
    chorus_str_t  name;         /* as on the wire, still percent-encoded */
    chorus_str_t  value;        /* empty when there is no '=' */
} chorus_query_arg_t;

typedef struct {
    chorus_str_t         path;      /* raw, from the first '/' to '?' */
    chorus_str_t         query;     /* raw, behind '?', may be empty */
    chorus_str_t         bucket;    /* decoded; empty for the service */
    chorus_str_t         key;       /* decoded bytes; empty for a bucket */
    chorus_query_arg_t  *args;      /* in the order of the wire */
    size_t               nargs;
} chorus_uri_t;


/* Parses an origin-form target ("/bucket/key?args"), path style.  Refuses: no
 * leading '/', a broken percent escape, a NUL byte (raw or %00) in bucket or
 * key, a '/' in the decoded bucket, an empty bucket in front of a key, the
 * buckets "." and "..", a fragment ('#'), more arguments than the limit (a
 * stranger's, each of which is looked at).  Views point into `target` or into
 * `mem`. */
chorus_rc_t chorus_uri_parse(chorus_mem_t *mem, chorus_str_t target,
    chorus_uri_t *uri, chorus_error_t *error);

/* The first argument of that name, or NULL when it is not there.  Names are
 * compared decoded and with case; the value is still percent-encoded. */
const chorus_query_arg_t *chorus_uri_arg(const chorus_uri_t *uri,
    chorus_str_t name);

/* Whether the query has a '+' that is not escaped: S3 and storages read it as
 * a space, some clients mean a plus. */
bool chorus_uri_has_plus(const chorus_uri_t *uri);

/*
 * *out is `uri` without each argument whose decoded name is in `without` (ends
 * with NULL), and with `plus` instead of each raw '+' of the query.  Nothing
 * else changes, neither order, nor escapes, nor empty arguments; out->query is
 * the null string when it was nothing but such arguments.  CHORUS_NOMEM or
 * CHORUS_OK.
 */
chorus_rc_t chorus_uri_filter(chorus_mem_t *mem, const chorus_uri_t *uri,
    const char *const *without, const char *plus, chorus_uri_t *out);

/* path and query, put together again; null string when out of memory */
chorus_str_t chorus_uri_target(chorus_mem_t *mem, const chorus_uri_t *uri);

/* %XX to bytes; '+' stays a plus (S3 paths and SigV4 queries).  false on a
 * broken escape or out of memory; *out may alias `s` when nothing changed. */
bool chorus_uri_decode(chorus_mem_t *mem, chorus_str_t s, chorus_str_t *out);

/* Whether each '%' begins an escape. */
bool chorus_uri_is_valid(chorus_str_t s);

/* Appends `s` with all but A-Z a-z 0-9 - . _ ~ as %XX (upper-case hex); '/'
 * stays when keep_slash. */
void chorus_uri_encode(chorus_buf_t *buf, chorus_str_t s, bool keep_slash);

/* Decodes and encodes again: the one form that SigV4 signs.  With keep_slash a
 * '/' stays, and %2F becomes one: to S3 they are the same byte of a key, and
 * AWS, Ceph and MinIO all sign it as a slash. */
void chorus_uri_recode(chorus_buf_t *buf, chorus_str_t s, bool keep_slash);

/* Whether `encoded` decodes to `plain`; allocates nothing. */
bool chorus_uri_eq(chorus_str_t encoded, chorus_str_t plain);

/* Whether a storage might take the raw name of an argument for `plain`,
 * whatever the case of its letters: Ceph, for one, decodes an argument before
 * it looks for '=', and drops a second '?'. */
bool chorus_uri_resembles(chorus_str_t encoded, chorus_str_t plain);


#endif
