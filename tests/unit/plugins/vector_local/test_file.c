/* test_file.c - vector/local and its file: what is swept away and when, and what each operation
 * says and keeps when another program has locked, changed or spoilt the file.
 */
#include "plugins/vector_local/vector_file.h"

static const float east[] = { 1, 0 };

static void fill(const char *name, size_t count)
{
    bp_point *points = BP_NEW_ARRAY(call, bp_point, count);

    for (size_t i = 0; i < count; i++)
        points[i] = (bp_point){ .struct_size = sizeof(bp_point),
                                .id = i + 1,
                                .vector = east,
                                .words = BP_STR("moss"),
                                .metadata = BP_STR("{\"n\":1}") };
    assert_ok(make(name, 2, BP_COSINE, "en"));
    assert_ok(ops->upsert(call, self, bp_str_of(name), points, sizeof(points[0]), count));
}

static void sweep(void)
{
    testhost_advance(BP_SECONDS(1));
    assert_int_equal(testhost_run_jobs(host), 1);
}

#define TABLES                                                                                     \
    "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE type = 'table' AND "     \
    "name GLOB '*_[0-9]*' ORDER BY name)"
#define TABLES_OF(n)                                                                               \
    "points_" n ",vectors_" n ",words_" n ",words_" n "_config,words_" n "_data,words_" n          \
    "_docsize,words_" n "_idx"
#define SIZES(n)                                                                                   \
    "SELECT (SELECT count(*) FROM points_" n "), (SELECT count(*) FROM vectors_" n                 \
    "), (SELECT count(*) FROM words_" n "_docsize)"

static void a_drop_leaves_tables_that_the_sweep_takes_and_no_others(void **state)
{
    struct legs legs;

    (void)state;
    fill("first", 3);
    fill("gone", 2500);
    fill("last", 1000);
    assert_ok(ops->drop(call, self, BP_STR("gone")));
    assert_string_equal(file_row("SELECT group_concat(id || name) FROM collections"),
                        "1first,3last");
    assert_string_equal(file_row(SIZES("2")), "2500|2500|2500");
    sweep();
    assert_string_equal(file_row(TABLES),
                        "points_1,points_3,vectors_1,vectors_3,words_1,words_1_config,words_1_data,"
                        "words_1_docsize,words_1_idx,words_3,words_3_config,words_3_data,words_3_"
                        "docsize,words_3_idx");
    assert_string_equal(file_row(SIZES("1")), "3|3|3");
    assert_string_equal(file_row(SIZES("3")), "1000|1000|1000");
    assert_ok(find("last", east, 2, "moss", NULL, 10, &legs));
    assert_string_equal(ids_of(&legs.words), "1,2,3,4,5,6,7,8,9,10");
    /* What comes next has a number of its own. */
    fill("gone", 1);
    assert_string_equal(file_row("SELECT group_concat(id || name) FROM collections"),
                        "1first,4gone,3last");
}

static void full_pieces_are_swept_to_the_end(void **state)
{
    (void)state;
    for (size_t count = 999; count <= 1001; count++) {
        next_call();
        fill("c", count);
        assert_ok(ops->drop(call, self, BP_STR("c")));
        sweep();
        assert_string_equal(file_row(TABLES), "null");
    }
}

static void a_vacuum_sweeps_and_gives_the_room_back(void **state)
{
    (void)state;
    fill("kept", 10);
    fill("gone", 2500);
    assert_ok(ops->drop(call, self, BP_STR("gone")));
    assert_ok(ops->maintain(call, self, BP_STR("vacuum")));
    assert_string_equal(file_row(TABLES), TABLES_OF("1"));
    assert_string_equal(file_row("SELECT freelist_count, page_count < 40 FROM "
                                 "pragma_freelist_count, pragma_page_count"),
                        "0|1");
    next_call();
    fill("other", 1);
    assert_ok(ops->drop(call, self, BP_STR("other")));
    testhost_cancel(call);
    assert_string_equal(told(ops->maintain(call, self, BP_STR("vacuum"))), "cancelled: ");
    next_call();
    assert_string_equal(file_row(SIZES("3")), "1|1|1");
    assert_string_equal(told(ops->maintain(call, self, BP_STR(""))),
                        "invalid: \"\" cannot be done; vacuum can");
}

