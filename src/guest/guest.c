#include "guest/guest.h"

#include "base/log.h"
#include "base/number.h"
#include "core/node.h"
#include "guest/abi_internal.h"
#include "guest/actor.h"
#include "guest/component_internal.h"
#include "guest/guest_internal.h"
#include "guest/guest_network.h"
#include "guest/handle.h"
#include "guest/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct guest *guest_of(struct process *process)
{
    return CONTAINER_OF(process, struct guest, process);
}

/* Pids are text in the log: they use all 64 bits, more than a JSON number keeps. Valid until the
 * thread's next one. */
static struct log_field pid_field(const struct guest *guest)
{
    static _Thread_local char digits[20];
    size_t size = number_format(guest->process.pid.raw, digits);
    return LOG_FIELD_TEXT("pid", digits, size);
}

/* ---- what the engine asks ---- */

static enum engine_tick_result on_tick(void *process)
{
    struct guest *guest = process;
    switch (process_tick(&guest->process)) {
    case TICK_CONTINUE:
        return ENGINE_TICK_CONTINUE;
    case TICK_YIELD:
        guest->yielded = true;
        return ENGINE_TICK_YIELD;
    case TICK_STOP:
        return ENGINE_TICK_STOP;
    }
    BUG("unknown tick");
}

static void on_retain(void *process)
{
    process_retain(process);
}

static void on_wake(void *process)
{
    process_wake(process);
}

static void on_release(void *process)
{
    process_release(process);
}

void guest_start(void)
{
    static const struct engine_process_functions functions = {
        .tick = on_tick, .retain = on_retain, .wake = on_wake, .release = on_release};
    /* Else RUST_BACKTRACE in the environment makes the engine note its own native stack with each error, which every end but a
     * return is: 6 us for something that nobody looks at. (It asks once, at the first error.) */
    (void)setenv("RUST_LIB_BACKTRACE", "0", 1);
    engine_set_process_functions(&functions);
    guest_network_start();
}

/* ---- its body ---- */

static void classify(struct guest *guest, struct engine_exit *from, struct exit *ret)
{
    *ret = (struct exit){.exit_class = EXIT_CRASHED, .backtrace = TAKE(from->backtrace)};
    switch (from->kind) {
    case ENGINE_EXIT_RETURNED:
        ret->exit_class = guest->asked_to_stop ? EXIT_SHUTDOWN : EXIT_NORMAL;
        return;
    case ENGINE_EXIT_STATUS:
        ret->status = from->status;
        ret->exit_class = from->status == 0 ? EXIT_NORMAL : EXIT_CRASHED;
        if (from->status != 0) {
            snprintf(ret->reason, sizeof ret->reason, "exit status %d", (int)from->status);
        }
        return;
    case ENGINE_EXIT_MEMORY:
        ret->exit_class = EXIT_CRASHED_MEMORY;
        snprintf(ret->reason, sizeof ret->reason, "asked for %llu KiB of at most %llu KiB",
                 (unsigned long long)from->asked_bytes / 1024,
                 (unsigned long long)from->ceiling_bytes / 1024);
        return;
    case ENGINE_EXIT_STOPPED:
        ret->exit_class = EXIT_KILLED; /* core knows which stop was raised and says so */
        return;
    case ENGINE_EXIT_FULL:
        guest->full = true;
        snprintf(ret->reason, sizeof ret->reason, "pool full: %.200s", from->text);
        return;
    case ENGINE_EXIT_HOST:
    case ENGINE_EXIT_TRAP:
    case ENGINE_EXIT_FAULT:
        snprintf(ret->reason, sizeof ret->reason, "%s", from->text);
        return;
    }
    BUG("engine exit %d", (int)from->kind);
}

static enum turn guest_turn(struct process *process, struct exit *ret_exit)
{
    struct guest *guest = guest_of(process);
    if (guest->role->before_turn != NULL) {
        guest->role->before_turn(guest, guest->context);
    }
    guest->yielded = false;
    guest->leaving = ret_exit;
    struct engine_exit ended = {0};
    if (!engine_fiber_poll(guest->fiber, &ended)) {
        return guest->yielded ? TURN_YIELDED : TURN_PARKED;
    }
    if (guest->left) {
        return TURN_ENDED;
    }
    classify(guest, &ended, ret_exit);
    engine_exit_fini(&ended);
    return TURN_ENDED;
}

