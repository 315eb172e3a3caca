/*
 * A storage that costs next to nothing: answers every request with 200 once
 * its body was read, and keeps nothing.  A GET in the bucket "big" has 64 MiB,
 * any other 1 KiB, of which all ETags are; ACLs and versioning are as in a
 * bucket where nobody has set any; a POST is taken for a DeleteObjects that
 * wants to hear of failures only, and there are none:
 *
 *   sink PORT
 *
 * nginx itself would not do: its "return" answers before a body was read, and
 * the proxy in front of it then gives the connection up.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SINK_HEAD_MAX  16384
#define SINK_EVENTS    64
#define SINK_SMALL     1024
#define SINK_BIG       (64u << 20)
#define SINK_BLOCK     (1u << 20)


typedef struct {
    int         fd;
    size_t      len;            /* of the head, so far */
    uint64_t    left;           /* of the request's body */
    uint64_t    owed;           /* of the answer's */
    bool        is_in_body;
    bool        is_get;
    bool        is_big;
    const char  *text;          /* the answer, if it is one of sink_texts */
    char        head[SINK_HEAD_MAX + 1];
} sink_t;


static const struct {
    const char  *method;
    const char  *query;         /* in the first line */
    const char  *text;
} sink_texts[] = {
    { "POST ", "", "<DeleteResult></DeleteResult>" },
    { "GET ", "?acl ", "<AccessControlPolicy><Owner><ID>sink</ID></Owner>"
      "<AccessControlList></AccessControlList></AccessControlPolicy>" },
    { "GET ", "?versioning ", "<VersioningConfiguration/>" },
};


static char  sink_block[SINK_BLOCK];
static int   sink_epoll;


static void
sink_close(sink_t *sink)
{
    (void) close(sink->fd);
    free(sink);
}


static bool
sink_watch(sink_t *sink, uint32_t events)
{
    struct epoll_event  event;

    event.events = events;
    event.data.ptr = sink;

    return epoll_ctl(sink_epoll, EPOLL_CTL_MOD, sink->fd, &event) == 0;
}


/* The rest of an answer's body; false when the client is gone. */

static bool
sink_send(sink_t *sink)
{
    ssize_t  n;

    while (sink->owed != 0) {
        n = send(sink->fd, sink_block,
                 sink->owed < SINK_BLOCK ? (size_t) sink->owed : SINK_BLOCK,
                 MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n == -1) {
            return errno == EAGAIN && sink_watch(sink, EPOLLOUT);
        }

        sink->owed -= (uint64_t) n;
    }

    return sink_watch(sink, EPOLLIN);
}


static const char *
sink_text(const char *head)
{
    size_t  i;

    for (i = 0; i < sizeof(sink_texts) / sizeof(sink_texts[0]); i++) {
        if (strncmp(head, sink_texts[i].method,
                    strlen(sink_texts[i].method)) == 0
            && strstr(head, sink_texts[i].query) != NULL)
        {
            return sink_texts[i].text;
        }
    }

    return NULL;
}


static bool
sink_answer(sink_t *sink)
{
    int       n;
    char      head[512 + SINK_SMALL];
    size_t    small, big;       /* the first goes with the head */

    small = sink->text != NULL ? strlen(sink->text)
            : sink->is_get && !sink->is_big ? SINK_SMALL : 0;
    big = sink->text == NULL && sink->is_get && sink->is_big ? SINK_BIG : 0;

    n = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n"
                 "Content-Type: application/octet-stream\r\n"
                 "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
                 "ETag: \"7265f4d211b56873a381d321f586e4a9\"\r\n"
                 "x-amz-request-id: tx00000bench\r\n"
                 "Accept-Ranges: bytes\r\nContent-Length: %zu\r\n\r\n",
                 small + big);

    if (sink->text != NULL) {
        memcpy(head + n, sink->text, small);

    } else {
        memset(head + n, 'x', small);
    }

    n += (int) small;

    sink->len = 0;
    sink->is_in_body = false;
    sink->owed = big;

    if (send(sink->fd, head, (size_t) n, MSG_NOSIGNAL) != n) {
        return false;
    }

    return big == 0 || sink_send(sink);
}


