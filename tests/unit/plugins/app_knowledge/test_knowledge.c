/* test_knowledge.c - the app `knowledge` on a real SQLite file: tools, search, tenants, other
 * processes, items. */
#include "plugins/app_test.h"

#include <sqlite3.h>

static int setup(void **state)
{
    const testhost_option options[] = { { "storage", "main" } };

    (void)state;
    if (open_host(BP_PLUGIN_DIR "/app/knowledge.so") != 0 || open_storage() != 0)
        return -1;
    start_app("knowledge", options, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    principal.tenant = BP_STR("default");
    return close_app_host();
}

#define ADA                                                                                        \
    "{\"name\":\"Ada\",\"entityType\":\"person\",\"observations\":[\"likes tea\",\"wrote the "     \
    "first program\"]}"
#define BOB   "{\"name\":\"Bob\",\"entityType\":\"person\",\"observations\":[]}"
#define KNOWS "{\"from\":\"Ada\",\"to\":\"Bob\",\"relationType\":\"knows\"}"

static void make_ada_and_bob(void)
{
    result_of("create_entities", "{\"entities\":[" ADA "," BOB "]}");
    result_of("create_relations", "{\"relations\":[" KNOWS "]}");
}

static void what_is_created_is_read_back(void **state)
{
    (void)state;
    assert_json(result_of("create_entities", "{\"entities\":[" ADA "," BOB "]}"),
                "{\"entities\":[" ADA "," BOB "]}");
    assert_json(result_of("create_relations", "{\"relations\":[" KNOWS "]}"),
                "{\"relations\":[" KNOWS "]}");
    assert_json(result_of("read_graph", "{}"),
                "{\"entities\":[" ADA "," BOB "],\"relations\":[" KNOWS "]}");
    assert_json(result_of("open_nodes", "{\"names\":[\"Bob\",\"nobody\",\"Bob\"]}"),
                "{\"entities\":[" BOB "],\"relations\":[" KNOWS "]}");
}

static void only_what_is_new_is_created(void **state)
{
    (void)state;
    make_ada_and_bob();
    assert_json(result_of("create_entities",
                          "{\"entities\":[{\"name\":\"Ada\",\"entityType\":\"other\","
                          "\"observations\":[\"new\"]},{\"name\":\"Cy\",\"entityType\":\"cat\","
                          "\"observations\":[\"a\",\"a\"]},{\"name\":\"Cy\",\"entityType\":\"dog\","
                          "\"observations\":[\"b\"]}]}"),
                "{\"entities\":[{\"name\":\"Cy\",\"entityType\":\"cat\",\"observations\":[\"a\"]}]"
                "}");
    assert_json(result_of("create_relations", "{\"relations\":[" KNOWS "]}"), "{\"relations\":[]}");
    assert_json(result_of("open_nodes", "{\"names\":[\"Ada\"]}"),
                "{\"entities\":[" ADA "],\"relations\":[" KNOWS "]}");
}

static void observations_are_added_once_and_to_known_entities_only(void **state)
{
    testhost_mcp_reply reply;

    (void)state;
    make_ada_and_bob();
    assert_json(result_of("add_observations",
                          "{\"observations\":[{\"entityName\":\"Ada\",\"contents\":[\"likes "
                          "tea\",\"is old\"]},{\"entityName\":\"Bob\",\"contents\":[\"x\"]}]}"),
                "{\"results\":[{\"entityName\":\"Ada\",\"addedObservations\":[\"is "
                "old\"]},{\"entityName\":\"Bob\",\"addedObservations\":[\"x\"]}]}");
    reply = tool("add_observations", "{\"observations\":[{\"entityName\":\"Ada\",\"contents\":["
                                     "\"lost\"]},{\"entityName\":\"Zoe\",\"contents\":[\"x\"]}]}");
    assert_status(reply.status, BP_NOT_FOUND);
    assert_true(bp_str_is(bp_error_of(call)->message, "Entity with name Zoe not found"));
    assert_json(result_of("search_nodes", "{\"query\":\"lost\"}"),
                "{\"entities\":[],\"relations\":[]}");
    assert_json(result_of("search_nodes", "{\"query\":\"IS OLD\"}"),
                "{\"entities\":[{\"name\":\"Ada\",\"entityType\":\"person\",\"observations\":["
                "\"likes tea\",\"wrote the first program\",\"is old\"]}],\"relations\":[" KNOWS
                "]}");
}

static void deleting_takes_what_hangs_on_it(void **state)
{
    testhost_mcp_reply reply;

    (void)state;
    make_ada_and_bob();
    assert_json(result_of("delete_observations",
                          "{\"deletions\":[{\"entityName\":\"Ada\",\"observations\":[\"likes "
                          "tea\",\"never "
                          "said\"]},{\"entityName\":\"nobody\",\"observations\":[\"x\"]}]}"),
                "{\"success\":true,\"message\":\"Observations deleted successfully\"}");
    assert_json(result_of("search_nodes", "{\"query\":\"tea\"}"),
                "{\"entities\":[],\"relations\":[]}");
    reply = tool("delete_entities", "{\"entityNames\":[\"Bob\",\"nobody\"]}");
    assert_ok(reply.status);
    assert_non_null(strstr(reply.result.data,
                           "{\"type\":\"text\",\"text\":\"Entities deleted successfully\"}"));
    assert_json(result_of("read_graph", "{}"),
                "{\"entities\":[{\"name\":\"Ada\",\"entityType\":\"person\",\"observations\":["
                "\"wrote the first program\"]}],\"relations\":[]}");
    result_of("create_relations",
              "{\"relations\":[" KNOWS
              ",{\"from\":\"Ada\",\"to\":\"Ada\",\"relationType\":\"knows\"}]}");
    result_of("delete_relations", "{\"relations\":[" KNOWS "]}");
    assert_json(result_of("search_nodes", "{\"query\":\"ada\"}"),
                "{\"entities\":[{\"name\":\"Ada\",\"entityType\":\"person\",\"observations\":["
                "\"wrote the first "
                "program\"]}],\"relations\":[{\"from\":\"Ada\",\"to\":\"Ada\",\"relationType\":"
                "\"knows\"}]}");
}

static void search_pays_no_regard_to_capitals_of_any_script(void **state)
{
    static const char *const pairs[][2] = {
        { "GR\xC3\x9C\xC3\x9F"
          "E",
          "gr\xC3\xBC\xC3\x9F"
          "e" }, /* Latin 1 */
        { "\xC5\xBD"
          "al",
          "\xC5\xBE"
          "AL" }, /* Latin Extended A */
        { "\xCE\x9F\xCE\x94\xCE\x9F\xCE\xA3",
          "\xCE\xBF\xCE\xB4\xCE\xBF\xCF\x82" }, /* Greek, final sigma */
        { "\xD0\x9C\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD0\xB0",
          "\xD0\xBC\xD0\x9E\xD0\xA1\xD0\x9A\xD0\x92\xD0\x90" },
        { "\xC4\xB0stanbul", "i\xCC\x87STANBUL" }, /* dotted capital I */
        { "\xE2\x84\xAA"
          "elvin",
          "KELVIN" },                               /* the sign of Kelvin */
        { "\xF0\x90\x90\x80", "\xF0\x90\x90\xA8" }, /* Deseret */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        for (int side = 0; side < 2; side++) {
            char           create[256], query[256];
            const bp_json *found;

            snprintf(create, sizeof(create),
                     "{\"entities\":[{\"name\":\"n%zu-%d\",\"entityType\":\"t\",\"observations\":["
                     "\"xx %s yy\"]}]}",
                     i, side, pairs[i][side]);
            result_of("create_entities", create);
            snprintf(query, sizeof(query), "{\"query\":\"%s\"}", pairs[i][!side]);
            found = bp_json_get(result_of("search_nodes", query), "entities");
            assert_int_equal(bp_json_count(found), side + 1);
        }
    }
}

static void a_search_never_crosses_from_one_field_into_the_next(void **state)
{
    (void)state;
    result_of("create_entities",
              "{\"entities\":[{\"name\":\"ab\",\"entityType\":\"cd\",\"observations\":[\"ef\","
              "\"gh\"]},{\"name\":\"ij\",\"entityType\":\"kl\",\"observations\":[]}]}");
    for (const char *const *query =
             (const char *const[]){ "bc", "de", "fg", "hi", "jk", "abcd", NULL };
         *query; query++) {
        char arguments[64];

        snprintf(arguments, sizeof(arguments), "{\"query\":\"%s\"}", *query);
        assert_json(result_of("search_nodes", arguments), "{\"entities\":[],\"relations\":[]}");
    }
    assert_int_equal(bp_json_count(
                         bp_json_get(result_of("search_nodes", "{\"query\":\"\"}"), "entities")),
                     2);
}

static void a_tenant_sees_only_its_own_graph(void **state)
{
    (void)state;
    make_ada_and_bob();
    principal.tenant = BP_STR("other");
    assert_json(result_of("read_graph", "{}"), "{\"entities\":[],\"relations\":[]}");
    assert_json(result_of("create_entities", "{\"entities\":[" BOB "]}"),
                "{\"entities\":[" BOB "]}");
    result_of("delete_entities", "{\"entityNames\":[\"Ada\"]}");
    assert_status(tool("add_observations",
                       "{\"observations\":[{\"entityName\":\"Ada\",\"contents\":[]}]}")
                      .status,
                  BP_NOT_FOUND);
    principal.tenant = BP_STR("default");
    assert_json(result_of("read_graph", "{}"),
                "{\"entities\":[" ADA "," BOB "],\"relations\":[" KNOWS "]}");
}

static void what_another_process_writes_is_seen_after_refresh(void **state)
{
    const testhost_option options[] = { { "storage", "main" } };
    testhost_instance    *first = instance, *second;

    (void)state;
    result_of("read_graph", "{}");
    second = instance = testhost_instance_create(host, plugin, "second", options,
                                                 1); // with a memory of its own
    make_ada_and_bob();
    instance = first;
    testhost_advance(BP_MILLISECONDS(1100));
    assert_json(result_of("read_graph", "{}"),
                "{\"entities\":[" ADA "," BOB "],\"relations\":[" KNOWS "]}");
    result_of("delete_entities", "{\"entityNames\":[\"Bob\"]}");
    instance = second;
    testhost_advance(BP_MILLISECONDS(1100));
    assert_json(result_of("read_graph", "{}"), "{\"entities\":[" ADA "],\"relations\":[]}");
    instance = first;
    testhost_instance_destroy(second);
}

/* ---- random changes: memory says what the storage says, and a search what a walk through all says
 * ---- */

static uint64_t seed = 42;

static unsigned next_random(unsigned most)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % most;
}

