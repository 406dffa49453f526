/* app_command.c - `backplane NAME` where NAME is an app's: found in the conf or asked of a server,
 * checked against its table, run there, and printed here.
 */
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/app_upload.h"
#include "cli/terminal.h"

enum { EVENT_BYTES_MAX = 2 << 20 };

/* What comes back. */
struct answer {
    const char        *name; /* of the command, as errors begin */
    struct bp_buf      line, safe;
    struct arena       arena; /* of one event */
    struct progress    progress;
    char               what[64];
    bool               is_drawing;
    bool               has_end, is_usage;
    int                status;
    long               http_status;
    char               message[1024];
    const char        *problem; /* its mistake; NULL: nothing */
    bool               is_output_gone;
    struct app_upload *upload; /* ends with the answer */
};

/* ---- the answer ---- */

static void write_safely(struct answer *answer, FILE *to, bp_str text)
{
    buf_reset(&answer->safe);
    terminal_add_safe(&answer->safe, text);
    progress_make_way(&answer->progress);
    fwrite(answer->safe.data, 1, answer->safe.len, to);
    fflush(to);
    if (to == stdout && ferror(stdout)) // who reads it has had enough, as `head` has
        answer->is_output_gone = true;
}

static void end_progress(struct answer *answer)
{
    if (answer->is_drawing)
        progress_end(&answer->progress);
    answer->is_drawing = answer->progress.is_on_line = false;
}

static void take_progress(struct answer *answer, const bp_json *value)
{
    bp_str        what = json_as_string(json_get(value, BP_STR("what")));
    int64_t       done = json_as_integer(json_get(value, BP_STR("done")));
    struct bp_buf safe;

    if (json_type_of(value) != JSON_KIND_OBJECT) {
        end_progress(answer);
        return;
    }
    buf_init(&safe, &answer->arena, EVENT_BYTES_MAX);
    terminal_add_safe(&safe, what);
    what = str_cut(buf_str(&safe), sizeof(answer->what) - 1);
    if (!answer->is_drawing || !bp_str_is(what, answer->what)) {
        end_progress(answer);
        snprintf(answer->what, sizeof(answer->what), BP_FMT, BP_ARG(what));
        progress_start(&answer->progress, answer->what, 0);
        answer->is_drawing = true;
    }
    answer->progress.total = json_as_integer(json_get(value, BP_STR("total")));
    progress_add(&answer->progress, done - answer->progress.done);
}

static void take_end(struct answer *answer, const bp_json *value)
{
    struct bp_buf safe;

    end_progress(answer);
    buf_init(&safe, &answer->arena, EVENT_BYTES_MAX);
    terminal_add_safe(&safe, json_as_string(json_get(value, BP_STR("message"))));
    snprintf(answer->message, sizeof(answer->message), "%.1000s", buf_str(&safe).data);
    answer->has_end = true;
    answer->status = (int)json_as_integer(json_get(value, BP_STR("status")));
    answer->is_usage = json_as_bool(json_get(value, BP_STR("usage")));
    answer->http_status = (long)json_as_integer(json_get(value, BP_STR("http_status")));
    if (answer->status < 0 || answer->status > UCHAR_MAX)
        answer->status = EXIT_FAILED;
    answer->upload->is_over = true;
}

static bool take_event(struct answer *answer, bp_str line)
{
    const bp_json *event, *value;
    struct reason  why;

    arena_reset(&answer->arena);
    if (json_parse(&answer->arena, line, &event, &why) != BP_OK ||
        json_type_of(event) != JSON_KIND_OBJECT) {
        answer->problem = "holds a line that is no event";
        return false;
    }
    if ((value = json_get(event, BP_STR("print"))) != NULL)
        write_safely(answer, stdout, json_as_string(value));
    else if ((value = json_get(event, BP_STR("warn"))) != NULL)
        write_safely(answer, stderr, json_as_string(value));
    else if ((value = json_get(event, BP_STR("progress"))) != NULL)
        take_progress(answer, value);
    else if ((value = json_get(event, BP_STR("end"))) != NULL &&
             json_is_whole(json_get(value, BP_STR("status"))))
        take_end(answer, value);
    return !answer->is_output_gone;
}

static bool take_bytes(void *arg, bp_str bytes)
{
    struct answer *answer = arg;

    while (bytes.len) {
        const char *newline = memchr(bytes.data, '\n', bytes.len);
        size_t      len = newline ? (size_t)(newline - bytes.data) : bytes.len;

        buf_add(&answer->line, bp_str_n(bytes.data, len));
        if (buf_status(&answer->line) != BP_OK) {
            answer->problem = "has a line that is longer than a command's events are";
            return false;
        }
        if (newline && answer->line.len && !take_event(answer, buf_str(&answer->line)))
            return false;
        if (newline)
            buf_reset(&answer->line);
        len += newline != NULL;
        bytes = bp_str_n(bytes.data + len, bytes.len - len);
    }
    return true;
}

