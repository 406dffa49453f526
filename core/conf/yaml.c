/* yaml.c - turns libyaml's events into a tree with positions.
 *
 * A line that is not YAML is reported and taken as empty. Then the text is read again, so that one
 * run reports the mistakes in the rest as well. The tree is then
 * one of which parts may be missing (problems->is_partial).
 */
#include "conf/yaml.h"

#include <stdlib.h>

#include <yaml.h>

struct builder {
    struct conf_problems *problems;
    bp_str                text;
    yaml_parser_t         parser;
    struct conf_node     *root;
    struct conf_node     *open;  /* innermost sequence or mapping that is not at its end */
    unsigned              depth; /* of `open` */
    size_t                node_count;
    bool                  is_whole; /* it was read to its end */
    size_t silent_to; /* from 0: before which line a mistake is that of a line that was left out; 0:
                         none */
    size_t bad_line;  /* from 0: the one to leave out of the next read; SIZE_MAX: that would not
                         help */
    bool                 has_key; /* `key` waits for its value */
    bp_str               key;
    struct conf_position key_position;
};

enum { MAX_LEFT_OUT = 16 };

enum step { STEP_ON, STEP_DONE, STEP_FAILED };

static struct conf_position position_of(yaml_mark_t mark)
{
    return (struct conf_position){ (uint32_t)mark.line + 1, (uint32_t)mark.column + 1 };
}

static enum step fail(struct builder *builder, yaml_mark_t mark, const char *sentence)
{
    bp_str path = node_path(builder->problems->arena, builder->open, bp_str_of(NULL));

    builder->bad_line = mark.line;
    problem_add(builder->problems, false, position_of(mark), path, "%s", sentence);
    return STEP_FAILED;
}

/* A mistake that no line is to blame for. */
static enum step fail_whole(struct builder *builder, yaml_mark_t mark, const char *sentence)
{
    fail(builder, mark, sentence);
    builder->bad_line = SIZE_MAX;
    return STEP_FAILED;
}

/* Within { } and [ ] a brace ends a plain value, which surprises everybody who writes ${NAME}
 * there. */
static const char *expansion_hint(bp_str text, size_t line)
{
    for (const char *at = text.data, *end = text.data + text.len; at < end; at++) {
        if (*at == '\n' && line-- == 0)
            break;
        if (line == 0 && end - at >= 2 && at[0] == '$' && at[1] == '{')
            return "; write \"${NAME}\" in quotes within { } and [ ]";
    }
    return "";
}

static enum step fail_syntax(struct builder *builder)
{
    const yaml_parser_t *parser = &builder->parser;
    struct conf_position position = position_of(parser->problem_mark);
    const char          *problem = parser->problem ? parser->problem : "it cannot be read";
    const char          *hint = expansion_hint(builder->text, parser->problem_mark.line);

    builder->bad_line = parser->problem_mark.line;
    // An unclosed text ends where the file ends, and the mistake is where it began.
    if (parser->context &&
        (strstr(parser->context, "quoted scalar") || strstr(parser->context, "flow")))
        builder->bad_line = parser->context_mark.line;
    if (parser->error == YAML_MEMORY_ERROR || parser->error == YAML_READER_ERROR)
        builder->bad_line = SIZE_MAX;
    if (parser->error == YAML_MEMORY_ERROR) {
        problem_no_memory(builder->problems);
    } else if (parser->error == YAML_READER_ERROR) {
        problem_add(builder->problems, false, (struct conf_position){ 0 }, bp_str_of(NULL),
                    "is not UTF-8 text: %s at byte %zu", problem, parser->problem_offset);
    } else if (parser->problem_mark.line < builder->silent_to) {
        // Most probably what the line before, which was left out, would have made good.
    } else if (parser->context) {
        problem_add(builder->problems, false, position, bp_str_of(NULL),
                    "is not valid YAML: %s %s that starts at line %zu%s", problem, parser->context,
                    parser->context_mark.line + 1, hint);
    } else {
        problem_add(builder->problems, false, position, bp_str_of(NULL), "is not valid YAML: %s%s",
                    problem, hint);
    }
    return STEP_FAILED;
}

/* A key that is there already is reported, and its value is read but left out of the tree. */
static bool is_new_key(struct builder *builder, const struct conf_node *node)
{
    struct conf_position first;

    for (const struct conf_node *other = builder->open->first; other; other = other->next) {
        if (!bp_str_equal(other->key, node->key))
            continue;
        first = other->key_position;
        error_at_key(builder->problems, node, "is written twice (first at line %u)", first.line);
        return false;
    }
    return true;
}

static enum step append(struct builder *builder, struct conf_node *node, yaml_mark_t mark)
{
    struct conf_node *parent = builder->open;

    node->parent = parent;
    if (!parent) {
        builder->root = node;
        return STEP_ON;
    }
    node->index = parent->count;
    if (parent->kind == NODE_MAPPING) {
        node->key = builder->key;
        node->key_position = builder->key_position;
        builder->has_key = false;
        if (parent->count == YAML_MAX_KEYS)
            return fail_whole(builder, mark, "has more than 1024 keys");
        if (!is_new_key(builder, node))
            return STEP_ON;
    }
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    parent->count++;
    return STEP_ON;
}