static void change_at_random(void)
{
    char     arguments[512];
    unsigned a = next_random(30), b = next_random(30);

    switch (next_random(6)) {
    case 0:
    case 1:
        snprintf(arguments, sizeof(arguments),
                 "{\"entities\":[{\"name\":\"node%u\",\"entityType\":\"T%u\",\"observations\":"
                 "[\"obs %u\",\"Obs %u\"]}]}",
                 a, b % 3, b, b * a);
        result_of("create_entities", arguments);
        break;
    case 2:
        snprintf(arguments, sizeof(arguments),
                 "{\"relations\":[{\"from\":\"node%u\",\"to\":\"node%u\",\"relationType\":\"r\"}]}",
                 a, b);
        result_of(next_random(4) ? "create_relations" : "delete_relations", arguments);
        break;
    case 3:
        snprintf(arguments, sizeof(arguments),
                 "{\"observations\":[{\"entityName\":\"node%u\",\"contents\":[\"more %u\"]}]}", a,
                 b);
        tool("add_observations", arguments);
        break;
    case 4:
        snprintf(arguments, sizeof(arguments),
                 "{\"deletions\":[{\"entityName\":\"node%u\",\"observations\":[\"more %u\",\"obs "
                 "%u\"]}]}",
                 a, b, b);
        result_of("delete_observations", arguments);
        break;
    default:
        snprintf(arguments, sizeof(arguments), "{\"entityNames\":[\"node%u\"]}", a);
        result_of("delete_entities", arguments);
    }
}