/* Relaxed throughout: counts only. The one that all workers share is for components with a limit. */
static bool take_place(struct component *component)
{
    if (component->max_processes == 0) {
        return true;
    }
    if (atomic_fetch_add_explicit(&component->places, 1, memory_order_relaxed) <
        component->max_processes) {
        return true;
    }
    atomic_fetch_sub_explicit(&component->places, 1, memory_order_relaxed);
    return false;
}

static void give_place(struct component *component)
{
    if (component->max_processes != 0) {
        atomic_fetch_sub_explicit(&component->places, 1, memory_order_relaxed);
    }
}

static void give_room(struct guest *guest)
{
    struct component *component = guest->component;
    pool_give(component->pool, guest->edition->cls, guest->seat);
    edition_release(TAKE(guest->edition));
    atomic_fetch_sub_explicit(&component->seats[guest->seat].processes, 1, memory_order_relaxed);
    give_place(component);
}

static void guest_reclaim(struct process *process)
{
    struct guest *guest = guest_of(process);
    engine_fiber_destroy(TAKE(guest->fiber));
    abi_order_destroy(guest);
    abi_fetch_close_all(guest);
    handle_close_all(guest);
    post_destroy(TAKE(guest->post));
    nursery_leave(TAKE(guest->born_in));
    nursery_release(TAKE(guest->nursery));
    give_room(guest);
}

static void log_suppressed(struct guest *guest)
{
    if (guest->log.suppressed == 0) {
        return;
    }
    log_write(LOG_WARN, "log lines suppressed",
              (struct log_field[]){
                  LOG_FIELD_STRING("component", guest->component->name), pid_field(guest),
                  LOG_FIELD_NUMBER("lines", guest->log.suppressed), LOG_FIELD_END});
    guest->log.suppressed = 0;
}

static enum log_level level_of(enum exit_class exit_class)
{
    switch (exit_class) {
    case EXIT_NORMAL:
    case EXIT_SHUTDOWN:
        return LOG_DEBUG;
    case EXIT_EXITED:
    case EXIT_KILLED: /* somebody wanted it */
        return LOG_INFO;
    case EXIT_CRASHED:
    case EXIT_CRASHED_MEMORY:
    case EXIT_CRASHED_CPU:
    case EXIT_CRASHED_TIMEOUT:
        return LOG_ERROR;
    }
    BUG("exit class %d", (int)exit_class);
}

enum { MICROSECOND_NS = 1000 };

/* Relaxed: a count for readers. */
static uint64_t memory_of(const struct guest *guest)
{
    return atomic_load_explicit(&guest->memory_bytes, memory_order_relaxed);
}

static void log_exit(struct guest *guest, const struct exit *exit)
{
    enum log_level level = level_of(exit->exit_class);
    if (!log_enabled(level)) {
        return;
    }
    const char *backtrace = exit->backtrace != NULL ? exit->backtrace : "";
    struct traffic_counts traffic = traffic_read(&guest->process.traffic);
    uint64_t cpu_ns = atomic_load_explicit(&guest->process.cpu_ns, memory_order_relaxed);
    log_write(level, "process exited",
              (struct log_field[]){LOG_FIELD_STRING("component", guest->component->name),
                                   pid_field(guest),
                                   LOG_FIELD_STRING("class", exit_class_name(exit->exit_class)),
                                   LOG_FIELD_STRING("reason", exit->reason),
                                   LOG_FIELD_NUMBER("cpu_us", cpu_ns / MICROSECOND_NS),
                                   LOG_FIELD_NUMBER("memory_bytes", memory_of(guest)),
                                   LOG_FIELD_NUMBER("messages_received", traffic.received),
                                   LOG_FIELD_NUMBER("bytes_received", traffic.received_bytes),
                                   LOG_FIELD_NUMBER("messages_sent", traffic.sent),
                                   LOG_FIELD_NUMBER("bytes_sent", traffic.sent_bytes),
                                   LOG_FIELD_STRING("backtrace", backtrace), LOG_FIELD_END});
}

