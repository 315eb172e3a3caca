#include "words.h"

#include <stdio.h>
#include <string.h>


static const word_option_t *
words_find(const word_option_t *options, const char *word)
{
    for ( /* void */ ; options->name != NULL; options++) {
        if (strcmp(options->name, word) == 0) {
            return options;
        }
    }

    return NULL;
}


int
words_take(char **args, const word_option_t *options)
{
    int                   i, n;
    const word_option_t  *option;

    for (i = 0, n = 0; args[i] != NULL; i++) {

        if (args[i][0] != '-') {
            args[n++] = args[i];
            continue;
        }

        option = words_find(options, args[i]);

        if (option == NULL) {
            fprintf(stderr, "chorusctl: no such option here: %s\n", args[i]);
            return -1;
        }

        if (option->value == NULL) {
            *option->is_there = true;

        } else if (args[i + 1] == NULL) {
            fprintf(stderr, "chorusctl: %s needs a value\n", args[i]);
            return -1;

        } else {
            *option->value = args[++i];
        }
    }

    args[n] = NULL;

    return n;
}
