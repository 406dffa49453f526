/* client.c - how a command reaches a server. */
#include "cli/client.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/terminal.h"

enum { ANSWER_BYTES_MAX = 256 << 20, MESSAGE_BYTES_MAX = 1 << 20, TIMEOUT_S = 900 };

int client_open(struct client *client, const char *url, const char *conf_file)
{
    struct host_options options = { .conf_file = conf_file, .is_private = true, .is_quiet = true };
    int                 status = EXIT_DONE;

    memset(client, 0, sizeof(*client));
    arena_init(&client->arena, (size_t)ANSWER_BYTES_MAX * 2);
    buf_init(&client->answer, NULL, ANSWER_BYTES_MAX);
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    client->curl = curl_easy_init();
    client->key = getenv("BACKPLANE_API_KEY");
    if (!client->key)
        client->key = getenv("BACKPLANE_KEY");
    if (!client->curl)
        return EXIT_FAILED;
    if (url) {
        snprintf(client->base_url, sizeof(client->base_url), "%s", url);
        if (client->base_url[0] && client->base_url[strlen(client->base_url) - 1] == '/')
            client->base_url[strlen(client->base_url) - 1] = '\0';
        return EXIT_DONE;
    }
    client->has_host = true;
    status = host_load(&client->host, &options);
    if (status == EXIT_DONE)
        status = host_start(&client->host, &options);
    snprintf(client->base_url, sizeof(client->base_url), "http://localhost");
    return status;
}

void client_close(struct client *client)
{
    if (client->curl)
        curl_easy_cleanup(client->curl);
    buf_free(&client->answer);
    arena_free(&client->arena);
    if (!client->has_host)
        return;
    if (client->host.workers)
        host_stop(&client->host);
    host_free(&client->host);
}

static size_t take_answer(char *bytes, size_t size, size_t count, void *arg)
{
    struct bp_buf *buf = arg;

    buf_add(buf, (bp_str){ bytes, size * count });
    return buf_status(buf) == BP_OK ? size * count : 0;
}

static struct curl_slist *headers_for(const struct client *client, const char *content_type)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    char               text[256];

    if (content_type) {
        snprintf(text, sizeof(text), "Content-Type: %s", content_type);
        list = curl_slist_append(list, text);
    }
    if (client->key) {
        snprintf(text, sizeof(text), "Authorization: Bearer %.200s", client->key);
        list = curl_slist_append(list, text);
    }
    return list;
}

static bool judge(struct client *client, CURLcode code, const bp_json **answer)
{
    const bp_json *root = NULL;
    struct reason  why = { "it is empty" };
    bp_str         message;

    if (code != CURLE_OK) {
        reason_set(&client->problem, "%s cannot be asked: %s", client->base_url,
                   curl_easy_strerror(code));
        return false;
    }
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &client->status);
    if (client->answer.len)
        json_parse(&client->arena, buf_str(&client->answer), &root, &why);
    if (client->status >= 400) {
        struct bp_buf safe;

        buf_init(&safe, &client->arena, MESSAGE_BYTES_MAX);
        terminal_add_safe(&safe, json_as_string(
                                     json_get(json_get(root, BP_STR("error")), BP_STR("message"))));
        message = safe.len ? buf_str(&safe) : BP_STR("the server refused");
        reason_set(&client->problem, "%.*s (status %ld)",
                   (int)(message.len < 400 ? message.len : 400), message.data, client->status);
        return false;
    }
    if (answer && !root) {
        reason_set(&client->problem, "the answer of %s is not JSON: %s", client->base_url,
                   why.text);
        return false;
    }
    if (answer)
        *answer = root;
    return true;
}

static void prepare(struct client *client, const char *path, struct curl_slist *headers)
{
    CURL *curl = client->curl;
    char  url[4096];

    snprintf(url, sizeof(url), "%s%s", client->base_url, path);
    arena_reset(&client->arena);
    buf_reset(&client->answer);
    curl_easy_reset(curl);
    if (client->has_host)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->host.socket_path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
}

