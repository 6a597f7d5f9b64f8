#include "cli/certificates.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

/* Whom TLS tells what it finds. */
struct teller {
    struct tls_listener listener;
    const char *path; /* of the manifest */
    const struct manifest_tls *tls;
    bool logs; /* while the node runs */
};

struct listener {
    struct tls *tls;
    struct tls_pair *pairs;
};

struct certificates {
    const struct manifest *manifest;
    struct listener listeners[]; /* one a [[serve]] */
};

static const struct manifest_file *file_of(const struct manifest_tls *tls,
                                           const struct tls_finding *finding)
{
    switch (finding->file) {
    case TLS_CERTIFICATE:
        return &tls->pairs[finding->pair].certificate;
    case TLS_KEY:
        return &tls->pairs[finding->pair].key;
    case TLS_CLIENT_CA:
        return &tls->client_ca;
    }
    BUG("a file of TLS");
}

static void tell(struct tls_listener *listener, const struct tls_finding *finding)
{
    struct teller *teller = CONTAINER_OF(listener, struct teller, listener);
    const struct manifest_file *file = file_of(teller->tls, finding);
    const char *kind = finding->warning ? "warning: " : "";
    if (teller->logs) {
        log_printf(finding->warning ? LOG_WARN : LOG_ERROR, "%s:%u:%u: %s", teller->path,
                   file->line, file->column, finding->text);
    } else {
        fprintf(stderr, "%s:%u:%u: %s%s\n", teller->path, file->line, file->column, kind,
                finding->text);
    }
}

static struct teller teller_of(const struct manifest *manifest, size_t index, bool logs)
{
    return (struct teller){.listener = {tell},
                           .path = manifest->path,
                           .tls = &manifest->serves[index].tls,
                           .logs = logs};
}

/* False: told. */
static bool open_one(struct certificates *certificates, size_t index)
{
    struct listener *listener = &certificates->listeners[index];
    const struct manifest_tls *from = &certificates->manifest->serves[index].tls;
    listener->pairs = calloc(from->pair_count, sizeof(*listener->pairs));
    if (listener->pairs == NULL) {
        fputs("mote: out of memory\n", stderr);
        return false;
    }
    for (size_t i = 0; i < from->pair_count; i++) {
        listener->pairs[i] = (struct tls_pair){.certificate = from->pairs[i].certificate.path,
                                               .key = from->pairs[i].key.path};
    }
    struct tls_options options = {.pairs = listener->pairs,
                                  .pair_count = from->pair_count,
                                  .client_ca = from->client_ca.path,
                                  .http2 = true,
                                  .env = env_system()};
    struct teller teller = teller_of(certificates->manifest, index, false);
    listener->tls = tls_create(&options, &teller.listener);
    return listener->tls != NULL;
}

struct certificates *certificates_open(const struct manifest *manifest)
{
    size_t count = manifest->serve_count;
    struct certificates *certificates =
        calloc(1, sizeof(*certificates) + count * sizeof(struct listener));
    if (certificates == NULL) {
        fputs("mote: out of memory\n", stderr);
        return NULL;
    }
    certificates->manifest = manifest;
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        if (manifest->serves[i].tls.pair_count > 0) {
            good = open_one(certificates, i) && good;
        }
    }
    if (!good) {
        certificates_destroy(certificates);
        return NULL;
    }
    return certificates;
}

void certificates_destroy(struct certificates *certificates)
{
    if (certificates == NULL) {
        return;
    }
    for (size_t i = 0; i < certificates->manifest->serve_count; i++) {
        tls_destroy(certificates->listeners[i].tls);
        free(certificates->listeners[i].pairs);
    }
    free(certificates);
}

struct tls *certificates_tls(const struct certificates *certificates, size_t index)
{
    return certificates->listeners[index].tls;
}

bool certificates_reload(struct certificates *certificates)
{
    bool good = true;
    for (size_t i = 0; i < certificates->manifest->serve_count; i++) {
        struct tls *tls = certificates->listeners[i].tls;
        if (tls == NULL) {
            continue;
        }
        struct teller teller = teller_of(certificates->manifest, i, true);
        const char *listen = certificates->manifest->serves[i].listen.value;
        if (tls_reload(tls, &teller.listener)) {
            log_printf(LOG_INFO, "%s: certificates read again", listen);
        } else {
            log_printf(LOG_ERROR, "%s: the certificates stay as they were", listen);
            good = false;
        }
    }
    return good;
}
