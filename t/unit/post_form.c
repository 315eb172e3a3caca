/* The form in front of its file: what is read, what is refused, and that it
 * does not matter in which pieces it comes. */

#include "chorus_post_form.h"
#include "test.h"

#define TYPE  "multipart/form-data; boundary=B"

#define PART(name)                                                            \
    "--B\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define FIELD(name, value)  PART(name) value "\r\n"
#define FILE_PART                                                             \
    "--B\r\nContent-Disposition: form-data; name=\"file\"; "                  \
    "filename=\"f.txt\"\r\nContent-Type: text/plain\r\n\r\n"
#define TAIL  "content\r\n--B--\r\n"


static chorus_post_form_t   form;
static chorus_s3_refusal_t  refusal;


/* in one piece, nothing more to come */
static chorus_rc_t
read_form(const char *type, chorus_str_t body)
{
    chorus_rc_t  rc;

    rc = chorus_post_form_begin(&form, &mem, chorus_str_from(type), &refusal);

    return rc == CHORUS_OK ? chorus_post_form_read(&form, body, true) : rc;
}


static void
check_refusal(const char *name, chorus_rc_t rc, chorus_s3_code_t code,
    const char *message)
{
    check_int(name, rc, CHORUS_ERROR);
    check_int(name, refusal.code, code);
    check_int(name, form.is_complete, false);

    if (message != NULL) {
        check_has(name, refusal.message.data == NULL ? ""
                        : refusal.message.data, message);
    }
}


static void
find_the_boundary(void **state)
{
    bool    is_form;
    size_t  i;

    static const struct {
        const char  *input;
        bool         is_form;
        const char  *expected;          /* NULL: none */
    } rows[] = {
        { "multipart/form-data; boundary=abc", true, "abc" },
        { "Multipart/Form-Data;BOUNDARY=abc", true, "abc" },
        { "multipart/form-data; boundary=\"a'()+_,-./:=?c\"", true,
          "a'()+_,-./:=?c" },
        { "multipart/form-data; charset=utf-8; boundary=abc ; x=y", true,
          "abc" },
        { "multipart/form-data; boundary=----WebKitFormBoundaryAaZz09", true,
          "----WebKitFormBoundaryAaZz09" },
        { "multipart/form-data; boundary="
          "1234567890123456789012345678901234567890123456789012345678901234567"
          "890", true,
          "1234567890123456789012345678901234567890123456789012345678901234567"
          "890" },
        { "multipart/form-data; boundary="
          "1234567890123456789012345678901234567890123456789012345678901234567"
          "8901", true, NULL },
        { "multipart/form-data", true, NULL },
        { "multipart/form-data;", true, NULL },
        { "multipart/form-data; boundary", true, NULL },
        { "multipart/form-data; boundary=", true, NULL },
        { "multipart/form-data; boundary=\"\"", true, NULL },
        { "multipart/form-data; boundary=\"abc", true, NULL },
        { "multipart/form-data; boundary=a\"b", true, NULL },
        { "multipart/form-data; boundary=\"a b\"", true, NULL },
        { "multipart/form-data; boundary=\"a\\\"b\"", true, NULL },
        { "multipart/form-data; boundary=\"a\"b", true, NULL },
        { "multipart/form-data; boundary=a\xc3\xa9", true, NULL },
        { "multipart/form-data; boundary=a; boundary=b", true, NULL },
        { "multipart/form-data boundary=a", false, NULL },
        { "multipart/mixed; boundary=a", false, NULL },
        { "application/x-www-form-urlencoded", false, NULL },
        { "", false, NULL },
        { NULL, false, NULL },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_str(rows[i].input,
                  chorus_post_boundary(chorus_str_from(rows[i].input),
                                       &is_form),
                  rows[i].expected);
        check_int(rows[i].input, is_form, rows[i].is_form);
    }
}


