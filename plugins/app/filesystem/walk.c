/* walk.c - directories with all that is below them: as a tree, and searched by name.
 *
 * Each directory is opened from the descriptor of the one above it, by a name and never through a
 * link, so a walk stays below where it began. Links are named and not entered. A directory that is
 * too deep, may not be read or went away meanwhile is passed over, and the answer says so.
 */
#include "filesystem.h"
#include "glob.h"

#include <unistd.h>

enum { NOTES_MAX = 8 }; /* directories that are passed over and named; the others are counted */

struct walk {
    struct work     *work;
    struct glob_work effort;
    struct glob     *excluded;
    size_t           excluded_count;
    bool             is_tree;
    struct glob      wanted;
    bp_str           top;              /* path of where it began */
    char             at[2 * PATH_MAX]; /* below it */
    size_t           len;
    int64_t          budget;
    bp_buf          *out;
    size_t           found;
    bp_str           note; /* why the directory just left was passed over; empty: it was not */
    bp_str           notes[NOTES_MAX];
    size_t           passed_over;
};

static bp_status exclude(bp_call *call, struct walk *walk, bool is_tree)
{
    const bp_json *patterns = walk->work->wanted.excluded;
    size_t         count = bp_json_count(patterns);

    walk->excluded = BP_NEW_ARRAY(call, struct glob, 3 * count + 1);
    if (!walk->excluded)
        return bp_fail(call, BP_NO_MEMORY, "no memory for %zu patterns", count);
    for (size_t i = 0; i < count; i++) {
        bp_str pattern = bp_json_string(bp_json_at(patterns, i));

        BP_TRY(glob_make(call, pattern, &walk->excluded[walk->excluded_count++]));
        if (!is_tree || (pattern.len && memchr(pattern.data, '*', pattern.len)))
            continue; // in a tree a plain name is meant wherever it stands
        BP_TRY(glob_make(call, bp_format(call, "**/" BP_FMT, BP_ARG(pattern)),
                         &walk->excluded[walk->excluded_count++]));
        BP_TRY(glob_make(call, bp_format(call, "**/" BP_FMT "/**", BP_ARG(pattern)),
                         &walk->excluded[walk->excluded_count++]));
    }
    return BP_OK;
}

static bool is_excluded(struct walk *walk)
{
    for (size_t i = 0; i < walk->excluded_count; i++)
        if (glob_fits(&walk->excluded[i], bp_str_n(walk->at, walk->len), &walk->effort))
            return true;
    return false;
}

static bool is_all_in_excluded(struct walk *walk)
{
    for (size_t i = 0; i < walk->excluded_count; i++)
        if (glob_fits_all_in(&walk->excluded[i], bp_str_n(walk->at, walk->len), &walk->effort))
            return true;
    return false;
}

/* Adds a name to where the walk is; false: there is no room for it. */
static bool enter(struct walk *walk, const char *name)
{
    size_t size = strlen(name);

    if (walk->len + 1 + size >= sizeof(walk->at))
        return false;
    if (walk->len)
        walk->at[walk->len++] = '/';
    memcpy(walk->at + walk->len, name, size + 1);
    walk->len += size;
    return true;
}

static void leave(struct walk *walk, size_t len)
{
    walk->len = len;
    walk->at[len] = '\0';
}

static bp_str path_of(bp_call *call, const struct walk *walk)
{
    return bp_format(call, BP_FMT "%s%s", BP_ARG(walk->top),
                     walk->len && !bp_str_is(walk->top, "/") ? "/" : "", walk->at);
}

/* ---- the tree: JSON laid out with two blanks a level ---- */

static void put_indent(bp_buf *out, int depth)
{
    bp_buf_add(out, BP_STR("\n"));
    for (int i = 0; i < depth; i++)
        bp_buf_add(out, BP_STR("  "));
}

/* A text as JSON; bytes in it that are not UTF-8 become U+FFFD. */
static bp_status put_json(bp_call *call, bp_buf *out, bp_str text)
{
    bp_json_writer *w = bp_json_writer_new(call, 8 * text.len + 16);
    bp_str          json;

    bp_json_add_string(w, text);
    BP_TRY(bp_json_done(call, w, &json));
    bp_buf_add(out, json);
    return BP_OK;
}

static bp_status put_entry_head(bp_call *call, struct walk *walk, const struct entry *entry,
                                int depth)
{
    bp_buf_add(walk->out, bp_str_of(walk->found++ ? "," : ""));
    put_indent(walk->out, 2 * depth + 1);
    bp_buf_add(walk->out, BP_STR("{"));
    put_indent(walk->out, 2 * depth + 2);
    bp_buf_add(walk->out, BP_STR("\"name\": "));
    BP_TRY(put_json(call, walk->out, bp_str_of(entry->name)));
    bp_buf_add(walk->out, BP_STR(","));
    put_indent(walk->out, 2 * depth + 2);
    bp_buf_addf(walk->out, "\"type\": \"%s\"", entry->is_directory ? "directory" : "file");
    if (entry->is_directory) {
        bp_buf_add(walk->out, BP_STR(","));
        put_indent(walk->out, 2 * depth + 2);
        bp_buf_add(walk->out, BP_STR("\"children\": "));
    }
    return BP_OK;
}

