/* test_keys.c - API keys in a storage: made, listed, taken back, and what is good as one and for
 * how long what was said of it is believed. */
#include "api_rig.h"

#include "api/key_guard.h"
#include "api/keys.h"

#define STORED_IN &instances[STORAGE].peer

static const struct key_request wanted = { .name = BP_STR("for \"tests\""),
                                           .tenant = BP_STR("t1"),
                                           .scopes = BP_STR("a:read b:*") };

static struct key_guard *guard;
static struct key_cache *cache;

static int set_up(void **state)
{
    (void)state;
    rig_layer = NULL;
    rig_routes = NULL;
    rig_route_count = 0;
    rig_commands = NULL;
    rig_command_count = 0;
    api_rig_defaults();
    api_rig_start();
    guard = key_guard_new(0);
    cache = key_cache_new();
    return guard && cache ? 0 : -1;
}

static int tear_down(void **state)
{
    key_guard_free(guard);
    key_cache_free(cache);
    return api_rig_stop(state);
}

/* BP_OK with the principal, or the one sentence for all refusals. */
static void expect_key(bp_call *call, const char *text, bool is_good, int selects)
{
    bp_principal principal = { 0 };
    bp_status    status = keys_authenticate(call, STORED_IN, cache, guard, bp_str_of(text),
                                            &principal);

    assert_int_equal(status, is_good ? BP_OK : BP_UNAUTHENTICATED);
    assert_int_equal(stored.selects, selects);
    if (!is_good) {
        assert_true(
            bp_str_is(call->error.message, "the API key is missing, wrong, expired or revoked"));
        assert_false(principal.is_authenticated);
        return;
    }
    assert_int_equal(principal.struct_size, sizeof(principal));
    assert_true(principal.is_authenticated);
    assert_memory_equal(principal.id.data, text + 3, KEY_ID_CHARS);
    assert_int_equal(principal.id.len, KEY_ID_CHARS);
    assert_true(bp_str_is(principal.tenant, "t1"));
    assert_true(bp_str_is(principal.scopes, "a:read b:*"));
}

static void make(bp_call *call, void *arg)
{
    char    text[KEY_TEXT_BYTES], other[KEY_TEXT_BYTES];
    int64_t before = clock_wall_ns();

    (void)arg;
    assert_int_equal(keys_create(call, STORED_IN, &wanted, text), BP_OK);
    assert_int_equal(keys_create(call, STORED_IN, &wanted, other), BP_OK);
    assert_int_equal(strlen(text), KEY_TEXT_BYTES - 1);
    assert_memory_equal(text, "bp_", 3);
    assert_int_equal(text[19], '_');
    assert_int_equal(strspn(text + 3, "0123456789abcdef"), 16);
    assert_int_equal(strspn(text + 20, "0123456789abcdef"), 64);
    assert_string_not_equal(text, other);
    assert_int_equal(stored.count, 2);
    assert_memory_equal(stored.texts[0][0], text + 3, 16);
    assert_int_equal(strlen(stored.texts[0][1]), KEY_HASH_CHARS);
    assert_null(strstr(stored.texts[0][1], text + 20)); // the secret itself is not there
    assert_string_equal(stored.texts[0][2], "for \"tests\"");
    assert_in_range(stored.values[0][5].integer, before, clock_wall_ns());
    assert_int_equal(stored.values[0][6].integer, 0);
}

static void a_key_is_made_of_an_id_and_a_secret(void **state)
{
    (void)state;
    on_worker(make, NULL);
}

static void use(bp_call *call, void *arg)
{
    char text[KEY_TEXT_BYTES], wrong[KEY_TEXT_BYTES];

    (void)arg;
    assert_int_equal(keys_create(call, STORED_IN, &wanted, text), BP_OK);
    assert_false(keys_are_known(cache, bp_str_of(text)));
    expect_key(call, text, true, 1);
    assert_true(keys_are_known(cache, bp_str_of(text)));
    expect_key(call, text, true, 1); // known
    strcpy(wrong, text);
    wrong[KEY_TEXT_BYTES - 2] = wrong[KEY_TEXT_BYTES - 2] == '0' ? '1' : '0';
    expect_key(call, wrong, false, 1);
    assert_true(keys_are_known(cache, bp_str_of(wrong)));
    strcpy(wrong, text);
    wrong[18] = wrong[18] == '0' ? '1' : '0'; // another id, whose place is the same
    expect_key(call, wrong, false, 2);
    expect_key(call, wrong, false, 2); // that there is none is known as well
    assert_false(keys_are_known(cache, bp_str_of(wrong)));
    expect_key(call, text, true, 2);
}

static void a_key_is_looked_up_once(void **state)
{
    (void)state;
    on_worker(use, NULL);
}

static void misspell(bp_call *call, void *arg)
{
    static const size_t places[] = { 0, 1, 2, 3, 18, 19, 20, KEY_TEXT_BYTES - 2 };
    char                text[KEY_TEXT_BYTES + 1], wrong[KEY_TEXT_BYTES + 1];

    (void)arg;
    assert_int_equal(keys_create(call, STORED_IN, &wanted, text), BP_OK);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        strcpy(wrong, text);
        wrong[places[i]] = 'x';
        expect_key(call, wrong, false, 0);
        assert_true(keys_are_known(cache, bp_str_of(wrong))); // that it is none
    }
    strcpy(wrong, text);
    strcat(wrong, "0");
    expect_key(call, wrong, false, 0);
    wrong[KEY_TEXT_BYTES - 2] = '\0';
    expect_key(call, wrong, false, 0);
    expect_key(call, "", false, 0);
    expect_key(call, text, true, 1);
}

