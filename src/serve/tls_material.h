/**
 * @file
 * Certificates and keys from PEM files, looked at before anything uses them. Known to tls.c only.
 * Threads: any.
 */
#pragma once

#include "base/bytes.h"
#include "serve/tls.h"

#include <openssl/ssl.h>

/** One reading of files. */
struct tls_reading {
    const struct tls_options *options;
    struct tls_listener *listener;
    size_t pair;
    bool failed;
};

/** Tell a finding; an error makes the reading fail. */
void tls_tell(struct tls_reading *reading, enum tls_file file, bool warning, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/** Put the pair `reading->pair` into `context`. */
void tls_load_pair(struct tls_reading *reading, SSL_CTX *context);

/** Ask clients for a certificate by one of those in the file, whose digest goes to `ret_digest`: sessions of other
 *  authorities must not be taken up again. */
void tls_load_authorities(struct tls_reading *reading, SSL_CTX *context,
                          unsigned char ret_digest[SSL_MAX_SID_CTX_LENGTH]);
