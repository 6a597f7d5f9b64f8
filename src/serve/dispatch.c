#include "serve/dispatch.h"

#include "serve/notice.h"
#include "serve/static_folder.h"
#include "serve/target.h"

#include "serve/forwarded.h"
#include "serve/websocket_handshake.h"
#include <stdio.h>

#include <string.h>

void dispatch_reply(struct exchange *exchange, unsigned status, const char *text,
                    const struct header *headers, size_t header_count)
{
    struct exchange_outcome outcome = {
        .status = status, .text = text, .retry_after_s = status == 503 ? EXCHANGE_RETRY_S : 0};
    exchange_dispatching(exchange);
    exchange_retain(exchange);
    if (header_count > 0 || status == 204) {
        size_t size = text == NULL ? 0 : strlen(text);
        enum exchange_result result = exchange_respond(exchange, status, headers, header_count,
                                                       text, size);
        if (result == EXCHANGE_OK) {
            outcome = (struct exchange_outcome){0};
        }
    }
    exchange_finish(exchange, &outcome);
}

static void reply_allow(struct exchange *exchange, unsigned status, const char *allow)
{
    static const struct text plain = {"text/plain; charset=utf-8", 25};
    struct header headers[] = {
        {.name = {"Allow", 5}, .value = {allow, strlen(allow)}},
        {.name = {"Content-Type", 12}, .value = plain},
    };
    if (status == 204) {
        dispatch_reply(exchange, status, NULL, headers, 1);
    } else {
        dispatch_reply(exchange, status, "Method Not Allowed\n", headers, 2);
    }
}

/* A preflight is answered for whoever would answer the request itself; to an origin that is not allowed it says
 * nothing. */
static void reply_preflight(struct exchange *exchange, const struct cors *cors)
{
    struct header headers[CORS_HEADERS_MAX];
    size_t count = 0;
    if (cors_origin(cors, &exchange->request).size > 0) {
        count = cors_preflight_headers(cors, headers);
    }
    dispatch_reply(exchange, 204, NULL, headers, count);
}

/* RFC 9110, 7.4: where to is what the client believes to talk to, if that can be a host at all. */
static void reply_redirect(struct exchange *exchange, uint16_t port)
{
    const struct request *request = &exchange->request;
    struct text host = request->host;
    const char *colon = host.size == 0 ? NULL : memrchr(host.data, ':', host.size);
    if (colon != NULL && memchr(colon, ']', host.size - (size_t)(colon - host.data)) == NULL) {
        host.size = (size_t)(colon - host.data);
    }
    if (host.size == 0 || !authority_is_valid(host)) {
        dispatch_reply(exchange, 400, "no host to send you to", NULL, 0);
        return;
    }
    char number[8] = "";
    if (port != 443) {
        (void)snprintf(number, sizeof(number), ":%u", port);
    }
    AUTO(bytes_finip) struct bytes location = {0};
    bool starred = text_equal(request->target, "*");
    if (!bytes_printf(&location, "https://%.*s%s", (int)host.size, host.data, number) ||
        !bytes_append(&location, request->target.data, starred ? 0 : request->target.size)) {
        dispatch_reply(exchange, 503, NULL, NULL, 0);
        return;
    }
    struct header header = {.name = {"Location", 8},
                            .value = {(const char *)location.data, location.size}};
    dispatch_reply(exchange, 308, NULL, &header, 1);
}

/* What a listener answers whatever its routes. False: nothing. */
static bool reply_first(struct exchange *exchange, const struct serve_options *options)
{
    if (options->redirects_to_https && !exchange->request.secure) {
        reply_redirect(exchange, options->https_port);
        return true;
    }
    if (options->cors != NULL && cors_is_preflight(&exchange->request)) {
        reply_preflight(exchange, options->cors);
        return true;
    }
    return UNLIKELY(options->notice != NULL) && notice_reply(options->notice, exchange);
}

/* A request for a WebSocket goes to a route for those, if there is one, else it is a request like others (RFC 9110, 7.8);
 * and a GET without that, to a path that has nothing else, is told so by that route. */
