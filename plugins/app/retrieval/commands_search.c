/* commands_search.c - `backplane search`: asks a collection and prints what it found. */
#include "commands.h"

#include <stdlib.h>

enum { SHOWN_BYTES = 240 };

static void add_text(bp_buf *out, bp_str text)
{
    size_t shown = 0;

    while (shown < text.len &&
           (shown < SHOWN_BYTES || ((unsigned char)text.data[shown] & 0xC0) == 0x80))
        shown++;
    for (size_t i = 0; i < shown; i++)
        bp_buf_add(out, text.data[i] == '\n' || text.data[i] == '\r' ? BP_STR(" ")
                                                                     : bp_str_n(text.data + i, 1));
    if (shown < text.len)
        bp_buf_add(out, BP_STR(" ..."));
}

static bp_status print_hit(bp_call *call, bp_command_run *run, bp_buf *out, size_t place,
                           const struct search_hit *hit)
{
    bp_buf_reset(out);
    bp_buf_addf(out, "%2zu. %.4f  ", place, hit->score);
    bp_buf_add(out, hit->document);
    if (hit->title.len)
        bp_buf_add(out, BP_STR("  "));
    bp_buf_add(out, hit->title);
    if (hit->heading.len)
        bp_buf_add(out, BP_STR("  > "));
    bp_buf_add(out, hit->heading);
    bp_buf_add(out, BP_STR("\n    "));
    add_text(out, hit->text);
    bp_buf_add(out, BP_STR("\n"));
    return bp_command_print(call, run, bp_buf_str(out));
}

static bp_status print_json(bp_call *call, bp_command_run *run, const struct collection *collection,
                            const struct search_query *query, const struct search_result *result,
                            int64_t started_ns)
{
    bp_json_writer *w = bp_json_writer_new(call, 64 << 20);
    bp_str          json;

    search_write(w, collection, query, result, started_ns);
    BP_TRY(bp_json_done(call, w, &json));
    BP_TRY(bp_command_print(call, run, json));
    return bp_command_print(call, run, BP_STR("\n"));
}

/* A whole number that is not below 0; larger ones than any limit are one. */
static bool read_limit(bp_str text, uint32_t *limit)
{
    char *end;
    long  number = strtol(text.data, &end, 10);

    *limit = number < 0 ? 0 : number > INT32_MAX ? INT32_MAX : (uint32_t)number;
    return text.len && (text.data[0] == '-' || (text.data[0] >= '0' && text.data[0] <= '9')) &&
           *end == '\0';
}

bp_status search_command(bp_call *call, void *instance, bp_command_run *run)
{
    int64_t              started_ns = bp_now_ns();
    struct search_query  query = search_query_of(instance, bp_command_word(run, 0), 10);
    struct collection    collection;
    struct search_result result;
    bp_buf              *out = bp_buf_new(call, 1 << 20);

    if (!read_limit(bp_command_option_value(run, "limit"), &query.limit))
        return bp_command_refuse(call, run, BP_STR(""));
    BP_TRY(search_named(call, instance, bp_command_option_value(run, "collection"), &query,
                        &collection, &result));
    if (bp_command_is_set(run, "json"))
        return print_json(call, run, &collection, &query, &result, started_ns);
    for (size_t i = 0; i < result.count; i++)
        BP_TRY(print_hit(call, run, out, i + 1, &result.hits[i]));
    return result.count ? BP_OK : bp_command_print(call, run, BP_STR("no hits\n"));
}