static void guest_exited(struct process *process, const struct exit *exit)
{
    struct guest *guest = guest_of(process);
    log_suppressed(guest);
    /* A command's status is its own affair; `mote run` reports it. */
    if (!guest->grant->inherit_stdio) {
        log_exit(guest, exit);
    }
    if (guest->role->exited != NULL) {
        guest->role->exited(guest, guest->context, exit);
    }
}

static void guest_destroy(struct process *process)
{
    struct guest *guest = guest_of(process);
    network_policy_release(guest->network);
    free(guest);
}

/* ---- spawning ---- */

/* The code that it shall run in that worker's engine, with a reference. */
static struct edition *edition_for(struct component *component, struct edition *const *editions,
                                   unsigned worker)
{
    if (editions == NULL) {
        return component_edition(component, worker);
    }
    edition_retain(editions[worker]);
    return editions[worker];
}

/* A place in an engine, and the code that is current there. False: there is none, or (for the moment that a swap goes from one
 * worker to the next) only one in an engine of the other class. */
static bool take_seat(struct guest *guest, struct edition *const *editions, unsigned worker)
{
    struct component *component = guest->component;
    struct edition *edition = edition_for(component, editions, worker);
    enum pool_class cls = edition->cls;
    if (!pool_take(component->pool, cls, worker, &guest->seat)) {
        edition_release(edition);
        return false;
    }
    if (guest->seat != worker) {
        edition_release(edition);
        edition = edition_for(component, editions, guest->seat);
        if (edition->cls != cls) {
            pool_give(component->pool, cls, guest->seat);
            edition_release(edition);
            return false;
        }
    }
    guest->edition = edition;
    return true;
}

static bool find_entry(const struct guest *guest, const struct guest_options *options,
                       uint32_t *ret, struct err *err)
{
    const struct component *component = guest->component;
    if (options->entry_name != NULL) {
        return engine_image_entry(guest->edition->image, options->entry_name, ret, err) ||
               err_wrap(err, "component '%s': %s", component->name, component->path);
    }
    if (options->editions != NULL) {
        *ret = guest->edition->entries[0];
        return *ret != EDITION_NO_ENTRY ||
               err_set(err, ERR_NOT_FOUND, "code for template '%s' has no entry to run",
                       component->name);
    }
    *ret = guest->edition->entries[options->entry];
    return LIKELY(*ret != EDITION_NO_ENTRY) ||
           err_set(err, ERR_NOT_FOUND, "component '%s' has no entry '%s' any more", component->name,
                   component->slots[options->entry].name);
}

static bool take_room(struct guest *guest, struct edition *const *editions, unsigned worker,
                      struct err *err)
{
    struct component *component = guest->component;
    if (!take_place(component)) {
        return err_set(err, ERR_LIMIT, "component '%s' has its max-processes of %u",
                       component->name, component->max_processes);
    }
    if (!take_seat(guest, editions, worker)) {
        give_place(component);
        return err_set(err, ERR_LIMIT, "every pool of Wasm instances is full");
    }
    atomic_fetch_add_explicit(&component->seats[guest->seat].processes, 1, memory_order_relaxed);
    return true;
}

static bool body_reaches(const struct process *process, const struct process *target)
{
    return guest_reaches((const struct guest *)(const void *)process, target);
}

static const struct body guest_body = {
    .reaches = body_reaches,
    .turn = guest_turn,
    .reclaim = guest_reclaim,
    .exited = guest_exited,
    .destroy = guest_destroy,
};

