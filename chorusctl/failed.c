/*
 * Keys are bytes: they are printed percent-encoded, and taken so.
 */

#include "failed.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FAILED_EXIT_USAGE   2
#define FAILED_URL_MAX      8192
#define FAILED_KEY_MAX      (3 * 1024)  /* S3's longest key, encoded */


typedef struct {
    const char  *replication;           /* or NULL */
    const char  *key;                   /* as it was typed, or NULL */
    const char  *reason;                /* or NULL */
    bool         is_all;
    bool         is_summary;
    bool         is_sure;
    bool         wants_help;
} failed_args_t;


static const char  failed_help[] =
    "NAME\n"
    "  chorusctl failed - the keys that are parked, and why\n\n"
    "SYNOPSIS\n"
    "  chorusctl failed [list] [-s] [--reason CODE] [REPLICATION]\n\n"
    "DESCRIPTION\n"
    "  A key is parked when trying again would not help: \"blocked\" needs a\n"
    "  person (credentials, rights, quota), \"parked\" is what the follower\n"
    "  will never take as it is. Of blocked keys one is tried from time to\n"
    "  time, and all come back by themselves when that works.\n"
    "  REPLICATION is a name that `chorusctl status` shows. Keys are printed\n"
    "  percent-encoded; (bucket) stands for the bucket itself.\n\n"
    "OPTIONS\n"
    "  -s             how many of each reason, and no keys\n"
    "  --reason CODE  only these, such as AccessDenied\n"
    "  -o json        (before the command) the API's answers, a page a line\n\n"
    "EXAMPLES\n"
    "  chorusctl failed\n"
    "  chorusctl failed --reason AccessDenied alice:photos:follower\n\n"
    "SEE ALSO\n"
    "  chorusctl retry --help; what to do about each code:\n"
    "  docs/reliability.md\n";

static const char  retry_help[] =
    "NAME\n"
    "  chorusctl retry - tries parked keys again\n\n"
    "SYNOPSIS\n"
    "  chorusctl failed retry [--reason CODE] --all    (or: chorusctl retry)\n"
    "  chorusctl retry [--reason CODE] REPLICATION\n"
    "  chorusctl retry REPLICATION KEY\n\n"
    "DESCRIPTION\n"
    "  Puts parked keys back into their queue, with a fresh series of\n"
    "  attempts, and ends a hold. Do it when what was wrong is mended; keys\n"
    "  that fail again are parked again.\n"
    "  KEY is percent-encoded, as `chorusctl failed` prints it: a % itself\n"
    "  is %25. It may also wait for its next attempt. \"\" is the bucket.\n\n"
    "OPTIONS\n"
    "  --all          of all replications\n"
    "  --reason CODE  only these, such as QuotaExceeded\n\n"
    "EXAMPLES\n"
    "  chorusctl retry --reason QuotaExceeded --all\n"
    "  chorusctl retry alice:photos:follower holidays/2024%20a.jpg\n";


static const char  drop_help[] =
    "NAME\n"
    "  chorusctl failed drop - forgets parked keys\n\n"
    "SYNOPSIS\n"
    "  chorusctl failed drop [--reason CODE] --all --yes\n"
    "  chorusctl failed drop [--reason CODE] REPLICATION --yes\n"
    "  chorusctl failed drop REPLICATION KEY --yes\n\n"
    "DESCRIPTION\n"
    "  The follower stays as it is for these keys: only their next change, or\n"
    "  a repair, brings them back. It is noted in the audit log.\n"
    "  KEY is percent-encoded, as `chorusctl failed` prints it.\n\n"
    "OPTIONS\n"
    "  --all          of all replications\n"
    "  --reason CODE  only these, such as EntityTooLarge\n"
    "  --yes          does it\n\n"
    "EXAMPLE\n"
    "  chorusctl failed drop --reason EntityTooLarge alice:photos:follower "
    "--yes\n";


static bool
failed_parse(char **args, unsigned names, failed_args_t *parsed)
{
    unsigned  n = 0;

    memset(parsed, 0, sizeof(failed_args_t));

    for ( ; *args != NULL; args++) {

        if (strcmp(*args, "--help") == 0 || strcmp(*args, "-h") == 0) {
            parsed->wants_help = true;

        } else if (strcmp(*args, "--all") == 0) {
            parsed->is_all = true;

        } else if (strcmp(*args, "--yes") == 0) {
            parsed->is_sure = true;

        } else if (strcmp(*args, "-s") == 0) {
            parsed->is_summary = true;

        } else if (strcmp(*args, "--reason") == 0 && args[1] != NULL) {
            parsed->reason = *++args;

        } else if (n < names && (*args[0] != '-' || n == 1)) {
            *(n++ == 0 ? &parsed->replication : &parsed->key) = *args;

        } else {
            return false;
        }
    }

    return true;
}


