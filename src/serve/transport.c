#include "serve/transport.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

enum {
    RECORD_BYTES = SSL3_RT_MAX_PLAIN_LENGTH,
    /* A client may send messages of TLS itself (new keys, empty records), but not for ever. */
    BARREN_MAX = 256
};

/* ---- The socket as TLS sees it ---- */

static int socket_read(BIO *bio, char *data, size_t size, size_t *ret_got)
{
    struct transport *transport = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t got = recv(transport->fd, data, size, 0);
    if (got < 0) {
        transport->emptied = transport->dry = errno == EAGAIN;
        if (errno == EAGAIN || errno == EINTR) {
            BIO_set_retry_read(bio);
        }
        return -1;
    }
    transport->emptied = (size_t)got < size;
    *ret_got = (size_t)got;
    if (got == 0) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
        return 0;
    }
    return 1;
}

/* Not the library's own, which writes without MSG_NOSIGNAL. */
static int socket_write(BIO *bio, const char *data, size_t size, size_t *ret_sent)
{
    struct transport *transport = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t sent = send(transport->fd, data, size, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno == EAGAIN || errno == EINTR) {
            BIO_set_retry_write(bio);
        }
        return -1; /* Not 0, which a goodbye that waits for room would take for success. */
    }
    *ret_sent = (size_t)sent;
    return 1;
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default: /* a number of the library's, of which there are many */
        return 0;
    }
}

static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "mote socket");
    if (method != NULL) {
        BIO_meth_set_read_ex(method, socket_read);
        BIO_meth_set_write_ex(method, socket_write);
        BIO_meth_set_ctrl(method, socket_control);
    }
}

bool transport_secure(struct transport *transport, SSL *ssl)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    BIO *bio = method == NULL ? NULL : BIO_new(method);
    if (bio == NULL) {
        SSL_free(ssl);
        return false;
    }
    BIO_set_data(bio, transport);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_accept_state(ssl);
    transport->ssl = ssl;
    return true;
}

void transport_fini(struct transport *transport)
{
    SSL_free(transport->ssl);
    transport->ssl = NULL;
}

/* ---- What went wrong ---- */

/* What a call that did not succeed comes to: 0: the client has ended; -1: see errno. */
static ssize_t conclude(struct transport *transport, int error)
{
    switch (error) {
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    default: /* a number of the library's: all others are final */
        transport->broken = true;
        errno = ECONNRESET;
        return -1;
    }
}

static ssize_t is_broken(void)
{
    errno = ECONNRESET;
    return -1;
}

/* ---- The handshake ---- */

