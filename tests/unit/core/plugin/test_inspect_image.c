/* test_inspect_image.c - each bound of what inspect.c reads, at a small file made here: a table
 * that ends where the file ends, one byte less, and one entry more. Memory that may not be read
 * begins where the file ends. */
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
    made->symbols[at] =
        (Elf64_Sym){ .st_name = name, .st_info = ELF64_ST_INFO(STB_GLOBAL, type), .st_shndx = 1 };
}

static void put_note(void)
{
    made->note =
        (bp_plugin_note){ .owner_size = 10,
                          .descriptor_size = sizeof(made->note) - offsetof(bp_plugin_note, magic),
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
    made->hash = (struct hash){ .bucket_count = 2,
                                .first = 1,
                                .bloom_count = 1,
                                .buckets = { 1, 2 },
                                .chains = { 1, 2, 3 } }; // of the symbols 1, 2 and 3
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
    made->segments[LOADED] =
        (Elf64_Phdr){ .p_type = PT_LOAD, .p_vaddr = ADDRESS, .p_filesz = size };
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
static const char not_bound[] =
    "it was not linked with -z now, so a missing symbol would end the host at the first call: use "
    "bp_add_plugin() or pkg-config --libs backplane-sdk";

static void assert_list(const bp_str_list *list, const char *wanted)
{
    char text[4096] = "";

    for (size_t i = 0; i < list->count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s;", list->items[i].data);
    assert_string_equal(text, wanted);
}

static void the_made_file_is_good(void **state)
{
    (void)state;
    make(0);
    assert_judged(good);
    assert_true(judged.is_readable);
    assert_memory_equal(&judged.note, &made->note, sizeof(made->note));
    assert_string_equal(judged.build_id, "");
    assert_list(&judged.extra_exports, "one;two;");
    assert_list(&judged.needed, "liba.so;libb.so;");
}

/* ---- headers and segments ---- */

static void headers_may_end_where_the_file_ends(void **state)
{
    (void)state;
    make(sizeof(made->segments));
    memcpy(made + 1, made->segments, sizeof(made->segments));
    made->header.e_phoff = sizeof(*made);
    assert_judged(good);
    made->header.e_phnum++;
    assert_judged(no_headers);
    made->header.e_phnum--;
    made->header.e_phoff += 8;
    assert_judged(no_headers);
    made->header.e_phoff -= 4; // within, but at an address that they cannot have
    assert_judged(no_headers);
    make(0);
    made->header.e_phentsize = sizeof(Elf64_Phdr) + 1;
    assert_judged(no_headers);
    make(0);
    made->header.e_phnum = 0;
    made->header.e_phoff = size;
    assert_judged(no_note);
    made->header.e_phoff = size + 8;
    assert_judged(no_headers);
    make(0);
    size = sizeof(Elf64_Ehdr);
    assert_judged(no_headers);
    size = sizeof(Elf64_Ehdr) - 1;
    assert_judged("it is not an ELF file");
}

static void segments_and_sections_may_end_where_the_file_ends(void **state)
{
    (void)state;
    make(0);
    made->segments[SPARE] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = 1, .p_filesz = size - 1 };
    assert_judged(good);
    made->segments[SPARE].p_filesz++;
    assert_judged(no_segment);
    made->segments[SPARE].p_type = PT_NULL;
    assert_judged(good);
    made->segments[SPARE] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = size };
    assert_judged(good);
    made->segments[SPARE].p_offset++;
    assert_judged(no_segment);
    make(0);
    made->header.e_shnum = 2;
    made->header.e_shoff = size - 2 * sizeof(Elf64_Shdr);
    assert_judged(good);
    made->header.e_shoff++;
    assert_judged(no_sections);
    made->header.e_shoff -= 2; // anywhere will do, as nobody reads them
    assert_judged(good);
    made->header.e_shnum = 0;
    made->header.e_shoff = size + 1;
    assert_judged(good);
}

/* ---- notes ---- */

/* Puts them behind the file, each padded to four. */
static size_t note_bytes(size_t at, uint32_t name_size, uint32_t desc_size, uint32_t type,
                         const char *name)
{
    uint8_t   *to = (uint8_t *)made + at;
    Elf64_Nhdr head = { .n_namesz = name_size, .n_descsz = desc_size, .n_type = type };

    memcpy(to, &head, sizeof(head));
    memset(to + sizeof(head), 0xc5, (name_size + 3) / 4 * 4 + (desc_size + 3) / 4 * 4);
    memcpy(to + sizeof(head), name, name_size);
    return at + sizeof(head) + (name_size + 3) / 4 * 4 + (desc_size + 3) / 4 * 4;
}

static void put_notes(size_t from, size_t to)
{
    made->segments[NOTES].p_offset = from;
    made->segments[NOTES].p_filesz = to - from;
}

static void a_note_stands_behind_others_of_any_length(void **state)
{
    (void)state;
    for (uint32_t name_size = 0; name_size < 9; name_size++)
        for (uint32_t desc_size = 0; desc_size < 9; desc_size++) {
            size_t end;

            make(256);
            end = note_bytes(sizeof(*made), name_size, desc_size, 7, "whatever");
            memcpy((uint8_t *)made + end, &made->note, sizeof(made->note));
            put_notes(sizeof(*made), end + sizeof(made->note));
            assert_judged(good);
            made->segments[NOTES].p_filesz -= 4; // it is not whole
            assert_judged(no_note);
        }
}

static void notes_end_where_their_segment_ends(void **state)
{
    (void)state;
    make(0);
    made->segments[NOTES].p_filesz--;
    assert_judged(no_note);
    for (size_t behind = 8; behind <= 16; behind += 8) { // too few bytes for a note, or an empty one
        make(sizeof(made->note) + behind);
        memcpy(made + 1, &made->note, sizeof(made->note));
        put_notes(sizeof(*made), size);
        assert_judged(good);
    }
    made->segments[NOTES].p_filesz += 4; // beyond the file
    assert_judged(no_note);
    make(0);
    made->segments[NOTES].p_offset -= 2; // not where a note can be
    assert_judged(no_note);
    make(0);
    made->segments[NOTES].p_type = PT_NULL;
    assert_judged(no_note);
    make(0); // any of several segments will do
    made->segments[SPARE] = made->segments[NOTES];
    made->segments[NOTES].p_filesz = 0;
    assert_judged(good);
}

static void only_the_first_backplane_note_counts(void **state)
{
    static const struct {
        uint32_t    name_size, type;
        const char *name;
    } others[] = { { 10, 2, "Backplane" }, { 10, 0, "Backplane" },  { 9, 1, "Backplane" },
                   { 11, 1, "Backplane" }, { 10, 1, "BackplaneX" }, { 10, 1, "backplane" } };

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char name[12] = "";

        make(128);
        memcpy(name, others[i].name, strlen(others[i].name));
        put_notes(sizeof(*made), note_bytes(sizeof(*made), others[i].name_size, 88,
                                            others[i].type, name));
        assert_judged(no_note);
        assert_false(judged.is_readable);
    }
    make(2 * sizeof(made->note));
    memcpy(made + 1, &made->note, sizeof(made->note));
    made->note.name[0] = 'b';
    memcpy((uint8_t *)(made + 1) + sizeof(made->note), &made->note, sizeof(made->note));
    put_notes(sizeof(*made), size);
    assert_judged(good);
    assert_string_equal(judged.note.name, "fake");
}

