/* test_gate_storage.c - the gate before a storage: what is tried again, and which texts no storage
 * is asked to keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <backplane/storage.h>

#include "gate_rig.h"
#include "plugin/gate.h"

/* A storage that fails as often as a test says and notes what it was asked. */
static struct {
    int             fails_left, rows_before_failure;
    int             calls;
    bp_transaction *seen_transaction;
    bp_str          seen_text, seen_more;
    size_t          seen_count;
} fake;

#define SOME_TRANSACTION ((bp_transaction *)&fake)

static bp_status answer(bp_call *call)
{
    fake.calls++;
    return fake.fails_left-- > 0 ? call_fail(call, BP_UNAVAILABLE, "the fake fails") : BP_OK;
}

static bp_status fake_exec(bp_call *call, void *object, bp_transaction *transaction,
                           const bp_statement *statement, bp_rows *rows)
{
    (void)object, (void)rows;
    fake.seen_transaction = transaction;
    fake.seen_text = statement->sql;
    return answer(call);
}

static bp_status fake_query(bp_call *call, void *object, bp_transaction *transaction,
                            const bp_statement *statement, const bp_row_sink *sink)
{
    const bp_sql_value row[] = { bp_sql_int(7) };
    (void)object;
    fake.seen_transaction = transaction;
    fake.seen_text = statement->sql;
    for (int i = 0; i < fake.rows_before_failure; i++)
        assert_int_equal(sink->row(call, sink->self, row, 1), BP_OK);
    return answer(call);
}

static bp_status fake_batch(bp_call *call, void *object, const bp_statement *statements,
                            size_t count, int64_t *changed)
{
    (void)object;
    fake.seen_text = statements[count - 1].sql;
    fake.seen_count = count;
    changed[count - 1] = 5;
    return answer(call);
}

static bp_status fake_begin(bp_call *call, void *object, bp_transaction **transaction)
{
    (void)object;
    *transaction = SOME_TRANSACTION;
    return answer(call);
}

static bp_status fake_end(bp_call *call, void *object, bp_transaction *transaction)
{
    (void)object;
    fake.seen_transaction = transaction;
    return answer(call);
}

static bp_status fake_notify(bp_call *call, void *object, bp_transaction *transaction,
                             bp_str channel, bp_str payload)
{
    (void)object;
    fake.seen_transaction = transaction;
    fake.seen_text = channel;
    fake.seen_more = payload;
    return answer(call);
}

static const bp_storage_ops whole = { .struct_size = sizeof(bp_storage_ops),
                                      .exec = fake_exec,
                                      .query = fake_query,
                                      .batch = fake_batch,
                                      .begin = fake_begin,
                                      .commit = fake_end,
                                      .rollback = fake_end,
                                      .notify = fake_notify };

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    return rig_start("storage", &whole);
}

/* How often the storage is asked when it fails the first time. */
static int attempts_of(bp_call *call, bp_transaction *transaction, const char *sql)
{
    const bp_statement statement = { .sql = { sql, strlen(sql) } };
    bp_status          status;

    fake.calls = 0;
    fake.fails_left = 1;
    status = bp_storage_exec(call, &instance.peer, transaction, &statement, NULL);
    assert_int_equal(status, fake.calls == 2 ? BP_OK : BP_UNAVAILABLE);
    assert_string_equal(fake.seen_text.data, sql);
    assert_ptr_equal(fake.seen_transaction, transaction);
    return fake.calls;
}

static void exec_it(bp_call *call)
{
    assert_int_equal(attempts_of(call, NULL, "SELECT 1"), 2);
    assert_int_equal(attempts_of(call, NULL, " \n\tselect 1"), 2);
    assert_int_equal(attempts_of(call, NULL, "INSERT INTO t SELECT 1"), 1);
    assert_int_equal(attempts_of(call, NULL, "WITH x AS (SELECT 1) DELETE FROM t"), 1);
    assert_int_equal(attempts_of(call, NULL, "   "), 1);
    assert_int_equal(attempts_of(call, SOME_TRANSACTION, "SELECT 1"),
                     1); // the transaction failed with its statement
}

