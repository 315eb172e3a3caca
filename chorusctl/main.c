/*
 * chorusctl: the command line client of the control API.  A command is a row
 * of the table below.
 */

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "chorus_config.h"
#include "chorus_redis_tls.h"
#include "chorus_release.h"
#include "completion.h"
#include "dash.h"
#include "explain.h"
#include "failed.h"
#include "guard.h"
#include "help.h"
#include "limits.h"
#include "look.h"
#include "rules.h"
#include "scans.h"
#include "status.h"
#include "token_file.h"


/* exit codes: 0 done, 1 it failed or something needs a person, 2 the command
 * line is wrong, 3 the API, or Redis behind it, is away */
#define EXIT_USAGE  2
#define EXIT_AWAY   3


typedef struct {
    const char  *group;         /* "config check": group and verb */
    const char  *verb;          /* NULL when the group is the command */
    int          nargs;         /* words behind the command; -1: any, which
                                 * end with NULL */
    int        (*run)(const ctl_options_t *options, char **args);
    const char  *help;
} command_t;


static int config_check(const ctl_options_t *options, char **args);
static int completion_run(const ctl_options_t *options, char **args);


static const command_t  commands[] = {

    { "status", NULL, 0, status_run,
      "status               replications: state, lag, what waits" },

    { "dash", NULL, -1, dash_run,
      "dash                 the same as a screen that follows it" },

    { "limits", "show", 0, limits_show,
      "limits show          what workers may ask of each storage a second" },

    { "limits", "set", 3, limits_set,
      "limits set STORAGE requests|bytes N\n"
      "                       all workers together: 500, 200MiB, none; all\n"
      "                       of them within a second" },

    { "limits", "unset", 1, limits_unset,
      "limits unset STORAGE back to worker.limits of chorus.json" },

    { "storage", "list", 0, look_storages,
      "storage list         each storage: health, limits" },

    { "user", "list", 0, look_users,
      "user list            users, and the storages that know them" },

    { "bucket", "list", -1, look_buckets,
      "bucket list --user USER [--storage STORAGE]" },

    { "explain", NULL, -1, explain_run,
      "explain s3://BUCKET/KEY   why a key is or is not on a follower" },

    { "audit", NULL, -1, look_audit,
      "audit                what was changed, when and by whom" },

    { "failed", "list", -1, failed_run,
      "failed list [REPLICATION]   the keys that are parked, and why" },

    { "failed", "retry", -1, retry_run,
      "failed retry --all|REPLICATION [KEY]   tries them again" },

    { "failed", "drop", -1, failed_drop_run,
      "failed drop --all|REPLICATION [KEY] --yes   forgets parked keys" },

    { "failed", NULL, -1, failed_run,
      "failed [REPLICATION] short for failed list" },

    { "retry", NULL, -1, retry_run,
      "retry --all|REPLICATION [KEY]   short for failed retry" },

    { "resume", NULL, -1, guard_resume,
      "resume R [--accept-deletes]   what the delete guard has paused\n"
      "                       goes on; main has been mended, or is right" },

    { "forget", NULL, -1, guard_forget,
      "forget R --yes       drops the queue of what nobody replicates any\n"
      "                       more, once all workers agree" },

    { "scans", NULL, 0, scans_show,
      "scans                scans: what was compared, copied, differs" },

    { "scans", "stop", 1, scans_stop,
      "scans stop R         R: a replication, as status names it" },

    { "differences", NULL, 1, scans_differences,
      "differences R        what the last check found, a line a key" },

    { "migrate", NULL, -1, scans_migrate,
      "migrate [--wait] R   copy what main has and the follower has not\n"
      "                       (and wait until it is done: a bar)" },

    { "check", NULL, -1, scans_check,
      "check [--level quick|full|content] [--report FILE | --wait] R\n"
      "                       compare, and change nothing (check --help)" },

    { "repair", NULL, -1, scans_repair,
      "repair [--level quick|full|content] [--delete-surplus] [--wait] R\n"
      "                       copy what differs (repair --help)" },

    { "config", "check", 1, config_check,
      "config check FILE    is this chorus.json right?" },

    { "repl", "add", -1, rules_repl_add,
      "repl add BUCKET --to FOLLOWER[:BUCKET]   replicate a bucket, or a\n"
      "                       pattern (\"~^logs-\"); alone: its options" },

    { "repl", "list", -1, rules_repl_list,
      "repl list            what was set by repl add" },

    { "repl", "show", -1, rules_repl_show,
      "repl show ID         one of them" },

    { "repl", "pause", -1, rules_repl_pause,
      "repl pause ID        changes are noted and wait" },

    { "repl", "resume", -1, rules_repl_resume,
      "repl resume ID       and go on" },

    { "repl", "delete", -1, rules_repl_delete,
      "repl delete ID --yes no longer; what waits is still copied" },

    { "repl", "wait", -1, rules_repl_wait,
      "repl wait            until all proxies and workers run what is set" },

    { "route", "add", -1, rules_route_add,
      "route add BUCKET --to STORAGE   requests go there" },

    { "route", "list", -1, rules_route_list,
      "route list" },

    { "route", "show", -1, rules_route_show,
      "route show BUCKET --user USER   where it goes, and who says so" },

    { "route", "delete", -1, rules_route_delete,
      "route delete ID --yes" },

    { "block", "add", -1, rules_block_add,
      "block add BUCKET [--reason TEXT] [--reads]   requests get 503" },

    { "block", "list", -1, rules_block_list,
      "block list" },

    { "block", "delete", -1, rules_block_delete,
      "block delete ID --yes" },

    { "pause", "add", -1, rules_pause_add,
      "pause add BUCKET [--to FOLLOWER]   of all that replicates it" },

    { "pause", "list", -1, rules_pause_list,
      "pause list" },

    { "pause", "delete", -1, rules_pause_delete,
      "pause delete ID --yes" },

    { "completion", NULL, 1, completion_run,
      "completion bash|zsh  a script for the shell" },

    { NULL, NULL, 0, NULL, NULL }
};


