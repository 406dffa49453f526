/* commits.c - the walk through commits: the newest first, each once, as git does it.
 *
 *      queue, by date --next--> commit --its parents, unless seen--> queue
 *
 * A shallow clone ends before its history does: the commits at its end name parents that are not
 * there, and git's file `shallow` lists them. Here they have no parents. (git_revwalk of
 * libgit2 1.5 does not know that file, which is why there is a walk of our own, and for such clones
 * whatever it builds on it.)
 */
#include "git.h"

#include <stdlib.h>

enum { SHALLOW_BYTES_MAX = 16 << 20 };

/* ---- the end of a shallow clone ---- */

static int by_id(const void *a, const void *b)
{
    return git_oid_cmp(a, b);
}

bp_status commits_read_shallow(struct git_job *job, bp_str common)
{
    bp_str    path = bp_format(job->call, BP_FMT "/shallow", BP_ARG(common)), text;
    bp_status status = path.data ? repository_read_file(job, path.data, SHALLOW_BYTES_MAX, &text)
                                 : BP_NO_MEMORY;

    if (status == BP_NOT_FOUND)
        return BP_OK;
    BP_TRY(status);
    job->shallow = BP_NEW_ARRAY(job->call, git_oid, text.len / GIT_OID_HEXSZ + 1);
    if (!job->shallow)
        return BP_NO_MEMORY;
    for (size_t at = 0; at + GIT_OID_HEXSZ <= text.len; at += GIT_OID_HEXSZ + 1)
        job->shallow_count += git_oid_fromstrn(&job->shallow[job->shallow_count], text.data + at,
                                               GIT_OID_HEXSZ) == 0;
    qsort(job->shallow, job->shallow_count, sizeof(git_oid), by_id);
    return BP_OK;
}

bool commit_is_end(const struct git_job *job, const git_oid *id)
{
    return job->shallow_count &&
           bsearch(id, job->shallow, job->shallow_count, sizeof(git_oid), by_id);
}

int commit_first_parent(const struct git_job *job, git_commit *commit, git_commit **parent)
{
    *parent = NULL;
    if (!git_commit_parentcount(commit) || commit_is_end(job, git_commit_id(commit)))
        return 0;
    return git_commit_parent(parent, commit, 0);
}

/* ---- ids that were seen ---- */

struct oid_set {
    git_oid *slots; /* all zero: free */
    size_t   count, room;
};

static size_t slot_of(const struct oid_set *set, const git_oid *id)
{
    size_t slot;

    memcpy(&slot, id->id, sizeof(slot)); // ids are as good as random
    for (slot &= set->room - 1;
         !git_oid_is_zero(&set->slots[slot]) && !git_oid_equal(&set->slots[slot], id);)
        slot = (slot + 1) & (set->room - 1);
    return slot;
}

/* Whether it was new; *is_full: no memory. */
static bool oid_set_add(struct oid_set *set, const git_oid *id, bool *is_full)
{
    size_t slot;

    if (2 * set->count >= set->room) {
        struct oid_set larger = { NULL, set->count, set->room ? 2 * set->room : 256 };

        larger.slots = calloc(larger.room, sizeof(git_oid));
        if (!larger.slots) {
            *is_full = true;
            return false;
        }
        for (size_t i = 0; i < set->room; i++)
            if (!git_oid_is_zero(&set->slots[i]))
                larger.slots[slot_of(&larger, &set->slots[i])] = set->slots[i];
        free(set->slots);
        *set = larger;
    }
    slot = slot_of(set, id);
    if (!git_oid_is_zero(&set->slots[slot]))
        return false;
    set->slots[slot] = *id;
    set->count++;
    return true;
}

static bool oid_set_has(const struct oid_set *set, const git_oid *id)
{
    return set->room && git_oid_equal(&set->slots[slot_of(set, id)], id);
}

/* ---- the queue ---- */

struct queued {
    git_commit *commit;
    int64_t     when;
    uint64_t    number; /* of its coming: among equally old ones the first goes first */
};

struct commit_walk {
    struct git_job *job;
    struct queued  *queue; /* a heap */
    size_t          count, room;
    uint64_t        number;
    struct oid_set  seen;
    bool            met_end; /* of a shallow clone */
};

