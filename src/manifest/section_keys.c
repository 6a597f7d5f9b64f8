/* Every key of every section: its type, range and default. docs/manifest.md says the same in prose. */
#include "manifest/section.h"

#include "base/log.h"
#include "core/node.h"
#include "core/supervisor.h"
#include "guest/calendar.h"

#include <string.h>

static void check_node_name(struct loader *loader, const struct toml_node *node,
                            struct manifest_text *text)
{
    if (!loader_name_valid(text->value, strlen(text->value), true)) {
        problem_error(
            loader->problems, loader_value(loader, node),
            "'%.80s' is no name for a node; use 1 to 64 letters, digits, '-', '_' and '.', "
            "beginning with a letter, digit or '_'",
            text->value);
    }
}

static void check_namespace(struct loader *loader, const struct toml_node *node,
                            struct manifest_text *text)
{
    if (!loader_name_valid(text->value, strlen(text->value), true)) {
        problem_error(
            loader->problems, loader_value(loader, node),
            "'%.80s' is no name for a namespace; use 1 to 64 letters, digits, '-', '_' and "
            "'.', beginning with a letter, digit or '_'",
            text->value);
    }
}

static void check_supervisor_name(struct loader *loader, const struct toml_node *node,
                                  struct manifest_text *text)
{
    if (!loader_name_valid(text->value, strlen(text->value), false)) {
        problem_error(
            loader->problems, loader_value(loader, node),
            "'%.80s' is no name for a supervisor; use 1 to 64 letters, digits, '-' and '_'",
            text->value);
        text->value = NULL;
    }
}

static void check_cron(struct loader *loader, const struct toml_node *node,
                       struct manifest_text *text)
{
    struct calendar calendar;
    struct err err;

    if (!calendar_parse(text->value, &calendar, &err)) {
        problem_error(loader->problems, loader_value(loader, node), "'cron': %s", err.text);
    }
}

static void check_admin_listen(struct loader *loader, const struct toml_node *node,
                               struct manifest_text *text)
{
    if (strncmp(text->value, "unix:", 5) != 0) {
        problem_error(
            loader->problems, loader_value(loader, node),
            "an admin listener that is no unix socket is not available in this version of "
            "mote; write unix:/path");
        return;
    }
    listen_check(loader, node, text);
}

static void check_protocol(struct loader *loader, const struct toml_node *node,
                           struct manifest_text *text)
{
    if (strcmp(text->value, "http") != 0 && strcmp(text->value, "ws") != 0 &&
        strcmp(text->value, "sse") != 0) {
        problem_error(loader->problems, loader_value(loader, node),
                      "'protocol' cannot be '%.80s'; write \"http\", \"ws\" or \"sse\"",
                      text->value);
    }
}

static const char *const LEVELS[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug", NULL,
};

static const char *const RESTARTS[] = {
    [RESTART_PERMANENT] = "permanent",
    [RESTART_TRANSIENT] = "transient",
    [RESTART_TEMPORARY] = "temporary",
    NULL,
};

static const char *const CODE_CHANGES[] = {
    [MANIFEST_RESTART] = "restart",
    [MANIFEST_SIGNAL] = "signal",
    NULL,
};

static const char *const STRATEGIES[] = {
    [ONE_FOR_ONE] = "one-for-one",
    [ONE_FOR_ALL] = "one-for-all",
    [REST_FOR_ONE] = "rest-for-one",
    NULL,
};

static const char *const POLICIES[] = {
    [MAILBOX_REFUSE] = "refuse",
    [MAILBOX_DROP_NEW] = "drop-new",
    [MAILBOX_KILL] = "kill",
    NULL,
};

static const char *const ESCALATIONS[] = {
    [MANIFEST_STAY_DOWN] = "stay-down",
    [MANIFEST_STOP] = "stop",
    NULL,
};

static const char *const OVERLAPS[] = {
    [MANIFEST_SKIP] = "skip",
    [MANIFEST_ALLOW] = "allow",
    NULL,
};

static const char *const FORMATS[] = {[LOG_TEXT] = "text", [LOG_JSON] = "json", NULL};

#define NUMBER(key_, type, member, min_, max_, default_)                                           \
    .key = (key_), .kind = FIELD_NUMBER, .offset = offsetof(type, member), .min = (min_),          \
    .max = (max_), .fallback = (default_)
#define FLAG(key_, type, member, default_)                                                         \
    .key = (key_), .kind = FIELD_FLAG, .offset = offsetof(type, member), .fallback = (default_)
