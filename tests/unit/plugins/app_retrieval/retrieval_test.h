/* retrieval_test.h - the app `retrieval` in its tests: started between the back ends of
 * fake_backends.h, fed with documents and rounds, and what it keeps, writes, tells and logs as
 * texts.
 */
#ifndef RETRIEVAL_TEST_H
#define RETRIEVAL_TEST_H

#include "plugins/app_retrieval/fake_backends.h"

/* ---- a test ---- */

/* Storage and fakes; the app is not there yet. */
static inline int open_world(void)
{
    reset_fakes();
    if (open_host(BP_PLUGIN_DIR "/app/retrieval.so") != 0 || open_storage() != 0)
        return -1;
    testhost_add_peer(host, "rows", "storage", BP_KIND_VERSION_storage, &broken_ops,
                      testhost_self(storage));
    testhost_add_peer(host, "docs", "vector", BP_KIND_VERSION_vector, &store_ops, NULL);
    testhost_add_peer(host, "words", "embed", BP_KIND_VERSION_embed, &embed_ops, NULL);
    testhost_add_peer(host, "first", "llm", BP_KIND_VERSION_llm, &writer_ops, &first_writer);
    testhost_add_peer(host, "second", "llm", BP_KIND_VERSION_llm, &writer_ops, &second_writer);
    return 0;
}

/* The app with these options beside the three that it needs. */
static inline void start_retrieval(const testhost_option *more, size_t count)
{
    testhost_option options[16] = { { "storage", "rows" },
                                    { "vector", "docs" },
                                    { "embed", "words" } };

    for (size_t i = 0; i < count; i++)
        options[3 + i] = more[i];
    start_app("retrieval", options, 3 + count);
}

#define START(...)                                                                                 \
    start_retrieval((testhost_option[]){ __VA_ARGS__ },                                            \
                    sizeof((testhost_option[]){ __VA_ARGS__ }) / sizeof(testhost_option))

static inline int world_setup(void **state)
{
    (void)state;
    return open_world();
}

static inline int world_teardown(void **state)
{
    int status = close_app_host();

    (void)state;
    reset_fakes();
    return status;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

/* What SQL says, as "a|b\nc|d\n". */
static inline const char *rows_of(const char *text)
{
    bp_statement statement = { .struct_size = sizeof(statement), .sql = bp_str_of(text) };
    bp_buf      *buf = bp_buf_new(call, 1 << 20);
    bp_rows      rows;

    assert_ok(bp_storage_exec(call, testhost_peer(storage), NULL, &statement, &rows));
    for (size_t r = 0; r < rows.row_count; r++)
        for (uint32_t c = 0; c < rows.column_count; c++) {
            const bp_sql_value *value = &bp_row(&rows, r)[c];

            if (value->type == BP_SQL_INTEGER)
                bp_buf_addf(buf, "%lld", (long long)value->integer);
            else if (value->type == BP_SQL_TEXT)
                bp_buf_add(buf, value->text);
            bp_buf_add(buf, c + 1 < rows.column_count ? BP_STR("|") : BP_STR("\n"));
        }
    return bp_buf_str(buf).data;
}

static inline void sql(const char *text)
{
    app_call();
    rows_of(text);
}

#define assert_rows(text, wanted) assert_string_equal(rows_of(text), wanted)

/* The points of a collection: "1v words {metadata}\n", without the v when it has no vector. */
static inline const char *points_of(size_t collection)
{
    bp_buf *buf = bp_buf_new(call, 1 << 20);

    for (size_t i = 0; i < store.collections[collection].count; i++) {
        const struct fake_point *point = &store.collections[collection].points[i];

        bp_buf_addf(buf, "%llu%s %s %s\n", (unsigned long long)point->id,
                    point->has_vector ? "v" : "", point->words, point->metadata);
    }
    return bp_buf_str(buf).data;
}

/* The status and the body of an answer, or the sentence of the failure: "200 {...}". */
static inline const char *told(testhost_reply reply)
{
    if (reply.status != BP_OK)
        return bp_format(call, "%d " BP_FMT, bp_status_http(reply.status),
                         BP_ARG(bp_error_of(call)->message))
            .data;
    return bp_format(call, "%d " BP_FMT, reply.http_status, BP_ARG(reply.body)).data;
}

#define assert_told(reply, wanted) assert_string_equal(told(reply), wanted)
#define assert_trace(wanted)       (assert_string_equal(trace, wanted), forget())

static inline void make_collection(const char *name)
{
    char target[128];

    snprintf(target, sizeof(target), "/api/v1/collections/%s", name);
    assert_int_equal(request("POST", target, "").http_status, 200);
}

/* A document into "docs"; it must be stored. */
static inline void put(const char *document)
{
    testhost_reply reply = request("POST", "/api/v1/documents", document);

    assert_int_equal(reply.status, BP_OK);
    assert_int_equal(reply.http_status, 200);
}

/* What of the trace wrote to the vector store. */
static inline const char *writes(void)
{
    bp_buf *buf = bp_buf_new(call, 1 << 20);

    for (const char *at = trace; (at = strstr(at, "upsert")); at = strchr(at, '\n'))
        bp_buf_add(buf, bp_str_n(at, (size_t)(strchr(at, '\n') + 1 - at)));
    return bp_buf_str(buf).data;
}

/* The next round of the job. */
static inline void round_of(void)
{
    app_call();
    testhost_advance(BP_SECONDS(11));
    assert_true(testhost_run_jobs(host) >= 1);
}

/* The level and sentence that the instance reported last. */
static inline const char *health(void)
{
    const struct testhost_report *report = testhost_report_of(instance);

    return bp_format(call, "%u %s", report->level, report->sentence).data;
}

static inline const char *collections(void)
{
    return rows_of("SELECT name, model, build, state, reason FROM retrieval_collections ORDER BY "
                   "id");
}

static inline const char *documents(void)
{
    return rows_of("SELECT external_id, state, build, problem FROM retrieval_documents ORDER BY "
                   "id");
}

/* The last line of the log with this event. */
static inline const char *logged(const char *event)
{
    const char *found = "";

    for (size_t i = 0; i < testhost_log_count(host); i++) {
        testhost_log line = testhost_log_at(host, i);

        if (line.event && strcmp(line.event, event) == 0)
            found = bp_format(call, "%s {%s}", line.message, line.fields).data;
    }
    return found;
}

#endif