static bool goes_before(const struct queued *left, const struct queued *right)
{
    return left->when != right->when ? left->when > right->when : left->number < right->number;
}

static void exchange(struct queued *left, struct queued *right)
{
    struct queued kept = *left;

    *left = *right;
    *right = kept;
}

/* Takes the commit. */
static bool enqueue(struct commit_walk *walk, git_commit *commit)
{
    if (walk->count == walk->room) {
        size_t         room = walk->room ? 2 * walk->room : 64;
        struct queued *larger = realloc(walk->queue, room * sizeof(*larger));

        if (!larger) {
            git_commit_free(commit);
            return false;
        }
        walk->queue = larger;
        walk->room = room;
    }
    walk->queue[walk->count] = (struct queued){ commit, git_commit_time(commit), walk->number++ };
    for (size_t at = walk->count++; at && goes_before(&walk->queue[at], &walk->queue[(at - 1) / 2]);
         at = (at - 1) / 2)
        exchange(&walk->queue[at], &walk->queue[(at - 1) / 2]);
    return true;
}

static git_commit *dequeue(struct commit_walk *walk)
{
    git_commit *first = walk->queue[0].commit;

    walk->queue[0] = walk->queue[--walk->count];
    for (size_t at = 0;;) {
        size_t least = at;

        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < walk->count; child++)
            if (goes_before(&walk->queue[child], &walk->queue[least]))
                least = child;
        if (least == at)
            return first;
        exchange(&walk->queue[at], &walk->queue[least]);
        at = least;
    }
}

static bp_status push(struct commit_walk *walk, const git_oid *id)
{
    git_commit *commit = NULL;
    bool        is_full = false;
    int         code;

    if (!oid_set_add(&walk->seen, id, &is_full))
        return is_full ? bp_fail(walk->job->call, BP_NO_MEMORY, "no memory for the history")
                       : BP_OK;
    code = git_commit_lookup(&commit, walk->job->repo, id);
    if (code != 0)
        return job_fail(walk->job, code, "the history cannot be read");
    return enqueue(walk, commit)
               ? BP_OK
               : bp_fail(walk->job->call, BP_NO_MEMORY, "no memory for the history");
}

/* The next commit, which the caller frees; NULL at the end, and after an error. */
static bp_status next(struct commit_walk *walk, git_commit **commit)
{
    *commit = NULL;
    BP_TRY(job_goes_on(walk->job));
    if (!walk->count)
        return BP_OK;
    *commit = dequeue(walk);
    if (commit_is_end(walk->job, git_commit_id(*commit))) {
        walk->met_end = true;
        return BP_OK;
    }
    for (unsigned i = 0; i < git_commit_parentcount(*commit); i++) {
        bp_status status = push(walk, git_commit_parent_id(*commit, i));

        if (status != BP_OK) {
            git_commit_free(*commit);
            *commit = NULL;
            return status;
        }
    }
    return BP_OK;
}

static void walk_end(struct commit_walk *walk)
{
    while (walk->count)
        git_commit_free(walk->queue[--walk->count].commit);
    free(walk->queue);
    free(walk->seen.slots);
}

/* ---- the walks ---- */

/* Clocks of committers differ, so that one old commit does not end the search for those that are
 * not too old; so many in a row do. */
enum { OLD_IN_A_ROW_MAX = 100 };

static bp_status walk_on(struct commit_walk *walk, int64_t max_count, int64_t since, int64_t until,
                         bp_status (*each)(struct git_job *job, git_commit *commit, void *arg),
                         void *arg)
{
    int64_t count = 0, old_in_a_row = 0;

    while (old_in_a_row < OLD_IN_A_ROW_MAX) {
        git_commit *commit;
        bp_status   status = BP_OK;
        int64_t     when;

        if (count == max_count) {
            walk->job->has_more = walk->count > 0;
            return BP_OK;
        }
        BP_TRY(next(walk, &commit));
        if (!commit) {
            walk->job->ends_early = walk->met_end;
            return BP_OK;
        }
        when = git_commit_time(commit);
        old_in_a_row = when < since ? old_in_a_row + 1 : 0;
        if (when >= since && when <= until) {
            count++;
            status = each(walk->job, commit, arg);
        }
        git_commit_free(commit);
        BP_TRY(status);
        if (walk->job->is_enough) {
            walk->job->has_more = true;
            return BP_OK;
        }
    }
    return BP_OK;
}

