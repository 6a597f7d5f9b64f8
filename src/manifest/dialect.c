#include "manifest/dialect.h"

#include "manifest/route_key.h"
#include "serve/route.h"

#include <string.h>

enum verdict {
    RENAMED, /* `text` is our name for it */
    IGNORED, /* a warning: `text` says why and what to do */
    REFUSED, /* an error: likewise */
};

struct word {
    const char *key;
    enum verdict verdict;
    const char *text;
};

static const struct word NODE_WORDS[] = {
    {"listen", IGNORED,
     "is where RUSM is attached to; mote has a socket of its own for 'mote ps' and 'mote top': "
     "remove it"},
    {"profile", IGNORED,
     "says how much of the machine RUSM takes; write workers = N in [node] instead"},
    {"ticks_per_second", IGNORED, "is of RUSM's observer, which mote has not; remove it"},
    {"store", IGNORED,
     "names a key-value store, which this version of mote has not: kv answers \"not configured\"; "
     "remove it if no component uses kv"},
    {"dynamic_wasm_ttl_secs", IGNORED,
     "is of code that arrives at run time, which this version of mote does not run; remove it"},
};

static const struct word SERVE_WORDS[] = {
    {"max_message_size", RENAMED, "max-message-bytes"},
    {"allowed_origins", RENAMED, "allowed-origins"},
    {"max_connections", IGNORED,
     "is a limit of one listener; mote has one over all of them: write max-connections in [node]"},
    {"authentication", REFUSED,
     "names a hook in the host, which mote does not run, and without it anybody would be let in; "
     "check requests in their handlers, or in a proxy in front, and remove it"},
    {"source", REFUSED,
     "names Wasm that is fetched, which mote does not do; put it into wasm/NAME.wasm and remove "
     "it"},
};

static const struct word TLS_WORDS[] = {{"cert", RENAMED, "certificate"}};

static const struct word PREOPEN_WORDS[] = {{"host", RENAMED, "path"}};

/* A manifest that is being rewritten: a copy of the tree, with room for more. */
struct rewriting {
    struct loader *loader;
    struct toml_node *nodes;
    size_t count, room;
};

bool dialect_is_rusm(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strcmp(slash == NULL ? path : slash + 1, "rusm.toml") == 0;
}

/* ---- the tree ---- */

static uint32_t number_of(const struct rewriting *tree, const struct toml_node *node)
{
    return (uint32_t)(node - tree->nodes);
}

static struct toml_node *first_of(const struct rewriting *tree, const struct toml_node *parent)
{
    return parent == NULL || parent->first_child == 0 ? NULL : &tree->nodes[parent->first_child];
}

static struct toml_node *next_of(const struct rewriting *tree, const struct toml_node *node)
{
    return node->next == 0 ? NULL : &tree->nodes[node->next];
}

static struct toml_node *member_of(const struct rewriting *tree, const struct toml_node *table,
                                   const char *key)
{
    bool is_table = table != NULL && table->kind == TOML_TABLE;
    for (struct toml_node *node = is_table ? first_of(tree, table) : NULL; node != NULL;
         node = next_of(tree, node)) {
        if (strcmp(node->key, key) == 0) {
            return node;
        }
    }
    return NULL;
}

static void rename_key(struct toml_node *node, const char *key)
{
    node->key = key;
    node->key_bytes = strlen(key);
}

static void remove_child(struct rewriting *tree, struct toml_node *parent,
                         const struct toml_node *child)
{
    uint32_t *link = &parent->first_child;
    while (*link != number_of(tree, child)) {
        link = &tree->nodes[*link].next;
    }
    *link = child->next;
}

/* Append a child that stands where `like` does. There is room: see dialect_translate(). */
static struct toml_node *add_child(struct rewriting *tree, struct toml_node *parent,
                                   const char *key, enum toml_kind kind,
                                   const struct toml_node *like)
{
    INVARIANT(tree->count < tree->room);
    struct toml_node *node = &tree->nodes[tree->count];
    *node = (struct toml_node){.kind = kind,
                               .key = key,
                               .key_bytes = key == NULL ? 0 : strlen(key),
                               .key_line = like->key_line != 0 ? like->key_line : like->line,
                               .key_column = like->key_line != 0 ? like->key_column : like->column,
                               .line = like->line,
                               .column = like->column};
    uint32_t *link = &parent->first_child;
    while (*link != 0) {
        link = &tree->nodes[*link].next;
    }
    *link = (uint32_t)tree->count++;
    return node;
}

