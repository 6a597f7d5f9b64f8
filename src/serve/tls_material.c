#include "serve/tls_material.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_BYTES_MAX = 1024 * 1024, CHAIN_MAX = 16, DAY_S = 24 * 60 * 60 };

static void bio_freep(BIO **bio)
{
    BIO_free(*bio);
}

static void x509_freep(X509 **certificate)
{
    X509_free(*certificate);
}

static void pkey_freep(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

void tls_tell(struct tls_reading *reading, enum tls_file file, bool warning, const char *fmt, ...)
{
    char text[ERR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, fmt);
    vsnprintf(text, sizeof(text), fmt, arguments);
    va_end(arguments);
    struct tls_finding finding = {
        .pair = reading->pair, .file = file, .warning = warning, .text = text};
    reading->listener->found(reading->listener, &finding);
    reading->failed = reading->failed || !warning;
}

/* The library's own words for what it did not like. */
static const char *library_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason != NULL ? reason : "out of memory";
}

/* ---- Files ---- */

/* False: told. */
static bool read_file(struct tls_reading *reading, enum tls_file file, const char *path,
                      struct bytes *ret)
{
    struct err err = {0};
    if (!bytes_read_file(ret, path, FILE_BYTES_MAX, &err)) {
        tls_tell(reading, file, false, "%s", err.text);
        return false;
    }
    return true;
}

static bool holds(const struct bytes *content, const char *words)
{
    return content->size > 0 && memmem(content->data, content->size, words, strlen(words)) != NULL;
}

static BIO *reader_of(const struct bytes *content)
{
    return BIO_new_mem_buf(content->size > 0 ? (const void *)content->data : "",
                           (int)content->size);
}

/* No question is asked at a terminal. */
static int no_password(char *ret, int capacity, int writing, void *argument)
{
    (void)ret;
    (void)capacity;
    (void)writing;
    (void)argument;
    return 0;
}

/* ---- Certificates ---- */

static void write_day(const ASN1_TIME *when, char ret[32])
{
    struct tm parts = {0};
    ret[0] = '\0';
    if (ASN1_TIME_to_tm(when, &parts) == 1) {
        strftime(ret, 32, "%Y-%m-%d %H:%M UTC", &parts);
    }
}

static void check_dates(struct tls_reading *reading, const char *path, const X509 *certificate)
{
    struct env *env = reading->options->env;
    time_t now = (time_t)(env->wall_ns(env) / 1000000000);
    time_t soon = now + (time_t)TLS_WARN_DAYS * DAY_S;
    char day[32];
    if (X509_cmp_time(X509_get0_notBefore(certificate), &now) > 0) {
        write_day(X509_get0_notBefore(certificate), day);
        tls_tell(reading, TLS_CERTIFICATE, false,
                 "the certificate %.300s is valid from %s only; check the clock, or take another",
                 path, day);
        return;
    }
    write_day(X509_get0_notAfter(certificate), day);
    if (X509_cmp_time(X509_get0_notAfter(certificate), &now) <= 0) {
        tls_tell(reading, TLS_CERTIFICATE, false, "the certificate %.300s expired on %s; renew it",
                 path, day);
    } else if (X509_cmp_time(X509_get0_notAfter(certificate), &soon) <= 0) {
        tls_tell(reading, TLS_CERTIFICATE, true, "the certificate %.300s expires on %s; renew it",
                 path, day);
    }
}

/* The first certificate of the file, after which the others stay in `reader`. NULL: told. */
static X509 *read_leaf(struct tls_reading *reading, const char *path, const struct bytes *content,
                       BIO *reader)
{
    ERR_clear_error();
    X509 *leaf = PEM_read_bio_X509(reader, NULL, no_password, NULL);
    if (leaf != NULL) {
        return leaf;
    }
    if (holds(content, "-----BEGIN") && !holds(content, "CERTIFICATE-----")) {
        tls_tell(reading, TLS_CERTIFICATE, false,
                 "%.300s holds no certificate%s; give the file with BEGIN CERTIFICATE", path,
                 holds(content, "PRIVATE KEY-----") ? " but a key" : "");
    } else if (holds(content, "-----BEGIN")) {
        tls_tell(reading, TLS_CERTIFICATE, false, "the certificate in %.300s is damaged: %s", path,
                 library_reason());
    } else {
        tls_tell(reading, TLS_CERTIFICATE, false,
                 "%.300s is no PEM file; convert it, so that it begins with BEGIN CERTIFICATE",
                 path);
    }
    return NULL;
}

/* What is behind the first one leads to an authority. */
static void add_chain(struct tls_reading *reading, const char *path, BIO *reader, SSL_CTX *context)
{
    for (unsigned count = 0;; count++) {
        ERR_clear_error();
        X509 *next = PEM_read_bio_X509(reader, NULL, no_password, NULL);
        if (next == NULL) {
            unsigned long error = ERR_peek_last_error();
            if (ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
                tls_tell(reading, TLS_CERTIFICATE, false,
                         "the %u. certificate in %.300s is damaged: %s", count + 2, path,
                         library_reason());
            }
            return;
        }
        if (count == CHAIN_MAX || SSL_CTX_add0_chain_cert(context, next) != 1) {
            X509_free(next);
            tls_tell(reading, TLS_CERTIFICATE, false,
                     "%.300s holds more certificates than a chain has; keep the server's own and "
                     "those that lead to its authority",
                     path);
            return;
        }
    }
}

