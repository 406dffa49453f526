/* point.c - may this point be kept: by its id, its words, its metadata and its vector. */
#include "vectors/vectors.h"

#include <math.h>

#include "words/words.h"

const char *vectors_check_text(bp_call *call, bp_str text)
{
    const char *nul = text.len ? memchr(text.data, '\0', text.len) : NULL;

    if (nul)
        return bp_format(call, "has a NUL at byte %zu", (size_t)(nul - text.data)).data;
    return words_is_utf8(text) ? NULL : "is not UTF-8";
}

static const char *type_name(bp_json_type type)
{
    return type == BP_JSON_NULL ? "null" : type == BP_JSON_OBJECT ? "an object" : "an array";
}

/* The fault of a value that may stand alone or in an array. */
static const char *check_plain(bp_call *call, bp_str key, const bp_json *value)
{
    bp_json_type type = bp_json_type_of(value);
    const char  *wrong = type == BP_JSON_STRING ? vectors_check_text(call, bp_json_string(value))
                                                : NULL;

    if (wrong)
        return bp_format(call, "holds the text \"" BP_FMT "\", which %s", BP_ARG(key), wrong).data;
    if (type == BP_JSON_BOOL || type == BP_JSON_INTEGER || type == BP_JSON_NUMBER ||
        type == BP_JSON_STRING)
        return NULL;
    return bp_format(call,
                     "holds more than strings, numbers, booleans and arrays of them: \"" BP_FMT
                     "\" has %s",
                     BP_ARG(key), type_name(type))
        .data;
}

const char *vectors_check_metadata(bp_call *call, const bp_json *metadata)
{
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *value;

    if (bp_json_type_of(metadata) != BP_JSON_OBJECT)
        return "is no JSON object";
    while (bp_json_entry(metadata, &cursor, &key, &value)) {
        bool        is_array = bp_json_type_of(value) == BP_JSON_ARRAY;
        const char *wrong = is_array ? NULL : check_plain(call, key, value);

        for (size_t i = 0; is_array && !wrong && i < bp_json_count(value); i++)
            wrong = check_plain(call, key, bp_json_at(value, i));
        if (wrong)
            return wrong;
    }
    return NULL;
}

bp_status vectors_check_point(bp_call *call, const bp_point *point, const bp_json **metadata)
{
    unsigned long long id = point->id;
    const bp_json     *parsed = NULL;
    const char        *wrong;

    if (metadata)
        *metadata = NULL;
    if (id < 1 || id > INT64_MAX)
        return bp_fail(call, BP_INVALID, "a point's id is 1 to 2^63 - 1, not %llu", id);
    if (point->metadata.len > VECTORS_METADATA_BYTES_MAX ||
        point->words.len > VECTORS_WORDS_BYTES_MAX)
        return bp_fail(call, BP_TOO_LARGE,
                       "point %llu: words have at most 1 MiB and metadata 64 KiB", id);
    wrong = vectors_check_text(call, point->words);
    if (wrong)
        return bp_fail(call, BP_INVALID, "point %llu: the text of its words %s", id, wrong);
    wrong = vectors_check_text(call, point->metadata);
    if (wrong)
        return bp_fail(call, BP_INVALID, "point %llu: the text of its metadata %s", id, wrong);
    if (!point->metadata.len)
        return BP_OK;
    if (bp_json_parse(call, point->metadata, &parsed) != BP_OK) {
        if (bp_error_of(call)->status == BP_NO_MEMORY)
            return BP_NO_MEMORY;
        wrong = "is no JSON object";
    } else {
        wrong = vectors_check_metadata(call, parsed);
    }
    if (wrong)
        return bp_fail(call, BP_INVALID, "point %llu: its metadata %s", id, wrong);
    if (metadata)
        *metadata = parsed;
    return BP_OK;
}

bool vectors_prepare(const float *vector, uint32_t dimensions, uint32_t metric, float *into)
{
    double sum = 0, scale;

    for (uint32_t i = 0; i < dimensions; i++) {
        if (!isfinite(vector[i]))
            return false;
        sum += (double)vector[i] * vector[i];
    }
    if (metric != BP_COSINE) {
        memcpy(into, vector, dimensions * sizeof(float));
        return true;
    }
    if (sum <= 0)
        return false;
    scale = 1 / sqrt(sum);
    for (uint32_t i = 0; i < dimensions; i++)
        into[i] = (float)(vector[i] * scale);
    return true;
}
