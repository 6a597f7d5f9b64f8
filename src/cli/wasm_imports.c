#include "cli/wasm_imports.h"

#include "cli/wasm_cursor.h"

#include <string.h>

enum { HEADER_BYTES = 8 };

/* Sections that hold imports: of a module, of a component. */
enum { SECTION_IMPORT = 2, SECTION_COMPONENT_IMPORT = 10 };

enum { EXTERN_FUNCTION, EXTERN_TABLE, EXTERN_MEMORY, EXTERN_GLOBAL, EXTERN_TAG };
enum { LIMITS_MAX = 0x01, LIMITS_PAGE_SIZE = 0x08 };
enum { REFERENCE_NULLABLE = 0x63, REFERENCE = 0x64 };
enum { LEB_SIGNED_BYTES_MAX = 5, LEB_WIDE_BYTES_MAX = 10 };

/* Of a component: https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md */
enum { SORT_CORE, SORT_FUNCTION, SORT_VALUE, SORT_TYPE, SORT_COMPONENT, SORT_INSTANCE };
enum { SORT_CORE_MODULE = 0x11 };
enum { NAME_WITH_SUFFIX = 0x02 };

struct visitor {
    void (*visit)(void *argument, const struct wasm_import *import);
    void *argument;
};

static void skip_value_type(struct cursor *cursor)
{
    uint8_t type = cursor_byte(cursor);
    if (type == REFERENCE_NULLABLE || type == REFERENCE) {
        (void)cursor_signed(cursor, LEB_SIGNED_BYTES_MAX);
    }
}

/* Numbers of up to 64 bits, whose values do not matter here. */
static void skip_limits(struct cursor *cursor)
{
    uint8_t flags = cursor_byte(cursor);
    (void)cursor_signed(cursor, LEB_WIDE_BYTES_MAX);
    if ((flags & LIMITS_MAX) != 0) {
        (void)cursor_signed(cursor, LEB_WIDE_BYTES_MAX);
    }
    if ((flags & LIMITS_PAGE_SIZE) != 0) {
        (void)cursor_number(cursor);
    }
}

/* False: of a kind that is not known. */
static bool skip_extern(struct cursor *cursor)
{
    switch (cursor_byte(cursor)) {
    case EXTERN_FUNCTION:
        (void)cursor_number(cursor);
        return true;
    case EXTERN_TABLE:
        skip_value_type(cursor);
        skip_limits(cursor);
        return true;
    case EXTERN_MEMORY:
        skip_limits(cursor);
        return true;
    case EXTERN_GLOBAL:
        skip_value_type(cursor);
        (void)cursor_byte(cursor);
        return true;
    case EXTERN_TAG:
        (void)cursor_byte(cursor);
        (void)cursor_number(cursor);
        return true;
    default:
        return false;
    }
}

static bool visit_module(struct cursor body, const struct visitor *visitor)
{
    uint32_t count = cursor_number(&body);
    for (uint32_t i = 0; i < count; i++) {
        struct cursor module = cursor_name(&body);
        struct cursor name = cursor_name(&body);
        if (!skip_extern(&body) || body.failed) {
            return false;
        }
        struct wasm_import import = {.module = (const char *)module.at,
                                     .module_bytes = cursor_left(&module),
                                     .name = (const char *)name.at,
                                     .name_bytes = cursor_left(&name)};
        visitor->visit(visitor->argument, &import);
    }
    return cursor_done(&body);
}

/* False: of a kind that is not known. */
static bool skip_component_extern(struct cursor *cursor)
{
    switch (cursor_byte(cursor)) {
    case SORT_CORE:
        if (cursor_byte(cursor) != SORT_CORE_MODULE) {
            return false;
        }
        (void)cursor_number(cursor);
        return true;
    case SORT_VALUE:
    case SORT_TYPE:
        /* A bound: equal to an index; or, of a type, any resource, which has none. */
        if (cursor_byte(cursor) == 0) {
            (void)cursor_number(cursor);
        }
        return true;
    case SORT_FUNCTION:
    case SORT_COMPONENT:
    case SORT_INSTANCE:
        (void)cursor_number(cursor);
        return true;
    default:
        return false;
    }
}

static bool visit_component(struct cursor body, const struct visitor *visitor)
{
    uint32_t count = cursor_number(&body);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t form = cursor_byte(&body);
        struct cursor name = cursor_name(&body);
        if (form == NAME_WITH_SUFFIX) {
            (void)cursor_name(&body);
        }
        if (form > NAME_WITH_SUFFIX || !skip_component_extern(&body) || body.failed) {
            return false;
        }
        struct wasm_import import = {
            .module = (const char *)name.at, .module_bytes = cursor_left(&name), .name = ""};
        visitor->visit(visitor->argument, &import);
    }
    return cursor_done(&body);
}

bool wasm_imports_visit(const struct bytes *wasm, enum wasm_kind *ret_kind,
                        void (*visit)(void *argument, const struct wasm_import *import),
                        void *argument)
{
    static const uint8_t module[HEADER_BYTES] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    static const uint8_t component[HEADER_BYTES] = {0, 'a', 's', 'm', 13, 0, 1, 0};
    const struct visitor visitor = {.visit = visit, .argument = argument};
    if (wasm->size < HEADER_BYTES) {
        return false;
    }
    bool is_component = memcmp(wasm->data, component, HEADER_BYTES) == 0;
    if (!is_component && memcmp(wasm->data, module, HEADER_BYTES) != 0) {
        return false;
    }
    *ret_kind = is_component ? WASM_COMPONENT : WASM_MODULE;
    uint8_t wanted = is_component ? SECTION_COMPONENT_IMPORT : SECTION_IMPORT;
    struct cursor cursor = {.at = wasm->data + HEADER_BYTES, .end = wasm->data + wasm->size};
    while (cursor_left(&cursor) > 0) {
        uint8_t id = cursor_byte(&cursor);
        struct cursor body = cursor_name(&cursor);
        if (body.failed) {
            return false;
        }
        if (id == wanted &&
            !(is_component ? visit_component(body, &visitor) : visit_module(body, &visitor))) {
            return false;
        }
    }
    return !cursor.failed;
}
