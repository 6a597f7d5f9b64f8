/**
 * @file
 * The only door to the WebAssembly engine. Its other side is `shim/`, in Rust, on Wasmtime; `fake.c`
 * is its double for tests that need none. It holds no policy: no scheduling, no mailboxes, no
 * decision on what a guest may do.
 *
 * Words: an *engine* is a pool of instances with its settings (one per worker and pool class); an
 * *artefact* is compiled code, good for every engine with the same fingerprint; an *image* is an artefact
 * loaded into one engine, linked and with its entries resolved; a *fiber* is one run of one entry in
 * a fresh instance.
 *
 * Threads: an engine and its images are for any thread; a fiber is for one thread at a time, which
 * may change between calls. No function here blocks, except create, compile and load.
 * A panic of the engine never crosses: it becomes ENGINE_EXIT_FAULT or an error.
 */
#pragma once

#include "base/bytes.h"

#include <stdatomic.h>
#include <stdint.h>

struct engine;
struct engine_image;
struct engine_fiber;

struct engine_options {
    uint32_t fibers;         /**< So many at once: stacks and stores. Beyond, room is no promise. */
    uint32_t core_instances; /**< Totals of the pool, over all fibers. */
    uint32_t component_instances;
    uint32_t memories;
    uint32_t tables;
    uint64_t memory_reservation_bytes; /**< Address space of one memory = the largest it can get. */
    uint64_t memory_keep_bytes;        /**< Reset by memset up to here; the rest by madvise. */
    uint64_t table_keep_bytes;
    uint32_t table_elements; /**< Most elements of one table. */
    uint32_t stack_bytes;    /**< Of a fiber; Wasm may use half of it. */
    bool pagemap_scan;       /**< Reset only what was touched, where the kernel can. */
    /** So many instances of modules whose entry has returned are put back to their beginning, memory and
     *  globals, and kept for the next guest of their image, beside the totals above; 0: none, each guest's
     *  instance is made anew. No guest can tell which it has. One that trapped, was stopped, or has grown
     *  is never kept, nor is that of a component, of a memory above 128 KiB, or of a module that has a
     *  start function or changes its tables. */
    uint32_t spares;
};

/** NULL: ERR_INPUT or ERR_LIMIT with the engine's own words (mappings, address space). */
struct engine *engine_create(const struct engine_options *options, struct err *err) MUST_USE;

/** After its last fiber and image. NULL is allowed. */
void engine_destroy(struct engine *engine);
DEFINE_AUTO_DESTROY(engine)

/** Advance the epoch: every running fiber asks its tick function within a loop or a call. Any thread. */
void engine_tick(struct engine *engine);

/** What an artefact depends on besides the Wasm: version, settings, processor. Part of a cache key. */
uint64_t engine_fingerprint(const struct engine *engine);

/** "48.0.8". Constant. */
const char *engine_version(void);

struct engine_usage {
    uint64_t core_instances, component_instances, memories, tables, stacks;
    uint64_t spares; /**< Instances that wait for their next guest; counted nowhere above. */
};

/** What the pool has handed out to guests now. Any thread; exact once nothing moves. */
struct engine_usage engine_usage(const struct engine *engine);

/* ---- code ---- */

enum engine_kind { ENGINE_MODULE, ENGINE_COMPONENT };

/** What can be said of Wasm without compiling it. */
struct engine_inspection {
    enum engine_kind kind;
    uint64_t memory_min_bytes; /**< Largest initial memory declared (in nested modules too). */
    uint32_t memories, tables, core_instances; /**< One instance of it takes so many. */
    bool imports_wasi;                         /**< A module: from wasi_snapshot_preview1. */
    bool imports_wasi_p3;                      /**< A component: any wasi:*@0.3. */
    bool command;                              /**< Exports `_start`, or wasi:cli/run. */
    bool http;                                 /**< Exports wasi:http/incoming-handler. */
    bool rusm; /**< Imports the module "rusm", or interfaces of rusm:runtime. */
};

