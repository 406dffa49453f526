/* line_server.c - lines over two descriptors, with libuv's polling of both. */
#include "net/line_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/queue.h"

enum {
    READ_BYTES = 64 << 10,
    OUT_HIGH_BYTES = 256 << 10, /* handlers wait, and nothing is read */
    OUT_MAX_BYTES = 1 << 30,
    WRITE_BYTES = 256 << 10,
    PIPE_BYTES = 1 << 20 /* what Linux lets anybody have (pipe-max-size) */
};

struct line_run {
    struct queue_link   link;
    struct line_server *server;
    bp_call            *call;
    bool                is_too_long, is_cancelled;
    size_t              len;
    char                line[];
};

struct line_waiter {
    struct queue_link link;
    bp_call          *call;
};

struct line_server {
    struct line_server_options options;
    bp_call                   *call; /* of line_serve() */
    struct worker             *worker;
    uv_poll_t                  in_poll, out_poll;
    uv_idle_t                  in_idle; /* for what cannot be polled, such as a file */
    uv_prepare_t               flush;
    uint32_t                   open_handles;
    int64_t                    progress_ns; /* when something was last taken from us */
    bool          is_hung_up; /* the peer has closed its end; there may be more to read */
    bool          is_file, is_reading, is_input_over, is_output_closed, is_out_polled, is_skipping;
    struct bp_buf in, out;
    size_t        out_sent; /* bytes of `out` that are gone already */
    struct queue  runs;     /* struct line_run, newest first */
    struct queue  waiters;  /* struct line_waiter */
    char         *chunk;
};

/* ---- out ---- */

static size_t waiting_bytes(const struct line_server *server)
{
    return server->out.len - server->out_sent;
}

/* Those who have waited longest, as far as there is room. Waking a call from the loop runs it right
 * there, so each is taken out of the queue before. */
static void wake_waiters(struct line_server *server)
{
    while (server->waiters.first &&
           (waiting_bytes(server) < OUT_HIGH_BYTES || server->is_output_closed))
        call_wake(QUEUE_ITEM(queue_pop(&server->waiters), struct line_waiter, link)->call);
}

/* The next one may be gone once this one was cancelled, so each search starts over. */
static void cancel_runs(struct line_server *server)
{
    struct queue_link *at = server->runs.first;

    while (at) {
        struct line_run *run = QUEUE_ITEM(at, struct line_run, link);

        if (run->call && !run->is_cancelled) {
            run->is_cancelled = true;
            call_cancel(run->call);
            at = server->runs.first;
        } else {
            at = at->next;
        }
    }
}

static void stop_reading(struct line_server *server)
{
    if (!server->is_reading)
        return;
    server->is_reading = false;
    if (server->is_file)
        uv_idle_stop(&server->in_idle);
    else
        uv_poll_stop(&server->in_poll);
}

static void on_hangup(uv_poll_t *poll, int status, int events)
{
    struct line_server *server = poll->data;

    (void)status;
    (void)events;
    uv_poll_stop(poll);
    server->is_hung_up = true;
    server->progress_ns = clock_now_ns();
    call_wake(server->call);
    worker_run_ready(server->worker);
}

/* Until our answers are read. That the peer closes its end is heard all the same. */
static void pause_reading(struct line_server *server)
{
    stop_reading(server);
    if (!server->is_file && !server->is_input_over && !server->is_hung_up)
        uv_poll_start(&server->in_poll, UV_DISCONNECT, on_hangup);
}

static void close_output(struct line_server *server)
{
    server->is_output_closed = true;
    stop_reading(server);
    cancel_runs(server);
    wake_waiters(server);
    call_wake(server->call);
}

static void on_writable(uv_poll_t *poll, int status, int events);

static void start_reading(struct line_server *server);

/* With a reader that is a little slower than we are there is always something waiting: then the
 * rest moves to the front once more than that was sent, so that no byte moves twice for a byte that
 * went. */
