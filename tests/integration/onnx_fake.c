/* onnx_fake.c - stands in for libonnxruntime.so where a test needs a network that fails for a
 * chosen text: the table of API version 1 as far as embed/onnx uses it, and a "network" that gives
 * each token's number back.
 *
 * A token of the number BAD makes the vector of its text infinite; REFUSED makes the whole run
 * fail. A run takes a few milliseconds, so that calls meet. What runtimes really do,
 * integration.onnx proves.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BAD = 5,
    REFUSED = 6,
    RUN_MS = 4,
    INPUTS = 2,
    WIDTH = 2,
    FLOAT = 1,
    INT64 = 7,
    TABLE_SIZE = 128
};

struct value {
    int64_t shape[3];
    size_t  rank;
    int     type;
    void   *data;
    int     owns_data;
};

static const char failure[] = "the token is refused";
static int        thing; /* what opaque pointers point to */

static const char *error_message(const void *status)
{
    return status;
}
static void *create_env(int level, const char *name, void **out)
{
    return (void)level, (void)name, *out = &thing, (void *)0;
}
static void *create_options(void **out)
{
    return *out = &thing, (void *)0;
}
static void *create_session(const void *env, const char *path, const void *options, void **out)
{
    return (void)env, (void)path, (void)options, *out = &thing, (void *)0;
}
static void *set_one(void *options)
{
    return (void)options, (void *)0;
}
static void *set_two(void *options, int value)
{
    return (void)options, (void)value, (void *)0;
}
static void *count_inputs(const void *session, size_t *out)
{
    return (void)session, *out = INPUTS, (void *)0;
}
static void *count_outputs(const void *session, size_t *out)
{
    return (void)session, *out = 1, (void *)0;
}

static struct value input_type_value = { .rank = 2, .type = INT64 },
                    output_type_value = { .rank = 3, .type = FLOAT };

static void *input_type(const void *session, size_t index, void **out)
{
    return (void)session, (void)index, *out = &input_type_value, (void *)0;
}
static void *output_type(const void *session, size_t index, void **out)
{
    return (void)session, (void)index, *out = &output_type_value, (void *)0;
}
static void *input_name(const void *session, size_t index, void *allocator, char **out)
{
    return (void)session, (void)allocator, *out = strdup(index ? "attention_mask" : "input_ids"),
                                           (void *)0;
}
static void *output_name(const void *session, size_t index, void *allocator, char **out)
{
    return (void)session, (void)index, (void)allocator, *out = strdup("last_hidden_state"),
                                                        (void *)0;
}
static void *allocator_free(void *allocator, void *text)
{
    return (void)allocator, free(text), (void *)0;
}
static void *default_allocator(void **out)
{
    return *out = &thing, (void *)0;
}
static void *create_memory(int allocator, int memory, void **out)
{
    return (void)allocator, (void)memory, *out = &thing, (void *)0;
}

static void *create_tensor(const void *memory, void *data, size_t size, const int64_t *shape,
                           size_t rank, int type, struct value **out)
{
    struct value *value = calloc(1, sizeof(*value));

    (void)memory, (void)size;
    memcpy(value->shape, shape, rank * sizeof(*shape));
    value->rank = rank;
    value->type = type;
    value->data = data;
    *out = value;
    return NULL;
}

static void *tensor_data(struct value *value, void **out)
{
    return *out = value->data, (void *)0;
}
static void *tensor_type_of(const void *type, const void **out)
{
    return *out = type, (void *)0;
}
static void *element_type(const struct value *type, int *out)
{
    return *out = type->type, (void *)0;
}
static void *rank_of(const struct value *type, size_t *out)
{
    return *out = type->rank, (void *)0;
}
static void *dimensions_of(const struct value *type, int64_t *out, size_t rank)
{
    return memcpy(out, type->shape, rank * sizeof(*out)), (void *)0;
}

static void *tensor_type_of_value(const struct value *value, struct value **out)
{
    struct value *type = malloc(sizeof(*type));

    *type = *value;
    type->owns_data = 0;
    *out = type;
    return NULL;
}

