#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "scans.h"

#define PROGRESS_BAR      20
#define PROGRESS_STEP_MS  500
#define PROGRESS_LOST     60        /* answers that may be missing in a row */


static long long
progress_number(const json_t *scan, const char *name)
{
    return (long long) json_integer_value(json_object_get(scan, name));
}


static const char *
progress_text(const json_t *scan, const char *name)
{
    const char  *text;

    text = json_string_value(json_object_get(scan, name));

    return text != NULL ? text : "-";
}


static bool
progress_is(const json_t *scan, const char *name, const char *text)
{
    return strcmp(progress_text(scan, name), text) == 0;
}


static bool
progress_is_known(const json_t *scan, const char *name)
{
    return json_is_integer(json_object_get(scan, name));
}


/* ---- words ---- */


static void
progress_size(char *out, size_t size, long long bytes)
{
    int     i;
    double  n;

    static const char *const  units[] = { "B", "KiB", "MiB", "GiB", "TiB" };

    n = (double) bytes;

    for (i = 0; n >= 1024 && i < 4; i++) {
        n /= 1024;
    }

    (void) snprintf(out, size, i == 0 ? "%.0f %s" : "%.1f %s", n, units[i]);
}


/* "1:05:07"; "-" without a basis */

static void
progress_left(char *out, size_t size, const json_t *scan)
{
    long long  s;

    if (!progress_is_known(scan, "remaining_ms")) {
        (void) snprintf(out, size, "-");
        return;
    }

    s = (progress_number(scan, "remaining_ms") + 999) / 1000;
    (void) snprintf(out, size, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60,
                    s % 60);
}