static void set_text(struct toml_node *node, const char *text)
{
    node->kind = TOML_STRING;
    node->text = text;
    node->text_bytes = strlen(text);
}

/* ---- keys ---- */

static void apply_word(struct rewriting *tree, struct toml_node *table, struct toml_node *node,
                       const struct word *word)
{
    struct loader *loader = tree->loader;
    switch (word->verdict) {
    case RENAMED:
        rename_key(node, word->text);
        return;
    case IGNORED:
        problem_warning(loader->problems, loader_key(loader, node), "'%s' %s", word->key,
                        word->text);
        break;
    case REFUSED:
        problem_error(loader->problems, loader_key(loader, node), "'%s' %s", word->key, word->text);
        break;
    }
    remove_child(tree, table, node);
}

static void apply_words(struct rewriting *tree, struct toml_node *table, const struct word *words,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct toml_node *node = member_of(tree, table, words[i].key);
        if (node != NULL) {
            apply_word(tree, table, node, &words[i]);
        }
    }
}

#define APPLY(tree, table, words) apply_words(tree, table, words, ARRAY_LENGTH(words))

/* ---- sections ---- */

/* RUSM logs nothing at "off"; here the gravest lines stay. */
static void translate_log(struct rewriting *tree)
{
    struct toml_node *level = member_of(tree, member_of(tree, &tree->nodes[0], "log"), "level");
    if (level != NULL && level->kind == TOML_STRING && strcmp(level->text, "off") == 0) {
        set_text(level, "error");
    }
}

/* Routes of a listener for WebSockets are asked for by GET there. */
static void translate_routes(struct rewriting *tree, const struct toml_node *routes)
{
    struct loader *loader = tree->loader;
    for (struct toml_node *node = first_of(tree, routes); node != NULL;
         node = next_of(tree, node)) {
        struct route_key key;
        struct err err;
        if (route_key_parse(node->key, &key, &err) && strcmp(key.method, "GET") == 0) {
            char *own = loader_format(loader, ROUTE_WEBSOCKET " %s", key.pattern);
            if (own != NULL) {
                rename_key(node, own);
            }
        }
    }
}

/* Without a list any page may open a WebSocket there. */
static void translate_origins(struct rewriting *tree, struct toml_node *serve)
{
    struct toml_node *origins = member_of(tree, serve, "allowed-origins");
    if (origins == NULL) {
        origins = add_child(tree, serve, "allowed-origins", TOML_ARRAY, serve);
    }
    if (origins->kind == TOML_ARRAY && origins->first_child == 0) {
        set_text(add_child(tree, origins, NULL, TOML_STRING, serve), "*");
    }
}

/* A component that a listener names need not be declared: it is wasm/NAME.wasm, sandboxed. */
static void declare_component(struct rewriting *tree, const struct toml_node *serve)
{
    const struct toml_node *name = member_of(tree, serve, "component");
    struct toml_node *components = member_of(tree, &tree->nodes[0], "components");
    if (name == NULL || name->kind != TOML_STRING ||
        member_of(tree, components, name->text) != NULL ||
        (components != NULL && components->kind != TOML_TABLE)) {
        return;
    }
    if (components == NULL) {
        components = add_child(tree, &tree->nodes[0], "components", TOML_TABLE, name);
    }
    (void)add_child(tree, components, name->text, TOML_TABLE, name);
}

