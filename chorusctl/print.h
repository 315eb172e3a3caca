/* What others named, on a terminal. */

#ifndef CTL_PRINT_H
#define CTL_PRINT_H

#include <stdio.h>

#include <jansson.h>

/* Text without control bytes; returns its columns, of ASCII. */
int print_clean(FILE *out, const char *text);

/* The member's text, or "-"; no control byte passes.  Filled up with spaces to
 * the width, if there is one. */
void print_text(const json_t *row, const char *name, int width);
/* All texts of a list, with commas in between. */
void print_list(const json_t *list, int width);
/* Milliseconds since 1970 as a date; nothing for 0. */
void print_date(const json_t *row, const char *name);
void print_json(const json_t *value);


#endif
