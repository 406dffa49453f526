/* db.c - `backplane db`: what a storage holds and how it is, and its upkeep. */
#include <stdio.h>

#include <backplane/storage.h>
#include <backplane/vector.h>

#include "cli/cli.h"
#include "host/host.h"

static const struct {
    const char *word;
    bool        is_done; /* else it is asked */
    const char *said;    /* when it was done */
} actions[] = {
    { "size", false, NULL },        { "connections", false, NULL },
    { "bloat", false, NULL },       { "tables", false, NULL },
    { "vacuum", true, "vacuumed" }, { "reindex", true, "indexes were rebuilt" },
};
enum { OUTPUT_BYTES_MAX = 64 << 20 };
enum { ACTIONS = sizeof(actions) / sizeof(actions[0]) };

struct db_job {
    struct host *host;
    size_t       action;
    const char  *storage, *table, *vector;
    bool         is_json;
};

/* ---- output ---- */

static int cell(char *text, size_t size, const bp_sql_value *value)
{
    switch (value->type) {
    case BP_SQL_INTEGER:
        return snprintf(text, size, "%lld", (long long)value->integer);
    case BP_SQL_REAL:
        return snprintf(text, size, "%g", value->real);
    case BP_SQL_TEXT:
        return snprintf(text, size, BP_FMT, BP_ARG(value->text));
    default:
        return snprintf(text, size, "-");
    }
}

static void print_table(const bp_rows *rows)
{
    char text[512];

    for (uint32_t pass = 0, widths[16] = { 0 }; pass < 2; pass++)
        for (size_t r = 0; r <= rows->row_count; r++) {
            for (uint32_t c = 0; c < rows->column_count && c < 16; c++) {
                const bp_sql_value *value = r ? &bp_row(rows, r - 1)[c] : NULL;
                int                 len = value ? cell(text, sizeof(text), value)
                                                : snprintf(text, sizeof(text), BP_FMT, BP_ARG(rows->columns[c]));

                if (pass == 0 && (uint32_t)len > widths[c])
                    widths[c] = (uint32_t)len > 60 ? 60 : (uint32_t)len;
                if (pass == 1)
                    printf(value && value->type == BP_SQL_INTEGER ? "%*s%s" : "%-*s%s",
                           (int)widths[c], text, c + 1 < rows->column_count ? "  " : "\n");
            }
        }
}

static bp_status print_json(bp_call *call, const bp_rows *rows)
{
    struct bp_buf  buf;
    bp_json_writer w;

    buf_init(&buf, call->arena, OUTPUT_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_ARRAY);
    for (size_t r = 0; r < rows->row_count; r++) {
        json_begin(&w, JSON_KIND_OBJECT);
        for (uint32_t c = 0; c < rows->column_count; c++) {
            const bp_sql_value *value = &bp_row(rows, r)[c];

            json_key(&w, rows->columns[c]);
            if (value->type == BP_SQL_INTEGER)
                json_add_integer(&w, value->integer);
            else if (value->type == BP_SQL_REAL)
                json_add_number(&w, value->real);
            else if (value->type == BP_SQL_TEXT)
                json_add_string(&w, value->text);
            else
                json_add_null(&w);
        }
        json_end(&w);
    }
    json_end(&w);
    printf("%s\n", buf_str(&buf).data);
    return BP_OK;
}

/* ---- the command ---- */

static bp_status run_job(bp_call *call, void *arg)
{
    const struct db_job *job = arg;
    struct instance *storage = generation_find(job->host->edition->generation, 0, BP_STR("storage"),
                                               bp_str_of(job->storage));
    const bp_storage_ops *ops = storage ? storage->peer.ops : NULL;
    bp_str                word = bp_str_of(actions[job->action].word);
    bp_rows               rows = { .struct_size = sizeof(rows) };

    if (!storage)
        return call_fail(call, BP_NOT_FOUND, "the conf has no storage \"%s\"", job->storage);
    if (actions[job->action].is_done ? !BP_HAS(ops, bp_storage_ops, maintain)
                                     : !BP_HAS(ops, bp_storage_ops, inspect))
        return call_fail(call, BP_UNSUPPORTED,
                         "the storage \"%s\" cannot do that: its plugin is for an older host",
                         job->storage);
    if (actions[job->action].is_done)
        return ops->maintain(call, storage->peer.instance, word,
                             bp_str_of(job->table ? job->table : ""));
    BP_TRY(ops->inspect(call, storage->peer.instance, word, &rows));
    if (job->is_json)
        return print_json(call, &rows);
    print_table(&rows);
    return BP_OK;
}

