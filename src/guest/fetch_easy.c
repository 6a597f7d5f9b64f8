/* A fetch as curl sees it: options and callbacks. */
#include "guest/fetch_internal.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DROPPED_BYTES_MAX = 16384 };

/* ---- connections ---- */

static curl_socket_t on_open(void *argument, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetch *fetch = argument;
    struct ip ip;
    uint16_t port = 0;
    if (purpose != CURLSOCKTYPE_IPCXN || !network_address(&address->addr, &ip, &port) ||
        !fetch_may_reach(fetch, &ip, port)) {
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    address->protocol);
    if (fd >= 0 && !fetch_lane_own(fetch->lane, fd, fetch->policy)) {
        close(fd);
        fd = -1;
    }
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* A connection may outlive the fetch that has opened it. */
static int on_close(void *argument, curl_socket_t fd)
{
    fetch_lane_disown(argument, fd);
    return close(fd);
}

/* Whether the connection was opened under the fetch's own grant. Who it is may be bound to it (as NTLM does), and what one guest
 * has left on it must not be another's answer. */
static bool is_its_own(const struct fetch *fetch, const char *from, int from_port)
{
    struct ip ip;
    return fetch->fresh ||
           (ip_parse(from, strlen(from), &ip) && from_port > 0 && from_port <= UINT16_MAX &&
            fetch_lane_is_owner(fetch->lane, &ip, (uint16_t)from_port, fetch->policy));
}

/* Connected, also by a connection that others have used: is it one for this guest? */
static int on_connected(void *argument, char *to, char *from, int to_port, int from_port)
{
    struct fetch *fetch = argument;
    struct ip ip;
    fetch->connected = true;
    fetch->active_ns = worker_look(&fetch->lane->loop->worker);
    fetch_set_timer(fetch);
    if (is_its_own(fetch, from, from_port) && ip_parse(to, strlen(to), &ip) && to_port > 0 &&
        to_port <= UINT16_MAX && fetch_may_reach(fetch, &ip, (uint16_t)to_port)) {
        return CURL_PREREQFUNC_OK;
    }
    fetch->stale = !fetch->fresh;
    return CURL_PREREQFUNC_ABORT;
}

static CURLcode on_tls(CURL *easy, void *context, void *argument)
{
    struct fetch *fetch = argument;
    (void)easy;
    SSL_CTX_set1_cert_store(context, fetch->lane->fetcher->authorities);
    return CURLE_OK;
}

/* ---- the head ---- */

/* "HTTP/1.1 200 OK". -1: it is none. */
static int status_of(const char *line, size_t size)
{
    const char *space = memchr(line, ' ', size);
    if (space == NULL || size - (size_t)(space - line) < 4) {
        return -1;
    }
    int status = 0;
    for (int i = 1; i <= 3; i++) {
        if (space[i] < '0' || space[i] > '9') {
            return -1;
        }
        status = status * 10 + (space[i] - '0');
    }
    return status;
}

static const struct fetch_field *find_location(struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->lines.count; i++) {
        if (fetch_field_is(&fetch->lines.fields[i], "location")) {
            return &fetch->lines.fields[i];
        }
    }
    return NULL;
}

/* Whether this answer is followed: `next` is where to then. Never from TLS to plain text. */
static bool wants_to_follow(struct fetch *fetch)
{
    bool redirect = fetch->status == 301 || fetch->status == 302 || fetch->status == 303 ||
                    fetch->status == 307 || fetch->status == 308;
    bool safe = !fetch->has_body &&
                (strcmp(fetch->method, "GET") == 0 || strcmp(fetch->method, "HEAD") == 0);
    if (!redirect || !safe || fetch->redirects_left == 0) {
        return false;
    }
    fetch_lines_seal(&fetch->lines, fetch->status);
    const struct fetch_field *location = find_location(fetch);
    if (location == NULL || location->value_bytes > FETCH_URL_BYTES_MAX) {
        return false;
    }
    char url[FETCH_URL_BYTES_MAX + 1];
    memcpy(url, location->value, location->value_bytes);
    url[location->value_bytes] = '\0';
    struct err err = {0};
    fetch_aim_fini(&fetch->next);
    if (!fetch_aim_init(&fetch->next, &fetch->aim, url, &err)) {
        fetch_note_denial(fetch,
                          "no allow-network opens a redirect to what is neither http nor https,");
        fetch->cause = FETCH_DENIED; /* such as file: */
        return false;
    }
    return fetch->next.tls || !fetch->aim.tls;
}

static enum fetch_error end_head(struct fetch *fetch)
{
    if (fetch->answered) {
        return FETCH_OK; /* behind the trailers */
    }
    if (fetch->status < 200) {
        fetch_lines_clear(&fetch->lines);
        return fetch->status == 101 ? FETCH_PROTOCOL : FETCH_OK;
    }
    fetch->redirects = wants_to_follow(fetch);
    if (fetch->cause != FETCH_OK) {
        return fetch->cause;
    }
    if (!fetch->redirects) {
        fetch_publish(fetch);
    }
    return FETCH_OK;
}

static enum fetch_error take_line(struct fetch *fetch, const char *line, size_t size)
{
    const struct fetcher *fetcher = fetch->lane->fetcher;
    fetch->head_bytes += size;
    if (fetch->head_bytes > fetcher->header_bytes_max) {
        return FETCH_LIMIT;
    }
    while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r')) {
        size--;
    }
    if (size == 0) {
        return end_head(fetch);
    }
    if (!fetch->answered && size > 5 && memcmp(line, "HTTP/", 5) == 0) {
        fetch_lines_clear(&fetch->lines);
        fetch->status = status_of(line, size);
        return fetch->status < 100 || fetch->status > 599 ? FETCH_PROTOCOL : FETCH_OK;
    }
    return fetch_lines_add(fetch->answered ? &fetch->trailers : &fetch->lines, line, size,
                           fetcher->header_count_max);
}

