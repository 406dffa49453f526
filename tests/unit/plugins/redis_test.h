/* redis_test.h - a redis-server of a test's own, on a socket in the test's directory; tests are
 * skipped without one. */
#ifndef REDIS_TEST_H
#define REDIS_TEST_H

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

static pid_t redis_pid;
static char  redis_socket[128], redis_url[160];

static inline void sleep_ms(long ms)
{
    struct timespec duration = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&duration, NULL);
}

static inline bool redis_accepts(void)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int                fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool               is_up;

    snprintf(name.sun_path, sizeof(name.sun_path), "%s", redis_socket);
    is_up = fd >= 0 && connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0;
    if (fd >= 0)
        close(fd);
    return is_up;
}

/* false: there is no redis-server on this machine. */
static inline bool redis_start(void)
{
    if (system("command -v redis-server >/dev/null 2>&1") != 0)
        return false;
    snprintf(redis_socket, sizeof(redis_socket), "%s/redis.sock", directory);
    snprintf(redis_url, sizeof(redis_url), "unix://%s", redis_socket);
    unlink(redis_socket);
    redis_pid = fork();
    if (redis_pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        dup2(null, 2);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", redis_socket,
               "--save", "", "--dir", directory, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 2000 && !redis_accepts(); i++)
        sleep_ms(10);
    return true;
}

static inline void redis_stop(void)
{
    if (redis_pid > 0) {
        kill(redis_pid, SIGKILL);
        waitpid(redis_pid, NULL, 0);
    }
    redis_pid = 0;
}

#endif
