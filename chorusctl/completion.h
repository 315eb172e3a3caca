/* Completion of the command line in shells. */

#ifndef COMPLETION_H
#define COMPLETION_H

#include <stdbool.h>
#include <stddef.h>


/* The words of command number i; false when there is none.  `verb` may become
 * NULL.  Those of a group stand together. */
typedef bool (*completion_words_pt)(size_t i, const char **group,
    const char **verb);

/* Prints the script for "bash" or "zsh"; false: no such shell. */
bool completion_print(const char *shell, completion_words_pt words);


#endif
