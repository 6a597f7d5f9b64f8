/**
 * @file
 * IP addresses as bytes, and blocks of them as text: "10.0.0.0/8", "2001:db8::/32", "192.0.2.7" (RFC 4632).
 * Pure.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { IP_TEXT_BYTES = 64 };

struct ip {
    bool v6;
    uint8_t bytes[16]; /**< The first 4 for IPv4; the rest is zero. */
};

/** One block of addresses. */
struct cidr {
    struct ip ip;
    uint8_t bits; /**< As many of the first ones have to agree. */
};

/** The address of 4 bytes, or with `v6` of 16. One of IPv4 written as IPv6 (::ffff:192.0.2.7) becomes what it is. */
struct ip ip_make(const void *bytes, bool v6);

bool ip_equal(const struct ip *a, const struct ip *b);

/** An address alone: "192.0.2.7", "2001:db8::1". One of IPv4 written as IPv6 (::ffff:192.0.2.7) becomes what it is. */
bool ip_parse(const char *text, size_t size_bytes, struct ip *ret) MUST_USE;

/** An address perhaps with a port: also "192.0.2.7:80", "[2001:db8::1]", "[2001:db8::1]:80". `*ret_port` is 0
 *  without one. */
bool ip_parse_endpoint(const char *text, size_t size_bytes, struct ip *ret, uint16_t *ret_port)
    MUST_USE;

/** "192.0.2.7:80", "[2001:db8::1]:80". */
void ip_format_endpoint(const struct ip *ip, uint16_t port, char ret[IP_TEXT_BYTES]);

/** False: ERR_INPUT; the text says what is wrong and what to write instead. */
bool cidr_parse(const char *text, struct cidr *ret, struct err *err) MUST_USE;

bool cidr_holds(const struct cidr *cidr, const struct ip *ip);
