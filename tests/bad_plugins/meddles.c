/* meddles.c - changes what belongs to the whole process: umask, locale, a signal handler, standard
 * input. */
#include <locale.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sound.h"

static bp_status start(bp_call *call, void *instance, void *shared)
{
    sigset_t set;

    (void)call;
    (void)instance;
    (void)shared;
    umask(0);
    setlocale(LC_ALL, "C.UTF-8");
    signal(SIGTERM, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    close(0);
    return BP_OK;
}

static const bp_life life = { .struct_size = sizeof(bp_life), .worker_start = start };

BP_PLUGIN(health, "meddles", "1.0.0", .life = &life, .ops = &sound_ops)