static void translate_serve(struct rewriting *tree, struct toml_node *serve)
{
    const struct toml_node *protocol = member_of(tree, serve, "protocol");
    APPLY(tree, serve, SERVE_WORDS);
    APPLY(tree, member_of(tree, serve, "tls"), TLS_WORDS);
    if (protocol != NULL && protocol->kind == TOML_STRING && strcmp(protocol->text, "ws") == 0) {
        translate_routes(tree, member_of(tree, serve, "routes"));
        translate_origins(tree, serve);
    }
    declare_component(tree, serve);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void translate_component(struct rewriting *tree, struct toml_node *components,
                                struct toml_node *component)
{
    struct loader *loader = tree->loader;
    const struct toml_node *dynamic = member_of(tree, component, "dynamic");
    struct toml_node *source = member_of(tree, component, "source");
    if (dynamic != NULL) {
        problem_warning(
            loader->problems, loader_key(loader, dynamic),
            "'%.64s' is a template for code that arrives at run time, which this version "
            "of mote does not run: it is left out, and spawn-from fails; remove it",
            component->key);
        remove_child(tree, components, component);
        return;
    }
    if (source != NULL && source->kind == TOML_STRING &&
        (begins(source->text, "url:") || begins(source->text, "kv:") ||
         begins(source->text, "http://") || begins(source->text, "https://"))) {
        problem_error(loader->problems, loader_value(loader, source),
                      "'source' names Wasm that is fetched, which mote does not do; put it into "
                      "wasm/%.64s.wasm and remove 'source'",
                      component->key);
        remove_child(tree, component, source);
    }
}

static void translate_preopen(struct rewriting *tree, struct toml_node *preopen)
{
    if (preopen->kind != TOML_TABLE) {
        return;
    }
    APPLY(tree, preopen, PREOPEN_WORDS);
    struct toml_node *read_only = member_of(tree, preopen, "read-only");
    bool is = false;
    if (read_only != NULL && read_only->kind != TOML_BOOLEAN) {
        return; /* which is told as an unknown key */
    }
    if (read_only != NULL) {
        is = read_only->boolean;
        remove_child(tree, preopen, read_only);
    }
    if (member_of(tree, preopen, "mode") == NULL) {
        set_text(add_child(tree, preopen, "mode", TOML_STRING, preopen), is ? "ro" : "rw");
    }
}

static void translate_capability(struct rewriting *tree, struct toml_node *capability)
{
    struct loader *loader = tree->loader;
    struct toml_node *storage = member_of(tree, capability, "allow-storage");
    struct toml_node *bridges = member_of(tree, capability, "bridges");
    const struct toml_node *preopens = member_of(tree, capability, "preopen");
    if (storage != NULL && storage->kind == TOML_BOOLEAN) {
        if (storage->boolean) {
            problem_warning(loader->problems, loader_key(loader, storage),
                            "'allow-storage' opens a store, which this version of mote has not: kv "
                            "answers \"not configured\"; remove it if no component uses kv");
        }
        remove_child(tree, capability, storage);
    }
    if (bridges != NULL && bridges->kind == TOML_ARRAY) {
        if (bridges->first_child != 0) {
            problem_error(
                loader->problems, loader_key(loader, bridges),
                "'bridges' names interfaces that an app's own host code offers, which mote "
                "has not; make each a component that is called, and remove it");
        }
        remove_child(tree, capability, bridges);
    }
    if (preopens != NULL && preopens->kind == TOML_ARRAY) {
        for (struct toml_node *one = first_of(tree, preopens); one != NULL;
             one = next_of(tree, one)) {
            translate_preopen(tree, one);
        }
    }
}

/* A table's own tables, each of which may be taken out. */
static void translate_tables(struct rewriting *tree, const char *name,
                             void (*translate)(struct rewriting *tree, struct toml_node *parent,
                                               struct toml_node *table))
{
    struct toml_node *parent = member_of(tree, &tree->nodes[0], name);
    if (parent == NULL) {
        return;
    }
    for (struct toml_node *node = first_of(tree, parent), *next; node != NULL; node = next) {
        next = next_of(tree, node);
        if (node->kind == TOML_TABLE) {
            translate(tree, parent, node);
        }
    }
}

static void one_serve(struct rewriting *tree, struct toml_node *parent, struct toml_node *table)
{
    (void)parent;
    translate_serve(tree, table);
}

static void one_capability(struct rewriting *tree, struct toml_node *parent,
                           struct toml_node *table)
{
    (void)parent;
    translate_capability(tree, table);
}

void dialect_translate(struct loader *loader, size_t count)
{
    /* Of each node at most four are made: an array and its element, a component and the table around it; or a mode. */
    struct rewriting tree = {.loader = loader, .count = count, .room = count * 5};
    tree.nodes = loader_alloc(loader, tree.room, sizeof *tree.nodes);
    if (tree.nodes == NULL) {
        return;
    }
    memcpy(tree.nodes, loader->nodes, count * sizeof *tree.nodes);
    loader->nodes = tree.nodes;
    APPLY(&tree, member_of(&tree, &tree.nodes[0], "node"), NODE_WORDS);
    translate_log(&tree);
    translate_tables(&tree, "components", translate_component);
    translate_tables(&tree, "serve", one_serve);
    translate_tables(&tree, "capabilities", one_capability);
}
