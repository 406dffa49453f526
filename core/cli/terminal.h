/* terminal.h - text that came from elsewhere, made fit to be printed: it cannot move the cursor,
 * change colours or set a title. */
#ifndef CORE_CLI_TERMINAL_H
#define CORE_CLI_TERMINAL_H

#include "base/buf.h"

/* Control characters, but for tabs and line ends, are written out: \x1b, \u009b. `text` is UTF-8.
 */
void terminal_add_safe(struct bp_buf *safe, bp_str text);

#endif
