/* runtime.h - ONNX Runtime as this plugin uses it: a shared library opened when it is needed, not
 * when it is built.
 *
 * The library hands out its C API as a table of function pointers. The table only ever grows at its
 * end, so that the place of a function is the same in every release; a release serves the tables of
 * all releases before it. The functions used here are in the first one (API version 1), which every
 * libonnxruntime.so since 1.0 has. So no header is needed to build the plugin and any release
 * serves it.
 */
#ifndef ONNX_RUNTIME_H
#define ONNX_RUNTIME_H

#include <backplane/call.h>

/* Opaque things of the library. */
typedef struct ort_status          ort_status; /* NULL: it went well */
typedef struct ort_env             ort_env;
typedef struct ort_session         ort_session;
typedef struct ort_session_options ort_session_options;
typedef struct ort_value           ort_value;
typedef struct ort_type            ort_type;
typedef struct ort_tensor_type     ort_tensor_type;
typedef struct ort_memory          ort_memory;
typedef struct ort_allocator       ort_allocator;

enum { ORT_LOG_FATAL = 4, ORT_OPTIMISE_ALL = 99, ORT_ARENA = 1, ORT_MEMORY_DEFAULT = 0 };

/* Types of numbers in a tensor. */
enum { ORT_FLOAT = 1, ORT_INT32 = 6, ORT_INT64 = 7 };

/* X(place in the table, name, result, arguments) */
#define ORT_FUNCTIONS(X)                                                                           \
    X(2, error_message, const char *, (const ort_status *))                                        \
    X(3, create_env, ort_status *, (int level, const char *name, ort_env **))                      \
    X(7, create_session, ort_status *,                                                             \
      (const ort_env *, const char *path, const ort_session_options *, ort_session **))            \
    X(9, run, ort_status *,                                                                        \
      (ort_session *, const void *run_options, const char *const *input_names,                     \
       const ort_value *const *inputs, size_t input_count, const char *const *output_names,        \
       size_t output_count, ort_value **outputs))                                                  \
    X(10, create_session_options, ort_status *, (ort_session_options **))                          \
    X(17, disable_memory_pattern, ort_status *, (ort_session_options *))                           \
    X(23, set_optimisation, ort_status *, (ort_session_options *, int level))                      \
    X(24, set_threads_in_node, ort_status *, (ort_session_options *, int threads))                 \
    X(25, set_threads_between_nodes, ort_status *, (ort_session_options *, int threads))           \
    X(30, input_count, ort_status *, (const ort_session *, size_t *))                              \
    X(31, output_count, ort_status *, (const ort_session *, size_t *))                             \
    X(33, input_type, ort_status *, (const ort_session *, size_t index, ort_type **))              \
    X(34, output_type, ort_status *, (const ort_session *, size_t index, ort_type **))             \
    X(36, input_name, ort_status *, (const ort_session *, size_t index, ort_allocator *, char **)) \
    X(37, output_name, ort_status *,                                                               \
      (const ort_session *, size_t index, ort_allocator *, char **))                               \
    X(49, create_tensor, ort_status *,                                                             \
      (const ort_memory *, void *data, size_t size_bytes, const int64_t *shape, size_t rank,       \
       int type, ort_value **))                                                                    \
    X(51, tensor_data, ort_status *, (ort_value *, void **))                                       \
    X(55, tensor_type_of, ort_status *, (const ort_type *, const ort_tensor_type **))              \
    X(60, element_type, ort_status *, (const ort_tensor_type *, int *))                            \
    X(61, rank, ort_status *, (const ort_tensor_type *, size_t *))                                 \
    X(62, dimensions, ort_status *, (const ort_tensor_type *, int64_t *, size_t))                  \
    X(65, tensor_type_of_value, ort_status *, (const ort_value *, ort_tensor_type **))             \
    X(69, create_cpu_memory, ort_status *, (int allocator, int memory, ort_memory **))             \
    X(76, allocator_free, ort_status *, (ort_allocator *, void *))                                 \
    X(78, default_allocator, ort_status *, (ort_allocator **))                                     \
    X(92, release_env, void, (ort_env *))                                                          \
    X(93, release_status, void, (ort_status *))                                                    \
    X(94, release_memory, void, (ort_memory *))                                                    \
    X(95, release_session, void, (ort_session *))                                                  \
    X(96, release_value, void, (ort_value *))                                                      \
    X(98, release_type, void, (ort_type *))                                                        \
    X(99, release_tensor_type, void, (ort_tensor_type *))                                          \
    X(100, release_session_options, void, (ort_session_options *))

struct runtime {
#define ORT_MEMBER(place, name, result, arguments) result(*name) arguments;
    ORT_FUNCTIONS(ORT_MEMBER)
#undef ORT_MEMBER
    char version[32];
    char path[512]; /* the library opened */
};

/* Opens the library: `wanted` is a file, a folder that holds one, or empty: then the usual places
 * are looked through. Blocks, so it runs on a pool thread. BP_UNAVAILABLE with a sentence that says
 * what to do. It stays open for ever. */
bp_status runtime_open(bp_call *call, bp_str wanted, struct runtime *runtime);

/* BP_OK for NULL; otherwise fails with `status`, `what` and the library's own words, and releases
 * `result`. */
bp_status runtime_expect(bp_call *call, const struct runtime *runtime, bp_status status,
                         const char *what, ort_status *result);

#endif
