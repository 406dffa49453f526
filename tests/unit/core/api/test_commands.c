/* test_commands.c - commands over HTTP with clients that keep to no form: bad first lines, sizes
 * that lie, lines without end, words that are no text, and clients that go away in the middle.
 */
#include "command_rig.h"

static atomic_long file_bytes;

/* ---- the command ---- */

static bp_status read_files(bp_call *call, bp_command_run *run)
{
    bp_command_file file = { .struct_size = sizeof(file) };
    bool            has_file;
    bp_str          piece;

    for (;;) {
        int64_t bytes = 0;

        BP_TRY(bp_command_next_file(call, run, &file, &has_file));
        if (!has_file)
            return BP_OK;
        do {
            BP_TRY(bp_command_read(call, run, &piece));
            bytes += (int64_t)piece.len;
            file_bytes += (long)piece.len;
        } while (piece.len);
        BP_TRY(bp_command_print(call, run,
                                bp_format(call, BP_FMT "=%lld;", BP_ARG(file.name),
                                          (long long)bytes)));
    }
}

static bp_status try_all(bp_call *call, void *instance, bp_command_run *run)
{
    bp_status status;
    bp_str    list;

    (void)instance;
    for (size_t i = 0; i < bp_command_word_count(run); i++)
        BP_TRY(bp_command_print(call, run, bp_command_word(run, i)));
    while (bp_command_is_set(run, "flood"))
        BP_TRY(bp_command_print(call, run, BP_STR("0123456789abcdef0123456789abcdef")));
    BP_TRY(bp_scratch_begin(call)); // it outlives that
    status = bp_command_option_file(call, run, "list", &list);
    if (bp_command_is_set(run, "refuse"))
        status = bp_command_refuse(call, run, bp_format(call, "not %s", "today"));
    bp_scratch_end(call);
    BP_TRY(status);
    if (list.len)
        BP_TRY(bp_command_print(call, run, list));
    return read_files(call, run);
}

static const bp_command_option options[] = {
    { .name = "list", .value = "FILE", .help = "a list", .flags = BP_COMMAND_FILE },
    { .name = "flood", .help = "print without end" },
    { .name = "refuse", .help = "refuse what was typed" },
    { .name = "need", .value = "N", .help = "is needed", .flags = BP_COMMAND_REQUIRED },
};
static const bp_command table[] = {
    { .name = "try",
      .arguments = "[A] [B]",
      .summary = "tries",
      .handler = try_all,
      .flags = BP_COMMAND_FILES,
      BP_COMMAND_OPTIONS(options) },
};

static int start(void **state)
{
    file_bytes = 0;
    return command_rig_start(state, table);
}

static void expect(void **state, const char *body, int status, const char *said)
{
    char *answer = ask(state, body, strlen(body));

    if (client_status(answer) != status || !strstr(answer, said))
        fail_msg("%.200s is answered with %s, and not with %d and %s", body, answer, status, said);
    free(answer);
}

#define TYPED "{\"words\":[],\"options\":{\"need\":\"1\"}}\n"

/* ---- what is well formed ---- */

static void files_come_with_a_size_or_in_pieces(void **state)
{
    expect(state, TYPED, 200, "{\"end\":{\"status\":0}}\n");
    expect(state, "{\"words\":[\"a\",\"\\u00e4\"],\"options\":{\"need\":\"1\"}}", 200,
           "{\"print\":\"a\"}\n");
    expect(state,
           "{\"options\":{\"need\":\"1\",\"list\":\"l.txt\"}}\n"
           "{\"option\":\"list\",\"name\":\"l.txt\",\"size\":3}\nabc"
           "{\"name\":\"a\",\"size\":0}\n{\"name\":\"b\"}\n2\nxy3\nxyz0\n{\"name\":\"c\",\"size\":"
           "1}\n\n",
           200, "{\"print\":\"c=1;\"}");
    expect(state, TYPED "{\"name\":\"b\"}\n2\nxy3\nxyz0\n{\"left_out\":4}\n", 200,
           "{\"print\":\"b=5;\"}");
}

