/*
 * Each command has an example here.
 */

#include "help.h"

#include <stddef.h>
#include <string.h>

#define HELP_NAME                                                            \
    "R is the name of a replication, as status prints it:\n"                 \
    "user:bucket:follower, or user:bucket:follower:target-bucket.\n\n"

#define HELP_LEVEL                                                           \
    "  --level quick    keys, sizes and ETags, as listed (default)\n"        \
    "  --level full     and metadata, tags, ACLs, locks: some requests for\n" \
    "                   each key\n"                                         \
    "  --level content  and the bytes: reads both sides whole\n"

#define HELP_WAIT                                                            \
    "  --wait           until it is done, with a bar on a terminal\n"

#define HELP_RULES                                                           \
    "  --user USER    of this user alone (default: of all)\n"                \
    "  --id ID        a name for it; else it gets one\n"                     \
    "  --wait           until all proxies and workers run it\n"                \
    "  --yes          do not ask\n\n"


typedef struct {
    const char  *group;
    const char  *text;
} help_page_t;


static const help_page_t  help_pages[] = {

    { "status",
      "LAG is the age of the oldest change that is not on the follower;\n"
      "PARKED keys are not tried again by themselves (chorusctl failed).\n\n"
      "examples:\n"
      "  chorusctl status\n"
      "  chorusctl -o json status | jq '.queue.totals.lag_ms'\n\n"
      "exit codes: 0; 1 Redis is away; 3 the API is\n" },

    { "limits",
      "What all workers together may ask of a storage a second. What is set\n"
      "holds within a second, and until it is unset.\n\n"
      "examples:\n"
      "  chorusctl limits show\n"
      "  chorusctl limits set main requests 500\n"
      "  chorusctl limits set follower bytes 200MiB\n"
      "  chorusctl limits unset main\n" },

    { "scans",
      HELP_NAME
      "examples:\n"
      "  chorusctl scans\n"
      "  chorusctl scans stop alice:photos:follower\n" },

    { "differences",
      HELP_NAME
      "A line a key: what is wrong (different, missing, surplus, unchecked),\n"
      "the key, and what both sides have. Those are kept that nobody has\n"
      "taken away, up to 10,000; for more: chorusctl check --report.\n\n"
      "examples:\n"
      "  chorusctl differences alice:photos:follower\n"
      "  chorusctl -o json differences alice:photos:follower | jq -r .key\n" },

    { "migrate",
      HELP_NAME
      HELP_WAIT "\n"
      "examples:\n"
      "  chorusctl migrate alice:photos:follower\n"
      "  chorusctl migrate --wait alice:photos:follower\n" },

    { "check",
      HELP_NAME
      HELP_LEVEL
      HELP_WAIT
      "  --report FILE    writes all that it finds to FILE, a line of JSON\n"
      "                   each, and returns when that is whole\n"
      "  --resume         goes on where FILE ends, after an interruption\n\n"
      "examples:\n"
      "  chorusctl check alice:photos:follower\n"
      "  chorusctl scans; chorusctl differences alice:photos:follower\n"
      "  chorusctl check --level full --report found alice:photos:follower\n"
      "  chorusctl check --report found --resume alice:photos:follower\n" },

    { "repair",
      HELP_NAME
      HELP_LEVEL
      HELP_WAIT
      "  --full           --level full\n"
      "  --delete-surplus deletes on the follower what main does not have,\n"
      "                   and compares in full\n\n"
      "examples:\n"
      "  chorusctl repair alice:photos:follower\n"
      "  chorusctl repair --level content --wait alice:photos:follower\n"
      "  chorusctl repair --delete-surplus alice:photos:follower\n" },

    { "storage",
      "A worker lists the buckets of a user on each: good, refusing (its\n"
      "credentials), failing (5xx) or silent.\n\n"
      "examples:\n"
      "  chorusctl storage list\n" },

    { "user",
      "examples:\n"
      "  chorusctl user list\n" },

    { "bucket",
      "A worker lists the buckets of the user.\n\n"
      "  --user USER        whose\n"
      "  --storage STORAGE  where (default: on main)\n\n"
      "examples:\n"
      "  chorusctl bucket list --user alice\n"
      "  chorusctl bucket list --user alice --storage follower\n" },

    { "audit",
      "What was changed, the newest first; 1,000 entries are kept.\n\n"
      "  -n COUNT     how many (default 100)\n"
      "  --kind KIND  replication, route, block, pause, limits, scan, failed,\n"
      "               guard or queue\n"
      "  --who NAME   by the token of that name\n\n"
      "examples:\n"
      "  chorusctl audit -n 100\n"
      "  chorusctl audit --kind guard --who alice\n" },

    { "resume",
      HELP_NAME
      "What the delete guard has paused goes on (chorusctl status says why it\n"
      "is paused). Look at main before, and at the follower, which still has\n"
      "everything.\n\n"
      "  alone             main has been mended: what it has again is not\n"
      "                    deleted\n"
      "  --accept-deletes  the deletes are right\n\n"
      "examples:\n"
      "  chorusctl resume alice:photos:follower\n"
      "  chorusctl resume alice:photos:follower --accept-deletes\n" },

    { "forget",
      HELP_NAME
      "Drops the queue, the counters and the last scan of what nobody wants\n"
      "any more, when all workers have agreed; chorusctl audit says what came\n"
      "of it.\n\n"
      "examples:\n"
      "  chorusctl repl delete photos --yes\n"
      "  chorusctl forget alice:photos:follower --yes\n" },

    { "config",
      "examples:\n"
      "  chorusctl config check /etc/chorus/chorus.json\n\n"
      "exit codes: 0 nginx and the worker would take it; 1 they would not\n" },

    { "repl",
      HELP_RULES
      "BUCKET is a name, a pattern \"~^logs-\", or \"*\"; what is made later\n"
      "and fits is replicated, too.\n\n"
      "examples:\n"
      "  chorusctl repl add photos --to follower --user alice --wait\n"
      "  chorusctl repl add '~^logs-' --to archive:all-logs --id logs\n"
      "  chorusctl repl add photos --to follower --migrate --guard 10%/3600\n"
      "  chorusctl repl list\n"
      "  chorusctl repl pause logs\n"
      "  chorusctl repl delete logs --yes\n" },

    { "route",
      HELP_RULES
      "examples:\n"
      "  chorusctl route add scratch --to archive --user alice\n"
      "  chorusctl route show scratch --user alice\n"
      "  chorusctl route delete ID --yes\n" },

    { "block",
      HELP_RULES
      "examples:\n"
      "  chorusctl block add photos --reason 'moves until 6' --reads\n"
      "  chorusctl block list\n"
      "  chorusctl block delete ID --yes\n" },

    { "pause",
      HELP_RULES
      "examples:\n"
      "  chorusctl pause add photos --to follower\n"
      "  chorusctl pause list\n"
      "  chorusctl pause delete ID --yes\n" },

    { "dash",
      "A screen that follows what goes on: replications with most lag first,\n"
      "scans, workers, proxies, alerts.\n\n"
      "  q, Ctrl-C      quit\n"
      "  up, down       through the replications; PgUp, PgDn: a page\n"
      "  p              hold the screen, and go on\n"
      "  -n SECONDS     between two looks (default 1)\n\n"
      "examples:\n"
      "  chorusctl dash\n"
      "  chorusctl dash -n 5\n" },

    { "completion",
      "examples:\n"
      "  source <(chorusctl completion bash)\n"
      "  chorusctl completion zsh > ~/.zfunc/_chorusctl\n" },

    { NULL, NULL }
};


const char *
help_of(const char *group)
{
    const help_page_t  *page;

    for (page = help_pages; page->group != NULL; page++) {
        if (strcmp(page->group, group) == 0) {
            return page->text;
        }
    }

    return NULL;
}
