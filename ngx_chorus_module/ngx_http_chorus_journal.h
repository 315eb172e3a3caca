/*
 * The journal of one process, between its files:
 *
 *     journal_conf.c     directives, and whether the folder can be used
 *     journal.c          start and end of a process, its timer
 *     journal_segment.c  segments: made, written, held
 *     journal_tidy.c     and carried over, removed
 *     journal_intent.c   the intent of one request
 *     journal_adopt.c    finds segments that another process has left
 *     journal_replay.c   reads them, and marks what they say
 *     journal_debt.c     scans that are owed, and told to Redis
 *     journal_debt_file.c   and where they stand until it has them
 *     journal_sync.c     fdatasync in a thread
 *
 * A segment is a file that only this process appends to; a lock on it says so
 * as long as the process lives.  It is held by open intents, and by marks that
 * Redis has not acknowledged.  A mark that stands for several intents holds
 * the oldest segment of theirs: that is enough, because segments are removed
 * strictly in their order.
 */

#ifndef _NGX_HTTP_CHORUS_JOURNAL_H_INCLUDED_
#define _NGX_HTTP_CHORUS_JOURNAL_H_INCLUDED_


#include "ngx_http_chorus_module.h"
#include "chorus_journal.h"


#define NGX_HTTP_CHORUS_JOURNAL_TICK_MS   1000
#define NGX_HTTP_CHORUS_JOURNAL_HINTS     4096
#define NGX_HTTP_CHORUS_JOURNAL_NAME      96        /* of a file */
/* a segment is begun anew after so long, and what is open carried over */
#define NGX_HTTP_CHORUS_JOURNAL_AGE_MS    60000
#define NGX_HTTP_CHORUS_JOURNAL_DEBTS     16384     /* bytes of that file */


struct ngx_http_chorus_journal_conf_s {
    ngx_path_t                   *path;
    off_t                         max_size;
    off_t                         segment_size;
    ngx_msec_t                    window;
    unsigned                      rejects:1;        /* on_full=reject */
};


struct ngx_http_chorus_segment_s {
    ngx_queue_t                   queue;
    ngx_queue_t                   intents;  /* whose records stand here */
    ngx_http_chorus_journal_t    *journal;

    uint64_t                      order;    /* of all of this process */
    uint64_t                      salt;
    ngx_fd_t                      fd;
    off_t                         size;
    ngx_uint_t                    refs;
    ngx_msec_t                    created;
    ngx_msec_t                    settled;  /* last time a ref was given up */

    unsigned                      adopted:1;
    unsigned                      again:1;  /* to be marked once more */
    unsigned                      dirty:1;  /* since the last fdatasync */
    unsigned                      seen:1;   /* in the folder, a moment ago */
    unsigned                      missed:1; /* it was not */

    u_char                        name[NGX_HTTP_CHORUS_JOURNAL_NAME];
};


/* One write that main may apply, while that is open: during its request, and
 * until its marks have been repeated. */
struct ngx_http_chorus_intent_s {
    ngx_queue_t                   queue;
    ngx_http_chorus_segment_t    *segment;
    uint64_t                      id;
    uint64_t                      time_ms;
    off_t                         offset;
    size_t                        len;      /* of the whole record */
    ngx_uint_t                    refs;
};


typedef struct ngx_http_chorus_adopt_s  ngx_http_chorus_adopt_t;
typedef struct ngx_http_chorus_sync_s  ngx_http_chorus_sync_t;

/* ABORT or DONE of an intent */
typedef struct {
    uint64_t                      id;
    uint32_t                      type;
} ngx_http_chorus_ending_t;


struct ngx_http_chorus_adopt_s {
    ngx_http_chorus_journal_t    *journal;
    ngx_event_t                   event;

    /* the segment being read; NULL: none */
    ngx_http_chorus_segment_t    *segment;
    u_char                       *bytes;
    chorus_journal_reader_t       reader;
    ngx_http_chorus_ending_t     *endings;  /* sorted: ABORT and DONE */
    size_t                        nendings;
    ngx_uint_t                    marked;   /* writes */
    ngx_uint_t                    nbad;
    unsigned                      is_again:1;
    unsigned                      is_closed:1;
    unsigned                      waits:1;  /* it is of a Redis to be met */
};


struct ngx_http_chorus_journal_s {
    ngx_http_chorus_main_conf_t  *cmcf;
    ngx_http_chorus_journal_conf_t  *conf;
    ngx_log_t                    *log;
    ngx_str_t                     dir;

    ngx_queue_t                   segments;     /* oldest first */
    ngx_http_chorus_segment_t    *current;      /* NULL: none */
    uint64_t                      order;
    uint64_t                      ids;

    /* ABORT and DONE that go with the next write, or at the end of this turn
     * of the event loop */
    u_char                        hints[NGX_HTTP_CHORUS_JOURNAL_HINTS];
    size_t                        hints_len;
    ngx_event_t                   flush;

    ngx_msec_t                    started;
    ngx_event_t                   tick;
    off_t                         bytes;        /* in the folder, about */
    ngx_uint_t                    nsegments;
    ngx_msec_t                    retry;        /* not before, when failing */
    unsigned                      failing:1;    /* a write has failed */
    unsigned                      full:1;       /* max_size is reached */

    ngx_http_chorus_adopt_t      *adopt;
    ngx_http_chorus_sync_t       *sync;         /* NULL: off */
};


#define NGX_HTTP_CHORUS_DEBTS_EVERY  "*"

