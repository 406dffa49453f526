/* gate_kinds.c - which table serves which kind, and the operations of embed, llm, health and alert.
 */
#include "plugin/gate_kinds.h"

#include "base/clock.h"
#include "plugin/gate.h"

const void *gate_ops_for(const char *kind)
{
    static const struct {
        const char *kind;
        const void *ops;
    } tables[] = {
        { "storage", &gate_storage_ops }, { "cache", &gate_cache_ops },
        { "vector", &gate_vector_ops },   { "embed", &gate_embed_ops },
        { "llm", &gate_llm_ops },         { "health", &gate_health_ops },
        { "alert", &gate_alert_ops },
    };

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        if (strcmp(tables[i].kind, kind) == 0)
            return tables[i].ops;
    return NULL;
}

bp_status gate_needs(bp_call *call, const struct instance *instance, bool is_there, const char *op)
{
    return is_there ? BP_OK
                    : call_fail(call, BP_UNSUPPORTED, "%s cannot do \"%s\"",
                                instance->unit->plugin->label, op);
}

static const void *ops_of(const struct instance *instance)
{
    return instance->unit->plugin->descriptor.ops;
}

/* ---- embed ---- */

static const struct gate_op embed_list[] = { { 0, "info", true }, { 1, "embed", true } };

struct embed_args {
    const bp_embed_ops     *ops;
    bp_embed_info          *info;
    const bp_embed_request *request;
    bp_embeddings          *embeddings;
};

static bp_status run_info(bp_call *call, void *object, void *arg)
{
    struct embed_args *args = arg;

    return args->ops->info(call, object, args->info);
}

static bp_status gated_info(bp_call *call, void *instance, bp_embed_info *info)
{
    struct embed_args args = { .ops = ops_of(instance), .info = info };

    BP_TRY(gate_needs(call, instance, args.ops->info != NULL, "info"));
    return gate_run(call, instance, &embed_list[0], run_info, &args);
}

static bp_status run_embed(bp_call *call, void *object, void *arg)
{
    struct embed_args *args = arg;

    return args->ops->embed(call, object, args->request, args->embeddings);
}

static bp_status gated_embed(bp_call *call, void *instance, const bp_embed_request *request,
                             bp_embeddings *embeddings)
{
    struct embed_args args = { .ops = ops_of(instance),
                               .request = request,
                               .embeddings = embeddings };
    bp_status         status;

    BP_TRY(gate_needs(call, instance, args.ops->embed != NULL, "embed"));
    status = gate_run(call, instance, &embed_list[1], run_embed, &args);
    if (status == BP_OK &&
        (embeddings->count != request->count || !embeddings->vectors || !embeddings->dimensions))
        return call_fail(call, BP_UPSTREAM, "%s \"%s\" gave %zu vectors for %zu texts",
                         ((struct instance *)instance)->unit->plugin->label,
                         ((struct instance *)instance)->unit->conf->name.data, embeddings->count,
                         request->count);
    return status;
}

const bp_embed_ops gate_embed_ops = { .struct_size = sizeof(bp_embed_ops),
                                      .info = gated_info,
                                      .embed = gated_embed };

/* ---- llm ---- */

static const struct gate_op llm_list[] = { { 0, "chat", true }, { 1, "models", true } };

struct llm_args {
    const bp_llm_ops   *ops;
    const bp_chat      *chat;
    const bp_chat_sink *sink;
    bp_chat_result     *result;
    const bp_model    **models;
    size_t             *model_size, *count;
    struct instance    *instance;
    int64_t             began_ns;
    struct gate_op
        op; /* a copy: a chat is not tried again once a piece of the answer was given out */
};

static void count_tokens(const struct instance *instance, const char *direction, uint64_t tokens)
{
    metric_add(metrics_series(metrics_define(METRIC_COUNTER, "backplane_llm_tokens_total",
                                             "Tokens of chats, by direction: into the model and "
                                             "out of it.",
                                             "instance plugin direction"),
                              (bp_str[]){ instance->unit->conf->name,
                                          bp_str_of(instance->unit->plugin->label),
                                          bp_str_of(direction) },
                              3),
               (double)tokens);
}

static struct metric_series *first_token_of(const struct instance *instance)
{
    return metrics_series(metrics_define(METRIC_HISTOGRAM, "backplane_llm_first_token_seconds",
                                         "Time from a chat's request to the first piece of its "
                                         "answer.",
                                         "instance plugin"),
                          (bp_str[]){ instance->unit->conf->name,
                                      bp_str_of(instance->unit->plugin->label) },
                          2);
}

void gate_define_llm(const struct instance *instance)
{
    count_tokens(instance, "input", 0);
    count_tokens(instance, "output", 0);
    first_token_of(instance);
}

