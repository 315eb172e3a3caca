/* The body of CompleteMultipartUpload, and the ETag that follows from it. */

#include "chorus_complete.h"
#include "test.h"

#define MD5_A  "0cc175b9c0f1b6a831c399e269772661"
#define MD5_B  "92eb5ffee6ae2fec3ad71c777531578f"
#define PART(number, etag)  "<Part><PartNumber>" number "</PartNumber>"       \
                            "<ETag>" etag "</ETag></Part>"
#define BODY(parts)  "<CompleteMultipartUpload>" parts                        \
                     "</CompleteMultipartUpload>"


static void
parse_complete(void **state)
{
    size_t             i;
    chorus_rc_t        rc;
    chorus_error_t     error;
    chorus_complete_t  complete;

    static const struct {
        const char  *name;
        const char  *body;
        const char  *numbers;       /* NULL: refused */
        const char  *etag;          /* or the error */
    } rows[] = {

        { "one part", BODY(PART("1", "\"" MD5_A "\"")), "1",
          "b6ff9a06b7e20bcb2858c5b8ff744aea-1" },
        { "two parts, as SDKs send them",
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
          "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/"
          "2006-03-01/\">\n<Part><ETag>&quot;" MD5_A "&quot;</ETag>"
          "<PartNumber>1</PartNumber></Part>\n"
          "<Part><ETag>" MD5_B "</ETag><ChecksumCRC32>x</ChecksumCRC32>"
          "<PartNumber>2</PartNumber></Part></CompleteMultipartUpload>",
          "1-2", "96e024ba2074fe77e8e965ba43a704be-2" },
        { "gaps", BODY(PART("1", MD5_A) PART("2", MD5_B) PART("5", MD5_A)
                       PART("9", MD5_A) PART("10", MD5_B)),
          "1-2,5,9-10", "d98b0a228e4c3116e3baa85d84cca620-5" },
        { "the last number there is", BODY(PART("10000", MD5_A)), "10000",
          "b6ff9a06b7e20bcb2858c5b8ff744aea-1" },
        { "capitals in an ETag",
          BODY(PART("1", "0CC175B9C0F1B6A831C399E269772661")), "1",
          "b6ff9a06b7e20bcb2858c5b8ff744aea-1" },

        { "nothing", "", NULL, "line 1" },
        { "no part", BODY(""), NULL, "no Part" },
        { "another root", "<Complete/>", NULL,
          "not CompleteMultipartUpload" },
        { "number 0", BODY(PART("0", MD5_A)), NULL, "PartNumber" },
        { "number 10001", BODY(PART("10001", MD5_A)), NULL, "PartNumber" },
        { "a number that is none", BODY(PART("x", MD5_A)), NULL,
          "PartNumber" },
        { "the same number again", BODY(PART("1", MD5_A) PART("1", MD5_A)),
          NULL, "PartNumber" },
        { "descending", BODY(PART("2", MD5_A) PART("1", MD5_A)), NULL,
          "PartNumber" },
        { "an ETag that is no MD5", BODY(PART("1", "etag")), NULL,
          "no MD5" },
        { "of a multipart object", BODY(PART("1", MD5_A "-1")), NULL,
          "no MD5" },
        { "no ETag", BODY("<Part><PartNumber>1</PartNumber></Part>"), NULL,
          "without" },
        { "no number", BODY("<Part><ETag>" MD5_A "</ETag></Part>"), NULL,
          "without" },
        { "two numbers", BODY("<Part><PartNumber>1</PartNumber>"
          "<PartNumber>2</PartNumber></Part>"), NULL, "twice" },
        { "an element in a number", BODY("<Part><PartNumber>1<x/>"
          "</PartNumber></Part>"), NULL, "element" },
        { "cut short", "<CompleteMultipartUpload>" PART("1", MD5_A), NULL,
          "line 1" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        error.text[0] = '\0';
        rc = chorus_complete_parse(&mem, chorus_str_from(rows[i].body),
                                   &complete, &error);

        if (rows[i].numbers == NULL) {
            check_int(rows[i].name, rc, CHORUS_ERROR);
            check_has(rows[i].name, error.text, rows[i].etag);
            continue;
        }

        if (rc != CHORUS_OK) {
            fail_msg("%s: %s", rows[i].name, error.text);
        }

        check_str(rows[i].name, complete.numbers, rows[i].numbers);
        check_str(rows[i].name, chorus_str_from(complete.etag),
                  rows[i].etag);
    }
}


static void
ten_thousand_parts_and_not_one_more(void **state)
{
    unsigned           n, i;
    chorus_rc_t        rc;
    chorus_buf_t       buf;
    chorus_error_t     error;
    chorus_complete_t  complete;

    (void) state;

    for (n = 10000; n <= 10001; n++) {
        buf = chorus_buf(&mem, 0);
        chorus_buf_text(&buf, "<CompleteMultipartUpload>");

        for (i = 1; i <= n; i++) {
            chorus_buf_text(&buf, "<Part><PartNumber>");
            chorus_buf_u64(&buf, i);
            chorus_buf_text(&buf, "</PartNumber><ETag>" MD5_A
                                  "</ETag></Part>");
        }

        chorus_buf_text(&buf, "</CompleteMultipartUpload>");
        rc = chorus_complete_parse(&mem, chorus_buf_str(&buf), &complete,
                                   &error);
        check_int("parts", rc, n == 10000 ? CHORUS_OK : CHORUS_ERROR);

        if (rc == CHORUS_OK) {
            check_str("numbers", complete.numbers, "1-10000");
            check_int("parts", complete.nparts, 10000);
        }
    }
}


test_main(NULL, NULL,
    test_row(parse_complete),
    test_row(ten_thousand_parts_and_not_one_more)
)
