#include "cli/services.h"

#include "base/log.h"
#include "cli/catalog_fill.h"
#include "cli/complaint.h"
#include "core/node.h"
#include "core/registry.h"
#include "core/supervisor.h"
#include "guest/actor.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MILLISECOND_NS = 1000000, SECOND_MS = 1000 };

/* How soon a signal to stop is noticed while services start. */
enum { LOOK_MS = 100 };

/* A supervisor below another one takes as long as its own children do. */
#define BRANCH_NS (UINT64_C(86400) * SECOND_MS * MILLISECOND_NS)

/* Name of the supervisor above all others. */
#define TOP "top"

/* A supervisor as it is started, and started again. */
struct branch {
    struct services *services;
    struct supervisor_child *children;
    struct supervisor_options options;
};

enum stage { STAGE_BOOT, STAGE_UP, STAGE_STOPPING, STAGE_DOWN };

struct services {
    const struct manifest *manifest;
    struct catalog *catalog;
    struct branch top;
    struct branch *branches;         /* one a [[supervisor]] */
    struct calendar *calendars;      /* one a [[schedule]] */
    struct job_options *job_options; /* likewise */
    struct jobs *jobs;
    struct node *node;
    struct process *process; /* of the top supervisor; a reference */
    struct admin_tally tally;
    atomic_uint stage;     /* any thread: enum stage */
    atomic_bool escalated; /* any thread */
    sem_t changed;         /* posted when the top supervisor has started or ended */
    struct err failure;    /* workers, before `changed` is posted: what did not start */
    struct err ended;    /* top supervisor: which of its children ended last and is not restarted */
    struct err downfall; /* top supervisor, before `escalated` is set: why all are down */
};

/* ---- what happens ---- */

static const struct manifest_component *component_of(const struct services *services,
                                                     const char *name)
{
    return name == NULL ? NULL : manifest_component(services->manifest, name);
}

/* The first one counts: those that come after it fail because of it. */
static void note_failure(struct services *services, const struct supervisor_event *event)
{
    const struct manifest_component *component = component_of(services, event->child);

    if (atomic_load(&services->stage) == STAGE_BOOT && services->failure.code == ERR_NONE &&
        component != NULL) {
        (void)err_set(&services->failure, ERR_LIMIT, "%s:%u: service '%s' did not start: %s",
                      services->manifest->path, component->line, event->child, event->reason);
    }
}

static void note_end(struct services *services, const struct supervisor_event *event)
{
    const struct manifest_component *component = component_of(services, event->child);

    if (component == NULL) {
        (void)err_set(&services->ended, ERR_LIMIT, "supervisor '%s' ended too often: %s",
                      event->child, event->reason);
    } else {
        (void)err_set(&services->ended, ERR_LIMIT, "%s:%u: service '%s' ended too often: %s",
                      services->manifest->path, component->line, event->child, event->reason);
    }
}

static void top_ended(struct services *services, const char *reason)
{
    enum stage before = atomic_exchange(&services->stage, STAGE_DOWN);

    if (before == STAGE_UP) {
        if (services->downfall.code == ERR_NONE) {
            (void)err_set(&services->downfall, ERR_LIMIT, "the top supervisor has ended: %s",
                          reason);
        }
        atomic_store(&services->tally.down, true);
        atomic_store(&services->escalated, true);
        log_printf(LOG_ERROR, "all services are down: %s", services->downfall.text);
        if (services->manifest->node.on_escalation.value == MANIFEST_STOP) {
            kill(getpid(), SIGUSR1);
        }
    }
    sem_post(&services->changed);
}

/* On a worker's thread. */
static void happened(void *argument, const struct supervisor_event *event)
{
    struct branch *branch = argument;
    struct services *services = branch->services;
    unsigned boot = STAGE_BOOT;

    actor_log_supervisor(NULL, event);
    switch (event->kind) {
    case SUPERVISOR_STARTED:
        if (branch == &services->top &&
            atomic_compare_exchange_strong(&services->stage, &boot, STAGE_UP)) {
            sem_post(&services->changed);
        }
        return;
    case SUPERVISOR_CHILD_FAILED:
        note_failure(services, event);
        return;
    case SUPERVISOR_CHILD_EXITED:
        if (event->restarts) {
            atomic_fetch_add(&services->tally.restarts, 1);
            log_printf(LOG_WARN, "supervisor '%s' restarts '%s', which ended: %s",
                       event->supervisor, event->child, event->reason);
        } else if (branch == &services->top) {
            note_end(services, event);
        }
        return;
    case SUPERVISOR_ESCALATED:
        atomic_fetch_add(&services->tally.escalations, 1);
        if (branch == &services->top) {
            services->downfall = services->ended;
        }
        return;
    case SUPERVISOR_STOPPED:
        if (branch == &services->top) {
            top_ended(services, event->reason);
        }
        return;
    }
    BUG("supervisor event %d", (int)event->kind);
}

