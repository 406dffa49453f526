/* test_abi.c - the golden numbers of the ABI: size and offsets of every struct, and every status,
 * as released in 1.0.
 *
 * It has over 1,000 lines because it is one list, a line for each field, that is compared as a
 * whole.
 *
 * A build that fails here has changed what existing plugins were compiled against. That takes a new
 * BP_ABI_MAJOR, unless only a field was added at a tail: then add its line here and raise
 * BP_ABI_MINOR (sdk/ABI.md, "What may change").
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <backplane/backplane.h>
#include <backplane/testhost.h>

#define SIZE(type, bytes)                                                                          \
    _Static_assert(sizeof(type) == (bytes), "the size of " #type " has changed");
#define FIELD(type, field, place)                                                                  \
    _Static_assert(offsetof(type, field) == (place), #type "." #field " has moved");

_Static_assert(sizeof(void *) == 8 && sizeof(size_t) == 8 && sizeof(bool) == 1,
               "the numbers are those of LP64");
_Static_assert(sizeof(enum bp_option_type) == 4, "an enum of the ABI has four bytes");
_Static_assert(BP_ABI_MAJOR == 1 && BP_ABI_MINOR == 0,
               "a new ABI number asks for a look at this file");
_Static_assert(BP_PLUGIN_MAGIC == 0x42504c47u, "the magic number has changed");

/* ---- <backplane/alert.h> ---- */

SIZE(bp_label, 32)
FIELD(bp_label, name, 0)
FIELD(bp_label, value, 16)

SIZE(bp_alert, 120)
FIELD(bp_alert, struct_size, 0)
FIELD(bp_alert, severity, 4)
FIELD(bp_alert, name, 8)
FIELD(bp_alert, fingerprint, 24)
FIELD(bp_alert, summary, 40)
FIELD(bp_alert, description, 56)
FIELD(bp_alert, labels, 72)
FIELD(bp_alert, label_count, 80)
FIELD(bp_alert, starts_wall_ns, 88)
FIELD(bp_alert, ends_wall_ns, 96)
FIELD(bp_alert, runbook_url, 104)

SIZE(bp_alert_ops, 16)
FIELD(bp_alert_ops, struct_size, 0)
FIELD(bp_alert_ops, deliver, 8)

/* ---- <backplane/app.h> ---- */

SIZE(bp_web_service, 112)
FIELD(bp_web_service, struct_size, 0)
FIELD(bp_web_service, method, 8)
FIELD(bp_web_service, path, 16)
FIELD(bp_web_service, header, 24)
FIELD(bp_web_service, path_value, 32)
FIELD(bp_web_service, query_value, 40)
FIELD(bp_web_service, body_length, 48)
FIELD(bp_web_service, body, 56)
FIELD(bp_web_service, body_read, 64)
FIELD(bp_web_service, set_header, 72)
FIELD(bp_web_service, send, 80)
FIELD(bp_web_service, stream, 88)
FIELD(bp_web_service, write, 96)
FIELD(bp_web_service, sse_event, 104)

SIZE(bp_route, 104)
FIELD(bp_route, method, 0)
FIELD(bp_route, path, 8)
FIELD(bp_route, handler, 16)
FIELD(bp_route, scope, 24)
FIELD(bp_route, summary, 32)
FIELD(bp_route, request_schema, 40)
FIELD(bp_route, response_schema, 48)
FIELD(bp_route, query, 56)
FIELD(bp_route, deadline_ns, 64)
FIELD(bp_route, body_max_bytes, 72)
FIELD(bp_route, rate_per_minute, 80)
FIELD(bp_route, flags, 84)
FIELD(bp_route, request_params, 88)
FIELD(bp_route, response_params, 96)

SIZE(bp_mcp_tool, 104)
FIELD(bp_mcp_tool, name, 0)
FIELD(bp_mcp_tool, title, 8)
FIELD(bp_mcp_tool, description, 16)
FIELD(bp_mcp_tool, input_schema, 24)
FIELD(bp_mcp_tool, output_schema, 32)
FIELD(bp_mcp_tool, handler, 40)
FIELD(bp_mcp_tool, scope, 48)
FIELD(bp_mcp_tool, needs, 56)
FIELD(bp_mcp_tool, icons, 64)
FIELD(bp_mcp_tool, deadline_ns, 72)
FIELD(bp_mcp_tool, rate_per_minute, 80)
FIELD(bp_mcp_tool, flags, 84)
FIELD(bp_mcp_tool, params, 88)
FIELD(bp_mcp_tool, results, 96)

SIZE(bp_mcp_resource, 80)
FIELD(bp_mcp_resource, uri, 0)
FIELD(bp_mcp_resource, name, 8)
FIELD(bp_mcp_resource, title, 16)
FIELD(bp_mcp_resource, description, 24)
FIELD(bp_mcp_resource, mime_type, 32)
FIELD(bp_mcp_resource, handler, 40)
FIELD(bp_mcp_resource, scope, 48)
FIELD(bp_mcp_resource, icons, 56)
FIELD(bp_mcp_resource, ttl_ns, 64)
FIELD(bp_mcp_resource, flags, 72)
FIELD(bp_mcp_resource, reserved, 76)

SIZE(bp_mcp_argument, 32)
FIELD(bp_mcp_argument, name, 0)
FIELD(bp_mcp_argument, title, 8)
FIELD(bp_mcp_argument, description, 16)
FIELD(bp_mcp_argument, is_required, 24)

SIZE(bp_mcp_prompt, 64)
FIELD(bp_mcp_prompt, name, 0)
FIELD(bp_mcp_prompt, title, 8)
FIELD(bp_mcp_prompt, description, 16)
FIELD(bp_mcp_prompt, arguments, 24)
FIELD(bp_mcp_prompt, argument_size, 32)
FIELD(bp_mcp_prompt, argument_count, 36)
FIELD(bp_mcp_prompt, handler, 40)
FIELD(bp_mcp_prompt, scope, 48)
FIELD(bp_mcp_prompt, icons, 56)

