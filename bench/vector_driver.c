/* vector_driver.c - searches a vector store through its plugin, and through the server's own
 * client; bench/vector.sh compares.
 *
 *      vector_driver load|plugin PLUGIN.so URL THREADS SECONDS     our plugin in a fake host, a worker a thread
 *      vector_driver half|one|rare PLUGIN.so URL THREADS SECONDS   the same with a filter: 50 %, 1 %, 0.05 % of the points
 *      vector_driver pgvector|redisearch - URL THREADS SECONDS     libpq, prepared; hiredis
 *
 * "load" makes the collection and fills it; the others search it for ten neighbours and print
 * searches a second and the mean in ms. Both sides ask the same index with the same effort, and
 * read ids and scores.
 */
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <backplane/backplane.h>
#include <backplane/testhost.h>

enum {
    THREADS_MAX = 64,
    DIMENSIONS = 384,
    POINTS = 10000,
    BATCH = 500,
    NEIGHBOURS = 10,
    EFFORT = 128,
    QUERIES = 64
};

struct thread {
    pthread_t          thread;
    testhost_instance *instance;
    uint64_t           done;
    void (*search)(struct thread *t, const float *query);
    PGconn       *pg;
    redisContext *redis;
};

static testhost            *host;
static const bp_vector_ops *ops;
static atomic_bool          is_over;
static float                queries[QUERIES][DIMENSIONS];
static char                 index_name[300];
static const bp_filter     *filter;
static uint32_t             expected = NEIGHBOURS;

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

/* Unit vectors around a hundred centres, the same in every run. */
static void fill(float *vector, uint32_t seed)
{
    uint32_t centre = seed % 100 + 1, noise = seed * 2654435761u + 1;
    double   length = 0;

    for (int i = 0; i < DIMENSIONS; i++) {
        centre = centre * 1664525u + 1013904223u;
        noise = noise * 1664525u + 1013904223u;
        vector[i] = (float)((double)(centre >> 8) / (1 << 24) - 0.5 +
                            0.6 * ((double)(noise >> 8) / (1 << 24) - 0.5));
        length += (double)vector[i] * vector[i];
    }
    for (int i = 0; i < DIMENSIONS; i++)
        vector[i] = (float)(vector[i] / sqrt(length));
}

/* ---- the plugin ---- */

static void expect(bp_call *call, bp_status status, const char *what)
{
    if (status != BP_OK)
        fail(what, bp_dup(call, bp_error_of(call)->message).data);
}

static void load(struct thread *t)
{
    bp_vector_schema schema = { .struct_size = sizeof(schema),
                                .dimensions = DIMENSIONS,
                                .metric = BP_COSINE,
                                .model = BP_STR("bench"),
                                .language = BP_STR("en") };
    static float     vectors[BATCH][DIMENSIONS];
    static bp_point  points[BATCH];
    bp_call         *call = testhost_call_new(host, BP_SECONDS(3600));

    expect(call, ops->create(call, testhost_self(t->instance), BP_STR("bench"), &schema), "create");
    for (uint32_t at = 0; at < POINTS; at += BATCH) {
        for (uint32_t i = 0; i < BATCH; i++) {
            fill(vectors[i], at + i + 1);
            points[i] = (bp_point){ sizeof(bp_point),
                                    0,
                                    at + i + 1,
                                    vectors[i],
                                    BP_STR(""),
                                    bp_format(call, "{\"half\":%u,\"one\":\"of %u\",\"rare\":%u}",
                                              (at + i) % 2, (at + i) % 100, (at + i) % 2000) };
        }
        expect(call,
               ops->upsert(call, testhost_self(t->instance), BP_STR("bench"), points,
                           sizeof(bp_point), BATCH),
               "upsert");
    }
    testhost_call_end(call);
}

static void search_plugin(struct thread *t, const float *query)
{
    bp_call        *call = testhost_call_new(host, BP_SECONDS(60));
    bp_vector_query wanted = { .struct_size = sizeof(wanted),
                               .dimensions = DIMENSIONS,
                               .collection = BP_STR("bench"),
                               .vector = query,
                               .limit = NEIGHBOURS,
                               .effort = EFFORT,
                               .filter = filter };
    bp_leg vectors = { .struct_size = sizeof(vectors) }, words = { .struct_size = sizeof(words) };

    expect(call, ops->search(call, testhost_self(t->instance), &wanted, &vectors, &words),
           "search");
    if (vectors.hit_count != expected)
        fail("search", "it does not give as many neighbours as there are");
    testhost_call_end(call);
}

/* The points of which the filter `name` lets pass. */
static bool choose_filter(const char *name)
{
    static const bp_value one = { .type = BP_VALUE_NUMBER, .number = 1 },
                          of_one = { .type = BP_VALUE_STRING, .text = { "of 1", 4 } };
    static const bp_filter filters[] = {
        { .struct_size = sizeof(bp_filter),
          .op = BP_FILTER_IN,
          .field = { "half", 4 },
          .values = &one,
          .value_count = 1 },
        { .struct_size = sizeof(bp_filter),
          .op = BP_FILTER_IN,
          .field = { "one", 3 },
          .values = &of_one,
          .value_count = 1 },
        { .struct_size = sizeof(bp_filter),
          .op = BP_FILTER_IN,
          .field = { "rare", 4 },
          .values = &one,
          .value_count = 1 },
    };

    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
        if (bp_str_is(filters[i].field, name))
            filter = &filters[i];
    if (filter == &filters[2])
        expected = POINTS / 2000;
    return filter != NULL;
}

/* ---- libpq ---- */

