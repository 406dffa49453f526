/* answer.c - chooses sentences: each covers some terms of the question, rare ones weigh more, and
 * the next one chosen is the one that adds most to those before it.
 *
 *      question  "When does the cache evict entries?"      terms  cach 1.2   evict 2.3   entri 1.9
 *      sentence  "Entries are evicted when it is full."    adds   evict, entri
 *      title     "The cache"                               adds   a part of cach
 */
#define _GNU_SOURCE /* memmem() */
#include "answer.h"

#include <math.h>

#include "terms/terms.h"

enum { WORDS_LONG = 60, WORDS_SHORT = 4 };

struct question {
    struct term terms[QUESTION_TERMS_MAX];
    double      weights[QUESTION_TERMS_MAX]; /* inverse document frequency among the sentences */
    size_t      count;
    double      total;
};

struct candidate {
    struct sentence sentence;
    size_t          passage;
    size_t          position; /* in its passage */
    uint32_t        words;
    uint64_t        covers; /* one bit a term of the question */
    double          bonus;  /* of its place and its passage's rank */
    bool            is_chosen;
};

/* ---- the question ---- */

static const char *find(bp_str text, bp_str wanted)
{
    return wanted.len >= 20 ? memmem(text.data, text.len, wanted.data, wanted.len) : NULL;
}

bp_str answer_question(bp_call *call, bp_str message, const bp_passage *passages, size_t count)
{
    static const char mark[] = "question:";
    bp_str            text = bp_dup(call, message);
    char             *bytes = (char *)(uintptr_t)text.data;
    size_t            start = 0;

    for (size_t i = 0; i < count; i++) {
        const char *at = find(text, passages[i].text);
        if (at)
            memset(bytes + (at - text.data), ' ', passages[i].text.len);
    }
    for (size_t i = 0; i + sizeof(mark) <= text.len; i++) {
        size_t k = 0;
        while (k < sizeof(mark) - 1 && (text.data[i + k] | 0x20) == (mark[k] | 0x20))
            k++;
        if (k == sizeof(mark) - 1 && (i == 0 || text.data[i - 1] == '\n'))
            start = i + k;
    }
    return bp_str_n(text.data + start, text.len - start);
}

static bool same_term(const struct term *a, const struct term *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* A term and a word match when they are the same, or one is the beginning of the other ("config",
 * "configuration"). */
static bool matches(const struct term *a, const struct term *b)
{
    uint32_t shorter = a->len < b->len ? a->len : b->len,
             longer = a->len < b->len ? b->len : a->len;

    if (shorter < 4 || longer - shorter > 8)
        return same_term(a, b);
    return memcmp(a->text, b->text, shorter) == 0 &&
           (longer == shorter || shorter >= 5 || longer - shorter <= 2);
}

static void read_terms(bp_str text, bool all_words, struct question *question)
{
    struct term term;
    size_t      cursor = 0;

    question->count = 0;
    while (question->count < QUESTION_TERMS_MAX && terms_next(text, &cursor, &term)) {
        bp_str word = bp_str_n(term.text, term.len);
        bool   is_known = false;
        if (!all_words && (terms_is_stop_word(word) || terms_is_question_word(word)))
            continue;
        terms_stem(&term);
        for (size_t i = 0; i < question->count; i++)
            is_known = is_known || same_term(&question->terms[i], &term);
        if (!is_known)
            question->terms[question->count++] = term;
    }
}

static uint64_t covered(const struct question *question, bp_str text, uint32_t *words)
{
    struct term term;
    size_t      cursor = 0;
    uint64_t    bits = 0;

    while (terms_next(text, &cursor, &term)) {
        ++*words;
        terms_stem(&term);
        for (size_t i = 0; i < question->count; i++)
            if (matches(&question->terms[i], &term))
                bits |= UINT64_C(1) << i;
    }
    return bits;
}

static double weight_of(const struct question *question, uint64_t bits)
{
    double sum = 0;
    for (size_t i = 0; i < question->count; i++)
        if (bits >> i & 1)
            sum += question->weights[i];
    return sum;
}

/* Rare terms weigh more. A term found nowhere weighs what the others do on average: it was asked
 * for, but may be only a way of asking. */
static void weigh(struct question *question, const struct candidate *candidates, size_t count)
{
    double sum = 0;
    size_t found = 0;

    for (size_t i = 0; i < question->count; i++) {
        size_t holding = 0;
        for (size_t k = 0; k < count; k++)
            holding += candidates[k].covers >> i & 1;
        question->weights[i] = holding ? log(1 + ((double)count - (double)holding + 0.5) /
                                                     ((double)holding + 0.5))
                                       : 0;
        sum += question->weights[i];
        found += holding > 0;
    }
    for (size_t i = 0; i < question->count; i++)
        if (question->weights[i] == 0)
            question->weights[i] = found ? sum / (double)found : 1;
    question->total = 0;
    for (size_t i = 0; i < question->count; i++)
        question->total += question->weights[i];
}

/* ---- candidates ---- */

static size_t split_all(const struct question *question, const bp_passage *passages, size_t count,
                        struct candidate *candidates, uint64_t *titles)
{
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        struct sentence_cursor cursor = { 0 };
        struct sentence        sentence;
        uint32_t               title_words = 0;

        titles[i] = covered(question, passages[i].title, &title_words);
        for (size_t position = 0;
             used < SENTENCES_MAX && sentence_next(passages[i].text, &cursor, &sentence);
             position++) {
            struct candidate *candidate = &candidates[used++];
            *candidate = (struct candidate){ .sentence = sentence,
                                             .passage = i,
                                             .position = position };
            candidate->covers = covered(question, sentence.text, &candidate->words);
            candidate->bonus = 0.10 / (double)(1 + position) + 0.15 / (double)(1 + i);
        }
    }
    return used;
}

