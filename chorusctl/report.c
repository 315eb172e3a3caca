#include "report.h"
#include "scans.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REPORT_WAIT_MS   500
#define REPORT_TRIES     20         /* a second apart */
#define REPORT_LINE_MAX  (64 * 1024)
#define REPORT_PATH_MAX  2048


typedef struct {
    const ctl_options_t  *options;
    const char           *replication;
    const char           *path;
    FILE                 *file;
    long long             id;       /* of the check, 0: not known yet */
    long long             last;     /* the line that the file has */
    long long             n;        /* lines written */
} report_t;


static long long
report_number(const json_t *object, const char *name)
{
    return (long long) json_integer_value(json_object_get(object, name));
}


static void
report_nap(long ms)
{
    struct timespec  t = { ms / 1000, ms % 1000 * 1000000L };

    (void) nanosleep(&t, NULL);
}


/* ---- the file ---- */


/* The number of the last whole line; what stands behind it is cut off. */

static bool
report_find_end(report_t *report)
{
    long         end;
    char        *line;
    json_t      *row;
    long long    n;

    line = malloc(REPORT_LINE_MAX);
    if (line == NULL) {
        return false;
    }

    end = 0;

    while (fgets(line, REPORT_LINE_MAX, report->file) != NULL
           && strchr(line, '\n') != NULL)
    {
        row = json_loads(line, 0, NULL);
        n = report_number(row, "n");
        json_decref(row);

        if (n <= report->last) {
            break;
        }

        report->last = n;
        end = ftell(report->file);
    }

    free(line);

    return end >= 0 && ftruncate(fileno(report->file), end) == 0
           && fseek(report->file, end, SEEK_SET) == 0;
}


static void
report_say_why(const char *path)
{
    fprintf(stderr, "chorusctl: cannot write the report ");
    perror(path);
}


bool
report_create(const char *path)
{
    FILE  *file;

    if (strcmp(path, "-") == 0) {
        return true;
    }

    file = fopen(path, "w");

    if (file == NULL || fclose(file) != 0) {
        report_say_why(path);
        return false;
    }

    return true;
}


static bool
report_open(report_t *report)
{
    if (strcmp(report->path, "-") == 0) {
        report->file = stdout;
        return true;
    }

    report->file = fopen(report->path, "r+");

    if (report->file == NULL || !report_find_end(report)) {
        report_say_why(report->path);
        return false;
    }

    return true;
}


/* It is on the disk before Redis may forget it. */

static bool
report_flush(report_t *report)
{
    if (fflush(report->file) == 0
        && (report->file == stdout || fsync(fileno(report->file)) == 0))
    {
        return true;
    }

    report_say_why(report->path);

    return false;
}


/* ---- its lines ---- */


/* An API that is away for a moment (a reload, Redis) is asked again. */

static json_t *
report_call(report_t *report, const char *method, const char *more)
{
    char       path[REPORT_PATH_MAX];
    json_t    *root;
    unsigned   tries;

    if (!scans_path(path, sizeof(path), report->replication, more)) {
        return NULL;
    }

    for (tries = 0; tries < REPORT_TRIES; tries++) {
        root = api_call(report->options, method, path, NULL);

        if (root != NULL && json_object_get(root, "error") == NULL) {
            return root;
        }

        json_decref(root);
        report_nap(1000);
    }

    return NULL;
}


static bool
report_forget(report_t *report)
{
    char     more[128];
    json_t  *root;

    snprintf(more, sizeof(more), "/differences?id=%lld&until=%lld",
             report->id, report->last);
    root = report_call(report, "DELETE", more);
    json_decref(root);

    return root != NULL;
}


static bool
report_write(report_t *report, const json_t *rows)
{
    size_t   i;
    json_t  *row;

    json_array_foreach(rows, i, row) {
        if (json_dumpf(row, report->file, JSON_COMPACT) != 0
            || putc('\n', report->file) == EOF)
        {
            break;
        }

        report->last = report_number(row, "n");
        report->n++;
    }

    return report_flush(report) && i == json_array_size(rows);
}


/* One page; *is_over when there is no more to come. */

static bool
report_page(report_t *report, bool *is_over, long long *lost)
{
    bool         is_good;
    char         more[64];
    json_t      *root, *rows;
    const char  *state;

    snprintf(more, sizeof(more), "/differences?after=%lld", report->last);
    root = report_call(report, "GET", more);

    if (root == NULL) {
        return false;
    }

    if (report->id == 0) {
        report->id = report_number(root, "id");
    }

    rows = json_object_get(root, "differences");
    state = json_string_value(json_object_get(root, "state"));
    *lost = report_number(root, "lost");
    *is_over = json_array_size(rows) == 0
               && (state == NULL || strcmp(state, "running") != 0);
    is_good = report->id == report_number(root, "id");

    if (!is_good) {
        fputs("chorusctl: another scan has begun meanwhile\n", stderr);

    } else if (json_array_size(rows) != 0) {
        is_good = report_write(report, rows) && report_forget(report);

    } else if (!*is_over) {
        report_nap(REPORT_WAIT_MS);
    }

    json_decref(root);

    return is_good;
}


/* ---- the end ---- */


static int
report_end(report_t *report, long long lost)
{
    json_t      *scan;
    const char  *state;

    scan = report_call(report, "GET", "");
    if (scan == NULL) {
        return EXIT_FAILURE;
    }

    state = json_string_value(json_object_get(scan, "state"));
    state = state == NULL ? "gone" : state;

    fprintf(stderr, "%s (%s): %lld on main, %lld equal, %lld different, "
            "%lld missing, %lld surplus, %lld in motion, %lld undecided, "
            "%lld could not be checked; %lld lines written\n",
            state, json_string_value(json_object_get(scan, "level")),
            report_number(scan, "main"), report_number(scan, "equal"),
            report_number(scan, "different"), report_number(scan, "missing"),
            report_number(scan, "surplus"), report_number(scan, "moving"),
            report_number(scan, "undecided"),
            report_number(scan, "unchecked"), report->n);

    if (lost != 0) {
        fprintf(stderr, "chorusctl: %lld differences are not in the report: "
                "nobody read it while there was room\n", lost);
    }

    lost += strcmp(state, "ended") != 0;
    json_decref(scan);

    return lost == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}


int
report_read(const ctl_options_t *options, const char *replication,
    const char *path, long long id)
{
    int        code;
    bool       is_over, is_good;
    report_t   report;
    long long  lost;

    memset(&report, 0, sizeof(report_t));
    report.options = options;
    report.replication = replication;
    report.path = path;
    report.id = id;

    if (!report_open(&report)) {
        return EXIT_FAILURE;
    }

    do {
        is_good = report_page(&report, &is_over, &lost);
    } while (is_good && !is_over);

    code = is_good ? report_end(&report, lost) : EXIT_FAILURE;

    if (!is_good) {
        fprintf(stderr, "chorusctl: the report is not whole; to go on: "
                "chorusctl check --report %s --resume %s\n", path,
                replication);
    }

    if (report.file != stdout && fclose(report.file) != 0) {
        perror(path);
        code = EXIT_FAILURE;
    }

    return code;
}
