/* client.h - how a command reaches a server: one that runs, by --url, or one that it starts for
 * itself on a conf.
 *
 * Both are asked over HTTP, so that there is one way into the house. A server started for a command
 * listens on a Unix socket in a folder that only this user can enter.
 */
#ifndef CORE_CLI_CLIENT_H
#define CORE_CLI_CLIENT_H

#include <stdio.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/reason.h"
#include "host/host.h"

struct client {
    struct host   host;
    bool          has_host;
    void         *curl;
    char          base_url[512];
    const char   *key;    /* of $BACKPLANE_API_KEY, or $BACKPLANE_KEY; NULL: none */
    struct arena  arena;  /* for answers */
    long          status; /* of the last answer */
    struct bp_buf answer;
    struct reason problem;
};

/* EXIT_DONE, or the exit status after a sentence on stderr. client_close() is due in any case.
 * `url` NULL: start a server on the conf. */
int  client_open(struct client *client, const char *url, const char *conf_file);
void client_close(struct client *client);

/* Sends a request and waits for the answer. False, with a sentence in `problem`, when none came or
 * its status is 400 or more; then the message of the answer is the sentence. `answer` may be NULL.
 */
bool client_send(struct client *client, const char *method, const char *path,
                 const char *content_type, bp_str body, const bp_json **answer);

/* A request with a body made, and an answer taken, piece by piece and side by side. */
struct client_stream {
    /* Up to `size` bytes into `bytes`, how many there are; 0: the body ends; CLIENT_READ_FAILED: it
     * cannot be made. */
    size_t (*read)(void *arg, char *bytes, size_t size);
    /* False: no more is wanted. Bytes of an answer with a status of 400 or more do not come here.
     */
    bool (*take)(void *arg, bp_str bytes);
    void *arg;
};
#define CLIENT_READ_FAILED ((size_t)0x10000000) /* CURL_READFUNC_ABORT */
/* POSTs, without a limit of time. False as client_send(). */
bool client_post_stream(struct client *client, const char *path,
                        const struct client_stream *stream);

/* A line on stderr that grows in place; nothing when stderr is no terminal, but for the end. */
struct progress {
    const char *what;
    int64_t     done, total; /* total 0: not known */
    int64_t     last_drawn_ns, started_ns;
    bool        is_terminal, is_on_line; /* is_on_line: the cursor stands behind it */
};
void progress_start(struct progress *progress, const char *what, int64_t total);
void progress_add(struct progress *progress, int64_t count);
/* Something else writes to the terminal: the bar is redrawn on the next line. */
void progress_make_way(struct progress *progress);
void progress_end(struct progress *progress);

#endif
