/* guard.c - restores process state that a plugin changed. */
#include "plugin/guard.h"

#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const int signals[GUARD_SIGNALS] = { SIGPIPE, SIGSEGV, SIGABRT, SIGTERM };

void guard_take(struct guard_state *state)
{
    const char *locale = setlocale(LC_ALL, NULL);

    pthread_sigmask(SIG_SETMASK, NULL, &state->mask);
    for (int i = 0; i < GUARD_SIGNALS; i++)
        sigaction(signals[i], NULL, &state->actions[i]);
    state->umask = umask(0);
    umask(state->umask);
    snprintf(state->locale, sizeof(state->locale), "%s", locale ? locale : "C");
    for (int fd = 0; fd < 3; fd++)
        state->standard[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static void complain(struct log *log, const char *plugin, const char *doing, const char *what)
{
    bp_field fields[] = { bp_field_str("plugin", bp_str_of(plugin)) };
    char     text[200];

    snprintf(text, sizeof(text),
             "%s changed %s while %s; it was put back, as it belongs to the whole process", plugin,
             what, doing);
    log_event(log, BP_LOG_ERROR, "plugin_meddled", bp_str_of(text), fields, 1);
}

static bool is_same_mask(const sigset_t *a, const sigset_t *b)
{
    for (int number = 1; number < NSIG; number++)
        if (sigismember(a, number) != sigismember(b, number))
            return false;
    return true;
}

void guard_restore(struct guard_state *state, struct log *log, const char *plugin,
                   const char *doing)
{
    sigset_t    mask;
    mode_t      mode;
    const char *locale = setlocale(LC_ALL, NULL);

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (!is_same_mask(&mask, &state->mask)) {
        pthread_sigmask(SIG_SETMASK, &state->mask, NULL);
        complain(log, plugin, doing, "the signal mask");
    }
    for (int i = 0; i < GUARD_SIGNALS; i++) {
        struct sigaction now;

        sigaction(signals[i], NULL, &now);
        if (now.sa_handler != state->actions[i].sa_handler) {
            sigaction(signals[i], &state->actions[i], NULL);
            complain(log, plugin, doing, "a signal handler");
        }
    }
    mode = umask(state->umask);
    if (mode != state->umask)
        complain(log, plugin, doing, "the umask");
    if (locale && strcmp(locale, state->locale) != 0) {
        setlocale(LC_ALL, state->locale);
        complain(log, plugin, doing, "the locale");
    }
    for (int fd = 0; fd < 3; fd++) {
        struct stat now, before;

        if (state->standard[fd] < 0)
            continue;
        if (fstat(state->standard[fd], &before) == 0 &&
            (fstat(fd, &now) != 0 || now.st_ino != before.st_ino || now.st_dev != before.st_dev)) {
            dup2(state->standard[fd], fd);
            complain(log, plugin, doing, "a standard descriptor");
        }
        close(state->standard[fd]);
    }
}
