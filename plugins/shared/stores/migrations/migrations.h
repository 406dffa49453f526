/* migrations.h - brings the tables of an owner to the newest step, in any store that speaks SQL;
 * storage.h says what steps are.
 *
 *      begin, lock -> the books: which steps were run? -> the next one is run and recorded -> commit -> once more
 *
 * The books are a table of the same database, backplane_migrations, so that a step and its line in
 * them are there together or not at all. While releases take turns, an older program meets books
 * that go on behind the steps it knows: each line says from how many steps on a program works with
 * what the step left behind.
 */
#ifndef MIGRATIONS_H
#define MIGRATIONS_H

#include <backplane/storage.h>

/* What a portable word, or one of another size elsewhere, is called here. */
struct migrations_word {
    const char *word, *here;
};

/* A store, on whichever thread it works. The caller rolls back the open transaction when
 * migrations_run() has returned. */
struct migrations_place {
    bp_str                        name; /* for sentences: "the database x", a path */
    const struct migrations_word *words;
    size_t                        word_count;
    const char *has_works_from; /* a query of one number: whether the books have that column */
    void       *self;

    /* A transaction that holds the lock for which every process waits. */
    bp_status (*begin)(bp_call *call, void *self) BP_SUSPENDS;
    /* One statement; `rows` may be NULL. */
    bp_status (*run)(bp_call *call, void *self, const char *sql, const bp_sql_value *values,
                     uint32_t count, bp_rows *rows) BP_SUSPENDS;
    /* The statements of a step, separated by semicolons. */
    bp_status (*run_step)(bp_call *call, void *self, bp_str sql) BP_SUSPENDS;
    bp_status (*commit)(bp_call *call, void *self) BP_SUSPENDS;
};

/* The list itself: BP_INVALID with a sentence, before anything is asked for. */
bp_status migrations_check(bp_call *call, bp_str owner, const bp_migration *steps, size_t count);

/* BP_CONFLICT: a step has another text in the books, or they hold one that this list does not work
 * with. */
bp_status migrations_run(bp_call *call, const struct migrations_place *place, bp_str owner,
                         const bp_migration *steps, size_t count) BP_SUSPENDS;

#endif
