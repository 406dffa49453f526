/* test_redis.c - the vector store on Redis gives what the embedded one gives, for filters of any
 * kind and shape, beyond what every store promises (sdk/conform has that). With BP_REDIS_URL
 * another server is used, as the integration test does for one with RediSearch. */
#define begin_instance                                                                             \
    begin_local_instance /* vector_test.h has the words we need, and its own instance */
#define setup               local_setup
#define setup_with_instance local_setup_with_instance
#include "plugins/vector_local/vector_test.h"
#undef begin_instance
#undef setup
#undef setup_with_instance
#include "plugins/redis_test.h"

enum { DIMENSIONS = 24, POINTS = 400 };

static const bp_plugin     *local_plugin;
static testhost_instance   *local;
static const bp_vector_ops *local_ops;
static const char          *server_url;

static int setup(void **state)
{
    testhost_option options[] = { { "url", "" }, { "prefix", directory }, { "timeout", "60s" } };
    testhost_option local_options[] = { { "path", "store" } };
    (void)state;
    (void)local_setup, (void)local_setup_with_instance;
    if (open_host(BP_PLUGIN_DIR "/vector/redis.so") != 0)
        return -1;
    server_url = getenv("BP_REDIS_URL");
    if (!server_url && !redis_start()) {
        print_message("skipped: redis-server is not on this machine\n");
        exit(0);
    }
    options[0].value = server_url ? server_url : redis_url;
    start(options, 3);
    ops = testhost_ops(instance);
    self = testhost_self(instance);
    local_plugin = testhost_load(host, BP_PLUGIN_DIR "/vector/local.so");
    if (!local_plugin)
        return -1;
    local = testhost_instance_create(host, local_plugin, "local", local_options, 1);
    local_ops = testhost_ops(local);
    return local ? 0 : -1;
}

static int redis_teardown(void **state)
{
    testhost_instance_destroy(local);
    redis_stop();
    return teardown(state);
}

static const float X[] = { 1, 0, 0 };

/* ---- against the embedded store ---- */

static uint32_t random_state = 7;

static uint32_t chance(uint32_t below)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % below;
}

static const char *const vocabulary[] = { "cache", "caching", "caches", "server",
                                          "Redis", "vector",  "search", "words",
                                          "the",   "über",    "Café",   "naïve",
                                          "retry", "after",   "lock",   "42" };

static bp_str random_words(void)
{
    bp_buf *buf = bp_buf_new(call, 4096);
    for (uint32_t i = chance(30); i > 0; i--)
        bp_buf_addf(buf, "%s%s", vocabulary[chance(16)], chance(4) ? " " : ", ");
    return bp_buf_str(buf);
}

static bp_str random_metadata(void)
{
    switch (chance(4)) {
    case 0:
        return bp_format(call, "{\"year\":%u,\"lang\":\"%s\"}", 2000 + chance(20),
                         chance(2) ? "en" : "de");
    case 1:
        return bp_format(call, "{\"year\":%u.5,\"tags\":[\"a%u\",%u,true]}", 2000 + chance(20),
                         chance(3), chance(3));
    case 2:
        return bp_format(call, "{\"lang\":%u,\"done\":%s,\"empty\":[]}", chance(3),
                         chance(2) ? "true" : "false");
    default:
        return BP_STR("");
    }
}

static void write_both(bp_str name, uint64_t id)
{
    float    vector[DIMENSIONS];
    bp_point point = { .struct_size = sizeof(point),
                       .id = id,
                       .words = random_words(),
                       .metadata = random_metadata() };

    for (int i = 0; i < DIMENSIONS; i++)
        vector[i] = (float)chance(2000) / 1000 - 1;
    if (chance(10))
        point.vector = vector;
    assert_ok(ops->upsert(call, self, name, &point, sizeof(point), 1));
    assert_ok(local_ops->upsert(call, testhost_self(local), name, &point, sizeof(point), 1));
}

static void assert_legs(const bp_leg *ours, const bp_leg *theirs, const char *what)
{
    if (ours->hit_count != theirs->hit_count)
        fail_msg("%s: %u hits, not %u", what, ours->hit_count, theirs->hit_count);
    for (uint32_t i = 0; i < ours->hit_count; i++) {
        if (fabs(ours->hits[i].score - theirs->hits[i].score) >
            1e-5 * (1 + fabs(theirs->hits[i].score)))
            fail_msg("%s: hit %u scores %.9g, not %.9g", what, i, ours->hits[i].score,
                     theirs->hits[i].score);
        if (ours->hits[i].id != theirs->hits[i].id) {
            bool is_tie = false; // the same score at another place, within the rounding of float32
            for (uint32_t k = 0; k < theirs->hit_count; k++)
                is_tie = is_tie || (theirs->hits[k].id == ours->hits[i].id &&
                                    fabs(theirs->hits[k].score - ours->hits[i].score) < 1e-5);
            if (!is_tie && i + 1 < ours->hit_count)
                fail_msg("%s: hit %u is %llu, not %llu", what, i,
                         (unsigned long long)ours->hits[i].id,
                         (unsigned long long)theirs->hits[i].id);
        }
    }
}

