/*
 * chorus-worker: makes followers equal to main, key by key.
 */

#include <getopt.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <curl/curl.h>

#include "ask.h"
#include "channel.h"
#include "clock.h"
#include "chorus_release.h"
#include "dispatcher.h"
#include "live_config.h"
#include "live_policy.h"
#include "log.h"
#include "meters.h"
#include "parts.h"
#include "policy_thread.h"
#include "queue.h"
#include "queue_ledger.h"
#include "scan.h"
#include "slot.h"

#define MAIN_CONFIG_PATH   "/etc/chorus/chorus.json"
#define MAIN_WORKER_SIZE   128
#define MAIN_EXIT_LEFT     3        /* --once: not everything is synced */
#define MAIN_SCANNERS_MAX  16       /* of worker.scans */
/* few heaps: slots allocate little, and memory freed in one serves another */
#define MAIN_MALLOC_HEAPS  4
#define MAIN_MMAP_FROM     (256 * 1024)


typedef struct {
    const char  *config_path;
    bool         is_test;
    bool         is_once;
} main_options_t;

static const char  main_usage[] =
    "usage: chorus-worker [-c FILE] [-t] [--once] [-v] [-q] [-V] [-h]\n"
    "\n"
    "  -c FILE  configuration (default " MAIN_CONFIG_PATH ")\n"
    "  -t       test the configuration and exit\n"
    "  --once   work off what is due and exit: 0 all was synced, 3 some keys\n"
    "           wait for another try\n"
    "  -v       log each key as well (or CHORUS_LOG=debug)\n"
    "  -q       log only what needs attention (or CHORUS_LOG=warn)\n"
    "  -V       print the version and exit\n"
    "  -h       print this help and exit\n"
    "\n"
    "TERM and INT let running copies finish for worker.grace_seconds, a\n"
    "second one ends at once; HUP reads the configuration again.\n";


static const struct option  main_long_options[] = {
    { "help", no_argument, NULL, 'h' },
    { "once", no_argument, NULL, 'o' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 }
};


static void
main_log_from_env(void)
{
    log_level_t   level;
    const char   *name;

    name = getenv("CHORUS_LOG");

    if (name != NULL && log_level_parse(name, &level)) {
        log_level_set(level);
    }

    name = getenv("CHORUS_LOG_FORMAT");
    log_json_set(name != NULL && strcmp(name, "json") == 0);
}


/* Exits for options that ask for no more. */

static main_options_t
main_parse(int argc, char **argv)
{
    int             c;
    main_options_t  options = { .config_path = MAIN_CONFIG_PATH };

    main_log_from_env();

    while ((c = getopt_long(argc, argv, "c:tvqVh", main_long_options, NULL))
           != -1)
    {
        switch (c) {

        case 'c':
            options.config_path = optarg;
            break;

        case 't':
            options.is_test = true;
            break;

        case 'o':
            options.is_once = true;
            break;

        case 'v':
            log_level_set(LOG_DEBUG);
            break;

        case 'q':
            log_level_set(LOG_WARN);
            break;

        case 'V':
            (void) puts("chorus-worker " CHORUS_VERSION);
            exit(0);

        case 'h':
            (void) fputs(main_usage, stdout);
            exit(0);

        default:
            (void) fputs(main_usage, stderr);
            exit(2);
        }
    }

    if (optind != argc) {
        (void) fputs(main_usage, stderr);
        exit(2);
    }

    return options;
}


static int
main_test(const main_options_t *options)
{
    chorus_error_t  error;

    if (!live_config_load(options->config_path, &error)) {
        (void) fprintf(stderr, "chorus-worker: %s\n", error.text);
        return 1;
    }

    (void) fprintf(stderr, "chorus-worker: %s: the configuration is fine\n",
                   options->config_path);
    live_config_clear();

    return 0;
}


/* All threads leave signals to the dispatcher. */

static int
main_signal_fd(void)
{
    sigset_t  set;

    (void) signal(SIGPIPE, SIG_IGN);

    (void) sigemptyset(&set);
    (void) sigaddset(&set, SIGTERM);
    (void) sigaddset(&set, SIGINT);
    (void) sigaddset(&set, SIGHUP);

    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) {
        return -1;
    }

    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}


static void
main_worker_id(char *id, size_t size)
{
    char  host[MAIN_WORKER_SIZE / 2];

    if (gethostname(host, sizeof(host)) != 0) {
        host[0] = '\0';
    }

    host[sizeof(host) - 1] = '\0';

    /* the dice: a pid may come back after a restart of a container */
    (void) snprintf(id, size, "%s-%ld-%06x", host, (long) getpid(),
                    (unsigned) clock_dice(1u << 24));
}


static bool
main_start_slots(slot_t *slots, unsigned n, channel_t *channel)
{
    unsigned  i;

    for (i = 0; i < n; i++) {
        if (!slot_start(&slots[i], channel)) {
            log_write(LOG_ERROR, "cannot start slot %u of %u", i + 1, n);
            return false;
        }
    }

    return true;
}


/* As many as there are slots, so that each may have one; but one object alone
 * may have what it is allowed. */

