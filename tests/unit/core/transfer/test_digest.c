/* test_digest.c - the checksum of a move: no order, every byte, every count. */
#include "core/transfer/transfer_rig.h"

static struct transfer_digest digest_of(const char *const *things, size_t count)
{
    struct transfer_digest digest = { .count = 0 };

    for (size_t i = 0; i < count; i++)
        transfer_digest_add(&digest, bp_str_of(things[i]));
    return digest;
}

static void order_does_not_matter(void **state)
{
    struct transfer_digest one = digest_of((const char *const[]){ "a", "b", "c" }, 3),
                           other = digest_of((const char *const[]){ "c", "a", "b" }, 3);

    (void)state;
    assert_true(transfer_digest_equal(&one, &other));
}

static void one_byte_changed_is_seen(void **state)
{
    struct transfer_digest one = digest_of((const char *const[]){ "passage", "b" }, 2),
                           other = digest_of((const char *const[]){ "passagf", "b" }, 2);

    (void)state;
    assert_false(transfer_digest_equal(&one, &other));
}

static void bytes_that_went_to_a_neighbour_are_seen(void **state)
{
    struct transfer_digest one = digest_of((const char *const[]){ "ab", "c" }, 2),
                           other = digest_of((const char *const[]){ "a", "bc" }, 2);

    (void)state;
    assert_false(transfer_digest_equal(&one, &other));
}

static void two_of_one_are_not_one(void **state)
{
    struct transfer_digest one = digest_of((const char *const[]){ "a" }, 1),
                           two = digest_of((const char *const[]){ "a", "a" }, 2);

    (void)state;
    assert_false(transfer_digest_equal(&one, &two));
}

static void counts_differ_though_sums_do_not(void **state)
{
    struct transfer_digest none = { .count = 0 }, one = { .count = 1 };

    (void)state;
    assert_false(transfer_digest_equal(&none, &one));
}

static void the_text_is_the_hash_in_hex(void **state)
{
    struct transfer_digest digest = digest_of((const char *const[]){ "abc" }, 1);
    char                   text[TRANSFER_DIGEST_CHARS + 1];

    (void)state;
    transfer_digest_text(&digest, text); // of one thing: its SHA-256
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(one_byte_changed_is_seen),
        cmocka_unit_test(bytes_that_went_to_a_neighbour_are_seen),
        cmocka_unit_test(two_of_one_are_not_one),
        cmocka_unit_test(counts_differ_though_sums_do_not),
        cmocka_unit_test(the_text_is_the_hash_in_hex),
    };
    return cmocka_run_group_tests(tests, rig_set_up, rig_tear_down);
}
