/*
 * One thread asks the API and may wait for it; this one draws and listens to
 * the keyboard, so that "q" is heard whatever the API does.
 */

#include "dash.h"

#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ncurses.h>

#include "dash_data.h"
#include "dash_draw.h"
#include "words.h"

#define DASH_EXIT_USAGE   2
#define DASH_KEY_MS       100           /* between two looks at what is new */
#define DASH_SECONDS_MAX  3600


/* between the two threads */
static struct {
    pthread_mutex_t  mutex;
    dash_data_t      data;
    bool             is_new;
} dash_shared = { .mutex = PTHREAD_MUTEX_INITIALIZER };

typedef struct {
    const ctl_options_t  *options;
    unsigned              seconds;
} dash_asker_t;

static volatile sig_atomic_t  dash_ends;


static void
dash_on_signal(int signal)
{
    (void) signal;
    dash_ends = 1;
}


static void *
dash_ask(void *argument)
{
    dash_asker_t  *asker = argument;

    static dash_data_t  data, before;   /* too large for a stack */

    while (!dash_ends) {
        dash_data_look(asker->options, &before, &data);

        (void) pthread_mutex_lock(&dash_shared.mutex);
        dash_shared.data = data;
        dash_shared.is_new = true;
        (void) pthread_mutex_unlock(&dash_shared.mutex);

        before = data;
        (void) sleep(asker->seconds);
    }

    return NULL;
}


static bool
dash_take(dash_data_t *data)
{
    bool  is_new;

    (void) pthread_mutex_lock(&dash_shared.mutex);
    is_new = dash_shared.is_new;

    if (is_new) {
        *data = dash_shared.data;
        dash_shared.is_new = false;
    }

    (void) pthread_mutex_unlock(&dash_shared.mutex);

    return is_new;
}


/* Whether there is something to draw. */

static bool
dash_key(int key, dash_view_t *view)
{
    size_t  step = key == KEY_NPAGE || key == KEY_PPAGE ? view->page : 1;

    switch (key) {

    case 'q':
    case 'Q':
        dash_ends = 1;
        return false;

    case 'p':
        view->is_held = !view->is_held;
        return true;

    case KEY_DOWN:
    case KEY_NPAGE:
        view->first += step;
        return true;

    case KEY_UP:
    case KEY_PPAGE:
        view->first -= view->first < step ? view->first : step;
        return true;

    case KEY_RESIZE:
        return true;

    default:
        return false;
    }
}


static void
dash_follow(const ctl_options_t *options)
{
    bool          is_due = true;
    dash_view_t   view;
    dash_data_t  *data;

    memset(&view, 0, sizeof(dash_view_t));
    data = calloc(1, sizeof(dash_data_t));

    while (data != NULL && !dash_ends) {

        if (!view.is_held) {
            is_due |= dash_take(data);
        }

        if (is_due) {
            dash_draw(options, data, &view);
        }

        is_due = dash_key(getch(), &view);
    }

    free(data);
}


/* While there is a screen, what the API's part has to say would stand across
 * it. */

static int
dash_hush(void)
{
    int  kept, nothing;

    kept = dup(STDERR_FILENO);
    nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (nothing != -1) {
        (void) dup2(nothing, STDERR_FILENO);
        (void) close(nothing);
    }

    return kept;
}


static bool
dash_screen(void)
{
    sigset_t          ends;
    struct sigaction  action;

    (void) setlocale(LC_ALL, "");

    if (newterm(NULL, stdout, stdin) == NULL) {
        fprintf(stderr, "chorusctl: the terminal \"%s\" is not known; "
                "TERM=vt100 may do\n", getenv("TERM") ? getenv("TERM") : "");
        return false;
    }

    memset(&action, 0, sizeof(action));
    action.sa_handler = dash_on_signal;
    (void) sigaction(SIGINT, &action, NULL);
    (void) sigaction(SIGTERM, &action, NULL);
    (void) sigaction(SIGHUP, &action, NULL);

    /* whoever started us may have blocked them */
    (void) sigemptyset(&ends);
    (void) sigaddset(&ends, SIGINT);
    (void) sigaddset(&ends, SIGTERM);
    (void) sigaddset(&ends, SIGHUP);
    (void) pthread_sigmask(SIG_UNBLOCK, &ends, NULL);

    (void) cbreak();
    (void) noecho();
    (void) nonl();
    (void) keypad(stdscr, TRUE);
    (void) curs_set(0);
    timeout(DASH_KEY_MS);
    dash_draw_init();

    return true;
}


static bool
dash_seconds(const char *text, unsigned *seconds)
{
    char  *end;
    long   n;

    *seconds = 1;

    if (text == NULL) {
        return true;
    }

    n = strtol(text, &end, 10);

    if (end == text || *end != '\0' || n < 1 || n > DASH_SECONDS_MAX) {
        fprintf(stderr, "chorusctl: -n takes 1 to %d seconds\n",
                DASH_SECONDS_MAX);
        return false;
    }

    *seconds = (unsigned) n;

    return true;
}


int
dash_run(const ctl_options_t *options, char **args)
{
    int                  kept;
    pthread_t            thread;
    const char          *seconds = NULL;
    dash_asker_t         asker;
    const word_option_t  words[] = { { "-n", &seconds, NULL },
                                     { NULL, NULL, NULL } };

    asker.options = options;

    if (words_take(args, words) != 0
        || !dash_seconds(seconds, &asker.seconds))
    {
        fputs("usage: chorusctl dash [-n SECONDS]\n", stderr);
        return DASH_EXIT_USAGE;
    }

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        fputs("chorusctl: dash needs a terminal; programs want \"-o json "
              "status\"\n", stderr);
        return DASH_EXIT_USAGE;
    }

    if (!dash_screen()) {
        return EXIT_FAILURE;
    }

    kept = dash_hush();

    if (pthread_create(&thread, NULL, dash_ask, &asker) == 0) {
        dash_follow(options);
    }

    (void) endwin();

    if (kept != -1) {
        (void) dup2(kept, STDERR_FILENO);
    }

    /* the other thread may wait for the API: exit() would pull what it uses
     * from under it */
    (void) fflush(NULL);
    _exit(EXIT_SUCCESS);
}
