/* embedded_conf.h - a conf for apps that were named on the command line: each with the embedded
 * back ends it refers to. */
#ifndef CORE_HOST_EMBEDDED_CONF_H
#define CORE_HOST_EMBEDDED_CONF_H

#include <backplane/option.h>

enum { EMBEDDED_APPS_MAX = 16, EMBEDDED_SETTINGS_MAX = 128, EMBEDDED_WORDS_MAX = 256 };

struct embedded_conf {
    bp_str      apps[EMBEDDED_APPS_MAX]; /* names of plugins */
    size_t      app_count;
    const char *settings[EMBEDDED_SETTINGS_MAX]; /* "key=value", "app.key=value" */
    size_t      setting_count;
    const char *
        words[EMBEDDED_WORDS_MAX]; /* for the first list that an app requires and that is not set */
    size_t      word_count;
    const char *data_dir; /* NULL: $XDG_STATE_HOME/backplane, ~/.local/state/backplane */
};

struct bp_buf;

/* The value of an option as YAML: a list for those that take one, else a quoted text. */
void embedded_conf_add_value(struct bp_buf *out, const bp_option *option, bp_str value);
/* An instance "main" of each kind that has an embedded back end, but of `except_kind`; or what
 * `others` say, each as "KIND={ use: ... }". */
void embedded_conf_add_backends(struct bp_buf *out, const char *except_kind,
                                const char *const *others, size_t other_count);

/* The conf as YAML, to be freed; NULL after sentences on stderr. */
char *embedded_conf_write(const struct embedded_conf *wish);

#endif
