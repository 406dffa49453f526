/* rebase.c - the part of git_status about a running rebase, read from git's own files. */
#include "git.h"

enum { FILE_BYTES_MAX = 1 << 20, STEPS_SHOWN = 2 };

/* A file of the git directory, without the line feed at its end; empty when it is not there. */
static bp_status read_file(struct git_job *job, const char *name, bp_str *text)
{
    bp_str    path = bp_format(job->call, "%s%s", git_repository_path(job->repo), name);
    bp_status status = path.data ? repository_read_file(job, path.data, FILE_BYTES_MAX, text)
                                 : BP_NO_MEMORY;

    if (status == BP_NOT_FOUND)
        status = BP_OK;
    while (status == BP_OK && text->len && text->data[text->len - 1] == '\n')
        text->len--;
    return status;
}

static bool is_merge_rebase(struct git_job *job)
{
    int state = git_repository_state(job->repo);

    return state == GIT_REPOSITORY_STATE_REBASE_INTERACTIVE ||
           state == GIT_REPOSITORY_STATE_REBASE_MERGE;
}

bool is_rebasing(struct git_job *job)
{
    return is_merge_rebase(job) || git_repository_state(job->repo) == GIT_REPOSITORY_STATE_REBASE;
}

/* "bd1bc09", of the commit that the branch is put upon. */
static bp_status read_onto(struct git_job *job, bp_str *onto)
{
    BP_TRY(read_file(job, is_merge_rebase(job) ? "rebase-merge/onto" : "rebase-apply/onto", onto));
    if (onto->len == GIT_OID_HEXSZ)
        onto->len = 7;
    return BP_OK;
}

/* ---- the steps ---- */

static bool is_step(bp_str line)
{
    return line.len && line.data[0] != '#';
}

static bool next_line(bp_str *text, bp_str *line)
{
    const char *end;
    size_t      len;

    if (!text->len)
        return false;
    end = memchr(text->data, '\n', text->len);
    len = end ? (size_t)(end - text->data) : text->len;
    *line = bp_str_n(text->data, len);
    len += end != NULL;
    *text = bp_str_n(text->data + len, text->len - len);
    return true;
}

static size_t count_steps(bp_str text)
{
    size_t count = 0;
    bp_str line;

    while (next_line(&text, &line))
        count += is_step(line);
    return count;
}

/* "pick d957600 side": commits are named by seven digits. */
static void put_step(struct git_job *job, bp_str line)
{
    bp_buf_add(job->out, bp_str_of("   "));
    while (line.len) {
        size_t word = 0, digits = 0;

        while (word < line.len && line.data[word] != ' ')
            digits += strchr("0123456789abcdef", line.data[word++]) != NULL;
        bp_buf_add(job->out,
                   bp_str_n(line.data, word == GIT_OID_HEXSZ && digits == word ? 7 : word));
        if (word < line.len)
            bp_buf_add(job->out, bp_str_of(" "));
        word += word < line.len;
        line = bp_str_n(line.data + word, line.len - word);
    }
    bp_buf_add(job->out, bp_str_of("\n"));
}

/* The steps from number `from` on, two at most. */
static void put_steps(struct git_job *job, bp_str text, size_t from)
{
    size_t number = 0;
    bp_str line;

    while (number < from + STEPS_SHOWN && next_line(&text, &line))
        if (is_step(line) && number++ >= from)
            put_step(job, line);
}

/* ---- the answer ---- */

/* Instead of where HEAD is. */
bp_status rebase_head(struct git_job *job, bool *is_told)
{
    bp_str onto, done, todo;
    size_t count;

    *is_told = is_rebasing(job);
    if (!*is_told)
        return BP_OK;
    BP_TRY(read_onto(job, &onto));
    bp_buf_addf(job->out, "%srebase in progress; onto " BP_FMT "\n",
                git_repository_state(job->repo) == GIT_REPOSITORY_STATE_REBASE_INTERACTIVE
                    ? "interactive "
                    : "",
                BP_ARG(onto));
    if (git_repository_state(job->repo) != GIT_REPOSITORY_STATE_REBASE_INTERACTIVE)
        return BP_OK;
    BP_TRY(read_file(job, "rebase-merge/done", &done));
    BP_TRY(read_file(job, "rebase-merge/git-rebase-todo", &todo));
    count = count_steps(done);
    if (count) {
        bp_buf_addf(job->out,
                    count == 1 ? "Last command done (%zu command done):\n"
                               : "Last commands done (%zu commands done):\n",
                    count);
        put_steps(job, done, count > STEPS_SHOWN ? count - STEPS_SHOWN : 0);
        if (count > STEPS_SHOWN)
            bp_buf_add(job->out, bp_str_of("  (see more in file .git/rebase-merge/done)\n"));
    } else {
        bp_buf_add(job->out, bp_str_of("No commands done.\n"));
    }
    count = count_steps(todo);
    if (!count) {
        bp_buf_add(job->out, bp_str_of("No commands remaining.\n"));
        return BP_OK;
    }
    bp_buf_addf(job->out,
                count == 1 ? "Next command to do (%zu remaining command):\n"
                           : "Next commands to do (%zu remaining commands):\n",
                count);
    put_steps(job, todo, 0);
    bp_buf_add(job->out, bp_str_of("  (use \"git rebase --edit-todo\" to view and edit)\n"));
    return BP_OK;
}

bp_status rebase_state(struct git_job *job, bool has_conflicts)
{
    static const char branch[] = "refs/heads/";
    bp_str            name, onto, amend = { NULL, 0 };

    if (!is_rebasing(job))
        return BP_OK;
    BP_TRY(read_onto(job, &onto));
    BP_TRY(read_file(job,
                     is_merge_rebase(job) ? "rebase-merge/head-name" : "rebase-apply/head-name",
                     &name));
    if (is_merge_rebase(job))
        BP_TRY(read_file(job, "rebase-merge/amend", &amend));
    bp_buf_add(job->out, bp_str_of(amend.len && !has_conflicts
                                       ? "You are currently editing a commit while rebasing"
                                       : "You are currently rebasing"));
    if (bp_str_starts(name, branch)) {
        name = bp_str_n(name.data + sizeof(branch) - 1, name.len - sizeof(branch) + 1);
        bp_buf_addf(job->out, " branch '" BP_FMT "' on '" BP_FMT "'", BP_ARG(name), BP_ARG(onto));
    }
    bp_buf_add(job->out, bp_str_of(".\n"));
    if (has_conflicts)
        bp_buf_add(job->out, bp_str_of("  (fix conflicts and then run \"git rebase --continue\")\n"
                                       "  (use \"git rebase --skip\" to skip this patch)\n"
                                       "  (use \"git rebase --abort\" to check out the original "
                                       "branch)\n\n"));
    else if (amend.len)
        bp_buf_add(job->out,
                   bp_str_of("  (use \"git commit --amend\" to amend the current commit)\n"
                             "  (use \"git rebase --continue\" once you are satisfied with your "
                             "changes)\n\n"));
    else
        bp_buf_add(job->out,
                   bp_str_of("  (all conflicts fixed: run \"git rebase --continue\")\n\n"));
    return BP_OK;
}
