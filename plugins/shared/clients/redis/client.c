/* client.c - commands in, answers out: routing, retries, and the meaning of the server's errors. */
#include "redis/parts.h"

#include <stdlib.h>

enum {
    TRIES_MAX = 3,
    REDIRECTIONS_MAX = 8,
    PAUSE_MIN_MS = 10,
    PAUSE_DOUBLINGS = 5,
    READONLY_MS = 700,
    LINE_WORDS_MAX = 64,
    FEW_BYTES = 4096,
    LENGTH_BYTES_MAX = 23
};

/* ---- batches ---- */

struct redis_batch {
    bp_call *call;
    bp_str   key;
    char    *bytes; /* of the call while they are few, then of malloc() */
    size_t   len, size, count;
    bool     is_spoilt, is_ours; /* is_ours: to be freed */
    char     name[24];           /* of the first command, for sentences */
};

static void free_batch(void *arg)
{
    free(((struct redis_batch *)arg)->bytes);
}

struct redis_batch *redis_batch_new(bp_call *call, bp_str key)
{
    struct redis_batch *batch = BP_NEW(call, struct redis_batch);

    if (!batch)
        return NULL;
    batch->call = call;
    batch->key = key;
    return batch;
}

/* Room for `more` bytes. */
static bool reserve(struct redis_batch *batch, size_t more)
{
    size_t size = batch->size ? batch->size : FEW_BYTES;
    char  *grown;

    if (more <= batch->size - batch->len)
        return true;
    if (!batch->bytes && more <= FEW_BYTES) { // a lone command takes what it needs
        batch->bytes = bp_alloc(batch->call, more);
        batch->size = batch->bytes ? more : 0;
        return batch->bytes != NULL;
    }
    while (size - batch->len < more) {
        if (size > SIZE_MAX / 2)
            return false;
        size *= 2;
    }
    if (!batch->is_ours && bp_on_end(batch->call, free_batch, batch) != BP_OK)
        return false;
    grown = realloc(batch->is_ours ? batch->bytes : NULL, size);
    if (grown && !batch->is_ours && batch->len)
        memcpy(grown, batch->bytes, batch->len);
    if (!grown && !batch->is_ours)
        batch->bytes = NULL; // free_batch() is on its way
    batch->is_ours = true;
    if (!grown)
        return false;
    batch->bytes = grown;
    batch->size = size;
    return true;
}

/* "$5\r\n", "*3\r\n": at most 23 bytes. */
static char *put_length(char *at, char kind, size_t length)
{
    char   digits[20];
    size_t count = 0;

    do
        digits[count++] = (char)('0' + length % 10);
    while (length /= 10);
    *at++ = kind;
    while (count)
        *at++ = digits[--count];
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

void redis_add(struct redis_batch *batch, const bp_str *words, size_t count)
{
    size_t wanted = LENGTH_BYTES_MAX;
    char  *at;

    if (!batch || batch->is_spoilt)
        return;
    for (size_t i = 0; i < count; i++)
        wanted += words[i].len + LENGTH_BYTES_MAX + 2;
    if (!batch->count++) {
        size_t name_len = words[0].len < sizeof(batch->name) ? words[0].len
                                                             : sizeof(batch->name) - 1;
        memcpy(batch->name, words[0].data, name_len); // the rest is zero
    }
    if (!reserve(batch, wanted)) {
        batch->is_spoilt = true;
        return;
    }
    at = put_length(batch->bytes + batch->len, '*', count);
    for (size_t i = 0; i < count; i++) {
        at = put_length(at, '$', words[i].len);
        if (words[i].len)
            memcpy(at, words[i].data, words[i].len);
        at += words[i].len;
        *at++ = '\r';
        *at++ = '\n';
    }
    batch->len = (size_t)(at - batch->bytes);
}

void redis_add_line(struct redis_batch *batch, const char *line)
{
    bp_str words[LINE_WORDS_MAX];
    size_t count = 0;

    while (*line && count < LINE_WORDS_MAX) {
        words[count] = bp_str_n(line, strcspn(line, " "));
        line += words[count].len + (line[words[count].len] == ' ');
        count++;
    }
    redis_add(batch, words, count);
}

size_t redis_batch_size(const struct redis_batch *batch)
{
    return batch ? batch->count : 0;
}

bp_str redis_batch_bytes(const struct redis_batch *batch)
{
    return batch && !batch->is_spoilt ? bp_str_n(batch->bytes, batch->len) : (bp_str){ 0 };
}

/* ---- life ---- */

static bp_status define_metrics(bp_call *call, const char *prefix, struct redis_client *client)
{
    const struct {
        bp_metric    **metric;
        bp_metric_type type;
        const char    *name, *help, *labels;
    } table[] = {
        { &client->connects, BP_COUNTER, "connections_total",
          "Attempts to connect to Redis, by outcome: first connection, reconnection, failure.",
          "outcome" },
        { &client->flight, BP_GAUGE, "in_flight", "Commands that wait for an answer from Redis.",
          "" },
        { &client->retries, BP_COUNTER, "retries_total", "Commands sent to Redis again, by reason.",
          "reason" },
    };
    char name[96];

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        snprintf(name, sizeof(name), "%s_%s", prefix, table[i].name);
        BP_TRY(bp_metric_define(call, table[i].type, name, table[i].help, table[i].labels,
                                table[i].metric));
    }
    return BP_OK;
}

