/**
 * @file
 * `mote.toml` as checked structs: every setting that applies, at its default unless something set it,
 * each with the place it comes from. `docs/manifest.md` is the reference of the keys.
 *
 * A manifest is all right or not there: loading collects every problem, and gives nothing when one of
 * them is an error. Numbers are kept in the unit that ends the key's name.
 *
 * Life:    manifest_load() -> read -> manifest_destroy(). All strings belong to the manifest.
 * Threads: constant once loaded.
 */
#pragma once

#include "base/cidr.h"
#include "manifest/arena.h"
#include "manifest/problem.h"

/* Where a setting comes from: a line of the manifest, or one of these. */
#define MANIFEST_DEFAULT 0U
#define MANIFEST_OPTION UINT32_MAX        /**< Of the command line. */
#define MANIFEST_PROFILE (UINT32_MAX - 1) /**< The profile that a grant starts from. */
#define MANIFEST_MACHINE (UINT32_MAX - 2) /**< Worked out from what the machine allows. */

struct manifest_number {
    uint64_t value;
    uint32_t line;
};

struct manifest_flag {
    bool value;
    uint32_t line;
};

struct manifest_text {
    const char *value; /**< NULL: not given, and there is no default. */
    uint32_t line;
};

/** [node] */
struct manifest_node {
    struct manifest_text name;              /**< 1 to 64 of A-Z a-z 0-9 . _ - */
    struct manifest_number workers;         /**< 0: one a processor. */
    struct manifest_number max_processes;   /**< 0: from the limits in force. */
    struct manifest_number max_connections; /**< Over all listeners; 0: from the limits in force. */
    /** Held for clients, over all listeners; 0: from the limits in force. */
    struct manifest_number max_buffered_mb;
    struct manifest_number max_memory_mb; /**< Of one process, where nothing closer says. */
    struct manifest_number tick_ms;
    struct manifest_number drain_ms;
    struct manifest_number max_restarts;  /**< Of the node's top supervisor, inside window_ms. */
    struct manifest_number window_ms;     /**< Likewise. */
    struct manifest_number on_escalation; /**< enum manifest_escalation */
    struct manifest_text
        user; /**< Whose rights to have once everything is bound; NULL: as started. */
    struct manifest_number max_fetches;   /**< Requests of guests to others, over all of them. */
    struct manifest_number fetch_keep_ms; /**< How long their connections stay, unused. */
    struct manifest_text ca_certificates; /**< PEM of authorities beside the system's; or NULL. */
};

/** What the node does when its top supervisor gives up. */
enum manifest_escalation {
    MANIFEST_STAY_DOWN, /**< Say so; serve what needs no service. */
    MANIFEST_STOP,      /**< Drain and end. */
};

/** [log] */
struct manifest_log {
    struct manifest_number level;  /**< enum log_level */
    struct manifest_number format; /**< enum log_format */
    struct manifest_flag access;
};

/** [admin] */
struct manifest_admin {
    struct manifest_text listen; /**< "unix:/path", or NULL: a socket in the runtime folder. */
};

/** What one process may use. */
struct manifest_limits {
    struct manifest_number max_memory_mb;
    struct manifest_number max_cpu_ms;         /**< Of a unit of work. */
    struct manifest_number deadline_ms;        /**< Of a request until its head. */
    struct manifest_number stream_deadline_ms; /**< After the head; 0: none. */
    struct manifest_number mailbox_messages;
    struct manifest_number mailbox_bytes;
    struct manifest_number mailbox_policy; /**< enum mailbox_policy */
    struct manifest_number log_lines_per_second;
    struct manifest_number max_message_bytes; /**< Of one that it sends. */
    struct manifest_number max_children;      /**< Alive at once. */
    struct manifest_number max_ties;          /**< Links, monitors and open calls that it made. */
    struct manifest_number max_timers;
    struct manifest_number max_names, max_tags, max_groups;
    struct manifest_number max_streams;         /**< Open ends of byte streams. */
    struct manifest_number stream_buffer_bytes; /**< Of a byte stream that it opens. */
    struct manifest_number max_fetches;         /**< Requests of its own to others, open at once. */
    struct manifest_number fetch_connect_ms;    /**< Of each. */
    struct manifest_number fetch_idle_ms;       /**< Likewise. */
    struct manifest_number fetch_deadline_ms;   /**< Likewise; 0: none. */
};