static size_t on_line(char *line, size_t one, size_t size, void *argument)
{
    struct fetch *fetch = argument;
    fetch->active_ns = worker_look(&fetch->lane->loop->worker);
    fetch->cause = take_line(fetch, line, one * size);
    return fetch->cause == FETCH_OK ? size : 0;
}

/* ---- bodies ---- */

static size_t on_piece(char *data, size_t one, size_t size, void *argument)
{
    struct fetch *fetch = argument;
    struct stream *stream = pipe_stream(fetch->answer);
    size_t written = 0;
    size *= one;
    fetch->active_ns = worker_look(&fetch->lane->loop->worker);
    if (fetch->redirects) {
        fetch->dropped_bytes += size;
        return fetch->dropped_bytes <= DROPPED_BYTES_MAX ? size : 0;
    }
    size_t room = stream_room(stream, size);
    if (room == SIZE_MAX) {
        fetch->cause = FETCH_CANCELLED;
        return 0;
    }
    if (room < size) {
        fetch->receive_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    switch (stream_write(stream, data, size, &written)) {
    case STREAM_OK:
        return written;
    case STREAM_WAIT: /* no memory, and some is unread */
        fetch->receive_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    case STREAM_CLOSED:
        fetch->cause = FETCH_CANCELLED;
        return 0;
    case STREAM_ENDED:
    case STREAM_ABORTED:
        break;
    }
    BUG("a writer is never told of its own end");
}

static size_t on_send(char *data, size_t one, size_t size, void *argument)
{
    struct fetch *fetch = argument;
    size_t read = 0;
    size *= one;
    if (!fetch->has_body) {
        return 0;
    }
    bool counted = fetch->body_bytes != FETCH_LENGTH_UNKNOWN;
    uint64_t left = fetch->body_bytes - fetch->sent_bytes;
    size = counted && left < size ? (size_t)left : size;
    if (size == 0) {
        return 0; /* What is more than was announced stays unread. */
    }
    switch (stream_read(pipe_stream(fetch->body), data, size, &read)) {
    case STREAM_OK:
        fetch->sent_bytes += read;
        fetch->active_ns = worker_look(&fetch->lane->loop->worker);
        return read;
    case STREAM_WAIT:
        fetch->send_paused = true;
        return CURL_READFUNC_PAUSE;
    case STREAM_ENDED:
        if (!counted) {
            return 0;
        }
        break; /* Less than was announced. */
    case STREAM_ABORTED:
    case STREAM_CLOSED:
        break;
    }
    fetch->cause = FETCH_CANCELLED;
    return CURL_READFUNC_ABORT;
}

/* ---- options ---- */

#define SET(option, value) good = good && curl_easy_setopt(easy, option, value) == CURLE_OK

static bool set_callbacks(CURL *easy, struct fetch *fetch)
{
    bool good = true;
    SET(CURLOPT_PRIVATE, fetch);
    SET(CURLOPT_ERRORBUFFER, fetch->words);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
    SET(CURLOPT_OPENSOCKETDATA, fetch);
    SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
    SET(CURLOPT_CLOSESOCKETDATA, fetch->lane);
    SET(CURLOPT_PREREQFUNCTION, on_connected);
    SET(CURLOPT_PREREQDATA, fetch);
    SET(CURLOPT_HEADERFUNCTION, on_line);
    SET(CURLOPT_HEADERDATA, fetch);
    SET(CURLOPT_WRITEFUNCTION, on_piece);
    SET(CURLOPT_WRITEDATA, fetch);
    SET(CURLOPT_READFUNCTION, on_send);
    SET(CURLOPT_READDATA, fetch);
    SET(CURLOPT_SSL_CTX_FUNCTION, on_tls);
    SET(CURLOPT_SSL_CTX_DATA, fetch);
    return good;
}

/* What curl would do by itself, and shall not. */
static bool set_limits(CURL *easy)
{
    bool good = true;
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_CAINFO, NULL);
    SET(CURLOPT_CAPATH, NULL);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    return good;
}

static bool set_request(CURL *easy, struct fetch *fetch)
{
    bool good = true;
    SET(CURLOPT_URL, fetch->aim.url);
    SET(CURLOPT_HTTPHEADER, fetch->fields);
    SET(CURLOPT_RESOLVE, fetch->aim.literal ? NULL : fetch->resolve);
    SET(CURLOPT_FRESH_CONNECT, fetch->fresh ? 1L : 0L);
    if (strcmp(fetch->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
        return good;
    }
    if (fetch->has_body || fetch->sends_empty) {
        bool counted = fetch->sends_empty || fetch->body_bytes != FETCH_LENGTH_UNKNOWN;
        curl_off_t size = fetch->sends_empty ? 0 : counted ? (curl_off_t)fetch->body_bytes : -1;
        SET(CURLOPT_UPLOAD, 1L);
        SET(CURLOPT_INFILESIZE_LARGE, size);
    }
    SET(CURLOPT_CUSTOMREQUEST, fetch->method);
    return good;
}

bool fetch_easy_arm(struct fetch *fetch)
{
    if (fetch->easy != NULL) {
        curl_easy_reset(fetch->easy);
    } else if ((fetch->easy = curl_easy_init()) == NULL) {
        return false;
    }
    fetch->words[0] = '\0';
    return set_callbacks(fetch->easy, fetch) && set_limits(fetch->easy) &&
           set_request(fetch->easy, fetch);
}
