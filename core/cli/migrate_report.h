/* migrate_report.h - the report of a move, for people or as JSON on standard output. */
#ifndef CORE_CLI_MIGRATE_REPORT_H
#define CORE_CLI_MIGRATE_REPORT_H

#include "transfer/transfer.h"

struct migrate_report {
    struct transfer *transfer; /* its arena has the notes */
    bool             is_json;
    const char     **notes;
    size_t           note_count;
};

/* Keeps the sentence; a last one says that there are more than fit. */
void migrate_report_note(struct migrate_report *report, const char *sentence);
void migrate_report_print(struct migrate_report *report);

#endif
