/* app_contract.c - the contract of any app: it gives a usable answer to all input, and goes on.
 *
 * The cases know of the app what its tables say, and come as clients do: over HTTP, and over MCP
 * for its tools.
 */
#include "app_client.h"

#include <stdio.h>

enum {
    SUSPENSIONS_MAX = 200,
    SLOW_MAX_S = 20,
    CHILDREN = 3,
    ROUNDS = 3,
    NEXT = 0,
    SMALL_EVERY = 4,
    HUGE_MAX_BYTES = 64 << 20
};

/* Runs once for each route and tool. */
typedef bp_status (*with_target)(bp_call *call, const struct conform *conform,
                                 const struct app_target *target);

static bp_status for_each_target(bp_call *call, const struct conform *conform, with_target run)
{
    for (size_t i = 0; i < app_target_count(conform); i++) {
        struct app_target target = app_target_at(conform, i);
        bp_status         status;

        BP_TRY(bp_scratch_begin(call));
        status = run(call, conform, &target);
        bp_scratch_end(call);
        BP_TRY(status);
    }
    return BP_OK;
}

/* ---- the description ---- */

static bp_status check_schema(bp_call *call, const struct conform *conform, const char *label,
                              const char *which, const char *schema)
{
    bp_str    said;
    bp_status status = schema ? conform->web->fits(call, bp_str_of(schema), BP_STR("null")) : BP_OK;

    if (status != BP_DATA)
        return BP_OK;
    said = bp_dup(call, bp_error_of(call)->message);
    return bp_fail(call, BP_INTERNAL, "%s of %s: " BP_FMT, which, label, BP_ARG(said));
}

/* "/a/{name}/{rest...}" as OpenAPI writes it, "/a/{name}/{rest}". */
static bp_str openapi_path(bp_call *call, const char *path)
{
    char  *out = bp_alloc(call, strlen(path) + 1);
    size_t len = 0;

    for (size_t i = 0; out && path[i]; i++)
        if (strncmp(path + i, "...}", 4) != 0)
            out[len++] = path[i];
        else
            i += 2;
    return out ? bp_str_n(out, len) : bp_str_of(path);
}

static bp_status check_parameters(bp_call *call, const struct app_target *target,
                                  const bp_json *operation)
{
    const bp_json *parameters = bp_json_get(operation, "parameters");

    for (const char *at = strchr(target->route->path, '{'); at; at = strchr(at + 1, '{')) {
        bp_str name = bp_str_n(at + 1, strcspn(at + 1, ".}"));
        bool   is_there = false;

        for (size_t i = 0; i < bp_json_count(parameters); i++) {
            const bp_json *parameter = bp_json_at(parameters, i);

            is_there |= bp_str_equal(bp_json_string(bp_json_get(parameter, "name")), name) &&
                        bp_str_is(bp_json_string(bp_json_get(parameter, "in")), "path") &&
                        bp_json_bool(bp_json_get(parameter, "required"));
        }
        CONFORM_THAT(call, is_there,
                     "the description of %s lacks the parameter \"" BP_FMT "\" of its path",
                     target->label, BP_ARG(name));
    }
    return BP_OK;
}

static bp_status check_description(bp_call *call, const struct conform *conform,
                                   const struct app_target *target, const bp_json *paths)
{
    char           method[16];
    bp_str         path = openapi_path(call, target->route->path);
    const bp_json *operation, *item = NULL, *value;
    size_t         cursor = 0, len = strlen(target->route->method);
    bp_str         key;

    for (size_t i = 0; i <= len && i < sizeof(method); i++)
        method[i] = (char)(target->route->method[i] | (i < len ? 0x20 : 0));
    while (bp_json_entry(paths, &cursor, &key, &value))
        if (bp_str_equal(key, path))
            item = value;
    operation = bp_json_get(item, method);
    CONFORM_THAT(call, operation,
                 "%s is not in the description: it has no \"" BP_FMT "\" with \"%s\"",
                 target->label, BP_ARG(path), method);
    CONFORM_THAT(call, bp_json_get(operation, "responses"),
                 "the description of %s has no responses", target->label);
    BP_TRY(check_schema(call, conform, target->label, "the schema of the body",
                        app_target_schema(call, target).data));
    BP_TRY(check_schema(call, conform, target->label, "the schema of the answer",
                        app_schema_of(call, target->route->response_schema, target->results).data));
    return check_parameters(call, target, operation);
}

