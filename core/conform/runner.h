/* runner.h - runs the contract of a plugin's kind (sdk/conform) on it, in a host of its own.
 *
 * A conf is written for the one instance, with the settings that are wished; what it refers to as
 * "main" are embedded back ends. The cases run as calls on its workers, some on all of them at
 * once. Afterwards the host is taken down, and what the plugin left open counts as a case that
 * fails. Nothing is printed: sentences go to the wish's say(), rows to the report.
 *
 *      runner.c         the folder and the phases of a run
 *      plugin_choice.c  the plugin, by its file or its name
 *      written_conf.c   the conf that the host runs on
 *      hosts.c          one host for each phase, and what it leaves; cases.c: its cases
 *      tools.c          what only a host can do for a case; memory.c: the memory of the process
 *      web.c            the way from the cases of an app to its routes
 *      texts.c          texts that trip programs
 *      report.c         rows
 */
#ifndef CORE_CONFORM_RUNNER_H
#define CORE_CONFORM_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CONTRACT_ROWS_MAX = 64,
    CONTRACT_DETAIL_BYTES = 1100,
    CONTRACT_SETTINGS_MAX = 64,
    CONTRACT_WORD_BYTES = 64
};

enum contract_outcome { CONTRACT_HOLDS, CONTRACT_FAILS, CONTRACT_SKIPPED };

struct contract_row {
    const char           *sentence; /* of the contract: it lives as long as the program */
    enum contract_outcome outcome;
    double                seconds;
    char                  detail[CONTRACT_DETAIL_BYTES]; /* why it fails or was skipped */
};

struct contract_report {
    char                kind[CONTRACT_WORD_BYTES], name[CONTRACT_WORD_BYTES];
    char                version[CONTRACT_WORD_BYTES]; /* of the plugin */
    uint32_t            kind_version, workers;
    struct contract_row rows[CONTRACT_ROWS_MAX];
    size_t              count;
};

/* The contract to run. Everything is borrowed until contract_run() returns. */
struct contract_wish {
    const char *plugin;     /* a file, or the name of one that is installed */
    const char *kind;       /* NULL: any */
    const char *restart;    /* the command that restarts the server behind it; NULL: none */
    const char *texts_file; /* more awkward texts, a JSON array of strings; NULL: none */
    uint32_t    workers;    /* from 1 to CONFORM_WORKERS_MAX */
    const char *settings[CONTRACT_SETTINGS_MAX]; /* "KEY=VALUE" of the instance */
    const char *wrong[CONTRACT_SETTINGS_MAX];    /* in their place, to make its credentials wrong */
    const char *peers[CONTRACT_SETTINGS_MAX];    /* "KIND=YAML", in place of the embedded "main" */
    size_t      setting_count, wrong_count, peer_count;
    /* Either may be NULL; on the thread of contract_run(). */
    void (*say)(void *arg, const char *sentence); /* why it cannot be run */
    void (*judged)(void *arg, const struct contract_row *row);
    void *arg;
};

/* EXIT_DONE: the report is filled, whether or not the contract holds. EXIT_USAGE: the wish cannot
 * be fulfilled, with a sentence to say(). Else the status of a host that did not start, which says
 * itself why. One run at a time in a process, from a thread that is no worker; it takes minutes.
 * Data are kept in a folder in /tmp that is removed at the end. */
int contract_run(const struct contract_wish *wish, struct contract_report *report);

/* NULL behind the last one that fits. */
struct contract_row *contract_report_add(struct contract_report *report, const char *sentence);
size_t contract_report_count(const struct contract_report *report, enum contract_outcome outcome);

#endif
