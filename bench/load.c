/*
 * A load of S3 requests that are signed for real, over connections that are
 * kept:
 *
 *   load [OPTION...] HOST:PORT BUCKET ACCESS_KEY SECRET_KEY
 *
 *     -m METHOD   GET (default), PUT, HEAD
 *     -q QUERY    of each request, "acl"
 *     -c N        connections (32)
 *     -k N        keys, "load/0" and so on (1000), one after the other
 *     -b BYTES    of a body that is sent (0)
 *     -s SECONDS  how long (5), or
 *     -n N        how many requests
 *     -a          sent as aws-chunked, each chunk of 64 KiB signed; one key
 *     -d N        DeleteObjects of N keys with names of 40 bytes; -k then
 *                 says how many different ones of these requests there are
 *
 * Says in one line of JSON: requests, errors, seconds, bytes (of bodies, both
 * ways), p50_us, p99_us, max_us.  Ends with 1 when a request failed, having
 * said why of the first one.
 *
 * All requests are signed before the first is sent, so that what is measured
 * is not this program.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "load_requests.h"

#define LOAD_HEAD_MAX   8192
#define LOAD_EVENTS     64
#define LOAD_TIMES_MAX  (16 << 20)


typedef struct {
    int       fd;
    size_t    key;              /* of the request on its way */
    size_t    sent;             /* of its head and body */
    size_t    head_len;         /* of the answer, so far */
    uint64_t  left;             /* of the answer's body */
    bool      is_in_body;
    int64_t   began_us;
    char      head[LOAD_HEAD_MAX + 1];
} load_connection_t;


static struct {
    load_requests_t       requests;
    size_t                connections;
    double                seconds;
    uint64_t              limit;
    struct sockaddr_in    address;

    int                   epoll;
    bool                  is_head;          /* answers have no body */
    uint64_t              begun, done, errors, bytes;
    int64_t               end_us;
    uint32_t             *times;            /* us */
    size_t                ntimes;
    load_connection_t    *all;
} load = {
    .requests = { .method = "GET", .nkeys = 1000 },
    .connections = 32, .seconds = 5,
};


static int64_t
load_now(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);

    return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}


/* ---- connections ---- */


static bool
load_is_over(void)
{
    return load.limit != 0 ? load.begun >= load.limit
                           : load_now() >= load.end_us;
}


static void
load_open(load_connection_t *c)
{
    int                 one = 1;
    struct epoll_event  event;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &load.address,
                   sizeof(load.address)) == -1)
    {
        load_die("connect");
    }

    (void) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

    event.events = EPOLLIN;
    event.data.ptr = c;

    if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &event) == -1) {
        load_die("epoll");
    }
}


static void
load_watch(load_connection_t *c, uint32_t events)
{
    struct epoll_event  event;

    event.events = events;
    event.data.ptr = c;
    (void) epoll_ctl(load.epoll, EPOLL_CTL_MOD, c->fd, &event);
}


static void
load_fail(load_connection_t *c, const char *why)
{
    if (load.errors++ == 0) {
        fprintf(stderr, "load: %s: %.200s\n", why, c->head);
    }
}


/* As much as the socket takes. */

static void
load_send(load_connection_t *c)
{
    ssize_t        n;
    size_t         skip;
    chorus_str_t   head, body;
    struct iovec   parts[2];
    struct msghdr  message = { .msg_iov = parts, .msg_iovlen = 2 };

    head = load.requests.heads[c->key];
    body = load.requests.bodies[c->key];

    while (c->sent < head.len + body.len) {
        skip = c->sent < head.len ? c->sent : head.len;
        parts[0].iov_base = (char *) head.data + skip;
        parts[0].iov_len = head.len - skip;
        skip = c->sent - skip;
        parts[1].iov_base = (char *) body.data + skip;
        parts[1].iov_len = body.len - skip;

        n = sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n == -1) {
            /* what is wrong shows when it is read */
            load_watch(c, errno == EAGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
            return;
        }

        c->sent += (size_t) n;
    }

    load_watch(c, EPOLLIN);
}


static void
load_begin(load_connection_t *c)
{
    if (load_is_over()) {
        (void) close(c->fd);
        c->fd = -1;
        return;
    }

    c->key = load.begun++ % load.requests.nkeys;
    c->sent = 0;
    c->head_len = 0;
    c->is_in_body = false;
    c->began_us = load_now();
    load_send(c);
}


static void
load_done(load_connection_t *c)
{
    int64_t  us;

    us = load_now() - c->began_us;
    load.done++;
    load.bytes += load.requests.body_len;

    if (load.ntimes < LOAD_TIMES_MAX) {
        load.times[load.ntimes++] = (uint32_t) us;
    }

    load_begin(c);
}


static void
load_reopen(load_connection_t *c)
{
    load_fail(c, "the connection was closed");
    (void) close(c->fd);
    load_open(c);
    load_begin(c);
}


/* The head of an answer is there; false when it is not understood. */

static bool
load_head(load_connection_t *c, size_t head_len)
{
    char  *length;

    if (strncmp(c->head, "HTTP/1.1 2", strlen("HTTP/1.1 2")) != 0) {
        load_fail(c, "refused");
    }

    length = strcasestr(c->head, "\r\nContent-Length:");
    if (length == NULL) {
        return false;
    }

    c->left = load.is_head ? 0 : strtoull(length + 17, NULL, 10);
    load.bytes += c->left;
    c->left -= c->head_len - head_len;
    c->is_in_body = true;

    return true;
}


