/**
 * @file
 * Where to listen, as text: "127.0.0.1:8080", "localhost:80", "[::1]:80", "unix:/run/mote.sock", or
 * "systemd:NAME", a socket that whoever started us hands over by that name. Pure: names are looked up by
 * whoever binds.
 */
#pragma once

#include "base/err.h"

#include <stdint.h>

enum address_kind { ADDRESS_TCP, ADDRESS_UNIX, ADDRESS_HANDED };

/** The longest host name of DNS; an IPv6 address with a zone is far shorter. */
enum { ADDRESS_HOST_BYTES = 254 };

/** The longest path that the kernel's socket address holds, without its zero. */
enum { ADDRESS_PATH_MAX = 107 };

/** The longest name that systemd gives a socket. */
enum { ADDRESS_NAME_MAX = 255 };

struct address {
    enum address_kind kind;
    char host[ADDRESS_HOST_BYTES]; /**< Without brackets; TCP only. */
    uint16_t port;                 /**< 0: any free one; TCP only. */
    const char *path;              /**< Points into the text that was parsed; unix only. */
    const char *name;              /**< Likewise; of a socket that is handed over. */
};

/** Take `text` apart. False: ERR_INPUT; the text says what is wrong and what to write instead. */
bool address_parse(const char *text, struct address *ret, struct err *err) MUST_USE;
