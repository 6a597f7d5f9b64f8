#include "stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct actor *actor_of(struct process *process)
{
    return CONTAINER_OF(process, struct actor, process);
}

static enum turn actor_turn(struct process *process, struct exit *ret_exit)
{
    struct actor *actor = actor_of(process);
    if (!actor->ends) {
        return TURN_PARKED;
    }
    *ret_exit = actor->plan;
    return TURN_ENDED;
}

static void actor_reclaim(struct process *process)
{
    (void)process;
}

static void actor_exited(struct process *process, const struct exit *exit)
{
    struct actor *actor = actor_of(process);
    actor->exited++;
    actor->last = *exit;
    actor->last.backtrace = NULL;
}

static void actor_destroy(struct process *process)
{
    struct actor *actor = actor_of(process);
    if (actor->freed != NULL) {
        *actor->freed = true;
    }
    free(actor);
}

static const struct body actor_body = {
    .turn = actor_turn,
    .reclaim = actor_reclaim,
    .exited = actor_exited,
    .destroy = actor_destroy,
};

int stage_create(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    still_env_init(&stage->env, 1);
    stage->node = still_node(&stage->env, 2, 0);
    *state = stage;
    return 0;
}

int stage_destroy(void **state)
{
    struct stage *stage = *state;
    node_stop(stage->node);
    struct node_counts counts = node_counts(stage->node);
    bool clean = counts.processes == 0 && counts.timers == 0;
    for (unsigned i = 0; i < stage->count; i++) {
        struct process *process = &stage->actors[i]->process;
        clean = clean && stage->actors[i]->exited == 1 && process->links.count == 0 &&
                process->awaited.count == 0 && list_is_empty(&process->watchers) &&
                process->stop_reason == NULL && atomic_load(&process->references) == 1;
        process_release(process);
    }
    node_destroy(stage->node);
    free(stage);
    return clean ? 0 : -1;
}

struct actor *actor_create(struct stage *stage, const struct process_options *options)
{
    static const struct process_quotas many = {.ties_max = 1000000, .timers_max = 1000000};
    struct process_options chosen = options == NULL ? (struct process_options){0} : *options;
    if (chosen.quotas == NULL) {
        chosen.quotas = &many;
    }
    struct actor *actor = calloc(1, sizeof(*actor));
    process_init(&actor->process, &actor_body, stage->node, &chosen);
    return actor;
}

struct actor *actor_start(struct stage *stage, const struct process_options *options)
{
    struct actor *actor = actor_create(stage, options);
    assert_true(stage->count < ACTORS_MAX);
    struct worker *worker = worker_of(stage->node, stage->count % 2);
    stage->actors[stage->count++] = actor;
    process_retain(&actor->process);
    struct err err;
    assert_true(process_start(&actor->process, worker, &err));
    run_until_idle(stage->node);
    return actor;
}

struct actor *actor_start_trapping(struct stage *stage)
{
    return actor_start(stage, &(struct process_options){.traps_exits = true});
}

void settle(struct stage *stage)
{
    run_until_idle(stage->node);
}

void actor_end(struct stage *stage, struct actor *actor, enum exit_class exit_class,
               const char *text)
{
    actor->plan = (struct exit){.exit_class = exit_class};
    snprintf(actor->plan.reason, sizeof(actor->plan.reason), "%s", text);
    actor->ends = true;
    process_wake(&actor->process);
    settle(stage);
}

struct pid pid_of(const struct actor *actor)
{
    return actor->process.pid;
}

uint64_t expect_mail(struct actor *actor, enum message_kind kind, const struct actor *sender,
                     const char *text)
{
    struct message *message = process_receive(&actor->process, NULL);
    assert_non_null(message);
    assert_int_equal(message->kind, kind);
    if (sender != NULL) {
        assert_int_equal(message->sender, sender->process.pid.raw);
    }
    size_t size_bytes;
    const void *data = message_data(message, &size_bytes);
    assert_int_equal(size_bytes, strlen(text));
    assert_memory_equal(data, text, size_bytes);
    uint64_t reference = message->reference;
    message_destroy(message);
    return reference;
}

void expect_no_mail(struct actor *actor)
{
    assert_null(process_receive(&actor->process, NULL));
}

void expect_exit(const struct actor *actor, enum exit_class exit_class, const char *text)
{
    assert_int_equal(actor->exited, 1);
    assert_int_equal(actor->last.exit_class, exit_class);
    assert_string_equal(actor->last.reason, text);
}

void expect_alive(const struct actor *actor)
{
    assert_int_equal(actor->exited, 0);
}

void send_word(struct stage *stage, struct actor *from, struct actor *to, const char *word)
{
    struct message *message = message_create(pid_of(from).raw, 0, word, strlen(word));
    assert_non_null(message);
    assert_true(process_send(stage->node, pid_of(to), message));
}

void link_them(struct actor *a, struct actor *b)
{
    struct err err;
    assert_true(link_add(&a->process, pid_of(b), &err));
}

uint64_t watch(struct actor *watcher, struct actor *target)
{
    struct err err;
    uint64_t reference = 0;
    assert_true(monitor_add(&watcher->process, pid_of(target), &reference, &err));
    assert_int_not_equal(reference, 0);
    return reference;
}
