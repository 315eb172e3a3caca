#include <string.h>

#include "ask_jobs.h"
#include "clock.h"


typedef struct {
    ask_job_t            *job;          /* NULL: the lane is free */
    const s3_response_t  *response;
} ask_lane_t;


void
ask_jobs_add(ask_jobs_t *jobs, const s3_request_t *request, json_t *row,
    ask_job_pt done)
{
    ask_job_t  *job;

    if (jobs->n == ASK_JOBS_MAX) {
        return;
    }

    job = &jobs->jobs[jobs->n++];
    job->request = *request;
    job->row = row;
    job->done = done;
}


static void
ask_jobs_fill(ask_jobs_t *jobs, s3_client_t *client, ask_lane_t *lanes)
{
    size_t  i;

    for (i = 0; i < S3_NLANES; i++) {

        if (lanes[i].job != NULL || jobs->next == jobs->n) {
            continue;
        }

        lanes[i].job = &jobs->jobs[jobs->next++];
        lanes[i].job->began_ms = clock_ms();
        lanes[i].response = s3_client_start(client, (s3_lane_t) i,
                                            &lanes[i].job->request);
    }
}


/* false: nothing is on its way any more. */

static bool
ask_jobs_reap(ask_lane_t *lanes, void *data)
{
    bool        is_busy;
    size_t      i;
    ask_job_t  *job;

    is_busy = false;

    for (i = 0; i < S3_NLANES; i++) {
        job = lanes[i].job;

        if (job == NULL) {
            continue;
        }

        if (!lanes[i].response->is_done) {
            is_busy = true;
            continue;
        }

        lanes[i].job = NULL;
        job->done(data, job, lanes[i].response);
    }

    return is_busy;
}


void
ask_jobs_run(ask_jobs_t *jobs, s3_client_t *client, void *data)
{
    bool        is_busy;
    ask_lane_t  lanes[S3_NLANES];

    memset(lanes, 0, sizeof(lanes));

    do {
        ask_jobs_fill(jobs, client, lanes);
        s3_client_step(client);
        is_busy = ask_jobs_reap(lanes, data);

    } while (is_busy || jobs->next != jobs->n);

    (void) s3_client_take_doubts(client);
}
