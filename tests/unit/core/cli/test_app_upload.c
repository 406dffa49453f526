/* test_app_upload.c - the body of a command's request, byte by byte, and how it ends when a file
 * cannot be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/app_upload.h"

static char back[4096], room[] = "/tmp/backplane-test-XXXXXX";

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int make_room(void **state)
{
    (void)state;
    strcpy(room + strlen(room) - 6, "XXXXXX");
    return getcwd(back, sizeof(back)) && mkdtemp(room) && chdir(room) == 0 ? 0 : -1;
}

static int leave_room(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", room);
    return chdir(back) == 0 ? system(command) : -1;
}

static struct app_option options[] = { { "list", "FILE", true, true },
                                       { "times", "N", false, false },
                                       { "loud", NULL, false, false } };

/* Reads all, `size` bytes at a time; the text is to be freed. `ends_with` is what the last read
 * returned. */
static char *read_all(struct app_upload *upload, size_t size, size_t *ends_with)
{
    char  *text = calloc(1, 1 << 20), *piece = malloc(size);
    size_t len = 0, count;

    assert_non_null(text);
    assert_non_null(piece);
    while ((count = app_upload_read(upload, piece, size)) > 0 && count <= size) {
        memcpy(text + len, piece, count);
        len += count;
    }
    free(piece);
    *ends_with = count;
    return text;
}

/* With pieces of each size the same; true to its end. */
static void assert_body(const struct app_entry *entry, const struct app_typed *typed,
                        const char *wanted)
{
    static const size_t sizes[] = { 1, 2, 7, 64, 100000 };

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct app_upload upload;
        size_t            ends_with;
        char             *text;

        app_upload_init(&upload, entry, typed);
        text = read_all(&upload, sizes[i], &ends_with);
        assert_string_equal(text, wanted);
        assert_int_equal(ends_with, 0);
        assert_int_equal(app_upload_read(&upload, text, 1), 0); // and stays at its end
        assert_true(upload.is_over);
        assert_string_equal(upload.problem.text, "");
        assert_int_equal(upload.fd, -1);
        free(text);
        app_upload_free(&upload);
    }
}

static void what_was_typed_is_the_first_line(void **state)
{
    char            *words[] = { "a \"b\"", "c" };
    const char      *values[] = { NULL, "3", "" };
    struct app_entry entry = { .options = options, .option_count = 3 };
    struct app_typed typed = { words, 2, values };

    (void)state;
    assert_body(&entry, &typed,
                "{\"words\":[\"a "
                "\\\"b\\\"\",\"c\"],\"options\":{\"times\":\"3\",\"loud\":true}}\n");
    typed.word_count = 0;
    values[1] = values[2] = NULL;
    assert_body(&entry, &typed, "{\"words\":[],\"options\":{}}\n");
    entry.counts_lines = true; // of no files
    assert_body(&entry, &typed, "{\"words\":[],\"options\":{}}\n");
    entry.takes_files = true;
    assert_body(&entry, &typed, "{\"words\":[],\"options\":{},\"lines\":0}\n");
    entry.counts_lines = false;
    assert_body(&entry, &typed, "{\"words\":[],\"options\":{}}\n");
}

static void files_follow_in_their_order_with_their_sizes(void **state)
{
    char            *words[] = { "two", "empty" };
    const char      *values[] = { "one", NULL, NULL };
    struct app_entry entry = { .options = options, .option_count = 3, .takes_files = true };
    struct app_typed typed = { words, 2, values };

    (void)state;
    write_file("one", "1\n");
    write_file("two", "22\n\n2");
    write_file("empty", "");
    assert_body(&entry, &typed,
                "{\"words\":[\"two\",\"empty\"],\"options\":{\"list\":\"one\"}}\n"
                "{\"option\":\"list\",\"name\":\"one\",\"size\":2}\n1\n"
                "{\"name\":\"two\",\"size\":5}\n22\n\n2"
                "{\"name\":\"empty\",\"size\":0}\n");
    entry.takes_files = false;
    assert_body(&entry, &typed,
                "{\"words\":[\"two\",\"empty\"],\"options\":{\"list\":\"one\"}}\n"
                "{\"option\":\"list\",\"name\":\"one\",\"size\":2}\n1\n");
    entry.takes_files = entry.counts_lines = true;
    values[0] = NULL;
    assert_body(&entry, &typed,
                "{\"words\":[\"two\",\"empty\"],\"options\":{},\"lines\":2}\n"
                "{\"name\":\"two\",\"size\":5}\n22\n\n2"
                "{\"name\":\"empty\",\"size\":0}\n");
    words[1] = "two";
    assert_body(&entry, &typed,
                "{\"words\":[\"two\",\"two\"],\"options\":{},\"lines\":4}\n"
                "{\"name\":\"two\",\"size\":5}\n22\n\n2"
                "{\"name\":\"two\",\"size\":5}\n22\n\n2");
}

