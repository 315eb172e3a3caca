/*
 * How fast the checksums of uploads are, beside memcpy of the same bytes:
 *
 *   checksum [SECONDS]
 *
 * All take turns for SECONDS (10), so that whatever else the machine does
 * meets each of them; the fastest turn counts, in CPU time.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chorus_checksum.h"
#include "chorus_crc_engine.h"
#include "chorus_crypto.h"

#define BENCH_LEN        ((size_t) 16 << 20)
#define BENCH_MAX_ROWS   32
#define BENCH_SECONDS    10


typedef struct bench_row_s  bench_row_t;

struct bench_row_s {
    const char                 *algorithm;
    const char                 *by;
    void                      (*run)(const bench_row_t *row);
    const chorus_crc_engine_t  *engine;
    chorus_crc_t                crc;
    chorus_digest_t            *digest;
    size_t                      tables;     /* the row to compare with */
    double                      seconds;    /* of the fastest turn */
};


static const struct {
    const char    *name;
    chorus_crc_t   crc;
} bench_crcs[] = {
    { "CRC32", CHORUS_CRC32 },
    { "CRC32C", CHORUS_CRC32C },
    { "CRC64NVME", CHORUS_CRC64NVME },
};

static const struct {
    const char                 *name;
    chorus_digest_algorithm_t   algorithm;
} bench_digests[] = {
    { "MD5", CHORUS_DIGEST_MD5 },
    { "SHA1", CHORUS_DIGEST_SHA1 },
    { "SHA256", CHORUS_DIGEST_SHA256 },
};

static char               *bench_data, *bench_copy;
static bench_row_t         bench_rows[BENCH_MAX_ROWS];
static size_t              bench_nrows;
static volatile uint64_t   bench_result;    /* it cannot be optimised away */


static double
bench_now(clockid_t clock)
{
    struct timespec  now;

    (void) clock_gettime(clock, &now);

    return (double) now.tv_sec + (double) now.tv_nsec * 1e-9;
}


static void
bench_run_memcpy(const bench_row_t *row)
{
    (void) row;

    memcpy(bench_copy, bench_data, BENCH_LEN);
    bench_result += (unsigned char) bench_copy[bench_result % BENCH_LEN];
}


static void
bench_run_crc(const bench_row_t *row)
{
    bench_result += chorus_crc_by(row->engine, row->crc, 0, bench_data,
                                  BENCH_LEN);
}


static void
bench_run_digest(const bench_row_t *row)
{
    unsigned char  out[CHORUS_SHA256_LEN];

    if (!chorus_digest_begin(row->digest)
        || !chorus_digest_update(row->digest,
                                 (chorus_str_t) { bench_data, BENCH_LEN })
        || !chorus_digest_end(row->digest, out))
    {
        fprintf(stderr, "bench: OpenSSL failed\n");
        exit(1);
    }

    bench_result += out[0];
}


static bench_row_t *
bench_add(const char *algorithm, const char *by,
    void (*run)(const bench_row_t *row))
{
    bench_row_t  *row;

    if (bench_nrows == BENCH_MAX_ROWS) {
        fprintf(stderr, "bench: too many rows\n");
        exit(1);
    }

    row = &bench_rows[bench_nrows++];
    row->algorithm = algorithm;
    row->by = by;
    row->run = run;

    return row;
}


static void
bench_add_crc(size_t crc)
{
    size_t                      engine, tables;
    bench_row_t                *row;
    const chorus_crc_engine_t  *engines;

    engines = chorus_crc_engines;
    tables = bench_nrows;

    /* the tables first: the others compare with them */

    for (engine = chorus_crc_nengines; engine-- != 0; /* void */) {
        if (!engines[engine].is_supported()) {
            continue;
        }

        row = bench_add(bench_crcs[crc].name, engines[engine].name,
                        bench_run_crc);
        row->engine = &engines[engine];
        row->crc = bench_crcs[crc].crc;
        row->tables = tables;
    }
}


static void
bench_open(void)
{
    size_t        i;
    bench_row_t  *row;

    bench_data = malloc(BENCH_LEN);
    bench_copy = malloc(BENCH_LEN);

    if (bench_data == NULL || bench_copy == NULL) {
        fprintf(stderr, "bench: out of memory\n");
        exit(1);
    }

    for (i = 0; i < BENCH_LEN; i++) {
        bench_data[i] = (char) (i * 2654435761u >> 13);
        bench_copy[i] = 0;
    }

    (void) bench_add("memcpy", "libc", bench_run_memcpy);

    for (i = 0; i < sizeof(bench_crcs) / sizeof(bench_crcs[0]); i++) {
        bench_add_crc(i);
    }

    for (i = 0; i < sizeof(bench_digests) / sizeof(bench_digests[0]); i++) {
        row = bench_add(bench_digests[i].name, "OpenSSL", bench_run_digest);
        row->digest = chorus_digest_create(bench_digests[i].algorithm);

        if (row->digest == NULL) {
            fprintf(stderr, "bench: no %s\n", bench_digests[i].name);
            exit(1);
        }
    }
}


static void
bench_close(void)
{
    size_t  i;

    for (i = 0; i < bench_nrows; i++) {
        chorus_digest_destroy(bench_rows[i].digest);
    }

    free(bench_copy);
    free(bench_data);
}


static void
bench_turn(bench_row_t *row)
{
    double  start, seconds;

    start = bench_now(CLOCK_PROCESS_CPUTIME_ID);
    row->run(row);
    seconds = bench_now(CLOCK_PROCESS_CPUTIME_ID) - start;

    if (row->seconds == 0 || seconds < row->seconds) {
        row->seconds = seconds;
    }
}


static void
bench_print(unsigned nturns)
{
    size_t              i;
    const bench_row_t  *row;

    printf("16 MiB in memory, the fastest of %u turns\n\n"
           "%-11s%-12s%10s%11s%11s\n", nturns, "algorithm", "by", "MiB/s",
           "x memcpy", "x tables");

    for (i = 0; i < bench_nrows; i++) {
        row = &bench_rows[i];

        printf("%-11s%-12s%10.0f%11.2f", row->algorithm, row->by,
               (double) (BENCH_LEN >> 20) / row->seconds,
               bench_rows[0].seconds / row->seconds);

        if (row->engine != NULL) {
            printf("%11.2f", bench_rows[row->tables].seconds / row->seconds);
        }

        printf("\n");
    }
}


int
main(int argc, char **argv)
{
    size_t    i;
    double    end;
    unsigned  nturns;

    end = argc > 1 ? strtod(argv[1], NULL) : BENCH_SECONDS;
    end += bench_now(CLOCK_MONOTONIC);

    bench_open();

    for (nturns = 0; nturns == 0 || bench_now(CLOCK_MONOTONIC) < end;
         nturns++)
    {
        for (i = 0; i < bench_nrows; i++) {
            bench_turn(&bench_rows[i]);
        }
    }

    bench_print(nturns);
    bench_close();

    return 0;
}
