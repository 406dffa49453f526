/* model.h - one sentence model: the network, its vocabulary, and how its numbers become one vector
 * a text. */
#ifndef ONNX_MODEL_H
#define ONNX_MODEL_H

#include "runtime.h"
#include "wordpiece/wordpiece.h"

enum pooling { POOLING_AUTO = 0, POOLING_MEAN = 1, POOLING_CLS = 2 };

enum { INPUTS_MAX = 3, ONNX_NAME_MAX = 128, TOKENS_LIMIT = 8192, DIMENSIONS_MAX = 65536 };

/* What an input of the network is filled with. */
enum input_role { INPUT_IDS, INPUT_MASK, INPUT_TYPES };

struct model_input {
    char            name[ONNX_NAME_MAX];
    enum input_role role;
    int             type; /* ORT_INT64 or ORT_INT32 */
};

struct model {
    struct runtime     runtime;
    ort_env           *env;
    ort_session       *session;
    ort_memory        *memory;
    struct wordpiece  *pieces;
    struct model_input inputs[INPUTS_MAX];
    size_t             input_count;
    char               output_name[ONNX_NAME_MAX];
    uint32_t           dimensions, max_tokens;
    enum pooling       pooling;
    bool               normalises;
    int64_t            file_bytes,
        resident_bytes; /* the latter: what the process grew by when it was loaded */
    uint8_t digest[32], vocabulary_digest[32]; /* of the files that the vectors depend on */
};

struct model_options {
    bp_str runtime, folder,
        file; /* file: within the folder; empty: model.onnx or onnx/model.onnx */
    enum pooling pooling;
    uint32_t     max_tokens; /* 0: as the model's own settings say */
    bool         normalises;
};

/* Texts as numbers, `stride` apart; the numbers of text i are ids + i * stride, lengths[i] of them.
 */
struct model_batch {
    const int32_t  *ids;
    const uint32_t *lengths;
    const uint32_t *order; /* which texts, by their places */
    size_t          stride, count;
    float          *vectors; /* text i: vectors + i * dimensions */
};

/* Reads the vocabulary and the settings of a model's folder (tokenizer.json or vocab.txt,
 * tokenizer_config.json, sentence_bert_config.json, 1_Pooling/config.json). BP_INVALID,
 * BP_NOT_FOUND. Blocks. */
bp_status settings_read(bp_call *call, const struct model_options *options, struct model *model);

/* Opens the runtime, reads the folder, loads the network and runs it once. Blocks. On failure
 * nothing is left open. */
bp_status model_open(bp_call *call, const struct model_options *options, struct model *model);
void      model_close(struct model *model);

/* Runs the network over a few texts. Blocks; may run on several threads at once. */
bp_status model_run(bp_call *call, const struct model *model, const struct model_batch *batch);

#endif
