#include "serve/route.h"

#include "base/token.h"
#include "serve/percent.h"

#include <stdlib.h>
#include <string.h>

enum { SEGMENTS_MAX = 32, MATCHING_MAX = 16, PATTERN_BYTES_MAX = 1024, METHOD_BYTES_MAX = 32 };

/* One method of one pattern. */
struct route {
    struct route *next;
    char *text; /* owned: the method, a zero, the pattern */
    void *target;
    unsigned name_count;
    struct text names[REQUEST_PARAMS_MAX]; /* in `text` */
};

/* What patterns have in common up to one segment. Depth = number of segments, at most SEGMENTS_MAX. */
struct node {
    char *literal; /* owned; NULL for ":name" and the root */
    size_t literal_size;
    struct node *sibling;  /* the next literal below the same parent */
    struct node *literals; /* children */
    struct node *named;    /* child for any other segment that is not empty */
    struct route *routes;  /* of patterns that end here */
    struct route *rests;   /* of patterns that go on with "*" */
};

struct route_table {
    struct node root;
};

static void routes_destroy(struct route *route)
{
    while (route != NULL) {
        struct route *next = route->next;
        free(route->text);
        free(route);
        route = next;
    }
}

/* Depth is bounded, so recursion is. */
static void node_fini(struct node *node)
{
    for (struct node *child = node->literals; child != NULL;) {
        struct node *next = child->sibling;
        node_fini(child);
        free(child);
        child = next;
    }
    if (node->named != NULL) {
        node_fini(node->named);
        free(node->named);
    }
    routes_destroy(node->routes);
    routes_destroy(node->rests);
    free(node->literal);
}

struct route_table *route_table_create(void)
{
    return calloc(1, sizeof(struct route_table));
}

void route_table_destroy(struct route_table *table)
{
    if (table != NULL) {
        node_fini(&table->root);
        free(table);
    }
}

/* Take the segment at the front of `*path`. `*ret_last`: nothing follows it. */
static struct text take_segment(struct text *path, bool *ret_last)
{
    const char *slash = path->size == 0 ? NULL : memchr(path->data, '/', path->size);
    struct text segment = *path;
    *ret_last = slash == NULL;
    if (slash == NULL) {
        *path = (struct text){path->data + path->size, 0};
    } else {
        segment.size = (size_t)(slash - path->data);
        *path = (struct text){slash + 1, path->size - segment.size - 1};
    }
    return segment;
}

/* ---- Building ---- */

static bool check_method(const char *method, struct err *err)
{
    size_t size = strlen(method);
    bool good = size > 0 && size <= METHOD_BYTES_MAX;
    for (size_t i = 0; i < size; i++) {
        good = good && token_is_byte(method[i]) && !(method[i] >= 'a' && method[i] <= 'z');
    }
    return good || err_set(err, ERR_INPUT, "'%s' is no method: write GET, POST ... or *", method);
}

