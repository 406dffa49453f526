/* commands_eval.c - `backplane eval`: how good is a collection's search, by queries with relevance
 * judgements.
 *
 * queries.jsonl has {"id", "text"} a line, qrels.tsv "query TAB document TAB grade". A document's
 * rank is that of its best chunk. nDCG@10 uses the grade over log2(rank + 1) against the ideal
 * order, as trec_eval does; queries without a positive judgement are left out.
 */
#include "commands.h"

#include <limits.h>
#include <math.h>

enum { RANKS = 100, BEST_RANKS = 10 };

struct judgement {
    bp_str query, document; /* of the file's bytes */
    int    grade;
};

struct evaluation {
    struct retrieval *self;
    bp_command_run   *run;
    struct judgement *judgements;
    size_t            count;
    enum search_mode  mode;
    double            ndcg, recall;
    int64_t           queries;
    bool              is_given_up;
};

/* ---- the files ---- */

static bp_str take_until(bp_str *rest, char stop)
{
    const char *at = rest->len ? memchr(rest->data, stop, rest->len) : NULL;
    bp_str      piece = at ? bp_str_n(rest->data, (size_t)(at - rest->data)) : *rest;

    *rest = bp_str_n(rest->data + piece.len + (at != NULL), rest->len - piece.len - (at != NULL));
    return piece;
}

