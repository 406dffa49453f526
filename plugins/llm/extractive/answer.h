/* answer.h - which sentences of the passages answer a question. */
#ifndef LLM_EXTRACTIVE_ANSWER_H
#define LLM_EXTRACTIVE_ANSWER_H

#include <backplane/llm.h>

#include "sentence.h"

enum { QUESTION_TERMS_MAX = 48, SENTENCES_MAX = 4000, CHOSEN_MAX = 10 };

struct chosen {
    struct sentence sentence;
    size_t          passage; /* its place, from 0 */
    size_t          place;   /* among all sentences: the reading order */
};

struct answer {
    struct chosen chosen[CHOSEN_MAX]; /* in reading order */
    size_t        count;
    double        coverage; /* share of the question's weight that they cover, 0 to 1 */
};

/* The question without what a program put around it: passages given in its text too, a "Question:"
 * before it. */
bp_status answer_question(bp_call *call, bp_str message, const bp_passage *passages, size_t count,
                          bp_str *question);

/* Chooses at most `max_sentences`. None: the answer's count is 0. */
bp_status answer_choose(bp_call *call, bp_str question, const bp_passage *passages, size_t count,
                        uint32_t max_sentences, struct answer *answer);

#endif