static bool
sink_read_body(sink_t *sink)
{
    ssize_t  n;

    while (sink->left != 0) {
        n = recv(sink->fd, NULL, sink->left < SINK_BLOCK
                                 ? (size_t) sink->left : SINK_BLOCK,
                 MSG_DONTWAIT | MSG_TRUNC);

        if (n == -1) {
            return errno == EAGAIN;
        }

        if (n == 0) {
            return false;
        }

        sink->left -= (uint64_t) n;
    }

    return sink_answer(sink);
}


static bool
sink_read_head(sink_t *sink)
{
    char     *end, *length;
    size_t    body;
    ssize_t   n;

    n = recv(sink->fd, sink->head + sink->len, SINK_HEAD_MAX - sink->len,
             MSG_DONTWAIT);

    if (n == -1) {
        return errno == EAGAIN;
    }

    if (n == 0) {
        return false;
    }

    sink->len += (size_t) n;
    sink->head[sink->len] = '\0';

    end = strstr(sink->head, "\r\n\r\n");
    if (end == NULL) {
        return sink->len < SINK_HEAD_MAX;
    }

    length = strcasestr(sink->head, "\r\nContent-Length:");
    sink->left = length != NULL && length < end
                 ? strtoull(length + 17, NULL, 10) : 0;
    sink->is_get = strncmp(sink->head, "GET ", 4) == 0;
    sink->text = sink_text(sink->head);
    sink->is_big = strstr(sink->head, " /big/") != NULL;
    sink->is_in_body = true;

    body = sink->len - (size_t) (end + 4 - sink->head);
    sink->left -= body < sink->left ? body : sink->left;

    return sink_read_body(sink);
}


static void
sink_accept(int listener)
{
    int                  fd, one = 1;
    sink_t              *sink;
    struct epoll_event   event;

    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    sink = fd == -1 ? NULL : calloc(1, sizeof(sink_t));

    if (sink == NULL) {
        return;
    }

    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    sink->fd = fd;
    event.events = EPOLLIN;
    event.data.ptr = sink;

    if (epoll_ctl(sink_epoll, EPOLL_CTL_ADD, fd, &event) == -1) {
        sink_close(sink);
    }
}


static int
sink_listen(const char *port, int rcvbuf)
{
    int                 fd, one = 1;
    struct sockaddr_in  address = { .sin_family = AF_INET };

    address.sin_port = htons((uint16_t) strtoul(port, NULL, 10));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));

    if (rcvbuf != 0) {
        (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
    }

    if (fd == -1 || bind(fd, (struct sockaddr *) &address,
                         sizeof(address)) == -1 || listen(fd, 1024) == -1)
    {
        perror("sink");
        exit(1);
    }

    return fd;
}


int
main(int argc, char **argv)
{
    int                  i, n, listener;
    bool                 is_good;
    sink_t              *sink;
    struct epoll_event   event, events[SINK_EVENTS];

    if (argc != 2 && argc != 3) {
        fprintf(stderr, "sink: PORT [RCVBUF]\n");
        return 2;
    }

    listener = sink_listen(argv[1], argc == 3 ? (int) strtoul(argv[2], NULL, 10)
                                              : 0);
    sink_epoll = epoll_create1(EPOLL_CLOEXEC);
    event.events = EPOLLIN;
    event.data.ptr = NULL;
    (void) epoll_ctl(sink_epoll, EPOLL_CTL_ADD, listener, &event);

    for ( ;; ) {
        n = epoll_wait(sink_epoll, events, SINK_EVENTS, -1);

        for (i = 0; i < n; i++) {
            sink = events[i].data.ptr;

            if (sink == NULL) {
                sink_accept(listener);
                continue;
            }

            is_good = sink->owed != 0 ? sink_send(sink)
                      : sink->is_in_body ? sink_read_body(sink)
                      : sink_read_head(sink);

            if (!is_good) {
                sink_close(sink);
            }
        }
    }
}