/** Look at Wasm. False: ERR_INPUT: "not WebAssembly: ...", "truncated at byte N", "invalid: ...". */
bool engine_inspect(const uint8_t *wasm, size_t size_bytes, struct engine_inspection *ret,
                    struct err *err) MUST_USE;

/** Validate and compile to an artefact appended to `ret`. Slow (10 ms to minutes); blocks.
 *  False: ERR_INPUT with the place in the Wasm. */
bool engine_compile(struct engine *engine, const uint8_t *wasm, size_t size_bytes,
                    struct bytes *ret, struct err *err) MUST_USE;

/* ---- host functions ---- */

enum { ENGINE_CALL_ARGUMENTS = 10, ENGINE_CALL_TEXT = 200 };

/** One call of a host function by a guest. Valid during the call only. */
struct engine_call {
    void *process;       /**< What engine_spawn_options named. */
    uint8_t *memory;     /**< The guest's exported "memory", or NULL if it has none. */
    size_t memory_bytes; /**< Its size now. */
    uint64_t arguments[ENGINE_CALL_ARGUMENTS]; /**< i32 zero-extended, i64 as is. */
    uint64_t result;                           /**< For signatures with one. */
    uint64_t state; /**< 0 at first; kept over ENGINE_CALL_PARK for the next try. */
    /** A component's typed call: pointers among the arguments are addresses of what is large enough,
     *  and 0 where something is left out; `memory` is NULL. */
    bool direct;
    const uint8_t
        *body; /**< Direct: set by C to bytes that are good until the guest's next call. */
    size_t body_bytes;
    /** For ENGINE_CALL_TRAP: one line, terminated. Empty at first. */
    char text[ENGINE_CALL_TEXT];
};

enum engine_call_result {
    ENGINE_CALL_DONE,
    ENGINE_CALL_PARK,  /**< Only where `parks`: the fiber waits; called again at the next poll, for
                           which the engine wakes nobody. */
    ENGINE_CALL_TRAP,  /**< End the guest; ENGINE_EXIT_HOST with `text`. */
    ENGINE_CALL_LEAVE, /**< End the guest as if its entry had returned: ENGINE_EXIT_RETURNED. */
};

typedef enum engine_call_result (*engine_host_function)(struct engine_call *call);

/** A function that C offers to core modules. Those of the module "mote" are offered to components
 *  too, with types, as the package mote:runtime (sdk/wit): tools/abi.py makes the shim's table and C's
 *  of one description. Those of "rusm" and "rusm:runtime" serve the package rusm:runtime, by the shim's
 *  typed_rusm.rs. */
struct engine_import {
    const char *module, *name;
    /** Parameters, a colon, result: 'i' = i32, 'I' = i64: "iiI:i", ":I", "ii:". NULL: not for modules: every call of it
     *  is a component's. */
    const char *signature;
    bool parks; /**< May answer ENGINE_CALL_PARK. */
    engine_host_function function;
};

/* ---- images ---- */

struct engine_link {
    const struct engine_import *imports; /**< Borrowed for the life of the image. */
    size_t import_count;
    bool wasi; /**< Offer WASI preview 1 to modules, WASI 0.2 to components. */
};

/** Load an artefact from a file, mapped and shared (`path`), or from memory (`bytes`), and link it.
 *  Artefacts are native code: give none but one's own.
 *  @return NULL: ERR_INPUT (not an artefact of this fingerprint; an import that nobody offers: names
 *          it as "module::name" and says what it wants; wrong type of an import), ERR_LIMIT (takes
 *          more than this pool has for one instance). */
struct engine_image *engine_load(struct engine *engine, enum engine_kind kind, const char *path,
                                 const struct bytes *bytes, const struct engine_link *link,
                                 struct err *err) MUST_USE;

/** After its last fiber. NULL is allowed. */
void engine_image_destroy(struct engine_image *image);
DEFINE_AUTO_DESTROY(engine_image)

/** Find a function of type () -> () to run: an export of a module ("_start", "show"), or
 *  "wasi:cli/run" or "wasi:http/incoming-handler" for a component. `*ret` is its number for engine_spawn_options.
 *  False: ERR_NOT_FOUND (lists what is exported), ERR_INPUT (exported with another type). */
