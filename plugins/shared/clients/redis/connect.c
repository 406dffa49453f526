/* connect.c - from an address to a connection that is logged in; once for all calls that wait for
 * it, with pauses between failures that grow and differ, so that a server coming back is not run
 * over. */
#include "redis/parts.h"

#include <stdlib.h>

enum { PATIENT_FAILURES = 3, BACKOFF_BASE_MS = 50, BACKOFF_DOUBLINGS = 6, TEXT_BYTES = 512 };

/* A call that waits while another one connects. */
struct connect_turn {
    struct connect_turn *next;
    bp_waker            *waker;
};

/* ---- one connection ---- */

static bp_str host_of(const char *address)
{
    const char *colon = strrchr(address, ':');
    bp_str      host = bp_str_n(address, colon ? (size_t)(colon - address) : strlen(address));

    if (host.len > 2 && host.data[0] == '[')
        return bp_str_n(host.data + 1, host.len - 2);
    return host;
}

static bp_status dial(bp_call *call, const struct redis_client *client, const char *address,
                      struct redis_wire *wire)
{
    const struct redis_options *options = client->options;
    bp_str     name = options->server_name.len ? options->server_name : host_of(address);
    bp_tls     tls = { .struct_size = sizeof(tls),
                       .is_unverified = !options->is_verified,
                       .server_name = name,
                       .ca_file = options->ca_file,
                       .certificate_file = options->certificate_file,
                       .key_file = options->key_file };
    int64_t    deadline_ns = bp_within(call, options->connect_timeout_ns);
    bp_stream *stream = NULL;
    bp_status  status;

    BP_TRY(bp_connect(call, bp_str_of(address), deadline_ns, &stream));
    status = client->place.is_tls ? bp_start_tls(call, stream, &tls, deadline_ns) : BP_OK;
    if (status == BP_OK)
        status = bp_keep_stream(call, stream, &wire->stream);
    if (status != BP_OK)
        bp_close(stream);
    return status;
}

/* One command and its answer in place; a copy of the connection's fate in the call's error. */
static bp_status ask(bp_call *call, const struct redis_client *client, struct redis_wire *wire,
                     struct redis_batch *batch, struct redis_wait **wait)
{
    size_t wanted = redis_batch_size(batch);
    bp_str bytes = redis_batch_bytes(batch);

    if (!bytes.len)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a command");
    BP_TRY(redis_wire_ask(call, wire, bytes, wanted, client->options->connect_timeout_ns, wait));
    if (!(*wait)->is_lost)
        return BP_OK;
    redis_wait_free(*wait);
    *wait = NULL;
    return bp_fail(call, BP_UNAVAILABLE, "%s", wire->why);
}

static void add_login(struct redis_batch *batch, bp_str user, bp_str password)
{
    if (user.len)
        redis_add(batch, (bp_str[]){ BP_STR("AUTH"), user, password }, 3);
    else
        redis_add(batch, (bp_str[]){ BP_STR("AUTH"), password }, 2);
}

/* A server that does not know AUTH repeats what it was sent, the password too. */
static bool shows(bp_str text, bp_str secret)
{
    for (size_t at = 0; secret.len && at + secret.len <= text.len; at++)
        if (memcmp(text.data + at, secret.data, secret.len) == 0)
            return true;
    return false;
}

static bp_status check_login(bp_call *call, const struct redis_reply *reply, bp_str user,
                             bp_str password)
{
    if (reply->type != REDIS_ERROR)
        return BP_OK;
    if (shows(reply->text, password))
        return bp_fail(call, BP_UNAVAILABLE,
                       "it does not know AUTH, or under another name: give no password, or ask who "
                       "runs it");
    return bp_fail(call, BP_UNAVAILABLE,
                   "it refused the login of %s" BP_FMT ": " BP_FMT
                   "; check `username` and `password`",
                   user.len ? "the user " : "the default user", BP_ARG(user), BP_ARG(reply->text));
}

