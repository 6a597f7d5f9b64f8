#include "guest/job.h"

#include "base/log.h"
#include "core/node.h"

#include <inttypes.h>
#include <stdlib.h>

#define SECOND_NS UINT64_C(1000000000)

/* A timer runs by the clock that no one can set, a calendar by the one that anyone can: look again. */
#define LOOK_NS (30 * SECOND_NS)

/* A clock that goes back by more begins anew; by less, nothing is run twice. */
enum { SET_BACK_S = 3600 };

struct job {
    struct jobs *jobs;
    struct job_options options; /* constant */
    struct timer timer;         /* the loop's thread */
    struct task task;           /* the loop's thread: posted when the timer has fired */
    uint64_t due_ns;            /* the loop's thread: of an interval, monotonic */
    int64_t due_s, last_s;      /* the loop's thread: of a calendar, since 1970; 0: not yet */
    bool told; /* the loop's thread: that a firing came to nothing; since the last good one */
    atomic_uint_least64_t fired, skipped, failed, running; /* any thread */
};

struct jobs {
    struct node *node;
    job_spawn *spawn;
    bool started; /* main thread */
    bool stopped; /* the loop's thread */
    size_t count;
    struct job job[];
};

static int64_t wall_s(struct env *env)
{
    return (int64_t)(env->wall_ns(env) / SECOND_NS);
}

/* The last call with this job: of a process that has exited. */
static void job_exited(void *argument, const struct exit *exit)
{
    struct job *job = argument;

    (void)exit; /* the guest's own line tells how */
    atomic_fetch_sub(&job->running, 1);
}

/* Once, not at every interval again while it goes on. */
static void complain(struct job *job, const char *why)
{
    if (!job->told) {
        log_printf(LOG_WARN, "schedule: '%s' is skipped: %s", job->options.line->name, why);
    }
    job->told = true;
}

static void fire(struct job *job)
{
    const char *name = job->options.line->name;
    struct actor_options options = {.kind = "schedule",
                                    .entry = job->options.entry,
                                    .exited = job_exited,
                                    .exited_argument = job};
    struct pid pid = {0};
    struct err err = {0};

    if (!job->options.overlap && atomic_load(&job->running) > 0) {
        atomic_fetch_add(&job->skipped, 1);
        complain(job, "it still runs");
        return;
    }
    /* Before: it may be over when the spawn returns. */
    atomic_fetch_add(&job->running, 1);
    if (job->jobs->spawn(job->jobs->node, job->options.line, &options, &pid, NULL, &err)) {
        atomic_fetch_add(&job->fired, 1);
        job->told = false;
        log_printf(LOG_DEBUG, "schedule: '%s' runs as %" PRIu64, name, pid.raw);
        return;
    }
    atomic_fetch_sub(&job->running, 1);
    atomic_fetch_add(&job->failed, 1);
    complain(job, err.text);
}

/* Whether it is due; if so, the next time after now becomes its time. */
static bool take_due(struct job *job, struct env *env, uint64_t now_ns)
{
    if (job->options.calendar == NULL) {
        if (now_ns < job->due_ns) {
            return false;
        }
        /* In step with the first one, however late this one is. */
        uint64_t missed = (now_ns - job->due_ns) / job->options.every_ns;
        job->due_ns += (missed + 1) * job->options.every_ns;
        return true;
    }
    int64_t now_s = wall_s(env);
    bool due = now_s >= job->due_s;
    if (due || now_s + SET_BACK_S < job->last_s) {
        job->due_s = calendar_next(job->options.calendar, now_s);
    }
    job->last_s = now_s;
    return due;
}

static void timer_fired(struct timer *timer);

static void arm(struct job *job, struct env *env, uint64_t now_ns)
{
    struct loop *loop = node_loop(job->jobs->node, 0);
    uint64_t at_ns = job->due_ns;

    if (job->options.calendar != NULL) {
        int64_t left_s = job->due_s - wall_s(env);
        at_ns = now_ns + (left_s < 1 ? SECOND_NS / 100 : (uint64_t)left_s * SECOND_NS);
        /* To the second's begin, as the wall clock has it. */
        at_ns -= left_s < 1 ? 0 : env->wall_ns(env) % SECOND_NS;
    }
    at_ns = at_ns - now_ns > LOOK_NS ? now_ns + LOOK_NS : at_ns;
    timer_start(&loop->worker.timers, &job->timer, at_ns, timer_fired);
}

static void look(struct job *job)
{
    struct env *env = node_env(job->jobs->node);
    uint64_t now_ns = env->monotonic_ns(env);

    if (take_due(job, env, now_ns)) {
        fire(job);
    }
    arm(job, env, now_ns);
}

static void job_run(struct task *task)
{
    struct job *job = CONTAINER_OF(task, struct job, task);

    if (!job->jobs->stopped) {
        look(job);
    }
}

/* With the wheel's lock held: nothing can be spawned here. */
static void timer_fired(struct timer *timer)
{
    struct job *job = CONTAINER_OF(timer, struct job, timer);

    worker_post(&node_loop(job->jobs->node, 0)->worker, &job->task);
}

struct jobs *jobs_create(struct node *node, const struct job_options *options, size_t count,
                         job_spawn *spawn, struct err *err)
{
    struct jobs *jobs = calloc(1, sizeof *jobs + count * sizeof jobs->job[0]);

    if (jobs == NULL) {
        (void)err_set_memory(err);
        return NULL;
    }
    jobs->node = node;
    jobs->spawn = spawn;
    jobs->count = count;
    for (size_t i = 0; i < count; i++) {
        INVARIANT(options[i].calendar != NULL || options[i].every_ns > 0);
        jobs->job[i].jobs = jobs;
        jobs->job[i].options = options[i];
        jobs->job[i].task.run = job_run;
    }
    return jobs;
}

static void start_all(struct loop *loop, void *argument)
{
    struct jobs *jobs = argument;
    struct env *env = node_env(jobs->node);
    uint64_t now_ns = env->monotonic_ns(env);

    (void)loop;
    for (size_t i = 0; i < jobs->count; i++) {
        struct job *job = &jobs->job[i];
        job->last_s = wall_s(env);
        if (job->options.calendar != NULL) {
            job->due_s = calendar_next(job->options.calendar, job->last_s);
        } else {
            job->due_ns = now_ns + job->options.every_ns;
        }
        arm(job, env, now_ns);
    }
}

void jobs_start(struct jobs *jobs)
{
    INVARIANT(!jobs->started);
    jobs->started = true;
    loop_call(node_loop(jobs->node, 0), start_all, jobs);
}

static void stop_all(struct loop *loop, void *argument)
{
    struct jobs *jobs = argument;

    (void)loop;
    jobs->stopped = true;
    for (size_t i = 0; i < jobs->count; i++) {
        timer_cancel(&jobs->job[i].timer);
    }
}

void jobs_stop(struct jobs *jobs)
{
    if (jobs->started) {
        jobs->started = false;
        loop_call(node_loop(jobs->node, 0), stop_all, jobs);
    }
}

void jobs_destroy(struct jobs *jobs)
{
    if (jobs != NULL) {
        INVARIANT(!jobs->started);
        free(jobs);
    }
}

const char *jobs_component(const struct jobs *jobs, size_t index)
{
    return jobs->job[index].options.line->name;
}

struct job_counts jobs_counts(const struct jobs *jobs, size_t index)
{
    const struct job *job = &jobs->job[index];

    return (struct job_counts){.fired = atomic_load(&job->fired),
                               .skipped = atomic_load(&job->skipped),
                               .failed = atomic_load(&job->failed),
                               .running = atomic_load(&job->running)};
}