static bool read_grade(bp_str text, int *grade)
{
    bool   is_negative;
    size_t i;

    while (text.len && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = bp_str_n(text.data + 1, text.len - 1);
    while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    is_negative = text.len && text.data[0] == '-';
    *grade = 0;
    for (i = is_negative; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        if (*grade < INT_MAX / 16)
            *grade = *grade * 10 + text.data[i] - '0';
    if (is_negative)
        *grade = -*grade;
    return i == text.len && text.len > (size_t)is_negative;
}

static size_t count_lines(bp_str text)
{
    size_t count = 1;

    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == '\n';
    return count;
}

static bp_status read_judgements(bp_call *call, struct evaluation *e)
{
    bp_str text;

    BP_TRY(bp_command_option_file(call, e->run, "qrels", &text));
    e->judgements = BP_NEW_ARRAY(call, struct judgement, count_lines(text));
    if (!e->judgements)
        return BP_NO_MEMORY;
    for (int number = 1; text.len; number++) {
        bp_str            line = take_until(&text, '\n');
        struct judgement *judgement = &e->judgements[e->count];

        while (line.len && line.data[line.len - 1] == '\r')
            line.len--;
        judgement->query = take_until(&line, '\t');
        judgement->document = take_until(&line, '\t');
        if (!judgement->query.len || !judgement->document.len ||
            !read_grade(line, &judgement->grade)) {
            e->is_given_up = true;
            return command_complain(call, e->run,
                                    "backplane eval: " BP_FMT
                                    ":%d: not \"query TAB document TAB grade\"\n",
                                    BP_ARG(bp_command_option_value(e->run, "qrels")), number);
        }
        e->count++;
    }
    return BP_OK;
}

/* ---- the figures ---- */

static double gain(int grade, size_t rank)
{
    return grade > 0 ? grade / log2((double)rank + 1) : 0;
}

/* Puts a grade into its place among the best ones, the greatest first. */
static void keep_best(int *best, int grade)
{
    for (size_t i = 0; i < BEST_RANKS; i++)
        if (grade > best[i]) {
            int moved = best[i];

            best[i] = grade;
            grade = moved;
        }
}

static int grade_of(const struct evaluation *e, bp_str query, bp_str document)
{
    for (size_t i = 0; i < e->count; i++)
        if (bp_str_equal(query, e->judgements[i].query) &&
            bp_str_equal(document, e->judgements[i].document))
            return e->judgements[i].grade;
    return 0;
}

/* Adds one query's figures. The hits are in the order found, a document once. */
static void judge(struct evaluation *e, bp_str query, const struct search_hit *hits, size_t count)
{
    int    ideal[BEST_RANKS] = { 0 };
    size_t positive = 0, found = 0;
    double dcg = 0, best = 0;

    for (size_t i = 0; i < e->count; i++)
        if (bp_str_equal(query, e->judgements[i].query) && e->judgements[i].grade > 0) {
            keep_best(ideal, e->judgements[i].grade);
            positive++;
        }
    if (positive == 0)
        return;
    for (size_t i = 0; i < BEST_RANKS; i++)
        best += gain(ideal[i], i + 1);
    for (size_t i = 0; i < count; i++) {
        int grade = grade_of(e, query, hits[i].document);

        if (grade > 0)
            found++;
        if (i < BEST_RANKS)
            dcg += gain(grade, i + 1);
    }
    e->queries++;
    e->ndcg += dcg / best;
    e->recall += (double)found / (double)positive;
}

/* ---- the queries ---- */

static bp_status run_query(bp_call *call, struct evaluation *e, bp_str line, int number)
{
    bp_str               collection = bp_command_option_value(e->run, "collection");
    struct search_query  query = search_query_of(e->self, BP_STR(""), RANKS);
    struct collection    found;
    struct search_result result;
    const bp_json       *json;

    if (bp_json_read(call, line, &json) != BP_OK) {
        e->is_given_up = true;
        BP_TRY(command_complain(call, e->run, "backplane eval: " BP_FMT ":%d: " BP_FMT "\n",
                                BP_ARG(bp_command_option_value(e->run, "queries")), number,
                                BP_ARG(bp_error_of(call)->message)));
        bp_clear_error(call);
        return BP_OK;
    }
    query.text = bp_json_string(bp_json_get(json, "text"));
    query.mode = e->mode;
    query.by_document = true;
    query.with_text = false;
    BP_TRY(search_named(call, e->self, collection, &query, &found, &result));
    judge(e, bp_json_string(bp_json_get(json, "id")), result.hits, result.count);
    return BP_OK;
}

static bp_status run_queries(bp_call *call, struct evaluation *e)
{
    bp_str text;

    BP_TRY(bp_command_option_file(call, e->run, "queries", &text));
    for (int number = 1; text.len && !e->is_given_up; number++) {
        bp_str    line = take_until(&text, '\n');
        bp_status status;

        BP_TRY(bp_scratch_begin(call));
        status = run_query(call, e, line, number);
        bp_scratch_end(call);
        BP_TRY(status);
        BP_TRY(bp_command_progress(call, e->run, "queries", number, 0));
    }
    return bp_command_progress(call, e->run, NULL, 0, 0);
}

static bp_status print_figures(bp_call *call, const struct evaluation *e)
{
    double ndcg = e->ndcg / (double)e->queries, recall = e->recall / (double)e->queries;
    bp_str collection = bp_command_option_value(e->run, "collection");

    return bp_command_print(call, e->run,
                            bp_command_is_set(e->run, "json")
                                ? bp_format(call,
                                            "{\"collection\":\"" BP_FMT
                                            "\",\"queries\":%lld,\"ndcg_at_10\":%.4f,\"recall_at_"
                                            "100\":%.4f}\n",
                                            BP_ARG(collection), (long long)e->queries, ndcg, recall)
                                : bp_format(call, "%lld queries: nDCG@10 %.4f, recall@100 %.4f\n",
                                            (long long)e->queries, ndcg, recall));
}

bp_status eval_command(bp_call *call, void *instance, bp_command_run *run)
{
    struct evaluation *e = BP_NEW(call, struct evaluation);

    if (!e)
        return BP_NO_MEMORY;
    *e = (struct evaluation){ .self = instance, .run = run };
    if (!search_read_mode(bp_command_option_value(run, "mode"), &e->mode))
        return bp_fail(call, BP_INVALID, "\"mode\" is \"hybrid\", \"words\" or \"vector\"");
    BP_TRY(read_judgements(call, e));
    if (!e->is_given_up)
        BP_TRY(run_queries(call, e));
    if (e->is_given_up)
        return BP_OK;
    if (e->queries)
        return print_figures(call, e);
    return command_complain(call, run,
                            "backplane eval: none of the queries has a positive judgement: do the "
                            "ids of " BP_FMT " and " BP_FMT " agree?\n",
                            BP_ARG(bp_command_option_value(run, "queries")),
                            BP_ARG(bp_command_option_value(run, "qrels")));
}
