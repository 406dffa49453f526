/* test_world_net.c - which names `backplane check` looks up, and which credentials it finds
 * (world_net.c). The resolver is one that knows no name. */
#include <netdb.h>

#include "core/conf/conf_fixture.h"

#include "cli/world.h"

/* In place of that of the C library (see CMakeLists.txt). */
int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found);

int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found)
{
    (void)name;
    (void)found;
    return service || hints->ai_socktype != SOCK_STREAM ? EAI_SERVICE : EAI_NONAME;
}

/* Of a conf with one instance of everything, and its URL. */
static struct conf *with(const char *rest)
{
    char text[1024];

    snprintf(text, sizeof(text), "llm: { x: { use: everything, %s } }\napp: { console: }\n", rest);
    return resolve(text);
}

/* The names that were looked up, and cannot be resolved, in the order of the file. */
static void names_of(struct conf *conf, char names[1024])
{
    names[0] = '\0';
    for (const struct conf_problem *p = conf->problems.first; p; p = p->next) {
        const char *name = strstr(p->text.data, "the name "), *end;

        end = name ? strstr(name + 9, " cannot be resolved here: ") : NULL;
        if (end)
            sprintf(names + strlen(names), "%s%.*s", *names ? " " : "", (int)(end - name - 9),
                    name + 9);
    }
}

static void every_host_of_a_url_or_an_address_is_looked_up(void **state)
{
    static const struct {
        const char *options, *names;
    } cases[] = {
        { "url: 'http://a.invalid'", "a.invalid" },
        { "url: 'http://a.invalid:80/b.invalid'", "a.invalid" },
        { "url: 'http://a.invalid?x@b.invalid'", "a.invalid" },
        { "url: 'http://a.invalid#x'", "a.invalid" },
        { "url: 'http://u:p@a.invalid:1/x@b.invalid'", "a.invalid" },
        { "url: 'http://127.0.0.1'", "" },
        { "url: 'http://localhost:1'", "" },
        { "url: 'http://[::1]:1'", "" },
        { "url: 'http://127.0.0.1', database: "
          "'postgres://u@a.invalid:1,b.invalid,[::1]:2,c.invalid/x'",
          "a.invalid b.invalid c.invalid" },
        { "url: 'http://127.0.0.1', database: 'postgres://a.invalid,a.invalid/x'", "a.invalid" },
        { "url: 'http://127.0.0.1', address: 'a.invalid:1'", "a.invalid" },
        { "url: 'http://127.0.0.1', address: '127.0.0.1:1'", "" },
        { "url: 'http://127.0.0.1', address: '[::1]:1'", "" },
        { "url: 'http://a.invalid', address: 'b.invalid:1'", "a.invalid b.invalid" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conf *conf = with(cases[i].options);
        struct world world = { .conf = conf };
        char         names[1024];

        assert_problems(conf, "");
        world_check_names(&world);
        names_of(conf, names);
        if (strcmp(names, cases[i].names) != 0 || conf->problems.error_count)
            fail_msg("%s: %s", cases[i].options, names);
        conf_free(conf);
    }
}

static void credentials_are_found_where_others_can_read_them(void **state)
{
#define KEY ", api_key: '${KEY}'"
    static const char plain[] = "sends api_key over a plain connection, where anyone on the "
                                "network "
                                "can read it: use https://";
    static const char written[] = "holds a password written into this file; keep the URL elsewhere "
                                  "and write ${NAME} or ${file:/run/secrets/url}";
    static const struct {
        const char *options, *said; /* NULL: nothing */
    } cases[] = {
        { "url: 'http://192.0.2.1'" KEY, plain },
        { "url: 'http://192.0.2.1'", NULL },
        { "url: 'https://192.0.2.1'" KEY, NULL },
        { "url: 'http://127.0.0.1:80/x'" KEY, NULL },
        { "url: 'http://127.1.2.3'" KEY, NULL },
        { "url: 'http://localhost'" KEY, NULL },
        { "url: 'http://localhost:80?x'" KEY, NULL },
        { "url: 'http://[::1]:80'" KEY, NULL },
        { "url: 'http://[::2]:80'" KEY, plain },
        { "url: 'http://u@localhost/x'" KEY, NULL },
        { "url: 'http://u@192.0.2.1/@localhost'" KEY, plain },
        { "url: 'http://localhost.example'" KEY, plain },
        { "url: 'http://192.0.2.1?@127.0.0.1'" KEY, plain },
        { "url: 'http://192.0.2.127.'" KEY, plain },
        { "url: 'https://u:p@192.0.2.1'", written },
        { "url: 'https://u:p@x'", written },
        { "url: 'https://u:@x'", NULL },
        { "url: 'https://:p@x'", written },
        { "url: 'https://u@x:80'", NULL },
        { "url: 'https://x:80/a@b'", NULL },
        { "url: 'https://x/u:p@x'", NULL },
        { "url: 'https://u:p@x:${PORT}'", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conf               *conf = with(cases[i].options);
        struct world               world = { .conf = conf };
        const struct conf_problem *first;

        world_check_credentials(&world);
        first = conf->problems.first;
        if (cases[i].said ? !first || strcmp(first->text.data, cases[i].said) != 0 || first->next
                          : first != NULL)
            fail_msg("%s: %s", cases[i].options, first ? first->text.data : "nothing");
        if (first) {
            assert_bp_str(first->path, "llm.x.url");
            assert_true(first->is_warning);
            assert_int_equal(first->position.line, 1);
            assert_int_equal(first->position.column, 35);
        }
        conf_free(conf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_host_of_a_url_or_an_address_is_looked_up),
        cmocka_unit_test(credentials_are_found_where_others_can_read_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
