/* spawn_from(): a process of a template, of code that the guest brings or names. */
#include "guest/abi_internal.h"
#include "guest/abi_spawn.h"

#include "base/log.h"
#include "core/node.h"
#include "guest/cache.h"
#include "guest/dynamic.h"
#include "guest/fetch.h"
#include "guest/scratch.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* So much is copied, hashed or received at once: more would keep others waiting for too long. */
    PIECE_BYTES = 128 << 10,
    URL_REDIRECTS_MAX = 5,
};
#define URL_TIME_NS (UINT64_C(30) * 1000 * ABI_MILLISECOND_NS)

/* A call that could not be answered at once. */
struct order {
    struct guest *guest;
    struct dynamic *dynamic;
    const struct component *template; /* constant */
    struct fetch *fetch;              /* of a URL, until all of it is there */
    struct pipe_end *body;            /* likewise */
    EVP_MD_CTX *hash;                 /* while the source is gathered */
    struct bytes wasm;                /* all of it is held */
    struct dynamic_code *code;        /* once it is known which; a reference */
    struct dynamic_waiter waiter;
};

/* What the call says; good for one try. */
struct request {
    struct spawn_target target;
    struct abi_spawn_options options;
    struct abi_spawned *window; /* or NULL */
    const uint8_t *source, *input;
    size_t source_bytes, input_bytes;
    struct dynamic_source parsed;
};

/* ---- orders ---- */

static void stop_fetching(struct order *order)
{
    if (order->body != NULL) {
        pipe_finish(TAKE(order->body), false, PIPE_NO_REASON);
        order->guest->transfers--;
    }
    fetch_destroy(TAKE(order->fetch));
}

static void order_destroy(struct order *order, bool abandons)
{
    if (order == NULL) {
        return;
    }
    if (order->code != NULL) {
        dynamic_wait_no_more(order->code, &order->waiter, abandons);
        dynamic_release(order->code);
    }
    stop_fetching(order);
    EVP_MD_CTX_free(order->hash);
    dynamic_let_go(order->dynamic, order->wasm.size);
    bytes_fini(&order->wasm);
    free(order);
}

void abi_order_destroy(struct guest *guest)
{
    order_destroy(TAKE(guest->order), true);
}

static struct order *order_create(struct guest *guest, struct dynamic *dynamic,
                                  const struct component *template)
{
    struct order *order = calloc(1, sizeof *order);
    EVP_MD_CTX *hash = order == NULL ? NULL : EVP_MD_CTX_new();
    if (hash == NULL || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(hash);
        free(order);
        return NULL;
    }
    order->guest = guest;
    order->dynamic = dynamic;
    order->template = template;
    order->hash = hash;
    list_init(&order->waiter.member);
    return order;
}

/* ---- gathering a source ---- */

/* One more piece. 0, or what the host function answers. */
static int32_t gather(struct order *order, const uint8_t *data, size_t size)
{
    if (order->wasm.size + size > DYNAMIC_SOURCE_BYTES_MAX || !dynamic_hold(order->dynamic, size)) {
        return ABI_LIMIT;
    }
    if (!bytes_append(&order->wasm, data, size) || EVP_DigestUpdate(order->hash, data, size) != 1) {
        dynamic_let_go(order->dynamic, size);
        return ABI_NO_MEMORY;
    }
    return 0;
}

/* All of it is there: have it loaded. */
static int32_t gathered(struct order *order)
{
    unsigned char digest[DYNAMIC_DIGEST_BYTES];
    unsigned digest_bytes = 0;
    if (EVP_DigestFinal_ex(order->hash, digest, &digest_bytes) != 1) {
        return ABI_NO_MEMORY;
    }
    struct err *err = scratch_err();
    struct bytes wasm = order->wasm;
    order->wasm = (struct bytes){0};
    order->code = dynamic_load(order->dynamic, order->template, digest, &wasm, err);
    return order->code != NULL ? 0 : err->code == ERR_DENIED ? ABI_MISPLACED : abi_error_of(err);
}

