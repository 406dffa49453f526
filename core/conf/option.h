/* option.h - reads the settings of one mapping of the conf into a struct, by a table of options.
 *
 * The same code reads the settings of plugins, of the gate and of the server. A table comes from a
 * plugin that may have been built with an older or newer SDK, so it is read through its stride and
 * never indexed.
 */
#ifndef CORE_CONF_OPTION_H
#define CORE_CONF_OPTION_H

#include <backplane/option.h>

#include "conf/problem.h"

struct option_table {
    const bp_option *options;
    uint32_t         stride; /* bytes of one option as the plugin's compiler saw it */
    uint32_t         count;
};

#define OPTION_TABLE(table)                                                                        \
    {                                                                                              \
        (table), (uint32_t)sizeof((table)[0]), (uint32_t)(sizeof(table) / sizeof((table)[0]))      \
    }

/* The kinds of plugins, and of sections in the conf. */
#define CONF_KINDS "storage|cache|vector|embed|llm|health|alert|app"

/* The name of another instance, as an option of type REF or REFS gives it. The code that
 * makes the instances fills the field at `offset` with the peers. */
struct option_ref {
    struct option_ref      *next;
    bp_str                  option; /* its name */
    bp_str                  kind;
    bp_str                  name;
    const struct conf_node *node; /* NULL: from the table's default */
    uint32_t                offset;
    bool is_list; /* the field is a bp_peer_list; one entry for each name, in their order */
};

struct option_refs {
    struct option_ref *first;
    struct option_ref *last;
    size_t             count;
};

struct option_reader {
    struct conf_problems *problems;
    bp_str                data_dir; /* absolute; what relative paths start at */
};

/* The option at `index`; what an older table does not have is zero. */
bp_option option_at(const struct option_table *table, uint32_t index);
bool      option_table_has(const struct option_table *table, bp_str name);

/* Writes every option of `table` to `out`, from `mapping` (NULL: all defaults) or from its default.
 * The keys that `shadow` (may be NULL) has too belong to that table, and the option here gets its
 * default. `out` must be as large as the table was checked for. Texts live in the arena of the
 * problems. */
void option_read(const struct option_reader *reader, const struct option_table *table,
                 const struct option_table *shadow, const struct conf_node *mapping, void *out,
                 struct option_refs *refs);

/* An error for every key of `mapping` that is in none of the tables and not in `other_keys`
 * ("use|listen"). */
void option_report_unknown(struct conf_problems *problems, const struct conf_node *mapping,
                           const struct option_table *const *tables, size_t table_count,
                           const char *other_keys);

struct hint;

/* An error for a reference to an instance that is not there, where it is written, or at `owner`
 * when it is a default. The hint has been offered the instances of that kind. */
void option_report_no_instance(struct conf_problems *problems, const struct option_ref *ref,
                               const struct conf_node *owner, const struct hint *hint);

/* "duration" for BP_OPTION_TYPE_DURATION; NULL for a number that is no type. */
const char *option_type_name(uint32_t type);

/* The value of a scalar as it may be shown: "***" for a secret, without the password of a URL, and
 * as written where it came from a ${file:...}. */
bp_str option_shown_value(struct arena *arena, const bp_option *option,
                          const struct conf_node *node);

/* The first mistake of a plugin's table. The plugin's struct has `instance_size` bytes; empty: it
 * is well formed. */
bp_str option_table_check(struct arena *arena, const struct option_table *table,
                          uint32_t instance_size);

/* The same, for a host that wants to know only where a value belongs: bytes and alignment of a
 * type's field. */
size_t option_field_size(uint32_t type);
size_t option_field_alignment(uint32_t type);

/* Reads one value into the field at `field`, as option_read() does for each. */
void option_read_value(const struct option_reader *reader, const bp_option *option,
                       const struct conf_node *node, void *field, struct option_refs *refs);
/* The same from a text such as a default. */
void option_read_text(const struct option_reader *reader, const bp_option *option, const char *text,
                      void *field, struct option_refs *refs);

#endif
