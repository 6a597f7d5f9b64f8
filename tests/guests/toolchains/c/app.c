/* A web app with the bindings of wit-bindgen and the C library, whose WASI preview 1 goes through the adapter: a hello, an echo,
 * a crash, a request to somebody else. An instance answers one request, so nothing is freed. */
#include "web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 4096 };

static wasi_http_types_own_outgoing_body_t body;
static wasi_http_types_own_output_stream_t out;

/* What ends a program in C: words on its standard error, which the node's log has, then a trap. */
static _Noreturn void fail(const char *why)
{
    fprintf(stderr, "web: %s\n", why);
    abort();
}

static void begin(exports_wasi_http_incoming_handler_own_response_outparam_t to, uint16_t status)
{
    wasi_http_types_own_fields_t fields = wasi_http_types_constructor_fields();
    web_string_t name, text;
    wasi_http_types_header_error_t wrong;
    web_string_set(&name, "content-type");
    web_string_set(&text, "text/plain");
    wasi_http_types_field_value_t value = {.ptr = text.ptr, .len = text.len};
    if (!wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(fields), &name, &value,
                                              &wrong)) {
        fail("no header can be added");
    }
    wasi_http_types_own_outgoing_response_t response =
        wasi_http_types_constructor_outgoing_response(fields);
    wasi_http_types_borrow_outgoing_response_t borrowed =
        wasi_http_types_borrow_outgoing_response(response);
    wasi_http_types_method_outgoing_response_set_status_code(borrowed, status);
    wasi_http_types_method_outgoing_response_body(borrowed, &body);
    wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body), &out);
    wasi_http_types_result_own_outgoing_response_error_code_t answer = {.is_err = false,
                                                                        .val.ok = response};
    wasi_http_types_static_response_outparam_set(to, &answer);
}

static void put(uint8_t *data, size_t size)
{
    wasi_io_streams_stream_error_t wrong;
    for (size_t done = 0; done < size;) {
        size_t count = size - done < PIECE_BYTES ? size - done : PIECE_BYTES;
        web_list_u8_t piece = {.ptr = data + done, .len = count};
        if (!wasi_io_streams_method_output_stream_blocking_write_and_flush(
                wasi_io_streams_borrow_output_stream(out), &piece, &wrong)) {
            fail("the client has gone");
        }
        done += count;
    }
}

static void end(void)
{
    wasi_http_types_error_code_t wrong;
    wasi_io_streams_output_stream_drop_own(out);
    wasi_http_types_static_outgoing_body_finish(body, NULL, &wrong);
}

static void say(exports_wasi_http_incoming_handler_own_response_outparam_t to, uint16_t status,
                const char *text)
{
    char line[200];
    int size = snprintf(line, sizeof line, "%s\n", text);
    begin(to, status);
    put((uint8_t *)line, (size_t)size);
    end();
}

/* Pass a body on piece by piece, each when it comes. */
static void copy(wasi_http_types_own_incoming_body_t from)
{
    wasi_http_types_own_input_stream_t in;
    wasi_io_streams_stream_error_t wrong;
    web_list_u8_t piece;
    wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(from), &in);
    while (wasi_io_streams_method_input_stream_blocking_read(
        wasi_io_streams_borrow_input_stream(in), PIECE_BYTES, &piece, &wrong)) {
        put(piece.ptr, piece.len);
        web_list_u8_free(&piece);
    }
    if (wrong.tag != WASI_IO_STREAMS_STREAM_ERROR_CLOSED) {
        fail("the body breaks off");
    }
    end();
}

/* `url`: http://AUTHORITY/PATH */
static void ask(exports_wasi_http_incoming_handler_own_response_outparam_t to, char *url)
{
    wasi_http_types_own_outgoing_request_t request =
        wasi_http_types_constructor_outgoing_request(wasi_http_types_constructor_fields());
    wasi_http_types_borrow_outgoing_request_t borrowed =
        wasi_http_types_borrow_outgoing_request(request);
    char *host = url + strlen("http://");
    char *slash = strchr(host, '/');
    if (slash == NULL) {
        fail("an URL without a path");
    }
    wasi_http_types_scheme_t scheme = {.tag = WASI_HTTP_TYPES_SCHEME_HTTP};
    web_string_t authority = {.ptr = (uint8_t *)host, .len = (size_t)(slash - host)}, path;
    web_string_set(&path, slash);
    wasi_http_types_method_outgoing_request_set_scheme(borrowed, &scheme);
    wasi_http_types_method_outgoing_request_set_authority(borrowed, &authority);
    wasi_http_types_method_outgoing_request_set_path_with_query(borrowed, &path);
    wasi_http_types_error_code_t wrong;
    wasi_http_types_method_outgoing_request_body(borrowed, &body);
    wasi_http_types_static_outgoing_body_finish(body, NULL, &wrong);
    wasi_http_types_own_future_incoming_response_t future;
    if (!wasi_http_outgoing_handler_handle(request, NULL, &future, &wrong)) {
        say(to, 403, "refused");
        return;
    }
    wasi_http_types_borrow_future_incoming_response_t waited =
        wasi_http_types_borrow_future_incoming_response(future);
    wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(
        wasi_http_types_method_future_incoming_response_subscribe(waited)));
    wasi_http_types_result_result_own_incoming_response_error_code_void_t got;
    if (!wasi_http_types_method_future_incoming_response_get(waited, &got) || got.is_err ||
        got.val.ok.is_err) {
        say(to, 403, "refused");
        return;
    }
    wasi_http_types_borrow_incoming_response_t response =
        wasi_http_types_borrow_incoming_response(got.val.ok.val.ok);
    wasi_http_types_own_incoming_body_t from;
    wasi_http_types_method_incoming_response_consume(response, &from);
    begin(to, wasi_http_types_method_incoming_response_status(response));
    copy(from);
}

void exports_wasi_http_incoming_handler_handle(
    exports_wasi_http_incoming_handler_own_incoming_request_t request,
    exports_wasi_http_incoming_handler_own_response_outparam_t to)
{
    wasi_http_types_borrow_incoming_request_t borrowed =
        wasi_http_types_borrow_incoming_request(request);
    web_string_t target = {0};
    wasi_http_types_method_incoming_request_path_with_query(borrowed, &target);
    char *path = strndup((char *)target.ptr, target.len);
    if (strcmp(path, "/echo") == 0) {
        wasi_http_types_own_incoming_body_t from;
        wasi_http_types_method_incoming_request_consume(borrowed, &from);
        begin(to, 200);
        copy(from);
    } else if (strcmp(path, "/crash") == 0) {
        fail("on purpose");
    } else if (strncmp(path, "/fetch?url=", 11) == 0) {
        ask(to, path + 11);
    } else {
        say(to, 200, "hello from C");
    }
}
