/* app_upload.h - the body of a command's request: the words typed, then the files, made while it is
 * sent (api/commands.h has its form).
 */
#ifndef CORE_CLI_APP_UPLOAD_H
#define CORE_CLI_APP_UPLOAD_H

#include "base/reason.h"
#include "cli/app_table.h"

/* The words typed: words behind the name, and one value for each option of the entry. */
struct app_typed {
    char       **words;
    size_t       word_count;
    const char **values; /* NULL: not set; of a flag any text */
};

struct app_upload {
    const struct app_entry *entry;
    struct upload_file     *files;
    size_t                  file_count, capacity, at;
    int64_t                 left_out;
    struct bp_buf           line; /* to be sent next, from `sent` on */
    size_t                  sent;
    int                     fd;   /* of the file that is sent; -1: none */
    int64_t                 left; /* bytes of it; -1: not known */
    bool                    is_over;
    struct reason           problem; /* a file could not be read: the sentence that is printed */
};

/* Finds the files, and counts lines where that is wanted. */
void app_upload_init(struct app_upload *upload, const struct app_entry *entry,
                     const struct app_typed *typed);
void app_upload_free(struct app_upload *upload);
/* The `read` of a client_stream. */
size_t app_upload_read(void *arg, char *bytes, size_t size);

#endif
