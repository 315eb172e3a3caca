/*
 * A line is put together first and written with one write(2), so that lines
 * of several threads do not mix.
 */

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define LOG_TEXT_SIZE   8192
#define LOG_LINE_SIZE   (2 * LOG_TEXT_SIZE + 128)
#define LOG_ONCE_SLOTS  256


static const char *const  log_names[] = { "error", "warn", "info", "debug" };

static _Atomic int  log_threshold = LOG_INFO;
static _Atomic bool  log_is_json;

static struct {
    uint64_t  hash;
    int64_t   until_ms;
} log_once[LOG_ONCE_SLOTS];

static pthread_mutex_t  log_once_mutex = PTHREAD_MUTEX_INITIALIZER;


void
log_level_set(log_level_t level)
{
    atomic_store(&log_threshold, (int) level);
}


log_level_t
log_level(void)
{
    return (log_level_t) atomic_load(&log_threshold);
}


void
log_json_set(bool is_json)
{
    atomic_store(&log_is_json, is_json);
}


bool
log_level_parse(const char *name, log_level_t *level)
{
    size_t  i;

    for (i = 0; i < sizeof(log_names) / sizeof(log_names[0]); i++) {
        if (strcmp(name, log_names[i]) == 0) {
            *level = (log_level_t) i;
            return true;
        }
    }

    return false;
}


/* "2026-11-23T06:08:45.123Z" */

static void
log_time(char *out, size_t size)
{
    size_t          n;
    struct tm       tm;
    struct timeval  tv;

    (void) gettimeofday(&tv, NULL);
    (void) gmtime_r(&tv.tv_sec, &tm);
    n = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
    (void) snprintf(out + n, size - n, ".%03uZ",
                    (unsigned) (tv.tv_usec / 1000) % 1000);
}


static size_t
log_as_text(char *line, size_t size, log_level_t level, const char *text)
{
    int   n;
    char  now[32];

    log_time(now, sizeof(now));
    n = snprintf(line, size, "%s %-5s %s", now, log_names[level], text);

    return (size_t) n < size ? (size_t) n : size - 1;
}


/* A message may have what a storage has said: what is no UTF-8 is "?". */

static size_t
log_as_json(char *line, size_t size, log_level_t level, const char *text)
{
    char           now[32], *p, *last;
    bool           is_text;
    unsigned char  c;

    log_time(now, sizeof(now));
    p = line + snprintf(line, size,
                        "{\"time\":\"%s\",\"level\":\"%s\",\"message\":\"",
                        now, log_names[level]);
    last = line + size - sizeof("\\u0000\"}");
    is_text = chorus_str_is_text(chorus_str_from(text));

    for ( /* void */ ; *text != '\0' && p < last; text++) {
        c = (unsigned char) *text;

        if (c < 0x20) {
            p += snprintf(p, sizeof("\\u0000"), "\\u%04x", c);
            continue;
        }

        if (c == '"' || c == '\\') {
            *p++ = '\\';
        }

        *p++ = c < 0x80 || is_text ? (char) c : '?';
    }

    *p++ = '"';
    *p++ = '}';

    return (size_t) (p - line);
}


void
log_write(log_level_t level, const char *format, ...)
{
    char     text[LOG_TEXT_SIZE], line[LOG_LINE_SIZE];
    size_t   n;
    ssize_t  written;
    va_list  args;

    if ((int) level > atomic_load(&log_threshold)) {
        return;
    }

    va_start(args, format);
    (void) vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    n = atomic_load(&log_is_json)
        ? log_as_json(line, sizeof(line) - 1, level, text)
        : log_as_text(line, sizeof(line) - 1, level, text);

    line[n++] = '\n';

    /* a log that cannot be written is no reason to stop replicating */
    written = write(STDERR_FILENO, line, n);
    (void) written;
}


const char *
log_escape(char *out, size_t size, chorus_str_t s)
{
    char           *p, *last;
    size_t          i;
    unsigned char   c;

    p = out;
    last = out + size - 1;

    for (i = 0; i < s.len; i++) {
        c = (unsigned char) s.data[i];

        if (c >= 0x20 && c < 0x7f && c != '\\' && c != '"') {
            if (last - p < 1) {
                break;
            }
            *p++ = (char) c;
            continue;
        }

        if (last - p < 4) {
            break;
        }

        *p++ = '\\';
        *p++ = 'x';
        chorus_hex(p, &c, 1);
        p += 2;
    }

    *p = '\0';

    return out;
}


bool
log_once_a_minute(chorus_str_t what)
{
    bool      first;
    size_t    i;
    int64_t   now;
    uint64_t  hash;

    hash = 0xcbf29ce484222325u;
    for (i = 0; i < what.len; i++) {
        hash = (hash ^ (unsigned char) what.data[i]) * 0x100000001b3u;
    }

    i = hash % LOG_ONCE_SLOTS;
    now = clock_ms();

    (void) pthread_mutex_lock(&log_once_mutex);

    /* two names in one slot only log more often */
    first = log_once[i].hash != hash || log_once[i].until_ms <= now;
    if (first) {
        log_once[i].hash = hash;
        log_once[i].until_ms = now + 60000;
    }

    (void) pthread_mutex_unlock(&log_once_mutex);

    return first;
}
