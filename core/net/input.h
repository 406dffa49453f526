/* input.h - received bytes that are not parsed yet. */
#ifndef NET_INPUT_H
#define NET_INPUT_H

#include <backplane/base.h>

/* Borrowed bytes lie in the worker's read buffer and are gone when the read callback returns. */
struct input {
    char  *data;
    size_t at, len, capacity;
    bool   is_borrowed;
};

static inline size_t input_left(const struct input *input)
{
    return input->len - input->at;
}

static inline const char *input_rest(const struct input *input)
{
    return input->data ? input->data + input->at : "";
}

void input_free(struct input *input);
/* Behind the rest; owned from then on. False when there is no memory. */
bool input_append(struct input *input, const char *bytes, size_t len);
/* Copies the rest if it is borrowed. False when there is no memory. */
bool input_own(struct input *input);

#endif
