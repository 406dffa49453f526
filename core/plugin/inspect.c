/* inspect.c - reads a plugin file without loading it. */
#include "plugin/inspect.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"

enum { NAMES_MAX = 64 }; // of exports and of libraries

#if defined(__x86_64__)
#define HOST_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define HOST_MACHINE EM_AARCH64
#else
#error "add the ELF machine number of this processor"
#endif

static const struct plugin_kind kinds[] = {
    { "storage", 1, 1 }, { "cache", 1, 1 },  { "vector", 1, 1 }, { "embed", 1, 1 },
    { "llm", 1, 1 },     { "health", 1, 1 }, { "alert", 1, 1 },  { "app", 1, 1 },
};

const struct plugin_kind *plugin_kind_find(const char *name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

/* The file in memory. */
struct image {
    const uint8_t *bytes;
    size_t         size;
};

static bool refuse(struct plugin_file *file, const char *format, ...) BP_FORMAT(2, 3);
static bool refuse(struct plugin_file *file, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    reason_set_va(&file->problem, format, args);
    va_end(args);
    return false;
}

/* NULL when it lies outside of the file, or at an address that a struct of `alignment` may not
 * have. */
static const void *piece(const struct image *image, uint64_t offset, uint64_t size,
                         unsigned alignment)
{
    if (offset > image->size || size > image->size - offset || offset % alignment != 0)
        return NULL;
    return image->bytes + offset;
}

/* ---- who may have written it ---- */

static bool has_safe_place(struct plugin_file *file, const struct stat *info)
{
    char        real[PATH_MAX], *slash, folder[PATH_MAX];
    struct stat folder_info;

    if (!S_ISREG(info->st_mode))
        return refuse(file, "it is not a regular file");
    if (info->st_uid != 0 && info->st_uid != geteuid())
        return refuse(file,
                      "it belongs to user %u, neither to root nor to the user %u that runs the "
                      "host: chown it",
                      (unsigned)info->st_uid, (unsigned)geteuid());
    if (info->st_mode & S_IWOTH)
        return refuse(file, "anybody may write to it (mode %04o): chmod o-w it",
                      (unsigned)info->st_mode & 07777);
    if (!realpath(file->path, real))
        return refuse(file, "its path cannot be resolved: %s", strerror(errno));
    slash = strrchr(real, '/');
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - real), real);
    if (stat(folder[0] ? folder : "/", &folder_info) == 0 && (folder_info.st_mode & S_IWOTH) &&
        !(folder_info.st_mode & S_ISVTX))
        return refuse(file, "anybody may write to its folder %s: chmod o-w it", folder);
    return true;
}

static bool is_not_a_link_elsewhere(struct plugin_file *file)
{
    struct stat info;
    char        real[PATH_MAX], folder[PATH_MAX], named[PATH_MAX];
    char       *slash;

    if (lstat(file->path, &info) != 0 || !S_ISLNK(info.st_mode))
        return true;
    snprintf(named, sizeof(named), "%s", file->path);
    slash = strrchr(named, '/');
    if (slash)
        *slash = '\0';
    if (!realpath(slash ? named : ".", folder) || !realpath(file->path, real))
        return refuse(file, "it is a symbolic link to nowhere");
    if (strncmp(real, folder, strlen(folder)) != 0 || real[strlen(folder)] != '/')
        return refuse(file,
                      "it is a symbolic link out of its folder, to %s: put the file itself there",
                      real);
    return true;
}

/* ---- what it is ---- */

static bool is_elf_for_this_machine(const struct image *image, struct plugin_file *file)
{
    const Elf64_Ehdr *header = piece(image, 0, sizeof(*header), 8);

    if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return refuse(file, "it is not an ELF file%s", image->size ? "" : ", it is empty");
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
        return refuse(file, "it is not for a 64-bit little-endian machine");
    if (header->e_machine != HOST_MACHINE)
        return refuse(file,
                      "it is for another processor (ELF machine %u, this host is %u): build it for "
                      "this one",
                      header->e_machine, HOST_MACHINE);
    if (header->e_type != ET_DYN)
        return refuse(file, "it is not a shared object: link it with -shared");
    if (header->e_phentsize != sizeof(Elf64_Phdr) ||
        !piece(image, header->e_phoff, (uint64_t)header->e_phnum * sizeof(Elf64_Phdr), 8))
        return refuse(file, "it is cut off: its program headers lie beyond its end");
    return true;
}

static const Elf64_Phdr *segments(const struct image *image, unsigned *count)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)image->bytes;

    *count = header->e_phnum;
    return (const Elf64_Phdr *)(image->bytes + header->e_phoff);
}

