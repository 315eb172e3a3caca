/*
 * One line on stderr per event.  Never a secret: nothing that signs a request
 * is handed to these functions.
 */

#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "chorus_str.h"


typedef enum {
    LOG_ERROR = 0,
    LOG_WARN,
    LOG_INFO,
    LOG_DEBUG
} log_level_t;

/* A key of 1024 bytes in \xNN and its NUL. */
#define LOG_KEY_SIZE  4100


void log_level_set(log_level_t level);
/* {"time":...,"level":...,"message":...} instead of plain lines */
void log_json_set(bool is_json);
/* "error", "warn", "info", "debug"; false on anything else */
bool log_level_parse(const char *name, log_level_t *level);
log_level_t log_level(void);

void log_write(log_level_t level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* `s` for a log line: control bytes, quotes, backslashes and bytes above 7E
 * as \xNN, cut to `size` (which is at least 8).  Returns `out`. */
const char *log_escape(char *out, size_t size, chorus_str_t s);

/* True once a minute for the same `what`: for conditions that every key of a
 * replication would report. */
bool log_once_a_minute(chorus_str_t what);


#endif
