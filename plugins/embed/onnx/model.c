/* model.c - loads a network, reads its inputs and outputs, and runs it over a few texts at a time.
 */
#define _GNU_SOURCE
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- loading ---- */

static int64_t resident_bytes(void)
{
    long  total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file && fscanf(file, "%ld %ld", &total, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

/* The network's file and its digest, which becomes part of the model's id. */
static bp_status find_file(bp_call *call, const struct model_options *options, struct model *model,
                           bp_str *path)
{
    static const char *const names[] = { "model.onnx", "onnx/model.onnx" };
    struct stat              info;
    void                    *bytes;
    int                      fd = -1;

    if (options->file.len) {
        *path = bp_format(call, BP_FMT "/" BP_FMT, BP_ARG(options->folder), BP_ARG(options->file));
        fd = open(path->data, O_RDONLY | O_CLOEXEC);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !options->file.len && fd < 0; i++) {
        *path = bp_format(call, BP_FMT "/%s", BP_ARG(options->folder), names[i]);
        fd = open(path->data, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0 && errno == ENOENT)
        return bp_fail(call, BP_NOT_FOUND,
                       "there is no " BP_FMT " in " BP_FMT
                       ": scripts/fetch-model.sh all-MiniLM-L6-v2 FOLDER fetches a model; then set "
                       "model: FOLDER",
                       BP_ARG(options->file.len ? options->file : BP_STR("model.onnx")),
                       BP_ARG(options->folder));
    if (fd < 0)
        return bp_fail(call, BP_UNAVAILABLE, BP_FMT " cannot be read: %s", BP_ARG(*path),
                       strerror(errno));
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0) {
        close(fd);
        return bp_fail(call, BP_INVALID, BP_FMT " is empty or no file", BP_ARG(*path));
    }
    bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED)
        return bp_fail(call, BP_UNAVAILABLE, BP_FMT " cannot be mapped: %s", BP_ARG(*path),
                       strerror(errno));
    bp_sha256(bp_str_n(bytes, (size_t)info.st_size), model->digest);
    munmap(bytes, (size_t)info.st_size);
    model->file_bytes = info.st_size;
    return BP_OK;
}

/* One thread a run: several runs side by side make better use of several processors than one run
 * does. */
static bp_status load(bp_call *call, struct model *model, bp_str path)
{
    const struct runtime *ort = &model->runtime;
    ort_session_options  *options = NULL;
    bp_str    what = bp_format(call, BP_FMT " cannot be loaded by ONNX Runtime %s", BP_ARG(path),
                               ort->version);
    bp_status status;

    BP_TRY(runtime_expect(call, ort, BP_UNAVAILABLE, "ONNX Runtime does not start",
                          ort->create_env(ORT_LOG_FATAL, "backplane", &model->env)));
    BP_TRY(runtime_expect(call, ort, BP_UNAVAILABLE, "ONNX Runtime",
                          ort->create_cpu_memory(ORT_ARENA, ORT_MEMORY_DEFAULT, &model->memory)));
    BP_TRY(runtime_expect(call, ort, BP_UNAVAILABLE, "ONNX Runtime",
                          ort->create_session_options(&options)));
    status = runtime_expect(call, ort, BP_UNAVAILABLE, "ONNX Runtime",
                            ort->set_threads_in_node(options, 1));
    if (status == BP_OK)
        status = runtime_expect(call, ort, BP_UNAVAILABLE, "ONNX Runtime",
                                ort->set_threads_between_nodes(options, 1));
    if (status == BP_OK)
        status = runtime_expect(call, ort, BP_UNAVAILABLE, "ONNX Runtime",
                                ort->set_optimisation(options, ORT_OPTIMISE_ALL));
    if (status == BP_OK) // every batch has another shape: patterns of memory never repeat
        status = runtime_expect(call, ort, BP_UNAVAILABLE, "ONNX Runtime",
                                ort->disable_memory_pattern(options));
    if (status == BP_OK)
        status = runtime_expect(call, ort, BP_INVALID, what.data,
                                ort->create_session(model->env, path.data, options,
                                                    &model->session));
    ort->release_session_options(options);
    return status;
}

/* ---- what the network wants and gives ---- */

static bp_status element_type_of(bp_call *call, const struct runtime *ort, ort_type *type,
                                 int *element, size_t *rank)
{
    const ort_tensor_type *tensor = NULL;
    bp_status              status;

    status = runtime_expect(call, ort, BP_INVALID, "the model's types",
                            ort->tensor_type_of(type, &tensor));
    *element = 0;
    *rank = 0;
    if (status == BP_OK && tensor)
        status = runtime_expect(call, ort, BP_INVALID, "the model's types",
                                ort->element_type(tensor, element));
    if (status == BP_OK && tensor)
        status = runtime_expect(call, ort, BP_INVALID, "the model's types",
                                ort->rank(tensor, rank));
    ort->release_type(type);
    return status;
}

static bp_status take_name(bp_call *call, const struct runtime *ort, ort_status *result,
                           ort_allocator *allocator, char *text, char name[ONNX_NAME_MAX])
{
    ort_status *freed;

    BP_TRY(runtime_expect(call, ort, BP_INVALID, "the model's names", result));
    snprintf(name, ONNX_NAME_MAX, "%s", text);
    freed = ort->allocator_free(allocator, text);
    return runtime_expect(call, ort, BP_INTERNAL, "the model's names", freed);
}

static bp_status take_input(bp_call *call, struct model *model, ort_allocator *allocator,
                            size_t index)
{
    static const struct {
        const char     *name;
        enum input_role role;
    } known[] = { { "input_ids", INPUT_IDS },
                  { "attention_mask", INPUT_MASK },
                  { "input_mask", INPUT_MASK },
                  { "token_type_ids", INPUT_TYPES },
                  { "segment_ids", INPUT_TYPES } };
    const struct runtime *ort = &model->runtime;
    struct model_input    input = { .type = 0 };
    ort_type             *type;
    char                 *text = NULL;
    size_t                rank, at = 0;
    ort_status           *named = ort->input_name(model->session, index, allocator, &text);

    BP_TRY(take_name(call, ort, named, allocator, text, input.name));
    while (at < sizeof(known) / sizeof(known[0]) && strcmp(known[at].name, input.name) != 0)
        at++;
    if (at == sizeof(known) / sizeof(known[0]) || model->input_count == INPUTS_MAX)
        return bp_fail(call, BP_INVALID,
                       "the model wants an input \"%s\", which a sentence model has not: its "
                       "inputs are input_ids, attention_mask and token_type_ids",
                       input.name);
    input.role = known[at].role;
    BP_TRY(runtime_expect(call, ort, BP_INVALID, "the model's inputs",
                          ort->input_type(model->session, index, &type)));
    BP_TRY(element_type_of(call, ort, type, &input.type, &rank));
    if (input.type != ORT_INT64 && input.type != ORT_INT32)
        return bp_fail(call, BP_INVALID, "the model's input \"%s\" is not of 32 or 64 bit integers",
                       input.name);
    model->inputs[model->input_count++] = input;
    return BP_OK;
}

/* A pooled sentence if the network gives one, else the states of its last layer, else its first
 * output. */
static bp_status take_output(bp_call *call, struct model *model, ort_allocator *allocator)
{
    static const char *const wanted[] = { "sentence_embedding", "last_hidden_state",
                                          "token_embeddings" };
    const struct runtime    *ort = &model->runtime;
    size_t                   count = 0, best = sizeof(wanted) / sizeof(wanted[0]) + 1, rank;
    int                      element;

    BP_TRY(runtime_expect(call, ort, BP_INVALID, "the model's outputs",
                          ort->output_count(model->session, &count)));
    for (size_t i = 0; i < count; i++) {
        char        name[ONNX_NAME_MAX], *text = NULL;
        size_t      place = 0;
        ort_type   *type;
        ort_status *named = ort->output_name(model->session, i, allocator, &text);

        BP_TRY(take_name(call, ort, named, allocator, text, name));
        while (place < sizeof(wanted) / sizeof(wanted[0]) && strcmp(wanted[place], name) != 0)
            place++;
        BP_TRY(runtime_expect(call, ort, BP_INVALID, "the model's outputs",
                              ort->output_type(model->session, i, &type)));
        BP_TRY(element_type_of(call, ort, type, &element, &rank));
        if (place >= best || element != ORT_FLOAT || rank < 2 || rank > 3)
            continue;
        best = place;
        memcpy(model->output_name, name, sizeof(name));
    }
    if (!model->output_name[0])
        return bp_fail(call, BP_INVALID,
                       "the model has no output of 32 bit floats, text by text or token by token: "
                       "it is not a sentence model");
    return BP_OK;
}

static bp_status find_inputs_and_output(bp_call *call, struct model *model)
{
    const struct runtime *ort = &model->runtime;
    ort_allocator        *allocator;
    size_t                count = 0;
    bool                  has_ids = false;

    BP_TRY(runtime_expect(call, ort, BP_UNAVAILABLE, "ONNX Runtime",
                          ort->default_allocator(&allocator)));
    BP_TRY(runtime_expect(call, ort, BP_INVALID, "the model's inputs",
                          ort->input_count(model->session, &count)));
    for (size_t i = 0; i < count; i++)
        BP_TRY(take_input(call, model, allocator, i));
    for (size_t i = 0; i < model->input_count; i++)
        has_ids |= model->inputs[i].role == INPUT_IDS;
    if (!has_ids)
        return bp_fail(call, BP_INVALID,
                       "the model has no input \"input_ids\": it is not a sentence model");
    return take_output(call, model, allocator);
}

/* ---- running ---- */

static void fill(const struct model *model, const struct model_input *input,
                 const struct model_batch *batch, size_t longest, void *numbers)
{
    int64_t *wide = numbers;
    int32_t *narrow = numbers;

    for (size_t row = 0; row < batch->count; row++) {
        const int32_t *ids = batch->ids + batch->order[row] * batch->stride;
        size_t         length = batch->lengths[batch->order[row]];

        for (size_t i = 0; i < longest; i++) {
            int32_t number = i < length
                                 ? (input->role == INPUT_IDS ? ids[i] : input->role == INPUT_MASK)
                                 : (input->role == INPUT_IDS ? wordpiece_pad(model->pieces) : 0);
            if (input->type == ORT_INT64)
                wide[row * longest + i] = number;
            else
                narrow[row * longest + i] = number;
        }
    }
}

static void pool(const struct model *model, const float *states, size_t length, float *vector)
{
    size_t width = model->dimensions;
    double square = 0;

    memcpy(vector, states, width * sizeof(*vector)); // that of [CLS], or the only one
    for (size_t token = 1; token < length && model->pooling == POOLING_MEAN; token++)
        for (size_t i = 0; i < width; i++)
            vector[i] += states[token * width + i];
    if (model->pooling == POOLING_MEAN)
        for (size_t i = 0; i < width; i++)
            vector[i] /= (float)length;
    for (size_t i = 0; i < width && model->normalises; i++)
        square += (double)vector[i] * vector[i];
    if (square > 0)
        for (size_t i = 0; i < width; i++)
            vector[i] = (float)(vector[i] / sqrt(square));
}

static bp_status take_vectors(bp_call *call, const struct model *model,
                              const struct model_batch *batch, size_t longest, ort_value *output)
{
    const struct runtime *ort = &model->runtime;
    ort_tensor_type      *type = NULL;
    int64_t               shape[3] = { 0 };
    size_t                rank = 0;
    void                 *data = NULL;
    ort_status           *result;

    BP_TRY(runtime_expect(call, ort, BP_UPSTREAM, "the model's output",
                          ort->tensor_type_of_value(output, &type)));
    result = ort->rank(type, &rank);
    if (!result && rank >= 2 && rank <= 3)
        result = ort->dimensions(type, shape, rank);
    ort->release_tensor_type(type);
    BP_TRY(runtime_expect(call, ort, BP_UPSTREAM, "the model's output", result));
    BP_TRY(runtime_expect(call, ort, BP_UPSTREAM, "the model's output",
                          ort->tensor_data(output, &data)));
    if (rank < 2 || rank > 3 || shape[0] != (int64_t)batch->count ||
        (rank == 3 && shape[1] != (int64_t)longest) ||
        shape[rank - 1] != (int64_t)model->dimensions)
        return bp_fail(call, BP_INVALID,
                       "the model gave numbers of another shape than %zu texts by %zu tokens by %u",
                       batch->count, longest, model->dimensions);
    for (size_t row = 0; row < batch->count; row++) {
        size_t       text = batch->order[row];
        const float *states = (const float *)data +
                              row * (rank == 3 ? longest : 1) * model->dimensions;
        float *vector = batch->vectors + text * model->dimensions;

        pool(model, states, rank == 3 ? batch->lengths[text] : 1, vector);
        for (size_t i = 0; i < model->dimensions; i++)
            if (!isfinite(vector[i]))
                return bp_fail(call, BP_UPSTREAM,
                               "the model gave numbers that are infinite or none at all");
    }
    return BP_OK;
}

static bp_status run(bp_call *call, const struct model *model, const struct model_batch *batch,
                     size_t longest, ort_value **output)
{
    const struct runtime *ort = &model->runtime;
    const char           *names[INPUTS_MAX], *output_name = model->output_name;
    ort_value            *inputs[INPUTS_MAX] = { NULL };
    int64_t               shape[2] = { (int64_t)batch->count, (int64_t)longest };
    size_t                cells = batch->count * longest;
    int64_t              *numbers = malloc(INPUTS_MAX * cells * sizeof(*numbers));
    bp_status             status = BP_OK;

    if (!numbers)
        return bp_fail(call, BP_NO_MEMORY, "no memory for %zu tokens", cells);
    for (size_t i = 0; i < model->input_count && status == BP_OK; i++) {
        size_t cell_bytes = model->inputs[i].type == ORT_INT64 ? sizeof(int64_t) : sizeof(int32_t);

        names[i] = model->inputs[i].name;
        fill(model, &model->inputs[i], batch, longest, numbers + i * cells);
        status = runtime_expect(call, ort, BP_INTERNAL, "the input of the model",
                                ort->create_tensor(model->memory, numbers + i * cells,
                                                   cells * cell_bytes, shape, 2,
                                                   model->inputs[i].type, &inputs[i]));
    }
    if (status == BP_OK)
        status = runtime_expect(call, ort, BP_UPSTREAM, "the model failed",
                                ort->run(model->session, NULL, names,
                                         (const ort_value *const *)inputs, model->input_count,
                                         &output_name, 1, output));
    for (size_t i = 0; i < model->input_count; i++)
        if (inputs[i])
            ort->release_value(inputs[i]);
    free(numbers);
    return status;
}

bp_status model_run(bp_call *call, const struct model *model, const struct model_batch *batch)
{
    ort_value *output = NULL;
    size_t     longest = 1;
    bp_status  status;

    for (size_t row = 0; row < batch->count; row++)
        if (batch->lengths[batch->order[row]] > longest)
            longest = batch->lengths[batch->order[row]];
    status = run(call, model, batch, longest, &output);
    if (status == BP_OK)
        status = take_vectors(call, model, batch, longest, output);
    if (output)
        model->runtime.release_value(output);
    return status;
}

/* ---- the whole ---- */

/* The width of the vectors is known for certain once there is one. */
static bp_status find_dimensions(bp_call *call, struct model *model)
{
    const struct runtime *ort = &model->runtime;
    int32_t               ids[4];
    uint32_t length = (uint32_t)wordpiece_encode(model->pieces, "a", 1, ids, 4), order = 0;
    const struct model_batch batch = {
        .ids = ids, .lengths = &length, .order = &order, .stride = 4, .count = 1
    };
    ort_value       *output = NULL;
    ort_tensor_type *type = NULL;
    int64_t          shape[3] = { 0 };
    size_t           rank = 0;
    ort_status      *result;

    BP_TRY(run(call, model, &batch, length, &output));
    result = ort->tensor_type_of_value(output, &type);
    if (!result)
        result = ort->rank(type, &rank);
    if (!result && rank >= 2 && rank <= 3)
        result = ort->dimensions(type, shape, rank);
    if (type)
        ort->release_tensor_type(type);
    ort->release_value(output);
    BP_TRY(runtime_expect(call, ort, BP_INVALID, "the model's output", result));
    if (rank < 2 || shape[rank - 1] < 1 || shape[rank - 1] > DIMENSIONS_MAX)
        return bp_fail(call, BP_INVALID, "the model's output \"%s\" holds no vectors",
                       model->output_name);
    model->dimensions = (uint32_t)shape[rank - 1];
    return BP_OK;
}

static bp_status open_all(bp_call *call, const struct model_options *options, struct model *model)
{
    bp_str path = { NULL, 0 };

    BP_TRY(settings_read(call, options, model));
    BP_TRY(find_file(call, options, model, &path));
    BP_TRY(runtime_open(call, options->runtime, &model->runtime));
    BP_TRY(load(call, model, path));
    BP_TRY(find_inputs_and_output(call, model));
    return find_dimensions(call, model);
}

bp_status model_open(bp_call *call, const struct model_options *options, struct model *model)
{
    int64_t   before = resident_bytes();
    bp_status status = open_all(call, options, model);

    if (status != BP_OK)
        model_close(model);
    else
        model->resident_bytes = resident_bytes() - before;
    return status;
}

void model_close(struct model *model)
{
    if (model->session)
        model->runtime.release_session(model->session);
    if (model->memory)
        model->runtime.release_memory(model->memory);
    if (model->env)
        model->runtime.release_env(model->env);
    wordpiece_free(model->pieces);
    memset(model, 0, sizeof(*model));
}
