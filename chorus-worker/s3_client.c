/*
 * libcurl as it is used here: one multi handle a slot, an easy handle a lane,
 * HTTP/1.1, no redirects, no proxies from the environment, no decoding, and
 * nothing of a path changed.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "doubt.h"
#include "health.h"
#include "log.h"
#include "region.h"
#include "s3_client.h"
#include "chorus_sigv4.h"
#include "s3_learn.h"
#include "s3_pace.h"
#include "s3_sign.h"

#define S3_CONNECT_TIMEOUT_S   5
#define S3_STALL_TIMEOUT_S     30
#define S3_POLL_MS             250
#define S3_BUFFER_SIZE         (64 * 1024)
/* S3 ends idle connections: rather open one than run into its end */
#define S3_CONNECTION_AGE_S    20


typedef struct {
    s3_client_t        *client;
    CURL               *easy;
    chorus_arena_t     *arena;
    chorus_mem_t        mem;
    s3_request_t        request;
    chorus_storage_t    storage;        /* as the bucket's region has it */
    s3_response_t       response;
    struct curl_slist  *headers;
    int64_t             skew;           /* with which it was dated */
    uint64_t            body_given;     /* to curl */
    doubt_t             doubt;
    s3_pace_t           pace;
    bool                is_active;
    bool                is_sent;        /* curl has it */
} s3_lane_state_t;

struct s3_client_s {
    CURLM            *multi;
    s3_signer_t       signer;
    s3_lane_state_t   lanes[S3_NLANES];
    s3_alive_pt       alive;
    s3_alive_pt       may_begin;
    void             *alive_data;
    unsigned          doubts;           /* DOUBT_* */
    bool              is_begun;         /* curl has something to begin */
};


static size_t
s3_client_on_header(char *bytes, size_t size, size_t n, void *data)
{
    chorus_str_t      line;
    s3_lane_state_t  *lane = data;

    line = (chorus_str_t) { bytes, size * n };

    while (line.len != 0 && (line.data[line.len - 1] == '\n'
                             || line.data[line.len - 1] == '\r'))
    {
        line.len--;
    }

    return s3_response_line(&lane->response, line) ? size * n : 0;
}


static size_t
s3_client_on_body(char *bytes, size_t size, size_t n, void *data)
{
    size_t            len, taken;
    uint64_t          total;
    s3_lane_state_t  *lane = data;

    len = size * n;

    if (!s3_response_length(&lane->response, &total)) {
        total = UINT64_MAX;
    }

    if (!s3_pace_may_take(&lane->pace, len, total)) {
        return CURL_WRITEFUNC_PAUSE;
    }

    if (lane->request.write == NULL || lane->response.status / 100 != 2) {
        s3_response_body(&lane->response, (chorus_str_t) { bytes, len });
        s3_pace_took(&lane->pace, len);
        return len;
    }

    taken = lane->request.write(lane->request.data, bytes, len);

    if (taken == S3_PAUSE) {
        return CURL_WRITEFUNC_PAUSE;
    }

    s3_pace_took(&lane->pace, len);

    return taken == len ? len : CURL_WRITEFUNC_ERROR;
}


static size_t
s3_client_read_memory(s3_lane_state_t *lane, char *out, size_t size)
{
    size_t  n;

    n = lane->request.body.len - (size_t) lane->body_given;
    if (n > size) {
        n = size;
    }

    memcpy(out, lane->request.body.data + lane->body_given, n);

    return n;
}


static uint64_t
s3_client_body_len(const s3_request_t *request)
{
    return request->read != NULL ? request->body_len : request->body.len;
}


static void
s3_client_note_given(s3_lane_state_t *lane, size_t n)
{
    lane->body_given += n;

    if (lane->body_given == s3_client_body_len(&lane->request)) {
        doubt_sent(&lane->doubt);
    }
}


