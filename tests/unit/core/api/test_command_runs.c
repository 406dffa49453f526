/* test_command_runs.c - what a command is given and what it says, as whole answers: words, options,
 * files, prints of any length, progress, and its end. In an answer ' stands for ". */
#include "command_rig.h"

#include "rig_text.h"

/* ---- the command: each word is something to do ---- */

static const char *behind(const char *word, const char *what)
{
    return strncmp(word, what, strlen(what)) == 0 ? word + strlen(what) : NULL;
}

static bp_status print_options(bp_call *call, bp_command_run *run)
{
    static const char *const names[] = { "list", "flag", "with", "none" };

    for (size_t i = 0; i < 4; i++)
        BP_TRY(bp_command_print(call, run,
                                bp_format(call, "%s=" BP_FMT " %d;", names[i],
                                          BP_ARG(bp_command_option_value(run, names[i])),
                                          bp_command_is_set(run, names[i]))));
    return bp_command_print(call, run,
                            bp_format(call, "words=%zu behind=%zu lines=%lld left=%lld alone=%d",
                                      bp_command_word_count(run),
                                      bp_command_word(run, bp_command_word_count(run)).len,
                                      (long long)bp_command_line_count(run),
                                      (long long)bp_command_left_out(run),
                                      bp_command_is_alone(run)));
}

/* All bytes of each file, or of none where `skips`. */
static bp_status print_files(bp_call *call, bp_command_run *run, bool skips)
{
    bp_command_file file = { .struct_size = sizeof(file) };
    bool            has_file = true;
    bp_str          piece;

    while (has_file) {
        BP_TRY(bp_command_next_file(call, run, &file, &has_file));
        if (!has_file)
            break;
        BP_TRY(bp_command_print(call, run,
                                bp_format(call, BP_FMT ":%lld", BP_ARG(file.name),
                                          (long long)file.size_bytes)));
        for (piece.len = !skips; piece.len;) {
            BP_TRY(bp_command_read(call, run, &piece));
            if (piece.len)
                BP_TRY(bp_command_print(call, run, piece));
        }
    }
    return bp_command_print(call, run,
                            bp_format(call, "left=%lld", (long long)bp_command_left_out(run)));
}

static bp_status print_many(bp_call *call, bp_command_run *run, const char *of)
{
    size_t len = strtoul(of, NULL, 10);
    char  *text = bp_alloc(call, len + 1);

    memset(text, 'x', len);
    memcpy(text + (len > 2 ? len - 2 : 0), "\xC3\xA4", len > 2 ? 2 : 0);
    return bp_command_print(call, run, bp_str_n(text, len));
}

static bp_status play_word(bp_call *call, bp_command_run *run, const char *word)
{
    const char *of;
    bp_str      bytes;

    if ((of = behind(word, "print:")))
        return bp_command_print(call, run, bp_str_of(of));
    if ((of = behind(word, "warn:")))
        return bp_command_warn(call, run, bp_str_of(of));
    if ((of = behind(word, "many:")))
        return print_many(call, run, of);
    if ((of = behind(word, "exit:")))
        bp_command_exit(run, (int32_t)strtol(of, NULL, 10));
    if ((of = behind(word, "progress:")))
        return bp_command_progress(call, run, of, 1, 0);
    if ((of = behind(word, "far:")))
        return bp_command_progress(call, run, of, 2, 4);
    if ((of = behind(word, "back:")))
        return bp_command_progress(call, run, of, 3, -4);
    if (strcmp(word, "over") == 0)
        return bp_command_progress(call, run, NULL, 0, 0);
    if (strcmp(word, "options") == 0)
        return print_options(call, run);
    if (strcmp(word, "files") == 0 || strcmp(word, "skip") == 0)
        return print_files(call, run, word[0] == 's');
    if ((of = behind(word, "file:"))) {
        BP_TRY(bp_command_option_file(call, run, of, &bytes));
        return bp_command_print(call, run, bp_format(call, "%s=" BP_FMT, of, BP_ARG(bytes)));
    }
    if ((of = behind(word, "refuse:")))
        return bp_command_refuse(call, run, bp_str_of(of));
    if ((of = behind(word, "fail:")))
        return bp_fail(call, (bp_status)strtol(of, NULL, 10), "it went wrong");
    return BP_OK;
}