static bool is_whole(const struct image *image, struct plugin_file *file)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)image->bytes;
    unsigned          count;
    const Elf64_Phdr *segment = segments(image, &count);

    for (unsigned i = 0; i < count; i++)
        if (segment[i].p_type == PT_LOAD &&
            !piece(image, segment[i].p_offset, segment[i].p_filesz, 1))
            return refuse(file, "it is cut off: a segment lies beyond its end");
    // The loader would not miss these, but a file without the end it was written with is no file to
    // trust.
    if (header->e_shnum &&
        !piece(image, header->e_shoff, (uint64_t)header->e_shnum * sizeof(Elf64_Shdr), 1))
        return refuse(file, "it is cut off: its section headers lie beyond its end");
    return true;
}

static void read_notes(const struct image *image, struct plugin_file *file)
{
    unsigned          count;
    const Elf64_Phdr *segment = segments(image, &count);

    for (unsigned i = 0; i < count; i++) {
        uint64_t at = segment[i].p_offset, end;

        if (segment[i].p_type != PT_NOTE || !piece(image, at, segment[i].p_filesz, 4))
            continue;
        end = at + segment[i].p_filesz;
        while (at + sizeof(Elf64_Nhdr) <= end) {
            const Elf64_Nhdr *note = (const Elf64_Nhdr *)(image->bytes + at);
            uint64_t          name_at = at + sizeof(*note);
            uint64_t          desc_at = name_at + (((uint64_t)note->n_namesz + 3) & ~3ull);
            uint64_t          next = desc_at + (((uint64_t)note->n_descsz + 3) & ~3ull);

            if (next > end)
                break;
            if (note->n_namesz == 4 && memcmp(image->bytes + name_at, "GNU", 4) == 0 &&
                note->n_type == NT_GNU_BUILD_ID && note->n_descsz <= 20)
                crypto_hex(image->bytes + desc_at, note->n_descsz, file->build_id);
            if (note->n_namesz == 10 && memcmp(image->bytes + name_at, "Backplane", 10) == 0 &&
                note->n_type == 1 && !file->is_readable) {
                uint64_t size = next - at < sizeof(file->note) ? next - at : sizeof(file->note);

                memcpy(&file->note, image->bytes + at, size);
                file->note.kind[sizeof(file->note.kind) - 1] = '\0';
                file->note.name[sizeof(file->note.name) - 1] = '\0';
                file->note.version[sizeof(file->note.version) - 1] = '\0';
                file->is_readable = true;
            }
            at = next;
        }
    }
}

static bool is_name(const char *text)
{
    return text[0] && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0';
}

static bool does_note_fit(struct plugin_file *file)
{
    const bp_plugin_note     *note = &file->note;
    const struct plugin_kind *kind;

    if (!file->is_readable)
        return refuse(file, "it has no Backplane note, so it is not a Backplane plugin: use "
                            "BP_PLUGIN() from <backplane/plugin.h>");
    if (note->descriptor_size < sizeof(*note) - offsetof(bp_plugin_note, magic))
        return refuse(file,
                      "its note is shorter (%u bytes) than that of ABI 1.0 (%zu): build it with "
                      "the SDK's own BP_PLUGIN()",
                      note->descriptor_size, sizeof(*note) - offsetof(bp_plugin_note, magic));
    if (note->magic != BP_PLUGIN_MAGIC)
        return refuse(file,
                      "its note has the magic number 0x%08x instead of 0x%08x: the file is damaged "
                      "or forged",
                      note->magic, BP_PLUGIN_MAGIC);
    if (note->abi_major != BP_ABI_MAJOR)
        return refuse(file, "it was built for ABI %u.%u, this host has %u.%u: build it with %s SDK",
                      note->abi_major, note->abi_minor, BP_ABI_MAJOR, BP_ABI_MINOR,
                      note->abi_major < BP_ABI_MAJOR ? "a newer" : "an older");
    if (note->min_host_minor > BP_ABI_MINOR)
        return refuse(file,
                      "it needs a host of ABI %u.%u or newer, this one has %u.%u: update the host",
                      BP_ABI_MAJOR, note->min_host_minor, BP_ABI_MAJOR, BP_ABI_MINOR);
    kind = plugin_kind_find(note->kind);
    if (!kind)
        return refuse(file, "it is of kind \"%s\", which this host does not know", note->kind);
    if (note->kind_version < kind->oldest || note->kind_version > kind->newest)
        return refuse(file, "it has version %u of kind %s, this host serves versions %u to %u",
                      note->kind_version, note->kind, kind->oldest, kind->newest);
    if (!is_name(note->name))
        return refuse(file, "its name \"%s\" is not of the form [a-z0-9_-]{1,31}", note->name);
    return true;
}

