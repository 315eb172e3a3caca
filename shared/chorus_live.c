/* The dynamic policy as a document, and its rules as the API gets them. */

#include <stdlib.h>
#include <string.h>

#include "chorus_config_value.h"
#include "chorus_live.h"

#define LIVE_REASON_MAX  256


static const char  *const live_kinds[] = {
    "replication", "route", "block", "pause"
};

static const char  *const document_keys[] = {
    "version", "origin", "rules", NULL
};

static const char  *const record_keys[] = {
    "id", "kind", "since", "version", "paused", "migrate", "rule", NULL
};

static const char  *const block_keys[] = {
    "user", "bucket", "reason", "reads", NULL
};

static const char  *const pause_keys[] = { "user", "bucket", "to", NULL };


/* What a document holds, on its way into chorus_live_t. */
typedef struct {
    const chorus_config_reader_t  *reader;
    chorus_live_t                 *live;
    json_t                        *rules[CHORUS_RULE_NKINDS];   /* arrays */
} live_parser_t;


const char *
chorus_rule_kind_name(chorus_rule_kind_t kind)
{
    return live_kinds[kind];
}


static bool
live_kind_find(const char *name, chorus_rule_kind_t *kind)
{
    size_t  i;

    for (i = 0; name != NULL && i < CHORUS_RULE_NKINDS; i++) {
        if (strcmp(name, live_kinds[i]) == 0) {
            *kind = (chorus_rule_kind_t) i;
            return true;
        }
    }

    return false;
}


/* ---- blocks and pauses ---- */


static chorus_rc_t
live_block(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, chorus_live_rule_t *rule)
{
    chorus_rc_t           rc;
    chorus_config_node_t  reason, reads;

    rc = chorus_config_object(reader, node, block_keys);
    if (rc != CHORUS_OK) {
        return rc;
    }

    reason = chorus_config_member(node, "reason");

    if (reason.json != NULL) {
        rc = chorus_config_text(reader, &reason, &rule->reason);

        if (rc == CHORUS_OK && rule->reason.len > LIVE_REASON_MAX) {
            return chorus_config_fail(reader, &reason, "is longer than %d "
                                      "bytes", LIVE_REASON_MAX);
        }
    }

    if (rc != CHORUS_OK) {
        return rc;
    }

    reads = chorus_config_member(node, "reads");

    return chorus_config_bool(reader, &reads, &rule->reads);
}


static chorus_rc_t
live_pause(const chorus_config_reader_t *reader,
    const chorus_config_node_t *node, const chorus_config_t *config,
    chorus_live_rule_t *rule)
{
    chorus_rc_t           rc;
    chorus_str_t          name;
    chorus_storage_t     *storage;
    chorus_config_node_t  to;

    rc = chorus_config_object(reader, node, pause_keys);
    to = chorus_config_member(node, "to");

    if (rc != CHORUS_OK || to.json == NULL) {
        return rc;
    }

    rc = chorus_config_text(reader, &to, &name);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rule->follower = name;

    return chorus_config_storage_named(reader, &to, config, name, &storage);
}