static bp_status play(bp_call *call, void *instance, bp_command_run *run)
{
    (void)instance;
    for (size_t i = 0; i < bp_command_word_count(run); i++)
        BP_TRY(play_word(call, run, bp_format(call, BP_FMT, BP_ARG(bp_command_word(run, i))).data));
    return BP_OK;
}

static const bp_command_option options[] = {
    { .name = "list", .value = "FILE", .help = "a list", .flags = BP_COMMAND_FILE },
    { .name = "flag", .help = "a flag" },
    { .name = "with", .value = "N", .help = "a value", .initial = "7" },
};
static const bp_command table[] = { { .name = "play",
                                      .arguments = "[ACT]...",
                                      .summary = "plays",
                                      .handler = play,
                                      .flags = BP_COMMAND_FILES,
                                      BP_COMMAND_OPTIONS(options) } };
static const bp_command no_files[] = { { .name = "play",
                                         .arguments = "ACT [ACT]",
                                         .summary = "plays",
                                         .handler = play,
                                         BP_COMMAND_OPTIONS(options) } };

static int start(void **state)
{
    return command_rig_start(state, table);
}

static int start_without_files(void **state)
{
    return command_rig_start(state, no_files);
}

/* The answer without its head, as it is without chunks; ids are hidden. */
static char *answer_of(void **state, const char *body, size_t len)
{
    int   fd = client_connect(port_of(state));
    char *head = formatted("POST /x HTTP/1.0\r\nContent-Length: %zu\r\n\r\n", len), *all, *text;

    client_say(fd, head);
    client_send(fd, body, len);
    all = client_drain(fd, NULL);
    close(fd);
    text = client_status(all) == 200 ? formatted("%s", client_body(all))
                                     : formatted("%d %s", client_status(all), client_body(all));
    free(all);
    free(head);
    swap(text, '"', '\'');
    return hide_ids(text);
}

struct run_case {
    const char *body, *answer;
};

static void expect_each(void **state, const struct run_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *body = strdup(cases[i].body), *answer;

        swap(body, '\'', '"');
        answer = answer_of(state, body, strlen(body));
        if (strcmp(answer, cases[i].answer) != 0)
            fail_msg("%s\nnot    %s\nbut is %s", cases[i].body, cases[i].answer, answer);
        free(answer);
        free(body);
    }
}

#define EXPECT_EACH(cases) expect_each(state, cases, sizeof(cases) / sizeof((cases)[0]))
#define TYPED(words)       "{'words':[" words "]}\n"
#define PRINT(text)        "{'print':'" text "'}\n"
#define END(status)        "{'end':{'status':" #status "}}\n"
#define FAILED(status, usage, code, http, message)                                                 \
    "{'end':{'status':" #status usage ",'code':'" code "','http_status':" #http                    \
    ",'message':'" message "','request_id':'ID'}}\n"

static void what_it_says_comes_line_by_line(void **state)
{
    static const struct run_case cases[] = {
        { "", END(0) },
        { "{}\n", END(0) },
        { TYPED("'print:a','warn:b','print:'"), PRINT("a") "{'warn':'b'}\n" END(0) },
        { TYPED("'exit:0'"), END(0) },
        { TYPED("'exit:1'"), END(1) },
        { TYPED("'exit:63'"), END(63) },
        { TYPED("'exit:64'"), END(1) },
        { TYPED("'exit:-1'"), END(1) },
        { TYPED("'print:a','fail:3'"), PRINT("a") FAILED(1, "", "denied", 403, "it went wrong") },
        { TYPED("'fail:5'"), "409 it went wrong" },
        { TYPED("'print:a','exit:7','refuse:no'"),
          PRINT("a") FAILED(2, ",'usage':true", "invalid", 400, "no") },
        { TYPED("'refuse:no'"), "400 no" },
    };

    EXPECT_EACH(cases);
}