static void open_pgvector(struct thread *t, const char *url)
{
    char      sql[512];
    PGresult *result;

    t->pg = PQconnectdb(url);
    if (PQstatus(t->pg) != CONNECTION_OK)
        fail("libpq", PQerrorMessage(t->pg));
    result = PQexec(t->pg, "SELECT tablename FROM pg_tables WHERE tablename LIKE 'bpv_points_%' "
                           "ORDER BY 1 LIMIT 1");
    if (PQntuples(result) != 1)
        fail("pgvector", "there is no table: load first");
    snprintf(sql, sizeof(sql),
             "SELECT id, -(vector <#> CAST($1 AS vector)) FROM %s ORDER BY vector <#> CAST($1 AS "
             "vector) LIMIT 10",
             PQgetvalue(result, 0, 0));
    PQclear(result);
    PQclear(PQexec(t->pg, "SET hnsw.ef_search = 128"));
    PQclear(PQexec(t->pg, "SET hnsw.iterative_scan = strict_order"));
    result = PQprepare(t->pg, "knn", sql, 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail("prepare", PQerrorMessage(t->pg));
    PQclear(result);
}

static void search_pgvector(struct thread *t, const float *query)
{
    char        text[DIMENSIONS * 16 + 4], *at = text;
    const char *values[] = { text };
    PGresult   *result;

    for (int i = 0; i < DIMENSIONS; i++)
        at += sprintf(at, "%c%.9g", i ? ',' : '[', (double)query[i]);
    strcpy(at, "]");
    result = PQexecPrepared(t->pg, "knn", 1, values, NULL, NULL, 0);
    if (PQntuples(result) != NEIGHBOURS)
        fail("search", PQerrorMessage(t->pg));
    PQclear(result);
}

/* ---- hiredis ---- */

static void open_redisearch(struct thread *t, const char *url)
{
    redisReply *reply;
    int         port = atoi(strrchr(url, ':') + 1);

    t->redis = redisConnect("127.0.0.1", port);
    if (!t->redis || t->redis->err)
        fail("hiredis", t->redis ? t->redis->errstr : "no memory");
    reply = redisCommand(t->redis, "FT._LIST");
    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 1)
        fail("redisearch", "there is not one index: load first");
    snprintf(index_name, sizeof(index_name), "%s", reply->element[0]->str);
    freeReplyObject(reply);
}

static void search_redisearch(struct thread *t, const float *query)
{
    redisReply *reply = redisCommand(t->redis,
                                     "FT.SEARCH %s %s PARAMS 6 k 10 q %b e 128 SORTBY d RETURN 1 v "
                                     "LIMIT 0 10 DIALECT 2",
                                     index_name, "*=>[KNN $k @v $q EF_RUNTIME $e AS d]", query,
                                     sizeof(float) * DIMENSIONS);

    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 1 + 2 * NEIGHBOURS)
        fail("search", reply && reply->str ? reply->str : "it does not give ten neighbours");
    freeReplyObject(reply);
}

/* ---- the run ---- */

static void *work(void *arg)
{
    struct thread *t = arg;

    while (!atomic_load(&is_over))
        t->search(t, queries[t->done++ % QUERIES]);
    return NULL;
}

static void open_plugin(struct thread *threads, int count, const char *path, const char *url)
{
    const testhost_option options[] = { { "url", url } };
    const bp_plugin      *plugin;

    host = testhost_new();
    plugin = testhost_load(host, path);
    for (int i = 0; plugin && i < count; i++)
        threads[i].instance = i ? testhost_instance_worker(threads[0].instance)
                                : testhost_instance_create(host, plugin, "main", options, 1);
    if (!plugin || !threads[0].instance)
        fail(path, testhost_problem(host));
    ops = testhost_ops(threads[0].instance);
    for (int i = 0; i < count; i++)
        threads[i].search = search_plugin;
}

int main(int argc, char **argv)
{
    static struct thread threads[THREADS_MAX];
    int      count = argc == 6 ? atoi(argv[4]) : 0, seconds = argc == 6 ? atoi(argv[5]) : 0;
    uint64_t done = 0;
    bool     is_ours;

    if (count < 1 || count > THREADS_MAX || seconds < 1)
        fail("usage", "vector_driver load|plugin|half|one|rare|pgvector|redisearch PLUGIN.so URL "
                      "THREADS SECONDS");
    is_ours = strcmp(argv[1], "load") == 0 || strcmp(argv[1], "plugin") == 0 ||
              choose_filter(argv[1]);
    if (is_ours)
        open_plugin(threads, count, argv[2], argv[3]);
    for (int i = 0; i < count && !is_ours; i++) {
        bool is_pg = strcmp(argv[1], "pgvector") == 0;

        (is_pg ? open_pgvector : open_redisearch)(&threads[i], argv[3]);
        threads[i].search = is_pg ? search_pgvector : search_redisearch;
    }
    for (uint32_t i = 0; i < QUERIES; i++)
        fill(queries[i], 1000000 + i);
    if (strcmp(argv[1], "load") == 0) {
        load(&threads[0]);
    } else {
        for (int i = 0; i < count; i++)
            pthread_create(&threads[i].thread, NULL, work, &threads[i]);
        nanosleep(&(struct timespec){ seconds, 0 }, NULL);
        atomic_store(&is_over, true);
        for (int i = 0; i < count; i++) {
            pthread_join(threads[i].thread, NULL);
            done += threads[i].done;
        }
        printf("%.0f %.3f\n", (double)done / seconds, 1000.0 * count * seconds / (double)done);
    }
    for (int i = count; i-- > 0 && is_ours;)
        testhost_instance_destroy(threads[i].instance);
    return 0;
}