#define ORPHAN                                                                                     \
    "CREATE TABLE points_77(id INTEGER PRIMARY KEY); CREATE TABLE vectors_77(id INTEGER PRIMARY "  \
    "KEY); INSERT INTO points_77 VALUES(1), (2); CREATE TABLE points_x(id); "
#define ORPHAN_WORDS "CREATE VIRTUAL TABLE words_77 USING fts5(words)"

static void leftovers_are_looked_for_at_start_and_after_a_drop(void **state)
{
    (void)state;
    stop();
    file_run(ORPHAN ORPHAN_WORDS);
    begin_instance();
    sweep();
    assert_string_equal(file_row("SELECT group_concat(name) FROM sqlite_schema WHERE name GLOB "
                                 "'points_*'"),
                        "points_x");
    file_run("DROP TABLE points_x; " ORPHAN ORPHAN_WORDS);
    sweep();
    assert_string_equal(file_row("SELECT count(*) FROM points_77"), "2");
    assert_ok(make("c", 2, BP_COSINE, "en"));
    sweep();
    assert_string_equal(file_row("SELECT count(*) FROM points_77"), "2");
    assert_ok(ops->drop(call, self, BP_STR("c")));
    sweep();
    assert_string_equal(file_row(TABLES), "null");
    assert_int_equal(testhost_log_count(host), 0);
}

static void a_sweep_that_failed_is_tried_again(void **state)
{
    (void)state;
    stop();
    file_run(ORPHAN);
    begin_instance();
    sweep();
    assert_string_equal(file_row("SELECT count(*) FROM points_77"), "2");
    assert_true(testhost_log_has(host, "no such table: words_77_data"));
    assert_string_equal(told(ops->maintain(call, self, BP_STR("vacuum"))),
                        "invalid: no such table: words_77_data");
    sweep();
    assert_string_equal(file_row("SELECT count(*) FROM points_77"), "2");
    file_run(ORPHAN_WORDS);
    sweep();
    assert_string_equal(file_row(TABLES), "null");
}

/* ---- a file that cannot be used ---- */

static bp_status no_point(bp_call *of, void *arg, const bp_point *point)
{
    (void)of;
    (void)arg;
    (void)point;
    return BP_OK;
}

static bp_status no_bytes(bp_call *of, void *arg, bp_str bytes)
{
    (void)of;
    (void)arg;
    (void)bytes;
    return BP_OK;
}

static void add_failure(bp_buf *buf, const char *what, bp_status status)
{
    if (status != BP_OK)
        bp_buf_addf(buf, "%s %s\n", what, told(status));
}

/* Each operation on "c", whose point 1 has the words "moss", which of them failed and how; before
 * the drop what the file says to `rows`, unless it is NULL. */
