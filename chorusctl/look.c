#include "look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"
#include "words.h"

#define LOOK_EXIT_USAGE  2
#define LOOK_PATH_MAX    4096
#define LOOK_NAME_MAX    1024


/* The answer; NULL after having said why not, and with -o json after having
 * printed it: *rc is what the command returns then. */

static json_t *
look_get(const ctl_options_t *options, const char *path, int *rc)
{
    json_t  *answer;

    answer = api_get(options, path);
    *rc = answer == NULL ? EXIT_FAILURE : EXIT_SUCCESS;

    if (answer != NULL && options->json) {
        print_json(answer);
        json_decref(answer);
        return NULL;
    }

    return answer;
}


static int
look_usage(const char *text)
{
    fprintf(stderr, "usage: chorusctl %s\n", text);

    return LOOK_EXIT_USAGE;
}


/* ---- storages ---- */


static void
look_print_limit(const json_t *row, const char *name)
{
    const json_t  *limit;

    limit = json_object_get(json_object_get(json_object_get(row, "limits"),
                                            name), "limit");

    if (json_is_integer(limit)) {
        printf("%-14lld ", (long long) json_integer_value(limit));
    } else {
        printf("%-14s ", "none");
    }
}


static void
look_print_storage(const json_t *row)
{
    const char    *reason;
    const json_t  *health, *latency;

    health = json_object_get(row, "health");
    latency = json_object_get(health, "latency_ms");
    reason = json_string_value(json_object_get(health, "reason"));

    print_text(row, "name", 16);
    printf("%-6s", json_is_true(json_object_get(row, "main")) ? "main" : "");
    print_text(health, "state", 9);

    if (json_is_integer(latency)) {
        printf("%5lld ms  ", (long long) json_integer_value(latency));
    } else {
        printf("%10s", "");
    }

    look_print_limit(row, "requests_per_second");
    look_print_limit(row, "bytes_per_second");
    print_text(row, "provider", 9);
    print_text(row, "endpoint", 0);
    printf("\n");

    if (reason != NULL && reason[0] != '\0') {
        printf("    ");
        print_text(health, "reason", 0);
        printf("\n");
    }
}


int
look_storages(const ctl_options_t *options, char **args)
{
    int           rc;
    size_t        i;
    json_t       *answer, *row, *worker;
    const char   *message;

    (void) args;

    answer = look_get(options, "/api/v1/storages", &rc);
    if (answer == NULL) {
        return rc;
    }

    printf("%-16s%-6s%-9s%8s  %-14s %-14s %-9s%s\n", "STORAGE", "", "HEALTH",
           "ANSWER", "REQUESTS/S", "BYTES/S", "PROVIDER", "ENDPOINT");

    json_array_foreach(json_object_get(answer, "storages"), i, row) {
        look_print_storage(row);
    }

    worker = json_object_get(answer, "worker");
    message = json_string_value(json_object_get(worker, "message"));

    if (message != NULL && message[0] != '\0') {
        fputs("chorusctl: health is not known: ", stderr);
        (void) print_clean(stderr, message);
        fputc('\n', stderr);
    }

    json_decref(answer);

    return EXIT_SUCCESS;
}


/* ---- users ---- */


int
look_users(const ctl_options_t *options, char **args)
{
    int      rc;
    size_t   i;
    json_t  *answer, *row;

    (void) args;

    answer = look_get(options, "/api/v1/users", &rc);
    if (answer == NULL) {
        return rc;
    }

    printf("%-20s%-6s%s\n", "USER", "KEYS", "STORAGES");

    json_array_foreach(json_object_get(answer, "users"), i, row) {
        print_text(row, "name", 20);
        printf("%-6lld", (long long) json_integer_value(
                             json_object_get(row, "keys")));
        print_list(json_object_get(row, "storages"), 0);
        printf("\n");
    }

    json_decref(answer);

    return EXIT_SUCCESS;
}


/* ---- buckets ---- */


static void
look_print_bucket(const json_t *row)
{
    size_t   i;
    json_t  *replication;

    print_text(row, "name", 40);
    print_text(json_object_get(row, "route"), "storage", 12);

    json_array_foreach(json_object_get(row, "replications"), i, replication) {
        printf("%s", i == 0 ? "" : ", ");
        print_text(replication, "follower", 0);

        if (json_is_true(json_object_get(replication, "paused"))) {
            printf(" (paused)");
        }
    }

    printf("%s\n", i == 0 ? "-" : "");
}