static void
read_the_headers_of_a_part(void **state)
{
    size_t              i;
    chorus_post_part_t  part;

    static const struct {
        const char  *input;
        bool         is_valid;
        const char  *name;
        const char  *filename;
        const char  *type;
    } rows[] = {
        { "Content-Disposition: form-data; name=\"a\"", true, "a", NULL,
          NULL },
        { "content-disposition:form-data;name=a", true, "a", NULL, NULL },
        { "Content-Disposition: form-data; name=\"file\"; "
          "filename=\"a;b=c.txt\"\r\nContent-Type:  image/png ",
          true, "file", "a;b=c.txt", "image/png" },
        { "Content-Type: image/png\r\nContent-Disposition: form-data; "
          "filename=\"\"; name=\"file\"", true, "file", "", "image/png" },
        { "Content-Disposition: form-data; name=\"a%22b\"", true, "a%22b",
          NULL, NULL },
        { "Content-Disposition: form-data; name=\"file\"; "
          "filename=\"C:\\x\\y.txt\"", true, "file", "C:\\x\\y.txt", NULL },
        { "Content-Disposition: form-data; name=\"file\"; "
          "filename=\"a\\\"b\"", true, "file", "a\\\"b", NULL },
        { "Content-Disposition: form-data; name=\"file\"; filename=\"a\"; "
          "filename*=UTF-8''b", true, "file", "a", NULL },
        { "X-Other: 1\r\nContent-Disposition: form-data; name=\"a\"",
          true, "a", NULL, NULL },

        { "", false, NULL, NULL, NULL },
        { "Content-Type: a/b", false, NULL, NULL, NULL },
        { "Content-Disposition: form-data", false, NULL, NULL, NULL },
        { "Content-Disposition: form-data; filename=\"a\"", false, NULL,
          NULL, NULL },
        { "Content-Disposition: file; name=\"file\"", false, NULL, NULL,
          NULL },
        { "Content-Disposition: form-data name=\"a\"", false, NULL, NULL,
          NULL },
        { "Content-Disposition: form-data; name=\"a", false, NULL, NULL,
          NULL },
        { "Content-Disposition: form-data; name=\"a\"b", false, NULL, NULL,
          NULL },
        { "Content-Disposition: form-data; name=a\"b", false, NULL, NULL,
          NULL },
        { "Content-Disposition: form-data; name =\"a\"", false, NULL, NULL,
          NULL },
        { "Content-Disposition: form-data; name=\"a\"; name=\"b\"", false,
          NULL, NULL, NULL },
        { "Content-Disposition: form-data; name=\"file\"; filename=\"a\"; "
          "FileName=\"b\"", false, NULL, NULL, NULL },
        { "Content-Disposition: form-data; name=\"a\"\r\n"
          "Content-Disposition: form-data; name=\"file\"", false, NULL, NULL,
          NULL },
        { "Content-Disposition: form-data; name=\"a\"\r\nContent-Type: a/b"
          "\r\nContent-Type: c/d", false, NULL, NULL, NULL },
        { "Content-Disposition: form-data;\r\n name=\"a\"", false, NULL,
          NULL, NULL },
        { "Content-Disposition: form-data; name=\"a\"\nX: y", false, NULL,
          NULL, NULL },
        { "Content-Disposition: form-data; name=\"a\rb\"", false, NULL, NULL,
          NULL },
        { "Content-Disposition: form-data; name=\"a\x7f\"", false, NULL,
          NULL, NULL },
        { "Content-Disposition: form-data; name=\"a\"\r\nno header", false,
          NULL, NULL, NULL },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_int(rows[i].input,
                  chorus_post_part_parse(chorus_str_from(rows[i].input),
                                         &part),
                  rows[i].is_valid);

        if (rows[i].is_valid) {
            check_str(rows[i].input, part.name, rows[i].name);
            check_str(rows[i].input, part.filename, rows[i].filename);
            check_str(rows[i].input, part.type, rows[i].type);
        }
    }
}


static void
read_a_form(void **state)
{
    chorus_str_t  body;

    (void) state;

    body = chorus_str(FIELD("kEy", "a/${filename}") FIELD("acl", "")
                      FIELD("x-ignore-\xc3\xa9", "\r\n--Bx\r\n --B")
                      FILE_PART TAIL);

    /* a line that begins with the boundary is one, whatever follows */
    check_refusal("boundary in a value", read_form(TYPE, body),
                  CHORUS_S3_MALFORMED_POST_REQUEST, NULL);

    body = chorus_str(FIELD("kEy", "a/${filename}") FIELD("acl", "")
                      FIELD("x-ignore-\xc3\xa9", "\r\n--C\r\n -B\n- -B")
                      FIELD("two", "${filename}${filename}$ {filename}")
                      FILE_PART TAIL);

    assert_int_equal(read_form(TYPE, body), CHORUS_OK);
    assert_true(form.is_complete);
    assert_int_equal(form.nfields, 4);

    check_str("name", form.fields[0].name, "kEy");
    check_str("key", form.key, "a/f.txt");
    check_str("empty", form.fields[1].value, "");
    check_str("name", form.fields[2].name, "x-ignore-\xc3\xa9");
    check_str("value", form.fields[2].value, "\r\n--C\r\n -B\n- -B");
    check_str("variables", form.fields[3].value, "f.txtf.txt$ {filename}");
    check_str("file name", form.filename, "f.txt");
    check_str("file type", form.file_type, "text/plain");
    check_str("content", chorus_str_sub(body, form.file_start), TAIL);

    assert_ptr_equal(chorus_post_field(&form, chorus_str("ACL")),
                     &form.fields[1]);
    assert_null(chorus_post_field(&form, chorus_str("file")));
}


