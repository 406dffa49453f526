/* test_reports.c - what `migrate` and `conform` print of what they found: migrate_report.c and
 * conform_report.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/conform_report.h"
#include "cli/migrate_report.h"
#include "../../../lib/caught.h"
#include "version.h"

static struct transfer_pair moved_pair = { .kind = "storage" };
static struct transfer_item items[4];

/* The same byte in all places: whatever the order of bytes in a number is. */
#define BYTES(n) (0x0101010101010101ull * (n))

/* One item of each outcome; t is initialised. */
static void make_items(struct transfer *t)
{
    moved_pair.from_name = BP_STR("main");
    moved_pair.to_name = BP_STR("other");
    for (size_t i = 0; i < 4; i++)
        items[i] = (struct transfer_item){ .next = i < 3 ? &items[i + 1] : NULL,
                                           .pair = &moved_pair,
                                           .moved_now = (int64_t)i,
                                           .copied_ns = 1500000000,
                                           .deviation = 0.25 };
    items[0].kind = TRANSFER_TABLE;
    items[0].name = BP_STR("people");
    items[0].label = BP_STR("storage.main people");
    items[0].is_compared = items[0].is_equal = true;
    items[0].digests[0] = (struct transfer_digest){ { BYTES(1), BYTES(2), BYTES(3), BYTES(4) },
                                                    10 };
    items[0].digests[1] = (struct transfer_digest){ { BYTES(5), BYTES(6), BYTES(7), BYTES(8) },
                                                    11 };
    items[1].kind = TRANSFER_COLLECTION;
    items[1].name = BP_STR("docs");
    items[1].label = BP_STR("vector.docs docs");
    items[1].is_compared = true;
    items[1].digests[0].count = 3;
    items[1].difference = BP_STR("three are missing");
    items[2].kind = TRANSFER_BUDGETS;
    items[2].name = BP_STR("budgets");
    items[2].label = BP_STR("cache.main budgets");
    items[3].kind = TRANSFER_COLLECTION;
    items[3].name = BP_STR("far");
    items[3].label = BP_STR("vector.docs far");
    items[3].is_compared = items[3].is_equal = true;
    items[3].deviation = 1;
    t->items = &items[0];
    t->from.file = "a.yaml";
    t->to.file = "b.yaml";
    t->copied_ns = 2500000000;
}

static const char *printed(struct migrate_report *report)
{
    caught_begin(stdout);
    migrate_report_print(report);
    return caught_end(stdout);
}

#define DIGEST_A "0505050505050505060606060606060607070707070707070808080808080808"
#define DIGEST_S "0101010101010101020202020202020203030303030303030404040404040404"
#define DIGEST_0 "0000000000000000000000000000000000000000000000000000000000000000"
#define TABLE                                                                                      \
    "KIND       WHAT                                         SOURCE     TARGET      MOVED        " \
    "        CHECKSUM\n"                                                                           \
    "table      storage.main people                              10         11          0  equal"  \
    "         0505050505050505\n"                                                                  \
    "collection vector.docs docs                                  3          0          1  "       \
    "DIFFERS       0000000000000000\n"                                                             \
    "budgets    cache.main budgets                                0          0          2  not "   \
    "compared  -\n"                                                                                \
    "collection vector.docs far                                   0          0          3  equal"  \
    "         0000000000000000\n"                                                                  \
    "difference: vector.docs docs: three are missing\n"                                            \
    "note: one\nnote: two\n"

static void a_move_is_told_as_a_table(void **state)
{
    struct transfer       t;
    struct migrate_report report = { .transfer = &t };

    (void)state;
    transfer_init(&t);
    make_items(&t);
    migrate_report_note(&report, "one");
    migrate_report_note(&report, "two");
    assert_string_equal(printed(&report), TABLE "everything was moved; both sides are equal\n");
    t.was_done_before = true;
    assert_string_equal(printed(&report),
                        TABLE "everything had been moved before; both sides are equal\n");
    t.is_verify_only = true;
    assert_string_equal(printed(&report), TABLE "both sides are equal\n");
    t.has_difference = true;
    assert_string_equal(printed(&report), TABLE "a.yaml and b.yaml differ\n");
    t.items = NULL;
    transfer_free(&t);
}

