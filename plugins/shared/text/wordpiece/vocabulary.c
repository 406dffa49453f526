/* vocabulary.c - a hash table from the text of a piece to its number. */
#include "vocabulary.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_AT_FIRST = 1 << 16, TEXTS_AT_FIRST = 1 << 18, PIECE_BYTES_MAX = 1024 };

void wordpiece_free(struct wordpiece *pieces)
{
    if (!pieces)
        return;
    free(pieces->slots);
    free(pieces->texts);
    free(pieces);
}

static uint32_t hash_of(const char *text, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)(hash ^ hash >> 32);
}

static struct slot *slot_of(const struct wordpiece *pieces, const char *text, size_t len,
                            uint32_t hash)
{
    size_t at = hash & (pieces->slot_count - 1);

    for (;; at = (at + 1) & (pieces->slot_count - 1)) {
        struct slot *slot = &pieces->slots[at];
        if (!slot->len || (slot->hash == hash && slot->len == len &&
                           memcmp(pieces->texts + slot->at, text, len) == 0))
            return slot;
    }
}

static bool grow_slots(struct wordpiece *pieces)
{
    struct wordpiece bigger = *pieces;

    bigger.slot_count = pieces->slot_count ? pieces->slot_count * 2 : SLOTS_AT_FIRST;
    bigger.slots = calloc(bigger.slot_count, sizeof(*bigger.slots));
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < pieces->slot_count; i++) {
        const struct slot *slot = &pieces->slots[i];
        if (slot->len)
            *slot_of(&bigger, pieces->texts + slot->at, slot->len, slot->hash) = *slot;
    }
    free(pieces->slots);
    *pieces = bigger;
    return true;
}

static bool keep_text(struct wordpiece *pieces, const char *text, size_t len)
{
    if (pieces->texts_len + len > pieces->texts_size) {
        size_t size = pieces->texts_size ? pieces->texts_size * 2 : TEXTS_AT_FIRST;
        char  *grown = size > UINT32_MAX ? NULL : realloc(pieces->texts, size);
        if (!grown)
            return false;
        pieces->texts = grown;
        pieces->texts_size = size;
    }
    memcpy(pieces->texts + pieces->texts_len, text, len);
    pieces->texts_len += len;
    return true;
}

bool wordpiece_add(struct wordpiece *pieces, const char *text, size_t len, int32_t number)
{
    uint32_t     hash = hash_of(text, len);
    struct slot *slot;

    if (!len || len > PIECE_BYTES_MAX)
        return true; // no word can ever hold it
    if (pieces->count * 2 >= pieces->slot_count && !grow_slots(pieces))
        return false;
    slot = slot_of(pieces, text, len, hash);
    if (!slot->len) {
        size_t at = pieces->texts_len;
        if (!keep_text(pieces, text, len))
            return false;
        *slot = (struct slot){ hash, (uint32_t)at, (uint32_t)len, number };
        pieces->count++;
        if (len > pieces->longest)
            pieces->longest = len;
    }
    slot->number = number;
    return true;
}

int32_t wordpiece_number(const struct wordpiece *pieces, const char *text, size_t len)
{
    const struct slot *slot = pieces->count && len ? slot_of(pieces, text, len, hash_of(text, len))
                                                   : NULL;

    return slot && slot->len ? slot->number : -1;
}

bool wordpiece_add_special(struct wordpiece *pieces, const char *text, size_t len, int32_t number)
{
    struct special *special = &pieces->specials[pieces->special_count];

    if (!len || len > SPECIAL_BYTES_MAX || pieces->special_count == SPECIALS_MAX)
        return false;
    memcpy(special->text, text, len);
    special->len = len;
    special->number = number;
    pieces->special_starts[(unsigned char)text[0]] = true;
    pieces->special_count++;
    return true;
}

static bool find(const struct wordpiece *pieces, const char *one, const char *other,
                 int32_t *number)
{
    *number = wordpiece_number(pieces, one, strlen(one));
    if (*number < 0)
        *number = wordpiece_number(pieces, other, strlen(other));
    return *number >= 0;
}

const char *wordpiece_finish(struct wordpiece *pieces)
{
    if (!find(pieces, "[CLS]", "<s>", &pieces->begin))
        return "[CLS]";
    if (!find(pieces, "[SEP]", "</s>", &pieces->end))
        return "[SEP]";
    if (!find(pieces, "[UNK]", "<unk>", &pieces->unknown))
        return "[UNK]";
    if (!find(pieces, "[PAD]", "<pad>", &pieces->pad))
        return "[PAD]";
    return NULL;
}

size_t wordpiece_count(const struct wordpiece *pieces)
{
    return pieces->count;
}
int32_t wordpiece_pad(const struct wordpiece *pieces)
{
    return pieces->pad;
}
