/* test_option_check.c - a plugin's option table that is not well formed is refused in a sentence.
 */
#include "core/conf/conf_fixture.h"

struct target {
    int64_t        number;
    bp_str         text;
    const bp_peer *peer;
    int32_t        choice;
};

static void assert_table(const struct option_table *table, uint32_t instance_size,
                         const char *sentence)
{
    struct arena arena;

    arena_init(&arena, 1 << 20);
    assert_bp_str(option_table_check(&arena, table, instance_size), sentence);
    arena_free(&arena);
}

static void assert_option(bp_option option, const char *sentence)
{
    struct option_table table = { &option, sizeof(option), 1 };

    assert_table(&table, sizeof(struct target), sentence);
}

static void every_plugin_of_the_fixture_is_well_formed(void **state)
{
    (void)state;
    for (size_t i = 0; i < KNOWN_PLUGIN_COUNT; i++)
        assert_table(&known_plugins[i].options, known_plugins[i].instance_size, "");
}

static void the_tables_of_the_host_are_well_formed(void **state)
{
    (void)state;
    for (size_t i = 0; i < SERVER_SECTION_COUNT; i++)
        assert_table(&server_sections[i].table, sizeof(struct server_conf), "");
    assert_table(&log_section.table, sizeof(struct log_conf), "");
    assert_table(&gate_table, sizeof(struct gate_conf), "");
    assert_table(gate_kind_table("health"), sizeof(struct gate_conf), "");
    assert_table(&listener_table, sizeof(struct server_listener), "");
    assert_table(&conf_top_table, sizeof(struct conf), "");
}

static void a_bad_name_is_refused(void **state)
{
    static const char form[] = "a name has only a-z, 0-9 and _, and at most 63 of them";
    char              sentence[128];

    (void)state;
    snprintf(sentence, sizeof(sentence), "option \"Text\": %s", form);
    assert_option((bp_option)BP_OPTION_OF(BP_OPTION_TYPE_STRING, struct target, text, "Text",
                                          .help = "x"),
                  sentence);
    snprintf(sentence, sizeof(sentence), "option \"\": %s", form);
    assert_option((bp_option)BP_OPTION_OF(BP_OPTION_TYPE_STRING, struct target, text, "",
                                          .help = "x"),
                  sentence);
    assert_option((bp_option)BP_OPTION_OF(BP_OPTION_TYPE_STRING, struct target, text, "use",
                                          .help = "x"),
                  "option \"use\": the name is taken by the host");
    assert_option((bp_option)BP_OPTION_OF(BP_OPTION_TYPE_STRING, struct target, text, NULL,
                                          .help = "x"),
                  "option 0 has no name");
}

static void a_field_outside_misaligned_or_shared_is_refused(void **state)
{
    const bp_option overlapping[] = {
        BP_OPTION_INT(struct target, number, .help = "x"),
        { .name = "other", .help = "x", .type = BP_OPTION_TYPE_BOOL, .offset = 3 },
    };
    const bp_option     twice[] = { BP_OPTION_INT(struct target, number, .help = "x"),
                                    BP_OPTION_INT(struct target, number, .help = "x") };
    struct option_table overlapping_table = OPTION_TABLE(overlapping),
                        twice_table = OPTION_TABLE(twice);
    bp_option option = BP_OPTION_INT(struct target, number, .help = "x");

    (void)state;
    option.offset = 4;
    assert_option(option, "option \"number\": its field at 4 is not aligned to 8 bytes");
    option.offset = sizeof(struct target);
    assert_option(option, "option \"number\": its field at 40 of 8 bytes lies outside the "
                          "instance's 40 bytes");
    option.offset = 0xFFFFFFF8u;
    assert_option(option, "option \"number\": its field at 4294967288 of 8 bytes lies outside the "
                          "instance's 40 bytes");
    assert_table(&overlapping_table, sizeof(struct target),
                 "option \"other\": its field overlaps that of \"number\"");
    assert_table(&twice_table, sizeof(struct target),
                 "option \"number\": there are two of that name");
}

static void a_shape_that_fits_no_type_is_refused(void **state)
{
    bp_option option = BP_OPTION_INT(struct target, number, .help = "x");

    (void)state;
    option.type = 16;
    assert_option(option, "option \"number\": it has a type that this host does not know");
    assert_option((bp_option)BP_OPTION_ENUM(struct target, choice, .help = "x"),
                  "option \"choice\": it is a choice without `choices`");
    assert_option((bp_option)BP_OPTION_INT(struct target, number, .choices = "1|2", .help = "x"),
                  "option \"number\": it has `choices`, which only ENUM, URL, PATH and LIST may "
                  "have");
    assert_option((bp_option)BP_OPTION_OF(BP_OPTION_TYPE_REF, struct target, peer, "peer",
                                          .help = "x"),
                  "option \"peer\": it has no `ref_kind` that is a kind of plugin (" CONF_KINDS
                  ")");
    assert_option((bp_option)BP_OPTION_REF(struct target, peer, "storag", .help = "x"),
                  "option \"peer\": it has no `ref_kind` that is a kind of plugin (" CONF_KINDS
                  ")");
    assert_option((bp_option)BP_OPTION_STRING(struct target, text, .ref_kind = "llm", .help = "x"),
                  "option \"text\": it has a `ref_kind`, which only REF and REFS may have");
    assert_option((bp_option)BP_OPTION_STRING(struct target, text, .minimum = "1", .help = "x"),
                  "option \"text\": it has a `minimum` or `maximum`, which only INT, FLOAT, SIZE "
                  "and DURATION may have");
    assert_option((bp_option)BP_OPTION_STRING(struct target, text, .initial = "1",
                                              .is_required = true, .help = "x"),
                  "option \"text\": it is required and has a default: it can be only one of them");
    assert_option((bp_option)BP_OPTION_SECRET(struct target, text, .initial = "1", .help = "x"),
                  "option \"text\": it is a secret with a default, which would be no secret");
}

