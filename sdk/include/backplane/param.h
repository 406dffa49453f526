/* backplane/param.h - the parameters of a tool as a table: name, type, range and help of each. The
 * host writes JSON Schema from it, checks what clients send by that, and fills a struct with it.
 *
 *      struct search { bp_str query; int64_t limit; };
 *      static const bp_param search_rows[] = {
 *          BP_PARAM_TEXT(struct search, query, .flags = BP_PARAM_REQUIRED, .help = "what to look for"),
 *          BP_PARAM_INTEGER(struct search, limit, .minimum = "1", .maximum = "50", .initial = "5"),
 *      };
 *      static const bp_params search_params = BP_PARAMS(struct search, search_rows);
 *
 *      static bp_status run_search(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp)
 *      {
 *          struct search wanted;
 *
 *          BP_TRY(bp_params_read(call, &search_params, arguments, &wanted));
 *          ...
 *      }
 *      static const bp_mcp_tool tools[] = { { .name = "search", .params = &search_params, ... } };
 *
 * The rows and their texts are static. A table without a struct, BP_PARAMS_ONLY(rows), describes
 * values that no code reads into one: results, the members of a list.
 */
#ifndef BACKPLANE_PARAM_H
#define BACKPLANE_PARAM_H

#include <backplane/json.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a parameter is, and what its field in the struct is. Lists and objects stay JSON, which
 * lives as long as the arguments. */
typedef enum bp_param_type {
    BP_PARAM_TYPE_TEXT = 1,    /* bp_str */
    BP_PARAM_TYPE_INTEGER = 2, /* int64_t */
    BP_PARAM_TYPE_NUMBER = 3,  /* double */
    BP_PARAM_TYPE_BOOLEAN = 4, /* bool */
    BP_PARAM_TYPE_CHOICE = 5,  /* int32_t: the place in `choices`, from 0; -1: not given */
    BP_PARAM_TYPE_TEXTS = 6,   /* const bp_json *, an array of strings; NULL: not given */
    BP_PARAM_TYPE_OBJECTS = 7, /* const bp_json *, an array of objects of `fields` */
    BP_PARAM_TYPE_OBJECT = 8,  /* const bp_json *, of `fields`; without them any object */
    BP_PARAM_TYPE_ANY = 9,     /* const bp_json *; its schema is `schema`, and `choices` */
    BP_PARAM_TYPE_NUMBERS = 10 /* const bp_json *, an array of numbers */
} bp_param_type;

enum {
    BP_PARAM_REQUIRED = 1u << 0,
    BP_PARAM_NULLABLE = 1u << 1, /* null is taken, and read as not given */
    BP_PARAM_CLOSED = 1u << 2,   /* of `fields`, or of a table: no other members */
    BP_PARAM_QUIET = 1u << 3     /* `initial` is for the struct alone, and not in the schema */
};

/* `minimum` and `maximum` bound the value of a number, the characters of a text, the members of a
 * list. An integer may be written 3.0; one beyond int64_t that no bound refuses is read as the
 * nearest there is. `initial` is what the struct gets when the parameter is not given, and
 * "default" in the schema; without it: an empty text, 0, false, -1, NULL. */
typedef struct bp_param {
    const char            *name;
    const char            *help;    /* the description that models read; NULL: none */
    const char            *initial; /* as text: "5", "true", "name" */
    const char            *minimum;
    const char            *maximum;
    const char            *choices; /* "asc|desc"; of a text or of the members of texts as well */
    const char            *schema;  /* more of its JSON Schema, an object: {"pattern":"^/"} */
    const struct bp_param *fields;
    uint32_t               field_count;
    uint32_t               field_size; /* stride */
    uint32_t               type;       /* bp_param_type */
    uint32_t               flags;      /* BP_PARAM_ */
    uint32_t               offset;     /* of its field in the struct */
    uint32_t               reserved;
} bp_param;

typedef struct bp_params {
    const bp_param *rows;
    uint32_t        row_count;
    uint32_t        row_size;   /* stride */
    uint32_t        bytes_size; /* of the struct; 0: there is none */
    uint32_t        flags;      /* BP_PARAM_CLOSED */
    const char     *schema;     /* more of its JSON Schema, an object: {"minProperties":1} */
} bp_params;

#define BP_PARAM_OF(type_, struct_, field_, name_, ...)                                            \
    {                                                                                              \
        .name = (name_), .type = (type_), .offset = (uint32_t)offsetof(struct_, field_),           \
        __VA_ARGS__                                                                                \
    }