static const struct option  long_options[] = {
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 }
};


static void
usage(FILE *out)
{
    const command_t  *command;

    fputs("usage: chorusctl [-u URL] [-t TOKEN_FILE] [-o json] COMMAND\n\n",
          out);

    for (command = commands; command->group; command++) {
        fprintf(out, "  %s\n", command->help);
    }

    fputs("\n"
          "  -u URL         the control API (default $ADMIN_URL, else "
          CTL_DEFAULT_URL ")\n"
          "  -t TOKEN_FILE  its token (default $ADMIN_TOKEN_FILE, else "
          CTL_DEFAULT_TOKEN_FILE ")\n"
          "  -o json        the API's own answer, for programs\n"
          "  -h, --help     this help; behind a command: of that\n"
          "  --version      of chorusctl; status tells that of the proxy\n\n"
          "exit codes: 0 done; 1 it failed, or a person is needed;\n"
          "2 the command line is wrong; 3 the API or its Redis is away\n\n"
          "example: chorusctl -u http://127.0.0.1:9671 -t api.token status\n",
          out);
}


static bool
command_words(size_t i, const char **group, const char **verb)
{
    *group = commands[i].group;
    *verb = commands[i].verb;

    return *group != NULL;
}


static int
completion_run(const ctl_options_t *options, char **args)
{
    (void) options;

    if (completion_print(args[0], command_words)) {
        return EXIT_SUCCESS;
    }

    fprintf(stderr, "chorusctl: completion is for bash and zsh, not for "
            "\"%s\"\n", args[0]);

    return EXIT_USAGE;
}


/* "repl --help", "repl add x --help": all of the group.  Words behind "--"
 * are no options; failed and retry have pages of their own. */

static bool
command_help(int argc, char **argv)
{
    int               i;
    bool              is_asked = false, is_there = false;
    const command_t  *command;

    for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        is_asked |= strcmp(argv[i], "--help") == 0
                    || strcmp(argv[i], "-h") == 0;
    }

    if (!is_asked || help_of(argv[0]) == NULL) {
        return false;
    }

    for (command = commands; command->group; command++) {
        if (strcmp(argv[0], command->group) == 0) {
            printf("%s  %s\n", is_there ? "" : "usage: chorusctl COMMAND\n\n",
                   command->help);
            is_there = true;
        }
    }

    if (is_there) {
        printf("\n%s", help_of(argv[0]));
    }

    return is_there;
}


/* Also what nginx and the worker would make of it when they start. */

static chorus_rc_t
config_check_all(chorus_mem_t *mem, const char *path, chorus_config_t *config,
    chorus_error_t *error)
{
    chorus_rc_t          rc;
    chorus_redis_tls_t  *tls;

    rc = chorus_config_load(mem, path, config, error);

    if (rc != CHORUS_OK || !config->redis.tls) {
        return rc;
    }

    tls = chorus_redis_tls_create(&config->redis, error);

    if (tls == NULL) {
        chorus_config_close(config);
        return CHORUS_ERROR;
    }

    chorus_redis_tls_destroy(tls);

    return CHORUS_OK;
}


