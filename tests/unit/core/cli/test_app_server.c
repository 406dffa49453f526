/* test_app_server.c - commands of apps that a server tells of: how its table is read, looked up and
 * printed, and how one of them is run there (app_table.c, app_command.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/app_table.h"
#include "core/cli/answering_rig.h"
#include "../../../lib/caught.h"

#define OPTIONS                                                                                    \
    "[{\"name\":\"times\",\"value\":\"N\",\"help\":\"how often\"},"                                \
    "{\"name\":\"list\",\"value\":\"FILE\",\"file\":true,\"required\":true},"                      \
    "{\"name\":\"loud\",\"file\":true}]"
#define ENTRY(name, rest)                                                                          \
    "{\"instance\":\"a\",\"name\":\"" name "\",\"summary\":\"s\",\"arguments\":\"\"" rest "}"
#define SAY                                                                                        \
    "{\"instance\":\"a_1\",\"name\":\"say\",\"arguments\":\"WORD [MORE]\",\"summary\":\"says\","   \
    "\"options\":" OPTIONS "}"
#define TABLE(entries) HEAD("200 OK") "{\"commands\":[" entries "]}"

static struct answering server;
static struct client    client;
static struct app_table table;

static void serve(const char *first, const char *second)
{
    memset(&server, 0, sizeof(server));
    server.answers[server.count++] = first;
    if (second)
        server.answers[server.count++] = second;
    answering_begin(&server);
}

static bool read_table(const char *answer)
{
    bool is_read;

    serve(answer, NULL);
    app_table_init(&table);
    assert_int_equal(client_open(&client, server.url, NULL), 0);
    is_read = app_table_of_server(&table, &client);
    answering_end(&server);
    assert_string_equal(server.heads[0], "GET /commands HTTP/1.1\nAccept: */*\n");
    return is_read;
}

static void end_table(void)
{
    app_table_free(&table);
    client_close(&client);
}

static const char *or_none(const char *text)
{
    return text ? text : "none";
}

/* An entry as a text: all of it. */
static const char *shown(const struct app_entry *entry)
{
    static char text[4096];
    char       *at = text;

    at += sprintf(at, "%s = %s/%s (%s) %s; usage %s, endings %s%s%s%s; words %zu-%zu;",
                  entry->shown.name, entry->instance, entry->name, entry->shown.arguments,
                  entry->shown.summary, or_none(entry->usage), or_none(entry->endings),
                  entry->is_taken ? ", taken" : "", entry->takes_files ? ", files" : "",
                  entry->counts_lines ? ", lines" : "", entry->words_min,
                  entry->words_max < 1000 ? entry->words_max : 1000);
    for (size_t i = 0; i < entry->option_count; i++)
        at += sprintf(at, " [%s %s%s%s]", entry->options[i].name, or_none(entry->options[i].value),
                      entry->options[i].is_required ? " required" : "",
                      entry->options[i].is_file ? " file" : "");
    for (const struct command_option *option = entry->shown.options; option->name; option++)
        at += sprintf(at, " %s:%s:%s", option->name, or_none(option->value),
                      option < entry->shown.options + 3 ? "" : option->help);
    return text;
}

#define SERVER_OPTIONS " -c:FILE: --conf:FILE: --url:URL:"

static void a_table_is_read_whole(void **state)
{
    (void)state;
    assert_true(read_table(TABLE(SAY "," ENTRY("say", ",\"options\":[]") "," ENTRY(
        "serve", ",\"usage\":\"u\",\"endings\":"
                 "\".md\",\"files\":true,\"count_"
                 "lines\":true") "," ENTRY("key find", ",\"usage\":\"\"") "," ENTRY("keys", ""))));
    assert_int_equal(table.count, 5);
    assert_string_equal(shown(&table.entries[0]),
                        "say = a_1/say (WORD [MORE]) says; usage none, endings none; words 1-2;"
                        " [times N] [list FILE required file] [loud none]" SERVER_OPTIONS
                        " --times:N:how often --list:FILE: --loud:none:");
    assert_string_equal(shown(&table.entries[1]), "a:say = a/say () s; usage none, endings none, "
                                                  "taken; words 0-0;" SERVER_OPTIONS);
    assert_string_equal(shown(&table.entries[2]), "a:serve = a/serve () s; usage u, endings .md, "
                                                  "taken, files, lines; words 0-0;" SERVER_OPTIONS);
    assert_string_equal(shown(&table.entries[3]), "a:key find = a/key find () s; usage , endings "
                                                  "none, taken; words 0-0;" SERVER_OPTIONS);
    assert_string_equal(shown(&table.entries[4]),
                        "keys = a/keys () s; usage none, endings none; words 0-0;" SERVER_OPTIONS);
    end_table();
}

