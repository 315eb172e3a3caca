/* Pages of ListObjectVersions, and the edit from one history to another. */

#include "chorus_versions.h"
#include "test.h"

#define HEAD  "<ListVersionsResult><EncodingType>url</EncodingType>"
#define TAIL  "<IsTruncated>false</IsTruncated></ListVersionsResult>"
#define TIME  "<LastModified>2026-11-22T20:23:14.915Z</LastModified>"


/* "key id etag size ms" of an entry, markers with "marker" for the ETag */
static const char *
words_of(const chorus_version_t *version)
{
    static char  text[256];

    (void) snprintf(text, sizeof(text), "%.*s %.*s %.*s %llu %lld",
                    chorus_fmt(version->key), chorus_fmt(version->id),
                    version->is_marker ? 6 : (int) version->etag.len,
                    version->is_marker ? "marker" : version->etag.data,
                    (unsigned long long) version->size,
                    (long long) version->modified_ms % 100000);

    return text;
}


static void
parse_pages(void **state)
{
    size_t                 i, n;
    chorus_rc_t            rc;
    chorus_error_t         error;
    chorus_version_page_t  page;

    static const struct {
        const char  *name;
        const char  *body;
        const char  *entries[4];
        bool         is_truncated;
        const char  *error;
    } rows[] = {

        { "none", HEAD TAIL, { NULL }, false, NULL },
        { "truncated", "<ListVersionsResult><IsTruncated>true</IsTruncated>"
          "</ListVersionsResult>", { NULL }, true, NULL },
        { "versions and markers in their order", HEAD
          "<Version><Key>a%20b%2Bc+d</Key><VersionId>v2</VersionId>"
          "<IsLatest>true</IsLatest>" TIME "<ETag>&quot;e&quot;</ETag>"
          "<Size>7</Size><Owner><ID>alice</ID></Owner></Version>"
          "<DeleteMarker><Key>k</Key><VersionId>v1</VersionId>" TIME
          "</DeleteMarker>"
          "<Version><Key>k</Key><VersionId>null</VersionId>"
          "<LastModified>2026-11-22T20:23:14Z</LastModified>"
          "<ETag>e-2</ETag><Size>0</Size></Version>" TAIL,
          { "a b+c d v2 e 7 94915", "k v1 marker 0 94915",
            "k null e-2 0 94000" }, false, NULL },
        { "a key that is not encoded stays as it is",
          "<ListVersionsResult><Version><Key>a%20b+</Key><VersionId>v"
          "</VersionId>" TIME "<ETag>e</ETag><Size>1</Size></Version>" TAIL,
          { "a%20b+ v e 1 94915" }, false, NULL },
        { "an ETag that Ceph forgot", HEAD
          "<Version><Key>k</Key><VersionId>v</VersionId>" TIME
          "<ETag>&quot;&quot;</ETag><Size>1</Size></Version>" TAIL,
          { "k v  1 94915" }, false, NULL },
        { "control characters in the prefix",
          "<ListVersionsResult><EncodingType>url</EncodingType>"
          "<Prefix>a&#x01;b&#1;&#x1f;&#10;&#x263A;&amp;</Prefix>"
          "<Version><Key>a%01b</Key><VersionId>v</VersionId>" TIME
          "<ETag>e</ETag><Size>1</Size></Version>" TAIL,
          { "a\001b v e 1 94915" }, false, NULL },
        { "what a system user of Ceph sees besides", HEAD
          "<Version><Key>k</Key><VersionedEpoch>3</VersionedEpoch>"
          "<RgwxTag>t</RgwxTag><VersionId>v</VersionId>" TIME
          "<ETag>e</ETag><Size>1</Size></Version>" TAIL,
          { "k v e 1 94915" }, false, NULL },
        { "names elsewhere are not meant", HEAD
          "<X><Version><Key>x</Key></Version></X>" TAIL, { NULL }, false,
          NULL },

        { "no XML", "versions", { NULL }, false, "line 1" },
        { "cut short", HEAD "<IsTruncated>false</IsTruncated>", { NULL },
          false, "line 1" },
        { "another document", "<ListBucketResult></ListBucketResult>",
          { NULL }, false, "not ListVersionsResult" },
        { "not said whether that is all",
          "<ListVersionsResult></ListVersionsResult>", { NULL }, false,
          "without IsTruncated" },
        { "neither true nor false", "<ListVersionsResult><IsTruncated>"
          "</IsTruncated></ListVersionsResult>", { NULL }, false,
          "without IsTruncated" },
        { "no id", HEAD "<Version><Key>k</Key>" TIME
          "<ETag>e</ETag><Size>1</Size></Version>" TAIL, { NULL }, false,
          "without key, id" },
        { "no size", HEAD "<Version><Key>k</Key><VersionId>v</VersionId>"
          TIME "<ETag>e</ETag></Version>" TAIL, { NULL }, false,
          "without key, id" },
        { "no time", HEAD "<DeleteMarker><Key>k</Key><VersionId>v</VersionId>"
          "</DeleteMarker>" TAIL, { NULL }, false, "without key, id" },
        { "two keys", HEAD "<Version><Key>k</Key><Key>l</Key></Version>" TAIL,
          { NULL }, false, "a second Key" },
        { "an element in a text", HEAD "<Version><Key>k<b/></Key></Version>"
          TAIL, { NULL }, false, "inside a text" },
        { "a broken escape", HEAD
          "<DeleteMarker><Key>%zz</Key><VersionId>v</VersionId>" TIME
          "</DeleteMarker>" TAIL, { NULL }, false, "badly encoded" },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        error.text[0] = '\0';
        rc = chorus_version_page_parse(&mem, chorus_str_from(rows[i].body),
                                       1000, &page, &error);

        if (rows[i].error != NULL) {
            check_int(rows[i].name, rc, CHORUS_ERROR);
            check_has(rows[i].name, error.text, rows[i].error);
            continue;
        }

        check_int(rows[i].name, rc, CHORUS_OK);
        check_int(rows[i].name, page.is_truncated, rows[i].is_truncated);

        for (n = 0; n < 4 && rows[i].entries[n] != NULL; n++) {
            check_str(rows[i].name,
                      chorus_str_from(words_of(&page.history.versions[n])),
                      rows[i].entries[n]);
        }

        check_int(rows[i].name, (int64_t) page.history.nversions,
                  (int64_t) n);
    }
}


