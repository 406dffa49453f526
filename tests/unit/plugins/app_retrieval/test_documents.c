/* test_documents.c - documents.c: documents in and out over HTTP, what is refused about them and
 * why.
 */
#include "plugins/app_retrieval/retrieval_test.h"

#define POST(body) request("POST", "/api/v1/documents", body)
#define GET(rest)  request("GET", "/api/v1/collections/docs/documents" rest, "")

static void begin(void)
{
    START({ "candidates", "10" });
    make_collection("docs");
    forget();
}

static void a_document_comes_in_and_out(void **state)
{
    (void)state;
    begin();
    assert_told(POST("{\"id\":\"a\",\"title\":\"T\",\"source\":\"s.md\",\"format\":\"markdown\","
                     "\"text\":\"# H\\n\\nText \xc3\xa4.\\n\\n# "
                     "I\\n\\nMore.\",\"metadata\":{\"n\":1,"
                     "\"l\":[\"x\",2]}}"),
                "200 "
                "{\"collection\":\"docs\",\"stored\":1,\"unchanged\":0,\"refused\":0,\"errors\":[]"
                "}");
    assert_trace("embed passages [T\n"
                 "H\n"
                 "Text ä.] [T\n"
                 "I\n"
                 "More.]\n"
                 "upsert C0 1 2\n");
    assert_string_equal(points_of(0), "1v T\n"
                                      "T\n"
                                      "H\n"
                                      "Text ä. {\"n\":1,\"l\":[\"x\",2]}\n"
                                      "2v T\n"
                                      "T\n"
                                      "I\n"
                                      "More. {\"n\":1,\"l\":[\"x\",2]}\n");
    assert_told(GET("/a"),
                "200 "
                "{\"id\":\"a\",\"title\":\"T\",\"source\":\"s.md\",\"format\":\"markdown\","
                "\"metadata\":{\"n\":1,\"l\":[\"x\",2]},\"state\":\"ready\",\"sha256\":"
                "\"9a80b5015d749928e6f40054dd8c7d7fc6bb31a2a100a3cd32772e5cf097c2e2\",\"text\":\"# "
                "H\\n\\nText ä.\\n\\n# "
                "I\\n\\nMore.\",\"passages\":[{\"chunk\":1,\"heading\":\"H\",\"start\":5,\"end\":"
                "12},{\"chunk\":2,\"heading\":\"I\",\"start\":19,\"end\":24}]}");
    assert_told(GET("?id=a"),
                "200 "
                "{\"id\":\"a\",\"title\":\"T\",\"source\":\"s.md\",\"format\":\"markdown\","
                "\"metadata\":{\"n\":1,\"l\":[\"x\",2]},\"state\":\"ready\",\"sha256\":"
                "\"9a80b5015d749928e6f40054dd8c7d7fc6bb31a2a100a3cd32772e5cf097c2e2\",\"text\":\"# "
                "H\\n\\nText ä.\\n\\n# "
                "I\\n\\nMore.\",\"passages\":[{\"chunk\":1,\"heading\":\"H\",\"start\":5,\"end\":"
                "12},{\"chunk\":2,\"heading\":\"I\",\"start\":19,\"end\":24}]}");
    assert_told(POST("{\"id\":7,\"text\":\"Plain %\",\"collection\":\"docs\"}"),
                "200 "
                "{\"collection\":\"docs\",\"stored\":1,\"unchanged\":0,\"refused\":0,\"errors\":[]"
                "}");
    assert_trace("embed passages [\n"
                 "\n"
                 "Plain %]\n"
                 "upsert C0 3\n");
    assert_told(GET("/7"),
                "200 "
                "{\"id\":\"7\",\"title\":\"\",\"source\":\"\",\"format\":\"text\",\"metadata\":{},"
                "\"state\":\"ready\",\"sha256\":"
                "\"b24858869215db60089d166e4402436e4dd7b81c2759e49e343f83220e0fa771\",\"text\":"
                "\"Plain %\",\"passages\":[{\"chunk\":3,\"heading\":\"\",\"start\":0,\"end\":7}]}");
    assert_string_equal(points_of(0), "1v T\n"
                                      "T\n"
                                      "H\n"
                                      "Text ä. {\"n\":1,\"l\":[\"x\",2]}\n"
                                      "2v T\n"
                                      "T\n"
                                      "I\n"
                                      "More. {\"n\":1,\"l\":[\"x\",2]}\n"
                                      "3 \n"
                                      "\n"
                                      "\n"
                                      "Plain % {}\n");
    assert_told(GET("/none"), "404 collection \"docs\" has no document \"none\"");
    assert_told(request("GET", "/api/v1/collections/none/documents/a", ""),
                "404 there is no collection \"none\"");
}