/* The guest without a process: NULL when there is no room or memory, or not that entry. */
static struct guest *guest_create(struct component *component, const struct guest_options *options,
                                  unsigned worker, uint32_t *ret_entry, struct err *err)
{
    struct guest *guest = malloc(sizeof *guest);
    if (guest == NULL) {
        (void)err_set_memory(err);
        return NULL;
    }
    guest->component = component;
    guest->role = options->role;
    guest->context = options->context;
    guest->grant = options->grant != NULL ? options->grant : component->grant;
    guest->network = NULL;
    guest->transfers = 0;
    guest->born_in = NULL;
    guest->nursery = NULL;
    guest->handles = NULL;
    guest->fetches = NULL;
    guest->order = NULL;
    guest->post = NULL;
    guest->announced = guest->asked_to_stop = guest->left = guest->streams = false;
    atomic_init(&guest->memory_bytes, 0);
    guest->yielded = guest->full = false;
    guest->log = (struct log_window){0};
    guest->seat = worker;
    if (!take_room(guest, options->editions, worker, err)) {
        free(guest);
        return NULL;
    }
    if (!find_entry(guest, options, ret_entry, err)) {
        give_room(guest);
        free(guest);
        return NULL;
    }
    if (guest->grant->network != NULL) {
        guest->network = network_policy_retain(guest->grant->network);
    }
    return guest;
}

static bool guest_begin(struct guest *guest, const struct guest_options *options, uint32_t entry,
                        struct worker *worker, struct err *err)
{
    guest->fiber = engine_fiber_create(
        guest->edition->image,
        &(struct engine_spawn_options){.process = guest,
                                       .entry = entry,
                                       .memory_max_bytes = guest->grant->memory_max_bytes,
                                       .memory_bytes = &guest->memory_bytes,
                                       .wasi = &guest->component->wasi,
                                       .http = options->role->http});
    if (guest->fiber == NULL) {
        return err_set_memory(err);
    }
    if (options->prepare == NULL) {
        return process_start(&guest->process, worker, err);
    }
    if (options->prepare(guest, options->context, err) &&
        process_start(&guest->process, worker, err)) {
        return true;
    }
    options->undo(guest, options->context);
    return false;
}

bool guest_spawn(struct node *node, struct component *component,
                 const struct guest_options *options, struct worker *worker,
                 struct process **ret_process, struct err *err)
{
    uint32_t entry;
    struct guest *guest = guest_create(component, options, worker != NULL ? worker->index : 0,
                                       &entry, err);
    if (guest == NULL) {
        return false;
    }
    unsigned seat = guest->seat; /* once started, the guest may end and be gone */
    const struct grant *grant = guest->grant;
    process_init(&guest->process, &guest_body, node,
                 &(struct process_options){.kind = options->role->kind,
                                           .parent = options->parent,
                                           .label = component->name,
                                           .mailbox = grant->mailbox,
                                           .cpu_budget_ns = grant->cpu_max_ns,
                                           .deadline_ns = options->deadline_ns,
                                           .quotas = &grant->quotas,
                                           .namespace = grant->namespace,
                                           .accepts_links = grant->accept_links,
                                           .takes_stop = options->role->service});
    if (ret_process != NULL) {
        process_retain(&guest->process);
        *ret_process = &guest->process;
    }
    if (!guest_begin(guest, options, entry, worker, err)) {
        guest_reclaim(&guest->process);
        if (ret_process != NULL) {
            process_release(TAKE(*ret_process));
        }
        process_discard(&guest->process);
        return false;
    }
    /* Relaxed: a count. */
    atomic_fetch_add_explicit(&component->seats[seat].spawned, 1, memory_order_relaxed);
    return true;
}

/* ---- for host functions ---- */

const struct guest *guest_from_process(const struct process *process)
{
    return process->body == &guest_body ? (const struct guest *)(const void *)process : NULL;
}

uint64_t guest_memory_bytes(const struct process *process)
{
    const struct guest *guest = guest_from_process(process);
    return guest == NULL ? 0 : memory_of(guest);
}

struct guest *guest_of_call(const struct engine_call *call)
{
    return call->process;
}

struct process *guest_process(struct guest *guest)
{
    return &guest->process;
}

struct component *guest_component(struct guest *guest)
{
    return guest->component;
}

const struct grant *guest_grant(const struct guest *guest)
{
    return guest->grant;
}

