/* Requests to others: what a core module holds of them, and its host functions. */
#include "guest/abi_internal.h"

#include "guest/fetch.h"
#include "guest/handle.h"
#include "guest/scratch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A number is generation << INDEX_BITS | index, as with handle.c. */
enum { INDEX_BITS = 16, GENERATION_MAX = INT32_MAX >> INDEX_BITS, FETCHES_MAX = 1024 };
enum { HEADERS_MAX = 128 };

struct fetch_slot {
    struct fetch *fetch; /* NULL: free */
    uint32_t generation;
    bool logged; /* that it was denied */
};

struct fetch_table {
    uint32_t capacity;
    struct fetch_slot slots[];
};

static struct fetch_slot *slot_of(struct guest *guest, int32_t handle)
{
    struct fetch_table *table = guest->fetches;
    uint32_t index = (uint32_t)handle & ((1U << INDEX_BITS) - 1);
    if (table == NULL || handle <= 0 || index >= table->capacity) {
        return NULL;
    }
    struct fetch_slot *slot = &table->slots[index];
    bool same = slot->generation == (uint32_t)handle >> INDEX_BITS;
    return same && slot->fetch != NULL ? slot : NULL;
}

/* A free place. NULL: `*ret_error` says why. */
static struct fetch_slot *slot_free(struct guest *guest, int32_t *ret_error)
{
    uint32_t most = guest_grant(guest)->fetches_max;
    most = most < FETCHES_MAX ? most : FETCHES_MAX;
    if (guest->fetches == NULL && most > 0) {
        guest->fetches = calloc(1, sizeof *guest->fetches + most * sizeof(struct fetch_slot));
        if (guest->fetches == NULL) {
            *ret_error = ABI_NO_MEMORY;
            return NULL;
        }
        guest->fetches->capacity = most;
    }
    for (uint32_t i = 0; i < most; i++) {
        if (guest->fetches->slots[i].fetch == NULL) {
            return &guest->fetches->slots[i];
        }
    }
    *ret_error = ABI_LIMIT;
    return NULL;
}

static void slot_log_denial(struct guest *guest, struct fetch_slot *slot)
{
    char line[NETWORK_ADVICE_BYTES];
    if (!slot->logged && fetch_error(slot->fetch, NULL) == FETCH_DENIED &&
        fetch_denial(slot->fetch, line)) {
        slot->logged = true;
        guest_log_denied(guest, "fetch", line);
    }
}

static void slot_close(struct guest *guest, struct fetch_slot *slot)
{
    slot_log_denial(guest, slot);
    fetch_destroy(TAKE(slot->fetch));
}

void abi_fetch_close_all(struct guest *guest)
{
    struct fetch_table *table = TAKE(guest->fetches);
    if (table == NULL) {
        return;
    }
    for (uint32_t i = 0; i < table->capacity; i++) {
        if (table->slots[i].fetch != NULL) {
            slot_close(guest, &table->slots[i]);
        }
    }
    free(table);
}

int32_t abi_fetch_ready(struct guest *guest, int32_t handle)
{
    struct fetch_slot *slot = slot_of(guest, handle);
    return slot == NULL ? ABI_NOT_FOUND : fetch_poll(slot->fetch) != FETCH_WAITS;
}

/* ---- begin ---- */

static void holder_retain(void *process)
{
    process_retain(process);
}

static void holder_wake(void *process)
{
    process_wake(process);
    process_release(process);
}

/* "name: value" lines. False: one is none, or there are too many. */
static bool read_headers(const char *text, size_t size, struct fetch_field *ret, size_t *ret_count)
{
    *ret_count = 0;
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t line = end != NULL ? (size_t)(end - text) : size;
        size_t taken = end != NULL ? line + 1 : line;
        line -= line > 0 && text[line - 1] == '\r';
        const char *colon = memchr(text, ':', line);
        if (colon == NULL || *ret_count == HEADERS_MAX) {
            return false;
        }
        const char *value = colon + 1;
        while (value < text + line && (*value == ' ' || *value == '\t')) {
            value++;
        }
        ret[(*ret_count)++] = (struct fetch_field){.name = text,
                                                   .value = value,
                                                   .name_bytes = (size_t)(colon - text),
                                                   .value_bytes = (size_t)(text + line - value)};
        text += taken;
        size -= taken;
    }
    return true;
}

static uint64_t ms(uint32_t value)
{
    return (uint64_t)value * ABI_MILLISECOND_NS;
}

/* The windows of fetch_start(): false: trap. */
struct start_windows {
    const uint8_t *method, *url, *headers, *result;
    struct abi_fetch_options options;
};

static bool read_start(struct engine_call *call, struct start_windows *ret)
{
    *ret = (struct start_windows){
        .method = guest_window(call, call->arguments[0], call->arguments[1]),
        .url = guest_window(call, call->arguments[2], call->arguments[3]),
        .headers = guest_window(call, call->arguments[4], call->arguments[5]),
        .result = guest_window(call, call->arguments[7], sizeof(struct abi_fetched))};
    if (ret->method == NULL || ret->url == NULL || ret->headers == NULL || ret->result == NULL) {
        return false;
    }
    if (call->arguments[6] == 0) {
        return true;
    }
    const uint8_t *options = guest_window(call, call->arguments[6], sizeof ret->options);
    if (options != NULL) {
        memcpy(&ret->options, options, sizeof ret->options);
    }
    return options != NULL;
}

