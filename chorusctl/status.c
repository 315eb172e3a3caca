#include "status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"

#define STATUS_NAME_WIDTH  44


static json_int_t
status_number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}


static void
status_print_lag(json_int_t ms)
{
    if (ms < 10000) {
        printf("%8lld ms", (long long) ms);

    } else if (ms < 600000) {
        printf("%8lld s ", (long long) (ms / 1000));

    } else {
        printf("%8lld min", (long long) (ms / 60000));
    }
}


static void
status_print_row(const json_t *row)
{
    const json_t  *counters = json_object_get(row, "counters");

    print_text(row, "replication", STATUS_NAME_WIDTH);
    print_text(row, "state", 8);
    status_print_lag(status_number(row, "lag_ms"));

    printf("%9lld %7lld %7lld %7lld %10lld\n",
           (long long) (status_number(row, "dirty")
                        + status_number(row, "bulk")),
           (long long) status_number(row, "busy"),
           (long long) status_number(row, "retry"),
           (long long) status_number(row, "failed"),
           (long long) (status_number(counters, "synced")
                        + status_number(counters, "deleted")
                        + status_number(counters, "equal")));
}


static void
status_print_journal(const json_t *journal)
{
    printf("journal: ");
    print_text(journal, "state", 0);
    printf(", %lld bytes in %lld segments, %lld intents open, "
           "%lld adopted, %lld aborted, %lld debts\n",
           (long long) status_number(journal, "bytes"),
           (long long) status_number(journal, "segments"),
           (long long) status_number(journal, "open"),
           (long long) status_number(journal, "adopted"),
           (long long) status_number(journal, "aborted"),
           (long long) status_number(journal, "debts"));

    if (json_is_false(json_object_get(journal, "debts_kept"))) {
        printf("The journal's folder has no room for its file of debts: make "
               "room, or what is\nowed ends with nginx (its error.log says "
               "why).\n");
    }
}


static void
status_print_proxy(const json_t *proxy)
{
    printf("proxy: %lld requests, %lld refused, %lld changes marked, "
           "%lld not yet in Redis, %lld lost\n",
           (long long) status_number(proxy, "requests"),
           (long long) status_number(proxy, "refused"),
           (long long) status_number(proxy, "marked"),
           (long long) status_number(proxy, "waiting"),
           (long long) status_number(proxy, "lost"));
}


/* What somebody wants to know who is called at night. */

static void
status_print_away(const json_t *proxy, const json_t *journal)
{
    json_int_t   waiting = status_number(proxy, "waiting");
    json_int_t   debts = status_number(journal, "debts");
    const char  *state = json_string_value(json_object_get(journal, "state"));

    printf("Redis is away. Writes go on; followers get them when it is back.\n"
           "Why it is away is in nginx's error.log.\n"
           "%lld changed %s for it", (long long) waiting,
           waiting == 1 ? "key waits" : "keys wait");

    if (waiting > 0) {
        printf(", the oldest for %lld s",
               (long long) (status_number(proxy, "waiting_ms") / 1000));
    }

    if (state == NULL) {
        printf(", in the memory of nginx only: do not end nginx before\n"
               "Redis is back (with a chorus_journal that would do no harm).\n");
        return;
    }

    printf(debts == 0 && strcmp(state, "good") == 0
           ? ", in the journal: nothing is lost.\n" : ".\n");

    if (strcmp(state, "good") != 0) {
        printf("The journal takes no more (%s): nginx's error.log says why.\n",
               strcmp(state, "full") == 0 ? "its max_size" : "a write failed");
    }

    if (debts != 0) {
        printf("Further keys are not known by name: %lld scans are owed, which "
               "%s.\n", (long long) debts,
               json_is_false(json_object_get(journal, "debts_kept"))
               ? "only the memory of nginx holds" : "is noted");
    }
}


/* Who is alive, and whether all run what is set. */

static void
status_print_policy(const json_t *policy)
{
    size_t         i, nproxies = 0, nworkers = 0;
    json_int_t     behind = status_number(policy, "behind");
    const char    *kind;
    const char    *rules = json_string_value(json_object_get(policy,
                                                             "rules"));
    const json_t  *row;

    json_array_foreach(json_object_get(policy, "readers"), i, row) {
        kind = json_string_value(json_object_get(row, "kind"));
        nworkers += kind != NULL && strcmp(kind, "worker") == 0;
        nproxies += kind != NULL && strcmp(kind, "proxy") == 0;
    }

    if (rules != NULL && strcmp(rules, "mixed") == 0) {
        printf("proxies and workers do not have the same rules in their "
               "chorus.json: reload those\nthat are behind (GET "
               "/api/v1/readers says which); what filters leave out waits\n");
    }

    printf("alive: %zu nginx %s, %zu %s; ", nproxies,
           nproxies == 1 ? "process" : "processes", nworkers,
           nworkers == 1 ? "worker" : "workers");

    if (behind == 0) {
        printf("all run policy %lld\n",
               (long long) status_number(policy, "version"));
        return;
    }

    printf("%lld %s not run policy %lld\n", (long long) behind,
           behind == 1 ? "does" : "do",
           (long long) status_number(policy, "version"));

    json_array_foreach(json_object_get(policy, "readers"), i, row) {
        if (status_number(row, "version")
            != status_number(policy, "version"))
        {
            printf("    ");
            print_text(row, "reader", 0);
            printf(" runs %lld: ", (long long) status_number(row, "version"));
            print_text(row, "error", 0);
            printf("\n");
        }
    }
}


