/* [[serve]]: one listener, its limits, its routes and headers. */
#include "manifest/section.h"

#include "base/address.h"
#include "base/token.h"
#include "manifest/route_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void listen_check(struct loader *loader, const struct toml_node *node, struct manifest_text *text)
{
    struct address address;
    struct err err;

    if (!address_parse(text->value, &address, &err)) {
        problem_error(loader->problems, loader_value(loader, node), "%s", err.text);
        return;
    }
    if (address.kind != ADDRESS_UNIX) {
        return;
    }
    const char *path = loader_path(loader, address.path);
    if (path == NULL) {
        return;
    }
    if (strlen(path) > ADDRESS_PATH_MAX) {
        problem_error(loader->problems, loader_value(loader, node),
                      "the path of the socket has %zu bytes, but %d is the most that a unix socket "
                      "can have; choose a shorter one: %s",
                      strlen(path), ADDRESS_PATH_MAX, path);
        return;
    }
    const char *joined = loader_format(loader, "unix:%s", path);
    if (joined != NULL) {
        text->value = joined;
    }
}

/* One route reduced to what it matches: two of the same shape can never both be reached. */
struct shape {
    char *text;
    const struct toml_node *node;
};

static int compare_shapes(const void *left, const void *right)
{
    const struct shape *a = left, *b = right;
    int result = strcmp(a->text, b->text);

    if (result != 0) {
        return result;
    }
    if (a->node->key_line != b->node->key_line) {
        return a->node->key_line < b->node->key_line ? -1 : 1;
    }
    return (a->node->key_column > b->node->key_column) -
           (a->node->key_column < b->node->key_column);
}

static char *shape_of(struct loader *loader, const struct route_key *key)
{
    char *text = loader_format(loader, "%s %s", key->method, key->pattern);

    if (text == NULL) {
        return NULL;
    }
    char *to = text;
    for (const char *from = text; *from != '\0';) {
        *to++ = *from++;
        if (to[-1] == '/' && *from == ':') {
            *to++ = ':';
            from += strcspn(from, "/");
        }
    }
    *to = '\0';
    return text;
}

static void refuse_duplicates(struct loader *loader, struct shape *shapes, size_t count)
{
    if (count < 2) {
        return;
    }
    qsort(shapes, count, sizeof(*shapes), compare_shapes);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(shapes[i - 1].text, shapes[i].text) == 0) {
            problem_error(loader->problems, loader_key(loader, shapes[i].node),
                          "'%.200s' matches the same requests as '%.200s' in line %u; remove one",
                          shapes[i].node->key, shapes[i - 1].node->key,
                          shapes[i - 1].node->key_line);
        }
    }
}

/* False: recorded, and the route is left out. */
static bool route_read(struct loader *loader, const struct toml_node *node,
                       const struct manifest_serve *serve, struct manifest_route *ret,
                       struct shape *ret_shape)
{
    struct route_key key;
    struct err err;

    if (strlen(node->key) != node->key_bytes) {
        problem_error(loader->problems, loader_key(loader, node),
                      "the route holds a zero byte; remove it");
        return false;
    }
    if (!route_key_parse(node->key, &key, &err)) {
        problem_error(loader->problems, loader_key(loader, node), "%s", err.text);
        return false;
    }
    const char *meant = route_key_suggest(key.method);
    if (meant != NULL) {
        problem_warning(loader->problems, loader_key(loader, node),
                        "'%s' is an unusual method; did you mean '%s'?", key.method, meant);
    }
    *ret_shape = (struct shape){shape_of(loader, &key), node};
    ret->method = loader_format(loader, "%s", key.method);
    ret->pattern = loader_format(loader, "%s", key.pattern);
    ret->line = loader_key(loader, node).line;
    if (ret_shape->text == NULL || ret->method == NULL || ret->pattern == NULL) {
        return false;
    }
    const char *text = loader_text(loader, "the target of a route", node);
    if (text != NULL) {
        /* Also a route to nowhere takes part in the search for duplicates. */
        (void)!target_read(loader, node, text, serve, &ret->target);
    }
    return true;
}

