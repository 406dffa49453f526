/* test_tokens.c - requests with tokens of an issuer: where its keys are looked for, how often it is
 * asked, and what clients are told. */
#include "token_rig.h"

#define CHALLENGE                                                                                  \
    "WWW-Authenticate: Bearer realm=\"backplane\", "                                               \
    "resource_metadata=\"https://mcp.example.org/.well-known/oauth-protected-resource/mcp\""

static void a_token_says_who_it_is_and_what_it_may(void **state)
{
    (void)state;
    make_headers();
    api_rig_start();

    const struct expected requests[] = {
        { "GET", "/any", good, 200, { "id=alice tenant=t1" }, NULL },
        { "GET", "/guarded", good, 200, { "id=alice" }, NULL },
        { "GET", "/open", good, 200, { "id=alice" }, NULL },
        { "GET", "/open", wrong, 200, { "id= tenant=default" }, NULL },
        { "GET",
          "/scoped",
          good,
          403,
          { CHALLENGE ", error=\"insufficient_scope\", scope=\"app:read\"\r\n",
            "the credentials of alice lacks the scope" },
          NULL },
        { "GET",
          "/any",
          NULL,
          401,
          { CHALLENGE "\r\n", "a token of the issuer https://login" },
          NULL },
        { "GET", "/any", wrong, 401, { CHALLENGE ", error=\"invalid_token\"\r\n" }, NULL },
        { "GET", "/scoped", NULL, 401, { CHALLENGE ", scope=\"app:read\"\r\n" }, NULL },
        { "GET", "/any", unknown, 401, { "invalid_token" }, NULL },
        { "GET", "/health", good, 503, { "\"status\":\"unhealthy\"" }, NULL },
    };
    EXPECT_EACH(requests);
    assert_int_equal(at_issuer.asked, 1); // it was asked a moment ago
}

/* Nothing that probes send makes the server ask the issuer. */
static void health_waits_for_no_issuer(void **state)
{
    (void)state;
    make_headers();
    api_rig_start();

    const struct expected health = { "GET", "/health", good, 503, { "unhealthy" }, NULL };

    expect(&health);
    assert_int_equal(at_issuer.asked, 0);
}

static void an_issuer_that_fails_is_asked_again_later(void **state)
{
    int64_t began_ns = clock_now_ns();

    (void)state;
    make_headers();
    at_issuer.status = 500;
    api_rig_start();

    const struct expected requests[] = {
        { "GET",
          "/any",
          good,
          401,
          { "cannot be checked at the moment", "Retry-After: 3\r\n" },
          NULL },
        { "GET", "/any", good, 401, { "cannot be checked at the moment" }, NULL },
        { "GET", "/open", good, 200, { "id= " }, NULL },
    };
    EXPECT_EACH(requests);
    if (clock_now_ns() - began_ns < BP_MILLISECONDS(1900))
        assert_int_equal(at_issuer.asked, 1);
    expect_logged("cannot be had: http://127.0.0.1:");
    expect_logged("/keys answered 500");
}

static void who_sends_wrong_tokens_is_not_listened_to(void **state)
{
    static char other[2048];

    (void)state;
    make_headers();
    snprintf(other, sizeof(other), "Authorization: Bearer %s\r\n", example_eddsa);
    conf.server.auth.wrong_keys_per_minute = 1;
    api_rig_start();

    const struct expected requests[] = {
        { "GET", "/any", good, 200, { NULL }, NULL },
        { "GET", "/any", wrong, 401, { NULL }, NULL },
        { "GET", "/any", other, 429, { "too many wrong tokens", "Retry-After: " }, NULL },
        { "GET", "/any", good, 200, { NULL }, NULL }, // it was good a moment ago
    };
    EXPECT_EACH(requests);
}

static void a_key_and_a_token_are_told_apart(void **state)
{
    static const struct expected key = {
        "GET",
        "/any",
        "Authorization: Bearer "
        "bp_0123456789abcdef_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n",
        401,
        { "the API key is missing, wrong, expired or revoked" },
        NULL
    };

    (void)state;
    make_headers();
    conf.server.auth.mode = AUTH_BOTH;
    api_rig_start();

    const struct expected token = { "GET", "/any", good, 200, { "id=alice" }, NULL };

    expect(&key);
    assert_int_equal(stored.selects, 1);
    assert_int_equal(at_issuer.asked, 0);
    expect(&token);
    assert_int_equal(stored.selects, 1);
}

/* ---- where the keys are ---- */

static char issuer_url[64];