SIZE(bp_mcp_completion, 64)
FIELD(bp_mcp_completion, struct_size, 0)
FIELD(bp_mcp_completion, is_prompt, 4)
FIELD(bp_mcp_completion, name, 8)
FIELD(bp_mcp_completion, argument, 24)
FIELD(bp_mcp_completion, value, 40)
FIELD(bp_mcp_completion, given, 56)

SIZE(bp_app_ops, 152)
FIELD(bp_app_ops, struct_size, 0)
FIELD(bp_app_ops, route_size, 4)
FIELD(bp_app_ops, routes, 8)
FIELD(bp_app_ops, route_count, 16)
FIELD(bp_app_ops, migrations, 24)
FIELD(bp_app_ops, migration_count, 32)
FIELD(bp_app_ops, tool_size, 40)
FIELD(bp_app_ops, resource_size, 44)
FIELD(bp_app_ops, prompt_size, 48)
FIELD(bp_app_ops, reserved, 52)
FIELD(bp_app_ops, tools, 56)
FIELD(bp_app_ops, tool_count, 64)
FIELD(bp_app_ops, resources, 72)
FIELD(bp_app_ops, resource_count, 80)
FIELD(bp_app_ops, prompts, 88)
FIELD(bp_app_ops, prompt_count, 96)
FIELD(bp_app_ops, instructions, 104)
FIELD(bp_app_ops, offers, 112)
FIELD(bp_app_ops, complete, 120)
FIELD(bp_app_ops, commands, 128)
FIELD(bp_app_ops, command_count, 136)
FIELD(bp_app_ops, command_size, 144)
FIELD(bp_app_ops, more_reserved, 148)

/* ---- <backplane/base.h> ---- */

SIZE(bp_str, 16)
FIELD(bp_str, data, 0)
FIELD(bp_str, len, 8)

SIZE(bp_str_list, 16)
FIELD(bp_str_list, items, 0)
FIELD(bp_str_list, count, 8)

SIZE(bp_require, 24)
FIELD(bp_require, name, 0)
FIELD(bp_require, major, 8)
FIELD(bp_require, minimum_size, 12)
FIELD(bp_require, slot, 16)

/* ---- <backplane/cache.h> ---- */

SIZE(bp_take, 32)
FIELD(bp_take, struct_size, 0)
FIELD(bp_take, is_granted, 4)
FIELD(bp_take, limit, 8)
FIELD(bp_take, remaining, 16)
FIELD(bp_take, reset_ns, 24)

SIZE(bp_cache_stats, 56)
FIELD(bp_cache_stats, struct_size, 0)
FIELD(bp_cache_stats, reserved, 4)
FIELD(bp_cache_stats, entries, 8)
FIELD(bp_cache_stats, size_bytes, 16)
FIELD(bp_cache_stats, size_max_bytes, 24)
FIELD(bp_cache_stats, hits, 32)
FIELD(bp_cache_stats, misses, 40)
FIELD(bp_cache_stats, evictions, 48)

SIZE(bp_budget, 48)
FIELD(bp_budget, struct_size, 0)
FIELD(bp_budget, reserved, 4)
FIELD(bp_budget, key, 8)
FIELD(bp_budget, period, 24)
FIELD(bp_budget, spent, 40)

SIZE(bp_budget_sink, 24)
FIELD(bp_budget_sink, struct_size, 0)
FIELD(bp_budget_sink, budget, 8)
FIELD(bp_budget_sink, self, 16)

SIZE(bp_cache_ops, 104)
FIELD(bp_cache_ops, struct_size, 0)
FIELD(bp_cache_ops, get, 8)
FIELD(bp_cache_ops, set, 16)
FIELD(bp_cache_ops, remove, 24)
FIELD(bp_cache_ops, remove_prefix, 32)
FIELD(bp_cache_ops, take, 40)
FIELD(bp_cache_ops, reserve, 48)
FIELD(bp_cache_ops, settle, 56)
FIELD(bp_cache_ops, lock, 64)
FIELD(bp_cache_ops, unlock, 72)
FIELD(bp_cache_ops, stats, 80)
FIELD(bp_cache_ops, dump, 88)
FIELD(bp_cache_ops, load, 96)

/* ---- <backplane/call.h> ---- */

SIZE(bp_principal, 56)
FIELD(bp_principal, struct_size, 0)
FIELD(bp_principal, is_authenticated, 4)
FIELD(bp_principal, id, 8)
FIELD(bp_principal, tenant, 24)
FIELD(bp_principal, scopes, 40)

SIZE(bp_error, 104)
FIELD(bp_error, struct_size, 0)
FIELD(bp_error, status, 4)
FIELD(bp_error, message, 8)
FIELD(bp_error, retry_after_ns, 24)
FIELD(bp_error, os_errno, 32)
FIELD(bp_error, upstream_status, 36)
FIELD(bp_error, plugin, 40)
FIELD(bp_error, op, 56)
FIELD(bp_error, file, 72)
FIELD(bp_error, line, 80)
FIELD(bp_error, client_message, 88)

SIZE(bp_field, 48)
FIELD(bp_field, name, 0)
FIELD(bp_field, type, 8)
FIELD(bp_field, reserved, 12)
FIELD(bp_field, text, 16)
FIELD(bp_field, integer, 32)
FIELD(bp_field, number, 40)

SIZE(bp_call_service, 224)
FIELD(bp_call_service, struct_size, 0)
FIELD(bp_call_service, alloc, 8)
FIELD(bp_call_service, on_end, 16)
FIELD(bp_call_service, set_error, 24)
FIELD(bp_call_service, set_error_detail, 32)
FIELD(bp_call_service, error, 40)
FIELD(bp_call_service, clear_error, 48)
FIELD(bp_call_service, deadline_ns, 56)
FIELD(bp_call_service, cancelled, 64)
FIELD(bp_call_service, shield, 72)
FIELD(bp_call_service, unshield, 80)
FIELD(bp_call_service, request_id, 88)
FIELD(bp_call_service, traceparent, 96)
FIELD(bp_call_service, principal, 104)
FIELD(bp_call_service, log, 112)
FIELD(bp_call_service, log_enabled, 120)
FIELD(bp_call_service, now_ns, 128)
FIELD(bp_call_service, wall_ns, 136)
FIELD(bp_call_service, random, 144)
FIELD(bp_call_service, sha256, 152)
FIELD(bp_call_service, buf_new, 160)
FIELD(bp_call_service, buf_add, 168)
FIELD(bp_call_service, buf_str, 176)
FIELD(bp_call_service, buf_status, 184)
FIELD(bp_call_service, buf_reset, 192)
FIELD(bp_call_service, scratch_begin, 200)
FIELD(bp_call_service, scratch_end, 208)
FIELD(bp_call_service, set_error_for_client, 216)

