#include "serve/tls.h"

#include "base/lock.h"
#include "serve/tls_material.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_NAME_BYTES = 16, TICKET_KEYS = 2, PEER_CHAIN_BYTES_MAX = 64 * 1024 };

/* The certificates of one reading. Lives as long as its first context, so as the connections that began
 * with it. */
struct set {
    size_t count;
    SSL_CTX *contexts[]; /* one a certificate; the first holds us */
};

/* What session tickets are sealed with (RFC 5077, 4). */
struct ticket_key {
    unsigned char name[KEY_NAME_BYTES], cipher[32], digest[32];
};

struct tls {
    struct tls_options options; /* constant */
    struct lock lock;
    SSL_CTX *context;                    /* guarded by lock: the present set's first one */
    struct ticket_key keys[TICKET_KEYS]; /* guarded by lock; the present one first */
    unsigned key_count;                  /* guarded by lock */
    uint64_t rotated_ns;                 /* guarded by lock: monotonic */
};

/* ---- Session tickets ---- */

/* With the lock held. */
static void rotate_keys(struct tls *tls)
{
    struct env *env = tls->options.env;
    uint64_t now_ns = env->monotonic_ns(env);
    if (tls->key_count > 0 && now_ns - tls->rotated_ns < (uint64_t)TLS_TICKET_S * 1000000000) {
        return;
    }
    /* After a long time without connections the present key is too old to stay. */
    bool stays = tls->key_count > 0 &&
                 now_ns - tls->rotated_ns < (uint64_t)2 * TLS_TICKET_S * 1000000000;
    OPENSSL_cleanse(&tls->keys[1], sizeof(tls->keys[1]));
    if (stays) {
        tls->keys[1] = tls->keys[0];
    }
    env->random(env, &tls->keys[0], sizeof(tls->keys[0]));
    tls->key_count = stays ? 2 : 1;
    tls->rotated_ns = now_ns;
}

/* 0: there is none of that name; 1: found; 2: found, but no longer the present one. */
static int find_key(struct tls *tls, const unsigned char *name, struct ticket_key *ret)
{
    int found = 0;
    lock_take(&tls->lock);
    rotate_keys(tls);
    for (unsigned i = 0; i < tls->key_count && found == 0; i++) {
        if (name == NULL || memcmp(tls->keys[i].name, name, KEY_NAME_BYTES) == 0) {
            *ret = tls->keys[i];
            found = i == 0 ? 1 : 2;
        }
    }
    lock_release(&tls->lock);
    return found;
}

static int seal_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                       EVP_MAC_CTX *mac, int sealing)
{
    static char digest_name[] = "SHA256";
    struct tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const EVP_CIPHER *kind = EVP_aes_256_cbc();
    struct ticket_key key;
    int found = find_key(tls, sealing != 0 ? NULL : name, &key);
    if (found == 0) {
        return 0; /* A full handshake does. */
    }
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.digest, sizeof(key.digest)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
        OSSL_PARAM_construct_end(),
    };
    bool ready;
    if (sealing != 0) {
        memcpy(name, key.name, KEY_NAME_BYTES);
        ready = RAND_bytes(iv, EVP_CIPHER_get_iv_length(kind)) == 1 &&
                EVP_EncryptInit_ex(cipher, kind, NULL, key.cipher, iv) == 1;
    } else {
        ready = EVP_DecryptInit_ex(cipher, kind, NULL, key.cipher, iv) == 1;
    }
    ready = ready && EVP_MAC_CTX_set_params(mac, parameters) == 1;
    OPENSSL_cleanse(&key, sizeof(key));
    return ready ? found : -1;
}

/* ---- What is agreed on ---- */

/* RFC 7301, 3.2: who offers nothing that we speak is told so. */
static int choose_protocol(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_size,
                           const unsigned char *offered, unsigned offered_size, void *argument)
{
    static const unsigned char protocols[] = "\x02h2\x08http/1.1";
    enum { H2_BYTES = 3 };
    const struct tls *tls = argument;
    (void)ssl;
    const unsigned char *ours = protocols + (tls->options.http2 ? 0 : H2_BYTES);
    unsigned ours_size = (unsigned)(protocols + sizeof(protocols) - 1 - ours);
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, ret_size, ours, ours_size, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *ret_name = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* RFC 6066, 3: the certificate for the name that the client asks for; else the first. */
static int choose_certificate(SSL *ssl, int *alert, void *argument)
{
    const struct set *set = argument;
    (void)alert;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == NULL) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    for (size_t i = 0; i < set->count; i++) {
        X509 *certificate = SSL_CTX_get0_certificate(set->contexts[i]);
        if (X509_check_host(certificate, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) ==
            1) {
            if (i > 0) {
                SSL_set_SSL_CTX(ssl, set->contexts[i]);
            }
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

/* ---- Contexts ---- */

static SSL_CTX *make_context(struct tls *tls)
{
    char groups[] = "X25519:P-256:P-384"; /* OpenSSL's macro takes no constant. */
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        return NULL;
    }
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
        SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                          "TLS_CHACHA20_POLY1305_SHA256") != 1 ||
        SSL_CTX_set1_groups_list(context, groups) != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    /* After a message of TLS itself the caller decides whether to go on. */
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(context, TLS_TICKET_S);
    SSL_CTX_set_max_cert_list(context, PEER_CHAIN_BYTES_MAX);
    SSL_CTX_set_app_data(context, tls);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, seal_ticket);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, tls);
    return context;
}