static void
pages_are_bounded(void **state)
{
    chorus_error_t         error;
    chorus_version_page_t  page;

    static const char  body[] = HEAD
        "<DeleteMarker><Key>k</Key><VersionId>v</VersionId>" TIME
        "</DeleteMarker><DeleteMarker><Key>k</Key><VersionId>w</VersionId>"
        TIME "</DeleteMarker>" TAIL;

    (void) state;

    check_int("as asked", chorus_version_page_parse(&mem, chorus_str(body), 2,
                                                    &page, &error),
              CHORUS_OK);
    check_int("one more", chorus_version_page_parse(&mem, chorus_str(body), 1,
                                                    &page, &error),
              CHORUS_ERROR);
    check_has("one more", error.text, "more versions than asked for");
}


/*
 * A history in words, oldest first: "A1" is content A with headers 1, "m" is a
 * delete marker, "=id" follows where storages call it alike, "@s" is its time.
 */

#define WORDS_MAX  16

typedef struct {
    chorus_version_t  versions[WORDS_MAX];
    const char       *words[WORDS_MAX];     /* newest first */
    chorus_history_t  history;
} words_t;


static void
read_word(words_t *words, chorus_str_t word, size_t n, bool is_ours)
{
    uint64_t           seconds;
    chorus_buf_t       id;
    chorus_str_t       rest, name;
    chorus_version_t  *version = &words->versions[WORDS_MAX - 1 - n];

    words->words[WORDS_MAX - 1 - n] = chorus_str_dup(&mem, word).data;

    rest = word;
    word = chorus_str_cut(&rest, '@');
    name = word;
    word = chorus_str_cut(&name, '=');

    memset(version, 0, sizeof(chorus_version_t));
    version->is_marker = (word.data[0] == 'm');
    version->etag = version->is_marker ? chorus_null_str
                                       : (chorus_str_t) { word.data, 1 };
    version->size = version->is_marker ? 0 : 5;

    /* copies are made later than all originals */
    seconds = is_ours ? n : 100 + n;
    (void) chorus_str_to_u64(rest, &seconds);
    version->modified_ms = (int64_t) seconds * 1000 + 1;

    id = chorus_buf(&mem, 16);
    chorus_buf_text(&id, is_ours ? "ours" : "theirs");
    chorus_buf_u64(&id, n);
    version->id = name.data != NULL ? name : chorus_buf_str(&id);
}


