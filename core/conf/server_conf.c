/* server_conf.c - reads the sections `server` and `log`, and checks the rules that no table can
 * express. */
#include "conf/server_conf.h"

#include <arpa/inet.h>

#include "base/crypto.h"
#include "base/str.h"
#include "conf/value.h"

static const char DEFAULT_ADDRESS[] = "127.0.0.1:8000";

/* The mapping called `name` in `parent`; NULL when it is not there or, with an error, when it is no
 * mapping. */
static const struct conf_node *find_mapping(struct conf_problems   *problems,
                                            const struct conf_node *parent, const char *name)
{
    const struct conf_node *node = *name ? node_find(parent, name) : parent;

    if (!node || node->kind == NODE_MAPPING || node_is_null(node))
        return node && node->kind == NODE_MAPPING ? node : NULL;
    error_at_value(problems, node, "must be a mapping of settings");
    return NULL;
}

static void read_workers(const struct option_reader *reader, const struct conf_node *section,
                         struct server_conf *server)
{
    const struct conf_node *node = node_find(section, "workers");
    uint64_t                count = 0;

    if (!server->workers_field.len || str_equal_ignore_case(server->workers_field, BP_STR("auto")))
        return;
    if (!str_to_uint(server->workers_field, &count) || count < 1 || count > SERVER_MAX_WORKERS)
        error_at_value(reader->problems, node,
                       "\"" BP_FMT "\" is neither auto nor a number from 1 to 256",
                       BP_ARG(server->workers_field));
    else
        server->workers = (uint32_t)count;
}

static bool is_network(bp_str text)
{
    bp_str   bits, address = str_split(text, '/', &bits);
    char     copy[64];
    uint8_t  bytes[16];
    uint64_t width;

    if (address.len >= sizeof(copy))
        return false;
    memcpy(copy, address.data, address.len);
    copy[address.len] = '\0';
    if (address.len == text.len)
        return inet_pton(AF_INET, copy, bytes) == 1 || inet_pton(AF_INET6, copy, bytes) == 1;
    if (!str_to_uint(bits, &width))
        return false;
    return (inet_pton(AF_INET, copy, bytes) == 1 && width <= 32) ||
           (inet_pton(AF_INET6, copy, bytes) == 1 && width <= 128);
}

static void check_proxies(const struct option_reader *reader, const struct conf_node *section,
                          const struct server_conf *server)
{
    const struct conf_node *node = node_find(section, "trusted_proxies");

    for (size_t i = 0; i < server->trusted_proxies.count; i++)
        if (!is_network(server->trusted_proxies.items[i]))
            error_at_value(reader->problems, node,
                           "\"" BP_FMT
                           "\" is neither an address nor a CIDR block such as 10.0.0.0/8",
                           BP_ARG(server->trusted_proxies.items[i]));
}

/* The names of the references behind `from` (NULL: all). */
static bp_str_list names_of(struct conf_problems *problems, const struct option_refs *refs,
                            const struct option_ref *from)
{
    bp_str_list names = { 0 };
    bp_str     *items;
    size_t      count = 0;

    for (const struct option_ref *ref = from ? from->next : refs->first; ref; ref = ref->next)
        count++;
    items = arena_alloc(problems->arena, (count + 1) * sizeof(*items));
    if (!items) {
        problem_no_memory(problems);
        return names;
    }
    for (const struct option_ref *ref = from ? from->next : refs->first; ref; ref = ref->next)
        items[names.count++] = ref->name;
    names.items = items;
    return names;
}

static void read_listener(const struct option_reader *reader, const struct conf_node *node,
                          struct server_listener *listener, struct option_refs *refs)
{
    static const struct option_table *const tables[] = { &listener_table };
    const struct option_ref                *before = refs->last;
    bp_option                               address = option_at(&listener_table, 0);

    listener->node = node;
    if (node->kind == NODE_SCALAR) {
        option_read_value(reader, &address, node, &listener->address, refs);
    } else if (node->kind == NODE_MAPPING) {
        option_read(reader, &listener_table, NULL, node, listener, refs);
        option_report_unknown(reader->problems, node, tables, 1, "");
        listener->apps = names_of(reader->problems, refs, before);
        if (node_find(node, "apps") && node_find(node, "apps")->kind == NODE_SEQUENCE &&
            !listener->apps.count)
            warning_at_key(reader->problems, node_find(node, "apps"),
                           "names no app, which serves all of them: name those that are served "
                           "there, or remove the line");
    } else {
        error_at_value(reader->problems, node,
                       "must be an address or a mapping with `address` and `apps`");
    }
}

static bool is_repeated(const struct server_conf *server, size_t index)
{
    // Port 0 is another port each time.
    bp_str address = server->listeners[index].address;

    if (address.len >= 2 && memcmp(address.data + address.len - 2, ":0", 2) == 0)
        return false;
    for (size_t i = 0; i < index; i++)
        if (bp_str_equal(server->listeners[i].address, address))
            return true;
    return false;
}

