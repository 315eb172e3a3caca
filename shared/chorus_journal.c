/* The format of the journal. */

#include <string.h>

#include "chorus_crc.h"
#include "chorus_journal.h"


#define JOURNAL_CRC  12         /* where it stands in a head */


static void
journal_put(unsigned char *p, uint64_t value, size_t size)
{
    size_t  i;

    for (i = 0; i < size; i++) {
        p[i] = (unsigned char) (value >> (8 * i));
    }
}


static uint64_t
journal_get(const char *p, size_t size)
{
    size_t    i;
    uint64_t  value;

    value = 0;

    for (i = 0; i < size; i++) {
        value |= (uint64_t) (unsigned char) p[i] << (8 * i);
    }

    return value;
}


static uint32_t
journal_crc(const char *head, uint64_t salt, size_t payload_len)
{
    uint64_t       crc;
    unsigned char  bytes[8];

    journal_put(bytes, salt, 8);

    crc = chorus_crc(CHORUS_CRC32C, 0, bytes, 8);
    crc = chorus_crc(CHORUS_CRC32C, crc, head, JOURNAL_CRC);
    crc = chorus_crc(CHORUS_CRC32C, crc, head + JOURNAL_CRC + 4,
                     CHORUS_JOURNAL_HEAD - JOURNAL_CRC - 4 + payload_len);

    return (uint32_t) crc;
}


void
chorus_journal_frame(unsigned char *head, uint64_t salt,
    const chorus_journal_record_t *record)
{
    journal_put(head, salt, 4);
    journal_put(head + 4, record->type, 4);
    journal_put(head + 8, record->payload.len, 4);
    journal_put(head + 16, record->id, 8);
    journal_put(head + 24, record->time_ms, 8);

    journal_put(head + JOURNAL_CRC,
                journal_crc((char *) head, salt, record->payload.len), 4);
}


chorus_journal_reader_t
chorus_journal_reader(chorus_str_t bytes, uint64_t salt)
{
    return (chorus_journal_reader_t) { bytes, salt, 0, 0 };
}


/* Whether a record begins at that offset. */
static bool
journal_record_at(const chorus_journal_reader_t *reader, size_t offset,
    chorus_journal_record_t *record)
{
    size_t       left, len;
    const char  *head;

    left = reader->bytes.len - offset;
    head = reader->bytes.data + offset;

    if (left < CHORUS_JOURNAL_HEAD
        || journal_get(head, 4) != (reader->salt & 0xffffffff))
    {
        return false;
    }

    len = journal_get(head + 8, 4);

    if (len > CHORUS_JOURNAL_PAYLOAD_MAX || len > left - CHORUS_JOURNAL_HEAD
        || journal_get(head + JOURNAL_CRC, 4)
           != journal_crc(head, reader->salt, len))
    {
        return false;
    }

    record->type = (uint32_t) journal_get(head + 4, 4);
    record->id = journal_get(head + 16, 8);
    record->time_ms = journal_get(head + 24, 8);
    record->payload = (chorus_str_t) { head + CHORUS_JOURNAL_HEAD, len };

    return true;
}


