/* failure.c - reports why a start failed: on standard error, and in the log if that is a file. */
#include <stdarg.h>
#include <stdio.h>

#include "host/steps.h"

void host_say_failure(struct host *host, const char *format, ...)
{
    char    text[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "backplane: %s\n", text);
    if (host->log && host->conf && host->conf->log.file.len)
        log_message(host->log, BP_LOG_ERROR, "start_failed", "%s", text);
}

void host_log_conf_problems(struct host *host)
{
    struct log_options options = { .level = BP_LOG_INFO,
                                   .path = host->conf->log.file.data,
                                   .queue_lines = 1024 };
    struct log        *log = host->conf->log.file.len ? log_open(&options) : NULL;

    for (const struct conf_problem *problem = host->conf->problems.first; log && problem;
         problem = problem->next)
        if (!problem->is_warning)
            log_message(log, BP_LOG_ERROR, "start_failed", "%s:%u:%u: " BP_FMT ": " BP_FMT,
                        host->conf->file, problem->position.line, problem->position.column,
                        BP_ARG(problem->path), BP_ARG(problem->text));
    if (log)
        log_close(log);
}
