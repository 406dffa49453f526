/* join.c - texts of several calls, run over the network together.
 *
 *      call A   ticket --> queue --> job on a thread: takes its ticket, and those behind it that fit
 *      call B   ticket ----^         one run; each ticket gets its vectors, its call is woken
 *      call C   ticket ----^         B's and C's own jobs find nothing to do
 *
 * Nobody waits for company: a ticket is run as soon as a thread is free, and only those join that
 * waited for one anyway. Who is first in the queue is never passed over by his own job, so a text
 * that fits nobody is not put off. Tickets hold copies of all they need: the call behind one may be
 * over before the run is.
 */
#include "join.h"

#include <pthread.h>
#include <stdlib.h>

enum { MESSAGE_BYTES = 640, PADDING_PART = 4, PADDING_FREE_TOKENS = 64 };

enum ticket_state { TICKET_WAITS, TICKET_RUNS, TICKET_IS_DONE };

struct ticket {
    struct ticket    *next;
    enum ticket_state state;
    bool              is_abandoned; /* its call is gone: who runs it frees it */
    bool              was_joined;
    bp_waker         *waker;
    int32_t          *ids; /* `longest` a text */
    uint32_t         *lengths;
    size_t            count, longest, tokens;
    float            *vectors;
    uint64_t          cells;
    bp_status         status;
    char              message[MESSAGE_BYTES];
};

struct join {
    const struct model *model;
    uint32_t            threads;
    pthread_mutex_t     lock;
    struct ticket      *first, **last;
    size_t              waiting; /* texts */
};

struct join *join_new(const struct model *model, uint32_t threads)
{
    struct join *join = calloc(1, sizeof(*join));

    if (!join)
        return NULL;
    join->model = model;
    join->threads = threads;
    join->last = &join->first;
    pthread_mutex_init(&join->lock, NULL);
    return join;
}

void join_free(struct join *join)
{
    if (!join)
        return;
    pthread_mutex_destroy(&join->lock);
    free(join);
}

/* ---- tickets ---- */

static void ticket_free(struct ticket *ticket)
{
    free(ticket->ids);
    free(ticket->lengths);
    free(ticket->vectors);
    free(ticket);
}

static struct ticket *ticket_new(const struct model *model, const struct model_batch *batch)
{
    struct ticket *ticket = calloc(1, sizeof(*ticket));

    if (!ticket)
        return NULL;
    ticket->count = batch->count;
    ticket->longest = 1;
    for (size_t i = 0; i < batch->count; i++) {
        ticket->tokens += batch->lengths[i];
        ticket->longest = batch->lengths[i] > ticket->longest ? batch->lengths[i] : ticket->longest;
    }
    ticket->ids = malloc(ticket->count * ticket->longest * sizeof(*ticket->ids));
    ticket->lengths = malloc(ticket->count * sizeof(*ticket->lengths));
    ticket->vectors = malloc(ticket->count * model->dimensions * sizeof(*ticket->vectors));
    if (!ticket->ids || !ticket->lengths || !ticket->vectors) {
        ticket_free(ticket);
        return NULL;
    }
    for (size_t i = 0; i < batch->count; i++) {
        ticket->lengths[i] = batch->lengths[i];
        memcpy(ticket->ids + i * ticket->longest, batch->ids + i * batch->stride,
               batch->lengths[i] * sizeof(*ticket->ids));
    }
    return ticket;
}

static void append(struct join *join, struct ticket *ticket)
{
    *join->last = ticket;
    join->last = &ticket->next;
    join->waiting += ticket->count;
}

static void unlink_at(struct join *join, struct ticket **place)
{
    struct ticket *ticket = *place;

    *place = ticket->next;
    if (join->last == &ticket->next)
        join->last = place;
    ticket->next = NULL;
    join->waiting -= ticket->count;
}

static void unlink_ticket(struct join *join, const struct ticket *ticket)
{
    struct ticket **place = &join->first;

    while (*place != ticket)
        place = &(*place)->next;
    unlink_at(join, place);
}

