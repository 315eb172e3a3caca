/*
 * Buckets that turned out to have no ACLs: AWS has them switched off for new
 * buckets, and some storages do not know them at all.
 */

#ifndef ACL_ABSENT_H
#define ACL_ABSENT_H

#include <stdbool.h>

#include "chorus_str.h"


/* Whether that was found out in the last ten minutes. */
bool acl_absent(chorus_str_t storage, chorus_str_t bucket);

/* Notes it, and says so in the log the first time. */
void acl_absent_note(chorus_str_t storage, chorus_str_t bucket);


#endif