static void a_document_is_written_only_when_it_differs(void **state)
{
    (void)state;
    begin();
    assert_told(POST("{\"id\":\"a\",\"text\":\"One.\"}"),
                "200 "
                "{\"collection\":\"docs\",\"stored\":1,\"unchanged\":0,\"refused\":0,\"errors\":[]"
                "}");
    assert_told(POST("{\"id\":\"a\",\"text\":\"One.\"}"),
                "200 "
                "{\"collection\":\"docs\",\"stored\":0,\"unchanged\":1,\"refused\":0,\"errors\":[]"
                "}");
    assert_trace("embed passages [\n"
                 "\n"
                 "One.]\n"
                 "upsert C0 1\n");
    assert_told(POST("{\"id\":\"a\",\"text\":\"One.\",\"metadata\":{\"x\":1}}"),
                "200 "
                "{\"collection\":\"docs\",\"stored\":1,\"unchanged\":0,\"refused\":0,\"errors\":[]"
                "}");
    assert_told(POST("{\"id\":\"a\",\"text\":\"One.\",\"metadata\":{}}"),
                "200 "
                "{\"collection\":\"docs\",\"stored\":1,\"unchanged\":0,\"refused\":0,\"errors\":[]"
                "}");
    assert_told(POST("{\"id\":\"a\",\"text\":\"One.\",\"title\":\"t\"}"),
                "200 "
                "{\"collection\":\"docs\",\"stored\":1,\"unchanged\":0,\"refused\":0,\"errors\":[]"
                "}");
    assert_told(POST("{\"id\":\"a\",\"text\":\"One.\",\"source\":\"t\"}"),
                "200 "
                "{\"collection\":\"docs\",\"stored\":1,\"unchanged\":0,\"refused\":0,\"errors\":[]"
                "}");
    assert_told(POST("{\"id\":\"a\",\"text\":\"One.\",\"format\":\"markdown\"}"),
                "200 "
                "{\"collection\":\"docs\",\"stored\":1,\"unchanged\":0,\"refused\":0,\"errors\":[]"
                "}");
    assert_told(POST("{\"id\":\"a\",\"text\":\"Two.\",\"format\":\"markdown\"}"),
                "200 "
                "{\"collection\":\"docs\",\"stored\":1,\"unchanged\":0,\"refused\":0,\"errors\":[]"
                "}");
    assert_trace("embed passages [\n"
                 "\n"
                 "One.]\n"
                 "upsert C0 2\n"
                 "remove C0 1\n"
                 "embed passages [\n"
                 "\n"
                 "One.]\n"
                 "upsert C0 3\n"
                 "remove C0 2\n"
                 "embed passages [t\n"
                 "\n"
                 "One.]\n"
                 "upsert C0 4\n"
                 "remove C0 3\n"
                 "embed passages [\n"
                 "\n"
                 "One.]\n"
                 "upsert C0 5\n"
                 "remove C0 4\n"
                 "embed passages [\n"
                 "\n"
                 "One.]\n"
                 "upsert C0 6\n"
                 "remove C0 5\n"
                 "embed passages [\n"
                 "\n"
                 "Two.]\n"
                 "upsert C0 7\n"
                 "remove C0 6\n");
    assert_rows("SELECT COUNT(*) FROM retrieval_garbage", "0\n");
    assert_rows("SELECT COUNT(*) FROM retrieval_versions", "0\n");
    assert_rows("SELECT id, document_id, body FROM retrieval_chunks", "7|1|Two.\n");
    assert_true(testhost_metric(host, "retrieval_documents_total", "outcome=stored") == 7);
    assert_true(testhost_metric(host, "retrieval_documents_total", "outcome=unchanged") == 1);
    assert_true(testhost_metric(host, "retrieval_documents_total", "outcome=refused") == -1);
}

