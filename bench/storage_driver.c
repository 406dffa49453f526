/* storage_driver.c - runs the statements of pgbench through storage/postgres, so that
 * bench/storage.sh can compare them.
 *
 *      storage_driver PLUGIN.so URL select|write|transaction THREADS SECONDS SCALE
 *
 * Each thread is a worker of the plugin with one connection; what it prints is transactions a
 * second and the mean. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <backplane/backplane.h>
#include <backplane/testhost.h>

enum { THREADS_MAX = 64 };

struct thread {
    pthread_t          thread;
    testhost_instance *instance;
    uint64_t           done, seed;
};

static testhost             *host;
static const bp_storage_ops *ops;
static const char           *mode;
static atomic_bool           is_over;
static int64_t               accounts;

static int64_t pick(struct thread *t, int64_t count)
{
    t->seed = t->seed * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((t->seed >> 33) % (uint64_t)count) + 1;
}

static bp_status run_select(bp_call *call, void *self, struct thread *t)
{
    bp_rows rows = { .struct_size = sizeof(rows) };

    return ops->exec(call, self, NULL,
                     BP_SQL("SELECT abalance FROM pgbench_accounts WHERE aid = $1",
                            bp_sql_int(pick(t, accounts))),
                     &rows);
}

static bp_status run_write(bp_call *call, void *self, struct thread *t)
{
    return ops->exec(call, self, NULL,
                     BP_SQL("UPDATE pgbench_accounts SET abalance = abalance + $2 WHERE aid = $1",
                            bp_sql_int(pick(t, accounts)), bp_sql_int(pick(t, 100))),
                     NULL);
}

/* Five statements, all or none: ours in one pipeline, pgbench's one after another. */
static bp_status run_transaction(bp_call *call, void *self, struct thread *t)
{
    int64_t            aid = pick(t, accounts), delta = pick(t, 5000);
    const bp_statement statements[] = {
        *BP_SQL("UPDATE pgbench_accounts SET abalance = abalance + $2 WHERE aid = $1",
                bp_sql_int(aid), bp_sql_int(delta)),
        *BP_SQL("SELECT abalance FROM pgbench_accounts WHERE aid = $1", bp_sql_int(aid)),
        *BP_SQL("UPDATE pgbench_tellers SET tbalance = tbalance + $2 WHERE tid = $1",
                bp_sql_int(pick(t, 10)), bp_sql_int(delta)),
        *BP_SQL("UPDATE pgbench_branches SET bbalance = bbalance + $2 WHERE bid = $1",
                bp_sql_int(1), bp_sql_int(delta)),
        *BP_SQL("INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, $1, $2, "
                "CURRENT_TIMESTAMP)",
                bp_sql_int(aid), bp_sql_int(delta)),
    };

    return ops->batch(call, self, statements, 5, NULL);
}

static void *work(void *arg)
{
    struct thread *t = arg;
    bp_status (*run)(bp_call * call, void *self, struct thread *t) = strcmp(mode, "select") == 0
                                                                         ? run_select
                                                                     : strcmp(mode, "write") == 0
                                                                         ? run_write
                                                                         : run_transaction;

    while (!atomic_load(&is_over)) {
        bp_call *call = testhost_call_new(host, BP_SECONDS(60));

        if (run(call, testhost_self(t->instance), t) != BP_OK) {
            fprintf(stderr, BP_FMT "\n", BP_ARG(bp_error_of(call)->message));
            exit(1);
        }
        t->done++;
        testhost_call_end(call);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const testhost_option options[] = { { "url", argc > 2 ? argv[2] : "" }, { "pool_max", "1" } };
    int count = argc == 7 ? atoi(argv[4]) : 0, seconds = argc == 7 ? atoi(argv[5]) : 0;
    static struct thread threads[THREADS_MAX];
    const bp_plugin     *plugin;
    uint64_t             done = 0;

    if (count < 1 || count > THREADS_MAX || seconds < 1) {
        fprintf(stderr, "usage: storage_driver PLUGIN.so URL select|write|transaction THREADS "
                        "SECONDS SCALE\n");
        return 2;
    }
    mode = argv[3];
    accounts = (int64_t)atoi(argv[6]) * 100000;
    host = testhost_new();
    plugin = testhost_load(host, argv[1]);
    for (int i = 0; plugin && i < count; i++) {
        threads[i].instance = i ? testhost_instance_worker(threads[0].instance)
                                : testhost_instance_create(host, plugin, "main", options, 2);
        threads[i].seed = (uint64_t)(i + 1) * 7919;
    }
    if (!plugin || !threads[0].instance) {
        fprintf(stderr, "%s\n", testhost_problem(host));
        return 1;
    }
    ops = testhost_ops(threads[0].instance);
    for (int i = 0; i < count; i++)
        pthread_create(&threads[i].thread, NULL, work, &threads[i]);
    nanosleep(&(struct timespec){ seconds, 0 }, NULL);
    atomic_store(&is_over, true);
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i].thread, NULL);
        done += threads[i].done;
    }
    printf("%.0f %.3f\n", (double)done / seconds, 1000.0 * count * seconds / (double)done);
    for (int i = count; i-- > 0;)
        testhost_instance_destroy(threads[i].instance);
    testhost_free(host);
    return 0;
}