static void what_is_malformed_is_left_out(void **state)
{
    static const char *const cases[] = {
        "7",
        "null",
        "{}",
        ENTRY("", ""),
        ENTRY("Up", ""),
        ENTRY("a_b", ""),
        ENTRY("a/b", ""),
        ENTRY("a`", ""),
        ENTRY("a{", ""),
        ENTRY("a:", ""),
        "{\"instance\":\"\",\"name\":\"n\",\"summary\":\"s\",\"arguments\":\"\"}",
        "{\"instance\":\"a b\",\"name\":\"n\",\"summary\":\"s\",\"arguments\":\"\"}",
        "{\"name\":\"n\",\"summary\":\"s\",\"arguments\":\"\"}",
        "{\"instance\":\"a\",\"summary\":\"s\",\"arguments\":\"\"}",
        "{\"instance\":\"a\",\"name\":\"n\",\"arguments\":\"\"}",
        "{\"instance\":\"a\",\"name\":\"n\",\"summary\":\"s\"}",
        "{\"instance\":\"a\",\"name\":\"n\",\"summary\":\"s\",\"arguments\":7}",
        ENTRY("n", ",\"options\":[7]"),
        ENTRY("n", ",\"options\":[{\"name\":\"\"}]"),
        ENTRY("n", ",\"options\":[{\"name\":\"a b\"}]"),
        ENTRY("n", ",\"options\":[{\"name\":\"a_\"}]"),
        ENTRY("n", ",\"options\":[{\"name\":\"ok\"},{\"name\":\"/\"}]"),
    };
    char answer[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(answer, sizeof(answer), TABLE("%s," ENTRY("good", "")), cases[i]);
        assert_true(read_table(answer));
        if (table.count != 1 || strcmp(table.entries[0].name, "good") != 0)
            fail_msg("%s: %zu", cases[i], table.count);
        end_table();
    }
    // The bounds of what is a plain name.
    assert_true(read_table(TABLE(ENTRY("az-09 z", ",\"options\":[{\"name\":\"a-z09\"}]"))));
    assert_int_equal(table.count, 1);
    end_table();
}

static void as_many_options_as_a_command_may_have(void **state)
{
    char answer[4096];

    (void)state;
    for (int count = 63; count <= 65; count++) {
        strcpy(answer,
               HEAD("200 OK") "{\"commands\":[{\"instance\":\"a\",\"name\":\"n\",\"summary\":"
                              "\"s\",\"arguments\":\"\",\"options\":[");
        for (int i = 0; i < count; i++)
            sprintf(answer + strlen(answer), "%s{\"name\":\"o%d\"}", i ? "," : "", i);
        strcat(answer, "]}]}");
        assert_true(read_table(answer));
        assert_int_equal(table.count, count <= 64);
        if (table.count)
            assert_int_equal(table.entries[0].option_count, count);
        end_table();
    }
}

static void as_many_commands_as_there_is_room_for(void **state)
{
    char *answer = malloc(1 << 20), *at;

    (void)state;
    assert_non_null(answer);
    at = answer + sprintf(answer, HEAD("200 OK") "{\"commands\":[");
    for (int i = 0; i < 4098; i++)
        at += sprintf(at, "%s" ENTRY("n%d", ""), i ? "," : "", i);
    sprintf(at, "]}");
    assert_true(read_table(answer));
    assert_int_equal(table.count, 4096);
    assert_string_equal(table.entries[4095].name, "n4095");
    end_table();
    free(answer);
}

