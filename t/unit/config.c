/* chorus.json: what it means, and the words for what is wrong with it. */

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chorus_bucket_setting.h"
#include "chorus_config.h"
#include "chorus_policy.h"
#include "config_host.h"
#include "test.h"

#define WITH(part)  "{" STORAGES ", " part "}"
#define STORAGE(members)                                                      \
    "{'storages': {" MAIN ", 'f': {'endpoint': 'http://f', " members "}}}"
#define ENDPOINT(url)                                                         \
    "{'storages': {" MAIN ", 'f': {'endpoint': '" url "', 'users': {"         \
    ALICE("FA") "}}}}"
#define SECRET(members)                                                       \
    "{'storages': {'main': {'endpoint': 'http://h', 'main': true, "           \
    "'users': {'alice': {" members "}}}}}"
#define REDIS(url)  WITH("'redis': {'url': '" url "'}")
#define RULE(members)  WITH("'replications': [{" members "}]")
#define ROUTE(members)  WITH("'routes': [{" members "}]")


static chorus_rc_t
parse(const char *text, bool is_private, chorus_config_t *config,
    chorus_error_t *error)
{
    chorus_config_host_t  host;

    host = test_host(is_private);
    error->text[0] = '\0';

    return chorus_config_parse(&mem, json_of(&mem, text), &host, config,
                               error);
}


static void
parse_good(const char *text, chorus_config_t *config)
{
    chorus_error_t  error;

    if (parse(text, true, config, &error) != CHORUS_OK) {
        fail_msg("%s: %s", text, error.text);
    }
}


static void
read_everything(void **state)
{
    chorus_config_t             config;
    const chorus_user_t        *user;
    const chorus_credential_t  *credential;

    static const char  text[] =
        "{'redis': {'url': 'redis://10.0.0.7:6380/3'},"
        " 'region': 'eu-1',"
        " 'storages': {"
        "  'main': {'endpoint': 'http://10.0.0.1:8080', 'region': 'r-1',"
        "           'provider': 'ceph', 'main': true, 'users': {"
        "    'alice': {'access_key': 'MA', 'secret_key': 'S3CR3T/ma'},"
        "    'bob': {'access_key': 'MB', 'secret_key': '${env:ALICE_SECRET}'}"
        "   }},"
        "  'follower': {'endpoint': 'https://s3.example.net:443',"
        "           'ca_file': '/etc/chorus/ca.pem',"
        "           'storage_classes': {'GLACIER': 'STANDARD_IA', '*': 'COLD',"
        "                               'STANDARD': 'HOT'},"
        "           'region': 'eu-1', 'provider': 'aws', 'users': {"
        "    'alice': {'access_key': 'FA', 'secret_key_file': 'x'},"
        "    'bob': {'access_key': 'FB', 'secret_key': 'S3CR3T/fb'}}},"
        "  'logs': {'endpoint': 'https://logs:8443', 'checksums': true,"
        "           'acl': false,"
        "           'users': {"
        "    'bob': {'access_key': 'LB', 'secret_key': 'S3CR3T/lb'}}}},"
        " 'users': {'alice': [{'access_key': 'CA1', 'secret_key': 'S3CR3T/1'},"
        "                     {'access_key': 'CA2', 'secret_key': 'S3CR3T/2'}]"
        "          , 'bob': [{'access_key': 'CB', 'secret_key': 'S3CR3T/3'}]},"
        " 'replications': [{'user': '*', 'bucket': '*', 'to': 'follower'},"
        "                  {'user': 'bob', 'bucket': '~^x',"
        "                   'to': ['logs', 'follower']}],"
        " 'routes': [{'user': 'bob', 'bucket': '~^logs-', 'storage': 'logs'}],"
        " 'worker': {'concurrency': 8, 'lease_seconds': 10,"
        "            'max_attempts': 5, 'retry_max_seconds': 60,"
        "            'grace_seconds': 0, 'recheck_seconds': [2, 86400],"
        "            'limits': {'main': {'requests_per_second': 500,"
        "                                'bytes_per_second': '200MiB'},"
        "                       'logs': {'bytes_per_second': 16384}},"
        "            'scans': 0, 'discover_seconds': 1, 'bulk_max': 7,"
        "            'guard': {'deletes_percent': 10, 'min_deletes': 0,"
        "                      'per_seconds': 60}},"
        " 'api': {'token_file': '/run/token'}}";

    (void) state;

    parse_good(text, &config);

    check_str("redis", config.redis.host, "10.0.0.7");
    check_int("port", config.redis.port, 6380);
    check_int("database", config.redis.database, 3);
    check_str("region", config.region, "eu-1");

    check_int("storages", (int64_t) config.nstorages, 3);
    check_str("main", config.main->name, "main");
    check_str("endpoint", config.main->endpoint, "http://10.0.0.1:8080");
    check_str("host", config.main->host, "10.0.0.1:8080");
    check_str("region", config.main->region, "r-1");
    check_int("provider", config.main->provider, CHORUS_PROVIDER_CEPH);
    check_int("tls", config.main->tls, false);

    check_str("no default port", config.storages[1].endpoint,
              "https://s3.example.net");
    check_str("no default port", config.storages[1].host, "s3.example.net");
    check_int("tls", config.storages[1].tls, true);
    check_str("authority", config.storages[1].ca_file, "/etc/chorus/ca.pem");
    check_int("ceph has no checksums", config.main->has_checksums, 0);
    check_int("aws has", config.storages[1].has_checksums, 1);
    check_int("unless told", config.storages[2].has_checksums, 1);
    check_str("a class", chorus_storage_class(&config.storages[1],
              chorus_str("GLACIER")), "STANDARD_IA");
    check_str("any other class", chorus_storage_class(&config.storages[1],
              chorus_str("ONEZONE_IA")), "COLD");
    check_str("the class without a name", chorus_storage_class(
              &config.storages[1], chorus_null_str), "HOT");
    check_str("no rules", chorus_storage_class(&config.storages[2],
              chorus_str("GLACIER")), "GLACIER");
    check_int("no rules, no name", (int64_t) chorus_storage_class(
              &config.storages[2], chorus_null_str).len, 0);
    check_int("ceph has ACLs", config.main->has_acl, 1);
    check_int("unless told", config.storages[2].has_acl, 0);
    check_int("the system's", (int64_t) config.storages[2].ca_file.len, 0);
    check_int("provider", config.storages[1].provider, CHORUS_PROVIDER_AWS);
    check_str("host", config.storages[2].host, "logs:8443");
    check_str("default region", config.storages[2].region, "us-east-1");
    check_int("provider", config.storages[2].provider,
              CHORUS_PROVIDER_GENERIC);

    assert_ptr_equal(chorus_config_storage(&config, chorus_str("logs")),
                     &config.storages[2]);
    assert_null(chorus_config_storage(&config, chorus_str("log")));

    credential = chorus_storage_credential(config.main, chorus_str("bob"));
    check_str("from the environment", credential->secret_key, "S3CR3T/env");
    credential = chorus_storage_credential(&config.storages[1],
                                           chorus_str("alice"));
    check_str("from a file", credential->secret_key, "S3CR3T/file");
    check_str("access key", credential->access_key, "FA");
    assert_null(chorus_storage_credential(&config.storages[2],
                                          chorus_str("alice")));

    user = chorus_config_user_of(&config, chorus_str("CA2"), &credential);
    check_str("user", user->name, "alice");
    check_str("secret", credential->secret_key, "S3CR3T/2");
    assert_null(chorus_config_user_of(&config, chorus_str("MA"),
                                      &credential));
    assert_null(credential);

    check_int("rules", (int64_t) config.nreplications, 2);
    check_str("user", config.replications[0].user, "*");
    check_int("to", (int64_t) config.replications[0].nto, 1);
    check_int("to", (int64_t) config.replications[1].nto, 2);
    check_str("to", config.replications[1].to[0].storage->name, "logs");
    check_str("bucket", chorus_pattern_text(config.replications[1].bucket),
              "~^x");
    check_str("route", config.routes[0].storage->name, "logs");

    check_int("concurrency", config.worker.concurrency, 8);
    check_int("lease", config.worker.lease_seconds, 10);
    check_int("attempts", config.worker.max_attempts, 5);
    check_int("retry", config.worker.retry_max_seconds, 60);
    check_int("grace", config.worker.grace_seconds, 0);
    check_int("scans", config.worker.scans, 0);
    check_int("discover", config.worker.discover_seconds, 1);
    check_int("bulk", config.worker.bulk_max, 7);
    check_int("percent", config.worker.guard.deletes_percent, 10);
    check_int("deletes", config.worker.guard.deletes, 0);
    check_int("least", config.worker.guard.min_deletes, 0);
    check_int("within", config.worker.guard.per_seconds, 60);
    check_int("rechecks", (int64_t) config.worker.nrechecks, 2);
    check_int("first recheck", config.worker.recheck_seconds[0], 2);
    check_int("second recheck", config.worker.recheck_seconds[1], 86400);
    check_int("limit", config.main->limits.of[CHORUS_LIMIT_REQUESTS], 500);
    check_int("limit in MiB", config.main->limits.of[CHORUS_LIMIT_BYTES],
              200 * 1048576);
    check_int("no limit", config.storages[1].limits.of[CHORUS_LIMIT_BYTES],
              0);
    check_int("limit in bytes",
              config.storages[2].limits.of[CHORUS_LIMIT_BYTES], 16384);
    check_str("token", config.api_token_file, "/run/token");

    chorus_config_close(&config);
    check_int("closed", (int64_t) config.nstorages, 0);
    chorus_config_close(&config);
}