static const char *all_operations(const char *rows)
{
    const bp_vector_schema owned = { .struct_size = sizeof(owned),
                                     .dimensions = 2,
                                     .metric = BP_COSINE,
                                     .model = BP_STR("test-model"),
                                     .language = BP_STR("en"),
                                     .owner = BP_STR("somebody") };
    const bp_point_sink    points = { .struct_size = sizeof(points), .point = no_point };
    const bp_byte_sink     bytes = { .struct_size = sizeof(bytes), .write = no_bytes };
    const bp_filter       *filter = RANGE("n", 0, 9, false, false);
    bp_buf                *buf = bp_buf_new(call, 1 << 16);
    struct legs            legs;
    uint64_t               count = 99, removed = 99, one = 1;
    const bp_vector_info  *infos;
    size_t                 listed;
    bp_str                 owner;

    add_failure(buf, "count", ops->count(call, self, BP_STR("c"), filter, &count));
    add_failure(buf, "scroll", ops->scroll(call, self, BP_STR("c"), NULL, 0, 9, &points));
    add_failure(buf, "snapshot", ops->snapshot(call, self, BP_STR("c"), &bytes));
    add_failure(buf, "near", find("c", east, 2, "", filter, 9, &legs));
    add_failure(buf, "words", find("c", NULL, 0, "moss", NULL, 9, &legs));
    add_failure(buf, "create", make("new", 2, BP_COSINE, "en"));
    add_failure(buf, "own", ops->create(call, self, BP_STR("c"), &owned));
    add_failure(buf, "put", put("c", 2, east, "ivy", ""));
    add_failure(buf, "remove", ops->remove(call, self, BP_STR("c"), &one, 1, NULL, &removed));
    add_failure(buf, "remove by filter",
                ops->remove(call, self, BP_STR("c"), NULL, 0, filter, &removed));
    bp_buf_addf(buf, "counted %llu, removed %llu\n", (unsigned long long)count,
                (unsigned long long)removed);
    assert_ok(ops->list(call, self, &infos, &listed));
    assert_ok(ops->owner(call, self, BP_STR("c"), &owner));
    assert_ok(find("c", east, 2, "", NULL, 9, &legs));
    bp_buf_addf(buf, "in memory %zu of '" BP_FMT "', %llu: %s\n", listed, BP_ARG(owner),
                (unsigned long long)infos[0].count, ids_of(&legs.vector));
    if (rows)
        bp_buf_addf(buf, "in the file %s\n", file_row(rows));
    add_failure(buf, "drop", ops->drop(call, self, BP_STR("c")));
    add_failure(buf, "vacuum", ops->maintain(call, self, BP_STR("vacuum")));
    assert_ok(ops->list(call, self, &infos, &listed));
    bp_buf_addf(buf, "in memory %zu\n", listed);
    return bp_buf_str(buf).data;
}

static void begin_impatient(void)
{
    const testhost_option options[] = { { "path", "store" }, { "busy_timeout", "0" } };

    start(options, 2);
    ops = testhost_ops(instance);
    self = testhost_self(instance);
}

static void begin_with_a_new_file(void)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/store/vectors.db", directory);
    unlink(path);
    begin_instance();
}

static void a_locked_file_is_said_and_nothing_is_half_done(void **state)
{
    const char *locked;
    sqlite3    *db;

    (void)state;
    fill("c", 1);
    stop();
    begin_impatient();
    db = file_open();
    file_run_on(db, "BEGIN IMMEDIATE");
    locked = bp_format(call,
                       "unavailable: %s/store/vectors.db is locked by another process or "
                       "statement: end it, or try again",
                       directory)
                 .data;
    assert_string_equal(all_operations(NULL),
                        bp_format(call,
                                  "create %s\nown %s\nput %s\nremove %s\nremove by filter %s\n"
                                  "counted 1, removed 99\nin memory 1 of '', 1: 1\ndrop %s\nvacuum "
                                  "%s\n"
                                  "in memory 1\n",
                                  locked, locked, locked, locked, locked, locked, locked)
                            .data);
    file_run_on(db, "ROLLBACK");
    sqlite3_close(db);
    next_call();
    assert_string_equal(all_operations(NULL),
                        ""
                        "counted 1, removed 0\nin memory 2 of 'somebody', 1: 2\n"
                        "in memory 1\n");
}

static void a_table_that_is_missing_fails_what_needs_it(void **state)
{
    static const struct {
        const char *lost, *wanted;
    } cases[] = {
        { "points_1", "count invalid: no such table: points_1\n"
                      "scroll invalid: no such table: points_1\n"
                      "snapshot invalid: no such table: points_1\n"
                      "near invalid: no such table: points_1\n"
                      "put invalid: no such table: points_1\n"
                      "remove invalid: no such table: points_1\n"
                      "remove by filter invalid: no such table: points_1\n"
                      "counted 0, removed 99\nin memory 2 of 'somebody', 1: 1\nin memory 1\n" },
        { "vectors_1", "scroll invalid: no such table: vectors_1\n"
                       "snapshot invalid: no such table: vectors_1\n"
                       "put invalid: no such table: vectors_1\n"
                       "remove invalid: no such table: vectors_1\n"
                       "remove by filter invalid: no such table: vectors_1\n"
                       "counted 1, removed 99\nin memory 2 of 'somebody', 1: 1\n"
                       "vacuum invalid: no such table: vectors_1\nin memory 1\n" },
        { "words_1", "words invalid: no such table: words_1\n"
                     "put invalid: no such table: words_1\n"
                     "remove invalid: no such table: words_1\n"
                     "remove by filter invalid: no such table: words_1\n"
                     "counted 1, removed 99\nin memory 2 of 'somebody', 1: 1\n"
                     "vacuum invalid: no such table: words_1_data\nin memory 1\n" },
        { "collections", "snapshot invalid: no such table: collections\n"
                         "create invalid: no such table: collections\n"
                         "own invalid: no such table: collections\n"
                         "counted 1, removed 0\nin memory 1 of '', 1: 2\n"
                         "drop invalid: no such table: collections\n"
                         "vacuum invalid: no such table: collections\nin memory 1\n" },
    };

    (void)state;
    stop();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin_with_a_new_file();
        fill("c", 1);
        file_run(bp_format(call, "DROP TABLE %s", cases[i].lost).data);
        assert_string_equal(all_operations(NULL), cases[i].wanted);
        stop();
    }
    begin_instance();
}