static size_t
s3_client_on_read(char *out, size_t size, size_t n, void *data)
{
    size_t            given, room;
    s3_lane_state_t  *lane = data;

    room = s3_pace_may_send(&lane->pace, size * n);
    if (room == 0) {
        return CURL_READFUNC_PAUSE;
    }

    given = lane->request.read == NULL
            ? s3_client_read_memory(lane, out, room)
            : lane->request.read(lane->request.data, out, room);

    if (given == S3_PAUSE) {
        return CURL_READFUNC_PAUSE;
    }

    if (given == S3_ABORT) {
        return CURL_READFUNC_ABORT;
    }

    s3_client_note_given(lane, given);
    s3_pace_sent(&lane->pace, given);

    return given;
}


/* What a connection may hold of an answer that the limits let nobody take. */

static int
s3_client_on_socket(void *data, curl_socket_t fd, curlsocktype purpose)
{
    int               size;
    s3_lane_state_t  *lane = data;

    /* the system doubles it, for what it needs itself */
    size = (int) rate_window(lane->storage.name) / 2;

    if (size != 0 && purpose == CURLSOCKTYPE_IPCXN) {
        (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    }

    return CURL_SOCKOPT_OK;
}


/* The connection is there, and the request goes out. */

static int
s3_client_on_request(void *data, char *remote, char *local, int remote_port,
    int local_port)
{
    s3_lane_state_t  *lane = data;

    (void) remote;
    (void) local;
    (void) remote_port;
    (void) local_port;

    doubt_attempt(&lane->doubt);

    if (s3_client_body_len(&lane->request) == 0) {
        doubt_sent(&lane->doubt);
    }

    return CURL_PREREQFUNC_OK;
}


/* curl sends a request again on a new connection when a kept one turns out
 * to have been closed by the storage */
static int
s3_client_on_seek(void *data, curl_off_t offset, int origin)
{
    s3_lane_state_t  *lane = data;

    if (offset != 0 || origin != SEEK_SET) {
        return CURL_SEEKFUNC_FAIL;
    }

    lane->body_given = 0;

    if (lane->request.read == NULL) {
        return CURL_SEEKFUNC_OK;
    }

    return lane->request.rewind != NULL
           && lane->request.rewind(lane->request.data)
           ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}


static void
s3_client_lane_close(s3_lane_state_t *lane)
{
    if (lane->easy != NULL) {
        curl_easy_cleanup(lane->easy);
    }

    chorus_arena_destroy(lane->arena);
}


static bool
s3_client_lane_open(s3_client_t *client, s3_lane_state_t *lane)
{
    lane->client = client;
    lane->easy = curl_easy_init();
    lane->arena = chorus_arena_create();

    if (lane->easy == NULL || lane->arena == NULL) {
        return false;
    }

    lane->mem = chorus_arena_mem(lane->arena);
    s3_response_init(&lane->response, &lane->mem);

    return true;
}


s3_client_t *
s3_client_create(void)
{
    bool          is_open;
    size_t        i;
    s3_client_t  *client;

    client = calloc(1, sizeof(s3_client_t));
    if (client == NULL) {
        return NULL;
    }

    client->multi = curl_multi_init();
    is_open = client->multi != NULL && s3_signer_open(&client->signer);

    for (i = 0; i < S3_NLANES; i++) {
        is_open = s3_client_lane_open(client, &client->lanes[i]) && is_open;
    }

    if (!is_open) {
        s3_client_destroy(client);
        return NULL;
    }

    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, 4L);

    return client;
}


void
s3_client_destroy(s3_client_t *client)
{
    size_t  i;

    for (i = 0; i < S3_NLANES; i++) {
        s3_client_end(client, (s3_lane_t) i);
        s3_client_lane_close(&client->lanes[i]);
    }

    s3_signer_close(&client->signer);

    if (client->multi != NULL) {
        (void) curl_multi_cleanup(client->multi);
    }

    free(client);
}


void
s3_client_watch(s3_client_t *client, s3_alive_pt alive,
    s3_alive_pt may_begin, void *data)
{
    client->alive = alive;
    client->may_begin = may_begin;
    client->alive_data = data;
}


