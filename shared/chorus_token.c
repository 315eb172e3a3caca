#include "chorus_token.h"

#include <string.h>

#define TOKEN_WORDS  3


static chorus_rc_t
token_of_words(const chorus_str_t *words, size_t n, chorus_token_t *token,
    chorus_error_t *error)
{
    token->text = words[n - 1];
    token->reads_only = n > 1 && chorus_str_eq(words[0], chorus_str("read"));
    token->name = n == TOKEN_WORDS ? words[1]
                  : token->reads_only ? chorus_str("read")
                  : chorus_str("admin");

    if (n > 1 && !token->reads_only
        && !chorus_str_eq(words[0], chorus_str("admin")))
    {
        return chorus_error_set(error, "the role of a token is \"read\" or "
                                "\"admin\"");
    }

    if (token->text.len < CHORUS_TOKEN_MIN
        || token->text.len > CHORUS_TOKEN_MAX)
    {
        return chorus_error_set(error, "a token has %d to %d characters, "
                                "this one has %zu", CHORUS_TOKEN_MIN,
                                CHORUS_TOKEN_MAX, token->text.len);
    }

    if (token->name.len > CHORUS_TOKEN_NAME_MAX) {
        return chorus_error_set(error, "the name of a token has at most %d "
                                "characters", CHORUS_TOKEN_NAME_MAX);
    }

    return CHORUS_OK;
}


static chorus_rc_t
token_of_line(chorus_str_t line, chorus_token_t *token, chorus_error_t *error)
{
    size_t        n;
    chorus_str_t  words[TOKEN_WORDS] = { { NULL, 0 } };

    for (n = 0; line.data != NULL && n < TOKEN_WORDS; n++) {
        words[n] = chorus_str_cut(&line, ' ');
        line = chorus_str_trim(line);
    }

    if (line.data != NULL) {
        return chorus_error_set(error, "must be [read|admin] [name] token");
    }

    return token_of_words(words, n, token, error);
}


chorus_rc_t
chorus_token_next(chorus_str_t *rest, size_t *line, chorus_token_t *token,
    chorus_error_t *error)
{
    chorus_str_t  text;

    memset(token, 0, sizeof(chorus_token_t));

    while (rest->data != NULL) {
        text = chorus_str_cut(rest, '\n');
        ++*line;

        while (text.len != 0 && text.data[text.len - 1] == '\r') {
            text.len--;
        }

        text = chorus_str_trim(text);

        if (text.len != 0 && text.data[0] != '#') {
            return token_of_line(text, token, error);
        }
    }

    return CHORUS_OK;
}
