/* kernel.h - the innermost loops of a scan: one query against rows of float32, as wide as the
 * processor is. */
#ifndef NEAREST_KERNEL_H
#define NEAREST_KERNEL_H

#include <stdint.h>

enum {
    KERNEL_LANES = 16,    /* rows are padded with zeros to a multiple of this many floats */
    KERNEL_ALIGNMENT = 64 /* of every row and of the query, in bytes */
};

/* scores[i] of `count` rows that lie `stride` floats apart; `stride` is a multiple of KERNEL_LANES.
 */
typedef void (*kernel)(const float *query, const float *rows, uint32_t stride, uint32_t count,
                       float *scores);

/* The inner product, or the negated Euclidean distance, for this processor. */
kernel kernel_inner_product(void);
kernel kernel_negated_distance(void);

/* The plain ones, to test the others against. */
void kernel_inner_product_plain(const float *query, const float *rows, uint32_t stride,
                                uint32_t count, float *scores);
void kernel_negated_distance_plain(const float *query, const float *rows, uint32_t stride,
                                   uint32_t count, float *scores);

#endif
