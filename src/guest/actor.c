#include "guest/actor.h"

#include "base/log.h"
#include "core/link.h"
#include "core/monitor.h"
#include "core/node.h"
#include "core/worker.h"
#include "guest/guest_internal.h"

#include <stdlib.h>
#include <string.h>

/* A spawn under way. */
struct spawning {
    const struct actor_options *options;
    uint64_t reference; /* of the spawner's monitor */
    bool linked;
};

/* An actor's own part: from its spawn until it has exited. */
struct actor {
    const char *spawner;       /* component; NULL: the platform */
    struct spawning *spawning; /* before its start only */
    void (*exited)(void *argument, const struct exit *exit);
    void *exited_argument;
    size_t input_bytes;
    const uint8_t *input; /* behind it */
    struct grant
        grant[]; /* of its component, narrowed: one, or none when it has the component's own */
};

/* Set before the node's threads start. */
static struct {
    const struct node *node;
    const struct catalog *catalog;
} connected;

void actor_start(struct node *node, const struct catalog *catalog)
{
    connected.node = node;
    connected.catalog = catalog;
}

const struct catalog *actor_catalog(const struct node *node)
{
    return connected.node == node ? connected.catalog : NULL;
}

static void actor_exited(struct guest *guest, void *context, const struct exit *exit)
{
    (void)guest;
    struct actor *actor = context;
    if (actor->exited != NULL) {
        actor->exited(actor->exited_argument, exit);
    }
    free(actor);
}

static const struct guest_role roles[] = {
    {.kind = "worker", .exited = actor_exited},
    {.kind = "service", .exited = actor_exited, .service = true},
    {.kind = "command", .exited = actor_exited},
    {.kind = "schedule", .exited = actor_exited},
};

static const struct guest_role *role_of(const char *kind)
{
    for (size_t i = 0; i < ARRAY_LENGTH(roles); i++) {
        if (strcmp(roles[i].kind, kind) == 0) {
            return &roles[i];
        }
    }
    BUG("no such kind of actor: %s", kind);
}

static const struct actor *actor_of(const struct guest *guest)
{
    bool is = guest->role >= roles && guest->role < roles + ARRAY_LENGTH(roles);
    return is ? guest->context : NULL;
}

bool actor_is(const struct guest *guest)
{
    return actor_of(guest) != NULL;
}

const uint8_t *actor_input(const struct guest *guest, size_t *ret_size_bytes)
{
    const struct actor *actor = actor_of(guest);
    *ret_size_bytes = actor != NULL ? actor->input_bytes : 0;
    return actor != NULL ? actor->input : NULL;
}

const char *actor_spawner(const struct guest *guest)
{
    const struct actor *actor = actor_of(guest);
    return actor != NULL && actor->spawner != NULL ? actor->spawner : "";
}

/* ---- spawning ---- */

enum { MEBIBYTE = 1 << 20, MILLISECOND_NS = 1000000 };

/* One limit: 0 of the grant's is none where `none_is_endless`. `key`: what sets it, in so many of ours. */
static bool narrow(uint64_t *limit, uint64_t asked, bool none_is_endless, const char *key,
                   uint64_t unit, struct err *err)
{
    bool endless = none_is_endless && *limit == 0;
    if (asked == 0) {
        return true;
    }
    if (asked > *limit && !endless) {
        return err_set(err, ERR_DENIED, "more than it may have: that takes %s = %llu", key,
                       (unsigned long long)(asked / unit));
    }
    *limit = asked;
    return true;
}

/* What it may, by the limits that its spawner asks for. */
static bool narrow_all(struct grant *grant, const struct actor_limits *limits, struct err *err)
{
    return narrow(&grant->memory_max_bytes, limits->memory_max_bytes, false, "max-memory-mb",
                  MEBIBYTE, err) &&
           narrow(&grant->cpu_max_ns, limits->cpu_max_ns, true, "max-cpu-ms", MILLISECOND_NS, err);
}

