/*
 * The settings of a bucket that are replicated where they are switched on:
 * documents that are read, written and removed by a sub-resource.
 */

#ifndef CHORUS_BUCKET_SETTING_H
#define CHORUS_BUCKET_SETTING_H

#include <stdbool.h>

#include "chorus_error.h"
#include "chorus_mem.h"
#include "chorus_str.h"


typedef enum {
    CHORUS_SETTING_CORS = 0,
    CHORUS_SETTING_WEBSITE,
    CHORUS_SETTING_LIFECYCLE,
    CHORUS_SETTING_POLICY,
    CHORUS_SETTING_ENCRYPTION,
    CHORUS_SETTING_OBJECT_LOCK,
    CHORUS_NSETTINGS
} chorus_setting_t;

/* What does no harm on a follower: lifecycle would expire there by itself,
 * a policy may lock the replicator out, encryption needs keys and changes
 * ETags, a default retention locks what has none on main. */
#define CHORUS_BUCKET_SETTINGS_DEFAULT                                        \
    (1u << CHORUS_SETTING_CORS | 1u << CHORUS_SETTING_WEBSITE)

typedef struct {
    const char  *name;              /* in chorus.json */
    const char  *sub_resource;
    const char  *root;              /* document element; NULL: it is JSON */
    const char  *none;              /* code of the 404 that says "not set" */
    bool         is_removable;      /* DELETE exists */
} chorus_bucket_setting_t;


extern const chorus_bucket_setting_t  chorus_bucket_settings[
                                                           CHORUS_NSETTINGS];

/* False when there is none of that name in chorus.json. */
bool chorus_bucket_setting_find(chorus_str_t name, chorus_setting_t *setting);

/*
 * One text for all ways to write a document of that setting: formatting,
 * namespaces, empty elements, and the order of what has none do not count
 * (chorus_canonical.h).  CHORUS_ERROR: it is no such document.
 */
chorus_rc_t chorus_bucket_setting_canonical(chorus_mem_t *mem,
    chorus_setting_t setting, chorus_str_t body, chorus_str_t *canonical,
    chorus_error_t *error);

/*
 * The document for a bucket of another name: what a policy says of resources
 * in `from` is said of `to`.  All other documents name no bucket and are
 * returned as they are, as is a policy when both names are the same.
 */
chorus_rc_t chorus_bucket_setting_rename(chorus_mem_t *mem,
    chorus_setting_t setting, chorus_str_t body, chorus_str_t from,
    chorus_str_t to, chorus_str_t *renamed, chorus_error_t *error);


#endif
