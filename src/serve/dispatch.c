#include "serve/dispatch.h"

#include <string.h>

void dispatch_reply(struct exchange *exchange, unsigned status, const char *text,
                    const struct header *headers, size_t header_count)
{
    struct exchange_outcome outcome = {
        .status = status, .text = text, .retry_after_s = status == 503 ? EXCHANGE_RETRY_S : 0};
    exchange_dispatching(exchange);
    exchange_retain(exchange);
    if (header_count > 0) {
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

/* False: no route leads there, which it was told. */
static bool match_route(struct exchange *exchange, const struct route_table *routes,
                        void **ret_target)
{
    struct request *request = &exchange->request;
    struct route_match match = route_table_match(routes, request);
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
    if (UNLIKELY(site->rate != NULL) && !may_ask(exchange, site->rate)) {
        return DISPATCH_REPLIED;
    }
    if (request->body_sized && request->body_bytes > options->body_bytes_max) {
        dispatch_reply(exchange, 413, NULL, NULL, 0);
        return DISPATCH_TOO_LARGE;
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

void dispatch_run(struct exchange *exchange, const struct lane *lane, const struct site *site,
                  void *target)
{
    if (!holding_has_room(&lane->holding, 0)) {
        dispatch_reply(exchange, 503, "too much waits for its readers", NULL, 0);
        return;
    }
    exchange_dispatching(exchange);
    exchange_retain(exchange);
    site->options.dispatcher->dispatch(exchange, target, lane->loop);
}