static void a_longer_note_is_read_as_far_as_it_is_known(void **state)
{
    bp_plugin_note *note;

    (void)state;
    make(sizeof(made->note) + 8);
    note = (bp_plugin_note *)(made + 1);
    *note = made->note;
    note->descriptor_size += 8;
    memset(note + 1, 0xee, 8);
    put_notes(sizeof(*made), size);
    assert_judged(good);
    assert_memory_equal(&judged.note, note, sizeof(*note));
    assert_string_equal(judged.build_id, "");
}

static void a_note_of_this_sdk_is_as_long_as_its_struct(void **state)
{
    uint32_t least = sizeof(bp_plugin_note) - offsetof(bp_plugin_note, magic);
    char     sentence[160];

    (void)state;
    make(0);
    made->note.descriptor_size = least - 1;
    snprintf(sentence, sizeof(sentence),
             "its note is shorter (%u bytes) than that of ABI 1.0 (%u): build it with the SDK's own "
             "BP_PLUGIN()",
             least - 1, least);
    assert_judged(sentence);
}

static void texts_of_a_note_end_within_it(void **state)
{
    bp_plugin_note wanted;

    (void)state;
    make(0);
    memset(made->note.kind, 'k', sizeof(made->note.kind));
    memset(made->note.name, 'n', sizeof(made->note.name));
    memset(made->note.version, 'v', sizeof(made->note.version));
    wanted = made->note;
    wanted.kind[15] = wanted.name[31] = wanted.version[23] = '\0';
    assert_judged("it is of kind \"kkkkkkkkkkkkkkk\", which this host does not know");
    assert_memory_equal(&judged.note, &wanted, sizeof(wanted));
    memcpy(made->note.kind, "cache", 6);
    assert_judged(good);
    assert_string_equal(judged.build_id, "");
}

