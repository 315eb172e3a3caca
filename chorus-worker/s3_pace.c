#include <string.h>

#include "chorus_pace.h"
#include "clock.h"
#include "s3_pace.h"


static void
s3_pace_wake(void *data)
{
    (void) curl_multi_wakeup(data);
}


void
s3_pace_begin(s3_pace_t *pace, CURLM *multi, chorus_str_t storage,
    bool has_answer)
{
    memset(pace, 0, sizeof(s3_pace_t));

    pace->wait.wake = s3_pace_wake;
    pace->wait.data = multi;
    pace->storage = storage;
    pace->has_answer = has_answer;
    pace->ahead = has_answer ? (uint64_t) rate_guess(storage) : 0;
}


void
s3_pace_end(s3_pace_t *pace)
{
    rate_leave(&pace->wait);
    pace->is_waiting = false;

}


static int64_t
s3_pace_take(s3_pace_t *pace, chorus_limit_t kind, uint64_t wanted)
{
    int64_t  n;

    n = rate_take(&pace->wait, pace->storage, kind, (int64_t) wanted);
    pace->is_waiting = n == 0;

    return n;
}


static bool
s3_pace_pay(s3_pace_t *pace, uint64_t target)
{
    int64_t  n;

    while (pace->paid < target) {
        n = s3_pace_take(pace, CHORUS_LIMIT_BYTES, target - pace->paid);
        if (n == 0) {
            return false;
        }

        pace->paid += (uint64_t) n;
    }

    pace->is_waiting = false;

    return true;
}


/* What an answer has, about.  While that is waited for, another answer may say
 * that less will do. */

static bool
s3_pace_pay_ahead(s3_pace_t *pace)
{
    int64_t   n;
    uint64_t  guess;

    for ( ;; ) {
        guess = (uint64_t) rate_guess(pace->storage);
        pace->ahead = guess < pace->ahead ? guess : pace->ahead;

        if (pace->paid >= pace->ahead) {
            return true;
        }

        /* whoever has begun goes on, so that the first answer comes soon */
        pace->wait.in_front = pace->paid != 0;
        n = s3_pace_take(pace, CHORUS_LIMIT_BYTES, pace->ahead - pace->paid);

        if (n == 0) {
            return false;
        }

        pace->paid += (uint64_t) n;
    }
}


/* The request last: its moment passes while bytes are waited for. */

bool
s3_pace_may_start(s3_pace_t *pace)
{
    if (!pace->is_for_request) {
        if (!s3_pace_pay_ahead(pace)) {
            return false;
        }

        /* the line for bytes, in case they are not needed any more */
        rate_leave(&pace->wait);
        pace->wait.in_front = false;
        pace->is_for_request = true;
    }

    return s3_pace_take(pace, CHORUS_LIMIT_REQUESTS, 1) != 0;
}


bool
s3_pace_may_take(s3_pace_t *pace, size_t len, uint64_t total)
{
    uint64_t  target;

    if (!pace->has_answer) {
        return true;
    }

    if (pace->taken == 0 && !pace->has_told) {
        rate_learn(pace->storage,
                   (int64_t) (total != UINT64_MAX ? total : len));
        pace->has_told = true;
    }

    target = pace->taken + len + pace->ahead;
    if (target > total) {
        target = total;
    }

    return s3_pace_pay(pace, target);
}


void
s3_pace_took(s3_pace_t *pace, size_t len)
{
    pace->taken += len;
}


size_t
s3_pace_may_send(s3_pace_t *pace, size_t size)
{
    int64_t  now_us;

    now_us = clock_us();

    if (pace->credit <= 0 || now_us > pace->credit_until_us) {
        pace->credit = s3_pace_take(pace, CHORUS_LIMIT_BYTES, size);
        pace->credit_until_us = now_us + CHORUS_PACE_LATE_US / 2;
    }

    return (uint64_t) pace->credit < size ? (size_t) pace->credit : size;
}


void
s3_pace_sent(s3_pace_t *pace, size_t len)
{
    pace->credit -= (int64_t) len;
}


int64_t
s3_pace_next_us(const s3_pace_t *pace)
{
    return pace->is_waiting ? rate_next_us(&pace->wait) : RATE_NEVER;
}