static bool is_name_byte(char byte)
{
    return byte == '_' || byte == '-' || (byte >= '0' && byte <= '9') ||
           (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool add_name(struct route *route, struct text name, const char *pattern, struct err *err)
{
    if (route->name_count == REQUEST_PARAMS_MAX) {
        return err_set(err, ERR_INPUT, "route '%s': more than %d parameters", pattern,
                       REQUEST_PARAMS_MAX);
    }
    for (unsigned i = 0; i < route->name_count; i++) {
        if (route->names[i].size == name.size &&
            memcmp(route->names[i].data, name.data, name.size) == 0) {
            return err_set(err, ERR_INPUT, "route '%s': two parameters ':%.*s'", pattern,
                           (int)name.size, name.data);
        }
    }
    route->names[route->name_count++] = name;
    return true;
}

static bool check_named(struct text segment, const char *pattern, struct err *err)
{
    bool good = segment.size > 1;
    for (size_t i = 1; i < segment.size; i++) {
        good = good && is_name_byte(segment.data[i]);
    }
    return good || err_set(err, ERR_INPUT,
                           "route '%s': '%.*s' is no parameter: letters, digits, '_' and '-' "
                           "after ':'",
                           pattern, (int)segment.size, segment.data);
}

static bool check_literal(struct text segment, const char *pattern, struct err *err)
{
    if (text_equal(segment, "..")) {
        return err_set(err, ERR_INPUT, "route '%s': no request has a segment '..'", pattern);
    }
    for (size_t i = 0; i < segment.size; i++) {
        unsigned char byte = (unsigned char)segment.data[i];
        if (byte <= ' ' || byte == 0x7f || strchr("?#*%:", byte) != NULL) {
            return err_set(err, ERR_INPUT,
                           "route '%s': '%c' cannot stand in a segment; parameters are ':name', "
                           "'*' stands alone at the end",
                           pattern, byte);
        }
    }
    return true;
}

static struct node *literal_child(struct node *node, struct text segment)
{
    for (struct node *child = node->literals; child != NULL; child = child->sibling) {
        if (child->literal_size == segment.size &&
            memcmp(child->literal, segment.data, segment.size) == 0) {
            return child;
        }
    }
    struct node *child = calloc(1, sizeof(*child));
    char *literal = malloc(segment.size + 1);
    if (child == NULL || literal == NULL) {
        free(child);
        free(literal);
        return NULL;
    }
    memcpy(literal, segment.data, segment.size);
    child->literal = literal;
    child->literal_size = segment.size;
    child->sibling = node->literals;
    node->literals = child;
    return child;
}

/* The node below `node` for a segment, made if need be. */
static struct node *child_for(struct node *node, struct route *route, struct text segment,
                              const char *pattern, struct err *err)
{
    struct node *child = NULL;
    if (segment.size > 0 && segment.data[0] == ':') {
        struct text name = {segment.data + 1, segment.size - 1};
        if (!check_named(segment, pattern, err) || !add_name(route, name, pattern, err)) {
            return NULL;
        }
        if (node->named == NULL) {
            node->named = calloc(1, sizeof(*node->named));
        }
        child = node->named;
    } else {
        if (!check_literal(segment, pattern, err)) {
            return NULL;
        }
        child = literal_child(node, segment);
    }
    if (child == NULL) {
        err_set_memory(err);
    }
    return child;
}

/* Walk the pattern, making what is missing. Returns the list that the route belongs to. */
static struct route **place_of(struct route_table *table, struct route *route, const char *pattern,
                               struct err *err)
{
    if (pattern[0] != '/') {
        err_set(err, ERR_INPUT, "route '%s' does not begin with '/'", pattern);
        return NULL;
    }
    struct text rest = {pattern + 1, strlen(pattern + 1)};
    struct node *node = &table->root;
    bool last = false;
    for (unsigned depth = 0; !last; depth++) {
        struct text segment = take_segment(&rest, &last);
        if (last && text_equal(segment, "*")) {
            return add_name(route, segment, pattern, err) ? &node->rests : NULL;
        }
        if (depth == SEGMENTS_MAX) {
            err_set(err, ERR_INPUT, "route '%s': more than %d segments", pattern, SEGMENTS_MAX);
            return NULL;
        }
        node = child_for(node, route, segment, pattern, err);
        if (node == NULL) {
            return NULL;
        }
    }
    return &node->routes;
}

static struct route *route_create(const char *method, const char *pattern, void *target)
{
    size_t method_size = strlen(method) + 1;
    size_t pattern_size = strlen(pattern) + 1;
    struct route *route = calloc(1, sizeof(*route));
    char *text = malloc(method_size + pattern_size);
    if (route == NULL || text == NULL) {
        free(route);
        free(text);
        return NULL;
    }
    memcpy(text, method, method_size);
    memcpy(text + method_size, pattern, pattern_size);
    route->text = text;
    route->target = target;
    return route;
}

bool route_table_add(struct route_table *table, const char *method, const char *pattern,
                     void *target, struct err *err)
{
    if (!check_method(method, err)) {
        return false;
    }
    if (strlen(pattern) > PATTERN_BYTES_MAX) {
        return err_set(err, ERR_INPUT, "route longer than %d bytes", PATTERN_BYTES_MAX);
    }
    struct route *route = route_create(method, pattern, target);
    if (route == NULL) {
        return err_set_memory(err);
    }
    const char *own_pattern = route->text + strlen(method) + 1;
    struct route **list = place_of(table, route, own_pattern, err);
    for (const struct route *other = list == NULL ? NULL : *list; other != NULL;
         other = other->next) {
        if (strcmp(other->text, method) == 0) {
            err_set(err, ERR_INPUT, "route '%s %s' is there twice: see '%s'", method, pattern,
                    other->text + strlen(other->text) + 1);
            list = NULL;
            break;
        }
    }
    if (list == NULL) {
        routes_destroy(route);
        return false;
    }
    route->next = *list;
    *list = route;
    return true;
}

/* ---- Matching ---- */

struct search {
    struct text method;
    struct text values[REQUEST_PARAMS_MAX];     /* as sent */
    const struct route *matching[MATCHING_MAX]; /* lists whose pattern fits the path */
    unsigned matching_count;
};

static const struct route *route_for(const struct route *routes, struct text method)
{
    const struct route *any = NULL;
    for (const struct route *route = routes; route != NULL; route = route->next) {
        if (text_equal(method, route->text)) {
            return route;
        }
        if (strcmp(route->text, "*") == 0) {
            any = route;
        }
    }
    return any;
}

/* The path ends at this list: is there a route for the method? */
static const struct route *choose(struct search *search, const struct route *routes)
{
    if (routes == NULL) {
        return NULL;
    }
    const struct route *route = route_for(routes, search->method);
    if (route == NULL && text_equal(search->method, "HEAD")) {
        route = route_for(routes, (struct text){"GET", 3});
    }
    if (route == NULL && search->matching_count < MATCHING_MAX) {
        /* Should there be more, "Allow" misses some of a very odd table. */
        search->matching[search->matching_count++] = routes;
    }
    return route;
}

static bool segment_equals(struct text segment, const struct node *node)
{
    if (segment.size < node->literal_size) {
        return false;
    }
    if (segment.size == node->literal_size) {
        return memcmp(segment.data, node->literal, segment.size) == 0;
    }
    struct percent_reader reader = percent_begin(segment, false);
    for (size_t i = 0; i < node->literal_size; i++) {
        if (percent_next(&reader) != (unsigned char)node->literal[i]) {
            return false;
        }
    }
    return percent_next(&reader) == PERCENT_END;
}

/* Look below `node` for the rest of the path. Every node is met at most once for a path, as its
 * depth says which segment it stands for. */
static const struct route *find(struct search *search, const struct node *node, struct text rest,
                                unsigned value_count)
{
    struct text whole = rest;
    bool last = false;
    struct text segment = take_segment(&rest, &last);
    const struct route *found = NULL;
    for (const struct node *child = node->literals; child != NULL; child = child->sibling) {
        if (segment_equals(segment, child)) {
            found = last ? choose(search, child->routes) : find(search, child, rest, value_count);
            break;
        }
    }
    if (found == NULL && node->named != NULL && segment.size > 0) {
        search->values[value_count] = segment;
        found = last ? choose(search, node->named->routes)
                     : find(search, node->named, rest, value_count + 1);
    }
    if (found == NULL && node->rests != NULL) {
        search->values[value_count] = whole;
        found = choose(search, node->rests);
    }
    return found;
}

/* Append ", NAME" unless it is there or does not fit. */
static void allow_add(struct route_match *match, const char *name)
{
    size_t used = strlen(match->allow);
    size_t size = strlen(name);
    for (const char *at = match->allow; (at = strstr(at, name)) != NULL; at += size) {
        bool begins = at == match->allow || at[-1] == ' ';
        if (begins && (at[size] == 0 || at[size] == ',')) {
            return;
        }
    }
    size_t comma = used > 0 ? 2 : 0;
    if (used + comma + size < sizeof(match->allow)) {
        memcpy(match->allow + used, ", ", comma);
        memcpy(match->allow + used + comma, name, size + 1);
    }
}

static bool any_serves(const struct search *search, const char *method)
{
    for (unsigned i = 0; i < search->matching_count; i++) {
        if (route_for(search->matching[i], (struct text){method, strlen(method)}) != NULL) {
            return true;
        }
    }
    return false;
}

static void list_allowed(struct route_match *match, const struct search *search)
{
    static const char *const usual[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"};
    for (size_t i = 0; i < ARRAY_LENGTH(usual); i++) {
        bool comes_with_get = i == 1 && any_serves(search, "GET");
        if (comes_with_get || any_serves(search, usual[i])) {
            allow_add(match, usual[i]);
        }
    }
    for (unsigned i = 0; i < search->matching_count; i++) {
        for (const struct route *route = search->matching[i]; route != NULL; route = route->next) {
            if (strcmp(route->text, ROUTE_WEBSOCKET) == 0) {
                allow_add(match, "GET");
            } else if (strcmp(route->text, "*") != 0) {
                allow_add(match, route->text);
            }
        }
    }
    allow_add(match, "OPTIONS");
}

static void set_params(struct request *request, const struct route *route,
                       const struct search *search)
{
    if (route->name_count == 0) {
        request->param_count = 0;
        return;
    }
    struct param *params = request_take_params(request, route->name_count);
    for (unsigned i = 0; i < route->name_count; i++) {
        struct text raw = search->values[i];
        char *room = request_take_room(request, raw.size);
        int64_t size = percent_decode_path(raw, room);
        INVARIANT(size >= 0); /* The path as a whole was decoded before. */
        params[i].name = route->names[i];
        params[i].value = (struct text){room, (size_t)size};
    }
}

struct route_match route_table_match(const struct route_table *table, struct request *request)
{
    return route_table_match_as(table, request, request->method_name);
}

struct route_match route_table_match_as(const struct route_table *table, struct request *request,
                                        struct text method)
{
    struct route_match match;
    match.target = NULL;
    match.path_exists = false;
    match.allow[0] = 0;
    size_t path_size = request->target.size;
    if (request->query.data != NULL) {
        path_size -= request->query.size + 1;
    }
    if (path_size == 0 || request->target.data[0] != '/') {
        return match;
    }
    struct search search = {.method = method};
    const struct route *route = find(&search, &table->root,
                                     (struct text){request->target.data + 1, path_size - 1}, 0);
    if (route != NULL) {
        set_params(request, route, &search);
        match.target = route->target;
        match.path_exists = true;
    } else if (search.matching_count > 0) {
        match.path_exists = true;
        list_allowed(&match, &search);
    }
    return match;
}