/* ---- how it was linked ---- */

struct dynamic {
    const Elf64_Sym *symbols;
    uint64_t         symbol_count;
    const char      *strings;
    uint64_t         string_size;
    bool             is_bound_now;
    uint64_t         needed[NAMES_MAX];
    unsigned         needed_count;
};

/* The file offset of a virtual address, or UINT64_MAX. */
static uint64_t file_offset(const struct image *image, uint64_t address)
{
    unsigned          count;
    const Elf64_Phdr *segment = segments(image, &count);

    for (unsigned i = 0; i < count; i++)
        if (segment[i].p_type == PT_LOAD && address >= segment[i].p_vaddr &&
            address - segment[i].p_vaddr < segment[i].p_filesz)
            return address - segment[i].p_vaddr + segment[i].p_offset;
    return UINT64_MAX;
}

/* Section headers may be stripped, so symbols are counted through the hash table: the GNU one, or
 * the old one. */
static uint64_t count_by_gnu_hash(const struct image *image, uint64_t offset)
{
    const uint32_t *head = piece(image, offset, 16, 4);
    uint64_t        buckets_at, chains_at;
    uint32_t        last = 0;

    if (!head)
        return 0;
    buckets_at = offset + 16 + (uint64_t)head[2] * 8;
    chains_at = buckets_at + (uint64_t)head[0] * 4;
    for (uint32_t i = 0; i < head[0]; i++) {
        const uint32_t *bucket = piece(image, buckets_at + (uint64_t)i * 4, 4, 4);

        if (!bucket)
            return 0;
        if (*bucket > last)
            last = *bucket;
    }
    if (last < head[1])
        return head[1];
    for (;; last++) {
        const uint32_t *chain = piece(image, chains_at + (uint64_t)(last - head[1]) * 4, 4, 4);

        if (!chain)
            return 0;
        if (*chain & 1)
            return (uint64_t)last + 1;
    }
}

static uint64_t count_by_old_hash(const struct image *image, uint64_t offset)
{
    const uint32_t *head = piece(image, offset, 8, 4);

    return head ? head[1] : 0; // as many chains as symbols
}

static bool read_dynamic(const struct image *image, struct plugin_file *file,
                         struct dynamic *dynamic)
{
    unsigned          count;
    const Elf64_Phdr *segment = segments(image, &count);
    const Elf64_Dyn  *entry = NULL;
    uint64_t          entries = 0, symbols_at = 0, strings_at = 0, hash_at = 0, old_hash_at = 0;

    for (unsigned i = 0; i < count; i++) {
        if (segment[i].p_type == PT_DYNAMIC) {
            entry = piece(image, segment[i].p_offset, segment[i].p_filesz, 8);
            entries = segment[i].p_filesz / sizeof(*entry);
        }
    }
    if (!entry)
        return refuse(file, "it has no dynamic section: link it with -shared");
    for (; entries && entry->d_tag != DT_NULL; entry++, entries--) {
        switch (entry->d_tag) {
        case DT_SYMTAB:
            symbols_at = entry->d_un.d_ptr;
            break;
        case DT_STRTAB:
            strings_at = entry->d_un.d_ptr;
            break;
        case DT_STRSZ:
            dynamic->string_size = entry->d_un.d_val;
            break;
        case DT_GNU_HASH:
            hash_at = entry->d_un.d_ptr;
            break;
        case DT_HASH:
            old_hash_at = entry->d_un.d_ptr;
            break;
        case DT_BIND_NOW:
            dynamic->is_bound_now = true;
            break;
        case DT_FLAGS:
            dynamic->is_bound_now |= (entry->d_un.d_val & DF_BIND_NOW) != 0;
            break;
        case DT_FLAGS_1:
            dynamic->is_bound_now |= (entry->d_un.d_val & DF_1_NOW) != 0;
            break;
        case DT_NEEDED:
            if (dynamic->needed_count < NAMES_MAX)
                dynamic->needed[dynamic->needed_count++] = entry->d_un.d_val;
            break;
        default:
            break;
        }
    }
    dynamic->strings = piece(image, file_offset(image, strings_at), dynamic->string_size, 1);
    dynamic->symbol_count = hash_at ? count_by_gnu_hash(image, file_offset(image, hash_at))
                            : old_hash_at
                                ? count_by_old_hash(image, file_offset(image, old_hash_at))
                                : 0;
    dynamic->symbols = piece(image, file_offset(image, symbols_at),
                             dynamic->symbol_count * sizeof(Elf64_Sym), 8);
    if (!dynamic->strings || !dynamic->symbols || dynamic->string_size == 0 ||
        dynamic->strings[dynamic->string_size - 1] != '\0')
        return refuse(file, "its symbol table is damaged or cut off");
    return true;
}