/* What the guest's memory holds; it stands still until the call is answered. True: go on in another turn. */
static bool gather_inline(struct order *order, const struct request *request, int32_t *ret_error)
{
    size_t done = order->wasm.size;
    size_t left = request->source_bytes - done;
    size_t piece = left < PIECE_BYTES ? left : PIECE_BYTES;
    *ret_error = gather(order, request->source + done, piece);
    if (*ret_error == 0 && piece < left) {
        return true;
    }
    *ret_error = *ret_error == 0 ? gathered(order) : *ret_error;
    return false;
}

/* ---- from a URL ---- */

static void holder_retain(void *process)
{
    process_retain(process);
}

static void holder_wake(void *process)
{
    process_wake(process);
    process_release(process);
}

static int32_t begin_url(struct order *order, const struct dynamic_source *source)
{
    struct guest *guest = order->guest;
    struct process *process = guest_process(guest);
    struct fetcher *fetcher = fetcher_of(process->node);
    const struct grant *grant = guest_grant(guest);
    if (fetcher == NULL || grant->network == NULL) {
        return ABI_MISPLACED;
    }
    if (guest->transfers >= grant->fetches_max) {
        return ABI_LIMIT;
    }
    struct fetch_request request = {.method = "GET",
                                    .method_bytes = 3,
                                    .url = source->text,
                                    .url_bytes = source->text_bytes,
                                    .whole_ns = URL_TIME_NS,
                                    .redirects_max = URL_REDIRECTS_MAX,
                                    .buffer_bytes = FETCH_BUFFER_BYTES_MIN};
    fetch_request_limit(&request, grant);
    struct stream_waker waker = {.wake = holder_wake, .argument = process, .retain = holder_retain};
    struct pipe_end *writer = NULL;
    struct err *err = scratch_err();
    order->fetch = fetch_start(fetcher, &request, waker, &writer, &order->body, err);
    if (order->fetch == NULL) {
        if (err->code == ERR_DENIED) {
            guest_log_denied(guest, "spawn_from", err->text);
        }
        return abi_error_of(err);
    }
    guest->transfers++;
    pipe_set_owner(order->body, process);
    return 0;
}

static int32_t url_failed(struct order *order)
{
    char line[NETWORK_ADVICE_BYTES], text[FETCH_TEXT_BYTES];
    enum fetch_error error = fetch_error(order->fetch, text);
    if (error == FETCH_DENIED && fetch_denial(order->fetch, line)) {
        guest_log_denied(order->guest, "spawn_from", line);
        return ABI_DENIED;
    }
    guest_log(order->guest, LOG_WARN, "spawn_from", text, strlen(text));
    return error == FETCH_DENIED ? ABI_DENIED : ABI_ABORTED;
}

/* What has come of its body. True: more may come, its process will be woken; or it is woken. */
static bool receive(struct order *order, int32_t *ret_error)
{
    uint8_t *piece = scratch_room(SCRATCH_BYTES);
    for (size_t received = 0; received < PIECE_BYTES;) {
        size_t read = 0;
        switch (stream_read(pipe_stream(order->body), piece, SCRATCH_BYTES, &read)) {
        case STREAM_OK:
            received += read;
            *ret_error = gather(order, piece, read);
            if (*ret_error != 0) {
                return false;
            }
            continue;
        case STREAM_WAIT:
            return true;
        case STREAM_ENDED:
            stop_fetching(order);
            if (dynamic_source_parse(order->wasm.data, order->wasm.size).kind != DYNAMIC_WASM) {
                *ret_error = ABI_MALFORMED;
                return false;
            }
            *ret_error = gathered(order);
            return false;
        case STREAM_ABORTED:
        case STREAM_CLOSED:
            *ret_error = url_failed(order);
            return false;
        }
    }
    process_wake(guest_process(order->guest));
    return true;
}

