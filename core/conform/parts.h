/* parts.h - shared by the files of this folder only. */
#ifndef CORE_CONFORM_PARTS_H
#define CORE_CONFORM_PARTS_H

#include "base/buf.h"
#include "conform.h"
#include "conform/runner.h"
#include "host/exit_status.h"
#include "host/host.h"

enum { CONTRACT_TEXTS_MAX = 4096 };

struct contract_runner {
    const struct contract_wish *wish;
    struct contract_report     *report;
    char                        folder[64];   /* of the run: its data are in there */
    const char                 *outside_file; /* of a plugin that is not installed; or NULL */
    char                       *conf, *wrong_conf;
    struct host                 host;
    struct conform              conform;
    bp_str                      texts[CONTRACT_TEXTS_MAX];
    struct arena                arena;
};

/* What a host is started for. */
enum contract_phase { CONTRACT_PHASE_CASES, CONTRACT_PHASE_RESTARTED, CONTRACT_PHASE_REFUSALS };

/* runner.c */
void contract_say(const struct contract_wish *wish, const char *format, ...) BP_FORMAT(2, 3);

/* plugin_choice.c: fills the head of the report and both confs. False after a sentence. */
bool contract_choose_plugin(struct contract_runner *run);

/* written_conf.c */
/* To be freed; NULL after a sentence. With the wrong settings in place of the right ones, or
 * without. `outside_file` NULL: the plugin is installed. */
char *contract_conf_write(const struct contract_wish *wish, const struct plugin *plugin,
                          const char *outside_file, const char *folder, bool is_wrong);
/* Whether this part can go wrong. False after a sentence. */
bool contract_conf_check_wrong(const struct contract_wish *wish, const struct plugin *plugin);

/* hosts.c: one host on the conf, the cases of a phase, the end. EXIT_DONE, or its status. That it
 * does not start is right for refusals. */
int contract_run_host(struct contract_runner *run, char *conf, enum contract_phase phase);

/* cases.c */
bool contract_has_phase(const char *kind, enum contract_phase phase);
void contract_run_cases(struct contract_runner *run, enum contract_phase phase);

/* tools.c: fills what only a host can do. The command may be NULL. */
void contract_give_tools(struct conform *conform, const char *command);

/* texts.c: the awkward texts, and those of a file; NULL: none. False after a sentence. */
bool contract_read_texts(struct contract_runner *run, const char *path);

#endif