bool engine_image_entry(struct engine_image *image, const char *name, uint32_t *ret,
                        struct err *err) MUST_USE;

/* ---- WASI ---- */

/** What a guest writes to standard output (1) or error (2). False: refused (an error for the guest). */
typedef bool (*engine_output)(void *process, int fd, const uint8_t *data, size_t size_bytes);

/** A call by a path was refused for want of a grant: which, and the errno of preview 1 that the guest gets (8: no such
 *  descriptor, 63 and 76: not permitted, 69: for reading only). Within a turn. */
typedef void (*engine_denied)(void *process, const char *call, int wasi_errno);

/** Opened at the first poll; one that cannot be ends the fiber with ENGINE_EXIT_HOST. */
struct engine_preopen {
    const char *host_path, *guest_path;
    bool read_only;
};

/** The WASI world of a fiber. Borrowed until the fiber is destroyed. NULL members: nothing there. A
 *  guest that has more than 256 files, streams and timers open at once ends with ENGINE_EXIT_HOST. */
struct engine_wasi {
    const char *const *arguments;   /**< NULL-terminated; the first is the program's name. */
    const char *const *environment; /**< NULL-terminated, "KEY=value". */
    const struct engine_preopen *preopens;
    size_t preopen_count;
    bool inherit_stdin, inherit_stdout, inherit_stderr; /**< The node's own descriptors. */
    engine_output output; /**< Where 1 and 2 go if not inherited; NULL: refused. */
    engine_denied denied; /**< Told of what a module was refused; NULL: nobody. */
};

/* ---- wasi:http ---- */

struct engine_text {
    const char *data; /**< Not terminated. */
    size_t size;
};

struct engine_header {
    struct engine_text name, value;
};

struct engine_http_request {
    struct engine_text method;
    struct engine_text target;    /**< Origin form, or "*". */
    struct engine_text authority; /**< Size 0: the client did not say. */
    const struct engine_header *headers;
    size_t header_count;
    bool secure;   /**< It came by https. */
    bool has_body; /**< `read` is worth asking. */
};

/** The head of an answer, with the body as far as the guest has made it. */
struct engine_http_answer {
    uint32_t status;
    const struct engine_header *headers;
    size_t header_count;
    const uint8_t *data;
    size_t size_bytes;
    bool complete; /**< `data` is all of the body, and no trailers follow. */
};

enum engine_http_result {
    ENGINE_HTTP_OK,
    ENGINE_HTTP_WAIT, /**< Nothing now: ask again at the next poll, for which the engine wakes nobody. */
    ENGINE_HTTP_ENDED,     /**< Read: the body is over. Answer: all of it was taken. */
    ENGINE_HTTP_CLOSED,    /**< Nobody is there: the guest's next read or write fails. */
    ENGINE_HTTP_TOO_LARGE, /**< Read: the body is larger than it may be. */
    ENGINE_HTTP_MALFORMED, /**< Read: its framing is broken, or it came too slowly. */
    ENGINE_HTTP_REFUSED,   /**< Answer: it may not be sent; ends the guest with ENGINE_EXIT_HOST. */
    ENGINE_HTTP_FAILED,    /**< Read: for another reason. */
};

/** How the guest of an entry "wasi:http/incoming-handler" comes by its request, and what becomes of its answer. All are called from
 *  inside engine_fiber_poll(), also after the guest itself has ended, as long as something of its answer is to be handed over: the
 *  fiber ends after that. What is passed holds during the call. */
