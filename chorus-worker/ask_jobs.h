/*
 * Small requests to several storages at once, as many as a client has lanes: a
 * storage that is silent holds one lane and nobody else.
 */

#ifndef ASK_JOBS_H
#define ASK_JOBS_H

#include <jansson.h>

#include "s3_client.h"

#define ASK_JOBS_MAX  256


typedef struct ask_job_s  ask_job_t;

/* The response is gone when this returns; it may add jobs. */
typedef void (*ask_job_pt)(void *data, ask_job_t *job,
    const s3_response_t *response);

struct ask_job_s {
    s3_request_t  request;
    json_t       *row;          /* what is to be filled in; not owned */
    ask_job_pt    done;
    int64_t       began_ms;
};

typedef struct {
    ask_job_t  jobs[ASK_JOBS_MAX];
    size_t     n;
    size_t     next;
} ask_jobs_t;


/* Those beyond the maximum are left out. */
void ask_jobs_add(ask_jobs_t *jobs, const s3_request_t *request, json_t *row,
    ask_job_pt done);
/* Until all are done, which the client's watch brings about. */
void ask_jobs_run(ask_jobs_t *jobs, s3_client_t *client, void *data);


#endif
