/* eval.c - `backplane eval`: how good is a collection's search, by queries with relevance
 * judgements.
 *
 * queries.jsonl has {"id", "text"} a line, qrels.tsv "query TAB document TAB grade". A document's
 * rank is that of its best chunk. nDCG@10 uses the grade over log2(rank + 1) against the ideal
 * order, as trec_eval does; queries without a positive judgement are left out.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/client.h"

enum { RANKS = 100, JUDGEMENTS_MAX = 4096 };

struct judgement {
    char *query, *document;
    int   grade;
};

struct evaluation {
    struct judgement *judgements;
    size_t            count;
    double            ndcg, recall;
    int64_t           queries;
};

static bool read_judgements(struct evaluation *e, const char *path)
{
    FILE   *file = fopen(path, "re");
    char   *line = NULL;
    size_t  size = 0, capacity = 0;
    ssize_t len;
    int     number = 0;

    if (!file) {
        fprintf(stderr, "backplane eval: %s cannot be read: %s\n", path, strerror(errno));
        return false;
    }
    while ((len = getline(&line, &size, file)) > 0) {
        bp_str  rest = { line, (size_t)len }, query, document;
        int64_t grade;

        number++;
        while (rest.len && (rest.data[rest.len - 1] == '\n' || rest.data[rest.len - 1] == '\r'))
            rest.len--;
        query = str_split(rest, '\t', &rest);
        document = str_split(rest, '\t', &rest);
        if (!query.len || !document.len || !str_to_int(str_trim(rest), &grade)) {
            fprintf(stderr, "backplane eval: %s:%d: not \"query TAB document TAB grade\"\n", path,
                    number);
            free(line);
            fclose(file);
            return false;
        }
        if (e->count == capacity) {
            capacity = capacity ? capacity * 2 : 1024;
            e->judgements = realloc(e->judgements, capacity * sizeof(*e->judgements));
            if (!e->judgements)
                abort();
        }
        e->judgements[e->count++] = (struct judgement){ strndup(query.data, query.len),
                                                        strndup(document.data, document.len),
                                                        (int)grade };
    }
    free(line);
    fclose(file);
    return true;
}

static void free_judgements(struct evaluation *e)
{
    for (size_t i = 0; i < e->count; i++) {
        free(e->judgements[i].query);
        free(e->judgements[i].document);
    }
    free(e->judgements);
}

static double gain(int grade, size_t rank)
{
    return grade > 0 ? grade / log2((double)rank + 1) : 0;
}

static int descending(const void *a, const void *b)
{
    return *(const int *)b - *(const int *)a;
}

static int grade_of(const struct evaluation *e, bp_str query, bp_str document)
{
    for (size_t i = 0; i < e->count; i++)
        if (bp_str_is(query, e->judgements[i].query) &&
            bp_str_is(document, e->judgements[i].document))
            return e->judgements[i].grade;
    return 0;
}

/* Adds one query's figures. `documents` are in the order found, each once. */
static void judge(struct evaluation *e, bp_str query, const bp_str *documents, size_t count)
{
    int    ideal[JUDGEMENTS_MAX];
    size_t positive = 0, found = 0;
    double dcg = 0, best = 0;

    for (size_t i = 0; i < e->count && positive < JUDGEMENTS_MAX; i++)
        if (bp_str_is(query, e->judgements[i].query) && e->judgements[i].grade > 0)
            ideal[positive++] = e->judgements[i].grade;
    if (positive == 0)
        return;
    qsort(ideal, positive, sizeof(int), descending);
    for (size_t i = 0; i < positive && i < 10; i++)
        best += gain(ideal[i], i + 1);
    for (size_t i = 0; i < count && i < RANKS; i++) {
        int grade = grade_of(e, query, documents[i]);

        if (grade > 0)
            found++;
        if (i < 10)
            dcg += gain(grade, i + 1);
    }
    e->queries++;
    e->ndcg += dcg / best;
    e->recall += (double)found / (double)positive;
}

static bp_str search_body(struct arena *arena, const char *collection, bp_str text,
                          const char *mode)
{
    struct bp_buf  buf;
    bp_json_writer w;

    buf_init(&buf, arena, 1u << 20);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "collection", collection);
    json_put_string(&w, "query", text);
    json_put_integer(&w, "limit", RANKS);
    json_put_text(&w, "group_by", "document");
    json_put_bool(&w, "with_text", false);
    if (mode)
        json_put_text(&w, "mode", mode);
    json_end(&w);
    return buf_str(&buf);
}

