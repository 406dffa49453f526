/* proxy.c - the client's address when a request comes through a proxy. */
#include "api/proxy.h"

#include <arpa/inet.h>

#include "base/str.h"

enum { ADDRESS_TEXT_BYTES = 64 /* more than any has */ };

/* 4 or 16 bytes; 0: no address. An IPv4 address in IPv6's clothes counts as IPv4. */
static size_t parse(bp_str text, uint8_t bytes[16])
{
    static const uint8_t mapped[12] = { [10] = 0xFF, [11] = 0xFF };
    char                 copy[ADDRESS_TEXT_BYTES];

    if (text.len >= 2 && text.data[0] == '[' && text.data[text.len - 1] == ']')
        text = (bp_str){ text.data + 1, text.len - 2 };
    if (text.len == 0 || text.len >= sizeof(copy))
        return 0;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, bytes) == 1)
        return 4;
    if (inet_pton(AF_INET6, copy, bytes) != 1)
        return 0;
    if (memcmp(bytes, mapped, 12) != 0)
        return 16;
    memmove(bytes, bytes + 12, 4);
    return 4;
}

bool proxy_is_address(bp_str text)
{
    uint8_t bytes[16];

    return parse(text, bytes) != 0;
}

bool proxy_is_in_block(bp_str address, bp_str block)
{
    bp_str   bits_text, network = str_split(block, '/', &bits_text);
    uint8_t  a[16], b[16];
    size_t   len = parse(address, a);
    uint64_t bits = len * 8;

    if (bp_str_equal(address, block))
        return true;
    if (len == 0 || parse(network, b) != len || (bits_text.len && !str_to_uint(bits_text, &bits)) ||
        bits > len * 8)
        return false;
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    return bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8)) == 0;
}

bp_str proxy_client_block(const struct api *api, struct http_exchange *exchange)
{
    bp_str  address = proxy_client_address(api, exchange);
    uint8_t bytes[16];
    char    text[INET6_ADDRSTRLEN];
    size_t  len;

    if (!memchr(address.data, ':', address.len))
        return address; // "unix", or IPv4, which has one spelling
    len = parse(address, bytes);
    if (len == 0)
        return address;
    if (len == 16)
        memset(bytes + 8, 0, 8);
    inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, text, sizeof(text));
    return arena_dup(exchange->call->arena, bp_str_of(text));
}

static bool is_trusted(const struct api *api, bp_str address)
{
    const bp_str_list *proxies = &api->conf->server.trusted_proxies;

    for (size_t i = 0; i < proxies->count; i++)
        if (proxy_is_in_block(address, proxies->items[i]))
            return true;
    return false;
}

bp_str proxy_client_address(const struct api *api, struct http_exchange *exchange)
{
    bp_str  list, client = exchange->peer;
    uint8_t bytes[16];

    if (!is_trusted(api, client))
        return client;
    list = http_exchange_header(exchange, "x-forwarded-for");
    // From the right: each proxy appends who spoke to it, and what stands left of a stranger is a
    // stranger's word.
    while (list.len && is_trusted(api, client)) {
        size_t at = list.len;
        bp_str last;

        while (at > 0 && list.data[at - 1] != ',')
            at--;
        last = str_trim((bp_str){ list.data + at, list.len - at });
        if (parse(last, bytes) == 0)
            break;
        client = last;
        list.len = at > 0 ? at - 1 : 0;
    }
    return client;
}
