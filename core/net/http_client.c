/* http_client.c - libcurl's multi handle on a worker's loop: its sockets, its timer, the fibers to
 * wake.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "net/dns.h"
#include "net/http_transfer.h"

enum { TURN_US = 5000 };

/* A socket that libcurl wants watched. */
struct watched {
    uv_poll_t           poll;
    struct http_client *client;
    curl_socket_t       fd;
};

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void init_curl_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_curl);
}

/* ---- in and out of libcurl ---- */

void client_enter(struct http_client *client)
{
    if (client->depth++ == 0)
        client->turn_ns = clock_now_ns();
}

bool client_had_its_turn(const struct http_client *client)
{
    return clock_now_ns() - client->turn_ns >= (int64_t)TURN_US * 1000;
}

void client_wake_later(struct http_transfer *transfer)
{
    if (transfer->waiter && !queue_is_linked(&transfer->waking))
        queue_push_front(&transfer->client->waking, &transfer->waking);
}

void client_forget(struct http_transfer *transfer)
{
    if (queue_is_linked(&transfer->waking))
        queue_remove(&transfer->waking);
}

static void finish_done(struct http_client *client)
{
    CURLMsg *message;
    int      left;

    while ((message = curl_multi_info_read(client->multi, &left))) {
        struct http_transfer *transfer = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        http_transfer_finish(transfer, message->data.result);
    }
}

void client_leave(struct http_client *client)
{
    if (client->depth == 1)
        finish_done(client);
    client->depth--;
    // A fiber that is woken may come back here; each turn takes one off the list, so that is no
    // harm.
    while (client->depth == 0 && client->waking.first) {
        bp_call *waiter = QUEUE_ITEM(queue_pop(&client->waking), struct http_transfer, waking)
                              ->waiter;

        if (waiter)
            call_wake(waiter);
    }
}

/* ---- sockets and the timer ---- */

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct watched     *watched = poll->data;
    struct http_client *client = watched->client;
    int                 running, flags = 0;

    // An error of the socket: reading from it tells libcurl which, and lets it try a pooled
    // connection again.
    if (status < 0)
        flags = CURL_CSELECT_IN | CURL_CSELECT_OUT;
    if (events & (UV_READABLE | UV_DISCONNECT))
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    client_enter(client);
    curl_multi_socket_action(client->multi, watched->fd, flags, &running);
    client_leave(client);
}

static void on_watched_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static struct watched *watch(struct http_client *client, curl_socket_t fd)
{
    struct watched *watched = calloc(1, sizeof(*watched));

    if (!watched)
        return NULL;
    if (uv_poll_init_socket(&client->worker->loop, &watched->poll, fd) != 0) {
        free(watched);
        return NULL;
    }
    watched->poll.data = watched;
    watched->client = client;
    watched->fd = fd;
    curl_multi_assign(client->multi, fd, watched);
    return watched;
}

/* Its socket cannot be watched. Telling libcurl would end all transfers of the worker, and those to
 * come. */
static void give_up(CURL *easy)
{
    struct http_transfer *transfer = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
    if (!transfer)
        return;
    transfer->refusal = BP_NO_MEMORY;
    transfer->refusal_text = "there is no memory to wait for it";
    client_wake_later(transfer);
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
    struct http_client *client = user;
    struct watched     *watched = socket_user;

    if (what == CURL_POLL_REMOVE) {
        if (watched) {
            curl_multi_assign(client->multi, fd, NULL);
            uv_close((uv_handle_t *)&watched->poll, on_watched_closed);
        }
        return 0;
    }
    if (!watched)
        watched = watch(client, fd);
    if (!watched) {
        give_up(easy);
        return 0;
    }
    uv_poll_start(&watched->poll,
                  (what & CURL_POLL_IN ? UV_READABLE : 0) |
                      (what & CURL_POLL_OUT ? UV_WRITABLE : 0),
                  on_socket);
    return 0;
}

static void act_on_time(struct http_client *client)
{
    int running;

    client_enter(client);
    curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    client_leave(client);
}

static void on_timer(uv_timer_t *timer)
{
    act_on_time(timer->data);
}

/* At once is in the next turn of the loop. A timer of no time would be due in the same one, again
 * and again while libcurl asks for that, and nobody else would have a turn. */
static void on_soon(uv_idle_t *soon)
{
    uv_idle_stop(soon);
    act_on_time(soon->data);
}

static int want_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct http_client *client = user;

    (void)multi;
    uv_timer_stop(&client->timer);
    uv_idle_stop(&client->soon);
    if (timeout_ms < 0)
        return 0;
    if (timeout_ms == 0) {
        uv_idle_start(&client->soon, on_soon);
        return 0;
    }
    uv_update_time(&client->worker->loop); // or it fires too early, and libcurl does not ask again
    uv_timer_start(&client->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

/* ---- its life ---- */

static struct http_client *client_new(struct worker *worker)
{
    struct http_client *client = calloc(1, sizeof(*client));

    if (!client)
        return NULL;
    init_curl_once();
    client->worker = worker;
    client->multi = curl_multi_init();
    if (!client->multi) {
        free(client);
        return NULL;
    }
    uv_timer_init(&worker->loop, &client->timer);
    client->timer.data = client;
    uv_idle_init(&worker->loop, &client->soon);
    client->soon.data = client;
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                      (long)HTTP_CLIENT_HOST_CONNECTIONS_MAX);
    curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                      (long)HTTP_CLIENT_CONNECTIONS_MAX);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_CLIENT_CONNECTIONS_MAX);
    return client;
}

static struct worker_slot clients;

struct http_client *client_of(bp_call *call)
{
    void **slot = worker_slot(call->worker, &clients);

    if (!*slot)
        *slot = client_new(call->worker);
    if (!*slot)
        call_fail(call, BP_NO_MEMORY, "no memory for an HTTP client");
    return *slot;
}

uint32_t http_client_transfers(struct worker *worker)
{
    const struct http_client *client = *worker_slot(worker, &clients);

    return client ? client->transfer_count : 0;
}

static void on_soon_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct http_client *client = handle->data;

    uv_close((uv_handle_t *)&client->soon, on_soon_closed);
}

void http_client_free(struct worker *worker)
{
    void              **slot = worker_slot(worker, &clients);
    struct http_client *client = *slot;

    dns_free(worker);
    if (!client)
        return;
    *slot = NULL;
    for (uint32_t i = 0; i < client->spare_count; i++)
        curl_easy_cleanup(client->spare[i]);
    curl_multi_cleanup(client->multi);
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}