#define CHOICE(key_, type, member, choices_, default_)                                             \
    .key = (key_), .kind = FIELD_CHOICE, .offset = offsetof(type, member), .choices = (choices_),  \
    .fallback = (default_)
#define TEXT(key_, type, member, default_)                                                         \
    .key = (key_), .kind = FIELD_TEXT, .offset = offsetof(type, member), .text_fallback = (default_)
#define LATER(key_) .key = (key_), .kind = FIELD_LATER
#define ELSEWHERE(key_, where_) .key = (key_), .kind = FIELD_ELSEWHERE, .advice = (where_)

#define MACHINE "from the limits in force"

static const struct field NODE_FIELDS[] = {
    {TEXT("name", struct manifest_node, name, "mote"), .check = check_node_name},
    {NUMBER("workers", struct manifest_node, workers, 0, WORKERS_MAX, 0),
     .zero = "one per processor"},
    {NUMBER("max-processes", struct manifest_node, max_processes, 0, 4000000, 0), .zero = MACHINE},
    {NUMBER("max-connections", struct manifest_node, max_connections, 0, 4000000, 0),
     .zero = MACHINE},
    {NUMBER("max-buffered-mb", struct manifest_node, max_buffered_mb, 0, 1048576, 0),
     .zero = MACHINE},
    {NUMBER("max-memory-mb", struct manifest_node, max_memory_mb, 1, 4096, 64)},
    {NUMBER("tick-ms", struct manifest_node, tick_ms, 1, 1000, 1)},
    {NUMBER("drain-ms", struct manifest_node, drain_ms, 0, DAY_MS, 30000)},
    {NUMBER("max-restarts", struct manifest_node, max_restarts, 0, SUPERVISOR_RESTARTS_MAX, 3)},
    {NUMBER("window-ms", struct manifest_node, window_ms, 1, DAY_MS, 5000)},
    {CHOICE("on-escalation", struct manifest_node, on_escalation, ESCALATIONS, MANIFEST_STAY_DOWN)},
    {TEXT("user", struct manifest_node, user, NULL), .zero = "as started"},
    {NUMBER("max-fetches", struct manifest_node, max_fetches, 1, 65536, 1024)},
    {NUMBER("fetch-keep-ms", struct manifest_node, fetch_keep_ms, 1, DAY_MS, 5000)},
    {TEXT("ca-certificates", struct manifest_node, ca_certificates, NULL),
     .check = authorities_check, .zero = "the system's"},
    {LATER("store")},
    {LATER("profile")},
};

const struct schema SCHEMA_NODE = {{FIELD_GROUP(NODE_FIELDS, 0)}};

static const struct field LOG_FIELDS[] = {
    {CHOICE("level", struct manifest_log, level, LEVELS, LOG_INFO)},
    {CHOICE("format", struct manifest_log, format, FORMATS, LOG_TEXT)},
    {FLAG("access", struct manifest_log, access, true)},
};

const struct schema SCHEMA_LOG = {{FIELD_GROUP(LOG_FIELDS, 0)}};

static const struct field ADMIN_FIELDS[] = {
    {TEXT("listen", struct manifest_admin, listen, NULL), .check = check_admin_listen,
     .zero = "a socket in the runtime folder"},
    {LATER("dashboard")},
};

const struct schema SCHEMA_ADMIN = {{FIELD_GROUP(ADMIN_FIELDS, 0)}};

