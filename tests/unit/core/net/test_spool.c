/* test_spool.c - a body that comes in: what stays in memory, what goes into the file, what is
 * counted for whom, and what happens where there is no room. */
#include "net_test.h"

#include <sys/resource.h>

#include "net/spool.h"

enum { CLIENT_BYTES = 1 << 20, ALL_BYTES = (1 << 20) + 1000, PIECE = 64 << 10 };

static struct spool_room room;
static struct bp_pool   *pool;
static char              piece[PIECE];

static int set_up_room(void **state)
{
    if (set_up_worker(state) != 0 || !spool_room_init(&room, CLIENT_BYTES, ALL_BYTES))
        return -1;
    pool = pool_create("spool", 1);
    for (size_t i = 0; i < sizeof(piece); i++)
        piece[i] = (char)('a' + i % 23);
    return pool ? 0 : -1;
}

static int tear_down_room(void **state)
{
    pool_destroy(pool);
    spool_room_free(&room);
    spool_room_free(&room); // twice is allowed
    return tear_down_worker(state);
}

static size_t held_by(uint64_t client)
{
    struct spool one;

    spool_init(&one, NULL, 1, &room, client);
    return shares_of(room.shares, one.client);
}

/* Adds `bytes` in pieces of which none ends where memory does. */
static void fill(bp_call *call, struct spool *spool, size_t bytes)
{
    for (size_t at = 0, len; at < bytes; at += len) {
        len = bytes - at < 40009 ? bytes - at : 40009;
        assert_int_equal(spool_add(call, spool, bp_str_n(piece, len)), BP_OK);
    }
}

/* All came back, in its order, with a NUL behind it. */
static void comes_back(bp_call *call, struct spool *spool, size_t bytes)
{
    bp_str body;

    assert_int_equal(spool_take(call, spool, call->arena, &body), BP_OK);
    assert_int_equal(body.len, bytes);
    assert_int_equal(body.data[bytes], '\0');
    for (size_t at = 0, len; at < bytes; at += len) {
        len = bytes - at < 40009 ? bytes - at : 40009;
        assert_memory_equal(body.data + at, piece, len);
    }
}

static void keep_in_memory(bp_call *call)
{
    struct spool spool;

    spool_init(&spool, pool, 1 << 20, &room, 7);
    assert_int_equal(spool.fd, -1);
    fill(call, &spool, SPOOL_MEMORY_BYTES - 1);
    assert_int_equal(spool.fd, -1);
    assert_int_equal(spool.written, 0);
    assert_int_equal(held_by(7), SPOOL_MEMORY_BYTES - 1);
    comes_back(call, &spool, SPOOL_MEMORY_BYTES - 1);
    spool_free(&spool);
    assert_int_equal(held_by(7), 0);
}

static void a_short_body_stays_in_memory(void **state)
{
    (void)state;
    on_call(keep_in_memory, BP_SECONDS(60));
}

static void write_and_read(bp_call *call)
{
    struct spool spool;

    spool_init(&spool, pool, 1 << 20, &room, 7);
    assert_int_equal(spool_add(call, &spool, bp_str_n(piece, 1)), BP_OK);
    spool_free(&spool);
    spool_init(&spool, pool, 1 << 20, &room, 7);
    for (size_t at = 0; at < SPOOL_MEMORY_BYTES; at += PIECE)
        assert_int_equal(spool_add(call, &spool, bp_str_n(piece, PIECE)), BP_OK);
    assert_true(spool.fd >= 0); // exactly as much as stays in memory: it goes
    assert_int_equal(spool.written, SPOOL_MEMORY_BYTES);
    assert_int_equal(spool.memory.len, 0);
    spool_free(&spool);
    spool_init(&spool, pool, 1 << 20, &room, 7);
    fill(call, &spool, 700000);
    assert_true(spool.fd >= 0);
    assert_true(spool.written >= 2 * SPOOL_MEMORY_BYTES);
    assert_true(spool.memory.len < SPOOL_MEMORY_BYTES);
    assert_int_equal(held_by(7), 700000);
    comes_back(call, &spool, 700000);
    spool_free(&spool);
    assert_int_equal(held_by(7), 0);
}

static void a_long_body_waits_in_a_file_and_comes_back_whole(void **state)
{
    (void)state;
    on_call(write_and_read, BP_SECONDS(60));
}

