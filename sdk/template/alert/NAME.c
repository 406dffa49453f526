/* @NAME@.c - an alert sink: one JSON line for each alert, at the end of a file. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <backplane/alert.h>
#include <backplane/json.h>
#include <backplane/loop.h>
#include <backplane/plugin.h>

enum { LINES_BYTES_MAX = 4 << 20 };

struct sink {
    bp_str path;
};

static const bp_option options[] = {
    BP_OPTION_PATH(struct sink, path, .is_required = true, .example = "alerts.jsonl",
                   .help = "the file to write to"),
};

struct work {
    const struct sink *sink;
    bp_str             lines;
};

/* Opened each time, so that logrotate needs to tell nobody. */
static bp_status append_job(bp_call *call, void *arg)
{
    struct work *work = arg;
    int          fd = open(work->sink->path.data, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    bp_status    status = BP_OK;
    size_t       done = 0;

    if (fd < 0)
        return bp_fail(call, BP_IO, BP_FMT " cannot be opened: %s", BP_ARG(work->sink->path),
                       strerror(errno));
    while (status == BP_OK && done < work->lines.len) {
        ssize_t n = write(fd, work->lines.data + done, work->lines.len - done);

        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            status = bp_fail(call, errno == ENOSPC ? BP_FULL : BP_IO,
                             BP_FMT " cannot be written: %s", BP_ARG(work->sink->path),
                             strerror(errno));
    }
    if (status == BP_OK && fsync(fd) != 0)
        status = bp_fail(call, BP_IO, BP_FMT " cannot be written: %s", BP_ARG(work->sink->path),
                         strerror(errno));
    close(fd);
    return status;
}

static bp_status add_line(bp_call *call, bp_buf *lines, const bp_alert *alert)
{
    static const char *const severities[] = { "info", "warning", "critical" };
    bp_json_writer          *w = bp_json_writer_new(call, LINES_BYTES_MAX);
    bp_str                   line;

    bp_json_object(w);
    bp_json_put_string(w, "name", alert->name);
    bp_json_put_string(
        w, "severity",
        bp_str_of(severities[alert->severity <= BP_SEVERITY_CRITICAL ? alert->severity : 2]));
    bp_json_put_string(w, "state", alert->ends_wall_ns ? BP_STR("resolved") : BP_STR("firing"));
    bp_json_put_string(w, "fingerprint", alert->fingerprint);
    bp_json_put_string(w, "summary", alert->summary);
    bp_json_put_integer(w, "starts_wall_ns", alert->starts_wall_ns);
    if (alert->ends_wall_ns)
        bp_json_put_integer(w, "ends_wall_ns", alert->ends_wall_ns);
    bp_json_key(w, "labels");
    bp_json_object(w);
    for (size_t i = 0; i < alert->label_count; i++) {
        bp_json_key_str(w, alert->labels[i].name);
        bp_json_add_string(w, alert->labels[i].value);
    }
    bp_json_end(w);
    bp_json_end(w);
    BP_TRY(bp_json_done(call, w, &line));
    bp_buf_add(lines, line);
    bp_buf_add(lines, BP_STR("\n"));
    return BP_OK;
}

static bp_status deliver(bp_call *call, void *instance, const bp_alert *alerts, size_t alert_size,
                         size_t count)
{
    struct work work = { .sink = instance };
    bp_buf     *lines = bp_buf_new(call, LINES_BYTES_MAX);

    if (!lines)
        return BP_NO_MEMORY;
    for (size_t i = 0; i < count;
         i++) /* the stride is the host's: its bp_alert may be longer than ours */
        BP_TRY(add_line(call, lines, (const void *)((const char *)alerts + i * alert_size)));
    if (bp_buf_status(lines) != BP_OK)
        return bp_fail(call, bp_buf_status(lines), "%zu alerts do not fit into %d bytes", count,
                       LINES_BYTES_MAX);
    work.lines = bp_buf_str(lines);
    return bp_offload(call, NULL, append_job, &work);
}

static const bp_alert_ops ops = {
    .struct_size = sizeof(bp_alert_ops),
    .deliver = deliver,
};

BP_PLUGIN(alert, "@NAME@", "1.0.0", .summary = "appends alerts to a file, a JSON line each",
          .instance_size = sizeof(struct sink), .options = BP_TABLE(options), .ops = &ops)
