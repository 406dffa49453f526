/* words.c - splits a query into terms and quotes them for FTS5. */
#include "words/words.h"

#include "terms/terms.h"

words_tokenizer words_tokenizer_of(bp_str language)
{
    static const char *const unspaced[] = { "zh", "ja", "ko", "th" };
    char                     tag[4] = "";

    for (size_t i = 0;
         i < language.len && i < 3 && language.data[i] != '-' && language.data[i] != '_'; i++)
        tag[i] = (char)(language.data[i] | 0x20);
    if (!tag[0] || strcmp(tag, "en") == 0)
        return WORDS_STEMMED;
    for (size_t i = 0; i < sizeof(unspaced) / sizeof(unspaced[0]); i++)
        if (strcmp(tag, unspaced[i]) == 0)
            return WORDS_TRIGRAMS;
    return WORDS_PLAIN;
}

const char *words_tokenizer_sql(words_tokenizer tokenizer)
{
    switch (tokenizer) {
    case WORDS_STEMMED:
        return "porter unicode61 remove_diacritics 2";
    case WORDS_TRIGRAMS:
        return "trigram";
    default:
        return "unicode61 remove_diacritics 2";
    }
}

/* ---- characters ---- */

/* One code point at `at`; 0 in *len when the bytes are not UTF-8. */
static uint32_t code_point(bp_str text, size_t at, size_t *len)
{
    const unsigned char *s = (const unsigned char *)text.data + at;
    size_t               left = text.len - at, need = s[0] < 0x80   ? 1
                                                      : s[0] < 0xc2 ? 0
                                                      : s[0] < 0xe0 ? 2
                                                      : s[0] < 0xf0 ? 3
                                                      : s[0] < 0xf5 ? 4
                                                                    : 0;
    uint32_t             value;

    *len = 0;
    if (!need || need > left)
        return 0;
    value = need == 1 ? s[0] : s[0] & (0x7fu >> need);
    for (size_t i = 1; i < need; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (s[i] & 0x3fu);
    }
    if ((need == 3 && value < 0x800) || (need == 4 && value < 0x10000) || value > 0x10ffff ||
        (value >= 0xd800 && value < 0xe000))
        return 0;
    *len = need;
    return value;
}

bool words_is_utf8(bp_str text)
{
    for (size_t at = 0, len; at < text.len; at += len) {
        code_point(text, at, &len);
        if (!len)
            return false;
    }
    return true;
}

static bool is_word(uint32_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    /* Latin punctuation, general punctuation, CJK punctuation, full-width forms of ASCII
     * punctuation. */
    return !((c >= 0x80 && c <= 0xa9) || (c >= 0xab && c <= 0xb4) || (c >= 0xb6 && c <= 0xb9) ||
             c == 0xbb || c == 0xbf || (c >= 0x2000 && c <= 0x206f) ||
             (c >= 0x3000 && c <= 0x3004) || (c >= 0x3008 && c <= 0x3020) ||
             (c >= 0xff01 && c <= 0xff0f) || (c >= 0xff1a && c <= 0xff20) ||
             (c >= 0xff3b && c <= 0xff3d) || (c >= 0xff5b && c <= 0xff65));
}

/* ---- terms ---- */

struct terms {
    bp_str  items[WORDS_TERMS_MAX];
    uint8_t times[WORDS_TERMS_MAX];
    size_t  count;
};

static bool same(bp_str a, bp_str b)
{
    for (size_t i = 0; i < a.len && a.len == b.len; i++) {
        char x = a.data[i], y = b.data[i];
        if (x != y && (((x | 0x20) != (y | 0x20)) || (x | 0x20) < 'a' || (x | 0x20) > 'z'))
            return false;
    }
    return a.len == b.len;
}

static void terms_add(struct terms *terms, bp_str term)
{
    for (size_t i = 0; i < terms->count; i++)
        if (same(terms->items[i], term)) {
            terms->times[i] += terms->times[i] < WORDS_TIMES_MAX;
            return;
        }
    if (terms->count == WORDS_TERMS_MAX)
        return;
    terms->times[terms->count] = 1;
    terms->items[terms->count++] = term;
}

/* Dropped from queries only, never from passages. */
static bool is_stop_word(bp_str term)
{
    char lower[16];

    if (term.len > sizeof(lower))
        return false;
    for (size_t i = 0; i < term.len; i++)
        lower[i] = (char)(term.data[i] | 0x20);
    return terms_is_stop_word(bp_str_n(lower, term.len));
}

/* A run without blanks: each three characters in a row are a term. */
static void add_trigrams(struct terms *terms, struct words_query *query, bp_str run)
{
    size_t starts[3] = { 0 }, count = 0;

    for (size_t at = 0, len; at < run.len; at += len) {
        code_point(run, at, &len);
        if (!len)
            len = 1;
        if (count >= 3) {
            starts[0] = starts[1];
            starts[1] = starts[2];
            starts[2] = at;
        } else {
            starts[count] = at;
        }
        count++;
        if (count >= 3)
            terms_add(terms, bp_str_n(run.data + starts[0], at + len - starts[0]));
    }
    if (count > 0 && count < 3 && query->short_count < WORDS_TERMS_MAX)
        query->short_terms[query->short_count++] = run;
}

static bp_status quote(bp_call *call, const struct terms *terms, bp_str *match)
{
    bp_buf *buf = bp_buf_new(call, 1 << 22);

    for (size_t i = 0; i < terms->count; i++)
        for (unsigned n = 0; n < terms->times[i];
             n++) { // FTS5 weighs a phrase as often as it is named
            bp_buf_add(buf,
                       i || n
                           ? BP_STR(" OR \"")
                           : BP_STR("\"")); /* a term holds no quote: that is no word character */
            bp_buf_add(buf, terms->items[i]);
            bp_buf_add(buf, BP_STR("\""));
        }
    *match = bp_buf_str(buf);
    return bp_buf_status(buf) == BP_OK
               ? BP_OK
               : bp_fail(call, bp_buf_status(buf), "the query's words are too long");
}

bp_status words_parse(bp_call *call, words_tokenizer tokenizer, bp_str text,
                      struct words_query *query)
{
    struct terms terms, stopped;
    size_t       start = 0;
    bool         is_inside = false;

    terms.count = stopped.count = 0;
    memset(query, 0, sizeof(*query));
    for (size_t at = 0, len; at <= text.len; at += len) {
        uint32_t c = 0;
        bool     word = false;

        len = 1;
        if (at < text.len) {
            c = code_point(text, at, &len);
            word = len && is_word(c);
            if (!len)
                len = 1;
        }
        if (word && !is_inside)
            start = at;
        if (!word && is_inside) {
            bp_str term = bp_str_n(text.data + start, at - start);
            if (tokenizer == WORDS_TRIGRAMS)
                add_trigrams(&terms, query, term);
            else
                terms_add(tokenizer == WORDS_STEMMED && is_stop_word(term) ? &stopped : &terms,
                          term);
        }
        is_inside = word;
    }
    if (!terms.count)
        terms = stopped;
    memcpy(query->terms, terms.items, sizeof(terms.items));
    memcpy(query->times, terms.times, sizeof(terms.times));
    query->term_count = terms.count;
    return quote(call, &terms, &query->match);
}
