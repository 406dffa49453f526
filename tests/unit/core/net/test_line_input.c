/* test_line_input.c - the line server with inputs and outputs of all kinds: where lines end, the
 * ones that are too long, files instead of pipes, and what a handler gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/fiber.h"
#include "net/line_server.h"

enum { LONGEST = 10 };

static struct worker worker;

/* What the handlers, the digest and the end of the input were told, one behind the other. */
static char heard[8192];
static bool is_digested, is_silent, is_done;

static void note(const char *format, ...)
{
    size_t  len = strlen(heard);
    va_list args;

    va_start(args, format);
    vsnprintf(heard + len, sizeof(heard) - len, format, args);
    va_end(args);
}

static void handle_line(bp_call *call, struct line_server *server, bp_str line, bool is_too_long,
                        void *arg)
{
    assert_string_equal(arg, "arg");
    assert_int_equal(line.data[line.len], '\0');
    note("%s<" BP_FMT ">", is_too_long ? "long " : "", BP_ARG(line));
    if (!is_silent)
        assert_int_equal(line_write(call, server, line), BP_OK);
}

static bp_str digest(void *arg, bp_str bytes, bool is_end)
{
    assert_string_equal(arg, "arg");
    note("(%s" BP_FMT ")", is_end ? "end " : "", BP_ARG(bytes));
    return is_end ? BP_STR("digest") : BP_STR("");
}

static void input_ended(void *arg)
{
    assert_string_equal(arg, "arg");
    note("end");
}

static void serve(bp_call *call, void *arg)
{
    struct line_server_options *options = arg;

    assert_int_equal(line_serve(call, options), BP_OK);
    call_sleep(call, BP_MILLISECONDS(5)); // handles close
    is_done = true;
}

static bool has_ended(void *arg)
{
    (void)arg;
    return is_done;
}

static void serve_on(int in, int out)
{
    struct line_server_options options = { .in = in,
                                           .out = out,
                                           .line_bytes_max = LONGEST,
                                           .call_timeout_ns = BP_SECONDS(60),
                                           .grace_ns = BP_SECONDS(60),
                                           .handler = handle_line,
                                           .digest = is_digested ? digest : NULL,
                                           .input_ended = is_digested ? input_ended : NULL,
                                           .arg = (void *)(uintptr_t) "arg" };

    heard[0] = '\0';
    is_done = false;
    assert_true(
        call_start(&worker, &(struct call_options){ .deadline_ns = BP_FOREVER }, serve, &options));
    worker_run_until(&worker, has_ended, NULL);
}

