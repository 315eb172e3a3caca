/*
 * A table of a fixed size, as in health.c: further storages have no limit.
 *
 * Without an answer of Redis for a second, half of this worker's share is
 * given out here, so that what runs can end: the share as of the last answer,
 * half since others may have come since or may still be served.
 */

#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "chorus_pace.h"
#include "clock.h"
#include "log.h"
#include "rate.h"

#define RATE_STORAGES     (RATE_ASKS_MAX / CHORUS_NLIMITS)
#define RATE_NAME_SIZE    128
#define RATE_ASK_MS       50        /* while somebody waits */
#define RATE_LOOK_MS      500       /* for limits that changed */
#define RATE_SILENCE_US   1000000
#define RATE_SHARE        2
/* bytes are taken in pieces of that time, so that all in line get some */
#define RATE_PIECES       50        /* a second */
/* What of an answer may be on its way in sockets: so little that all slots
 * together do not matter, so much that distance does not slow down. */
#define RATE_WINDOW_MIN   (64 * 1024)
#define RATE_WINDOW_MAX   (1024 * 1024)
#define RATE_WINDOW_PART  160       /* of the limit */
#define RATE_BUFFER       (64 * 1024)       /* and in libcurl */


typedef struct {
    int64_t         configured;
    int64_t         limit;          /* 0: none */
    chorus_pace_t   pace;
    rate_wait_t    *first;          /* the line */
    rate_wait_t    *last;
    int64_t         waited;         /* units wanted by those in line */
    int64_t         used;           /* since the last question */
    int64_t         used_before;    /* between the two before */
    double          next_us;        /* of units given out here */
} rate_t;

typedef struct {
    char     name[RATE_NAME_SIZE];
    size_t   name_len;
    rate_t   of[CHORUS_NLIMITS];
    int64_t  guess;             /* how long an answer is */
    bool     has_answered;
} rate_storage_t;

static rate_storage_t   rate_table[RATE_STORAGES];
static size_t           rate_n;
static int64_t          rate_asked_ms;      /* the last question */
static int64_t          rate_heard_us;      /* the last answer */
static int64_t          rate_nworkers = 1;
static bool             rate_has_line;
static int              rate_eventfd = -1;
static pthread_mutex_t  rate_mutex = PTHREAD_MUTEX_INITIALIZER;


static rate_storage_t *
rate_find(chorus_str_t name)
{
    size_t  i;

    for (i = 0; i < rate_n; i++) {
        if (rate_table[i].name_len == name.len
            && memcmp(rate_table[i].name, name.data, name.len) == 0)
        {
            return &rate_table[i];
        }
    }

    return NULL;
}


static rate_storage_t *
rate_add(chorus_str_t name)
{
    rate_storage_t  *storage;

    if (rate_n == RATE_STORAGES || name.len >= RATE_NAME_SIZE) {
        return NULL;
    }

    storage = &rate_table[rate_n++];
    memcpy(storage->name, name.data, name.len);
    storage->name_len = name.len;
    storage->guess = RATE_WINDOW_MIN + RATE_BUFFER;

    return storage;
}


bool
rate_configure(const chorus_config_t *config)
{
    size_t           i, k;
    rate_t          *rate;
    rate_storage_t  *storage;

    (void) pthread_mutex_lock(&rate_mutex);

    if (rate_eventfd == -1) {
        rate_eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        rate_heard_us = clock_us();
    }

    for (i = 0; i < config->nstorages; i++) {
        storage = rate_find(config->storages[i].name);
        if (storage == NULL) {
            storage = rate_add(config->storages[i].name);
        }

        if (storage == NULL) {
            log_write(LOG_ERROR, "storage=%.*s limits do not hold for it: its "
                      "name is too long, or there are more than %d storages",
                      chorus_fmt(config->storages[i].name), RATE_STORAGES);
        }

        for (k = 0; storage != NULL && k < CHORUS_NLIMITS; k++) {
            rate = &storage->of[k];

            /* until Redis says what holds; unless it said so already */
            if (rate->limit == rate->configured) {
                rate->limit = config->storages[i].limits.of[k];
            }

            rate->configured = config->storages[i].limits.of[k];
        }
    }

    rate_asked_ms = 0;
    (void) pthread_mutex_unlock(&rate_mutex);

    return rate_eventfd != -1;
}


