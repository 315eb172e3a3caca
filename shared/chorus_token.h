/*
 * The file of the control API's tokens (api.token_file), one a line:
 *
 *     [read|admin] [name] token
 *
 * An admin may change things; names stand in the audit log.  Empty lines and
 * those that begin with '#' are none.
 */

#ifndef CHORUS_TOKEN_H
#define CHORUS_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "chorus_error.h"
#include "chorus_str.h"

#define CHORUS_TOKEN_MIN       16
#define CHORUS_TOKEN_MAX       512
#define CHORUS_TOKEN_NAME_MAX  64
#define CHORUS_TOKEN_FILE_MAX  (64 * 1024)      /* bytes of the file */


typedef struct {
    chorus_str_t  text;         /* within the file's text, as is the name */
    chorus_str_t  name;         /* "read" or "admin" where it has none */
    bool          reads_only;
} chorus_token_t;


/* The next one of *rest, which goes on behind it; text.data is NULL when
 * there is none left.  *line counts from 1: it is 0 before the first call.
 * CHORUS_ERROR: that line is none, and the error says why, without it. */
chorus_rc_t chorus_token_next(chorus_str_t *rest, size_t *line,
    chorus_token_t *token, chorus_error_t *error);


#endif