static void
s3_client_set_common(s3_lane_state_t *lane)
{
    long   stall;
    CURL  *easy;

    easy = lane->easy;
    stall = lane->request.stall_seconds != 0
            ? (long) lane->request.stall_seconds : S3_STALL_TIMEOUT_S;

    curl_easy_setopt(easy, CURLOPT_PRIVATE, lane);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "chorus-worker");
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT,
                     (long) S3_CONNECT_TIMEOUT_S);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, stall);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long) S3_CONNECTION_AGE_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long) S3_BUFFER_SIZE);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long) S3_BUFFER_SIZE);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, lane->response.curl_error);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, s3_client_on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, lane);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, s3_client_on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, lane);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, s3_client_on_request);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, lane);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, s3_client_on_socket);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, lane);
}


/* A ca_file is trusted instead of the system's authorities and not beside
 * them: libcurl would go on to its folder of certificates. */

static void
s3_client_set_tls(CURL *easy, const chorus_storage_t *storage)
{
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);

    if (storage->ca_file.len != 0) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, storage->ca_file.data);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
}


static void
s3_client_set_method(s3_lane_state_t *lane)
{
    CURL                *easy;
    uint64_t             len;
    const s3_request_t  *request;

    easy = lane->easy;
    request = &lane->request;

    if (strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }

    if (strcmp(request->method, "PUT") != 0
        && strcmp(request->method, "POST") != 0)
    {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
        return;
    }

    len = s3_client_body_len(request);

    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t) len);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, s3_client_on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, lane);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, s3_client_on_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, lane);
}


static void
s3_client_finish(s3_lane_state_t *lane, CURLcode result)
{
    (void) curl_multi_remove_handle(lane->client->multi, lane->easy);
    curl_slist_free_all(lane->headers);
    lane->headers = NULL;
    lane->is_active = false;
    s3_pace_end(&lane->pace);

    lane->response.result = result;
    s3_response_end(&lane->response);
    lane->client->doubts |= doubt_left(&lane->doubt, &lane->response);
}


static bool
s3_client_send(s3_client_t *client, s3_lane_state_t *lane)
{
    int64_t       now;
    s3_signed_t   sealed;

    lane->skew = health_skew(lane->request.storage->name);
    now = clock_wall() + lane->skew;

    if (!s3_sign(&client->signer, &lane->mem, &lane->request, now, &sealed)) {
        return false;
    }

    lane->headers = sealed.headers;

    curl_easy_reset(lane->easy);
    s3_client_set_common(lane);
    s3_client_set_tls(lane->easy, lane->request.storage);
    s3_client_set_method(lane);
    curl_easy_setopt(lane->easy, CURLOPT_URL, sealed.url.data);
    curl_easy_setopt(lane->easy, CURLOPT_HTTPHEADER, sealed.headers);

    client->is_begun = true;

    return curl_multi_add_handle(client->multi, lane->easy) == CURLM_OK;
}


/* As soon as the limits of the storage allow it; dated then. */

static void
s3_client_try(s3_client_t *client, s3_lane_state_t *lane)
{
    if (client->may_begin != NULL && !client->may_begin(client->alive_data)) {
        s3_client_end(client, (s3_lane_t) (lane - client->lanes));
        return;
    }

    if (!s3_pace_may_start(&lane->pace)) {
        return;
    }

    lane->is_sent = true;

    if (!s3_client_send(client, lane)) {
        s3_client_finish(lane, CURLE_OUT_OF_MEMORY);
    }
}


const s3_response_t *
s3_client_start(s3_client_t *client, s3_lane_t which,
    const s3_request_t *request)
{
    s3_lane_state_t  *lane;

    lane = &client->lanes[which];

    s3_client_end(client, which);

    chorus_arena_reset(lane->arena);
    s3_response_init(&lane->response, &lane->mem);
    lane->request = *request;
    lane->storage = region_storage(&lane->mem, request);
    lane->request.storage = &lane->storage;
    lane->body_given = 0;
    lane->is_active = true;
    lane->is_sent = false;
    doubt_begin(&lane->doubt, request);
    s3_pace_begin(&lane->pace, client->multi, lane->storage.name,
                  strcmp(request->method, "GET") == 0);

    s3_client_try(client, lane);

    return &lane->response;
}


