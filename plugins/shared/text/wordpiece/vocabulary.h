/* vocabulary.h - how the pieces of a vocabulary lie in memory: for the files of this folder only.
 */
#ifndef WORDPIECE_VOCABULARY_H
#define WORDPIECE_VOCABULARY_H

#include "wordpiece.h"

enum { SPECIALS_MAX = 32, SPECIAL_BYTES_MAX = 64 };

struct special {
    char    text[SPECIAL_BYTES_MAX];
    size_t  len;
    int32_t number;
};

/* Open addressing; texts lie one behind the other in `texts`. */
struct slot {
    uint32_t hash;
    uint32_t at, len; /* len 0: free */
    int32_t  number;
};

struct wordpiece {
    struct wordpiece_rules rules;
    size_t                 continuation_len;
    struct slot           *slots;
    size_t                 slot_count, count; /* slot_count is a power of two */
    char                  *texts;
    size_t                 texts_len, texts_size, longest;
    struct special         specials[SPECIALS_MAX];
    size_t                 special_count;
    bool                   special_starts[256];
    int32_t                begin, end, unknown, pad;
};

#endif