/* What fails when a trigger refuses one step of a write. */
static const struct {
    const char *when, *wanted;
} refusals[] = {
    { "INSERT ON points_1", "put conflict: no\n"
                            "counted 1, removed 0\n"
                            "in memory 2 of 'somebody', 0: \n"
                            "in the file null|null|null|csomebody,new\n"
                            "in memory 1\n" },
    { "INSERT ON vectors_1", "put conflict: no\n"
                             "counted 1, removed 0\n"
                             "in memory 2 of 'somebody', 0: \n"
                             "in the file null|null|null|csomebody,new\n"
                             "in memory 1\n" },
    { "DELETE ON points_1", "remove conflict: no\n"
                            "remove by filter conflict: no\n"
                            "counted 1, removed 99\n"
                            "in memory 2 of 'somebody', 2: 1,2\n"
                            "in the file 1,2|1,2|1,2|csomebody,new\n"
                            "vacuum conflict: no\n"
                            "in memory 1\n" },
    { "DELETE ON vectors_1", "remove conflict: no\n"
                             "remove by filter conflict: no\n"
                             "counted 1, removed 99\n"
                             "in memory 2 of 'somebody', 2: 1,2\n"
                             "in the file 1,2|1,2|1,2|csomebody,new\n"
                             "vacuum conflict: no\n"
                             "in memory 1\n" },
    { "INSERT ON collections", "create conflict: no\n"
                               "counted 1, removed 0\n"
                               "in memory 1 of 'somebody', 1: 2\n"
                               "in the file 2|2|2|csomebody\n"
                               "in memory 0\n" },
    { "UPDATE ON collections", "own conflict: no\n"
                               "counted 1, removed 0\n"
                               "in memory 2 of '', 1: 2\n"
                               "in the file 2|2|2|c,new\n"
                               "in memory 1\n" },
    { "DELETE ON collections", "counted 1, removed 0\n"
                               "in memory 2 of 'somebody', 1: 2\n"
                               "in the file 2|2|2|csomebody,new\n"
                               "drop conflict: no\n"
                               "in memory 2\n" },
    { "INSERT ON words_1_docsize", "put conflict: constraint failed\n"
                                   "counted 1, removed 0\n"
                                   "in memory 2 of 'somebody', 0: \n"
                                   "in the file null|null|null|csomebody,new\n"
                                   "in memory 1\n" },
    { "DELETE ON words_1_docsize", "remove conflict: constraint failed\n"
                                   "remove by filter conflict: constraint failed\n"
                                   "counted 1, removed 99\n"
                                   "in memory 2 of 'somebody', 2: 1,2\n"
                                   "in the file 1,2|1,2|1,2|csomebody,new\n"
                                   "vacuum conflict: no\n"
                                   "in memory 1\n" },
};

/* And what had been written before it goes back. */
static void a_step_that_fails_undoes_the_whole_write(void **state)
{
    (void)state;
    stop();
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        begin_with_a_new_file();
        fill("c", 1);
        file_run(bp_format(call,
                           "CREATE TRIGGER refuse BEFORE %s BEGIN SELECT RAISE(ABORT, 'no'); END",
                           refusals[i].when)
                     .data);
        assert_string_equal(all_operations("SELECT (SELECT group_concat(id) FROM points_1), "
                                           "(SELECT group_concat(id) FROM vectors_1), "
                                           "(SELECT group_concat(id) FROM words_1_docsize), "
                                           "(SELECT group_concat(name || owner) FROM "
                                           "collections)"),
                            refusals[i].wanted);
        stop();
    }
    begin_instance();
}