static bool run_query(struct evaluation *e, struct client *client, const char *collection,
                      const char *mode, struct arena *arena, const bp_json *query)
{
    bp_str         documents[RANKS], id = json_as_string(json_get(query, BP_STR("id")));
    const bp_json *answer, *hits;
    size_t         count = 0;

    if (!client_send(client, "POST", "/api/v1/search", "application/json",
                     search_body(arena, collection, json_as_string(json_get(query, BP_STR("text"))),
                                 mode),
                     &answer))
        return false;
    hits = json_get(answer, BP_STR("hits"));
    for (size_t i = 0; i < json_count(hits) && count < RANKS; i++)
        documents[count++] = json_as_string(json_get(json_at(hits, i), BP_STR("document")));
    judge(e, id, documents, count);
    return true;
}

static bool run_queries(struct evaluation *e, struct client *client, const char *collection,
                        const char *mode, const char *path)
{
    FILE           *file = fopen(path, "re");
    char           *line = NULL, problem[JSON_PROBLEM_BYTES];
    size_t          size = 0;
    ssize_t         len;
    int             number = 0;
    bool            is_good = true;
    struct arena    arena;
    struct progress progress;

    if (!file) {
        fprintf(stderr, "backplane eval: %s cannot be read: %s\n", path, strerror(errno));
        return false;
    }
    arena_init(&arena, 16u << 20);
    progress_start(&progress, "queries", 0);
    while (is_good && (len = getline(&line, &size, file)) > 0) {
        const bp_json *query;

        number++;
        if (json_parse(&arena, (bp_str){ line, (size_t)len }, &query, problem) != BP_OK) {
            fprintf(stderr, "backplane eval: %s:%d: %s\n", path, number, problem);
            is_good = false;
        } else if (!run_query(e, client, collection, mode, &arena, query)) {
            fprintf(stderr, "backplane eval: %s\n", client->problem);
            is_good = false;
        }
        progress_add(&progress, 1);
        arena_reset(&arena);
    }
    progress_end(&progress);
    arena_free(&arena);
    free(line);
    fclose(file);
    return is_good;
}

int command_eval(int argc, char **argv)
{
    const char *conf_file = cli_take_conf(&argc, argv),
               *url = cli_take_option(&argc, argv, "--url");
    const char *collection = cli_take_option(&argc, argv, "--collection");
    const char *queries = cli_take_option(&argc, argv, "--queries"),
               *qrels = cli_take_option(&argc, argv, "--qrels");
    const char       *mode = cli_take_option(&argc, argv, "--mode");
    bool              is_json = cli_take_flag(&argc, argv, "--json");
    struct evaluation e = { 0 };
    struct client     client;
    int               status;

    if (!cli_is_all_taken(argc, argv, 0) || !collection || !queries || !qrels) {
        fprintf(stderr, "usage: backplane eval --collection NAME --queries queries.jsonl --qrels "
                        "qrels.tsv [--json] [--mode hybrid|words|vector] [--url URL | -c FILE]\n");
        return EXIT_USAGE;
    }
    if (!read_judgements(&e, qrels)) {
        free_judgements(&e);
        return EXIT_FAILED;
    }
    status = client_open(&client, url, conf_file);
    if (status == EXIT_DONE && !run_queries(&e, &client, collection, mode, queries))
        status = EXIT_FAILED;
    client_close(&client);
    free_judgements(&e);
    if (status == EXIT_DONE && e.queries == 0) {
        fprintf(stderr,
                "backplane eval: none of the queries has a positive judgement: do the ids of %s "
                "and %s agree?\n",
                queries, qrels);
        status = EXIT_FAILED;
    }
    if (status != EXIT_DONE)
        return status;
    if (is_json)
        printf("{\"collection\":\"%s\",\"queries\":%lld,\"ndcg_at_10\":%.4f,\"recall_at_100\":%.4f}"
               "\n",
               collection, (long long)e.queries, e.ndcg / (double)e.queries,
               e.recall / (double)e.queries);
    else
        printf("%lld queries: nDCG@10 %.4f, recall@100 %.4f\n", (long long)e.queries,
               e.ndcg / (double)e.queries, e.recall / (double)e.queries);
    return EXIT_DONE;
}
