/* questioning.c - the app `questioning`: its options, routes, tools and life. */
#include "questioning.h"

static const bp_option options[] = {
    BP_OPTION_REF(struct questioning, storage, "storage", .is_required = true,
                  .help = "storage for sessions, conversations and messages"),
    BP_OPTION_REF(struct questioning, vector, "vector",
                  .help = "vector store that searches earlier messages; needs `embed`; none: "
                          "batches are written without them"),
    BP_OPTION_REF(struct questioning, embed, "embed",
                  .help = "embedder for messages; needs `vector`"),
    BP_OPTION_REFS(struct questioning, llm, "llm",
                   .help = "LLM providers that write questions; the next one is asked when one "
                           "fails; none, or only extractive: a fixed batch"),
    BP_OPTION_STRING(struct questioning, collection, .initial = "sequential_questioning",
                     .help = "collection in the vector store"),
    BP_OPTION_INT(struct questioning, initial_batch, .initial = "5", .minimum = "1",
                  .maximum = "20", .help = "questions in a first batch"),
    BP_OPTION_INT(struct questioning, follow_up_batch, .initial = "3", .minimum = "1",
                  .maximum = "20", .help = "questions in a batch that follows answers"),
    BP_OPTION_INT(struct questioning, total, .initial = "8", .minimum = "1", .maximum = "1000",
                  .help = "questions in a usual conversation, if no model estimates their number"),
    BP_OPTION_INT(struct questioning, similar, .initial = "3", .minimum = "0", .maximum = "10",
                  .help = "earlier messages of the conversation that a model sees besides the "
                          "context"),
    BP_OPTION_FLOAT(struct questioning, temperature, .initial = "0.7", .minimum = "0",
                    .maximum = "2", .help = "sampling temperature of the model"),
    BP_OPTION_INT(struct questioning, max_tokens, .initial = "2000", .minimum = "100",
                  .maximum = "100000", .help = "most tokens of a batch"),
    BP_OPTION_DURATION(struct questioning, patience, .initial = "60s", .minimum = "0",
                       .maximum = "5m",
                       .help = "time after which a model that failed is not asked again for the "
                               "same batch"),
    BP_OPTION_BOOL(struct questioning, sampling, .initial = "true",
                   .help = "ask the model of an MCP client that lends one, if `llm` names none"),
};

/* ---- what the tools and routes take and give ---- */

/* request.c reads it, since over HTTP nobody has looked at it before. */
static const bp_param said_fields[] = {
    { .name = "role",
      .type = BP_PARAM_TYPE_ANY,
      .flags = BP_PARAM_REQUIRED,
      .choices = "user|assistant|system" },
    { .name = "content", .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_REQUIRED },
    { .name = "timestamp", .type = BP_PARAM_TYPE_TEXT },
};
// clang-format off
#define ASKED                                                                                      \
    { .name = "user_id", .type = BP_PARAM_TYPE_TEXT, .help = "Name or id of the user" },        \
    { .name = "conversation_id", .type = BP_PARAM_TYPE_TEXT,                                       \
      .help = "Id that an earlier answer returned; an unknown one is ignored" },                                 \
    { .name = "session_id", .type = BP_PARAM_TYPE_TEXT,                                            \
      .help = "Id that an earlier answer returned; an unknown one is ignored" },                                 \
    { .name = "context", .type = BP_PARAM_TYPE_TEXT, .help = "Topic of the questions" },                 \
    { .name = "previous_messages", .type = BP_PARAM_TYPE_OBJECTS, BP_PARAM_FIELDS(said_fields),    \
      .help = "The conversation so far; the answers have the role user" },                                    \
    { .name = "metadata", .type = BP_PARAM_TYPE_OBJECT,                                            \
      .schema = "{\"additionalProperties\":{\"type\":\"string\"}}" }
// clang-format on
static const bp_param asked_rows[] = { ASKED };
static const bp_param question_rows[] = {
    ASKED,
    { .name = "auto_follow_up", .type = BP_PARAM_TYPE_BOOLEAN, .help = "Ignored" },
};
static const bp_param automatic_rows[] = {
    ASKED,
    { .name = "auto_handle_follow_up",
      .type = BP_PARAM_TYPE_BOOLEAN,
      .help = "Whether further batches follow; true by default" },
    { .name = "max_rounds",
      .type = BP_PARAM_TYPE_INTEGER,
      .minimum = "1",
      .maximum = "3",
      .help = "Number of batches; 2 by default" },
};
static const bp_params asked = BP_PARAMS_ONLY(asked_rows);
static const bp_params question_asked = BP_PARAMS_ONLY(question_rows);
static const bp_params automatic_asked = BP_PARAMS_ONLY(automatic_rows);