static bool mentions(const bp_json *entity, const char *text)
{
    const bp_json *observations = bp_json_get(entity, "observations");

    if (strcasestr(bp_json_string(bp_json_get(entity, "name")).data, text) ||
        strcasestr(bp_json_string(bp_json_get(entity, "entityType")).data, text))
        return true;
    for (size_t i = 0; i < bp_json_count(observations); i++)
        if (strcasestr(bp_json_string(bp_json_at(observations, i)).data, text))
            return true;
    return false;
}

static void check_search(const char *text)
{
    char           arguments[64], *wanted = NULL, *found;
    const bp_json *all = result_of("read_graph", "{}"), *entities = bp_json_get(all, "entities");
    size_t         len = 0;
    FILE          *out = open_memstream(&wanted, &len);

    for (size_t i = 0; i < bp_json_count(entities); i++)
        if (mentions(bp_json_at(entities, i), text))
            fprintf(out, "%s\n", bp_json_text(call, bp_json_at(entities, i)).data);
    fclose(out);
    snprintf(arguments, sizeof(arguments), "{\"query\":\"%s\"}", text);
    entities = bp_json_get(result_of("search_nodes", arguments), "entities");
    out = open_memstream(&found, &len);
    for (size_t i = 0; i < bp_json_count(entities); i++)
        fprintf(out, "%s\n", bp_json_text(call, bp_json_at(entities, i)).data);
    fclose(out);
    assert_string_equal(found, wanted);
    free(found);
    free(wanted);
}