static void
read_words(words_t *words, const char *text, bool is_ours)
{
    size_t        n;
    chorus_str_t  rest;

    rest = chorus_str_from(text);

    for (n = 0; rest.len != 0; n++) {
        read_word(words, chorus_str_cut(&rest, ' '), n, is_ours);
    }

    words->history.versions = &words->versions[WORDS_MAX - n];
    words->history.nversions = n;
}


typedef struct {
    words_t   ours;
    words_t   theirs;
    unsigned  nlooks;
    bool      fails;
} two_t;


static chorus_version_verdict_t
look(void *data, const chorus_version_t *ours, const chorus_version_t *theirs)
{
    two_t       *two = data;
    const char  *a, *b;

    a = two->ours.words[ours - two->ours.versions];
    b = two->theirs.words[theirs - two->theirs.versions];

    two->nlooks++;

    return two->fails ? CHORUS_VERSION_FAILED
           : strncmp(a, b, 2) == 0 ? CHORUS_VERSION_SAME
                                   : CHORUS_VERSION_OTHER;
}


static void
compare_histories(void **state)
{
    size_t                 i, n;
    two_t                  two;
    chorus_buf_t           surplus;
    chorus_history_edit_t  edit;

    static const struct {
        const char  *name;
        const char  *ours;
        const char  *theirs;
        size_t       nkept;
        const char  *surplus;
        unsigned     nlooks;
    } rows[] = {

        { "both empty", "", "", 0, "", 0 },
        { "equal", "A B m C", "A B m C", 4, "", 0 },
        { "new ones", "A B m C", "A B", 2, "", 0 },
        { "all is new", "A B", "", 0, "", 0 },
        { "the key is gone", "", "A m", 0, "A m", 0 },
        { "an old one is gone", "A C", "A B C", 2, "B", 1 },
        { "undeleted", "A", "A m", 1, "m", 0 },
        { "one missing in the middle", "A B C D", "A C D", 1, "C D", 2 },
        { "the oldest missing", "A B", "B", 0, "B", 1 },
        { "a stranger's", "A B", "A X B", 2, "X", 1 },
        { "a stranger's, and a new one", "A B C", "A X B", 2, "X", 1 },

        /* one marker for several */
        { "two markers where one can be", "A m m B", "A m B", 4, "", 0 },
        { "three of them", "A m m m B C", "A m B", 5, "", 0 },
        { "two markers at the end are appended", "A m m", "A m", 2, "", 0 },
        { "fewer on main", "A m B", "A m m B", 3, "m", 0 },
        { "two markers, and something else behind", "A m m B", "A m X", 2,
          "X", 1 },

        /* ids */
        { "same ids: no doubt", "A1=a A2=b", "A1=a@0 A2=b@0", 2, "", 0 },
        { "same ids: which of equals is gone", "A2=b", "A1=a A2=b", 1,
          "A1=a", 0 },
        { "same ids: an ETag of its own", "A=a B=b", "A=a X=b", 2, "", 0 },
        { "a null version stands for no other", "A B", "A B=null", 1,
          "B=null", 0 },
        { "nor does a null marker", "A m B=null", "A m=null", 1, "m=null",
          0 },
        { "another stands for a null version", "A=null B", "A B", 2, "", 0 },
        { "ids of some only", "A B C=c", "A B C=c", 3, "", 0 },
        { "the null version is another by now", "A=null B", "X=null", 0,
          "X=null", 2 },
        { "null version: same content, older copy", "A2=null@50",
          "A1=null@20", 0, "A1=null@20", 2 },

        /* doubts */
        { "an older copy is another's", "A2@50", "A1@20", 0, "A1@20", 1 },
        { "an older copy, by its clock", "A1@50", "A1@20", 1, "", 1 },
        { "equal contents, one goes", "A2", "A1 A2", 1, "A1", 2 },
        { "equal contents, the last goes", "A1", "A1 A2", 1, "A2", 1 },
        { "equal contents, one goes of others, too", "A2 B A3",
          "A1 A2 B A3", 3, "A1", 4 },
        { "equal contents, new ones", "A1 A2 A3", "A1 A2", 2, "", 0 },
    };

    (void) state;

    for (i = 0; i < NROWS(rows); i++) {

        memset(&two, 0, sizeof(two_t));
        read_words(&two.ours, rows[i].ours, true);
        read_words(&two.theirs, rows[i].theirs, false);

        check_int(rows[i].name,
                  chorus_history_compare(&mem, &two.ours.history,
                                         &two.theirs.history, look, &two,
                                         &edit),
                  CHORUS_OK);

        surplus = chorus_buf(&mem, 64);

        for (n = 0; n < edit.nsurplus; n++) {
            chorus_buf_text(&surplus, n == 0 ? "" : " ");
            chorus_buf_text(&surplus, two.theirs.words
                            [WORDS_MAX - two.theirs.history.nversions
                             + edit.surplus[n]]);
        }

        check_str(rows[i].name, surplus.len == 0 ? chorus_str("")
                                                 : chorus_buf_str(&surplus),
                  rows[i].surplus);
        check_int(rows[i].name, (int64_t) edit.nkept,
                  (int64_t) rows[i].nkept);
        check_int(rows[i].name, two.nlooks, rows[i].nlooks);
    }
}


