/* data_lock.c - the lock on a data folder, and its holder. */
#include "host/data_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static void say_who(int fd, const char *folder, struct reason *why)
{
    char    text[512];
    ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

    text[len > 0 ? len : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    reason_set(why,
               "data_dir: the folder %.300s is used by the server with %.300s: stop that one, run "
               "the command with --url, or give this server its own data_dir",
               folder, text[0] ? text : "an unknown process id");
}

int data_lock_take(const char *folder, const char *conf_file, bool *is_refused, struct reason *why)
{
    char path[4200], text[512];
    int  fd;

    *is_refused = false;
    reason_clear(why);
    snprintf(path, sizeof(path), "%s/server.lock", folder);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        *is_refused = errno == EWOULDBLOCK;
        if (*is_refused)
            say_who(fd, folder, why);
        close(fd);
        return -1;
    }
    snprintf(text, sizeof(text), "the process id %ld and the conf %.400s\n", (long)getpid(),
             conf_file);
    // The lock is what counts; without the words only the owner is harder to see.
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, strlen(text), 0) < 0)
        fprintf(stderr, "backplane: cannot write to %s: %s\n", path, strerror(errno));
    return fd;
}