static const struct field SERVE_FIELDS[] = {
    {TEXT("listen", struct manifest_serve, listen, "127.0.0.1:8080"), .check = listen_check},
    {TEXT("protocol", struct manifest_serve, protocol, "http"), .check = check_protocol},
    {TEXT("component", struct manifest_serve, component, NULL)},
    {NUMBER("deadline-ms", struct manifest_serve, deadline_ms, 1, DAY_MS, 30000)},
    {NUMBER("stream-deadline-ms", struct manifest_serve, stream_deadline_ms, 0, DAY_MS, 0),
     .zero = "off"},
    {NUMBER("header-timeout-ms", struct manifest_serve, header_timeout_ms, 1, DAY_MS, 10000)},
    {NUMBER("idle-timeout-ms", struct manifest_serve, idle_timeout_ms, 1, DAY_MS, 60000)},
    {NUMBER("write-timeout-ms", struct manifest_serve, write_timeout_ms, 1, DAY_MS, 30000)},
    {NUMBER("body-bytes-per-second", struct manifest_serve, body_bytes_per_second, 0, 1 << 30,
            1024),
     .zero = "off"},
    {NUMBER("max-header-bytes", struct manifest_serve, max_header_bytes, 256, 1 << 20, 32768)},
    {NUMBER("max-header-count", struct manifest_serve, max_header_count, 1, 10000, 128)},
    {NUMBER("max-target-bytes", struct manifest_serve, max_target_bytes, 16, 1 << 20, 8192)},
    {NUMBER("max-body-bytes", struct manifest_serve, max_body_bytes, 0, 1ULL << 40, 10485760)},
    {NUMBER("stream-buffer-bytes", struct manifest_serve, stream_buffer_bytes, 4096, 1 << 30,
            262144)},
    {NUMBER("disconnect-grace-ms", struct manifest_serve, disconnect_grace_ms, 0, DAY_MS, 5000)},
    {NUMBER("heartbeat-ms", struct manifest_serve, heartbeat_ms, 0, DAY_MS, 15000), .zero = "off"},
    {FLAG("cancel-on-disconnect", struct manifest_serve, cancel_on_disconnect, false)},
    {NUMBER("max-message-bytes", struct manifest_serve, max_message_bytes, 1, 1 << 26, 1048576)},
    {NUMBER("ping-ms", struct manifest_serve, ping_ms, 0, DAY_MS, 30000), .zero = "off"},
    {.key = "subprotocols",
     .kind = FIELD_NODE,
     .offset = offsetof(struct serve_section, subprotocols)},
    {.key = "allowed-origins",
     .kind = FIELD_NODE,
     .offset = offsetof(struct serve_section, origins)},
    {FLAG("proxy-protocol", struct manifest_serve, proxy_protocol, false)},
    {.key = "trusted-proxies",
     .kind = FIELD_NODE,
     .offset = offsetof(struct serve_section, trusted)},
    {.key = "tls",
     .kind = FIELD_TABLE,
     .offset = offsetof(struct serve_section, tls),
     .advice = "serve.tls"},
    {.key = "routes",
     .kind = FIELD_TABLE,
     .offset = offsetof(struct serve_section, routes),
     .advice = "serve.routes"},
    {.key = "headers",
     .kind = FIELD_TABLE,
     .offset = offsetof(struct serve_section, headers),
     .advice = "serve.headers"},
    {ELSEWHERE("max-connections", "[node]")},
    {ELSEWHERE("max-buffered-mb", "[node]")},
    {ELSEWHERE("max-processes", "[node] or [components.<name>]")},
    {ELSEWHERE("drain-ms", "[node]")},
    {ELSEWHERE("access", "[log]")},
    {ELSEWHERE("max-memory-mb", "[node], [capabilities.<name>] or [components.<name>]")},
    {ELSEWHERE("max-cpu-ms", "[capabilities.<name>] or [components.<name>]")},
    {.key = "static",
     .kind = FIELD_TABLES,
     .offset = offsetof(struct serve_section, folders),
     .advice = "serve.static"},
    {.key = "cors",
     .kind = FIELD_TABLE,
     .offset = offsetof(struct serve_section, cors),
     .advice = "serve.cors"},
    {.key = "compression",
     .kind = FIELD_NODE,
     .offset = offsetof(struct serve_section, compression)},
    {.key = "compression-types",
     .kind = FIELD_NODE,
     .offset = offsetof(struct serve_section, compression_types)},
    {NUMBER("compression-min-bytes", struct manifest_serve, content.compression_min_bytes, 0,
            1 << 30, 1024)},
    {FLAG("security-headers", struct manifest_serve, content.security_headers, false)},
    {FLAG("redirect-to-https", struct manifest_serve, content.redirect_to_https, false)},
    {NUMBER("https-port", struct manifest_serve, content.https_port, 1, 65535, 443)},
};

const struct schema SCHEMA_SERVE = {{
    FIELD_GROUP(SERVE_FIELDS, 0),
    FIELD_GROUP(RATE_FIELDS, offsetof(struct manifest_serve, rate)),
}};