void
s3_client_end(s3_client_t *client, s3_lane_t which)
{
    s3_lane_state_t  *lane;

    lane = &client->lanes[which];

    if (lane->is_active) {
        lane->response.is_stopped = true;
        s3_client_finish(lane, CURLE_ABORTED_BY_CALLBACK);
    }
}


static void
s3_client_end_all(s3_client_t *client)
{
    size_t  i;

    for (i = 0; i < S3_NLANES; i++) {
        s3_client_end(client, (s3_lane_t) i);
    }
}


static void
s3_client_reap(s3_client_t *client)
{
    int               left;
    CURLMsg          *message;
    s3_lane_state_t  *lane;

    for ( ;; ) {
        message = curl_multi_info_read(client->multi, &left);
        if (message == NULL) {
            return;
        }

        if (message->msg != CURLMSG_DONE) {
            continue;
        }

        (void) curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
                                 (char **) &lane);
        s3_client_finish(lane, message->data.result);
        s3_learn_load(&lane->request, &lane->response, lane->easy);

        if (lane->response.status != 0) {
            health_progress(lane->request.storage->name);
            s3_learn_clock(&lane->request, &lane->response, lane->skew);
            s3_learn_region(&lane->request, &lane->storage, &lane->response);
        }
    }
}


static bool
s3_client_is_alive(s3_client_t *client)
{
    return client->alive == NULL || client->alive(client->alive_data);
}


/* Milliseconds until a lane may go on that the limits hold. */

static int
s3_client_wait_ms(s3_client_t *client)
{
    size_t   i;
    int64_t  at_us, next_us, now_us;

    next_us = RATE_NEVER;

    for (i = 0; i < S3_NLANES; i++) {
        at_us = s3_pace_next_us(&client->lanes[i].pace);
        next_us = at_us < next_us ? at_us : next_us;
    }

    now_us = clock_us();

    if (next_us <= now_us) {
        return 0;
    }

    return next_us - now_us >= S3_POLL_MS * 1000
           ? S3_POLL_MS : (int) ((next_us - now_us + 999) / 1000);
}


static void
s3_client_go_on(s3_client_t *client)
{
    size_t            i;
    s3_lane_state_t  *lane;

    for (i = 0; i < S3_NLANES; i++) {
        lane = &client->lanes[i];

        if (!lane->is_active || s3_pace_next_us(&lane->pace) > clock_us()) {
            continue;
        }

        if (lane->is_sent) {
            lane->pace.is_waiting = false;
            (void) curl_easy_pause(lane->easy, CURLPAUSE_CONT);

        } else {
            s3_client_try(client, lane);
        }
    }
}


static bool
s3_client_wait(s3_client_t *client)
{
    /* both before and after the wait, in which the machine may sleep */
    return s3_client_is_alive(client)
           && (client->is_begun
               || curl_multi_poll(client->multi, NULL, 0,
                                  s3_client_wait_ms(client), NULL)
                  == CURLM_OK)
           && s3_client_is_alive(client);
}


void
s3_client_step(s3_client_t *client)
{
    int  running;

    if (!s3_client_wait(client)) {
        s3_client_end_all(client);
        return;
    }

    s3_client_go_on(client);
    client->is_begun = false;

    if (curl_multi_perform(client->multi, &running) != CURLM_OK) {
        s3_client_end_all(client);
        return;
    }

    s3_client_reap(client);
}


void
s3_client_resume(s3_client_t *client, s3_lane_t which)
{
    s3_lane_state_t  *lane;

    lane = &client->lanes[which];

    if (lane->is_active) {
        (void) curl_easy_pause(lane->easy, CURLPAUSE_CONT);
    }
}


unsigned
s3_client_take_doubts(s3_client_t *client)
{
    unsigned  doubts;

    doubts = client->doubts;
    client->doubts = 0;

    return doubts;
}


const s3_response_t *
s3_client_call(s3_client_t *client, s3_lane_t which,
    const s3_request_t *request)
{
    const s3_response_t  *response;

    response = s3_client_start(client, which, request);

    while (!response->is_done) {
        s3_client_step(client);
    }

    return response;
}
