/* What a publication costs each of its receivers: one body shared by native processes that joined a group, against sending to
 * each of them a message of its own. bench/run.py drives it; docs/benchmarks.md says what the figures mean.
 *
 *     bench-fanout [SUBSCRIBERS]      reads rounds from its input, one a line: "publish N" or "send N", how many times;
 *                                     answers each with a line: "CPU_NS WALL_NS MESSAGES"
 *
 * All is on one worker. The figures are those of the turns that publish or send; the receivers' own turns, in which they take
 * what came, are not in them: they come in between, so that each push finds a mailbox empty and wakes its owner. */
#include "base/number.h"
#include "core/node.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUBSCRIBERS_DEFAULT = 10000, STEP = 64, BODY_BYTES = 8 };

static const struct registry_key group = {.namespace = "main", .name = "news", .name_bytes = 4};
static const struct process_quotas quotas = {.registered_max = {[REGISTRY_GROUP] = 1}};

struct subscriber {
    struct process process;
    uint64_t received; /* its worker only; read between rounds */
};

struct publisher {
    struct process process;
    struct subscriber **subscribers;
    size_t count;
    /* Set between rounds, else its worker's. */
    bool sends;
    uint64_t left;
    uint64_t cpu_ns, wall_ns;
    bool failed;
    sem_t done;
};

/* ---- subscribers ---- */

static enum turn subscriber_turn(struct process *process, struct exit *ret_exit)
{
    (void)ret_exit;
    struct subscriber *subscriber = CONTAINER_OF(process, struct subscriber, process);
    struct message *message;
    while ((message = process_receive(process, NULL)) != NULL) {
        subscriber->received++;
        message_destroy(message);
    }
    return TURN_PARKED;
}

static void nothing_to_reclaim(struct process *process)
{
    (void)process;
}

static void subscriber_destroy(struct process *process)
{
    free(CONTAINER_OF(process, struct subscriber, process));
}

static const struct body subscriber_body = {
    .turn = subscriber_turn, .reclaim = nothing_to_reclaim, .destroy = subscriber_destroy};

/* One that has joined, with a reference for the caller. */
static struct subscriber *subscriber_start(struct node *node, struct err *err)
{
    struct process_options options = {
        .kind = "bench", .label = "subscriber", .namespace = "main", .quotas = &quotas};
    struct subscriber *subscriber = calloc(1, sizeof *subscriber);
    INVARIANT(subscriber != NULL);
    process_init(&subscriber->process, &subscriber_body, node, &options);
    process_retain(&subscriber->process);
    process_identify(&subscriber->process);
    if (!registry_add(node_registry(node), &subscriber->process, REGISTRY_GROUP, &group, true, NULL,
                      err) ||
        !process_start(&subscriber->process, &node_loop(node, 0)->worker, err)) {
        process_discard(&subscriber->process);
        process_release(&subscriber->process);
        return NULL;
    }
    return subscriber;
}

/* ---- the publisher ---- */

static void publish(struct publisher *publisher, const unsigned char *body)
{
    struct node *node = publisher->process.node;
    struct payload *payload = payload_create(body, BODY_BYTES);
    INVARIANT(payload != NULL);
    struct publishing publishing = {0};
    while (!registry_publish(node_registry(node), node, &group, publisher->process.pid.raw, 1,
                             payload, STEP, &publishing)) {
    }
    payload_release(payload);
    publisher->failed |= publishing.sum.reached != publisher->count;
}

static void send(struct publisher *publisher, const unsigned char *body)
{
    for (size_t i = 0; i < publisher->count; i++) {
        struct message *message = message_create(publisher->process.pid.raw, 1, body, BODY_BYTES);
        INVARIANT(message != NULL);
        if (!process_send_to(&publisher->subscribers[i]->process, message)) {
            message_destroy(message);
            publisher->failed = true;
        }
    }
}

static enum turn publisher_turn(struct process *process, struct exit *ret_exit)
{
    (void)ret_exit;
    struct publisher *publisher = CONTAINER_OF(process, struct publisher, process);
    if (publisher->left == 0) {
        return TURN_PARKED;
    }
    struct env *env = node_env(process->node);
    unsigned char body[BODY_BYTES] = {0};
    memcpy(body, &publisher->left, sizeof publisher->left);
    uint64_t cpu = env->thread_cpu_ns(env);
    uint64_t wall = env->monotonic_ns(env);
    if (publisher->sends) {
        send(publisher, body);
    } else {
        publish(publisher, body);
    }
    publisher->cpu_ns += env->thread_cpu_ns(env) - cpu;
    publisher->wall_ns += env->monotonic_ns(env) - wall;
    process_wake(process); /* again, behind all who were woken */
    if (--publisher->left == 0) {
        sem_post(&publisher->done);
    }
    return TURN_PARKED;
}