/* Login, database, role and name in one round trip, which also proves that somebody answers. */
static bp_status greet(bp_call *call, const struct redis_client *client, struct redis_wire *wire)
{
    const struct redis_place *place = &client->place;
    struct redis_batch       *batch = redis_batch_new(call, (bp_str){ 0 });
    struct redis_wait        *wait = NULL;
    char                      number[24];
    size_t                    at = 0;
    bp_status                 status = BP_OK;
    bool                      has_login = place->password.len > 0;

    if (has_login)
        add_login(batch, place->user, place->password);
    redis_add(batch,
              (bp_str[]){ BP_STR("CLIENT"), BP_STR("SETNAME"), client->options->client_name }, 3);
    if (place->database) {
        snprintf(number, sizeof(number), "%lld", (long long)place->database);
        redis_add(batch, (bp_str[]){ BP_STR("SELECT"), bp_str_of(number) }, 2);
    }
    if (place->topology == REDIS_SENTINEL)
        redis_add_line(batch, "ROLE");
    BP_TRY(ask(call, client, wire, batch, &wait));
    if (has_login)
        status = check_login(call, wait->replies[at++], place->user, place->password);
    if (status == BP_OK && wait->replies[at]->type == REDIS_ERROR &&
        bp_str_starts(wait->replies[at]->text, "NOAUTH"))
        status = bp_fail(call, BP_UNAVAILABLE,
                         "it wants a password: give `password`, or put it into `url`");
    at++; // the name is for people: a server that does not know it is good enough
    if (status == BP_OK && place->database && wait->replies[at++]->type == REDIS_ERROR)
        status = bp_fail(call, BP_UNAVAILABLE, "it has no database %lld for us: " BP_FMT,
                         (long long)place->database, BP_ARG(wait->replies[at - 1]->text));
    if (status == BP_OK && place->topology == REDIS_SENTINEL) {
        const struct redis_reply *role = wait->replies[at];
        if (role->type == REDIS_ARRAY && role->count && !bp_str_is(role->items[0]->text, "master"))
            status = bp_fail(call, BP_UNAVAILABLE, "it is a " BP_FMT " and no longer a master",
                             BP_ARG(role->items[0]->text));
    }
    redis_wait_free(wait);
    return status;
}

/* ---- who is the master? ---- */

static bp_status ask_sentinel(bp_call *call, const struct redis_client *client,
                              const char *sentinel, char *address)
{
    const struct redis_options *options = client->options;
    struct redis_batch         *batch = redis_batch_new(call, (bp_str){ 0 });
    struct redis_wire          *wire = redis_wire_new();
    struct redis_wait          *wait = NULL;
    const struct redis_reply   *reply;
    bool                        has_login = options->sentinel_password.len > 0;
    bp_status                   status = wire ? dial(call, client, sentinel, wire)
                                              : bp_fail(call, BP_NO_MEMORY, "no memory for a connection");

    if (has_login)
        add_login(batch, options->sentinel_username, options->sentinel_password);
    redis_add(batch,
              (bp_str[]){ BP_STR("SENTINEL"), BP_STR("get-master-addr-by-name"),
                          client->place.master },
              3);
    if (status == BP_OK)
        status = ask(call, client, wire, batch, &wait);
    if (status == BP_OK && has_login)
        status = check_login(call, wait->replies[0], options->sentinel_username,
                             options->sentinel_password);
    if (status == BP_OK) {
        reply = wait->replies[has_login ? 1 : 0];
        if (reply->type == REDIS_ARRAY && reply->count == 2 && reply->items[0]->text.len &&
            reply->items[1]->text.len) {
            bool is_v6 = memchr(reply->items[0]->text.data, ':', reply->items[0]->text.len) != NULL;
            snprintf(address, ADDRESS_BYTES_MAX, is_v6 ? "[" BP_FMT "]:" BP_FMT : BP_FMT ":" BP_FMT,
                     BP_ARG(reply->items[0]->text), BP_ARG(reply->items[1]->text));
        } else if (reply->type == REDIS_ERROR) {
            status = bp_fail(call, BP_UNAVAILABLE, BP_FMT, BP_ARG(reply->text));
        } else {
            status = bp_fail(call, BP_UNAVAILABLE,
                             "it watches no master \"" BP_FMT
                             "\"; check the name behind the / of `url`",
                             BP_ARG(client->place.master));
        }
    }
    redis_wait_free(wait);
    if (wire) {
        redis_wire_break(wire, "done");
        redis_wire_release(wire);
    }
    return status;
}

