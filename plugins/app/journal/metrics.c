/* metrics.c - the app's metrics as a table. Each series that can be is there with a zero from the
 * start, so that a query for failures has an answer before the first one. */
#include "journal.h"

#define STATUSES   "success failed"
#define OPERATIONS "select insert update delete"
#define ERRORS     "validation database vector_store timeout internal"

static const struct {
    bp_metric_type type;
    const char    *name, *help;
    const char    *labels;
    const char    *first, *second; /* values of the labels */
} table[METRICS] = {
    [SESSIONS_TOTAL] = { BP_COUNTER, "mcp_journal_sessions_total",
                         "Work sessions that ended, or failed to.", "status", STATUSES, NULL },
    [SESSIONS_ACTIVE] = { BP_GAUGE, "mcp_journal_sessions_active", "Work sessions that are open.",
                          "", NULL, NULL },
    [SESSION_DURATION] = { BP_HISTOGRAM, "mcp_journal_session_duration_seconds",
                           "Duration of work sessions.", "", NULL, NULL },
    [REFLECTIONS_TOTAL] = { BP_COUNTER, "mcp_journal_reflections_generated_total",
                            "Reflections on sessions.", "status", STATUSES " skipped", NULL },
    [REFLECTION_SECONDS] = { BP_HISTOGRAM, "mcp_journal_reflection_generation_seconds",
                             "Time to write a reflection.", "", NULL, NULL },
    [LEARNINGS_TOTAL] = { BP_COUNTER, "mcp_journal_learnings_captured_total",
                          "Learnings given at the end of sessions.", "", NULL, NULL },
    [CHALLENGES_TOTAL] = { BP_COUNTER, "mcp_journal_challenges_noted_total",
                           "Challenges given at the end of sessions.", "", NULL, NULL },
    [WINS_TOTAL] = { BP_COUNTER, "mcp_journal_wins_captured_total", "Wins captured.", "", NULL,
                     NULL },
    [SUMMARIES_TOTAL] = { BP_COUNTER, "mcp_journal_daily_summaries_total", "Summaries of days.",
                          "status", STATUSES " skipped", NULL },
    [SUMMARY_SECONDS] = { BP_HISTOGRAM, "mcp_journal_day_seconds",
                          "Time to write the summary of a day.", "", NULL, NULL },
    [DB_CONNECTIONS] = { BP_GAUGE, "mcp_db_connections_active",
                         "Connections of the storage in use.", "", NULL, NULL },
    [DB_QUERY_SECONDS] = { BP_HISTOGRAM, "mcp_db_query_duration_seconds", "Time of statements.",
                           "operation", OPERATIONS, NULL },
    [DB_QUERIES_TOTAL] = { BP_COUNTER, "mcp_db_queries_total", "Statements.", "operation status",
                           OPERATIONS, STATUSES },
    [DB_ERRORS_TOTAL] = { BP_COUNTER, "mcp_db_errors_total", "Statements that failed.",
                          "error_type", ERRORS, NULL },
    [EMBEDDINGS_TOTAL] = { BP_COUNTER, "mcp_vector_embeddings_generated_total", "Texts embedded.",
                           "status", STATUSES, NULL },
    [EMBEDDING_SECONDS] = { BP_HISTOGRAM, "mcp_vector_embedding_seconds", "Time to embed a text.",
                            "", NULL, NULL },
    [SEARCHES_TOTAL] = { BP_COUNTER, "mcp_vector_searches_total", "Searches of memories.", "status",
                         STATUSES, NULL },
    [SEARCH_SECONDS] = { BP_HISTOGRAM, "mcp_vector_search_seconds", "Time of searches.", "", NULL,
                         NULL },
    [SEARCH_RESULTS] = { BP_HISTOGRAM, "mcp_vector_search_results", "Memories that a search found.",
                         "", NULL, NULL },
    [MEMORY_COUNT] = { BP_GAUGE, "mcp_vector_memories", "Memories in the vector store.", "", NULL,
                       NULL },
    [VECTOR_ERRORS_TOTAL] = { BP_COUNTER, "mcp_vector_errors_total",
                              "Failures of vector store and embedder.", "error_type", ERRORS,
                              NULL },
};

/* The next word of a list; empty at its end. */
static bp_str next_word(const char **list)
{
    bp_str word;

    *list += strspn(*list, " ");
    word = bp_str_n(*list, strcspn(*list, " "));
    *list += word.len;
    return word;
}

static void add_zeros(bp_metric *metric, const char *first, const char *second)
{
    bp_str values[2];

    if (!first) {
        bp_metric_add(metric, NULL, 0, 0);
        return;
    }
    while ((values[0] = next_word(&first)).len) {
        const char *rest = second;

        if (!second)
            bp_metric_add(metric, values, 1, 0);
        while (second && (values[1] = next_word(&rest)).len)
            bp_metric_add(metric, values, 2, 0);
    }
}

bp_status metrics_define(bp_call *call, struct journal *self)
{
    for (size_t i = 0; i < METRICS; i++) {
        BP_TRY(bp_metric_define(call, table[i].type, table[i].name, table[i].help, table[i].labels,
                                &self->metrics[i]));
        add_zeros(self->metrics[i], table[i].first, table[i].second);
    }
    return BP_OK;
}

void metric_count(struct journal *self, enum metric_name name, const char *label,
                  const char *second, double value)
{
    const bp_str values[2] = { bp_str_of(label), bp_str_of(second) };
    size_t       count = second ? 2 : label ? 1 : 0;

    if (table[name].type == BP_COUNTER)
        bp_metric_add(self->metrics[name], values, count, value);
    else if (table[name].type == BP_GAUGE)
        bp_metric_set(self->metrics[name], values, count, value);
    else
        bp_metric_observe(self->metrics[name], values, count, value);
}

void metric_time(struct journal *self, enum metric_name name, const char *label, int64_t since_ns)
{
    metric_count(self, name, label, NULL, (double)(bp_now_ns() - since_ns) / 1e9);
}

const char *error_type_of(bp_status status, const char *where)
{
    switch (status) {
    case BP_INVALID:
    case BP_TOO_LARGE:
        return "validation";
    case BP_DEADLINE:
    case BP_CANCELLED:
        return "timeout";
    case BP_INTERNAL:
    case BP_NO_MEMORY:
        return "internal";
    default:
        return where;
    }
}
