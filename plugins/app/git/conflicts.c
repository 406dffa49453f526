/* conflicts.c - files that a merge, a rebase or a cherry-pick left with conflicts, in diffs.
 *
 * The file in the working tree is compared with both sides at once, as `git diff --cc` does it: a
 * line that one side lacks has its sign in that side's column, and only places where the file
 * follows neither side are shown.
 */
#include "git.h"

#include <stdlib.h>

enum { COMPARED_BYTES_MAX = 8 << 20, CONTEXT_LINES = 3, SIDES = 2 };

/* A line that a side has and the file lost, before the file's line `at`. */
struct lost {
    size_t at;
    bp_str text;
};

struct combined {
    struct git_job *job;
    bp_str         *lines;
    size_t          count;
    uint8_t        *added; /* of each line: a bit for each side that lacks it */
    bool           *shown; /* of each line and the place behind the last: part of a hunk */
    struct lost    *lost[SIDES];
    size_t          lost_count[SIDES], lost_room[SIDES];
    size_t          side;   /* that is being compared */
    size_t          passed; /* lines of the file before the one compared now */
    bool            has_memory;
};

static bool split(struct combined *c, bp_str text)
{
    size_t start = 0, count = 1;

    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == '\n';
    c->lines = BP_NEW_ARRAY(c->job->call, bp_str, count);
    c->added = BP_NEW_ARRAY(c->job->call, uint8_t, count + 1);
    c->shown = BP_NEW_ARRAY(c->job->call, bool, count + 1);
    for (size_t i = 0; c->lines && i < text.len; i++)
        if (text.data[i] == '\n' || i + 1 == text.len) {
            c->lines[c->count++] = bp_str_n(text.data + start, i - start + (text.data[i] != '\n'));
            start = i + 1;
        }
    return c->lines && c->added && c->shown;
}

static int take_line(const git_diff_delta *delta, const git_diff_hunk *hunk,
                     const git_diff_line *line, void *payload)
{
    struct combined *c = payload;
    size_t           side = c->side, len = line->content_len;

    (void)delta, (void)hunk;
    if (line->origin == GIT_DIFF_LINE_CONTEXT)
        c->passed = (size_t)line->new_lineno;
    if (line->origin == GIT_DIFF_LINE_ADDITION && line->new_lineno > 0 &&
        (size_t)line->new_lineno <= c->count) {
        c->added[line->new_lineno - 1] |= (uint8_t)(1u << side);
        c->passed = (size_t)line->new_lineno;
    }
    if (line->origin != GIT_DIFF_LINE_DELETION)
        return 0;
    if (c->lost_count[side] == c->lost_room[side]) {
        size_t       room = c->lost_room[side] ? 2 * c->lost_room[side] : 64;
        struct lost *larger = BP_NEW_ARRAY(c->job->call, struct lost, room);

        if (!larger)
            return GIT_EUSER;
        if (c->lost_count[side])
            memcpy(larger, c->lost[side], c->lost_count[side] * sizeof(*larger));
        c->lost[side] = larger;
        c->lost_room[side] = room;
    }
    while (len && line->content[len - 1] == '\n')
        len--;
    c->lost[side][c->lost_count[side]++] = (struct lost){
        c->passed, bp_dup(c->job->call, bp_str_n(line->content, len))
    };
    return job_goes_on(c->job) == BP_OK ? 0 : GIT_EUSER;
}

/* With no line around each change, a hunk tells where in the file it stands, also when it only
 * takes lines away. */
static int take_hunk(const git_diff_delta *delta, const git_diff_hunk *hunk, void *payload)
{
    struct combined *c = payload;

    (void)delta;
    c->passed = (size_t)hunk->new_start - (hunk->new_lines ? 1 : 0);
    return 0;
}

static int compare_side(struct combined *c, size_t side, const git_blob *blob, bp_str text)
{
    git_diff_options options;

    git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
    options.context_lines = 0;
    c->side = side;
    return git_diff_blob_to_buffer(blob, NULL, text.data, text.len, NULL, &options, NULL, NULL,
                                   take_hunk, take_line, c);
}

/* ---- the lines shown ---- */

/* The sides from which the file differs at its line `at`, lines lost before it included. */
static unsigned differs(const struct combined *c, size_t at, const size_t next[SIDES])
{
    unsigned sides = at < c->count ? c->added[at] : 0;

    for (size_t side = 0; side < SIDES; side++)
        if (next[side] < c->lost_count[side] && c->lost[side][next[side]].at == at)
            sides |= 1u << side;
    return sides;
}