static struct actor *actor_create(const struct catalog_line *line,
                                  const struct actor_options *options,
                                  struct guest_options *ret_guest, struct err *err)
{
    const struct actor_limits *limits = &options->limits;
    bool own = limits->memory_max_bytes != 0 || limits->cpu_max_ns != 0;
    size_t grant_bytes = own ? sizeof(struct grant) : 0;
    struct actor *actor = malloc(sizeof *actor + grant_bytes + options->input_bytes);
    if (actor == NULL) {
        (void)err_set_memory(err);
        return NULL;
    }
    uint8_t *input = (uint8_t *)(actor + 1) + grant_bytes;
    *actor = (struct actor){.spawner = options->spawner_component,
                            .exited = options->exited,
                            .exited_argument = options->exited_argument,
                            .input_bytes = options->input_bytes,
                            .input = input};
    if (options->input_bytes > 0) {
        memcpy(input, options->input, options->input_bytes);
    }
    ret_guest->context = actor;
    ret_guest->grant = component_grant(line->component);
    ret_guest->deadline_ns = line->deadline_ns;
    if (own) {
        actor->grant[0] = *ret_guest->grant;
        ret_guest->grant = &actor->grant[0];
    }
    if ((own && !narrow_all(&actor->grant[0], limits, err)) ||
        !narrow(&ret_guest->deadline_ns, limits->deadline_ns, true, "deadline-ms", MILLISECOND_NS,
                err)) {
        (void)err_wrap(err, "a grant of [components.%s]", component_name(line->component));
        free(actor);
        return NULL;
    }
    return actor;
}

/* Everything that ties it to others, while nobody else can know of it. */
static bool actor_prepare(struct guest *guest, void *context, struct err *err)
{
    struct spawning *spawning = ((struct actor *)context)->spawning;
    const struct actor_options *options = spawning->options;
    struct process *process = &guest->process;
    if (options->nursery != NULL) {
        if (!nursery_enter(options->nursery)) {
            return err_set(err, ERR_LIMIT, "the spawner has as many children as it may");
        }
        guest->born_in = options->nursery;
    }
    if (options->name != NULL) {
        struct registry_key key = {.namespace = guest->grant->namespace,
                                   .name = options->name,
                                   .name_bytes = strlen(options->name)};
        if (!registry_add(node_registry(process->node), process, REGISTRY_NAME, &key, true, NULL,
                          err)) {
            return err_wrap(err, "name '%s'", options->name);
        }
    }
    if (options->monitor && !monitor_child(options->spawner, process, &spawning->reference, err)) {
        return false;
    }
    spawning->linked = options->link && link_child(options->spawner, process, err);
    if (options->link && !spawning->linked) {
        return false;
    }
    return options->prepare == NULL || options->prepare(options->prepare_owner, process, err);
}

/* Its own halves go with it; whoever gave options->prepare undoes that. */
static void actor_undo(struct guest *guest, void *context)
{
    const struct spawning *spawning = ((struct actor *)context)->spawning;
    struct process *spawner = spawning->options->spawner;
    if (spawning->linked) {
        link_remove(spawner, guest->process.pid);
    }
    if (spawning->reference != 0) {
        (void)monitor_remove(spawner, spawning->reference);
    }
}