static void
defaults(void **state)
{
    chorus_config_t             config;
    const chorus_credential_t  *credential;

    (void) state;

    parse_good("{" STORAGES "}", &config);

    check_str("redis", config.redis.host, "127.0.0.1");
    check_int("port", config.redis.port, 6379);
    check_int("database", config.redis.database, 0);
    check_str("region is main's", config.region, "us-east-1");
    check_int("users are main's", (int64_t) config.nusers, 1);
    assert_non_null(chorus_config_user_of(&config, chorus_str("MA"),
                                          &credential));
    check_int("concurrency", config.worker.concurrency, 32);
    check_int("part_concurrency", config.worker.part_concurrency, 4);
    check_int("lease", config.worker.lease_seconds, 30);
    check_int("attempts", config.worker.max_attempts, 0);
    check_int("retry", config.worker.retry_max_seconds, 300);
    check_int("grace", config.worker.grace_seconds, 30);
    check_int("scans", config.worker.scans, 2);
    check_int("discover", config.worker.discover_seconds, 60);
    check_int("bulk", config.worker.bulk_max, 10000);
    check_int("no guard", config.worker.guard.deletes_percent, 0);
    check_int("no guard", config.worker.guard.deletes, 0);
    check_int("rechecks", (int64_t) config.worker.nrechecks, 3);
    check_int("first recheck", config.worker.recheck_seconds[0], 10);
    check_int("second recheck", config.worker.recheck_seconds[1], 60);
    check_int("third recheck", config.worker.recheck_seconds[2], 600);
    check_int("token", (int64_t) config.api_token_file.len, 0);

    chorus_config_close(&config);

    parse_good(WITH("'region': '*', 'worker': {}, 'replications': [], "
                    "'routes': []"), &config);
    check_str("any region", config.region, "*");
    chorus_config_close(&config);
}


/* What a storage can, as a word: Checksums, Part numbers, conditional puT,
 * Version ids, object Lock, and its location. */