static void
places_of_kept_versions(void **state)
{
    two_t                  two;
    chorus_history_edit_t  edit;

    (void) state;

    memset(&two, 0, sizeof(two_t));
    read_words(&two.ours, "A m m B C", true);
    read_words(&two.theirs, "A X m B", false);

    (void) chorus_history_compare(&mem, &two.ours.history,
                                  &two.theirs.history, look, &two, &edit);

    /* newest first: B is 0, m 1, X 2, A 3; 4: the marker that is not there */
    check_int("kept", (int64_t) edit.nkept, 4);
    check_int("A", (int64_t) edit.places[0], 3);
    check_int("m", (int64_t) edit.places[1], 1);
    check_int("second m", (int64_t) edit.places[2], 4);
    check_int("B", (int64_t) edit.places[3], 0);
}


static void
a_look_that_fails_ends_it(void **state)
{
    two_t                  two;
    chorus_history_edit_t  edit;

    (void) state;

    memset(&two, 0, sizeof(two_t));
    two.fails = true;
    read_words(&two.ours, "A2", true);
    read_words(&two.theirs, "A1 A2", false);

    check_int("equal contents",
              chorus_history_compare(&mem, &two.ours.history,
                                     &two.theirs.history, look, &two, &edit),
              CHORUS_ERROR);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test_row(parse_pages),
        test_row(pages_are_bounded),
        test_row(compare_histories),
        test_row(places_of_kept_versions),
        test_row(a_look_that_fails_ends_it)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