/* Why there are no children, or not all. */
static bp_status put_note(bp_call *call, struct walk *walk, int depth)
{
    if (!walk->note.len)
        return BP_OK;
    bp_buf_add(walk->out, BP_STR(","));
    put_indent(walk->out, 2 * depth + 2);
    bp_buf_add(walk->out, BP_STR("\"note\": "));
    return put_json(call, walk->out,
                    bp_format(call, "not looked into: " BP_FMT, BP_ARG(walk->note)));
}

/* ---- the search ---- */

/* A link counts if it leads to something inside. */
static bool is_reachable(bp_call *call, struct walk *walk, const struct entry *entry)
{
    struct place place;
    int          fd;

    if (!entry->is_link)
        return true;
    if (place_open(call, walk->work->self, path_of(call, walk), O_PATH, "stat", &place, &fd) !=
        BP_OK) {
        bp_clear_error(call);
        return false;
    }
    close(fd);
    return true;
}

static void put_found(bp_call *call, struct walk *walk)
{
    bp_str path = path_of(call, walk);

    if (walk->work->json) {
        bp_json_add_string(walk->work->json, path);
    } else {
        bp_buf_add(walk->out, bp_str_of(walk->found ? "\n" : ""));
        bp_buf_add(walk->out, path);
    }
    walk->found++;
}

/* ---- walking ---- */

static bp_status walk_directory(bp_call *call, struct walk *walk, int directory, int depth);

/* The directory where the walk is, or the rest of it, is left out of the answer, which will
 * say so. */
static void pass_over(bp_call *call, struct walk *walk, bp_str why)
{
    if (walk->passed_over < NOTES_MAX)
        walk->notes[walk->passed_over] = bp_format(call, BP_FMT ": " BP_FMT,
                                                   BP_ARG(path_of(call, walk)), BP_ARG(why));
    walk->passed_over++;
    walk->note = why;
}

static bp_str too_deep(bp_call *call)
{
    return bp_format(call, "nested more than %d directories deep, begin further down",
                     WALK_DEPTH_MAX);
}

/* Trouble of our own and not of one directory. */
static bool is_own_trouble(int number)
{
    return number == EMFILE || number == ENFILE || number == ENOMEM;
}

static bp_status walk_below(bp_call *call, struct walk *walk, int directory, const char *name,
                            int depth)
{
    int fd = -ENAMETOOLONG;

    if (is_all_in_excluded(walk)) {
        bp_buf_add(walk->out, bp_str_of(walk->is_tree ? "[]" : ""));
        return BP_OK;
    }
    if (depth < WALK_DEPTH_MAX)
        fd = open_in(directory, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd >= 0)
        return walk_directory(call, walk, fd, depth + 1);
    if (is_own_trouble(-fd))
        return fail_errno(call, -fd, "scandir", path_of(call, walk));
    pass_over(call, walk,
              depth < WALK_DEPTH_MAX ? bp_str_of(strerrordesc_np(-fd)) : too_deep(call));
    bp_buf_add(walk->out, bp_str_of(walk->is_tree ? "[]" : ""));
    return BP_OK;
}

static bp_status walk_entry(bp_call *call, struct walk *walk, int directory,
                            const struct entry *entry, int depth)
{
    if (is_excluded(walk) || walk->effort.status != BP_OK)
        return walk->effort.status;
    if (walk->is_tree)
        BP_TRY(put_entry_head(call, walk, entry, depth));
    else if (!is_reachable(call, walk, entry))
        return BP_OK;
    else if (glob_fits(&walk->wanted, bp_str_n(walk->at, walk->len), &walk->effort))
        put_found(call, walk);
    walk->note = BP_STR("");
    if (entry->is_directory)
        BP_TRY(walk_below(call, walk, directory, entry->name, depth));
    if (walk->is_tree) {
        BP_TRY(put_note(call, walk, depth));
        put_indent(walk->out, 2 * depth + 1);
        bp_buf_add(walk->out, BP_STR("}"));
        walk->found = 1;
    }
    return walk->effort.status;
}

/* The names in it, and the directory itself kept open for the names below it. One that cannot be
 * read is passed over, but for the first. */
static bp_status begin_directory(bp_call *call, struct walk *walk, int directory, int depth,
                                 struct listing *listing, int *kept)
{
    bp_status status;

    *kept = dup(directory);
    if (*kept < 0) {
        close(directory);
        return fail_errno(call, EMFILE, "scandir", path_of(call, walk));
    }
    status = listing_read(call, walk->work->self, directory, path_of(call, walk), &walk->budget,
                          listing);
    if (status == BP_OK || !depth || status == BP_TOO_LARGE || status == BP_NO_MEMORY ||
        bp_cancelled(call) != BP_OK)
        return status;
    pass_over(call, walk, bp_error_of(call)->message);
    bp_clear_error(call);
    listing->count = 0;
    return BP_OK;
}

