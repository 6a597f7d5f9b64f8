/* What a [[serve]] says of its answers' content: compression, and [serve.cors]. */
#include "manifest/section.h"

#include "base/token.h"

#include <string.h>

enum { MAX_AGE_S = 604800 };

static const char *const CODINGS[] = {"br", "gzip", NULL};

/* Make a list of the texts that are left after checking. False: no memory. */
static bool list_make(struct loader *loader, const struct toml_node *node,
                      const struct text_list *texts, struct manifest_list *ret)
{
    AUTO(bytes_finip) struct bytes text = {0};

    for (size_t i = 0; i < texts->count; i++) {
        if (!bytes_printf(&text, "%s%s", i == 0 ? "" : ", ", texts->values[i])) {
            return problem_memory(loader->problems) != NULL;
        }
    }
    char *joined = loader_format(loader, "%.*s", (int)text.size,
                                 text.size == 0 ? "" : (const char *)text.data);
    if (joined == NULL) {
        return false;
    }
    *ret = (struct manifest_list){texts->values, joined, loader_value(loader, node).line};
    return true;
}

/* The array `node`; every element must satisfy `valid`, `rule` says what that is. */
static void list_read(struct loader *loader, const char *key, const struct toml_node *node,
                      bool (*valid)(const char *value), const char *rule, struct manifest_list *ret)
{
    char *what = loader_format(loader, "'%s'", key);

    if (what == NULL) {
        return;
    }
    struct text_list texts = loader_texts(loader, what, node);
    if (texts.values == NULL) {
        return;
    }
    for (size_t i = 0; i < texts.count; i++) {
        if (!valid(texts.values[i])) {
            problem_error(loader->problems, loader_value(loader, texts.nodes[i]),
                          "'%.80s' cannot stand in '%s'; %s", texts.values[i], key, rule);
        }
    }
    (void)!list_make(loader, node, &texts, ret);
}

static bool is_token(const char *value)
{
    return token_is_valid(value, strlen(value));
}

static bool is_coding(const char *value)
{
    return strcmp(value, CODINGS[0]) == 0 || strcmp(value, CODINGS[1]) == 0;
}

/* "text/html", "text/" and "*", "*+json" */
static bool is_type_pattern(const char *value)
{
    size_t size = strlen(value);

    if (value[0] == '*') {
        return value[1] == '+' && token_is_valid(value + 2, size - 2);
    }
    const char *slash = strchr(value, '/');
    return slash != NULL && token_is_valid(value, (size_t)(slash - value)) &&
           (strcmp(slash, "/*") == 0 ||
            (strchr(slash, '*') == NULL && token_is_valid(slash + 1, strlen(slash + 1))));
}

static void compression_read(struct loader *loader, const struct toml_node *node,
                             struct manifest_list *ret)
{
    if (node->kind == TOML_BOOLEAN) {
        struct text_list usual = {.values = (const char **)(uintptr_t)CODINGS,
                                  .count = node->boolean ? 2 : 0};
        (void)!list_make(loader, node, &usual, ret);
        ret->values = node->boolean ? CODINGS : NULL;
        return;
    }
    if (node->kind != TOML_ARRAY) {
        problem_error(loader->problems, loader_value(loader, node),
                      "'compression' must be true, false or an array, not %s; write compression = "
                      "true, or [\"br\", \"gzip\"]",
                      loader_kind_name(node->kind));
        return;
    }
    list_read(loader, "compression", node, is_coding, "write \"br\" or \"gzip\"", ret);
    if (ret->values == NULL) {
        return;
    }
    if (ret->values[0] == NULL) {
        ret->values = NULL;
    } else if (ret->values[1] != NULL &&
               (ret->values[2] != NULL || strcmp(ret->values[0], ret->values[1]) == 0)) {
        problem_error(loader->problems, loader_value(loader, node),
                      "'compression' names a coding twice; write each once, the best first");
    }
}

/* ---- [serve.cors] ---- */

struct cors_section {
    struct manifest_cors cors;
    const struct toml_node *origins, *methods, *headers, *expose;
};

static const struct field CORS_FIELDS[] = {
    {.key = "origins", .kind = FIELD_NODE, .offset = offsetof(struct cors_section, origins)},
    {.key = "methods", .kind = FIELD_NODE, .offset = offsetof(struct cors_section, methods)},
    {.key = "headers", .kind = FIELD_NODE, .offset = offsetof(struct cors_section, headers)},
    {.key = "expose", .kind = FIELD_NODE, .offset = offsetof(struct cors_section, expose)},
    {.key = "max-age-s",
     .kind = FIELD_NUMBER,
     .offset = offsetof(struct cors_section, cors.max_age_s),
     .max = MAX_AGE_S,
     .fallback = 600},
    {.key = "credentials",
     .kind = FIELD_FLAG,
     .offset = offsetof(struct cors_section, cors.credentials)},
};

