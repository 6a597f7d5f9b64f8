/**
 * @file
 * The access log: one line per finished request, and per refusal of what never became one.
 * Threads: any.
 */
#pragma once

#include "serve/exchange_internal.h"

/** Write the line of an exchange that both sides are done with, if it wants one. */
void access_log_exchange(const struct exchange *exchange);

/** Write the line of bytes that made no request: the status that was sent, why, and to whom. */
void access_log_refusal(unsigned status, const char *reason, const char *id, const char *remote);