enum transport_shake transport_shake(struct transport *transport)
{
    ERR_clear_error();
    int result = SSL_do_handshake(transport->ssl);
    if (result == 1) {
        transport->shaken = true;
        return SHAKE_DONE;
    }
    switch (SSL_get_error(transport->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return SHAKE_READ;
    case SSL_ERROR_WANT_WRITE:
        return SHAKE_WRITE;
    default: /* a number of the library's: all others are final */
        transport->broken = true;
        return SHAKE_FAILED;
    }
}

const char *transport_failure(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason != NULL ? reason : "the client left";
}

enum transport_alpn transport_alpn(const struct transport *transport)
{
    const unsigned char *name = NULL;
    unsigned size = 0;
    SSL_get0_alpn_selected(transport->ssl, &name, &size);
    return size == 2 && memcmp(name, "h2", 2) == 0 ? ALPN_HTTP2 : ALPN_HTTP1;
}

void transport_subject(const struct transport *transport, char ret[TRANSPORT_SUBJECT_BYTES])
{
    ret[0] = '\0';
    X509 *certificate = SSL_get0_peer_certificate(transport->ssl);
    BIO *text = certificate == NULL ? NULL : BIO_new(BIO_s_mem());
    if (text == NULL) {
        return;
    }
    /* Control bytes and what is not UTF-8 come out escaped. */
    if (X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0,
                           XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
        int size = BIO_read(text, ret, TRANSPORT_SUBJECT_BYTES - 1);
        ret[size > 0 ? size : 0] = '\0';
    }
    BIO_free(text);
}

/* ---- Reading ---- */

/* Something that carried nothing was read, and there may be more: others have their turn. */
static ssize_t endure(struct transport *transport)
{
    transport->more = true;
    if (++transport->barren > BARREN_MAX) {
        transport->broken = true;
        return is_broken();
    }
    errno = EINTR;
    return -1;
}

ssize_t transport_receive_tls(struct transport *transport, void *data, size_t size)
{
    SSL *ssl = transport->ssl;
    size_t total = 0;
    if (transport->broken) {
        return is_broken();
    }
    transport->emptied = transport->more = transport->crossed = false;
    while (total < size) {
        size_t got = 0;
        transport->dry = false;
        ERR_clear_error();
        int result = SSL_read_ex(ssl, (char *)data + total, size - total, &got);
        if (result != 1) {
            int error = SSL_get_error(ssl, result);
            bool wait = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
            transport->crossed = error == SSL_ERROR_WANT_WRITE;
            bool barren = error == SSL_ERROR_WANT_READ && !transport->dry;
            if (barren && total == 0) {
                return endure(transport);
            }
            /* How it ended, or what comes next, is told by the next call. */
            transport->more = !wait || barren;
            return total > 0 ? (ssize_t)total : conclude(transport, error);
        }
        total += got;
        transport->barren = 0;
        if (transport->emptied && SSL_has_pending(ssl) == 0) {
            return (ssize_t)total; /* What comes will be an edge of its own. */
        }
    }
    transport->more = true;
    return (ssize_t)total;
}

ssize_t transport_look_tls(struct transport *transport)
{
    char byte;
    size_t got = 0;
    if (transport->broken) {
        return is_broken();
    }
    transport->dry = false;
    ERR_clear_error();
    int result = SSL_peek_ex(transport->ssl, &byte, 1, &got);
    if (result == 1) {
        return 1;
    }
    int error = SSL_get_error(transport->ssl, result);
    transport->crossed = error == SSL_ERROR_WANT_WRITE;
    if (error == SSL_ERROR_WANT_READ && !transport->dry) {
        return endure(transport);
    }
    return conclude(transport, error);
}

/* ---- Writing ---- */

/* The bytes of `parts` from `offset` on that make up the next record. What lies in several places is
 * joined: a head and a short body are one record, and so one packet. */
static struct iovec next_record(const struct iovec *parts, int count, size_t offset, char *scratch)
{
    while (offset >= parts->iov_len) {
        offset -= parts->iov_len;
        parts++;
        count--;
    }
    size_t left = parts->iov_len - offset;
    char *begin = (char *)parts->iov_base + offset;
    if (count == 1 || left >= RECORD_BYTES) {
        return (struct iovec){begin, left < RECORD_BYTES ? left : RECORD_BYTES};
    }
    size_t size = 0;
    for (; count > 0 && size < RECORD_BYTES; count--, parts++, offset = 0) {
        size_t piece = parts->iov_len - offset;
        piece = piece < RECORD_BYTES - size ? piece : RECORD_BYTES - size;
        if (piece > 0) {
            memcpy(scratch + size, (const char *)parts->iov_base + offset, piece);
        }
        size += piece;
    }
    return (struct iovec){scratch, size};
}

/* One record at most. How many bytes went, or -1 with errno. */
static ssize_t write_record(struct transport *transport, const void *data, size_t size)
{
    size_t sent = 0;
    ERR_clear_error();
    int result = SSL_write_ex(transport->ssl, data, size, &sent);
    if (result == 1) {
        return (ssize_t)sent;
    }
    int error = SSL_get_error(transport->ssl, result);
    transport->crossed = error == SSL_ERROR_WANT_READ;
    if (conclude(transport, error) == 0) {
        return is_broken(); /* Said to one who writes: there is nobody to write to. */
    }
    return -1;
}

/* Used within one call only. */
static _Thread_local char scratch[RECORD_BYTES];

ssize_t transport_send_tls(struct transport *transport, const struct iovec *parts, int count)
{
    size_t total = 0, done = 0;
    if (transport->broken) {
        return is_broken();
    }
    for (int i = 0; i < count; i++) {
        total += parts[i].iov_len;
    }
    while (done < total) {
        struct iovec record = next_record(parts, count, done, scratch);
        ssize_t sent = write_record(transport, record.iov_base, record.iov_len);
        if (sent < 0) {
            return errno == EAGAIN && done > 0 ? (ssize_t)done : -1;
        }
        done += (size_t)sent;
    }
    return (ssize_t)done;
}

ssize_t transport_file_bare(struct transport *transport, int file, off_t offset, size_t size)
{
    return sendfile(transport->fd, file, &offset, size);
}

ssize_t transport_file_tls(struct transport *transport, int file, off_t offset, size_t size)
{
    size_t done = 0;
    if (transport->broken) {
        return is_broken();
    }
    while (done < size) {
        size_t bite = size - done < RECORD_BYTES ? size - done : RECORD_BYTES;
        ssize_t got = pread(file, scratch, bite, offset + (off_t)done);
        ssize_t sent = got <= 0 ? got : write_record(transport, scratch, (size_t)got);
        if (sent <= 0) {
            return done > 0 ? (ssize_t)done : sent;
        }
        done += (size_t)sent;
    }
    return (ssize_t)done;
}

bool transport_end(struct transport *transport)
{
    if (transport->ssl == NULL || !transport->shaken || transport->broken || transport->ended) {
        return true;
    }
    ERR_clear_error();
    int result = SSL_shutdown(transport->ssl);
    transport->ended = result >= 0 || SSL_get_error(transport->ssl, result) != SSL_ERROR_WANT_WRITE;
    return transport->ended;
}
