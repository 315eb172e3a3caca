/*
 * User metadata beyond ASCII: AWS and MinIO answer it as encoded words of
 * RFC 2047 ("=?UTF-8?Q?gr=C3=BC=C3=9Fe?="), others as the bytes they got.
 */

#ifndef CHORUS_RFC2047_H
#define CHORUS_RFC2047_H

#include "chorus_mem.h"
#include "chorus_str.h"


/* The text that encoded words in UTF-8 stand for, any other text as it is:
 * `value` itself when there is nothing to decode or memory runs out. */
chorus_str_t chorus_rfc2047_decode(chorus_mem_t *mem, chorus_str_t value);

/* One encoded word, or `value` itself when it is ASCII or not UTF-8; null
 * string when out of memory. */
chorus_str_t chorus_rfc2047_encode(chorus_mem_t *mem, chorus_str_t value);


#endif
