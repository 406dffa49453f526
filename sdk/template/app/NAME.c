/* @NAME@.c - an app: two routes, GET /@NAME@/hello and POST /@NAME@/sum, and a command, `backplane
 * @NAME@-count FILE...`. */
#include <backplane/app.h>
#include <backplane/command.h>
#include <backplane/json.h>
#include <backplane/param.h>
#include <backplane/plugin.h>

enum { ANSWER_BYTES_MAX = 64 << 10 };

struct app {
    bp_str greeting;
};

static const bp_option options[] = {
    BP_OPTION_STRING(struct app, greeting, .initial = "Hello", .help = "how visitors are greeted"),
};

static bp_status hello(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    const struct app *self = instance;
    bp_json_writer   *w = bp_json_writer_new(call, ANSWER_BYTES_MAX);
    bp_str            name = BP_STR("world");

    bp_request_query(request, "name", &name);
    bp_json_object(w);
    bp_json_put_string(w, "greeting",
                       bp_format(call, BP_FMT ", " BP_FMT "!", BP_ARG(self->greeting),
                                 BP_ARG(name)));
    bp_json_end(w);
    return bp_respond_json(call, response, 200, w);
}

/* What the body of POST /@NAME@/sum has, and what comes back: the description of the route, and how
 * the struct is filled. */
struct sum {
    const bp_json *numbers;
};

static const bp_param sum_rows[] = {
    BP_PARAM_NUMBERS(struct sum, numbers, .flags = BP_PARAM_REQUIRED, .help = "what to add up"),
};
static const bp_params sum_params = BP_PARAMS(struct sum, sum_rows);
static const bp_param  summed_rows[] = { BP_PARAM_ROW(BP_PARAM_TYPE_NUMBER, "sum", .help = NULL) };
static const bp_params summed = BP_PARAMS_ONLY(summed_rows);
static const bp_param hello_rows[] = { BP_PARAM_ROW(BP_PARAM_TYPE_TEXT, "greeting", .help = NULL) };
static const bp_params hello_results = BP_PARAMS_ONLY(hello_rows);

static bp_status sum(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    bp_json_writer *w = bp_json_writer_new(call, ANSWER_BYTES_MAX);
    const bp_json  *body;
    struct sum      wanted;
    bp_str          bytes;
    double          total = 0;

    (void)instance;
    BP_TRY(bp_request_body(call, request, &bytes)); /* suspends until it is there */
    BP_TRY(bp_json_read(call, bytes, &body));
    BP_TRY(bp_params_read(call, &sum_params, body, &wanted)); /* BP_INVALID is answered with 400 */
    for (size_t i = 0; i < bp_json_count(wanted.numbers); i++)
        total += bp_json_number(bp_json_at(wanted.numbers, i));
    bp_json_object(w);
    bp_json_put_number(w, "sum", total);
    bp_json_end(w);
    return bp_respond_json(call, response, 200, w);
}

static const bp_route routes[] = {
    { .method = "GET",
      .path = "/@NAME@/hello",
      .handler = hello,
      .summary = "Greets",
      .query = "name: whom to greet",
      .response_params = &hello_results },
    { .method = "POST",
      .path = "/@NAME@/sum",
      .handler = sum,
      .scope = "@NAME@:read",
      .summary = "Adds up numbers",
      .request_params = &sum_params,
      .response_params = &summed },
};

/* Files are read where the command was typed, and come piece by piece. */
static bp_status count(bp_call *call, void *instance, bp_command_run *run)
{
    const struct app *self = instance;
    bp_command_file   file = { .struct_size = sizeof(file) };
    long long         lines = 0;
    bool              has_file;
    bp_str            piece;

    BP_TRY(bp_command_next_file(call, run, &file, &has_file));
    while (has_file) {
        do {
            BP_TRY(bp_command_read(call, run, &piece)); /* suspends; empty at the end of the file */
            for (size_t i = 0; i < piece.len; i++)
                lines += piece.data[i] == '\n';
        } while (piece.len);
        BP_TRY(bp_command_next_file(call, run, &file, &has_file));
    }
    if (bp_command_is_set(run, "greet"))
        BP_TRY(bp_command_print(call, run, bp_format(call, BP_FMT "! ", BP_ARG(self->greeting))));
    return bp_command_print(call, run, bp_format(call, "%lld lines\n", lines));
}

static const bp_command_option count_options[] = {
    { .name = "greet", .help = "be friendly" },
};

static const bp_command commands[] = {
    { .name = "@NAME@-count",
      .arguments = "PATH...",
      .summary = "counts the lines of files",
      .handler = count,
      .scope = "@NAME@:read",
      .flags = BP_COMMAND_FILES,
      BP_COMMAND_OPTIONS(count_options) },
};

static const bp_app_ops ops = {
    .struct_size = sizeof(bp_app_ops),
    .route_size = sizeof(bp_route),
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
    BP_COMMANDS(commands),
};

BP_PLUGIN(app, "@NAME@", "1.0.0", .summary = "greets, adds up numbers, counts lines",
          .instance_size = sizeof(struct app), .options = BP_TABLE(options), .ops = &ops)
