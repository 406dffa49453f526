/* test_inspect_image.c - each bound of the tables that inspect.c reads: one that ends where the
 * file ends, one byte less, and one entry more. */
#include "image_rig.h"

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
    made->segments[SPARE] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_offset = AT(strings), .p_vaddr = 0x90000, .p_filesz = sizeof(texts)
    };
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
    words[1] = 1;
    assert_judged(no_entry);
    assert_list(&judged.extra_exports, "");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        MADE(the_made_file_is_good),
        MADE(headers_may_end_where_the_file_ends),
        MADE(segments_and_sections_may_end_where_the_file_ends),
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
