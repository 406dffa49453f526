/* settings.c - the files beside a network: its vocabulary, the length of a text, the pooling of its
 * vectors. */
#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include <backplane/json.h>

enum { VOCABULARY_MAX_BYTES = 32 << 20, SETTINGS_MAX_BYTES = 1 << 20, MAX_TOKENS_DEFAULT = 512 };

/* BP_NOT_FOUND, without a sentence, when there is no such file. */
static bp_status read_file(bp_call *call, bp_str folder, const char *name, size_t max_bytes,
                           bp_str *text)
{
    bp_str      path = bp_format(call, BP_FMT "/%s", BP_ARG(folder), name);
    FILE       *file = path.len ? fopen(path.data, "rb") : NULL;
    bp_status   status = BP_OK;
    char       *bytes;
    struct stat info;

    if (!path.len)
        return BP_NO_MEMORY;
    if (!file)
        return errno == ENOENT || errno == ENOTDIR
                   ? BP_NOT_FOUND
                   : bp_fail(call, BP_UNAVAILABLE, "%s cannot be read: %s", path.data,
                             strerror(errno));
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode) ||
        (size_t)info.st_size > max_bytes) {
        status = bp_fail(call, BP_INVALID, "%s is no file of at most %zu bytes", path.data,
                         max_bytes);
    } else {
        bytes = bp_alloc(call, (size_t)info.st_size + 1);
        *text = bp_str_n(bytes, bytes ? fread(bytes, 1, (size_t)info.st_size, file) : 0);
        status = bytes ? BP_OK : BP_NO_MEMORY;
    }
    fclose(file);
    return status;
}

static bp_status parse(bp_call *call, bp_str folder, const char *name, bp_str text,
                       const bp_json **root)
{
    if (bp_json_parse(call, text, root) == BP_OK)
        return BP_OK;
    return bp_fail(call, BP_INVALID, BP_FMT "/%s is not JSON: %.300s", BP_ARG(folder), name,
                   bp_dup(call, bp_error_of(call)->message).data);
}

/* The file as JSON; *root is NULL when there is none. */
static bp_status read_json(bp_call *call, bp_str folder, const char *name, const bp_json **root)
{
    bp_str    text;
    bp_status status = read_file(call, folder, name, SETTINGS_MAX_BYTES, &text);

    *root = NULL;
    if (status == BP_NOT_FOUND)
        return BP_OK;
    BP_TRY(status);
    return parse(call, folder, name, text, root);
}

/* ---- the vocabulary ---- */

static bool is_true(const bp_json *object, const char *key, bool otherwise)
{
    const bp_json *value = bp_json_get(object, key);

    return bp_json_type_of(value) == BP_JSON_BOOL ? bp_json_bool(value) : otherwise;
}

/* {"type": "BertNormalizer", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"} */
static bp_status read_normalizer(bp_call *call, bp_str folder, const bp_json *normalizer,
                                 struct wordpiece_rules *rules)
{
    if (!bp_str_is(bp_json_string(bp_json_get(normalizer, "type")), "BertNormalizer"))
        return bp_fail(call, BP_INVALID,
                       BP_FMT "/tokenizer.json has a normalizer of type \"" BP_FMT
                              "\"; only BertNormalizer is known",
                       BP_ARG(folder), BP_ARG(bp_json_string(bp_json_get(normalizer, "type"))));
    rules->keeps_control = !is_true(normalizer, "clean_text", true);
    rules->joins_cjk = !is_true(normalizer, "handle_chinese_chars", true);
    rules->keeps_case = !is_true(normalizer, "lowercase", true);
    rules->keeps_accents = !is_true(normalizer, "strip_accents", !rules->keeps_case);
    return BP_OK;
}

static bp_status no_memory(bp_call *call)
{
    return bp_fail(call, BP_NO_MEMORY, "no memory for the vocabulary");
}

static bp_status finish(bp_call *call, bp_str folder, const char *name, struct wordpiece *pieces)
{
    const char *missing = wordpiece_finish(pieces);

    if (missing)
        return bp_fail(call, BP_INVALID,
                       BP_FMT "/%s has no piece %s: it is no vocabulary of a BERT model",
                       BP_ARG(folder), name, missing);
    return BP_OK;
}

static bp_status add_pieces(bp_call *call, bp_str folder, const bp_json *root,
                            struct wordpiece *pieces)
{
    const bp_json *added = bp_json_get(root, "added_tokens"), *vocabulary, *number;
    size_t         cursor = 0;
    bp_str         text;

    vocabulary = bp_json_get(bp_json_get(root, "model"), "vocab");
    while (bp_json_entry(vocabulary, &cursor, &text, &number))
        if (!wordpiece_add(pieces, text.data, text.len, (int32_t)bp_json_integer(number)))
            return no_memory(call);
    for (size_t i = 0; i < bp_json_count(added); i++) {
        const bp_json *token = bp_json_at(added, i);

        text = bp_json_string(bp_json_get(token, "content"));
        if (!wordpiece_add_special(pieces, text.data, text.len,
                                   (int32_t)bp_json_integer(bp_json_get(token, "id"))))
            return bp_fail(call, BP_INVALID,
                           BP_FMT "/tokenizer.json has added_tokens that are too many or too long",
                           BP_ARG(folder));
    }
    return finish(call, folder, "tokenizer.json", pieces);
}