static void of_many_each_is_answered_for(void **state)
{
    (void)state;
    begin();
    assert_told(POST("{\"documents\":[{\"id\":\"a\",\"text\":\"A.\"},{\"id\":\"\",\"text\":\"B.\"},"
                     "{\"id\":\"a\",\"text\":\"C.\"},7,{\"id\":\"d\",\"txt\":\"D.\"},{\"id\":\"e\","
                     "\"text\":5}],\"collection\":\"docs\"}"),
                "200 "
                "{\"collection\":\"docs\",\"stored\":1,\"unchanged\":1,\"refused\":4,\"errors\":[{"
                "\"id\":\"\",\"message\":\"\\\"id\\\" must be a text of 1 to 512 bytes, or an "
                "integer\"},{\"id\":\"\",\"message\":\"a document is a JSON object with \\\"id\\\" "
                "and \\\"text\\\"\"},{\"id\":\"d\",\"message\":\"there is no member \\\"txt\\\" "
                "here\"},{\"id\":\"e\",\"message\":\"\\\"text\\\" must be a text\"}]}");
    assert_trace("embed passages [\n"
                 "\n"
                 "C.]\n"
                 "upsert C0 1\n");
    assert_rows("SELECT external_id, body, state FROM retrieval_documents", "a|C.|1\n");
    assert_true(testhost_metric(host, "retrieval_documents_total", "outcome=refused") == 4);
    assert_told(POST("{\"documents\":[]}"), "200 "
                                            "{\"collection\":\"docs\",\"stored\":0,\"unchanged\":0,"
                                            "\"refused\":0,\"errors\":[]}");
    assert_told(POST("{\"documents\":{}}"), "400 \"documents\" must be an array");
    assert_told(POST("{\"documents\":[],\"text\":\"x\"}"), "400 there is no member \"text\" here");
    assert_told(POST("{\"documents\":[],\"documnts\":1}"),
                "400 there is no member \"documnts\" here: did you mean \"documents\"?");
    assert_told(POST("{\"documents\":[{\"id\":\"\",\"text\":\"x\"}]}"),
                "200 "
                "{\"collection\":\"docs\",\"stored\":0,\"unchanged\":0,\"refused\":1,\"errors\":[{"
                "\"id\":\"\",\"message\":\"\\\"id\\\" must be a text of 1 to 512 bytes, or an "
                "integer\"}]}");
    assert_told(POST("{\"id\":\"\",\"text\":\"x\"}"),
                "400 "
                "{\"collection\":\"docs\",\"stored\":0,\"unchanged\":0,\"refused\":1,\"errors\":[{"
                "\"id\":\"\",\"message\":\"\\\"id\\\" must be a text of 1 to 512 bytes, or an "
                "integer\"}]}");
    assert_told(POST("[]"),
                "400 the body must be a JSON object: a document, or {\"documents\": [...]}");
    assert_told(POST("{"), "400 this is not JSON that can be read: string or '}' expected near end "
                           "of file, at byte 1");
    assert_told(POST("{\"id\":\"a\",\"text\":\"x\",\"collection\":\"no\"}"),
                "404 there is no collection \"no\"");
    assert_told(request("POST", "/api/v1/documents?collection=no", "{\"id\":\"a\",\"text\":\"x\"}"),
                "404 there is no collection \"no\"");
    assert_told(request("POST", "/api/v1/collections/no/documents?collection=docs",
                        "{\"id\":\"a\",\"text\":\"x\",\"collection\":\"docs\"}"),
                "404 there is no collection \"no\"");
}

static testhost_reply post_lines(const char *type, const char *lines)
{
    char headers[128];

    snprintf(headers, sizeof(headers), "content-type: %s\r\n", type);
    app_call();
    return testhost_request_app(call, instance, "POST", "/api/v1/documents", headers,
                                bp_str_of(lines));
}

