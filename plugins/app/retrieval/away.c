/* away.c - the vector store or the embedder cannot be reached: documents wait in the storage,
 * searches look there.
 *
 * Both are read by the same people at night, so what happens is plain: a document is either
 * committed and will be indexed, or refused with the reason; a search either says in its answer
 * that it is degraded, or fails.
 */
#include <stdlib.h>

#include "retrieval.h"
#include "filters/filters.h"
#include "words/tokens.h"

enum { CANDIDATES_MAX = 300, FILTERED_MAX = 3000, TERMS_MAX = 12, ENDING_BYTES_MAX = 3 };

bool away_is(bp_call *call, bp_status status)
{
    // LIMIT: every connection or place of ours is taken, which passes as well.
    return (status == BP_UNAVAILABLE || status == BP_UPSTREAM || status == BP_DEADLINE ||
            status == BP_LIMIT) &&
           bp_cancelled(call) == BP_OK;
}

/* ---- the queue ---- */

bp_status away_check_queue(bp_call *call, struct retrieval *self, int64_t size_bytes)
{
    int64_t waiting = 0;

    // While all is well nobody pays for a look at the queue; so the first batch that has to wait is
    // not measured.
    if (!self->queue_bytes || !atomic_load(&self->shared->is_queueing))
        return BP_OK;
    BP_TRY(store_waiting_bytes(call, self, &waiting));
    if (waiting + size_bytes <= self->queue_bytes)
        return BP_OK;
    return bp_fail(call, BP_UNAVAILABLE,
                   "the queue is full: %lld bytes of documents wait for the vector store \"" BP_FMT
                   "\" or the embedder \"" BP_FMT
                   "\", and the option `queue` allows %lld: these %lld were not taken, send them "
                   "again when they are back",
                   (long long)waiting, BP_ARG(self->vector->name), BP_ARG(self->embed->name),
                   (long long)self->queue_bytes, (long long)size_bytes);
}

bp_status away_queue(bp_call *call, struct retrieval *self, const struct collection *collection,
                     struct document *documents, size_t count, bp_status status)
{
    bp_str why;

    if (!self->queue_bytes || !away_is(call, status))
        return status;
    why = bp_dup(call, bp_error_of(call)->message);
    BP_TRY(store_mark(call, self, collection, documents, count, STATE_QUEUED));
    for (size_t i = 0; i < count; i++)
        documents[i].is_queued = !documents[i].is_unchanged && !documents[i].problem.len;
    if (!atomic_exchange(&self->shared->is_queueing, true))
        bp_log(call, BP_LOG_WARN,
               "documents are queued in the storage until they can be indexed: " BP_FMT,
               BP_ARG(why));
    bp_clear_error(call);
    return BP_OK;
}

/* ---- a search without the vector store ---- */

struct looking {
    struct retrieval        *self;
    const struct collection *collection;
    struct token_list        terms;
    bp_rows                  rows;     /* id, the words of the passage */
    uint64_t                 passages; /* of the collection */
    uint32_t                 limit;
    bp_hit                  *hits;
    size_t                   hit_count;
};

/* %lette%: what all forms of a word have in common, in lower case where that is ASCII's. */
static bp_str pattern_of(bp_call *call, bp_str word)
{
    bp_buf *buf = bp_buf_new(call, 1024);
    size_t  len = word.len < 128 ? word.len : 128, ending = len > 6   ? ENDING_BYTES_MAX
                                                            : len > 3 ? 1
                                                                      : 0;

    len -= ending;
    while (len > 1 && len < word.len && ((unsigned char)word.data[len] & 0xC0) == 0x80)
        len--; // not within a character
    bp_buf_add(buf, BP_STR("%"));
    for (size_t i = 0; i < len; i++) {
        char c = word.data[i];

        if (c == '%' || c == '_' || c == '\\')
            bp_buf_add(buf, BP_STR("\\"));
        c = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
        bp_buf_add(buf, bp_str_n(&c, 1));
    }
    bp_buf_add(buf, BP_STR("%"));
    return bp_buf_str(buf);
}

#define WORDS_OF_PASSAGE "d.title || ' ' || d.title || ' ' || c.heading || ' ' || c.body"

/* Only the rows with metadata that pass. */
static bp_status filter_candidates(bp_call *call, struct looking *l, const bp_filter *filter)
{
    bp_sql_value *kept = BP_NEW_ARRAY(call, bp_sql_value,
                                      l->rows.row_count * l->rows.column_count + 1);
    size_t        count = 0;

    if (!filter)
        return BP_OK;
    if (!kept)
        return BP_NO_MEMORY;
    BP_TRY(filters_check(call, filter));
    for (size_t i = 0; i < l->rows.row_count; i++) {
        const bp_sql_value *row = bp_row(&l->rows, i);
        bool                passes;

        BP_TRY(filters_decide(call, filter, row[2].text, &passes));
        if (passes)
            memcpy(kept + l->rows.column_count * count++, row, l->rows.column_count * sizeof(*row));
    }
    l->rows.values = kept;
    l->rows.row_count = count;
    return BP_OK;
}

/* The passages that hold the letters of any word, the newest first. With a filter more are read, as
 * it decides afterwards. */