static void pass_lost(const struct combined *c, size_t at, size_t next[SIDES])
{
    for (size_t side = 0; side < SIDES; side++)
        while (next[side] < c->lost_count[side] && c->lost[side][next[side]].at <= at)
            next[side]++;
}

/* Runs of lines that differ from both sides, and the lines around them. */
static void choose(struct combined *c)
{
    size_t next[SIDES] = { 0, 0 };

    for (size_t at = 0; at <= c->count; at++) {
        size_t   begin = at;
        unsigned all = 0, one;

        while (at <= c->count && (one = differs(c, at, next)) != 0) {
            all |= one;
            pass_lost(c, at++, next);
        }
        if (all != 3)
            continue;
        begin = begin > CONTEXT_LINES ? begin - CONTEXT_LINES : 0;
        for (size_t i = begin; i < at + CONTEXT_LINES && i <= c->count; i++)
            c->shown[i] = true;
    }
}

static void put_line(struct combined *c, const char *signs, bp_str text)
{
    bp_buf_add(c->job->out, bp_str_of(signs));
    bp_buf_add(c->job->out, text);
    bp_buf_add(c->job->out, bp_str_of("\n"));
}

/* Lines lost before `at`: what both sides had alike is one line. */
static void put_lost(struct combined *c, size_t at, size_t next[SIDES])
{
    size_t end[SIDES] = { next[0], next[1] };

    pass_lost(c, at, end);
    while (next[0] < end[0] && next[1] < end[1] &&
           bp_str_equal(c->lost[0][next[0]].text, c->lost[1][next[1]].text)) {
        put_line(c, "--", c->lost[0][next[0]++].text);
        next[1]++;
    }
    while (next[0] < end[0])
        put_line(c, "- ", c->lost[0][next[0]++].text);
    while (next[1] < end[1])
        put_line(c, " -", c->lost[1][next[1]++].text);
}

/* How many of the side's lines stand before the file's line `at`. */
static size_t old_lines(const struct combined *c, size_t side, size_t at, size_t lost)
{
    size_t count = at + lost;

    for (size_t i = 0; i < at && i < c->count; i++)
        count -= c->added[i] >> side & 1;
    return count;
}

static void put_hunk(struct combined *c, size_t begin, size_t end, size_t next[SIDES])
{
    size_t after[SIDES] = { next[0], next[1] }, last = end < c->count ? end : c->count;

    for (size_t at = begin; at < end; at++)
        pass_lost(c, at, after);
    bp_buf_addf(c->job->out, "@@@");
    for (size_t side = 0; side < SIDES; side++) {
        size_t from = old_lines(c, side, begin, next[side]),
               to = old_lines(c, side, last, after[side]);

        bp_buf_addf(c->job->out, " -%zu,%zu", from + (to > from), to - from);
    }
    bp_buf_addf(c->job->out, " +%zu,%zu @@@\n", begin + (last > begin), last - begin);
    for (size_t at = begin; at < end; at++) {
        static const char *const signs[] = { "  ", "+ ", " +", "++" };

        put_lost(c, at, next);
        if (at < c->count)
            put_line(c, signs[c->added[at] & 3], c->lines[at]);
    }
}

static bp_status put_hunks(struct combined *c)
{
    size_t next[SIDES] = { 0, 0 };

    choose(c);
    for (size_t at = 0; at <= c->count; at++) {
        size_t end = at;

        while (end <= c->count && c->shown[end])
            end++;
        if (end == at) {
            pass_lost(c, at, next);
            continue;
        }
        put_hunk(c, at, end, next);
        at = end - 1;
        BP_TRY(job_goes_on(c->job));
    }
    return BP_OK;
}

/* ---- one file ---- */

static bp_status put_unmerged(struct git_job *job, const char *path)
{
    bp_buf_add(job->out, bp_str_of("* Unmerged path "));
    bp_buf_add(job->out, path_quoted(job->call, path));
    bp_buf_add(job->out, bp_str_of("\n"));
    return BP_OK;
}

static void put_head(struct git_job *job, const char *path, const git_oid *ours,
                     const git_oid *theirs)
{
    char ids[SIDES][8];

    git_oid_tostr(ids[0], sizeof(ids[0]), ours);
    git_oid_tostr(ids[1], sizeof(ids[1]), theirs);
    bp_buf_add(job->out, bp_format(job->call, "diff --cc %s\nindex %s,%s..0000000\n",
                                   path_quoted(job->call, path).data, ids[0], ids[1]));
}

