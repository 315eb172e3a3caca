#include "api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#define API_TOKEN_MAX   512
#define API_BODY_MAX    (64 * 1024 * 1024)
#define API_TIMEOUT_S   30L


typedef struct {
    char    *data;
    size_t   len;
} api_body_t;


static bool
api_token(const char *path, char *token, size_t size)
{
    FILE    *f;
    size_t   n;

    f = fopen(path, "r");
    if (f == NULL) {
        fprintf(stderr, "chorusctl: cannot read the token file ");
        perror(path);
        return false;
    }

    n = fread(token, 1, size - 1, f);
    fclose(f);

    token[n] = '\0';
    token[strcspn(token, "\r\n")] = '\0';

    return true;
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
        && (status == 200
            || (status == 503 && json_object_get(root, "proxy") != NULL)))
    {
        return root;
    }

    message = NULL;

    if (json_is_object(root)) {
        message = json_string_value(json_object_get(
                               json_object_get(root, "error"), "message"));
    }

    fprintf(stderr, "chorusctl: %s answered %ld: %s\n", url, status,
            message ? message : "this is not the control API of Chorus");

    json_decref(root);

    return NULL;
}


json_t *
api_get(const ctl_options_t *options, const char *path)
{
    CURL               *curl;
    char                url[2048], token[API_TOKEN_MAX + 2];
    char                header[API_TOKEN_MAX + 64];
    long                status;
    json_t             *root;
    CURLcode            rc;
    api_body_t          body = { NULL, 0 };
    struct curl_slist  *headers;

    if (!api_token(options->token_file, token, sizeof(token))) {
        return NULL;
    }

    snprintf(url, sizeof(url), "%s%s", options->url, path);
    snprintf(header, sizeof(header), "Authorization: Bearer %s", token);

    curl = curl_easy_init();
    headers = curl_slist_append(NULL, header);

    if (curl == NULL || headers == NULL) {
        fputs("chorusctl: out of memory\n", stderr);
        curl_slist_free_all(headers);
        curl_easy_cleanup(curl);
        return NULL;
    }

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, api_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, API_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");

    rc = curl_easy_perform(curl);
    root = NULL;

    if (rc != CURLE_OK) {
        fprintf(stderr, "chorusctl: %s: %s; is nginx running, and does it "
                "listen there (-u URL)?\n", url, curl_easy_strerror(rc));

    } else {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        root = api_parse(url, status, &body);
    }

    free(body.data);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);

    return root;
}