static char *graph_text(void)
{
    const bp_json *graph = result_of("read_graph", "{}"); // begins a call of its own

    return strdup(bp_json_text(call, graph).data);
}

static void memory_and_storage_agree_after_random_changes(void **state)
{
    const testhost_option options[] = { { "storage", "main" } };
    testhost_instance    *first = instance, *fresh;
    char                  name[32], *here, *there;

    (void)state;
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 60; i++)
            change_at_random();
        check_search("OBS 1");
        check_search("node2");
        check_search("t1");
        check_search("e 7");
        here = graph_text();
        snprintf(name, sizeof(name), "fresh%d", round);
        fresh = instance = testhost_instance_create(host, plugin, name, options, 1);
        there = graph_text();
        assert_string_equal(there, here);
        free(there);
        testhost_instance_destroy(fresh);
        instance = first;
        free(here);
    }
}

static void import_many(int count)
{
    char  *lines = NULL;
    size_t len = 0;
    FILE  *out = open_memstream(&lines, &len);

    for (int i = 0; i < count; i++) {
        fprintf(out,
                "{\"type\":\"entity\",\"name\":\"Item %d\",\"entityType\":\"kind "
                "%d\",\"observations\":[\"weighs %u grams\",\"colour #%06x\"",
                i, i % 7, next_random(100000), next_random(1 << 24));
        for (int more = 0; i % 100 == 0 && more < 300; more++) // some are larger than a block
            fprintf(out, ",\"remark %d of %d: %u\"", more, i, next_random(1000000));
        fprintf(out, "]}\n");
    }
    fclose(out);
    assert_ok(request("POST", "/api/knowledge/import", lines).status);
    free(lines);
}

static void a_graph_of_many_blocks_is_searched_completely(void **state)
{
    static const char *const needles[] = {
        "item 77",       "ITEM 1499", "grams",     "weighs 1",    "#00",
        "#ff",           "kind 3",    "9",         "42 ",         "remark 299 of 1400",
        "remark 0 of 0", "of 700: 1", "colour #a", "nothing such"
    };
    char arguments[128];

    (void)state;
    import_many(1500);
    for (size_t i = 0; i < sizeof(needles) / sizeof(needles[0]); i++)
        check_search(needles[i]);
    for (int i = 0; i < 1500; i += 1 + (int)next_random(3)) {
        snprintf(arguments, sizeof(arguments), "{\"entityNames\":[\"Item %d\"]}", i);
        result_of("delete_entities", arguments);
    }
    for (size_t i = 0; i < sizeof(needles) / sizeof(needles[0]); i++)
        check_search(needles[i]);
}

static void a_graph_larger_than_the_memory_is_read_from_the_storage(void **state)
{
    const testhost_option options[] = { { "storage", "main" }, { "memory", "1MiB" } };
    char                 *arguments = malloc(400000);

    (void)state;
    stop();
    start_app("small", options, 2);
    for (int i = 0; i < 8; i++) {
        size_t used = (size_t)snprintf(arguments, 400000,
                                       "{\"entities\":[{\"name\":\"n%d\",\"entityType\":\"t\","
                                       "\"observations\":[\"",
                                       i);

        memset(arguments + used, 'a' + i, 200000);
        snprintf(arguments + used + 200000, 64, "\"]}]}");
        result_of("create_entities", arguments);
    }
    free(arguments);
    assert_int_equal(bp_json_count(
                         bp_json_get(result_of("search_nodes", "{\"query\":\"N1\"}"), "entities")),
                     1);
    assert_int_equal(bp_json_count(bp_json_get(result_of("read_graph", "{}"), "entities")), 8);
    result_of("delete_entities",
              "{\"entityNames\":[\"n1\",\"n2\",\"n3\",\"n4\",\"n5\",\"n6\",\"n7\"]}");
    assert_int_equal(bp_json_count(
                         bp_json_get(result_of("search_nodes", "{\"query\":\"n0\"}"), "entities")),
                     1);
}

