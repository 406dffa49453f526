/* search.c - `backplane search`: asks a collection and prints what it found. */
#include <stdlib.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/client.h"

static void print_hit(size_t place, const bp_json *hit)
{
    bp_str title = json_as_string(json_get(hit, BP_STR("title")));
    bp_str heading = json_as_string(json_get(hit, BP_STR("heading")));
    bp_str text = json_as_string(json_get(hit, BP_STR("text")));
    size_t shown = 0;

    printf("%2zu. %.4f  %s%s%s%s%s\n", place, json_as_number(json_get(hit, BP_STR("score"))),
           json_as_string(json_get(hit, BP_STR("document"))).data, title.len ? "  " : "",
           title.data, heading.len ? "  > " : "", heading.data);
    printf("    ");
    for (size_t i = 0;
         i < text.len && (shown < 240 || ((unsigned char)text.data[i] & 0xC0) == 0x80);
         i++, shown++)
        putchar(text.data[i] == '\n' ? ' ' : text.data[i]);
    printf("%s\n", shown < text.len ? " ..." : "");
}

static bp_str make_body(struct arena *arena, const char *collection, const char *text,
                        int64_t limit)
{
    struct bp_buf  buf;
    bp_json_writer w;

    buf_init(&buf, arena, 1u << 20);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "collection", collection);
    json_put_text(&w, "query", text);
    json_put_integer(&w, "limit", limit);
    json_end(&w);
    return buf_str(&buf);
}

int command_search(int argc, char **argv)
{
    const char *conf_file = cli_take_conf(&argc, argv),
               *url = cli_take_option(&argc, argv, "--url");
    const char    *collection = cli_take_option(&argc, argv, "--collection");
    const char    *limit_text = cli_take_option(&argc, argv, "--limit");
    bool           is_json = cli_take_flag(&argc, argv, "--json");
    int64_t        limit = 10;
    struct client  client;
    struct arena   arena;
    const bp_json *answer;
    int            status;

    if (!cli_is_all_taken(argc, argv, 1) || argc != 2 || !collection ||
        (limit_text && !str_to_int(bp_str_of(limit_text), &limit))) {
        fprintf(stderr, "usage: backplane search --collection NAME [--limit N] [--json] [--url URL "
                        "| -c FILE] TEXT\n");
        return EXIT_USAGE;
    }
    arena_init(&arena, 4u << 20);
    status = client_open(&client, url, conf_file);
    if (status == EXIT_DONE) {
        bp_str body = make_body(&arena, collection, argv[1], limit);

        if (!client_send(&client, "POST", "/api/v1/search", "application/json", body, &answer)) {
            fprintf(stderr, "backplane search: %s\n", client.problem);
            status = EXIT_FAILED;
        } else if (is_json) {
            printf("%s\n", buf_str(&client.answer).data);
        } else {
            const bp_json *hits = json_get(answer, BP_STR("hits"));

            for (size_t i = 0; i < json_count(hits); i++)
                print_hit(i + 1, json_at(hits, i));
            if (json_count(hits) == 0)
                printf("no hits\n");
        }
    }
    client_close(&client);
    arena_free(&arena);
    return status;
}