static struct route_match find_route(const struct route_table *routes, struct request *request)
{
    static const struct text websocket = {ROUTE_WEBSOCKET, sizeof ROUTE_WEBSOCKET - 1};
    if (text_equal(request->method_name, ROUTE_WEBSOCKET)) {
        return (struct route_match){.target = NULL};
    }
    struct route_match match = {.target = NULL};
    bool wanted = websocket_is_wanted(request);
    if (wanted) {
        match = route_table_match_as(routes, request, websocket);
    }
    if (match.target == NULL && request->protocol.size == 0) {
        match = route_table_match(routes, request);
    }
    if (match.target == NULL && match.path_exists && !wanted && request->method == METHOD_GET) {
        struct route_match other = route_table_match_as(routes, request, websocket);
        match = other.target != NULL ? other : match;
    }
    return match;
}

/* False: no route leads there, which it was told. */
static bool match_route(struct exchange *exchange, const struct route_table *routes,
                        void **ret_target)
{
    struct request *request = &exchange->request;
    struct route_match match = find_route(routes, request);
    *ret_target = match.target;
    if (match.target != NULL) {
        return true;
    }
    if (request->method == METHOD_OTHER) {
        dispatch_reply(exchange, 501, NULL, NULL, 0);
    } else if (!match.path_exists) {
        dispatch_reply(exchange, 404, NULL, NULL, 0);
    } else {
        reply_allow(exchange, request->method == METHOD_OPTIONS ? 204 : 405, match.allow);
    }
    return false;
}

/* False: its address has asked too often, which it was told. */
static bool may_ask(struct exchange *exchange, struct rate *rate)
{
    unsigned wait_s = rate_request(rate, rate_key_parse(exchange->request.remote),
                                   exchange->home->worker->now_ns);
    if (wait_s == 0) {
        return true;
    }
    exchange_dispatching(exchange);
    exchange_retain(exchange);
    exchange_finish(exchange, &(struct exchange_outcome){.status = 429, .retry_after_s = wait_s});
    return false;
}

enum dispatch dispatch_look(struct exchange *exchange, const struct site *site, void **ret_target)
{
    struct request *request = &exchange->request;
    const struct serve_options *options = &site->options;
    *ret_target = options->target;
    exchange->shaping = UNLIKELY(site->shapes) ? &site->shaping : NULL;
    if (UNLIKELY(request->from_proxy)) {
        struct forwarders forwarders = {options->trusted, options->trusted_count};
        const char *wrong = forwarded_apply(request, &forwarders);
        if (wrong != NULL) {
            dispatch_reply(exchange, 400, wrong, NULL, 0);
            return DISPATCH_REPLIED;
        }
    }
    if (UNLIKELY(site->rate != NULL) && !may_ask(exchange, site->rate)) {
        return DISPATCH_REPLIED;
    }
    if (request->body_sized && request->body_bytes > options->body_bytes_max) {
        dispatch_reply(exchange, 413, NULL, NULL, 0);
        return DISPATCH_TOO_LARGE;
    }
    if (reply_first(exchange, options)) {
        return DISPATCH_REPLIED;
    }
    if (request->method == METHOD_OPTIONS && text_equal(request->target, "*")) {
        reply_allow(exchange, 204, "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS");
        return DISPATCH_REPLIED;
    }
    if (options->routes != NULL && !match_route(exchange, options->routes, ret_target)) {
        return DISPATCH_REPLIED;
    }
    return DISPATCH_WANTED;
}

/* The target, if it is a folder of the site's. */
static const struct static_folder *folder_of(const struct site *site, const void *target)
{
    for (size_t i = 0; i < site->options.folder_count; i++) {
        if (target == &site->options.folders[i]) {
            return &site->options.folders[i];
        }
    }
    return NULL;
}

void dispatch_run(struct exchange *exchange, const struct lane *lane, const struct site *site,
                  void *target)
{
    if (!holding_has_room(&lane->holding, 0)) {
        dispatch_reply(exchange, 503, "too much waits for its readers", NULL, 0);
        return;
    }
    exchange_dispatching(exchange);
    exchange_retain(exchange);
    const struct static_folder *folder = folder_of(site, target);
    if (folder != NULL) {
        static_folder_answer(folder, exchange, lane->env);
        return;
    }
    site->options.dispatcher->dispatch(exchange, target, lane->loop);
}