static void what_has_no_name_or_is_too_long_is_refused(void **state)
{
    char arguments[4096], name[2000];

    (void)state;
    assert_status(tool("create_entities",
                       "{\"entities\":[{\"name\":\"\",\"entityType\":\"t\",\"observations\":[]}]}")
                      .status,
                  BP_INVALID);
    assert_said("must not be empty");
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    snprintf(arguments, sizeof(arguments),
             "{\"entities\":[" ADA ",{\"name\":\"%s\",\"entityType\":\"t\",\"observations\":[]}]}",
             name);
    assert_status(tool("create_entities", arguments).status, BP_INVALID);
    assert_said("1999 bytes");
    assert_json(result_of("read_graph", "{}"), "{\"entities\":[],\"relations\":[]}");
}

static void the_resource_is_the_graph_and_tells_of_changes(void **state)
{
    testhost_mcp_reply reply;

    (void)state;
    make_ada_and_bob();
    app_call();
    reply = testhost_read_resource(call, instance, "memory://knowledge-graph");
    assert_ok(reply.status);
    const bp_json *contents = bp_json_at(bp_json_get(parsed(reply.result), "contents"), 0);
    assert_true(bp_str_is(bp_json_string(bp_json_get(contents, "mimeType")), "application/json"));
    assert_json(parsed(bp_json_string(bp_json_get(contents, "text"))),
                "{\"entities\":[" ADA "," BOB "],\"relations\":[" KNOWS "]}");
}

/* ---- JSON lines ---- */

static void lines_go_out_and_come_in_again(void **state)
{
    testhost_reply reply;
    char          *lines;

    (void)state;
    make_ada_and_bob();
    reply = request("GET", "/api/knowledge/export", "");
    assert_ok(reply.status);
    assert_string_equal(reply.content_type, "application/x-ndjson");
    lines = strndup(reply.body.data, reply.body.len);
    assert_string_equal(lines, "{\"type\":\"entity\",\"name\":\"Ada\",\"entityType\":\"person\","
                               "\"observations\":[\"likes tea\",\"wrote the first "
                               "program\"]}\n{\"type\":\"entity\",\"name\":\"Bob\",\"entityType\":"
                               "\"person\",\"observations\":[]}\n{\"type\":\"relation\",\"from\":"
                               "\"Ada\",\"to\":\"Bob\",\"relationType\":\"knows\"}\n");
    principal.tenant = BP_STR("other");
    reply = request("POST", "/api/knowledge/import", lines);
    assert_ok(reply.status);
    assert_json(parsed(reply.body),
                "{\"entities\":2,\"observations\":2,\"relations\":1,\"refused\":0,\"errors\":[]}");
    reply = request("POST", "/api/knowledge/import", lines);
    assert_json(parsed(reply.body),
                "{\"entities\":0,\"observations\":0,\"relations\":0,\"refused\":0,\"errors\":[]}");
    assert_json(result_of("read_graph", "{}"),
                "{\"entities\":[" ADA "," BOB "],\"relations\":[" KNOWS "]}");
    free(lines);
}

static void lines_that_are_wrong_are_named_and_the_others_stored(void **state)
{
    testhost_reply reply = request("POST", "/api/knowledge/import",
                                   "{\"type\":\"entity\",\"name\":\"a\",\"entityType\":\"t\","
                                   "\"observations\":[\"x\"]}\n"
                                   "nonsense\n\n"
                                   "{\"type\":\"entity\",\"name\":\"b\",\"entityType\":\"t\","
                                   "\"observations\":[1]}\n"
                                   "{\"type\":\"thing\"}\r\n"
                                   "{\"type\":\"relation\",\"from\":\"a\",\"to\":\"b\","
                                   "\"relationType\":\"r\"}");
    const bp_json *answer;

    (void)state;
    assert_ok(reply.status);
    answer = parsed(reply.body);
    assert_int_equal(bp_json_integer(bp_json_get(answer, "refused")), 3);
    assert_int_equal(bp_json_integer(bp_json_get(answer, "entities")), 1);
    assert_int_equal(bp_json_integer(bp_json_get(answer, "relations")), 1);
    assert_int_equal(bp_json_integer(
                         bp_json_get(bp_json_at(bp_json_get(answer, "errors"), 0), "line")),
                     2);
    assert_int_equal(bp_json_integer(
                         bp_json_get(bp_json_at(bp_json_get(answer, "errors"), 2), "line")),
                     5);
}

