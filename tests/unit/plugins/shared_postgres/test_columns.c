/* test_columns.c - how many columns a statement asks for, by its words; that is what a server is
 * held to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "postgres/postgres.h"

static void columns_are_counted_where_rows_are_listed(void **state)
{
    static const struct {
        const char *sql;
        int         columns;
    } cases[] = {
        { "SELECT 1", 1 },
        { "select a, b,c from t where d in (1, 2)", 3 },
        { "SELECT count(*), coalesce(sum(x), 0), (SELECT max(a), 1 FROM t) FROM t", 3 },
        { "SELECT a * b, c FROM t", 2 },
        { "SELECT 'a, b', \"x,y\", 'it''s, so' FROM t", 3 },
        { "SELECT a, -- one, two\n b FROM t", 2 },
        { "SELECT DISTINCT a, b FROM t", 2 },
        { "SELECT a IS DISTINCT FROM b, c FROM t", 2 },
        { "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a), b FROM t", 2 },
        { "SELECT CASE WHEN a THEN 1 ELSE 2 END, CAST(b AS numeric(10, 2)), c[1, 2] FROM t", 3 },
        { "SELECT a, b UNION ALL SELECT c, d, e", 2 },
        { "WITH x AS (SELECT a, b, c FROM t), y AS MATERIALIZED (SELECT 1) SELECT a, b FROM x", 2 },
        { "WITH x AS (DELETE FROM t RETURNING a, b) INSERT INTO u(a, b, c) SELECT a, b, 1 FROM x "
          "RETURNING a",
          1 },
        { "INSERT INTO t(a, b) VALUES($1, $2) ON CONFLICT (a) DO UPDATE SET b = $2 RETURNING id, b",
          2 },
        { "UPDATE t SET a = 1, b = 2 WHERE c = 3 RETURNING a, b, c", 3 },
        { "INSERT INTO t(a, b) SELECT a, b FROM u", -1 },
        { "DELETE FROM t", -1 },
        { "SELECT * FROM t", -1 },
        { "SELECT a, t.* FROM t", -1 },
        { "SELECT DISTINCT * FROM t", -1 },
        { "VALUES (1, 2)", -1 },
        { "EXPLAIN SELECT a, b", -1 },
        { "SELECT", -1 },
        { "", -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (postgres_columns_of(bp_str_of(cases[i].sql)) != cases[i].columns)
            fail_msg("%s: %d columns", cases[i].sql, postgres_columns_of(bp_str_of(cases[i].sql)));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(
        columns_are_counted_where_rows_are_listed) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
