/*
 * The table of providers.  What depends on the version of a storage is said
 * for the oldest one that is met (Ceph 16); chorus.json can say otherwise.
 */

#include "chorus_provider.h"

#define NPROVIDERS  (sizeof(providers) / sizeof(providers[0]))


/* in the order of chorus_provider_t */
static const chorus_provider_table_t  providers[CHORUS_NPROVIDERS] = {

    /* only what every storage has; part numbers tell themselves, ACLs often */
    { .name = "generic",
      .has_acl = true,
      .has_part_numbers = true },

    { .name = "aws",
      .has_checksums = true,
      .has_acl = true,
      .has_part_numbers = true,
      .has_conditional_put = true,
      .has_object_lock = true,
      .has_location = true },

    /* checksums from version 20 on; a location is the name of a zone group
     * there, which is not the region that is signed; Swift and the
     * administration are served beside S3 */
    { .name = "ceph",
      .has_acl = true,
      .has_part_numbers = true,
      .has_conditional_put = true,
      .has_object_lock = true,
      .keeps_version_ids = true,
      .reserved = { "swift", "admin", "auth", NULL } },

    /* takes ACLs and forgets them */
    { .name = "minio",
      .has_checksums = true,
      .has_part_numbers = true,
      .has_conditional_put = true,
      .has_object_lock = true,
      .keeps_version_ids = true,
      .reserved = { "minio", NULL } }
};


const chorus_provider_table_t *
chorus_provider(chorus_provider_t provider)
{
    return &providers[(size_t) provider < NPROVIDERS ? provider : 0];
}


bool
chorus_provider_find(chorus_str_t name, chorus_provider_t *provider)
{
    size_t  i;

    for (i = 0; i < NPROVIDERS; i++) {
        if (chorus_str_eq(name, chorus_str_from(providers[i].name))) {
            *provider = (chorus_provider_t) i;
            return true;
        }
    }

    return false;
}


static bool
provider_reserves(const chorus_provider_table_t *provider,
    chorus_str_t bucket)
{
    const char *const  *name;

    for (name = provider->reserved; *name != NULL; name++) {
        if (chorus_str_eq(bucket, chorus_str_from(*name))) {
            return true;
        }
    }

    return false;
}


bool
chorus_provider_reserves(chorus_provider_t provider, chorus_str_t bucket)
{
    size_t  i;

    for (i = 0; i < NPROVIDERS; i++) {

        if ((provider == (chorus_provider_t) i
             || provider == CHORUS_PROVIDER_GENERIC)
            && provider_reserves(&providers[i], bucket))
        {
            return true;
        }
    }

    return false;
}
