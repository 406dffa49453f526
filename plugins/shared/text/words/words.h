/* words.h - from the plain words of a query to an FTS5 expression that cannot be a syntax error. */
#ifndef SHARED_WORDS_H
#define SHARED_WORDS_H

#include <backplane/call.h>

enum { WORDS_TERMS_MAX = 512, WORDS_TIMES_MAX = 16 };

typedef enum words_tokenizer {
    WORDS_STEMMED = 0, /* English */
    WORDS_PLAIN = 1,
    WORDS_TRIGRAMS = 2 /* languages that put no blanks between words */
} words_tokenizer;

/* By BCP 47 tag: "en-GB" is English. Empty is English. */
words_tokenizer words_tokenizer_of(bp_str language);
/* What stands behind tokenize= in CREATE VIRTUAL TABLE. */
const char *words_tokenizer_sql(words_tokenizer tokenizer);

struct words_query {
    bp_str  terms[WORDS_TERMS_MAX]; /* as they stand in the query, which they point into */
    uint8_t times[WORDS_TERMS_MAX]; /* how often each stands there, at most 16: BM25 weighs it so
                                       often */
    size_t term_count;
    bp_str match; /* "a" OR "b" OR "b": for MATCH; empty: no term can be looked up there */
    bp_str short_terms[WORDS_TERMS_MAX]; /* TRIGRAMS only: terms of one or two characters, which
                                            need a scan */
    size_t short_count;
};

/* Takes a query apart: distinct terms, at most 512, and how often each stands there; English stop
 * words left out unless there is nothing else. Every term is quoted, so that whatever stands in the
 * query is looked for and never obeyed. */
bp_status words_parse(bp_call *call, words_tokenizer tokenizer, bp_str text,
                      struct words_query *query);

bool words_is_utf8(bp_str text);

#endif
