/* index.c - exact search: float32 rows in segments that never move, a table from id to row, a heap
 * of the best.
 *
 *      segment 0: [row 0 .. 4095]  segment 1: [row 4096 .. 8191] ...  row = segment * 4096 + place
 *      ids:        17  0  4  ...                                      0: free, see `free_rows`
 */
#include "index.h"

#include <stdlib.h>

#include "nearest/best.h"
#include "nearest/kernel.h"

enum { SEGMENT_ROWS = 4096, SCORES_AT_ONCE = 512 };

struct segment {
    float   *vectors; /* SEGMENT_ROWS times stride */
    uint64_t ids[SEGMENT_ROWS];
};

struct place {
    uint64_t id; /* 0: free */
    uint32_t row;
};

struct vector_index {
    uint32_t         dimensions, stride;
    kernel           score;
    struct segment **segments;
    size_t           segment_count, segment_capacity;
    size_t           rows_used; /* rows from here on were never used */
    uint32_t        *free_rows;
    size_t           free_count, free_capacity;
    struct place    *table; /* open addressing, a power of two, at most two thirds full */
    size_t           table_size, live;
};

struct vector_index *vector_index_new(uint32_t dimensions, bp_metric_kind metric)
{
    struct vector_index *index = calloc(1, sizeof(*index));

    if (index) {
        index->dimensions = dimensions;
        index->stride = (dimensions + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
        index->score = metric == BP_L2 ? kernel_negated_distance() : kernel_inner_product();
    }
    return index;
}

void vector_index_free(struct vector_index *index)
{
    if (!index)
        return;
    for (size_t i = 0; i < index->segment_count; i++) {
        free(index->segments[i]->vectors);
        free(index->segments[i]);
    }
    free(index->segments);
    free(index->free_rows);
    free(index->table);
    free(index);
}

uint64_t vector_index_count(const struct vector_index *index)
{
    return index->live;
}

int64_t vector_index_memory_bytes(const struct vector_index *index)
{
    size_t segment = sizeof(struct segment) + (size_t)SEGMENT_ROWS * index->stride * sizeof(float);
    return (int64_t)(sizeof(*index) + index->segment_count * segment +
                     index->table_size * sizeof(struct place) +
                     index->free_capacity * sizeof(uint32_t));
}

/* ---- the table ---- */

static size_t slot_of(const struct vector_index *index, uint64_t id)
{
    uint64_t hash = id * UINT64_C(0x9e3779b97f4a7c15);
    size_t   slot = (size_t)(hash >> 20) & (index->table_size - 1);

    while (index->table[slot].id != 0 && index->table[slot].id != id)
        slot = (slot + 1) & (index->table_size - 1);
    return slot;
}

static bool table_reserve(struct vector_index *index, size_t live)
{
    struct vector_index bigger = *index;

    if (index->table_size && live * 3 <= index->table_size * 2)
        return true;
    bigger.table_size = index->table_size ? index->table_size : 1024;
    while (live * 3 > bigger.table_size * 2)
        bigger.table_size *= 2;
    bigger.table = calloc(bigger.table_size, sizeof(struct place));
    if (!bigger.table)
        return false;
    for (size_t i = 0; i < index->table_size; i++)
        if (index->table[i].id)
            bigger.table[slot_of(&bigger, index->table[i].id)] = index->table[i];
    free(index->table);
    index->table = bigger.table;
    index->table_size = bigger.table_size;
    return true;
}

/* Takes an entry out and closes the gap, so that no search stops too early. */
static void table_remove(struct vector_index *index, size_t slot)
{
    size_t mask = index->table_size - 1;

    index->table[slot].id = 0;
    for (size_t next = (slot + 1) & mask; index->table[next].id; next = (next + 1) & mask) {
        struct place moved = index->table[next];
        index->table[next].id = 0;
        index->table[slot_of(index, moved.id)] = moved;
    }
}

/* ---- rows ---- */

static struct segment *segment_new(const struct vector_index *index)
{
    struct segment *segment = calloc(1, sizeof(*segment));
    size_t          bytes = (size_t)SEGMENT_ROWS * index->stride * sizeof(float);