static void compare(bp_str name, const bp_filter *filter, uint32_t limit, const char *what)
{
    float           vector[DIMENSIONS];
    struct legs     ours, theirs;
    bp_vector_query query = { .struct_size = sizeof(query),
                              .dimensions = DIMENSIONS,
                              .collection = name,
                              .vector = vector,
                              .words = random_words(),
                              .filter = filter,
                              .limit = limit,
                              .effort = 1000 };
    uint64_t        counts[2];

    for (int i = 0; i < DIMENSIONS; i++)
        vector[i] = (float)chance(2000) / 1000 - 1;
    memset(&ours, 0, sizeof(ours));
    memset(&theirs, 0, sizeof(theirs));
    assert_ok(ops->search(call, self, &query, &ours.vector, &ours.words));
    assert_ok(local_ops->search(call, testhost_self(local), &query, &theirs.vector, &theirs.words));
    assert_legs(&ours.words, &theirs.words, what);
    assert_legs(&ours.vector, &theirs.vector, what);
    assert_ok(ops->count(call, self, name, filter, &counts[0]));
    assert_ok(local_ops->count(call, testhost_self(local), name, filter, &counts[1]));
    assert_int_equal(counts[0], counts[1]);
}

enum { FILTERS = 15 };

static void compare_all(bp_str name, const bp_filter *const *filters)
{
    for (size_t i = 0; i < FILTERS; i++)
        for (int round = 0; round < 3; round++) {
            char what[64];
            snprintf(what, sizeof(what), BP_FMT ", filter %zu, query %d", BP_ARG(name), i, round);
            compare(name, filters[i], round ? 10 : POINTS, what);
            next_call();
        }
}

static void every_search_gives_what_the_embedded_store_gives(void **state)
{
    const bp_filter *const filters[FILTERS] = {
        NULL,
        IN_TEXT("lang", TEXT("en")),
        IN_TEXT("lang", TEXT("de"), NUMBER(1)),
        IN_TEXT("tags", TEXT("a1"), BOOL(1)),
        IN_TEXT("done", BOOL(0)),
        RANGE("year", 2005, 2010, false, true),
        RANGE("year", 2005.5, INFINITY, true, false),
        PREFIX("lang", "e"),
        PREFIX("tags", ""),
        FIELD(BP_FILTER_EXISTS, "empty"),
        FIELD(BP_FILTER_NOT_EXISTS, "year"),
        NODE0(BP_FILTER_AND),
        NODE0(BP_FILTER_OR),
        NODE(BP_FILTER_NOT, IN_TEXT("lang", TEXT("en"))),
        NODE(BP_FILTER_AND, RANGE("year", 2002, 2018, false, false),
             NODE(BP_FILTER_OR, IN_TEXT("lang", TEXT("de")), FIELD(BP_FILTER_EXISTS, "tags"))),
    };
    static const char *const names[] = { "random-cosine", "random-ip", "random-l2" };
    (void)state;
    for (uint32_t metric = BP_COSINE; metric <= BP_L2; metric++) {
        const char      *language = metric == BP_L2 ? "de" : "en";
        bp_str           name = bp_str_of(names[metric]);
        bp_vector_schema schema = { .struct_size = sizeof(schema),
                                    .dimensions = DIMENSIONS,
                                    .metric = metric,
                                    .language = bp_str_of(language) };
        assert_ok(ops->create(call, self, name, &schema));
        assert_ok(local_ops->create(call, testhost_self(local), name, &schema));
        for (uint64_t id = 1; id <= POINTS; id++) {
            write_both(name, id * 7);
            next_call();
        }
        compare_all(name, filters);
        for (int i = 0; i < 100; i++) { // replaced and removed
            uint64_t id = (1 + chance(POINTS)) * 7, gone[2] = { 0, 0 };
            if (chance(2)) {
                write_both(name, id);
            } else {
                assert_ok(ops->remove(call, self, name, &id, 1, NULL, &gone[0]));
                assert_ok(
                    local_ops->remove(call, testhost_self(local), name, &id, 1, NULL, &gone[1]));
                assert_int_equal(gone[0], gone[1]);
            }
            next_call();
        }
        compare_all(name, filters);
        for (size_t i = 4; i < 6; i++) {
            uint64_t gone[2];
            assert_ok(ops->remove(call, self, name, NULL, 0, filters[i], &gone[0]));
            assert_ok(
                local_ops->remove(call, testhost_self(local), name, NULL, 0, filters[i], &gone[1]));
            assert_int_equal(gone[0], gone[1]);
        }
        compare_all(name, filters);
    }
}