/* ---- who goes together ---- */

struct company {
    struct ticket *first, **last;
    size_t         count, longest, tokens;
};

static void add(struct company *company, struct ticket *ticket)
{
    ticket->state = TICKET_RUNS;
    *company->last = ticket;
    company->last = &ticket->next;
    company->count += ticket->count;
    company->tokens += ticket->tokens;
    company->longest = ticket->longest > company->longest ? ticket->longest : company->longest;
}

/* Padding costs as much as tokens do: a quarter of it is worth a run that is saved, and
 * so is a little. */
static bool fits(const struct company *company, const struct ticket *ticket)
{
    size_t count = company->count + ticket->count, tokens = company->tokens + ticket->tokens;
    size_t longest = ticket->longest > company->longest ? ticket->longest : company->longest;
    size_t cells = count * longest;

    return count <= BATCH_TEXTS && cells <= BATCH_TOKENS &&
           (cells - tokens <= cells / PADDING_PART || cells - tokens <= PADDING_FREE_TOKENS);
}

/* `own`, and those that waited with it, the first ones first. Not more than one thread's share:
 * others are soon free.
 */
static void gather(struct join *join, struct ticket *own, struct company *company)
{
    size_t share = (join->waiting + join->threads - 1) / join->threads;

    unlink_ticket(join, own);
    add(company, own);
    for (struct ticket **place = &join->first; *place && company->count < share;) {
        struct ticket *ticket = *place;

        if (!fits(company, ticket)) {
            place = &ticket->next;
            continue;
        }
        unlink_at(join, place);
        add(company, ticket);
    }
}

/* ---- a run, on a thread of the pool ---- */

static bp_status run_one(bp_call *call, const struct model *model, struct ticket *ticket)
{
    uint32_t           order[BATCH_TEXTS];
    struct model_batch batch = { .ids = ticket->ids,
                                 .lengths = ticket->lengths,
                                 .order = order,
                                 .stride = ticket->longest,
                                 .count = ticket->count,
                                 .vectors = ticket->vectors };

    for (uint32_t i = 0; i < ticket->count; i++)
        order[i] = i;
    ticket->cells = ticket->count * ticket->longest;
    ticket->status = model_run(call, model, &batch);
    if (ticket->status != BP_OK)
        snprintf(ticket->message, sizeof(ticket->message), BP_FMT,
                 BP_ARG(bp_error_of(call)->message));
    bp_clear_error(call);
    return ticket->status;
}

static bp_status run_together(bp_call *call, const struct model *model,
                              const struct company *company)
{
    uint32_t           lengths[BATCH_TEXTS], order[BATCH_TEXTS];
    size_t             width = company->longest, row = 0;
    int32_t           *ids = malloc(company->count * width * sizeof(*ids));
    float             *vectors = malloc(company->count * model->dimensions * sizeof(*vectors));
    struct model_batch batch = { .ids = ids,
                                 .lengths = lengths,
                                 .order = order,
                                 .stride = width,
                                 .count = company->count,
                                 .vectors = vectors };
    bp_status          status = ids && vectors ? BP_OK : BP_NO_MEMORY;

    for (struct ticket *ticket = company->first; ticket && status == BP_OK; ticket = ticket->next) {
        for (size_t i = 0; i < ticket->count; i++, row++) {
            order[row] = (uint32_t)row;
            lengths[row] = ticket->lengths[i];
            memcpy(ids + row * width, ticket->ids + i * ticket->longest,
                   lengths[row] * sizeof(*ids));
        }
    }
    if (status == BP_OK)
        status = model_run(call, model, &batch);
    row = 0;
    for (struct ticket *ticket = company->first; ticket && status == BP_OK; ticket = ticket->next) {
        memcpy(ticket->vectors, vectors + row * model->dimensions,
               ticket->count * model->dimensions * sizeof(*vectors));
        row += ticket->count;
        ticket->cells = ticket->count * width;
        ticket->was_joined = true;
    }
    free(ids);
    free(vectors);
    bp_clear_error(call);
    return status;
}

