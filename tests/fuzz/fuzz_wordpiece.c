/* fuzz_wordpiece.c - no text leads the tokenizer astray: frame, numbers and length hold, and a cut
 * is a cut. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wordpiece/wordpiece.h"

enum { MOST = 64, PIECES = 17 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wordpiece *made(unsigned rules)
{
    static const char *const pieces[PIECES] = {
        "[PAD]", "[UNK]", "[CLS]", "[SEP]",        "[MASK]", "a",   "b",          "##a", "##b",
        "ab",    "##ab",  ".",     "\xe4\xb8\xad", "e",      "##e", "##\xcc\x81", "i"
    };
    struct wordpiece_rules set = { .keeps_control = rules & 1,
                                   .joins_cjk = rules & 2,
                                   .keeps_accents = rules & 4,
                                   .keeps_case = rules & 8,
                                   .max_word_chars = rules & 16 ? 3 : 0 };
    struct wordpiece      *one = wordpiece_new(&set);

    for (int32_t i = 0; i < PIECES; i++)
        wordpiece_add(one, pieces[i], strlen(pieces[i]), i);
    for (int32_t i = 0; i < 5; i++)
        wordpiece_add_special(one, pieces[i], strlen(pieces[i]), i);
    return wordpiece_finish(one) ? abort(), NULL : one;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wordpiece *vocabularies[32];
    const struct wordpiece  *pieces;
    int32_t                  all[MOST], some[MOST];
    size_t                   count, cut;

    if (size < 2)
        return 0;
    if (!vocabularies[data[0] & 31])
        vocabularies[data[0] & 31] = made(data[0] & 31);
    pieces = vocabularies[data[0] & 31];
    cut = 2 + data[1] % (MOST - 2);
    count = wordpiece_encode(pieces, (const char *)data + 2, size - 2, all, MOST);
    if (count < 2 || count > MOST || all[0] != 2 || all[count - 1] != 3)
        abort();
    for (size_t i = 0; i < count; i++)
        if (all[i] < 0 || all[i] >= PIECES)
            abort();
    cut = wordpiece_encode(pieces, (const char *)data + 2, size - 2, some, cut);
    if (cut > count || some[cut - 1] != 3 || memcmp(all, some, (cut - 1) * sizeof(*all)) != 0)
        abort();
    return 0;
}