void redis_count(const struct redis_client *client, bp_metric *metric, const char *label)
{
    bp_str value = bp_str_of(label);

    (void)client;
    bp_metric_add(metric, &value, label ? 1 : 0, 1);
}

bp_status redis_client_new(bp_call *call, const struct redis_options *options, const char *prefix,
                           struct redis_client **out)
{
    struct redis_client *client = calloc(1, sizeof(*client));
    bp_status            status;

    *out = NULL;
    if (!client)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a client of Redis");
    client->options = options;
    status = redis_place_read(call, options, &client->place);
    if (status == BP_OK)
        status = define_metrics(call, prefix, client);
    // With Sentinels there is one node, and they tell its address.
    for (size_t i = 0; status == BP_OK &&
                       i < (client->place.topology == REDIS_CLUSTER ? client->place.seed_count : 1);
         i++)
        if (!redis_node_add(client,
                            client->place.topology == REDIS_SENTINEL ? "" : client->place.seeds[i]))
            status = bp_fail(call, BP_NO_MEMORY, "no memory for a client of Redis");
    if (status == BP_OK && client->place.topology != REDIS_CLUSTER)
        status = bp_every(call, "reconnect to Redis", BP_MILLISECONDS(1), redis_watch, client);
    if (status == BP_OK)
        *out = client;
    else
        redis_client_free(client);
    return status;
}

void redis_client_free(struct redis_client *client)
{
    if (!client)
        return;
    for (size_t i = 0; i < client->node_count; i++) {
        redis_node_close(client->nodes[i], "it is closed");
        free(client->nodes[i]);
    }
    free(client->nodes);
    free(client->slots);
    redis_place_free(&client->place);
    free(client);
}

redis_topology redis_topology_of(const struct redis_client *client)
{
    return client->place.topology;
}

/* ---- errors of the server ---- */

typedef enum fate {
    FATE_FAIL,      /* tell the caller */
    FATE_AGAIN,     /* it was not carried out, and may be in a moment */
    FATE_NOT_READY, /* AGAIN, but the server says that to everybody, maybe for long */
    FATE_REDIRECT,  /* another node has the key */
    FATE_REMAP,     /* AGAIN, with a new map */
    FATE_RECONNECT, /* this is not the server we want */
    FATE_SCRIPT     /* the caller deals with it */
} fate;