/* ---- items ---- */

static char *store_item(const char *body)
{
    testhost_reply reply = request("POST", "/store", body);

    assert_ok(reply.status);
    return strdup(bp_json_string(bp_json_get(parsed(reply.body), "memory_id")).data);
}

static testhost_reply retrieve(const char *user, const char *id)
{
    char body[256];

    snprintf(body, sizeof(body), "{\"user_id\":\"%s\",\"memory_id\":\"%s\"}", user, id);
    return request("POST", "/retrieve", body);
}

static void items_are_kept_for_their_time_and_their_user(void **state)
{
    char *facts = store_item(
        "{\"user_id\":\"u\",\"memory_type\":\"facts\",\"data\":{\"a\":[1,\"Gr\xC3\xBC\xC3\x9F"
        "e\"]}}");
    char *context = store_item(
        "{\"user_id\":\"u\",\"memory_type\":\"context\",\"data\":\"now\",\"ttl_hours\":0.5}");
    testhost_reply reply = retrieve("u", facts);
    char           body[256];

    (void)state;
    assert_ok(reply.status);
    assert_json(bp_json_get(parsed(reply.body), "data"), "{\"a\":[1,\"Gr\xC3\xBC\xC3\x9F"
                                                         "e\"]}");
    assert_status(retrieve("v", facts).status, BP_NOT_FOUND);
    assert_ok(retrieve("u", context).status);
    reply = request("POST", "/search",
                    "{\"user_id\":\"u\",\"query\":\"GR\xC3\x9C\xC3\x9F\",\"memory_type\":null}");
    assert_ok(reply.status);
    assert_int_equal(bp_json_count(bp_json_get(parsed(reply.body), "memories")), 1);
    reply = request("POST", "/list", "{\"user_id\":\"u\"}");
    assert_ok(reply.status);
    assert_int_equal(bp_json_count(bp_json_get(parsed(reply.body), "memories")), 2);
    assert_null(strstr(reply.body.data, "now"));
    testhost_advance(BP_SECONDS(1801));
    assert_status(retrieve("u", context).status, BP_NOT_FOUND);
    assert_ok(retrieve("u", facts).status);
    testhost_run_jobs(host);
    principal.tenant = BP_STR("other");
    assert_status(retrieve("u", facts).status, BP_NOT_FOUND);
    principal.tenant = BP_STR("default");
    snprintf(body, sizeof(body), "{\"user_id\":\"u\",\"memory_id\":\"%s\"}", facts);
    reply = request("POST", "/delete", body);
    assert_json(parsed(reply.body), "{\"success\":true}");
    assert_status(retrieve("u", facts).status, BP_NOT_FOUND);
    free(facts);
    free(context);
}

static void the_oldest_item_makes_room_when_a_type_is_full(void **state)
{
    char *first = store_item("{\"user_id\":\"u\",\"memory_type\":\"context\",\"data\":0}"),
         *second = NULL;

    (void)state;
    for (int i = 1; i <= 500; i++) {
        testhost_reply reply = request("POST", "/store",
                                       "{\"user_id\":\"u\",\"memory_type\":\"context\",\"data\":"
                                       "1}");

        assert_ok(reply.status);
        assert_int_equal(bp_json_integer(bp_json_get(parsed(reply.body), "evicted")), i == 500);
        if (i == 1)
            second = strdup(bp_json_string(bp_json_get(parsed(reply.body), "memory_id")).data);
    }
    assert_status(retrieve("u", first).status, BP_NOT_FOUND);
    assert_ok(retrieve("u", second).status);
    free(first);
    free(second);
}