static bp_status find_master(bp_call *call, struct redis_client *client, char *address)
{
    char      why[TEXT_BYTES] = "";
    bp_status status = BP_UNAVAILABLE;

    for (size_t i = 0; i < client->place.seed_count; i++) {
        const char *sentinel = client->place.seeds[client->next_seed % client->place.seed_count];
        status = ask_sentinel(call, client, sentinel, address);
        if (status == BP_OK || bp_cancelled(call) != BP_OK)
            return status;
        snprintf(why, sizeof(why), "the Sentinel at %s: " BP_FMT, sentinel,
                 BP_ARG(bp_error_of(call)->message));
        client->next_seed++; // the one that answers is asked first the next time
    }
    return bp_fail(call, BP_UNAVAILABLE,
                   "no Sentinel knows the master \"" BP_FMT "\"; the last asked was %s",
                   BP_ARG(client->place.master), why);
}

/* ---- with its failures ---- */

static int64_t pause_ns(uint32_t failures)
{
    uint32_t doublings = failures - 1 < BACKOFF_DOUBLINGS ? failures - 1 : BACKOFF_DOUBLINGS;
    int64_t  whole_ns = BP_MILLISECONDS(BACKOFF_BASE_MS) << doublings;
    uint32_t chance;

    bp_random(&chance, sizeof(chance));
    return whole_ns / 2 + (int64_t)((double)whole_ns / 2 * (chance / 4294967296.0));
}

static bp_status fail_node(bp_call *call, const struct redis_node *node)
{
    int64_t left_ns = node->retry_ns - bp_now_ns();

    bp_fail(call, BP_UNAVAILABLE, "%s", node->why);
    bp_fail_detail(call, left_ns > 0 ? left_ns : 0, node->os_errno, 0);
    return BP_UNAVAILABLE;
}

static bp_status note_failure(bp_call *call, struct redis_client *client, struct redis_node *node)
{
    const bp_error *error = bp_error_of(call);

    node->failures++;
    node->os_errno = error->os_errno;
    node->retry_ns = bp_now_ns() + pause_ns(node->failures);
    snprintf(node->why, sizeof(node->why), "cannot use Redis at %s (attempt %u): " BP_FMT "%s",
             node->address[0] ? node->address : "an unknown address", node->failures,
             BP_ARG(error->message),
             node->os_errno ? "; check that it runs and that the address in `url` is right" : "");
    if (client->watcher && node->failures >= PATIENT_FAILURES)
        bp_wake(client->watcher);
    return fail_node(call, node);
}

static bp_status connect_now(bp_call *call, struct redis_client *client, struct redis_node *node)
{
    struct redis_wire *wire;
    bp_status          status = BP_OK;

    if (client->place.topology == REDIS_SENTINEL)
        status = find_master(call, client, node->address);
    wire = status == BP_OK ? redis_wire_new() : NULL;
    if (status == BP_OK && !wire)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a connection");
    if (status == BP_OK)
        status = dial(call, client, node->address, wire);
    if (status == BP_OK)
        status = greet(call, client, wire);
    if (status == BP_OK) {
        redis_count(client, client->connects, node->was_open ? "again" : "first");
        if (node->failures)
            bp_log(call, BP_LOG_INFO, "Redis at %s is there again after %u failed attempts",
                   node->address, node->failures);
        node->wire = wire; // which keeps the user it was born with
        node->was_open = true;
        node->failures = 0;
        return BP_OK;
    }
    if (wire) {
        redis_wire_break(wire, "it could not be used");
        redis_wire_release(wire);
    }
    if (bp_cancelled(call) != BP_OK)
        return status; // the call is over, which says nothing about the server
    redis_count(client, client->connects, "failed");
    return note_failure(call, client, node);
}

static void wake_all(struct redis_node *node)
{
    for (struct connect_turn *at = node->turns; at; at = at->next)
        bp_wake(at->waker);
}

