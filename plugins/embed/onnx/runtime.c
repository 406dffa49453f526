/* runtime.c - finds libonnxruntime.so, opens it and takes the functions that are used. */
#define _GNU_SOURCE
#include "runtime.h"

#include <dlfcn.h>
#include <glob.h>
#include <sys/stat.h>

#define HOW_TO_GET "scripts/fetch-onnxruntime.sh FOLDER fetches it; then say runtime: FOLDER"

/* The first function of the library, the only one it exports under a name. */
struct ort_base {
    const void *const *(*table)(uint32_t api_version);
    const char *(*version)(void);
};

static const char *const usual_places[] = {
    "libonnxruntime.so.1",
    "libonnxruntime.so",
    "/usr/local/lib/libonnxruntime.so",
    "/usr/lib/onnxruntime/libonnxruntime.so",
    "/opt/onnxruntime/lib/libonnxruntime.so",
};

bp_status runtime_expect(bp_call *call, const struct runtime *runtime, bp_status status,
                         const char *what, ort_status *result)
{
    if (!result)
        return BP_OK;
    bp_fail(call, status, "%s: %.600s", what, runtime->error_message(result));
    runtime->release_status(result);
    return status;
}

static bp_status take_functions(bp_call *call, void *library, struct runtime *runtime)
{
    const struct ort_base *(*base_of)(void);
    const struct ort_base *base;
    const void *const     *table;
    void                  *symbol = dlsym(library, "OrtGetApiBase");

    memcpy(&base_of, &symbol, sizeof(symbol)); // C has no cast from an object to a function
    base = symbol ? base_of() : NULL;
    table = base ? base->table(1) : NULL;
    if (!table)
        return bp_fail(call, BP_UNAVAILABLE,
                       "%s is not ONNX Runtime: it has no OrtGetApiBase. " HOW_TO_GET,
                       runtime->path);
#define ORT_TAKE(place, name, result, arguments)                                                   \
    memcpy(&runtime->name, &table[place], sizeof(runtime->name));
    ORT_FUNCTIONS(ORT_TAKE)
#undef ORT_TAKE
    snprintf(runtime->version, sizeof(runtime->version), "%s", base->version());
    return BP_OK;
}

/* The library in a folder, whatever its version: libonnxruntime.so, libonnxruntime.so.1.23.2 */
static bool find_in_folder(const char *folder, char *path, size_t size)
{
    glob_t found;
    char   pattern[512];
    bool   is_found;

    snprintf(pattern, sizeof(pattern), "%s/libonnxruntime.so*", folder);
    is_found = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0;
    if (is_found)
        snprintf(path, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    return is_found;
}

static bp_status open_wanted(bp_call *call, bp_str wanted, struct runtime *runtime, void **library)
{
    bp_str      path = bp_dup(call, wanted);
    struct stat info;

    if (!path.len)
        return BP_NO_MEMORY;
    snprintf(runtime->path, sizeof(runtime->path), "%s", path.data);
    if (stat(path.data, &info) != 0)
        return bp_fail(call, BP_UNAVAILABLE, "runtime: there is no %s. " HOW_TO_GET, path.data);
    if (S_ISDIR(info.st_mode) && !find_in_folder(path.data, runtime->path, sizeof(runtime->path)))
        return bp_fail(call, BP_UNAVAILABLE,
                       "runtime: there is no libonnxruntime.so in %s. " HOW_TO_GET, path.data);
    *library = dlopen(runtime->path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!*library)
        return bp_fail(call, BP_UNAVAILABLE,
                       "runtime: ONNX Runtime cannot be opened: %.500s. Is it built for this "
                       "machine? " HOW_TO_GET,
                       dlerror());
    return BP_OK;
}

bp_status runtime_open(bp_call *call, bp_str wanted, struct runtime *runtime)
{
    void *library = NULL;

    memset(runtime, 0, sizeof(*runtime));
    if (wanted.len) {
        BP_TRY(open_wanted(call, wanted, runtime, &library));
        return take_functions(call, library, runtime);
    }
    for (size_t i = 0; i < sizeof(usual_places) / sizeof(usual_places[0]) && !library; i++) {
        library = dlopen(usual_places[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        snprintf(runtime->path, sizeof(runtime->path), "%s", usual_places[i]);
    }
    if (!library)
        return bp_fail(call, BP_UNAVAILABLE,
                       "ONNX Runtime (libonnxruntime.so) is not on this machine, neither in the "
                       "folders of the dynamic linker nor in /usr/local/lib or "
                       "/opt/onnxruntime/lib. " HOW_TO_GET);
    return take_functions(call, library, runtime);
}
