/* test_router.c - which route a method and a path lead to, and which tables are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/keys.h"
#include "api/proxy.h"
#include "api/router.h"

static bp_status handle(bp_call *call, void *instance, bp_request *request, bp_response *response)
{
    (void)call, (void)instance, (void)request, (void)response;
    return BP_OK;
}

#define ROUTE(m, p)                                                                                \
    {                                                                                              \
        .method = m, .path = p, .handler = handle                                                  \
    }

static const bp_route routes[] = {
    ROUTE("GET", "/"),
    ROUTE("GET", "/a/{name}"),
    ROUTE("POST", "/a/{name}"),
    ROUTE("GET", "/a/fixed"),
    ROUTE("GET", "/a/{name}/documents/{id...}"),
    ROUTE("DELETE", "/a/{name}/documents/{id...}"),
};

static const char *found(struct router *router, const char *method, const char *path,
                         struct route_match *match)
{
    char          allowed[64];
    struct route *route = router_find(router, bp_str_of(method), bp_str_of(path), match, allowed);

    return route ? route->op.name : "";
}

static void fixed_segments_win_and_values_are_taken(void **state)
{
    struct router     *router = router_new();
    struct route_match match;
    struct reason      why;
    char               allowed[64];
    (void)state;
    assert_true(router_add(router, routes, sizeof(bp_route), 6, NULL, NULL, &why));
    assert_string_equal(found(router, "GET", "/", &match), "GET /");
    assert_string_equal(found(router, "HEAD", "/a/fixed", &match), "GET /a/fixed");
    assert_string_equal(found(router, "POST", "/a/fixed", &match), ""); // the fixed one has no POST
    assert_string_equal(found(router, "POST", "/a/other", &match), "POST /a/{name}");
    assert_true(bp_str_is(match.values[0].value, "other"));
    assert_string_equal(found(router, "GET", "/a/x/documents/docs/a.md", &match),
                        "GET /a/{name}/documents/{id...}");
    assert_int_equal(match.value_count, 2);
    assert_true(bp_str_is(match.values[1].name, "id"));
    assert_true(bp_str_is(match.values[1].value, "docs/a.md"));
    assert_string_equal(found(router, "GET", "/a/fixed/documents/1", &match),
                        "GET /a/{name}/documents/{id...}");
    assert_string_equal(found(router, "GET", "/a", &match), "");
    assert_string_equal(found(router, "GET", "/a/x/", &match), "");
    assert_null(router_find(router, BP_STR("PUT"), BP_STR("/a/x"), &match, allowed));
    assert_string_equal(allowed, "HEAD, GET, POST");
    assert_null(router_find(router, BP_STR("GET"), BP_STR("/nope"), &match, allowed));
    assert_string_equal(allowed, "");
    router_free(router);
    metrics_clear();
}

static void bad_tables_are_refused_with_a_sentence(void **state)
{
    static const bp_route bad[] = { ROUTE("get", "/x"),
                                    ROUTE("GET", "x"),
                                    ROUTE("GET", "/{a...}/b"),
                                    ROUTE("GET", "/a{b}"),
                                    { .method = "GET", .path = "/x" } };
    struct reason         why;
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct router *router = router_new();
        why.text[0] = 0;
        assert_false(router_add(router, &bad[i], sizeof(bp_route), 1, NULL, NULL, &why));
        assert_true(strlen(why.text) > 20);
        router_free(router);
    }
    struct router *router = router_new();
    assert_true(router_add(router, routes, sizeof(bp_route), 6, NULL, NULL, &why));
    assert_false(router_add(router, routes + 1, sizeof(bp_route), 1, NULL, NULL, &why));
    assert_string_equal(why.text, "GET /a/{name} of the host is taken already by the host");
    router_free(router);
    metrics_clear();
}

static void two_apps_may_have_one_route_and_the_host_keeps_its_own(void **state)
{
    static const bp_route search[] = { ROUTE("POST", "/search") };
    struct conf_instance  names[2] = { { .kind = "app", .name = BP_STR("git") },
                                       { .kind = "app", .name = BP_STR("memory") } };
    struct unit           units[2] = { { .conf = &names[0] }, { .conf = &names[1] } };
    struct router        *router = router_new();
    struct route_match    match;
    struct reason         why;
    char                  allowed[64];
    struct route         *route;
    (void)state;
    assert_true(router_add(router, search, sizeof(bp_route), 1, &units[0], NULL, &why));
    assert_true(router_add(router, search, sizeof(bp_route), 1, &units[1], NULL, &why));
    route = router_find(router, BP_STR("POST"), BP_STR("/search"), &match, allowed);
    assert_ptr_equal(route->unit, &units[0]);
    assert_ptr_equal(route->next_same->unit, &units[1]);
    assert_null(route->next_same->next_same);
    assert_false(router_add(router, search, sizeof(bp_route), 1, &units[1], NULL, &why));
    assert_false(router_add(router, search, sizeof(bp_route), 1, NULL, NULL, &why));
    router_free(router);
    metrics_clear();
}

static void a_value_is_a_value_whatever_its_name(void **state)
{
    static const bp_route one[] = { ROUTE("GET", "/x/{a}/y") },
                          two[] = { ROUTE("GET", "/x/{b}/y") };
    struct conf_instance names[2] = { { .kind = "app", .name = BP_STR("one") },
                                      { .kind = "app", .name = BP_STR("two") } };
    struct unit          units[2] = { { .conf = &names[0] }, { .conf = &names[1] } };
    struct router       *router = router_new();
    struct route_match   match;
    struct reason        why;
    char                 allowed[64];
    struct route        *route;
    (void)state;
    assert_true(router_is_same_path(BP_STR("/x/{a}/y"), BP_STR("/x/{b}/y")));
    assert_true(router_is_same_path(BP_STR("/"), BP_STR("/")));
    assert_false(router_is_same_path(BP_STR("/x/{a}"), BP_STR("/x/{a...}")));
    assert_false(router_is_same_path(BP_STR("/x/a"), BP_STR("/x/{a}")));
    assert_false(router_is_same_path(BP_STR("/x"), BP_STR("/x/y")));
    assert_true(router_add(router, one, sizeof(bp_route), 1, &units[0], NULL, &why));
    assert_false(router_add(router, two, sizeof(bp_route), 1, &units[0], NULL, &why));
    assert_true(router_add(router, two, sizeof(bp_route), 1, &units[1], NULL, &why));
    route = router_find(router, BP_STR("GET"), BP_STR("/x/1/y"), &match, allowed);
    assert_ptr_equal(route->next_same->unit, &units[1]);
    assert_true(bp_str_is(match.values[0].name, "a"));
    router_choose(&match, route->next_same);
    assert_true(bp_str_is(match.values[0].name, "b"));
    assert_true(bp_str_is(match.values[0].value, "1"));
    router_free(router);
    metrics_clear();
}

static void scopes_allow_by_name_by_group_and_all(void **state)
{
    bp_principal p = { .scopes = BP_STR("retrieval:read host:*") };
    (void)state;
    assert_true(keys_allow(&p, "retrieval:read"));
    assert_false(keys_allow(&p, "retrieval:write"));
    assert_false(keys_allow(&p, "retrieval:rea"));
    assert_true(keys_allow(&p, "host:read"));
    p.scopes = BP_STR("*");
    assert_true(keys_allow(&p, "retrieval:write"));
    p.scopes = BP_STR("");
    assert_false(keys_allow(&p, "host:read"));
}

static void addresses_are_in_their_blocks_and_in_no_other(void **state)
{
    (void)state;
    assert_true(proxy_is_in_block(BP_STR("10.1.2.3"), BP_STR("10.0.0.0/8")));
    assert_false(proxy_is_in_block(BP_STR("11.1.2.3"), BP_STR("10.0.0.0/8")));
    assert_true(proxy_is_in_block(BP_STR("192.0.2.129"), BP_STR("192.0.2.128/25")));
    assert_false(proxy_is_in_block(BP_STR("192.0.2.127"), BP_STR("192.0.2.128/25")));
    assert_true(proxy_is_in_block(BP_STR("::ffff:10.0.0.1"), BP_STR("10.0.0.1")));
    assert_true(proxy_is_in_block(BP_STR("2001:db8::5"), BP_STR("2001:db8::/32")));
    assert_false(proxy_is_in_block(BP_STR("10.0.0.1"), BP_STR("2001:db8::/32")));
    assert_false(proxy_is_in_block(BP_STR("10.0.0.1"), BP_STR("10.0.0.0/99")));
    assert_true(proxy_is_in_block(BP_STR("unix"), BP_STR("unix")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_segments_win_and_values_are_taken),
        cmocka_unit_test(bad_tables_are_refused_with_a_sentence),
        cmocka_unit_test(two_apps_may_have_one_route_and_the_host_keeps_its_own),
        cmocka_unit_test(a_value_is_a_value_whatever_its_name),
        cmocka_unit_test(scopes_allow_by_name_by_group_and_all),
        cmocka_unit_test(addresses_are_in_their_blocks_and_in_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
