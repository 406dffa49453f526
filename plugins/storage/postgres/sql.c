/* sql.c - tells by their words what statements do, without understanding them: a doubt counts as a
 * write. */
#include "store.h"

static const char *const reading[] = { "select", "with", "values", "table", "explain", "show" };

/* They would change the connection for its next user, or end a transaction behind the
 * plugin's back. */
static const char *const forbidden[] = {
    "begin",    "start",   "commit",  "end",     "rollback", "abort",      "savepoint", "release",
    "set",      "reset",   "discard", "prepare", "execute",  "deallocate", "copy",      "listen",
    "unlisten", "declare", "fetch",   "move",    "close",    "lock",       "load"
};

/* In a SELECT or WITH: what makes it a write all the same, or what a replica cannot do. */
static const char *const writing[] = { "insert",  "update",    "delete",      "merge",
                                       "into",    "for share", "for no key",  "for key",
                                       "nextval", "setval",    "pg_advisory", "pg_notify" };

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool is_letter(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
}

bool sql_has(bp_str sql, const char *word)
{
    size_t len = strlen(word);

    for (size_t at = 0; at + len <= sql.len; at++) {
        size_t same = 0;

        while (same < len &&
               (is_letter(word[same]) ? (sql.data[at + same] | 0x20) == (word[same] | 0x20)
                                      : sql.data[at + same] == word[same]))
            same++;
        if (same == len && (at == 0 || !is_letter(sql.data[at - 1])))
            return true;
    }
    return false;
}

/* Behind blanks, brackets and comments. */
static bp_str first_word(bp_str sql)
{
    size_t at = 0, end;

    while (at < sql.len) {
        if (at + 1 < sql.len && sql.data[at] == '-' && sql.data[at + 1] == '-') {
            while (at < sql.len && sql.data[at] != '\n')
                at++;
        } else if (at + 1 < sql.len && sql.data[at] == '/' && sql.data[at + 1] == '*') {
            at += 2;
            while (at + 1 < sql.len && !(sql.data[at] == '*' && sql.data[at + 1] == '/'))
                at++;
            at = at + 2 < sql.len ? at + 2 : sql.len;
        } else if (strchr(" \t\r\n(", sql.data[at])) {
            at++;
        } else {
            break;
        }
    }
    for (end = at; end < sql.len && is_letter(sql.data[end]); end++)
        ;
    return bp_str_n(sql.data + at, end - at);
}

static bool is_one_of(bp_str word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (word.len == strlen(list[i]) && sql_has(word, list[i]))
            return true;
    return false;
}

sql_kind sql_kind_of(bp_str sql)
{
    bp_str word = first_word(sql);

    if (is_one_of(word, forbidden, COUNT(forbidden)))
        return SQL_FORBIDDEN;
    if (!is_one_of(word, reading, COUNT(reading)))
        return SQL_WRITES;
    for (size_t i = 0; i < COUNT(writing); i++)
        if (sql_has(sql, writing[i]))
            return SQL_WRITES;
    return SQL_READS;
}

bool sql_may_return_many(bp_str sql)
{
    return sql_has(sql, "returning") &&
           (!is_one_of(first_word(sql), (const char *const[]){ "insert" }, 1) ||
            sql_has(sql, "select"));
}