static bp_status routes_are_described(bp_call *call, struct conform *conform)
{
    struct conform_request request = { .method = "GET",
                                       .target = BP_STR("/openapi.json"),
                                       .time_ns = -1 };
    struct conform_reply   reply;
    const bp_json         *description;

    BP_TRY(conform->web->ask(call, &request, &reply));
    CONFORM_THAT(call, reply.status == 200, "GET /openapi.json answers with %d", reply.status);
    CONFORM_STATUS(call, bp_json_parse(call, reply.body, &description), BP_OK);
    CONFORM_THAT(call,
                 bp_str_starts(bp_json_string(bp_json_get(description, "openapi")), "3.1") &&
                     bp_json_get(bp_json_get(description, "info"), "title") &&
                     bp_json_get(bp_json_get(description, "info"), "version"),
                 "the description is not one of OpenAPI 3.1");
    for (size_t i = 0; i < app_target_count(conform); i++) {
        struct app_target target = app_target_at(conform, i);

        if (target.route)
            BP_TRY(check_description(call, conform, &target, bp_json_get(description, "paths")));
    }
    return BP_OK;
}

/* ---- anything at all ---- */

static bp_status send_body(bp_call *call, const struct conform *conform,
                           const struct app_target *target, bp_str body)
{
    struct conform_request request;

    BP_TRY(app_request_with(call, conform, target, body, &request));
    return app_ask(call, conform, target, &request);
}

static const char *const wrong_values[] = {
    "null", "true", "-1", "1e300",    "9223372036854775807", "\"\"", "\"x\"",
    "[]",   "[[]]", "{}", "{\"\":{}}"
};

/* Each property of the schema in turn, with values of every type: what does not fit a tool's schema
 * must be refused. */
static bp_status break_properties(bp_call *call, const struct conform *conform,
                                  const struct app_target *target)
{
    bp_str         schema = app_target_schema(call, target), name, body;
    const bp_json *root, *value;
    size_t         cursor = 0;

    BP_TRY(bp_json_parse(call, schema, &root));
    while (bp_json_entry(bp_json_get(root, "properties"), &cursor, &name, &value)) {
        for (size_t i = 0; i < sizeof(wrong_values) / sizeof(wrong_values[0]); i++) {
            struct sample_wish wish = { .broken = name, .broken_json = bp_str_of(wrong_values[i]) };
            struct conform_request request;
            struct conform_reply   reply;

            BP_TRY(sample_json(call, schema, &wish, &body));
            BP_TRY(app_request_with(call, conform, target, body, &request));
            BP_TRY(app_ask(call, conform, target, &request));
            if (!target->tool || conform->web->fits(call, schema, body) == BP_OK)
                continue;
            BP_TRY(conform->web->ask(call, &request, &reply));
            CONFORM_THAT(call, app_is_refused(call, &reply),
                         "%s takes arguments that its schema does not allow: " BP_FMT,
                         target->label, BP_ARG(body));
        }
    }
    return BP_OK;
}

/* A client that sends too much may find the connection closed before it has sent it all. */
static bp_status send_too_much(bp_call *call, const struct conform *conform,
                               const struct app_target *target)
{
    int64_t                limit = target->route->body_max_bytes ? target->route->body_max_bytes
                                                                 : conform->web->max_body_bytes;
    struct conform_request request;
    struct conform_reply   reply;
    char                  *body;

    if (limit >= HUGE_MAX_BYTES || (strcmp(target->route->method, "GET") == 0))
        return BP_OK;
    body = bp_alloc(call, (size_t)limit + 1);
    if (!body)
        return BP_NO_MEMORY;
    memset(body, ' ', (size_t)limit + 1);
    BP_TRY(app_request_with(call, conform, target, bp_str_n(body, (size_t)limit + 1), &request));
    BP_TRY(conform->web->ask(call, &request, &reply));
    return reply.status ? app_judge(call, target, &reply) : BP_OK;
}