static void lines_are_a_stream_of_documents(void **state)
{
    (void)state;
    begin();
    assert_told(post_lines("application/x-ndjson; charset=utf-8",
                           "{\"id\":\"a\",\"text\":\"A.\"}\r\n\n "
                           "\t\n{\"id\":\"\",\"text\":\"B.\"}\n"
                           "no\n{\"id\":\"c\",\"text\":\"C.\"} "),
                "200 "
                "{\"collection\":\"docs\",\"stored\":2,\"unchanged\":0,\"refused\":2,\"errors\":[{"
                "\"id\":\"\",\"line\":4,\"message\":\"\\\"id\\\" must be a text of 1 to 512 bytes, "
                "or an integer\"},{\"id\":\"\",\"line\":5,\"message\":\"this is not JSON that can "
                "be read: invalid token near 'no', at byte 2\"}]}");
    assert_trace("embed passages [\n"
                 "\n"
                 "A.] [\n"
                 "\n"
                 "C.]\n"
                 "upsert C0 1 2\n");
    assert_told(post_lines("application/jsonl", "{\"id\":\"a\",\"text\":\"A.\"}\n"),
                "200 "
                "{\"collection\":\"docs\",\"stored\":0,\"unchanged\":1,\"refused\":0,\"errors\":[]"
                "}");
    assert_told(post_lines("application/ndjson", ""),
                "200 "
                "{\"collection\":\"docs\",\"stored\":0,\"unchanged\":0,\"refused\":0,\"errors\":[]"
                "}");
    assert_told(post_lines("application/ndjson", "7\n"),
                "200 "
                "{\"collection\":\"docs\",\"stored\":0,\"unchanged\":0,\"refused\":1,\"errors\":[{"
                "\"id\":\"\",\"line\":1,\"message\":\"a document is a JSON object with \\\"id\\\" "
                "and \\\"text\\\"\"}]}");
    assert_told(post_lines("text/ndjson", "7"),
                "400 the body must be a JSON object: a document, or {\"documents\": [...]}");
}

static void batches_are_of_200_documents(void **state)
{
    static char body[40000];

    (void)state;
    begin();
    for (int count = 199; count <= 201; count++) {
        size_t len = (size_t)snprintf(body, sizeof(body), "{\"documents\":[");

        for (int i = 0; i < count; i++)
            len += (size_t)snprintf(body + len, sizeof(body) - len,
                                    "%s{\"id\":%d,\"title\":\"%d\",\"text\":\"\",\"format\":\"%"
                                    "s\"}",
                                    i ? "," : "", i, count, i < 102 ? "no" : "text");
        snprintf(body + len, sizeof(body) - len, "]}");
        forget();
        app_call();
        assert_int_equal(testhost_request_app(call, instance, "POST", "/api/v1/documents", NULL,
                                              bp_str_of(body))
                             .http_status,
                         200);
        // one search for garbage and at most 8 texts a time; the last document stands alone then
        len = 0;
        for (const char *at = trace; (at = strstr(at, "upsert")); at++)
            len++;
        assert_int_equal(len, count == 201 ? 2 : 1);
    }
    assert_rows("SELECT COUNT(*), MIN(CAST(external_id AS INTEGER)) FROM retrieval_documents",
                "99|102\n");
}

static void a_report_names_100_errors(void **state)
{
    static char    body[16384];
    size_t         len = (size_t)snprintf(body, sizeof(body), "{\"documents\":[");
    testhost_reply reply;

    (void)state;
    begin();
    for (int i = 0; i < 101; i++)
        len += (size_t)snprintf(body + len, sizeof(body) - len, "%s{\"id\":%d,\"format\":\"x\"}",
                                i ? "," : "", i);
    snprintf(body + len, sizeof(body) - len, "]}");
    reply = POST(body);
    assert_int_equal(bp_json_count(bp_json_get(parsed(reply.body), "errors")), 100);
    assert_int_equal(bp_json_integer(bp_json_get(parsed(reply.body), "refused")), 101);
    assert_trace("");
}

/* The problem of one document that is refused, or "" when it is not. */
static const char *problem_of(const char *members)
{
    static char    body[400000];
    testhost_reply reply;

    snprintf(body, sizeof(body), "{%s}", members);
    reply = POST(body);
    if (reply.status != BP_OK)
        return told(reply);
    return bp_json_string(
               bp_json_get(bp_json_at(bp_json_get(parsed(reply.body), "errors"), 0), "message"))
        .data;
}

/* A member whose text has so many letters. */
static const char *problem_of_long(const char *name, int letters, const char *rest)
{
    static char members[300000];

    memset(members, 0, sizeof(members));
    snprintf(members, sizeof(members), "\"%s\":\"", name);
    memset(members + strlen(members), 'x', (size_t)letters);
    strcat(members, "\"");
    strcat(members, rest);
    return problem_of(members);
}

