/* reply.c - questions as JSON, with the members that clients of the sequential questioning server
 * read. */
#include "questioning.h"

static void put_question(bp_json_writer *w, const struct question *question)
{
    bp_json_object(w);
    bp_json_put_string(w, "question_text", question->text);
    bp_json_put_integer(w, "question_number", question->number);
    bp_json_key(w, "metadata");
    bp_json_object(w);
    bp_json_put_string(w, "importance", question->importance);
    bp_json_put_string(w, "information_to_look_for", question->look_for);
    bp_json_end(w);
    bp_json_end(w);
}

static void put_fallback(bp_json_writer *w, const struct batch *batch)
{
    if (!batch->fallback)
        return;
    bp_json_put_bool(w, "fallback_generation", true);
    bp_json_put_string(w, "fallback_reason", bp_str_of(batch->fallback));
}

static void put_batch_metadata(bp_json_writer *w, const struct batch *batch)
{
    bp_json_key(w, "batch_metadata");
    bp_json_object(w);
    bp_json_put_integer(w, "batch_size", (int64_t)batch->count);
    bp_json_put_integer(w, "starting_question_number", batch->first_number);
    bp_json_put_integer(w, "ending_question_number",
                        batch->first_number + (int64_t)batch->count - 1);
    bp_json_put_string(w, "generated_at", batch->generated_at);
    bp_json_put_bool(w, "next_batch_needed", batch->is_next_needed);
    bp_json_put_integer(w, "total_questions_estimated", batch->total_estimated);
    put_fallback(w, batch);
    bp_json_end(w);
}

static bp_str question_type(const struct batch *batch)
{
    return batch->is_follow_up ? BP_STR("follow_up") : BP_STR("initial");
}

/* "1. What ...?\n2. ..." */
static void put_numbered(bp_json_writer *w, bp_buf *buf, const char *key,
                         const struct batch *batches, size_t count)
{
    bp_buf_reset(buf);
    for (size_t b = 0; b < count; b++)
        for (size_t i = 0; i < batches[b].count; i++) {
            bp_buf_addf(buf, "%s%lld. ", b + i ? "\n" : "",
                        (long long)batches[b].questions[i].number);
            bp_buf_add(buf, batches[b].questions[i].text);
        }
    bp_json_put_string(w, key, bp_buf_str(buf));
}

static void put_batch(bp_json_writer *w, bp_buf *buf, const struct dialogue *dialogue,
                      const struct batch *batch)
{
    bp_json_object(w);
    put_numbered(w, buf, "current_question", batch, 1);
    bp_json_key(w, "questions");
    bp_json_array(w);
    for (size_t i = 0; i < batch->count; i++)
        put_question(w, &batch->questions[i]);
    bp_json_end(w);
    bp_json_put_string(w, "conversation_id", dialogue->conversation_id);
    bp_json_put_string(w, "session_id", dialogue->session_id);
    bp_json_put_integer(w, "current_question_number", batch->first_number);
    bp_json_put_integer(w, "total_questions_in_batch", (int64_t)batch->count);
    bp_json_put_integer(w, "total_questions_estimated", batch->total_estimated);
    bp_json_put_bool(w, "next_batch_needed", batch->is_next_needed);
    bp_json_key(w, "metadata");
    bp_json_object(w);
    bp_json_put_bool(w, "context_enhanced", batch->is_context_enhanced);
    bp_json_put_string(w, "question_type", question_type(batch));
    bp_json_put_string(w, "timestamp", batch->generated_at);
    put_batch_metadata(w, batch);
    bp_json_end(w);
    bp_json_end(w);
}

void reply_batch(bp_call *call, bp_json_writer *w, const struct dialogue *dialogue)
{
    put_batch(w, bp_buf_new(call, RESULT_BYTES_MAX), dialogue,
              &dialogue->batches[dialogue->batch_count - 1]);
}

void reply_automatic(bp_call *call, bp_json_writer *w, const struct dialogue *dialogue)
{
    const struct batch *last = &dialogue->batches[dialogue->batch_count - 1];
    bp_buf             *buf = bp_buf_new(call, RESULT_BYTES_MAX);
    int64_t             total = 0;

    bp_json_object(w);
    bp_json_key(w, "initial_questions");
    put_batch(w, buf, dialogue, &dialogue->batches[0]);
    bp_json_key(w, "follow_up_questions");
    if (dialogue->batch_count > 1) {
        bp_json_array(w);
        for (size_t b = 1; b < dialogue->batch_count; b++)
            put_batch(w, buf, dialogue, &dialogue->batches[b]);
        bp_json_end(w);
    } else {
        bp_json_add_null(w);
    }
    for (size_t b = 0; b < dialogue->batch_count; b++)
        total += (int64_t)dialogue->batches[b].count;
    put_numbered(w, buf, "all_questions_combined", dialogue->batches, dialogue->batch_count);
    bp_json_put_string(w, "conversation_id", dialogue->conversation_id);
    bp_json_put_string(w, "session_id", dialogue->session_id);
    bp_json_put_integer(w, "total_questions", total);
    bp_json_key(w, "metadata");
    bp_json_object(w);
    bp_json_put_integer(w, "rounds_generated", (int64_t)dialogue->batch_count);
    bp_json_put_string(w, "timestamp", last->generated_at);
    bp_json_put_bool(w, "auto_follow_up", dialogue->wanted->is_auto_followed);
    bp_json_put_string(w, "conversation_id", dialogue->conversation_id);
    bp_json_end(w);
    bp_json_end(w);
}

void reply_single(bp_json_writer *w, const struct dialogue *dialogue, int64_t started_ns)
{
    const struct batch    *batch = &dialogue->batches[0];
    const struct question *question = &batch->questions[0];

    bp_json_object(w);
    bp_json_put_string(w, "question", question->text);
    bp_json_put_string(w, "conversation_id", dialogue->conversation_id);
    bp_json_put_string(w, "session_id", dialogue->session_id);
    bp_json_key(w, "metadata");
    bp_json_object(w);
    bp_json_put_number(w, "generation_time", (double)(bp_now_ns() - started_ns) / 1e9);
    bp_json_put_integer(w, "tokens_used", (int64_t)dialogue->tokens);
    bp_json_key(w, "similar_contexts");
    bp_json_array(w);
    for (size_t i = 0; i < dialogue->similar_count; i++)
        bp_json_add_string(w, dialogue->similar[i]);
    bp_json_end(w);
    bp_json_put_bool(w, "context_enhanced", batch->is_context_enhanced);
    bp_json_put_string(w, "question_type", question_type(batch));
    bp_json_put_integer(w, "question_number", question->number);
    bp_json_put_string(w, "importance", question->importance);
    bp_json_put_string(w, "information_to_look_for", question->look_for);
    bp_json_put_bool(w, "requires_followup", batch->is_next_needed);
    bp_json_put_integer(w, "total_questions_estimated", batch->total_estimated);
    bp_json_put_string(w, "timestamp", batch->generated_at);
    put_fallback(w, batch);
    bp_json_end(w);
    bp_json_end(w);
}
