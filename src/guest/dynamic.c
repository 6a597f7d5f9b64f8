#include "guest/dynamic.h"

#include "guest/dynamic_table.h"

#include "base/log.h"
#include "core/env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
    struct env *env = env_system();
    return env->monotonic_ns(env);
}

/* Set before the node's threads start. */
static struct {
    const struct node *node;
    struct dynamic *dynamic;
} connected;

void dynamic_start(const struct node *node, struct dynamic *dynamic)
{
    connected.node = node;
    connected.dynamic = dynamic;
}

struct dynamic *dynamic_of(const struct node *node)
{
    return connected.node == node ? connected.dynamic : NULL;
}

static struct dynamic_shelf *shelf_of(const struct dynamic *dynamic,
                                      const struct component *component)
{
    for (size_t i = 0; i < dynamic->shelf_count; i++) {
        if (dynamic->shelves[i].component == component) {
            return &dynamic->shelves[i];
        }
    }
    return NULL;
}

bool dynamic_is_template(const struct dynamic *dynamic, const struct component *component)
{
    return shelf_of(dynamic, component) != NULL;
}

/* ---- sources that are held ---- */

bool dynamic_hold(struct dynamic *dynamic, size_t size_bytes)
{
    /* Relaxed: a count. Not above the limit even for a moment, or two that are too large would refuse each other. */
    size_t held = atomic_load_explicit(&dynamic->held_bytes, memory_order_relaxed);
    do {
        if (size_bytes > DYNAMIC_HELD_BYTES_MAX - held) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&dynamic->held_bytes, &held, held + size_bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

void dynamic_let_go(struct dynamic *dynamic, size_t size_bytes)
{
    atomic_fetch_sub_explicit(&dynamic->held_bytes, size_bytes, memory_order_relaxed);
}

static void drop_source(struct dynamic *dynamic, struct bytes *wasm)
{
    dynamic_let_go(dynamic, wasm->size);
    bytes_fini(wasm);
}

/* ---- one piece of code ---- */

static void code_retain(struct dynamic_code *code)
{
    /* Relaxed: whoever retains has a reference, or the lock that keeps one. */
    atomic_fetch_add_explicit(&code->references, 1, memory_order_relaxed);
}

void dynamic_release(struct dynamic_code *code)
{
    /* Release: what was done with it comes before the end of it, which the acquire of the last one sees. */
    if (code == NULL ||
        atomic_fetch_sub_explicit(&code->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    struct dynamic *dynamic = code->shelf->dynamic;
    for (unsigned i = 0; code->editions != NULL && i < pool_workers(dynamic->options.pool); i++) {
        edition_release(code->editions[i]);
    }
    free(code->editions);
    drop_source(dynamic, &code->wasm);
    free(code);
}

enum dynamic_state dynamic_poll(const struct dynamic_code *code)
{
    /* Acquire: pairs with code_end(); what was made is there. */
    return (enum dynamic_state)atomic_load_explicit(&code->state, memory_order_acquire);
}

struct edition *const *dynamic_editions(const struct dynamic_code *code)
{
    INVARIANT(dynamic_poll(code) == DYNAMIC_READY);
    return code->editions;
}

enum err_code dynamic_error(const struct dynamic_code *code, const char **ret_why)
{
    INVARIANT(dynamic_poll(code) == DYNAMIC_FAILED);
    *ret_why = code->why;
    return code->error;
}

/* With the lock held: off its shelf, whose reference is the caller's to release. */
static void unshelve(struct dynamic_code *code)
{
    struct dynamic_shelf *shelf = code->shelf;
    enum dynamic_state state = dynamic_poll(code);
    shelf->ready -= state == DYNAMIC_READY ? 1 : 0;
    shelf->failed -= state == DYNAMIC_FAILED ? 1 : 0;
    list_remove(&code->member);
}

/* With the lock held: the last used one of a state, off its shelf, when there are more of them than may be. */
static struct dynamic_code *unshelve_oldest(struct dynamic_shelf *shelf)
{
    bool ready = shelf->ready > DYNAMIC_LOADED_MAX;
    if (!ready && shelf->failed <= DYNAMIC_REFUSED_MAX) {
        return NULL;
    }
    enum dynamic_state wanted = ready ? DYNAMIC_READY : DYNAMIC_FAILED;
    for (struct list *at = shelf->codes.prev; at != &shelf->codes; at = at->prev) {
        struct dynamic_code *code = CONTAINER_OF(at, struct dynamic_code, member);
        if (dynamic_poll(code) == wanted) {
            unshelve(code);
            return code;
        }
    }
    BUG("a shelf that counts what it has not");
}

static bool is_forgiven(const struct dynamic_code *code)
{
    return dynamic_poll(code) == DYNAMIC_FAILED &&
           now_ns() - code->failed_ns >= (uint64_t)DYNAMIC_REFUSED_S * 1000000000;
}

/* With the lock held: a reference, or NULL. One that was refused long ago comes off the shelf: `*ret_old` is to be released. */
static struct dynamic_code *look_up(struct dynamic_shelf *shelf,
                                    const unsigned char digest[DYNAMIC_DIGEST_BYTES],
                                    struct dynamic_code **ret_old)
{
    *ret_old = NULL;
    for (struct list *at = shelf->codes.next; at != &shelf->codes; at = at->next) {
        struct dynamic_code *code = CONTAINER_OF(at, struct dynamic_code, member);
        if (memcmp(code->digest, digest, DYNAMIC_DIGEST_BYTES) != 0) {
            continue;
        }
        if (is_forgiven(code)) {
            unshelve(code);
            *ret_old = code;
            return NULL;
        }
        if (at != shelf->codes.next) {
            list_remove(at);
            at->next = shelf->codes.next;
            at->prev = &shelf->codes;
            at->next->prev = at;
            shelf->codes.next = at;
        }
        code_retain(code);
        return code;
    }
    return NULL;
}

struct dynamic_code *dynamic_find(struct dynamic *dynamic, const struct component *component,
                                  const unsigned char digest[DYNAMIC_DIGEST_BYTES])
{
    struct dynamic_code *old = NULL;
    lock_take(&dynamic->lock);
    struct dynamic_code *code = look_up(shelf_of(dynamic, component), digest, &old);
    lock_release(&dynamic->lock);
    dynamic_release(old);
    return code;
}

static struct dynamic_code *code_create(struct dynamic_shelf *shelf,
                                        const unsigned char digest[DYNAMIC_DIGEST_BYTES],
                                        struct bytes *wasm)
{
    struct dynamic_code *code = calloc(1, sizeof *code);
    if (code != NULL) {
        atomic_init(&code->references, 1);
        atomic_init(&code->state, DYNAMIC_ON_ITS_WAY);
        code->shelf = shelf;
        memcpy(code->digest, digest, sizeof code->digest);
        list_init(&code->member);
        list_init(&code->queued);
        list_init(&code->waiters);
        code->wasm = *wasm;
        *wasm = (struct bytes){0};
    }
    return code;
}

/* With the lock held. References: the shelf's, the queue's, and the caller's. */
static void enqueue(struct dynamic *dynamic, struct dynamic_code *code)
{
    code_retain(code);
    code_retain(code);
    list_append(&code->shelf->codes, &code->member);
    list_append(&dynamic->queue, &code->queued);
    dynamic->jobs++;
    code->shelf->jobs++;
    sem_post(&dynamic->work);
}

struct dynamic_code *dynamic_load(struct dynamic *dynamic, const struct component *component,
                                  const unsigned char digest[DYNAMIC_DIGEST_BYTES],
                                  struct bytes *wasm, struct err *err)
{
    struct dynamic_shelf *shelf = shelf_of(dynamic, component);
    struct dynamic_code *fresh = code_create(shelf, digest, wasm), *old = NULL;
    if (fresh == NULL) {
        drop_source(dynamic, wasm);
        (void)err_set_memory(err);
        return NULL;
    }
    lock_take(&dynamic->lock);
    struct dynamic_code *code = look_up(shelf, digest, &old);
    if (code == NULL && dynamic->stops) {
        (void)err_set(err, ERR_DENIED, "the node is stopping");
    } else if (code == NULL && dynamic->jobs >= DYNAMIC_QUEUE_MAX) {
        (void)err_set(err, ERR_LIMIT, "%d sources wait to be compiled", DYNAMIC_QUEUE_MAX);
    } else if (code == NULL && shelf->jobs >= DYNAMIC_SHARE_MAX) {
        (void)err_set(err, ERR_LIMIT, "%d sources wait to be compiled for this template",
                      DYNAMIC_SHARE_MAX);
    } else if (code == NULL) {
        code = TAKE(fresh);
        enqueue(dynamic, code);
    }
    lock_release(&dynamic->lock);
    dynamic_release(old);
    dynamic_release(fresh);
    return code;
}

/* ---- waiting ---- */

bool dynamic_wait(struct dynamic_code *code, struct dynamic_waiter *waiter, struct process *process)
{
    struct dynamic *dynamic = code->shelf->dynamic;
    lock_take(&dynamic->lock);
    bool waits = dynamic_poll(code) == DYNAMIC_ON_ITS_WAY;
    if (waits) {
        process_retain(process);
        waiter->process = process;
        list_append(&code->waiters, &waiter->member);
    }
    lock_release(&dynamic->lock);
    return waits;
}

/* With the lock held: it is not wanted any more. `*ret_queued`: the queue's reference is to be released, the shelf's in any case. */
static void abandon(struct dynamic *dynamic, struct dynamic_code *code, bool *ret_queued)
{
    unshelve(code);
    *ret_queued = !list_is_empty(&code->queued);
    if (*ret_queued) {
        list_remove(&code->queued);
        dynamic->jobs--;
        code->shelf->jobs--;
    }
    for (unsigned i = 0; i < dynamic->worker_count; i++) {
        if (dynamic->workers[i].current == code) {
            (void)eventfd_write(dynamic->workers[i].cancel, 1);
        }
    }
}

void dynamic_wait_no_more(struct dynamic_code *code, struct dynamic_waiter *waiter, bool abandons)
{
    struct dynamic *dynamic = code->shelf->dynamic;
    bool abandoned = false, queued = false;
    lock_take(&dynamic->lock);
    /* On no list: it was woken, and its process released. */
    struct process *process = list_is_empty(&waiter->member) ? NULL : waiter->process;
    if (process != NULL) {
        list_remove(&waiter->member);
        abandoned = abandons && list_is_empty(&code->waiters) && !list_is_empty(&code->member) &&
                    dynamic_poll(code) == DYNAMIC_ON_ITS_WAY;
        if (abandoned) {
            abandon(dynamic, code, &queued);
        }
    }
    lock_release(&dynamic->lock);
    if (process != NULL) {
        process_release(process);
    }
    dynamic_release(abandoned ? code : NULL);
    dynamic_release(queued ? code : NULL);
}

static void wake_all(struct dynamic *dynamic, struct dynamic_code *code)
{
    for (;;) {
        lock_take(&dynamic->lock);
        struct list *member = list_take_first(&code->waiters);
        struct process *process =
            member == NULL ? NULL : CONTAINER_OF(member, struct dynamic_waiter, member)->process;
        lock_release(&dynamic->lock);
        if (process == NULL) {
            return;
        }
        process_wake(process);
        process_release(process);
    }
}

/* ---- the threads that compile ---- */

static void log_refusal(const struct dynamic_code *code)
{
    char digest[2 * DYNAMIC_DIGEST_BYTES + 1];
    for (unsigned i = 0; i < DYNAMIC_DIGEST_BYTES; i++) {
        snprintf(digest + (size_t)2 * i, 3, "%02x", code->digest[i]);
    }
    log_write(
        LOG_WARN, "code refused",
        (struct log_field[]){LOG_FIELD_STRING("template", component_name(code->shelf->component)),
                             LOG_FIELD_STRING("sha256", digest), LOG_FIELD_STRING("why", code->why),
                             LOG_FIELD_END});
}

/* It is ready, or it is not: for good. `again`: it may be tried again at once. */
static void code_end(struct dynamic *dynamic, struct dynamic_worker *worker,
                     struct dynamic_code *code, bool good, bool again)
{
    struct dynamic_shelf *shelf = code->shelf;
    struct dynamic_code *old = NULL;
    bool shelved = false;
    lock_take(&dynamic->lock);
    worker->current = NULL;
    dynamic->jobs--;
    shelf->jobs--;
    shelf->under_way--;
    /* Before the state is said: unshelve() counts by it. */
    bool kept = !list_is_empty(&code->member);
    if (kept && !good && again) {
        unshelve(code);
        shelved = true;
    } else if (kept) {
        shelf->ready += good ? 1 : 0;
        shelf->failed += good ? 0 : 1;
    }
    /* Release: pairs with dynamic_poll(). */
    atomic_store_explicit(&code->state, good ? DYNAMIC_READY : DYNAMIC_FAILED,
                          memory_order_release);
    old = unshelve_oldest(shelf);
    eventfd_t ignored;
    (void)eventfd_read(worker->cancel, &ignored);
    lock_release(&dynamic->lock);
    dynamic_release(old);
    dynamic_release(shelved ? code : NULL);
    wake_all(dynamic, code);
}

static void work_on(struct dynamic_worker *worker, struct dynamic_code *code)
{
    struct dynamic *dynamic = worker->dynamic;
    struct err err = {0};
    bool again = false;
    bool good = dynamic_make(dynamic, code, worker->cancel, &again, &err);
    drop_source(dynamic, &code->wasm);
    if (!good) {
        code->error = err.code;
        code->failed_ns = now_ns();
        snprintf(code->why, sizeof code->why, "%.*s", DYNAMIC_WHY_BYTES - 1, err.text);
        if (code->error != ERR_DENIED) {
            atomic_fetch_add_explicit(&dynamic->refused, 1, memory_order_relaxed);
            log_refusal(code);
        }
    }
    code_end(dynamic, worker, code, good, again);
    dynamic_release(code); /* the queue's */
}

/* With the lock held: the first of a template of which nothing is compiled now, else the first; NULL: none. */
static struct dynamic_code *next_job(struct dynamic *dynamic)
{
    struct dynamic_code *first = NULL;
    for (struct list *one = dynamic->queue.next; one != &dynamic->queue; one = one->next) {
        struct dynamic_code *code = CONTAINER_OF(one, struct dynamic_code, queued);
        if (code->shelf->under_way == 0) {
            return code;
        }
        first = first == NULL ? code : first;
    }
    return first;
}

static struct dynamic_code *take_work(struct dynamic_worker *worker)
{
    struct dynamic *dynamic = worker->dynamic;
    lock_take(&dynamic->lock);
    worker->current = dynamic->stops ? NULL : next_job(dynamic);
    if (worker->current != NULL) {
        list_remove(&worker->current->queued);
        worker->current->shelf->under_way++;
    }
    lock_release(&dynamic->lock);
    return worker->current;
}

static bool is_over(struct dynamic *dynamic)
{
    lock_take(&dynamic->lock);
    bool over = dynamic->stops;
    lock_release(&dynamic->lock);
    return over;
}

static void *run(void *argument)
{
    struct dynamic_worker *worker = argument;
    while (!is_over(worker->dynamic)) {
        if (sem_wait(&worker->dynamic->work) != 0) {
            continue; /* interrupted */
        }
        /* What was abandoned has left nothing in the queue for its post. */
        struct dynamic_code *code = take_work(worker);
        if (code != NULL) {
            work_on(worker, code);
        }
    }
    return NULL;
}

/* ---- life ---- */

static bool make_shelves(struct dynamic *dynamic, const struct dynamic_options *options)
{
    dynamic->shelves = calloc(options->template_count + 1, sizeof *dynamic->shelves);
    for (size_t i = 0; dynamic->shelves != NULL && i < options->template_count; i++) {
        struct dynamic_shelf *shelf = &dynamic->shelves[dynamic->shelf_count++];
        shelf->dynamic = dynamic;
        shelf->component = options->templates[i].component;
        shelf->entry = options->templates[i].entry;
        list_init(&shelf->codes);
    }
    return dynamic->shelves != NULL;
}

static bool start_worker(struct dynamic *dynamic, struct err *err)
{
    struct dynamic_worker *worker = &dynamic->workers[dynamic->worker_count];
    worker->dynamic = dynamic;
    worker->cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->cancel < 0) {
        return err_set_os(err, errno, "eventfd");
    }
    int failed = pthread_create(&worker->thread, NULL, run, worker);
    if (failed != 0) {
        close(worker->cancel);
        return err_set_os(err, failed, "a thread that compiles");
    }
    dynamic->worker_count++;
    return true;
}

struct dynamic *dynamic_create(const struct dynamic_options *options, struct err *err)
{
    struct dynamic *dynamic = malloc(sizeof *dynamic);
    if (dynamic == NULL) {
        (void)err_set_memory(err);
        return NULL;
    }
    *dynamic = (struct dynamic){.options = *options};
    dynamic->options.templates = NULL; /* they become shelves */
    lock_init(&dynamic->lock, LOCK_DYNAMIC);
    list_init(&dynamic->queue);
    sem_init(&dynamic->work, 0, 0);
    bool good = make_shelves(dynamic, options) || err_set_memory(err);
    for (unsigned i = 0; good && options->template_count > 0 && i < DYNAMIC_COMPILERS; i++) {
        good = start_worker(dynamic, err);
    }
    if (!good) {
        dynamic_destroy(dynamic);
        return NULL;
    }
    return dynamic;
}

void dynamic_stop(struct dynamic *dynamic)
{
    if (dynamic == NULL) {
        return;
    }
    lock_take(&dynamic->lock);
    dynamic->stops = true;
    lock_release(&dynamic->lock);
    for (unsigned i = 0; i < dynamic->worker_count; i++) {
        (void)eventfd_write(dynamic->workers[i].cancel, 1);
        sem_post(&dynamic->work);
    }
    for (unsigned i = 0; i < dynamic->worker_count; i++) {
        (void)pthread_join(dynamic->workers[i].thread, NULL);
        close(dynamic->workers[i].cancel);
    }
    for (;;) {
        lock_take(&dynamic->lock);
        dynamic->worker_count = 0;
        struct list *queued = list_take_first(&dynamic->queue);
        dynamic->jobs -= queued != NULL ? 1 : 0;
        lock_release(&dynamic->lock);
        if (queued == NULL) {
            return;
        }
        dynamic_release(CONTAINER_OF(queued, struct dynamic_code, queued));
    }
}

void dynamic_destroy(struct dynamic *dynamic)
{
    if (dynamic == NULL) {
        return;
    }
    dynamic_stop(dynamic);
    for (size_t i = 0; i < dynamic->shelf_count; i++) {
        struct list *codes = &dynamic->shelves[i].codes;
        for (struct list *member; (member = list_take_first(codes)) != NULL;) {
            dynamic_release(CONTAINER_OF(member, struct dynamic_code, member));
        }
    }
    sem_destroy(&dynamic->work);
    lock_fini(&dynamic->lock);
    free(dynamic->shelves);
    free(dynamic);
}

struct dynamic_counts dynamic_counts(struct dynamic *dynamic)
{
    /* Relaxed: counts. */
    struct dynamic_counts counts = {
        .compiled = atomic_load_explicit(&dynamic->compiled, memory_order_relaxed),
        .refused = atomic_load_explicit(&dynamic->refused, memory_order_relaxed)};
    lock_take(&dynamic->lock);
    counts.queued = dynamic->jobs;
    for (size_t i = 0; i < dynamic->shelf_count; i++) {
        counts.loaded += dynamic->shelves[i].ready;
    }
    lock_release(&dynamic->lock);
    return counts;
}