int
rate_fd(void)
{
    return rate_eventfd;
}


void
rate_drain(void)
{
    uint64_t  count;

    (void) !read(rate_eventfd, &count, sizeof(count));
}


/* ---- the line ---- */

static void
rate_line_put(rate_t *rate, rate_wait_t *wait, bool in_front)
{
    uint64_t  one;

    wait->rate = rate;
    wait->is_queued = true;
    wait->next = NULL;
    rate->waited += wait->wanted;

    if (rate->first == NULL) {
        rate->first = wait;
        rate->last = wait;

    } else if (in_front) {
        wait->next = rate->first;
        rate->first = wait;

    } else {
        rate->last->next = wait;
        rate->last = wait;
    }

    if (!rate_has_line) {
        rate_has_line = true;
        one = 1;
        (void) !write(rate_eventfd, &one, sizeof(one));
    }
}


static void
rate_line_remove(rate_t *rate, rate_wait_t *wait)
{
    rate_wait_t  **link, *before;

    before = NULL;

    for (link = &rate->first; *link != wait; link = &(*link)->next) {
        before = *link;
    }

    *link = wait->next;
    if (rate->last == wait) {
        rate->last = before;
    }

    wait->is_queued = false;
    rate->waited -= wait->wanted;
}


static int64_t
rate_piece(const rate_t *rate, chorus_limit_t kind, int64_t wanted)
{
    int64_t  piece;

    piece = kind == CHORUS_LIMIT_BYTES ? rate->limit / RATE_PIECES + 1 : 1;

    return wanted < piece ? wanted : piece;
}


/* Units that are there go to whom they are for, to be used in their time. */

static bool
rate_grant(rate_storage_t *storage, rate_t *rate, rate_wait_t *wait,
    int64_t now_us)
{
    chorus_limit_t  kind;

    kind = rate == &storage->of[CHORUS_LIMIT_BYTES] ? CHORUS_LIMIT_BYTES
                                                    : CHORUS_LIMIT_REQUESTS;
    wait->granted = chorus_pace_take(&rate->pace,
                                     rate_piece(rate, kind, wait->wanted),
                                     now_us, &wait->from_us, &wait->until_us);
    if (wait->granted == 0) {
        return false;
    }

    wait->rate = rate;
    rate->used += wait->granted;

    return true;
}


static void
rate_serve(rate_storage_t *storage, rate_t *rate, int64_t now_us)
{
    rate_wait_t  *wait;

    while (rate->first != NULL) {
        wait = rate->first;

        if (rate->limit == 0) {
            wait->granted = wait->wanted;
            wait->from_us = now_us;
            wait->until_us = RATE_NEVER;

        } else if (!rate_grant(storage, rate, wait, now_us)) {
            return;
        }

        rate_line_remove(rate, wait);
        wait->wake(wait->data);
    }
}


/* Redis is silent: half of our share, as chorus_rates would give it. */

static void
rate_help_out(rate_storage_t *storage, rate_t *rate, int64_t now_us)
{
    double   step, first;
    int64_t  n;

    if (rate->limit == 0) {
        /* chorus.json took it away */
        rate_serve(storage, rate, now_us);
        return;
    }

    if (now_us - rate_heard_us < RATE_SILENCE_US) {
        return;
    }

    step = chorus_pace_step_us(rate->limit) * (double) rate_nworkers
           * RATE_SHARE;
    first = rate->next_us > (double) now_us ? rate->next_us : (double) now_us;

    if (first > (double) (now_us + CHORUS_PACE_AHEAD_US)) {
        return;
    }

    n = (int64_t) (((double) (now_us + CHORUS_PACE_AHEAD_US) - first) / step)
        + 1;
    n = n < rate->waited ? n : rate->waited;
    rate->next_us = first + (double) n * step;
    chorus_pace_add(&rate->pace, n, (int64_t) first - now_us + 1, step,
                    now_us, now_us);
    rate_serve(storage, rate, now_us);
}