/* ---- <backplane/command.h> ---- */

SIZE(bp_command_option, 40)
FIELD(bp_command_option, name, 0)
FIELD(bp_command_option, value, 8)
FIELD(bp_command_option, help, 16)
FIELD(bp_command_option, initial, 24)
FIELD(bp_command_option, flags, 32)
FIELD(bp_command_option, reserved, 36)

SIZE(bp_command, 88)
FIELD(bp_command, name, 0)
FIELD(bp_command, arguments, 8)
FIELD(bp_command, summary, 16)
FIELD(bp_command, options, 24)
FIELD(bp_command, option_size, 32)
FIELD(bp_command, option_count, 36)
FIELD(bp_command, handler, 40)
FIELD(bp_command, scope, 48)
FIELD(bp_command, endings, 56)
FIELD(bp_command, usage, 64)
FIELD(bp_command, deadline_ns, 72)
FIELD(bp_command, flags, 80)
FIELD(bp_command, reserved, 84)

SIZE(bp_command_file, 32)
FIELD(bp_command_file, struct_size, 0)
FIELD(bp_command_file, reserved, 4)
FIELD(bp_command_file, name, 8)
FIELD(bp_command_file, size_bytes, 24)

SIZE(bp_command_service, 112)
FIELD(bp_command_service, struct_size, 0)
FIELD(bp_command_service, word_count, 8)
FIELD(bp_command_service, word, 16)
FIELD(bp_command_service, option, 24)
FIELD(bp_command_service, write, 32)
FIELD(bp_command_service, progress, 40)
FIELD(bp_command_service, next_file, 48)
FIELD(bp_command_service, read_file, 56)
FIELD(bp_command_service, option_file, 64)
FIELD(bp_command_service, line_count, 72)
FIELD(bp_command_service, left_out, 80)
FIELD(bp_command_service, is_alone, 88)
FIELD(bp_command_service, set_exit, 96)
FIELD(bp_command_service, refuse, 104)

SIZE(bp_run_spec, 64)
FIELD(bp_run_spec, struct_size, 0)
FIELD(bp_run_spec, reserved, 4)
FIELD(bp_run_spec, what, 8)
FIELD(bp_run_spec, work, 16)
FIELD(bp_run_spec, argument, 24)
FIELD(bp_run_spec, argument_bytes, 32)
FIELD(bp_run_spec, id, 40)
FIELD(bp_run_spec, timeout_ns, 56)

SIZE(bp_run_view, 128)
FIELD(bp_run_view, struct_size, 0)
FIELD(bp_run_view, state, 4)
FIELD(bp_run_view, id, 8)
FIELD(bp_run_view, what, 24)
FIELD(bp_run_view, message, 40)
FIELD(bp_run_view, done, 56)
FIELD(bp_run_view, total, 64)
FIELD(bp_run_view, created_wall_ns, 72)
FIELD(bp_run_view, updated_wall_ns, 80)
FIELD(bp_run_view, result, 88)
FIELD(bp_run_view, status, 104)
FIELD(bp_run_view, problem, 112)

SIZE(bp_run_service, 64)
FIELD(bp_run_service, struct_size, 0)
FIELD(bp_run_service, begin, 8)
FIELD(bp_run_service, progress, 16)
FIELD(bp_run_service, message, 24)
FIELD(bp_run_service, result, 32)
FIELD(bp_run_service, look, 40)
FIELD(bp_run_service, wait, 48)
FIELD(bp_run_service, cancel, 56)

/* ---- <backplane/embed.h> ---- */

SIZE(bp_embed_info, 40)
FIELD(bp_embed_info, struct_size, 0)
FIELD(bp_embed_info, dimensions, 4)
FIELD(bp_embed_info, max_tokens, 8)
FIELD(bp_embed_info, max_batch, 12)
FIELD(bp_embed_info, model, 16)
FIELD(bp_embed_info, is_lexical, 32)
FIELD(bp_embed_info, is_normalised, 33)

SIZE(bp_embed_request, 24)
FIELD(bp_embed_request, struct_size, 0)
FIELD(bp_embed_request, purpose, 4)
FIELD(bp_embed_request, texts, 8)
FIELD(bp_embed_request, count, 16)

SIZE(bp_embeddings, 32)
FIELD(bp_embeddings, struct_size, 0)
FIELD(bp_embeddings, dimensions, 4)
FIELD(bp_embeddings, vectors, 8)
FIELD(bp_embeddings, count, 16)
FIELD(bp_embeddings, tokens, 24)

SIZE(bp_embed_ops, 24)
FIELD(bp_embed_ops, struct_size, 0)
FIELD(bp_embed_ops, info, 8)
FIELD(bp_embed_ops, embed, 16)

/* ---- <backplane/filter.h> ---- */

SIZE(bp_value, 32)
FIELD(bp_value, type, 0)
FIELD(bp_value, is_integer, 4)
FIELD(bp_value, text, 8)
FIELD(bp_value, number, 24)

SIZE(bp_filter, 96)
FIELD(bp_filter, struct_size, 0)
FIELD(bp_filter, op, 4)
FIELD(bp_filter, children, 8)
FIELD(bp_filter, child_count, 16)
FIELD(bp_filter, field, 24)
FIELD(bp_filter, values, 40)
FIELD(bp_filter, value_count, 48)
FIELD(bp_filter, low, 56)
FIELD(bp_filter, high, 64)
FIELD(bp_filter, is_low_exclusive, 72)
FIELD(bp_filter, is_high_exclusive, 73)
FIELD(bp_filter, is_low_integer, 74)
FIELD(bp_filter, is_high_integer, 75)
FIELD(bp_filter, low_integer, 80)
FIELD(bp_filter, high_integer, 88)

