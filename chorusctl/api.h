/* One request to the control API. */

#ifndef CTL_API_H
#define CTL_API_H

#include <stdbool.h>

#include <jansson.h>

#define CTL_DEFAULT_URL         "http://127.0.0.1:9671"
#define CTL_DEFAULT_TOKEN_FILE  "/etc/chorus/api.token"


typedef struct {
    const char  *url;           /* of the control API, no trailing '/' */
    const char  *token_file;
    bool         json;
} ctl_options_t;


/* The JSON object that the API answers to `method` with; `body` may be NULL.
 * Owned by the caller; NULL after having said on stderr what went wrong. */
json_t *api_call(const ctl_options_t *options, const char *method,
    const char *path, const json_t *body);

/* A part of a path or a value in a query, percent-encoded; false after having
 * said that it does not fit. */
bool api_escape(char *out, size_t size, const char *text);

/* Whether the last call failed because nobody answered, or with 5xx. */
bool api_is_away(void);

/* The JSON object at `path` ("/api/v1/status"), owned by the caller; NULL
 * after having said on stderr what went wrong and what to do.  While Redis is
 * away it has "proxy", and "error" instead of the rest. */
json_t *api_get(const ctl_options_t *options, const char *path);


#endif
