/* Times as S3 writes them.  Seconds since the epoch, UTC, no clock read. */

#ifndef CHORUS_TIME_H
#define CHORUS_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "chorus_str.h"

#define CHORUS_AMZ_DATE_LEN  16         /* 20130524T000000Z */
#define CHORUS_ISO_DATE_LEN  20         /* 2013-05-24T00:00:00Z */
#define CHORUS_DAY_LEN        8         /* 20130524 */


void chorus_time_amz(int64_t seconds, char out[CHORUS_AMZ_DATE_LEN + 1]);
void chorus_time_iso(int64_t seconds, char out[CHORUS_ISO_DATE_LEN + 1]);

/* "20130524T000000Z"; false on anything else, an impossible date included. */
bool chorus_time_parse_amz(chorus_str_t text, int64_t *seconds);

/* "Fri, 24 May 2013 00:00:00 GMT" (RFC 9110 IMF-fixdate), the form of Date
 * and Last-Modified; also with +0000 or -0000 for GMT, as botocore has it. */
bool chorus_time_parse_http(chorus_str_t text, int64_t *seconds);

/* "2013-05-24T00:00:00Z", also with a fraction of 1 to 9 digits, which is
 * dropped; UTC only. */
bool chorus_time_parse_iso(chorus_str_t text, int64_t *seconds);


#endif
