#include "serve/conditional.h"

#include "serve/field.h"
#include "serve/http_date.h"

#include <string.h>

/* Take one entity-tag and the comma behind it off the front: its opaque part, quotes included. False: there is none,
 * or it is malformed (13.1.1; a comma or a backslash within is nothing special). */
static bool take_tag(struct text *rest, struct text *ret, bool *ret_weak)
{
    while (rest->size > 0 &&
           (rest->data[0] == ' ' || rest->data[0] == '\t' || rest->data[0] == ',')) {
        *rest = (struct text){rest->data + 1, rest->size - 1};
    }
    *ret_weak = rest->size >= 2 && rest->data[0] == 'W' && rest->data[1] == '/';
    if (*ret_weak) {
        *rest = (struct text){rest->data + 2, rest->size - 2};
    }
    if (rest->size < 2 || rest->data[0] != '"') {
        return false;
    }
    const char *end = memchr(rest->data + 1, '"', rest->size - 1);
    if (end == NULL) {
        return false;
    }
    *ret = (struct text){rest->data, (size_t)(end + 1 - rest->data)};
    *rest = (struct text){end + 1, rest->size - ret->size};
    return true;
}

static bool tags_hold(struct text list, const char *etag, bool strongly)
{
    struct text tag;
    bool weak = false;
    if (text_equal(field_trim(list), "*")) {
        return true;
    }
    while (take_tag(&list, &tag, &weak)) {
        if (text_equal(tag, etag) && !(strongly && weak)) {
            return true;
        }
    }
    return false;
}

/* All lines of that name are one list. `*ret_there`: there is one at least. */
static bool any_holds(const struct request *request, struct text name, const char *etag,
                      bool strongly, bool *ret_there)
{
    bool holds = false;
    *ret_there = false;
    for (size_t i = 0; i < request->header_count; i++) {
        if (text_equal_nocase(request->headers[i].name, name.data, name.size)) {
            *ret_there = true;
            holds = holds || tags_hold(request->headers[i].value, etag, strongly);
        }
    }
    return holds;
}

/* The date in the header of that name; -1: not there, or no date. */
static int64_t date_in(const struct request *request, struct text name, int64_t now_s)
{
    const struct header *header = request_header(request, name.data, name.size);
    return header == NULL ? -1 : http_date_parse(header->value, now_s);
}

enum condition conditional_check(const struct request *request, const struct validators *validators)
{
    bool there = false;
    int64_t now_s = validators->now_s;
    if (!any_holds(request, (struct text){"if-match", 8}, validators->etag, true, &there)) {
        if (there) {
            return CONDITION_FAILED;
        }
        int64_t since = date_in(request, (struct text){"if-unmodified-since", 19}, now_s);
        if (since >= 0 && validators->modified_s > since) {
            return CONDITION_FAILED;
        }
    }
    if (any_holds(request, (struct text){"if-none-match", 13}, validators->etag, false, &there)) {
        return CONDITION_NOT_MODIFIED;
    }
    if (!there) {
        int64_t since = date_in(request, (struct text){"if-modified-since", 17}, now_s);
        if (since >= 0 && validators->modified_s <= since) {
            return CONDITION_NOT_MODIFIED;
        }
    }
    return CONDITION_HOLDS;
}

bool conditional_range_counts(const struct request *request, const struct validators *validators)
{
    const struct header *header = request_header(request, "if-range", 8);
    if (header == NULL) {
        return true;
    }
    struct text rest = header->value, tag;
    bool weak = false;
    if (take_tag(&rest, &tag, &weak)) {
        return !weak && rest.size == 0 && text_equal(tag, validators->etag);
    }
    int64_t since = http_date_parse(header->value, validators->now_s);
    return since == validators->modified_s && validators->now_s > validators->modified_s + 1;
}