static void write_nowhere(bp_call *call)
{
    struct spool spool;

    setenv("TMPDIR", "/nowhere/at/all", 1);
    spool_init(&spool, pool, 1 << 20, &room, 7);
    fill(call, &spool, 600000);
    unsetenv("TMPDIR");
    assert_true(spool.has_no_file);
    assert_int_equal(spool.written, 0);
    comes_back(call, &spool, 600000);
    spool_free(&spool);
    spool_init(&spool, NULL, 1 << 20, &room, 7); // nothing to write with
    fill(call, &spool, 600000);
    assert_int_equal(spool.fd, -1);
    comes_back(call, &spool, 600000);
    spool_free(&spool);
}

static void without_a_file_a_body_stays_in_memory(void **state)
{
    (void)state;
    on_call(write_nowhere, BP_SECONDS(60));
}

static void fill_the_disk(bp_call *call)
{
    struct rlimit before, small = { .rlim_cur = 300000 };
    struct spool  spool;
    bp_status     status = BP_OK;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    spool_init(&spool, pool, 1 << 20, &room, 7);
    setrlimit(RLIMIT_FSIZE, &small);
    for (int i = 0; i < 12 && status == BP_OK; i++)
        status = spool_add(call, &spool, bp_str_n(piece, PIECE));
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(status, BP_UNAVAILABLE);
    assert_non_null(strstr(call->error.message.data, "no room for the file that a long request"));
    spool_free(&spool);
    assert_int_equal(held_by(7), 0);
}

static void a_full_disk_refuses_the_body(void **state)
{
    (void)state;
    on_call(fill_the_disk, BP_SECONDS(60));
}

static void lose_the_file(bp_call *call)
{
    struct spool spool;
    bp_str       body;

    spool_init(&spool, pool, 1 << 20, &room, 7);
    fill(call, &spool, 600000);
    assert_int_equal(ftruncate(spool.fd, 1000), 0);
    assert_int_equal(spool_take(call, &spool, call->arena, &body), BP_UNAVAILABLE);
    assert_non_null(strstr(call->error.message.data, "cannot be read"));
    spool_free(&spool);
}

static void a_file_that_lost_its_bytes_is_told(void **state)
{
    (void)state;
    on_call(lose_the_file, BP_SECONDS(60));
}

static void share_the_room(bp_call *call)
{
    struct spool own, second, others;

    spool_init(&own, pool, CLIENT_BYTES, &room, 7);
    spool_init(&second, pool, CLIENT_BYTES, &room, 7);
    spool_init(&others, pool, CLIENT_BYTES, &room, 8);
    assert_int_equal(spool_count(call, &own, CLIENT_BYTES - 10), BP_OK);
    assert_int_equal(spool_count(call, &second, 11), BP_LIMIT);
    assert_non_null(strstr(call->error.message.data, "already sends 1048566 bytes"));
    assert_int_equal(spool_count(call, &second, 10), BP_OK);
    assert_int_equal(spool_add(call, &second, BP_STR("x")), BP_LIMIT);
    assert_int_equal(spool_count(call, &others, 1001), BP_UNAVAILABLE);
    assert_non_null(strstr(call->error.message.data, "fill the limit of the server"));
    assert_int_equal(spool_count(call, &others, 1000), BP_OK);
    spool_free(&own);
    assert_int_equal(held_by(7), 10);
    assert_int_equal(spool_count(call, &others, 1000), BP_OK);
    spool_free(&second);
    spool_free(&others);
    assert_int_equal(held_by(7), 0);
    assert_int_equal(held_by(8), 0);
}

static void bodies_are_bounded_by_client_and_together(void **state)
{
    (void)state;
    on_call(share_the_room, BP_SECONDS(60));
}

static void pass_the_end(bp_call *call)
{
    struct spool spool;

    spool_init(&spool, NULL, 100, &room, 7);
    assert_int_equal(spool_add(call, &spool, bp_str_n(piece, 100)), BP_OK);
    assert_int_equal(spool_add(call, &spool, bp_str_n(piece, 1)), BP_NO_MEMORY);
    assert_non_null(strstr(call->error.message.data, "of more than 100 bytes"));
    spool_free(&spool);
    assert_int_equal(held_by(7), 0);
}

static void what_does_not_fit_is_no_memory(void **state)
{
    (void)state;
    on_call(pass_the_end, BP_SECONDS(60));
}

int main(void)
{
#define RUN_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_room, tear_down_room)
    const struct CMUnitTest tests[] = {
        RUN_TEST(a_short_body_stays_in_memory),
        RUN_TEST(a_long_body_waits_in_a_file_and_comes_back_whole),
        RUN_TEST(without_a_file_a_body_stays_in_memory),
        RUN_TEST(a_full_disk_refuses_the_body),
        RUN_TEST(a_file_that_lost_its_bytes_is_told),
        RUN_TEST(bodies_are_bounded_by_client_and_together),
        RUN_TEST(what_does_not_fit_is_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