/* Everything is freed at the end of main(). */
static void publisher_destroy(struct process *process)
{
    (void)process;
}

static const struct body publisher_body = {
    .turn = publisher_turn, .reclaim = nothing_to_reclaim, .destroy = publisher_destroy};

static bool publisher_start(struct publisher *publisher, struct node *node, size_t count)
{
    struct err err = {0};
    publisher->subscribers = calloc(count, sizeof *publisher->subscribers);
    INVARIANT(publisher->subscribers != NULL);
    for (; publisher->count < count; publisher->count++) {
        publisher->subscribers[publisher->count] = subscriber_start(node, &err);
        if (publisher->subscribers[publisher->count] == NULL) {
            fprintf(stderr, "bench-fanout: %s\n", err.text);
            return false;
        }
    }
    struct process_options options = {.kind = "bench", .label = "publisher"};
    process_init(&publisher->process, &publisher_body, node, &options);
    if (!process_start(&publisher->process, &node_loop(node, 0)->worker, &err)) {
        fprintf(stderr, "bench-fanout: %s\n", err.text);
        return false;
    }
    return true;
}

/* ---- rounds ---- */

static void begin_round(struct loop *loop, void *argument)
{
    (void)loop;
    struct publisher *publisher = argument;
    process_wake(&publisher->process);
}

/* On the worker's thread, when all of them have had their turns. */
struct tally {
    struct publisher *publisher;
    bool quiet;
    uint64_t received;
};

static void count_received(struct loop *loop, void *argument)
{
    struct tally *tally = argument;
    tally->quiet = worker_backlog(&loop->worker) == 0;
    tally->received = 0;
    for (size_t i = 0; i < tally->publisher->count; i++) {
        tally->received += tally->publisher->subscribers[i]->received;
    }
}

static uint64_t received(struct publisher *publisher, struct node *node)
{
    struct tally tally = {.publisher = publisher};
    while (!tally.quiet) {
        loop_call(node_loop(node, 0), count_received, &tally);
    }
    return tally.received;
}

static bool run_rounds(struct publisher *publisher, struct node *node)
{
    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char side[16];
        unsigned long long times = 0;
        if (sscanf(line, "%15s %llu", side, &times) != 2 || times < 1 ||
            (strcmp(side, "publish") != 0 && strcmp(side, "send") != 0)) {
            fprintf(stderr, "bench-fanout: not a round: %s", line);
            return false;
        }
        uint64_t before = received(publisher, node);
        publisher->sends = strcmp(side, "send") == 0;
        publisher->left = times;
        publisher->cpu_ns = publisher->wall_ns = 0;
        loop_call(node_loop(node, 0), begin_round, publisher);
        while (sem_wait(&publisher->done) != 0) {
            /* Interrupted. */
        }
        uint64_t messages = times * publisher->count;
        if (publisher->failed || received(publisher, node) - before != messages) {
            fprintf(stderr, "bench-fanout: some of it was not received\n");
            return false;
        }
        printf("%llu %llu %llu\n", (unsigned long long)publisher->cpu_ns,
               (unsigned long long)publisher->wall_ns, (unsigned long long)messages);
        fflush(stdout);
    }
    return true;
}

int main(int count, char **arguments)
{
    uint64_t subscribers = SUBSCRIBERS_DEFAULT;
    if (count > 2 ||
        (count == 2 && (!number_parse(arguments[1], strlen(arguments[1]), 1000000, &subscribers) ||
                        subscribers == 0))) {
        fprintf(stderr, "usage: bench-fanout [SUBSCRIBERS]\n");
        return 2;
    }
    struct err err = {0};
    struct node_options options = {.workers = 1, .tick_ns = 1000000, .env = env_system()};
    struct node *node = node_create(&options, &err);
    if (node == NULL || !node_start(node, &err)) {
        fprintf(stderr, "bench-fanout: %s\n", err.text);
        node_destroy(node);
        return 1;
    }
    static struct publisher publisher;
    sem_init(&publisher.done, 0, 0);
    bool done = publisher_start(&publisher, node, (size_t)subscribers) &&
                run_rounds(&publisher, node);
    node_stop(node);
    for (size_t i = 0; i < publisher.count; i++) {
        process_release(&publisher.subscribers[i]->process);
    }
    free(publisher.subscribers);
    node_destroy(node);
    sem_destroy(&publisher.done);
    return done ? 0 : 1;
}