/* The certificate, owned, or NULL: told. */
static X509 *load_certificate(struct tls_reading *reading, const char *path, SSL_CTX *context)
{
    AUTO(bytes_finip) struct bytes content = {0};
    if (!read_file(reading, TLS_CERTIFICATE, path, &content)) {
        return NULL;
    }
    AUTO(bio_freep) BIO *reader = reader_of(&content);
    if (reader == NULL) {
        tls_tell(reading, TLS_CERTIFICATE, false, "out of memory");
        return NULL;
    }
    X509 *leaf = read_leaf(reading, path, &content, reader);
    if (leaf == NULL) {
        return NULL;
    }
    if (SSL_CTX_use_certificate(context, leaf) != 1) {
        tls_tell(reading, TLS_CERTIFICATE, false, "the certificate %.300s cannot be used: %s", path,
                 library_reason());
    } else {
        add_chain(reading, path, reader, context);
    }
    check_dates(reading, path, leaf);
    return leaf;
}

/* ---- Keys ---- */

static void check_mode(struct tls_reading *reading, const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && (status.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)) != 0) {
        tls_tell(reading, TLS_KEY, true,
                 "the key %.300s can be read or replaced by others (mode %04o); chmod 600 it", path,
                 (unsigned)status.st_mode & 07777);
    }
}

/* The key, owned, or NULL: told. */
static EVP_PKEY *load_key(struct tls_reading *reading, const char *path)
{
    AUTO(bytes_finip) struct bytes content = {0};
    if (!read_file(reading, TLS_KEY, path, &content)) {
        return NULL;
    }
    check_mode(reading, path);
    AUTO(bio_freep) BIO *reader = reader_of(&content);
    ERR_clear_error();
    EVP_PKEY *key = reader == NULL ? NULL
                                   : PEM_read_bio_PrivateKey(reader, NULL, no_password, NULL);
    if (key == NULL && holds(&content, "ENCRYPTED")) {
        tls_tell(reading, TLS_KEY, false,
                 "the key %.300s has a password, which nobody could type in; store it without one",
                 path);
    } else if (key == NULL && !holds(&content, "PRIVATE KEY-----")) {
        tls_tell(reading, TLS_KEY, false,
                 "%.300s holds no private key%s; give the file with BEGIN PRIVATE KEY", path,
                 holds(&content, "CERTIFICATE-----") ? " but a certificate" : "");
    } else if (key == NULL) {
        tls_tell(reading, TLS_KEY, false, "the key in %.300s is damaged: %s", path,
                 library_reason());
    }
    if (content.size > 0) {
        OPENSSL_cleanse(content.data, content.size);
    }
    return key;
}

void tls_load_pair(struct tls_reading *reading, SSL_CTX *context)
{
    const struct tls_pair *pair = &reading->options->pairs[reading->pair];
    AUTO(x509_freep) X509 *leaf = load_certificate(reading, pair->certificate, context);
    AUTO(pkey_freep) EVP_PKEY *key = load_key(reading, pair->key);
    if (leaf == NULL || key == NULL) {
        return;
    }
    if (X509_check_private_key(leaf, key) != 1) {
        tls_tell(reading, TLS_KEY, false,
                 "the key %.300s does not belong to the certificate %.300s; give the one that it "
                 "was made for",
                 pair->key, pair->certificate);
        return;
    }
    if (!reading->failed && SSL_CTX_use_PrivateKey(context, key) != 1) {
        tls_tell(reading, TLS_KEY, false, "the key %.300s cannot be used: %s", pair->key,
                 library_reason());
    }
}

/* ---- Authorities ---- */

/* How many there are; what is damaged is told, and counts as one. */
static unsigned add_authorities(struct tls_reading *reading, BIO *reader, SSL_CTX *context)
{
    unsigned count = 0;
    for (;;) {
        ERR_clear_error();
        AUTO(x509_freep) X509 *one = PEM_read_bio_X509(reader, NULL, no_password, NULL);
        if (one == NULL) {
            if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
                tls_tell(reading, TLS_CLIENT_CA, false,
                         "the %u. certificate in %.300s is damaged: %s", count + 1,
                         reading->options->client_ca, library_reason());
                count++;
            }
            return count;
        }
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), one) != 1 ||
            SSL_CTX_add_client_CA(context, one) != 1) {
            tls_tell(reading, TLS_CLIENT_CA, false, "%.300s: %s", reading->options->client_ca,
                     library_reason());
            return count + 1;
        }
        count++;
    }
}

void tls_load_authorities(struct tls_reading *reading, SSL_CTX *context,
                          unsigned char ret_digest[SSL_MAX_SID_CTX_LENGTH])
{
    const char *path = reading->options->client_ca;
    AUTO(bytes_finip) struct bytes content = {0};
    if (!read_file(reading, TLS_CLIENT_CA, path, &content)) {
        return;
    }
    AUTO(bio_freep) BIO *reader = reader_of(&content);
    size_t size = 0;
    _Static_assert(SSL_MAX_SID_CTX_LENGTH == 32, "as many as the digest has");
    if (reader == NULL ||
        EVP_Q_digest(NULL, "SHA256", NULL, content.data, content.size, ret_digest, &size) != 1) {
        tls_tell(reading, TLS_CLIENT_CA, false, "out of memory");
        return;
    }
    if (add_authorities(reading, reader, context) == 0) {
        tls_tell(reading, TLS_CLIENT_CA, false,
                 "%.300s holds no certificate of an authority; give the file with BEGIN "
                 "CERTIFICATE",
                 path);
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}
