/* table_order.c - in which order tables are made: by the place of their names in the migrations of
 * the apps. A table may refer to an earlier one, so they are filled in the same order. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "transfer/parts.h"

/* Where `name` stands in a text as a whole word; SIZE_MAX: it does not. */
static size_t place_of_word(const char *text, bp_str name)
{
    for (const char *at = text; (at = strchr(at, name.data[0])) != NULL; at++)
        if (strncmp(at, name.data, name.len) == 0 && !isalnum((unsigned char)at[name.len]) &&
            at[name.len] != '_' &&
            (at == text || (!isalnum((unsigned char)at[-1]) && at[-1] != '_')))
            return (size_t)(at - text);
    return SIZE_MAX;
}

/* Where a step makes the table: behind "TABLE" or "EXISTS" or, when it was renamed, "TO"; else
 * where it is named first.
 */
size_t transfer_place_in_step(const char *sql, bp_str name)
{
    size_t at = 0, first = SIZE_MAX, found;

    while ((found = place_of_word(sql + at, name)) != SIZE_MAX) {
        const char *before = sql + at + found;

        first = first == SIZE_MAX ? at + found : first;
        while (before > sql && (isspace((unsigned char)before[-1]) || before[-1] == '"'))
            before--;
        if ((before - sql >= 5 && strncasecmp(before - 5, "TABLE", 5) == 0) ||
            (before - sql >= 6 && strncasecmp(before - 6, "EXISTS", 6) == 0) ||
            (before - sql >= 2 && strncasecmp(before - 2, "TO", 2) == 0))
            return at + found;
        at += found + 1;
    }
    return first;
}

/* The place of a table in the migrations of all apps of a generation; SIZE_MAX: none of them makes
 * it. */
size_t transfer_table_order(const struct transfer *t, const struct generation *generation,
                            bp_str name)
{
    size_t before = 1;

    if (t->host_tables.table && bp_str_is(name, t->host_tables.table))
        return 0;
    for (size_t i = 0; i < generation->unit_count; i++) {
        const bp_app_ops *app = generation->units[i]->plugin->descriptor.ops;

        if (strcmp(generation->units[i]->conf->kind, "app") != 0 ||
            !BP_HAS(app, bp_app_ops, migration_count))
            continue;
        for (size_t s = 0; s < app->migration_count; s++) {
            size_t place = transfer_place_in_step(app->migrations[s].sql, name);

            if (place != SIZE_MAX)
                return before + place;
            before += strlen(app->migrations[s].sql) + 1;
        }
    }
    return SIZE_MAX;
}
