#include "serve/websocket_handshake.h"

#include "base/token.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

enum { KEY_BYTES = 16, KEY_TEXT_BYTES = 24, WINDOW_BITS_MIN = 9, WINDOW_BITS_MAX = 15 };

static bool refuse(struct websocket_handshake *ret, unsigned status, const char *reason)
{
    ret->status = status;
    ret->reason = reason;
    return false;
}

/* ---- lists of tokens: RFC 9110, 5.6 ---- */

static void skip_blank(struct text *text)
{
    while (text->size > 0 && (*text->data == ' ' || *text->data == '\t')) {
        text->data++;
        text->size--;
    }
}

static bool take_byte(struct text *text, char byte)
{
    skip_blank(text);
    if (text->size == 0 || *text->data != byte) {
        return false;
    }
    text->data++;
    text->size--;
    return true;
}

/* Empty: there is none. */
static struct text take_token(struct text *text)
{
    skip_blank(text);
    struct text token = {text->data, 0};
    while (text->size > 0 && token_is_byte(*text->data)) {
        token.size++;
        text->data++;
        text->size--;
    }
    return token;
}

/* The next element of a list by commas, without the white space around it; quoted commas do not occur in the lists that
 * this is for. False: that was all. */
static bool take_element(struct text *list, struct text *ret)
{
    while (take_byte(list, ',')) {
    }
    if (list->size == 0) {
        return false;
    }
    const char *comma = memchr(list->data, ',', list->size);
    size_t size = comma == NULL ? list->size : (size_t)(comma - list->data);
    *ret = (struct text){list->data, size};
    list->data += size;
    list->size -= size;
    while (ret->size > 0 && (ret->data[ret->size - 1] == ' ' || ret->data[ret->size - 1] == '\t')) {
        ret->size--;
    }
    return true;
}

static bool name_is(const struct header *header, const char *name)
{
    return text_equal_nocase(header->name, name, strlen(name));
}

/* Whether a header, in one line or more, lists that token. */
static bool lists(const struct request *request, const char *name, const char *token)
{
    for (size_t i = 0; i < request->header_count; i++) {
        struct text list = request->headers[i].value, element;
        while (name_is(&request->headers[i], name) && take_element(&list, &element)) {
            if (text_equal_nocase(element, token, strlen(token))) {
                return true;
            }
        }
    }
    return false;
}

/* The value of a header that may stand there once. `*ret_count`: how often it does. */
static struct text single(const struct request *request, const char *name, unsigned *ret_count)
{
    struct text value = {0};
    *ret_count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (name_is(&request->headers[i], name)) {
            value = request->headers[i].value;
            ++*ret_count;
        }
    }
    return value;
}

/* ---- RFC 6455, 4.2.1 ---- */

static bool is_extended_connect(const struct request *request)
{
    return text_equal(request->protocol, "websocket");
}

bool websocket_is_wanted(const struct request *request)
{
    return is_extended_connect(request) ||
           (request->minor_version > 0 && request->protocol.size == 0 &&
            lists(request, "upgrade", "websocket") && lists(request, "connection", "upgrade"));
}

static bool check_version(const struct request *request, struct websocket_handshake *ret)
{
    unsigned count;
    struct text version = single(request, "sec-websocket-version", &count);
    if (count != 1 || !text_equal(version, "13")) {
        return refuse(ret, 426, "only version 13 of the WebSocket protocol is spoken here");
    }
    return true;
}

