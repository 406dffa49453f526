/* test_inspect.c - which files are loaded and which are refused, and why: a good plugin with one
 * thing wrong at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/inspect.h"

static const char good_path[] = BP_BUILD_DIR "/plugins/cache/memory.so";

static struct arena       arena;
static struct plugin_file judged;
static uint8_t           *good, *bytes;
static size_t             size;

static int read_good(void **state)
{
    FILE *file = fopen(good_path, "re");

    (void)state;
    if (!file)
        return -1;
    fseek(file, 0, SEEK_END);
    size = (size_t)ftell(file);
    rewind(file);
    good = aligned_alloc(4096, (size + 4095) & ~(size_t)4095);
    bytes = aligned_alloc(4096, (size + 4095) & ~(size_t)4095);
    if (fread(good, 1, size, file) != size)
        return -1;
    fclose(file);
    return 0;
}

static int forget(void **state)
{
    (void)state;
    free(good);
    free(bytes);
    return 0;
}

static int renew(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    memcpy(bytes, good, size);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static void inspect(size_t count)
{
    memset(&judged, 0, sizeof(judged));
    plugin_inspect_bytes(&arena, bytes, count, &judged);
}

#define assert_refused(words)                                                                      \
    do {                                                                                           \
        inspect(size);                                                                             \
        assert_false(judged.is_accepted);                                                          \
        if (!strstr(judged.problem.text, words))                                                   \
            fail_msg("\"%s\" does not say \"%s\"", judged.problem.text, words);                    \
        memcpy(bytes, good, size);                                                                 \
    } while (0)

static Elf64_Ehdr *header(void)
{
    return (Elf64_Ehdr *)bytes;
}

static Elf64_Phdr *segment(uint32_t type)
{
    Elf64_Phdr *segments = (Elf64_Phdr *)(bytes + header()->e_phoff);

    for (int i = 0; i < header()->e_phnum; i++)
        if (segments[i].p_type == type)
            return &segments[i];
    return NULL;
}

static bp_plugin_note *note(void)
{
    return (bp_plugin_note *)((uint8_t *)memmem(bytes, size, "Backplane", 10) - sizeof(Elf64_Nhdr));
}

static Elf64_Dyn *dynamic(int64_t tag)
{
    Elf64_Dyn *entry = (Elf64_Dyn *)(bytes + segment(PT_DYNAMIC)->p_offset);

    while (entry->d_tag != DT_NULL && entry->d_tag != tag)
        entry++;
    return entry->d_tag == tag ? entry : NULL;
}

static void a_good_file_says_what_it_is(void **state)
{
    bool needs_libc = false;

    (void)state;
    inspect(size);
    assert_string_equal(judged.problem.text, "");
    assert_true(judged.is_accepted && judged.is_readable);
    assert_string_equal(judged.note.kind, "cache");
    assert_string_equal(judged.note.name, "memory");
    assert_int_equal(strlen(judged.build_id), 40);
    for (size_t i = 0; i < judged.needed.count; i++)
        needs_libc = needs_libc || strstr(judged.needed.items[i].data, "libc.so");
    assert_true(needs_libc);
    for (size_t i = 0; i < judged.extra_exports.count; i++)
        assert_string_not_equal(judged.extra_exports.items[i].data, "bp_plugin_entry");
}

static void what_is_no_shared_object_for_this_machine_is_refused(void **state)
{
    (void)state;
    inspect(0);
    assert_string_equal(judged.problem.text, "it is not an ELF file, it is empty");
    inspect(sizeof(Elf64_Ehdr) - 1);
    assert_string_equal(judged.problem.text, "it is not an ELF file");
    bytes[1] = 'e';
    assert_refused("it is not an ELF file");
    header()->e_ident[EI_CLASS] = ELFCLASS32;
    assert_refused("64-bit little-endian");
    header()->e_ident[EI_DATA] = ELFDATA2MSB;
    assert_refused("64-bit little-endian");
    header()->e_machine = EM_S390;
    assert_refused("it is for another processor (ELF machine 22, this host is ");
    header()->e_type = ET_EXEC;
    assert_refused("it is not a shared object: link it with -shared");
}

static void what_is_cut_off_is_refused(void **state)
{
    (void)state;
    header()->e_phentsize--;
    assert_refused("its program headers lie beyond its end");
    header()->e_phoff = size - 8;
    assert_refused("its program headers lie beyond its end");
    header()->e_phoff = UINT64_MAX - 7;
    assert_refused("its program headers lie beyond its end");
    header()->e_phoff += 4; // not at an address for it
    assert_refused("its program headers lie beyond its end");
    segment(PT_LOAD)->p_filesz = size + 1;
    assert_refused("a segment lies beyond its end");
    segment(PT_LOAD)->p_offset = size;
    assert_refused("a segment lies beyond its end");
    header()->e_shoff = size - 1;
    assert_refused("its section headers lie beyond its end");
    inspect(size - 1);
    assert_false(judged.is_accepted);
    header()->e_shnum = 0; // stripped of them, which is no harm
    header()->e_shoff = 0;
    inspect(size);
    assert_true(judged.is_accepted);
}

static void a_note_that_does_not_fit_is_refused(void **state)
{
    char long_name[sizeof(note()->name)];

    (void)state;
    memset(long_name, 'a', sizeof(long_name));
    memcpy((uint8_t *)note() + sizeof(Elf64_Nhdr), "Backplate", 9);
    assert_refused("it has no Backplane note");
    note()->descriptor_size = 8;
    assert_refused("its note is shorter (8 bytes) than that of ABI 1.0");
    note()->magic++;
    assert_refused("the file is damaged or forged");
    note()->abi_major = BP_ABI_MAJOR + 1;
    assert_refused("build it with an older SDK");
    note()->abi_major = BP_ABI_MAJOR - 1;
    assert_refused("build it with a newer SDK");
    note()->min_host_minor = BP_ABI_MINOR + 1;
    assert_refused("update the host");
    memcpy(note()->kind, "cachd", 5);
    assert_refused("it is of kind \"cachd\", which this host does not know");
    note()->kind_version = 0;
    assert_refused("it has version 0 of kind cache, this host serves versions 1 to 1");
    note()->kind_version = 2;
    assert_refused("it has version 2 of kind cache");
    memcpy(note()->name, "Memory", 6);
    assert_refused("its name \"Memory\" is not of the form");
    note()->name[0] = '\0';
    assert_refused("its name \"\" is not of the form");
    memcpy(note()->name, long_name, sizeof(long_name)); // without an end, and 31 are allowed
    inspect(size);
    assert_int_equal(judged.is_accepted, sizeof(long_name) == 32);
    memcpy(bytes, good, size);
    segment(PT_NOTE)->p_filesz = size; // beyond the end of the file
    inspect(size);
    memcpy(bytes, good, size);
    note()->min_host_minor = BP_ABI_MINOR;
    inspect(size);
    assert_true(judged.is_accepted);
}

static void what_is_linked_badly_is_refused(void **state)
{
    (void)state;
    segment(PT_DYNAMIC)->p_type = PT_NULL;
    assert_refused("it has no dynamic section");
    if (dynamic(DT_FLAGS))
        dynamic(DT_FLAGS)->d_un.d_val = 0;
    if (dynamic(DT_FLAGS_1))
        dynamic(DT_FLAGS_1)->d_un.d_val = 0;
    if (dynamic(DT_BIND_NOW))
        dynamic(DT_BIND_NOW)->d_tag = DT_DEBUG;
    assert_refused("it was not linked with -z now");
    dynamic(DT_STRSZ)->d_un.d_val = 0;
    assert_refused("its symbol table is damaged or cut off");
    dynamic(DT_STRSZ)->d_un.d_val = size;
    assert_refused("its symbol table is damaged or cut off");
    dynamic(DT_STRSZ)->d_un.d_val--; // the last text has no end
    if (bytes[dynamic(DT_STRTAB)->d_un.d_ptr + dynamic(DT_STRSZ)->d_un.d_val - 1] != '\0')
        assert_refused("its symbol table is damaged or cut off");
    memcpy(bytes, good, size);
    dynamic(DT_SYMTAB)->d_un.d_ptr = UINT64_MAX / 2;
    assert_refused("its symbol table is damaged or cut off");
    memcpy(memmem(bytes + dynamic(DT_STRTAB)->d_un.d_ptr, dynamic(DT_STRSZ)->d_un.d_val,
                  "bp_plugin_entry", 16),
           "bp_plugin_entrt", 15);
    assert_refused("it does not export bp_plugin_entry()");
    if (dynamic(DT_GNU_HASH)) {
        if (dynamic(DT_HASH)) // clang makes both
            dynamic(DT_HASH)->d_tag = DT_DEBUG;
        dynamic(DT_GNU_HASH)->d_tag = DT_DEBUG; // no table says how many symbols there are
        assert_refused("it does not export bp_plugin_entry()");
        dynamic(DT_GNU_HASH)->d_un.d_ptr = UINT64_MAX / 2;
        assert_refused("it does not export bp_plugin_entry()");
    }
}

/* A linker may put what comes first in the file anywhere in memory. */
static void addresses_in_memory_are_not_places_in_the_file(void **state)
{
    static const int64_t tags[] = { DT_SYMTAB, DT_STRTAB, DT_GNU_HASH, DT_HASH };
    Elf64_Phdr          *segments = (Elf64_Phdr *)(bytes + header()->e_phoff);
    bp_str_list          before;

    (void)state;
    inspect(size);
    before = judged.needed;
    for (int i = 0; i < header()->e_phnum; i++)
        segments[i].p_vaddr += 0x300000;
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
        if (dynamic(tags[i]))
            dynamic(tags[i])->d_un.d_ptr += 0x300000;
    inspect(size);
    assert_string_equal(judged.problem.text, "");
    assert_true(judged.is_accepted);
    assert_int_equal(judged.needed.count, before.count);
    for (size_t i = 0; i < before.count; i++)
        assert_true(bp_str_equal(judged.needed.items[i], before.items[i]));
    dynamic(DT_STRTAB)->d_un.d_ptr = 0x300000 - 1; // just before the first segment
    inspect(size);
    assert_false(judged.is_accepted);
}