/** Names that a grant lists. */
struct manifest_names {
    const char *const *names; /**< NULL-terminated; "*" as the only one: all. NULL: none. */
    uint32_t line;
};

/** A folder that a guest may see. */
struct manifest_preopen {
    const char *written;   /**< As the manifest has it. */
    const char *host_path; /**< Absolute, without links. */
    const char *guest_path;
    bool read_only;
    uint32_t line;
};

/** One of the capabilities that a component has its grants from. */
struct manifest_ancestor {
    const char *name;
    uint32_t line; /**< Of its header. */
};

/** What becomes of a service whose code was swapped. */
enum manifest_code_change { MANIFEST_RESTART, MANIFEST_SIGNAL };

/** [components.<name>] with everything that its grant gives. */
struct manifest_component {
    const char *name;
    uint32_t line, column;
    struct manifest_text source;     /**< Path as this program opens it. */
    struct manifest_text capability; /**< Profile or [capabilities.<name>]. */
    const char *profile;             /**< The profile at the root of that. */
    const struct manifest_ancestor
        *lineage; /**< The capability, and what that inherits; no profile. */
    size_t ancestor_count;
    struct manifest_text entry; /**< Export to call when a route names none; NULL: none given. */
    struct manifest_text namespace;
    struct manifest_number max_processes; /**< 0: only the node's limit. */
    struct manifest_flag lends;           /**< `template`: spawn_from() may run other code as it. */
    struct manifest_flag resident;        /**< A service: runs from the start, under its name. */
    struct manifest_number restart;       /**< enum supervisor_restart; counts when resident. */
    struct manifest_number shutdown_ms;   /**< Likewise; its supervisor's unless its own. */
    struct manifest_number start_timeout_ms; /**< Likewise. */
    struct manifest_number code_change;      /**< enum manifest_code_change; when resident. */
    const char *const *arguments;            /**< Without the program's name; NULL-terminated. */
    size_t argument_count;
    uint32_t arguments_line;
    const char *const *arguments_written; /**< Before interpolation: fit to be shown. */
    struct manifest_limits limits;
    struct manifest_flag allow_stdio;
    struct manifest_names allow_spawn, allow_namespaces;
    struct manifest_names allow_network; /**< "*" as the only one: any public address. */
    struct manifest_flag allow_process_control;
    struct manifest_flag accept_links;
    const char *const
        *environment; /**< "NAME=value" of what is granted and set; NULL-terminated. */
    const char *const *environment_names; /**< What is granted; NULL-terminated. */
    const uint32_t *environment_lines;    /**< Where each of those is. */
    const struct manifest_preopen *preopens;
    size_t preopen_count;
};

/** Who answers a request, and how long that may take. */
struct manifest_target {
    uint32_t line, column; /**< Where the component is named. */
    const struct manifest_component *component;
    const char *entry;                  /**< NULL: neither the route nor the component gives one. */
    const char *action;                 /**< What the route itself names; NULL: nothing. */
    struct manifest_number deadline_ms; /**< The component's if it has one, else the listener's. */
    struct manifest_number stream_deadline_ms; /**< Likewise. */
};

struct manifest_route {
    const char *method; /**< "GET"; "*": any; "WS": a WebSocket. */
    const char *pattern;
    struct manifest_target target;
    uint32_t line;
};

struct manifest_header {
    const char *name, *value;
    const char *written; /**< The value before interpolation: fit to be shown. */
    uint32_t line;
};

/** What each client's address may take of a listener; 0: no limit. */
struct manifest_rate {
    struct manifest_number max_connections, connections_per_second;
    struct manifest_number requests_per_second;
    struct manifest_number requests_burst; /**< 0: as many as a second gives. */
};

/** Several texts; also joined, as they are shown and go out. */
struct manifest_list {
    const char *const *values; /**< NULL-terminated; NULL: not given. */
    const char *joined;        /**< "GET, POST"; "" for none. */
    uint32_t line;
};