#define assert_problem(members, wanted)                                                            \
    assert_string_equal(problem_of(members) ? problem_of(members) : "", wanted)
#define assert_fits(name, most, rest, sentence)                                                    \
    do {                                                                                           \
        const char *fits_ = problem_of_long(name, most, rest);                                     \
        assert_string_equal(fits_ ? fits_ : "", "");                                               \
        fits_ = problem_of_long(name, (most) + 1, rest);                                           \
        assert_string_equal(fits_ ? fits_ : "", sentence);                                         \
    } while (0)

static void what_a_document_may_be(void **state)
{
    static char metadata[100000];

    (void)state;
    begin();
    assert_problem("\"text\":\"x\"", "\"id\" must be a text of 1 to 512 bytes, or an integer");
    assert_problem("\"id\":1.5,\"text\":\"x\"",
                   "\"id\" must be a text of 1 to 512 bytes, or an integer");
    assert_fits("id", 512, ",\"text\":\"\"",
                "\"id\" must be a text of 1 to 512 bytes, or an integer");
    assert_fits("title", 1024, ",\"id\":\"a\"",
                "\"title\" is longer than 1,024 bytes, or \"source\" than 4,096");
    assert_fits("source", 4096, ",\"id\":\"a\"",
                "\"title\" is longer than 1,024 bytes, or \"source\" than 4,096");
    assert_problem("\"id\":\"a\",\"format\":\"html\"", "\"format\" is \"text\" or \"markdown\"");
    assert_problem("\"id\":\"a\",\"metadata\":3", "\"metadata\" is no JSON object");
    assert_problem("\"id\":\"a\",\"metadata\":{\"x\":null}",
                   "\"metadata\" holds more than strings, numbers, booleans and arrays of them: "
                   "\"x\" has null");
    assert_problem("\"id\":\"a\",\"metadata\":{\"x\":{}}",
                   "\"metadata\" holds more than strings, numbers, booleans and arrays of them: "
                   "\"x\" has an object");
    assert_problem("\"id\":\"a\",\"metadata\":{\"x\":[1,[2]]}",
                   "\"metadata\" holds more than strings, numbers, booleans and arrays of them: "
                   "\"x\" has an array");
    assert_problem("\"id\":\"a\",\"metadata\":{\"x\":[1,\"b\",true,1.5]}", "");
    assert_problem("\"id\":\"a\",\"metadata\":{"
                   "\"0123456789012345678901234567890123456789012345678901234567890123\":1}",
                   "");
    assert_problem("\"id\":\"a\",\"metadata\":{"
                   "\"01234567890123456789012345678901234567890123456789012345678901234\":1}",
                   "\"metadata\" has a name of 65 bytes; 64 are possible");
    assert_problem("\"id\":\"a\\u0000b\"", "\"id\" has a NUL at byte 1");
    assert_problem("\"id\":\"a\",\"title\":\"\\u0000\"", "\"title\" has a NUL at byte 0");
    assert_problem("\"id\":\"a\",\"source\":\"b\\u0000\"", "\"source\" has a NUL at byte 1");
    assert_problem("\"id\":\"a\",\"text\":\"\\u0000\"", "\"text\" has a NUL at byte 0");
    assert_problem("\"id\":\"a\",\"metadata\":{\"x\":\"\\u0000\"}",
                   "\"metadata\" holds the text \"x\", which has a NUL at byte 0");
    assert_problem("\"id\":\"a\",\"titel\":\"b\"",
                   "there is no member \"titel\" here: did you mean \"title\"?");
    // {"x":"..."} has 8 bytes beside the letters.
    for (int extra = 0; extra <= 1; extra++) {
        const char *problem;

        memset(metadata, 0, sizeof(metadata));
        strcpy(metadata, "\"id\":\"m\",\"metadata\":{\"x\":\"");
        memset(metadata + strlen(metadata), 'y', (size_t)(65536 - 8 + extra));
        strcat(metadata, "\"}");
        problem = problem_of(metadata);
        assert_string_equal(problem ? problem : "",
                            extra ? "\"metadata\" is larger than 64 KiB" : "");
    }
}

