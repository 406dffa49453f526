/* test_gate_kinds.c - each operation of an embedder, a model, a check and an alert sink reaches the
 * plugin, its status comes back, and one that is not there is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <backplane/alert.h>
#include <backplane/embed.h>
#include <backplane/health.h>
#include <backplane/llm.h>

#include "gate_rig.h"

static struct {
    const char *op;
    bp_status   status;
    int         calls, deltas;
    size_t      vectors; /* that the embedder gives */
    uint32_t    dimensions;
    bool        has_vectors;
} fake;

static bp_status seen(const char *op)
{
    fake.op = op;
    fake.calls++;
    return fake.status;
}

static bp_status on_info(bp_call *call, void *self, bp_embed_info *info)
{
    (void)call, (void)self;
    info->dimensions = 3;
    return seen("info");
}
static bp_status on_embed(bp_call *call, void *self, const bp_embed_request *request,
                          bp_embeddings *embeddings)
{
    static const float vectors[6];

    (void)call, (void)self, (void)request;
    embeddings->count = fake.vectors;
    embeddings->dimensions = fake.dimensions;
    embeddings->vectors = fake.has_vectors ? vectors : NULL;
    return seen("embed");
}
static bp_status on_chat(bp_call *call, void *self, const bp_chat *chat, const bp_chat_sink *sink,
                         bp_chat_result *result)
{
    const bp_delta delta = { .struct_size = sizeof(delta), .text = chat->model };

    (void)self;
    for (int i = 0; i < fake.deltas; i++)
        BP_TRY(sink->delta(call, sink->self, &delta));
    result->input_tokens = 20;
    result->output_tokens = 30;
    return seen("chat");
}
static bp_status on_models(bp_call *call, void *self, const bp_model **models, size_t *model_size,
                           size_t *count)
{
    static const bp_model list[2];

    (void)call, (void)self;
    *models = list, *model_size = sizeof(list[0]), *count = 2;
    return seen("models");
}
static bp_status on_check(bp_call *call, void *self, bp_health *health)
{
    (void)call, (void)self;
    health->level = BP_HEALTH_DEGRADED;
    return seen("check");
}
static bp_status on_deliver(bp_call *call, void *self, const bp_alert *alerts, size_t alert_size,
                            size_t count)
{
    (void)call, (void)self;
    assert_non_null(alerts);
    assert_int_equal(alert_size, sizeof(bp_alert));
    assert_int_equal(count, 2);
    return seen("deliver");
}

static const bp_embed_ops  embed = { sizeof(embed), on_info, on_embed }, no_embed = { 0 };
static const bp_llm_ops    llm = { sizeof(llm), on_chat, on_models }, no_llm = { 0 };
static const bp_health_ops health = { sizeof(health), on_check }, no_health = { 0 };
static const bp_alert_ops  alert = { sizeof(alert), on_deliver }, no_alert = { 0 };

/* ---- what a caller does with them ---- */

static bp_status      sink_says;
static int            pieces;
static bp_chat_result result;

static bp_status take_piece(bp_call *call, void *self, const bp_delta *delta)
{
    (void)call, (void)self;
    assert_true(bp_str_is(delta->text, "model"));
    pieces++;
    return sink_says;
}

