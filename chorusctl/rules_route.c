/* route, block, pause: what becomes of requests and of what they change. */

#include "rules_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


int
rules_route_add(const ctl_options_t *options, char **args)
{
    json_t         *body;
    rules_words_t   words;

    if (rules_take(args, &words, 1, 1, "route add BUCKET --to STORAGE "
                   "[--user USER] [--id ID] [--wait]") == -1
        || !rules_needs(words.to, "--to"))
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
        || !rules_needs(words.user, "--user"))
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
