/* test_no_memory.c - vector/local: what is written or read while memory runs out is whole, or it is
 * refused and nothing of it stays. */
#include "plugins/vector_local/vector_words.h"
#include "plugins/whole.h"

static const char *state(void)
{
    return bp_format(call, "%s\n%s\n%s\n%s\n%s", listed(), scrolled(0, 100, NULL),
                     found("c", both, "moss ivy ferns", NULL, 10),
                     found("c", east, "new", RANGE("n", 1, 9, false, false), 10),
                     file_row("SELECT count(*) FROM sqlite_schema"))
        .data;
}

static bp_status make_one(void)
{
    return make("d", 3, BP_L2, "de");
}

static void drop_one(void)
{
    assert_ok(ops->drop(call, self, BP_STR("d")));
    assert_ok(ops->maintain(call, self, BP_STR("vacuum")));
}

static bp_status put_three(void)
{
    const bp_point points[] = {
        { sizeof(bp_point), 0, 2, west, BP_STR("new words"), BP_STR("{\"n\":7}") },
        { sizeof(bp_point), 0, 6, north, BP_STR("new and ivy"), BP_STR("{\"n\":8}") },
        { sizeof(bp_point), 0, 4, NULL, BP_STR("no vector"), BP_STR("") },
    };

    return ops->upsert(call, self, BP_STR("c"), points, sizeof(points[0]), 3);
}

static void put_back(void)
{
    const uint64_t id = 6;

    assert_ok(ops->remove(call, self, BP_STR("c"), &id, 1, NULL, NULL));
    put_four("c");
}

static bp_status remove_some(void)
{
    return ops->remove(call, self, BP_STR("c"), NULL, 0, RANGE("n", 2, 3, false, false), NULL);
}

static bp_status drop_it(void)
{
    return ops->drop(call, self, BP_STR("e"));
}

static void make_it(void)
{
    assert_ok(ops->maintain(call, self, BP_STR("vacuum")));
    assert_ok(make("e", 2, BP_COSINE, "en"));
}

static bp_status search(void)
{
    struct legs legs;
    bp_status   status = find("c", both, 2, "moss ivy", NULL, 10, &legs);

    if (status == BP_OK)
        snprintf(answer, sizeof(answer), "%s %s", leg_of(&legs.vector), leg_of(&legs.words));
    return status;
}

static bp_status search_filtered(void)
{
    struct legs legs;
    bp_status   status = find("c", both, 2, "ferns ivy", RANGE("n", 2, 3, false, false), 10, &legs);

    if (status == BP_OK)
        snprintf(answer, sizeof(answer), "%s %s", leg_of(&legs.vector), leg_of(&legs.words));
    return status;
}

static bp_status count(void)
{
    uint64_t  found_count = 77;
    bp_status status = ops->count(call, self, BP_STR("c"), RANGE("n", 2, 3, false, false),
                                  &found_count);

    snprintf(answer, sizeof(answer), "%llu", (unsigned long long)found_count);
    return status;
}

static bp_status scroll(void)
{
    bp_buf             *buf = bp_buf_new(call, 1 << 16);
    const bp_point_sink sink = { .struct_size = sizeof(sink), .point = note_point, .self = buf };
    bp_status           status = ops->scroll(call, self, BP_STR("c"), NULL, 0, 10, &sink);

    snprintf(answer, sizeof(answer), BP_FMT, BP_ARG(bp_buf_str(buf)));
    return status;
}

static bp_status snapshot(void)
{
    bp_buf            *buf = bp_buf_new(call, 1 << 16);
    const bp_byte_sink sink = { .struct_size = sizeof(sink), .write = note_bytes, .self = buf };
    bp_status          status = ops->snapshot(call, self, BP_STR("c"), &sink);

    snprintf(answer, sizeof(answer), BP_FMT, BP_ARG(bp_buf_str(buf)));
    return status;
}

static bp_status vacuum(void)
{
    return ops->maintain(call, self, BP_STR("vacuum"));
}

static const struct act acts[] = {
    { "create", make_one, drop_one },
    { "upsert", put_three, put_back },
    { "remove", remove_some, put_back },
    { "drop", drop_it, make_it },
    { "search", search, NULL },
    { "filtered search", search_filtered, NULL },
    { "count", count, NULL },
    { "scroll", scroll, NULL },
    { "snapshot", snapshot, NULL },
    { "vacuum", vacuum, NULL }, // the last one: SQLite has too many calls for it
};

static void an_operation_without_memory_is_whole_or_not_at_all(void **state_of_test)
{
    (void)state_of_test;
    assert_ok(make("c", 2, BP_COSINE, "en"));
    assert_ok(make("e", 2, BP_COSINE, "en"));
    put_four("c");
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
        assert_whole(&acts[i], INJECT_MEMORY, "/plugins/", state);
    for (size_t i = 0; i + 1 < sizeof(acts) / sizeof(acts[0]); i++)
        if (!acts[i].undo)
            assert_whole(&acts[i], INJECT_MEMORY, "libsqlite3", state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_operation_without_memory_is_whole_or_not_at_all,
                                        setup_with_instance, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
