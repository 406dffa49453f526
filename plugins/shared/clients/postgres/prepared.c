/* prepared.c - the statements that are prepared on a connection; the one that was used longest ago
 * makes room. */
#include "postgres.h"

#include <stdlib.h>

/* FNV-1a: only to compare few texts. */
static uint64_t hash_of(const bp_statement *statement, const Oid *types)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < statement->sql.len; i++)
        hash = (hash ^ (unsigned char)statement->sql.data[i]) * 0x100000001b3u;
    for (uint32_t i = 0; i < statement->parameter_count; i++)
        hash = (hash ^ types[i]) * 0x100000001b3u;
    return hash;
}

struct postgres_statement *postgres_prepared_find(struct postgres_connection *connection,
                                                  const bp_statement *statement, const Oid *types)
{
    uint64_t hash = hash_of(statement, types);

    for (size_t i = 0; i < connection->statement_count; i++) {
        struct postgres_statement *one = &connection->statements[i];

        if (one->hash != hash || one->parameter_count != statement->parameter_count ||
            !bp_str_equal(one->sql, statement->sql) ||
            memcmp(one->types, types, statement->parameter_count * sizeof(*types)) != 0)
            continue;
        one->used = ++connection->uses;
        return one;
    }
    return NULL;
}

static void drop(struct postgres_connection *connection, size_t at)
{
    free((char *)(uintptr_t)connection->statements[at].sql.data);
    connection->statements[at] = connection->statements[--connection->statement_count];
}

struct postgres_statement *postgres_prepared_add(struct postgres_connection *connection,
                                                 const bp_statement *statement, const Oid *types,
                                                 uint64_t *evicted)
{
    size_t capacity = (size_t)connection->pool->options->statement_cache, oldest = 0;
    struct postgres_statement *one;
    char                      *copy = malloc(statement->sql.len + 1);

    *evicted = 0;
    if (!connection->statements)
        connection->statements = calloc(capacity, sizeof(*connection->statements));
    if (!copy || !connection->statements) {
        free(copy);
        return NULL;
    }
    if (connection->statement_count == capacity) {
        for (size_t i = 1; i < capacity; i++)
            if (connection->statements[i].used < connection->statements[oldest].used)
                oldest = i;
        *evicted = connection->statements[oldest].number;
        drop(connection, oldest);
    }
    memcpy(copy, statement->sql.data, statement->sql.len);
    copy[statement->sql.len] = '\0';
    one = &connection->statements[connection->statement_count++];
    *one = (struct postgres_statement){ .hash = hash_of(statement, types),
                                        .used = ++connection->uses,
                                        .number = ++connection->names_given,
                                        .sql = bp_str_n(copy, statement->sql.len),
                                        .parameter_count = statement->parameter_count };
    memcpy(one->types, types, statement->parameter_count * sizeof(*types));
    return one;
}

void postgres_prepared_remove(struct postgres_connection *connection, uint64_t number)
{
    for (size_t i = 0; i < connection->statement_count; i++)
        if (connection->statements[i].number == number) {
            drop(connection, i);
            return;
        }
}

void postgres_forget(struct postgres_connection *connection)
{
    while (connection->statement_count)
        drop(connection, connection->statement_count - 1);
}
