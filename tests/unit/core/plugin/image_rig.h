/* image_rig.h - a small plugin file made in memory, with one thing after another wrong. Memory that
 * may not be read begins where the file ends. */
#ifndef TESTS_UNIT_CORE_PLUGIN_IMAGE_RIG_H
#define TESTS_UNIT_CORE_PLUGIN_IMAGE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plugin/inspect.h"

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#else
#define MACHINE EM_AARCH64
#endif

enum { ADDRESS = 0x40000, ENTRIES = 80, SYMBOLS = 72, ROOM = 1 << 16 };
enum { LOADED, NOTES, DYNAMIC, SPARE, SEGMENTS };

struct hash {
    uint32_t bucket_count, first, bloom_count, shift;
    uint64_t bloom[1];
    uint32_t buckets[2];
    uint32_t chains[SYMBOLS];
};

struct file_of_test {
    Elf64_Ehdr header;
    Elf64_Phdr segments[SEGMENTS];
    struct {
        Elf64_Nhdr head;
        char       name[4];
        uint8_t    id[24];
    } build;
    bp_plugin_note note;
    Elf64_Dyn      dynamic[ENTRIES];
    struct hash    hash;
    uint32_t       old_hash[2];
    Elf64_Sym      symbols[SYMBOLS];
    char           strings[128];
};

static uint8_t             *room; /* behind it nothing may be read */
static struct file_of_test *made;
static size_t               size;
static struct arena         arena;
static struct plugin_file   judged;

enum { NAME_OF_ENTRY = 1, NAME_ONE = 17, NAME_TWO = 21, LIBRARY_A = 25, LIBRARY_B = 33 };
static const char texts[] = "\0bp_plugin_entry\0one\0two\0liba.so\0libb.so";

#define AT(field)      offsetof(struct file_of_test, field)
#define ADDRESS_OF(at) (ADDRESS + (at))

static void put_dynamic(size_t at, int64_t tag, uint64_t value)
{
    made->dynamic[at] = (Elf64_Dyn){ .d_tag = tag, .d_un.d_val = value };
}

static void put_symbol(size_t at, uint32_t name, unsigned type)
{
    made->symbols[at] = (Elf64_Sym){ .st_name = name,
                                     .st_info = ELF64_ST_INFO(STB_GLOBAL, type),
                                     .st_shndx = 1 };
}

static void put_note(void)
{
    made->note = (bp_plugin_note){ .owner_size = 10,
                                   .descriptor_size = sizeof(made->note) -
                                                      offsetof(bp_plugin_note, magic),
                                   .type = 1,
                                   .owner = "Backplane",
                                   .magic = BP_PLUGIN_MAGIC,
                                   .abi_major = BP_ABI_MAJOR,
                                   .abi_minor = BP_ABI_MINOR,
                                   .kind_version = 1,
                                   .kind = "cache",
                                   .name = "fake",
                                   .version = "1.2.3" };
    made->build.head = (Elf64_Nhdr){ .n_namesz = 4, .n_descsz = 20, .n_type = NT_GNU_BUILD_ID };
    memcpy(made->build.name, "GNU", 4);
    for (uint8_t i = 0; i < 24; i++)
        made->build.id[i] = (uint8_t)(0xa0 + i);
}

static void put_tables(void)
{
    put_dynamic(0, DT_STRTAB, ADDRESS_OF(AT(strings)));
    put_dynamic(1, DT_STRSZ, sizeof(texts));
    put_dynamic(2, DT_SYMTAB, ADDRESS_OF(AT(symbols)));
    put_dynamic(3, DT_GNU_HASH, ADDRESS_OF(AT(hash)));
    put_dynamic(4, DT_BIND_NOW, 0);
    put_dynamic(5, DT_NEEDED, LIBRARY_A);
    put_dynamic(6, DT_NEEDED, LIBRARY_B);
    put_dynamic(7, DT_NULL, 0);
    memcpy(made->strings, texts, sizeof(texts));
    put_symbol(0, NAME_TWO, STT_FUNC); // the first one is never anybody's
    put_symbol(1, NAME_ONE, STT_FUNC);
    put_symbol(2, NAME_OF_ENTRY, STT_FUNC);
    put_symbol(3, NAME_TWO, STT_OBJECT);
    made->hash = (struct hash){
        .bucket_count = 2, .first = 1, .bloom_count = 1, .buckets = { 1, 2 }, .chains = { 1, 2, 3 }
    }; // of the symbols 1, 2 and 3
}

static void make(size_t behind)
{
    size = sizeof(*made) + behind;
    assert_int_equal(size % 8, 0);
    made = (struct file_of_test *)(void *)(room + ROOM - size);
    memset(made, 0, size);
    made->header = (Elf64_Ehdr){ .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
                                              ELFDATA2LSB },
                                 .e_type = ET_DYN,
                                 .e_machine = MACHINE,
                                 .e_phoff = AT(segments),
                                 .e_phentsize = sizeof(Elf64_Phdr),
                                 .e_phnum = SEGMENTS };
    made->segments[LOADED] = (Elf64_Phdr){ .p_type = PT_LOAD,
                                           .p_vaddr = ADDRESS,
                                           .p_filesz = size };
    made->segments[NOTES] = (Elf64_Phdr){ .p_type = PT_NOTE,
                                          .p_offset = AT(note),
                                          .p_filesz = sizeof(made->note) };
    made->segments[DYNAMIC] = (Elf64_Phdr){ .p_type = PT_DYNAMIC,
                                            .p_offset = AT(dynamic),
                                            .p_filesz = sizeof(made->dynamic) };
    put_note();
    put_tables();
}

static int set_up(void **state)
{
    (void)state;
    room = mmap(NULL, 2 * ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    arena_init(&arena, 1 << 20);
    return room == MAP_FAILED ? -1 : mprotect(room + ROOM, ROOM, PROT_NONE);
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return munmap(room, 2 * ROOM);
}

static void inspect(void)
{
    memset(&judged, 0, sizeof(judged));
    plugin_inspect_bytes(&arena, made, size, &judged);
    assert_int_equal(judged.is_accepted, judged.problem.text[0] == '\0');
}

/* "" is a file that is taken. */
#define assert_judged(sentence)                                                                    \
    do {                                                                                           \
        inspect();                                                                                 \
        assert_string_equal(judged.problem.text, sentence);                                        \
    } while (0)

static const char good[] = "";
static const char no_headers[] = "it is cut off: its program headers lie beyond its end";
static const char no_segment[] = "it is cut off: a segment lies beyond its end";
static const char no_sections[] = "it is cut off: its section headers lie beyond its end";
static const char no_dynamic[] = "it has no dynamic section: link it with -shared";
static const char no_symbols[] = "its symbol table is damaged or cut off";
static const char no_note[] = "it has no Backplane note, so it is not a Backplane plugin: use "
                              "BP_PLUGIN() from <backplane/plugin.h>";
static const char no_entry[] = "it does not export bp_plugin_entry(): write BP_PLUGIN(...) in "
                               "exactly one source file and do not hide it by a version script";
static const char not_bound[] = "it was not linked with -z now, so a missing symbol would end the "
                                "host at the first call: use "
                                "bp_add_plugin() or pkg-config --libs backplane-sdk";

static inline void assert_list(const bp_str_list *list, const char *wanted)
{
    char text[4096] = "";

    for (size_t i = 0; i < list->count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s;", list->items[i].data);
    assert_string_equal(text, wanted);
}

#define MADE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
