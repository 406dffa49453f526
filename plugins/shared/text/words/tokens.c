/* tokens.c - asks the tokenizers of FTS5 itself, so that no second implementation of them can
 * differ. */
#include "tokens.h"

#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>

enum { TOKENIZERS = 3, ARGUMENTS_MAX = 4 };

static const double K1 = 1.2, B = 0.75, IDF_MIN = 1e-6;

struct open_tokenizer {
    fts5_tokenizer methods;
    Fts5Tokenizer *tokenizer;
};

struct token_source {
    pthread_mutex_t       lock; /* a tokenizer has buffers of its own */
    sqlite3              *db;
    struct open_tokenizer open[TOKENIZERS]; /* by words_tokenizer */
};

/* ---- opening ---- */

static fts5_api *api_of(sqlite3 *db)
{
    fts5_api     *api = NULL;
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &statement, NULL) == SQLITE_OK) {
        sqlite3_bind_pointer(statement, 1, (void *)&api, "fts5_api_ptr", NULL);
        sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    return api;
}

/* By the words that stand behind tokenize= in vector/local. */
static bool open_one(fts5_api *api, words_tokenizer which, struct open_tokenizer *open)
{
    char        text[64], *rest = NULL, *name;
    const char *arguments[ARGUMENTS_MAX];
    void       *context = NULL;
    int         count = 0;

    snprintf(text, sizeof(text), "%s", words_tokenizer_sql(which));
    name = strtok_r(text, " ", &rest);
    for (char *word; count < ARGUMENTS_MAX && (word = strtok_r(NULL, " ", &rest)) != NULL;)
        arguments[count++] = word;
    return api->xFindTokenizer(api, name, &context, &open->methods) == SQLITE_OK &&
           open->methods.xCreate(context, arguments, count, &open->tokenizer) == SQLITE_OK;
}

bp_status tokens_open(bp_call *call, struct token_source **out)
{
    struct token_source *source = calloc(1, sizeof(*source));
    fts5_api            *api = NULL;
    bool                 is_open;

    *out = NULL;
    if (!source)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a tokenizer");
    pthread_mutex_init(&source->lock, NULL);
    is_open = sqlite3_open_v2(":memory:", &source->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                              NULL) == SQLITE_OK &&
              (api = api_of(source->db)) != NULL;
    for (int i = 0; i < TOKENIZERS && is_open; i++)
        is_open = open_one(api, (words_tokenizer)i, &source->open[i]);
    if (!is_open) {
        tokens_close(source);
        return bp_fail(call, BP_INTERNAL,
                       "the tokenizers of SQLite's FTS5 are not there: SQLite %s was built without "
                       "it",
                       sqlite3_libversion());
    }
    *out = source;
    return BP_OK;
}

void tokens_close(struct token_source *source)
{
    if (!source)
        return;
    for (int i = 0; i < TOKENIZERS; i++)
        if (source->open[i].tokenizer)
            source->open[i].methods.xDelete(source->open[i].tokenizer);
    sqlite3_close(source->db);
    pthread_mutex_destroy(&source->lock);
    free(source);
}

/* ---- collecting ---- */

struct collecting {
    bp_call      *call;
    struct token *items; /* as they come, then sorted */
    size_t        count, capacity;
};

static int collect(void *context, int flags, const char *text, int len, int begin, int end)
{
    struct collecting *all = context;

    (void)begin;
    (void)end;
    if (flags & FTS5_TOKEN_COLOCATED)
        return SQLITE_OK;
    if (all->count == all->capacity) {
        size_t        capacity = all->capacity ? all->capacity * 2 : 64;
        struct token *grown = realloc(all->items, capacity * sizeof(*grown));

        if (!grown)
            return SQLITE_NOMEM;
        all->items = grown;
        all->capacity = capacity;
    }
    all->items[all->count] = (struct token){ bp_dup(all->call, bp_str_n(text, (size_t)len)), 1 };
    return all->items[all->count++].text.data ? SQLITE_OK : SQLITE_NOMEM;
}

static bp_status cut(struct token_source *source, words_tokenizer tokenizer, int purpose,
                     bp_str text, struct collecting *all)
{
    struct open_tokenizer *open = &source->open[tokenizer];
    int                    result;

    if (text.len == 0)
        return BP_OK;
    pthread_mutex_lock(&source->lock);
    result = open->methods.xTokenize(open->tokenizer, all, purpose, text.data, (int)text.len,
                                     collect);
    pthread_mutex_unlock(&source->lock);
    return result == SQLITE_OK
               ? BP_OK
               : bp_fail(all->call, BP_NO_MEMORY, "no memory for the terms of a text");
}

static int by_text(const void *left, const void *right)
{
    const struct token *a = left, *b = right;
    size_t              shorter = a->text.len < b->text.len ? a->text.len : b->text.len;
    int                 order = memcmp(a->text.data, b->text.data, shorter);

    return order ? order : (a->text.len > b->text.len) - (a->text.len < b->text.len);
}

/* Sorted, each once, in the call's memory. */
static bp_status finish(struct collecting *all, bp_status status, struct token_list *list)
{
    *list = (struct token_list){ .length = (uint32_t)all->count };
    if (status == BP_OK && all->count) {
        qsort(all->items, all->count, sizeof(*all->items), by_text);
        list->items = BP_NEW_ARRAY(all->call, struct token, all->count);
        if (!list->items)
            status = BP_NO_MEMORY;
    }
    for (size_t i = 0; status == BP_OK && i < all->count; i++) {
        if (list->count && bp_str_equal(list->items[list->count - 1].text, all->items[i].text))
            list->items[list->count - 1].times++;
        else
            list->items[list->count++] = all->items[i];
    }
    free(all->items);
    return status;
}

/* ---- the two kinds of text ---- */

bp_status tokens_of_passage(bp_call *call, struct token_source *source, words_tokenizer tokenizer,
                            bp_str passage, struct token_list *list)
{
    struct collecting all = { .call = call };

    return finish(&all, cut(source, tokenizer, FTS5_TOKENIZE_DOCUMENT, passage, &all), list);
}

bp_status tokens_of_query(bp_call *call, struct token_source *source, words_tokenizer tokenizer,
                          bp_str query, struct token_list *list)
{
    struct collecting  all = { .call = call };
    struct words_query words;
    bp_status          status;

    *list = (struct token_list){ 0 };
    BP_TRY(words_parse(call, tokenizer, query, &words));
    status = BP_OK;
    for (size_t i = 0; status == BP_OK && i < words.term_count; i++)
        for (unsigned n = 0; status == BP_OK && n < words.times[i]; n++)
            status = cut(source, tokenizer, FTS5_TOKENIZE_QUERY, words.terms[i], &all);
    return finish(&all, status, list);
}

/* ---- weights ---- */

double bm25_idf(uint64_t points, uint64_t with_term)
{
    double idf = log(((double)points - (double)with_term + 0.5) / ((double)with_term + 0.5));

    return idf > IDF_MIN
               ? idf
               : IDF_MIN; // a term that most points have; also when counts were read at two moments
}

double bm25_weight(double idf, uint32_t token_times, uint32_t frequency, uint32_t length,
                   double average_length)
{
    double f = frequency, relative = average_length > 0 ? (double)length / average_length : 0;

    return token_times * idf * f * (K1 + 1) / (f + K1 * (1 - B + B * relative));
}
