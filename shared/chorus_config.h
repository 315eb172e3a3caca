/*
 * chorus.json: what exists.  Read by the module, the worker and chorusctl
 * with this one loader; refuses what it does not know and names the place.
 */

#ifndef CHORUS_CONFIG_H
#define CHORUS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "chorus_error.h"
#include "chorus_limit.h"
#include "chorus_mem.h"
#include "chorus_provider.h"
#include "chorus_s3_xml.h"
#include "chorus_str.h"


#define CHORUS_DEFAULT_REGION  "us-east-1"

#define CHORUS_CONFIG_RECHECKS_MAX  9
#define CHORUS_CONFIG_DIGEST        16  /* digits */


typedef struct chorus_pattern_s  chorus_pattern_t;      /* chorus_policy.h */

typedef struct {
    chorus_str_t  access_key;
    chorus_str_t  secret_key;
} chorus_credential_t;

typedef struct {
    chorus_str_t         name;
    chorus_credential_t *credentials;   /* of chorus_credential_t */
    size_t               ncredentials;
} chorus_user_t;

typedef struct {
    chorus_str_t  from;                 /* a class of main, or "*" */
    chorus_str_t  to;
} chorus_class_rule_t;

typedef struct {
    chorus_str_t        name;
    chorus_str_t        endpoint;       /* "https://s3.example.net:8443" */
    chorus_str_t        host;           /* "s3.example.net:8443": signed */
    bool                tls;
    chorus_str_t        ca_file;        /* of the worker; empty: the system */
    chorus_str_t        region;
    chorus_provider_t   provider;
    bool                has_checksums;  /* verifies and keeps them */
    bool                has_acl;        /* keeps access control lists */
    bool                has_part_numbers;
    bool                has_conditional_put;
    bool                keeps_version_ids;
    bool                has_object_lock;
    chorus_str_t        location;       /* of new buckets; empty: not named */
    unsigned            settings;       /* chorus_bucket_setting.h: 1 << n */
    bool                is_main;
    chorus_user_t      *users;          /* one credential each */
    size_t              nusers;
    chorus_class_rule_t *classes;       /* of chorus_class_rule_t */
    size_t              nclasses;
    chorus_limits_t     limits;         /* "worker.limits", of all workers */
} chorus_storage_t;

typedef struct {
    chorus_storage_t   *storage;        /* a follower */
    chorus_str_t        bucket;         /* there; empty: of the same name.
                                         * See chorus_destination.h */
} chorus_destination_t;

/* Which objects of a bucket; all when it is zero. */
typedef struct {
    chorus_str_t        prefix;         /* of the key */
    chorus_tag_t       *tags;           /* all of which the object has */
    size_t              ntags;
} chorus_filter_t;

/* More deletes on a follower than these within per_seconds are for a person to
 * decide; both 0: no guard. */
typedef struct {
    unsigned            deletes_percent;    /* of the bucket's objects */
    unsigned            deletes;
    unsigned            min_deletes;    /* a share is never fewer */
    unsigned            per_seconds;
} chorus_guard_t;

typedef struct {
    chorus_str_t            user;       /* a name or "*" */
    chorus_pattern_t       *bucket;
    chorus_destination_t   *to;         /* of chorus_destination_t */
    size_t                  nto;
    chorus_filter_t         filter;
    bool                    migrates;   /* what was there before */
    bool                    has_settings;   /* else those of the storage */
    unsigned                settings;   /* as in chorus_storage_t */
    bool                    has_guard;  /* else that of the worker */
    chorus_guard_t          guard;
} chorus_replication_rule_t;

typedef struct {
    chorus_str_t        user;           /* a name or "*" */
    chorus_pattern_t   *bucket;
    chorus_storage_t   *storage;
} chorus_route_rule_t;

typedef struct {
    chorus_str_t  name;                 /* or address, without brackets */
    uint16_t      port;
} chorus_redis_host_t;

/* One of host, unix_path and sentinels is set. */
typedef struct {
    chorus_str_t          host;
    uint16_t              port;
    chorus_str_t          unix_path;
    chorus_redis_host_t  *sentinels;    /* of chorus_redis_host_t */
    size_t                nsentinels;
    chorus_str_t          service;      /* what the sentinels watch */
    chorus_str_t          user;         /* ACL user, may be empty */
    chorus_str_t          password;     /* may be empty */
    chorus_str_t          sentinel_user;
    chorus_str_t          sentinel_password;
    bool                  tls;          /* rediss://: the four that follow */
    chorus_str_t          ca_file;      /* empty: the system's */
    chorus_str_t          cert_file;    /* of ours; both or none */
    chorus_str_t          key_file;
    chorus_str_t          tls_name;     /* in Redis' certificate; empty: the
                                         * host it is connected to */
    unsigned              database;
} chorus_redis_url_t;