static void folders_are_walked_by_name_and_what_ends_otherwise_is_left_out(void **state)
{
    char            *words[] = { "docs", "docs/c.md", "docs/b.txt", "other.pdf" };
    struct app_entry entry = { .takes_files = true, .counts_lines = true, .endings = ".txt  .Md" };
    struct app_typed typed = { words, 1, NULL };

    (void)state;
    assert_int_equal(mkdir("docs", 0755) | mkdir("docs/a", 0755) | mkdir("docs/.git", 0755), 0);
    write_file("docs/a/deep.txt", "d");
    write_file("docs/b.txt", "b");
    write_file("docs/c.md", "c");
    write_file("docs/d.MD", "D");
    write_file("docs/e.pdf", "e");
    write_file("docs/f.mdx", "f");
    write_file("docs/md", "m");
    write_file("docs/.hidden.txt", "h");
    write_file("docs/.git/x.txt", "x");
    write_file("docs/.md", "x");
    write_file("other.pdf", "o");
    assert_body(&entry, &typed,
                "{\"words\":[\"docs\"],\"options\":{},\"lines\":0}\n"
                "{\"name\":\"docs/a/deep.txt\",\"size\":1}\nd"
                "{\"name\":\"docs/b.txt\",\"size\":1}\nb"
                "{\"name\":\"docs/c.md\",\"size\":1}\nc"
                "{\"name\":\"docs/d.MD\",\"size\":1}\nD"
                "{\"left_out\":3}\n");
    typed.words = words + 1; // what is named is taken, whatever its ending
    typed.word_count = 3;
    assert_body(&entry, &typed,
                "{\"words\":[\"docs/c.md\",\"docs/b.txt\",\"other.pdf\"],\"options\":{},"
                "\"lines\":0}\n{\"name\":\"docs/c.md\",\"size\":1}\nc"
                "{\"name\":\"docs/b.txt\",\"size\":1}\nb{\"name\":\"other.pdf\",\"size\":1}\no");
    entry.endings = NULL;
    entry.counts_lines = false;
    words[1] = "docs/a";
    typed.word_count = 1;
    write_file("docs/a/any", "a");
    assert_body(&entry, &typed,
                "{\"words\":[\"docs/a\"],\"options\":{}}\n{\"name\":\"docs/a/any\",\"size\":1}\na"
                "{\"name\":\"docs/a/deep.txt\",\"size\":1}\nd");
}

static void many_files_and_deep_folders(void **state)
{
    char            *words[] = { "many" }, path[512] = "deep", *deep[] = { "deep" };
    static char      wanted[16384] = "{\"words\":[\"many\"],\"options\":{}}\n";
    struct app_entry entry = { .takes_files = true };
    struct app_typed typed = { words, 1, NULL };
    static char      found[16384] = "{\"words\":[\"deep\"],\"options\":{}}\n";

    (void)state;
    assert_int_equal(mkdir("many", 0755), 0);
    for (int i = 100; i < 300; i++) { // more than the first array has room for
        char name[32];

        snprintf(name, sizeof(name), "many/%d", i);
        write_file(name, "x");
        snprintf(wanted + strlen(wanted), 64, "{\"name\":\"many/%d\",\"size\":1}\nx", i);
    }
    assert_body(&entry, &typed, wanted);
    for (int depth = 0; depth <= 18; depth++) {
        char file[600];

        assert_int_equal(mkdir(path, 0755), 0);
        snprintf(file, sizeof(file), "%s/f", path);
        write_file(file, "");
        strcat(path, "/a");
    }
    // The folder of depth 16 is the last one that is entered; "a" comes before "f".
    for (int depth = 16; depth >= 0; depth--) {
        strcpy(path, "deep");
        for (int i = 0; i < depth; i++)
            strcat(path, "/a");
        snprintf(found + strlen(found), 128, "{\"name\":\"%s/f\",\"size\":0}\n", path);
    }
    typed.words = deep;
    assert_body(&entry, &typed, found);
}

static void lines_are_not_counted_when_one_is_no_file(void **state)
{
    char            *words[] = { "here", "/dev/null" };
    struct app_entry entry = { .takes_files = true, .counts_lines = true };
    struct app_typed typed = { words, 2, NULL };

    (void)state;
    write_file("here", "1\n2\n");
    assert_body(&entry, &typed,
                "{\"words\":[\"here\",\"/dev/null\"],\"options\":{},\"lines\":0}\n"
                "{\"name\":\"here\",\"size\":4}\n1\n2\n{\"name\":\"/dev/null\"}\n0\n");
}

