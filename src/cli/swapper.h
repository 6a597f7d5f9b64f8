/**
 * @file
 * Takes the components' files again while the node serves: a thread of its own, which lives as long as that takes,
 * because it may have to compile.
 *
 * Life:    swapper_init() -> swapper_want() and swapper_ask() -> swapper_look() whenever `fd` can be read -> swapper_stop(),
 *          while the app is there still -> swapper_fini(), if it has ended.
 * Threads: the main thread; swapper_ask() any.
 */
#pragma once

#include "cli/app.h"

#include <pthread.h>

struct swapper {
    struct app *app; /* constant while the thread runs */
    int fd;          /* an eventfd: somebody asks, or the thread is done */
    pthread_t thread;
    bool runs;           /* main thread: there is a thread */
    bool wanted;         /* main thread: once more, from the beginning */
    bool refused;        /* the thread's until `done`: a component was */
    struct bytes report; /* likewise */
    atomic_bool done;    /* any thread */
    atomic_bool over;    /* any thread: nobody is answered any more; no component is begun */
    _Atomic(struct exchange *) asked; /* any thread: waits for a run that begins after it came */
    struct exchange *answered;        /* main thread: of the run under way; or NULL */
};

/** False: ERR_OS. */
bool swapper_init(struct swapper *swapper, struct err *err) MUST_USE;
void swapper_fini(struct swapper *swapper);

/** Run, or once more when one is under way. */
void swapper_want(struct swapper *swapper, struct app *app);

/** For admin_options: `argument` is the swapper. */
void swapper_ask(void *argument, struct exchange *exchange);

/** See what is to be done. True: a run has just ended, and there is none any more. */
bool swapper_look(struct swapper *swapper, struct app *app);

/** Nothing begins any more; who asked is answered. False: a component is being compiled, which nobody can break off: the thread
 *  goes on, with the app, until the program's end. */
bool swapper_stop(struct swapper *swapper) MUST_USE;