static void bad_items_are_refused(void **state)
{
    static const char *const bodies[][2] = {
        { "{\"memory_type\":\"facts\",\"data\":1}", "user_id" },
        { "{\"user_id\":\"u\",\"memory_type\":\"dreams\",\"data\":1}", "memory_type" },
        { "{\"user_id\":\"u\",\"memory_type\":\"facts\"}", "data is missing" },
        { "{\"user_id\":\"u\",\"memory_type\":\"facts\",\"data\":1,\"ttl_hours\":0}", "ttl_hours" },
        { "{\"user_id\":\"u\",\"memory_type\":\"facts\",\"data\":1,\"ttl_hours\":\"long\"}",
          "ttl_hours" },
        { "[]", "JSON object" },
    };
    char *large = malloc(1200000);

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_status(request("POST", "/store", bodies[i][0]).status, BP_INVALID);
        assert_said(bodies[i][1]);
    }
    size_t used = (size_t)sprintf(large,
                                  "{\"user_id\":\"u\",\"memory_type\":\"facts\",\"data\":\"");
    memset(large + used, 'x', 1100000);
    strcpy(large + used + 1100000, "\"}");
    assert_status(request("POST", "/store", large).status, BP_TOO_LARGE);
    free(large);
}

static int count_in_file(const char *text)
{
    char     path[256];
    sqlite3 *db;
    int      count = -1;

    sqlite3_stmt *statement;
    snprintf(path, sizeof(path), "%s/app.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT count(*) FROM knowledge_items WHERE instr(data, "
                                        "CAST(?1 AS BLOB)) > 0",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
    if (sqlite3_step(statement) == SQLITE_ROW)
        count = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return count;
}

#define KEY "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static void items_are_encrypted_when_there_is_a_key(void **state)
{
    const testhost_option options[] = { { "storage", "main" }, { "key", KEY } };
    const testhost_option other_key[] = { { "storage", "main" },
                                          { "key", "fffffffffffffffffffffffffffffffffffffffffffffff"
                                                   "fffffffffffffffff" } };
    char                 *plain = store_item(
                             "{\"user_id\":\"u\",\"memory_type\":\"facts\",\"data\":\"open secret\"}"),
         *sealed;

    (void)state;
    assert_int_equal(count_in_file("open secret"), 1);
    stop();
    start_app("sealing", options, 2);
    sealed = store_item("{\"user_id\":\"u\",\"memory_type\":\"facts\",\"data\":\"sealed secret\"}");
    assert_int_equal(count_in_file("sealed secret"), 0);
    assert_json(bp_json_get(parsed(retrieve("u", sealed).body), "data"), "\"sealed secret\"");
    assert_ok(retrieve("u", plain).status); // from before there was a key
    assert_int_equal(bp_json_count(
                         bp_json_get(parsed(request("POST", "/search",
                                                    "{\"user_id\":\"u\",\"query\":\"SECRET\"}")
                                                .body),
                                     "memories")),
                     2);
    stop();
    start_app("other", other_key, 2);
    assert_status(retrieve("u", sealed).status, BP_DATA);
    assert_said("another key");
    free(plain);
    free(sealed);
}

static void a_key_of_another_length_is_refused(void **state)
{
    const testhost_option options[] = { { "storage", "main" }, { "key", "too short" } };

    (void)state;
    assert_status(testhost_check(host, plugin, options, 2), BP_INVALID);
    assert_non_null(strstr(testhost_problem(host), "64 hexadecimal digits"));
    assert_null(strstr(testhost_problem(host), "too short"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_created_is_read_back),
        TEST(only_what_is_new_is_created),
        TEST(observations_are_added_once_and_to_known_entities_only),
        TEST(deleting_takes_what_hangs_on_it),
        TEST(search_pays_no_regard_to_capitals_of_any_script),
        TEST(a_search_never_crosses_from_one_field_into_the_next),
        TEST(a_tenant_sees_only_its_own_graph),
        TEST(what_another_process_writes_is_seen_after_refresh),
        TEST(memory_and_storage_agree_after_random_changes),
        TEST(a_graph_of_many_blocks_is_searched_completely),
        TEST(a_graph_larger_than_the_memory_is_read_from_the_storage),
        TEST(what_has_no_name_or_is_too_long_is_refused),
        TEST(the_resource_is_the_graph_and_tells_of_changes),
        TEST(lines_go_out_and_come_in_again),
        TEST(lines_that_are_wrong_are_named_and_the_others_stored),
        TEST(items_are_kept_for_their_time_and_their_user),
        TEST(the_oldest_item_makes_room_when_a_type_is_full),
        TEST(bad_items_are_refused),
        TEST(items_are_encrypted_when_there_is_a_key),
        TEST(a_key_of_another_length_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