static void a_refusal_keeps_its_sentence(void **state)
{
    expect(state, "{\"words\":[\"a\"],\"options\":{\"need\":\"1\",\"refuse\":true}}\n", 200,
           "{\"end\":{\"status\":2,\"usage\":true,\"code\":\"invalid\",\"http_status\":400,"
           "\"message\":"
           "\"not today\"");
}

/* ---- what is not ---- */

static void a_bad_first_line_is_refused(void **state)
{
    static const struct {
        const char *line, *sentence;
    } bad[] = {
        { "no JSON\n", "the request of a command is malformed: one of its lines is not a JSON "
                       "object: invalid token near 'no', at byte 2" },
        { "[]\n", "the request of a command is malformed: one of its lines is not a JSON object" },
        { "{\"words\":{}}\n", "\"words\" of a command is an array, \"options\" an object" },
        { "{\"options\":[]}\n", "\"words\" of a command is an array, \"options\" an object" },
        { "{\"words\":[1]}\n", "word 1 of the command is no text without NUL" },
        { "{\"words\":[\"a\\u0000b\"],\"options\":{\"need\":\"1\"}}\n",
          "word 1 of the command is no text without NUL" },
        { "{\"words\":[\"a\",\"b\",\"c\"],\"options\":{\"need\":\"1\"}}\n",
          "the command takes the words \"[A] [B]\", and was given 3" },
        { "{\"words\":[]}\n", "the command needs the option \"need\"" },
        { "", "the command needs the option \"need\"" },
        { "{\"options\":{\"need\":1}}\n", "the option \"need\" must be a text without NUL" },
        { "{\"options\":{\"need\":\"1\",\"flood\":\"yes\"}}\n",
          "the option \"flood\" must be true or false" },
        { "{\"options\":{\"need\":\"1\",\"other\":\"x\"}}\n",
          "the command has no option \"other\"" },
        { "{\"words\":[\"\xff\xfe\"],\"options\":{\"need\":\"1\"}}\n",
          "the request of a command is malformed: one of its lines is not a JSON object: unable to "
          "decode byte 0xff near '\"', at byte 11" },
        { "\n", "the request of a command is malformed: one of its lines is not a JSON object: "
                "unexpected token near end of file, at byte 0" },
        { "{", "the request of a command is malformed: one of its lines is not a JSON object: "
               "string or '}' expected near end of file, at byte 1" },
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *answer = ask(state, bad[i].line, strlen(bad[i].line));

        assert_int_equal(client_status(answer), 400);
        assert_string_equal(client_body(answer), bad[i].sentence);
        free(answer);
    }
}

static void a_size_that_lies_is_found_out(void **state)
{
    expect(state, TYPED "{\"name\":\"a\",\"size\":10}\nabc", 400, "before the announced size");
    expect(state, TYPED "{\"name\":\"a\",\"size\":2}\nabc\n", 200, "\"code\":\"invalid\"");
    expect(state, TYPED "{\"name\":\"a\",\"size\":-1}\n", 400, "\"size\"");
    expect(state, TYPED "{\"name\":\"a\",\"size\":1.5}\n", 400, "\"size\"");
    expect(state, TYPED "{\"name\":\"a\",\"size\":\"9\"}\n", 400, "\"size\"");
    expect(state, TYPED "{\"name\":\"a\",\"size\":9223372036854775807}\nabc", 400,
           "announced size");
    expect(state, TYPED "{\"name\":\"a\",\"size\":9223372036854775808}\nabc", 400, "HTTP/1.1 400");
    expect(state, TYPED "{\"name\":\"a\"}\n3\nab", 400, "before the announced size");
    expect(state, TYPED "{\"name\":\"a\"}\n3\nabc", 400, "ends within a file");
    expect(state, TYPED "{\"name\":\"a\"}\n-3\nabc", 400, "its length in decimal");
    expect(state, TYPED "{\"name\":\"a\"}\n99999999999999999999999\nabc", 400,
           "its length in decimal");
    expect(state, TYPED "{\"name\":\"a\"}\n9223372036854775807\nabc", 400,
           "before the announced size");
    expect(state, TYPED "{\"name\":\"a\"}\n9223372036854775808\nabc", 400, "its length in decimal");
}