static void a_pipe_is_sent_in_pieces_with_their_lengths(void **state)
{
    char              path[32], wanted[256], *words[] = { path };
    struct app_entry  entry = { .takes_files = true };
    struct app_typed  typed = { words, 1, NULL };
    struct app_upload upload;
    size_t            ends_with;
    int               pipe_fds[2];
    char             *text;

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(write(pipe_fds[1], "piece", 5), 5);
    close(pipe_fds[1]);
    snprintf(path, sizeof(path), "/dev/fd/%d", pipe_fds[0]);
    snprintf(wanted, sizeof(wanted),
             "{\"words\":[\"%s\"],\"options\":{}}\n{\"name\":\"%s\"}\n5\npiece0\n", path, path);
    app_upload_init(&upload, &entry, &typed);
    text = read_all(&upload, 3, &ends_with);
    assert_string_equal(text, wanted);
    assert_int_equal(ends_with, 0);
    free(text);
    app_upload_free(&upload);
    close(pipe_fds[0]);
}

static void a_file_that_cannot_be_read_ends_the_body(void **state)
{
    static const char *const wanted[] = {
        "{\"words\":[\"good\",\"none\",\"good\"],\"options\":{}}\n{\"name\":\"good\",\"size\":1}\ng"
        "{\"failed\":\"none cannot be read: No such file or directory\"}\n",
        "{\"words\":[\"good\"],\"options\":{\"list\":\"none\"}}\n"
        "{\"failed\":\"none cannot be read: No such file or directory\"}\n",
    };
    char            *words[] = { "good", "none", "good" };
    const char      *values[] = { NULL, NULL, NULL };
    struct app_entry entry = { .options = options, .option_count = 3, .takes_files = true };
    struct app_typed typed = { words, 3, values };

    (void)state;
    write_file("good", "g");
    for (size_t i = 0; i < 2; i++) {
        struct app_upload upload;
        size_t            ends_with;
        char             *text;

        app_upload_init(&upload, &entry, &typed);
        text = read_all(&upload, 11, &ends_with);
        assert_string_equal(text, wanted[i]);
        assert_int_equal(ends_with, 0);
        assert_string_equal(upload.problem.text, "none cannot be read: No such file or directory");
        assert_true(upload.is_over);
        free(text);
        app_upload_free(&upload);
        typed.word_count = 1;
        values[0] = "none";
    }
}

static void a_file_that_becomes_shorter_breaks_the_body_off(void **state)
{
    char             *words[] = { "long" };
    struct app_entry  entry = { .takes_files = true };
    struct app_typed  typed = { words, 1, NULL };
    struct app_upload upload;
    char              bytes[256];

    (void)state;
    write_file("long", "0123456789");
    app_upload_init(&upload, &entry, &typed);
    assert_int_equal(app_upload_read(&upload, bytes, sizeof(bytes)),
                     strlen("{\"words\":[\"long\"],\"options\":{}}\n"));
    assert_int_equal(app_upload_read(&upload, bytes, sizeof(bytes)),
                     strlen("{\"name\":\"long\",\"size\":10}\n"));
    assert_int_equal(app_upload_read(&upload, bytes, 4), 4);
    assert_memory_equal(bytes, "0123", 4);
    assert_int_equal(upload.left, 6);
    assert_false(upload.is_over);
    assert_int_equal(truncate("long", 4), 0);
    assert_int_equal(app_upload_read(&upload, bytes, 4), CLIENT_READ_FAILED);
    assert_string_equal(upload.problem.text, "long became shorter while it was read");
    assert_true(upload.is_over);
    app_upload_free(&upload);
}

static void a_folder_behind_an_option_cannot_be_read(void **state)
{
    const char       *values[] = { ".", NULL, NULL };
    struct app_entry  entry = { .options = options, .option_count = 3 };
    struct app_typed  typed = { NULL, 0, values };
    struct app_upload upload;
    size_t            ends_with;
    char             *text;

    (void)state;
    app_upload_init(&upload, &entry, &typed);
    text = read_all(&upload, 1000, &ends_with);
    assert_string_equal(text, "{\"words\":[],\"options\":{\"list\":\".\"}}\n"
                              "{\"option\":\"list\",\"name\":\".\"}\n");
    assert_int_equal(ends_with, CLIENT_READ_FAILED);
    assert_string_equal(upload.problem.text, ". cannot be read to its end");
    assert_true(upload.is_over);
    free(text);
    app_upload_free(&upload);
}

#define IN_ROOM(test) cmocka_unit_test_setup_teardown(test, make_room, leave_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(what_was_typed_is_the_first_line),
        IN_ROOM(files_follow_in_their_order_with_their_sizes),
        IN_ROOM(folders_are_walked_by_name_and_what_ends_otherwise_is_left_out),
        IN_ROOM(many_files_and_deep_folders),
        IN_ROOM(lines_are_not_counted_when_one_is_no_file),
        IN_ROOM(a_pipe_is_sent_in_pieces_with_their_lengths),
        IN_ROOM(a_file_that_cannot_be_read_ends_the_body),
        IN_ROOM(a_file_that_becomes_shorter_breaks_the_body_off),
        IN_ROOM(a_folder_behind_an_option_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