static bp_status do_info(bp_call *call)
{
    bp_embed_info info;
    bp_status     status = bp_embed_info_of(call, &instance.peer, &info);

    assert_true(status != BP_OK || info.dimensions == 3);
    return status;
}
static bp_status do_embed(bp_call *call)
{
    const bp_str  texts[] = { BP_STR("a"), BP_STR("b") };
    bp_embeddings embeddings;

    return bp_embed_texts(call, &instance.peer, BP_EMBED_QUERY, texts, 2, &embeddings);
}
static bp_status do_chat(bp_call *call)
{
    const bp_chat      chat = { .struct_size = sizeof(chat), .model = BP_STR("model") };
    const bp_chat_sink sink = { .struct_size = sizeof(sink), .delta = take_piece };

    return bp_llm_chat(call, &instance.peer, &chat, &sink, &result);
}
static bp_status do_models(bp_call *call)
{
    const bp_model *models;
    size_t          size, count = 0;
    bp_status status = bp_llm_of(&instance.peer)->models(call, &instance, &models, &size, &count);

    assert_true(status != BP_OK || (count == 2 && size == sizeof(bp_model)));
    return status;
}
static bp_status do_check(bp_call *call)
{
    bp_health answer = { .struct_size = sizeof(answer) };
    bp_status status = ((const bp_health_ops *)instance.peer.ops)->check(call, &instance, &answer);

    assert_true(status != BP_OK || answer.level == BP_HEALTH_DEGRADED);
    return status;
}
static bp_status do_deliver(bp_call *call)
{
    static const bp_alert alerts[2];

    return ((const bp_alert_ops *)instance.peer.ops)
        ->deliver(call, &instance, alerts, sizeof(bp_alert), 2);
}

static const struct operation {
    const char *kind, *name;
    const void *ops, *none;
    bp_status (*run)(bp_call *call);
    bool is_idempotent;
} operations[] = {
    { "embed", "info", &embed, &no_embed, do_info, true },
    { "embed", "embed", &embed, &no_embed, do_embed, true },
    { "llm", "chat", &llm, &no_llm, do_chat, true },
    { "llm", "models", &llm, &no_llm, do_models, true },
    { "health", "check", &health, &no_health, do_check, false },
    { "alert", "deliver", &alert, &no_alert, do_deliver, true },
};
enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

static const struct operation *tried;

static double calls_counted(const char *outcome)
{
    return metric_value(
        metrics_series(metrics_define(METRIC_COUNTER, "backplane_plugin_calls_total", "",
                                      "instance plugin op outcome"),
                       (bp_str[]){ BP_STR("main"), bp_str_of(plugin.label), bp_str_of(tried->name),
                                   bp_str_of(outcome) },
                       4));
}

static void call_it(bp_call *call)
{
    assert_int_equal(tried->run(call), BP_OK);
    assert_string_equal(fake.op, tried->name);
    assert_int_equal(fake.calls, 1);
    fake.status = BP_CONFLICT;
    assert_int_equal(tried->run(call), BP_CONFLICT);
    fake.calls = 0;
    fake.status = BP_UNAVAILABLE; // one retry
    assert_int_equal(tried->run(call), BP_UNAVAILABLE);
    assert_int_equal(fake.calls, tried->is_idempotent ? 2 : 1);
    assert_true(calls_counted("ok") == 1);
}

static void miss_it(bp_call *call)
{
    char sentence[64];

    snprintf(sentence, sizeof(sentence), "%s/fake cannot do \"%s\"", tried->kind, tried->name);
    assert_int_equal(tried->run(call), BP_UNSUPPORTED);
    assert_string_equal(call->error.message.data, sentence);
    assert_int_equal(fake.calls, 0);
}

static void start(const char *kind, const void *ops)
{
    memset(&fake, 0, sizeof(fake));
    fake.vectors = 2, fake.dimensions = 3, fake.has_vectors = true;
    sink_says = BP_OK;
    pieces = 0;
    assert_int_equal(rig_start(kind, ops), 0);
}

static void each_operation_reaches_the_plugin(void **state)
{
    for (tried = operations; tried < operations + OPERATIONS; tried++) {
        start(tried->kind, tried->ops);
        on_call(call_it);
        rig_stop(state);
        start(tried->kind, tried->none);
        on_call(miss_it);
        rig_stop(state);
    }
}

/* ---- what an embedder gave ---- */

static bp_status embed_says;

static void embed_once(bp_call *call)
{
    assert_int_equal(do_embed(call), embed_says);
    if (embed_says == BP_UPSTREAM)
        assert_non_null(strstr(call->error.message.data, "vectors for 2 texts"));
}