/* Waits while another call connects. */
static bp_status wait_turn(bp_call *call, struct redis_node *node)
{
    struct connect_turn turn = { .next = node->turns, .waker = bp_waker_new(call) };
    bp_status           status;

    if (!turn.waker)
        return bp_fail(call, BP_NO_MEMORY, "no memory to wait for a connection");
    node->turns = &turn;
    status = bp_wait(call, turn.waker, BP_FOREVER, "a connection to Redis");
    for (struct connect_turn **at = &node->turns; *at; at = &(*at)->next)
        if (*at == &turn) {
            *at = turn.next;
            break;
        }
    bp_waker_free(turn.waker);
    return status;
}

/* As the one that connects: waits for the pause to end, if there is not too much of it. */
static bp_status connect_after_pause(bp_call *call, struct redis_client *client,
                                     struct redis_node *node)
{
    int64_t   left_ns = node->retry_ns - bp_now_ns();
    bp_status status = BP_OK;

    if (left_ns > 0 && node->failures >= PATIENT_FAILURES)
        return fail_node(call, node);
    if (left_ns > 0)
        status = bp_sleep(call, left_ns);
    return status == BP_OK ? connect_now(call, client, node) : status;
}

void redis_node_close(struct redis_node *node, const char *why)
{
    struct redis_wire *wire = node->wire;

    node->wire = NULL;
    if (!wire)
        return;
    redis_wire_break(wire, "%s", why);
    redis_wire_release(wire);
}

bp_status redis_node_open(bp_call *call, struct redis_client *client, struct redis_node *node,
                          struct redis_wire **wire)
{
    uint64_t  attempt = node->attempts;
    bp_status status = BP_OK;

    *wire = NULL;
    while (status == BP_OK) {
        if (node->wire && !redis_wire_is_dead(call, node->wire)) {
            *wire = node->wire;
            (*wire)->users++;
            return BP_OK;
        }
        if (node->wire && node->wire->is_broken)
            redis_node_close(node, "it broke");
        if (node->wire)
            continue; // another call has made a new one meanwhile
        if (redis_node_is_given_up(client, node))
            return fail_node(call, node);
        if (node->is_connecting) {
            status = wait_turn(call, node);
            if (status == BP_OK && !node->wire && !node->is_connecting && node->attempts != attempt)
                return fail_node(call, node); // the connection waited for has failed
            continue;
        }
        node->is_connecting = true;
        status = connect_after_pause(call, client, node);
        node->is_connecting = false;
        if (status == BP_OK || bp_cancelled(call) == BP_OK)
            node->attempts++;
        wake_all(node);
    }
    return status;
}

/* ---- servers that are gone for longer ---- */

bool redis_node_is_given_up(const struct redis_client *client, const struct redis_node *node)
{
    return client->is_watched && !node->wire && node->failures >= PATIENT_FAILURES;
}

static void connect_again(bp_call *call, struct redis_client *client, struct redis_node *node)
{
    node->is_connecting = true;
    connect_now(call, client, node); // a failure stands in the node, for all to see
    node->is_connecting = false;
    node->attempts++;
    wake_all(node);
    bp_clear_error(call);
}

bp_status redis_watch(bp_call *call, void *arg)
{
    struct redis_client *client = arg;
    struct redis_node *node = client->nodes[0]; // a cluster, which has more of them, has no watcher
    bp_status          status = BP_OK;

    client->watcher = bp_waker_new(call);
    if (!client->watcher)
        return bp_fail(call, BP_NO_MEMORY, "no memory to watch for Redis");
    client->is_watched = true;
    while (status == BP_OK && bp_cancelled(call) == BP_OK) {
        bool    is_given_up = redis_node_is_given_up(client, node);
        int64_t until_ns = is_given_up ? node->retry_ns : BP_FOREVER;

        if (is_given_up && !node->is_connecting && until_ns <= bp_now_ns()) {
            connect_again(call, client, node);
            continue;
        }
        if (node->is_connecting)
            until_ns = bp_within(call, BP_MILLISECONDS(
                                           50)); // a call that began before the server was given up
        status = bp_wait(call, client->watcher, until_ns, "Redis to be gone");
        if (status == BP_DEADLINE && bp_cancelled(call) == BP_OK) {
            bp_clear_error(call);
            status = BP_OK;
        }
    }
    bp_waker_free(client->watcher);
    client->watcher = NULL;
    return BP_OK;
}
