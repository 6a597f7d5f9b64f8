/**
 * @file
 * Which addresses are this machine's own.
 *
 * Threads: any.
 */
#pragma once

#include "base/cidr.h"

#include <stdbool.h>

/** Whether it may be one now, as the system says: no own address is missed. Where one may bind to any address
 *  (net.ipv4.ip_nonlocal_bind), it may be any. Loopback is not meant: whose that is needs no question. */
bool machine_may_have(const struct ip *ip);

/** Whether it is one, as it was at one of the last few dozens of times that the calling thread has asked: cheap, for every
 *  datagram. */
bool machine_has(const struct ip *ip);

/** Who is asked in place of the system, NULL: that. For tests, on one thread. */
typedef bool (*machine_function)(const struct ip *ip);
void machine_set(machine_function function);