/* ---- filters that an index is asked for ---- */

static void write_tagged(bp_str name, uint64_t id, bp_str metadata)
{
    float    vector[DIMENSIONS];
    bp_point point = {
        .struct_size = sizeof(point), .id = id, .vector = vector, .metadata = metadata
    };

    for (int i = 0; i < DIMENSIONS; i++)
        vector[i] = (float)chance(2000) / 1000 - 1;
    assert_ok(ops->upsert(call, self, name, &point, sizeof(point), 1));
    assert_ok(local_ops->upsert(call, testhost_self(local), name, &point, sizeof(point), 1));
}

static void make_tagged(bp_str name)
{
    bp_vector_schema schema = { .struct_size = sizeof(schema),
                                .dimensions = DIMENSIONS,
                                .metric = BP_L2 };

    assert_ok(ops->create(call, self, name, &schema));
    assert_ok(local_ops->create(call, testhost_self(local), name, &schema));
}

/* By itself and negated; all that pass, and few of them. */
static void compare_both_ways(bp_str name, const bp_filter *filter, const char *what)
{
    compare(name, filter, 1000, what);
    compare(name, NODE(BP_FILTER_NOT, filter), 1000, what);
    compare(name, NODE(BP_FILTER_AND, NODE(BP_FILTER_NOT, filter), FIELD(BP_FILTER_EXISTS, "text")),
            10, what);
    next_call();
}

static void strings_in_filters_mean_themselves(void **state)
{
    static char              corpus[1 << 18];
    static const char *const own[] = {
        "",
        " ",
        "a",
        "A",
        "a ",
        "a,b",
        "b",
        "{x}|y",
        "\\",
        "\"",
        "é",
        "e\xcc\x81",
        "ß",
        "SS",
        "1",
        "1.0",
        "true",
        "-",
        "*",
        "a\nb",
        "0123456789012345678901234567890123456789012345678901234567890123", // 64 bytes
        "01234567890123456789012345678901234567890123456789012345678901234",
        "01234567890123456789012345678901234567890123456789012345678901235",
    };
    enum { OWN = sizeof(own) / sizeof(own[0]), MANY = 120 };
    bp_call       *reading = testhost_call_new(host, BP_FOREVER);
    FILE          *file = fopen(BP_SHARED_DIR "/corpora/strings/blns.json", "r");
    const bp_json *strings = NULL;
    bp_str         texts[MANY], metadata, name = BP_STR("strings");
    size_t         count = 0;
    (void)state;
    if (file) {
        assert_int_equal(bp_json_parse(reading,
                                       bp_str_n(corpus, fread(corpus, 1, sizeof(corpus), file)),
                                       &strings),
                         BP_OK);
        fclose(file);
    }
    for (; count < OWN; count++)
        texts[count] = bp_str_of(own[count]);
    for (size_t i = 0; strings && i < bp_json_count(strings) && count < MANY; i += 5)
        texts[count++] = bp_json_string(bp_json_at(strings, i));
    make_tagged(name);
    for (size_t i = 0; i < count; i++) {
        bp_json_writer *w = bp_json_writer_new(call, 1 << 20);
        bp_json_object(w);
        bp_json_put_string(w, i % 7 ? "text" : "Text", texts[i]);
        bp_json_key(w, "both");
        bp_json_array(w);
        bp_json_add_string(w, texts[i]);
        bp_json_add_string(w, texts[(i + 1) % count]);
        bp_json_end(w);
        bp_json_end(w);
        assert_ok(bp_json_done(call, w, &metadata));
        write_tagged(name, i + 1, metadata);
        next_call();
    }
    for (size_t i = 0; i < count; i++) {
        bp_value  value = { .type = BP_VALUE_STRING, .text = texts[i] };
        bp_filter filter = { .struct_size = sizeof(filter),
                             .op = BP_FILTER_IN,
                             .field = BP_STR("text"),
                             .values = &value,
                             .value_count = 1 };
        compare_both_ways(name, &filter, "a string");
        filter.field = BP_STR("both");
        compare_both_ways(name, &filter, "a string in an array");
    }
    compare_both_ways(name, PREFIX("text", "0123"), "a prefix");
    compare_both_ways(name, IN_TEXT("text", NUMBER(1), BOOL(1)), "of other types");
    testhost_call_end(reading);
}

