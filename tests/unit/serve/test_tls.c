/* A listener's TLS and what a connection reads and writes by, against a client of the library's own. */
#include "../base/cmocka_all.h"

#include "serve/tls.h"
#include "serve/transport.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOUR_S = 60 * 60 };

/* ---- The world ---- */

static uint64_t now_ns;
static char folder[64];
static unsigned warnings, errors;
static char told[2048];

static uint64_t monotonic_ns(struct env *env)
{
    (void)env;
    return now_ns;
}

static uint64_t wall_ns(struct env *env)
{
    return env_system()->wall_ns(env);
}

static void fill_random(struct env *env, void *ret, size_t size)
{
    (void)env;
    env_system()->random(env_system(), ret, size);
}

static struct env env = {.monotonic_ns = monotonic_ns, .wall_ns = wall_ns, .random = fill_random};

static void found(struct tls_listener *listener, const struct tls_finding *finding)
{
    (void)listener;
    warnings += finding->warning;
    errors += !finding->warning;
    (void)snprintf(told, sizeof(told), "%s", finding->text);
}

static struct tls_listener listener = {found};

static const char *path_of(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];
    (void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static FILE *open_file(const char *name)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    return file;
}

/* A certificate that signs itself, in NAME.pem, and its key, in NAME.key. */
static void issue(const char *file_name, const char *name, long valid_s)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    assert_non_null(key);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -2L * HOUR_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), valid_s);
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    char text[64];
    (void)snprintf(text, sizeof(text), "%s.pem", file_name);
    FILE *file = open_file(text);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    fclose(file);
    (void)snprintf(text, sizeof(text), "%s.key", file_name);
    file = open_file(text);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static int make(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/mote-tls-XXXXXX");
    now_ns = 1000000000;
    warnings = errors = 0;
    told[0] = '\0';
    return mkdtemp(folder) == NULL;
}

static int drop(void **state)
{
    (void)state;
    static const char *const names[] = {"a.pem", "a.key", "b.pem", "b.key"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        unlink(path_of(names[i]));
    }
    return rmdir(folder);
}

static struct tls *create(void)
{
    static struct tls_pair pair;
    pair = (struct tls_pair){path_of("a.pem"), path_of("a.key")};
    struct tls_options options = {.pairs = &pair, .pair_count = 1, .env = &env};
    return tls_create(&options, &listener);
}

/* ---- Two ends ---- */

struct ends {
    struct transport server;
    SSL_CTX *context;
    SSL *client;
    int client_fd;
};

static void finish_handshake(struct ends *ends)
{
    bool server_done = false, client_done = false;
    while (!server_done || !client_done) {
        client_done = client_done || SSL_do_handshake(ends->client) == 1;
        enum transport_shake shake = server_done ? SHAKE_DONE : transport_shake(&ends->server);
        server_done = shake == SHAKE_DONE;
        assert_true(shake != SHAKE_FAILED);
    }
}

/* `session`: to be taken up again, or NULL. */
static void connect_ends(struct ends *ends, struct tls *tls, SSL_SESSION *session)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    transport_init(&ends->server, fds[0]);
    ends->client_fd = fds[1];
    assert_true(transport_secure(&ends->server, tls_accept(tls)));
    ends->context = SSL_CTX_new(TLS_client_method());
    ends->client = SSL_new(ends->context);
    SSL_set_fd(ends->client, fds[1]);
    SSL_set_connect_state(ends->client);
    if (session != NULL) {
        assert_int_equal(SSL_set_session(ends->client, session), 1);
    }
    finish_handshake(ends);
    /* Takes the tickets. */
    char byte;
    assert_int_equal(SSL_read(ends->client, &byte, 1), -1);
}

static void drop_ends(struct ends *ends)
{
    transport_fini(&ends->server);
    close(ends->server.fd);
    if (ends->client_fd >= 0) {
        close(ends->client_fd);
    }
    /* Else the library takes the session for broken. */
    SSL_set_shutdown(ends->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ends->client);
    SSL_CTX_free(ends->context);
}

static const char *server_name(const struct ends *ends)
{
    static char name[64];
    X509_NAME *subject = X509_get_subject_name(SSL_get0_peer_certificate(ends->client));
    X509_NAME_get_text_by_NID(subject, NID_commonName, name, sizeof(name));
    return name;
}

static void client_writes(struct ends *ends, size_t size)
{
    static const char much[65536];
    while (size > 0) {
        int bite = size < sizeof(much) ? (int)size : (int)sizeof(much);
        int sent = SSL_write(ends->client, much, bite);
        assert_true(sent > 0);
        size -= (size_t)sent;
    }
}

/* ---- Certificates ---- */

