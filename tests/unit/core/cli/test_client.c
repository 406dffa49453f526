/* test_client.c - what a command asks a server, and what it makes of the answer: client.c, without
 * a host of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cli/client.h"
#include "core/cli/answering_rig.h"
#include "../../../lib/caught.h"

static struct answering server;
static struct client    client;

static void begin(const char *answer, const char *key, const char *other_key)
{
    char url[80];

    unsetenv("BACKPLANE_API_KEY");
    unsetenv("BACKPLANE_KEY");
    if (key)
        setenv("BACKPLANE_API_KEY", key, 1);
    if (other_key)
        setenv("BACKPLANE_KEY", other_key, 1);
    memset(&server, 0, sizeof(server));
    server.answers[server.count++] = answer;
    answering_begin(&server);
    snprintf(url, sizeof(url), "%s/", server.url); // the slash is taken off
    assert_int_equal(client_open(&client, url, NULL), 0);
    assert_string_equal(client.base_url, server.url);
    assert_false(client.has_host);
}

static void end(void)
{
    client_close(&client);
    answering_end(&server);
    unsetenv("BACKPLANE_API_KEY");
    unsetenv("BACKPLANE_KEY");
}

static void a_request_is_sent_as_it_was_meant(void **state)
{
    static const struct {
        const char *key, *other_key, *method, *content_type, *body, *head;
    } cases[] = {
        { NULL, NULL, "GET", NULL, NULL, "GET /a?b HTTP/1.1\nAccept: */*\n" },
        { "k1", "k2", "GET", NULL, NULL,
          "GET /a?b HTTP/1.1\nAccept: */*\nAuthorization: Bearer k1\n" },
        { NULL, "k2", "DELETE", NULL, NULL,
          "DELETE /a?b HTTP/1.1\nAccept: */*\nAuthorization: Bearer k2\n" },
        { NULL, NULL, "POST", "text/plain", "hello",
          "POST /a?b HTTP/1.1\nAccept: */*\nContent-Type: text/plain\nContent-Length: 5\n" },
        { "k", NULL, "PUT", "text/x", NULL,
          "PUT /a?b HTTP/1.1\nAccept: */*\nContent-Type: text/x\nAuthorization: Bearer k\n"
          "Content-Length: 0\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const bp_json *answer = NULL;

        begin(HEAD("200 OK") "{\"a\":7}", cases[i].key, cases[i].other_key);
        assert_true(client_send(&client, cases[i].method, "/a?b", cases[i].content_type,
                                bp_str_of(cases[i].body), &answer));
        assert_int_equal(client.status, 200);
        assert_int_equal(json_as_integer(json_get(answer, BP_STR("a"))), 7);
        end();
        assert_string_equal(server.heads[0], cases[i].head);
        assert_string_equal(server.bodies[0], cases[i].body ? cases[i].body : "");
    }
}

static void an_answer_is_judged_by_its_status_and_its_json(void **state)
{
    static char long_answer[1024] = HEAD("404 Not Found") "{\"error\":{\"message\":\"";
    static char long_said[1024];
    const struct {
        const char *answer;
        bool        wants_json, is_good;
        long        status;
        const char *said; /* %s: the address */
    } cases[] = {
        { HEAD("200 OK") "{}", true, true, 200, "" },
        { HEAD("200 OK") "", false, true, 200, "" },
        { HEAD("399 Odd") "no JSON", false, true, 399, "" },
        { HEAD("200 OK") "", true, false, 200, "the answer of %s is not JSON: it is empty" },
        { HEAD("400 Bad") "{\"error\":{\"message\":\"not \\u001b so\"}}", true, false, 400,
          "not \\x1b so (status 400)" },
        { HEAD("500 Bad") "", false, false, 500, "the server refused (status 500)" },
        { HEAD("403 Bad") "no JSON", true, false, 403, "the server refused (status 403)" },
        { HEAD("401 Bad") "{\"error\":{\"message\":\"\"}}", true, false, 401,
          "the server refused (status 401)" },
        { long_answer, true, false, 404, long_said },
        { "nonsense\r\n\r\n", true, false, 0, "%s cannot be asked: " },
    };

    (void)state;
    for (int i = 0; i < 405; i++)
        strcat(long_answer, i == 399 ? "y" : "x");
    strcat(long_answer, "\"}}");
    memset(long_said, 'x', 399);
    strcat(long_said, "y (status 404)");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const bp_json *answer = NULL;
        char           said[1200];

        begin(cases[i].answer, NULL, NULL);
        assert_int_equal(client_send(&client, "GET", "/", NULL, (bp_str){ NULL, 0 },
                                     cases[i].wants_json ? &answer : NULL),
                         cases[i].is_good);
        snprintf(said, sizeof(said), cases[i].said, server.url);
        if (cases[i].status)
            assert_string_equal(client.problem.text, said);
        else
            assert_memory_equal(client.problem.text, said, strlen(said));
        assert_int_equal(client.status, cases[i].status);
        assert_int_equal(answer != NULL, cases[i].wants_json && cases[i].is_good);
        end();
    }
}

