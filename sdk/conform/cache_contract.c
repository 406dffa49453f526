/* cache_contract.c - the contract of cache.h. */
#include "conform.h"

enum { LARGE_BYTES = 8 << 20, TAKES = 40, LIMIT = 100 };

static bp_str key_of(bp_call *call, const struct conform *conform, const char *rest)
{
    return bp_format(call, "%s:%s", conform->name, rest);
}

/* The operations of this instance, and what their first argument is. */
#define OPS(call, conform)  bp_cache_of(conform_peer(call, conform))
#define SELF(call, conform) (conform_peer(call, conform)->instance)

static bp_status comes_back(bp_call *call, struct conform *conform, bp_str key, bp_str value)
{
    const bp_peer *cache = conform_peer(call, conform);
    bp_str         found = { NULL, 0 };

    CONFORM_STATUS(call, bp_cache_set(call, cache, key, value, BP_SECONDS(600)), BP_OK);
    CONFORM_STATUS(call, bp_cache_get(call, cache, key, &found), BP_OK);
    CONFORM_THAT(call, bp_str_equal(found, value), "a value of %zu bytes came back as %zu others",
                 value.len, found.len);
    return BP_OK;
}

static bp_status values_come_back(bp_call *call, struct conform *conform)
{
    const bp_peer *cache = conform_peer(call, conform);
    bp_str         key = key_of(call, conform, "value"), found;
    char           bytes[256];

    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    CONFORM_STATUS(call, bp_cache_get(call, cache, key, &found), BP_NOT_FOUND);
    BP_TRY(comes_back(call, conform, key, BP_STR("one")));
    BP_TRY(comes_back(call, conform, key, BP_STR("")));
    BP_TRY(comes_back(call, conform, key, bp_str_n(bytes, sizeof(bytes))));
    BP_TRY(comes_back(call, conform, bp_format(call, "%s%.*s", conform->name, 3, "\r\n"),
                      BP_STR("a key with line ends")));
    CONFORM_STATUS(call, OPS(call, conform)->remove(call, SELF(call, conform), key), BP_OK);
    CONFORM_STATUS(call, bp_cache_get(call, cache, key, &found), BP_NOT_FOUND);
    CONFORM_STATUS(call, OPS(call, conform)->remove(call, SELF(call, conform), key), BP_OK);
    return BP_OK;
}

static bp_status awkward_keys_and_values_come_back(bp_call *call, struct conform *conform)
{
    for (size_t i = 0; i < conform->string_count; i++) {
        bp_str text = conform->strings[i], key = bp_format(call, "%s:%zu:", conform->name, i);
        size_t room = 512 - key.len, len = text.len < room ? text.len : room;
        char  *bytes = bp_alloc(call, key.len + len);

        if (!bytes)
            return BP_NO_MEMORY;
        memcpy(bytes, key.data, key.len);
        if (len)
            memcpy(bytes + key.len, text.data, len);
        BP_TRY(comes_back(call, conform, bp_str_n(bytes, key.len + len), text));
    }
    return BP_OK;
}

static bp_status limits_of_keys_and_values_hold(bp_call *call, struct conform *conform)
{
    const bp_peer *cache = conform_peer(call, conform);
    char          *bytes = bp_alloc(call, LARGE_BYTES + 1);
    bp_str         found;

    if (!bytes)
        return BP_NO_MEMORY;
    memset(bytes, 'x', LARGE_BYTES + 1);
    BP_TRY(comes_back(call, conform, key_of(call, conform, "large"), bp_str_n(bytes, LARGE_BYTES)));
    CONFORM_STATUS(call,
                   OPS(call, conform)
                       ->remove(call, SELF(call, conform), key_of(call, conform, "large")),
                   BP_OK);
    CONFORM_STATUS(call,
                   bp_cache_set(call, cache, key_of(call, conform, "large"),
                                bp_str_n(bytes, LARGE_BYTES + 1), 0),
                   BP_TOO_LARGE);
    BP_TRY(comes_back(call, conform, bp_str_n(bytes, 512), BP_STR("x")));
    CONFORM_STATUS(call, bp_cache_set(call, cache, bp_str_n(bytes, 513), BP_STR("x"), 0),
                   BP_INVALID);
    CONFORM_STATUS(call, bp_cache_get(call, cache, BP_STR(""), &found), BP_INVALID);
    return BP_OK;
}

