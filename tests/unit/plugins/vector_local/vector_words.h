/* vector_words.h - what a vector store finds, lists and copies, as texts, and four points with a
 * fifth that has words alone. */
#ifndef VECTOR_WORDS_H
#define VECTOR_WORDS_H

#include "plugins/vector_local/vector_file.h"

/* "1 0.5000, 2 0.2500 (exact, 3 rows)" */
static inline const char *leg_of(const bp_leg *leg)
{
    static const char *const modes[] = { "none", "exact", "graph", "filtered", "remote" };
    bp_buf                  *buf = bp_buf_new(call, 1 << 16);

    for (uint32_t i = 0; i < leg->hit_count; i++)
        bp_buf_addf(buf, "%llu %.4f, ", (unsigned long long)leg->hits[i].id, leg->hits[i].score);
    bp_buf_addf(buf, "(%s, %llu rows)", modes[leg->mode], (unsigned long long)leg->rows_read);
    return bp_buf_str(buf).data;
}

static inline const char *found(const char *name, const float *vector, const char *words,
                                const bp_filter *filter, uint32_t limit)
{
    struct legs legs;
    bp_status   status = find(name, vector, vector ? 2 : 0, words, filter, limit, &legs);

    if (status != BP_OK)
        return told(status);
    return bp_format(call, "%s %s", leg_of(&legs.vector), leg_of(&legs.words)).data;
}

static const float east[] = { 1, 0 }, north[] = { 0, 2 }, both[] = { 3, 4 }, west[] = { -1, 0 };

static inline void put_four(const char *name)
{
    assert_ok(put(name, 1, east, "moss grows", "{\"n\":1,\"t\":\"a\"}"));
    assert_ok(put(name, 2, north, "moss and ivy", "{\"n\":2}"));
    assert_ok(put(name, 3, both, "ferns", "{\"n\":3,\"l\":[\"x\",7,true]}"));
    assert_ok(put(name, 4, west, "", ""));
    assert_ok(put(name, 5, NULL, "ivy only", "{\"n\":-1.5}"));
}

static inline const char *listed(void)
{
    const bp_vector_info *infos;
    size_t                count;
    bp_buf               *buf = bp_buf_new(call, 1 << 16);

    assert_ok(ops->list(call, self, &infos, &count));
    for (size_t i = 0; i < count; i++)
        bp_buf_addf(buf, BP_FMT " " BP_FMT " " BP_FMT " %u %u %llu %d %s;", BP_ARG(infos[i].name),
                    BP_ARG(infos[i].model), BP_ARG(infos[i].language), infos[i].dimensions,
                    infos[i].metric, (unsigned long long)infos[i].count,
                    infos[i].is_count_estimated, infos[i].memory_bytes > 0 ? "some" : "none");
    return bp_buf_str(buf).data ? bp_buf_str(buf).data : "";
}

static inline bp_status note_point(bp_call *of, void *arg, const bp_point *point)
{
    (void)of;
    bp_buf_addf(arg, "%llu %.3g,%.3g '" BP_FMT "' " BP_FMT ";", (unsigned long long)point->id,
                point->vector ? (double)point->vector[0] : 0,
                point->vector ? (double)point->vector[1] : 0, BP_ARG(point->words),
                BP_ARG(point->metadata));
    return BP_OK;
}

static inline const char *scrolled(uint64_t after, uint32_t limit, const bp_filter *filter)
{
    bp_buf             *buf = bp_buf_new(call, 1 << 16);
    const bp_point_sink sink = { .struct_size = sizeof(sink), .point = note_point, .self = buf };
    bp_status           status = ops->scroll(call, self, BP_STR("c"), filter, after, limit, &sink);

    if (status != BP_OK)
        return told(status);
    return bp_buf_str(buf).data ? bp_buf_str(buf).data : "";
}

static inline bp_status note_bytes(bp_call *of, void *arg, bp_str bytes)
{
    (void)of;
    bp_buf_add(arg, bytes);
    return BP_OK;
}

#endif
