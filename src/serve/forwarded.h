/**
 * @file
 * For whom a trusted proxy has sent a request: Forwarded (RFC 7239), or X-Forwarded-For and
 * X-Forwarded-Proto. Pure.
 *
 * Each proxy adds at the right. From there addresses of trusted proxies are passed over; the first other one
 * is the client, and what stands further left is its own invention.
 */
#pragma once

#include "base/cidr.h"
#include "serve/request.h"

/** The proxies that are believed. */
struct forwarders {
    const struct cidr *blocks;
    size_t count;
};

/** Replace `remote` and `secure` of a request by what its headers say; it must have come from a trusted proxy.
 *  NULL: done. Otherwise the headers are malformed or contradict each other, and this says how. */
const char *forwarded_apply(struct request *request, const struct forwarders *forwarders);