static void read_listeners(const struct option_reader *reader, const struct conf_node *section,
                           struct server_conf *server, struct option_refs *refs)
{
    const struct conf_node *list = node_find(section, "listen");
    const struct conf_node *first = list && list->kind == NODE_SEQUENCE ? list->first : list;
    size_t                  count = list && list->kind == NODE_SEQUENCE ? list->count : 1;

    server->listeners = arena_alloc(reader->problems->arena,
                                    (count + 1) * sizeof(*server->listeners));
    if (!server->listeners) {
        problem_no_memory(reader->problems);
        return;
    }
    if (!list || node_is_unset(list)) {
        server->listeners[0].address = bp_str_of(DEFAULT_ADDRESS);
        server->listener_count = 1;
        return;
    }
    if (count == 0 || count > SERVER_MAX_LISTENERS || node_is_null(list)) {
        error_at_value(reader->problems, list, "must name 1 to 64 addresses to listen on");
        return;
    }
    for (const struct conf_node *node = first; node;
         node = list->kind == NODE_SEQUENCE ? node->next : NULL) {
        struct server_listener *listener = &server->listeners[server->listener_count];

        if (node_is_unset(node))
            continue;
        read_listener(reader, node, listener, refs);
        if (listener->address.len && is_repeated(server, server->listener_count))
            error_at_value(reader->problems, node, "\"" BP_FMT "\" is listened on already",
                           BP_ARG(listener->address));
        server->listener_count++;
    }
}

static bool has_text(const bp_str_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].len)
            return true;
    return false;
}

static void check_network_listener(const struct option_reader   *reader,
                                   const struct server_conf     *server,
                                   const struct server_listener *listener)
{
    if (server->auth.mode == AUTH_NONE && !server->auth.allow_unauthenticated_network)
        error_at_value(reader->problems, listener->node,
                       "\"" BP_FMT
                       "\" is reached by other machines, and server.auth.mode is none: set it to "
                       "keys, listen on 127.0.0.1, or, behind a proxy that authenticates, set "
                       "server.auth.allow_unauthenticated_network to true",
                       BP_ARG(listener->address));
    else if (!has_text(&server->allowed_hosts)) // a page could lead a name of its own here (DNS
                                                // rebinding)
        error_at_value(reader->problems, listener->node,
                       "\"" BP_FMT
                       "\" is reached by other machines, and server.allowed_hosts is empty: name "
                       "the hosts that clients write in their URLs, such as [api.example.org], or "
                       "write [\"*\"] where a proxy checks them",
                       BP_ARG(listener->address));
}

/* What it shows (names of instances, load, failures) is for operators. */
static void check_metrics_listener(const struct option_reader *reader,
                                   const struct server_conf   *server)
{
    if (server->metrics_listen_node && server->metrics_listen.len &&
        !address_is_loopback(server->metrics_listen) && !server->metrics_token.len &&
        !server->auth.allow_unauthenticated_network)
        error_at_value(reader->problems, server->metrics_listen_node,
                       "\"" BP_FMT
                       "\" is reached by other machines, and server.metrics_token is empty: set "
                       "it, listen on 127.0.0.1, or, in a network that only scrapers reach, set "
                       "server.auth.allow_unauthenticated_network to true",
                       BP_ARG(server->metrics_listen));
}

static void check_network(const struct option_reader *reader, const struct server_conf *server)
{
    check_metrics_listener(reader, server);
    for (size_t i = 0; i < server->listener_count; i++) {
        const struct server_listener *listener = &server->listeners[i];

        if (listener->address.len && listener->node && !address_is_loopback(listener->address))
            check_network_listener(reader, server, listener);
    }
}

/* A name that leads nowhere but here: "http://127.0.0.1:80/x", but not "http://127.example.org". */
static bool is_own_address(bp_str url)
{
    static const char *const names[] = { "localhost", "[::1]" };
    bp_str                   host = bp_str_n(url.data + 7, url.len - 7), rest;

    host = str_split(host, '/', &rest);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = strlen(names[i]);

        if (bp_str_starts(host, names[i]) && (host.len == len || host.data[len] == ':'))
            return true;
    }
    host = str_split(host, ':', &rest);
    return bp_str_starts(host, "127.") && strspn(host.data, "0123456789.") >= host.len &&
           !memchr(url.data, '@', url.len);
}

/* Keys that came over a plain connection could be anybody's. */
static void check_plain(const struct option_reader *reader, const struct conf_node *auth,
                        const char *name, bp_str url)
{
    if (bp_str_starts(url, "http://") && !is_own_address(url) && node_find(auth, name))
        error_at_value(reader->problems, node_find(auth, name),
                       "must be an https:// URL: http is for this machine alone");
}