static const bp_param question_fields[] = {
    { .name = "question_text", .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_REQUIRED },
    { .name = "question_number", .type = BP_PARAM_TYPE_INTEGER, .flags = BP_PARAM_REQUIRED },
    { .name = "metadata", .type = BP_PARAM_TYPE_OBJECT },
};
static const bp_param batch_rows[] = {
    { .name = "current_question", .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_REQUIRED },
    { .name = "questions",
      .type = BP_PARAM_TYPE_OBJECTS,
      .flags = BP_PARAM_REQUIRED,
      BP_PARAM_FIELDS(question_fields) },
    { .name = "conversation_id", .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_REQUIRED },
    { .name = "session_id", .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_REQUIRED },
    { .name = "current_question_number", .type = BP_PARAM_TYPE_INTEGER },
    { .name = "total_questions_in_batch", .type = BP_PARAM_TYPE_INTEGER },
    { .name = "total_questions_estimated", .type = BP_PARAM_TYPE_INTEGER },
    { .name = "next_batch_needed", .type = BP_PARAM_TYPE_BOOLEAN, .flags = BP_PARAM_REQUIRED },
    { .name = "metadata", .type = BP_PARAM_TYPE_OBJECT },
};
static const bp_param rounds_rows[] = {
    { .name = "initial_questions",
      .type = BP_PARAM_TYPE_OBJECT,
      .flags = BP_PARAM_REQUIRED,
      BP_PARAM_FIELDS(batch_rows) },
    { .name = "follow_up_questions",
      .type = BP_PARAM_TYPE_OBJECTS,
      .flags = BP_PARAM_NULLABLE,
      BP_PARAM_FIELDS(batch_rows) },
    { .name = "all_questions_combined", .type = BP_PARAM_TYPE_TEXT },
    { .name = "conversation_id", .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_REQUIRED },
    { .name = "session_id", .type = BP_PARAM_TYPE_TEXT, .flags = BP_PARAM_REQUIRED },
    { .name = "total_questions", .type = BP_PARAM_TYPE_INTEGER, .flags = BP_PARAM_REQUIRED },
    { .name = "metadata", .type = BP_PARAM_TYPE_OBJECT },
};
static const bp_param single_rows[] = {
    { .name = "question", .type = BP_PARAM_TYPE_TEXT },
    { .name = "conversation_id", .type = BP_PARAM_TYPE_TEXT },
    { .name = "session_id", .type = BP_PARAM_TYPE_TEXT },
    { .name = "metadata", .type = BP_PARAM_TYPE_OBJECT },
};
static const bp_params batch = BP_PARAMS_ONLY(batch_rows);
static const bp_params rounds = BP_PARAMS_ONLY(rounds_rows);
static const bp_params single = BP_PARAMS_ONLY(single_rows);

// Where a table of routes is to be broken no formatter knows.
/* clang-format off */
#define ANY "{\"type\":\"object\"}"

#define READ  "questioning:read"
#define WRITE "questioning:write"

/* Longer than a model that fails three times takes, so that the batch without one is still given. */
#define DEADLINE BP_SECONDS(600)

/* ---- routes ---- */

#define ROUTE(method_, path_, handler_, scope_, summary_, ...)                                             \
    { .method = method_, .path = path_, .handler = handler_, .scope = scope_, .summary = summary_, __VA_ARGS__ }
#define ASKING(path_, handler_, summary_, input_, output_)                                                 \
    ROUTE("POST", path_, handler_, WRITE, summary_, .request_params = &(input_),                   \
          .response_params = &(output_),                                                                   \
          .deadline_ns = DEADLINE)
#define RECORD(method_, path_, scope_, summary_, ...)                                                      \
    ROUTE(method_, "/api/" path_, records_route, scope_, summary_, __VA_ARGS__)
#define PAGES "skip: records to leave out\nlimit: 1 to 1000, 100 unless given\norder: asc or desc\n"
#define RECORDS(plural_, filters_)                                                                         \
    RECORD("GET", plural_, READ, "The tenant's " plural_ ", page by page", .query = PAGES filters_,        \
           .response_schema = ANY),                                                                        \
    RECORD("POST", plural_, WRITE, "Makes one of " plural_, .request_schema = ANY, .response_schema = ANY), \
    RECORD("GET", plural_ "/{id}", READ, "One of " plural_, .response_schema = ANY),                       \
    RECORD("PUT", plural_ "/{id}", WRITE, "Changes what the body has", .request_schema = ANY,              \
           .response_schema = ANY),                                                                        \
    RECORD("PATCH", plural_ "/{id}", WRITE, "Changes what the body has", .request_schema = ANY,            \
           .response_schema = ANY),                                                                        \
    RECORD("DELETE", plural_ "/{id}", WRITE, "Deletes it and what hangs on it", .deadline_ns = BP_SECONDS(300))