static void tables_begin_where_their_entries_can(void **state)
{
    (void)state;
    for (int shift = 1; shift < 8; shift++) {
        segment(PT_DYNAMIC)->p_offset += (uint64_t)shift;
        assert_refused("it has no dynamic section");
        dynamic(DT_SYMTAB)->d_un.d_ptr += (uint64_t)shift;
        assert_refused("its symbol table is damaged or cut off");
    }
}

/* The old table of hashes says itself how many symbols there are; it is put in place of the new. */
static void either_table_of_hashes_counts_the_symbols(void **state)
{
    const Elf64_Sym *symbols = (const Elf64_Sym *)(bytes + dynamic(DT_SYMTAB)->d_un.d_ptr);
    const char      *strings = (const char *)bytes + dynamic(DT_STRTAB)->d_un.d_ptr;
    uint32_t         at = 0, *table;

    (void)state;
    if (!dynamic(DT_GNU_HASH) || dynamic(DT_HASH))
        skip();
    while (strcmp(strings + symbols[at].st_name, "bp_plugin_entry") != 0)
        at++;
    dynamic(DT_GNU_HASH)->d_tag = DT_HASH;
    table = (uint32_t *)(bytes + dynamic(DT_HASH)->d_un.d_ptr);
    table[0] = 1;
    table[1] = at + 1;
    inspect(size);
    assert_true(judged.is_accepted);
    table[1] = at;
    assert_refused("it does not export bp_plugin_entry()");
}