static const struct known_error {
    const char *prefix;
    fate        fate;
    bp_status   status;
    const char *advice;
} known_errors[] = {
    { "MOVED ", FATE_REDIRECT, BP_UNAVAILABLE,
      "the cluster's nodes disagree about who has the key" },
    { "ASK ", FATE_REDIRECT, BP_UNAVAILABLE, "the slot of this key is being moved" },
    { "TRYAGAIN", FATE_AGAIN, BP_UNAVAILABLE, "the slot of these keys is being moved" },
    { "CLUSTERDOWN", FATE_REMAP, BP_UNAVAILABLE, "look at `redis-cli --cluster check`" },
    { "LOADING", FATE_NOT_READY, BP_UNAVAILABLE,
      "it reads its data from the disk and will answer when it has" },
    { "MASTERDOWN", FATE_NOT_READY, BP_UNAVAILABLE, "a replica has lost its master" },
    { "BUSY ", FATE_NOT_READY, BP_UNAVAILABLE,
      "a script runs for too long: look at SLOWLOG, SCRIPT KILL ends it" },
    { "READONLY", FATE_RECONNECT, BP_UNAVAILABLE,
      "it is a replica: let `url` name the master, or the Sentinels (sentinel://)" },
    { "UNBLOCKED", FATE_RECONNECT, BP_UNAVAILABLE, "its role has changed" },
    { "NOSCRIPT", FATE_SCRIPT, BP_UPSTREAM, "it forgot a script" },
    { "OOM", FATE_FAIL, BP_FULL,
      "its memory is full: raise maxmemory, or let it evict (maxmemory-policy)" },
    { "MISCONF", FATE_FAIL, BP_FULL,
      "it cannot write to its disk: look at its log and at the space left" },
    { "NOREPLICAS", FATE_FAIL, BP_UNAVAILABLE,
      "too few replicas are connected (min-replicas-to-write)" },
    { "NOAUTH", FATE_FAIL, BP_UNAVAILABLE, "give `password`" },
    { "WRONGPASS", FATE_FAIL, BP_UNAVAILABLE, "check `username` and `password`" },
    { "NOPERM", FATE_FAIL, BP_UNAVAILABLE,
      "the ACL of our user forbids it: see ACL GETUSER on the server" },
    { "WRONGTYPE", FATE_FAIL, BP_UPSTREAM, "somebody else uses our keys: choose another `prefix`" },
};

static const struct known_error *known(bp_str error)
{
    static const struct known_error other = { "", FATE_FAIL, BP_UPSTREAM, "its log may say more" };

    for (size_t i = 0; i < sizeof(known_errors) / sizeof(known_errors[0]); i++)
        if (bp_str_starts(error, known_errors[i].prefix))
            return &known_errors[i];
    return &other;
}

/* The first error among the answers; NULL: none. That EXEC was given up only repeats what stands
 * before it. */
static const struct redis_reply *first_error(const struct redis_wait *wait, size_t skipped)
{
    const struct redis_reply *found = NULL;

    for (size_t i = skipped; i < wait->wanted; i++)
        if (wait->replies[i]->type == REDIS_ERROR &&
            (!found || (known(found->text)->fate == FATE_FAIL &&
                        known(wait->replies[i]->text)->fate != FATE_FAIL)))
            found = wait->replies[i];
    return found;
}

static bp_status fail_error(bp_call *call, const struct redis_node *node, const char *command,
                            bp_str error)
{
    const struct known_error *what = known(error);

    return bp_fail(call, what->status, "Redis at %s refused %s: " BP_FMT "; %s", node->address,
                   command, (int)(error.len > 400 ? 400 : error.len), error.data, what->advice);
}

bp_status redis_fail_error(bp_call *call, const struct redis_client *client, const char *command,
                           const struct redis_reply *error)
{
    return fail_error(call, client->nodes[0], command, error->text);
}

/* ---- one exchange ---- */

bp_status redis_ask_node(bp_call *call, struct redis_client *client, struct redis_node *node,
                         bp_str bytes, size_t wanted, struct redis_wait **wait)
{
    struct redis_wire *wire;
    bp_status          status;

    *wait = NULL;
    if (!bytes.len)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a command");
    BP_TRY(redis_node_open(call, client, node, &wire));
    bp_metric_add(client->flight, NULL, 0, (double)wanted);
    status = redis_wire_ask(call, wire, bytes, wanted, client->options->timeout_ns, wait);
    bp_metric_add(client->flight, NULL, 0, -(double)wanted);
    if (status == BP_DEADLINE && bp_cancelled(call) == BP_OK)
        status = bp_fail(call, BP_UNAVAILABLE,
                         "Redis at %s did not answer within `timeout` (%.1f s), though it answers "
                         "others: look at its SLOWLOG and its CPU",
                         node->address, (double)client->options->timeout_ns / 1e9);
    if (status == BP_OK && (*wait)->is_lost)
        bp_fail(call, BP_UNAVAILABLE,
                "the connection to Redis at %s broke before its answer came: %s", node->address,
                wire->why);
    redis_wire_release(wire);
    return status;
}

