#include "guard.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

#define EXIT_USAGE  2


int
guard_resume(const ctl_options_t *options, char **args)
{
    char                 path[2048] = "/api/v1/guards/";
    bool                 accepts = false;
    size_t               len;
    json_t              *body, *answer;
    const word_option_t  words[] = {
        { "--accept-deletes", NULL, &accepts },
        { NULL, NULL, NULL }
    };

    if (words_take(args, words) != 1) {
        fputs("usage: chorusctl resume R [--accept-deletes]\n", stderr);
        return EXIT_USAGE;
    }

    len = strlen(path);

    if (!api_escape(path + len, sizeof(path) - len, args[0])) {
        return EXIT_FAILURE;
    }

    body = json_pack("{s:b}", "accept_deletes", accepts);
    answer = api_call(options, "POST", path, body);
    json_decref(body);

    if (answer == NULL) {
        return EXIT_FAILURE;
    }

    json_decref(answer);

    return EXIT_SUCCESS;
}


/* What comes of it is in the audit log. */

int
guard_forget(const ctl_options_t *options, char **args)
{
    char                 path[2048] = "/api/v1/queues/";
    bool                 is_sure = false;
    size_t               len;
    json_t              *answer;
    const word_option_t  words[] = {
        { "--yes", NULL, &is_sure },
        { NULL, NULL, NULL }
    };

    if (words_take(args, words) != 1 || !is_sure) {
        fputs("usage: chorusctl forget R --yes\n", stderr);
        return EXIT_USAGE;
    }

    len = strlen(path);

    if (!api_escape(path + len, sizeof(path) - len, args[0])) {
        return EXIT_FAILURE;
    }

    answer = api_call(options, "DELETE", path, NULL);
    if (answer == NULL) {
        return EXIT_FAILURE;
    }

    printf("it is dropped when all workers have agreed, after some seconds\n");
    json_decref(answer);

    return EXIT_SUCCESS;
}


json_t *
guard_read(const char *text)
{
    char        *end;
    long         n;
    json_t      *guard;
    const char  *name;

    if (strcmp(text, "off") == 0) {
        return json_false();
    }

    errno = 0;
    n = strtol(text, &end, 10);
    name = *end == '%' ? "deletes_percent" : "deletes";

    if (end == text || errno != 0 || text[0] < '0' || text[0] > '9') {
        return NULL;
    }

    end += *end == '%';
    guard = json_pack("{s:I}", name, (json_int_t) n);

    if (*end == '/' && end[1] >= '0' && end[1] <= '9') {
        n = strtol(end + 1, &end, 10);
        (void) json_object_set_new(guard, "per_seconds", json_integer(n));
    }

    if (*end != '\0') {
        json_decref(guard);
        return NULL;
    }

    return guard;
}
