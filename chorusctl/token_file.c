#include "token_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* of a path in an error, which says more behind it */
#define TOKEN_FILE_PATH  "%.250s"


typedef struct {
    char          data[CHORUS_TOKEN_FILE_MAX];
    chorus_str_t  text;
    mode_t        mode;
} token_file_t;


/* Secrets do not stay behind. */

static void
token_file_close(token_file_t *file)
{
    explicit_bzero(file->data, sizeof(file->data));
}


static token_file_state_t
token_file_open(token_file_t *file, const char *path, chorus_error_t *error)
{
    FILE         *f;
    struct stat   info;

    f = fopen(path, "r");
    if (f == NULL) {
        (void) chorus_error_set(error, TOKEN_FILE_PATH ": %s", path,
                                strerror(errno));
        return TOKEN_FILE_AWAY;
    }

    /* what is read is in no other buffer than ours */
    (void) setvbuf(f, NULL, _IONBF, 0);

    file->mode = fstat(fileno(f), &info) == -1 ? S_IROTH : info.st_mode;
    file->text.data = file->data;
    file->text.len = fread(file->data, 1, sizeof(file->data), f);
    fclose(f);

    if (file->text.len == sizeof(file->data)) {
        token_file_close(file);
        (void) chorus_error_set(error, TOKEN_FILE_PATH " is too large", path);
        return TOKEN_FILE_BAD;
    }

    return TOKEN_FILE_GOOD;
}


static token_file_state_t
token_file_next(const char *path, chorus_str_t *rest, size_t *line,
    chorus_token_t *token, chorus_error_t *error)
{
    chorus_error_t  why;

    if (chorus_token_next(rest, line, token, &why) != CHORUS_OK) {
        (void) chorus_error_set(error, TOKEN_FILE_PATH ", line %zu: %.200s",
                                path, *line, why.text);
        return TOKEN_FILE_BAD;
    }

    return TOKEN_FILE_GOOD;
}


static token_file_state_t
token_file_empty(const char *path, chorus_error_t *error)
{
    (void) chorus_error_set(error, "no token is in " TOKEN_FILE_PATH "; make "
                            "one: openssl rand -hex 16", path);
    return TOKEN_FILE_BAD;
}


static token_file_state_t
token_file_first(const char *path, char *first, chorus_error_t *error)
{
    size_t              line;
    token_file_t        file;
    chorus_token_t      token;
    token_file_state_t  state;

    state = token_file_open(&file, path, error);

    if (state != TOKEN_FILE_GOOD) {
        return state;
    }

    line = 0;
    state = token_file_next(path, &file.text, &line, &token, error);

    if (state == TOKEN_FILE_GOOD && token.text.data == NULL) {
        state = token_file_empty(path, error);
    }

    if (state == TOKEN_FILE_GOOD) {
        memcpy(first, token.text.data, token.text.len);
        first[token.text.len] = '\0';
    }

    token_file_close(&file);

    return state;
}


bool
token_file_read(const char *path, char *token)
{
    chorus_error_t      error;
    token_file_state_t  state;

    state = token_file_first(path, token, &error);

    if (state == TOKEN_FILE_AWAY) {
        fprintf(stderr, "chorusctl: cannot read the token file %s\n",
                error.text);

    } else if (state == TOKEN_FILE_BAD) {
        fprintf(stderr, "chorusctl: %s\n", error.text);
    }

    return state == TOKEN_FILE_GOOD;
}


token_file_state_t
token_file_check(const char *path, chorus_error_t *error)
{
    size_t              n, line;
    chorus_str_t        rest;
    token_file_t        file;
    chorus_token_t      token;
    token_file_state_t  state;

    state = token_file_open(&file, path, error);

    if (state != TOKEN_FILE_GOOD) {
        return state;
    }

    rest = file.text;
    line = 0;
    n = 0;

    do {
        state = token_file_next(path, &rest, &line, &token, error);
        n += token.text.data != NULL;
    } while (state == TOKEN_FILE_GOOD && token.text.data != NULL);

    token_file_close(&file);

    if (state == TOKEN_FILE_GOOD && n == 0) {
        state = token_file_empty(path, error);
    }

    if (state == TOKEN_FILE_GOOD && (file.mode & (S_IROTH | S_IWOTH)) != 0) {
        (void) chorus_error_set(error, "everyone may read or write this file; "
                                "run: chmod o-rwx " TOKEN_FILE_PATH, path);
        state = TOKEN_FILE_BAD;
    }

    return state;
}
