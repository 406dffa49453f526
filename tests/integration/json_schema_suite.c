/* json_schema_suite.c - the host's JSON Schema as a filter, for json_schema_suite.py: a line
 * {"schema", "data": [...]} in, a line {"fits": [...]} or {"problem": "..."} out.
 */
#include <stdio.h>
#include <stdlib.h>

#include "schema/json_schema.h"

static void answer(struct arena *arena, const bp_json *line, bp_json_writer *w)
{
    struct reason       why;
    const bp_json      *data = json_get(line, BP_STR("data"));
    struct json_schema *schema = json_schema_compile(json_text(arena,
                                                               json_get(line, BP_STR("schema"))),
                                                     &why);

    json_begin(w, JSON_KIND_OBJECT);
    if (!schema) {
        json_put_text(w, "problem", why.text);
    } else {
        json_key(w, BP_STR("fits"));
        json_begin(w, JSON_KIND_ARRAY);
        for (size_t i = 0; i < json_count(data); i++)
            json_add_bool(w, json_schema_check(schema, json_at(data, i), &why));
        json_end(w);
    }
    json_end(w);
    json_schema_free(schema);
}

int main(void)
{
    char   *line = NULL;
    size_t  capacity = 0;
    ssize_t len;

    while ((len = getline(&line, &capacity, stdin)) > 0) {
        struct reason  why;
        struct arena   arena;
        struct bp_buf  buf;
        bp_json_writer w;
        const bp_json *value;

        arena_init(&arena, 64u << 20);
        buf_init(&buf, &arena, 16u << 20);
        json_writer_init(&w, &buf);
        if (json_parse(&arena, bp_str_n(line, (size_t)len), &value, &why) == BP_OK) {
            answer(&arena, value, &w);
            printf("%s\n", buf_str(&buf).data);
        } else {
            printf("{\"unreadable\": true}\n");
        }
        arena_free(&arena);
    }
    free(line);
    return 0;
}