static void documents_are_listed_page_by_page(void **state)
{
    (void)state;
    begin();
    put("{\"documents\":[{\"id\":\"b\",\"text\":\"B.\",\"title\":\"TB\",\"source\":\"SB\"},{\"id\":"
        "\"c\",\"text\":\"C.\",\"format\":\"markdown\"},{\"id\":\"a\",\"text\":\"A.\"}]}");
    sql("UPDATE retrieval_documents SET state = 0 WHERE external_id = 'a'");
    assert_told(GET(""),
                "200 "
                "{\"documents\":[{\"id\":\"a\",\"title\":\"\",\"source\":\"\",\"format\":\"text\","
                "\"state\":\"indexing\",\"sha256\":"
                "\"fd9bddcc44235cce7e07c8b24fbb8812273e2a53e6246e5e828547c0f7727d52\"},{\"id\":"
                "\"b\",\"title\":\"TB\",\"source\":\"SB\",\"format\":\"text\",\"state\":\"ready\","
                "\"sha256\":\"e94d51a1453101cb475d7b076ffdb86b8f48427350d632f610cf451d4f4bfbaa\"},{"
                "\"id\":\"c\",\"title\":\"\",\"source\":\"\",\"format\":\"markdown\",\"state\":"
                "\"ready\",\"sha256\":"
                "\"966f7f0ca283138ff0ef50ddd2e33cd26cb99bc482d49e5c789c2188782b608f\"}]}");
    assert_told(GET("?limit=2"),
                "200 "
                "{\"documents\":[{\"id\":\"a\",\"title\":\"\",\"source\":\"\",\"format\":\"text\","
                "\"state\":\"indexing\",\"sha256\":"
                "\"fd9bddcc44235cce7e07c8b24fbb8812273e2a53e6246e5e828547c0f7727d52\"},{\"id\":"
                "\"b\",\"title\":\"TB\",\"source\":\"SB\",\"format\":\"text\",\"state\":\"ready\","
                "\"sha256\":\"e94d51a1453101cb475d7b076ffdb86b8f48427350d632f610cf451d4f4bfbaa\"}],"
                "\"next\":\"b\"}");
    assert_told(GET("?limit=2&after=b"),
                "200 "
                "{\"documents\":[{\"id\":\"c\",\"title\":\"\",\"source\":\"\",\"format\":"
                "\"markdown\",\"state\":\"ready\",\"sha256\":"
                "\"966f7f0ca283138ff0ef50ddd2e33cd26cb99bc482d49e5c789c2188782b608f\"}]}");
    assert_told(GET("?limit=3"),
                "200 "
                "{\"documents\":[{\"id\":\"a\",\"title\":\"\",\"source\":\"\",\"format\":\"text\","
                "\"state\":\"indexing\",\"sha256\":"
                "\"fd9bddcc44235cce7e07c8b24fbb8812273e2a53e6246e5e828547c0f7727d52\"},{\"id\":"
                "\"b\",\"title\":\"TB\",\"source\":\"SB\",\"format\":\"text\",\"state\":\"ready\","
                "\"sha256\":\"e94d51a1453101cb475d7b076ffdb86b8f48427350d632f610cf451d4f4bfbaa\"},{"
                "\"id\":\"c\",\"title\":\"\",\"source\":\"\",\"format\":\"markdown\",\"state\":"
                "\"ready\",\"sha256\":"
                "\"966f7f0ca283138ff0ef50ddd2e33cd26cb99bc482d49e5c789c2188782b608f\"}],\"next\":"
                "\"c\"}");
    assert_told(GET("?after=c"), "200 {\"documents\":[]}");
    assert_told(GET("?limit=0"), "400 \"limit\" must be a number from 1 to 200");
    assert_told(request("GET", "/api/v1/collections/no/documents", ""),
                "404 there is no collection \"no\"");
    sql("UPDATE retrieval_documents SET state = 2 WHERE external_id = 'a'");
    sql("UPDATE retrieval_documents SET state = 3, problem = 'too odd' WHERE external_id = 'b'");
    sql("UPDATE retrieval_documents SET state = 4 WHERE external_id = 'c'");
    sql("INSERT INTO retrieval_versions SELECT id, title, source, format, metadata, 'newer', body, "
        "chunking, 2, 5 FROM retrieval_documents WHERE external_id = 'b'");
    assert_told(GET("?limit=200"),
                "200 "
                "{\"documents\":[{\"id\":\"a\",\"title\":\"\",\"source\":\"\",\"format\":\"text\","
                "\"state\":\"queued\",\"sha256\":"
                "\"fd9bddcc44235cce7e07c8b24fbb8812273e2a53e6246e5e828547c0f7727d52\"},{\"id\":"
                "\"b\",\"title\":\"TB\",\"source\":\"SB\",\"format\":\"text\",\"state\":\"failed\","
                "\"sha256\":\"e94d51a1453101cb475d7b076ffdb86b8f48427350d632f610cf451d4f4bfbaa\"},{"
                "\"id\":\"c\",\"title\":\"\",\"source\":\"\",\"format\":\"markdown\",\"state\":"
                "\"indexing\",\"sha256\":"
                "\"966f7f0ca283138ff0ef50ddd2e33cd26cb99bc482d49e5c789c2188782b608f\"}]}");
    assert_told(GET("/b"),
                "200 "
                "{\"id\":\"b\",\"title\":\"TB\",\"source\":\"SB\",\"format\":\"text\",\"metadata\":"
                "{},\"state\":\"failed\",\"sha256\":"
                "\"e94d51a1453101cb475d7b076ffdb86b8f48427350d632f610cf451d4f4bfbaa\",\"problem\":"
                "\"too "
                "odd\",\"next\":{\"state\":\"queued\",\"sha256\":\"newer\"},\"text\":\"B.\","
                "\"passages\":[{\"chunk\":1,\"heading\":\"\",\"start\":0,\"end\":2}]}");
    sql("UPDATE retrieval_documents SET state = -1 WHERE external_id = 'c'");
    assert_told(GET("?after=b"),
                "200 "
                "{\"documents\":[{\"id\":\"c\",\"title\":\"\",\"source\":\"\",\"format\":"
                "\"markdown\",\"state\":\"indexing\",\"sha256\":"
                "\"966f7f0ca283138ff0ef50ddd2e33cd26cb99bc482d49e5c789c2188782b608f\"}]}");
}

