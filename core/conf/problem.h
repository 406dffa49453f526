/* problem.h - the mistakes in a conf file: sentences with file, line, column and key, all of one
 * run.
 *
 * Nothing stops at the first mistake: a check that finds one adds a sentence here and goes on. The
 * list keeps the sentences in the order of the file, not in the order in which they were found.
 */
#ifndef CORE_CONF_PROBLEM_H
#define CORE_CONF_PROBLEM_H

#include "base/buf.h"
#include "conf/node.h"

struct conf_problem {
    struct conf_problem *next;
    struct conf_position position;
    bp_str               path; /* of the key; may be empty */
    bp_str               text;
    bool                 is_warning;
};

struct conf_problems {
    struct arena        *arena;
    const char          *file;
    struct conf_problem *first;
    size_t               error_count;
    size_t               warning_count;
    size_t               left_out_count;   /* beyond those that are kept */
    bool                 is_out_of_memory; /* counted as one error */
    bool is_partial; /* lines that are no YAML were left out: a missing name may be in them */
};

void problems_init(struct conf_problems *problems, struct arena *arena, const char *file);

void problem_add(struct conf_problems *problems, bool is_warning, struct conf_position position,
                 bp_str path, const char *format, ...) BP_FORMAT(5, 6);
/* An error about a value, at its place. */
void error_at_value(struct conf_problems *problems, const struct conf_node *node,
                    const char *format, ...) BP_FORMAT(3, 4);
/* An error or a warning about a key, at its place. */
void error_at_key(struct conf_problems *problems, const struct conf_node *node, const char *format,
                  ...) BP_FORMAT(3, 4);
void warning_at_key(struct conf_problems *problems, const struct conf_node *node,
                    const char *format, ...) BP_FORMAT(3, 4);
/* An error about the key `name` that `mapping` should have; `mapping` may be NULL. */
void error_missing(struct conf_problems *problems, const struct conf_node *mapping,
                   const char *name, const char *format, ...) BP_FORMAT(4, 5);
void problem_no_memory(struct conf_problems *problems);

/* More would only be counted: not worth a search for the word that was meant. */
bool problems_are_full(const struct conf_problems *problems);

/* One line each: `file:line:column: key: sentence`, with `warning: ` before the key of a warning.
 */
void problems_print(const struct conf_problems *problems, struct bp_buf *out);

#endif
