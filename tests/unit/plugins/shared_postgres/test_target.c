/* test_target.c - the servers that a connection URL names: each host with its port, and the
 * mistakes that are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backplane/testhost.h>

#include "postgres/postgres.h"

static testhost *host;

/* "HOST:PORT ..." of the URL's servers, or its mistake. */
static const char *servers_of(const char *url)
{
    static char             text[8192];
    bp_call                *call = testhost_call_new(host, BP_SECONDS(5));
    struct postgres_options options = { .url = bp_str_of(url) };
    struct postgres_target *target;

    text[0] = '\0';
    if (postgres_target_new(call, &options, "test", &target) != BP_OK) {
        snprintf(text, sizeof(text), BP_FMT, BP_ARG(bp_error_of(call)->message));
    } else {
        for (size_t i = 0; i < target->endpoint_count; i++)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s:%s", i ? " " : "",
                     target->endpoints[i].host, target->endpoints[i].port);
        postgres_target_free(target);
    }
    testhost_call_end(call);
    return text;
}

static void a_url_names_hosts_and_ports(void **state)
{
    static const struct {
        const char *url, *servers;
    } cases[] = {
        { "postgresql://u@a/d", "a:5432" },
        { "postgresql://u@a:1/d", "a:1" },
        { "postgresql://u@a:65535/d", "a:65535" },
        { "postgresql://u@a:1,b:2/d", "a:1 b:2" },
        { "postgresql:///d?host=a,b,c&port=7", "a:7 b:7 c:7" },
        { "postgresql:///d?host=a,b&port=7,", "a:7 b:5432" },
        { "postgresql:///d?host=a,,b", "a:5432 /var/run/postgresql:5432 b:5432" },
        { "postgresql:///d?host=a&hostaddr=127.0.0.1&port=0005432", "127.0.0.1:5432" },
        { "postgresql:///d?host=a&port=000005432", "a:5432" }, // as libpq reads it
        { "postgresql:///d?host=a&port=0", "url: the port of a is not a number from 1 to 65535" },
        { "postgresql:///d?host=a&port=65536",
          "url: the port of a is not a number from 1 to 65535" },
        { "postgresql:///d?host=a&port=6553500000",
          "url: the port of a is not a number from 1 to 65535" },
        { "postgresql:///d?host=a&port=9999999999999999999999",
          "url: the port of a is not a number from 1 to 65535" },
        { "postgresql:///d?host=a&port=-1", "url: the port of a is not a number from 1 to 65535" },
        { "postgresql:///d?host=a&port=1x", "url: the port of a is not a number from 1 to 65535" },
        { "postgresql:///d?host=a,b&port=1,x",
          "url: the port of b is not a number from 1 to 65535" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (strcmp(servers_of(cases[i].url), cases[i].servers) != 0)
            fail_msg("%s: %s", cases[i].url, servers_of(cases[i].url));
}

static void sixteen_hosts_are_the_most(void **state)
{
    char url[512] = "postgresql:///d?host=h", wanted[512] = "h:5432";

    (void)state;
    for (int i = 1; i < POSTGRES_ENDPOINTS_MAX; i++) {
        strcat(url, ",h");
        strcat(wanted, " h:5432");
    }
    assert_string_equal(servers_of(url), wanted);
    strcat(url, ",h");
    assert_string_equal(servers_of(url), "url: it names more than 16 hosts");
}

static void a_host_is_as_long_as_a_name_may_be(void **state)
{
    char url[512], wanted[512];

    (void)state;
    for (int len = 255; len <= 256; len++) {
        char name[257] = "";

        memset(name, 'h', (size_t)len);
        snprintf(url, sizeof(url), "postgresql:///d?host=a,%s", name);
        snprintf(wanted, sizeof(wanted),
                 len == 255 ? "a:5432 %s:5432" : "url: the host number 2 is longer than 255 bytes",
                 name);
        assert_string_equal(servers_of(url), wanted);
    }
}

static int open_host(void **state)
{
    (void)state;
    unsetenv("PGHOST");
    unsetenv("PGPORT");
    host = testhost_new();
    return host ? 0 : -1;
}

static int close_host(void **state)
{
    (void)state;
    testhost_free(host);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_names_hosts_and_ports),
        cmocka_unit_test(sixteen_hosts_are_the_most),
        cmocka_unit_test(a_host_is_as_long_as_a_name_may_be),
    };
    return cmocka_run_group_tests(tests, open_host, close_host);
}