static bool
failed_is_plain(unsigned char c)
{
    return isalnum(c) || (c != '\0' && strchr("-._~/", c) != NULL);
}


/* A key as it was typed to one for the query: what is percent-encoded stays
 * so.  False after having said why not. */

static bool
failed_encode_key(char *out, size_t size, const char *key)
{
    size_t         n = 0;
    unsigned char  c;

    for ( ; (c = (unsigned char) *key) != '\0'; key++) {

        if (c == '%' && !(isxdigit((unsigned char) key[1])
                          && isxdigit((unsigned char) key[2])))
        {
            fputs("chorusctl: a key is percent-encoded: write %25 for %\n",
                  stderr);
            return false;
        }

        if (n + 4 > size) {
            fputs("chorusctl: no key is that long\n", stderr);
            return false;
        }

        n += (size_t) snprintf(out + n, size - n,
                               c == '%' || failed_is_plain(c) ? "%c"
                                                              : "%%%02X", c);
    }

    out[n] = '\0';

    return true;
}


/* "path?cursor=...", and what of the rest is there */

static bool
failed_url(char *url, size_t size, const char *path, const char *cursor,
    const failed_args_t *parsed)
{
    int   n;
    char  at[FAILED_URL_MAX / 4], replication[FAILED_URL_MAX / 4] = "";
    char  reason[256] = "", key[FAILED_KEY_MAX + 4] = "";

    if (!api_escape(at, sizeof(at), cursor)
        || (parsed->replication != NULL
            && !api_escape(replication, sizeof(replication),
                           parsed->replication))
        || (parsed->reason != NULL
            && !api_escape(reason, sizeof(reason), parsed->reason))
        || (parsed->key != NULL
            && !failed_encode_key(key, sizeof(key), parsed->key)))
    {
        return false;
    }

    n = snprintf(url, size, "%s?cursor=%s%s%s%s%s%s%s%s", path, at,
                 parsed->is_all && parsed->is_sure ? "&all=true" : "",
                 parsed->replication != NULL ? "&replication=" : "",
                 replication, parsed->reason != NULL ? "&reason=" : "",
                 reason, parsed->key != NULL ? "&key=" : "", key);

    return n < (int) size;
}


static void
failed_print_key_bytes(const char *hex, const char *text)
{
    unsigned  c;

    if (hex != NULL) {
        for ( ; sscanf(hex, "%2x", &c) == 1; hex += 2) {
            printf(failed_is_plain((unsigned char) c) ? "%c" : "%%%02X", c);
        }
        return;
    }

    for ( ; *text != '\0'; text++) {
        c = (unsigned char) *text;
        printf(failed_is_plain((unsigned char) c) ? "%c" : "%%%02X", c);
    }
}


static const char *
failed_text(const json_t *row, const char *name)
{
    const char  *text = json_string_value(json_object_get(row, name));

    return text != NULL ? text : "";
}


/* names and reasons come from others: no control byte reaches the terminal */

static void
failed_print_text(const char *text)
{
    for ( ; *text != '\0'; text++) {
        putchar(iscntrl((unsigned char) *text) ? '?' : *text);
    }
}