static void
lines_are_for_what_is_no_header(void **state)
{
    (void) state;

    check_int("lines", read_form(TYPE, chorus_str(FIELD("KEY", "a\nb")
                  FIELD("TAGGING", "a\nb") FIELD("x-ignore-a", "a\nb")
                  FIELD("policy", "a\n") FIELD("acl", "a\tb")
                  FILE_PART TAIL)), CHORUS_OK);
}


static void
take_the_name_of_the_file(void **state)
{
    size_t        i;
    chorus_buf_t  body;

    static const struct {
        const char  *parameter;
        const char  *filename;
        const char  *key;
    } rows[] = {
        { "; filename=\"a.txt\"", "a.txt", "<a.txt>" },
        { "; filename=\"C:\\dir\\a.txt\"", "a.txt", "<a.txt>" },
        { "; filename=\"dir/sub/a.txt\"", "a.txt", "<a.txt>" },
        { "; filename=\"dir/\"", "", "<>" },
        { "; filename=\"\"", "", "<>" },
        { "; filename=\"\xe2\x98\x83 b\"", "\xe2\x98\x83 b",
          "<\xe2\x98\x83 b>" },
        { "", NULL, "<>" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        body = chorus_buf(&mem, 0);
        chorus_buf_text(&body, FIELD("key", "<${filename}>") "--B\r\n"
                        "Content-Disposition: form-data; name=\"File\"");
        chorus_buf_text(&body, rows[i].parameter);
        chorus_buf_text(&body, "\r\n\r\n" TAIL);

        check_int(rows[i].parameter, read_form(TYPE, chorus_buf_str(&body)),
                  CHORUS_OK);
        check_str(rows[i].parameter, form.filename, rows[i].filename);
        check_str(rows[i].parameter, form.key, rows[i].key);
    }
}


#define KEY  FIELD("key", "k")

static void
refuse_forms(void **state)
{
    size_t  i;

    static const struct {
        const char        *name;
        const char        *type;
        chorus_str_t       body;
        chorus_s3_code_t   code;
        const char        *message;
    } rows[] = {

#define ROW(name, body, code, message)                                        \
        { name, TYPE, { body, sizeof(body) - 1 }, code, message }

        { "no form", "text/html", { "", 0 }, CHORUS_S3_NOT_MULTIPART, NULL },
        { "no boundary", "multipart/form-data", { "", 0 },
          CHORUS_S3_MALFORMED_POST_REQUEST, NULL },

        ROW("empty", "", CHORUS_S3_MALFORMED_POST_REQUEST, NULL),
        ROW("other bytes", "hello", CHORUS_S3_MALFORMED_POST_REQUEST, NULL),
        ROW("a preamble", "x\r\n" KEY FILE_PART TAIL,
            CHORUS_S3_MALFORMED_POST_REQUEST, NULL),
        ROW("an empty line first", "\r\n" KEY FILE_PART TAIL,
            CHORUS_S3_MALFORMED_POST_REQUEST, NULL),
        ROW("lines without CR", "--B\nContent-Disposition: form-data; "
            "name=\"key\"\n\nk\n--B--\n",
            CHORUS_S3_MALFORMED_POST_REQUEST, NULL),
        ROW("a longer boundary", "--BB\r\n",
            CHORUS_S3_MALFORMED_POST_REQUEST, NULL),
        ROW("a part without headers", "--B\r\n\r\nx\r\n" FILE_PART TAIL,
            CHORUS_S3_MALFORMED_POST_REQUEST, NULL),
        ROW("an empty line that is the boundary's",
            KEY PART("a") "--B\r\n" FILE_PART TAIL,
            CHORUS_S3_MALFORMED_POST_REQUEST, NULL),
        ROW("cut in a value", KEY PART("a") "x",
            CHORUS_S3_MALFORMED_POST_REQUEST, NULL),
        ROW("cut in a header", KEY "--B\r\nContent-Dis",
            CHORUS_S3_MALFORMED_POST_REQUEST, NULL),
        ROW("cut behind a boundary", KEY "--B",
            CHORUS_S3_MALFORMED_POST_REQUEST, NULL),

        ROW("the boundary within a value", KEY FIELD("acl", "a--Bb")
            FILE_PART TAIL, CHORUS_S3_MALFORMED_POST_REQUEST, NULL),
        ROW("the boundary in a header", KEY "--B\r\nX: --B\r\n"
            "Content-Disposition: form-data; name=\"file\"\r\n\r\n" TAIL,
            CHORUS_S3_MALFORMED_POST_REQUEST, NULL),
        ROW("the boundary in the name of the file", KEY
            "--B\r\nContent-Disposition: form-data; name=\"file\"; "
            "filename=\"x--B\"\r\n\r\n" TAIL,
            CHORUS_S3_MALFORMED_POST_REQUEST, NULL),
        ROW("the boundary made from the name of the file",
            KEY FIELD("a", "--${filename}\r\nContent-Disposition: form-data; "
                      "name=\"acl\"\r\n\r\npublic-read")
            "--B\r\nContent-Disposition: form-data; name=\"file\"; "
            "filename=\"B\"\r\n\r\n" TAIL,
            CHORUS_S3_MALFORMED_POST_REQUEST, NULL),

        ROW("no file", KEY "--B--\r\n", CHORUS_S3_INVALID_ARGUMENT,
            "POST requires exactly one file upload per request."),
        ROW("nothing", "--B--", CHORUS_S3_INVALID_ARGUMENT,
            "POST requires exactly one file upload per request."),
        ROW("no key", FIELD("acl", "private") FILE_PART TAIL,
            CHORUS_S3_INVALID_ARGUMENT,
            "Bucket POST must contain a field named 'key'.  If it is "
            "specified, please check the order of the fields."),
        ROW("the key behind the file", FILE_PART "x\r\n" KEY "--B--\r\n",
            CHORUS_S3_INVALID_ARGUMENT, "check the order of the fields."),
        ROW("an empty key", FIELD("key", "") FILE_PART TAIL,
            CHORUS_S3_INVALID_ARGUMENT, "greater than 0"),
        ROW("an empty key when replaced",
            FIELD("key", "${filename}") PART("file") TAIL,
            CHORUS_S3_INVALID_ARGUMENT, "greater than 0"),

        ROW("a field twice", KEY FIELD("acl", "a") FIELD("ACL", "a")
            FILE_PART TAIL, CHORUS_S3_INVALID_ARGUMENT, "the same name"),
        ROW("the key twice", KEY FIELD("Key", "k") FILE_PART TAIL,
            CHORUS_S3_INVALID_ARGUMENT, "the same name"),
        ROW("an empty name", KEY FIELD("", "a") FILE_PART TAIL,
            CHORUS_S3_INVALID_ARGUMENT, "plain name"),
        ROW("a name with a blank before it", KEY FIELD(" acl", "a")
            FILE_PART TAIL, CHORUS_S3_INVALID_ARGUMENT, "plain name"),
        ROW("a name with a backslash", KEY FIELD("a\\b", "a")
            FILE_PART TAIL, CHORUS_S3_INVALID_ARGUMENT, "plain name"),
        ROW("a name with a quote", KEY FIELD("a\\\"b", "a")
            FILE_PART TAIL, CHORUS_S3_INVALID_ARGUMENT, "plain name"),
        ROW("a name that is not UTF-8", KEY FIELD("a\xff", "a")
            FILE_PART TAIL, CHORUS_S3_INVALID_ARGUMENT, "plain name"),
        ROW("a name with a NUL", KEY FIELD("a\0b", "a") FILE_PART TAIL,
            CHORUS_S3_MALFORMED_POST_REQUEST, NULL),

        ROW("a NUL in the key", FIELD("key", "a\0b") FILE_PART TAIL,
            CHORUS_S3_INVALID_ARGUMENT, "UTF-8"),
        ROW("a key that is not UTF-8", FIELD("key", "\xc3") FILE_PART TAIL,
            CHORUS_S3_INVALID_ARGUMENT, "UTF-8"),
        ROW("an overlong slash", FIELD("key", "\xc0\xaf") FILE_PART TAIL,
            CHORUS_S3_INVALID_ARGUMENT, "UTF-8"),
        ROW("a surrogate", FIELD("key", "\xed\xa0\x80") FILE_PART TAIL,
            CHORUS_S3_INVALID_ARGUMENT, "UTF-8"),
        ROW("over U+10FFFF", FIELD("key", "\xf4\x90\x80\x80") FILE_PART TAIL,
            CHORUS_S3_INVALID_ARGUMENT, "UTF-8"),
        ROW("CRLF in a value", KEY FIELD("x-amz-meta-a", "a\r\nb: c")
            FILE_PART TAIL, CHORUS_S3_INVALID_ARGUMENT, "control"),
        ROW("LF in a value", KEY FIELD("Content-Type", "a\nb")
            FILE_PART TAIL, CHORUS_S3_INVALID_ARGUMENT, "control"),
        ROW("DEL in a value", KEY FIELD("other", "a\x7f")
            FILE_PART TAIL, CHORUS_S3_INVALID_ARGUMENT, "control"),
        ROW("a value that is not UTF-8", KEY FIELD("acl", "\x80")
            FILE_PART TAIL, CHORUS_S3_INVALID_ARGUMENT, "UTF-8"),
        ROW("a file name that is not UTF-8 in the key",
            FIELD("key", "${filename}")
            "--B\r\nContent-Disposition: form-data; name=\"file\"; "
            "filename=\"\xff\"\r\n\r\n" TAIL,
            CHORUS_S3_INVALID_ARGUMENT, "UTF-8"),
        ROW("a file named like the variable", FIELD("key", "${filename}")
            "--B\r\nContent-Disposition: form-data; name=\"file\"; "
            "filename=\"x${filename}\"\r\n\r\n" TAIL,
            CHORUS_S3_INVALID_ARGUMENT, "variable"),
#undef ROW
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        check_refusal(rows[i].name, read_form(rows[i].type, rows[i].body),
                      rows[i].code, rows[i].message);
    }
}


static void
add_fields(chorus_buf_t *body, size_t n, size_t len)
{
    size_t  i, k;

    for (i = 0; i < n; i++) {
        chorus_buf_text(body, "--B\r\nContent-Disposition: form-data; "
                        "name=\"x");
        chorus_buf_u64(body, i);
        chorus_buf_text(body, "\"\r\n\r\n");

        for (k = 0; k < len; k++) {
            chorus_buf_char(body, 'v');
        }

        chorus_buf_text(body, "\r\n");
    }
}


static void
limits_hold(void **state)
{
    size_t        i, n;
    chorus_rc_t   rc;
    chorus_buf_t  body;

    static const struct {
        const char        *name;
        size_t             nfields;
        size_t             field_bytes;
        size_t             key_bytes;
        size_t             header_bytes;
        chorus_s3_code_t   code;
    } rows[] = {
        { "100 fields", 99, 0, 1, 0, CHORUS_S3_OK },
        { "101 fields", 100, 0, 1, 0, CHORUS_S3_POST_PREAMBLE_TOO_LONG },
        { "20 KiB", 1, 20480 - 2 - 3 - 4, 4, 0, CHORUS_S3_OK },
        { "20 KiB and 1", 1, 20480 - 2 - 3 - 4 + 1, 4, 0,
          CHORUS_S3_POST_PREAMBLE_TOO_LONG },
        { "70 KiB", 1, 70000, 4, 0, CHORUS_S3_POST_PREAMBLE_TOO_LONG },
        { "a key of 1024", 0, 0, 1024, 0, CHORUS_S3_OK },
        { "a key of 1025", 0, 0, 1025, 0, CHORUS_S3_KEY_TOO_LONG },
        { "headers of 8 KiB", 0, 0, 1, 8192, CHORUS_S3_OK },
        { "headers of 8 KiB and 1", 0, 0, 1, 8193,
          CHORUS_S3_POST_PREAMBLE_TOO_LONG },
        { "headers of 70 KiB", 0, 0, 1, 70000,
          CHORUS_S3_POST_PREAMBLE_TOO_LONG },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {
        body = chorus_buf(&mem, 0);
        add_fields(&body, rows[i].nfields, rows[i].field_bytes);
        chorus_buf_text(&body, PART("key"));

        for (n = 0; n < rows[i].key_bytes; n++) {
            chorus_buf_char(&body, 'k');
        }

        chorus_buf_text(&body, "\r\n--B\r\n");
        n = body.len;
        chorus_buf_text(&body, "Content-Disposition: form-data; "
                        "name=\"file\"\r\nX: ");

        while (body.len - n < rows[i].header_bytes) {
            chorus_buf_char(&body, 'x');
        }

        chorus_buf_text(&body, "\r\n\r\n" TAIL);

        rc = read_form(TYPE, chorus_buf_str(&body));
        check_int(rows[i].name, rc, rows[i].code == CHORUS_S3_OK
                                    ? CHORUS_OK : CHORUS_ERROR);
        check_int(rows[i].name, refusal.code, rows[i].code);
    }
}


/* 1,800 variables of 100 bytes each would be 180 KB */
static void
variables_do_not_blow_up(void **state)
{
    size_t        i;
    chorus_buf_t  body;

    (void) state;

    body = chorus_buf(&mem, 0);
    chorus_buf_text(&body, PART("key"));

    for (i = 0; i < 1800; i++) {
        chorus_buf_text(&body, "${filename}");
    }

    chorus_buf_text(&body, "\r\n--B\r\nContent-Disposition: form-data; "
                    "name=\"file\"; filename=\"");

    for (i = 0; i < 100; i++) {
        chorus_buf_char(&body, 'f');
    }

    chorus_buf_text(&body, "\"\r\n\r\n" TAIL);

    check_refusal("variables", read_form(TYPE, chorus_buf_str(&body)),
                  CHORUS_S3_POST_PREAMBLE_TOO_LONG, NULL);
}


static chorus_str_t
copy_of(chorus_str_t body, size_t len)
{
    body.len = len;

    return chorus_str_dup(&mem, body);
}


/* Each time in memory that was not there before. */
static void
pieces_make_no_difference(void **state)
{
    size_t        first, second, i;
    chorus_rc_t   rc;
    chorus_str_t  body;

    (void) state;

    body = chorus_str(FIELD("key", "a/${filename}\r\n--A")
                      FIELD("acl", "")
                      "--B \t\r\nContent-Disposition: form-data; "
                      "name=\"tagging\""
                      "\r\n\r\n\r\n\r\n"
                      FILE_PART TAIL);

    for (first = 0; first <= body.len; first++) {
        for (second = first; second <= body.len; second += 5) {

            size_t  ends[] = { first, second, body.len };

            chorus_arena_reset(arena);

            rc = chorus_post_form_begin(&form, &mem, chorus_str(TYPE),
                                        &refusal);

            for (i = 0; rc == CHORUS_OK && i < 3 && !form.is_complete; i++) {
                rc = chorus_post_form_read(&form, copy_of(body, ends[i]),
                                           i == 2);
            }

            assert_int_equal(rc, CHORUS_OK);
            assert_true(form.is_complete);
            assert_int_equal(form.nfields, 3);
            check_str("key", form.key, "a/f.txt\r\n--A");
            check_str("tagging", form.fields[2].value, "\r\n");
            check_str("filename", form.filename, "f.txt");
            check_str("content", chorus_str_sub(body, form.file_start), TAIL);
        }
    }
}


/* A refusal is the same however the bytes come. */
static void
pieces_are_refused_alike(void **state)
{
    size_t              i, n;
    chorus_rc_t         rc;
    chorus_s3_code_t    code;
    chorus_str_t        body;

    static const char  *const bodies[] = {
        KEY "--B--\r\n",
        KEY "--BB",
        FIELD("acl", "") FILE_PART TAIL,
        KEY PART("a") "--B\r\n" FILE_PART TAIL,
        KEY KEY FILE_PART TAIL,
        KEY "--B\r\nContent-Disposition: x\r\n\r\n",
        KEY PART("a") "x",
    };

    (void) state;

    for (i = 0; i < NROWS(bodies); i++) {
        body = chorus_str_from(bodies[i]);

        assert_int_equal(read_form(TYPE, body), CHORUS_ERROR);
        code = refusal.code;

        rc = chorus_post_form_begin(&form, &mem, chorus_str(TYPE), &refusal);

        for (n = 0; rc == CHORUS_OK && n <= body.len; n++) {
            rc = chorus_post_form_read(&form, copy_of(body, n),
                                       n == body.len);
        }

        check_int(bodies[i], rc, CHORUS_ERROR);
        check_int(bodies[i], refusal.code, code);
    }
}


test_main(NULL, NULL,
    test_row(find_the_boundary),
    test_row(read_the_headers_of_a_part),
    test_row(read_a_form),
    test_row(lines_are_for_what_is_no_header),
    test_row(take_the_name_of_the_file),
    test_row(refuse_forms),
    test_row(limits_hold),
    test_row(variables_do_not_blow_up),
    test_row(pieces_make_no_difference),
    test_row(pieces_are_refused_alike)
)
