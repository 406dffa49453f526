/* backplane/testhost.h - a fake host: tests one plugin, in one process, without a server.
 *
 *      testhost *host = testhost_new();
 *      const bp_plugin *plugin = testhost_load(host, "./my_check.so");
 *      testhost_instance *check = testhost_instance_create(host, plugin, "mine", options, 1);
 *      bp_call *call = testhost_call_new(host, BP_SECONDS(5));
 *      bp_health health = { sizeof(health) };
 *      assert_int_equal(ops->check(call, testhost_self(check), &health), BP_OK);
 *      testhost_call_end(call);
 *      testhost_instance_destroy(check);
 *      assert_string_equal(testhost_leaks(host), "");
 *      testhost_free(host);
 *
 * Everything happens on the calling thread: a suspending function simply does its work. Time is
 * virtual: it stands still unless the plugin sleeps or times out, or the test calls
 * testhost_advance(). HTTP answers and stream bytes are scripted; streams that are not scripted are
 * real connections. Link with -lbackplane-testhost (pkg-config backplane-testhost). The test
 * program may itself call what the SDK's headers offer (bp_format(call, ...), bp_json_parse()),
 * once testhost_new() has run.
 */
#ifndef BACKPLANE_TESTHOST_H
#define BACKPLANE_TESTHOST_H

#include <backplane/app.h>
#include <backplane/http.h>
#include <backplane/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct testhost          testhost;
typedef struct testhost_instance testhost_instance;

/* One option as it would stand in the conf, read by the host's own code: ${NAME} and ${file:PATH}
 * are filled in, and mistakes give the same sentences. A LIST or REFS separates its members
 * by
 * ", ", a MAP is written "name=value, name=value"; or all are YAML, "[a, b]" and "{name: value}".
 */
typedef struct testhost_option {
    const char *name;
    const char *value;
} testhost_option;

/* ---- the host ---- */

testhost *testhost_new(void);
/* Ends the jobs and frees everything; end instances and calls first. */
void testhost_free(testhost *host);
/* Why the last testhost_load(), testhost_check() or testhost_instance_create() failed; "" when it
 * did not. */
const char *testhost_problem(const testhost *host);
/* The things still open, as a sentence: "2 streams, 1 child"; "" for nothing. Valid until the next
 * call. */
const char *testhost_leaks(testhost *host);
/* Relative values of PATH options start here; the working directory unless set. */
void testhost_set_data_dir(testhost *host, const char *path);

/* ---- plugins and instances: NULL on failure, see testhost_problem() ---- */

/* Opens a shared object (it is never closed), checks its descriptor and fills in the services it
 * requires. */
const bp_plugin *testhost_load(testhost *host, const char *path);
/* The same for a plugin that is linked into the test. */
const bp_plugin *testhost_load_entry(testhost *host, const bp_plugin *(*entry)(uint32_t host_abi));
/* Reads the options and runs the plugin's check hook, nothing else. */
bp_status testhost_check(testhost *host, const bp_plugin *plugin, const testhost_option *options,
                         size_t count);
/* check, shared_create, worker_start; a failed step undoes the earlier ones. Instances made
 * earlier can be named by REF options; so can peers given by testhost_add_peer(). */
testhost_instance *testhost_instance_create(testhost *host, const bp_plugin *plugin,
                                            const char *name, const testhost_option *options,
                                            size_t count);
/* One more worker of an instance: the same shared object, a struct of its own. Destroyed before the
 * first. */
testhost_instance *testhost_instance_worker(testhost_instance *first);
/* The instance's last bp_report_health(); level 0 and an empty sentence: none. */
struct testhost_report {
    uint32_t level;
    char     sentence[512];
};
const struct testhost_report *testhost_report_of(const testhost_instance *instance);
/* drain, worker_stop and, for the first, shared_destroy. NULL is allowed. */
void testhost_instance_destroy(testhost_instance *instance);
void *
testhost_self(const testhost_instance *instance); /* the `instance` argument of each operation */
const void    *testhost_ops(const testhost_instance *instance);
const bp_peer *testhost_peer(const testhost_instance *instance);
/* A fake peer; everything is copied but what `ops` and `instance` point to. */
void testhost_add_peer(testhost *host, const char *name, const char *kind, uint32_t kind_version,
                       const void *ops, void *instance);

/* ---- calls ---- */

/* timeout_ns from now by the virtual clock; BP_FOREVER: none. Any thread. */
bp_call *testhost_call_new(testhost *host, int64_t timeout_ns);
/* Runs the cleanups, latest first, closes open things and frees the memory. NULL is allowed. */
void testhost_call_end(bp_call *call);
/* Any thread. */
void testhost_cancel(bp_call *call);
/* Strings must outlive the call. The default is nobody, of tenant "default". */
void testhost_call_principal(bp_call *call, const bp_principal *principal);
/* Memory of the call: an allocation beyond this fails. */
void testhost_call_memory(bp_call *call, size_t max_bytes);

/* ---- time ---- */

void testhost_advance(int64_t duration_ns);
/* Runs each job given to bp_every() that is due; returns how many ran. A job that fails is logged.
 */
size_t testhost_run_jobs(testhost *host);

/* Whether bp_offload() runs its job on a thread of its own (true) or inline (false, the default).
 */
void testhost_offload_on_threads(testhost *host, bool on_threads);

/* ---- the log ---- */

typedef struct testhost_log {
    bp_log_level level;
    const char  *event;
    const char  *message;
    const char  *fields; /* "name=value name=value" */
} testhost_log;