static void drop_sent(struct line_server *server)
{
    if (!waiting_bytes(server)) {
        buf_reset(&server->out);
        server->out_sent = 0;
    } else if (server->out_sent >= OUT_HIGH_BYTES && server->out_sent >= waiting_bytes(server)) {
        buf_consume(&server->out, server->out_sent);
        server->out_sent = 0;
    }
}

static void flush(struct line_server *server)
{
    while (waiting_bytes(server) && !server->is_output_closed) {
        size_t  piece = waiting_bytes(server) < WRITE_BYTES ? waiting_bytes(server) : WRITE_BYTES;
        ssize_t sent = write(server->options.out, server->out.data + server->out_sent, piece);

        if (sent > 0) {
            server->progress_ns = clock_now_ns();
            server->out_sent += (size_t)sent;
        } else if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            break;
        } else if (sent < 0 && errno != EINTR) {
            close_output(server);
            return;
        }
    }
    drop_sent(server);
    if (waiting_bytes(server) && !server->is_out_polled) {
        server->is_out_polled = uv_poll_start(&server->out_poll, UV_WRITABLE, on_writable) == 0;
    } else if (!waiting_bytes(server) && server->is_out_polled) {
        uv_poll_stop(&server->out_poll);
        server->is_out_polled = false;
    }
    wake_waiters(server);
    if (waiting_bytes(server) < OUT_HIGH_BYTES)
        start_reading(server);
    if (!waiting_bytes(server))
        call_wake(server->call);
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
    struct line_server *server = poll->data;

    (void)events;
    if (status < 0)
        close_output(server);
    else
        flush(server);
    worker_run_ready(server->worker);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct line_server *server = prepare->data;

    // Those who get room now write at once. A prepare handle that is started here would not run
    // before the loop sleeps.
    do {
        flush(server);
        worker_run_ready(server->worker);
    } while (waiting_bytes(server) && !server->is_out_polled && !server->is_output_closed);
    uv_prepare_stop(prepare);
}

static bp_status wait_for_room(bp_call *call, struct line_server *server)
{
    bp_status status = call_over(call);

    while (status == BP_OK && !server->is_output_closed &&
           waiting_bytes(server) >= OUT_HIGH_BYTES) {
        struct line_waiter waiter = { .call = call };

        queue_push_back(&server->waiters, &waiter.link);
        while (status == BP_OK && queue_is_linked(&waiter.link))
            status = call_wait(call, BP_FOREVER, "the reader of the output");
        if (queue_is_linked(&waiter.link))
            queue_remove(&waiter.link);
    }
    return status;
}

bp_status line_write(bp_call *call, struct line_server *server, bp_str line)
{
    bp_status status = wait_for_room(call, server);

    if (server->is_output_closed)
        status = BP_CANCELLED;
    if (status != BP_OK)
        return call_fail_over(call, status, "writing to the output");
    buf_add(&server->out, line);
    buf_add_char(&server->out, '\n');
    if (buf_status(&server->out) != BP_OK)
        return call_fail(call, BP_NO_MEMORY, "there is no memory for what waits to be written");
    uv_prepare_start(&server->flush, on_prepare);
    return BP_OK;
}

/* ---- handlers ---- */

static void end_run(struct line_run *run)
{
    struct line_server *server = run->server;

    queue_remove(&run->link);
    free(run);
    if (!server->runs.first && server->is_input_over)
        call_wake(server->call);
}

static void run_line(bp_call *call, void *arg)
{
    struct line_run    *run = arg;
    struct line_server *server = run->server;

    run->call = call;
    if (server->is_output_closed)
        call_cancel(call);
    server->options.handler(call, server, bp_str_n(run->line, run->len), run->is_too_long,
                            server->options.arg);
    end_run(run);
}

