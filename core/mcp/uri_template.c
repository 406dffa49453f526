/* uri_template.c - takes a uri apart by the template of a resource. */
#include "mcp/uri_template.h"

#include <string.h>

bool uri_template_fits(bp_str template, bp_str uri, struct uri_value values[URI_VALUES_MAX],
                       size_t *count)
{
    *count = 0;
    while (template.len) {
        const char *close;
        size_t      name_len, len = 0;
        char        stop;

        if (template.data[0] != '{') {
            if (!uri.len || uri.data[0] != template.data[0])
                return false;
            template = bp_str_n(template.data + 1, template.len - 1);
            uri = bp_str_n(uri.data + 1, uri.len - 1);
            continue;
        }
        close = memchr(template.data, '}', template.len);
        if (!close || *count == URI_VALUES_MAX)
            return false;
        name_len = (size_t)(close - template.data) - 1;
        stop = name_len + 2 < template.len ? close[1] : '/';
        while (len < uri.len && uri.data[len] != '/' && uri.data[len] != stop)
            len++;
        if (!len)
            return false;
        values[*count].name = bp_str_n(template.data + 1, name_len);
        values[(*count)++].value = bp_str_n(uri.data, len);
        template = bp_str_n(close + 1, template.len - name_len - 2);
        uri = bp_str_n(uri.data + len, uri.len - len);
    }
    return uri.len == 0;
}
