/* What a [[serve]] says of its WebSockets. */
#include "manifest/section.h"

#include "base/token.h"
#include "manifest/route_key.h"
#include "serve/route.h"

#include <string.h>

bool serve_is_websocket(const struct manifest_serve *serve)
{
    return strcmp(serve->protocol.value, "ws") == 0;
}

/* "https://example.com", "http://localhost:8080", "null" or "*". False: recorded. */
static bool origin_check(struct loader *loader, const struct toml_node *node, const char *origin)
{
    const char *host = strstr(origin, "://");

    if (strcmp(origin, "*") == 0 || strcmp(origin, "null") == 0) {
        return true;
    }
    if (host == NULL || host == origin || host[3] == '\0' || strpbrk(origin, " \t*,") != NULL) {
        problem_error(loader->problems, loader_value(loader, node),
                      "'%.200s' is no origin; write one as browsers do, as in "
                      "\"https://example.com\", or \"*\" for all",
                      origin);
        return false;
    }
    const char *path = strchr(host + 3, '/');
    if (path != NULL) {
        problem_error(loader->problems, loader_value(loader, node),
                      "an origin has no path; write \"%.*s\"", (int)(path - origin), origin);
        return false;
    }
    return true;
}

static bool subprotocol_check(struct loader *loader, const struct toml_node *node, const char *name)
{
    if (!token_is_valid(name, strlen(name)) || strlen(name) > 64) {
        problem_error(loader->problems, loader_value(loader, node),
                      "'%.80s' is no name for a subprotocol; use 1 to 64 letters, digits, '-', '.' "
                      "and '_'",
                      name);
        return false;
    }
    return true;
}

static void list_read(struct loader *loader, const struct toml_node *node, const char *what,
                      bool (*check)(struct loader *, const struct toml_node *, const char *),
                      struct manifest_names *ret)
{
    if (node == NULL) {
        return;
    }
    struct text_list list = loader_texts(loader, what, node);
    const char **names = loader_alloc(loader, list.count + 1, sizeof(*names));
    size_t count = 0;

    for (size_t i = 0; names != NULL && i < list.count; i++) {
        if (check(loader, list.nodes[i], list.values[i])) {
            names[count++] = list.values[i];
        }
    }
    ret->names = names;
    ret->line = loader_key(loader, node).line;
}

/* On such a listener everything is a WebSocket, so its routes say so. */
static void routes_check(struct loader *loader, const struct toml_node *routes)
{
    struct route_key key;
    struct err err;

    for (const struct toml_node *node = routes == NULL ? NULL : loader_first(loader, routes);
         node != NULL; node = loader_next(loader, node)) {
        if (route_key_parse(node->key, &key, &err) && strcmp(key.method, ROUTE_WEBSOCKET) != 0) {
            problem_error(loader->problems, loader_key(loader, node),
                          "this listener has protocol = \"ws\"; write \"" ROUTE_WEBSOCKET
                          " %.200s\", or protocol = \"http\", which serves both",
                          key.pattern);
        }
    }
}

void websocket_read(struct loader *loader, const struct serve_section *section,
                    struct manifest_serve *serve)
{
    list_read(loader, section->subprotocols, "'subprotocols'", subprotocol_check,
              &serve->subprotocols);
    list_read(loader, section->origins, "'allowed-origins'", origin_check, &serve->allowed_origins);
    if (serve_is_websocket(serve)) {
        routes_check(loader, section->routes);
    }
}