/* Base64 of 16 bytes, and the answer to it. */
static bool check_key(const struct request *request, struct websocket_handshake *ret)
{
    static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned count;
    struct text key = single(request, "sec-websocket-key", &count);
    bool good = count == 1 && key.size == KEY_TEXT_BYTES && memcmp(key.data + 22, "==", 2) == 0;
    for (size_t i = 0; good && i < 22; i++) {
        good = key.data[i] != '\0' && strchr(alphabet, key.data[i]) != NULL;
    }
    if (!good) {
        return refuse(ret, 400, "Sec-WebSocket-Key must be 16 bytes in base64");
    }
    unsigned char text[KEY_TEXT_BYTES + sizeof magic - 1], digest[SHA_DIGEST_LENGTH];
    memcpy(text, key.data, KEY_TEXT_BYTES);
    memcpy(text + KEY_TEXT_BYTES, magic, sizeof magic - 1);
    SHA1(text, sizeof text, digest);
    EVP_EncodeBlock((unsigned char *)ret->accept, digest, sizeof digest);
    return true;
}

/* What stands behind "https://": the host and port that a browser's page came from. */
static struct text host_of(struct text origin)
{
    for (size_t i = 0; i + 3 <= origin.size; i++) {
        if (memcmp(origin.data + i, "://", 3) == 0) {
            return (struct text){origin.data + i + 3, origin.size - i - 3};
        }
    }
    return (struct text){0};
}

static bool check_origin(const struct request *request, const struct websocket_options *options,
                         struct websocket_handshake *ret)
{
    unsigned count;
    struct text origin = single(request, "origin", &count);
    bool good = count == 0;
    if (count == 1 && options->origins == NULL) {
        struct text host = host_of(origin);
        good = host.size > 0 && text_equal_nocase(host, request->host.data, request->host.size);
    }
    for (size_t i = 0; !good && count == 1 && options->origins != NULL; i++) {
        const char *allowed = options->origins[i];
        if (allowed == NULL) {
            break;
        }
        good = strcmp(allowed, "*") == 0 || text_equal_nocase(origin, allowed, strlen(allowed));
    }
    return good || refuse(ret, 403, "pages of this origin may not connect here");
}

/* The first of the client's that the listener has too. */
static bool choose_subprotocol(const struct request *request,
                               const struct websocket_options *options,
                               struct websocket_handshake *ret)
{
    for (size_t i = 0; i < request->header_count; i++) {
        struct text list = request->headers[i].value, wanted;
        while (name_is(&request->headers[i], "sec-websocket-protocol") &&
               take_element(&list, &wanted)) {
            struct text rest = wanted;
            struct text token = take_token(&rest);
            if (token.size == 0 || rest.size > 0) {
                return refuse(ret, 400, "bad Sec-WebSocket-Protocol");
            }
            for (size_t k = 0; ret->subprotocol.size == 0 && options->subprotocols != NULL &&
                               options->subprotocols[k] != NULL;
                 k++) {
                if (text_equal(wanted, options->subprotocols[k])) {
                    ret->subprotocol = (struct text){options->subprotocols[k], wanted.size};
                }
            }
        }
    }
    return true;
}

/* ---- RFC 7692, 7.1 ---- */

enum parameter {
    SERVER_NO_TAKEOVER = 1,
    CLIENT_NO_TAKEOVER = 2,
    SERVER_WINDOW = 4,
    CLIENT_WINDOW = 8,
};

/* "=" and a token or a quoted one. False: the header is malformed. */
static bool take_value(struct text *text, struct text *ret, bool *ret_given)
{
    *ret = (struct text){0};
    *ret_given = take_byte(text, '=');
    if (!*ret_given) {
        return true;
    }
    bool quoted = take_byte(text, '"');
    *ret = take_token(text);
    return ret->size > 0 && (!quoted || take_byte(text, '"'));
}

/* 8 to 15, without zeros in front; 0: anything else. */
static unsigned window_bits(struct text value)
{
    unsigned bits = 0;
    for (size_t i = 0; i < value.size && i < 3; i++) {
        if (value.data[i] < '0' || value.data[i] > '9' || (i == 0 && value.data[i] == '0')) {
            return 0;
        }
        bits = bits * 10 + (unsigned)(value.data[i] - '0');
    }
    return bits >= 8 && bits <= WINDOW_BITS_MAX ? bits : 0;
}

