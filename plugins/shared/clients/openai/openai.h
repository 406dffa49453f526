/* openai.h - shared by the plugins that speak to OpenAI-compatible servers: URLs, headers, errors.
 */
#ifndef OPENAI_H
#define OPENAI_H

#include <backplane/http.h>
#include <backplane/json.h>
#include <backplane/option.h>

struct openai_server {
    bp_str        url; /* up to and with /v1 */
    bp_str        api_key;
    bp_str        ca; /* a file; empty: those that the machine trusts */
    bp_option_map headers;
};

/* A request to `path` under the server's URL with its key and headers; JSON when there is a body.
 * BP_NO_MEMORY. */
bp_status openai_request(bp_call *call, const struct openai_server *server, const char *path,
                         bp_str body, bp_http_request *request);

/* Fails as an answer with an HTTP status that is not 2xx says, in the words of the server where it
 * has some. `body` is what came with it, JSON or not. */
bp_status openai_fail(bp_call *call, const struct openai_server *server, int32_t http_status,
                      int64_t retry_after_ns, bp_str body);

/* The same for an error object in the middle of a stream, or in an answer of status 200. */
bp_status openai_fail_object(bp_call *call, const struct openai_server *server,
                             const bp_json *error);

/* Decodes base64 (RFC 4648 4) into `bytes` of at most `max`; false when it is none or too long. */
bool openai_decode_base64(bp_str text, void *bytes, size_t max, size_t *count);

#endif