static void progress_is_said_once_and_ended(void **state)
{
    static const struct run_case cases[] = {
        { TYPED("'progress:a'"), "{'progress':{'what':'a','done':1}}\n{'progress':null}\n" END(0) },
        { TYPED("'far:a','over'"),
          "{'progress':{'what':'a','done':2,'total':4}}\n{'progress':null}\n" END(0) },
        { TYPED("'back:a','over','over'"),
          "{'progress':{'what':'a','done':3}}\n{'progress':null}\n" END(0) },
        { TYPED("'progress:a','progress:b'"),
          "{'progress':{'what':'a','done':1}}\n{'progress':null}\n"
          "{'progress':{'what':'b','done':1}}\n{'progress':null}\n" END(0) },
        { TYPED("'over'"), END(0) },
        { TYPED("'progress:a','fail:3'"),
          "{'progress':{'what':'a','done':1}}\n"
          "{'progress':null}\n" FAILED(1, "", "denied", 403, "it went wrong") },
        { TYPED("'progress:a23456789012345678901234567890123456789012345678901234567890123'"),
          "{'progress':{'what':'a23456789012345678901234567890123456789012345678901234567890123',"
          "'done':1}}\n{'progress':null}\n" END(0) },
        { TYPED("'progress:a234567890123456789012345678901234567890123456789012345678901234'"),
          "{'progress':{'what':'a23456789012345678901234567890123456789012345678901234567890123',"
          "'done':1}}\n{'progress':null}\n" END(0) },
    };

    EXPECT_EACH(cases);
}

static void options_and_words_are_as_they_were_typed(void **state)
{
    static const struct run_case cases[] = {
        { TYPED("'options'"),
          PRINT("list= 0;") PRINT("flag= 0;") PRINT("with=7 0;") PRINT("none= 0;")
              PRINT("words=1 behind=0 lines=0 left=0 alone=0") END(0) },
        { "{'words':['options','x'],'options':{'flag':true,'with':'','list':'l'},'lines':3}\n",
          PRINT("list=l 1;") PRINT("flag= 1;") PRINT("with= 1;") PRINT("none= 0;")
              PRINT("words=2 behind=0 lines=3 left=0 alone=0") END(0) },
        { "{'words':['options'],'options':{'flag':false,'with':'8'},'lines':-3}\n",
          PRINT("list= 0;") PRINT("flag= 0;") PRINT("with=8 1;") PRINT("none= 0;")
              PRINT("words=1 behind=0 lines=0 left=0 alone=0") END(0) },
        { "{'options':{'more':'1'}}\n", "400 the command has no option 'more'" },
        { "{'options':{'with':7}}\n", "400 the option 'with' must be a text without NUL" },
        { "{'options':{'with':'a\\u0000'}}\n", "400 the option 'with' must be a text without NUL" },
        { "{'options':{'flag':'true'}}\n", "400 the option 'flag' must be true or false" },
        { "{'words':{}}\n", "400 'words' of a command is an array, 'options' an object" },
        { "{'options':[]}\n", "400 'words' of a command is an array, 'options' an object" },
        { "{'words':['a',7]}\n", "400 word 2 of the command is no text without NUL" },
        { "{'words':['\\u0000']}\n", "400 word 1 of the command is no text without NUL" },
        { "[]\n", "400 the request of a command is malformed: one of its lines is not a JSON "
                  "object" },
    };

    EXPECT_EACH(cases);
}

