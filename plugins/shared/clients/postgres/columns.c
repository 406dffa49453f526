/* columns.c - how many columns the rows of a statement must have, by its words.
 *
 * A server is not believed: who reads row[3] asked for four columns, and what answers with two is
 * no PostgreSQL. So the list behind SELECT, or behind RETURNING of what writes, is counted, and
 * rows of another number are refused. A list with a star in it, and a statement of another kind,
 * has whatever number there is.
 */
#include "postgres.h"

struct scanner {
    const char *at, *end;
    int         depth; /* of parentheses and brackets */
};

/* Behind the quotation or comment that begins here. */
static bool skip_quoted(struct scanner *s)
{
    char        quote = *s->at;
    const char *close;

    if (quote == '\'' || quote == '"') {
        close = memchr(s->at + 1, quote, (size_t)(s->end - s->at - 1));
        s->at = close ? close + 1 : s->end; // a doubled one begins another
        return true;
    }
    if (quote == '-' && s->at + 1 < s->end && s->at[1] == '-') {
        close = memchr(s->at, '\n', (size_t)(s->end - s->at));
        s->at = close ? close + 1 : s->end;
        return true;
    }
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
}

/* The next word or sign outside of parentheses; empty at the end. */
static bp_str next_token(struct scanner *s)
{
    while (s->at < s->end) {
        const char *begin = s->at;

        if (skip_quoted(s))
            return bp_str_n("?", 1); // an operand
        if (*s->at == '(' || *s->at == '[') {
            s->depth++;
        } else if (*s->at == ')' || *s->at == ']') {
            s->depth--;
            s->at++;
            if (s->depth == 0)
                return bp_str_n("?", 1);
            continue;
        }
        if (!is_letter(*s->at)) {
            s->at++;
            if (s->depth == 0 && (unsigned char)*begin > ' ')
                return bp_str_n(begin, 1);
            continue;
        }
        while (s->at < s->end && is_letter(*s->at))
            s->at++;
        if (s->depth == 0)
            return bp_str_n(begin, (size_t)(s->at - begin));
    }
    return bp_str_n("", 0);
}

static bool is_word(bp_str token, const char *word)
{
    return token.len == strlen(word) && strncasecmp(token.data, word, token.len) == 0;
}

static bool is_one_of(bp_str token, const char *const *words)
{
    while (*words && !is_word(token, *words))
        words++;
    return *words != NULL;
}

/* The token behind the word that rows are listed behind. */
static bool find_list(struct scanner *s)
{
    static const char *const writers[] = { "INSERT", "UPDATE", "DELETE", NULL };
    bp_str                   token = next_token(s);

    while (token.len && !is_word(token, "SELECT") && !is_one_of(token, writers))
        token = next_token(s);
    if (is_word(token, "SELECT"))
        return true;
    while (token.len && !is_word(token, "RETURNING"))
        token = next_token(s);
    return token.len != 0;
}

int postgres_columns_of(bp_str sql)
{
    static const char *const ends[] = { "FROM",   "WHERE", "UNION", "EXCEPT", "INTERSECT",
                                        "ORDER",  "GROUP", "LIMIT", "HAVING", "WINDOW",
                                        "OFFSET", ";",     NULL };
    static const char *const first_words[] = {
        "SELECT", "WITH", "INSERT", "UPDATE", "DELETE", NULL
    };
    struct scanner s = { sql.data, sql.data + sql.len, 0 }, look = s;
    bp_str         token, before = BP_STR(",");
    int            count = 1;

    if (!is_one_of(next_token(&look), first_words) || !find_list(&s))
        return -1;
    while ((token = next_token(&s)).len) {
        bool is_operand = is_word(before, "DISTINCT") ||
                          is_word(before, "WITHIN"); // ... FROM, ... GROUP

        if (!is_operand && is_one_of(token, ends))
            break;
        if (is_word(token, "*") &&
            (is_word(before, ",") || is_word(before, ".") || is_word(before, "DISTINCT")))
            return -1;
        count += is_word(token, ",");
        before = token;
    }
    return is_word(before, ",") && count == 1 ? -1 : count;
}