/* What a run has been through. */
struct run {
    struct redis_client *client;
    struct redis_batch  *batch;
    struct redis_node   *node;  /* NULL: by the key */
    struct redis_node   *fixed; /* only this one will do; NULL: any that has the key */
    uint32_t             flags, tries, redirections, pauses;
    int64_t              until_ns; /* nothing is tried again after that */
    bool                 is_asking, is_read_only;
};

/* Sleeps a little and longer each time; the error, which stands in the slot, is final when the time
 * is up. */
static bp_status pause_before_retry(bp_call *call, struct run *run, bp_status status,
                                    const char *reason)
{
    uint32_t doublings = run->pauses < PAUSE_DOUBLINGS ? run->pauses : PAUSE_DOUBLINGS, chance;
    int64_t  whole_ns = BP_MILLISECONDS(PAUSE_MIN_MS) << doublings;

    bp_random(&chance, sizeof(chance));
    whole_ns = whole_ns / 2 + (int64_t)((double)whole_ns / 2 * (chance / 4294967296.0));
    if (bp_now_ns() + whole_ns >= run->until_ns)
        return status;
    run->pauses++;
    redis_count(run->client, run->client->retries, reason);
    BP_TRY(bp_sleep(call, whole_ns));
    bp_clear_error(call);
    return BP_OK;
}

static bp_status after_loss(bp_call *call, struct run *run, bool was_sent)
{
    bool is_safe = !was_sent || (run->flags & REDIS_IDEMPOTENT);

    if (!is_safe)
        return bp_fail(call, BP_UNAVAILABLE,
                       BP_FMT "; whether %s was carried out is not known, so it is not sent again",
                       BP_ARG(bp_error_of(call)->message), run->batch->name);
    if (++run->tries >= TRIES_MAX)
        return BP_UNAVAILABLE;
    return pause_before_retry(call, run, BP_UNAVAILABLE, "connection_lost");
}

/* BP_OK: once more. */
static bp_status after_error(bp_call *call, struct run *run, struct redis_node *node, bp_str error)
{
    fate      what = known(error)->fate;
    bp_status status = fail_error(call, node, run->batch->name, error);
    bool      is_ask = bp_str_starts(error, "ASK ");

    if (run->fixed && what == FATE_REDIRECT)
        return status;
    if (what == FATE_REDIRECT &&
        !(is_ask && run->batch->count > 1)) { // ASKING is good for one command only
        if (run->redirections++ >= REDIRECTIONS_MAX)
            return status;
        redis_count(run->client, run->client->retries, "redirected");
        bp_clear_error(call);
        return redis_redirected(call, run->client, node, error, &run->node, &run->is_asking);
    }
    if (what == FATE_RECONNECT) {
        int64_t enough_ns = bp_now_ns() + BP_MILLISECONDS(READONLY_MS);

        // Where the master is now is asked again; a place that stays a replica is told soon, as the
        // host tries three times.
        redis_node_close(node, "the server has become a replica");
        run->client->is_map_stale = true;
        if (!run->is_read_only && enough_ns < run->until_ns)
            run->until_ns = enough_ns;
        run->is_read_only = true;
    }
    if (what == FATE_REMAP)
        run->client->is_map_stale = true;
    if (what == FATE_NOT_READY && !node->not_ready_ns)
        node->not_ready_ns = bp_now_ns();
    if (what == FATE_NOT_READY &&
        bp_now_ns() - node->not_ready_ns > run->client->options->timeout_ns)
        return status; // others have waited for it before
    run->node = run->fixed;
    return pause_before_retry(call, run, status,
                              what == FATE_RECONNECT ? "read_only" : "not_ready");
}

static bp_str with_front(bp_call *call, bp_str front, bp_str bytes)
{
    char *whole = bp_alloc(call, front.len + bytes.len);

    if (!whole)
        return (bp_str){ 0 };
    memcpy(whole, front.data, front.len);
    memcpy(whole + front.len, bytes.data, bytes.len);
    return bp_str_n(whole, front.len + bytes.len);
}