/* ---- the tree ---- */

static bool start_branch(void *argument, struct process *supervisor,
                         bool (*prepare)(struct process *supervisor, struct process *child,
                                         struct err *err),
                         struct err *err)
{
    const struct branch *branch = argument;
    struct supervisor_options options = branch->options;

    options.parent = supervisor;
    options.prepare = prepare;
    return supervisor_start(branch->services->node, &options, NULL, err);
}

static struct supervisor_child child_of(struct services *services,
                                        const struct manifest_child *child)
{
    const struct manifest_component *component = child->component;

    if (component == NULL) {
        struct branch *branch =
            &services->branches[child->supervisor - services->manifest->supervisors];
        return (struct supervisor_child){.name = child->supervisor->name.value,
                                         .restart = RESTART_PERMANENT,
                                         .shutdown_ns = BRANCH_NS,
                                         .start_timeout_ns = BRANCH_NS,
                                         .announces = true,
                                         .start = start_branch,
                                         .argument = branch};
    }
    return actor_child(catalog_find(services->catalog, component->name, strlen(component->name)),
                       (enum supervisor_restart)component->restart.value,
                       component->shutdown_ms.value * MILLISECOND_NS,
                       component->start_timeout_ms.value * MILLISECOND_NS);
}

static bool fill_branch(struct services *services, struct branch *branch,
                        const struct manifest_child *children, size_t count)
{
    branch->services = services;
    branch->children = calloc(count + 1, sizeof *branch->children);
    if (branch->children == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        branch->children[i] = child_of(services, &children[i]);
    }
    branch->options.children = branch->children;
    branch->options.child_count = count;
    branch->options.event = happened;
    branch->options.event_argument = branch;
    return true;
}

static bool make_tree(struct services *services)
{
    const struct manifest *manifest = services->manifest;

    services->branches = calloc(manifest->supervisor_count + 1, sizeof *services->branches);
    if (services->branches == NULL) {
        return false;
    }
    for (size_t i = 0; i < manifest->supervisor_count; i++) {
        const struct manifest_supervisor *from = &manifest->supervisors[i];
        struct branch *branch = &services->branches[i];
        branch->options =
            (struct supervisor_options){.name = from->name.value,
                                        .strategy = (enum supervisor_strategy)from->strategy.value,
                                        .max_restarts = (uint32_t)from->max_restarts.value,
                                        .window_ns = from->window_ms.value * MILLISECOND_NS};
        if (!fill_branch(services, branch, from->children, from->child_count)) {
            return false;
        }
    }
    services->top.options =
        (struct supervisor_options){.name = TOP,
                                    .strategy = ONE_FOR_ONE,
                                    .max_restarts = (uint32_t)manifest->node.max_restarts.value,
                                    .window_ns = manifest->node.window_ms.value * MILLISECOND_NS};
    return fill_branch(services, &services->top, manifest->top, manifest->top_count);
}

/* ---- schedules ---- */

static bool fill_job(struct services *services, size_t index)
{
    const struct manifest_schedule *from = &services->manifest->schedules[index];
    const char *name = from->target->name;
    const struct catalog_line *line = catalog_find(services->catalog, name, strlen(name));
    struct err err = {0};
    uint32_t entry;

    services->job_options[index] =
        (struct job_options){.line = line,
                             .entry = from->entry.value,
                             .every_ns = from->every_ms.value * MILLISECOND_NS,
                             .overlap = from->overlap.value == MANIFEST_ALLOW};
    if (from->cron.value != NULL) {
        bool parsed = calendar_parse(from->cron.value, &services->calendars[index], &err);
        INVARIANT(parsed);
        services->job_options[index].calendar = &services->calendars[index];
    }
    if (from->entry.value != NULL &&
        !component_entry(line->component, from->entry.value, &entry, &err)) {
        struct place at = {services->manifest->path, from->entry.line, 0};
        complain_of_entry(at, from->entry.value, &err);
        return false;
    }
    return true;
}

static bool make_jobs(struct services *services)
{
    size_t count = services->manifest->schedule_count;
    bool good = true;

    services->calendars = calloc(count + 1, sizeof *services->calendars);
    services->job_options = calloc(count + 1, sizeof *services->job_options);
    if (services->calendars == NULL || services->job_options == NULL) {
        fputs("mote: out of memory\n", stderr);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        good = fill_job(services, i) && good;
    }
    return good;
}

/* ---- life ---- */

struct services *services_create(const struct manifest *manifest,
                                 struct component *const *components)
{
    struct services *services = calloc(1, sizeof *services);

    if (services == NULL) {
        fputs("mote: out of memory\n", stderr);
        return NULL;
    }
    services->manifest = manifest;
    sem_init(&services->changed, 0, 0);
    services->catalog = catalog_fill(manifest, components);
    bool good = services->catalog != NULL && make_jobs(services);
    if (good && !make_tree(services)) {
        fputs("mote: out of memory\n", stderr);
        good = false;
    }
    if (!good) {
        services_destroy(services);
        return NULL;
    }
    return services;
}