static bp_status read_candidates(bp_call *call, struct looking *l, const struct words_query *words,
                                 const bp_filter *filter)
{
    bp_sql_value parameters[TERMS_MAX + 1];
    bp_buf      *sql = bp_buf_new(call, 16384);
    size_t       count = words->term_count < TERMS_MAX ? words->term_count : TERMS_MAX;
    bp_statement statement;
    bp_rows      all;

    parameters[0] = bp_sql_int(l->collection->id);
    bp_buf_add(sql, BP_STR("SELECT c.id, " WORDS_OF_PASSAGE
                           ", d.metadata FROM retrieval_documents d JOIN retrieval_chunks c ON "
                           "c.document_id = d.id WHERE d.collection_id = $1 AND ("));
    for (size_t i = 0; i < count; i++) {
        parameters[i + 1] = bp_sql_text(pattern_of(call, words->terms[i]));
        bp_buf_addf(sql, "%sLOWER(" WORDS_OF_PASSAGE ") LIKE $%zu ESCAPE '\\'", i ? " OR " : "",
                    i + 2);
    }
    bp_buf_addf(sql, ") ORDER BY c.id DESC LIMIT %d", filter ? FILTERED_MAX : CANDIDATES_MAX);
    BP_TRY(bp_buf_status(sql));
    statement = (bp_statement){ .struct_size = sizeof(statement),
                                .parameter_count = (uint32_t)count + 1,
                                .sql = bp_buf_str(sql),
                                .parameters = parameters };
    BP_TRY(bp_storage_exec(call, l->self->storage, NULL, &statement, &l->rows));
    BP_TRY(filter_candidates(call, l, filter));
    BP_TRY(
        bp_storage_exec(call, l->self->storage, NULL,
                        BP_SQL("SELECT COUNT(*) FROM retrieval_documents d JOIN retrieval_chunks c "
                               "ON c.document_id = d.id WHERE d.collection_id = $1",
                               bp_sql_int(l->collection->id)),
                        &all));
    l->passages = all.row_count ? (uint64_t)bp_row(&all, 0)[0].integer : 0;
    return BP_OK;
}

static uint32_t frequency_of(const struct token_list *passage, bp_str term)
{
    for (size_t low = 0, high = passage->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        bp_str text = passage->items[middle].text;
        int    order = memcmp(text.data, term.data, text.len < term.len ? text.len : term.len);

        if (order == 0 && text.len == term.len)
            return passage->items[middle].times;
        if (order < 0 || (order == 0 && text.len < term.len))
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

static int better_first(const void *a, const void *b)
{
    const bp_hit *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static bp_status weigh_job(bp_call *call, void *arg)
{
    struct looking    *l = arg;
    words_tokenizer    tokenizer = words_tokenizer_of(l->collection->language);
    struct token_list *lists = BP_NEW_ARRAY(call, struct token_list, l->rows.row_count + 1);
    uint64_t           length = 0;

    l->hits = BP_NEW_ARRAY(call, bp_hit, l->rows.row_count + 1);
    if (!lists || !l->hits)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < l->rows.row_count; i++) {
        BP_TRY(bp_cancelled(call));
        BP_TRY(tokens_of_passage(call, l->self->shared->tokens, tokenizer,
                                 bp_row(&l->rows, i)[1].text, &lists[i]));
        l->hits[i] = (bp_hit){ .id = (uint64_t)bp_row(&l->rows, i)[0].integer };
        length += lists[i].length;
    }
    for (size_t t = 0; t < l->terms.count; t++) {
        uint64_t with_term = 0;
        double   idf, average = l->rows.row_count ? (double)length / (double)l->rows.row_count : 1;

        for (size_t i = 0; i < l->rows.row_count; i++)
            with_term += frequency_of(&lists[i], l->terms.items[t].text) > 0;
        idf = bm25_idf(l->passages, with_term);
        for (size_t i = 0; i < l->rows.row_count; i++) {
            uint32_t times = frequency_of(&lists[i], l->terms.items[t].text);

            if (times)
                l->hits[i].score += bm25_weight(idf, l->terms.items[t].times, times,
                                                lists[i].length, average);
        }
    }
    qsort(l->hits, l->rows.row_count, sizeof(*l->hits), better_first);
    while (l->hit_count < l->rows.row_count && l->hit_count < l->limit &&
           l->hits[l->hit_count].score > 0)
        l->hit_count++;
    return BP_OK;
}

bp_status away_search_words(bp_call *call, struct retrieval *self,
                            const struct collection *collection, bp_str query,
                            const bp_filter *filter, uint32_t limit, bp_leg *leg)
{
    struct looking     looking = { .self = self, .collection = collection, .limit = limit };
    words_tokenizer    tokenizer = words_tokenizer_of(collection->language);
    struct words_query words;

    *leg = (bp_leg){ .struct_size = sizeof(*leg), .mode = SEARCH_IN_STORAGE };
    BP_TRY(words_parse(call, tokenizer, query, &words));
    BP_TRY(tokens_of_query(call, self->shared->tokens, tokenizer, query, &looking.terms));
    if (!words.term_count || !looking.terms.count)
        return BP_OK;
    BP_TRY(read_candidates(call, &looking, &words, filter));
    BP_TRY(bp_offload(call, NULL, weigh_job, &looking));
    leg->hits = looking.hits;
    leg->hit_count = (uint32_t)looking.hit_count;
    leg->rows_read = looking.rows.row_count;
    return BP_OK;
}
