#include "cli/content.h"

#include "cli/complaint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct text text_of(const char *text)
{
    return (struct text){text, strlen(text)};
}

/* ---- Headers ---- */

/* What browsers should be told unless there is a reason not to; [serve.headers] may say otherwise. */
static const struct {
    const char *name, *value;
} SECURITY_HEADERS[] = {
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "strict-origin-when-cross-origin"},
    {"X-Frame-Options", "SAMEORIGIN"},
    {"Content-Security-Policy", "frame-ancestors 'self'"},
    {"Strict-Transport-Security", "max-age=31536000"}, /* The last one, for TLS only. */
};

static bool is_set(const struct manifest_serve *serve, const char *name)
{
    for (size_t i = 0; i < serve->header_count; i++) {
        if (strcasecmp(serve->headers[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void add_header(struct content *content, const char *name, const char *value)
{
    content->headers[content->header_count++] = (struct header){.name = text_of(name),
                                                                .value = text_of(value)};
}

static bool gather_headers(struct content *content, const struct manifest_serve *serve)
{
    size_t most = serve->header_count + ARRAY_LENGTH(SECURITY_HEADERS) + 1;
    size_t preset = !serve->content.security_headers.value ? 0
                    : serve->tls.pair_count > 0            ? ARRAY_LENGTH(SECURITY_HEADERS)
                                                           : ARRAY_LENGTH(SECURITY_HEADERS) - 1;
    content->headers = calloc(most, sizeof(*content->headers));
    if (content->headers == NULL) {
        return false;
    }
    for (size_t i = 0; i < serve->header_count; i++) {
        add_header(content, serve->headers[i].name, serve->headers[i].value);
    }
    for (size_t i = 0; i < preset; i++) {
        if (!is_set(serve, SECURITY_HEADERS[i].name)) {
            add_header(content, SECURITY_HEADERS[i].name, SECURITY_HEADERS[i].value);
        }
    }
    return true;
}

/* ---- Folders ---- */

static bool open_folders(struct content *content, const struct manifest *manifest,
                         const struct manifest_serve *serve)
{
    size_t count = serve->content.folder_count;
    content->folders = calloc(count + 1, sizeof(*content->folders));
    if (content->folders == NULL) {
        fputs("mote: out of memory\n", stderr);
        return false;
    }
    bool good = true;
    for (size_t i = 0; good && i < count; i++) {
        const struct manifest_static *from = &serve->content.folders[i];
        struct static_options options = {.folder = from->folder.value,
                                         .index = from->index.value,
                                         .fallback = from->fallback.value,
                                         .cache_control = from->cache_control.value,
                                         .precompressed = from->precompressed.value,
                                         .dotfiles = from->dotfiles.value};
        struct err err = {0};
        good = static_folder_open(&content->folders[i], &options, &err);
        content->folder_count += good;
        if (!good) {
            complain((struct place){manifest->path, from->line, 0}, "%s", err.text);
        }
    }
    return good;
}

/* Whether the listener has a route of its own for the prefix without a slash. */
static bool is_routed(const struct manifest_serve *serve, const char *prefix)
{
    for (size_t i = 0; i < serve->route_count; i++) {
        const struct manifest_route *route = &serve->routes[i];
        if (strcmp(route->pattern, prefix) == 0 &&
            (strcmp(route->method, "GET") == 0 || strcmp(route->method, "*") == 0)) {
            return true;
        }
    }
    return false;
}

static bool add_folder(const struct manifest_serve *serve, const struct manifest_static *from,
                       struct static_folder *folder, struct route_table *routes, struct err *err)
{
    const char *prefix = from->prefix.value;
    bool whole = strcmp(prefix, "/") == 0;
    AUTO(bytes_finip) struct bytes pattern = {0};
    if (!bytes_printf(&pattern, "%s/*", whole ? "" : prefix) || !bytes_terminate(&pattern)) {
        return err_set_memory(err);
    }
    return route_table_add(routes, "GET", (char *)pattern.data, folder, err) &&
           (whole || is_routed(serve, prefix) ||
            route_table_add(routes, "GET", prefix, folder, err));
}

bool content_add_routes(struct content *content, const struct manifest *manifest,
                        const struct manifest_serve *serve, struct route_table *routes)
{
    bool good = true;
    for (size_t i = 0; i < content->folder_count; i++) {
        const struct manifest_static *from = &serve->content.folders[i];
        struct err err = {0};
        if (!add_folder(serve, from, &content->folders[i], routes, &err)) {
            complain((struct place){manifest->path, from->line, 0}, "[[serve.static]]: %s",
                     err.text);
            good = false;
        }
    }
    return good;
}

/* ---- Life ---- */

static void set_compression(struct content *content, const struct manifest_content *from)
{
    struct compression *to = &content->compression;
    content->compresses = from->codings.values != NULL;
    for (size_t i = 0; content->compresses && from->codings.values[i] != NULL; i++) {
        to->offered[to->offered_count++] = encoding_of_name(from->codings.values[i]);
    }
    to->types = from->types.values != NULL ? from->types.values : COMPRESSION_TYPES;
    to->bytes_min = from->compression_min_bytes.value;
}

static void set_cors(struct content *content, const struct manifest_cors *from)
{
    content->has_cors = from->line != 0;
    (void)snprintf(content->max_age, sizeof(content->max_age), "%llu",
                   (unsigned long long)from->max_age_s.value);
    content->cors = (struct cors){.origins = from->origins.values,
                                  .methods = from->methods.joined,
                                  .headers = from->headers.joined,
                                  .expose = from->expose.joined,
                                  .max_age = content->max_age,
                                  .credentials = from->credentials.value};
}

bool content_open(struct content *content, const struct manifest *manifest,
                  const struct manifest_serve *serve)
{
    set_compression(content, &serve->content);
    set_cors(content, &serve->content.cors);
    if (!gather_headers(content, serve)) {
        fputs("mote: out of memory\n", stderr);
        return false;
    }
    return open_folders(content, manifest, serve);
}

void content_fill(const struct content *content, const struct manifest_serve *serve,
                  struct serve_options *options)
{
    options->headers = content->headers;
    options->header_count = content->header_count;
    options->compression = content->compresses ? &content->compression : NULL;
    options->cors = content->has_cors ? &content->cors : NULL;
    options->folders = content->folders;
    options->folder_count = content->folder_count;
    options->redirects_to_https = serve->content.redirect_to_https.value;
    options->https_port = (uint16_t)serve->content.https_port.value;
}

void content_close(struct content *content)
{
    for (size_t i = 0; i < content->folder_count; i++) {
        static_folder_close(&content->folders[i]);
    }
    free(content->folders);
    free(content->headers);
    *content = (struct content){0};
}