static void a_file_that_is_no_file_is_refused(void **state)
{
    expect(state, TYPED "{\"name\":\"\",\"size\":1}\na", 400, "needs \"name\"");
    expect(state, TYPED "{\"option\":\"list\",\"name\":\"l\",\"size\":1}\na", 400,
           "has none to come");
    expect(state, TYPED "{\"option\":\"other\",\"name\":\"l\",\"size\":1}\na", 400,
           "has none to come");
    expect(state, "{\"options\":{\"need\":\"1\",\"list\":\"l\"}}\n", 400,
           "does not bring the file");
    expect(state,
           "{\"options\":{\"need\":\"1\",\"list\":\"l\"}}\n{\"name\":\"a\",\"size\":1}\na"
           "{\"option\":\"list\",\"name\":\"l\",\"size\":1}\nl",
           400, "does not bring the file");
    expect(state, TYPED "{\"failed\":\"a cannot be read\"}\n{\"name\":\"b\",\"size\":1}\nb", 404,
           "a cannot be read");
}

static void a_line_without_end_is_refused_before_it_is_kept(void **state)
{
    enum { BYTES = 10 << 20 };
    char *body = malloc(BYTES + 1), *answer;

    memset(body, 'x', BYTES);
    body[BYTES] = '\0';
    memcpy(body, TYPED "{\"name\":\"", strlen(TYPED "{\"name\":\""));
    answer = ask(state, body, BYTES);
    assert_int_equal(client_status(answer), 400);
    assert_non_null(strstr(answer, "is too long"));
    free(answer);
    memset(body, 'x', 64);
    answer = ask(state, body, BYTES); // the first one
    assert_int_equal(client_status(answer), 400);
    assert_non_null(strstr(answer, "is too long"));
    free(answer);
    free(body);
}

/* ---- who goes away ---- */

static void a_client_that_goes_away_in_an_upload_ends_the_command(void **state)
{
    int fd = client_connect(port_of(state));

    client_say(fd, HEAD "Content-Length: 1000000\r\n\r\n" TYPED
                        "{\"name\":\"a\",\"size\":100000}\nabc");
    assert_true(RIG_SOON(file_bytes == 3));
    assert_int_equal(outcome, -1);
    close(fd);
    assert_true(RIG_SOON(outcome == BP_CANCELLED));
}

static void a_client_that_goes_away_in_a_print_ends_the_command(void **state)
{
    static const char flood[] = "{\"options\":{\"need\":\"1\",\"flood\":true}}\n";
    int               fd = client_connect(port_of(state));
    char              head[256], *begun;

    client_send(fd, head,
                (size_t)snprintf(head, sizeof(head), HEAD "Content-Length: %zu\r\n\r\n%s",
                                 sizeof(flood) - 1, flood));
    begun = client_read_until(fd, "{\"print\":", 3);
    free(begun);
    rig_sleep_ms(100);
    assert_int_equal(outcome, -1); // who does not read holds it back
    close(fd);
    assert_true(RIG_SOON(outcome == BP_CANCELLED));
}

/* ---- the table ---- */

