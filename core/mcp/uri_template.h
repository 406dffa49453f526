/* uri_template.h - the template of a resource, level 1 of RFC 6570: "notes://{user}/{day}". */
#ifndef CORE_MCP_URI_TEMPLATE_H
#define CORE_MCP_URI_TEMPLATE_H

#include <backplane/base.h>

enum { URI_VALUES_MAX = 8 };

struct uri_value {
    bp_str name, value; /* the value as it stands in the uri */
};

/* Whether it fits the uri; then the values, in the order of the template. {name} stands for what
 * has no slash, and no byte that follows it there. */
bool uri_template_fits(bp_str template, bp_str uri, struct uri_value values[URI_VALUES_MAX],
                       size_t *count);

#endif
