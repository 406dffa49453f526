/* points.c - reads the points of a collection in pages, by rising id, and copies them. */
#include "base/str.h"
#include "transfer/parts.h"

enum { PAGE_BYTES_MAX = 32 << 20 };

static bp_status keep_point(bp_call *call, void *self, const bp_point *point)
{
    struct transfer_points *page = self;
    bp_point               *kept = &page->points[page->count];
    size_t                  vector_bytes = sizeof(float) * page->dimensions;
    float                  *vector = point->vector ? bp_alloc(call, vector_bytes) : NULL;

    page->bytes += vector_bytes + point->words.len + point->metadata.len;
    page->is_over = page->count > 0 && page->bytes > PAGE_BYTES_MAX;
    if (page->is_over)
        return call_fail(call, BP_TOO_LARGE, "a page of points is larger than it should be");
    *kept = (bp_point){ .struct_size = sizeof(*kept), .id = point->id, .vector = vector };
    kept->words = bp_dup(call, point->words);
    kept->metadata = bp_dup(call, point->metadata);
    if ((point->vector && !vector) || (point->words.len && !kept->words.data))
        return call_fail(call, BP_NO_MEMORY, "no memory for a page of points");
    if (vector)
        memcpy(vector, point->vector, vector_bytes);
    page->count++;
    return BP_OK;
}

/* Points behind `after`, at most *limit, which shrinks when they are large. */
bp_status transfer_points_read(bp_call *call, const bp_peer *store,
                               const struct transfer_item *item, uint64_t after, uint32_t *limit,
                               struct transfer_points *page)
{
    for (;; *limit = *limit / 4 ? *limit / 4 : 1) {
        const bp_point_sink sink = { .struct_size = sizeof(sink),
                                     .point = keep_point,
                                     .self = page };
        bp_status           status;

        *page = (struct transfer_points){ .dimensions = item->schema->dimensions };
        page->points = BP_NEW_ARRAY(call, bp_point, *limit);
        if (!page->points)
            return BP_NO_MEMORY;
        status = bp_vector_of(store)->scroll(call, store->instance, item->name, NULL, after, *limit,
                                             &sink);
        if (!page->is_over)
            return status;
        bp_clear_error(call);
        if (page->count)
            return BP_OK; // the points read are a page, too
    }
}

bp_status transfer_points_is_empty(bp_call *call, struct transfer_item *item, bool *is_empty)
{
    const bp_peer *to = transfer_to(item);
    uint64_t       count = 0;
    bp_status      status = bp_vector_of(to)->count(call, to->instance, item->name, NULL, &count);

    if (status == BP_NOT_FOUND) {
        bp_clear_error(call);
        status = BP_OK;
    }
    *is_empty = count == 0;
    return status;
}

bool transfer_points_is_sound(const bp_point *point)
{
    return transfer_rows_is_text(point->words) && transfer_rows_is_text(point->metadata);
}

/* How many of the page's points are left, which no store refuses for its texts. Comparing names the
 * others. */
static uint32_t leave_out(struct transfer_points *page)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < page->count; i++)
        if (transfer_points_is_sound(&page->points[i]))
            page->points[count++] = page->points[i];
    return count;
}

static bp_status copy_page(bp_call *call, struct transfer *t, struct transfer_item *item,
                           uint64_t *after, uint32_t *limit, uint32_t *copied)
{
    struct transfer_points page;
    bp_status              status;
    uint32_t               count;
    uint64_t               last;

    BP_TRY(transfer_points_read(call, transfer_from(item), item, *after, limit, &page));
    *copied = page.count;
    if (!page.count)
        return BP_OK;
    last = page.points[page.count - 1].id;
    count = t->is_leaving_out ? leave_out(&page) : page.count;
    status = count ? bp_vector_upsert(call, transfer_to(item), item->name, page.points, count)
                   : BP_OK;
    if (status != BP_OK)
        return call_fail(call, status,
                         BP_FMT ": the points from %llu to %llu cannot be written: " BP_FMT "%s",
                         BP_ARG(item->label), (unsigned long long)page.points[0].id,
                         (unsigned long long)last, BP_ARG(bp_dup(call, bp_error_of(call)->message)),
                         status == BP_INVALID && !t->is_leaving_out
                             ? "; --leave-out goes on without refused points, and lists them"
                             : "");
    *after = last;
    item->moved += count;
    item->moved_now += count;
    buf_reset(&item->position);
    buf_addf(&item->position, "%llu", (unsigned long long)*after);
    return transfer_write_book(call, item, false);
}

bp_status transfer_points_copy(bp_call *call, struct transfer *t, struct transfer_item *item)
{
    const bp_peer   *to = transfer_to(item);
    bp_vector_schema schema = { .struct_size = sizeof(schema),
                                .dimensions = item->schema->dimensions,
                                .metric = item->schema->metric,
                                .model = item->schema->model,
                                .language = item->schema->language };
    uint64_t         after = 0;
    uint32_t         copied = 1, limit = TRANSFER_PAGE_MAX;
    bp_status        status;

    if (item->position.len && !str_to_uint(buf_str(&item->position), &after))
        return call_fail(call, BP_DATA,
                         "the progress of " BP_FMT
                         " in backplane_migration cannot be read: empty the target and start again",
                         BP_ARG(item->label));
    BP_TRY(bp_vector_owner_of(call, transfer_from(item), item->name, &schema.owner));
    BP_TRY(bp_vector_of(to)->create(call, to->instance, item->name, &schema));
    transfer_progress_begin(t, item->label.data, (int64_t)item->schema->count);
    transfer_progress_step(t, item->moved);
    status = transfer_check_stop(call, t);
    while (status == BP_OK && copied) {
        status = bp_scratch_begin(call);
        if (status == BP_OK) {
            status = copy_page(call, t, item, &after, &limit, &copied);
            bp_scratch_end(call);
        }
        transfer_progress_step(t, copied);
        if (status == BP_OK)
            status = transfer_check_stop(call, t);
    }
    if (item->moved)
        transfer_progress_end(t);
    return status;
}