size_t testhost_log_count(testhost *host);
/* The n-th line, the oldest first; all NULL behind the end. */
testhost_log testhost_log_at(testhost *host, size_t index);
/* Whether event, message or fields of any line contain `text`. */
bool testhost_log_has(testhost *host, const char *text);

/* The value of a metric of the plugin's own; labels as "a=b,c=d" in the order of its definition, ""
 * for none. Counters and gauges their value, histograms the number of observations; -1: no such
 * series. */
double testhost_metric(testhost *host, const char *name, const char *labels);

/* ---- HTTP, scripted ---- */

/* Queues an answer for `method` and `url` (exactly as asked for). Answers are used in their order;
 * the last one stays. Headers are "Name: value\r\n" lines. A request without an answer is
 * BP_UNAVAILABLE. */
void testhost_http_answer(testhost *host, const char *method, const char *url, int32_t status,
                          const char *headers, bp_str body);
void testhost_http_failure(testhost *host, const char *method, const char *url, bp_status status,
                           const char *message);
/* Bodies of streams come in pieces of this many bytes (16 unless set). */
void testhost_http_piece_size(testhost *host, size_t bytes);
/* Streams break off (BP_UPSTREAM) behind this many bytes of the body; SIZE_MAX: never. */
void testhost_http_break_after(testhost *host, size_t bytes);

typedef struct testhost_request {
    const char *method;
    const char *url;
    const char *headers; /* "Name: value\r\n" lines, as sent */
    bp_str      body;
} testhost_request;

size_t           testhost_request_count(testhost *host);
testhost_request testhost_request_at(testhost *host, size_t index);

/* ---- streams, scripted ---- */

/* Adds a piece that the server at `address` sends, one piece per read; then the stream ends. No
 * real connection goes to a scripted address. */
void testhost_stream_script(testhost *host, const char *address, bp_str piece);
/* All bytes written to it so far. */
bp_str testhost_stream_written(testhost *host, const char *address);

/* ---- apps ---- */

typedef struct testhost_reply {
    bp_status   status;      /* what the handler returned */
    int32_t     http_status; /* 0: it has not answered */
    const char *content_type;
    const char *headers; /* "name: value\r\n" lines */
    bp_str      body;    /* all that was written; events as they stand in the stream */
    bool        is_stream;
} testhost_reply;

/* Finds the route of `method` and `target` ("/a/b?c=d") in the app's table and runs its handler on
 * `call`. BP_NOT_FOUND without one. Everything in the reply lives as long as the call. */
testhost_reply testhost_request_app(bp_call *call, testhost_instance *app, const char *method,
                                    const char *target, const char *headers, bp_str body);

/* A file that the command line sends. */
typedef struct testhost_file {
    const char *name;
    bp_str      bytes;
    const char *option; /* the option that names the file; NULL: it is one of the words */
} testhost_file;

/* The words typed. The fake host does not check words and options against the table: the real host
 * does that. */
typedef struct testhost_command {
    const char            *name; /* of the app's table: "search" */
    const char *const     *words;
    size_t                 word_count;
    const testhost_option *options; /* without dashes; the value of a flag is "" */
    size_t                 option_count;
    const testhost_file   *files;
    size_t                 file_count;
    int64_t line_count, left_out; /* what bp_command_line_count() and _left_out() say */
    bool    is_alone;             /* what bp_command_is_alone() says */
} testhost_command;

typedef struct testhost_command_reply {
    bp_status   status;        /* what the handler returned */
    int32_t     exit_status;   /* of the command line */
    const char *printed;       /* to standard output */
    const char *warned;        /* to standard error */
    const char *progress_what; /* the bar as it was last; NULL: there was none */
    int64_t     progress_done, progress_total;
} testhost_command_reply;

/* Finds the command in the app's table and runs its handler. BP_NOT_FOUND without one. Files come
 * in pieces of testhost_http_piece_size(). Everything in the reply lives as long as the call. */
testhost_command_reply testhost_run_command(bp_call *call, testhost_instance *app,
                                            const testhost_command *typed);

typedef struct testhost_mcp_reply {
    bp_status status; /* what the handler returned */
    /* What the handler added, as one JSON object: content (blocks), structuredContent, isError,
     * _meta of a tool; contents of a resource; description and messages of a prompt; values of a
     * completion. */
    bp_str result;
    bp_str sent; /* a JSON array of its notifications and questions, in their order: {"method",
                    "params"} */
    int32_t error_code; /* of bp_mcp_fail(); 0: it was not called */
} testhost_mcp_reply;

/* Finds the tool in the app's table and runs its handler. Arguments are not validated here: the
 * host does that. A structured result is: BP_INTERNAL when it is not what the output schema says.
 * BP_NOT_FOUND without such a tool. Everything in the reply lives as long as the
 * call. */
testhost_mcp_reply testhost_call_tool(bp_call *call, testhost_instance *app, const char *name,
                                      const char *arguments);
/* The same for a resource, by its uri or one that a template fits, and for a prompt. */
testhost_mcp_reply testhost_read_resource(bp_call *call, testhost_instance *app, const char *uri);
testhost_mcp_reply testhost_get_prompt(bp_call *call, testhost_instance *app, const char *name,
                                       const char *arguments);
/* Sets the client's answer to the question with that key: the result object, as JSON. The client
 * has the capabilities that it has answers for; a question without an answer is BP_UNSUPPORTED. */
void testhost_mcp_answer(testhost *host, const char *key, const char *result);

#ifdef __cplusplus
}
#endif
#endif
