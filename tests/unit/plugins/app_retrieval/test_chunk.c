/* test_chunk.c - chunk.c: where a text is cut into passages, and which heading stands over them.
 */
#include "plugins/app_retrieval/retrieval_test.h"

/* Puts a text in and shows its passages: "heading|start-end of characters|bytes|text\n". */
static const char *passages_of(const char *format, const char *text)
{
    bp_json_writer *w;
    char            body[16384];
    bp_str          json;

    app_call();
    w = bp_json_writer_new(call, 1 << 16);
    bp_json_object(w);
    bp_json_put_string(w, "id", BP_STR("x"));
    bp_json_put_string(w, "format", bp_str_of(format));
    bp_json_put_string(w, "text", bp_str_of(text));
    bp_json_end(w);
    assert_ok(bp_json_done(call, w, &json));
    assert_true(json.len < sizeof(body));
    memcpy(body, json.data, json.len + 1);
    put(body);
    app_call();
    return rows_of("SELECT heading || '|' || start_char || '-' || end_char || '|' || start_byte || "
                   "'-' || end_byte || '|' || body FROM retrieval_chunks WHERE document_id = 1 "
                   "ORDER BY sequence");
}

#define assert_cut(format, text, wanted) assert_string_equal(passages_of(format, text), wanted)

static void begin(const char *tokens, const char *overlap)
{
    START({ "chunk_tokens", tokens }, { "chunk_overlap", overlap });
    make_collection("docs");
}

static void headings_end_passages(void **state)
{
    (void)state;
    begin("400", "50");
    assert_cut("markdown",
               "Intro.\n\n# One\n\nText one.\n\nText more.\n\n## Sub #\n\nSub "
               "text.\n### Deep\nx\n## Next\ny\n# Two\nz",
               "|0-6|0-6|Intro.\n"
               "One|15-36|15-36|Text one.\n"
               "\n"
               "Text more.\n"
               "One > Sub|48-57|48-57|Sub text.\n"
               "One > Sub > Deep|67-68|67-68|x\n"
               "One > Next|77-78|77-78|y\n"
               "Two|85-86|85-86|z\n");
    assert_cut("markdown",
               "#None\n####### Seven\n\n###### Six\na\n# \nb\n#\tTab\nc\n#   Wide  ##  \nd\n",
               "|0-19|0-19|#None\n"
               "####### Seven\n"
               "Six|32-33|32-33|a\n"
               "|37-46|37-46|b\n"
               "#\tTab\n"
               "c\n"
               "Wide|62-63|62-63|d\n");
    assert_cut("text", "# No heading\n\n```\nx\n```\n",
               "|0-23|0-23|# No heading\n"
               "\n"
               "```\n"
               "x\n"
               "```\n");
    assert_cut("markdown", "# A\n## B\n### C\n#### D\n##### E\n###### F\ntext\n#### G\nmore\n",
               "A > B > C > D > E > F|39-43|39-43|text\n"
               "A > B > C > G|51-55|51-55|more\n");
    assert_cut("markdown", "", "");
    assert_cut("markdown", " \n\t\n \n", "");
    assert_cut("markdown", "# Only", "");
    assert_cut("text", "x", "|0-1|0-1|x\n");
    assert_cut("text",
               "\n\n  \xc3\xa4\xe2\x82\xac"
               "b \n",
               "|4-7|4-10|ä€b\n");
}

static void a_long_heading_is_cut(void **state)
{
    char text[512] = "# ";

    (void)state;
    begin("400", "50");
    memset(text + 2, 'h', 200);
    snprintf(text + 202, 16, "\nx");
    assert_int_equal(strcspn(passages_of("markdown", text), "|"), 200);
    memset(text + 2, 'h', 201);
    snprintf(text + 203, 16, "\nx");
    assert_int_equal(strcspn(passages_of("markdown", text), "|"), 200);
    memset(text + 2, 'h', 199);
    snprintf(text + 201, 16, "\nx");
    assert_int_equal(strcspn(passages_of("markdown", text), "|"), 199);
    snprintf(text + 201, 16, "\xe2\x82\xac\nx"); // not within a character
    assert_int_equal(strcspn(passages_of("markdown", text), "|"), 199);
    snprintf(text + 199, 16, "\xe2\x82\xac\nx");
    assert_int_equal(strcspn(passages_of("markdown", text), "|"), 200);
}

