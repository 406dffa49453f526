/* vectors.h - what every vector store asks of a collection and of a point, and every app that
 * writes points can ask before it has written anything: one judge, so that what one back end takes
 * all of them take.
 *
 *      vectors_check_schema()    may a collection be made like this
 *      vectors_compare_schema()  is this the collection that was wanted; who owns it
 *      vectors_check_point()     may this point be kept
 *      vectors_check_metadata()  the part of it that comes from clients
 *      vectors_check_text()      UTF-8 without NUL, which PostgreSQL cannot keep
 *      vectors_prepare()         the vector as the stores keep it
 */
#ifndef SHARED_VECTORS_H
#define SHARED_VECTORS_H

#include <backplane/call.h>
#include <backplane/json.h>
#include <backplane/vector.h>

enum {
    VECTORS_NAME_BYTES_MAX = 128,
    VECTORS_MODEL_BYTES_MAX = 255,
    VECTORS_LANGUAGE_BYTES_MAX = 35,
    VECTORS_OWNER_BYTES_MAX = 64,
    VECTORS_WORDS_BYTES_MAX = 1 << 20,
    VECTORS_METADATA_BYTES_MAX = 64 << 10
};

/* [A-Za-z0-9_.-]{1,128} */
bool vectors_is_name(bp_str name);

/* "en" where a schema says nothing. */
bp_str vectors_language(const bp_vector_schema *schema);

/* BP_INVALID with a sentence. `dimensions_max`: what the store can keep, at most 65,536. */
bp_status vectors_check_schema(bp_call *call, bp_str name, const bp_vector_schema *schema,
                               uint32_t dimensions_max);

/* BP_CONFLICT with a sentence unless the collection that is there is the one that is wanted.
 * *is_unmarked: it has no owner and the one who wants it names himself, so that the store is to
 * keep that mark (vectors_adopted() says so in the log). */
bp_status vectors_compare_schema(bp_call *call, bp_str name, const bp_vector_schema *there,
                                 const bp_vector_schema *wanted, bool *is_unmarked);
void      vectors_adopted(bp_call *call, bp_str name, bp_str owner);

/* NULL when the text may be kept, else its fault: "is not UTF-8", "has a NUL at byte
 * 17". In the call's memory. */
const char *vectors_check_text(bp_call *call, bp_str text);

/* NULL when the metadata of a point may be kept, else its fault, with the key. The same for its
 * JSON when that was read. */
const char *vectors_check_metadata(bp_call *call, const bp_json *metadata);

/* BP_INVALID or BP_TOO_LARGE with a sentence that begins with "point 17: ". Not its vector, which
 * depends on the schema. *metadata, if not NULL, is the parsed metadata; NULL when there is none.
 */
bp_status vectors_check_point(bp_call *call, const bp_point *point, const bp_json **metadata);

/* The vector as the stores keep it, in `into`: of length 1 under BP_COSINE, unchanged otherwise.
 * False when it cannot be kept: not finite, or zero under BP_COSINE. */
bool vectors_prepare(const float *vector, uint32_t dimensions, uint32_t metric, float *into);

#endif
