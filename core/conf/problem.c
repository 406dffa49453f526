/* problem.c - collects the mistakes in a conf file. */
#include "conf/problem.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    MAX_PROBLEMS = 500,   /* kept; the rest is counted */
    MAX_TEXT_BYTES = 1024 /* of one sentence */
};

void problems_init(struct conf_problems *problems, struct arena *arena, const char *file)
{
    *problems = (struct conf_problems){ .arena = arena, .file = file };
}

void problem_no_memory(struct conf_problems *problems)
{
    if (!problems->is_out_of_memory)
        problems->error_count++;
    problems->is_out_of_memory = true;
}

static bool is_before(struct conf_position a, struct conf_position b)
{
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

static void insert(struct conf_problems *problems, struct conf_problem *problem)
{
    struct conf_problem **place = &problems->first;

    while (*place && !is_before(problem->position, (*place)->position))
        place = &(*place)->next;
    problem->next = *place;
    *place = problem;
}

/* Does not cut a UTF-8 sequence into two. */
static size_t cut_length(const char *text, size_t len)
{
    if (len < MAX_TEXT_BYTES)
        return len;
    len = MAX_TEXT_BYTES - 1;
    while (len && ((unsigned char)text[len] & 0xC0) == 0x80)
        len--;
    return len;
}

static void add(struct conf_problems *problems, bool is_warning, struct conf_position position,
                bp_str path, const char *format, va_list args)
{
    struct conf_problem *problem;
    char                 text[MAX_TEXT_BYTES + 8];
    int                  len = vsnprintf(text, sizeof(text), format, args);
    size_t               kept = cut_length(text, len < 0 ? 0 : (size_t)len);

    if (problems->is_partial || position.line)
        for (const struct conf_problem *other = problems->first; other; other = other->next)
            if (other->position.line == position.line &&
                other->position.column == position.column && bp_str_equal(other->path, path) &&
                bp_str_is(bp_str_n(text, kept), other->text.data))
                return; // a text that is no YAML is read several times
    if (is_warning)
        problems->warning_count++;
    else
        problems->error_count++;
    if (problems->error_count + problems->warning_count > MAX_PROBLEMS) {
        problems->left_out_count++;
        return;
    }
    problem = arena_alloc(problems->arena, sizeof(*problem));
    if (!problem) {
        problem_no_memory(problems);
        return;
    }
    // A value may hold line breaks and other control characters; a sentence is one line.
    for (size_t i = 0; i < kept; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            text[i] = ' ';
    problem->position = position;
    problem->path = path;
    problem->text = arena_dup(problems->arena, bp_str_n(text, kept));
    problem->is_warning = is_warning;
    insert(problems, problem);
}

void problem_add(struct conf_problems *problems, bool is_warning, struct conf_position position,
                 bp_str path, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(problems, is_warning, position, path, format, args);
    va_end(args);
}

void error_at_value(struct conf_problems *problems, const struct conf_node *node,
                    const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(problems, false, node->position, node_path(problems->arena, node, bp_str_of(NULL)), format,
        args);
    va_end(args);
}

static struct conf_position key_position(const struct conf_node *node)
{
    return node->key_position.line ? node->key_position : node->position;
}

void error_at_key(struct conf_problems *problems, const struct conf_node *node, const char *format,
                  ...)
{
    va_list args;

    va_start(args, format);
    add(problems, false, key_position(node), node_path(problems->arena, node, bp_str_of(NULL)),
        format, args);
    va_end(args);
}

void warning_at_key(struct conf_problems *problems, const struct conf_node *node,
                    const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(problems, true, key_position(node), node_path(problems->arena, node, bp_str_of(NULL)),
        format, args);
    va_end(args);
}

void error_missing(struct conf_problems *problems, const struct conf_node *mapping,
                   const char *name, const char *format, ...)
{
    struct conf_position position = mapping ? key_position(mapping) : (struct conf_position){ 0 };
    va_list              args;

    if (problems->is_partial)
        return;
    va_start(args, format);
    add(problems, false, position, node_path(problems->arena, mapping, bp_str_of(name)), format,
        args);
    va_end(args);
}

bool problems_are_full(const struct conf_problems *problems)
{
    return problems->error_count + problems->warning_count >= MAX_PROBLEMS;
}

void problems_print(const struct conf_problems *problems, struct bp_buf *out)
{
    for (const struct conf_problem *problem = problems->first; problem; problem = problem->next) {
        buf_addf(out, "%s:", problems->file);
        if (problem->position.line)
            buf_addf(out, "%u:%u:", problem->position.line, problem->position.column);
        buf_addf(out, " %s", problem->is_warning ? "warning: " : "");
        if (problem->path.len)
            buf_addf(out, BP_FMT ": ", BP_ARG(problem->path));
        buf_addf(out, BP_FMT "\n", BP_ARG(problem->text));
    }
    if (problems->left_out_count)
        buf_addf(out, "%s: %zu more are left out\n", problems->file, problems->left_out_count);
    if (problems->is_out_of_memory)
        buf_addf(out, "%s: reading it takes more memory than the %zu MiB allowed\n", problems->file,
                 problems->arena->limit_bytes >> 20);
}