static void a_document_goes_with_all_that_is_of_it(void **state)
{
    (void)state;
    begin();
    put("{\"documents\":[{\"id\":\"a\",\"text\":\"A.\"},{\"id\":\"..\",\"text\":\"B.\"},{\"id\":"
        "\"c\","
        "\"text\":\"C.\"}]}");
    sql("INSERT INTO retrieval_versions SELECT id, title, source, format, metadata, 'newer', body, "
        "chunking, 2, 5 FROM retrieval_documents WHERE external_id = 'a'");
    sql("INSERT INTO retrieval_chunks (document_id, sequence, start_byte, end_byte, start_char, "
        "end_char, heading, body) VALUES (-1, 0, 0, 1, 0, 1, '', 'v')");
    forget();
    assert_told(request("DELETE", "/api/v1/collections/docs/documents/a", ""), "204 ");
    assert_trace("remove C0 1 4\n");
    assert_told(request("DELETE", "/api/v1/collections/docs/documents?id=..", ""), "204 ");
    assert_told(request("DELETE", "/api/v1/collections/docs/documents", ""),
                "400 which document? Name it in the path, or with ?id=");
    assert_told(request("DELETE", "/api/v1/collections/docs/documents/a", ""),
                "404 collection \"docs\" has no document \"a\"");
    assert_told(request("DELETE", "/api/v1/collections/no/documents/a", ""),
                "404 there is no collection \"no\"");
    assert_rows("SELECT id, external_id FROM retrieval_documents", "3|c\n");
    assert_rows("SELECT id FROM retrieval_chunks", "3\n");
    assert_rows("SELECT COUNT(*) FROM retrieval_versions", "0\n");
    assert_rows("SELECT COUNT(*) FROM retrieval_garbage", "0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_document_comes_in_and_out),
        TEST(a_document_is_written_only_when_it_differs),
        TEST(of_many_each_is_answered_for),
        TEST(lines_are_a_stream_of_documents),
        TEST(batches_are_of_200_documents),
        TEST(a_report_names_100_errors),
        TEST(what_a_document_may_be),
        TEST(documents_are_listed_page_by_page),
        TEST(a_document_goes_with_all_that_is_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