/* One parameter of an offer. False: this offer cannot be taken. */
static bool weigh_parameter(struct text name, struct text value, bool given, unsigned *seen,
                            struct websocket_deflate_terms *terms)
{
    static const struct {
        const char *name;
        enum parameter parameter;
    } known[] = {
        {"server_no_context_takeover", SERVER_NO_TAKEOVER},
        {"client_no_context_takeover", CLIENT_NO_TAKEOVER},
        {"server_max_window_bits", SERVER_WINDOW},
        {"client_max_window_bits", CLIENT_WINDOW},
    };
    unsigned parameter = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (text_equal_nocase(name, known[i].name, strlen(known[i].name))) {
            parameter = known[i].parameter;
        }
    }
    if (parameter == 0 || (*seen & parameter) != 0) {
        return false;
    }
    *seen |= parameter;
    if (parameter == SERVER_WINDOW) {
        terms->window_bits = window_bits(value);
        terms->says_window = true;
        /* zlib cannot make a raw stream with a window of 256 bytes. */
        return terms->window_bits >= WINDOW_BITS_MIN;
    }
    if (parameter == CLIENT_WINDOW) {
        return !given || window_bits(value) != 0; /* We inflate with any. */
    }
    return !given;
}

/* One extension with its parameters. False: malformed. */
static bool take_offer(struct text *text, struct websocket_deflate_terms *ret)
{
    struct websocket_deflate_terms terms = {.window_bits = WINDOW_BITS_MAX};
    struct text name = take_token(text);
    bool good = text_equal_nocase(name, "permessage-deflate", 18);
    unsigned seen = 0;
    while (take_byte(text, ';')) {
        struct text parameter = take_token(text), value;
        bool given;
        if (parameter.size == 0 || !take_value(text, &value, &given)) {
            return false;
        }
        good = good && weigh_parameter(parameter, value, given, &seen, &terms);
    }
    skip_blank(text);
    if (good && !ret->on) {
        *ret = terms;
        ret->on = true;
    }
    return name.size > 0 && (text->size == 0 || *text->data == ',');
}

static bool choose_extension(const struct request *request, const struct websocket_options *options,
                             struct websocket_handshake *ret)
{
    struct websocket_deflate_terms terms = {0};
    for (size_t i = 0; i < request->header_count; i++) {
        if (!name_is(&request->headers[i], "sec-websocket-extensions")) {
            continue;
        }
        struct text text = request->headers[i].value;
        for (;;) {
            while (take_byte(&text, ',')) {
            }
            if (text.size == 0) {
                break;
            }
            if (!take_offer(&text, &terms)) {
                return refuse(ret, 400, "bad Sec-WebSocket-Extensions");
            }
        }
    }
    if (options->compression) {
        ret->deflate = terms;
    }
    return true;
}

size_t websocket_extension_format(const struct websocket_deflate_terms *terms,
                                  char ret[WEBSOCKET_EXTENSION_BYTES])
{
    char window[40] = "";
    if (terms->says_window) {
        (void)snprintf(window, sizeof window, "; server_max_window_bits=%u", terms->window_bits);
    }
    int size = snprintf(
        ret, WEBSOCKET_EXTENSION_BYTES,
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover%s", window);
    return (size_t)size;
}

void websocket_shake_hands(const struct request *request, const struct websocket_options *options,
                           struct websocket_handshake *ret)
{
    *ret = (struct websocket_handshake){0};
    bool extended = is_extended_connect(request);
    if (!websocket_is_wanted(request)) {
        (void)refuse(ret, 426, "a WebSocket is served here");
        return;
    }
    if (!extended && request->method != METHOD_GET) {
        (void)refuse(ret, 405, "a WebSocket is asked for with GET");
        return;
    }
    if (request->has_body && !extended) {
        (void)refuse(ret, 400, "a handshake has no body");
        return;
    }
    (void)(check_version(request, ret) && (extended || check_key(request, ret)) &&
           check_origin(request, options, ret) && choose_subprotocol(request, options, ret) &&
           choose_extension(request, options, ret));
}
