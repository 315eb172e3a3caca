#include "api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "print.h"
#include "token_file.h"

#define API_BODY_MAX    (64 * 1024 * 1024)
#define API_TIMEOUT_S   30L
#define API_URL_MAX     8192


typedef struct {
    char    *data;
    size_t   len;
} api_body_t;


static bool  api_away;


bool
api_is_away(void)
{
    return api_away;
}


static size_t
api_take(char *data, size_t size, size_t n, void *userp)
{
    char        *grown;
    api_body_t  *body = userp;

    n *= size;

    if (body->len + n > API_BODY_MAX) {
        return 0;
    }

    grown = realloc(body->data, body->len + n + 1);
    if (grown == NULL) {
        return 0;
    }

    memcpy(grown + body->len, data, n);
    body->data = grown;
    body->len += n;

    return n;
}


static json_t *
api_parse(const char *url, long status, const api_body_t *body)
{
    json_t        *root;
    const char    *message;
    json_error_t   error;

    root = json_loadb(body->data ? body->data : "", body->len, 0, &error);

    if (json_is_object(root)
        && (status == 200 || status == 201
            || (status == 503 && json_object_get(root, "proxy") != NULL)))
    {
        return root;
    }

    message = NULL;

    if (json_is_object(root)) {
        message = json_string_value(json_object_get(
                               json_object_get(root, "error"), "message"));
    }

    api_away = status == 503;

    fprintf(stderr, "chorusctl: %s answered %ld: ", url, status);
    (void) print_clean(stderr, message ? message
                               : "this is not the control API of Chorus");
    fputc('\n', stderr);

    json_decref(root);

    return NULL;
}


/* NULL and said so when out of memory. */

static struct curl_slist *
api_headers(const char *token)
{
    char                header[CHORUS_TOKEN_MAX + 64];
    struct curl_slist  *first, *all;

    snprintf(header, sizeof(header), "Authorization: Bearer %s", token);

    first = curl_slist_append(NULL, header);
    all = first == NULL ? NULL
          : curl_slist_append(first, "Content-Type: application/json");

    if (all == NULL) {
        fputs("chorusctl: out of memory\n", stderr);
        curl_slist_free_all(first);
    }

    return all;
}


static json_t *
api_perform(CURL *curl, const char *url, const char *method, const char *sent)
{
    long        status;
    json_t     *root;
    CURLcode    rc;
    api_body_t  body = { NULL, 0 };

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, api_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, API_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");

    if (sent != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, sent);
    }

    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);

    rc = curl_easy_perform(curl);
    root = NULL;

    if (rc != CURLE_OK) {
        api_away = true;
        fprintf(stderr, "chorusctl: %s: %s; is nginx running, and does it "
                "listen there (-u URL)?\n", url, curl_easy_strerror(rc));

    } else {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        root = api_parse(url, status, &body);
    }

    free(body.data);

    return root;
}


json_t *
api_call(const ctl_options_t *options, const char *method, const char *path,
    const json_t *body)
{
    CURL               *curl;
    char               *sent;
    char                url[API_URL_MAX], token[CHORUS_TOKEN_MAX + 1];
    json_t             *root;
    struct curl_slist  *headers;

    if (!token_file_read(options->token_file, token)) {
        return NULL;
    }

    if (snprintf(url, sizeof(url), "%s%s", options->url, path)
        >= (int) sizeof(url))
    {
        fputs("chorusctl: the URL would be too long\n", stderr);
        return NULL;
    }

    headers = api_headers(token);
    if (headers == NULL) {
        return NULL;
    }

    root = NULL;
    curl = curl_easy_init();
    sent = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);

    if (curl != NULL && (body == NULL || sent != NULL)) {
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        root = api_perform(curl, url, method, sent);

    } else {
        fputs("chorusctl: out of memory\n", stderr);
    }

    free(sent);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);

    return root;
}


json_t *
api_get(const ctl_options_t *options, const char *path)
{
    return api_call(options, "GET", path, NULL);
}


bool
api_escape(char *out, size_t size, const char *text)
{
    char  *escaped;
    bool   fits;

    escaped = curl_easy_escape(NULL, text, 0);
    fits = escaped != NULL
           && snprintf(out, size, "%s", escaped) < (int) size;
    curl_free(escaped);

    if (!fits) {
        fputs("chorusctl: a name is too long\n", stderr);
    }

    return fits;
}