static bp_status values_expire(bp_call *call, struct conform *conform)
{
    const bp_peer *cache = conform_peer(call, conform);
    bp_str brief = key_of(call, conform, "brief"), lasting = key_of(call, conform, "lasting"),
           found;
    int64_t   until_ns = bp_now_ns() + BP_SECONDS(10);
    bp_status status = BP_OK;

    CONFORM_STATUS(call, bp_cache_set(call, cache, brief, BP_STR("x"), BP_MILLISECONDS(150)),
                   BP_OK);
    CONFORM_STATUS(call, bp_cache_set(call, cache, lasting, BP_STR("x"), 0), BP_OK);
    while (status == BP_OK && bp_now_ns() < until_ns) {
        BP_TRY(bp_sleep(call, BP_MILLISECONDS(50)));
        status = bp_cache_get(call, cache, brief, &found);
    }
    CONFORM_THAT(call, status == BP_NOT_FOUND, "a value with 150 ms to live is there after 10 s");
    CONFORM_STATUS(call, bp_cache_get(call, cache, lasting, &found), BP_OK);
    return BP_OK;
}

static bp_status a_prefix_is_removed_and_nothing_else(bp_call *call, struct conform *conform)
{
    const bp_peer *cache = conform_peer(call, conform);
    int64_t        removed = -1;
    bp_str         found;

    for (int i = 0; i < 300; i++)
        CONFORM_STATUS(call,
                       bp_cache_set(call, cache, bp_format(call, "%s:p*[%d", conform->name, i),
                                    BP_STR("x"), 0),
                       BP_OK);
    CONFORM_STATUS(call, bp_cache_set(call, cache, key_of(call, conform, "pa[1"), BP_STR("x"), 0),
                   BP_OK);
    CONFORM_STATUS(call,
                   OPS(call, conform)
                       ->remove_prefix(call, SELF(call, conform), key_of(call, conform, "p*["),
                                       &removed),
                   BP_OK);
    CONFORM_THAT(call, removed == 300, "%lld of 300 keys were removed", (long long)removed);
    CONFORM_STATUS(call, bp_cache_get(call, cache, key_of(call, conform, "p*[7"), &found),
                   BP_NOT_FOUND);
    CONFORM_STATUS(call, bp_cache_get(call, cache, key_of(call, conform, "pa[1"), &found), BP_OK);
    return BP_OK;
}

/* ---- limits ---- */

static bp_status a_limit_grants_what_it_says(bp_call *call, struct conform *conform)
{
    const bp_peer *cache = conform_peer(call, conform);
    bp_str         key = key_of(call, conform, "limit");
    bp_take        take;

    for (int64_t i = 0; i < 5; i++) {
        CONFORM_STATUS(call, bp_cache_take(call, cache, key, 5, BP_SECONDS(3600), 1, &take), BP_OK);
        CONFORM_THAT(call,
                     take.is_granted && take.limit == 5 && take.remaining == 4 - i &&
                         take.reset_ns > 0,
                     "the %lld. of 5 says granted %d, limit %lld, %lld remaining", (long long)i + 1,
                     take.is_granted, (long long)take.limit, (long long)take.remaining);
    }
    CONFORM_STATUS(call, bp_cache_take(call, cache, key, 5, BP_SECONDS(3600), 1, &take), BP_OK);
    CONFORM_THAT(call,
                 !take.is_granted && take.remaining == 0 && take.reset_ns > 0 &&
                     take.reset_ns <= BP_SECONDS(721),
                 "the 6. of 5 says granted %d, %lld remaining, again in %.1f s (720 s)",
                 take.is_granted, (long long)take.remaining, (double)take.reset_ns / 1e9);
    CONFORM_STATUS(call,
                   bp_cache_take(call, cache, key_of(call, conform, "other"), 5, BP_SECONDS(3600),
                                 6, &take),
                   BP_OK);
    CONFORM_THAT(call, !take.is_granted, "6 were granted of a limit of 5");
    return BP_OK;
}

