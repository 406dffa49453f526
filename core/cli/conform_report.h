/* conform_report.h - what came out of a contract: rows of a table, printed as Markdown for a README
 * or as JSON. */
#ifndef CORE_CLI_CONFORM_REPORT_H
#define CORE_CLI_CONFORM_REPORT_H

#include <stdbool.h>
#include <stddef.h>

enum { CONFORM_ROWS_MAX = 64, CONFORM_DETAIL_BYTES = 1100 };

enum conform_outcome { CONFORM_HOLDS, CONFORM_FAILS, CONFORM_SKIPPED };

struct conform_row {
    const char          *sentence;
    enum conform_outcome outcome;
    double               seconds;
    char                 detail[CONFORM_DETAIL_BYTES]; /* why it fails or was skipped */
};

struct conform_report {
    const char        *kind, *name, *version;
    unsigned           kind_version, workers;
    struct conform_row rows[CONFORM_ROWS_MAX];
    size_t             count;
};

/* NULL behind the last one that fits. */
struct conform_row *conform_report_add(struct conform_report *report, const char *sentence);
size_t              conform_report_failures(const struct conform_report *report);
void                conform_report_print(const struct conform_report *report, bool is_json);

#endif
