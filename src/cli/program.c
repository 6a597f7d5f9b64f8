#include "cli/program.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT_RUN = 126, SIGNALLED = 128 };

bool program_own_path(char *ret, size_t size_bytes, struct err *err)
{
    ssize_t size = readlink("/proc/self/exe", ret, size_bytes - 1);
    if (size < 0) {
        return err_set_os(err, errno, "find this program");
    }
    ret[size] = '\0';
    return true;
}

/* In the new process, which has all memory of this one: nothing is allocated any more. */
static _Noreturn void become(const struct program_options *options, char *const *words,
                             char *const *environment, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent || chdir(options->folder) != 0 ||
        (options->out_fd >= 0 && dup2(options->out_fd, STDOUT_FILENO) < 0) ||
        (options->err_fd >= 0 && dup2(options->err_fd, STDERR_FILENO) < 0)) {
        _exit(CANNOT_RUN);
    }
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)execve(words[0], words, environment);
    _exit(CANNOT_RUN);
}

static size_t count_of(const char *const *list)
{
    size_t count = 0;
    while (list != NULL && list[count] != NULL) {
        count++;
    }
    return count;
}

/* Whether `one` names the same variable as one of the list's. */
static bool is_replaced(const char *one, const char *const *list)
{
    size_t size = strcspn(one, "=") + 1;
    for (; list != NULL && *list != NULL; list++) {
        if (strncmp(*list, one, size) == 0) {
            return true;
        }
    }
    return false;
}

/* Borrows all texts; NULL: out of memory. */
static const char **merge(const char *const *more)
{
    size_t own = count_of((const char *const *)environ), to = 0;
    const char **merged = calloc(own + count_of(more) + 1, sizeof *merged);
    for (size_t i = 0; merged != NULL && i < own; i++) {
        if (!is_replaced(environ[i], more)) {
            merged[to++] = environ[i];
        }
    }
    for (; merged != NULL && more != NULL && *more != NULL; more++) {
        merged[to++] = *more;
    }
    return merged;
}

bool program_start(struct program *program, const struct program_options *options, struct err *err)
{
    const char **environment = merge(options->environment);
    *program = (struct program){.pid_fd = -1};
    if (environment == NULL) {
        return err_set_memory(err);
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        /* The call takes writable strings for historical reasons and writes to none. */
        become(options, (char *const *)(uintptr_t)options->words,
               (char *const *)(uintptr_t)environment, parent);
    }
    int os = errno;
    free(environment);
    if (pid < 0) {
        return err_set_os(err, os, "start %s", options->words[0]);
    }
    program->pid = pid;
    program->grouped = true;
    program->pid_fd = pidfd_open(pid, 0);
    if (program->pid_fd < 0) {
        os = errno;
        program_end(program, -1, 0);
        return err_set_os(err, os, "watch %s", options->words[0]);
    }
    return true;
}

bool program_adopt(struct program *program, pid_t pid)
{
    *program = (struct program){.pid = pid, .pid_fd = pidfd_open(pid, 0)};
    if (program->pid_fd < 0) {
        *program = (struct program){.pid_fd = -1};
        return false;
    }
    return true;
}

/* Of one that is not our child yet there is none. */
static int take_status(struct program *program)
{
    int status = 0;
    while (waitpid(program->pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (program->pid_fd >= 0) {
        close(program->pid_fd);
    }
    *program = (struct program){.pid_fd = -1};
    return WIFEXITED(status) ? WEXITSTATUS(status) : SIGNALLED + WTERMSIG(status);
}

enum program_wait program_wait(struct program *program, int stop_fd, int within_ms, int *ret_status)
{
    struct pollfd wait[] = {{.fd = program->pid_fd, .events = POLLIN},
                            {.fd = stop_fd, .events = POLLIN}};
    int ready;
    while ((ready = poll(wait, ARRAY_LENGTH(wait), within_ms)) < 0 && errno == EINTR) {
    }
    if (wait[0].revents != 0) {
        *ret_status = take_status(program);
        return PROGRAM_ENDED;
    }
    return ready > 0 ? PROGRAM_INTERRUPTED : PROGRAM_LATE;
}

static void send_signal(const struct program *program, int number)
{
    /* It may not have made its group yet. */
    if (!program->grouped || kill(-program->pid, number) != 0) {
        (void)kill(program->pid, number);
    }
}

void program_end(struct program *program, int stop_fd, int within_ms)
{
    int status;
    if (program->pid == 0) {
        return;
    }
    if (program->pid_fd >= 0) {
        send_signal(program, SIGTERM);
        if (program_wait(program, stop_fd, within_ms, &status) == PROGRAM_ENDED) {
            return;
        }
    }
    send_signal(program, SIGKILL);
    (void)take_status(program);
}