/* ---- taking ---- */

/* Has it been granted something?  -1: that is over, it begins anew. */

static int64_t
rate_take_granted(rate_t *rate, rate_wait_t *wait, int64_t now_us)
{
    int64_t  n;

    if (now_us < wait->from_us && rate->limit != 0) {
        wait->at_us = wait->from_us;
        return 0;
    }

    n = wait->granted;
    wait->granted = 0;

    return now_us <= wait->until_us ? n : -1;
}


static int64_t
rate_take_locked(rate_storage_t *storage, rate_t *rate, rate_wait_t *wait,
    int64_t wanted)
{
    bool     was_late;
    int64_t  n, now_us;

    now_us = clock_us();
    was_late = false;

    if (wait->granted != 0) {
        n = rate_take_granted(rate, wait, now_us);
        if (n != -1) {
            return n < wanted ? n : wanted;
        }
        was_late = true;
    }

    if (!wait->is_queued) {
        if (rate->limit == 0) {
            return wanted;
        }

        wait->wanted = wanted;

        if ((rate->first == NULL || was_late)
            && rate_grant(storage, rate, wait, now_us))
        {
            n = rate_take_granted(rate, wait, now_us);
            return n > 0 ? n : 0;
        }

        rate_line_put(rate, wait, was_late || wait->in_front);
    }

    rate_help_out(storage, rate, now_us);

    if (wait->granted != 0) {
        n = rate_take_granted(rate, wait, now_us);
        return n > 0 ? n : 0;
    }

    wait->at_us = rate_heard_us + RATE_SILENCE_US > now_us
                  ? rate_heard_us + RATE_SILENCE_US
                  : now_us + RATE_ASK_MS * 1000;

    return 0;
}


int64_t
rate_take(rate_wait_t *wait, chorus_str_t name, chorus_limit_t kind,
    int64_t wanted)
{
    int64_t          n;
    rate_storage_t  *storage;

    (void) pthread_mutex_lock(&rate_mutex);
    storage = rate_find(name);
    n = storage == NULL ? wanted
        : rate_take_locked(storage, &storage->of[kind], wait, wanted);
    (void) pthread_mutex_unlock(&rate_mutex);

    return n;
}


int64_t
rate_next_us(const rate_wait_t *wait)
{
    int64_t  at_us;

    (void) pthread_mutex_lock(&rate_mutex);
    at_us = wait->granted != 0 ? wait->from_us : wait->at_us;
    (void) pthread_mutex_unlock(&rate_mutex);

    return at_us;
}


void
rate_leave(rate_wait_t *wait)
{
    (void) pthread_mutex_lock(&rate_mutex);

    if (wait->is_queued) {
        rate_line_remove(wait->rate, wait);
    }

    wait->granted = 0;
    (void) pthread_mutex_unlock(&rate_mutex);
}


static int64_t
rate_window_of(const rate_storage_t *storage)
{
    int64_t  window;

    if (storage == NULL || storage->of[CHORUS_LIMIT_BYTES].limit == 0) {
        return 0;
    }

    window = storage->of[CHORUS_LIMIT_BYTES].limit / RATE_WINDOW_PART;
    window = window > RATE_WINDOW_MIN ? window : RATE_WINDOW_MIN;

    return window < RATE_WINDOW_MAX ? window : RATE_WINDOW_MAX;
}


int64_t
rate_window(chorus_str_t name)
{
    int64_t  window;

    (void) pthread_mutex_lock(&rate_mutex);
    window = rate_window_of(rate_find(name));
    (void) pthread_mutex_unlock(&rate_mutex);

    return window;
}


int64_t
rate_guess(chorus_str_t name)
{
    int64_t          guess, most;
    rate_storage_t  *storage;

    (void) pthread_mutex_lock(&rate_mutex);
    storage = rate_find(name);
    most = rate_window_of(storage);
    most += most != 0 ? RATE_BUFFER : 0;
    guess = storage == NULL ? 0 : storage->guess;
    (void) pthread_mutex_unlock(&rate_mutex);

    return guess < most ? guess : most;
}


