/*
 * AWS Signature Version 2 for S3: HMAC-SHA1 over a string of the method, some
 * headers and the resource.  It has no region, no payload and not all of the
 * query in it; Chorus accepts it on request only.
 * [AWS, "Signing and Authenticating REST Requests"]
 */

#ifndef CHORUS_SIGV2_H
#define CHORUS_SIGV2_H

#include "chorus_crypto.h"
#include "chorus_sigv4.h"

#define CHORUS_SIGV2_SIGNATURE_LEN  28          /* base64 of 20 bytes */


/*
 * The string to sign.  `date` is its date line: the Date header, nothing when
 * x-amz-date is there, or the Expires of a URL.  `bucket` goes in front of the
 * path in virtual-host style, else it is the null string.  With from_query the
 * x-amz-* arguments count as headers.  Null string when out of memory.
 *
 * Nothing in it is escaped: that it is the string of no other request is for
 * the caller to see to.
 */
chorus_str_t chorus_sigv2_string_to_sign(chorus_mem_t *mem,
    const chorus_sigv4_request_t *request, chorus_str_t bucket,
    chorus_str_t date, bool from_query);

/* base64; null string when out of memory or when OpenSSL fails */
chorus_str_t chorus_sigv2_signature(chorus_mem_t *mem,
    chorus_crypto_t *crypto, chorus_str_t secret, chorus_str_t string_to_sign);

/* Whether Version 2 signs the argument of this name (and its value). */
bool chorus_sigv2_signs(chorus_str_t name);

/* Whether the argument may stand in a query unsigned, because it changes no
 * more than the shape of an answer: "prefix", "max-keys", ... */
bool chorus_sigv2_spares(chorus_str_t name);


#endif
