/* What failed and where, in words. */

#include <stdarg.h>
#include <stdio.h>

#include "chorus_error.h"


chorus_rc_t
chorus_error_set(chorus_error_t *error, const char *format, ...)
{
    va_list  args;

    if (error != NULL) {
        va_start(args, format);
        (void) vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
    }

    return CHORUS_ERROR;
}
