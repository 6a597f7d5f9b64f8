#include "cli/serving.h"

#include "cli/complaint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What handlers are made of. */
struct origin {
    const struct manifest *manifest;
    const struct manifest_serve *serve;
    struct component *const *components; /* the manifest's */
};

/* The entry that answers; NULL: said why there is none. */
static const char *choose_entry(const struct manifest_target *target,
                                const struct component *component, bool websocket, struct place at)
{
    const char *name = target->component->name, *source = target->component->source.value;
    if (component_kind(component) == ENGINE_MODULE) {
        if (target->entry == NULL) {
            complain(at, "no entry: name the function that answers, as in \"%s#handle\"", name);
        }
        return target->entry;
    }
    if (!component_is_http(component)) {
        if (target->entry == NULL) {
            complain(at,
                     "component '%s': %s: it is a component in the model's sense, and exports no "
                     "wasi:http/incoming-handler to answer requests with: name the function that "
                     "answers, as in \"%s#handle\"",
                     name, source, name);
        }
        return target->entry;
    }
    if (websocket) {
        complain(at,
                 "component '%s': %s: wasi:http knows no WebSockets: serve them from a module that "
                 "imports \"mote\"",
                 name, source);
        return NULL;
    }
    if (target->entry != NULL) {
        complain(at,
                 "component '%s': %s: it answers requests by wasi:http/incoming-handler: name it "
                 "without the entry '%s'",
                 name, source, target->entry);
        return NULL;
    }
    return "wasi:http/incoming-handler";
}

/* Of a component made for RUSM, which has one entry; the route names what that shall do. NULL: as choose_entry(). */
static const char *choose_action(const struct manifest_target *target, bool connection,
                                 const char **ret_action, struct place at)
{
    const char *name = target->component->name;
    *ret_action = target->action != NULL ? target->action : "";
    if (!connection && target->action == NULL) {
        complain(at, "no action: name what '%s' shall do, as in \"%s#show\"", name, name);
        return NULL;
    }
    if (connection && target->action != NULL) {
        complain(
            at,
            "'%s' serves a whole connection: name it without the action '%s' (RUSM: a route of "
            "protocol \"ws\" or \"sse\")",
            name, target->action);
        return NULL;
    }
    const char *entry = target->component->entry.value;
    return entry != NULL ? entry : "run";
}

static bool fill_handler(const struct origin *origin, const struct manifest_target *target,
                         bool websocket, struct handler *ret)
{
    const struct manifest_serve *serve = origin->serve;
    *ret = (struct handler){
        .component = origin->components[target->component - origin->manifest->components],
        .deadline_ns = target->deadline_ms.value * 1000000,
        .stream_deadline_ns = target->stream_deadline_ms.value * 1000000,
        .disconnect_grace_ns = serve->disconnect_grace_ms.value * 1000000,
        .cancel_on_disconnect = serve->cancel_on_disconnect.value,
        .events_only = strcmp(serve->protocol.value, "sse") == 0,
        .heartbeat_ns = serve->heartbeat_ms.value * 1000000};
    struct place at = {origin->manifest->path, target->line, target->column};
    struct err err = {0};
    bool stock = component_is_http(ret->component) && target->action == NULL && !websocket;
    ret->rusm = component_is_rusm(ret->component) && !stock;
    const char *entry = ret->rusm
                            ? choose_action(target, websocket || ret->events_only, &ret->action, at)
                            : choose_entry(target, ret->component, websocket, at);
    if (entry == NULL) {
        return false;
    }
    if (!component_entry(ret->component, entry, &ret->entry, &err)) {
        complain_of_entry(at, entry, &err);
        return false;
    }
    return true;
}

static bool add_route(const struct origin *origin, struct serving *serving, size_t index)
{
    const struct manifest_route *route = &origin->serve->routes[index];
    struct handler *handler = &serving->handlers[index];
    bool websocket = strcmp(route->method, ROUTE_WEBSOCKET) == 0;
    if (!fill_handler(origin, &route->target, websocket, handler)) {
        return false;
    }
    struct err err = {0};
    if (websocket) {
        handler->websocket = &serving->websocket;
    }
    if (!route_table_add(serving->routes, route->method, route->pattern, handler, &err)) {
        complain((struct place){origin->manifest->path, route->line, 0}, "%s", err.text);
        return false;
    }
    return true;
}

