#include "guest/resolver.h"

#include "base/list.h"
#include "base/lock.h"
#include "guest/network.h"

#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { SLOTS = 64, NS_PER_S = 1000000000 };

enum lookup_state { LOOKUP_QUEUED, LOOKUP_RUNNING, LOOKUP_POSTED };

struct lookup {
    struct task task; /* the worker's inbox, once posted */
    struct list link; /* guarded by the resolver's lock: queued, or running */
    struct resolver *resolver;
    struct worker *worker;
    const void *share;
    void (*done)(void *argument, const struct addresses *addresses);
    void *argument;
    enum lookup_state state; /* guarded by lock */
    bool abandoned;          /* guarded by lock */
    char name[RESOLVER_NAME_BYTES];
    struct addresses addresses; /* its thread's, then the worker's */
};

/* What a name was last: a place is its hash's, whoever comes last has it. */
struct answer {
    uint64_t until_ns;
    char name[RESOLVER_NAME_BYTES];
    struct addresses addresses;
};

struct resolver {
    struct lock lock;
    struct env *env;
    resolver_function look_up;
    sem_t work;             /* one up for each that was queued, and for each thread at the end */
    atomic_uint references; /* its owner's, and one a thread */
    struct list queued, running;   /* guarded by lock */
    unsigned threads, idle;        /* guarded by lock */
    unsigned waiting;              /* guarded by lock: queued */
    bool stopping;                 /* guarded by lock */
    struct answer *answers[SLOTS]; /* guarded by lock */
};

/* ---- answers that are kept ---- */

static struct answer **slot_of(struct resolver *resolver, const char *name)
{
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (; *name != '\0'; name++) {
        hash = (hash ^ (uint8_t)*name) * 16777619U;
    }
    return &resolver->answers[hash % SLOTS];
}

static bool recall(struct resolver *resolver, const char *name, struct addresses *ret)
{
    const struct answer *answer = *slot_of(resolver, name);
    uint64_t now_ns = resolver->env->monotonic_ns(resolver->env);
    if (answer == NULL || answer->until_ns < now_ns || strcmp(answer->name, name) != 0) {
        return false;
    }
    *ret = answer->addresses;
    return true;
}

static void keep(struct resolver *resolver, const struct lookup *lookup)
{
    struct answer **slot = slot_of(resolver, lookup->name);
    if (lookup->addresses.count == 0) {
        return;
    }
    if (*slot == NULL && (*slot = malloc(sizeof **slot)) == NULL) {
        return;
    }
    (*slot)->until_ns = resolver->env->monotonic_ns(resolver->env) +
                        (uint64_t)RESOLVER_KEEP_S * NS_PER_S;
    memcpy((*slot)->name, lookup->name, sizeof lookup->name);
    (*slot)->addresses = lookup->addresses;
}

/* ---- threads ---- */

static void ask_library(const char *name, struct addresses *ret)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *first = NULL;
    ret->count = 0;
    if (getaddrinfo(name, NULL, &hints, &first) != 0) {
        return;
    }
    for (struct addrinfo *at = first; at != NULL && ret->count < RESOLVER_ADDRESSES_MAX;
         at = at->ai_next) {
        uint16_t port;
        ret->count += network_address(at->ai_addr, &ret->ips[ret->count], &port);
    }
    freeaddrinfo(first);
}

