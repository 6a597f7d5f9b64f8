#include "admin/report.h"

#include "admin/processes.h"
#include "base/log.h"
#include "base/number.h"
#include "core/node.h"
#include "core/registry.h"
#include "guest/dynamic.h"
#include "guest/fetcher.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MILLISECOND_NS = 1000000, MICROSECOND_NS = 1000, KIB = 1024 };

static void put_processes(struct json *json, const struct report_source *source)
{
    struct node_counts counts = node_counts(source->node->node);
    const struct capacity_plan *plan = pool_plan(source->node->pool);
    json_open(json, "processes", '{');
    json_number(json, "now", counts.processes);
    json_number(json, "max", counts.processes_max);
    json_string(json, "limited_by", plan->limited_by);
    json_number(json, "spawned", counts.spawned);
    json_open(json, "exits", '{');
    for (enum exit_class cls = EXIT_NORMAL; cls <= EXIT_KILLED; cls++) {
        json_number(json, exit_class_name(cls), counts.exits[cls]);
    }
    json_close(json, '}');
    json_close(json, '}');
    json_number(json, "timers", counts.timers);
    json_open(json, "scheduler", '{');
    json_number(json, "workers", node_workers(source->node->node));
    json_number(json, "turns", counts.turns);
    json_number(json, "preemptions", counts.preemptions);
    json_number(json, "steals", counts.steals);
    json_close(json, '}');
}

static void put_pool(struct json *json, const struct report_source *source)
{
    struct engine_usage usage = pool_usage(source->node->pool);
    json_open(json, "engine", '{');
    json_string(json, "version", engine_version());
    json_number(json, "reserved", pool_in_use(source->node->pool));
    json_number(json, "reserved_max", pool_plan(source->node->pool)->processes);
    json_number(json, "core_instances", usage.core_instances);
    json_number(json, "component_instances", usage.component_instances);
    json_number(json, "memories", usage.memories);
    json_number(json, "tables", usage.tables);
    json_number(json, "stacks", usage.stacks);
    json_number(json, "spares", usage.spares);
    json_close(json, '}');
}

static void put_server(struct json *json, const struct report_source *source)
{
    static const char *const hundreds[6] = {"cut", "1xx", "2xx", "3xx", "4xx", "5xx"};
    struct server_counts counts = server_counts(source->node->server);
    json_open(json, "connections", '{');
    json_number(json, "now", counts.connections);
    json_number(json, "max", counts.connections_max);
    json_number(json, "accepted", counts.accepted);
    json_number(json, "refused", counts.refused);
    json_number(json, "limited", counts.limited.connections);
    json_number(json, "buffered_bytes", counts.buffered_bytes);
    json_number(json, "buffered_bytes_max", counts.buffered_bytes_max);
    json_close(json, '}');
    json_open(json, "requests", '{');
    json_number(json, "total", counts.requests);
    json_number(json, "limited", counts.limited.requests);
    for (size_t i = 0; i < ARRAY_LENGTH(hundreds); i++) {
        json_number(json, hundreds[i], counts.responses[i]);
    }
    json_close(json, '}');
}

struct count {
    const char *name; /* NULL: the end */
    uint64_t number;
};

static void put_counts(struct json *json, const char *name, const struct count *counts)
{
    json_open(json, name, '{');
    for (; counts->name != NULL; counts++) {
        json_number(json, counts->name, counts->number);
    }
    json_close(json, '}');
}

/* Requests that guests send to others. */
static void put_fetches(struct json *json, const struct report_source *source)
{
    const struct fetcher *fetcher = fetcher_of(source->node->node);
    if (fetcher == NULL) {
        return;
    }
    struct fetcher_counts counts = fetcher_counts(fetcher);
    put_counts(json, "fetches",
               (struct count[]){{"now", counts.fetches},
                                {"max", counts.fetches_max},
                                {"started", counts.started},
                                {"denied", counts.denied},
                                {NULL, 0}});
}

/* Code that guests bring. */
static void put_dynamic(struct json *json, const struct report_source *source)
{
    struct dynamic *dynamic = dynamic_of(source->node->node);
    if (dynamic == NULL) {
        return;
    }
    struct dynamic_counts counts = dynamic_counts(dynamic);
    put_counts(json, "dynamic",
               (struct count[]){{"loaded", counts.loaded},
                                {"queued", counts.queued},
                                {"compiled", counts.compiled},
                                {"refused", counts.refused},
                                {NULL, 0}});
}