struct engine_http {
    /** Once. What it names holds until the fiber is destroyed. */
    void (*request)(void *process, struct engine_http_request *ret);
    /** Some of its body. */
    enum engine_http_result (*read)(void *process, uint8_t *data, size_t capacity,
                                    size_t *ret_read);
    /** After ENGINE_HTTP_ENDED: what came behind the body. Returns how many. */
    size_t (*trailers)(void *process, struct engine_header *ret, size_t capacity);
    /** At most once. `*ret_taken` of `data`: the rest comes by `write`. */
    enum engine_http_result (*answer)(void *process, const struct engine_http_answer *answer,
                                      size_t *ret_taken);
    /** More of the body. With a size of 0: whether anybody is there. */
    enum engine_http_result (*write)(void *process, const uint8_t *data, size_t size_bytes,
                                     size_t *ret_taken);
    /** The body that was written is complete. */
    void (*end)(void *process, const struct engine_header *trailers, size_t trailer_count);
    /** In place of an answer, or of the rest of one, there is an error. */
    void (*fail)(void *process, struct engine_text why);
};

/* ---- the network ---- */

enum engine_socket_use {
    ENGINE_SOCKET_BIND, /**< Also without being asked: the wildcard address, in front of a connect. */
    ENGINE_SOCKET_LISTEN,
    ENGINE_SOCKET_ACCEPT, /**< The address is the client's. */
    ENGINE_SOCKET_CONNECT,
    ENGINE_SOCKET_DATAGRAM, /**< To or from. */
};

struct engine_socket_address {
    uint8_t bytes[16]; /**< In network order; IPv4: the first four. */
    uint16_t port;
    bool is_v6;
};

struct engine_fetch_request {
    struct engine_text method;
    struct engine_text url;
    const struct engine_header *headers; /**< Without Host and Content-Length. */
    size_t header_count;
    bool has_body;
    uint64_t body_bytes;                   /**< UINT64_MAX: unknown. */
    uint64_t connect_ns, head_ns, idle_ns; /**< What the guest waits for; 0: it did not say. */
};

struct engine_fetch_head {
    uint32_t status; /**< Of trailers: not set. */
    const struct engine_header *headers;
    size_t header_count;
};

enum engine_fetch_error {
    ENGINE_FETCH_NONE,
    ENGINE_FETCH_INVALID,
    ENGINE_FETCH_DENIED,
    ENGINE_FETCH_FULL,
    ENGINE_FETCH_NAME,
    ENGINE_FETCH_CONNECT,
    ENGINE_FETCH_TLS,
    ENGINE_FETCH_TIMEOUT,
    ENGINE_FETCH_CLOSED,
    ENGINE_FETCH_PROTOCOL,
    ENGINE_FETCH_HEAD_SIZE,
    ENGINE_FETCH_FAILED,
};

/** What components may do over the network (wasi:sockets, wasi:http/outgoing-handler), and who carries their requests out. All but
 *  `allows` are called from inside engine_fiber_poll(), engine_fiber_destroy() included. A request belongs to its fiber: none is
 *  left after that. What it waits for is told by waking its process. */
struct engine_network {
    bool (*sockets)(void *process); /**< Whether it may have sockets at all. */
    /** Any thread, also after its end: it is retained. */
    bool (*allows)(void *process, enum engine_socket_use use,
                   const struct engine_socket_address *address);
    /** Begin a request. NULL: `*ret_error` says why not. */
    void *(*fetch)(void *process, const struct engine_fetch_request *request,
                   enum engine_fetch_error *ret_error);
    /** OK, WAIT, or else `error`. What it gives holds until `drop`. */
    enum engine_http_result (*head)(void *fetch, struct engine_fetch_head *ret);
    /** Of its body: OK, WAIT, CLOSED. */
    enum engine_http_result (*write)(void *fetch, const uint8_t *data, size_t size_bytes,
                                     size_t *ret_taken);
    /** Of its body; not `complete`: the guest has given it up. */
    void (*finish)(void *fetch, bool complete);
    /** Of the answer's body: OK, WAIT, ENDED, or else `error`. */
    enum engine_http_result (*read)(void *fetch, uint8_t *data, size_t capacity, size_t *ret_read);
    /** After ENDED. */
    void (*trailers)(void *fetch, struct engine_fetch_head *ret);
    enum engine_fetch_error (*error)(void *fetch);
    void (*drop)(void *fetch); /**< Cancels what is left. */
};

/** Set once, before the first fiber; without it there is no network. Constant. */
void engine_set_network(const struct engine_network *network);

/* ---- fibers ---- */

