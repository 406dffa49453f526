/* world_listeners.c - listeners that cannot be bound, or that conflict. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/world.h"
#include "net/dns.h"

struct place {
    const struct conf_node *node;
    bp_str                  address, host;
    uint16_t                port;
    bool                    is_unix, is_any, is_literal;
    struct dns_answer       answer;
};

static bool read_place(bp_str address, const struct conf_node *node, struct place *place)
{
    *place = (struct place){ .node = node, .address = address };
    if (!address.len || world_shell_word(address).len)
        return false;
    place->is_unix = bp_str_starts(address, "unix:");
    if (place->is_unix)
        return true;
    if (!dns_split(address, &place->host, &place->port))
        return false;
    place->is_any = !place->host.len || bp_str_is(place->host, "0.0.0.0") ||
                    bp_str_is(place->host, "::") || bp_str_is(place->host, "*");
    if (bp_str_is(place->host, "localhost"))
        place->host = BP_STR("127.0.0.1");
    place->is_literal = place->is_any || dns_is_literal(place->host, place->port, &place->answer);
    return true;
}

static void say_at(struct world *world, bool is_warning, const struct place *place,
                   const char *sentence)
{
    struct conf_problems *problems = &world->conf->problems;

    if (is_warning)
        problem_add(problems, true,
                    place->node ? place->node->position : (struct conf_position){ 0 },
                    place->node ? node_path(problems->arena, place->node, bp_str_of(NULL))
                                : BP_STR("server.listen"),
                    "%s", sentence);
    else
        problem_add(problems, false,
                    place->node ? place->node->position : (struct conf_position){ 0 },
                    place->node ? node_path(problems->arena, place->node, bp_str_of(NULL))
                                : BP_STR("server.listen"),
                    "%s", sentence);
}

static void look_at_overlap(struct world *world, const struct place *late,
                            const struct place *early)
{
    char sentence[512];

    if (late->is_unix || early->is_unix || late->port != early->port || !late->port ||
        bp_str_equal(late->address, early->address))
        return;
    if (!late->is_any && !early->is_any && !bp_str_equal(late->host, early->host))
        return;
    snprintf(sentence, sizeof(sentence),
             "\"" BP_FMT "\" overlaps with \"" BP_FMT
             "\": either could get a connection; give one of them another port",
             BP_ARG(late->address), BP_ARG(early->address));
    say_at(world, false, late, sentence);
}

/* Its path is absolute and as short as one has to be, or the conf would not be valid. */
static void look_at_socket(struct world *world, const struct place *place)
{
    const char *path = place->address.data + 5;
    const char *slash = strrchr(path, '/');
    struct stat status;
    char        folder[4200], sentence[4600];

    sentence[0] = '\0';
    snprintf(folder, sizeof(folder), "%.*s", slash > path ? (int)(slash - path) : 1, path);
    if (stat(folder, &status) != 0)
        snprintf(sentence, sizeof(sentence), "%s: %s; the folder of a socket is not made", folder,
                 strerror(errno));
    else if (!S_ISDIR(status.st_mode))
        snprintf(sentence, sizeof(sentence), "%s is no folder: a socket cannot be made in it",
                 folder);
    else if (!world_may(world, folder, W_OK | X_OK))
        snprintf(sentence, sizeof(sentence), "%s may not write to %s", world->user, folder);
    else if (stat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
        snprintf(sentence, sizeof(sentence), "%s exists and is not a socket", path);
    if (sentence[0])
        say_at(world, false, place, sentence);
}

static int first_free_port(void)
{
    FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
    int   port = 1024;

    if (file && fscanf(file, "%d", &port) != 1)
        port = 1024;
    if (file)
        fclose(file);
    return port;
}

/* 0, or the errno of binding; nothing listens, and the socket is gone at once. */
static int try_bind(const struct place *place, bool with_port)
{
    struct dns_address   address = place->answer.addresses[0];
    struct sockaddr_in6 *any = &address.v6;
    int                  fd, problem, one = 1;

    if (place->is_any) {
        memset(any, 0, sizeof(*any));
        any->sin6_family = AF_INET6;
        any->sin6_port = htons(place->port);
        address.size = sizeof(*any);
    }
    if (!with_port && address.any.sa_family == AF_INET6)
        address.v6.sin6_port = 0;
    else if (!with_port)
        address.v4.sin_port = 0;
    fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    problem = bind(fd, &address.any, address.size) == 0 ? 0 : errno;
    close(fd);
    return problem;
}

static void look_at_port(struct world *world, const struct place *place)
{
    char sentence[256];

    if (place->port && place->port < first_free_port() && world->uid != 0)
        snprintf(sentence, sizeof(sentence),
                 "%s may not listen on port %u, which is below %d: use a higher one, or give the "
                 "program CAP_NET_BIND_SERVICE",
                 world->user, place->port, first_free_port());
    else if (place->is_literal && !place->is_any && try_bind(place, false) == EADDRNOTAVAIL)
        snprintf(sentence, sizeof(sentence), "\"" BP_FMT "\" is no address of this machine",
                 BP_ARG(place->host));
    else if (place->is_literal && place->port && try_bind(place, true) == EADDRINUSE) {
        snprintf(sentence, sizeof(sentence),
                 "\"" BP_FMT
                 "\" is in use now, by this server if it is running, or by another process",
                 BP_ARG(place->address));
        say_at(world, true, place, sentence);
        return;
    } else
        return;
    say_at(world, false, place, sentence);
}

void world_check_listeners(struct world *world)
{
    const struct server_conf *server = &world->conf->server;
    struct place             *places = calloc(server->listener_count + 1, sizeof(*places));
    size_t                    count = 0;

    for (size_t i = 0; places && i <= server->listener_count;
         i++) { // the last one is that of the metrics
        bool is_metrics = i == server->listener_count;

        if (!read_place(is_metrics ? server->metrics_listen : server->listeners[i].address,
                        is_metrics ? server->metrics_listen_node : server->listeners[i].node,
                        &places[count]))
            continue;
        for (size_t j = 0; j < count; j++)
            look_at_overlap(world, &places[count], &places[j]);
        if (places[count].is_unix)
            look_at_socket(world, &places[count]);
        else
            look_at_port(world, &places[count]);
        count++;
    }
    free(places);
}
