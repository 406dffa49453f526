/* test_sources.c - sources.c: watched folders, whose files are documents as long as they are there.
 */
#include "plugins/app_retrieval/retrieval_test.h"

#include <fcntl.h>
#include <time.h>

static char folder[128];

static void in_folder(const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", folder, name);
}

/* Writes a file whose time of change is `seconds`, which says whether it is looked into. */
static void write_file(const char *name, const char *text, time_t seconds)
{
    char                  path[512];
    const struct timespec times[2] = { { seconds, 5 }, { seconds, 5 } };
    FILE                 *file;

    in_folder(name, path, sizeof(path));
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void make_folder(const char *name)
{
    char path[512];

    in_folder(name, path, sizeof(path));
    assert_int_equal(mkdir(path, 0755), 0);
}

static void drop_file(const char *name)
{
    char path[512];

    in_folder(name, path, sizeof(path));
    assert_int_equal(unlink(path), 0);
}

/* The text with the folder's name cut out of it. */
static const char *without_folder(const char *text)
{
    bp_buf *buf = bp_buf_new(call, 1 << 20);

    for (const char *at; (at = strstr(text, folder)); text = at + strlen(folder)) {
        bp_buf_add(buf, bp_str_n(text, (size_t)(at - text)));
        bp_buf_add(buf, BP_STR("~"));
    }
    bp_buf_add(buf, bp_str_of(text));
    return bp_buf_str(buf).data;
}

#define assert_walked(wanted) (assert_string_equal(without_folder(trace), wanted), forget())
#define assert_kept(wanted)                                                                        \
    assert_string_equal(without_folder(                                                            \
                            rows_of("SELECT external_id, title, source, format, body FROM "        \
                                    "retrieval_documents ORDER BY external_id")),                  \
                        wanted)

static void begin(void)
{
    char source[160];

    snprintf(folder, sizeof(folder), "%s/src", directory);
    mkdir(folder, 0755);
    snprintf(source, sizeof(source), "%s//", folder);
    START({ "sources", source }, { "collection", "notes" });
}

static void files_are_documents_as_they_change(void **state)
{
    (void)state;
    begin();
    write_file("a.md", "intro\n# Title A\ntext a\n", 100);
    write_file("b.txt", "text b", 100);
    make_folder("sub");
    write_file("sub/c.rst", "#Not a title\n# \n#\n", 100);
    round_of();
    assert_walked("create C0 m1 en 3 0\n"
                  "embed passages [Title A\n"
                  "\n"
                  "intro] [Title A\n"
                  "Title A\n"
                  "text a]\n"
                  "upsert C0 1 2\n"
                  "embed passages [b.txt\n"
                  "\n"
                  "text b]\n"
                  "upsert C0 3\n"
                  "embed passages [c.rst\n"
                  "\n"
                  "#Not a title\n"
                  "# \n"
                  "#]\n"
                  "upsert C0 4\n");
    assert_kept("~/a.md|Title A|~/a.md|markdown|intro\n"
                "# Title A\n"
                "text a\n"
                "\n"
                "~/b.txt|b.txt|~/b.txt|text|text b\n"
                "~/sub/c.rst|c.rst|~/sub/c.rst|text|#Not a title\n"
                "# \n"
                "#\n"
                "\n");
    assert_true(testhost_log_has(host, ": 3 files were indexed"));
    round_of();
    assert_walked("");
    write_file("b.txt", "text B", 100); // neither size nor time
    round_of();
    assert_walked("");
    write_file("b.txt", "text b", 101); // the same after all
    round_of();
    assert_walked("");
    write_file("b.txt", "text BB", 101);
    write_file("a.md", "# New title\r\nx", 100);
    round_of();
    assert_walked("embed passages [New title\n"
                  "New title\n"
                  "x]\n"
                  "upsert C0 5\n"
                  "remove C0 1 2\n"
                  "embed passages [b.txt\n"
                  "\n"
                  "text BB]\n"
                  "upsert C0 6\n"
                  "remove C0 3\n");
    drop_file("a.md");
    drop_file("sub/c.rst");
    round_of();
    assert_walked("remove C0 5\nremove C0 4\n");
    assert_kept("~/b.txt|b.txt|~/b.txt|text|text BB\n");
    assert_string_equal(without_folder(rows_of("SELECT path, source, modified_ns, size_bytes FROM "
                                               "retrieval_files")),
                        "~/b.txt|~//|101000000005|7\n");
    assert_true(testhost_log_has(host, "a.md is gone, and so is its document"));
}

static void what_is_no_text_is_left_out(void **state)
{
    char link_path[512], target[512];

    (void)state;
    begin();
    write_file(".hidden.md", "x", 1);
    write_file("a.html", "x", 1);
    write_file("md", "x", 1);
    write_file(".md", "x", 1);
    write_file("b.markdown", "x", 1);
    write_file("c.text", "x", 1);
    write_file("d.mdx", "x", 1);
    write_file("e.txt", "\xff\xfe", 1);
    write_file("f\xff.txt", "x", 1);
    make_folder(".git");
    write_file(".git/x.md", "x", 1);
    make_folder("deep.md");
    write_file("deep.md/y.md", "x", 1);
    in_folder("link.md", link_path, sizeof(link_path));
    in_folder("b.markdown", target, sizeof(target));
    assert_int_equal(symlink(target, link_path), 0);
    round_of();
    assert_kept("~/b.markdown|b.markdown|~/b.markdown|markdown|x\n"
                "~/c.text|c.text|~/c.text|text|x\n"
                "~/deep.md/y.md|y.md|~/deep.md/y.md|markdown|x\n");
    assert_true(testhost_log_has(host, "a file in "));
    assert_true(testhost_log_has(host, "/e.txt is left out: it is not readable UTF-8 text"));
    forget();
    round_of();
    assert_walked("");
}

static void titles_are_the_first_heading_or_the_name(void **state)
{
    char text[9000];

    (void)state;
    begin();
    memset(text, 'x', sizeof(text));
    memcpy(text, "# ", 2);
    text[1026] = '\0';
    write_file("a.md", text, 1);
    text[1026] = 'x';
    text[1027] = '\0';
    write_file("b.md", text, 1);
    memset(text, 'x', 4094);
    snprintf(text + 4094, 100, "\n# At 4095");
    write_file("c.md", text, 1);
    memset(text, 'x', 4095);
    snprintf(text + 4095, 100, "\n# At 4096");
    write_file("d.md", text, 1);
    memset(text, 'x', sizeof(text));
    memcpy(text, "# ", 2);
    snprintf(text + 1024, 100, "\xe2\x82\xac\nText.");
    write_file("g.md", text, 1);
    write_file("e.md", "# t", 1);
    write_file("f.md", "# ", 1);
    round_of();
    assert_string_equal(rows_of("SELECT substr(external_id, -4), length(title), substr(title, 1, "
                                "9) FROM "
                                "retrieval_documents ORDER BY external_id"),
                        "a.md|1024|xxxxxxxxx\n"
                        "b.md|1024|xxxxxxxxx\n"
                        "c.md|7|At 4095\n"
                        "d.md|4|d.md\n"
                        "e.md|1|t\n"
                        "f.md|4|f.md\n"
                        "g.md|1022|xxxxxxxxx\n");
}

static void folders_have_a_depth_and_must_be_there(void **state)
{
    char name[128] = "";

    (void)state;
    begin();
    for (int depth = 1; depth <= 17; depth++) {
        strcat(name, depth > 1 ? "/d" : "d");
        make_folder(name);
        strcat(name, "/f.md");
        write_file(name, "x", 1);
        name[strlen(name) - 5] = '\0';
    }
    round_of();
    assert_rows("SELECT COUNT(*), MAX(length(external_id)) - MIN(length(external_id)) FROM "
                "retrieval_documents",
                "16|30\n");
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    round_of();
    assert_string_equal(without_folder(testhost_log_at(host, testhost_log_count(host) - 1).message),
                        "the job sources failed: source ~ cannot be read: No such file or "
                        "directory");
    assert_rows("SELECT COUNT(*) FROM retrieval_documents",
                "16\n"); // a folder that is gone drops nothing
}

static void what_cannot_be_indexed_is_tried_again(void **state)
{
    (void)state;
    begin();
    write_file("a.md", "A.", 1);
    write_file("b.md", "poison", 1);
    fail_with(UPSERT, BP_FULL);
    round_of();
    assert_rows("SELECT COUNT(*) FROM retrieval_files", "0\n");
    fail_with(UPSERT, BP_OK);
    store.bad = "poison";
    round_of();
    assert_rows("SELECT COUNT(*) FROM retrieval_files", "2\n");
    assert_true(testhost_log_has(host, "b.md is left out: the store wants no poison"));
    fail_with(REMOVE, BP_IO);
    drop_file("a.md");
    round_of();
    assert_rows("SELECT COUNT(*) FROM retrieval_files", "2\n");
    fail_with(REMOVE, BP_OK);
    round_of();
    assert_rows("SELECT COUNT(*) FROM retrieval_files", "1\n");
}

/* Files that are known and as they were are not looked into; here all but the last of many. */
static void many_files_are_known_by_their_paths(void **state)
{
    enum { FILES = 600 };
    char text[512], name[32];

    (void)state;
    begin();
    round_of();
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "f%03d.md", i);
        write_file(name, "x", 1);
    }
    snprintf(text, sizeof(text),
             "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT "
             "INTO retrieval_files SELECT 1, printf('%s/f%%03d.md', i), '%s//', 1000000005, 1 FROM "
             "n WHERE i <> 255",
             FILES, folder, folder);
    sql(text);
    forget();
    round_of();
    assert_walked("embed passages [f255.md\n"
                  "\n"
                  "x]\n"
                  "upsert C0 1\n");
    assert_rows("SELECT COUNT(*) FROM retrieval_files", "600\n"); // f600.md is gone
    drop_file("f599.md");
    round_of();
    assert_rows("SELECT COUNT(*) FROM retrieval_files", "599\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_are_documents_as_they_change),
        TEST(what_is_no_text_is_left_out),
        TEST(titles_are_the_first_heading_or_the_name),
        TEST(folders_have_a_depth_and_must_be_there),
        TEST(what_cannot_be_indexed_is_tried_again),
        TEST(many_files_are_known_by_their_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
