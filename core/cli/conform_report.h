/* conform_report.h - the report of a contract, printed as a table in Markdown for a README or as
 * JSON.
 */
#ifndef CORE_CLI_CONFORM_REPORT_H
#define CORE_CLI_CONFORM_REPORT_H

#include "conform/runner.h"

void conform_report_print(const struct contract_report *report, bool is_json);

#endif