static bool
look_buckets_path(char *path, size_t size, const char *user,
    const char *storage, const char *after)
{
    char  u[LOOK_NAME_MAX], s[LOOK_NAME_MAX] = "", a[LOOK_NAME_MAX] = "";

    return api_escape(u, sizeof(u), user)
           && (storage == NULL || api_escape(s, sizeof(s), storage))
           && (after == NULL || api_escape(a, sizeof(a), after))
           && snprintf(path, size, "/api/v1/buckets?user=%s%s%s%s%s", u,
                       storage != NULL ? "&storage=" : "", s,
                       after != NULL ? "&after=" : "", a) < (int) size;
}


/* One page; `after` becomes where the next one begins, or empty. */

static bool
look_buckets_page(const ctl_options_t *options, const char *path, char *after,
    size_t size)
{
    size_t       i;
    json_t      *answer, *row;
    const char  *next;

    answer = api_get(options, path);
    if (answer == NULL) {
        return false;
    }

    next = json_string_value(json_object_get(answer, "next"));
    snprintf(after, size, "%s", next != NULL ? next : "");

    if (options->json) {
        print_json(answer);

    } else {
        json_array_foreach(json_object_get(answer, "buckets"), i, row) {
            look_print_bucket(row);
        }

        if (json_is_false(json_object_get(answer, "is_whole"))) {
            fputs("chorusctl: the storage has more buckets than it lists at "
                  "once\n", stderr);
        }
    }

    json_decref(answer);

    return true;
}


int
look_buckets(const ctl_options_t *options, char **args)
{
    char         path[LOOK_PATH_MAX], after[LOOK_NAME_MAX] = "";
    const char  *user = NULL, *storage = NULL;

    const word_option_t  words[] = {
        { "--user", &user, NULL },
        { "--storage", &storage, NULL },
        { NULL, NULL, NULL }
    };

    if (words_take(args, words) != 0 || user == NULL) {
        return look_usage("bucket list --user USER [--storage STORAGE]");
    }

    if (!options->json) {
        printf("%-40s%-12s%s\n", "BUCKET", "SERVED BY", "REPLICATED TO");
    }

    do {
        if (!look_buckets_path(path, sizeof(path), user, storage,
                               after[0] != '\0' ? after : NULL)
            || !look_buckets_page(options, path, after, sizeof(after)))
        {
            return EXIT_FAILURE;
        }

    } while (after[0] != '\0');

    return EXIT_SUCCESS;
}


/* ---- the audit log ---- */


static void
look_print_entry(const json_t *entry)
{
    print_date(entry, "at_ms");
    printf("  ");
    print_text(entry, "who", 12);
    print_text(entry, "kind", 12);
    print_text(entry, "action", 15);
    print_text(entry, "id", 0);
    printf("\n");
}


int
look_audit(const ctl_options_t *options, char **args)
{
    int          rc;
    char         path[LOOK_PATH_MAX], k[LOOK_NAME_MAX], w[LOOK_NAME_MAX];
    size_t       i;
    json_t      *answer, *row;
    const char  *kind = "", *who = "", *count = "100";

    const word_option_t  words[] = {
        { "--kind", &kind, NULL },
        { "--who", &who, NULL },
        { "-n", &count, NULL },
        { NULL, NULL, NULL }
    };

    if (words_take(args, words) != 0
        || strspn(count, "0123456789") != strlen(count))
    {
        return look_usage("audit [-n COUNT] [--kind KIND] [--who NAME]");
    }

    if (!api_escape(k, sizeof(k), kind) || !api_escape(w, sizeof(w), who)) {
        return EXIT_FAILURE;
    }

    snprintf(path, sizeof(path), "/api/v1/audit?count=%.9s%s%s%s%s", count,
             kind[0] != '\0' ? "&kind=" : "", k,
             who[0] != '\0' ? "&who=" : "", w);

    answer = look_get(options, path, &rc);
    if (answer == NULL) {
        return rc;
    }

    json_array_foreach(json_object_get(answer, "entries"), i, row) {
        look_print_entry(row);
    }

    json_decref(answer);

    return EXIT_SUCCESS;
}
