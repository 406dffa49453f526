/* target.c - from DATABASE_URL, as different programs spell it, to libpq's parameters. */
#define _GNU_SOURCE 1
#include "postgres.h"

#include <stdlib.h>

static const char *const tls_modes[] = { NULL,      "disable",   "prefer",
                                         "require", "verify-ca", "verify-full" };

/* ---- the URL, made one of libpq's ---- */

static bool is_known(const PQconninfoOption *known, bp_str name)
{
    for (; known->keyword; known++)
        if (bp_str_is(name, known->keyword))
            return true;
    return false;
}

/* One parameter behind the question mark. Other drivers' own are left out, `ssl` is what asyncpg
 * calls sslmode. */
static void add_parameter(bp_call *call, bp_buf *url, const PQconninfoOption *known,
                          bp_str parameter, bool *is_first)
{
    const char *equals = parameter.len ? memchr(parameter.data, '=', parameter.len) : NULL;
    bp_str      name = bp_str_n(parameter.data,
                           equals ? (size_t)(equals - parameter.data) : parameter.len);
    bp_str value = equals ? bp_str_n(equals + 1, parameter.len - name.len - 1) : bp_str_n("", 0);
    const char *mark = *is_first ? "?" : "&";

    if (!name.len)
        return;
    if (bp_str_is(name, "ssl")) {
        if (bp_str_is(value, "true"))
            value = BP_STR("require");
        if (bp_str_is(value, "false"))
            value = BP_STR("disable");
        name = BP_STR("sslmode");
    }
    if (!is_known(known, name)) {
        bp_log(call, BP_LOG_WARN,
               "the parameter \"" BP_FMT
               "\" of the PostgreSQL URL is another driver's and left out",
               BP_ARG(name));
        return;
    }
    bp_buf_add(url, bp_str_of(mark));
    bp_buf_add(url, name);
    bp_buf_add(url, BP_STR("="));
    bp_buf_add(url, value);
    *is_first = false;
}

/* A password with @, / or ? in it as they are would be taken for part of a host, database or
 * parameter, and shown as one. */
static bool is_split_password(bp_str rest, const char *question)
{
    size_t authority = 0, end = question ? (size_t)(question - rest.data) : rest.len, ats = 0;

    while (authority < end && rest.data[authority] != '/')
        authority++;
    for (size_t i = 0; i < authority; i++)
        ats += rest.data[i] == '@';
    if (ats > 1 ||
        (ats == 0 && authority < end && memchr(rest.data + authority, '@', end - authority)))
        return true;
    // Behind the question mark it may stand in a value, "host=@abstract"; before the first = there
    // is a name.
    return question && memchr(question, '@', strcspn(question, "=&"));
}

static bp_status normalise(bp_call *call, bp_str given, bp_str *out)
{
    PQconninfoOption *known = PQconndefaults();
    bp_buf           *url = bp_buf_new(call, 64 << 10);
    const char       *slashes = memmem(given.data, given.len, "://", 3);
    bp_str      scheme = bp_str_n(given.data, slashes ? (size_t)(slashes - given.data) : 0), rest;
    const char *question;
    bool        is_first = true;

    if (!known || !slashes) {
        PQconninfoFree(known);
        return bp_fail(call, known ? BP_INVALID : BP_NO_MEMORY,
                       known ? "url: it has no scheme; write postgresql://user@host:5432/database"
                             : "no memory for a connection's settings");
    }
    if (memchr(scheme.data, '+', scheme.len))
        bp_log(call, BP_LOG_INFO,
               "the PostgreSQL URL begins with " BP_FMT
               "://, which names a Python driver; it is read as postgresql://",
               BP_ARG(scheme));
    rest = bp_str_n(slashes + 3, given.len - scheme.len - 3);
    question = rest.len ? memchr(rest.data, '?', rest.len) : NULL;
    if (is_split_password(rest, question)) {
        PQconninfoFree(known);
        return bp_fail(call, BP_INVALID,
                       "url: there is an @ where none can be; within a user or password write %%40 "
                       "for @, %%2F for / and %%3F for ?");
    }
    bp_buf_add(url, BP_STR("postgresql://"));
    bp_buf_add(url, bp_str_n(rest.data, question ? (size_t)(question - rest.data) : rest.len));
    rest = question ? bp_str_n(question + 1, rest.len - (size_t)(question - rest.data) - 1)
                    : bp_str_n("", 0);
    while (rest.len) {
        const char *end = memchr(rest.data, '&', rest.len);
        size_t      len = end ? (size_t)(end - rest.data) : rest.len;

        add_parameter(call, url, known, bp_str_n(rest.data, len), &is_first);
        rest = bp_str_n(rest.data + len + (end ? 1 : 0), rest.len - len - (end ? 1 : 0));
    }
    PQconninfoFree(known);
    *out = bp_buf_str(url);
    return bp_buf_status(url) == BP_OK ? BP_OK
                                       : bp_fail(call, BP_INVALID, "url: it is longer than 64 KiB");
}