/* ---- running ---- */

static size_t give_bytes(void *arg, char *bytes, size_t size)
{
    return app_upload_read(((struct answer *)arg)->upload, bytes, size);
}

static int judge(const struct client *client, const struct app_entry *entry,
                 const struct answer *answer, bool is_sent)
{
    const char *problem = answer->upload->problem.text;

    if (problem[0]) {
        fprintf(stderr, "backplane %s: %s\n", answer->name, problem);
        return EXIT_FAILED;
    }
    if (answer->is_output_gone)
        return EXIT_FAILED;
    if (answer->has_end && answer->is_usage) {
        if (answer->message[0])
            fprintf(stderr, "backplane %s: %s\n", answer->name, answer->message);
        app_table_print_usage(entry);
        return EXIT_USAGE;
    }
    if (answer->has_end && answer->http_status)
        fprintf(stderr, "backplane %s: %s (status %ld)\n", answer->name, answer->message,
                answer->http_status);
    if (answer->has_end)
        return answer->status;
    if (answer->problem)
        fprintf(stderr, "backplane %s: the answer of %s %s\n", answer->name, client->base_url,
                answer->problem);
    else if (!is_sent && (client->status == 0 || client->status >= 400))
        fprintf(stderr, "backplane %s: %s\n", answer->name, client->problem.text);
    else
        fprintf(stderr,
                "backplane %s: the answer of %s ended before the command did: the server ended or "
                "the connection was cut; its log says more\n",
                answer->name, client->base_url);
    return EXIT_FAILED;
}

static int run(struct client *client, const struct app_entry *entry, const char *name,
               const struct app_typed *typed)
{
    struct app_upload upload;
    struct answer     answer = { .name = name, .upload = &upload };
    char              path[256];
    bool              is_sent;
    int               status;

    snprintf(path, sizeof(path), "/commands/%.60s/%.100s", entry->instance, entry->name);
    for (char *blank = path; (blank = strchr(blank, ' ')) != NULL;)
        *blank = '/';
    app_upload_init(&upload, entry, typed);
    arena_init(&answer.arena, (size_t)EVENT_BYTES_MAX * 4);
    buf_init(&answer.line, NULL, EVENT_BYTES_MAX);
    buf_init(&answer.safe, NULL, (size_t)EVENT_BYTES_MAX * 6);
    client->status = 0;
    is_sent = client_post_stream(client, path,
                                 &(struct client_stream){ give_bytes, take_bytes, &answer });
    end_progress(&answer);
    status = judge(client, entry, &answer, is_sent);
    app_upload_free(&upload);
    arena_free(&answer.arena);
    buf_free(&answer.line);
    buf_free(&answer.safe);
    return status;
}

/* ---- the words typed ---- */

static bool is_text(const char *name, const char *text)
{
    if (str_is_utf8(bp_str_of(text)))
        return true;
    fprintf(stderr, "backplane %s: a word is not UTF-8 text\n", name);
    return false;
}

/* Takes the second word of a name out of the words; false when it does not stand first among them.
 */
static bool take_second_word(const struct app_entry *entry, struct app_typed *typed)
{
    const char *second = strchr(entry->name, ' ');

    if (!second)
        return true;
    if (!typed->word_count || strcmp(typed->words[0], second + 1) != 0)
        return false;
    typed->words++;
    typed->word_count--;
    return true;
}

/* False after the mistake was printed. argv[0] is the first word of the name. */
static bool take_typed(const struct app_entry *entry, int argc, char **argv,
                       struct app_typed *typed)
{
    size_t most = entry->words_max + (strchr(entry->name, ' ') != NULL);
    bool   is_good = true;
    int    ends = 0;

    for (size_t i = 0; i < entry->option_count; i++) {
        const struct app_option *option = &entry->options[i];
        char                     name[80];

        snprintf(name, sizeof(name), "--%.70s", option->name);
        if (option->value)
            typed->values[i] = cli_take_option(&argc, argv, name);
        else if (cli_take_flag(&argc, argv, name))
            typed->values[i] = "";
        is_good = is_good && (typed->values[i] || !option->is_required);
    }
    for (int i = 1; i < argc && !ends; i++)
        ends = strcmp(argv[i], "--") == 0; // which is taken out
    if (!cli_is_all_taken(argc, argv, most > INT_MAX / 2 ? INT_MAX / 2 : (int)most))
        return false;
    typed->words = argv + 1;
    typed->word_count = (size_t)(argc - 1 - ends);
    return take_second_word(entry, typed) && is_good && typed->word_count >= entry->words_min;
}

