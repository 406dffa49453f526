/* process_block.h - memory that plugins of one process share by name; see bp_process_block(). */
#ifndef CORE_PLUGIN_PROCESS_BLOCK_H
#define CORE_PLUGIN_PROCESS_BLOCK_H

#include <backplane/loop.h>

void *process_block(bp_call *call, bp_str name, size_t size);

#endif
