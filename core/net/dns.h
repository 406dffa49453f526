/* dns.h - from "host:port" to socket addresses, without blocking the loop.
 *
 * Literal addresses cost nothing. Names go to the resolver of the machine on a thread of libuv's
 * pool, and what it says is kept for a few seconds by each worker, so that a burst of requests asks
 * once.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "loop/call.h"

enum { DNS_ADDRESSES_MAX = 16, DNS_TTL_S = 5, DNS_CACHE_ENTRIES = 64, DNS_HOST_MAX_BYTES = 255 };

struct dns_address {
    union {
        struct sockaddr     any;
        struct sockaddr_in  v4;
        struct sockaddr_in6 v6;
    };
    socklen_t size;
};

struct dns_answer {
    size_t             count; /* at least 1 when found */
    struct dns_address addresses[DNS_ADDRESSES_MAX];
};

/* Takes "host:port", "[v6]:port" or ":port" (then the host is empty) apart; false when it is none
 * of these. */
bool dns_split(bp_str address, bp_str *host, uint16_t *port);

/* Whether `host` is an IPv4 or IPv6 address (without brackets), which needs no resolver. An empty
 * host is the loopback. `answer` is filled in then. */
bool dns_is_literal(bp_str host, uint16_t port, struct dns_answer *answer);

/* All addresses of a host, in the order the resolver prefers. BP_UNAVAILABLE (there is no such
 * host, or the resolver cannot be reached), BP_INVALID (no host name can look like that),
 * BP_DEADLINE, BP_CANCELLED. */
bp_status dns_resolve(bp_call *call, bp_str host, uint16_t port, int64_t deadline_ns,
                      struct dns_answer *answer) BP_SUSPENDS;

/* "192.0.2.1" or "[2001:db8::1]", into at least 48 bytes. */
void dns_address_text(const struct dns_address *address, char text[48]);

/* When a worker ends: its cache. Requests under way free themselves. */
void dns_free(struct worker *worker);

#endif