    if (segment)
        segment->vectors = aligned_alloc(KERNEL_ALIGNMENT, bytes);
    if (!segment || !segment->vectors) {
        free(segment);
        return NULL;
    }
    memset(segment->vectors, 0, bytes);
    return segment;
}

bool vector_index_reserve(struct vector_index *index, size_t rows)
{
    size_t fresh = rows > index->free_count ? rows - index->free_count : 0;

    if (index->rows_used + fresh > UINT32_MAX || !table_reserve(index, index->live + rows))
        return false;
    while (index->segment_count * SEGMENT_ROWS < index->rows_used + fresh) {
        if (index->segment_count == index->segment_capacity) {
            size_t           capacity = index->segment_capacity ? index->segment_capacity * 2 : 8;
            struct segment **grown = realloc(index->segments, capacity * sizeof(*grown));
            if (!grown)
                return false;
            index->segments = grown;
            index->segment_capacity = capacity;
        }
        index->segments[index->segment_count] = segment_new(index);
        if (!index->segments[index->segment_count])
            return false;
        index->segment_count++;
        /* Removing must not fail, so there is room for every row on the list of the free ones. */
        if (index->free_capacity < index->segment_count * SEGMENT_ROWS) {
            uint32_t *list = realloc(index->free_rows,
                                     index->segment_count * SEGMENT_ROWS * sizeof(*list));
            if (!list)
                return false;
            index->free_rows = list;
            index->free_capacity = index->segment_count * SEGMENT_ROWS;
        }
    }
    return true;
}

void vector_index_add(struct vector_index *index, uint64_t id, const float *vector)
{
    size_t          slot = slot_of(index, id);
    uint32_t        row;
    struct segment *segment;

    if (index->table[slot].id == id) {
        row = index->table[slot].row;
    } else {
        row = index->free_count ? index->free_rows[--index->free_count]
                                : (uint32_t)index->rows_used++;
        index->table[slot] = (struct place){ id, row };
        index->live++;
    }
    segment = index->segments[row / SEGMENT_ROWS];
    memcpy(segment->vectors + (size_t)(row % SEGMENT_ROWS) * index->stride, vector,
           index->dimensions * sizeof(float));
    segment->ids[row % SEGMENT_ROWS] = id;
}

bool vector_index_remove(struct vector_index *index, uint64_t id)
{
    size_t   slot;
    uint32_t row;

    if (!index->live)
        return false;
    slot = slot_of(index, id);
    if (index->table[slot].id != id)
        return false;
    row = index->table[slot].row;
    index->segments[row / SEGMENT_ROWS]->ids[row % SEGMENT_ROWS] = 0;
    index->free_rows[index->free_count++] = row;
    table_remove(index, slot);
    index->live--;
    return true;
}

/* ---- search ---- */

static bp_status scan_all(bp_call *call, const struct vector_index *index, const float *query,
                          struct best *best)
{
    float scores[SCORES_AT_ONCE];

    for (size_t first = 0; first < index->rows_used; first += SEGMENT_ROWS) {
        const struct segment *segment = index->segments[first / SEGMENT_ROWS];
        size_t rows = index->rows_used - first < SEGMENT_ROWS ? index->rows_used - first
                                                              : SEGMENT_ROWS;

        BP_TRY(bp_cancelled(call));
        for (size_t at = 0; at < rows; at += SCORES_AT_ONCE) {
            uint32_t count = (uint32_t)(rows - at < SCORES_AT_ONCE ? rows - at : SCORES_AT_ONCE);
            index->score(query, segment->vectors + at * index->stride, index->stride, count,
                         scores);
            for (uint32_t i = 0; i < count; i++)
                if (segment->ids[at + i])
                    best_offer(best, segment->ids[at + i], scores[i]);
        }
    }
    return BP_OK;
}

static bp_status scan_allowed(bp_call *call, const struct vector_index *index,
                              const struct vector_query *wanted, const float *query,
                              struct best *best, uint64_t *rows_read)
{
    for (size_t i = 0; i < wanted->allowed_count && index->live; i++) {
        size_t slot = slot_of(index, wanted->allowed[i]);
        float  score;

        if (i % SEGMENT_ROWS == 0)
            BP_TRY(bp_cancelled(call));
        if (index->table[slot].id == 0)
            continue;
        index->score(query,
                     index->segments[index->table[slot].row / SEGMENT_ROWS]->vectors +
                         (size_t)(index->table[slot].row % SEGMENT_ROWS) * index->stride,
                     index->stride, 1, &score);
        best_offer(best, wanted->allowed[i], score);
        ++*rows_read;
    }
    return BP_OK;
}

bp_status vector_index_search(bp_call *call, const struct vector_index *index,
                              const struct vector_query *wanted, bp_hit *hits, uint32_t *hit_count,
                              uint64_t *rows_read)
{
    struct best best = { hits, 0, wanted->limit };
    float      *query = aligned_alloc(KERNEL_ALIGNMENT, index->stride * sizeof(float));
    bp_status   status;

    if (!query)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a query of %u dimensions",
                       index->dimensions);
    memset(query, 0, index->stride * sizeof(float));
    memcpy(query, wanted->vector, index->dimensions * sizeof(float));
    *rows_read = 0;
    if (wanted->allowed) {
        status = scan_allowed(call, index, wanted, query, &best, rows_read);
    } else {
        status = scan_all(call, index, query, &best);
        *rows_read = index->live;
    }
    free(query);
    if (status != BP_OK)
        return bp_fail(call, status, "the search was given up: %s", bp_status_text(status));
    best_sort(hits, best.count);
    *hit_count = best.count;
    return BP_OK;
}