static bp_status send_anything(bp_call *call, const struct conform *conform,
                               const struct app_target *target)
{
    static const char *const bodies[] = {
        "", "[]", "{}", "null", "7", "\"text\"", "{", "[{}]", "\xff\xfe", "{\"a\":{\"b\":[[[[]]]]}}"
    };

    if (target->tool)
        return BP_OK;
    BP_TRY(send_body(call, conform, target, (bp_str){ NULL, 0 }));
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        BP_TRY(send_body(call, conform, target, bp_str_of(bodies[i])));
    if (app_target_schema(call, target).data)
        BP_TRY(break_properties(call, conform, target));
    return send_too_much(call, conform, target);
}

static bp_status routes_answer_whatever_comes(bp_call *call, struct conform *conform)
{
    return for_each_target(call, conform, send_anything);
}

/* "/a/{rest...}" takes what lies below other routes as well. */
static bool takes_any_path(const struct conform *conform)
{
    for (size_t i = 0; i < conform->web->app->route_count; i++)
        if (strstr(app_target_at(conform, i).route->path, "...}"))
            return true;
    return false;
}

static bp_status expect_refusals(bp_call *call, const struct conform *conform,
                                 const struct app_target *target)
{
    struct conform_request request;
    struct conform_reply   reply;

    if (target->tool)
        return BP_OK;
    BP_TRY(app_request_with(call, conform, target, (bp_str){ NULL, 0 }, &request));
    request.method = "TRACE"; // no app may serve it
    BP_TRY(conform->web->ask(call, &request, &reply));
    CONFORM_THAT(call, reply.status == 405 && reply.allow.len > 0,
                 "TRACE at the path of %s is answered with %d%s", target->label, reply.status,
                 reply.allow.len ? "" : " and no Allow");
    request.method = target->route->method;
    request.target = bp_format(call, BP_FMT "/-/conform/no/such/path", BP_ARG(request.target));
    BP_TRY(conform->web->ask(call, &request, &reply));
    CONFORM_THAT(call, reply.status == 404 || takes_any_path(conform),
                 "%s below its path is answered with %d", target->label, reply.status);
    return BP_OK;
}

static bp_status strangers_are_turned_away(bp_call *call, struct conform *conform)
{
    return for_each_target(call, conform, expect_refusals);
}

/* ---- awkward texts ---- */

static bp_status send_strings(bp_call *call, const struct conform *conform,
                              const struct app_target *target)
{
    for (size_t i = 0; i < conform->string_count; i++) {
        for (int is_whole = 0; is_whole < 2; is_whole++) {
            struct sample_wish     wish = { .text = conform->strings[i], .is_whole = is_whole };
            struct conform_request request;
            bp_status              status;

            if (!is_whole && i % SMALL_EVERY)
                continue; // the whole one has it in the same places, and more
            BP_TRY(bp_scratch_begin(call));
            status = app_request_make(call, conform, target, &wish, &request);
            if (status == BP_OK)
                status = app_ask(call, conform, target, &request);
            bp_scratch_end(call);
            BP_TRY(status);
        }
    }
    return BP_OK;
}

static bp_status send_strings_to_route(bp_call *call, const struct conform *conform,
                                       const struct app_target *target)
{
    return target->route ? send_strings(call, conform, target) : BP_OK;
}

static bp_status send_strings_to_tool(bp_call *call, const struct conform *conform,
                                      const struct app_target *target)
{
    return target->tool ? send_strings(call, conform, target) : BP_OK;
}

static bp_status routes_take_awkward_texts(bp_call *call, struct conform *conform)
{
    return for_each_target(call, conform, send_strings_to_route);
}

static bp_status tools_take_awkward_texts(bp_call *call, struct conform *conform)
{
    return for_each_target(call, conform, send_strings_to_tool);
}

/* ---- tools ---- */

static bp_status try_tool(bp_call *call, const struct conform *conform,
                          const struct app_target *target)
{
    static const char *const no_objects[] = { "[]", "7", "\"text\"" }; // null is as good as none
    struct conform_request   request;
    struct conform_reply     reply;

    if (!target->tool)
        return BP_OK;
    BP_TRY(check_schema(call, conform, target->label, "the schema of the arguments",
                        app_target_schema(call, target).data));
    BP_TRY(check_schema(call, conform, target->label, "the schema of the result",
                        app_schema_of(call, target->tool->output_schema, target->results).data));
    CONFORM_THAT(call, target->tool->description && *target->tool->description,
                 "%s does not say what it does", target->label);
    BP_TRY(app_ask_simply(call, conform, target));
    for (size_t i = 0; i < sizeof(no_objects) / sizeof(no_objects[0]); i++) {
        BP_TRY(app_request_with(call, conform, target, bp_str_of(no_objects[i]), &request));
        BP_TRY(conform->web->ask(call, &request, &reply));
        BP_TRY(app_judge(call, target, &reply));
        CONFORM_THAT(call, app_is_refused(call, &reply),
                     "%s takes arguments that are no object: %s", target->label, no_objects[i]);
    }
    return app_target_schema(call, target).data ? break_properties(call, conform, target) : BP_OK;
}

