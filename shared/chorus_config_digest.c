/*
 * Do two processes have the same rules in their chorus.json?  What decides
 * which keys go where counts: replications, routes, and the names of storages
 * and users.  Addresses, credentials and limits may differ.
 */

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "chorus_config_value.h"


/* { name: its member `main`, or null } */

static json_t *
digest_names(const json_t *map)
{
    json_t      *names, *value, *main;
    const char  *name;

    names = json_object();

    json_object_foreach((json_t *) map, name, value) {
        main = json_object_get(value, "main");
        (void) json_object_set_new(names, name,
                                   main ? json_incref(main) : json_null());
    }

    return names;
}


static json_t *
digest_rules(const json_t *root, const char *name)
{
    json_t  *rules;

    rules = json_object_get(root, name);

    return rules ? json_incref(rules) : json_array();
}


chorus_rc_t
chorus_config_digest(const chorus_config_node_t *root, char *digest)
{
    bool            is_made;
    char           *text;
    json_t         *rules;
    unsigned char   hash[EVP_MAX_MD_SIZE];

    rules = json_pack("{s:o,s:o,s:o,s:o}",
                      "replications", digest_rules(root->json,
                                                   "replications"),
                      "routes", digest_rules(root->json, "routes"),
                      "storages", digest_names(json_object_get(root->json,
                                                               "storages")),
                      "users", digest_names(json_object_get(root->json,
                                                            "users")));
    text = rules ? json_dumps(rules, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(rules);

    is_made = text != NULL && EVP_Digest(text, strlen(text), hash, NULL,
                                         EVP_sha256(), NULL) == 1;
    free(text);

    if (!is_made) {
        return CHORUS_NOMEM;
    }

    chorus_hex(digest, hash, CHORUS_CONFIG_DIGEST / 2);
    digest[CHORUS_CONFIG_DIGEST] = '\0';

    return CHORUS_OK;
}
