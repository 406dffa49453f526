/* sentence.h - a passage as the units that can be quoted: sentences, list items, lines of code. */
#ifndef LLM_EXTRACTIVE_SENTENCE_H
#define LLM_EXTRACTIVE_SENTENCE_H

#include <backplane/base.h>

typedef enum sentence_kind {
    SENTENCE_PROSE = 0,
    SENTENCE_ITEM = 1, /* of a list or table: without its marker */
    SENTENCE_CODE = 2, /* a line between ``` fences, as it is */
    SENTENCE_HEADING = 3
} sentence_kind;

struct sentence {
    bp_str        text; /* part of the passage; lines of prose may hold line breaks */
    sentence_kind kind;
};

/* The next unit at or behind *cursor, which starts as {0}; false at the end. */
struct sentence_cursor {
    size_t at;
    bool   is_in_code;
};
bool sentence_next(bp_str passage, struct sentence_cursor *cursor, struct sentence *sentence);

#endif