static bp_status tools_answer_and_keep_to_their_schemas(bp_call *call, struct conform *conform)
{
    if (app_target_count(conform) == conform->web->app->route_count)
        return conform_skip(call, "it has no tools");
    return for_each_target(call, conform, try_tool);
}

/* ---- cancelled, hurried ---- */

/* A request that was cut short or took too long may be answered in any way but as a fault of the
 * app. */
static bp_status ask_apart(bp_call *call, const struct conform *conform,
                           const struct app_target *target, uint32_t cancel_at, int64_t time_ns,
                           uint32_t *suspensions)
{
    static const struct sample_wish small = { .is_whole = false };
    int64_t                         begun_ns = bp_now_ns();
    struct conform_request          request;
    struct conform_reply            reply;

    BP_TRY(app_request_make(call, conform, target, &small, &request));
    request.cancel_at = cancel_at;
    request.time_ns = time_ns;
    BP_TRY(conform->web->ask(call, &request, &reply));
    *suspensions = reply.suspensions;
    CONFORM_THAT(call, bp_now_ns() - begun_ns < BP_SECONDS(SLOW_MAX_S),
                 "%s, cancelled at suspension %u or with %lld ms left, took %.1f s", target->label,
                 cancel_at, (long long)(time_ns / 1000000), (double)(bp_now_ns() - begun_ns) / 1e9);
    CONFORM_THAT(call, reply.status != 500,
                 "%s, cancelled at suspension %u or with %lld ms left, answers with 500: %.*s",
                 target->label, cancel_at, (long long)(time_ns / 1000000),
                 (int)(reply.body.len < 300 ? reply.body.len : 300), reply.body.data);
    return app_ask_simply(call, conform, target);
}

static bp_status cancel_target(bp_call *call, const struct conform *conform,
                               const struct app_target *target)
{
    uint32_t suspensions;

    for (uint32_t n = 1; n <= SUSPENSIONS_MAX; n++) {
        bp_status status;

        BP_TRY(bp_scratch_begin(call));
        status = ask_apart(call, conform, target, n, -1, &suspensions);
        bp_scratch_end(call);
        BP_TRY(status);
        if (suspensions < n)
            return BP_OK;
    }
    return BP_OK;
}

static bp_status cancelled_calls_disturb_no_other(bp_call *call, struct conform *conform)
{
    return for_each_target(call, conform, cancel_target);
}

static bp_status hurry_target(bp_call *call, const struct conform *conform,
                              const struct app_target *target)
{
    static const int64_t times_ns[] = { 0, BP_MILLISECONDS(1), BP_MILLISECONDS(20) };
    uint32_t             suspensions;

    for (size_t i = 0; i < sizeof(times_ns) / sizeof(times_ns[0]); i++)
        BP_TRY(ask_apart(call, conform, target, 0, times_ns[i], &suspensions));
    return BP_OK;
}

static bp_status deadlines_are_kept(bp_call *call, struct conform *conform)
{
    return for_each_target(call, conform, hurry_target);
}

/* ---- many at once, for long ---- */

static bp_status ask_everything(bp_call *child, void *arg)
{
    for (int i = 0; i < ROUNDS; i++)
        BP_TRY(for_each_target(child, arg, app_ask_simply));
    return BP_OK;
}

static bp_status all_workers_ask_at_once(bp_call *call, struct conform *conform)
{
    bp_child *children[CHILDREN];
    bp_status status = BP_OK;

    for (int i = 0; i < CHILDREN; i++)
        BP_TRY(bp_spawn(call, "ask", ask_everything, conform, &children[i]));
    for (int i = 0; i < CHILDREN && status == BP_OK; i++)
        status = bp_join(call, children[i]);
    return status;
}

