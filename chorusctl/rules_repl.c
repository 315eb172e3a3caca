/* repl: which buckets are replicated, and whether they are now. */

#include "guard.h"
#include "rules_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/* "a,b" */

static json_t *
rules_split(const char *text)
{
    size_t   len;
    json_t  *list;

    list = json_array();

    for ( /* void */ ; list != NULL; text += len + 1) {
        len = strcspn(text, ",");
        (void) json_array_append_new(list, json_stringn(text, len));

        if (text[len] == '\0') {
            break;
        }
    }

    return list;
}


/* "a=b,c=d" */

static json_t *
rules_tags(const char *text)
{
    char         name[256];
    size_t       i, len;
    json_t      *tags, *pair, *pairs;
    const char  *word;

    tags = json_object();
    pairs = rules_split(text);

    json_array_foreach(pairs, i, pair) {
        word = json_string_value(pair);
        len = word == NULL ? 0 : strcspn(word, "=");

        if (len == 0 || len >= sizeof(name) || word[len] != '=') {
            json_decref(tags);
            tags = NULL;
            break;
        }

        memcpy(name, word, len);
        name[len] = '\0';
        (void) json_object_set_new(tags, name, json_string(word + len + 1));
    }

    json_decref(pairs);

    return tags;
}


static json_t *
rules_repl_body(const rules_words_t *words, const char *bucket)
{
    json_t  *body, *filter;

    body = rules_body(words, bucket);
    filter = json_object();

    if (body == NULL || filter == NULL
        || json_object_set_new(body, "to", rules_split(words->to)) != 0
        || (words->prefix != NULL
            && json_object_set_new(filter, "prefix",
                                   json_string(words->prefix)) != 0)
        || (words->tags != NULL
            && json_object_set_new(filter, "tags",
                                   rules_tags(words->tags)) != 0))
    {
        json_decref(filter);
        json_decref(body);
        return NULL;
    }

    if (json_object_size(filter) != 0) {
        (void) json_object_set(body, "filter", filter);
    }

    json_decref(filter);

    if (words->migrate) {
        (void) json_object_set_new(body, "migrate", json_true());
    }

    /* what is no text of a guard is refused with the rest */
    if (words->guard != NULL
        && json_object_set_new(body, "guard", guard_read(words->guard)) != 0)
    {
        json_decref(body);
        return NULL;
    }

    return body;
}


int
rules_repl_add(const ctl_options_t *options, char **args)
{
    rules_words_t  words;

    if (rules_take(args, &words, 1, 1,
                   "repl add BUCKET --to FOLLOWER[:BUCKET][,...] "
                   "[--user USER]\n       [--prefix P] [--tags K=V,...] "
                   "[--migrate]\n"
                   "       [--guard N%[/SECONDS]] [--id ID] [--wait]") == -1
        || !rules_needs(words.to, "--to"))
    {
        return EXIT_USAGE;
    }

    return rules_create(options, &words, "/api/v1/replications",
                        rules_repl_body(&words, args[0]));
}


int
rules_repl_list(const ctl_options_t *options, char **args)
{
    return rules_list(options, args, "/api/v1/replications?count=1000",
                      "repl list");
}


int
rules_repl_show(const ctl_options_t *options, char **args)
{
    char            path[RULES_PATH_MAX];
    json_t         *root;
    rules_words_t   words;

    if (rules_take(args, &words, 1, 1, "repl show ID") == -1) {
        return EXIT_USAGE;
    }

    if (!rules_path(path, "replications", args[0], "")) {
        return EXIT_FAILURE;
    }

    root = api_get(options, path);
    if (root == NULL) {
        return EXIT_FAILURE;
    }

    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);

    return EXIT_SUCCESS;
}


static int
rules_repl_action(const ctl_options_t *options, char **args,
    const char *action, const char *usage)
{
    char           path[RULES_PATH_MAX];
    rules_words_t  words;

    if (rules_take(args, &words, 1, 1, usage) == -1) {
        return EXIT_USAGE;
    }

    if (!rules_path(path, "replications", args[0], action)) {
        return EXIT_FAILURE;
    }

    return rules_change(options, &words, "POST", path, NULL);
}


int
rules_repl_pause(const ctl_options_t *options, char **args)
{
    return rules_repl_action(options, args, "/pause",
                             "repl pause ID [--wait]");
}


int
rules_repl_resume(const ctl_options_t *options, char **args)
{
    return rules_repl_action(options, args, "/resume",
                             "repl resume ID [--wait]");
}


int
rules_repl_delete(const ctl_options_t *options, char **args)
{
    return rules_delete(options, args, "replications",
                        "repl delete ID [--yes] [--wait]");
}


/* Until all run what is set now. */

int
rules_repl_wait(const ctl_options_t *options, char **args)
{
    json_t         *root;
    json_int_t      version;
    rules_words_t   words;

    if (rules_take(args, &words, 0, 0, "repl wait") == -1) {
        return EXIT_USAGE;
    }

    root = api_get(options, "/api/v1/readers");
    if (root == NULL) {
        return EXIT_FAILURE;
    }

    version = json_integer_value(json_object_get(root, "version"));
    json_decref(root);

    return rules_wait(options, version);
}