static void a_select_alone_is_tried_again_and_nothing_that_writes(void **state)
{
    (void)state;
    on_call(exec_it);
}

static int rows_given_out;

static bp_status take_row(bp_call *call, void *self, const bp_sql_value *row, uint32_t column_count)
{
    (void)call, (void)self;
    assert_int_equal(row[0].integer, 7);
    assert_int_equal(column_count, 1);
    rows_given_out++;
    return BP_OK;
}

static void query_it(bp_call *call)
{
    const bp_row_sink  sink = { .struct_size = sizeof(sink), .row = take_row };
    const bp_statement statement = { .sql = BP_STR("SELECT x FROM t") };

    fake.fails_left = 1;
    assert_int_equal(bp_storage_query(call, &instance.peer, NULL, &statement, &sink), BP_OK);
    assert_int_equal(fake.calls, 2);
    fake.fails_left = 1;
    assert_int_equal(bp_storage_query(call, &instance.peer, SOME_TRANSACTION, &statement, &sink),
                     BP_UNAVAILABLE);
    assert_int_equal(fake.calls, 3);
    assert_ptr_equal(fake.seen_transaction, SOME_TRANSACTION);
    fake.fails_left = 1;
    fake.rows_before_failure = 2;
    rows_given_out = 0;
    assert_int_equal(bp_storage_query(call, &instance.peer, NULL, &statement, &sink),
                     BP_UNAVAILABLE);
    assert_int_equal(fake.calls, 4);
    assert_int_equal(rows_given_out, 2); // none twice
}

static void a_query_is_not_tried_again_once_a_row_was_given_out(void **state)
{
    (void)state;
    on_call(query_it);
}

static bp_status exec_with(bp_call *call, bp_sql_value value)
{
    const bp_sql_value parameters[] = { bp_sql_text(BP_STR("whole")), value };
    const bp_statement statement = { .sql = BP_STR("INSERT"),
                                     .parameter_count = 2,
                                     .parameters = parameters };

    return bp_storage_exec(call, &instance.peer, NULL, &statement, NULL);
}

static void store_odd_texts(bp_call *call)
{
    const bp_row_sink  sink = { .struct_size = sizeof(sink), .row = take_row };
    const bp_sql_value cut_off = bp_sql_text(BP_STR("caf\xc3"));
    const bp_statement two[] = {
        { .sql = BP_STR("INSERT") },
        { .sql = BP_STR("INSERT"), .parameter_count = 1, .parameters = &cut_off }
    };
    int64_t changed[2];

    assert_int_equal(exec_with(call, bp_sql_text((bp_str){ "ab\0d", 4 })), BP_INVALID);
    assert_non_null(strstr(call->error.message.data, "a text of 4 bytes has a NUL at byte 2"));
    assert_int_equal(exec_with(call, cut_off), BP_INVALID);
    assert_non_null(strstr(call->error.message.data, "a text of 4 bytes is not UTF-8"));
    assert_int_equal(bp_storage_query(call, &instance.peer, NULL, &two[1], &sink), BP_INVALID);
    assert_int_equal(bp_storage_batch(call, &instance.peer, two, 2, changed), BP_INVALID);
    assert_int_equal(fake.calls, 0); // the storage was not asked
    assert_int_equal(exec_with(call, bp_sql_bytes((bp_str){ "ab\0\xc3", 4 })), BP_OK);
    assert_int_equal(exec_with(call, bp_sql_text((bp_str){ NULL, 0 })), BP_OK);
    assert_int_equal(exec_with(call, bp_sql_text(BP_STR("caf\xc3\xa9"))), BP_OK);
    assert_int_equal(fake.calls, 3);
    assert_int_equal(bp_storage_batch(call, &instance.peer, two, 1, changed), BP_OK);
    assert_int_equal(fake.seen_count, 1);
    assert_int_equal(changed[0], 5);
}

static void texts_that_one_back_end_does_not_keep_are_given_to_none(void **state)
{
    (void)state;
    on_call(store_odd_texts);
}

