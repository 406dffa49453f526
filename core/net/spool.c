/* spool.c - a body that comes in while its client is slow. */
#include "net/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool spool_room_init(struct spool_room *room, size_t client_bytes_max, size_t all_bytes_max)
{
    room->shares = shares_new(client_bytes_max, all_bytes_max);
    room->held = metrics_single(METRIC_GAUGE, "http_bodies_incoming_bytes",
                                "Bytes received of request bodies that are still arriving.");
    return room->shares != NULL;
}

void spool_room_free(struct spool_room *room)
{
    shares_free(room->shares);
    room->shares = NULL;
}

void spool_init(struct spool *spool, struct bp_pool *pool, size_t max_bytes,
                struct spool_room *room, uint64_t client)
{
    *spool = (struct spool){ .pool = pool, .fd = -1, .room = room };
    memcpy(spool->client, &client, sizeof(client));
    buf_init(&spool->memory, NULL, max_bytes);
}

void spool_free(struct spool *spool)
{
    buf_free(&spool->memory);
    shares_give(spool->room->shares, spool->client, spool->counted);
    metric_add(spool->room->held, -(double)spool->counted);
    if (spool->fd >= 0)
        close(spool->fd);
}

static int open_unlinked(void)
{
    const char *folder = getenv("TMPDIR");
    char        path[4096];
    int         fd;

    if (!folder || !*folder)
        folder = "/tmp";
    fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    if (fd >= 0 ||
        snprintf(path, sizeof(path), "%s/backplane-body-XXXXXX", folder) >= (int)sizeof(path))
        return fd;
    fd = mkostemp(path, O_CLOEXEC); // a file system that has no files without a name
    if (fd >= 0)
        unlink(path);
    return fd;
}

static bp_status write_out(bp_call *call, void *arg)
{
    struct spool *spool = arg;
    size_t        at = 0;

    if (spool->fd < 0)
        spool->fd = open_unlinked();
    spool->has_no_file = spool->fd < 0;
    while (!spool->has_no_file && at < spool->memory.len) {
        ssize_t done = pwrite(spool->fd, spool->memory.data + at, spool->memory.len - at,
                              (off_t)(spool->written + at));

        if (done > 0)
            at += (size_t)done;
        else if (done == 0 || errno != EINTR)
            return call_fail(call, BP_UNAVAILABLE,
                             "there is no room for the file that a long request body waits in");
    }
    return BP_OK;
}

bp_status spool_count(bp_call *call, struct spool *spool, size_t bytes)
{
    switch (shares_take(spool->room->shares, spool->client, bytes)) {
    case SHARE_TAKEN:
        spool->counted += bytes;
        metric_add(spool->room->held, (double)bytes);
        return BP_OK;
    case SHARE_OWN_IS_FULL:
        return call_fail(call, BP_LIMIT,
                         "this client already sends %zu bytes of request bodies, the limit of one "
                         "client: send them one after the other",
                         shares_of(spool->room->shares, spool->client));
    default:
        return call_fail(call, BP_UNAVAILABLE,
                         "incoming request bodies fill the limit of the server: try again in a few "
                         "seconds");
    }
}

bp_status spool_add(bp_call *call, struct spool *spool, bp_str piece)
{
    BP_TRY(spool_count(call, spool, piece.len));
    buf_add(&spool->memory, piece);
    if (buf_status(&spool->memory) != BP_OK)
        return call_fail(call, BP_NO_MEMORY,
                         "there is no memory for a request body of more than %llu bytes",
                         (unsigned long long)(spool->written + spool->memory.len));
    if (spool->memory.len < SPOOL_MEMORY_BYTES || !spool->pool || spool->has_no_file)
        return BP_OK;
    BP_TRY(pool_offload(call, spool->pool, write_out, spool));
    if (spool->has_no_file)
        return BP_OK;
    spool->written += spool->memory.len;
    buf_reset(&spool->memory);
    return BP_OK;
}

struct taking {
    struct spool *spool;
    char         *to;
};

static bp_status read_back(bp_call *call, void *arg)
{
    struct taking *taking = arg;

    for (uint64_t at = 0; at < taking->spool->written;) {
        ssize_t done = pread(taking->spool->fd, taking->to + at, taking->spool->written - at,
                             (off_t)at);

        if (done > 0)
            at += (uint64_t)done;
        else if (done == 0 || errno != EINTR)
            return call_fail(call, BP_UNAVAILABLE,
                             "the file that a long request body waited in cannot be read");
    }
    return BP_OK;
}

bp_status spool_take(bp_call *call, struct spool *spool, struct arena *arena, bp_str *body)
{
    size_t        len = (size_t)spool->written + spool->memory.len;
    struct taking taking = { spool, arena_alloc(arena, len + 1) };

    if (!taking.to)
        return call_fail(call, BP_NO_MEMORY, "there is no memory for a request body of %zu bytes",
                         len);
    if (spool->written)
        BP_TRY(pool_offload(call, spool->pool, read_back, &taking));
    if (spool->memory.len)
        memcpy(taking.to + spool->written, spool->memory.data, spool->memory.len);
    taking.to[len] = '\0';
    *body = (bp_str){ taking.to, len };
    return BP_OK;
}
