/* kernel.c - the inner product and the distance of a query to rows, for AVX2 and for any processor.
 *
 * Written with the vector types that gcc and clang share: the same text becomes SSE, NEON or AVX2
 * code. Two sums run side by side, which is enough, as one thread's memory bandwidth is what bounds
 * a scan.
 */
#include "nearest/kernel.h"

#include <math.h>

typedef float lanes __attribute__((vector_size(32), aligned(32)));

static inline __attribute__((always_inline)) float sum_of(const lanes *a, const lanes *b)
{
    lanes all = *a + *b;
    return ((all[0] + all[4]) + (all[1] + all[5])) + ((all[2] + all[6]) + (all[3] + all[7]));
}

static inline __attribute__((always_inline)) void
inner_product(const float *query, const float *rows, uint32_t stride, uint32_t count, float *scores)
{
    const lanes *q = (const lanes *)(const void *)query;

    for (uint32_t i = 0; i < count; i++) {
        const lanes *row = (const lanes *)(const void *)(rows + (uint64_t)i * stride);
        lanes        even = { 0 }, odd = { 0 };
        for (uint32_t k = 0; k < stride / 8; k += 2) {
            even += q[k] * row[k];
            odd += q[k + 1] * row[k + 1];
        }
        scores[i] = sum_of(&even, &odd);
    }
}

static inline __attribute__((always_inline)) void negated_distance(const float *query,
                                                                   const float *rows,
                                                                   uint32_t stride, uint32_t count,
                                                                   float *scores)
{
    const lanes *q = (const lanes *)(const void *)query;

    for (uint32_t i = 0; i < count; i++) {
        const lanes *row = (const lanes *)(const void *)(rows + (uint64_t)i * stride);
        lanes        even = { 0 }, odd = { 0 };
        for (uint32_t k = 0; k < stride / 8; k += 2) {
            lanes a = q[k] - row[k], b = q[k + 1] - row[k + 1];
            even += a * a;
            odd += b * b;
        }
        scores[i] = -sqrtf(sum_of(&even, &odd));
    }
}

void kernel_inner_product_plain(const float *query, const float *rows, uint32_t stride,
                                uint32_t count, float *scores)
{
    inner_product(query, rows, stride, count, scores);
}

void kernel_negated_distance_plain(const float *query, const float *rows, uint32_t stride,
                                   uint32_t count, float *scores)
{
    negated_distance(query, rows, stride, count, scores);
}

#if defined(__x86_64__)

__attribute__((target("avx2,fma"))) static void inner_product_avx2(const float *query,
                                                                   const float *rows,
                                                                   uint32_t stride, uint32_t count,
                                                                   float *scores)
{
    inner_product(query, rows, stride, count, scores);
}

__attribute__((target("avx2,fma"))) static void negated_distance_avx2(const float *query,
                                                                      const float *rows,
                                                                      uint32_t     stride,
                                                                      uint32_t count, float *scores)
{
    negated_distance(query, rows, stride, count, scores);
}

static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

kernel kernel_inner_product(void)
{
    return has_avx2() ? inner_product_avx2 : kernel_inner_product_plain;
}
kernel kernel_negated_distance(void)
{
    return has_avx2() ? negated_distance_avx2 : kernel_negated_distance_plain;
}

#else

kernel kernel_inner_product(void)
{
    return kernel_inner_product_plain;
}
kernel kernel_negated_distance(void)
{
    return kernel_negated_distance_plain;
}

#endif
