/* shared_text.c - a text with a count of those who hold it. */
#include "base/shared_text.h"

#include <stdlib.h>

struct shared_text *shared_text_new(bp_str text)
{
    struct shared_text *made = malloc(sizeof(*made) + text.len + 1);

    if (!made)
        return NULL;
    made->refs = 1;
    made->len = text.len;
    if (text.len)
        memcpy(made->data, text.data, text.len);
    made->data[text.len] = '\0';
    return made;
}

struct shared_text *shared_text_hold(struct shared_text *text)
{
    if (text)
        text->refs++;
    return text;
}

void shared_text_release(struct shared_text *text)
{
    if (text && --text->refs == 0)
        free(text);
}