/* A file that has been written to its end, to be read from its beginning. */
static int file_of(const char *text)
{
    char path[] = "/tmp/bp_lines_XXXXXX";
    int  fd = mkstemp(path);

    unlink(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static char *all_of(int fd)
{
    static char text[8192];
    ssize_t     got;
    size_t      len = 0;

    lseek(fd, 0, SEEK_SET);
    while ((got = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    close(fd);
    return text;
}

static int pipe_of(const char *text)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
    close(ends[1]);
    return ends[0];
}

static int socket_of(const char *text)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
    close(ends[1]);
    return ends[0];
}

/* ---- where lines end ---- */

static const struct {
    const char *text, *heard, *digested, *written;
} inputs[] = {
    { "", "", "end", "" },
    { "\n", "", "end", "" },
    { "\r\n", "", "end", "" },
    { "\r", "", "end", "" },
    { "a", "<a>", "<a>end", "a\n" },
    { "a\n", "<a>", "<a>end", "a\n" },
    { "a\r\n", "<a>", "<a>end", "a\n" },
    { "a\rb\n", "<a\rb>", "<a\rb>end", "a\rb\n" },
    { "a\r\r\n", "<a\r>", "<a\r>end", "a\r\n" },
    { "\n\na\n\nb", "<a><b>", "<a><b>end", "a\nb\n" },
    { "123456789\n", "<123456789>", "<123456789>end", "123456789\n" },
    { "1234567890\n", "<1234567890>", "<1234567890>end", "1234567890\n" },
    { "1234567890", "<1234567890>", "<1234567890>end", "1234567890\n" },
    { "12345678901\n", "long <>", "()(12345678901)(end )long <digest>end", NULL },
    { "12345678901", "long <>", "()(12345678901)(end )long <digest>end", NULL },
    { "123456789\r\n", "<123456789>", "<123456789>end", "123456789\n" },
    { "1234567890\r\n", "long <>", "()(1234567890\r)(end )long <digest>end", NULL },
    { "a\n12345678901\nb\n", "<a>long <><b>", "<a>()(12345678901)(end )long <digest><b>end", NULL },
    { "12345678901\n\n12345678901\n", "long <>long <>",
      "()(12345678901)(end )long <digest>()(12345678901)(end )long <digest>end", NULL },
};

static void lines_end_where_they_do_whatever_they_come_by(void **state)
{
    int (*const makers[])(const char *) = { file_of, pipe_of, socket_of };

    (void)state;
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
        for (int way = 0; way < 6; way++) {
            int in = makers[way % 3](inputs[i].text), out = file_of("");

            is_digested = way >= 3;
            serve_on(in, out);
            close(in);
            assert_string_equal(heard, is_digested ? inputs[i].digested : inputs[i].heard);
            if (inputs[i].written)
                assert_string_equal(all_of(out), inputs[i].written);
            else
                close(out);
        }
}

/* ---- lines in pieces ---- */

struct feeding {
    int         fd;
    const char *pieces[8];
};

static void feed(bp_call *call, void *arg)
{
    struct feeding *feeding = arg;

    for (int i = 0; feeding->pieces[i]; i++) {
        const char *piece = feeding->pieces[i];

        assert_int_equal(write(feeding->fd, piece, strlen(piece)), (ssize_t)strlen(piece));
        for (int unread = 1; unread; ioctl(feeding->fd, FIONREAD, &unread))
            call_sleep(call, BP_MILLISECONDS(1)); // it is read by itself
    }
    close(feeding->fd);
}

static void assert_fed(struct feeding feeding, const char *expected)
{
    int ends[2], out = file_of("");

    assert_int_equal(pipe(ends), 0);
    feeding.fd = ends[1];
    is_digested = true;
    assert_true(
        call_start(&worker, &(struct call_options){ .deadline_ns = BP_FOREVER }, feed, &feeding));
    serve_on(ends[0], out);
    close(ends[0]);
    close(out);
    assert_string_equal(heard, expected);
}

/* However the pieces are read: what was too long when it came together is digested from its
 * beginning. */
static void a_line_may_come_in_pieces(void **state)
{
    (void)state;
    assert_fed((struct feeding){ .pieces = { "a", "b", "c\nd", "e", "\n", "f" } },
               "<abc><de><f>end");
    assert_fed((struct feeding){ .pieces = { "12345", "67890", "\n" } }, "<1234567890>end");
    assert_fed((struct feeding){ .pieces = { "1234567890", "1\na\n" } },
               "(1234567890)(1)(end )long <digest><a>end");
    assert_fed((struct feeding){ .pieces = { "1234567890", "1", "23", "4\n" } },
               "(1234567890)(1)(23)(4)(end )long <digest>end");
    assert_fed((struct feeding){ .pieces = { "1234567890", "1", "23" } },
               "(1234567890)(1)(23)(end )long <digest>end");
}

/* ---- the call of a line ---- */

static const bp_principal somebody = { .struct_size = sizeof(somebody), .tenant = { "t", 1 } };

static void look_at_call(bp_call *call, struct line_server *server, bp_str line, bool is_too_long,
                         void *arg)
{
    (void)server, (void)line, (void)is_too_long;
    assert_true(call->deadline_ns <= clock_now_ns() + BP_SECONDS(7));
    assert_true(call->deadline_ns > clock_now_ns() - BP_SECONDS(60));
    assert_true(bp_str_is(call->principal.tenant, "t"));
    ++*(int *)arg;
}

static void serve_lookers(bp_call *call, void *arg)
{
    int                        in = pipe_of("a\nb\n"), out = file_of("");
    struct line_server_options options = { .in = in,
                                           .out = out,
                                           .line_bytes_max = LONGEST,
                                           .call_timeout_ns = BP_SECONDS(7),
                                           .grace_ns = BP_SECONDS(60),
                                           .principal = &somebody,
                                           .handler = look_at_call,
                                           .arg = arg };

    assert_int_equal(line_serve(call, &options), BP_OK);
    call_sleep(call, BP_MILLISECONDS(5));
    close(in);
    close(out);
    is_done = true;
}

static void each_line_has_a_call_of_its_own(void **state)
{
    int count = 0;

    (void)state;
    is_done = false;
    assert_true(call_start(&worker, &(struct call_options){ .deadline_ns = BP_FOREVER },
                           serve_lookers, &count));
    worker_run_until(&worker, has_ended, NULL);
    assert_int_equal(count, 2);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return worker_init(&worker, 0, 1, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    worker_free(&worker);
    return fiber_live_count() == 0 ? 0 : -1;
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(lines_end_where_they_do_whatever_they_come_by),
        T(a_line_may_come_in_pieces),
        T(each_line_has_a_call_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