static void refuse_table(const bp_command *commands, size_t count, uint32_t stride,
                         const char *said)
{
    bp_app_ops ops = { .commands = commands, .command_count = count, .command_size = stride };
    struct app_command *read;
    struct arena        own;
    struct reason       why = { "" };

    arena_init(&own, 1 << 20);
    assert_false(command_table_read(&own, &ops, "app", &read, &count, &why));
    if (!strstr(why.text, said))
        fail_msg("\"%s\" does not say \"%s\"", why.text, said);
    arena_free(&own);
}

static void a_malformed_table_is_refused_with_a_sentence(void **state)
{
    static const char *const       names[] = { "",   "Search", "a  b", "a b c", " a",
                                               "a ", "-a",     "a/b",  NULL };
    static const bp_command_option clash[] = { { .name = "url", .help = "x" } };
    static const bp_command_option twice[] = { { .name = "a", .help = "x" },
                                               { .name = "a", .help = "x" } };
    static const bp_command_option flag[] = {
        { .name = "a", .help = "x", .flags = BP_COMMAND_FILE }
    };
    bp_command command_of = { .name = "a", .summary = "x", .handler = try_all };
    bp_command two[2];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        command_of.name = names[i];
        refuse_table(&command_of, 1, sizeof(command_of), "one or two words");
    }
    command_of.name = "a";
    two[0] = two[1] = command_of;
    refuse_table(two, 2, sizeof(*two), "two commands \"a\"");
    refuse_table(two, 65, sizeof(*two), "the most is 64");
    refuse_table(two, 2, 8, "malformed");
    refuse_table(NULL, 1, sizeof(*two), "malformed");
    command_of.option_size = sizeof(bp_command_option);
    command_of.option_count = 1;
    command_of.options = clash;
    refuse_table(&command_of, 1, sizeof(command_of), "uses itself");
    command_of.options = flag;
    refuse_table(&command_of, 1, sizeof(command_of), "is a flag");
    command_of.options = twice;
    command_of.option_count = 2;
    refuse_table(&command_of, 1, sizeof(command_of), "twice");
    command_of.option_count = 65;
    refuse_table(&command_of, 1, sizeof(command_of), "malformed table of options");
}

static void arguments_say_how_many_words_there_are(void **state)
{
    static const struct {
        const char *arguments;
        size_t      least, most;
    } cases[] = { { NULL, 0, 0 },
                  { "", 0, 0 },
                  { "TEXT", 1, 1 },
                  { "[ID]", 0, 1 },
                  { "FROM TO", 2, 2 },
                  { "FROM [TO]", 1, 2 },
                  { "...", 1, SIZE_MAX / 2 },
                  { "..", 1, 1 },
                  { "A...B", 1, 1 },
                  { "  A  B ", 2, 2 },
                  { "A... B", 2, SIZE_MAX / 2 },
                  { "A... B...", 2, SIZE_MAX / 2 },
                  { "PATH...", 1, SIZE_MAX / 2 },
                  { "[WORD]...", 0, SIZE_MAX / 2 },
                  { "TO FROM...", 2, SIZE_MAX / 2 } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t least, most;

        command_words_of(cases[i].arguments, &least, &most);
        assert_int_equal(least, cases[i].least);
        assert_int_equal(most, cases[i].most);
    }
}

#define WITH_SERVER(name) cmocka_unit_test_setup_teardown(name, start, command_rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(files_come_with_a_size_or_in_pieces),
        WITH_SERVER(a_refusal_keeps_its_sentence),
        WITH_SERVER(a_bad_first_line_is_refused),
        WITH_SERVER(a_size_that_lies_is_found_out),
        WITH_SERVER(a_file_that_is_no_file_is_refused),
        WITH_SERVER(a_line_without_end_is_refused_before_it_is_kept),
        WITH_SERVER(a_client_that_goes_away_in_an_upload_ends_the_command),
        WITH_SERVER(a_client_that_goes_away_in_a_print_ends_the_command),
        cmocka_unit_test(a_malformed_table_is_refused_with_a_sentence),
        cmocka_unit_test(arguments_say_how_many_words_there_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