/* Once: BP_OK with *wait, BP_OK without it (try again), or the end. */
static bp_status try_once(bp_call *call, struct run *run, struct redis_wait **out)
{
    struct redis_node        *node = run->node;
    const struct redis_reply *error;
    struct redis_wait        *wait = NULL;
    bp_str                    bytes = redis_batch_bytes(run->batch);
    size_t                    skipped = run->is_asking ? 1 : 0;
    bp_status                 status = BP_OK;
    bool                      was_sent;

    if (!node)
        status = redis_route(call, run->client, run->batch->key, &node);
    if (run->is_asking && status == BP_OK)
        bytes = with_front(call, BP_STR("*1\r\n$6\r\nASKING\r\n"), bytes);
    if (status == BP_OK)
        status = redis_ask_node(call, run->client, node, bytes, run->batch->count + skipped, &wait);
    if (status == BP_OK && wait->is_lost) {
        was_sent = wait->was_sent;
        redis_wait_free(wait);
        run->node = run->fixed;
        run->is_asking = false;
        run->client->is_map_stale = true; // the node may be gone for good
        return after_loss(call, run, was_sent);
    }
    if (status == BP_UNAVAILABLE && bp_cancelled(call) == BP_OK && (!node || !node->wire) &&
        !(node && redis_node_is_given_up(run->client, node)) && ++run->tries < TRIES_MAX) {
        run->node = run->fixed; // it could not be reached: nothing was sent
        run->is_asking = false;
        run->client->is_map_stale = true;
        return pause_before_retry(call, run, status, "not_reached");
    }
    if (status != BP_OK)
        return status;
    error = first_error(wait, skipped);
    if (error && known(error->text)->fate != FATE_FAIL && known(error->text)->fate != FATE_SCRIPT) {
        char   text[256];
        size_t len = error->text.len < sizeof(text) ? error->text.len : sizeof(text) - 1;
        memcpy(text, error->text.data, len);
        redis_wait_free(wait);
        run->is_asking = false;
        return after_error(call, run, node, bp_str_n(text, len));
    }
    node->not_ready_ns = 0;
    if (error && !(run->flags & REDIS_ERRORS_PASS)) {
        status = fail_error(call, node, run->batch->name, error->text);
        redis_wait_free(wait);
        return status;
    }
    *out = wait;
    return BP_OK;
}

static void free_wait(void *arg)
{
    redis_wait_free(arg);
}

static bp_status run_on(bp_call *call, struct redis_client *client, struct redis_node *fixed,
                        struct redis_batch *batch, uint32_t flags,
                        const struct redis_reply *const **replies)
{
    struct run run = {
        .client = client, .batch = batch, .node = fixed, .fixed = fixed, .flags = flags
    };
    struct redis_wait *wait = NULL;
    bp_status          status = bp_cancelled(call);

    *replies = NULL;
    if (status != BP_OK)
        return bp_fail(call, status, "the call was over before Redis was asked");
    if (!batch || batch->is_spoilt || !batch->count)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a command to Redis");
    run.until_ns = bp_within(call, client->options->timeout_ns);
    while (status == BP_OK && !wait)
        status = try_once(call, &run, &wait);
    if (status != BP_OK)
        return status;
    if (bp_on_end(call, free_wait, wait) != BP_OK) {
        redis_wait_free(wait);
        return bp_fail(call, BP_NO_MEMORY, "no memory for an answer of Redis");
    }
    *replies = (const struct redis_reply *const *)(wait->replies + (wait->wanted - batch->count));
    return BP_OK;
}

/* ---- for plugins ---- */

bp_status redis_run(bp_call *call, struct redis_client *client, struct redis_batch *batch,
                    uint32_t flags, const struct redis_reply *const **replies)
{
    return run_on(call, client, NULL, batch, flags, replies);
}

bp_status redis_do(bp_call *call, struct redis_client *client, bp_str key, const bp_str *words,
                   size_t count, uint32_t flags, const struct redis_reply **reply)
{
    struct redis_batch              *batch = redis_batch_new(call, key);
    const struct redis_reply *const *replies;

    redis_add(batch, words, count);
    BP_TRY(run_on(call, client, NULL, batch, flags, &replies));
    *reply = replies[0];
    return BP_OK;
}