static void release_value(struct value *value)
{
    if (value->owns_data)
        free(value->data);
    free(value);
}

static void release_copy(struct value *type)
{
    free(type);
}
static void release_nothing(void *any)
{
    (void)any;
}

static void *run(void *session, const void *run_options, const char *const *input_names,
                 const struct value *const *inputs, size_t input_count,
                 const char *const *output_names, size_t output_count, struct value **outputs)
{
    const int64_t *ids = inputs[0]->data;
    size_t         cells = (size_t)(inputs[0]->shape[0] * inputs[0]->shape[1]);
    float         *states = malloc(cells * WIDTH * sizeof(*states));
    struct value  *output = calloc(1, sizeof(*output));

    (void)session, (void)run_options, (void)input_names, (void)input_count, (void)output_names,
        (void)output_count;
    nanosleep(&(struct timespec){ .tv_nsec = RUN_MS * 1000000L }, NULL);
    *output = (struct value){
        { inputs[0]->shape[0], inputs[0]->shape[1], WIDTH }, 3, FLOAT, states, 1
    };
    for (size_t i = 0; i < cells; i++) {
        if (ids[i] == REFUSED) {
            release_value(output);
            return (void *)(uintptr_t)failure;
        }
        states[i * WIDTH] = ids[i] == BAD ? __builtin_inff() : (float)ids[i];
        states[i * WIDTH + 1] = 1;
    }
    *outputs = output;
    return NULL;
}

static const void *table[TABLE_SIZE];

static void fill_table(void)
{
    const struct {
        int         place;
        const void *function;
    } all[] = { { 2, (const void *)(uintptr_t)error_message },
                { 3, (const void *)(uintptr_t)create_env },
                { 7, (const void *)(uintptr_t)create_session },
                { 9, (const void *)(uintptr_t)run },
                { 10, (const void *)(uintptr_t)create_options },
                { 17, (const void *)(uintptr_t)set_one },
                { 23, (const void *)(uintptr_t)set_two },
                { 24, (const void *)(uintptr_t)set_two },
                { 25, (const void *)(uintptr_t)set_two },
                { 30, (const void *)(uintptr_t)count_inputs },
                { 31, (const void *)(uintptr_t)count_outputs },
                { 33, (const void *)(uintptr_t)input_type },
                { 34, (const void *)(uintptr_t)output_type },
                { 36, (const void *)(uintptr_t)input_name },
                { 37, (const void *)(uintptr_t)output_name },
                { 49, (const void *)(uintptr_t)create_tensor },
                { 51, (const void *)(uintptr_t)tensor_data },
                { 55, (const void *)(uintptr_t)tensor_type_of },
                { 60, (const void *)(uintptr_t)element_type },
                { 61, (const void *)(uintptr_t)rank_of },
                { 62, (const void *)(uintptr_t)dimensions_of },
                { 65, (const void *)(uintptr_t)tensor_type_of_value },
                { 69, (const void *)(uintptr_t)create_memory },
                { 76, (const void *)(uintptr_t)allocator_free },
                { 78, (const void *)(uintptr_t)default_allocator },
                { 92, (const void *)(uintptr_t)release_nothing },
                { 93, (const void *)(uintptr_t)release_nothing },
                { 94, (const void *)(uintptr_t)release_nothing },
                { 95, (const void *)(uintptr_t)release_nothing },
                { 96, (const void *)(uintptr_t)release_value },
                { 98, (const void *)(uintptr_t)release_nothing },
                { 99, (const void *)(uintptr_t)release_copy },
                { 100, (const void *)(uintptr_t)release_nothing } };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        table[all[i].place] = all[i].function;
}

static const void *const *table_of(uint32_t version)
{
    fill_table();
    return version == 1 ? table : NULL;
}

static const char *version(void)
{
    return "0.0-fake";
}

struct base {
    const void *const *(*table)(uint32_t version);
    const char *(*version)(void);
};

__attribute__((visibility("default"))) const struct base *OrtGetApiBase(void);
const struct base                                        *OrtGetApiBase(void)
{
    static const struct base base = { table_of, version };

    return &base;
}