static void
status_print_head(const json_t *root)
{
    const json_t  *proxy = json_object_get(root, "proxy");
    const json_t  *journal = json_object_get(proxy, "journal");

    if (json_object_get(root, "queue") == NULL) {
        status_print_away(proxy, journal);
        printf("\n");
    }

    printf("Chorus ");
    print_text(root, "version", 0);
    printf(", Redis is ");
    print_text(root, "redis", 0);
    printf("\n");

    if (json_object_get(root, "policy") != NULL) {
        status_print_policy(json_object_get(root, "policy"));
    }

    status_print_proxy(proxy);

    if (json_is_object(journal)) {
        status_print_journal(journal);
    }
}


/* The delete guard has paused it. */

static void
status_print_guard(const json_t *row)
{
    const json_t  *guard = json_object_get(row, "guard");

    if (!json_is_object(guard)) {
        return;
    }

    printf("    guarded: ");
    print_text(guard, "reason", 0);
    printf(", %lld s ago; the follower keeps what it has\n"
           "        (main is mended: chorusctl resume R; the deletes are "
           "right: with --accept-deletes)\n",
           (long long) (status_number(guard, "age_ms") / 1000));
}


/* What is parked, and why nothing is tried. */

static void
status_print_parked(const json_t *row)
{
    json_int_t     parked = status_number(row, "failed");
    json_int_t     blocked = status_number(row, "blocked");
    const json_t  *held = json_object_get(row, "held");

    if (parked != 0) {
        printf("    parked: %lld, mostly ", (long long) parked);
        print_text(row, "parked_for", 0);

        if (blocked != 0) {
            printf("; %lld need a person", (long long) blocked);
        }

        printf(" (chorusctl failed)\n");
    }

    if (json_is_object(held)) {
        printf("    held: ");
        print_text(held, "reason", 0);
        printf("; the next probe in %lld s (mended? chorusctl retry)\n",
               (long long) (status_number(held, "probe_in_ms") / 1000));
    }
}


/* "debt" is null when nothing is owed.  Until a scan has paid it, keys may
 * differ that no queue knows of. */

static void
status_print_debt(const json_t *owner, const char *who)
{
    const json_t  *debt = json_object_get(owner, "debt");

    if (!json_is_object(debt)) {
        return;
    }

    printf("%s a scan: ", who);
    print_text(debt, "reason", 12);
    status_print_lag(status_number(debt, "age_ms"));
    printf("\n");
}


/* The replications come in pages; the cursor is Redis' and "0" at the end. */

static int
status_page(const ctl_options_t *options, char *cursor, size_t size,
    bool is_first)
{
    char           path[128];
    json_t        *root, *queue, *row, *next;
    size_t         i;

    snprintf(path, sizeof(path), "/api/v1/status?cursor=%s", cursor);

    root = api_get(options, path);
    if (root == NULL) {
        return EXIT_FAILURE;
    }

    queue = json_object_get(root, "queue");

    if (options->json) {
        json_dumpf(root, stdout, JSON_COMPACT);
        putchar('\n');

    } else {
        if (is_first) {
            status_print_head(root);
        }

        if (is_first && queue != NULL) {
            printf("\n%-*s%-8s%11s%9s %7s %7s %7s %10s\n",
                   STATUS_NAME_WIDTH, "REPLICATION", "STATE", "LAG",
                   "WAITING", "BUSY", "RETRY", "PARKED", "DONE");
        }

        json_array_foreach(json_object_get(queue, "replications"), i, row) {
            status_print_row(row);
            status_print_debt(row, "    owes");
            status_print_guard(row);
            status_print_parked(row);
        }
    }

    if (queue == NULL) {
        json_decref(root);
        return EXIT_FAILURE;
    }

    next = json_object_get(queue, "cursor");

    if (json_is_string(next)) {
        snprintf(cursor, size, "%s", json_string_value(next));

    } else {
        snprintf(cursor, size, "%lld", (long long) json_integer_value(next));
    }

    if (!options->json && strcmp(cursor, "0") == 0) {
        status_print_debt(queue, "all replications owe");
    }

    json_decref(root);

    return EXIT_SUCCESS;
}


int
status_run(const ctl_options_t *options, char **args)
{
    int   rc;
    bool  is_first = true;
    char  cursor[32] = "0";

    (void) args;

    do {
        rc = status_page(options, cursor, sizeof(cursor), is_first);
        is_first = false;
    } while (rc == EXIT_SUCCESS && strcmp(cursor, "0") != 0);

    return rc;
}