typedef struct {
    ngx_queue_t                   queue;
    ngx_http_chorus_debts_t      *debts;
    chorus_str_t                  replication;
    chorus_str_t                  reason;       /* a literal */
    uint64_t                      time_ms;      /* since when */
    ngx_msec_t                    when;         /* it was told */
    unsigned                      due:1;        /* to be said to Redis */
    unsigned                      said:1;       /* and no reply yet */
    unsigned                      told:1;       /* Redis has it */
    unsigned                      counted:1;
} ngx_http_chorus_debt_t;

struct ngx_http_chorus_debts_s {
    ngx_http_chorus_main_conf_t  *cmcf;
    ngx_log_t                    *log;
    ngx_queue_t                   list;
    ngx_uint_t                    n;

    ngx_fd_t                      fd;           /* or invalid */
    u_char                        name[NGX_HTTP_CHORUS_JOURNAL_NAME];
    uint64_t                      salt;
    size_t                        used;
    unsigned                      busy:1;       /* one is being said */
    unsigned                      every:1;      /* "*" stands in the file */
    unsigned                      unwritten:1;  /* it says too little */
    unsigned                      kept:1;       /* it said all at the end */
    unsigned                      complained:1;
    unsigned                      seen:1;       /* in the folder */
};


/* journal_segment.c */

/* Appends bytes made of frames with the salt of the segment that
 * _segment_ready() has returned.  NGX_OK, or NGX_DECLINED, when nothing of
 * them is there. */
ngx_http_chorus_segment_t *ngx_http_chorus_segment_ready(
    ngx_http_chorus_journal_t *journal);
ngx_int_t ngx_http_chorus_segment_append(ngx_http_chorus_segment_t *segment,
    u_char *bytes, size_t len);
/* The path of a file of the folder, terminated; valid until the next call. */
u_char *ngx_http_chorus_journal_path(ngx_http_chorus_journal_t *journal,
    const u_char *name);
/* Creates and locks a file with a new name.  `name` is
 * NGX_HTTP_CHORUS_JOURNAL_NAME bytes. */
ngx_fd_t ngx_http_chorus_journal_create(ngx_http_chorus_journal_t *journal,
    const char *suffix, u_char *name, uint64_t *salt);
/* The salt in a name; NGX_DECLINED when it has none. */
ngx_int_t ngx_http_chorus_journal_salt(const u_char *name, uint64_t *salt);
ngx_http_chorus_segment_t *ngx_http_chorus_segment_add(
    ngx_http_chorus_journal_t *journal, ngx_fd_t fd, const u_char *name,
    uint64_t salt, off_t size);
uint64_t ngx_http_chorus_journal_now(void);
/* It is full, or old: another one is begun. */
ngx_uint_t ngx_http_chorus_segment_is_worn(
    ngx_http_chorus_segment_t *segment);

/* journal_tidy.c */
/* Removes what nothing holds, and carries over what stands in the way. */
void ngx_http_chorus_segments_tidy(ngx_http_chorus_journal_t *journal);
/* At the end of the process: what is settled is removed, what is not stays
 * for another one. */
void ngx_http_chorus_segments_leave(ngx_http_chorus_journal_t *journal);

/* journal.c: a write or the size of the folder is over its limit, or is not
 * any more */
void ngx_http_chorus_journal_fails(ngx_http_chorus_journal_t *journal,
    ngx_err_t err, const char *what);
void ngx_http_chorus_journal_works(ngx_http_chorus_journal_t *journal);

/* For tests: kills this process when it has written a half of this. */
#if (CHORUS_CRASH_POINTS)
void ngx_http_chorus_crash_within(ngx_http_chorus_segment_t *segment,
    const u_char *bytes, size_t len);
#else
#define ngx_http_chorus_crash_within(segment, bytes, len)
#endif

/* journal_adopt.c */
ngx_int_t ngx_http_chorus_adopt_init(ngx_http_chorus_journal_t *journal);
void ngx_http_chorus_adopt_exit(ngx_http_chorus_journal_t *journal);
/* Looks at the folder: sums it up, and takes what has no owner. */
void ngx_http_chorus_adopt_look(ngx_http_chorus_journal_t *journal);

/* journal_replay.c */
/* Begins to read that segment, whose size is known; NGX_ERROR when it cannot
 * be read.  adopt->segment is NULL before. */
ngx_int_t ngx_http_chorus_replay(ngx_http_chorus_adopt_t *adopt,
    ngx_http_chorus_segment_t *segment);
void ngx_http_chorus_replay_handler(ngx_event_t *ev);

/* journal_debt_file.c */
/* Makes the file and writes what is owed; complains once when it cannot. */
void ngx_http_chorus_debts_open(ngx_http_chorus_debts_t *debts);
/* It has been added to the list. */
void ngx_http_chorus_debt_store(ngx_http_chorus_debt_t *debt);
void ngx_http_chorus_debts_tidy(ngx_http_chorus_debts_t *debts);
/* Removes a file that says nothing. */
void ngx_http_chorus_debts_close(ngx_http_chorus_debts_t *debts);

/* journal_sync.c */
ngx_int_t ngx_http_chorus_sync_init(ngx_http_chorus_journal_t *journal,
    ngx_msec_t interval);
void ngx_http_chorus_sync_exit(ngx_http_chorus_journal_t *journal);


#endif /* _NGX_HTTP_CHORUS_JOURNAL_H_INCLUDED_ */
