/* test_large_graph.c - app/knowledge: what was acknowledged can be read, however large the graph is
 * and however little memory there is for it.
 *
 * The graph is written into the tables by SQL, as the tools would take a minute for it.
 */
#include "plugins/app_test.h"

#include <sqlite3.h>

enum { ENTITIES = 100000, OBSERVATIONS = 300000, RELATIONS = 150000 };

static int setup(void **state)
{
    (void)state;
    return open_host(BP_PLUGIN_DIR "/app/knowledge.so") != 0 || open_storage() != 0 ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    return close_app_host();
}

static void run_sql(const char *sql)
{
    char     path[512], *why = NULL;
    sqlite3 *db = NULL;

    snprintf(path, sizeof(path), "%s/app.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s", why);
    sqlite3_close(db);
}

static void fill(void)
{
    run_sql(
        "BEGIN;WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
        "INSERT INTO knowledge_entities (id, tenant, name, entity_type, tag) SELECT i, 'default', "
        "'entity number ' || i, 'thing', 1 FROM n;INSERT INTO knowledge_observations (entity_id, "
        "hash, content) SELECT e.id, o.i, 'observation ' || o.i || ' of entity ' || e.id || ', "
        "which is about nothing special' FROM knowledge_entities e, (SELECT 1 AS i UNION SELECT 2 "
        "UNION SELECT 3) o;INSERT INTO knowledge_relations (tenant, from_name, to_name, "
        "relation_type, hash) SELECT 'default', name, 'entity number ' || (id % 100000 + 1), "
        "'precedes', 'a' || id FROM knowledge_entities;INSERT INTO knowledge_relations (tenant, "
        "from_name, to_name, relation_type, hash) SELECT 'default', name, 'entity number 1', "
        "'belongs to', 'b' || id FROM knowledge_entities WHERE id <= 50000;INSERT INTO "
        "knowledge_versions (tenant, version) VALUES ('default', 1);COMMIT");
}

/* Counts what all parts of an answer hold together. */
struct total {
    size_t entities, observations, relations, parts;
};

static struct total read_parts(const char *name, const char *arguments)
{
    struct total total = { 0 };
    char         cursor[128] = "", text[2048];

    do {
        const bp_json *result, *entities;

        snprintf(text, sizeof(text), "{%s%s%s%s%s}", arguments, *arguments && *cursor ? "," : "",
                 *cursor ? "\"cursor\":\"" : "", cursor, *cursor ? "\"" : "");
        result = result_of(name, text);
        entities = bp_json_get(result, "entities");
        total.entities += bp_json_count(entities);
        for (size_t i = 0; i < bp_json_count(entities); i++)
            total.observations += bp_json_count(
                bp_json_get(bp_json_at(entities, i), "observations"));
        total.relations += bp_json_count(bp_json_get(result, "relations"));
        total.parts++;
        snprintf(cursor, sizeof(cursor), BP_FMT,
                 BP_ARG(bp_json_string(bp_json_get(result, "nextCursor"))));
    } while (*cursor && total.parts < 1000);
    return total;
}