const struct field LIMIT_FIELDS[LIMIT_FIELD_COUNT] = {
    {NUMBER("max-memory-mb", struct manifest_limits, max_memory_mb, 1, 4096, 64)},
    {NUMBER("max-cpu-ms", struct manifest_limits, max_cpu_ms, 1, DAY_MS, 10000)},
    {NUMBER("deadline-ms", struct manifest_limits, deadline_ms, 1, DAY_MS, 30000)},
    {NUMBER("stream-deadline-ms", struct manifest_limits, stream_deadline_ms, 0, DAY_MS, 0),
     .zero = "off"},
    {NUMBER("mailbox-messages", struct manifest_limits, mailbox_messages, 1, 10000000, 10000)},
    {NUMBER("mailbox-bytes", struct manifest_limits, mailbox_bytes, 1, 1ULL << 32, 16777216)},
    {CHOICE("mailbox-policy", struct manifest_limits, mailbox_policy, POLICIES, MAILBOX_REFUSE)},
    {NUMBER("log-lines-per-second", struct manifest_limits, log_lines_per_second, 1, 1000000, 100)},
    {NUMBER("max-message-bytes", struct manifest_limits, max_message_bytes, 1, 1ULL << 30,
            4194304)},
    {NUMBER("max-children", struct manifest_limits, max_children, 0, 4000000, 1000)},
    {NUMBER("max-ties", struct manifest_limits, max_ties, 0, 4000000, 10000)},
    {NUMBER("max-timers", struct manifest_limits, max_timers, 0, 4000000, 1000)},
    {NUMBER("max-names", struct manifest_limits, max_names, 0, 65536, 16)},
    {NUMBER("max-tags", struct manifest_limits, max_tags, 0, 65536, 256)},
    {NUMBER("max-groups", struct manifest_limits, max_groups, 0, 65536, 256)},
    {NUMBER("max-streams", struct manifest_limits, max_streams, 0, 65536, 64)},
    {NUMBER("stream-buffer-bytes", struct manifest_limits, stream_buffer_bytes, 4096, 1 << 30,
            262144)},
    {NUMBER("max-fetches", struct manifest_limits, max_fetches, 0, 1024, 16)},
    {NUMBER("fetch-connect-ms", struct manifest_limits, fetch_connect_ms, 1, DAY_MS, 10000)},
    {NUMBER("fetch-idle-ms", struct manifest_limits, fetch_idle_ms, 1, DAY_MS, 30000)},
    {NUMBER("fetch-deadline-ms", struct manifest_limits, fetch_deadline_ms, 0, DAY_MS, 300000),
     .zero = "off"},
};

struct manifest_number *limit_at(struct manifest_limits *limits, size_t index)
{
    return (void *)((char *)limits + LIMIT_FIELDS[index].offset);
}

#define GRANTS "[capabilities.<name>], and name that in 'capability'"

static const struct field COMPONENT_FIELDS[] = {
    {TEXT("source", struct manifest_component, source, NULL)},
    {TEXT("capability", struct manifest_component, capability, "sandboxed")},
    {TEXT("entry", struct manifest_component, entry, NULL), .zero = "none"},
    {TEXT("namespace", struct manifest_component, namespace, "main"), .check = check_namespace},
    {NUMBER("max-processes", struct manifest_component, max_processes, 0, 4000000, 0),
     .zero = "only the node's limit"},
    {FLAG("template", struct manifest_component, lends, false)},
    {FLAG("resident", struct manifest_component, resident, false)},
    {CHOICE("restart", struct manifest_component, restart, RESTARTS, RESTART_PERMANENT)},
    {NUMBER("shutdown-ms", struct manifest_component, shutdown_ms, 0, DAY_MS, 5000),
     .zero = "killed without being asked"},
    {NUMBER("start-timeout-ms", struct manifest_component, start_timeout_ms, 1, DAY_MS, 10000)},
    {CHOICE("code-change", struct manifest_component, code_change, CODE_CHANGES, MANIFEST_RESTART)},
    {.key = "args", .kind = FIELD_NODE, .offset = offsetof(struct component_section, arguments)},
    {ELSEWHERE("env", GRANTS)},
    {ELSEWHERE("preopen", GRANTS)},
    {ELSEWHERE("allow-stdio", GRANTS)},
    {ELSEWHERE("allow-spawn", GRANTS)},
    {ELSEWHERE("allow-process-control", GRANTS)},
    {ELSEWHERE("allow-namespaces", GRANTS)},
    {ELSEWHERE("allow-network", GRANTS)},
    {ELSEWHERE("accept-links", GRANTS)},
    {ELSEWHERE("max-restarts", "[[supervisor]] or [node]")},
    {ELSEWHERE("window-ms", "[[supervisor]] or [node]")},
};

const struct schema SCHEMA_COMPONENT = {{
    FIELD_GROUP(COMPONENT_FIELDS, 0),
    FIELD_GROUP(LIMIT_FIELDS, offsetof(struct manifest_component, limits)),
}};

