#include "notify.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define NOTIFY_TEXT_SIZE  128
#define NOTIFY_TOUCH_MS   1000


static int64_t  notify_watchdog_at_ms;
static int64_t  notify_touch_at_ms;
static int      notify_was_at_work = -1;    /* not known yet */


/* No answer is expected, and a failure is the manager's to notice. */

static void
notify_send(const char *text)
{
    int                  fd;
    size_t               len;
    ssize_t              sent;
    const char          *path;
    struct sockaddr_un   address = { .sun_family = AF_UNIX };

    path = getenv("NOTIFY_SOCKET");

    if (path == NULL || (path[0] != '/' && path[0] != '@')) {
        return;
    }

    len = strlen(path);

    if (len >= sizeof(address.sun_path)) {
        return;
    }

    memcpy(address.sun_path, path, len);

    if (path[0] == '@') {
        /* a name in the abstract space of Linux */
        address.sun_path[0] = '\0';
    }

    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd == -1) {
        return;
    }

    sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL,
                  (struct sockaddr *) &address,
                  (socklen_t) (offsetof(struct sockaddr_un, sun_path) + len));
    (void) sent;
    (void) close(fd);
}


void
notify_ready(void)
{
    notify_send("READY=1");
}


void
notify_reloading(void)
{
    char             text[NOTIFY_TEXT_SIZE];
    struct timespec  now;

    /* systemd compares it with the time at which it sent the signal */
    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    (void) snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
                    (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000);
    notify_send(text);
}


void
notify_stopping(void)
{
    notify_send("STOPPING=1");
}


/* Half of what systemd allows between two signs of life; 0: it wants none. */

static int64_t
notify_watchdog_ms(void)
{
    long         pid;
    int64_t      us;
    const char  *text;

    text = getenv("WATCHDOG_PID");
    pid = text != NULL ? strtol(text, NULL, 10) : (long) getpid();
    text = getenv("WATCHDOG_USEC");

    if (text == NULL || pid != (long) getpid()) {
        return 0;
    }

    us = strtoll(text, NULL, 10);

    return us > 0 ? us / 2000 : 0;
}


static void
notify_touch(void)
{
    int          fd;
    const char  *path;

    path = getenv("CHORUS_ALIVE_FILE");

    if (path == NULL || path[0] == '\0') {
        return;
    }

    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (fd == -1 || futimens(fd, NULL) == -1) {
        if (log_once_a_minute(chorus_str_from(path))) {
            log_write(LOG_WARN, "cannot touch %s: %m", path);
        }
    }

    if (fd != -1) {
        (void) close(fd);
    }
}


void
notify_beat(bool is_at_work)
{
    int64_t  now, watchdog_ms;

    now = clock_ms();
    watchdog_ms = notify_watchdog_ms();

    if (watchdog_ms != 0 && now >= notify_watchdog_at_ms) {
        notify_send("WATCHDOG=1");
        notify_watchdog_at_ms = now + watchdog_ms;
    }

    if (is_at_work && now >= notify_touch_at_ms) {
        notify_touch();
        notify_touch_at_ms = now + NOTIFY_TOUCH_MS;
    }

    if (notify_was_at_work != (int) is_at_work) {
        notify_was_at_work = is_at_work;
        notify_send(is_at_work ? "STATUS=Replicating"
                               : "STATUS=Waiting for Redis");
    }
}
