/*
 * Slows down who guesses secrets, by address: after a few failures each further
 * one is answered a moment later than the last, and when the line is long
 * nothing is looked at any more.  A plain array without pointers, so that it
 * may lie in memory that processes share; locking is the caller's.
 */

#ifndef CHORUS_THROTTLE_H
#define CHORUS_THROTTLE_H

#include <stdint.h>

#include "chorus_str.h"

#define CHORUS_THROTTLE_ADDRESS  16     /* bytes that tell addresses apart */
#define CHORUS_THROTTLE_ENTRIES  512    /* beyond, who was quiet longest goes */
#define CHORUS_THROTTLE_FREE     10     /* failures without a pause */
#define CHORUS_THROTTLE_STEP_MS  50     /* between two answers */
#define CHORUS_THROTTLE_LINE_MS  2000   /* the longest pause */
#define CHORUS_THROTTLE_LIFE_MS  60000  /* without failures: all is forgiven */

#define CHORUS_THROTTLE_NONE     (-1)   /* no secret of ours */
#define CHORUS_THROTTLE_FULL     (-1)


typedef struct {
    unsigned char  address[CHORUS_THROTTLE_ADDRESS];    /* padded with NUL */
    int64_t        used_ms;         /* 0: the entry is free */
    int64_t        failed_ms;
    int64_t        due_ms;          /* when the last failure is answered */
    uint64_t       known;           /* bits of secrets that came from here */
    uint32_t       failures;
} chorus_throttle_entry_t;

typedef struct {
    chorus_throttle_entry_t  entries[CHORUS_THROTTLE_ENTRIES];
} chorus_throttle_t;        /* zeroed: nobody has failed */


/*
 * Somebody came with secret number `which` (0..63), or NONE, at `now_ms` of a
 * clock that does not jump and is above 0.  Returns for how many ms a refusal
 * is to be held back; 0 for a good one; FULL: refuse at once, even a good one,
 * and do not tell which it was.  A good one is only refused from an address
 * that it never came from, and only while that one's line is full.
 */
int64_t chorus_throttle(chorus_throttle_t *throttle, chorus_str_t address,
    int which, int64_t now_ms);

/* The numbers of secrets mean others from now on. */
void chorus_throttle_renumber(chorus_throttle_t *throttle);


#endif
