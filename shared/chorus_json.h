/*
 * JSON written into a buffer: for what may hold any bytes, which jansson
 * refuses.
 */

#ifndef CHORUS_JSON_H
#define CHORUS_JSON_H

#include "chorus_str.h"


/*
 * A string with its quotes: no more than `max` bytes of `s`, behind which
 * three dots say that there were more.  Bytes that are no UTF-8 become
 * U+FFFD, each; control characters and U+007F are escaped.
 */
void chorus_json_string(chorus_buf_t *buf, chorus_str_t s, size_t max);

/* `"name":`, with a comma before unless it is the first of an object. */
void chorus_json_name(chorus_buf_t *buf, const char *name);


#endif
