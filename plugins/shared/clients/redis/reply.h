/* reply.h - answers of Redis as trees, made from bytes as they come.
 *
 * We speak RESP2 and use hiredis' reader. A server may all the same send a push message of RESP3
 * (`>`), for instance through a proxy that switched the protocol. A push is an array by another
 * letter, and its letter stands at a place where the reader is between two answers: there it is
 * changed into `*`, and what comes of it is counted and dropped. Everything else that RESP2 does
 * not have is nonsense, and ends the connection with a sentence.
 */
#ifndef REDIS_REPLY_H
#define REDIS_REPLY_H

#include <backplane/base.h>

typedef enum redis_type {
    REDIS_STRING = 1,
    REDIS_ARRAY = 2,
    REDIS_INTEGER = 3,
    REDIS_NIL = 4,
    REDIS_STATUS = 5, /* +OK */
    REDIS_ERROR = 6
} redis_type;

struct redis_reply {
    redis_type                 type;
    int64_t                    integer;
    bp_str                     text;  /* STRING, STATUS, ERROR; a NUL stands behind it */
    const struct redis_reply **items; /* ARRAY; none of them is NULL */
    size_t                     count;
    void                      *memory; /* of the whole tree; the root's only */
};

void redis_reply_free(void *root); /* NULL is allowed */

struct redis_parser;

/* An answer takes at most `reply_bytes_max` of memory. NULL: no memory. */
struct redis_parser *redis_parser_new(size_t reply_bytes_max);
void                 redis_parser_free(struct redis_parser *parser);

/* Takes bytes as they came. false: no memory, or they are more than an answer may have. */
bool redis_parser_feed(struct redis_parser *parser, const void *bytes, size_t count);
/* The next whole answer, which the caller frees, or NULL when more bytes are needed. false: the
 * bytes are no RESP. */
bool redis_parser_next(struct redis_parser *parser, struct redis_reply **reply);
/* The mistake, in words, once one of them was false. */
const char *redis_parser_problem(const struct redis_parser *parser);
/* Push messages dropped so far. */
uint64_t redis_parser_pushes(const struct redis_parser *parser);

#endif
