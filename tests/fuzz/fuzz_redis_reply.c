/* fuzz_redis_reply.c - one input is what a server sends, cut into pieces: how it is cut changes
 * nothing, every answer is whole and keeps to its limit, and nonsense ends in a sentence. */
#include <stdio.h>
#include <stdlib.h>

#include "redis/reply.h"

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { REPLY_BYTES = 64 << 10 };

/* What an answer says, as one number; looks at all of it. */
static uint64_t digest(const struct redis_reply *reply, int depth)
{
    uint64_t sum = (uint64_t)reply->type * 31 + (uint64_t)reply->integer + reply->count;

    HOLDS(depth < 16);
    for (size_t i = 0; i < reply->text.len; i++)
        sum = sum * 1099511628211u + (unsigned char)reply->text.data[i];
    HOLDS(!reply->text.data || reply->text.data[reply->text.len] == '\0');
    for (size_t i = 0; i < reply->count; i++) {
        HOLDS(reply->items[i]);
        sum = sum * 1099511628211u + digest(reply->items[i], depth + 1);
    }
    return sum;
}

/* Feeds all of it in pieces; *sum says what came, the result whether it was the protocol to its
 * end. */
static bool feed(const uint8_t *data, size_t size, size_t piece, uint64_t *sum)
{
    struct redis_parser *parser = redis_parser_new(REPLY_BYTES);
    struct redis_reply  *reply = NULL;
    bool                 is_good = true;

    HOLDS(parser);
    *sum = 0;
    for (size_t at = 0; at < size && is_good; at += piece) {
        is_good = redis_parser_feed(parser, data + at, size - at < piece ? size - at : piece);
        while (is_good && (is_good = redis_parser_next(parser, &reply)) && reply) {
            *sum = *sum * 31 + digest(reply, 0);
            redis_reply_free(reply);
        }
    }
    HOLDS(is_good || redis_parser_problem(parser)[0]);
    *sum += redis_parser_pushes(parser);
    redis_parser_free(parser);
    return is_good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole, cut, bytes;
    bool     is_good;

    if (size < 2 || size > REPLY_BYTES / 4)
        return 0;
    is_good = feed(data + 1, size - 1, size, &whole);
    HOLDS(feed(data + 1, size - 1, 1, &bytes) == is_good && bytes == whole);
    HOLDS(feed(data + 1, size - 1, 1 + data[0] % 61, &cut) == is_good && cut == whole);
    return 0;
}