/* The working tree's file; BP_NOT_FOUND also when it is no regular file there. */
static bp_status read_worktree(struct git_job *job, const char *path, bp_str *text)
{
    bp_str    whole = bp_format(job->call, BP_FMT "/%s", BP_ARG(job->path), path);
    bp_status status = whole.data ? repository_path_check(job, path) : BP_NO_MEMORY;

    if (status == BP_OK)
        status = repository_read_file(job, whole.data, COMPARED_BYTES_MAX, text);
    if (status == BP_DENIED) { // a link, a folder, or far too large
        bp_clear_error(job->call);
        return BP_NOT_FOUND;
    }
    return status;
}

static bp_status put_combined(struct git_job *job, const char *path, const git_blob *ours,
                              const git_blob *theirs)
{
    struct combined c = { .job = job };
    bp_str          text;
    bp_status       status = read_worktree(job, path, &text);
    int             code;

    if (status == BP_NOT_FOUND || git_blob_rawsize(ours) > COMPARED_BYTES_MAX ||
        git_blob_rawsize(theirs) > COMPARED_BYTES_MAX)
        return put_unmerged(job, path);
    BP_TRY(status);
    if (has_too_many_lines(text.data, text.len) ||
        has_too_many_lines(git_blob_rawcontent(ours), (size_t)git_blob_rawsize(ours)) ||
        has_too_many_lines(git_blob_rawcontent(theirs), (size_t)git_blob_rawsize(theirs)))
        return put_unmerged(job, path);
    put_head(job, path, git_blob_id(ours), git_blob_id(theirs));
    if (git_blob_is_binary(ours) || git_blob_is_binary(theirs) ||
        git_blob_data_is_binary(text.data, text.len)) {
        bp_buf_add(job->out, bp_str_of("Binary files differ\n"));
        return BP_OK;
    }
    if (!split(&c, text))
        return BP_NO_MEMORY;
    code = compare_side(&c, 0, ours, text);
    if (code == 0)
        code = compare_side(&c, 1, theirs, text);
    if (code != 0)
        return job_fail(job, code, "the conflict cannot be compared");
    bp_buf_add(job->out, bp_format(job->call, "--- a/%s\n+++ b/%s\n", path, path));
    return put_hunks(&c);
}

static bp_status put_conflict(struct git_job *job, const char *path, const git_index_entry *ours,
                              const git_index_entry *theirs)
{
    git_blob *left = NULL, *right = NULL;
    bp_status status;

    if (!ours || !theirs || git_blob_lookup(&left, job->repo, &ours->id) != 0 ||
        git_blob_lookup(&right, job->repo, &theirs->id) != 0)
        status = put_unmerged(job, path);
    else
        status = put_combined(job, path, left, right);
    git_blob_free(left);
    git_blob_free(right);
    return status;
}

/* ---- all of them ---- */

bp_status conflicts_print(struct git_job *job, bool is_combined)
{
    git_index                   *index = NULL;
    git_index_conflict_iterator *conflicts = NULL;
    const git_index_entry       *base, *ours, *theirs;
    bp_status                    status = BP_OK;
    int                          code;

    if (git_repository_is_bare(job->repo))
        return BP_OK;
    code = git_repository_index(&index, job->repo);
    if (code == 0 && git_index_has_conflicts(index))
        code = git_index_conflict_iterator_new(&conflicts, index);
    if (code != 0)
        status = job_fail(job, code, "the conflicts cannot be read");
    while (status == BP_OK && conflicts &&
           git_index_conflict_next(&base, &ours, &theirs, conflicts) == 0) {
        const char *path = ours ? ours->path : theirs ? theirs->path : base->path;

        status = is_combined ? put_conflict(job, path, ours, theirs) : put_unmerged(job, path);
        if (status == BP_OK)
            status = job_goes_on(job);
    }
    if (conflicts)
        git_index_conflict_iterator_free(conflicts);
    git_index_free(index);
    return status;
}

bool is_in_conflict(git_index *index, const char *path)
{
    const git_index_entry *base, *ours, *theirs;

    return index && git_index_has_conflicts(index) &&
           git_index_conflict_get(&base, &ours, &theirs, index, path) == 0;
}
