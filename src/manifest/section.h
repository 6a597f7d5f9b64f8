/**
 * @file
 * The parts of a manifest, one function each. Known to `src/manifest/` only.
 *
 * Order matters: capabilities, then components, then what names components.
 */
#pragma once

#include "manifest/schema.h"

/** The sections that a manifest has; NULL: not there. */
struct root_section {
    const struct toml_node *node, *log, *admin, *serve, *components, *capabilities;
    const struct toml_node *supervisor, *schedule;
};

/** A [[serve]] while it is read: its subtables wait until its own keys are known. */
struct serve_section {
    struct manifest_serve serve; /* First: the schema's offsets hold for both. */
    const struct toml_node *routes, *headers;
    const struct toml_node *compression, *compression_types, *cors, *folders;
    const struct toml_node *subprotocols, *origins;
    const struct toml_node *tls, *trusted;
};

/** A [components.<name>] while it is read. */
struct component_section {
    struct manifest_component component; /* First, as above. */
    const struct toml_node *arguments;
};

/** A [[supervisor]] while it is read. */
struct supervisor_section {
    struct manifest_supervisor supervisor; /* First, as above. */
    const struct toml_node *children;
};

/** A [[schedule]] while it is read. */
struct schedule_section {
    struct manifest_schedule schedule; /* First, as above. */
    const struct toml_node *every;
};

/** A [capabilities.<name>], before anything is inherited. */
struct capability {
    const char *name;
    const struct toml_node *table;
    struct manifest_text inherits;
    struct manifest_limits limits; /**< Those that it sets itself have a line. */
    struct manifest_flag allow_stdio, allow_process_control, accept_links;
    const struct toml_node *spawn, *namespaces; /**< allow-spawn, allow-namespaces */
    struct manifest_names spawn_names, namespace_names;
    const struct toml_node *network; /**< allow-network */
    struct manifest_names network_rules;
    struct text_list spawn_list, namespace_list; /**< Where they stand. */
    const struct toml_node *env, *preopen;
    struct text_list env_names;
    struct manifest_preopen *preopens;
    size_t preopen_count;
    const struct capability *parent; /**< NULL: `inherits` names a profile, or is wrong. */
    bool visited;                    /**< While looking for cycles. */
};

/** The keys of struct manifest_rate: part of a [[serve]]. */
enum { RATE_FIELD_COUNT = 4 };
extern const struct field RATE_FIELDS[RATE_FIELD_COUNT];

/** A limit by its place in LIMIT_FIELDS. */
struct manifest_number *limit_at(struct manifest_limits *limits, size_t index);

/** Read [capabilities]; `table` may be NULL. */
void capabilities_read(struct loader *loader, const struct toml_node *table);

/** The capability of that name, or NULL. */
const struct capability *capability_find(const struct loader *loader, const char *name);

/** Whether `name` is one of the profiles that need no declaration. */
bool capability_is_profile(const char *name);

/** What was meant by an unknown name of a capability or profile, or NULL. */
const char *capability_suggest(const struct loader *loader, const char *name);

/** Fill in what the component has by its `capability`: grants, and limits that it does not set. */
void capability_apply(struct loader *loader, struct manifest_component *component);

/** Read what a capability grants towards other processes. */
void grants_read(struct loader *loader, struct capability *capability);

/** Give the component what its capability (NULL: a profile) and profile grant towards other processes. */
void grants_apply(const struct capability *leaf, struct manifest_component *component);

/** Once every component is read: those that `allow-spawn` names must exist. */
void grants_check(struct loader *loader);

/** Read `allow-network` of one capability. */
void network_read(struct loader *loader, struct capability *capability);

/** Give the component what its capability (NULL: a profile) and profile grant of the network. */
void network_apply(const struct capability *leaf, struct manifest_component *component);

/** Read the preopens of one capability, checking every path. */
void preopens_read(struct loader *loader, struct capability *capability);

/** Once every component is read: none may be able to replace what another one is given, or runs. */
void preopens_check(struct loader *loader);

/** Read [components]; `table` may be NULL. */
void components_read(struct loader *loader, const struct toml_node *table);

/** Whether a path without links is `outer` or lies in it. */
bool path_lies_in(const char *inner, const char *outer);

/** Read [serve.tls]. */
void tls_read(struct loader *loader, const struct toml_node *table, struct manifest_serve *serve);

/** Look for the file `ca-certificates` of [node]. */
void authorities_check(struct loader *loader, const struct toml_node *node,
                       struct manifest_text *text);

/** Once everything is read: no preopen may hold a file of [serve.tls], or `ca-certificates`. */
void tls_protect(struct loader *loader);

/** Read `trusted-proxies`. */
void proxies_read(struct loader *loader, const struct toml_node *node,
                  struct manifest_serve *serve);

/** Once `table` is read: whether its keys about proxies go together. */
void proxies_check(struct loader *loader, const struct toml_node *table,
                   const struct manifest_serve *serve);

/** Read every [[serve]]; `array` may be NULL. */
void serves_read(struct loader *loader, const struct toml_node *array);

/** Read what one listener says of its WebSockets; after its own keys. */
void websocket_read(struct loader *loader, const struct serve_section *section,
                    struct manifest_serve *serve);

/** Read [serve.routes] of one listener. */
void routes_read(struct loader *loader, const struct toml_node *table,
                 struct manifest_serve *serve);

/** Read what one listener says of content: compression, [serve.cors]. */
void content_read(struct loader *loader, struct serve_section *section);

/** Read every [[serve.static]] of one listener; NULL: there is none. */
void folders_read(struct loader *loader, const struct toml_node *array,
                  struct manifest_serve *serve);

/** Once everything is read: none may publish what is secret, or be replaced by a guest. */
void folders_check(struct loader *loader);

/** Whether `value` may be a header's: no control characters, no white space at its ends. */
bool header_value_is_valid(const char *value);

/** Say at `node` that no component is called `name`. */
void refuse_component(struct loader *loader, const struct toml_node *node, const char *name);

/** The key of that name in a table, or NULL. */
const struct toml_node *section_key(const struct loader *loader, const struct toml_node *table,
                                    const char *key);

/** Read every [[supervisor]] and make up the node's top supervisor; `array` may be NULL. */
void supervisors_read(struct loader *loader, const struct toml_node *array);

/** Read every [[schedule]]; `array` may be NULL. */
void schedules_read(struct loader *loader, const struct toml_node *array);

/** Find who "component" or "component#entry" names. False: recorded at `node`. */
bool target_read(struct loader *loader, const struct toml_node *node, const char *text,
                 const struct manifest_serve *serve, struct manifest_target *ret) MUST_USE;

/** Warn, at `node`, if `entry` is what the service `component` itself runs: `what` would start another one each time. */
void warn_of_second_service(struct loader *loader, const struct toml_node *node,
                            const struct manifest_component *component, const char *entry,
                            const char *what);

/** Check `text` as the address of a listener; a relative path of a unix socket is made relative to
 *  the manifest's folder. */
void listen_check(struct loader *loader, const struct toml_node *node, struct manifest_text *text);
