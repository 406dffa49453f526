/* reindex.c - `backplane reindex` and `backplane verify data`: what a server is asked to do for the
 * data behind its searches.
 *
 * Both go through the server, which alone knows what is under way in its collections; without --url
 * one is started on the conf for as long as it takes.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/client.h"

enum { LOOKS_A_SECOND = 4, NAME_BYTES = 200, STALLED_S = 600 };

struct task {
    struct client client;
    const char   *command, *collection; /* NULL: all of them */
    bool          is_json, is_waiting;
    int           status;
};

static bool ask(struct task *task, const char *method, const char *collection, const char *rest,
                const bp_json **answer)
{
    char name[NAME_BYTES * 3 + 1], path[NAME_BYTES * 3 + 64];

    client_encode(bp_str_of(collection), name, sizeof(name));
    snprintf(path, sizeof(path), "/api/v1/collections/%s%s", name, rest);
    if (client_send(&task->client, method, path, "application/json", BP_STR(""), answer))
        return true;
    fprintf(stderr, "backplane %s: %s: %s\n", task->command, collection, task->client.problem);
    task->status = EXIT_FAILED;
    return false;
}

static int64_t number_of(const bp_json *answer, const char *name)
{
    return json_as_integer(json_get(answer, bp_str_of(name)));
}

static void pause_a_little(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 1000000000 / LOOKS_A_SECOND }, NULL);
}

/* ---- reindex ---- */

static void wait_for_build(struct task *task, const char *collection)
{
    struct progress progress;
    const bp_json  *answer;
    int64_t         done = 0;
    int64_t         moved_ns = clock_now_ns();

    for (bool is_begun = false;; is_begun = true) {
        int64_t documents, behind;

        if (!ask(task, "GET", collection, "", &answer))
            return;
        documents = number_of(answer, "documents");
        behind = number_of(answer, "behind");
        if (!is_begun)
            progress_start(&progress, collection, documents);
        progress_add(&progress, documents - behind - done);
        moved_ns = documents - behind != done ? clock_now_ns() : moved_ns;
        done = documents - behind;
        if (!bp_str_is(json_as_string(json_get(answer, BP_STR("state"))), "building"))
            break;
        if (clock_now_ns() - moved_ns > BP_SECONDS(STALLED_S)) {
            fprintf(stderr,
                    "backplane %s: %s: no document was done for %d minutes: the server's log and "
                    "/health say why\n",
                    task->command, collection, STALLED_S / 60);
            task->status = EXIT_FAILED;
            break;
        }
        pause_a_little();
    }
    progress_end(&progress);
}

static void reindex_one(struct task *task, const char *collection)
{
    const bp_json *answer;

    if (!ask(task, "POST", collection, "/reindex", &answer))
        return;
    if (task->is_json)
        printf("%s\n", buf_str(&task->client.answer).data);
    else
        printf("%s: %lld documents are indexed anew\n", collection,
               (long long)number_of(answer, "behind"));
    fflush(stdout);
    if (task->is_waiting)
        wait_for_build(task, collection);
}

/* ---- verify ---- */

static void verify_one(struct task *task, const char *collection)
{
    const bp_json *answer;
    int64_t        missing;

    if (!ask(task, "POST", collection, "/verify", &answer))
        return;
    missing = number_of(answer, "missing");
    if (task->is_json)
        printf("%s\n", buf_str(&task->client.answer).data);
    else
        printf("%s: %lld documents, %lld passages; the vector store has %lld points, %lld are "
               "missing, %lld were needless and are removed; %lld documents are indexed anew\n",
               collection, (long long)number_of(answer, "documents"),
               (long long)number_of(answer, "passages"), (long long)number_of(answer, "points"),
               (long long)missing, (long long)number_of(answer, "needless"),
               (long long)number_of(answer, "behind"));
    fflush(stdout);
    if (task->is_waiting)
        wait_for_build(task, collection);
    if (missing)
        task->status = EXIT_FAILED;
}

/* ---- both ---- */

static void run_each(struct task *task, void (*run)(struct task *task, const char *collection))
{
    const bp_json *answer, *list;
    char(*names)[NAME_BYTES + 1];
    size_t count;

    if (task->collection) {
        run(task, task->collection);
        return;
    }
    if (!client_send(&task->client, "GET", "/api/v1/collections", "application/json", BP_STR(""),
                     &answer)) {
        fprintf(stderr, "backplane %s: %s\n", task->command, task->client.problem);
        task->status = EXIT_FAILED;
        return;
    }
    list = json_get(answer, BP_STR("collections"));
    count = json_count(list);
    names = calloc(count + 1, sizeof(*names)); // the next answer takes the place of this one
    if (!names) {
        task->status = EXIT_FAILED;
        return;
    }
    for (size_t i = 0; i < count; i++)
        snprintf(names[i], sizeof(names[i]), BP_FMT,
                 BP_ARG(json_as_string(json_get(json_at(list, i), BP_STR("name")))));
    for (size_t i = 0; i < count; i++)
        run(task, names[i]);
    free(names);
}

static int run_task(struct task *task, const char *url, const char *conf_file,
                    void (*run)(struct task *task, const char *collection))
{
    task->status = client_open(&task->client, url, conf_file);
    if (task->status == EXIT_DONE)
        run_each(task, run);
    client_close(&task->client);
    return task->status;
}

int command_reindex(int argc, char **argv)
{
    const char *conf_file = cli_take_conf(&argc, argv),
               *url = cli_take_option(&argc, argv, "--url");
    struct task task = { .command = "reindex",
                         .collection = cli_take_option(&argc, argv, "--collection"),
                         .is_json = cli_take_flag(&argc, argv, "--json") };
    bool        is_all = cli_take_flag(&argc, argv, "--all");

    task.is_waiting = !cli_take_flag(&argc, argv, "--no-wait");
    if (!cli_is_all_taken(argc, argv, 0) || is_all == (task.collection != NULL) ||
        (!task.is_waiting && !url)) {
        fprintf(stderr, "usage: backplane reindex --collection NAME | --all [--json] [--url URL "
                        "[--no-wait] | -c FILE]\n");
        return EXIT_USAGE;
    }
    return run_task(&task, url, conf_file, reindex_one);
}

int command_verify(int argc, char **argv)
{
    const char *conf_file = cli_take_conf(&argc, argv),
               *url = cli_take_option(&argc, argv, "--url");
    struct task task = { .command = "verify data",
                         .collection = cli_take_option(&argc, argv, "--collection"),
                         .is_json = cli_take_flag(&argc, argv, "--json"),
                         .is_waiting = true };

    if (!cli_is_all_taken(argc, argv, 1) || argc != 2 || strcmp(argv[1], "data") != 0) {
        fprintf(stderr, "usage: backplane verify data [--collection NAME] [--json] [--url URL | -c "
                        "FILE]\n");
        return EXIT_USAGE;
    }
    return run_task(&task, url, conf_file, verify_one);
}