static void keys_are_looked_for_where_the_issuer_says(void **state)
{
    static const struct {
        const char *path, *found_at; /* of the issuer; of its metadata */
        const char *looked;          /* all places */
    } places[] = {
        { "", "/.well-known/oauth-authorization-server",
          "/.well-known/oauth-authorization-server " },
        { "", "/.well-known/openid-configuration",
          "/.well-known/oauth-authorization-server /.well-known/openid-configuration " },
        { "/realm", "/.well-known/openid-configuration/realm",
          "/.well-known/oauth-authorization-server/realm "
          "/.well-known/openid-configuration/realm " },
        { "/realm/", "/realm/.well-known/openid-configuration",
          "/.well-known/oauth-authorization-server/realm /.well-known/openid-configuration/realm "
          "/realm/.well-known/openid-configuration " },
    };

    make_headers();
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (i > 0)
            defaults(state);
        snprintf(issuer_url, sizeof(issuer_url), "http://127.0.0.1:%u%s", issuer.port,
                 places[i].path);
        snprintf(at_issuer.metadata, sizeof(at_issuer.metadata),
                 "{\"issuer\":\"%s\",\"jwks_uri\":\"%s\"}", issuer_url, keys_url);
        at_issuer.found_at = places[i].found_at;
        conf.server.auth.issuer = bp_str_of(issuer_url);
        conf.server.auth.keys_url = BP_STR("");
        api_rig_start();

        const struct expected request = {
            "GET", "/any", good, 401, { "issuer" }, "cannot be checked"
        }; // it is another's token

        expect(&request);
        assert_string_equal(at_issuer.paths, places[i].looked);
        assert_int_equal(at_issuer.asked, 1);
        if (i + 1 < sizeof(places) / sizeof(places[0]))
            tear_down(state);
    }
}

static void metadata_that_is_not_the_issuers_own_is_not_believed(void **state)
{
    static const struct {
        const char *metadata; /* with a %s for the issuer; NULL: none is found */
        const char *logged;
    } documents[] = {
        { NULL, "answered 404" },
        { "no json", "its metadata is not JSON" },
        { "{\"issuer\":\"%sx\",\"jwks_uri\":\"http://127.0.0.1/\"}", "that it is another issuer" },
        { "{\"issuer\":\"%s\"}", "its metadata names no jwks_uri" },
    };

    make_headers();
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        if (i > 0)
            defaults(state);
        snprintf(issuer_url, sizeof(issuer_url), "http://127.0.0.1:%u", issuer.port);
        if (documents[i].metadata) {
            snprintf(at_issuer.metadata, sizeof(at_issuer.metadata), documents[i].metadata,
                     issuer_url);
            at_issuer.found_at = "/.well-known/oauth-authorization-server";
        }
        conf.server.auth.issuer = bp_str_of(issuer_url);
        conf.server.auth.keys_url = BP_STR("");
        api_rig_start();

        const struct expected request = { "GET", "/any", good, 401, { "cannot be checked" }, NULL };

        expect(&request);
        expect_logged(documents[i].logged);
        if (!documents[i].metadata)
            assert_string_equal(at_issuer.paths, "/.well-known/oauth-authorization-server "
                                                 "/.well-known/openid-configuration "
                                                 "/.well-known/openid-configuration ");
        assert_int_equal(at_issuer.asked, 0);
        if (i + 1 < sizeof(documents) / sizeof(documents[0]))
            tear_down(state);
    }
}

/* ---- resources ---- */

static void each_resource_has_its_metadata(void **state)
{
    static const struct expected requests[] = {
        { "GET",
          "/.well-known/oauth-protected-resource",
          NULL,
          200,
          { "{\"resource\":\"https://mcp.example.org/mcp\",\"authorization_servers\":[\"https://"
            "login.example.org\"],\"scopes_supported\":[\"host:read\",\"guarded:read\",\"app:"
            "read\",\"more:read\",\"more:write\"],\"bearer_methods_supported\":[\"header\"]",
            "Access-Control-Allow-Origin: *", "\"resource_name\":\"Backplane\"}" },
          NULL },
        { "GET",
          "/.well-known/oauth-protected-resource/mcp",
          NULL,
          200,
          { "\"resource\":\"https://mcp.example.org/mcp\"" },
          NULL },
        { "GET",
          "/.well-known/oauth-protected-resource/other",
          NULL,
          200,
          { "\"resource\":\"https://mcp.example.org/other\"" },
          NULL },
        { "GET",
          "/.well-known/oauth-protected-resource/mcp/work",
          NULL,
          200,
          { "\"resource\":\"https://mcp.example.org/mcp/work\"" },
          NULL },
        { "GET",
          "/.well-known/oauth-protected-resource/third",
          NULL,
          404,
          { "no resource of its own at /third" },
          NULL }, // behind another name
        { "GET", "/.well-known/oauth-protected-resource/mcp/a/b", NULL, 404, { NULL }, NULL },
        { "GET", "/.well-known/oauth-protected-resource/nothing", NULL, 404, { NULL }, NULL },
    };

    (void)state;
    api_rig_start();
    EXPECT_EACH(requests);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STARTS(a_token_says_who_it_is_and_what_it_may),
        STARTS(health_waits_for_no_issuer),
        STARTS(an_issuer_that_fails_is_asked_again_later),
        STARTS(who_sends_wrong_tokens_is_not_listened_to),
        STARTS(a_key_and_a_token_are_told_apart),
        STARTS(keys_are_looked_for_where_the_issuer_says),
        STARTS(metadata_that_is_not_the_issuers_own_is_not_believed),
        STARTS(each_resource_has_its_metadata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