static void start_line(struct line_server *server, bp_str line, bool is_too_long)
{
    struct call_options options = { .deadline_ns = clock_now_ns() + server->options.call_timeout_ns,
                                    .principal = server->options.principal };
    struct line_run    *run;

    if (!is_too_long && line.len && line.data[line.len - 1] == '\r')
        line.len--;
    if (!line.len && !is_too_long)
        return;
    run = malloc(sizeof(*run) + line.len + 1);
    if (!run)
        return;
    run->link = (struct queue_link){ 0 };
    run->server = server;
    run->call = NULL;
    run->is_too_long = is_too_long;
    run->is_cancelled = false;
    run->len = line.len;
    if (line.len)
        memcpy(run->line, line.data, line.len);
    run->line[line.len] = '\0';
    queue_push_front(&server->runs, &run->link);
    if (!call_start(server->worker, &options, run_line, run)) {
        end_run(run); // nobody can answer it
        if (server->worker->log)
            log_message(server->worker->log, BP_LOG_ERROR, "line_dropped",
                        "a line was not handled: no fiber is free");
    }
}

/* ---- in ---- */

static bp_str digest(const struct line_server *server, bp_str bytes, bool is_end)
{
    return server->options.digest ? server->options.digest(server->options.arg, bytes, is_end)
                                  : (bp_str){ NULL, 0 };
}

static void begin_skipping(struct line_server *server)
{
    server->is_skipping = true;
    digest(server, buf_str(&server->in), false);
    buf_free(&server->in);
    buf_init(&server->in, NULL, server->options.line_bytes_max + 1);
}

/* It is answered when it is over, since what says who waits for the answer may come last. */
static void end_skipping(struct line_server *server)
{
    server->is_skipping = false;
    start_line(server, digest(server, (bp_str){ NULL, 0 }, true), true);
}

static void end_input(struct line_server *server)
{
    stop_reading(server);
    if (server->is_skipping)
        end_skipping(server);
    else if (server->in.len)
        start_line(server, buf_str(&server->in),
                   false); // its end is missing: the handler judges it
    buf_reset(&server->in);
    server->is_input_over = true; // not before: the end of the last line would wake line_serve()
    if (server->options.input_ended)
        server->options.input_ended(server->options.arg);
    call_wake(server->call);
}

static void take_bytes(struct line_server *server, bp_str bytes)
{
    while (bytes.len) {
        const char *end = memchr(bytes.data, '\n', bytes.len);
        size_t      piece = end ? (size_t)(end - bytes.data) : bytes.len;
        bp_str      head = bp_str_n(bytes.data, piece);

        if (!server->is_skipping && server->in.len + piece > server->options.line_bytes_max)
            begin_skipping(server);
        if (server->is_skipping) {
            digest(server, head, false);
            if (end)
                end_skipping(server);
        } else if (end && !server->in.len) {
            start_line(server, head, false);
        } else {
            buf_add(&server->in, head);
            if (end) {
                start_line(server, buf_str(&server->in), false);
                buf_reset(&server->in);
            }
        }
        piece += end != NULL;
        bytes = bp_str_n(bytes.data + piece, bytes.len - piece);
    }
}

static void read_some(struct line_server *server)
{
    ssize_t got = read(server->options.in, server->chunk, READ_BYTES);

    if (got > 0)
        take_bytes(server, bp_str_n(server->chunk, (size_t)got));
    else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        end_input(server);
    if (waiting_bytes(server) >= OUT_HIGH_BYTES) {
        flush(server);
        if (waiting_bytes(server) >= OUT_HIGH_BYTES)
            pause_reading(server);
    }
    worker_run_ready(server->worker);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct line_server *server = poll->data;

    (void)events;
    if (status < 0)
        end_input(server);
    else
        read_some(server);
}

static void on_idle(uv_idle_t *idle)
{
    read_some(idle->data);
}

static void start_reading(struct line_server *server)
{
    if (server->is_reading || server->is_input_over || server->is_output_closed)
        return;
    server->is_reading = server->is_file
                             ? uv_idle_start(&server->in_idle, on_idle) == 0
                             : uv_poll_start(&server->in_poll, UV_READABLE | UV_DISCONNECT,
                                             on_readable) == 0;
}