static void check_auth(const struct option_reader *reader, const struct conf_node *section,
                       struct server_conf *server, const struct option_ref *before,
                       const struct option_refs *refs)
{
    const struct conf_node  *auth = node_find(section, "auth");
    const struct option_ref *ref = before ? before->next : refs->first;

    for (; ref; ref = ref->next)
        if (bp_str_is(ref->option, "storage"))
            server->auth.storage = ref->name;
    if ((server->auth.mode == AUTH_KEYS || server->auth.mode == AUTH_BOTH) &&
        !server->auth.storage.len && !node_find(auth, "storage"))
        error_missing(reader->problems, auth, "storage",
                      "is required where mode is keys or both: name the storage instance that "
                      "holds the keys");
    if ((server->auth.mode == AUTH_OAUTH || server->auth.mode == AUTH_BOTH) &&
        !server->auth.issuer.len)
        error_missing(reader->problems, auth, "issuer",
                      "is required where mode is oauth or both: the URL of the authorization "
                      "server");
    if ((server->auth.mode == AUTH_OAUTH || server->auth.mode == AUTH_BOTH) &&
        !server->auth.audience.count)
        error_missing(reader->problems, auth, "audience",
                      "is required where mode is oauth or both: a token made out for another "
                      "server must not be taken, so say what this one is called");
    check_plain(reader, auth, "issuer", server->auth.issuer);
    check_plain(reader, auth, "keys_url", server->auth.keys_url);
}

/* Two settings of which the first must be less than the second. */
static void check_order(const struct option_reader *reader, const struct conf_node *section,
                        const char *lesser, const char *greater, bool is_in_order)
{
    const struct conf_node *node = node_find(section, lesser) ? node_find(section, lesser)
                                                              : node_find(section, greater);

    if (!is_in_order && node)
        error_at_value(reader->problems, node, "%s must be less than %s", lesser, greater);
}

void server_conf_read(const struct option_reader *reader, const struct conf_node *section,
                      struct server_conf *server, struct option_refs *refs)
{
    static const struct option_table *const tables[] = { &server_sections[0].table };
    const struct option_ref                *before = refs->last;

    section = section ? find_mapping(reader->problems, section, "") : NULL;
    for (size_t i = 0; i < SERVER_SECTION_COUNT; i++) {
        const struct conf_section       *part = &server_sections[i];
        const struct conf_node          *mapping = section
                                                       ? find_mapping(reader->problems, section, part->name)
                                                       : NULL;
        const struct option_table *const part_tables[] = { &part->table };

        option_read(reader, &part->table, NULL, mapping, (char *)server + part->offset, refs);
        if (i > 0)
            option_report_unknown(reader->problems, mapping, part_tables, 1, "");
    }
    option_report_unknown(reader->problems, section, tables, 1,
                          "listen|auth|limits|watchdog|drain|mcp");
    check_auth(reader, section, server, before, refs);
    read_workers(reader, section, server);
    check_proxies(reader, section, server);
    read_listeners(reader, section, server, refs);
    server->metrics_listen_node = node_find(section, "metrics_listen");
    check_network(reader, server);
    check_order(reader, node_find(section, "watchdog"), "warn", "fail_liveness",
                server->watchdog.warn_ns < server->watchdog.fail_liveness_ns);
    check_order(reader, node_find(section, "watchdog"), "fail_liveness", "abort",
                server->watchdog.fail_liveness_ns < server->watchdog.abort_ns);
    check_order(reader, node_find(section, "limits"), "shed_at", "refuse_at",
                server->limits.shed_at < server->limits.refuse_at);
}

void log_conf_read(const struct option_reader *reader, const struct conf_node *section,
                   struct log_conf *log)
{
    static const struct option_table *const tables[] = { &log_section.table };
    struct option_refs                      refs = { 0 };

    section = section ? find_mapping(reader->problems, section, "") : NULL;
    option_read(reader, &log_section.table, NULL, section, log, &refs);
    option_report_unknown(reader->problems, section, tables, 1, "");
}

static bool is_prefix(bp_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!is_letter && (i == 0 || !((c >= '0' && c <= '9') || c == '_' || c == '-')))
            return false;
    }
    return true;
}

void gate_conf_read(const struct option_reader *reader, const char *kind,
                    const struct conf_node *instance, const struct option_table *shadow,
                    struct gate_conf *gate)
{
    const struct conf_node *digest = node_find(instance, "digest");
    struct option_refs      refs = { 0 };
    uint8_t                 hash[32];

    option_read(reader, &gate_table, shadow, instance, gate, &refs);
    option_read(reader, gate_kind_table(kind), shadow, instance, gate, &refs);
    if (gate->prefix.len && (gate->prefix.len > PREFIX_MAX_BYTES || !is_prefix(gate->prefix)))
        error_at_value(reader->problems, node_find(instance, "prefix"),
                       "\"" BP_FMT "\" is no prefix (a letter, then letters, digits, - and _, at "
                       "most %d; write it without slashes)",
                       BP_ARG(gate->prefix), PREFIX_MAX_BYTES);
    if (digest && gate->digest.len && !crypto_unhex(gate->digest, hash, sizeof(hash)))
        error_at_value(reader->problems, digest,
                       "is not a SHA-256 in hexadecimal (64 digits; sha256sum prints it for the "
                       "plugin's file)");
}