/* ---- <backplane/health.h> ---- */

SIZE(bp_health, 48)
FIELD(bp_health, struct_size, 0)
FIELD(bp_health, level, 4)
FIELD(bp_health, detail, 8)
FIELD(bp_health, value, 24)
FIELD(bp_health, unit, 32)

SIZE(bp_health_ops, 16)
FIELD(bp_health_ops, struct_size, 0)
FIELD(bp_health_ops, check, 8)

/* ---- <backplane/http.h> ---- */

SIZE(bp_http_header, 32)
FIELD(bp_http_header, name, 0)
FIELD(bp_http_header, value, 16)

SIZE(bp_http_request, 128)
FIELD(bp_http_request, struct_size, 0)
FIELD(bp_http_request, header_count, 4)
FIELD(bp_http_request, method, 8)
FIELD(bp_http_request, url, 24)
FIELD(bp_http_request, headers, 40)
FIELD(bp_http_request, body, 48)
FIELD(bp_http_request, connect_timeout_ns, 64)
FIELD(bp_http_request, first_byte_timeout_ns, 72)
FIELD(bp_http_request, idle_timeout_ns, 80)
FIELD(bp_http_request, deadline_ns, 88)
FIELD(bp_http_request, max_response_bytes, 96)
FIELD(bp_http_request, max_redirects, 104)
FIELD(bp_http_request, flags, 108)
FIELD(bp_http_request, ca_file, 112)

SIZE(bp_http_response, 64)
FIELD(bp_http_response, struct_size, 0)
FIELD(bp_http_response, status, 4)
FIELD(bp_http_response, content_type, 8)
FIELD(bp_http_response, headers, 24)
FIELD(bp_http_response, header_count, 32)
FIELD(bp_http_response, body, 40)
FIELD(bp_http_response, retry_after_ns, 56)

SIZE(bp_sse_event, 56)
FIELD(bp_sse_event, struct_size, 0)
FIELD(bp_sse_event, is_end, 4)
FIELD(bp_sse_event, event, 8)
FIELD(bp_sse_event, data, 24)
FIELD(bp_sse_event, id, 40)

SIZE(bp_http_service, 48)
FIELD(bp_http_service, struct_size, 0)
FIELD(bp_http_service, fetch, 8)
FIELD(bp_http_service, open, 16)
FIELD(bp_http_service, read, 24)
FIELD(bp_http_service, read_event, 32)
FIELD(bp_http_service, close, 40)

/* ---- <backplane/json.h> ---- */

SIZE(bp_json_service, 208)
FIELD(bp_json_service, struct_size, 0)
FIELD(bp_json_service, parse, 8)
FIELD(bp_json_service, type, 16)
FIELD(bp_json_service, get, 24)
FIELD(bp_json_service, at, 32)
FIELD(bp_json_service, count, 40)
FIELD(bp_json_service, entry, 48)
FIELD(bp_json_service, string, 56)
FIELD(bp_json_service, integer, 64)
FIELD(bp_json_service, number, 72)
FIELD(bp_json_service, boolean, 80)
FIELD(bp_json_service, text, 88)
FIELD(bp_json_service, writer, 96)
FIELD(bp_json_service, begin, 104)
FIELD(bp_json_service, end, 112)
FIELD(bp_json_service, key, 120)
FIELD(bp_json_service, add_string, 128)
FIELD(bp_json_service, add_integer, 136)
FIELD(bp_json_service, add_number, 144)
FIELD(bp_json_service, add_bool, 152)
FIELD(bp_json_service, add_null, 160)
FIELD(bp_json_service, add_raw, 168)
FIELD(bp_json_service, done, 176)
FIELD(bp_json_service, add_base64, 184)
FIELD(bp_json_service, indent, 192)
FIELD(bp_json_service, read, 200)

/* ---- <backplane/llm.h> ---- */

SIZE(bp_passage, 56)
FIELD(bp_passage, id, 0)
FIELD(bp_passage, title, 16)
FIELD(bp_passage, text, 32)
FIELD(bp_passage, score, 48)

SIZE(bp_tool_call, 48)
FIELD(bp_tool_call, id, 0)
FIELD(bp_tool_call, name, 16)
FIELD(bp_tool_call, arguments, 32)

SIZE(bp_message, 88)
FIELD(bp_message, struct_size, 0)
FIELD(bp_message, role, 4)
FIELD(bp_message, text, 8)
FIELD(bp_message, parts, 24)
FIELD(bp_message, tool_call_id, 40)
FIELD(bp_message, name, 56)
FIELD(bp_message, tool_calls, 72)
FIELD(bp_message, tool_call_count, 80)

SIZE(bp_tool, 48)
FIELD(bp_tool, name, 0)
FIELD(bp_tool, description, 16)
FIELD(bp_tool, parameters, 32)

SIZE(bp_chat, 184)
FIELD(bp_chat, struct_size, 0)
FIELD(bp_chat, max_tokens, 4)
FIELD(bp_chat, model, 8)
FIELD(bp_chat, messages, 24)
FIELD(bp_chat, message_size, 32)
FIELD(bp_chat, message_count, 40)
FIELD(bp_chat, tools, 48)
FIELD(bp_chat, tool_count, 56)
FIELD(bp_chat, tool_choice, 64)
FIELD(bp_chat, response_schema, 80)
FIELD(bp_chat, stop, 96)
FIELD(bp_chat, stop_count, 104)
FIELD(bp_chat, passages, 112)
FIELD(bp_chat, passage_count, 120)
FIELD(bp_chat, temperature, 128)
FIELD(bp_chat, top_p, 136)
FIELD(bp_chat, seed, 144)
FIELD(bp_chat, user, 152)
FIELD(bp_chat, extra, 168)

SIZE(bp_delta, 64)
FIELD(bp_delta, struct_size, 0)
FIELD(bp_delta, type, 4)
FIELD(bp_delta, index, 8)
FIELD(bp_delta, reserved, 12)
FIELD(bp_delta, text, 16)
FIELD(bp_delta, id, 32)
FIELD(bp_delta, name, 48)

