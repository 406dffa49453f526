/* test_rows.c - what of a row counts when it is compared, and which texts every back end takes. */
#include <math.h>

#include "core/transfer/transfer_rig.h"

static bool is_digest_equal(const bp_sql_value *a, const bp_sql_value *b)
{
    const bp_rows one = { sizeof(one), .values = a, .row_count = 1, .column_count = 3 },
                  other = { sizeof(other), .values = b, .row_count = 1, .column_count = 3 };
    struct transfer_digest digests[2] = { { .count = 0 }, { .count = 0 } };

    assert_int_equal(transfer_rows_digest(&rig_call, &rig_table, &one, &digests[0]), BP_OK);
    assert_int_equal(transfer_rows_digest(&rig_call, &rig_table, &other, &digests[1]), BP_OK);
    return transfer_digest_equal(&digests[0], &digests[1]);
}

/* The first column in which they differ; that the digest sees it, too, is asserted. */
static uint32_t difference(const bp_sql_value *a, const bp_sql_value *b)
{
    uint32_t column = transfer_rows_difference(&rig_table, a, b);

    assert_int_equal(column == rig_table.column_count, is_digest_equal(a, b));
    return column;
}

static const bp_sql_value *row(bp_sql_value a, bp_sql_value b, bp_sql_value c)
{
    bp_sql_value *values = arena_alloc(&rig_arena, 3 * sizeof(*values));

    values[0] = a;
    values[1] = b;
    values[2] = c;
    return values;
}

static void equal_rows_do_not_differ(void **state)
{
    (void)state;
    assert_int_equal(difference(row(bp_sql_int(1), bp_sql_real(0.5), bp_sql_text(BP_STR("a"))),
                                row(bp_sql_int(1), bp_sql_real(0.5), bp_sql_text(BP_STR("a")))),
                     3);
    assert_int_equal(difference(row(bp_sql_int(1), bp_sql_null(), bp_sql_null()),
                                row(bp_sql_int(1), bp_sql_null(), bp_sql_null())),
                     3);
}

static void the_first_column_that_differs_is_named(void **state)
{
    (void)state;
    assert_int_equal(difference(row(bp_sql_int(1), bp_sql_real(0.5), bp_sql_text(BP_STR("a"))),
                                row(bp_sql_int(2), bp_sql_real(0.6), bp_sql_text(BP_STR("b")))),
                     0);
    assert_int_equal(difference(row(bp_sql_int(1), bp_sql_real(0.5), bp_sql_text(BP_STR("a"))),
                                row(bp_sql_int(1), bp_sql_real(0.6), bp_sql_text(BP_STR("b")))),
                     1);
    assert_int_equal(difference(row(bp_sql_int(1), bp_sql_real(0.5), bp_sql_text(BP_STR("a"))),
                                row(bp_sql_int(1), bp_sql_real(0.5), bp_sql_text(BP_STR("b")))),
                     2);
}

static void an_empty_text_is_not_null_and_bytes_are_no_text(void **state)
{
    (void)state;
    assert_int_equal(difference(row(bp_sql_int(1), bp_sql_null(), bp_sql_text(BP_STR(""))),
                                row(bp_sql_int(1), bp_sql_null(), bp_sql_null())),
                     2);
    assert_int_equal(difference(row(bp_sql_int(1), bp_sql_null(), bp_sql_text(BP_STR("a"))),
                                row(bp_sql_int(1), bp_sql_null(), bp_sql_bytes(BP_STR("a")))),
                     2);
}

static void a_real_column_may_have_integers_and_both_zeros(void **state)
{
    (void)state;
    assert_int_equal(difference(row(bp_sql_int(1), bp_sql_int(2), bp_sql_null()),
                                row(bp_sql_int(1), bp_sql_real(2.0), bp_sql_null())),
                     3);
    assert_int_equal(difference(row(bp_sql_int(1), bp_sql_real(0.0), bp_sql_null()),
                                row(bp_sql_int(1), bp_sql_real(-0.0), bp_sql_null())),
                     3);
    assert_int_equal(difference(row(bp_sql_int(1), bp_sql_real((double)NAN), bp_sql_null()),
                                row(bp_sql_int(1), bp_sql_real(-(double)NAN), bp_sql_null())),
                     3);
    // ... but an integer column has none
    assert_int_equal(difference(row(bp_sql_int(1), bp_sql_null(), bp_sql_null()),
                                row(bp_sql_real(1.0), bp_sql_null(), bp_sql_null())),
                     0);
}

static void texts_that_no_store_takes_are_known(void **state)
{
    (void)state;
    assert_true(transfer_rows_is_text(BP_STR("")));
    assert_true(transfer_rows_is_text(BP_STR("gr\xc3\xbc\xc3\x9f")));
    assert_false(transfer_rows_is_text(bp_str_n("a\0b", 3)));
    assert_false(transfer_rows_is_text(BP_STR("\xff")));
    assert_false(transfer_rows_is_text(BP_STR("\xed\xa0\x80"))); // half a surrogate pair
}

static void a_row_is_named_by_its_key(void **state)
{
    static const struct transfer_table table = {
        .columns = { { { "owner", 5 }, BP_SQL_TEXT }, { { "n", 1 }, BP_SQL_INTEGER } },
        .column_count = 2,
        .keys = { 1, 0 },
        .key_count = 2,
    };
    const bp_sql_value values[] = { bp_sql_text(BP_STR("ann")), bp_sql_int(-7) },
                       bytes[] = { bp_sql_text(BP_STR("\xff")), bp_sql_int(1) };

    (void)state;
    assert_bp_str(transfer_rows_key_text(&rig_arena, &table, values), "n = -7, owner = ann");
    assert_bp_str(transfer_rows_key_text(&rig_arena, &table, bytes), "n = 1, owner = (bytes)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_rows_do_not_differ),
        cmocka_unit_test(the_first_column_that_differs_is_named),
        cmocka_unit_test(an_empty_text_is_not_null_and_bytes_are_no_text),
        cmocka_unit_test(a_real_column_may_have_integers_and_both_zeros),
        cmocka_unit_test(texts_that_no_store_takes_are_known),
        cmocka_unit_test(a_row_is_named_by_its_key),
    };
    return cmocka_run_group_tests(tests, rig_set_up, rig_tear_down);
}
