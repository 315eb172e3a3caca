#include "explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"
#include "words.h"

#define EXPLAIN_EXIT_USAGE  2
#define EXPLAIN_NAME_MAX    4096    /* 1,024 bytes, escaped */


static const char  explain_help[] =
    "NAME\n"
    "  chorusctl explain - why a key is or is not on a follower\n\n"
    "SYNOPSIS\n"
    "  chorusctl explain [--user USER] s3://BUCKET[/KEY]\n\n"
    "DESCRIPTION\n"
    "  Says where the key is in the queue of each replication, what both\n"
    "  sides hold at this moment, and why that is so. Without a key it is\n"
    "  about the bucket itself. A worker asks both storages. The key stands\n"
    "  as it is, not percent-encoded as failed prints it.\n\n"
    "OPTIONS\n"
    "  --user USER  whose bucket; needed when chorus.json has several users\n"
    "  -o json      (before the command) all that is known\n\n"
    "EXAMPLE\n"
    "  chorusctl explain --user alice s3://photos/2024/a.jpg\n";


/* Splits s3://BUCKET/KEY into what the query has; false: it is none. */

static bool
explain_path(char *path, size_t size, char *address, const char *user)
{
    char  *key, *bucket;
    char   b[EXPLAIN_NAME_MAX], k[EXPLAIN_NAME_MAX], u[EXPLAIN_NAME_MAX];

    if (strncmp(address, "s3://", 5) != 0) {
        fputs("chorusctl: the key is s3://BUCKET/KEY\n", stderr);
        return false;
    }

    bucket = address + 5;
    key = strchr(bucket, '/');

    if (key != NULL) {
        *key++ = '\0';
    }

    return api_escape(b, sizeof(b), bucket)
           && api_escape(k, sizeof(k), key != NULL ? key : "")
           && api_escape(u, sizeof(u), user != NULL ? user : "")
           && snprintf(path, size, "/api/v1/explain?bucket=%s&key=%s%s%s", b,
                       k, user != NULL ? "&user=" : "", u) < (int) size;
}


static void
explain_print_side(const json_t *side, const char *name)
{
    const char    *state;
    const json_t  *size;

    printf("    %-10s", name);
    print_text(side, "state", 10);
    state = json_string_value(json_object_get(side, "state"));

    size = json_object_get(side, "size");

    if (json_is_integer(size)) {
        printf("%lld bytes, ETag ", (long long) json_integer_value(size));
        print_text(side, "etag", 0);
        printf(", ");
        print_text(side, "last_modified", 0);

    } else if (state == NULL || strcmp(state, "there") != 0) {
        print_text(side, "reason", 0);
    }

    printf("\n");
}


static void
explain_print_replication(const json_t *answer, const json_t *row)
{
    const json_t  *queue;

    queue = json_object_get(row, "queue");

    print_text(row, "replication", 0);
    printf("\n    ");
    print_text(row, "why", 0);
    printf("\n    queue     ");
    print_text(queue, "place", 10);
    printf("%lld failed attempts",
           (long long) json_integer_value(json_object_get(queue,
                                                          "attempts")));
    if (json_is_string(json_object_get(queue, "worker"))) {
        printf(", with ");
        print_text(queue, "worker", 0);
    }

    printf("\n");
    explain_print_side(json_object_get(answer, "source"), "main");
    explain_print_side(json_object_get(row, "there"), "follower");
}


static void
explain_print(const json_t *answer)
{
    size_t   i;
    json_t  *row, *rows;

    rows = json_object_get(answer, "replications");

    json_array_foreach(rows, i, row) {
        explain_print_replication(answer, row);
    }

    if (i == 0) {
        print_text(answer, "why", 0);
        printf("\n");
        explain_print_side(json_object_get(answer, "source"), "there");
    }
}


int
explain_run(const ctl_options_t *options, char **args)
{
    int          rc;
    char         path[3 * EXPLAIN_NAME_MAX];
    bool         wants_help = false;
    json_t      *answer;
    const char  *user = NULL;

    const word_option_t  words[] = {
        { "--user", &user, NULL },
        { "--help", NULL, &wants_help },
        { "-h", NULL, &wants_help },
        { NULL, NULL, NULL }
    };

    rc = words_take(args, words);

    if (wants_help) {
        fputs(explain_help, stdout);
        return EXIT_SUCCESS;
    }

    if (rc != 1 || !explain_path(path, sizeof(path), args[0], user)) {
        fputs(explain_help, stderr);
        return EXPLAIN_EXIT_USAGE;
    }

    answer = api_get(options, path);
    if (answer == NULL) {
        return EXIT_FAILURE;
    }

    if (options->json) {
        print_json(answer);
    } else {
        explain_print(answer);
    }

    json_decref(answer);

    return EXIT_SUCCESS;
}