SIZE(bp_chat_sink, 24)
FIELD(bp_chat_sink, struct_size, 0)
FIELD(bp_chat_sink, delta, 8)
FIELD(bp_chat_sink, self, 16)

SIZE(bp_chat_result, 48)
FIELD(bp_chat_result, struct_size, 0)
FIELD(bp_chat_result, finish, 4)
FIELD(bp_chat_result, model, 8)
FIELD(bp_chat_result, input_tokens, 24)
FIELD(bp_chat_result, output_tokens, 32)
FIELD(bp_chat_result, cached_tokens, 40)

SIZE(bp_model, 24)
FIELD(bp_model, id, 0)
FIELD(bp_model, context_tokens, 16)

SIZE(bp_llm_ops, 24)
FIELD(bp_llm_ops, struct_size, 0)
FIELD(bp_llm_ops, chat, 8)
FIELD(bp_llm_ops, models, 16)

/* ---- <backplane/loop.h> ---- */

SIZE(bp_loop_service, 152)
FIELD(bp_loop_service, struct_size, 0)
FIELD(bp_loop_service, sleep, 8)
FIELD(bp_loop_service, wait_fd, 16)
FIELD(bp_loop_service, offload, 24)
FIELD(bp_loop_service, pool_create, 32)
FIELD(bp_loop_service, pool_destroy, 40)
FIELD(bp_loop_service, mutex_create, 48)
FIELD(bp_loop_service, mutex_destroy, 56)
FIELD(bp_loop_service, mutex_lock, 64)
FIELD(bp_loop_service, mutex_unlock, 72)
FIELD(bp_loop_service, spawn, 80)
FIELD(bp_loop_service, join, 88)
FIELD(bp_loop_service, cancel_child, 96)
FIELD(bp_loop_service, every, 104)
FIELD(bp_loop_service, waker_new, 112)
FIELD(bp_loop_service, waker_free, 120)
FIELD(bp_loop_service, wake, 128)
FIELD(bp_loop_service, wait, 136)
FIELD(bp_loop_service, process_block, 144)

/* ---- <backplane/mcp.h> ---- */

SIZE(bp_mcp_ask, 40)
FIELD(bp_mcp_ask, key, 0)
FIELD(bp_mcp_ask, method, 8)
FIELD(bp_mcp_ask, params, 16)
FIELD(bp_mcp_ask, answer, 32)

SIZE(bp_mcp_service, 200)
FIELD(bp_mcp_service, struct_size, 0)
FIELD(bp_mcp_service, begin_block, 8)
FIELD(bp_mcp_service, end_block, 16)
FIELD(bp_mcp_service, begin_contents, 24)
FIELD(bp_mcp_service, role, 32)
FIELD(bp_mcp_service, describe, 40)
FIELD(bp_mcp_service, structured, 48)
FIELD(bp_mcp_service, error, 56)
FIELD(bp_mcp_service, meta, 64)
FIELD(bp_mcp_service, complete, 72)
FIELD(bp_mcp_service, complete_total, 80)
FIELD(bp_mcp_service, progress, 88)
FIELD(bp_mcp_service, log, 96)
FIELD(bp_mcp_service, ask, 104)
FIELD(bp_mcp_service, can, 112)
FIELD(bp_mcp_service, state, 120)
FIELD(bp_mcp_service, set_state, 128)
FIELD(bp_mcp_service, fail_request, 136)
FIELD(bp_mcp_service, hang_up, 144)
FIELD(bp_mcp_service, uri_value, 152)
FIELD(bp_mcp_service, session, 160)
FIELD(bp_mcp_service, client, 168)
FIELD(bp_mcp_service, revision, 176)
FIELD(bp_mcp_service, changed, 184)
FIELD(bp_mcp_service, as_task, 192)

/* ---- <backplane/metrics.h> ---- */

SIZE(bp_metrics_service, 40)
FIELD(bp_metrics_service, struct_size, 0)
FIELD(bp_metrics_service, define, 8)
FIELD(bp_metrics_service, add, 16)
FIELD(bp_metrics_service, set, 24)
FIELD(bp_metrics_service, observe, 32)

/* ---- <backplane/option.h> ---- */

SIZE(bp_option_entry, 32)
FIELD(bp_option_entry, name, 0)
FIELD(bp_option_entry, value, 16)

SIZE(bp_option_map, 16)
FIELD(bp_option_map, items, 0)
FIELD(bp_option_map, count, 8)

SIZE(bp_option, 96)
FIELD(bp_option, name, 0)
FIELD(bp_option, help, 8)
FIELD(bp_option, initial, 16)
FIELD(bp_option, minimum, 24)
FIELD(bp_option, maximum, 32)
FIELD(bp_option, choices, 40)
FIELD(bp_option, ref_kind, 48)
FIELD(bp_option, example, 56)
FIELD(bp_option, deprecated, 64)
FIELD(bp_option, since, 72)
FIELD(bp_option, type, 80)
FIELD(bp_option, offset, 84)
FIELD(bp_option, is_required, 88)
FIELD(bp_option, is_reloadable, 89)
FIELD(bp_option, reserved, 90)

/* ---- <backplane/peer.h> ---- */

SIZE(bp_peer, 72)
FIELD(bp_peer, struct_size, 0)
FIELD(bp_peer, kind_version, 4)
FIELD(bp_peer, name, 8)
FIELD(bp_peer, kind, 24)
FIELD(bp_peer, plugin, 40)
FIELD(bp_peer, ops, 56)
FIELD(bp_peer, instance, 64)

SIZE(bp_peer_list, 16)
FIELD(bp_peer_list, items, 0)
FIELD(bp_peer_list, count, 8)

/* ---- <backplane/param.h> ---- */

