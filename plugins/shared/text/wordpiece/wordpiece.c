/* wordpiece.c - from a text to the numbers of its pieces; vocabulary.c is where the pieces are
 * looked up. */
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "characters.h"
#include "vocabulary.h"
#include "wordpiece.h"

enum {
    WORD_CHARS_MAX = 100,
    WORD_CHARS_LIMIT = 1024, /* whatever the rules say: a word is looked through in time that grows
                                with its square */
    MARKS_MAX = 32 /* a longer run of marks that are not dropped stays in the order it has */
};

struct wordpiece *wordpiece_new(const struct wordpiece_rules *rules)
{
    struct wordpiece *pieces = calloc(1, sizeof(*pieces));

    if (!pieces)
        return NULL;
    pieces->rules = *rules;
    if (!pieces->rules.max_word_chars)
        pieces->rules.max_word_chars = WORD_CHARS_MAX;
    if (pieces->rules.max_word_chars > WORD_CHARS_LIMIT)
        pieces->rules.max_word_chars = WORD_CHARS_LIMIT;
    pieces->rules.continuation[sizeof(pieces->rules.continuation) - 1] = '\0';
    if (!pieces->rules.continuation[0])
        memcpy(pieces->rules.continuation, "##", 3);
    pieces->continuation_len = strlen(pieces->rules.continuation);
    return pieces;
}

/* ---- one text on its way ---- */

struct mark {
    uint32_t character;
    int      order; /* canonical combining class */
};

struct encoding {
    const struct wordpiece *pieces;
    int32_t                *numbers;
    size_t                  count, max; /* max: room in front of [SEP] */
    uint32_t                word_chars;
    size_t                  word_len; /* bytes, behind room for the continuation mark */
    struct mark             marks[MARKS_MAX];
    size_t                  mark_count;
    char                    word[16 + WORD_CHARS_LIMIT * 4];
};

static bool is_full(const struct encoding *e)
{
    return e->count >= e->max;
}

static void put_number(struct encoding *e, int32_t number)
{
    if (!is_full(e))
        e->numbers[e->count++] = number;
}

/* The longest piece at `from`, a place in the word; its length in *len. The continuation mark is
 * written over what lies in front of it, which has been worked off. */
static int32_t longest_piece(struct encoding *e, char *word, size_t from, size_t *len)
{
    const struct wordpiece *pieces = e->pieces;
    size_t                  mark = from ? pieces->continuation_len : 0;
    size_t                  end = e->word_len;
    char                   *start = word + from - mark;

    memcpy(start, pieces->rules.continuation, mark);
    if (end - from + mark > pieces->longest) {
        end = from + (pieces->longest > mark ? pieces->longest - mark : 0);
        while (end > from && end < e->word_len && ((unsigned char)word[end] & 0xc0) == 0x80)
            end--; // not in the middle of a letter
    }
    while (end > from) {
        int32_t number = wordpiece_number(pieces, start, end - from + mark);
        if (number >= 0) {
            *len = end - from;
            return number;
        }
        do
            end--;
        while (end > from && ((unsigned char)word[end] & 0xc0) == 0x80);
    }
    return -1;
}

static void end_word(struct encoding *e)
{
    char   *word = e->word + sizeof(e->pieces->rules.continuation);
    size_t  begun_at = e->count, from = 0;
    int32_t number = 0;
    bool    is_known = e->word_chars <= e->pieces->rules.max_word_chars;

    // Also when no more numbers fit the word is looked through to its end: one unknown piece makes
    // all of it [UNK].
    while (is_known && from < e->word_len) {
        size_t len = 0;

        number = longest_piece(e, word, from, &len);
        is_known = number >= 0;
        put_number(e, number);
        from += len;
    }
    if (e->word_chars && !is_known) {
        e->count = begun_at;
        put_number(e, e->pieces->unknown);
    }
    e->word_chars = 0;
    e->word_len = 0;
}

static void add_to_word(struct encoding *e, uint32_t c)
{
    char *word = e->word + sizeof(e->pieces->rules.continuation);

    if (e->word_chars++ < e->pieces->rules.max_word_chars)
        e->word_len += (size_t)utf8proc_encode_char((utf8proc_int32_t)c,
                                                    (utf8proc_uint8_t *)word + e->word_len);
}

