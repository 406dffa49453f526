/* web.h - the app of `backplane conform` as its clients see it: served by a listener, each
 * request to be spoiled. */
#ifndef CORE_CONFORM_WEB_H
#define CORE_CONFORM_WEB_H

#include "host/host.h"
#include "conform.h"

/* Serves at the listener of `host`, in place of api_handle(): headers of the request itself say
 * where its call is to be cancelled, or how much time it gets. One host at a time. */
void contract_web_handle(struct http_exchange *exchange, void *host);
/* When the host has started: what the cases of an app need of it. */
const struct conform_web *contract_web_open(struct host *host, bp_str name);
/* When all hosts are gone. */
void contract_web_end(void);

#endif