/* A machine with a worker alone does without that file. */

static bool
config_check_token(const chorus_config_t *config)
{
    chorus_error_t      error;
    token_file_state_t  state;

    if (config->api_token_file.len == 0) {
        return true;
    }

    state = token_file_check(config->api_token_file.data, &error);

    if (state != TOKEN_FILE_GOOD) {
        fprintf(stderr, "chorusctl: but api.token_file: %s\n", error.text);
    }

    return state != TOKEN_FILE_BAD;
}


static int
config_check(const ctl_options_t *options, char **args)
{
    bool             is_good;
    chorus_mem_t     mem;
    chorus_rc_t      rc;
    chorus_arena_t  *arena;
    chorus_error_t   error;
    chorus_config_t  config;

    (void) options;

    is_good = false;
    arena = chorus_arena_create();
    if (arena == NULL) {
        fputs("chorusctl: out of memory\n", stderr);
        return EXIT_FAILURE;
    }

    mem = chorus_arena_mem(arena);
    rc = config_check_all(&mem, args[0], &config, &error);

    if (rc == CHORUS_OK) {
        printf("%s: good: %zu storages, main is \"%.*s\", %zu users, "
               "%zu replication rules\n", args[0], config.nstorages,
               chorus_fmt(config.main->name), config.nusers,
               config.nreplications);

        is_good = config_check_token(&config);
        chorus_config_close(&config);

    } else {
        fprintf(stderr, "chorusctl: %s\n",
                rc == CHORUS_NOMEM ? "out of memory" : error.text);
    }

    chorus_arena_destroy(arena);

    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}


static const char *
from_environment(const char *name, const char *otherwise)
{
    const char  *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : otherwise;
}


/* Of a group that is there, what it has; else that there is no such one. */

static int
command_unknown(const char *group)
{
    bool              is_there = false;
    const command_t  *command;

    for (command = commands; command->group; command++) {
        if (strcmp(group, command->group) == 0) {
            fprintf(stderr, "%s  %s\n",
                    is_there ? "" : "usage: chorusctl COMMAND\n\n",
                    command->help);
            is_there = true;
        }
    }

    if (!is_there) {
        fprintf(stderr, "chorusctl: no such command: %s\n"
                "usage: chorusctl COMMAND (chorusctl --help names them)\n",
                group);
    }

    return EXIT_USAGE;
}


static const command_t *
command_find(int argc, char **argv, char ***args)
{
    int               words;
    const command_t  *command;

    for (command = commands; command->group; command++) {
        words = command->verb ? 2 : 1;

        if ((command->nargs == -1 ? argc >= words
                                  : argc == words + command->nargs)
            && strcmp(argv[0], command->group) == 0
            && (command->verb == NULL || strcmp(argv[1], command->verb) == 0))
        {
            *args = argv + words;
            return command;
        }
    }

    return NULL;
}


int
main(int argc, char **argv)
{
    int               c;
    char            **args;
    ctl_options_t     options;
    const command_t  *command;

    options.url = from_environment("ADMIN_URL", CTL_DEFAULT_URL);
    options.token_file = from_environment("ADMIN_TOKEN_FILE",
                                          CTL_DEFAULT_TOKEN_FILE);
    options.json = false;

    while ((c = getopt_long(argc, argv, "+u:t:o:h", long_options, NULL))
           != -1)
    {

        if (c == 'u') {
            options.url = optarg;

        } else if (c == 't') {
            options.token_file = optarg;

        } else if (c == 'o' && strcmp(optarg, "json") == 0) {
            options.json = true;

        } else if (c == 'h') {
            usage(stdout);
            return EXIT_SUCCESS;

        } else if (c == 'V') {
            puts("chorusctl " CHORUS_VERSION);
            return EXIT_SUCCESS;

        } else {
            usage(stderr);
            return EXIT_USAGE;
        }
    }

    if (argc > optind && strcmp(argv[optind], "limit") == 0) {
        argv[optind] = "limits";        /* both words are good */
    }

    if (argc > optind && command_help(argc - optind, argv + optind)) {
        return EXIT_SUCCESS;
    }

    command = argc > optind
              ? command_find(argc - optind, argv + optind, &args) : NULL;

    if (command == NULL && argc > optind) {
        return command_unknown(argv[optind]);
    }

    if (command == NULL) {
        usage(stderr);
        return EXIT_USAGE;
    }

    c = command->run(&options, args);

    return c == EXIT_FAILURE && api_is_away() ? EXIT_AWAY : c;
}
