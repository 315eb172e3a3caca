#include "rules_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "words.h"

#define RULES_WAIT_S      30
#define RULES_WAIT_MS     100


int
rules_take(char **args, rules_words_t *words, int min, int max,
    const char *usage)
{
    int                  n;
    const word_option_t  options[] = {
        { "--user", &words->user, NULL },
        { "--to", &words->to, NULL },
        { "--prefix", &words->prefix, NULL },
        { "--tags", &words->tags, NULL },
        { "--id", &words->id, NULL },
        { "--reason", &words->reason, NULL },
        { "--guard", &words->guard, NULL },
        { "--migrate", NULL, &words->migrate },
        { "--reads", NULL, &words->reads },
        { "--wait", NULL, &words->wait },
        { "--yes", NULL, &words->yes },
        { NULL, NULL, NULL }
    };

    memset(words, 0, sizeof(rules_words_t));

    n = words_take(args, options);

    if (n < min || n > max) {
        fprintf(stderr, "usage: chorusctl %s\n", usage);
        return -1;
    }

    return n;
}


bool
rules_needs(const char *value, const char *option)
{
    if (value == NULL) {
        fprintf(stderr, "chorusctl: %s is missing\n", option);
    }

    return value != NULL;
}


/* ---- text ---- */


/* Names come from people: no control byte reaches the terminal. */

void
rules_print_text(const char *text, int width)
{
    int  n;

    for (n = 0; text != NULL && *text != '\0'; text++) {
        n += printf("%c", iscntrl((unsigned char) *text) ? '?' : *text);
    }

    printf("%*s", n < width ? width - n : 1, "");
}


static void
rules_print(const json_t *rule)
{
    char        *text;
    const char  *bucket, *user;
    json_t      *said;

    said = json_object_get(rule, "rule");
    user = json_string_value(json_object_get(said, "user"));
    bucket = json_string_value(json_object_get(said, "bucket"));

    rules_print_text(json_string_value(json_object_get(rule, "id")), 20);
    rules_print_text(json_array_size(json_object_get(rule, "guarded")) != 0
                     ? "guarded"
                     : json_is_true(json_object_get(rule, "paused"))
                     ? "paused" : "active", 8);
    rules_print_text(user, 12);
    rules_print_text(bucket, 24);

    said = json_copy(said);
    (void) json_object_del(said, "user");
    (void) json_object_del(said, "bucket");

    if (json_is_true(json_object_get(rule, "migrate"))) {
        (void) json_object_set_new(said, "migrate", json_true());
    }

    text = json_dumps(said, JSON_COMPACT);
    printf("%s\n", text == NULL ? "" : text);
    free(text);
    json_decref(said);
}


static int
rules_print_all(const ctl_options_t *options, const json_t *root)
{
    size_t   i;
    json_t  *rule;

    if (options->json) {
        json_dumpf(root, stdout, JSON_INDENT(2));
        putchar('\n');
        return EXIT_SUCCESS;
    }

    printf("%-20s%-8s%-12s%-24s%s\n", "ID", "STATE", "USER", "BUCKET",
           "RULE");

    json_array_foreach(json_object_get(root, "rules"), i, rule) {
        rules_print(rule);
    }

    return EXIT_SUCCESS;
}


bool
rules_path(char path[RULES_PATH_MAX], const char *kind, const char *id,
    const char *action)
{
    size_t  i;

    /* "../status" would be another path */

    for (i = 0; isalnum((unsigned char) id[i])
                || (id[i] != '\0' && strchr("-_.", id[i]) != NULL); i++)
    {
        /* void */
    }

    if (i == 0 || id[i] != '\0' || strcmp(id, ".") == 0
        || strcmp(id, "..") == 0)
    {
        fputs("chorusctl: an ID has letters, digits, '-', '_' and '.'\n",
              stderr);
        return false;
    }

    return snprintf(path, RULES_PATH_MAX, "/api/v1/%s/%s%s", kind, id,
                    action) < RULES_PATH_MAX;
}


/* ---- until everybody runs it ---- */


/* How many proxies and workers run an older version; -1: cannot ask. */