bool actor_spawn(struct node *node, const struct catalog_line *line,
                 const struct actor_options *options, struct pid *ret_pid, uint64_t *ret_reference,
                 struct err *err)
{
    INVARIANT(options->spawner != NULL || (!options->link && !options->monitor));
    struct guest_options guest = {.entry = line->entry,
                                  .entry_name = options->entry,
                                  .editions = options->editions,
                                  .role = role_of(options->kind),
                                  .prepare = actor_prepare,
                                  .undo = actor_undo};
    if (options->entry == NULL && options->editions == NULL && !line->has_entry) {
        return err_set(err, ERR_NOT_FOUND, "component '%s' has no entry to run", line->name);
    }
    struct actor *actor = actor_create(line, options, &guest, err);
    if (actor == NULL) {
        return false;
    }
    struct spawning spawning = {.options = options};
    actor->spawning = &spawning;
    guest.parent = options->spawner != NULL ? options->spawner->pid : (struct pid){0};
    /* Here if this is a worker: it is cheapest, and others steal what waits. */
    struct worker *here = worker_current();
    struct process *process = NULL;
    if (!guest_spawn(node, line->component, &guest,
                     here != NULL && here->node == node ? here : NULL, &process, err)) {
        free(actor);
        return false;
    }
    if (ret_pid != NULL) {
        *ret_pid = process->pid;
    }
    if (ret_reference != NULL) {
        *ret_reference = spawning.reference;
    }
    process_release(process);
    return true;
}

/* ---- supervised ---- */

/* New code came while it was on its way: whoever looked for services to renew may have found none. */
static void renew_at_once(struct node *node, struct pid pid)
{
    struct process *process = node_find(node, pid);
    if (process != NULL) {
        supervisor_renew_child(process, RENEWAL_NOW);
        process_release(process);
    }
}

static bool child_start(void *argument, struct process *supervisor,
                        bool (*prepare)(struct process *supervisor, struct process *child,
                                        struct err *err),
                        struct err *err)
{
    const struct catalog_line *line = argument;
    struct actor_options options = {.kind = line->resident ? "service" : "worker",
                                    .spawner = supervisor,
                                    .name = line->resident ? line->name : NULL,
                                    .prepare = prepare,
                                    .prepare_owner = supervisor};
    unsigned before = component_swaps(line->component);
    struct pid pid = {0};
    if (!actor_spawn(supervisor->node, line, &options, &pid, NULL, err)) {
        return false;
    }
    if (component_swaps(line->component) != before) {
        renew_at_once(supervisor->node, pid);
    }
    return true;
}

struct supervisor_child actor_child(const struct catalog_line *line,
                                    enum supervisor_restart restart, uint64_t shutdown_ns,
                                    uint64_t start_timeout_ns)
{
    return (struct supervisor_child){.name = line->name,
                                     .restart = restart,
                                     .shutdown_ns = shutdown_ns,
                                     .start_timeout_ns = start_timeout_ns,
                                     /* One made for RUSM knows of no such moment. */
                                     .announces = line->resident &&
                                                  !component_is_rusm(line->component),
                                     .start = child_start,
                                     .argument = (void *)(uintptr_t)line}; /* only read */
}

static void log_supervisor(enum log_level level, const char *text,
                           const struct supervisor_event *event)
{
    if (!log_enabled(level)) {
        return;
    }
    log_write(
        level, text,
        (struct log_field[]){LOG_FIELD_STRING("supervisor", event->supervisor),
                             LOG_FIELD_STRING("child", event->child != NULL ? event->child : ""),
                             LOG_FIELD_STRING("reason", event->reason != NULL ? event->reason : ""),
                             LOG_FIELD_NUMBER("restarts", event->restart_count), LOG_FIELD_END});
}

void actor_log_supervisor(void *unused, const struct supervisor_event *event)
{
    (void)unused;
    switch (event->kind) {
    case SUPERVISOR_STARTED:
        log_supervisor(LOG_DEBUG, "supervisor started", event);
        return;
    case SUPERVISOR_CHILD_FAILED:
        log_supervisor(LOG_ERROR, "supervised child did not start", event);
        return;
    case SUPERVISOR_CHILD_EXITED:
        log_supervisor(LOG_DEBUG,
                       event->restarts ? "supervised child ended, is restarted"
                                       : "supervised child ended",
                       event);
        return;
    case SUPERVISOR_ESCALATED:
        log_supervisor(LOG_ERROR, "supervisor gave up", event);
        return;
    case SUPERVISOR_STOPPED:
        log_supervisor(LOG_DEBUG, "supervisor stopped", event);
        return;
    }
    BUG("supervisor event %d", (int)event->kind);
}
