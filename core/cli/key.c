/* key.c - `backplane key create|list|revoke`: API keys in the storage that server.auth names. */
#include <stdio.h>
#include <stdlib.h>

#include "api/keys.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/host.h"

struct key_job {
    struct host       *host;
    const char        *action, *id;
    struct key_request request;
    char               key[KEY_TEXT_BYTES];
};

static void print_list(const bp_json *list)
{
    printf("%-18s %-20s %-16s %-26s %-26s %s\n", "ID", "NAME", "TENANT", "CREATED", "ENDS", "SCOPES");
    for (size_t i = 0; i < json_count(list); i++) {
        const bp_json *key = json_at(list, i);
        bp_str         revoked = json_as_string(json_get(key, BP_STR("revoked_at")));
        bp_str         ends = json_as_string(json_get(key, BP_STR("expires_at")));
        char           end[40];

        snprintf(end, sizeof(end), "%s%.30s", revoked.len ? "revoked " : "",
                 revoked.len ? "" : ends.len ? ends.data : "never");
        printf("%-18s %-20s %-16s %-26s %-26s %s\n", json_as_string(json_get(key, BP_STR("id"))).data,
               json_as_string(json_get(key, BP_STR("name"))).data, json_as_string(json_get(key, BP_STR("tenant"))).data,
               json_as_string(json_get(key, BP_STR("created_at"))).data, end,
               json_as_string(json_get(key, BP_STR("scopes"))).data);
    }
}

static bp_status run_list(bp_call *call, const bp_peer *storage)
{
    struct bp_buf  buf;
    bp_json_writer w;
    const bp_json *list;
    char           problem[JSON_PROBLEM_BYTES];

    buf_init(&buf, call->arena, 64u << 20);
    json_writer_init(&w, &buf);
    BP_TRY(keys_list(call, storage, &w));
    if (json_parse(call->arena, buf_str(&buf), &list, problem) != BP_OK)
        return call_fail(call, BP_INTERNAL, "the list of keys cannot be read: %s", problem);
    print_list(list);
    return BP_OK;
}

static bp_status run_job(bp_call *call, void *arg)
{
    struct key_job  *job = arg;
    bp_str           name = job->host->conf->server.auth.storage;
    struct instance *storage = generation_find(job->host->generation, 0, BP_STR("storage"), name);

    if (!storage)
        return call_fail(call, BP_INVALID, "the conf has no server.auth.storage, which says where keys are kept");
    BP_TRY(keys_migrate(call, &storage->peer));
    if (strcmp(job->action, "create") == 0)
        return keys_create(call, &storage->peer, &job->request, job->key);
    if (strcmp(job->action, "revoke") == 0)
        return keys_revoke(call, &storage->peer, bp_str_of(job->id));
    return run_list(call, &storage->peer);
}

static int usage(void)
{
    fprintf(stderr, "usage: backplane key create [--name TEXT] [--tenant NAME] [--scopes \"A B\"] [--days N] [-c FILE]\n"
                    "       backplane key list [-c FILE]\n"
                    "       backplane key revoke ID [-c FILE]\n");
    return EXIT_USAGE;
}

static bool read_request(struct key_job *job, int *argc, char **argv)
{
    const char *name = cli_take_option(argc, argv, "--name"), *tenant = cli_take_option(argc, argv, "--tenant");
    const char *scopes = cli_take_option(argc, argv, "--scopes"), *days = cli_take_option(argc, argv, "--days");
    int64_t     count = 0;

    if (days && (!str_to_int(bp_str_of(days), &count) || count < 1 || count > 36500)) {
        fprintf(stderr, "backplane key: \"%s\" is not a number of days from 1 to 36500\n", days);
        return false;
    }
    job->request = (struct key_request){ .name = bp_str_of(name ? name : ""),
                                         .tenant = bp_str_of(tenant ? tenant : "default"),
                                         .scopes = bp_str_of(scopes ? scopes : "*"),
                                         .ttl_ns = count * BP_SECONDS(86400) };
    return true;
}

static int run(struct key_job *job, const char *conf_file)
{
    struct host_options options = { .conf_file = conf_file, .is_quiet = true, .only_kind = "storage" };
    struct host         host;
    char                problem[512], name[64];
    int                 status = host_load(&host, &options);

    job->host = &host;
    if (status == EXIT_DONE) {
        snprintf(name, sizeof(name), BP_FMT, BP_ARG(host.conf->server.auth.storage));
        options.only_name = name;
        if (!name[0]) {
            fprintf(stderr, "backplane key: %s has no server.auth.storage, which says where keys are kept\n", conf_file);
            status = EXIT_CONF;
        } else {
            status = host_start(&host, &options);
        }
    }
    if (status == EXIT_DONE && generation_call(&host.workers[0], BP_SECONDS(30), run_job, job, problem) != BP_OK) {
        fprintf(stderr, "backplane key: %s\n", problem);
        status = EXIT_FAILED;
    }
    if (host.workers)
        host_stop(&host);
    host_free(&host);
    return status;
}

int command_key(int argc, char **argv)
{
    struct key_job job = { .action = argc > 1 ? argv[1] : "" };
    const char    *conf_file = cli_take_conf(&argc, argv);
    int            status;

    job.action = argc > 1 ? argv[1] : "";
    if (!read_request(&job, &argc, argv) || !cli_is_all_taken(argc, argv, 2))
        return EXIT_USAGE;
    if (strcmp(job.action, "revoke") == 0 && argc == 3)
        job.id = argv[2];
    else if (argc != 2 || (strcmp(job.action, "create") != 0 && strcmp(job.action, "list") != 0))
        return usage();
    status = run(&job, conf_file);
    if (status != EXIT_DONE)
        return status;
    if (strcmp(job.action, "create") == 0) {
        printf("%s\n", job.key);
        fprintf(stderr, "This is the only time that the key is shown. Send it as: Authorization: Bearer KEY\n");
    } else if (job.id) {
        printf("revoked %s; servers that run take notice within 5 s\n", job.id);
    }
    return EXIT_DONE;
}
