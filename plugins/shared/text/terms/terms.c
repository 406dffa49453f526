/* terms.c - walks over UTF-8 word by word; small tables instead of a library of all scripts. */
#include "terms/terms.h"

static const char stop_words[] = " a about above after again all also am an and any are as at be "
                                 "because been before being "
                                 "below between both but by "
                                 "can could did do does doing down during each few for from "
                                 "further had has have having he her "
                                 "here hers him his how "
                                 "i if in into is it its itself just me more most my no nor not "
                                 "now of off on once only or "
                                 "other our out over own "
                                 "same she should so some such than that the their them then there "
                                 "these they this those "
                                 "through to too under until "
                                 "up very was we were what when where which while who whom why "
                                 "will with would you your ";

static const char question_words[] = " define definition describe difference do does explain find "
                                     "give happen know like list mean "
                                     "meaning means please say says show tell used using work "
                                     "works ";

static bool is_listed(const char *list, bp_str word)
{
    char padded[18] = " ";

    if (word.len < 1 || word.len > sizeof(padded) - 3)
        return false;
    memcpy(padded + 1, word.data, word.len);
    padded[word.len + 1] = ' ';
    padded[word.len + 2] = '\0';
    return strstr(list, padded) != NULL;
}

bool terms_is_stop_word(bp_str word)
{
    return is_listed(stop_words, word);
}
bool terms_is_question_word(bp_str word)
{
    return is_listed(question_words, word);
}

/* ---- characters ---- */

/* The code point at `at` and its length; length 0 for bytes that are not UTF-8. */
static uint32_t decode(bp_str text, size_t at, size_t *len)
{
    const unsigned char *s = (const unsigned char *)text.data + at;
    size_t               need = s[0] < 0x80   ? 1
                                : s[0] < 0xc2 ? 0
                                : s[0] < 0xe0 ? 2
                                : s[0] < 0xf0 ? 3
                                : s[0] < 0xf5 ? 4
                                              : 0;
    uint32_t             value = need == 1 ? s[0] : need ? s[0] & (0x7fu >> need) : 0;

    *len = need <= text.len - at ? need : 0;
    for (size_t i = 1; i < *len; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            *len = 0;
            return 0;
        }
        value = value << 6 | (s[i] & 0x3fu);
    }
    return value;
}

static size_t encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static bool is_unspaced(uint32_t c)
{
    return (c >= 0x0e00 && c <= 0x0e7f) || (c >= 0x3040 && c <= 0x30ff) ||
           (c >= 0x3400 && c <= 0x9fff) || (c >= 0xac00 && c <= 0xd7af) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x3ffff);
}

static bool is_word(uint32_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    return !(c < 0xaa || (c > 0xaa && c < 0xb5) || (c > 0xb5 && c < 0xba) ||
             (c > 0xba && c < 0xc0) || c == 0xd7 || c == 0xf7 || (c >= 0x2000 && c <= 0x2bff) ||
             (c >= 0x3000 && c <= 0x3020) || (c >= 0xff00 && c <= 0xff0f) ||
             (c >= 0xff1a && c <= 0xff20) || (c >= 0xff3b && c <= 0xff40) ||
             (c >= 0xff5b && c <= 0xff65) || (c >= 0x1f000 && c <= 0x1faff) ||
             (c >= 0xfe00 && c <= 0xfe0f));
}

/* Lower case, and Latin letters without their accents. */
static uint32_t fold(uint32_t c)
{
    /* U+00C0 to U+00FF; 0: as it is */
    static const char latin[] = "aaaaaa\0ceeeeiiii\0nooooo\0ouuuuy\0\0aaaaaa\0ceeeeiiii\0nooooo\0ou"
                                "uuuy\0y";

    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if (c >= 0xc0 && c <= 0xff)
        return latin[c - 0xc0] ? (uint32_t)latin[c - 0xc0] : c <= 0xde ? c + 32 : c;
    if (c >= 0x100 && c <= 0x17f && c != 0x131 && c != 0x138)
        return (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e) ? (c & 1 ? c + 1 : c)
                                                                        : c | 1;
    if ((c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f))
        return c + 32;
    if (c >= 0x400 && c <= 0x40f)
        return c + 80;
    return c;
}

bool terms_next(bp_str text, size_t *cursor, struct term *term)
{
    memset(term, 0, sizeof(*term));
    while (*cursor < text.len) {
        size_t   len;
        uint32_t c = decode(text, *cursor, &len);
        char     bytes[4];
        size_t   count;

        if (!len || !is_word(c)) {
            if (term->len)
                return true;
            *cursor += len ? len : 1;
            continue;
        }
        if (is_unspaced(c) && term->len)
            return true;
        if (!term->len)
            term->begin = *cursor;
        count = encode(fold(c), bytes);
        if (term->len + count <= TERM_BYTES_MAX) {
            memcpy(term->text + term->len, bytes, count);
            term->len += (uint32_t)count;
        }
        *cursor += len;
        term->end = *cursor;
        if (is_unspaced(c)) {
            term->is_unspaced = true;
            return true;
        }
    }
    return term->len > 0;
}

/* ---- stems ---- */

static bool ends(const struct term *term, const char *ending)
{
    size_t len = strlen(ending);
    return term->len > len && memcmp(term->text + term->len - len, ending, len) == 0;
}

static void cut(struct term *term, size_t count)
{
    term->len -= (uint32_t)count;
    term->text[term->len] = '\0';
}

/* The rest begins with a letter and has a vowel before its last letter, as "runn" has and "str"
 * has not. */
static bool is_stem(const struct term *term, size_t cut_len)
{
    for (size_t i = 0; i + cut_len + 1 < term->len; i++)
        if (strchr("aeiouy", term->text[i]))
            return term->len - cut_len >= 3;
    return false;
}

static void undouble(struct term *term)
{
    char last = term->text[term->len - 1];
    if (term->len > 3 && last == term->text[term->len - 2] && !strchr("lsz", last))
        cut(term, 1);
    if (term->len > 3 && term->text[term->len - 1] == 'e')
        cut(term, 1); /* "caching" and "cache" meet in "cach" */
}

void terms_stem(struct term *term)
{
    if (term->len < 4 || term->is_unspaced)
        return;
    if (ends(term, "ies") && term->len > 4) {
        cut(term, 3);
        term->text[term->len++] = 'y';
    } else if (ends(term, "sses") || ends(term, "shes") || ends(term, "ches") ||
               ends(term, "xes")) {
        cut(term, 2);
    } else if (ends(term, "s") && !ends(term, "ss") && !ends(term, "us") && !ends(term, "is")) {
        cut(term, 1);
    }
    if (ends(term, "ing") && is_stem(term, 3))
        cut(term, 3);
    else if (ends(term, "ed") && is_stem(term, 2))
        cut(term, 2);
    else if (ends(term, "ly") && is_stem(term, 2) && term->len > 5)
        cut(term, 2);
    undouble(term);
}