/* What a sentence adds to the covered words; `title` says what its passage's title covers. */
static double gain(const struct question *question, const struct candidate *candidate,
                   uint64_t done, uint64_t title)
{
    uint64_t fresh = candidate->covers & ~done;
    double   value = weight_of(question, fresh) +
                   0.25 * weight_of(question, candidate->covers & done) +
                   0.35 * weight_of(question, title & ~candidate->covers);

    if (!fresh || candidate->sentence.kind == SENTENCE_HEADING || candidate->words == 0)
        return 0; /* a heading announces and states nothing */
    value *= 1 + candidate->bonus;
    if (candidate->words > WORDS_LONG)
        value *= WORDS_LONG / (double)candidate->words;
    if (candidate->words < WORDS_SHORT)
        value *= 0.6;
    return value;
}

static void choose(const struct question *question, struct candidate *candidates, size_t count,
                   const uint64_t *titles, uint32_t max_sentences, struct answer *answer)
{
    uint64_t done = 0, by_title = 0;
    double   first_gain = 0;

    while (answer->count < max_sentences && answer->count < CHOSEN_MAX) {
        struct candidate *best = NULL;
        double            best_gain = 0, value;

        for (size_t i = 0; i < count; i++) {
            if (candidates[i].is_chosen)
                continue;
            value = gain(question, &candidates[i], done, titles[candidates[i].passage]);
            if (value > best_gain) {
                best = &candidates[i];
                best_gain = value;
            }
        }
        /* What adds little to the first one is rather beside the point. */
        if (!best ||
            (answer->count && weight_of(question, best->covers & ~done) < 0.15 * first_gain))
            break;
        if (!answer->count)
            first_gain = weight_of(question, best->covers);
        best->is_chosen = true;
        done |= best->covers;
        by_title |= titles[best->passage];
        answer->chosen[answer->count++] = (struct chosen){ best->sentence, best->passage,
                                                           (size_t)(best - candidates) };
    }
    if (question->total > 0)
        answer->coverage = (weight_of(question, done) +
                            0.5 * weight_of(question, by_title & ~done)) /
                           question->total;
}

static void sort_by_place(struct answer *answer)
{
    for (size_t i = 1; i < answer->count; i++)
        for (size_t k = i; k > 0 && answer->chosen[k].place < answer->chosen[k - 1].place; k--) {
            struct chosen held = answer->chosen[k];
            answer->chosen[k] = answer->chosen[k - 1];
            answer->chosen[k - 1] = held;
        }
}

bp_status answer_choose(bp_call *call, bp_str text, const bp_passage *passages, size_t count,
                        uint32_t max_sentences, struct answer *answer)
{
    struct question  *question = BP_NEW(call, struct question);
    struct candidate *candidates = BP_NEW_ARRAY(call, struct candidate, SENTENCES_MAX);
    uint64_t         *titles = BP_NEW_ARRAY(call, uint64_t, count + 1);
    size_t            total;

    memset(answer, 0, sizeof(*answer));
    if (!question || !candidates || !titles)
        return BP_NO_MEMORY;
    read_terms(text, false, question);
    if (!question->count)
        read_terms(text, true, question);
    total = split_all(question, passages, count, candidates, titles);
    if (bp_cancelled(call) != BP_OK)
        return bp_fail(call, bp_cancelled(call), "the answer was given up: %s",
                       bp_status_text(bp_cancelled(call)));
    weigh(question, candidates, total);
    choose(question, candidates, total, titles, max_sentences, answer);
    sort_by_place(answer);
    return BP_OK;
}
