/* place.c - from the options to addresses, credentials and a database. */
#include "redis/parts.h"

#include <stdlib.h>

static const struct scheme {
    const char    *text;
    redis_topology topology;
    bool           is_tls, is_unix;
    const char    *port;
} schemes[] = {
    { "redis", REDIS_SINGLE, false, false, "6379" },
    { "rediss", REDIS_SINGLE, true, false, "6379" },
    { "unix", REDIS_SINGLE, false, true, "" },
    { "sentinel", REDIS_SENTINEL, false, false, "26379" },
    { "sentinels", REDIS_SENTINEL, true, false, "26379" },
    { "cluster", REDIS_CLUSTER, false, false, "6379" },
    { "clusters", REDIS_CLUSTER, true, false, "6379" },
};

/* Where the first of some characters is, or the end. */
static size_t find(bp_str text, const char *characters)
{
    size_t at = 0;
    while (at < text.len && !strchr(characters, text.data[at]))
        at++;
    return at;
}

static bp_str from(bp_str text, size_t at)
{
    return bp_str_n(text.data + at, text.len - at);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A copy in *memory with the percent signs resolved, which only makes it shorter. */
static bp_str decode(char **memory, bp_str text)
{
    bp_str out = { *memory, 0 };

    for (size_t i = 0; i < text.len; i++) {
        bool is_escape = text.data[i] == '%' && i + 2 < text.len && hex(text.data[i + 1]) >= 0 &&
                         hex(text.data[i + 2]) >= 0;
        (*memory)[out.len++] = is_escape
                                   ? (char)(hex(text.data[i + 1]) * 16 + hex(text.data[i + 2]))
                                   : text.data[i];
        i += is_escape ? 2 : 0;
    }
    (*memory)[out.len] = '\0';
    *memory += out.len + 1;
    return out;
}

static bool read_database(bp_str text, int64_t *database)
{
    *database = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || *database > 100000)
            return false;
        *database = *database * 10 + (text.data[i] - '0');
    }
    return text.len > 0;
}

static bp_status add_seed(bp_call *call, struct redis_place *place, char **memory, bp_str host,
                          const char *port, const char *option)
{
    size_t last = host.len;
    char  *seed = *memory;

    while (last > 0 && host.data[last - 1] != ':' && host.data[last - 1] != ']')
        last--;
    if (!host.len || host.len > ADDRESS_BYTES_MAX - 16 || host.data[0] == ':')
        return bp_fail(call, BP_INVALID, "%s: \"" BP_FMT "\" is not an address: write host:port",
                       option, BP_ARG(host));
    if (place->seed_count == SEEDS_MAX)
        return bp_fail(call, BP_INVALID, "%s: more than %d addresses", option, SEEDS_MAX);
    *memory += sprintf(seed, BP_FMT "%s%s", BP_ARG(host),
                       last && host.data[last - 1] == ':' ? "" : ":",
                       last && host.data[last - 1] == ':' ? "" : port) +
               1;
    place->seeds[place->seed_count++] = seed;
    return BP_OK;
}

/* user:password@ in front of the host. */
static bp_str take_credentials(struct redis_place *place, char **memory, bp_str authority)
{
    size_t at = authority.len;
    bp_str user;

    while (at > 0 && authority.data[at - 1] != '@')
        at--;
    if (!at)
        return authority;
    user = bp_str_n(authority.data, at - 1);
    place->user = decode(memory, bp_str_n(user.data, find(user, ":")));
    if (find(user, ":") < user.len)
        place->password = decode(memory, from(user, find(user, ":") + 1));
    return from(authority, at);
}