static void help_is_one_line_without_a_full_stop(void **state)
{
    (void)state;
    assert_option((bp_option)BP_OPTION_INT(struct target, number, .help = NULL),
                  "option \"number\": it has no help");
    assert_option((bp_option)BP_OPTION_INT(struct target, number, .help = "a\nb"),
                  "option \"number\": it has a help of more than one line");
    assert_option((bp_option)BP_OPTION_INT(struct target, number, .help = "A number."),
                  "option \"number\": it has a help with a full stop at its end");
}

static void defaults_and_ranges_must_parse_and_agree(void **state)
{
    (void)state;
    assert_option((bp_option)BP_OPTION_INT(struct target, number, .initial = "many", .help = "x"),
                  "option \"number\": its default \"many\" is not a whole number");
    assert_option((bp_option)BP_OPTION_INT(struct target, number, .initial = "5", .minimum = "6",
                                           .help = "x"),
                  "option \"number\": its default \"5\" is below the minimum of 6");
    assert_option((bp_option)BP_OPTION_INT(struct target, number, .minimum = "x", .help = "x"),
                  "option \"number\": its minimum \"x\" is not a whole number");
    assert_option((bp_option)BP_OPTION_INT(struct target, number, .minimum = "7", .maximum = "6",
                                           .help = "x"),
                  "option \"number\": its maximum \"6\" is below the minimum of 7");
    assert_option((bp_option)BP_OPTION_ENUM(struct target, choice, .choices = "a|b", .initial = "c",
                                            .help = "x"),
                  "option \"choice\": its default \"c\" is not one of a, b (did you mean \"a\"?)");
}

static void a_stride_no_sdk_has_is_refused(void **state)
{
    struct option_table table = { everything_options, 8, 1 };

    (void)state;
    assert_table(&table, sizeof(struct everything),
                 "the option table has a stride of 8 bytes, which no version of the SDK has");
    table = (struct option_table){ everything_options, sizeof(bp_option), 1000 };
    assert_table(&table, sizeof(struct everything),
                 "there are 1000 options; at most 256 are allowed");
}

/* A plugin of a later SDK, whose options have a field more than this host knows. */
static void a_table_with_a_larger_stride_is_read_through_it(void **state)
{
    struct later_option {
        bp_option   known;
        const char *unknown;
    } later[] = {
        { BP_OPTION_INT(struct target, number, .initial = "3", .help = "x"), "more" },
        { BP_OPTION_STRING(struct target, text, .initial = "t", .help = "x"), "more" },
    };
    struct option_table  table = { &later[0].known, sizeof(later[0]), 2 };
    struct target        target = { 0 };
    struct arena         arena;
    struct conf_problems problems;
    struct option_reader reader = { &problems, BP_STR("/") };
    struct option_refs   refs = { 0 };

    (void)state;
    assert_table(&table, sizeof(struct target), "");
    arena_init(&arena, 1 << 20);
    problems_init(&problems, &arena, "t.yaml");
    option_read(&reader, &table, NULL, NULL, &target, &refs);
    assert_int_equal(target.number, 3);
    assert_bp_str(target.text, "t");
    arena_free(&arena);
}

/* A plugin of an SDK whose options ended before is_required. */
static void a_table_with_a_smaller_stride_is_read_through_it(void **state)
{
    enum { STRIDE = offsetof(bp_option, is_required) };
    const bp_option options[] = {
        BP_OPTION_INT(struct target, number, .initial = "3", .help = "x", .is_required = true),
        BP_OPTION_STRING(struct target, text, .initial = "t", .help = "x"),
    };
    _Alignas(bp_option) char bytes[2 * STRIDE];
    struct option_table      table = { (const bp_option *)(const void *)bytes, STRIDE, 2 };

    (void)state;
    memcpy(bytes, &options[0], STRIDE);
    memcpy(bytes + STRIDE, &options[1], STRIDE);
    assert_table(&table, sizeof(struct target), "");
    assert_false(option_at(&table, 0).is_required);
    assert_string_equal(option_at(&table, 1).name, "text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_plugin_of_the_fixture_is_well_formed),
        cmocka_unit_test(the_tables_of_the_host_are_well_formed),
        cmocka_unit_test(a_bad_name_is_refused),
        cmocka_unit_test(a_field_outside_misaligned_or_shared_is_refused),
        cmocka_unit_test(a_shape_that_fits_no_type_is_refused),
        cmocka_unit_test(help_is_one_line_without_a_full_stop),
        cmocka_unit_test(defaults_and_ranges_must_parse_and_agree),
        cmocka_unit_test(a_stride_no_sdk_has_is_refused),
        cmocka_unit_test(a_table_with_a_larger_stride_is_read_through_it),
        cmocka_unit_test(a_table_with_a_smaller_stride_is_read_through_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
