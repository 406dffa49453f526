/* key.c - `backplane key create|list|revoke`: API keys in the storage that server.auth names. */
#include <stdio.h>
#include <time.h>

#include <backplane/command.h>

#include "api/keys.h"
#include "base/str.h"
#include "cli/cli.h"
#include "host/host.h"
#include "conf/hint.h"
#include "conf/value.h"

enum { KEY_DAYS = 90, LIST_BYTES_MAX = 64 << 20, SCOPES_BYTES_MAX = 64 << 10 };

struct key_job {
    struct host       *host;
    const char        *action, *id;
    struct key_request request;
    char               key[KEY_TEXT_BYTES], scopes[1024];
    bool               takes_any_scope, is_json;
    bool               is_given; /* an option of `create` */
};

/* As GNU date prints it in UTC, or never. */
static void say_end(int64_t ttl_ns, char text[64])
{
    time_t    end = time(NULL) + (time_t)(ttl_ns / BP_SECONDS(1));
    struct tm utc;

    snprintf(text, 64, "never");
    if (ttl_ns && gmtime_r(&end, &utc))
        strftime(text, 64, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static void print_list(const bp_json *list)
{
    printf("%-18s %-20s %-16s %-26s %-26s %s\n", "ID", "NAME", "TENANT", "CREATED", "ENDS",
           "SCOPES");
    for (size_t i = 0; i < json_count(list); i++) {
        const bp_json *key = json_at(list, i);
        bp_str         revoked = json_as_string(json_get(key, BP_STR("revoked_at")));
        bp_str         ends = json_as_string(json_get(key, BP_STR("expires_at")));
        char           end[40];

        snprintf(end, sizeof(end), "%s%.30s", revoked.len ? "revoked " : "",
                 revoked.len ? ""
                 : ends.len  ? ends.data
                             : "never");
        printf("%-18s %-20s %-16s %-26s %-26s %s\n",
               json_as_string(json_get(key, BP_STR("id"))).data,
               json_as_string(json_get(key, BP_STR("name"))).data,
               json_as_string(json_get(key, BP_STR("tenant"))).data,
               json_as_string(json_get(key, BP_STR("created_at"))).data, end,
               json_as_string(json_get(key, BP_STR("scopes"))).data);
    }
}

static bp_status run_list(bp_call *call, const bp_peer *storage, bool is_json)
{
    struct bp_buf  buf;
    bp_json_writer w;
    const bp_json *list;
    struct reason  why;

    buf_init(&buf, call->arena, LIST_BYTES_MAX);
    json_writer_init(&w, &buf);
    BP_TRY(keys_list(call, storage, &w));
    if (json_parse(call->arena, buf_str(&buf), &list, &why) != BP_OK)
        return call_fail(call, BP_INTERNAL, "the list of keys cannot be read: %s", why.text);
    if (is_json)
        printf(BP_FMT "\n", BP_ARG(buf_str(&buf)));
    else
        print_list(list);
    return BP_OK;
}

static bp_status run_job(bp_call *call, void *arg)
{
    struct key_job  *job = arg;
    bp_str           name = job->host->conf->server.auth.storage;
    struct instance *storage = generation_find(job->host->edition->generation, 0, BP_STR("storage"),
                                               name);

    BP_TRY(keys_migrate(call, &storage->peer));
    if (strcmp(job->action, "create") == 0)
        return keys_create(call, &storage->peer, &job->request, job->key);
    if (strcmp(job->action, "revoke") == 0)
        return keys_revoke(call, &storage->peer, bp_str_of(job->id));
    return run_list(call, &storage->peer, job->is_json);
}

static int usage(void)
{
    fprintf(stderr, "usage: backplane key create --scopes \"A B\" [--name TEXT] [--tenant NAME] "
                    "[--expires 90d|never] [-c FILE]\n"
                    "       backplane key list [-c FILE]\n"
                    "       backplane key revoke ID [-c FILE]\n"
                    "`backplane key create --help` lists all options.\n");
    return EXIT_USAGE;
}

/* ---- scopes ---- */

/* Every scope that a route, tool, resource, prompt or command of the conf's apps asks for, and
 * those of the host; separated by blanks. */
static void add_scope(struct bp_buf *scopes, const char *scope)
{
    if (!scope || !*scope || str_has_word(buf_str(scopes), bp_str_of(scope)))
        return;
    if (scopes->len)
        buf_add_char(scopes, ' ');
    buf_add(scopes, bp_str_of(scope));
}

/* The member `scope` of each entry of a table that a plugin made, as far as its entries have one.
 */
static void add_table(struct bp_buf *scopes, const void *table, size_t stride, size_t count,
                      size_t offset)
{
    for (size_t i = 0; table && offset + sizeof(char *) <= stride && i < count; i++) {
        const char *scope;

        memcpy(&scope, (const char *)table + i * stride + offset, sizeof(scope));
        add_scope(scopes, scope);
    }
}

static bp_str known_scopes(struct host *host)
{
    struct bp_buf scopes;

    buf_init(&scopes, &host->conf->arena, SCOPES_BYTES_MAX);
    add_table(&scopes, api_host_routes, sizeof(bp_route), api_host_route_count,
              offsetof(bp_route, scope));
    for (size_t i = 0; i < host->edition->generation->unit_count; i++) {
        const struct unit *unit = host->edition->generation->units[i];
        const bp_app_ops  *app = unit->plugin->descriptor.ops;

        if (strcmp(unit->conf->kind, "app") != 0)
            continue;
        add_table(&scopes, app->routes, app->route_size, app->route_count,
                  offsetof(bp_route, scope));
        add_table(&scopes, app->tools, app->tool_size, app->tool_count,
                  offsetof(bp_mcp_tool, scope));
        add_table(&scopes, app->resources, app->resource_size, app->resource_count,
                  offsetof(bp_mcp_resource, scope));
        add_table(&scopes, app->prompts, app->prompt_size, app->prompt_count,
                  offsetof(bp_mcp_prompt, scope));
        add_table(&scopes, app->commands, app->command_size, app->command_count,
                  offsetof(bp_command, scope));
    }
    return buf_str(&scopes);
}

/* `group:*` is good when there is any scope of that group. */
static bool is_scope(bp_str scope, bp_str known)
{
    if (bp_str_is(scope, "*") || str_has_word(known, scope))
        return true;
    if (scope.len < 3 || memcmp(scope.data + scope.len - 2, ":*", 2) != 0)
        return false;
    while (known.len) {
        bp_str one = str_split(known, ' ', &known);

        if (one.len >= scope.len && memcmp(one.data, scope.data, scope.len - 1) == 0)
            return true;
    }
    return false;
}

static bool check_scopes(struct key_job *job)
{
    bp_str known = known_scopes(job->host), rest = job->request.scopes;

    while (rest.len) {
        bp_str      scope = str_split(rest, ' ', &rest), all = known;
        struct hint hint = hint_for(scope);

        if (!scope.len || is_scope(scope, known))
            continue;
        while (all.len)
            hint_offer(&hint, str_split(all, ' ', &all));
        fprintf(stderr,
                "backplane key: no app of %s asks for the scope \"" BP_FMT
                "\"%s; there are: " BP_FMT ", GROUP:* and *. --any-scope accepts it\n",
                job->host->conf->file, BP_ARG(scope), hint_text(&job->host->conf->arena, &hint),
                BP_ARG(known));
        return false;
    }
    return true;
}

/* Commas will do as well as blanks. */
static bp_str plain_scopes(const char *scopes, char out[1024])
{
    size_t len = 0;

    for (; scopes && *scopes && len < 1023; scopes++)
        out[len++] = *scopes == ',' || *scopes == '\t' || *scopes == '\n' ? ' ' : *scopes;
    out[len] = '\0';
    return str_trim(bp_str_n(out, len));
}

static bool read_expiry(const char *expires, const char *days, int64_t *ttl_ns)
{
    struct value_hint hint = { .text = "" };
    const char       *problem = NULL;
    int64_t           count = 0;

    *ttl_ns = KEY_DAYS * BP_SECONDS(86400);
    if (days && (!str_to_int(bp_str_of(days), &count) || count < 1 || count > 36500)) {
        fprintf(stderr, "backplane key: \"%s\" is not a number of days from 1 to 36500\n", days);
        return false;
    }
    if (days)
        *ttl_ns = count * BP_SECONDS(86400);
    if (!expires)
        return true;
    if (strcmp(expires, "never") == 0)
        *ttl_ns = 0;
    else
        problem = value_duration(bp_str_of(expires), ttl_ns, &hint);
    if (!problem && strcmp(expires, "never") != 0 &&
        (*ttl_ns < BP_SECONDS(60) || *ttl_ns > 36500 * BP_SECONDS(86400)))
        problem = "is not from 1m to 36500d";
    if (problem)
        fprintf(stderr, "backplane key: --expires: \"%s\" %s; or write never\n", expires, problem);
    return !problem;
}

static bool read_request(struct key_job *job, int *argc, char **argv)
{
    const char *name = cli_take_option(argc, argv, "--name"),
               *tenant = cli_take_option(argc, argv, "--tenant");
    const char *scopes = cli_take_option(argc, argv, "--scopes"),
               *days = cli_take_option(argc, argv, "--days");
    const char *expires = cli_take_option(argc, argv, "--expires");
    int64_t     ttl_ns;

    job->takes_any_scope = cli_take_flag(argc, argv, "--any-scope");
    job->is_json = cli_take_flag(argc, argv, "--json");
    job->is_given = name || tenant || scopes || days || expires || job->takes_any_scope;
    if (!read_expiry(expires, days, &ttl_ns))
        return false;
    job->request = (struct key_request){ .name = bp_str_of(name ? name : ""),
                                         .tenant = bp_str_of(tenant ? tenant : "default"),
                                         .scopes = plain_scopes(scopes, job->scopes),
                                         .ttl_ns = ttl_ns };
    return true;
}

static int run(struct key_job *job, const char *conf_file)
{
    struct host_options options = { .conf_file = conf_file,
                                    .is_quiet = true,
                                    .only_kind = "storage" };
    struct host         host;
    struct reason       why;
    char                name[64];
    int                 status = host_load(&host, &options);

    job->host = &host;
    if (status == EXIT_DONE) {
        snprintf(name, sizeof(name), BP_FMT, BP_ARG(host.conf->server.auth.storage));
        options.only_name = name;
        if (!name[0]) {
            fprintf(stderr,
                    "backplane key: %s has no server.auth.storage: name the storage instance for "
                    "the keys\n",
                    conf_file);
            status = EXIT_CONF;
        } else {
            status = host_start(&host, &options);
        }
    }
    if (status == EXIT_DONE && strcmp(job->action, "create") == 0 && !job->takes_any_scope &&
        !check_scopes(job))
        status = EXIT_USAGE;
    if (status == EXIT_DONE &&
        generation_call(&host.workers[0], BP_SECONDS(30), run_job, job, &why) != BP_OK) {
        fprintf(stderr, "backplane key: %s\n", why.text);
        status = EXIT_FAILED;
    }
    if (host.workers)
        host_stop(&host);
    host_free(&host);
    return status;
}

static void print_created(const struct key_job *job)
{
    char end[64];

    say_end(job->request.ttl_ns, end);
    if (job->is_json) {
        printf("{\"key\":\"%s\",\"scopes\":\"" BP_FMT "\",\"expires_at\":%s%s%s}\n", job->key,
               BP_ARG(job->request.scopes), job->request.ttl_ns ? "\"" : "",
               job->request.ttl_ns ? end : "null", job->request.ttl_ns ? "\"" : "");
        return;
    }
    printf("%s\n", job->key);
    if (job->request.ttl_ns)
        fprintf(stderr, "It ends at %s (--expires says when, or never).\n", end);
    else
        fprintf(stderr, "It never ends: revoke it when you no longer need it.\n");
    fprintf(stderr, "The key is shown only once. Send it as: Authorization: Bearer KEY\n");
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
    if (strcmp(job.action, "create") != 0 && job.is_given) {
        fprintf(stderr,
                "backplane key %s: --scopes, --name, --tenant, --expires, --days and --any-scope "
                "are for `key create`\n",
                job.action);
        return EXIT_USAGE;
    }
    if (strcmp(job.action, "create") == 0 && !job.request.scopes.len) {
        fprintf(stderr, "backplane key create: --scopes is required: what the key may do, such as "
                        "--scopes \"retrieval:read\", or --scopes \"*\" for everything\n");
        return EXIT_USAGE;
    }
    status = run(&job, conf_file);
    if (status != EXIT_DONE)
        return status;
    if (strcmp(job.action, "create") == 0)
        print_created(&job);
    else if (job.id && job.is_json)
        printf("{\"revoked\":\"%s\"}\n", job.id);
    else if (job.id)
        printf("revoked %s; running servers notice within 5 s\n", job.id);
    return EXIT_DONE;
}
