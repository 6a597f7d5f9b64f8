/**
 * @file
 * A process whose body is a Wasm guest: one fresh instance, one fiber, one entry.
 *
 * What it is *for* (an HTTP request, a command) is its context: an object of a layer above with a
 * small table of functions; host functions of that layer find it with guest_context().
 *
 * Threads: as core/process.h; host functions run within a turn.
 */
#pragma once

#include "guest/component.h"

struct edition;
struct guest;

/** A process through which a guest speaks to its client: what the guest sends there waits for room. */
struct guest_outlet {
    struct pid pid;    /**< Constant. */
    atomic_bool waits; /**< Of the next two. */
};

/** The guest found no room: it says that it waits, and then tries once more. */
static inline void guest_outlet_wait(struct guest_outlet *outlet)
{
    atomic_store_explicit(&outlet->waits, true, memory_order_relaxed);
    /* Between what is said and the other look, on both sides: whoever looks second sees the first one. */
    atomic_thread_fence(memory_order_seq_cst);
}

/** The outlet has made room. True: the guest waits for it, and is to be woken. */
static inline bool guest_outlet_take_waiter(struct guest_outlet *outlet)
{
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&outlet->waits, memory_order_relaxed) &&
           atomic_exchange_explicit(&outlet->waits, false, memory_order_acq_rel);
}

/** What a kind of guest does besides running. Constant; every member may be NULL but `kind`. */
struct guest_role {
    const char *kind; /**< For `ps`: "http", "command". */
    /** Of an entry "wasi:http/incoming-handler"; its functions get the guest for `process`. Else NULL. */
    const struct engine_http *http;
    /** Lives from one piece of mail to the next: each receive begins a unit of work, the first one says that it
     *  has started. Hears that it shall stop, instead of ending at once. */
    bool service;
    /** How long a unit of work may take that begins with a piece of mail; while it waits for mail no time runs. NULL: the
     *  deadline that it was spawned with counts, for all of its life. */
    uint64_t (*unit_ns)(const void *context);
    /** At the begin of every turn, on its worker. */
    void (*before_turn)(struct guest *guest, void *context);
    /** Whether the client that it works for has left; NULL: it has none. */
    bool (*gone)(struct guest *guest, void *context);
    /** 1: the guest can read its request's body, or write its answer, without waiting; 0: not yet, and it is woken; below 0: an error of
     *  the ABI. NULL: it has neither. */
    int32_t (*body_ready)(struct guest *guest, void *context);
    int32_t (*answer_ready)(struct guest *guest, void *context);
    /** Its outlet; NULL: it has none. */
    struct guest_outlet *(*outlet)(void *context);
    /** It has exited and was reclaimed; the last call with this context. */
    void (*exited)(struct guest *guest, void *context, const struct exit *exit);
};

struct guest_options {
    uint32_t entry;         /**< From component_entry(). */
    const char *entry_name; /**< Instead, by its name in the code as it is now; NULL: `entry`. */
    /** Other code than the component's, one a worker, of which each's entry 0 is run unless `entry_name` says otherwise; borrowed
     *  for the call; NULL: the component's. */
    struct edition *const *editions;
    const struct guest_role *role; /**< Borrowed. */
    void *context;                 /**< The role's; borrowed until `exited`. */
    uint64_t deadline_ns;          /**< Of its first unit of work; 0: none. */
    struct pid parent;
    const struct grant
        *grant; /**< A narrower one; NULL: the component's. Borrowed until `exited`. */
    /** Called when all of it is made but its start: to tie it to others. False: `err` says why. May be NULL. */
    bool (*prepare)(struct guest *guest, void *context, struct err *err);
    /** With `prepare`: it has failed, or the start after it: untie the others. */
    void (*undo)(struct guest *guest, void *context);
};

/** Spawn on `worker` (NULL: any). Its instance is made at its first turn.
 *  @param ret_process  with a reference for the caller, or NULL if not wanted
 *  @return false, nothing started, the role is not told: ERR_LIMIT (node, component or pool is full),
 *          ERR_DENIED (draining), ERR_MEMORY. */
bool guest_spawn(struct node *node, struct component *component,
                 const struct guest_options *options, struct worker *worker,
                 struct process **ret_process, struct err *err) MUST_USE;

/** Linear memory of the guest that is this process's body; it never shrinks, so also the most that it had; 0: no guest, or it has
 *  not begun. Any thread (needs a reference). */
uint64_t guest_memory_bytes(const struct process *process);

/** Connect engine and core: once, before the first component is prepared. */
void guest_start(void);

/* ---- for host functions ---- */

/** The calling guest. */
struct guest *guest_of_call(const struct engine_call *call);
struct process *guest_process(struct guest *guest);
struct component *guest_component(struct guest *guest);

/** What it may do: the component's grant, or the narrower one that it was spawned with. */
const struct grant *guest_grant(const struct guest *guest);

/** Its context if its role is `role`, else NULL. */
void *guest_context(struct guest *guest, const struct guest_role *role);

/** From now on it lives from one piece of mail to the next, as a service does, for one client: each receive begins a
 *  unit of work, and once the client has left (the role's `gone`), what would wait ends with ABI_CLOSED. */
void guest_begin_stream(struct guest *guest);

/** The window at `pointer` of `size_bytes` in the caller's memory, or NULL: then the call's text is
 *  set and the host function returns ENGINE_CALL_TRAP. Both come as raw arguments: of a core module an offset, of a
 *  component's typed call an address, and 0 for what is left out. */
uint8_t *guest_window(struct engine_call *call, uint64_t pointer, uint64_t size_bytes);

/** Copy `size_bytes` of text out, snprintf-like: at most `capacity` bytes go to `pointer`; the
 *  result is the full size. Returns what the host function returns. */
enum engine_call_result guest_answer_text(struct engine_call *call, const void *data,
                                          size_t size_bytes, uint64_t pointer, uint64_t capacity);

/** Whether its end was the pool's refusal: nothing of it ran. For the role's `exited`. */
bool guest_was_refused(const struct guest *guest);

/** Set an i32 result. */
enum engine_call_result guest_answer(struct engine_call *call, int32_t value);

/** Note a refusal in the log, at most once a second for one process, with the manifest line that
 *  would allow it (such as `env = ["NAME"]`). */
void guest_log_denied(struct guest *guest, const char *what, const char *manifest_line);

/** The same of what no line of the manifest would allow: `why`. */
void guest_log_refused(struct guest *guest, const char *what, const char *why);

/** One line from the guest, rate-limited by its grant. Owner. */
void guest_log(struct guest *guest, unsigned level, const char *stream, const char *text,
               size_t size_bytes);