static bp_status a_limit_fills_up_again(bp_call *call, struct conform *conform)
{
    const bp_peer *cache = conform_peer(call, conform);
    bp_str         key = key_of(call, conform, "refill");
    int64_t        until_ns = bp_now_ns() + BP_SECONDS(20);
    bp_take        take;

    CONFORM_STATUS(call, bp_cache_take(call, cache, key, 10, BP_SECONDS(1), 10, &take), BP_OK);
    CONFORM_THAT(call, take.is_granted, "10 of 10 were refused");
    CONFORM_STATUS(call, bp_cache_take(call, cache, key, 10, BP_SECONDS(1), 10, &take), BP_OK);
    CONFORM_THAT(call, !take.is_granted, "20 of 10 a second were granted at once");
    while (!take.is_granted && bp_now_ns() < until_ns) {
        BP_TRY(bp_sleep(call, BP_MILLISECONDS(50)));
        CONFORM_STATUS(call, bp_cache_take(call, cache, key, 10, BP_SECONDS(1), 1, &take), BP_OK);
    }
    CONFORM_THAT(call, take.is_granted, "a limit of 10 a second is used up for 20 s");
    return BP_OK;
}

static bp_status take_as_child(bp_call *child, void *arg)
{
    struct conform *conform = arg;
    bp_take         take;

    for (int i = 0; i < TAKES; i++) {
        CONFORM_STATUS(child,
                       bp_cache_take(child, conform_peer(child, conform),
                                     key_of(child, conform, "shared"), LIMIT, BP_SECONDS(86400), 1,
                                     &take),
                       BP_OK);
        conform->counters[0] += take.is_granted;
        BP_TRY(bp_sleep(child, 0));
    }
    return BP_OK;
}

static bp_status a_limit_is_exact_among_all_workers(bp_call *call, struct conform *conform)
{
    enum { CHILDREN = 4 };
    bp_child *children[CHILDREN];

    for (int i = 0; i < CHILDREN; i++)
        BP_TRY(bp_spawn(call, "take", take_as_child, conform, &children[i]));
    for (int i = 0; i < CHILDREN; i++)
        BP_TRY(bp_join(call, children[i]));
    conform->counters[1]++;
    BP_TRY(conform_meet(call, &conform->counters[1], (int64_t)conform->workers));
    CONFORM_THAT(call, conform->counters[0] == LIMIT,
                 "%lld were granted of a limit of %d, among %u workers",
                 (long long)conform->counters[0], LIMIT, conform->workers);
    return BP_OK;
}

/* ---- budgets ---- */

static bp_status reserve(bp_call *call, struct conform *conform, bp_str key, const char *period,
                         int64_t amount, int64_t hold_ns, const char *name, bp_take *take)
{
    *take = (bp_take){ .struct_size = sizeof(*take) };
    return OPS(call, conform)
        ->reserve(call, SELF(call, conform), key, bp_str_of(period), 1000, amount, hold_ns,
                  bp_str_of(name), take);
}

static bp_status budgets_are_reserved_and_settled(bp_call *call, struct conform *conform)
{
    bp_str  key = key_of(call, conform, "budget");
    bp_take take;

    CONFORM_STATUS(call, reserve(call, conform, key, "2026-11", 600, BP_SECONDS(600), "a", &take),
                   BP_OK);
    CONFORM_THAT(call, take.is_granted && take.remaining == 400, "after 600 of 1,000, %lld remain",
                 (long long)take.remaining);
    CONFORM_STATUS(call, reserve(call, conform, key, "2026-11", 500, BP_SECONDS(600), "b", &take),
                   BP_OK);
    CONFORM_THAT(call, !take.is_granted, "1,100 of 1,000 were granted");
    CONFORM_STATUS(call,
                   OPS(call, conform)
                       ->settle(call, SELF(call, conform), key, BP_STR("2026-11"), BP_STR("a"),
                                100),
                   BP_OK);
    CONFORM_STATUS(call, reserve(call, conform, key, "2026-11", 900, BP_SECONDS(600), "b", &take),
                   BP_OK);
    CONFORM_THAT(call, take.is_granted && take.remaining == 0,
                 "after 100 were settled of 600 reserved, 900 do not fit: %lld remain",
                 (long long)take.remaining);
    CONFORM_STATUS(call, reserve(call, conform, key, "2026-12", 1000, BP_SECONDS(600), "c", &take),
                   BP_OK);
    CONFORM_THAT(call, take.is_granted, "a new period does not begin at zero");
    return BP_OK;
}

