/* migrate_report.c - the report of a move, as a table or as JSON on standard output. */
#include <stdio.h>

#include "base/json.h"
#include "cli/migrate_report.h"

enum { REPORT_BYTES_MAX = 64 << 20, NOTES_MAX = 1000 };

static const char *const kinds[] = { "table", "collection", "budgets" };

void migrate_report_note(struct migrate_report *report, const char *sentence)
{
    struct arena *arena = &report->transfer->arena;
    char          text[TRANSFER_NOTE_BYTES];

    if (!report->notes)
        report->notes = arena_alloc(arena, NOTES_MAX * sizeof(*report->notes));
    if (report->note_count == NOTES_MAX - 1) {
        snprintf(text, sizeof(text), "a report holds at most %d notes; the others are left out",
                 NOTES_MAX);
        sentence = text;
    }
    if (report->notes && report->note_count < NOTES_MAX)
        report->notes[report->note_count++] = arena_dup(arena, bp_str_of(sentence)).data;
}

static const char *outcome(const struct transfer_item *item)
{
    return !item->is_compared ? "not compared" : item->is_equal ? "equal" : "DIFFERS";
}

static void print_table(const struct migrate_report *report)
{
    const struct transfer *t = report->transfer;

    printf("%-10s %-40s %10s %10s %10s  %-13s %s\n", "KIND", "WHAT", "SOURCE", "TARGET", "MOVED",
           "", "CHECKSUM");
    for (const struct transfer_item *item = t->items; item; item = item->next) {
        char text[TRANSFER_DIGEST_CHARS + 1];

        transfer_digest_text(&item->digests[1], text);
        printf("%-10s %-40s %10lld %10lld %10lld  %-13s %.16s\n", kinds[item->kind],
               item->label.data, (long long)item->digests[0].count,
               (long long)item->digests[1].count, (long long)item->moved_now, outcome(item),
               item->is_compared ? text : "-");
    }
    for (const struct transfer_item *item = t->items; item; item = item->next)
        if (item->difference.len)
            printf("difference: %s: %s\n", item->label.data, item->difference.data);
    for (size_t i = 0; i < report->note_count; i++)
        printf("note: %s\n", report->notes[i]);
}

static void put_item(bp_json_writer *w, const struct transfer_item *item)
{
    char source[TRANSFER_DIGEST_CHARS + 1], target[TRANSFER_DIGEST_CHARS + 1];

    transfer_digest_text(&item->digests[0], source);
    transfer_digest_text(&item->digests[1], target);
    json_begin(w, JSON_KIND_OBJECT);
    json_put_text(w, "kind", kinds[item->kind]);
    json_key(w, BP_STR("from"));
    json_add_string(w, item->pair->from_name);
    json_key(w, BP_STR("to"));
    json_add_string(w, item->pair->to_name);
    json_put_string(w, "name", item->name);
    json_put_integer(w, "moved", item->moved_now);
    if (item->moved_now)
        json_put_number(w, "copying_seconds", (double)item->copied_ns / 1e9);
    if (item->is_compared) {
        json_put_integer(w, "source_count", item->digests[0].count);
        json_put_integer(w, "target_count", item->digests[1].count);
        json_put_text(w, "source_checksum", source);
        json_put_text(w, "target_checksum", target);
        json_put_bool(w, "is_equal", item->is_equal);
    }
    if (item->kind == TRANSFER_COLLECTION && item->is_compared && item->deviation < 1)
        json_put_number(w, "vector_deviation", item->deviation);
    if (item->difference.len)
        json_put_string(w, "difference", item->difference);
    json_end(w);
}

static void print_json(const struct migrate_report *report)
{
    struct transfer *t = report->transfer;
    double           seconds = (double)t->copied_ns / 1e9;
    struct bp_buf    buf;
    bp_json_writer   w;

    buf_init(&buf, &t->arena, REPORT_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "from", t->from.file);
    json_put_text(&w, "to", t->to.file);
    json_put_bool(&w, "is_equal", !t->has_difference);
    json_put_bool(&w, "was_done_before", t->was_done_before);
    json_put_number(&w, "copying_seconds", seconds);
    json_key(&w, BP_STR("items"));
    json_begin(&w, JSON_KIND_ARRAY);
    for (const struct transfer_item *item = t->items; item; item = item->next)
        put_item(&w, item);
    json_end(&w);
    json_key(&w, BP_STR("notes"));
    json_begin(&w, JSON_KIND_ARRAY);
    for (size_t i = 0; i < report->note_count; i++)
        json_add_string(&w, bp_str_of(report->notes[i]));
    json_end(&w);
    json_end(&w);
    printf("%s\n", buf_str(&buf).data);
}

void migrate_report_print(struct migrate_report *report)
{
    const struct transfer *t = report->transfer;

    if (report->is_json) {
        print_json(report);
        return;
    }
    print_table(report);
    if (t->has_difference)
        printf("%s and %s differ\n", t->from.file, t->to.file);
    else
        printf("%s\n", t->is_verify_only ? "both sides are equal"
                       : t->was_done_before
                           ? "everything had been moved before; both sides are equal"
                           : "everything was moved; both sides are equal");
}