/* Likewise. */
static bool follow_url(struct order *order, int32_t *ret_error)
{
    enum { STATUS_OK = 200 };
    char line[64];
    int status;
    switch (fetch_poll(order->fetch)) {
    case FETCH_WAITS:
        return true;
    case FETCH_FAILED:
        *ret_error = url_failed(order);
        return false;
    case FETCH_ANSWERED:
        status = fetch_head(order->fetch)->status;
        if (status == STATUS_OK) {
            return receive(order, ret_error);
        }
        snprintf(line, sizeof line, "the URL of the code answers %d", status);
        guest_log(order->guest, LOG_WARN, "spawn_from", line, strlen(line));
        *ret_error = ABI_ABORTED;
        return false;
    }
    BUG("fetch state");
}

/* ---- code ---- */

static int32_t code_failed(struct guest *guest, const struct dynamic_code *code)
{
    const char *why = NULL;
    enum err_code error = dynamic_error(code, &why);
    switch (error) {
    case ERR_INPUT:
    case ERR_LIMIT:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
        guest_log(guest, LOG_WARN, "spawn_from", why, strlen(why));
        return ABI_MALFORMED;
    case ERR_DENIED:
        return ABI_MISPLACED;
    case ERR_NONE:
    case ERR_MEMORY:
    case ERR_OS:
        return ABI_NO_MEMORY;
    }
    BUG("error of code");
}

static int32_t spawn_code(struct guest *guest, const struct request *request,
                          const struct dynamic_code *code)
{
    if (dynamic_poll(code) == DYNAMIC_FAILED) {
        return code_failed(guest, code);
    }
    struct spawn_target target = request->target;
    struct abi_spawned spawned = {0};
    target.editions = dynamic_editions(code);
    int32_t error = spawn_now(guest, &target, &request->options, request->input,
                              request->input_bytes, &spawned);
    if (error == 0 && request->window != NULL) {
        memcpy(request->window, &spawned, sizeof spawned);
    }
    return error;
}

/* ---- the call ---- */

/* False: trap. */
static bool read_request(struct engine_call *call, struct request *ret)
{
    uint8_t *window = NULL;
    ret->source = guest_window(call, call->arguments[2], call->arguments[3]);
    ret->input = guest_window(call, call->arguments[4], call->arguments[5]);
    if (ret->source == NULL || ret->input == NULL ||
        guest_window(call, call->arguments[0], call->arguments[1]) == NULL ||
        !spawn_read_options(call, call->arguments[6], call->arguments[8], &ret->options, &window)) {
        return false;
    }
    ret->window = (struct abi_spawned *)(void *)window;
    ret->source_bytes = (uint32_t)call->arguments[3];
    ret->input_bytes = (uint32_t)call->arguments[5];
    return true;
}

/* Whether the guest may, and may have that. 0, or what the host function answers. */
static int32_t check_request(struct engine_call *call, struct request *request)
{
    struct guest *guest = guest_of_call(call);
    const uint8_t *name = guest_window(call, call->arguments[0], call->arguments[1]);
    struct dynamic *dynamic = dynamic_of(guest_process(guest)->node);
    if (!spawn_options_valid(&request->options)) {
        return ABI_INVALID;
    }
    int32_t error = spawn_target_find(guest, "spawn_from", (const char *)name,
                                      (uint32_t)call->arguments[1], &request->target);
    if (error != 0) {
        return error;
    }
    if (dynamic == NULL || !dynamic_is_template(dynamic, request->target.line->component)) {
        char why[SPAWN_NAME_BYTES_MAX + 100];
        snprintf(why, sizeof why,
                 "component '%s' lends itself to no code but its own: add template = true",
                 request->target.line->name);
        guest_log_refused(guest, "spawn_from", why);
        return ABI_DENIED;
    }
    return request->input_bytes > guest_grant(guest)->message_bytes_max ? ABI_LIMIT : 0;
}