static void write_once(bp_call *call)
{
    bp_transaction *transaction = NULL;

    assert_int_equal(bp_storage_begin(call, &instance.peer, &transaction), BP_OK);
    assert_ptr_equal(transaction, SOME_TRANSACTION);
    fake.fails_left = 1;
    assert_int_equal(bp_storage_notify(call, &instance.peer, transaction, BP_STR("news"),
                                       BP_STR("7")),
                     BP_UNAVAILABLE);
    assert_true(bp_str_is(fake.seen_text, "news") && bp_str_is(fake.seen_more, "7"));
    assert_ptr_equal(fake.seen_transaction, SOME_TRANSACTION);
    fake.seen_transaction = NULL;
    fake.fails_left = 1;
    assert_int_equal(bp_storage_commit(call, &instance.peer, transaction),
                     BP_UNAVAILABLE); // it may have happened
    assert_ptr_equal(fake.seen_transaction, SOME_TRANSACTION);
    fake.seen_transaction = NULL;
    fake.fails_left = 1;
    assert_int_equal(bp_storage_rollback(call, &instance.peer, transaction), BP_UNAVAILABLE);
    assert_ptr_equal(fake.seen_transaction, SOME_TRANSACTION);
    assert_int_equal(fake.calls, 4);
}

static void commits_and_notices_are_never_tried_again(void **state)
{
    (void)state;
    on_call(write_once);
}

static void lack_it(bp_call *call)
{
    bp_storage_ops     part = whole;
    bp_transaction    *transaction;
    const bp_statement statement = { .struct_size = sizeof(statement), .sql = BP_STR("SELECT 1") };
    int64_t            changed;

    plugin.descriptor.ops = &part;
    part.rollback = NULL; // of no use without the other two
    assert_int_equal(bp_storage_begin(call, &instance.peer, &transaction), BP_UNSUPPORTED);
    assert_non_null(strstr(call->error.message.data, "storage/fake cannot do \"transactions\""));
    part.exec = NULL;
    assert_int_equal(exec_with(call, bp_sql_null()), BP_UNSUPPORTED);
    part.query = NULL, part.batch = NULL;
    assert_int_equal(bp_storage_query(call, &instance.peer, NULL, &statement, &(bp_row_sink){ 0 }),
                     BP_UNSUPPORTED);
    assert_non_null(strstr(call->error.message.data, "storage/fake cannot do \"query\""));
    assert_int_equal(bp_storage_batch(call, &instance.peer, &statement, 1, &changed),
                     BP_UNSUPPORTED);
    assert_non_null(strstr(call->error.message.data, "storage/fake cannot do \"batch\""));
    part.struct_size = offsetof(bp_storage_ops, notify); // of a plugin that is older than it
    assert_int_equal(bp_storage_notify(call, &instance.peer, NULL, BP_STR("news"), BP_STR("")),
                     BP_UNSUPPORTED);
    assert_int_equal(bp_storage_migrate(call, &instance.peer, BP_STR("me"), NULL, 0),
                     BP_UNSUPPORTED);
    assert_int_equal(fake.calls, 0);
    plugin.descriptor.ops = &whole;
}

static void what_a_storage_lacks_is_a_sentence(void **state)
{
    (void)state;
    on_call(lack_it);
}

/* ---- what operators and listeners ask for ---- */

static const char *called;
static int         notices;

static bp_status note_call(bp_call *call, const char *name, bp_str text, bp_str more)
{
    called = name;
    fake.seen_text = text;
    fake.seen_more = more;
    return answer(call);
}

static bp_status fake_stats(bp_call *call, void *object, bp_storage_stats *stats)
{
    (void)object;
    stats->size_bytes = 9;
    return note_call(call, "stats", BP_STR(""), BP_STR(""));
}
static bp_status fake_backup(bp_call *call, void *object, bp_str path, int64_t *size_bytes)
{
    (void)object;
    *size_bytes = 8;
    return note_call(call, "backup", path, BP_STR(""));
}
static bp_status fake_inspect(bp_call *call, void *object, bp_str what, bp_rows *rows)
{
    (void)object;
    rows->changed = 7;
    return note_call(call, "inspect", what, BP_STR(""));
}
static bp_status fake_maintain(bp_call *call, void *object, bp_str what, bp_str table)
{
    (void)object;
    return note_call(call, "maintain", what, table);
}
static bp_status fake_listen(bp_call *call, void *object, bp_str channel,
                             const bp_notice_sink *sink)
{
    (void)object;
    assert_int_equal(gate_running(instance.gate), 0); // it takes no place
    assert_int_equal(sink->notice(call, sink->self, BP_STR("hello"), false), BP_OK);
    return note_call(call, "listen", channel, BP_STR(""));
}

