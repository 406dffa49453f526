/* test_event_reader.c - server-sent events, in one piece and split at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "net/event_reader.h"

/* All events of `text` as "type|id|data;", fed in pieces of at most `piece` bytes. */
static bp_status read_all(bp_str text, size_t first, size_t piece, size_t max_bytes, char *out,
                          size_t size)
{
    struct event_reader reader;
    bp_status           status = BP_OK;
    size_t              len = 0;

    out[0] = '\0';
    event_reader_init(&reader);
    for (size_t at = 0, take = first; at < text.len && status == BP_OK; at += take, take = piece) {
        bp_str input;
        bool   is_complete;

        if (take > text.len - at)
            take = text.len - at;
        input = bp_str_n(text.data + at, take);
        while (input.len && status == BP_OK) {
            status = event_reader_feed(&reader, max_bytes, &input, &is_complete);
            if (status == BP_OK && is_complete)
                len += (size_t)snprintf(out + len, size - len, BP_FMT "|" BP_FMT "|" BP_FMT ";",
                                        BP_ARG(buf_str(&reader.type)), BP_ARG(buf_str(&reader.id)),
                                        BP_ARG(buf_str(&reader.data)));
        }
    }
    event_reader_free(&reader);
    return status;
}

static const struct {
    const char *text, *events;
} cases[] = {
    { "data: a\n\n", "||a;" },
    { "data:a\r\n\r\ndata: b\r\rdata:  c\n\n", "||a;||b;|| c;" },
    { "\xEF\xBB\xBF"
      "data: bom\n\n",
      "||bom;" },
    { ": a comment\n\nevent: x\n\ndata: y\n\n", "||y;" },
    { "event: add\ndata: 1\ndata\ndata: 3\n\n", "add||1\n\n3;" },
    { "id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", "|7|a;|7|b;||c;" },
    { "retry: 10\nunknown: x\ndata: {\"a\":1}\n\n", "||{\"a\":1};" },
    { "data: not complete\n", "" },
    { "data: [DONE]\n\n", "||[DONE];" },
    { "event: e1\r\ndata: x\r\n\r\nevent: e2\r\ndata: y\r\n\r\n", "e1||x;e2||y;" },
    { "data:\n\ndata: z\n\n", "||z;" },
};

static void events_are_read_as_the_standard_says(void **state)
{
    char out[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_all(bp_str_of(cases[i].text), SIZE_MAX, SIZE_MAX, 1024, out,
                                  sizeof(out)),
                         BP_OK);
        assert_string_equal(out, cases[i].events);
    }
}

static void a_split_at_any_byte_changes_nothing(void **state)
{
    char out[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (size_t first = 1; first <= strlen(cases[i].text); first++)
            for (size_t piece = 1; piece < 4; piece++) {
                assert_int_equal(read_all(bp_str_of(cases[i].text), first, piece, 1024, out,
                                          sizeof(out)),
                                 BP_OK);
                assert_string_equal(out, cases[i].events);
            }
}

static void an_event_above_the_maximum_is_refused(void **state)
{
    char out[256];

    (void)state;
    assert_int_equal(read_all(BP_STR("data: 0123456789\n\n"), SIZE_MAX, SIZE_MAX, 16, out,
                              sizeof(out)),
                     BP_OK);
    assert_int_equal(read_all(BP_STR("data: 0123456789\n\n"), SIZE_MAX, SIZE_MAX, 15, out,
                              sizeof(out)),
                     BP_TOO_LARGE);
    assert_int_equal(read_all(BP_STR("data: 0123456789\n\n"), 1, 1, 15, out, sizeof(out)),
                     BP_TOO_LARGE);
    assert_int_equal(read_all(BP_STR("data: 01234\ndata: 01234\n\n"), 1, 1, 15, out, sizeof(out)),
                     BP_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_read_as_the_standard_says),
        cmocka_unit_test(a_split_at_any_byte_changes_nothing),
        cmocka_unit_test(an_event_above_the_maximum_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