static void
load_read_head(load_connection_t *c)
{
    char     *end;
    ssize_t   n;

    n = recv(c->fd, c->head + c->head_len, LOAD_HEAD_MAX - c->head_len,
             MSG_DONTWAIT);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        load_reopen(c);
        return;
    }

    c->head_len += (size_t) n;
    c->head[c->head_len] = '\0';

    end = strstr(c->head, "\r\n\r\n");
    if (end == NULL) {
        return;
    }

    if (!load_head(c, (size_t) (end + 4 - c->head))) {
        load_reopen(c);

    } else if (c->left == 0) {
        load_done(c);
    }
}


/* The kernel forgets it, without a copy. */

static void
load_read_body(load_connection_t *c)
{
    ssize_t  n;

    n = recv(c->fd, NULL, c->left < (1 << 20) ? (size_t) c->left : 1 << 20,
             MSG_DONTWAIT | MSG_TRUNC);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        load_reopen(c);
        return;
    }

    c->left -= (uint64_t) n;

    if (c->left == 0) {
        load_done(c);
    }
}


static bool
load_is_at_work(void)
{
    size_t  i;

    for (i = 0; i < load.connections; i++) {
        if (load.all[i].fd != -1) {
            return true;
        }
    }

    return false;
}


static void
load_run(void)
{
    int                  i, n;
    load_connection_t   *c;
    struct epoll_event   events[LOAD_EVENTS];

    load.all = calloc(load.connections, sizeof(load_connection_t));
    if (load.all == NULL) {
        load_die("memory");
    }

    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.end_us = load_now() + (int64_t) (load.seconds * 1e6);

    for (i = 0; i < (int) load.connections; i++) {
        c = &load.all[i];
        load_open(c);
        load_begin(c);
    }

    while (load_is_at_work()) {
        n = epoll_wait(load.epoll, events, LOAD_EVENTS, 60000);

        if (n == 0) {
            errno = ETIMEDOUT;
            load_die("no answer for a minute");
        }

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            if (events[i].events & EPOLLOUT) {
                load_send(c);
            }

            if (events[i].events & ~(uint32_t) EPOLLOUT) {
                if (c->is_in_body) {
                    load_read_body(c);
                } else {
                    load_read_head(c);
                }
            }
        }
    }
}


/* ---- */


static int
load_order(const void *one, const void *two)
{
    const uint32_t  *a = one, *b = two;

    return *a < *b ? -1 : *a > *b;
}


static uint32_t
load_quantile(double share)
{
    size_t  i;

    if (load.ntimes == 0) {
        return 0;
    }

    i = (size_t) ((double) load.ntimes * share);

    return load.times[i < load.ntimes ? i : load.ntimes - 1];
}


static void
load_options(int argc, char **argv)
{
    int   option;
    char *port;

    while ((option = getopt(argc, argv, "m:q:c:k:b:s:n:ad:")) != -1) {
        switch (option) {
        case 'm': load.requests.method = optarg; break;
        case 'q': load.requests.query = optarg; break;
        case 'c': load.connections = strtoul(optarg, NULL, 10); break;
        case 'k': load.requests.nkeys = strtoul(optarg, NULL, 10); break;
        case 'b': load.requests.body_len = strtoul(optarg, NULL, 10); break;
        case 's': load.seconds = strtod(optarg, NULL); break;
        case 'n': load.limit = strtoull(optarg, NULL, 10); break;
        case 'a': load.requests.is_chunked = true; break;
        case 'd': load.requests.ndeletes = strtoul(optarg, NULL, 10); break;
        default: exit(2);
        }
    }

    if (argc - optind != 4 || load.connections == 0 || load.requests.nkeys == 0
        || (port = strchr(argv[optind], ':')) == NULL)
    {
        fprintf(stderr, "load: HOST:PORT BUCKET ACCESS_KEY SECRET_KEY\n");
        exit(2);
    }

    load.requests.host = strdup(argv[optind]);
    *port = '\0';
    load.address.sin_family = AF_INET;
    load.address.sin_port = htons((uint16_t) strtoul(port + 1, NULL, 10));

    if (inet_pton(AF_INET, argv[optind], &load.address.sin_addr) != 1) {
        load_die(argv[optind]);
    }

    if (load.requests.ndeletes != 0) {
        load.requests.method = "POST";
    }

    load.requests.bucket = argv[optind + 1];
    load.requests.access_key = chorus_str_from(argv[optind + 2]);
    load.requests.secret_key = chorus_str_from(argv[optind + 3]);
}


int
main(int argc, char **argv)
{
    int64_t  began;
    double   seconds;

    load_options(argc, argv);

    load.is_head = strcmp(load.requests.method, "HEAD") == 0;
    load.times = malloc(LOAD_TIMES_MAX * sizeof(uint32_t));
    if (load.times == NULL) {
        load_die("memory");
    }

    load_requests_sign(&load.requests);
    began = load_now();
    load_run();
    seconds = (double) (load_now() - began) / 1e6;

    qsort(load.times, load.ntimes, sizeof(uint32_t), load_order);

    printf("{\"requests\": %llu, \"errors\": %llu, \"seconds\": %.3f, "
           "\"bytes\": %llu, \"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u}"
           "\n", (unsigned long long) load.done,
           (unsigned long long) load.errors, seconds,
           (unsigned long long) load.bytes, load_quantile(0.5),
           load_quantile(0.99), load_quantile(1));

    return load.errors != 0;
}