static bp_status a_reservation_ends_with_its_hold(bp_call *call, struct conform *conform)
{
    bp_str  key = key_of(call, conform, "held");
    int64_t until_ns = bp_now_ns() + BP_SECONDS(20);
    bp_take take;

    CONFORM_STATUS(call, reserve(call, conform, key, "p", 1000, BP_MILLISECONDS(200), "a", &take),
                   BP_OK);
    do {
        BP_TRY(bp_sleep(call, BP_MILLISECONDS(50)));
        CONFORM_STATUS(call, reserve(call, conform, key, "p", 1000, BP_SECONDS(600), "b", &take),
                       BP_OK);
    } while (!take.is_granted && bp_now_ns() < until_ns);
    CONFORM_THAT(call, take.is_granted, "a reservation of 200 ms still holds after 20 s");
    return BP_OK;
}

struct looking_up {
    bp_str  key, period;
    int64_t spent; /* -1: not come */
};

static bp_status look_up(bp_call *call, void *self, const bp_budget *budget)
{
    struct looking_up *wanted = self;

    (void)call;
    if (bp_str_equal(budget->key, wanted->key) && bp_str_equal(budget->period, wanted->period))
        wanted->spent = budget->spent;
    return BP_OK;
}

static bp_status spent_of(bp_call *call, struct conform *conform, bp_str key, const char *period,
                          int64_t *spent)
{
    struct looking_up    wanted = { key, bp_str_of(period), -1 };
    const bp_budget_sink sink = { .struct_size = sizeof(sink), .budget = look_up, .self = &wanted };
    bp_status            status = OPS(call, conform)->dump(call, SELF(call, conform), &sink);

    *spent = wanted.spent;
    return status;
}

static bp_status budgets_can_be_moved(bp_call *call, struct conform *conform)
{
    bp_str    key = key_of(call, conform, "moved :{budget}:1");
    bp_budget budgets[] = {
        { .struct_size = sizeof(bp_budget), .key = key, .period = BP_STR("2026-11"), .spent = 700 },
        { .struct_size = sizeof(bp_budget), .key = key, .period = BP_STR("2026-12"), .spent = 1 }
    };
    int64_t spent = 0;
    bp_take take;

    if (spent_of(call, conform, key, "2026-11", &spent) == BP_UNSUPPORTED)
        return conform_skip(call, "its budgets cannot be moved: it has no dump");
    CONFORM_THAT(call, spent == -1, "a budget that nobody used comes with %lld", (long long)spent);
    CONFORM_STATUS(call,
                   OPS(call, conform)
                       ->settle(call, SELF(call, conform), key, BP_STR("2026-11"), BP_STR("a"), 70),
                   BP_OK);
    CONFORM_STATUS(call, spent_of(call, conform, key, "2026-11", &spent), BP_OK);
    CONFORM_THAT(call, spent == 70, "of 70 that were spent come %lld", (long long)spent);
    for (int i = 0; i < 2; i++)
        CONFORM_STATUS(call,
                       OPS(call, conform)
                           ->load(call, SELF(call, conform), budgets, sizeof(budgets[0]), 2),
                       BP_OK);
    CONFORM_STATUS(call, spent_of(call, conform, key, "2026-12", &spent), BP_OK);
    CONFORM_THAT(call, spent == 1, "of a period of which 1 was loaded come %lld", (long long)spent);
    CONFORM_STATUS(call, reserve(call, conform, key, "2026-11", 300, BP_SECONDS(600), "b", &take),
                   BP_OK);
    CONFORM_THAT(call, take.is_granted && take.remaining == 0,
                 "of 1,000, 700 of them loaded twice, 300 are not left");
    return BP_OK;
}

/* ---- locks ---- */

static bp_status lock_as(bp_call *call, struct conform *conform, bp_str key, const char *owner,
                         int64_t hold_ns)
{
    return OPS(call, conform)->lock(call, SELF(call, conform), key, bp_str_of(owner), hold_ns);
}

static bp_status unlock_as(bp_call *call, struct conform *conform, bp_str key, const char *owner)
{
    return OPS(call, conform)->unlock(call, SELF(call, conform), key, bp_str_of(owner));
}