static void new_connections_get_what_was_read_again_and_open_ones_go_on(void **state)
{
    (void)state;
    struct ends before, after;
    char byte;
    issue("a", "old", 100 * 24L * HOUR_S);
    struct tls *tls = create();
    assert_non_null(tls);
    connect_ends(&before, tls, NULL);
    issue("a", "new", 100 * 24L * HOUR_S);
    assert_true(tls_reload(tls, &listener));
    connect_ends(&after, tls, NULL);
    assert_string_equal(server_name(&before), "old");
    assert_string_equal(server_name(&after), "new");
    client_writes(&before, 1);
    assert_int_equal(transport_receive(&before.server, &byte, 1), 1);
    drop_ends(&before);
    drop_ends(&after);
    tls_destroy(tls);
    assert_int_equal(errors + warnings, 0);
}

static void what_is_wrong_leaves_the_old_certificate_in_place(void **state)
{
    (void)state;
    struct ends ends;
    issue("a", "old", 100 * 24L * HOUR_S);
    struct tls *tls = create();
    issue("b", "other", 100 * 24L * HOUR_S);
    assert_int_equal(rename(path_of("b.key"), path_of("a.key")), 0);
    assert_false(tls_reload(tls, &listener));
    assert_int_equal(errors, 1);
    assert_non_null(strstr(told, "does not belong"));
    issue("a", "gone", -HOUR_S);
    assert_false(tls_reload(tls, &listener));
    assert_non_null(strstr(told, "expired"));
    unlink(path_of("a.pem"));
    assert_false(tls_reload(tls, &listener));
    connect_ends(&ends, tls, NULL);
    assert_string_equal(server_name(&ends), "old");
    drop_ends(&ends);
    tls_destroy(tls);
}

static void a_certificate_is_warned_of_before_it_expires(void **state)
{
    (void)state;
    issue("a", "soon", 13 * 24L * HOUR_S);
    struct tls *tls = create();
    assert_non_null(tls);
    assert_int_equal(warnings, 1);
    assert_int_equal(errors, 0);
    tls_destroy(tls);
}

/* ---- Session tickets ---- */

/* Whether a session taken now is known again so much later. */
static bool is_known_after(struct tls *tls, uint64_t seconds, bool with_visit_between)
{
    struct ends ends;
    connect_ends(&ends, tls, NULL);
    SSL_SESSION *session = SSL_get1_session(ends.client);
    drop_ends(&ends);
    now_ns += seconds / 2 * 1000000000;
    if (with_visit_between) {
        connect_ends(&ends, tls, NULL);
        drop_ends(&ends);
    }
    now_ns += (seconds - seconds / 2) * 1000000000;
    connect_ends(&ends, tls, session);
    bool known = SSL_session_reused(ends.client) == 1;
    SSL_SESSION_free(session);
    drop_ends(&ends);
    return known;
}

static void a_ticket_is_good_until_its_key_was_replaced_twice(void **state)
{
    (void)state;
    issue("a", "a", 100 * 24L * HOUR_S);
    struct tls *tls = create();
    assert_true(is_known_after(tls, 0, false));
    assert_true(is_known_after(tls, TLS_TICKET_S - 1, false));
    assert_false(is_known_after(tls, 2 * TLS_TICKET_S + 2, false));
    assert_true(is_known_after(tls, TLS_TICKET_S + 1, true));
    assert_false(is_known_after(tls, 4 * TLS_TICKET_S, true));
    tls_destroy(tls);
}

static void a_ticket_survives_a_reading_of_certificates(void **state)
{
    (void)state;
    struct ends ends;
    issue("a", "a", 100 * 24L * HOUR_S);
    struct tls *tls = create();
    connect_ends(&ends, tls, NULL);
    SSL_SESSION *session = SSL_get1_session(ends.client);
    drop_ends(&ends);
    assert_true(tls_reload(tls, &listener));
    connect_ends(&ends, tls, session);
    assert_int_equal(SSL_session_reused(ends.client), 1);
    SSL_SESSION_free(session);
    drop_ends(&ends);
    tls_destroy(tls);
}

/* ---- Reading and writing ---- */

static struct tls *make_ends(struct ends *ends)
{
    issue("a", "a", 100 * 24L * HOUR_S);
    struct tls *tls = create();
    connect_ends(ends, tls, NULL);
    return tls;
}

