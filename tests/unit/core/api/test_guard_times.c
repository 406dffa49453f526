/* test_guard_times.c - limits a minute and keys that were good lately, at their exact times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../lib/still_clock.h"

#include "api/budget.h"
#include "api/key_guard.h"

enum { BEGAN_S = 1000 };

static int start_still(void **state)
{
    (void)state;
    still_now_ns = BP_SECONDS(BEGAN_S);
    return 0;
}

struct step {
    int64_t after_ns; /* the beginning */
    char    what;     /* 't'akes, 'l'ooks, 'c'harges */
    int64_t wait_ns;  /* 0: there is one left */
};

static void walk(int64_t per_minute, const struct step *steps, size_t count)
{
    struct budget *budget = budget_new(per_minute);

    for (size_t i = 0; i < count; i++) {
        int64_t wait_ns = -1;
        bool    is_left = steps[i].wait_ns == 0;

        still_now_ns = BP_SECONDS(BEGAN_S) + steps[i].after_ns;
        if (steps[i].what == 'c') {
            budget_charge(budget, 7);
            continue;
        }
        if ((steps[i].what == 't' ? budget_take : budget_is_left)(budget, 7, &wait_ns) != is_left ||
            wait_ns != steps[i].wait_ns)
            fail_msg("step %zu: %lld", i, (long long)wait_ns);
    }
    budget_free(budget);
}

#define WALK(per_minute, ...)                                                                      \
    walk(per_minute, (const struct step[]){ __VA_ARGS__ },                                         \
         sizeof((const struct step[]){ __VA_ARGS__ }) / sizeof(struct step))

static void a_budget_is_filled_steadily(void **state)
{
    (void)state;
    WALK(3, { 0, 't', 0 }, { 0, 't', 0 }, { 0, 'l', 0 }, { 0, 't', 0 }, { 0, 't', BP_SECONDS(20) },
         { 0, 'l', BP_SECONDS(20) }, // looking takes nothing
         { BP_SECONDS(20) - 1, 't', 1 }, { BP_SECONDS(20), 't', 0 },
         { BP_SECONDS(20), 't', BP_SECONDS(20) }, { BP_SECONDS(39), 't', BP_SECONDS(1) },
         { BP_SECONDS(200), 't', 0 }, // full again, and no fuller than full
         { BP_SECONDS(200), 't', 0 }, { BP_SECONDS(200), 't', 0 },
         { BP_SECONDS(200), 't', BP_SECONDS(20) });
    WALK(0, { 0, 't', 0 }, { 0, 'c', 0 }, { 0, 't', 0 });
    WALK(-1, { 0, 't', 0 }, { 0, 'c', 0 }, { 0, 't', 0 });
}

static void charges_run_into_debt_and_no_further(void **state)
{
    (void)state;
    WALK(1, { 0, 'c', 0 }, { 0, 'l', BP_SECONDS(60) }, { 0, 'c', 0 }, { 0, 'l', BP_SECONDS(120) },
         { 0, 'c', 0 }, { 0, 'l', BP_SECONDS(120) },     // it owes two minutes
         { 1, 'c', 0 }, { 1, 'l', BP_SECONDS(180) - 1 }, // less than that, and so one more
         { 2, 'c', 0 }, { 2, 'l', BP_SECONDS(180) - 2 }, { BP_SECONDS(180) - 1, 'l', 1 },
         { BP_SECONDS(180), 'l', 0 }, { BP_SECONDS(500), 'c', 0 },
         { BP_SECONDS(500), 'l', BP_SECONDS(60) });
}

#define HASH "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void a_key_is_trusted_for_an_hour(void **state)
{
    static const bp_str id = BP_STR("0001000000000000");
    struct key_guard   *guard = key_guard_new(0);

    (void)state;
    key_guard_note(guard, id, HASH, true);
    still_now_ns += BP_SECONDS(3600);
    assert_true(key_guard_trusts(guard, id, HASH));
    still_now_ns += 1;
    assert_false(key_guard_trusts(guard, id, HASH));
    key_guard_note(guard, id, HASH, true);
    assert_true(key_guard_trusts(guard, id, HASH));
    key_guard_free(guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_budget_is_filled_steadily, start_still),
        cmocka_unit_test_setup(charges_run_into_debt_and_no_further, start_still),
        cmocka_unit_test_setup(a_key_is_trusted_for_an_hour, start_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
