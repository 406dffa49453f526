/* conform_report.c - the table that `backplane conform` prints. */
#include "cli/conform_report.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/json.h"
#include "version.h"

enum { REPORT_BYTES_MAX = 1 << 20 };

static const char *const outcome_names[] = { "holds", "fails", "skipped" };

/* A cell has one line, and no bar of its own. */
static void print_cell(const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            fputs("\\|", stdout);
        else
            putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
}

static void print_table(const struct contract_report *report)
{
    printf("| %s/%s %s against the contract of %s %u | |\n|---|---|\n", report->kind, report->name,
           report->version, report->kind, report->kind_version);
    for (size_t i = 0; i < report->count; i++) {
        const struct contract_row *row = &report->rows[i];

        printf("| %s | %s", row->sentence, outcome_names[row->outcome]);
        if (row->detail[0]) {
            fputs(": ", stdout);
            print_cell(row->detail);
        }
        puts(" |");
    }
    printf("\n%zu hold, %zu fail, %zu skipped; Backplane %s, %u workers\n",
           contract_report_count(report, CONTRACT_HOLDS),
           contract_report_count(report, CONTRACT_FAILS),
           contract_report_count(report, CONTRACT_SKIPPED), BACKPLANE_VERSION, report->workers);
}

static void print_json(const struct contract_report *report)
{
    struct bp_buf  buf;
    bp_json_writer w;

    buf_init(&buf, NULL, REPORT_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin(&w, JSON_KIND_OBJECT);
    json_put_text(&w, "kind", report->kind);
    json_put_text(&w, "name", report->name);
    json_put_text(&w, "version", report->version);
    json_put_integer(&w, "kind_version", report->kind_version);
    json_key(&w, BP_STR("cases"));
    json_begin(&w, JSON_KIND_ARRAY);
    for (size_t i = 0; i < report->count; i++) {
        json_begin(&w, JSON_KIND_OBJECT);
        json_put_text(&w, "sentence", report->rows[i].sentence);
        json_put_text(&w, "outcome", outcome_names[report->rows[i].outcome]);
        json_put_text(&w, "detail", report->rows[i].detail);
        json_put_number(&w, "seconds", report->rows[i].seconds);
        json_end(&w);
    }
    json_end(&w);
    json_put_integer(&w, "fails", (int64_t)contract_report_count(report, CONTRACT_FAILS));
    json_end(&w);
    printf("%s\n", json_writer_status(&w) == BP_OK ? buf_str(&buf).data : "{}");
    buf_free(&buf);
}

void conform_report_print(const struct contract_report *report, bool is_json)
{
    if (is_json)
        print_json(report);
    else
        print_table(report);
    fflush(stdout);
}
