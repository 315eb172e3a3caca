#include "dash_draw.h"

#include <langinfo.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <ncurses.h>

#define DASH_WIDTH_MIN   40
#define DASH_HEIGHT_MIN  8
#define DASH_BAR         20


enum {
    DASH_PLAIN = 0,
    DASH_GOOD,
    DASH_WARN,
    DASH_BAD,
    DASH_HEAD
};


static bool  dash_has_blocks;           /* UTF-8 */


void
dash_draw_init(void)
{
    dash_has_blocks = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;

    if (!has_colors()) {
        return;
    }

    (void) start_color();
    (void) use_default_colors();
    (void) init_pair(DASH_GOOD, COLOR_GREEN, -1);
    (void) init_pair(DASH_WARN, COLOR_YELLOW, -1);
    (void) init_pair(DASH_BAD, COLOR_RED, -1);
    (void) init_pair(DASH_HEAD, COLOR_CYAN, -1);
}


static void
dash_color(int color)
{
    (void) attrset(color == DASH_PLAIN ? A_NORMAL
                   : (color == DASH_BAD || color == DASH_HEAD ? A_BOLD : 0)
                     | COLOR_PAIR(color));
}


/* A line of its own, cut at the edge. */

static void dash_line(int y, int color, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
dash_line(int y, int color, const char *format, ...)
{
    char     text[512];
    va_list  args;

    va_start(args, format);
    (void) vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    dash_color(color);
    (void) mvaddnstr(y, 0, text, COLS);
    dash_color(DASH_PLAIN);
}


static const char *
dash_time(int64_t ms, char *out, size_t size)
{
    if (ms < 10000) {
        (void) snprintf(out, size, "%lld ms", (long long) ms);

    } else if (ms < 600000) {
        (void) snprintf(out, size, "%lld s", (long long) (ms / 1000));

    } else {
        (void) snprintf(out, size, "%lld min", (long long) (ms / 60000));
    }

    return out;
}


/* 1234567 as 1.2M; below 0: nobody knows. */

static const char *
dash_short(double n, char *out, size_t size)
{
    size_t             i = 0;
    static const char  units[] = " kMGTP";

    if (n < 0) {
        (void) snprintf(out, size, "-");
        return out;
    }

    while (n >= 10000 && i < sizeof(units) - 2) {
        n /= 1000;
        i++;
    }

    if (i == 0) {
        (void) snprintf(out, size, n < 10 && n > 0 && n != (int) n ? "%.1f"
                        : "%.0f", n);
    } else {
        (void) snprintf(out, size, "%.0f%c", n, units[i]);
    }

    return out;
}


static void
dash_bar(int64_t part, int64_t whole, int width)
{
    int  i, n;

    n = whole > 0 ? (int) (part * width / whole) : 0;
    n = n < 0 ? 0 : n > width ? width : n;

    addch('[');

    for (i = 0; i < width; i++) {
        addch(i < n ? '#' : '.');
    }

    addch(']');
}


/* The last ones, as many as there is room for. */

static void
dash_sparkline(const dash_data_t *data, size_t width)
{
    int                 level;
    size_t              i, n;
    double              most = 1;
    static const char  *blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇",
                                     "█" };
    static const char   plain[] = " .:-=+*%#";

    n = data->nhistory < width ? data->nhistory : width;

    for (i = data->nhistory - n; i < data->nhistory; i++) {
        most = data->history[i] > most ? data->history[i] : most;
    }

    for (i = data->nhistory - n; i < data->nhistory; i++) {
        level = (int) (data->history[i] / most * 8);
        level = data->history[i] > 0 && level == 0 ? 1 : level;

        if (dash_has_blocks) {
            (void) addstr(blocks[level]);
        } else {
            (void) addch((chtype) plain[level]);
        }
    }
}


static int
dash_draw_head(const ctl_options_t *options, const dash_data_t *data,
    const dash_view_t *view)
{
    char       clock[16], rate[16], bytes[16], waiting[16], lag[24], done[16];
    time_t     now = time(NULL);
    struct tm  tm;

    if (localtime_r(&now, &tm) == NULL
        || strftime(clock, sizeof(clock), "%H:%M:%S", &tm) == 0)
    {
        clock[0] = '\0';
    }

    dash_line(0, DASH_HEAD, "Chorus  %s%s", options->url,
              view->is_held ? "  (held)" : "");
    (void) mvaddnstr(0, COLS - (int) strlen(clock) - 1, clock, -1);

    dash_line(1, DASH_PLAIN, "clients %s/s  proxy processes %zu  workers %zu  "
              "policy %lld%s  Redis %s  journal %s",
              dash_short(data->requests_rate, rate, sizeof(rate)),
              data->nproxies, data->nworkers, (long long) data->version,
              data->behind != 0 ? "*" : "", data->has_redis ? "up" : "AWAY",
              data->journal[0] != '\0' ? data->journal : "none");

    dash_line(2, DASH_PLAIN, "lag %s  waiting %s  busy %lld  retry %lld  "
              "parked %lld  done %s/s  %sB/s",
              dash_time(data->sum.lag_ms, lag, sizeof(lag)),
              dash_short((double) data->sum.waiting, waiting,
                         sizeof(waiting)),
              (long long) data->sum.busy, (long long) data->sum.retry,
              (long long) data->sum.parked,
              dash_short(data->sum.rate, done, sizeof(done)),
              dash_short(data->bytes_rate, bytes, sizeof(bytes)));

    (void) move(3, 0);
    (void) addstr("done/s ");
    dash_color(DASH_GOOD);
    dash_sparkline(data, (size_t) (COLS > 8 ? COLS - 8 : 0));
    dash_color(DASH_PLAIN);

    return 4;
}


