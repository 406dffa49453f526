/* translate.c - replaces the portable words of a migration by those of the store, outside of quotes
 * and comments. */
#include "translate.h"

#include <strings.h>

enum { STEP_BYTES_MAX = 4 << 20 };

static bool is_name(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || (c >= '0' && c <= '9');
}

/* How many bytes the word at `at` has, when it is one of the store's; `sql` is where the text
 * begins. */
static size_t word_at(const struct migrations_place *place, const char *sql, const char *at,
                      size_t *which)
{
    for (*which = 0; *which < place->word_count; (*which)++) {
        const char *word = place->words[*which].word;
        size_t      len = strlen(word);

        if (strncasecmp(at, word, len) == 0 &&
            (at[0] == '$' || ((at == sql || !is_name(at[-1])) && !is_name(at[len]))))
            return len;
    }
    return 0;
}

/* How long the comment here is; an apostrophe in one opens no text. */
static size_t comment_at(const char *at)
{
    const char *end;

    if (at[0] == '-' && at[1] == '-')
        return strcspn(at, "\n");
    if (at[0] != '/' || at[1] != '*')
        return 0;
    end = strstr(at + 2, "*/");
    return end ? (size_t)(end - at) + 2 : strlen(at);
}

bp_status migrations_translate(bp_call *call, const struct migrations_place *place, const char *sql,
                               bp_str *out)
{
    bp_buf     *buf = bp_buf_new(call, STEP_BYTES_MAX);
    const char *start = sql;
    char        quote = '\0';

    for (const char *at = sql; *at;) {
        size_t which = 0, comment = quote ? 0 : comment_at(at),
               len = quote || comment ? 0 : word_at(place, sql, at, &which);

        if (comment) {
            at += comment;
            continue;
        }
        if (quote ? *at == quote : (*at == '\'' || *at == '"'))
            quote = quote ? '\0' : *at;
        if (!len && !quote && at[0] == '$' && at[1] == '{')
            return bp_fail(call, BP_INVALID,
                           "a migration may say ${bytes} and ${identity}, not %.*s",
                           (int)strcspn(at, "}") + 1, at);
        if (len) {
            bp_buf_add(buf, bp_str_n(start, (size_t)(at - start)));
            bp_buf_add(buf, bp_str_of(place->words[which].here));
            start = at + len;
        }
        at += len ? len : 1;
    }
    bp_buf_add(buf, bp_str_of(start));
    if (bp_buf_status(buf) != BP_OK)
        return bp_fail(call, bp_buf_status(buf), "a migration is longer than %d MiB",
                       STEP_BYTES_MAX >> 20);
    *out = bp_buf_str(buf);
    return BP_OK;
}
