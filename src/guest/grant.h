/**
 * @file
 * What a process may do and how much of it: its capabilities and limits, default-deny. A zeroed grant
 * denies everything; its zero limits mean "none allowed", never "no limit", except where said.
 *
 * Life:    built once for a component from the manifest; borrowed by its processes.
 * Threads: constant once built.
 */
#pragma once

#include "core/process.h"
#include "engine/engine.h"

struct network_policy;

struct grant {
    const char *name;          /**< Profile or capability: what a denial tells to change. */
    uint64_t memory_max_bytes; /**< Of each linear memory; growth beyond traps. */
    uint64_t cpu_max_ns;       /**< Of a unit of work; 0: no limit. */
    struct mailbox_limits mailbox;
    uint32_t log_lines_per_s;       /**< Then "N suppressed". */
    struct process_quotas quotas;   /**< Ties, timers, names, tags, groups. */
    uint32_t children_max;          /**< Alive at once. */
    uint32_t streams_max;           /**< Open stream ends. */
    uint64_t stream_buffer_bytes;   /**< Of a byte stream that it opens. */
    uint64_t message_bytes_max;     /**< Of one message that it sends. */
    const char *namespace;          /**< "main" by default. */
    const char *const *allow_spawn; /**< Component names, NULL-terminated; NULL: none; "*": all. */
    const char *const *allow_namespaces; /**< Besides its own; the same form. */
    bool allow_process_control;          /**< Kill, exit, link anybody in its namespaces. */
    bool accept_links;                   /**< Anybody in reach may link, exit or kill it. */
    bool stdio;                          /**< allow-stdio: output goes to the log. */
    bool inherit_stdio;                  /**< The node's own descriptors, for `mote run`. */
    const char *const *environment;      /**< env: NULL-terminated "KEY=value"; NULL: none. */
    const struct engine_preopen *preopens;
    size_t preopen_count;
    struct network_policy *network; /**< allow-network; NULL: nothing. Borrowed. */
    uint32_t fetches_max;           /**< Requests of its own to others, open at once. */
    uint64_t fetch_connect_ns, fetch_idle_ns, fetch_whole_ns; /**< Of each; 0: no limit. */
};

/** The value of a granted environment variable, or NULL (not granted, or not set). */
const char *grant_env(const struct grant *grant, const char *name, size_t name_bytes);
