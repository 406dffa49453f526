/* records.c - the collections that were searched of late, so that a search needs no trip of its own
 * to find out what it searches. A worker's own; a table of fixed size, where a name has one place.
 */
#include "store.h"

#include <stdlib.h>

enum { STRINGS = 6 };

struct record {
    struct collection collection; /* its strings lie in `text`, one behind the other */
    size_t            text_bytes;
    char              text[];
};

static void strings_of(struct collection *collection, bp_str *strings[STRINGS])
{
    bp_str *all[STRINGS] = { &collection->name,  &collection->meta,  &collection->base,
                             &collection->epoch, &collection->model, &collection->language };

    memcpy(strings, all, sizeof(all));
}

/* Copies the strings into `text`, and lets them point there. */
static void settle(struct collection *collection, char *text)
{
    bp_str *strings[STRINGS];

    strings_of(collection, strings);
    for (size_t i = 0; i < STRINGS; i++) {
        if (strings[i]->len)
            memcpy(text, strings[i]->data, strings[i]->len);
        strings[i]->data = text;
        text += strings[i]->len;
    }
}

static size_t place_of(bp_str name)
{
    uint32_t hash = 2166136261u; // FNV-1a

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * 16777619u;
    return hash % RECORDS_MAX;
}

bool record_find(bp_call *call, const struct redis_store *store, bp_str name,
                 struct collection *collection)
{
    const struct record *record = store->records[place_of(name)];
    char                *text;

    if (!record || !bp_str_equal(record->collection.name, name))
        return false;
    text = bp_alloc(call, record->text_bytes); // others may forget it while we wait
    if (!text)
        return false;
    *collection = record->collection;
    settle(collection, text);
    return true;
}

void record_keep(struct redis_store *store, const struct collection *collection)
{
    struct collection kept = *collection;
    struct record    *record;
    bp_str           *strings[STRINGS];
    size_t            bytes = 0;

    strings_of(&kept, strings);
    for (size_t i = 0; i < STRINGS; i++)
        bytes += strings[i]->len;
    record_forget(store, collection->name);
    record = malloc(sizeof(*record) + bytes);
    if (!record)
        return; // it is read again the next time
    record->collection = kept;
    record->text_bytes = bytes;
    settle(&record->collection, record->text);
    free(store->records[place_of(collection->name)]);
    store->records[place_of(collection->name)] = record;
}

void record_forget(struct redis_store *store, bp_str name)
{
    size_t place = place_of(name);

    if (store->records[place] && bp_str_equal(store->records[place]->collection.name, name)) {
        free(store->records[place]);
        store->records[place] = NULL;
    }
}