static void
failed_print_time(const char *what, const json_t *row, const char *name)
{
    char       text[32];
    time_t     seconds;
    struct tm  tm;

    seconds = (time_t) (json_integer_value(json_object_get(row, name))
                        / 1000);

    if (gmtime_r(&seconds, &tm) != NULL
        && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%SZ", &tm) != 0)
    {
        printf(", %s %s", what, text);
    }
}


static void
failed_print_row(const json_t *row)
{
    json_int_t   attempts;
    const char  *key = failed_text(row, "key");

    failed_print_text(failed_text(row, "replication"));
    putchar(' ');

    if (*key == '\0') {
        printf("(bucket)");
    } else {
        failed_print_key_bytes(json_string_value(json_object_get(row,
                                                     "key_base16")), key);
    }

    attempts = json_integer_value(json_object_get(row, "attempts"));

    printf("\n    %s ", failed_text(row, "state"));
    failed_print_text(failed_text(row, "code"));
    printf(", %lld attempt%s", (long long) attempts,
           attempts == 1 ? "" : "s");
    failed_print_time("first", row, "first_ms");
    failed_print_time("last", row, "last_ms");
    printf("\n    ");
    failed_print_text(failed_text(row, "reason"));
    putchar('\n');
}


static void
failed_add_reasons(json_t *sum, const json_t *page,
    const failed_args_t *parsed)
{
    json_t      *n;
    const char  *code;

    json_object_foreach(json_object_get(page, "reasons"), code, n) {

        if (parsed->reason == NULL || strcmp(parsed->reason, code) == 0) {
            json_object_set_new(sum, code, json_integer(
                json_integer_value(n)
                + json_integer_value(json_object_get(sum, code))));
        }
    }
}


static void
failed_print_sum(const json_t *sum)
{
    json_t      *n;
    json_int_t   all = 0;
    const char  *code;

    json_object_foreach((json_t *) sum, code, n) {
        all += json_integer_value(n);
    }

    printf("%lld parked%s\n", (long long) all, all != 0 ? ":" : "");

    json_object_foreach((json_t *) sum, code, n) {
        printf("%10lld ", (long long) json_integer_value(n));
        failed_print_text(code);
        putchar('\n');
    }
}


static void
failed_show_page(const ctl_options_t *options, const failed_args_t *parsed,
    const json_t *page, json_t *sum)
{
    json_t  *row;
    size_t   i;

    if (options->json) {
        json_dumpf(page, stdout, JSON_COMPACT);
        putchar('\n');
        return;
    }

    failed_add_reasons(sum, page, parsed);

    if (!parsed->is_summary) {
        json_array_foreach(json_object_get(page, "keys"), i, row) {
            failed_print_row(row);
        }
    }
}


/* One page after the other.  `moved` is added to; sum: {reason: how many}. */

static int
failed_pages(const ctl_options_t *options, const failed_args_t *parsed,
    const char *method, const char *path, json_t *sum, json_int_t *moved)
{
    char     url[FAILED_URL_MAX], cursor[FAILED_URL_MAX / 8] = "0";
    json_t  *page;

    do {
        if (!failed_url(url, sizeof(url), path, cursor, parsed)) {
            return EXIT_FAILURE;
        }

        page = api_call(options, method, url, NULL);
        if (page == NULL) {
            return EXIT_FAILURE;
        }

        *moved += json_integer_value(json_object_get(page, "moved"));
        *moved += json_integer_value(json_object_get(page, "dropped"));
        snprintf(cursor, sizeof(cursor), "%s", failed_text(page, "cursor"));

        if (sum != NULL) {
            failed_show_page(options, parsed, page, sum);
        }

        json_decref(page);

    } while (cursor[0] != '\0' && strcmp(cursor, "0") != 0);

    return EXIT_SUCCESS;
}


int
failed_run(const ctl_options_t *options, char **args)
{
    int            rc;
    json_t        *sum;
    json_int_t     moved = 0;
    failed_args_t  parsed;

    if (!failed_parse(args, 1, &parsed) || parsed.is_all || parsed.is_sure) {
        fputs(failed_help, stderr);
        return FAILED_EXIT_USAGE;
    }

    if (parsed.wants_help) {
        fputs(failed_help, stdout);
        return EXIT_SUCCESS;
    }

    sum = json_object();
    rc = failed_pages(options, &parsed, "GET", "/api/v1/failed", sum, &moved);

    if (rc == EXIT_SUCCESS && !options->json) {
        failed_print_sum(sum);
    }

    json_decref(sum);

    return rc;
}


int
retry_run(const ctl_options_t *options, char **args)
{
    int            rc;
    json_int_t     moved = 0;
    failed_args_t  parsed;

    if (!failed_parse(args, 2, &parsed)
        || (!parsed.wants_help
            && (parsed.is_summary || parsed.is_sure
                || parsed.is_all == (parsed.replication != NULL)
                || (parsed.key != NULL && parsed.reason != NULL))))
    {
        fputs(retry_help, stderr);
        return FAILED_EXIT_USAGE;
    }

    if (parsed.wants_help) {
        fputs(retry_help, stdout);
        return EXIT_SUCCESS;
    }

    rc = failed_pages(options, &parsed, "POST", "/api/v1/retry", NULL,
                      &moved);

    if (rc == EXIT_SUCCESS) {
        printf(options->json ? "{\"moved\":%lld}\n"
                             : "tried again: %lld\n",
               (long long) moved);
    }

    return rc;
}


int
failed_drop_run(const ctl_options_t *options, char **args)
{
    int            rc;
    json_int_t     dropped = 0;
    failed_args_t  parsed;

    if (!failed_parse(args, 2, &parsed)
        || (!parsed.wants_help
            && (parsed.is_summary
                || parsed.is_all == (parsed.replication != NULL)
                || (parsed.key != NULL && parsed.reason != NULL))))
    {
        fputs(drop_help, stderr);
        return FAILED_EXIT_USAGE;
    }

    if (parsed.wants_help) {
        fputs(drop_help, stdout);
        return EXIT_SUCCESS;
    }

    if (!parsed.is_sure) {
        fputs("chorusctl: this forgets keys that the follower lacks; --yes "
              "does it\n", stderr);
        return FAILED_EXIT_USAGE;
    }

    rc = failed_pages(options, &parsed, "DELETE", "/api/v1/failed", NULL,
                      &dropped);

    if (rc == EXIT_SUCCESS) {
        printf(options->json ? "{\"dropped\":%lld}\n" : "dropped: %lld\n",
               (long long) dropped);
    }

    return rc;
}
