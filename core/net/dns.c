/* dns.c - resolving host names on libuv's pool, with a small cache for each worker. */
#include "net/dns.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"

struct dns_entry {
    char              host[DNS_HOST_MAX_BYTES + 1];
    int64_t           expires_ns; /* 0: empty */
    struct dns_answer answer;     /* ports are 0 here */
};

struct dns_cache {
    size_t           next; /* the entry that is overwritten next */
    struct dns_entry entries[DNS_CACHE_ENTRIES];
};

/* One question to the resolver. It cannot be taken back once a thread works on it, so it belongs to
 * libuv until its callback has run; `call` is NULL when the one who asked no longer waits. */
struct dns_query {
    uv_getaddrinfo_t  request;
    bp_call          *call;
    int               failed;
    bool              is_done;
    struct dns_answer answer;
};

bool dns_split(bp_str address, bp_str *host, uint16_t *port)
{
    const char *colon = address.len ? memrchr(address.data, ':', address.len) : NULL;
    uint64_t    number;

    if (!colon ||
        !str_to_uint(bp_str_n(colon + 1, (size_t)(address.data + address.len - colon - 1)),
                     &number) ||
        number > 65535)
        return false;
    *port = (uint16_t)number;
    *host = bp_str_n(address.data, (size_t)(colon - address.data));
    if (host->len && host->data[0] == '[') {
        if (host->len < 3 || host->data[host->len - 1] != ']')
            return false;
        *host = bp_str_n(host->data + 1, host->len - 2);
        return true;
    }
    return host->len == 0 || !memchr(host->data, ':', host->len);
}

static void set_port(struct dns_answer *answer, uint16_t port)
{
    for (size_t i = 0; i < answer->count; i++) {
        if (answer->addresses[i].any.sa_family == AF_INET6)
            answer->addresses[i].v6.sin6_port = htons(port);
        else
            answer->addresses[i].v4.sin_port = htons(port);
    }
}

bool dns_is_literal(bp_str host, uint16_t port, struct dns_answer *answer)
{
    struct dns_address *first = &answer->addresses[0];
    char                text[INET6_ADDRSTRLEN + 1];

    if (host.len > INET6_ADDRSTRLEN)
        return false;
    snprintf(text, sizeof(text), BP_FMT, BP_ARG(host));
    memset(answer, 0, sizeof(*answer));
    if (inet_pton(AF_INET, host.len ? text : "127.0.0.1", &first->v4.sin_addr) == 1) {
        first->v4.sin_family = AF_INET;
        first->size = sizeof(first->v4);
    } else if (inet_pton(AF_INET6, text, &first->v6.sin6_addr) == 1) {
        first->v6.sin6_family = AF_INET6;
        first->size = sizeof(first->v6);
    } else {
        return false;
    }
    answer->count = 1;
    set_port(answer, port);
    return true;
}

void dns_address_text(const struct dns_address *address, char text[48])
{
    char number[INET6_ADDRSTRLEN] = "";

    if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, number, sizeof(number));
        snprintf(text, 48, "[%s]", number);
    } else {
        inet_ntop(AF_INET, &address->v4.sin_addr, number, sizeof(number));
        snprintf(text, 48, "%s", number);
    }
}

/* ---- the cache ---- */

static struct worker_slot caches;

static struct dns_cache *cache_of(struct worker *worker)
{
    void **slot = worker_slot(worker, &caches);

    if (!*slot)
        *slot = calloc(1, sizeof(struct dns_cache));
    return *slot; // NULL without memory: then nothing is remembered
}

static const struct dns_answer *cache_find(struct worker *worker, const char *host)
{
    struct dns_cache *cache = cache_of(worker);
    int64_t           now = clock_now_ns();

    for (size_t i = 0; cache && i < DNS_CACHE_ENTRIES; i++)
        if (cache->entries[i].expires_ns > now && strcmp(cache->entries[i].host, host) == 0)
            return &cache->entries[i].answer;
    return NULL;
}

static void cache_add(struct worker *worker, const char *host, const struct dns_answer *answer)
{
    struct dns_cache *cache = cache_of(worker);
    struct dns_entry *entry;

    if (!cache)
        return;
    entry = &cache->entries[cache->next];
    cache->next = (cache->next + 1) % DNS_CACHE_ENTRIES;
    memcpy(entry->host, host, strlen(host) + 1);
    entry->answer = *answer;
    entry->expires_ns = clock_now_ns() + BP_SECONDS(DNS_TTL_S);
}

