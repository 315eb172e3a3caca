/*
 * The format of the journal: records one behind the other in a segment.
 *
 *     0   4  mark of the segment: the low half of its salt
 *     4   4  type
 *     8   4  length of the payload
 *     12  4  CRC32C of the salt and of all of the record but this
 *     16  8  id
 *     24  8  time in ms of the epoch
 *     32     payload
 *
 * Numbers are little-endian.  The salt is 64 random bits of the segment (they
 * are in its name): keys are bytes of clients, and nobody who does not know
 * the salt can write a key that passes for a record.
 */

#ifndef CHORUS_JOURNAL_H
#define CHORUS_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "chorus_str.h"


#define CHORUS_JOURNAL_HEAD         32
#define CHORUS_JOURNAL_PAYLOAD_MAX  (8 * 1024 * 1024)


typedef enum {
    CHORUS_JOURNAL_INTENT = 1,  /* main is about to see a write */
    CHORUS_JOURNAL_ABORT,       /* the write of this id did not happen */
    CHORUS_JOURNAL_DONE,        /* it has, or may have, and is over */
    CHORUS_JOURNAL_DEBT,        /* a replication owes a scan */
    CHORUS_JOURNAL_CLOSED       /* Redis has all that stands before this */
} chorus_journal_type_t;

typedef struct {
    uint32_t       type;        /* chorus_journal_type_t */
    uint64_t       id;
    uint64_t       time_ms;
    chorus_str_t   payload;
} chorus_journal_record_t;


/* Completes the record whose payload stands at head + CHORUS_JOURNAL_HEAD
 * already; record->payload is not looked at but for its length. */
void chorus_journal_frame(unsigned char *head, uint64_t salt,
    const chorus_journal_record_t *record);


typedef enum {
    CHORUS_JOURNAL_RECORD = 0,  /* *record: views of the bytes read */
    CHORUS_JOURNAL_CORRUPT,     /* what is no record was skipped; go on */
    CHORUS_JOURNAL_TORN,        /* no record follows: the end was cut */
    CHORUS_JOURNAL_END          /* nothing follows, or zeros alone */
} chorus_journal_read_t;

typedef struct {
    chorus_str_t   bytes;
    uint64_t       salt;
    size_t         offset;      /* behind the last record */
    size_t         bad;         /* where the last bad bytes began */
} chorus_journal_reader_t;

chorus_journal_reader_t chorus_journal_reader(chorus_str_t bytes,
    uint64_t salt);

/* Never returns a record that was not written.  To be called until TORN or
 * END. */
chorus_journal_read_t chorus_journal_next(chorus_journal_reader_t *reader,
    chorus_journal_record_t *record);


/* A list of strings in a payload: each is its length in 4 bytes and itself. */

typedef struct {
    chorus_str_t   bytes;       /* what is left of it */
    size_t         n;
} chorus_journal_list_t;

/* False at its end. */
bool chorus_journal_list_next(chorus_journal_list_t *list, chorus_str_t *s);


/* Payload of an INTENT: which keys of which bucket. */

typedef struct {
    unsigned                facets;
    chorus_str_t            user;
    chorus_str_t            bucket;
    chorus_journal_list_t   followers;  /* "follower[:target]" */
    chorus_journal_list_t   keys;       /* "" is the bucket itself */
} chorus_journal_intent_t;

/* The views are those of payload.  False when it is no such payload. */
bool chorus_journal_intent_parse(chorus_str_t payload,
    chorus_journal_intent_t *intent);

/* Without lists: their strings follow, followers before keys. */
typedef struct {
    unsigned                facets;
    chorus_str_t            user;
    chorus_str_t            bucket;
    uint32_t                nfollowers;
    uint32_t                nkeys;
} chorus_journal_intent_head_t;

/* bytes of a string in a payload */
#define chorus_journal_str_len(s)  (4 + (s).len)

size_t chorus_journal_intent_head_len(
    const chorus_journal_intent_head_t *head);

/* They return the end of what they have written. */
unsigned char *chorus_journal_put_intent(unsigned char *p,
    const chorus_journal_intent_head_t *head);
unsigned char *chorus_journal_put_str(unsigned char *p, chorus_str_t s);
/* Begins a string whose bytes the caller puts behind it. */
unsigned char *chorus_journal_put_len(unsigned char *p, size_t len);


/* Payload of a DEBT; the name "*" is all replications. */

typedef struct {
    chorus_str_t   replication;
    chorus_str_t   reason;
} chorus_journal_debt_t;

bool chorus_journal_debt_parse(chorus_str_t payload,
    chorus_journal_debt_t *debt);


/* Payload of a CLOSED: which Redis has it, as in chorus_redis_identity_t. */

typedef struct {
    chorus_str_t   run;
    chorus_str_t   generation;
} chorus_journal_closed_t;

bool chorus_journal_closed_parse(chorus_str_t payload,
    chorus_journal_closed_t *closed);


#endif
