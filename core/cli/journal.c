/* journal.c - `backplane journal sessions`: work sessions that nobody ended, and a way to end them.
 */
#include <stdlib.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/client.h"

static void print_sessions(const bp_json *answer)
{
    const bp_json *sessions = json_get(answer, BP_STR("sessions"));

    if (json_count(sessions))
        printf("%-14s%-21s%6s  %s\n", "id", "start_time", "hours", "task");
    for (size_t i = 0; i < json_count(sessions); i++) {
        const bp_json *session = json_at(sessions, i);

        printf("%-14s%-21s%6lld  %s\n", json_as_string(json_get(session, BP_STR("id"))).data,
               json_as_string(json_get(session, BP_STR("start_time"))).data,
               (long long)json_as_integer(json_get(session, BP_STR("hours"))),
               json_as_string(json_get(session, BP_STR("task"))).data);
    }
}

static bool list_sessions(struct client *client, const char *stuck, const bp_json **answer)
{
    char path[256], encoded[64] = "";

    client_encode(bp_str_of(stuck ? stuck : ""), encoded, sizeof(encoded));
    snprintf(path, sizeof(path), "/api/journal/sessions%s%s", stuck ? "?stuck=" : "", encoded);
    return client_send(client, "GET", path, NULL, (bp_str){ NULL, 0 }, answer);
}

static bool close_sessions(struct client *client, const char *stuck, const bp_json **answer)
{
    char           bytes[256];
    struct bp_buf  body;
    bp_json_writer w;
    bool           is_good;

    buf_init(&body, NULL, sizeof(bytes));
    json_writer_init(&w, &body);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "stuck", stuck);
    json_end(&w);
    is_good = client_send(client, "POST", "/api/journal/sessions/close", "application/json",
                          buf_str(&body), answer);
    buf_free(&body);
    return is_good;
}

static int run(struct client *client, const char *stuck, bool is_closing, bool is_json)
{
    const bp_json *answer;
    bp_str         backup;

    if (is_closing ? !close_sessions(client, stuck, &answer)
                   : !list_sessions(client, stuck, &answer)) {
        fprintf(stderr, "backplane journal: %s\n", client->problem);
        return EXIT_FAILED;
    }
    if (is_json) {
        printf("%s\n", buf_str(&client->answer).data);
        return EXIT_DONE;
    }
    print_sessions(answer);
    if (!is_closing) {
        printf("%zu sessions\n", json_count(json_get(answer, BP_STR("sessions"))));
        return EXIT_DONE;
    }
    backup = json_as_string(json_get(answer, BP_STR("backup")));
    printf("%lld sessions closed\n",
           (long long)json_as_integer(json_get(answer, BP_STR("closed"))));
    if (backup.len)
        printf("backup: %s\n", backup.data);
    return EXIT_DONE;
}

int command_journal(int argc, char **argv)
{
    const char *conf_file = cli_take_conf(&argc, argv),
               *url = cli_take_option(&argc, argv, "--url");
    const char *stuck = cli_take_option(&argc, argv, "--stuck");
    bool        is_closing = cli_take_flag(&argc, argv, "--close"),
         is_json = cli_take_flag(&argc, argv, "--json");
    struct client client;
    int           status;

    if (!cli_is_all_taken(argc, argv, 1) || argc != 2 || strcmp(argv[1], "sessions") != 0 ||
        (is_closing && !stuck)) {
        fprintf(stderr, "usage: backplane journal sessions [--stuck 8h [--close]] [--json] [--url "
                        "URL | -c FILE]\n");
        return EXIT_USAGE;
    }
    status = client_open(&client, url, conf_file);
    if (status == EXIT_DONE)
        status = run(&client, stuck, is_closing, is_json);
    client_close(&client);
    return status;
}
