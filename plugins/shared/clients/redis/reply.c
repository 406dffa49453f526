/* reply.c - hiredis' reader with objects of our own: one block of memory for each answer, which
 * states its maximum. */
#include "redis/reply.h"

#include <stdio.h>
#include <stdlib.h>

#include <hiredis/read.h>

enum {
    CHUNK_BYTES_MIN = 512,
    CHUNK_BYTES_MAX = 64 << 10,
    BUFFER_KEPT_BYTES = 256 << 10,
    DEPTH_MAX = 32
};

/* The memory of one answer: a list of chunks, the newest first. */
struct chunk {
    struct chunk *next;
    size_t        used, size;
    max_align_t   bytes[];
};

struct redis_parser {
    redisReader  *reader;
    struct chunk *chunks;     /* of the answer under way */
    size_t        used_bytes; /* by it */
    size_t        reply_bytes_max;
    uint64_t      pushes;
    bool          is_push; /* the answer under way is one */
    bool          is_too_deep;
    char          problem[160];
};

static void free_chunks(struct chunk *chunk)
{
    while (chunk) {
        struct chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void redis_reply_free(void *root)
{
    if (root)
        free_chunks(((struct redis_reply *)root)->memory);
}

/* ---- hiredis' objects ---- */

static void *take(struct redis_parser *parser, size_t size)
{
    struct chunk *chunk = parser->chunks;
    size_t rounded = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    void  *taken;

    if (rounded < size || rounded > parser->reply_bytes_max - parser->used_bytes)
        return NULL;
    if (!chunk || chunk->size - chunk->used < rounded) {
        size_t wanted = chunk ? chunk->size * 2 : CHUNK_BYTES_MIN;
        if (wanted > CHUNK_BYTES_MAX)
            wanted = CHUNK_BYTES_MAX;
        if (wanted < rounded)
            wanted = rounded;
        chunk = malloc(sizeof(*chunk) + wanted);
        if (!chunk)
            return NULL;
        *chunk = (struct chunk){ .next = parser->chunks, .size = wanted };
        parser->chunks = chunk;
    }
    taken = (char *)chunk->bytes + chunk->used;
    chunk->used += rounded;
    parser->used_bytes += rounded;
    memset(taken, 0, rounded);
    return taken;
}

static struct redis_reply *add(const redisReadTask *task, redis_type type)
{
    struct redis_reply *reply = take(task->privdata, sizeof(*reply)), *parent;

    if (!reply)
        return NULL;
    reply->type = type;
    reply->text = bp_str_n("", 0); // read by a caller that takes a number or a nil for a text
    if (task->parent) {
        parent = task->parent->obj;
        parent->items[task->idx] = reply;
    }
    return reply;
}

static void *add_string(const redisReadTask *task, char *text, size_t len)
{
    struct redis_reply *reply = add(task, (redis_type)task->type);
    char               *copy = reply ? take(task->privdata, len + 1) : NULL;

    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    reply->text = bp_str_n(copy, len);
    return reply;
}

static void *add_array(const redisReadTask *task, int count)
{
    struct redis_parser *parser = task->privdata;
    struct redis_reply  *reply = NULL;

    // The reader has a task for each level, which is not counted otherwise.
    parser->is_too_deep = parser->reader->ridx >= DEPTH_MAX;
    if (!parser->is_too_deep)
        reply = add(task, REDIS_ARRAY);
    if (!reply || count < 0)
        return NULL;
    if (count) {
        reply->items = take(task->privdata, (size_t)count * sizeof(struct redis_reply *));
        if (!reply->items)
            return NULL;
    }
    reply->count = (size_t)count;
    return reply;
}

static void *add_integer(const redisReadTask *task, long long integer)
{
    struct redis_reply *reply = add(task, REDIS_INTEGER);

    if (reply)
        reply->integer = integer;
    return reply;
}

static void *add_nil(const redisReadTask *task)
{
    return add(task, REDIS_NIL);
}

/* hiredis gives up an unfinished answer; its memory is ours, see drop_unfinished(). */
static void give_up(void *object)
{
    (void)object;
}

static redisReplyObjectFunctions functions = {
    .createString = add_string,
    .createArray = add_array,
    .createInteger = add_integer,
    .createNil = add_nil,
    .freeObject = give_up,
};

/* ---- the parser ---- */

struct redis_parser *redis_parser_new(size_t reply_bytes_max)
{
    struct redis_parser *parser = calloc(1, sizeof(*parser));

    if (!parser)
        return NULL;
    parser->reply_bytes_max = reply_bytes_max;
    parser->reader = redisReaderCreateWithFunctions(&functions);
    if (!parser->reader) {
        free(parser);
        return NULL;
    }
    parser->reader->privdata = parser;
    parser->reader->maxbuf = BUFFER_KEPT_BYTES;
    return parser;
}

static void drop_unfinished(struct redis_parser *parser)
{
    free_chunks(parser->chunks);
    parser->chunks = NULL;
    parser->used_bytes = 0;
}

void redis_parser_free(struct redis_parser *parser)
{
    if (!parser)
        return;
    redisReaderFree(parser->reader);
    drop_unfinished(parser);
    free(parser);
}

static bool fail(struct redis_parser *parser, const char *why)
{
    snprintf(parser->problem, sizeof(parser->problem), "%s", why);
    return false;
}

bool redis_parser_feed(struct redis_parser *parser, const void *bytes, size_t count)
{
    if (parser->reader->len - parser->reader->pos > parser->reply_bytes_max)
        return fail(parser, "an answer is larger than is allowed here");
    if (redisReaderFeed(parser->reader, bytes, count) != REDIS_OK)
        return fail(parser, "no memory for an answer");
    return true;
}

/* Between two answers: what follows is a push message? Then let the reader see an array. The reader
 * is between two when it has no task, or has made the first one in vain and not read its type yet.
 */
static void look_for_push(struct redis_parser *parser)
{
    redisReader *reader = parser->reader;
    bool is_between = reader->ridx == -1 || (reader->ridx == 0 && reader->rstack[0].type < 0);

    if (!is_between || reader->pos >= reader->len)
        return;
    parser->is_push = reader->buf[reader->pos] == '>';
    if (parser->is_push)
        reader->buf[reader->pos] = '*';
}

bool redis_parser_next(struct redis_parser *parser, struct redis_reply **out)
{
    struct redis_reply *reply;
    void               *root;

    for (;;) {
        *out = NULL;
        root = NULL;
        look_for_push(parser);
        if (redisReaderGetReply(parser->reader, &root) != REDIS_OK) {
            drop_unfinished(parser);
            return fail(parser, parser->is_too_deep
                                    ? "an answer is nested deeper than is allowed here"
                                : parser->reader->err == REDIS_ERR_OOM
                                    ? "an answer is larger than is allowed here"
                                    : parser->reader->errstr);
        }
        if (!root)
            return true;
        reply = root;
        reply->memory = parser->chunks;
        parser->chunks = NULL;
        parser->used_bytes = 0;
        if (!parser->is_push)
            break;
        parser->pushes++;
        redis_reply_free(reply);
    }
    *out = reply;
    return true;
}

const char *redis_parser_problem(const struct redis_parser *parser)
{
    return parser->problem;
}
uint64_t redis_parser_pushes(const struct redis_parser *parser)
{
    return parser->pushes;
}