static struct conf_node *new_node(struct builder *builder, enum conf_node_kind kind,
                                  yaml_mark_t mark)
{
    struct conf_node *node;

    if (++builder->node_count > YAML_MAX_NODES) {
        fail_whole(builder, mark, "the file has more than 100,000 values");
        return NULL;
    }
    node = arena_alloc(builder->problems->arena, sizeof(*node));
    if (!node) {
        problem_no_memory(builder->problems);
        return NULL;
    }
    node->kind = (uint8_t)kind;
    node->position = position_of(mark);
    return node;
}

static enum step begin(struct builder *builder, enum conf_node_kind kind, yaml_mark_t mark)
{
    struct conf_node *node;

    if (builder->open && builder->open->kind == NODE_MAPPING && !builder->has_key)
        return fail(builder, mark, "a key must be a word, not a list or a mapping");
    if (builder->depth == YAML_MAX_DEPTH)
        return fail(builder, mark, "is nested deeper than 32 levels");
    node = new_node(builder, kind, mark);
    if (!node || append(builder, node, mark) == STEP_FAILED)
        return STEP_FAILED;
    builder->open = node;
    builder->depth++;
    return STEP_ON;
}

static enum step end(struct builder *builder)
{
    builder->open = builder->open->parent;
    builder->depth--;
    return STEP_ON;
}

static enum step add_scalar(struct builder *builder, const yaml_event_t *event)
{
    bp_str            text = { (const char *)event->data.scalar.value, event->data.scalar.length };
    struct conf_node *node;

    if (text.len && memchr(text.data, '\0', text.len))
        return fail(builder, event->start_mark, "holds a NUL character (\\0)");
    text = arena_dup(builder->problems->arena, text);
    if (builder->open && builder->open->kind == NODE_MAPPING && !builder->has_key) {
        builder->key = text;
        builder->key_position = position_of(event->start_mark);
        builder->has_key = true;
        return STEP_ON;
    }
    node = new_node(builder, NODE_SCALAR, event->start_mark);
    if (!node)
        return STEP_FAILED;
    node->text = text;
    node->value = text;
    node->is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return append(builder, node, event->start_mark);
}

static bool has_anchor_or_tag(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor || event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor || event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor || event->data.mapping_start.tag;
    default:
        return event->type == YAML_ALIAS_EVENT;
    }
}

static enum step take(struct builder *builder, const yaml_event_t *event)
{
    if (has_anchor_or_tag(event))
        return fail(builder, event->start_mark,
                    "anchors (&name), aliases (*name) and tags (!name) are not understood; write "
                    "the value out, or quote it if it is text");
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (builder->root)
            return fail(builder, event->start_mark,
                        "is a second document; remove the line --- and what follows it");
        return STEP_ON;
    case YAML_SCALAR_EVENT:
        return add_scalar(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        return begin(builder, NODE_SEQUENCE, event->start_mark);
    case YAML_MAPPING_START_EVENT:
        return begin(builder, NODE_MAPPING, event->start_mark);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return end(builder);
    case YAML_STREAM_END_EVENT:
        return STEP_DONE;
    default:
        return STEP_ON;
    }
}

/* Once through the text. */
static struct conf_node *read_once(struct builder *builder)
{
    enum step step = STEP_ON;

    if (!yaml_parser_initialize(&builder->parser)) {
        problem_no_memory(builder->problems);
        return NULL;
    }
    yaml_parser_set_encoding(&builder->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder->parser,
                                 (const unsigned char *)(builder->text.data ? builder->text.data
                                                                            : ""),
                                 builder->text.len);
    while (step == STEP_ON) {
        yaml_event_t event;

        if (!yaml_parser_parse(&builder->parser, &event)) {
            step = fail_syntax(builder);
            break;
        }
        step = take(builder, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&builder->parser);
    builder->is_whole = step == STEP_DONE;
    return builder->is_whole ? builder->root : NULL;
}

/* Makes the line empty; false when it is so already, or the text has no such line. */
static bool leave_out(char *text, size_t len, size_t line)
{
    size_t at = 0;
    bool   had_any = false;

    for (; line && at < len; at++)
        line -= text[at] == '\n';
    for (; at < len && text[at] != '\n'; at++) {
        had_any = had_any || text[at] != ' ';
        text[at] = ' ';
    }
    return had_any;
}

struct conf_node *yaml_read(struct conf_problems *problems, bp_str text)
{
    struct builder    builder = { .problems = problems, .text = text, .bad_line = SIZE_MAX };
    struct conf_node *root;
    char             *rest;

    if (text.len > YAML_MAX_BYTES) {
        problem_add(problems, false, (struct conf_position){ 0 }, bp_str_of(NULL),
                    "is larger than 4 MiB");
        return NULL;
    }
    root = read_once(&builder);
    if (builder.is_whole || builder.bad_line == SIZE_MAX)
        return root;
    rest = malloc(text.len + 1);
    if (!rest)
        return NULL;
    memcpy(rest, text.data, text.len);
    for (int i = 0; i < MAX_LEFT_OUT && !builder.is_whole && builder.bad_line != SIZE_MAX &&
                    leave_out(rest, text.len, builder.bad_line);
         i++) {
        builder = (struct builder){ .problems = problems,
                                    .text = { rest, text.len },
                                    .bad_line = SIZE_MAX,
                                    .silent_to = builder.bad_line + 2 };
        root = read_once(&builder);
    }
    free(rest);
    problems->is_partial = true;
    return root;
}
