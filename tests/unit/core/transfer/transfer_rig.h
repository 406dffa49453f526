/* transfer_rig.h - a call without a fiber, for what does not suspend, and a table of three columns.
 */
#ifndef TRANSFER_RIG_H
#define TRANSFER_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "loop/call.h"
#include "plugin/services.h"
#include "transfer/parts.h"

static struct bp_call rig_call;
static struct arena   rig_arena;

static const struct transfer_table rig_table = {
    .name = { "passages", 8 },
    .columns = { { { "id", 2 }, BP_SQL_INTEGER },
                 { { "score", 5 }, BP_SQL_REAL },
                 { { "text", 4 }, BP_SQL_TEXT } },
    .column_count = 3,
    .keys = { 0 },
    .key_count = 1,
};

#define assert_bp_str(text, expected)                                                              \
    assert_string_equal(arena_dup(&rig_arena, (text)).data, (expected))

static inline int rig_set_up(void **state)
{
    (void)state;
    registry_fill_host(plugin_services, plugin_service_count);
    arena_init(&rig_arena, 64u << 20);
    rig_call = (struct bp_call){ .arena = &rig_arena };
    return 0;
}

static inline int rig_tear_down(void **state)
{
    (void)state;
    arena_free(&rig_arena);
    return 0;
}

#endif
