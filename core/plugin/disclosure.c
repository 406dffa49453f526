/* disclosure.c - the client's sentence for a back end's failure. */
#include "plugin/disclosure.h"

#include <ctype.h>

static const struct {
    const char *kind, *name;
    bool        is_judge; /* what it says of an input may be about what the client sent */
} parts[] = {
    { "storage", "the storage", false },    { "cache", "the cache", false },
    { "vector", "the vector store", true }, { "embed", "the embedder", true },
    { "llm", "the model provider", true },
};

/* Only these are about the request. */
static bool is_about_input(bp_status status)
{
    return status == BP_INVALID || status == BP_NOT_FOUND || status == BP_CONFLICT ||
           status == BP_TOO_LARGE || status == BP_UNSUPPORTED || status == BP_INPUT_REQUIRED;
}

/* host:5432, [::1]:80 */
static bool is_port_at(bp_str text, size_t colon)
{
    size_t digits = 0;

    while (colon + 1 + digits < text.len && isdigit((unsigned char)text.data[colon + 1 + digits]))
        digits++;
    return digits >= 2 && colon > 0 &&
           (isalnum((unsigned char)text.data[colon - 1]) || text.data[colon - 1] == ']');
}

/* Whether a sentence looks as if it named a place: a URL, an address with its port, an absolute
 * path. Sentences about a mistake of an input do not. */
static bool names_place(bp_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        bool is_first = i == 0 || strchr(" \"'(=", text.data[i - 1]);

        if (text.data[i] == '/' && is_first && i + 1 < text.len &&
            isalnum((unsigned char)text.data[i + 1]))
            return true;
        if (text.data[i] == ':' &&
            (is_port_at(text, i) || (i + 2 < text.len && memcmp(text.data + i, "://", 3) == 0)))
            return true;
    }
    return false;
}

static const char *what_happened(bp_status status)
{
    switch (status) {
    case BP_UNAVAILABLE:
        return "cannot be reached now: try again later";
    case BP_DEADLINE:
        return "did not answer within the time allowed";
    case BP_UPSTREAM:
        return "answered with an error, or with an answer that makes no sense";
    case BP_LIMIT:
        return "has too much to do now: try again later";
    case BP_FULL:
        return "has no space left, or may only be read";
    case BP_UNAUTHENTICATED:
    case BP_DENIED:
        return "does not take the credentials of this server";
    case BP_NO_MEMORY:
        return "needs more memory than one request may take";
    case BP_CANCELLED:
        return "was no longer waited for";
    case BP_NOT_FOUND:
        return "has no such object";
    case BP_CONFLICT:
        return "has something that is in the way of this";
    case BP_UNSUPPORTED:
        return "cannot do this";
    default:
        return is_about_input(status) ? "does not take this input" : "failed";
    }
}

/* Tells an app the client's sentence, and the log all of it. */
static void split(bp_call *call, const struct instance *caller, bp_status status)
{
    bp_error *error = &call->error;

    if (!caller || strcmp(caller->unit->conf->kind, "app") != 0 ||
        bp_str_equal(error->message, error->client_message))
        return;
    if (status != BP_CANCELLED) // an absent thing need not be a failure: an app may have asked
                                // whether it is
        call_log(call, status == BP_NOT_FOUND ? BP_LOG_INFO : BP_LOG_WARN,
                 BP_STR("back_end_failed"), error->message,
                 (bp_field[]){ bp_field_str("error_type", bp_str_of(bp_status_label(status))),
                               bp_field_str("for_instance", caller->unit->conf->name) },
                 sizeof(bp_field), 2);
    error->message = error->client_message;
}

void disclosure_decide(bp_call *call, const struct instance *instance,
                       const struct instance *caller, bp_status status)
{
    const char *kind = instance->unit->conf->kind;
    bp_error   *error = &call->error;
    size_t      i = 0;

    if (!instance->unit->is_up)
        error->client_message = BP_STR("this part of the server is not in service now");
    while (i < sizeof(parts) / sizeof(parts[0]) && strcmp(parts[i].kind, kind) != 0)
        i++;
    if (i < sizeof(parts) / sizeof(parts[0]) &&
        (!error->client_message.len || names_place(error->client_message))) {
        if (parts[i].is_judge && is_about_input(status) && error->message.len &&
            !names_place(error->message))
            error->client_message = error->message;
        else
            error->client_message = arena_format(call->arena, "%s %s", parts[i].name,
                                                 what_happened(status));
    }
    if (error->client_message.len)
        split(call, caller, status);
}

void disclosure_of_network(bp_call *call, bp_status status)
{
    const struct instance *caller = instance_of_call(call);

    if (!caller || strcmp(caller->unit->conf->kind, "app") != 0)
        return; // a back end: its gate decides
    call->error.client_message = arena_format(call->arena, "another server %s",
                                              what_happened(status));
    split(call, caller, status);
}