/* Starts one instance, and runs the command on it. */
static int run(struct db_job *job, const char *conf_file, const char *kind, const char *name,
               bp_status (*work)(bp_call *call, void *arg))
{
    struct host_options options = {
        .conf_file = conf_file, .is_quiet = true, .only_kind = kind, .only_name = name
    };
    struct host   host;
    struct reason why;
    int           status = host_load(&host, &options);

    job->host = &host;
    if (status == EXIT_DONE)
        status = host_start(&host, &options);
    if (status == EXIT_DONE &&
        generation_call(&host.workers[0], BP_SECONDS(86400), work, job, &why) != BP_OK) {
        fprintf(stderr, "backplane db: %s\n", why.text);
        status = EXIT_FAILED;
    }
    if (host.workers)
        host_stop(&host);
    host_free(&host);
    return status;
}

/* ---- vector stores ---- */

enum { VECTORS_MAX = 64 };

static bp_status vacuum_vectors(bp_call *call, void *arg)
{
    const struct db_job *job = arg;
    struct instance *store = generation_find(job->host->edition->generation, 0, BP_STR("vector"),
                                             bp_str_of(job->vector));
    bp_status        status;

    if (!store)
        return call_fail(call, BP_NOT_FOUND, "the conf has no vector store \"%s\"", job->vector);
    status = ((const bp_vector_ops *)store->peer.ops)
                 ->maintain(call, store->peer.instance, BP_STR("vacuum"));
    if (status == BP_OK)
        printf("vector store \"%s\": vacuumed\n", job->vector);
    return status == BP_UNSUPPORTED ? BP_OK : status; // its server does that by itself
}

/* The files of vector stores, one after the other: each is used by one process, so that a server
 * that has one must be stopped for it, which its lock says. */
static int vacuum_all_vectors(struct db_job *job, const char *conf_file)
{
    struct host_options options = {
        .conf_file = conf_file, .is_quiet = true, .only_kind = "storage", .only_name = job->storage
    };
    struct host host;
    char        names[VECTORS_MAX][128];
    size_t      count = 0;
    int         status = host_load(&host, &options), failed;

    for (size_t i = 0; status == EXIT_DONE && i < host.conf->instance_count && count < VECTORS_MAX;
         i++)
        if (strcmp(host.conf->instances[i].kind, "vector") == 0)
            snprintf(names[count++], sizeof(names[0]), BP_FMT,
                     BP_ARG(host.conf->instances[i].name));
    host_free(&host);
    for (size_t i = 0; i < count; i++) {
        job->vector = names[i];
        failed = run(job, conf_file, "vector", names[i], vacuum_vectors);
        if (failed != EXIT_DONE)
            status = failed;
    }
    return status;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: backplane db size|connections|bloat|tables [--storage NAME] [--json] [-c "
            "FILE]\n"
            "       backplane db vacuum|reindex [--table NAME] [--storage NAME] [-c FILE]\n");
    return EXIT_USAGE;
}

int command_db(int argc, char **argv)
{
    const char *conf_file = cli_take_conf(&argc, argv),
               *storage = cli_take_option(&argc, argv, "--storage");
    struct db_job job = { .storage = storage ? storage : "main",
                          .table = cli_take_option(&argc, argv, "--table"),
                          .is_json = cli_take_flag(&argc, argv, "--json") };
    int           status;

    if (!cli_is_all_taken(argc, argv, 2))
        return EXIT_USAGE;
    while (argc == 2 && job.action < ACTIONS && strcmp(argv[1], actions[job.action].word) != 0)
        job.action++;
    if (argc != 2 || job.action == ACTIONS || (job.table && !actions[job.action].is_done))
        return usage();
    status = run(&job, conf_file, "storage", job.storage, run_job);
    if (status == EXIT_DONE && actions[job.action].is_done)
        printf("%s of storage \"%s\": %s\n", job.table ? job.table : "all tables", job.storage,
               actions[job.action].said);
    if (status == EXIT_DONE && !job.table && strcmp(actions[job.action].word, "vacuum") == 0 &&
        !storage)
        status = vacuum_all_vectors(&job, conf_file);
    return status;
}
