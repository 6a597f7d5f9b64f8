/* Of the component of the tests: what it asks of others. */
#include "answer.h"

/* ---- Its own requests ---- */

/* "/fetch?http://HOST:PORT/PATH": the answer of that. POST: with the request's body. */
static handle begin_fetch(struct text url, bool post, handle *ret_body)
{
    bool secure = begins(url, "https://");
    size_t host = secure ? 8 : 7, slash = host;
    while (slash < url.size && url.data[slash] != '/') {
        slash++;
    }
    struct area area;
    handle request = outgoing_new(fields_new());
    outgoing_set_method(request, post ? 2 : 0, NULL, 0);
    outgoing_set_scheme(request, 1, secure, NULL, 0);
    outgoing_set_authority(request, 1, url.data + host, slash - host);
    outgoing_set_path(request, 1, url.data + slash, url.size - slash);
    *ret_body = 0;
    if (post) {
        outgoing_body(request, &area);
        *ret_body = (handle)area.first;
    }
    return request;
}

static void send_body(handle to, handle request)
{
    struct text piece;
    struct area area;
    bool failed = false;
    handle answer_out = out, answer_body = body;
    body = to;
    outgoing_stream(body, &area);
    out = (handle)area.first;
    open_body(request);
    while (!closed && read_some(&piece, &failed)) {
        put_bytes(piece.data, piece.size);
    }
    end();
    closed = false;
    out = answer_out;
    body = answer_body;
}

static void pass_on(handle response)
{
    struct text piece;
    struct area area;
    bool failed = false;
    begin_text(incoming_status(response));
    incoming_consume(response, &area);
    in_body = (handle)area.first;
    incoming_stream(in_body, &area);
    in = (handle)area.first;
    while (!closed && read_some(&piece, &failed)) {
        put_bytes(piece.data, piece.size);
    }
    if (failed) {
        outgoing_drop(body);
    } else {
        end();
    }
}

static void fetch(handle request, struct text url, bool post, bool give_up)
{
    uint8_t ret[96] __attribute__((aligned(8)));
    handle to;
    handle outgoing = begin_fetch(url, post, &to);
    outgoing_handle(outgoing, 0, 0, ret);
    if (ret[0] != 0) {
        begin_text(502);
        put("refused at once: ");
        put_number(ret[8]);
        put("\n");
        end();
        return;
    }
    handle future = *(handle *)(void *)(ret + 8);
    if (post) {
        send_body(to, request);
    }
    if (give_up) {
        future_drop(future);
        answer(200, "given up\n");
        return;
    }
    wait_for(future_subscribe(future));
    future_get(future, ret);
    if (ret[0] != 1 || ret[8] != 0) {
        __builtin_trap();
    }
    if (ret[16] != 0) {
        begin_text(502);
        put("error ");
        put_number(ret[24]);
        put("\n");
        end();
        return;
    }
    pass_on(*(handle *)(void *)(ret + 24));
}

/* ---- Sockets ---- */

enum { WOULD_BLOCK = 8 };

static void answer_error(const char *what, uint32_t code)
{
    begin_text(502);
    put(what);
    put_number(code);
    put("\n");
    end();
}

/* "A.B.C.D:PORT" as five numbers. */
static void read_address(struct text text, int32_t ret[5])
{
    for (size_t i = 0; i < 5; i++) {
        size_t digits = 0;
        while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9') {
            digits++;
        }
        ret[i] = (int32_t)number_in((struct text){text.data, digits});
        text.data += digits + 1;
        text.size -= digits < text.size ? digits + 1 : digits;
    }
}

/* "/connect?A.B.C.D:PORT": what is said there first. */
static void connect(struct text to)
{
    struct area area;
    int32_t a[5];
    read_address(to, a);
    tcp_create(0, &area);
    if (area.tag != 0) {
        answer_error("no socket: ", area.first & 0xff);
        return;
    }
    handle tcp = (handle)area.first;
    tcp_connect(tcp, network_get(), 0, a[4], a[0], a[1], a[2], a[3], 0, 0, 0, 0, 0, 0, &area);
    if (area.tag != 0) {
        answer_error("refused at once: ", ((uint8_t *)&area)[1]);
        return;
    }
    for (;;) {
        tcp_connected(tcp, &area);
        if (area.tag == 0 || (area.first & 0xff) != WOULD_BLOCK) {
            break;
        }
        wait_for(tcp_subscribe(tcp));
    }
    if (area.tag != 0) {
        answer_error("not connected: ", area.first & 0xff);
        return;
    }
    struct text piece;
    bool failed;
    in = (handle)area.first;
    begin_text(200);
    if (read_some(&piece, &failed)) {
        put_bytes(piece.data, piece.size);
    }
    end();
}

/* "/bind?A.B.C.D:PORT" */
static void bind(struct text to)
{
    struct area area;
    int32_t a[5];
    read_address(to, a);
    tcp_create(0, &area);
    if (area.tag != 0) {
        answer_error("no socket: ", area.first & 0xff);
        return;
    }
    handle tcp = (handle)area.first;
    tcp_bind(tcp, network_get(), 0, a[4], a[0], a[1], a[2], a[3], 0, 0, 0, 0, 0, 0, &area);
    if (area.tag == 0) {
        tcp_bound(tcp, &area);
    }
    if (area.tag != 0) {
        answer_error("not bound: ", ((uint8_t *)&area)[1]);
        return;
    }
    answer(200, "bound\n");
}

/* "/resolve?NAME": whether it has an address. */
static void resolve(struct text name)
{
    struct area area;
    names_resolve(network_get(), name.data, name.size, &area);
    if (area.tag != 0) {
        answer_error("refused at once: ", area.first & 0xff);
        return;
    }
    handle addresses = (handle)area.first;
    for (;;) {
        names_next(addresses, &area);
        if (area.tag == 0 || ((uint8_t *)&area)[2] != WOULD_BLOCK) {
            break;
        }
        wait_for(names_subscribe(addresses));
    }
    if (area.tag != 0) {
        answer_error("not resolved: ", ((uint8_t *)&area)[2]);
        return;
    }
    answer(200, "resolved\n");
}

bool reach_out(handle request, struct text path)
{
    if (begins(path, "/fetch?")) {
        fetch(request, (struct text){path.data + 7, path.size - 7}, false, false);
    } else if (begins(path, "/post?")) {
        fetch(request, (struct text){path.data + 6, path.size - 6}, true, false);
    } else if (begins(path, "/forget?")) {
        fetch(request, (struct text){path.data + 8, path.size - 8}, false, true);
    } else if (begins(path, "/connect?")) {
        connect((struct text){path.data + 9, path.size - 9});
    } else if (begins(path, "/bind?")) {
        bind((struct text){path.data + 6, path.size - 6});
    } else if (begins(path, "/resolve?")) {
        resolve((struct text){path.data + 9, path.size - 9});
    } else {
        return false;
    }
    return true;
}
