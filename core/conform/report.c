/* report.c - the results of a contract: one row for each case. */
#include "conform/runner.h"

struct contract_row *contract_report_add(struct contract_report *report, const char *sentence)
{
    struct contract_row *row = report->count < CONTRACT_ROWS_MAX ? &report->rows[report->count++]
                                                                 : NULL;

    if (row)
        *row = (struct contract_row){ .sentence = sentence };
    return row;
}

size_t contract_report_count(const struct contract_report *report, enum contract_outcome outcome)
{
    size_t count = 0;

    for (size_t i = 0; i < report->count; i++)
        count += report->rows[i].outcome == outcome;
    return count;
}
