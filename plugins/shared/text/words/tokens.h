/* tokens.h - the terms of passages and queries, and what they weigh, for vector stores that keep a
 * word index of their own.
 *
 * vector/local searches words by SQLite's FTS5. A store with a server that has no BM25, or another
 * one, keeps postings (term, point, how often), lengths and counts, cut by the very tokenizers of
 * FTS5 and weighed by its formula, so that the same query ranks the same passages alike whatever
 * store a deployment has:
 *
 *      score(point) = sum over the query's terms of  times * idf * f * (k1 + 1) / (f + k1 * (1 - b + b * length / average))
 *      idf          = ln((points - with_term + 0.5) / (with_term + 0.5)), at least 1e-6;   k1 = 1.2, b = 0.75
 *
 * "points" counts all points of the collection, also those without words, and "average" is the
 * tokens of all of them divided by it. A run of word characters that the tokenizer cuts into
 * several terms is a phrase in FTS5 and several terms here; terms of one or two characters of
 * languages without blanks are found by vector/local alone.
 */
#ifndef SHARED_TOKENS_H
#define SHARED_TOKENS_H

#include "words.h"

/* SQLite's tokenizers, opened once. It locks itself: any thread. */
struct token_source;

/* Once a process or worker; a millisecond. BP_INTERNAL: this SQLite has no FTS5. */
bp_status tokens_open(bp_call *call, struct token_source **source);
void      tokens_close(struct token_source *source); /* NULL is allowed */

struct token {
    bp_str   text;  /* as the index knows it: folded, stemmed; in the call's memory */
    uint32_t times; /* in the passage; for a query: how many of its words became this one */
};

struct token_list {
    struct token *items; /* sorted by text, each once */
    size_t        count;
    uint32_t      length; /* of the passage, in tokens */
};

/* The terms of a passage; about 20 ms for a megabyte, so a batch belongs on a pool thread. Text
 * that is not UTF-8 is read as FTS5 does. BP_NO_MEMORY. */
bp_status tokens_of_passage(bp_call *call, struct token_source *source, words_tokenizer tokenizer,
                            bp_str passage, struct token_list *list);

/* The terms to look up for a query: at most 512 of its words, English stop words left out unless
 * there is nothing else. */
bp_status tokens_of_query(bp_call *call, struct token_source *source, words_tokenizer tokenizer,
                          bp_str query, struct token_list *list);

/* The two factors of the formula above; `token_times` is token.times of the query. */
double bm25_idf(uint64_t points, uint64_t with_term);
double bm25_weight(double idf, uint32_t token_times, uint32_t frequency, uint32_t length,
                   double average_length);

#endif