/* Beside folders, what answers everything is a route like others. */
static bool add_everything(struct serving *serving, const struct manifest_serve *serve)
{
    struct err err = {0};
    if (serve->content.folder_count > 0 &&
        !route_table_add(serving->routes, "*", "/*", &serving->handlers[0], &err)) {
        fprintf(stderr, "mote: %s\n", err.text);
        return false;
    }
    return true;
}

static void fill_websocket(const struct manifest_serve *serve, struct websocket_options *ret)
{
    *ret = (struct websocket_options){
        .subprotocols = serve->subprotocols.names,
        .origins = serve->allowed_origins.names,
        .message_bytes_max = serve->max_message_bytes.value,
        .ping_ns = serve->ping_ms.value * 1000000,
        .frame_rate_min = (uint32_t)serve->body_bytes_per_second.value,
        .stream_buffer_bytes = (uint32_t)serve->stream_buffer_bytes.value,
        .compression = true};
}

bool serving_open(struct serving *serving, const struct manifest *manifest, size_t index,
                  struct component *const *components)
{
    const struct manifest_serve *serve = &manifest->serves[index];
    struct origin origin = {manifest, serve, components};
    serving->handlers = calloc(serve->route_count + 1, sizeof *serving->handlers);
    serving->routes = route_table_create();
    if (serving->handlers == NULL || serving->routes == NULL) {
        fputs("mote: out of memory\n", stderr);
        return false;
    }
    bool good = content_open(&serving->content, manifest, serve);
    fill_websocket(serve, &serving->websocket);
    for (size_t i = 0; i < serve->route_count; i++) {
        good = add_route(&origin, serving, i) && good;
    }
    if (serve->component.value != NULL && serve->route_count == 0) {
        struct handler *everything = &serving->handlers[0];
        bool websocket = serve_is_websocket(serve);
        good = fill_handler(&origin, &serve->everything, websocket, everything) && good;
        everything->websocket = websocket ? &serving->websocket : NULL;
        good = good && add_everything(serving, serve);
    }
    return content_add_routes(&serving->content, manifest, serve, serving->routes) && good;
}

struct serve_options serving_options(const struct serving *serving, const struct manifest *manifest,
                                     size_t index)
{
    const struct manifest_serve *from = &manifest->serves[index];
    bool everything = from->component.value != NULL && from->content.folder_count == 0;
    struct serve_options options = {
        .listen = from->listen.value,
        .routes = everything ? NULL : serving->routes,
        .target = &serving->handlers[from->route_count],
        .dispatcher = &handler_dispatcher,
        .header_timeout_ms = (uint32_t)from->header_timeout_ms.value,
        .idle_timeout_ms = (uint32_t)from->idle_timeout_ms.value,
        .body_rate_min = (uint32_t)from->body_bytes_per_second.value,
        .header_bytes_max = (uint32_t)from->max_header_bytes.value,
        .header_count_max = (uint32_t)from->max_header_count.value,
        .target_bytes_max = (uint32_t)from->max_target_bytes.value,
        .body_bytes_max = from->max_body_bytes.value,
        .stream_buffer_bytes = (uint32_t)from->stream_buffer_bytes.value,
        .write_timeout_ms = (uint32_t)from->write_timeout_ms.value,
        .cancel_on_disconnect = from->cancel_on_disconnect.value,
        .rate = {.connections_max = (uint32_t)from->rate.max_connections.value,
                 .connections_per_second = (uint32_t)from->rate.connections_per_second.value,
                 .requests_per_second = (uint32_t)from->rate.requests_per_second.value,
                 .requests_burst = (uint32_t)from->rate.requests_burst.value},
        .access_log = manifest->log.access.value,
        .trusted = from->trusted.blocks,
        .trusted_count = from->trusted.count,
        .trust_unix = from->trusted.unix_sockets,
        .proxy_protocol = from->proxy_protocol.value,
    };
    content_fill(&serving->content, from, &options);
    return options;
}

void serving_close(struct serving *serving)
{
    route_table_destroy(serving->routes);
    free(serving->handlers);
    content_close(&serving->content);
}