/* ---- what libpq is told ---- */

static bool keep(struct postgres_target *target, const char *keyword, const char *value)
{
    size_t at = 0;
    char  *copy = strdup(value);

    while (at < target->keyword_count && strcmp(target->keywords[at], keyword) != 0)
        at++;
    if (!copy || at >= POSTGRES_KEYWORDS_MAX - 4) {
        free(copy);
        return false;
    }
    if (at == target->keyword_count) {
        target->keywords[at] = strdup(keyword);
        if (!target->keywords[at]) {
            free(copy);
            return false;
        }
        target->keyword_count++;
    }
    free(target->values[at]);
    target->values[at] = copy;
    return true;
}

static bool keep_str(bp_call *call, struct postgres_target *target, const char *keyword,
                     bp_str value)
{
    bp_str copy = bp_dup(call, value);

    return !value.len || (copy.data && keep(target, keyword, copy.data));
}

static const char *value_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val && options->val[0] ? options->val : NULL;
    return NULL;
}

/* The n-th of a list separated by commas. NULL data behind the end of the list. */
static bp_str nth(const char *list, size_t n)
{
    const char *at = list;

    for (size_t i = 0; at && i < n; i++) {
        const char *comma = strchr(at, ',');

        at = comma ? comma + 1 : NULL;
    }
    return at ? bp_str_n(at, strcspn(at, ",")) : (bp_str){ NULL, 0 };
}

/* 0: it is not a number from 1 to 65535. */
static long port_of(bp_str text)
{
    char *end, digits[16];
    long  port;

    snprintf(digits, sizeof(digits), BP_FMT, BP_ARG(text));
    port = strtol(digits, &end, 10);
    return text.len < sizeof(digits) && digits[0] >= '0' && digits[0] <= '9' && !*end &&
                   port <= 65535
               ? port
               : 0;
}

static bp_status keep_endpoints(bp_call *call, struct postgres_target *target,
                                const PQconninfoOption *options)
{
    const char *hosts = value_of(options, "hostaddr"), *ports = value_of(options, "port");
    const char *fallback = getenv("PGHOST"), *fallback_port = getenv("PGPORT");

    if (!hosts)
        hosts = value_of(options, "host");
    if (!hosts)
        hosts = fallback && fallback[0] ? fallback : "/var/run/postgresql";
    if (!ports)
        ports = fallback_port && fallback_port[0] ? fallback_port : "5432";
    for (size_t i = 0; i < POSTGRES_ENDPOINTS_MAX; i++) {
        struct postgres_endpoint *endpoint = &target->endpoints[i];
        bp_str                    host = nth(hosts, i), port = nth(ports, i);

        if (!host.data)
            return BP_OK;
        if (!port.data) // one port is for all hosts
            port = nth(ports, 0);
        if (!host.len)
            host = BP_STR("/var/run/postgresql");
        if (!port.len)
            port = BP_STR("5432");
        if (host.len >= sizeof(endpoint->host))
            return bp_fail(call, BP_INVALID, "url: the host number %zu is longer than %zu bytes",
                           i + 1, sizeof(endpoint->host) - 1);
        snprintf(endpoint->host, sizeof(endpoint->host), BP_FMT, BP_ARG(host));
        if (!port_of(port))
            return bp_fail(call, BP_INVALID, "url: the port of %s is not a number from 1 to 65535",
                           endpoint->host);
        snprintf(endpoint->port, sizeof(endpoint->port), "%ld", port_of(port));
        target->endpoint_count++;
    }
    if (nth(hosts, POSTGRES_ENDPOINTS_MAX).data)
        return bp_fail(call, BP_INVALID, "url: it names more than %d hosts",
                       POSTGRES_ENDPOINTS_MAX);
    return BP_OK;
}

/* A connection that was cut without a word is noticed within half a minute, whether something was
 * sent on it or not. */
static bool keep_liveness(struct postgres_target *target, const PQconninfoOption *parsed)
{
    static const struct {
        const char *keyword, *value;
    } wanted[] = { { "keepalives_idle", "10" },
                   { "keepalives_interval", "5" },
                   { "keepalives_count", "3" },
                   { "tcp_user_timeout", "20000" } };
    bool is_kept = true;

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (!value_of(parsed, wanted[i].keyword))
            is_kept = is_kept && keep(target, wanted[i].keyword, wanted[i].value);
    return is_kept;
}

