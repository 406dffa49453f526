/* fallback.c - the questions that need no model: five themes in a fixed order, the same for the
 * same conversation.
 *
 * A batch takes the themes in their order and leaves out what the conversation was asked before, so
 * that a follow-up does not repeat the first batch. When all have been asked it begins again.
 */
#include "questioning.h"

static const struct theme {
    const char *first, *deeper; /* %.*s is what it is about; the second one is for a follow-up */
    const char *importance, *look_for;
} themes[] = {
    { "What are your main goals for " BP_FMT "?",
      "Which of your goals for " BP_FMT " matters most, and by when?",
      "Everything else is measured by what is to be reached.",
      "Results that are wanted, their order and their dates" },
    { "Which challenges do you expect with " BP_FMT "?",
      "Which of the challenges with " BP_FMT " would hurt most, and why?",
      "Obstacles that are known early can be planned for.",
      "Risks, constraints, what has failed before" },
    { "Which resources do you have for " BP_FMT "?",
      "Which resources for " BP_FMT " are still missing?",
      "What is at hand decides what is possible.", "People, time, money, tools, knowledge" },
    { "How will you measure progress with " BP_FMT "?",
      "Which first sign of progress with " BP_FMT " do you expect, and when?",
      "Without a measure nobody knows when it is done.", "Numbers, milestones, who judges" },
    { "Is there anything else that should be known about " BP_FMT "?",
      "What else has come up about " BP_FMT " that was not asked yet?",
      "The asker does not know what was not asked.", "Anything that changes the answers so far" },
};

enum { THEMES = sizeof(themes) / sizeof(themes[0]) };

static bool was_asked(const struct dialogue *dialogue, bp_str text)
{
    for (size_t i = 0; i < dialogue->asked_count; i++)
        if (bp_str_equal(dialogue->asked[i], text))
            return true;
    return false;
}

static bp_str theme_text(bp_call *call, const struct theme *theme, bool is_follow_up, bp_str about)
{
    // A text of the table, which has one string in it.
    return bp_format(call, is_follow_up ? theme->deeper : theme->first, BP_ARG(about));
}

/* The first pass takes what was not asked, the next ones everything in order. */
bp_status fallback_write(bp_call *call, const struct dialogue *dialogue, struct batch *batch,
                         size_t size)
{
    bp_str about = wanted_first_word(dialogue->wanted);

    if (!about.len)
        about = BP_STR("this topic");
    batch->count = 0;
    for (size_t pass = 0; batch->count < size; pass++) {
        for (size_t i = 0; i < THEMES && batch->count < size; i++) {
            bp_str text = theme_text(call, &themes[i], batch->is_follow_up, about);

            if (!text.len)
                return BP_NO_MEMORY;
            if (pass == 0 && was_asked(dialogue, text))
                continue;
            batch->questions[batch->count++] = (struct question){
                .text = text,
                .importance = bp_str_of(themes[i].importance),
                .look_for = bp_str_of(themes[i].look_for)
            };
        }
    }
    return BP_OK;
}