static chorus_rc_t
live_rules(live_parser_t *parser, chorus_rule_kind_t kind,
    chorus_live_rule_t **rules)
{
    size_t                i, n;
    chorus_rc_t           rc;
    chorus_live_rule_t   *rule;
    chorus_config_node_t  list, element;

    n = json_array_size(parser->rules[kind]);
    list = (chorus_config_node_t) { parser->rules[kind], NULL,
                                    live_kinds[kind], 0 };

    *rules = chorus_calloc(parser->reader->mem,
                           (n + 1) * sizeof(chorus_live_rule_t));
    if (*rules == NULL) {
        return CHORUS_NOMEM;
    }

    for (i = 0; i < n; i++) {
        rule = &(*rules)[i];
        element = chorus_config_element(&list, i);

        rc = kind == CHORUS_RULE_BLOCK
             ? live_block(parser->reader, &element, rule)
             : live_pause(parser->reader, &element, &parser->live->config,
                          rule);

        if (rc == CHORUS_OK) {
            rc = chorus_config_rule_user(parser->reader, &element,
                                         &rule->user);
        }

        if (rc == CHORUS_OK) {
            rc = chorus_config_rule_bucket(parser->reader, &element,
                                           &rule->bucket);
        }

        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    return CHORUS_OK;
}


/* ---- all rules of a document ---- */


static chorus_rc_t
live_read(live_parser_t *parser)
{
    chorus_rc_t           rc;
    chorus_live_t        *live;
    chorus_config_node_t  node;

    live = parser->live;

    node = (chorus_config_node_t) { parser->rules[CHORUS_RULE_REPLICATION],
                                    NULL, "replication", 0 };

    rc = chorus_config_replications(parser->reader, &node, &live->config);
    if (rc != CHORUS_OK) {
        return rc;
    }

    node = (chorus_config_node_t) { parser->rules[CHORUS_RULE_ROUTE], NULL,
                                    "route", 0 };

    rc = chorus_config_routes(parser->reader, &node, &live->config);
    if (rc != CHORUS_OK) {
        return rc;
    }

    rc = live_rules(parser, CHORUS_RULE_BLOCK, &live->blocks);

    return rc == CHORUS_OK
           ? live_rules(parser, CHORUS_RULE_PAUSE, &live->pauses) : rc;
}


static bool
live_parser_open(live_parser_t *parser, const chorus_config_reader_t *reader,
    chorus_live_t *live, const chorus_config_t *file)
{
    size_t  i;
    bool    is_good;

    memset(parser, 0, sizeof(live_parser_t));
    memset(live, 0, sizeof(chorus_live_t));

    live->config = *file;
    live->config.replications = NULL;
    live->config.nreplications = 0;
    live->config.routes = NULL;
    live->config.nroutes = 0;

    parser->reader = reader;
    parser->live = live;
    is_good = true;

    for (i = 0; i < CHORUS_RULE_NKINDS; i++) {
        parser->rules[i] = json_array();
        is_good = is_good && parser->rules[i] != NULL;
    }

    return is_good;
}


static void
live_parser_close(live_parser_t *parser)
{
    size_t  i;

    for (i = 0; i < CHORUS_RULE_NKINDS; i++) {
        json_decref(parser->rules[i]);
    }
}


/* ---- the document ---- */


static chorus_rc_t
live_number(const chorus_config_reader_t *reader,
    const chorus_config_node_t *parent, const char *name, uint64_t *value)
{
    chorus_config_node_t  node;

    node = chorus_config_member(parent, name);

    if (!json_is_integer(node.json) || json_integer_value(node.json) < 0) {
        return chorus_config_fail(reader, &node, "must be a number");
    }

    *value = (uint64_t) json_integer_value(node.json);

    return CHORUS_OK;
}


/* The text of a rule, which is JSON in JSON, so that it stays as it is. */
static chorus_rc_t
live_record_rule(live_parser_t *parser, const chorus_config_node_t *record,
    chorus_rule_kind_t kind)
{
    json_t                *rule;
    json_error_t           why;
    chorus_config_node_t   node;

    node = chorus_config_member(record, "rule");

    if (!json_is_string(node.json)) {
        return chorus_config_fail(parser->reader, &node, "must be a text");
    }

    rule = json_loadb(json_string_value(node.json),
                      json_string_length(node.json), JSON_REJECT_DUPLICATES,
                      &why);

    if (rule == NULL) {
        return chorus_config_fail(parser->reader, &node, "%s", why.text);
    }

    return json_array_append_new(parser->rules[kind], rule) == 0
           ? CHORUS_OK : CHORUS_NOMEM;
}


static chorus_rc_t
live_record(live_parser_t *parser, const chorus_config_node_t *record,
    size_t nrecords)
{
    chorus_rc_t                    rc;
    chorus_live_t                 *live;
    chorus_live_name_t            *name;
    chorus_rule_kind_t             kind;
    chorus_config_node_t           id, paused, migrate;
    const chorus_config_reader_t  *reader;

    live = parser->live;
    reader = parser->reader;

    rc = chorus_config_object(reader, record, record_keys);
    if (rc != CHORUS_OK) {
        return rc;
    }

    if (!live_kind_find(json_string_value(json_object_get(record->json,
                                                          "kind")), &kind))
    {
        return chorus_config_fail(reader, record, "no such kind of a rule");
    }

    if (live->names[kind] == NULL) {
        live->names[kind] = chorus_calloc(reader->mem,
                                     nrecords * sizeof(chorus_live_name_t));
        if (live->names[kind] == NULL) {
            return CHORUS_NOMEM;
        }
    }

    name = &live->names[kind][live->nnames[kind]++];
    id = chorus_config_member(record, "id");
    paused = chorus_config_member(record, "paused");
    migrate = chorus_config_member(record, "migrate");

    rc = chorus_config_text(reader, &id, &name->id);

    if (rc == CHORUS_OK) {
        rc = live_number(reader, record, "since", &name->since);
    }

    if (rc == CHORUS_OK) {
        rc = chorus_config_bool(reader, &paused, &name->paused);
    }

    if (rc == CHORUS_OK) {
        rc = chorus_config_bool(reader, &migrate, &name->migrates);
    }

    return rc == CHORUS_OK ? live_record_rule(parser, record, kind) : rc;
}


/* The records say, not the rules, whether what was there before is copied. */
static void
live_migrations(chorus_live_t *live)
{
    size_t  i;

    for (i = 0; i < live->config.nreplications; i++) {
        live->config.replications[i].migrates
            = live->names[CHORUS_RULE_REPLICATION][i].migrates;
    }
}


static chorus_rc_t
live_document(live_parser_t *parser, const chorus_config_node_t *root)
{
    size_t                i, n;
    chorus_rc_t           rc;
    chorus_config_node_t  rules, record;

    rc = chorus_config_object(parser->reader, root, document_keys);

    if (rc == CHORUS_OK) {
        rc = live_number(parser->reader, root, "version",
                         &parser->live->version);
    }

    if (rc == CHORUS_OK) {
        rc = live_number(parser->reader, root, "origin",
                         &parser->live->origin);
    }

    if (rc != CHORUS_OK) {
        return rc;
    }

    /* cjson and its like: a list without elements may be an object */
    rules = chorus_config_member(root, "rules");
    n = json_array_size(rules.json);

    if (!json_is_array(rules.json)) {
        return chorus_config_fail(parser->reader, &rules, "must be a list");
    }

    for (i = 0; i < n && rc == CHORUS_OK; i++) {
        record = chorus_config_element(&rules, i);
        rc = live_record(parser, &record, n);
    }

    if (rc == CHORUS_OK) {
        rc = live_read(parser);
    }

    if (rc == CHORUS_OK) {
        live_migrations(parser->live);
    }

    return rc;
}


chorus_rc_t
chorus_live_parse(chorus_mem_t *mem, chorus_str_t document,
    const chorus_config_t *file, chorus_live_t *live, chorus_error_t *error)
{
    json_t                  *json;
    chorus_rc_t              rc;
    json_error_t             why;
    live_parser_t            parser;
    chorus_config_node_t     root;
    chorus_config_reader_t   reader = { mem, NULL, error };

    memset(live, 0, sizeof(chorus_live_t));

    if (document.len > CHORUS_LIVE_MAX) {
        return chorus_error_set(error, "the policy is too large");
    }

    json = json_loadb(document.data == NULL ? "" : document.data,
                      document.len, JSON_REJECT_DUPLICATES, &why);

    if (json == NULL) {
        return chorus_error_set(error, "line %d: %s", why.line, why.text);
    }

    root = (chorus_config_node_t) { json, NULL, NULL, 0 };

    rc = live_parser_open(&parser, &reader, live, file)
         ? live_document(&parser, &root) : CHORUS_NOMEM;

    live_parser_close(&parser);
    json_decref(json);

    if (rc != CHORUS_OK) {
        chorus_live_close(live);
    }

    return rc;
}


static void
live_free_patterns(chorus_live_rule_t *rules, size_t n)
{
    size_t  i;

    for (i = 0; rules != NULL && i < n; i++) {
        chorus_pattern_free(rules[i].bucket);
    }
}


void
chorus_live_close(chorus_live_t *live)
{
    size_t  i;

    for (i = 0; i < live->config.nreplications; i++) {
        chorus_pattern_free(live->config.replications[i].bucket);
    }

    for (i = 0; i < live->config.nroutes; i++) {
        chorus_pattern_free(live->config.routes[i].bucket);
    }

    live_free_patterns(live->blocks, live->nnames[CHORUS_RULE_BLOCK]);
    live_free_patterns(live->pauses, live->nnames[CHORUS_RULE_PAUSE]);

    memset(live, 0, sizeof(chorus_live_t));
}


/* ---- one rule, from the API ---- */


static chorus_rc_t
live_take_out(const chorus_config_reader_t *reader, json_t *json,
    chorus_rule_kind_t kind, chorus_rule_t *rule)
{
    size_t                i;
    chorus_rc_t           rc;
    chorus_config_node_t  root, node;

    root = (chorus_config_node_t) { json, NULL, NULL, 0 };

    if (!json_is_object(json)) {
        return chorus_error_set(reader->error, "must be an object");
    }

    node = chorus_config_member(&root, "id");
    rc = node.json == NULL ? CHORUS_OK
                           : chorus_config_text(reader, &node, &rule->id);

    for (i = 0; rc == CHORUS_OK && i < rule->id.len; i++) {
        if (rule->id.len > CHORUS_LIVE_ID_MAX
            || (!chorus_is_alnum(rule->id.data[i])
                && strchr("-_.", rule->id.data[i]) == NULL))
        {
            return chorus_config_fail(reader, &node, "must be 1 to %d "
                                      "letters, digits, '-', '_' and '.'",
                                      CHORUS_LIVE_ID_MAX);
        }
    }

    if (rc == CHORUS_OK && kind == CHORUS_RULE_REPLICATION) {
        node = chorus_config_member(&root, "migrate");
        rc = chorus_config_bool(reader, &node, &rule->migrate);
        (void) json_object_del(json, "migrate");
    }

    (void) json_object_del(json, "id");

    return rc;
}


/* A rule has one text, however it was written: what is created twice is there
 * once. */
static chorus_rc_t
live_keep(const chorus_config_reader_t *reader, json_t *json,
    chorus_rule_t *rule)
{
    char    *text;
    json_t  *to;

    to = json_object_get(json, "to");

    if (json_array_size(to) == 1) {
        (void) json_object_set(json, "to", json_array_get(to, 0));
    }

    text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    if (text == NULL) {
        return CHORUS_NOMEM;
    }

    rule->text = chorus_str_dup(reader->mem, chorus_str_from(text));
    free(text);

    if (rule->text.data == NULL) {
        return CHORUS_NOMEM;
    }

    return rule->text.len <= CHORUS_LIVE_RULE_MAX ? CHORUS_OK
           : chorus_error_set(reader->error, "is longer than %d bytes",
                              CHORUS_LIVE_RULE_MAX);
}


/* "[0].to: ..." and "[0]: unknown key": there is one rule, and who sent it
 * knows of no list. */
static void
live_error_place(chorus_error_t *error)
{
    size_t  n;

    n = strncmp(error->text, "[0].", 4) == 0 ? 4
        : strncmp(error->text, "[0]: ", 5) == 0 ? 5 : 0;

    memmove(error->text, error->text + n, strlen(error->text + n) + 1);
}


/* It is read as the only rule of a policy. */
static chorus_rc_t
live_check(const chorus_config_reader_t *reader, json_t *json,
    chorus_rule_kind_t kind, const chorus_config_t *file)
{
    chorus_rc_t    rc;
    chorus_live_t  live;
    live_parser_t  parser;

    rc = live_parser_open(&parser, reader, &live, file)
         && json_array_append(parser.rules[kind], json) == 0
         ? CHORUS_OK : CHORUS_NOMEM;

    live.nnames[kind] = 1;

    if (rc == CHORUS_OK) {
        rc = live_read(&parser);
    }

    if (rc == CHORUS_ERROR) {
        live_error_place(reader->error);
    }

    live_parser_close(&parser);
    chorus_live_close(&live);

    return rc;
}


chorus_rc_t
chorus_rule_read(chorus_mem_t *mem, chorus_rule_kind_t kind,
    chorus_str_t body, const chorus_config_t *file, chorus_rule_t *rule,
    chorus_error_t *error)
{
    json_t                  *json;
    chorus_rc_t              rc;
    json_error_t             why;
    chorus_config_reader_t   reader = { mem, NULL, error };

    memset(rule, 0, sizeof(chorus_rule_t));

    json = json_loadb(body.data == NULL ? "" : body.data, body.len,
                      JSON_REJECT_DUPLICATES, &why);

    if (json == NULL) {
        return chorus_error_set(error, "line %d: %s", why.line, why.text);
    }

    rc = live_take_out(&reader, json, kind, rule);

    if (rc == CHORUS_OK) {
        rc = live_check(&reader, json, kind, file);
    }

    if (rc == CHORUS_OK) {
        rc = live_keep(&reader, json, rule);
    }

    json_decref(json);

    return rc;
}
