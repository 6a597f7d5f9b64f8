#include "serve/shaping.h"

#include <string.h>

static struct text text_of(const char *text)
{
    return (struct text){text, strlen(text)};
}

/* `prefix` and `suffix` go around the value. */
static bool add_line(struct shaped_lines *lines, struct text name, const char *prefix,
                     struct text value, const char *suffix)
{
    struct bytes *content = lines->content;
    size_t prefix_size = strlen(prefix), suffix_size = strlen(suffix);
    if (content->size + name.size + value.size + prefix_size + suffix_size > lines->max_bytes) {
        return false;
    }
    lines->out_of_memory = !bytes_append(content, name.data, name.size) ||
                           !bytes_append(content, ": ", 2) ||
                           !bytes_append(content, prefix, prefix_size) ||
                           !bytes_append(content, value.data, value.size) ||
                           !bytes_append(content, suffix, suffix_size) ||
                           !bytes_append(content, "\r\n", 2);
    return !lines->out_of_memory;
}

/* False: it may not be sent. `*ret_dropped`: ours is sent instead. */
static bool check(struct shaped_lines *lines, const struct header *header, bool *ret_dropped)
{
    enum field_kind kind = field_kind_of(header->name);
    if (kind == FIELD_CONNECTION || !field_is_valid(header)) {
        return false;
    }
    *ret_dropped = kind == FIELD_REQUEST_ID;
    lines->has_date = lines->has_date || kind == FIELD_DATE;
    lines->has_server = lines->has_server || kind == FIELD_SERVER;
    return true;
}

bool shaping_add_plain(struct shaped_lines *lines, const struct header *headers,
                       size_t header_count)
{
    struct bytes *content = lines->content;
    for (size_t i = 0; i < header_count; i++) {
        const struct header *header = &headers[i];
        bool dropped = false;
        if (!check(lines, header, &dropped)) {
            return false;
        }
        if (dropped) {
            continue;
        }
        if (content->size + header->name.size + header->value.size > lines->max_bytes) {
            return false;
        }
        if (!bytes_append(content, header->name.data, header->name.size) ||
            !bytes_append(content, ": ", 2) ||
            !bytes_append(content, header->value.data, header->value.size) ||
            !bytes_append(content, "\r\n", 2)) {
            lines->out_of_memory = true;
            return false;
        }
    }
    return true;
}

/* ---- Changed ones ---- */

static bool is_called(const struct header *header, const char *name)
{
    return text_equal_nocase(header->name, name, strlen(name));
}

/* What an answer varies by besides what its own Vary says, as the end of such a header: ", Accept-Encoding". */
static const char *missing_in_vary(const struct header *headers, size_t header_count, bool coding,
                                   bool origin)
{
    for (size_t i = 0; i < header_count; i++) {
        if (!is_called(&headers[i], "vary")) {
            continue;
        }
        bool all = field_list_has(headers[i].value, "*", 1);
        coding = coding && !all && !field_list_has(headers[i].value, "accept-encoding", 15);
        origin = origin && !all && !field_list_has(headers[i].value, "origin", 6);
    }
    static const char *const ends[2][2] = {{"", ", Origin"},
                                           {", Accept-Encoding", ", Accept-Encoding, Origin"}};
    return ends[coding][origin];
}

/* Which the listener says itself. */
static bool is_dropped(const struct shaping *shaping, bool coded, const struct header *header)
{
    if (shaping->cors != NULL && (is_called(header, "access-control-allow-origin") ||
                                  is_called(header, "access-control-allow-credentials") ||
                                  is_called(header, "access-control-expose-headers"))) {
        return true;
    }
    return coded && is_called(header, "accept-ranges");
}

static bool add_origin_lines(const struct shaping *shaping, const struct request *request,
                             struct shaped_lines *lines)
{
    struct header headers[CORS_HEADERS_MAX];
    struct text origin = {0};
    if (shaping->cors != NULL) {
        origin = cors_origin(shaping->cors, request);
    }
    size_t count = origin.size == 0 ? 0 : cors_headers(shaping->cors, origin, headers);
    for (size_t i = 0; i < count; i++) {
        if (!add_line(lines, headers[i].name, "", headers[i].value, "")) {
            return false;
        }
    }
    return true;
}

bool shaping_add_lines(const struct shaping *shaping, const struct request *request,
                       struct compression_choice choice, struct shaped_lines *lines,
                       const struct header *headers, size_t header_count)
{
    bool coded = choice.encoding != ENCODING_IDENTITY;
    const char *vary = missing_in_vary(headers, header_count, choice.varies,
                                       shaping->cors != NULL && cors_varies(shaping->cors));
    for (size_t i = 0; i < header_count; i++) {
        const struct header *header = &headers[i];
        bool dropped = false;
        if (!check(lines, header, &dropped)) {
            return false;
        }
        if (dropped || is_dropped(shaping, coded, header)) {
            continue;
        }
        bool strong = coded && is_called(header, "etag") && header->value.size > 0 &&
                      header->value.data[0] == '"';
        bool takes_vary = vary[0] != 0 && is_called(header, "vary") && header->value.size > 0;
        if (!add_line(lines, header->name, strong ? "W/" : "", header->value,
                      takes_vary ? vary : "")) {
            return false;
        }
        vary = takes_vary ? "" : vary;
    }
    if (coded && !add_line(lines, text_of("Content-Encoding"), "",
                           text_of(encoding_name(choice.encoding)), "")) {
        return false;
    }
    if (vary[0] != 0 && !add_line(lines, text_of("Vary"), "", text_of(vary + 2), "")) {
        return false;
    }
    return add_origin_lines(shaping, request, lines);
}
