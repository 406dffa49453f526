/* schema.c - collections of a vector store: may one be made like this, and is the one that is there
 * the one that is wanted. */
#include "vectors/vectors.h"

static bool is_made_of_name_letters(bp_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') && c != '_' &&
            c != '.' && c != '-')
            return false;
    }
    return true;
}

bool vectors_is_name(bp_str name)
{
    return name.len >= 1 && name.len <= VECTORS_NAME_BYTES_MAX && is_made_of_name_letters(name);
}

bp_str vectors_language(const bp_vector_schema *schema)
{
    return schema->language.len ? schema->language : BP_STR("en");
}

bp_status vectors_check_schema(bp_call *call, bp_str name, const bp_vector_schema *schema,
                               uint32_t dimensions_max)
{
    bp_str owner = bp_vector_owner(schema);

    if (!vectors_is_name(name))
        return bp_fail(call, BP_INVALID,
                       "\"" BP_FMT
                       "\" cannot be the name of a collection: 1 to %d of A-Z a-z 0-9 _ . -",
                       BP_ARG(name), VECTORS_NAME_BYTES_MAX);
    if (schema->dimensions < 1 || schema->dimensions > dimensions_max)
        return bp_fail(call, BP_INVALID, "a vector has 1 to %u dimensions in this store, not %u",
                       dimensions_max, schema->dimensions);
    if (schema->metric > BP_L2)
        return bp_fail(call, BP_INVALID, "there is no metric with the number %u", schema->metric);
    if (schema->model.len > VECTORS_MODEL_BYTES_MAX ||
        schema->language.len > VECTORS_LANGUAGE_BYTES_MAX ||
        vectors_check_text(call, schema->model) || vectors_check_text(call, schema->language))
        return bp_fail(call, BP_INVALID,
                       "the model's id has at most %d bytes and the language's tag %d, both UTF-8",
                       VECTORS_MODEL_BYTES_MAX, VECTORS_LANGUAGE_BYTES_MAX);
    if (owner.len > VECTORS_OWNER_BYTES_MAX || !is_made_of_name_letters(owner))
        return bp_fail(call, BP_INVALID,
                       "the owner of a collection is at most %d of A-Z a-z 0-9 _ . -",
                       VECTORS_OWNER_BYTES_MAX);
    return BP_OK;
}

bp_status vectors_compare_schema(bp_call *call, bp_str name, const bp_vector_schema *there,
                                 const bp_vector_schema *wanted, bool *is_unmarked)
{
    static const char *const metrics[] = { "cosine", "inner product", "l2" };
    bp_str                   owner = bp_vector_owner(there), asking = bp_vector_owner(wanted);

    *is_unmarked = false;
    // First: a collection of another is not measured.
    if (owner.len && !bp_str_equal(owner, asking))
        return bp_fail(call, BP_CONFLICT,
                       "the collection \"" BP_FMT "\" belongs to the deployment " BP_FMT
                       ", not to " BP_FMT ": it is neither used nor changed. Give each deployment "
                       "a store, a prefix or a database of its own",
                       BP_ARG(name), BP_ARG(owner),
                       BP_ARG(asking.len ? asking : BP_STR("one without an id")));
    if (there->dimensions != wanted->dimensions)
        return bp_fail(call, BP_CONFLICT,
                       "the collection \"" BP_FMT "\" has vectors of %u dimensions, not %u",
                       BP_ARG(name), there->dimensions, wanted->dimensions);
    if (there->metric != wanted->metric)
        return bp_fail(call, BP_CONFLICT, "the collection \"" BP_FMT "\" measures by %s, not by %s",
                       BP_ARG(name), metrics[there->metric], metrics[wanted->metric]);
    if (!bp_str_equal(wanted->model, there->model))
        return bp_fail(call, BP_CONFLICT,
                       "the collection \"" BP_FMT "\" was made for the embedder \"" BP_FMT
                       "\", not for \"" BP_FMT "\": use another name, or drop it and index again",
                       BP_ARG(name), BP_ARG(there->model), BP_ARG(wanted->model));
    if (!bp_str_equal(vectors_language(wanted), vectors_language(there)))
        return bp_fail(call, BP_CONFLICT,
                       "the collection \"" BP_FMT "\" was made for the language \"" BP_FMT
                       "\", not for \"" BP_FMT "\"",
                       BP_ARG(name), BP_ARG(there->language), BP_ARG(vectors_language(wanted)));
    *is_unmarked = !owner.len && asking.len;
    return BP_OK;
}

void vectors_adopted(bp_call *call, bp_str name, bp_str owner)
{
    bp_log_event(call, BP_LOG_INFO, "collection_adopted",
                 bp_format(call,
                           "the collection \"" BP_FMT
                           "\" had no owner: it belongs to the deployment " BP_FMT " from now on",
                           BP_ARG(name), BP_ARG(owner)),
                 (bp_field[]){ bp_field_str("collection", name), bp_field_str("owner", owner) }, 2);
}
