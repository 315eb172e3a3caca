#include "scans.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "progress.h"
#include "report.h"
#include "words.h"

#define SCANS_NAME_WIDTH  40

/* exit code of a wrong command line */
#define EXIT_USAGE  2


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


json_t *
scans_begin(const ctl_options_t *options, const char *replication,
    json_t *body)
{
    char     path[2048];
    json_t  *answer;

    answer = NULL;

    if (body != NULL && scans_path(path, sizeof(path), replication, "")) {
        answer = api_call(options, "POST", path, body);
    }

    json_decref(body);

    return answer;
}


static int
scans_start(const ctl_options_t *options, const char *replication,
    json_t *body, bool is_waited)
{
    json_t  *answer;

    if (is_waited) {
        return progress_run(options, replication, body);
    }

    answer = scans_begin(options, replication, body);

    if (answer == NULL) {
        return EXIT_FAILURE;
    }

    if (options->json) {
        json_dumpf(answer, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        printf("begun; \"chorusctl scans\" says how it goes\n");
    }

    json_decref(answer);

    return EXIT_SUCCESS;
}


int
scans_migrate(const ctl_options_t *options, char **args)
{
    bool                 is_waited = false;
    const word_option_t  words[] = {
        { "--wait", NULL, &is_waited },
        { NULL, NULL, NULL }
    };

    if (words_take(args, words) != 1) {
        fputs("usage: chorusctl migrate [--wait] REPLICATION\n", stderr);
        return EXIT_USAGE;
    }

    return scans_start(options, args[0],
                       json_pack("{s:s}", "kind", "migrate"), is_waited);
}


static int
scans_usage(const char *command, const char *more)
{
    fprintf(stderr, "usage: chorusctl %s [--level quick|full|content] %s "
            "REPLICATION\n\n"
            "  quick    keys, sizes and ETags, as listed (default)\n"
            "  full     and metadata, tags, ACLs, locks: requests for each "
            "key\n"
            "  content  and the bytes: reads both sides whole\n",
            command, more);

    return EXIT_USAGE;
}


int
scans_check(const ctl_options_t *options, char **args)
{
    int                  n;
    bool                 is_resumed = false, is_waited = false;
    json_t              *answer;
    const char          *level = "quick", *report = NULL;
    const word_option_t  words[] = {
        { "--level", &level, NULL },
        { "--report", &report, NULL },
        { "--resume", NULL, &is_resumed },
        { "--wait", NULL, &is_waited },
        { NULL, NULL, NULL }
    };

    n = words_take(args, words);

    if (n != 1 || (is_resumed && report == NULL)) {
        return scans_usage("check", "[--wait | --report FILE [--resume]]");
    }

    if (is_resumed) {
        return report_read(options, args[0], report, 0);
    }

    if (report == NULL) {
        return scans_start(options, args[0],
                           json_pack("{s:s, s:s}", "kind", "check", "level",
                                     level), is_waited);
    }

    /* before anybody waits for its lines */
    if (!report_create(report)) {
        return EXIT_FAILURE;
    }

    answer = scans_begin(options, args[0],
                         json_pack("{s:s, s:s, s:b}", "kind", "check",
                                   "level", level, "report", 1));
    if (answer == NULL) {
        return EXIT_FAILURE;
    }

    n = report_read(options, args[0], report, scans_number(answer, "id"));
    json_decref(answer);

    return n;
}


/* Deletes that got lost are a debt, which takes a full one. */

int
scans_repair(const ctl_options_t *options, char **args)
{
    bool                 is_full = false, is_surplus = false;
    bool                 is_waited = false;
    const char          *level = NULL;
    const word_option_t  words[] = {
        { "--level", &level, NULL },
        { "--full", NULL, &is_full },
        { "--delete-surplus", NULL, &is_surplus },
        { "--wait", NULL, &is_waited },
        { NULL, NULL, NULL }
    };

    if (words_take(args, words) != 1) {
        return scans_usage("repair", "[--delete-surplus] [--wait]");
    }

    if (level == NULL) {
        level = is_full || is_surplus ? "full" : "quick";
    }

    return scans_start(options, args[0],
                       json_pack("{s:s, s:s, s:b}", "kind", "repair",
                                 "level", level, "delete_surplus",
                                 is_surplus), is_waited);
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

    if (scans_number(row, "unchecked") != 0) {
        printf("    %lld could not be checked\n",
               scans_number(row, "unchecked"));
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
scans_print_side(const json_t *row, const char *name)
{
    const json_t  *side;

    side = json_object_get(row, name);

    if (!json_is_object(side)) {
        printf("%s: none", name);
        return;
    }

    if (json_object_get(side, "bucket") != NULL) {
        printf("%s: a bucket", name);
        return;
    }

    printf("%s: %lld bytes, ETag ", name, scans_number(side, "size"));
    scans_print_text(side, "etag", 0);
}


/* "content-type, tags; main: ...; follower: ..." */

static void
scans_print_evidence(const json_t *row)
{
    size_t   i;
    json_t  *name, *wrapped;

    if (json_object_get(row, "reason") != NULL) {
        scans_print_text(row, "reason", 0);
        return;
    }

    json_array_foreach(json_object_get(row, "differs"), i, name) {
        wrapped = json_pack("{s:O}", "name", name);
        printf("%s", i != 0 ? ", " : "");
        scans_print_text(wrapped, "name", 0);
        json_decref(wrapped);
    }

    printf("; ");
    scans_print_side(row, "main");
    printf("; ");
    scans_print_side(row, "follower");
}


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
    scans_print_evidence(row);
    printf("\n");
}


/* A line each, page after page: nothing is held, and nothing taken away. */

int
scans_differences(const ctl_options_t *options, char **args)
{
    char        path[2048], more[64];
    size_t      i, n;
    json_t     *root, *list, *row;
    long long   after;

    after = 0;

    do {
        snprintf(more, sizeof(more), "/differences?after=%lld", after);

        if (!scans_path(path, sizeof(path), args[0], more)) {
            return EXIT_FAILURE;
        }

        root = api_call(options, "GET", path, NULL);
        if (root == NULL) {
            return EXIT_FAILURE;
        }

        list = json_object_get(root, "differences");
        n = json_array_size(list);

        json_array_foreach(list, i, row) {
            scans_print_difference(options, row);
            after = scans_number(row, "n");
        }

        json_decref(root);

    } while (n != 0);

    return EXIT_SUCCESS;
}