static void drop_set(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number,
                     void *argument)
{
    (void)parent;
    (void)data;
    (void)index;
    (void)number;
    (void)argument;
    struct set *set = pointer;
    for (size_t i = 1; set != NULL && i < set->count; i++) {
        SSL_CTX_free(set->contexts[i]);
    }
    free(set);
}

/* Where a context holds its set. */
static int set_index(void)
{
    static _Atomic int index; /* 1 more than the number; the number 0 is the application's */
    int known = atomic_load(&index);
    if (known == 0) {
        /* Two at once would make two numbers, of which either does. */
        known = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, drop_set) + 1;
        atomic_store(&index, known);
    }
    return known - 1;
}

/* Everything from its files; the first context, which holds the others, or NULL: told. */
static SSL_CTX *read_set(struct tls *tls, struct tls_listener *listener)
{
    size_t count = tls->options.pair_count;
    struct tls_reading reading = {.options = &tls->options, .listener = listener};
    struct set *set = calloc(1, sizeof(*set) + count * sizeof(SSL_CTX *));
    SSL_CTX *first = set == NULL ? NULL : make_context(tls);
    if (first == NULL || SSL_CTX_set_ex_data(first, set_index(), set) != 1) {
        SSL_CTX_free(first);
        free(set);
        tls_tell(&reading, TLS_CERTIFICATE, false, "out of memory");
        return NULL;
    }
    unsigned char digest[SSL_MAX_SID_CTX_LENGTH] = "mote";
    for (size_t i = 0; i < count; i++) {
        SSL_CTX *context = set->contexts[i] = i == 0 ? first : make_context(tls);
        reading.pair = i;
        if (context == NULL) {
            tls_tell(&reading, TLS_CERTIFICATE, false, "out of memory");
            break;
        }
        set->count = i + 1;
        tls_load_pair(&reading, context);
        if (tls->options.client_ca != NULL && (i == 0 || !reading.failed)) {
            reading.pair = 0;
            tls_load_authorities(&reading, context, digest);
        }
        SSL_CTX_set_session_id_context(context, digest, sizeof(digest));
    }
    SSL_CTX_set_tlsext_servername_callback(first, choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(first, set);
    if (reading.failed) {
        SSL_CTX_free(first);
        return NULL;
    }
    return first;
}

/* ---- Life ---- */

struct tls *tls_create(const struct tls_options *options, struct tls_listener *listener)
{
    INVARIANT(options->pair_count > 0 && options->pair_count <= TLS_PAIRS_MAX);
    struct tls_reading reading = {.options = options, .listener = listener};
    struct tls *tls = calloc(1, sizeof(*tls));
    if (tls == NULL) {
        tls_tell(&reading, TLS_CERTIFICATE, false, "out of memory");
        return NULL;
    }
    tls->options = *options;
    lock_init(&tls->lock, LOCK_TLS);
    tls->context = read_set(tls, listener);
    if (tls->context == NULL) {
        tls_destroy(tls);
        return NULL;
    }
    return tls;
}

void tls_destroy(struct tls *tls)
{
    if (tls == NULL) {
        return;
    }
    SSL_CTX_free(tls->context);
    OPENSSL_cleanse(tls->keys, sizeof(tls->keys));
    lock_fini(&tls->lock);
    free(tls);
}

bool tls_reload(struct tls *tls, struct tls_listener *listener)
{
    SSL_CTX *fresh = read_set(tls, listener);
    if (fresh == NULL) {
        return false;
    }
    lock_take(&tls->lock);
    SSL_CTX *old = tls->context;
    tls->context = fresh;
    lock_release(&tls->lock);
    SSL_CTX_free(old);
    return true;
}

SSL *tls_accept(struct tls *tls)
{
    lock_take(&tls->lock);
    SSL_CTX *context = tls->context;
    SSL_CTX_up_ref(context);
    lock_release(&tls->lock);
    ERR_clear_error();
    SSL *ssl = SSL_new(context);
    SSL_CTX_free(context);
    return ssl;
}

bool tls_asks_clients(const struct tls *tls)
{
    return tls->options.client_ca != NULL;
}
