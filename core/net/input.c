/* input.c - received bytes that are not parsed yet: borrowed as long as possible, else owned. */
#include "net/input.h"

#include <stdlib.h>

void input_free(struct input *input)
{
    if (!input->is_borrowed)
        free(input->data);
    *input = (struct input){ 0 };
}

/* Room for `more` bytes behind the rest, owned, beginning at 0. */
static bool input_room(struct input *input, size_t more)
{
    size_t left = input_left(input), need = left + more;
    char  *data = input->data;

    if (!input->is_borrowed && input->capacity >= need) {
        memmove(data, data + input->at, left);
    } else {
        size_t capacity = need < 512 ? 512 : need + need / 2;

        data = malloc(capacity);
        if (!data)
            return false;
        if (left)
            memcpy(data, input->data + input->at, left);
        input_free(input);
        input->capacity = capacity;
    }
    input->data = data;
    input->at = 0;
    input->len = left;
    return true;
}

bool input_own(struct input *input)
{
    return !input->is_borrowed || input_room(input, 0);
}

bool input_append(struct input *input, const char *bytes, size_t len)
{
    if (input->is_borrowed || input->capacity - input->len < len)
        if (!input_room(input, len))
            return false;
    memcpy(input->data + input->len, bytes, len);
    input->len += len;
    return true;
}