void routes_read(struct loader *loader, const struct toml_node *table, struct manifest_serve *serve)
{
    size_t most = loader_count(loader, table), count = 0;
    struct manifest_route *routes = loader_alloc(loader, most, sizeof(*routes));
    struct shape *shapes = loader_alloc(loader, most, sizeof(*shapes));

    if (routes == NULL || shapes == NULL) {
        return;
    }
    for (const struct toml_node *node = loader_first(loader, table); node != NULL;
         node = loader_next(loader, node)) {
        if (route_read(loader, node, serve, &routes[count], &shapes[count])) {
            count++;
        }
    }
    refuse_duplicates(loader, shapes, count);
    serve->routes = routes;
    serve->route_count = count;
}

/* Those that say how a message is framed or a connection is used belong to the server alone. */
static bool header_is_reserved(const char *name)
{
    static const char *const RESERVED[] = {
        "connection", "content-length",    "date",    "keep-alive",   "server", "te",
        "trailer",    "transfer-encoding", "upgrade", "x-request-id",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(RESERVED); i++) {
        if (strcasecmp(RESERVED[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool header_value_is_valid(const char *value)
{
    size_t size = strlen(value);

    for (size_t i = 0; i < size; i++) {
        if (((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 0x7f) {
            return false;
        }
    }
    return size == 0 || (value[0] != ' ' && value[0] != '\t' && value[size - 1] != ' ' &&
                         value[size - 1] != '\t');
}

static bool header_read(struct loader *loader, const struct toml_node *node,
                        const struct manifest_serve *serve, struct manifest_header *ret)
{
    if (!token_is_valid(node->key, node->key_bytes)) {
        problem_error(loader->problems, loader_key(loader, node),
                      "'%.80s' is no name for a header; use letters, digits and '-'", node->key);
        return false;
    }
    if (header_is_reserved(node->key)) {
        problem_error(loader->problems, loader_key(loader, node),
                      "the header '%s' is set by the server itself; remove it", node->key);
        return false;
    }
    for (size_t i = 0; i < serve->header_count; i++) {
        if (strcasecmp(serve->headers[i].name, node->key) == 0) {
            problem_error(
                loader->problems, loader_key(loader, node),
                "the header '%.80s' is the same as '%.80s' in line %u: case does not count; "
                "remove one",
                node->key, serve->headers[i].name, serve->headers[i].line);
            return false;
        }
    }
    const char *value = loader_text(loader, "the value of a header", node);
    if (value == NULL) {
        return false;
    }
    if (!header_value_is_valid(value)) {
        problem_error(
            loader->problems, loader_value(loader, node),
            "the value of header '%.80s' holds a line break or control character, or white "
            "space at an end; remove it",
            node->key);
        return false;
    }
    ret->name = loader_format(loader, "%s", node->key);
    ret->value = value;
    ret->written = loader_format(loader, "%s", node->text);
    ret->line = loader_value(loader, node).line;
    return ret->name != NULL && ret->written != NULL;
}

static void headers_read(struct loader *loader, const struct toml_node *table,
                         struct manifest_serve *serve)
{
    struct manifest_header *headers = loader_alloc(loader, loader_count(loader, table),
                                                   sizeof(*headers));

    if (headers == NULL) {
        return;
    }
    serve->headers = headers;
    for (const struct toml_node *node = loader_first(loader, table); node != NULL;
         node = loader_next(loader, node)) {
        if (header_read(loader, node, serve, &headers[serve->header_count])) {
            serve->header_count++;
        }
    }
}

static void targets_read(struct loader *loader, const struct toml_node *table,
                         const struct serve_section *section, struct manifest_serve *serve)
{
    const struct toml_node *component = section_key(loader, table, "component");

    if (component != NULL && section->routes != NULL) {
        problem_error(loader->problems, loader_key(loader, component),
                      "'component' answers every request, so [serve.routes] of the same listener "
                      "would never count; remove one of them");
    }
    if (serve->component.value != NULL) {
        (void)!target_read(loader, component, serve->component.value, serve, &serve->everything);
    }
    if (section->routes != NULL) {
        routes_read(loader, section->routes, serve);
    }
    if (component == NULL && section->folders == NULL && !serve->content.redirect_to_https.value &&
        (section->routes == NULL || loader_count(loader, section->routes) == 0)) {
        problem_error(loader->problems, loader_value(loader, table),
                      "the listener has nobody to answer; add [serve.routes] with \"GET /\" = "
                      "\"component\", component = \"...\", or [[serve.static]]");
    }
}

/* After all listeners have their final addresses: only one can have each. */
static void refuse_same_address(struct loader *loader, size_t index)
{
    const struct manifest_serve *serves = loader->manifest->serves;
    const struct manifest_text *listen = &serves[index].listen;
    struct address address;
    struct err err;

    if (!address_parse(listen->value, &address, &err) ||
        (address.kind == ADDRESS_TCP && address.port == 0)) {
        return;
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(serves[i].listen.value, listen->value) != 0) {
            continue;
        }
        struct place place = loader_file(loader);
        if (listen->line != MANIFEST_OPTION) {
            place.line = listen->line != MANIFEST_DEFAULT ? listen->line : serves[index].line;
            place.column = 1;
        }
        problem_error(loader->problems, place,
                      "two listeners have the address %.200s; give each its own 'listen'",
                      listen->value);
        return;
    }
}

static void apply_options(struct loader *loader)
{
    const struct manifest_overrides *overrides = loader->overrides;
    struct manifest *manifest = loader->manifest;

    if (overrides->listen_count > manifest->serve_count) {
        problem_error(loader->problems, loader_file(loader),
                      "--listen is given %zu times, but there are %zu [[serve]]; each takes one",
                      overrides->listen_count, manifest->serve_count);
        return;
    }
    for (size_t i = 0; i < overrides->listen_count; i++) {
        struct address address;
        struct err err;
        if (!address_parse(overrides->listen[i], &address, &err)) {
            problem_error(loader->problems, loader_file(loader), "--listen: %s", err.text);
            continue;
        }
        const char *copy = loader_format(loader, "%s", overrides->listen[i]);
        if (copy != NULL) {
            manifest->serves[i].listen = (struct manifest_text){copy, MANIFEST_OPTION};
        }
    }
}

void serves_read(struct loader *loader, const struct toml_node *array)
{
    struct manifest *manifest = loader->manifest;
    size_t count = array == NULL ? 0 : loader_count(loader, array);

    manifest->serves = loader_alloc(loader, count, sizeof(*manifest->serves));
    if (manifest->serves == NULL) {
        return;
    }
    bool others = manifest->top_count > 0 || manifest->schedule_count > 0;
    if (count == 0 && !others && !problems_failed(loader->problems)) {
        problem_warning(loader->problems, loader_file(loader),
                        "nothing listens; add [[serve]] with a route");
    }
    for (const struct toml_node *table = array == NULL ? NULL : loader_first(loader, array);
         table != NULL; table = loader_next(loader, table)) {
        struct serve_section section = {0};
        schema_defaults(&SCHEMA_SERVE, &section);
        section.serve.line = loader_value(loader, table).line;
        schema_read(loader, &SCHEMA_SERVE, "[[serve]]", table, &section);
        if (section.headers != NULL) {
            headers_read(loader, section.headers, &section.serve);
        }
        content_read(loader, &section);
        folders_read(loader, section.folders, &section.serve);
        websocket_read(loader, &section, &section.serve);
        if (section.tls != NULL) {
            tls_read(loader, section.tls, &section.serve);
        }
        if (section.trusted != NULL) {
            proxies_read(loader, section.trusted, &section.serve);
        }
        proxies_check(loader, table, &section.serve);
        targets_read(loader, table, &section, &section.serve);
        manifest->serves[manifest->serve_count++] = section.serve;
    }
    apply_options(loader);
    for (size_t i = 1; i < manifest->serve_count; i++) {
        refuse_same_address(loader, i);
    }
}