static bool
main_start_helpers(queue_t *queue, unsigned concurrency)
{
    unsigned        n;
    live_config_t  *live;

    live = live_config_get();
    n = live_config(live)->worker.part_concurrency - 1;
    live_config_put(live);

    if (n != 0 && n < concurrency) {
        n = concurrency;
    }

    if (!queue_ledger_open(queue) || !parts_start(n)) {
        log_write(LOG_ERROR, "cannot start the threads of parts");
        return false;
    }

    return true;
}


static void
main_stop_slots(slot_t *slots, unsigned n, channel_t *channel)
{
    unsigned  i;

    channel_close(channel);

    for (i = 0; i < n; i++) {
        slot_join(&slots[i]);
    }
}


/* Scanners are few: those that cannot start are missed, not waited for. */

static void
main_start_scanners(scanner_t *scanners, const chorus_config_t *config,
    const char *worker_id)
{
    unsigned  i;

    for (i = 0; i < config->worker.scans; i++) {
        if (!scanner_start(&scanners[i], &config->redis, worker_id)) {
            log_write(LOG_ERROR, "cannot start scanner %u of %u", i + 1,
                      config->worker.scans);
        }
    }
}


static void
main_stop_scanners(scanner_t *scanners, unsigned n)
{
    unsigned  i;

    scanners_stop();

    for (i = 0; i < n; i++) {
        scanner_join(&scanners[i]);
    }
}


static int
main_run(const main_options_t *options, int signal_fd, queue_t *queue,
    const chorus_config_t *config, const char *worker_id)
{
    slot_t                *slots;
    unsigned               concurrency;
    scanner_t              scanners[MAIN_SCANNERS_MAX];
    channel_t              channel;
    dispatcher_end_t       end;
    dispatcher_options_t   dispatcher;

    memset(scanners, 0, sizeof(scanners));
    concurrency = config->worker.concurrency;
    slots = calloc(concurrency, sizeof(slot_t));

    if (slots == NULL || !channel_open(&channel)) {
        log_write(LOG_ERROR, "out of memory");
        free(slots);
        return 1;
    }

    if (!main_start_helpers(queue, concurrency)
        || !main_start_slots(slots, concurrency, &channel))
    {
        /* those that did start use what a return would free */
        _exit(1);
    }

    if (!options->is_once) {
        main_start_scanners(scanners, config, worker_id);
        ask_threads_start(&config->redis, worker_id);
    }

    dispatcher = (dispatcher_options_t) {
        .queue = queue,
        .channel = &channel,
        .config_path = options->config_path,
        .signal_fd = signal_fd,
        .concurrency = concurrency,
        .is_once = options->is_once,
    };

    end = dispatcher_run(&dispatcher);
    log_write(LOG_INFO, "chorus-worker ended");

    if (end == DISPATCHER_STUCK) {
        /* a slot hangs in a system call: it takes nothing with it */
        _exit(options->is_once ? MAIN_EXIT_LEFT : 0);
    }

    ask_threads_stop();
    main_stop_scanners(scanners, config->worker.scans);
    main_stop_slots(slots, concurrency, &channel);
    parts_stop();
    queue_ledger_close();
    channel_free(&channel);
    free(slots);

    return end == DISPATCHER_LEFT ? MAIN_EXIT_LEFT : 0;
}


static void
main_set_malloc(void)
{
#ifdef __GLIBC__
    (void) mallopt(M_ARENA_MAX, MAIN_MALLOC_HEAPS);
    (void) mallopt(M_MMAP_THRESHOLD, MAIN_MMAP_FROM);
#endif
}


static int
main_serve(const main_options_t *options)
{
    int                      rc, signal_fd;
    char                     worker_id[MAIN_WORKER_SIZE];
    queue_t                 *queue, *follower;
    live_config_t           *live;
    chorus_error_t           error;
    const chorus_config_t   *config;

    if (!live_config_load(options->config_path, &error)) {
        log_write(LOG_ERROR, "%s", error.text);
        return 1;
    }

    signal_fd = main_signal_fd();

    if (signal_fd == -1 || curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK) {
        log_write(LOG_ERROR, "cannot start: signals or libcurl");
        return 1;
    }

    main_worker_id(worker_id, sizeof(worker_id));

    live = live_config_get();
    config = live_config(live);
    queue = queue_create(&config->redis, worker_id, &error);
    follower = queue == NULL ? NULL
                             : queue_create(&config->redis, worker_id, &error);

    if (follower == NULL || !live_policy_reload(&error)) {
        log_write(LOG_ERROR, "%s", error.text);
        live_config_put(live);
        return 1;
    }

    meters_set_slots(config->worker.concurrency);
    log_write(LOG_INFO, "chorus-worker " CHORUS_VERSION " %s with %u slots",
              worker_id, config->worker.concurrency);

    if (!policy_thread_start(follower)) {
        log_write(LOG_ERROR, "cannot start the thread of the policy");
        live_config_put(live);
        return 1;
    }

    rc = main_run(options, signal_fd, queue, config, worker_id);

    policy_thread_stop();
    live_config_put(live);
    queue_destroy(follower);
    queue_destroy(queue);
    live_policy_clear();
    live_config_clear();
    curl_global_cleanup();
    (void) close(signal_fd);

    return rc;
}


int
main(int argc, char **argv)
{
    main_options_t  options;

    options = main_parse(argc, argv);

    if (options.is_test) {
        return main_test(&options);
    }

    main_set_malloc();

    return main_serve(&options);
}