static bool
journal_is_zeros(const char *data, size_t len)
{
    return len == 0 || (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}


/* Whether the bad bytes are the beginning of a record and nothing more. */
static bool
journal_is_cut(const chorus_journal_reader_t *reader)
{
    size_t         left, len;
    const char    *head;
    unsigned char  mark[4];

    left = reader->bytes.len - reader->bad;
    head = reader->bytes.data + reader->bad;

    journal_put(mark, reader->salt, 4);

    if (memcmp(head, mark, left < 4 ? left : 4) != 0) {
        return false;
    }

    if (left < CHORUS_JOURNAL_HEAD) {
        return true;
    }

    len = journal_get(head + 8, 4);

    return len <= CHORUS_JOURNAL_PAYLOAD_MAX
           && len > left - CHORUS_JOURNAL_HEAD;
}


chorus_journal_read_t
chorus_journal_next(chorus_journal_reader_t *reader,
    chorus_journal_record_t *record)
{
    size_t  offset, left;

    offset = reader->offset;
    left = reader->bytes.len - offset;

    if (journal_is_zeros(reader->bytes.data + offset, left)) {
        return CHORUS_JOURNAL_END;
    }

    if (journal_record_at(reader, offset, record)) {
        reader->offset += CHORUS_JOURNAL_HEAD + record->payload.len;
        return CHORUS_JOURNAL_RECORD;
    }

    reader->bad = offset;

    for (offset++; offset < reader->bytes.len; offset++) {

        if (journal_record_at(reader, offset, record)) {
            reader->offset = offset;
            return CHORUS_JOURNAL_CORRUPT;
        }
    }

    reader->offset = reader->bytes.len;

    return journal_is_cut(reader) ? CHORUS_JOURNAL_TORN
                                  : CHORUS_JOURNAL_CORRUPT;
}


static bool
journal_take_str(chorus_str_t *rest, chorus_str_t *s)
{
    size_t  len;

    if (rest->len < 4) {
        return false;
    }

    len = journal_get(rest->data, 4);

    if (len > rest->len - 4) {
        return false;
    }

    *s = (chorus_str_t) { rest->data + 4, len };
    *rest = chorus_str_sub(*rest, 4 + len);

    return true;
}


bool
chorus_journal_list_next(chorus_journal_list_t *list, chorus_str_t *s)
{
    if (list->n == 0) {
        return false;
    }

    list->n--;

    return journal_take_str(&list->bytes, s);
}


/* Whether rest begins with n strings; takes them away. */
static bool
journal_take_list(chorus_str_t *rest, size_t n, chorus_journal_list_t *list)
{
    chorus_str_t  s;

    list->bytes = *rest;
    list->n = n;

    for ( /* void */ ; n; n--) {
        if (!journal_take_str(rest, &s)) {
            return false;
        }
    }

    list->bytes.len -= rest->len;

    return true;
}


bool
chorus_journal_intent_parse(chorus_str_t payload,
    chorus_journal_intent_t *intent)
{
    size_t  nfollowers, nkeys;

    if (payload.len < 12) {
        return false;
    }

    intent->facets = (unsigned) journal_get(payload.data, 4);
    nfollowers = journal_get(payload.data + 4, 4);
    nkeys = journal_get(payload.data + 8, 4);
    payload = chorus_str_sub(payload, 12);

    return journal_take_str(&payload, &intent->user)
           && journal_take_str(&payload, &intent->bucket)
           && journal_take_list(&payload, nfollowers, &intent->followers)
           && journal_take_list(&payload, nkeys, &intent->keys)
           && payload.len == 0;
}


size_t
chorus_journal_intent_head_len(const chorus_journal_intent_head_t *head)
{
    return 12 + chorus_journal_str_len(head->user)
           + chorus_journal_str_len(head->bucket);
}


unsigned char *
chorus_journal_put_intent(unsigned char *p,
    const chorus_journal_intent_head_t *head)
{
    journal_put(p, head->facets, 4);
    journal_put(p + 4, head->nfollowers, 4);
    journal_put(p + 8, head->nkeys, 4);

    p = chorus_journal_put_str(p + 12, head->user);

    return chorus_journal_put_str(p, head->bucket);
}


unsigned char *
chorus_journal_put_len(unsigned char *p, size_t len)
{
    journal_put(p, len, 4);

    return p + 4;
}


unsigned char *
chorus_journal_put_str(unsigned char *p, chorus_str_t s)
{
    p = chorus_journal_put_len(p, s.len);

    if (s.len) {
        memcpy(p, s.data, s.len);
    }

    return p + s.len;
}


bool
chorus_journal_debt_parse(chorus_str_t payload, chorus_journal_debt_t *debt)
{
    return journal_take_str(&payload, &debt->replication)
           && journal_take_str(&payload, &debt->reason)
           && payload.len == 0;
}


bool
chorus_journal_closed_parse(chorus_str_t payload,
    chorus_journal_closed_t *closed)
{
    return journal_take_str(&payload, &closed->run)
           && journal_take_str(&payload, &closed->generation)
           && payload.len == 0;
}
