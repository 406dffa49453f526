/* test_books.c - what the books say of an item, and that a walk goes on at the place they name. */
#include "core/transfer/transfer_rig.h"

/* ---- entries ---- */

static void an_entry_names_the_item_its_source_and_how_far_it_is(void **state)
{
    struct transfer_pair pair = { .kind = "storage", .source = "hash of the source" };
    struct transfer_item item = { .pair = &pair, .label = BP_STR("storage.main passages") };
    bp_sql_value         values[TRANSFER_BOOK_VALUES];
    bp_statement         statement = transfer_book_entry(&item, BP_STR("i17"), 500, false, values);

    (void)state;
    assert_int_equal(statement.parameter_count, TRANSFER_BOOK_VALUES);
    assert_ptr_equal(statement.parameters, values);
    assert_non_null(strstr(statement.sql.data, "INTO backplane_migration("));
    assert_non_null(strstr(statement.sql.data, "ON CONFLICT (item) DO UPDATE"));
    assert_bp_str(values[0].text, "storage.main passages");
    assert_bp_str(values[1].text, "hash of the source");
    assert_bp_str(values[2].text, "i17");
    assert_int_equal(values[3].integer, 500);
    assert_int_equal(values[4].integer, 0);
}

static void an_entry_without_a_place_has_an_empty_text_not_null(void **state)
{
    struct transfer_pair pair = { .kind = "vector", .source = "" };
    struct transfer_item item = { .pair = &pair, .label = BP_STR("vector.main docs") };
    bp_sql_value         values[TRANSFER_BOOK_VALUES];

    (void)state;
    transfer_book_entry(&item, (bp_str){ NULL, 0 }, 0, true, values);
    assert_int_equal(values[2].type, BP_SQL_TEXT);
    assert_non_null(values[2].text.data);
    assert_int_equal(values[4].integer, 1);
}

static bp_status exec_is_not_asked(bp_call *call, void *instance, bp_transaction *transaction,
                                   const bp_statement *statement, bp_rows *rows)
{
    (void)instance;
    (void)transaction;
    (void)statement;
    (void)rows;
    return bp_fail(call, BP_INTERNAL, "nobody should ask");
}

static void without_books_nothing_is_written_and_nothing_said(void **state)
{
    static const bp_storage_ops ops = { .struct_size = sizeof(ops), .exec = exec_is_not_asked };
    struct instance             source = { .peer = { .ops = &ops } };
    struct transfer_pair        pair = { .kind = "vector", .source = "", .from = &source };
    struct transfer_item        item = { .pair = &pair, .label = BP_STR("vector.main docs") };

    (void)state;
    assert_int_equal(transfer_write_book(&rig_call, &item, true), BP_OK);
    assert_false(item.is_done);
}

/* ---- places ---- */

enum { ROWS = 1100 };

/* A table with the ids 1 to ROWS, as a storage would give it. */
struct fake {
    bp_statement last;
    int64_t      after;
    size_t       asked;
};

static bp_status give_page(bp_call *call, void *instance, bp_transaction *transaction,
                           const bp_statement *statement, bp_rows *rows)
{
    struct fake  *fake = instance;
    bp_sql_value *values = arena_alloc(call->arena, 500 * 3 * sizeof(*values));

    (void)transaction;
    fake->last = *statement;
    fake->after = statement->parameter_count ? statement->parameters[0].integer : 0;
    fake->asked++;
    rows->values = values;
    rows->column_count = 3;
    for (int64_t id = fake->after + 1; id <= ROWS && rows->row_count < 500; id++) {
        *values++ = bp_sql_int(id);
        *values++ = bp_sql_real(0);
        *values++ = bp_sql_text(BP_STR("text"));
        rows->row_count++;
    }
    return BP_OK;
}

static const bp_storage_ops fake_ops = { .struct_size = sizeof(fake_ops), .exec = give_page };

