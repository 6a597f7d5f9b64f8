/**
 * @file
 * What one client's address may take of a listener: connections at once, connections a second, requests
 * a second. IPv4 addresses count one by one, IPv6 by /64, which is what one customer is given; unix
 * sockets do not count.
 *
 * A table of a fixed size holds the addresses seen last. Under an attack from more of them, the one
 * that was seen longest ago goes, and of a few such rather one without open connections; it begins anew
 * when it comes again. The place of an address is drawn with a secret, so that nobody can choose
 * addresses that meet.
 *
 * Rates are token buckets: `burst` tokens at most, `per_second` new ones. What is kept of a bucket is the
 * time at which it will be full.
 *
 * Life:    rate_create() -> used by connections -> rate_destroy(), when none is left.
 * Threads: any; one lock for each of RATE_SHARDS parts.
 */
#pragma once

#include "core/env.h"

#include <stdbool.h>

/** Of one address; 0: no limit. A burst of 0 is as much as a second gives. */
struct rate_limits {
    uint32_t connections_max;
    uint32_t connections_per_second;
    uint32_t requests_per_second;
    uint32_t requests_burst;
};

enum {
    RATE_SHARDS = 32,
    RATE_SHARD_ENTRIES = 2048, /**< 65,536 addresses, 3.5 MiB when all are in use. */
};

struct rate;

/** An address as it is counted; 0: it is not. */
struct rate_key {
    uint64_t raw;
};

/** A connection's share in its address; zeroed: none. */
struct rate_hold {
    uint32_t place;      /**< Of its entry, and 1. */
    uint32_t generation; /**< Of that entry: it may be another address' by now. */
};

struct rate_counts {
    uint64_t connections; /**< Refused, ever. */
    uint64_t requests;    /**< Likewise. */
};

/** Whether there is anything to limit. */
static inline bool rate_limits_any(const struct rate_limits *limits)
{
    return limits->connections_max > 0 || limits->connections_per_second > 0 ||
           limits->requests_per_second > 0;
}

/** NULL: out of memory. `env`: for the secret. */
struct rate *rate_create(const struct rate_limits *limits, struct env *env) MUST_USE;

/** NULL is allowed. */
void rate_destroy(struct rate *rate);

/** The address in "1.2.3.4:567", "[::1]:567" or either without its port. An IPv4 address written as IPv6
 *  (::ffff:1.2.3.4) is that IPv4 address. "unix" and what is no address: 0. */
struct rate_key rate_key_parse(const char *text);

/** A connection has come. False: it is one too many, and counted as such; nothing is held.
 *  @param ret  to be given back with rate_leave(), when true */
bool rate_connect(struct rate *rate, struct rate_key key, uint64_t now_ns, struct rate_hold *ret)
    MUST_USE;

/** The connection has ended. A zeroed hold is fine, and so is what it becomes. */
void rate_leave(struct rate *rate, struct rate_hold *hold);

/** A request has come. 0: it may pass. Otherwise it is one too many, and counted as such: so many
 *  seconds, at least 1, until the next may. */
unsigned rate_request(struct rate *rate, struct rate_key key, uint64_t now_ns) MUST_USE;

struct rate_counts rate_counts(struct rate *rate);
