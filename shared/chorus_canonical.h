/*
 * Documents in a form in which equal ones are the same bytes.  It is for
 * comparing only: nothing reads it.  Private to the files of shared/ that
 * know what a document means.
 */

#ifndef CHORUS_CANONICAL_H
#define CHORUS_CANONICAL_H

#include <jansson.h>

#include "chorus_error.h"
#include "chorus_mem.h"
#include "chorus_str.h"


/*
 * XML without what S3 ignores: prefixes, attributes, blanks around text,
 * elements with nothing in them.  Children are sorted, but for the rules of
 * CORS and of redirects, of which the first that matches counts.
 */
chorus_rc_t chorus_canonical_xml(chorus_mem_t *mem, chorus_str_t body,
    const char *root, chorus_str_t *canonical, chorus_error_t *error);

/*
 * The JSON of a policy: members and lists are sorted, a list of one is its
 * element, numbers and true are the texts that they also may be written as.
 * Nested at most 32 deep.
 */
chorus_rc_t chorus_canonical_json(chorus_mem_t *mem, chorus_str_t body,
    chorus_str_t *canonical, chorus_error_t *error);

/* An object, of bounded depth; the caller calls json_decref(). */
chorus_rc_t chorus_canonical_json_load(chorus_str_t body, json_t **json,
    chorus_error_t *error);


#endif