static void a_server_without_a_table_is_told(void **state)
{
    char said[256];

    (void)state;
    assert_false(read_table(HEAD("404 Not Found") "{\"error\":{\"message\":\"no\"}}"));
    snprintf(said, sizeof(said),
             "%s does not list the commands of its apps: it is an older version, or not Backplane",
             server.url);
    assert_string_equal(client.problem.text, said);
    end_table();
    assert_false(read_table(HEAD("403 No") "{\"error\":{\"message\":\"no\"}}"));
    assert_string_equal(client.problem.text, "no (status 403)");
    end_table();
    serve(HEAD("403 No") "{\"error\":{\"message\":\"no\"}}", NULL);
    app_table_init(&table);
    app_table_of_url(&table, server.url);
    assert_string_equal(table.problem.text, "no (status 403)");
    assert_int_equal(table.count, 0);
    answering_end(&server);
    app_table_free(&table);
    serve(TABLE(ENTRY("x", "")), NULL);
    app_table_init(&table);
    app_table_of_url(&table, server.url);
    assert_string_equal(table.problem.text, "");
    assert_int_equal(table.count, 1);
    answering_end(&server);
    app_table_free(&table);
}

static void a_command_is_found_by_its_words(void **state)
{
    static const struct {
        const char *words[4];
        int         found; /* -1: none */
    } cases[] = {
        { { NULL }, -1 },
        { { "one" }, 0 },
        { { "on" }, -1 },
        { { "ones" }, -1 },
        { { "one", "two" }, 0 },
        { { "guard" }, 1 }, // the first of several
        { { "guard", "post" }, 1 },
        { { "guard", "duty" }, 2 },
        { { "guard", "x", "duty" }, 2 },
        { { "guard", "dut" }, 1 },
        { { "serve" }, -1 }, // the program's own
        { { "a:serve" }, 3 },
        { { "a:one" }, 0 },
        { { "ab:one" }, -1 },
        { { ":one" }, -1 },
        { { "b:one" }, 4 },
        { { "b:guard" }, -1 },
        { { "duty" }, -1 },
    };

    (void)state;
    assert_true(read_table(TABLE(ENTRY("one", "") "," ENTRY("guard post", "") "," ENTRY(
        "guard duty", "") "," ENTRY("serve", "") ",{\"instance\":\"b\",\"name\":\"one\","
                                                 "\"summary\":\"s\",\"arguments\":\"\"}")));
    assert_int_equal(table.count, 5);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char                   *words[4] = { NULL };
        int                     count = 0;
        const struct app_entry *entry;

        for (; cases[i].words[count]; count++)
            words[count] = (char *)(uintptr_t)cases[i].words[count];
        entry = app_table_find(&table, count, words);
        if (entry != (cases[i].found < 0 ? NULL : &table.entries[cases[i].found]))
            fail_msg("case %zu: %s", i, entry ? entry->name : "none");
    }
    end_table();
}

#define SAY_USAGE                                                                                  \
    "usage: backplane say --list FILE [--times N] [--loud] [--url URL | -c FILE] WORD [MORE]\n"

static void the_usage_line_is_as_it_is_typed(void **state)
{
    static const char *const wanted[] = { SAY_USAGE, "usage: backplane x [--url URL | -c FILE]\n",
                                          "usage: backplane y\n", "usage: backplane z A B\n" };

    (void)state;
    assert_true(read_table(
        TABLE(SAY "," ENTRY("x", "") "," ENTRY("y", ",\"usage\":\"\"") "," ENTRY("z", ",\"usage\":"
                                                                                      "\"A B\""))));
    for (size_t i = 0; i < 4; i++) {
        caught_begin(stderr);
        app_table_print_usage(&table.entries[i]);
        assert_string_equal(caught_end(stderr), wanted[i]);
    }
    end_table();
}

