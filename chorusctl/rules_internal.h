/*
 * What the commands about rules share; for rules*.c only.
 */

#ifndef RULES_INTERNAL_H
#define RULES_INTERNAL_H

#include <stdbool.h>

#include "rules.h"

/* exit codes: 0 done, 1 it failed, 2 the command line is wrong */
#define EXIT_USAGE      2

#define RULES_PATH_MAX  2048


typedef struct {
    const char  *user;
    const char  *to;            /* "f1,f2:bucket" */
    const char  *prefix;
    const char  *tags;          /* "a=b,c=d" */
    const char  *id;
    const char  *reason;
    const char  *guard;         /* "10%/3600" */
    bool         migrate;
    bool         reads;
    bool         wait;
    bool         yes;
} rules_words_t;


/* Takes the options out of `args`; how many words are left, or -1 and the
 * usage on stderr when that is not from min to max. */
int rules_take(char **args, rules_words_t *words, int min, int max,
    const char *usage);

/* Whether there is a value; false: and said so. */
bool rules_needs(const char *value, const char *option);

/* "/api/v1/<kind>/<id><action>"; false and said so when that is no ID. */
bool rules_path(char path[RULES_PATH_MAX], const char *kind, const char *id,
    const char *action);

/* A name for people, at least so wide; width 0: with one space behind it. */
void rules_print_text(const char *text, int width);

/* Until all proxies and workers run that version; an exit code, as all of
 * these return. */
int rules_wait(const ctl_options_t *options, json_int_t version);

/* Sends it, waits if that is asked for, and says what came of it. */
int rules_change(const ctl_options_t *options, const rules_words_t *words,
    const char *method, const char *path, const json_t *body);

/* The user, the bucket and the id; NULL when they are no text. */
json_t *rules_body(const rules_words_t *words, const char *bucket);
/* POSTs it and drops the reference; NULL is refused. */
int rules_create(const ctl_options_t *options, const rules_words_t *words,
    const char *path, json_t *body);

int rules_delete(const ctl_options_t *options, char **args, const char *kind,
    const char *usage);
int rules_list(const ctl_options_t *options, char **args, const char *path,
    const char *usage);


#endif
