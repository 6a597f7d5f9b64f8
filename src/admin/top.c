#include "admin/top.h"

#include "admin/processes.h"
#include "base/number.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

struct top_sample {
    uint64_t pid, cpu_ns, turns;
};

/* One process since it was last seen. */
struct row {
    size_t line; /* of the list */
    uint64_t cpu_permille, turns_per_s;
};

void top_fini(struct top *top)
{
    free(top->samples);
    *top = (struct top){0};
}

static int compare_samples(const void *left, const void *right)
{
    const struct top_sample *a = left, *b = right;

    return a->pid < b->pid ? -1 : a->pid > b->pid;
}

static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left, *b = right;

    if (a->cpu_permille != b->cpu_permille) {
        return a->cpu_permille > b->cpu_permille ? -1 : 1;
    }
    if (a->turns_per_s != b->turns_per_s) {
        return a->turns_per_s > b->turns_per_s ? -1 : 1;
    }
    return a->line < b->line ? -1 : a->line > b->line;
}

static struct row measure(const struct top *top, const struct process_info *info, uint64_t span_ns)
{
    const struct top_sample key = {.pid = info->pid.raw};
    const struct top_sample *before = span_ns == 0 || top->count == 0
                                          ? NULL
                                          : bsearch(&key, top->samples, top->count, sizeof key,
                                                    compare_samples);
    uint64_t cpu_ns = info->cpu_ns - (before != NULL ? before->cpu_ns : 0);
    uint64_t turns = info->turns - (before != NULL ? before->turns : 0);
    uint64_t us = (before != NULL ? span_ns : info->age_ns) / 1000;

    us = us == 0 ? 1 : us;
    return (struct row){.cpu_permille = cpu_ns / us, .turns_per_s = turns * 1000000 / us};
}

static bool remember(struct top *top, const struct processes *processes, uint64_t now_ns)
{
    struct top_sample *samples = calloc(processes->count + 1, sizeof *samples);

    if (samples == NULL) {
        return false;
    }
    for (size_t i = 0; i < processes->count; i++) {
        const struct process_info *info = &processes->lines[i];
        samples[i] = (struct top_sample){info->pid.raw, info->cpu_ns, info->turns};
    }
    qsort(samples, processes->count, sizeof *samples, compare_samples);
    free(top->samples);
    *top = (struct top){.samples = samples, .count = processes->count, .at_ns = now_ns};
    return true;
}

static void put_row(struct json *json, const struct processes *processes, const struct row *row)
{
    const struct process_info *info = &processes->lines[row->line];
    size_t size = 0;
    const char *name = processes_name(processes, row->line, 0, &size);
    char digits[20];

    json_open(json, NULL, '{');
    json_text(json, "pid", digits, number_format(info->pid.raw, digits));
    json_string(json, "kind", info->kind);
    json_string(json, "component", info->label);
    if (name != NULL) {
        json_text(json, "name", name, size);
    }
    json_string(json, "state", process_phase_name(info->phase));
    json_number(json, "cpu_permille", row->cpu_permille);
    json_number(json, "turns_per_s", row->turns_per_s);
    json_number(json, "mailbox", info->mailbox_messages);
    json_number(json, "age_ms", info->age_ns / 1000000);
    json_close(json, '}');
}

static bool print_row(struct bytes *ret, const struct processes *processes, const struct row *row)
{
    const struct process_info *info = &processes->lines[row->line];
    AUTO(bytes_finip) struct bytes name = {0};
    size_t size = 0;
    const char *text = processes_name(processes, row->line, 0, &size);

    if ((text != NULL && !processes_show(&name, text, size)) || !bytes_terminate(&name)) {
        return false;
    }
    return bytes_printf(ret,
                        "%20" PRIu64 " %-10s %-20s %-16s %-8s %3" PRIu64 ".%" PRIu64 " %10" PRIu64
                        " %8u %8" PRIu64 "\n",
                        info->pid.raw, info->kind, info->label, (char *)name.data,
                        process_phase_name(info->phase), row->cpu_permille / 10,
                        row->cpu_permille % 10, row->turns_per_s, info->mailbox_messages,
                        info->age_ns / SECOND_NS);
}

static bool print_table(const struct report_source *source, struct bytes *ret,
                        const struct processes *processes, const struct row *rows, size_t count)
{
    struct node_counts counts = node_counts(source->node->node);

    if (!bytes_printf(ret,
                      "node '%s', up %" PRIu64 " s: %" PRIu64 " processes of %" PRIu64
                      ", %u workers, %" PRIu64 " timers\n\n%20s %-10s %-20s %-16s %-8s %5s %10s "
                      "%8s %8s\n",
                      source->node->node_name, source->uptime_ns / SECOND_NS, counts.processes,
                      counts.processes_max, node_workers(source->node->node), counts.timers, "PID",
                      "KIND", "COMPONENT", "NAME", "STATE", "CPU %", "TURNS/s", "MAILBOX",
                      "AGE s")) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!print_row(ret, processes, &rows[i])) {
            return false;
        }
    }
    return true;
}

bool report_top(const struct report_source *source, struct top *top, enum report_form form,
                size_t rows_max, struct bytes *ret)
{
    AUTO(processes_finip) struct processes processes = {0};
    struct env *env = node_env(source->node->node);
    uint64_t now_ns = env->monotonic_ns(env);
    uint64_t span_ns = top->at_ns == 0 || now_ns - top->at_ns > TOP_FORGET_NS ? 0
                                                                              : now_ns - top->at_ns;

    if (!processes_read(&processes, source->node->node)) {
        return false;
    }
    struct row *rows = calloc(processes.count + 1, sizeof *rows);
    if (rows == NULL) {
        return false;
    }
    for (size_t i = 0; i < processes.count; i++) {
        rows[i] = measure(top, &processes.lines[i], span_ns);
        rows[i].line = i;
    }
    qsort(rows, processes.count, sizeof *rows, compare_rows);
    size_t count = rows_max != 0 && rows_max < processes.count ? rows_max : processes.count;
    struct json json = {.to = ret};
    if (form == REPORT_TEXT) {
        json.failed = !print_table(source, ret, &processes, rows, count);
    } else {
        json_open(&json, NULL, '[');
        for (size_t i = 0; i < count; i++) {
            put_row(&json, &processes, &rows[i]);
        }
        json_close(&json, ']');
    }
    free(rows);
    return remember(top, &processes, now_ns) && json_done(&json);
}