/* ---- characters on their way: each step hands on to the one above it ---- */

static void to_words(struct encoding *e, uint32_t c)
{
    if (character_is_blank(c)) {
        end_word(e);
    } else if (character_is_punctuation(c)) {
        end_word(e);
        add_to_word(e, c);
        end_word(e);
    } else {
        add_to_word(e, c);
    }
}

static void to_lower(struct encoding *e, uint32_t c)
{
    if (e->pieces->rules.keeps_case) {
        to_words(e, c);
    } else if (c == 0x130) { // the one letter with a lower case of two characters
        to_words(e, 'i');
        to_words(e, 0x307);
    } else {
        to_words(e, character_lower(c));
    }
}

/* Marks behind a letter are put into canonical order once the next letter shows that no more come.
 */
static void end_marks(struct encoding *e)
{
    for (size_t i = 1; i < e->mark_count; i++)
        for (size_t j = i; j > 0 && e->marks[j - 1].order > e->marks[j].order; j--) {
            struct mark lower = e->marks[j];
            e->marks[j] = e->marks[j - 1];
            e->marks[j - 1] = lower;
        }
    for (size_t i = 0; i < e->mark_count; i++)
        to_lower(e, e->marks[i].character);
    e->mark_count = 0;
}

static void without_accents(struct encoding *e, uint32_t c)
{
    utf8proc_int32_t parts[32];
    int              last_class = 0;
    utf8proc_ssize_t count;

    if (e->pieces->rules.keeps_accents) {
        to_lower(e, c);
        return;
    }
    if (c < 0x80) {
        end_marks(e);
        to_lower(e, c);
        return;
    }
    count = utf8proc_decompose_char((utf8proc_int32_t)c, parts, 32, UTF8PROC_DECOMPOSE,
                                    &last_class);
    for (utf8proc_ssize_t i = 0; i < count && i < 32; i++) {
        uint32_t part = (uint32_t)parts[i];
        int      order;

        if (character_is_accent(part))
            continue;
        order = character_order(part);
        if (order == 0 || e->mark_count == MARKS_MAX)
            end_marks(e);
        if (order == 0)
            to_lower(e, part);
        else
            e->marks[e->mark_count++] = (struct mark){ part, order };
    }
}

static void cleaned(struct encoding *e, uint32_t c)
{
    if (!e->pieces->rules.keeps_control) {
        if (c == 0 || c == 0xfffd || character_is_control(c))
            return;
        if (character_is_blank(c))
            c = ' ';
    }
    if (!e->pieces->rules.joins_cjk && character_is_cjk(c)) {
        without_accents(e, ' ');
        without_accents(e, c);
        without_accents(e, ' ');
    } else {
        without_accents(e, c);
    }
}

/* ---- the whole ---- */

static const struct special *special_at(const struct wordpiece *pieces, const char *text,
                                        size_t len)
{
    const struct special *found = NULL;

    if (!pieces->special_starts[(unsigned char)text[0]])
        return NULL;
    for (size_t i = 0; i < pieces->special_count; i++) {
        const struct special *one = &pieces->specials[i];
        if (one->len <= len && (!found || one->len > found->len) &&
            memcmp(text, one->text, one->len) == 0)
            found = one;
    }
    return found;
}

size_t wordpiece_encode(const struct wordpiece *pieces, const char *text, size_t len,
                        int32_t *numbers, size_t max)
{
    struct encoding e;

    e.pieces = pieces;
    e.numbers = numbers;
    e.max = max - 1;
    e.count = e.word_len = e.mark_count = 0;
    e.word_chars = 0;
    put_number(&e, pieces->begin);
    for (size_t at = 0; at < len && !is_full(&e);) {
        const struct special *special = special_at(pieces, text + at, len - at);
        utf8proc_int32_t      c;
        utf8proc_ssize_t      step;

        if (special) {
            end_marks(&e);
            end_word(&e);
            put_number(&e, special->number);
            at += special->len;
            continue;
        }
        step = utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(len - at),
                                &c);
        cleaned(&e, step > 0 ? (uint32_t)c : 0xfffd);
        at += step > 0 ? (size_t)step : 1;
    }
    end_marks(&e);
    end_word(&e);
    numbers[e.count++] = pieces->end;
    return e.count;
}