static void no_answer_is_a_sentence(void **state)
{
    char said[256];

    (void)state;
    begin(HEAD("200 OK"), NULL, NULL);
    answering_end(&server);
    assert_false(client_send(&client, "GET", "/", NULL, (bp_str){ NULL, 0 }, NULL));
    snprintf(said, sizeof(said), "%s cannot be asked: ", server.url);
    assert_memory_equal(client.problem.text, said, strlen(said));
    client_close(&client);
}

/* ---- both ways at once ---- */

struct pieces {
    const char *const *list; /* NULL behind the last one */
    bool               fails;
    char               taken[256];
    size_t             most; /* bytes that are wanted */
};

static size_t give(void *arg, char *bytes, size_t size)
{
    struct pieces *pieces = arg;
    size_t         len;

    assert_true(size >= 1024);
    if (!*pieces->list)
        return pieces->fails ? CLIENT_READ_FAILED : 0;
    len = strlen(*pieces->list);
    memcpy(bytes, *pieces->list++, len);
    return len;
}

static bool take(void *arg, bp_str bytes)
{
    struct pieces *pieces = arg;

    strncat(pieces->taken, bytes.data, bytes.len);
    return strlen(pieces->taken) <= pieces->most;
}

static void a_body_is_made_while_it_is_sent(void **state)
{
    static const char *const list[] = { "first,", "second", NULL };
    const struct {
        const char *answer;
        bool        fails;
        size_t      most;
        bool        is_good;
        long        status;
        const char *taken, *said;
    } cases[] = {
        { HEAD("200 OK") "all of it", false, 99, true, 200, "all of it", "" },
        { HEAD("200 OK") "all of it", false, 9, true, 200, "all of it", "" },
        { HEAD("200 OK") "all of it", false, 8, false, 200, "all of it", "cannot be asked" },
        { HEAD("399 Odd") "odd", false, 99, true, 399, "odd", "" },
        { HEAD("400 Bad") "{\"error\":{\"message\":\"no\"}}", false, 99, false, 400, "",
          "no (status 400)" },
        { HEAD("200 OK") "all", true, 99, false, 0, "", "cannot be asked" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pieces pieces = { list, cases[i].fails, "", cases[i].most };

        begin(cases[i].answer, "k", NULL);
        assert_int_equal(client_post_stream(&client, "/s",
                                            &(struct client_stream){ give, take, &pieces }),
                         cases[i].is_good);
        assert_int_equal(client.status, cases[i].status);
        assert_string_equal(pieces.taken, cases[i].taken);
        assert_non_null(strstr(client.problem.text, cases[i].said));
        assert_int_equal(!*client.problem.text, !*cases[i].said);
        end();
        if (cases[i].fails)
            continue;
        assert_string_equal(server.heads[0],
                            "POST /s HTTP/1.1\nAccept: */*\nContent-Type: "
                            "application/octet-stream\n"
                            "Authorization: Bearer k\nTransfer-Encoding: chunked\n");
        assert_string_equal(server.bodies[0], "first,second");
    }
}

/* ---- progress ---- */

/* Without the speed, which is behind two blanks. */
static const char *drawn(struct progress *progress, void (*draw)(struct progress *progress))
{
    const char *said;
    char       *speed;

    caught_begin(stderr);
    draw(progress);
    said = caught_end(stderr);
    speed = strstr(said, "  ");
    if (speed && strstr(speed, "/s")) {
        const char *rest = strstr(speed, "/s") + 2;

        memmove(speed, rest, strlen(rest) + 1);
    }
    return said;
}

static void add_two(struct progress *progress)
{
    progress_add(progress, 2);
}

static void a_bar_shows_how_far_it_is(void **state)
{
    static const struct {
        int64_t     done, total;
        const char *said;
    } cases[] = {
        { 0, 0, "rows 0\n" },
        { 7, 0, "rows 7\n" },
        { 0, 3, "rows [------------------------------] 0/3\n" },
        { 1, 3, "rows [##########--------------------] 1/3\n" },
        { 2, 3, "rows [####################----------] 2/3\n" },
        { 29, 30, "rows [#############################-] 29/30\n" },
        { 30, 30, "rows [##############################] 30/30\n" },
        { 31, 30, "rows [##############################] 31/30\n" },
        { 99, 30, "rows [##############################] 99/30\n" },
        { 59, 60, "rows [#############################-] 59/60\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct progress progress = { .what = "rows",
                                     .done = cases[i].done,
                                     .total = cases[i].total,
                                     .started_ns = clock_now_ns() };
        char            on_terminal[80];

        assert_string_equal(drawn(&progress, progress_end), cases[i].said);
        progress.is_terminal = true;
        snprintf(on_terminal, sizeof(on_terminal), "\r%s", cases[i].said);
        assert_string_equal(drawn(&progress, progress_end), on_terminal);
    }
}

static void a_speed_is_what_was_done_by_the_time_it_took(void **state)
{
    struct progress progress = { .what = "rows",
                                 .done = 5000000,
                                 .started_ns = clock_now_ns() - 1000000000ll * 1000000 };

    (void)state;
    caught_begin(stderr);
    progress_end(&progress);
    assert_string_equal(caught_end(stderr), "rows 5000000  5/s\n");
    progress.total = 10000000;
    caught_begin(stderr);
    progress_end(&progress);
    assert_string_equal(caught_end(stderr),
                        "rows [###############---------------] 5000000/10000000  5/s\n");
    progress.started_ns = clock_now_ns() + 1000000000ll * 1000000;
    caught_begin(stderr);
    progress_end(&progress);
    assert_string_equal(caught_end(stderr),
                        "rows [###############---------------] 5000000/10000000  0/s\n");
}

static void a_bar_is_drawn_on_a_terminal_alone_and_not_too_often(void **state)
{
    struct progress progress;
    int64_t         before = clock_now_ns();

    (void)state;
    caught_begin(stderr); // a file: it is no terminal
    progress_start(&progress, "rows", 9);
    caught_end(stderr);
    assert_int_equal(progress.done, 0);
    assert_int_equal(progress.total, 9);
    assert_true(progress.started_ns >= before && progress.started_ns <= clock_now_ns());
    assert_false(progress.is_terminal);
    assert_string_equal(drawn(&progress, add_two), "");
    assert_int_equal(progress.done, 2);
    assert_false(progress.is_on_line);
    assert_true(progress.last_drawn_ns >= before);

    progress.is_terminal = true;
    progress.last_drawn_ns = clock_now_ns() + 1000000000ll * 3600; // it was drawn just now
    assert_string_equal(drawn(&progress, add_two), "");
    assert_int_equal(progress.done, 4);
    assert_false(progress.is_on_line);
    progress.last_drawn_ns = clock_now_ns() - 100000000;
    assert_string_equal(drawn(&progress, add_two), "\rrows [####################----------] 6/9");
    assert_true(progress.is_on_line);
    assert_string_equal(drawn(&progress, progress_make_way), "\n");
    assert_string_equal(drawn(&progress, progress_make_way), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_sent_as_it_was_meant),
        cmocka_unit_test(an_answer_is_judged_by_its_status_and_its_json),
        cmocka_unit_test(no_answer_is_a_sentence),
        cmocka_unit_test(a_body_is_made_while_it_is_sent),
        cmocka_unit_test(a_bar_shows_how_far_it_is),
        cmocka_unit_test(a_speed_is_what_was_done_by_the_time_it_took),
        cmocka_unit_test(a_bar_is_drawn_on_a_terminal_alone_and_not_too_often),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