/* The metadata of one row is no JSON. */
static void a_row_that_cannot_be_read_fails_what_meets_it(void **state)
{
    (void)state;
    fill("c", 3);
    file_run("UPDATE points_1 SET metadata = '{' WHERE id = 3");
    assert_string_equal(all_operations(NULL),
                        "count invalid: malformed JSON\n"
                        "near invalid: malformed JSON\n"
                        "remove by filter invalid: malformed JSON\n"
                        "counted 0, removed 1\nin memory 2 of 'somebody', 2: 2,3\nin memory 1\n");
}

static void a_word_index_that_is_spoilt_fails_what_meets_it(void **state)
{
    (void)state;
    fill("c", 3);
    file_run("UPDATE words_1_data SET block = x'00' WHERE id > 10");
    assert_string_equal(all_operations(NULL),
                        bp_format(call,
                                  "words data: %s/store/vectors.db is damaged or is not a database "
                                  "(database disk "
                                  "image is malformed): stop the server and restore the last "
                                  "backup\n"
                                  "counted 3, removed 1\nin memory 2 of 'somebody', 1: 2\nin "
                                  "memory 1\n",
                                  directory)
                            .data);
}

struct dropping {
    bool   fails;
    size_t points;
};

static bp_status drop_at_point(bp_call *of, void *arg, const bp_point *point)
{
    struct dropping *dropping = arg;

    (void)point;
    if (dropping->points++ == 0)
        assert_ok(ops->drop(of, self, BP_STR("c")));
    return dropping->fails ? bp_fail(of, BP_UPSTREAM, "the client is gone") : BP_OK;
}

static void a_collection_that_is_dropped_meanwhile_is_read_to_its_end(void **state)
{
    struct dropping     dropping = { .points = 0 };
    const bp_point_sink sink = { sizeof(sink), drop_at_point, &dropping };
    bp_str              owner;

    (void)state;
    fill("c", 600);
    assert_ok(ops->scroll(call, self, BP_STR("c"), NULL, 0, 10000, &sink));
    assert_int_equal(dropping.points, 600);
    assert_string_equal(told(ops->owner(call, self, BP_STR("c"), &owner)),
                        "not_found: there is no collection \"c\"");
    fill("c", 2);
    dropping = (struct dropping){ .fails = true };
    assert_string_equal(told(ops->scroll(call, self, BP_STR("c"), NULL, 0, 10000, &sink)),
                        "not_found: the collection \"c\" was dropped");
    assert_int_equal(dropping.points, 1);
}

/* ---- what is read at start ---- */

/* The sentence of a start that fails, without the folder. */
static const char *refused_start(void)
{
    static const char     before[] = "vector/local \"second\": shared_create: ";
    const testhost_option options[] = { { "path", "store" } };
    testhost_instance    *second = testhost_instance_create(host, plugin, "second", options, 1);
    const char           *problem = testhost_problem(host);

    testhost_instance_destroy(second);
    if (strncmp(problem, before, strlen(before)) != 0)
        return problem;
    return strstr(problem, directory) ? strstr(problem, directory) + strlen(directory)
                                      : problem + strlen(before);
}

