#include "cmocka_all.h"

#include "base/lock.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What `misuse` writes to standard error before it is aborted, in a child of its own. */
static void dies_saying(void (*misuse)(void), const char *words)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(fds[1], STDERR_FILENO);
        misuse();
        _exit(0);
    }
    close(fds[1]);
    char said[1024] = "";
    size_t size = 0;
    ssize_t got;
    while (size < sizeof(said) - 1 &&
           (got = read(fds[0], said + size, sizeof(said) - 1 - size)) > 0) {
        size += (size_t)got;
    }
    said[size] = '\0';
    close(fds[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(said, words));
}

static void dies_of_order(void (*misuse)(void), enum lock_rank taken, enum lock_rank held)
{
    char words[80];
    (void)snprintf(words, sizeof(words), "lock of rank %d taken inside one of rank %d", (int)taken,
                   (int)held);
    dies_saying(misuse, words);
}

static void locks_nest_in_rising_rank(void **state)
{
    (void)state;
    struct lock outer, inner;
    lock_init(&outer, LOCK_NODE);
    lock_init(&inner, LOCK_QUEUE);
    lock_take(&outer);
    assert_true(lock_is_held(&outer));
    assert_false(lock_is_held(&inner));
    lock_take(&inner);
    lock_release(&inner);
    lock_take(&inner);
    lock_release(&inner);
    lock_release(&outer);
    assert_false(lock_is_held(&outer));
    lock_fini(&inner);
    lock_fini(&outer);
}

static struct lock lock_node = LOCK_INITIALIZER(LOCK_NODE);
static struct lock lock_queue = LOCK_INITIALIZER(LOCK_QUEUE);
static struct lock lock_other_queue = LOCK_INITIALIZER(LOCK_QUEUE);

static void take_downwards(void)
{
    lock_take(&lock_queue);
    lock_take(&lock_node);
}

static void take_two_of_one_rank(void)
{
    lock_take(&lock_queue);
    lock_take(&lock_other_queue);
}

static void take_twice(void)
{
    lock_take(&lock_queue);
    lock_take(&lock_queue);
}

static void release_unheld(void)
{
    lock_release(&lock_queue);
}

static void release_out_of_order(void)
{
    lock_take(&lock_node);
    lock_take(&lock_queue);
    lock_release(&lock_node);
}

static void a_lock_of_lower_rank_inside_is_a_bug(void **state)
{
    (void)state;
    dies_of_order(take_downwards, LOCK_NODE, LOCK_QUEUE);
}

static void two_locks_of_one_rank_are_a_bug(void **state)
{
    (void)state;
    dies_of_order(take_two_of_one_rank, LOCK_QUEUE, LOCK_QUEUE);
    dies_of_order(take_twice, LOCK_QUEUE, LOCK_QUEUE);
}

static void releasing_what_is_not_innermost_is_a_bug(void **state)
{
    (void)state;
    dies_saying(release_unheld, "not this thread's innermost");
    dies_saying(release_out_of_order, "not this thread's innermost");
}

enum { THREADS = 4, ROUNDS = 20000 };

static struct lock counter_lock = LOCK_INITIALIZER(LOCK_NODE);
static int counter; /* guarded by counter_lock */

static void *add(void *argument)
{
    for (int i = 0; i < ROUNDS; i++) {
        lock_take(&counter_lock);
        counter++;
        lock_release(&counter_lock);
    }
    return argument;
}

static void only_one_thread_at_a_time_holds_it(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(counter, THREADS * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locks_nest_in_rising_rank),
        cmocka_unit_test(a_lock_of_lower_rank_inside_is_a_bug),
        cmocka_unit_test(two_locks_of_one_rank_are_a_bug),
        cmocka_unit_test(releasing_what_is_not_innermost_is_a_bug),
        cmocka_unit_test(only_one_thread_at_a_time_holds_it),
    };
    return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
