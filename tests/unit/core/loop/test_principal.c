/* test_principal.c - the digest of who asks: the same for the same, and another for each other one,
 * whoever was asked about before. The file is compiled in, to count what it hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/crypto.h"

static int hashes;

static void counted_sha256(bp_str bytes, uint8_t digest[32])
{
    hashes++;
    crypto_sha256(bytes, digest);
}

#define crypto_sha256 counted_sha256
#include "loop/principal.c"
#undef crypto_sha256

static char a_96[97], b_96[97];

static const struct {
    const char *id, *tenant;
    size_t      id_len, tenant_len;
} many[] = {
    { "", "", 0, 0 },      { "a", "", 1, 0 },    { "", "a", 0, 1 },    { "a", "bb", 1, 2 },
    { "a", "\0\0", 1, 2 }, { "a", "bc", 1, 2 },  { "ab", "b", 2, 1 },  { "\0", "bb", 1, 2 },
    { a_96, "t", 95, 1 },  { a_96, "t", 96, 1 }, { a_96, "t", 97, 1 }, { b_96, "t", 96, 1 },
    { "a", a_96, 1, 95 },  { "a", a_96, 1, 96 }, { "a", a_96, 1, 97 }, { "a", b_96, 1, 97 },
};
enum { MANY = sizeof(many) / sizeof(many[0]) };

static void digest_of(size_t i, uint8_t digest[PRINCIPAL_DIGEST_BYTES])
{
    bp_principal principal = { .struct_size = sizeof(principal),
                               .id = bp_str_n(many[i].id, many[i].id_len),
                               .tenant = bp_str_n(many[i].tenant, many[i].tenant_len) };

    principal_digest(&principal, digest);
}

static void each_principal_has_a_digest_of_its_own(void **state)
{
    uint8_t one[PRINCIPAL_DIGEST_BYTES], two[PRINCIPAL_DIGEST_BYTES], again[PRINCIPAL_DIGEST_BYTES];

    (void)state;
    memset(a_96, 'x', sizeof(a_96));
    memset(b_96, 'x', sizeof(b_96));
    b_96[95] = 'y';
    for (size_t i = 0; i < MANY; i++)
        for (size_t j = 0; j < MANY; j++) {
            digest_of(i, one);
            digest_of(j, two);
            digest_of(i, again);
            assert_memory_equal(one, again, sizeof(one));
            if (i == j)
                assert_memory_equal(one, two, sizeof(one));
            else
                assert_memory_not_equal(one, two, sizeof(one));
        }
}

/* Of up to 96 bytes in each name; longer ones are hashed each time. */
static void a_digest_is_made_once(void **state)
{
    uint8_t digest[PRINCIPAL_DIGEST_BYTES];

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        bool is_long = many[i].id_len > 96 || many[i].tenant_len > 96;

        digest_of(i, digest);
        hashes = 0;
        digest_of(i, digest);
        if (hashes != (is_long ? 3 : 0))
            fail_msg("principal %zu: %d hashes", i, hashes);
    }
}

/* With a part of its texts it would be somebody else: an empty tenant, or fewer scopes. */
static void a_copy_is_whole_or_none(void **state)
{
    const bp_principal from = { .struct_size = sizeof(from),
                                .is_authenticated = true,
                                .id = BP_STR("an id that is long enough"),
                                .tenant = BP_STR("a tenant that is long enough"),
                                .scopes = BP_STR("retrieval:read retrieval:write") };
    bool               is_copied = false;
    size_t             room;

    (void)state;
    for (room = 0; !is_copied && room < 1 << 16; room += 8) {
        bp_principal to = { .id = BP_STR("as it was") };
        struct arena arena;

        arena_init(&arena, room);
        is_copied = principal_copy(&arena, &from, &to);
        assert_int_equal(to.is_authenticated, is_copied);
        assert_true(bp_str_equal(to.id, is_copied ? from.id : BP_STR("as it was")));
        assert_true(bp_str_equal(to.tenant, is_copied ? from.tenant : (bp_str){ NULL, 0 }));
        assert_true(bp_str_equal(to.scopes, is_copied ? from.scopes : (bp_str){ NULL, 0 }));
        arena_free(&arena);
    }
    assert_true(is_copied && room > from.id.len + from.tenant.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_principal_has_a_digest_of_its_own),
        cmocka_unit_test(a_digest_is_made_once),
        cmocka_unit_test(a_copy_is_whole_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
