#include "rules.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "words.h"

/* exit codes: 0 done, 1 it failed, 2 the command line is wrong */
#define EXIT_USAGE  2

#define RULES_PATH_MAX    2048
#define RULES_WAIT_S      30
#define RULES_WAIT_MS     100
#define RULES_TAGS_MAX    10


typedef struct {
    const char  *user;
    const char  *to;            /* "f1,f2:bucket" */
    const char  *prefix;
    const char  *tags;          /* "a=b,c=d" */
    const char  *id;
    const char  *reason;
    bool         migrate;
    bool         reads;
    bool         wait;
    bool         yes;
} rules_words_t;


static int
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


/* ---- text ---- */


/* Names come from people: no control byte reaches the terminal. */

static void
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
    rules_print_text(json_is_true(json_object_get(rule, "paused"))
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


static bool
rules_path(char *path, const char *kind, const char *id, const char *action)
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


static int
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


static int
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


static json_t *
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


static int
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


static int
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


static int
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


/* ---- repl ---- */


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

    return body;
}


int
rules_repl_add(const ctl_options_t *options, char **args)
{
    rules_words_t  words;

    if (rules_take(args, &words, 1, 1,
                   "repl add BUCKET --to FOLLOWER[:BUCKET][,...] "
                   "[--user USER]\n       [--prefix P] [--tags K=V,...] "
                   "[--migrate] [--id ID] [--wait]") == -1
        || words.to == NULL)
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


/* ---- route, block, pause ---- */


int
rules_route_add(const ctl_options_t *options, char **args)
{
    json_t         *body;
    rules_words_t   words;

    if (rules_take(args, &words, 1, 1, "route add BUCKET --to STORAGE "
                   "[--user USER] [--id ID] [--wait]") == -1
        || words.to == NULL)
    {
        return EXIT_USAGE;
    }

    body = rules_body(&words, args[0]);

    if (body != NULL) {
        (void) json_object_set_new(body, "storage", json_string(words.to));
    }

    return rules_create(options, &words, "/api/v1/routes", body);
}


int
rules_route_list(const ctl_options_t *options, char **args)
{
    return rules_list(options, args, "/api/v1/routes?count=1000",
                      "route list");
}


/* ", target", where it has another name there */

static void
rules_print_follower(const json_t *row, const char *bucket)
{
    const char  *id, *target;

    id = json_string_value(json_object_get(row, "id"));
    target = json_string_value(json_object_get(row, "target"));

    printf("replicated to ");
    rules_print_text(json_string_value(json_object_get(row, "follower")), 0);
    printf("(%s%s%s)%s%s%s\n",
           json_string_value(json_object_get(row, "from")), id ? " " : "",
           id ? id : "",
           json_is_true(json_object_get(row, "paused")) ? ", paused" : "",
           target && strcmp(target, bucket) != 0 ? ", as " : "",
           target && strcmp(target, bucket) != 0 ? target : "");
}


static void
rules_print_route(const json_t *root, const char *bucket)
{
    size_t       i;
    json_t      *row;
    const char  *id;

    row = json_object_get(root, "route");
    id = json_string_value(json_object_get(row, "id"));

    printf("served by ");
    rules_print_text(json_string_value(json_object_get(row, "storage")), 0);
    printf("(%s%s%s)\n", json_string_value(json_object_get(row, "from")),
           id ? " " : "", id ? id : "");

    json_array_foreach(json_object_get(root, "replications"), i, row) {
        rules_print_follower(row, bucket);
    }

    row = json_object_get(root, "block");

    if (json_is_object(row)) {
        printf("blocked%s: ", json_is_true(json_object_get(row, "reads"))
                              ? " but for reads" : "");
        rules_print_text(json_string_value(json_object_get(row, "reason")),
                         0);
        putchar('\n');
    }
}


int
rules_route_show(const ctl_options_t *options, char **args)
{
    char            user[512], bucket[1024], path[RULES_PATH_MAX];
    json_t         *root;
    rules_words_t   words;

    if (rules_take(args, &words, 1, 1, "route show BUCKET --user USER") == -1
        || words.user == NULL)
    {
        return EXIT_USAGE;
    }

    if (!api_escape(user, sizeof(user), words.user)
        || !api_escape(bucket, sizeof(bucket), args[0]))
    {
        return EXIT_FAILURE;
    }

    (void) snprintf(path, sizeof(path), "/api/v1/resolve?user=%s&bucket=%s",
                    user, bucket);

    root = api_get(options, path);
    if (root == NULL) {
        return EXIT_FAILURE;
    }

    if (options->json) {
        json_dumpf(root, stdout, JSON_INDENT(2));
        putchar('\n');

    } else {
        rules_print_route(root, args[0]);
    }

    json_decref(root);

    return EXIT_SUCCESS;
}


int
rules_route_delete(const ctl_options_t *options, char **args)
{
    return rules_delete(options, args, "routes",
                        "route delete ID [--yes] [--wait]");
}


int
rules_block_add(const ctl_options_t *options, char **args)
{
    json_t         *body;
    rules_words_t   words;

    if (rules_take(args, &words, 1, 1, "block add BUCKET [--reason TEXT] "
                   "[--reads] [--user USER]\n       [--id ID] [--wait]")
        == -1)
    {
        return EXIT_USAGE;
    }

    body = rules_body(&words, args[0]);

    if (body != NULL && words.reason != NULL) {
        (void) json_object_set_new(body, "reason",
                                   json_string(words.reason));
    }

    if (body != NULL && words.reads) {
        (void) json_object_set_new(body, "reads", json_true());
    }

    return rules_create(options, &words, "/api/v1/blocks", body);
}


int
rules_block_list(const ctl_options_t *options, char **args)
{
    return rules_list(options, args, "/api/v1/blocks?count=1000",
                      "block list");
}


int
rules_block_delete(const ctl_options_t *options, char **args)
{
    return rules_delete(options, args, "blocks",
                        "block delete ID [--yes] [--wait]");
}


int
rules_pause_add(const ctl_options_t *options, char **args)
{
    json_t         *body;
    rules_words_t   words;

    if (rules_take(args, &words, 1, 1, "pause add BUCKET [--to FOLLOWER] "
                   "[--user USER] [--id ID] [--wait]") == -1)
    {
        return EXIT_USAGE;
    }

    body = rules_body(&words, args[0]);

    if (body != NULL && words.to != NULL) {
        (void) json_object_set_new(body, "to", json_string(words.to));
    }

    return rules_create(options, &words, "/api/v1/pauses", body);
}


int
rules_pause_list(const ctl_options_t *options, char **args)
{
    return rules_list(options, args, "/api/v1/pauses?count=1000",
                      "pause list");
}


int
rules_pause_delete(const ctl_options_t *options, char **args)
{
    return rules_delete(options, args, "pauses",
                        "pause delete ID [--yes] [--wait]");
}
