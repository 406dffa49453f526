/* proxy.h - the client's address when a request comes through a proxy: X-Forwarded-For, from
 * trusted proxies only. */
#ifndef CORE_API_PROXY_H
#define CORE_API_PROXY_H

#include "api/api.h"

/* The client's address: the last one in X-Forwarded-For that is no trusted proxy, if the peer is
 * one; else the peer's. In the call's arena. */
bp_str proxy_client_address(const struct api *api, struct http_exchange *exchange);

/* The same for places shared out by address: of IPv6 the /64, since that is what one customer has;
 * IPv4 in IPv6's clothes is IPv4. */
bp_str proxy_client_block(const struct api *api, struct http_exchange *exchange);

/* An IPv4 or IPv6 address, with or without brackets. */
bool proxy_is_address(bp_str text);
/* Whether `address` is in `block`: "10.0.0.0/8", "2001:db8::/32", "192.0.2.1", "unix". */
bool proxy_is_in_block(bp_str address, bp_str block);

#endif