static bp_status a_lock_has_one_owner(bp_call *call, struct conform *conform)
{
    bp_str    key = key_of(call, conform, "lock");
    int64_t   until_ns = bp_now_ns() + BP_SECONDS(20);
    bp_status status;

    CONFORM_STATUS(call, lock_as(call, conform, key, "ann", BP_SECONDS(600)), BP_OK);
    CONFORM_STATUS(call, lock_as(call, conform, key, "bob", BP_SECONDS(600)), BP_CONFLICT);
    CONFORM_STATUS(call, unlock_as(call, conform, key, "bob"), BP_CONFLICT);
    CONFORM_STATUS(call, lock_as(call, conform, key, "ann", BP_SECONDS(600)), BP_OK);
    CONFORM_STATUS(call, unlock_as(call, conform, key, "ann"), BP_OK);
    CONFORM_STATUS(call, lock_as(call, conform, key, "bob", BP_MILLISECONDS(200)), BP_OK);
    do {
        BP_TRY(bp_sleep(call, BP_MILLISECONDS(50)));
        status = lock_as(call, conform, key, "ann", BP_SECONDS(600));
    } while (status == BP_CONFLICT && bp_now_ns() < until_ns);
    CONFORM_THAT(call, status == BP_OK, "a lock held for 200 ms is not free after 20 s");
    CONFORM_STATUS(call, unlock_as(call, conform, key, "ann"), BP_OK);
    return BP_OK;
}

static bp_status a_lock_excludes_all_workers(bp_call *call, struct conform *conform)
{
    bp_str owner = bp_format(call, "worker %u", bp_worker_index(call)),
           key = key_of(call, conform, "mutex");

    for (int done = 0; done < 20;) {
        bp_status status = lock_as(call, conform, key, owner.data, BP_SECONDS(60));

        if (status == BP_OK) {
            CONFORM_THAT(call, conform->counters[0]++ == 0, "two workers hold one lock");
            BP_TRY(bp_sleep(call, 0));
            conform->counters[0]--;
            CONFORM_STATUS(call, unlock_as(call, conform, key, owner.data), BP_OK);
            done++;
        } else if (status != BP_CONFLICT) {
            return conform_other(call, "lock", status, BP_OK);
        }
        BP_TRY(bp_sleep(call, BP_MILLISECONDS(1)));
    }
    return BP_OK;
}

/* ---- cancelled, hurried, restarted ---- */

static bp_status op_set(bp_call *call, struct conform *conform)
{
    return bp_cache_set(call, conform_peer(call, conform), key_of(call, conform, "op"),
                        BP_STR("value"), 0);
}

static bp_status op_get(bp_call *call, struct conform *conform)
{
    bp_str found;

    BP_TRY(op_set(call, conform));
    BP_TRY(bp_cache_get(call, conform_peer(call, conform), key_of(call, conform, "op"), &found));
    CONFORM_THAT(call, bp_str_is(found, "value"),
                 "get gave the answer to another question: \"" BP_FMT "\"", BP_ARG(found));
    return BP_OK;
}

static bp_status op_take(bp_call *call, struct conform *conform)
{
    bp_take take;

    return bp_cache_take(call, conform_peer(call, conform), key_of(call, conform, "op-limit"),
                         1000000, BP_SECONDS(1), 1, &take);
}

static bp_status op_reserve(bp_call *call, struct conform *conform)
{
    bp_take take;

    return reserve(call, conform, key_of(call, conform, "op-budget"), "p", 1, BP_SECONDS(1), "r",
                   &take);
}

static bp_status op_lock(bp_call *call, struct conform *conform)
{
    BP_TRY(lock_as(call, conform, key_of(call, conform, "op-lock"), "one", BP_SECONDS(600)));
    return unlock_as(call, conform, key_of(call, conform, "op-lock"), "one");
}

static bp_status op_prefix(bp_call *call, struct conform *conform)
{
    int64_t removed;

    return OPS(call, conform)
        ->remove_prefix(call, SELF(call, conform), key_of(call, conform, "op-prefix"), &removed);
}

