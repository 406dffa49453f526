/* questioning.c - the app `questioning`: its options, routes, tools and life. */
#include "questioning.h"

static const bp_option options[] = {
    BP_OPTION_REF(struct questioning, storage, "storage", .is_required = true,
                  .help = "where sessions, conversations and messages are kept"),
    BP_OPTION_REF(struct questioning, vector, "vector",
                  .help = "where earlier messages are searched; needs `embed`; none: batches are "
                          "written without them"),
    BP_OPTION_REF(struct questioning, embed, "embed",
                  .help = "what turns messages into vectors; needs `vector`"),
    BP_OPTION_REFS(struct questioning, llm, "llm",
                   .help = "what writes questions, the next one when one fails; none or only "
                           "extractive: a fixed batch"),
    BP_OPTION_STRING(struct questioning, collection, .initial = "sequential_questioning",
                     .help = "collection of the vector store"),
    BP_OPTION_INT(struct questioning, initial_batch, .initial = "5", .minimum = "1",
                  .maximum = "20", .help = "questions of a first batch"),
    BP_OPTION_INT(struct questioning, follow_up_batch, .initial = "3", .minimum = "1",
                  .maximum = "20", .help = "questions of a batch that follows answers"),
    BP_OPTION_INT(struct questioning, total, .initial = "8", .minimum = "1", .maximum = "1000",
                  .help = "questions of a usual conversation, where no model says how many there "
                          "should be"),
    BP_OPTION_INT(struct questioning, similar, .initial = "3", .minimum = "0", .maximum = "10",
                  .help = "earlier messages of the conversation that a model is shown beside the "
                          "context"),
    BP_OPTION_FLOAT(struct questioning, temperature, .initial = "0.7", .minimum = "0",
                    .maximum = "2", .help = "how freely a model writes"),
    BP_OPTION_INT(struct questioning, max_tokens, .initial = "2000", .minimum = "100",
                  .maximum = "100000", .help = "most tokens that a model writes for a batch"),
    BP_OPTION_DURATION(struct questioning, patience, .initial = "60s", .minimum = "0",
                       .maximum = "5m",
                       .help = "after so long a model that failed is not asked again for the same "
                               "batch"),
    BP_OPTION_BOOL(struct questioning, sampling, .initial = "true",
                   .help = "ask the model of an MCP client that lends it, when `llm` names none"),
};

/* ---- schemas ---- */

// Where JSON is to be broken no formatter knows.
/* clang-format off */
#define OPTIONAL(name, type, more) "\"" name "\":{\"type\":\"" type "\"" more "}"
#define NULLABLE(name, type, more) "\"" name "\":{\"type\":[\"" type "\",\"null\"]" more "}"
#define ABOUT(text)                ",\"description\":\"" text "\""
#define STRING(name)               "\"" name "\":{\"type\":\"string\"}"
#define COUNT(name)                "\"" name "\":{\"type\":\"integer\"}"
#define FLAG(name)                 "\"" name "\":{\"type\":\"boolean\"}"
#define ANY_OF(name)               "\"" name "\":{\"type\":\"object\"}"
#define OBJECT(properties, more)   "{\"type\":\"object\",\"properties\":{" properties "}" more "}"

#define SAID                                                                                               \
    OBJECT("\"role\":{\"enum\":[\"user\",\"assistant\",\"system\"]}," STRING("content") ","                \
           OPTIONAL("timestamp", "string", ""),                                                            \
           ",\"required\":[\"role\",\"content\"]")
#define ASKED                                                                                              \
    OPTIONAL("user_id", "string", ABOUT("Whose questions these are")) ","                                  \
    OPTIONAL("conversation_id", "string", ABOUT("As an earlier answer gave it; unknown: not used")) ","    \
    OPTIONAL("session_id", "string", ABOUT("As an earlier answer gave it; unknown: not used")) ","         \
    OPTIONAL("context", "string", ABOUT("What it is about")) ","                                           \
    OPTIONAL("previous_messages", "array",                                                                 \
             ABOUT("The conversation so far, the answers as user") ",\"items\":" SAID) ","                 \
    OPTIONAL("metadata", "object", ",\"additionalProperties\":{\"type\":\"string\"}")