#define DEACTIVATE(plural_)                                                                                \
    RECORD("POST", plural_ "/{id}/deactivate", WRITE, "Makes it inactive", .response_schema = ANY)
/* clang-format on */

static const bp_route routes[] = {
    ASKING("/mcp-internal/question", question_post, "The next batch of questions", question_asked,
           batch),
    ASKING("/mcp-internal/question/follow-up", follow_up_post, "A batch that follows answers",
           asked, batch),
    ASKING("/mcp-internal/question/automatic", automatic_post, "A batch and those that follow it",
           automatic_asked, rounds),
    ASKING("/mcp/sequential-questioning", single_post, "The next question", asked, single),
    ASKING("/mcp/v1/sequential-questioning", single_v1_post, "The next question", asked, single),
    ROUTE("GET", "/mcp-internal/monitoring/metrics", monitor_get, READ,
          "Requests, errors and durations of this process", .response_schema = ANY),
    ROUTE("POST", "/mcp-internal/monitoring/metrics/reset", monitor_reset, WRITE,
          "Resets the counters", .response_schema = ANY),
    ROUTE("POST", "/mcp-internal/monitoring/reset", monitor_reset, WRITE, "Resets the counters",
          .response_schema = ANY),
    RECORDS("sessions", "user_identifier: of one user\nis_active: true or false"),
    DEACTIVATE("sessions"),
    RECORDS("conversations", "session_id: of one session\nis_active: true or false"),
    DEACTIVATE("conversations"),
    RECORDS("messages",
            "conversation_id: of one conversation\nmessage_type: question, answer or system"),
};

static const bp_mcp_tool tools[] = {
    { .name = "sequential_questioning",
      .title = "Sequential questioning",
      .description = "Get a batch of questions to ask the user about a topic: the first one, or, "
                     "with the answers in previous_messages, the next one. Show all of them, and "
                     "pass conversation_id in the next call.",
      .params = &question_asked,
      .results = &batch,
      .handler = tool_question,
      .scope = WRITE,
      .deadline_ns = DEADLINE },
    { .name = "sequential_questioning_follow_up",
      .title = "Follow-up questions",
      .description = "Get a batch of questions that follows the user's answers, which "
                     "previous_messages must hold.",
      .params = &asked,
      .results = &batch,
      .handler = tool_follow_up,
      .scope = WRITE,
      .deadline_ns = DEADLINE },
    { .name = "sequential_questioning_automatic",
      .title = "Questions and follow-ups at once",
      .description = "Get a batch of questions and, when previous_messages hold answers, up to two "
                     "more that follow, in one call.",
      .params = &automatic_asked,
      .results = &rounds,
      .handler = tool_automatic,
      .scope = WRITE,
      .deadline_ns = DEADLINE },
};

static const bp_app_ops ops = {
    .struct_size = sizeof(bp_app_ops),
    .route_size = sizeof(bp_route),
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
    .migrations = store_migrations,
    .migration_count = STORE_MIGRATIONS,
    BP_MCP_TOOLS(tools),
    .instructions = "Asks users in batches. Call sequential_questioning with the context, show all "
                    "questions of the batch, then call it again with the same conversation_id and "
                    "the answers in previous_messages while next_batch_needed is true.",
};

/* ---- life ---- */

static bp_status shared_create(bp_call *call, const void *instance, void **shared)
{
    struct monitor *monitor = NULL;

    (void)instance;
    BP_TRY(monitor_new(call, &monitor));
    *shared = monitor;
    return BP_OK;
}

static void shared_destroy(bp_call *call, void *shared)
{
    (void)call;
    monitor_free(shared);
}

static bp_status worker_start(bp_call *call, void *instance, void *shared)
{
    struct questioning *self = instance;

    self->monitor = shared;
    if (!self->vector != !self->embed)
        return bp_fail(call, BP_INVALID,
                       "%s: the app needs both `vector` and `embed` to find earlier messages, or "
                       "neither",
                       self->vector ? "embed" : "vector");
    BP_TRY(monitor_define(call, self));
    return bp_worker_index(call) == 0
               ? bp_every(call, "keep_up", BP_SECONDS(15), memory_keep_up, self)
               : BP_OK;
}

static const bp_life life = {
    .struct_size = sizeof(bp_life),
    .shared_create = shared_create,
    .worker_start = worker_start,
    .shared_destroy = shared_destroy,
};

BP_PLUGIN(app, "questioning", "1.0.0",
          .summary = "asks batches of questions that follow from one another, with sessions, "
                     "conversations and answers",
          .license = "Apache-2.0", .instance_size = sizeof(struct questioning),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)
