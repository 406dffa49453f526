/* test_tokens.c - terms and weights computed outside of SQLite rank passages as FTS5 itself does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <sqlite3.h>

#include <backplane/testhost.h>

#include "words/tokens.h"

static testhost *host;
static bp_call  *call;

static int begin(void **state)
{
    (void)state;
    host = testhost_new();
    call = testhost_call_new(host, BP_FOREVER);
    return 0;
}

static int end(void **state)
{
    (void)state;
    testhost_call_end(call);
    testhost_free(host);
    return 0;
}

enum { PASSAGES = 400, QUERIES = 200 };

static const char *const vocabulary[] = {
    "run",     "running", "runs",     "Größe",  "grosse", "naïve",  "naive",   "server",
    "servers", "serving", "the",      "of",     "and",    "12",     "RFC9112", "café",
    "CAFE",    "vector",  "vektor",   "cosine", "Ωmega",  "ωmega",  "don't",   "state-of-the-art",
    "data",    "日本語",  "🙂",     "x",      "store",  "stored", "storage", "hash",
    "hashes",  "ﬁne",     "İstanbul", "walked",
};
enum { WORDS = sizeof(vocabulary) / sizeof(vocabulary[0]) };

static uint32_t seed = 7;

static uint32_t chance(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void random_text(char *text, size_t size, uint32_t words)
{
    size_t len = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < words; i++) {
        uint32_t a = chance(WORDS), b = chance(WORDS); // the smaller one: some words are common
        len += (size_t)snprintf(text + len, size - len, "%s%s", i ? " " : "",
                                vocabulary[a < b ? a : b]);
    }
}

struct passage {
    char              text[2000];
    struct token_list tokens;
};

static struct passage passages[PASSAGES];

static uint32_t frequency(const struct token_list *list, bp_str text)
{
    for (size_t i = 0; i < list->count; i++)
        if (bp_str_equal(list->items[i].text, text))
            return list->items[i].times;
    return 0;
}

enum { QUERY_TERMS = 32 };

/* How many passages have each term of the query. */
static void passages_with(const struct token_list *query, uint64_t with[QUERY_TERMS])
{
    assert_in_range(query->count, 0, QUERY_TERMS);
    for (size_t i = 0; i < query->count; i++) {
        with[i] = 0;
        for (size_t j = 0; j < PASSAGES; j++)
            with[i] += frequency(&passages[j].tokens, query->items[i].text) > 0;
    }
}

static double score_of(const struct token_list *query, const uint64_t with[QUERY_TERMS],
                       size_t passage, double average)
{
    double score = 0;

    for (size_t i = 0; i < query->count; i++) {
        uint32_t f = frequency(&passages[passage].tokens, query->items[i].text);

        if (f > 0)
            score += bm25_weight(bm25_idf(PASSAGES, with[i]), query->items[i].times, f,
                                 passages[passage].tokens.length, average);
    }
    return score;
}

static sqlite3 *fts_of_passages(words_tokenizer tokenizer)
{
    sqlite3      *db;
    sqlite3_stmt *insert;
    char         *sql = sqlite3_mprintf("CREATE VIRTUAL TABLE w USING fts5(words, tokenize='%s')",
                                        words_tokenizer_sql(tokenizer));

    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_free(sql);
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO w(rowid, words) VALUES(?1, ?2)", -1,
                                        &insert, NULL),
                     SQLITE_OK);
    for (int i = 0; i < PASSAGES; i++) {
        sqlite3_bind_int(insert, 1, i + 1);
        sqlite3_bind_text(insert, 2, passages[i].text, -1, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    return db;
}

static void compare(struct token_source *source, words_tokenizer tokenizer)
{
    double        average = 0;
    size_t        compared = 0;
    sqlite3      *db;
    sqlite3_stmt *search;

    for (size_t i = 0; i < PASSAGES; i++) {
        random_text(passages[i].text, sizeof(passages[i].text), i % 9 == 0 ? 0 : 1 + chance(60));
        assert_int_equal(tokens_of_passage(call, source, tokenizer, bp_str_of(passages[i].text),
                                           &passages[i].tokens),
                         BP_OK);
        average += (double)passages[i].tokens.length / PASSAGES;
    }
    db = fts_of_passages(tokenizer);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT rowid, -bm25(w) FROM w WHERE w MATCH ?1", -1,
                                        &search, NULL),
                     SQLITE_OK);
    for (int i = 0; i < QUERIES; i++) {
        char               text[400];
        struct words_query words;
        struct token_list  query;
        uint64_t           with[QUERY_TERMS];
        size_t             expected = 0, found = 0;

        random_text(text, sizeof(text), 1 + chance(5));
        if (strchr(text, '-') || strchr(text, '\''))
            continue; // no phrases: see the head of tokens.h
        assert_int_equal(words_parse(call, tokenizer, bp_str_of(text), &words), BP_OK);
        assert_int_equal(tokens_of_query(call, source, tokenizer, bp_str_of(text), &query), BP_OK);
        if (!words.match.len)
            continue;
        passages_with(&query, with);
        sqlite3_bind_text(search, 1, words.match.data, (int)words.match.len, SQLITE_STATIC);
        while (sqlite3_step(search) == SQLITE_ROW) {
            double wanted = sqlite3_column_double(search, 1);
            double got = score_of(&query, with, (size_t)sqlite3_column_int(search, 0) - 1, average);

            if (fabs(got - wanted) > 1e-9 * fabs(wanted) + 1e-12)
                fail_msg("\"%s\": passage %d has %.12g, FTS5 says %.12g", text,
                         sqlite3_column_int(search, 0), got, wanted);
            expected++;
        }
        sqlite3_reset(search);
        for (size_t j = 0; j < PASSAGES; j++)
            found += score_of(&query, with, j, average) > 0;
        assert_int_equal(found, expected);
        compared += expected;
    }
    assert_true(compared > 1000);
    sqlite3_finalize(search);
    sqlite3_close(db);
}

static void scores_are_those_of_fts5(void **state)
{
    struct token_source *source;

    (void)state;
    assert_int_equal(tokens_open(call, &source), BP_OK);
    compare(source, WORDS_STEMMED);
    compare(source, WORDS_PLAIN);
    tokens_close(source);
}

static void words_with_one_stem_are_one_term(void **state)
{
    struct token_source *source;
    struct token_list    list;

    (void)state;
    assert_int_equal(tokens_open(call, &source), BP_OK);
    assert_int_equal(tokens_of_passage(call, source, WORDS_STEMMED,
                                       BP_STR("The Runs of a running café"), &list),
                     BP_OK);
    assert_int_equal(list.length, 6);
    assert_int_equal(list.count, 5);
    assert_int_equal(frequency(&list, BP_STR("run")), 2);
    assert_int_equal(frequency(&list, BP_STR("cafe")), 1);
    assert_int_equal(tokens_of_query(call, source, WORDS_STEMMED, BP_STR("the runs, running"),
                                     &list),
                     BP_OK);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].times, 2);
    assert_int_equal(tokens_of_query(call, source, WORDS_STEMMED, BP_STR("the of"), &list), BP_OK);
    assert_int_equal(list.count, 2);
    assert_int_equal(tokens_of_passage(call, source, WORDS_TRIGRAMS, BP_STR("日本語です"), &list),
                     BP_OK);
    assert_int_equal(list.count, 3);
    assert_int_equal(tokens_of_passage(call, source, WORDS_PLAIN, BP_STR(""), &list), BP_OK);
    assert_int_equal(list.count, 0);
    tokens_close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_fts5),
        cmocka_unit_test(words_with_one_stem_are_one_term),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
