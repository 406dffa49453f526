/* wordpiece.h - cuts text into the numbers that BERT-class models read, as their reference
 * tokenizer does.
 *
 *      "Caching, naïvely" -> clean    control characters go, every blank is a space, CJK characters stand alone
 *                         -> letters  lower case, accents off: caching, naively
 *                         -> words    split at blanks and around punctuation: caching | , | naively
 *                         -> pieces   longest first, from the vocabulary: caching | , | naive ##ly
 *                         -> numbers  [CLS] 6187 1010 15743 2135 [SEP]
 *
 * A word without pieces, or of more than 100 characters, is [UNK]. Text is worked off character by
 * character and stops when enough numbers are there, so a text of any size takes no memory. Knows
 * nothing of the host: the fuzzer and the tests use it as it is.
 */
#ifndef WORDPIECE_H
#define WORDPIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wordpiece; /* a vocabulary and how to use it; read-only, hence for any thread, once
                     wordpiece_finish() has run */

struct wordpiece_rules {
    bool     keeps_control; /* control characters stay */
    bool     joins_cjk;     /* CJK characters do not stand alone */
    bool     keeps_accents;
    bool     keeps_case;
    uint32_t max_word_chars;   /* 0: 100 */
    char     continuation[16]; /* before a piece that is not a word's first; empty: "##" */
};

/* NULL without memory. */
struct wordpiece *wordpiece_new(const struct wordpiece_rules *rules);
void              wordpiece_free(struct wordpiece *pieces);

/* A piece and its number, 0 to 2^31 - 1; the latter of two with the same text counts. False without
 * memory. */
bool wordpiece_add(struct wordpiece *pieces, const char *text, size_t len, int32_t number);

/* A text that is this one number wherever it stands, before anything else is looked at ("[MASK]");
 * up to 32 of them. False when there are more. */
bool wordpiece_add_special(struct wordpiece *pieces, const char *text, size_t len, int32_t number);

/* The number of a piece; -1: not there. */
int32_t wordpiece_number(const struct wordpiece *pieces, const char *text, size_t len);

/* Finds [CLS], [SEP], [UNK] and [PAD] (or <s>, </s>, <unk>, <pad>). NULL, or the part that is
 * missing. */
const char *wordpiece_finish(struct wordpiece *pieces);

size_t  wordpiece_count(const struct wordpiece *pieces);
int32_t wordpiece_pad(const struct wordpiece *pieces);

/* Writes up to `max` (at least 2) numbers, the first that of [CLS], the last that of [SEP]; returns
 * how many. Bytes that are not UTF-8 count as U+FFFD, which is dropped. */
size_t wordpiece_encode(const struct wordpiece *pieces, const char *text, size_t len,
                        int32_t *numbers, size_t max);

#endif