SIZE(bp_param, 88)
FIELD(bp_param, name, 0)
FIELD(bp_param, help, 8)
FIELD(bp_param, initial, 16)
FIELD(bp_param, minimum, 24)
FIELD(bp_param, maximum, 32)
FIELD(bp_param, choices, 40)
FIELD(bp_param, schema, 48)
FIELD(bp_param, fields, 56)
FIELD(bp_param, field_count, 64)
FIELD(bp_param, field_size, 68)
FIELD(bp_param, type, 72)
FIELD(bp_param, flags, 76)
FIELD(bp_param, offset, 80)
FIELD(bp_param, reserved, 84)
SIZE(bp_params, 32)
FIELD(bp_params, rows, 0)
FIELD(bp_params, row_count, 8)
FIELD(bp_params, row_size, 12)
FIELD(bp_params, bytes_size, 16)
FIELD(bp_params, flags, 20)
FIELD(bp_params, schema, 24)
SIZE(bp_params_service, 24)
FIELD(bp_params_service, struct_size, 0)
FIELD(bp_params_service, read, 8)
FIELD(bp_params_service, schema, 16)
_Static_assert(BP_PARAM_TYPE_TEXT == 1 && BP_PARAM_TYPE_INTEGER == 2 && BP_PARAM_TYPE_NUMBER == 3 &&
                   BP_PARAM_TYPE_BOOLEAN == 4 && BP_PARAM_TYPE_CHOICE == 5 &&
                   BP_PARAM_TYPE_TEXTS == 6 && BP_PARAM_TYPE_OBJECTS == 7 &&
                   BP_PARAM_TYPE_OBJECT == 8 && BP_PARAM_TYPE_ANY == 9,
               "a type of a parameter has changed");

/* ---- <backplane/plugin.h> ---- */

SIZE(bp_life, 56)
FIELD(bp_life, struct_size, 0)
FIELD(bp_life, check, 8)
FIELD(bp_life, shared_create, 16)
FIELD(bp_life, worker_start, 24)
FIELD(bp_life, drain, 32)
FIELD(bp_life, worker_stop, 40)
FIELD(bp_life, shared_destroy, 48)

SIZE(bp_plugin, 120)
FIELD(bp_plugin, magic, 0)
FIELD(bp_plugin, struct_size, 4)
FIELD(bp_plugin, abi_major, 8)
FIELD(bp_plugin, abi_minor, 10)
FIELD(bp_plugin, min_host_minor, 12)
FIELD(bp_plugin, flags, 14)
FIELD(bp_plugin, kind, 16)
FIELD(bp_plugin, kind_version, 24)
FIELD(bp_plugin, instance_size, 28)
FIELD(bp_plugin, name, 32)
FIELD(bp_plugin, version, 40)
FIELD(bp_plugin, summary, 48)
FIELD(bp_plugin, license, 56)
FIELD(bp_plugin, options, 64)
FIELD(bp_plugin, option_size, 72)
FIELD(bp_plugin, option_count, 76)
FIELD(bp_plugin, requires_begin, 80)
FIELD(bp_plugin, requires_end, 88)
FIELD(bp_plugin, require_size, 96)
FIELD(bp_plugin, reserved, 100)
FIELD(bp_plugin, life, 104)
FIELD(bp_plugin, ops, 112)

SIZE(bp_plugin_note, 112)
FIELD(bp_plugin_note, owner_size, 0)
FIELD(bp_plugin_note, descriptor_size, 4)
FIELD(bp_plugin_note, type, 8)
FIELD(bp_plugin_note, owner, 12)
FIELD(bp_plugin_note, magic, 24)
FIELD(bp_plugin_note, abi_major, 28)
FIELD(bp_plugin_note, abi_minor, 30)
FIELD(bp_plugin_note, min_host_minor, 32)
FIELD(bp_plugin_note, flags, 34)
FIELD(bp_plugin_note, kind_version, 36)
FIELD(bp_plugin_note, kind, 40)
FIELD(bp_plugin_note, name, 56)
FIELD(bp_plugin_note, version, 88)

SIZE(bp_host_service, 48)
FIELD(bp_host_service, struct_size, 0)
FIELD(bp_host_service, worker_index, 8)
FIELD(bp_host_service, worker_count, 16)
FIELD(bp_host_service, instance_name, 24)
FIELD(bp_host_service, version, 32)
FIELD(bp_host_service, report, 40)

/* ---- <backplane/storage.h> ---- */

SIZE(bp_sql_value, 40)
FIELD(bp_sql_value, type, 0)
FIELD(bp_sql_value, reserved, 4)
FIELD(bp_sql_value, integer, 8)
FIELD(bp_sql_value, real, 16)
FIELD(bp_sql_value, text, 24)

SIZE(bp_statement, 32)
FIELD(bp_statement, struct_size, 0)
FIELD(bp_statement, parameter_count, 4)
FIELD(bp_statement, sql, 8)
FIELD(bp_statement, parameters, 24)

SIZE(bp_rows, 40)
FIELD(bp_rows, struct_size, 0)
FIELD(bp_rows, column_count, 4)
FIELD(bp_rows, row_count, 8)
FIELD(bp_rows, values, 16)
FIELD(bp_rows, columns, 24)
FIELD(bp_rows, changed, 32)

SIZE(bp_row_sink, 24)
FIELD(bp_row_sink, struct_size, 0)
FIELD(bp_row_sink, row, 8)
FIELD(bp_row_sink, self, 16)

SIZE(bp_migration, 24)
FIELD(bp_migration, version, 0)
FIELD(bp_migration, works_from, 4)
FIELD(bp_migration, name, 8)
FIELD(bp_migration, sql, 16)

SIZE(bp_storage_stats, 40)
FIELD(bp_storage_stats, struct_size, 0)
FIELD(bp_storage_stats, connections_in_use, 4)
FIELD(bp_storage_stats, connections_max, 8)
FIELD(bp_storage_stats, reserved, 12)
FIELD(bp_storage_stats, size_bytes, 16)
FIELD(bp_storage_stats, engine, 24)

SIZE(bp_notice_sink, 24)
FIELD(bp_notice_sink, struct_size, 0)
FIELD(bp_notice_sink, notice, 8)
FIELD(bp_notice_sink, self, 16)