static void what_is_no_key_asks_no_storage(void **state)
{
    (void)state;
    on_worker(misspell, NULL);
}

static void expire(bp_call *call, void *arg)
{
    struct key_request request = wanted;
    char               text[KEY_TEXT_BYTES];

    (void)arg;
    request.ttl_ns = 1;
    assert_int_equal(keys_create(call, STORED_IN, &request, text), BP_OK);
    assert_int_equal(stored.values[0][6].integer, stored.values[0][5].integer + 1);
    expect_key(call, text, false, 1);
    request.ttl_ns = BP_SECONDS(3600);
    assert_int_equal(keys_create(call, STORED_IN, &request, text), BP_OK);
    assert_int_equal(stored.values[1][6].integer - stored.values[1][5].integer, BP_SECONDS(3600));
    expect_key(call, text, true, 2);
}

static void a_key_is_good_until_it_expires(void **state)
{
    (void)state;
    on_worker(expire, NULL);
}

static void take_back(bp_call *call, void *arg)
{
    char   text[KEY_TEXT_BYTES];
    bp_str id;

    (void)arg;
    assert_int_equal(keys_create(call, STORED_IN, &wanted, text), BP_OK);
    id = bp_str_n(text + 3, KEY_ID_CHARS);
    assert_int_equal(keys_revoke(call, STORED_IN, BP_STR("0123456789abcdef")), BP_NOT_FOUND);
    assert_true(bp_str_is(call->error.message,
                          "there is no key \"0123456789abcdef\" that could be revoked"));
    assert_int_equal(keys_revoke(call, STORED_IN, id), BP_OK);
    assert_int_equal(keys_revoke(call, STORED_IN, id), BP_NOT_FOUND);
    expect_key(call, text, false, stored.selects + 1);
}

static void a_key_is_revoked_once(void **state)
{
    (void)state;
    on_worker(take_back, NULL);
}

static void list(bp_call *call, void *arg)
{
    struct key_request request = wanted;
    char               text[KEY_TEXT_BYTES], *seen, wanted_list[1024];
    struct bp_buf      buf;
    bp_json_writer     w;

    (void)arg;
    buf_init(&buf, call->arena, 1 << 16);
    json_writer_init(&w, &buf);
    assert_int_equal(keys_list(call, STORED_IN, &w), BP_OK);
    assert_string_equal(buf_str(&buf).data, "[]");
    assert_int_equal(keys_create(call, STORED_IN, &wanted, text), BP_OK);
    request.ttl_ns = BP_SECONDS(60);
    assert_int_equal(keys_create(call, STORED_IN, &request, text), BP_OK);
    assert_int_equal(keys_revoke(call, STORED_IN, bp_str_n(text + 3, KEY_ID_CHARS)), BP_OK);
    buf_reset(&buf);
    json_writer_init(&w, &buf);
    assert_int_equal(keys_list(call, STORED_IN, &w), BP_OK);
    seen = strdup(buf_str(&buf).data);
    swap(seen, '"', '\'');
    seen = hide_ids(seen);
    snprintf(wanted_list, sizeof(wanted_list),
             "[{'id':'%s','name':'for \\'tests\\'','tenant':'t1','scopes':'a:read b:*',"
             "'created_at':'TIME','expires_at':null,'revoked_at':null},"
             "{'id':'%s','name':'for \\'tests\\'','tenant':'t1','scopes':'a:read b:*',"
             "'created_at':'TIME','expires_at':'TIME','revoked_at':'TIME'}]",
             stored.texts[0][0], stored.texts[1][0]);
    assert_string_equal(seen, wanted_list);
    free(seen);
}

static void keys_are_listed_without_their_secrets(void **state)
{
    (void)state;
    on_worker(list, NULL);
}

static void exceed(bp_call *call, void *arg)
{
    static const struct {
        size_t tenant, scopes;
        bool   is_good;
    } cases[] = {
        { 0, 1, false },   { 1, 0, false },  { 1, 1, true },    { 127, 1, true },
        { 128, 1, false }, { 1, 511, true }, { 1, 512, false },
    };
    char many[512], text[KEY_TEXT_BYTES];

    (void)arg;
    memset(many, 'm', sizeof(many));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct key_request request = { .name = BP_STR("n"),
                                       .tenant = bp_str_n(many, cases[i].tenant),
                                       .scopes = bp_str_n(many, cases[i].scopes) };

        assert_int_equal(keys_create(call, STORED_IN, &request, text),
                         cases[i].is_good ? BP_OK : BP_INVALID);
        if (!cases[i].is_good)
            assert_true(bp_str_is(call->error.message, "a key needs a tenant of 1 to 127 bytes and "
                                                       "scopes of 1 to 511 bytes"));
    }
}

static void a_tenant_and_scopes_have_bounds(void **state)
{
    (void)state;
    on_worker(exceed, NULL);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_key_is_made_of_an_id_and_a_secret),
        CASE(a_key_is_looked_up_once),
        CASE(what_is_no_key_asks_no_storage),
        CASE(a_key_is_good_until_it_expires),
        CASE(a_key_is_revoked_once),
        CASE(keys_are_listed_without_their_secrets),
        CASE(a_tenant_and_scopes_have_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
