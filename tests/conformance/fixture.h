/* fixture.h - what the files of the conformance fixture share. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <backplane/loop.h>
#include <backplane/mcp.h>
#include <backplane/plugin.h>

bp_str            fixture_png_bytes(void);
bp_str            fixture_wav_bytes(void);
extern const char fixture_png[68], fixture_wav[45];

enum { FIXTURE_TOOLS = 37 };
extern const bp_mcp_tool fixture_tools_all[FIXTURE_TOOLS];

/* questions.c */
bp_status tool_sampling(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_elicitation(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_elicitation_defaults(bp_call *call, void *instance, const bp_json *arguments,
                                    bp_mcp *mcp);
bp_status tool_elicitation_enums(bp_call *call, void *instance, const bp_json *arguments,
                                 bp_mcp *mcp);
bp_status tool_streaming_elicitation(bp_call *call, void *instance, const bp_json *arguments,
                                     bp_mcp *mcp);
bp_status tool_ask_name(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_ask_model(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_ask_roots(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_ask_with_state(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_ask_all(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_ask_twice(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_ask_what_it_can(bp_call *call, void *instance, const bp_json *arguments,
                               bp_mcp *mcp);

/* jobs.c */
bp_status tool_greet(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_slow_compute(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_failing_job(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_protocol_error_job(bp_call *call, void *instance, const bp_json *arguments,
                                  bp_mcp *mcp);
bp_status tool_confirm_delete(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_multi_input(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);
bp_status tool_with_task(bp_call *call, void *instance, const bp_json *arguments, bp_mcp *mcp);

#endif