bool client_send(struct client *client, const char *method, const char *path,
                 const char *content_type, bp_str body, const bp_json **answer)
{
    CURL              *curl = client->curl;
    struct curl_slist *headers = headers_for(client, content_type);
    CURLcode           code;

    prepare(client, path, headers);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &client->answer);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    if (content_type) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data ? body.data : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    }
    code = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    return judge(client, code, answer);
}

/* ---- both ways at once ---- */

struct streaming {
    struct client              *client;
    const struct client_stream *stream;
};

static size_t give_body(char *bytes, size_t size, size_t count, void *arg)
{
    const struct client_stream *stream = ((struct streaming *)arg)->stream;

    return stream->read(stream->arg, bytes, size * count);
}

static size_t take_piece(char *bytes, size_t size, size_t count, void *arg)
{
    struct streaming *streaming = arg;
    long              status = 0;

    curl_easy_getinfo(streaming->client->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 400)
        return take_answer(bytes, size, count, &streaming->client->answer);
    return streaming->stream->take(streaming->stream->arg, bp_str_n(bytes, size * count))
               ? size * count
               : 0;
}

bool client_post_stream(struct client *client, const char *path, const struct client_stream *stream)
{
    CURL              *curl = client->curl;
    struct curl_slist *headers = headers_for(client, "application/octet-stream");
    struct streaming   streaming = { client, stream };
    CURLcode           code;

    headers = curl_slist_append(headers, "Transfer-Encoding: chunked");
    prepare(client, path, headers);
    // The answer begins before the body ends, which only HTTP/1.1 is known to be good for here.
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_body);
    curl_easy_setopt(curl, CURLOPT_READDATA, &streaming);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_piece);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &streaming);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    code = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE,
                      &client->status); // of an answer that was cut, too
    return judge(client, code, NULL);
}

/* ---- progress ---- */

static void draw(struct progress *progress, bool is_end)
{
    double seconds = (double)(clock_now_ns() - progress->started_ns) / 1e9;
    char   bar[31];
    int    filled = progress->total ? (int)(30 * progress->done / progress->total) : 0;

    if (!progress->is_terminal && !is_end)
        return;
    if (filled > 30)
        filled = 30;
    memset(bar, '#', (size_t)filled);
    memset(bar + filled, '-', (size_t)(30 - filled));
    bar[30] = '\0';
    if (progress->total)
        fprintf(stderr, "%s%s [%s] %lld/%lld  %.0f/s%s", progress->is_terminal ? "\r" : "",
                progress->what, bar, (long long)progress->done, (long long)progress->total,
                seconds > 0 ? (double)progress->done / seconds : 0.0, is_end ? "\n" : "");
    else
        fprintf(stderr, "%s%s %lld  %.0f/s%s", progress->is_terminal ? "\r" : "", progress->what,
                (long long)progress->done, seconds > 0 ? (double)progress->done / seconds : 0.0,
                is_end ? "\n" : "");
    fflush(stderr);
}

void progress_start(struct progress *progress, const char *what, int64_t total)
{
    *progress = (struct progress){ .what = what,
                                   .total = total,
                                   .started_ns = clock_now_ns(),
                                   .is_terminal = isatty(STDERR_FILENO) };
}

void progress_add(struct progress *progress, int64_t count)
{
    int64_t now = clock_now_ns();

    progress->done += count;
    if (now - progress->last_drawn_ns < 100000000)
        return;
    progress->last_drawn_ns = now;
    progress->is_on_line = progress->is_terminal;
    draw(progress, false);
}

void progress_make_way(struct progress *progress)
{
    if (progress->is_on_line)
        fputc('\n', stderr);
    progress->is_on_line = false;
}

void progress_end(struct progress *progress)
{
    draw(progress, true);
}
