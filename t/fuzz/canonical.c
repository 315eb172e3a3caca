#include "chorus_sigv4.h"
#include "fuzz.h"

#define MAX_HEADERS  64


static void
path_is_stable(chorus_mem_t *mem, chorus_str_t path)
{
    chorus_buf_t  once, twice;

    once = chorus_buf(mem, 64);
    twice = chorus_buf(mem, 64);
    chorus_sigv4_canonical_path(&once, path);
    chorus_sigv4_canonical_path(&twice, chorus_buf_str(&once));

    FUZZ_HOLDS(chorus_str_starts(chorus_buf_str(&once), chorus_str("/")));
    FUZZ_HOLDS(chorus_str_eq(chorus_buf_str(&once), chorus_buf_str(&twice)));
}


static void
query_is_stable(chorus_mem_t *mem, const chorus_uri_t *uri)
{
    chorus_buf_t    target, twice;
    chorus_str_t    once;
    chorus_uri_t    again;
    chorus_error_t  error;

    target = chorus_buf(mem, 64);
    chorus_buf_add(&target, chorus_str("/b?"));
    FUZZ_HOLDS(chorus_sigv4_canonical_query(mem, &target, uri) == CHORUS_OK);
    once = chorus_str_sub(chorus_buf_str(&target), 3);

    FUZZ_HOLDS(chorus_uri_parse(mem, chorus_buf_str(&target), &again, &error)
               == CHORUS_OK);
    FUZZ_HOLDS(again.nargs == uri->nargs);

    twice = chorus_buf(mem, 64);
    FUZZ_HOLDS(chorus_sigv4_canonical_query(mem, &twice, &again)
               == CHORUS_OK);
    FUZZ_HOLDS(chorus_str_eq(once, chorus_buf_str(&twice)));
}


/* A header for each line of `text`; repeats are joined in the first pass, and
 * nothing is left to be trimmed, folded or joined in the second. */
static void
header_is_stable(chorus_mem_t *mem, chorus_str_t text)
{
    size_t           n;
    chorus_str_t     line;
    chorus_buf_t     once, twice;
    chorus_header_t  headers[MAX_HEADERS];

    for (n = 0; n < MAX_HEADERS && text.len != 0; n++) {
        headers[n].name = chorus_str("n");
        headers[n].value = chorus_str_cut(&text, '\n');
    }

    once = chorus_buf(mem, 64);
    chorus_sigv4_canonical_headers(&once, headers, n, chorus_str("n"));

    line = chorus_buf_str(&once);
    FUZZ_HOLDS(chorus_str_starts(line, chorus_str("n:")));
    line = chorus_str_sub(line, 2);
    headers[0].name = chorus_str("n");          /* there may be no line */
    headers[0].value = chorus_str_cut(&line, '\n');
    FUZZ_HOLDS(line.len == 0);

    twice = chorus_buf(mem, 64);
    chorus_sigv4_canonical_headers(&twice, headers, 1, chorus_str("n"));
    FUZZ_HOLDS(chorus_str_eq(chorus_buf_str(&once), chorus_buf_str(&twice)));
}


/* "target\nvalue\nvalue...": a canonical form of a canonical form is
 * itself. */
static void
fuzz_one(chorus_mem_t *mem, chorus_str_t input)
{
    chorus_str_t    target;
    chorus_uri_t    uri;
    chorus_error_t  error;

    target = chorus_str_cut(&input, '\n');
    header_is_stable(mem, input);

    if (chorus_uri_parse(mem, target, &uri, &error) == CHORUS_OK) {
        path_is_stable(mem, uri.path);
        query_is_stable(mem, &uri);
    }
}