static bp_status take_notice(bp_call *call, void *self, bp_str payload, bool is_gap)
{
    (void)call, (void)self;
    assert_true(bp_str_is(payload, "hello") && !is_gap);
    notices++;
    return BP_OK;
}

static bp_status ask_for(bp_call *call, const char *name)
{
    static const bp_notice_sink sink = { .struct_size = sizeof(sink), .notice = take_notice };
    const bp_storage_ops       *ops = instance.peer.ops;
    bp_storage_stats            stats = { 0 };
    bp_rows                     rows = { 0 };
    int64_t                     size = 0;
    bp_status                   status;

    if (strcmp(name, "stats") == 0) {
        status = ops->stats(call, &instance, &stats);
        assert_true(status != BP_OK || stats.size_bytes == 9);
    } else if (strcmp(name, "backup") == 0) {
        status = ops->backup(call, &instance, BP_STR("first"), &size);
        assert_true(status != BP_OK || size == 8);
    } else if (strcmp(name, "inspect") == 0) {
        status = ops->inspect(call, &instance, BP_STR("first"), &rows);
        assert_true(status != BP_OK || rows.changed == 7);
    } else if (strcmp(name, "maintain") == 0) {
        status = ops->maintain(call, &instance, BP_STR("first"), BP_STR("second"));
        assert_true(status != BP_OK || bp_str_is(fake.seen_more, "second"));
    } else {
        status = ops->listen(call, &instance, BP_STR("first"), &sink);
    }
    return status;
}

static void ask_for_each(bp_call *call)
{
    static const struct {
        const char *name;
        int         calls; /* when the first one fails */
    } asked[] = {
        { "stats", 2 }, { "backup", 1 }, { "inspect", 2 }, { "maintain", 1 }, { "listen", 0 }
    };
    static const bp_storage_ops none = { .struct_size = sizeof(none) };
    bp_storage_ops              more = whole;

    more.stats = fake_stats, more.backup = fake_backup, more.inspect = fake_inspect;
    more.maintain = fake_maintain, more.listen = fake_listen;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        char sentence[64];

        plugin.descriptor.ops = &more;
        fake.fails_left = 0;
        assert_int_equal(ask_for(call, asked[i].name), BP_OK);
        assert_string_equal(called, asked[i].name);
        assert_true(i == 0 || bp_str_is(fake.seen_text, "first"));
        fake.calls = 0;
        fake.fails_left = 100;
        assert_int_equal(ask_for(call, asked[i].name), BP_UNAVAILABLE);
        assert_true(!asked[i].calls || fake.calls == asked[i].calls);
        plugin.descriptor.ops = &none;
        fake.calls = 0;
        assert_int_equal(ask_for(call, asked[i].name), BP_UNSUPPORTED);
        snprintf(sentence, sizeof(sentence), "storage/fake cannot do \"%s\"", asked[i].name);
        assert_string_equal(call->error.message.data, sentence);
        assert_int_equal(fake.calls, 0);
    }
    assert_true(notices >= 2);
    plugin.descriptor.ops = &whole;
}

static void what_operators_and_listeners_ask_for_reaches_the_storage(void **state)
{
    (void)state;
    on_call(ask_for_each);
}

#define GATED(test) cmocka_unit_test_setup_teardown(test, set_up, rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATED(a_select_alone_is_tried_again_and_nothing_that_writes),
        GATED(a_query_is_not_tried_again_once_a_row_was_given_out),
        GATED(texts_that_one_back_end_does_not_keep_are_given_to_none),
        GATED(commits_and_notices_are_never_tried_again),
        GATED(what_a_storage_lacks_is_a_sentence),
        GATED(what_operators_and_listeners_ask_for_reaches_the_storage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