void *guest_context(struct guest *guest, const struct guest_role *role)
{
    return guest->role == role ? guest->context : NULL;
}

void guest_begin_stream(struct guest *guest)
{
    guest->streams = true;
}

bool guest_is_deserted(struct guest *guest)
{
    return guest->streams && guest->role->gone != NULL && guest->role->gone(guest, guest->context);
}

bool guest_was_refused(const struct guest *guest)
{
    return guest->full;
}

/* An address, from the engine itself, for a typed call. Nothing at all lies somewhere, too. */
static uint8_t *direct_window(uint64_t address)
{
    static uint8_t nowhere[8];
    return address != 0 ? (uint8_t *)(uintptr_t)address : nowhere;
}

uint8_t *guest_window(struct engine_call *call, uint64_t pointer, uint64_t size_bytes)
{
    if (call->direct) {
        return direct_window(pointer);
    }
    uint64_t start = (uint32_t)pointer;
    uint64_t size = (uint32_t)size_bytes;
    if (UNLIKELY(start + size > call->memory_bytes || call->memory == NULL)) {
        snprintf(call->text, sizeof call->text,
                 "pointer %#llx with %llu bytes reaches outside the memory of %zu bytes",
                 (unsigned long long)start, (unsigned long long)size, call->memory_bytes);
        return NULL;
    }
    return call->memory + start;
}

enum engine_call_result guest_answer(struct engine_call *call, int32_t value)
{
    call->result = (uint32_t)value;
    return ENGINE_CALL_DONE;
}

enum engine_call_result guest_answer_text(struct engine_call *call, const void *data,
                                          size_t size_bytes, uint64_t pointer, uint64_t capacity)
{
    uint8_t *window = guest_window(call, pointer, capacity);
    if (window == NULL) {
        return ENGINE_CALL_TRAP;
    }
    size_t copied = size_bytes < (uint32_t)capacity ? size_bytes : (uint32_t)capacity;
    if (copied > 0) {
        memcpy(window, data, copied);
    }
    return guest_answer(call, (int32_t)size_bytes);
}

enum { SECOND_NS = 1000000000 };

/* Whether this line still fits into the second's allowance. */
static bool log_allowed(struct guest *guest)
{
    uint64_t now_ns = node_now_ns(guest->process.node);
    if (guest->log.began_ns == 0 || now_ns - guest->log.began_ns >= SECOND_NS) {
        log_suppressed(guest);
        guest->log.began_ns = now_ns;
        guest->log.lines = 0;
    }
    if (guest->log.lines >= guest->grant->log_lines_per_s) {
        guest->log.suppressed++;
        return false;
    }
    guest->log.lines++;
    return true;
}

enum { LOG_LINE_BYTES_MAX = 4096 };

void guest_log(struct guest *guest, unsigned level, const char *stream, const char *text,
               size_t size_bytes)
{
    if (!log_enabled((enum log_level)level) || !log_allowed(guest)) {
        return;
    }
    size_t kept = size_bytes < LOG_LINE_BYTES_MAX ? size_bytes : LOG_LINE_BYTES_MAX;
    log_write((enum log_level)level, "guest",
              (struct log_field[]){LOG_FIELD_STRING("component", guest->component->name),
                                   pid_field(guest), LOG_FIELD_STRING("stream", stream),
                                   LOG_FIELD_TEXT("text", text, kept), LOG_FIELD_END});
}

bool guest_output(void *process, int fd, const uint8_t *data, size_t size_bytes)
{
    struct guest *guest = process;
    const char *stream = fd == 1 ? "stdout" : "stderr";
    if (!guest->grant->stdio) {
        guest_log_denied(guest, stream, "allow-stdio = true");
        return false;
    }
    const char *text = (const char *)data;
    while (size_bytes > 0) {
        const char *end = memchr(text, '\n', size_bytes);
        size_t line = end != NULL ? (size_t)(end - text) : size_bytes;
        if (line > 0) {
            guest_log(guest, LOG_INFO, stream, text, line);
        }
        size_t taken = end != NULL ? line + 1 : line;
        text += taken;
        size_bytes -= taken;
    }
    return true;
}
