/**
 * @file
 * The inside of dynamic.h, for dynamic.c (who has what, who waits) and dynamic_load.c (compiling and loading).
 */
#pragma once

#include "base/list.h"
#include "base/lock.h"
#include "guest/dynamic.h"
#include "guest/dynamic_compiler.h"

#include <pthread.h>
#include <semaphore.h>

/** One template's code, the last used first. */
struct dynamic_shelf {
    struct dynamic *dynamic;
    struct component *component; /* constant */
    const char *entry;           /* constant */
    struct list codes;           /* guarded by lock */
    size_t ready, failed;        /* guarded by lock: of those */
    size_t jobs;                 /* guarded by lock: of those, to be compiled or on their way */
    size_t under_way;            /* guarded by lock: being compiled */
};

struct dynamic_code {
    atomic_uint references;
    struct dynamic_shelf *shelf; /* constant */
    unsigned char digest[DYNAMIC_DIGEST_BYTES];
    struct list member;  /* guarded by lock: of the shelf; empty: none any more */
    struct list queued;  /* guarded by lock: of the queue; empty: not in it */
    struct list waiters; /* guarded by lock */
    struct bytes wasm;   /* until compiled: the queue's, then the compiler's */
    atomic_uint
        state; /* any thread: enum dynamic_state; what follows is constant once it is not ON_ITS_WAY */
    struct edition **editions; /* one a worker */
    uint64_t failed_ns;
    enum err_code error;
    char why[DYNAMIC_WHY_BYTES];
};

/** A thread that compiles. */
struct dynamic_worker {
    struct dynamic *dynamic;
    pthread_t thread;
    int cancel;                   /* a descriptor */
    struct dynamic_code *current; /* guarded by lock */
};

struct dynamic {
    struct lock lock;
    struct dynamic_options options; /* constant; without the templates */
    struct dynamic_shelf *shelves;  /* constant */
    size_t shelf_count;
    struct list queue; /* guarded by lock */
    size_t jobs;       /* guarded by lock: in the queue or with a worker */
    bool stops;        /* guarded by lock */
    sem_t work;
    struct dynamic_worker workers[DYNAMIC_COMPILERS];
    unsigned worker_count;
    atomic_size_t held_bytes;
    atomic_uint_least64_t compiled, refused;
};

/** Compile or find, load and link. False: `err`; `*ret_again`: another time it may be otherwise. */
bool dynamic_make(struct dynamic *dynamic, struct dynamic_code *code, int cancel, bool *ret_again,
                  struct err *err);