static bp_status from_tokenizer_json(bp_call *call, bp_str folder, const bp_json *root,
                                     struct wordpiece **pieces)
{
    const bp_json         *model = bp_json_get(root, "model");
    bp_str                 type = bp_json_string(bp_json_get(model, "type"));
    bp_str                 prefix = bp_json_string(bp_json_get(model, "continuing_subword_prefix"));
    int64_t                most = bp_json_integer(bp_json_get(model, "max_input_chars_per_word"));
    struct wordpiece_rules rules = { .max_word_chars = most > 0 && most < 10000 ? (uint32_t)most
                                                                                : 0 };

    if (!bp_str_is(type, "WordPiece"))
        return bp_fail(call, BP_INVALID,
                       BP_FMT
                       "/tokenizer.json is for a tokenizer of type \"" BP_FMT
                       "\"; embed/onnx has WordPiece, which BERT, MiniLM, bge and e5 (English) use",
                       BP_ARG(folder), BP_ARG(type));
    if (prefix.len < sizeof(rules.continuation))
        memcpy(rules.continuation, prefix.data, prefix.len);
    BP_TRY(read_normalizer(call, folder, bp_json_get(root, "normalizer"), &rules));
    *pieces = wordpiece_new(&rules);
    return *pieces ? add_pieces(call, folder, root, *pieces) : no_memory(call);
}

/* One piece a line; its number is that of the line, from 0. How it is used says
 * tokenizer_config.json. */
static bp_status from_vocab_txt(bp_call *call, bp_str folder, bp_str text,
                                struct wordpiece **pieces, uint8_t digest[32])
{
    uint8_t                  parts[32 + 3];
    static const char *const specials[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]" };
    struct wordpiece_rules   rules = { .max_word_chars = 0 };
    const bp_json           *config;
    int32_t                  number = 0;

    BP_TRY(read_json(call, folder, "tokenizer_config.json", &config));
    rules.keeps_case = !is_true(config, "do_lower_case", true);
    rules.joins_cjk = !is_true(config, "tokenize_chinese_chars", true);
    rules.keeps_accents = !is_true(config, "strip_accents", !rules.keeps_case);
    memcpy(parts, digest, 32);
    parts[32] = rules.keeps_case;
    parts[33] = rules.joins_cjk;
    parts[34] = rules.keeps_accents;
    bp_sha256(bp_str_n((const char *)parts, sizeof(parts)), digest);
    *pieces = wordpiece_new(&rules);
    if (!*pieces)
        return no_memory(call);
    for (size_t at = 0; at < text.len; number++) {
        const char *end = memchr(text.data + at, '\n', text.len - at);
        size_t      len = end ? (size_t)(end - text.data) - at : text.len - at,
               step = len + (end != NULL);

        if (len && text.data[at + len - 1] == '\r')
            len--;
        if (!wordpiece_add(*pieces, text.data + at, len, number))
            return no_memory(call);
        at += step;
    }
    for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++) {
        number = wordpiece_number(*pieces, specials[i], strlen(specials[i]));
        if (number >= 0)
            wordpiece_add_special(*pieces, specials[i], strlen(specials[i]), number);
    }
    return finish(call, folder, "vocab.txt", *pieces);
}

static bp_status read_vocabulary(bp_call *call, bp_str folder, struct model *model)
{
    const bp_json *root;
    bp_str         text;
    bp_status      status = read_file(call, folder, "tokenizer.json", VOCABULARY_MAX_BYTES, &text);

    if (status == BP_OK) {
        bp_sha256(text, model->vocabulary_digest);
        BP_TRY(parse(call, folder, "tokenizer.json", text, &root));
        return from_tokenizer_json(call, folder, root, &model->pieces);
    }
    if (status == BP_NOT_FOUND)
        status = read_file(call, folder, "vocab.txt", VOCABULARY_MAX_BYTES, &text);
    if (status == BP_NOT_FOUND)
        return bp_fail(call, BP_NOT_FOUND,
                       "there is neither tokenizer.json nor vocab.txt in " BP_FMT
                       ": the model needs the vocabulary it was trained with; "
                       "scripts/fetch-model.sh fetches one with all it needs",
                       BP_ARG(folder));
    BP_TRY(status);
    bp_sha256(text, model->vocabulary_digest); // and how it is used, see there
    return from_vocab_txt(call, folder, text, &model->pieces, model->vocabulary_digest);
}

/* ---- the rest ---- */

bp_status settings_read(bp_call *call, const struct model_options *options, struct model *model)
{
    const bp_json *config;
    int64_t        tokens = options->max_tokens;

    BP_TRY(read_vocabulary(call, options->folder, model));
    BP_TRY(read_json(call, options->folder, "sentence_bert_config.json", &config));
    if (!tokens)
        tokens = bp_json_integer(bp_json_get(config, "max_seq_length"));
    BP_TRY(read_json(call, options->folder, "config.json", &config));
    if (tokens <= 0)
        tokens = bp_json_integer(bp_json_get(config, "max_position_embeddings"));
    if (tokens <= 0)
        tokens = MAX_TOKENS_DEFAULT;
    model->max_tokens = tokens < 4 ? 4 : tokens > TOKENS_LIMIT ? TOKENS_LIMIT : (uint32_t)tokens;
    BP_TRY(read_json(call, options->folder, "1_Pooling/config.json", &config));
    model->pooling = options->pooling;
    if (model->pooling == POOLING_AUTO)
        model->pooling = is_true(config, "pooling_mode_cls_token", false) ? POOLING_CLS
                                                                          : POOLING_MEAN;
    model->normalises = options->normalises;
    return BP_OK;
}