static void what_a_file_exports_and_needs_is_listed(void **state)
{
    const char *strings = (const char *)good + dynamic(DT_STRTAB)->d_un.d_ptr;
    size_t      count = 0;

    (void)state;
    inspect(size);
    for (const Elf64_Dyn *entry = (Elf64_Dyn *)(bytes + segment(PT_DYNAMIC)->p_offset);
         entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == DT_NEEDED) {
            assert_true(count < judged.needed.count);
            assert_true(bp_str_is(judged.needed.items[count], strings + entry->d_un.d_val));
            count++;
        }
    assert_int_equal(judged.needed.count, count);
    assert_true(count > 0);
    count = judged.extra_exports.count;
    memcpy(memmem(bytes + dynamic(DT_STRTAB)->d_un.d_ptr, dynamic(DT_STRSZ)->d_un.d_val,
                  "bp_plugin_entry", 16),
           "bp_plugin_entrt", 15);
    inspect(size);
    assert_int_equal(judged.extra_exports.count, count + 1);
    assert_true(bp_str_is(judged.extra_exports.items[count], "bp_plugin_entrt"));
}

/* What stands behind a short note is not part of it. */
static void a_short_note_has_nothing_behind_its_end(void **state)
{
    static const char nothing[sizeof(bp_plugin_note)];

    (void)state;
    note()->descriptor_size = 8;
    inspect(size);
    assert_memory_equal(&judged.note, bytes + ((uint8_t *)note() - bytes), 32);
    assert_memory_equal((char *)&judged.note + 32, nothing, sizeof(bp_plugin_note) - 32);
    assert_false(judged.is_accepted);
}

