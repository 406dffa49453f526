/* terms.h - text as terms: words in lower case without accents, their stems, and the words that say
 * nothing. */
#ifndef TERMS_H
#define TERMS_H

#include <backplane/base.h>

enum { TERM_BYTES_MAX = 64 };

/* A word as it is compared: lower case, accents of Latin letters taken off, cut at 64 bytes. */
struct term {
    char     text[TERM_BYTES_MAX + 1];
    uint32_t len;
    size_t   begin, end;  /* where it stands in the text, in bytes */
    bool     is_unspaced; /* one character of a script that puts no blanks between words */
};

/* The next word at or behind *cursor, which starts at 0; false at the end. Bytes that are not UTF-8
 * are skipped. */
bool terms_next(bp_str text, size_t *cursor, struct term *term);

/* Takes the commonest English endings off: plural, -ing, -ed, -ly. Light on purpose: words stay
 * words. */
void terms_stem(struct term *term);

/* English words that say nothing about a subject. `word` is in lower case. */
bool terms_is_stop_word(bp_str word);
/* Words of questions that say nothing about their subject either: "explain", "mean", "tell". */
bool terms_is_question_word(bp_str word);

#endif
