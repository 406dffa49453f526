/* repair.c - repairs the almost-JSON that a model wrote instead of JSON.
 *
 *      the whole answer | what stands in a code fence | the first [...] or {...} that is JSON
 *          array of questions | object with "questions" | one question
 *
 * A question is an object or a plain string. Too many are cut off, missing ones are filled up.
 */
#include "questioning.h"

#include <stdlib.h>
#include <strings.h>

enum { STARTS_MAX = 64 };

static const bp_json *parse(bp_call *call, bp_str text)
{
    const bp_json *json = NULL;

    if (bp_json_read(call, text_trim(text), &json) != BP_OK) {
        bp_clear_error(call);
        return NULL;
    }
    return json;
}

static size_t find(bp_str text, size_t from, const char *wanted)
{
    size_t len = strlen(wanted);

    for (; from + len <= text.len; from++)
        if (memcmp(text.data + from, wanted, len) == 0)
            return from;
    return text.len;
}

/* Inside the first fence that holds JSON; the word behind ``` is not part of it. */
static const bp_json *parse_fence(bp_call *call, bp_str text)
{
    size_t open = find(text, 0, "```");

    while (open < text.len) {
        size_t         from = find(text, open, "\n"), close = find(text, open + 3, "```");
        const bp_json *json;

        if (from >= close)
            for (from = open + 3; from < close && text.data[from] != '[' && text.data[from] != '{';)
                from++;
        json = from < close ? parse(call, bp_str_n(text.data + from, close - from)) : NULL;
        if (json || close >= text.len)
            return json;
        open = find(text, close + 3, "```");
    }
    return NULL;
}

/* One past the bracket that closes the one at `from`; 0 when none does. */
static size_t find_end(bp_str text, size_t from)
{
    size_t depth = 0;
    bool   is_string = false;

    for (size_t i = from; i < text.len; i++) {
        char c = text.data[i];

        if (is_string && c == '\\')
            i++;
        else if (c == '"')
            is_string = !is_string;
        else if (!is_string && (c == '[' || c == '{'))
            depth++;
        else if (!is_string && (c == ']' || c == '}') && --depth == 0)
            return i + 1;
    }
    return 0;
}

/* Somewhere in prose. A value that is neither an object nor an array of objects, as the [1] of a
 * citation, is passed over.
 */
static const bp_json *parse_embedded(bp_call *call, bp_str text)
{
    size_t starts = 0;

    for (size_t i = 0; i < text.len && starts < STARTS_MAX; i++) {
        const bp_json *json;
        size_t         end;

        if (text.data[i] != '[' && text.data[i] != '{')
            continue;
        starts++;
        end = find_end(text, i);
        json = end ? parse(call, bp_str_n(text.data + i, end - i)) : NULL;
        if (json && (text.data[i] == '{' || bp_json_type_of(bp_json_at(json, 0)) == BP_JSON_OBJECT))
            return json;
    }
    return NULL;
}

static const bp_json *find_json(bp_call *call, bp_str answer)
{
    const bp_json *json = parse(call, answer);

    if (!json)
        json = parse_fence(call, answer);
    return json ? json : parse_embedded(call, answer);
}

/* ---- questions ---- */

static bp_str as_text(bp_call *call, const bp_json *value)
{
    bp_json_type type = bp_json_type_of(value);

    if (type == BP_JSON_STRING)
        return text_cut_bytes(text_trim(bp_json_string(value)), QUESTION_BYTES_MAX);
    return type == BP_JSON_NONE || type == BP_JSON_NULL
               ? BP_STR("")
               : text_cut_bytes(bp_json_text(call, value), QUESTION_BYTES_MAX);
}

static bool has_question(bp_str key)
{
    static const char wanted[] = "question";

    for (size_t i = 0; i + sizeof(wanted) - 1 <= key.len; i++)
        if (strncasecmp(key.data + i, wanted, sizeof(wanted) - 1) == 0)
            return true;
    return false;
}

/* question_text, or any text under a key that speaks of a question. */
static bp_str question_text(bp_call *call, const bp_json *item)
{
    bp_str         text = as_text(call, bp_json_get(item, "question_text")), key;
    const bp_json *value;
    size_t         cursor = 0;

    if (bp_json_type_of(item) == BP_JSON_STRING)
        return as_text(call, item);
    while (!text.len && bp_json_entry(item, &cursor, &key, &value))
        if (has_question(key) && bp_json_type_of(value) == BP_JSON_STRING)
            text = as_text(call, value);
    return text;
}

static bool take_question(bp_call *call, const bp_json *item, struct batch *batch)
{
    struct question *question = &batch->questions[batch->count];
    bp_json_type     type = bp_json_type_of(item);

    if (type != BP_JSON_OBJECT && type != BP_JSON_STRING)
        return false;
    question->text = question_text(call, item);
    if (!question->text.len && type == BP_JSON_STRING)
        return false;
    if (!question->text.len)
        question->text = bp_format(call, "Question #%lld",
                                   (long long)(batch->first_number + (int64_t)batch->count));
    question->importance = as_text(call, bp_json_get(item, "importance_explanation"));
    if (!question->importance.len)
        question->importance = as_text(call, bp_json_get(item, "importance"));
    question->look_for = as_text(call, bp_json_get(item, "information_to_look_for"));
    batch->count++;
    return true;
}

static void fill_up(bp_call *call, const struct wanted *wanted, struct batch *batch, size_t size)
{
    bp_str about = wanted_first_word(wanted);

    while (batch->count < size)
        batch->questions[batch->count++] = (struct question){
            .text = bp_format(call, "Could you say more about " BP_FMT "?",
                              BP_ARG(about.len ? about : BP_STR("your goals"))),
            .importance = BP_STR("Details that were not asked for yet often decide."),
            .look_for = BP_STR("Anything that makes the picture clearer")
        };
}

bool repair_questions(bp_call *call, const struct wanted *wanted, bp_str answer,
                      struct batch *batch, size_t size)
{
    const bp_json *json = find_json(call, answer), *list = bp_json_get(json, "questions");

    batch->count = 0;
    if (bp_json_type_of(json) == BP_JSON_ARRAY)
        list = json;
    if (bp_json_type_of(list) == BP_JSON_ARRAY)
        for (size_t i = 0; i < bp_json_count(list) && batch->count < size; i++)
            take_question(call, bp_json_at(list, i), batch);
    else if (bp_json_type_of(json) == BP_JSON_OBJECT)
        take_question(call, json, batch);
    if (batch->count == 0)
        return false;
    fill_up(call, wanted, batch, size);
    return true;
}

/* ---- the estimate ---- */

bool repair_estimate(bp_call *call, bp_str answer, bool *is_next_needed, int64_t *total)
{
    const bp_json *json = find_json(call, answer), *next = bp_json_get(json, "next_batch_needed");
    const bp_json *count = bp_json_get(json, "total_questions_estimated");
    bp_str         word = bp_json_string(next);
    bool is_said = true, is_counted = bp_json_number(count) >= 1 && bp_json_number(count) <= 1000;

    if (bp_json_type_of(next) == BP_JSON_BOOL)
        *is_next_needed = bp_json_bool(next);
    else if (word.len == 4 && strncasecmp(word.data, "true", 4) == 0)
        *is_next_needed = true;
    else if (word.len == 5 && strncasecmp(word.data, "false", 5) == 0)
        *is_next_needed = false;
    else
        is_said = false;
    if (is_said || is_counted) {
        *is_next_needed = is_said ? *is_next_needed : true;
        *total = is_counted ? (int64_t)bp_json_number(count) : 0;
    }
    return is_said || is_counted;
}
