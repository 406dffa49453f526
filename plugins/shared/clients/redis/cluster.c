/* cluster.c - which node has a key: the map of 16,384 slots, read from any node, and corrected by
 * what nodes answer. */
#include "redis/parts.h"

#include <stdlib.h>

/* CRC16-CCITT (XModem), as the specification of Redis Cluster wants it: polynomial 0x1021, nothing
 * inverted. */
static uint32_t crc16(bp_str text)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < text.len; i++) {
        crc ^= (uint32_t)(unsigned char)text.data[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? (crc << 1 ^ 0x1021) & 0xffff : crc << 1 & 0xffff;
    }
    return crc;
}

uint32_t redis_slot(bp_str key)
{
    const char *open = key.len ? memchr(key.data, '{', key.len) : NULL;
    const char *close = open ? memchr(open, '}', key.len - (size_t)(open - key.data)) : NULL;

    if (close && close > open + 1)
        key = bp_str_n(open + 1, (size_t)(close - open) - 1);
    return crc16(key) % SLOTS;
}

/* ---- nodes ---- */

struct redis_node *redis_node_add(struct redis_client *client, const char *address)
{
    struct redis_node **grown, *node;

    for (size_t i = 0; i < client->node_count; i++)
        if (strcmp(client->nodes[i]->address, address) == 0)
            return client->nodes[i];
    if (client->node_count == NODES_MAX)
        return NULL;
    grown = realloc(client->nodes, (client->node_count + 1) * sizeof(struct redis_node *));
    if (!grown)
        return NULL;
    client->nodes = grown;
    node = calloc(1, sizeof(*node));
    if (!node)
        return NULL;
    snprintf(node->address, sizeof(node->address), "%s", address);
    client->nodes[client->node_count++] = node;
    return node;
}

static size_t index_of(const struct redis_client *client, const struct redis_node *node)
{
    size_t at = 0;
    while (client->nodes[at] != node)
        at++;
    return at;
}

/* An address as a node gives it: it may leave out the host where that is its own. */
static struct redis_node *node_of(struct redis_client *client, const struct redis_node *from,
                                  bp_str host, bp_str port)
{
    char   address[ADDRESS_BYTES_MAX];
    bool   is_v6;
    size_t own = strlen(from->address);

    while (own > 0 && from->address[own - 1] != ':')
        own--;
    if (host.len > ADDRESS_BYTES_MAX - 16 || !port.len || port.len > 5)
        return NULL;
    is_v6 = host.len && host.data[0] != '[' && memchr(host.data, ':', host.len);
    if (host.len && !bp_str_is(host, "?"))
        snprintf(address, sizeof(address), is_v6 ? "[" BP_FMT "]:" BP_FMT : BP_FMT ":" BP_FMT,
                 BP_ARG(host), BP_ARG(port));
    else
        snprintf(address, sizeof(address), "%.*s" BP_FMT, (int)own, from->address, BP_ARG(port));
    return redis_node_add(client, address);
}

/* ---- the map ---- */

/* A range of slots that no other one has, [first, last, [host, port, id, ...], replicas ...].
 * False: there cannot be one more. */
static bool take_range(struct redis_client *client, const struct redis_node *from,
                       const struct redis_reply *range, uint16_t *slots, size_t *known)
{
    const struct redis_reply *master;
    struct redis_node        *node;
    char                      port[24];
    int64_t                   first, last;
    uint16_t                  place;

    if (range->type != REDIS_ARRAY || range->count < 3 || range->items[2]->type != REDIS_ARRAY ||
        range->items[2]->count < 2)
        return true;
    first = range->items[0]->integer;
    last = range->items[1]->integer;
    master = range->items[2];
    if (first < 0 || last < first || last >= SLOTS || *known + (size_t)(last - first + 1) > SLOTS)
        return false;
    snprintf(port, sizeof(port), "%lld", (long long)master->items[1]->integer);
    node = node_of(client, from, master->items[0]->text, bp_str_of(port));
    if (!node)
        return client->node_count < NODES_MAX;
    place = (uint16_t)(index_of(client, node) + 1);
    for (int64_t slot = first; slot <= last; slot++)
        slots[slot] = place;
    *known += (size_t)(last - first + 1);
    return true;
}

/* [range, ...]: together they have each slot once at most, so that a map cannot keep us longer than
 * it takes to read a good one. */