static void a_walk_goes_through_all_pages_once(void **state)
{
    struct fake          fake = { .asked = 0 };
    bp_peer              peer = { .ops = &fake_ops, .instance = &fake };
    struct transfer_walk walk;
    bp_rows              rows;
    size_t               seen = 0;

    (void)state;
    transfer_walk_begin(&walk, &rig_table, &peer, BP_STR(""));
    do {
        assert_int_equal(transfer_walk_next(&rig_call, &walk, &rows), BP_OK);
        seen += rows.row_count;
    } while (rows.row_count);
    assert_int_equal(seen, ROWS);
    assert_int_equal(fake.asked, 4);
    assert_bp_str(buf_str(&walk.position), "i1100");
    transfer_walk_end(&walk);
}

static void a_walk_goes_on_behind_the_place_in_the_books(void **state)
{
    struct fake          fake = { .asked = 0 };
    bp_peer              peer = { .ops = &fake_ops, .instance = &fake };
    struct transfer_walk walk;
    bp_rows              rows;

    (void)state;
    transfer_walk_begin(&walk, &rig_table, &peer, BP_STR("i1000"));
    assert_int_equal(transfer_walk_next(&rig_call, &walk, &rows), BP_OK);
    assert_int_equal(rows.row_count, 100);
    assert_int_equal(bp_row(&rows, 0)[0].integer, 1001);
    assert_bp_str(fake.last.sql, "SELECT \"id\", \"score\", \"text\" FROM \"passages\" WHERE "
                                 "(\"id\") > ($1) ORDER BY \"id\" LIMIT 500");
    transfer_walk_end(&walk);
}

static void a_place_that_cannot_be_read_is_told(void **state)
{
    static const char *const bad[] = { "x", "i", "i12x", "t6", "tzz", "r00", "q61" };
    struct fake              fake = { .asked = 0 };
    bp_peer                  peer = { .ops = &fake_ops, .instance = &fake };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct transfer_walk walk;
        bp_rows              rows;

        transfer_walk_begin(&walk, &rig_table, &peer, bp_str_of(bad[i]));
        assert_int_equal(transfer_walk_next(&rig_call, &walk, &rows), BP_DATA);
        assert_bp_str(rig_call.error.message,
                      "the progress of the table passages in backplane_migration cannot be read: "
                      "empty the target and start again");
        transfer_walk_end(&walk);
    }
    assert_int_equal(fake.asked, 0);
}

/* ---- the order of tables ---- */

static void a_table_is_made_where_a_step_says_so(void **state)
{
    static const char sql[] = "CREATE TABLE a (x TEXT REFERENCES fresh, b later_one); "
                              "CREATE TABLE IF NOT EXISTS later (y TEXT); "
                              "ALTER TABLE \"old\" RENAME TO fresh";

    (void)state;
    assert_int_equal(transfer_place_in_step(sql, BP_STR("a")), strstr(sql, "a (") - sql);
    assert_int_equal(transfer_place_in_step(sql, BP_STR("later")), strstr(sql, "later (") - sql);
    assert_int_equal(transfer_place_in_step(sql, BP_STR("fresh")),
                     strstr(sql, "TO fresh") + 3 - sql);
    assert_int_equal(transfer_place_in_step(sql, BP_STR("late")), SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_names_the_item_its_source_and_how_far_it_is),
        cmocka_unit_test(an_entry_without_a_place_has_an_empty_text_not_null),
        cmocka_unit_test(without_books_nothing_is_written_and_nothing_said),
        cmocka_unit_test(a_walk_goes_through_all_pages_once),
        cmocka_unit_test(a_walk_goes_on_behind_the_place_in_the_books),
        cmocka_unit_test(a_place_that_cannot_be_read_is_told),
        cmocka_unit_test(a_table_is_made_where_a_step_says_so),
    };
    return cmocka_run_group_tests(tests, rig_set_up, rig_tear_down);
}