static void files_are_given_in_their_order(void **state)
{
    static const struct run_case cases[] = {
        { TYPED("'files'"), PRINT("left=0") END(0) },
        { TYPED("'files'") "{'name':'a','size':3}\nabc{'name':'b','size':0}\n"
                           "{'name':'c'}\n2\nxy1\nz0\n{'left_out':4}\n",
          PRINT("a:3") PRINT("abc") PRINT("b:0") PRINT("c:-1") PRINT("xy") PRINT("z")
              PRINT("left=4") END(0) },
        { TYPED("'skip'") "{'name':'a','size':3}\nabc{'name':'c'}\n2\nxy1\nz0\n"
                          "{'name':'b','size':1}\nx",
          PRINT("a:3") PRINT("c:-1") PRINT("b:1") PRINT("left=0") END(0) },
        { TYPED("'files'") "{'name':'a','size':2}\nabc",
          PRINT("a:2") PRINT("ab") FAILED(1, "", "invalid", 400,
                                          "the request of a command is malformed: one of its "
                                          "lines is not a JSON object: invalid token near "
                                          "'c', at byte 1") },
        { TYPED("'files'") "{'failed':'a is away'}\n", "404 a is away" },
        { "{'words':['file:list','files'],'options':{'list':'l'}}\n"
          "{'option':'list','name':'l','size':2}\nhi{'name':'a','size':1}\nx",
          PRINT("list=hi") PRINT("a:1") PRINT("x") PRINT("left=0") END(0) },
        { "{'words':['files','file:list'],'options':{'list':'l'}}\n"
          "{'option':'list','name':'l','size':2}\nhi{'name':'a','size':1}\nx",
          PRINT("a:1") PRINT("x") PRINT("left=0") PRINT("list=hi") END(0) },
        { "{'words':['file:list'],'options':{'list':'l'}}\n{'name':'a','size':1}\nx",
          "400 the request of the command does not bring the file of its option 'list'" },
        { "{'words':['file:list','file:with'],'options':{}}\n",
          PRINT("list=") PRINT("with=") END(0) },
        { "{'words':['files'],'options':{'list':'l'}}\n{'option':'list','name':'l','size':1}\na"
          "{'option':'list','name':'l','size':1}\nb",
          "400 the request of a command brings a file of the option 'list', which has none to "
          "come" },
        { "{'words':['files'],'options':{'with':'l'}}\n{'option':'with','name':'l','size':1}\na",
          "400 the request of a command brings a file of the option 'with', which has none to "
          "come" },
    };

    EXPECT_EACH(cases);
}

static void a_command_without_files_takes_none(void **state)
{
    static const struct run_case cases[] = {
        { TYPED("'files'"), PRINT("left=0") END(0) },
        { TYPED("'files'") "{'name':'a','size':1}\na", "400 the command takes no files" },
        { TYPED(""), "400 the command takes the words 'ACT [ACT]', and was given 0" },
        { TYPED("'print:a','print:b'"), PRINT("a") PRINT("b") END(0) },
        { TYPED("'a','b','c'"), "400 the command takes the words 'ACT [ACT]', and was given 3" },
    };

    EXPECT_EACH(cases);
}

/* A text is cut into events of 32 KiB, between characters. */
static void a_long_text_comes_in_pieces(void **state)
{
    static const struct {
        size_t len, first; /* `first` of the pieces */
    } cases[] = { { 32767, 32767 }, { 32768, 32768 }, { 32769, 32767 }, { 32770, 32768 } };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *body = formatted("{\"words\":[\"many:%zu\"]}\n", cases[i].len);
        char *answer = answer_of(state, body, strlen(body));

        assert_int_equal(strcspn(answer, "\n"), cases[i].first + strlen("{'print':''}"));
        assert_int_equal(strlen(answer),
                         cases[i].len + strlen(END(0)) +
                             (cases[i].len > cases[i].first ? 2 : 1) * strlen("{'print':''}\n"));
        free(answer);
        free(body);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, command_rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_it_says_comes_line_by_line),
        CASE(progress_is_said_once_and_ended),
        CASE(options_and_words_are_as_they_were_typed),
        CASE(files_are_given_in_their_order),
        cmocka_unit_test_setup_teardown(a_command_without_files_takes_none, start_without_files,
                                        command_rig_stop),
        CASE(a_long_text_comes_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