/* ---- life ---- */

static void on_closed(uv_handle_t *handle)
{
    struct line_server *server = handle->data;

    if (--server->open_handles)
        return;
    buf_free(&server->in);
    buf_free(&server->out);
    free(server->chunk);
    free(server);
}

static void close_handle(struct line_server *server, uv_handle_t *handle)
{
    handle->data = server;
    server->open_handles++;
    uv_close(handle, on_closed);
}

/* A pipe or socket is ours alone, so it may be made one that never blocks. */
static void make_nonblocking(int fd)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); // a larger answer goes out at once; what cannot be made
                                         // larger stays as it is
}

static bool open_handles(struct line_server *server)
{
    uv_loop_t *loop = &server->worker->loop;

    make_nonblocking(server->options.in);
    make_nonblocking(server->options.out);
    server->is_file = uv_poll_init(loop, &server->in_poll, server->options.in) != 0;
    uv_idle_init(loop, &server->in_idle);
    uv_prepare_init(loop, &server->flush);
    server->in_poll.data = server->in_idle.data = server->flush.data = server->out_poll
                                                                           .data = server;
    if (uv_poll_init(loop, &server->out_poll, server->options.out) == 0)
        return true;
    server->out_poll.type = UV_UNKNOWN_HANDLE; // a file never makes anybody wait
    return true;
}

static void wait_for_runs(bp_call *call, struct line_server *server)
{
    int64_t until_ns = clock_now_ns() + server->options.grace_ns;

    while (server->runs.first && call_wait(call, until_ns, "requests to end") == BP_OK)
        ;
    cancel_runs(server);
    while (server->runs.first)
        call_wait_unconditionally(call, "cancelled requests to end");
    while (waiting_bytes(server) && !server->is_output_closed && clock_now_ns() < until_ns) {
        flush(server);
        if (waiting_bytes(server))
            call_wait(call, until_ns, "the output to be read");
    }
}

bp_status line_serve(bp_call *call, const struct line_server_options *options)
{
    struct line_server *server = calloc(1, sizeof(*server));

    if (!server || !(server->chunk = malloc(READ_BYTES))) {
        free(server);
        return call_fail(call, BP_NO_MEMORY, "there is no memory to read lines");
    }
    server->options = *options;
    server->call = call;
    server->worker = call->worker;
    buf_init(&server->in, NULL, options->line_bytes_max + 1);
    buf_init(&server->out, NULL, OUT_MAX_BYTES);
    open_handles(server);
    start_reading(server);
    while (!server->is_input_over && !server->is_output_closed && call_over(call) == BP_OK) {
        // A peer that is gone reads nothing any more, and so what it sent would never be read
        // either.
        bool    is_stuck = server->is_hung_up && !server->is_reading;
        int64_t until_ns = is_stuck ? server->progress_ns + server->options.grace_ns : BP_FOREVER;

        if (is_stuck && clock_now_ns() >= until_ns)
            close_output(server);
        else
            call_wait(call, until_ns, "lines");
    }
    stop_reading(server);
    wait_for_runs(call, server);
    if (server->waiters.first) { // one that is no run: there will be no room any more
        server->is_output_closed = true;
        wake_waiters(server);
        call_sleep(call, BP_MILLISECONDS(1));
    }
    uv_prepare_stop(&server->flush);
    server->open_handles = 1;
    if (!server->is_file)
        close_handle(server, (uv_handle_t *)&server->in_poll);
    if (server->out_poll.type != UV_UNKNOWN_HANDLE)
        close_handle(server, (uv_handle_t *)&server->out_poll);
    close_handle(server, (uv_handle_t *)&server->in_idle);
    close_handle(server, (uv_handle_t *)&server->flush);
    server->open_handles--;
    return BP_OK;
}
