/* fuzz_inspect.c - one input is a plugin's file as an enemy would make it: it is judged without a
 * step beside it, twice the same, with a sentence when it is refused and with texts that end when
 * it is not. */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/inspect.h"

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { ARENA_BYTES = 16 << 20, FILE_BYTES = 1 << 16, MACHINE_PLACE = 18 };

#if defined(__x86_64__)
enum { MACHINE = EM_X86_64 };
#else
enum { MACHINE = EM_AARCH64 };
#endif

static bool ends(const char *text, size_t room)
{
    return memchr(text, '\0', room) != NULL;
}

static size_t all_bytes(const bp_str_list *list)
{
    size_t sum = 0;

    for (size_t i = 0; i < list->count; i++) {
        HOLDS(list->items[i].data && list->items[i].data[list->items[i].len] == '\0');
        sum += strlen(list->items[i].data) + 1;
    }
    return sum;
}

/* What came out, as one number. */
static size_t judge(const uint8_t *bytes, size_t size, bool *is_accepted)
{
    struct arena       arena;
    struct plugin_file file = { .path = "fuzzed.so" };
    size_t             sum;

    arena_init(&arena, ARENA_BYTES);
    plugin_inspect_bytes(&arena, bytes, size, &file);
    HOLDS(ends(file.problem.text, sizeof(file.problem.text)) &&
          ends(file.build_id, sizeof(file.build_id)));
    HOLDS(file.is_accepted == (file.problem.text[0] == '\0'));
    HOLDS(!file.is_accepted || file.is_readable);
    if (file.is_readable)
        HOLDS(ends(file.note.kind, sizeof(file.note.kind)) &&
              ends(file.note.name, sizeof(file.note.name)) &&
              ends(file.note.version, sizeof(file.note.version)));
    HOLDS(!file.is_accepted || plugin_kind_find(file.note.kind));
    sum = all_bytes(&file.extra_exports) * 31 + all_bytes(&file.needed) +
          strlen(file.problem.text) * 1009;
    *is_accepted = file.is_accepted;
    arena_free(&arena);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = size <= FILE_BYTES ? malloc(size ? size : 1)
                                        : NULL; // of its own, so that a step beside it is seen
    bool     first, second;
    size_t   sum;

    if (!bytes)
        return 0;
    if (size)
        memcpy(bytes, data, size);
    if (size > MACHINE_PLACE + 1) // the seeds are of one processor, the host of another perhaps
        bytes[MACHINE_PLACE] = MACHINE & 0xff, bytes[MACHINE_PLACE + 1] = 0;
    sum = judge(bytes, size, &first);
    HOLDS(judge(bytes, size, &second) == sum && first == second);
    free(bytes);
    return 0;
}
