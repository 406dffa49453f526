/* runner.c - the run of a contract: its folder, the phases one after the other. */
#include "conform/runner.h"

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "conform/parts.h"
#include "conform/web.h"

enum { SENTENCE_BYTES = 8192 };

void contract_say(const struct contract_wish *wish, const char *format, ...)
{
    char    sentence[SENTENCE_BYTES];
    va_list list;

    va_start(list, format);
    vsnprintf(sentence, sizeof(sentence), format, list);
    va_end(list);
    if (wish->say)
        wish->say(wish->arg, sentence);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static bool make_folder(struct contract_runner *run)
{
    unsigned char bytes[4];

    snprintf(run->folder, sizeof(run->folder), "%s", "/tmp/backplane-conform-XXXXXX");
    if (!mkdtemp(run->folder)) {
        contract_say(run->wish, "a folder for the run: %s", strerror(errno));
        run->folder[0] = '\0';
        return false;
    }
    crypto_random(bytes, sizeof(bytes));
    snprintf(run->conform.name, sizeof(run->conform.name), "conform_%02x%02x%02x%02x", bytes[0],
             bytes[1], bytes[2], bytes[3]);
    return true;
}

static int run_phases(struct contract_runner *run)
{
    int status = contract_run_host(run, run->conf, CONTRACT_PHASE_CASES);

    if (status == EXIT_DONE && contract_has_phase(run->report->kind, CONTRACT_PHASE_RESTARTED))
        status = contract_run_host(run, run->conf, CONTRACT_PHASE_RESTARTED);
    if (status == EXIT_DONE && run->wrong_conf)
        status = contract_run_host(run, run->wrong_conf, CONTRACT_PHASE_REFUSALS);
    return status;
}

int contract_run(const struct contract_wish *wish, struct contract_report *report)
{
    struct contract_runner *run = calloc(1, sizeof(*run));
    int                     status = EXIT_USAGE;

    *report = (struct contract_report){ .workers = wish->workers };
    if (!run)
        return EXIT_FAILED;
    run->wish = wish;
    run->report = report;
    run->conform.workers = wish->workers;
    contract_give_tools(&run->conform, wish->restart);
    arena_init(&run->arena, 64u << 20);
    if (contract_read_texts(run, wish->texts_file) && make_folder(run) &&
        contract_choose_plugin(run))
        status = run_phases(run);
    contract_web_end();
    if (run->folder[0])
        nftw(run->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(run->conf);
    free(run->wrong_conf);
    arena_free(&run->arena);
    free(run);
    return status;
}
