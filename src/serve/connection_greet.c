/* What precedes HTTP on a connection: a proxy's word on whom it comes from, the handshake of TLS. Both
 * together have the time of a request's head. */
#include "serve/connection.h"

#include "base/log.h"
#include "serve/http2.h"
#include "serve/proxy.h"

#include <errno.h>
#include <sys/socket.h>

/* Nothing is said in the open where the client expects TLS. */
static bool give_up(struct connection *connection)
{
    connection_lose(connection);
    return false;
}

/* What was agreed on by ALPN. */
static bool begin_http2(struct connection *connection)
{
    if (!connection->admitted) {
        connection_close(connection);
        return false;
    }
    struct session *session = http2_create(connection->lane, connection->site, &connection->caller);
    if (session == NULL) {
        return give_up(connection);
    }
    connection_enter_session(connection, session);
    return true;
}

/* Everything was said: what follows is what the two have agreed on. */
static bool begin_protocol(struct connection *connection)
{
    connection->readable = true; /* What came behind the last message may be here already. */
    if (transport_is_secure(&connection->transport)) {
        connection->greeted = true; /* No prior knowledge here (RFC 9113, 3.3). */
        if (transport_alpn(&connection->transport) == ALPN_HTTP2) {
            return begin_http2(connection);
        }
    }
    if (!connection->admitted) {
        connection_refuse(connection, 503, "too many connections", EXCHANGE_RETRY_S);
        return true;
    }
    connection_enter_idle(connection);
    if (connection->last) {
        /* The server is being emptied, but the client began before: its request may be on its way. */
        connection->read_deadline_ns =
            connection_after_ms(connection, connection->site->options.header_timeout_ms);
    }
    return true;
}

static bool end_handshake(struct connection *connection)
{
    struct caller *caller = &connection->caller;
    caller->secure = true;
    if (tls_asks_clients(connection->site->options.tls)) {
        char subject[TRANSPORT_SUBJECT_BYTES];
        transport_subject(&connection->transport, subject);
        if (!caller_set_subject(caller, subject)) {
            return give_up(connection);
        }
    }
    return begin_protocol(connection);
}

static bool shake(struct connection *connection)
{
    switch (transport_shake(&connection->transport)) {
    case SHAKE_DONE:
        return end_handshake(connection);
    case SHAKE_READ:
        connection->readable = false;
        return false;
    case SHAKE_WRITE:
        connection->blocked = true;
        return false;
    case SHAKE_FAILED:
        log_printf(LOG_DEBUG, "TLS with %s: %s", connection->caller.remote, transport_failure());
        return give_up(connection);
    }
    BUG("a handshake's result");
}

/* The first byte tells TLS (a handshake record, RFC 8446, 5.1) from a client that speaks plain HTTP. */
static bool begin_handshake(struct connection *connection)
{
    enum { HANDSHAKE_RECORD = 22 };
    char byte = 0;
    ssize_t got = recv(connection->source.fd, &byte, 1, MSG_PEEK);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        connection->readable = errno == EINTR;
        return connection->readable;
    }
    if (got == 1 && byte >= 'A' && byte <= 'Z') {
        connection_refuse(connection, 400, "this is an HTTPS port: write https:// in the address",
                          0);
        return true;
    }
    if (got != 1 || byte != HANDSHAKE_RECORD) {
        return give_up(connection);
    }
    struct ssl_st *ssl = tls_accept(connection->site->options.tls);
    if (ssl == NULL || !transport_secure(&connection->transport, ssl)) {
        return give_up(connection);
    }
    return shake(connection);
}

/* From now on the client is whom the proxy tells. */
static void take_announcement(struct connection *connection, const struct proxy_header *header)
{
    struct caller *caller = &connection->caller;
    _Static_assert(sizeof(connection->remote) == IP_TEXT_BYTES, "as long as an address can be");
    connection->announced = true;
    if (header->known) {
        ip_format_endpoint(&header->client, header->client_port, connection->remote);
        caller->secure = header->secure;
    }
    /* Who only passes bytes on does not vouch for headers in them. */
    caller->trusted = header->known && caller_is_trusted(connection->site, connection->remote);
}

/* The header is looked at where it lies, so that what follows it is left to who reads next. */
static bool await_announcement(struct connection *connection)
{
    struct proxy_header header;
    char *buffer = connection->lane->receive;
    _Static_assert((int)PROXY_HEADER_BYTES_MAX <= (int)LANE_RECEIVE_BYTES, "one look is enough");
    ssize_t got = recv(connection->source.fd, buffer, PROXY_HEADER_BYTES_MAX, MSG_PEEK);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        connection->readable = errno == EINTR;
        return connection->readable;
    }
    if (got <= 0) {
        return give_up(connection);
    }
    switch (proxy_parse(buffer, (size_t)got, &header)) {
    case PROXY_MORE:
        connection->readable = false; /* What comes will be an edge of its own. */
        return false;
    case PROXY_BAD:
        log_printf(LOG_WARN, "%s is a trusted proxy, but did not begin with a PROXY header",
                   connection->remote);
        return give_up(connection);
    case PROXY_WHOLE:
        break;
    }
    got = recv(connection->source.fd, buffer, header.size_bytes, 0);
    if (got != (ssize_t)header.size_bytes) {
        return give_up(connection);
    }
    take_announcement(connection, &header);
    return connection->site->options.tls != NULL || begin_protocol(connection);
}

bool connection_greet(struct connection *connection)
{
    if (!connection->readable || connection->blocked) {
        return false;
    }
    if (!connection->announced) {
        return await_announcement(connection);
    }
    if (!transport_is_secure(&connection->transport)) {
        return begin_handshake(connection);
    }
    return shake(connection);
}
