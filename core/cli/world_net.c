/* world_net.c - unresolvable names, and credentials that go over a plain connection or are written
 * in the conf. */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/str.h"
#include "cli/world.h"
#include "net/dns.h"

enum { NAMES_MAX = 128, RESOLVE_S = 2 };

/* ---- names ---- */

/* One name that a thread looks up; the last one who needs it frees it. */
struct name {
    char              host[256];
    int               result;
    bool              is_done;
    struct name_list *list;
};

struct name_list {
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    size_t          count, done, users;
    struct name     names[NAMES_MAX];
    struct {
        struct world_option     option;
        const struct conf_node *item;
        size_t                  name;
    } uses[NAMES_MAX];
    size_t use_count;
};

static void list_release(struct name_list *list)
{
    bool is_last;

    pthread_mutex_lock(&list->lock);
    is_last = --list->users == 0;
    pthread_mutex_unlock(&list->lock);
    if (is_last)
        free(list);
}

static void *look_up(void *arg)
{
    struct name    *name = arg;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    int             result = getaddrinfo(name->host, NULL, &hints, &found);

    if (found)
        freeaddrinfo(found);
    pthread_mutex_lock(&name->list->lock);
    name->result = result;
    name->is_done = true;
    name->list->done++;
    pthread_cond_signal(&name->list->changed);
    pthread_mutex_unlock(&name->list->lock);
    list_release(name->list);
    return NULL;
}

static void add_name(struct name_list *list, const struct world_option *option,
                     const struct conf_node *item, bp_str host)
{
    struct dns_answer answer;
    size_t            at = 0;

    if (!host.len || host.len > 255 || dns_is_literal(host, 1, &answer) ||
        bp_str_is(host, "localhost") || host.data[0] == '[' || world_shell_word(host).len ||
        list->use_count == NAMES_MAX)
        return;
    while (at < list->count && !bp_str_is(host, list->names[at].host))
        at++;
    if (at == NAMES_MAX)
        return;
    if (at == list->count) {
        memcpy(list->names[at].host, host.data, host.len);
        list->names[at].host[host.len] = '\0';
        list->count++;
    }
    list->uses[list->use_count].option = *option;
    list->uses[list->use_count].item = item;
    list->uses[list->use_count++].name = at;
}

/* "user:password@a:1,b:2/path" behind the scheme: every host. */
static void add_url(struct name_list *list, const struct world_option *option, bp_str url)
{
    const char *slashes = url.len ? strstr(url.data, "://") : NULL;
    bp_str      rest;

    if (!slashes || bp_str_starts(url, "unix"))
        return;
    rest = bp_str_of(slashes + 3);
    rest.len = strcspn(rest.data, "/?#");
    for (size_t i = rest.len; i-- > 0;)
        if (rest.data[i] == '@') {
            rest = bp_str_n(rest.data + i + 1, rest.len - i - 1);
            break;
        }
    while (rest.len) {
        bp_str   one = str_split(rest, ',', &rest), host;
        uint16_t port;

        if (one.len && one.data[0] == '[')
            continue;
        if (dns_split(one, &host, &port))
            one = host;
        else if (memchr(one.data, ':', one.len))
            one.len = (size_t)((const char *)memchr(one.data, ':', one.len) - one.data);
        add_name(list, option, NULL, one);
    }
}

static void add_address(struct name_list *list, struct world *world,
                        const struct world_option *option, const struct conf_node *item,
                        bp_str address)
{
    bp_str      host;
    uint16_t    port;
    struct stat status;

    if (bp_str_starts(address, "unix:")) {
        if (stat(address.data + 5, &status) != 0)
            world_warn(world, option, item, "%s: %s", address.data + 5, strerror(errno));
        return;
    }
    add_name(list, option, item, dns_split(address, &host, &port) ? host : address);
}

struct gathering {
    struct name_list *list;
};

static void gather(struct world *world, const struct world_option *option, void *arg)
{
    struct name_list *list = ((struct gathering *)arg)->list;

    if (option->option.type == BP_OPTION_TYPE_URL)
        add_url(list, option, *(const bp_str *)option->field);
    else if (option->option.type == BP_OPTION_TYPE_ADDRESS)
        add_address(list, world, option, NULL, *(const bp_str *)option->field);
    else if (option->option.type == BP_OPTION_TYPE_LIST && option->option.choices &&
             strcmp(option->option.choices, BP_LIST_ADDRESSES) == 0)
        for (size_t i = 0; i < ((const bp_str_list *)option->field)->count; i++)
            add_address(list, world, option, world_item(option->node, i),
                        ((const bp_str_list *)option->field)->items[i]);
}

