/* migrations_test.h - tests of migrations that every storage passes which keeps books: included
 * behind `ops`, `self`, exec(). */
#ifndef MIGRATIONS_TEST_H
#define MIGRATIONS_TEST_H

/* The column came later than the table; the books of then are read as if it said 0. */
static void books_from_before_works_from_are_read(void **state)
{
    const bp_migration steps[] = {
        { 1, 0, "a table", "CREATE TABLE docs(a TEXT)" },
        { 2, 1, "a column", "ALTER TABLE docs ADD COLUMN b TEXT" },
        { 3, 2, "another", "ALTER TABLE docs ADD COLUMN c TEXT" },
    };
    bp_rows rows;
    (void)state;
    assert_ok(ops->migrate(call, self, BP_STR("app"), steps, 2));
    assert_ok(exec(NULL, BP_SQL0("ALTER TABLE backplane_migrations DROP COLUMN works_from"), NULL));
    assert_status(ops->migrate(call, self, BP_STR("app"), steps, 1), BP_CONFLICT);
    assert_said("step 2 (a column)");
    assert_said("know 2 or more");
    assert_ok(ops->migrate(call, self, BP_STR("app"), steps, 3));
    assert_ok(ops->migrate(call, self, BP_STR("app"), steps, 2));
    assert_true(testhost_log_has(host, "holds version 3 of app, this program knows 2 and goes on"));
    assert_status(ops->migrate(call, self, BP_STR("app"), steps, 1), BP_CONFLICT);
    assert_ok(
        exec(NULL, BP_SQL0("SELECT works_from FROM backplane_migrations ORDER BY version"), &rows));
    assert_int_equal(rows.values[1].integer, 0);
    assert_int_equal(rows.values[2].integer, 2);
}

static void books_with_a_hole_are_refused(void **state)
{
    const bp_migration steps[] = { { 1, 0, "one", "CREATE TABLE docs(a TEXT)" },
                                   { 2, 1, "two", "SELECT 1" },
                                   { 3, 1, "three", "SELECT 1" } };
    (void)state;
    assert_ok(ops->migrate(call, self, BP_STR("app"), steps, 3));
    assert_ok(exec(NULL, BP_SQL0("DELETE FROM backplane_migrations WHERE version = 2"), NULL));
    assert_status(ops->migrate(call, self, BP_STR("app"), steps, 1), BP_CONFLICT);
    assert_said("lacks step 2");
    assert_ok(
        exec(NULL, BP_SQL0("UPDATE backplane_migrations SET version = 0 WHERE version = 1"), NULL));
    assert_status(ops->migrate(call, self, BP_STR("app"), steps, 3), BP_CONFLICT);
    assert_said("lacks step 1");
}

static void a_table_of_the_same_name_is_told_from_the_books(void **state)
{
    const bp_migration step = { 1, 0, "one", "CREATE TABLE docs(a TEXT)" };

    (void)state;
    assert_ok(exec(NULL, BP_SQL0("CREATE TABLE backplane_migrations(a INTEGER)"), NULL));
    assert_status(ops->migrate(call, self, BP_STR("app"), &step, 1), BP_CONFLICT);
    assert_said("the table backplane_migrations of ");
    assert_said(" is not as Backplane makes it (");
    assert_said("): name another database, or restore a backup of this one");
}

#endif