static void a_fence_stays_whole(void **state)
{
    (void)state;
    begin("32", "0");
    assert_cut("markdown",
               "Before it.\n```c\n# no heading\n\nint x;\n```\nAfter it, the block goes on until a "
               "blank line comes, and not before that.\n\nNext paragraph, which is long enough to "
               "be a passage of its own: it is.\n",
               "|0-115|0-115|Before it.\n"
               "```c\n"
               "# no heading\n"
               "\n"
               "int x;\n"
               "```\n"
               "After it, the block goes on until a blank line comes, and not before that.\n"
               "|117-188|117-188|Next paragraph, which is long enough to be a passage of its own: "
               "it is.\n");
    assert_cut("markdown", "A.\n\n  ~~~\n# x\n\n# y\n  ~~~\n# Z\nz",
               "|0-24|0-24|A.\n"
               "\n"
               "  ~~~\n"
               "# x\n"
               "\n"
               "# y\n"
               "  ~~~\n"
               "Z|29-30|29-30|z\n");
    assert_cut("markdown", "A.\n\n``\n# X\nx\n",
               "|0-6|0-6|A.\n"
               "\n"
               "``\n"
               "X|11-12|11-12|x\n");
    assert_cut("markdown", "A.\n\n```\n# x\n\n# y\n",
               "|0-16|0-16|A.\n"
               "\n"
               "```\n"
               "# x\n"
               "\n"
               "# y\n");
    assert_cut("markdown", "A.\n\n```",
               "|0-7|0-7|A.\n"
               "\n"
               "```\n");
    assert_cut("markdown", "A.\n\n``` \n```\n# B\nb",
               "|0-12|0-12|A.\n"
               "\n"
               "``` \n"
               "```\n"
               "B|17-18|17-18|b\n");
}