/* One reading route or tool, the next one each time: the writes are meant to stay. */
static bp_status op_read(bp_call *call, struct conform *conform)
{
    size_t count = app_target_count(conform);

    for (size_t tried = 0; tried < count; tried++) {
        struct app_target target = app_target_at(conform,
                                                 (size_t)conform->counters[NEXT]++ % count);

        if (app_target_reads(&target))
            return app_ask_simply(call, conform, &target);
    }
    return BP_OK;
}

static bp_status a_long_run_does_not_grow(bp_call *call, struct conform *conform)
{
    static const struct conform_op op = { "a request", op_read };

    return conform_do_not_grow(call, conform, &op, 1);
}

/* ---- a restart of the host ---- */

/* So that there is something: cases before may have deleted all they made. */
static bp_status write_something(bp_call *call, const struct conform *conform,
                                 const struct app_target *target)
{
    static const struct sample_wish whole = { .text = { "conform", 7 }, .is_whole = true };
    struct conform_request          request;

    if (app_target_reads(target) || (target->tool ? target->tool->flags & BP_TOOL_DESTRUCTIVE
                                                  : !strcmp(target->route->method, "DELETE")))
        return BP_OK;
    BP_TRY(app_request_make(call, conform, target, &whole, &request));
    return app_ask(call, conform, target, &request);
}

static bp_status lists_are_noted(bp_call *call, struct conform *conform)
{
    bp_str lines;

    BP_TRY(for_each_target(call, conform, write_something));
    BP_TRY(app_shown(call, conform, &lines));
    conform->web->keep(lines);
    return BP_OK;
}

static bool has_line(bp_str lines, bp_str line)
{
    for (size_t at = 0; at + line.len <= lines.len; at++)
        if ((at == 0 || lines.data[at - 1] == '\n') &&
            memcmp(lines.data + at, line.data, line.len) == 0)
            return true;
    return false;
}

static bp_status what_lists_showed_is_still_there(bp_call *call, struct conform *conform)
{
    bp_str before = conform->web->kept(), after;

    if (!before.len)
        return conform_skip(call, "it has no list that names anything");
    BP_TRY(app_shown(call, conform, &after));
    for (size_t at = 0; at < before.len;) {
        const char *end = memchr(before.data + at, '\n', before.len - at);
        size_t      len = (size_t)(end - before.data) + 1 - at;

        CONFORM_THAT(call, has_line(after, bp_str_n(before.data + at, len)),
                     "before the restart, and no longer after it, there was %.*s",
                     (int)(len < 300 ? len - 1 : 300), before.data + at);
        at += len;
    }
    return BP_OK;
}

static const struct conform_case cases[] = {
    { "its routes are described as OpenAPI has it, with schemas that are some",
      routes_are_described, CONFORM_ONE_WORKER },
    { "unknown paths and methods are refused as such", strangers_are_turned_away,
      CONFORM_ONE_WORKER },
    { "routes answer whatever is sent to them: no body, other types, too much",
      routes_answer_whatever_comes, CONFORM_ONE_WORKER },
    { "routes take awkward texts in paths, queries and bodies", routes_take_awkward_texts,
      CONFORM_ONE_WORKER },
    { "tools answer, and refuse what their schemas do not allow",
      tools_answer_and_keep_to_their_schemas, CONFORM_ONE_WORKER },
    { "tools take awkward texts", tools_take_awkward_texts, CONFORM_ONE_WORKER },
    { "a call cancelled at any suspension disturbs no other", cancelled_calls_disturb_no_other,
      CONFORM_ONE_WORKER },
    { "deadlines are kept", deadlines_are_kept, CONFORM_ONE_WORKER },
    { "all workers serve everything at once", all_workers_ask_at_once, CONFORM_EVERY_WORKER },
    { "the process does not grow in a long run", a_long_run_does_not_grow, CONFORM_ONE_WORKER },
    { "what its lists show can be read", lists_are_noted, CONFORM_ONE_WORKER },
    { "what its lists showed is there after a restart of the host",
      what_lists_showed_is_still_there, CONFORM_RESTARTED },
};

const struct conform_contract app_contract = { "app", cases, sizeof(cases) / sizeof(cases[0]) };