void dns_free(struct worker *worker)
{
    void **slot = worker_slot(worker, &caches);

    free(*slot);
    *slot = NULL;
}

/* ---- asking ---- */

static void on_resolved(uv_getaddrinfo_t *request, int failed, struct addrinfo *found)
{
    struct dns_query *query = request->data;

    for (const struct addrinfo *at = found; at && query->answer.count < DNS_ADDRESSES_MAX;
         at = at->ai_next) {
        struct dns_address *address = &query->answer.addresses[query->answer.count];

        if ((at->ai_family != AF_INET && at->ai_family != AF_INET6) ||
            at->ai_addrlen > sizeof(address->v6))
            continue;
        memcpy(&address->any, at->ai_addr, at->ai_addrlen);
        address->size = at->ai_addrlen;
        query->answer.count++;
    }
    uv_freeaddrinfo(found);
    query->failed = failed ? failed : query->answer.count == 0 ? UV_EAI_NONAME : 0;
    query->is_done = true;
    if (query->call)
        call_wake(query->call);
    else
        free(query);
}

/* As the C library words it, which is what people search for. */
static const char *reason_of(int failed)
{
    switch (failed) {
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
        return "name or service not known";
    case UV_EAI_AGAIN:
        return "temporary failure in name resolution";
    case UV_EAI_FAIL:
        return "the name server could not answer";
    default:
        return uv_strerror(failed);
    }
}

static bp_status ask(bp_call *call, const char *host, int64_t deadline_ns,
                     struct dns_answer *answer)
{
    struct addrinfo   hints = { .ai_family = AF_UNSPEC,
                                .ai_socktype = SOCK_STREAM,
                                .ai_flags = AI_ADDRCONFIG };
    struct dns_query *query = calloc(1, sizeof(*query));
    bp_status         status = BP_OK;
    int               failed;

    if (!query)
        return call_fail(call, BP_NO_MEMORY, "no memory to look up the host \"%s\"", host);
    query->request.data = query;
    query->call = call;
    failed = uv_getaddrinfo(&call->worker->loop, &query->request, on_resolved, host, NULL, &hints);
    if (failed) {
        free(query);
        return call_fail(call, failed == UV_ENOMEM ? BP_NO_MEMORY : BP_INVALID,
                         "\"%s\" is not the name of a host: %s", host, uv_strerror(failed));
    }
    while (status == BP_OK && !query->is_done)
        status = call_wait(call, deadline_ns, "the address of a host");
    if (!query->is_done) {
        query->call = NULL;
        uv_cancel((uv_req_t *)&query->request); // has an effect only while no thread has taken it
        if (status == BP_CANCELLED)
            return call_fail_over(call, status, "looking up a host");
        return call_fail(call, status,
                         "cannot find the host \"%s\": the name server did not answer in time",
                         host);
    }
    failed = query->failed;
    *answer = query->answer;
    free(query);
    if (failed)
        return call_fail(call, BP_UNAVAILABLE, "cannot find the host \"%s\": %s", host,
                         reason_of(failed));
    return BP_OK;
}

bp_status dns_resolve(bp_call *call, bp_str host, uint16_t port, int64_t deadline_ns,
                      struct dns_answer *answer)
{
    const struct dns_answer *known;
    char                     name[DNS_HOST_MAX_BYTES + 1];
    bp_status                status = call_over(call);

    if (status != BP_OK)
        return call_fail_over(call, status, "looking up a host");
    if (dns_is_literal(host, port, answer))
        return BP_OK;
    if (host.len > DNS_HOST_MAX_BYTES || memchr(host.data, '\0', host.len))
        return call_fail(call, BP_INVALID, "a host name of %zu bytes cannot be looked up",
                         host.len);
    memcpy(name, host.data, host.len);
    name[host.len] = '\0';
    known = cache_find(call->worker, name);
    if (known) {
        *answer = *known;
    } else {
        BP_TRY(ask(call, name, deadline_ns, answer));
        cache_add(call->worker, name, answer);
    }
    set_port(answer, port);
    return BP_OK;
}
