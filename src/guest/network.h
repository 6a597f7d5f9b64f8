/**
 * @file
 * With whom guests may speak over the network: the grant `allow-network`, looked at for every connection, by the address
 * that it is about to go to. A name that resolves to something else the next time therefore changes nothing.
 *
 * Rules, as the manifest writes them; `:port` behind any of them holds it to that port:
 *
 *     "*"                        any public address but this machine's own
 *     "example.com"              that name, as far as it resolves to such addresses
 *     "*.example.com"            every name below it (not itself), likewise
 *     "10.1.2.3", "10.0.0.0/8", "[2001:db8::1]:443", "[fd00::/8]:5432"
 *                                these addresses, public or not, whatever they are called
 *     "localhost"                127.0.0.0/8 and ::1
 *
 * A name is looked up only under a rule of that name, "*" or a block of all addresses: a look-up tells the name to servers of
 * others, which a guest could use to tell them something. "localhost" is looked up under any rule of addresses.
 *
 * *Public* is what is globally reachable (IANA's registries of special-purpose addresses, RFC 6890): not loopback, private,
 * shared (RFC 6598), link-local, documentation, benchmarking, multicast or reserved, nor 168.63.129.16, where a cloud's
 * host answers; an IPv4 address inside an IPv6 one
 * (mapped, RFC 4291; NAT64, RFC 6052) counts as what it is, and 6to4 and Teredo are never public.
 *
 * Denied whatever the rules say: unspecified and multicast addresses, and every port on which this node listens, on
 * any address of this machine.
 *
 * Life:    network_policy_create() -> references -> the last network_policy_release().
 * Threads: a policy is constant; references for any thread.
 */
#pragma once

#include "base/cidr.h"

#include <stdbool.h>

struct sockaddr;

enum network_rule_kind {
    NETWORK_PUBLIC,
    NETWORK_NAME,
    NETWORK_BELOW,
    NETWORK_BLOCK,
    NETWORK_LOOPBACK
};

enum { NETWORK_NAME_BYTES = 254, NETWORK_RULES_MAX = 256 };

/** One entry of `allow-network`. */
struct network_rule {
    enum network_rule_kind kind;
    uint16_t port;     /**< 0: any. */
    struct cidr block; /**< NETWORK_BLOCK */
    char name
        [NETWORK_NAME_BYTES]; /**< NETWORK_NAME, and what follows "*." of NETWORK_BELOW: small letters. */
};

/** Read one rule. Pure. False: ERR_INPUT; the text says what is wrong and what to write instead. */
bool network_rule_parse(const char *text, struct network_rule *ret, struct err *err) MUST_USE;

struct network_policy;

/** @param rules  `allow-network`, NULL-terminated; NULL or none: nothing is allowed
 *  @return with one reference. NULL: ERR_INPUT (a rule), ERR_LIMIT (more than NETWORK_RULES_MAX), ERR_MEMORY */
struct network_policy *network_policy_create(const char *const *rules, struct err *err) MUST_USE;
struct network_policy *network_policy_retain(struct network_policy *policy);
void network_policy_release(struct network_policy *policy); /**< NULL is allowed. */

/** Whether it allows nothing at all; so does NULL. */
bool network_policy_is_empty(const struct network_policy *policy);

/** Whether a connection (or a datagram) to that address and port may be made. Any thread; never blocks.
 *  @param policy  NULL: nothing is allowed
 *  @param host    the name that was resolved to `address`, in any case, perhaps with a dot at its end; NULL: none, the guest
 *                 has given the address itself. For wasi:sockets, where the two are apart: NULL. */
bool network_policy_allows(const struct network_policy *policy, const struct ip *address,
                           uint16_t port, const char *host);

/** Whether `host` may be looked up at all. */
bool network_policy_may_resolve(const struct network_policy *policy, const char *host);

/** Append-free text for the log: the line of the manifest that would allow this: `allow-network = ["10.0.0.5:80"]`, or with
 *  `host`, where its public address needs no more than the name; says so where nothing would. */
enum { NETWORK_ADVICE_BYTES = NETWORK_NAME_BYTES + 80 };
void network_policy_advise(const struct ip *address, uint16_t port, const char *host,
                           char ret[NETWORK_ADVICE_BYTES]);

/** The address and port of an AF_INET or AF_INET6 socket address; mapped IPv4 comes out as IPv4. False: another family. */
bool network_address(const struct sockaddr *from, struct ip *ret, uint16_t *ret_port) MUST_USE;

/** Whether anybody on the internet may be behind it. Pure. */
bool network_is_public(const struct ip *address);

/** This node listens on that port: no guest reaches it. Any thread; counted, and given back with network_disown(). */
void network_own(uint16_t port);
void network_disown(uint16_t port);
