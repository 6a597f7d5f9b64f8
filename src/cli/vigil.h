/**
 * @file
 * What the main thread does while a node serves: it waits for signals, answers the service manager's
 * watchdog, and looks after a successor.
 *
 * Life:    vigil_init() before app_open(), whose options point to it -> vigil_keep() -> vigil_fini() after
 *          app_destroy().
 * Threads: the main thread; vigil_ask() any.
 */
#pragma once

#include "cli/app.h"
#include "cli/notify.h"
#include "cli/successor.h"
#include "cli/swapper.h"

#include <signal.h>

struct vigil {
    char **argv;     /* constant: of this program, its name included */
    struct app *app; /* main thread, as all below but for what says otherwise */
    struct notify notify;
    int signal_fd, ask_fd;
    _Atomic(struct exchange *) asked; /* any thread: who asked for a reload and is to be answered */
    uint64_t asked_ms;                /* the asker's until it has written to ask_fd */
    atomic_bool over;                 /* any thread: nobody is answered any more */
    struct swapper swapper;
    struct successor successor;
    uint64_t successor_due_ns;
    struct pulse *pulses; /* one a loop */
    unsigned pulse_count;
    uint64_t pulse_due_ns;
};

/** `signals` are blocked. False: ERR_OS. */
bool vigil_init(struct vigil *vigil, char **argv, const sigset_t *signals, struct err *err)
    MUST_USE;
void vigil_fini(struct vigil *vigil);
static inline void vigil_finip(struct vigil *vigil)
{
    vigil_fini(vigil);
}

/** For app_options: `argument` is the vigil. */
void vigil_ask(void *argument, struct exchange *exchange, uint64_t timeout_ms);

/** Say that the node is ready, and wait until it is to end.
 *  @return the signal that came; 0: a successor has taken its place, and app_let_go() was called. The
 *          service manager knows. */
int vigil_keep(struct vigil *vigil, struct app *app);

/** Let nothing work on the app any more, which can then be destroyed. False: something does, and cannot be broken off; neither app nor
 *  vigil may go before the program does. */
bool vigil_rest(struct vigil *vigil) MUST_USE;
