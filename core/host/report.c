/* report.c - prints the mistakes in a conf, for the person at the terminal. */
#include "host/report.h"

#include "conf/conf_print.h"

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

int report_problems(const struct conf *conf, FILE *errors)
{
    const struct conf_problems *problems = &conf->problems;
    struct bp_buf               text;

    buf_init(&text, NULL, CONF_PRINT_MAX_BYTES);
    problems_print(problems, &text);
    if (problems->error_count || problems->warning_count)
        buf_addf(&text, "%s: %zu error%s, %zu warning%s\n", conf->file, problems->error_count,
                 plural(problems->error_count), problems->warning_count,
                 plural(problems->warning_count));
    if (buf_status(&text) == BP_OK)
        fwrite(text.data, 1, text.len, errors);
    else
        fprintf(errors, "%s: no memory to name its mistakes: %zu errors\n", conf->file,
                problems->error_count);
    buf_free(&text);
    return problems->error_count ? 1 : 0;
}