static void a_graph_of_100000_entities_is_read_with_default_memory(void **state)
{
    const testhost_option options[] = { { "storage", "main" } };
    const char           *line;
    testhost_reply        reply;
    struct total          total;
    size_t                lines = 0;

    (void)state;
    fill();
    start_app("knowledge", options, 1);
    total = read_parts("read_graph", "");
    assert_int_equal(total.entities, ENTITIES);
    assert_int_equal(total.observations, OBSERVATIONS);
    assert_int_equal(total.relations, RELATIONS);
    assert_true(total.parts > 1);
    total = read_parts("search_nodes", "\"query\":\"OBSERVATION 2 of entity 777\"");
    assert_int_equal(total.entities, 1 + 10 + 100);
    assert_int_equal(total.observations, 3 * total.entities);
    total = read_parts("open_nodes", "\"names\":[\"entity number 7\",\"nobody\",\"entity number "
                                     "99999\",\"entity number 7\"]");
    assert_int_equal(total.entities, 2);
    assert_int_equal(total.relations, 5);
    total = read_parts("open_nodes", "\"names\":[\"entity number 1\"]"); // which half of them touch
    assert_int_equal(total.entities, 1);
    assert_int_equal(total.relations, ENTITIES / 2 + 2);
    // A write is seen, though nothing is in memory.
    result_of("create_entities", "{\"entities\":[{\"name\":\"new\",\"entityType\":\"x\","
                                 "\"observations\":[\"Fresh\"]}]}");
    assert_int_equal(read_parts("search_nodes", "\"query\":\"fresh\"").entities, 1);
    reply = request("GET", "/api/knowledge/export", "");
    assert_ok(reply.status);
    for (line = reply.body.data;
         (line = memchr(line, '\n', (size_t)(reply.body.data + reply.body.len - line))); line++)
        lines++;
    assert_int_equal(lines, ENTITIES + 1 + RELATIONS);
    app_call();
    assert_ok(testhost_read_resource(call, instance, "memory://knowledge-graph").status);
}

static void a_bad_cursor_is_refused(void **state)
{
    static const char *const cursors[] = {
        "x", "1", "1.2.3", "1.2.3.4.5", "-1.0.0.0", "1.2.3.4 ", "99999999999999999999.x"
    };
    const testhost_option options[] = { { "storage", "main" } };

    (void)state;
    start_app("knowledge", options, 1);
    for (size_t i = 0; i < sizeof(cursors) / sizeof(cursors[0]); i++) {
        char arguments[128];

        snprintf(arguments, sizeof(arguments), "{\"cursor\":\"%s\"}", cursors[i]);
        assert_status(tool("read_graph", arguments).status, BP_INVALID);
    }
}

/* An entity that is larger than an answer comes in parts, and goes out in lines that can come in
 * again. */
static void an_entity_larger_than_an_answer_is_read_in_parts(void **state)
{
    const testhost_option options[] = { { "storage", "main" }, { "memory", "1MiB" } };
    testhost_reply        reply;
    struct total          total;
    char                 *lines;

    (void)state;
    start_app("knowledge", options, 2);
    run_sql("INSERT INTO knowledge_entities (id, tenant, name, entity_type, tag) VALUES (1, "
            "'default', 'small', 't', 1), (2, 'default', 'large', 't', 1), (3, 'default', 'last', "
            "'t', 1);WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12) "
            "INSERT INTO knowledge_observations (entity_id, hash, content) SELECT 2, i, "
            "printf('%d:%.*c', i, 250000, char(1)) FROM n;" // six bytes each as JSON
            "INSERT INTO knowledge_relations (tenant, from_name, to_name, relation_type, hash) "
            "VALUES ('default', 'large', 'last', 'is before', 'h')");
    total = read_parts("read_graph", "");
    assert_int_equal(total.observations, 12);
    assert_int_equal(total.relations, 1);
    assert_true(total.entities > 3);
    total = read_parts("search_nodes", "\"query\":\"12:\"");
    assert_int_equal(total.observations, 12);
    assert_int_equal(total.relations, 1);
    total = read_parts("open_nodes", "\"names\":[\"last\",\"large\"]");
    assert_int_equal(total.observations, 12);
    reply = request("GET", "/api/knowledge/export", "");
    assert_ok(reply.status);
    lines = strndup(reply.body.data, reply.body.len);
    run_sql("DELETE FROM knowledge_entities; DELETE FROM knowledge_observations; DELETE FROM "
            "knowledge_relations");
    reply = request("POST", "/api/knowledge/import", lines);
    assert_ok(reply.status);
    assert_int_equal(bp_json_integer(bp_json_get(parsed(reply.body), "refused")), 0);
    assert_int_equal(bp_json_integer(bp_json_get(parsed(reply.body), "entities")), 3);
    assert_int_equal(bp_json_integer(bp_json_get(parsed(reply.body), "observations")), 12);
    free(lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_graph_of_100000_entities_is_read_with_default_memory,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_bad_cursor_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_entity_larger_than_an_answer_is_read_in_parts, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
