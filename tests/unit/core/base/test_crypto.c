/* test_crypto.c - digests of known texts, hexadecimal both ways, and the pool of random bytes. The
 * file under test is compiled in, with a kernel of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crypto.h"

static int     asks;           /* of the kernel */
static size_t  most = 1 << 20; /* that it gives at once */
static int     fails_with;     /* once */
static bool    gives_nothing;
static uint8_t next_byte;

static ssize_t kernel_random(void *bytes, size_t count, unsigned flags)
{
    asks++;
    assert_int_equal(flags, 0);
    if (fails_with) {
        errno = fails_with;
        fails_with = 0;
        return -1;
    }
    if (gives_nothing)
        return 0;
    if (count > most)
        count = most;
    for (size_t i = 0; i < count; i++)
        ((uint8_t *)bytes)[i] = ++next_byte;
    return (ssize_t)count;
}

#define getrandom kernel_random
#include "base/crypto.c"

static void digests_are_those_of_the_standards(void **state)
{
    uint8_t digest[32];
    char    text[65];

    (void)state;
    crypto_sha256(BP_STR("abc"), digest); // FIPS 180-2, B.1
    crypto_hex(digest, 32, text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypto_sha256((bp_str){ NULL, 0 }, digest);
    crypto_hex(digest, 32, text);
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    crypto_hmac_sha256(BP_STR("Jefe"), BP_STR("what do ya want for nothing?"), digest);
    crypto_hex(digest, 32, text); // RFC 4231, 4.3
    assert_string_equal(text, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    crypto_hmac_sha256((bp_str){ NULL, 0 }, BP_STR(""), digest);
    crypto_hex(digest, 32, text);
    assert_string_equal(text, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void bytes_are_compared_whole(void **state)
{
    (void)state;
    assert_true(crypto_equal("abc", "abc", 3));
    assert_false(crypto_equal("abc", "abd", 3));
    assert_true(crypto_equal("abc", "abd", 2));
    assert_true(crypto_equal("a", "b", 0));
}

static void hexadecimal_goes_there_and_back(void **state)
{
    static const char *const bad[] = { "0",  "000", "0g", "g0", "0/", "/0", "0:", ":0",
                                       "0@", "@0",  "0G", "G0", "0`", "`0", "0 ", "" };
    uint8_t                  byte;
    char                     text[3];

    (void)state;
    for (int value = 0; value < 256; value++) {
        byte = (uint8_t)value;
        crypto_hex(&byte, 1, text);
        assert_int_equal(strtol(text, NULL, 16), value);
        assert_int_equal(strlen(text), 2);
        byte = (uint8_t)~value;
        assert_true(crypto_unhex(bp_str_of(text), &byte, 1));
        assert_int_equal(byte, value);
        for (int i = 0; i < 2; i++)
            text[i] = (char)(text[i] >= 'a' ? text[i] - 32 : text[i]);
        byte = (uint8_t)~value;
        assert_true(crypto_unhex(bp_str_of(text), &byte, 1));
        assert_int_equal(byte, value);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(crypto_unhex(bp_str_of(bad[i]), &byte, 1));
    assert_true(crypto_unhex(BP_STR(""), &byte, 0));
    crypto_hex(&byte, 0, text);
    assert_string_equal(text, "");
}

static void many_random_bytes_come_from_the_kernel_alone(void **state)
{
    uint8_t bytes[200];

    (void)state;
    asks = next_byte = 0;
    crypto_random(bytes, 65);
    assert_int_equal(asks, 1);
    for (int i = 0; i < 65; i++)
        assert_int_equal(bytes[i], i + 1);
    most = 30; // it may give fewer at a time
    asks = next_byte = 0;
    fails_with = EINTR;
    crypto_random(bytes, 100);
    assert_int_equal(asks, 5);
    for (int i = 0; i < 100; i++)
        assert_int_equal(bytes[i], i + 1);
    most = 1 << 20;
}

static void few_come_from_a_pool_that_is_filled_when_it_is_empty(void **state)
{
    uint8_t bytes[64], seen[256] = { 0 };

    (void)state;
    crypto_random(bytes, 64); // whatever was left
    forks++;                  // as in a child: nothing of it is given
    asks = next_byte = 0;
    crypto_random(bytes, 64);
    assert_int_equal(asks, 1);
    assert_int_equal(bytes[63], (uint8_t)POOL_BYTES);
    for (int i = 0; i < 64; i++)
        seen[bytes[i]]++;
    for (int n = 0; n < 7; n++) {
        crypto_random(bytes, 64);
        for (int i = 0; i < 64; i++)
            seen[bytes[i]]++;
    }
    assert_int_equal(asks, 1); // 512 bytes are eight times 64
    for (int i = 0; i < 256; i++)
        assert_int_equal(seen[i], 2); // each of them once
    crypto_random(bytes, 1);
    assert_int_equal(asks, 2);
    crypto_random(bytes, 64);
    assert_int_equal(asks, 2);
    forks++;
    crypto_random(bytes, 1);
    assert_int_equal(asks, 3);
}

static void no_randomness_ends_the_process(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct rlimit no_core = { 0 };
        uint8_t       bytes[100];
        int           status;
        pid_t         child = fork();

        if (child == 0) {
            setrlimit(RLIMIT_CORE, &no_core);
            signal(SIGABRT, SIG_DFL);
            alarm(20);
            fails_with = kind ? ENOSYS : 0;
            gives_nothing = !kind;
            crypto_random(bytes, 100);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

static void a_fork_is_seen_by_the_child_alone(void **state)
{
    uint8_t  byte;
    unsigned before;
    int      status;
    pid_t    child;

    (void)state;
    crypto_random(&byte, 1);
    before = forks;
    child = fork();
    if (child == 0)
        _exit(forks == before + 1 ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(forks, before);
}

static void what_is_wiped_is_zero(void **state)
{
    uint8_t bytes[4] = { 1, 2, 3, 4 };

    (void)state;
    crypto_wipe(bytes, 3);
    assert_memory_equal(bytes, "\0\0\0\4", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_the_standards),
        cmocka_unit_test(bytes_are_compared_whole),
        cmocka_unit_test(hexadecimal_goes_there_and_back),
        cmocka_unit_test(many_random_bytes_come_from_the_kernel_alone),
        cmocka_unit_test(few_come_from_a_pool_that_is_filled_when_it_is_empty),
        cmocka_unit_test(no_randomness_ends_the_process),
        cmocka_unit_test(a_fork_is_seen_by_the_child_alone),
        cmocka_unit_test(what_is_wiped_is_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