static void resolver_release(struct resolver *resolver)
{
    /* Acquire and release: all uses come before the end. */
    if (atomic_fetch_sub_explicit(&resolver->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < SLOTS; i++) {
        free(resolver->answers[i]);
    }
    sem_destroy(&resolver->work);
    lock_fini(&resolver->lock);
    free(resolver);
}

/* The first one whose share has a thread to spare. With the lock. */
static struct lookup *pick(struct resolver *resolver)
{
    for (struct list *link = resolver->queued.next; link != &resolver->queued; link = link->next) {
        struct lookup *lookup = CONTAINER_OF(link, struct lookup, link);
        unsigned busy = 0;
        for (struct list *other = resolver->running.next; other != &resolver->running;
             other = other->next) {
            busy += CONTAINER_OF(other, struct lookup, link)->share == lookup->share;
        }
        if (busy < RESOLVER_SHARE_MAX) {
            list_remove(&lookup->link);
            resolver->waiting--;
            list_append(&resolver->running, &lookup->link);
            lookup->state = LOOKUP_RUNNING;
            return lookup;
        }
    }
    return NULL;
}

static void post_run(struct task *task)
{
    struct lookup *lookup = CONTAINER_OF(task, struct lookup, task);
    if (!lookup->abandoned) { /* own thread: only it abandons what is posted */
        lookup->done(lookup->argument, &lookup->addresses);
    }
    free(lookup);
}

/* With the lock: a worker whose fetches are cancelled first may be gone next. */
static void post(struct lookup *lookup)
{
    lookup->state = LOOKUP_POSTED;
    lookup->task.run = post_run;
    worker_post(lookup->worker, &lookup->task);
}

static void look_up(struct resolver *resolver, struct lookup *lookup)
{
    lock_release(&resolver->lock);
    resolver->look_up(lookup->name, &lookup->addresses);
    lock_take(&resolver->lock);
    list_remove(&lookup->link);
    keep(resolver, lookup);
    if (lookup->abandoned) {
        free(lookup);
    } else {
        post(lookup);
    }
}

static void *thread_main(void *argument)
{
    struct resolver *resolver = argument;
    pthread_setname_np(pthread_self(), "mote-name");
    lock_take(&resolver->lock);
    while (!resolver->stopping) {
        struct lookup *lookup = pick(resolver);
        if (lookup != NULL) {
            look_up(resolver, lookup);
            continue;
        }
        resolver->idle++;
        lock_release(&resolver->lock);
        while (sem_wait(&resolver->work) != 0) {
            /* Interrupted. */
        }
        lock_take(&resolver->lock);
        resolver->idle--;
    }
    lock_release(&resolver->lock);
    resolver_release(resolver);
    return NULL;
}

/* One more, if all are busy. False: there is none at all. With the lock. */
static bool thread_ensure(struct resolver *resolver)
{
    if (resolver->idle > resolver->waiting || resolver->threads == RESOLVER_THREADS_MAX) {
        return true;
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return resolver->threads > 0;
    }
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, 256 * 1024);
    atomic_fetch_add_explicit(&resolver->references, 1, memory_order_relaxed);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread, &attributes, thread_main, resolver);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (failed != 0) {
        /* Relaxed: the caller's own is left. */
        atomic_fetch_sub_explicit(&resolver->references, 1, memory_order_relaxed);
        return resolver->threads > 0;
    }
    resolver->threads++;
    return true;
}

/* ---- its user ---- */

struct resolver *resolver_create(struct env *env, resolver_function look_up_)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver == NULL) {
        return NULL;
    }
    lock_init(&resolver->lock, LOCK_RESOLVER);
    resolver->env = env;
    resolver->look_up = look_up_ != NULL ? look_up_ : ask_library;
    int failed = sem_init(&resolver->work, 0, 0);
    INVARIANT(failed == 0);
    atomic_init(&resolver->references, 1);
    list_init(&resolver->queued);
    list_init(&resolver->running);
    return resolver;
}

void resolver_destroy(struct resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    lock_take(&resolver->lock);
    INVARIANT(list_is_empty(&resolver->queued));
    resolver->stopping = true;
    unsigned threads = resolver->threads;
    lock_release(&resolver->lock);
    for (unsigned i = 0; i < threads; i++) {
        sem_post(&resolver->work);
    }
    resolver_release(resolver);
}

struct lookup *resolver_ask(struct resolver *resolver, const char *name, const void *share,
                            struct worker *worker,
                            void (*done)(void *argument, const struct addresses *addresses),
                            void *argument)
{
    size_t size = strlen(name);
    struct lookup *lookup = size < RESOLVER_NAME_BYTES ? calloc(1, sizeof *lookup) : NULL;
    if (lookup == NULL) {
        return NULL;
    }
    memcpy(lookup->name, name, size + 1);
    lookup->resolver = resolver;
    lookup->worker = worker;
    lookup->share = share;
    lookup->done = done;
    lookup->argument = argument;
    lock_take(&resolver->lock);
    bool known = recall(resolver, name, &lookup->addresses);
    bool possible = known || thread_ensure(resolver);
    if (known) {
        post(lookup);
    } else if (possible) {
        lookup->state = LOOKUP_QUEUED;
        list_append(&resolver->queued, &lookup->link);
        resolver->waiting++;
        sem_post(&resolver->work);
    }
    lock_release(&resolver->lock);
    if (!possible) {
        free(TAKE(lookup));
    }
    return lookup;
}

void resolver_cancel(struct lookup *lookup)
{
    struct resolver *resolver = lookup->resolver;
    lock_take(&resolver->lock);
    bool queued = lookup->state == LOOKUP_QUEUED;
    if (queued) {
        list_remove(&lookup->link);
        resolver->waiting--;
    }
    lookup->abandoned = true;
    lock_release(&resolver->lock);
    if (queued) {
        free(lookup);
    }
}