static void names_are_of_their_letters(void **state)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

    (void)state;
    for (int letter = 1; letter < 256; letter++) {
        make(0);
        snprintf(made->note.name, sizeof(made->note.name), "a%cz", letter);
        inspect();
        assert_int_equal(judged.is_accepted, strchr(letters, letter) != NULL);
    }
}

static void the_build_id_is_read(void **state)
{
    static const struct {
        uint32_t    name_size, size, type;
        const char *name, *wanted;
    } cases[] = {
        { 4, 20, NT_GNU_BUILD_ID, "GNU", "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3" },
        { 4, 1, NT_GNU_BUILD_ID, "GNU", "a0" },
        { 4, 0, NT_GNU_BUILD_ID, "GNU", "" },
        { 4, 21, NT_GNU_BUILD_ID, "GNU", "" }, // more than there is room for
        { 4, 20, NT_GNU_BUILD_ID, "GNUX", "" },
        { 3, 20, NT_GNU_BUILD_ID, "GNU", "" },
        { 4, 20, NT_GNU_BUILD_ID - 1, "GNU", "" },
        { 4, 20, NT_GNU_BUILD_ID + 1, "GNU", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t end;

        make(0);
        made->build.head = (Elf64_Nhdr){ .n_namesz = cases[i].name_size,
                                         .n_descsz = cases[i].size,
                                         .n_type = cases[i].type };
        memcpy(made->build.name, cases[i].name, 4);
        end = AT(build) + 16 + (cases[i].size + 3) / 4 * 4;
        memmove((uint8_t *)made + end, &made->note, sizeof(made->note));
        put_notes(AT(build), end + sizeof(made->note));
        inspect();
        assert_string_equal(judged.build_id, cases[i].wanted);
        assert_true(judged.is_readable);
    }
}

/* ---- the dynamic section ---- */

static void the_dynamic_section_may_end_where_the_file_ends(void **state)
{
    (void)state;
    make(7 * sizeof(Elf64_Dyn)); // and nothing says that it ends
    memcpy(made + 1, made->dynamic, 7 * sizeof(Elf64_Dyn));
    made->segments[DYNAMIC].p_offset = sizeof(*made);
    made->segments[DYNAMIC].p_filesz = 7 * sizeof(Elf64_Dyn);
    assert_judged(good);
    assert_list(&judged.needed, "liba.so;libb.so;");
    made->segments[DYNAMIC].p_filesz -= 1; // half an entry is none
    assert_judged(good);
    assert_list(&judged.needed, "liba.so;");
    made->segments[DYNAMIC].p_filesz += 2;
    assert_judged(no_dynamic);
    make(0);
    put_dynamic(6, DT_NULL, 0); // what stands behind the end does not count
    put_dynamic(7, DT_NEEDED, NAME_ONE);
    assert_judged(good);
    assert_list(&judged.needed, "liba.so;");
    made->segments[DYNAMIC].p_filesz = 0;
    assert_judged(no_symbols);
}

static void it_is_bound_by_any_of_three_entries(void **state)
{
    static const struct {
        int64_t     tag;
        uint64_t    value;
        const char *wanted;
    } cases[] = {
        { DT_BIND_NOW, 0, good },
        { DT_FLAGS, DF_BIND_NOW, good },
        { DT_FLAGS, ~(uint64_t)DF_BIND_NOW, not_bound },
        { DT_FLAGS_1, DF_1_NOW, good },
        { DT_FLAGS_1, ~(uint64_t)DF_1_NOW, not_bound },
        { DT_DEBUG, ~0ull, not_bound },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        make(0);
        put_dynamic(4, cases[i].tag, cases[i].value);
        assert_judged(cases[i].wanted);
        put_dynamic(7, DT_FLAGS, 0); // does not take it back
        put_dynamic(8, DT_FLAGS_1, 0);
        assert_judged(cases[i].wanted);
    }
}

static void as_many_needed_libraries_are_listed_as_there_is_room_for(void **state)
{
    (void)state;
    for (size_t count = 63; count < 67; count++) {
        make(0);
        for (size_t i = 0; i < count; i++)
            put_dynamic(5 + i, DT_NEEDED, i ? NAME_ONE : LIBRARY_A);
        assert_judged(good);
        assert_int_equal(judged.needed.count, count < 64 ? count : 64);
        assert_string_equal(judged.needed.items[0].data, "liba.so");
        assert_string_equal(judged.needed.items[62].data, "one");
    }
    make(0);
    put_dynamic(5, DT_NEEDED, sizeof(texts)); // no text of the file
    assert_judged(good);
    assert_list(&judged.needed, "libb.so;");
    put_dynamic(5, DT_NEEDED, sizeof(texts) - 1); // the last, which is empty
    assert_judged(good);
    assert_list(&judged.needed, ";libb.so;");
}

/* ---- symbols ---- */

static void texts_may_end_where_the_file_ends(void **state)
{
    (void)state;
    make(48);
    memcpy((char *)(made + 1) + 48 - sizeof(texts), texts, sizeof(texts));
    put_dynamic(0, DT_STRTAB, ADDRESS_OF(size - sizeof(texts)));
    assert_judged(good);
    assert_list(&judged.extra_exports, "one;two;");
    put_dynamic(1, DT_STRSZ, sizeof(texts) + 1);
    assert_judged(no_symbols);
    put_dynamic(1, DT_STRSZ, sizeof(texts) - 1); // the last one has no end
    assert_judged(no_symbols);
    put_dynamic(1, DT_STRSZ, 0);
    assert_judged(no_symbols);
    make(0);
    put_dynamic(0, DT_STRTAB, ADDRESS - 1);
    assert_judged(no_symbols);
    put_dynamic(0, DT_STRTAB, ADDRESS_OF(size));
    assert_judged(no_symbols);
    put_dynamic(0, DT_STRTAB, ADDRESS_OF(size - 1)); // one empty text
    put_dynamic(1, DT_STRSZ, 1);
    assert_judged(no_entry);
}

static void addresses_are_those_of_the_segment_that_has_them(void **state)
{
    (void)state;
    make(0);
    made->segments[LOADED].p_filesz = AT(strings); // all but the texts, which are elsewhere
    made->segments[SPARE] = (Elf64_Phdr){ .p_type = PT_LOAD,
                                          .p_offset = AT(strings),
                                          .p_vaddr = 0x90000,
                                          .p_filesz = sizeof(texts) };
    assert_judged(no_symbols);
    put_dynamic(0, DT_STRTAB, 0x90000);
    assert_judged(good);
    assert_list(&judged.extra_exports, "one;two;");
    made->segments[SPARE].p_type = PT_TLS; // only what is loaded has addresses
    assert_judged(no_symbols);
}

static void symbols_may_end_where_the_file_ends(void **state)
{
    (void)state;
    make(4 * sizeof(Elf64_Sym));
    memcpy(made + 1, made->symbols, 4 * sizeof(Elf64_Sym));
    put_dynamic(2, DT_SYMTAB, ADDRESS_OF(sizeof(*made)));
    assert_judged(good);
    assert_list(&judged.extra_exports, "one;two;");
    put_dynamic(2, DT_SYMTAB, ADDRESS_OF(sizeof(*made) + 8));
    assert_judged(no_symbols);
    put_dynamic(2, DT_SYMTAB, ADDRESS_OF(AT(symbols) + 4)); // not where one can be
    assert_judged(no_symbols);
}

static void what_others_cannot_see_is_no_export(void **state)
{
    (void)state;
    make(0);
    made->symbols[1].st_shndx = SHN_UNDEF;
    assert_judged(good);
    assert_list(&judged.extra_exports, "two;");
    made->symbols[3].st_other = STV_HIDDEN;
    assert_judged(good);
    assert_list(&judged.extra_exports, "");
    made->symbols[3].st_other = STV_PROTECTED;
    made->symbols[3].st_info = ELF64_ST_INFO(STB_LOCAL, STT_OBJECT);
    assert_judged(good);
    assert_list(&judged.extra_exports, "");
    made->symbols[3].st_info = ELF64_ST_INFO(STB_WEAK, STT_OBJECT);
    assert_judged(good);
    assert_list(&judged.extra_exports, "two;");
    made->symbols[3].st_name = sizeof(texts) - 1;
    assert_judged(good);
    assert_list(&judged.extra_exports, ";");
    made->symbols[3].st_name++;
    assert_judged(good);
    assert_list(&judged.extra_exports, "");
    made->symbols[2].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT); // no function
    assert_judged(no_entry);
    assert_list(&judged.extra_exports, "bp_plugin_entry;");
}

