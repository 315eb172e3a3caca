/*
 * A return code says that something failed, a chorus_error_t says what and
 * where in words for the person who reads the log.
 */

#ifndef CHORUS_ERROR_H
#define CHORUS_ERROR_H


typedef enum {
    CHORUS_OK = 0,
    CHORUS_ERROR = -1,      /* bad input; the error text says where */
    CHORUS_NOMEM = -2
} chorus_rc_t;


typedef struct {
    char  text[512];        /* always terminated; never holds a secret */
} chorus_error_t;


chorus_rc_t chorus_error_set(chorus_error_t *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));   /* returns CHORUS_ERROR */


#endif
