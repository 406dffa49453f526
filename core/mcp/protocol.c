/* protocol.c - the words of the Model Context Protocol, as tables. */
#include "mcp/protocol.h"

#include "base/str.h"

static const char *const revisions[MCP_REVISIONS] = { "2024-11-05", "2025-03-26", "2025-06-18",
                                                      "2025-11-25", "2026-07-28" };

const char *mcp_revision_name(enum mcp_revision revision)
{
    return revisions[revision];
}

bool mcp_revision_find(bp_str name, enum mcp_revision *revision)
{
    for (int i = 0; i < MCP_REVISIONS; i++) {
        if (!bp_str_is(name, revisions[i]))
            continue;
        *revision = (enum mcp_revision)i;
        return true;
    }
    return false;
}

/* ---- abilities ---- */

struct ability {
    uint32_t    bit;
    const char *capability, *part; /* "elicitation", "url"; part NULL: the capability itself */
    const char *word;
};

static const struct ability abilities[] = {
    { MCP_CAN_SAMPLE, "sampling", NULL, "sampling" },
    { MCP_CAN_SAMPLE_TOOLS, "sampling", "tools", "sampling.tools" },
    { MCP_CAN_SAMPLE_CONTEXT, "sampling", "context", "sampling.context" },
    { MCP_CAN_ELICIT, "elicitation", NULL, "elicitation" },
    { MCP_CAN_ELICIT_URL, "elicitation", "url", "elicitation.url" },
    { MCP_CAN_LIST_ROOTS, "roots", NULL, "roots" },
    { MCP_CAN_TASKS, "extensions", MCP_EXTENSION_TASKS, "tasks" },
};
enum { ABILITIES = sizeof(abilities) / sizeof(abilities[0]) };

uint32_t mcp_abilities_read(const bp_json *capabilities)
{
    const bp_json *elicitation = json_get(capabilities, BP_STR("elicitation"));
    uint32_t       found = 0;

    for (size_t i = 0; i < ABILITIES; i++) {
        const bp_json *value = json_get(capabilities, bp_str_of(abilities[i].capability));

        if (abilities[i].part)
            value = json_get(value, bp_str_of(abilities[i].part));
        if (json_type_of(value) == JSON_KIND_OBJECT)
            found |= abilities[i].bit;
    }
    // An empty object stands for forms, as before there were others; {"url": {}} alone does not.
    if (json_count(elicitation) > 0 && !json_get(elicitation, BP_STR("form")))
        found &= ~(uint32_t)MCP_CAN_ELICIT;
    return found;
}

uint32_t mcp_ability_find(bp_str name)
{
    for (size_t i = 0; i < ABILITIES; i++)
        if (bp_str_is(name, abilities[i].word))
            return abilities[i].bit;
    return 0;
}

uint32_t mcp_abilities_of_words(const char *words)
{
    bp_str   rest = bp_str_of(words);
    uint32_t found = 0;

    while (rest.len)
        found |= mcp_ability_find(str_split(rest, ' ', &rest));
    return found;
}

uint32_t mcp_ability_for(bp_str method, const bp_json *params)
{
    if (bp_str_is(method, "elicitation/create"))
        return bp_str_is(json_as_string(json_get(params, BP_STR("mode"))), "url")
                   ? MCP_CAN_ELICIT_URL
                   : MCP_CAN_ELICIT;
    if (bp_str_is(method, "sampling/createMessage"))
        return json_get(params, BP_STR("tools")) ? MCP_CAN_SAMPLE | MCP_CAN_SAMPLE_TOOLS
                                                 : MCP_CAN_SAMPLE;
    return bp_str_is(method, "roots/list") ? MCP_CAN_LIST_ROOTS : 0;
}

void mcp_abilities_write(bp_json_writer *w, uint32_t wanted)
{
    const char *open = NULL; // the capability with the object that is being written

    json_begin(w, JSON_KIND_OBJECT);
    for (size_t i = 0; i < ABILITIES; i++) {
        if (!(wanted & abilities[i].bit))
            continue;
        if (!open || strcmp(open, abilities[i].capability) != 0) {
            if (open)
                json_end(w);
            open = abilities[i].capability;
            json_key(w, bp_str_of(open));
            json_begin(w, JSON_KIND_OBJECT);
        }
        if (abilities[i].part) {
            json_key(w, bp_str_of(abilities[i].part));
            json_add_raw(w, BP_STR("{}"));
        }
    }
    if (open)
        json_end(w);
    json_end(w);
}

/* ---- levels ---- */

const char *const mcp_level_names[MCP_LEVELS] = { "debug", "info",     "notice", "warning",
                                                  "error", "critical", "alert",  "emergency" };

uint32_t mcp_level_find(bp_str name)
{
    for (uint32_t i = 0; i < MCP_LEVELS; i++)
        if (bp_str_is(name, mcp_level_names[i]))
            return i;
    return MCP_LEVEL_OFF;
}