/* Put the ends into the guest's hands; there was room for them. */
static bool give_ends(struct guest *guest, struct pipe_end *writer, struct pipe_end *reader,
                      struct abi_fetched *ret)
{
    ret->answer = handle_accept(guest, &reader->cargo);
    ret->body = ret->answer > 0 && writer != NULL ? handle_accept(guest, &writer->cargo) : 0;
    if (ret->answer > 0 && (writer == NULL || ret->body > 0)) {
        return true;
    }
    struct pipe_end *given = ret->answer > 0 ? pipe_end_of(handle_take(guest, ret->answer))
                                             : reader;
    pipe_finish(given, false, PIPE_NO_REASON);
    if (writer != NULL) {
        pipe_finish(writer, false, PIPE_NO_REASON);
    }
    return false;
}

static int32_t start(struct guest *guest, const struct fetch_request *request,
                     struct abi_fetched *ret)
{
    struct process *process = guest_process(guest);
    struct fetcher *fetcher = fetcher_of(process->node);
    int32_t error = ABI_MISPLACED;
    struct fetch_slot *slot = fetcher != NULL ? slot_free(guest, &error) : NULL;
    if (slot == NULL) {
        return error;
    }
    if (!handle_has_room(guest, request->has_body ? 2 : 1)) {
        return ABI_LIMIT;
    }
    struct pipe_end *writer = NULL;
    struct pipe_end *reader = NULL;
    struct err *err = scratch_err();
    struct stream_waker waker = {.wake = holder_wake, .argument = process, .retain = holder_retain};
    struct fetch *fetch = fetch_start(fetcher, request, waker, &writer, &reader, err);
    if (fetch == NULL) {
        if (err->code == ERR_DENIED) {
            guest_log_denied(guest, "fetch", err->text);
        }
        return abi_error_of(err);
    }
    if (!give_ends(guest, writer, reader, ret)) {
        fetch_destroy(fetch);
        return ABI_NO_MEMORY;
    }
    slot->fetch = fetch;
    slot->logged = false;
    slot->generation = slot->generation == GENERATION_MAX ? 1 : slot->generation + 1;
    ret->fetch = (int32_t)(slot->generation << INDEX_BITS |
                           (uint32_t)(slot - guest->fetches->slots));
    return 0;
}

enum engine_call_result abi_fetch_start(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    struct start_windows windows;
    if (!read_start(call, &windows)) {
        return ENGINE_CALL_TRAP;
    }
    const struct abi_fetch_options *options = &windows.options;
    struct fetch_field *fields = scratch_room(HEADERS_MAX * sizeof *fields);
    size_t count = 0;
    bool has_body = (options->flags & ABI_FETCH_BODY) != 0;
    bool counted = (options->flags & ABI_FETCH_LENGTH) != 0;
    if ((options->flags & ~(uint32_t)(ABI_FETCH_BODY | ABI_FETCH_LENGTH)) != 0 ||
        (counted && (!has_body || options->body_bytes > INT64_MAX)) ||
        !read_headers((const char *)windows.headers, (uint32_t)call->arguments[5], fields,
                      &count)) {
        return guest_answer(call, ABI_INVALID);
    }
    struct fetch_request request = {
        .method = (const char *)windows.method,
        .method_bytes = (uint32_t)call->arguments[1],
        .url = (const char *)windows.url,
        .url_bytes = (uint32_t)call->arguments[3],
        .fields = fields,
        .field_count = count,
        .has_body = has_body,
        .body_bytes = counted ? options->body_bytes : FETCH_LENGTH_UNKNOWN,
        .connect_ns = ms(options->connect_ms),
        .head_ns = ms(options->head_ms),
        .idle_ns = ms(options->idle_ms),
        .whole_ns = ms(options->deadline_ms),
        .redirects_max = options->redirects,
        .buffer_bytes = guest_grant(guest)->stream_buffer_bytes,
    };
    fetch_request_limit(&request, guest_grant(guest));
    struct abi_fetched fetched = {0};
    int32_t error = start(guest, &request, &fetched);
    if (error == 0) {
        uint8_t *result = guest_window(call, call->arguments[7], sizeof fetched);
        memcpy(result, &fetched, sizeof fetched);
    }
    return guest_answer(call, error);
}

/* ---- the answer ---- */

static enum engine_call_result head_end(struct engine_call *call, int32_t answer)
{
    if (call->state != 0) {
        abi_wait_end(call);
    }
    return guest_answer(call, answer);
}