SIZE(bp_storage_ops, 112)
FIELD(bp_storage_ops, struct_size, 0)
FIELD(bp_storage_ops, exec, 8)
FIELD(bp_storage_ops, query, 16)
FIELD(bp_storage_ops, batch, 24)
FIELD(bp_storage_ops, begin, 32)
FIELD(bp_storage_ops, commit, 40)
FIELD(bp_storage_ops, rollback, 48)
FIELD(bp_storage_ops, migrate, 56)
FIELD(bp_storage_ops, stats, 64)
FIELD(bp_storage_ops, backup, 72)
FIELD(bp_storage_ops, inspect, 80)
FIELD(bp_storage_ops, maintain, 88)
FIELD(bp_storage_ops, listen, 96)
FIELD(bp_storage_ops, notify, 104)

/* ---- <backplane/stream.h> ---- */

SIZE(bp_tls, 72)
FIELD(bp_tls, struct_size, 0)
FIELD(bp_tls, is_unverified, 4)
FIELD(bp_tls, server_name, 8)
FIELD(bp_tls, ca_file, 24)
FIELD(bp_tls, certificate_file, 40)
FIELD(bp_tls, key_file, 56)

SIZE(bp_stream_service, 64)
FIELD(bp_stream_service, struct_size, 0)
FIELD(bp_stream_service, connect, 8)
FIELD(bp_stream_service, read, 16)
FIELD(bp_stream_service, write, 24)
FIELD(bp_stream_service, close, 32)
FIELD(bp_stream_service, start_tls, 40)
FIELD(bp_stream_service, keep, 48)
FIELD(bp_stream_service, resolve, 56)

/* ---- <backplane/vector.h> ---- */

SIZE(bp_vector_schema, 64)
FIELD(bp_vector_schema, struct_size, 0)
FIELD(bp_vector_schema, dimensions, 4)
FIELD(bp_vector_schema, metric, 8)
FIELD(bp_vector_schema, reserved, 12)
FIELD(bp_vector_schema, model, 16)
FIELD(bp_vector_schema, language, 32)
FIELD(bp_vector_schema, owner, 48)

SIZE(bp_point, 56)
FIELD(bp_point, struct_size, 0)
FIELD(bp_point, reserved, 4)
FIELD(bp_point, id, 8)
FIELD(bp_point, vector, 16)
FIELD(bp_point, words, 24)
FIELD(bp_point, metadata, 40)

SIZE(bp_vector_query, 64)
FIELD(bp_vector_query, struct_size, 0)
FIELD(bp_vector_query, dimensions, 4)
FIELD(bp_vector_query, collection, 8)
FIELD(bp_vector_query, vector, 24)
FIELD(bp_vector_query, words, 32)
FIELD(bp_vector_query, filter, 48)
FIELD(bp_vector_query, limit, 56)
FIELD(bp_vector_query, effort, 60)

SIZE(bp_hit, 16)
FIELD(bp_hit, id, 0)
FIELD(bp_hit, score, 8)

SIZE(bp_leg, 32)
FIELD(bp_leg, struct_size, 0)
FIELD(bp_leg, mode, 4)
FIELD(bp_leg, hits, 8)
FIELD(bp_leg, hit_count, 16)
FIELD(bp_leg, is_rank_only, 20)
FIELD(bp_leg, rows_read, 24)

SIZE(bp_point_sink, 24)
FIELD(bp_point_sink, struct_size, 0)
FIELD(bp_point_sink, point, 8)
FIELD(bp_point_sink, self, 16)

SIZE(bp_vector_info, 88)
FIELD(bp_vector_info, struct_size, 0)
FIELD(bp_vector_info, dimensions, 4)
FIELD(bp_vector_info, metric, 8)
FIELD(bp_vector_info, is_count_estimated, 12)
FIELD(bp_vector_info, name, 16)
FIELD(bp_vector_info, model, 32)
FIELD(bp_vector_info, language, 48)
FIELD(bp_vector_info, count, 64)
FIELD(bp_vector_info, memory_bytes, 72)
FIELD(bp_vector_info, disk_bytes, 80)

SIZE(bp_byte_sink, 24)
FIELD(bp_byte_sink, struct_size, 0)
FIELD(bp_byte_sink, write, 8)
FIELD(bp_byte_sink, self, 16)

SIZE(bp_vector_ops, 96)
FIELD(bp_vector_ops, struct_size, 0)
FIELD(bp_vector_ops, create, 8)
FIELD(bp_vector_ops, drop, 16)
FIELD(bp_vector_ops, list, 24)
FIELD(bp_vector_ops, upsert, 32)
FIELD(bp_vector_ops, remove, 40)
FIELD(bp_vector_ops, search, 48)
FIELD(bp_vector_ops, count, 56)
FIELD(bp_vector_ops, scroll, 64)
FIELD(bp_vector_ops, snapshot, 72)
FIELD(bp_vector_ops, owner, 80)
FIELD(bp_vector_ops, maintain, 88)

/* ---- statuses: numbers, labels and HTTP statuses are in plugins, logs and clients ---- */

struct golden_status {
    bp_status   number;
    const char *label;
    int32_t     http;
    bool        is_retryable;
};

static const struct golden_status statuses[] = {
    { 0, "ok", 200, false },
    { 1, "invalid", 400, false },
    { 2, "unauthenticated", 401, false },
    { 3, "denied", 403, false },
    { 4, "not_found", 404, false },
    { 5, "conflict", 409, false },
    { 6, "too_large", 413, false },
    { 7, "limit", 429, true },
    { 8, "cancelled", 499, false },
    { 9, "internal", 500, false },
    { 10, "unsupported", 501, false },
    { 11, "upstream", 502, true },
    { 12, "unavailable", 503, true },
    { 13, "deadline", 504, true },
    { 14, "full", 507, false },
    { 15, "io", 500, false },
    { 16, "data", 500, false },
    { 17, "no_memory", 503, true },
    { 18, "input_required", 409, false },
};

static void every_status_keeps_its_number_label_and_http_status(void **state)
{
    (void)state;
    assert_int_equal(sizeof(statuses) / sizeof(statuses[0]), BP_STATUS_COUNT);
    for (int i = 0; i < BP_STATUS_COUNT; i++) {
        assert_int_equal(statuses[i].number, i);
        assert_string_equal(bp_status_label(i), statuses[i].label);
        assert_int_equal(bp_status_http(i), statuses[i].http);
        assert_int_equal(bp_status_is_retryable(i), statuses[i].is_retryable);
        assert_true(strlen(bp_status_text(i)) > 3);
    }
    assert_string_equal(bp_status_label(BP_STATUS_COUNT), "unknown");
    assert_int_equal(bp_status_http(-1), 500);
}

