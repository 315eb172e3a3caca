/*
 * Questions that only a worker can answer, because they need a storage.  The
 * question goes to Redis, workers take it from there, and the answer is looked
 * for until the time is over: nobody waits but this request.
 */

#include "ngx_http_chorus_api.h"
#include "chorus_library.h"


#define NGX_HTTP_CHORUS_ASK_FIRST  20           /* ms until the first look */
#define NGX_HTTP_CHORUS_ASK_PAUSE  100          /* ms between two, at most */
#define NGX_HTTP_CHORUS_ASK_TIME   10           /* s, unless the query says */
#define NGX_HTTP_CHORUS_ASK_MAX    30


struct ngx_http_chorus_api_question_s {
    ngx_http_chorus_api_t          *api;
    ngx_http_chorus_api_answer_pt   answer;
    ngx_event_t                     timer;
    ngx_msec_t                      pause;
    ngx_msec_t                      until;
    ngx_str_t                       id;
    unsigned                        taken:1;
};


static ngx_http_chorus_api_question_t *ngx_http_chorus_ask_create(
    ngx_http_chorus_api_t *api);
static void ngx_http_chorus_ask_cleanup(void *data);
static ngx_int_t ngx_http_chorus_ask_asked(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);
static ngx_int_t ngx_http_chorus_ask_wait(
    ngx_http_chorus_api_question_t *question);
static void ngx_http_chorus_ask_look(ngx_event_t *ev);
static ngx_int_t ngx_http_chorus_ask_heard(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);
static ngx_int_t ngx_http_chorus_ask_answered(ngx_http_chorus_api_t *api,
    ngx_str_t *text);
static ngx_int_t ngx_http_chorus_ask_over(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text);


ngx_int_t
ngx_http_chorus_api_question(ngx_http_chorus_api_t *api, json_t *question,
    ngx_http_chorus_api_answer_pt answer)
{
    char       *text;
    u_char     *digits;
    uint64_t    seconds;
    ngx_int_t   rc;
    ngx_str_t   args[4];

    text = question ? json_dumps(question, JSON_COMPACT) : NULL;
    json_decref(question);

    if (ngx_http_chorus_api_integer(api, "timeout", 1,
                            NGX_HTTP_CHORUS_ASK_MAX, NGX_HTTP_CHORUS_ASK_TIME,
                            &seconds) != NGX_OK)
    {
        free(text);
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_BAD_REQUEST,
                   "bad_request", "timeout: is a number of seconds from 1 to "
                   "30");
    }

    api->question = ngx_http_chorus_ask_create(api);
    digits = ngx_pnalloc(api->request->pool, NGX_INT64_LEN);

    if (text == NULL || api->question == NULL || digits == NULL) {
        free(text);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api->question->answer = answer;
    api->question->until = ngx_current_msec + (ngx_msec_t) seconds * 1000;

    ngx_str_set(&args[0], CHORUS_REDIS_ASKS);
    ngx_str_set(&args[1], CHORUS_REDIS_ANSWERS);
    args[2].data = digits;
    args[2].len = ngx_sprintf(digits, "%uL", seconds * 1000) - digits;
    args[3].data = (u_char *) text;
    args[3].len = ngx_strlen(text);

    /* hiredis copies what it sends */
    rc = ngx_http_chorus_api_ask(api, "FCALL", "chorus_ask", 2, args, 4,
                                 ngx_http_chorus_ask_asked);
    free(text);

    return rc;
}


static ngx_http_chorus_api_question_t *
ngx_http_chorus_ask_create(ngx_http_chorus_api_t *api)
{
    ngx_pool_cleanup_t              *cln;
    ngx_http_chorus_api_question_t  *question;

    cln = ngx_pool_cleanup_add(api->request->pool,
                               sizeof(ngx_http_chorus_api_question_t));
    if (cln == NULL) {
        return NULL;
    }

    question = cln->data;
    ngx_memzero(question, sizeof(ngx_http_chorus_api_question_t));

    question->api = api;
    question->pause = NGX_HTTP_CHORUS_ASK_FIRST;
    question->timer.handler = ngx_http_chorus_ask_look;
    question->timer.data = question;
    question->timer.log = api->request->connection->log;

    cln->handler = ngx_http_chorus_ask_cleanup;

    return question;
}


