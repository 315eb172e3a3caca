/*
 * The body of CompleteMultipartUpload: which parts make the object, and with
 * that its ETag, before main has answered.
 */

#ifndef CHORUS_COMPLETE_H
#define CHORUS_COMPLETE_H

#include "chorus_error.h"
#include "chorus_mem.h"
#include "chorus_str.h"

#define CHORUS_COMPLETE_PARTS_MAX  10000
/* MD5 in hex, '-', up to 10000, NUL */
#define CHORUS_COMPLETE_ETAG_SIZE  40


typedef struct {
    unsigned      nparts;
    chorus_str_t  numbers;                          /* "1-3,7" */
    char          etag[CHORUS_COMPLETE_ETAG_SIZE];  /* "<MD5 of MD5s>-4" */
} chorus_complete_t;


/* <CompleteMultipartUpload><Part><PartNumber/><ETag/>...</Part>...: 1 to
 * 10,000 parts in ascending order, the ETag of each an MD5, with or without
 * quotes.  The namespace is not checked.  CHORUS_ERROR also for what main may
 * well accept, such as ETags that are none: then nothing follows from it. */
chorus_rc_t chorus_complete_parse(chorus_mem_t *mem, chorus_str_t body,
    chorus_complete_t *complete, chorus_error_t *error);


#endif
