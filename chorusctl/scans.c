#include "scans.h"

#include "progress.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCANS_NAME_WIDTH  40


static long long
scans_number(const json_t *object, const char *name)
{
    return (long long) json_integer_value(json_object_get(object, name));
}


/* Names and keys come from requests: no control byte reaches the terminal. */

static void
scans_print_text(const json_t *row, const char *name, int width)
{
    int          n;
    const char  *s;

    s = json_string_value(json_object_get(row, name));
    n = 0;

    for (s = s ? s : "-"; *s != '\0'; s++) {
        n += printf("%c", iscntrl((unsigned char) *s) ? '?' : *s);
    }

    printf("%*s", n < width ? width - n : width > 0, "");
}


bool
scans_path(char *out, size_t size, const char *replication, const char *more)
{
    char  name[1024];

    if (!api_escape(name, sizeof(name), replication)) {
        return false;
    }

    return snprintf(out, size, "/api/v1/scans/%s%s", name, more)
           < (int) size;
}


/* ---- begin and end ---- */


long long
scans_begin(const ctl_options_t *options, const char *path, const char *kind,
    const char *depth, bool is_surplus)
{
    json_t     *body, *answer;
    long long   id;

    body = json_pack("{s:s, s:s, s:b}", "kind", kind, "depth", depth,
                     "delete_surplus", is_surplus ? 1 : 0);
    answer = body == NULL ? NULL : api_call(options, "POST", path, body);
    json_decref(body);

    id = scans_number(answer, "id");
    json_decref(answer);

    return id;
}


static int
scans_start(const ctl_options_t *options, const char *replication,
    const char *kind, const char *depth, bool is_surplus)
{
    char       path[2048];
    long long  id;

    if (!scans_path(path, sizeof(path), replication, "")) {
        return EXIT_FAILURE;
    }

    id = scans_begin(options, path, kind, depth, is_surplus);

    if (id == 0) {
        return EXIT_FAILURE;
    }

    if (options->json) {
        printf("{\"id\":%lld}\n", id);
    } else {
        printf("begun; \"chorusctl scans\" says how it goes\n");
    }

    return EXIT_SUCCESS;
}


int
scans_migrate(const ctl_options_t *options, char **args)
{
    return scans_start(options, args[0], "migrate", "quick", false);
}


int
scans_check(const ctl_options_t *options, char **args)
{
    return scans_start(options, args[0], "check", "quick", false);
}


int
scans_repair(const ctl_options_t *options, char **args)
{
    return scans_start(options, args[0], "repair", "quick", false);
}


int
scans_repair_full(const ctl_options_t *options, char **args)
{
    return scans_start(options, args[0], "repair", "full", false);
}


/* Deletes that got lost are a debt, which takes a full one. */

int
scans_repair_surplus(const ctl_options_t *options, char **args)
{
    return scans_start(options, args[0], "repair", "full", true);
}


int
scans_stop(const ctl_options_t *options, char **args)
{
    char     path[2048];
    json_t  *answer;

    if (!scans_path(path, sizeof(path), args[0], "")) {
        return EXIT_FAILURE;
    }

    answer = api_call(options, "DELETE", path, NULL);
    if (answer == NULL) {
        return EXIT_FAILURE;
    }

    json_decref(answer);

    return EXIT_SUCCESS;
}


/* ---- how it goes ---- */


static void
scans_print_row(const json_t *row)
{
    const char  *reason;

    scans_print_text(row, "replication", SCANS_NAME_WIDTH);
    scans_print_text(row, "kind", 8);
    scans_print_text(row, "phase", 8);

    printf("%10lld %9lld %9lld %9lld %9lld %7lld\n",
           scans_number(row, "main"), scans_number(row, "equal"),
           scans_number(row, "different") + scans_number(row, "missing"),
           scans_number(row, "surplus"), scans_number(row, "copied"),
           scans_number(row, "failed"));

    if (scans_number(row, "moving") + scans_number(row, "undecided") != 0) {
        printf("    %lld in motion, %lld undecided\n",
               scans_number(row, "moving"), scans_number(row, "undecided"));
    }

    if (json_is_integer(json_object_get(row, "id"))) {
        progress_print(row);
    }

    reason = json_string_value(json_object_get(row, "reason"));

    if (reason != NULL && reason[0] != '\0') {
        printf("    ");
        scans_print_text(row, "reason", 0);
        printf("\n");
    }
}


int
scans_show(const ctl_options_t *options, char **args)
{
    char     path[128], cursor[32] = "0";
    bool     is_first = true;
    size_t   i;
    json_t  *root, *row;

    (void) args;

    do {
        snprintf(path, sizeof(path), "/api/v1/scans?cursor=%s", cursor);

        root = api_call(options, "GET", path, NULL);
        if (root == NULL) {
            return EXIT_FAILURE;
        }

        if (options->json) {
            json_dumpf(root, stdout, JSON_COMPACT);
            putchar('\n');

        } else {
            if (is_first) {
                printf("%-*s%-8s%-8s%10s %9s %9s %9s %9s %7s\n",
                       SCANS_NAME_WIDTH, "REPLICATION", "KIND", "STATE",
                       "ON MAIN", "EQUAL", "DIFFER", "SURPLUS", "COPIED",
                       "FAILED");
            }

            json_array_foreach(json_object_get(root, "scans"), i, row) {
                scans_print_row(row);
            }
        }

        is_first = false;
        snprintf(cursor, sizeof(cursor), "%lld",
                 scans_number(root, "cursor"));
        json_decref(root);

    } while (strcmp(cursor, "0") != 0);

    return EXIT_SUCCESS;
}


/* ---- what it found ---- */


static void
scans_print_difference(const ctl_options_t *options, const json_t *row)
{
    if (options->json) {
        json_dumpf(row, stdout, JSON_COMPACT);
        putchar('\n');
        return;
    }

    scans_print_text(row, "what", 10);
    scans_print_text(row, "key", SCANS_NAME_WIDTH);
    scans_print_text(row, "evidence", 0);
    printf("\n");
}


/* A line each, page after page: nothing is held. */

int
scans_differences(const ctl_options_t *options, char **args)
{
    char     path[2048], more[64];
    size_t   i, n;
    json_t  *root, *list, *row;

    n = 0;

    do {
        snprintf(more, sizeof(more), "/differences?offset=%zu", n);

        if (!scans_path(path, sizeof(path), args[0], more)) {
            return EXIT_FAILURE;
        }

        root = api_call(options, "GET", path, NULL);
        if (root == NULL) {
            return EXIT_FAILURE;
        }

        list = json_object_get(root, "differences");

        json_array_foreach(list, i, row) {
            scans_print_difference(options, row);
        }

        n += json_array_size(list);
        i = json_array_size(list);
        json_decref(root);

    } while (i != 0);

    return EXIT_SUCCESS;
}
