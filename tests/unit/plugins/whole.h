/* whole.h - what a plugin was asked for it does whole or not at all, when the n-th call for memory,
 * or to the system, fails, n = 1, 2, ... until nothing fails any more. Where a sanitizer has these
 * calls for itself none fails, and one round is all. */
#ifndef WHOLE_H
#define WHOLE_H

#include "core/host/inject.h"
#include "plugins/plugin_test.h"

enum { WHOLE_TEXT_BYTES = 1 << 14 };

struct act {
    const char *name;
    bp_status (*run)(void);
    void (*undo)(void); /* NULL: it changes nothing */
};

/* What an act has read, as a text. */
static char answer[WHOLE_TEXT_BYTES];

/* `caller`: whose calls fail, which is a part of its path. */
static inline void assert_whole(const struct act *act, enum inject_kind kind, const char *caller,
                                const char *(*state)(void))
{
    static char before[WHOLE_TEXT_BYTES], after[WHOLE_TEXT_BYTES], whole[WHOLE_TEXT_BYTES];
    char        what[INJECT_WHAT_BYTES];
    bool        has_failed = true;

    inject_only(caller);
    answer[0] = '\0';
    next_call();
    snprintf(before, sizeof(before), "%s", state());
    assert_ok(act->run());
    snprintf(whole, sizeof(whole), "%s", answer);
    snprintf(after, sizeof(after), "%s", state());
    for (long n = 1; has_failed; n++) {
        bp_status status;

        if (act->undo)
            act->undo();
        next_call();
        answer[0] = '\0';
        inject_arm(kind, n, what);
        status = act->run();
        has_failed = inject_disarm();
        if (!has_failed)
            assert_ok(status);
        if (status == BP_OK && strcmp(answer, whole) != 0)
            fail_msg("%s without %s answers %s, not %s", act->name, what, answer, whole);
        if (status != BP_OK && (!bp_error_of(call)->message.len || status == BP_INTERNAL))
            fail_msg("%s without %s fails with %s: " BP_FMT, act->name, what,
                     bp_status_label(status), BP_ARG(bp_error_of(call)->message));
        next_call();
        if (strcmp(state(), status == BP_OK ? after : before) != 0)
            fail_msg("%s without %s, %s, leaves %s\nnot %s", act->name, what,
                     bp_status_label(status), state(), status == BP_OK ? after : before);
        if (status != BP_OK && act->undo) { // it works again
            assert_ok(act->run());
            assert_string_equal(state(), after);
        }
    }
    if (act->undo)
        act->undo();
}

#endif
