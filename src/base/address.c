#include "base/address.h"

#include "base/number.h"

#include <arpa/inet.h>
#include <string.h>

static bool parse_unix(const char *text, struct address *ret, struct err *err)
{
    const char *path = text + strlen("unix:");

    if (*path == '\0') {
        return err_set(err, ERR_INPUT, "'%s' has no path; write unix:/path/of/socket", text);
    }
    ret->kind = ADDRESS_UNIX;
    ret->path = path;
    return true;
}

/* The name as systemd.socket(5), FileDescriptorName=, has it. */
static bool parse_handed(const char *text, struct address *ret, struct err *err)
{
    const char *name = text + strlen("systemd:");
    size_t size = strlen(name);

    for (size_t i = 0; i < size; i++) {
        if (name[i] <= ' ' || name[i] > '~' || name[i] == ':') {
            size = 0;
        }
    }
    if (size == 0 || size > ADDRESS_NAME_MAX) {
        return err_set(err, ERR_INPUT,
                       "'%.80s' names no socket; write systemd:NAME, with the socket unit's "
                       "FileDescriptorName, of 1 to %d printable characters without ':'",
                       text, ADDRESS_NAME_MAX);
    }
    ret->kind = ADDRESS_HANDED;
    ret->name = name;
    return true;
}

static bool parse_port(const char *text, const char *port, uint16_t *ret, struct err *err)
{
    uint64_t number;

    if (!number_parse(port, strlen(port), UINT16_MAX, &number)) {
        return err_set(err, ERR_INPUT,
                       "'%.80s' ends in no port; write a number from 0 (any free port) to 65535 "
                       "behind the last ':'",
                       text);
    }
    *ret = (uint16_t)number;
    return true;
}

static bool host_is_v6(const char *host)
{
    struct in6_addr ignored;
    char bare[ADDRESS_HOST_BYTES];
    size_t size = strcspn(host, "%"); /* "%eth0": the zone is the kernel's to check */

    memcpy(bare, host, size);
    bare[size] = '\0';
    return inet_pton(AF_INET6, bare, &ignored) == 1;
}

static bool check_name(const char *text, const char *host, struct err *err)
{
    struct in_addr ignored;
    size_t size = strlen(host);

    if (strspn(host, "0123456789.") == size && inet_pton(AF_INET, host, &ignored) != 1) {
        return err_set(err, ERR_INPUT, "'%.80s' is no IPv4 address; write four numbers up to 255",
                       text);
    }
    for (size_t i = 0; i < size; i++) {
        char c = host[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '-' && c != '_') {
            return err_set(err, ERR_INPUT,
                           "'%.80s' is no address; write host:port, [IPv6]:port or unix:/path",
                           text);
        }
    }
    return true;
}

/* "[" has been seen. */
static bool parse_v6(const char *text, struct address *ret, struct err *err)
{
    const char *end = strchr(text, ']');

    if (end == NULL || end[1] != ':') {
        return err_set(err, ERR_INPUT, "'%.80s' is no address; write [IPv6]:port, as in [::1]:8080",
                       text);
    }
    size_t size = (size_t)(end - text) - 1;
    if (size >= sizeof(ret->host)) {
        return err_set(err, ERR_INPUT, "'%.80s' is too long for an IPv6 address", text);
    }
    memcpy(ret->host, text + 1, size);
    ret->host[size] = '\0';
    if (!host_is_v6(ret->host)) {
        return err_set(err, ERR_INPUT, "'%.80s' holds no IPv6 address between the brackets", text);
    }
    return parse_port(text, end + 2, &ret->port, err);
}

/* Somebody who gave no colon meant a port, a path or a host; say which form that takes. */
static bool refuse_without_colon(const char *text, struct err *err)
{
    uint64_t port;

    if (number_parse(text, strlen(text), UINT16_MAX, &port)) {
        return err_set(err, ERR_INPUT, "'%s' is a port without a host; write 127.0.0.1:%s", text,
                       text);
    }
    if (strchr(text, '/') != NULL) {
        return err_set(err, ERR_INPUT, "'%.80s' looks like a path; write unix:%.80s", text, text);
    }
    return err_set(err, ERR_INPUT, "'%.80s' has no port; write host:port, as in 127.0.0.1:8080",
                   text);
}

bool address_parse(const char *text, struct address *ret, struct err *err)
{
    *ret = (struct address){.kind = ADDRESS_TCP};
    if (strncmp(text, "unix:", 5) == 0) {
        return parse_unix(text, ret, err);
    }
    if (strncmp(text, "systemd:", 8) == 0) {
        return parse_handed(text, ret, err);
    }
    if (*text == '[') {
        return parse_v6(text, ret, err);
    }
    const char *scheme = strstr(text, "://");
    if (scheme != NULL) {
        return err_set(err, ERR_INPUT, "'%.80s' is a URL; write only host:port: %.80s", text,
                       scheme + 3);
    }
    const char *colon = strrchr(text, ':');
    if (colon == NULL) {
        return refuse_without_colon(text, err);
    }
    size_t size = (size_t)(colon - text);
    if (size >= sizeof(ret->host)) {
        return err_set(err, ERR_INPUT, "'%.80s...' is too long for a host name", text);
    }
    memcpy(ret->host, text, size);
    ret->host[size] = '\0';
    if (size == 0 || strcmp(ret->host, "*") == 0) {
        return err_set(err, ERR_INPUT,
                       "'%s' has no host; write 127.0.0.1%s for this machine only, or 0.0.0.0%s "
                       "for everybody",
                       text, colon, colon);
    }
    if (strchr(ret->host, ':') != NULL) {
        return err_set(err, ERR_INPUT,
                       "'%.80s': an IPv6 address stands in brackets; write [%.80s]%s", text,
                       ret->host, colon);
    }
    return check_name(text, ret->host, err) && parse_port(text, colon + 1, &ret->port, err);
}