static int
dash_draw_alerts(const dash_data_t *data, int y, int room)
{
    size_t  i;

    if (data->looked_ms == 0) {
        dash_line(y, DASH_PLAIN, "asking ...");
        return y + 1;
    }

    if (data->nalerts == 0) {
        dash_line(y, DASH_GOOD, "no alerts");
        return y + 1;
    }

    for (i = 0; i < data->nalerts && (int) i < room; i++) {
        dash_line(y++, DASH_BAD, "! %s", data->alerts[i]);
    }

    return y;
}


static void
dash_draw_row(const dash_row_t *row, int y, int width)
{
    int   color;
    char  lag[24], waiting[16], retry[16], parked[16], rate[16];

    color = row->parked != 0 ? DASH_BAD
            : row->lag_ms > 60000 || row->retry != 0
              || strcmp(row->state, "active") != 0 ? DASH_WARN : DASH_PLAIN;

    dash_line(y, color, "%-*.*s %-7.7s%8s %7s %5lld %6s %6s %7s", width,
              width, row->name, row->state,
              dash_time(row->lag_ms, lag, sizeof(lag)),
              dash_short((double) row->waiting, waiting, sizeof(waiting)),
              (long long) row->busy,
              dash_short((double) row->retry, retry, sizeof(retry)),
              dash_short((double) row->parked, parked, sizeof(parked)),
              dash_short(row->rate, rate, sizeof(rate)));
}


static void
dash_draw_rows(const dash_data_t *data, dash_view_t *view, int y, int end)
{
    int     width;
    size_t  i;

    width = COLS - 53 > 12 ? COLS - 53 : 12;
    dash_line(y++, DASH_HEAD, "%-*.*s %-7s%8s %7s %5s %6s %6s %7s", width,
              width, "REPLICATION", "STATE", "LAG", "WAITING", "BUSY",
              "RETRY", "PARKED", "DONE/S");

    view->page = end > y ? (size_t) (end - y) : 1;

    if (view->first + view->page > data->nrows) {
        view->first = data->nrows > view->page ? data->nrows - view->page : 0;
    }

    for (i = view->first; i < data->nrows && y < end; i++) {
        dash_draw_row(&data->rows[i], y++, width);
    }

    if (data->nrows == 0 && y < end && data->looked_ms != 0) {
        dash_line(y, DASH_PLAIN, "nothing is replicated yet");
    }
}


static void
dash_draw_scans(const dash_data_t *data, int y, int n)
{
    int                 i, width;
    char                speed[16], compared[16], different[16];
    const dash_scan_t  *scan;

    width = COLS - 70 > 14 ? COLS - 70 : 14;

    for (i = 0; i < n; i++) {
        scan = &data->scans[i];
        dash_line(y + i, DASH_PLAIN, "%-8.8s%-*.*s ", scan->kind, width,
                  width, scan->name);
        dash_bar(scan->steps_done, scan->steps, DASH_BAR);
        (void) printw(" %lld/%lld  %s keys  %s/s  %s differ",
                      (long long) scan->steps_done, (long long) scan->steps,
                      dash_short((double) scan->compared, compared,
                                 sizeof(compared)),
                      dash_short((double) scan->speed, speed, sizeof(speed)),
                      dash_short((double) scan->different, different,
                                 sizeof(different)));
    }
}


static void
dash_draw_workers(const dash_data_t *data, int y, int n)
{
    int                   i, width;
    char                  requests[16], errors[16], throttles[16];
    const dash_worker_t  *worker;

    width = COLS - 70 > 14 ? COLS - 70 : 14;

    for (i = 0; i < n; i++) {
        worker = &data->workers[i];
        dash_line(y + i, worker->errors != 0 ? DASH_WARN : DASH_PLAIN,
                  "worker  %-*.*s ", width, width, worker->name);
        dash_bar(worker->busy, worker->slots, DASH_BAR);
        (void) printw(" %lld/%lld  %s reqs  %s errors  %s slow",
                      (long long) worker->busy, (long long) worker->slots,
                      dash_short((double) worker->requests, requests,
                                 sizeof(requests)),
                      dash_short((double) worker->errors, errors,
                                 sizeof(errors)),
                      dash_short((double) worker->throttles, throttles,
                                 sizeof(throttles)));
    }
}


void
dash_draw(const ctl_options_t *options, const dash_data_t *data,
    dash_view_t *view)
{
    int  y, end, most, nscans, nworkers;

    /* not clear(): that would draw everything anew, and flicker */
    (void) erase();

    if (COLS < DASH_WIDTH_MIN || LINES < DASH_HEIGHT_MIN) {
        dash_line(0, DASH_PLAIN, "too small");
        (void) refresh();
        return;
    }

    most = LINES / 6 > 1 ? LINES / 6 : 1;
    nscans = (int) data->nscans < most ? (int) data->nscans : most;
    nworkers = (int) data->nworkers < most ? (int) data->nworkers : most;

    y = dash_draw_head(options, data, view);
    y = dash_draw_alerts(data, y, most);
    end = LINES - 1 - nscans - nworkers;

    if (y + 1 < end) {
        dash_draw_rows(data, view, y, end);
    }

    dash_draw_scans(data, end, nscans);
    dash_draw_workers(data, end + nscans, nworkers);

    dash_line(LINES - 1, DASH_HEAD, "q quit  p hold  up/down, PgUp/PgDn  "
              "%zu-%zu of %zu replications", data->nrows ? view->first + 1 : 0,
              view->first + view->page < data->nrows
              ? view->first + view->page : data->nrows, data->total);

    (void) refresh();
}
