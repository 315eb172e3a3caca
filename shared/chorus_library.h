/*
 * The Redis function library (lua/chorus.lua) as text in the program, so that
 * whoever connects can load it; made by tools/embed at build time.
 */

#ifndef CHORUS_LIBRARY_H
#define CHORUS_LIBRARY_H

#include <stddef.h>

#define CHORUS_LIBRARY_VERSION  8   /* equals chorus_version of chorus.lua */

#define CHORUS_REDIS_SCHEDULE      "chorus:schedule"
#define CHORUS_REDIS_REPLICATIONS  "chorus:replications"
#define CHORUS_REDIS_WAKE          "chorus:wake"
#define CHORUS_REDIS_GENERATION    "chorus:generation"
#define CHORUS_REDIS_OWED          "chorus:owed"
#define CHORUS_REDIS_ALIVE         "chorus:alive"
#define CHORUS_REDIS_SCANS         "chorus:scans"
#define CHORUS_REDIS_DISCOVER      "chorus:discover"
#define CHORUS_REDIS_FORGET        "chorus:forget"
#define CHORUS_REDIS_HEAL          "chorus:heal"
#define CHORUS_REDIS_LIMITS        "chorus:limits"
#define CHORUS_REDIS_RATES         "chorus:rates"
#define CHORUS_REDIS_RATE_WORKERS  "chorus:rates:workers"

#define CHORUS_REDIS_ASKS          "chorus:asks"
#define CHORUS_REDIS_ANSWERS       "chorus:answers"

#define CHORUS_REDIS_POLICY          "chorus:policy"
#define CHORUS_REDIS_POLICY_OWED     "chorus:policy:owed"
#define CHORUS_REDIS_POLICY_READERS  "chorus:policy:readers"
#define CHORUS_REDIS_POLICY_ALIVE    "chorus:policy:alive"
#define CHORUS_REDIS_AUDIT           "chorus:audit"

#define CHORUS_REDIS_WORKERS         "chorus:workers"
#define CHORUS_REDIS_WORKERS_ALIVE   "chorus:workers:alive"

#define CHORUS_REDIS_HISTORY         "chorus:history"
#define CHORUS_REDIS_HISTORY_ALL     "chorus:history:all"

extern const char    chorus_library_text[];
extern const size_t  chorus_library_len;


#endif
