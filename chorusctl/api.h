/* One GET to the control API. */

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


/* The JSON object at `path` ("/api/v1/status"), owned by the caller; NULL
 * after having said on stderr what went wrong and what to do.  While Redis is
 * away it has "proxy", and "error" instead of the rest. */
json_t *api_get(const ctl_options_t *options, const char *path);


#endif
