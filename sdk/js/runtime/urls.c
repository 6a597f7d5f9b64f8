/* URLs as the URL Standard has them: ada parses, JavaScript keeps the text. */
#include "runtime.h"

#include <ada_c.h>

static JSValue text_of(JSContext *ctx, ada_string text)
{
    return JS_NewStringLen(ctx, text.data, text.length);
}

/* [href, protocol, username, password, hostname, port, pathname, search, hash, host, origin] */
static JSValue url_parts(JSContext *ctx, ada_url url)
{
    JSValue made = JS_NewArray(ctx);
    if (JS_IsException(made)) {
        return made;
    }
    const ada_string parts[] = {
        ada_get_href(url),     ada_get_protocol(url), ada_get_username(url), ada_get_password(url),
        ada_get_hostname(url), ada_get_port(url),     ada_get_pathname(url), ada_get_search(url),
        ada_get_hash(url),     ada_get_host(url),
    };
    uint32_t count = sizeof parts / sizeof parts[0];
    for (uint32_t i = 0; i < count; i++) {
        JS_SetPropertyUint32(ctx, made, i, text_of(ctx, parts[i]));
    }
    ada_owned_string origin = ada_get_origin(url);
    JS_SetPropertyUint32(ctx, made, count, JS_NewStringLen(ctx, origin.data, origin.length));
    ada_free_owned_string(origin);
    return made;
}

/* url(text, base or undefined) -> its parts, or null */
NATIVE(url_parse)
{
    struct bytes text, base;
    if (!bytes_get(ctx, argv[0], &text)) {
        return JS_EXCEPTION;
    }
    if (!bytes_get(ctx, argv[1], &base)) {
        bytes_free(ctx, &text);
        return JS_EXCEPTION;
    }
    ada_url url = JS_IsUndefined(argv[1]) ? ada_parse((const char *)text.data, text.size)
                                          : ada_parse_with_base((const char *)text.data, text.size,
                                                                (const char *)base.data, base.size);
    JSValue parts = ada_is_valid(url) ? url_parts(ctx, url) : JS_NULL;
    ada_free(url);
    bytes_free(ctx, &text);
    bytes_free(ctx, &base);
    return parts;
}

typedef bool (*setter)(ada_url url, const char *text, size_t size);

static bool set_search(ada_url url, const char *text, size_t size)
{
    ada_set_search(url, text, size);
    return true;
}

static bool set_hash(ada_url url, const char *text, size_t size)
{
    ada_set_hash(url, text, size);
    return true;
}

/* urlSet(href, which part, text) -> the parts after it, or null */
NATIVE(url_set)
{
    static const setter setters[] = {
        ada_set_href, ada_set_protocol, ada_set_username, ada_set_password, ada_set_hostname,
        ada_set_port, ada_set_pathname, set_search,       set_hash,         ada_set_host,
    };
    uint32_t part = 0;
    struct bytes href, text;
    if (JS_ToUint32(ctx, &part, argv[1]) != 0 || part >= sizeof setters / sizeof setters[0] ||
        !bytes_get(ctx, argv[0], &href)) {
        return JS_EXCEPTION;
    }
    if (!bytes_get(ctx, argv[2], &text)) {
        bytes_free(ctx, &href);
        return JS_EXCEPTION;
    }
    ada_url url = ada_parse((const char *)href.data, href.size);
    bool good = ada_is_valid(url) &&
                (setters[part](url, (const char *)text.data, text.size) || part != 0);
    JSValue parts = good ? url_parts(ctx, url) : JS_NULL;
    ada_free(url);
    bytes_free(ctx, &href);
    bytes_free(ctx, &text);
    return parts;
}

static const JSCFunctionListEntry entries[] = {
    JS_CFUNC_DEF("url", 2, url_parse),
    JS_CFUNC_DEF("urlSet", 3, url_set),
};

const struct natives url_natives = {entries, sizeof entries / sizeof entries[0]};