/** What a running guest is told at a tick. After a yield, ticks count from the next poll. */
enum engine_tick_result { ENGINE_TICK_CONTINUE, ENGINE_TICK_YIELD, ENGINE_TICK_STOP };

/** Set once, before the first fiber: how the engine speaks to processes. All are called from inside
 *  engine_fiber_poll() or from the engine's own I/O thread (wake, retain and release: any thread). */
struct engine_process_functions {
    enum engine_tick_result (*tick)(void *process);
    void (*retain)(void *process);
    void (*wake)(void *process);
    void (*release)(void *process);
};
void engine_set_process_functions(const struct engine_process_functions *functions);

struct engine_spawn_options {
    void *process; /**< Passed to every callback; outlives the fiber. */
    uint32_t entry;
    uint64_t memory_max_bytes; /**< Of all linear memories together; growth beyond it traps. */
    /** Kept at what its linear memories have together, which never shrinks; any thread may read it. Outlives the fiber;
     *  NULL: not wanted. */
    atomic_uint_least64_t *memory_bytes;
    const struct engine_wasi *wasi; /**< NULL: nothing but clocks and random. Context made at the
                                         first WASI call. */
    const struct engine_http
        *http; /**< For an entry "wasi:http/incoming-handler"; else NULL. Borrowed. */
};

/** A run that has not begun: the first poll makes the instance, calls `_initialize` when there is one
 *  and the entry is not `_start`, then the entry. NULL only when out of memory. */
struct engine_fiber *engine_fiber_create(struct engine_image *image,
                                         const struct engine_spawn_options *options) MUST_USE;

/** Cancel whatever it does and give back its instance and stack. Any thread, not inside its own
 *  poll. NULL is allowed. */
void engine_fiber_destroy(struct engine_fiber *fiber);

enum engine_exit_kind {
    ENGINE_EXIT_RETURNED,
    ENGINE_EXIT_STATUS,  /**< proc_exit / wasi:cli exit; `status`. run() -> err is 1. */
    ENGINE_EXIT_TRAP,    /**< `trap`; `text` in words. */
    ENGINE_EXIT_MEMORY,  /**< `asked_bytes` would pass `ceiling_bytes`, of a memory or a table. */
    ENGINE_EXIT_STOPPED, /**< The tick function said stop. */
    ENGINE_EXIT_HOST,    /**< A host function trapped; `text`. */
    /** The pool had no room; nothing of the guest ran (of a component, at most start functions of
     *  some of its modules). */
    ENGINE_EXIT_FULL,
    /** The engine itself failed; `text`. After a panic the pool is smaller by what the fiber held. */
    ENGINE_EXIT_FAULT,
};

enum engine_trap {
    ENGINE_TRAP_UNREACHABLE,
    ENGINE_TRAP_STACK_OVERFLOW,
    ENGINE_TRAP_MEMORY_BOUNDS,
    ENGINE_TRAP_TABLE_BOUNDS,
    ENGINE_TRAP_DIVISION, /**< By zero, or the result does not fit: also that of a conversion. */
    ENGINE_TRAP_INDIRECT_CALL,
    ENGINE_TRAP_CONVERSION, /**< Of no number (NaN) to an integer. */
    ENGINE_TRAP_OTHER,
};

enum { ENGINE_EXIT_TEXT = 256 };

struct engine_exit {
    enum engine_exit_kind kind;
    enum engine_trap trap;
    int32_t status;
    uint64_t asked_bytes, ceiling_bytes;
    char text[ENGINE_EXIT_TEXT]; /**< One line, terminated; may be empty. */
    /** malloc'ed, "  #0 name (file offset 0x12)" a line, for traps, memory and host; or NULL. */
    char *backtrace;
};

/** Free the backtrace. */
void engine_exit_fini(struct engine_exit *exit);

/** Run until it parks, yields or ends. True: it has ended and `*ret` is filled. False: it waits, for
 *  a wake or because its tick function said yield. One thread at a time. */
bool engine_fiber_poll(struct engine_fiber *fiber, struct engine_exit *ret);
