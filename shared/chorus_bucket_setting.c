/*
 * The table of bucket settings.  [Amazon S3 API Reference: GetBucketCors and
 * its like; the codes are those of the answers to a GET]
 */

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "chorus_bucket_setting.h"
#include "chorus_canonical.h"


const chorus_bucket_setting_t  chorus_bucket_settings[CHORUS_NSETTINGS] = {

    { "cors", "cors", "CORSConfiguration", "NoSuchCORSConfiguration", true },

    { "website", "website", "WebsiteConfiguration",
      "NoSuchWebsiteConfiguration", true },

    { "lifecycle", "lifecycle", "LifecycleConfiguration",
      "NoSuchLifecycleConfiguration", true },

    { "policy", "policy", NULL, "NoSuchBucketPolicy", true },

    { "encryption", "encryption", "ServerSideEncryptionConfiguration",
      "ServerSideEncryptionConfigurationNotFoundError", true },

    { "object_lock", "object-lock", "ObjectLockConfiguration",
      "ObjectLockConfigurationNotFoundError", false }
};


bool
chorus_bucket_setting_find(chorus_str_t name, chorus_setting_t *setting)
{
    size_t  i;

    for (i = 0; i < CHORUS_NSETTINGS; i++) {
        if (chorus_str_eq(name,
                          chorus_str_from(chorus_bucket_settings[i].name)))
        {
            *setting = (chorus_setting_t) i;
            return true;
        }
    }

    return false;
}


chorus_rc_t
chorus_bucket_setting_canonical(chorus_mem_t *mem, chorus_setting_t setting,
    chorus_str_t body, chorus_str_t *canonical, chorus_error_t *error)
{
    const char  *root;

    root = chorus_bucket_settings[setting].root;

    return root == NULL
           ? chorus_canonical_json(mem, body, canonical, error)
           : chorus_canonical_xml(mem, body, root, canonical, error);
}


/* ---- a policy for a bucket of another name ---- */


/* "arn:aws:s3:::photos", "arn:aws:s3:::photos/2026/..." */
static bool
setting_names_bucket(chorus_str_t arn, chorus_str_t bucket,
    chorus_str_t *before, chorus_str_t *behind)
{
    int           i;
    chorus_str_t  rest, tail, name;

    rest = arn;

    if (!chorus_str_eq(chorus_str_cut(&rest, ':'), chorus_str("arn"))) {
        return false;
    }

    /* partition, service, region, account */
    for (i = 0; i < 4; i++) {

        name = chorus_str_cut(&rest, ':');

        if (rest.data == NULL || (i == 1
                                  && !chorus_str_eq(name, chorus_str("s3"))))
        {
            return false;
        }
    }

    *before = (chorus_str_t) { arn.data, (size_t) (rest.data - arn.data) };

    tail = rest;
    name = chorus_str_cut(&tail, '/');
    *behind = chorus_str_sub(rest, name.len);

    return chorus_str_eq(name, bucket);
}


static json_t *
setting_rename_string(chorus_mem_t *mem, json_t *json, chorus_str_t from,
    chorus_str_t to)
{
    chorus_buf_t  buf;
    chorus_str_t  arn, before, behind;

    arn = (chorus_str_t) { json_string_value(json),
                           json_string_length(json) };

    if (!setting_names_bucket(arn, from, &before, &behind)) {
        return json_incref(json);
    }

    buf = chorus_buf(mem, arn.len + to.len);
    chorus_buf_add(&buf, before);
    chorus_buf_add(&buf, to);
    chorus_buf_add(&buf, behind);

    return buf.failed ? NULL : json_stringn(buf.data, buf.len);
}


/* Of "Resource" or "NotResource": a text or a list of them. */
static json_t *
setting_rename_resource(chorus_mem_t *mem, json_t *json, chorus_str_t from,
    chorus_str_t to)
{
    size_t   i;
    json_t  *list, *one;

    if (json_is_string(json)) {
        return setting_rename_string(mem, json, from, to);
    }

    if (!json_is_array(json)) {
        return json_incref(json);
    }

    list = json_array();

    for (i = 0; i < json_array_size(json); i++) {

        one = json_array_get(json, i);
        one = json_is_string(one) ? setting_rename_string(mem, one, from, to)
                                  : json_incref(one);

        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }

    return list;
}


static bool
setting_rename_statement(chorus_mem_t *mem, json_t *statement,
    chorus_str_t from, chorus_str_t to)
{
    size_t   i;
    json_t  *resource;

    static const char  *const names[] = { "Resource", "NotResource" };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {

        resource = json_object_get(statement, names[i]);

        if (resource != NULL
            && json_object_set_new(statement, names[i],
                   setting_rename_resource(mem, resource, from, to)) != 0)
        {
            return false;
        }
    }

    return true;
}


static chorus_rc_t
setting_rename_policy(chorus_mem_t *mem, json_t *policy, chorus_str_t from,
    chorus_str_t to, chorus_str_t *renamed)
{
    bool     is_good;
    char    *text;
    size_t   i;
    json_t  *statements;

    statements = json_object_get(policy, "Statement");
    is_good = true;

    if (json_is_object(statements)) {
        is_good = setting_rename_statement(mem, statements, from, to);
    }

    for (i = 0; i < json_array_size(statements) && is_good; i++) {
        is_good = setting_rename_statement(mem,
                                           json_array_get(statements, i),
                                           from, to);
    }

    text = is_good ? json_dumps(policy, JSON_COMPACT) : NULL;

    if (text == NULL) {
        return CHORUS_NOMEM;
    }

    *renamed = chorus_str_dup(mem, chorus_str_from(text));
    free(text);

    return renamed->data == NULL ? CHORUS_NOMEM : CHORUS_OK;
}


chorus_rc_t
chorus_bucket_setting_rename(chorus_mem_t *mem, chorus_setting_t setting,
    chorus_str_t body, chorus_str_t from, chorus_str_t to,
    chorus_str_t *renamed, chorus_error_t *error)
{
    json_t       *policy;
    chorus_rc_t   rc;

    *renamed = body;

    if (setting != CHORUS_SETTING_POLICY || chorus_str_eq(from, to)) {
        return CHORUS_OK;
    }

    rc = chorus_canonical_json_load(body, &policy, error);

    if (rc == CHORUS_OK) {
        rc = setting_rename_policy(mem, policy, from, to, renamed);
        json_decref(policy);
    }

    return rc;
}
