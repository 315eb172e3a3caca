/*
 * A question of the API, and the answer; both JSON.
 *
 *     {"what": "storages"}
 *         {"storages": [{"name", "state", "status", "latency_ms", "reason"}]}
 *     {"what": "buckets", "storage", "user"}
 *         {"buckets": [name...], "is_whole"}
 *     {"what": "object", "user", "key", "sides": [{"storage", "bucket"}...]}
 *         {"sides": [{"state", "status", "reason", "size", "etag", ...}...]}
 *
 * "key" is percent-encoded, since a key may be any bytes; the empty one is the
 * bucket itself.  What cannot be asked: {"error": {"code", "message"}}.
 */

#ifndef ASK_ANSWER_H
#define ASK_ANSWER_H

#include "s3_client.h"

#define ASK_SIDES_MAX  16


/* A text to be freed; NULL without memory.  Ends when the client's watch says
 * so: what has not answered by then is told as silent. */
char *ask_answer(s3_client_t *client, const chorus_config_t *config,
    chorus_str_t question);


#endif
