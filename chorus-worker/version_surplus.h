/*
 * What the follower's history has and main's has not.
 */

#ifndef VERSION_SURPLUS_H
#define VERSION_SURPLUS_H

#include "version_edit.h"


/* The follower's version of that id; one that is gone is no failure. */
work_rc_t version_delete(work_t *work, chorus_str_t id);

/*
 * Deletes v->edit.surplus, unless it is what was appended by now.  What main
 * could delete was not locked there any more, so a legal hold and a GOVERNANCE
 * retention do not keep it on the follower either.  What nobody may delete, a
 * version under COMPLIANCE, is told in the log and counted in v->nlocked: it is
 * no failure, since no attempt before its date would change that.
 */
work_rc_t version_delete_surplus(version_edit_t *v);


#endif