/** One [[serve.static]] */
struct manifest_static {
    uint32_t line;
    struct manifest_text prefix;   /**< "/" or "/a/b": without a slash at its end. */
    struct manifest_text folder;   /**< As this program opens it. */
    struct manifest_text index;    /**< What a path means that ends in "/". */
    struct manifest_text fallback; /**< NULL: none. */
    struct manifest_text cache_control;
    struct manifest_flag precompressed;
    struct manifest_flag dotfiles;
};

/** [serve.cors] */
struct manifest_cors {
    uint32_t line; /**< 0: there is none. */
    struct manifest_list origins, methods, headers, expose;
    struct manifest_number max_age_s;
    struct manifest_flag credentials;
};

/** What a [[serve]] says of content. */
struct manifest_content {
    struct manifest_list codings; /**< "br", "gzip", best first; none: no compression. */
    struct manifest_list types;   /**< Not given: the usual ones. */
    struct manifest_number compression_min_bytes;
    struct manifest_flag security_headers;
    struct manifest_flag redirect_to_https;
    struct manifest_number https_port;
    struct manifest_cors cors;
    const struct manifest_static *folders;
    size_t folder_count;
};

/** A file that something names. */
struct manifest_file {
    const char *path; /**< As this program opens it; NULL: none given. */
    uint32_t line, column;
};

struct manifest_certificate {
    struct manifest_file certificate, key;
};

/** [serve.tls] */
struct manifest_tls {
    uint32_t line;
    const struct manifest_certificate *pairs; /**< The listener's own, then the extra ones. */
    size_t pair_count;                        /**< 0: there is no [serve.tls]. */
    struct manifest_file client_ca;
};

/** `trusted-proxies` */
struct manifest_proxies {
    uint32_t line;
    const struct cidr *blocks;
    size_t count;
    bool unix_sockets;          /**< Clients of a unix socket are. */
    const char *const *written; /**< Terminated by NULL; or NULL: none. */
};

/** One [[serve]]. */
struct manifest_serve {
    uint32_t line;
    struct manifest_text listen;   /**< Checked with address_parse(). */
    struct manifest_text protocol; /**< "http", "ws", "sse" */
    struct manifest_number deadline_ms;
    struct manifest_number stream_deadline_ms; /**< 0: none. */
    struct manifest_number header_timeout_ms;
    struct manifest_number idle_timeout_ms;
    struct manifest_number write_timeout_ms;
    struct manifest_number body_bytes_per_second; /**< The least that counts as sending. */
    struct manifest_number max_header_bytes;
    struct manifest_number max_header_count;
    struct manifest_number max_target_bytes;
    struct manifest_number max_body_bytes;
    struct manifest_number stream_buffer_bytes;
    struct manifest_number disconnect_grace_ms;
    struct manifest_number heartbeat_ms; /**< Of streams of events; 0: none. */
    struct manifest_flag cancel_on_disconnect;
    struct manifest_rate rate;
    struct manifest_number max_message_bytes; /**< Of WebSockets, as what follows. */
    struct manifest_number ping_ms;           /**< 0: none. */
    struct manifest_names subprotocols;
    struct manifest_names allowed_origins; /**< Not given: only the host that was asked. */
    struct manifest_tls tls;
    struct manifest_proxies trusted;
    struct manifest_flag
        proxy_protocol;                /**< Connections of trusted proxies begin with its header. */
    struct manifest_text component;    /**< As written; set: `everything` answers all requests. */
    struct manifest_target everything; /**< Counts only without routes. */
    const struct manifest_route *routes;
    size_t route_count;
    const struct manifest_header *headers;
    size_t header_count;
    struct manifest_content content;
};

/** One child of a [[supervisor]]: either of them. */
struct manifest_child {
    const struct manifest_component *component;
    const struct manifest_supervisor *supervisor;
};