static void flags_of_either_kind_bind_now(void **state)
{
    (void)state;
    if (dynamic(DT_FLAGS) && dynamic(DT_FLAGS_1)) {
        dynamic(DT_FLAGS)->d_un.d_val = 0;
        inspect(size);
        assert_true(judged.is_accepted);
        memcpy(bytes, good, size);
        dynamic(DT_FLAGS_1)->d_un.d_val = 0;
        inspect(size);
        assert_true(judged.is_accepted);
    }
}

static void any_byte_may_be_wrong(void **state)
{
    uint32_t random = 1;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        size_t at;

        random = random * 1664525u + 1013904223u;
        at = i % 2 ? (random >> 8) % 1024 : (random >> 8) % size;
        bytes[at] ^= (uint8_t)(random >> 3 | 1);
        inspect(i % 16 ? size : (random >> 4) % size);
        bytes[at] = good[at];
    }
}

static void kinds_are_known_by_name(void **state)
{
    (void)state;
    assert_string_equal(plugin_kind_find("app")->name, "app");
    assert_string_equal(plugin_kind_find("storage")->name, "storage");
    for (size_t i = 0; i < 8; i++) {
        static const char *const  names[] = { "storage", "cache",  "vector", "embed",
                                              "llm",     "health", "alert",  "app" };
        const struct plugin_kind *kind = plugin_kind_find(names[i]);

        assert_string_equal(kind->name, names[i]);
        assert_int_equal(kind->oldest, 1);
        assert_int_equal(kind->newest, 1);
    }
    assert_null(plugin_kind_find("ap"));
    assert_null(plugin_kind_find(""));
}

#define INSPECTED(test) cmocka_unit_test_setup_teardown(test, renew, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        INSPECTED(a_good_file_says_what_it_is),
        INSPECTED(what_is_no_shared_object_for_this_machine_is_refused),
        INSPECTED(what_is_cut_off_is_refused),
        INSPECTED(a_note_that_does_not_fit_is_refused),
        INSPECTED(what_is_linked_badly_is_refused),
        INSPECTED(addresses_in_memory_are_not_places_in_the_file),
        INSPECTED(tables_begin_where_their_entries_can),
        INSPECTED(either_table_of_hashes_counts_the_symbols),
        INSPECTED(what_a_file_exports_and_needs_is_listed),
        INSPECTED(a_short_note_has_nothing_behind_its_end),
        INSPECTED(flags_of_either_kind_bind_now),
        INSPECTED(any_byte_may_be_wrong),
        INSPECTED(kinds_are_known_by_name),
    };

    return cmocka_run_group_tests(tests, read_good, forget);
}