#define BP_PARAM_TEXT(struct_, field_, ...)                                                        \
    BP_PARAM_OF(BP_PARAM_TYPE_TEXT, struct_, field_, #field_, __VA_ARGS__)
#define BP_PARAM_INTEGER(struct_, field_, ...)                                                     \
    BP_PARAM_OF(BP_PARAM_TYPE_INTEGER, struct_, field_, #field_, __VA_ARGS__)
#define BP_PARAM_NUMBER(struct_, field_, ...)                                                      \
    BP_PARAM_OF(BP_PARAM_TYPE_NUMBER, struct_, field_, #field_, __VA_ARGS__)
#define BP_PARAM_BOOLEAN(struct_, field_, ...)                                                     \
    BP_PARAM_OF(BP_PARAM_TYPE_BOOLEAN, struct_, field_, #field_, __VA_ARGS__)
#define BP_PARAM_CHOICE(struct_, field_, ...)                                                      \
    BP_PARAM_OF(BP_PARAM_TYPE_CHOICE, struct_, field_, #field_, __VA_ARGS__)
#define BP_PARAM_TEXTS(struct_, field_, ...)                                                       \
    BP_PARAM_OF(BP_PARAM_TYPE_TEXTS, struct_, field_, #field_, __VA_ARGS__)
#define BP_PARAM_NUMBERS(struct_, field_, ...)                                                     \
    BP_PARAM_OF(BP_PARAM_TYPE_NUMBERS, struct_, field_, #field_, __VA_ARGS__)
#define BP_PARAM_OBJECT(struct_, field_, ...)                                                      \
    BP_PARAM_OF(BP_PARAM_TYPE_OBJECT, struct_, field_, #field_, __VA_ARGS__)
#define BP_PARAM_OBJECTS(struct_, field_, ...)                                                     \
    BP_PARAM_OF(BP_PARAM_TYPE_OBJECTS, struct_, field_, #field_, __VA_ARGS__)
/* A row without a field: of results, or of a list's members. */
#define BP_PARAM_ROW(type_, name_, ...)                                                            \
    {                                                                                              \
        .name = (name_), .type = (type_), __VA_ARGS__                                              \
    }
#define BP_PARAM_FIELDS(rows_)                                                                     \
    .fields = (rows_), .field_count = (uint32_t)(sizeof(rows_) / sizeof((rows_)[0])),              \
    .field_size = (uint32_t)sizeof(bp_param)

#define BP_PARAMS(struct_, rows_)                                                                  \
    {                                                                                              \
        .rows = (rows_), .row_count = (uint32_t)(sizeof(rows_) / sizeof((rows_)[0])),              \
        .row_size = (uint32_t)sizeof(bp_param), .bytes_size = (uint32_t)sizeof(struct_)            \
    }
#define BP_PARAMS_ONLY(rows_)                                                                      \
    {                                                                                              \
        .rows = (rows_), .row_count = (uint32_t)(sizeof(rows_) / sizeof((rows_)[0])),              \
        .row_size = (uint32_t)sizeof(bp_param)                                                     \
    }
/* The same with what else is to be said: .flags = BP_PARAM_CLOSED, .schema = "{...}". */
#define BP_PARAMS_WITH(struct_, rows_, ...)                                                        \
    {                                                                                              \
        .rows = (rows_), .row_count = (uint32_t)(sizeof(rows_) / sizeof((rows_)[0])),              \
        .row_size = (uint32_t)sizeof(bp_param), .bytes_size = (uint32_t)sizeof(struct_),           \
        __VA_ARGS__                                                                                \
    }
#define BP_PARAMS_ONLY_WITH(rows_, ...)                                                            \
    {                                                                                              \
        .rows = (rows_), .row_count = (uint32_t)(sizeof(rows_) / sizeof((rows_)[0])),              \
        .row_size = (uint32_t)sizeof(bp_param), __VA_ARGS__                                        \
    }

typedef struct bp_params_service {
    uint32_t struct_size;
    bp_status (*read)(bp_call *call, const bp_params *params, const bp_json *arguments,
                      void *values);
    bp_status (*schema)(bp_call *call, const bp_params *params, bp_str *text);
} bp_params_service;

BP_SERVICE(params, bp_params_service, 1)

/* Fills the whole struct. Texts and lists point into `arguments`. BP_INVALID, with the
 * parameter's name, for a value of another type or out of range: the host has already checked the
 * arguments of a tool with this table. Does not suspend. */
static inline bp_status bp_params_read(bp_call *call, const bp_params *params,
                                       const bp_json *arguments, void *values)
{
    return bp_service_params->read(call, params, arguments, values);
}
/* The JSON Schema (2020-12) of an object with these members, NUL-terminated; lives as long as the
 * call. BP_INVALID for a contradictory table, with the row's name; BP_NO_MEMORY. Does not
 * suspend. */
static inline bp_status bp_params_schema(bp_call *call, const bp_params *params, bp_str *text)
{
    return bp_service_params->schema(call, params, text);
}

#ifdef __cplusplus
}
#endif
#endif