static void as_many_exports_are_listed_as_there_is_room_for(void **state)
{
    (void)state;
    for (uint32_t count = 63; count < 67; count++) {
        make(0);
        for (uint32_t i = 0; i <= count; i++)
            put_symbol(i + 1, i == count ? NAME_OF_ENTRY : i ? NAME_TWO : NAME_ONE, STT_FUNC);
        made->hash.buckets[1] = count + 1;
        made->hash.chains[count] = 1;
        assert_judged(good); // the entry is found behind them
        assert_int_equal(judged.extra_exports.count, count < 64 ? count : 64);
        assert_string_equal(judged.extra_exports.items[0].data, "one");
        assert_string_equal(judged.extra_exports.items[62].data, "two");
    }
}

/* There is no room for the lists, which are for people; the judgement is the same. */
static void a_file_is_judged_without_memory_for_its_lists(void **state)
{
    struct arena small;

    (void)state;
    make(0);
    arena_init(&small, 1);
    memset(&judged, 0, sizeof(judged));
    plugin_inspect_bytes(&small, made, size, &judged);
    assert_true(judged.is_accepted);
    assert_int_equal(judged.extra_exports.count, 0);
    assert_int_equal(judged.needed.count, 0);
    arena_free(&small);
}

/* ---- how many symbols there are ---- */

