/* failure.c - SQLSTATEs as statuses, and PostgreSQL's messages as sentences. */
#include "postgres.h"

/* The first line that fits counts: a state of five characters, or a class of two. */
static const struct {
    const char *state;
    bp_status   status;
    const char *advice; /* NULL: what the server says is enough */
} states[] = {
    { "08P01", BP_INVALID, NULL },
    { "08", BP_UNAVAILABLE, NULL },
    { "0A", BP_INVALID, NULL },
    { "21", BP_INVALID, NULL },
    { "22", BP_INVALID, NULL },
    { "23", BP_CONFLICT, NULL },
    { "25006", BP_FULL, "the server is read-only: is DATABASE_URL the primary's?" },
    { "25P02", BP_CONFLICT, "an earlier error of this transaction has rolled it back" },
    { "25P03", BP_DEADLINE, NULL },
    { "25", BP_INVALID, NULL },
    { "26", BP_UNAVAILABLE,
      "a pooler stands before the server; it is noticed, and the next attempt goes without" },
    { "42P05", BP_UNAVAILABLE,
      "a pooler stands before the server; it is noticed, and the next attempt goes without" },
    { "28P01", BP_UNAVAILABLE, "is the password in DATABASE_URL right?" },
    { "28", BP_UNAVAILABLE,
      "are user and password in DATABASE_URL right, and does pg_hba.conf allow them?" },
    { "3D", BP_UNAVAILABLE, "does DATABASE_URL name the right database?" },
    { "40001", BP_CONFLICT,
      "another transaction was in the way and nothing was changed; try again" },
    { "40P01", BP_CONFLICT,
      "another transaction was in the way and nothing was changed; try again" },
    { "40003", BP_UNAVAILABLE, "whether it was done is not known" },
    { "40", BP_CONFLICT, NULL },
    { "42501", BP_UNAVAILABLE, "GRANT the rights to the user of DATABASE_URL" },
    { "42", BP_INVALID, NULL },
    { "44", BP_CONFLICT, NULL },
    { "53100", BP_FULL, "make room on the server's disk" },
    { "53300", BP_LIMIT, "raise max_connections of the server or lower pool_max" },
    { "53", BP_UNAVAILABLE, NULL },
    { "54", BP_TOO_LARGE, NULL },
    { "55P03", BP_UNAVAILABLE, NULL },
    { "55", BP_CONFLICT, NULL },
    { "57014", BP_DEADLINE, NULL },
    { "57", BP_UNAVAILABLE, NULL },
    { "58P01", BP_DATA, "a file of the database is missing; restore a backup" },
    { "58", BP_IO, "look at the server's log and disk" },
    { "72", BP_CONFLICT, NULL },
    { "P0", BP_CONFLICT, NULL }, /* RAISE of a trigger: a rule of the database's owner */
    { "XX001", BP_DATA, "the database is damaged; restore a backup" },
    { "XX002", BP_DATA, "REINDEX the index that is named" },
    { "F0", BP_UNAVAILABLE, NULL },
    { "XX", BP_IO, "look at the server's log" },
};

static size_t find_state(const char *sqlstate)
{
    size_t count = sizeof(states) / sizeof(states[0]), i = 0;

    while (i < count && strncmp(sqlstate, states[i].state, strlen(states[i].state)) != 0)
        i++;
    return i;
}

bp_status postgres_status_of(const char *sqlstate)
{
    size_t at = find_state(sqlstate);

    return at < sizeof(states) / sizeof(states[0]) ? states[at].status : BP_UPSTREAM;
}

bp_str postgres_line(bp_call *call, const char *text)
{
    size_t len;

    for (const char *colon = text ? strstr(text, "failed: ") : NULL; colon;
         colon = strstr(text, "failed: "))
        text = colon + strlen("failed: ");
    while (text && (strncmp(text, "FATAL:  ", 8) == 0 || strncmp(text, "ERROR:  ", 8) == 0))
        text += 8;
    len = text ? strcspn(text, "\n") : 0;
    return len ? bp_dup(call, bp_str_n(text, len)) : BP_STR("no reason was given");
}

static bool is_fatal(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

    if (!severity)
        severity = PQresultErrorField(result, PG_DIAG_SEVERITY);
    return severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

bp_status postgres_fail_result(bp_call *call, const struct postgres_connection *connection,
                               const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    size_t      at = find_state(state ? state : "08");
    const char *advice = at < sizeof(states) / sizeof(states[0]) ? states[at].advice : NULL;
    bp_status   status = at < sizeof(states) / sizeof(states[0]) ? states[at].status : BP_UPSTREAM;
    bp_str said = primary ? bp_str_of(primary) : postgres_line(call, PQresultErrorMessage(result));

    // What ends a connection is about the connection: PgBouncer says 08P01 of all that it cannot do
    // just now.
    if (status == BP_INVALID && is_fatal(result))
        status = BP_UNAVAILABLE;
    if (!advice)
        advice = hint;
    bp_fail(call, status, "PostgreSQL at %s: " BP_FMT " (%s)%s%s", connection->address,
            BP_ARG(said), state ? state : "08000", advice ? "; " : "", advice ? advice : "");
    return state && strcmp(state, "40003") == 0 ? bp_fail_outcome_unknown(call, status) : status;
}
