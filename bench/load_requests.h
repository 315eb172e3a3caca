/*
 * The requests of a load, all signed before the first is sent.
 */

#ifndef LOAD_REQUESTS_H
#define LOAD_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "chorus_str.h"


typedef struct {
    const char    *method;
    const char    *query;           /* or NULL */
    const char    *host;            /* with its port */
    const char    *bucket;
    chorus_str_t   access_key;
    chorus_str_t   secret_key;
    size_t         nkeys;           /* "load/0" and so on; with ndeletes: how
                                     * many requests */
    size_t         body_len;        /* before it is encoded */
    size_t         ndeletes;        /* each request a DeleteObjects of so many
                                     * keys that no other one names */
    bool           is_chunked;      /* aws-chunked, each chunk signed; one key,
                                     * since the seed is of its signature */

    /* what is sent */
    chorus_str_t  *heads;           /* a key each */
    chorus_str_t  *bodies;          /* the same: one that all of them share,
                                     * unless these are deletes */
} load_requests_t;


/* Fills heads and bodies, which are never freed; ends the program when it
 * cannot. */
void load_requests_sign(load_requests_t *requests);

void load_die(const char *what) __attribute__((noreturn));


#endif