size_t services_processes(const struct manifest *manifest)
{
    size_t count = manifest->supervisor_count + (manifest->top_count > 0 ? 1 : 0);

    for (size_t i = 0; i < manifest->component_count; i++) {
        count += manifest->components[i].resident.value ? 1 : 0;
    }
    return count;
}

bool services_connect(struct services *services, struct node *node, struct err *err)
{
    services->node = node;
    actor_start(node, services->catalog);
    for (size_t i = 0; i < services->manifest->component_count; i++) {
        const struct manifest_component *component = &services->manifest->components[i];
        struct registry_key key = {.namespace = component->namespace.value,
                                   .name = component->name,
                                   .name_bytes = strlen(component->name)};
        if (component->resident.value && !registry_reserve(node_registry(node), &key, err)) {
            return err_wrap(err, "reserve the name '%s'", component->name);
        }
    }
    if (services->manifest->schedule_count > 0) {
        services->jobs = jobs_create(node, services->job_options,
                                     services->manifest->schedule_count, actor_spawn, err);
        return services->jobs != NULL;
    }
    return true;
}

static struct timespec in_time(uint64_t after_ms)
{
    enum { SECOND_NS = 1000000000 };
    struct env *env = env_system();
    uint64_t at_ns = env->monotonic_ns(env) + after_ms * MILLISECOND_NS;

    return (struct timespec){.tv_sec = (time_t)(at_ns / SECOND_NS),
                             .tv_nsec = (long)(at_ns % SECOND_NS)};
}

/* False: it is `end`, and nothing has changed. */
static bool wait_for_change(struct services *services, struct timespec end)
{
    while (sem_clockwait(&services->changed, CLOCK_MONOTONIC, &end) != 0) {
        if (errno == ETIMEDOUT) {
            return false;
        }
    }
    return true;
}

/* Signals to stop are blocked, for whoever waits once all runs; they must not wait for a service that hangs. */
static bool is_interrupted(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

bool services_start(struct services *services, struct err *err)
{
    if (services->manifest->top_count == 0) {
        atomic_store(&services->stage, STAGE_DOWN);
        return true;
    }
    if (!supervisor_start(services->node, &services->top.options, &services->process, err)) {
        atomic_store(&services->stage, STAGE_DOWN);
        return err_wrap(err, "start the services");
    }
    while (!wait_for_change(services, in_time(LOOK_MS)) &&
           atomic_load(&services->stage) == STAGE_BOOT) {
        if (is_interrupted()) {
            return err_set(err, ERR_OS, "asked to stop before its services had started");
        }
    }
    if (atomic_load(&services->stage) == STAGE_UP) {
        return true;
    }
    if (services->failure.code == ERR_NONE) {
        return err_set(err, ERR_LIMIT, "the services could not be started");
    }
    *err = services->failure;
    return false;
}

const char *services_downfall(const struct services *services)
{
    return atomic_load(&services->escalated) ? services->downfall.text : NULL;
}

void services_schedule(struct services *services)
{
    if (services->jobs != NULL) {
        jobs_start(services->jobs);
    }
}

static bool wait_until_down(struct services *services, uint64_t within_ms)
{
    struct timespec end = in_time(within_ms);

    while (atomic_load(&services->stage) != STAGE_DOWN) {
        if (!wait_for_change(services, end)) {
            return false;
        }
    }
    return true;
}

void services_unschedule(struct services *services)
{
    if (services->jobs != NULL) {
        jobs_stop(services->jobs);
    }
}

bool services_stop(struct services *services, uint64_t within_ms)
{
    unsigned up = STAGE_UP;

    services_unschedule(services);
    if (!atomic_compare_exchange_strong(&services->stage, &up, STAGE_STOPPING)) {
        return true;
    }
    if (!process_ask_stop(services->node, (struct pid){0}, services->process->pid,
                          reason_of(REASON_SHUTDOWN))) {
        log_printf(LOG_WARN, "the top supervisor is gone before it was asked to stop");
    }
    return wait_until_down(services, within_ms);
}

void services_destroy(struct services *services)
{
    if (services == NULL) {
        return;
    }
    if (services->node != NULL) {
        actor_start(services->node, NULL);
    }
    if (services->process != NULL) {
        process_release(services->process);
    }
    jobs_destroy(services->jobs);
    for (size_t i = 0; services->branches != NULL && i < services->manifest->supervisor_count;
         i++) {
        free(services->branches[i].children);
    }
    free(services->branches);
    free(services->top.children);
    free(services->calendars);
    free(services->job_options);
    catalog_destroy(services->catalog);
    sem_destroy(&services->changed);
    free(services);
}

const struct admin_tally *services_tally(const struct services *services)
{
    return &services->tally;
}

const struct jobs *services_jobs(const struct services *services)
{
    return services->jobs;
}