static bool keep_all(bp_call *call, struct postgres_target *target,
                     const struct postgres_options *options, const PQconninfoOption *parsed,
                     const char *name)
{
    bool is_kept = true;

    for (const PQconninfoOption *one = parsed; one->keyword && is_kept; one++)
        if (one->val && strcmp(one->keyword, "host") != 0 &&
            strcmp(one->keyword, "hostaddr") != 0 && strcmp(one->keyword, "port") != 0)
            is_kept = keep(target, one->keyword, one->val);
    if (tls_modes[options->tls])
        is_kept = is_kept && keep(target, "sslmode", tls_modes[options->tls]);
    is_kept = is_kept && keep_str(call, target, "password", options->password) &&
              keep_str(call, target, "sslrootcert", options->tls_ca) &&
              keep_str(call, target, "sslcert", options->tls_certificate) &&
              keep_str(call, target, "sslkey", options->tls_key);
    // Kerberos would be asked first otherwise, which reads files and names; all texts here are
    // UTF-8.
    if (!value_of(parsed, "gssencmode"))
        is_kept = is_kept && keep(target, "gssencmode", "disable");
    if (!value_of(parsed, "application_name"))
        is_kept = is_kept && keep(target, "application_name", name);
    return is_kept && keep_liveness(target, parsed) && keep(target, "client_encoding", "UTF8");
}

/* libpq looks at these words with each connection it makes; an operator wants to hear of a wrong
 * one before the start. */
static bp_status check_words(bp_call *call, const PQconninfoOption *parsed)
{
    static const struct {
        const char *name, *words;
    } known[] = {
        { "sslmode", "disable, allow, prefer, require, verify-ca, verify-full" },
        { "target_session_attrs", "any, read-write, read-only, primary, standby, prefer-standby" },
        { "channel_binding", "disable, prefer, require" },
        { "gssencmode", "disable, prefer, require" },
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const char *value = value_of(parsed, known[i].name),
                   *at = value ? strstr(known[i].words, value) : NULL;
        size_t len = value ? strlen(value) : 0;

        while (at && !((at == known[i].words || at[-1] == ' ') && (at[len] == ',' || !at[len])))
            at = strstr(at + 1, value);
        if (value && (!at || !len))
            return bp_fail(call, BP_INVALID, "url: its %s is \"%.40s\", which is none of %s",
                           known[i].name, value, known[i].words);
    }
    return BP_OK;
}

static bp_status fill(bp_call *call, const struct postgres_options *options, const char *name,
                      struct postgres_target *target)
{
    PQconninfoOption *parsed;
    char             *problem = NULL;
    const char       *user, *database;
    bp_str            url = { NULL, 0 };
    bp_status         status;

    BP_TRY(normalise(call, options->url, &url));
    parsed = PQconninfoParse(url.data, &problem);
    PQfreemem(problem); // it may show parts of the password
    if (!parsed)
        return bp_fail(call, BP_INVALID,
                       "url: it is not a URL of PostgreSQL: write "
                       "postgresql://user:password@host:5432/database, and %%40 for @, %%2F for /, "
                       "%%25 for %% and %%3A for : within a user or password");
    user = value_of(parsed, "user") ? value_of(parsed, "user") : getenv("PGUSER");
    database = value_of(parsed, "dbname") ? value_of(parsed, "dbname") : getenv("PGDATABASE");
    snprintf(target->user, sizeof(target->user), "%s", user ? user : "(the system's user)");
    snprintf(target->database, sizeof(target->database), "%s", database ? database : target->user);
    status = check_words(call, parsed);
    if (status == BP_OK)
        status = keep_endpoints(call, target, parsed);
    if (status == BP_OK && !keep_all(call, target, options, parsed, name))
        status = bp_fail(call, BP_NO_MEMORY, "no memory for a connection's settings");
    PQconninfoFree(parsed);
    return status;
}

bp_status postgres_target_new(bp_call *call, const struct postgres_options *options,
                              const char *name, struct postgres_target **out)
{
    struct postgres_target *target = calloc(1, sizeof(*target));
    bp_status               status;

    *out = NULL;
    if (!target)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a connection's settings");
    status = fill(call, options, name, target);
    if (status != BP_OK) {
        postgres_target_free(target);
        return status;
    }
    *out = target;
    return BP_OK;
}

void postgres_target_free(struct postgres_target *target)
{
    if (!target)
        return;
    for (size_t i = 0; i < target->keyword_count; i++) {
        if (target->values[i] && strcmp(target->keywords[i], "password") == 0)
            explicit_bzero(target->values[i], strlen(target->values[i]));
        free(target->keywords[i]);
        free(target->values[i]);
    }
    free(target);
}

bp_status postgres_options_check(bp_call *call, const struct postgres_options *options)
{
    struct postgres_target *target;

    if (options->pool_min > options->pool_max)
        return bp_fail(call, BP_INVALID, "pool_min: %lld is more than pool_max, which is %lld",
                       (long long)options->pool_min, (long long)options->pool_max);
    if (options->tls_certificate.len != 0 && options->tls_key.len == 0)
        return bp_fail(call, BP_INVALID, "tls_certificate: it needs tls_key, its private key");
    BP_TRY(postgres_target_new(call, options, "backplane", &target));
    postgres_target_free(target);
    return BP_OK;
}