static void an_embedder_gives_a_vector_for_each_text(void **state)
{
    static const struct {
        size_t    vectors;
        uint32_t  dimensions;
        bool      has_vectors;
        bp_status status;
    } answers[] = { { 2, 3, true, BP_OK },
                    { 1, 3, true, BP_UPSTREAM },
                    { 3, 3, true, BP_UPSTREAM },
                    { 2, 0, true, BP_UPSTREAM },
                    { 2, 3, false, BP_UPSTREAM } };

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        start("embed", &embed);
        fake.vectors = answers[i].vectors;
        fake.dimensions = answers[i].dimensions;
        fake.has_vectors = answers[i].has_vectors;
        embed_says = answers[i].status;
        on_call(embed_once);
        rig_stop(state);
    }
}

/* ---- an answer in pieces ---- */

static double tokens(const char *direction)
{
    return metric_value(
        metrics_series(metrics_define(METRIC_COUNTER, "backplane_llm_tokens_total", "",
                                      "instance plugin direction"),
                       (bp_str[]){ BP_STR("main"), BP_STR("llm/fake"), bp_str_of(direction) }, 3));
}

/* How often the time to the first piece was noted: the line of its count in what is scraped. */
static bool first_pieces_are(bp_call *call, const char *count)
{
    struct bp_buf buf;
    char          line[128];

    buf_init(&buf, call->arena, 1u << 20);
    metrics_render(&buf);
    snprintf(line, sizeof(line),
             "backplane_llm_first_token_seconds_count{instance=\"main\",plugin=\"llm/fake\"} %s\n",
             count);
    return strstr(buf_str(&buf).data, line) != NULL;
}

static void chat_in_pieces(bp_call *call)
{
    assert_true(first_pieces_are(call, "0"));
    fake.deltas = 3;
    assert_int_equal(do_chat(call), BP_OK);
    assert_int_equal(pieces, 3);
    assert_true(tokens("input") == 20);
    assert_true(tokens("output") == 30);
    assert_true(first_pieces_are(call, "1")); // and not one for each piece
    fake.status = BP_UNAVAILABLE;
    fake.calls = 0;
    assert_int_equal(do_chat(call), BP_UNAVAILABLE);
    assert_int_equal(fake.calls, 1); // the client has the beginning of an answer
    assert_true(tokens("input") == 20);
    fake.status = BP_OK;
    sink_says = BP_CANCELLED;
    pieces = 0;
    assert_int_equal(do_chat(call), BP_CANCELLED);
    assert_int_equal(pieces, 1);
}

static void a_chat_counts_its_tokens_and_its_first_piece(void **state)
{
    start("llm", &llm);
    on_call(chat_in_pieces);
    rig_stop(state);
}

/* ---- the lists ---- */

static void each_kind_has_a_table_and_a_list_of_its_operations(void **state)
{
    static const struct {
        const char *kind, *last;
        size_t      count;
    } kinds[] = { { "cache", "load", 12 },
                  { "embed", "embed", 2 },
                  { "llm", "models", 2 },
                  { "health", "check", 1 },
                  { "alert", "deliver", 1 } };
    size_t                count = 99;
    const struct gate_op *list;

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        assert_non_null(gate_ops_for(kinds[i].kind));
        list = gate_ops_list(kinds[i].kind, &count);
        assert_int_equal(count, kinds[i].count);
        assert_string_equal(list[count - 1].name, kinds[i].last);
        for (size_t o = 0; o < count; o++)
            assert_int_equal(list[o].index, o); // each has counters of its own
    }
    assert_ptr_equal(gate_ops_for("storage"), &gate_storage_ops);
    assert_ptr_equal(gate_ops_for("vector"), &gate_vector_ops);
    assert_null(gate_ops_for("app"));
    assert_null(gate_ops_list("app", &count));
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operation_reaches_the_plugin),
        cmocka_unit_test(an_embedder_gives_a_vector_for_each_text),
        cmocka_unit_test(a_chat_counts_its_tokens_and_its_first_piece),
        cmocka_unit_test(each_kind_has_a_table_and_a_list_of_its_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