/* From here on the ticket is its call's again, or nobody's. */
static void hand_back(struct join *join, struct company *company)
{
    pthread_mutex_lock(&join->lock);
    for (struct ticket *ticket = company->first, *next; ticket; ticket = next) {
        next = ticket->next;
        ticket->state = TICKET_IS_DONE;
        if (ticket->is_abandoned)
            ticket_free(ticket);
        else
            bp_wake(ticket->waker);
    }
    pthread_mutex_unlock(&join->lock);
}

struct turn {
    struct join   *join;
    struct ticket *ticket;
};

static bp_status take_turn(bp_call *call, void *arg)
{
    const struct turn *turn = arg;
    struct join       *join = turn->join;
    struct company     company = { .last = &company.first };

    pthread_mutex_lock(&join->lock);
    if (turn->ticket->state == TICKET_WAITS)
        gather(join, turn->ticket, &company);
    pthread_mutex_unlock(&join->lock);
    if (!company.count)
        return BP_OK; // it went with another one
    // A mistake of one text is not to be the others' trouble: then each is run for itself.
    if (!company.first->next || run_together(call, join->model, &company) != BP_OK)
        for (struct ticket *ticket = company.first; ticket; ticket = ticket->next)
            run_one(call, join->model, ticket);
    hand_back(join, &company);
    return BP_OK;
}

/* ---- a call ---- */

static bool is_done(struct join *join, const struct ticket *ticket)
{
    bool is;

    pthread_mutex_lock(&join->lock);
    is = ticket->state == TICKET_IS_DONE;
    pthread_mutex_unlock(&join->lock);
    return is;
}

/* The ticket is freed here, or by the thread that is at it. */
static void give_up(struct join *join, struct ticket *ticket)
{
    bool is_mine;

    pthread_mutex_lock(&join->lock);
    if (ticket->state == TICKET_WAITS)
        unlink_ticket(join, ticket);
    is_mine = ticket->state != TICKET_RUNS;
    ticket->is_abandoned = true;
    pthread_mutex_unlock(&join->lock);
    if (is_mine)
        ticket_free(ticket);
}

static bp_status take_result(bp_call *call, const struct model *model, const struct ticket *ticket,
                             const struct model_batch *batch, struct join_cost *cost)
{
    *cost = (struct join_cost){ .cells = ticket->cells, .was_joined = ticket->was_joined };
    if (ticket->status != BP_OK)
        return bp_fail(call, ticket->status, "%s", ticket->message);
    memcpy(batch->vectors, ticket->vectors,
           ticket->count * model->dimensions * sizeof(*batch->vectors));
    return BP_OK;
}

bp_status join_run(bp_call *call, struct join *join, bp_pool *pool, const struct model_batch *batch,
                   struct join_cost *cost)
{
    struct ticket *ticket = ticket_new(join->model, batch);
    bp_waker      *waker = ticket ? bp_waker_new(call) : NULL;
    struct turn    turn = { join, ticket };
    bp_status      status;

    if (!waker) {
        if (ticket)
            ticket_free(ticket);
        return bp_fail(call, BP_NO_MEMORY, "no memory for %zu texts", batch->count);
    }
    ticket->waker = waker;
    pthread_mutex_lock(&join->lock);
    append(join, ticket);
    pthread_mutex_unlock(&join->lock);
    status = bp_offload(call, pool, take_turn, &turn);
    while (status == BP_OK && !is_done(join, ticket))
        status = bp_wait(call, waker, BP_FOREVER, "a batch of texts");
    if (status == BP_OK) {
        status = take_result(call, join->model, ticket, batch, cost);
        ticket_free(ticket);
    } else {
        give_up(join, ticket);
    }
    bp_waker_free(waker);
    return status;
}
