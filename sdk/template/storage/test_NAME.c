/* test_@NAME@.c - tests @NAME@.so with the fake host: constants come back, transactions are
 * counted, the rest refused. */
#include <backplane/storage.h>
#include <backplane/testhost.h>

#include "test.h"

static bp_status take_row(bp_call *call, void *self, const bp_sql_value *row, uint32_t column_count)
{
    (void)call;
    *(int64_t *)self += column_count == 1 ? row[0].integer : -1;
    return BP_OK;
}

int main(int argc, char **argv)
{
    testhost             *host = testhost_new();
    const bp_plugin      *plugin = testhost_load(host, argv[argc - 1]);
    testhost_option       option = { "connections", "1" };
    testhost_instance    *instance = plugin
                                         ? testhost_instance_create(host, plugin, "mine", &option, 1)
                                         : NULL;
    bp_call              *call = testhost_call_new(host, BP_SECONDS(5));
    const bp_peer        *peer;
    const bp_storage_ops *ops;
    bp_transaction       *transaction, *second;
    bp_storage_stats      stats = { .struct_size = sizeof(stats) };
    bp_rows               rows;
    int64_t               seen = 0;
    bp_row_sink           sink = { sizeof(sink), take_row, &seen };

    if (!instance)
        fprintf(stderr, "%s\n", testhost_problem(host));
    CHECK(instance != NULL);
    peer = testhost_peer(instance);
    ops = testhost_ops(instance);
    CHECK(bp_storage_exec(call, peer, NULL,
                          BP_SQL("SELECT $2, 42, $1", bp_sql_int(7), bp_sql_text(BP_STR("x"))),
                          &rows) == BP_OK);
    CHECK(rows.row_count == 1 && rows.column_count == 3);
    CHECK(bp_str_is(bp_row(&rows, 0)[0].text, "x") && rows.values[1].integer == 42 &&
          rows.values[2].integer == 7);
    CHECK(bp_storage_query(call, peer, NULL, BP_SQL0("select 5;"), &sink) == BP_OK && seen == 5);
    CHECK(bp_storage_exec(call, peer, NULL, BP_SQL0("SELECT $1"), &rows) == BP_INVALID);
    CHECK(bp_storage_exec(call, peer, NULL, BP_SQL0("DELETE FROM everything"), NULL) ==
          BP_UNSUPPORTED);
    CHECK(strstr(bp_error_of(call)->message.data, "DELETE FROM everything") != NULL);
    CHECK(bp_storage_begin(call, peer, &transaction) == BP_OK);
    CHECK(bp_storage_begin(call, peer, &second) == BP_LIMIT);
    CHECK(ops->stats(call, testhost_self(instance), &stats) == BP_OK &&
          stats.connections_in_use == 1);
    CHECK(bp_storage_commit(call, peer, transaction) == BP_OK);
    CHECK(bp_storage_commit(call, peer, transaction) == BP_INVALID);
    CHECK(bp_storage_begin(call, peer, &transaction) == BP_OK);
    testhost_call_end(call); /* rolls it back */
    call = testhost_call_new(host, BP_SECONDS(5));
    CHECK(ops->stats(call, testhost_self(instance), &stats) == BP_OK &&
          stats.connections_in_use == 0);
    testhost_call_end(call);
    testhost_instance_destroy(instance);
    CHECK(testhost_leaks(host)[0] == '\0');
    testhost_free(host);
    return 0;
}