/* ---- running ---- */

static char out[8192], errors[8192], nearest[80];

/* The line is split at blanks; --url stands behind it. */
static bool run(const char *line, const char *listed, const char *answer, int *status)
{
    char  text[512], *words[16], *save = NULL;
    int   count = 0;
    bool  is_found;
    char *word;

    serve(listed, answer);
    snprintf(text, sizeof(text), "%s", line);
    for (word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        words[count++] = word;
        if (count == 1) {
            words[count++] = "--url";
            words[count++] = server.url;
        }
    }
    words[count] = NULL;
    nearest[0] = '\0';
    *status = -1;
    caught_begin(stdout);
    caught_begin(stderr);
    command_begin(NULL); // that of the run before is gone
    is_found = app_command_run(count, words, status, nearest);
    snprintf(errors, sizeof(errors), "%s", caught_end(stderr));
    snprintf(out, sizeof(out), "%s", caught_end(stdout));
    answering_end(&server);
    return is_found;
}

#define COMMANDS                                                                                   \
    TABLE(SAY "," ENTRY("guard post",                                                              \
                        ",\"options\":[]") "," ENTRY("serve", "") "," ENTRY("guard duty", ""))
#define DONE "{\"end\":{\"status\":0}}\n"

static void what_was_typed_is_sent_and_what_comes_is_printed(void **state)
{
    static const struct {
        const char *line, *answer;
        int         status;
        const char *head, *body, *out, *errors;
    } cases[] = {
        { "guard post", HEAD("200 OK") "{\"print\":\"a\\n\"}\n{\"warn\":\"b\\n\"}\n" DONE, 0,
          "a/guard/post", "{\"words\":[],\"options\":{}}\n", "a\n", "b\n" },
        { "a:guard post", HEAD("200 OK") "\n\n{\"print\":\"\\u001b\"}\n" DONE "{\"print\":\"c\"}\n",
          0, "a/guard/post", "{\"words\":[],\"options\":{}}\n", "\\x1bc", "" },
        { "a:serve", HEAD("200 OK") "{\"end\":{\"status\":7}}\n", 7, "a/serve",
          "{\"words\":[],\"options\":{}}\n", "", "" },
        { "a:serve", HEAD("200 OK") "{\"end\":{\"status\":255}}\n", 255, "a/serve",
          "{\"words\":[],\"options\":{}}\n", "", "" },
        { "a:serve", HEAD("200 OK") "{\"end\":{\"status\":256}}\n", 1, "a/serve",
          "{\"words\":[],\"options\":{}}\n", "", "" },
        { "a:serve", HEAD("200 OK") "{\"end\":{\"status\":-1}}\n", 1, "a/serve",
          "{\"words\":[],\"options\":{}}\n", "", "" },
        { "say --list /dev/null --loud --times=2 one two",
          HEAD("200 OK") "{\"end\":{\"status\":3,\"message\":\"no\",\"http_status\":409}}\n", 3,
          "a_1/say",
          "{\"words\":[\"one\",\"two\"],\"options\":{\"times\":\"2\",\"list\":\"/dev/null\","
          "\"loud\":true}}\n{\"option\":\"list\",\"name\":\"/dev/null\"}\n0\n",
          "", "backplane say: no (status 409)\n" },
        { "say --list /dev/null -- --loud",
          HEAD("200 OK") "{\"end\":{\"status\":0,\"usage\":true}}\n", 2, "a_1/say",
          "{\"words\":[\"--loud\"],\"options\":{\"list\":\"/dev/null\"}}\n"
          "{\"option\":\"list\",\"name\":\"/dev/null\"}\n0\n",
          "", SAY_USAGE },
        { "a_1:say --list /dev/null x",
          HEAD("200 OK") "{\"end\":{\"status\":0,\"usage\":true,\"message\":\"not so\"}}\n", 2,
          "a_1/say",
          "{\"words\":[\"x\"],\"options\":{\"list\":\"/dev/null\"}}\n"
          "{\"option\":\"list\",\"name\":\"/dev/null\"}\n0\n",
          "", "backplane a_1:say: not so\n" SAY_USAGE },
        { "guard post", HEAD("403 No") "{\"error\":{\"message\":\"not you\"}}", 1, "a/guard/post",
          "{\"words\":[],\"options\":{}}\n", "", "backplane guard post: not you (status 403)\n" },
        { "guard post", HEAD("400 No") "", 1, "a/guard/post", "{\"words\":[],\"options\":{}}\n", "",
          "backplane guard post: the server refused (status 400)\n" },
        { "a:guard post", HEAD("200 OK") "{\"print\":\"x\"}\n{\"end\":7}\n", 1, "a/guard/post",
          "{\"words\":[],\"options\":{}}\n", "x",
          "backplane a:guard: the answer of %s ended before the command did: the server ended or "
          "the "
          "connection was cut; its log says more\n" },
        { "guard post", HEAD("200 OK") "{\"end\":{\"status\":0}}", 1, "a/guard/post",
          "{\"words\":[],\"options\":{}}\n", "",
          "backplane guard post: the answer of %s ended before the command did: the server ended "
          "or "
          "the connection was cut; its log says more\n" },
        { "guard post", HEAD("200 OK") "nonsense\n", 1, "a/guard/post",
          "{\"words\":[],\"options\":{}}\n", "",
          "backplane guard post: the answer of %s holds a line that is no event\n" },
        { "guard post", HEAD("200 OK") "[]\n" DONE, 1, "a/guard/post",
          "{\"words\":[],\"options\":{}}\n", "",
          "backplane guard post: the answer of %s holds a line that is no event\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char wanted[512], head[256];
        int  status;

        assert_true(run(cases[i].line, COMMANDS, cases[i].answer, &status));
        snprintf(wanted, sizeof(wanted), cases[i].errors, server.url);
        snprintf(head, sizeof(head), "POST /commands/%s HTTP/1.1\n", cases[i].head);
        assert_string_equal(errors, wanted);
        assert_string_equal(out, cases[i].out);
        assert_int_equal(status, cases[i].status);
        assert_memory_equal(server.heads[1], head, strlen(head));
        assert_string_equal(server.bodies[1], cases[i].body);
    }
}

static void a_bar_ends_when_its_work_does(void **state)
{
    int status;

    (void)state;
    assert_true(run("guard post", COMMANDS,
                    HEAD("200 OK") "{\"progress\":{\"what\":\"a\\u0007\",\"done\":0,\"total\":2}}\n"
                                   "{\"progress\":{\"what\":\"b\",\"done\":0,\"total\":0}}\n"
                                   "{\"progress\":null}\n{\"progress\":7}\n" DONE,
                    &status));
    assert_int_equal(status, 0);
    assert_string_equal(errors, "a\\x07 [------------------------------] 0/2  0/s\nb 0  0/s\n");
    assert_true(run("guard post", COMMANDS,
                    HEAD("200 OK") "{\"progress\":{\"what\":\"a\",\"done\":5,\"total\":9}}\n"
                                   "{\"progress\":{\"what\":\"a\",\"done\":0,\"total\":4}}\n",
                    &status)); // cut
    assert_int_equal(status, 1);
    assert_memory_equal(errors, "a [------------------------------] 0/4  0/s\nbackplane guard",
                        strlen("a [------------------------------] 0/4  0/s\nbackplane guard"));
}

static void what_is_typed_wrong_does_not_reach_the_server(void **state)
{
    static const struct {
        const char *line, *errors;
    } cases[] = {
        { "say x", SAY_USAGE },
        { "say --list /dev/null", SAY_USAGE },
        { "say --list /dev/null a b c", "backplane say: \"c\" is one word too many\n" SAY_USAGE },
        { "guard pst", "usage: backplane guard post [--url URL | -c FILE]\n" },
        { "guard", "usage: backplane guard post [--url URL | -c FILE]\n" },
        { "guard x post", "backplane guard: \"post\" is one word too many\n"
                          "usage: backplane guard post [--url URL | -c FILE]\n" },
        { "say --list /dev/null \xff", "backplane say: a word is not UTF-8 text\n" },
        { "say --list /dev/null --times \xff x", "backplane say: a word is not UTF-8 text\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int status;

        assert_true(run(cases[i].line, COMMANDS, NULL, &status));
        assert_string_equal(errors, cases[i].errors);
        assert_string_equal(out, "");
        assert_int_equal(status, 2);
    }
}

#define GUARD_HELP(second) "usage: backplane guard " second " [OPTION]...\n\n  s\n\n"
static void help_is_of_one_or_of_all_with_the_first_word(void **state)
{
    int         status;
    const char *second;

    (void)state;
    assert_true(run("guard duty --help", COMMANDS, NULL, &status));
    assert_int_equal(status, 0);
    assert_memory_equal(out, GUARD_HELP("duty"), strlen(GUARD_HELP("duty")));
    assert_null(strstr(out + 1, "usage:"));
    assert_true(run("guard -h", COMMANDS, NULL, &status));
    assert_int_equal(status, 0);
    assert_memory_equal(out, GUARD_HELP("post"), strlen(GUARD_HELP("post")));
    second = strstr(out, "\n\nusage: ");
    assert_non_null(second);
    assert_memory_equal(second + 2, GUARD_HELP("duty"), strlen(GUARD_HELP("duty")));
    assert_null(strstr(second + 3, "usage:"));
    assert_true(run("say --help", COMMANDS, NULL, &status));
    assert_int_equal(status, 0);
    assert_memory_equal(out, "usage: backplane say [OPTION]... WORD [MORE]\n\n  says\n\n",
                        strlen("usage: backplane say [OPTION]... WORD [MORE]\n\n  says\n\n"));
    assert_null(strstr(out + 1, "usage:"));
    assert_non_null(strstr(out, "\n  --times N                      how often\n"
                                "  --list FILE                    \n"
                                "  --loud                         \n"));
    assert_true(run("say --list /dev/null -- --help", COMMANDS, HEAD("200 OK") DONE, &status));
    assert_int_equal(status, 0);
    assert_string_equal(out, "");
}

static void what_the_server_does_not_have_is_not_found(void **state)
{
    char wanted[256];
    int  status;

    (void)state;
    assert_false(run("sya", COMMANDS, NULL, &status));
    assert_string_equal(nearest, "say");
    assert_false(run("entirely", COMMANDS, NULL, &status));
    assert_string_equal(nearest, "");
    assert_false(run("gaurd", COMMANDS, NULL, &status));
    assert_string_equal(nearest, "guard duty"); // the last one that is near
    assert_string_equal(errors, "");
    assert_true(run("say", HEAD("500 Bad") "", NULL, &status));
    assert_int_equal(status, 1);
    assert_string_equal(errors, "backplane say: the server refused (status 500)\n");
    assert_true(run("say", HEAD("404 None") "", NULL, &status));
    snprintf(wanted, sizeof(wanted),
             "backplane say: %s does not list the commands of its apps: it is an older version, or "
             "not Backplane\n",
             server.url);
    assert_string_equal(errors, wanted);
    assert_int_equal(status, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_read_whole),
        cmocka_unit_test(what_is_malformed_is_left_out),
        cmocka_unit_test(as_many_options_as_a_command_may_have),
        cmocka_unit_test(as_many_commands_as_there_is_room_for),
        cmocka_unit_test(a_server_without_a_table_is_told),
        cmocka_unit_test(a_command_is_found_by_its_words),
        cmocka_unit_test(the_usage_line_is_as_it_is_typed),
        cmocka_unit_test(what_was_typed_is_sent_and_what_comes_is_printed),
        cmocka_unit_test(a_bar_ends_when_its_work_does),
        cmocka_unit_test(what_is_typed_wrong_does_not_reach_the_server),
        cmocka_unit_test(help_is_of_one_or_of_all_with_the_first_word),
        cmocka_unit_test(what_the_server_does_not_have_is_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
