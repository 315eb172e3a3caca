/*
 * The words behind a command: options with and without a value, and what is
 * left.
 */

#ifndef WORDS_H
#define WORDS_H

#include <stdbool.h>
#include <stddef.h>


typedef struct {
    const char   *name;         /* "--user" */
    const char  **value;        /* or NULL: it has none, and ... */
    bool         *is_there;
} word_option_t;

/* Takes the options out of `args`, which ends with NULL; a NULL name ends
 * `options`.  Returns how many words are left, in order, or -1 and says why
 * on stderr. */
int words_take(char **args, const word_option_t *options);


#endif