static const struct field CAPABILITY_FIELDS[] = {
    {TEXT("inherits", struct capability, inherits, "sandboxed")},
    {FLAG("allow-stdio", struct capability, allow_stdio, false)},
    {FLAG("allow-process-control", struct capability, allow_process_control, false)},
    {FLAG("accept-links", struct capability, accept_links, false)},
    {.key = "allow-spawn", .kind = FIELD_NODE, .offset = offsetof(struct capability, spawn)},
    {.key = "allow-namespaces",
     .kind = FIELD_NODE,
     .offset = offsetof(struct capability, namespaces)},
    {.key = "allow-network", .kind = FIELD_NODE, .offset = offsetof(struct capability, network)},
    {.key = "env", .kind = FIELD_NODE, .offset = offsetof(struct capability, env)},
    {.key = "preopen", .kind = FIELD_NODE, .offset = offsetof(struct capability, preopen)},
    {LATER("allow-storage")},
    {ELSEWHERE("source", "[components.<name>]")},
    {ELSEWHERE("entry", "[components.<name>]")},
    {ELSEWHERE("args", "[components.<name>]")},
    {ELSEWHERE("namespace", "[components.<name>]")},
    {ELSEWHERE("resident", "[components.<name>]")},
    {ELSEWHERE("restart", "[components.<name>]")},
    {ELSEWHERE("max-processes", "[node] or [components.<name>]")},
};

const struct schema SCHEMA_CAPABILITY = {{
    FIELD_GROUP(CAPABILITY_FIELDS, 0),
    FIELD_GROUP(LIMIT_FIELDS, offsetof(struct capability, limits)),
}};

static const struct field SUPERVISOR_FIELDS[] = {
    {TEXT("name", struct manifest_supervisor, name, NULL), .check = check_supervisor_name},
    {CHOICE("strategy", struct manifest_supervisor, strategy, STRATEGIES, ONE_FOR_ONE)},
    {NUMBER("max-restarts", struct manifest_supervisor, max_restarts, 0, SUPERVISOR_RESTARTS_MAX,
            3)},
    {NUMBER("window-ms", struct manifest_supervisor, window_ms, 1, DAY_MS, 5000)},
    {NUMBER("start-timeout-ms", struct manifest_supervisor, start_timeout_ms, 1, DAY_MS, 10000)},
    {NUMBER("shutdown-ms", struct manifest_supervisor, shutdown_ms, 0, DAY_MS, 5000),
     .zero = "killed without being asked"},
    {.key = "children",
     .kind = FIELD_NODE,
     .offset = offsetof(struct supervisor_section, children)},
    {ELSEWHERE("restart", "[components.<name>]")},
    {ELSEWHERE("on-escalation", "[node]")},
};

const struct schema SCHEMA_SUPERVISOR = {{FIELD_GROUP(SUPERVISOR_FIELDS, 0)}};

static const struct field SCHEDULE_FIELDS[] = {
    {TEXT("cron", struct manifest_schedule, cron, NULL), .check = check_cron,
     .zero = "not by the calendar"},
    {.key = "every", .kind = FIELD_NODE, .offset = offsetof(struct schedule_section, every)},
    {TEXT("component", struct manifest_schedule, component, NULL)},
    {TEXT("entry", struct manifest_schedule, entry, NULL), .zero = "the component's default"},
    {CHOICE("overlap", struct manifest_schedule, overlap, OVERLAPS, MANIFEST_SKIP)},
    {ELSEWHERE("deadline-ms", "[components.<name>] or [capabilities.<name>]")},
    {ELSEWHERE("args", "[components.<name>]")},
};

const struct schema SCHEMA_SCHEDULE = {{FIELD_GROUP(SCHEDULE_FIELDS, 0)}};

static const struct field ROOT_FIELDS[] = {
    {.key = "node", .kind = FIELD_TABLE, .offset = offsetof(struct root_section, node)},
    {.key = "log", .kind = FIELD_TABLE, .offset = offsetof(struct root_section, log)},
    {.key = "admin", .kind = FIELD_TABLE, .offset = offsetof(struct root_section, admin)},
    {.key = "serve", .kind = FIELD_TABLES, .offset = offsetof(struct root_section, serve)},
    {.key = "components",
     .kind = FIELD_TABLE,
     .offset = offsetof(struct root_section, components),
     .advice = "components.<name>"},
    {.key = "capabilities",
     .kind = FIELD_TABLE,
     .offset = offsetof(struct root_section, capabilities),
     .advice = "capabilities.<name>"},
    {.key = "supervisor",
     .kind = FIELD_TABLES,
     .offset = offsetof(struct root_section, supervisor)},
    {.key = "schedule", .kind = FIELD_TABLES, .offset = offsetof(struct root_section, schedule)},
    {LATER("cluster"), .advice = "[cluster]"},
};

const struct schema SCHEMA_ROOT = {{FIELD_GROUP(ROOT_FIELDS, 0)}};
