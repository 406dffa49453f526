/* backplane/backplane.h - everything. Including a header asks for its service, so a plugin that
 * needs only some of them includes only those. */
#ifndef BACKPLANE_BACKPLANE_H
#define BACKPLANE_BACKPLANE_H
#include <backplane/alert.h>
#include <backplane/app.h>
#include <backplane/cache.h>
#include <backplane/command.h>
#include <backplane/embed.h>
#include <backplane/health.h>
#include <backplane/http.h>
#include <backplane/json.h>
#include <backplane/llm.h>
#include <backplane/loop.h>
#include <backplane/mcp.h>
#include <backplane/metrics.h>
#include <backplane/param.h>
#include <backplane/plugin.h>
#include <backplane/run.h>
#include <backplane/storage.h>
#include <backplane/stream.h>
#include <backplane/vector.h>
#endif
