#include "serve/static_folder.h"

#include "serve/conditional.h"
#include "serve/encoding.h"
#include "serve/field.h"
#include "serve/http_date.h"
#include "serve/mime.h"
#include "serve/range.h"
#include "serve/static_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    HEADERS_MAX = 8,
    ENDING_BYTES = 4, /* of a sibling: ".br", ".gz" */
    PATH_BYTES = PATH_MAX + NAME_MAX + ENDING_BYTES + 1,
    SECOND_NS = 1000000000,
};

bool static_folder_open(struct static_folder *folder, const struct static_options *options,
                        struct err *err)
{
    *folder = (struct static_folder){.options = *options};
    folder->fd = open(options->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return folder->fd >= 0 || err_set_os(err, errno, "open folder %s", options->folder);
}

void static_folder_close(struct static_folder *folder)
{
    close(folder->fd);
    folder->fd = -1;
}

/* ---- The answers without a file ---- */

static void finish(struct exchange *exchange, unsigned status)
{
    exchange_finish(exchange,
                    &(struct exchange_outcome){
                        .status = status, .retry_after_s = status == 503 ? EXCHANGE_RETRY_S : 0});
}

static void reply(struct exchange *exchange, unsigned status, const struct header *headers,
                  size_t header_count)
{
    enum exchange_result result = exchange_respond(exchange, status, headers, header_count, "", 0);
    finish(exchange, result == EXCHANGE_OK ? 0 : 500);
}

/* What a path may hold besides letters and digits (RFC 3986, 3.3), less what some take for a separator. */
static bool stands_in_path(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') ||
           (byte != 0 && strchr("-._~!$&'()*+,;=:@/", byte) != NULL);
}

/* To the same path with a slash behind it. The path is written anew from what it means, so that nothing in it can be
 * read as another host. */
static void redirect_to_slash(struct exchange *exchange)
{
    const struct request *request = exchange_request(exchange);
    AUTO(bytes_finip) struct bytes location = {0};
    bool fits = true;
    for (size_t i = 0; fits && i < request->path.size; i++) {
        unsigned char byte = (unsigned char)request->path.data[i];
        fits = stands_in_path(byte) ? bytes_append(&location, &byte, 1)
                                    : bytes_printf(&location, "%%%02X", byte);
    }
    fits = fits && bytes_append(&location, "/", 1);
    if (fits && request->query.size > 0) {
        fits = bytes_append(&location, "?", 1) &&
               bytes_append(&location, request->query.data, request->query.size);
    }
    if (!fits) {
        finish(exchange, 503);
        return;
    }
    struct header header = {.name = {"Location", 8},
                            .value = {(const char *)location.data, location.size}};
    reply(exchange, 308, &header, 1);
}

/* ---- What is to be sent ---- */

/* A representation that was found. */
struct found {
    struct static_file file;
    const char *type;
    enum encoding encoding;
    bool fallback;
    struct validators validators;
};

static const char *const ENDINGS[ENCODING_COUNT] = {
    [ENCODING_GZIP] = ".gz",
    [ENCODING_BROTLI] = ".br",
};

static bool is_older(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec != b->st_mtim.tv_sec ? a->st_mtim.tv_sec < b->st_mtim.tv_sec
                                                  : a->st_mtim.tv_nsec < b->st_mtim.tv_nsec;
}

/* Put a sibling that the client prefers in the file's place; `path` has room behind it. */
static void prefer_sibling(const struct static_folder *folder, const struct request *request,
                           char *path, size_t size, struct found *found)
{
    enum encoding offered[] = {ENCODING_BROTLI, ENCODING_GZIP};
    size_t count = ARRAY_LENGTH(offered);
    while (count > 0) {
        enum encoding encoding = encoding_choose(request->headers, request->header_count, offered,
                                                 count);
        if (encoding == ENCODING_IDENTITY) {
            return;
        }
        memcpy(path + size, ENDINGS[encoding], ENDING_BYTES);
        struct static_file sibling;
        enum static_found result = static_file_open(folder->fd, path, &sibling);
        path[size] = '\0';
        if (result == STATIC_FILE && !is_older(&sibling.stat, &found->file.stat)) {
            close(found->file.fd);
            found->file = sibling;
            found->encoding = encoding;
            return;
        }
        if (result == STATIC_FILE) {
            close(sibling.fd);
        }
        offered[0] = offered[0] == encoding ? offered[1] : offered[0];
        count--;
    }
}

static void set_validators(struct found *found, struct env *env)
{
    const struct stat *stat = &found->file.stat;
    static const char *const marks[ENCODING_COUNT] = {
        [ENCODING_IDENTITY] = "", [ENCODING_GZIP] = "-gz", [ENCODING_BROTLI] = "-br"};
    struct validators *validators = &found->validators;
    (void)snprintf(validators->etag, sizeof(validators->etag), "\"%" PRIx64 "%08lx-%" PRIx64 "%s\"",
                   (uint64_t)stat->st_mtim.tv_sec, stat->st_mtim.tv_nsec, (uint64_t)stat->st_size,
                   marks[found->encoding]);
    validators->now_s = (int64_t)(env->wall_ns(env) / SECOND_NS);
    /* A clock that was wrong once shall not make a date that is still to come (8.8.2.1). */
    validators->modified_s = stat->st_mtim.tv_sec < validators->now_s ? stat->st_mtim.tv_sec
                                                                      : validators->now_s;
}

/* The headers of an answer while they are put together. */
struct lines {
    struct header headers[HEADERS_MAX];
    size_t count;
    char date[HTTP_DATE_BYTES + 1];
    char range[80];
};

static void add(struct lines *lines, const char *name, const char *value)
{
    lines->headers[lines->count++] = (struct header){.name = {name, strlen(name)},
                                                     .value = {value, strlen(value)}};
}

/* Those that 304 has too (15.4.5). */
static void add_common(const struct static_folder *folder, const struct found *found,
                       struct lines *lines)
{
    const char *cache = found->fallback ? "no-cache" : folder->options.cache_control;
    http_date_format(found->validators.modified_s, lines->date);
    add(lines, "ETag", found->validators.etag);
    add(lines, "Last-Modified", lines->date);
    if (cache != NULL) {
        add(lines, "Cache-Control", cache);
    }
    if (folder->options.precompressed) {
        add(lines, "Vary", "Accept-Encoding");
    }
}

static void send_file(struct exchange *exchange, struct found *found, unsigned status,
                      struct lines *lines, struct range range)
{
    add(lines, "Content-Type", found->type);
    add(lines, "Accept-Ranges", "bytes");
    if (found->encoding != ENCODING_IDENTITY) {
        add(lines, "Content-Encoding", encoding_name(found->encoding));
    }
    if (status == 206) {
        (void)snprintf(lines->range, sizeof(lines->range), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                       range.offset, range.offset + range.length - 1,
                       (uint64_t)found->file.stat.st_size);
        add(lines, "Content-Range", lines->range);
    }
    enum exchange_result result = exchange_respond_file(
        exchange, status, lines->headers, lines->count, found->file.fd, range.offset, range.length);
    if (result != EXCHANGE_OK) {
        close(found->file.fd);
    }
    finish(exchange, result == EXCHANGE_OK || result == EXCHANGE_FULL ? 0 : 500);
}

static void send_unsatisfiable(struct exchange *exchange, const struct found *found)
{
    struct lines lines = {.count = 0};
    (void)snprintf(lines.range, sizeof(lines.range), "bytes */%" PRIu64,
                   (uint64_t)found->file.stat.st_size);
    add(&lines, "Content-Range", lines.range);
    close(found->file.fd);
    reply(exchange, 416, lines.headers, lines.count);
}

static void send_found(const struct static_folder *folder, struct exchange *exchange,
                       struct found *found)
{
    const struct request *request = exchange_request(exchange);
    struct lines lines = {.count = 0};
    struct range range = {0, (uint64_t)found->file.stat.st_size};
    enum condition condition = conditional_check(request, &found->validators);
    if (condition != CONDITION_HOLDS) {
        bool same = condition == CONDITION_NOT_MODIFIED;
        close(found->file.fd);
        add_common(folder, found, &lines);
        reply(exchange, same ? 304 : 412, lines.headers, same ? lines.count : 0);
        return;
    }
    const struct header *header = request_header(request, "range", 5);
    enum range_result result = RANGE_WHOLE;
    if (header != NULL && request->method == METHOD_GET &&
        conditional_range_counts(request, &found->validators)) {
        result = range_parse(header->value, range.length, &range);
    }
    if (result == RANGE_UNSATISFIABLE) {
        send_unsatisfiable(exchange, found);
        return;
    }
    add_common(folder, found, &lines);
    send_file(exchange, found, result == RANGE_PART ? 206 : 200, &lines, range);
}

/* ---- What a path means ---- */

/* "%2F" is no separator, and no name holds a slash: nothing is there. */
static bool hides_slash(const struct request *request)
{
    struct text target = request->target;
    size_t size = target.size - (request->query.data != NULL ? request->query.size + 1 : 0);
    for (size_t i = 0; i + 2 < size; i++) {
        if (target.data[i] == '%' && target.data[i + 1] == '2' &&
            (target.data[i + 2] | 0x20) == 'f') {
            return true;
        }
    }
    return false;
}

/* Where the file for `path` lies: in `ret`, of PATH_BYTES. 0: nowhere. */
static size_t place_of(const struct static_folder *folder, struct text path, char *ret)
{
    const char *index = folder->options.index;
    bool slash = path.size == 0 || path.data[path.size - 1] == '/';
    if ((path.size > 0 && !static_path_is_valid(path.data, path.size, folder->options.dotfiles)) ||
        (slash && index == NULL)) {
        return 0;
    }
    memcpy(ret, path.data, path.size);
    size_t size = path.size;
    if (slash) {
        size_t index_size = strlen(index);
        memcpy(ret + size, index, index_size);
        size += index_size;
    }
    ret[size] = '\0';
    return size;
}

static enum static_found open_path(const struct static_folder *folder,
                                   const struct request *request, char *path, size_t size,
                                   struct found *found)
{
    enum static_found result = size == 0 ? STATIC_NOTHING
                                         : static_file_open(folder->fd, path, &found->file);
    if (result == STATIC_FILE) {
        found->type = mime_type((struct text){path, size});
        if (folder->options.precompressed) {
            prefer_sibling(folder, request, path, size, found);
        }
    }
    return result;
}

void static_folder_answer(const struct static_folder *folder, struct exchange *exchange,
                          struct env *env)
{
    const struct request *request = exchange_request(exchange);
    if (request->param_count == 0) {
        redirect_to_slash(exchange);
        return;
    }
    char path[PATH_BYTES];
    struct found found = {.encoding = ENCODING_IDENTITY};
    struct text rest = request->params[request->param_count - 1].value;
    size_t size = hides_slash(request) ? 0 : place_of(folder, rest, path);
    enum static_found result = open_path(folder, request, path, size, &found);
    if (result == STATIC_FOLDER && rest.size > 0 && rest.data[rest.size - 1] != '/') {
        redirect_to_slash(exchange);
        return;
    }
    const char *fallback = folder->options.fallback;
    if (result != STATIC_FILE && result != STATIC_EXHAUSTED && fallback != NULL) {
        found.fallback = true;
        size = strlen(fallback);
        memcpy(path, fallback, size + 1);
        result = open_path(folder, request, path, size, &found);
    }
    if (result != STATIC_FILE) {
        finish(exchange, result == STATIC_EXHAUSTED ? 503 : 404);
        return;
    }
    set_validators(&found, env);
    send_found(folder, exchange, &found);
}
