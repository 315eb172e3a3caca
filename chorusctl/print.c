#include "print.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>


/* C1 controls are two bytes of UTF-8, and some terminals obey them. */

int
print_clean(FILE *out, const char *text)
{
    int                   n;
    const unsigned char  *p;

    for (n = 0, p = (const unsigned char *) text; *p != '\0'; p++, n++) {

        if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) {
            p++;
            fputc('?', out);

        } else {
            fputc(iscntrl(*p) ? '?' : *p, out);
        }
    }

    return n;
}


static void
print_fill(int n, int width)
{
    /* columns stay apart, whatever is in them */
    printf("%*s", n < width ? width - n : width > 0, "");
}


void
print_text(const json_t *row, const char *name, int width)
{
    const char  *text;

    text = json_string_value(json_object_get(row, name));
    print_fill(print_clean(stdout, text != NULL && text[0] != '\0' ? text
                                                                   : "-"),
               width);
}


void
print_list(const json_t *list, int width)
{
    int          n = 0;
    size_t       i;
    json_t      *value;
    const char  *text;

    json_array_foreach((json_t *) list, i, value) {
        text = json_string_value(value);
        n += i == 0 ? 0 : print_clean(stdout, ", ");
        n += print_clean(stdout, text != NULL ? text : "?");
    }

    print_fill(i == 0 ? print_clean(stdout, "-") : n, width);
}


void
print_date(const json_t *row, const char *name)
{
    char       text[64];
    time_t     seconds;
    struct tm  tm;

    seconds = (time_t) (json_integer_value(json_object_get(row, name))
                        / 1000);

    if (seconds != 0 && gmtime_r(&seconds, &tm) != NULL
        && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%SZ", &tm) != 0)
    {
        printf("%s", text);
    }
}


void
print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_COMPACT);
    putchar('\n');
}