enum engine_call_result abi_fetch_head(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    uint8_t *window = guest_window(call, call->arguments[1], sizeof(struct abi_fetch_head));
    if (window == NULL) {
        return ENGINE_CALL_TRAP;
    }
    struct fetch_slot *slot = slot_of(guest, (int32_t)call->arguments[0]);
    if (slot == NULL) {
        return head_end(call, ABI_NOT_FOUND);
    }
    switch (fetch_poll(slot->fetch)) {
    case FETCH_WAITS:
        if (call->state == 0 && !abi_wait_begin(call, call->arguments[2])) {
            return guest_answer(call, ABI_INVALID);
        }
        return abi_wait_on(call);
    case FETCH_FAILED:
        slot_log_denial(guest, slot);
        return head_end(call,
                        fetch_error(slot->fetch, NULL) == FETCH_DENIED ? ABI_DENIED : ABI_ABORTED);
    case FETCH_ANSWERED: {
        const struct fetch_head *head = fetch_head(slot->fetch);
        struct abi_fetch_head answer = {.status = (uint32_t)head->status,
                                        .headers = (uint32_t)head->field_count};
        memcpy(window, &answer, sizeof answer);
        return head_end(call, 0);
    }
    }
    BUG("fetch state");
}

/* Text that is put together for a guest: what does not fit is counted. */
struct text_out {
    uint8_t *to;
    size_t capacity, size;
};

static void text_add(struct text_out *out, const char *data, size_t size)
{
    if (out->size < out->capacity && size > 0) {
        size_t room = out->capacity - out->size;
        memcpy(out->to + out->size, data, size < room ? size : room);
    }
    out->size += size;
}

static enum engine_call_result answer_lines(struct engine_call *call, const struct fetch_head *head)
{
    struct text_out out = {.to = guest_window(call, call->arguments[1], call->arguments[2]),
                           .capacity = (uint32_t)call->arguments[2]};
    for (size_t i = 0; i < head->field_count; i++) {
        const struct fetch_field *field = &head->fields[i];
        text_add(&out, field->name, field->name_bytes);
        text_add(&out, ": ", 2);
        text_add(&out, field->value, field->value_bytes);
        text_add(&out, "\n", 1);
    }
    return guest_answer(call, (int32_t)out.size);
}

enum engine_call_result abi_fetch_header(struct engine_call *call)
{
    const uint8_t *name = guest_window(call, call->arguments[1], call->arguments[2]);
    struct text_out out = {.to = guest_window(call, call->arguments[3], call->arguments[4]),
                           .capacity = (uint32_t)call->arguments[4]};
    if (name == NULL || out.to == NULL) {
        return ENGINE_CALL_TRAP;
    }
    struct fetch_slot *slot = slot_of(guest_of_call(call), (int32_t)call->arguments[0]);
    if (slot == NULL || fetch_poll(slot->fetch) != FETCH_ANSWERED) {
        return guest_answer(call, slot == NULL ? ABI_NOT_FOUND : ABI_MISPLACED);
    }
    const struct fetch_head *head = fetch_head(slot->fetch);
    size_t name_bytes = (uint32_t)call->arguments[2];
    bool found = false;
    for (size_t i = 0; i < head->field_count; i++) {
        const struct fetch_field *field = &head->fields[i];
        if (field->name_bytes == name_bytes &&
            strncasecmp(field->name, (const char *)name, name_bytes) == 0) {
            text_add(&out, ", ", found ? 2 : 0);
            text_add(&out, field->value, field->value_bytes);
            found = true;
        }
    }
    return guest_answer(call, found ? (int32_t)out.size : ABI_NOT_FOUND);
}

enum engine_call_result abi_fetch_headers(struct engine_call *call)
{
    if (guest_window(call, call->arguments[1], call->arguments[2]) == NULL) {
        return ENGINE_CALL_TRAP;
    }
    struct fetch_slot *slot = slot_of(guest_of_call(call), (int32_t)call->arguments[0]);
    if (slot == NULL || fetch_poll(slot->fetch) != FETCH_ANSWERED) {
        return guest_answer(call, slot == NULL ? ABI_NOT_FOUND : ABI_MISPLACED);
    }
    return answer_lines(call, fetch_head(slot->fetch));
}

enum engine_call_result abi_fetch_trailers(struct engine_call *call)
{
    if (guest_window(call, call->arguments[1], call->arguments[2]) == NULL) {
        return ENGINE_CALL_TRAP;
    }
    struct fetch_slot *slot = slot_of(guest_of_call(call), (int32_t)call->arguments[0]);
    if (slot == NULL) {
        return guest_answer(call, ABI_NOT_FOUND);
    }
    return answer_lines(call, fetch_trailers(slot->fetch));
}

enum engine_call_result abi_fetch_reason(struct engine_call *call)
{
    struct fetch_slot *slot = slot_of(guest_of_call(call), (int32_t)call->arguments[0]);
    return guest_answer(call,
                        slot == NULL ? ABI_NOT_FOUND : (int32_t)fetch_error(slot->fetch, NULL));
}

enum engine_call_result abi_fetch_close(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    struct fetch_slot *slot = slot_of(guest, (int32_t)call->arguments[0]);
    if (slot == NULL) {
        return guest_answer(call, ABI_NOT_FOUND);
    }
    slot_close(guest, slot);
    return guest_answer(call, 0);
}
