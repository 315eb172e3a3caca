/* The raw request target, taken apart without being normalised. */

#include <string.h>

#include "chorus_uri.h"


static bool
uri_is_unreserved(char c)
{
    return chorus_char_is(c, CHORUS_CHAR_UNRESERVED);
}


/* Reads one byte, plain or escaped, and moves *s behind it.  The escapes have
 * been checked; a broken one stands for itself. */
static char
uri_next(chorus_str_t *s)
{
    int   high, low;
    char  c;

    c = s->data[0];

    if (c == '%' && s->len >= 3) {
        high = chorus_hex_digit(s->data[1]);
        low = chorus_hex_digit(s->data[2]);

        if (high >= 0 && low >= 0) {
            *s = chorus_str_sub(*s, 3);
            return (char) (high << 4 | low);
        }
    }

    *s = chorus_str_sub(*s, 1);

    return c;
}


bool
chorus_uri_is_valid(chorus_str_t s)
{
    const char  *p;

    while (s.len != 0 && (p = memchr(s.data, '%', s.len)) != NULL) {

        s = chorus_str_sub(s, (size_t) (p - s.data));

        if (s.len < 3 || chorus_hex_digit(s.data[1]) < 0
            || chorus_hex_digit(s.data[2]) < 0)
        {
            return false;
        }

        s = chorus_str_sub(s, 3);
    }

    return true;
}


static bool
uri_has(chorus_str_t s, char c)
{
    return s.len != 0 && memchr(s.data, c, s.len) != NULL;
}


bool
chorus_uri_decode(chorus_mem_t *mem, chorus_str_t s, chorus_str_t *out)
{
    char    *data;
    size_t   len;

    if (!uri_has(s, '%')) {
        *out = s;
        return true;
    }

    if (!chorus_uri_is_valid(s)) {
        return false;
    }

    data = chorus_alloc(mem, s.len);
    if (data == NULL) {
        return false;
    }

    for (len = 0; s.len != 0; len++) {
        data[len] = uri_next(&s);
    }

    *out = (chorus_str_t) { data, len };

    return true;
}


/* Appends the front of *s that stands for itself, and moves *s behind it. */
static void
uri_take_plain(chorus_buf_t *buf, chorus_str_t *s, bool keep_slash)
{
    size_t  n;

    for (n = 0; n < s->len; n++) {
        if (!uri_is_unreserved(s->data[n])
            && !(keep_slash && s->data[n] == '/'))
        {
            break;
        }
    }

    chorus_buf_add(buf, (chorus_str_t) { s->data, n });
    *s = chorus_str_sub(*s, n);
}


static void
uri_escape(chorus_buf_t *buf, char c)
{
    static const char  hex[] = "0123456789ABCDEF";

    chorus_buf_char(buf, '%');
    chorus_buf_char(buf, hex[(unsigned char) c >> 4]);
    chorus_buf_char(buf, hex[(unsigned char) c & 0x0f]);
}


void
chorus_uri_encode(chorus_buf_t *buf, chorus_str_t s, bool keep_slash)
{
    for ( ;; ) {
        uri_take_plain(buf, &s, keep_slash);

        if (s.len == 0) {
            return;
        }

        uri_escape(buf, s.data[0]);
        s = chorus_str_sub(s, 1);
    }
}


void
chorus_uri_recode(chorus_buf_t *buf, chorus_str_t s, bool keep_slash)
{
    char  c;

    for ( ;; ) {
        uri_take_plain(buf, &s, keep_slash);

        if (s.len == 0) {
            return;
        }

        c = uri_next(&s);

        if (uri_is_unreserved(c) || (keep_slash && c == '/')) {
            chorus_buf_char(buf, c);

        } else {
            uri_escape(buf, c);
        }
    }
}


bool
chorus_uri_eq(chorus_str_t encoded, chorus_str_t plain)
{
    while (encoded.len != 0 && plain.len != 0) {
        if (uri_next(&encoded) != plain.data[0]) {
            return false;
        }

        plain = chorus_str_sub(plain, 1);
    }

    return encoded.len == 0 && plain.len == 0;
}


bool
chorus_uri_resembles(chorus_str_t encoded, chorus_str_t plain)
{
    char          c;
    chorus_str_t  rest;

    do {
        rest = encoded;
        c = encoded.len == 0 ? '\0' : uri_next(&encoded);
    } while (c == '?' || c == '+' || c == ' ');

    while (rest.len != 0 && plain.len != 0) {
        c = uri_next(&rest);

        if (!chorus_str_caseeq((chorus_str_t) { &c, 1 },
                               (chorus_str_t) { plain.data, 1 }))
        {
            return false;
        }

        plain = chorus_str_sub(plain, 1);
    }

    return plain.len == 0
           && (rest.len == 0 || strchr("=+ ", uri_next(&rest)) != NULL);
}


/* At most so many: "a&&b" has two. */
static size_t
uri_count_args(chorus_str_t query)
{
    size_t  i, n;

    n = 1;

    for (i = 0; i < query.len; i++) {
        n += (query.data[i] == '&');
    }

    return n;
}


static chorus_rc_t
uri_parse_query(chorus_mem_t *mem, chorus_uri_t *uri)
{
    chorus_str_t         rest, arg;
    chorus_query_arg_t  *args;

    if (uri->query.len == 0) {
        return CHORUS_OK;
    }

    args = chorus_alloc(mem, uri_count_args(uri->query)
                             * sizeof(chorus_query_arg_t));
    if (args == NULL) {
        return CHORUS_NOMEM;
    }

    uri->args = args;

    for (rest = uri->query; rest.len != 0; /* void */) {

        arg = chorus_str_cut(&rest, '&');

        if (arg.len == 0) {
            continue;                           /* "a&&b", "a&" */
        }

        args->name = chorus_str_cut(&arg, '=');
        args->value = arg;
        args++;
    }

    uri->nargs = (size_t) (args - uri->args);

    return CHORUS_OK;
}


