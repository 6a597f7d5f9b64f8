/**
 * @file
 * Head of everything that travels through a mailbox; embedded first in messages and signals.
 */
#pragma once

#include "base/base.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum entry_kind {
    ENTRY_MESSAGE, /**< A struct message that counts against depth and bytes. */
    ENTRY_NEWS,    /**< A struct message of the platform: never refused, never counted. */
    ENTRY_SIGNAL, /**< A struct signal: the platform's own talk between processes, which a body never
                        sees. Never refused, never counted. */
};

struct entry {
    struct entry *next;
    enum entry_kind kind;
    void (*destroy)(struct entry *entry); /**< Called for what the owner never took. */
};