static void a_move_is_told_as_json(void **state)
{
    struct transfer       t;
    struct migrate_report report = { .transfer = &t, .is_json = true };

    (void)state;
    transfer_init(&t);
    make_items(&t);
    t.has_difference = true;
    migrate_report_note(&report, "one");
    assert_string_equal(
        printed(&report),
        "{\"from\":\"a.yaml\",\"to\":\"b.yaml\",\"is_equal\":false,\"was_done_before\":false,"
        "\"copying_seconds\":2.5,\"items\":["
        "{\"kind\":\"table\",\"from\":\"main\",\"to\":\"other\",\"name\":\"people\",\"moved\":0,"
        "\"source_count\":10,\"target_count\":11,\"source_checksum\":\"" DIGEST_S "\","
        "\"target_checksum\":\"" DIGEST_A "\",\"is_equal\":true},"
        "{\"kind\":\"collection\",\"from\":\"main\",\"to\":\"other\",\"name\":\"docs\",\"moved\":1,"
        "\"copying_seconds\":1.5,\"source_count\":3,\"target_count\":0,"
        "\"source_checksum\":\"" DIGEST_0 "\",\"target_checksum\":\"" DIGEST_0 "\","
        "\"is_equal\":false,\"vector_deviation\":0.25,\"difference\":\"three are missing\"},"
        "{\"kind\":\"budgets\",\"from\":\"main\",\"to\":\"other\",\"name\":\"budgets\",\"moved\":2,"
        "\"copying_seconds\":1.5},"
        "{\"kind\":\"collection\",\"from\":\"main\",\"to\":\"other\",\"name\":\"far\",\"moved\":3,"
        "\"copying_seconds\":1.5,\"source_count\":0,\"target_count\":0,"
        "\"source_checksum\":\"" DIGEST_0 "\",\"target_checksum\":\"" DIGEST_0 "\","
        "\"is_equal\":true}],\"notes\":[\"one\"]}\n");
    t.has_difference = false;
    t.was_done_before = true;
    t.copied_ns = 0;
    t.items = NULL;
    report.note_count = 0;
    assert_string_equal(printed(&report), "{\"from\":\"a.yaml\",\"to\":\"b.yaml\",\"is_equal\":"
                                          "true,\"was_done_before\":true,"
                                          "\"copying_seconds\":0,\"items\":[],\"notes\":[]}\n");
    transfer_free(&t);
}

static void more_notes_than_fit_are_told_by_the_last_one(void **state)
{
    struct transfer       t;
    struct migrate_report report = { .transfer = &t };
    char                  text[32];

    (void)state;
    transfer_init(&t);
    for (int i = 1; i <= 1005; i++) {
        snprintf(text, sizeof(text), "note %d", i);
        migrate_report_note(&report, text);
        assert_int_equal(report.note_count, i < 1000 ? i : 1000);
    }
    assert_string_equal(report.notes[0], "note 1");
    assert_string_equal(report.notes[998], "note 999");
    assert_string_equal(report.notes[999],
                        "a report holds at most 1000 notes; the others are left out");
    transfer_free(&t);
}

static struct contract_report *contract(void)
{
    struct contract_report *report = calloc(1, sizeof(*report));
    struct contract_row    *row;

    assert_non_null(report);
    strcpy(report->kind, "cache");
    strcpy(report->name, "memory");
    strcpy(report->version, "1.2.3");
    report->kind_version = 4;
    report->workers = 3;
    contract_report_add(report, "it keeps")->outcome = CONTRACT_HOLDS;
    row = contract_report_add(report, "it gives");
    row->outcome = CONTRACT_FAILS;
    row->seconds = 0.5;
    strcpy(row->detail, "a|b\nc d\x1f");
    contract_report_add(report, "it counts")->outcome = CONTRACT_SKIPPED;
    contract_report_add(report, "it ends")->outcome = CONTRACT_SKIPPED;
    strcpy(report->rows[3].detail, "none");
    contract_report_add(report, "a")->outcome = CONTRACT_HOLDS;
    contract_report_add(report, "b")->outcome = CONTRACT_HOLDS;
    return report;
}

static void a_contract_is_told_as_a_table_and_as_json(void **state)
{
    struct contract_report *report = contract();

    (void)state;
    caught_begin(stdout);
    conform_report_print(report, false);
    assert_string_equal(caught_end(stdout),
                        "| cache/memory 1.2.3 against the contract of cache 4 | |\n"
                        "|---|---|\n"
                        "| it keeps | holds |\n"
                        "| it gives | fails: a\\|b c d  |\n"
                        "| it counts | skipped |\n"
                        "| it ends | skipped: none |\n"
                        "| a | holds |\n"
                        "| b | holds |\n"
                        "\n3 hold, 1 fail, 2 skipped; Backplane " BACKPLANE_VERSION
                        ", 3 workers\n");
    report->count = 4;
    caught_begin(stdout);
    conform_report_print(report, true);
    assert_string_equal(
        caught_end(stdout),
        "{\"kind\":\"cache\",\"name\":\"memory\",\"version\":\"1.2.3\",\"kind_version\":4,"
        "\"cases\":[{\"sentence\":\"it "
        "keeps\",\"outcome\":\"holds\",\"detail\":\"\",\"seconds\":0},"
        "{\"sentence\":\"it gives\",\"outcome\":\"fails\",\"detail\":\"a|b\\nc d\\u001f\","
        "\"seconds\":0.5},"
        "{\"sentence\":\"it counts\",\"outcome\":\"skipped\",\"detail\":\"\",\"seconds\":0},"
        "{\"sentence\":\"it ends\",\"outcome\":\"skipped\",\"detail\":\"none\",\"seconds\":0}],"
        "\"fails\":1}\n");
    free(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_move_is_told_as_a_table),
        cmocka_unit_test(a_move_is_told_as_json),
        cmocka_unit_test(more_notes_than_fit_are_told_by_the_last_one),
        cmocka_unit_test(a_contract_is_told_as_a_table_and_as_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
