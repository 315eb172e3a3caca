/*
 * Where to cut what is left of a shard.  How many keys stand where is not
 * known, only whether there are any behind a name: a listing of one key that
 * begins there says so.  So: the first place, from the left, where the keys
 * that are left do not all have the character that the cursor has; there the
 * last character in use is searched, and the middle taken.  A cut that was
 * not in the middle is followed by others.
 */

#include <string.h>

#include "scan_work.h"

#define SCAN_SPLIT_DEPTH  64        /* characters looked at */

/* Beginnings of keys that can be asked for, in order; the first one is
 * before all others. */
static const char *const  scan_marks[] = {
    "", " ", "!", "\"", "#", "$", "%", "&", "'", "(", ")", "*", "+", ",", "-",
    ".", "/", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", ":", ";", "<",
    "=", ">", "?", "@", "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K",
    "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z",
    "[", "\\", "]", "^", "_", "`", "a", "b", "c", "d", "e", "f", "g", "h",
    "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w",
    "x", "y", "z", "{", "|", "}", "~",
    "\xc3\x80", "\xc4\x80", "\xce\x80", "\xd0\x80", "\xd8\x80",
    "\xe0\xa4\x80", "\xe3\x80\x80", "\xe4\xb8\x80", "\xe6\x80\x80",
    "\xe8\x80\x80", "\xea\xb0\x80", "\xee\x80\x80", "\xf0\x9f\x80\x80",
    "\xf4\x80\x80\x80"
};

#define SCAN_NMARKS  (sizeof(scan_marks) / sizeof(scan_marks[0]))


/* The first key behind prefix + mark that is in the shard; the null string:
 * none, or main did not say. */

static chorus_str_t
scan_probe(scan_t *scan, chorus_str_t prefix, const char *mark)
{
    chorus_buf_t   after;
    chorus_str_t   key;
    scan_list_t   *list;

    list = &scan->again_ours;
    after = chorus_buf(&scan->mem, prefix.len + 8);
    chorus_buf_add(&after, prefix);
    chorus_buf_text(&after, mark);

    if (after.failed || !scan_list_seek(list, chorus_buf_str(&after))) {
        return chorus_null_str;
    }

    scan_list_begin(list, &scan->work, 1);
    scan_list_wait(&scan->work, list, NULL);

    if (scan_list_end(list, &scan->work) != WORK_DONE
        || list->listing.n == 0)
    {
        return chorus_null_str;
    }

    key = list->listing.entries[0].key;

    if (scan->claim.is_bounded
        && chorus_str_cmp(key, scan->claim.to) >= 0)
    {
        return chorus_null_str;
    }

    return chorus_str_dup(&scan->mem, key);
}


/* The last mark with a key behind it, if there is one after `low`. */

static size_t
scan_split_last(scan_t *scan, chorus_str_t prefix, size_t low)
{
    size_t  high, middle;

    high = SCAN_NMARKS;

    while (low + 1 < high) {
        middle = low + (high - low) / 2;

        if (scan_probe(scan, prefix, scan_marks[middle]).data != NULL) {
            low = middle;
        } else {
            high = middle;
        }
    }

    return low;
}


static size_t
scan_character_len(chorus_str_t s, size_t at)
{
    size_t  len;

    len = 1;

    while (at + len < s.len && ((unsigned char) s.data[at + len] & 0xc0)
                               == 0x80)
    {
        len++;
    }

    return len;
}


/* The mark that the cursor's own character stands at or behind. */

static size_t
scan_mark_of(chorus_str_t rest)
{
    size_t  i;

    for (i = SCAN_NMARKS; i-- > 1; ) {
        if (chorus_str_cmp(rest, chorus_str_from(scan_marks[i])) >= 0) {
            return i;
        }
    }

    return 0;
}


bool
scan_split_find(scan_t *scan, chorus_str_t *at)
{
    size_t        depth, len, first, last;
    chorus_str_t  cursor, prefix;

    len = 0;
    cursor = scan->claim.cursor;

    for (depth = 0; depth < SCAN_SPLIT_DEPTH && len <= cursor.len; depth++) {

        prefix = (chorus_str_t) { cursor.data, len };
        first = scan_mark_of(chorus_str_sub(cursor, len)) + 1;

        if (first < SCAN_NMARKS
            && scan_probe(scan, prefix, scan_marks[first]).data != NULL)
        {
            last = scan_split_last(scan, prefix, first);
            *at = scan_probe(scan, prefix,
                             scan_marks[first + (last - first + 1) / 2]);

            return at->data != NULL;
        }

        if (len == cursor.len || !task_is_alive(scan->claim.task)) {
            return false;
        }

        len += scan_character_len(cursor, len);
    }

    return false;
}