/* The masters that have slots, as indexes of client->nodes; *count of them. */
static bp_status masters(bp_call *call, struct redis_client *client, size_t **list, size_t *count)
{
    struct redis_node *any;
    bool              *is_master;

    BP_TRY(redis_route(call, client, (bp_str){ 0 }, &any));
    is_master = BP_NEW_ARRAY(call, bool, client->node_count);
    *list = BP_NEW_ARRAY(call, size_t, client->node_count);
    if (!is_master || !*list)
        return BP_NO_MEMORY;
    is_master[0] = !client->slots;
    for (size_t i = 0; client->slots && i < SLOTS; i++)
        if (client->slots[i])
            is_master[client->slots[i] - 1] = true;
    *count = 0;
    for (size_t i = 0; i < client->node_count; i++)
        if (is_master[i])
            (*list)[(*count)++] = i;
    return BP_OK;
}

bp_status redis_run_on(bp_call *call, struct redis_client *client, size_t node,
                       struct redis_batch *batch, uint32_t flags,
                       const struct redis_reply *const **replies)
{
    if (node >= client->node_count)
        return bp_fail(call, BP_INTERNAL, "there is no node %zu", node);
    return run_on(call, client,
                  client->place.topology == REDIS_CLUSTER ? client->nodes[node] : NULL, batch,
                  flags, replies);
}

bp_status redis_do_on(bp_call *call, struct redis_client *client, size_t node, const bp_str *words,
                      size_t count, uint32_t flags, const struct redis_reply **reply)
{
    struct redis_batch              *batch = redis_batch_new(call, (bp_str){ 0 });
    const struct redis_reply *const *replies;

    redis_add(batch, words, count);
    BP_TRY(redis_run_on(call, client, node, batch, flags, &replies));
    *reply = replies[0];
    return BP_OK;
}

bp_status redis_masters(bp_call *call, struct redis_client *client, const size_t **nodes,
                        size_t *count)
{
    size_t *list = NULL;

    BP_TRY(masters(call, client, &list, count));
    *nodes = list;
    return BP_OK;
}

/* Learns how the server calls the script. One that may not ask sends it whole each time. */
static bp_status learn_script(bp_call *call, struct redis_client *client,
                              struct redis_script *script, bp_str key)
{
    bp_str words[] = { BP_STR("SCRIPT"), BP_STR("LOAD"), bp_str_of(script->source) };
    const struct redis_reply *reply;

    BP_TRY(redis_do(call, client, key, words, 3, REDIS_IDEMPOTENT | REDIS_ERRORS_PASS, &reply));
    if (reply->type == REDIS_STRING && reply->text.len == 40)
        memcpy(script->sha, reply->text.data, 41);
    return BP_OK;
}

bp_status redis_run_script(bp_call *call, struct redis_client *client, struct redis_script *script,
                           const bp_str *keys, size_t key_count, const bp_str *arguments,
                           size_t argument_count, uint32_t flags, const struct redis_reply **reply)
{
    bp_str   *words = BP_NEW_ARRAY(call, bp_str, 3 + key_count + argument_count);
    bp_status status;

    if (!words)
        return BP_NO_MEMORY;
    if (!script->sha[0])
        BP_TRY(learn_script(call, client, script, keys[0]));
    words[2] = bp_format(call, "%zu", key_count);
    memcpy(words + 3, keys, key_count * sizeof(*words));
    if (argument_count)
        memcpy(words + 3 + key_count, arguments, argument_count * sizeof(*words));
    if (script->sha[0]) {
        words[0] = BP_STR("EVALSHA");
        words[1] = bp_str_n(script->sha, 40);
        status = redis_do(call, client, keys[0], words, 3 + key_count + argument_count,
                          flags | REDIS_ERRORS_PASS, reply);
        if (status != BP_OK || (*reply)->type != REDIS_ERROR)
            return status;
        if (!bp_str_starts((*reply)->text, "NOSCRIPT"))
            return flags & REDIS_ERRORS_PASS ? BP_OK
                                             : redis_fail_error(call, client, "EVALSHA", *reply);
    }
    words[0] = BP_STR("EVAL");
    words[1] = bp_str_of(script->source);
    return redis_do(call, client, keys[0], words, 3 + key_count + argument_count, flags, reply);
}

bp_status redis_fail_shape(bp_call *call, const char *command, const struct redis_reply *reply)
{
    static const char *const names[] = { "nothing", "a string", "an array", "an integer",
                                         "nil",     "a status", "an error" };

    return bp_fail(call, BP_UPSTREAM,
                   "Redis answered %s with %s, which is not a valid answer: check that it is a "
                   "Redis server",
                   command, names[reply->type]);
}
