/* hiredis_driver.c - the native peer of cache/redis: libhiredis' own pipeline, blocking, on one
 * connection.
 *
 *      hiredis_driver PORT set|get CALLERS TOTAL
 *
 * Formats each command with its key, as many as there are callers, sends them, and reads and looks
 * at each answer; so it does what a program does that uses the library, where redis-benchmark
 * repeats bytes made beforehand. Prints operations a second and the microseconds of processor each
 * took.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { KEYS = 1000, VALUE_BYTES = 100 };

static char value[VALUE_BYTES + 1];

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "hiredis_driver: %s: %s\n", what, why);
    exit(1);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double processor_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void send_one(redisContext *redis, int is_set, long n)
{
    char        key[32];
    const char *words[] = { is_set ? "SET" : "GET", key, value };
    size_t      lens[] = { 3, (size_t)snprintf(key, sizeof(key), "bp:v:load%ld", n % KEYS),
                           VALUE_BYTES };

    if (redisAppendCommandArgv(redis, is_set ? 3 : 2, words, lens) != REDIS_OK)
        fail("a command", redis->errstr);
}

static void read_one(redisContext *redis, int is_set)
{
    redisReply *reply = NULL;
    void       *raw = NULL;

    if (redisGetReply(redis, &raw) != REDIS_OK)
        fail("an answer", redis->errstr);
    reply = raw;
    if (is_set ? reply->type != REDIS_REPLY_STATUS
               : reply->type != REDIS_REPLY_STRING || reply->len != VALUE_BYTES)
        fail("an answer", reply->str ? reply->str : "it is of another type");
    freeReplyObject(reply);
}

int main(int argc, char **argv)
{
    int  is_set = argc == 5 && strcmp(argv[2], "set") == 0;
    long callers = argc == 5 ? atol(argv[3]) : 0, total = argc == 5 ? atol(argv[4]) : 0, done = 0;
    redisContext *redis;
    double        began, began_processor;

    if (callers < 1 || total < callers)
        fail("usage", "hiredis_driver PORT set|get CALLERS TOTAL");
    memset(value, 'v', VALUE_BYTES);
    redis = redisConnect("127.0.0.1", atoi(argv[1]));
    if (!redis || redis->err)
        fail("connect", redis ? redis->errstr : "no memory");
    for (long n = 0; n < KEYS; n++)
        send_one(redis, 1, n);
    for (long n = 0; n < KEYS; n++)
        read_one(redis, 1);
    began = seconds();
    began_processor = processor_seconds();
    while (done < total) {
        for (long i = 0; i < callers; i++)
            send_one(redis, is_set, done + i);
        for (long i = 0; i < callers; i++)
            read_one(redis, is_set);
        done += callers;
    }
    printf("%.0f %.3f\n", (double)done / (seconds() - began),
           (processor_seconds() - began_processor) * 1e6 / (double)done);
    redisFree(redis);
    return 0;
}