typedef struct {
    unsigned  concurrency;              /* slots, 1..1024, default 32 */
    unsigned  part_concurrency;         /* parts of an object at once, 1..64,
                                         * default 4 */
    unsigned  lease_seconds;            /* 5..3600, default 30 */
    unsigned  max_attempts;             /* 0 (default): retry for ever */
    unsigned  retry_max_seconds;        /* cap of the back-off, default 300 */
    unsigned  grace_seconds;            /* at SIGTERM, default 30 */
    unsigned  scans;                    /* at a time, 0..16, default 2 */
    unsigned  discover_seconds;         /* 1..86400, default 60 */
    unsigned  bulk_max;                 /* keys that scans let wait, of one
                                         * replication, default 10000 */
    unsigned  check_mib_per_second;     /* that checks of contents read, 0
                                         * (default): no limit */
    /* after a write whose outcome is unknown, ascending, 1..86400 each,
     * default 10, 60, 600 */
    unsigned  recheck_seconds[CHORUS_CONFIG_RECHECKS_MAX];
    size_t    nrechecks;
    chorus_guard_t  guard;              /* of rules that have none */
} chorus_worker_config_t;

typedef struct {
    chorus_redis_url_t          redis;
    chorus_str_t                region;         /* of our own endpoint; "*" */
    chorus_storage_t           *storages;       /* of chorus_storage_t */
    size_t                      nstorages;
    chorus_storage_t           *main;
    chorus_user_t              *users;          /* of chorus_user_t */
    size_t                      nusers;
    chorus_replication_rule_t  *replications;
    size_t                      nreplications;
    chorus_route_rule_t        *routes;
    size_t                      nroutes;
    chorus_worker_config_t      worker;
    chorus_str_t                api_token_file; /* "api": {"token_file"} */
    char                        digest[CHORUS_CONFIG_DIGEST + 1];
                                        /* of its rules, hexadecimal: equal
                                         * where they are */
} chorus_config_t;


/* What the loader asks of its host; chorus_config_load() brings its own. */
typedef struct {
    /* The content of a secret file without a trailing newline. */
    chorus_rc_t (*read_secret)(void *data, chorus_mem_t *mem,
        chorus_str_t path, chorus_str_t *secret, chorus_error_t *error);
    /* NULL when it is not set. */
    const char *(*get_env)(void *data, const char *name);
    void         *data;
    bool          is_private;       /* chorus.json not readable by others */
    const char   *file;             /* its path, for messages; may be NULL */
} chorus_config_host_t;


/* Parses the text of chorus.json.  Everything lives in `mem`, compiled
 * patterns excepted: chorus_config_close() frees those and wipes secrets.
 * On failure `error` names line or place ("storages.follower.users: no
 * \"alice\"") and nothing is left behind. */
chorus_rc_t chorus_config_parse(chorus_mem_t *mem, chorus_str_t text,
    const chorus_config_host_t *host, chorus_config_t *config,
    chorus_error_t *error);
void chorus_config_close(chorus_config_t *config);

/* Opens and parses the file: the one place in shared/ that does I/O, because
 * the same loader three times would be worse.  Relative names of files are
 * relative to the folder of `path`, and absolute in `config`; a ca_file,
 * cert_file or key_file that cannot be read is an error. */
chorus_rc_t chorus_config_load(chorus_mem_t *mem, const char *path,
    chorus_config_t *config, chorus_error_t *error);

chorus_storage_t *chorus_config_storage(const chorus_config_t *config,
    chorus_str_t name);             /* NULL when there is none */
/* What main's storage class is called there; `class` itself when nothing is
 * said about it.  The empty one, which answers do not name, is STANDARD. */
chorus_str_t chorus_storage_class(const chorus_storage_t *storage,
    chorus_str_t class);
/* The user's credential on that storage; NULL when there is none. */
const chorus_credential_t *chorus_storage_credential(
    const chorus_storage_t *storage, chorus_str_t user);
/* The Chorus user that owns an access key, and the credential; NULL without.
 * Constant number of comparisons, keys are not secret. */
const chorus_user_t *chorus_config_user_of(const chorus_config_t *config,
    chorus_str_t access_key, const chorus_credential_t **credential);


#endif