static int
rules_behind(const ctl_options_t *options, json_int_t version, bool say)
{
    int      n;
    size_t   i;
    json_t  *root, *row;

    root = api_get(options, "/api/v1/readers");
    if (root == NULL) {
        return -1;
    }

    n = 0;

    json_array_foreach(json_object_get(root, "readers"), i, row) {

        if (json_integer_value(json_object_get(row, "version")) >= version) {
            continue;
        }

        n++;

        if (say) {
            fprintf(stderr, "chorusctl: %s %s runs version %lld: %s\n",
                    json_string_value(json_object_get(row, "kind")),
                    json_string_value(json_object_get(row, "reader")),
                    (long long) json_integer_value(
                                         json_object_get(row, "version")),
                    json_is_null(json_object_get(row, "error")) ? "late"
                    : json_string_value(json_object_get(row, "error")));
        }
    }

    json_decref(root);

    return n;
}


int
rules_wait(const ctl_options_t *options, json_int_t version)
{
    int              n;
    time_t           until;
    struct timespec  pause = { 0, RULES_WAIT_MS * 1000000L };

    until = time(NULL) + RULES_WAIT_S;

    do {
        n = rules_behind(options, version, false);

        if (n <= 0) {
            return n == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        }

        (void) nanosleep(&pause, NULL);

    } while (time(NULL) < until);

    fprintf(stderr, "chorusctl: %d do not run it after %d s\n", n,
            RULES_WAIT_S);
    (void) rules_behind(options, version, true);

    return EXIT_FAILURE;
}


/* ---- changes ---- */


int
rules_change(const ctl_options_t *options, const rules_words_t *words,
    const char *method, const char *path, const json_t *body)
{
    int          rc;
    json_t      *root, *rule;
    json_int_t   version;

    root = api_call(options, method, path, body);
    if (root == NULL) {
        return EXIT_FAILURE;
    }

    version = json_integer_value(json_object_get(root, "version"));
    rc = words->wait ? rules_wait(options, version) : EXIT_SUCCESS;
    rule = json_object_get(root, "rule");

    if (options->json) {
        json_dumpf(root, stdout, JSON_INDENT(2));
        putchar('\n');

    } else if (!json_is_true(json_object_get(root, "changed"))) {
        printf("%s: is so already\n",
               json_string_value(json_object_get(rule, "id")));

    } else if (json_is_object(rule)) {
        printf("%s: policy version %lld%s\n",
               json_string_value(json_object_get(rule, "id")),
               (long long) version,
               words->wait && rc == EXIT_SUCCESS ? ", and everybody runs it"
                                                 : "");
    }

    json_decref(root);

    return rc;
}


json_t *
rules_body(const rules_words_t *words, const char *bucket)
{
    json_t  *body;

    body = json_pack("{s:s, s:s}", "user", words->user ? words->user : "*",
                     "bucket", bucket);

    if (body != NULL && words->id != NULL) {
        (void) json_object_set_new(body, "id", json_string(words->id));
    }

    return body;
}


int
rules_create(const ctl_options_t *options, const rules_words_t *words,
    const char *path, json_t *body)
{
    int  rc;

    if (body == NULL) {
        fputs("chorusctl: these words are no text\n", stderr);
        return EXIT_USAGE;
    }

    rc = rules_change(options, words, "POST", path, body);
    json_decref(body);

    return rc;
}


static bool
rules_asks(const rules_words_t *words, const char *what, const char *id)
{
    char  line[16];

    if (words->yes) {
        return true;
    }

    if (!isatty(STDIN_FILENO)) {
        fprintf(stderr, "chorusctl: %s: say --yes\n", what);
        return false;
    }

    printf("%s of %s? [y/N] ", what, id);
    (void) fflush(stdout);

    return fgets(line, sizeof(line), stdin) != NULL
           && (line[0] == 'y' || line[0] == 'Y');
}


int
rules_delete(const ctl_options_t *options, char **args, const char *kind,
    const char *usage)
{
    char           path[RULES_PATH_MAX];
    rules_words_t  words;

    if (rules_take(args, &words, 1, 1, usage) == -1) {
        return EXIT_USAGE;
    }

    if (!rules_asks(&words, "delete", args[0])) {
        return EXIT_USAGE;
    }

    if (!rules_path(path, kind, args[0], "")) {
        return EXIT_FAILURE;
    }

    return rules_change(options, &words, "DELETE", path, NULL);
}


int
rules_list(const ctl_options_t *options, char **args, const char *path,
    const char *usage)
{
    int             rc;
    json_t         *root;
    rules_words_t   words;

    if (rules_take(args, &words, 0, 0, usage) == -1) {
        return EXIT_USAGE;
    }

    root = api_get(options, path);
    if (root == NULL) {
        return EXIT_FAILURE;
    }

    rc = rules_print_all(options, root);
    json_decref(root);

    return rc;
}