bp_status history_walk(struct git_job *job, const git_oid *from, int64_t max_count, int64_t since,
                       int64_t until,
                       bp_status (*each)(struct git_job *job, git_commit *commit, void *arg),
                       void *arg)
{
    struct commit_walk walk = { .job = job };
    bp_status          status = push(&walk, from);

    if (status == BP_OK)
        status = walk_on(&walk, max_count, since, until, each, arg);
    walk_end(&walk);
    return status;
}

/* Fills `seen` with all that can be reached; ends early at `wanted`. */
static bp_status reach(struct git_job *job, const git_oid *from, const git_oid *wanted,
                       struct oid_set *seen, bool *is_found)
{
    struct commit_walk walk = { .job = job };
    bp_status          status = push(&walk, from);
    git_commit        *commit;

    while (status == BP_OK && !(wanted && oid_set_has(&walk.seen, wanted)) &&
           (status = next(&walk, &commit)) == BP_OK && commit)
        git_commit_free(commit);
    *is_found = wanted && oid_set_has(&walk.seen, wanted);
    if (seen) {
        *seen = walk.seen;
        walk.seen.slots = NULL;
    }
    walk_end(&walk);
    return status;
}

bool commits_reach(struct git_job *job, const git_oid *tip, const git_oid *commit)
{
    bool is_found = false;

    if (git_oid_equal(tip, commit))
        return true;
    if (!job->shallow_count)
        return git_graph_descendant_of(job->repo, tip, commit) == 1;
    return reach(job, tip, commit, NULL, &is_found) == BP_OK && is_found;
}

static size_t count_missing(const struct oid_set *in, const struct oid_set *from)
{
    size_t count = 0;

    for (size_t i = 0; i < in->room; i++)
        count += !git_oid_is_zero(&in->slots[i]) && !oid_set_has(from, &in->slots[i]);
    return count;
}

bool commits_ahead_behind(struct git_job *job, const git_oid *own, const git_oid *theirs,
                          size_t *ahead, size_t *behind)
{
    struct oid_set mine = { NULL, 0, 0 }, others = { NULL, 0, 0 };
    bool           is_found, is_good;

    if (!job->shallow_count)
        return git_graph_ahead_behind(ahead, behind, job->repo, own, theirs) == 0;
    is_good = reach(job, own, NULL, &mine, &is_found) == BP_OK &&
              reach(job, theirs, NULL, &others, &is_found) == BP_OK;
    if (is_good) {
        *ahead = count_missing(&mine, &others);
        *behind = count_missing(&others, &mine);
    }
    free(mine.slots);
    free(others.slots);
    return is_good;
}

/* Of a shallow clone, the newest commit in it that both reach. */
static bp_status merge_base_of_shallow(struct git_job *job, const git_oid *one, const git_oid *two,
                                       git_oid *base)
{
    struct commit_walk walk = { .job = job };
    struct oid_set     seen = { NULL, 0, 0 };
    bool               is_found = false;
    git_commit        *commit = NULL;
    bp_status          status = reach(job, one, NULL, &seen, &is_found);

    if (status == BP_OK)
        status = push(&walk, two);
    while (status == BP_OK && !is_found && (status = next(&walk, &commit)) == BP_OK && commit) {
        is_found = oid_set_has(&seen, git_commit_id(commit));
        if (is_found)
            git_oid_cpy(base, git_commit_id(commit));
        git_commit_free(commit);
    }
    walk_end(&walk);
    free(seen.slots);
    if (status == BP_OK && !is_found)
        return bp_fail(job->call, BP_UNSUPPORTED,
                       "this is a shallow clone, and no common commit of the two is in it: `git "
                       "fetch --unshallow` brings it");
    return status;
}

bp_status commits_merge_base(struct git_job *job, const git_oid *one, const git_oid *two,
                             git_oid *base)
{
    int code;

    if (job->shallow_count)
        return merge_base_of_shallow(job, one, two, base);
    code = git_merge_base(base, job->repo, one, two);
    return code == 0 ? BP_OK : job_fail(job, code, "the two have no common commit to compare with");
}
