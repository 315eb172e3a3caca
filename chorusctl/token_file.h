/* The file with the token that is sent to the control API. */

#ifndef CTL_TOKEN_FILE_H
#define CTL_TOKEN_FILE_H

#include <stdbool.h>

#include "chorus_token.h"


typedef enum {
    TOKEN_FILE_GOOD = 0,
    TOKEN_FILE_AWAY,            /* or not for us to read */
    TOKEN_FILE_BAD              /* nginx refuses it */
} token_file_state_t;


/* The first token of the file at `path`, with a NUL, into a buffer of
 * CHORUS_TOKEN_MAX + 1 bytes; false after having said on stderr why not. */
bool token_file_read(const char *path, char *token);

/* What nginx would say of that file; `error` says why it is not good, and
 * what to do. */
token_file_state_t token_file_check(const char *path, chorus_error_t *error);


#endif