static void
ngx_http_chorus_ask_cleanup(void *data)
{
    ngx_http_chorus_api_question_t *question = data;

    if (question->timer.timer_set) {
        ngx_del_timer(&question->timer);
    }
}


static ngx_int_t
ngx_http_chorus_ask_asked(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    ngx_http_chorus_api_question_t  *question;

    if (result != NGX_HTTP_CHORUS_REDIS_REPLY) {
        return ngx_http_chorus_api_relay(api, result, text);
    }

    if (text->len == 0) {
        return ngx_http_chorus_api_refuse(api, NGX_HTTP_SERVICE_UNAVAILABLE,
                   "busy", "workers have as many questions as they may have; "
                   "try again later");
    }

    question = api->question;
    question->id.data = ngx_pstrdup(api->request->pool, text);
    question->id.len = text->len;

    if (question->id.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_chorus_ask_wait(question);
}


/* The timer holds the request. */

static ngx_int_t
ngx_http_chorus_ask_wait(ngx_http_chorus_api_question_t *question)
{
    question->api->request->main->count++;
    ngx_add_timer(&question->timer, question->pause);

    question->pause = ngx_min(2 * question->pause,
                              NGX_HTTP_CHORUS_ASK_PAUSE);
    return NGX_DONE;
}


static void
ngx_http_chorus_ask_look(ngx_event_t *ev)
{
    ngx_int_t                        rc;
    ngx_uint_t                       is_over;
    ngx_connection_t                *c;
    ngx_http_request_t              *r;
    ngx_http_chorus_api_question_t  *question;

    question = ev->data;
    r = question->api->request;
    c = r->connection;

    is_over = (ngx_msec_int_t) (ngx_current_msec - question->until) >= 0;

    ngx_str_t  args[] = {
        ngx_string(CHORUS_REDIS_ASKS),
        ngx_string(CHORUS_REDIS_ANSWERS),
        question->id
    };

    rc = ngx_http_chorus_api_ask(question->api, "FCALL",
                                 is_over ? "chorus_ask_give_up"
                                         : "chorus_ask_hear", 2, args, 3,
                                 is_over ? ngx_http_chorus_ask_over
                                         : ngx_http_chorus_ask_heard);

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_chorus_ask_heard(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    ngx_str_t  answer;

    if (result != NGX_HTTP_CHORUS_REDIS_REPLY) {
        return ngx_http_chorus_api_relay(api, result, text);
    }

    if (text->len != 0 && text->data[0] == '=') {
        answer.data = text->data + 1;
        answer.len = text->len - 1;
        return ngx_http_chorus_ask_answered(api, &answer);
    }

    if (text->len != 0 && text->data[0] == 't') {
        api->question->taken = 1;
    }

    return ngx_http_chorus_ask_wait(api->question);
}


static ngx_int_t
ngx_http_chorus_ask_answered(ngx_http_chorus_api_t *api, ngx_str_t *text)
{
    json_t     *answer;
    ngx_int_t   rc;

    answer = json_loadb((char *) text->data, text->len, 0, NULL);

    rc = json_is_object(answer)
         ? api->question->answer(api, answer, NULL)
         : api->question->answer(api, NULL, "the worker's answer could not "
                                 "be read");
    json_decref(answer);

    return rc;
}


static ngx_int_t
ngx_http_chorus_ask_over(ngx_http_chorus_api_t *api,
    ngx_http_chorus_redis_result_t result, ngx_str_t *text)
{
    (void) result;
    (void) text;

    return api->question->answer(api, NULL, api->question->taken
                  ? "a worker took the question and did not answer in time"
                  : "no worker answers: is chorus-worker running?");
}


ngx_int_t
ngx_http_chorus_api_answer_error(ngx_http_chorus_api_t *api,
    const json_t *error)
{
    ngx_uint_t   status;
    const char  *code, *message;

    code = json_string_value(json_object_get(error, "code"));
    message = json_string_value(json_object_get(error, "message"));

    if (code == NULL || message == NULL) {
        code = "bad_answer";
        message = "the worker's answer could not be read";
    }

    status = ngx_strncmp(code, "unknown_", 8) == 0 ? NGX_HTTP_NOT_FOUND
                                                   : NGX_HTTP_BAD_GATEWAY;

    return ngx_http_chorus_api_refuse(api, status, code, message);
}