static void numbers_in_filters_are_compared_as_numbers(void **state)
{
    static const char *const written[] = { "0",
                                           "-0.0",
                                           "1",
                                           "-1",
                                           "1.5",
                                           "2020",
                                           "2020.25",
                                           "2021",
                                           "2022",
                                           "1e300",
                                           "-1e300",
                                           "1e-300",
                                           "-1e-300",
                                           "0.1",
                                           "0.2",
                                           "1760000000",
                                           "1760000001",
                                           "9007199254740992",
                                           "9007199254740993",
                                           "[1, 3000]",
                                           "[]",
                                           "[2019.5, true]",
                                           "true",
                                           "\"2020\"",
                                           "255",
                                           "256",
                                           "257" };
    static const double      bounds[] = { -INFINITY, -1e301,  -1,         -1e-300,
                                          0,         1e-300,  0.1,        1,
                                          1.5,       255,     256,        2020,
                                          2020.25,   2021,    1760000000, 9007199254740992.0,
                                          1e300,     INFINITY };
    enum {
        WRITTEN = sizeof(written) / sizeof(written[0]),
        BOUNDS = sizeof(bounds) / sizeof(bounds[0])
    };
    bp_str name = BP_STR("numbers");
    (void)state;
    make_tagged(name);
    for (size_t i = 0; i < WRITTEN * 4; i++) {
        write_tagged(name, i + 1,
                     bp_format(call, "{\"n\":%s,\"text\":%zu,\"some\":%u}", written[i % WRITTEN], i,
                               chance(100000)));
        next_call();
    }
    for (size_t i = 0; i < BOUNDS; i++) {
        compare_both_ways(name, IN_TEXT("n", NUMBER(bounds[i])), "a number");
        compare_both_ways(name, IN_TEXT("n", NUMBER(-bounds[i]), BOOL(1)), "a number or true");
        for (size_t k = (i + 1) % 5; k < BOUNDS; k += 5)
            compare_both_ways(name, RANGE("n", bounds[i], bounds[k], chance(2), chance(2)),
                              "a range");
    }
    for (int i = 0; i < 25; i++) {
        double low = chance(100000);
        compare_both_ways(name, RANGE("some", low, low + chance(50000), chance(2), chance(2)),
                          "a range of whole numbers");
    }
}

static void metadata_of_more_than_tags_can_say_is_filtered_all_the_same(void **state)
{
    bp_str name = BP_STR("much");
    (void)state;
    make_tagged(name);
    for (uint64_t id = 1; id <= 20; id++) {
        bp_buf *buf = bp_buf_new(call, 1 << 20);
        bp_buf_addf(buf, "{\"text\":%u,\"many\":[0", (unsigned)id);
        for (unsigned i = 1; id % 2 && i < 3000; i++)
            bp_buf_addf(buf, ",%u", i * (unsigned)id);
        bp_buf_add(buf, BP_STR("]}"));
        write_tagged(name, id, bp_buf_str(buf));
    }
    compare_both_ways(name, IN_TEXT("many", NUMBER(2999)), "in many");
    compare_both_ways(name, IN_TEXT("many", NUMBER(5997), TEXT("x")), "in many");
    compare_both_ways(name, RANGE("many", 40000, INFINITY, false, false), "a range of many");
    compare_both_ways(name, FIELD(BP_FILTER_EXISTS, "many"), "there are many");
    compare_both_ways(name, FIELD(BP_FILTER_NOT_EXISTS, "text"), "it is not there");
    compare_both_ways(name, IN_TEXT("nowhere", NUMBER(1)), "nowhere");
}