static void
abilities(void **state)
{
    size_t                   i;
    char                     words[8];
    chorus_config_t          config;
    const chorus_storage_t  *f;

    static const struct {
        const char  *members;
        const char  *words;
        const char  *location;
    } rows[] = {
#define ABLE(members)  STORAGE(members ", 'users': {" ALICE("F") "}")
        { ABLE("'region': 'eu-1'"), "-p---", "" },
        { ABLE("'region': 'eu-1', 'provider': 'generic'"), "-p---", "" },
        { ABLE("'region': 'eu-1', 'provider': 'aws'"), "cpt-l", "eu-1" },
        { ABLE("'provider': 'aws'"), "cpt-l", "" },
        { ABLE("'region': 'eu-1', 'provider': 'ceph'"), "-ptvl", "" },
        { ABLE("'region': 'eu-1', 'provider': 'minio'"), "cptvl", "" },

        { ABLE("'provider': 'ceph', 'checksums': true, 'part_numbers': false,"
               " 'conditional_put': false, 'version_ids': false, "
               "'object_lock': false"), "c----", "" },
        { ABLE("'provider': 'aws', 'region': 'eu-1', 'location': false"),
          "cpt-l", "" },
        { ABLE("'region': 'eu-1', 'location': true"), "-p---", "eu-1" },
        { ABLE("'region': 'eu-1', 'location': 'zg:cold'"), "-p---",
          "zg:cold" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        parse_good(rows[i].members, &config);
        f = &config.storages[1];

        (void) snprintf(words, sizeof(words), "%c%c%c%c%c",
                        f->has_checksums ? 'c' : '-',
                        f->has_part_numbers ? 'p' : '-',
                        f->has_conditional_put ? 't' : '-',
                        f->keeps_version_ids ? 'v' : '-',
                        f->has_object_lock ? 'l' : '-');

        check_str(rows[i].members, chorus_str_from(words), rows[i].words);
        assert_true(chorus_str_eq(f->location,
                                  chorus_str_from(rows[i].location)));
        chorus_config_close(&config);
    }
}


static void
reserved_names(void **state)
{
    size_t  i;

    static const struct {
        chorus_provider_t   provider;
        const char         *bucket;
        bool                expected;
    } rows[] = {
        { CHORUS_PROVIDER_CEPH, "swift", true },
        { CHORUS_PROVIDER_CEPH, "admin", true },
        { CHORUS_PROVIDER_CEPH, "auth", true },
        { CHORUS_PROVIDER_CEPH, "minio", false },
        { CHORUS_PROVIDER_CEPH, "swifts", false },
        { CHORUS_PROVIDER_MINIO, "minio", true },
        { CHORUS_PROVIDER_MINIO, "admin", false },
        { CHORUS_PROVIDER_AWS, "admin", false },
        { CHORUS_PROVIDER_GENERIC, "admin", true },
        { CHORUS_PROVIDER_GENERIC, "minio", true },
        { CHORUS_PROVIDER_GENERIC, "photos", false },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_int(rows[i].bucket,
                  chorus_provider_reserves(rows[i].provider,
                                           chorus_str_from(rows[i].bucket)),
                  rows[i].expected);
    }
}


static void
replication_parts(void **state)
{
    chorus_config_t             config;
    chorus_replication_rule_t  *rule;

    (void) state;

    parse_good("{'storages': {" MAIN ", 'follower': {'endpoint': 'http://f',"
               " 'bucket_settings': ['policy'], 'users': {" ALICE("F") "}}},"
               " 'replications': ["
               "  {'user': '*', 'bucket': 'b', "
               "   'to': ['follower', 'follower:copy'],"
               "   'filter': {'prefix': 'in/', 'tags': {'a': 'b', 'c': ''}},"
               "   'bucket_settings': ['lifecycle', 'cors']},"
               "  {'user': '*', 'bucket': '~^x', 'to': 'follower:{bucket}.2',"
               "   'bucket_settings': []},"
               "  {'user': 'alice', 'bucket': 'b', 'to': 'follower:copy'},"
               "  {'user': 'alice', 'bucket': 'c', 'to': 'follower:copies'}"
               " ]}", &config);

    check_int("of a storage", config.storages[1].settings,
              1u << CHORUS_SETTING_POLICY);
    check_int("by default", config.main->settings,
              1u << CHORUS_SETTING_CORS | 1u << CHORUS_SETTING_WEBSITE);

    rule = &config.replications[0];
    check_int("to", (int64_t) rule->nto, 2);
    assert_null(rule->to[0].bucket.data);
    check_str("target", rule->to[1].bucket, "copy");
    check_str("prefix", rule->filter.prefix, "in/");
    check_int("tags", (int64_t) rule->filter.ntags, 2);
    check_str("tag", rule->filter.tags[0].value, "b");
    check_int("its own settings", rule->has_settings, true);
    check_int("its own settings", rule->settings,
              1u << CHORUS_SETTING_CORS | 1u << CHORUS_SETTING_LIFECYCLE);

    rule = &config.replications[1];
    check_str("target", rule->to[0].bucket, "{bucket}.2");
    check_int("none at all", rule->has_settings, true);
    check_int("none at all", rule->settings, 0);

    check_int("not said", config.replications[2].has_settings, false);

    chorus_config_close(&config);
}


static void
redis_urls(void **state)
{
    size_t           i;
    chorus_config_t  config;

    static const struct {
        const char  *json;
        const char  *host;
        uint16_t     port;
        const char  *unix_path;
        const char  *user;
        const char  *password;
        unsigned     database;
    } rows[] = {
        { REDIS("redis://h"), "h", 6379, "", "", "", 0 },
        { REDIS("redis://h/"), "h", 6379, "", "", "", 0 },
        { REDIS("REDIS://h:1/15"), "h", 1, "", "", "", 15 },
        { REDIS("redis://:S3CR3T@h"), "h", 6379, "", "", "S3CR3T", 0 },
        { REDIS("redis://u:a%40%3a@b@h:7"), "h", 7, "", "u", "a@:@b", 0 },
        { REDIS("redis://[::1]:7/2"), "::1", 7, "", "", "", 2 },
        { REDIS("redis://[fe80::1]"), "fe80::1", 6379, "", "", "", 0 },
        { REDIS("unix:///run/redis.sock"), "", 0, "/run/redis.sock", "", "",
          0 },
        { REDIS("unix:///r?db=4"), "", 0, "/r", "", "", 4 },
        { REDIS("unix://u:p@/r"), "", 0, "/r", "u", "p", 0 },
        { REDIS("${env:REDIS_URL}"), "r.example.net", 6379, "", "", "S3CR3T",
          1 },
        { WITH("'redis': {'url': 'redis://h', 'password_file': 'f'}"),
          "h", 6379, "", "", "S3CR3T/file", 0 },
        { WITH("'redis': {'url': 'redis://h', 'user': 'u', "
               "'password_file': 'f'}"),
          "h", 6379, "", "u", "S3CR3T/file", 0 },
#if (CHORUS_REDIS_TLS)
        { REDIS("rediss://h"), "h", 6379, "", "", "", 0 },
        { REDIS("Rediss://u:S3CR3T@h:7/3"), "h", 7, "", "u", "S3CR3T", 3 },
#endif
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        parse_good(rows[i].json, &config);

        assert_true(chorus_str_eq(config.redis.host,
                                  chorus_str_from(rows[i].host)));
        check_int(rows[i].json, config.redis.port, rows[i].port);
        assert_true(chorus_str_eq(config.redis.unix_path,
                                  chorus_str_from(rows[i].unix_path)));
        assert_true(chorus_str_eq(config.redis.user,
                                  chorus_str_from(rows[i].user)));
        assert_true(chorus_str_eq(config.redis.password,
                                  chorus_str_from(rows[i].password)));
        check_int(rows[i].json, config.redis.database, rows[i].database);
        check_int(rows[i].json, config.redis.tls,
                  strcasestr(rows[i].json, "'rediss://") != NULL);

        chorus_config_close(&config);
    }
}


static void
redis_sentinels(void **state)
{
    size_t           i, n;
    chorus_config_t  config;

    /* what is listed: host:port, the service, the login there and here */
    static const struct {
        const char  *json;
        const char  *meaning;
        unsigned     database;
    } rows[] = {
        { REDIS("redis+sentinel://h/s"), "h:26379 s : :", 0 },
        { REDIS("redis+sentinel://h/s/"), "h:26379 s : :", 0 },
        { REDIS("Redis+Sentinel://h:1,i,[::1]:2/my-main_1.x/3"),
          "h:1 i:26379 ::1:2 my-main_1.x : :", 3 },
        { REDIS("redis+sentinel://u:S3CR3T@h,i:2/s"),
          "h:26379 i:2 s u:S3CR3T :", 0 },
#if (CHORUS_REDIS_TLS)
        { REDIS("rediss+sentinel://u:S3CR3T@h,i:2/s/1"),
          "h:26379 i:2 s u:S3CR3T :", 1 },
#endif
        { WITH("'redis': {'url': 'redis+sentinel://h/s', "
               "'sentinel_password': '${env:ALICE_SECRET}'}"),
          "h:26379 s : :S3CR3T/env", 0 },
        { WITH("'redis': {'url': 'redis+sentinel://h/s', 'sentinel_user': "
               "'w', 'sentinel_password_file': 'f', 'user': 'u', "
               "'password_file': 'f'}"),
          "h:26379 s u:S3CR3T/file w:S3CR3T/file", 0 },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        parse_good(rows[i].json, &config);

        chorus_redis_url_t  *redis = &config.redis;
        chorus_buf_t         buf = chorus_buf(&mem, 256);

        for (n = 0; n < redis->nsentinels; n++) {
            chorus_buf_add(&buf, redis->sentinels[n].name);
            chorus_buf_char(&buf, ':');
            chorus_buf_u64(&buf, redis->sentinels[n].port);
            chorus_buf_char(&buf, ' ');
        }

        chorus_buf_add(&buf, redis->service);
        chorus_buf_char(&buf, ' ');
        chorus_buf_add(&buf, redis->user);
        chorus_buf_char(&buf, ':');
        chorus_buf_add(&buf, redis->password);
        chorus_buf_char(&buf, ' ');
        chorus_buf_add(&buf, redis->sentinel_user);
        chorus_buf_char(&buf, ':');
        chorus_buf_add(&buf, redis->sentinel_password);

        check_str(rows[i].json, chorus_buf_str(&buf), rows[i].meaning);
        check_int(rows[i].json, redis->database, rows[i].database);
        check_int(rows[i].json, redis->host.len, 0);

        chorus_config_close(&config);
    }
}


static void
endpoints(void **state)
{
    size_t           i;
    chorus_config_t  config;

    static const struct {
        const char  *json;
        const char  *endpoint;
        const char  *host;
        bool         tls;
    } rows[] = {
        { ENDPOINT("http://h"), "http://h", "h", false },
        { ENDPOINT("http://h:80"), "http://h", "h", false },
        { ENDPOINT("http://h:443"), "http://h:443", "h:443", false },
        { ENDPOINT("HTTPS://h:443"), "https://h", "h", true },
        { ENDPOINT("https://h:80"), "https://h:80", "h:80", true },
        { ENDPOINT("http://[::1]:8080"), "http://[::1]:8080", "[::1]:8080",
          false },
        { ENDPOINT("https://[::1]"), "https://[::1]", "[::1]", true },
        { ENDPOINT("http://s3.example.net:00080"), "http://s3.example.net",
          "s3.example.net", false },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        parse_good(rows[i].json, &config);

        check_str(rows[i].json, config.storages[1].endpoint,
                  rows[i].endpoint);
        check_str(rows[i].json, config.storages[1].host, rows[i].host);
        check_int(rows[i].json, config.storages[1].tls, rows[i].tls);

        chorus_config_close(&config);
    }
}


static const struct {
    const char  *json;
    const char  *error;             /* the whole text */
} broken[] = {

    /* syntax */
    { "", "line 1, column 0: '[' or '{' expected" },
    { "{\n  'storages': {},\n  x\n}",
      "line 3, column 3: string or '}' expected" },
    { "{'a': 'S3CR3T' 'S3CR3T'}", "line 1, column 23: '}' expected" },
    { "{'a': S3CR3T}", "line 1, column 7: invalid token" },
    { "{'a': 1, 'a': 2}", "line 1, column 12: duplicate object key" },
    { "[]", "must be an object" },
    { "{} 'S3CR3T'", "line 1, column 11: end of file expected" },

    /* unknown and missing keys, at each level */
    { "{}", "storages: missing" },
    { WITH("'storage': {}"), "unknown key \"storage\"" },
    { WITH("'limits': {}"), "unknown key \"limits\"" },
    { STORAGE("'secret': 1"), "storages.f: unknown key \"secret\"" },
    { STORAGE("'region': 'r'"), "storages.f.users: missing" },
    { SECRET("'access_key': 'A', 'secret_key': 'S3CR3T', 'x': 'S3CR3T'"),
      "storages.main.users.alice: unknown key \"x\"" },
    { WITH("'redis': {'url': 'redis://h', 'db': 1}"),
      "redis: unknown key \"db\"" },
    { WITH("'redis': {}"), "redis.url: missing" },
    { WITH("'worker': {'speed': {}}"), "worker: unknown key \"speed\"" },
    { WITH("'api': {'token': 'S3CR3T'}"), "api: unknown key \"token\"" },
    { WITH("'api': {}"), "api.token_file: missing" },
    { RULE("'user': 'alice', 'bucket': 'b', 'from': 'x'"),
      "replications[0]: unknown key \"from\"" },
    { ROUTE("'user': 'alice', 'bucket': 'b', 'to': 'x'"),
      "routes[0]: unknown key \"to\"" },

    /* kinds */
    { "{'storages': []}", "storages: must be an object" },
    { "{'storages': {'a': 1}}", "storages.a: must be an object" },
    { WITH("'region': 1"), "region: must be a string" },
    { WITH("'region': ''"), "region: is empty" },
    { WITH("'region': 'a/b'"), "region: not a region" },
    { WITH("'users': []"), "users: must be an object" },
    { WITH("'users': {'alice': {}}"), "users.alice: must be a list" },
    { WITH("'users': {'alice': []}"), "users.alice: is empty" },
    { WITH("'users': {'alice': ['S3CR3T']}"),
      "users.alice[0]: must be an object" },
    { WITH("'users': {}"), "users: is empty" },
    { WITH("'replications': {}"), "replications: must be a list" },
    { WITH("'routes': {}"), "routes: must be a list" },
    { WITH("'worker': []"), "worker: must be an object" },
    { WITH("'api': {'token_file': ''}"), "api.token_file: is empty" },
    { STORAGE("'main': 'true', 'users': {}"),
      "storages.f.main: must be true or false" },
    { STORAGE("'users': {}"), "storages.f.users: is empty" },
    { STORAGE("'provider': 'gcs', 'users': {}"),
      "storages.f.provider: must be generic, aws, ceph or minio" },
    { STORAGE("'region': '*', 'users': {}"),
      "storages.f.region: not a region" },

    { STORAGE("'storage_classes': 'STANDARD', 'users': {" ALICE("A") "}"),
      "storages.f.storage_classes: must be an object" },
    { STORAGE("'storage_classes': {'GLACIER': 1}, 'users': {" ALICE("A") "}"),
      "storages.f.storage_classes.GLACIER: must be a string" },
    { STORAGE("'storage_classes': {'GLACIER': ''}, 'users': {" ALICE("A")
      "}"), "storages.f.storage_classes.GLACIER: is empty" },
    { STORAGE("'storage_classes': {'*': 'a b'}, 'users': {" ALICE("A") "}"),
      "storages.f.storage_classes.*: a name must be 1 to 64 of A-Z a-z 0-9 "
      "_ . -" },
    { STORAGE("'storage_classes': {'A*': 'B'}, 'users': {" ALICE("A") "}"),
      "storages.f.storage_classes.A*: a name must be 1 to 64 of A-Z a-z 0-9 "
      "_ . -" },
    { "{'storages': {'a': {'endpoint': 'http://h', 'main': true, "
      "'storage_classes': {}, 'users': {" ALICE("A") "}}}}",
      "storages.a.storage_classes: main has its own classes" },

    /* main */
    { "{'storages': {'a': {'endpoint': 'http://h', 'users': {" ALICE("A")
      "}}}}", "storages: none has \"main\": true" },
    { "{'storages': {'a': {'endpoint': 'http://h', 'main': true, 'users': {"
      ALICE("A") "}}, 'b': {'endpoint': 'http://h', 'main': true, 'users': {"
      ALICE("B") "}}}}", "storages: \"a\" and \"b\" are both main" },

    /* names */
    { "{'storages': {'a b': {}}}",
      "storages.a b: a name must be 1 to 64 of A-Z a-z 0-9 _ . -" },
    { "{'storages': {'': {}}}",
      "storages.: a name must be 1 to 64 of A-Z a-z 0-9 _ . -" },
    { "{'storages': {'a:b': {}}}",
      "storages.a:b: a name must be 1 to 64 of A-Z a-z 0-9 _ . -" },
    { "{'storages': {'"
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa': {"
      "}}}", "storages."
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      ": a name must be 1 to 64 of A-Z a-z 0-9 _ . -" },
    { STORAGE("'users': {'*': {}}"),
      "storages.f.users.*: a name must be 1 to 64 of A-Z a-z 0-9 _ . -" },
    { WITH("'users': {'a/b': []}"),
      "users.a/b: a name must be 1 to 64 of A-Z a-z 0-9 _ . -" },

    /* endpoints */
#define BAD_ENDPOINT  "storages.f.endpoint: must be http://host[:port] or "   \
                      "https://host[:port], without a path"
    { ENDPOINT("h:80"), BAD_ENDPOINT },
    { ENDPOINT("ftp://h"), BAD_ENDPOINT },
    { ENDPOINT("http://"), BAD_ENDPOINT },
    { ENDPOINT("http://h/"), BAD_ENDPOINT },
    { ENDPOINT("http://h/path"), BAD_ENDPOINT },
    { ENDPOINT("http://u:S3CR3T@h"), BAD_ENDPOINT },
    { ENDPOINT("http://h:"), BAD_ENDPOINT },
    { ENDPOINT("http://h:0"), BAD_ENDPOINT },
    { ENDPOINT("http://h:65536"), BAD_ENDPOINT },
    { ENDPOINT("http://h:8x"), BAD_ENDPOINT },
    { ENDPOINT("http://h?x"), BAD_ENDPOINT },
    { ENDPOINT("http://:80"), BAD_ENDPOINT },
    { ENDPOINT("http://[::1"), BAD_ENDPOINT },
    { ENDPOINT("http://[]"), BAD_ENDPOINT },
    { ENDPOINT("http://[::1]80"), BAD_ENDPOINT },
    { ENDPOINT("http://a b"), BAD_ENDPOINT },
    { ENDPOINT(""), "storages.f.endpoint: is empty" },
    { STORAGE("'checksums': 'yes', 'users': {}"),
      "storages.f.checksums: must be true or false" },
    { STORAGE("'acl': 1, 'users': {}"),
      "storages.f.acl: must be true or false" },
    { STORAGE("'ca_file': 'c', 'users': {}"),
      "storages.f.ca_file: needs an https:// endpoint" },
    { ENDPOINT("https://f', 'ca_file': '"), "storages.f.ca_file: is empty" },
    { "{'storages': {" MAIN ", 'f': {'endpoint': 'https://f', "
      "'ca_file': true, 'users': {}}}}",
      "storages.f.ca_file: must be a string" },
    { "{'storages': {" MAIN ", 'f': {'users': {}}}}",
      "storages.f.endpoint: missing" },

    /* secrets */
    { SECRET("'secret_key': 'S3CR3T'"),
      "storages.main.users.alice.access_key: missing" },
    { SECRET("'access_key': 'A'"), "storages.main.users.alice: no "
      "\"secret_key\" and no \"secret_key_file\"" },
    { SECRET("'access_key': 'A', 'secret_key': 'S3CR3T', "
             "'secret_key_file': 'f'"),
      "storages.main.users.alice: both \"secret_key\" and "
      "\"secret_key_file\"" },
    { SECRET("'access_key': 'A', 'secret_key': ''"),
      "storages.main.users.alice.secret_key: is empty" },
    { SECRET("'access_key': 'A', 'secret_key': 1"),
      "storages.main.users.alice.secret_key: must be a string" },
    { SECRET("'access_key': 'A', 'secret_key': '${env:NOT_SET}'"),
      "storages.main.users.alice.secret_key: the environment has no "
      "NOT_SET" },
    { SECRET("'access_key': 'A', 'secret_key': '${env:EMPTY}'"),
      "storages.main.users.alice.secret_key: EMPTY is empty in the "
      "environment" },
#define BAD_ENV  "storages.main.users.alice.secret_key: \"${env:NAME}\" must " \
                 "be the whole value, NAME of A-Z a-z 0-9 _"
    { SECRET("'access_key': 'A', 'secret_key': 'S3CR3T${env:A}'"), BAD_ENV },
    { SECRET("'access_key': 'A', 'secret_key': '${env:A}S3CR3T'"), BAD_ENV },
    { SECRET("'access_key': 'A', 'secret_key': '${env:}'"), BAD_ENV },
    { SECRET("'access_key': 'A', 'secret_key': '${env:1A}'"), BAD_ENV },
    { SECRET("'access_key': 'A', 'secret_key': '${env:A'"), BAD_ENV },
    { SECRET("'access_key': 'A', 'secret_key_file': 'missing'"),
      "storages.main.users.alice.secret_key_file: missing: No such file or "
      "directory" },
    { SECRET("'access_key': 'A', 'secret_key_file': 'empty'"),
      "storages.main.users.alice.secret_key_file: the file is empty" },
    { SECRET("'access_key': 'A', 'secret_key': 'S3CR3T x'"),
      "storages.main.users.alice: the secret must be 1 to 256 printable "
      "characters without blanks" },
    { SECRET("'access_key': 'A,B', 'secret_key': 'S3CR3T'"),
      "storages.main.users.alice.access_key: must be 1 to 128 printable "
      "characters without blank and comma" },

    /* Redis */
#define BAD_REDIS     "redis.url: must be redis://[[user]:password@]host" \
                      "[:port][/database]"
#define BAD_UNIX      "redis.url: must be unix://[[user]:password@]/path" \
                      "[?db=N]"
#define BAD_SENTINEL  "redis.url: must be redis+sentinel://[[user]:" \
                      "password@]host[:port],host[:port].../service" \
                      "[/database]"
#define BAD_SCHEME    "redis.url: must begin with redis://, rediss://, " \
                      "redis+sentinel://, rediss+sentinel:// or unix://"
#if (CHORUS_REDIS_TLS)
#define TLS(text)     text
#else
#define TEXT_OF(version)  #version
#define TEXT(version)     TEXT_OF(version)
#define TLS(text)     "redis.url: this build cannot speak TLS to Redis, its " \
                      "hiredis " TEXT(CHORUS_HIREDIS) " has no SSL; build "   \
                      "with hiredis 1.0 or later and its hiredis_ssl, or "    \
                      "let stunnel do it and use redis:// or unix://"
#endif
    { REDIS("rediss://S3CR3T@h"),
      TLS("redis.url: must be rediss://[[user]:password@]host[:port]"
          "[/database]") },
    { REDIS("rediss+sentinel://:S3CR3T@h"),
      TLS("redis.url: must be rediss+sentinel://[[user]:password@]host"
          "[:port],host[:port].../service[/database]") },
    { WITH("'redis': {'url': 'rediss://h', 'cert_file': 'c'}"),
      TLS("redis: \"cert_file\" and \"key_file\" need each other") },
    { WITH("'redis': {'url': 'rediss://h', 'key_file': 'k'}"),
      TLS("redis: \"cert_file\" and \"key_file\" need each other") },
    { WITH("'redis': {'url': 'rediss://h', 'ca_file': ''}"),
      TLS("redis.ca_file: is empty") },
#define NEEDS_TLS(name) \
    "redis." name ": needs a rediss:// or rediss+sentinel:// url"
    { WITH("'redis': {'url': 'redis://h', 'ca_file': 'c'}"),
      NEEDS_TLS("ca_file") },
    { WITH("'redis': {'url': 'unix:///r', 'cert_file': 'c', 'key_file': "
           "'k'}"), NEEDS_TLS("cert_file") },
    { WITH("'redis': {'url': 'redis://h', 'key_file': 'k'}"),
      NEEDS_TLS("key_file") },
    { WITH("'redis': {'url': 'redis+sentinel://h/s', 'tls_name': 'n'}"),
      NEEDS_TLS("tls_name") },
    { REDIS("h:6379"), BAD_SCHEME },
    { REDIS("http://h"), BAD_SCHEME },
    { REDIS("redis://"), BAD_REDIS },
    { REDIS("redis://S3CR3T@h"), BAD_REDIS },
    { REDIS("redis://u:@h"), BAD_REDIS },
    { REDIS("redis://:S3CR3T%@h"), BAD_REDIS },
    { REDIS("redis://:S3CR3T%00@h"), BAD_REDIS },
    { REDIS("redis://:S3CR3T@h/x"), BAD_REDIS },
    { REDIS("redis://h/1/2"), BAD_REDIS },
    { REDIS("redis://h:x"), BAD_REDIS },
    { REDIS("redis://h,i"), BAD_REDIS },
    { REDIS("redis://h/99999"), BAD_REDIS },
    { REDIS("unix://run/r"), BAD_UNIX },
    { REDIS("unix:///"), BAD_UNIX },
    { REDIS("unix:///r?x=1"), BAD_UNIX },
    { REDIS("redis+sentinel://h"), BAD_SENTINEL },
    { REDIS("redis+sentinel://h/"), BAD_SENTINEL },
    { REDIS("redis+sentinel:///s"), BAD_SENTINEL },
    { REDIS("redis+sentinel://h,/s"), BAD_SENTINEL },
    { REDIS("redis+sentinel://,h/s"), BAD_SENTINEL },
    { REDIS("redis+sentinel://h:0/s"), BAD_SENTINEL },
    { REDIS("redis+sentinel://h/s/x"), BAD_SENTINEL },
    { REDIS("redis+sentinel://h/s/1/2"), BAD_SENTINEL },
    { REDIS("redis+sentinel://h/a%20b"), BAD_SENTINEL },
    { REDIS("redis+sentinel://S3CR3T@h/s"), BAD_SENTINEL },
    { REDIS("redis+sentinel://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a/s"),
      BAD_SENTINEL },
    { WITH("'redis': {'url': 'redis://:S3CR3T@h', 'password_file': 'f'}"),
      "redis: a password in \"url\" and a \"password_file\"" },
    { WITH("'redis': {'url': 'redis://h', 'password_file': 'missing'}"),
      "redis.password_file: missing: No such file or directory" },
    { WITH("'redis': {'url': 'redis://h', 'password_file': 'empty'}"),
      "redis.password_file: the file is empty" },
    { WITH("'redis': {'url': 'redis://h', 'user': 'u'}"),
      "redis.user: no \"password_file\" to it" },
    { WITH("'redis': {'url': 'redis+sentinel://h/s', 'sentinel_user': 'u'}"),
      "redis.sentinel_user: no \"sentinel_password_file\" to it" },
    { WITH("'redis': {'url': 'redis://h', 'sentinel_password': 'S3CR3T'}"),
      "redis: a sentinel_password, but \"url\" is not redis+sentinel://" },
    { WITH("'redis': {'url': 'redis+sentinel://h/s', 'sentinel_password': "
           "'S3CR3T', 'sentinel_password_file': 'f'}"),
      "redis: both \"sentinel_password\" and \"sentinel_password_file\"" },

    /* users against storages */
    { WITH("'users': {'bob': [{'access_key': 'B', 'secret_key': 'S3CR3T'}]}"),
      "storages.main.users: no \"bob\"" },
    { "{'storages': {" MAIN ", 'follower': {'endpoint': 'http://f', 'users': "
      "{" BOB("FB") "}}}, 'replications': [{'user': 'alice', 'bucket': '*', "
      "'to': 'follower'}]}", "storages.follower.users: no \"alice\"" },
    { "{'storages': {" MAIN ", 'follower': {'endpoint': 'http://f', 'users': "
      "{" BOB("FB") "}}}, 'replications': [{'user': '*', 'bucket': '*', "
      "'to': 'follower'}]}", "storages.follower.users: no \"alice\"" },
    { RULE("'user': 'bob', 'bucket': '*', 'to': 'follower'"),
      "storages.main.users: no \"bob\"" },
    { "{'storages': {" MAIN ", 'logs': {'endpoint': 'http://f', 'users': "
      "{" BOB("FB") "}}}, 'routes': [{'user': '*', 'bucket': '*', "
      "'storage': 'logs'}]}", "storages.logs.users: no \"alice\"" },
    { WITH("'users': {'alice': [{'access_key': 'A', 'secret_key': 'S3CR3T'}, "
           "{'access_key': 'A', 'secret_key': 'S3CR3T'}]}"),
      "users.alice: an access key that another credential has" },
    { "{'storages': {'main': {'endpoint': 'http://h', 'main': true, 'users': "
      "{" ALICE("A") ", " BOB("A") "}}}}",
      "users.bob: an access key that another credential has" },

    /* rules */
    { RULE("'bucket': '*', 'to': 'follower'"),
      "replications[0].user: missing" },
    { RULE("'user': 'a b', 'bucket': '*', 'to': 'follower'"),
      "replications[0].user: a name must be 1 to 64 of A-Z a-z 0-9 _ . -" },
    { RULE("'user': 'alice', 'to': 'follower'"),
      "replications[0].bucket: missing" },
    { RULE("'user': 'alice', 'bucket': '', 'to': 'follower'"),
      "replications[0].bucket: is empty" },
    { RULE("'user': 'alice', 'bucket': '~', 'to': 'follower'"),
      "replications[0].bucket: an empty pattern behind '~'" },
    { RULE("'user': 'alice', 'bucket': '~a(b', 'to': 'follower'"),
      "replications[0].bucket: bad pattern at offset 4: missing closing "
      "parenthesis" },
    { RULE("'user': 'alice', 'bucket': 'logs-*', 'to': 'follower'"),
      "replications[0].bucket: a bucket name holds no wildcard; write a "
      "pattern such as \"~^logs-\"" },
    { RULE("'user': 'alice', 'bucket': '*'"), "replications[0].to: missing" },
    { RULE("'user': 'alice', 'bucket': '*', 'to': []"),
      "replications[0].to: is empty" },
    { RULE("'user': 'alice', 'bucket': '*', 'to': 1"),
      "replications[0].to: must be a string" },
    { RULE("'user': 'alice', 'bucket': '*', 'to': 'main'"),
      "replications[0].to: \"main\" is the main storage" },
    { RULE("'user': 'alice', 'bucket': '*', 'to': ['follower', 'x']"),
      "replications[0].to[1]: no storage \"x\"" },
    { RULE("'user': 'alice', 'bucket': '*', 'to': ['follower', 'follower']"),
      "replications[0].to[1]: \"follower\" comes twice" },

    /* another name there */
#define TO(bucket, to)  RULE("'user': '*', 'bucket': '" bucket "', 'to': " to)
#define BAD_TARGET  ": the name of a bucket has 3 to 63 of A-Z a-z 0-9 . - " \
                    "_, and perhaps one \"{bucket}\""
    { TO("b", "'follower:'"), "replications[0].to: no bucket behind ':'" },
    { TO("b", "'x:copy'"), "replications[0].to: no storage \"x\"" },
    { TO("b", "'main:copy'"),
      "replications[0].to: \"main\" is the main storage" },
    { TO("b", "['follower:copy', 'follower:copy']"),
      "replications[0].to[1]: \"follower\" comes twice" },
    { TO("b", "'follower:a/b'"), "replications[0].to" BAD_TARGET },
    { TO("b", "'follower:a:b'"), "replications[0].to" BAD_TARGET },
    { TO("b", "'follower:ab'"), "replications[0].to" BAD_TARGET },
    { TO("b", "'follower:{bucket}-{bucket}'"),
      "replications[0].to" BAD_TARGET },
    { TO("*", "'follower:copy'"), "replications[0].to: many buckets would "
      "become \"copy\": it must have \"{bucket}\" in it, such as "
      "\"{bucket}-copy\"" },
    { TO("~^b", "['follower:copy']"), "replications[0].to[0]: many buckets "
      "would become \"copy\": it must have \"{bucket}\" in it, such as "
      "\"{bucket}-copy\"" },

    /* two buckets into one */
#define TWO(a, to_a, b, to_b)                                                 \
    WITH("'replications': [{'user': '*', 'bucket': '" a "', 'to': '" to_a     \
         "'}, {'user': 'alice', 'bucket': '" b "', 'to': '" to_b "'}]")
    { TWO("one", "follower:all", "two", "follower:all"), "replications[1]: "
      "\"one\" and \"two\" would both become \"all\" on \"follower\"" },
    { TWO("one", "follower", "two", "follower:one"), "replications[1]: "
      "\"one\" and \"two\" would both become \"one\" on \"follower\"" },
    { TWO("one", "follower:{bucket}-2", "two", "follower:one-2"),
      "replications[1]: \"one\" and \"two\" would both become \"one-2\" on "
      "\"follower\"" },

    /* filters and settings */
#define MORE(members)                                                         \
    RULE("'user': '*', 'bucket': 'b', 'to': 'follower', " members)
    { MORE("'filter': 'x'"), "replications[0].filter: must be an object" },
    { MORE("'filter': {}"), "replications[0].filter: is empty" },
    { MORE("'filter': {'suffix': 'x'}"),
      "replications[0].filter: unknown key \"suffix\"" },
    { MORE("'filter': {'prefix': ''}"),
      "replications[0].filter.prefix: is empty" },
    { MORE("'filter': {'tags': []}"),
      "replications[0].filter.tags: must be an object" },
    { MORE("'filter': {'tags': {}}"),
      "replications[0].filter.tags: must be 1 to 10 tags" },
    { MORE("'filter': {'tags': {'a': 1}}"),
      "replications[0].filter.tags.a: a tag has a name and a text" },
    { MORE("'guard': 10"), "replications[0].guard: must be an object" },
    { MORE("'guard': {}"),
      "replications[0].guard: needs \"deletes_percent\" or \"deletes\"; "
      "false: no guard" },
    { MORE("'guard': {'min_deletes': 5}"),
      "replications[0].guard: needs \"deletes_percent\" or \"deletes\"; "
      "false: no guard" },
    { MORE("'guard': {'deletes_percent': 101}"),
      "replications[0].guard.deletes_percent: must be a whole number from 1 to "
      "100" },
    { MORE("'guard': {'deletes': 0}"),
      "replications[0].guard.deletes: must be a whole number from 1 to "
      "1000000000" },
    { MORE("'guard': {'deletes': 1, 'per_second': 1}"),
      "replications[0].guard: unknown key \"per_second\"" },
    { MORE("'bucket_settings': 'cors'"),
      "replications[0].bucket_settings: must be a list" },
    { MORE("'bucket_settings': ['cors', 'logging']"),
      "replications[0].bucket_settings[1]: must be cors, website, lifecycle, "
      "policy, encryption or object_lock" },
    { STORAGE("'bucket_settings': [1], 'users': {}"),
      "storages.f.bucket_settings[0]: must be a string" },
    { STORAGE("'location': 1, 'users': {}"),
      "storages.f.location: must be true, false or a location" },
    { STORAGE("'location': '', 'users': {}"),
      "storages.f.location: is empty" },
    { STORAGE("'version_ids': 1, 'users': {}"),
      "storages.f.version_ids: must be true or false" },
    { WITH("'replications': [{'user': 'alice', 'bucket': '~^ok', 'to': "
           "'follower'}, {'user': 'alice', 'bucket': 'b', 'to': 'x'}]"),
      "replications[1].to: no storage \"x\"" },
    { ROUTE("'user': 'alice', 'bucket': '*'"), "routes[0].storage: missing" },
    { ROUTE("'user': 'alice', 'bucket': '~[', 'storage': 'main'"),
      "routes[0].bucket: bad pattern at offset 2: missing terminating ] for "
      "character class" },
    { ROUTE("'user': 'alice', 'bucket': 'b', 'storage': 'x'"),
      "routes[0].storage: no storage \"x\"" },

    /* worker */
    { WITH("'worker': {'part_concurrency': 0}"),
      "worker.part_concurrency: must be a whole number from 1 to 64" },
    { WITH("'worker': {'part_concurrency': 65}"),
      "worker.part_concurrency: must be a whole number from 1 to 64" },
    { WITH("'worker': {'concurrency': 0}"),
      "worker.concurrency: must be a whole number from 1 to 1024" },
    { WITH("'worker': {'concurrency': 1025}"),
      "worker.concurrency: must be a whole number from 1 to 1024" },
    { WITH("'worker': {'concurrency': '8'}"),
      "worker.concurrency: must be a whole number from 1 to 1024" },
    { WITH("'worker': {'concurrency': 1.5}"),
      "worker.concurrency: must be a whole number from 1 to 1024" },
    { WITH("'worker': {'lease_seconds': 4}"),
      "worker.lease_seconds: must be a whole number from 5 to 3600" },
    { WITH("'worker': {'max_attempts': -1}"),
      "worker.max_attempts: must be a whole number from 0 to 1000000" },
    { WITH("'worker': {'retry_max_seconds': 0}"),
      "worker.retry_max_seconds: must be a whole number from 1 to 86400" },
    { WITH("'worker': {'grace_seconds': 3601}"),
      "worker.grace_seconds: must be a whole number from 0 to 3600" },
    { WITH("'worker': {'recheck_seconds': 10}"),
      "worker.recheck_seconds: must be a list" },
    { WITH("'worker': {'recheck_seconds': []}"),
      "worker.recheck_seconds: must have 1 to 9 numbers" },
    { WITH("'worker': {'recheck_seconds': [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}"),
      "worker.recheck_seconds: must have 1 to 9 numbers" },
    { WITH("'worker': {'recheck_seconds': [0]}"),
      "worker.recheck_seconds[0]: must be a whole number from 1 to 86400" },
    { WITH("'worker': {'recheck_seconds': [10, 10]}"),
      "worker.recheck_seconds[1]: must be a whole number from 11 to 86400" },
    { WITH("'worker': {'recheck_seconds': [10, 86401]}"),
      "worker.recheck_seconds[1]: must be a whole number from 11 to 86400" },
    { WITH("'worker': {'limits': []}"),
      "worker.limits: must be an object" },
    { WITH("'worker': {'limits': {'nobody': {}}}"),
      "worker.limits.nobody: no storage \"nobody\"" },
    { WITH("'worker': {'limits': {'main': 5}}"),
      "worker.limits.main: must be an object" },
    { WITH("'worker': {'limits': {'main': {'per_day': 5}}}"),
      "worker.limits.main: unknown key \"per_day\"" },
    { WITH("'worker': {'limits': {'main': {'requests_per_second': 0}}}"),
      "worker.limits.main.requests_per_second: must be a whole number from 1 to "
      "1000000" },
    { WITH("'worker': {'limits': {'main': {'requests_per_second': 1000001}}}"),
      "worker.limits.main.requests_per_second: must be a whole number from 1 to "
      "1000000" },
    { WITH("'worker': {'limits': {'main': {'requests_per_second': '5'}}}"),
      "worker.limits.main.requests_per_second: must be a whole number from 1 to "
      "1000000" },
    { WITH("'worker': {'limits': {'main': {'requests_per_second': 1.5}}}"),
      "worker.limits.main.requests_per_second: must be a whole number from 1 to "
      "1000000" },
    { WITH("'worker': {'limits': {'main': {'bytes_per_second': 16383}}}"),
      "worker.limits.main.bytes_per_second: must be a number of bytes from "
      "16384 to 2^40, or a string such as \"200MiB\" (KiB, MiB, GiB, TiB)" },
    { WITH("'worker': {'limits': {'main': {'bytes_per_second': '15KiB'}}}"),
      "worker.limits.main.bytes_per_second: must be a number of bytes from "
      "16384 to 2^40, or a string such as \"200MiB\" (KiB, MiB, GiB, TiB)" },
    { WITH("'worker': {'limits': {'main': {'bytes_per_second': 'MiB'}}}"),
      "worker.limits.main.bytes_per_second: must be a number of bytes from "
      "16384 to 2^40, or a string such as \"200MiB\" (KiB, MiB, GiB, TiB)" },
    { WITH("'worker': {'limits': {'main': {'bytes_per_second': '1MB'}}}"),
      "worker.limits.main.bytes_per_second: must be a number of bytes from "
      "16384 to 2^40, or a string such as \"200MiB\" (KiB, MiB, GiB, TiB)" },
    { WITH("'worker': {'limits': {'main': {'bytes_per_second': '2TiB'}}}"),
      "worker.limits.main.bytes_per_second: must be a number of bytes from "
      "16384 to 2^40, or a string such as \"200MiB\" (KiB, MiB, GiB, TiB)" },
    { WITH("'worker': {'limits': {'main': {'bytes_per_second': '-1MiB'}}}"),
      "worker.limits.main.bytes_per_second: must be a number of bytes from "
      "16384 to 2^40, or a string such as \"200MiB\" (KiB, MiB, GiB, TiB)" },
    { WITH("'worker': {'limits': {"
           "'main': {'bytes_per_second': '99999999999999999999GiB'}}}"),
      "worker.limits.main.bytes_per_second: must be a number of bytes from "
      "16384 to 2^40, or a string such as \"200MiB\" (KiB, MiB, GiB, TiB)" },
    { WITH("'worker': {'limits': {'main': {'bytes_per_second': 1.5}}}"),
      "worker.limits.main.bytes_per_second: must be a number of bytes from "
      "16384 to 2^40, or a string such as \"200MiB\" (KiB, MiB, GiB, TiB)" },
    { WITH("'worker': {'limits': {'main': {'bytes_per_second': null}}}"),
      "worker.limits.main.bytes_per_second: must be a number of bytes from "
      "16384 to 2^40, or a string such as \"200MiB\" (KiB, MiB, GiB, TiB)" },
};


static void
broken_files(void **state)
{
    size_t           i;
    chorus_config_t  config;
    chorus_error_t   error;

    (void) state;

    for (i = 0; i < NROWS(broken); i++) {

        check_int(broken[i].json, parse(broken[i].json, true, &config, &error),
                  CHORUS_ERROR);

        if (strcmp(error.text, broken[i].error) != 0) {
            fail_msg("%s: got \"%s\", expected \"%s\"", broken[i].json,
                     error.text, broken[i].error);
        }

        assert_null(strstr(error.text, "S3CR3T"));
        check_int("nothing left", (int64_t) config.nstorages, 0);
    }
}


static void
readable_by_everyone(void **state)
{
    size_t           i;
    chorus_rc_t      rc;
    chorus_config_t  config;
    chorus_error_t   error;

    static const struct {
        const char  *json;
        const char  *place;         /* NULL: nothing to hide */
    } rows[] = {
        { SECRET("'access_key': 'A', 'secret_key': 'S3CR3T'"),
          "storages.main.users.alice.secret_key" },
        { SECRET("'access_key': 'A', 'secret_key': '${env:ALICE_SECRET}'"),
          NULL },
        { SECRET("'access_key': 'A', 'secret_key_file': 'f'"), NULL },
        { "{'redis': {'url': 'redis://:S3CR3T@h'}}", "redis.url" },
        { "{'redis': {'url': 'redis+sentinel://h/s', "
          "'sentinel_password': 'S3CR3T'}}", "redis.sentinel_password" },
        { "{'redis': {'url': 'redis://h'}, 'storages': {'main': {'endpoint': "
          "'http://h', 'main': true, 'users': {'a': {'access_key': 'A', "
          "'secret_key_file': 'f'}}}}}", NULL },
        { "{'redis': {'url': '${env:REDIS_URL}'}, 'storages': {'main': "
          "{'endpoint': 'http://h', 'main': true, 'users': {'a': "
          "{'access_key': 'A', 'secret_key_file': 'f'}}}}}", NULL },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        rc = parse(rows[i].json, false, &config, &error);

        if (rows[i].place == NULL) {
            check_int(rows[i].json, rc, CHORUS_OK);
            chorus_config_close(&config);
            continue;
        }

        check_int(rows[i].json, rc, CHORUS_ERROR);
        check_has(rows[i].json, error.text, rows[i].place);
        check_has(rows[i].json, error.text,
                  "run: chmod o-rwx /etc/chorus/chorus.json");
        assert_null(strstr(error.text, "S3CR3T"));
    }
}


/* ---- on disk ---- */


static char  folder[64];


static const char *
in_folder(const char *name)
{
    static char  path[128];

    (void) snprintf(path, sizeof(path), "%s/%s", folder, name);

    return path;
}


static void
write_file(const char *name, const char *text, mode_t mode)
{
    FILE  *file;

    file = fopen(in_folder(name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(in_folder(name), mode), 0);
}


static void
load_from_disk(void **state)
{
    size_t           i;
    chorus_rc_t      rc;
    chorus_str_t     text;
    chorus_config_t  config;
    chorus_error_t   error;

    static const struct {
        const char  *name;
        const char  *secret;
        mode_t       secret_mode;
        mode_t       config_mode;
        const char  *expected;      /* the secret; NULL: refused */
        const char  *error;
    } rows[] = {
        { "plain", "S3CR3T", 0600, 0600, "S3CR3T", NULL },
        { "a line", "S3CR3T\n", 0640, 0644, "S3CR3T", NULL },
        { "a line of Windows", "S3CR3T\r\n", 0600, 0600, "S3CR3T", NULL },
        { "empty", "\n", 0600, 0600, NULL, "the file is empty" },
        { "two lines", "S3CR3T\nx\n", 0600, 0600, NULL, "printable" },
        { "everyone reads", "S3CR3T", 0604, 0600, NULL, "chmod o-rwx" },
        { "everyone writes", "S3CR3T", 0602, 0600, NULL, "chmod o-rwx" },
    };

    (void) state;

    text = json_of(&mem, "{'storages': {'main': {'endpoint': 'http://h', "
                   "'main': true, 'users': {'a': {'access_key': 'A', "
                   "'secret_key_file': 'secret'}}}}, "
                   "'api': {'token_file': 'token'}}");

    for (i = 0; i < NROWS(rows); i++) {

        write_file("secret", rows[i].secret, rows[i].secret_mode);
        write_file("chorus.json", text.data, rows[i].config_mode);

        rc = chorus_config_load(&mem, in_folder("chorus.json"), &config,
                                &error);

        if (rows[i].expected == NULL) {
            check_int(rows[i].name, rc, CHORUS_ERROR);
            check_has(rows[i].name, error.text, rows[i].error);
            check_has(rows[i].name, error.text, "chorus.json: storages.main");
            assert_null(strstr(error.text, "S3CR3T"));
            continue;
        }

        if (rc != CHORUS_OK) {
            fail_msg("%s: %s", rows[i].name, error.text);
        }

        check_str(rows[i].name,
                  config.main->users[0].credentials[0].secret_key,
                  rows[i].expected);
        check_str("token", config.api_token_file, in_folder("token"));
        chorus_config_close(&config);
    }
}


static void
refuse_from_disk(void **state)
{
    chorus_str_t     text;
    chorus_config_t  config;
    chorus_error_t   error;

    (void) state;

    assert_int_equal(chorus_config_load(&mem, in_folder("none"), &config,
                                        &error), CHORUS_ERROR);
    check_has("missing", error.text, "none: No such file or directory");

    assert_int_equal(chorus_config_load(&mem, folder, &config, &error),
                     CHORUS_ERROR);
    check_has("a folder", error.text, "not a regular file");

    text = json_of(&mem, "{" STORAGES "}");
    write_file("chorus.json", text.data, 0644);
    assert_int_equal(chorus_config_load(&mem, in_folder("chorus.json"),
                                        &config, &error), CHORUS_ERROR);
    check_has("mode", error.text, "run: chmod o-rwx");
    check_has("mode", error.text, in_folder("chorus.json"));

    write_file("chorus.json", text.data, 0640);
    assert_int_equal(chorus_config_load(&mem, in_folder("chorus.json"),
                                        &config, &error), CHORUS_OK);
    chorus_config_close(&config);
}


static void
ca_file_from_disk(void **state)
{
    chorus_str_t     text;
    chorus_config_t  config;
    chorus_error_t   error;

    (void) state;

    text = json_of(&mem, "{'storages': {'main': {'endpoint': 'https://h', "
                   "'ca_file': 'ca.pem', 'main': true, 'users': {"
                   ALICE("A") "}}}}");
    write_file("chorus.json", text.data, 0600);

    assert_int_equal(chorus_config_load(&mem, in_folder("chorus.json"),
                                        &config, &error), CHORUS_ERROR);
    check_has("missing", error.text, "chorus.json: storages.main.ca_file: ");
    check_has("missing", error.text, in_folder("ca.pem: No such file"));
    check_int("closed", (int64_t) config.nstorages, 0);

    write_file("ca.pem", "-----BEGIN CERTIFICATE-----\n", 0644);
    assert_int_equal(chorus_config_load(&mem, in_folder("chorus.json"),
                                        &config, &error), CHORUS_OK);
    check_str("in the folder", config.main->ca_file, in_folder("ca.pem"));
    chorus_config_close(&config);
}


/* The secrets are gone from memory when a configuration is closed. */
static void
close_wipes_secrets(void **state)
{
    chorus_str_t     secret, password, sentinel;
    chorus_config_t  config;

    (void) state;

    parse_good(WITH("'redis': {'url': 'redis+sentinel://:S3CR3T@h/s', "
                    "'sentinel_password_file': 'f'}"), &config);

    secret = config.main->users[0].credentials[0].secret_key;
    password = config.redis.password;
    sentinel = config.redis.sentinel_password;
    check_str("secret", secret, "S3CR3T/MA");

    chorus_config_close(&config);

    assert_int_equal(secret.data[0], 0);
    assert_int_equal(secret.data[secret.len - 1], 0);
    assert_int_equal(password.data[0], 0);
    assert_int_equal(sentinel.data[0], 0);
}


/* Of what decides which keys go where, and of nothing else. */

static void
digest_of_rules(void **state)
{
    size_t           i;
    chorus_config_t  one, other;

    static const char  *same[] = {
        "{'storages': {" FOLLOWER ", 'main': {'endpoint': 'http://elsewhere',"
        "'main': true, 'users': {" ALICE("XX") "}}}}",
        WITH("'replications': []"),
        WITH("'worker': {'scans': 3}"),
    };

    static const char  *others[] = {
        WITH("'users': {'alice': [{'access_key': 'A', 'secret_key': 'C'}]}"),
        WITH("'routes': [{'user': '*', 'bucket': 'b', 'storage': 'main'}]"),
        "{'storages': {" MAIN "}}",
    };

    (void) state;

    parse_good(WITH("'region': 'r1'"), &one);
    assert_int_equal(strlen(one.digest), CHORUS_CONFIG_DIGEST);

    for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        parse_good(same[i], &other);
        assert_string_equal(other.digest, one.digest);
        chorus_config_close(&other);
    }

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        parse_good(others[i], &other);
        assert_string_not_equal(other.digest, one.digest);
        chorus_config_close(&other);
    }

    chorus_config_close(&one);
}


static int
folder_setup(void **state)
{
    (void) state;

    (void) snprintf(folder, sizeof(folder), "/tmp/chorus-config-XXXXXX");

    return mkdtemp(folder) == NULL ? -1 : 0;
}


static int
folder_teardown(void **state)
{
    (void) state;

    (void) unlink(in_folder("secret"));
    (void) unlink(in_folder("ca.pem"));
    (void) unlink(in_folder("chorus.json"));

    return rmdir(folder);
}


test_main(folder_setup, folder_teardown,
    test_row(read_everything),
    test_row(defaults),
    test_row(abilities),
    test_row(reserved_names),
    test_row(replication_parts),
    test_row(redis_urls),
    test_row(redis_sentinels),
    test_row(endpoints),
    test_row(broken_files),
    test_row(readable_by_everyone),
    test_row(load_from_disk),
    test_row(refuse_from_disk),
    test_row(ca_file_from_disk),
    test_row(close_wipes_secrets),
    test_row(digest_of_rules)
)