static void named_constants_keep_their_numbers(void **state)
{
    (void)state;
    assert_int_equal(BP_SEVERITY_INFO, 0);
    assert_int_equal(BP_SEVERITY_WARNING, 1);
    assert_int_equal(BP_SEVERITY_CRITICAL, 2);
    assert_int_equal(BP_LOG_DEBUG, 0);
    assert_int_equal(BP_LOG_INFO, 1);
    assert_int_equal(BP_LOG_WARN, 2);
    assert_int_equal(BP_LOG_ERROR, 3);
    assert_int_equal(BP_EMBED_PASSAGE, 0);
    assert_int_equal(BP_EMBED_QUERY, 1);
    assert_int_equal(BP_FILTER_AND, 1);
    assert_int_equal(BP_FILTER_OR, 2);
    assert_int_equal(BP_FILTER_NOT, 3);
    assert_int_equal(BP_FILTER_IN, 4);
    assert_int_equal(BP_FILTER_RANGE, 5);
    assert_int_equal(BP_FILTER_PREFIX, 6);
    assert_int_equal(BP_FILTER_EXISTS, 7);
    assert_int_equal(BP_FILTER_NOT_EXISTS, 8);
    assert_int_equal(BP_VALUE_STRING, 1);
    assert_int_equal(BP_VALUE_NUMBER, 2);
    assert_int_equal(BP_VALUE_BOOL, 3);
    assert_int_equal(BP_HEALTH_OK, 0);
    assert_int_equal(BP_HEALTH_DEGRADED, 1);
    assert_int_equal(BP_HEALTH_DOWN, 2);
    assert_int_equal(BP_JSON_NONE, 0);
    assert_int_equal(BP_JSON_NULL, 1);
    assert_int_equal(BP_JSON_BOOL, 2);
    assert_int_equal(BP_JSON_INTEGER, 3);
    assert_int_equal(BP_JSON_NUMBER, 4);
    assert_int_equal(BP_JSON_STRING, 5);
    assert_int_equal(BP_JSON_ARRAY, 6);
    assert_int_equal(BP_JSON_OBJECT, 7);
    assert_int_equal(BP_ROLE_SYSTEM, 0);
    assert_int_equal(BP_ROLE_USER, 1);
    assert_int_equal(BP_ROLE_ASSISTANT, 2);
    assert_int_equal(BP_ROLE_TOOL, 3);
    assert_int_equal(BP_DELTA_TEXT, 1);
    assert_int_equal(BP_DELTA_REASONING, 2);
    assert_int_equal(BP_DELTA_TOOL_CALL, 3);
    assert_int_equal(BP_FINISH_STOP, 0);
    assert_int_equal(BP_FINISH_LENGTH, 1);
    assert_int_equal(BP_FINISH_TOOL_CALLS, 2);
    assert_int_equal(BP_FINISH_FILTERED, 3);
    assert_int_equal(BP_FINISH_NO_ANSWER, 4);
    assert_int_equal(BP_FD_READ, 1);
    assert_int_equal(BP_FD_WRITE, 2);
    assert_int_equal(BP_COUNTER, 0);
    assert_int_equal(BP_GAUGE, 1);
    assert_int_equal(BP_HISTOGRAM, 2);
    assert_int_equal(BP_OPTION_TYPE_BOOL, 1);
    assert_int_equal(BP_OPTION_TYPE_INT, 2);
    assert_int_equal(BP_OPTION_TYPE_FLOAT, 3);
    assert_int_equal(BP_OPTION_TYPE_SIZE, 4);
    assert_int_equal(BP_OPTION_TYPE_DURATION, 5);
    assert_int_equal(BP_OPTION_TYPE_STRING, 6);
    assert_int_equal(BP_OPTION_TYPE_ENUM, 7);
    assert_int_equal(BP_OPTION_TYPE_URL, 8);
    assert_int_equal(BP_OPTION_TYPE_ADDRESS, 9);
    assert_int_equal(BP_OPTION_TYPE_PATH, 10);
    assert_int_equal(BP_OPTION_TYPE_SECRET, 11);
    assert_int_equal(BP_OPTION_TYPE_LIST, 12);
    assert_int_equal(BP_OPTION_TYPE_MAP, 13);
    assert_int_equal(BP_OPTION_TYPE_REF, 14);
    assert_int_equal(BP_OPTION_TYPE_REFS, 15);
    assert_int_equal(BP_SQL_NULL, 0);
    assert_int_equal(BP_SQL_INTEGER, 1);
    assert_int_equal(BP_SQL_REAL, 2);
    assert_int_equal(BP_SQL_TEXT, 3);
    assert_int_equal(BP_SQL_BYTES, 4);
    assert_int_equal(BP_COSINE, 0);
    assert_int_equal(BP_INNER_PRODUCT, 1);
    assert_int_equal(BP_L2, 2);
    assert_int_equal(BP_SEARCH_NONE, 0);
    assert_int_equal(BP_SEARCH_EXACT, 1);
    assert_int_equal(BP_SEARCH_GRAPH, 2);
    assert_int_equal(BP_SEARCH_FILTERED, 3);
    assert_int_equal(BP_SEARCH_REMOTE, 4);
    assert_int_equal(BP_BLOCKING, 1);
    assert_int_equal(BP_STATUS_COUNT, 19);
}

static void a_string_stays_two_words_and_a_note_a_whole_elf_note(void **state)
{
    bp_str empty = BP_STR("");

    (void)state;
    assert_int_equal(empty.len, 0);
    assert_int_equal(sizeof(bp_plugin_note) % 4, 0);
    assert_int_equal(offsetof(bp_plugin_note, magic), 24); /* 12 of header, 12 of owner */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_keeps_its_number_label_and_http_status),
        cmocka_unit_test(named_constants_keep_their_numbers),
        cmocka_unit_test(a_string_stays_two_words_and_a_note_a_whole_elf_note),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