static void wait_for_all(struct name_list *list)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RESOLVE_S;
    pthread_mutex_lock(&list->lock);
    while (list->done < list->count &&
           pthread_cond_timedwait(&list->changed, &list->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&list->lock);
}

static void start_looking(struct name_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        pthread_t thread;

        list->names[i].list = list;
        pthread_mutex_lock(&list->lock);
        list->users++;
        pthread_mutex_unlock(&list->lock);
        if (pthread_create(&thread, NULL, look_up, &list->names[i]) == 0) {
            pthread_detach(thread);
            continue;
        }
        list_release(list);
        list->names[i].is_done = true; // nothing is said of it
        pthread_mutex_lock(&list->lock);
        list->done++;
        pthread_mutex_unlock(&list->lock);
    }
}

void world_check_names(struct world *world)
{
    struct name_list *list = calloc(1, sizeof(*list));
    struct gathering  gathering = { list };

    if (!list)
        return;
    pthread_mutex_init(&list->lock, NULL);
    pthread_cond_init(&list->changed, NULL);
    list->users = 1;
    world_each_option(world, gather, &gathering);
    start_looking(list);
    wait_for_all(list);
    for (size_t i = 0; i < list->use_count; i++) {
        struct name *name = &list->names[list->uses[i].name];
        bool         is_done;

        pthread_mutex_lock(&list->lock);
        is_done = name->is_done;
        pthread_mutex_unlock(&list->lock);
        if (!is_done)
            world_warn(world, &list->uses[i].option, list->uses[i].item,
                       "the name %s could not be looked up within %d s", name->host, RESOLVE_S);
        else if (name->result != 0)
            world_warn(world, &list->uses[i].option, list->uses[i].item,
                       "the name %s cannot be resolved here: %s", name->host,
                       gai_strerror(name->result));
    }
    list_release(list);
}

/* ---- what goes over a plain connection, and what stands in the file ---- */

static bool is_here(bp_str url)
{
    const char *slashes = strstr(url.data, "://");
    bp_str      host = slashes ? bp_str_of(slashes + 3) : url, rest;

    host.len = strcspn(host.data, "/?#");
    for (size_t i = host.len; i-- > 0;)
        if (host.data[i] == '@') {
            host = bp_str_n(host.data + i + 1, host.len - i - 1);
            break;
        }
    if (bp_str_starts(host, "[::1]"))
        return true;
    host = str_split(host, ':', &rest);
    return bp_str_is(host, "localhost") || bp_str_starts(host, "127.");
}

static bool has_password(bp_str url)
{
    const char *slashes = url.len ? strstr(url.data, "://") : NULL;
    const char *at, *colon;
    size_t      len;

    if (!slashes)
        return false;
    len = strcspn(slashes + 3, "/?#");
    at = memchr(slashes + 3, '@', len);
    colon = memchr(slashes + 3, ':', len);
    return at && colon && colon < at && colon + 1 < at;
}

static void look_at_credentials(struct world *world, const struct world_option *option, void *arg)
{
    static const char *const secrets[] = { "api_key", "token" };
    struct world_option      secret;
    bp_str                   url;

    (void)arg;
    if (option->option.type != BP_OPTION_TYPE_URL || !option->node)
        return;
    url = *(const bp_str *)option->field;
    if (has_password(url) && !option->node->source.len)
        world_warn(world, option, NULL,
                   "holds a password written into this file; keep the URL elsewhere and write "
                   "${NAME} or ${file:/run/secrets/%s}",
                   option->option.name);
    for (size_t i = 0; option->instance && i < sizeof(secrets) / sizeof(secrets[0]); i++)
        if (bp_str_starts(url, "http://") && !is_here(url) &&
            world_find_option(option->instance, secrets[i], &secret) &&
            secret.option.type == BP_OPTION_TYPE_SECRET && ((const bp_str *)secret.field)->len)
            world_warn(world, option, NULL,
                       "sends %s over a plain connection, where anyone on the network can read it: "
                       "use https://",
                       secrets[i]);
}

void world_check_credentials(struct world *world)
{
    world_each_option(world, look_at_credentials, NULL);
}
