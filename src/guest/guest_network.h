/**
 * @file
 * Gives components the network that their grants allow: wasi:sockets by address, wasi:http/outgoing-handler by the
 * node's client (guest/fetch.h).
 */
#pragma once

/** Connect engine and client: once, before the first fiber. */
void guest_network_start(void);