/** One [[supervisor]] */
struct manifest_supervisor {
    uint32_t line;
    struct manifest_text name;
    struct manifest_number strategy; /**< enum supervisor_strategy */
    struct manifest_number max_restarts;
    struct manifest_number window_ms;
    struct manifest_number start_timeout_ms; /**< Of children without one of their own. */
    struct manifest_number shutdown_ms;      /**< Likewise. */
    const struct manifest_child *children;   /**< In the order of the start. */
    size_t child_count;
    uint32_t children_line;
    const struct manifest_supervisor *parent; /**< NULL: the node's top supervisor. */
};

/** One [[schedule]] */
struct manifest_schedule {
    uint32_t line;
    struct manifest_text cron; /**< Checked with calendar_parse(); NULL: `every` counts. */
    struct manifest_number every_ms;
    struct manifest_text component;
    const struct manifest_component *target; /**< What `component` names. */
    struct manifest_text entry;              /**< The component's unless its own; NULL: neither. */
    struct manifest_number overlap;          /**< enum manifest_overlap */
};

/** What a schedule does when its last process still runs. */
enum manifest_overlap { MANIFEST_SKIP, MANIFEST_ALLOW };

struct manifest {
    const char *path; /**< As given; what messages show. */
    struct arena arena;
    struct manifest_node node;
    struct manifest_log log;
    struct manifest_admin admin;
    struct manifest_component *components;
    size_t component_count;
    struct manifest_serve *serves;
    size_t serve_count;
    struct manifest_supervisor *supervisors;
    size_t supervisor_count;
    struct manifest_schedule *schedules;
    size_t schedule_count;
    /** What the node's top supervisor starts, in the order of the manifest. */
    const struct manifest_child *top;
    size_t top_count;
};

/** What else decides, besides the file. Zeroed: nothing. */
struct manifest_overrides {
    const char *const *listen; /**< The i-th takes the place of the i-th [[serve]]'s `listen`. */
    size_t listen_count;
    const char *const
        *protected_paths; /**< Files and folders that no preopen may hold or lie in. */
    size_t protected_count;
    bool allow_missing_sources; /**< For whoever is about to build them. */
};

enum world_entry { WORLD_MISSING, WORLD_FILE, WORLD_FOLDER, WORLD_OTHER, WORLD_UNREADABLE };

/** What a manifest is checked against. Replaced in tests and by the fuzzer. */
struct manifest_world {
    void *argument;
    /** The value of an environment variable, or NULL; valid until the next call. */
    const char *(*variable)(void *argument, const char *name);
    /** What there is at `path`, links followed. */
    enum world_entry (*inspect)(void *argument, const char *path);
    /** The absolute path without links; what does not exist (yet) stays as written below the nearest
     *  folder that does. Allocated. NULL: no memory, or `path` cannot be followed. */
    char *(*resolve)(void *argument, const char *path);
};

/** Read and check a manifest and the `.env` beside it.
 *  @param overrides  borrowed for the call; NULL: none
 *  @param ret        takes every error and warning, in order of position
 *  @return owned; NULL when there is any error. */
struct manifest *manifest_load(const char *path, const struct manifest_overrides *overrides,
                               struct problems *ret) MUST_USE;

/** The same on text. Touches nothing but `world`. `path` only names the text and its folder; problems
 *  that `ret` already holds count. */
struct manifest *manifest_load_text(const char *path, const char *text, size_t size_bytes,
                                    const struct manifest_overrides *overrides,
                                    const struct manifest_world *world, struct problems *ret)
    MUST_USE;

/** NULL is allowed. */
void manifest_destroy(struct manifest *manifest);
DEFINE_AUTO_DESTROY(manifest)

/** Whether everything on that listener is a WebSocket. */
bool serve_is_websocket(const struct manifest_serve *serve);

/** The component of that name, or NULL. */
const struct manifest_component *manifest_component(const struct manifest *manifest,
                                                    const char *name);

enum manifest_form { MANIFEST_TEXT, MANIFEST_JSON };

/** Append every setting in force and where it comes from: aligned columns, or one JSON object. Values of
 *  environment variables are not shown. A caller that knows what a 0 ("from the limits in force")
 *  amounts to may put that in `value` and MANIFEST_MACHINE in `line` before. False: out of memory. */
bool manifest_print(const struct manifest *manifest, enum manifest_form form, struct bytes *ret)
    MUST_USE;