/* 32 tokens: plain / 4 + 1, so 124 to 127 plain letters are 32, and 128 are 33. */
static void blocks_are_packed_up_to_the_limit(void **state)
{
    char text[600];

    (void)state;
    begin("32", "0");
    memset(text, 'a', sizeof(text));
    text[127] = '\0';
    assert_cut("text", text,
               "|0-127|0-127|"
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
    text[127] = 'a';
    text[128] = '\0';
    assert_cut("text", text,
               "|0-96|0-96|"
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
               "aaaaaaaaaaaaa\n"
               "|96-128|96-128|aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
    assert_string_equal(passages_of("text", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                            "aaaaa\n\nb"),
                        "|0-62|0-62|aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
                        "\n"
                        "b\n");
    assert_cut("text",
               "This first paragraph has about sixty-three letters, so: sixteen.\n\nThis second "
               "one has some sixty letters, fifteen tokens, no.\n\nThe third.",
               "|0-125|0-125|This first paragraph has about sixty-three letters, so: sixteen.\n"
               "\n"
               "This second one has some sixty letters, fifteen tokens, no.\n"
               "|127-137|127-137|The third.\n");
    assert_cut("text",
               "This first paragraph has about sixty-three letters, so: sixteen.\n\nThis second "
               "one has some sixty-four letters: so sixteen tokens.\n\nThe third.",
               "|0-64|0-64|This first paragraph has about sixty-three letters, so: sixteen.\n"
               "|66-141|66-141|This second one has some sixty-four letters: so sixteen tokens.\n"
               "\n"
               "The third.\n");
}

static void long_blocks_are_cut_at_sentences_then_blanks_then_anywhere(void **state)
{
    char text[700];

    (void)state;
    begin("32", "0");
    assert_cut("text",
               "One sentence ends here. Another one asks, does it? A third shouts! And 3.14 is no "
               "end, nor is e.g.x of the line\nThe last sentence has no end at all and goes on",
               "|0-66|0-66|One sentence ends here. Another one asks, does it? A third shouts!\n"
               "|67-159|67-159|And 3.14 is no end, nor is e.g.x of the line\n"
               "The last sentence has no end at all and goes on\n");
    assert_cut("text",
               "Words without an end of a sentence go on and on until the limit of ninety-six "
               "bytes is there and then the cut is at a blank before it so that no word is cut in "
               "two unless it must be",
               "|0-96|0-96|Words without an end of a sentence go on and on until the limit of "
               "ninety-six bytes is there and\n"
               "|97-181|97-181|then the cut is at a blank before it so that no word is cut in two "
               "unless it must be\n");
    memset(text, 'x', 300);
    text[300] = '\0';
    assert_cut("text", text,
               "|0-96|0-96|"
               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
               "xxxxxxxxxxxxx\n"
               "|96-192|96-192|"
               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
               "xxxxxxxxxxxxx\n"
               "|192-300|192-300|"
               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
               "xxxxxxxxxxxxxxxxxxxxxxxxx\n");
    text[0] = '\0';
    for (int i = 0; i < 60; i++)
        strcat(text, "\xe2\x82\xac");
    assert_cut("text", text,
               "|0-32|0-96|€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€\n"
               "|32-60|96-180|€€€€€€€€€€€€€€€€€€€€€€€€€€€€\n");
    strcpy(text, "ab");
    for (int i = 0; i < 60; i++)
        strcat(text, "\xe2\x82\xac");
    assert_cut("text", text,
               "|0-33|0-95|ab€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€\n"
               "|33-62|95-182|€€€€€€€€€€€€€€€€€€€€€€€€€€€€€\n");
    strcpy(text, "ab ");
    for (int i = 0; i < 60; i++)
        strcat(text, "\xe2\x82\xac");
    assert_cut("text", text,
               "|0-2|0-2|ab\n"
               "|3-34|3-96|€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€\n"
               "|34-63|96-183|€€€€€€€€€€€€€€€€€€€€€€€€€€€€€\n");
}

static void passages_of_a_section_overlap(void **state)
{
    (void)state;
    begin("32", "10");
    assert_cut("text",
               "First paragraph, of some length, for this test.\n\nSecond is of 35 letters, nine "
               "tokens.\n\nThird paragraph, of some length, for this test.\n\nFourth is short.\n\n"
               "Fifth too.\n\nSixth paragraph is long again, of some length, for this test, as it "
               "has to be.\n",
               "|0-86|0-86|First paragraph, of some length, for this test.\n"
               "\n"
               "Second is of 35 letters, nine tokens.\n"
               "|49-165|49-165|Second is of 35 letters, nine tokens.\n"
               "\n"
               "Third paragraph, of some length, for this test.\n"
               "\n"
               "Fourth is short.\n"
               "\n"
               "Fifth too.\n"
               "|137-245|137-245|Fourth is short.\n"
               "\n"
               "Fifth too.\n"
               "\n"
               "Sixth paragraph is long again, of some length, for this test, as it has to be.\n");
    assert_cut("markdown",
               "# A\n\nFirst paragraph, of some length, for this test.\n\nSecond is of 35 "
               "letters.\n\n# B\n\nThird paragraph, of some length, for this test.\n\nFourth is "
               "short.\n\nFifth too, as it is, and then some more words, until it is long.\n",
               "A|5-78|5-78|First paragraph, of some length, for this test.\n"
               "\n"
               "Second is of 35 letters.\n"
               "B|85-150|85-150|Third paragraph, of some length, for this test.\n"
               "\n"
               "Fourth is short.\n"
               "B|134-216|134-216|Fourth is short.\n"
               "\n"
               "Fifth too, as it is, and then some more words, until it is long.\n");
}

static void many_units_are_kept(void **state)
{
    char text[4096] = "";

    (void)state;
    begin("32", "0");
    for (int i = 0; i < 130; i++)
        snprintf(text + strlen(text), 16, "P%d.\n\n", i);
    passages_of("text", text);
    assert_rows("SELECT start_byte || '-' || end_byte FROM retrieval_chunks ORDER BY sequence",
                "0-114\n"
                "116-210\n"
                "212-306\n"
                "308-402\n"
                "404-498\n"
                "500-595\n"
                "597-707\n"
                "709-798\n");
}

static void a_title_alone_is_a_passage(void **state)
{
    (void)state;
    words.max_tokens = 20;
    START({ "chunk_tokens", "400" });
    make_collection("docs");
    forget();
    put("{\"id\":\"t\",\"title\":\"Only a title\",\"text\":\" \"}");
    put("{\"id\":\"n\",\"text\":\"\"}");
    assert_trace("embed passages [Only a title\n"
                 "\n"
                 "]\n"
                 "upsert C0 1\n");
    assert_rows("SELECT document_id, sequence, start_byte, end_byte, start_char, end_char, "
                "heading, body FROM retrieval_chunks",
                "1|0|0|0|0|0||\n");
    assert_rows("SELECT external_id, state FROM retrieval_documents ORDER BY id", "t|1\nn|1\n");
    sql("DELETE FROM retrieval_chunks");
    sql("DELETE FROM retrieval_documents");
    put("{\"id\":\"x\",\"text\":\"The embedder takes twenty tokens and no more. So it is cut here, "
        "at the end of this sentence or of that one.\"}");
    assert_rows("SELECT body FROM retrieval_chunks ORDER BY sequence",
                "The embedder takes twenty tokens and no more.\n"
                "So it is cut here, at the end of this sentence or of that one.\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(headings_end_passages),
        TEST(a_long_heading_is_cut),
        TEST(a_fence_stays_whole),
        TEST(blocks_are_packed_up_to_the_limit),
        TEST(long_blocks_are_cut_at_sentences_then_blanks_then_anywhere),
        TEST(passages_of_a_section_overlap),
        TEST(many_units_are_kept),
        TEST(a_title_alone_is_a_passage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