static void a_start_reads_everything_or_says_what_is_spoilt(void **state)
{
    static const struct {
        const char *spoils, *mends, *problem;
    } cases[] = {
        { "UPDATE vectors_1 SET vector = x'00000000' WHERE id = 2",
          "UPDATE vectors_1 SET vector = zeroblob(8) WHERE id = 2",
          "/store/vectors.db: point 2 of \"b\" has a vector of 4 bytes: restore the last backup" },
        { "UPDATE vectors_1 SET vector = zeroblob(12) WHERE id = 1",
          "UPDATE vectors_1 SET vector = zeroblob(8) WHERE id = 1",
          "/store/vectors.db: point 1 of \"b\" has a vector of 12 bytes: restore the last backup" },
        { "ALTER TABLE points_1 RENAME TO p", "ALTER TABLE p RENAME TO points_1",
          "invalid: no such table: points_1" },
        { "ALTER TABLE vectors_2 RENAME TO v", "ALTER TABLE v RENAME TO vectors_2",
          "invalid: no such table: vectors_2" },
        { "ALTER TABLE collections RENAME COLUMN model TO m",
          "ALTER TABLE collections RENAME COLUMN m TO model", "invalid: no such column: model" },
    };
    const bp_vector_info *infos;
    size_t                count;
    struct legs           legs;

    (void)state;
    fill("b", 3);
    fill("a", 1);
    stop();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        file_run(cases[i].spoils);
        assert_string_equal(refused_start(), cases[i].problem);
        file_run(cases[i].mends);
    }
    begin_instance();
    assert_ok(ops->list(call, self, &infos, &count));
    assert_int_equal(count, 2);
    assert_true(bp_str_is(infos[0].name, "a") && infos[0].count == 1);
    assert_true(bp_str_is(infos[1].name, "b") && infos[1].count == 3);
    assert_ok(find("b", east, 2, "", NULL, 9, &legs));
    assert_string_equal(ids_of(&legs.vector), "3,1,2");
}

static void a_file_without_owners_gets_them(void **state)
{
    const bp_vector_schema owned = { .struct_size = sizeof(owned),
                                     .dimensions = 2,
                                     .metric = BP_L2,
                                     .model = BP_STR("test-model"),
                                     .language = BP_STR("de"),
                                     .owner = BP_STR("somebody") };
    bp_vector_schema       other = owned;
    bp_str                 owner;

    (void)state;
    assert_ok(make("c", 2, BP_L2, "de"));
    stop();
    file_run("ALTER TABLE collections DROP COLUMN owner");
    begin_instance();
    assert_string_equal(file_row("SELECT * FROM collections"), "1|c|2|2|test-model|de|");
    assert_ok(ops->owner(call, self, BP_STR("c"), &owner));
    assert_int_equal(owner.len, 0);
    assert_ok(ops->create(call, self, BP_STR("c"), &owned));
    assert_ok(ops->owner(call, self, BP_STR("c"), &owner));
    assert_true(bp_str_is(owner, "somebody"));
    assert_string_equal(file_row("SELECT * FROM collections"), "1|c|2|2|test-model|de|somebody");
    assert_ok(ops->create(call, self, BP_STR("new"), &owned));
    assert_string_equal(file_row("SELECT * FROM collections WHERE id = 2"),
                        "2|new|2|2|test-model|de|somebody");
    stop();
    begin_instance();
    other.owner = BP_STR("another");
    assert_string_equal(told(ops->create(call, self, BP_STR("c"), &other)),
                        "conflict: the collection \"c\" belongs to the deployment somebody, not "
                        "to another: it is neither used nor changed. Give each deployment a store, "
                        "a prefix or a database of its own");
    assert_string_equal(told(ops->create(call, self, BP_STR("c"), &owned)), "ok");
    assert_ok(ops->owner(call, self, BP_STR("new"), &owner));
    assert_true(bp_str_is(owner, "somebody"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_with_instance, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_drop_leaves_tables_that_the_sweep_takes_and_no_others),
        TEST(full_pieces_are_swept_to_the_end),
        TEST(a_vacuum_sweeps_and_gives_the_room_back),
        TEST(leftovers_are_looked_for_at_start_and_after_a_drop),
        TEST(a_sweep_that_failed_is_tried_again),
        TEST(a_locked_file_is_said_and_nothing_is_half_done),
        TEST(a_table_that_is_missing_fails_what_needs_it),
        TEST(a_step_that_fails_undoes_the_whole_write),
        TEST(a_row_that_cannot_be_read_fails_what_meets_it),
        TEST(a_word_index_that_is_spoilt_fails_what_meets_it),
        TEST(a_collection_that_is_dropped_meanwhile_is_read_to_its_end),
        TEST(a_start_reads_everything_or_says_what_is_spoilt),
        TEST(a_file_without_owners_gets_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
