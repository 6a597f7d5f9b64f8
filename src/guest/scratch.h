/**
 * @file
 * Room for what a host function needs only until it returns, and that is large: this thread's, not the stack's.
 *
 * Host functions run on their guest's fiber, and what a fiber's stack has touched once stays resident for as long as the guest
 * lives: an error (1 KiB) or a list of headers (4 KiB) there costs each parked guest another page or two. So they lie here, once
 * for a thread.
 *
 * Life:    from the call until the host function returns: what parks is called again, perhaps on another thread, and asks anew.
 * Threads: each has its own. Host functions do not nest; so only they, and what serves them alone, ask. Whoever asks again while
 *          the first answer is still in use gets the same room: what is called with it must not ask.
 */
#pragma once

#include "base/err.h"

/** An error that says nothing yet. */
struct err *scratch_err(void);

enum { SCRATCH_BYTES = 16 * 1024 };

/** At most SCRATCH_BYTES, aligned for everything; what is in there is undefined. Apart from scratch_err(). */
void *scratch_room(size_t size_bytes);