static void put_components(struct json *json, const struct report_source *source)
{
    json_open(json, "components", '[');
    for (size_t i = 0; i < source->node->component_count; i++) {
        const struct component *component = source->node->components[i];
        json_open(json, NULL, '{');
        json_string(json, "name", component_name(component));
        json_number(json, "processes", component_processes(component));
        json_number(json, "spawned", component_spawned(component));
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void count_one(void *argument, const struct registry_key *key, struct pid pid)
{
    uint64_t *count = argument;
    (void)key;
    (void)pid;
    *count += 1;
}

static void put_registered(struct json *json, struct registry *registry, const char *key,
                           enum registry_kind kind)
{
    uint64_t count = 0;
    registry_visit(registry, kind, count_one, &count);
    json_number(json, key, count);
}

static void put_services(struct json *json, const struct report_source *source)
{
    const struct admin_tally *tally = source->node->tally;
    struct registry *registry = node_registry(source->node->node);

    json_open(json, "registered", '{');
    put_registered(json, registry, "names", REGISTRY_NAME);
    put_registered(json, registry, "tags", REGISTRY_TAG);
    put_registered(json, registry, "groups", REGISTRY_GROUP);
    json_close(json, '}');
    if (tally != NULL) {
        json_open(json, "supervisors", '{');
        json_number(json, "restarts", atomic_load(&tally->restarts));
        json_number(json, "escalations", atomic_load(&tally->escalations));
        json_close(json, '}');
    }
    json_open(json, "schedules", '[');
    for (size_t i = 0; i < source->node->job_count; i++) {
        struct job_counts counts = jobs_counts(source->node->jobs, i);
        json_open(json, NULL, '{');
        json_string(json, "component", jobs_component(source->node->jobs, i));
        json_number(json, "running", counts.running);
        json_number(json, "fired", counts.fired);
        json_number(json, "skipped", counts.skipped);
        json_number(json, "failed", counts.failed);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static uint64_t count_entries(const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return 0;
    }
    uint64_t count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    closedir(dir);
    return count > 0 ? count - 1 : 0; /* less the one that this reading takes */
}

static uint64_t count_lines(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    uint64_t count = 0;
    char part[4096];
    for (size_t size; (size = fread(part, 1, sizeof part, file)) > 0;) {
        for (size_t i = 0; i < size; i++) {
            count += part[i] == '\n';
        }
    }
    fclose(file);
    return count;
}

/* The second number of /proc/self/statm: resident pages. */
static uint64_t resident_bytes(void)
{
    AUTO(bytes_finip) struct bytes text = {0};
    struct err ignored = {0};
    if (!bytes_read_file(&text, "/proc/self/statm", 4096, &ignored)) {
        return 0;
    }
    const char *first = (const char *)text.data;
    const char *space = memchr(first, ' ', text.size);
    const char *end = space == NULL
                          ? NULL
                          : memchr(space + 1, ' ', text.size - (size_t)(space + 1 - first));
    uint64_t pages = 0;
    if (end == NULL || !number_parse(space + 1, (size_t)(end - space - 1), UINT64_MAX, &pages)) {
        return 0;
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void put_system(struct json *json, const struct report_source *source)
{
    const struct capacity_limits *limits = pool_limits(source->node->pool);
    json_number(json, "resident_bytes", resident_bytes());
    json_open(json, "descriptors", '{');
    json_number(json, "now", count_entries("/proc/self/fd"));
    json_number(json, "max", limits->descriptors);
    json_close(json, '}');
    json_open(json, "mappings", '{');
    json_number(json, "now", count_lines("/proc/self/maps"));
    json_number(json, "max", limits->mappings);
    json_close(json, '}');
}

bool report_stats(const struct report_source *source, enum report_form form, struct bytes *ret)
{
    struct json json = {.to = ret, .lines = form == REPORT_TEXT};
    json_open(&json, NULL, '{');
    json_string(&json, "node", source->node->node_name);
    json_string(&json, "version", MOTE_VERSION);
    json_number(&json, "os_pid", (uint64_t)getpid());
    json_bool(&json, "ready", source->ready);
    json_number(&json, "uptime_ms", source->uptime_ns / MILLISECOND_NS);
    put_processes(&json, source);
    put_pool(&json, source);
    put_server(&json, source);
    put_fetches(&json, source);
    put_dynamic(&json, source);
    put_components(&json, source);
    put_services(&json, source);
    put_system(&json, source);
    json_number(&json, "log_lines_dropped", log_dropped());
    json_close(&json, '}');
    return json_done(&json);
}

/* Pids are text: they use all 64 bits, more than most readers of JSON keep in a number. */
static void put_pid(struct json *json, const char *key, struct pid pid)
{
    char digits[20];
    json_text(json, key, digits, number_format(pid.raw, digits));
}

static void put_process(struct json *json, const struct processes *processes, size_t line)
{
    const struct process_info *info = &processes->lines[line];
    size_t size = 0;

    json_open(json, NULL, '{');
    put_pid(json, "pid", info->pid);
    if (!pid_is_none(info->parent)) {
        put_pid(json, "parent", info->parent);
    }
    json_string(json, "kind", info->kind);
    json_string(json, "component", info->label);
    json_open(json, "names", '[');
    for (size_t i = 0;; i++) {
        const char *name = processes_name(processes, line, i, &size);
        if (name == NULL) {
            break;
        }
        json_text(json, NULL, name, size);
    }
    json_close(json, ']');
    json_string(json, "note", info->note);
    json_string(json, "state", process_phase_name(info->phase));
    json_number(json, "age_ms", info->age_ns / MILLISECOND_NS);
    json_number(json, "cpu_us", info->cpu_ns / MICROSECOND_NS);
    json_number(json, "turns", info->turns);
    json_number(json, "preemptions", info->preemptions);
    json_number(json, "mailbox", info->mailbox_messages);
    json_number(json, "mailbox_bytes", info->mailbox_bytes);
    json_number(json, "memory_bytes", processes->memory_bytes[line]);
    json_number(json, "messages_received", info->traffic.received);
    json_number(json, "bytes_received", info->traffic.received_bytes);
    json_number(json, "messages_sent", info->traffic.sent);
    json_number(json, "bytes_sent", info->traffic.sent_bytes);
    json_number(json, "links", info->links);
    json_number(json, "monitors", info->monitors);
    json_number(json, "watchers", info->watchers);
    json_close(json, '}');
}

/* Names with commas, then what the process says of itself. */
static bool put_words(struct bytes *ret, const struct processes *processes, size_t line)
{
    const char *note = processes->lines[line].note;
    size_t size = 0;

    for (size_t i = 0;; i++) {
        const char *name = processes_name(processes, line, i, &size);
        if (name == NULL) {
            return *note == '\0' ||
                   (bytes_printf(ret, " (") && processes_show(ret, note, strlen(note)) &&
                    bytes_printf(ret, ")"));
        }
        if (!bytes_printf(ret, "%s", i == 0 ? " " : ",") || !processes_show(ret, name, size)) {
            return false;
        }
    }
}

static bool put_table(struct bytes *ret, const struct processes *processes)
{
    if (!bytes_printf(ret, "%20s %20s %-10s %-20s %-8s %10s %12s %10s %8s %10s %6s %7s %7s %s\n",
                      "PID", "PARENT", "KIND", "COMPONENT", "STATE", "AGE ms", "CPU us", "TURNS",
                      "MAILBOX", "MEMORY KiB", "LINKS", "WATCHES", "WATCHED", "NAMES")) {
        return false;
    }
    for (size_t i = 0; i < processes->count; i++) {
        const struct process_info *info = &processes->lines[i];
        if (!bytes_printf(
                ret, "%20llu %20llu %-10s %-20s %-8s %10llu %12llu %10llu %8u %10llu %6u %7u %7u",
                (unsigned long long)info->pid.raw, (unsigned long long)info->parent.raw, info->kind,
                info->label, process_phase_name(info->phase),
                (unsigned long long)(info->age_ns / MILLISECOND_NS),
                (unsigned long long)(info->cpu_ns / MICROSECOND_NS),
                (unsigned long long)info->turns, info->mailbox_messages,
                (unsigned long long)(processes->memory_bytes[i] / KIB), info->links, info->monitors,
                info->watchers) ||
            !put_words(ret, processes, i) || !bytes_append(ret, "\n", 1)) {
            return false;
        }
    }
    return true;
}

bool report_processes(const struct report_source *source, enum report_form form, struct bytes *ret)
{
    AUTO(processes_finip) struct processes processes = {0};
    struct json json = {.to = ret};

    if (!processes_read(&processes, source->node->node)) {
        return false;
    }
    if (form == REPORT_TEXT) {
        return put_table(ret, &processes);
    }
    json_open(&json, NULL, '[');
    for (size_t i = 0; i < processes.count; i++) {
        put_process(&json, &processes, i);
    }
    json_close(&json, ']');
    return json_done(&json);
}