/* One bucket, and the chain of the symbols 1, 2 and 3 behind it: 16 + 8 + 4 + 12 bytes. */
static uint32_t *small_hash(void)
{
    static const uint32_t words[] = { 1, 1, 1, 0, 0, 0, 1, 2, 2, 3 };

    make(sizeof(words));
    memcpy(made + 1, words, sizeof(words));
    put_dynamic(3, DT_GNU_HASH, ADDRESS_OF(sizeof(*made)));
    return (uint32_t *)(void *)(made + 1);
}

static void the_new_hash_counts_to_the_end_of_its_last_chain(void **state)
{
    uint32_t *words = small_hash();

    (void)state;
    assert_judged(good);
    assert_list(&judged.extra_exports, "one;two;");
    words[8] = 3; // the chain ends before the last symbol
    assert_judged(good);
    assert_list(&judged.extra_exports, "one;");
    words[7] = 3;
    assert_judged(no_entry);
    assert_list(&judged.extra_exports, "one;");
    words[6] = 2; // the last chain begins later
    assert_judged(good);
    assert_list(&judged.extra_exports, "one;");
    words = small_hash();
    words[9] = 2; // no chain ends before the file ends
    assert_judged(no_entry);
    assert_list(&judged.extra_exports, "");
    words = small_hash();
    words[0] = 5; // more buckets than there are words
    assert_judged(no_entry);
    words = small_hash();
    words[2] = 3; // or a longer filter
    assert_judged(no_entry);
    words = small_hash();
    words[6] = 0; // none has a hash, so there are those without: only what is imported
    words[1] = 4;
    assert_judged(good);
    assert_list(&judged.extra_exports, "one;two;");
    words[1] = 3;
    assert_judged(good);
    assert_list(&judged.extra_exports, "one;");
    words = small_hash();
    put_dynamic(3, DT_GNU_HASH, ADDRESS_OF(size - 16)); // a head and nothing behind it
    memcpy((uint8_t *)made + size - 16, (uint32_t[]){ 0, 3, 0, 0 }, 16);
    assert_judged(good);
    assert_list(&judged.extra_exports, "one;");
    put_dynamic(3, DT_GNU_HASH, ADDRESS_OF(size - 12));
    assert_judged(no_entry);
}

