/* shared_text.h - a text that several hold, each for as long as it needs it. Any thread. */
#ifndef CORE_BASE_SHARED_TEXT_H
#define CORE_BASE_SHARED_TEXT_H

#include <backplane/base.h>

struct shared_text {
    _Atomic uint32_t refs;
    size_t           len;
    char             data[]; /* NUL-terminated */
};

struct shared_text *shared_text_new(bp_str text);               /* NULL: no memory; one reference */
struct shared_text *shared_text_hold(struct shared_text *text); /* NULL is allowed */
void                shared_text_release(struct shared_text *text); /* NULL is allowed */

static inline bp_str shared_text_str(const struct shared_text *text)
{
    return text ? bp_str_n(text->data, text->len) : (bp_str){ NULL, 0 };
}

#endif