static bp_status op_stats(bp_call *call, struct conform *conform)
{
    bp_cache_stats stats = { .struct_size = sizeof(stats) };

    return OPS(call, conform)->stats(call, SELF(call, conform), &stats);
}

static const struct conform_op ops[] = {
    { "get", op_get },         { "set", op_set },   { "take", op_take },
    { "reserve", op_reserve }, { "lock", op_lock }, { "remove_prefix", op_prefix },
    { "stats", op_stats },
};

static bp_status cancelled_calls_disturb_no_other(bp_call *call, struct conform *conform)
{
    return conform_cancel(call, conform, ops, sizeof(ops) / sizeof(ops[0]));
}

static bp_status deadlines_are_kept(bp_call *call, struct conform *conform)
{
    return conform_hurry(call, conform, ops, sizeof(ops) / sizeof(ops[0]));
}

static bp_status a_restart_is_outlived(bp_call *call, struct conform *conform)
{
    return conform_survive(call, conform, &ops[0]);
}

static bp_status wrong_credentials_are_refused(bp_call *call, struct conform *conform)
{
    // A cache may be told to go on without its server, a lock never is.
    CONFORM_THAT(call,
                 lock_as(call, conform, key_of(call, conform, "refused"), "one", BP_SECONDS(1)) !=
                     BP_OK,
                 "a lock was granted with wrong credentials");
    CONFORM_THAT(call, bp_error_of(call)->message.len > 0, "the refusal has no sentence");
    return BP_OK;
}

static bp_status the_run_leaves_nothing_behind(bp_call *call, struct conform *conform)
{
    int64_t removed;

    CONFORM_STATUS(call,
                   OPS(call, conform)
                       ->remove_prefix(call, SELF(call, conform), bp_str_of(conform->name),
                                       &removed),
                   BP_OK);
    return BP_OK;
}

static bp_status a_long_run_does_not_grow(bp_call *call, struct conform *conform)
{
    return conform_do_not_grow(call, conform, ops, sizeof(ops) / sizeof(ops[0]));
}

static const struct conform_case cases[] = {
    { "values come back as they went in", values_come_back, CONFORM_ONE_WORKER },
    { "awkward keys and values come back", awkward_keys_and_values_come_back, CONFORM_ONE_WORKER },
    { "keys of 512 bytes and values of 8 MiB are taken, longer ones refused",
      limits_of_keys_and_values_hold, CONFORM_ONE_WORKER },
    { "values expire when their time has come", values_expire, CONFORM_ONE_WORKER },
    { "a prefix is removed, and no key that only resembles it",
      a_prefix_is_removed_and_nothing_else, CONFORM_ONE_WORKER },
    { "a limit grants what it says", a_limit_grants_what_it_says, CONFORM_ONE_WORKER },
    { "a limit fills up again", a_limit_fills_up_again, CONFORM_ONE_WORKER },
    { "a limit is exact among all workers", a_limit_is_exact_among_all_workers,
      CONFORM_EVERY_WORKER },
    { "budgets are reserved and settled", budgets_are_reserved_and_settled, CONFORM_ONE_WORKER },
    { "a reservation ends with its hold", a_reservation_ends_with_its_hold, CONFORM_ONE_WORKER },
    { "budgets can be moved to another cache", budgets_can_be_moved, CONFORM_ONE_WORKER },
    { "a lock has one owner, and ends", a_lock_has_one_owner, CONFORM_ONE_WORKER },
    { "a lock excludes all workers", a_lock_excludes_all_workers, CONFORM_EVERY_WORKER },
    { "an operation cancelled at any suspension disturbs no other",
      cancelled_calls_disturb_no_other, CONFORM_ONE_WORKER },
    { "deadlines are kept", deadlines_are_kept, CONFORM_ONE_WORKER },
    { "the process does not grow in a long run", a_long_run_does_not_grow, CONFORM_ONE_WORKER },
    { "a restart of the server is outlived", a_restart_is_outlived, CONFORM_ONE_WORKER },
    { "the run leaves nothing behind", the_run_leaves_nothing_behind, CONFORM_ONE_WORKER },
    { "wrong credentials are refused with a sentence", wrong_credentials_are_refused,
      CONFORM_REFUSED },
};

const struct conform_contract cache_contract = { "cache", cases, sizeof(cases) / sizeof(cases[0]) };