/* Bucket and key have escapes, which are known to be good. */
static chorus_rc_t
uri_decode_path(chorus_mem_t *mem, chorus_uri_t *uri, chorus_error_t *error)
{
    if (!chorus_uri_decode(mem, uri->bucket, &uri->bucket)
        || !chorus_uri_decode(mem, uri->key, &uri->key))
    {
        return CHORUS_NOMEM;
    }

    if (uri_has(uri->bucket, '\0') || uri_has(uri->key, '\0')) {
        return chorus_error_set(error, "a NUL byte in the path");
    }

    return CHORUS_OK;
}


static chorus_rc_t
uri_parse_path(chorus_mem_t *mem, chorus_uri_t *uri, bool has_escapes,
    chorus_error_t *error)
{
    chorus_rc_t  rc;

    uri->key = chorus_str_sub(uri->path, 1);
    uri->bucket = chorus_str_cut(&uri->key, '/');

    if (uri->bucket.len == 0 && uri->path.len > 1) {
        return chorus_error_set(error, "the bucket name is empty");
    }

    if (has_escapes) {
        rc = uri_decode_path(mem, uri, error);
        if (rc != CHORUS_OK) {
            return rc;
        }
    }

    if (uri_has(uri->bucket, '/')
        || chorus_str_eq(uri->bucket, chorus_str("."))
        || chorus_str_eq(uri->bucket, chorus_str("..")))
    {
        return chorus_error_set(error, "the bucket name is not valid");
    }

    return CHORUS_OK;
}


chorus_rc_t
chorus_uri_parse(chorus_mem_t *mem, chorus_str_t target, chorus_uri_t *uri,
    chorus_error_t *error)
{
    bool          has_escapes;
    chorus_rc_t   rc;
    chorus_str_t  rest;

    memset(uri, 0, sizeof(chorus_uri_t));

    if (target.len == 0 || target.data[0] != '/') {
        return chorus_error_set(error, "the path does not begin with '/'");
    }

    if (uri_has(target, '#') || uri_has(target, '\0')) {
        return chorus_error_set(error, "a '#' or a NUL byte in the URI");
    }

    has_escapes = uri_has(target, '%');

    if (has_escapes && !chorus_uri_is_valid(target)) {
        return chorus_error_set(error, "a broken percent escape in the URI");
    }

    rest = target;
    uri->path = chorus_str_cut(&rest, '?');
    uri->query = rest;

    if (uri_count_args(uri->query) > CHORUS_URI_MAX_ARGS) {
        return chorus_error_set(error, "too many arguments");
    }

    rc = uri_parse_path(mem, uri, has_escapes, error);
    if (rc != CHORUS_OK) {
        return rc;
    }

    return uri_parse_query(mem, uri);
}


const chorus_query_arg_t *
chorus_uri_arg(const chorus_uri_t *uri, chorus_str_t name)
{
    size_t  i;

    for (i = 0; i < uri->nargs; i++) {
        if (chorus_uri_eq(uri->args[i].name, name)) {
            return &uri->args[i];
        }
    }

    return NULL;
}


bool
chorus_uri_has_plus(const chorus_uri_t *uri)
{
    return uri_has(uri->query, '+');
}


static bool
uri_is_named(chorus_str_t arg, const char *const *names)
{
    chorus_str_t  name;

    name = chorus_str_cut(&arg, '=');

    for ( /* void */ ; *names != NULL; names++) {
        if (chorus_uri_eq(name, chorus_str_from(*names))) {
            return true;
        }
    }

    return false;
}


static void
uri_add_arg(chorus_buf_t *buf, chorus_str_t arg, const char *plus)
{
    chorus_str_t  part;

    while (arg.data != NULL) {
        part = chorus_str_cut(&arg, '+');
        chorus_buf_add(buf, part);

        if (arg.data != NULL) {
            chorus_buf_text(buf, plus);
        }
    }
}


chorus_rc_t
chorus_uri_filter(chorus_mem_t *mem, const chorus_uri_t *uri,
    const char *const *without, const char *plus, chorus_uri_t *out)
{
    bool          is_first;
    chorus_buf_t  buf;
    chorus_str_t  rest, arg;

    *out = *uri;

    if (uri->query.len == 0) {
        return CHORUS_OK;
    }

    buf = chorus_buf(mem, uri->query.len);
    is_first = true;

    for (rest = uri->query; rest.data != NULL; /* void */) {

        arg = chorus_str_cut(&rest, '&');

        if (uri_is_named(arg, without)) {
            continue;
        }

        if (!is_first) {
            chorus_buf_char(&buf, '&');
        }

        uri_add_arg(&buf, arg, plus);
        is_first = false;
    }

    if (buf.failed) {
        return CHORUS_NOMEM;
    }

    out->query = is_first ? chorus_null_str : chorus_buf_str(&buf);
    out->args = NULL;
    out->nargs = 0;

    return uri_parse_query(mem, out);
}


chorus_str_t
chorus_uri_target(chorus_mem_t *mem, const chorus_uri_t *uri)
{
    chorus_buf_t  buf;

    buf = chorus_buf(mem, uri->path.len + uri->query.len + 1);

    chorus_buf_add(&buf, uri->path);

    if (uri->query.data != NULL) {
        chorus_buf_char(&buf, '?');
        chorus_buf_add(&buf, uri->query);
    }

    return chorus_buf_str(&buf);
}
