/*
 * What the screen shows: taken from the API by one thread, drawn by another,
 * a copy between them.  Of many replications those that lag most are kept.
 */

#ifndef DASH_DATA_H
#define DASH_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api.h"

#define DASH_ROWS      200
#define DASH_SCANS     32
#define DASH_WORKERS   64
#define DASH_NAME      96
#define DASH_HISTORY   120
#define DASH_ALERTS    8
#define DASH_ALERT     160


typedef struct {
    char     name[DASH_NAME];
    char     state[16];
    int64_t  lag_ms;
    int64_t  waiting;           /* dirty, bulk */
    int64_t  busy;
    int64_t  retry;
    int64_t  parked;
    int64_t  done;              /* a counter */
    double   rate;              /* of it, a second; -1: not known yet */
} dash_row_t;

typedef struct {
    char     name[DASH_NAME];
    char     kind[16];
    int64_t  steps;             /* parts, while it lists; then keys */
    int64_t  steps_done;
    int64_t  compared;
    int64_t  speed;             /* keys a second, compared or copied */
    int64_t  different;
} dash_scan_t;

typedef struct {
    char     name[DASH_NAME];
    int64_t  slots;
    int64_t  busy;
    int64_t  requests;
    int64_t  errors;
    int64_t  throttles;
} dash_worker_t;

typedef struct {
    int64_t        looked_ms;   /* monotonic; 0: nothing is known yet */
    bool           has_api;
    bool           has_redis;
    size_t         total;       /* replications */

    dash_row_t     rows[DASH_ROWS];
    size_t         nrows;
    dash_row_t     sum;         /* of all; of lag the longest */
    int64_t        bytes;       /* written to followers: a counter */
    double         bytes_rate;
    size_t         owed;        /* scans */
    size_t         held;
    size_t         guarded;     /* paused by the delete guard */

    dash_scan_t    scans[DASH_SCANS];
    size_t         nscans;
    dash_worker_t  workers[DASH_WORKERS];
    size_t         nworkers;
    size_t         most_workers;    /* since the screen was opened */

    size_t         nproxies;
    size_t         behind;      /* readers of an older policy */
    int64_t        version;     /* of the policy */

    int64_t        requests;    /* of clients: a counter */
    double         requests_rate;
    int64_t        unsent;      /* marks that Redis has not */
    char           journal[16]; /* "good", ...; empty: none */
    int64_t        journal_bytes;

    double         history[DASH_HISTORY];   /* done a second, oldest first */
    size_t         nhistory;
    char           alerts[DASH_ALERTS][DASH_ALERT];
    size_t         nalerts;
} dash_data_t;


/* Asks for all; rates are those since `before`, which may know nothing. */
void dash_data_look(const ctl_options_t *options, const dash_data_t *before,
    dash_data_t *data);


#endif