static bool take_map(struct redis_client *client, const struct redis_node *from,
                     const struct redis_reply *map)
{
    uint16_t *slots = calloc(SLOTS, sizeof(*slots));
    size_t    known = 0;
    bool      is_good = slots && map->type == REDIS_ARRAY && map->count <= SLOTS;

    for (size_t i = 0; is_good && i < map->count; i++)
        is_good = take_range(client, from, map->items[i], slots, &known);
    if (!is_good || !known) {
        free(slots);
        return false;
    }
    free(client->slots);
    client->slots = slots;
    client->is_map_known = true;
    client->is_map_stale = false;
    return true;
}

static bp_status map_from(bp_call *call, struct redis_client *client, struct redis_node *node)
{
    struct redis_batch *batch = redis_batch_new(call, (bp_str){ 0 });
    struct redis_wait  *wait = NULL;
    bp_status           status;

    redis_add_line(batch, "CLUSTER SLOTS");
    status = redis_ask_node(call, client, node, redis_batch_bytes(batch), 1, &wait);
    if (status != BP_OK)
        return status;
    if (wait->replies[0]->type == REDIS_ERROR)
        status = bp_fail(call, BP_UNAVAILABLE, "the node %s gives no map of its cluster: " BP_FMT,
                         node->address, BP_ARG(wait->replies[0]->text));
    else if (!take_map(client, node, wait->replies[0]))
        status = bp_fail(call, BP_UNAVAILABLE,
                         "the node %s knows no node that has a slot, or gives a map that is none: "
                         "the cluster is not made yet, or is it no Redis?",
                         node->address);
    redis_wait_free(wait);
    return status;
}

bp_status redis_map(bp_call *call, struct redis_client *client)
{
    bp_status status = BP_UNAVAILABLE;

    for (size_t i = 0; i < client->node_count; i++) {
        struct redis_node *node = client->nodes[client->next_seed++ % client->node_count];
        status = map_from(call, client, node);
        if (status == BP_OK || bp_cancelled(call) != BP_OK)
            return status;
    }
    return status; // the sentence of the last node asked stands
}

bp_status redis_route(bp_call *call, struct redis_client *client, bp_str key,
                      struct redis_node **node)
{
    uint16_t place = 0;

    *node = client->nodes[0];
    if (client->place.topology != REDIS_CLUSTER)
        return BP_OK;
    if (!client->is_map_known)
        BP_TRY(redis_map(call, client));
    if (client->is_map_stale) {
        client->is_map_stale = false; // before it is read: one call is enough
        if (redis_map(call, client) != BP_OK) {
            BP_TRY(bp_cancelled(call));
            bp_clear_error(call); // the old one still helps
            client->is_map_stale = true;
        }
    }
    if (key.len)
        place = client->slots[redis_slot(key)];
    for (size_t i = 0; !key.len && i < SLOTS && !place; i++)
        place = client->slots[i];
    if (!place) {
        client->is_map_stale = true;
        return bp_fail(call, BP_UNAVAILABLE,
                       "no node of the cluster has slot %u, where this key belongs: `redis-cli "
                       "--cluster check` says more",
                       redis_slot(key));
    }
    *node = client->nodes[place - 1];
    return BP_OK;
}

bp_status redis_redirected(bp_call *call, struct redis_client *client,
                           const struct redis_node *from, bp_str error, struct redis_node **node,
                           bool *is_asking)
{
    bp_str   text = error, host;
    size_t   at = 0, colon;
    uint32_t slot = 0;

    *is_asking = bp_str_starts(error, "ASK ");
    at = *is_asking ? 4 : 6;
    for (; at < text.len && text.data[at] >= '0' && text.data[at] <= '9' && slot < SLOTS; at++)
        slot = slot * 10 + (uint32_t)(text.data[at] - '0');
    colon = text.len;
    while (colon > at && text.data[colon - 1] != ':')
        colon--;
    if (slot >= SLOTS || at >= text.len || text.data[at] != ' ' || colon <= at + 1 ||
        !client->slots)
        return bp_fail(call, BP_UPSTREAM, "the node %s redirects to nowhere: \"" BP_FMT "\"",
                       from->address, BP_ARG(error));
    host = bp_str_n(text.data + at + 1, colon - at - 2);
    *node = node_of(client, from, host, bp_str_n(text.data + colon, text.len - colon));
    if (!*node)
        return bp_fail(call, BP_UPSTREAM,
                       "the node %s redirects to a strange address: \"" BP_FMT "\"", from->address,
                       BP_ARG(error));
    if (!*is_asking) { // this slot is known now; others have moved too, most likely
        client->slots[slot] = (uint16_t)(index_of(client, *node) + 1);
        client->is_map_stale = true;
    }
    return BP_OK;
}