static bp_status pass_delta(bp_call *call, void *self, const bp_delta *delta)
{
    struct llm_args *args = self;
    struct arena    *of_plugin;

    if (args->op.is_idempotent)
        metric_observe(first_token_of(args->instance),
                       (double)(clock_now_ns() - args->began_ns) / 1e9);
    args->op.is_idempotent = false;
    gate_answered(call);
    of_plugin = gate_sink_begin(call);
    return gate_sink_end(call, of_plugin, args->sink->delta(call, args->sink->self, delta));
}

static bp_status run_chat(bp_call *call, void *object, void *arg)
{
    struct llm_args   *args = arg;
    const bp_chat_sink sink = { .struct_size = sizeof(sink), .delta = pass_delta, .self = args };

    return args->ops->chat(call, object, args->chat, &sink, args->result);
}

static bp_status gated_chat(bp_call *call, void *instance, const bp_chat *chat,
                            const bp_chat_sink *sink, bp_chat_result *result)
{
    struct llm_args args = { .ops = ops_of(instance),
                             .chat = chat,
                             .sink = sink,
                             .result = result,
                             .op = llm_list[0],
                             .instance = instance,
                             .began_ns = clock_now_ns() };
    bp_status       status;

    BP_TRY(gate_needs(call, instance, args.ops->chat != NULL, "chat"));
    status = gate_run(call, instance, &args.op, run_chat, &args);
    if (status == BP_OK) {
        count_tokens(instance, "input", result->input_tokens);
        count_tokens(instance, "output", result->output_tokens);
    }
    return status;
}

static bp_status run_models(bp_call *call, void *object, void *arg)
{
    struct llm_args *args = arg;

    return args->ops->models(call, object, args->models, args->model_size, args->count);
}

static bp_status gated_models(bp_call *call, void *instance, const bp_model **models,
                              size_t *model_size, size_t *count)
{
    struct llm_args args = {
        .ops = ops_of(instance), .models = models, .model_size = model_size, .count = count
    };

    BP_TRY(gate_needs(call, instance, args.ops->models != NULL, "models"));
    return gate_run(call, instance, &llm_list[1], run_models, &args);
}

const bp_llm_ops gate_llm_ops = { .struct_size = sizeof(bp_llm_ops),
                                  .chat = gated_chat,
                                  .models = gated_models };

/* ---- health ---- */

static const struct gate_op health_list[] = { { 0, "check", false } };

struct health_args {
    const bp_health_ops *ops;
    bp_health           *health;
};

static bp_status run_check(bp_call *call, void *object, void *arg)
{
    struct health_args *args = arg;

    return args->ops->check(call, object, args->health);
}

static bp_status gated_check(bp_call *call, void *instance, bp_health *health)
{
    struct health_args args = { .ops = ops_of(instance), .health = health };

    BP_TRY(gate_needs(call, instance, args.ops->check != NULL, "check"));
    return gate_run(call, instance, &health_list[0], run_check, &args);
}

const bp_health_ops gate_health_ops = { .struct_size = sizeof(bp_health_ops),
                                        .check = gated_check };

/* ---- alert ---- */

static const struct gate_op alert_list[] = { { 0, "deliver", true } };

struct alert_args {
    const bp_alert_ops *ops;
    const bp_alert     *alerts;
    size_t              alert_size, count;
};

static bp_status run_deliver(bp_call *call, void *object, void *arg)
{
    struct alert_args *args = arg;

    return args->ops->deliver(call, object, args->alerts, args->alert_size, args->count);
}

static bp_status gated_deliver(bp_call *call, void *instance, const bp_alert *alerts,
                               size_t alert_size, size_t count)
{
    struct alert_args args = {
        .ops = ops_of(instance), .alerts = alerts, .alert_size = alert_size, .count = count
    };

    BP_TRY(gate_needs(call, instance, args.ops->deliver != NULL, "deliver"));
    return gate_run(call, instance, &alert_list[0], run_deliver, &args);
}

const bp_alert_ops gate_alert_ops = { .struct_size = sizeof(bp_alert_ops),
                                      .deliver = gated_deliver };

/* ---- all of them ---- */

const struct gate_op *gate_ops_list(const char *kind, size_t *count)
{
    const struct {
        const char           *kind;
        const struct gate_op *ops;
        size_t                count;
    } lists[] = {
        { "storage", gate_storage_list, gate_storage_count },
        { "cache", gate_cache_list, gate_cache_count },
        { "vector", gate_vector_list, gate_vector_count },
        { "embed", embed_list, sizeof(embed_list) / sizeof(embed_list[0]) },
        { "llm", llm_list, sizeof(llm_list) / sizeof(llm_list[0]) },
        { "health", health_list, sizeof(health_list) / sizeof(health_list[0]) },
        { "alert", alert_list, sizeof(alert_list) / sizeof(alert_list[0]) },
    };

    *count = 0;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (strcmp(lists[i].kind, kind) == 0) {
            *count = lists[i].count;
            return lists[i].ops;
        }
    }
    return NULL;
}