static void
progress_time(const char *what, long long ms)
{
    char       text[64];
    time_t     t;
    struct tm  tm;

    t = (time_t) (ms / 1000);

    if (ms != 0 && gmtime_r(&t, &tm) != NULL
        && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%SZ", &tm) != 0)
    {
        printf("%s %s", what, text);
    }
}


/* What is left of a number that may not be known. */

static void
progress_remaining(const json_t *scan)
{
    char  left[32];

    progress_left(left, sizeof(left), scan);

    if (progress_is_known(scan, "remaining")) {
        printf(", %lld keys left (by %s), %s",
               progress_number(scan, "remaining"),
               progress_text(scan, "remaining_by"), left);
    } else {
        printf(", left: %s", left);
    }
}


void
progress_print(const json_t *scan)
{
    char  copied[32], rate[32];

    progress_size(copied, sizeof(copied),
                  progress_number(scan, "copied_bytes"));
    progress_size(rate, sizeof(rate),
                  progress_number(scan, "bytes_per_second"));

    printf("    %lld keys/s; copied %s, %lld objects/s, %s/s; %lld wait",
           progress_number(scan, "keys_per_second"), copied,
           progress_number(scan, "objects_per_second"), rate,
           progress_number(scan, "waiting"));

    if (progress_is(scan, "phase", "listing")
        || progress_is(scan, "phase", "copying"))
    {
        progress_remaining(scan);
    }

    printf("\n    begun");
    progress_time("", progress_number(scan, "started_ms"));
    progress_time(", listed", progress_number(scan, "ended_ms"));
    progress_time(", done", progress_number(scan, "done_ms"));
    printf("\n");

    if (progress_number(scan, "verified_ms") != 0) {
        progress_time("    verified equal",
                      progress_number(scan, "verified_ms"));
        if (!json_is_true(json_object_get(scan, "verified"))) {
            progress_time(", which is older than the last change",
                          progress_number(scan, "changed_ms"));
        }
        printf("\n");
    }
}


/* ---- the bar ---- */


/* 0 to 1; -1: nobody knows */

static double
progress_share(const json_t *scan)
{
    double  all, n;

    if (progress_is(scan, "phase", "copying")) {
        all = (double) progress_number(scan, "marked");
        n = all - (double) progress_number(scan, "waiting");

    } else if (progress_is_known(scan, "remaining")) {
        n = (double) progress_number(scan, "main");
        all = n + (double) progress_number(scan, "remaining");

    } else {
        return -1;
    }

    return all > 0 && n >= 0 ? n / all : 0;
}


static void
progress_bar(const json_t *scan)
{
    int     i;
    char    left[32], rate[32];
    double  share;

    share = progress_share(scan);
    progress_left(left, sizeof(left), scan);
    progress_size(rate, sizeof(rate),
                  progress_number(scan, "bytes_per_second"));

    printf("\r\033[K%s [", progress_text(scan, "phase"));

    for (i = 0; i < PROGRESS_BAR; i++) {
        putchar(share >= 0 && i < (int) (share * PROGRESS_BAR) ? '#' : '.');
    }

    if (share >= 0) {
        printf("] %3d%%", (int) (share * 100));
    } else {
        printf("]   -");
    }

    printf(" %lld keys %lld/s, %lld copied %lld/s %s/s, %lld wait, %lld "
           "failed, left %s", progress_number(scan, "main"),
           progress_number(scan, "keys_per_second"),
           progress_number(scan, "copied"),
           progress_number(scan, "objects_per_second"), rate,
           progress_number(scan, "waiting"), progress_number(scan, "failed"),
           left);
    (void) fflush(stdout);
}


/* ---- waiting ---- */


static bool
progress_is_over(const json_t *scan)
{
    return !progress_is(scan, "phase", "listing")
           && !progress_is(scan, "phase", "copying");
}


/* What a check says is not equal, or does not know. */

static long long
progress_found(const json_t *scan)
{
    return progress_number(scan, "different")
           + progress_number(scan, "missing")
           + progress_number(scan, "surplus")
           + progress_number(scan, "unchecked");
}


static int
progress_end(const ctl_options_t *options, const json_t *scan)
{
    bool  is_good;

    is_good = progress_is(scan, "phase", "done")
              && progress_number(scan, "failed") == 0
              && (!progress_is(scan, "kind", "check")
                  || progress_found(scan) == 0);

    if (options->json) {
        json_dumpf(scan, stdout, JSON_COMPACT);
        putchar('\n');

    } else {
        printf("%s: %lld keys compared, %lld equal, %lld copied, %lld "
               "deleted, %lld unchanged, %lld failed\n",
               progress_text(scan, "phase"), progress_number(scan, "main"),
               progress_number(scan, "equal"),
               progress_number(scan, "copied"),
               progress_number(scan, "deleted"),
               progress_number(scan, "unchanged"),
               progress_number(scan, "failed"));
        progress_print(scan);
    }

    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}


static int
progress_follow(const ctl_options_t *options, const char *path, long long id)
{
    int              rc;
    bool             is_terminal;
    json_t          *scan;
    unsigned         lost;
    struct timespec  step = { 0, PROGRESS_STEP_MS * 1000000L };

    is_terminal = isatty(STDOUT_FILENO) && !options->json;

    for (lost = 0; lost < PROGRESS_LOST; (void) nanosleep(&step, NULL)) {

        scan = api_get(options, path);

        if (!progress_is_known(scan, "id")) {
            json_decref(scan);
            lost++;
            continue;
        }

        lost = 0;

        if (progress_number(scan, "id") != id) {
            fputs("chorusctl: another scan was begun meanwhile\n", stderr);
            json_decref(scan);
            return EXIT_FAILURE;
        }

        if (is_terminal) {
            progress_bar(scan);
        }

        if (progress_is_over(scan)) {
            fputs(is_terminal ? "\n" : "", stdout);
            rc = progress_end(options, scan);
            json_decref(scan);
            return rc;
        }

        json_decref(scan);
    }

    return EXIT_FAILURE;
}


/* One that runs already, as that of a new replication does, is waited for. */

int
progress_run(const ctl_options_t *options, const char *replication,
    json_t *body)
{
    char        path[2048];
    json_t     *scan;
    long long   id;

    if (!scans_path(path, sizeof(path), replication, "")) {
        json_decref(body);
        return EXIT_FAILURE;
    }

    scan = scans_begin(options, replication, json_incref(body));

    if (scan == NULL) {
        scan = api_get(options, path);

        if (!progress_is(scan, "state", "running")
            || !progress_is(scan, "kind", progress_text(body, "kind")))
        {
            json_decref(scan);
            json_decref(body);
            return EXIT_FAILURE;
        }

        fputs("chorusctl: that one is waited for\n", stderr);
    }

    id = progress_number(scan, "id");
    json_decref(scan);
    json_decref(body);

    return progress_follow(options, path, id);
}
