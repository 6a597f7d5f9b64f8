/* [serve.tls]: certificates of a listener. Here their files are found; what is in them is looked at by
 * who uses them. */
#include "manifest/section.h"

#include <stdlib.h>
#include <string.h>

enum { PAIRS_MAX = 64 };

struct tls_section {
    struct manifest_text certificate, key, client_ca;
    const struct toml_node *extra;
};

#define FILE_KEY(key_, member_)                                                                    \
    {                                                                                              \
        .key = (key_), .kind = FIELD_TEXT, .offset = offsetof(struct tls_section, member_)         \
    }

static const struct field TLS_FIELDS[] = {
    FILE_KEY("certificate", certificate),
    FILE_KEY("key", key),
    FILE_KEY("client-ca", client_ca),
    {.key = "extra",
     .kind = FIELD_TABLES,
     .offset = offsetof(struct tls_section, extra),
     .advice = "serve.tls.extra"},
};

static const struct schema SCHEMA_TLS = {{FIELD_GROUP(TLS_FIELDS, 0)}};

static const struct field EXTRA_FIELDS[] = {
    FILE_KEY("certificate", certificate),
    FILE_KEY("key", key),
    {.key = "client-ca", .kind = FIELD_ELSEWHERE, .advice = "[serve.tls]"},
};

static const struct schema SCHEMA_EXTRA = {{FIELD_GROUP(EXTRA_FIELDS, 0)}};

/* The file that `key` names. */
static void find_file(struct loader *loader, struct place place, const char *key,
                      const struct manifest_text *text, struct manifest_file *ret)
{
    const char *path = loader_path(loader, text->value);
    if (path == NULL) {
        return;
    }
    *ret = (struct manifest_file){path, place.line, place.column};
    switch (loader->world->inspect(loader->world->argument, path)) {
    case WORLD_FILE:
        return;
    case WORLD_MISSING:
        problem_error(loader->problems, place, "'%s': there is no file %.400s; check the path", key,
                      path);
        return;
    case WORLD_UNREADABLE:
        problem_error(loader->problems, place, "'%s': %.400s cannot be read; check its permissions",
                      key, path);
        return;
    case WORLD_FOLDER:
    case WORLD_OTHER:
        problem_error(loader->problems, place, "'%s': %.400s is no file; name a PEM file", key,
                      path);
        return;
    }
    BUG("an entry of a folder");
}

static void read_file(struct loader *loader, const struct toml_node *table, const char *key,
                      const struct manifest_text *text, struct manifest_file *ret)
{
    if (text->value != NULL) {
        struct place place = loader_value(loader, section_key(loader, table, key));
        find_file(loader, place, key, text, ret);
    }
}

void authorities_check(struct loader *loader, const struct toml_node *node,
                       struct manifest_text *text)
{
    struct manifest_file file = {0};
    find_file(loader, loader_value(loader, node), "ca-certificates", text, &file);
    text->value = file.path;
}

static void read_pair(struct loader *loader, const struct toml_node *table, const char *title,
                      const struct tls_section *section, struct manifest_certificate *ret)
{
    size_t given = (section->certificate.value != NULL) + (section->key.value != NULL);
    if (given < 2 && section_key(loader, table, "certificate") == NULL) {
        problem_error(loader->problems, loader_value(loader, table),
                      "%s needs 'certificate'; write certificate = \"FILE.pem\"", title);
    }
    if (given < 2 && section_key(loader, table, "key") == NULL) {
        problem_error(loader->problems, loader_value(loader, table),
                      "%s needs 'key'; write key = \"FILE.pem\"", title);
    }
    read_file(loader, table, "certificate", &section->certificate, &ret->certificate);
    read_file(loader, table, "key", &section->key, &ret->key);
}

void tls_read(struct loader *loader, const struct toml_node *table, struct manifest_serve *serve)
{
    static const char extra_title[] = "[[serve.tls.extra]]";
    struct tls_section section = {0};
    schema_read(loader, &SCHEMA_TLS, "[serve.tls]", table, &section);
    size_t most = 1 + (section.extra == NULL ? 0 : loader_count(loader, section.extra));
    struct manifest_certificate *pairs = loader_alloc(loader, most, sizeof(*pairs));
    if (pairs == NULL) {
        return;
    }
    if (most > PAIRS_MAX) {
        problem_error(loader->problems, loader_key(loader, section.extra),
                      "there are %zu certificates, and a listener has at most %d; use certificates "
                      "with several names",
                      most, PAIRS_MAX);
        return;
    }
    read_pair(loader, table, "[serve.tls]", &section, &pairs[0]);
    read_file(loader, table, "client-ca", &section.client_ca, &serve->tls.client_ca);
    size_t count = 1;
    for (const struct toml_node *node = section.extra == NULL ? NULL
                                                              : loader_first(loader, section.extra);
         node != NULL; node = loader_next(loader, node)) {
        struct tls_section extra = {0};
        schema_read(loader, &SCHEMA_EXTRA, extra_title, node, &extra);
        read_pair(loader, node, extra_title, &extra, &pairs[count++]);
    }
    serve->tls.line = loader_value(loader, table).line;
    serve->tls.pairs = pairs;
    serve->tls.pair_count = count;
}

/* A guest that could read a key could be the server, and one that could replace a file would decide who
 * is. */
static void protect(struct loader *loader, const struct manifest_file *file, const char *section)
{
    const struct manifest *manifest = loader->manifest;
    char *real = file->path == NULL ? NULL
                                    : loader->world->resolve(loader->world->argument, file->path);
    if (real == NULL) {
        return;
    }
    for (size_t i = 0; i < manifest->component_count; i++) {
        const struct manifest_component *component = &manifest->components[i];
        for (size_t k = 0; k < component->preopen_count; k++) {
            const struct manifest_preopen *preopen = &component->preopens[k];
            if (path_lies_in(real, preopen->host_path)) {
                problem_error(loader->problems, (struct place){manifest->path, preopen->line, 1},
                              "preopen '%.200s' of [components.%s] holds %.400s, a file of "
                              "%s that no guest may reach; open a folder without it",
                              preopen->written, component->name, real, section);
            }
        }
    }
    free(real);
}

void tls_protect(struct loader *loader)
{
    const struct manifest *manifest = loader->manifest;
    for (size_t i = 0; i < manifest->serve_count; i++) {
        const struct manifest_tls *tls = &manifest->serves[i].tls;
        for (size_t k = 0; k < tls->pair_count; k++) {
            protect(loader, &tls->pairs[k].certificate, "[serve.tls]");
            protect(loader, &tls->pairs[k].key, "[serve.tls]");
        }
        protect(loader, &tls->client_ca, "[serve.tls]");
    }
    protect(loader, &(struct manifest_file){.path = manifest->node.ca_certificates.value},
            "[node]");
}