static bool are_texts(const struct app_entry *entry, const char *name,
                      const struct app_typed *typed)
{
    for (size_t i = 0; !entry->takes_files && i < typed->word_count; i++)
        if (!is_text(name, typed->words[i]))
            return false;
    for (size_t i = 0; i < entry->option_count; i++)
        if (typed->values[i] && !entry->options[i].is_file && !is_text(name, typed->values[i]))
            return false;
    return true;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/* All options of one command; of all that begin with this word, when there are several. */
static void print_help(const struct app_table *table, const struct app_entry *entry, int argc,
                       char **argv)
{
    const char *second = strchr(entry->name, ' ');
    size_t      first = strcspn(entry->shown.name, " ");
    bool        is_given = !second, is_first = true;

    for (int i = 1; i < argc && second; i++)
        is_given = is_given || strcmp(argv[i], second + 1) == 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct app_entry *other = &table->entries[i];

        if (is_given ? other != entry
                     : strcspn(other->shown.name, " ") != first ||
                           strncmp(other->shown.name, entry->shown.name, first) != 0)
            continue;
        printf("%s", is_first ? "" : "\n");
        command_print_one(&other->shown);
        is_first = false;
    }
}

/* With a client for --url; without, a server is started when all is well. */
static int run_entry(const struct app_table *table, const struct app_entry *entry,
                     struct client *client, const char *conf_file, int argc, char **argv)
{
    struct app_typed typed = { 0 };
    struct client    own;
    const char      *name = strchr(argv[0], ':') ? argv[0] : entry->shown.name;
    int              status = EXIT_USAGE;

    command_begin(&entry->shown);
    if (asks_for_help(argc, argv)) {
        print_help(table, entry, argc, argv);
        return EXIT_DONE;
    }
    typed.values = calloc(entry->option_count + 1, sizeof(*typed.values));
    if (!typed.values)
        return EXIT_FAILED;
    if (!take_typed(entry, argc, argv, &typed)) {
        app_table_print_usage(entry);
    } else if (are_texts(entry, name, &typed)) {
        status = client ? EXIT_DONE : client_open(&own, NULL, conf_file);
        if (status == EXIT_DONE)
            status = run(client ? client : &own, entry, name, &typed);
        if (!client)
            client_close(&own);
    }
    free(typed.values);
    return status;
}

static void find_nearest(const struct app_table *table, const char *wanted, char nearest[80])
{
    for (size_t i = 0; i < table->count; i++) {
        const char *name = table->entries[i].shown.name;

        if (str_is_near(bp_str_of(wanted), bp_str_n(name, strcspn(name, " "))))
            snprintf(nearest, 80, "%.79s", name);
    }
}

/* Of a server that runs. False: its apps have no such command. */
static bool run_there(struct app_table *table, const char *url, int argc, char **argv, int *status)
{
    struct client           client;
    const struct app_entry *entry = NULL;

    *status = client_open(&client, url, NULL);
    if (*status == EXIT_DONE && !app_table_of_server(table, &client)) {
        fprintf(stderr, "backplane %s: %s\n", argv[0], client.problem.text);
        *status = EXIT_FAILED;
    } else if (*status == EXIT_DONE) {
        entry = app_table_find(table, argc, argv);
        if (entry)
            *status = run_entry(table, entry, &client, NULL, argc, argv);
    }
    client_close(&client);
    return entry || *status != EXIT_DONE;
}

/* The conf has errors, which say why it gives no such command. False: it has none after all. */
static bool refuse_conf(const char *conf_file, int *status)
{
    struct host_options options = { .conf_file = conf_file, .is_private = true, .is_quiet = true };
    struct host         host;

    *status = host_load(&host, &options);
    host_free(&host);
    return *status != EXIT_DONE;
}

static bool run_here(struct app_table *table, const char *conf_file, int argc, char **argv,
                     int *status)
{
    const struct app_entry *entry;

    app_table_of_conf(table, conf_file);
    entry = app_table_find(table, argc, argv);
    if (entry)
        *status = run_entry(table, entry, NULL, conf_file, argc, argv);
    return entry ||
           (table->problem.text[0] && !command_nearest(argv[0]) && refuse_conf(conf_file, status));
}

bool app_command_run(int argc, char **argv, int *status, char nearest[80])
{
    struct app_table table;
    bool             is_given, is_found = false;
    const char      *conf_file = cli_take_conf_if(&argc, argv, &is_given);
    const char      *url = cli_take_option(&argc, argv, "--url");

    app_table_init(&table);
    if (url)
        is_found = run_there(&table, url, argc, argv, status);
    else if (is_given || access(conf_file, F_OK) == 0)
        is_found = run_here(&table, conf_file, argc, argv, status);
    if (!is_found)
        find_nearest(&table, argv[0], nearest);
    app_table_free(&table);
    return is_found;
}