#define INPUT(more)    OBJECT(ASKED more, "")
#define QUESTION_INPUT INPUT("," OPTIONAL("auto_follow_up", "boolean", ABOUT("Has no effect")))
#define AUTOMATIC_INPUT                                                                                    \
    INPUT("," OPTIONAL("auto_handle_follow_up", "boolean", ABOUT("Whether batches follow; true unless given")) \
          "," OPTIONAL("max_rounds", "integer",                                                            \
                       ",\"minimum\":1,\"maximum\":3" ABOUT("Batches in all, 2 unless given")))

#define QUESTION                                                                                           \
    OBJECT(STRING("question_text") "," COUNT("question_number") "," ANY_OF("metadata"),                    \
           ",\"required\":[\"question_text\",\"question_number\"]")
#define BATCH                                                                                              \
    OBJECT(STRING("current_question") ",\"questions\":{\"type\":\"array\",\"items\":" QUESTION "},"        \
           STRING("conversation_id") "," STRING("session_id") "," COUNT("current_question_number") ","     \
           COUNT("total_questions_in_batch") "," COUNT("total_questions_estimated") ","                    \
           FLAG("next_batch_needed") "," ANY_OF("metadata"),                                               \
           ",\"required\":[\"current_question\",\"questions\",\"conversation_id\",\"session_id\","         \
           "\"next_batch_needed\"]")
#define ROUNDS                                                                                             \
    OBJECT("\"initial_questions\":" BATCH ","                                                              \
           NULLABLE("follow_up_questions", "array", ",\"items\":" BATCH) ","                               \
           STRING("all_questions_combined") "," STRING("conversation_id") "," STRING("session_id") ","     \
           COUNT("total_questions") "," ANY_OF("metadata"),                                                \
           ",\"required\":[\"initial_questions\",\"conversation_id\",\"session_id\",\"total_questions\"]")
#define SINGLE                                                                                             \
    OBJECT(STRING("question") "," STRING("conversation_id") "," STRING("session_id") ","                   \
           ANY_OF("metadata"), "")
#define ANY "{\"type\":\"object\"}"

#define READ  "questioning:read"
#define WRITE "questioning:write"

/* Longer than a model that fails three times takes, so that the batch without one is still given. */
#define DEADLINE BP_SECONDS(600)

/* ---- routes ---- */

#define ROUTE(method_, path_, handler_, scope_, summary_, ...)                                             \
    { .method = method_, .path = path_, .handler = handler_, .scope = scope_, .summary = summary_, __VA_ARGS__ }
#define ASKING(path_, handler_, summary_, input_, output_)                                                 \
    ROUTE("POST", path_, handler_, WRITE, summary_, .request_schema = input_, .response_schema = output_,  \
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
    ASKING("/mcp-internal/question", question_post, "The next batch of questions", QUESTION_INPUT,
           BATCH),
    ASKING("/mcp-internal/question/follow-up", follow_up_post, "A batch that follows answers",
           INPUT(""), BATCH),
    ASKING("/mcp-internal/question/automatic", automatic_post, "A batch and those that follow it",
           AUTOMATIC_INPUT, ROUNDS),
    ASKING("/mcp/sequential-questioning", single_post, "The next question", INPUT(""), SINGLE),
    ASKING("/mcp/v1/sequential-questioning", single_v1_post, "The next question", INPUT(""),
           SINGLE),
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
      .description = "Get a batch of questions to ask the user about a topic: a first one, or, "
                     "with the answers in previous_messages, the next. Show them all; pass "
                     "conversation_id on.",
      .input_schema = QUESTION_INPUT,
      .output_schema = BATCH,
      .handler = tool_question,
      .scope = WRITE,
      .deadline_ns = DEADLINE },
    { .name = "sequential_questioning_follow_up",
      .title = "Follow-up questions",
      .description = "Get a batch of questions that follows the user's answers, which "
                     "previous_messages must hold.",
      .input_schema = INPUT(""),
      .output_schema = BATCH,
      .handler = tool_follow_up,
      .scope = WRITE,
      .deadline_ns = DEADLINE },
    { .name = "sequential_questioning_automatic",
      .title = "Questions and follow-ups at once",
      .description = "Get a batch of questions and, when previous_messages hold answers, up to two "
                     "more that follow, in one call.",
      .input_schema = AUTOMATIC_INPUT,
      .output_schema = ROUNDS,
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
          .summary = "batches of questions that follow from one another, with sessions, "
                     "conversations and answers",
          .license = "Apache-2.0", .instance_size = sizeof(struct questioning),
          .options = BP_TABLE(options), .life = &life, .ops = &ops)