static bp_status take_path(bp_call *call, struct redis_place *place, char **memory, bp_str path,
                           bp_str query, const struct scheme *scheme)
{
    bp_str name = path.len && path.data[0] == '/' ? from(path, 1) : path;

    if (query.len && !bp_str_starts(query, "db="))
        return bp_fail(call, BP_INVALID, "url: only db=NUMBER can stand behind its \"?\"");
    if (query.len && !read_database(from(query, 3), &place->database))
        return bp_fail(call, BP_INVALID, "url: \"" BP_FMT "\" is not the number of a database",
                       BP_ARG(from(query, 3)));
    if (scheme->is_unix) {
        char *seed = *memory;
        if (path.len < 2 || path.len > 107)
            return bp_fail(call, BP_INVALID,
                           "url: write unix:///path/of/the.sock, the path at most 107 bytes");
        *memory += sprintf(seed, "unix:" BP_FMT, BP_ARG(path)) + 1;
        place->seeds[place->seed_count++] = seed;
        return BP_OK;
    }
    if (scheme->topology == REDIS_SENTINEL) {
        place->master = decode(memory, name);
        return place->master.len ? BP_OK
                                 : bp_fail(call, BP_INVALID,
                                           "url: say which master the Sentinels watch: "
                                           "sentinel://host:26379/mymaster");
    }
    if (name.len && !read_database(name, &place->database))
        return bp_fail(call, BP_INVALID, "url: \"" BP_FMT "\" is not the number of a database",
                       BP_ARG(name));
    if (scheme->topology == REDIS_CLUSTER && place->database)
        return bp_fail(call, BP_INVALID, "url: a cluster has only the database 0");
    return BP_OK;
}

static bp_status read_all(bp_call *call, const struct redis_options *options,
                          struct redis_place *place, char *memory)
{
    const struct scheme *scheme = NULL;
    bp_str               url = options->url, authority, path, query = { "", 0 };
    size_t               colon = find(url, ":");

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (bp_str_is(bp_str_n(url.data, colon), schemes[i].text))
            scheme = &schemes[i];
    if (!scheme || url.len < colon + 3 || memcmp(url.data + colon, "://", 3) != 0)
        return bp_fail(call, BP_INVALID,
                       "url: write redis://host:port/0, or rediss://, unix://, sentinel://, "
                       "cluster://");
    url = from(url, colon + 3);
    authority = bp_str_n(url.data, find(url, "/?"));
    path = from(url, authority.len);
    if (find(path, "@") < path.len &&
        !scheme->is_unix) // what stands before it may be a password, and is not shown
        return bp_fail(call, BP_INVALID,
                       "url: there is an @ behind the host: within a user or password write %%2F "
                       "for /, %%3F for ? and %%40 for @");
    if (find(path, "?") < path.len) {
        query = from(path, find(path, "?") + 1);
        path.len = find(path, "?");
    }
    place->topology = scheme->topology;
    place->is_tls = scheme->is_tls;
    authority = take_credentials(place, &memory, authority);
    if (!scheme->is_unix)
        BP_TRY(add_seed(call, place, &memory, authority, scheme->port, "url"));
    BP_TRY(take_path(call, place, &memory, path, query, scheme));
    if (options->hosts.count && place->topology == REDIS_SINGLE)
        return bp_fail(call, BP_INVALID,
                       "hosts: only sentinel:// and cluster:// have more than one");
    for (size_t i = 0; i < options->hosts.count; i++)
        BP_TRY(add_seed(call, place, &memory, options->hosts.items[i], scheme->port, "hosts"));
    if (options->username.len)
        place->user = options->username;
    if (options->password.len)
        place->password = options->password;
    if (place->user.len && !place->password.len)
        return bp_fail(call, BP_INVALID,
                       "username: a user without a password cannot log in; give `password` too");
    if (options->key_file.len && !options->certificate_file.len)
        return bp_fail(call, BP_INVALID, "key: it needs `certificate`");
    return BP_OK;
}

bp_status redis_place_read(bp_call *call, const struct redis_options *options,
                           struct redis_place *place)
{
    size_t size = options->url.len * 3 + 256;

    memset(place, 0, sizeof(*place));
    for (size_t i = 0; i < options->hosts.count; i++)
        size += options->hosts.items[i].len + 16;
    place->memory = malloc(size);
    if (!place->memory)
        return bp_fail(call, BP_NO_MEMORY, "no memory for the addresses of Redis");
    return read_all(call, options, place, place->memory);
}

void redis_place_free(struct redis_place *place)
{
    free(place->memory);
    place->memory = NULL;
}

bp_status redis_check(bp_call *call, const struct redis_options *options)
{
    struct redis_place place;
    bp_status          status = redis_place_read(call, options, &place);

    redis_place_free(&place);
    return status;
}
