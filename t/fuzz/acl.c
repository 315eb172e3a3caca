#include "chorus_acl.h"
#include "fuzz.h"


/* Grants to nobody have no XML. */

static void
fuzz_drop_nobody(chorus_acl_t *acl)
{
    size_t  i, n;

    n = 0;

    for (i = 0; i < acl->ngrants; i++) {
        if (acl->grants[i].kind != CHORUS_ACL_NOBODY) {
            acl->grants[n++] = acl->grants[i];
        }
    }

    acl->ngrants = n;
}


static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    chorus_acl_t    acl, back;
    chorus_str_t    again;
    chorus_error_t  error;

    if (chorus_acl_parse(mem, input, &acl, &error) != CHORUS_OK) {
        return;
    }

    FUZZ_HOLDS(acl.ngrants <= CHORUS_ACL_MAX_GRANTS);
    FUZZ_HOLDS(chorus_acl_same(&acl, &acl));

    if (chorus_acl_canned(&acl).data != NULL) {
        FUZZ_HOLDS(acl.ngrants == 1 || acl.ngrants == 2);
    }

    fuzz_drop_nobody(&acl);
    again = chorus_acl_xml(mem, &acl);

    FUZZ_HOLDS(chorus_acl_parse(mem, again, &back, &error) == CHORUS_OK);
    FUZZ_HOLDS(chorus_acl_same(&acl, &back));
    FUZZ_HOLDS(chorus_str_eq(acl.owner, back.owner));
    FUZZ_HOLDS(chorus_str_eq(chorus_acl_xml(mem, &back), again));
}