static const bp_filter *random_filter(int depth)
{
    static const bp_value    values[] = { TEXT("en"), TEXT("de"),   TEXT("a1"), NUMBER(1),
                                          NUMBER(2),  NUMBER(2005), BOOL(1),    BOOL(0) };
    static const char *const fields[] = { "lang", "year", "tags", "done", "empty", "nowhere" };
    bp_filter               *filter = BP_NEW(call, bp_filter);
    const bp_filter        **children = BP_NEW_ARRAY(call, const bp_filter *, 3);

    filter->struct_size = sizeof(*filter);
    filter->op = depth ? 1 + chance(8) : 4 + chance(5);
    filter->field = bp_str_of(fields[chance(6)]);
    filter->values = filter->op == BP_FILTER_PREFIX ? &values[chance(3)] : &values[chance(6)];
    filter->value_count = filter->op == BP_FILTER_PREFIX ? 1 : chance(3);
    filter->low = chance(4) ? 2000 + chance(20) : -INFINITY;
    filter->high = chance(4) ? 2000 + chance(40) / 2.0 : INFINITY;
    filter->is_low_exclusive = chance(2);
    filter->is_high_exclusive = chance(2);
    filter->children = children;
    filter->child_count = filter->op == BP_FILTER_NOT  ? 1
                          : filter->op <= BP_FILTER_OR ? chance(4)
                                                       : 0;
    for (size_t i = 0; i < filter->child_count; i++)
        children[i] = random_filter(depth - 1);
    return filter;
}

static void filters_of_any_shape_select_what_the_embedded_store_selects(void **state)
{
    bp_str name = BP_STR("shapes");
    (void)state;
    make_tagged(name);
    for (uint64_t id = 1; id <= 100; id++) {
        write_tagged(name, id, random_metadata());
        next_call();
    }
    for (int i = 0; i < 500; i++) {
        char what[32];
        snprintf(what, sizeof(what), "random filter %d", i);
        compare(name, random_filter(4), i % 4 ? 1000 : 5, what);
        next_call();
    }
}

/* What one process knows of a collection is of yesterday when another makes it anew. */
static void a_collection_made_anew_by_another_is_searched_as_it_is(void **state)
{
    testhost_option    options[] = { { "url", server_url ? server_url : redis_url },
                                     { "prefix", directory } };
    testhost_instance *other = testhost_instance_create(host, plugin, "other", options, 2);
    void              *ours = self;
    struct legs        legs;
    (void)state;
    assert_non_null(other);
    assert_ok(make("anew", 3, BP_COSINE, ""));
    assert_ok(put("anew", 1, X, "first words", ""));
    assert_ok(find("anew", X, 3, "words", NULL, 10, &legs));
    assert_string_equal(ids_of(&legs.vector), "1");
    self = testhost_self(other);
    assert_ok(ops->drop(call, self, BP_STR("anew")));
    assert_ok(make("anew", 3, BP_L2, "de"));
    assert_ok(put("anew", 2, X, "other words", "{\"a\":1}"));
    self = ours;
    assert_ok(find("anew", X, 3, "words", NULL, 10, &legs));
    assert_string_equal(ids_of(&legs.vector), "2");
    assert_string_equal(ids_of(&legs.words), "2");
    assert_true(legs.vector.hits[0].score == 0); // by its distance
    self = testhost_self(other);
    assert_ok(ops->drop(call, self, BP_STR("anew")));
    assert_ok(make("anew", 2, BP_COSINE, ""));
    assert_ok(put("anew", 3, X, "", "{\"a\":2}"));
    self = ours;
    assert_ok(find("anew", X, 2, "", IN_TEXT("a", NUMBER(2)), 10, &legs));
    assert_string_equal(ids_of(&legs.vector), "3");
    self = testhost_self(other);
    assert_ok(ops->drop(call, self, BP_STR("anew")));
    self = ours;
    assert_status(find("anew", X, 2, "", NULL, 10, &legs), BP_NOT_FOUND);
    assert_status(find("anew", NULL, 0, "words", NULL, 10, &legs), BP_NOT_FOUND);
    testhost_instance_destroy(other);
}

/* ---- without the server ---- */

static void a_lost_server_is_said(void **state)
{
    struct legs legs;
    (void)state;
    if (server_url)
        return; // it is not ours to kill
    redis_stop();
    assert_status(find("near", X, 3, "", NULL, 10, &legs), BP_UNAVAILABLE);
    assert_said("Redis at unix:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_search_gives_what_the_embedded_store_gives),
        cmocka_unit_test(strings_in_filters_mean_themselves),
        cmocka_unit_test(numbers_in_filters_are_compared_as_numbers),
        cmocka_unit_test(metadata_of_more_than_tags_can_say_is_filtered_all_the_same),
        cmocka_unit_test(filters_of_any_shape_select_what_the_embedded_store_selects),
        cmocka_unit_test(a_collection_made_anew_by_another_is_searched_as_it_is),
        cmocka_unit_test(a_lost_server_is_said),
    };
    return cmocka_run_group_tests(tests, setup, redis_teardown);
}