static void bytes_that_were_decrypted_are_not_forgotten(void **state)
{
    (void)state;
    struct ends ends;
    struct tls *tls = make_ends(&ends);
    char data[40000];
    client_writes(&ends, 30000);
    size_t total = 0;
    do { /* Without another edge. */
        ssize_t got = transport_receive(&ends.server, data, 1000);
        assert_true(got > 0);
        total += (size_t)got;
        assert_true(total < 30000 ? transport_has_more(&ends.server) : true);
    } while (total < 30000);
    assert_int_equal(transport_receive(&ends.server, data, sizeof(data)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_false(transport_has_more(&ends.server));
    client_writes(&ends, 30000);
    assert_int_equal(transport_receive(&ends.server, data, sizeof(data)), 30000);
    drop_ends(&ends);
    tls_destroy(tls);
}

static void a_goodbye_is_an_end_and_the_other_direction_goes_on(void **state)
{
    (void)state;
    struct ends ends;
    struct tls *tls = make_ends(&ends);
    char data[16];
    client_writes(&ends, 5);
    assert_int_equal(SSL_shutdown(ends.client), 0);
    assert_int_equal(transport_look(&ends.server), 1);
    assert_int_equal(transport_receive(&ends.server, data, sizeof(data)), 5);
    assert_true(transport_has_more(&ends.server));
    assert_int_equal(transport_look(&ends.server), 0);
    assert_int_equal(transport_receive(&ends.server, data, sizeof(data)), 0);
    struct iovec parts[] = {{(void *)(uintptr_t) "hello ", 6}, {(void *)(uintptr_t) "there", 5}};
    assert_int_equal(transport_send(&ends.server, parts, 2), 11);
    assert_true(transport_end(&ends.server));
    assert_int_equal(SSL_read(ends.client, data, sizeof(data)), 11);
    assert_memory_equal(data, "hello there", 11);
    assert_int_equal(SSL_read(ends.client, data, sizeof(data)), 0);
    assert_int_equal(SSL_get_shutdown(ends.client) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
    drop_ends(&ends);
    tls_destroy(tls);
}

static void an_end_without_a_goodbye_is_a_reset(void **state)
{
    (void)state;
    struct ends ends;
    struct tls *tls = make_ends(&ends);
    char data[16];
    client_writes(&ends, 5);
    close(ends.client_fd);
    ends.client_fd = -1;
    assert_int_equal(transport_receive(&ends.server, data, sizeof(data)), 5);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(transport_receive(&ends.server, data, sizeof(data)), -1);
        assert_int_equal(errno, ECONNRESET);
    }
    assert_true(transport_end(&ends.server));
    drop_ends(&ends);
    tls_destroy(tls);
}

/* What the client gets, as a sum that depends on the order. */
static size_t client_reads(struct ends *ends, uint64_t *sum)
{
    uint8_t data[10000];
    size_t total = 0;
    int got;
    while ((got = SSL_read(ends->client, data, sizeof(data))) > 0) {
        for (int i = 0; i < got; i++) {
            *sum = *sum * 31 + data[i];
        }
        total += (size_t)got;
    }
    return total;
}

/* Offered in two parts that are cut anew each time, with more behind, as a connection does. */
static void what_the_socket_does_not_take_is_sent_later_in_order(void **state)
{
    (void)state;
    enum { BYTES = 4000000 };
    struct ends ends;
    struct tls *tls = make_ends(&ends);
    uint8_t *data = malloc(BYTES);
    uint64_t expected = 0, sum = 0;
    for (size_t i = 0; i < BYTES; i++) {
        data[i] = (uint8_t)(i * 7 + i / 251);
        expected = expected * 31 + data[i];
    }
    size_t sent = 0, received = 0, offered = 20000;
    unsigned refusals = 0;
    while (sent < BYTES) {
        offered = BYTES - sent < offered ? BYTES - sent : offered;
        size_t first = sent % 3 == 0 ? offered / 3 : sent % 3 == 1 ? 0 : offered;
        struct iovec parts[] = {{data + sent, first}, {data + sent + first, offered - first}};
        ssize_t got = transport_send(&ends.server, parts, 2);
        if (got < 0) {
            assert_int_equal(errno, EAGAIN);
            refusals++;
            received += client_reads(&ends, &sum);
            offered += 12345;
        } else {
            sent += (size_t)got;
            /* A refused record must be offered whole again. */
            offered = offered - (size_t)got > 16384 ? offered - (size_t)got : 200000;
        }
    }
    received += client_reads(&ends, &sum);
    assert_int_equal(received, BYTES);
    assert_true(sum == expected);
    assert_true(refusals > 0);
    free(data);
    drop_ends(&ends);
    tls_destroy(tls);
}

static void a_file_goes_out_whole(void **state)
{
    (void)state;
    enum { BYTES = 3000000, BEGIN = 1234 };
    struct ends ends;
    struct tls *tls = make_ends(&ends);
    FILE *file = open_file("b.pem");
    uint64_t expected = 0, sum = 0;
    for (size_t i = 0; i < BYTES; i++) {
        uint8_t byte = (uint8_t)(i * 13 + i / 255);
        assert_true(putc(byte, file) != EOF);
        expected = i < BEGIN ? 0 : expected * 31 + byte;
    }
    fclose(file);
    file = fopen(path_of("b.pem"), "r");
    size_t sent = BEGIN, received = 0;
    for (;;) {
        ssize_t got = transport_file(&ends.server, fileno(file), (off_t)sent, 100000);
        if (got == 0) {
            break;
        }
        if (got < 0) {
            assert_int_equal(errno, EAGAIN);
            received += client_reads(&ends, &sum);
        } else {
            sent += (size_t)got;
        }
    }
    received += client_reads(&ends, &sum);
    assert_int_equal(sent, BYTES);
    assert_int_equal(received, BYTES - BEGIN);
    assert_true(sum == expected);
    fclose(file);
    drop_ends(&ends);
    tls_destroy(tls);
}

static void a_goodbye_waits_for_room(void **state)
{
    (void)state;
    struct ends ends;
    struct tls *tls = make_ends(&ends);
    static char much[16384];
    struct iovec part = {much, sizeof(much)};
    while (transport_send(&ends.server, &part, 1) > 0) {
    }
    assert_int_equal(errno, EAGAIN);
    uint64_t sum = 0;
    (void)client_reads(&ends, &sum);
    assert_int_equal(transport_send(&ends.server, &part, 1), sizeof(much));
    /* Fill what is left with bytes that are not TLS', so that no record is half sent. */
    while (send(ends.server.fd, much, 1, MSG_NOSIGNAL) == 1) {
    }
    assert_false(transport_end(&ends.server));
    assert_false(transport_end(&ends.server));
    ssize_t got;
    while ((got = recv(ends.client_fd, much, sizeof(much), 0)) > 0) {
    }
    assert_true(transport_end(&ends.server));
    assert_true(recv(ends.client_fd, much, sizeof(much), 0) > 0);
    assert_true(transport_end(&ends.server));
    assert_int_equal(recv(ends.client_fd, much, sizeof(much), 0), -1);
    drop_ends(&ends);
    tls_destroy(tls);
}

static void what_comes_behind_new_keys_is_not_forgotten(void **state)
{
    (void)state;
    struct ends ends;
    struct tls *tls = make_ends(&ends);
    char data[16];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(SSL_key_update(ends.client, SSL_KEY_UPDATE_REQUESTED), 1);
        client_writes(&ends, 5);
    }
    size_t total = 0;
    while (total < 15) { /* Without another edge. */
        ssize_t got = transport_receive(&ends.server, data, sizeof(data));
        assert_true(got > 0 || (got < 0 && errno == EINTR));
        assert_true(got > 0 || transport_has_more(&ends.server));
        total += got > 0 ? (size_t)got : 0;
    }
    struct iovec part = {data, 5};
    assert_int_equal(transport_send(&ends.server, &part, 1), 5);
    uint64_t sum = 0;
    assert_int_equal(client_reads(&ends, &sum), 5);
    drop_ends(&ends);
    tls_destroy(tls);
}

static void a_client_that_sends_nothing_but_new_keys_is_cut(void **state)
{
    (void)state;
    struct ends ends;
    struct tls *tls = make_ends(&ends);
    char data[16];
    ssize_t got = -1;
    unsigned rounds = 0;
    do {
        for (int i = 0; i < 100; i++) {
            assert_int_equal(SSL_key_update(ends.client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
            assert_int_equal(SSL_do_handshake(ends.client), 1);
        }
        do {
            got = transport_receive(&ends.server, data, sizeof(data));
            assert_int_equal(got, -1);
        } while (errno == EINTR);
    } while (errno == EAGAIN && ++rounds < 1000);
    assert_int_equal(errno, ECONNRESET);
    drop_ends(&ends);
    tls_destroy(tls);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        TEST(new_connections_get_what_was_read_again_and_open_ones_go_on),
        TEST(what_is_wrong_leaves_the_old_certificate_in_place),
        TEST(a_certificate_is_warned_of_before_it_expires),
        TEST(a_ticket_is_good_until_its_key_was_replaced_twice),
        TEST(a_ticket_survives_a_reading_of_certificates),
        TEST(bytes_that_were_decrypted_are_not_forgotten),
        TEST(a_goodbye_is_an_end_and_the_other_direction_goes_on),
        TEST(an_end_without_a_goodbye_is_a_reset),
        TEST(what_the_socket_does_not_take_is_sent_later_in_order),
        TEST(a_file_goes_out_whole),
        TEST(a_goodbye_waits_for_room),
        TEST(what_comes_behind_new_keys_is_not_forgotten),
        TEST(a_client_that_sends_nothing_but_new_keys_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