const struct schema SCHEMA_CORS = {{FIELD_GROUP(CORS_FIELDS, 0)}};

/* Scheme and host, and perhaps a port; as a browser writes it (RFC 6454, 6.2). */
static bool is_origin(const char *value)
{
    if (strcmp(value, "*") == 0 || strcmp(value, "null") == 0) {
        return true;
    }
    const char *host = strstr(value, "://");
    if (host == NULL || !token_is_valid(value, (size_t)(host - value))) {
        return false;
    }
    host += strncmp(host, "://*.", 5) == 0 ? 5 : 3;
    return *host != '\0' &&
           host[strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-._:[]")] == '\0';
}

static bool is_header_name(const char *value)
{
    return strcmp(value, "*") == 0 || is_token(value);
}

static bool list_has(const struct manifest_list *list, const char *value)
{
    for (size_t i = 0; list->values != NULL && list->values[i] != NULL; i++) {
        if (strcmp(list->values[i], value) == 0) {
            return true;
        }
    }
    return false;
}

/* With credentials a browser takes "*" for a name like any other, and to mirror every origin would open the listener to
 * every page with its visitors' rights. */
static void refuse_star(struct loader *loader, const struct manifest_cors *cors)
{
    const struct manifest_list *lists[] = {&cors->origins, &cors->methods, &cors->headers,
                                           &cors->expose};

    for (size_t i = 0; cors->credentials.value && i < ARRAY_LENGTH(lists); i++) {
        if (list_has(lists[i], "*")) {
            problem_error(loader->problems,
                          (struct place){loader->manifest->path, lists[i]->line, 1},
                          "\"*\" and 'credentials' exclude each other; name what is allowed");
        }
    }
}

static void list_default(struct manifest_list *list, const char *const *values, const char *joined)
{
    *list = (struct manifest_list){values, joined, MANIFEST_DEFAULT};
}

static void cors_read(struct loader *loader, const struct toml_node *table,
                      struct manifest_cors *ret)
{
    static const char *const none[] = {NULL};
    static const char *const methods[] = {"GET", "HEAD", "POST", NULL};
    static const char *const headers[] = {"Content-Type", NULL};
    struct cors_section section = {0};
    static const char *const rule = "write a name, or \"*\" alone";

    schema_defaults(&SCHEMA_CORS, &section);
    schema_read(loader, &SCHEMA_CORS, "[serve.cors]", table, &section);
    struct manifest_cors *cors = &section.cors;
    cors->line = loader_value(loader, table).line;
    list_default(&cors->origins, none, "");
    list_default(&cors->methods, methods, "GET, HEAD, POST");
    list_default(&cors->headers, headers, "Content-Type");
    list_default(&cors->expose, none, "");
    if (section.origins == NULL) {
        problem_error(loader->problems, loader_value(loader, table),
                      "[serve.cors] allows nobody; add origins = [\"https://example.com\"]");
    } else {
        list_read(
            loader, "origins", section.origins, is_origin,
            "write an origin as browsers do: \"https://example.com\", with a port that is not "
            "the usual one, without a path, in small letters; \"https://*.example.com\"; or "
            "\"*\"",
            &cors->origins);
    }
    if (section.methods != NULL) {
        list_read(loader, "methods", section.methods, is_header_name, rule, &cors->methods);
    }
    if (section.headers != NULL) {
        list_read(loader, "headers", section.headers, is_header_name, rule, &cors->headers);
    }
    if (section.expose != NULL) {
        list_read(loader, "expose", section.expose, is_header_name, rule, &cors->expose);
    }
    refuse_star(loader, cors);
    *ret = *cors;
}

void content_read(struct loader *loader, struct serve_section *section)
{
    struct manifest_content *content = &section->serve.content;

    content->codings.joined = "";
    if (section->compression != NULL) {
        compression_read(loader, section->compression, &content->codings);
    }
    if (section->compression_types != NULL) {
        list_read(loader, "compression-types", section->compression_types, is_type_pattern,
                  "write \"text/html\", \"text/*\" or \"*+json\"", &content->types);
    }
    if (section->cors != NULL) {
        cors_read(loader, section->cors, &content->cors);
    }
    if (content->redirect_to_https.value && section->tls != NULL) {
        problem_error(loader->problems,
                      (struct place){loader->manifest->path, content->redirect_to_https.line, 1},
                      "'redirect-to-https' is for a listener without [serve.tls]; remove it here");
    }
}
