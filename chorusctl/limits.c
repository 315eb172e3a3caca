#include "limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chorus_limit.h"

#define LIMITS_NAME_WIDTH  24
#define LIMITS_PATH_SIZE   512


static void
limits_print_number(const json_t *value, bool is_bytes)
{
    int         unit;
    json_int_t  n = json_integer_value(value);

    static const char  *const units[] = { "", "KiB", "MiB", "GiB", "TiB" };

    if (!json_is_integer(value) || n == 0) {
        printf("none");
        return;
    }

    for (unit = 0; is_bytes && unit < 4 && n % 1024 == 0; unit++) {
        n /= 1024;
    }

    printf("%lld%s", (long long) n, units[unit]);
}


static void
limits_print_row(const json_t *row)
{
    unsigned       i;
    const json_t  *limit;

    for (i = 0; i < CHORUS_NLIMITS; i++) {
        limit = json_object_get(row, chorus_limit_names[i]);

        printf("%-*s%-22s", LIMITS_NAME_WIDTH, i == 0 ? json_string_value(
                   json_object_get(row, "storage")) : "",
               chorus_limit_names[i]);
        limits_print_number(json_object_get(limit, "limit"),
                            i == CHORUS_LIMIT_BYTES);

        if (json_is_integer(json_object_get(limit, "override"))) {
            printf(" (set at run time, chorus.json: ");
            limits_print_number(json_object_get(limit, "configured"),
                                i == CHORUS_LIMIT_BYTES);
            printf(")");
        }

        printf("\n");
    }
}


static int
limits_print(const ctl_options_t *options, json_t *root)
{
    size_t   i;
    json_t  *row, *rows;

    if (root == NULL) {
        return EXIT_FAILURE;
    }

    rows = json_object_get(root, "limits");

    if (options->json) {
        json_dumpf(root, stdout, JSON_COMPACT);
        putchar('\n');

    } else if (rows == NULL) {
        limits_print_row(root);

    } else {
        json_array_foreach(rows, i, row) {
            limits_print_row(row);
        }
    }

    json_decref(root);

    return EXIT_SUCCESS;
}


int
limits_show(const ctl_options_t *options, char **args)
{
    (void) args;

    return limits_print(options, api_get(options, "/api/v1/limits"));
}


static int
limits_send(const ctl_options_t *options, const char *method,
    const char *storage, const json_t *body)
{
    char  name[LIMITS_PATH_SIZE / 2], path[LIMITS_PATH_SIZE];

    if (!api_escape(name, sizeof(name), storage)) {
        return EXIT_FAILURE;
    }

    snprintf(path, sizeof(path), "/api/v1/limits/%s", name);

    return limits_print(options, api_call(options, method, path, body));
}


/* "none": no limit, whatever chorus.json says; other words are the API's to
 * judge. */

static json_t *
limits_value(const char *text)
{
    char       *end;
    long long   n;

    if (strcmp(text, "none") == 0) {
        return json_integer(0);
    }

    n = strtoll(text, &end, 10);

    return end != text && *end == '\0' ? json_integer(n) : json_string(text);
}


int
limits_set(const ctl_options_t *options, char **args)
{
    int         rc;
    unsigned    i;
    json_t     *body;

    for (i = 0; i < CHORUS_NLIMITS; i++) {
        if (strcmp(args[1], chorus_limit_kinds[i]) == 0) {
            break;
        }
    }

    if (i == CHORUS_NLIMITS) {
        fprintf(stderr, "chorusctl: \"%s\": there are limits of \"requests\" "
                "and of \"bytes\" a second\n", args[1]);
        return EXIT_FAILURE;
    }

    body = json_object();

    if (body == NULL
        || json_object_set_new(body, chorus_limit_names[i],
                               limits_value(args[2])) != 0)
    {
        fputs("chorusctl: out of memory\n", stderr);
        json_decref(body);
        return EXIT_FAILURE;
    }

    rc = limits_send(options, "PUT", args[0], body);
    json_decref(body);

    return rc;
}


int
limits_unset(const ctl_options_t *options, char **args)
{
    return limits_send(options, "DELETE", args[0], NULL);
}