static void collect_names(struct arena *arena, const struct dynamic *dynamic,
                          struct plugin_file *file, bool *has_entry)
{
    bp_str *extra = arena_alloc(arena, NAMES_MAX * sizeof(bp_str));
    bp_str *needed = arena_alloc(arena, NAMES_MAX * sizeof(bp_str));
    size_t  extra_count = 0, needed_count = 0;

    for (uint64_t i = 1; i < dynamic->symbol_count; i++) {
        const Elf64_Sym *symbol = &dynamic->symbols[i];
        const char      *name;

        if (symbol->st_shndx == SHN_UNDEF || symbol->st_name >= dynamic->string_size ||
            ELF64_ST_BIND(symbol->st_info) == STB_LOCAL ||
            ELF64_ST_VISIBILITY(symbol->st_other) == STV_HIDDEN)
            continue;
        name = dynamic->strings + symbol->st_name;
        if (strcmp(name, "bp_plugin_entry") == 0 && ELF64_ST_TYPE(symbol->st_info) == STT_FUNC)
            *has_entry = true;
        else if (extra && extra_count < NAMES_MAX)
            extra[extra_count++] = arena_dup(arena, bp_str_of(name));
    }
    for (unsigned i = 0; needed && i < dynamic->needed_count; i++)
        if (dynamic->needed[i] < dynamic->string_size)
            needed[needed_count++] = arena_dup(arena,
                                               bp_str_of(dynamic->strings + dynamic->needed[i]));
    file->extra_exports = (bp_str_list){ extra, extra_count };
    file->needed = (bp_str_list){ needed, needed_count };
}

static bool is_linked_well(struct arena *arena, const struct image *image, struct plugin_file *file)
{
    struct dynamic dynamic = { 0 };
    bool           has_entry = false;

    if (!read_dynamic(image, file, &dynamic))
        return false;
    collect_names(arena, &dynamic, file, &has_entry);
    if (!has_entry)
        return refuse(file, "it does not export bp_plugin_entry(): write BP_PLUGIN(...) in exactly "
                            "one source file and do not hide it by a version script");
    if (!dynamic.is_bound_now)
        return refuse(file,
                      "it was not linked with -z now, so a missing symbol would end the host at "
                      "the first call: use bp_add_plugin() or pkg-config --libs backplane-sdk");
    return true;
}

static bool judge(struct arena *arena, const struct image *image, struct plugin_file *file)
{
    if (!is_elf_for_this_machine(image, file) || !is_whole(image, file))
        return false;
    read_notes(image, file);
    return does_note_fit(file) && is_linked_well(arena, image, file);
}

void plugin_inspect_bytes(struct arena *arena, const void *bytes, size_t size,
                          struct plugin_file *file)
{
    const struct image image = { bytes, size };

    file->is_accepted = judge(arena, &image, file);
}

/* An empty file has no image. */
static bool map(int fd, struct plugin_file *file, struct image *image)
{
    void *bytes;

    if (file->size_bytes >= INSPECT_FILE_MAX_BYTES)
        return refuse(file, "it has %lld bytes, and a plugin has less than %d: strip it",
                      (long long)file->size_bytes, INSPECT_FILE_MAX_BYTES);
    if (file->size_bytes == 0)
        return true;
    bytes = mmap(NULL, (size_t)file->size_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return refuse(file, "it cannot be read: %s", strerror(errno));
    *image = (struct image){ bytes, (size_t)file->size_bytes };
    return true;
}

void plugin_inspect(struct arena *arena, const char *path, struct plugin_file *file)
{
    struct stat  info;
    struct image image = { 0 };
    bool         is_mapped;
    int          fd;

    memset(file, 0, sizeof(*file));
    file->path = arena_dup(arena, bp_str_of(path)).data;
    if (!file->path[0]) {
        refuse(file, "there is no memory to look at it");
        return;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &info) != 0) {
        refuse(file, "it cannot be opened: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return;
    }
    file->size_bytes = info.st_size;
    is_mapped = has_safe_place(file, &info) && is_not_a_link_elsewhere(file) &&
                map(fd, file, &image);
    close(fd);
    if (is_mapped)
        plugin_inspect_bytes(arena, image.bytes, image.size, file);
    if (image.bytes)
        munmap((void *)(uintptr_t)image.bytes, image.size);
}