/* Takes the descriptor. */
static bp_status walk_directory(bp_call *call, struct walk *walk, int directory, int depth)
{
    size_t         len = walk->len;
    struct listing listing;
    int            kept;
    bp_status      status = begin_directory(call, walk, directory, depth, &listing, &kept);
    bp_str         note = walk->note;

    if (walk->is_tree) {
        bp_buf_add(walk->out, BP_STR("["));
        walk->found = 0;
    }
    for (size_t i = 0; status == BP_OK && i < listing.count; i++) {
        if (enter(walk, listing.entries[i].name))
            status = walk_entry(call, walk, kept, &listing.entries[i], depth);
        else
            pass_over(call, walk,
                      bp_format(call, "the path of %s in it is too long", listing.entries[i].name));
        leave(walk, len);
        if (status == BP_OK)
            status = bp_cancelled(call);
    }
    if (walk->is_tree) {
        if (walk->found)
            put_indent(walk->out, 2 * depth);
        bp_buf_add(walk->out, BP_STR("]"));
    }
    if (kept >= 0)
        close(kept);
    walk->note = note; // for the entry that this directory is
    return status;
}

static struct walk *walk_new(bp_call *call, struct work *work)
{
    struct walk *walk = BP_NEW(call, struct walk);

    if (walk) {
        walk->work = work;
        walk->effort.call = call;
        walk->budget = work->self->max_entries;
        walk->out = bp_buf_new(call, RESULT_TEXT_BYTES_MAX);
    }
    return walk;
}

static bp_status walk_from(bp_call *call, struct walk *walk, bp_str path)
{
    struct place place;
    int          fd;

    BP_TRY(
        place_open(call, walk->work->self, path, O_RDONLY | O_DIRECTORY, "scandir", &place, &fd));
    walk->top = place_text(call, &place);
    BP_TRY(walk_directory(call, walk, fd, 0));
    if (bp_buf_status(walk->out) != BP_OK)
        return bp_fail(call, bp_buf_status(walk->out),
                       "the result is too large: begin further down, or exclude some");
    return BP_OK;
}

bp_status work_tree(bp_call *call, struct work *work)
{
    struct walk *walk = walk_new(call, work);

    if (!walk)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a tree");
    walk->is_tree = true;
    BP_TRY(exclude(call, walk, true));
    BP_TRY(walk_from(call, walk, work->wanted.path));
    work->text = bp_buf_str(walk->out);
    return BP_OK;
}

/* Behind the names found: where was not searched. */
static void put_notes(struct walk *walk)
{
    if (!walk->passed_over)
        return;
    bp_buf_add(walk->out, BP_STR("\n\nNot searched:"));
    for (size_t i = 0; i < walk->passed_over && i < NOTES_MAX; i++) {
        bp_buf_add(walk->out, BP_STR("\n- "));
        bp_buf_add(walk->out, walk->notes[i]);
    }
    if (walk->passed_over > NOTES_MAX)
        bp_buf_addf(walk->out, "\n- and %zu more", walk->passed_over - NOTES_MAX);
}

bp_status work_search(bp_call *call, struct work *work)
{
    struct walk *walk = walk_new(call, work);

    if (!walk)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a search");
    BP_TRY(exclude(call, walk, false));
    BP_TRY(glob_make(call, work->wanted.pattern, &walk->wanted));
    BP_TRY(walk_from(call, walk, work->wanted.path));
    if (!walk->found)
        bp_buf_add(walk->out, BP_STR("No matches found"));
    put_notes(walk);
    work->text = bp_buf_str(walk->out);
    return bp_buf_status(walk->out);
}

/* "skipped" beside the files, where there is something to tell. */
static void put_skipped(struct walk *walk)
{
    bp_json_writer *w = walk->work->json;

    bp_json_end(w);
    if (!walk->passed_over)
        return;
    bp_json_key(w, "skipped");
    bp_json_array(w);
    for (size_t i = 0; i < walk->passed_over && i < NOTES_MAX; i++)
        bp_json_add_string(w, walk->notes[i]);
    bp_json_end(w);
    bp_json_put_integer(w, "skipped_count", (int64_t)walk->passed_over);
}

/* The argument "root" is a directory; without it all roots are searched. */
bp_status work_search_json(bp_call *call, struct work *work)
{
    const struct filesystem_shared *shared = work->self->shared;
    bp_str                          root = work->wanted.root;
    struct walk                    *walk = walk_new(call, work);

    if (!walk)
        return bp_fail(call, BP_NO_MEMORY, "no memory for a search");
    BP_TRY(exclude(call, walk, false));
    BP_TRY(glob_make(call, work->wanted.pattern, &walk->wanted));
    if (root.len)
        BP_TRY(walk_from(call, walk, root));
    for (size_t i = 0; i < shared->root_count && !root.len; i++)
        BP_TRY(walk_from(call, walk,
                         bp_str_of(shared->roots[i].path[0] ? shared->roots[i].path : "/")));
    put_skipped(walk);
    return BP_OK;
}