static void the_longest_chain_may_be_in_any_bucket(void **state)
{
    (void)state;
    make(0);
    made->hash.buckets[0] = 3;
    made->hash.buckets[1] = 1;
    assert_judged(good);
    assert_list(&judged.extra_exports, "one;two;");
    made->hash.buckets[1] = 3;
    assert_judged(good);
    assert_list(&judged.extra_exports, "one;two;");
}

static void the_old_hash_says_how_many_there_are(void **state)
{
    uint32_t *words;

    (void)state;
    make(8);
    words = (uint32_t *)(void *)(made + 1);
    words[0] = 7;
    words[1] = 3;
    put_dynamic(3, DT_HASH, ADDRESS_OF(sizeof(*made)));
    assert_judged(good);
    assert_list(&judged.extra_exports, "one;");
    words[1] = 4;
    assert_judged(good);
    assert_list(&judged.extra_exports, "one;two;");
    put_dynamic(3, DT_HASH, ADDRESS_OF(sizeof(*made) + 4)); // only half of its head
    assert_judged(no_entry);
    put_dynamic(3, DT_HASH, ADDRESS_OF(sizeof(*made) - 2)); // not where one can be
    assert_judged(no_entry);
    put_dynamic(3, DT_HASH, ADDRESS_OF(sizeof(*made)));
    put_dynamic(7, DT_GNU_HASH, ADDRESS_OF(AT(hash))); // the new one is believed
    words[1] = 3;
    assert_judged(good);
    assert_list(&judged.extra_exports, "one;two;");
    put_dynamic(7, DT_NULL, 0);
    put_dynamic(3, DT_DEBUG, 0);
    assert_judged(no_entry); // none of them
}

#define MADE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MADE(the_made_file_is_good),
        MADE(headers_may_end_where_the_file_ends),
        MADE(segments_and_sections_may_end_where_the_file_ends),
        MADE(a_note_stands_behind_others_of_any_length),
        MADE(notes_end_where_their_segment_ends),
        MADE(only_the_first_backplane_note_counts),
        MADE(a_longer_note_is_read_as_far_as_it_is_known),
        MADE(a_note_of_this_sdk_is_as_long_as_its_struct),
        MADE(texts_of_a_note_end_within_it),
        MADE(names_are_of_their_letters),
        MADE(the_build_id_is_read),
        MADE(the_dynamic_section_may_end_where_the_file_ends),
        MADE(it_is_bound_by_any_of_three_entries),
        MADE(as_many_needed_libraries_are_listed_as_there_is_room_for),
        MADE(texts_may_end_where_the_file_ends),
        MADE(addresses_are_those_of_the_segment_that_has_them),
        MADE(symbols_may_end_where_the_file_ends),
        MADE(what_others_cannot_see_is_no_export),
        MADE(as_many_exports_are_listed_as_there_is_room_for),
        MADE(a_file_is_judged_without_memory_for_its_lists),
        MADE(the_new_hash_counts_to_the_end_of_its_last_chain),
        MADE(the_longest_chain_may_be_in_any_bucket),
        MADE(the_old_hash_says_how_many_there_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
