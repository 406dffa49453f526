/* expand.c - puts the environment and mounted secrets into the values of a conf. */
#include "conf/expand.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

enum { MAX_NESTED_DEFAULTS = 8, MAX_NAME_BYTES = 256, MAX_SOURCE_BYTES = 4096 };

struct expander {
    struct conf_problems          *problems;
    const struct conf_environment *environment;
    const char                    *directory;
    struct conf_node              *node; /* the one at work */
    struct bp_buf                  value;
    struct bp_buf                  source;
    bool                           is_broken;
};

static const char *get_from_process(void *context, const char *name)
{
    (void)context;
    return getenv(name);
}

const struct conf_environment conf_process_environment = { get_from_process, NULL };

static void add_source(struct expander *expander, const char *what, const char *name)
{
    buf_addf(&expander->source, "%s%s %s", expander->source.len ? ", " : "", what, name);
}

static bool is_name(bp_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        if (!is_letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.len && name.len < MAX_NAME_BYTES;
}

/* Bytes read, or -1 with errno. */
static ssize_t read_whole(const char *path, char *bytes, size_t capacity)
{
    struct stat status;
    size_t      count = 0;
    ssize_t     step = -1;
    int         fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return -1;
    if (fstat(fd, &status) == 0) {
        // A pipe or a device could block or never end.
        errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
        while (S_ISREG(status.st_mode) && count < capacity) {
            step = read(fd, bytes + count, capacity - count);
            if (step < 0 && errno == EINTR)
                continue;
            if (step <= 0)
                break;
            count += (size_t)step;
        }
    }
    if (step < 0) {
        int why = errno;

        close(fd);
        errno = why;
        return -1;
    }
    close(fd);
    return (ssize_t)count;
}

static void add_file(struct expander *expander, bp_str name)
{
    struct arena *arena = expander->problems->arena;
    bool          is_absolute = bp_str_starts(name, "/");
    bp_str        path = arena_format(arena, "%s%s" BP_FMT, is_absolute ? "" : expander->directory,
                               is_absolute ? "" : "/", BP_ARG(name));
    char          bytes[EXPAND_MAX_FILE_BYTES +
               3]; // two more for a line break, one to see that it is too long
    ssize_t       count = read_whole(path.data, bytes, sizeof(bytes));
    bp_str        text;

    expander->is_broken = true;
    if (count < 0) {
        error_at_value(expander->problems, expander->node, "cannot read the file %s: %s", path.data,
                       errno == EINVAL ? "it is not a regular file" : strerror(errno));
        return;
    }
    text = bp_str_n(bytes, (size_t)count);
    if (text.len && text.data[text.len - 1] == '\n')
        text.len--;
    if (text.len && text.data[text.len - 1] == '\r')
        text.len--;
    if (text.len > EXPAND_MAX_FILE_BYTES)
        error_at_value(expander->problems, expander->node, "the file %s is larger than 64 KiB",
                       path.data);
    else if (!str_is_utf8(text) || (text.len && memchr(text.data, '\0', text.len)))
        error_at_value(expander->problems, expander->node, "the file %s is not UTF-8 text",
                       path.data);
    else
        expander->is_broken = false;
    if (expander->is_broken)
        return;
    buf_add(&expander->value, text);
    add_source(expander, "file", path.data);
    expander->node->is_from_file = true;
}

/* The place of the } that closes the ${ before `from`; text.len when there is none. */
static size_t find_close(bp_str text, size_t from)
{
    unsigned depth = 1;

    for (size_t i = from; i < text.len; i++) {
        if (text.data[i] == '{' && text.data[i - 1] == '$')
            depth++;
        if (text.data[i] == '}' && --depth == 0)
            return i;
    }
    return text.len;
}

static void expand_text(struct expander *expander, bp_str text, unsigned depth);

static void add_variable(struct expander *expander, bp_str name, bool has_default, bp_str fallback,
                         unsigned depth)
{
    bp_str      text = arena_dup(expander->problems->arena, name);
    const char *value = expander->environment->get(expander->environment->context, text.data);

    if (value && (*value || !has_default)) {
        if (!str_is_utf8(bp_str_of(value))) {
            error_at_value(expander->problems, expander->node,
                           "the environment variable %s is not UTF-8 text", text.data);
            expander->is_broken = true;
            return;
        }
        buf_add(&expander->value, bp_str_of(value));
        add_source(expander, "env", text.data);
    } else if (has_default) {
        expand_text(expander, fallback, depth + 1);
    } else {
        error_at_value(expander->problems, expander->node,
                       "the environment variable %s is not set (set it, or write ${%s:-default})",
                       text.data, text.data);
        expander->is_broken = true;
    }
}

/* `inside` is what stands between ${ and }. */
static void expand_one(struct expander *expander, bp_str inside, unsigned depth)
{
    bp_str name = inside, fallback = { 0 };
    bool   has_default = false;

    if (bp_str_starts(inside, "file:")) {
        add_file(expander, bp_str_n(inside.data + 5, inside.len - 5));
        return;
    }
    for (size_t i = 0; i + 1 < inside.len && !has_default; i++) {
        has_default = inside.data[i] == ':' && inside.data[i + 1] == '-';
        if (has_default) {
            name = bp_str_n(inside.data, i);
            fallback = bp_str_n(inside.data + i + 2, inside.len - i - 2);
        }
    }
    if (!is_name(name) || depth >= MAX_NESTED_DEFAULTS) {
        error_at_value(expander->problems, expander->node,
                       "${...} must be ${NAME}, ${NAME:-default} or ${file:PATH} (write $${ for "
                       "the two characters)");
        expander->is_broken = true;
        return;
    }
    add_variable(expander, name, has_default, fallback, depth);
}

static void expand_text(struct expander *expander, bp_str text, unsigned depth)
{
    size_t at = 0;

    while (at < text.len && !expander->is_broken) {
        bp_str rest = { text.data + at, text.len - at };
        size_t close;

        if (bp_str_starts(rest, "$${")) {
            buf_add(&expander->value, BP_STR("${"));
            at += 3;
            continue;
        }
        if (!bp_str_starts(rest, "${")) {
            buf_add_char(&expander->value, *rest.data);
            at++;
            continue;
        }
        close = find_close(text, at + 2);
        if (close == text.len) {
            error_at_value(expander->problems, expander->node, "has a ${ without its }");
            expander->is_broken = true;
            return;
        }
        expand_one(expander, bp_str_n(text.data + at + 2, close - at - 2), depth);
        at = close + 1;
    }
}

static void expand_scalar(struct expander *expander, struct conf_node *node)
{
    struct arena *arena = expander->problems->arena;

    if (node->text.len == 0 || !strstr(node->text.data, "${"))
        return;
    expander->node = node;
    expander->is_broken = false;
    buf_init(&expander->value, NULL, EXPAND_MAX_VALUE_BYTES);
    buf_init(&expander->source, NULL, MAX_SOURCE_BYTES);
    expand_text(expander, node->text, 0);
    if (!expander->is_broken && expander->value.status != BP_OK) {
        error_at_value(expander->problems, node, "is longer than 256 KiB");
        expander->is_broken = true;
    }
    node->is_broken = expander->is_broken;
    node->is_expanded = true;
    node->value = arena_dup(arena, buf_str(&expander->value));
    node->source = arena_dup(arena, buf_str(&expander->source));
    if (node->value.len != expander->value.len && !node->is_broken)
        problem_no_memory(expander->problems);
    buf_free(&expander->value);
    buf_free(&expander->source);
}

static void expand_below(struct expander *expander, struct conf_node *node)
{
    if (node->kind == NODE_SCALAR)
        expand_scalar(expander, node);
    // The depth of a tree is capped where it is read.
    for (struct conf_node *child = node->first; child; child = child->next)
        expand_below(expander, child);
}

void expand_tree(struct conf_problems *problems, const struct conf_environment *environment,
                 const char *directory, struct conf_node *root)
{
    struct expander expander = { .problems = problems,
                                 .environment = environment,
                                 .directory = directory };

    if (root)
        expand_below(&expander, root);
}
