/* migrate_report.c - what a move did and found, as a table or as JSON on standard output. */
#include <stdio.h>

#include "base/clock.h"
#include "cli/migrate.h"

enum { REPORT_BYTES_MAX = 64 << 20 };

static const char *const kinds[] = { "table", "collection", "budgets" };

static const char *outcome(const struct migrate_item *item)
{
    return !item->is_compared ? "not compared" : item->is_equal ? "equal" : "DIFFERS";
}

static void print_table(const struct migration *m)
{
    printf("%-10s %-40s %10s %10s %10s  %-13s %s\n", "KIND", "WHAT", "SOURCE", "TARGET", "MOVED",
           "", "CHECKSUM");
    for (const struct migrate_item *item = m->items; item; item = item->next) {
        char text[MIGRATE_DIGEST_CHARS + 1];

        digest_text(&item->digests[1], text);
        printf("%-10s %-40s %10lld %10lld %10lld  %-13s %.16s\n", kinds[item->kind],
               item->label.data, (long long)item->digests[0].count,
               (long long)item->digests[1].count, (long long)item->moved_now, outcome(item),
               item->is_compared ? text : "-");
    }
    for (const struct migrate_item *item = m->items; item; item = item->next)
        if (item->difference.len)
            printf("difference: %s: %s\n", item->label.data, item->difference.data);
    for (size_t i = 0; i < m->note_count; i++)
        printf("note: %s\n", m->notes[i]);
}

static void put_item(bp_json_writer *w, const struct migrate_item *item)
{
    char source[MIGRATE_DIGEST_CHARS + 1], target[MIGRATE_DIGEST_CHARS + 1];

    digest_text(&item->digests[0], source);
    digest_text(&item->digests[1], target);
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
    if (item->kind == ITEM_COLLECTION && item->is_compared && item->deviation < 1)
        json_put_number(w, "vector_deviation", item->deviation);
    if (item->difference.len)
        json_put_string(w, "difference", item->difference);
    json_end(w);
}

static void print_json(struct migration *m)
{
    double         seconds = (double)m->copied_ns / 1e9;
    struct bp_buf  buf;
    bp_json_writer w;

    buf_init(&buf, &m->arena, REPORT_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "from", m->from_file);
    json_put_text(&w, "to", m->to_file);
    json_put_bool(&w, "is_equal", !m->has_difference);
    json_put_bool(&w, "was_done_before", m->was_done_before);
    json_put_number(&w, "copying_seconds", seconds);
    json_key(&w, BP_STR("items"));
    json_begin(&w, JSON_KIND_ARRAY);
    for (const struct migrate_item *item = m->items; item; item = item->next)
        put_item(&w, item);
    json_end(&w);
    json_key(&w, BP_STR("notes"));
    json_begin(&w, JSON_KIND_ARRAY);
    for (size_t i = 0; i < m->note_count; i++)
        json_add_string(&w, bp_str_of(m->notes[i]));
    json_end(&w);
    json_end(&w);
    printf("%s\n", buf_str(&buf).data);
}

void migrate_report(struct migration *m)
{
    if (m->is_json) {
        print_json(m);
        return;
    }
    print_table(m);
    if (m->has_difference)
        printf("%s and %s differ\n", m->from_file, m->to_file);
    else
        printf("%s\n", m->is_verify_only ? "both sides are equal"
                       : m->was_done_before
                           ? "everything had been moved before; both sides are equal"
                           : "everything was moved; both sides are equal");
}
