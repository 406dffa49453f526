/* test_inspect_notes.c - the notes of a plugin file: where one may stand, how long it may be, and
 * which of them counts. */
#include "image_rig.h"

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
    for (size_t behind = 8; behind <= 16;
         behind += 8) { // too few bytes for a note, or an empty one
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
        put_notes(sizeof(*made),
                  note_bytes(sizeof(*made), others[i].name_size, 88, others[i].type, name));
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
             "its note is shorter (%u bytes) than that of ABI 1.0 (%u): build it with the SDK's "
             "own "
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        MADE(a_note_stands_behind_others_of_any_length),
        MADE(notes_end_where_their_segment_ends),
        MADE(only_the_first_backplane_note_counts),
        MADE(a_longer_note_is_read_as_far_as_it_is_known),
        MADE(a_note_of_this_sdk_is_as_long_as_its_struct),
        MADE(texts_of_a_note_end_within_it),
        MADE(names_are_of_their_letters),
        MADE(the_build_id_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