/* Code that is there already, without an order. NULL: `*ret_error`, or 0: it has to be ordered. */
static struct dynamic_code *find_code(struct dynamic *dynamic, const struct request *request,
                                      int32_t *ret_error)
{
    const struct component *template = request->target.line->component;
    const struct dynamic_source *source = &request->parsed;
    struct dynamic_code *code = NULL;
    unsigned char digest[DYNAMIC_DIGEST_BYTES];
    *ret_error = 0;
    switch (source->kind) {
    case DYNAMIC_DIGEST:
        code = dynamic_find(dynamic, template, source->digest);
        *ret_error = code != NULL ? 0 : ABI_NOT_FOUND;
        return code;
    case DYNAMIC_WASM:
        if (request->source_bytes > PIECE_BYTES) {
            return NULL;
        }
        cache_digest(request->source, request->source_bytes, digest);
        return dynamic_find(dynamic, template, digest);
    case DYNAMIC_URL:
        return NULL;
    case DYNAMIC_STORE:
        *ret_error = ABI_MISPLACED;
        return NULL;
    case DYNAMIC_TOO_LARGE:
        *ret_error = ABI_LIMIT;
        return NULL;
    case DYNAMIC_MALFORMED:
        *ret_error = ABI_MALFORMED;
        return NULL;
    }
    BUG("kind of source");
}

/* The first try: answered at once, or `guest->order` and 0. */
static int32_t begin(struct engine_call *call, const struct request *request, bool *ret_answered)
{
    struct guest *guest = guest_of_call(call);
    struct dynamic *dynamic = dynamic_of(guest_process(guest)->node);
    int32_t error = 0;
    struct dynamic_code *code = find_code(dynamic, request, &error);
    *ret_answered = true;
    if (code != NULL && dynamic_poll(code) != DYNAMIC_ON_ITS_WAY) {
        error = spawn_code(guest, request, code);
        dynamic_release(code);
        return error;
    }
    if (request->parsed.kind == DYNAMIC_STORE) {
        guest_log_refused(guest, "spawn_from", "kv: this node has no store");
    }
    struct order *order = NULL;
    if (error == 0) {
        order = order_create(guest, dynamic, request->target.line->component);
        error = order != NULL ? 0 : ABI_NO_MEMORY;
    }
    if (order == NULL) {
        dynamic_release(code);
        return error;
    }
    guest->order = order;
    order->code = code;
    if (request->parsed.kind == DYNAMIC_URL) {
        error = begin_url(order, &request->parsed);
    }
    if (error == 0 && !abi_wait_begin(call, call->arguments[7])) {
        error = ABI_INVALID;
    }
    *ret_answered = error != 0;
    return error;
}

/* True: it waits. False: `*ret` is the answer. */
static bool go_on(struct guest *guest, const struct request *request, int32_t *ret)
{
    struct order *order = guest->order;
    *ret = 0;
    if (order->code == NULL) {
        bool is_url = order->fetch != NULL;
        bool more = is_url ? follow_url(order, ret) : gather_inline(order, request, ret);
        if (more && !is_url) {
            process_wake(guest_process(guest));
        }
        if (more || *ret != 0) {
            return more;
        }
    }
    if (!list_is_empty(&order->waiter.member) && dynamic_poll(order->code) == DYNAMIC_ON_ITS_WAY) {
        return true;
    }
    dynamic_wait_no_more(order->code, &order->waiter, false);
    if (dynamic_wait(order->code, &order->waiter, guest_process(guest))) {
        return true;
    }
    *ret = spawn_code(guest, request, order->code);
    return false;
}

enum engine_call_result abi_spawn_from(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    struct request request;
    if (!read_request(call, &request)) {
        return ENGINE_CALL_TRAP;
    }
    int32_t error = check_request(call, &request);
    if (call->state == 0) {
        bool answered = true;
        request.parsed = dynamic_source_parse(request.source, request.source_bytes);
        error = error != 0 ? error : begin(call, &request, &answered);
        if (answered) {
            order_destroy(TAKE(guest->order), false);
            return guest_answer(call, error);
        }
    }
    if (error == 0 && go_on(guest, &request, &error)) {
        enum engine_call_result result = abi_wait_on(call);
        if (result != ENGINE_CALL_PARK) {
            order_destroy(TAKE(guest->order), false);
        }
        return result;
    }
    abi_wait_end(call);
    order_destroy(TAKE(guest->order), false);
    return guest_answer(call, error);
}