void
rate_learn(chorus_str_t name, int64_t bytes)
{
    int64_t          most;
    rate_storage_t  *storage;

    most = 2 * (RATE_WINDOW_MAX + RATE_BUFFER);

    (void) pthread_mutex_lock(&rate_mutex);
    storage = rate_find(name);
    if (storage != NULL) {
        bytes = bytes < most ? bytes : most;
        storage->guess = storage->has_answered
                         ? storage->guess + (bytes - storage->guess) / 8
                         : bytes;
        storage->has_answered = true;
    }
    (void) pthread_mutex_unlock(&rate_mutex);
}


/* ---- questions and answers ---- */

int64_t
rate_due_ms(void)
{
    int64_t  due;

    (void) pthread_mutex_lock(&rate_mutex);
    due = rate_asked_ms + (rate_has_line ? RATE_ASK_MS : RATE_LOOK_MS);
    (void) pthread_mutex_unlock(&rate_mutex);

    return due;
}


/* Those in line, and what is likely to come until the next question. */

static int64_t
rate_wanted(rate_t *rate, int64_t now_us)
{
    int64_t  wanted, likely;

    likely = rate->used > rate->used_before ? rate->used : rate->used_before;
    rate->used_before = rate->used;
    rate->used = 0;

    if (rate->limit == 0) {
        return 0;
    }

    wanted = rate->waited + 2 * likely
             - chorus_pace_left(&rate->pace, now_us);

    if (wanted < 0) {
        return 0;
    }

    return wanted < CHORUS_LIMIT_BYTES_MAX ? wanted : CHORUS_LIMIT_BYTES_MAX;
}


size_t
rate_asks(rate_ask_t *asks)
{
    size_t           i, k, n;
    rate_storage_t  *storage;

    n = 0;

    (void) pthread_mutex_lock(&rate_mutex);

    rate_asked_ms = clock_ms();
    rate_has_line = false;

    for (i = 0; i < rate_n; i++) {
        storage = &rate_table[i];

        for (k = 0; k < CHORUS_NLIMITS; k++) {
            asks[n].storage = (chorus_str_t) { storage->name,
                                               storage->name_len };
            asks[n].kind = (chorus_limit_t) k;
            asks[n].configured = storage->of[k].configured;
            asks[n++].wanted = rate_wanted(&storage->of[k], clock_us());
            rate_has_line = rate_has_line || storage->of[k].first != NULL;
        }
    }

    (void) pthread_mutex_unlock(&rate_mutex);

    return n;
}


static void
rate_take_answer(rate_storage_t *storage, rate_t *rate, const rate_ask_t *ask,
    int64_t asked_us, int64_t heard_us)
{
    if (rate->limit != ask->limit) {
        log_write(LOG_INFO, "storage=%.*s limit of all workers: %lld %s a "
                  "second%s", chorus_fmt(ask->storage),
                  (long long) ask->limit, chorus_limit_kinds[ask->kind],
                  ask->limit == 0 ? " (none)" : "");
        rate->limit = ask->limit;
    }

    if (rate->limit != 0) {
        chorus_pace_add(&rate->pace, ask->granted, ask->first_us,
                        chorus_pace_step_us(rate->limit), asked_us, heard_us);
    }

    rate_serve(storage, rate, heard_us);
}


void
rate_answers(const rate_ask_t *asks, size_t n, int64_t nworkers,
    int64_t asked_us, int64_t heard_us)
{
    size_t           i;
    rate_storage_t  *storage;

    (void) pthread_mutex_lock(&rate_mutex);

    rate_heard_us = heard_us;
    rate_nworkers = nworkers > 0 ? nworkers : 1;

    for (i = 0; i < n; i++) {
        storage = rate_find(asks[i].storage);
        rate_take_answer(storage, &storage->of[asks[i].kind], &asks[i],
                         asked_us, heard_us);
    }

    (void) pthread_mutex_unlock(&rate_mutex);
}
